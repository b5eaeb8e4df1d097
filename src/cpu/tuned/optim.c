/* Optimiser arithmetic: the AdamW update, sums of squares for the gradient norm, bitwise comparison. */
#include "cpu/tuned/tuned.h"

enum { SUMSQ_BLOCK = 4096 };

/* The scalars of the update in every lane. */
typedef struct adamw {
    float *p, *m, *v;
    const float *grad;
    vec decay, take1, take2, keep2, step, root, eps, grad_scale;
} adamw;

REIN_INLINE void adamw_step(const adamw *a, int64_t i, int64_t n) {
    vec g = v_mul(v_loadn(a->grad + i, n), a->grad_scale), m = v_loadn(a->m + i, n), v = v_loadn(a->v + i, n);
    m = v_fma(a->take1, v_sub(g, m), m);
    v = v_fma(v_mul(a->take2, g), g, v_mul(v, a->keep2));
    vec size = v_add(v_div(v_sqrt(v), a->root), a->eps);
    v_storen(a->m + i, n, m);
    v_storen(a->v + i, n, v);
    v_storen(a->p + i, n, v_fnma(a->step, v_div(m, size), v_mul(v_loadn(a->p + i, n), a->decay)));
}

void REIN_ISA(rein_adamw)(rein_device *dev, float *p, float *m, float *v, const float *grad, int64_t n,
                          rein_adamw_args args) {
    adamw a = {p,
               m,
               v,
               grad,
               v_set(1.0f - args.lr * args.weight_decay),
               v_set(1.0f - args.beta1),
               v_set(1.0f - args.beta2),
               v_set(args.beta2),
               v_set(args.lr / args.bias1),
               v_set(sqrtf(args.bias2)),
               v_set(args.eps),
               v_set(args.grad_scale)};
    int parts = parts_for(dev, 32 * n);
    int64_t whole = n / REIN_W;
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < whole; i++) adamw_step(&a, i * REIN_W, REIN_W);
    if (n % REIN_W) adamw_step(&a, whole * REIN_W, n % REIN_W);
}

/* A square of an f32 is exact in f64, so a product and a sum are the contract's fma, on any instruction set. */
static double sumsq_block(const float *x, int64_t n) {
    double p[REIN_LANES] = {0};
    int64_t i = 0;
    for (; i + REIN_LANES <= n; i += REIN_LANES)
        for (int l = 0; l < REIN_LANES; l++) p[l] += (double)x[i + l] * (double)x[i + l];
    for (int l = 0; i + l < n; l++) p[l] += (double)x[i + l] * (double)x[i + l];
    for (int width = REIN_LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) p[l] += p[l + width];
    return p[0];
}

void REIN_ISA(rein_sumsq)(rein_device *dev, double *blocks, const float *x, int64_t n) {
    int parts = parts_for(dev, 4 * n);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t begin = 0; begin < n; begin += SUMSQ_BLOCK)
        blocks[begin / SUMSQ_BLOCK] = sumsq_block(x + begin, min_i64(SUMSQ_BLOCK, n - begin));
}

int64_t REIN_ISA(rein_count_diff)(rein_device *dev, const float *a, const float *b, int64_t n) {
    int64_t count = 0;
    int parts = parts_for(dev, 2 * n);
#pragma omp parallel for schedule(static) num_threads(parts) reduction(+ : count)
    for (int64_t i = 0; i < n; i++) {
        uint32_t x, y;
        memcpy(&x, &a[i], sizeof x);
        memcpy(&y, &b[i], sizeof y);
        count += x != y;
    }
    return count;
}
