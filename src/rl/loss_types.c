/* The table of loss types; see loss_types.h. L is a token's loss, r its ratio, A the advantage. */
#include "rl/loss_types.h"

#include <math.h>

#include "base/math64.h"

double rein_loss_epsilon_high(const rein_loss_options *opt) {
    return opt->epsilon_high < 0 ? opt->epsilon : opt->epsilon_high;
}

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

bool rein_loss_clipped(const rein_loss_options *opt, double ratio, double advantage) {
    return (ratio < 1 - opt->epsilon && advantage < 0) || (ratio > 1 + rein_loss_epsilon_high(opt) && advantage > 0);
}

/* ---- terms ---- */

/* L = -min(min(r, delta) A, clip(r) A). Where both are equal each has half of the gradient, as torch.min has it. */
static void ppo_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    double low = 1 - opt->epsilon, high = 1 + rein_loss_epsilon_high(opt), a = t->advantage;
    bool bounded = opt->delta > 0 && t->ratio > opt->delta;
    double free_ratio = bounded ? opt->delta : t->ratio;
    double clipped = clamp(t->ratio, low, high);
    double slope_free = bounded ? 0 : -a, slope_clipped = clipped != t->ratio ? 0 : -a;
    double free_gain = free_ratio * a, clipped_gain = clipped * a;
    *out = (rein_loss_term){.low = free_ratio < low && a<0, .high = free_ratio> high && a > 0};
    if (free_gain == clipped_gain) {
        out->value = -free_gain;
        out->dratio = (slope_free + slope_clipped) / 2;
    } else if (free_gain < clipped_gain) {
        out->value = -free_gain;
        out->dratio = slope_free;
    } else {
        out->value = -clipped_gain;
        out->dratio = slope_clipped;
    }
}

/* Dual clip: for A < 0, L is at most -c A. */
static void vanilla_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    ppo_term(out, opt, t);
    double most = -opt->clip_ratio_c * t->advantage;
    if (t->advantage >= 0 || out->value < most) return;
    out->lower = out->value > most;
    out->dratio = out->lower ? 0 : out->dratio / 2;
    out->value = most;
}

/* L = -r A: the ratio is bounded before it is averaged. */
static void gmpo_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    double d = t->logp - t->old_logp;
    bool outside = d < -opt->epsilon || d > rein_loss_epsilon_high(opt);
    *out = (rein_loss_term){.value = -t->ratio * t->advantage,
                            .dratio = -t->advantage,
                            .high = outside && t->advantage > 0,
                            .lower = outside && t->advantage < 0};
}

/* L = -A logp. */
static void reinforce_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    (void)opt;
    *out = (rein_loss_term){.value = -t->advantage * t->logp, .dlogp = -t->advantage};
}

/* L = -g A logp, g the ratio within [low, high] held constant. */
static void weighted_term(rein_loss_term *out, const rein_loss_token *t, double low, double high) {
    double gain = clamp(t->ratio, low, high) * t->advantage;
    *out = (rein_loss_term){.value = -gain * t->logp, .dlogp = -gain, .low = t->ratio<low, .high = t->ratio> high};
}

static void cispo_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    weighted_term(out, t, 0, opt->epsilon_high);
    out->high = out->high && t->advantage > 0;
}

static void verl_cispo_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    weighted_term(out, t, 1 - opt->epsilon, 1 + rein_loss_epsilon_high(opt));
}

/* L = -min(r, c) A logp, or 0 where the token's probability has gone too far already in A's direction. */
static void dppo_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t, bool valid) {
    weighted_term(out, t, 0, opt->clip_ratio_c);
    out->lower = out->high && valid;
    out->low = !valid && t->advantage < 0;
    out->high = !valid && !out->low;
    if (!valid) out->value = out->dlogp = 0;
}

/* Too far: the probability has changed by more than epsilon (total variation of "this token or another"). */
static void dppo_tv_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    double change = rein_exp64(t->logp) - rein_exp64(t->old_logp);
    dppo_term(out, opt, t, t->advantage > 0 ? change <= rein_loss_epsilon_high(opt) : change >= -opt->epsilon);
}

/* Too far: KL(old || new) of "this token or another" is above epsilon. */
static void dppo_kl_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    double p = rein_exp64(t->logp), q = rein_exp64(t->old_logp);
    double kl = q * (t->old_logp - t->logp) + (1 - q) * rein_log64((1 - q + 1e-8) / (1 - p + 1e-8));
    bool valid = t->advantage > 0 ? kl <= rein_loss_epsilon_high(opt) || p <= q : kl <= opt->epsilon || p >= q;
    dppo_term(out, opt, t, valid);
}

/* L = -(4 / tau) sigmoid(tau (r - 1)) A, tau by the sign of A. */
static void sapo_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    double tau = t->advantage > 0 ? opt->sapo_temperature_pos : opt->sapo_temperature_neg;
    double gate = 1 / (1 + rein_exp64(-tau * (t->ratio - 1)));
    *out = (rein_loss_term){.value = -4 / tau * gate * t->advantage, .dratio = -4 * gate * (1 - gate) * t->advantage};
}

/* L = -phi A logp. */
static void vespo_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    (void)opt;
    double gain = t->phi * t->advantage;
    *out = (rein_loss_term){.value = -gain * t->logp, .dlogp = -gain};
}

/* PPO's for the tokens that are chosen; verl counts the others as clipped. */
static void clip_cov_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    ppo_term(out, opt, t);
    out->low = false;
    out->high = !t->chosen;
}

/* L = -r A, and ppo_kl_coef |d| for the tokens that are chosen. */
static void kl_cov_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    double d = t->logp - t->old_logp, coef = t->chosen ? opt->ppo_kl_coef : 0;
    *out = (rein_loss_term){.value = -t->ratio * t->advantage + coef * fabs(d),
                            .dratio = -t->advantage,
                            .dlogp = coef * ((d > 0) - (d < 0))};
}

/* L = -(A logp - dro_beta / 2 d^2). */
static void dro_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    double d = t->logp - t->old_logp;
    *out = (rein_loss_term){.value = opt->dro_beta / 2 * d * d - t->advantage * t->logp,
                            .dlogp = opt->dro_beta * d - t->advantage};
}

/* ---- bounds of d, weights of sequences ---- */

/* verl's bound against overflow. */
static double verl_bound(const rein_loss_options *opt, double d, double advantage, bool *held) {
    (void)opt, (void)advantage;
    double bounded = clamp(d, -20, 20);
    *held = bounded != d;
    return bounded;
}

/* Clipped to [-epsilon, epsilon_high] on the side that A moves to; 0 where A is. */
static double gmpo_bound(const rein_loss_options *opt, double d, double advantage, bool *held) {
    double low = advantage > 0 ? -INFINITY : advantage < 0 ? -opt->epsilon : 0;
    double high = advantage < 0 ? INFINITY : advantage > 0 ? rein_loss_epsilon_high(opt) : 0;
    double bounded = clamp(d, low, high);
    *held = bounded != d;
    return bounded;
}

/* phi = exp(lambda + k w - lambda exp(w)) with w the log-ratio of the sequence in [log 1e-8, 20]; 0 where not finite.
 */
static double vespo_phi(const rein_loss_options *opt, double log_ratio_sum, double advantage) {
    double k = advantage >= 0 ? opt->vespo_k_pos : opt->vespo_k_neg;
    double lambda = advantage >= 0 ? opt->vespo_lambda_pos : opt->vespo_lambda_neg;
    double w = fmin(fmax(log_ratio_sum, rein_log64(1e-8)), 20);
    double phi = rein_exp64(lambda + k * w - lambda * rein_exp64(w));
    return isfinite(phi) ? phi : 0;
}

/* ---- the table ---- */

enum {
    VERL = REIN_METRIC_CLIPFRAC | REIN_METRIC_LOWER | REIN_METRIC_PPO_KL,
};

static const rein_loss_class classes[] = {
    [REIN_LOSS_GRPO] = {"grpo", ppo_term, REIN_RATIO_LEVEL, REIN_AGG_MICRO_SEQ_MEAN, REIN_METRIC_CLIP, .own_agg = true,
                        .two_sided = true},
    [REIN_LOSS_BNPO] = {"bnpo", ppo_term, REIN_RATIO_LEVEL, REIN_AGG_MICRO_TOKENS, REIN_METRIC_CLIP, .own_agg = true,
                        .two_sided = true},
    [REIN_LOSS_DR_GRPO] = {"dr_grpo", ppo_term, REIN_RATIO_LEVEL, REIN_AGG_MICRO_LENGTH, REIN_METRIC_CLIP,
                           .own_agg = true, .two_sided = true},
    [REIN_LOSS_DAPO] = {"dapo", ppo_term, REIN_RATIO_LEVEL, REIN_AGG_TOKEN_MEAN, REIN_METRIC_CLIP, .own_agg = true,
                        .two_sided = true},
    [REIN_LOSS_CISPO] = {"cispo", cispo_term, REIN_RATIO_LEVEL, REIN_AGG_TOKEN_MEAN, REIN_METRIC_CISPO,
                         .own_agg = true},
    [REIN_LOSS_SAPO] = {"sapo", sapo_term, REIN_RATIO_LEVEL, REIN_AGG_MICRO_SEQ_MEAN, 0, .own_agg = true},
    [REIN_LOSS_LUSPO] = {"luspo", ppo_term, REIN_RATIO_LEVEL, REIN_AGG_MICRO_SEQ_SUM, REIN_METRIC_CLIP, .own_agg = true,
                         .sequence_only = true, .two_sided = true},
    [REIN_LOSS_VESPO] = {"vespo", vespo_term, REIN_RATIO_LEVEL, REIN_AGG_TOKEN_MEAN, REIN_METRIC_PHI, .phi = vespo_phi,
                         .own_agg = true},
    [REIN_LOSS_GSPO] = {"gspo", ppo_term, REIN_RATIO_MEAN, REIN_AGG_MICRO_SEQ_MEAN, REIN_METRIC_CLIP, .own_agg = true,
                        .two_sided = true},
    [REIN_LOSS_GSPO_TOKEN] = {"gspo_token", ppo_term, REIN_RATIO_MEAN_OWN, REIN_AGG_SEQ_MEAN, VERL, .own_agg = false},
    [REIN_LOSS_GMPO] = {"gmpo", gmpo_term, REIN_RATIO_GEOMETRIC, REIN_AGG_MICRO_SEQ_MEAN, VERL, gmpo_bound,
                        .own_agg = true},
    [REIN_LOSS_REINFORCE] = {"reinforce", reinforce_term, REIN_RATIO_TOKEN, REIN_AGG_SEQ_SUM, 0, .own_agg = false},
    [REIN_LOSS_RLOO] = {"rloo", ppo_term, REIN_RATIO_SUM, REIN_AGG_MICRO_SEQ_MEAN, REIN_METRIC_CLIP, .own_agg = true},
    [REIN_LOSS_VANILLA] = {"vanilla", vanilla_term, REIN_RATIO_TOKEN, REIN_AGG_TOKEN_MEAN, VERL, verl_bound, .own_agg = false},
    [REIN_LOSS_GPG] = {"gpg", reinforce_term, REIN_RATIO_TOKEN, REIN_AGG_TOKEN_MEAN, 0, .own_agg = false},
    [REIN_LOSS_CLIP_COV] = {"clip_cov", clip_cov_term, REIN_RATIO_TOKEN, REIN_AGG_TOKEN_MEAN,
                            REIN_METRIC_CLIPFRAC | REIN_METRIC_PPO_KL, .own_agg = false},
    [REIN_LOSS_KL_COV] = {"kl_cov", kl_cov_term, REIN_RATIO_TOKEN, REIN_AGG_TOKEN_MEAN, REIN_METRIC_PPO_KL,
                          .adds_chosen = true},
    [REIN_LOSS_VERL_CISPO] = {"verl_cispo", verl_cispo_term, REIN_RATIO_TOKEN, REIN_AGG_TOKEN_MEAN, VERL, verl_bound, .own_agg = false},
    [REIN_LOSS_VERL_SAPO] = {"verl_sapo", sapo_term, REIN_RATIO_TOKEN, REIN_AGG_SEQ_MEAN, VERL, verl_bound,
                             .own_agg = true},
    [REIN_LOSS_DPPO_TV] = {"dppo_tv", dppo_tv_term, REIN_RATIO_TOKEN, REIN_AGG_TOKEN_MEAN, VERL, verl_bound, .own_agg = false},
    [REIN_LOSS_DPPO_KL] = {"dppo_kl", dppo_kl_term, REIN_RATIO_TOKEN, REIN_AGG_TOKEN_MEAN, VERL, verl_bound, .own_agg = false},
    [REIN_LOSS_DRO] = {"dro", dro_term, REIN_RATIO_TOKEN, REIN_AGG_TOKEN_MEAN, REIN_METRIC_PPO_KL, .own_agg = false},
};

const rein_loss_class *rein_loss_class_of(rein_loss_type type) {
    REIN_ASSERT((size_t)type < REIN_COUNT(classes));
    return &classes[type];
}

rein_loss_ratio rein_loss_ratio_of(const rein_loss_options *opt) {
    rein_loss_ratio ratio = rein_loss_class_of(opt->loss_type)->ratio;
    if (ratio != REIN_RATIO_LEVEL) return ratio;
    return opt->importance_sampling_level == REIN_LEVEL_SEQUENCE ? REIN_RATIO_MEAN : REIN_RATIO_TOKEN;
}

bool rein_loss_ratio_shared(const rein_loss_options *opt) {
    rein_loss_ratio ratio = rein_loss_ratio_of(opt);
    return ratio == REIN_RATIO_MEAN || ratio == REIN_RATIO_SUM;
}

rein_loss_agg rein_loss_agg_of(const rein_loss_options *opt) {
    return opt->loss_agg_mode == REIN_AGG_AUTO ? rein_loss_class_of(opt->loss_type)->agg : opt->loss_agg_mode;
}
