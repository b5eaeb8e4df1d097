/* Row operations: RMSNorm, rotary embedding, SwiGLU, addition, embedding, and their gradients. Threads divide rows, or
 * columns where rows are summed. */
#include "cpu/tuned/tuned.h"
#include "cpu/tuned/unpack.h"

/* ---- RMSNorm ---- */

/* One group of 16 elements at most: n of them. */
REIN_INLINE void square_step(vec p[REIN_V16], const float *x, int64_t n) {
    for (int v = 0; v < REIN_V16; v++) {
        vec a = v_loadn(x + v * REIN_W, n - v * REIN_W);
        p[v] = v_selectn(n - v * REIN_W, v_fma(a, a, p[v]), p[v]);
    }
}

REIN_INLINE void scale_step(float *y, const float *x, const float *w, vec scale, int64_t n) {
    v_storen(y, n, v_mul(v_mul(v_loadn(x, n), scale), v_loadn(w, n)));
}

static void rmsnorm_one(float *y, float *rstd, const float *x, const float *w, int64_t C, float eps) {
    vec p[REIN_V16];
    for (int v = 0; v < REIN_V16; v++) p[v] = v_zero();
    int64_t i = 0;
    for (; i + 16 <= C; i += 16) square_step(p, x + i, 16);
    if (i < C) square_step(p, x + i, C - i);
    float inv = 1.0f / sqrtf(v_tree16(p) / (float)C + eps);
    vec scale = v_set(inv);
    for (i = 0; i + REIN_W <= C; i += REIN_W) scale_step(y + i, x + i, w + i, scale, REIN_W);
    if (i < C) scale_step(y + i, x + i, w + i, scale, C - i);
    if (rstd) *rstd = inv;
}

void REIN_ISA(rein_rmsnorm)(rein_device *dev, float *y, int64_t ldy, float *rstd, const float *x, int64_t ldx,
                            const float *w, int64_t M, int64_t R, int64_t C, float eps) {
    int parts = parts_for(dev, 8 * M * R * C);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++)
        for (int64_t r = 0; r < R; r++)
            rmsnorm_one(y + t * ldy + r * C, rstd ? rstd + t * R + r : NULL, x + t * ldx + r * C, w, C, eps);
}

REIN_INLINE void dot_step(vec p[REIN_V16], const float *dy, const float *x, const float *w, vec inv, int64_t n) {
    for (int v = 0; v < REIN_V16; v++) {
        int64_t at = v * REIN_W, left = n - at;
        vec g = v_mul(v_loadn(dy + at, left), v_loadn(w + at, left));
        p[v] = v_selectn(left, v_fma(g, v_mul(v_loadn(x + at, left), inv), p[v]), p[v]);
    }
}

/* Scalars of one row in every lane: rstd and c. */
typedef struct norm_row {
    vec inv, c;
    int add;
} norm_row;

REIN_INLINE void dx_step(float *dx, const float *dy, const float *x, const float *w, norm_row r, int64_t n) {
    vec g = v_mul(v_loadn(dy, n), v_loadn(w, n));
    vec d = v_mul(r.inv, v_fnma(v_mul(v_loadn(x, n), r.inv), r.c, g));
    v_storen(dx, n, r.add ? v_add(v_loadn(dx, n), d) : d);
}

static void rmsnorm_dx_one(float *dx, const float *dy, const float *x, const float *w, float rstd, int64_t C, int add) {
    vec p[REIN_V16], inv = v_set(rstd);
    for (int v = 0; v < REIN_V16; v++) p[v] = v_zero();
    int64_t i = 0;
    for (; i + 16 <= C; i += 16) dot_step(p, dy + i, x + i, w + i, inv, 16);
    if (i < C) dot_step(p, dy + i, x + i, w + i, inv, C - i);
    norm_row r = {inv, v_set(v_tree16(p) / (float)C), add};
    for (i = 0; i + REIN_W <= C; i += REIN_W) dx_step(dx + i, dy + i, x + i, w + i, r, REIN_W);
    if (i < C) dx_step(dx + i, dy + i, x + i, w + i, r, C - i);
}

/* Arguments of the sum over rows, for columns [j, j + COLS). */
typedef struct norm_dw {
    float *dw;
    const float *dy, *x, *rstd;
    int64_t ld, ldx, R, C;
} norm_dw;

enum { COLS = 4 * REIN_W };

/* Columns [j, j + n) of dw, n <= COLS. */
REIN_INLINE void dw_cols(const norm_dw *d, int64_t j, int64_t n, int64_t begin, int64_t end) {
    vec c[4];
    for (int v = 0; v < 4; v++) c[v] = v_zero();
    for (int64_t t = begin; t < end; t++) {
        for (int64_t r = 0; r < d->R; r++) {
            const float *dy = d->dy + t * d->ld + r * d->C + j, *x = d->x + t * d->ldx + r * d->C + j;
            vec inv = v_set(d->rstd[t * d->R + r]);
            for (int v = 0; v < 4; v++) {
                int64_t at = v * REIN_W;
                c[v] = v_fma(v_loadn(dy + at, n - at), v_mul(v_loadn(x + at, n - at), inv), c[v]);
            }
        }
    }
    for (int v = 0; v < 4; v++) {
        int64_t at = v * REIN_W;
        v_storen(d->dw + j + at, n - at, v_add(v_loadn(d->dw + j + at, n - at), c[v]));
    }
}

static void rmsnorm_dw_cols(const norm_dw *d, int64_t j, int64_t begin, int64_t end) {
    if (d->C - j >= COLS)
        dw_cols(d, j, COLS, begin, end);
    else
        dw_cols(d, j, d->C - j, begin, end);
}

void REIN_ISA(rein_rmsnorm_bwd)(rein_device *dev, float *dx, float *dw, const float *dy, int64_t ld, const float *x,
                                int64_t ldx, const float *w, const float *rstd, const rein_plan *plan, int64_t M,
                                int64_t R, int64_t C, int add) {
    norm_dw n = {dw, dy, x, rstd, ld, ldx, R, C};
    int parts = parts_for(dev, 8 * M * R * C);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t j = 0; j < (dw ? C : 0); j += COLS)
        for (int64_t i = 0; i < plan->n; i++) rmsnorm_dw_cols(&n, j, plan->range[i][0], plan->range[i][1]);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++)
        for (int64_t r = 0; r < R; r++)
            rmsnorm_dx_one(dx + t * ld + r * C, dy + t * ld + r * C, x + t * ldx + r * C, w, rstd[t * R + r], C, add);
}

/* ---- the mean taken off ---- */

REIN_INLINE void sum_step(vec p[REIN_V16], const float *x, int64_t n) {
    for (int v = 0; v < REIN_V16; v++)
        p[v] = v_selectn(n - v * REIN_W, v_add(p[v], v_loadn(x + v * REIN_W, n - v * REIN_W)), p[v]);
}

static void center_one(float *y, const float *x, int64_t C) {
    vec p[REIN_V16];
    for (int v = 0; v < REIN_V16; v++) p[v] = v_zero();
    int64_t i = 0;
    for (; i + 16 <= C; i += 16) sum_step(p, x + i, 16);
    if (i < C) sum_step(p, x + i, C - i);
    vec mean = v_set(v_tree16(p) / (float)C);
    for (i = 0; i < C; i += REIN_W) v_storen(y + i, C - i, v_sub(v_loadn(x + i, C - i), mean));
}

void REIN_ISA(rein_center)(rein_device *dev, float *y, const float *x, int64_t M, int64_t C) {
    int parts = parts_for(dev, 2 * M * C);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++) center_one(y + t * C, x + t * C, C);
}

/* ---- rotary embedding ---- */

enum { ROPE_BLOCK = 64 };

REIN_INLINE void turn_step(float *low, int64_t half, const float *c, const float *s, int64_t n) {
    vec a = v_loadn(low, n), b = v_loadn(low + half, n), vc = v_loadn(c, n), vs = v_loadn(s, n);
    v_storen(low, n, v_fnma(b, vs, v_mul(a, vc)));
    v_storen(low + half, n, v_fma(a, vs, v_mul(b, vc)));
}

/* Dimensions [i0, i0 + n) of the first half of every head of a row. */
static void rope_block(float *x, const float *cs, int64_t i0, int64_t n, int64_t n_head, int64_t D, int inverse) {
    float c[ROPE_BLOCK], s[ROPE_BLOCK];
    for (int64_t i = 0; i < n; i++) {
        c[i] = cs[2 * (i0 + i)];
        s[i] = inverse ? -cs[2 * (i0 + i) + 1] : cs[2 * (i0 + i) + 1];
    }
    for (int64_t h = 0; h < n_head; h++) {
        float *low = x + h * D + i0;
        int64_t i = 0;
        for (; i + REIN_W <= n; i += REIN_W) turn_step(low + i, D / 2, c + i, s + i, REIN_W);
        if (i < n) turn_step(low + i, D / 2, c + i, s + i, n - i);
    }
}

void REIN_ISA(rein_rope)(rein_device *dev, float *x, int64_t ld, const int64_t *pos, const float *cs, int64_t M,
                         int64_t n_head, int64_t D, int inverse) {
    int parts = parts_for(dev, 8 * M * n_head * D);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++)
        for (int64_t i = 0; i < D / 2; i += ROPE_BLOCK)
            rope_block(x + t * ld, cs + pos[t] * D, i, min_i64(ROPE_BLOCK, D / 2 - i), n_head, D, inverse);
}

/* ---- SwiGLU ---- */

REIN_INLINE vec sigmoid(vec g) {
    vec one = v_set(1.0f);
    return v_div(one, v_add(one, v_exp(v_sub(v_set(-0.0f), g))));
}

REIN_INLINE void swiglu_step(float *act, const float *gate, int64_t F, int64_t n) {
    vec g = v_loadn(gate, n);
    v_storen(act, n, v_mul(v_mul(g, sigmoid(g)), v_loadn(gate + F, n)));
}

void REIN_ISA(rein_swiglu)(rein_device *dev, float *act, const float *gu, int64_t M, int64_t F) {
    int parts = parts_for(dev, 32 * M * F);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++) {
        int64_t i = 0;
        for (; i + REIN_W <= F; i += REIN_W) swiglu_step(act + t * F + i, gu + t * 2 * F + i, F, REIN_W);
        if (i < F) swiglu_step(act + t * F + i, gu + t * 2 * F + i, F, F - i);
    }
}

REIN_INLINE void swiglu_bwd_step(float *dgate, const float *dact, const float *gate, int64_t F, int64_t n) {
    vec g = v_loadn(gate, n), u = v_loadn(gate + F, n), d = v_loadn(dact, n), s = sigmoid(g), one = v_set(1.0f);
    v_storen(dgate, n, v_mul(v_mul(d, u), v_mul(s, v_fma(g, v_sub(one, s), one))));
    v_storen(dgate + F, n, v_mul(d, v_mul(g, s)));
}

void REIN_ISA(rein_swiglu_bwd)(rein_device *dev, float *dgu, const float *dact, const float *gu, int64_t M, int64_t F) {
    int parts = parts_for(dev, 32 * M * F);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++) {
        int64_t i = 0, at = t * 2 * F;
        for (; i + REIN_W <= F; i += REIN_W) swiglu_bwd_step(dgu + at + i, dact + t * F + i, gu + at + i, F, REIN_W);
        if (i < F) swiglu_bwd_step(dgu + at + i, dact + t * F + i, gu + at + i, F, F - i);
    }
}

/* ---- addition, embedding ---- */

void REIN_ISA(rein_add)(rein_device *dev, float *y, const float *a, const float *b, int64_t n) {
    int parts = parts_for(dev, 4 * n);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

void REIN_ISA(rein_embed)(rein_device *dev, float *y, rein_weight w, const int32_t *ids, int64_t M) {
    int parts = parts_for(dev, 4 * M * w.K);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < M; t++) REIN_ISA(rein_unpack_row)(y + t * w.K, &w, ids[t], 0, w.K);
}

void REIN_ISA(rein_embed_bwd)(rein_device *dev, float *dw, const float *dx, const int32_t *ids, const rein_plan *plan,
                              int64_t C) {
    int64_t rows = 0;
    for (int64_t i = 0; i < plan->n; i++) rows += plan->range[i][1] - plan->range[i][0];
    int parts = parts_for(dev, 4 * rows * C);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t j = 0; j < C; j += COLS) {
        for (int64_t i = 0; i < plan->n; i++) {
            for (int64_t t = plan->range[i][0]; t < plan->range[i][1]; t++) {
                float *row = dw + ids[t] * C;
                for (int64_t c = j; c < min_i64(C, j + COLS); c++) row[c] += dx[t * C + c];
            }
        }
    }
}
