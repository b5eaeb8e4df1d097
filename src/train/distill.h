/*
 * Distillation: the policy learns a teacher's distribution, token by token, on answers of a file (off-policy) or on
 * answers that it samples itself (on-policy), or that the teacher does (seq_kd). Agarwal et al. 2024 (GKD),
 * arXiv:2306.13649; with lmbda 1 and beta 1, Gu et al. 2024 (MiniLLM's reverse KL), arXiv:2306.08543.
 *
 * The loss is the mean over the answers' tokens of the divergence between the two distributions, exact over the
 * vocabulary, at `temperature`; answers are sampled at the same temperature, and no gradient goes through the sampling.
 * Which kind a step is, is drawn by (seed, step): on-policy with probability lmbda.
 */
#ifndef REIN_TRAIN_DISTILL_H
#define REIN_TRAIN_DISTILL_H

#include "train/offline.h"

extern const rein_offline_class rein_distill_class;

/** As rein_train_kind.run and .replay. */
REIN_NODISCARD rein_status rein_distill_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                                            const rein_train_watch *watch);
REIN_NODISCARD rein_status rein_distill_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint,
                                               int64_t step, rein_commit *out, rein_str *journal);

#endif
