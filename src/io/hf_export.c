/* A model as a Hugging Face directory; see export.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "io/export.h"
#include "io/internal.h"
#include "io/model_text.h"

static rein_dtype stored_dtype(const rein_export_options *options, rein_dtype dtype) {
    if (!options->keep_dtype) return options->dtype;
    return rein_torch_dtype_name(dtype) ? dtype : REIN_F32;
}

/* Wide elements first, so that all are aligned; else in order of names. */
static int by_width(const void *a, const void *b) {
    const rein_tensor_out *x = a, *y = b;
    int64_t wide_x = rein_dtype_block_bytes(x->dtype), wide_y = rein_dtype_block_bytes(y->dtype);
    if (wide_x != wide_y) return wide_x > wide_y ? -1 : 1;
    return strcmp(x->name, y->name);
}

static rein_status write_weights(const char *dir, const rein_source *s, const rein_export_options *options) {
    rein_tensor_out *list;
    int64_t n = rein_source_count(s);
    REIN_TRY(rein_alloc(&list, n, sizeof *list));
    for (int64_t i = 0; i < n; i++) {
        const rein_tensor_view *v = rein_source_at(s, i);
        list[i] =
            (rein_tensor_out){.name = v->name, .dtype = stored_dtype(options, v->dtype), .n_dim = v->n_dim, .view = v};
        memcpy(list[i].shape, v->shape, sizeof v->shape);
    }
    if (n > 0) qsort(list, (size_t)n, sizeof *list, by_width);
    rein_status status = rein_tensors_write_model(dir, list, n, options->max_bytes);
    rein_free(list);
    return status;
}

static rein_status fill(const char *dir, const char *name, rein_source *s, const rein_export_options *options) {
    rein_model_config config = *rein_source_config(s);
    config.dtype = stored_dtype(options, config.dtype);
    REIN_TRY(rein_mkdirs(dir));
    REIN_TRY(rein_model_config_save(&config, dir));
    REIN_TRY(rein_model_texts_copy(dir, rein_source_path(s))); /* generation_config.json too: it may say more */
    REIN_TRY(write_weights(dir, s, options));
    return rein_model_card_write(dir, name, s, options->figures, options->n_figures);
}

rein_status rein_export_hf(const char *dir, rein_source *s, const rein_export_options *options) {
    rein_arena arena = {0};
    char *name, *temporary = NULL;
    rein_status status;
    if (!options->keep_dtype && !rein_torch_dtype_name(options->dtype))
        return rein_fail(REIN_ERR_ARG, "a Hugging Face directory cannot hold %s; write GGUF or choose f32, bf16, f16",
                         rein_dtype_name(options->dtype));
    if (rein_path_exists(dir))
        return rein_fail(REIN_ERR_IO, "'%s' exists; nothing is overwritten, name another directory", dir);
    REIN_TRY_OUT(status, rein_path_format(&arena, &name, "%s", dir), out);
    for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--) name[n - 1] = '\0';
    REIN_TRY_OUT(status, rein_path_format(&arena, &temporary, "%s.tmp-%ld", name, (long)getpid()), out);
    status = fill(temporary, name, s, options);
    if (status == REIN_OK) status = rein_publish(temporary, name);
    if (status != REIN_OK) {
        rein_status removed = rein_remove_tree(temporary);
        (void)removed; /* the first error is the one to tell */
    }
out:
    rein_arena_deinit(&arena);
    return status;
}
