/* Optimiser arithmetic: the updates, stochastic rounding, sums of squares for the gradient norm, bitwise comparison. */
#include "cpu/tuned/tuned.h"
#include "tensor/state8.h"

enum { SUMSQ_BLOCK = 4096 };

/* The scalars of the update in every lane. */
typedef struct adamw {
    float *p, *m, *v;
    const float *grad;
    vec decay, take1, take2, keep2, step, root, eps, grad_scale;
} adamw;

REIN_INLINE void adamw_step(const adamw *a, int64_t i, int64_t n) {
    vec g = v_mul(v_loadn(a->grad + i, n), a->grad_scale), m = v_loadn(a->m + i, n), v = v_loadn(a->v + i, n);
    m = v_fma(a->take1, v_sub(g, m), m);
    v = v_fma(v_mul(a->take2, g), g, v_mul(v, a->keep2));
    vec size = v_add(v_div(v_sqrt(v), a->root), a->eps);
    v_storen(a->m + i, n, m);
    v_storen(a->v + i, n, v);
    v_storen(a->p + i, n, v_fnma(a->step, v_div(m, size), v_mul(v_loadn(a->p + i, n), a->decay)));
}

static adamw adamw_scalars(float *p, const float *grad, rein_adamw_args args) {
    return (adamw){.p = p,
                   .grad = grad,
                   .decay = v_set(1.0f - args.lr * args.weight_decay),
                   .take1 = v_set(1.0f - args.beta1),
                   .take2 = v_set(1.0f - args.beta2),
                   .keep2 = v_set(args.beta2),
                   .step = v_set(args.lr / args.bias1),
                   .root = v_set(sqrtf(args.bias2)),
                   .eps = v_set(args.eps),
                   .grad_scale = v_set(args.grad_scale)};
}

void REIN_ISA(rein_adamw)(rein_device *dev, float *p, float *m, float *v, const float *grad, int64_t n,
                          rein_adamw_args args) {
    adamw a = adamw_scalars(p, grad, args);
    a.m = m;
    a.v = v;
    int parts = parts_for(dev, 32 * n);
    int64_t whole = n / REIN_W;
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < whole; i++) adamw_step(&a, i * REIN_W, REIN_W);
    if (n % REIN_W) adamw_step(&a, whole * REIN_W, n % REIN_W);
}

/* ---- rounding ---- */

/* The random words of elements [begin, begin + REIN_STATE8_BLOCK): rein_philox over all their counters side by side,
 * which compiles to vectors (measured: twice as fast). */
static void words_of(uint32_t word[REIN_STATE8_BLOCK], int64_t begin, uint64_t key, uint32_t use) {
    enum { N = REIN_STATE8_BLOCK / 4, ROUNDS = 10 };
    uint32_t a[N], b[N], c[N], d[N], k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int i = 0; i < N; i++) {
        uint64_t at = (uint64_t)(begin / 4) + (uint64_t)i;
        a[i] = (uint32_t)at, b[i] = (uint32_t)(at >> 32), c[i] = use, d[i] = 0;
    }
    for (int round = 0; round < ROUNDS; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int i = 0; i < N; i++) {
            uint64_t x = (uint64_t)a[i] * 0xD2511F53u, y = (uint64_t)c[i] * 0xCD9E8D57u;
            a[i] = (uint32_t)(y >> 32) ^ b[i] ^ k0, b[i] = (uint32_t)y;
            c[i] = (uint32_t)(x >> 32) ^ d[i] ^ k1, d[i] = (uint32_t)x;
        }
    for (int i = 0; i < N; i++)
        word[4 * i] = a[i], word[4 * i + 1] = b[i], word[4 * i + 2] = c[i], word[4 * i + 3] = d[i];
}

/* Largest magnitude of n <= REIN_STATE8_BLOCK numbers. */
static float largest(const float *x, int64_t n) {
    float lane[REIN_W], most = 0;
    vec top = v_zero();
    for (int64_t i = 0; i < n; i += REIN_W) {
        vec a = v_loadn(x + i, n - i);
        top = v_max(v_max(a, v_sub(v_zero(), a)), top);
    }
    v_store(lane, top);
    for (int l = 0; l < REIN_W; l++) most = lane[l] > most ? lane[l] : most;
    return most;
}

/* x[i] / scale; zeros if the scale is. */
static void divide(float *x, float scale, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = scale > 0 ? x[i] / scale : 0.0f;
}

/* Elements [begin, begin + n) of one block. */
static void adamw_8bit_block(const adamw *whole, rein_state8 m8, rein_state8 v8, int64_t begin, int64_t n,
                             uint64_t key) {
    float m[REIN_STATE8_BLOCK] = {0}, v[REIN_STATE8_BLOCK] = {0};
    uint8_t *code_m = m8.code + begin, *code_v = v8.code + begin;
    float *scale_m = &m8.scale[begin / REIN_STATE8_BLOCK], *scale_v = &v8.scale[begin / REIN_STATE8_BLOCK];
    adamw a = *whole;
    a.p += begin, a.grad += begin, a.m = m, a.v = v;
    for (int64_t i = 0; i < n; i++) m[i] = rein_state8_of_signed(code_m[i]) * *scale_m;
    for (int64_t i = 0; i < n; i++) v[i] = rein_state8_of_positive(code_v[i]) * *scale_v;
    for (int64_t i = 0; i < n; i += REIN_W) adamw_step(&a, i, n - i);
    *scale_m = largest(m, n) / 1.875f;
    *scale_v = largest(v, n) / 1.875f;
    divide(m, *scale_m, n);
    divide(v, *scale_v, n);
    uint32_t word[REIN_STATE8_BLOCK];
    words_of(word, begin, key, 0);
    uint8_t code[REIN_STATE8_BLOCK]; /* of its own, so that no store can be a number still to be read */
    for (int64_t i = 0; i < n; i++) code[i] = rein_state8_signed(m[i], (word[i] & 0xffffu) << 4);
    for (int64_t i = 0; i < n; i++) code_m[i] = code[i];
    for (int64_t i = 0; i < n; i++) code[i] = rein_state8_positive(v[i], word[i] >> 16 << 4);
    for (int64_t i = 0; i < n; i++) code_v[i] = code[i];
}

void REIN_ISA(rein_adamw_8bit)(rein_device *dev, float *p, rein_state8 m, rein_state8 v, const float *grad, int64_t n,
                               rein_adamw_args args, uint64_t key) {
    adamw a = adamw_scalars(p, grad, args);
    int parts = parts_for(dev, 64 * n);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < n; i += REIN_STATE8_BLOCK)
        adamw_8bit_block(&a, m, v, i, min_i64(REIN_STATE8_BLOCK, n - i), key);
}

void REIN_ISA(rein_round_bf16)(rein_device *dev, float *p, int64_t n, uint64_t key) {
    int parts = parts_for(dev, 32 * n);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < n; i += REIN_STATE8_BLOCK) {
        uint32_t word[REIN_STATE8_BLOCK];
        words_of(word, i, key, 1);
        for (int64_t k = 0; k < min_i64(REIN_STATE8_BLOCK, n - i); k++)
            p[i + k] = rein_bf16_of(p[i + k], word[k] >> 16);
    }
}

/* ---- Lion, SGD ---- */

typedef struct lion {
    float *p, *m;
    const float *grad;
    vec lr, decay, take1, take2, grad_scale;
} lion;

REIN_INLINE void lion_step(const lion *a, int64_t i, int64_t n) {
    const vec zero = v_zero(), one = v_set(1.0f);
    vec m = v_loadn(a->m + i, n), g = v_sub(v_mul(v_loadn(a->grad + i, n), a->grad_scale), m);
    vec c = v_fma(a->take1, g, m);
    vec sign = v_if_less(zero, c, one, v_if_less(c, zero, v_set(-1.0f), zero));
    v_storen(a->m + i, n, v_fma(a->take2, g, m));
    v_storen(a->p + i, n, v_fnma(a->lr, sign, v_mul(v_loadn(a->p + i, n), a->decay)));
}

void REIN_ISA(rein_lion)(rein_device *dev, float *p, float *m, const float *grad, int64_t n, rein_lion_args args) {
    lion a = {p,
              m,
              grad,
              v_set(args.lr),
              v_set(1.0f - args.lr * args.weight_decay),
              v_set(1.0f - args.beta1),
              v_set(1.0f - args.beta2),
              v_set(args.grad_scale)};
    int parts = parts_for(dev, 16 * n);
    int64_t whole = n / REIN_W;
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < whole; i++) lion_step(&a, i * REIN_W, REIN_W);
    if (n % REIN_W) lion_step(&a, whole * REIN_W, n % REIN_W);
}

typedef struct sgd {
    float *p, *m; /* m: NULL without momentum */
    const float *grad;
    vec lr, momentum, weight_decay, grad_scale;
    int nesterov;
} sgd;

REIN_INLINE void sgd_step(const sgd *a, int64_t i, int64_t n) {
    vec p = v_loadn(a->p + i, n), u = v_fma(a->weight_decay, p, v_mul(v_loadn(a->grad + i, n), a->grad_scale));
    if (a->m) {
        vec m = v_fma(a->momentum, v_loadn(a->m + i, n), u);
        v_storen(a->m + i, n, m);
        u = a->nesterov ? v_fma(a->momentum, m, u) : m;
    }
    v_storen(a->p + i, n, v_fnma(a->lr, u, p));
}

void REIN_ISA(rein_sgd)(rein_device *dev, float *p, float *m, const float *grad, int64_t n, rein_sgd_args args) {
    sgd a = {p,
             m,
             grad,
             v_set(args.lr),
             v_set(args.momentum),
             v_set(args.weight_decay),
             v_set(args.grad_scale),
             args.nesterov};
    int parts = parts_for(dev, 8 * n);
    int64_t whole = n / REIN_W;
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < whole; i++) sgd_step(&a, i * REIN_W, REIN_W);
    if (n % REIN_W) sgd_step(&a, whole * REIN_W, n % REIN_W);
}

/* ---- sums and counts ---- */

/* A square of an f32 is exact in f64, so a product and a sum are the contract's fma, on any instruction set. */
static double sumsq_block(const float *x, int64_t n) {
    double p[REIN_LANES] = {0};
    int64_t i = 0;
    for (; i + REIN_LANES <= n; i += REIN_LANES)
        for (int l = 0; l < REIN_LANES; l++) p[l] += (double)x[i + l] * (double)x[i + l];
    for (int l = 0; i + l < n; l++) p[l] += (double)x[i + l] * (double)x[i + l];
    for (int width = REIN_LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) p[l] += p[l + width];
    return p[0];
}

void REIN_ISA(rein_sumsq)(rein_device *dev, double *blocks, const float *x, int64_t n) {
    int parts = parts_for(dev, 4 * n);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t begin = 0; begin < n; begin += SUMSQ_BLOCK)
        blocks[begin / SUMSQ_BLOCK] = sumsq_block(x + begin, min_i64(SUMSQ_BLOCK, n - begin));
}

int64_t REIN_ISA(rein_count_diff)(rein_device *dev, const float *a, const float *b, int64_t n) {
    int64_t count = 0;
    int parts = parts_for(dev, 2 * n);
#pragma omp parallel for schedule(static) num_threads(parts) reduction(+ : count)
    for (int64_t i = 0; i < n; i++) {
        uint32_t x, y;
        memcpy(&x, &a[i], sizeof x);
        memcpy(&y, &b[i], sizeof y);
        count += x != y;
    }
    return count;
}
