/* Schedules of values: what they are at each step, and what is refused. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "optim/value_schedule.h"

static rein_value_schedule parsed(const char *text) {
    rein_value_schedule s;
    if (rein_value_schedule_parse(&s, "temperature", text, 0, 10) != REIN_OK) fail_msg("%s", rein_error_message());
    return s;
}

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12)) fail_msg("%.17g, expected %.17g", got, want);
}

static void constants(void **state) {
    (void)state;
    rein_value_schedule s = parsed("0.7");
    assert_true(rein_value_is_constant(&s));
    for (int64_t k = 0; k < 5; k++) assert_true(rein_value_at(&s, k, 5) == 0.7);
    s = parsed("linear:1:1");
    assert_true(rein_value_is_constant(&s));
}

static void lines(void **state) {
    (void)state;
    rein_value_schedule s = parsed("linear:1.0:0.5:100");
    assert_false(rein_value_is_constant(&s));
    assert_true(rein_value_at(&s, 0, 1000) == 1.0 && rein_value_at(&s, 100, 1000) == 0.5);
    near(rein_value_at(&s, 50, 1000), 0.75);
    assert_true(rein_value_at(&s, 999, 1000) == 0.5);
    s = parsed("linear:0:1"); /* ends in the last step */
    near(rein_value_at(&s, 3, 11), 0.3);
    assert_true(rein_value_at(&s, 10, 11) == 1);
    assert_true(rein_value_at(&s, 0, 1) == 1); /* the only step is the last one */
}

static void cosines(void **state) {
    (void)state;
    rein_value_schedule s = parsed("cosine:2:1:12");
    assert_true(rein_value_at(&s, 0, 20) == 2 && rein_value_at(&s, 12, 20) == 1 && rein_value_at(&s, 19, 20) == 1);
    near(rein_value_at(&s, 6, 20), 1.5);
    near(rein_value_at(&s, 4, 20), 1.75); /* (1 - cos(pi / 3)) / 2 = 1 / 4 of the way */
}

static void steps(void **state) {
    (void)state;
    rein_value_schedule s = parsed("steps:0=1.0,100=0.7,250=1e-1");
    assert_false(rein_value_is_constant(&s));
    assert_true(rein_value_at(&s, 0, 1) == 1.0 && rein_value_at(&s, 99, 1) == 1.0);
    assert_true(rein_value_at(&s, 100, 1) == 0.7 && rein_value_at(&s, 249, 1) == 0.7);
    assert_true(rein_value_at(&s, 250, 1) == 0.1 && rein_value_at(&s, 100000, 1) == 0.1);
}

static void refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "hot",
                                        "nan",
                                        "11",
                                        "-1",
                                        "linear:1",
                                        "linear:1:11",
                                        "linear:1:2:",
                                        "linear:1:2:0",
                                        "linear:1:2:3:4",
                                        "linear:a:b",
                                        "linear::1",
                                        "linear:1:2:x",
                                        "sine:1:2",
                                        "steps:",
                                        "steps:1=1",
                                        "steps:0",
                                        "steps:0=",
                                        "steps:0=1,0=2",
                                        "steps:0=1,5",
                                        "steps:0=1,",
                                        "steps:0=1,5=2,4=3",
                                        "steps:0=20",
                                        "steps:0=1;5=2",
                                        "cosine:1:2:1.5"};
    for (size_t i = 0; i < REIN_COUNT(wrong); i++) {
        rein_value_schedule s;
        if (rein_value_schedule_parse(&s, "temperature", wrong[i], 0, 10) != REIN_ERR_USAGE)
            fail_msg("'%s' was taken", wrong[i]);
        assert_non_null(strstr(rein_error_message(), "temperature"));
    }
    char many[400] = "steps:0=1";
    for (int i = 1; i <= REIN_VALUE_POINTS; i++) snprintf(many + strlen(many), sizeof many - strlen(many), ",%d=1", i);
    rein_value_schedule s;
    FAILS_WITH(REIN_ERR_USAGE, rein_value_schedule_parse(&s, "beta", many, 0, 10));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants), cmocka_unit_test(lines),   cmocka_unit_test(cosines),
        cmocka_unit_test(steps),     cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
