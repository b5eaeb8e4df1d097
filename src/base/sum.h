/*
 * The canonical pairwise sum: the one order in which values of a batch (one a sequence, in order of id) or of blocks
 * are added, whoever holds them.
 *
 * Neighbours are added level by level, an odd last one moves up unchanged: ((0+1)+(2+3))+4. The subtree over
 * [i 2^k, (i+1) 2^k) is therefore the same whether one rank or many hold the values.
 */
#ifndef REIN_BASE_SUM_H
#define REIN_BASE_SUM_H

#include <stdint.h>

/** The tree while it grows: part[k] is a complete subtree of 2^k values where bit k of n is set. Starts zeroed. */
typedef struct rein_pairwise {
    double part[63];
    int64_t n;
} rein_pairwise;

/** Append the next value. */
void rein_pairwise_add(rein_pairwise *sum, double x);
/** Sum of what was appended; 0 for nothing. */
double rein_pairwise_total(const rein_pairwise *sum);

/** Sum of x (n) by the tree; 0 if n is 0. */
double rein_pairwise_sum(const double *x, int64_t n);

#endif
