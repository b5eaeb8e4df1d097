/*
 * Learning curves from the metric table. Panels are a table of what to look for; a panel whose metrics were not logged
 * is left out, so that SFT, GRPO and PPO runs use the same code.
 */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "report/figures.h"

enum { PANEL_SERIES = 8, SMOOTH_FROM = 60 }; /* steps */

typedef struct series_spec {
    const char *metric, *label; /* label NULL: the metric's own name is not needed in a legend */
} series_spec;

typedef struct panel_spec {
    const char *title, *axis;
    bool log, zero;
    bool exact;             /* without noise: never smoothed */
    const char *spread;     /* metric added and subtracted as a band around the first series, or NULL */
    const char *low, *high; /* metrics that bound a band, or NULL */
    series_spec series[PANEL_SERIES];
} panel_spec;

static const panel_spec specs[] = {
    {.title = "Loss", .axis = "loss", .log = true, .series = {{"loss", "training"}, {"eval_loss", "evaluation"}}},
    {.title = "Reward", .axis = "reward", .spread = "reward_std", .series = {{"reward", "mean"}}},
    {.title = "Success and format",
     .axis = "rate",
     .zero = true,
     .series = {{"success_rate", "success"},
                {"format_rate", "format"},
                {"eval/success_rate", "success, evaluation"},
                {"frac_reward_zero_std", "groups without spread"}}},
    {.title = "Accuracy",
     .axis = "token accuracy",
     .series = {{"mean_token_accuracy", "training"}, {"eval_mean_token_accuracy", "evaluation"}}},
    {.title = "KL to reference", .axis = "KL (nats/token)", .zero = true, .series = {{"kl", NULL}}},
    {.title = "Clipped ratios",
     .axis = "fraction",
     .zero = true,
     .series = {{"clip_ratio/low_mean", "low"},
                {"clip_ratio/high_mean", "high"},
                {"clip_ratio/region_mean", "either"}}},
    {.title = "Entropy", .axis = "entropy (nats)", .series = {{"entropy", NULL}}},
    {.title = "Completion length",
     .axis = "tokens",
     .low = "completions/min_length",
     .high = "completions/max_length",
     .series = {{"completions/mean_length", "mean"}}},
    {.title = "Gradient norm", .axis = "gradient norm", .log = true, .series = {{"grad_norm", NULL}}},
    {.title = "Value loss", .axis = "value loss", .log = true, .series = {{"loss/value_avg", NULL}}},
    {.title = "Learning rate",
     .axis = "learning rate",
     .zero = true,
     .exact = true,
     .series = {{"learning_rate", NULL}}},
};

static rein_status steps_as_numbers(rein_arena *arena, const rein_series *s, double **x) {
    REIN_TRY(rein_arena_alloc(arena, x, sizeof **x * (size_t)s->n));
    for (int64_t i = 0; i < s->n; i++) (*x)[i] = (double)s->step[i];
    return REIN_OK;
}

/* Mean of the finite values at most width / 2 steps away; at both ends of those that there are. */
static void smooth(double *out, const double *v, int64_t n, int64_t width) {
    for (int64_t i = 0; i < n; i++) {
        int64_t first = i < width / 2 ? 0 : i - width / 2, last = i + width / 2 < n ? i + width / 2 : n - 1, count = 0;
        double sum = 0;
        for (int64_t k = first; k <= last; k++)
            if (isfinite(v[k])) {
                sum += v[k];
                count++;
            }
        out[i] = count ? sum / (double)count : (double)NAN;
    }
}

static bool any_finite(const rein_series *s) {
    for (int64_t i = 0; i < s->n; i++)
        if (isfinite(s->value[i])) return true;
    return false;
}

/* A curve; a long one also as a moving mean, with the raw values behind it. */
static rein_status add_curve(rein_panel *p, rein_arena *arena, const rein_series *s, const char *label,
                             rein_colour colour, bool exact) {
    double *x, *mean;
    REIN_TRY(steps_as_numbers(arena, s, &x));
    bool is_long = s->n > SMOOTH_FROM && !exact;
    rein_mark raw = {.kind = REIN_MARK_LINE,
                     .label = is_long ? NULL : label,
                     .series = s->name,
                     .colour = colour,
                     .n = s->n,
                     .x = x,
                     .y = s->value,
                     .faint = is_long,
                     .size = is_long ? 0.7 : 0};
    if (s->n == 1) {
        raw.kind = REIN_MARK_POINTS;
        raw.shape = REIN_DOT;
    }
    rein_panel_add(p, raw);
    if (!is_long) return REIN_OK;
    char *name;
    int64_t width = s->n / 20 | 1;
    REIN_TRY(rein_path_format(arena, &name, "%s, moving mean of %lld", s->name, (long long)width));
    REIN_TRY(rein_arena_alloc(arena, &mean, sizeof *mean * (size_t)s->n));
    smooth(mean, s->value, s->n, width);
    rein_panel_add(
        p, (rein_mark){
               .kind = REIN_MARK_LINE, .label = label, .series = name, .colour = colour, .n = s->n, .x = x, .y = mean});
    return REIN_OK;
}

static rein_status add_spread(rein_panel *p, rein_arena *arena, const rein_rundir *run, const rein_series *mean,
                              const char *metric, const char *label) {
    rein_series std;
    double *x, *lo, *hi;
    REIN_TRY(rein_read_series(run, arena, metric, &std));
    if (std.n != mean->n || std.n < 2) return REIN_OK;
    REIN_TRY(steps_as_numbers(arena, mean, &x));
    REIN_TRY(rein_arena_alloc(arena, &lo, sizeof *lo * (size_t)std.n));
    REIN_TRY(rein_arena_alloc(arena, &hi, sizeof *hi * (size_t)std.n));
    for (int64_t i = 0; i < std.n; i++) {
        lo[i] = mean->value[i] - std.value[i];
        hi[i] = mean->value[i] + std.value[i];
    }
    rein_panel_add(p, (rein_mark){.kind = REIN_MARK_BAND,
                                  .label = label,
                                  .series = metric,
                                  .colour = REIN_BLUE,
                                  .n = std.n,
                                  .x = x,
                                  .lo = lo,
                                  .hi = hi});
    return REIN_OK;
}

static rein_status add_range(rein_panel *p, rein_arena *arena, const rein_rundir *run, const panel_spec *spec) {
    rein_series lo, hi;
    double *x;
    REIN_TRY(rein_read_series(run, arena, spec->low, &lo));
    REIN_TRY(rein_read_series(run, arena, spec->high, &hi));
    if (lo.n != hi.n || lo.n < 2) return REIN_OK;
    REIN_TRY(steps_as_numbers(arena, &lo, &x));
    rein_panel_add(p, (rein_mark){.kind = REIN_MARK_BAND,
                                  .label = "shortest to longest",
                                  .series = "range",
                                  .colour = REIN_BLUE,
                                  .n = lo.n,
                                  .x = x,
                                  .lo = lo.value,
                                  .hi = hi.value});
    return REIN_OK;
}

static bool positive(const rein_series *s) {
    for (int64_t i = 0; i < s->n; i++)
        if (isfinite(s->value[i]) && s->value[i] <= 0) return false;
    return true;
}

static rein_status add_panel(rein_figure *f, rein_arena *arena, const rein_rundir *run, const panel_spec *spec) {
    rein_series found[PANEL_SERIES];
    int64_t where[PANEL_SERIES], n = 0;
    bool log = spec->log;
    for (int64_t i = 0; i < PANEL_SERIES && spec->series[i].metric; i++) {
        REIN_TRY(rein_read_series(run, arena, spec->series[i].metric, &found[n]));
        if (!any_finite(&found[n])) continue;
        log = log && positive(&found[n]); /* a policy loss goes below zero: then the axis is linear */
        where[n++] = i;
    }
    if (n == 0) return REIN_OK;
    rein_panel *p = rein_figure_add(f);
    p->title = spec->title;
    p->x.label = "step";
    p->y = (rein_axis){.label = spec->axis, .log = log, .zero = spec->zero};
    if (spec->spread) REIN_TRY(add_spread(p, arena, run, &found[0], spec->spread, "\xc2\xb1 std over the batch"));
    if (spec->low) REIN_TRY(add_range(p, arena, run, spec));
    for (int64_t i = 0; i < n; i++) {
        const char *label = n > 1 || p->n_mark > 0 ? spec->series[where[i]].label : NULL;
        REIN_TRY(add_curve(p, arena, &found[i], label, (rein_colour)i, spec->exact));
    }
    return REIN_OK;
}

/* Up to four panels in two columns, more in three. */
static void arrange(rein_figure *f) {
    f->columns = f->n_panel <= 4 ? 2 : 3;
    if (f->n_panel < f->columns) f->columns = f->n_panel > 0 ? f->n_panel : 1;
    f->rows = f->n_panel > 0 ? (f->n_panel + f->columns - 1) / f->columns : 1;
    f->height_mm = (f->columns == 3 ? 44 : 55) * (double)f->rows;
}

rein_status rein_figure_training(rein_figure *f, rein_arena *arena, const rein_rundir *run, const char *name) {
    REIN_TRY(rein_figure_begin(f, arena, name, (int64_t)REIN_COUNT(specs), 1));
    for (size_t i = 0; i < REIN_COUNT(specs); i++) REIN_TRY(add_panel(f, arena, run, &specs[i]));
    arrange(f);
    f->caption =
        "Learning curves. Faint lines are the logged values, solid lines their moving mean where a run is long; "
        "bands as named in the legends.";
    return REIN_OK;
}

/* NAME of rewards/NAME/mean in `arena`, or NULL. */
static rein_status component_name(char **out, rein_arena *arena, const char *metric) {
    static const char head[] = "rewards/", tail[] = "/mean";
    const size_t len = strlen(metric), n_head = sizeof head - 1, n_tail = sizeof tail - 1;
    *out = NULL;
    if (len <= n_head + n_tail || strncmp(metric, head, n_head) != 0 || strcmp(metric + len - n_tail, tail) != 0)
        return REIN_OK;
    return rein_arena_strdup(arena, out, metric + n_head, len - n_head - n_tail);
}

rein_status rein_figure_components(rein_figure *f, rein_arena *arena, const rein_rundir *run, const char *name) {
    const char **names;
    int64_t n;
    REIN_TRY(rein_read_metric_names(run, arena, &names, &n));
    REIN_TRY(rein_figure_begin(f, arena, name, n + 1, 1));
    for (int64_t i = 0; i < n; i++) {
        char *title, *spread;
        rein_series s;
        REIN_TRY(component_name(&title, arena, names[i]));
        if (!title) continue;
        REIN_TRY(rein_path_format(arena, &spread, "rewards/%s/std", title));
        REIN_TRY(rein_read_series(run, arena, names[i], &s));
        rein_panel *p = rein_figure_add(f);
        p->title = title;
        p->x.label = "step";
        p->y.label = "reward";
        REIN_TRY(add_spread(p, arena, run, &s, spread, NULL));
        REIN_TRY(add_curve(p, arena, &s, NULL, REIN_BLUE, false));
    }
    arrange(f);
    f->caption = "Components of the reward: mean over the batch, and one standard deviation over the batch around it.";
    return REIN_OK;
}
