/*
 * Reference linear layers: y = x w^T + b and its three gradients. The summed index of y and dx is cut at multiples of
 * REIN_CHUNK; the gradients of w and b are summed over the row ranges of a plan.
 */
#include "cpu/ref.h"

int64_t rein_ref_packed_size(int64_t N, int64_t K) { return (N + REIN_PANEL - 1) / REIN_PANEL * REIN_PANEL * K; }

static int64_t packed_index(int64_t n, int64_t k, int64_t K) {
    return n / REIN_PANEL * REIN_PANEL * K + k * REIN_PANEL + n % REIN_PANEL;
}

void rein_ref_pack(rein_device *dev, real *packed, const real *w, int64_t N, int64_t K) {
    (void)dev;
    int64_t padded = rein_ref_packed_size(N, 1);
    for (int64_t n = 0; n < padded; n++)
        for (int64_t k = 0; k < K; k++) packed[packed_index(n, k, K)] = n < N ? w[n * K + k] : 0;
}

/* Elements [k, k + count) of row n, from the packed copy where there is one. */
static void row_chunk(real *out, const rein_weight *w, int64_t n, int64_t k, int64_t count) {
    if (!w->packed) {
        real_weights(out, w, n, k, count);
        return;
    }
    for (int64_t i = 0; i < count; i++) out[i] = w->packed[packed_index(n, k + i, w->K)];
}

static real linear_one(const real *x, const rein_weight *w, int64_t n) {
    real total = 0, row[REIN_CHUNK];
    for (int64_t k0 = 0; k0 < w->K; k0 += REIN_CHUNK) {
        int64_t count = ref_min(REIN_CHUNK, w->K - k0);
        real c = 0;
        row_chunk(row, w, n, k0, count);
        for (int64_t i = 0; i < count; i++) c = real_fma(x[k0 + i], row[i], c);
        total = k0 == 0 ? c : total + c;
    }
    return total;
}

void rein_ref_linear(rein_device *dev, real *y, int64_t ldy, const real *x, int64_t ldx, rein_weight w,
                     const real *bias, int64_t M) {
    (void)dev;
    for (int64_t t = 0; t < M; t++) {
        for (int64_t n = 0; n < w.N; n++) {
            real v = linear_one(x + t * ldx, &w, n);
            y[t * ldy + n] = bias ? v + bias[n] : v;
        }
    }
}

static real linear_dx_one(const real *dy, const rein_weight *w, int64_t k) {
    real total = 0;
    for (int64_t n0 = 0; n0 < w->N; n0 += REIN_CHUNK) {
        real c = 0;
        for (int64_t n = n0; n < ref_min(n0 + REIN_CHUNK, w->N); n++) {
            real element;
            real_weights(&element, w, n, k, 1);
            c = real_fma(dy[n], element, c);
        }
        total = n0 == 0 ? c : total + c;
    }
    return total;
}

void rein_ref_linear_dx(rein_device *dev, real *dx, const real *dy, int64_t lddy, rein_weight w, int64_t M) {
    (void)dev;
    for (int64_t t = 0; t < M; t++)
        for (int64_t k = 0; k < w.K; k++) dx[t * w.K + k] = linear_dx_one(dy + t * lddy, &w, k);
}

void rein_ref_linear_dw(rein_device *dev, real *dw, const real *dy, int64_t lddy, const real *x, int64_t ldx,
                        const rein_plan *plan, int64_t N, int64_t K) {
    (void)dev;
    for (int64_t i = 0; i < plan->n; i++) {
        for (int64_t n = 0; n < N; n++) {
            for (int64_t k = 0; k < K; k++) {
                real c = 0;
                for (int64_t t = plan->range[i][0]; t < plan->range[i][1]; t++)
                    c = real_fma(dy[t * lddy + n], x[t * ldx + k], c);
                dw[n * K + k] += c;
            }
        }
    }
}

void rein_ref_bias_grad(rein_device *dev, real *db, const real *dy, int64_t lddy, const rein_plan *plan, int64_t N) {
    (void)dev;
    for (int64_t i = 0; i < plan->n; i++) {
        for (int64_t n = 0; n < N; n++) {
            real c = 0;
            for (int64_t t = plan->range[i][0]; t < plan->range[i][1]; t++) c += dy[t * lddy + n];
            db[n] += c;
        }
    }
}
