/* Teachers: linear feedback whose rounded control is what acts, so that a label replays to its trajectory exactly. */
#include <math.h>

#include "base/random.h"
#include "env/control/control.h"

void rein_control_feedback(double *u, const rein_plant *belief, const double gain[2], const double x0[2], int steps,
                           int decimals) {
    const double bound = belief->system->control_bound;
    double state[2] = {x0[0], x0[1]};
    for (int k = 0; k < steps; k++) {
        double wish = -gain[0] * state[0] - gain[1] * state[1];
        u[k] = fmin(fmax(wish, -bound), bound);
        if (decimals != REIN_NOT_ROUNDED) u[k] = rein_decimal_round(u[k], decimals);
        rein_system_step(state, belief->system, state, u[k], belief->dt, belief->how);
    }
}

static double draw_uniform(uint64_t seed, const rein_task *task, int64_t draw, uint32_t part, double low, double high) {
    uint32_t fold = (uint32_t)((uint64_t)draw >> 32) << 1 | part;
    double u = rein_random_uniform(seed, REIN_STREAM_DATA, (uint32_t)draw, fold, (uint32_t)task->key,
                                   (uint32_t)(task->key >> 32));
    return low + (high - low) * u;
}

/* An operator's stiffness is a fraction g of LQR's; damping scales with sqrt(g), as that of a second-order system does.
 */
void rein_control_skill(double gain[2], const rein_control *c, uint64_t seed, const rein_task *task, int64_t draw) {
    const rein_control_config *o = &c->config;
    gain[0] = c->gain[0];
    gain[1] = c->gain[1];
    if (o->teacher == REIN_TEACHER_LQR) return;
    double g = draw_uniform(seed, task, draw, 0, o->teacher_gain_min, o->teacher_gain_max);
    double damping = draw_uniform(seed, task, draw, 1, o->teacher_damping_min, o->teacher_damping_max);
    gain[0] *= g;
    gain[1] *= sqrt(g) * damping;
}
