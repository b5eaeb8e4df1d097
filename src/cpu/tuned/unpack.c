/* Unpacking of stored weights; see unpack.h. */
#include "cpu/tuned/unpack.h"

#include "tensor/quant.h"

REIN_INLINE void unpack(float *dst, rein_dtype dtype, const void *src, int64_t first, int64_t n) {
    if (rein_plain_values(dst, dtype, src, first, n)) return;
    for (int64_t i = 0; i < n; i += REIN_UNIT) rein_unit(dst + i, dtype, src, (first + i) / REIN_UNIT);
}

void REIN_ISA(rein_unpack_row)(float *dst, const rein_weight *w, int64_t row, int64_t first, int64_t n) {
    unpack(dst, w->dtype, (const char *)w->rows + row * rein_dtype_bytes(w->dtype, w->K), first, n);
}

/* The rows after these are read next: too many streams, and too short, for the machine to foresee. */
REIN_INLINE void fetch(const char *p, int64_t bytes) {
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(p + i);
}

void REIN_ISA(rein_unpack_rows)(float *panel, const rein_weight *w, int64_t n, int64_t k0, int64_t k1) {
    enum { ROWS = 8, DEPTH = 64 }; /* as many rows as a transposition takes; 2 KB */
    float rows[ROWS * DEPTH];
    int64_t stride = rein_dtype_bytes(w->dtype, w->K);
    for (int64_t i = 0; i < REIN_PANEL; i += ROWS) {
        const char *src = (const char *)w->rows + (n + i) * stride;
        int64_t have = max_i64(0, min_i64(ROWS, w->N - n - i));
        if (have < ROWS) memset(rows + have * DEPTH, 0, (size_t)((ROWS - have) * DEPTH) * sizeof *rows);
        for (int64_t k = k0; k < k1; k += DEPTH) {
            int64_t depth = min_i64(DEPTH, k1 - k);
            int64_t at = rein_dtype_bytes(w->dtype, k), bytes = rein_dtype_bytes(w->dtype, k + depth) - at;
            for (int64_t r = 0; r < have; r++) {
                if (n + i + r + ROWS < w->N) fetch(src + (r + ROWS) * stride + at, bytes);
                unpack(rows + r * DEPTH, w->dtype, src + r * stride, k, depth);
            }
            v_transpose(panel + (k - k0) * REIN_PANEL + i, REIN_PANEL, rows, DEPTH, ROWS, depth);
        }
    }
}

void REIN_ISA(rein_unpack_columns)(float *panel, const rein_weight *w, int64_t k, int64_t n0, int64_t n1) {
    int64_t count = min_i64(REIN_PANEL, w->K - k), stride = rein_dtype_bytes(w->dtype, w->K);
    for (int64_t n = n0; n < n1; n++)
        unpack(panel + (n - n0) * REIN_PANEL, w->dtype, (const char *)w->rows + n * stride, k, count);
}
