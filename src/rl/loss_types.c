/* The table of loss types; see loss_types.h. L is a token's loss, r its ratio, A the advantage. */
#include "rl/loss_types.h"

#include <math.h>

#include "base/math64.h"

double rein_loss_epsilon_high(const rein_loss_options *opt) {
    return opt->epsilon_high < 0 ? opt->epsilon : opt->epsilon_high;
}

/* L = -min(min(r, delta) A, clip(r) A). Where both are equal each has half of the gradient, as torch.min has it. */
static void ppo_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    double low = 1 - opt->epsilon, high = 1 + rein_loss_epsilon_high(opt), a = t->advantage;
    bool bounded = opt->delta > 0 && t->ratio > opt->delta;
    double free_ratio = bounded ? opt->delta : t->ratio;
    double clipped = t->ratio < low ? low : t->ratio > high ? high : t->ratio;
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

/* L = -min(r, cap) A logp, the factor held constant. */
static void cispo_term(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *t) {
    bool capped = t->ratio > opt->epsilon_high;
    double gain = (capped ? opt->epsilon_high : t->ratio) * t->advantage;
    *out = (rein_loss_term){.value = -gain * t->logp, .dlogp = -gain, .high = capped && t->advantage > 0};
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
    double gain = t->weight * t->advantage;
    *out = (rein_loss_term){.value = -gain * t->logp, .dlogp = -gain};
}

/* phi = exp(lambda + k w - lambda exp(w)) with w the log-ratio of the sequence in [log 1e-8, 20]; 0 where not finite.
 */
static double vespo_weight(const rein_loss_options *opt, double log_ratio_sum, double advantage) {
    double k = advantage >= 0 ? opt->vespo_k_pos : opt->vespo_k_neg;
    double lambda = advantage >= 0 ? opt->vespo_lambda_pos : opt->vespo_lambda_neg;
    double w = fmin(fmax(log_ratio_sum, rein_log64(1e-8)), 20);
    double phi = rein_exp64(lambda + k * w - lambda * rein_exp64(w));
    return isfinite(phi) ? phi : 0;
}

static const rein_loss_class classes[] = {
    [REIN_LOSS_GRPO] = {ppo_term, NULL, REIN_PER_SEQUENCE_MEAN, .clips = true},
    [REIN_LOSS_BNPO] = {ppo_term, NULL, REIN_PER_TOKEN, .clips = true},
    [REIN_LOSS_DR_GRPO] = {ppo_term, NULL, REIN_PER_LENGTH, .clips = true},
    [REIN_LOSS_DAPO] = {ppo_term, NULL, REIN_PER_GENERATION, .clips = true},
    [REIN_LOSS_CISPO] = {cispo_term, NULL, REIN_PER_GENERATION, .clips = false},
    [REIN_LOSS_SAPO] = {sapo_term, NULL, REIN_PER_SEQUENCE_MEAN, .clips = false},
    [REIN_LOSS_LUSPO] = {ppo_term, NULL, REIN_PER_SEQUENCE, .clips = true, .sequence_only = true},
    [REIN_LOSS_VESPO] = {vespo_term, vespo_weight, REIN_PER_GENERATION, .clips = false},
};

const rein_loss_class *rein_loss_class_of(rein_loss_type type) {
    REIN_ASSERT((size_t)type < REIN_COUNT(classes));
    return &classes[type];
}
