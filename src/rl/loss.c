/* Policy losses: sequences to rows and gradients; see loss.h. */
#include "rl/loss.h"

#include <math.h>

#include "base/math64.h"
#include "rl/loss_types.h"

rein_loss_options rein_loss_options_default(void) {
    return (rein_loss_options){.loss_type = REIN_LOSS_DAPO,
                               .importance_sampling_level = REIN_LEVEL_TOKEN,
                               .epsilon = 0.2,
                               .epsilon_high = -1,
                               .use_bias_correction_kl = true,
                               .sapo_temperature_pos = 1.0,
                               .sapo_temperature_neg = 1.05,
                               .vespo_k_pos = 2,
                               .vespo_lambda_pos = 3,
                               .vespo_k_neg = 3,
                               .vespo_lambda_neg = 2};
}

/* Positive, finite members that only some types read are checked for all: a bad one is a mistake anyway. */
static rein_status check_positive(const rein_loss_options *opt) {
    const struct {
        const char *name;
        double value;
    } rows[] = {{"sapo_temperature_pos", opt->sapo_temperature_pos},
                {"sapo_temperature_neg", opt->sapo_temperature_neg},
                {"vespo_k_pos", opt->vespo_k_pos},
                {"vespo_lambda_pos", opt->vespo_lambda_pos},
                {"vespo_k_neg", opt->vespo_k_neg},
                {"vespo_lambda_neg", opt->vespo_lambda_neg}};
    for (size_t i = 0; i < REIN_COUNT(rows); i++)
        if (!(rows[i].value > 0 && isfinite(rows[i].value)))
            return rein_fail(REIN_ERR_ARG, "%s is %g: it must be positive", rows[i].name, rows[i].value);
    return REIN_OK;
}

rein_status rein_loss_options_check(const rein_loss_options *opt) {
    if (!(opt->beta >= 0 && isfinite(opt->beta)))
        return rein_fail(REIN_ERR_ARG, "beta is %g: it must be 0 or positive", opt->beta);
    if (!(opt->epsilon >= 0 && opt->epsilon <= 1))
        return rein_fail(REIN_ERR_ARG, "epsilon is %g: it must be in [0, 1]", opt->epsilon);
    if (!isfinite(opt->epsilon_high))
        return rein_fail(REIN_ERR_ARG, "epsilon_high is %g: it must be finite", opt->epsilon_high);
    if (!(opt->delta >= 0 && isfinite(opt->delta)))
        return rein_fail(REIN_ERR_ARG, "delta is %g: it must be positive, or 0 for none", opt->delta);
    if (opt->loss_type == REIN_LOSS_CISPO && opt->epsilon_high <= 0)
        return rein_fail(REIN_ERR_ARG, "cispo needs epsilon_high, the cap of the ratio, e.g. 5.0");
    if (rein_loss_class_of(opt->loss_type)->sequence_only && opt->importance_sampling_level != REIN_LEVEL_SEQUENCE)
        return rein_fail(REIN_ERR_ARG, "luspo is defined for importance_sampling_level sequence only");
    REIN_TRY(check_positive(opt));
    return REIN_OK;
}

int64_t rein_loss_count(const uint8_t *mask, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += mask[i] != 0;
    return count;
}

static double at_least_one(int64_t n) { return n < 1 ? 1 : (double)n; }

double rein_loss_norm(const rein_loss_options *opt, const rein_loss_scope *scope) {
    double sequences = at_least_one(scope->sequences), steps = (double)scope->gradient_accumulation_steps;
    switch (rein_loss_class_of(opt->loss_type)->divisor) {
    case REIN_PER_TOKEN:
        return at_least_one(scope->tokens) * steps;
    case REIN_PER_LENGTH:
        return sequences * (double)scope->max_completion_length * steps;
    case REIN_PER_GENERATION:
        return at_least_one(scope->generation_tokens) * (steps / (double)scope->steps_per_generation);
    case REIN_PER_SEQUENCE:
    case REIN_PER_SEQUENCE_MEAN:
        break;
    }
    return sequences * steps;
}

double rein_loss_k3(double logp, double ref_logp) {
    double x = ref_logp - logp;
    if (fabs(x) > 0.01) return rein_exp64(x) - x - 1;
    /* the series, where the difference would cancel: relative error below x^6 / 20160 */
    return x * x * (1.0 / 2 + x * (1.0 / 6 + x * (1.0 / 24 + x * (1.0 / 120 + x * (1.0 / 720)))));
}

/* One sequence while it is worked on: views of its tokens. */
typedef struct sequence {
    const rein_loss_batch *batch;
    const rein_loss_options *opt;
    const rein_loss_class *cls;
    int64_t begin, end; /* tokens in the flat arrays */
    double advantage;
    int64_t tokens;        /* that count */
    double log_ratio_mean; /* over these */
    double weight;
} sequence;

static double log_ratio(const rein_loss_batch *b, int64_t t) { return (double)b->logp[t] - (double)b->old_logp[t]; }

static rein_status check_token(const rein_loss_batch *b, int64_t i, int64_t t) {
    const struct {
        const char *name;
        const float *array;
    } rows[] = {{"log-prob", b->logp},
                {"old log-prob", b->old_logp},
                {"reference log-prob", b->ref_logp},
                {"entropy", b->entropy}};
    for (size_t k = 0; k < REIN_COUNT(rows); k++)
        if (rows[k].array && !isfinite(rows[k].array[t]))
            return rein_fail(REIN_ERR_NUMERIC, "%s of token %lld of sequence %lld is %g", rows[k].name,
                             (long long)(t - b->offset[i]), (long long)i, (double)rows[k].array[t]);
    return REIN_OK;
}

static rein_status sequence_open(sequence *s, const rein_loss_batch *b, const rein_loss_options *opt, int64_t i) {
    *s = (sequence){b, opt, rein_loss_class_of(opt->loss_type), b->offset[i], b->offset[i + 1], b->advantage[i], 0,
                    0, 1};
    if (!isfinite(s->advantage))
        return rein_fail(REIN_ERR_NUMERIC, "advantage of sequence %lld is %g", (long long)i, s->advantage);
    double sum = 0, bounded = 0;
    for (int64_t t = s->begin; t < s->end; t++) {
        if (!b->mask[t]) continue;
        REIN_TRY(check_token(b, i, t));
        double d = log_ratio(b, t);
        sum += d;
        bounded += fmin(fmax(d, -20), 20);
        s->tokens++;
    }
    s->log_ratio_mean = sum / at_least_one(s->tokens);
    if (s->cls->weight) s->weight = s->cls->weight(opt, bounded, s->advantage);
    return REIN_OK;
}

/* A token's loss with the KL term, and its derivative with respect to the log-ratio w and directly to logp. */
typedef struct token_loss {
    double value, dw, dlogp, ratio, kl;
    bool low, high;
} token_loss;

static token_loss token_eval(const sequence *s, int64_t t) {
    const rein_loss_batch *b = s->batch;
    double w = s->opt->importance_sampling_level == REIN_LEVEL_SEQUENCE ? s->log_ratio_mean : log_ratio(b, t);
    rein_loss_token in = {b->logp[t], rein_exp64(w), s->advantage, s->weight};
    rein_loss_term term;
    s->cls->term(&term, s->opt, &in);
    token_loss out = {term.value, term.dratio * in.ratio, term.dlogp, in.ratio, 0, term.low, term.high};
    if (!b->ref_logp) return out;

    bool corrected = s->opt->use_bias_correction_kl;
    double factor = corrected ? in.ratio : 1, beta = s->opt->beta, ref_logp = b->ref_logp[t];
    out.kl = factor * rein_loss_k3(in.logp, ref_logp);
    if (beta > 0) {
        out.value += beta * out.kl;
        out.dlogp += beta * factor * (1 - rein_exp64(ref_logp - in.logp));
        if (corrected) out.dw += beta * out.kl;
    }
    return out;
}

static void row_add(rein_loss_row *row, const token_loss *x, const rein_loss_batch *b, int64_t t) {
    row->loss += x->value;
    row->kl += x->kl;
    row->entropy += b->entropy ? (double)b->entropy[t] : NAN;
    row->ratio += x->ratio;
    row->deviation = fmax(row->deviation, fabs(x->ratio - 1));
    row->low += x->low;
    row->high += x->high;
}

/* d(sum of the sequence's losses)/d(logp t) = direct + dw of the token, or at sequence level the mean dw of all. */
static void sequence_eval(rein_loss_row *row, float *dlogp, const sequence *s, double divisor) {
    const rein_loss_batch *b = s->batch;
    bool shared = s->opt->importance_sampling_level == REIN_LEVEL_SEQUENCE;
    double scale = s->cls->divisor == REIN_PER_SEQUENCE_MEAN ? at_least_one(s->tokens) * divisor : divisor;
    *row = (rein_loss_row){.tokens = s->tokens, .weight = s->weight};
    double dw_mean = 0;
    for (int64_t t = s->begin; t < s->end; t++) {
        if (!b->mask[t]) continue;
        token_loss x = token_eval(s, t);
        row_add(row, &x, b, t);
        dw_mean += x.dw;
    }
    dw_mean /= at_least_one(s->tokens);
    row->loss /= scale;
    if (shared && s->tokens > 0) { /* one ratio: outside or not */
        row->low /= (double)s->tokens;
        row->high /= (double)s->tokens;
    }
    for (int64_t t = s->begin; t < s->end; t++) {
        dlogp[t - s->begin] = 0;
        if (!b->mask[t]) continue;
        token_loss x = token_eval(s, t);
        float gradient = (float)((x.dlogp + (shared ? dw_mean : x.dw)) / scale);
        dlogp[t - s->begin] = gradient;
        row->nonfinite += !isfinite(x.value) || !isfinite(gradient);
    }
}

rein_status rein_loss_policy(rein_loss_row *row, float *dlogp, const rein_loss_batch *batch,
                             const rein_loss_options *opt, double divisor) {
    if (opt->beta > 0 && !batch->ref_logp)
        return rein_fail(REIN_ERR_ARG, "beta is %g but there are no log-probs of a reference policy", opt->beta);
    for (int64_t i = 0; i < batch->B; i++) {
        sequence s;
        REIN_TRY(sequence_open(&s, batch, opt, i));
        sequence_eval(&row[i], dlogp + (s.begin - batch->offset[0]), &s, divisor);
    }
    return REIN_OK;
}
