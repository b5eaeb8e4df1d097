/* Writing adapter_config.json, and lists of the command line; see peft.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "io/peft.h"

/* ---- adapter_config.json ---- */

static void put_key(rein_str *s, const char *key) { rein_str_printf(s, ",\n  \"%s\": ", key); }

static void put_text(rein_str *s, const char *text) {
    if (text)
        rein_json_put_string(s, text, strlen(text));
    else
        rein_str_puts(s, "null");
}

static void put_names(rein_str *s, const char *key, const rein_name_list *list) {
    put_key(s, key);
    if (list->n == 0) {
        rein_str_puts(s, "null");
        return;
    }
    for (int64_t i = 0; i < list->n; i++) {
        rein_str_putc(s, i ? ',' : '[');
        put_text(s, list->name[i]);
    }
    rein_str_putc(s, ']');
}

static void put_patterns(rein_str *s, const char *key, const rein_lora_patterns *p) {
    put_key(s, key);
    rein_str_putc(s, '{');
    for (int64_t i = 0; i < p->n; i++) {
        if (i) rein_str_putc(s, ',');
        put_text(s, p->list[i].key);
        rein_str_putc(s, ':');
        rein_json_put_f64(s, p->list[i].value);
    }
    rein_str_putc(s, '}');
}

static void put_layers(rein_str *s, const rein_lora_config *c) {
    put_key(s, "layers_to_transform");
    if (c->n_layers == 0) rein_str_puts(s, "null");
    for (int64_t i = 0; i < c->n_layers; i++) rein_str_printf(s, "%c%lld", i ? ',' : '[', (long long)c->layers[i]);
    if (c->n_layers > 0) rein_str_putc(s, ']');
}

rein_status rein_peft_config_write(rein_str *s, const rein_lora_config *c) {
    static const char *const bias[] = {"none", "all", "lora_only"};
    rein_str_puts(s, "{\n  \"peft_type\": \"LORA\",\n  \"task_type\": \"CAUSAL_LM\"");
    put_key(s, "base_model_name_or_path");
    put_text(s, c->base);
    rein_str_printf(s, ",\n  \"r\": %lld,\n  \"lora_alpha\": ", (long long)c->r);
    rein_json_put_f64(s, c->alpha);
    put_key(s, "lora_dropout");
    rein_json_put_f64(s, c->dropout);
    put_key(s, "use_rslora");
    rein_str_puts(s, c->use_rslora ? "true" : "false");
    put_key(s, "use_dora");
    rein_str_puts(s, c->use_dora ? "true" : "false");
    put_key(s, "bias");
    put_text(s, bias[c->bias]);
    if (c->target_regex) {
        put_key(s, "target_modules");
        put_text(s, c->target_regex);
    } else {
        put_names(s, "target_modules", &c->targets);
    }
    put_names(s, "exclude_modules", &c->exclude);
    put_patterns(s, "rank_pattern", &c->rank_pattern);
    put_patterns(s, "alpha_pattern", &c->alpha_pattern);
    put_layers(s, c);
    put_names(s, "layers_pattern", &c->layers_pattern);
    put_names(s, "modules_to_save", &c->modules_to_save);
    rein_str_puts(s, ",\n  \"init_lora_weights\": true,\n  \"inference_mode\": true,\n  \"fan_in_fan_out\": false\n}\n");
    return rein_str_check(s);
}

/* ---- lists ---- */

rein_status rein_lora_parse_names(rein_name_list *out, rein_arena *arena, const char *text) {
    size_t most = 1;
    for (const char *p = text; *p; p++) most += *p == ',';
    *out = (rein_name_list){0};
    REIN_TRY(rein_arena_alloc(arena, &out->name, most * sizeof *out->name));
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ",");
        char *copy;
        if (len == 0) return rein_fail(REIN_ERR_USAGE, "'%s': expected names with one comma between two", text);
        REIN_TRY(rein_arena_strdup(arena, &copy, p, len));
        out->name[out->n++] = copy;
        p += len;
        if (!*p) return REIN_OK;
    }
}

rein_status rein_lora_parse_targets(rein_lora_config *c, rein_arena *arena, const char *text) {
    static const char of_names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,";
    char *copy;
    c->target_regex = NULL;
    c->targets = (rein_name_list){0};
    if (text[strspn(text, of_names)] == '\0') return rein_lora_parse_names(&c->targets, arena, text);
    REIN_TRY(rein_arena_strdup(arena, &copy, text, strlen(text)));
    c->target_regex = copy;
    return REIN_OK;
}

rein_status rein_lora_parse_patterns(rein_lora_patterns *out, rein_arena *arena, const char *text) {
    rein_name_list list;
    *out = (rein_lora_patterns){0};
    REIN_TRY(rein_lora_parse_names(&list, arena, text));
    REIN_TRY(rein_arena_alloc(arena, &out->list, (size_t)list.n * sizeof *out->list));
    for (int64_t i = 0; i < list.n; i++) {
        const char *eq = strrchr(list.name[i], '=');
        char *key, *end = NULL;
        double value = eq ? strtod(eq + 1, &end) : 0;
        if (!eq || eq == list.name[i] || end == eq + 1 || *end)
            return rein_fail(REIN_ERR_USAGE, "'%s': expected PATTERN=NUMBER", list.name[i]);
        REIN_TRY(rein_arena_strdup(arena, &key, list.name[i], (size_t)(eq - list.name[i])));
        out->list[out->n++] = (rein_lora_pattern){key, value};
    }
    return REIN_OK;
}

rein_status rein_lora_parse_layers(rein_lora_config *c, rein_arena *arena, const char *text) {
    rein_name_list list;
    REIN_TRY(rein_lora_parse_names(&list, arena, text));
    REIN_TRY(rein_arena_alloc(arena, &c->layers, (size_t)list.n * sizeof *c->layers));
    c->n_layers = 0;
    for (int64_t i = 0; i < list.n; i++) {
        char *end;
        errno = 0;
        long long layer = strtoll(list.name[i], &end, 10);
        if (*end || errno || layer < 0) return rein_fail(REIN_ERR_USAGE, "'%s' is no number of a layer", list.name[i]);
        c->layers[c->n_layers++] = layer;
    }
    return REIN_OK;
}
