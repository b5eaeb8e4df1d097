/* Control of the KL to the reference policy; see kl_control.h. */
#include "rl/kl_control.h"

#include <math.h>

static const double error_bound = 0.2; /* of Ziegler et al. and verl */

rein_kl_control_options rein_kl_control_options_default(void) {
    return (rein_kl_control_options){
        .kl_coef = 0.001, .target_kl = 0.1, .horizon = 10000, .tolerance = 0.15, .factor = 1.5, .min = 1e-6, .max = 10};
}

static rein_status check_band(const rein_kl_control_options *o) {
    if (!(o->tolerance >= 0 && o->tolerance < 1))
        return rein_fail(REIN_ERR_USAGE, "kl_tolerance is %g: from 0 to below 1", o->tolerance);
    if (!(o->factor > 1) || !isfinite(o->factor))
        return rein_fail(REIN_ERR_USAGE, "kl_factor is %g: more than 1", o->factor);
    if (!(o->min > 0 && o->min <= o->kl_coef && o->kl_coef <= o->max) || !isfinite(o->max))
        return rein_fail(REIN_ERR_USAGE, "kl_coef is %g: between kl_coef_min %g and kl_coef_max %g, both above 0",
                         o->kl_coef, o->min, o->max);
    return REIN_OK;
}

rein_status rein_kl_control_options_check(const rein_kl_control_options *opt) {
    const rein_kl_control_options *o = opt;
    if (!(o->kl_coef >= 0) || !isfinite(o->kl_coef))
        return rein_fail(REIN_ERR_USAGE, "kl_coef is %g: 0 or more", o->kl_coef);
    if (o->type == REIN_KL_FIXED) return REIN_OK;
    if (o->kl_coef == 0)
        return rein_fail(REIN_ERR_USAGE, "kl_coef is 0: a controller multiplies it, give it a start above 0");
    if (!(o->target_kl > 0) || !isfinite(o->target_kl))
        return rein_fail(REIN_ERR_USAGE, "target_kl is %g: more than 0", o->target_kl);
    if (o->type == REIN_KL_ADAPTIVE && !(o->horizon > 0))
        return rein_fail(REIN_ERR_USAGE, "horizon is %g: more than 0", o->horizon);
    if (o->type == REIN_KL_BAND) REIN_TRY(check_band(o));
    return REIN_OK;
}

double rein_kl_control_next(const rein_kl_control_options *opt, double coef, double kl, int64_t sequences) {
    if (opt->type == REIN_KL_FIXED || !isfinite(kl)) return coef;
    if (opt->type == REIN_KL_ADAPTIVE) {
        double error = fmin(fmax(kl / opt->target_kl - 1, -error_bound), error_bound);
        return coef * (1 + error * (double)sequences / opt->horizon);
    }
    if (kl > opt->target_kl * (1 + opt->tolerance)) coef *= opt->factor;
    if (kl < opt->target_kl * (1 - opt->tolerance)) coef /= opt->factor;
    return fmin(fmax(coef, opt->min), opt->max);
}

rein_status rein_kl_cap_options_check(const rein_kl_cap_options *opt) {
    if (!(opt->cap >= 0)) return rein_fail(REIN_ERR_USAGE, "kl_cap is %g: 0 (none) or more", opt->cap);
    if (opt->max_refusals < 0 || (opt->max_refusals > 0 && opt->cap == 0))
        return rein_fail(REIN_ERR_USAGE, "max_kl_refusals is %lld: 0 or more, and with a kl_cap only",
                         (long long)opt->max_refusals);
    return REIN_OK;
}

rein_kl_verdict rein_kl_cap_judge(rein_kl_cap_state *state, const rein_kl_cap_options *opt, double kl) {
    if (opt->cap == 0 || kl <= opt->cap) {
        state->in_row = 0;
        return REIN_KL_ALLOW;
    }
    state->refused++;
    state->in_row++;
    return opt->max_refusals > 0 && state->in_row >= opt->max_refusals ? REIN_KL_STOP : REIN_KL_REFUSE;
}
