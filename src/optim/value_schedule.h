/*
 * Schedules of other values than the learning rate (temperature, beta, epsilon, lengths), written as one word:
 *
 *   0.9                       the same in every step
 *   linear:1.0:0.5[:STEPS]    a straight line from the first value to the second
 *   cosine:1.0:0.5[:STEPS]    half a cosine wave between them
 *   steps:0=1.0,100=0.7       from a step on, a value
 *
 * Steps are optimiser steps counted from 0. STEPS is the step from which the second value holds; without it that is the
 * run's last step. A schedule is a pure function of (step, total steps), so a resumed run goes on with it.
 */
#ifndef REIN_OPTIM_VALUE_SCHEDULE_H
#define REIN_OPTIM_VALUE_SCHEDULE_H

#include "base/base.h"

typedef enum rein_value_shape { REIN_SHAPE_OF_STEPS, REIN_SHAPE_OF_LINE, REIN_SHAPE_OF_COSINE } rein_value_shape;

enum { REIN_VALUE_POINTS = 32 };

typedef struct rein_value_schedule {
    rein_value_shape shape;
    int n; /* points; linear and cosine: from and to */
    struct {
        int64_t step; /* ascending, the first 0; of the second point of linear and cosine 0: the run's last step */
        double value;
    } point[REIN_VALUE_POINTS];
} rein_value_schedule;

/**
 * Read a schedule.
 *
 * @param name      of the option, for messages.
 * @param min, max  inclusive range of every value, so that all values of the schedule are in it.
 * @return REIN_ERR_USAGE with name, text and what is wrong with it.
 */
REIN_NODISCARD rein_status rein_value_schedule_parse(rein_value_schedule *out, const char *name, const char *text,
                                                     double min, double max);

/** Value in step `step` (from 0) of a run of `total`. For a whole number round it: llround. */
double rein_value_at(const rein_value_schedule *s, int64_t step, int64_t total);

/** True if the value is the same in every step. */
bool rein_value_is_constant(const rein_value_schedule *s);

#endif
