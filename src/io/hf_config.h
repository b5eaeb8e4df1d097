/*
 * config.json of a Hugging Face model directory: the shape and constants of a decoder-only transformer.
 *
 * Families: llama, qwen2, qwen3, in the older form (rope_theta, rope_scaling, torch_dtype) and the newer one
 * (rope_parameters, dtype). A value that the forward pass does not implement is an error that names key and value,
 * never ignored.
 */
#ifndef REIN_IO_HF_CONFIG_H
#define REIN_IO_HF_CONFIG_H

#include "base/base.h"
#include "io/safetensors.h"

typedef enum rein_model_family { REIN_FAMILY_LLAMA, REIN_FAMILY_QWEN2, REIN_FAMILY_QWEN3 } rein_model_family;

typedef enum rein_rope_scaling { REIN_ROPE_NONE, REIN_ROPE_LLAMA3 } rein_rope_scaling;

enum { REIN_MAX_EOS = 8 };

/** Immutable once read. Dimensions are >= 1; ids are in [0, V), or -1 for none. */
typedef struct rein_model_config {
    rein_model_family family;
    int64_t V, C, L, H, K, D, F; /* vocab_size, hidden_size, layers, heads, kv heads, head_dim, intermediate_size */
    int64_t max_position_embeddings;
    double rms_norm_eps;
    double rope_theta; /* base of the rotary frequencies */
    rein_rope_scaling rope_scaling;
    double rope_factor; /* LLAMA3 only: wavelengths longer than low are divided by this ... */
    double rope_low_freq_factor, rope_high_freq_factor;
    int64_t rope_original_max_position;
    double initializer_range; /* standard deviation of fresh weights */
    bool tie_word_embeddings; /* lm_head.weight is model.embed_tokens.weight */
    bool qkv_bias, o_bias;    /* qwen2: true, false; llama, qwen3: attention_bias for both */
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

/** "llama", "qwen2", "qwen3". */
const char *rein_model_family_name(rein_model_family family);

#endif
