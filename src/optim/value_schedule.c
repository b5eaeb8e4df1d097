/* Schedules of values; see value_schedule.h. */
#include "optim/value_schedule.h"

#include <string.h>

#include "base/math64.h"
#include "base/option_value.h"

/* What is being read: an option's name, its whole text, and the range of a value. */
typedef struct source {
    const char *name, *text;
    double min, max;
} source;

static rein_status bad(const source *s, const char *why) {
    return rein_fail(REIN_ERR_USAGE,
                     "%s: \"%s\" %s; write a number, linear:FROM:TO[:STEPS], cosine:FROM:TO[:STEPS] or "
                     "steps:0=VALUE,STEP=VALUE...",
                     s->name, s->text, why);
}

/* The characters [*at, next of `stops` or the end) as a number of the option's type; *at is then behind the stop. */
static rein_status number(rein_option_value *out, const source *s, const char **at, const char *stops,
                          rein_option_type type) {
    enum { LONGEST = 40 };
    char text[LONGEST + 1];
    size_t n = strcspn(*at, stops);
    bool more = (*at)[n] != '\0';
    if (n == 0 || n > LONGEST || (more && (*at)[n + 1] == '\0')) return bad(s, "has no number where one belongs");
    memcpy(text, *at, n);
    text[n] = '\0';
    *at += n + more;
    bool step = type == REIN_OPT_INT;
    const rein_option row = {
        .name = s->name, .type = type, .min = step ? 0 : s->min, .max = step ? 2147483648 : s->max};
    return rein_option_parse(out, &row, text, s->text);
}

static rein_status parse_points(rein_value_schedule *out, const source *s, const char *at) {
    while (*at) {
        rein_option_value step, value;
        if (out->n == REIN_VALUE_POINTS) return bad(s, "has more than 32 steps");
        if (!strchr(at, '=')) return bad(s, "has a step without a value");
        REIN_TRY(number(&step, s, &at, "=", REIN_OPT_INT));
        REIN_TRY(number(&value, s, &at, ",", REIN_OPT_FLOAT));
        if (out->n == 0 ? step.integer != 0 : step.integer <= out->point[out->n - 1].step)
            return bad(s, "does not begin with step 0 and go up");
        out->point[out->n].step = step.integer;
        out->point[out->n++].value = value.number;
    }
    return out->n > 0 ? REIN_OK : bad(s, "has no step");
}

static rein_status parse_ends(rein_value_schedule *out, const source *s, const char *at) {
    rein_option_value from, to, steps = {.integer = 0};
    REIN_TRY(number(&from, s, &at, ":", REIN_OPT_FLOAT));
    REIN_TRY(number(&to, s, &at, ":", REIN_OPT_FLOAT));
    if (*at) {
        REIN_TRY(number(&steps, s, &at, "", REIN_OPT_INT));
        if (steps.integer == 0) return bad(s, "takes 0 steps");
    }
    out->n = 2;
    out->point[0].value = from.number;
    out->point[1].value = to.number;
    out->point[1].step = steps.integer;
    return REIN_OK;
}

rein_status rein_value_schedule_parse(rein_value_schedule *out, const char *name, const char *text, double min,
                                      double max) {
    static const char *const prefix[] = {
        [REIN_SHAPE_OF_STEPS] = "steps:", [REIN_SHAPE_OF_LINE] = "linear:", [REIN_SHAPE_OF_COSINE] = "cosine:"};
    const source s = {name, text, min, max};
    *out = (rein_value_schedule){0};
    for (size_t i = 0; i < REIN_COUNT(prefix); i++) {
        size_t n = strlen(prefix[i]);
        if (strncmp(text, prefix[i], n) != 0) continue;
        out->shape = (rein_value_shape)i;
        return out->shape == REIN_SHAPE_OF_STEPS ? parse_points(out, &s, text + n) : parse_ends(out, &s, text + n);
    }
    if (strchr(text, ':')) return bad(&s, "is no known schedule");
    rein_option_value value;
    REIN_TRY(number(&value, &s, &text, "", REIN_OPT_FLOAT));
    out->point[out->n++].value = value.number;
    return REIN_OK;
}

double rein_value_at(const rein_value_schedule *s, int64_t step, int64_t total) {
    static const double pi = 3.14159265358979323846;
    if (s->shape == REIN_SHAPE_OF_STEPS) {
        int i = s->n - 1;
        while (i > 0 && s->point[i].step > step) i--;
        return s->point[i].value;
    }
    double from = s->point[0].value, to = s->point[1].value;
    int64_t last = s->point[1].step > 0 ? s->point[1].step : total - 1;
    if (step <= 0 && last > 0) return from;
    if (step >= last) return to;
    double x = (double)step / (double)last;
    if (s->shape == REIN_SHAPE_OF_COSINE) x = 0.5 * (1 - rein_cos64(pi * x));
    return from + (to - from) * x;
}

bool rein_value_is_constant(const rein_value_schedule *s) {
    bool same = true;
    for (int i = 1; i < s->n; i++) same &= s->point[i].value == s->point[0].value;
    return same;
}
