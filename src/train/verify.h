/*
 * Recomputing a run's steps and comparing them with what it recorded.
 */
#ifndef REIN_TRAIN_VERIFY_H
#define REIN_TRAIN_VERIFY_H

#include "run/run.h"
#include "tensor/device.h"

typedef struct rein_verified {
    int64_t step;
    bool equal;
    char name[32], expected[REIN_COMMIT_HEX], found[REIN_COMMIT_HEX]; /* the first difference */
} rein_verified;

/**
 * Check a training run: its configuration's hash, every checkpoint's manifest, the journal's bytes, and one step
 * recomputed from the checkpoint before it (rollouts, rewards, advantages, gradient, weights, moments).
 *
 * @param step  a committed step; 0: the first step after the last checkpoint but one (or step 1).
 * @return REIN_ERR_MISMATCH if something differs; the message names it (a file, or the first hash of the step).
 */
REIN_NODISCARD rein_status rein_verify(rein_verified *out, const char *path, int64_t step, rein_device *dev);

#endif
