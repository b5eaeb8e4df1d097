/* The tool world in tests: opening it with options, and playing episodes with policies that need no model. */
#ifndef REIN_TEST_TOOLS_PLAYER_H
#define REIN_TEST_TOOLS_PLAYER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/option.h"
#include "env/tools/tools.h"
#include "testing.h"

static const rein_env_class *const cls = &rein_tools_class;

/* A world with options "name=value" ... , NULL-ended. */
static inline rein_status open_world(rein_env **out, const char *const *settings) {
    rein_tools_config config;
    rein_options opts;
    OK(rein_options_init(&opts, cls->options, cls->n_options, &config));
    for (; settings && *settings; settings++) {
        char name[64];
        const size_t n = strcspn(*settings, "=");
        memcpy(name, *settings, n);
        name[n] = '\0';
        OK(rein_options_set(&opts, name, *settings + n + 1, 2, "test"));
    }
    *out = NULL;
    rein_status status = cls->create(out, &config);
    rein_options_deinit(&opts);
    return status;
}

static inline rein_env *world(const char *const *settings) {
    rein_env *env;
    OK(open_world(&env, settings));
    return env;
}

/* ---- playing ---- */

/* Sums of an episode, and a hash of all that was said in it. */
typedef struct played {
    double total, component[REIN_SCORE_PARTS];
    const char *name[REIN_SCORE_PARTS];
    int turns, n_component;
    rein_observation last;
    char last_text[4096], error[256];
    rein_str said; /* actions and observations */
} played;

static inline rein_observation wait_for(rein_episode *ep) {
    rein_observation o;
    bool ready;
    OK(cls->turns->poll(ep, -1, &o, &ready));
    assert_true(ready);
    return o;
}

static inline void hear(played *p, const rein_observation *o) {
    double sum = 0;
    assert_true(o->len < sizeof p->last_text);
    memcpy(p->last_text, o->text, o->len);
    p->last_text[o->len] = '\0';
    snprintf(p->error, sizeof p->error, "%s", o->error ? o->error : "");
    p->last = *o;
    p->n_component = o->score.n_component;
    for (int i = 0; i < o->score.n_component; i++) {
        p->component[i] += o->score.component[i].value;
        p->name[i] = o->score.component[i].name;
        sum += o->score.component[i].value;
    }
    assert_true(sum == o->score.total);
    p->total += o->score.total;
    rein_str_append(&p->said, o->text, o->len);
    rein_str_putc(&p->said, '|');
}

static inline void act(rein_episode *ep, played *p, const char *text) {
    OK(cls->turns->step(ep, text, strlen(text)));
    rein_observation o = wait_for(ep);
    p->turns++;
    rein_str_printf(&p->said, "%s>", text);
    hear(p, &o);
}

static inline void begin(rein_episode *ep, played *p, const rein_task *task, uint64_t seed) {
    rein_str_deinit(&p->said);
    *p = (played){0};
    OK(cls->turns->reset(ep, task, seed));
    rein_observation o = wait_for(ep);
    assert_false(o.terminated || o.truncated || o.env_error);
    hear(p, &o);
}

static inline bool ended(const played *p) { return p->last.terminated || p->last.truncated; }

static inline void play_oracle(rein_episode *ep, played *p) {
    while (!ended(p)) {
        rein_str action = {0};
        OK(cls->turns->oracle(ep, &action));
        act(ep, p, action.data);
        rein_str_deinit(&action);
    }
}

static inline void play_constant(rein_episode *ep, played *p, const char *action) {
    while (!ended(p)) act(ep, p, action);
}

static inline double component(const played *p, const char *name) {
    for (int i = 0; i < p->n_component; i++)
        if (strcmp(p->name[i], name) == 0) return p->component[i];
    fail_msg("no component '%s'", name);
    return 0;
}

static inline rein_task task_of(const rein_env *env, const char *category) {
    for (int i = 0; i < 10000; i++) {
        rein_task task;
        OK(cls->task(env, 11, REIN_SPLIT_TRAIN, i, &task));
        if (strcmp(rein_tools_category_name((int)task.number[0]), category) == 0) return task;
    }
    fail_msg("no task of category %s", category);
    return (rein_task){0};
}

/* A call in the format hermes. */
static inline const char *call(const char *name, const char *args) {
    static char text[4][2048];
    static int next;
    next = (next + 1) % 4;
    snprintf(text[next], sizeof text[next], "<tool_call>\n{\"name\": \"%s\", \"arguments\": %s}\n</tool_call>", name, args);
    return text[next];
}

#endif
