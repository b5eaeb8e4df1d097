/* Advantages of completions and of their tokens; see advantage.h. */
#include "rl/advantage.h"

#include <math.h>

#include "base/option.h"
#include "base/sum.h"
#include "rl/gae.h"

static const double zero_spread = 1e-8; /* torch.isclose(sd, 0) */

/* ---- the table of estimators ---- */

/* One group: its rewards, NaN where there is none, become its advantages. */
typedef struct group {
    double *r; /* (G) */
    const int64_t *length;
    int64_t G;
    rein_moments m;
    double divisor; /* deviation + eps, or 1; NaN where there is no deviation */
} group;

static void standardize(const group *g) {
    for (int64_t i = 0; i < g->G; i++) g->r[i] = (g->r[i] - g->m.mean) / g->divisor;
}

static void leave_one_out(const group *g) {
    double n = (double)g->m.n; /* of one row: 0 * inf, not a number */
    for (int64_t i = 0; i < g->G; i++) g->r[i] = (g->r[i] - g->m.mean) * (n / (n - 1));
}

static void center(const group *g) {
    for (int64_t i = 0; i < g->G; i++) g->r[i] -= g->m.mean;
}

/* The baseline with the least variance if a gradient's square is proportional to the length. */
static void length_weighted(const group *g) {
    rein_pairwise sum = {0}, total = {0};
    double origin = g->m.mean; /* near the rewards: equal ones have exact zeros */
    for (int64_t i = 0; i < g->G; i++) {
        double weight = isnan(g->r[i]) ? 0 : (double)g->length[i];
        rein_pairwise_add(&sum, weight > 0 ? weight * (g->r[i] - origin) : 0);
        rein_pairwise_add(&total, weight);
    }
    double baseline = origin + rein_pairwise_total(&sum) / rein_pairwise_total(&total);
    for (int64_t i = 0; i < g->G; i++) g->r[i] -= baseline;
}

/* Only the first best row learns, by how much it is ahead. */
static void best_only(const group *g) {
    int64_t best = -1;
    double second = -INFINITY;
    for (int64_t i = 0; i < g->G; i++) {
        if (isnan(g->r[i])) continue;
        if (best >= 0 && g->r[i] <= g->r[best]) {
            second = g->r[i] > second ? g->r[i] : second;
            continue;
        }
        second = best >= 0 ? g->r[best] : second;
        best = i;
    }
    double lead = g->m.n > 1 ? (g->r[best] - second) / g->divisor : NAN;
    for (int64_t i = 0; i < g->G; i++)
        if (!isnan(g->r[i])) g->r[i] = i == best ? lead : 0;
}

static void relative(const group *g) {
    for (int64_t i = 0; i < g->G; i++) g->r[i] = g->m.mean > 0 ? (g->r[i] - g->m.mean) / g->m.mean : 0;
}

static void unchanged(const group *g) { (void)g; }

typedef struct estimator {
    void (*advantage)(const group *g);
    bool compares; /* the rows of a group */
    bool returns;  /* per token, from token rewards */
    bool values;
    bool whitens; /* over tokens, always */
} estimator;

static const estimator estimators[] = {
    [REIN_ADVANTAGE_GRPO] = {standardize, true, false, false, false},
    [REIN_ADVANTAGE_GDPO] = {standardize, true, false, false, false},
    [REIN_ADVANTAGE_RLOO] = {leave_one_out, true, false, false, false},
    [REIN_ADVANTAGE_MEAN] = {center, true, false, false, false},
    [REIN_ADVANTAGE_OPO] = {length_weighted, true, false, false, false},
    [REIN_ADVANTAGE_PASSK] = {best_only, true, false, false, false},
    [REIN_ADVANTAGE_MAXRL] = {relative, true, false, false, false},
    [REIN_ADVANTAGE_RFPP] = {unchanged, false, true, false, true},
    [REIN_ADVANTAGE_RFPP_BASELINE] = {center, true, false, false, true},
    [REIN_ADVANTAGE_GAE] = {unchanged, false, true, true, false},
};

bool rein_advantage_needs_values(rein_advantage_estimator e) { return estimators[e].values; }
bool rein_advantage_kl_per_token(rein_advantage_estimator e) { return estimators[e].returns; }
bool rein_advantage_needs_spread(rein_advantage_estimator e) { return estimators[e].compares; }

/* ---- options ---- */

rein_advantage_options rein_advantage_options_default(void) {
    return (rein_advantage_options){.gamma = 1, .lambda = 0.95, .whiten_advantages = true};
}

static bool clips(const rein_advantage_options *o) { return o->reward_clip_low != 0 || o->reward_clip_high != 0; }

static bool decoupled(const rein_advantage_options *o) {
    return o->estimator == REIN_ADVANTAGE_GDPO || o->aggregation == REIN_NORMALIZE_THEN_SUM;
}

static rein_status check_ranges(const rein_advantage_options *o) {
    if (!(o->reward_clip_low <= o->reward_clip_high))
        return rein_fail(REIN_ERR_USAGE, "reward_clip_range goes from %g to %g: the first must not be the larger",
                         o->reward_clip_low, o->reward_clip_high);
    if (!(o->kl_coef >= 0) || !isfinite(o->kl_coef))
        return rein_fail(REIN_ERR_USAGE, "kl_coef is %g: 0 or more", o->kl_coef);
    if (estimators[o->estimator].returns && (!(o->gamma >= 0 && o->gamma <= 1) || !(o->lambda >= 0 && o->lambda <= 1)))
        return rein_fail(REIN_ERR_USAGE, "gamma is %g and lam %g: both from 0 to 1", o->gamma, o->lambda);
    return REIN_OK;
}

static rein_status refuse(const rein_advantage_options *o, const char *what) {
    int len;
    const char *name = rein_choice_name(REIN_ADVANTAGE_CHOICES, (int)o->estimator, &len);
    return rein_fail(REIN_ERR_USAGE, "advantage_estimator %.*s: %s", len, name, what);
}

rein_status rein_advantage_options_check(const rein_advantage_options *opt, int64_t G) {
    const rein_advantage_options *o = opt;
    const estimator *e = &estimators[o->estimator];
    const bool grpo = o->estimator == REIN_ADVANTAGE_GRPO;
    REIN_TRY(check_ranges(o));
    if (e->compares && G < 2 && !(grpo && o->std == REIN_STD_VERL && !decoupled(o)))
        return refuse(o, "it compares the completions of a prompt: num_generations must be 2 or more");
    if (o->aggregation == REIN_NORMALIZE_THEN_SUM && !grpo && o->estimator != REIN_ADVANTAGE_GDPO)
        return refuse(o, "multi_objective_aggregation normalize_then_sum goes with grpo only");
    if (o->scale == REIN_SCALE_BATCH && !grpo && !decoupled(o))
        return refuse(o, "scale_rewards batch goes with grpo only");
    if (decoupled(o) && (clips(o) || o->kl_coef > 0))
        return refuse(o,
                      "normalize_then_sum has no sum to clip or to take the KL from: no reward_clip_range, no kl_coef");
    if (o->normalize_advantages && (e->returns || e->whitens))
        return refuse(o, "its advantages are whitened over tokens: no normalize_advantages");
    if (o->estimator == REIN_ADVANTAGE_MAXRL && o->kl_coef > 0)
        return refuse(o, "its rewards must not be negative: no kl_coef");
    return REIN_OK;
}

static double epsilon_of(rein_std_preset std) {
    static const double eps[] = {[REIN_STD_TRL] = 1e-4,
                                 [REIN_STD_VERL] = 1e-6,
                                 [REIN_STD_OPENRLHF] = 1e-9,
                                 [REIN_STD_ART] = 1e-6,
                                 [REIN_STD_MLX] = 1e-4};
    return eps[std];
}

/* The deviation of the preset plus its eps. */
static double divisor_of(rein_moments m, rein_std_preset std) {
    const bool population = std == REIN_STD_ART || std == REIN_STD_MLX;
    double sd = population ? m.sd * sqrt((double)(m.n - 1) / (double)m.n) : m.sd;
    return sd + epsilon_of(std);
}

/* ---- rewards ---- */

static rein_status check_args(const rein_advantage_args *a) {
    if (a->G < 1 || a->N < a->G || a->N % a->G != 0 || a->n_func < 1)
        return rein_fail(REIN_ERR_ARG, "%lld rows of %lld reward functions in groups of %lld: all groups full",
                         (long long)a->N, (long long)a->n_func, (long long)a->G);
    REIN_TRY(rein_advantage_options_check(&a->options, a->G));
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

/* Clip the sums, and charge the KL of whole completions. */
static rein_status shape_rewards(double *r, const rein_advantage_args *a) {
    const rein_advantage_options *o = &a->options;
    const bool charge = o->kl_coef > 0 && !estimators[o->estimator].returns;
    if (charge && !a->kl) return rein_fail(REIN_ERR_ARG, "kl_coef is %g and no KL is given", o->kl_coef);
    for (int64_t i = 0; i < a->N; i++) {
        if (isnan(r[i])) continue;
        if (clips(o)) r[i] = fmin(fmax(r[i], o->reward_clip_low), o->reward_clip_high);
        if (charge && !isfinite(a->kl[i]))
            return rein_fail(REIN_ERR_NUMERIC, "the KL of completion %lld is %g", (long long)i, a->kl[i]);
        if (charge) r[i] -= o->kl_coef * a->kl[i];
        if (o->estimator == REIN_ADVANTAGE_MAXRL && r[i] < 0)
            return rein_fail(REIN_ERR_NUMERIC, "completion %lld has reward %g: max_rl needs rewards of 0 or more",
                             (long long)i, r[i]);
    }
    return REIN_OK;
}

/* Replace each present sum of one group by the weighted sum of its normalised rewards. */
static void normalize_group(double *adv, const rein_advantage_args *a, int64_t first) {
    for (int64_t i = first; i < first + a->G; i++)
        if (!isnan(adv[i])) adv[i] = 0;
    for (int64_t k = 0; k < a->n_func; k++) {
        const double *reward = a->reward + first * a->n_func + k;
        rein_moments m = rein_stats_moments(reward, a->G, a->n_func);
        if (isnan(m.sd)) continue;
        double divisor = divisor_of(m, a->options.std);
        for (int64_t i = 0; i < a->G; i++) {
            double r = reward[i * a->n_func];
            if (!isnan(r)) adv[first + i] += weight_of(a, k) * ((r - m.mean) / divisor);
        }
    }
}

/* ---- completions ---- */

/* (x - mean) / (sd + eps) over the batch. */
static void standardize_batch(double *x, const rein_advantage_args *a, rein_moments m) {
    standardize(&(group){.r = x, .G = a->N, .m = m, .divisor = divisor_of(m, a->options.std)});
}

/* Advantages of the group that begins at `first`; 1 if its rewards have no spread. */
static int64_t group_advantages(double *adv, const rein_advantage_args *a, int64_t first, rein_moments batch) {
    const rein_advantage_options *o = &a->options;
    rein_moments m = rein_stats_moments(adv + first, a->G, 1);
    const int64_t flat = m.sd <= zero_spread;
    if (a->G == 1 && o->std == REIN_STD_VERL) m = (rein_moments){1, 0, 1};
    double divisor = o->scale == REIN_SCALE_NONE ? 1 : divisor_of(o->scale == REIN_SCALE_BATCH ? batch : m, o->std);
    estimators[o->estimator].advantage(&(group){
        .r = adv + first, .length = a->length ? a->length + first : NULL, .G = a->G, .m = m, .divisor = divisor});
    return flat;
}

rein_status rein_advantages(double *adv, rein_advantage_stats *stats, rein_moments *func,
                            const rein_advantage_args *args) {
    const rein_advantage_args *a = args;
    const rein_advantage_options *o = &a->options;
    REIN_TRY(check_args(a));
    if (o->estimator == REIN_ADVANTAGE_OPO && !a->length) return rein_fail(REIN_ERR_ARG, "opo: no lengths are given");
    for (int64_t i = 0; i < a->N; i++) adv[i] = row_sum(a, i);
    rein_moments batch = rein_stats_moments(adv, a->N, 1);
    rein_advantage_stats s = {.reward = batch, .unscored = a->N - batch.n};
    for (int64_t k = 0; func && k < a->n_func; k++) func[k] = rein_stats_moments(a->reward + k, a->N, a->n_func);

    REIN_TRY(shape_rewards(adv, a));
    for (int64_t first = 0; first < a->N && decoupled(o); first += a->G) normalize_group(adv, a, first);
    batch = rein_stats_moments(adv, a->N, 1);
    if (decoupled(o)) standardize_batch(adv, a, batch);
    int64_t flat = 0; /* groups without spread */
    for (int64_t first = 0; first < a->N && !decoupled(o); first += a->G)
        flat += group_advantages(adv, a, first, batch);
    if (o->normalize_advantages) standardize_batch(adv, a, rein_stats_moments(adv, a->N, 1));
    for (int64_t i = 0; i < a->N; i++) adv[i] = isnan(adv[i]) ? 0 : adv[i];

    bool whole_batch = decoupled(o) || o->scale == REIN_SCALE_BATCH;
    s.frac_reward_zero_std = whole_batch ? batch.sd <= zero_spread : (double)flat / (double)(a->N / a->G);
    if (stats) *stats = s;
    return REIN_OK;
}

/* ---- tokens ---- */

rein_status rein_advantage_tokens(double *adv, double *ret, const rein_advantage_token_args *args) {
    const rein_advantage_token_args *a = args;
    const rein_advantage_options *o = &a->options;
    const estimator *e = &estimators[o->estimator];
    if (e->values && !a->value) return rein_fail(REIN_ERR_ARG, "gae: no values are given");
    if (e->returns) {
        const double *kl = o->kl_coef > 0 ? a->kl : NULL;
        if (o->kl_coef > 0 && !kl) return rein_fail(REIN_ERR_ARG, "kl_coef is %g and no KL is given", o->kl_coef);
        REIN_TRY(rein_tokens_reward(adv, &a->rows, a->advantage, a->early, kl, o->kl_coef));
        if (e->values && o->whiten_rewards) rein_tokens_whiten(adv, &a->rows, false);
        REIN_TRY(rein_gae(adv, ret,
                          &(rein_gae_args){.rows = a->rows,
                                           .reward = adv,
                                           .value = e->values ? a->value : NULL,
                                           .bootstrap = e->values ? a->bootstrap : NULL,
                                           .turn = a->turn,
                                           .gamma = o->gamma,
                                           .lambda = e->values ? o->lambda : 1}));
    } else
        rein_tokens_spread(adv, &a->rows, a->advantage);
    if (e->whitens || (e->values && o->whiten_advantages)) rein_tokens_whiten(adv, &a->rows, true);
    return REIN_OK;
}
