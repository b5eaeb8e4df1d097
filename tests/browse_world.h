/* What tests of the browser share: whether there is a browser and the benchmark, and episodes played to their end. */
#ifndef REIN_TEST_BROWSE_WORLD_H
#define REIN_TEST_BROWSE_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "browser/browser.h"
#include "env/open.h"
#include "rein/env.h"
#include "testing.h"

static inline bool have_browser(void) {
    rein_browser *b = NULL;
    rein_status status = rein_browser_open(&b, &(rein_browser_options){.path = getenv("REIN_BROWSER"), .deadline = 1});
    if (status != REIN_OK) print_message("SKIPPED: %s\n", rein_error_message());
    rein_browser_close(b);
    return status == REIN_OK;
}

/* The world with these options ("tasks=all,max_steps=5"), or NULL after a notice. */
static inline rein_env *open_miniwob(const char *more) {
    const char *html = getenv("REIN_MINIWOB_HTML"), *browser = getenv("REIN_BROWSER");
    char spec[1000];
    rein_env *env = NULL;
    snprintf(spec, sizeof spec, "miniwob:html=%s%s%s%s%s", html ? html : "../miniwob-html", browser ? ",browser=" : "",
             browser ? browser : "", more[0] ? "," : "", more);
    if (rein_env_open(&env, spec) == REIN_OK) return env;
    print_message("SKIPPED: %s\n", rein_error_message());
    return NULL;
}

static inline rein_env *open_site(const char *more) {
    const char *browser = getenv("REIN_BROWSER");
    char spec[1000];
    rein_env *env = NULL;
    snprintf(spec, sizeof spec, "site:%s%s%s%s", browser ? "browser=" : "", browser ? browser : "", browser ? "," : "",
             more);
    if (rein_env_open(&env, spec) == REIN_OK) return env;
    print_message("SKIPPED: %s\n", rein_error_message());
    return NULL;
}

static inline rein_observation wait_for(rein_episode *ep) {
    rein_observation o;
    bool ready = false;
    OK(ep->env->cls->turns->poll(ep, -1, &o, &ready));
    assert_true(ready);
    return o;
}

static inline rein_observation begin(rein_episode *ep, const rein_task *task) {
    OK(ep->env->cls->turns->reset(ep, task, task->key));
    return wait_for(ep);
}

static inline rein_observation act(rein_episode *ep, const char *action) {
    OK(ep->env->cls->turns->step(ep, action, strlen(action)));
    return wait_for(ep);
}

/* Plays with the expert; everything that was seen is appended to `seen`. */
static inline rein_observation play(rein_episode *ep, const rein_task *task, rein_str *seen) {
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

static inline rein_episode *open_slot(const rein_env *env, int slot) {
    rein_episode *ep;
    OK(env->cls->turns->open(env, slot, &ep));
    return ep;
}

#endif
