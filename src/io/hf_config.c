/* Reading and checking config.json; see hf_config.h. */
#include "io/hf_config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "io/internal.h"

static const struct {
    const char *name, *architecture;
} families[] = {
    [REIN_FAMILY_LLAMA] = {"llama", "LlamaForCausalLM"},
    [REIN_FAMILY_QWEN2] = {"qwen2", "Qwen2ForCausalLM"},
    [REIN_FAMILY_QWEN3] = {"qwen3", "Qwen3ForCausalLM"},
};

static const struct {
    const char *name;
    rein_dtype dtype;
} dtypes[] = {{"float32", REIN_F32}, {"bfloat16", REIN_BF16}, {"float16", REIN_F16}};

const char *rein_model_family_name(rein_model_family family) { return families[family].name; }

const char *rein_model_architecture(rein_model_family family) { return families[family].architecture; }

const char *rein_torch_dtype_name(rein_dtype dtype) {
    for (size_t i = 0; i < REIN_COUNT(dtypes); i++)
        if (dtypes[i].dtype == dtype) return dtypes[i].name;
    return NULL;
}

/* ---- optional members: missing or null leaves *out as it is ---- */

static rein_status optional_int(int64_t *out, struct json_object *obj, const char *key) {
    return rein_json_has(obj, key) ? rein_json_int(out, obj, key) : REIN_OK;
}

static rein_status optional_double(double *out, struct json_object *obj, const char *key) {
    return rein_json_has(obj, key) ? rein_json_double(out, obj, key) : REIN_OK;
}

static rein_status optional_bool(bool *out, struct json_object *obj, const char *key) {
    return rein_json_has(obj, key) ? rein_json_bool(out, obj, key) : REIN_OK;
}

static rein_status optional_string(const char **out, struct json_object *obj, const char *key) {
    return rein_json_has(obj, key) ? rein_json_string(out, NULL, obj, key) : REIN_OK;
}

static rein_status unsupported(struct json_object *obj, const char *key, const char *wanted) {
    struct json_object *value = json_object_object_get(obj, key);
    return rein_fail(REIN_ERR_FORMAT, "'%s' is %s, supported is %s", key,
                     json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), wanted);
}

/* ---- what the forward pass does not implement ---- */

static rein_status require_full_attention(struct json_object *obj, int64_t L) {
    struct json_object *types;
    bool sliding = false;
    REIN_TRY(optional_bool(&sliding, obj, "use_sliding_window"));
    if (sliding) return unsupported(obj, "use_sliding_window", "false");
    if (!rein_json_has(obj, "layer_types")) return REIN_OK;
    REIN_TRY(rein_json_array(&types, obj, "layer_types"));
    if ((int64_t)json_object_array_length(types) != L) return unsupported(obj, "layer_types", "one entry a layer");
    for (int64_t i = 0; i < L; i++) {
        struct json_object *type = json_object_array_get_idx(types, (size_t)i);
        if (!json_object_is_type(type, json_type_string) || strcmp(json_object_get_string(type), "full_attention") != 0)
            return unsupported(obj, "layer_types", "\"full_attention\" in every layer");
    }
    return REIN_OK;
}

static rein_status require_known(struct json_object *obj, const rein_model_config *c) {
    const char *activation = "silu";
    bool mlp_bias = false;
    double dropout = 0, partial = 1;
    int64_t pretraining_tp = 1;
    REIN_TRY(optional_string(&activation, obj, "hidden_act"));
    if (strcmp(activation, "silu") != 0) return unsupported(obj, "hidden_act", "\"silu\"");
    REIN_TRY(optional_bool(&mlp_bias, obj, "mlp_bias"));
    if (mlp_bias) return unsupported(obj, "mlp_bias", "false");
    REIN_TRY(optional_double(&dropout, obj, "attention_dropout"));
    if (dropout != 0) return unsupported(obj, "attention_dropout", "0");
    REIN_TRY(optional_int(&pretraining_tp, obj, "pretraining_tp"));
    if (pretraining_tp != 1) return unsupported(obj, "pretraining_tp", "1");
    REIN_TRY(optional_double(&partial, obj, "partial_rotary_factor"));
    if (partial != 1) return unsupported(obj, "partial_rotary_factor", "1");
    if (rein_json_has(obj, "quantization_config")) return unsupported(obj, "quantization_config", "null");
    REIN_TRY(require_full_attention(obj, c->L));
    return REIN_OK;
}

/* ---- family, numbers, ids ---- */

static rein_status parse_family(rein_model_config *c, struct json_object *obj) {
    const char *name;
    struct json_object *list;
    REIN_TRY(rein_json_string(&name, NULL, obj, "model_type"));
    size_t f = 0;
    while (f < REIN_COUNT(families) && strcmp(name, families[f].name) != 0) f++;
    if (f == REIN_COUNT(families)) return unsupported(obj, "model_type", "\"llama\", \"qwen2\" or \"qwen3\"");
    c->family = (rein_model_family)f;
    if (!rein_json_has(obj, "architectures")) return REIN_OK;
    REIN_TRY(rein_json_array(&list, obj, "architectures"));
    struct json_object *first = json_object_array_get_idx(list, 0);
    if (!json_object_is_type(first, json_type_string) ||
        strcmp(json_object_get_string(first), families[f].architecture) != 0)
        return unsupported(obj, "architectures", families[f].architecture);
    return REIN_OK;
}

static rein_status parse_numbers(rein_model_config *c, struct json_object *obj) {
    bool bias = false;
    REIN_TRY(rein_json_int(&c->V, obj, "vocab_size"));
    REIN_TRY(rein_json_int(&c->C, obj, "hidden_size"));
    REIN_TRY(rein_json_int(&c->L, obj, "num_hidden_layers"));
    REIN_TRY(rein_json_int(&c->H, obj, "num_attention_heads"));
    REIN_TRY(rein_json_int(&c->F, obj, "intermediate_size"));
    REIN_TRY(rein_json_int(&c->max_position_embeddings, obj, "max_position_embeddings"));
    c->K = c->H;
    REIN_TRY(optional_int(&c->K, obj, "num_key_value_heads"));
    c->rms_norm_eps = 1e-6;
    REIN_TRY(optional_double(&c->rms_norm_eps, obj, "rms_norm_eps"));
    c->initializer_range = 0.02;
    REIN_TRY(optional_double(&c->initializer_range, obj, "initializer_range"));
    REIN_TRY(optional_bool(&c->tie_word_embeddings, obj, "tie_word_embeddings"));
    if (c->family != REIN_FAMILY_QWEN2) REIN_TRY(optional_bool(&bias, obj, "attention_bias"));
    c->qkv_bias = bias || c->family == REIN_FAMILY_QWEN2;
    c->o_bias = bias;
    c->qk_norm = c->family == REIN_FAMILY_QWEN3;
    return REIN_OK;
}

/* Without head_dim: hidden_size / heads, but 128 in qwen3, as in transformers. */
static rein_status parse_head_dim(rein_model_config *c, struct json_object *obj) {
    if (rein_json_has(obj, "head_dim")) return rein_json_int(&c->D, obj, "head_dim");
    c->D = 128;
    if (c->family == REIN_FAMILY_QWEN3) return REIN_OK;
    if (c->H < 1 || c->C % c->H != 0)
        return rein_fail(REIN_ERR_FORMAT,
                         "'hidden_size' %lld is no multiple of 'num_attention_heads' %lld, and there is no 'head_dim'",
                         (long long)c->C, (long long)c->H);
    c->D = c->C / c->H;
    return REIN_OK;
}

static rein_status parse_dtype(rein_model_config *c, struct json_object *obj) {
    const char *key = rein_json_has(obj, "dtype") ? "dtype" : "torch_dtype", *name = "float32";
    REIN_TRY(optional_string(&name, obj, key));
    for (size_t i = 0; i < REIN_COUNT(dtypes); i++) {
        if (strcmp(name, dtypes[i].name) != 0) continue;
        c->dtype = dtypes[i].dtype;
        return REIN_OK;
    }
    return unsupported(obj, key, "\"float32\", \"bfloat16\" or \"float16\"");
}

static rein_status parse_eos(rein_model_config *c, struct json_object *obj) {
    struct json_object *value = json_object_object_get(obj, "eos_token_id");
    if (!value) return REIN_OK;
    bool list = json_object_is_type(value, json_type_array);
    size_t n = list ? json_object_array_length(value) : 1;
    if (n > REIN_MAX_EOS)
        return rein_fail(REIN_ERR_FORMAT, "'eos_token_id' has %zu entries, at most %d are supported", n, REIN_MAX_EOS);
    for (size_t i = 0; i < n; i++) {
        struct json_object *id = list ? json_object_array_get_idx(value, i) : value;
        if (!json_object_is_type(id, json_type_int)) return unsupported(obj, "eos_token_id", "an id or a list of ids");
        c->eos_id[i] = json_object_get_int64(id);
    }
    c->n_eos = (int)n;
    return REIN_OK;
}

/* ---- rotary embedding ---- */

static rein_status parse_llama3(rein_model_config *c, struct json_object *rope) {
    c->rope_scaling = REIN_ROPE_LLAMA3;
    REIN_TRY(rein_json_double(&c->rope_factor, rope, "factor"));
    REIN_TRY(rein_json_double(&c->rope_low_freq_factor, rope, "low_freq_factor"));
    REIN_TRY(rein_json_double(&c->rope_high_freq_factor, rope, "high_freq_factor"));
    REIN_TRY(rein_json_int(&c->rope_original_max_position, rope, "original_max_position_embeddings"));
    return REIN_OK;
}

static rein_status parse_rope(rein_model_config *c, struct json_object *rope) {
    static const char *const known[] = {"rope_type",
                                        "type",
                                        "rope_theta",
                                        "factor",
                                        "low_freq_factor",
                                        "high_freq_factor",
                                        "original_max_position_embeddings"};
    const char *type = "default";
    struct json_object_iter it;
    json_object_object_foreachC(rope, it) {
        size_t i = 0;
        while (i < REIN_COUNT(known) && strcmp(it.key, known[i]) != 0) i++;
        if (i == REIN_COUNT(known)) return rein_fail(REIN_ERR_FORMAT, "'%s' is not supported", it.key);
    }
    REIN_TRY(optional_string(&type, rope, rein_json_has(rope, "rope_type") ? "rope_type" : "type"));
    if (strcmp(type, "llama3") == 0) return parse_llama3(c, rope);
    if (strcmp(type, "default") != 0)
        return rein_fail(REIN_ERR_FORMAT, "'rope_type' is \"%s\", supported is \"default\" or \"llama3\"", type);
    return REIN_OK;
}

/* The newer rope_parameters holds everything; the older form is rope_theta beside rope_scaling, which may be null. */
static rein_status parse_rotary(rein_model_config *c, struct json_object *obj) {
    bool newer = rein_json_has(obj, "rope_parameters");
    const char *key = newer ? "rope_parameters" : "rope_scaling";
    struct json_object *rope;
    c->rope_theta = 10000;
    REIN_TRY(optional_double(&c->rope_theta, obj, "rope_theta"));
    if (newer && rein_json_has(obj, "rope_scaling"))
        return unsupported(obj, "rope_scaling", "null beside 'rope_parameters'");
    if (!rein_json_has(obj, key)) return REIN_OK;
    REIN_TRY(rein_json_object(&rope, obj, key));
    double theta = c->rope_theta;
    REIN_TRY(optional_double(&theta, rope, "rope_theta"));
    if (rein_json_has(obj, "rope_theta") && theta != c->rope_theta)
        return rein_fail(REIN_ERR_FORMAT, "'rope_theta' is %.17g, but %.17g in '%s'", c->rope_theta, theta, key);
    c->rope_theta = theta;
    rein_status status = parse_rope(c, rope);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "'%s'", key);
}

/* ---- checks ---- */

static rein_status check_dimensions(rein_status code, const rein_model_config *c) {
    /* limits keep every product of two or three dimensions inside int64_t */
    const struct {
        const char *key;
        int64_t value, max;
    } rows[] = {
        {"vocab_size", c->V, INT32_MAX},        {"hidden_size", c->C, 1 << 20},
        {"num_hidden_layers", c->L, 1 << 16},   {"num_attention_heads", c->H, 1 << 12},
        {"num_key_value_heads", c->K, 1 << 12}, {"head_dim", c->D, 1 << 12},
        {"intermediate_size", c->F, 1 << 22},   {"max_position_embeddings", c->max_position_embeddings, INT32_MAX},
    };
    for (size_t i = 0; i < REIN_COUNT(rows); i++)
        if (rows[i].value < 1 || rows[i].value > rows[i].max)
            return rein_fail(code, "'%s' is %lld, expected 1 to %lld", rows[i].key, (long long)rows[i].value,
                             (long long)rows[i].max);
    if (c->H % c->K != 0)
        return rein_fail(code, "'num_attention_heads' %lld is no multiple of 'num_key_value_heads' %lld",
                         (long long)c->H, (long long)c->K);
    if (c->D % 2 != 0) return rein_fail(code, "'head_dim' is %lld, expected an even number", (long long)c->D);
    return REIN_OK;
}

static rein_status check_constants(rein_status code, const rein_model_config *c) {
    bool llama3 = c->rope_scaling == REIN_ROPE_LLAMA3;
    const struct {
        const char *key;
        double value, min, max;
    } rows[] = {
        {"rms_norm_eps", c->rms_norm_eps, 0, 1},
        {"initializer_range", c->initializer_range, 0, 1e3},
        {"rope_theta", c->rope_theta, 1, 1e15},
        {"factor", llama3 ? c->rope_factor : 1, 1, 1e6},
        {"low_freq_factor", llama3 ? c->rope_low_freq_factor : 1, 1e-6, 1e6},
        {"high_freq_factor", llama3 ? c->rope_high_freq_factor : 1, 1e-6, 1e6},
        {"original_max_position_embeddings", llama3 ? (double)c->rope_original_max_position : 1, 1, INT32_MAX},
    };
    for (size_t i = 0; i < REIN_COUNT(rows); i++)
        if (!(rows[i].value >= rows[i].min && rows[i].value <= rows[i].max))
            return rein_fail(code, "'%s' is %.17g, expected %g to %g", rows[i].key, rows[i].value, rows[i].min,
                             rows[i].max);
    if (llama3 && !(c->rope_high_freq_factor > c->rope_low_freq_factor))
        return rein_fail(code, "'high_freq_factor' %.17g is not above 'low_freq_factor' %.17g",
                         c->rope_high_freq_factor, c->rope_low_freq_factor);
    return REIN_OK;
}

static rein_status check_id(rein_status code, const char *key, int64_t id, int64_t min, int64_t V) {
    return id >= min && id < V
               ? REIN_OK
               : rein_fail(code, "'%s' is %lld, but the vocabulary has %lld entries", key, (long long)id, (long long)V);
}

static rein_status check_family(rein_status code, const rein_model_config *c) {
    bool qwen2 = c->family == REIN_FAMILY_QWEN2;
    if (c->qkv_bias != (qwen2 || c->o_bias) || (qwen2 && c->o_bias) || c->qk_norm != (c->family == REIN_FAMILY_QWEN3))
        return rein_fail(code, "family %s has no such combination: qkv_bias %d, o_bias %d, qk_norm %d",
                         families[c->family].name, c->qkv_bias, c->o_bias, c->qk_norm);
    if (!rein_torch_dtype_name(c->dtype))
        return rein_fail(code, "dtype %s is not one that weights are stored in", rein_dtype_name(c->dtype));
    return REIN_OK;
}

static rein_status check(rein_status code, const rein_model_config *c) {
    REIN_TRY(check_family(code, c));
    REIN_TRY(check_dimensions(code, c));
    REIN_TRY(check_constants(code, c));
    REIN_TRY(check_id(code, "bos_token_id", c->bos_id, -1, c->V));
    REIN_TRY(check_id(code, "pad_token_id", c->pad_id, -1, c->V));
    for (int i = 0; i < c->n_eos; i++) REIN_TRY(check_id(code, "eos_token_id", c->eos_id[i], 0, c->V));
    return REIN_OK;
}

rein_status rein_model_config_check(const rein_model_config *config) { return check(REIN_ERR_ARG, config); }

/* ---- files ---- */

static rein_status parse_object(rein_model_config *c, struct json_object *obj) {
    if (!json_object_is_type(obj, json_type_object)) return rein_fail(REIN_ERR_FORMAT, "expected an object");
    *c = (rein_model_config){.bos_id = -1, .pad_id = -1};
    REIN_TRY(parse_family(c, obj));
    REIN_TRY(parse_numbers(c, obj));
    REIN_TRY(parse_head_dim(c, obj));
    REIN_TRY(parse_dtype(c, obj));
    REIN_TRY(parse_rotary(c, obj));
    REIN_TRY(optional_int(&c->bos_id, obj, "bos_token_id"));
    REIN_TRY(optional_int(&c->pad_id, obj, "pad_token_id"));
    REIN_TRY(parse_eos(c, obj));
    REIN_TRY(check(REIN_ERR_FORMAT, c));
    REIN_TRY(require_known(obj, c));
    return REIN_OK;
}

rein_status rein_model_config_parse(rein_model_config *out, const char *name, const char *text, size_t len) {
    struct json_object *obj;
    REIN_TRY(rein_json_parse(&obj, name, text, len));
    rein_status status = parse_object(out, obj);
    json_object_put(obj);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "%s", name);
}

/* generation_config.json decides where generation ends, as in transformers: chat models list more ids there. */
static rein_status load_generation(rein_model_config *c, const char *path) {
    struct json_object *obj;
    REIN_TRY(rein_json_load(&obj, path));
    rein_status status = REIN_OK;
    if (!json_object_is_type(obj, json_type_object)) status = rein_fail(REIN_ERR_FORMAT, "expected an object");
    if (status == REIN_OK) status = parse_eos(c, obj);
    if (status == REIN_OK) status = check(REIN_ERR_FORMAT, c);
    json_object_put(obj);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "%s", path);
}

rein_status rein_model_config_load(rein_model_config *out, const char *dir) {
    rein_arena arena = {0};
    rein_str text = {0};
    char *path;
    rein_status status;
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/config.json", dir), out);
    REIN_TRY_OUT(status, rein_file_read(&text, path), out);
    REIN_TRY_OUT(status, rein_model_config_parse(out, path, text.data, text.len), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/generation_config.json", dir), out);
    if (rein_path_exists(path)) REIN_TRY_OUT(status, load_generation(out, path), out);
out:
    rein_str_deinit(&text);
    rein_arena_deinit(&arena);
    return status;
}
