/*
 * Learning-rate schedules under the names, and with the numbers, of transformers' get_scheduler. Pure functions of the
 * step in f64 with rein's own elementary functions.
 */
#ifndef REIN_OPTIM_SCHEDULE_H
#define REIN_OPTIM_SCHEDULE_H

#include "base/base.h"
#include "optim/plateau.h"

/** `lr_scheduler_type`, in the order of REIN_SCHEDULE_CHOICES. */
typedef enum rein_schedule_type {
    REIN_SCHEDULE_LINEAR,
    REIN_SCHEDULE_COSINE,
    REIN_SCHEDULE_CONSTANT,
    REIN_SCHEDULE_CONSTANT_WITH_WARMUP,
    REIN_SCHEDULE_POLYNOMIAL,
    REIN_SCHEDULE_INVERSE_SQRT,
    REIN_SCHEDULE_COSINE_WITH_RESTARTS,
    REIN_SCHEDULE_COSINE_WITH_MIN_LR,
    REIN_SCHEDULE_COSINE_WARMUP_WITH_MIN_LR,
    REIN_SCHEDULE_WARMUP_STABLE_DECAY,
    REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU /* not a function of the step: see plateau.h */
} rein_schedule_type;
#define REIN_SCHEDULE_CHOICES                                                                                          \
    "linear|cosine|constant|constant_with_warmup|polynomial|inverse_sqrt|cosine_with_restarts|cosine_with_min_lr|"     \
    "cosine_warmup_with_min_lr|warmup_stable_decay|reduce_lr_on_plateau"

/** Shapes of warmup_stable_decay's ends, in the order of REIN_SCHEDULE_SHAPE_CHOICES. */
typedef enum rein_schedule_shape { REIN_SHAPE_LINEAR, REIN_SHAPE_COSINE, REIN_SHAPE_1_SQRT } rein_schedule_shape;
#define REIN_SCHEDULE_SHAPE_CHOICES "linear|cosine|1-sqrt"

/** Only the members that the type reads matter. Start from rein_schedule_default. */
typedef struct rein_schedule {
    rein_schedule_type type;
    double learning_rate; /* the peak */
    int64_t warmup_steps, total_steps;
    double num_cycles;     /* cosine*: below 0: transformers' default (0.5; 1 for restarts) */
    double power, lr_end;  /* polynomial */
    int64_t timescale;     /* inverse_sqrt; 0: warmup_steps, or 10 000 without warm-up */
    double min_lr_rate;    /* lowest rate as a fraction of the peak: cosine*_with_min_lr, warmup_stable_decay */
    double warmup_lr_rate; /* cosine_warmup_with_min_lr: first rate as a fraction; below 0: (step + 1) / warmup */
    int64_t decay_steps;   /* warmup_stable_decay: length of the last phase, which ends at total_steps */
    rein_schedule_shape warmup_shape, decay_shape; /* warmup_stable_decay */
} rein_schedule;

/** transformers' defaults for a schedule. Constant, then linear over the last 40 %: warmup_stable_decay with
 *  decay_steps = rein_schedule_fraction(0.4, total_steps) and decay_shape linear. */
rein_schedule rein_schedule_default(rein_schedule_type type, double learning_rate, int64_t total_steps);

/** transformers' `lr_scheduler_kwargs`: a JSON object of the settings that s->type has, over those of *s; of
 *  reduce_lr_on_plateau into *plateau. REIN_ERR_USAGE for one that it has not, of another type, or out of range. */
REIN_NODISCARD rein_status rein_schedule_kwargs(rein_schedule *s, rein_plateau_options *plateau, const char *json);

/** Steps of a fraction of the whole, rounded up as `warmup_ratio` is: ceil(total * ratio). */
int64_t rein_schedule_fraction(double ratio, int64_t total_steps);

/** REIN_ERR_ARG, with name and value, for what cannot be scheduled (no step, warm-up and decay longer than the whole, a
 *  rate that is not finite or negative). */
REIN_NODISCARD rein_status rein_schedule_check(const rein_schedule *s);

/** Learning rate of optimiser step `step`, counted from 0; defined past total_steps too. Of reduce_lr_on_plateau it is
 * the peak, and rein_plateau.factor is what it is multiplied by. */
double rein_schedule_rate(const rein_schedule *s, int64_t step);

#endif
