/* Parameters of the transformer: the table, initialisation, reading and writing, packing; see model.h. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/sum.h"
#include "io/safetensors.h"
#include "model/rope.h"

/* ---- the table ---- */

static int64_t add_param(rein_model *m, rein_param_kind kind, int64_t rows, int64_t cols, const char *name) {
    rein_param *p = &m->param[m->n_param++];
    *p = (rein_param){.kind = kind, .rows = rows, .cols = cols, .offset = m->n_float};
    snprintf(p->name, sizeof p->name, "%s", name);
    m->n_float += (rows * cols + REIN_LANES - 1) / REIN_LANES * REIN_LANES;
    return p->offset;
}

static int64_t add_layer_param(rein_model *m, rein_param_kind kind, int64_t rows, int64_t cols, int64_t l,
                               const char *name) {
    char full[80];
    snprintf(full, sizeof full, "model.layers.%lld.%s", (long long)l, name);
    return add_param(m, kind, rows, cols, full);
}

/* q, k, v (and gate, up) must touch each other to be one linear layer: take padding back between them. */
static int64_t add_joined(rein_model *m, rein_param_kind kind, int64_t rows, int64_t cols, int64_t l, const char *name) {
    const rein_param *before = &m->param[m->n_param - 1];
    m->n_float = before->offset + before->rows * before->cols;
    return add_layer_param(m, kind, rows, cols, l, name);
}

static void add_layer(rein_model *m, int64_t l) {
    const rein_model_config *c = &m->cfg;
    rein_layer *y = &m->layer[l];
    int64_t HD = c->H * c->D, KD = c->K * c->D;
    y->attn_norm = add_layer_param(m, REIN_PARAM_NORM, 1, c->C, l, "input_layernorm.weight");
    y->qkv = add_layer_param(m, REIN_PARAM_MATRIX, HD, c->C, l, "self_attn.q_proj.weight");
    add_joined(m, REIN_PARAM_MATRIX, KD, c->C, l, "self_attn.k_proj.weight");
    add_joined(m, REIN_PARAM_MATRIX, KD, c->C, l, "self_attn.v_proj.weight");
    y->qkv_bias = y->q_norm = y->k_norm = -1;
    if (c->qkv_bias) {
        y->qkv_bias = add_layer_param(m, REIN_PARAM_BIAS, 1, HD, l, "self_attn.q_proj.bias");
        add_joined(m, REIN_PARAM_BIAS, 1, KD, l, "self_attn.k_proj.bias");
        add_joined(m, REIN_PARAM_BIAS, 1, KD, l, "self_attn.v_proj.bias");
    }
    if (c->qk_norm) {
        y->q_norm = add_layer_param(m, REIN_PARAM_NORM, 1, c->D, l, "self_attn.q_norm.weight");
        y->k_norm = add_layer_param(m, REIN_PARAM_NORM, 1, c->D, l, "self_attn.k_norm.weight");
    }
    y->o = add_layer_param(m, REIN_PARAM_MATRIX, c->C, HD, l, "self_attn.o_proj.weight");
    y->o_bias = c->o_bias ? add_layer_param(m, REIN_PARAM_BIAS, 1, c->C, l, "self_attn.o_proj.bias") : -1;
    y->ffn_norm = add_layer_param(m, REIN_PARAM_NORM, 1, c->C, l, "post_attention_layernorm.weight");
    y->gate_up = add_layer_param(m, REIN_PARAM_MATRIX, c->F, c->C, l, "mlp.gate_proj.weight");
    add_joined(m, REIN_PARAM_MATRIX, c->F, c->C, l, "mlp.up_proj.weight");
    y->down = add_layer_param(m, REIN_PARAM_MATRIX, c->C, c->F, l, "mlp.down_proj.weight");
}

static rein_status make_table(rein_model *m) {
    const rein_model_config *c = &m->cfg;
    REIN_TRY(rein_alloc(&m->param, 3 + 16 * c->L, sizeof *m->param));
    REIN_TRY(rein_alloc(&m->layer, c->L, sizeof *m->layer));
    m->embed = add_param(m, REIN_PARAM_MATRIX, c->V, c->C, "model.embed_tokens.weight");
    for (int64_t l = 0; l < c->L; l++) add_layer(m, l);
    m->norm = add_param(m, REIN_PARAM_NORM, 1, c->C, "model.norm.weight");
    m->head = c->tie_word_embeddings ? m->embed : add_param(m, REIN_PARAM_MATRIX, c->V, c->C, "lm_head.weight");
    return REIN_OK;
}

/* ---- packed copies ---- */

/* One product of the forward pass: where its weights are and where its packed copy is. */
typedef struct product {
    int64_t w, packed, N, K;
} product;

static product layer_product(const rein_model *m, int64_t l, int which) {
    const rein_model_config *c = &m->cfg;
    const rein_layer *y = &m->layer[l];
    switch (which) {
    case 0: return (product){y->qkv, y->pk_qkv, rein_model_qkv(m), c->C};
    case 1: return (product){y->o, y->pk_o, c->C, c->H * c->D};
    case 2: return (product){y->gate_up, y->pk_gate_up, 2 * c->F, c->C};
    default: return (product){y->down, y->pk_down, c->C, c->F};
    }
}

static rein_status make_packed(rein_model *m) {
    const rein_ops *op = m->dev->ops;
    int64_t n = 0;
    for (int64_t l = 0; l < m->cfg.L; l++) {
        rein_layer *y = &m->layer[l];
        int64_t *at[4] = {&y->pk_qkv, &y->pk_o, &y->pk_gate_up, &y->pk_down};
        for (int i = 0; i < 4; i++) {
            product p = layer_product(m, l, i);
            *at[i] = n;
            n += op->packed_size(p.N, p.K);
        }
    }
    m->pk_head = n;
    return rein_alloc(&m->packed, n + op->packed_size(m->cfg.V, m->cfg.C), sizeof(float));
}

void rein_model_pack(rein_model *m) {
    const rein_ops *op = m->dev->ops;
    for (int64_t l = 0; l < m->cfg.L; l++)
        for (int i = 0; i < 4; i++) {
            product p = layer_product(m, l, i);
            op->pack(m->dev, m->packed + p.packed, m->w + p.w, p.N, p.K);
        }
    op->pack(m->dev, m->packed + m->pk_head, m->w + m->head, m->cfg.V, m->cfg.C);
}

/* ---- life ---- */

rein_status rein_model_create(rein_model **out, const rein_model_config *cfg, rein_device *dev, int64_t max_pos) {
    rein_model *m;
    rein_status status;
    REIN_TRY(rein_alloc(&m, 1, sizeof *m));
    m->cfg = *cfg;
    m->dev = dev;
    m->n_pos = max_pos > 0 ? max_pos : cfg->max_position_embeddings;
    REIN_TRY_OUT(status, make_table(m), fail);
    REIN_TRY_OUT(status, rein_alloc(&m->w, m->n_float, sizeof(float)), fail);
    REIN_TRY_OUT(status, make_packed(m), fail);
    REIN_TRY_OUT(status, rein_rope_table(&m->rope, &m->cfg, m->n_pos), fail);
    *out = m;
    return REIN_OK;
fail:
    rein_model_destroy(m);
    return status;
}

void rein_model_destroy(rein_model *m) {
    if (!m) return;
    rein_free(m->param);
    rein_free(m->layer);
    rein_free(m->w);
    rein_free(m->packed);
    rein_free(m->rope);
    rein_free(m);
}

void rein_model_init(rein_model *m, uint64_t seed) {
    for (int64_t i = 0; i < m->n_param; i++) {
        const rein_param *p = &m->param[i];
        float *w = m->w + p->offset;
        for (int64_t k = 0; k < p->rows * p->cols; k++) {
            if (p->kind == REIN_PARAM_MATRIX)
                w[k] = (float)(m->cfg.initializer_range * rein_random_normal(seed, REIN_STREAM_INIT, (uint32_t)i,
                                                                             (uint32_t)k, (uint32_t)(k >> 32), 0));
            else
                w[k] = p->kind == REIN_PARAM_NORM ? 1.0f : 0.0f;
        }
    }
    rein_model_pack(m);
}

void rein_model_copy(rein_model *to, const rein_model *from) {
    REIN_ASSERT(to->n_float == from->n_float);
    memcpy(to->w, from->w, (size_t)to->n_float * sizeof(float));
    rein_model_pack(to);
}

void rein_model_hash(const rein_model *m, char hex[REIN_XXH_HEX]) {
    rein_params_hash(m, m->w, hex);
}

int64_t rein_model_count(const rein_model *m) {
    int64_t n = 0;
    for (int64_t i = 0; i < m->n_param; i++) n += m->param[i].rows * m->param[i].cols;
    return n;
}

/* ---- files ---- */

rein_status rein_params_read(const rein_model *m, float *flat, const char *path) {
    rein_tensors *t;
    rein_status status = REIN_OK;
    REIN_TRY(rein_tensors_open(&t, path));
    for (int64_t i = 0; i < m->n_param && status == REIN_OK; i++) {
        const rein_param *p = &m->param[i];
        bool matrix = p->kind == REIN_PARAM_MATRIX;
        int64_t shape[2] = {matrix ? p->rows : p->cols, p->cols};
        const rein_tensor_view *v;
        status = rein_tensors_require(&v, t, p->name, shape, matrix ? 2 : 1);
        if (status == REIN_OK) status = rein_tensor_to_f32(flat + p->offset, v);
    }
    for (int64_t i = 0; i < rein_tensors_count(t) && status == REIN_OK; i++) {
        const char *name = rein_tensors_at(t, i)->name;
        bool known = m->head == m->embed && strcmp(name, "lm_head.weight") == 0; /* some writers store both */
        for (int64_t k = 0; k < m->n_param && !known; k++) known = strcmp(name, m->param[k].name) == 0;
        if (!known) status = rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' belongs to no part of this model", path, name);
    }
    rein_tensors_close(t);
    return status;
}

rein_status rein_params_write(const rein_model *m, const float *flat, const char *path) {
    rein_tensor_out *list;
    REIN_TRY(rein_alloc(&list, m->n_param, sizeof *list));
    for (int64_t i = 0; i < m->n_param; i++) {
        const rein_param *p = &m->param[i];
        bool matrix = p->kind == REIN_PARAM_MATRIX;
        list[i] = (rein_tensor_out){.name = p->name, .dtype = REIN_F32, .n_dim = matrix ? 2 : 1,
                                    .shape = {matrix ? p->rows : p->cols, matrix ? p->cols : 0},
                                    .f32 = flat + p->offset};
    }
    rein_status status = rein_tensors_write(path, list, m->n_param, NULL);
    rein_free(list);
    return status;
}

void rein_params_hash(const rein_model *m, const float *flat, char hex[REIN_XXH_HEX]) {
    rein_xxh *h = NULL;
    if (rein_xxh_create(&h) != REIN_OK) REIN_ASSERT(!"out of memory for a hash state");
    for (int64_t i = 0; i < m->n_param; i++) {
        const rein_param *p = &m->param[i];
        rein_xxh_update(h, p->name, strlen(p->name) + 1);
        rein_xxh_update(h, &p->rows, sizeof p->rows);
        rein_xxh_update(h, &p->cols, sizeof p->cols);
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

rein_status rein_model_load(rein_model **out, const char *dir, rein_device *dev, int64_t max_pos) {
    rein_model_config cfg;
    REIN_TRY(rein_model_config_load(&cfg, dir));
    REIN_TRY(rein_model_create(out, &cfg, dev, max_pos));
    rein_status status = rein_params_read(*out, (*out)->w, dir);
    if (status != REIN_OK) {
        rein_model_destroy(*out);
        *out = NULL;
        return rein_trace_add(status, __FILE__, __LINE__);
    }
    rein_model_pack(*out);
    return REIN_OK;
}

rein_status rein_model_save(const rein_model *m, const char *dir) {
    rein_arena arena = {0};
    char *path;
    rein_status status;
    REIN_TRY_OUT(status, rein_model_config_save(&m->cfg, dir), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/model.safetensors", dir), out);
    REIN_TRY_OUT(status, rein_params_write(m, m->w, path), out);
out:
    rein_arena_deinit(&arena);
    return status;
}
