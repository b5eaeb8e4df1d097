/*
 * A decoder-only transformer, configured by a Hugging Face config.json: parameters and their layout.
 *
 * All parameters live in one flat f32 array, described by one table (Hugging Face names, shapes, offsets); gradients and
 * optimiser state have the same layout. The weights of q, k, v lie side by side and are one linear layer, as are gate
 * and up. Beside the flat array stands one packed copy for the forward products, renewed by rein_model_pack.
 */
#ifndef REIN_MODEL_MODEL_H
#define REIN_MODEL_MODEL_H

#include "base/base.h"
#include "base/hash.h"
#include "io/hf_config.h"
#include "tensor/device.h"

typedef enum rein_param_kind { REIN_PARAM_MATRIX, REIN_PARAM_NORM, REIN_PARAM_BIAS } rein_param_kind;

typedef struct rein_param {
    char name[80];         /* as in the model file */
    rein_param_kind kind;  /* initialisation and weight decay go by kind */
    int64_t rows, cols;    /* (rows, cols); rows == 1 for vectors, which are stored with one dimension */
    int64_t offset;        /* floats from the start of the flat array; a multiple of 16 but for k, v, up */
} rein_param;

/** Offsets of one layer's tensors in the flat array; -1: the family has none. */
typedef struct rein_layer {
    int64_t attn_norm, qkv, qkv_bias, q_norm, k_norm, o, o_bias, ffn_norm, gate_up, down;
    int64_t pk_qkv, pk_o, pk_gate_up, pk_down; /* in the packed array */
} rein_layer;

typedef struct rein_model {
    rein_model_config cfg;
    rein_device *dev; /* borrowed */
    rein_param *param;
    int64_t n_param;
    int64_t n_float; /* of the flat array, padding included */
    int64_t embed, norm, head; /* head == embed when tied */
    rein_layer *layer; /* (L) */
    float *w;        /* (n_float) */
    float *packed;
    int64_t pk_head;
    float *rope;     /* (n_pos, D/2, 2) cos, sin */
    int64_t n_pos;
} rein_model;

/** Zero weights on `dev`; max_pos positions of rotary table (0: the config's max_position_embeddings). */
REIN_NODISCARD rein_status rein_model_create(rein_model **out, const rein_model_config *cfg, rein_device *dev,
                                             int64_t max_pos);
void rein_model_destroy(rein_model *model);

/** Normal(0, initializer_range) matrices, zero biases, unit norms; a pure function of (seed, tensor, element). */
void rein_model_init(rein_model *model, uint64_t seed);

/** Read a Hugging Face model directory; every tensor of the table must be there with its shape, and no other. */
REIN_NODISCARD rein_status rein_model_load(rein_model **out, const char *dir, rein_device *dev, int64_t max_pos);
/** Write config.json and model.safetensors (f32) into an existing directory. */
REIN_NODISCARD rein_status rein_model_save(const rein_model *model, const char *dir);

/** Renew the packed copy after the weights changed. */
void rein_model_pack(rein_model *model);

/** Copy the weights of one model to another of the same configuration, and pack. */
void rein_model_copy(rein_model *to, const rein_model *from);

/** XXH3-128 over names, shapes and weights. */
void rein_model_hash(const rein_model *model, char hex[REIN_XXH_HEX]);

/* Any array with the model's layout (weights, gradients, moments): hash, and a safetensors file with the model's names. */
void rein_params_hash(const rein_model *model, const float *flat, char hex[REIN_XXH_HEX]);
/** Sum of squares: per tensor blocks of 4096 in f64 (ops->sumsq), then the canonical pairwise tree in the table's order. */
REIN_NODISCARD rein_status rein_params_sumsq(const rein_model *model, const float *flat, double *out);
REIN_NODISCARD rein_status rein_params_read(const rein_model *model, float *flat, const char *path);
REIN_NODISCARD rein_status rein_params_write(const rein_model *model, const float *flat, const char *path);

/** Number of parameters (without padding). */
int64_t rein_model_count(const rein_model *model);

/* Sizes used by the pass. */
static inline int64_t rein_model_qkv(const rein_model *m) { return (m->cfg.H + 2 * m->cfg.K) * m->cfg.D; }

/** The matrix (N, K) at `offset` of the flat array, whose packed copy is at `packed`, as an operand. */
static inline rein_weight rein_model_weight(const rein_model *m, int64_t offset, int64_t packed, int64_t N, int64_t K) {
    return (rein_weight){.rows = m->w + offset, .packed = m->packed + packed, .N = N, .K = K, .dtype = REIN_F32};
}

#endif
