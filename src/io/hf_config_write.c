/* Writing config.json and generation_config.json; see hf_config.h. Keys in bytewise order, as transformers writes. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "io/internal.h"

static const char *yes_no(bool value) { return value ? "true" : "false"; }

static void put_key(rein_str *s, const char *key) { rein_str_printf(s, ",\n  \"%s\": ", key); }

static void put_int(rein_str *s, const char *key, int64_t value) {
    put_key(s, key);
    rein_str_printf(s, "%lld", (long long)value);
}

static void put_bool(rein_str *s, const char *key, bool value) {
    put_key(s, key);
    rein_str_puts(s, yes_no(value));
}

/* A number that Python reads as a float. */
static void put_float(rein_str *s, const char *key, double value) {
    put_key(s, key);
    size_t at = s->len;
    rein_json_put_f64(s, value);
    if (!s->failed && !strpbrk(s->data + at, ".eE")) rein_str_puts(s, ".0");
}

/* None is written as null: a missing key would mean the family's default to transformers. */
static void put_id(rein_str *s, const char *key, int64_t id) {
    put_key(s, key);
    if (id >= 0)
        rein_str_printf(s, "%lld", (long long)id);
    else
        rein_str_puts(s, "null");
}

static void put_eos(rein_str *s, const rein_model_config *c) {
    if (c->n_eos < 2) {
        put_id(s, "eos_token_id", c->n_eos ? c->eos_id[0] : -1);
        return;
    }
    put_key(s, "eos_token_id");
    for (int i = 0; i < c->n_eos; i++) rein_str_printf(s, i ? ", %lld" : "[%lld", (long long)c->eos_id[i]);
    rein_str_putc(s, ']');
}

/* Members that only a present value is written for: 0 is transformers' null. */
static void put_rope_optional(rein_str *s, const char *key, double value) {
    if (value != 0) put_float(s, key, value);
}

static void put_yarn(rein_str *s, const rein_model_config *c) {
    put_rope_optional(s, "attention_factor", c->rope_attention_factor);
    put_float(s, "beta_fast", c->rope_beta_fast);
    put_float(s, "beta_slow", c->rope_beta_slow);
    put_rope_optional(s, "mscale", c->rope_mscale);
    put_rope_optional(s, "mscale_all_dim", c->rope_mscale_all_dim);
    put_bool(s, "truncate", c->rope_truncate);
}

static void put_rope(rein_str *s, const rein_model_config *c) {
    rein_rope_scaling kind = c->rope_scaling;
    put_key(s, "rope_scaling");
    if (kind == REIN_ROPE_NONE) {
        rein_str_puts(s, "null");
    } else {
        rein_str_printf(s, "{\n    \"rope_type\": \"%s\"", rein_rope_name(kind));
        put_float(s, "factor", c->rope_factor);
        if (kind == REIN_ROPE_LLAMA3) {
            put_float(s, "high_freq_factor", c->rope_high_freq_factor);
            put_float(s, "low_freq_factor", c->rope_low_freq_factor);
        }
        if (kind == REIN_ROPE_YARN) put_yarn(s, c);
        if (kind == REIN_ROPE_LLAMA3 || kind == REIN_ROPE_YARN)
            put_int(s, "original_max_position_embeddings", c->rope_original_max_position);
        rein_str_puts(s, "\n  }");
    }
    put_float(s, "rope_theta", c->rope_theta);
}

/* ---- what differs from layer to layer ---- */

static int64_t window_width(const rein_model_config *c) {
    for (int64_t l = 0; l < c->L; l++)
        if (c->window[l]) return c->window[l];
    return 0;
}

/* Newer versions of transformers read this list, older ones max_window_layers. */
static void put_layer_types(rein_str *s, const rein_model_config *c) {
    put_key(s, "layer_types");
    for (int64_t l = 0; l < c->L; l++)
        rein_str_printf(s, "%s\"%s_attention\"", l ? ", " : "[", c->window[l] ? "sliding" : "full");
    rein_str_putc(s, ']');
}

/* The first of the upper layers that all have a window; L if only `layer_types` can say which do. */
static int64_t first_upper(const rein_model_config *c) {
    int64_t first = c->L, l = 0;
    while (first > 0 && c->window[first - 1]) first--;
    while (l < first && !c->window[l]) l++;
    return l == first ? first : c->L;
}

static void put_no_rope(rein_str *s, const rein_model_config *c) {
    put_key(s, "no_rope_layers"); /* 1 is a layer with rotary embedding */
    for (int64_t l = 0; l < c->L; l++) rein_str_printf(s, "%s%d", l ? ", " : "[", c->no_rope[l] ? 0 : 1);
    rein_str_putc(s, ']');
}

static void put_window(rein_str *s, const rein_model_config *c) {
    put_key(s, "sliding_window");
    if (window_width(c))
        rein_str_printf(s, "%lld", (long long)window_width(c));
    else
        rein_str_puts(s, "null");
}

rein_status rein_model_config_write(rein_str *out, const rein_model_config *c) {
    REIN_TRY(rein_model_config_check(c));
    const rein_family *family = rein_family_row(c->family);
    bool upper = family->window == REIN_WINDOW_UPPER, switched = upper || family->window == REIN_WINDOW_NO_ROPE;
    rein_str_printf(out, "{\n  \"architectures\": [\"%s\"]", family->architecture);
    if (family->bias == REIN_BIAS_KEY) put_bool(out, "attention_bias", c->o_bias);
    put_id(out, "bos_token_id", c->bos_id);
    put_eos(out, c);
    put_int(out, "head_dim", c->D);
    put_key(out, "hidden_act");
    rein_str_puts(out, "\"silu\"");
    put_int(out, "hidden_size", c->C);
    put_float(out, "initializer_range", c->initializer_range);
    put_int(out, "intermediate_size", c->F);
    if (switched && window_width(c)) put_layer_types(out, c);
    put_int(out, "max_position_embeddings", c->max_position_embeddings);
    if (upper && window_width(c)) put_int(out, "max_window_layers", first_upper(c));
    put_key(out, "model_type");
    rein_str_printf(out, "\"%s\"", rein_model_family_name(c->family));
    if (family->no_rope) put_no_rope(out, c);
    put_int(out, "num_attention_heads", c->H);
    put_int(out, "num_hidden_layers", c->L);
    put_int(out, "num_key_value_heads", c->K);
    put_id(out, "pad_token_id", c->pad_id);
    put_float(out, "rms_norm_eps", c->rms_norm_eps);
    put_rope(out, c);
    if (family->window == REIN_WINDOW_ALL || window_width(c)) put_window(out, c);
    put_bool(out, "tie_word_embeddings", c->tie_word_embeddings);
    put_key(out, "torch_dtype");
    rein_str_printf(out, "\"%s\"", rein_torch_dtype_name(c->dtype));
    if (switched) put_bool(out, "use_sliding_window", window_width(c) > 0);
    put_int(out, "vocab_size", c->V);
    rein_str_puts(out, "\n}\n");
    return rein_str_check(out);
}

static void put_generation(rein_str *out, const rein_model_config *c) {
    rein_str_puts(out, "{\n  \"_from_model_config\": true");
    put_id(out, "bos_token_id", c->bos_id);
    put_eos(out, c);
    put_id(out, "pad_token_id", c->pad_id);
    rein_str_puts(out, "\n}\n");
}

rein_status rein_model_config_save(const rein_model_config *c, const char *dir) {
    rein_arena arena = {0};
    rein_str text = {0};
    char *path;
    rein_status status;
    REIN_TRY_OUT(status, rein_model_config_write(&text, c), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/config.json", dir), out);
    REIN_TRY_OUT(status, rein_file_write(path, text.data, text.len), out);
    rein_str_clear(&text);
    put_generation(&text, c);
    REIN_TRY_OUT(status, rein_str_check(&text), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/generation_config.json", dir), out);
    REIN_TRY_OUT(status, rein_file_write(path, text.data, text.len), out);
out:
    rein_str_deinit(&text);
    rein_arena_deinit(&arena);
    return status;
}
