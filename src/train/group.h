/*
 * From rollouts to the arrays of a policy update: the token forest of a step's groups, and per-token data beside it.
 */
#ifndef REIN_TRAIN_GROUP_H
#define REIN_TRAIN_GROUP_H

#include "model/leaf.h"
#include "rollout/rollout.h"

/** Groups of one optimiser step. Sequence i's tokens are [first[i], first[i] + n[i]) of the forest and of all arrays
 *  (n_tok), which are 0 but for what is said. */
typedef struct rein_group_batch {
    rein_forest forest;
    rein_forest_plan plan;
    rein_leaf_sampling sampling;
    int64_t begin; /* the first sequence's index among the rollouts */
    int64_t n_seq;
    int64_t *span, *first, *n; /* (n_seq) */
    uint8_t *mask;             /* tokens that take loss: sampled ones, unless the trainer clears them */
    float *old_logp;           /* as sampled; NaN where nothing was */
    float *logp, *entropy;     /* of the policy as it is trained */
    float *ref_logp;           /* of the reference */
    float *dlogp, *dentropy;   /* gradient of the loss */
    uint8_t *chosen;           /* rein_loss_select's */
    double *advantage;
    float *divergence, *ddivergence;       /* from the reference, exactly; NULL unless rein_group_batch_more */
    float *value, *dvalue;                 /* of the value function, and its gradient; the same */
    float *score;                          /* of the value function behind tokens with REIN_WANT_SCORE; the same */
    double *old_value, *ret, *now, *slope; /* as sampled, returns, and the loss' own copies; the same */
    rein_kept *kept;                       /* the sets belong to the rollouts */
    rein_arena arena;
} rein_group_batch;

/**
 * Build from the sequences [begin, end) of rollouts, whose token ids and log-probs are copied, never recomputed from
 * text. The rollouts must outlive the batch.
 *
 * @param begin, end  at multiples of the group size.
 * @return REIN_ERR_ARG if the rollouts cannot be trained on: a processor changed logits, or kept sets were not stored.
 */
REIN_NODISCARD rein_status rein_group_batch_make(rein_group_batch *out, const rein_rollouts *r, int64_t begin,
                                                 int64_t end, float temperature, int64_t microbatch_tokens);
/** Make room for divergences and values. */
REIN_NODISCARD rein_status rein_group_batch_more(rein_group_batch *b, bool divergence, bool value);
void rein_group_batch_deinit(rein_group_batch *b);

/** Compare the training forward's log-probs of one part with the sampled ones: REIN_ERR_MISMATCH names the first token
 *  whose bits differ. */
REIN_NODISCARD rein_status rein_group_audit(const rein_group_batch *b, int64_t part);

#endif
