/*
 * Dynamical systems: one row of a table each.
 *
 * A system is of second order with one input: x'' = a(x, v, u). Its row gives the acceleration and the acceleration's
 * linearisation at the origin; the integrators are shared. rein_system_step is the only dynamics there is: solver,
 * teacher, reward, evaluation and command line call it.
 */
#ifndef REIN_ENV_CONTROL_SYSTEM_H
#define REIN_ENV_CONTROL_SYSTEM_H

#include "base/base.h"

/** In the order of the option's choices "semi|zoh|rk4". */
typedef enum rein_discretization {
    REIN_DISCRETE_SEMI, /* semi-implicit Euler: v += a dt, then x += v dt */
    REIN_DISCRETE_ZOH,  /* exact for an acceleration that depends on the held input alone */
    REIN_DISCRETE_RK4   /* classical Runge-Kutta, input held */
} rein_discretization;
#define REIN_DISCRETIZATIONS "semi|zoh|rk4"

typedef struct rein_system {
    const char *name, *alias;
    double (*acceleration)(double x, double v, double u);
    double linear[3];         /* d(acceleration)/d(x, v, u) at the origin */
    bool zoh;                 /* REIN_DISCRETE_ZOH is exact */
    double state_bound;       /* |x|, |v| beyond it are violations */
    double control_bound;     /* |u| beyond it is a violation; the actuator saturates there */
    double q[2], r, terminal; /* cost: sum q0 x^2 + q1 v^2 + r u^2, + terminal (x^2 + v^2) */
    const double (*fixed)[2]; /* published starts for evaluation */
    int64_t n_fixed;
    const char *title;       /* "double integrator" */
    const char *equation;    /* for the prompt, "x'' = u" */
    const char *explanation; /* dynamics in words, for the reasoning text */
} rein_system;

/** By name or alias; REIN_ERR_USAGE names the known ones. */
REIN_NODISCARD rein_status rein_system_find(const rein_system **out, const char *name);

/** REIN_ERR_USAGE if the discretisation does not suit the system. */
REIN_NODISCARD rein_status rein_system_check(const rein_system *system, rein_discretization how);

/** next = state after dt seconds under the held input u; nothing is clamped. next may alias state. */
void rein_system_step(double next[2], const rein_system *system, const double state[2], double u, double dt,
                      rein_discretization how);

/** A (2,2) and B (2,1) of the system linearised at the origin and discretised. */
void rein_system_linearize(double A[4], double B[2], const rein_system *system, double dt, rein_discretization how);

/** K (2) and P (2,2) of the system's own cost weights for the linearised, discretised system; P may be NULL. */
REIN_NODISCARD rein_status rein_system_lqr(double K[2], double P[4], const rein_system *system, double dt,
                                           rein_discretization how);

extern const rein_system rein_double_integrator;

#endif
