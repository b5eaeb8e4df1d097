/*
 * A GGUF file as a model; see gguf_source.h. Of the llama family the rows of q and k are copied in Hugging Face's order
 * at open (whole rows, so no value changes); all other tensors stay in the map.
 */
#include "io/gguf_source.h"

#include <stdlib.h>
#include <string.h>

#include "io/gguf_config.h"
#include "io/gguf_names.h"
#include "io/gguf_tokenizer.h"

typedef rein_status (*text_fn)(rein_str *out, const rein_gguf *g);

static rein_status chat_template_text(rein_str *out, const rein_gguf *g) {
    const char *text;
    size_t len;
    REIN_TRY(rein_gguf_string(&text, &len, g, "tokenizer.chat_template"));
    rein_str_append(out, text, len);
    return rein_str_check(out);
}

static bool has_chat_template(const rein_gguf *g) { return rein_gguf_value_find(g, "tokenizer.chat_template") != NULL; }

static bool always(const rein_gguf *g) {
    (void)g;
    return true;
}

static const struct {
    const char *file;
    bool (*has)(const rein_gguf *g);
    text_fn make;
} files[] = {
    {"config.json", always, rein_gguf_config_text},
    {"generation_config.json", always, rein_gguf_generation_text},
    {"tokenizer.json", rein_gguf_has_tokenizer, rein_gguf_tokenizer_text},
    {"tokenizer_config.json", rein_gguf_has_tokenizer, rein_gguf_tokenizer_config_text},
    {"special_tokens_map.json", rein_gguf_has_tokenizer, rein_gguf_special_tokens_text},
    {"chat_template.jinja", has_chat_template, chat_template_text},
};

rein_status rein_gguf_text(rein_str *out, bool *found, const rein_gguf *g, const char *file) {
    *found = false;
    for (size_t i = 0; i < REIN_COUNT(files) && !*found; i++) {
        if (strcmp(files[i].file, file) != 0 || !files[i].has(g)) continue;
        *found = true;
        REIN_TRY(files[i].make(out, g));
    }
    return REIN_OK;
}

struct rein_gguf_source {
    rein_gguf *file;
    const rein_gguf_arch *arch;
    rein_model_config config;
    rein_arena arena;       /* names */
    rein_tensor_view *view; /* (n) by name */
    int64_t n;
    unsigned char *rows; /* of q and k, in Hugging Face's order; NULL if the family keeps that */
    rein_str text[REIN_COUNT(files)];
    bool made[REIN_COUNT(files)];
};

/* ---- tensors ---- */

static rein_status rename_tensor(rein_gguf_source *s, const rein_tensor_view *v) {
    char name[REIN_TENSOR_NAME_BYTES], *copy;
    if (strcmp(v->name, "rope_freqs.weight") == 0) return REIN_OK; /* config.json has what it says */
    if (!rein_gguf_name_to_hf(name, v->name, s->config.L))
        return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' is none of a %s model of %lld layers", v->file, v->name,
                         s->arch->gguf, (long long)s->config.L);
    if (!rein_dtype_is_weight(v->dtype) || v->dtype == REIN_F64)
        return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' has dtype %s, which holds no weights", v->file, v->name,
                         rein_dtype_name(v->dtype));
    REIN_TRY(rein_arena_strdup(&s->arena, &copy, name, strlen(name)));
    s->view[s->n] = *v;
    s->view[s->n++].name = copy;
    return REIN_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const rein_tensor_view *)a)->name, ((const rein_tensor_view *)b)->name);
}

static rein_status rename_tensors(rein_gguf_source *s) {
    int64_t n = rein_gguf_count(s->file);
    REIN_TRY(rein_alloc(&s->view, n, sizeof *s->view));
    for (int64_t i = 0; i < n; i++) REIN_TRY(rename_tensor(s, rein_gguf_at(s->file, i)));
    if (s->n > 0) qsort(s->view, (size_t)s->n, sizeof *s->view, by_name);
    return REIN_OK;
}

/* ---- row order ---- */

static int64_t bytes_of(const rein_tensor_view *v) { return rein_dtype_bytes(v->dtype, v->n); }

static rein_status check_rotary(const rein_gguf_source *s, const rein_tensor_view *v, int64_t heads) {
    int64_t D = s->config.D;
    if (v->shape[0] == heads * D && D % 2 == 0 && v->n_dim <= 2 && (v->n_dim == 2 || rein_dtype_block(v->dtype) == 1))
        return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' has %lld rows of %s, expected %lld heads of %lld", v->file,
                     v->name, (long long)v->shape[0], rein_dtype_name(v->dtype), (long long)heads, (long long)D);
}

static rein_status restore_rows(rein_gguf_source *s) {
    int64_t total = 0, used = 0;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t heads = rein_gguf_rotary_heads(s->view[i].name, &s->config);
        if (!heads) continue;
        REIN_TRY(check_rotary(s, &s->view[i], heads));
        total += bytes_of(&s->view[i]); /* all lie in one file: no overflow */
    }
    REIN_TRY(rein_alloc(&s->rows, total, 1));
    for (int64_t i = 0; i < s->n; i++) {
        rein_tensor_view *v = &s->view[i];
        int64_t heads = rein_gguf_rotary_heads(v->name, &s->config);
        if (!heads) continue;
        rein_gguf_permute_rows(s->rows + used, v->data, heads, s->config.D, bytes_of(v) / v->shape[0], false);
        v->data = s->rows + used;
        used += bytes_of(v);
    }
    return REIN_OK;
}

/* ---- the interface ---- */

static rein_status parse_config(rein_gguf_source *s) {
    const char *text;
    size_t len;
    char *name;
    REIN_TRY(rein_gguf_source_text(s, "config.json", &text, &len));
    REIN_TRY(rein_arena_strdup(&s->arena, &name, rein_gguf_path(s->file), strlen(rein_gguf_path(s->file))));
    return rein_model_config_parse(&s->config, name, text, len);
}

rein_status rein_gguf_source_open(rein_gguf_source **out, const char *path) {
    rein_gguf_source *s;
    rein_status status;
    *out = NULL;
    REIN_TRY(rein_alloc(&s, 1, sizeof *s));
    REIN_TRY_OUT(status, rein_gguf_open(&s->file, path), fail);
    REIN_TRY_OUT(status, rein_gguf_arch_read(&s->arch, s->file), fail);
    REIN_TRY_OUT(status, parse_config(s), fail);
    REIN_TRY_OUT(status, rename_tensors(s), fail);
    if (s->arch->permuted) REIN_TRY_OUT(status, restore_rows(s), fail);
    *out = s;
    return REIN_OK;
fail:
    rein_gguf_source_close(s);
    return status;
}

void rein_gguf_source_close(rein_gguf_source *s) {
    if (!s) return;
    for (size_t i = 0; i < REIN_COUNT(files); i++) rein_str_deinit(&s->text[i]);
    rein_free(s->rows);
    rein_free(s->view);
    rein_arena_deinit(&s->arena);
    rein_gguf_close(s->file);
    rein_free(s);
}

const rein_gguf *rein_gguf_source_file(const rein_gguf_source *s) { return s->file; }

const rein_model_config *rein_gguf_source_config(const rein_gguf_source *s) { return &s->config; }

rein_status rein_gguf_source_text(rein_gguf_source *s, const char *file, const char **text, size_t *len) {
    *text = NULL;
    *len = 0;
    for (size_t i = 0; i < REIN_COUNT(files); i++) {
        if (strcmp(files[i].file, file) != 0 || !files[i].has(s->file)) continue;
        if (!s->made[i]) {
            rein_str_clear(&s->text[i]);
            REIN_TRY(files[i].make(&s->text[i], s->file));
            s->made[i] = true;
        }
        *text = s->text[i].data ? s->text[i].data : "";
        *len = s->text[i].len;
    }
    return REIN_OK;
}

int64_t rein_gguf_source_count(const rein_gguf_source *s) { return s->n; }

const rein_tensor_view *rein_gguf_source_at(const rein_gguf_source *s, int64_t i) {
    REIN_ASSERT(i >= 0 && i < s->n);
    return &s->view[i];
}

const rein_tensor_view *rein_gguf_source_find(const rein_gguf_source *s, const char *name) {
    const rein_tensor_view key = {.name = name};
    return s->n == 0 ? NULL : bsearch(&key, s->view, (size_t)s->n, sizeof key, by_name);
}
