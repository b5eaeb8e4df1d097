/* The figures of a report, made from a run's store. Each returns n_panel = 0 if the store has nothing to draw. */
#ifndef REIN_REPORT_FIGURES_H
#define REIN_REPORT_FIGURES_H

#include "report/plot.h"
#include "report/summary.h"
#include "run/run.h"

/** Learning curves: loss, rate, gradient, and for RL reward, success, KL, clipping, entropy, length. */
REIN_NODISCARD rein_status rein_figure_training(rein_figure *f, rein_arena *arena, const rein_rundir *run,
                                                const char *name);

/** Every component of the reward (rewards/NAME/mean), one panel each, with its standard deviation over the batch. */
REIN_NODISCARD rein_status rein_figure_components(rein_figure *f, rein_arena *arena, const rein_rundir *run,
                                                  const char *name);

/** 2 x 2: phase space, position, velocity, control of the first `n_case` cases; models solid, oracle dashed. */
REIN_NODISCARD rein_status rein_figure_trajectories(rein_figure *f, rein_arena *arena, const rein_eval *e,
                                                    const char *name, int64_t n_case);

/** Mean reward, cost ratio and success of every policy with 95 % intervals. */
REIN_NODISCARD rein_status rein_figure_policies(rein_figure *f, rein_arena *arena, const rein_eval *e,
                                                const char *name);

/** Histograms of paired reward differences with mean and 95 % interval, one panel a pair (at most 6). */
REIN_NODISCARD rein_status rein_figure_paired(rein_figure *f, rein_arena *arena, const rein_comparison *c, int64_t n,
                                              const char *name);

/** Colour and style by which a policy is known in every figure of its evaluation. */
rein_colour rein_policy_colour(const rein_eval *e, int64_t policy);

/* ---- for the files that make figures ---- */

enum { REIN_PANEL_MARKS = 96 };
/** `rows` x `columns` empty panels, n_panel 0; every panel has room for REIN_PANEL_MARKS marks. */
REIN_NODISCARD rein_status rein_figure_begin(rein_figure *f, rein_arena *arena, const char *name, int64_t rows,
                                             int64_t columns);
/** The next panel, to be filled. */
rein_panel *rein_figure_add(rein_figure *f);
/** A mark appended to a panel of rein_figure_add; returned to be filled. */
rein_mark *rein_panel_add(rein_panel *p, rein_mark mark);

#endif
