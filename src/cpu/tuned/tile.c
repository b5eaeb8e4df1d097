/* The micro-kernel: rows x (groups x vectors) accumulators in registers, one pass over p. */
#include "cpu/tuned/tile.h"

enum { MAX_ACC = 24 };

/* Shape of one compiled kernel; every member is a constant once the body is inlined. */
typedef struct shape {
    int rows, groups, vecs; /* columns: groups of `vecs` vectors */
    int edge;               /* 1: b is read under a mask */
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
            float *c = t->c + i * t->ldc + v * REIN_W;
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
        for (int i = 0; i < s.rows * nv; i++) acc[i] = v_loadm(mask[i % nv], t->c + i / nv * t->ldc + i % nv * REIN_W);
    }
    int64_t begin = 0, end = t->k;
    if (nv == 2 && t->from) {
        begin = t->from[s.rows - 1];
        for (int64_t p = t->from[0]; p < begin; p++) step_some(acc, t, s, mask, p);
    }
    if (nv == 2 && t->to) end = t->to[0] > begin ? t->to[0] : begin;
    const float *a = t->a + begin * t->sap, *b = t->b + begin * t->ldb;
    for (int64_t p = begin; p < end; p++, a += t->sap, b += t->ldb) step(acc, t, s, mask, a, b);
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
        body(t, (shape){1, 2, 1, edge});
        return;
    case 2:
        body(t, (shape){2, 2, 1, edge});
        return;
    case 3:
        body(t, (shape){3, 2, 1, edge});
        return;
    case 4:
        body(t, (shape){4, 2, 1, edge});
        return;
    case 5:
        body(t, (shape){5, 2, 1, edge});
        return;
    case 6:
        body(t, (shape){6, 2, 1, edge});
        return;
#ifdef REIN_ISA_avx512
    case 7:
        body(t, (shape){7, 2, 1, edge});
        return;
    case 8:
        body(t, (shape){8, 2, 1, edge});
        return;
    case 9:
        body(t, (shape){9, 2, 1, edge});
        return;
    case 10:
        body(t, (shape){10, 2, 1, edge});
        return;
    case 11:
        body(t, (shape){11, 2, 1, edge});
        return;
    case 12:
        body(t, (shape){12, 2, 1, edge});
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
        body(t, (shape){1, 8 / PANEL_VECS, PANEL_VECS, 0});
        return;
    case 2:
        body(t, (shape){2, 4 / PANEL_VECS, PANEL_VECS, 0});
        return;
    case 3:
        body(t, (shape){3, 4 / PANEL_VECS, PANEL_VECS, 0});
        return;
    default:
        return;
    }
}
