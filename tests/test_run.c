/* The run directory and its store: append-only, atomic, and the same bytes after any kill and resume. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "run/run.h"

static char root[] = "/tmp/rein-test-run-XXXXXX";
static char path_buffer[4][512];

static const char *in_root(int slot, const char *name) {
    snprintf(path_buffer[slot], sizeof path_buffer[slot], "%s/%s", root, name);
    return path_buffer[slot];
}

#define OK(expr)                                                                                                       \
    do {                                                                                                               \
        if ((expr) != REIN_OK) fail_msg("%s: %s", #expr, rein_error_message());                                        \
    } while (0)

static void expect_message(rein_status status, rein_status want, const char *part) {
    if (status != want || !strstr(rein_error_message(), part))
        fail_msg("status %d, message '%s', expected %d and '%s'", status, rein_error_message(), want, part);
}

static void assert_file(const char *path, const char *want) {
    rein_str s = {0};
    OK(rein_file_read(&s, path));
    assert_string_equal(s.data, want);
    rein_str_deinit(&s);
}

static void spoil(const char *path, size_t at, const char *bytes, size_t n) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void log_step(rein_rundir *run, int64_t step) {
    const rein_named m[] = {
        {"loss", 1.0 / (double)(step + 1)}, {"reward", 0.1 * (double)step}, {"kl", step == 2 ? NAN : 1e-7}};
    const rein_named t[] = {{"rollout", 0.5}, {"update", 0.25 * (double)step}};
    OK(rein_rundir_log(run, step, m, 3));
    OK(rein_rundir_time(run, step, t, 2));
}

static void publish(rein_rundir *run, int64_t step) {
    const char *tmp;
    char path[600];
    OK(rein_checkpoint_begin(run, step, &tmp));
    snprintf(path, sizeof path, "%s/adapter", tmp);
    OK(rein_mkdirs(path));
    snprintf(path, sizeof path, "%s/adapter/model.safetensors", tmp);
    OK(rein_file_write(path, "0123456789", 10));
    snprintf(path, sizeof path, "%s/optimizer.bin", tmp);
    OK(rein_file_write(path, &step, sizeof step));
    OK(rein_checkpoint_publish(run, step));
}

static void test_create_refuses_what_exists(void **state) {
    (void)state;
    rein_rundir *run, *second;
    const char *dir = in_root(0, "a/b");
    OK(rein_rundir_create(&run, dir, "grpo", "beta: 0.01\n"));
    assert_true(rein_rundir_exists(dir));
    assert_string_equal(rein_rundir_kind(run), "grpo");
    expect_message(rein_rundir_create(&second, dir, "grpo", "x: 1\n"), REIN_ERR_USAGE, "never overwritten");
    expect_message(rein_rundir_open(&second, dir, true), REIN_ERR_IO, "another process");
    rein_rundir_close(run);
    assert_file(in_root(1, "a/b/config.yaml"), "beta: 0.01\n");
    expect_message(rein_rundir_open(&second, in_root(1, "a"), false), REIN_ERR_USAGE, "is not a run");
    spoil(in_root(1, "a/b/config.yaml"), 6, "9", 1);
    expect_message(rein_rundir_open(&second, dir, false), REIN_ERR_MISMATCH, "config.yaml");
}

static void test_log_line_and_rows(void **state) {
    (void)state;
    rein_rundir *run;
    rein_series s;
    rein_arena arena = {0};
    const char **names;
    int64_t n;
    OK(rein_rundir_create(&run, in_root(0, "log"), "sft", ""));
    log_step(run, 1);
    log_step(run, 2);
    const rein_named again = {"loss", 1}, more = {"eval/reward", 0.30000000000000004};
    expect_message(rein_rundir_log(run, 2, &again, 1), REIN_ERR_ARG, "logged before");
    expect_message(rein_rundir_log(run, 1, &more, 1), REIN_ERR_ARG, "after those of step 2");
    OK(rein_rundir_log(run, 2, &more, 1));
    assert_file(in_root(1, "log/metrics.jsonl"), "{\"step\":1,\"loss\":0.5,\"reward\":0.1,\"kl\":1e-07}\n"
                                                 "{\"step\":2,\"loss\":0.3333333333333333,\"reward\":0.2,\"kl\":null}\n"
                                                 "{\"step\":2,\"eval/reward\":0.30000000000000004}\n");
    OK(rein_read_metric_names(run, &arena, &names, &n));
    assert_int_equal(n, 4);
    assert_string_equal(names[0], "loss");
    assert_string_equal(names[3], "eval/reward");
    OK(rein_read_series(run, &arena, "kl", &s));
    assert_int_equal(s.n, 2);
    assert_true(s.value[0] == 1e-7 && isnan(s.value[1]) && s.step[1] == 2);
    OK(rein_read_series(run, &arena, "absent", &s));
    assert_int_equal(s.n, 0);
    OK(rein_read_timing(run, &arena, NULL, &s));
    assert_true(s.n == 2 && s.value[1] == 1.0);
    OK(rein_read_timing(run, &arena, "update", &s));
    assert_true(s.n == 2 && s.value[1] == 0.5);
    rein_rundir_close(run);
    rein_arena_deinit(&arena);
}

/* The promise: a run that was killed after step 3 and resumed at 2 has the bytes of one that was not. */
static void test_resume_is_bit_exact(void **state) {
    (void)state;
    rein_rundir *run;
    char whole[REIN_SHA256_HEX], resumed[REIN_SHA256_HEX];
    OK(rein_rundir_create(&run, in_root(0, "whole"), "grpo", "a: 1\n"));
    for (int64_t k = 0; k < 5; k++) log_step(run, k);
    rein_rundir_close(run);

    OK(rein_rundir_create(&run, in_root(0, "killed"), "grpo", "a: 1\n"));
    for (int64_t k = 0; k < 3; k++) log_step(run, k);
    publish(run, 2);
    log_step(run, 3);
    const rein_completion c = {
        .step = 3, .prompt_text = "p", .prompt_len = 1, .text = "t", .text_len = 1, .finish = "eos"};
    OK(rein_rundir_completion(run, &c));
    rein_rundir_close(run);
    FILE *torn = fopen(in_root(1, "killed/metrics.jsonl"), "a");
    fputs("{\"step\":4,\"lo", torn);
    fclose(torn);

    OK(rein_rundir_open(&run, in_root(0, "killed"), true));
    int64_t latest;
    OK(rein_checkpoint_latest(run, &latest));
    assert_int_equal(latest, 2);
    expect_message(rein_rundir_rollback(run, 1), REIN_ERR_USAGE, "checkpoint-2");
    OK(rein_rundir_rollback(run, latest));
    assert_false(rein_path_exists(in_root(1, "killed/completions/step-000003.jsonl")));
    for (int64_t k = 3; k < 5; k++) log_step(run, k);
    OK(rein_rundir_completion(run, &c));
    rein_rundir_close(run);
    OK(rein_sha256_file(whole, in_root(0, "whole/metrics.jsonl")));
    OK(rein_sha256_file(resumed, in_root(0, "killed/metrics.jsonl")));
    assert_string_equal(whole, resumed);

    rein_arena arena = {0};
    rein_event *events;
    int64_t n;
    OK(rein_rundir_open(&run, in_root(0, "killed"), false));
    OK(rein_read_events(run, &arena, &events, &n));
    assert_int_equal(n, 1);
    assert_string_equal(events[0].kind, "resume");
    expect_message(rein_rundir_event(run, 1, "x", "y"), REIN_ERR_ARG, "reading only");
    rein_rundir_close(run);
    rein_arena_deinit(&arena);
}

static void test_facts_do_not_change(void **state) {
    (void)state;
    rein_rundir *run;
    rein_arena arena = {0};
    const char *value;
    rein_pair *pairs;
    int64_t n;
    OK(rein_rundir_create(&run, in_root(0, "facts"), "sft", ""));
    OK(rein_rundir_note(run, "model.sha256", "abc"));
    OK(rein_rundir_note(run, "model.sha256", "abc"));
    expect_message(rein_rundir_note(run, "model.sha256", "abd"), REIN_ERR_MISMATCH, "model.sha256");
    OK(rein_read_note(run, &arena, "model.sha256", &value));
    assert_string_equal(value, "abc");
    OK(rein_rundir_environment(run, "avx2", 2));
    OK(rein_rundir_machine(run, "threads", "4"));
    OK(rein_read_machine(run, &arena, &pairs, &n));
    bool seen = false;
    for (int64_t i = 0; i < n; i++) seen = seen || (!strcmp(pairs[i].key, "threads") && !strcmp(pairs[i].value, "4"));
    assert_true(seen);
    rein_rundir_close(run);
    rein_arena_deinit(&arena);
}

static void test_checkpoints(void **state) {
    (void)state;
    rein_rundir *run;
    rein_arena arena = {0};
    int64_t step, *steps, n;
    const char *tmp;
    OK(rein_rundir_create(&run, in_root(0, "ck"), "sft", ""));
    OK(rein_checkpoint_latest(run, &step));
    assert_int_equal(step, -1);
    for (int64_t k = 9; k <= 12; k++) publish(run, k);
    expect_message(rein_checkpoint_begin(run, 9, &tmp), REIN_ERR_USAGE, "never overwritten");
    expect_message(rein_checkpoint_publish(run, 20), REIN_ERR_ARG, "not begun");
    OK(rein_checkpoint_verify(in_root(1, "ck/checkpoint-12"), &step));
    assert_int_equal(step, 12);
    OK(rein_checkpoint_prune(run, 3, -1));
    OK(rein_checkpoint_list(run, &arena, &steps, &n));
    assert_int_equal(n, 3);
    assert_true(steps[0] == 10 && steps[2] == 12);
    rein_event *events;
    int64_t n_event;
    OK(rein_read_events(run, &arena, &events, &n_event));
    assert_int_equal(n_event, 1);
    assert_non_null(strstr(events[0].text, "checkpoint-9 "));

    OK(rein_checkpoint_begin(run, 13, &tmp)); /* a kill before publish leaves no checkpoint-13 */
    rein_rundir_close(run);
    assert_false(rein_path_exists(in_root(1, "ck/checkpoint-13")));

    spoil(in_root(1, "ck/checkpoint-10/adapter/model.safetensors"), 4, "X", 1);
    expect_message(rein_checkpoint_verify(in_root(1, "ck/checkpoint-10"), NULL), REIN_ERR_MISMATCH,
                   "adapter/model.safetensors");
    assert_int_equal(truncate(in_root(1, "ck/checkpoint-11/optimizer.bin"), 3), 0);
    expect_message(rein_checkpoint_verify(in_root(1, "ck/checkpoint-11"), NULL), REIN_ERR_MISMATCH,
                   "optimizer.bin' has 3 bytes");
    assert_int_equal(unlink(in_root(1, "ck/checkpoint-11/optimizer.bin")), 0);
    expect_message(rein_checkpoint_verify(in_root(1, "ck/checkpoint-11"), NULL), REIN_ERR_MISMATCH, "missing");
    OK(rein_file_write(in_root(1, "ck/checkpoint-12/extra"), "x", 1));
    expect_message(rein_checkpoint_verify(in_root(1, "ck/checkpoint-12"), NULL), REIN_ERR_MISMATCH, "extra");
    assert_int_equal(truncate(in_root(1, "ck/checkpoint-12/manifest.json"), 60), 0);
    assert_int_equal(rein_checkpoint_verify(in_root(1, "ck/checkpoint-12"), NULL), REIN_ERR_FORMAT);
    assert_int_equal(unlink(in_root(1, "ck/checkpoint-12/manifest.json")), 0);
    expect_message(rein_checkpoint_verify(in_root(1, "ck/checkpoint-12"), NULL), REIN_ERR_FORMAT, "no manifest.json");
    rein_arena_deinit(&arena);
}

static void test_journal_and_commits(void **state) {
    (void)state;
    rein_rundir *run;
    rein_str s = {0};
    bool found;
    const char bytes[] = "rollouts\0of step 7";
    OK(rein_rundir_create(&run, in_root(0, "jn"), "grpo", ""));
    OK(rein_journal_read(run, 7, &s, &found));
    assert_false(found);
    OK(rein_journal_append(run, 7, bytes, sizeof bytes));
    OK(rein_journal_append(run, 8, NULL, 0));
    OK(rein_journal_append(run, 7, bytes, sizeof bytes));
    expect_message(rein_journal_append(run, 7, bytes, 4), REIN_ERR_MISMATCH, "step 7");
    OK(rein_journal_read(run, 7, &s, &found));
    assert_true(found && s.len == sizeof bytes && memcmp(s.data, bytes, s.len) == 0);

    rein_commit c = {.step = 7, .n = 2, .hash = {{"rollouts", "aa"}, {"weights", "bb"}}}, got;
    OK(rein_commit_append(run, &c));
    OK(rein_commit_append(run, &c));
    OK(rein_commit_read(run, 7, &got, &found));
    assert_true(found && rein_commit_difference(&c, &got) == NULL);
    c.hash[1].hex[0] = 'c';
    expect_message(rein_commit_append(run, &c), REIN_ERR_MISMATCH, "weights");
    assert_string_equal(rein_commit_difference(&c, &got), "weights");
    OK(rein_rundir_rollback(run, 0));
    OK(rein_commit_read(run, 7, &got, &found)); /* the replay is checked against it */
    assert_true(found);

    spoil(in_root(1, "jn/journal/step-000007.bin"), 60, "X", 1);
    expect_message(rein_journal_read(run, 7, &s, &found), REIN_ERR_MISMATCH, "damaged");
    assert_int_equal(truncate(in_root(1, "jn/journal/step-000007.bin"), 55), 0);
    expect_message(rein_journal_read(run, 7, &s, &found), REIN_ERR_FORMAT, "truncated");
    rein_rundir_close(run);
    rein_str_deinit(&s);
}

static void test_evaluation_round_trip(void **state) {
    (void)state;
    rein_rundir *run;
    rein_arena arena = {0};
    int64_t eval, n;
    rein_eval *evals;
    const rein_named part[] = {{"goal", 1.5}, {"format", 0}}, metric[] = {{"cost", 12.25}};
    rein_eval_case c = {.policy = "grpo",
                        .key = 0xfedcba9876543210u,
                        .reward = 1.5,
                        .success = true,
                        .part = part,
                        .n_part = 2,
                        .metric = metric,
                        .n_metric = 1,
                        .text = "a\0b",
                        .text_len = 3,
                        .details = "{}",
                        .details_len = 2};
    OK(rein_rundir_create(&run, in_root(0, "ev"), "eval", ""));
    OK(rein_rundir_eval_begin(run, "final", 0, "env=di", &eval));
    OK(rein_rundir_eval_policy(run, eval, "grpo", REIN_ROLE_MODEL, "h1"));
    expect_message(rein_rundir_eval_policy(run, eval, "sft", REIN_ROLE_MODEL, "h1"), REIN_ERR_MISMATCH, "same model");
    OK(rein_rundir_eval_case(run, eval, &c));
    OK(rein_read_evals(run, &arena, &evals, &n));
    assert_int_equal(n, 0);                                       /* not ended */
    OK(rein_rundir_eval_begin(run, "final", 0, "env=di", &eval)); /* as after a kill */
    OK(rein_rundir_eval_policy(run, eval, "grpo", REIN_ROLE_MODEL, "h1"));
    OK(rein_rundir_eval_policy(run, eval, "lqr", REIN_ROLE_ORACLE, NULL));
    for (c.index = 0; c.index < 2; c.index++)
        for (c.sample = 0; c.sample < 2; c.sample++) OK(rein_rundir_eval_case(run, eval, &c));
    c.reward = NAN;
    expect_message(rein_rundir_eval_case(run, eval, &c), REIN_ERR_NUMERIC, "not finite");
    OK(rein_rundir_eval_end(run, eval));
    expect_message(rein_rundir_eval_begin(run, "final", 0, "", &eval), REIN_ERR_USAGE, "already");
    OK(rein_read_evals(run, &arena, &evals, &n));
    assert_int_equal(n, 1);
    assert_int_equal(evals[0].n_policy, 2);
    assert_true(evals[0].policies[1].role == REIN_ROLE_ORACLE && !evals[0].policies[1].weights_hash);
    const rein_eval_policy *p = &evals[0].policies[0];
    assert_int_equal(p->n, 4);
    const rein_eval_case *last = &p->cases[3];
    assert_true(last->index == 1 && last->sample == 1 && last->key == 0xfedcba9876543210u && last->success &&
                !last->format_ok);
    assert_true(last->n_part == 2 && last->part[0].value == 1.5 && last->n_metric == 1 &&
                last->metric[0].value == 12.25);
    assert_string_equal(last->part[1].name, "format");
    assert_true(last->text_len == 3 && memcmp(last->text, "a\0b", 3) == 0);
    rein_rundir_close(run);
    rein_arena_deinit(&arena);
}

static void test_completions(void **state) {
    (void)state;
    rein_rundir *run;
    rein_arena arena = {0};
    rein_completion *got;
    int64_t n;
    const rein_named part[] = {{"format", 1}, {"goal", -2.5}};
    rein_completion c = {.step = 4,
                         .prompt = 1,
                         .prompt_text = "state: \"x\"",
                         .prompt_len = 10,
                         .text = "u\n1",
                         .text_len = 3,
                         .reward = -1.5,
                         .advantage = 0.25,
                         .finish = "eos",
                         .part = part,
                         .n_part = 2};
    OK(rein_rundir_create(&run, in_root(0, "cp"), "grpo", ""));
    OK(rein_rundir_completion(run, &c));
    c.step = 5;
    OK(rein_rundir_completion(run, &c));
    c.sample = 1;
    OK(rein_rundir_completion(run, &c));
    assert_int_equal(rein_rundir_completion(run, &c), REIN_ERR_ARG);
    assert_file(
        in_root(1, "cp/completions/step-000004.jsonl"),
        "{\"step\":4,\"prompt_id\":1,\"sample\":0,\"prompt\":\"state: \\\"x\\\"\",\"completion\":\"u\\n1\","
        "\"reward\":-1.5,\"advantage\":0.25,\"finish_reason\":\"eos\",\"rewards\":{\"format\":1,\"goal\":-2.5}}\n");
    OK(rein_read_completions(run, &arena, REIN_STEP_LAST, 9, &got, &n));
    assert_true(n == 2 && got[1].step == 5 && got[1].sample == 1 && got[1].n_part == 2 && got[1].part[1].value == -2.5);
    OK(rein_read_completions(run, &arena, REIN_STEP_FIRST, 9, &got, &n));
    assert_true(n == 1 && got[0].step == 4);
    rein_rundir_close(run);
    rein_arena_deinit(&arena);
}

static void test_find(void **state) {
    (void)state;
    rein_arena arena = {0};
    char **paths;
    int64_t n;
    OK(rein_run_find(in_root(0, "a"), 1, &arena, &paths, &n));
    assert_int_equal(n, 1);
    assert_string_equal(paths[0], in_root(1, "a/b"));
    OK(rein_run_find(in_root(0, "a"), 0, &arena, &paths, &n));
    assert_int_equal(n, 0);
    rein_arena_deinit(&arena);
}

static int make_root(void **state) {
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int drop_root(void **state) {
    (void)state;
    return rein_remove_tree(root) == REIN_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_refuses_what_exists),
        cmocka_unit_test(test_log_line_and_rows),
        cmocka_unit_test(test_resume_is_bit_exact),
        cmocka_unit_test(test_facts_do_not_change),
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_journal_and_commits),
        cmocka_unit_test(test_evaluation_round_trip),
        cmocka_unit_test(test_completions),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, make_root, drop_root);
}
