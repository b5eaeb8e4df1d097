/*
 * What the tuned kernels share: how many threads a piece of work is worth, and the functions of the table.
 *
 * Threads only ever divide outputs. A kernel runs `parallel for schedule(static)` over parts, one per thread; part i
 * may use the i-th part of the device's scratch.
 */
#ifndef REIN_CPU_TUNED_TUNED_H
#define REIN_CPU_TUNED_TUNED_H

#include "cpu/tables.h"
#include "cpu/vec.h"
#include "tensor/device.h"

/* Below this many floating-point operations no parallel region is opened: starting one costs as much. */
enum { REIN_TINY = 1 << 18 };

REIN_INLINE int parts_for(const rein_device *dev, int64_t flops) { return flops < REIN_TINY ? 1 : dev->threads; }

/** First of the n items that part i of `parts` takes; part i ends where part i + 1 begins. */
REIN_INLINE int64_t part_begin(int64_t n, int64_t i, int64_t parts) { return n * i / parts; }

REIN_INLINE int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
REIN_INLINE int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }
REIN_INLINE int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* linear.c */
int64_t REIN_ISA(rein_packed_size)(int64_t N, int64_t K);
void REIN_ISA(rein_pack)(rein_device *dev, float *packed, const float *w, int64_t N, int64_t K);
void REIN_ISA(rein_linear)(rein_device *dev, float *y, int64_t ldy, const float *x, int64_t ldx, rein_weight w,
                           const float *bias, int64_t M);
void REIN_ISA(rein_linear_dx)(rein_device *dev, float *dx, const float *dy, int64_t lddy, rein_weight w, int64_t M);
void REIN_ISA(rein_linear_dw)(rein_device *dev, float *dw, const float *dy, int64_t lddy, const float *x, int64_t ldx,
                              const rein_plan *plan, int64_t N, int64_t K);
void REIN_ISA(rein_bias_grad)(rein_device *dev, float *db, const float *dy, int64_t lddy, const rein_plan *plan,
                              int64_t N);

/* adapter.c */
void REIN_ISA(rein_add_rows)(rein_device *dev, float *y, int64_t ldy, const float *a, int64_t lda, int64_t M,
                             int64_t N);
void REIN_ISA(rein_scale)(rein_device *dev, float *x, float s, int64_t n);
void REIN_ISA(rein_scale_columns)(rein_device *dev, float *y, int64_t ldy, const float *x, int64_t ldx, const float *g,
                                  const float *bias, int64_t M, int64_t N);
void REIN_ISA(rein_scale_columns_grad)(rein_device *dev, float *dg, const float *dy, int64_t lddy, const float *z,
                                       int64_t ldz, const float *s, const rein_plan *plan, int64_t N);
void REIN_ISA(rein_adapted_norm)(rein_device *dev, float *norm, rein_weight w, const float *a, const float *b, float s,
                                 int64_t R);
void REIN_ISA(rein_dropout)(rein_device *dev, float *y, const float *x, float p, uint64_t key, uint32_t stream,
                            const int64_t *pos, const uint32_t *row_id, int64_t M, int64_t K);

/* rows.c */
void REIN_ISA(rein_rmsnorm)(rein_device *dev, float *y, int64_t ldy, float *rstd, const float *x, int64_t ldx,
                            const float *w, int64_t M, int64_t R, int64_t C, float eps);
void REIN_ISA(rein_rmsnorm_bwd)(rein_device *dev, float *dx, float *dw, const float *dy, int64_t ld, const float *x,
                                int64_t ldx, const float *w, const float *rstd, const rein_plan *plan, int64_t M,
                                int64_t R, int64_t C, int add);
void REIN_ISA(rein_center)(rein_device *dev, float *y, const float *x, int64_t M, int64_t C);
void REIN_ISA(rein_rope)(rein_device *dev, float *x, int64_t ld, const int64_t *pos, const float *cs, int64_t M,
                         int64_t n_head, int64_t D, int inverse);
void REIN_ISA(rein_swiglu)(rein_device *dev, float *act, const float *gu, int64_t M, int64_t F);
void REIN_ISA(rein_swiglu_bwd)(rein_device *dev, float *dgu, const float *dact, const float *gu, int64_t M, int64_t F);
void REIN_ISA(rein_add)(rein_device *dev, float *y, const float *a, const float *b, int64_t n);
void REIN_ISA(rein_embed)(rein_device *dev, float *y, rein_weight w, const int32_t *ids, int64_t M);
void REIN_ISA(rein_embed_bwd)(rein_device *dev, float *dw, const float *dx, const int32_t *ids, const rein_plan *plan,
                              int64_t C);

/* attention.c, attention_bwd.c */
void REIN_ISA(rein_kv_store)(rein_device *dev, const rein_run *runs, int64_t n_runs, const float *qkv, rein_attn a);
void REIN_ISA(rein_attention)(rein_device *dev, float *o, float *stat, const rein_run *runs, int64_t n_runs,
                              const float *qkv, rein_attn a);
void REIN_ISA(rein_attention_bwd)(rein_device *dev, float *dqkv, const float *d_o, const float *o, const float *stat,
                                  const rein_run *runs, int64_t n_runs, const float *qkv, rein_attn a);

/* logprob.c */
void REIN_ISA(rein_logprob)(rein_device *dev, float *logp, float *stat, float *entropy, const float *logits,
                            const rein_read *reads, int64_t n_reads, int64_t V);
void REIN_ISA(rein_softmax_terms)(float *e, const float *row, float temperature, int64_t V);
void REIN_ISA(rein_logprob_bwd)(rein_device *dev, float *dlogits, const float *dlogp, const float *stat,
                                const float *logits, const rein_read *reads, int64_t n_reads, int64_t rows, int64_t V);

/* distribution.c */
void REIN_ISA(rein_logprob_best)(rein_device *dev, int32_t *best, const float *logits, const rein_read *reads,
                                 int64_t n_reads, int64_t V);
void REIN_ISA(rein_logprob_mean)(rein_device *dev, float *mean, const float *stat, const float *logits,
                                 const rein_read *reads, int64_t n_reads, int64_t V);
void REIN_ISA(rein_divergence)(rein_device *dev, float *out, const rein_teaching *t, const float *logits,
                               const float *stat, const rein_read *reads, int64_t n_reads, int64_t V);
void REIN_ISA(rein_distribution_bwd)(rein_device *dev, float *dlogits, const rein_distribution_gradient *g,
                                     const float *stat, const float *logits, const rein_read *reads, int64_t n_reads,
                                     int64_t rows, int64_t V);

/* optim.c */
void REIN_ISA(rein_adamw)(rein_device *dev, float *p, float *m, float *v, const float *grad, int64_t n,
                          rein_adamw_args a);
void REIN_ISA(rein_adamw_8bit)(rein_device *dev, float *p, rein_state8 m, rein_state8 v, const float *grad, int64_t n,
                               rein_adamw_args a, uint64_t key);
void REIN_ISA(rein_lion)(rein_device *dev, float *p, float *m, const float *grad, int64_t n, rein_lion_args a);
void REIN_ISA(rein_sgd)(rein_device *dev, float *p, float *m, const float *grad, int64_t n, rein_sgd_args a);
void REIN_ISA(rein_round_bf16)(rein_device *dev, float *p, int64_t n, uint64_t key);
void REIN_ISA(rein_sumsq)(rein_device *dev, double *blocks, const float *x, int64_t n);
int64_t REIN_ISA(rein_count_diff)(rein_device *dev, const float *a, const float *b, int64_t n);

#endif
