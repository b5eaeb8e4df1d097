/* The micro-kernel: rows x (groups x vectors) accumulators in registers, one pass over p. */
#include "cpu/tuned/tile.h"

enum { MAX_ACC = 24, LINE = 16 /* floats of a cache line */ };

/* Shape of one compiled kernel; every member is a constant once the body is inlined. */
typedef struct shape {
    int rows, groups, vecs; /* columns: groups of `vecs` vectors */
    int edge;               /* 1: b is read under a mask */
    int fetch;              /* 1: b is fetched t->ahead */
} shape;

/* acc (+)= a[., p] b[p, .] */
REIN_INLINE void step(vec *acc, const rein_tile *t, shape s, const vmask *mask, const float *a, const float *b) {
    vec bv[8];
    if (s.rows == 4) __builtin_prefetch(b + 32 * 32); /* a decoding batch streams panels from memory, once */
#pragma GCC unroll 8
    for (int v = 0; v < s.groups * s.vecs; v++) {
        const float *src = b + v / s.vecs * t->group + v % s.vecs * REIN_W;
        bv[v] = s.edge ? v_loadm(mask[v], src) : v_load(src);
    }
#pragma GCC unroll 12
    for (int i = 0; i < s.rows; i++) {
        vec av = v_set((a + i / 3 * 3 * t->sam)[i % 3 * t->sam]);
#pragma GCC unroll 8
        for (int v = 0; v < s.groups * s.vecs; v++) {
            acc[i * s.groups * s.vecs + v] = v_fma(av, bv[v], acc[i * s.groups * s.vecs + v]);
        }
    }
}

/* The same for the rows whose range holds p. */
REIN_INLINE void step_some(vec *acc, const rein_tile *t, shape s, const vmask *mask, int64_t p) {
    vec bv[2];
#pragma GCC unroll 2
    for (int v = 0; v < 2; v++) {
        const float *src = t->b + p * t->ldb + v * t->group;
        bv[v] = s.edge ? v_loadm(mask[v], src) : v_load(src);
    }
#pragma GCC unroll 12
    for (int i = 0; i < s.rows; i++) {
        if ((t->from && p < t->from[i]) || (t->to && p >= t->to[i])) continue;
        vec av = v_set(t->a[i * t->sam + p * t->sap]);
        acc[2 * i] = v_fma(av, bv[0], acc[2 * i]);
        acc[2 * i + 1] = v_fma(av, bv[1], acc[2 * i + 1]);
    }
}

REIN_INLINE void finish(const vec *acc, const rein_tile *t, shape s, const vmask *mask, int whole) {
    const int nv = s.groups * s.vecs;
#pragma GCC unroll 12
    for (int i = 0; i < s.rows; i++) {
#pragma GCC unroll 8
        for (int v = 0; v < nv; v++) {
            float *c = t->c + i / 3 * 3 * t->ldc + i % 3 * t->ldc + v * REIN_W;
            vec x = acc[i * nv + v];
            if (t->mode == TILE_ADD) x = v_add(whole ? v_load(c) : v_loadm(mask[v], c), x);
            if (t->bias) x = v_add(x, whole ? v_load(t->bias + v * REIN_W) : v_loadm(mask[v], t->bias + v * REIN_W));
            if (whole)
                v_store(c, x);
            else
                v_storem(mask[v], c, x);
        }
    }
}

REIN_INLINE void body(const rein_tile *t, shape s) {
    const int nv = s.groups * s.vecs;
    vec acc[MAX_ACC];
    vmask mask[8];
#pragma GCC unroll 8
    for (int v = 0; v < nv; v++) mask[v] = v_mask(t->cols - v * REIN_W);
#pragma GCC unroll 24
    for (int i = 0; i < s.rows * nv; i++) acc[i] = v_zero();
    if (t->mode == TILE_CONT) {
#pragma GCC unroll 24
        for (int i = 0; i < s.rows * nv; i++) {
            const float *c = t->c + i / nv * t->ldc + i % nv * REIN_W;
            acc[i] = t->cols == nv * REIN_W ? v_load(c) : v_loadm(mask[i % nv], c);
        }
    }
    int64_t begin = 0, end = t->k;
    if (nv == 2 && t->from) {
        begin = t->from[s.rows - 1];
        for (int64_t p = t->from[0]; p < begin; p++) step_some(acc, t, s, mask, p);
    }
    if (nv == 2 && t->to) end = t->to[0] > begin ? t->to[0] : begin;
    const float *a = t->a + begin * t->sap, *b = t->b + begin * t->ldb;
    for (int64_t p = begin; p < end; p++, a += t->sap, b += t->ldb) {
        step(acc, t, s, mask, a, b);
        if (!s.fetch) continue;
#pragma GCC unroll 8
        for (int v = 0; v < nv; v += LINE / REIN_W) __builtin_prefetch(b + t->ahead + v * REIN_W);
    }
    if (nv == 2 && t->to)
        for (int64_t p = end; p < t->to[s.rows - 1]; p++) step_some(acc, t, s, mask, p);
    if (t->cols == nv * REIN_W)
        finish(acc, t, s, mask, 1);
    else
        finish(acc, t, s, mask, 0);
}

REIN_INLINE void by_rows(const rein_tile *t, int edge) {
    switch (t->rows) {
    case 1:
        body(t, (shape){1, 2, 1, edge, 0});
        return;
    case 2:
        body(t, (shape){2, 2, 1, edge, 0});
        return;
    case 3:
        body(t, (shape){3, 2, 1, edge, 0});
        return;
    case 4:
        body(t, (shape){4, 2, 1, edge, 0});
        return;
    case 5:
        body(t, (shape){5, 2, 1, edge, 0});
        return;
    case 6:
        body(t, (shape){6, 2, 1, edge, 0});
        return;
#ifdef REIN_ISA_avx512
    case 7:
        body(t, (shape){7, 2, 1, edge, 0});
        return;
    case 8:
        body(t, (shape){8, 2, 1, edge, 0});
        return;
    case 9:
        body(t, (shape){9, 2, 1, edge, 0});
        return;
    case 10:
        body(t, (shape){10, 2, 1, edge, 0});
        return;
    case 11:
        body(t, (shape){11, 2, 1, edge, 0});
        return;
    case 12:
        body(t, (shape){12, 2, 1, edge, 0});
        return;
#endif
    default:
        return;
    }
}

void REIN_ISA(rein_tile_full)(const rein_tile *t) { by_rows(t, 0); }

void REIN_ISA(rein_tile_edge)(const rein_tile *t) { by_rows(t, 1); }

void REIN_ISA(rein_tile_wide)(const rein_tile *t) {
    enum { PANEL_VECS = 32 / REIN_W };
    switch (t->rows) {
    case 1:
        body(t, (shape){1, 8 / PANEL_VECS, PANEL_VECS, 0, 0});
        return;
    case 2:
        body(t, (shape){2, 4 / PANEL_VECS, PANEL_VECS, 0, 0});
        return;
    case 3:
        body(t, (shape){3, 4 / PANEL_VECS, PANEL_VECS, 0, 0});
        return;
    default:
        return;
    }
}

/* Strips of whole vectors of n columns; returns the first column not done. */
REIN_INLINE int64_t strips(const rein_tile *t, shape s, int64_t n) {
    const int64_t width = s.vecs * s.groups * REIN_W;
    rein_tile u = {.a = t->a, .sam = t->sam, .sap = t->sap, .ldb = t->ldb, .group = REIN_W, .ldc = t->ldc, .k = t->k};
    u.cols = (int)width;
    u.mode = t->mode;
    u.ahead = t->ahead;
    int64_t j = 0;
    for (; j + width <= n; j += width) {
        u.b = t->b + j;
        u.c = t->c + j;
        /* or the compiler keeps a pointer to each row of c, in memory, from strip to strip */
        __asm__("" : "+r"(u.c), "+r"(u.ldc));
        body(&u, s);
    }
    return j;
}

REIN_INLINE int64_t strips_by_rows(const rein_tile *t, int64_t n, int fetch) {
    switch (t->rows) {
    case 1:
        return strips(t, (shape){1, 2, 1, 0, fetch}, n);
    case 2:
        return strips(t, (shape){2, 2, 1, 0, fetch}, n);
    case 3:
        return strips(t, (shape){3, 2, 1, 0, fetch}, n);
    case 4:
        return strips(t, (shape){4, 3, 1, 0, fetch}, n);
    case 5:
        return strips(t, (shape){5, 2, 1, 0, fetch}, n);
    case 6:
        return strips(t, (shape){6, 2, 1, 0, fetch}, n);
#ifdef REIN_ISA_avx512
    case 7:
        return strips(t, (shape){7, 2, 1, 0, fetch}, n);
    case 8:
        return strips(t, (shape){8, 2, 1, 0, fetch}, n);
    case 9:
        return strips(t, (shape){9, 2, 1, 0, fetch}, n);
    case 10:
        return strips(t, (shape){10, 2, 1, 0, fetch}, n);
    case 11:
        return strips(t, (shape){11, 2, 1, 0, fetch}, n);
    case 12:
        return strips(t, (shape){12, 2, 1, 0, fetch}, n);
#endif
    default:
        return 0;
    }
}

void REIN_ISA(rein_tile_run)(const rein_tile *t, int64_t n) {
    rein_tile u = *t;
    int64_t j = t->ahead ? strips_by_rows(t, n, 1) : strips_by_rows(t, n, 0);
    for (; j < n; j += REIN_NR) {
        u.b = t->b + j;
        u.c = t->c + j;
        u.cols = (int)(n - j < REIN_NR ? n - j : REIN_NR);
        REIN_ISA(rein_tile_edge)(&u);
    }
}

/* A vector of columns of rows_few; whole or under a mask. */
REIN_INLINE void vec_few(float *c, int64_t ldc, const vec *a, const float *b, int64_t ldb, int rows, int k, vmask m,
                         int whole) {
    vec sum[2] = {v_zero(), v_zero()};
#pragma GCC unroll 8
    for (int p = 0; p < k; p++) {
        const float *src = b + p / 3 * 3 * ldb + p % 3 * ldb;
        vec x = whole ? v_load(src) : v_loadm(m, src);
#pragma GCC unroll 2
        for (int i = 0; i < rows; i++) sum[i] = v_fma(a[i * k + p], x, sum[i]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < rows; i++) {
        if (whole)
            v_store(c + i * ldc, v_add(v_load(c + i * ldc), sum[i]));
        else
            v_storem(m, c + i * ldc, v_add(v_loadm(m, c + i * ldc), sum[i]));
    }
}

/* Rows of n columns, their k factors each in registers: c is read and written in the order in which it lies. */
REIN_INLINE void rows_few(const rein_tile *t, int64_t row, int64_t n, int rows, int k) {
    vec a[REIN_FEW];
    const float *b = t->b;
    float *c = t->c + row * t->ldc;
    int64_t ldb = t->ldb, ldc = t->ldc, j = 0;
#pragma GCC unroll 8
    for (int i = 0; i < rows * k; i++) a[i] = v_set(t->a[(row + i / k) * t->sam + i % k * t->sap]);
    for (; j + 2 * REIN_W <= n; j += 2 * REIN_W) {
        vec_few(c + j, ldc, a, b + j, ldb, rows, k, v_mask(REIN_W), 1);
        vec_few(c + j + REIN_W, ldc, a, b + j + REIN_W, ldb, rows, k, v_mask(REIN_W), 1);
    }
    for (; j < n; j += REIN_W) vec_few(c + j, ldc, a, b + j, ldb, rows, k, v_mask(n - j), 0);
}

REIN_INLINE void all_few(const rein_tile *t, int64_t rows, int64_t n, int k) {
    int64_t i = 0;
    for (; k <= REIN_FEW / 2 && i + 2 <= rows; i += 2) rows_few(t, i, n, 2, k);
    for (; i < rows; i++) rows_few(t, i, n, 1, k);
}

void REIN_ISA(rein_tile_few)(const rein_tile *t, int64_t rows, int64_t n) {
    switch (t->k) {
    case 1:
        all_few(t, rows, n, 1);
        return;
    case 2:
        all_few(t, rows, n, 2);
        return;
    case 3:
        all_few(t, rows, n, 3);
        return;
    case 4:
        all_few(t, rows, n, 4);
        return;
    case 5:
        all_few(t, rows, n, 5);
        return;
    case 6:
        all_few(t, rows, n, 6);
        return;
    case 7:
        all_few(t, rows, n, 7);
        return;
    case 8:
        all_few(t, rows, n, 8);
        return;
    default:
        return;
    }
}
