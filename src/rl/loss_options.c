/* Options of the policy losses: defaults, rules, divisors; see loss.h. */
#include <math.h>

#include "rl/loss_types.h"

rein_loss_options rein_loss_options_default(void) {
    return (rein_loss_options){.loss_type = REIN_LOSS_DAPO,
                               .kl_estimator = REIN_KL_K3,
                               .use_bias_correction_kl = true,
                               .epsilon = 0.2,
                               .epsilon_high = -1,
                               .clip_ratio_c = 3,
                               .top_entropy_quantile = 1,
                               .entropy_coef_max = 1,
                               .entropy_coef_delta = 0.005,
                               .entropy_target = 0.2,
                               .sapo_temperature_pos = 1.0,
                               .sapo_temperature_neg = 1.05,
                               .vespo_k_pos = 2,
                               .vespo_lambda_pos = 3,
                               .vespo_k_neg = 3,
                               .vespo_lambda_neg = 2,
                               .dro_beta = 0.1,
                               .clip_cov_ratio = 0.0002,
                               .clip_cov_lb = 1,
                               .clip_cov_ub = 5,
                               .kl_cov_ratio = 0.0002,
                               .ppo_kl_coef = 1};
}

/* A number and the range it must be in: [min, max], or (min, max] if open. */
typedef struct range {
    const char *name;
    double value, min, max;
    bool open;
} range;

/* Members that only some types read are checked for all: a bad one is a mistake anyway. */
static rein_status check_ranges(const rein_loss_options *o) {
    const double most = 1e300;
    const range rows[] = {{"beta", o->beta, 0, most, false},
                          {"epsilon", o->epsilon, 0, 1, false},
                          {"epsilon_high", o->epsilon_high, -most, most, false},
                          {"delta", o->delta, 0, most, false},
                          {"clip_ratio_c", o->clip_ratio_c, 1, most, true},
                          {"loss_scale_factor", o->loss_scale_factor, 0, most, false},
                          {"off_policy_mask_threshold", o->off_policy_mask_threshold, 0, most, false},
                          {"top_entropy_quantile", o->top_entropy_quantile, 0, 1, true},
                          {"entropy_coef", o->entropy_coef, 0, most, false},
                          {"entropy_coef_min", o->entropy_coef_min, 0, most, false},
                          {"entropy_coef_max", o->entropy_coef_max, 0, most, false},
                          {"entropy_coef_delta", o->entropy_coef_delta, 0, most, true},
                          {"entropy_target", o->entropy_target, 0, most, false},
                          {"sapo_temperature_pos", o->sapo_temperature_pos, 0, most, true},
                          {"sapo_temperature_neg", o->sapo_temperature_neg, 0, most, true},
                          {"vespo_k_pos", o->vespo_k_pos, 0, most, true},
                          {"vespo_lambda_pos", o->vespo_lambda_pos, 0, most, true},
                          {"vespo_k_neg", o->vespo_k_neg, 0, most, true},
                          {"vespo_lambda_neg", o->vespo_lambda_neg, 0, most, true},
                          {"dro_beta", o->dro_beta, 0, most, true},
                          {"clip_cov_ratio", o->clip_cov_ratio, 0, 1, true},
                          {"clip_cov_lb", o->clip_cov_lb, -most, most, false},
                          {"clip_cov_ub", o->clip_cov_ub, o->clip_cov_lb, most, true},
                          {"kl_cov_ratio", o->kl_cov_ratio, 0, 1, true},
                          {"ppo_kl_coef", o->ppo_kl_coef, 0, most, false}};
    for (size_t i = 0; i < REIN_COUNT(rows); i++) {
        const range *r = &rows[i];
        if (r->value <= r->max && (r->open ? r->value > r->min : r->value >= r->min)) continue;
        return rein_fail(REIN_ERR_USAGE, "%s is %g: it must be %s %g and at most %g", r->name, r->value,
                         r->open ? "above" : "at least", r->min, r->max);
    }
    return REIN_OK;
}

/* The level must be the loss type's own where it has one. */
static rein_status check_level(const rein_loss_options *opt) {
    const rein_loss_class *cls = rein_loss_class_of(opt->loss_type);
    rein_level level = opt->importance_sampling_level;
    if (cls->sequence_only && level != REIN_LEVEL_SEQUENCE)
        return rein_fail(REIN_ERR_USAGE, "%s needs importance_sampling_level sequence: at token level it is no %s",
                         cls->name, cls->name);
    if (level == REIN_LEVEL_AUTO || cls->ratio == REIN_RATIO_LEVEL) return REIN_OK;
    bool token = cls->ratio == REIN_RATIO_TOKEN;
    if (token != (level == REIN_LEVEL_TOKEN))
        return rein_fail(REIN_ERR_USAGE,
                         "importance_sampling_level %s does not fit loss_type %s, whose ratio is of a %s",
                         token ? "sequence" : "token", cls->name, token ? "token" : "sequence");
    return REIN_OK;
}

static rein_status check_type(const rein_loss_options *opt) {
    const rein_loss_class *cls = rein_loss_class_of(opt->loss_type);
    if (opt->loss_type == REIN_LOSS_CISPO && opt->epsilon_high <= 0)
        return rein_fail(REIN_ERR_USAGE, "cispo needs epsilon_high, the cap of the ratio, e.g. 5.0");
    if (opt->delta > 0 && !cls->two_sided)
        return rein_fail(REIN_ERR_USAGE, "delta %g is given, but loss_type %s has no two-sided clipping", opt->delta,
                         cls->name);
    if (opt->loss_agg_mode != REIN_AGG_AUTO && cls->own_agg)
        return rein_fail(REIN_ERR_USAGE, "loss_agg_mode is given, but loss_type %s has its own: leave it auto",
                         cls->name);
    if (opt->loss_scale_factor > 0 && opt->loss_agg_mode != REIN_AGG_SEQ_SUM_NORM)
        return rein_fail(REIN_ERR_USAGE,
                         "loss_scale_factor %g is given, but loss_agg_mode is not seq-mean-token-sum-norm",
                         opt->loss_scale_factor);
    bool own_choice = opt->loss_type == REIN_LOSS_CLIP_COV || opt->loss_type == REIN_LOSS_KL_COV;
    if (opt->top_entropy_quantile < 1 && (own_choice || cls->ratio == REIN_RATIO_GEOMETRIC))
        return rein_fail(REIN_ERR_USAGE, "top_entropy_quantile %g is given, but loss_type %s %s",
                         opt->top_entropy_quantile, cls->name,
                         own_choice ? "chooses its tokens itself" : "is of whole sequences");
    return REIN_OK;
}

rein_status rein_loss_options_check(const rein_loss_options *opt) {
    REIN_TRY(check_ranges(opt));
    REIN_TRY(check_level(opt));
    REIN_TRY(check_type(opt));
    if (!opt->use_adaptive_entropy) return REIN_OK;
    if (opt->entropy_coef < opt->entropy_coef_min || opt->entropy_coef > opt->entropy_coef_max)
        return rein_fail(REIN_ERR_USAGE, "entropy_coef %g is outside [entropy_coef_min %g, entropy_coef_max %g]",
                         opt->entropy_coef, opt->entropy_coef_min, opt->entropy_coef_max);
    return REIN_OK;
}

static double at_least_one(int64_t n) { return n < 1 ? 1 : (double)n; }

static double policy_divisor(const rein_loss_options *opt, const rein_loss_scope *s) {
    double steps = (double)s->gradient_accumulation_steps, sequences = at_least_one(s->sequences) * steps;
    double updates =
        steps / (double)s->steps_per_generation / (double)s->processes; /* of a generation batch, in each */
    double length = opt->loss_scale_factor > 0 ? opt->loss_scale_factor : (double)s->max_completion_length;
    switch (rein_loss_agg_of(opt)) {
    case REIN_AGG_TOKEN_MEAN:
        return at_least_one(s->generation_tokens) * updates;
    case REIN_AGG_TOKEN_SUM:
        return 1 / (double)s->processes;
    case REIN_AGG_SEQ_SUM:
    case REIN_AGG_SEQ_MEAN:
        return at_least_one(s->generation_sequences) * updates;
    case REIN_AGG_SEQ_SUM_NORM:
        return at_least_one(s->generation_sequences) * updates * length;
    case REIN_AGG_MICRO_TOKENS:
        return at_least_one(s->tokens) * steps;
    case REIN_AGG_MICRO_LENGTH:
        return sequences * (double)s->max_completion_length;
    default:
        return sequences;
    }
}

rein_loss_divisors rein_loss_norm(const rein_loss_options *opt, const rein_loss_scope *s) {
    double steps = (double)s->gradient_accumulation_steps;
    return (rein_loss_divisors){.policy = policy_divisor(opt, s),
                                .entropy = s->entropy_coef / (at_least_one(s->entropy_tokens) * steps),
                                .micro_batches = rein_loss_agg_of(opt) >= REIN_AGG_MICRO_TOKENS ? steps : 1};
}

/* ---- adaptive entropy ---- */

bool rein_loss_has_bonus(const rein_loss_options *opt) { return opt->entropy_coef > 0 || opt->use_adaptive_entropy; }

void rein_entropy_control_init(rein_entropy_control *c, const rein_loss_options *opt) {
    *c = (rein_entropy_control){opt->entropy_coef, INFINITY};
}

double rein_entropy_control_coef(const rein_entropy_control *c, const rein_loss_options *opt) {
    if (!opt->use_adaptive_entropy) return opt->entropy_coef;
    return c->last_entropy <= opt->entropy_target ? c->coef : 0;
}

void rein_entropy_control_update(rein_entropy_control *c, const rein_loss_options *opt, double entropy) {
    if (!opt->use_adaptive_entropy) return;
    if (entropy <= opt->entropy_target)
        c->coef = fmin(c->coef + opt->entropy_coef_delta, opt->entropy_coef_max);
    else
        c->coef = fmax(c->coef - opt->entropy_coef_delta, opt->entropy_coef_min);
    c->last_entropy = entropy;
}
