/* Numbers per token of a batch; see tokens.h. */
#include "rl/tokens.h"

#include <math.h>

#include "base/sum.h"

static const double variance_floor = 1e-8; /* verl's and TRL's, added to the variance */

int64_t rein_tokens_count(const rein_token_rows *rows, int64_t i) {
    int64_t n = 0;
    for (int64_t t = rows->offset[i]; t < rows->offset[i + 1]; t++) n += rows->mask[t];
    return n;
}

double rein_tokens_sum(const rein_token_rows *rows, int64_t i, const double *x) {
    double sum = 0;
    for (int64_t t = rows->offset[i]; t < rows->offset[i + 1]; t++)
        if (rows->mask[t]) sum += x[t];
    return sum;
}

static rein_status not_finite(const char *what, int64_t sequence, double value, int64_t token) {
    return rein_fail(REIN_ERR_NUMERIC, "%s of sequence %lld is %g at token %lld", what, (long long)sequence, value,
                     (long long)token);
}

typedef struct reward_args {
    const double *score, *early, *kl;
    double kl_coef;
} reward_args;

/* Rewards of sequence i. */
static rein_status reward_row(double *reward, const rein_token_rows *rows, int64_t i, const reward_args *a) {
    const int64_t begin = rows->offset[i], end = rows->offset[i + 1];
    int64_t last = -1;
    double rest = a->score[i];
    if (!isfinite(rest)) return rein_fail(REIN_ERR_NUMERIC, "score of sequence %lld is %g", (long long)i, rest);
    for (int64_t t = begin; t < end; t++) {
        double kl = rows->mask[t] && a->kl ? a->kl[t] : 0, early = rows->mask[t] && a->early ? a->early[t] : 0;
        if (rows->mask[t]) last = t;
        if (!isfinite(kl)) return not_finite("kl", i, kl, t - begin);
        if (!isfinite(early)) return not_finite("reward", i, early, t - begin);
        reward[t] = early - a->kl_coef * kl;
        rest -= early;
    }
    if (last >= 0) reward[last] += rest;
    return REIN_OK;
}

rein_status rein_tokens_reward(double *reward, const rein_token_rows *rows, const double *score, const double *early,
                               const double *kl, double kl_coef) {
    const reward_args args = {score, early, kl, kl ? kl_coef : 0};
    for (int64_t i = 0; i < rows->B; i++) REIN_TRY(reward_row(reward, rows, i, &args));
    return REIN_OK;
}

void rein_tokens_spread(double *out, const rein_token_rows *rows, const double *value) {
    for (int64_t i = 0; i < rows->B; i++)
        for (int64_t t = rows->offset[i]; t < rows->offset[i + 1]; t++) out[t] = rows->mask[t] ? value[i] : 0;
}

/* Deviations are taken from the first value, so that those of equal values are exact zeros. */
void rein_tokens_whiten(double *x, const rein_token_rows *rows, bool shift_mean) {
    const int64_t begin = rows->B > 0 ? rows->offset[0] : 0, end = rows->B > 0 ? rows->offset[rows->B] : 0;
    rein_pairwise sum = {0}, squares = {0};
    double origin = 0;
    for (int64_t t = begin; t < end; t++) {
        if (!rows->mask[t]) continue;
        if (sum.n == 0) origin = x[t];
        rein_pairwise_add(&sum, x[t] - origin);
    }
    const double mean = sum.n > 0 ? origin + rein_pairwise_total(&sum) / (double)sum.n : 0;
    for (int64_t t = begin; t < end; t++)
        if (rows->mask[t]) rein_pairwise_add(&squares, (x[t] - mean) * (x[t] - mean));
    const double variance = sum.n > 1 ? rein_pairwise_total(&squares) / (double)(sum.n - 1) : 0;
    const double spread = sqrt(variance + variance_floor);
    for (int64_t t = begin; t < end; t++) x[t] = rows->mask[t] ? (x[t] - mean) / spread + (shift_mean ? 0 : mean) : 0;
}
