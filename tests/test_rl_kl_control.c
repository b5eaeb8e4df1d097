/* KL controllers and cap against tables worked by hand. */
#include "golden_json.h"

#include "rl/kl_control.h"

static void test_fixed(void **state) {
    (void)state;
    rein_kl_control_options o = rein_kl_control_options_default();
    assert_int_equal(rein_kl_control_options_check(&o), REIN_OK);
    assert_true(rein_kl_control_next(&o, 0.001, 1e9, 64) == 0.001);
}

/* InstructGPT's and verl's: the error is clipped to 20 %, and 1000 sequences are a tenth of the horizon. */
static void test_adaptive(void **state) {
    (void)state;
    static const struct {
        double kl, factor;
    } table[] = {{0.1, 1}, {0.11, 1.01}, {0.12, 1.02}, {5, 1.02}, {0.09, 0.99}, {0.05, 0.98}, {-1, 0.98}};
    rein_kl_control_options o = rein_kl_control_options_default();
    double coef = 0.2;
    o.type = REIN_KL_ADAPTIVE;
    assert_int_equal(rein_kl_control_options_check(&o), REIN_OK);
    for (size_t i = 0; i < REIN_COUNT(table); i++) {
        double next = rein_kl_control_next(&o, coef, table[i].kl, 1000);
        golden_near(next, coef * table[i].factor, 1e-14, "coefficient", "adaptive");
        coef = next;
    }
    assert_true(rein_kl_control_next(&o, coef, NAN, 1000) == coef);
}

/* Start 0.2, target 0.4 +- 15 %: the band is [0.34, 0.46]; bounds 1e-6 and 10. */
static void test_band(void **state) {
    (void)state;
    static const struct {
        double kl, coef;
    } table[] = {{0.4, 0.2},   {0.459, 0.2}, {0.461, 0.3},      {0.5, 0.45},     {0.341, 0.45},
                 {0.339, 0.3}, {0, 0.2},     {-0.1, 0.2 / 1.5}, {NAN, 0.2 / 1.5}};
    rein_kl_control_options o = rein_kl_control_options_default();
    o.type = REIN_KL_BAND;
    o.kl_coef = 0.2;
    o.target_kl = 0.4;
    assert_int_equal(rein_kl_control_options_check(&o), REIN_OK);
    double coef = o.kl_coef;
    for (size_t i = 0; i < REIN_COUNT(table); i++) {
        coef = rein_kl_control_next(&o, coef, table[i].kl, 8);
        golden_near(coef, table[i].coef, 1e-14, "coefficient", "band");
    }
    for (int i = 0; i < 100; i++) coef = rein_kl_control_next(&o, coef, 9, 8);
    assert_true(coef == 10);
    for (int i = 0; i < 100; i++) coef = rein_kl_control_next(&o, coef, 0, 8);
    assert_true(coef == 1e-6);
}

static void test_cap(void **state) {
    (void)state;
    const rein_kl_cap_options o = {.cap = 3, .max_refusals = 3}, none = {0}, patient = {.cap = 3};
    rein_kl_cap_state s = {0};
    assert_int_equal(rein_kl_cap_judge(&s, &o, 3), REIN_KL_ALLOW);
    assert_int_equal(rein_kl_cap_judge(&s, &o, 3.01), REIN_KL_REFUSE);
    assert_int_equal(rein_kl_cap_judge(&s, &o, NAN), REIN_KL_REFUSE);
    assert_int_equal(rein_kl_cap_judge(&s, &o, 1), REIN_KL_ALLOW);
    assert_true(s.refused == 2 && s.in_row == 0);
    assert_int_equal(rein_kl_cap_judge(&s, &o, 4), REIN_KL_REFUSE);
    assert_int_equal(rein_kl_cap_judge(&s, &o, 4), REIN_KL_REFUSE);
    assert_int_equal(rein_kl_cap_judge(&s, &o, 4), REIN_KL_STOP);
    assert_true(s.refused == 5 && s.in_row == 3);
    assert_int_equal(rein_kl_cap_judge(&s, &none, INFINITY), REIN_KL_ALLOW);
    for (int i = 0; i < 50; i++) assert_int_equal(rein_kl_cap_judge(&s, &patient, 4), REIN_KL_REFUSE);
}

static void refused(rein_kl_control_options o, const char *message) {
    assert_int_equal(rein_kl_control_options_check(&o), REIN_ERR_USAGE);
    assert_non_null(strstr(rein_error_message(), message));
}

static void test_refusals(void **state) {
    (void)state;
    rein_kl_control_options o = rein_kl_control_options_default(), wrong;
    wrong = o, wrong.kl_coef = -1, refused(wrong, "kl_coef is -1");
    wrong = o, wrong.kl_coef = NAN, refused(wrong, "kl_coef is nan");
    o.type = REIN_KL_ADAPTIVE;
    wrong = o, wrong.kl_coef = 0, refused(wrong, "kl_coef is 0");
    wrong = o, wrong.target_kl = 0, refused(wrong, "target_kl is 0");
    wrong = o, wrong.horizon = 0, refused(wrong, "horizon is 0");
    o.type = REIN_KL_BAND;
    wrong = o, wrong.tolerance = 1, refused(wrong, "kl_tolerance is 1");
    wrong = o, wrong.factor = 1, refused(wrong, "kl_factor is 1");
    wrong = o, wrong.kl_coef = 11, refused(wrong, "kl_coef_max 10");
    assert_int_equal(rein_kl_cap_options_check(&(rein_kl_cap_options){.cap = -1}), REIN_ERR_USAGE);
    assert_int_equal(rein_kl_cap_options_check(&(rein_kl_cap_options){.max_refusals = 2}), REIN_ERR_USAGE);
    assert_int_equal(rein_kl_cap_options_check(&(rein_kl_cap_options){.cap = 1, .max_refusals = 2}), REIN_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed), cmocka_unit_test(test_adaptive), cmocka_unit_test(test_band),
        cmocka_unit_test(test_cap),   cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
