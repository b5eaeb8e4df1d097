/*
 * Families of models: one row of a table each, and what of a configuration differs from layer to layer. A new family of
 * the same parts is a new row.
 */
#include <string.h>

#include "io/internal.h"

static const rein_family families[] = {
    [REIN_FAMILY_LLAMA] = {.name = "llama",
                           .architecture = "LlamaForCausalLM",
                           .bias = REIN_BIAS_KEY,
                           .rope_theta = 1e4},
    [REIN_FAMILY_QWEN2] = {.name = "qwen2",
                           .architecture = "Qwen2ForCausalLM",
                           .bias = REIN_BIAS_QKV,
                           .window = REIN_WINDOW_UPPER,
                           .sliding_window = 4096,
                           .kv_heads = 32,
                           .rope_theta = 1e4},
    [REIN_FAMILY_QWEN3] = {.name = "qwen3",
                           .architecture = "Qwen3ForCausalLM",
                           .bias = REIN_BIAS_KEY,
                           .qk_norm = true,
                           .window = REIN_WINDOW_UPPER,
                           .sliding_window = 4096,
                           .kv_heads = 32,
                           .head_dim = 128,
                           .rope_theta = 1e4},
    [REIN_FAMILY_MISTRAL] = {.name = "mistral",
                             .architecture = "MistralForCausalLM",
                             .window = REIN_WINDOW_ALL,
                             .sliding_window = 4096,
                             .kv_heads = 8,
                             .rope_theta = 1e4},
    [REIN_FAMILY_SMOLLM3] = {.name = "smollm3",
                             .architecture = "SmolLM3ForCausalLM",
                             .bias = REIN_BIAS_KEY,
                             .no_rope = true,
                             .window = REIN_WINDOW_NO_ROPE,
                             .kv_heads = 4,
                             .rope_theta = 2e6,
                             .tie_word_embeddings = true},
};

const rein_family *rein_family_row(rein_model_family family) {
    return (size_t)family < REIN_COUNT(families) ? &families[family] : NULL;
}

const char *rein_model_family_name(rein_model_family family) { return families[family].name; }

rein_status rein_config_parse_family(rein_model_config *c, struct json_object *obj) {
    const char *name;
    struct json_object *list;
    REIN_TRY(rein_json_string(&name, NULL, obj, "model_type"));
    size_t f = 0;
    while (f < REIN_COUNT(families) && strcmp(name, families[f].name) != 0) f++;
    if (f == REIN_COUNT(families))
        return rein_config_unsupported(obj, "model_type",
                                       "\"llama\", \"mistral\", \"qwen2\", \"qwen3\" or \"smollm3\"");
    c->family = (rein_model_family)f;
    if (!rein_json_has(obj, "architectures")) return REIN_OK;
    REIN_TRY(rein_json_array(&list, obj, "architectures"));
    struct json_object *first = json_object_array_get_idx(list, 0);
    if (!json_object_is_type(first, json_type_string) ||
        strcmp(json_object_get_string(first), families[f].architecture) != 0)
        return rein_config_unsupported(obj, "architectures", families[f].architecture);
    return REIN_OK;
}

/* ---- layers without rotary embedding ---- */

static rein_status parse_no_rope(rein_model_config *c, struct json_object *obj) {
    struct json_object *list;
    int64_t interval = 4;
    if (!families[c->family].no_rope)
        return rein_json_has(obj, "no_rope_layers") ? rein_config_unsupported(obj, "no_rope_layers", "null") : REIN_OK;
    if (!rein_json_has(obj, "no_rope_layers")) {
        REIN_TRY(rein_config_int(&interval, obj, "no_rope_layer_interval"));
        if (interval < 1) return rein_config_unsupported(obj, "no_rope_layer_interval", "1 or more");
        for (int64_t l = 0; l < c->L; l++) c->no_rope[l] = (l + 1) % interval == 0;
        return REIN_OK;
    }
    REIN_TRY(rein_json_array(&list, obj, "no_rope_layers"));
    if ((int64_t)json_object_array_length(list) < c->L)
        return rein_config_unsupported(obj, "no_rope_layers", "one entry a layer");
    for (int64_t l = 0; l < c->L; l++) {
        struct json_object *entry = json_object_array_get_idx(list, (size_t)l);
        int64_t value = json_object_is_type(entry, json_type_int) ? json_object_get_int64(entry) : -1;
        if (value != 0 && value != 1)
            return rein_config_unsupported(obj, "no_rope_layers", "1 (rotary embedding) or 0 (none) in every layer");
        c->no_rope[l] = value == 0;
    }
    return REIN_OK;
}

/* ---- windows ---- */

/* `sliding_window`, 0 for null: transformers takes its default for a missing key only. */
static rein_status parse_width(int64_t *width, const rein_model_config *c, struct json_object *obj) {
    struct json_object *value;
    *width = json_object_object_get_ex(obj, "sliding_window", &value) ? 0 : families[c->family].sliding_window;
    REIN_TRY(rein_config_int(width, obj, "sliding_window"));
    if (rein_json_has(obj, "sliding_window") && (*width < 1 || *width > INT32_MAX))
        return rein_config_unsupported(obj, "sliding_window", "null or 1 to 2147483647");
    return REIN_OK;
}

/* Whether layer l is windowed if `layer_types` does not say. */
static bool windowed_by_default(const rein_model_config *c, int64_t l, int64_t upper) {
    switch (families[c->family].window) {
    case REIN_WINDOW_ALL:
        return true;
    case REIN_WINDOW_UPPER:
        return l >= upper;
    case REIN_WINDOW_NO_ROPE:
        return c->no_rope[l];
    case REIN_WINDOW_NONE:
        break;
    }
    return false;
}

/* `layer_types`, where it is given, decides; where nothing has a window, it may only say so. */
static rein_status parse_layer_types(rein_model_config *c, struct json_object *obj, int64_t width) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, "layer_types"));
    if ((int64_t)json_object_array_length(list) != c->L)
        return rein_config_unsupported(obj, "layer_types", "one entry a layer");
    for (int64_t l = 0; l < c->L; l++) {
        struct json_object *entry = json_object_array_get_idx(list, (size_t)l);
        const char *type = json_object_is_type(entry, json_type_string) ? json_object_get_string(entry) : "";
        bool sliding = strcmp(type, "sliding_attention") == 0;
        if (!sliding && strcmp(type, "full_attention") != 0)
            return rein_config_unsupported(obj, "layer_types", "\"full_attention\" or \"sliding_attention\"");
        if (sliding && width == 0)
            return rein_config_unsupported(obj, "layer_types",
                                           "\"full_attention\" in every layer, as there is no sliding window");
        c->window[l] = sliding ? (int32_t)width : 0;
    }
    return REIN_OK;
}

static rein_status parse_windows(rein_model_config *c, struct json_object *obj) {
    rein_family_window kind = families[c->family].window;
    bool use = kind == REIN_WINDOW_ALL;
    int64_t width = 0, upper = 28;
    REIN_TRY(rein_config_bool(&use, obj, "use_sliding_window"));
    if (kind == REIN_WINDOW_NONE && rein_json_has(obj, "sliding_window"))
        return rein_config_unsupported(obj, "sliding_window", "null");
    if (kind == REIN_WINDOW_NONE ? use : kind == REIN_WINDOW_ALL && !use)
        return rein_config_unsupported(obj, "use_sliding_window", use ? "false" : "true");
    if (use) REIN_TRY(parse_width(&width, c, obj));
    REIN_TRY(rein_config_int(&upper, obj, "max_window_layers"));
    for (int64_t l = 0; l < c->L; l++) c->window[l] = windowed_by_default(c, l, upper) ? (int32_t)width : 0;
    return rein_json_has(obj, "layer_types") ? parse_layer_types(c, obj, width) : REIN_OK;
}

rein_status rein_config_parse_layers(rein_model_config *c, struct json_object *obj) {
    REIN_TRY(parse_no_rope(c, obj));
    return parse_windows(c, obj);
}

/* ---- checks ---- */

rein_status rein_config_check_layers(rein_status code, const rein_model_config *c) {
    const rein_family *family = &families[c->family];
    int32_t width = 0;
    for (int64_t l = 0; l < c->L && width == 0; l++) width = c->window[l];
    for (int64_t l = 0; l < c->L; l++) {
        if (c->no_rope[l] && !family->no_rope)
            return rein_fail(code, "family %s has no layers without rotary embedding, but layer %lld is one",
                             family->name, (long long)l);
        if (c->window[l] < 0)
            return rein_fail(code, "'sliding_window' of layer %lld is %d, expected 0 or more", (long long)l,
                             c->window[l]);
        if (c->window[l] > 0 && family->window == REIN_WINDOW_NONE)
            return rein_fail(code, "family %s has no sliding window, but layer %lld has one of %d", family->name,
                             (long long)l, c->window[l]);
        if (c->window[l] != width && (c->window[l] != 0 || family->window == REIN_WINDOW_ALL))
            return rein_fail(code, "layer %lld has a window of %d, others of %d: a config.json has room for one",
                             (long long)l, c->window[l], width);
    }
    return REIN_OK;
}
