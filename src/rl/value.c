/* The value function's loss and statistics; see value.h. */
#include "rl/value.h"

#include <math.h>

#include "base/sum.h"

static const double variance_floor = 1e-8;

static void loss_row(rein_value_row *out, double *dvalue, const rein_value_batch *b, int64_t i, double c) {
    rein_value_row r = {0};
    double sum = 0;
    for (int64_t t = b->rows.offset[i]; t < b->rows.offset[i + 1]; t++) {
        dvalue[t] = 0;
        if (!b->rows.mask[t]) continue;
        double error = b->value[t] - b->ret[t], clipped = error;
        if (c > 0) clipped = fmin(fmax(b->value[t], b->old_value[t] - c), b->old_value[t] + c) - b->ret[t];
        bool bound = clipped * clipped > error * error;
        sum += 0.5 * (bound ? clipped * clipped : error * error);
        if (!bound) dvalue[t] = b->weight[i] * error;
        r.tokens++;
        r.clipped += bound;
        r.nonfinite += !isfinite(error) || !isfinite(clipped);
    }
    r.loss = b->weight[i] * sum;
    *out = r;
}

void rein_value_loss(rein_value_row *row, double *dvalue, const rein_value_batch *batch, double cliprange_value) {
    for (int64_t i = 0; i < batch->rows.B; i++) loss_row(&row[i], dvalue, batch, i, cliprange_value);
}

void rein_value_finish(rein_value_metrics *out, const rein_value_row *row, int64_t n) {
    rein_pairwise loss = {0};
    int64_t clipped = 0;
    *out = (rein_value_metrics){0};
    for (int64_t i = 0; i < n; i++) {
        rein_pairwise_add(&loss, row[i].loss);
        out->tokens += row[i].tokens;
        out->nonfinite += row[i].nonfinite;
        clipped += row[i].clipped;
    }
    out->loss = rein_pairwise_total(&loss);
    out->clip_fraction = out->tokens > 0 ? (double)clipped / (double)out->tokens : 0;
}

/* Count, mean and sum of squared deviations of x - y (y NULL: of x) over the counting tokens. */
static rein_value_scale measure(const rein_token_rows *rows, const double *x, const double *y) {
    const int64_t begin = rows->B > 0 ? rows->offset[0] : 0, end = rows->B > 0 ? rows->offset[rows->B] : 0;
    rein_pairwise sum = {0}, squares = {0};
    double origin = 0; /* the first value: deviations of equal ones are exact zeros */
    for (int64_t t = begin; t < end; t++) {
        if (!rows->mask[t]) continue;
        double d = x[t] - (y ? y[t] : 0);
        if (sum.n == 0) origin = d;
        rein_pairwise_add(&sum, d - origin);
    }
    if (sum.n == 0) return (rein_value_scale){0};
    const double mean = origin + rein_pairwise_total(&sum) / (double)sum.n;
    for (int64_t t = begin; t < end; t++) {
        if (!rows->mask[t]) continue;
        double d = x[t] - (y ? y[t] : 0) - mean;
        rein_pairwise_add(&squares, d * d);
    }
    return (rein_value_scale){(double)sum.n, mean, rein_pairwise_total(&squares)};
}

double rein_value_explained(const rein_token_rows *rows, const double *value, const double *ret) {
    const rein_value_scale all = measure(rows, ret, NULL), rest = measure(rows, ret, value);
    return all.m2 > 0 ? 1 - rest.m2 / all.m2 : NAN;
}

void rein_value_scale_add(rein_value_scale *s, const rein_token_rows *rows, const double *ret) {
    const rein_value_scale b = measure(rows, ret, NULL);
    if (b.n == 0) return;
    const double n = s->n + b.n, gap = b.mean - s->mean;
    s->m2 += b.m2 + gap * gap * (s->n * b.n / n);
    s->mean += gap * (b.n / n);
    s->n = n;
}

static double deviation(const rein_value_scale *s) {
    const double variance = s->n > 0 ? s->m2 / s->n : 1;
    return variance < variance_floor ? 1 : sqrt(variance);
}

double rein_value_normalize(const rein_value_scale *s, double x) { return (x - s->mean) / deviation(s); }

double rein_value_denormalize(const rein_value_scale *s, double x) { return x * deviation(s) + s->mean; }
