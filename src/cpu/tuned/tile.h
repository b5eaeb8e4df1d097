/*
 * The micro-kernel under every product of matrices: linear layers, their gradients, attention.
 *
 *   c[i][j] (+)= chain over p of a[i * sam + p * sap] * b[p * ldb + j],   i < rows, j < cols, p < k
 *
 * One call is one chain per output: it never cuts or regroups the sum over p. Which rows and columns share a call is
 * free.
 */
#ifndef REIN_CPU_TUNED_TILE_H
#define REIN_CPU_TUNED_TILE_H

#include "cpu/vec.h"

/* Rows of a full tile and columns of a narrow one: as many accumulators as registers allow, two vectors a row. */
#ifdef REIN_ISA_avx512
enum { REIN_MR = 12, REIN_NR = 2 * REIN_W };
#else
enum { REIN_MR = 6, REIN_NR = 2 * REIN_W };
#endif

/* Few rows take more columns a call, so that enough independent chains are in flight: 1 row, and 2 or 3 rows. */
enum { REIN_NR1 = 8 * REIN_W, REIN_NR3 = 4 * REIN_W };

/* Steps of p whose factors fit in registers beside a sum. */
enum { REIN_FEW = 8 };

typedef enum tile_mode {
    TILE_SET,  /* c = chain from zero */
    TILE_CONT, /* c = the chain that c holds, continued */
    TILE_ADD   /* c = c + chain from zero */
} tile_mode;

typedef struct rein_tile {
    const float *a;
    int64_t sam, sap;
    const float *b;
    int64_t ldb;
    int64_t
        group; /* floats in b from the first vector of columns to the second; wide tiles: from 32 columns to the next */
    float *c;
    int64_t ldc;
    int64_t k;
    int rows, cols; /* 1 .. REIN_MR, 1 .. REIN_NR (or NR1, NR3) */
    tile_mode mode;
    const float *bias; /* (cols) added last; NULL: none */
    /* Row i sums p in [from[i], to[i]) only; both ascending in i, within [0, k]. NULL: 0 and k. The range of one row
     * may end before that of another begins. */
    const int64_t *from, *to;
    int64_t ahead; /* rein_tile_run: floats from b to what is fetched into the cache meanwhile; 0: nothing */
} rein_tile;

/** At most REIN_NR columns. b is read at j < REIN_NR whatever cols is (zero or junk there). */
void REIN_ISA(rein_tile_full)(const rein_tile *t);
/** As above, but b is read at j < cols only. */
void REIN_ISA(rein_tile_edge)(const rein_tile *t);
/** rows <= 3, and as many columns as tile_width says; no from, no to. */
void REIN_ISA(rein_tile_wide)(const rein_tile *t);

/** n columns, side by side in b and in c; no group, bias, from, to. */
void REIN_ISA(rein_tile_run)(const rein_tile *t, int64_t n);
/** c += the product, rows x n, of a sum of few steps: 1 <= k <= REIN_FEW; a and b as they lie, no other field. */
void REIN_ISA(rein_tile_few)(const rein_tile *t, int64_t rows, int64_t n);

REIN_INLINE int64_t tile_width(int64_t rows) { return rows == 1 ? REIN_NR1 : rows <= 3 ? REIN_NR3 : REIN_NR; }

#endif
