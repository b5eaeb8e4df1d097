/* The double integrator: a unit mass on a line under a force. */
#include "env/control/system.h"

static double acceleration(double x, double v, double u) {
    (void)x, (void)v;
    return u;
}

/* The published evaluation starts; two lie outside the box of the training starts. */
static const double fixed[][2] = {{0.7, 0.3},   {-0.5, -0.5}, {0.6, -0.2}, {-0.8, 0.4}, {0.4, 0.6},
                                  {-0.3, -0.7}, {0.9, 0.1},   {-0.2, 0.8}, {0.1, -0.9}, {-0.6, 0.6}};

const rein_system rein_double_integrator = {
    .name = "double_integrator",
    .alias = "di",
    .acceleration = acceleration,
    .linear = {0, 0, 1},
    .zoh = true,
    .state_bound = 1,
    .control_bound = 3,
    .q = {10, 10},
    .r = 0.1,
    .terminal = 50,
    .fixed = fixed,
    .n_fixed = (int64_t)REIN_COUNT(fixed),
    .title = "double integrator",
    .equation = "x'' = u",
    .explanation = "The position changes at the rate of the velocity, and the control is the acceleration.",
};
