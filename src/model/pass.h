/*
 * A pass of the transformer over rows of a forest: forward, log-probs, backward. Training, scoring, prefill and decode
 * all come through here, so a token's numbers cannot depend on who asks.
 *
 * Rows are tokens; runs group the rows of one span. Logits exist only for the rows that something reads, a block at a
 * time. With a tape the activations of all layers are kept for the backward pass.
 */
#ifndef REIN_MODEL_PASS_H
#define REIN_MODEL_PASS_H

#include "model/forest.h"
#include "model/model.h"

/** Rows to compute. seg arrays hold the paths (see rein_run). */
typedef struct rein_batch {
    int64_t T;
    int32_t *ids;   /* (T) */
    int64_t *pos;   /* (T) */
    uint32_t *span; /* (T) id of the row's span in its forest; dropout is drawn by it and the position */
    rein_run *runs;
    int64_t n_runs;
    int64_t cap_T, cap_runs;
} rein_batch;

REIN_NODISCARD rein_status rein_batch_reserve(rein_batch *b, int64_t rows, int64_t runs);
void rein_batch_deinit(rein_batch *b);

/** Dropout of the adapters' inputs; p == 0: none. */
typedef struct rein_dropout {
    float p;
    uint64_t key; /* of the draws; the same in a forward pass and its backward pass */
} rein_dropout;

/** Noise on the embedded rows: uniform in +-alpha / sqrt(n C), n the tokens of the row's span; alpha == 0: none. A function
 *  of key, span, position and channel. NEFTune, Jain et al. 2023, arXiv:2310.05914. */
typedef struct rein_noise {
    float alpha;
    uint64_t key;
} rein_noise;

/** Buffers of a pass; grown on demand, reused from pass to pass. */
typedef struct rein_pass {
    const rein_model *model;
    bool tape;            /* keep all layers */
    rein_dropout dropout;
    rein_noise noise;
    int64_t cap_T;
    float *act;           /* layer buffers */
    float *x;             /* (T, C) residual stream; after rein_pass_forward: the last layer's output */
    float *grad;          /* backward scratch */
    float *scratch;       /* of adapted linear layers */
    float *logits, *dlogits; /* block of rows */
    int64_t cap_logits, cap_dlogits;
    float *head_x, *head_rstd, *head_dx; /* gathered rows of a block */
    int32_t *head_row;    /* (cap_head) rows of the batch in the block */
    int64_t (*local)[2];  /* (cap_head) ranges of the plan in rows of the block */
    rein_read *block_read;/* (cap_read) reads in rows of the block */
    float *stat;          /* (8 * reads) scratch of the reads of a block; see head.c */
    rein_run *runs;       /* (cap_runs) the batch's runs with one layer's dkv */
    float *value;         /* scratch of the value head; see value.c */
    struct rein_pass *teacher; /* of divergences: has done the same batch's forward pass; borrowed, NULL: none */
    float beta;           /* which divergence; see rein_leaf_teach */
    int64_t cap_head, cap_read, cap_stat, cap_value, cap_runs;
    int64_t block_rows;   /* rows of a logits block */
    int64_t rows_done;    /* counter: rows computed by forward passes */
} rein_pass;

REIN_NODISCARD rein_status rein_pass_init(rein_pass *pass, const rein_model *model, bool tape);
void rein_pass_deinit(rein_pass *pass);

/** Make room for T rows. After this, passes of at most T rows do not allocate. */
REIN_NODISCARD rein_status rein_pass_reserve(rein_pass *pass, int64_t T);

/** Forward through all layers: fills the runs' key-value segments and pass->x (T, C). */
REIN_NODISCARD rein_status rein_pass_forward(rein_pass *pass, const rein_batch *batch);

/** Gradients of a model: the flat layout, and buffers of a tensor's second use, which rein_grads_finish adds. */
typedef struct rein_grads {
    float *flat;
    float *tied_head;  /* (V, C) of the embedding as the head, or NULL */
    float *value_norm; /* (C) of the final norm below the value head, or NULL */
    int64_t n_float;
} rein_grads;
REIN_NODISCARD rein_status rein_grads_init(rein_grads *g, const rein_model *model);
void rein_grads_zero(rein_grads *g, const rein_model *model);
/** Add the buffers of second uses to the tensors' gradients, once, at the end of a leaf. */
void rein_grads_finish(rein_grads *g, const rein_model *model);
void rein_grads_deinit(rein_grads *g);

/** Where a tensor's gradient is added up; NULL for a frozen one. */
static inline float *rein_grad_at(float *flat, int64_t offset) { return offset < 0 ? NULL : flat + offset; }

/**
 * Backward through the layers down to the lowest one that has something trained in it or below.
 *
 * @param dx     (T, C) gradient of pass->x; destroyed.
 * @param dkv    for layer l the runs' dkv pointers are run.dkv + l * dkv_stride[i]; stride 0: scratch, zeroed a layer.
 */
REIN_NODISCARD rein_status rein_pass_backward(rein_pass *pass, rein_batch *batch, const int64_t *dkv_stride, float *dx,
                                              const rein_plan *plan, rein_grads *grads);

/* ---- the head: final norm, logits, log-probs of the rows that are read ---- */

/** What the distributions of reads give, as in rein_leaf_values; arrays of (n), NULL: not wanted. */
typedef struct rein_read_values {
    float *logp, *entropy, *mean_logp, *divergence;
    int32_t *best;
} rein_read_values;

/** Gradient of the loss with respect to them; arrays of (n), NULL: zero. */
typedef struct rein_read_gradient {
    const float *logp, *entropy, *mean_logp, *divergence;
} rein_read_gradient;

/** Values of n reads (sorted by row of the batch) from pass->x. */
REIN_NODISCARD rein_status rein_head_forward(rein_pass *pass, const rein_read *reads, int64_t n,
                                             const rein_read_values *out);

/**
 * Backward of the head: adds to grads, and writes the rows of dx (T, C) that are read.
 *
 * @note  Only reads whose row lies in the plan may be given.
 */
REIN_NODISCARD rein_status rein_head_backward(rein_pass *pass, const rein_read *reads, int64_t n,
                                              const rein_read_gradient *g, const rein_plan *plan, float *dx,
                                              rein_grads *grads);

/** Logits (n, V) of the given rows of pass->x, one block; for sampling. The array is the pass's own. */
REIN_NODISCARD rein_status rein_head_logits(rein_pass *pass, const int64_t *rows, int64_t n, float **logits);

#endif
