/* Reading adapter_config.json; see peft.h. */
#include "io/peft.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

rein_lora_config rein_lora_config_default(void) {
    return (rein_lora_config){.r = 16, .alpha = 32, .target_regex = "all-linear"};
}

bool rein_peft_is_dir(const char *dir) {
    rein_arena arena = {0};
    char *path;
    bool yes = rein_path_format(&arena, &path, "%s/adapter_config.json", dir) == REIN_OK && rein_path_exists(path);
    rein_arena_deinit(&arena);
    return yes;
}

/* ---- checking ---- */

static rein_status check_ranks(const rein_lora_patterns *p) {
    for (int64_t i = 0; i < p->n; i++) {
        double r = p->list[i].value;
        if (!(r >= 1 && r <= 65536) || r != floor(r))
            return rein_fail(REIN_ERR_ARG, "rank_pattern '%s': rank %g is no integer of 1 to 65536", p->list[i].key, r);
    }
    return REIN_OK;
}

rein_status rein_lora_config_check(const rein_lora_config *c) {
    if (c->r < 1 || c->r > 65536) return rein_fail(REIN_ERR_ARG, "r %lld: expected 1 to 65536", (long long)c->r);
    if (!isfinite(c->alpha)) return rein_fail(REIN_ERR_ARG, "lora_alpha %g is not finite", c->alpha);
    if (!(c->dropout >= 0 && c->dropout < 1))
        return rein_fail(REIN_ERR_ARG, "lora_dropout %g: expected 0 or more, below 1", c->dropout);
    if (!c->target_regex && c->targets.n == 0)
        return rein_fail(REIN_ERR_ARG, "target_modules is missing: name the layers to adapt, or \"all-linear\"");
    if (c->target_regex && c->n_layers > 0)
        return rein_fail(REIN_ERR_ARG, "layers_to_transform needs a list of target_modules, not '%s'", c->target_regex);
    REIN_TRY(check_ranks(&c->rank_pattern));
    for (int64_t i = 0; i < c->alpha_pattern.n; i++)
        if (!isfinite(c->alpha_pattern.list[i].value))
            return rein_fail(REIN_ERR_ARG, "alpha_pattern '%s': %g is not finite", c->alpha_pattern.list[i].key,
                             c->alpha_pattern.list[i].value);
    for (int64_t i = 0; i < c->n_layers; i++)
        if (c->layers[i] < 0)
            return rein_fail(REIN_ERR_ARG, "layers_to_transform: %lld is no layer", (long long)c->layers[i]);
    return REIN_OK;
}

/* ---- members ---- */

static rein_status unsupported(struct json_object *obj, const char *key, const char *wanted) {
    struct json_object *value = json_object_object_get(obj, key);
    return rein_fail(REIN_ERR_FORMAT, "'%s' is %s, supported is %s", key,
                     json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), wanted);
}

static rein_status copy_string(const char **out, rein_arena *arena, struct json_object *value) {
    const char *text = json_object_get_string(value);
    size_t len = (size_t)json_object_get_string_len(value);
    char *copy;
    if (memchr(text, '\0', len)) return rein_fail(REIN_ERR_FORMAT, "a string has a NUL byte");
    REIN_TRY(rein_arena_strdup(arena, &copy, text, len));
    *out = copy;
    return REIN_OK;
}

/* A string is a list of one. */
static rein_status read_names(rein_name_list *out, rein_arena *arena, struct json_object *obj, const char *key) {
    struct json_object *value = json_object_object_get(obj, key);
    *out = (rein_name_list){0};
    if (!value) return REIN_OK;
    bool single = json_object_is_type(value, json_type_string);
    if (!single && !json_object_is_type(value, json_type_array)) return unsupported(obj, key, "a list of names");
    size_t n = single ? 1 : json_object_array_length(value);
    REIN_TRY(rein_arena_alloc(arena, &out->name, (n + 1) * sizeof *out->name));
    for (size_t i = 0; i < n; i++) {
        struct json_object *name = single ? value : json_object_array_get_idx(value, i);
        if (!json_object_is_type(name, json_type_string)) return unsupported(obj, key, "a list of names");
        REIN_TRY(copy_string(&out->name[i], arena, name));
        if (!out->name[i][0]) return unsupported(obj, key, "a list of names, none of them empty");
    }
    out->n = (int64_t)n;
    return REIN_OK;
}

static rein_status read_targets(rein_lora_config *c, rein_arena *arena, struct json_object *obj) {
    struct json_object *value = json_object_object_get(obj, "target_modules");
    c->target_regex = NULL;
    if (json_object_is_type(value, json_type_string)) return copy_string(&c->target_regex, arena, value);
    return read_names(&c->targets, arena, obj, "target_modules");
}

static rein_status read_patterns(rein_lora_patterns *out, rein_arena *arena, struct json_object *obj, const char *key) {
    struct json_object *map;
    if (!rein_json_has(obj, key)) return REIN_OK;
    REIN_TRY(rein_json_object(&map, obj, key));
    size_t n = (size_t)json_object_object_length(map);
    REIN_TRY(rein_arena_alloc(arena, &out->list, (n + 1) * sizeof *out->list));
    json_object_object_foreach(map, name, value) {
        rein_lora_pattern *p = &out->list[out->n];
        char *copy;
        if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double))
            return unsupported(obj, key, "numbers by pattern");
        REIN_TRY(rein_arena_strdup(arena, &copy, name, strlen(name)));
        *p = (rein_lora_pattern){copy, json_object_get_double(value)};
        out->n++;
    }
    return REIN_OK;
}

static rein_status read_layers(rein_lora_config *c, rein_arena *arena, struct json_object *obj) {
    static const char key[] = "layers_to_transform";
    struct json_object *value = json_object_object_get(obj, key);
    if (!value) return REIN_OK;
    bool single = json_object_is_type(value, json_type_int);
    if (!single && !json_object_is_type(value, json_type_array)) return unsupported(obj, key, "a list of layers");
    size_t n = single ? 1 : json_object_array_length(value);
    REIN_TRY(rein_arena_alloc(arena, &c->layers, (n + 1) * sizeof *c->layers));
    for (size_t i = 0; i < n; i++) {
        struct json_object *layer = single ? value : json_object_array_get_idx(value, i);
        if (!json_object_is_type(layer, json_type_int)) return unsupported(obj, key, "a list of layers");
        c->layers[c->n_layers++] = json_object_get_int64(layer);
    }
    return REIN_OK;
}

static rein_status read_bias(rein_lora_bias *out, struct json_object *obj) {
    static const char *const names[] = {"none", "all", "lora_only"};
    const char *text;
    if (!rein_json_has(obj, "bias")) return REIN_OK;
    REIN_TRY(rein_json_string(&text, NULL, obj, "bias"));
    for (size_t i = 0; i < REIN_COUNT(names); i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *out = (rein_lora_bias)i;
        return REIN_OK;
    }
    return unsupported(obj, "bias", "\"none\", \"all\" or \"lora_only\"");
}

static rein_status read_numbers(rein_lora_config *c, struct json_object *obj) {
    REIN_TRY(rein_json_int(&c->r, obj, "r"));
    REIN_TRY(rein_json_double(&c->alpha, obj, "lora_alpha"));
    if (rein_json_has(obj, "lora_dropout")) REIN_TRY(rein_json_double(&c->dropout, obj, "lora_dropout"));
    if (rein_json_has(obj, "use_rslora")) REIN_TRY(rein_json_bool(&c->use_rslora, obj, "use_rslora"));
    if (rein_json_has(obj, "use_dora")) REIN_TRY(rein_json_bool(&c->use_dora, obj, "use_dora"));
    return REIN_OK;
}

/* ---- what is not implemented ---- */

/* null, false, an empty string, list or object: a feature that is off. */
static bool is_off(struct json_object *value) {
    if (!value) return true;
    switch (json_object_get_type(value)) {
    case json_type_boolean: return !json_object_get_boolean(value);
    case json_type_string: return json_object_get_string_len(value) == 0;
    case json_type_array: return json_object_array_length(value) == 0;
    case json_type_object: return json_object_object_length(value) == 0;
    default: return false;
    }
}

static rein_status require_text(struct json_object *obj, const char *key, const char *wanted) {
    struct json_object *value = json_object_object_get(obj, key);
    if (json_object_is_type(value, json_type_string) && strcmp(json_object_get_string(value), wanted) == 0)
        return REIN_OK;
    return unsupported(obj, key, wanted);
}

/* Ways to initialise that leave the base as it is; the others (PiSSA, OLoRA ...) move a part of it into the adapter. */
static rein_status check_init(struct json_object *obj) {
    struct json_object *value = json_object_object_get(obj, "init_lora_weights");
    if (!value || json_object_is_type(value, json_type_boolean)) return REIN_OK;
    if (json_object_is_type(value, json_type_string) && (strcmp(json_object_get_string(value), "gaussian") == 0 ||
                                                         strcmp(json_object_get_string(value), "orthogonal") == 0))
        return REIN_OK;
    return unsupported(obj, "init_lora_weights", "true, false, \"gaussian\" or \"orthogonal\"");
}

/* Every other key must be off: a feature of PEFT that is unknown here would change what the adapter means. */
static rein_status check_rest(struct json_object *obj) {
    static const char *const read[] = {"r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "bias",
                                       "target_modules", "exclude_modules", "rank_pattern", "alpha_pattern",
                                       "layers_to_transform", "layers_pattern", "modules_to_save",
                                       "base_model_name_or_path", "peft_type", "task_type", "init_lora_weights"};
    static const char *const idle[] = {"peft_version", "inference_mode", "revision", "megatron_core",
                                       "qalora_group_size", "auto_mapping"}; /* without effect on their own */
    json_object_object_foreach(obj, key, value) {
        bool known = is_off(value);
        for (size_t i = 0; i < REIN_COUNT(read) && !known; i++) known = strcmp(key, read[i]) == 0;
        for (size_t i = 0; i < REIN_COUNT(idle) && !known; i++) known = strcmp(key, idle[i]) == 0;
        if (!known) return unsupported(obj, key, "null or false (a feature that is not implemented)");
    }
    REIN_TRY(require_text(obj, "peft_type", "LORA"));
    if (rein_json_has(obj, "task_type")) REIN_TRY(require_text(obj, "task_type", "CAUSAL_LM"));
    return check_init(obj);
}

/* ---- the whole ---- */

static rein_status parse_object(rein_lora_config *c, rein_arena *arena, struct json_object *obj) {
    if (!json_object_is_type(obj, json_type_object)) return rein_fail(REIN_ERR_FORMAT, "the document is no object");
    REIN_TRY(check_rest(obj));
    REIN_TRY(read_numbers(c, obj));
    REIN_TRY(read_bias(&c->bias, obj));
    REIN_TRY(read_targets(c, arena, obj));
    REIN_TRY(read_names(&c->exclude, arena, obj, "exclude_modules"));
    REIN_TRY(read_names(&c->layers_pattern, arena, obj, "layers_pattern"));
    REIN_TRY(read_names(&c->modules_to_save, arena, obj, "modules_to_save"));
    REIN_TRY(read_patterns(&c->rank_pattern, arena, obj, "rank_pattern"));
    REIN_TRY(read_patterns(&c->alpha_pattern, arena, obj, "alpha_pattern"));
    REIN_TRY(read_layers(c, arena, obj));
    struct json_object *base = json_object_object_get(obj, "base_model_name_or_path");
    if (base && !json_object_is_type(base, json_type_string))
        return unsupported(obj, "base_model_name_or_path", "a path");
    if (base) REIN_TRY(copy_string(&c->base, arena, base));
    if (rein_lora_config_check(c) != REIN_OK) return rein_fail(REIN_ERR_FORMAT, "%s", rein_error_message());
    return REIN_OK;
}

rein_status rein_peft_config_parse(rein_lora_config *out, rein_arena *arena, const char *name, const char *text,
                                   size_t len) {
    struct json_object *doc;
    *out = (rein_lora_config){0};
    REIN_TRY(rein_json_parse(&doc, name, text, len));
    rein_status status = parse_object(out, arena, doc);
    json_object_put(doc);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "%s", name);
}

rein_status rein_peft_config_load(rein_lora_config *out, rein_arena *arena, const char *dir) {
    rein_str text = {0};
    char *path;
    rein_status status;
    REIN_TRY(rein_path_format(arena, &path, "%s/adapter_config.json", dir));
    REIN_TRY_OUT(status, rein_file_read(&text, path), out);
    status = rein_peft_config_parse(out, arena, path, text.data ? text.data : "", text.len);
out:
    rein_str_deinit(&text);
    return status;
}

rein_status rein_peft_base(char **base, rein_arena *arena, const char *dir) {
    rein_lora_config config;
    REIN_TRY(rein_peft_config_load(&config, arena, dir));
    if (!config.base)
        return rein_fail(REIN_ERR_FORMAT, "%s: adapter_config.json names no base_model_name_or_path; give the base as the "
                         "model and this as its adapter", dir);
    REIN_TRY(rein_path_format(arena, base, "%s", config.base));
    if (rein_path_exists(*base)) return REIN_OK;
    REIN_TRY(rein_path_format(arena, base, "%s/../%s", dir, config.base));
    if (rein_path_exists(*base)) return REIN_OK;
    return rein_fail(REIN_ERR_IO, "%s: its base '%s' is not here; give the base as the model and this as its adapter", dir,
                     config.base);
}
