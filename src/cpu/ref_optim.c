/* Reference optimiser arithmetic: the AdamW update, sums of squares for the gradient norm, bitwise comparison. */
#include <string.h>

#include "cpu/ref.h"

enum { SUMSQ_BLOCK = 4096 };

void rein_ref_adamw(rein_device *dev, real *p, real *m, real *v, const real *grad, int64_t n, rein_adamw_args a) {
    (void)dev;
    real decay = 1 - a.lr * a.weight_decay;
    real take1 = 1 - a.beta1, take2 = 1 - a.beta2;
    real step = a.lr / a.bias1, root = real_sqrt(a.bias2);
    for (int64_t i = 0; i < n; i++) {
        real g = grad[i] * a.grad_scale;
        m[i] = real_fma(take1, g - m[i], m[i]);
        v[i] = real_fma(take2 * g, g, v[i] * a.beta2);
        p[i] = real_fma(-step, m[i] / (real_sqrt(v[i]) / root + a.eps), p[i] * decay);
    }
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
