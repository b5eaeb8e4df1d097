/* The graph of pages: tasks that can be done, menus, rewards that cannot be collected by going round in circles, users'
 * files. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "env/graph/graph.h"
#include "env/open.h"
#include "folder.h"

static rein_env *open_graph(const char *options) {
    rein_env *env;
    char spec[400];
    snprintf(spec, sizeof spec, "graph:%s", options);
    OK(rein_env_open(&env, spec));
    return env;
}

static rein_observation heard(rein_episode *ep) {
    rein_observation o;
    bool ready;
    OK(ep->env->cls->turns->poll(ep, 0, &o, &ready));
    assert_true(ready);
    return o;
}

static rein_observation begin(rein_episode *ep, const rein_task *task) {
    OK(ep->env->cls->turns->reset(ep, task, task->key));
    return heard(ep);
}

static rein_observation act(rein_episode *ep, const char *action) {
    OK(ep->env->cls->turns->step(ep, action, strlen(action)));
    return heard(ep);
}

static double component(const rein_observation *o, const char *name) {
    for (int i = 0; i < o->score.n_component; i++)
        if (strcmp(o->score.component[i].name, name) == 0) return o->score.component[i].value;
    fail_msg("no component %s", name);
    return 0;
}

/* Sum of rewards; steps are counted. */
static double play(rein_episode *ep, const rein_task *task, int *steps, bool *success) {
    double sum = 0;
    rein_observation o = begin(ep, task);
    for (*steps = 0; !o.terminated && !o.truncated; ++*steps) {
        rein_str action = {0};
        OK(ep->env->cls->turns->oracle(ep, &action));
        o = act(ep, action.data);
        sum += o.score.total;
        rein_str_deinit(&action);
    }
    *success = o.score.success;
    return sum;
}

static void every_task_can_be_done(void **state) {
    (void)state;
    rein_env *env = open_graph("max_hops=6");
    rein_episode *ep;
    OK(env->cls->turns->open(env, 0, &ep));
    int seen[7] = {0};
    for (int64_t i = 0; i < 300; i++) {
        rein_task task;
        int steps;
        bool success;
        OK(env->cls->task(env, 3, i % 2 ? REIN_SPLIT_EVAL : REIN_SPLIT_TRAIN, i, &task));
        assert_true(task.number[REIN_GRAPH_START] != task.number[REIN_GRAPH_GOAL]);
        double sum = play(ep, &task, &steps, &success);
        assert_true(success);
        assert_int_equal(steps, (int)task.number[REIN_GRAPH_HOPS]);
        assert_true(sum > 1 + 0.04 * steps - 1e-9 && sum < 1 + 0.04 * steps + 1e-9);
        seen[steps]++;
    }
    for (int hops = 1; hops <= 5; hops++) assert_true(seen[hops] > 20);
    env->cls->turns->close(ep);
    rein_env_close(env);
}

static void splits_share_no_pair(void **state) {
    (void)state;
    rein_env *env = open_graph("pages=80");
    enum { N = 400 };
    static uint64_t key[2][N];
    for (int split = 0; split < 2; split++)
        for (int64_t i = 0; i < N; i++) {
            rein_task task;
            OK(env->cls->task(env, 8, (rein_split)split, i, &task));
            key[split][i] = task.key;
        }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) assert_true(key[0][i] != key[1][k]);
    rein_task task;
    FAILS_WITH(REIN_ERR_ARG, env->cls->task(env, 8, REIN_SPLIT_FIXED, 0, &task));
    rein_env_close(env);
}

/* Uniformly random links: how often the goal is met. It must not be easy, and a bound below the expert. */
static void chance_is_no_policy(void **state) {
    (void)state;
    rein_env *env = open_graph("min_hops=3,include_read_and_stop=false");
    rein_episode *ep;
    OK(env->cls->turns->open(env, 0, &ep));
    int met = 0;
    for (uint32_t i = 0; i < 300; i++) {
        rein_task task;
        OK(env->cls->task(env, 5, REIN_SPLIT_TRAIN, i, &task));
        rein_observation o = begin(ep, &task);
        for (uint32_t k = 0; !o.terminated && !o.truncated; k++) {
            int n = 0;
            char action[12];
            for (const char *c = o.text; (c = strstr(c, "\n[")) != NULL; c++) n++;
            snprintf(action, sizeof action, "%d",
                     1 + (int)rein_random_below((uint64_t)n, 6, REIN_STREAM_DATA, i, k, 0, 0));
            o = act(ep, action);
            assert_null(o.error);
        }
        met += o.score.success;
    }
    assert_in_range(met, 1, 100);
    env->cls->turns->close(ep);
    rein_env_close(env);
}

/* ---- a small graph of one's own: a -> b, c; b -> a, c; c -> d; d -> a ---- */

static const char own_graph[] =
    "{\"nodes\":{\"HTTP://Site.Test/a#top\":{\"title\":\"A\",\"page_type\":\"front\"},\"http://site.test/"
    "b\":{\"title\":\"B\"},"
    "\"http://site.test/c?x=Y\":{\"title\":\"C\"},\"http://site.test/d\":{}},"
    "\"edges\":{\"http://site.test/a\":[{\"type\":\"go\",\"target\":\"http://site.test/b\",\"count\":5},"
    "{\"type\":\"go\",\"target\":\" http://SITE.test/c?x=Y "
    "\",\"count\":9},{\"type\":\"go\",\"target\":\"http://gone.test/\"}],"
    "\"http://site.test/b\":[{\"target\":\"http://site.test/a\"},{\"target\":\"http://site.test/c?x=Y\"}],"
    "\"http://site.test/c?x=Y\":[{\"target\":\"http://site.test/d#end\"}],"
    "\"http://site.test/d\":[{\"target\":\"http://site.test/a\"}]}}";

static rein_env *open_own(rein_episode **ep, const char *more) {
    char options[300];
    write_bytes(in_folder("graph.json"), own_graph, strlen(own_graph));
    snprintf(options, sizeof options, "graph=%s,max_hops=3,%s", in_folder("graph.json"), more);
    rein_env *env = open_graph(options);
    OK(env->cls->turns->open(env, 0, ep));
    return env;
}

/* From the page at `start` to that at `goal`, in order of addresses: a, b, c, d. */
static rein_task pair(int start, int goal) { return (rein_task){.number = {start, goal}}; }

static void files_are_read(void **state) {
    (void)state;
    rein_episode *ep;
    rein_env *env = open_own(&ep, "history_window=2");
    rein_task task = pair(0, 3);
    rein_observation o = begin(ep, &task);
    assert_string_equal(o.text, "GOAL: Reach: http://site.test/d\nPAGE: A [front]\nACTIONS:\n[1] go -> C (obs=9)\n"
                                "[2] go -> B (obs=5)\n[3] READ_PAGE (stay)\n[4] STOP");
    o = act(ep, "2");
    assert_string_equal(o.text,
                        "PAGE: B [page]\nHISTORY: A > here\nACTIONS:\n[1] link -> A (obs=1)\n[2] link -> C (obs=1)\n"
                        "[3] READ_PAGE (stay)\n[4] STOP");
    env->cls->turns->close(ep);
    rein_env_close(env);
}

static void rewards_are_what_they_say(void **state) {
    (void)state;
    rein_episode *ep;
    rein_env *env = open_own(&ep, "");
    rein_task task = pair(0, 3);
    begin(ep, &task);
    rein_observation o = act(ep, "3"); /* stay */
    assert_true(component(&o, "stay") == -0.05 && component(&o, "step") == -0.01 && !o.terminated);
    o = act(ep, " 1\n");
    assert_true(component(&o, "nearer") == 0.05 && component(&o, "goal") == 0);
    o = act(ep, "1");
    assert_true(o.terminated && o.score.success && component(&o, "goal") == 1);
    FAILS_WITH(REIN_ERR_ARG, ep->env->cls->turns->step(ep, "1", 1));
    begin(ep, &task);
    o = act(ep, "4");
    assert_true(o.terminated && !o.score.success && component(&o, "stop") == -0.1);
    env->cls->turns->close(ep);
    rein_env_close(env);
}

static void circles_cost(void **state) {
    (void)state;
    rein_episode *ep;
    rein_env *env = open_own(&ep, "max_steps=12");
    rein_task task = pair(1, 3); /* from b to d: to a and back is no progress, again and again */
    rein_observation o = begin(ep, &task);
    double sum = 0;
    for (int i = 0; !o.truncated; i++) {
        o = act(ep, i % 2 ? "2" : "1");
        sum += o.score.total;
    }
    assert_true(sum < -0.1);
    env->cls->turns->close(ep);
    rein_env_close(env);
}

static void only_a_number_is_an_answer(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "", "0", "-1", "5", "1 or 2", "1.", "01", "one", "[1]", "99999999999999999999", "1\n2"};
    rein_episode *ep;
    rein_env *env = open_own(&ep, "max_steps=20");
    rein_task task = pair(0, 3);
    begin(ep, &task);
    for (size_t i = 0; i < REIN_COUNT(wrong); i++) {
        rein_observation o = act(ep, wrong[i]);
        if (!o.error || o.score.format_ok) fail_msg("'%s' was taken", wrong[i]);
        assert_true(component(&o, "invalid_action") == -0.05);
        assert_non_null(strstr(o.text, "PAGE: A [front]"));
    }
    env->cls->turns->close(ep);
    rein_env_close(env);
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "expected {\"nodes\""},
        {"{\"nodes\":{},\"edges\":{}}", "no nodes"},
        {"{\"nodes\":{\"a\":1},\"edges\":{}}", "is no object"},
        {"{\"nodes\":{\"a\":{}},\"edges\":{\"a\":{}}}", "no list"},
        {"{\"nodes\":{\"a\":{}},\"edges\":{\"a\":[{}]}}", "target"},
        {"{\"nodes\":{\"a\":{},\"b\":{}},\"edges\":{\"a\":[{\"target\":\"b\",\"count\":\"x\"}]}}", "count"},
        {"{\"nodes\":{\"a\":{},\"b\":{}},\"edges\":{}}", "no two pages"},
        {"{\"nodes\":", "graph.json"},
    };
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        char spec[300];
        rein_env *env;
        write_bytes(in_folder("graph.json"), cases[i][0], strlen(cases[i][0]));
        snprintf(spec, sizeof spec, "graph:graph=%s", in_folder("graph.json"));
        assert_int_not_equal(rein_env_open(&env, spec), REIN_OK);
        if (!strstr(rein_error_message(), cases[i][1])) fail_msg("%s: %s", cases[i][0], rein_error_message());
    }
    rein_env *env;
    FAILS_WITH(REIN_ERR_USAGE, rein_env_open(&env, "graph:min_hops=4,max_hops=3"));
    FAILS_WITH(REIN_ERR_USAGE, rein_env_open(&env, "graph:max_hops=11"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_can_be_done),     cmocka_unit_test(splits_share_no_pair),
        cmocka_unit_test(chance_is_no_policy),        cmocka_unit_test(files_are_read),
        cmocka_unit_test(rewards_are_what_they_say),  cmocka_unit_test(circles_cost),
        cmocka_unit_test(only_a_number_is_an_answer), cmocka_unit_test(damaged_files_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
