/*
 * Generated sites in a real browser: every task can be done, none is done by going through the motions, and a site is a
 * function of its task. Skipped, with a notice, where there is no browser.
 */
#include "browse_world.h"
#include "env/browse/site.h"

enum { KINDS = 5 };

static int seeds(void) {
    const char *more = getenv("REIN_SITE_SEEDS");
    return more ? atoi(more) : 1;
}

static void experts_do_every_task(void **state) {
    (void)state;
    int failed = 0;
    for (int level = 1; level <= 3; level++) {
        char options[40];
        snprintf(options, sizeof options, "level=%d", level);
        rein_env *env = open_site(options);
        if (!env) skip();
        rein_episode *ep = open_slot(env, 0);
        for (int64_t i = 0; i < KINDS * seeds(); i++) {
            rein_task task;
            rein_str seen = {0};
            OK(env->cls->task(env, 4, REIN_SPLIT_TRAIN, i, &task));
            rein_observation o = play(ep, &task, &seen);
            if (getenv("REIN_SITE_SHOW")) print_message("=== level %d, %g\n%s\n", level, o.score.total, seen.data);
            if (!o.terminated || o.score.total != 1.0) {
                print_error("level %d, kind %g, seed %g: %g\n%s\n", level, task.number[0], task.number[1],
                            o.score.total, seen.data);
                failed++;
            }
            rein_str_deinit(&seen);
        }
        env->cls->turns->close(ep);
        rein_env_close(env);
    }
    assert_int_equal(failed, 0);
}

/* The deliberate act without what leads to it. */
static void the_act_alone_earns_nothing(void **state) {
    (void)state;
    static const char *const hasty[][4] = {{"settings", "click('4')", "click('14')"},
                                           {"lookup", "click('3')", "click('8')"},
                                           {"register", "goto('http://site.test/register/3')", "click('7')"},
                                           {"cheapest", "goto('http://site.test/register/3')", "click('7')"}};
    for (size_t i = 0; i < REIN_COUNT(hasty); i++) {
        char options[60];
        rein_task task;
        snprintf(options, sizeof options, "level=1,kinds=%s", hasty[i][0]);
        rein_env *env = open_site(options);
        if (!env) skip();
        rein_episode *ep = open_slot(env, 0);
        OK(env->cls->task(env, 4, REIN_SPLIT_TRAIN, 0, &task));
        begin(ep, &task);
        rein_observation o = act(ep, hasty[i][1]);
        assert_false(o.terminated);
        o = act(ep, hasty[i][2]);
        if (!o.terminated)
            fail_msg("%s does not end: %s %.*s", hasty[i][0], o.error ? o.error : "", (int)o.len, o.text);
        assert_true(o.score.total == 0 && !o.score.success && o.score.metric[0].value == -1);
        env->cls->turns->close(ep);
        rein_env_close(env);
    }
}

static void site_stays_on_the_site(void **state) {
    (void)state;
    rein_env *env = open_site("kinds=lookup,level=1");
    if (!env) skip();
    rein_episode *ep = open_slot(env, 0);
    rein_task task;
    OK(env->cls->task(env, 4, REIN_SPLIT_TRAIN, 0, &task));
    rein_observation o = begin(ep, &task);
    assert_non_null(strstr(o.text, "Goal: Look up the "));
    o = act(ep, "go_back()");
    assert_string_equal(o.error, "there is no page to go back to");
    assert_true(o.score.total == -0.05);
    o = act(ep, "goto('http://example.com/')");
    assert_string_equal(o.error, "an address begins with http://site.test/");
    o = act(ep, "goto('javascript:alert(1)')");
    assert_string_equal(o.error, "an address begins with http://site.test/");
    o = act(ep, "goto('http://site.test/nowhere')");
    assert_non_null(strstr(o.text, "There is no such page."));
    o = act(ep, "go_back()");
    assert_null(o.error);
    assert_non_null(strstr(o.text, "Welcome"));
    env->cls->turns->close(ep);
    rein_env_close(env);
}

static void episodes_share_nothing(void **state) {
    (void)state;
    rein_env *env = open_site("");
    if (!env) skip();
    rein_episode *used = open_slot(env, 0), *clean = open_slot(env, 1);
    for (int64_t i = 0; i < KINDS; i += 3) {
        rein_task task, other;
        rein_str one = {0}, two = {0};
        OK(env->cls->task(env, 9, REIN_SPLIT_EVAL, i, &task));
        OK(env->cls->task(env, 9, REIN_SPLIT_EVAL, i + KINDS, &other));
        begin(used, &other);
        act(used, "goto('http://site.test/thing/1')");
        act(used, "click('8')");
        act(used, "goto('http://site.test/settings')");
        play(used, &task, &one);
        play(clean, &task, &two);
        assert_string_equal(one.data, two.data);
        rein_str_deinit(&one);
        rein_str_deinit(&two);
    }
    env->cls->turns->close(used);
    env->cls->turns->close(clean);
    rein_env_close(env);
}

static void options_are_checked(void **state) {
    (void)state;
    rein_env *env = open_site("");
    if (!env) skip();
    rein_env_close(env);
    FAILS_WITH(REIN_ERR_USAGE, rein_env_open(&env, "site:kinds=(order,ordr)"));
    assert_non_null(strstr(rein_error_message(), "no kind 'ordr'"));
    FAILS_WITH(REIN_ERR_USAGE, rein_env_open(&env, "site:kinds=(order,order)"));
    assert_non_null(strstr(rein_error_message(), "named twice"));
    FAILS_WITH(REIN_ERR_USAGE, rein_env_open(&env, "site:level=4"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(experts_do_every_task),  cmocka_unit_test(the_act_alone_earns_nothing),
        cmocka_unit_test(site_stays_on_the_site), cmocka_unit_test(episodes_share_nothing),
        cmocka_unit_test(options_are_checked),
    };
    cmocka_set_test_filter(getenv("REIN_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
