/*
 * Reading GGUF; see gguf.h. The header is untrusted: lengths and counts are compared with the bytes that are left
 * before anything is allocated or read by them, and the whole file is checked before any view is handed out.
 */
#include "io/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "io/gguf_format.h"
#include "io/internal.h"

enum { MIN_PAIR = 8 + 1 + 4 + 1, MIN_TENSOR = 8 + 1 + 4 + 8 + 4 + 8 }; /* fewest bytes of one description */

struct rein_gguf {
    rein_arena arena; /* path, keys, names */
    char *path;
    rein_map map;
    rein_gguf_value *value; /* (n_value) by key */
    int64_t n_value;
    rein_tensor_view *view; /* (n_view) by name */
    int64_t n_view;
};

/* The place of reading. */
typedef struct cursor {
    rein_gguf *g;
    const unsigned char *bytes;
    int64_t len, at;
} cursor;

/* ---- numbers and strings ---- */

static rein_status need(const cursor *c, int64_t bytes, const char *what) {
    if (bytes <= c->len - c->at) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "byte %lld: the file ends inside %s; fetch it again", (long long)c->at, what);
}

static rein_status read_u32(uint32_t *out, cursor *c, const char *what) {
    REIN_TRY(need(c, 4, what));
    *out = (uint32_t)rein_gguf_little_endian(c->bytes + c->at, 4);
    c->at += 4;
    return REIN_OK;
}

/* A count or length, which must fit what is left of the file at `each` bytes a piece. */
static rein_status read_count(int64_t *out, cursor *c, int64_t each, const char *what) {
    REIN_TRY(need(c, 8, what));
    uint64_t n = rein_gguf_little_endian(c->bytes + c->at, 8);
    if (n > (uint64_t)((c->len - c->at - 8) / each))
        return rein_fail(REIN_ERR_FORMAT, "byte %lld: %s is %llu, more than the other %lld bytes of the file can hold",
                         (long long)c->at, what, (unsigned long long)n, (long long)(c->len - c->at - 8));
    c->at += 8;
    *out = (int64_t)n;
    return REIN_OK;
}

/* A key or a name: short, without NUL bytes, copied with one at its end. */
static rein_status read_name(const char **out, cursor *c, int64_t max, const char *what) {
    int64_t len, at = c->at;
    char *copy;
    REIN_TRY(read_count(&len, c, 1, what));
    const char *text = (const char *)c->bytes + c->at;
    if (len < 1 || len > max || memchr(text, '\0', (size_t)len))
        return rein_fail(REIN_ERR_FORMAT, "byte %lld: %s of %lld bytes, expected 1 to %lld without NUL", (long long)at,
                         what, (long long)len, (long long)max);
    REIN_TRY(rein_arena_strdup(&c->g->arena, &copy, text, (size_t)len));
    c->at += len;
    *out = copy;
    return REIN_OK;
}

/* ---- metadata ---- */

static rein_status read_type(rein_gguf_type *out, cursor *c) {
    uint32_t type;
    REIN_TRY(read_u32(&type, c, "a value's type"));
    if (type >= REIN_GGUF_TYPES)
        return rein_fail(REIN_ERR_FORMAT, "byte %lld: type %u of a value is unknown", (long long)c->at - 4, type);
    *out = (rein_gguf_type)type;
    return REIN_OK;
}

static rein_status skip_strings(cursor *c, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        int64_t len;
        REIN_TRY(read_count(&len, c, 1, "the length of a string"));
        c->at += len;
    }
    return REIN_OK;
}

static rein_status skip_numbers(cursor *c, rein_gguf_type type, int64_t n) {
    int64_t size = rein_gguf_type_bytes(type);
    if (n > (c->len - c->at) / size) return need(c, INT64_MAX, "a value");
    for (int64_t i = 0; type == REIN_GGUF_BOOL && i < n; i++)
        if (c->bytes[c->at + i] > 1)
            return rein_fail(REIN_ERR_FORMAT, "byte %lld: %d is no boolean", (long long)(c->at + i),
                             c->bytes[c->at + i]);
    c->at += n * size;
    return REIN_OK;
}

static rein_status read_value(rein_gguf_value *v, cursor *c) {
    v->n = 1;
    REIN_TRY(read_type(&v->type, c));
    v->array = v->type == REIN_GGUF_ARRAY;
    if (v->array) {
        REIN_TRY(read_type(&v->type, c));
        if (v->type == REIN_GGUF_ARRAY)
            return rein_fail(REIN_ERR_FORMAT, "byte %lld: arrays of arrays are not supported", (long long)c->at - 4);
        REIN_TRY(read_count(&v->n, c, rein_gguf_type_bytes(v->type), "the length of an array"));
    }
    v->at = c->at;
    v->data = c->bytes + c->at;
    REIN_TRY(v->type == REIN_GGUF_STRING ? skip_strings(c, v->n) : skip_numbers(c, v->type, v->n));
    return REIN_OK;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const rein_gguf_value *)a)->key, ((const rein_gguf_value *)b)->key);
}

static rein_status read_metadata(cursor *c, int64_t n) {
    rein_gguf *g = c->g;
    REIN_TRY(rein_alloc(&g->value, n, sizeof *g->value));
    for (; g->n_value < n; g->n_value++) {
        rein_gguf_value *v = &g->value[g->n_value];
        REIN_TRY(read_name(&v->key, c, UINT16_MAX, "a key"));
        rein_status status = read_value(v, c);
        if (status != REIN_OK) return rein_error_prefix(status, "key '%s'", v->key);
    }
    if (n > 0) qsort(g->value, (size_t)n, sizeof *g->value, by_key);
    for (int64_t i = 1; i < n; i++)
        if (strcmp(g->value[i - 1].key, g->value[i].key) == 0)
            return rein_fail(REIN_ERR_FORMAT, "key '%s' is given twice, at bytes %lld and %lld", g->value[i].key,
                             (long long)g->value[i - 1].at, (long long)g->value[i].at);
    return REIN_OK;
}

/* ---- tensors ---- */

static rein_status read_shape(rein_tensor_view *v, cursor *c) {
    uint32_t n_dim;
    int64_t at = c->at;
    REIN_TRY(read_u32(&n_dim, c, "the number of dimensions"));
    if (n_dim < 1 || n_dim > REIN_GGUF_DIMS)
        return rein_fail(REIN_ERR_FORMAT, "byte %lld: %u dimensions, expected 1 to %d", (long long)at, n_dim,
                         REIN_GGUF_DIMS);
    REIN_TRY(need(c, 8 * (int64_t)n_dim, "a shape"));
    v->n_dim = (int)n_dim;
    for (int i = 0; i < v->n_dim; i++, c->at += 8) {
        uint64_t size = rein_gguf_little_endian(c->bytes + c->at, 8);
        if (size < 1 || size > INT64_MAX)
            return rein_fail(REIN_ERR_FORMAT, "byte %lld: dimension %d is %llu", (long long)c->at, i,
                             (unsigned long long)size);
        v->shape[v->n_dim - 1 - i] = (int64_t)size;
    }
    return REIN_OK;
}

static rein_status read_dtype(rein_tensor_view *v, cursor *c) {
    uint32_t type;
    REIN_TRY(read_u32(&type, c, "a tensor's type"));
    if (!rein_gguf_dtype(&v->dtype, type))
        return rein_fail(REIN_ERR_FORMAT,
                         "byte %lld: element type %u is not supported (F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, "
                         "Q4_K, Q5_K, Q6_K are); quantise the model to one of them",
                         (long long)c->at - 4, type);
    int64_t cols = v->shape[v->n_dim - 1], block = rein_dtype_block(v->dtype);
    if (cols % block != 0)
        return rein_fail(REIN_ERR_FORMAT, "byte %lld: rows of %lld elements are no whole blocks of %lld (%s)",
                         (long long)c->at - 4, (long long)cols, (long long)block, rein_dtype_name(v->dtype));
    return REIN_OK;
}

/* Name, shape, dtype; *offset is counted from the start of the data, which is not known yet. */
static rein_status read_tensor(rein_tensor_view *v, int64_t *offset, cursor *c) {
    v->file = c->g->path;
    REIN_TRY(read_name(&v->name, c, REIN_GGUF_NAME_BYTES, "a tensor's name"));
    rein_status status = read_shape(v, c);
    if (status == REIN_OK) status = read_dtype(v, c);
    if (status == REIN_OK) status = need(c, 8, "a tensor's offset");
    if (status != REIN_OK) return rein_error_prefix(status, "tensor '%s'", v->name);
    uint64_t value = rein_gguf_little_endian(c->bytes + c->at, 8);
    if (value > (uint64_t)c->len)
        return rein_fail(REIN_ERR_FORMAT, "tensor '%s': byte %lld: offset %llu is outside the file", v->name,
                         (long long)c->at, (unsigned long long)value);
    *offset = (int64_t)value;
    c->at += 8;
    return REIN_OK;
}

/* From offset to data. */
static rein_status place_tensor(rein_tensor_view *v, const cursor *c, int64_t offset, int64_t alignment) {
    int64_t bytes;
    if (!rein_shape_size(&v->n, &bytes, v->dtype, v->shape, v->n_dim))
        return rein_fail(REIN_ERR_FORMAT, "tensor '%s': the size of its shape overflows", v->name);
    if (offset % alignment != 0)
        return rein_fail(REIN_ERR_FORMAT, "tensor '%s': offset %lld is no multiple of the alignment %lld", v->name,
                         (long long)offset, (long long)alignment);
    if (c->at + offset > c->len || bytes > c->len - c->at - offset)
        return rein_fail(REIN_ERR_FORMAT, "tensor '%s': its %lld bytes at byte %lld end outside the file's %lld bytes",
                         v->name, (long long)bytes, (long long)(c->at + offset), (long long)c->len);
    v->data = c->bytes + c->at + offset;
    return REIN_OK;
}

static int by_place(const void *a, const void *b) {
    const char *x = ((const rein_tensor_view *)a)->data, *y = ((const rein_tensor_view *)b)->data;
    return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const rein_tensor_view *)a)->name, ((const rein_tensor_view *)b)->name);
}

/* Between the end of one tensor and the next lies padding up to the alignment, and nothing else. */
static rein_status check_cover(const cursor *c, int64_t alignment) {
    const rein_gguf *g = c->g;
    int64_t end = c->at;
    if (g->n_view > 0) qsort(g->view, (size_t)g->n_view, sizeof *g->view, by_place);
    for (int64_t i = 0; i < g->n_view; i++) {
        const rein_tensor_view *v = &g->view[i];
        int64_t begin = (const unsigned char *)v->data - c->bytes;
        if (begin < end)
            return rein_fail(REIN_ERR_FORMAT, "tensor '%s' begins at byte %lld inside tensor '%s', which ends at %lld",
                             v->name, (long long)begin, v[-1].name, (long long)end);
        if (begin - end >= alignment)
            return rein_fail(REIN_ERR_FORMAT, "bytes %lld to %lld before tensor '%s' belong to no tensor",
                             (long long)end, (long long)begin, v->name);
        end = begin + rein_dtype_bytes(v->dtype, v->n);
    }
    if (c->len - end >= alignment)
        return rein_fail(REIN_ERR_FORMAT, "bytes %lld to %lld at the end belong to no tensor", (long long)end,
                         (long long)c->len);
    return REIN_OK;
}

static rein_status sort_names(rein_gguf *g) {
    if (g->n_view > 0) qsort(g->view, (size_t)g->n_view, sizeof *g->view, by_name);
    for (int64_t i = 1; i < g->n_view; i++)
        if (strcmp(g->view[i - 1].name, g->view[i].name) == 0)
            return rein_fail(REIN_ERR_FORMAT, "tensor '%s' is given twice", g->view[i].name);
    return REIN_OK;
}

static rein_status read_alignment(int64_t *out, const rein_gguf *g) {
    *out = REIN_GGUF_ALIGNMENT;
    if (!rein_gguf_value_find(g, "general.alignment")) return REIN_OK;
    REIN_TRY(rein_gguf_int(out, g, "general.alignment"));
    if (*out < 8 || *out > 1 << 20 || (*out & (*out - 1)) != 0)
        return rein_fail(REIN_ERR_FORMAT, "key 'general.alignment' is %lld, expected a power of two from 8 to 2^20",
                         (long long)*out);
    return REIN_OK;
}

static rein_status place_tensors(cursor *c, const int64_t *offset, int64_t alignment) {
    rein_gguf *g = c->g;
    c->at += (alignment - c->at % alignment) % alignment;
    if (c->at > c->len) c->at = c->len; /* nothing but metadata */
    for (int64_t i = 0; i < g->n_view; i++) REIN_TRY(place_tensor(&g->view[i], c, offset[i], alignment));
    REIN_TRY(check_cover(c, alignment));
    return sort_names(g);
}

static rein_status read_tensors(cursor *c, int64_t n) {
    rein_gguf *g = c->g;
    int64_t *offset, alignment;
    rein_status status;
    REIN_TRY(rein_alloc(&offset, n, sizeof *offset));
    REIN_TRY_OUT(status, rein_alloc(&g->view, n, sizeof *g->view), out);
    for (; g->n_view < n; g->n_view++)
        REIN_TRY_OUT(status, read_tensor(&g->view[g->n_view], &offset[g->n_view], c), out);
    REIN_TRY_OUT(status, read_alignment(&alignment, g), out);
    REIN_TRY_OUT(status, place_tensors(c, offset, alignment), out);
out:
    rein_free(offset);
    return status;
}

/* ---- the file ---- */

static rein_status read_version(cursor *c) {
    uint32_t version;
    REIN_TRY(need(c, 8, "its first 8 bytes"));
    if (memcmp(c->bytes, "GGUF", 4) != 0)
        return rein_fail(REIN_ERR_FORMAT, "byte 0: this is no GGUF file (its first bytes are not \"GGUF\")");
    c->at = 4;
    REIN_TRY(read_u32(&version, c, "the version"));
    if (version == 2 || version == 3) return REIN_OK;
    if ((version & 0xffffU) == 0) return rein_fail(REIN_ERR_FORMAT, "byte 4: big-endian GGUF files are not supported");
    return rein_fail(REIN_ERR_FORMAT, "byte 4: GGUF version %u is not supported (2 and 3 are)", version);
}

static rein_status read_file(rein_gguf *g) {
    cursor c = {.g = g, .bytes = g->map.data, .len = (int64_t)g->map.len};
    int64_t n_tensor, n_pair;
    REIN_TRY(read_version(&c));
    REIN_TRY(read_count(&n_tensor, &c, MIN_TENSOR, "the number of tensors"));
    REIN_TRY(read_count(&n_pair, &c, MIN_PAIR, "the number of metadata keys"));
    REIN_TRY(read_metadata(&c, n_pair));
    REIN_TRY(read_tensors(&c, n_tensor));
    return REIN_OK;
}

rein_status rein_gguf_open(rein_gguf **out, const char *path) {
    rein_gguf *g;
    rein_status status;
    *out = NULL;
    REIN_TRY(rein_alloc(&g, 1, sizeof *g));
    REIN_TRY_OUT(status, rein_arena_strdup(&g->arena, &g->path, path, strlen(path)), fail);
    REIN_TRY_OUT(status, rein_map_open(&g->map, path), fail);
    status = read_file(g);
    if (status != REIN_OK) {
        status = rein_error_prefix(status, "%s", path);
        goto fail;
    }
    *out = g;
    return REIN_OK;
fail:
    rein_gguf_close(g);
    return status;
}

void rein_gguf_close(rein_gguf *g) {
    if (!g) return;
    rein_map_close(&g->map);
    rein_free(g->value);
    rein_free(g->view);
    rein_arena_deinit(&g->arena);
    rein_free(g);
}

const char *rein_gguf_path(const rein_gguf *g) { return g->path; }

int64_t rein_gguf_bytes(const rein_gguf *g) { return (int64_t)g->map.len; }

int64_t rein_gguf_count(const rein_gguf *g) { return g->n_view; }

const rein_tensor_view *rein_gguf_at(const rein_gguf *g, int64_t i) {
    REIN_ASSERT(i >= 0 && i < g->n_view);
    return &g->view[i];
}

const rein_tensor_view *rein_gguf_find(const rein_gguf *g, const char *name) {
    const rein_tensor_view key = {.name = name};
    return g->n_view == 0 ? NULL : bsearch(&key, g->view, (size_t)g->n_view, sizeof key, by_name);
}

int64_t rein_gguf_value_count(const rein_gguf *g) { return g->n_value; }

const rein_gguf_value *rein_gguf_value_at(const rein_gguf *g, int64_t i) {
    REIN_ASSERT(i >= 0 && i < g->n_value);
    return &g->value[i];
}

const rein_gguf_value *rein_gguf_value_find(const rein_gguf *g, const char *key) {
    const rein_gguf_value wanted = {.key = key};
    return g->n_value == 0 ? NULL : bsearch(&wanted, g->value, (size_t)g->n_value, sizeof wanted, by_key);
}
