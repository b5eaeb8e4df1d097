/* rein inspect PATH: tensors, shapes, element types, sizes and hashes of a model, an adapter or a safetensors file. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/cli.h"
#include "io/hf_config.h"
#include "io/peft.h"
#include "io/safetensors.h"

/* What is shown, gathered before anything is printed. */
typedef struct subject {
    const char *path;
    rein_tensors *tensors;
    bool has_config;
    rein_model_config config;
    bool is_adapter;
    rein_lora_config lora;
    rein_arena arena; /* of lora */
    int64_t parameters;
} subject;

static rein_status open_subject(subject *s, const char *path) {
    rein_arena arena = {0};
    char *config;
    rein_status status;
    *s = (subject){.path = path};
    REIN_TRY_OUT(status, rein_path_format(&arena, &config, "%s/config.json", path), out);
    s->has_config = rein_path_is_dir(path) && rein_path_exists(config);
    if (s->has_config) REIN_TRY_OUT(status, rein_model_config_load(&s->config, path), out);
    s->is_adapter = rein_peft_is_dir(path);
    if (s->is_adapter) REIN_TRY_OUT(status, rein_peft_config_load(&s->lora, &s->arena, path), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &config, "%s/adapter_model.safetensors", path), out);
    REIN_TRY_OUT(status, rein_tensors_open(&s->tensors, s->is_adapter ? config : path), out);
    for (int64_t i = 0; i < rein_tensors_count(s->tensors); i++) s->parameters += rein_tensors_at(s->tensors, i)->n;
out:
    rein_arena_deinit(&arena);
    return status;
}

static void tensor_hash(char out[REIN_XXH_HEX], const rein_tensor_view *v) {
    rein_xxh3_hex(out, v->data, (size_t)(v->n * rein_dtype_block_bytes(v->dtype)));
}

/* ---- JSON ---- */

static rein_status json_files(rein_str *out, const rein_tensors *t) {
    char sha256[REIN_SHA256_HEX];
    const char *path;
    int64_t bytes;
    for (int64_t i = 0; (path = rein_tensors_file(t, i, &bytes)); i++) {
        REIN_TRY(rein_sha256_file(sha256, path));
        rein_str_puts(out, i ? ",{\"path\":" : "{\"path\":");
        rein_json_put_string(out, path, strlen(path));
        rein_str_printf(out, ",\"bytes\":%lld,\"sha256\":\"%s\"}", (long long)bytes, sha256);
    }
    return REIN_OK;
}

static void json_tensors(rein_str *out, const rein_tensors *t) {
    char hash[REIN_XXH_HEX];
    for (int64_t i = 0; i < rein_tensors_count(t); i++) {
        const rein_tensor_view *v = rein_tensors_at(t, i);
        tensor_hash(hash, v);
        rein_str_puts(out, i ? ",\n{\"name\":" : "\n{\"name\":");
        rein_json_put_string(out, v->name, strlen(v->name));
        rein_str_printf(out, ",\"dtype\":\"%s\",\"shape\":[", rein_dtype_name(v->dtype));
        for (int d = 0; d < v->n_dim; d++) rein_str_printf(out, d ? ",%lld" : "%lld", (long long)v->shape[d]);
        rein_str_printf(out, "],\"xxh3\":\"%s\"}", hash);
    }
}

static rein_status write_json(rein_str *out, const subject *s) {
    rein_str_printf(out, "{\"kind\":\"%s\",\"path\":", s->is_adapter ? "adapter" : s->has_config ? "model" : "tensors");
    rein_json_put_string(out, s->path, strlen(s->path));
    rein_str_printf(out, ",\"parameters\":%lld,\"files\":[", (long long)s->parameters);
    REIN_TRY(json_files(out, s->tensors));
    rein_str_putc(out, ']');
    if (s->has_config) {
        rein_str_puts(out, ",\"config\":");
        REIN_TRY(rein_model_config_write(out, &s->config));
    }
    if (s->is_adapter) {
        rein_str_puts(out, ",\"adapter\":");
        REIN_TRY(rein_peft_config_write(out, &s->lora));
    }
    rein_str_puts(out, ",\"tensors\":[");
    json_tensors(out, s->tensors);
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

static rein_status text_files(rein_str *out, const rein_tensors *t) {
    char sha256[REIN_SHA256_HEX];
    const char *path;
    int64_t bytes;
    for (int64_t i = 0; (path = rein_tensors_file(t, i, &bytes)); i++) {
        REIN_TRY(rein_sha256_file(sha256, path));
        rein_str_printf(out, "file        %s\n            %lld bytes, sha256 %s\n", path, (long long)bytes, sha256);
    }
    return REIN_OK;
}

static void text_tensors(rein_str *out, const rein_tensors *t) {
    char hash[REIN_XXH_HEX];
    rein_str_printf(out, "\n%-6s %-24s %-32s %s\n", "dtype", "shape", "xxh3", "tensor");
    for (int64_t i = 0; i < rein_tensors_count(t); i++) {
        const rein_tensor_view *v = rein_tensors_at(t, i);
        tensor_hash(hash, v);
        rein_str_printf(out, "%-6s ", rein_dtype_name(v->dtype));
        size_t begin = out->len;
        for (int d = 0; d < v->n_dim; d++) rein_str_printf(out, d ? " x %lld" : "%lld", (long long)v->shape[d]);
        int used = (int)(out->len - begin);
        rein_str_printf(out, "%*s %s %s\n", used < 24 ? 24 - used : 0, "", hash, v->name);
    }
}

static rein_status write_text(rein_str *out, const subject *s) {
    if (s->has_config) text_config(out, &s->config);
    if (s->is_adapter) text_adapter(out, &s->lora);
    rein_str_printf(out, "parameters  %lld in %lld tensors\n", (long long)s->parameters,
                    (long long)rein_tensors_count(s->tensors));
    REIN_TRY(text_files(out, s->tensors));
    text_tensors(out, s->tensors);
    return REIN_OK;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)opts, (void)n_words;
    rein_str out = {0};
    subject s;
    rein_status status;
    REIN_TRY_OUT(status, open_subject(&s, words[0]), out);
    REIN_TRY_OUT(status, cli->json ? write_json(&out, &s) : write_text(&out, &s), out);
    REIN_TRY_OUT(status, rein_str_check(&out), out);
    if (fwrite(out.data, 1, out.len, cli->out) != out.len) status = rein_fail(REIN_ERR_IO, "cannot write the result");
out:
    rein_tensors_close(s.tensors);
    rein_arena_deinit(&s.arena);
    rein_str_deinit(&out);
    return status;
}

const rein_command rein_cmd_inspect = {
    .name = "inspect",
    .subject = "PATH",
    .summary = "what a model, an adapter or a safetensors file holds: shapes, dtypes, parameters, hashes",
    .min_positional = 1,
    .max_positional = 1,
    .run = run,
};
