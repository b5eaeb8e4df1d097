/* Reference operations of low-rank adapters: adding and scaling parts of rows, row norms of an adapted weight, dropout.
 */
#include "base/random.h"
#include "cpu/ref.h"

void rein_ref_add_rows(rein_device *dev, real *y, int64_t ldy, const real *a, int64_t lda, int64_t M, int64_t N) {
    (void)dev;
    for (int64_t t = 0; t < M; t++)
        for (int64_t n = 0; n < N; n++) y[t * ldy + n] += a[t * lda + n];
}

void rein_ref_scale(rein_device *dev, real *x, real s, int64_t n) {
    (void)dev;
    for (int64_t i = 0; i < n; i++) x[i] *= s;
}

void rein_ref_scale_columns(rein_device *dev, real *y, int64_t ldy, const real *x, int64_t ldx, const real *g,
                            const real *bias, int64_t M, int64_t N) {
    (void)dev;
    for (int64_t t = 0; t < M; t++) {
        for (int64_t n = 0; n < N; n++) {
            real v = x[t * ldx + n] * g[n];
            y[t * ldy + n] = bias ? v + bias[n] : v;
        }
    }
}

void rein_ref_scale_columns_grad(rein_device *dev, real *dg, const real *dy, int64_t lddy, const real *z, int64_t ldz,
                                 const real *s, const rein_plan *plan, int64_t N) {
    (void)dev;
    for (int64_t i = 0; i < plan->n; i++) {
        for (int64_t n = 0; n < N; n++) {
            real c = 0;
            for (int64_t t = plan->range[i][0]; t < plan->range[i][1]; t++)
                c = real_fma(dy[t * lddy + n], z[t * ldz + n], c);
            dg[n] += c * s[n];
        }
    }
}

static real adapted_norm_one(const rein_weight *w, const real *a, const real *b, real s, int64_t R, int64_t n) {
    real p[REIN_LANES] = {0}, row[REIN_CHUNK];
    for (int64_t k0 = 0; k0 < w->K; k0 += REIN_CHUNK) {
        int64_t count = ref_min(REIN_CHUNK, w->K - k0);
        real_weights(row, w, n, k0, count);
        for (int64_t i = 0; i < count; i++) {
            real c = 0;
            for (int64_t r = 0; r < R; r++) c = real_fma(b[n * R + r], a[r * w->K + k0 + i], c);
            real u = real_fma(s, c, row[i]);
            p[i % REIN_LANES] = real_fma(u, u, p[i % REIN_LANES]);
        }
    }
    return real_sqrt(real_tree16(p));
}

void rein_ref_adapted_norm(rein_device *dev, real *norm, rein_weight w, const real *a, const real *b, real s,
                           int64_t R) {
    (void)dev;
    for (int64_t n = 0; n < w.N; n++) norm[n] = adapted_norm_one(&w, a, b, s, R, n);
}

void rein_ref_dropout(rein_device *dev, real *y, const real *x, real p, uint64_t key, uint32_t stream,
                      const int64_t *pos, const uint32_t *row_id, int64_t M, int64_t K) {
    (void)dev;
    const uint32_t halves[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    real kept = 1 / (1 - p);
    for (int64_t t = 0; t < M; t++) {
        for (int64_t k = 0; k < K; k++) {
            const uint32_t counter[4] = {(uint32_t)(k / 4), (uint32_t)pos[t], row_id[t], stream};
            uint32_t word[4];
            rein_philox(word, counter, halves);
            real uniform = (real)(word[k % 4] >> 8) * (real)0x1p-24;
            y[t * K + k] = x[t * K + k] * (uniform < p ? 0 : kept);
        }
    }
}
