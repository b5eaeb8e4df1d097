/* AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with moments in f32 or in 8 bits. */
#include "base/math64.h"
#include "optim/rule.h"

/* 1 - beta^step with the beta that the kernel uses, rounded to f32: 1 - 0.999f is 1.3e-5 off 0.001. */
static double bias_correction(double beta, int64_t step) {
    double rounded = (float)beta;
    return rounded > 0 ? 1 - rein_pow64(rounded, (double)step) : 1;
}

static rein_adamw_args adamw_args(const rein_optim_tensor *t, const rein_optim_options *opt,
                                  rein_optim_step_args args) {
    return (rein_adamw_args){.lr = (float)args.learning_rate,
                             .beta1 = (float)opt->adam_beta1,
                             .beta2 = (float)opt->adam_beta2,
                             .eps = (float)opt->adam_epsilon,
                             .weight_decay = (float)t->weight_decay,
                             .bias1 = (float)bias_correction(opt->adam_beta1, args.step),
                             .bias2 = (float)bias_correction(opt->adam_beta2, args.step),
                             .grad_scale = args.grad_scale};
}

static void step(const rein_optim_tensor *t, const rein_optim_options *opt, rein_optim_step_args args) {
    t->dev->ops->adamw(t->dev, t->p, t->state[0].f32, t->state[1].f32, t->grad, t->n, adamw_args(t, opt, args));
}

static void step_8bit(const rein_optim_tensor *t, const rein_optim_options *opt, rein_optim_step_args args) {
    t->dev->ops->adamw_8bit(t->dev, t->p, t->state[0].q, t->state[1].q, t->grad, t->n, adamw_args(t, opt, args),
                            t->key);
}

const rein_optim_rule rein_rule_adamw = {.state = {REIN_STATE_F32, REIN_STATE_F32}, .step = step};
const rein_optim_rule rein_rule_adamw_8bit = {.state = {REIN_STATE_8BIT, REIN_STATE_8BIT}, .step = step_8bit};
