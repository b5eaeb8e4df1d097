/* Reference row operations: RMSNorm, rotary embedding, SwiGLU, addition, embedding, and their gradients. */
#include "cpu/ref.h"

void rein_ref_rmsnorm(rein_device *dev, real *y, int64_t ldy, real *rstd, const real *x, int64_t ldx, const real *w,
                      int64_t M, int64_t R, int64_t C, real eps) {
    (void)dev;
    for (int64_t t = 0; t < M; t++) {
        for (int64_t r = 0; r < R; r++) {
            const real *xs = x + t * ldx + r * C;
            real *ys = y + t * ldy + r * C;
            real p[REIN_LANES] = {0};
            for (int64_t i = 0; i < C; i++) p[i % REIN_LANES] = real_fma(xs[i], xs[i], p[i % REIN_LANES]);
            real inv = 1 / real_sqrt(real_tree16(p) / (real)C + eps);
            for (int64_t i = 0; i < C; i++) ys[i] = (xs[i] * inv) * w[i];
            if (rstd) rstd[t * R + r] = inv;
        }
    }
}

static void rmsnorm_dw(real *dw, const real *dy, int64_t ld, const real *x, int64_t ldx, const real *rstd,
                       const rein_plan *plan, int64_t R, int64_t C) {
    for (int64_t i = 0; i < plan->n; i++) {
        for (int64_t j = 0; j < C; j++) {
            real c = 0;
            for (int64_t t = plan->range[i][0]; t < plan->range[i][1]; t++)
                for (int64_t r = 0; r < R; r++)
                    c = real_fma(dy[t * ld + r * C + j], x[t * ldx + r * C + j] * rstd[t * R + r], c);
            dw[j] += c;
        }
    }
}

static void rmsnorm_dx_one(real *dx, const real *dy, const real *x, const real *w, real rstd, int64_t C, int add) {
    real p[REIN_LANES] = {0};
    for (int64_t i = 0; i < C; i++) p[i % REIN_LANES] = real_fma(dy[i] * w[i], x[i] * rstd, p[i % REIN_LANES]);
    real c = real_tree16(p) / (real)C;
    for (int64_t i = 0; i < C; i++) {
        real d = rstd * real_fma(-(x[i] * rstd), c, dy[i] * w[i]);
        dx[i] = add ? dx[i] + d : d;
    }
}

void rein_ref_rmsnorm_bwd(rein_device *dev, real *dx, real *dw, const real *dy, int64_t ld, const real *x, int64_t ldx,
                          const real *w, const real *rstd, const rein_plan *plan, int64_t M, int64_t R, int64_t C,
                          int add) {
    (void)dev;
    if (dw) rmsnorm_dw(dw, dy, ld, x, ldx, rstd, plan, R, C); /* first: dx may be dy */
    for (int64_t t = 0; t < M; t++) {
        for (int64_t r = 0; r < R; r++) {
            int64_t at = t * ld + r * C;
            rmsnorm_dx_one(dx + at, dy + at, x + t * ldx + r * C, w, rstd[t * R + r], C, add);
        }
    }
}

void rein_ref_center(rein_device *dev, real *y, const real *x, int64_t M, int64_t C) {
    (void)dev;
    for (int64_t t = 0; t < M; t++) {
        real p[REIN_LANES] = {0};
        for (int64_t i = 0; i < C; i++) p[i % REIN_LANES] += x[t * C + i];
        real mean = real_tree16(p) / (real)C;
        for (int64_t i = 0; i < C; i++) y[t * C + i] = x[t * C + i] - mean;
    }
}

void rein_ref_rope(rein_device *dev, real *x, int64_t ld, const int64_t *pos, const real *cs, int64_t M, int64_t n_head,
                   int64_t D, int inverse) {
    (void)dev;
    int64_t half = D / 2;
    for (int64_t t = 0; t < M; t++) {
        for (int64_t h = 0; h < n_head; h++) {
            real *v = x + t * ld + h * D;
            for (int64_t i = 0; i < half; i++) {
                real c = cs[(pos[t] * half + i) * 2];
                real s = cs[(pos[t] * half + i) * 2 + 1];
                real a = v[i], b = v[i + half];
                if (inverse) s = -s;
                v[i] = real_fma(-b, s, a * c);
                v[i + half] = real_fma(a, s, b * c);
            }
        }
    }
}

void rein_ref_swiglu(rein_device *dev, real *act, const real *gu, int64_t M, int64_t F) {
    (void)dev;
    for (int64_t t = 0; t < M; t++) {
        for (int64_t i = 0; i < F; i++) {
            real g = gu[t * 2 * F + i], u = gu[t * 2 * F + F + i];
            real s = 1 / (1 + real_exp(-g));
            act[t * F + i] = (g * s) * u;
        }
    }
}

void rein_ref_swiglu_bwd(rein_device *dev, real *dgu, const real *dact, const real *gu, int64_t M, int64_t F) {
    (void)dev;
    for (int64_t t = 0; t < M; t++) {
        for (int64_t i = 0; i < F; i++) {
            real g = gu[t * 2 * F + i], u = gu[t * 2 * F + F + i], d = dact[t * F + i];
            real s = 1 / (1 + real_exp(-g));
            dgu[t * 2 * F + i] = (d * u) * (s * real_fma(g, 1 - s, 1));
            dgu[t * 2 * F + F + i] = d * (g * s);
        }
    }
}

void rein_ref_add(rein_device *dev, real *y, const real *a, const real *b, int64_t n) {
    (void)dev;
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

void rein_ref_embed(rein_device *dev, real *y, rein_weight w, const int32_t *ids, int64_t M) {
    (void)dev;
    for (int64_t t = 0; t < M; t++)
        for (int64_t k = 0; k < w.K; k += REIN_CHUNK)
            real_weights(y + t * w.K + k, &w, ids[t], k, ref_min(REIN_CHUNK, w.K - k));
}

void rein_ref_embed_bwd(rein_device *dev, real *dw, const real *dx, const int32_t *ids, const rein_plan *plan,
                        int64_t C) {
    (void)dev;
    for (int64_t i = 0; i < plan->n; i++)
        for (int64_t t = plan->range[i][0]; t < plan->range[i][1]; t++)
            for (int64_t j = 0; j < C; j++) dw[ids[t] * C + j] += dx[t * C + j];
}
