/*
 * The largest of many floats in order, as far as somebody asks: what top-k, top-p and typical-p need of a vocabulary.
 *
 * The order is total (larger first, the lower index first among equals), so that it does not matter how it is found:
 * buckets of the numbers' leading bits are gathered from the top down and only what they hold is sorted.
 */
#ifndef REIN_GEN_RANK_H
#define REIN_GEN_RANK_H

#include "base/base.h"

enum { REIN_RANK_BUCKETS = 8192 };

typedef struct rein_ranked {
    float x;
    int32_t i;
} rein_ranked;

typedef struct rein_rank {
    const float *x;     /* (n) no NaN */
    int64_t n;
    rein_ranked *order; /* (n) the first `sorted` are in place */
    int64_t sorted;
    int32_t floor;      /* buckets from here up are gathered */
    int32_t count[REIN_RANK_BUCKETS];
} rein_rank;

/** Start on x (n); order (n) is the caller's memory. */
void rein_rank_begin(rein_rank *r, const float *x, int64_t n, rein_ranked *order);

/** The k-th in order, 0 <= k < n. */
rein_ranked rein_rank_at(rein_rank *r, int64_t k);

#endif
