/* Estimates of an evaluation. The bootstrap draws cases, so that pairs stay pairs; its draws are counter-based. */
#include "report/summary.h"

#include <math.h>
#include <string.h>

#include "rl/stats.h"

enum { SEED = 1 }; /* of the bootstrap: a report is a function of its store */
static const rein_estimate unknown = {(double)NAN, (double)NAN, (double)NAN, 0};

double rein_case_metric(const rein_eval_case *c, const char *name) {
    for (int64_t i = 0; i < c->n_metric; i++)
        if (strcmp(c->metric[i].name, name) == 0) return c->metric[i].value;
    return (double)NAN;
}

static rein_status mean_of(rein_estimate *out, const double *v, int64_t n) {
    rein_interval ci;
    *out = unknown;
    if (n == 0) return REIN_OK;
    REIN_TRY(rein_stats_bootstrap(&ci, v, n, SEED));
    *out = (rein_estimate){rein_stats_moments(v, n, 1).mean, ci.low, ci.high, n};
    return REIN_OK;
}

/* Ratio of sums R. Its interval is that of the mean of the linearised ratio R + (a - R b) / mean(b) (Cochran 1977,
 * Sampling Techniques, section 6.4), bootstrapped over cases; `above` is overwritten. */
static rein_status ratio_of(rein_estimate *out, double *above, const double *below, int64_t n) {
    *out = unknown;
    if (n == 0) return REIN_OK;
    double by = rein_stats_moments(below, n, 1).mean, ratio = rein_stats_moments(above, n, 1).mean / by;
    if (!isfinite(ratio)) return REIN_OK; /* an oracle without cost: there is no ratio */
    for (int64_t i = 0; i < n; i++) above[i] = ratio + (above[i] - ratio * below[i]) / by;
    REIN_TRY(mean_of(out, above, n));
    out->mean = ratio;
    return REIN_OK;
}

static rein_status rate_of(rein_estimate *out, int64_t hits, int64_t n) {
    rein_interval ci;
    *out = unknown;
    if (n == 0) return REIN_OK;
    REIN_TRY(rein_stats_wilson(&ci, hits, n));
    *out = (rein_estimate){(double)hits / (double)n, ci.low, ci.high, n};
    return REIN_OK;
}

/* ---- one policy ---- */

static rein_status metric_mean(rein_estimate *out, rein_arena *arena, const rein_eval_policy *p, const char *name) {
    double *v;
    int64_t n = 0;
    REIN_TRY(rein_arena_alloc(arena, &v, sizeof *v * (size_t)(p->n + 1)));
    for (int64_t i = 0; i < p->n; i++) {
        v[n] = rein_case_metric(&p->cases[i], name);
        n += isfinite(v[n]);
    }
    return mean_of(out, v, n);
}

static bool known_metric(const rein_policy_summary *s, const char *name) {
    for (int64_t i = 0; i < s->n_metric; i++)
        if (strcmp(s->metric[i].name, name) == 0) return true;
    return false;
}

/* Cases may have different metrics (a malformed answer has no cost): the union, in order of appearance. */
static rein_status summarize_metrics(rein_policy_summary *s, rein_arena *arena) {
    const rein_eval_policy *p = s->policy;
    REIN_TRY(rein_arena_alloc(arena, &s->metric, sizeof *s->metric * REIN_SCORE_PARTS));
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->cases[i].n_metric && s->n_metric < REIN_SCORE_PARTS; k++) {
            const char *name = p->cases[i].metric[k].name;
            if (known_metric(s, name)) continue;
            s->metric[s->n_metric].name = name;
            REIN_TRY(metric_mean(&s->metric[s->n_metric++].value, arena, p, name));
        }
    return REIN_OK;
}

static rein_status summarize_policy(rein_policy_summary *s, rein_arena *arena) {
    const rein_eval_policy *p = s->policy;
    double *reward;
    int64_t success = 0, format = 0;
    REIN_TRY(rein_arena_alloc(arena, &reward, sizeof *reward * (size_t)(p->n + 1)));
    for (int64_t i = 0; i < p->n; i++) {
        reward[i] = p->cases[i].reward;
        success += p->cases[i].success;
        format += p->cases[i].format_ok;
    }
    REIN_TRY(mean_of(&s->reward, reward, p->n));
    REIN_TRY(rate_of(&s->success, success, p->n));
    REIN_TRY(rate_of(&s->format, format, p->n));
    s->cost_ratio = unknown;
    return summarize_metrics(s, arena);
}

/* ---- pairs ---- */

static const rein_eval_case *partner(const rein_eval_policy *p, const rein_eval_case *c, int64_t hint) {
    if (hint < p->n && p->cases[hint].key == c->key && p->cases[hint].sample == c->sample) return &p->cases[hint];
    for (int64_t i = 0; i < p->n; i++)
        if (p->cases[i].key == c->key && p->cases[i].sample == c->sample) return &p->cases[i];
    return NULL;
}

/* An oracle answers a case once: it stands beside every sample of it. */
static const rein_eval_case *oracle_case(const rein_eval_policy *p, const rein_eval_case *c) {
    for (int64_t i = 0; i < p->n; i++)
        if (p->cases[i].key == c->key) return &p->cases[i];
    return NULL;
}

static rein_status cost_ratio(rein_policy_summary *s, rein_arena *arena, const rein_eval_policy *oracle) {
    const rein_eval_policy *p = s->policy;
    double *mine, *best;
    int64_t n = 0;
    REIN_TRY(rein_arena_alloc(arena, &mine, sizeof *mine * (size_t)(p->n + 1)));
    REIN_TRY(rein_arena_alloc(arena, &best, sizeof *best * (size_t)(p->n + 1)));
    for (int64_t i = 0; i < p->n; i++) {
        const rein_eval_case *other = oracle_case(oracle, &p->cases[i]);
        if (!other) continue;
        mine[n] = rein_case_metric(&p->cases[i], "cost");
        best[n] = rein_case_metric(other, "cost");
        n += isfinite(mine[n]) && isfinite(best[n]);
    }
    return ratio_of(&s->cost_ratio, mine, best, n);
}

rein_status rein_summarize(const rein_eval *e, rein_arena *arena, rein_policy_summary **out) {
    const rein_eval_policy *oracle = NULL;
    REIN_TRY(rein_arena_alloc(arena, out, sizeof **out * (size_t)(e->n_policy + 1)));
    for (int64_t k = 0; k < e->n_policy; k++)
        if (!oracle && e->policies[k].role == REIN_ROLE_ORACLE) oracle = &e->policies[k];
    for (int64_t k = 0; k < e->n_policy; k++) {
        (*out)[k].policy = &e->policies[k];
        REIN_TRY(summarize_policy(&(*out)[k], arena));
        if (oracle) REIN_TRY(cost_ratio(&(*out)[k], arena, oracle));
    }
    return REIN_OK;
}

/* Mean differences over the samples of one case, answers [first, end) of a; NaN for a cost that no pair has. */
static bool compare_case(const rein_eval_policy *a, const rein_eval_policy *b, int64_t first, int64_t end,
                         double mean[3]) {
    double sum[3] = {0};
    int64_t n = 0, n_cost = 0;
    for (int64_t i = first; i < end; i++) {
        const rein_eval_case *mine = &a->cases[i], *other = partner(b, mine, i);
        if (!other) continue;
        double cost = rein_case_metric(mine, "cost") - rein_case_metric(other, "cost");
        sum[0] += mine->reward - other->reward;
        sum[1] += (double)mine->success - (double)other->success;
        sum[2] += isfinite(cost) ? cost : 0;
        n++;
        n_cost += isfinite(cost);
    }
    mean[0] = sum[0] / (double)n;
    mean[1] = sum[1] / (double)n;
    mean[2] = n_cost ? sum[2] / (double)n_cost : (double)NAN;
    return n > 0;
}

/* Samples of one case are not independent: a case is one value, the mean over its samples. */
rein_status rein_compare_policies(const rein_eval_policy *a, const rein_eval_policy *b, rein_arena *arena,
                                  rein_comparison *out) {
    double *success, *cost, mean[3];
    int64_t n = 0, n_cost = 0;
    *out = (rein_comparison){.a = a, .b = b};
    REIN_TRY(rein_arena_alloc(arena, &out->difference, sizeof(double) * (size_t)(a->n + 1)));
    REIN_TRY(rein_arena_alloc(arena, &success, sizeof(double) * (size_t)(a->n + 1)));
    REIN_TRY(rein_arena_alloc(arena, &cost, sizeof(double) * (size_t)(a->n + 1)));
    for (int64_t first = 0, end; first < a->n; first = end) {
        for (end = first + 1; end < a->n && a->cases[end].index == a->cases[first].index;) end++;
        if (!compare_case(a, b, first, end, mean)) continue;
        out->difference[n] = mean[0];
        success[n++] = mean[1];
        cost[n_cost] = mean[2];
        n_cost += isfinite(mean[2]);
    }
    if (n == 0) return rein_fail(REIN_ERR_USAGE, "policies '%s' and '%s' have no case in common", a->name, b->name);
    REIN_TRY(mean_of(&out->reward, out->difference, n));
    REIN_TRY(mean_of(&out->success, success, n));
    return mean_of(&out->cost, cost, n_cost);
}

rein_status rein_compare_models(const rein_eval *e, rein_arena *arena, rein_comparison **out, int64_t *n) {
    *n = 0;
    REIN_TRY(rein_arena_alloc(arena, out, sizeof **out * (size_t)(e->n_policy * e->n_policy + 1)));
    for (int64_t a = 0; a < e->n_policy; a++)
        for (int64_t b = a + 1; b < e->n_policy; b++) {
            if (e->policies[a].role != REIN_ROLE_MODEL || e->policies[b].role != REIN_ROLE_MODEL) continue;
            REIN_TRY(rein_compare_policies(&e->policies[a], &e->policies[b], arena, &(*out)[*n]));
            ++*n;
        }
    return REIN_OK;
}
