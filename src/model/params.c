/* Arrays of a model's flat layout: files, hashes, norms; see model.h. */
#include <string.h>

#include "base/sum.h"
#include "io/safetensors.h"
#include "model/lora.h"
#include "model/table.h"

rein_status rein_params_read_some(const rein_model *m, float *flat, int64_t first, int64_t end, const char *path) {
    rein_tensors *t;
    rein_status status = REIN_OK;
    REIN_TRY(rein_tensors_open(&t, path));
    for (int64_t i = first; i < end && status == REIN_OK; i++) {
        const rein_param *p = &m->param[i];
        bool matrix = p->kind == REIN_PARAM_MATRIX;
        int64_t shape[2] = {matrix ? p->rows : p->cols, p->cols};
        const rein_tensor_view *v;
        status = rein_tensors_require(&v, t, p->name, shape, matrix ? 2 : 1);
        if (status == REIN_OK) status = rein_tensor_to_f32(flat + p->offset, v);
    }
    for (int64_t i = 0; i < rein_tensors_count(t) && status == REIN_OK; i++) {
        const char *name = rein_tensors_at(t, i)->name;
        bool known = false;
        for (int64_t k = first; k < end && !known; k++) known = strcmp(name, m->param[k].name) == 0;
        if (!known) status = rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' belongs to no part of this model", path, name);
    }
    rein_tensors_close(t);
    return status;
}

rein_status rein_params_read(const rein_model *m, float *flat, const char *path) {
    return rein_params_read_some(m, flat, 0, m->n_param, path);
}

rein_status rein_params_write_some(const rein_model *m, const float *flat, int64_t first, int64_t end, const char *path) {
    const char *const adapter[] = {"format", "pt", REIN_LORA_BASE_KEY, m->lora ? m->lora->base_hash : "", NULL};
    rein_tensor_out *list;
    REIN_TRY(rein_alloc(&list, end - first, sizeof *list));
    for (int64_t i = first; i < end; i++) {
        const rein_param *p = &m->param[i];
        bool matrix = p->kind == REIN_PARAM_MATRIX;
        list[i - first] = (rein_tensor_out){.name = p->name, .dtype = REIN_F32, .n_dim = matrix ? 2 : 1,
                                    .shape = {matrix ? p->rows : p->cols, matrix ? p->cols : 0},
                                    .f32 = flat + p->offset};
    }
    rein_status status = rein_tensors_write(path, list, end - first, m->lora ? adapter : NULL);
    rein_free(list);
    return status;
}

rein_status rein_params_write(const rein_model *m, const float *flat, const char *path) {
    return rein_params_write_some(m, flat, 0, m->n_param, path);
}

void rein_params_hash(const rein_model *m, const float *flat, char hex[REIN_XXH_HEX]) {
    rein_xxh *h = NULL;
    if (rein_xxh_create(&h) != REIN_OK) REIN_ASSERT(false && "out of memory for a hash state");
    for (int64_t i = 0; i < m->n_param; i++) {
        const rein_param *p = &m->param[i];
        rein_param_hash(p, h);
        rein_xxh_update(h, flat + p->offset, (size_t)(p->rows * p->cols) * sizeof(float));
    }
    rein_xxh_hex(h, hex);
    rein_xxh_destroy(h);
}

rein_status rein_params_sumsq(const rein_model *m, const float *flat, double *out) {
    enum { BLOCK = 4096 };
    rein_pairwise tree = {0};
    int64_t most = 0;
    double *blocks;
    for (int64_t i = 0; i < m->n_param; i++) {
        int64_t n = m->param[i].rows * m->param[i].cols;
        if (n > most) most = n;
    }
    REIN_TRY(rein_alloc(&blocks, (most + BLOCK - 1) / BLOCK, sizeof *blocks));
    for (int64_t i = 0; i < m->n_param; i++) {
        int64_t n = m->param[i].rows * m->param[i].cols;
        m->dev->ops->sumsq(m->dev, blocks, flat + m->param[i].offset, n);
        for (int64_t b = 0; b < (n + BLOCK - 1) / BLOCK; b++) rein_pairwise_add(&tree, blocks[b]);
    }
    rein_free(blocks);
    *out = rein_pairwise_total(&tree);
    return REIN_OK;
}
