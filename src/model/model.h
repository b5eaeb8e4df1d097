/*
 * A decoder-only transformer, configured by a Hugging Face config.json: its tensors, which of them are trained, and the
 * operands that the pass computes with.
 *
 * What is trained lies in one flat f32 array, described by one table (names, shapes, offsets); gradients and optimiser
 * state have the same layout. In full training that is every tensor of the network, and the weights of q, k, v lie side by
 * side and are one product, as are gate and up. With an adapter it is the adapter; the network itself is frozen and stays
 * where the model file has it, in the file's element type. Packed copies for the forward products are renewed by
 * rein_model_pack.
 */
#ifndef REIN_MODEL_MODEL_H
#define REIN_MODEL_MODEL_H

#include "base/base.h"
#include "base/hash.h"
#include "io/hf_config.h"
#include "io/peft.h"
#include "io/source.h"
#include "tensor/device.h"

typedef enum rein_param_kind { REIN_PARAM_MATRIX, REIN_PARAM_NORM, REIN_PARAM_BIAS } rein_param_kind;

typedef struct rein_param {
    char name[80];         /* as in the model file, or the adapter's */
    rein_param_kind kind;  /* initialisation and weight decay go by kind */
    int64_t rows, cols;    /* (rows, cols); rows == 1 for vectors, which are stored with one dimension */
    int64_t offset;        /* floats from the start of the flat array; a multiple of 16 but for k, v, up */
} rein_param;

/** A norm or a bias. */
typedef struct rein_vector {
    const float *w; /* NULL: the family has none */
    int64_t grad;   /* offset in the flat array; -1: frozen */
} rein_vector;

typedef struct rein_adapter rein_adapter; /* model/lora.h */

/** One product y = x w^T + b; its columns are part of the output of a rein_linear. */
typedef struct rein_product {
    rein_weight w;
    int64_t grad;      /* of the weights, offset in the flat array; -1: frozen */
    rein_vector bias;
    int64_t col;       /* first column of the output */
    float *packed;     /* the copy to renew; NULL: none */
    const rein_adapter *adapter; /* NULL: none */
} rein_product;

/** Products of one input whose outputs (M, N) lie side by side: one if they are stored so, else up to three. */
typedef struct rein_linear {
    rein_product part[3];
    int n;
    int64_t N, K;
} rein_linear;

typedef struct rein_layer {
    rein_vector attn_norm, q_norm, k_norm, ffn_norm;
    rein_linear qkv, o, gate_up, down;
} rein_layer;

typedef struct rein_table rein_table; /* model/table.h: the network's own tensors */
typedef struct rein_lora rein_lora;
typedef struct rein_value rein_value; /* model/value.h */

/** A head on the final hidden states that gives one number a position; see value.h. */
typedef enum rein_value_kind { REIN_VALUE_NONE, REIN_VALUE_LINEAR, REIN_VALUE_MLP } rein_value_kind;

typedef struct rein_model {
    rein_model_config cfg;
    rein_device *dev; /* borrowed */
    rein_param *param; /* what is trained; none if all is frozen */
    int64_t n_param;
    int64_t n_float; /* of the flat array, padding included */
    float *w;        /* (n_float) */
    rein_layer *layer; /* (L) */
    rein_vector norm;
    rein_product head;
    rein_weight embed;
    int64_t embed_grad;  /* as rein_product.grad; equal to head.grad when tied and trained */
    int64_t first;       /* lowest layer with something trained in it or below */
    rein_table *table;
    rein_source *source; /* of frozen weights, kept open; NULL: nothing is frozen */
    rein_lora *lora;     /* NULL: no adapter */
    rein_value *value;   /* NULL: no value head */
    float *vectors;      /* f32 copies of frozen norms and biases */
    float *packed;
    float *rope;     /* (n_pos, D/2, 2) cos, sin */
    int64_t n_pos;
} rein_model;

/** Zero weights on `dev`, all trained; max_pos positions of rotary table (0: the config's max_position_embeddings), which is
 *  also the length that the frequencies of a `dynamic` embedding are made for; see rope.h. */
REIN_NODISCARD rein_status rein_model_create(rein_model **out, const rein_model_config *cfg, rein_device *dev,
                                             int64_t max_pos);
void rein_model_destroy(rein_model *model);

/** Normal(0, initializer_range) matrices, zero biases, unit norms; a pure function of (seed, tensor, element). */
void rein_model_init(rein_model *model, uint64_t seed);

typedef struct rein_model_options {
    int64_t max_pos;              /* as in rein_model_create */
    bool frozen;                  /* nothing of the network is trained; its weights stay mapped. Implied by an adapter. */
    const rein_lora_config *lora; /* a new adapter: A uniform in +-1/sqrt(K), B zero, magnitudes the rows' norms */
    const char *adapter;          /* directory of an adapter to read */
    rein_value_kind value_head;   /* read from value_head.safetensors beside the adapter or the model, else new */
    uint64_t seed;                /* of a new adapter and a new value head */
} rein_model_options;

/**
 * Read a model: a Hugging Face directory or what else rein_source_open takes, or the directory of an adapter, whose base is
 * then base_model_name_or_path (as a path, or beside the adapter).
 *
 * @param options  NULL: all defaults.
 * @return REIN_ERR_FORMAT naming the tensor that is missing, of another shape or of no part of the model;
 *         REIN_ERR_MISMATCH if the adapter records another base.
 */
REIN_NODISCARD rein_status rein_model_load(rein_model **out, const char *path, rein_device *dev,
                                           const rein_model_options *options);

/** Write into an existing directory: config.json and model.safetensors (f32); of a model with an adapter the adapter alone,
 *  adapter_config.json and adapter_model.safetensors, which records the base's hash. A value head goes into
 *  value_head.safetensors beside either. */
REIN_NODISCARD rein_status rein_model_save(const rein_model *model, const char *dir);

/** Read the trained tensors of a directory that rein_model_save wrote, and pack. REIN_ERR_MISMATCH as in rein_model_load. */
REIN_NODISCARD rein_status rein_model_restore(rein_model *model, const char *dir);

/** Write config.json and model.safetensors (f32) of the network with the adapter's part added to its weights. */
REIN_NODISCARD rein_status rein_model_merge(const rein_model *model, const char *dir);

/** Renew the packed copies (and DoRA's norms) after trained weights changed. */
void rein_model_pack(rein_model *model);

/** XXH3-128 over names, shapes and f32 values: of the network's tensors, in whatever type they are stored, then of the
 *  adapter's and the value head's. */
void rein_model_hash(const rein_model *model, char hex[REIN_XXH_HEX]);

/** The same of the network alone. */
void rein_model_base_hash(const rein_model *model, char hex[REIN_XXH_HEX]);

/* Any array with the model's layout (weights, gradients, moments): hash, and a safetensors file with the model's names. */
void rein_params_hash(const rein_model *model, const float *flat, char hex[REIN_XXH_HEX]);
/** Sum of squares: per tensor blocks of 4096 in f64 (ops->sumsq), then the canonical pairwise tree in the table's order. */
REIN_NODISCARD rein_status rein_params_sumsq(const rein_model *model, const float *flat, double *out);
REIN_NODISCARD rein_status rein_params_read(const rein_model *model, float *flat, const char *path);
REIN_NODISCARD rein_status rein_params_write(const rein_model *model, const float *flat, const char *path);
/** The same of parameters [first, end) of the table: a file of the network or the adapter, or of the value head. */
REIN_NODISCARD rein_status rein_params_read_some(const rein_model *model, float *flat, int64_t first, int64_t end,
                                                 const char *path);
REIN_NODISCARD rein_status rein_params_write_some(const rein_model *model, const float *flat, int64_t first, int64_t end,
                                                  const char *path);

/** Number of parameters (without padding): of the network and the adapter, and of those that are trained. */
int64_t rein_model_count(const rein_model *model);
int64_t rein_model_trained(const rein_model *model);

/* Sizes used by the pass. */
static inline int64_t rein_model_qkv(const rein_model *m) { return (m->cfg.H + 2 * m->cfg.K) * m->cfg.D; }

#endif
