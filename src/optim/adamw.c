/* AdamW over the ranges of a model; see adamw.h. The arithmetic of an element is in tensor/ops.h. */
#include "optim/adamw.h"

#include <math.h>

#include "base/math64.h"

static bool is_beta(double beta) { return beta >= 0 && (float)beta < 1; }

rein_status rein_adamw_check(const rein_adamw_options *opt) {
    if (!is_beta(opt->adam_beta1) || !is_beta(opt->adam_beta2))
        return rein_fail(REIN_ERR_ARG, "adam_beta1 is %g and adam_beta2 is %g: both must be in [0, 1)", opt->adam_beta1,
                         opt->adam_beta2);
    if (!((float)opt->adam_epsilon > 0 && isfinite(opt->adam_epsilon)))
        return rein_fail(REIN_ERR_ARG, "adam_epsilon is %g: it must be positive", opt->adam_epsilon);
    if (!(opt->weight_decay >= 0 && isfinite(opt->weight_decay)))
        return rein_fail(REIN_ERR_ARG, "weight_decay is %g: it must be 0 or positive", opt->weight_decay);
    return REIN_OK;
}

/* 1 - beta^step with the beta that the kernel uses, rounded to f32: 1 - 0.999f is 1.3e-5 off 0.001. */
static double bias_correction(double beta, int64_t step) {
    double rounded = (float)beta;
    return rounded > 0 ? 1 - rein_pow64(rounded, (double)step) : 1;
}

void rein_adamw_step(rein_device *dev, const rein_adamw_range *range, int64_t n_range, const rein_adamw_options *opt,
                     rein_adamw_step_args args) {
    REIN_ASSERT(args.step >= 1);
    rein_adamw_args a = {.lr = (float)args.learning_rate,
                         .beta1 = (float)opt->adam_beta1,
                         .beta2 = (float)opt->adam_beta2,
                         .eps = (float)opt->adam_epsilon,
                         .bias1 = (float)bias_correction(opt->adam_beta1, args.step),
                         .bias2 = (float)bias_correction(opt->adam_beta2, args.step),
                         .grad_scale = args.grad_scale};
    for (int64_t i = 0; i < n_range; i++) {
        a.weight_decay = range[i].decay ? (float)opt->weight_decay : 0;
        dev->ops->adamw(dev, range[i].p, range[i].m, range[i].v, range[i].grad, range[i].n, a);
    }
}
