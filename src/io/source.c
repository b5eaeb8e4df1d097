/* A Hugging Face model directory as a source; see source.h. */
#include "io/source.h"

#include "base/file.h"

struct rein_source {
    char *path;
    rein_model_config config;
    rein_tensors *tensors;
    rein_arena arena;
};

rein_status rein_source_open(rein_source **out, const char *path) {
    rein_source *s;
    rein_status status;
    REIN_TRY(rein_alloc(&s, 1, sizeof *s));
    REIN_TRY_OUT(status, rein_path_format(&s->arena, &s->path, "%s", path), fail);
    REIN_TRY_OUT(status, rein_model_config_load(&s->config, path), fail);
    REIN_TRY_OUT(status, rein_tensors_open(&s->tensors, path), fail);
    *out = s;
    return REIN_OK;
fail:
    rein_source_close(s);
    return status;
}

void rein_source_close(rein_source *s) {
    if (!s) return;
    rein_tensors_close(s->tensors);
    rein_arena_deinit(&s->arena);
    rein_free(s);
}

const char *rein_source_path(const rein_source *s) { return s->path; }

const char *rein_source_format(const rein_source *s) {
    (void)s;
    return "hf";
}

const rein_model_config *rein_source_config(const rein_source *s) { return &s->config; }

rein_status rein_source_text(rein_source *s, const char *file, const char **text, size_t *len) {
    rein_str content = {0};
    char *path, *copy;
    *text = NULL;
    *len = 0;
    REIN_TRY(rein_path_format(&s->arena, &path, "%s/%s", s->path, file));
    if (!rein_path_exists(path)) return REIN_OK;
    rein_status status = rein_file_read(&content, path);
    if (status == REIN_OK) status = rein_arena_strdup(&s->arena, &copy, content.data ? content.data : "", content.len);
    if (status == REIN_OK) {
        *text = copy;
        *len = content.len;
    }
    rein_str_deinit(&content);
    return status;
}

int64_t rein_source_count(const rein_source *s) { return rein_tensors_count(s->tensors); }

const rein_tensor_view *rein_source_at(const rein_source *s, int64_t i) { return rein_tensors_at(s->tensors, i); }

const rein_tensor_view *rein_source_find(const rein_source *s, const char *name) {
    return rein_tensors_find(s->tensors, name);
}
