/*
 * MiniWoB++ in a real browser: the experts solve their pages, an episode is a function of its task and its actions, and what a
 * model may say wrongly is an observation. Skipped, with a notice, where browser or pages are missing.
 */
#include "browse_world.h"
#include "env/browse/miniwob.h"

enum { SEEDS = 3 }; /* of each page; REIN_MINIWOB_SEEDS asks for more */

static int seeds(void) {
    const char *more = getenv("REIN_MINIWOB_SEEDS");
    return more ? atoi(more) : SEEDS;
}

/* Plays with the expert; everything that was seen is appended to `seen`. */
static rein_observation play(rein_episode *ep, const rein_task *task, rein_str *seen) {
    rein_observation o = begin(ep, task);
    while (!o.terminated && !o.truncated && !o.env_error) {
        rein_str action = {0};
        rein_str_append(seen, o.text, o.len);
        OK(ep->env->cls->turns->oracle(ep, &action));
        rein_str_printf(seen, "\n> %s\n", action.data ? action.data : "(nothing)");
        o = act(ep, action.data ? action.data : "");
        if (o.error) rein_str_printf(seen, "! %s\n", o.error);
        rein_str_deinit(&action);
    }
    if (o.env_error) rein_str_printf(seen, "! %s\n", o.error);
    return o;
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
        rein_task task;
        rein_str seen = {0};
        OK(env->cls->task(env, 7, REIN_SPLIT_EVAL, i % n + n * (i / n), &task));
        rein_observation o = play(ep, &task, &seen);
        if (getenv("REIN_MINIWOB_SHOW")) print_message("=== %s %g\n%s\n", pages[i % n].name, o.score.total, seen.data);
        if (!o.terminated || o.score.total != 1.0 || !o.score.success) {
            print_error("%s, seed %g: %g\n%s\n", pages[i % n].name, task.number[1], o.score.total, seen.data);
            failed++;
        }
        rein_str_deinit(&seen);
    }
    env->cls->turns->close(ep);
    rein_env_close(env);
    assert_int_equal(failed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(experts_solve_their_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
