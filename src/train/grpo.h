/*
 * Group-relative policy optimisation (Shao et al. 2024, DeepSeekMath, arXiv:2402.03300) in TRL's variants.
 *
 * A step: tasks of the environment -> G answers each, sampled by the model itself -> rewards -> advantages per group ->
 * num_iterations updates over the same answers. The answers are the children of their prompt in one token forest, from
 * sampling to the gradient. While the weights are still the sampler's, every log-prob of the training forward is
 * compared with the recorded one, bit for bit; one difference fails the run.
 */
#ifndef REIN_TRAIN_GRPO_H
#define REIN_TRAIN_GRPO_H

#include "rein/env.h"
#include "train/trainer.h"

/** As rein_train_kind.run. */
REIN_NODISCARD rein_status rein_grpo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                         const rein_train_watch *watch);

/** As rein_grpo_run with an environment that the caller opened (args->env is not read). */
REIN_NODISCARD rein_status rein_grpo_run_env(const rein_train_args *args, const char *config_yaml, const rein_env *env,
                                             rein_device *dev, const rein_train_watch *watch);

/** As rein_train_kind.replay. */
REIN_NODISCARD rein_status rein_grpo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                            int64_t step, rein_commit *out, rein_str *journal);

#endif
