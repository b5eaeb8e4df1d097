/* Rows of a JSONL file by number; see jsonl.h. */
#include "io/jsonl.h"

#include <string.h>

#include "base/file.h"

typedef struct place {
    int64_t at, len, line;
} place;

struct rein_jsonl {
    char *path;
    rein_map map;
    place *row; /* (n) */
    int64_t n, cap;
    rein_arena arena;
};

static rein_status add_row(rein_jsonl *f, const char *text, size_t len, int64_t line) {
    size_t i = 0;
    while (i < len && strchr(" \t\r", text[i]) && text[i]) i++;
    if (i == len) return REIN_OK;
    if (f->n == f->cap) {
        int64_t cap = f->cap ? 2 * f->cap : 1024;
        REIN_TRY(rein_realloc(&f->row, f->cap, cap, sizeof *f->row));
        f->cap = cap;
    }
    f->row[f->n++] = (place){text - (const char *)f->map.data, (int64_t)len, line};
    return REIN_OK;
}

static rein_status find_rows(rein_jsonl *f) {
    const char *at = (const char *)f->map.data, *end = at + f->map.len, *next;
    int64_t line = 1;
    for (; at < end; at = next, line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        next = newline ? newline + 1 : end;
        REIN_TRY(add_row(f, at, (size_t)((newline ? newline : end) - at), line));
    }
    return f->n > 0 ? REIN_OK : rein_fail(REIN_ERR_FORMAT, "%s: no rows", f->path);
}

rein_status rein_jsonl_open(rein_jsonl **out, const char *path) {
    rein_jsonl *f;
    rein_status status;
    REIN_TRY(rein_alloc(&f, 1, sizeof *f));
    REIN_TRY_OUT(status, rein_arena_strdup(&f->arena, &f->path, path, strlen(path)), fail);
    REIN_TRY_OUT(status, rein_map_open(&f->map, path), fail);
    REIN_TRY_OUT(status, find_rows(f), fail);
    *out = f;
    return REIN_OK;
fail:
    rein_jsonl_close(f);
    return status;
}

void rein_jsonl_close(rein_jsonl *f) {
    if (!f) return;
    rein_map_close(&f->map);
    rein_free(f->row);
    rein_arena_deinit(&f->arena);
    rein_free(f);
}

int64_t rein_jsonl_count(const rein_jsonl *f) { return f->n; }
const char *rein_jsonl_path(const rein_jsonl *f) { return f->path; }
int64_t rein_jsonl_line(const rein_jsonl *f, int64_t i) { return f->row[i].line; }

rein_status rein_jsonl_row(struct json_object **out, const rein_jsonl *f, int64_t i) {
    REIN_ASSERT(i >= 0 && i < f->n);
    const place *p = &f->row[i];
    REIN_TRY(rein_json_parse_line(out, f->path, p->line, (const char *)f->map.data + p->at, (size_t)p->len));
    if (json_object_is_type(*out, json_type_object)) return REIN_OK;
    json_object_put(*out);
    *out = NULL;
    return rein_fail(REIN_ERR_FORMAT, "%s:%lld: a row must be an object {\"column\": value, ...}", f->path,
                     (long long)p->line);
}
