/*
 * What the reference kernels (ref_*.c) share: the number type and the tree sum.
 *
 * The reference is the specification of tensor/ops.h, written as plain loops in the order stated there. It is built
 * twice: in single precision for the library, and in double (REIN_REAL_DOUBLE, tests only) for finite differences; then
 * every float of the op table is a double, F32 weights among them, exp and log are libm's, and the order of operations is
 * the same.
 */
#ifndef REIN_CPU_REF_H
#define REIN_CPU_REF_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h" /* before ops.h: the elements of a stored type are f32 in both builds */

#ifdef REIN_REAL_DOUBLE
#define float double
#include "tensor/ops.h"
#undef float
typedef double real;
static inline real real_fma(real a, real b, real c) { return fma(a, b, c); }
static inline real real_exp(real x) { return exp(x); }
static inline real real_log(real x) { return log(x); }
static inline real real_sqrt(real x) { return sqrt(x); }
#else
#include "tensor/mathf.h"
#include "tensor/ops.h"
typedef float real;
static inline real real_fma(real a, real b, real c) { return fmaf(a, b, c); }
static inline real real_exp(real x) { return rein_expf(x); }
static inline real real_log(real x) { return rein_logf(x); }
static inline real real_sqrt(real x) { return sqrtf(x); }
#endif

/* After ops.h, so that the op table has this build's number type in it. */
#include "cpu/tables.h"
#include "tensor/device.h"

/** The last step of tree16: the fixed binary tree over 16 strided partial sums, in place. */
static inline real real_tree16(real p[REIN_LANES]) {
    for (int width = REIN_LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) p[i] += p[i + width];
    return p[0];
}

/** out[0 .. count) = elements [k, k + count) of row n of a weight; count <= REIN_CHUNK. */
static inline void real_weights(real *out, const rein_weight *w, int64_t n, int64_t k, int64_t count) {
    if (w->dtype == REIN_F32) {
        for (int64_t i = 0; i < count; i++) out[i] = ((const real *)w->rows)[n * w->K + k + i];
        return;
    }
    float stored[REIN_CHUNK];
    rein_dequantize(stored, w->dtype, (const char *)w->rows + n * rein_dtype_bytes(w->dtype, w->K), k, count);
    for (int64_t i = 0; i < count; i++) out[i] = (real)stored[i];
}

static inline int64_t ref_min(int64_t a, int64_t b) { return a < b ? a : b; }

/* ref_linear.c */
int64_t rein_ref_packed_size(int64_t N, int64_t K);
void rein_ref_pack(rein_device *dev, real *packed, const real *w, int64_t N, int64_t K);
void rein_ref_linear(rein_device *dev, real *y, int64_t ldy, const real *x, int64_t ldx, rein_weight w,
                     const real *bias, int64_t M);
void rein_ref_linear_dx(rein_device *dev, real *dx, const real *dy, int64_t lddy, rein_weight w, int64_t M);
void rein_ref_linear_dw(rein_device *dev, real *dw, const real *dy, int64_t lddy, const real *x, int64_t ldx,
                        const rein_plan *plan, int64_t N, int64_t K);
void rein_ref_bias_grad(rein_device *dev, real *db, const real *dy, int64_t lddy, const rein_plan *plan, int64_t N);

/* ref_rows.c */
void rein_ref_rmsnorm(rein_device *dev, real *y, int64_t ldy, real *rstd, const real *x, int64_t ldx, const real *w,
                      int64_t M, int64_t R, int64_t C, real eps);
void rein_ref_rmsnorm_bwd(rein_device *dev, real *dx, real *dw, const real *dy, int64_t ld, const real *x, int64_t ldx,
                          const real *w, const real *rstd, const rein_plan *plan, int64_t M, int64_t R, int64_t C,
                          int add);
void rein_ref_center(rein_device *dev, real *y, const real *x, int64_t M, int64_t C);
void rein_ref_rope(rein_device *dev, real *x, int64_t ld, const int64_t *pos, const real *cs, int64_t M, int64_t n_head,
                   int64_t D, int inverse);
void rein_ref_swiglu(rein_device *dev, real *act, const real *gu, int64_t M, int64_t F);
void rein_ref_swiglu_bwd(rein_device *dev, real *dgu, const real *dact, const real *gu, int64_t M, int64_t F);
void rein_ref_add(rein_device *dev, real *y, const real *a, const real *b, int64_t n);
void rein_ref_embed(rein_device *dev, real *y, rein_weight w, const int32_t *ids, int64_t M);
void rein_ref_embed_bwd(rein_device *dev, real *dw, const real *dx, const int32_t *ids, const rein_plan *plan,
                        int64_t C);

/* ref_adapter.c */
void rein_ref_add_rows(rein_device *dev, real *y, int64_t ldy, const real *a, int64_t lda, int64_t M, int64_t N);
void rein_ref_scale(rein_device *dev, real *x, real s, int64_t n);
void rein_ref_scale_columns(rein_device *dev, real *y, int64_t ldy, const real *x, int64_t ldx, const real *g,
                            const real *bias, int64_t M, int64_t N);
void rein_ref_scale_columns_grad(rein_device *dev, real *dg, const real *dy, int64_t lddy, const real *z, int64_t ldz,
                                 const real *s, const rein_plan *plan, int64_t N);
void rein_ref_adapted_norm(rein_device *dev, real *norm, rein_weight w, const real *a, const real *b, real s,
                           int64_t R);
void rein_ref_dropout(rein_device *dev, real *y, const real *x, real p, uint64_t key, uint32_t stream,
                      const int64_t *pos, const uint32_t *row_id, int64_t M, int64_t K);

/* ref_attention.c */
void rein_ref_kv_store(rein_device *dev, const rein_run *runs, int64_t n_runs, const real *qkv, rein_attn a);
void rein_ref_attention(rein_device *dev, real *o, real *stat, const rein_run *runs, int64_t n_runs, const real *qkv,
                        rein_attn a);
void rein_ref_attention_bwd(rein_device *dev, real *dqkv, const real *d_o, const real *o, const real *stat,
                            const rein_run *runs, int64_t n_runs, const real *qkv, rein_attn a);

/* ref_logprob.c */
void rein_ref_logprob(rein_device *dev, real *logp, real *stat, real *entropy, const real *logits,
                      const rein_read *reads, int64_t n_reads, int64_t V);
void rein_ref_logprob_best(rein_device *dev, int32_t *best, const real *logits, const rein_read *reads, int64_t n_reads,
                           int64_t V);
void rein_ref_logprob_mean(rein_device *dev, real *mean, const real *stat, const real *logits, const rein_read *reads,
                           int64_t n_reads, int64_t V);
void rein_ref_divergence(rein_device *dev, real *out, const rein_teaching *t, const real *logits, const real *stat,
                         const rein_read *reads, int64_t n_reads, int64_t V);
void rein_ref_distribution_bwd(rein_device *dev, real *dlogits, const rein_distribution_gradient *g, const real *stat,
                               const real *logits, const rein_read *reads, int64_t n_reads, int64_t rows, int64_t V);
void rein_ref_softmax_terms(real *e, const real *row, real temperature, int64_t V);
void rein_ref_logprob_bwd(rein_device *dev, real *dlogits, const real *dlogp, const real *stat, const real *logits,
                          const rein_read *reads, int64_t n_reads, int64_t rows, int64_t V);

/* ref_optim.c */
void rein_ref_adamw(rein_device *dev, real *p, real *m, real *v, const real *grad, int64_t n, rein_adamw_args a);
void rein_ref_adamw_8bit(rein_device *dev, real *p, rein_state8 m, rein_state8 v, const real *grad, int64_t n,
                         rein_adamw_args a, uint64_t key);
void rein_ref_lion(rein_device *dev, real *p, real *m, const real *grad, int64_t n, rein_lion_args a);
void rein_ref_sgd(rein_device *dev, real *p, real *m, const real *grad, int64_t n, rein_sgd_args a);
void rein_ref_round_bf16(rein_device *dev, real *p, int64_t n, uint64_t key);
void rein_ref_sumsq(rein_device *dev, double *blocks, const real *x, int64_t n);
int64_t rein_ref_count_diff(rein_device *dev, const real *a, const real *b, int64_t n);

#endif
