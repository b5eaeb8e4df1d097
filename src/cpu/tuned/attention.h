/* Where the keys and values of a path lie, and products over several rows; for both directions of attention. */
#ifndef REIN_CPU_TUNED_ATTENTION_H
#define REIN_CPU_TUNED_ATTENTION_H

#include "cpu/tuned/tile.h"
#include "cpu/tuned/tuned.h"

/* Panels (D, 16) of kv head `kv`; the first holds the position seg_first(s). */
REIN_INLINE float *seg_keys(const rein_seg *s, const rein_attn *a, int64_t kv) {
    return s->base + a->layer * s->layer_stride + kv * s->panels * a->D * REIN_LANES;
}

/* Rows (D) of kv head `kv`; the first is the position seg_first(s). */
REIN_INLINE float *seg_values(const rein_seg *s, const rein_attn *a, int64_t kv) {
    return s->base + a->layer * s->layer_stride + (a->K + kv) * s->panels * a->D * REIN_LANES;
}

REIN_INLINE int64_t seg_first(const rein_seg *s) { return s->pos0 / REIN_LANES * REIN_LANES; }

/* One past the last position of segment i that the run reads. */
REIN_INLINE int64_t seg_end(const rein_run *run, int64_t i) {
    return i + 1 < run->n_seg ? run->seg[i + 1].pos0 : run->pos + run->n;
}

/* The first position that a query at p sees. */
REIN_INLINE int64_t first_seen(const rein_attn *a, int64_t p) {
    return a->window > 0 ? max_i64(0, p - a->window + 1) : 0;
}

REIN_INLINE int64_t longest_path(const rein_run *runs, int64_t n_runs) {
    int64_t end = 0;
    for (int64_t i = 0; i < n_runs; i++) end = max_i64(end, runs[i].pos + runs[i].n);
    return end;
}

/* Multiply-adds of one product over all rows, heads and positions. */
REIN_INLINE int64_t path_products(const rein_run *runs, int64_t n_runs, const rein_attn *a) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n_runs; i++)
        sum += runs[i].n * (runs[i].pos + runs[i].n - first_seen(a, runs[i].pos));
    return sum * a->H * a->D;
}

/* Floats between rows of scores: whole panels, and not a power of two, which would crowd the cache. */
REIN_INLINE int64_t score_stride(int64_t end) { return div_up(end, 32) * 32 + 16; }

/* All columns of a tile of rows. t.b is column 0; column j of b is t.b[j / W * t.group + j % W]. */
REIN_INLINE void tile_columns(rein_tile t, int64_t cols) {
    for (int64_t j = 0; j < cols; j += REIN_NR) {
        t.cols = (int)min_i64(REIN_NR, cols - j);
        if (t.cols == REIN_NR)
            REIN_ISA(rein_tile_full)(&t);
        else
            REIN_ISA(rein_tile_edge)(&t);
        t.b += REIN_NR / REIN_W * t.group;
        t.c += REIN_NR;
    }
}

/* Scores of a few rows with panels of 16 positions (D, 16): t.a are the rows, t.c their scores. */
REIN_INLINE void tile_panels(rein_tile t, int64_t panels, int64_t D) {
    t.sap = 1;
    t.ldb = REIN_LANES;
    t.group = REIN_V16 == 1 ? D * REIN_LANES : REIN_W;
    t.k = D;
    t.mode = TILE_SET;
    int64_t each = REIN_NR / REIN_LANES;
    for (int64_t p = 0; p < panels; p += each) {
        t.cols = (int)min_i64(REIN_NR, (panels - p) * REIN_LANES);
        if (t.cols == REIN_NR)
            REIN_ISA(rein_tile_full)(&t);
        else
            REIN_ISA(rein_tile_edge)(&t);
        t.b += REIN_NR * D;
        t.c += REIN_NR;
    }
}

#endif
