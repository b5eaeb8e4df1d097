/* The transformer's layers, forward and backward, over the op table; see pass.h. */
#include "model/pass.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "model/linear.h"
#include "model/lora.h"

/* One layer's activations. Without a tape all layers share one block; with it, layer l's block is l * stride further. */
typedef struct acts {
    float *x, *n1, *rstd1, *pre, *qkv, *rstd_qk, *att, *stat, *mid, *n2, *rstd2, *gu, *act, *lora;
} acts;

static float *take(float **cursor, int64_t n) {
    float *p = *cursor;
    if (p) *cursor = p + (n + REIN_LANES - 1) / REIN_LANES * REIN_LANES;
    return p;
}

/* Lay a block for T rows out from `base`; returns its end. */
static float *lay_out(acts *a, float *base, const rein_model *m, int64_t T) {
    const rein_model_config *c = &m->cfg;
    int64_t Q = rein_model_qkv(m);
    float *p = base;
    a->x = take(&p, T * c->C);
    a->n1 = take(&p, T * c->C);
    a->rstd1 = take(&p, T);
    a->qkv = take(&p, T * Q);
    a->pre = c->qk_norm ? take(&p, T * Q) : a->qkv;
    a->rstd_qk = c->qk_norm ? take(&p, T * (c->H + c->K)) : NULL;
    a->att = take(&p, T * c->H * c->D);
    a->stat = take(&p, T * c->H * 2);
    a->mid = take(&p, T * c->C);
    a->n2 = take(&p, T * c->C);
    a->rstd2 = take(&p, T);
    a->gu = take(&p, T * 2 * c->F);
    a->act = take(&p, T * c->F);
    a->lora = m->lora ? take(&p, T * m->lora->row_floats) : NULL;
    return p;
}

static int64_t block_floats(const rein_model *m, int64_t T) {
    acts a;
    float *origin = (float *)(uintptr_t)64; /* offsets only; never dereferenced */
    return (int64_t)(((uintptr_t)lay_out(&a, origin, m, T) - (uintptr_t)origin) / sizeof(float));
}

static acts layer_acts(const rein_pass *pass, int64_t l) {
    acts a;
    int64_t stride = pass->tape ? block_floats(pass->model, pass->cap_T) : 0;
    lay_out(&a, pass->act + l * stride, pass->model, pass->cap_T);
    return a;
}

/* ---- buffers ---- */

rein_status rein_batch_reserve(rein_batch *b, int64_t rows, int64_t runs) {
    if (rows > b->cap_T) {
        REIN_TRY(rein_realloc(&b->ids, b->cap_T, rows, sizeof *b->ids));
        REIN_TRY(rein_realloc(&b->pos, b->cap_T, rows, sizeof *b->pos));
        REIN_TRY(rein_realloc(&b->span, b->cap_T, rows, sizeof *b->span));
        b->cap_T = rows;
    }
    if (runs > b->cap_runs) {
        REIN_TRY(rein_realloc(&b->runs, b->cap_runs, runs, sizeof *b->runs));
        b->cap_runs = runs;
    }
    return REIN_OK;
}

void rein_batch_deinit(rein_batch *b) {
    rein_free(b->ids);
    rein_free(b->pos);
    rein_free(b->span);
    rein_free(b->runs);
    *b = (rein_batch){0};
}

rein_status rein_pass_init(rein_pass *pass, const rein_model *model, bool tape) {
    *pass = (rein_pass){.model = model, .tape = tape};
    int64_t rows = (1 << 22) / model->cfg.V; /* 16 MiB of logits, at least one chunk of the plan */
    pass->block_rows = rows < REIN_CHUNK ? REIN_CHUNK : rows;
    return REIN_OK;
}

void rein_pass_deinit(rein_pass *pass) {
    rein_free(pass->act);
    rein_free(pass->x);
    rein_free(pass->grad);
    rein_free(pass->scratch);
    rein_free(pass->logits);
    rein_free(pass->dlogits);
    rein_free(pass->head_x);
    rein_free(pass->head_rstd);
    rein_free(pass->head_dx);
    rein_free(pass->stat);
    rein_free(pass->head_row);
    rein_free(pass->local);
    rein_free(pass->block_read);
    rein_free(pass->value);
    rein_free(pass->runs);
    *pass = (rein_pass){0};
}

static int64_t grad_floats(const rein_model *m, int64_t T) {
    const rein_model_config *c = &m->cfg;
    return T * (rein_model_qkv(m) + c->H * c->D + 3 * c->F + c->C) + 4 * REIN_LANES;
}

rein_status rein_pass_reserve(rein_pass *pass, int64_t T) {
    if (T <= pass->cap_T) return REIN_OK;
    const rein_model *m = pass->model;
    int64_t layers = pass->tape ? m->cfg.L : 1;
    rein_free(pass->act);
    rein_free(pass->x);
    rein_free(pass->grad);
    rein_free(pass->scratch);
    pass->act = pass->x = pass->grad = pass->scratch = NULL;
    pass->cap_T = 0;
    REIN_TRY(rein_alloc(&pass->act, layers * block_floats(m, T), sizeof(float)));
    REIN_TRY(rein_alloc(&pass->x, T * m->cfg.C, sizeof(float)));
    REIN_TRY(rein_alloc(&pass->grad, pass->tape ? grad_floats(m, T) : T * m->cfg.C, sizeof(float)));
    REIN_TRY(rein_alloc(&pass->scratch, rein_linear_scratch(m, T), sizeof(float)));
    pass->cap_T = T;
    return REIN_OK;
}

/* ---- forward ---- */

static rein_attn attn_sizes(const rein_model *m, int64_t layer) {
    const rein_model_config *c = &m->cfg;
    return (rein_attn){.H = c->H, .K = c->K, .D = c->D, .layer = layer, .ld = rein_model_qkv(m),
                       .window = c->window[layer], .scale = 1.0f / sqrtf((float)c->D)};
}

/* Normalise the heads of q and of k (Qwen3); v passes through. */
static void qk_norm(const rein_model *m, const rein_layer *y, const acts *a, int64_t T) {
    const rein_model_config *c = &m->cfg;
    rein_device *dev = m->dev;
    int64_t Q = rein_model_qkv(m), HD = c->H * c->D, KD = c->K * c->D;
    dev->ops->rmsnorm(dev, a->qkv, Q, a->rstd_qk, a->pre, Q, y->q_norm.w, T, c->H, c->D, (float)c->rms_norm_eps);
    dev->ops->rmsnorm(dev, a->qkv + HD, Q, a->rstd_qk + T * c->H, a->pre + HD, Q, y->k_norm.w, T, c->K, c->D,
                      (float)c->rms_norm_eps);
    for (int64_t t = 0; t < T; t++)
        memcpy(a->qkv + t * Q + HD + KD, a->pre + t * Q + HD + KD, (size_t)KD * sizeof(float));
}

static void layer_forward(rein_pass *pass, const rein_batch *b, int64_t l, float *next) {
    const rein_model *m = pass->model;
    const rein_model_config *c = &m->cfg;
    const rein_layer *y = &m->layer[l];
    rein_device *dev = m->dev;
    const rein_ops *op = dev->ops;
    acts a = layer_acts(pass, l);
    int64_t T = b->T, C = c->C, Q = rein_model_qkv(m);
    rein_attn at = attn_sizes(m, l);
    rein_linear_rows rows = rein_linear_rows_of(pass, b, a.lora);
    float *tmp = pass->grad; /* (T, C); the backward pass owns it later */

    op->rmsnorm(dev, a.n1, C, a.rstd1, a.x, C, y->attn_norm.w, T, 1, C, (float)c->rms_norm_eps);
    rein_linear_forward(&rows, &y->qkv, a.pre, a.n1);
    if (c->qk_norm) qk_norm(m, y, &a, T);
    if (!c->no_rope[l]) op->rope(dev, a.qkv, Q, b->pos, m->rope, T, c->H + c->K, c->D, 0);
    op->kv_store(dev, b->runs, b->n_runs, a.qkv, at);
    op->attention(dev, a.att, pass->tape ? a.stat : NULL, b->runs, b->n_runs, a.qkv, at);
    rein_linear_forward(&rows, &y->o, tmp, a.att);
    op->add(dev, a.mid, a.x, tmp, T * C);
    op->rmsnorm(dev, a.n2, C, a.rstd2, a.mid, C, y->ffn_norm.w, T, 1, C, (float)c->rms_norm_eps);
    rein_linear_forward(&rows, &y->gate_up, a.gu, a.n2);
    op->swiglu(dev, a.act, a.gu, T, c->F);
    rein_linear_forward(&rows, &y->down, tmp, a.act);
    op->add(dev, next, a.mid, tmp, T * C);
}

/* x (T, C) += the noise of pass->noise. */
static void add_noise(const rein_pass *pass, const rein_batch *b, float *x) {
    const int64_t C = pass->model->cfg.C;
    const uint32_t key[2] = {(uint32_t)pass->noise.key, (uint32_t)(pass->noise.key >> 32)};
    for (int64_t i = 0; i < b->n_runs; i++) {
        const rein_run *r = &b->runs[i];
        const float size = pass->noise.alpha / sqrtf((float)(r->n * C));
        for (int64_t t = r->row; t < r->row + r->n; t++)
            for (int64_t c = 0; c < C; c += 4) {
                const uint32_t counter[4] = {b->span[t], (uint32_t)b->pos[t], (uint32_t)c, 0};
                uint32_t word[4];
                rein_philox(word, counter, key);
                for (int64_t k = 0; k < 4 && c + k < C; k++)
                    x[t * C + c + k] += size * ((float)(word[k] >> 8) * 0x1p-23f - 1); /* [-1, 1) */
            }
    }
}

rein_status rein_pass_forward(rein_pass *pass, const rein_batch *b) {
    const rein_model *m = pass->model;
    REIN_TRY(rein_pass_reserve(pass, b->T));
    for (int64_t t = 0; t < b->T; t++) {
        REIN_ASSERT(b->ids[t] >= 0 && b->ids[t] < m->cfg.V);
        REIN_ASSERT(b->pos[t] >= 0 && b->pos[t] < m->n_pos);
    }
    m->dev->ops->embed(m->dev, layer_acts(pass, 0).x, m->embed, b->ids, b->T);
    if (pass->noise.alpha > 0) add_noise(pass, b, layer_acts(pass, 0).x);
    for (int64_t l = 0; l < m->cfg.L; l++)
        layer_forward(pass, b, l, l + 1 < m->cfg.L ? layer_acts(pass, l + 1).x : pass->x);
    pass->rows_done += b->T;
    return REIN_OK;
}

/* ---- backward ---- */

rein_status rein_grads_init(rein_grads *g, const rein_model *model) {
    *g = (rein_grads){.n_float = model->n_float};
    REIN_TRY(rein_alloc(&g->flat, g->n_float, sizeof(float)));
    if (model->embed_grad >= 0 && model->head.grad == model->embed_grad)
        REIN_TRY(rein_alloc(&g->tied_head, model->cfg.V * model->cfg.C, sizeof(float)));
    if (model->value && model->norm.grad >= 0) REIN_TRY(rein_alloc(&g->value_norm, model->cfg.C, sizeof(float)));
    return REIN_OK;
}

void rein_grads_zero(rein_grads *g, const rein_model *model) {
    memset(g->flat, 0, (size_t)g->n_float * sizeof(float));
    if (g->tied_head) memset(g->tied_head, 0, (size_t)(model->cfg.V * model->cfg.C) * sizeof(float));
    if (g->value_norm) memset(g->value_norm, 0, (size_t)model->cfg.C * sizeof(float));
}

void rein_grads_finish(rein_grads *g, const rein_model *model) {
    rein_device *dev = model->dev;
    float *embed = rein_grad_at(g->flat, model->embed_grad), *norm = rein_grad_at(g->flat, model->norm.grad);
    if (g->tied_head) dev->ops->add(dev, embed, embed, g->tied_head, model->cfg.V * model->cfg.C);
    if (g->value_norm) dev->ops->add(dev, norm, norm, g->value_norm, model->cfg.C);
}

void rein_grads_deinit(rein_grads *g) {
    rein_free(g->flat);
    rein_free(g->tied_head);
    rein_free(g->value_norm);
    *g = (rein_grads){0};
}

/* Gradient buffers of one layer. */
typedef struct grads {
    float *dqkv, *datt, *dgu, *dact, *dn;
} grads;

static grads lay_out_grads(const rein_pass *pass, int64_t T) {
    const rein_model_config *c = &pass->model->cfg;
    float *p = pass->grad;
    grads g;
    g.dqkv = take(&p, T * rein_model_qkv(pass->model));
    g.datt = take(&p, T * c->H * c->D);
    g.dgu = take(&p, T * 2 * c->F);
    g.dact = take(&p, T * c->F);
    g.dn = take(&p, T * c->C);
    return g;
}

/* dx holds the gradient of mid + down(...); on return that of mid. */
static void ffn_backward(rein_pass *pass, const rein_batch *b, int64_t l, float *dx, const rein_plan *plan, float *gw) {
    const rein_model *m = pass->model;
    const rein_layer *y = &m->layer[l];
    rein_device *dev = m->dev;
    int64_t T = b->T, C = m->cfg.C, F = m->cfg.F;
    acts a = layer_acts(pass, l);
    grads g = lay_out_grads(pass, T);
    rein_linear_rows rows = rein_linear_rows_of(pass, b, a.lora);
    rein_linear_backward(&rows, &y->down, g.dact, dx, a.act, plan, gw);
    dev->ops->swiglu_bwd(dev, g.dgu, g.dact, a.gu, T, F);
    rein_linear_backward(&rows, &y->gate_up, g.dn, g.dgu, a.n2, plan, gw);
    dev->ops->rmsnorm_bwd(dev, dx, rein_grad_at(gw, y->ffn_norm.grad), g.dn, C, a.mid, C, y->ffn_norm.w, a.rstd2, plan, T,
                          1, C, 1);
}

static void qk_norm_backward(rein_pass *pass, int64_t T, int64_t l, const rein_plan *plan, float *gw) {
    const rein_model *m = pass->model;
    const rein_model_config *c = &m->cfg;
    const rein_layer *y = &m->layer[l];
    rein_device *dev = m->dev;
    int64_t Q = rein_model_qkv(m), HD = c->H * c->D;
    acts a = layer_acts(pass, l);
    float *dqkv = lay_out_grads(pass, T).dqkv;
    dev->ops->rmsnorm_bwd(dev, dqkv, rein_grad_at(gw, y->q_norm.grad), dqkv, Q, a.pre, Q, y->q_norm.w, a.rstd_qk, plan, T,
                          c->H, c->D, 0);
    dev->ops->rmsnorm_bwd(dev, dqkv + HD, rein_grad_at(gw, y->k_norm.grad), dqkv + HD, Q, a.pre + HD, Q, y->k_norm.w,
                          a.rstd_qk + T * c->H, plan, T, c->K, c->D, 0);
}

/* dx holds the gradient of x + o(...); on return that of x. */
static void attn_backward(rein_pass *pass, const rein_batch *b, int64_t l, float *dx, const rein_plan *plan, float *gw) {
    const rein_model *m = pass->model;
    const rein_model_config *c = &m->cfg;
    const rein_layer *y = &m->layer[l];
    rein_device *dev = m->dev;
    int64_t T = b->T, C = c->C, Q = rein_model_qkv(m);
    acts a = layer_acts(pass, l);
    grads g = lay_out_grads(pass, T);
    rein_linear_rows rows = rein_linear_rows_of(pass, b, a.lora);
    rein_linear_backward(&rows, &y->o, g.datt, dx, a.att, plan, gw);
    dev->ops->attention_bwd(dev, g.dqkv, g.datt, a.att, a.stat, pass->runs, b->n_runs, a.qkv, attn_sizes(m, l));
    if (!c->no_rope[l]) dev->ops->rope(dev, g.dqkv, Q, b->pos, m->rope, T, c->H + c->K, c->D, 1);
    if (c->qk_norm) qk_norm_backward(pass, T, l, plan, gw);
    rein_linear_backward(&rows, &y->qkv, g.dn, g.dqkv, a.n1, plan, gw);
    dev->ops->rmsnorm_bwd(dev, dx, rein_grad_at(gw, y->attn_norm.grad), g.dn, C, a.x, C, y->attn_norm.w, a.rstd1, plan, T,
                          1, C, 1);
}

rein_status rein_pass_backward(rein_pass *pass, rein_batch *b, const int64_t *dkv_stride, float *dx,
                               const rein_plan *plan, rein_grads *gr) {
    const rein_model *m = pass->model;
    const rein_model_config *c = &m->cfg;
    REIN_ASSERT(pass->tape && b->T <= pass->cap_T);
    if (b->n_runs > pass->cap_runs) {
        REIN_TRY(rein_realloc(&pass->runs, pass->cap_runs, b->n_runs, sizeof *pass->runs));
        pass->cap_runs = b->n_runs;
    }
    for (int64_t l = c->L - 1; l >= m->first; l--) {
        for (int64_t i = 0; i < b->n_runs; i++) {
            rein_run *r = &pass->runs[i];
            *r = b->runs[i];
            r->dkv += l * dkv_stride[i];
            if (dkv_stride[i] == 0)
                memset(r->dkv, 0, (size_t)(2 * c->K * c->D * (r->pos + r->n)) * sizeof(float));
        }
        ffn_backward(pass, b, l, dx, plan, gr->flat);
        attn_backward(pass, b, l, dx, plan, gr->flat);
    }
    if (m->embed_grad >= 0) m->dev->ops->embed_bwd(m->dev, gr->flat + m->embed_grad, dx, b->ids, plan, c->C);
    return REIN_OK;
}
