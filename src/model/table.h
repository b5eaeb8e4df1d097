/*
 * The tensors of the network in their order, under the names of the model file, and where each of them lies. In full
 * training that is the flat array; frozen ones lie in the mapped model file.
 */
#ifndef REIN_MODEL_TABLE_H
#define REIN_MODEL_TABLE_H

#include "model/model.h"

typedef enum rein_layer_tensor {
    REIN_T_ATTN_NORM,
    REIN_T_Q,
    REIN_T_K,
    REIN_T_V,
    REIN_T_Q_BIAS,
    REIN_T_K_BIAS,
    REIN_T_V_BIAS,
    REIN_T_Q_NORM,
    REIN_T_K_NORM,
    REIN_T_O,
    REIN_T_O_BIAS,
    REIN_T_FFN_NORM,
    REIN_T_GATE,
    REIN_T_UP,
    REIN_T_DOWN,
    REIN_T_LAYER
} rein_layer_tensor;

struct rein_table {
    rein_param *tensor; /* (n) offsets are those of a flat array that holds them all */
    int64_t n, n_float;
    const void **rows;  /* (n) the elements, in `dtype` */
    rein_dtype *dtype;  /* (n) */
    int64_t (*layer)[REIN_T_LAYER]; /* (L) indices of a layer's tensors, -1: the family has none */
    int64_t embed, norm, head;      /* head == embed when tied */
};

REIN_NODISCARD rein_status rein_table_create(rein_table **out, const rein_model_config *cfg);
void rein_table_destroy(rein_table *table);

/** Tensor i as an operand, without a packed copy. */
rein_weight rein_table_weight(const rein_table *table, int64_t i);

/** The trained tensors of a source into `flat`, or (flat NULL) pointers to where they lie in it. Every tensor must be there
 *  with its shape, and no other. */
REIN_NODISCARD rein_status rein_table_read(rein_table *table, float *flat, const rein_source *source);

/** Hash of all tensors' names, shapes and f32 values. */
void rein_table_hash(const rein_table *table, rein_xxh *h);

/** n elements of tensor i from `first` on as f32. */
void rein_table_values(const rein_table *table, int64_t i, float *out, int64_t first, int64_t n);

/** Name, rows and columns of a tensor go into a hash in front of its values. */
void rein_param_hash(const rein_param *p, rein_xxh *h);

/** Length of the padded tensor in a flat array. */
static inline int64_t rein_param_floats(int64_t rows, int64_t cols) {
    return (rows * cols + REIN_LANES - 1) / REIN_LANES * REIN_LANES;
}

#endif
