/*
 * Statistics of rewards and of evaluations: moments, bootstrap and Wilson intervals, paired comparison.
 *
 * Everything is a pure function of its arrays (and a seed): sums by the canonical pairwise tree, random numbers by
 * counter.
 */
#ifndef REIN_RL_STATS_H
#define REIN_RL_STATS_H

#include "base/base.h"

typedef struct rein_moments {
    int64_t n;   /* values present */
    double mean; /* NaN if n is 0 */
    double sd;   /* ddof 1; NaN if n is below 2; exactly 0 for equal values */
} rein_moments;

typedef struct rein_interval {
    double low, high;
} rein_interval;

/** Difference of two policies on the same cases, a - b. Intervals at 95 %. */
typedef struct rein_paired {
    int64_t n;
    double mean, sd, se;     /* sd and se are NaN if n is below 2 */
    rein_interval bootstrap; /* the one to publish */
    rein_interval normal;    /* mean -+ 1.96 se */
} rein_paired;

/** Moments of x[0], x[stride], ... (n of them, stride in elements); NaNs are missing values and skipped. */
rein_moments rein_stats_moments(const double *x, int64_t n, int64_t stride);

/** Standard error of the mean, sd / sqrt(n). */
double rein_stats_error(rein_moments m);

/**
 * 95 % percentile bootstrap of the mean: 10 000 resamples by Philox (stream REIN_STREAM_BOOTSTRAP, counter = resample,
 * block of four draws), quantiles 0.025 and 0.975 by linear interpolation (Efron 1979, doi:10.1214/aos/1176344552).
 *
 * @param x  (n) values, n >= 1, all finite.
 * @return REIN_ERR_ARG, REIN_ERR_NUMERIC (a value is not finite), REIN_ERR_MEMORY.
 */
REIN_NODISCARD rein_status rein_stats_bootstrap(rein_interval *out, const double *x, int64_t n, uint64_t seed);

/**
 * Paired difference a[i] - b[i] over the same n cases.
 *
 * @return as rein_stats_bootstrap.
 */
REIN_NODISCARD rein_status rein_stats_paired(rein_paired *out, const double *a, const double *b, int64_t n,
                                             uint64_t seed);

/**
 * 95 % Wilson score interval of a rate (Wilson 1927, doi:10.1080/01621459.1927.10502953).
 *
 * @return REIN_ERR_ARG unless 0 <= successes <= n and n >= 1.
 */
REIN_NODISCARD rein_status rein_stats_wilson(rein_interval *out, int64_t successes, int64_t n);

/** How a series moved. NaN where there are too few values: two for the halves, two different steps for the slope. */
typedef struct rein_trend {
    int64_t n;            /* values present */
    double first, second; /* means of the first n / 2 values (rounded down) and of the others */
    double slope;         /* least squares, per step */
} rein_trend;

/** Trend of x (n) at ascending steps; NaNs are missing values and skipped. */
rein_trend rein_stats_trend(const int64_t *step, const double *x, int64_t n);

#endif
