/*
 * One gradient leaf: log-probs of a planned forest and their gradients, part by part.
 *
 * For each part in order: rein_leaf_forward, then (to train) rein_leaf_backward with the gradient of the loss with
 * respect to every log-prob read so far. Spans that later parts need again only lend keys and values; what their
 * children owe them (gradients of keys and values) is carried over. No sum depends on where the parts are cut.
 */
#ifndef REIN_MODEL_LEAF_H
#define REIN_MODEL_LEAF_H

#include "model/pass.h"

/** Ids that a token was drawn from. */
typedef struct rein_kept {
    const int32_t *ids; /* (n) ascending */
    int64_t n;          /* 0: the whole vocabulary */
} rein_kept;

/** What the sampler did to each token's distribution. */
typedef struct rein_leaf_sampling {
    float temperature;     /* > 0 */
    const rein_kept *kept; /* (n_tok) what each token was drawn from; NULL: all from the whole vocabulary */
} rein_leaf_sampling;

typedef struct rein_leaf {
    rein_pass pass;
    rein_batch batch;
    const rein_forest *forest; /* of the current leaf; borrowed */
    const rein_forest_plan *plan;
    rein_leaf_sampling sampling;
    const struct rein_leaf *teacher; /* NULL: none */
    bool value_detach; /* set by the owner: the value head's gradient stops before the trunk */
    int64_t part;      /* part of the last forward, -1 */
    float *kv, *dkv, *dx;
    int64_t cap_kv, cap_dkv, cap_dx;
    rein_seg *seg;
    int64_t cap_seg;
    rein_read *read;
    int64_t *read_tok; /* token of each read; ~token of a score */
    float *read_value; /* (4, cap_read) */
    int32_t *read_best;
    int64_t n_read, cap_read;
    int64_t *dkv_stride;
    int64_t cap_stride;
    int64_t (*range)[2];
    int64_t cap_range;
    float **carry;     /* (n_span) gradients of keys and values that later parts take up, or NULL */
    int64_t *member;   /* (n_span) part that has the span as a member, -1: not yet */
    rein_arena carried;
} rein_leaf;

/** Panels of a span's key-value segment, and the floats of all its layers. */
int64_t rein_seg_panels(int64_t pos, int64_t n);
int64_t rein_seg_floats(const rein_model *m, int64_t panels);

/** A leaf whose owner then clears pass.tape only runs forward, and keeps the activations of one layer instead of all. */
REIN_NODISCARD rein_status rein_leaf_init(rein_leaf *leaf, const rein_model *model);
void rein_leaf_deinit(rein_leaf *leaf);

/** Start a leaf. forest, plan and the sampling arrays must outlive it. */
REIN_NODISCARD rein_status rein_leaf_begin(rein_leaf *leaf, const rein_forest *forest, const rein_forest_plan *plan,
                                           const rein_leaf_sampling *sampling);

/**
 * Distributions to compare with: the leaf's divergences are from `teacher`, which runs over the same forest, plan and
 * sampling, has a model of the same vocabulary, and has done a part's forward pass before this leaf's of the same part (with
 * all values NULL it computes no logits of its own). The policy's kept sets apply to both. NULL: none.
 *
 * @param beta  in [0, 1], as in generalised JSD (Agarwal et al. 2024, arXiv:2306.13649; TRL's generalized_jsd_loss):
 *              0 KL(teacher || policy), 1 KL(policy || teacher), between them beta KL(teacher || mixture)
 *              + (1 - beta) KL(policy || mixture) with mixture = beta teacher + (1 - beta) policy.
 */
void rein_leaf_teach(rein_leaf *leaf, rein_leaf *teacher, float beta);

/**
 * What a forward pass gives of the part's own spans; arrays of (n_tok), NULL: not wanted. All but `score` are read where
 * the token is predicted, for each token with REIN_WANT_TOKEN; `score` is read at the token itself, for each token with
 * REIN_WANT_SCORE (the last one of a text that a reward model scores, or of an episode that was cut off).
 * Logits are computed only if something of them is wanted.
 */
typedef struct rein_leaf_values {
    float *logp;       /* log-prob of the token */
    float *entropy;    /* of the distribution that it was drawn from, in nats */
    float *mean_logp;  /* mean of log p over the ids of that distribution: what label smoothing trains */
    float *divergence; /* between that distribution and the teacher's, in nats; exactly 0 for equal logits */
    float *value;      /* of the value head */
    float *score;      /* of the value head at the token's own position */
    int32_t *best;     /* most probable id, the lowest among equals */
} rein_leaf_values;
REIN_NODISCARD rein_status rein_leaf_forward(rein_leaf *leaf, int64_t part, const rein_leaf_values *out);

/** Gradient of the loss with respect to what the forward passes gave, set for every wanted token of this part and of earlier
 *  ones; arrays of (n_tok), NULL: zero. */
typedef struct rein_leaf_gradient {
    const float *logp, *entropy, *mean_logp, *divergence, *value, *score;
} rein_leaf_gradient;
/** Add the part's gradients: of the weights to grads, of keys and values of spans of later parts to what is carried over. */
REIN_NODISCARD rein_status rein_leaf_backward(rein_leaf *leaf, const rein_leaf_gradient *d, rein_grads *grads);

#endif
