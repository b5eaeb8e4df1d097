/* SGD with momentum (Sutskever et al. 2013, Nesterov's too) with torch's conventions: no damping, decay in the
 * gradient. */
#include "optim/rule.h"

static void step(const rein_optim_tensor *t, const rein_optim_options *opt, rein_optim_step_args args) {
    rein_sgd_args a = {.lr = (float)args.learning_rate,
                       .momentum = (float)opt->momentum,
                       .weight_decay = (float)t->weight_decay,
                       .grad_scale = args.grad_scale,
                       .nesterov = opt->nesterov};
    t->dev->ops->sgd(t->dev, t->p, t->state[0].f32, t->grad, t->n, a);
}

const rein_optim_rule rein_rule_sgd = {.state = {REIN_STATE_F32}, .step = step};
const rein_optim_rule rein_rule_sgd_plain = {.step = step};
