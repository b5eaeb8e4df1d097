/* Policy losses: sequences to rows and gradients; see loss.h. */
#include "rl/loss.h"

#include <math.h>

#include "base/math64.h"
#include "rl/loss_types.h"

/* verl's guard in means over a sequence's tokens: a part of the definition where verl is followed to the last digit. */
static const double verl_guard = 1e-8;

int64_t rein_loss_count(const uint8_t *mask, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += mask[i] != 0;
    return count;
}

/* One sequence while it is worked on. */
typedef struct sequence {
    const rein_loss_batch *batch;
    const rein_loss_options *opt;
    const rein_loss_class *cls;
    rein_loss_ratio ratio;
    int64_t begin, end; /* tokens in the flat arrays */
    int64_t tokens;     /* that count */
    double length;      /* these as a divisor of means: at least 1, or with verl's guard */
    double log_ratio;   /* of the sequence, where its tokens share one */
    bool held;          /* a bound holds it */
    double phi[2];      /* for A >= 0 and A < 0 */
    double is_weight;   /* of the sequence, where it is shared */
    bool off_policy;    /* its tokens with A < 0 are left out */
} sequence;

static double log_ratio(const rein_loss_batch *b, int64_t t) { return (double)b->logp[t] - (double)b->old_logp[t]; }

static rein_status check_token(const rein_loss_batch *b, int64_t i, int64_t t) {
    const struct {
        const char *name;
        const float *array;
    } rows[] = {{"log-prob", b->logp},
                {"old log-prob", b->old_logp},
                {"reference log-prob", b->ref_logp},
                {"sampling log-prob", b->sampling_logp},
                {"entropy", b->entropy}};
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"advantage", b->advantage[t]}, {"importance weight", b->is_weight ? b->is_weight[t] : 1}};
    long long token = (long long)(t - b->offset[i]), seq = (long long)i;
    for (size_t k = 0; k < REIN_COUNT(rows); k++)
        if (rows[k].array && !isfinite(rows[k].array[t]))
            return rein_fail(REIN_ERR_NUMERIC, "%s of token %lld of sequence %lld is %g", rows[k].name, token, seq,
                             (double)rows[k].array[t]);
    for (size_t k = 0; k < REIN_COUNT(numbers); k++)
        if (!isfinite(numbers[k].value))
            return rein_fail(REIN_ERR_NUMERIC, "%s of token %lld of sequence %lld is %g", numbers[k].name, token, seq,
                             numbers[k].value);
    return REIN_OK;
}

/* d within the loss type's bounds. */
static double bounded_log_ratio(const sequence *s, int64_t t, bool *held) {
    double d = log_ratio(s->batch, t);
    *held = false;
    return s->cls->bound ? s->cls->bound(s->opt, d, s->batch->advantage[t], held) : d;
}

/* Sums over the tokens of a sequence, from which it is opened. */
typedef struct sums {
    double d, bounded, gap, clipped, log_is, log_is_guarded;
} sums;

static void sums_add(sums *x, const sequence *s, int64_t t) {
    const rein_loss_batch *b = s->batch;
    const float *sampling = b->sampling_logp ? b->sampling_logp : b->old_logp;
    double d = log_ratio(b, t), weight = b->is_weight ? b->is_weight[t] : 1;
    bool held;
    x->d += d;
    x->bounded += bounded_log_ratio(s, t, &held);
    x->gap += (double)sampling[t] - (double)b->logp[t];
    if (s->cls->phi) { /* as VESPO bounds both */
        x->clipped += fmin(fmax(d, -20), 20);
        x->log_is += fmin(fmax(rein_log64(weight), rein_log64(1e-8)), 20);
    }
    if (s->ratio == REIN_RATIO_GEOMETRIC) x->log_is_guarded += rein_log64(weight + 1e-10);
}

static void open_ratio(sequence *s, const sums *x) {
    switch (s->ratio) {
    case REIN_RATIO_SUM:
        s->log_ratio = x->d;
        break;
    case REIN_RATIO_MEAN_OWN:
        s->held = x->d / s->length > 10;
        s->log_ratio = s->held ? 10 : x->d / s->length;
        break;
    case REIN_RATIO_GEOMETRIC:
        s->length = (double)s->tokens + verl_guard;
        s->log_ratio = x->bounded / s->length;
        s->is_weight = s->batch->is_weight ? rein_exp64(x->log_is_guarded / s->length) : 1;
        break;
    default:
        s->log_ratio = x->d / s->length;
    }
}

static rein_status sequence_open(sequence *s, const rein_loss_batch *b, const rein_loss_options *opt, int64_t i) {
    *s = (sequence){.batch = b,
                    .opt = opt,
                    .cls = rein_loss_class_of(opt->loss_type),
                    .ratio = rein_loss_ratio_of(opt),
                    .begin = b->offset[i],
                    .end = b->offset[i + 1],
                    .phi = {1, 1},
                    .is_weight = 1};
    sums x = {0};
    for (int64_t t = s->begin; t < s->end; t++) {
        if (!b->mask[t]) continue;
        REIN_TRY(check_token(b, i, t));
        sums_add(&x, s, t);
        s->tokens++;
    }
    s->length = s->tokens < 1 ? 1 : (double)s->tokens;
    s->off_policy = opt->off_policy_mask_threshold > 0 && x.gap / s->length > opt->off_policy_mask_threshold;
    open_ratio(s, &x);
    if (!s->cls->phi) return REIN_OK;
    s->phi[0] = s->cls->phi(opt, x.clipped + x.log_is, 1);
    s->phi[1] = s->cls->phi(opt, x.clipped + x.log_is, -1);
    return REIN_OK;
}

/* A token's loss with the KL term, and its derivative with respect to the log-ratio w and directly to logp. */
typedef struct token_loss {
    double value, dw, dlogp, ratio, kl;
    double log_ratio; /* as the metric has it */
    bool held;        /* w does not move with the token's own log-prob */
    bool left_out, low, high, lower;
} token_loss;

/* The loss type's own term, weighted, or nothing where the token is left out. */
static void policy_eval(token_loss *out, const sequence *s, int64_t t) {
    const rein_loss_batch *b = s->batch;
    double a = b->advantage[t];
    bool chosen = !b->chosen || b->chosen[t];
    rein_loss_token in = {b->logp[t], b->old_logp[t], a, out->ratio, s->phi[a < 0], chosen};
    rein_loss_term term;
    s->cls->term(&term, s->opt, &in);
    out->low = term.low;
    out->high = term.high;
    out->lower = term.lower;
    out->left_out = s->off_policy && a < 0;
    if (out->left_out || (!chosen && !s->cls->adds_chosen)) return;
    double weight = s->ratio == REIN_RATIO_GEOMETRIC ? s->is_weight
                    : b->is_weight && !s->cls->phi   ? b->is_weight[t]
                                                     : 1;
    out->value = weight * term.value;
    out->dw = weight * term.dratio * out->ratio;
    out->dlogp = weight * term.dlogp;
}

static void kl_eval(token_loss *out, const sequence *s, int64_t t) {
    const rein_loss_options *opt = s->opt;
    double logp = s->batch->logp[t], ref_logp = s->batch->ref_logp[t];
    double factor = opt->use_bias_correction_kl ? out->ratio : 1;
    out->kl = factor * rein_kl_value(opt->kl_estimator, logp, ref_logp);
    if (opt->beta == 0) return;
    out->value += opt->beta * out->kl;
    out->dlogp += opt->beta * factor * rein_kl_slope(opt->kl_estimator, logp, ref_logp);
    if (opt->use_bias_correction_kl) out->dw += opt->beta * out->kl;
}

static token_loss token_eval(const sequence *s, int64_t t) {
    token_loss out = {.held = s->held};
    double w = s->log_ratio;
    out.log_ratio = log_ratio(s->batch, t);
    if (s->ratio == REIN_RATIO_TOKEN) out.log_ratio = w = bounded_log_ratio(s, t, &out.held);
    if (s->ratio == REIN_RATIO_GEOMETRIC) bounded_log_ratio(s, t, &out.held);
    if (s->cls->adds_chosen) out.log_ratio = -fabs(out.log_ratio);
    out.ratio = rein_exp64(w);
    policy_eval(&out, s, t);
    if (s->batch->ref_logp) kl_eval(&out, s, t);
    return out;
}

/* Whether the entropy bonus counts a token. */
static bool has_bonus(const sequence *s, int64_t t) { return s->opt->top_entropy_quantile >= 1 || s->batch->chosen[t]; }

static void row_add(rein_loss_row *row, const token_loss *x, const sequence *s, int64_t t) {
    const rein_loss_batch *b = s->batch;
    double entropy = b->entropy ? (double)b->entropy[t] : NAN;
    row->loss += x->value;
    row->kl += x->kl;
    row->entropy += entropy;
    if (has_bonus(s, t)) {
        row->entropy_top += entropy;
        row->entropy_tokens++;
    }
    row->ratio += x->ratio;
    row->deviation = fmax(row->deviation, fabs(x->ratio - 1));
    row->log_ratio += x->log_ratio;
    row->low += x->low;
    row->high += x->high;
    row->lower += x->lower;
    row->weight += s->phi[b->advantage[t] < 0];
    row->off_policy += x->left_out;
    if (b->is_weight) {
        row->is_sum += b->is_weight[t];
        row->is_min = fmin(row->is_min, b->is_weight[t]);
        row->is_max = fmax(row->is_max, b->is_weight[t]);
    }
    if (b->sampling_logp) {
        double gap = fabs((double)b->old_logp[t] - (double)b->sampling_logp[t]);
        row->gap_sum += gap;
        row->gap_max = fmax(row->gap_max, gap);
    }
}

/* What the sums of a sequence are divided by before they are added to those of others. */
static double sequence_scale(const sequence *s, double divisor) {
    rein_loss_agg agg = rein_loss_agg_of(s->opt);
    if (agg == REIN_AGG_SEQ_MEAN) return ((double)s->tokens + verl_guard) * divisor;
    return agg == REIN_AGG_MICRO_SEQ_MEAN ? s->length * divisor : divisor;
}

/* Fill the row, without the last count; the sum of dw over the tokens. */
static double row_fill(rein_loss_row *row, const sequence *s, const rein_loss_divisors *div) {
    *row = (rein_loss_row){.tokens = s->tokens, .is_min = NAN, .is_max = NAN};
    double dw = 0;
    for (int64_t t = s->begin; t < s->end; t++) {
        if (!s->batch->mask[t]) continue;
        token_loss x = token_eval(s, t);
        row_add(row, &x, s, t);
        dw += x.dw;
    }
    row->loss /= sequence_scale(s, div->policy);
    row->bonus = div->entropy > 0 ? row->entropy_top * div->entropy : 0;
    row->weight = s->tokens > 0 ? row->weight / (double)s->tokens : s->phi[0];
    if (rein_loss_ratio_shared(s->opt) && s->tokens > 0) { /* one ratio: outside or not */
        row->low /= (double)s->tokens;
        row->high /= (double)s->tokens;
    }
    return dw;
}

/* d(loss)/d(logp t) = direct + d(loss)/dw dw/d(logp t), the log-ratio w shared by the tokens or each's own. */
static void sequence_eval(rein_loss_row *row, float *dlogp, float *dentropy, const sequence *s,
                          const rein_loss_divisors *div) {
    double sum = row_fill(row, s, div), scale = sequence_scale(s, div->policy);
    bool own = s->ratio == REIN_RATIO_TOKEN || s->ratio == REIN_RATIO_MEAN_OWN;
    double shared = s->ratio == REIN_RATIO_SUM ? sum : sum / s->length;
    for (int64_t t = s->begin; t < s->end; t++) {
        dlogp[t] = 0;
        if (dentropy) dentropy[t] = 0;
        if (!s->batch->mask[t]) continue;
        token_loss x = token_eval(s, t);
        double through = x.held ? 0 : own ? x.dw : shared;
        dlogp[t] = (float)((x.dlogp + through) / scale);
        row->nonfinite += !isfinite(x.value) || !isfinite(dlogp[t]);
        if (dentropy && has_bonus(s, t)) dentropy[t] = (float)-div->entropy;
    }
}

static rein_status check_arrays(const rein_loss_batch *b, const float *dentropy, const rein_loss_options *opt,
                                const rein_loss_divisors *div) {
    if (opt->beta > 0 && !b->ref_logp)
        return rein_fail(REIN_ERR_ARG, "beta is %g but there are no log-probs of a reference policy", opt->beta);
    if (div->entropy > 0 && (!b->entropy || !dentropy))
        return rein_fail(REIN_ERR_ARG, "there is an entropy bonus but no array of entropies and their gradient");
    if (rein_loss_selects(opt) && !b->chosen)
        return rein_fail(REIN_ERR_ARG, "loss_type %s and top_entropy_quantile %g choose tokens, but none are given",
                         rein_loss_class_of(opt->loss_type)->name, opt->top_entropy_quantile);
    return REIN_OK;
}

rein_status rein_loss_policy(rein_loss_row *row, float *dlogp, float *dentropy, const rein_loss_batch *batch,
                             const rein_loss_options *opt, const rein_loss_divisors *div) {
    REIN_TRY(check_arrays(batch, dentropy, opt, div));
    for (int64_t i = 0; i < batch->B; i++) {
        sequence s;
        REIN_TRY(sequence_open(&s, batch, opt, i));
        sequence_eval(&row[i], dlogp, dentropy, &s, div);
    }
    return REIN_OK;
}
