/*
 * Reading safetensors; see safetensors.h. The header is untrusted: it is checked in full before any view is handed out,
 * so that a view never points outside its file and two views never share a byte.
 */
#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "io/internal.h"

enum { PREFIX = 8 };                               /* bytes of the header length */
static const uint64_t header_limit = 100000000ULL; /* as in the reference implementation */

typedef struct mapped_file {
    const char *path; /* in the arena */
    rein_map map;
} mapped_file;

struct rein_tensors {
    rein_arena arena;  /* names, paths, metadata */
    mapped_file *file; /* (n_file) */
    int64_t n_file;
    rein_tensor_view *view; /* (n) by name */
    int64_t n, capacity;
    const char **metadata; /* (2 n_metadata) key, value */
    int64_t n_metadata;
};

/* One file while it is read. */
typedef struct source {
    rein_tensors *t;
    const char *path; /* in the arena */
    const unsigned char *bytes;
    int64_t data_at; /* file offset of the data */
    int64_t data_len;
    int64_t first; /* index of the file's first view */
} source;

bool rein_shape_size(int64_t *n, int64_t *bytes, rein_dtype dtype, const int64_t *shape, int n_dim) {
    *n = 1;
    for (int i = 0; i < n_dim; i++)
        if (shape[i] < 0 || __builtin_mul_overflow(*n, shape[i], n)) return false;
    return *n % rein_dtype_block(dtype) == 0 &&
           !__builtin_mul_overflow(*n / rein_dtype_block(dtype), rein_dtype_block_bytes(dtype), bytes);
}

/* ---- one tensor of a header ---- */

static rein_status read_integers(int64_t *out, int *n, int max, struct json_object *entry, const char *key) {
    struct json_object *array;
    REIN_TRY(rein_json_array(&array, entry, key));
    size_t length = json_object_array_length(array);
    if (length > (size_t)max)
        return rein_fail(REIN_ERR_FORMAT, "key '%s' has %zu entries, at most %d are supported", key, length, max);
    for (size_t i = 0; i < length; i++) {
        struct json_object *item = json_object_array_get_idx(array, i);
        if (!json_object_is_type(item, json_type_int) || json_object_get_int64(item) < 0)
            return rein_fail(REIN_ERR_FORMAT, "key '%s' has the entry %s, expected an integer from 0 to 2^63 - 1", key,
                             json_object_to_json_string(item));
        out[i] = json_object_get_int64(item);
    }
    *n = (int)length;
    return REIN_OK;
}

/* dtype, shape and range of one entry; leaves data at the range's begin, checked against the file alone. */
static rein_status read_entry(rein_tensor_view *v, const source *s, struct json_object *entry) {
    const char *dtype;
    int64_t range[2], bytes;
    int n_range;
    if (!json_object_is_type(entry, json_type_object)) return rein_fail(REIN_ERR_FORMAT, "expected an object");
    if (json_object_object_length(entry) != 3)
        return rein_fail(REIN_ERR_FORMAT, "expected exactly the keys dtype, shape and data_offsets");
    REIN_TRY(rein_json_string(&dtype, NULL, entry, "dtype"));
    if (!rein_dtype_parse(&v->dtype, dtype) || rein_dtype_block(v->dtype) != 1)
        return rein_fail(REIN_ERR_FORMAT, "dtype '%s' is not supported", dtype);
    REIN_TRY(read_integers(v->shape, &v->n_dim, REIN_TENSOR_DIMS, entry, "shape"));
    REIN_TRY(read_integers(range, &n_range, 2, entry, "data_offsets"));
    if (n_range != 2) return rein_fail(REIN_ERR_FORMAT, "data_offsets has %d entries, expected 2", n_range);
    if (range[0] > range[1] || range[1] > s->data_len)
        return rein_fail(REIN_ERR_FORMAT,
                         "data_offsets [%lld, %lld] do not lie in the %lld bytes of data that begin at byte %lld",
                         (long long)range[0], (long long)range[1], (long long)s->data_len, (long long)s->data_at);
    long long at = (long long)(s->data_at + range[0]);
    if (!rein_shape_size(&v->n, &bytes, v->dtype, v->shape, v->n_dim))
        return rein_fail(REIN_ERR_FORMAT, "data at byte %lld: the size of its shape overflows", at);
    if (bytes != range[1] - range[0])
        return rein_fail(REIN_ERR_FORMAT, "data at byte %lld: %lld bytes, but dtype %s and shape need %lld", at,
                         (long long)(range[1] - range[0]), dtype, (long long)bytes);
    if (at % rein_dtype_block_bytes(v->dtype) != 0)
        return rein_fail(REIN_ERR_FORMAT,
                         "data at byte %lld is not aligned to its %lld-byte elements; write the file again", at,
                         (long long)rein_dtype_block_bytes(v->dtype));
    v->data = s->bytes + at;
    return REIN_OK;
}

static rein_status add_tensor(const source *s, const char *name, struct json_object *entry) {
    rein_tensors *t = s->t;
    if (t->n == t->capacity) {
        int64_t capacity = t->capacity ? 2 * t->capacity : 64;
        REIN_TRY(rein_realloc(&t->view, t->capacity, capacity, sizeof *t->view));
        t->capacity = capacity;
    }
    rein_tensor_view *v = &t->view[t->n];
    char *copy;
    REIN_TRY(rein_arena_strdup(&t->arena, &copy, name, strlen(name)));
    *v = (rein_tensor_view){.name = copy, .file = s->path};
    rein_status status = read_entry(v, s, entry);
    if (status != REIN_OK) return rein_error_prefix(status, "%s: tensor '%s'", s->path, name);
    t->n++;
    return REIN_OK;
}

/* ---- one file ---- */

static rein_status add_metadata(const source *s, struct json_object *object) {
    rein_tensors *t = s->t;
    if (!json_object_is_type(object, json_type_object))
        return rein_fail(REIN_ERR_FORMAT, "%s: __metadata__ is no object", s->path);
    int64_t room = 2 * (t->n_metadata + json_object_object_length(object));
    REIN_TRY(rein_realloc(&t->metadata, 2 * t->n_metadata, room, sizeof *t->metadata));
    struct json_object_iter it;
    json_object_object_foreachC(object, it) {
        const char *value;
        char *key_copy, *value_copy;
        rein_status status = rein_json_string(&value, NULL, object, it.key);
        if (status != REIN_OK) return rein_error_prefix(status, "%s: __metadata__", s->path);
        REIN_TRY(rein_arena_strdup(&t->arena, &key_copy, it.key, strlen(it.key)));
        REIN_TRY(rein_arena_strdup(&t->arena, &value_copy, value, strlen(value)));
        t->metadata[2 * t->n_metadata] = key_copy;
        t->metadata[2 * t->n_metadata + 1] = value_copy;
        t->n_metadata++;
    }
    return REIN_OK;
}

static int by_place(const void *a, const void *b) {
    const rein_tensor_view *x = a, *y = b;
    if (x->data != y->data) return (const char *)x->data < (const char *)y->data ? -1 : 1;
    return (x->n > y->n) - (x->n < y->n); /* an empty tensor lies before the one that begins where it does */
}

/* Every byte of the data belongs to exactly one tensor. */
static rein_status check_cover(const source *s) {
    const rein_tensor_view *last = NULL;
    int64_t n = s->t->n - s->first, end = s->data_at;
    if (n > 0) qsort(s->t->view + s->first, (size_t)n, sizeof *s->t->view, by_place);
    for (int64_t i = s->first; i < s->t->n; i++) {
        const rein_tensor_view *v = &s->t->view[i];
        int64_t begin = (const unsigned char *)v->data - s->bytes;
        if (begin < end)
            return rein_fail(REIN_ERR_FORMAT,
                             "%s: tensor '%s' begins at byte %lld inside tensor '%s', which ends at byte %lld", s->path,
                             v->name, (long long)begin, last->name, (long long)end);
        if (begin > end)
            return rein_fail(REIN_ERR_FORMAT, "%s: bytes %lld to %lld before tensor '%s' belong to no tensor", s->path,
                             (long long)end, (long long)begin, v->name);
        end = begin + v->n * rein_dtype_block_bytes(v->dtype);
        last = v;
    }
    if (end != s->data_at + s->data_len)
        return rein_fail(REIN_ERR_FORMAT, "%s: bytes %lld to %lld after the last tensor '%s' belong to no tensor",
                         s->path, (long long)end, (long long)(s->data_at + s->data_len), last ? last->name : "");
    return REIN_OK;
}

static rein_status read_header(const source *s, struct json_object *header) {
    if (!json_object_is_type(header, json_type_object))
        return rein_fail(REIN_ERR_FORMAT, "%s: the header is no JSON object", s->path);
    struct json_object_iter it;
    json_object_object_foreachC(header, it) {
        if (strcmp(it.key, "__metadata__") == 0)
            REIN_TRY(add_metadata(s, it.val));
        else
            REIN_TRY(add_tensor(s, it.key, it.val));
    }
    REIN_TRY(check_cover(s));
    return REIN_OK;
}

static uint64_t little_endian64(const unsigned char *bytes) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

/* Append the tensors of one file. Room for its map must be there. */
static rein_status read_file(rein_tensors *t, const char *path) {
    source s = {.t = t, .first = t->n};
    char *copy;
    REIN_TRY(rein_arena_strdup(&t->arena, &copy, path, strlen(path)));
    s.path = copy;
    rein_map *map = &t->file[t->n_file].map;
    REIN_TRY(rein_map_open(map, path));
    t->file[t->n_file++].path = copy;
    s.bytes = map->data;
    if (map->len < PREFIX)
        return rein_fail(REIN_ERR_FORMAT, "%s: %zu bytes are too few for the header length at byte 0", path, map->len);
    uint64_t length = little_endian64(map->data);
    if (length > header_limit || length > map->len - PREFIX)
        return rein_fail(REIN_ERR_FORMAT,
                         "%s: header length %llu at byte 0 is more than the file's other %zu bytes or 100 MB", path,
                         (unsigned long long)length, map->len - PREFIX);
    s.data_at = (int64_t)length + PREFIX;
    s.data_len = (int64_t)map->len - s.data_at;
    struct json_object *header;
    rein_status status = rein_json_parse(&header, path, (const char *)map->data + PREFIX, (size_t)length);
    if (status != REIN_OK) return rein_error_prefix(status, "header at byte %d", PREFIX);
    status = read_header(&s, header);
    json_object_put(header);
    return status;
}

/* ---- a model directory ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const rein_tensor_view *)a)->name, ((const rein_tensor_view *)b)->name);
}

static rein_status sort_views(rein_tensors *t) {
    if (t->n > 0) qsort(t->view, (size_t)t->n, sizeof *t->view, by_name);
    for (int64_t i = 1; i < t->n; i++)
        if (by_name(&t->view[i - 1], &t->view[i]) == 0)
            return rein_fail(REIN_ERR_FORMAT, "tensor '%s' is in both %s and %s", t->view[i].name, t->view[i - 1].file,
                             t->view[i].file);
    return REIN_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Distinct file names of a weight map, sorted; *names from rein_alloc, strings borrowed from the document. */
static rein_status shard_names(const char ***names, int64_t *n, struct json_object *weight_map) {
    REIN_TRY(rein_alloc(names, json_object_object_length(weight_map), sizeof **names));
    int64_t all = 0;
    struct json_object_iter it;
    json_object_object_foreachC(weight_map, it) {
        const char *file;
        REIN_TRY(rein_json_string(&file, NULL, weight_map, it.key));
        if (strchr(file, '/') || file[0] == '.' || file[0] == '\0')
            return rein_fail(REIN_ERR_FORMAT, "tensor '%s' is said to be in '%s', expected a file of the same folder",
                             it.key, file);
        (*names)[all++] = file;
    }
    if (all > 0) qsort(*names, (size_t)all, sizeof **names, by_text);
    *n = 0;
    for (int64_t i = 0; i < all; i++)
        if (i == 0 || strcmp((*names)[i], (*names)[*n - 1]) != 0) (*names)[(*n)++] = (*names)[i];
    return REIN_OK;
}

/* The map and the shards name the same tensors in the same files. */
static rein_status check_map(const rein_tensors *t, struct json_object *weight_map) {
    struct json_object_iter it;
    json_object_object_foreachC(weight_map, it) {
        const rein_tensor_view *v = rein_tensors_find(t, it.key);
        const char *file = json_object_get_string(it.val);
        if (!v || strcmp(strrchr(v->file, '/') + 1, file) != 0)
            return rein_fail(REIN_ERR_FORMAT, "tensor '%s' is said to be in '%s', but is in %s", it.key, file,
                             v ? v->file : "none of the files");
    }
    for (int64_t i = 0; i < t->n; i++)
        if (!rein_json_has(weight_map, t->view[i].name))
            return rein_fail(REIN_ERR_FORMAT, "tensor '%s' of %s is not in the weight map", t->view[i].name,
                             t->view[i].file);
    return REIN_OK;
}

static rein_status read_shards(rein_tensors *t, const char *dir, struct json_object *weight_map) {
    const char **names = NULL;
    int64_t n = 0;
    rein_status status;
    REIN_TRY_OUT(status, shard_names(&names, &n, weight_map), out);
    REIN_TRY_OUT(status, rein_alloc(&t->file, n, sizeof *t->file), out);
    for (int64_t i = 0; i < n; i++) {
        char *path;
        REIN_TRY_OUT(status, rein_path_format(&t->arena, &path, "%s/%s", dir, names[i]), out);
        REIN_TRY_OUT(status, read_file(t, path), out);
    }
    REIN_TRY_OUT(status, sort_views(t), out);
    REIN_TRY_OUT(status, check_map(t, weight_map), out);
out:
    rein_free(names);
    return status;
}

static rein_status read_index(rein_tensors *t, const char *dir, const char *index) {
    struct json_object *document, *weight_map;
    REIN_TRY(rein_json_load(&document, index));
    rein_status status;
    if (!json_object_is_type(document, json_type_object))
        status = rein_fail(REIN_ERR_FORMAT, "expected an object");
    else
        status = rein_json_object(&weight_map, document, "weight_map");
    if (status == REIN_OK) status = read_shards(t, dir, weight_map);
    json_object_put(document);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "%s", index);
}

static rein_status read_path(rein_tensors *t, const char *path) {
    char *file, *index;
    if (rein_path_is_dir(path)) {
        REIN_TRY(rein_path_format(&t->arena, &file, "%s/model.safetensors", path));
        REIN_TRY(rein_path_format(&t->arena, &index, "%s/model.safetensors.index.json", path));
        if (!rein_path_exists(file) && rein_path_exists(index)) return read_index(t, path, index);
        path = file;
    }
    REIN_TRY(rein_alloc(&t->file, 1, sizeof *t->file));
    REIN_TRY(read_file(t, path));
    REIN_TRY(sort_views(t));
    return REIN_OK;
}

/* ---- the interface ---- */

rein_status rein_tensors_open(rein_tensors **out, const char *path) {
    rein_tensors *t;
    *out = NULL;
    REIN_TRY(rein_alloc(&t, 1, sizeof *t));
    rein_status status = read_path(t, path);
    if (status != REIN_OK) {
        rein_tensors_close(t);
        return rein_trace_add(status, __FILE__, __LINE__);
    }
    *out = t;
    return REIN_OK;
}

void rein_tensors_close(rein_tensors *t) {
    if (!t) return;
    for (int64_t i = 0; i < t->n_file; i++) rein_map_close(&t->file[i].map);
    rein_free(t->file);
    rein_free(t->view);
    rein_free(t->metadata);
    rein_arena_deinit(&t->arena);
    rein_free(t);
}

int64_t rein_tensors_count(const rein_tensors *t) { return t->n; }

const rein_tensor_view *rein_tensors_at(const rein_tensors *t, int64_t i) {
    REIN_ASSERT(i >= 0 && i < t->n);
    return &t->view[i];
}

const rein_tensor_view *rein_tensors_find(const rein_tensors *t, const char *name) {
    const rein_tensor_view key = {.name = name};
    return t->n == 0 ? NULL : bsearch(&key, t->view, (size_t)t->n, sizeof key, by_name);
}

const char *rein_tensors_metadata(const rein_tensors *t, const char *key) {
    for (int64_t i = 0; i < t->n_metadata; i++)
        if (strcmp(t->metadata[2 * i], key) == 0) return t->metadata[2 * i + 1];
    return NULL;
}

const char *rein_tensors_file(const rein_tensors *t, int64_t i, int64_t *bytes) {
    if (i >= t->n_file) return NULL;
    *bytes = (int64_t)t->file[i].map.len;
    return t->file[i].path;
}

static void print_shape(rein_str *s, const int64_t *shape, int n_dim) {
    rein_str_putc(s, '(');
    for (int i = 0; i < n_dim; i++) rein_str_printf(s, i ? ", %lld" : "%lld", (long long)shape[i]);
    rein_str_putc(s, ')');
}

rein_status rein_tensor_require(const rein_tensor_view *v, const char *path, const char *name, const int64_t *shape,
                                int n_dim) {
    if (!v) return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' is missing", path, name);
    if (v->n_dim == n_dim && memcmp(v->shape, shape, (size_t)n_dim * sizeof *shape) == 0) return REIN_OK;
    rein_str text = {0};
    print_shape(&text, shape, n_dim);
    rein_str_puts(&text, ", found ");
    print_shape(&text, v->shape, v->n_dim);
    rein_status status = rein_str_check(&text);
    if (status == REIN_OK)
        status = rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s': expected shape %s", v->file, name, text.data);
    rein_str_deinit(&text);
    return status;
}

rein_status rein_tensors_require(const rein_tensor_view **out, const rein_tensors *t, const char *name,
                                 const int64_t *shape, int n_dim) {
    *out = rein_tensors_find(t, name);
    return rein_tensor_require(*out, t->file[0].path, name, shape, n_dim);
}
