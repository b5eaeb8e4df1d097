/* What the control world says: prompts, and the reasoning of a demonstration. The wording is part of a data set. */
#include "env/control/control.h"

static void put_state(rein_str *out, const double state[2]) {
    rein_str_puts(out, "position=");
    rein_decimal_print(out, state[0], 2);
    rein_str_puts(out, ", velocity=");
    rein_decimal_print(out, state[1], 2);
}

static double duration(const rein_control *c) { return c->plant.dt * (double)c->config.steps; }

void rein_control_plain_text(rein_str *out, const double state[2]) { put_state(out, state); }

void rein_control_system_text(rein_str *out, const rein_control *c) {
    const rein_system *s = c->plant.system;
    rein_str_printf(
        out,
        "You are a control engineer. The system is a %s, %s. Give a sequence of %lld control inputs that "
        "brings it to the origin (0,0) in exactly %.2f seconds. Position and velocity must stay within "
        "[-%g,%g], controls within [-%g,%g]. Explain your approach between <REASONING> and </REASONING>. "
        "Then give exactly %lld control values as a comma-separated list between <CONTROLS> and </CONTROLS>.",
        s->title, s->equation, (long long)c->config.steps, duration(c), s->state_bound, s->state_bound,
        s->control_bound, s->control_bound, (long long)c->config.steps);
}

void rein_control_user_text(rein_str *out, const rein_control *c, const double state[2]) {
    const rein_system *s = c->plant.system;
    rein_str_printf(out, "Control a %s from the initial state [", s->title);
    put_state(out, state);
    rein_str_printf(out,
                    "] to the origin (0,0) in %.2f seconds with %lld steps. Keep all states within [-%g,%g] and all "
                    "controls within [-%g,%g].",
                    duration(c), (long long)c->config.steps, s->state_bound, s->state_bound, s->control_bound,
                    s->control_bound);
}

void rein_control_reasoning_text(rein_str *out, const rein_control *c, const double state[2]) {
    const rein_system *s = c->plant.system;
    double A[4], B[2];
    rein_system_linearize(A, B, s, c->belief.dt, c->belief.how);
    rein_str_printf(out, "The %s starts at ", s->title);
    put_state(out, state);
    rein_str_printf(out,
                    " and has to reach the origin. %s I use a linear quadratic regulator. It weighs distance from the "
                    "origin (Q = diag(%g, %g)) against control effort (R = %g), so it is quick without wasting force. ",
                    s->explanation, s->q[0], s->q[1], s->r);
    rein_str_printf(out,
                    "With a time step of %g s the dynamics are x[k+1] = A x[k] + B u[k] with A = [[%.6g, %.6g], [%.6g, "
                    "%.6g]] and B = [%.6g, %.6g]. The discrete Riccati equation gives the feedback u = -K x, limited "
                    "to [-%g,%g]. Applied at every step it yields %lld controls over %.2f seconds.",
                    c->plant.dt, A[0], A[1], A[2], A[3], B[0], B[1], s->control_bound, s->control_bound,
                    (long long)c->config.steps, duration(c));
}

void rein_control_answer_text(rein_str *out, const rein_control *c, const double state[2], const double *u,
                              int decimals) {
    bool reasoning = c->config.answer == REIN_STYLE_REASONING;
    if (reasoning) {
        rein_control_reasoning_text(out, c, state);
        rein_str_puts(out, "</REASONING>");
    }
    rein_answer_print(out, u, (int)c->config.steps, decimals, reasoning ? ", " : ",");
}
