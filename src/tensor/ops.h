/*
 * The op table: every arithmetic step of a model, forward and backward, with its exact order of operations.
 *
 * A device fills the table; `cpu-ref` (src/cpu/ref_*.c) is the specification as plain loops with fmaf, and every tuned
 * table must give the same bits. Each output number is ONE fixed chain: blocking, threads and vector width only choose
 * which outputs are computed where. The words used below:
 *
 *   chain      c = 0; c = fma(a, b, c) in ascending order of the summed index
 *   chunked    the summed index is cut at multiples of 256; each chunk is a chain from zero; chunk sums are added in
 *              ascending order with a plain add (the first chunk's sum starts the total)
 *   tree16     16 strided partials p[i mod 16], each ascending from zero, then p[i] += p[i+8] (i<8), += p[i+4] (i<4),
 *              += p[i+2] (i<2), p[0] + p[1]
 *   plan       the row ranges ("chunks") over which weight gradients are summed, in order; each chunk is a chain from
 *              zero over its rows, and its sum is added to the gradient with a plain add
 *
 * All arrays are f32, row-major, dense unless a leading dimension (ld, in floats) is given. Nothing aliases unless said.
 * Rows of a batch are grouped in runs (one span of the token forest each), children before their parent (post-order).
 * Letters: T rows, C width, H heads, K kv heads, D head size, F ffn width, V vocabulary, M x N x K of a product.
 * A maximum that is zero is +0: `max + 0.0f`, so that its sign does not depend on the order of the search.
 * Elementary functions exp, log are rein_expf and rein_logf of tensor/mathf.h, sqrt and division are IEEE.
 */
#ifndef REIN_TENSOR_OPS_H
#define REIN_TENSOR_OPS_H

#include <stdint.h>

#include "tensor/dtype.h"

enum { REIN_CHUNK = 256, REIN_LANES = 16, REIN_PANEL = 32 };

/** Row ranges of the weight-gradient sums; every range has at most REIN_CHUNK rows. Rows in no range do not count. */
typedef struct rein_plan {
    int64_t n;
    const int64_t (*range)[2]; /* (n) [begin, end) rows of the batch */
} rein_plan;

/**
 * Keys and values of one span, all layers. For layer l, its block starts at base + l * layer_stride and holds
 *   keys   (K, panels, D, 16)   panel p, lane j: absolute position 16 * (pos0 / 16 + p) + j; unused lanes are zero
 *   values (K, panels * 16, D)  row r: absolute position 16 * (pos0 / 16) + r
 * The first cached position is pos0; panels is the capacity.
 */
typedef struct rein_seg {
    float *base;
    int64_t layer_stride;
    int64_t pos0, n; /* positions [pos0, pos0 + n) are valid once the run's kv_store has run */
    int64_t panels;
} rein_seg;

/**
 * Consecutive rows of a batch that extend one span. seg[0 .. n_seg-1] is the path from the root to the span itself
 * (last); seg i+1 starts where seg i ends. The row r of the run has absolute position pos + r.
 */
typedef struct rein_run {
    int64_t row, n;      /* first row, number of rows */
    int64_t pos;         /* absolute position of the first row */
    const rein_seg *seg;
    int64_t n_seg;
    /* backward only */
    int64_t parent;      /* index of the parent's run in the batch, > own index (post-order); -1: none in the batch */
    int64_t root;        /* index of the last run of this run's tree (runs of a tree are consecutive) */
    int context;         /* 1: forward only; rows take no gradient, dkv only collects the children's for a later pass */
    float *dkv;          /* (K, 2, end, D) gradient of keys [.,0] and values [.,1] at positions [0, end = pos + n) */
} rein_run;

/** Sizes of the attention of one layer. Rows of qkv hold q (H, D), k (K, D), v (K, D): ld = (H + 2K) * D. */
typedef struct rein_attn {
    int64_t H, K, D;
    int64_t layer;
    int64_t ld;     /* leading dimension of qkv */
    int64_t window; /* sliding window (Beltagy et al. 2020, arXiv:2004.05150): a query at p sees positions
                       max(0, p - window + 1) .. p; 0: all */
    float scale;    /* 1/sqrt(D) */
} rein_attn;

/** A weight matrix (N, K) as an operand. */
typedef struct rein_weight {
    const void *rows;    /* row-major in `dtype`, rows without gaps; a row is a whole number of blocks */
    const float *packed; /* the same as panels of f32; NULL: a kernel unpacks from `rows` as it goes */
    int64_t N, K;
    rein_dtype dtype;
} rein_weight;

/** One log-prob to read from a row of logits. Reads are sorted by row; reads of one row by id of the reader. */
typedef struct rein_read {
    int64_t row;           /* row of the logits block */
    int32_t target;        /* id whose log-prob is wanted */
    int32_t n_kept;        /* 0: whole vocabulary; else the sampler's kept set */
    const int32_t *kept;   /* (n_kept) ascending ids, target among them */
    float temperature;     /* > 0 */
} rein_read;

/** The teacher's side of divergences: its logits in the same rows, and their stat as logprob gives it for the same reads. */
typedef struct rein_teaching {
    const float *logits; /* (rows, V) */
    const float *stat;   /* (n_reads, 2) */
    float beta;          /* in [0, 1] */
} rein_teaching;

/** Gradient of the loss with respect to what reads give beside the log-prob; arrays of (n_reads), NULL: zero. */
typedef struct rein_distribution_gradient {
    const float *entropy, *mean_logp, *divergence;
    const float *entropy_is;    /* the entropies; only read where their gradient is given */
    const float *divergence_is; /* (n_reads, 2) as divergence gives it; likewise, and the teaching */
    rein_teaching teaching;
} rein_distribution_gradient;

typedef struct rein_adamw_args {
    float lr, beta1, beta2, eps, weight_decay;
    float bias1, bias2; /* 1 - beta^t, computed in f64 by the caller */
    float grad_scale;   /* clip coefficient, 1 if none */
} rein_adamw_args;

/** 8-bit state of n elements, see tensor/state8.h; a block is 256 consecutive elements, the last one may be shorter. */
typedef struct rein_state8 {
    uint8_t *code; /* (n) */
    float *scale;  /* (ceil(n / 256)) */
} rein_state8;

typedef struct rein_lion_args {
    float lr, beta1, beta2, weight_decay;
    float grad_scale; /* clip coefficient, 1 if none */
} rein_lion_args;

typedef struct rein_sgd_args {
    float lr, momentum, weight_decay;
    float grad_scale;
    int nesterov;
} rein_sgd_args;

/** Opaque per-device context: thread count and scratch. */
typedef struct rein_device rein_device;

typedef struct rein_ops {
    const char *name;

    /* ---- linear: y = x w^T + b ---- */

    /** Floats of a packed weight (N, K): ceil(N / 32) panels of K x 32, zero padded: p[(n/32) * 32K + k * 32 + n%32]. */
    int64_t (*packed_size)(int64_t N, int64_t K);
    void (*pack)(rein_device *dev, float *packed, const float *w, int64_t N, int64_t K);
    /** y[t,n] = chunked over k of x[t,k] w[n,k]; then + bias[n] if bias. x (M, ldx >= K), y (M, ldy >= N). Same bits
     *  whether w is packed f32 or read from its stored dtype: the element's value is that of rein_dequantize. */
    void (*linear)(rein_device *dev, float *y, int64_t ldy, const float *x, int64_t ldx, rein_weight w, const float *bias,
                   int64_t M);
    /** dx[t,k] = chunked over n of dy[t,n] w[n,k], from w.rows in its dtype. dx (M, K) dense, dy (M, lddy >= N). */
    void (*linear_dx)(rein_device *dev, float *dx, const float *dy, int64_t lddy, rein_weight w, int64_t M);
    /** dw[n,k] += by plan: chain over rows t of dy[t,n] x[t,k]. dy (M, lddy >= N), x (M, ldx >= K). */
    void (*linear_dw)(rein_device *dev, float *dw, const float *dy, int64_t lddy, const float *x, int64_t ldx,
                      const rein_plan *plan, int64_t N, int64_t K);
    /** db[n] += by plan: sum (plain adds from zero) over rows of dy[t,n]. dy has leading dimension lddy >= N. */
    void (*bias_grad)(rein_device *dev, float *db, const float *dy, int64_t lddy, const rein_plan *plan, int64_t N);

    /* ---- RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467) over M rows of R consecutive segments of C floats ---- */

    /** rstd[t,r] = 1 / sqrt(tree16 of fma(x,x,.) / C + eps); y = (x * rstd) * w. x and y have leading dimensions
     *  ldx, ldy >= R * C; rstd is (M, R) and may be NULL; y may be x. */
    void (*rmsnorm)(rein_device *dev, float *y, int64_t ldy, float *rstd, const float *x, int64_t ldx, const float *w,
                    int64_t M, int64_t R, int64_t C, float eps);
    /** xh = x * rstd; g = dy * w; c = tree16 of fma(g, xh, .) / C; dx = rstd * fma(-xh, c, g), added to dx (plain add)
     *  if `add`, else stored; dx may be dy. dx and dy share the leading dimension ld, x has ldx.
     *  dw[j] += by plan: over rows, then segments in order: fma(dy, xh, .); unless dw is NULL. Reads dy before dx is
     *  written. */
    void (*rmsnorm_bwd)(rein_device *dev, float *dx, float *dw, const float *dy, int64_t ld, const float *x, int64_t ldx,
                        const float *w, const float *rstd, const rein_plan *plan, int64_t M, int64_t R, int64_t C, int add);

    /** y[t] = x[t] - m, m = (tree16 of x[t], plain adds) / C: LayerNorm (Ba et al. 2016, arXiv:1607.06450) is rmsnorm of it,
     *  plus a bias. x, y (M, C) dense; y may be x. It is its own backward. */
    void (*center)(rein_device *dev, float *y, const float *x, int64_t M, int64_t C);

    /* ---- rotary embedding (Su et al. 2021, arXiv:2104.09864), half-split form, in place ---- */

    /** cs (n_pos, D/2, 2) holds cos, sin. For each row t and each of its n_head segments of D at x + t*ld: with a = x[i],
     *  b = x[i+D/2]: x[i] = fma(-b, s, a * c), x[i+D/2] = fma(a, s, b * c); inverse: s is negated. pos is (M). */
    void (*rope)(rein_device *dev, float *x, int64_t ld, const int64_t *pos, const float *cs, int64_t M, int64_t n_head,
                 int64_t D, int inverse);

    /* ---- SwiGLU (Shazeer 2020, arXiv:2002.05202): rows of gu are gate (F) then up (F) ---- */

    /** s = 1 / (1 + exp(-g)); act = (g * s) * u. */
    void (*swiglu)(rein_device *dev, float *act, const float *gu, int64_t M, int64_t F);
    /** du = dact * (g * s); dg = (dact * u) * (s * fma(g, 1 - s, 1)). dgu may be gu. */
    void (*swiglu_bwd)(rein_device *dev, float *dgu, const float *dact, const float *gu, int64_t M, int64_t F);

    /* ---- low-rank adapters (Hu et al. 2021, arXiv:2106.09685; DoRA: Liu et al. 2024, arXiv:2402.09353) ---- */

    /** y[t,n] += a[t,n], plain adds; y (M, ldy), a (M, lda); lda 0: the same row each time. */
    void (*add_rows)(rein_device *dev, float *y, int64_t ldy, const float *a, int64_t lda, int64_t M, int64_t N);
    /** x[i] *= s */
    void (*scale)(rein_device *dev, float *x, float s, int64_t n);
    /** y[t,n] = x[t,n] * g[n] (+ bias[n] if bias, a plain add); y (M, ldy), x (M, ldx); y may be x. */
    void (*scale_columns)(rein_device *dev, float *y, int64_t ldy, const float *x, int64_t ldx, const float *g,
                          const float *bias, int64_t M, int64_t N);
    /** dg[n] += by plan: chain over rows t of dy[t,n] z[t,n]; then the chunk's sum times s[n] is added. */
    void (*scale_columns_grad)(rein_device *dev, float *dg, const float *dy, int64_t lddy, const float *z, int64_t ldz,
                               const float *s, const rein_plan *plan, int64_t N);
    /** norm[n] = sqrt(tree16 over k of fma(u, u, .)), u[k] = fma(s, chain over r of b[n,r] a[r,k], w[n,k]);
     *  a (R, K), b (N, R). */
    void (*adapted_norm)(rein_device *dev, float *norm, rein_weight w, const float *a, const float *b, float s, int64_t R);
    /** y[t,k] = x[t,k] * (uniform(key, t, k) < p ? 0 : 1 / (1 - p)); the uniform is Philox4x32-10 word k % 4 at counter
     *  (k / 4, pos[t], row_id[t], stream) >> 8 over 2^24, so that it depends on the token, not on its neighbours. */
    void (*dropout)(rein_device *dev, float *y, const float *x, float p, uint64_t key, uint32_t stream, const int64_t *pos,
                    const uint32_t *row_id, int64_t M, int64_t K);

    /** y = a + b, elementwise; y may be a or b. */
    void (*add)(rein_device *dev, float *y, const float *a, const float *b, int64_t n);

    /* ---- embedding ---- */

    /** y[t] = row ids[t] of w. */
    void (*embed)(rein_device *dev, float *y, rein_weight w, const int32_t *ids, int64_t M);
    /** dw[ids[t]] += dx[t], plain adds in order of the rows, over the rows of the plan only. */
    void (*embed_bwd)(rein_device *dev, float *dw, const float *dx, const int32_t *ids, const rein_plan *plan, int64_t C);

    /* ---- attention over the forest (causal, grouped-query: query head h reads kv head h / (H/K)) ---- */

    /** Copy k and v of every row of every run into the run's own segment (the last one) at its position. */
    void (*kv_store)(rein_device *dev, const rein_run *runs, int64_t n_runs, const float *qkv, rein_attn a);
    /** o[t,h,:] for every row t at position p over positions j = 0..p of its path:
     *    s_j = (chain over d of q[d] k_j[d]) * scale;  m = max s_j;  e_j = exp(s_j - m);  z = tree16 over absolute j of e_j
     *    o[d] = (chunked over absolute j of e_j v_j[d]) / z
     *  stat (T, H, 2) receives m and 1 / z unless NULL. o is (T, H * D) dense. */
    void (*attention)(rein_device *dev, float *o, float *stat, const rein_run *runs, int64_t n_runs, const float *qkv,
                      rein_attn a);
    /** Gradient with respect to q, k, v of every non-context row, into dqkv (T, ld; rows of context runs get zeros).
     *  With P_j = exp(s_j - m) * (1/z), delta = tree16 over d of fma(do[d], o[d], .), for each row t and head h:
     *    dP_j = chain over d of do[d] v_j[d];  dS_j = (P_j * (dP_j - delta)) * scale;  dq[d] = chunked over j of dS_j k_j[d]
     *  Each run's own contribution to its path, from zero: for each kv head: over (query head ascending, then row):
     *    dk_j[d] = fma(dS_j, q[d], .), dv_j[d] = fma(P_j, do[d], .)
     *  Runs in post-order: run.dkv += own contribution (plain add, after what its children added); then positions
     *  [0, first position of the run's own span in this batch) are added to the parent's dkv (plain add) and, unless the
     *  run is context, the rest is written to the k and v slots of its rows. dkv holds zeros or what earlier passes
     *  collected. A context run adds and passes on nothing: its dkv waits for the pass that has the span as a member. */
    void (*attention_bwd)(rein_device *dev, float *dqkv, const float *d_o, const float *o, const float *stat,
                          const rein_run *runs, int64_t n_runs, const float *qkv, rein_attn a);

    /* ---- log-softmax and gather over a block of logits rows (block, V) ---- */

    /** For each read i, with z_v = logits[row, v] / temperature over v in the kept set (or all):
     *    m = max z_v;  e_v = exp(z_v - m);  S = tree16 over v (absolute id mod 16) of e_v;  l = log(S)
     *    logp[i] = (z_target - m) - l;   stat (n, 2): m, l
     *    entropy[i] = l - (tree16 over v of fma(e_v, z_v - m, .)) / S, unless entropy is NULL. */
    void (*logprob)(rein_device *dev, float *logp, float *stat, float *entropy, const float *logits, const rein_read *reads,
                    int64_t n_reads, int64_t V);
    /** dlogits (rows, V): zeroed, then for each read in order, with p_v = exp((z_v - m) - l) over its kept set:
     *    dlogits[row, v] += (g_i * ((v == target) - p_v)) / temperature   where g_i = dlogp[i] (gradient of the loss
     *  with respect to logp i). dlogits must not be logits. */
    void (*logprob_bwd)(rein_device *dev, float *dlogits, const float *dlogp, const float *stat, const float *logits,
                        const rein_read *reads, int64_t n_reads, int64_t rows, int64_t V);

    /** best[i] = the lowest id of the kept set (or all) whose logit is the largest. */
    void (*logprob_best)(rein_device *dev, int32_t *best, const float *logits, const rein_read *reads, int64_t n_reads,
                         int64_t V);
    /** mean[i] = (tree16 over v of z_v - m, plain adds) / n - l over the n ids of the kept set (or all); stat is logprob's. */
    void (*logprob_mean)(rein_device *dev, float *mean, const float *stat, const float *logits, const rein_read *reads,
                         int64_t n_reads, int64_t V);
    /** Divergence between each read's distribution p and the teacher's q over the same ids, in nats. With
     *  a_v = (z_v - m) - l, p_v = exp(a_v), b_v and q_v likewise of the teacher's logits over the same temperature, and
     *  d = b - a, the sums being tree16 over v:
     *    beta 0  (KL(q || p))  D = sum of fma(q, d, .);   U = 0
     *    beta 1  (KL(p || q))  D = sum of fma(p, -d, .);  U = 0
     *    else    d clamped to [-80, 80]; u = log(fma(beta, exp(d), 1 - beta)), the log of the mixture over p;
     *            U = sum of fma(p, u, .);  D = beta * (sum of fma(q, d - u, .)) - (1 - beta) * U
     *  out (n, 2) receives D, U. Exactly 0 for equal logits. */
    void (*divergence)(rein_device *dev, float *out, const rein_teaching *teaching, const float *logits, const float *stat,
                       const rein_read *reads, int64_t n_reads, int64_t V);
    /** For each read in order, over its n ids, with p, d, u, D, U as above, H the entropy, and the terms that have a gradient:
     *    x = fma(-dentropy[i], p * (a + H), 0);  x = fma(dmean[i], 1 / n - p, x);  x = fma(ddivergence[i], y, x)
     *    y = p - q (beta 0), p * (-d - D) (beta 1), p * ((1 - beta) * (U - u)) (else)
     *    dlogits[row, v] += x / temperature. */
    void (*distribution_bwd)(rein_device *dev, float *dlogits, const rein_distribution_gradient *g, const float *stat,
                             const float *logits, const rein_read *reads, int64_t n_reads, int64_t rows, int64_t V);

    /** e[v] = exp(z_v - max z) of one row (V), z_v = row[v] / temperature: what a sampler draws from. Runs in the calling
     *  thread, so that rows may be drawn by several threads at once. */
    void (*softmax_terms)(float *e, const float *row, float temperature, int64_t V);

    /* ---- optimiser ---- */

    /** AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), elementwise:
     *    g = grad * grad_scale;  p = p * (1 - lr * wd);  m = fma(1 - beta1, g - m, m);
     *    v = fma((1 - beta2) * g, g, v * beta2);  p = fma(-(lr / bias1), m / (sqrt(v) / sqrt(bias2) + eps), p)
     *  The scalars 1 - lr*wd, 1 - beta, lr / bias1, sqrt(bias2) are f32 operations done once. */
    void (*adamw)(rein_device *dev, float *p, float *m, float *v, const float *grad, int64_t n, rein_adamw_args a);
    /** AdamW with the moments in 8 bits (blocks: Dettmers et al. 2021, arXiv:2110.02861). A moment is the value of its code
     *  times its block's scale; m, v and p are then those of adamw, and p is updated with the new m and v before they are
     *  rounded. New scales: (largest |m| or v of the block) / 1.875. New codes: rein_state8_signed(m / scale, r << 4),
     *  rein_state8_positive(v / scale, r << 4) with the low (m) and the high (v) 16 bits r of Philox4x32-10 word i % 4 at
     *  counter (low, high half of i / 4, 0, 0). */
    void (*adamw_8bit)(rein_device *dev, float *p, rein_state8 m, rein_state8 v, const float *grad, int64_t n,
                       rein_adamw_args a, uint64_t key);
    /** Lion (Chen et al. 2023, arXiv:2302.06675), elementwise:
     *    g = grad * grad_scale;  c = fma(1 - beta1, g - m, m);  m = fma(1 - beta2, g - m, m);
     *    p = fma(-lr, sign(c), p * (1 - lr * wd)), sign(0) = 0. The scalars are f32 operations done once. */
    void (*lion)(rein_device *dev, float *p, float *m, const float *grad, int64_t n, rein_lion_args a);
    /** SGD with momentum as torch has it, elementwise; weight decay is part of the gradient. m may be NULL:
     *    g = fma(wd, p, grad * grad_scale);  m = fma(momentum, m, g);  u = nesterov ? fma(momentum, m, g) : m;
     *    p = fma(-lr, u, p); without m, u = g. */
    void (*sgd)(rein_device *dev, float *p, float *m, const float *grad, int64_t n, rein_sgd_args a);
    /** Stochastic rounding to bf16 (the low 16 bits become zero): the 16 upper bits r of Philox4x32-10 word i % 4 at counter
     *  (low, high half of i / 4, 1, 0) are added to the bits of p[i], whose low 16 are then cleared; what would become
     *  infinite is cut instead, what is not finite stays. */
    void (*round_bf16)(rein_device *dev, float *p, int64_t n, uint64_t key);
    /** blocks[i] = sum of squares of x[4096 i ..] in f64: 16 strided partials of fma, tree16; ceil(n / 4096) blocks. */
    void (*sumsq)(rein_device *dev, double *blocks, const float *x, int64_t n);
    /** Number of elements i with a[i] != b[i] (bits). */
    int64_t (*count_diff)(rein_device *dev, const float *a, const float *b, int64_t n);
} rein_ops;

#endif
