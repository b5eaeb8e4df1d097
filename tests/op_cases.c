/* Buffers of a case, and the cases of linear layers, row operations and the optimiser. See op_cases.h. */
#include "op_cases.h"

#include <math.h>
#include <string.h>

enum { GUARD = 32 }; /* floats; two vectors of the widest machine */

static const uint32_t guard_bits = 0x7fc0dead;

/* ---- buffers ---- */

static uint64_t next_random(op_run *r) { /* SplitMix64 (Steele et al. 2014) */
    uint64_t z = r->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t op_below(op_run *r, int64_t n) { return (int64_t)(next_random(r) % (uint64_t)n); }

static float *new_buffer(op_run *r, const char *name, int64_t n, int64_t lead) {
    REIN_ASSERT(r->n_buffers < OP_BUFFERS);
    op_buffer *b = &r->buffer[r->n_buffers++];
    b->name = name;
    b->n = lead + n + GUARD;
    b->lead = lead;
    rein_status status = rein_alloc(&b->block, b->n, sizeof(float));
    REIN_ASSERT(status == REIN_OK);
    for (int64_t i = 0; i < b->n; i++) memcpy(&b->block[i], &guard_bits, sizeof guard_bits);
    return b->block + lead;
}

float *op_output(op_run *r, const char *name, int64_t n) {
    return new_buffer(r, name, n,
                      GUARD + (r->n_buffers + 1) % 4); /* mostly at addresses that no vector is aligned to */
}

void *op_bytes(op_run *r, const char *name, int64_t bytes) { return new_buffer(r, name, (bytes + 3) / 4, GUARD); }

float *op_random(op_run *r, const char *name, int64_t n) {
    float *x = op_output(r, name, n);
    for (int64_t i = 0; i < n; i++) {
        uint64_t u = next_random(r);
        float v = (float)((int64_t)(u >> 40) - (1 << 23)) * 0x1p-23f;
        x[i] = (u & 63) == 0 ? 0.0f : (u & 63) == 1 ? -0.0f : v;
    }
    return x;
}

rein_plan op_plan(op_run *r, int64_t kind, int64_t rows) {
    int64_t(*range)[2] = op_bytes(r, "plan", (rows + 1) * (int64_t)sizeof *range);
    rein_plan plan = {0, (const int64_t(*)[2])range};
    if (kind == PLAN_NONE) return plan;
    for (int64_t at = kind == PLAN_LAST ? rows - 1 : 0; at < rows;) {
        int64_t n = kind == PLAN_RAGGED ? 1 + op_below(r, 40) : REIN_CHUNK;
        range[plan.n][0] = at;
        range[plan.n][1] = at + n < rows ? at + n : rows;
        at = range[plan.n++][1] + (kind == PLAN_RAGGED ? op_below(r, 3) : 0);
    }
    return plan;
}

void op_case_run(op_run *r, rein_device *dev, const op_case *c) {
    memset(r, 0, sizeof *r);
    r->dev = dev;
    for (int i = 0; i < OP_PARAMS; i++) r->random = r->random * 1000003u + (uint64_t)c->p[i];
    c->run(r, c->p);
}

void op_run_free(op_run *r) {
    for (int i = 0; i < r->n_buffers; i++) rein_free(r->buffer[i].block);
    r->n_buffers = 0;
}

/* ---- linear: M, N, K, bias, gap of the leading dimensions / plan ---- */

static void run_linear(op_run *r, const int64_t *p) {
    const rein_ops *ops = r->dev->ops;
    int64_t M = p[0], N = p[1], K = p[2], ldx = K + p[4], ldy = N + p[4];
    float *w = op_random(r, "w", N * K), *x = op_random(r, "x", M * ldx);
    float *bias = p[3] ? op_random(r, "bias", N) : NULL;
    float *packed = op_output(r, "packed", ops->packed_size(N, K)), *y = op_output(r, "y", M * ldy);
    ops->pack(r->dev, packed, w, N, K);
    ops->linear(r->dev, y, ldy, x, ldx, (rein_weight){w, packed, N, K, REIN_F32}, bias, M);
}

static void run_linear_dx(op_run *r, const int64_t *p) {
    int64_t M = p[0], N = p[1], K = p[2], lddy = N + p[4];
    float *w = op_random(r, "w", N * K), *dy = op_random(r, "dy", M * lddy), *dx = op_output(r, "dx", M * K);
    r->dev->ops->linear_dx(r->dev, dx, dy, lddy, (rein_weight){w, NULL, N, K, REIN_F32}, M);
}

static void run_linear_dw(op_run *r, const int64_t *p) {
    int64_t M = p[0], N = p[1], K = p[2], ldx = K + p[4], lddy = N + p[4];
    float *x = op_random(r, "x", M * ldx), *dy = op_random(r, "dy", M * lddy), *dw = op_random(r, "dw", N * K);
    rein_plan plan = op_plan(r, p[3], M);
    r->dev->ops->linear_dw(r->dev, dw, dy, lddy, x, ldx, &plan, N, K);
}

static void run_bias_grad(op_run *r, const int64_t *p) {
    int64_t M = p[0], N = p[1], ld = N + p[4];
    float *dy = op_random(r, "dy", M * ld), *db = op_random(r, "db", N);
    rein_plan plan = op_plan(r, p[3], M);
    r->dev->ops->bias_grad(r->dev, db, dy, ld, &plan, N);
}

static void visit_linear(op_visit visit, void *user, int64_t M, int64_t N, int64_t K) {
    int64_t odd = (M + N + K) % 2, gap = (M + N) % 3, plan = (M + N / 3 + K) % PLAN_KINDS;
    if (M > 33) plan %= 2; /* long batches: only the plans that read most rows */
    visit(user, &(op_case){"linear", run_linear, {M, N, K, odd, gap}});
    visit(user, &(op_case){"linear_dx", run_linear_dx, {M, N, K, 0, gap}});
    visit(user, &(op_case){"linear_dw", run_linear_dw, {M, N, K, plan, gap}});
}

void op_cases_linear(op_visit visit, void *user) {
    static const int64_t size[] = {1, 15, 16, 17, 31, 33, 255, 256, 257, 513};
    const size_t n = REIN_COUNT(size);
    const int64_t limit = 600000; /* products; the reference makes some 3e8 a second */
    for (size_t m = 0; m < n; m++)
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++)
                if (size[m] * size[i] * size[k] <= limit) visit_linear(visit, user, size[m], size[i], size[k]);
    visit_linear(visit, user, 70, 257, 513); /* several tiles and chunks in every direction */
    visit_linear(visit, user, 513, 130, 70);
    visit_linear(visit, user, 6, 1030, 300);
    visit_linear(visit, user, 5, 600, 1100); /* a weight beyond the near caches */
    for (int64_t r = 1; r <= 33; r++) { /* every remainder of every dimension */
        visit_linear(visit, user, r, 40, 7);
        visit_linear(visit, user, 5, r, 7);
        visit_linear(visit, user, 5, 64 + r, 3);
        visit_linear(visit, user, 5, 40, r);
        for (int64_t plan = 0; plan < PLAN_KINDS; plan++)
            visit(user, &(op_case){"bias_grad", run_bias_grad, {r * 17, r + 31 * (r % 2), 0, plan, r % 3}});
    }
}

/* ---- rows ---- */

/* M, R, C, gap, whether rstd is wanted, in place */
static void run_rmsnorm(op_run *r, const int64_t *p) {
    int64_t M = p[0], R = p[1], C = p[2], ldx = R * C + p[3], ldy = R * C + (p[5] ? p[3] : 1);
    float *x = op_random(r, "x", M * ldx), *w = op_random(r, "w", C);
    float *y = p[5] ? x : op_output(r, "y", M * ldy), *rstd = p[4] ? op_output(r, "rstd", M * R) : NULL;
    r->dev->ops->rmsnorm(r->dev, y, ldy, rstd, x, ldx, w, M, R, C, 1e-6f);
}

/* M, R, C, gap, plan, 0 store / 1 add / 2 store over dy */
static void run_rmsnorm_bwd(op_run *r, const int64_t *p) {
    int64_t M = p[0], R = p[1], C = p[2], ld = R * C + p[3], ldx = R * C + 2;
    float *x = op_random(r, "x", M * ldx), *w = op_random(r, "w", C), *dy = op_random(r, "dy", M * ld);
    float *rstd = op_random(r, "rstd", M * R), *dw = op_random(r, "dw", C);
    float *dx = p[5] == 2 ? dy : op_random(r, "dx", M * ld);
    rein_plan plan = op_plan(r, p[4], M);
    r->dev->ops->rmsnorm_bwd(r->dev, dx, dw, dy, ld, x, ldx, w, rstd, &plan, M, R, C, p[5] == 1);
}

/* M, C, in place */
static void run_center(op_run *r, const int64_t *p) {
    float *x = op_random(r, "x", p[0] * p[1]), *y = p[2] ? x : op_output(r, "y", p[0] * p[1]);
    r->dev->ops->center(r->dev, y, x, p[0], p[1]);
}

/* M, heads, D, inverse, gap */
static void run_rope(op_run *r, const int64_t *p) {
    enum { POSITIONS = 50 };
    int64_t M = p[0], ld = p[1] * p[2] + p[4];
    float *x = op_random(r, "x", M * ld), *cs = op_random(r, "cs", POSITIONS * p[2]);
    int64_t *pos = op_bytes(r, "pos", M * (int64_t)sizeof *pos);
    for (int64_t t = 0; t < M; t++) pos[t] = op_below(r, POSITIONS);
    r->dev->ops->rope(r->dev, x, ld, pos, cs, M, p[1], p[2], (int)p[3]);
}

/* M, F, factor of the gates: large ones saturate; in place */
static void run_swiglu(op_run *r, const int64_t *p) {
    int64_t M = p[0], F = p[1];
    float *gu = op_random(r, "gu", M * 2 * F), *dact = op_random(r, "dact", M * F);
    float *act = op_output(r, "act", M * F), *dgu = p[3] ? gu : op_output(r, "dgu", M * 2 * F);
    for (int64_t i = 0; i < M * 2 * F; i++) gu[i] *= (float)p[2];
    r->dev->ops->swiglu(r->dev, act, gu, M, F);
    r->dev->ops->swiglu_bwd(r->dev, dgu, dact, gu, M, F);
}

/* n; 0 apart, 1 y is a, 2 y is b */
static void run_add(op_run *r, const int64_t *p) {
    float *a = op_random(r, "a", p[0]), *b = op_random(r, "b", p[0]);
    float *y = p[1] == 1 ? a : p[1] == 2 ? b : op_output(r, "y", p[0]);
    r->dev->ops->add(r->dev, y, a, b, p[0]);
}

/* M, C, plan */
static void run_embed(op_run *r, const int64_t *p) {
    enum { VOCABULARY = 11 }; /* small: most ids occur more than once */
    int64_t M = p[0], C = p[1];
    float *w = op_random(r, "w", VOCABULARY * C), *dw = op_random(r, "dw", VOCABULARY * C);
    float *dx = op_random(r, "dx", M * C), *y = op_output(r, "y", M * C);
    int32_t *ids = op_bytes(r, "ids", M * (int64_t)sizeof *ids);
    for (int64_t t = 0; t < M; t++) ids[t] = (int32_t)op_below(r, VOCABULARY);
    rein_plan plan = op_plan(r, p[2], M);
    r->dev->ops->embed(r->dev, y, (rein_weight){w, NULL, VOCABULARY, C, REIN_F32}, ids, M);
    r->dev->ops->embed_bwd(r->dev, dw, dx, ids, &plan, C);
}

static void visit_norm(op_visit visit, void *user, int64_t M, int64_t R, int64_t C) {
    int64_t mix = M + R + C;
    visit(user, &(op_case){"rmsnorm", run_rmsnorm, {M, R, C, mix % 3, mix % 2, C % 2}});
    visit(user, &(op_case){"rmsnorm_bwd", run_rmsnorm_bwd, {M, R, C, mix % 3, mix % PLAN_KINDS, C % 3}});
}

void op_cases_rows(op_visit visit, void *user) {
    static const int64_t width[] = {40, 63, 64, 65, 127, 128, 255, 256, 257, 513};
    static const int64_t head[] = {2, 6, 8, 10, 12, 16, 22, 24, 32, 40, 64, 128};
    for (int64_t C = 1; C <= 33; C++)
        for (int64_t R = 1; R <= 4; R += 3) visit_norm(visit, user, 1 + C % 5, R, C);
    for (size_t i = 0; i < REIN_COUNT(width); i++) {
        visit_norm(visit, user, 1, 1, width[i]);
        visit_norm(visit, user, 300, 1 + width[i] % 3, width[i]);
    }
    for (size_t i = 0; i < REIN_COUNT(head); i++)
        for (int64_t inverse = 0; inverse < 2; inverse++) {
            visit(user, &(op_case){"rope", run_rope, {1, 1, head[i], inverse, 0}});
            visit(user, &(op_case){"rope", run_rope, {33, 3, head[i], inverse, 5}});
        }
    for (int64_t n = 1; n <= 33; n++) {
        visit(user, &(op_case){"swiglu", run_swiglu, {1 + n % 4, n, 4, n % 2}});
        visit(user, &(op_case){"center", run_center, {1 + n % 4, n, n % 2}});
        visit(user, &(op_case){"add", run_add, {n, n % 3}});
        visit(user, &(op_case){"embed", run_embed, {n, 1 + 3 * n % 40, n % PLAN_KINDS}});
    }
    for (size_t i = 0; i < REIN_COUNT(width); i++) {
        visit(user, &(op_case){"swiglu", run_swiglu, {17, width[i], 200, width[i] % 2}});
        visit(user, &(op_case){"center", run_center, {900, width[i], (int64_t)i % 2}});
        visit(user, &(op_case){"add", run_add, {width[i] * 101, width[i] % 3}});
        visit(user, &(op_case){"embed", run_embed, {300, width[i], (int64_t)i % PLAN_KINDS}});
    }
}

/* ---- optimiser ---- */

/* n, step */
static void run_adamw(op_run *r, const int64_t *p) {
    float *x = op_random(r, "p", p[0]), *m = op_random(r, "m", p[0]), *v = op_random(r, "v", p[0]);
    float *grad = op_random(r, "grad", p[0]);
    for (int64_t i = 0; i < p[0]; i++) v[i] = fabsf(v[i]);
    rein_adamw_args a = {3e-3f, 0.9f, 0.999f, 1e-8f, 0.1f, 0.1f * (float)p[1], 0.001f * (float)p[1], 0.37f};
    r->dev->ops->adamw(r->dev, x, m, v, grad, p[0], a);
}

/* n, kind: 0 the usual, 1 blocks of zeros, 2 no moments yet and a tiny gradient */
static void run_adamw_8bit(op_run *r, const int64_t *p) {
    int64_t n = p[0], blocks = (n + 255) / 256;
    float *x = op_random(r, "p", n), *grad = op_random(r, "grad", n);
    rein_state8 m = {op_bytes(r, "m", n), op_random(r, "m scale", blocks)};
    rein_state8 v = {op_bytes(r, "v", n), op_random(r, "v scale", blocks)};
    for (int64_t i = 0; i < n; i++) {
        m.code[i] = (uint8_t)(p[1] == 0 ? op_below(r, 256) : 0);
        v.code[i] = (uint8_t)(p[1] == 0 ? op_below(r, 256) : 0);
        grad[i] *= p[1] == 0 ? 1.0f : p[1] == 1 ? 0.0f : 1e-20f;
    }
    for (int64_t i = 0; i < blocks; i++) m.scale[i] = fabsf(m.scale[i]), v.scale[i] = fabsf(v.scale[i]);
    rein_adamw_args a = {3e-3f, 0.9f, 0.999f, 1e-8f, 0.1f, 0.1f, 0.001f, 0.37f};
    r->dev->ops->adamw_8bit(r->dev, x, m, v, grad, n, a, 0x9e3779b97f4a7c15u * (uint64_t)n);
}

static void run_lion(op_run *r, const int64_t *p) {
    float *x = op_random(r, "p", p[0]), *m = op_random(r, "m", p[0]), *grad = op_random(r, "grad", p[0]);
    for (int64_t i = 0; i < p[0]; i += 7) grad[i] = m[i] = 0; /* a sign of zero */
    r->dev->ops->lion(r->dev, x, m, grad, p[0], (rein_lion_args){3e-3f, 0.9f, 0.99f, 0.1f, 0.37f});
}

/* n; 0 no momentum, 1 momentum, 2 Nesterov's */
static void run_sgd(op_run *r, const int64_t *p) {
    float *x = op_random(r, "p", p[0]), *grad = op_random(r, "grad", p[0]);
    float *m = p[1] > 0 ? op_random(r, "m", p[0]) : NULL;
    r->dev->ops->sgd(r->dev, x, m, grad, p[0], (rein_sgd_args){3e-3f, 0.9f, 0.1f, 0.37f, p[1] == 2});
}

static void run_round_bf16(op_run *r, const int64_t *p) {
    static const float special[] = {INFINITY, -INFINITY, NAN, 3.4028235e38f, -3.4028235e38f, 1e-42f, 1.5f};
    float *x = op_random(r, "x", p[0]);
    for (int64_t i = 0; i < p[0]; i += 5) x[i] = special[op_below(r, (int64_t)REIN_COUNT(special))];
    r->dev->ops->round_bf16(r->dev, x, p[0], 0x9e3779b97f4a7c15u * (uint64_t)p[0]);
}

static void run_sumsq(op_run *r, const int64_t *p) {
    float *x = op_random(r, "x", p[0]);
    double *blocks = op_bytes(r, "blocks", (p[0] + 4095) / 4096 * 8);
    r->dev->ops->sumsq(r->dev, blocks, x, p[0]);
}

/* n, changed elements */
static void run_count_diff(op_run *r, const int64_t *p) {
    float *a = op_random(r, "a", p[0]), *b = op_output(r, "b", p[0]);
    int64_t *count = op_bytes(r, "count", 8);
    memcpy(b, a, (size_t)p[0] * sizeof *b);
    for (int64_t i = 0; i < p[1]; i++) b[op_below(r, p[0])] += 1;
    b[p[0] - 1] = a[p[0] - 1] = NAN; /* equal bits are equal, also of a NaN */
    a[0] = 0.0f, b[0] = -0.0f;       /* and equal values with other bits are not */
    *count = r->dev->ops->count_diff(r->dev, a, b, p[0]);
}

void op_cases_optim(op_visit visit, void *user) {
    static const int64_t size[] = {255, 256, 257, 4095, 4096, 4097, 8193, 20000};
    for (int64_t i = 1; i <= 33 + (int64_t)REIN_COUNT(size); i++) {
        int64_t n = i <= 33 ? i : size[i - 34];
        visit(user, &(op_case){"adamw", run_adamw, {n, 1 + i % 9}});
        for (int64_t kind = 0; kind < 3; kind++) {
            visit(user, &(op_case){"adamw_8bit", run_adamw_8bit, {n, kind}});
            visit(user, &(op_case){"sgd", run_sgd, {n, kind}});
        }
        visit(user, &(op_case){"lion", run_lion, {n}});
        visit(user, &(op_case){"round_bf16", run_round_bf16, {n}});
        visit(user, &(op_case){"sumsq", run_sumsq, {n}});
        visit(user, &(op_case){"count_diff", run_count_diff, {n, n / 3}});
    }
}
