/* The canonical pairwise sum; see sum.h. A binary counter of subtrees: appending merges as many as there are carries.
 */
#include "base/sum.h"

#include <stdbool.h>

void rein_pairwise_add(rein_pairwise *sum, double x) {
    int level = 0;
    for (int64_t carry = sum->n; carry & 1; carry >>= 1) x = sum->part[level++] + x;
    sum->part[level] = x;
    sum->n++;
}

double rein_pairwise_total(const rein_pairwise *sum) {
    double total = 0;
    bool any = false;
    for (int level = 0; level < 63; level++) {
        if (!(sum->n >> level & 1)) continue;
        total = any ? sum->part[level] + total : sum->part[level];
        any = true;
    }
    return total;
}

double rein_pairwise_sum(const double *x, int64_t n) {
    rein_pairwise sum = {0};
    for (int64_t i = 0; i < n; i++) rein_pairwise_add(&sum, x[i]);
    return rein_pairwise_total(&sum);
}
