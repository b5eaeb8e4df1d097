/* What the kernels over rows of logits share. A read over the whole vocabulary runs on vectors along the row; one over
 * a kept set gathers its logits block by block. */
#ifndef REIN_CPU_TUNED_LOGPROB_H
#define REIN_CPU_TUNED_LOGPROB_H

#include "cpu/tuned/tuned.h"

enum { REIN_ID_BLOCK = 64 };

/** x / t, without the division where it is the identity. */
REIN_INLINE vec over(vec x, float t) { return t == 1.0f ? x : v_div(x, v_set(t)); }

/** Logits over the temperature of ids [i, i + n) of a read, n <= REIN_ID_BLOCK; z is written in whole vectors. */
REIN_INLINE void logits_of(float *z, const rein_read *r, const float *row, int64_t i, int64_t n) {
    for (int64_t k = 0; k < n && r->n_kept; k++) z[k] = row[r->kept[i + k]];
    for (int64_t k = 0; k < n; k += REIN_W)
        v_store(z + k, over(r->n_kept ? v_load(z + k) : v_loadn(row + i + k, n - k), r->temperature));
}

/* ---- maximum ---- */

REIN_INLINE void max_step(vec m[REIN_V16], const float *x, int64_t n) {
    for (int v = 0; v < REIN_V16; v++) {
        int64_t at = v * REIN_W;
        m[v] = v_selectn(n - at, v_max(v_loadn(x + at, n - at), m[v]), m[v]);
    }
}

/** Largest logit of a row over the temperature. */
REIN_INLINE float row_max(const float *row, float temperature, int64_t V) {
    vec m[REIN_V16];
    int64_t i = 0;
    for (int v = 0; v < REIN_V16; v++) m[v] = v_set(-INFINITY);
    for (; i + 16 <= V; i += 16) max_step(m, row + i, 16);
    if (i < V) max_step(m, row + i, V - i);
    return v_max16(m) / temperature; /* dividing keeps the order */
}

/** The same over a kept set. */
REIN_INLINE float kept_max(const rein_read *r, const float *row) {
    float m = -INFINITY;
    for (int64_t i = 0; i < r->n_kept; i++) m = row[r->kept[i]] > m ? row[r->kept[i]] : m;
    return m / r->temperature;
}

/** First read of a row at or after `row`. */
REIN_INLINE int64_t first_read(const rein_read *reads, int64_t n, int64_t row) {
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (reads[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif
