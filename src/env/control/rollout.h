/*
 * One simulated answer: the trajectory, its cost and its violations. The only simulation and the only cost of the
 * control world.
 */
#ifndef REIN_ENV_CONTROL_ROLLOUT_H
#define REIN_ENV_CONTROL_ROLLOUT_H

#include "env/control/system.h"

enum { REIN_CONTROL_MAX_STEPS = 512 };

/** How time passes for a system. */
typedef struct rein_plant {
    const rein_system *system;
    double dt; /* seconds */
    rein_discretization how;
} rein_plant;

typedef struct rein_rollout {
    int steps;
    double state[REIN_CONTROL_MAX_STEPS + 1][2]; /* steps + 1 of them */
    int control_violations;                      /* |u| beyond the bound */
    int state_violations;                        /* steps that end outside the box */
    int valid_states;                            /* of the steps + 1 stored ones */
    double cost;                                 /* with the controls as asked for, not as saturated */
    double final_error;                          /* Euclidean norm of the last state */
} rein_rollout;

/**
 * Simulate `steps` controls from x0. Controls saturate at the system's bound before they act.
 *
 * @param clamp_states  put every state back into the box before it is stored and used, as the first published rewards
 *                      do (violations are counted before); false: what really happens.
 * @param u             (steps) finite; steps in 1 .. REIN_CONTROL_MAX_STEPS.
 */
void rein_rollout_run(rein_rollout *out, const rein_plant *plant, const double x0[2], const double *u, int steps,
                      bool clamp_states);

/** Success: final error below 0.1 and no violation. Meant for rollouts whose states are not clamped. */
bool rein_rollout_success(const rein_rollout *rollout);

/** Mean over controls of |u|, and over neighbours of |u[k+1] - u[k]| (0 for one control). */
double rein_mean_effort(const double *u, int steps);
double rein_mean_change(const double *u, int steps);
/** Seconds until the error is below 0.1 for the first time; the whole duration if never. */
double rein_settling_time(const rein_rollout *rollout, double dt);
double rein_norm2(const double state[2]);

#endif
