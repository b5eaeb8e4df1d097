/* Reference optimiser arithmetic: the updates, stochastic rounding, sums of squares for the gradient norm, bitwise
 * comparison. */
#include <string.h>

#include "base/random.h"
#include "cpu/ref.h"
#include "tensor/state8.h"

enum { SUMSQ_BLOCK = 4096 };

typedef struct adamw { /* the scalars of an update */
    real decay, take1, take2, keep2, step, root, eps, grad_scale;
} adamw;

static adamw adamw_scalars(rein_adamw_args a) {
    return (adamw){1 - a.lr * a.weight_decay, 1 - a.beta1, 1 - a.beta2, a.beta2, a.lr / a.bias1,
                   real_sqrt(a.bias2),        a.eps,       a.grad_scale};
}

static void adamw_element(const adamw *a, real *p, real *m, real *v, real grad) {
    real g = grad * a->grad_scale;
    *m = real_fma(a->take1, g - *m, *m);
    *v = real_fma(a->take2 * g, g, *v * a->keep2);
    *p = real_fma(-a->step, *m / (real_sqrt(*v) / a->root + a->eps), *p * a->decay);
}

void rein_ref_adamw(rein_device *dev, real *p, real *m, real *v, const real *grad, int64_t n, rein_adamw_args args) {
    (void)dev;
    adamw a = adamw_scalars(args);
    for (int64_t i = 0; i < n; i++) adamw_element(&a, &p[i], &m[i], &v[i], grad[i]);
}

/* The random word of element i; `use` keeps the draws of different roundings apart. */
static uint32_t word_of(int64_t i, uint64_t key, uint32_t use) {
    const uint32_t halves[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    const uint32_t counter[4] = {(uint32_t)(i / 4), (uint32_t)((uint64_t)(i / 4) >> 32), use, 0};
    uint32_t word[4];
    rein_philox(word, counter, halves);
    return word[i % 4];
}

static real over(real x, real scale) { return scale > 0 ? x / scale : 0; }

/* Elements [begin, begin + n) of one block. */
static void adamw_8bit_block(const adamw *a, real *p, rein_state8 m8, rein_state8 v8, const real *grad, int64_t begin,
                             int64_t n, uint64_t key) {
    real m[REIN_STATE8_BLOCK], v[REIN_STATE8_BLOCK], top_m = 0, top_v = 0;
    real *scale_m = &m8.scale[begin / REIN_STATE8_BLOCK], *scale_v = &v8.scale[begin / REIN_STATE8_BLOCK];
    for (int64_t i = 0; i < n; i++) {
        m[i] = (real)rein_state8_of_signed(m8.code[begin + i]) * *scale_m;
        v[i] = (real)rein_state8_of_positive(v8.code[begin + i]) * *scale_v;
        adamw_element(a, &p[begin + i], &m[i], &v[i], grad[begin + i]);
        real size = m[i] < 0 ? -m[i] : m[i];
        top_m = size > top_m ? size : top_m;
        top_v = v[i] > top_v ? v[i] : top_v;
    }
    *scale_m = top_m / (real)1.875;
    *scale_v = top_v / (real)1.875;
    for (int64_t i = 0; i < n; i++) {
        uint32_t word = word_of(begin + i, key, 0);
        m8.code[begin + i] = rein_state8_signed((float)over(m[i], *scale_m), (word & 0xffffu) << 4);
        v8.code[begin + i] = rein_state8_positive((float)over(v[i], *scale_v), word >> 16 << 4);
    }
}

void rein_ref_adamw_8bit(rein_device *dev, real *p, rein_state8 m, rein_state8 v, const real *grad, int64_t n,
                         rein_adamw_args args, uint64_t key) {
    (void)dev;
    adamw a = adamw_scalars(args);
    for (int64_t i = 0; i < n; i += REIN_STATE8_BLOCK)
        adamw_8bit_block(&a, p, m, v, grad, i, ref_min(REIN_STATE8_BLOCK, n - i), key);
}

void rein_ref_lion(rein_device *dev, real *p, real *m, const real *grad, int64_t n, rein_lion_args a) {
    (void)dev;
    real decay = 1 - a.lr * a.weight_decay, take1 = 1 - a.beta1, take2 = 1 - a.beta2;
    for (int64_t i = 0; i < n; i++) {
        real g = grad[i] * a.grad_scale, c = real_fma(take1, g - m[i], m[i]);
        m[i] = real_fma(take2, g - m[i], m[i]);
        p[i] = real_fma(-a.lr, c > 0 ? 1 : c < 0 ? -1 : 0, p[i] * decay);
    }
}

void rein_ref_sgd(rein_device *dev, real *p, real *m, const real *grad, int64_t n, rein_sgd_args a) {
    (void)dev;
    for (int64_t i = 0; i < n; i++) {
        real g = real_fma(a.weight_decay, p[i], grad[i] * a.grad_scale), u = g;
        if (m) {
            m[i] = real_fma(a.momentum, m[i], g);
            u = a.nesterov ? real_fma(a.momentum, m[i], g) : m[i];
        }
        p[i] = real_fma(-a.lr, u, p[i]);
    }
}

void rein_ref_round_bf16(rein_device *dev, real *p, int64_t n, uint64_t key) {
    (void)dev;
    for (int64_t i = 0; i < n; i++) p[i] = rein_bf16_of((float)p[i], word_of(i, key, 1) >> 16);
}

void rein_ref_sumsq(rein_device *dev, double *blocks, const real *x, int64_t n) {
    (void)dev;
    for (int64_t begin = 0; begin < n; begin += SUMSQ_BLOCK) {
        double p[REIN_LANES] = {0};
        for (int64_t i = begin; i < ref_min(begin + SUMSQ_BLOCK, n); i++)
            p[i % REIN_LANES] = fma((double)x[i], (double)x[i], p[i % REIN_LANES]);
        for (int width = REIN_LANES / 2; width > 0; width /= 2)
            for (int i = 0; i < width; i++) p[i] += p[i + width];
        blocks[begin / SUMSQ_BLOCK] = p[0];
    }
}

int64_t rein_ref_count_diff(rein_device *dev, const real *a, const real *b, int64_t n) {
    (void)dev;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += memcmp(&a[i], &b[i], sizeof(real)) != 0;
    return count;
}
