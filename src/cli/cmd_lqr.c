/* rein lqr: gains of a linear-quadratic regulator, for a known system or for given matrices. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/numbers.h"
#include "env/control/linalg.h"
#include "env/control/system.h"

typedef struct values {
    const char *A, *B, *Q, *R;
    double dt;
    int discretization;
} values;

static const rein_option rows[] = {
    {"dt", REIN_OPT_FLOAT, offsetof(values, dt), "0.1", 1e-6, 10, NULL, "time step, seconds", NULL},
    {"discretization", REIN_OPT_CHOICE, offsetof(values, discretization), "semi", 0, 0, REIN_DISCRETIZATIONS,
     "semi-implicit Euler, exact hold, Runge-Kutta", NULL},
    {"A", REIN_OPT_STRING, offsetof(values, A), NULL, 0, 0, NULL, "state matrix: JSON rows or a file of them", "FILE"},
    {"B", REIN_OPT_STRING, offsetof(values, B), NULL, 0, 0, NULL, "input matrix: JSON rows or a file of them", "FILE"},
    {"Q", REIN_OPT_STRING, offsetof(values, Q), NULL, 0, 0, NULL, "state cost: a diagonal 10,10, JSON rows or a file",
     "Q"},
    {"R", REIN_OPT_STRING, offsetof(values, R), NULL, 0, 0, NULL, "input cost: a diagonal 0.1, JSON rows or a file",
     "R"},
};

/* A matrix of the command line whose size is known, or told by it where *rows or *cols is 0. */
static rein_status load(double *out, const char *name, const char *text, int *n_rows, int *n_cols) {
    int found_rows, found_cols;
    double cells[REIN_LIN_CELLS];
    REIN_TRY(rein_matrix_load(cells, REIN_LIN_MAX, &found_rows, &found_cols, name, text));
    if ((*n_rows && found_rows != *n_rows) || (*n_cols && found_cols != *n_cols))
        return rein_fail(REIN_ERR_USAGE, "--%s is %dx%d, but must be %dx%d", name, found_rows, found_cols,
                         *n_rows ? *n_rows : found_rows, *n_cols ? *n_cols : found_cols);
    *n_rows = found_rows;
    *n_cols = found_cols;
    memcpy(out, cells, sizeof *cells * (size_t)(found_rows * found_cols));
    return REIN_OK;
}

static rein_status given_dynamics(rein_lqr_problem *p, const values *v) {
    int square = 0;
    if (!v->A || !v->B || !v->Q || !v->R) return rein_fail(REIN_ERR_USAGE, "--A, --B, --Q and --R belong together");
    REIN_TRY(load(p->A, "A", v->A, &p->n, &square));
    if (square != p->n) return rein_fail(REIN_ERR_USAGE, "--A is %dx%d, but must be square", p->n, square);
    return load(p->B, "B", v->B, &p->n, &p->m);
}

static rein_status known_dynamics(rein_lqr_problem *p, const values *v, const char *name) {
    const rein_system *s;
    const rein_discretization how = (rein_discretization)v->discretization;
    REIN_TRY(rein_system_find(&s, name));
    REIN_TRY(rein_system_check(s, how));
    *p = (rein_lqr_problem){.n = 2, .m = 1, .Q = {s->q[0], 0, 0, s->q[1]}, .R = {s->r}};
    rein_system_linearize(p->A, p->B, s, v->dt, how);
    return REIN_OK;
}

static rein_status closed_loop_poles(double *re, double *im, const rein_lqr_problem *p, const double *K) {
    double loop[REIN_LIN_CELLS];
    rein_lin_mul(loop, p->B, K, p->n, p->m, p->n);
    for (int i = 0; i < p->n * p->n; i++) loop[i] = p->A[i] - loop[i];
    return rein_lin_eigenvalues(re, im, loop, p->n);
}

static void put_result(rein_str *out, bool json, const rein_lqr_problem *p, const double *K, const double *P,
                       const double *poles) {
    rein_str_puts(out, json ? "{\"K\":" : "K = ");
    rein_matrix_put(out, K, p->m, p->n);
    rein_str_puts(out, json ? ",\"P\":" : "\nP = ");
    rein_matrix_put(out, P, p->n, p->n);
    rein_str_puts(out, json ? ",\"poles\":" : "\npoles (real, imaginary) = ");
    rein_matrix_put(out, poles, p->n, 2);
    if (json) rein_str_putc(out, '}');
    rein_str_putc(out, '\n');
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    rein_lqr_problem p = {0};
    double K[REIN_LIN_CELLS], P[REIN_LIN_CELLS], re[REIN_LIN_MAX], im[REIN_LIN_MAX], poles[REIN_LIN_MAX * 2];
    rein_str text = {0};
    if (v->A || v->B) {
        if (n_words > 0) return rein_fail(REIN_ERR_USAGE, "give a system or --A and --B, not both");
        REIN_TRY(given_dynamics(&p, v));
    } else {
        REIN_TRY(known_dynamics(&p, v, n_words > 0 ? words[0] : "double_integrator"));
    }
    if (v->Q) REIN_TRY(load(p.Q, "Q", v->Q, &p.n, &p.n));
    if (v->R) REIN_TRY(load(p.R, "R", v->R, &p.m, &p.m));
    REIN_TRY(rein_lqr_solve(K, P, &p));
    REIN_TRY(closed_loop_poles(re, im, &p, K));
    for (int i = 0; i < p.n; i++) {
        poles[2 * i] = re[i];
        poles[2 * i + 1] = im[i];
    }
    put_result(&text, cli->json, &p, K, P, poles);
    rein_status status = rein_str_check(&text);
    if (status == REIN_OK) fputs(text.data, cli->out);
    rein_str_deinit(&text);
    return status;
}

const rein_command rein_cmd_lqr = {
    .name = "lqr",
    .subject = "SYSTEM",
    .summary = "gains of the linear-quadratic regulator",
    .options = rows,
    .n_options = (int64_t)REIN_COUNT(rows),
    .values_size = sizeof(values),
    .max_positional = 1,
    .run = run,
};
