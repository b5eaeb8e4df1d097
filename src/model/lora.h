/*
 * Low-rank adapters of a frozen network (LoRA: Hu et al. 2021, arXiv:2106.09685; DoRA: Liu et al. 2024, arXiv:2402.09353).
 *
 * With x' = dropout(x) in training and x otherwise, an adapted product is
 *
 *   u = scale * (A x')
 *   LoRA   y = (W x + bias) + B u
 *   DoRA   z = W x + B u;  y = z * g + bias,  g = magnitude / norm of the rows of W + scale B A
 *
 * as ops of exactly this order, in sampling and in training. The norm is a constant in the backward pass. What is trained
 * is the model's flat array: A, B, magnitude and bias of each adapted product, the other biases, then modules_to_save.
 */
#ifndef REIN_MODEL_LORA_H
#define REIN_MODEL_LORA_H

#include "model/model.h"

/** Key of the base's hash in the metadata of adapter_model.safetensors. */
#define REIN_LORA_BASE_KEY "rein.base"

struct rein_adapter {
    rein_product *of;
    int64_t r;
    float scale;
    rein_weight a, b;     /* (r, K), (N, r) */
    int64_t a_at, b_at;   /* offsets in the flat array */
    int64_t magnitude;    /* offset; -1: no DoRA */
    float *norm;          /* DoRA: (3, N) norms of the rows, magnitude / norm, 1 / norm */
    uint32_t stream;      /* of its dropout */
    int64_t u, z;         /* where a layer's activations have u and (DoRA) z, in floats a row */
};

struct rein_lora {
    rein_lora_config config;
    rein_arena arena;      /* its strings */
    char base_hash[REIN_XXH_HEX];
    rein_adapter *list;
    int64_t n;
    float *packed, *norms;
    int64_t row_floats;    /* activations of a row in a layer */
    int64_t N, R;          /* largest sizes of an adapted product */
    int64_t K;             /* largest input of any product */
};

/** A new adapter of a frozen model; its hash of the base is computed. */
REIN_NODISCARD rein_status rein_lora_create(rein_model *m, const rein_lora_config *config, uint64_t seed);
/** An adapter from a directory. REIN_ERR_MISMATCH if it records another base. */
REIN_NODISCARD rein_status rein_lora_read(rein_model *m, const char *dir);
/** The tensors of an adapter_model.safetensors; REIN_ERR_MISMATCH likewise. */
REIN_NODISCARD rein_status rein_lora_restore(rein_model *m, const char *path);
void rein_lora_destroy(rein_lora *lora);

REIN_NODISCARD rein_status rein_lora_save(const rein_model *m, const char *dir);

/** Renew the packed copies and DoRA's norms. */
void rein_lora_pack(rein_model *m);

/** The n = N * K weights of the product with the adapter's part added, as f32. */
void rein_lora_merged(const rein_adapter *ad, float *out);

#endif
