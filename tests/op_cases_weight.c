/* Cases of weights in their stored types and of the operations of adapters. See op_cases.h. */
#include "op_cases.h"

#include <math.h>
#include <string.h>

/* ---- stored weights ---- */

/* Random blocks, a weight in a plain type, or with scales of the usual size. */
static void fill_block(op_run *r, uint8_t *block, rein_dtype dtype) {
    static const int halves[REIN_DTYPES] = {[REIN_Q4_1] = 2, [REIN_Q5_1] = 2, [REIN_Q4_K] = 2, [REIN_Q5_K] = 2};
    int64_t bytes = rein_dtype_block_bytes(dtype);
    for (int64_t i = 0; i < bytes; i++) block[i] = (uint8_t)op_below(r, 256);
    for (int i = 0; i < 2; i++) {
        float x = (float)(op_below(r, 2001) - 1000) * 0x1p-10f;
        if (i == 0 && rein_dtype_block(dtype) == 1) rein_quantize(block, dtype, &x, 1);
        if (i == 0 && rein_dtype_block(dtype) > 1)
            rein_quantize(dtype == REIN_Q6_K ? block + bytes - 2 : block, REIN_F16, &x, 1);
        if (i == 1 && halves[dtype] == 2) rein_quantize(block + 2, REIN_F16, &x, 1);
    }
}

static rein_weight stored_weight(op_run *r, rein_dtype dtype, int64_t N, int64_t K) {
    int64_t block = rein_dtype_block(dtype), bytes = rein_dtype_block_bytes(dtype), n = N * K / block;
    uint8_t *rows = op_bytes(r, "stored", n * bytes);
    REIN_ASSERT(K % block == 0);
    for (int64_t i = 0; i < n; i++) fill_block(r, rows + i * bytes, dtype);
    return (rein_weight){rows, NULL, N, K, dtype};
}

/* Number of rows that embed makes otherwise than rein_dequantize. */
static int64_t wrong_rows(const rein_weight *w, const float *rows) {
    enum { MAX_K = 1024 };
    float want[MAX_K];
    int64_t wrong = 0, stride = rein_dtype_bytes(w->dtype, w->K);
    REIN_ASSERT(w->K <= MAX_K);
    for (int64_t n = 0; n < w->N; n++) {
        rein_dequantize(want, w->dtype, (const char *)w->rows + n * stride, 0, w->K);
        wrong += memcmp(want, rows + n * w->K, (size_t)w->K * sizeof *want) != 0;
    }
    return wrong;
}

/* dtype, M, N, K, bias. The products of a weight as it is stored, of its f32 rows and of its packed copy have the same
 * bits, on every table. */
static void run_stored(op_run *r, const int64_t *p) {
    const rein_ops *ops = r->dev->ops;
    int64_t M = p[1], N = p[2], K = p[3], ldx = K + 1, ldy = N + 2;
    rein_weight stored = stored_weight(r, (rein_dtype)p[0], N, K), plain = stored, packed = stored;
    float *x = op_random(r, "x", M * ldx), *dy = op_random(r, "dy", M * ldy);
    float *bias = p[4] ? op_random(r, "bias", N) : NULL, *rows = op_output(r, "rows", N * K);
    float *panels = op_output(r, "packed", ops->packed_size(N, K));
    float *dx[] = {op_output(r, "dx", M * K), op_output(r, "dx of f32", M * K)};
    int32_t *ids = op_bytes(r, "ids", N * (int64_t)sizeof *ids);
    for (int64_t n = 0; n < N; n++) ids[n] = (int32_t)n;
    ops->embed(r->dev, rows, stored, ids, N);
    ops->pack(r->dev, panels, rows, N, K);
    plain.rows = rows, plain.dtype = REIN_F32;
    packed.packed = panels;
    const rein_weight way[] = {stored, plain, packed};
    float *y[REIN_COUNT(way)];
    for (size_t i = 0; i < REIN_COUNT(way); i++) {
        y[i] = op_output(r, "y", M * ldy);
        ops->linear(r->dev, y[i], ldy, x, ldx, way[i], bias, M);
        REIN_ASSERT(memcmp(y[0], y[i], (size_t)(M * ldy) * sizeof(float)) == 0);
    }
    for (size_t i = 0; i < REIN_COUNT(dx); i++) ops->linear_dx(r->dev, dx[i], dy, ldy, way[i], M);
    REIN_ASSERT(memcmp(dx[0], dx[1], (size_t)(M * K) * sizeof(float)) == 0);
    REIN_ASSERT(wrong_rows(&stored, rows) == 0);
}

static int64_t some_width(int64_t block, int64_t i) {
    if (block == 256) return 256 * (1 + i % 2);
    return block == 32 ? 32 * (1 + i % 11) : 1 + 37 * i % 400;
}

void op_cases_stored(op_visit visit, void *user) {
    static const int64_t rows[] = {1, 2, 3, 4, 7, 33, 50, 200};
    static const int64_t outputs[] = {1, 8, 31, 64, 70, 129, 200};
    for (int64_t dtype = 0; dtype < REIN_DTYPES; dtype++) {
        if (!rein_dtype_is_weight((rein_dtype)dtype)) continue;
        for (size_t m = 0; m < REIN_COUNT(rows); m++)
            for (size_t n = 0; n < REIN_COUNT(outputs); n++) {
                int64_t K = some_width(rein_dtype_block((rein_dtype)dtype), (int64_t)(3 * m + n));
                if (rows[m] * outputs[n] * K > 700000) continue;
                visit(user, &(op_case){"stored", run_stored, {dtype, rows[m], outputs[n], K, (int64_t)(m + n) % 2}});
            }
        visit(user, &(op_case){"stored", run_stored, {dtype, 2, 300, 512, 0}}); /* two chunks both ways */
    }
}

/* ---- adapters ---- */

/* M, N, gap, in place */
static void run_add_scale(op_run *r, const int64_t *p) {
    const rein_ops *ops = r->dev->ops;
    int64_t M = p[0], N = p[1], lda = N + p[2], ldy = N + 2 * p[2] + 1;
    float *a = op_random(r, "a", M * lda), *y = op_random(r, "y", M * ldy), *s = op_random(r, "s", N);
    float *g = op_random(r, "g", N), *bias = p[2] ? op_random(r, "bias", N) : NULL;
    float *z = p[3] ? y : op_output(r, "z", M * ldy);
    ops->add_rows(r->dev, y, ldy, a, lda, M, N);
    ops->add_rows(r->dev, y, ldy, a, 0, M, N);
    ops->scale(r->dev, s, -1.7f, N);
    ops->scale_columns(r->dev, z, ldy, y, ldy, g, bias, M, N);
}

/* M, N, plan, gap */
static void run_scale_grad(op_run *r, const int64_t *p) {
    int64_t M = p[0], N = p[1], lddy = N + p[3], ldz = N + 1;
    float *dy = op_random(r, "dy", M * lddy), *z = op_random(r, "z", M * ldz), *s = op_random(r, "s", N);
    float *dg = op_random(r, "dg", N);
    rein_plan plan = op_plan(r, p[2], M);
    r->dev->ops->scale_columns_grad(r->dev, dg, dy, lddy, z, ldz, s, &plan, N);
}

/* dtype, N, K, rank */
static void run_adapted_norm(op_run *r, const int64_t *p) {
    rein_weight w = stored_weight(r, (rein_dtype)p[0], p[1], p[2]);
    float *a = op_random(r, "a", p[3] * p[2]), *b = op_random(r, "b", p[1] * p[3]);
    float *norm = op_output(r, "norm", p[1]);
    r->dev->ops->adapted_norm(r->dev, norm, w, a, b, 1.25f, p[3]);
}

/* M, K, percent dropped */
static void run_dropout(op_run *r, const int64_t *p) {
    int64_t M = p[0], K = p[1];
    float *x = op_random(r, "x", M * K), *y = op_output(r, "y", M * K);
    int64_t *pos = op_bytes(r, "pos", M * (int64_t)sizeof *pos);
    uint32_t *row_id = op_bytes(r, "row_id", M * (int64_t)sizeof *row_id);
    for (int64_t t = 0; t < M; t++) {
        pos[t] = op_below(r, 5000);
        row_id[t] = (uint32_t)op_below(r, 1 << 20) * 4099u;
    }
    r->dev->ops->dropout(r->dev, y, x, (float)p[2] * 0.01f, 0x123456789abcdef0u, 77, pos, row_id, M, K);
}

static void visit_adapter(op_visit visit, void *user, int64_t M, int64_t N) {
    int64_t mix = M + N;
    visit(user, &(op_case){"add_scale", run_add_scale, {M, N, mix % 3, mix % 2}});
    visit(user, &(op_case){"scale_grad", run_scale_grad, {M, N, mix % PLAN_KINDS, mix % 3}});
    visit(user, &(op_case){"dropout", run_dropout, {M, N, 10 * (mix % 10)}});
}

void op_cases_adapter(op_visit visit, void *user) {
    static const int64_t width[] = {64, 65, 255, 256, 257, 513};
    for (int64_t n = 1; n <= 33; n++) visit_adapter(visit, user, 1 + n % 5, n);
    for (size_t i = 0; i < REIN_COUNT(width); i++) visit_adapter(visit, user, 300, width[i]);
    for (int64_t dtype = 0; dtype < REIN_DTYPES; dtype++) {
        if (!rein_dtype_is_weight((rein_dtype)dtype)) continue;
        int64_t block = rein_dtype_block((rein_dtype)dtype);
        for (int64_t i = 0; i < 12; i++)
            visit(user, &(op_case){"adapted_norm", run_adapted_norm, {dtype, 1 + 7 * i, some_width(block, 5 * i), i}});
        visit(user, &(op_case){"adapted_norm", run_adapted_norm, {dtype, 70, 768, 16}});
    }
}
