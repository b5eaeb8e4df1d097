/*
 * Online policy optimisation: GRPO (Shao et al. 2024, arXiv:2402.03300) in its variants, RLOO (Ahmadian et al. 2024,
 * arXiv:2402.14740) and PPO (Schulman et al. 2017, arXiv:1707.06347). One loop; the commands differ in the options that
 * they have and in the defaults of these.
 *
 * A step: tasks of the environment -> G answers each, sampled by the model itself -> rewards -> advantages ->
 * num_iterations passes over the same answers, num_mini_batches updates each. The answers are the children of their
 * prompt in one token forest, from sampling to the gradient. While the weights are still the sampler's, every log-prob
 * of the training forward is compared with the recorded one, bit for bit; one difference fails the run.
 */
#ifndef REIN_TRAIN_ONLINE_H
#define REIN_TRAIN_ONLINE_H

#include "rein/env.h"
#include "train/trainer.h"

typedef enum rein_online_kind { REIN_ONLINE_GRPO, REIN_ONLINE_RLOO, REIN_ONLINE_PPO } rein_online_kind;

/** As rein_train_kind.run. */
REIN_NODISCARD rein_status rein_grpo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                         const rein_train_watch *watch);
REIN_NODISCARD rein_status rein_rloo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                         const rein_train_watch *watch);
REIN_NODISCARD rein_status rein_ppo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                        const rein_train_watch *watch);

/** The same with an environment that the caller opened (args->env is not read). */
REIN_NODISCARD rein_status rein_online_run_env(rein_online_kind kind, const rein_train_args *args,
                                               const char *config_yaml, const rein_env *env, rein_device *dev,
                                               const rein_train_watch *watch);

/** As rein_train_kind.replay. */
REIN_NODISCARD rein_status rein_grpo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                            int64_t step, rein_commit *out, rein_str *journal);
REIN_NODISCARD rein_status rein_rloo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                            int64_t step, rein_commit *out, rein_str *journal);
REIN_NODISCARD rein_status rein_ppo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                           int64_t step, rein_commit *out, rein_str *journal);

/** rein_online_run_env's counterpart of replay. */
REIN_NODISCARD rein_status rein_online_replay_env(rein_online_kind kind, const rein_train_args *args,
                                                  const rein_env *env, rein_device *dev, const char *checkpoint,
                                                  int64_t step, rein_commit *out, rein_str *journal);

#endif
