/* Simulation and cost; see rollout.h. */
#include "env/control/rollout.h"

#include <math.h>

static const double success_error = 0.1;

double rein_norm2(const double state[2]) { return sqrt(state[0] * state[0] + state[1] * state[1]); }

static double clamp(double x, double bound) { return x > bound ? bound : x < -bound ? -bound : x; }

static bool inside(const double state[2], double bound) { return fabs(state[0]) <= bound && fabs(state[1]) <= bound; }

static double stage_cost(const rein_system *s, const double state[2], double u) {
    return s->q[0] * state[0] * state[0] + s->q[1] * state[1] * state[1] + s->r * u * u;
}

void rein_rollout_run(rein_rollout *out, const rein_plant *plant, const double x0[2], const double *u, int steps,
                      bool clamp_states) {
    const rein_system *s = plant->system;
    REIN_ASSERT(steps >= 1 && steps <= REIN_CONTROL_MAX_STEPS);
    out->steps = steps;
    out->control_violations = out->state_violations = 0;
    out->cost = 0;
    out->state[0][0] = x0[0];
    out->state[0][1] = x0[1];
    out->valid_states = inside(x0, s->state_bound);
    for (int k = 0; k < steps; k++) {
        double *next = out->state[k + 1];
        out->control_violations += fabs(u[k]) > s->control_bound;
        out->cost += stage_cost(s, out->state[k], u[k]);
        rein_system_step(next, s, out->state[k], clamp(u[k], s->control_bound), plant->dt, plant->how);
        out->state_violations += !inside(next, s->state_bound);
        if (clamp_states) {
            next[0] = clamp(next[0], s->state_bound);
            next[1] = clamp(next[1], s->state_bound);
        }
        out->valid_states += inside(next, s->state_bound);
    }
    const double *last = out->state[steps];
    out->cost += s->terminal * (last[0] * last[0] + last[1] * last[1]);
    out->final_error = rein_norm2(last);
}

bool rein_rollout_success(const rein_rollout *r) {
    return r->final_error < success_error && r->control_violations == 0 && r->state_violations == 0;
}

double rein_mean_effort(const double *u, int steps) {
    double sum = 0;
    for (int k = 0; k < steps; k++) sum += fabs(u[k]);
    return sum / steps;
}

double rein_mean_change(const double *u, int steps) {
    double sum = 0;
    for (int k = 1; k < steps; k++) sum += fabs(u[k] - u[k - 1]);
    return steps > 1 ? sum / (steps - 1) : 0;
}

double rein_settling_time(const rein_rollout *r, double dt) {
    int k = 0;
    while (k < r->steps && rein_norm2(r->state[k]) >= success_error) k++;
    return k * dt;
}
