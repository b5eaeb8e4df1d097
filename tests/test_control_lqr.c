/* Dynamics, the Riccati solver and eigenvalues against golden/control (scipy, control). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "env/control/linalg.h"
#include "env/control/rollout.h"

static const rein_system *di(void) {
    const rein_system *s;
    assert_int_equal(rein_system_find(&s, "di"), REIN_OK);
    return s;
}

/* ---- golden files ---- */

static struct json_object *load(const char *path) {
    struct json_object *doc;
    rein_status status = rein_json_load(&doc, path);
    if (status) fail_msg("%s", rein_error_message());
    return doc;
}

static struct json_object *member(struct json_object *obj, const char *key) {
    struct json_object *value;
    assert_true(json_object_object_get_ex(obj, key, &value));
    return value;
}

static int rows_of(struct json_object *m) { return (int)json_object_array_length(m); }

static double cell(struct json_object *m, int i, int j) {
    return json_object_get_double(json_object_array_get_idx(json_object_array_get_idx(m, (size_t)i), (size_t)j));
}

static void read_matrix(double *out, struct json_object *m, int n, int k) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < k; j++) out[i * k + j] = cell(m, i, j);
}

static double worst_relative(const double *found, const double *want, int n) {
    double scale = 0, worst = 0;
    for (int i = 0; i < n; i++) scale = fmax(scale, fabs(want[i]));
    for (int i = 0; i < n; i++) worst = fmax(worst, fabs(found[i] - want[i]) / scale);
    return worst;
}

static void closed_loop(double *out, const rein_lqr_problem *p, const double *K) {
    rein_lin_mul(out, p->B, K, p->n, p->m, p->n);
    for (int i = 0; i < p->n * p->n; i++) out[i] = p->A[i] - out[i];
}

static void check_lqr_case(struct json_object *c) {
    rein_lqr_problem p = {.n = rows_of(member(c, "A")), .m = rows_of(member(c, "R"))};
    double K[REIN_LIN_CELLS], P[REIN_LIN_CELLS], want_K[REIN_LIN_CELLS], want_P[REIN_LIN_CELLS], loop[REIN_LIN_CELLS];
    double re[REIN_LIN_MAX], im[REIN_LIN_MAX], radius = 0;
    read_matrix(p.A, member(c, "A"), p.n, p.n);
    read_matrix(p.B, member(c, "B"), p.n, p.m);
    read_matrix(p.Q, member(c, "Q"), p.n, p.n);
    read_matrix(p.R, member(c, "R"), p.m, p.m);
    read_matrix(want_K, member(c, "K"), p.m, p.n);
    read_matrix(want_P, member(c, "P"), p.n, p.n);
    if (rein_lqr_solve(K, P, &p)) fail_msg("%s", rein_error_message());
    assert_true(worst_relative(K, want_K, p.m * p.n) < 1e-8);
    assert_true(worst_relative(P, want_P, p.n * p.n) < 1e-8);
    closed_loop(loop, &p, K);
    if (rein_lin_eigenvalues(re, im, loop, p.n)) fail_msg("%s", rein_error_message());
    for (int i = 0; i < p.n; i++) radius = fmax(radius, sqrt(re[i] * re[i] + im[i] * im[i]));
    assert_true(fabs(radius - json_object_get_double(member(c, "closed_loop_spectral_radius"))) < 1e-6);
}

static void test_riccati_goldens(void **state) {
    (void)state;
    struct json_object *doc = load("golden/control/lqr.json"), *systems = member(doc, "systems");
    assert_int_equal(rows_of(systems), 46);
    for (int i = 0; i < 46; i++) check_lqr_case(json_object_array_get_idx(systems, (size_t)i));
    json_object_put(doc);
}

static void test_gains_of_both_discretisations(void **state) {
    (void)state;
    double K[2], P[4];
    assert_int_equal(rein_system_lqr(K, P, di(), 0.1, REIN_DISCRETE_ZOH), REIN_OK);
    assert_true(fabs(K[0] - 5.893854545357) < 1e-9 && fabs(K[1] - 6.820940587085) < 1e-9);
    assert_true(fabs(P[0] - 115.729707) < 1e-6 && fabs(P[1] - 11.180340) < 1e-6 && fabs(P[3] - 17.379958) < 1e-6);
    assert_int_equal(rein_system_lqr(K, NULL, di(), 0.1, REIN_DISCRETE_SEMI), REIN_OK);
    assert_true(fabs(K[0] - 5.8908817) < 1e-6 && fabs(K[1] - 6.5297513) < 1e-6);
}

static void test_unsolvable_problems_are_refused(void **state) {
    (void)state;
    double K[4], P[4];
    rein_lqr_problem p = {.n = 1, .m = 1, .A = {2}, .B = {0}, .Q = {1}, .R = {1}};
    assert_int_equal(rein_lqr_solve(K, P, &p), REIN_ERR_NUMERIC);
    p.B[0] = 1;
    assert_int_equal(rein_lqr_solve(K, P, &p), REIN_OK);
    p.R[0] = 0;
    assert_int_equal(rein_lqr_solve(K, P, &p), REIN_ERR_ARG);
    p = (rein_lqr_problem){.n = 2, .m = 1, .A = {1, 0, 0, 1}, .B = {1, 1}, .Q = {1, 2, 0, 1}, .R = {1}};
    assert_int_equal(rein_lqr_solve(K, P, &p), REIN_ERR_ARG);
}

static void test_eigenvalues_of_known_matrices(void **state) {
    (void)state;
    /* companion matrix of (x-1)(x-2)(x-3)(x^2+1), and a cyclic permutation whose eigenvalues lie on a circle */
    const double companion[25] = {6, -12, 12, -11, 6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0};
    const double cycle[9] = {0, 0, 1, 1, 0, 0, 0, 1, 0};
    double re[5], im[5], sum = 0;
    assert_int_equal(rein_lin_eigenvalues(re, im, companion, 5), REIN_OK);
    for (int i = 0; i < 5; i++) {
        bool real = fabs(im[i]) < 1e-9 && (fabs(re[i] - 1) < 1e-9 || fabs(re[i] - 2) < 1e-9 || fabs(re[i] - 3) < 1e-9);
        assert_true(real || (fabs(re[i]) < 1e-9 && fabs(fabs(im[i]) - 1) < 1e-9));
        sum += re[i];
    }
    assert_true(fabs(sum - 6) < 1e-9);
    assert_int_equal(rein_lin_eigenvalues(re, im, cycle, 3), REIN_OK);
    for (int i = 0; i < 3; i++) assert_true(fabs(re[i] * re[i] + im[i] * im[i] - 1) < 1e-9);
}

static void check_rollout(struct json_object *c) {
    double x0[2], u[REIN_CONTROL_MAX_STEPS];
    struct json_object *controls = member(c, "u"), *start = member(c, "x0"), *want = member(c, "trajectory");
    int n = rows_of(controls);
    rein_rollout r;
    for (int i = 0; i < 2; i++) x0[i] = json_object_get_double(json_object_array_get_idx(start, (size_t)i));
    for (int i = 0; i < n; i++) u[i] = json_object_get_double(json_object_array_get_idx(controls, (size_t)i));
    rein_rollout_run(&r, &(rein_plant){di(), 0.1, REIN_DISCRETE_SEMI}, x0, u, n, false);
    for (int k = 0; k <= n; k++)
        for (int i = 0; i < 2; i++) assert_true(fabs(r.state[k][i] - cell(want, k, i)) < 1e-12);
}

static void test_rollout_goldens(void **state) {
    (void)state;
    struct json_object *doc = load("golden/control/rollouts.json"), *cases = member(doc, "cases");
    assert_true(rows_of(cases) >= 4);
    for (int i = 0; i < rows_of(cases); i++) check_rollout(json_object_array_get_idx(cases, (size_t)i));
    json_object_put(doc);
}

static void test_single_steps(void **state) {
    (void)state;
    const double x0[2] = {0.5, -0.3};
    double next[2], rk4[2];
    rein_system_step(next, di(), x0, 1, 0.1, REIN_DISCRETE_SEMI);
    assert_true(fabs(next[0] - 0.48) < 1e-15 && fabs(next[1] + 0.2) < 1e-15);
    rein_system_step(next, di(), x0, 1, 0.1, REIN_DISCRETE_ZOH);
    assert_true(fabs(next[0] - 0.475) < 1e-15 && fabs(next[1] + 0.2) < 1e-15);
    rein_system_step(rk4, di(), x0, 1, 0.1, REIN_DISCRETE_RK4); /* exact for this system too */
    assert_true(fabs(next[0] - rk4[0]) < 1e-15 && fabs(next[1] - rk4[1]) < 1e-15);
}

static void test_idle_rollout(void **state) {
    (void)state;
    const double x0[2] = {0.4, -0.2}, u[50] = {0};
    rein_rollout r;
    rein_rollout_run(&r, &(rein_plant){di(), 0.1, REIN_DISCRETE_SEMI}, x0, u, 50, false);
    assert_true(fabs(r.state[50][0] + 0.6) < 1e-12 && fabs(r.state[50][1] + 0.2) < 1e-15);
    assert_true(fabs(r.final_error - 0.632456) < 1e-6 && fabs(r.cost - 85.7) < 1e-9);
    assert_false(rein_rollout_success(&r));
}

static void test_unknown_system_is_named(void **state) {
    (void)state;
    const rein_system *s;
    assert_int_equal(rein_system_find(&s, "pendulums"), REIN_ERR_USAGE);
    assert_non_null(strstr(rein_error_message(), "double_integrator (di)"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_riccati_goldens),
        cmocka_unit_test(test_gains_of_both_discretisations),
        cmocka_unit_test(test_unsolvable_problems_are_refused),
        cmocka_unit_test(test_eigenvalues_of_known_matrices),
        cmocka_unit_test(test_rollout_goldens),
        cmocka_unit_test(test_single_steps),
        cmocka_unit_test(test_idle_rollout),
        cmocka_unit_test(test_unknown_system_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
