/* What the files of io/ share and nobody else needs. */
#ifndef REIN_IO_INTERNAL_H
#define REIN_IO_INTERNAL_H

#include "base/file.h"
#include "base/json.h"
#include "io/hf_config.h"
#include "io/safetensors.h"

/** Elements and bytes of a shape; false if an entry is negative, a product overflows or a block is not whole. */
bool rein_shape_size(int64_t *n, int64_t *bytes, rein_dtype dtype, const int64_t *shape, int n_dim);

/** Append the data of a tensor whose entry has been checked, converted in blocks; nothing for an empty one. */
REIN_NODISCARD rein_status rein_tensor_append(rein_appender *file, const rein_tensor_out *t);

/** REIN_ERR_ARG if shape, dimensions or sources of an entry are wrong; sets the bytes of its data. */
REIN_NODISCARD rein_status rein_tensor_out_check(int64_t *bytes, const rein_tensor_out *t);
/** REIN_ERR_ARG if two entries have one name. */
REIN_NODISCARD rein_status rein_tensor_names_check(const rein_tensor_out *list, int64_t n);

/** Where the biases of q, k, v and o come from. */
typedef enum rein_family_bias { REIN_BIAS_NONE, REIN_BIAS_KEY, REIN_BIAS_QKV } rein_family_bias;

/** Which layers may have a sliding window. */
typedef enum rein_family_window {
    REIN_WINDOW_NONE,
    REIN_WINDOW_ALL,    /* `sliding_window`: every layer; null: none */
    REIN_WINDOW_UPPER,  /* `use_sliding_window`: layers from `max_window_layers` on, or as `layer_types` says */
    REIN_WINDOW_NO_ROPE /* `use_sliding_window`: layers without rotary embedding, or as `layer_types` says */
} rein_family_window;

/** One family; the defaults are transformers' for a missing key. */
typedef struct rein_family {
    const char *name, *architecture; /* "llama", "LlamaForCausalLM" */
    rein_family_bias bias;           /* never; `attention_bias` for all four; always q, k, v */
    bool qk_norm;
    bool no_rope;                    /* `no_rope_layers`, `no_rope_layer_interval` */
    rein_family_window window;
    int64_t sliding_window;          /* default; 0: null */
    int64_t kv_heads, head_dim;      /* defaults; 0: heads, hidden_size / heads */
    double rope_theta;
    bool tie_word_embeddings;
} rein_family;

/** The row of a family; NULL if there is none. */
const rein_family *rein_family_row(rein_model_family family);

/* Members of a configuration that need not be there: missing or null leaves *out as it is. */
rein_status rein_config_int(int64_t *out, struct json_object *obj, const char *key);
rein_status rein_config_double(double *out, struct json_object *obj, const char *key);
rein_status rein_config_bool(bool *out, struct json_object *obj, const char *key);
rein_status rein_config_string(const char **out, struct json_object *obj, const char *key);

/** REIN_ERR_FORMAT that names key, value and what is supported. */
rein_status rein_config_unsupported(struct json_object *obj, const char *key, const char *wanted);

/** `model_type` and `architectures`. */
rein_status rein_config_parse_family(rein_model_config *c, struct json_object *obj);

/** Windows and layers without rotary embedding; after the dimensions were checked. */
rein_status rein_config_parse_layers(rein_model_config *c, struct json_object *obj);
/** Which of them a family can have; `code` is that of the error. */
rein_status rein_config_check_layers(rein_status code, const rein_model_config *c);

/** rope_theta, rope_scaling, rope_parameters. */
rein_status rein_config_parse_rope(rein_model_config *c, struct json_object *obj);
rein_status rein_config_check_rope(rein_status code, const rein_model_config *c);
/** "linear" ...; NULL for REIN_ROPE_NONE. */
const char *rein_rope_name(rein_rope_scaling scaling);

/** As torch_dtype has it: "float32", "bfloat16", "float16"; NULL for another dtype. */
const char *rein_torch_dtype_name(rein_dtype dtype);

#endif
