/*
 * What an evaluation says: estimates with 95 % confidence intervals per policy, and paired differences between
 * policies. Pure functions of the cases in the store.
 */
#ifndef REIN_REPORT_SUMMARY_H
#define REIN_REPORT_SUMMARY_H

#include "run/run.h"

/** lo..hi is a 95 % interval; all NaN if n is 0. */
typedef struct rein_estimate {
    double mean, lo, hi;
    int64_t n; /* values it rests on */
} rein_estimate;

typedef struct rein_metric_summary {
    const char *name;
    rein_estimate value;
} rein_metric_summary;

typedef struct rein_policy_summary {
    const rein_eval_policy *policy;
    rein_estimate reward, success, format; /* rates: Wilson's interval */
    rein_estimate cost_ratio;    /* summed "cost" over the oracle's on the same cases; n is 0 without either */
    rein_metric_summary *metric; /* (n_metric) mean over the cases that have a finite value */
    int64_t n_metric;
} rein_policy_summary;

/** One per policy of the evaluation, in its order; memory in `arena`. */
REIN_NODISCARD rein_status rein_summarize(const rein_eval *e, rein_arena *arena, rein_policy_summary **out);

typedef struct rein_comparison {
    const rein_eval_policy *a, *b;
    double *difference;            /* (reward.n) reward of a minus reward of b, case by case */
    rein_estimate reward, success; /* mean of a minus b; paired bootstrap over cases */
    rein_estimate cost;            /* the same of metric "cost", over cases where both have it */
} rein_comparison;

/** Two policies on the cases (key, sample) that both have. REIN_ERR_USAGE if there is none. */
REIN_NODISCARD rein_status rein_compare_policies(const rein_eval_policy *a, const rein_eval_policy *b,
                                                 rein_arena *arena, rein_comparison *out);

/** All pairs of models of an evaluation, later against earlier. */
REIN_NODISCARD rein_status rein_compare_models(const rein_eval *e, rein_arena *arena, rein_comparison **out,
                                               int64_t *n);

/** Metric of a case by name; NaN if it has none. */
double rein_case_metric(const rein_eval_case *c, const char *name);

#endif
