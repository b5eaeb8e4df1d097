/* The table of systems, their shared integrators and their discretised linearisation; see system.h. */
#include "env/control/system.h"

#include <string.h>

#include "env/control/linalg.h"

static const rein_system *const systems[] = {&rein_double_integrator, NULL};

rein_status rein_system_find(const rein_system **out, const char *name) {
    rein_status status;
    rein_str known = {0};
    for (const rein_system *const *s = systems; *s; s++) {
        *out = *s;
        if (strcmp((*s)->name, name) == 0 || strcmp((*s)->alias, name) == 0) goto found;
        rein_str_printf(&known, "%s%s (%s)", known.len ? ", " : "", (*s)->name, (*s)->alias);
    }
    status = rein_fail(REIN_ERR_USAGE, "unknown system '%s'; known: %s", name, known.data ? known.data : "none");
    rein_str_deinit(&known);
    return status;
found:
    rein_str_deinit(&known);
    return REIN_OK;
}

rein_status rein_system_check(const rein_system *system, rein_discretization how) {
    if (how == REIN_DISCRETE_ZOH && !system->zoh)
        return rein_fail(REIN_ERR_USAGE, "discretization 'zoh' is not exact for %s; use semi or rk4", system->name);
    return REIN_OK;
}

/* The acceleration as the integrators call it: the system's own, or its linearisation. */
static double accelerate(const rein_system *s, bool linear, double x, double v, double u) {
    return linear ? s->linear[0] * x + s->linear[1] * v + s->linear[2] * u : s->acceleration(x, v, u);
}

static void step_rk4(double next[2], const rein_system *s, bool linear, const double state[2], double u, double dt) {
    static const double reach[4] = {0, 0.5, 0.5, 1}, weight[4] = {1, 2, 2, 1};
    double x = state[0], v = state[1], dx = 0, dv = 0, sum_x = 0, sum_v = 0;
    for (int i = 0; i < 4; i++) {
        double at_x = x + reach[i] * dt * dx, at_v = v + reach[i] * dt * dv;
        dx = at_v;
        dv = accelerate(s, linear, at_x, at_v, u);
        sum_x += weight[i] * dx;
        sum_v += weight[i] * dv;
    }
    next[0] = x + dt / 6 * sum_x;
    next[1] = v + dt / 6 * sum_v;
}

static void step(double next[2], const rein_system *s, bool linear, const double state[2], double u, double dt,
                 rein_discretization how) {
    if (how == REIN_DISCRETE_RK4) {
        step_rk4(next, s, linear, state, u, dt);
        return;
    }
    double x = state[0], v = state[1], a = accelerate(s, linear, x, v, u);
    double v_next = v + a * dt;
    next[0] = how == REIN_DISCRETE_SEMI ? x + v_next * dt : x + v * dt + 0.5 * a * dt * dt;
    next[1] = v_next;
}

void rein_system_step(double next[2], const rein_system *s, const double state[2], double u, double dt,
                      rein_discretization how) {
    step(next, s, false, state, u, dt, how);
}

/* A linear step is known by what it does to the unit vectors. */
void rein_system_linearize(double A[4], double B[2], const rein_system *s, double dt, rein_discretization how) {
    for (int j = 0; j < 2; j++) {
        double unit[2] = {j == 0, j == 1}, column[2];
        step(column, s, true, unit, 0, dt, how);
        A[j] = column[0];
        A[2 + j] = column[1];
    }
    step(B, s, true, (const double[2]){0, 0}, 1, dt, how);
}

rein_status rein_system_lqr(double K[2], double P[4], const rein_system *s, double dt, rein_discretization how) {
    double own_P[4];
    rein_lqr_problem p = {.n = 2, .m = 1, .Q = {s->q[0], 0, 0, s->q[1]}, .R = {s->r}};
    rein_system_linearize(p.A, p.B, s, dt, how);
    return rein_lqr_solve(K, P ? P : own_P, &p);
}
