/*
 * Every backward operation against central differences of its forward, on the reference kernels in double. The loss is
 * always sum_i weight[i] * output[i]; the weights are the gradient that the backward operation is given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "forest.h"

static const rein_ops *const ops = &rein_ops_ref;

/* ---- numbers and comparison ---- */

static uint64_t random_state;

static real random_real(void) { /* in [-1, 1) */
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (real)(int64_t)(random_state >> 11) * 0x1p-52 - 1;
}

static real *new_reals(int64_t n) { /* random; the caller frees */
    real *x = NULL;
    assert_int_equal(rein_alloc(&x, n, sizeof *x), REIN_OK);
    for (int64_t i = 0; i < n; i++) x[i] = random_real();
    return x;
}

static real *new_zeros(int64_t n) {
    real *x = NULL;
    assert_int_equal(rein_alloc(&x, n, sizeof *x), REIN_OK);
    return x;
}

static real dot(const real *a, const real *b, int64_t n) {
    real c = 0;
    for (int64_t i = 0; i < n; i++) c += a[i] * b[i];
    return c;
}

static void assert_close(const char *what, int64_t i, real got, real want) {
    real error = fabs(got - want);
    if (error <= 2e-8 * (1 + fabs(want))) return;
    print_error("%s[%lld]: %.12g, finite difference %.12g\n", what, (long long)i, got, want);
    fail();
}

/* Compare grad with the differences of loss(ctx) in each x[i]; x is restored. */
static void check_gradient(const char *what, real *x, const real *grad, int64_t n, real (*loss)(void *ctx), void *ctx) {
    const real h = 1e-5;
    for (int64_t i = 0; i < n; i++) {
        real x0 = x[i];
        x[i] = x0 + h;
        real up = loss(ctx);
        x[i] = x0 - h;
        real down = loss(ctx);
        x[i] = x0;
        assert_close(what, i, grad[i], (up - down) / (2 * h));
    }
}

/* ---- linear ---- */

typedef struct linear_case {
    int64_t M, N, K, ldx;
    real *x, *w, *bias, *packed, *y, *weight;
} linear_case;

static real linear_loss(void *ctx) {
    linear_case *c = ctx;
    ops->pack(NULL, c->packed, c->w, c->N, c->K);
    ops->linear(NULL, c->y, c->N, c->x, c->ldx, (rein_weight){c->w, c->packed, c->N, c->K, REIN_F32}, c->bias, c->M);
    return dot(c->y, c->weight, c->M * c->N);
}

static void check_linear(int64_t M, int64_t N, int64_t K) {
    static const int64_t range[][2] = {{0, 1}, {1, 3}, {3, 4}};
    const rein_plan plan = {3, range};
    assert_int_equal(M, 4);
    linear_case c = {M, N, K, K + 2, new_reals(M * (K + 2)), new_reals(N * K), new_reals(N), NULL, NULL, NULL};
    c.packed = new_zeros(ops->packed_size(N, K)), c.y = new_zeros(M * N), c.weight = new_reals(M * N);
    real *dx = new_zeros(M * K), *dx_wide = new_zeros(M * c.ldx), *dw = new_zeros(N * K), *db = new_zeros(N);
    ops->linear_dx(NULL, dx, c.weight, N, (rein_weight){c.w, NULL, N, K, REIN_F32}, M);
    for (int64_t t = 0; t < M; t++) memcpy(dx_wide + t * c.ldx, dx + t * K, (size_t)K * sizeof(real));
    ops->linear_dw(NULL, dw, c.weight, N, c.x, c.ldx, &plan, N, K);
    ops->bias_grad(NULL, db, c.weight, N, &plan, N);
    check_gradient("linear dx", c.x, dx_wide, M * c.ldx, linear_loss, &c);
    check_gradient("linear dw", c.w, dw, N * K, linear_loss, &c);
    check_gradient("linear db", c.bias, db, N, linear_loss, &c);
    real *all[] = {c.x, c.w, c.bias, c.packed, c.y, c.weight, dx, dx_wide, dw, db};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

static void test_linear(void **state) {
    (void)state;
    check_linear(4, 5, 3);
    check_linear(4, 33, 2);
    check_linear(4, 2, 260); /* two chunks of k */
    check_linear(4, 260, 2); /* two chunks of n */
}

/* A row in no range of the plan does not count, in any of the sums over rows. */
static void test_plan_leaves_out(void **state) {
    (void)state;
    static const int64_t range[][2] = {{0, 1}, {2, 3}};
    const rein_plan plan = {2, range};
    const real dy[] = {1, 10, 100}, x[] = {2, 3, 5}, one[] = {1, 1, 1};
    const int32_t ids[] = {0, 0, 0};
    real dw = 0.5, db = 0.5, dn = 0.5, de = 0.5, dx[3] = {0};
    ops->linear_dw(NULL, &dw, dy, 1, x, 1, &plan, 1, 1);
    ops->bias_grad(NULL, &db, dy, 1, &plan, 1);
    ops->rmsnorm_bwd(NULL, dx, &dn, dy, 1, x, 1, one, one, &plan, 3, 1, 1, 0);
    ops->embed_bwd(NULL, &de, dy, ids, &plan, 1);
    assert_true(dw == 502.5 && db == 101.5 && dn == 502.5 && de == 101.5);
}

/* ---- rows ---- */

enum { ROWS = 3, SEGMENTS = 2, WIDTH = 20, LDX = 43, LDY = 41 };

typedef struct norm_case {
    real *x, *w, *y, *rstd, *weight;
} norm_case;

static real norm_loss(void *ctx) {
    norm_case *c = ctx;
    ops->rmsnorm(NULL, c->y, LDY, c->rstd, c->x, LDX, c->w, ROWS, SEGMENTS, WIDTH, 1e-3);
    real sum = 0;
    for (int64_t t = 0; t < ROWS; t++) sum += dot(c->y + t * LDY, c->weight + t * LDY, SEGMENTS * WIDTH);
    return sum;
}

static void test_rmsnorm(void **state) {
    (void)state;
    static const int64_t range[][2] = {{0, 2}, {2, 3}};
    const rein_plan plan = {2, range};
    norm_case c = {new_reals(ROWS * LDX), new_reals(WIDTH), new_zeros(ROWS * LDY), new_zeros(ROWS * SEGMENTS),
                   new_reals(ROWS * LDY)};
    real *dx = new_reals(ROWS * LDY), *before = new_zeros(ROWS * LDY), *dw = new_zeros(WIDTH),
         *wide = new_zeros(ROWS * LDX);
    memcpy(before, dx, ROWS * LDY * sizeof(real));
    norm_loss(&c);
    ops->rmsnorm_bwd(NULL, dx, dw, c.weight, LDY, c.x, LDX, c.w, c.rstd, &plan, ROWS, SEGMENTS, WIDTH, 1);
    for (int64_t t = 0; t < ROWS; t++)
        for (int64_t i = 0; i < SEGMENTS * WIDTH; i++) wide[t * LDX + i] = dx[t * LDY + i] - before[t * LDY + i];
    check_gradient("rmsnorm dx", c.x, wide, ROWS * LDX, norm_loss, &c);
    check_gradient("rmsnorm dw", c.w, dw, WIDTH, norm_loss, &c);
    real *all[] = {c.x, c.w, c.y, c.rstd, c.weight, dx, before, dw, wide};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

typedef struct center_case {
    real *x, *y, *weight;
} center_case;

static real center_loss(void *ctx) {
    center_case *c = ctx;
    ops->center(NULL, c->y, c->x, ROWS, WIDTH);
    return dot(c->y, c->weight, ROWS * WIDTH);
}

static void test_center(void **state) {
    (void)state;
    center_case c = {new_reals(ROWS * WIDTH), new_zeros(ROWS * WIDTH), new_reals(ROWS * WIDTH)};
    real *dx = new_zeros(ROWS * WIDTH);
    ops->center(NULL, dx, c.weight, ROWS, WIDTH);
    check_gradient("center dx", c.x, dx, ROWS * WIDTH, center_loss, &c);
    real *all[] = {c.x, c.y, c.weight, dx};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

enum { HEADS = 2, HEAD = 6, LDR = 13, POSITIONS = 9 };
static const int64_t rope_pos[ROWS] = {8, 0, 5};

typedef struct rope_case {
    real *x, *y, *cs, *weight;
} rope_case;

static real rope_loss(void *ctx) {
    rope_case *c = ctx;
    memcpy(c->y, c->x, ROWS * LDR * sizeof(real));
    ops->rope(NULL, c->y, LDR, rope_pos, c->cs, ROWS, HEADS, HEAD, 0);
    return dot(c->y, c->weight, ROWS * LDR);
}

/* The rotation is orthogonal, so its gradient is the inverse one, whatever cs holds. */
static void test_rope(void **state) {
    (void)state;
    rope_case c = {new_reals(ROWS * LDR), new_zeros(ROWS * LDR), new_reals(POSITIONS * HEAD), new_reals(ROWS * LDR)};
    real *dx = new_zeros(ROWS * LDR);
    memcpy(dx, c.weight, ROWS * LDR * sizeof(real));
    ops->rope(NULL, dx, LDR, rope_pos, c.cs, ROWS, HEADS, HEAD, 1);
    check_gradient("rope dx", c.x, dx, ROWS * LDR, rope_loss, &c);
    real *all[] = {c.x, c.y, c.cs, c.weight, dx};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

typedef struct swiglu_case {
    real *gu, *act, *weight;
} swiglu_case;

static real swiglu_loss(void *ctx) {
    swiglu_case *c = ctx;
    ops->swiglu(NULL, c->act, c->gu, ROWS, WIDTH);
    return dot(c->act, c->weight, ROWS * WIDTH);
}

static void test_swiglu(void **state) {
    (void)state;
    swiglu_case c = {new_reals(ROWS * 2 * WIDTH), new_zeros(ROWS * WIDTH), new_reals(ROWS * WIDTH)};
    real *dgu = new_zeros(ROWS * 2 * WIDTH);
    for (int64_t i = 0; i < ROWS * 2 * WIDTH; i++) c.gu[i] *= 4;
    ops->swiglu_bwd(NULL, dgu, c.weight, c.gu, ROWS, WIDTH);
    check_gradient("swiglu dgu", c.gu, dgu, ROWS * 2 * WIDTH, swiglu_loss, &c);
    ops->swiglu_bwd(NULL, c.gu, c.weight, c.gu, ROWS, WIDTH); /* in place: the same */
    assert_memory_equal(c.gu, dgu, ROWS * 2 * WIDTH * sizeof(real));
    real *all[] = {c.gu, c.act, c.weight, dgu};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

enum { TOKENS = 6, VOCABULARY = 4 };
static const int32_t embed_ids[TOKENS] = {3, 0, 3, 3, 1, 0};

typedef struct embed_case {
    real *w, *y, *weight;
} embed_case;

static real embed_loss(void *ctx) {
    embed_case *c = ctx;
    ops->embed(NULL, c->y, (rein_weight){c->w, NULL, VOCABULARY, WIDTH, REIN_F32}, embed_ids, TOKENS);
    return dot(c->y, c->weight, TOKENS * WIDTH);
}

static void test_embed(void **state) {
    (void)state;
    static const int64_t range[][2] = {{0, 4}, {4, 6}};
    const rein_plan plan = {2, range};
    embed_case c = {new_reals(VOCABULARY * WIDTH), new_zeros(TOKENS * WIDTH), new_reals(TOKENS * WIDTH)};
    real *dw = new_zeros(VOCABULARY * WIDTH);
    ops->embed_bwd(NULL, dw, c.weight, embed_ids, &plan, WIDTH);
    check_gradient("embed dw", c.w, dw, VOCABULARY * WIDTH, embed_loss, &c);
    real *all[] = {c.w, c.y, c.weight, dw};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

/* ---- adapters ---- */

typedef struct adapter_case {
    real *x, *m, *s, *g, *bias, *y, *weight;
} adapter_case;

/* y = x (m s) + bias: columns scaled by a magnitude over a norm that takes no gradient */
static real scale_loss(void *ctx) {
    adapter_case *c = ctx;
    for (int64_t i = 0; i < WIDTH; i++) c->g[i] = c->m[i] * c->s[i];
    ops->scale_columns(NULL, c->y, LDY, c->x, LDX, c->g, c->bias, ROWS, WIDTH);
    real sum = 0;
    for (int64_t t = 0; t < ROWS; t++) sum += dot(c->y + t * LDY, c->weight + t * LDY, WIDTH);
    return sum;
}

static void test_scale_columns(void **state) {
    (void)state;
    static const int64_t range[][2] = {{0, 2}, {2, 3}};
    const rein_plan plan = {2, range};
    adapter_case c = {.x = new_reals(ROWS * LDX), .m = new_reals(WIDTH), .s = new_reals(WIDTH), .g = new_zeros(WIDTH),
                      .bias = new_reals(WIDTH), .y = new_zeros(ROWS * LDY), .weight = new_reals(ROWS * LDY)};
    real *dm = new_zeros(WIDTH), *dx = new_zeros(ROWS * LDX);
    scale_loss(&c);
    ops->scale_columns(NULL, dx, LDX, c.weight, LDY, c.g, NULL, ROWS, WIDTH);
    ops->scale_columns_grad(NULL, dm, c.weight, LDY, c.x, LDX, c.s, &plan, WIDTH);
    check_gradient("scale_columns dx", c.x, dx, ROWS * LDX, scale_loss, &c);
    check_gradient("scale_columns dm", c.m, dm, WIDTH, scale_loss, &c);
    real *all[] = {c.x, c.m, c.s, c.g, c.bias, c.y, c.weight, dm, dx};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

static const int64_t drop_pos[ROWS] = {0, 7, 8};
static const uint32_t drop_row[ROWS] = {5, 5, 9};

static real dropout_loss(void *ctx) {
    adapter_case *c = ctx;
    ops->dropout(NULL, c->y, c->x, 0.4, 11, 3, drop_pos, drop_row, ROWS, WIDTH);
    return dot(c->y, c->weight, ROWS * WIDTH);
}

/* The gradient is the same masking of what comes back. */
static void test_dropout(void **state) {
    (void)state;
    adapter_case c = {.x = new_reals(ROWS * WIDTH), .y = new_zeros(ROWS * WIDTH), .weight = new_reals(ROWS * WIDTH)};
    real *dx = new_zeros(ROWS * WIDTH);
    ops->dropout(NULL, dx, c.weight, 0.4, 11, 3, drop_pos, drop_row, ROWS, WIDTH);
    check_gradient("dropout dx", c.x, dx, ROWS * WIDTH, dropout_loss, &c);
    real *all[] = {c.x, c.y, c.weight, dx};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

/* ---- attention ---- */

typedef struct attention_case {
    rein_device *dev;
    rein_attn a;
    forest f;
    real *kv[FOREST_NODES], *dkv[FOREST_NODES];
    real *qkv, *o, *stat, *weight, *dqkv;
} attention_case;

static void attention_open(attention_case *c, const forest_node *nodes, int n_nodes, int64_t H, int64_t K) {
    const int64_t D = 6;
    memset(c, 0, sizeof *c);
    c->a = (rein_attn){.H = H, .K = K, .D = D, .layer = 1, .ld = (H + 2 * K) * D, .scale = 0.4};
    assert_int_equal(rein_device_open_cpu(&c->dev, "ref", 1), REIN_OK);
    forest_init(&c->f, nodes, n_nodes, &c->a, 2);
    for (int i = 0; i < n_nodes; i++) {
        c->kv[i] = new_zeros(c->f.kv_size[i]);
        forest_bind(&c->f, i, c->kv[i]);
    }
    for (int64_t i = 0; i < c->f.n_runs; i++) c->f.run[i].dkv = c->dkv[i] = new_zeros(c->f.dkv_size[i]);
    int64_t T = c->f.n_rows;
    c->qkv = new_reals(T * c->a.ld), c->dqkv = new_reals(T * c->a.ld);
    c->o = new_zeros(T * H * D), c->stat = new_zeros(T * H * 2), c->weight = new_reals(T * H * D);
}

static void attention_close(attention_case *c) {
    for (int i = 0; i < FOREST_NODES; i++) {
        rein_free(c->kv[i]);
        rein_free(c->dkv[i]);
    }
    real *all[] = {c->qkv, c->o, c->stat, c->weight, c->dqkv};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
    rein_device_close(c->dev);
}

static real attention_loss(void *ctx) {
    attention_case *c = ctx;
    ops->kv_store(c->dev, c->f.run, c->f.n_runs, c->qkv, c->a);
    ops->attention(c->dev, c->o, c->stat, c->f.run, c->f.n_runs, c->qkv, c->a);
    return dot(c->o, c->weight, c->f.n_rows * c->a.H * c->a.D);
}

static void attention_backward(attention_case *c) {
    attention_loss(c);
    ops->attention_bwd(c->dev, c->dqkv, c->weight, c->o, c->stat, c->f.run, c->f.n_runs, c->qkv, c->a);
}

static void check_attention(const forest_node *nodes, int n_nodes, int64_t H, int64_t K) {
    attention_case c;
    attention_open(&c, nodes, n_nodes, H, K);
    attention_backward(&c);
    check_gradient("attention dqkv", c.qkv, c.dqkv, c.f.n_rows * c.a.ld, attention_loss, &c);
    attention_close(&c);
}

static void test_attention(void **state) {
    (void)state;
    static const forest_node one[] = {{-1, 0, 18, 0}};
    static const forest_node group[] = {{3, 0, 5, 0}, {3, 0, 1, 0}, {3, 0, 4, 0}, {-1, 0, 7, 0}};
    static const forest_node deep[] = {{2, 0, 2, 0}, {2, 0, 3, 0}, {5, 0, 4, 0},
                                       {4, 0, 2, 0}, {5, 0, 1, 0}, {-1, 0, 5, 0}};
    static const forest_node pair[] = {{1, 0, 3, 0}, {-1, 0, 2, 0}, {3, 0, 2, 0}, {-1, 0, 4, 0}};
    check_attention(one, 1, 2, 2);
    check_attention(group, 4, 2, 1);
    check_attention(deep, 6, 4, 2);
    check_attention(pair, 4, 3, 1);
}

/* Rows of `from` [row, row + n) into `to`: the same tokens in another batch. */
static void copy_rows(attention_case *to, int64_t row, const attention_case *from, int64_t from_row, int64_t n) {
    int64_t ld = to->a.ld, wide = to->a.H * to->a.D;
    memcpy(to->qkv + row * ld, from->qkv + from_row * ld, (size_t)(n * ld) * sizeof(real));
    memcpy(to->weight + row * wide, from->weight + from_row * wide, (size_t)(n * wide) * sizeof(real));
}

/* A group in one pass, and split in two: the prompt is context in the first and member in the second. Equal bits. */
static void test_attention_split(void **state) {
    (void)state;
    enum { A = 5, B = 3, P = 7 };
    static const forest_node whole_nodes[] = {{2, 0, A, 0}, {2, 0, B, 0}, {-1, 0, P, 0}};
    static const forest_node first_nodes[] = {{1, 0, A, 0}, {-1, 0, P, 1}};
    static const forest_node second_nodes[] = {{1, 0, B, 0}, {-1, 0, P, 0}};
    attention_case whole, first, second;
    attention_open(&whole, whole_nodes, 3, 4, 2);
    attention_open(&first, first_nodes, 2, 4, 2);
    attention_open(&second, second_nodes, 2, 4, 2);
    copy_rows(&first, 0, &whole, 0, A);
    copy_rows(&first, A, &whole, A + B, P);
    copy_rows(&second, 0, &whole, A, B + P);
    attention_backward(&whole);
    attention_backward(&first);
    memcpy(second.dkv[1], first.dkv[1], (size_t)first.f.dkv_size[1] * sizeof(real));
    attention_backward(&second);
    size_t row = (size_t)whole.a.ld * sizeof(real);
    assert_memory_equal(first.dqkv, whole.dqkv, A * row);
    assert_memory_equal(second.dqkv, whole.dqkv + A * whole.a.ld, (B + P) * row);
    for (int64_t i = 0; i < P * whole.a.ld; i++) assert_true(first.dqkv[A * whole.a.ld + i] == 0);
    attention_close(&whole);
    attention_close(&first);
    attention_close(&second);
}

/* The same tokens as one span, and as a path of three cut at odd places with a sibling beside it: equal bits. */
static void test_attention_cut(void **state) {
    (void)state;
    enum { A = 17, B = 260, C = 13, OTHER = 2 };
    static const forest_node whole_nodes[] = {{-1, 0, A + B + C, 0}};
    static const forest_node cut_nodes[] = {{2, 0, C, 0}, {2, 0, OTHER, 0}, {3, 0, B, 0}, {-1, 0, A, 0}};
    attention_case whole, cut;
    attention_open(&whole, whole_nodes, 1, 2, 1);
    attention_open(&cut, cut_nodes, 4, 2, 1);
    copy_rows(&cut, 0, &whole, A + B, C);
    copy_rows(&cut, C + OTHER, &whole, A, B);
    copy_rows(&cut, C + OTHER + B, &whole, 0, A);
    attention_backward(&whole);
    attention_backward(&cut);
    int64_t row = whole.a.H * whole.a.D; /* floats of o, and of q in qkv */
    assert_memory_equal(cut.o, whole.o + (A + B) * row, (size_t)(C * row) * sizeof(real));
    assert_memory_equal(cut.o + (C + OTHER) * row, whole.o + A * row, (size_t)(B * row) * sizeof(real));
    assert_memory_equal(cut.o + (C + OTHER + B) * row, whole.o, (size_t)(A * row) * sizeof(real));
    for (int64_t t = 0; t < C; t++) /* dq too; dk and dv are summed by span */
        assert_memory_equal(cut.dqkv + t * cut.a.ld, whole.dqkv + (A + B + t) * cut.a.ld, (size_t)row * sizeof(real));
    attention_close(&whole);
    attention_close(&cut);
}

/* ---- log-probs ---- */

enum { N_READS = 5, BLOCK = 3, IDS = 21 };
static const int32_t kept_ids[] = {1, 4, 5, 17, 20};
static const rein_read reads[N_READS] = {
    {0, 3, 0, NULL, 1},           {0, 20, 5, kept_ids, 0.5},   {0, 3, 0, NULL, 2},
    {2, 5, 2, kept_ids + 1, 1.5}, {2, 17, 1, kept_ids + 3, 1}, /* one kept id: log-prob 0, no gradient */
};

typedef struct logprob_case {
    real *logits, *logp, *stat, *entropy, *weight;
} logprob_case;

static real logprob_loss(void *ctx) {
    logprob_case *c = ctx;
    ops->logprob(NULL, c->logp, c->stat, c->entropy, c->logits, reads, N_READS, IDS);
    return dot(c->logp, c->weight, N_READS);
}

static void test_logprob(void **state) {
    (void)state;
    logprob_case c = {new_reals(BLOCK * IDS), new_zeros(N_READS), new_zeros(N_READS * 2), new_zeros(N_READS),
                      new_reals(N_READS)};
    real *dlogits = new_reals(BLOCK * IDS);
    for (int64_t i = 0; i < BLOCK * IDS; i++) c.logits[i] *= 3;
    logprob_loss(&c);
    ops->logprob_bwd(NULL, dlogits, c.weight, c.stat, c.logits, reads, N_READS, BLOCK, IDS);
    check_gradient("logprob dlogits", c.logits, dlogits, BLOCK * IDS, logprob_loss, &c);
    /* the log-prob and the entropy themselves, from their definitions */
    real z = 0, h = 0;
    for (int v = 0; v < IDS; v++) z += exp(c.logits[v] / 2);
    for (int v = 0; v < IDS; v++) h -= exp(c.logits[v] / 2) / z * (c.logits[v] / 2 - log(z));
    assert_close("logp", 2, c.logp[2], c.logits[3] / 2 - log(z));
    assert_close("entropy", 2, c.entropy[2], h);
    assert_true(c.logp[4] == 0 && c.entropy[4] == 0);
    real *all[] = {c.logits, c.logp, c.stat, c.entropy, c.weight, dlogits};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

typedef struct distribution_case {
    real *logits, *teacher, *logp, *stat, *entropy, *mean, *divergence, *weight;
    rein_teaching teaching;
} distribution_case;

static real distribution_loss(void *ctx) {
    distribution_case *c = ctx;
    real d = 0;
    ops->logprob(NULL, c->logp, c->stat, c->entropy, c->logits, reads, N_READS, IDS);
    ops->logprob_mean(NULL, c->mean, c->stat, c->logits, reads, N_READS, IDS);
    ops->divergence(NULL, c->divergence, &c->teaching, c->logits, c->stat, reads, N_READS, IDS);
    for (int i = 0; i < N_READS; i++) d += c->divergence[2 * i] * c->weight[2 * N_READS + i];
    return d + dot(c->entropy, c->weight, N_READS) + dot(c->mean, c->weight + N_READS, N_READS);
}

/* The divergence of read 2 (the whole vocabulary, temperature 2) from its definition. */
static real defined_divergence(const distribution_case *c, real beta) {
    real z[2] = {0}, d = 0;
    for (int v = 0; v < IDS; v++) z[0] += exp(c->logits[v] / 2), z[1] += exp(c->teacher[v] / 2);
    for (int v = 0; v < IDS; v++) {
        real p = exp(c->logits[v] / 2) / z[0], q = exp(c->teacher[v] / 2) / z[1], m = beta * q + (1 - beta) * p;
        if (beta == 0)
            d += q * log(q / p);
        else if (beta == 1)
            d += p * log(p / q);
        else
            d += beta * q * log(q / m) + (1 - beta) * p * log(p / m);
    }
    return d;
}

static void check_distribution(real beta) {
    distribution_case c = {new_reals(BLOCK * IDS), new_reals(BLOCK * IDS), new_zeros(N_READS), new_zeros(N_READS * 2),
                           new_zeros(N_READS), new_zeros(N_READS), new_zeros(N_READS * 2), new_reals(3 * N_READS),
                           {NULL, NULL, beta}};
    real *dlogits = new_zeros(BLOCK * IDS), *teacher_stat = new_zeros(N_READS * 2), mean = 0;
    for (int64_t i = 0; i < BLOCK * IDS; i++) c.logits[i] *= 3, c.teacher[i] *= 3;
    c.teaching = (rein_teaching){c.teacher, teacher_stat, beta};
    ops->logprob(NULL, c.logp, teacher_stat, NULL, c.teacher, reads, N_READS, IDS);
    distribution_loss(&c);
    rein_distribution_gradient g = {c.weight, c.weight + N_READS, c.weight + 2 * N_READS, c.entropy, c.divergence, c.teaching};
    ops->distribution_bwd(NULL, dlogits, &g, c.stat, c.logits, reads, N_READS, BLOCK, IDS);
    check_gradient("distribution dlogits", c.logits, dlogits, BLOCK * IDS, distribution_loss, &c);
    for (int v = 0; v < IDS; v++) mean += c.logits[v] / 2 / IDS;
    assert_close("mean", 2, c.mean[2], mean - (c.logits[3] / 2 - c.logp[2]));
    assert_close("divergence", 2, c.divergence[4], defined_divergence(&c, beta));
    assert_true(c.mean[4] == 0 && c.divergence[8] == 0);
    real *all[] = {c.logits, c.teacher, c.logp, c.stat, c.entropy, c.mean, c.divergence, c.weight, dlogits, teacher_stat};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_free(all[i]);
}

static void test_distribution(void **state) {
    (void)state;
    static const real beta[] = {0, 0.1, 0.5, 0.9, 1};
    for (size_t i = 0; i < REIN_COUNT(beta); i++) check_distribution(beta[i]);
}

/* The lowest id among equals, of the kept set where there is one; zeros of either sign are equal. */
static void test_best(void **state) {
    (void)state;
    const real logits[2][5] = {{-1, -0.0, 0.0, -3, 0}, {NAN, 2, 7, 7, -7}};
    const int32_t kept[] = {0, 3, 4};
    const rein_read r[] = {{0, 0, 0, NULL, 1}, {0, 3, 3, kept, 1}, {1, 0, 0, NULL, 0.5}, {1, 3, 3, kept, 1}, {1, 0, 1, kept, 1}};
    const int32_t want[] = {1, 4, 2, 3, 0};
    int32_t best[REIN_COUNT(r)];
    ops->logprob_best(NULL, best, logits[0], r, REIN_COUNT(r), 5);
    assert_memory_equal(best, want, sizeof want);
}

/* ---- optimiser: against the paper's formulas ---- */

static void test_adamw(void **state) {
    (void)state;
    real p[] = {0.7, -1.2}, m[] = {0, 0}, v[] = {0, 0}, want[] = {0.7, -1.2}, m_want[2] = {0}, v_want[2] = {0};
    const real grad[2][2] = {{0.3, -2}, {-0.1, 0.5}};
    rein_adamw_args a = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.2, .grad_scale = 0.5};
    for (int t = 1; t <= 2; t++) {
        a.bias1 = 1 - pow(a.beta1, t);
        a.bias2 = 1 - pow(a.beta2, t);
        ops->adamw(NULL, p, m, v, grad[t - 1], 2, a);
        for (int i = 0; i < 2; i++) {
            real g = grad[t - 1][i] * a.grad_scale;
            m_want[i] = a.beta1 * m_want[i] + (1 - a.beta1) * g;
            v_want[i] = a.beta2 * v_want[i] + (1 - a.beta2) * g * g;
            want[i] -= a.lr * a.weight_decay * want[i];
            want[i] -= a.lr * (m_want[i] / a.bias1) / (sqrt(v_want[i] / a.bias2) + a.eps);
            assert_close("adamw p", i, p[i], want[i]);
        }
    }
}

static void test_sumsq(void **state) {
    (void)state;
    const int64_t n = 5000;
    real *x = new_reals(n);
    double blocks[2];
    ops->sumsq(NULL, blocks, x, n);
    assert_close("sumsq", 0, blocks[0], dot(x, x, 4096));
    assert_close("sumsq", 1, blocks[1], dot(x + 4096, x + 4096, n - 4096));
    rein_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_plan_leaves_out),
        cmocka_unit_test(test_rmsnorm),
        cmocka_unit_test(test_center),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_swiglu),
        cmocka_unit_test(test_embed),
        cmocka_unit_test(test_scale_columns),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_attention_split),
        cmocka_unit_test(test_attention_cut),
        cmocka_unit_test(test_logprob),
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_sumsq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
