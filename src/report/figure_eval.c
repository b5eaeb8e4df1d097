/* Figures of an evaluation: trajectories, policies side by side, paired differences. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/file.h"
#include "report/axis.h"
#include "report/figures.h"
#include "report/trajectory.h"

/* ---- trajectories ---- */

enum { MAX_SHOWN = 4, MAX_DRAWN = 5 };

static rein_panel *panel_at(rein_figure *f, int64_t i) { return (rein_panel *)&f->panel[i]; }

/* What a policy looks like in every panel. `label` is given for its first path only. */
typedef struct look {
    const char *label, *series;
    rein_colour colour;
    bool dashed;
} look;

static void add_path(rein_figure *f, const rein_trajectory *t, look l) {
    const double *x[4] = {t->state[0], t->time, t->time, t->time};
    const double *y[4] = {t->state[1], t->state[0], t->state[1], t->control};
    for (int k = 0; k < 4; k++)
        rein_panel_add(panel_at(f, k), (rein_mark){.kind = k == 3 ? REIN_MARK_STEP : REIN_MARK_LINE,
                                                   .label = k == 3 ? l.label : NULL,
                                                   .series = l.series,
                                                   .colour = l.colour,
                                                   .dashed = l.dashed,
                                                   .n = k == 3 ? t->n_control : t->n,
                                                   .x = x[k],
                                                   .y = y[k],
                                                   .size = l.dashed ? 0.9 : 0});
}

static void add_end(rein_figure *f, const char *series, rein_shape shape, rein_colour colour, const double *x,
                    const double *y) {
    rein_panel_add(
        panel_at(f, 0),
        (rein_mark){
            .kind = REIN_MARK_POINTS, .series = series, .colour = colour, .shape = shape, .n = 1, .x = x, .y = y});
}

/* Legend of the markers, in ink: they have the colours of their policies. */
static void explain_ends(rein_figure *f) {
    rein_panel_add(panel_at(f, 0),
                   (rein_mark){.kind = REIN_MARK_POINTS, .label = "start", .colour = REIN_INK, .shape = REIN_CIRCLE});
    rein_panel_add(panel_at(f, 0),
                   (rein_mark){.kind = REIN_MARK_POINTS, .label = "end", .colour = REIN_INK, .shape = REIN_SQUARE});
}

/* Shaded outside of the state bounds; the control bounds as lines. In phase space the velocity is the ordinate. */
static rein_status add_bounds(rein_figure *f, rein_arena *arena, const rein_trajectory *t) {
    double *edge;
    REIN_TRY(rein_arena_alloc(arena, &edge, sizeof *edge * 6));
    edge[0] = t->state_bound, edge[1] = -(double)INFINITY; /* lo of the two regions */
    edge[2] = (double)INFINITY, edge[3] = -t->state_bound; /* hi */
    edge[4] = t->control_bound, edge[5] = -t->control_bound;
    for (int k = 0; k < 3 && isfinite(t->state_bound); k++)
        rein_panel_add(panel_at(f, k), (rein_mark){.kind = REIN_MARK_HREGION,
                                                   .label = k == 0 ? "out of bounds" : NULL,
                                                   .series = "state bound",
                                                   .colour = REIN_GREY,
                                                   .n = 2,
                                                   .lo = edge,
                                                   .hi = edge + 2});
    if (isfinite(t->state_bound))
        rein_panel_add(panel_at(f, 0), (rein_mark){.kind = REIN_MARK_VREGION,
                                                   .series = "state bound",
                                                   .colour = REIN_GREY,
                                                   .n = 2,
                                                   .lo = edge,
                                                   .hi = edge + 2});
    if (isfinite(t->control_bound))
        rein_panel_add(panel_at(f, 3), (rein_mark){.kind = REIN_MARK_HLINE,
                                                   .label = "bound",
                                                   .series = "control bound",
                                                   .colour = REIN_GREY,
                                                   .dashed = true,
                                                   .n = 2,
                                                   .y = edge + 4});
    return REIN_OK;
}

/* Drawn last: it would be hidden under the ends of good trajectories. */
static rein_status add_target(rein_figure *f, rein_arena *arena, const rein_trajectory *t) {
    double *at;
    if (!t->has_target) return REIN_OK;
    REIN_TRY(rein_arena_alloc(arena, &at, sizeof *at * 2));
    at[0] = t->target[0], at[1] = t->target[1];
    rein_panel_add(panel_at(f, 0), (rein_mark){.kind = REIN_MARK_POINTS,
                                               .label = "target",
                                               .colour = REIN_PURPLE,
                                               .shape = REIN_STAR,
                                               .size = 7,
                                               .n = 1,
                                               .x = at,
                                               .y = at + 1});
    return REIN_OK;
}

static rein_status begin_trajectories(rein_figure *f, rein_arena *arena, const rein_trajectory *t) {
    for (int k = 0; k < 4; k++) {
        rein_panel *p = rein_figure_add(f);
        p->x.label = k == 0 ? t->state_name[0] : "time (s)";
        p->y.label = k == 0 ? t->state_name[1] : k == 3 ? "control" : t->state_name[k - 1];
    }
    explain_ends(f);
    return add_bounds(f, arena, t);
}

/* The paths of one policy; *last is its last trajectory, n = 0 if it has none. */
static rein_status add_policy(rein_figure *f, rein_arena *arena, const rein_eval *e, int64_t policy, int64_t n_case,
                              rein_trajectory *last) {
    const rein_eval_policy *p = &e->policies[policy];
    look l = {p->name, NULL, rein_policy_colour(e, policy), p->role == REIN_ROLE_ORACLE};
    *last = (rein_trajectory){0};
    for (int64_t i = 0; i < p->n && p->cases[i].index < n_case; i++) {
        rein_trajectory t;
        char *series;
        bool has;
        if (p->cases[i].sample != 0) continue;
        REIN_TRY(rein_trajectory_read(&t, &p->cases[i], arena, &has));
        if (!has) continue;
        REIN_TRY(rein_path_format(arena, &series, "%s, case %lld", p->name, (long long)p->cases[i].index));
        l.series = series;
        if (f->n_panel == 0) REIN_TRY(begin_trajectories(f, arena, &t));
        add_path(f, &t, l);
        add_end(f, "start", REIN_CIRCLE, l.colour, t.state[0], t.state[1]);
        add_end(f, "end", REIN_SQUARE, l.colour, t.state[0] + t.n - 1, t.state[1] + t.n - 1);
        l.label = NULL;
        *last = t;
    }
    return REIN_OK;
}

rein_status rein_figure_trajectories(rein_figure *f, rein_arena *arena, const rein_eval *e, const char *name,
                                     int64_t n_case) {
    rein_trajectory last, any = {0};
    REIN_TRY(rein_figure_begin(f, arena, name, 2, 2));
    int64_t drawn = 0;
    if (n_case > MAX_SHOWN) n_case = MAX_SHOWN;
    for (int64_t k = 0; k < e->n_policy && drawn < MAX_DRAWN; k++) {
        if (e->policies[k].role == REIN_ROLE_BASELINE) continue; /* doing nothing would only crowd the figure */
        REIN_TRY(add_policy(f, arena, e, k, n_case, &last));
        if (last.n == 0) continue;
        any = last;
        drawn++;
    }
    if (drawn > 0) REIN_TRY(add_target(f, arena, &any));
    f->height_mm = 120;
    f->caption = "Trajectories of the first cases of the evaluation: models solid, oracle dashed, colours as in (d).";
    return REIN_OK;
}

/* ---- policies side by side ---- */

/* Point estimates with whiskers, one row a policy from top to bottom; one mark a policy, to have its colour. */
static rein_status add_forest(rein_figure *f, rein_arena *arena, const rein_eval *e, const rein_policy_summary *s,
                              size_t member, rein_panel panel) {
    rein_panel *p = rein_figure_add(f);
    const rein_mark *room = p->mark;
    *p = panel;
    p->mark = room;
    for (int64_t k = 0; k < e->n_policy; k++) {
        rein_estimate est;
        double *v;
        memcpy(&est, (const char *)&s[k] + member, sizeof est);
        if (est.n == 0) continue;
        REIN_TRY(rein_arena_alloc(arena, &v, sizeof *v * 4));
        v[0] = est.mean, v[1] = (double)(e->n_policy - 1 - k), v[2] = est.lo, v[3] = est.hi;
        rein_panel_add(p, (rein_mark){.kind = REIN_MARK_POINTS,
                                      .series = e->policies[k].name,
                                      .colour = rein_policy_colour(e, k),
                                      .across = true,
                                      .size = 4,
                                      .n = 1,
                                      .x = v,
                                      .y = v + 1,
                                      .lo = v + 2,
                                      .hi = v + 3});
    }
    return REIN_OK;
}

rein_status rein_figure_policies(rein_figure *f, rein_arena *arena, const rein_eval *e, const char *name) {
    rein_policy_summary *s;
    const char **names;
    bool any_cost = false;
    REIN_TRY(rein_figure_begin(f, arena, name, 1, 3));
    if (e->n_policy == 0) return REIN_OK;
    REIN_TRY(rein_summarize(e, arena, &s));
    REIN_TRY(rein_arena_alloc(arena, &names, sizeof *names * (size_t)e->n_policy));
    for (int64_t k = 0; k < e->n_policy; k++) {
        names[e->n_policy - 1 - k] = e->policies[k].name;
        any_cost = any_cost || s[k].cost_ratio.n > 0;
    }
    rein_axis rows = {.category = names, .n_category = e->n_policy};
    rein_panel reward = {.title = "Mean reward", .x = {.label = "reward"}, .y = rows};
    REIN_TRY(add_forest(f, arena, e, s, offsetof(rein_policy_summary, reward), reward));
    rows.bare = true;
    rein_panel cost = {.title = "Cost", .x = {.label = "cost / oracle's cost", .log = true}, .y = rows};
    if (any_cost) REIN_TRY(add_forest(f, arena, e, s, offsetof(rein_policy_summary, cost_ratio), cost));
    rein_panel success = {
        .title = "Success", .x = {.label = "success rate", .fixed = true, .lo = -0.03, .hi = 1.03}, .y = rows};
    REIN_TRY(add_forest(f, arena, e, s, offsetof(rein_policy_summary, success), success));
    f->columns = f->n_panel;
    f->height_mm = 18 + 6.5 * (double)e->n_policy;
    f->caption = "Policies on the same cases, with 95 % confidence intervals.";
    return REIN_OK;
}

/* ---- paired differences ---- */

static double bin_width(const double *v, int64_t n) {
    double lo = v[0], hi = v[0];
    for (int64_t i = 1; i < n; i++) {
        lo = fmin(lo, v[i]);
        hi = fmax(hi, v[i]);
    }
    rein_ticks t;
    rein_axis axis = {0};
    rein_ticks_make(&t, &axis, lo, hi, 24); /* about 24 bins, edges at multiples of a nice number */
    return t.n > 1 ? t.at[1] - t.at[0] : 1;
}

static rein_status add_histogram(rein_panel *p, rein_arena *arena, const double *v, int64_t n, double *top) {
    double width = bin_width(v, n), first = INFINITY, last = -INFINITY, *x, *y;
    for (int64_t i = 0; i < n; i++) {
        first = fmin(first, floor(v[i] / width));
        last = fmax(last, floor(v[i] / width));
    }
    int64_t bins = (int64_t)(last - first) + 1;
    REIN_TRY(rein_arena_alloc(arena, &x, sizeof *x * (size_t)bins));
    REIN_TRY(rein_arena_alloc(arena, &y, sizeof *y * (size_t)bins));
    for (int64_t i = 0; i < bins; i++) x[i] = (first + (double)i + 0.5) * width;
    for (int64_t i = 0; i < n; i++) y[(int64_t)(floor(v[i] / width) - first)] += 1;
    for (int64_t i = 0; i < bins; i++) *top = fmax(*top, y[i]);
    rein_panel_add(
        p,
        (rein_mark){
            .kind = REIN_MARK_BARS, .series = "cases", .colour = REIN_SKY, .size = width, .n = bins, .x = x, .y = y});
    return REIN_OK;
}

static rein_status add_pair(rein_figure *f, rein_arena *arena, const rein_comparison *c) {
    double *v, top = 0;
    char *title;
    rein_panel *p = rein_figure_add(f);
    REIN_TRY(rein_path_format(arena, &title, "%s \xe2\x88\x92 %s", c->a->name, c->b->name));
    p->title = title;
    p->x.label = "difference in reward";
    p->y = (rein_axis){.label = "cases", .zero = true};
    REIN_TRY(add_histogram(p, arena, c->difference, c->reward.n, &top));
    REIN_TRY(rein_arena_alloc(arena, &v, sizeof *v * 5));
    v[1] = c->reward.mean, v[2] = 1.1 * top, v[3] = c->reward.lo, v[4] = c->reward.hi; /* v[0]: no difference */
    rein_panel_add(p, (rein_mark){.kind = REIN_MARK_VLINE,
                                  .series = "zero",
                                  .colour = REIN_INK,
                                  .dashed = true,
                                  .size = 0.8,
                                  .n = 1,
                                  .x = v});
    rein_panel_add(p, (rein_mark){.kind = REIN_MARK_POINTS,
                                  .label = "mean, 95 % CI",
                                  .series = "mean",
                                  .colour = REIN_VERMILION,
                                  .across = true,
                                  .n = 1,
                                  .x = v + 1,
                                  .y = v + 2,
                                  .lo = v + 3,
                                  .hi = v + 4});
    return REIN_OK;
}

rein_status rein_figure_paired(rein_figure *f, rein_arena *arena, const rein_comparison *c, int64_t n,
                               const char *name) {
    enum { MOST = 6 };
    if (n > MOST) n = MOST;
    int64_t columns = n < 3 ? n : 3;
    REIN_TRY(rein_figure_begin(f, arena, name, n > 0 ? (n + 2) / 3 : 1, columns > 0 ? columns : 1));
    for (int64_t i = 0; i < n; i++) REIN_TRY(add_pair(f, arena, &c[i]));
    if (columns == 1) f->width_mm = 84;
    f->caption =
        "Paired differences in reward on the same cases, with the mean and its 95 % bootstrap interval; the dashed "
        "line is no difference.";
    return REIN_OK;
}
