/* Writing GGUF; see gguf_write.h. */
#include "io/gguf_write.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "io/gguf_format.h"
#include "io/internal.h"
#include "tensor/bits.h"

static void put_number(rein_str *s, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) rein_str_putc(s, (char)(unsigned char)(value >> 8 * i));
}

static void put_text(rein_str *s, const char *text, size_t len) {
    put_number(s, len, 8);
    rein_str_append(s, text, len);
}

/* ---- metadata ---- */

void rein_gguf_meta_deinit(rein_gguf_meta *m) { rein_str_deinit(&m->bytes); }

static void put_key(rein_gguf_meta *m, const char *key, rein_gguf_type type) {
    put_text(&m->bytes, key, strlen(key));
    put_number(&m->bytes, type, 4);
    m->n++;
}

void rein_gguf_put_u32(rein_gguf_meta *m, const char *key, uint32_t value) {
    put_key(m, key, REIN_GGUF_U32);
    put_number(&m->bytes, value, 4);
}

void rein_gguf_put_f32(rein_gguf_meta *m, const char *key, float value) {
    put_key(m, key, REIN_GGUF_F32);
    put_number(&m->bytes, rein_bits_of(value), 4);
}

void rein_gguf_put_f64(rein_gguf_meta *m, const char *key, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(m, key, REIN_GGUF_F64);
    put_number(&m->bytes, bits, 8);
}

void rein_gguf_put_bool(rein_gguf_meta *m, const char *key, bool value) {
    put_key(m, key, REIN_GGUF_BOOL);
    put_number(&m->bytes, value, 1);
}

void rein_gguf_put_string(rein_gguf_meta *m, const char *key, const char *text, size_t len) {
    put_key(m, key, REIN_GGUF_STRING);
    put_text(&m->bytes, text, len);
}

void rein_gguf_put_array(rein_gguf_meta *m, const char *key, rein_gguf_type type, int64_t n) {
    put_key(m, key, REIN_GGUF_ARRAY);
    put_number(&m->bytes, type, 4);
    put_number(&m->bytes, (uint64_t)n, 8);
}

void rein_gguf_add_i32(rein_gguf_meta *m, int32_t value) { put_number(&m->bytes, (uint32_t)value, 4); }

void rein_gguf_add_string(rein_gguf_meta *m, const char *text, size_t len) { put_text(&m->bytes, text, len); }

/* ---- the header ---- */

static int64_t padding(int64_t at) { return (REIN_GGUF_ALIGNMENT - at % REIN_GGUF_ALIGNMENT) % REIN_GGUF_ALIGNMENT; }

static rein_status check_tensor(int64_t *bytes, uint32_t *number, const rein_tensor_out *t) {
    REIN_TRY(rein_tensor_out_check(bytes, t));
    if (*bytes == 0 || t->n_dim < 1 || t->n_dim > REIN_GGUF_DIMS || strlen(t->name) > REIN_GGUF_NAME_BYTES ||
        t->shape[t->n_dim - 1] % rein_dtype_block(t->dtype) != 0 || !rein_gguf_dtype_number(number, t->dtype))
        return rein_fail(
            REIN_ERR_ARG,
            "tensor '%s' of %d dimensions and %s cannot be stored in GGUF (names of at most %d bytes, rows "
            "of whole blocks of %lld)",
            t->name, t->n_dim, rein_dtype_name(t->dtype), REIN_GGUF_NAME_BYTES, (long long)rein_dtype_block(t->dtype));
    return REIN_OK;
}

static rein_status put_tensors(rein_str *s, const rein_tensor_out *list, int64_t n) {
    int64_t offset = 0;
    for (int64_t i = 0; i < n; i++) {
        const rein_tensor_out *t = &list[i];
        int64_t bytes;
        uint32_t number;
        REIN_TRY(check_tensor(&bytes, &number, t));
        if (bytes > INT64_MAX / 2 - offset)
            return rein_fail(REIN_ERR_ARG, "tensor '%s': the file would be too large", t->name);
        put_text(s, t->name, strlen(t->name));
        put_number(s, (uint64_t)t->n_dim, 4);
        for (int d = t->n_dim - 1; d >= 0; d--) put_number(s, (uint64_t)t->shape[d], 8);
        put_number(s, number, 4);
        put_number(s, (uint64_t)offset, 8);
        offset += bytes + padding(bytes);
    }
    return REIN_OK;
}

static rein_status build_header(rein_str *s, const rein_gguf_meta *m, const rein_tensor_out *list, int64_t n) {
    rein_str_append(s, "GGUF", 4);
    put_number(s, 3, 4);
    put_number(s, (uint64_t)n, 8);
    put_number(s, m->n, 8);
    REIN_TRY(rein_str_check(&m->bytes));
    rein_str_append(s, m->bytes.data ? m->bytes.data : "", m->bytes.len);
    REIN_TRY(put_tensors(s, list, n));
    for (int64_t i = padding((int64_t)s->len); i > 0; i--) rein_str_putc(s, '\0');
    REIN_TRY(rein_str_check(s));
    return rein_tensor_names_check(list, n);
}

/* ---- the file ---- */

static rein_status write_all(const char *path, const rein_str *header, const rein_tensor_out *list, int64_t n) {
    static const char zeros[REIN_GGUF_ALIGNMENT] = {0};
    rein_appender file;
    rein_status status;
    REIN_TRY(rein_appender_open(&file, path, 0));
    REIN_TRY_OUT(status, rein_appender_write(&file, header->data, header->len, false), out);
    for (int64_t i = 0; i < n; i++) {
        int64_t elements, bytes;
        rein_shape_size(&elements, &bytes, list[i].dtype, list[i].shape, list[i].n_dim);
        REIN_TRY_OUT(status, rein_tensor_append(&file, &list[i]), out);
        REIN_TRY_OUT(status, rein_appender_write(&file, zeros, (size_t)padding(bytes), false), out);
    }
    REIN_TRY_OUT(status, rein_appender_write(&file, "", 0, true), out);
out:
    rein_appender_close(&file);
    return status;
}

rein_status rein_gguf_write(const char *path, const rein_gguf_meta *m, const rein_tensor_out *list, int64_t n) {
    rein_str header = {0};
    rein_arena arena = {0};
    char *temporary = NULL;
    rein_status status;
    REIN_TRY_OUT(status, build_header(&header, m, list, n), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &temporary, "%s.tmp-%ld", path, (long)getpid()), out);
    status = write_all(temporary, &header, list, n);
    if (status == REIN_OK) status = rein_publish(temporary, path);
    if (status != REIN_OK) unlink(temporary);
out:
    rein_arena_deinit(&arena);
    rein_str_deinit(&header);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "%s", path);
}
