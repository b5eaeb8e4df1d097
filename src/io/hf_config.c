/* Reading and checking config.json; see hf_config.h. */
#include "io/hf_config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "io/internal.h"

static const struct {
    const char *name;
    rein_dtype dtype;
} dtypes[] = {{"float32", REIN_F32}, {"bfloat16", REIN_BF16}, {"float16", REIN_F16}};

const char *rein_torch_dtype_name(rein_dtype dtype) {
    for (size_t i = 0; i < REIN_COUNT(dtypes); i++)
        if (dtypes[i].dtype == dtype) return dtypes[i].name;
    return NULL;
}

/* ---- optional members: missing or null leaves *out as it is ---- */

rein_status rein_config_int(int64_t *out, struct json_object *obj, const char *key) {
    return rein_json_has(obj, key) ? rein_json_int(out, obj, key) : REIN_OK;
}

rein_status rein_config_double(double *out, struct json_object *obj, const char *key) {
    return rein_json_has(obj, key) ? rein_json_double(out, obj, key) : REIN_OK;
}

rein_status rein_config_bool(bool *out, struct json_object *obj, const char *key) {
    return rein_json_has(obj, key) ? rein_json_bool(out, obj, key) : REIN_OK;
}

rein_status rein_config_string(const char **out, struct json_object *obj, const char *key) {
    return rein_json_has(obj, key) ? rein_json_string(out, NULL, obj, key) : REIN_OK;
}

rein_status rein_config_unsupported(struct json_object *obj, const char *key, const char *wanted) {
    struct json_object *value = json_object_object_get(obj, key);
    return rein_fail(REIN_ERR_FORMAT, "'%s' is %s, supported is %s", key,
                     json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), wanted);
}

/* ---- what the forward pass does not implement ---- */

static rein_status require_known(struct json_object *obj) {
    const char *activation = "silu";
    bool mlp_bias = false;
    double dropout = 0, partial = 1;
    int64_t pretraining_tp = 1;
    REIN_TRY(rein_config_string(&activation, obj, "hidden_act"));
    if (strcmp(activation, "silu") != 0) return rein_config_unsupported(obj, "hidden_act", "\"silu\"");
    REIN_TRY(rein_config_bool(&mlp_bias, obj, "mlp_bias"));
    if (mlp_bias) return rein_config_unsupported(obj, "mlp_bias", "false");
    REIN_TRY(rein_config_double(&dropout, obj, "attention_dropout"));
    if (dropout != 0) return rein_config_unsupported(obj, "attention_dropout", "0");
    REIN_TRY(rein_config_int(&pretraining_tp, obj, "pretraining_tp"));
    if (pretraining_tp != 1) return rein_config_unsupported(obj, "pretraining_tp", "1");
    REIN_TRY(rein_config_double(&partial, obj, "partial_rotary_factor"));
    if (partial != 1) return rein_config_unsupported(obj, "partial_rotary_factor", "1");
    if (rein_json_has(obj, "quantization_config")) return rein_config_unsupported(obj, "quantization_config", "null");
    return REIN_OK;
}

/* ---- numbers, ids ---- */

static rein_status parse_numbers(rein_model_config *c, struct json_object *obj) {
    const rein_family *family = rein_family_row(c->family);
    bool bias = false;
    REIN_TRY(rein_json_int(&c->V, obj, "vocab_size"));
    REIN_TRY(rein_json_int(&c->C, obj, "hidden_size"));
    REIN_TRY(rein_json_int(&c->L, obj, "num_hidden_layers"));
    REIN_TRY(rein_json_int(&c->H, obj, "num_attention_heads"));
    REIN_TRY(rein_json_int(&c->F, obj, "intermediate_size"));
    REIN_TRY(rein_json_int(&c->max_position_embeddings, obj, "max_position_embeddings"));
    /* null is as many as heads, but a missing key the family's default */
    c->K = family->kv_heads && !json_object_object_get_ex(obj, "num_key_value_heads", NULL) ? family->kv_heads : c->H;
    REIN_TRY(rein_config_int(&c->K, obj, "num_key_value_heads"));
    c->rms_norm_eps = 1e-6;
    REIN_TRY(rein_config_double(&c->rms_norm_eps, obj, "rms_norm_eps"));
    c->initializer_range = 0.02;
    REIN_TRY(rein_config_double(&c->initializer_range, obj, "initializer_range"));
    c->tie_word_embeddings = family->tie_word_embeddings;
    REIN_TRY(rein_config_bool(&c->tie_word_embeddings, obj, "tie_word_embeddings"));
    if (family->bias == REIN_BIAS_KEY) REIN_TRY(rein_config_bool(&bias, obj, "attention_bias"));
    c->qkv_bias = bias || family->bias == REIN_BIAS_QKV;
    c->o_bias = bias;
    c->qk_norm = family->qk_norm;
    return REIN_OK;
}

/* Without head_dim: the family's default, or hidden_size / heads, as in transformers. */
static rein_status parse_head_dim(rein_model_config *c, struct json_object *obj) {
    if (rein_json_has(obj, "head_dim")) return rein_json_int(&c->D, obj, "head_dim");
    c->D = rein_family_row(c->family)->head_dim;
    if (c->D) return REIN_OK;
    if (c->H < 1 || c->C % c->H != 0)
        return rein_fail(REIN_ERR_FORMAT,
                         "'hidden_size' %lld is no multiple of 'num_attention_heads' %lld, and there is no 'head_dim'",
                         (long long)c->C, (long long)c->H);
    c->D = c->C / c->H;
    return REIN_OK;
}

static rein_status parse_dtype(rein_model_config *c, struct json_object *obj) {
    const char *key = rein_json_has(obj, "dtype") ? "dtype" : "torch_dtype", *name = "float32";
    REIN_TRY(rein_config_string(&name, obj, key));
    for (size_t i = 0; i < REIN_COUNT(dtypes); i++) {
        if (strcmp(name, dtypes[i].name) != 0) continue;
        c->dtype = dtypes[i].dtype;
        return REIN_OK;
    }
    return rein_config_unsupported(obj, key, "\"float32\", \"bfloat16\" or \"float16\"");
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
        if (!json_object_is_type(id, json_type_int))
            return rein_config_unsupported(obj, "eos_token_id", "an id or a list of ids");
        c->eos_id[i] = json_object_get_int64(id);
    }
    c->n_eos = (int)n;
    return REIN_OK;
}

/* ---- checks ---- */

static rein_status check_dimensions(rein_status code, const rein_model_config *c) {
    /* limits keep every product of two or three dimensions inside int64_t */
    const struct {
        const char *key;
        int64_t value, max;
    } rows[] = {
        {"vocab_size", c->V, INT32_MAX},
        {"hidden_size", c->C, 1 << 20},
        {"num_hidden_layers", c->L, REIN_MAX_LAYERS},
        {"num_attention_heads", c->H, 1 << 12},
        {"num_key_value_heads", c->K, 1 << 12},
        {"head_dim", c->D, 1 << 12},
        {"intermediate_size", c->F, 1 << 22},
        {"max_position_embeddings", c->max_position_embeddings, INT32_MAX},
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

static rein_status check_id(rein_status code, const char *key, int64_t id, int64_t min, int64_t V) {
    return id >= min && id < V
               ? REIN_OK
               : rein_fail(code, "'%s' is %lld, but the vocabulary has %lld entries", key, (long long)id, (long long)V);
}

static rein_status check_family(rein_status code, const rein_model_config *c) {
    const rein_family *family = rein_family_row(c->family);
    if (!family) return rein_fail(code, "family %d is none of the known ones", (int)c->family);
    if (c->qkv_bias != (family->bias == REIN_BIAS_QKV || c->o_bias) || (family->bias != REIN_BIAS_KEY && c->o_bias) ||
        c->qk_norm != family->qk_norm)
        return rein_fail(code, "family %s has no such combination: qkv_bias %d, o_bias %d, qk_norm %d", family->name,
                         c->qkv_bias, c->o_bias, c->qk_norm);
    if (!rein_torch_dtype_name(c->dtype))
        return rein_fail(code, "dtype %s is not one that weights are stored in", rein_dtype_name(c->dtype));
    return REIN_OK;
}

/* What is no dimension. */
static rein_status check_constants(rein_status code, const rein_model_config *c) {
    if (!(c->rms_norm_eps >= 0 && c->rms_norm_eps <= 1))
        return rein_fail(code, "'rms_norm_eps' is %.17g, expected 0 to 1", c->rms_norm_eps);
    if (!(c->initializer_range >= 0 && c->initializer_range <= 1e3))
        return rein_fail(code, "'initializer_range' is %.17g, expected 0 to 1000", c->initializer_range);
    return REIN_OK;
}

static rein_status check(rein_status code, const rein_model_config *c) {
    REIN_TRY(check_family(code, c));
    REIN_TRY(check_dimensions(code, c));
    REIN_TRY(check_constants(code, c));
    REIN_TRY(rein_config_check_rope(code, c));
    REIN_TRY(rein_config_check_layers(code, c));
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
    REIN_TRY(rein_config_parse_family(c, obj));
    REIN_TRY(parse_numbers(c, obj));
    REIN_TRY(parse_head_dim(c, obj));
    REIN_TRY(parse_dtype(c, obj));
    REIN_TRY(rein_config_parse_rope(c, obj));
    REIN_TRY(check_dimensions(REIN_ERR_FORMAT, c)); /* the arrays have room for so many layers */
    REIN_TRY(rein_config_parse_layers(c, obj));
    REIN_TRY(rein_config_int(&c->bos_id, obj, "bos_token_id"));
    REIN_TRY(rein_config_int(&c->pad_id, obj, "pad_token_id"));
    REIN_TRY(parse_eos(c, obj));
    REIN_TRY(check(REIN_ERR_FORMAT, c));
    REIN_TRY(require_known(obj));
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
