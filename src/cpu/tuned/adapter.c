/* Operations of low-rank adapters: adding and scaling parts of rows, row norms of an adapted weight, dropout. */
#include "base/random.h"
#include "cpu/tuned/tuned.h"
#include "cpu/tuned/unpack.h"

void REIN_ISA(rein_add_rows)(rein_device *dev, float *y, int64_t ldy, const float *a, int64_t lda, int64_t M,
                             int64_t N) {
    int parts = parts_for(dev, 4 * M * N);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++)
        for (int64_t n = 0; n < N; n++) y[t * ldy + n] += a[t * lda + n];
}

void REIN_ISA(rein_scale)(rein_device *dev, float *x, float s, int64_t n) {
    int parts = parts_for(dev, 4 * n);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < n; i++) x[i] *= s;
}

/* y may be x: every element is read before it is written, and no other one is. */
REIN_INLINE void scale_row(float *y, const float *x, const float *g, const float *bias, int64_t N) {
    for (int64_t n = 0; n < N; n += REIN_W) {
        int64_t count = N - n;
        vec v = v_mul(v_loadn(x + n, count), v_loadn(g + n, count));
        v_storen(y + n, count, bias ? v_add(v, v_loadn(bias + n, count)) : v);
    }
}

void REIN_ISA(rein_scale_columns)(rein_device *dev, float *y, int64_t ldy, const float *x, int64_t ldx, const float *g,
                                  const float *bias, int64_t M, int64_t N) {
    int parts = parts_for(dev, 4 * M * N);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++) scale_row(y + t * ldy, x + t * ldx, g, bias, N);
}

void REIN_ISA(rein_scale_columns_grad)(rein_device *dev, float *dg, const float *dy, int64_t lddy, const float *z,
                                       int64_t ldz, const float *s, const rein_plan *plan, int64_t N) {
    int64_t rows = 0;
    for (int64_t i = 0; i < plan->n; i++) rows += plan->range[i][1] - plan->range[i][0];
    int parts = parts_for(dev, 4 * rows * N);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t n = 0; n < N; n += REIN_W) {
        int64_t count = N - n;
        vec scale = v_loadn(s + n, count), sum = v_loadn(dg + n, count);
        for (int64_t i = 0; i < plan->n; i++) {
            vec c = v_zero();
            for (int64_t t = plan->range[i][0]; t < plan->range[i][1]; t++)
                c = v_fma(v_loadn(dy + t * lddy + n, count), v_loadn(z + t * ldz + n, count), c);
            sum = v_add(sum, v_mul(c, scale));
        }
        v_storen(dg + n, count, sum);
    }
}

/* The 16 partial sums of elements [k, k + count) of one row, whose weights are in `row`. */
REIN_INLINE void norm_step(vec p[REIN_V16], const float *row, const float *a, int64_t K, const float *b, float s,
                           int64_t R, int64_t count) {
    vec c[REIN_V16];
    for (int v = 0; v < REIN_V16; v++) c[v] = v_zero();
    for (int64_t r = 0; r < R; r++) {
        vec br = v_set(b[r]);
        for (int v = 0; v < REIN_V16; v++)
            c[v] = v_fma(br, v_loadm(v_mask(count - v * REIN_W), a + r * K + v * REIN_W), c[v]);
    }
    for (int v = 0; v < REIN_V16; v++) {
        vmask mask = v_mask(count - v * REIN_W);
        vec u = v_fma(v_set(s), c[v], v_loadm(mask, row + v * REIN_W));
        p[v] = v_select(mask, v_fma(u, u, p[v]), p[v]);
    }
}

static float norm_row(const rein_weight *w, const float *a, const float *b, float s, int64_t R, int64_t n) {
    vec p[REIN_V16];
    float row[REIN_CHUNK];
    for (int v = 0; v < REIN_V16; v++) p[v] = v_zero();
    for (int64_t k0 = 0; k0 < w->K; k0 += REIN_CHUNK) {
        int64_t count = min_i64(REIN_CHUNK, w->K - k0);
        REIN_ISA(rein_unpack_row)(row, w, n, k0, count);
        for (int64_t i = 0; i < count; i += REIN_LANES) norm_step(p, row + i, a + k0 + i, w->K, b, s, R, count - i);
    }
    return sqrtf(v_tree16(p));
}

void REIN_ISA(rein_adapted_norm)(rein_device *dev, float *norm, rein_weight w, const float *a, const float *b, float s,
                                 int64_t R) {
    int parts = parts_for(dev, 2 * w.N * w.K * (R + 1));
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t n = 0; n < w.N; n++) norm[n] = norm_row(&w, a, b + n * R, s, R, n);
}

/* One row: four draws of 24 bits from each block of random words. */
static void drop_row(float *y, const float *x, float p, const uint32_t key[2], uint32_t stream, int64_t pos,
                     uint32_t row_id, int64_t K) {
    float kept = 1 / (1 - p);
    for (int64_t k = 0; k < K; k += 4) {
        const uint32_t counter[4] = {(uint32_t)(k / 4), (uint32_t)pos, row_id, stream};
        uint32_t word[4];
        rein_philox(word, counter, key);
        for (int64_t i = 0; i < min_i64(4, K - k); i++)
            y[k + i] = x[k + i] * ((float)(word[i] >> 8) * 0x1p-24f < p ? 0 : kept);
    }
}

void REIN_ISA(rein_dropout)(rein_device *dev, float *y, const float *x, float p, uint64_t key, uint32_t stream,
                            const int64_t *pos, const uint32_t *row_id, int64_t M, int64_t K) {
    const uint32_t halves[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    int parts = parts_for(dev, 32 * M * K);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++) drop_row(y + t * K, x + t * K, p, halves, stream, pos[t], row_id[t], K);
}
