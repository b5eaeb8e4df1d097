/* A Hugging Face model directory or a GGUF file as a source; see source.h. */
#include "io/source.h"

#include "base/file.h"
#include "io/gguf_source.h"
#include "io/model_text.h"

/* Of a GGUF file only path and `gguf` are set, of a directory all but `gguf`. */
struct rein_source {
    char *path;
    rein_gguf_source *gguf;
    rein_model_config config;
    rein_tensors *tensors;
    rein_arena arena;
};

rein_status rein_source_open(rein_source **out, const char *path) {
    rein_source *s;
    rein_status status;
    REIN_TRY(rein_alloc(&s, 1, sizeof *s));
    REIN_TRY_OUT(status, rein_path_format(&s->arena, &s->path, "%s", path), fail);
    if (rein_path_is_dir(path) || !rein_path_exists(path)) {
        REIN_TRY_OUT(status, rein_model_config_load(&s->config, path), fail);
        REIN_TRY_OUT(status, rein_tensors_open(&s->tensors, path), fail);
    } else {
        REIN_TRY_OUT(status, rein_gguf_source_open(&s->gguf, path), fail);
    }
    *out = s;
    return REIN_OK;
fail:
    rein_source_close(s);
    return status;
}

void rein_source_close(rein_source *s) {
    if (!s) return;
    rein_gguf_source_close(s->gguf);
    rein_tensors_close(s->tensors);
    rein_arena_deinit(&s->arena);
    rein_free(s);
}

const char *rein_source_path(const rein_source *s) { return s->path; }

const rein_model_config *rein_source_config(const rein_source *s) {
    return s->gguf ? rein_gguf_source_config(s->gguf) : &s->config;
}

const char *rein_source_file(const rein_source *s, int64_t i, int64_t *bytes) {
    if (!s->gguf) return rein_tensors_file(s->tensors, i, bytes);
    *bytes = rein_gguf_bytes(rein_gguf_source_file(s->gguf));
    return i == 0 ? s->path : NULL;
}

const struct rein_gguf *rein_source_gguf(const rein_source *s) {
    return s->gguf ? rein_gguf_source_file(s->gguf) : NULL;
}

rein_status rein_source_text(rein_source *s, const char *file, const char **text, size_t *len) {
    rein_str content = {0};
    char *copy = NULL;
    bool found;
    *text = NULL;
    *len = 0;
    if (s->gguf) return rein_gguf_source_text(s->gguf, file, text, len);
    rein_status status = rein_model_text_file(&content, &found, s->path, file);
    if (status == REIN_OK && found)
        status = rein_arena_strdup(&s->arena, &copy, content.data ? content.data : "", content.len);
    if (status == REIN_OK) {
        *text = copy;
        *len = content.len;
    }
    rein_str_deinit(&content);
    return status;
}

int64_t rein_source_count(const rein_source *s) {
    return s->gguf ? rein_gguf_source_count(s->gguf) : rein_tensors_count(s->tensors);
}

const rein_tensor_view *rein_source_at(const rein_source *s, int64_t i) {
    return s->gguf ? rein_gguf_source_at(s->gguf, i) : rein_tensors_at(s->tensors, i);
}

const rein_tensor_view *rein_source_find(const rein_source *s, const char *name) {
    return s->gguf ? rein_gguf_source_find(s->gguf, name) : rein_tensors_find(s->tensors, name);
}
