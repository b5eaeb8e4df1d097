/* Learning-rate schedules; see schedule.h. Each factor function is one of transformers' lambdas. */
#include "optim/schedule.h"

#include <math.h>

#include "base/math64.h"

static const double pi = 3.14159265358979323846;

rein_schedule rein_schedule_default(rein_schedule_type type, double learning_rate, int64_t total_steps) {
    return (rein_schedule){.type = type,
                           .learning_rate = learning_rate,
                           .total_steps = total_steps,
                           .num_cycles = -1,
                           .power = 1,
                           .lr_end = 1e-7,
                           .warmup_lr_rate = -1,
                           .warmup_shape = REIN_SHAPE_LINEAR,
                           .decay_shape = REIN_SHAPE_COSINE};
}

int64_t rein_schedule_fraction(double ratio, int64_t total_steps) { return (int64_t)ceil((double)total_steps * ratio); }

rein_status rein_schedule_check(const rein_schedule *s) {
    if (s->total_steps < 1 || s->warmup_steps < 0 || s->decay_steps < 0 || s->timescale < 0 ||
        s->warmup_steps + s->decay_steps > s->total_steps)
        return rein_fail(REIN_ERR_ARG, "schedule of %lld steps with %lld of warm-up and %lld of decay does not fit",
                         (long long)s->total_steps, (long long)s->warmup_steps, (long long)s->decay_steps);
    if (!(s->learning_rate >= 0 && isfinite(s->learning_rate)))
        return rein_fail(REIN_ERR_ARG, "learning_rate is %g: it must be 0 or positive", s->learning_rate);
    if (!(s->min_lr_rate >= 0 && s->min_lr_rate <= 1))
        return rein_fail(REIN_ERR_ARG, "min_lr_rate is %g: it must be in [0, 1]", s->min_lr_rate);
    if (!isfinite(s->num_cycles) || !(fabs(s->num_cycles) <= 1e4))
        return rein_fail(REIN_ERR_ARG, "num_cycles is %g: at most 10000", s->num_cycles);
    if (s->type == REIN_SCHEDULE_POLYNOMIAL &&
        (!(s->power > 0 && s->lr_end >= 0 && s->lr_end < s->learning_rate) || s->warmup_steps == s->total_steps))
        return rein_fail(REIN_ERR_ARG,
                         "polynomial needs power > 0, lr_end below learning_rate and steps after warm-up");
    if (s->type == REIN_SCHEDULE_WARMUP_STABLE_DECAY && s->decay_steps == 0)
        return rein_fail(REIN_ERR_ARG, "warmup_stable_decay needs decay_steps, the length of its last phase");
    if (s->type == REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU && s->warmup_steps > 0)
        return rein_fail(REIN_ERR_ARG, "reduce_lr_on_plateau has no warm-up, and there are %lld steps of it",
                         (long long)s->warmup_steps);
    return REIN_OK;
}

static double at_least_one(int64_t n) { return n < 1 ? 1 : (double)n; }

/* Fraction of the steps after warm-up that are done. */
static double progress(const rein_schedule *s, int64_t step) {
    return (double)(step - s->warmup_steps) / at_least_one(s->total_steps - s->warmup_steps);
}

static double half_cosine(double turns) { return fmax(0, 0.5 * (1 + rein_cos64(2 * pi * turns))); }

static double cycles(const rein_schedule *s, double unset) { return s->num_cycles < 0 ? unset : s->num_cycles; }

static double raise(const rein_schedule *s, double factor) { return factor * (1 - s->min_lr_rate) + s->min_lr_rate; }

static double polynomial(const rein_schedule *s, int64_t step) {
    if (step > s->total_steps) return s->lr_end / s->learning_rate;
    double left = 1 - progress(s, step);
    double power = left > 0 ? rein_pow64(left, s->power) : 0;
    return ((s->learning_rate - s->lr_end) * power + s->lr_end) / s->learning_rate;
}

static double inverse_sqrt(const rein_schedule *s, int64_t step) {
    int64_t scale = s->timescale > 0 ? s->timescale : s->warmup_steps > 0 ? s->warmup_steps : 10000;
    return 1 / sqrt((double)(step + scale - s->warmup_steps) / (double)scale);
}

static double restarts(const rein_schedule *s, int64_t step) {
    double done = progress(s, step);
    return done >= 1 ? 0 : half_cosine(fmod(cycles(s, 1) * done, 1) / 2);
}

/* This one warms up to its peak in one step less, and counts steps from 1. */
static double warmup_with_min(const rein_schedule *s, int64_t step) {
    if (step >= s->warmup_steps) return raise(s, half_cosine(cycles(s, 0.5) * progress(s, step + 1)));
    if (s->warmup_lr_rate < 0) return (double)(step + 1) / at_least_one(s->warmup_steps);
    return s->warmup_lr_rate + (1 - s->warmup_lr_rate) * (double)step / at_least_one(s->warmup_steps - 1);
}

/* Falls from 1 to 0 as x goes from 0 to 1. */
static double falling(rein_schedule_shape shape, double turns, double x) {
    if (shape == REIN_SHAPE_LINEAR) return 1 - x;
    return shape == REIN_SHAPE_COSINE ? half_cosine(turns * x) : 1 - sqrt(x);
}

static double stable_decay(const rein_schedule *s, int64_t step) {
    if (step < s->warmup_steps) {
        double x = (double)step / (double)s->warmup_steps;
        double up = s->warmup_shape == REIN_SHAPE_1_SQRT ? 1 - sqrt(1 - x) : 1 - falling(s->warmup_shape, 0.5, x);
        return raise(s, up);
    }
    int64_t decay_start = s->total_steps - s->decay_steps;
    if (step < decay_start) return 1;
    if (step >= s->total_steps) return s->min_lr_rate;
    double x = (double)(step - decay_start) / (double)s->decay_steps;
    return raise(s, falling(s->decay_shape, cycles(s, 0.5), x));
}

static double factor_of(const rein_schedule *s, int64_t step) {
    switch (s->type) {
    case REIN_SCHEDULE_CONSTANT:
    case REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU:
        return 1;
    case REIN_SCHEDULE_WARMUP_STABLE_DECAY:
        return stable_decay(s, step);
    case REIN_SCHEDULE_COSINE_WARMUP_WITH_MIN_LR:
        return warmup_with_min(s, step);
    default:
        break;
    }
    if (step < s->warmup_steps) return (double)step / (double)s->warmup_steps;
    switch (s->type) {
    case REIN_SCHEDULE_LINEAR:
        return fmax(0, (double)(s->total_steps - step) / at_least_one(s->total_steps - s->warmup_steps));
    case REIN_SCHEDULE_COSINE:
        return half_cosine(cycles(s, 0.5) * progress(s, step));
    case REIN_SCHEDULE_COSINE_WITH_RESTARTS:
        return restarts(s, step);
    case REIN_SCHEDULE_COSINE_WITH_MIN_LR:
        return raise(s, half_cosine(cycles(s, 0.5) * progress(s, step)));
    case REIN_SCHEDULE_POLYNOMIAL:
        return polynomial(s, step);
    case REIN_SCHEDULE_INVERSE_SQRT:
        return inverse_sqrt(s, step);
    default:
        return 1; /* constant_with_warmup */
    }
}

double rein_schedule_rate(const rein_schedule *s, int64_t step) { return s->learning_rate * factor_of(s, step); }
