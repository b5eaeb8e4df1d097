/* Linear layers, plain and adapted; see linear.h. */
#include "model/linear.h"

#include "model/lora.h"

int64_t rein_linear_scratch(const rein_model *m, int64_t T) {
    return m->lora ? T * (m->lora->R + m->lora->N + 2 * m->lora->K) : 0;
}

rein_linear_rows rein_linear_rows_of(const rein_pass *pass, const rein_batch *batch, float *lora) {
    const rein_lora *lo = pass->model->lora;
    rein_linear_rows r = {.pass = pass, .batch = batch, .lora = lora};
    if (!lo) return r;
    r.y = pass->scratch;
    r.x = r.y + batch->T * lo->N;
    r.dx = r.x + batch->T * lo->K;
    r.u = r.dx + batch->T * lo->K;
    return r;
}

/* out = x with the adapter's dropout, or x itself where there is none. */
static float *dropped(const rein_linear_rows *rows, const rein_adapter *ad, float *out, const float *x) {
    const rein_pass *pass = rows->pass;
    rein_device *dev = pass->model->dev;
    if (pass->dropout.p == 0) return (float *)(uintptr_t)x;
    dev->ops->dropout(dev, out, x, pass->dropout.p, pass->dropout.key, ad->stream, rows->batch->pos, rows->batch->span,
                      rows->batch->T, ad->a.K);
    return out;
}

/* ---- forward ---- */

/* y += B u with u = scale * A x'; y has ld columns a row. */
static void add_low_rank(const rein_linear_rows *rows, const rein_adapter *ad, float *y, int64_t ld, const float *x) {
    rein_device *dev = rows->pass->model->dev;
    const rein_ops *op = dev->ops;
    int64_t T = rows->batch->T, N = ad->b.N;
    float *u = rows->lora + rows->pass->cap_T * ad->u;
    op->linear(dev, u, ad->r, dropped(rows, ad, rows->x, x), ad->a.K, ad->a, NULL, T);
    op->scale(dev, u, ad->scale, T * ad->r);
    op->linear(dev, rows->y, N, u, ad->r, ad->b, NULL, T);
    op->add_rows(dev, y, ld, rows->y, N, T, N);
}

void rein_linear_forward(const rein_linear_rows *rows, const rein_linear *lin, float *y, const float *x) {
    rein_device *dev = rows->pass->model->dev;
    int64_t T = rows->batch->T;
    for (int i = 0; i < lin->n; i++) {
        const rein_product *p = &lin->part[i];
        const rein_adapter *ad = p->adapter;
        bool dora = ad && ad->magnitude >= 0;
        float *z = dora ? rows->lora + rows->pass->cap_T * ad->z : y + p->col;
        int64_t ld = dora ? p->w.N : lin->N;
        dev->ops->linear(dev, z, ld, x, lin->K, p->w, dora ? NULL : p->bias.w, T);
        if (ad) add_low_rank(rows, ad, z, ld, x);
        if (dora)
            dev->ops->scale_columns(dev, y + p->col, lin->N, z, ld, ad->norm + p->w.N, p->bias.w, T, p->w.N);
    }
}

/* ---- backward ---- */

/* Gradients of A and B; their part of the input's gradient is added to dx. dz has ld columns a row. */
static void low_rank_backward(const rein_linear_rows *rows, const rein_adapter *ad, float *dx, const float *dz, int64_t ld,
                              const float *x, const rein_plan *plan, float *gw) {
    rein_device *dev = rows->pass->model->dev;
    const rein_ops *op = dev->ops;
    int64_t T = rows->batch->T, K = ad->a.K;
    op->linear_dw(dev, gw + ad->b_at, dz, ld, rows->lora + rows->pass->cap_T * ad->u, ad->r, plan, ad->b.N, ad->r);
    op->linear_dx(dev, rows->u, dz, ld, ad->b, T);
    op->scale(dev, rows->u, ad->scale, T * ad->r);
    op->linear_dw(dev, gw + ad->a_at, rows->u, ad->r, dropped(rows, ad, rows->x, x), K, plan, ad->r, K);
    op->linear_dx(dev, rows->dx, rows->u, ad->r, ad->a, T);
    op->add(dev, dx, dx, dropped(rows, ad, rows->x, rows->dx), T * K);
}

static void part_backward(const rein_linear_rows *rows, const rein_linear *lin, int i, float *dx, const float *dy,
                          const float *x, const rein_plan *plan, float *gw) {
    const rein_product *p = &lin->part[i];
    const rein_adapter *ad = p->adapter;
    rein_device *dev = rows->pass->model->dev;
    const rein_ops *op = dev->ops;
    int64_t T = rows->batch->T, N = p->w.N, ld = lin->N;
    const float *dz = dy + p->col;
    if (p->bias.grad >= 0) op->bias_grad(dev, gw + p->bias.grad, dz, ld, plan, N);
    if (ad && ad->magnitude >= 0) {
        const float *z = rows->lora + rows->pass->cap_T * ad->z;
        op->scale_columns_grad(dev, gw + ad->magnitude, dz, ld, z, N, ad->norm + 2 * N, plan, N);
        op->scale_columns(dev, rows->y, N, dz, ld, ad->norm + N, NULL, T, N);
        dz = rows->y;
        ld = N;
    }
    if (p->grad >= 0) op->linear_dw(dev, gw + p->grad, dz, ld, x, lin->K, plan, N, lin->K);
    op->linear_dx(dev, i == 0 ? dx : rows->dx, dz, ld, p->w, T);
    if (i > 0) op->add(dev, dx, dx, rows->dx, T * lin->K);
    if (ad) low_rank_backward(rows, ad, dx, dz, ld, x, plan, gw);
}

void rein_linear_backward(const rein_linear_rows *rows, const rein_linear *lin, float *dx, const float *dy, const float *x,
                          const rein_plan *plan, float *gw) {
    for (int i = 0; i < lin->n; i++) part_backward(rows, lin, i, dx, dy, x, plan, gw);
}
