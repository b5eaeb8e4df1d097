/*
 * config.json of a Hugging Face model directory: the shape and constants of a decoder-only transformer.
 *
 * Families: llama, mistral, qwen2, qwen3, smollm3, in the older form (rope_theta, rope_scaling, torch_dtype) and the
 * newer one (rope_parameters, dtype). A family is a row of a table (hf_config_family.c). A value that the forward pass
 * does not implement is an error that names key and value, never ignored.
 */
#ifndef REIN_IO_HF_CONFIG_H
#define REIN_IO_HF_CONFIG_H

#include "base/base.h"
#include "io/safetensors.h"

typedef enum rein_model_family {
    REIN_FAMILY_LLAMA,
    REIN_FAMILY_QWEN2,
    REIN_FAMILY_QWEN3,
    REIN_FAMILY_MISTRAL,
    REIN_FAMILY_SMOLLM3
} rein_model_family;

/** How the rotary frequencies are changed for contexts beyond those of the first training; see model/rope.h. */
typedef enum rein_rope_scaling {
    REIN_ROPE_NONE,
    REIN_ROPE_LINEAR,
    REIN_ROPE_LLAMA3,
    REIN_ROPE_YARN,
    REIN_ROPE_DYNAMIC
} rein_rope_scaling;

enum { REIN_MAX_EOS = 8, REIN_MAX_LAYERS = 256 };

/** Immutable once read. Dimensions are >= 1; ids are in [0, V), or -1 for none. */
typedef struct rein_model_config {
    rein_model_family family;
    int64_t V, C, L, H, K, D, F; /* vocab_size, hidden_size, layers, heads, kv heads, head_dim, intermediate_size */
    int64_t max_position_embeddings;
    double rms_norm_eps;
    double rope_theta; /* base of the rotary frequencies */
    rein_rope_scaling rope_scaling;
    double rope_factor;                                 /* all but NONE: how much longer the context shall be */
    double rope_low_freq_factor, rope_high_freq_factor; /* LLAMA3: wavelengths above low are divided by the factor */
    int64_t rope_original_max_position;                 /* LLAMA3, YARN: positions of the first training */
    double rope_beta_fast, rope_beta_slow;              /* YARN: turns within those between which frequencies blend */
    double rope_attention_factor;                       /* YARN: of cos and sin; 0: from factor and mscale */
    double rope_mscale, rope_mscale_all_dim;            /* YARN: 0: none */
    bool rope_truncate;                                 /* YARN: blend between whole dimensions */
    int32_t window[REIN_MAX_LAYERS];                    /* positions that a query sees, its own included; 0: all */
    bool no_rope[REIN_MAX_LAYERS];                      /* layers without rotary embedding */
    double initializer_range; /* standard deviation of fresh weights */
    bool tie_word_embeddings; /* lm_head.weight is model.embed_tokens.weight */
    bool qkv_bias, o_bias;    /* qwen2: true, false; mistral: none; the others: attention_bias for both */
    bool qk_norm;             /* qwen3: RMSNorm over each head's query and key */
    rein_dtype dtype;         /* of the stored weights, as the file says: F32, BF16, F16; F32 if it does not say */
    int64_t bos_id, pad_id;
    int64_t eos_id[REIN_MAX_EOS];
    int n_eos;
} rein_model_config;

/**
 * Read and check DIR/config.json. End-of-sequence ids of DIR/generation_config.json, if there, are the ones used, as in
 * transformers.
 *
 * @return REIN_ERR_IO, or REIN_ERR_FORMAT naming file, key and value.
 */
REIN_NODISCARD rein_status rein_model_config_load(rein_model_config *out, const char *dir);

/** As above from text; `name` starts the message. */
REIN_NODISCARD rein_status rein_model_config_parse(rein_model_config *out, const char *name, const char *text,
                                                   size_t len);

/** Check ranges and divisibility of a configuration made in code; REIN_ERR_ARG names field and value. */
REIN_NODISCARD rein_status rein_model_config_check(const rein_model_config *config);

/** config.json text that transformers loads (older form, which every version reads); appended, same config, same bytes.
 */
REIN_NODISCARD rein_status rein_model_config_write(rein_str *out, const rein_model_config *config);

/** Write DIR/config.json and DIR/generation_config.json. */
REIN_NODISCARD rein_status rein_model_config_save(const rein_model_config *config, const char *dir);

/** "llama", "mistral", "qwen2", "qwen3", "smollm3". */
const char *rein_model_family_name(rein_model_family family);

#endif
