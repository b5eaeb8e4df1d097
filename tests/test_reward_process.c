/* A program as a reward function: what it is told, in which order, and every way in which it can go wrong. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "reward/reward.h"

enum { MANY = 3000 };

/* Reward of `n` answers "text i" to one row, by a shell command. */
static rein_status run(double *out, const char *command, const char *row, int64_t n, double timeout) {
    static char text[MANY][32];
    static rein_reward_answer a[MANY];
    static const int32_t ids[2] = {5, 6};
    rein_rewards *r;
    struct json_object *json;
    char funcs[512];
    snprintf(funcs, sizeof funcs, "process(%s)", command);
    OK(rein_rewards_open(&r, funcs, NULL, timeout));
    OK(rein_json_parse(&json, "row", row, strlen(row)));
    for (int64_t i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "text %lld", (long long)i);
        a[i] = (rein_reward_answer){json, text[i], strlen(text[i]), i % 2 ? NULL : ids, i % 2 ? 0 : 2};
    }
    rein_status status = rein_rewards_score(out, r, a, n);
    json_object_put(json);
    rein_rewards_close(r);
    return status;
}

static void test_order(void **state) {
    static double got[MANY];
    (void)state;
    OK(run(got, "awk '{ print \"{\\\"reward\\\":\" NR \".5}\" }'", "{\"prompt\":\"p\",\"answer\":[1,2]}", MANY, 60));
    for (int i = 0; i < MANY; i++) assert_true(got[i] == i + 1.5);
    OK(run(got, "while read l; do echo '{\"reward\": null}'; done", "{}", 3, 60));
    for (int i = 0; i < 3; i++) assert_true(isnan(got[i]));
}

static void told(const char *row, int64_t n, const char *expected) {
    char path[] = "/tmp/rein-told-XXXXXX", command[128];
    double got[4];
    rein_str text = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    snprintf(command, sizeof command, "tee %s | sed 's/.*/{\"reward\":1}/'", path);
    OK(run(got, command, row, n, 60));
    OK(rein_file_read(&text, path));
    assert_string_equal(text.data, expected);
    rein_str_deinit(&text);
    remove(path);
}

static void test_told(void **state) {
    (void)state;
    told("{\"prompt\":\"a \\u00e4\",\"answer\":{\"x\":[1]},\"completion\":\"teacher's\"}", 2,
         "{\"prompt\":\"a \xc3\xa4\",\"answer\":{\"x\":[1]},\"completion\":\"text 0\",\"completion_ids\":[5,6]}\n"
         "{\"prompt\":\"a \xc3\xa4\",\"answer\":{\"x\":[1]},\"completion\":\"text 1\"}\n");
    told("{\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}]}", 1,
         "{\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],\"completion\":[{\"role\":\"assistant\",\"content\":\"text 0\"}]"
         ",\"completion_ids\":[5,6]}\n");
}

static void test_wrong(void **state) {
    static const struct {
        const char *command, *message;
        rein_status status;
    } cases[] = {
        {"cat >/dev/null; echo 'no such thing' >&2; exit 3", "exit status 3; it said: no such thing", REIN_ERR_IO},
        {"exit 1", "exit status 1", REIN_ERR_IO},
        {"kill -9 $$", "signal 9", REIN_ERR_IO},
        {"/no/such/program", "exit status 127", REIN_ERR_IO},
        {"cat >/dev/null", "wrote 0 lines for 3", REIN_ERR_FORMAT},
        {"cat >/dev/null; echo '{\"reward\":1}'", "wrote 1 lines for 3", REIN_ERR_FORMAT},
        {"cat >/dev/null; for i in 1 2 3 4; do echo '{\"reward\":1}'; done", "more than the 3 lines", REIN_ERR_FORMAT},
        {"sed 's/.*/1/'", "its line 1: expected {\"reward\"", REIN_ERR_FORMAT},
        {"sed 's/.*/{\"reward\":NaN}/'", "its line 1", REIN_ERR_FORMAT},
        {"sed 's/.*/{\"reward\":\"1\"}/'", "expected a number", REIN_ERR_FORMAT},
        {"sed 's/.*/{\"reward\":1e999}/'", "its line 1", REIN_ERR_FORMAT},
        {"sed 's/.*/{\"score\":1}/'", "expected {\"reward\"", REIN_ERR_FORMAT},
        {"sed '2s/.*/oops/; t; s/.*/{\"reward\":1}/'", "its line 2", REIN_ERR_FORMAT}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        double got[3];
        FAILS_WITH(cases[i].status, run(got, cases[i].command, "{\"prompt\":\"p\"}", 3, 60));
        if (!strstr(rein_error_message(), cases[i].message)) fail_msg("%s: %s", cases[i].command, rein_error_message());
    }
}

/* A program that hangs, one that only its child keeps open, one that stops reading: all end at the deadline. */
static void test_deadline(void **state) {
    static const char *const slow[] = {"sleep 60", "cat >/dev/null; sleep 60", "exec >&- 2>&-; sleep 60"};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(slow); i++) {
        double got[2], begun = rein_clock();
        FAILS_WITH(REIN_ERR_IO, run(got, slow[i], "{\"prompt\":\"p\"}", 2, 0.3));
        assert_non_null(strstr(rein_error_message(), "within 0.3 s"));
        assert_true(rein_clock() - begun < 30);
    }
}

/* A program that answers without reading is not waited for. */
static void test_deaf(void **state) {
    static double got[MANY];
    (void)state;
    OK(run(got, "yes '{\"reward\":2}' | head -n 3000", "{\"prompt\":\"p\"}", MANY, 60));
    for (int i = 0; i < MANY; i++) assert_true(got[i] == 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_told),
                                       cmocka_unit_test(test_wrong), cmocka_unit_test(test_deadline),
                                       cmocka_unit_test(test_deaf)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
