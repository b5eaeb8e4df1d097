/* Optimiser state: hashes and files; see optim.h. */
#include <string.h>

#include "base/file.h"
#include "io/safetensors.h"
#include "model/table.h"
#include "optim/internal.h"

static const char *const file_name[REIN_OPTIM_ARRAYS] = {"optimizer_m.safetensors", "optimizer_v.safetensors"};

/* A state of a tensor as what a file has of it: f32 values, or scales and codes. */
typedef struct stored {
    rein_tensor_out part[2];
    void *data[2]; /* of the part, to be read into */
    int n;
} stored;

static rein_status stored_of(stored *out, const rein_optim_entry *e, int array, rein_arena *arena) {
    const rein_optim_state *s = &e->tensor.state[array];
    const rein_param *p = &e->param;
    bool matrix = p->kind == REIN_PARAM_MATRIX;
    rein_tensor_out whole = {.name = p->name,
                             .dtype = s->type == REIN_STATE_F32 ? REIN_F32 : REIN_U8,
                             .n_dim = matrix ? 2 : 1,
                             .shape = {matrix ? p->rows : p->cols, matrix ? p->cols : 0}};
    *out = (stored){.n = 0};
    if (s->type == REIN_STATE_NONE) return REIN_OK;
    if (s->type == REIN_STATE_8BIT) {
        char *name;
        REIN_TRY(rein_path_format(arena, &name, "%s.scale", p->name));
        out->part[out->n] = (rein_tensor_out){
            .name = name, .dtype = REIN_F32, .n_dim = 1, .raw = s->q.scale, .shape = {rein_optim_blocks(e->tensor.n)}};
        out->data[out->n++] = s->q.scale;
    }
    out->data[out->n] = s->type == REIN_STATE_F32 ? (void *)s->f32 : s->q.code;
    whole.raw = out->data[out->n];
    out->part[out->n++] = whole;
    return REIN_OK;
}

static int64_t bytes_of(const rein_tensor_out *part) {
    return rein_dtype_bytes(part->dtype, part->n_dim == 2 ? part->shape[0] * part->shape[1] : part->shape[0]);
}

/* All scales, then all codes: files go from wide elements to narrow ones. *list has room for 2 n, in the arena. */
static rein_status list_array(const rein_optim *o, int array, rein_arena *arena, rein_tensor_out **list, void ***data,
                              int64_t *count) {
    *count = 0;
    REIN_TRY(rein_arena_alloc(arena, list, (size_t)(2 * o->n) * sizeof **list));
    REIN_TRY(rein_arena_alloc(arena, data, (size_t)(2 * o->n) * sizeof **data));
    for (int wide = 1; wide >= 0; wide--)
        for (int64_t i = 0; i < o->n; i++) {
            stored s;
            REIN_TRY(stored_of(&s, &o->entry[i], array, arena));
            for (int k = 0; k < s.n; k++) {
                if ((s.part[k].dtype == REIN_F32) != wide) continue;
                (*data)[*count] = s.data[k];
                (*list)[(*count)++] = s.part[k];
            }
        }
    return REIN_OK;
}

/* What is done with the file of one array: its n tensors, and where their values are. */
typedef rein_status (*file_use)(const char *path, const rein_tensor_out *list, void *const *data, int64_t n);

/* Each array that is not empty. */
static rein_status each_file(const rein_optim *o, const char *dir, file_use use) {
    rein_arena arena = {0};
    rein_status status = REIN_OK;
    for (int array = 0; array < REIN_OPTIM_ARRAYS && status == REIN_OK; array++) {
        rein_tensor_out *list;
        void **data;
        char *path;
        int64_t n;
        REIN_TRY_OUT(status, list_array(o, array, &arena, &list, &data, &n), out);
        if (n == 0) continue;
        REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/%s", dir, file_name[array]), out);
        status = use(path, list, data, n);
    }
out:
    rein_arena_deinit(&arena);
    return status;
}

static rein_status write_file(const char *path, const rein_tensor_out *list, void *const *data, int64_t n) {
    (void)data; /* the list has it */
    return rein_tensors_write(path, list, n, NULL);
}

static rein_status read_file(const char *path, const rein_tensor_out *list, void *const *data, int64_t n) {
    rein_tensors *t;
    rein_status status = REIN_OK;
    REIN_TRY(rein_tensors_open(&t, path));
    for (int64_t i = 0; i < n && status == REIN_OK; i++) {
        const rein_tensor_view *v;
        status = rein_tensors_require(&v, t, list[i].name, list[i].shape, list[i].n_dim);
        if (status == REIN_OK && v->dtype != list[i].dtype)
            status = rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' has dtype %s, expected %s", path, v->name,
                               rein_dtype_name(v->dtype), rein_dtype_name(list[i].dtype));
        if (status == REIN_OK) memcpy(data[i], v->data, (size_t)bytes_of(&list[i]));
    }
    if (status == REIN_OK && rein_tensors_count(t) != n)
        status = rein_fail(REIN_ERR_FORMAT, "%s has %lld tensors, this optimiser has %lld", path,
                           (long long)rein_tensors_count(t), (long long)n);
    rein_tensors_close(t);
    return status;
}

rein_status rein_optim_write(const rein_optim *o, const char *dir) { return each_file(o, dir, write_file); }

rein_status rein_optim_read(rein_optim *o, const char *dir) { return each_file(o, dir, read_file); }

bool rein_optim_hash(const rein_optim *o, int array, char hex[REIN_XXH_HEX]) {
    rein_xxh *h = NULL;
    bool any = false;
    if (rein_xxh_create(&h) != REIN_OK) REIN_ASSERT(false && "out of memory for a hash state");
    for (int64_t i = 0; i < o->n; i++) {
        const rein_optim_tensor *t = &o->entry[i].tensor;
        const rein_optim_state *s = &t->state[array];
        if (s->type == REIN_STATE_NONE) continue;
        any = true;
        rein_param_hash(&o->entry[i].param, h);
        if (s->type == REIN_STATE_F32) rein_xxh_update(h, s->f32, (size_t)t->n * sizeof(float));
        if (s->type == REIN_STATE_F32) continue;
        rein_xxh_update(h, s->q.code, (size_t)t->n);
        rein_xxh_update(h, s->q.scale, (size_t)rein_optim_blocks(t->n) * sizeof(float));
    }
    rein_xxh_hex(h, hex);
    rein_xxh_destroy(h);
    return any;
}
