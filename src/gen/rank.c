/* Order from the top down, as far as asked; see rank.h. */
#include "gen/rank.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKET_SHIFT = 32 - 13, FIRST = 256 }; /* 2^13 buckets: sign, exponent and 4 bits of the mantissa */

static int by_size(const void *pa, const void *pb) {
    const rein_ranked *a = pa, *b = pb;
    if (a->x != b->x) return a->x > b->x ? -1 : 1;
    return a->i < b->i ? -1 : 1;
}

/* Leading bits as a number that grows with x; both zeros are one. */
static int32_t bucket(float x) {
    uint32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof bits);
    bits ^= bits >> 31 ? UINT32_MAX : UINT32_C(1) << 31;
    return (int32_t)(bits >> BUCKET_SHIFT);
}

void rein_rank_begin(rein_rank *r, const float *x, int64_t n, rein_ranked *order) {
    *r = (rein_rank){.x = x, .n = n, .order = order, .floor = REIN_RANK_BUCKETS};
    for (int64_t i = 0; i < n; i++) r->count[bucket(x[i])]++;
}

/* Gather and sort whole buckets until at least `want` numbers are in place. */
static void extend(rein_rank *r, int64_t want) {
    int64_t total = r->sorted, begin = r->sorted;
    int32_t top = r->floor;
    while (total < want) total += r->count[--r->floor];
    for (int64_t i = 0; i < r->n; i++) {
        int32_t b = bucket(r->x[i]);
        if (b >= r->floor && b < top) r->order[r->sorted++] = (rein_ranked){r->x[i], (int32_t)i};
    }
    qsort(r->order + begin, (size_t)(r->sorted - begin), sizeof *r->order, by_size);
}

rein_ranked rein_rank_at(rein_rank *r, int64_t k) {
    if (k >= r->sorted) {
        int64_t want = 4 * k > FIRST ? 4 * k : FIRST; /* a pass over all numbers for each factor of 4 */
        if (k >= FIRST / 4 && r->sorted == 0) want = k + 1;
        extend(r, want < r->n ? want : r->n);
    }
    return r->order[k];
}
