/*
 * Lowering the learning rate when a metric stops improving: torch's ReduceLROnPlateau, transformers'
 * reduce_lr_on_plateau. A pure state machine over the values of the metric.
 */
#ifndef REIN_OPTIM_PLATEAU_H
#define REIN_OPTIM_PLATEAU_H

#include "base/base.h"

typedef struct rein_plateau_options {
    double factor;    /* the rate is multiplied by it, in (0, 1) */
    int64_t patience; /* values without improvement that are borne */
    int64_t cooldown; /* values after a reduction that do not count */
    double threshold; /* of an improvement; relative to the best value, or absolute */
    bool absolute;
    double min_lr, eps; /* lowest rate; reductions smaller than eps are left out */
} rein_plateau_options;

typedef struct rein_plateau {
    double best; /* NaN: no value yet */
    int64_t bad, cooling;
    double rate; /* what the rate is now */
} rein_plateau;

/** torch's defaults: factor 0.1, patience 10, threshold 1e-4, relative, eps 1e-8. */
rein_plateau_options rein_plateau_default(void);

/** The state before the first value. */
rein_plateau rein_plateau_begin(double learning_rate);

/** Take the next value; true if the rate was reduced. NaN is no improvement. */
bool rein_plateau_observe(rein_plateau *p, const rein_plateau_options *o, bool greater_is_better, double value);

#endif
