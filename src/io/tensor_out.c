/* Tensors to write, of any format: checks of a list and the data of one, converted in blocks; see internal.h. */
#include <stdlib.h>
#include <string.h>

#include "io/internal.h"

enum { BLOCK = 16384 }; /* elements converted at a time: whole blocks of every dtype */

/* ---- checking the list ---- */

rein_status rein_tensor_out_check(int64_t *bytes, const rein_tensor_out *t) {
    int64_t n;
    if (!t->name) return rein_fail(REIN_ERR_ARG, "'(null)' is no name for a tensor");
    if (t->n_dim < 0 || t->n_dim > REIN_TENSOR_DIMS)
        return rein_fail(REIN_ERR_ARG, "tensor '%s': %d dimensions, expected 0 to %d", t->name, t->n_dim,
                         REIN_TENSOR_DIMS);
    if (!rein_shape_size(&n, bytes, t->dtype, t->shape, t->n_dim))
        return rein_fail(REIN_ERR_ARG, "tensor '%s': the size of its shape is negative or overflows", t->name);
    int sources = !!t->f32 + !!t->raw + !!t->view;
    if (sources > 1 || (n > 0 && sources == 0))
        return rein_fail(REIN_ERR_ARG, "tensor '%s': exactly one of f32, raw and view must be given", t->name);
    if (t->view && t->view->n != n)
        return rein_fail(REIN_ERR_ARG, "tensor '%s': %lld elements for a shape of %lld", t->name, (long long)t->view->n,
                         (long long)n);
    bool converted = t->f32 || (t->view && t->view->dtype != t->dtype);
    if (converted && t->dtype != REIN_F32 && t->dtype != REIN_F16 && t->dtype != REIN_BF16 && t->dtype != REIN_Q8_0)
        return rein_fail(REIN_ERR_ARG, "tensor '%s': f32 data cannot be stored as %s", t->name,
                         rein_dtype_name(t->dtype));
    return REIN_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

rein_status rein_tensor_names_check(const rein_tensor_out *list, int64_t n) {
    const char **names;
    rein_status status = REIN_OK;
    REIN_TRY(rein_alloc(&names, n, sizeof *names));
    for (int64_t i = 0; i < n; i++) names[i] = list[i].name;
    if (n > 0) qsort(names, (size_t)n, sizeof *names, by_text);
    for (int64_t i = 1; i < n && status == REIN_OK; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            status = rein_fail(REIN_ERR_ARG, "tensor '%s' is given twice", names[i]);
    rein_free(names);
    return status;
}

/* ---- the data ---- */

static rein_status write_bytes(rein_appender *file, const void *bytes, int64_t n) {
    return rein_appender_write(file, bytes, (size_t)n, false);
}

static rein_status write_converted(rein_appender *file, const rein_tensor_out *t, int64_t n) {
    float values[BLOCK];
    unsigned char stored[BLOCK * sizeof(float)];
    for (int64_t at = 0; at < n; at += BLOCK) {
        int64_t count = n - at < BLOCK ? n - at : BLOCK;
        if (t->view) REIN_TRY(rein_tensor_read_f32(values, t->view, at, count));
        rein_quantize(stored, t->dtype, t->f32 ? t->f32 + at : values, count);
        REIN_TRY(write_bytes(file, stored, rein_dtype_bytes(t->dtype, count)));
    }
    return REIN_OK;
}

rein_status rein_tensor_append(rein_appender *file, const rein_tensor_out *t) {
    int64_t n, bytes;
    rein_shape_size(&n, &bytes, t->dtype, t->shape, t->n_dim);
    if (n == 0) return REIN_OK;
    if (t->raw) return write_bytes(file, t->raw, bytes);
    if (t->f32 && t->dtype == REIN_F32) return write_bytes(file, t->f32, bytes);
    if (t->view && t->view->dtype == t->dtype) return write_bytes(file, t->view->data, bytes);
    return write_converted(file, t, n);
}
