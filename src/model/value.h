/*
 * The value head: one number a position, for critics and reward models.
 *
 *   n = final norm of the last layer's output: what the logits are read of, and what TRL's `v_head` and the `score` layer
 *       of transformers' classifiers are given
 *   y = LayerNorm(n): c = n - mean(n); y = rmsnorm(c, weight, eps 1e-5) + bias
 *   linear  v = w y + b
 *   mlp     v = w silu(U y + u) + b, U (C, C)
 *
 * as ops of this order. Its parameters are the last of the model's table and are trained with the others: beside the
 * whole network, beside an adapter, or alone on a frozen network. They are stored apart, in value_head.safetensors, so that
 * the directory stays what other programs read. A new head is a pure function of the seed: w normal(0, 1 / (C + 1)), U
 * normal(0, 1 / sqrt(C)), biases zero, norm weight one; its first values are small.
 */
#ifndef REIN_MODEL_VALUE_H
#define REIN_MODEL_VALUE_H

#include "model/pass.h"

struct rein_value {
    rein_value_kind kind;
    int64_t first;                    /* its first parameter in the model's table */
    rein_vector norm_weight, norm_bias;
    rein_product up;                  /* of an MLP */
    rein_product out;
};

/* ---- in a model: the parameters, then memory, then values ---- */

/** Append the parameters of m->value, whose kind is set, to the table. */
REIN_NODISCARD rein_status rein_value_add(rein_model *m);
/** Point the head into the flat array, once that is there. */
void rein_value_bind(rein_model *m);
/** Read DIR/value_head.safetensors of the first of the directories (NULL: none) that has one, else make a new head. */
REIN_NODISCARD rein_status rein_value_load(rein_model *m, const char *const dirs[2], uint64_t seed);
REIN_NODISCARD rein_status rein_value_restore(rein_model *m, const char *dir);
REIN_NODISCARD rein_status rein_value_save(const rein_model *m, const char *dir);

/** Number of parameters before the value head's: of the network or the adapter. */
static inline int64_t rein_value_first(const rein_model *m) { return m->value ? m->value->first : m->n_param; }

/* ---- in a pass ---- */

/** Values at the rows of n reads (sorted by row of the batch) from pass->x. */
REIN_NODISCARD rein_status rein_value_forward(rein_pass *pass, const rein_read *reads, int64_t n, float *value);

/**
 * Backward: adds to grads and, unless `detach`, to the rows of dx (T, C) that are read.
 *
 * @param dvalue  (n) gradient of the loss with respect to each read's value; those of one row are added in order.
 * @note  Only reads whose row lies in the plan may be given.
 */
REIN_NODISCARD rein_status rein_value_backward(rein_pass *pass, const rein_read *reads, int64_t n, const float *dvalue,
                                               const rein_plan *plan, bool detach, float *dx, rein_grads *grads);

#endif
