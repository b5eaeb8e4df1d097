/*
 * Conversations of an environment's expert, as data to imitate: what a rollout would have been, had the model said it.
 */
#ifndef REIN_ROLLOUT_DEMONSTRATE_H
#define REIN_ROLLOUT_DEMONSTRATE_H

#include "rollout/episodes.h"

/**
 * Write tasks 0 .. n-1 of a split as JSON lines {"messages":[...],"tools":[...]} (tools where the environment has them),
 * for SFT with assistant_only_loss.
 *
 * @param env  has turns, messages and an expert.
 * @return REIN_ERR_MISMATCH if the expert fails a task; REIN_ERR_IO.
 */
REIN_NODISCARD rein_status rein_demonstrations_write(const char *path, const rein_env *env, uint64_t seed,
                                                     rein_split split, int64_t n);

#endif
