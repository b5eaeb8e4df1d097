/* Clipping by the global gradient norm. */
#ifndef REIN_OPTIM_CLIP_H
#define REIN_OPTIM_CLIP_H

#include <stdbool.h>

typedef struct rein_clip {
    double norm; /* L2, before clipping */
    float scale; /* what every gradient is multiplied by: min(1, max_norm / (norm + 1e-6)) */
    bool finite; /* false: the norm is NaN or infinite, scale is 0 and the update must not be applied */
} rein_clip;

/**
 * @param sumsq     sum of squares of all gradients: the canonical pairwise tree over the f64 blocks of ops->sumsq,
 * tensors in the table's order.
 * @param max_norm  `max_grad_norm`; 0: no clipping.
 */
rein_clip rein_clip_gradient(double sumsq, double max_norm);

#endif
