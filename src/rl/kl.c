/* KL estimators; see kl.h. */
#include "rl/kl.h"

#include <math.h>

#include "base/math64.h"

/* low_var_kl's, as verl has it; verl's clamp of x to +-20 lies beyond it. */
static const double value_bound = 10;

/* exp(-x) + x - 1 */
static double k3(double x) {
    double y = -x;
    if (fabs(y) > 0.01) return rein_exp64(y) - y - 1;
    /* the series, where the difference would cancel: relative error below y^6 / 20160 */
    return y * y * (1.0 / 2 + y * (1.0 / 6 + y * (1.0 / 24 + y * (1.0 / 120 + y * (1.0 / 720)))));
}

static rein_kl_estimator without_plus(rein_kl_estimator e) { return e >= REIN_KL_PLUS ? e - REIN_KL_PLUS : e; }

double rein_kl_value(rein_kl_estimator e, double logp, double ref_logp) {
    double x = logp - ref_logp;
    switch (without_plus(e)) {
    case REIN_KL_K1:
        return x;
    case REIN_KL_K2:
        return x * x / 2;
    case REIN_KL_ABS:
        return fabs(x);
    case REIN_KL_LOW_VAR:
        return fmin(k3(x), value_bound);
    default:
        return k3(x);
    }
}

double rein_kl_slope(rein_kl_estimator e, double logp, double ref_logp) {
    double x = logp - ref_logp;
    if (e >= REIN_KL_PLUS) return x;
    switch (e) {
    case REIN_KL_K1:
        return 1;
    case REIN_KL_K2:
        return x;
    case REIN_KL_ABS:
        return (x > 0) - (x < 0);
    case REIN_KL_LOW_VAR:
        if (k3(x) > value_bound) return 0;
        break;
    default:
        break;
    }
    return 1 - rein_exp64(-x);
}
