/* The model card; see model_card.h. Same model, same figures: same bytes (no dates, no paths of this machine). */
#include "io/model_card.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "io/gguf.h"
#include "io/internal.h"
#include "rein/version.h"

static const char *last_component(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* A name inside a Markdown table. */
static void put_cell(rein_str *s, const char *text) {
    for (; *text; text++) {
        if (*text == '|' || *text == '\\' || *text == '`' || *text == '<') rein_str_putc(s, '\\');
        rein_str_putc(s, *text == '\n' ? ' ' : *text);
    }
}

static void put_model(rein_str *s, const rein_source *source) {
    const rein_model_config *c = rein_source_config(source);
    int64_t parameters = 0;
    for (int64_t i = 0; i < rein_source_count(source); i++) parameters += rein_source_at(source, i)->n;
    rein_str_printf(s,
                    "%s: %lld layers, width %lld, %lld heads (%lld for keys and values) of %lld, feed-forward %lld, "
                    "vocabulary %lld%s; context %lld tokens; %lld parameters.\n",
                    rein_family_row(c->family)->architecture, (long long)c->L, (long long)c->C, (long long)c->H,
                    (long long)c->K, (long long)c->D, (long long)c->F, (long long)c->V,
                    c->tie_word_embeddings ? ", tied embeddings" : "", (long long)c->max_position_embeddings,
                    (long long)parameters);
}

/* As a GGUF file states it; a directory does not. */
static void put_license(rein_str *s, const rein_source *source) {
    const rein_gguf *g = rein_source_gguf(source);
    const char *text;
    size_t len;
    if (!g || !rein_gguf_value_find(g, "general.license")) return;
    if (rein_gguf_string(&text, &len, g, "general.license") != REIN_OK || len > 64) return;
    rein_str_puts(s, "license: ");
    rein_json_put_string(s, text, len);
    rein_str_putc(s, '\n');
}

static rein_status put_file(rein_str *s, const char *name, const char *path) {
    char sha256[REIN_SHA256_HEX];
    rein_map map;
    REIN_TRY(rein_map_open(&map, path));
    long long bytes = (long long)map.len;
    rein_map_close(&map);
    REIN_TRY(rein_sha256_file(sha256, path));
    rein_str_puts(s, "| ");
    put_cell(s, name);
    rein_str_printf(s, " | %lld | `%s` |\n", bytes, sha256);
    return REIN_OK;
}

static const char file_table[] = "| file | bytes | SHA-256 |\n|---|---:|---|\n";

static rein_status put_sources(rein_str *s, const rein_source *source) {
    const char *path;
    int64_t bytes;
    rein_str_puts(s, "\n## Made from\n\n");
    rein_str_puts(s, file_table);
    for (int64_t i = 0; (path = rein_source_file(source, i, &bytes)); i++)
        REIN_TRY(put_file(s, last_component(path), path));
    return REIN_OK;
}

static rein_status put_files(rein_str *s, rein_arena *arena, const char *dir) {
    char **names, *path;
    int64_t n;
    rein_str_puts(s, "\n## Files\n\n");
    rein_str_puts(s, file_table);
    REIN_TRY(rein_list_dir(&names, &n, arena, dir));
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY(rein_path_format(arena, &path, "%s/%s", dir, names[i]));
        if (strcmp(names[i], "README.md") != 0) REIN_TRY(put_file(s, names[i], path));
    }
    return REIN_OK;
}

static void put_figures(rein_str *s, const rein_card_figure *figures, int64_t n) {
    if (n == 0) return;
    rein_str_puts(s, "\n## Measured\n\n| figure | value | 95 % interval | n |\n|---|---:|---|---:|\n");
    for (int64_t i = 0; i < n; i++) {
        const rein_card_figure *f = &figures[i];
        rein_str_puts(s, "| ");
        put_cell(s, f->name);
        rein_str_printf(s, " | %.4g | ", f->value);
        if (isfinite(f->lo) && isfinite(f->hi)) rein_str_printf(s, "%.4g to %.4g", f->lo, f->hi);
        rein_str_printf(s, " | %lld |\n", (long long)f->n);
    }
}

rein_status rein_model_card_write(const char *dir, const char *name, const rein_source *s,
                                  const rein_card_figure *figures, int64_t n) {
    rein_str text = {0};
    rein_arena arena = {0};
    char *path;
    rein_status status;
    rein_str_puts(&text, "---\nlibrary_name: transformers\npipeline_tag: text-generation\n");
    put_license(&text, s);
    rein_str_puts(&text, "tags:\n- rein\n---\n\n# ");
    put_cell(&text, last_component(name));
    rein_str_printf(&text, "\n\nWritten by rein %s. ", REIN_VERSION);
    put_model(&text, s);
    put_figures(&text, figures, n);
    REIN_TRY_OUT(status, put_files(&text, &arena, dir), out);
    REIN_TRY_OUT(status, put_sources(&text, s), out);
    REIN_TRY_OUT(status, rein_str_check(&text), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/README.md", dir), out);
    status = rein_file_write(path, text.data, text.len);
out:
    rein_arena_deinit(&arena);
    rein_str_deinit(&text);
    return status;
}
