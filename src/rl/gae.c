/* Generalised advantage estimation; see gae.h. */
#include "rl/gae.h"

#include <math.h>

static rein_status check_row(const rein_gae_args *a, int64_t i) {
    const int64_t begin = a->rows.offset[i], end = a->rows.offset[i + 1];
    if (a->bootstrap && !isfinite(a->bootstrap[i]))
        return rein_fail(REIN_ERR_NUMERIC, "bootstrap value of sequence %lld is %g", (long long)i, a->bootstrap[i]);
    for (int64_t t = begin; t < end; t++) {
        if (!a->rows.mask[t]) continue;
        if (!isfinite(a->reward[t]) || (a->value && !isfinite(a->value[t])))
            return rein_fail(REIN_ERR_NUMERIC, "sequence %lld has reward %g and value %g at token %lld", (long long)i,
                             a->reward[t], a->value ? a->value[t] : 0, (long long)(t - begin));
    }
    return REIN_OK;
}

/* First token of the step that ends with the counting token `last`. */
static int64_t step_begin(const rein_gae_args *a, int64_t begin, int64_t last) {
    int64_t first = last;
    for (int64_t t = last - 1; a->turn && t >= begin; t--) {
        if (!a->rows.mask[t]) continue;
        if (a->turn[t] != a->turn[last]) break;
        first = t;
    }
    return first;
}

static void row(double *adv, double *ret, const rein_gae_args *a, int64_t i) {
    const int64_t begin = a->rows.offset[i];
    const uint8_t *mask = a->rows.mask;
    double next = a->bootstrap ? a->bootstrap[i] : 0, acc = 0;
    for (int64_t last = a->rows.offset[i + 1] - 1; last >= begin; last--) {
        int64_t first = mask[last] ? step_begin(a, begin, last) : last;
        double reward = 0, value = a->value && mask[last] ? a->value[first] : 0;
        for (int64_t t = first; t <= last; t++) reward += mask[t] ? a->reward[t] : 0;
        if (mask[last]) {
            acc = reward + a->gamma * next - value + a->gamma * a->lambda * acc;
            next = value;
        }
        for (int64_t t = first; t <= last; t++) {
            adv[t] = mask[t] ? acc : 0;
            if (ret) ret[t] = mask[t] ? acc + value : 0;
        }
        last = first;
    }
}

rein_status rein_gae(double *adv, double *ret, const rein_gae_args *args) {
    if (!(args->gamma >= 0 && args->gamma <= 1) || !(args->lambda >= 0 && args->lambda <= 1))
        return rein_fail(REIN_ERR_USAGE, "gamma is %g and lambda %g: both from 0 to 1", args->gamma, args->lambda);
    for (int64_t i = 0; i < args->rows.B; i++) REIN_TRY(check_row(args, i));
    for (int64_t i = 0; i < args->rows.B; i++) row(adv, ret, args, i);
    return REIN_OK;
}
