/* rein inspect PATH: tensors, shapes, element types, sizes and hashes of a model, an adapter or a file of tensors. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/cli.h"
#include "io/gguf.h"
#include "io/peft.h"
#include "io/source.h"
#include "run/resolve.h"

/* What is shown, gathered before anything is printed: a model has `source`, other tensors have `tensors`. */
typedef struct subject {
    const char *path, *kind;
    rein_arena arena;
    rein_source *source;
    rein_tensors *tensors;
    bool is_adapter;
    rein_lora_config lora; /* strings in arena */
    int64_t parameters;
} subject;

static int64_t count(const subject *s) {
    return s->source ? rein_source_count(s->source) : rein_tensors_count(s->tensors);
}

static const rein_tensor_view *tensor(const subject *s, int64_t i) {
    return s->source ? rein_source_at(s->source, i) : rein_tensors_at(s->tensors, i);
}

static const char *file(const subject *s, int64_t i, int64_t *bytes) {
    return s->source ? rein_source_file(s->source, i, bytes) : rein_tensors_file(s->tensors, i, bytes);
}

/* Without tensors to say otherwise: the first bytes of a file. */
static rein_status is_gguf(bool *out, const char *path) {
    rein_map map;
    REIN_TRY(rein_map_open(&map, path));
    *out = map.len >= 4 && memcmp(map.data, "GGUF", 4) == 0;
    rein_map_close(&map);
    return REIN_OK;
}

static rein_status open_tensors(subject *s, const char *kind, const char *path) {
    s->kind = kind;
    return rein_tensors_open(&s->tensors, path);
}

static rein_status open_model(subject *s, const char *path) {
    char *dir;
    REIN_TRY(rein_model_dir_resolve(&dir, &s->arena, path));
    REIN_TRY(rein_source_open(&s->source, dir));
    s->kind = rein_source_gguf(s->source) ? "gguf" : "model";
    return REIN_OK;
}

static rein_status open_any(subject *s, const char *path) {
    char *config, *adapter, *single, *index;
    bool gguf = false;
    if (rein_path_exists(path) && !rein_path_is_dir(path)) {
        REIN_TRY(is_gguf(&gguf, path));
        return gguf ? open_model(s, path) : open_tensors(s, "tensors", path);
    }
    REIN_TRY(rein_path_format(&s->arena, &config, "%s/config.json", path));
    REIN_TRY(rein_path_format(&s->arena, &adapter, "%s/adapter_model.safetensors", path));
    REIN_TRY(rein_path_format(&s->arena, &single, "%s/model.safetensors", path));
    REIN_TRY(rein_path_format(&s->arena, &index, "%s/model.safetensors.index.json", path));
    if (rein_path_exists(config)) return open_model(s, path);
    if (rein_path_exists(adapter)) {
        s->is_adapter = true;
        REIN_TRY(rein_peft_config_load(&s->lora, &s->arena, path));
        return open_tensors(s, "adapter", adapter);
    }
    if (rein_path_exists(single) || rein_path_exists(index)) return open_tensors(s, "tensors", path);
    return open_model(s, path);
}

static rein_status open_subject(subject *s, const char *path) {
    s->path = path;
    REIN_TRY(open_any(s, path));
    for (int64_t i = 0; i < count(s); i++) s->parameters += tensor(s, i)->n;
    return REIN_OK;
}

static void close_subject(subject *s) {
    rein_source_close(s->source);
    rein_tensors_close(s->tensors);
    rein_arena_deinit(&s->arena);
}

static void tensor_hash(char out[REIN_XXH_HEX], const rein_tensor_view *v) {
    rein_xxh3_hex(out, v->data, (size_t)rein_dtype_bytes(v->dtype, v->n));
}

/* ---- JSON ---- */

static rein_status json_files(rein_str *out, const subject *s) {
    char sha256[REIN_SHA256_HEX];
    const char *path;
    int64_t bytes;
    for (int64_t i = 0; (path = file(s, i, &bytes)); i++) {
        REIN_TRY(rein_sha256_file(sha256, path));
        rein_str_puts(out, i ? ",{\"path\":" : "{\"path\":");
        rein_json_put_string(out, path, strlen(path));
        rein_str_printf(out, ",\"bytes\":%lld,\"sha256\":\"%s\"}", (long long)bytes, sha256);
    }
    return REIN_OK;
}

static void json_tensors(rein_str *out, const subject *s) {
    char hash[REIN_XXH_HEX];
    for (int64_t i = 0; i < count(s); i++) {
        const rein_tensor_view *v = tensor(s, i);
        tensor_hash(hash, v);
        rein_str_puts(out, i ? ",\n{\"name\":" : "\n{\"name\":");
        rein_json_put_string(out, v->name, strlen(v->name));
        rein_str_printf(out, ",\"dtype\":\"%s\",\"shape\":[", rein_dtype_name(v->dtype));
        for (int d = 0; d < v->n_dim; d++) rein_str_printf(out, d ? ",%lld" : "%lld", (long long)v->shape[d]);
        rein_str_printf(out, "],\"xxh3\":\"%s\"}", hash);
    }
}

/* One value; of an array and of a long text only how much there is. */
static void put_value(rein_str *out, const rein_gguf_value *v) {
    const char *text;
    size_t len;
    const unsigned char *at = v->data;
    if (v->array) {
        rein_str_printf(out, "\"%lld of %s\"", (long long)v->n, rein_gguf_type_name(v->type));
    } else if (v->type == REIN_GGUF_STRING) {
        rein_gguf_next_string(&text, &len, &at);
        if (len > 256)
            rein_str_printf(out, "\"text of %zu bytes\"", len);
        else
            rein_json_put_string(out, text, len);
    } else if (v->type == REIN_GGUF_F32) {
        rein_json_put_f32(out, (float)rein_gguf_value_float(v, 0));
    } else if (v->type == REIN_GGUF_F64) {
        rein_json_put_f64(out, rein_gguf_value_float(v, 0));
    } else if (v->type == REIN_GGUF_BOOL) {
        rein_str_puts(out, rein_gguf_value_int(v, 0) ? "true" : "false");
    } else {
        rein_str_printf(out, "%lld", (long long)rein_gguf_value_int(v, 0));
    }
}

static void json_metadata(rein_str *out, const rein_gguf *g) {
    rein_str_puts(out, ",\"metadata\":{");
    for (int64_t i = 0; i < rein_gguf_value_count(g); i++) {
        const rein_gguf_value *v = rein_gguf_value_at(g, i);
        rein_str_puts(out, i ? ",\n" : "\n");
        rein_json_put_string(out, v->key, strlen(v->key));
        rein_str_putc(out, ':');
        put_value(out, v);
    }
    rein_str_putc(out, '}');
}

static rein_status write_json(rein_str *out, const subject *s) {
    rein_str_printf(out, "{\"kind\":\"%s\",\"path\":", s->kind);
    rein_json_put_string(out, s->path, strlen(s->path));
    rein_str_printf(out, ",\"parameters\":%lld,\"files\":[", (long long)s->parameters);
    REIN_TRY(json_files(out, s));
    rein_str_putc(out, ']');
    if (s->source) {
        rein_str_puts(out, ",\"config\":");
        REIN_TRY(rein_model_config_write(out, rein_source_config(s->source)));
        if (rein_source_gguf(s->source)) json_metadata(out, rein_source_gguf(s->source));
    }
    if (s->is_adapter) {
        rein_str_puts(out, ",\"adapter\":");
        REIN_TRY(rein_peft_config_write(out, &s->lora));
    }
    rein_str_puts(out, ",\"tensors\":[");
    json_tensors(out, s);
    rein_str_puts(out, "]}\n");
    return REIN_OK;
}

/* ---- text ---- */

static void text_config(rein_str *out, const rein_model_config *c) {
    rein_str_printf(
        out, "model       %s: %lld layers, width %lld, %lld heads (%lld kv) of %lld, ffn %lld, vocabulary %lld%s\n",
        rein_model_family_name(c->family), (long long)c->L, (long long)c->C, (long long)c->H, (long long)c->K,
        (long long)c->D, (long long)c->F, (long long)c->V, c->tie_word_embeddings ? ", tied embeddings" : "");
}

static void text_adapter(rein_str *out, const rein_lora_config *c) {
    rein_str_printf(out, "adapter     %s%s r %lld, alpha %g, of %s\n", c->use_rslora ? "rs" : "",
                    c->use_dora ? "DoRA" : "LoRA", (long long)c->r, c->alpha, c->base ? c->base : "no named base");
}

static rein_status text_files(rein_str *out, const subject *s) {
    char sha256[REIN_SHA256_HEX];
    const char *path;
    int64_t bytes;
    for (int64_t i = 0; (path = file(s, i, &bytes)); i++) {
        REIN_TRY(rein_sha256_file(sha256, path));
        rein_str_printf(out, "file        %s\n            %lld bytes, sha256 %s\n", path, (long long)bytes, sha256);
    }
    return REIN_OK;
}

static void text_metadata(rein_str *out, const rein_gguf *g) {
    rein_str_printf(out, "\n%-44s %s\n", "metadata", "value");
    for (int64_t i = 0; i < rein_gguf_value_count(g); i++) {
        const rein_gguf_value *v = rein_gguf_value_at(g, i);
        rein_str_printf(out, "%-44s ", v->key);
        put_value(out, v);
        rein_str_putc(out, '\n');
    }
}

static void text_tensors(rein_str *out, const subject *s) {
    char hash[REIN_XXH_HEX];
    rein_str_printf(out, "\n%-6s %-24s %-32s %s\n", "dtype", "shape", "xxh3", "tensor");
    for (int64_t i = 0; i < count(s); i++) {
        const rein_tensor_view *v = tensor(s, i);
        tensor_hash(hash, v);
        rein_str_printf(out, "%-6s ", rein_dtype_name(v->dtype));
        size_t begin = out->len;
        for (int d = 0; d < v->n_dim; d++) rein_str_printf(out, d ? " x %lld" : "%lld", (long long)v->shape[d]);
        int used = (int)(out->len - begin);
        rein_str_printf(out, "%*s %s %s\n", used < 24 ? 24 - used : 0, "", hash, v->name);
    }
}

static rein_status write_text(rein_str *out, const subject *s) {
    if (s->source) text_config(out, rein_source_config(s->source));
    if (s->is_adapter) text_adapter(out, &s->lora);
    rein_str_printf(out, "parameters  %lld in %lld tensors\n", (long long)s->parameters, (long long)count(s));
    REIN_TRY(text_files(out, s));
    if (s->source && rein_source_gguf(s->source)) text_metadata(out, rein_source_gguf(s->source));
    text_tensors(out, s);
    return REIN_OK;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)opts, (void)n_words;
    rein_str out = {0};
    subject s = {0};
    rein_status status;
    REIN_TRY_OUT(status, open_subject(&s, words[0]), out);
    REIN_TRY_OUT(status, cli->json ? write_json(&out, &s) : write_text(&out, &s), out);
    REIN_TRY_OUT(status, rein_str_check(&out), out);
    if (fwrite(out.data, 1, out.len, cli->out) != out.len) status = rein_fail(REIN_ERR_IO, "cannot write the result");
out:
    close_subject(&s);
    rein_str_deinit(&out);
    return status;
}

const rein_command rein_cmd_inspect = {
    .name = "inspect",
    .subject = "PATH",
    .summary =
        "what a model, GGUF, adapter, checkpoint, run or safetensors file holds: shapes, dtypes, parameters, hashes",
    .min_positional = 1,
    .max_positional = 1,
    .run = run,
};
