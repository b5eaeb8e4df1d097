/* Statistics of rewards and evaluations; see stats.h. */
#include "rl/stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/sum.h"

enum { RESAMPLES = 10000 };

static const double normal_quantile = 1.959963984540054; /* of 0.975 */

/* Missing values keep their place in the tree as zeros, so that a value's neighbours do not depend on them. */
rein_moments rein_stats_moments(const double *x, int64_t n, int64_t stride) {
    rein_moments m = {0, NAN, NAN};
    double origin = 0; /* the first value: the deviations from it, and so the sd, of equal values are exact zeros */
    for (int64_t i = 0; i < n; i++)
        if (!isnan(x[i * stride]) && m.n++ == 0) origin = x[i * stride];
    if (m.n == 0) return m;

    rein_pairwise sum = {0}, squares = {0};
    for (int64_t i = 0; i < n; i++) rein_pairwise_add(&sum, isnan(x[i * stride]) ? 0 : x[i * stride] - origin);
    m.mean = origin + rein_pairwise_total(&sum) / (double)m.n;
    if (m.n < 2) return m;

    for (int64_t i = 0; i < n; i++) {
        double d = isnan(x[i * stride]) ? 0 : x[i * stride] - m.mean;
        rein_pairwise_add(&squares, d * d);
    }
    m.sd = sqrt(rein_pairwise_total(&squares) / (double)(m.n - 1));
    return m;
}

double rein_stats_error(rein_moments m) { return m.sd / sqrt((double)m.n); }

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int64_t n, double q) {
    double place = q * (double)(n - 1);
    int64_t i = (int64_t)place;
    if (i >= n - 1) return sorted[n - 1];
    return sorted[i] + (place - (double)i) * (sorted[i + 1] - sorted[i]);
}

static rein_status check_cases(const double *x, int64_t n) {
    if (n < 1 || n > UINT32_MAX)
        return rein_fail(REIN_ERR_ARG, "statistics of %lld cases: give at least one", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return rein_fail(REIN_ERR_NUMERIC, "case %lld has the value %g: statistics need finite values",
                             (long long)i, x[i]);
    return REIN_OK;
}

rein_status rein_stats_bootstrap(rein_interval *out, const double *x, int64_t n, uint64_t seed) {
    double *mean;
    REIN_TRY(check_cases(x, n));
    REIN_TRY(rein_alloc(&mean, RESAMPLES, sizeof *mean));
    for (uint32_t r = 0; r < RESAMPLES; r++) {
        double sum = 0;
        uint32_t word[4];
        for (int64_t draw = 0; draw < n; draw++) { /* four cases a block of random words */
            if (draw % 4 == 0) rein_random4(word, seed, REIN_STREAM_BOOTSTRAP, r, (uint32_t)(draw / 4), 0, 0);
            sum += x[((uint64_t)word[draw % 4] * (uint64_t)n) >> 32];
        }
        mean[r] = sum / (double)n;
    }
    qsort(mean, RESAMPLES, sizeof *mean, compare_doubles);
    *out = (rein_interval){quantile(mean, RESAMPLES, 0.025), quantile(mean, RESAMPLES, 0.975)};
    rein_free(mean);
    return REIN_OK;
}

rein_status rein_stats_paired(rein_paired *out, const double *a, const double *b, int64_t n, uint64_t seed) {
    double *difference = NULL;
    REIN_TRY(rein_alloc(&difference, n > 0 ? n : 1, sizeof *difference));
    for (int64_t i = 0; i < n; i++) difference[i] = a[i] - b[i];
    rein_interval interval = {0, 0};
    rein_status status = rein_stats_bootstrap(&interval, difference, n, seed);
    rein_moments m = rein_stats_moments(difference, n, 1);
    rein_free(difference);
    REIN_TRY(status);
    double error = rein_stats_error(m), half = normal_quantile * error;
    *out = (rein_paired){n, m.mean, m.sd, error, interval, {m.mean - half, m.mean + half}};
    return REIN_OK;
}

rein_status rein_stats_wilson(rein_interval *out, int64_t successes, int64_t n) {
    if (n < 1 || successes < 0 || successes > n)
        return rein_fail(REIN_ERR_ARG, "%lld successes of %lld cases are no rate", (long long)successes, (long long)n);
    double z2 = normal_quantile * normal_quantile, count = (double)n, p = (double)successes / count;
    double centre = (p + z2 / (2 * count)) / (1 + z2 / count);
    double half = normal_quantile * sqrt(p * (1 - p) / count + z2 / (4 * count * count)) / (1 + z2 / count);
    *out = (rein_interval){successes == 0 ? 0 : centre - half, successes == n ? 1 : centre + half};
    return REIN_OK;
}

/* Least-squares slope over the values that are present, about their means. */
static double slope_of(const int64_t *step, const double *x, int64_t n, double mean_step, double mean) {
    rein_pairwise both = {0}, squares = {0};
    for (int64_t i = 0; i < n; i++) {
        double d = isnan(x[i]) ? 0 : (double)step[i] - mean_step;
        rein_pairwise_add(&both, isnan(x[i]) ? 0 : d * (x[i] - mean));
        rein_pairwise_add(&squares, d * d);
    }
    double spread = rein_pairwise_total(&squares);
    return spread > 0 ? rein_pairwise_total(&both) / spread : NAN;
}

rein_trend rein_stats_trend(const int64_t *step, const double *x, int64_t n) {
    const rein_moments all = rein_stats_moments(x, n, 1);
    rein_trend t = {all.n, NAN, NAN, NAN};
    rein_pairwise steps = {0};
    int64_t cut = 0; /* where the second half begins */
    for (int64_t seen = 0; cut < n && seen < all.n / 2; cut++) seen += !isnan(x[cut]);
    for (int64_t i = 0; i < n; i++) rein_pairwise_add(&steps, isnan(x[i]) ? 0 : (double)step[i]);
    if (all.n < 2) return t;
    t.first = rein_stats_moments(x, cut, 1).mean;
    t.second = rein_stats_moments(x + cut, n - cut, 1).mean;
    t.slope = slope_of(step, x, n, rein_pairwise_total(&steps) / (double)all.n, all.mean);
    return t;
}
