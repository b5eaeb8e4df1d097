/* Losses on preferences; see preference.h. */
#include "rl/preference.h"

#include "base/base.h"
#include "base/math64.h"

/* ---- functions ---- */

static double sigmoid(double x) {
    double e = rein_exp64(x < 0 ? x : -x);
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

static double log1p64(double x) {
    double u = 1 + x;
    return u == 1 ? x : rein_log64(u) * (x / (u - 1));
}

static double expm1_64(double x) {
    double u = rein_exp64(x);
    return u == 1 ? x : u == 0 ? -1 : (u - 1) * (x / rein_log64(u));
}

double rein_logistic_loss(double x) { return (x < 0 ? -x : 0) + log1p64(rein_exp64(x < 0 ? x : -x)); }
double rein_logistic_slope(double x) { return -sigmoid(-x); }

/* log of e^x / (1 - e^x) for x < 0, and its slope. */
static double log_odds(double x) { return x - rein_log64(-expm1_64(x)); }
static double log_odds_slope(double x) { return -1 / expm1_64(x); }

/* ---- options ---- */

bool rein_preference_needs_reference(rein_preference_type type) {
    return type != REIN_PREFERENCE_SIMPO && type != REIN_PREFERENCE_ORPO;
}

bool rein_preference_averages(rein_preference_type type) {
    return type == REIN_PREFERENCE_IPO || type == REIN_PREFERENCE_SIGMOID_NORM || type == REIN_PREFERENCE_SIMPO ||
           type == REIN_PREFERENCE_ORPO;
}

rein_status rein_preference_check(const rein_preference_options *o) {
    const rein_preference_type t = o->loss_type;
    bool smooths = t == REIN_PREFERENCE_SIGMOID || t == REIN_PREFERENCE_ROBUST || t == REIN_PREFERENCE_EXO_PAIR ||
                   t == REIN_PREFERENCE_SIMPO;
    if (!(o->beta > 0)) return rein_fail(REIN_ERR_USAGE, "beta %g: expected more than 0", o->beta);
    if (!(o->label_smoothing >= 0 && o->label_smoothing < 0.5))
        return rein_fail(REIN_ERR_USAGE, "label_smoothing %g: expected 0 <= label_smoothing < 0.5", o->label_smoothing);
    if (o->label_smoothing > 0 && !smooths)
        return rein_fail(REIN_ERR_USAGE, "label_smoothing %g: only sigmoid, robust, exo_pair and simpo have it",
                         o->label_smoothing);
    if (o->label_smoothing == 0 && t == REIN_PREFERENCE_EXO_PAIR)
        return rein_fail(REIN_ERR_USAGE,
                         "loss_type exo_pair needs label_smoothing > 0: the logarithm of it is in the loss");
    return REIN_OK;
}

/* ---- pairs ---- */

/* A loss of one number and its slope. */
typedef struct scalar {
    double value, slope;
} scalar;

/* (1-e) f(x) + e f(-x) for f = -log sigma. */
static scalar smoothed(double x, double e) {
    return (scalar){(1 - e) * rein_logistic_loss(x) + e * rein_logistic_loss(-x),
                    (1 - e) * rein_logistic_slope(x) - e * rein_logistic_slope(-x)};
}

static scalar exo(double x, double e) {
    double p = sigmoid(x), q = sigmoid(-x), log_p = -rein_logistic_loss(x), log_q = -rein_logistic_loss(-x);
    double chosen = log_p - rein_log64(1 - e), rejected = log_q - rein_log64(e);
    return (scalar){p * chosen + q * rejected, p * q * (chosen - rejected)}; /* d log p = q, d log q = -p cancel */
}

/* Loss of h and its slope, for the losses that see nothing else. */
static scalar of_margin(double h, const rein_preference_options *o) {
    const double beta = o->beta, e = o->label_smoothing;
    scalar s = {0};
    switch (o->loss_type) {
    case REIN_PREFERENCE_SIGMOID:
    case REIN_PREFERENCE_SIGMOID_NORM:
        s = smoothed(beta * h, e);
        break;
    case REIN_PREFERENCE_ROBUST:
        s = smoothed(beta * h, 0);
        s.value = ((1 - e) * s.value - e * rein_logistic_loss(-beta * h)) / (1 - 2 * e);
        s.slope = ((1 - e) * s.slope + e * rein_logistic_slope(-beta * h)) / (1 - 2 * e);
        break;
    case REIN_PREFERENCE_EXO_PAIR:
        s = exo(beta * h, e);
        break;
    case REIN_PREFERENCE_HINGE:
        return beta * h < 1 ? (scalar){1 - beta * h, -beta} : s;
    case REIN_PREFERENCE_IPO:
        return (scalar){(h - 0.5 / beta) * (h - 0.5 / beta), 2 * (h - 0.5 / beta)};
    case REIN_PREFERENCE_SIMPO:
        s = smoothed(beta * h - o->simpo_gamma, e);
        break;
    default:
        REIN_ASSERT(false);
    }
    s.slope *= beta;
    return s;
}

static double bump(double x) { return sigmoid(x) * sigmoid(-x); } /* slope of sigma */

/* Losses of a and b apart; slopes in d_chosen, d_rejected. False: the loss is one of the margin. */
static bool apart(rein_preference_loss *out, double a, double b, const rein_preference_options *o) {
    const double beta = o->beta, half = 0.5 / beta, x = beta * a, y = beta * b;
    switch (o->loss_type) {
    case REIN_PREFERENCE_BCO_PAIR:
        out->loss = rein_logistic_loss(x) + rein_logistic_loss(-y);
        out->d_chosen = beta * rein_logistic_slope(x);
        out->d_rejected = -beta * rein_logistic_slope(-y);
        return true;
    case REIN_PREFERENCE_NCA_PAIR:
        out->loss = rein_logistic_loss(x) + 0.5 * rein_logistic_loss(-x) + 0.5 * rein_logistic_loss(-y);
        out->d_chosen = beta * (rein_logistic_slope(x) - 0.5 * rein_logistic_slope(-x));
        out->d_rejected = -0.5 * beta * rein_logistic_slope(-y);
        return true;
    case REIN_PREFERENCE_SPPO_HARD:
        out->loss = (a - half) * (a - half) + (b + half) * (b + half);
        out->d_chosen = 2 * (a - half);
        out->d_rejected = 2 * (b + half);
        return true;
    case REIN_PREFERENCE_APO_ZERO:
        out->loss = sigmoid(-x) + sigmoid(y);
        out->d_chosen = -beta * bump(x);
        out->d_rejected = beta * bump(y);
        return true;
    case REIN_PREFERENCE_APO_DOWN:
        out->loss = sigmoid(x) + sigmoid(y - x);
        out->d_chosen = beta * (bump(x) - bump(y - x));
        out->d_rejected = beta * bump(y - x);
        return true;
    case REIN_PREFERENCE_ORPO: /* a and b are means here */
        out->loss = -a + rein_logistic_loss(log_odds(a) - log_odds(b)) * beta;
        out->d_chosen = beta * rein_logistic_slope(log_odds(a) - log_odds(b)) * log_odds_slope(a) - 1;
        out->d_rejected = -beta * rein_logistic_slope(log_odds(a) - log_odds(b)) * log_odds_slope(b);
        return true;
    default:
        return false;
    }
}

void rein_preference_pair(rein_preference_loss *out, const rein_scored_answer *chosen,
                          const rein_scored_answer *rejected, const rein_preference_options *o) {
    bool refers = rein_preference_needs_reference(o->loss_type), averages = rein_preference_averages(o->loss_type);
    double n = averages ? (double)chosen->n : 1, m = averages ? (double)rejected->n : 1;
    double a = (chosen->logp - (refers ? chosen->ref_logp : 0)) / n;
    double b = (rejected->logp - (refers ? rejected->ref_logp : 0)) / m;
    REIN_ASSERT(o->loss_type != REIN_PREFERENCE_KTO);
    *out = (rein_preference_loss){.reward_chosen = o->beta * a * (refers ? n : 1),
                                  .reward_rejected = o->beta * b * (refers ? m : 1)};
    if (!apart(out, a, b, o)) {
        scalar s = of_margin(a - b, o);
        out->loss = s.value;
        out->d_chosen = s.slope;
        out->d_rejected = -s.slope;
    }
    out->d_chosen /= n;
    out->d_rejected /= m;
}

/* ---- single answers ---- */

void rein_preference_single(rein_preference_loss *out, const rein_scored_answer *answer, bool desirable,
                            double baseline, const rein_preference_options *o) {
    double a = answer->logp - answer->ref_logp, x = o->beta * (a - baseline);
    double sign = desirable ? 1 : -1, weight = desirable ? o->desirable_weight : o->undesirable_weight;
    *out = (rein_preference_loss){.loss = weight * sigmoid(-sign * x),
                                  .d_chosen = -sign * weight * o->beta * bump(x),
                                  .reward_chosen = o->beta * a};
}
