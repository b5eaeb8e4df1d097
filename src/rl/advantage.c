/* Group-relative advantages; see advantage.h. */
#include "rl/advantage.h"

#include <math.h>

static const double spread_floor = 1e-4; /* TRL's epsilon, added to the standard deviation */
static const double zero_spread = 1e-8;  /* torch.isclose(sd, 0) */

static rein_status check_args(const rein_advantage_args *a) {
    if (a->G < 2 || a->N < a->G || a->N % a->G != 0 || a->n_func < 1)
        return rein_fail(REIN_ERR_ARG,
                         "%lld rows of %lld reward functions in groups of %lld: groups of 2 or more, all full",
                         (long long)a->N, (long long)a->n_func, (long long)a->G);
    for (int64_t k = 0; a->weight && k < a->n_func; k++)
        if (!isfinite(a->weight[k]))
            return rein_fail(REIN_ERR_NUMERIC, "weight %lld of the rewards is %g", (long long)k, a->weight[k]);
    for (int64_t i = 0; i < a->N * a->n_func; i++)
        if (isinf(a->reward[i]) || (isnan(a->reward[i]) && !a->allow_missing))
            return rein_fail(REIN_ERR_NUMERIC, "reward function %lld gave %g for completion %lld",
                             (long long)(i % a->n_func), a->reward[i], (long long)(i / a->n_func));
    return REIN_OK;
}

static double weight_of(const rein_advantage_args *a, int64_t k) { return a->weight ? a->weight[k] : 1; }

/* Weighted sum of a row's rewards without the missing ones; NaN if all are missing. */
static double row_sum(const rein_advantage_args *a, int64_t row) {
    const double *reward = a->reward + row * a->n_func;
    double sum = 0;
    int64_t scored = 0;
    for (int64_t k = 0; k < a->n_func; k++) {
        if (isnan(reward[k])) continue;
        sum += reward[k] * weight_of(a, k);
        scored++;
    }
    return scored > 0 ? sum : NAN;
}

/* Replace each present sum of one group by the weighted sum of its normalised rewards. */
static void normalize_group(double *adv, const rein_advantage_args *a, int64_t first) {
    for (int64_t i = first; i < first + a->G; i++)
        if (!isnan(adv[i])) adv[i] = 0;
    for (int64_t k = 0; k < a->n_func; k++) {
        const double *reward = a->reward + first * a->n_func + k;
        rein_moments m = rein_stats_moments(reward, a->G, a->n_func);
        if (isnan(m.sd)) continue;
        for (int64_t i = 0; i < a->G; i++) {
            double r = reward[i * a->n_func];
            if (!isnan(r)) adv[first + i] += weight_of(a, k) * ((r - m.mean) / (m.sd + spread_floor));
        }
    }
}

/* A = (r - mean) / (sd + floor), or without division; 0 where that is undefined. */
static void standardize(double *adv, int64_t n, double mean, double sd, bool divide) {
    for (int64_t i = 0; i < n; i++) {
        double a = divide ? (adv[i] - mean) / (sd + spread_floor) : adv[i] - mean;
        adv[i] = isnan(a) ? 0 : a;
    }
}

rein_status rein_advantages(double *adv, rein_advantage_stats *stats, rein_moments *func,
                            const rein_advantage_args *args) {
    const rein_advantage_args *a = args;
    REIN_TRY(check_args(a));
    for (int64_t i = 0; i < a->N; i++) adv[i] = row_sum(a, i);
    rein_moments batch = rein_stats_moments(adv, a->N, 1);
    rein_advantage_stats s = {.reward = batch, .unscored = a->N - batch.n};
    for (int64_t k = 0; func && k < a->n_func; k++) func[k] = rein_stats_moments(a->reward + k, a->N, a->n_func);

    bool normalize_first = a->aggregation == REIN_NORMALIZE_THEN_SUM;
    if (normalize_first) {
        for (int64_t first = 0; first < a->N; first += a->G) normalize_group(adv, a, first);
        batch = rein_stats_moments(adv, a->N, 1);
        standardize(adv, a->N, batch.mean, batch.sd, true);
    }
    int64_t flat = 0; /* groups without spread */
    for (int64_t first = 0; first < a->N && !normalize_first; first += a->G) {
        rein_moments group = rein_stats_moments(adv + first, a->G, 1);
        flat += group.sd <= zero_spread;
        double sd = a->scale == REIN_SCALE_BATCH ? batch.sd : group.sd;
        standardize(adv + first, a->G, group.mean, sd, a->scale != REIN_SCALE_NONE);
    }
    bool whole_batch = normalize_first || a->scale == REIN_SCALE_BATCH;
    s.frac_reward_zero_std = whole_batch ? batch.sd <= zero_spread : (double)flat / (double)(a->N / a->G);
    if (stats) *stats = s;
    return REIN_OK;
}
