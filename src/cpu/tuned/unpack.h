/*
 * Stored weights as operands of the micro-kernel: parts of rows in f32, and panels of 32 columns, in scratch.
 *
 * The values are those of tensor/quant.h, compiled here for one instruction set.
 */
#ifndef REIN_CPU_TUNED_UNPACK_H
#define REIN_CPU_TUNED_UNPACK_H

#include "cpu/tuned/tuned.h"

/** dst[0 .. n) = elements [first, first + n) of row `row`; first is a multiple of 32, and so is n unless the row ends
 *  there. */
void REIN_ISA(rein_unpack_row)(float *dst, const rein_weight *w, int64_t row, int64_t first, int64_t n);

/** panel[(k - k0) * 32 + i] = element (n + i, k), k0 <= k < k1, for 32 rows; rows from w->N on are zero. k0 is a
 *  multiple of 32, k1 too or w->K. */
void REIN_ISA(rein_unpack_rows)(float *panel, const rein_weight *w, int64_t n, int64_t k0, int64_t k1);

/** panel[(n - n0) * 32 + i] = element (n, k + i), n0 <= n < n1, for 32 columns, k a multiple of 32; columns from w->K
 * on are left alone. */
void REIN_ISA(rein_unpack_columns)(float *panel, const rein_weight *w, int64_t k, int64_t n0, int64_t n1);

#endif
