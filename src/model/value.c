/* The value head: its parameters and its arithmetic; see value.h. */
#include "model/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "model/head.h"
#include "model/table.h"

static const float norm_eps = 1e-5f;

/* ---- parameters ---- */

enum { NORM_WEIGHT, NORM_BIAS, OUT_WEIGHT, OUT_BIAS, UP_WEIGHT, UP_BIAS, PARAMS };

static int64_t count(const rein_value *v) { return v->kind == REIN_VALUE_MLP ? PARAMS : UP_WEIGHT; }

rein_status rein_value_add(rein_model *m) {
    static const char *const name[PARAMS] = {"norm.weight", "norm.bias", "out.weight",
                                             "out.bias",    "up.weight", "up.bias"};
    static const rein_param_kind kind[PARAMS] = {REIN_PARAM_NORM, REIN_PARAM_BIAS,   REIN_PARAM_MATRIX,
                                                 REIN_PARAM_BIAS, REIN_PARAM_MATRIX, REIN_PARAM_BIAS};
    rein_value *v = m->value;
    v->first = m->n_param;
    REIN_TRY(rein_realloc(&m->param, m->n_param, m->n_param + count(v), sizeof *m->param));
    for (int i = 0; i < count(v); i++) {
        rein_param *p = &m->param[m->n_param++];
        *p = (rein_param){.kind = kind[i],
                          .rows = i == UP_WEIGHT ? m->cfg.C : 1,
                          .cols = i == OUT_BIAS ? 1 : m->cfg.C,
                          .offset = m->n_float};
        snprintf(p->name, sizeof p->name, "value_head.%s", name[i]);
        m->n_float += rein_param_floats(p->rows, p->cols);
    }
    return REIN_OK;
}

static rein_vector vector(const rein_model *m, int i) {
    int64_t at = m->param[m->value->first + i].offset;
    return (rein_vector){m->w + at, at};
}

static rein_product product(const rein_model *m, int weight, int bias) {
    const rein_param *p = &m->param[m->value->first + weight];
    return (rein_product){.w = {.rows = m->w + p->offset, .N = p->rows, .K = p->cols, .dtype = REIN_F32},
                          .grad = p->offset,
                          .bias = vector(m, bias)};
}

void rein_value_bind(rein_model *m) {
    rein_value *v = m->value;
    v->norm_weight = vector(m, NORM_WEIGHT);
    v->norm_bias = vector(m, NORM_BIAS);
    v->out = product(m, OUT_WEIGHT, OUT_BIAS);
    if (v->kind == REIN_VALUE_MLP) v->up = product(m, UP_WEIGHT, UP_BIAS);
}

/* ---- values ---- */

static void init(rein_model *m, uint64_t seed) {
    for (int i = 0; i < count(m->value); i++) {
        const rein_param *p = &m->param[m->value->first + i];
        double C = (double)m->cfg.C, scale = i == OUT_WEIGHT ? 1 / (C + 1) : 1 / sqrt(C);
        float *w = m->w + p->offset;
        for (int64_t k = 0; k < p->rows * p->cols; k++) {
            w[k] = p->kind == REIN_PARAM_NORM ? 1.0f : 0.0f;
            if (p->kind == REIN_PARAM_MATRIX)
                w[k] = (float)(scale * rein_random_normal(seed, REIN_STREAM_INIT, (uint32_t)i, (uint32_t)k,
                                                          (uint32_t)(k >> 32), 2));
        }
    }
}

static rein_status path_of(rein_arena *arena, char **out, const char *dir) {
    return rein_path_format(arena, out, "%s/value_head.safetensors", dir);
}

rein_status rein_value_load(rein_model *m, const char *const dirs[2], uint64_t seed) {
    rein_arena arena = {0};
    rein_status status = REIN_OK;
    for (int i = 0; i < 2; i++) {
        char *path;
        if (!dirs[i]) continue;
        REIN_TRY_OUT(status, path_of(&arena, &path, dirs[i]), out);
        if (!rein_path_exists(path)) continue;
        status = rein_value_restore(m, dirs[i]);
        goto out;
    }
    init(m, seed);
out:
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_value_restore(rein_model *m, const char *dir) {
    rein_arena arena = {0};
    char *path;
    rein_status status;
    REIN_TRY_OUT(status, path_of(&arena, &path, dir), out);
    REIN_TRY_OUT(status, rein_params_read_some(m, m->w, m->value->first, m->n_param, path), out);
out:
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_value_save(const rein_model *m, const char *dir) {
    rein_arena arena = {0};
    char *path;
    rein_status status;
    REIN_TRY_OUT(status, path_of(&arena, &path, dir), out);
    REIN_TRY_OUT(status, rein_params_write_some(m, m->w, m->value->first, m->n_param, path), out);
out:
    rein_arena_deinit(&arena);
    return status;
}

/* ---- rows of a block ---- */

enum { MOST = REIN_CHUNK }; /* rows of a block: a range of the plan has no more */

/* What a block of rows computes. */
typedef struct rows {
    float *centred, *rstd, *y; /* (MOST, C), (MOST), (MOST, C) */
    float *gate_up, *act;      /* MLP: (MOST, 2 C) pre-activations and ones, (MOST, C) */
    float *v;                  /* (MOST) */
    float *dv, *dy, *dgate_up; /* their gradients */
} rows;

static rein_status lay_out(rein_pass *pass, rows *r) {
    int64_t C = pass->model->cfg.C;
    REIN_TRY(rein_head_grow(&pass->value, &pass->cap_value, MOST * (8 * C + 3)));
    float *p = pass->value;
    r->centred = p;
    r->y = r->centred + MOST * C;
    r->act = r->y + MOST * C;
    r->dy = r->act + MOST * C;
    r->gate_up = r->dy + MOST * C;
    r->dgate_up = r->gate_up + 2 * MOST * C;
    r->rstd = r->dgate_up + 2 * MOST * C;
    r->v = r->rstd + MOST;
    r->dv = r->v + MOST;
    return REIN_OK;
}

/* SiLU is SwiGLU with ones in the place of `up`. */
static void mlp_forward(const rein_pass *pass, const rows *r, int64_t n) {
    const rein_value *v = pass->model->value;
    rein_device *dev = pass->model->dev;
    int64_t C = pass->model->cfg.C;
    for (int64_t t = 0; t < n; t++)
        for (int64_t i = 0; i < C; i++) r->gate_up[(2 * t + 1) * C + i] = 1;
    dev->ops->linear(dev, r->gate_up, 2 * C, r->y, C, v->up.w, v->up.bias.w, n);
    dev->ops->swiglu(dev, r->act, r->gate_up, n, C);
}

/* Values of the n rows in pass->head_row. */
static void block_values(rein_pass *pass, const rows *r, int64_t n) {
    const rein_value *v = pass->model->value;
    rein_device *dev = pass->model->dev;
    const rein_ops *op = dev->ops;
    int64_t C = pass->model->cfg.C;
    bool mlp = v->kind == REIN_VALUE_MLP;
    rein_head_norm(pass, n);
    op->center(dev, r->centred, rein_head_normed(pass), n, C);
    op->rmsnorm(dev, r->y, C, r->rstd, r->centred, C, v->norm_weight.w, n, 1, C, norm_eps);
    op->add_rows(dev, r->y, C, v->norm_bias.w, 0, n, C); /* the same row each time */
    if (mlp) mlp_forward(pass, r, n);
    op->linear(dev, r->v, 1, mlp ? r->act : r->y, C, v->out.w, v->out.bias.w, n);
}

rein_status rein_value_forward(rein_pass *pass, const rein_read *reads, int64_t n, float *value) {
    rows r;
    REIN_ASSERT(pass->model->value);
    REIN_TRY(rein_head_reserve(pass, MOST, n));
    REIN_TRY(lay_out(pass, &r));
    for (int64_t at = 0; at < n;) {
        int64_t n_row, end = rein_head_gather(pass, reads, at, n, MOST, &n_row);
        block_values(pass, &r, n_row);
        for (int64_t i = at; i < end; i++) value[i] = r.v[pass->block_read[i - at].row];
        at = end;
    }
    return REIN_OK;
}

/* ---- backward ---- */

/* Gradients of a product's parameters. dy has ld columns a row. */
static void product_grads(const rein_pass *pass, const rein_product *p, const float *dy, int64_t ld, const float *x,
                          const rein_plan *plan, float *gw) {
    rein_device *dev = pass->model->dev;
    dev->ops->linear_dw(dev, gw + p->grad, dy, ld, x, p->w.K, plan, p->w.N, p->w.K);
    dev->ops->bias_grad(dev, gw + p->bias.grad, dy, ld, plan, p->w.N);
}

/* From dv of the block's n rows to dy, the gradient of what the final norm gave, and those of the head's parameters. */
static void block_backward(rein_pass *pass, const rows *r, int64_t n, const rein_plan *plan, float *gw) {
    const rein_value *v = pass->model->value;
    rein_device *dev = pass->model->dev;
    const rein_ops *op = dev->ops;
    int64_t C = pass->model->cfg.C;
    bool mlp = v->kind == REIN_VALUE_MLP;
    product_grads(pass, &v->out, r->dv, 1, mlp ? r->act : r->y, plan, gw);
    op->linear_dx(dev, r->dy, r->dv, 1, v->out.w, n);
    if (mlp) {
        op->swiglu_bwd(dev, r->dgate_up, r->dy, r->gate_up, n, C);
        product_grads(pass, &v->up, r->dgate_up, 2 * C, r->y, plan, gw);
        op->linear_dx(dev, r->dy, r->dgate_up, 2 * C, v->up.w, n);
    }
    op->bias_grad(dev, gw + v->norm_bias.grad, r->dy, C, plan, C);
    op->rmsnorm_bwd(dev, r->dy, gw + v->norm_weight.grad, r->dy, C, r->centred, C, v->norm_weight.w, r->rstd, plan, n,
                    1, C, 0);
    op->center(dev, r->dy, r->dy, n, C); /* a projection is its own adjoint */
}

/* Through the final norm into the rows of dx. */
static void into_trunk(rein_pass *pass, const rows *r, int64_t n, const rein_plan *plan, float *dx, rein_grads *grads) {
    const rein_model *m = pass->model;
    const rein_ops *op = m->dev->ops;
    int64_t C = m->cfg.C;
    op->rmsnorm_bwd(m->dev, pass->head_dx, grads->value_norm, r->dy, C, rein_head_raw(pass), C, m->norm.w,
                    pass->head_rstd, plan, n, 1, C, 0);
    for (int64_t i = 0; i < n; i++) {
        float *row = dx + pass->head_row[i] * C;
        op->add(m->dev, row, row, pass->head_dx + i * C, C);
    }
}

rein_status rein_value_backward(rein_pass *pass, const rein_read *reads, int64_t n, const float *dvalue,
                                const rein_plan *plan, bool detach, float *dx, rein_grads *grads) {
    rows r;
    int64_t range = 0;
    REIN_TRY(rein_head_reserve(pass, MOST, n));
    REIN_TRY(lay_out(pass, &r));
    for (int64_t at = 0; at < n;) {
        int64_t n_row, n_local, end = rein_head_gather_ranges(pass, reads, at, n, MOST, plan, &range, &n_row, &n_local);
        rein_plan local = {.n = n_local, .range = (const int64_t(*)[2])pass->local};
        REIN_ASSERT(end > at);
        block_values(pass, &r, n_row);
        memset(r.dv, 0, (size_t)n_row * sizeof *r.dv);
        for (int64_t i = at; i < end; i++) r.dv[pass->block_read[i - at].row] += dvalue[i];
        block_backward(pass, &r, n_row, &local, grads->flat);
        if (!detach) into_trunk(pass, &r, n_row, &local, dx, grads);
        at = end;
    }
    return REIN_OK;
}
