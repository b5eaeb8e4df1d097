/* AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) over the parameters of a model: one call of ops->adamw a range. */
#ifndef REIN_OPTIM_ADAMW_H
#define REIN_OPTIM_ADAMW_H

#include "tensor/device.h"

/** A flat range of parameters with its moments (zero before the first step) and gradient; n elements each. */
typedef struct rein_adamw_range {
    float *p, *m, *v;
    const float *grad;
    int64_t n;
    bool decay; /* weight decay applies (matrices; not biases and norms) */
} rein_adamw_range;

typedef struct rein_adamw_options {
    double adam_beta1, adam_beta2, adam_epsilon, weight_decay;
} rein_adamw_options;

/** REIN_ERR_ARG unless 0 <= beta < 1, epsilon > 0, weight_decay >= 0, all finite. */
REIN_NODISCARD rein_status rein_adamw_check(const rein_adamw_options *opt);

/** What a step varies. */
typedef struct rein_adamw_step_args {
    int64_t step;         /* counted from 1 */
    double learning_rate; /* of this step */
    float grad_scale;     /* rein_clip.scale */
} rein_adamw_step_args;

/** One update of every range. The ranges are independent: any cut gives the same bits. */
void rein_adamw_step(rein_device *dev, const rein_adamw_range *range, int64_t n_range, const rein_adamw_options *opt,
                     rein_adamw_step_args args);

#endif
