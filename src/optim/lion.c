/* Lion (Chen et al. 2023, arXiv:2302.06675): the sign of an interpolated momentum. */
#include "optim/rule.h"

static void step(const rein_optim_tensor *t, const rein_optim_options *opt, rein_optim_step_args args) {
    rein_lion_args a = {.lr = (float)args.learning_rate,
                        .beta1 = (float)opt->adam_beta1,
                        .beta2 = (float)opt->adam_beta2,
                        .weight_decay = (float)t->weight_decay,
                        .grad_scale = args.grad_scale};
    t->dev->ops->lion(t->dev, t->p, t->state[0].f32, t->grad, t->n, a);
}

const rein_optim_rule rein_rule_lion = {.state = {REIN_STATE_F32}, .step = step};
