/*
 * MiniWoB++ in a real browser: the experts solve their pages, an episode is a function of its task and its actions, and
 * what a model may say wrongly is an observation. Skipped, with a notice, where browser or pages are missing.
 */
#include <signal.h>

#include "base/random.h"
#include "browse_world.h"
#include "env/browse/miniwob.h"

enum { SEEDS = 1 }; /* of each page; REIN_MINIWOB_SEEDS asks for more */

static int seeds(void) {
    const char *more = getenv("REIN_MINIWOB_SEEDS");
    return more ? atoi(more) : SEEDS;
}

/* The k-th problem of the i-th page. */
static rein_task problem(const rein_env *env, int64_t i, int64_t k) {
    int64_t n;
    rein_task task;
    rein_miniwob_pages(&n);
    OK(env->cls->task(env, 7, REIN_SPLIT_EVAL, i + n * k, &task));
    return task;
}

static void experts_solve_their_pages(void **state) {
    (void)state;
    rein_env *env = open_miniwob("");
    if (!env) skip();
    rein_episode *ep = open_slot(env, 0);
    int64_t n;
    const rein_miniwob_page *pages = rein_miniwob_pages(&n);
    int failed = 0;
    for (int64_t i = 0; i < n * seeds(); i++) {
        rein_task task = problem(env, i / seeds(), i % seeds());
        rein_str seen = {0};
        rein_observation o = play(ep, &task, &seen);
        if (getenv("REIN_MINIWOB_SHOW"))
            print_message("=== %s %g\n%s\n", pages[i / seeds()].name, o.score.total, seen.data);
        if (!o.terminated || o.score.total != 1.0 || !o.score.success) {
            print_error("%s, seed %g: %g\n%s\n", pages[i / seeds()].name, task.number[1], o.score.total, seen.data);
            failed++;
        }
        rein_str_deinit(&seen);
    }
    env->cls->turns->close(ep);
    rein_env_close(env);
    assert_int_equal(failed, 0);
}

/* ---- an episode is a function of its task and its actions ---- */

/* Leaves the page as untidy as a model might: some texts and clicks, drawn by `draw`, on whatever is there. */
static void mess_up(rein_episode *ep, const rein_task *task, uint32_t draw) {
    rein_observation o = begin(ep, task);
    for (uint32_t k = 0; k < 4 && !o.terminated && !o.truncated; k++) {
        static const char *const how[] = {"click('%d')", "fill('%d', 'left over')", "press('%d', 'a')", "hover('%d')"};
        char action[60];
        uint32_t r[4];
        rein_random4(r, 5, REIN_STREAM_DATA, draw, k, 0, 0);
        snprintf(action, sizeof action, how[r[0] % 4], (int)(1 + r[1] % 9));
        o = act(ep, action);
        assert_false(o.env_error);
    }
}

static void pages_begin_like_new(void **state) {
    (void)state;
    rein_env *env = open_miniwob("");
    if (!env) skip();
    rein_episode *used = open_slot(env, 0), *clean = open_slot(env, 1);
    int64_t n;
    const rein_miniwob_page *pages = rein_miniwob_pages(&n);
    const int64_t stride = getenv("REIN_MINIWOB_SEEDS") ? 1 : 4; /* all pages, when asked for more */
    int differ = 0;
    for (int64_t i = 0; i < n; i += stride) {
        rein_str one = {0}, two = {0};
        for (uint32_t k = 0; k < (uint32_t)seeds(); k++) {
            rein_task other = problem(env, i, 10 + k);
            mess_up(used, &other, (uint32_t)i * 100 + k);
        }
        rein_task task = problem(env, i, 0);
        play(used, &task, &one);
        play(clean, &task, &two);
        if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0) {
            print_error("%s\n--- used\n%s\n--- new\n%s\n", pages[i].name, one.data, two.data);
            differ++;
        }
        rein_str_deinit(&one);
        rein_str_deinit(&two);
    }
    env->cls->turns->close(used);
    env->cls->turns->close(clean);
    rein_env_close(env);
    assert_int_equal(differ, 0);
}

enum { EPISODES = 8 };

/* What is seen of each of some episodes, in as many slots at once. */
static void see_all(rein_str seen[EPISODES], rein_env *env, int slots, bool kill_browser) {
    rein_episode *ep[EPISODES];
    for (int s = 0; s < slots; s++) ep[s] = open_slot(env, s);
    for (int i = 0; i < EPISODES; i += slots) {
        for (int s = 0; s < slots; s++) {
            rein_task task = problem(env, 3 * (i + s), 0);
            OK(env->cls->turns->reset(ep[s], &task, task.key));
        }
        for (int s = 0; s < slots; s++) {
            rein_observation o = wait_for(ep[s]);
            rein_task task = problem(env, 3 * (i + s), 0);
            if (o.env_error) o = begin(ep[s], &task); /* the browser was killed: once more, as a rollout does */
            rein_str_append(&seen[i + s], o.text, o.len);
        }
        for (int s = 0; s < slots; s++) OK(env->cls->turns->step(ep[s], "click('1')", 10));
        for (int s = 0; s < slots; s++) {
            rein_observation o = wait_for(ep[s]);
            rein_str_printf(&seen[i + s], "\n%.*s\n%g\n", (int)o.len, o.text, o.score.total);
        }
        if (kill_browser && i == 0)
            assert_int_equal(kill(-rein_browser_pid(((rein_browse_world *)env)->browser), SIGKILL), 0);
    }
    for (int s = 0; s < slots; s++) env->cls->turns->close(ep[s]);
}

static void slots_and_restarts_change_nothing(void **state) {
    (void)state;
    rein_str first[EPISODES] = {{0}};
    static const int slots[] = {1, 4, 8, 1};
    for (int k = 0; k < 4; k++) {
        rein_env *env = open_miniwob("");
        if (!env) skip();
        rein_str seen[EPISODES] = {{0}};
        see_all(k == 0 ? first : seen, env, slots[k], k == 3);
        for (int i = 0; i < EPISODES && k > 0; i++) assert_string_equal(seen[i].data, first[i].data);
        for (int i = 0; i < EPISODES; i++) rein_str_deinit(&seen[i]);
        rein_env_close(env);
    }
    for (int i = 0; i < EPISODES; i++) rein_str_deinit(&first[i]);
}

/* ---- what a model may do wrong, and what the world may ---- */

static void wrong_actions_are_observations(void **state) {
    (void)state;
    rein_env *env = open_miniwob("tasks=click-test,max_steps=6");
    if (!env) skip();
    rein_episode *ep = open_slot(env, 0);
    rein_task task;
    static const char *const wrong[][2] = {{"I click the button", "that is no action"},
                                           {"click('7')", "there is no [7] on the page"},
                                           {"fill('1', 'x')", "[1] takes no text"},
                                           {"goto('http://example.com/')", "there is only this page"},
                                           {"press('1', 'Hyper')", "there is no such key"}};
    OK(env->cls->task(env, 1, REIN_SPLIT_TRAIN, 0, &task));
    begin(ep, &task);
    for (size_t i = 0; i < REIN_COUNT(wrong); i++) {
        rein_observation o = act(ep, wrong[i][0]);
        if (!o.error || !strstr(o.error, wrong[i][1])) fail_msg("%s: '%s'", wrong[i][0], o.error ? o.error : "");
        assert_non_null(strstr(o.text, "Error: "));
        assert_non_null(strstr(o.text, "[1] button \"Click Me!\""));
        assert_true(o.score.total == -0.05 && !o.terminated && !o.truncated && !o.env_error);
        assert_int_equal(o.score.format_ok, i != 0 && i < 3);
    }
    rein_observation o = act(ep, "noop()");
    assert_true(o.truncated && !o.terminated && o.score.total == 0 && !o.error);
    begin(ep, &task);
    o = act(ep, "click('1')");
    assert_true(o.terminated && !o.truncated && o.score.success);
    assert_string_equal(o.score.component[0].name, "success");
    assert_true(o.score.component[0].value + o.score.component[1].value == o.score.total && o.score.total == 1);
    env->cls->turns->close(ep);
    rein_env_close(env);
}

static void failure_is_no_reward(void **state) {
    (void)state;
    rein_env *env = open_miniwob("tasks=click-test-2");
    if (!env) skip();
    rein_episode *ep = open_slot(env, 0);
    rein_task task;
    OK(env->cls->task(env, 1, REIN_SPLIT_TRAIN, 0, &task));
    begin(ep, &task);
    rein_observation o = act(ep, "click('2')");
    assert_true(o.terminated && !o.score.success && o.score.total == 0);
    assert_string_equal(o.score.metric[0].name, "raw_reward");
    assert_true(o.score.metric[0].value == -1);
    env->cls->turns->close(ep);
    rein_env_close(env);
}

static void dead_browser_is_no_evidence(void **state) {
    (void)state;
    rein_env *env = open_miniwob("tasks=click-test");
    if (!env) skip();
    rein_episode *ep = open_slot(env, 0);
    rein_task task;
    OK(env->cls->task(env, 1, REIN_SPLIT_TRAIN, 0, &task));
    begin(ep, &task);
    assert_int_equal(kill(-rein_browser_pid(((rein_browse_world *)env)->browser), SIGKILL), 0);
    rein_observation o = act(ep, "click('1')");
    assert_true(o.env_error && !o.terminated);
    assert_non_null(o.error);
    begin(ep, &task);
    assert_true(act(ep, "click('1')").score.success);
    env->cls->turns->close(ep);
    rein_env_close(env);
}

/* ---- tasks and options ---- */

static void splits_do_not_meet(void **state) {
    (void)state;
    rein_env *env = open_miniwob("tasks=level2");
    if (!env) skip();
    rein_task task;
    double top[3] = {0, 0, 0}, low[3] = {1e9, 1e9, 1e9};
    for (int split = 0; split < 3; split++)
        for (int64_t i = 0; i < 200; i++) {
            OK(env->cls->task(env, 3, (rein_split)split, i, &task));
            double seed = task.number[REIN_MINIWOB_SEED];
            if (seed > top[split]) top[split] = seed;
            if (seed < low[split]) low[split] = seed;
        }
    assert_true(top[REIN_SPLIT_TRAIN] < low[REIN_SPLIT_EVAL] && top[REIN_SPLIT_EVAL] < low[REIN_SPLIT_FIXED]);
    FAILS_WITH(REIN_ERR_ARG, env->cls->task(env, 3, REIN_SPLIT_FIXED, env->cls->fixed_count(env), &task));
    rein_env_close(env);
}

static void held_out_tasks_are_only_evaluated(void **state) {
    (void)state;
    rein_env *env = open_miniwob("tasks=(click-test,enter-text),held_out_tasks=login-user");
    if (!env) skip();
    const char *const *all = ((rein_miniwob *)env)->all;
    for (int64_t i = 0; i < 6; i++) {
        rein_task train, eval;
        OK(env->cls->task(env, 1, REIN_SPLIT_TRAIN, i, &train));
        OK(env->cls->task(env, 1, REIN_SPLIT_EVAL, i, &eval));
        assert_string_equal(all[(int)train.number[0]], i % 2 ? "enter-text" : "click-test");
        assert_string_equal(all[(int)eval.number[0]], "login-user");
    }
    rein_env_close(env);
}

static void options_are_checked(void **state) {
    (void)state;
    rein_env *env = open_miniwob("");
    if (!env) skip();
    rein_env_close(env);
    static const char *const cases[][2] = {{"tasks=click-tset", "did you mean 'click-test'"},
                                           {"tasks=(click-test,level1)", "'click-test' is named twice"},
                                           {"tasks=../secret", "names with commas between"},
                                           {"tasks=level1,held_out_tasks=click-test", "both trained on and held out"},
                                           {"max_steps=0", "max_steps"}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        char spec[500];
        const char *html = getenv("REIN_MINIWOB_HTML");
        snprintf(spec, sizeof spec, "miniwob:html=%s,%s", html ? html : "../miniwob-html", cases[i][0]);
        FAILS_WITH(REIN_ERR_USAGE, rein_env_open(&env, spec));
        if (!strstr(rein_error_message(), cases[i][1])) fail_msg("%s: %s", cases[i][0], rein_error_message());
    }
}

static void missing_pages_are_said(void **state) {
    (void)state;
    rein_env *env;
    FAILS_WITH(REIN_ERR_USAGE, rein_env_open(&env, "miniwob:html=/no/such/folder"));
    assert_non_null(strstr(rein_error_message(), "tools/fetch-miniwob"));
    FAILS_WITH(REIN_ERR_USAGE, rein_env_open(&env, "miniwob:html=/tmp"));
    assert_non_null(strstr(rein_error_message(), "core/core.js"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(experts_solve_their_pages),
        cmocka_unit_test(pages_begin_like_new),
        cmocka_unit_test(slots_and_restarts_change_nothing),
        cmocka_unit_test(wrong_actions_are_observations),
        cmocka_unit_test(failure_is_no_reward),
        cmocka_unit_test(dead_browser_is_no_evidence),
        cmocka_unit_test(splits_do_not_meet),
        cmocka_unit_test(held_out_tasks_are_only_evaluated),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(missing_pages_are_said),
    };
    cmocka_set_test_filter(getenv("REIN_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
