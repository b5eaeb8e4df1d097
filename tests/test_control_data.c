/* Data sets of the control world: same seed same bytes, and an audit that finds every planted fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "env/control/dataset.h"

typedef struct fixture {
    char dir[32], train[64], eval[64];
    rein_env *env;
} fixture;

static const rein_option options[] = {REIN_CONTROL_OPTIONS};

static rein_env *make(const char *answer, const char *decimals) {
    rein_options opts;
    rein_control_config config;
    rein_env *env;
    assert_int_equal(rein_options_init(&opts, options, (int64_t)REIN_COUNT(options), &config), REIN_OK);
    assert_int_equal(rein_options_set(&opts, "answer", answer, 2, "test"), REIN_OK);
    assert_int_equal(rein_options_set(&opts, "decimals", decimals, 2, "test"), REIN_OK);
    if (rein_control_class.create(&env, &config)) fail_msg("%s", rein_error_message());
    rein_options_deinit(&opts);
    return env;
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/rein-control-XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    snprintf(f->train, sizeof f->train, "%s/a_train.jsonl", f->dir);
    snprintf(f->eval, sizeof f->eval, "%s/a_eval.jsonl", f->dir);
    f->env = make("reasoning", "3");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    f->env->cls->destroy(f->env);
    if (rein_remove_tree(f->dir)) return -1;
    free(f);
    return 0;
}

static void write_both(fixture *f, uint64_t seed) {
    assert_int_equal(rein_control_dataset_write(f->train, f->env, seed, REIN_SPLIT_TRAIN, 300, REIN_FIELDS_FULL), REIN_OK);
    assert_int_equal(rein_control_dataset_write(f->eval, f->env, seed, REIN_SPLIT_EVAL, 100, REIN_FIELDS_FULL), REIN_OK);
}

static void test_clean_data(void **state) {
    fixture *f = *state;
    rein_data_report report;
    write_both(f, 42);
    assert_int_equal(rein_data_audit(&report, f->train, f->eval), REIN_OK);
    assert_int_equal(report.train, 300);
    assert_int_equal(report.eval, 100);
    assert_int_equal(report.labels, 400);
    assert_int_equal(rein_data_faults(&report), 0);
}

static void test_same_seed_same_bytes(void **state) {
    fixture *f = *state;
    rein_str one = {0}, two = {0};
    write_both(f, 42);
    assert_int_equal(rein_file_read(&one, f->train), REIN_OK);
    write_both(f, 42); /* equal bytes: nothing to replace */
    assert_int_equal(rein_file_read(&two, f->train), REIN_OK);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    assert_int_equal(rein_control_dataset_write(f->train, f->env, 43, REIN_SPLIT_TRAIN, 300, REIN_FIELDS_FULL), REIN_ERR_IO);
    assert_int_equal(rein_file_read(&two, f->train), REIN_OK);
    assert_memory_equal(one.data, two.data, one.len);
    rein_str_deinit(&one);
    rein_str_deinit(&two);
}

static void test_plain_data(void **state) {
    fixture *f = *state;
    rein_data_report report;
    f->env->cls->destroy(f->env);
    f->env = make("plain", "1");
    write_both(f, 7);
    assert_int_equal(rein_data_audit(&report, f->train, f->eval), REIN_OK);
    assert_int_equal(rein_data_faults(&report), 0);
}

/* Replace the first `from` after `anchor` in the train file by `to`, and audit. */
static rein_data_report audit_changed(fixture *f, const char *anchor, const char *from, const char *to) {
    rein_str text = {0}, changed = {0};
    rein_data_report report;
    assert_int_equal(rein_file_read(&text, f->train), REIN_OK);
    char *at = strstr(strstr(text.data, anchor), from);
    rein_str_append(&changed, text.data, (size_t)(at - text.data));
    rein_str_puts(&changed, to);
    rein_str_puts(&changed, at + strlen(from));
    assert_int_equal(rein_file_write(f->train, changed.data, changed.len), REIN_OK);
    if (rein_data_audit(&report, f->train, f->eval)) fail_msg("%s", rein_error_message());
    assert_int_equal(rein_file_write(f->train, text.data, text.len), REIN_OK);
    rein_str_deinit(&text);
    rein_str_deinit(&changed);
    return report;
}

static void test_planted_faults_are_found(void **state) {
    fixture *f = *state;
    write_both(f, 42);
    rein_data_report r = audit_changed(f, "\"prompt\"", "velocity=", "speed=");
    assert_int_equal(r.wrong_states, 1);
    r = audit_changed(f, "\"initial_state\"", ".", ".5");
    assert_int_equal(rein_data_faults(&r), 2); /* the state, and the replay from it */
    r = audit_changed(f, "\"completion\"", "</CONTROLS>", ", 0.5</CONTROLS>");
    assert_int_equal(r.malformed, 1);
    r = audit_changed(f, "</REASONING><CONTROLS>", ".", ".5");
    assert_int_equal(r.wrong_controls, 1);
    r = audit_changed(f, "\"trajectory\":[[", "],[", "],[7,");
    assert_int_equal(r.wrong_trajectories, 1);
    assert_int_equal(rein_data_faults(&r), 1);
}

static void test_leaks_are_found(void **state) {
    fixture *f = *state;
    rein_data_report report;
    write_both(f, 42);
    assert_int_equal(rein_data_audit(&report, f->train, f->train), REIN_OK);
    assert_int_equal(report.shared_prompts, 300);
    assert_int_equal(rein_file_write(f->train, "{\"prompt\":\"a\"}\n{\"completion\":\"b\"}\n", 35), REIN_OK);
    assert_int_equal(rein_data_audit(&report, f->train, f->eval), REIN_ERR_FORMAT);
    assert_non_null(strstr(rein_error_message(), "a_train.jsonl:2"));
}

static void difficulty_is_the_distance_of_the_start(void **state) {
    const rein_env *env = ((fixture *)*state)->env;
    rein_task task;
    double least = 1, most = 0, x;
    for (int64_t i = 0; i < 2000; i++) {
        assert_int_equal(env->cls->task(env, 3, REIN_SPLIT_TRAIN, i, &task), REIN_OK);
        assert_int_equal(env->cls->difficulty(env, &task, &x), REIN_OK);
        double reach = fmax(fabs(task.number[0]), fabs(task.number[1]));
        assert_true(x == fmin(1, reach / 0.8)); /* the default radius */
        least = fmin(least, x);
        most = fmax(most, x);
    }
    assert_true(least < 0.1 && most > 0.9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clean_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_seed_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_plain_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_planted_faults_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leaks_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(difficulty_is_the_distance_of_the_start, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
