/* Tokens chosen in a whole micro-batch: by entropy, by covariance; see loss.h. */
#include <math.h>
#include <stdlib.h>

#include "base/math64.h"
#include "base/random.h"
#include "base/sum.h"
#include "rl/loss_types.h"

bool rein_loss_selects(const rein_loss_options *opt) {
    return opt->top_entropy_quantile < 1 || opt->loss_type == REIN_LOSS_CLIP_COV || opt->loss_type == REIN_LOSS_KL_COV;
}

/* A token that may be chosen, with what orders it. */
typedef struct candidate {
    double key;
    int64_t token; /* in the flat arrays */
} candidate;

/* Descending keys; the earlier of equals first. */
static int by_key(const void *x, const void *y) {
    const candidate *a = x, *b = y;
    if (a->key != b->key) return a->key < b->key ? 1 : -1;
    return a->token < b->token ? -1 : a->token > b->token;
}

static rein_status check_inputs(const rein_loss_batch *b, const rein_loss_options *opt) {
    if (opt->top_entropy_quantile < 1 && !b->entropy)
        return rein_fail(REIN_ERR_ARG, "top_entropy_quantile is %g but there are no entropies",
                         opt->top_entropy_quantile);
    for (int64_t i = 0; i < b->B; i++)
        for (int64_t t = b->offset[i]; t < b->offset[i + 1]; t++)
            if (b->mask[t] && !(isfinite(b->logp[t]) && isfinite(b->old_logp[t]) && isfinite(b->advantage[t]) &&
                                (!b->entropy || isfinite(b->entropy[t]))))
                return rein_fail(REIN_ERR_NUMERIC,
                                 "token %lld of sequence %lld has log-prob %g, old %g, advantage %g, entropy %g",
                                 (long long)(t - b->offset[i]), (long long)i, (double)b->logp[t],
                                 (double)b->old_logp[t], b->advantage[t], b->entropy ? (double)b->entropy[t] : 0);
    return REIN_OK;
}

/* Those of the n candidates, in descending order, at or above the (1 - share) quantile. */
static void choose_top(uint8_t *chosen, const candidate *c, int64_t n, double share) {
    double rank = (1 - share) * (double)(n - 1), near = floor(rank + 0.5);
    if (fabs(rank - near) < 1e-9 * (double)n) rank = near; /* 1 - 0.8 is not 0.2 */
    int64_t below = (int64_t)rank, above = below + 1 < n ? below + 1 : below;
    double low = c[n - 1 - below].key, high = c[n - 1 - above].key, part = rank - (double)below;
    double threshold = low + part * (high - low);
    for (int64_t k = 0; k < n; k++) chosen[c[k].token] = c[k].key >= threshold;
}

/* Covariances of log-prob and advantage of the tokens that count, in place of their keys. */
static void covariances(candidate *c, int64_t n, const rein_loss_batch *b) {
    rein_pairwise advantage = {0}, logp = {0};
    for (int64_t k = 0; k < n; k++) {
        rein_pairwise_add(&advantage, b->advantage[c[k].token]);
        rein_pairwise_add(&logp, b->logp[c[k].token]);
    }
    double mean_a = rein_pairwise_total(&advantage) / (double)n, mean_l = rein_pairwise_total(&logp) / (double)n;
    for (int64_t k = 0; k < n; k++)
        c[k].key = (b->advantage[c[k].token] - mean_a) * ((double)b->logp[c[k].token] - mean_l);
}

static int64_t share_of(int64_t n, double ratio) {
    int64_t count = (int64_t)((double)n * ratio);
    return count < 1 ? 1 : count;
}

/* The largest keys are chosen. */
static void choose_kl_cov(uint8_t *chosen, candidate *c, int64_t n, const rein_loss_options *opt) {
    qsort(c, (size_t)n, sizeof *c, by_key);
    for (int64_t k = 0; k < n; k++) chosen[c[k].token] = k < share_of(n, opt->kl_cov_ratio);
}

/* Those with keys in the band and not clipped get a random key; the largest are left out. */
static void choose_clip_cov(uint8_t *chosen, candidate *c, int64_t n, const rein_loss_batch *b,
                            const rein_loss_options *opt, const rein_loss_draw *draw) {
    int64_t eligible = 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t t = c[k].token;
        double ratio = rein_exp64((double)b->logp[t] - (double)b->old_logp[t]);
        chosen[t] = 1;
        if (!(c[k].key > opt->clip_cov_lb && c[k].key < opt->clip_cov_ub)) continue;
        if (rein_loss_clipped(opt, ratio, b->advantage[t])) continue;
        double key =
            rein_random_uniform(draw->seed, REIN_STREAM_CLIP_COV, draw->step, draw->micro_batch, (uint32_t)k, 0);
        c[eligible++] = (candidate){key, t};
    }
    qsort(c, (size_t)eligible, sizeof *c, by_key);
    for (int64_t k = 0; k < eligible && k < share_of(n, opt->clip_cov_ratio); k++) chosen[c[k].token] = 0;
}

rein_status rein_loss_select(uint8_t *chosen, const rein_loss_batch *b, const rein_loss_options *opt,
                             const rein_loss_draw *draw) {
    candidate *c;
    int64_t n = 0;
    REIN_TRY(check_inputs(b, opt));
    REIN_TRY(rein_alloc(&c, b->offset[b->B] - b->offset[0] + 1, sizeof *c));
    for (int64_t t = b->offset[0]; t < b->offset[b->B]; t++) {
        chosen[t] = 0;
        if (b->mask[t]) c[n++] = (candidate){b->entropy ? (double)b->entropy[t] : 0, t};
    }
    if (n > 0 && opt->top_entropy_quantile < 1) {
        qsort(c, (size_t)n, sizeof *c, by_key);
        choose_top(chosen, c, n, opt->top_entropy_quantile);
    } else if (n > 0) {
        covariances(c, n, b);
        if (opt->loss_type == REIN_LOSS_KL_COV)
            choose_kl_cov(chosen, c, n, opt);
        else
            choose_clip_cov(chosen, c, n, b, opt, draw);
    }
    rein_free(c);
    return REIN_OK;
}
