/*
 * From rollouts to the arrays of a policy update: the token forest of a step's groups, and per-token data beside it.
 */
#ifndef REIN_TRAIN_GROUP_H
#define REIN_TRAIN_GROUP_H

#include "model/leaf.h"
#include "rollout/rollout.h"

/** One step's groups. Sequence i's tokens are [first[i], first[i] + n[i]) of the forest. */
typedef struct rein_group_batch {
    rein_forest forest;
    rein_forest_plan plan;
    rein_leaf_sampling sampling;
    int64_t n_seq;
    int64_t *span, *first, *n; /* (n_seq) */
    float *old_logp;   /* (n_tok) as sampled; NaN where nothing was */
    float *logp, *entropy, *ref_logp, *dlogp; /* (n_tok) */
    rein_kept *kept; /* (n_tok) the sets belong to the rollouts */
    rein_arena arena;
} rein_group_batch;

/**
 * Build from rollouts, whose token ids and log-probs are copied, never recomputed from text. The rollouts must outlive
 * the batch.
 *
 * @return REIN_ERR_ARG if the rollouts cannot be trained on: a processor changed logits, or kept sets were not stored.
 */
REIN_NODISCARD rein_status rein_group_batch_make(rein_group_batch *out, const rein_rollouts *r, float temperature,
                                                 int64_t microbatch_tokens);
void rein_group_batch_deinit(rein_group_batch *b);

/** Compare the training forward's log-probs of one part with the sampled ones: REIN_ERR_MISMATCH names the first token
 *  whose bits differ. */
REIN_NODISCARD rein_status rein_group_audit(const rein_group_batch *b, int64_t part);

#endif
