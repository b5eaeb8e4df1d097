/*
 * Episodes of MiniWoB++: reset, actions, observations. Nothing blocks but poll and the expert, who is asked between two
 * actions. What a page says comes from one evaluation after each action: {done, raw, goal, page: {text, kinds}}.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "browser/cdp.h"
#include "env/browse/action.h"
#include "env/browse/miniwob.h"
#include "env/browse/steps.h"

typedef struct episode {
    rein_episode base;
    rein_page *page;
    const char *name;   /* of the page that is loaded or being loaded */
    const char *loaded; /* of the page that has begun an episode, NULL: none */
    int64_t seed, steps;
    bool opening, invalid;
    rein_action action;
    rein_str text, goal, kinds, error;
} episode;

static const rein_miniwob *world(const episode *e) { return (const rein_miniwob *)e->base.env; }

/* ---- open ---- */

static void miniwob_close(rein_episode *ep) {
    episode *e = (episode *)ep;
    if (!e) return;
    rein_page_close(e->page);
    rein_action_deinit(&e->action);
    rein_str_deinit(&e->text);
    rein_str_deinit(&e->goal);
    rein_str_deinit(&e->kinds);
    rein_str_deinit(&e->error);
    rein_free(e);
}

static rein_status miniwob_open(const rein_env *env, int slot, rein_episode **out) {
    episode *e;
    REIN_TRY(rein_alloc(&e, 1, sizeof *e));
    e->base = (rein_episode){env, slot};
    rein_status status = rein_page_open(&e->page, world(e)->browser);
    if (status != REIN_OK) miniwob_close(&e->base);
    else *out = &e->base;
    return status;
}

/* ---- reset and step ---- */

static void add_look(episode *e) {
    rein_page_add_f(e->page, REIN_PAGE_EVAL, "miniwob.state({chars: %lld})", (long long)world(e)->config.max_chars);
}

static bool begins_like_new(const char *name) {
    int64_t n;
    const rein_miniwob_page *pages = rein_miniwob_pages(&n);
    for (int64_t i = 0; i < n; i++)
        if (strcmp(pages[i].name, name) == 0) return !pages[i].reload;
    return false;
}

static rein_status miniwob_reset(rein_episode *ep, const rein_task *task, uint64_t seed) {
    (void)seed; /* the problem is all there is: the page draws nothing else */
    episode *e = (episode *)ep;
    e->name = world(e)->all[(int64_t)task->number[REIN_MINIWOB_TASK]];
    e->seed = (int64_t)task->number[REIN_MINIWOB_SEED];
    e->steps = 0;
    e->opening = true;
    e->invalid = false;
    bool same = e->loaded && strcmp(e->loaded, e->name) == 0 && begins_like_new(e->name);
    bool load = !same || rein_page_is_fresh(e->page);
    rein_page_begin(e->page);
    if (load) {
        rein_page_add_f(e->page, REIN_PAGE_GOTO, "http://miniwob.test/miniwob/%s.html", e->name);
        rein_page_add(e->page, REIN_PAGE_EVAL, rein_miniwob_js, strlen(rein_miniwob_js));
    }
    rein_page_add_f(e->page, REIN_PAGE_EVAL, "miniwob.start(%lld)", (long long)e->seed);
    rein_page_add_advance(e->page, REIN_ACTION_MS);
    add_look(e);
    e->loaded = NULL;
    return rein_page_start(e->page);
}

/* Leaving the page would be leaving the task. */
static void check_allowed(rein_action *a) {
    if (a->error[0]) return;
    if (a->verb == REIN_ACTION_GOTO || a->verb == REIN_ACTION_BACK)
        snprintf(a->error, sizeof a->error, "there is only this page");
    if (a->verb == REIN_ACTION_PRESS && !rein_key_known(a->texts[0].data ? a->texts[0].data : "", a->texts[0].len))
        snprintf(a->error, sizeof a->error, "there is no such key; keys are named Enter, Tab, ArrowDown, Control+a, x");
}

static rein_status miniwob_step(rein_episode *ep, const char *action, size_t len) {
    episode *e = (episode *)ep;
    if (e->steps >= world(e)->config.max_steps) return rein_fail(REIN_ERR_ARG, "the episode is over");
    rein_action_deinit(&e->action);
    REIN_TRY(rein_action_read(&e->action, action, len));
    check_allowed(&e->action);
    e->steps++;
    e->opening = false;
    rein_page_begin(e->page);
    rein_action_steps(e->page, &e->action);
    add_look(e);
    return rein_page_start(e->page);
}

/* ---- what is seen ---- */

static void put_line(rein_str *out, const char *before, const char *text) {
    if (out->len) rein_str_putc(out, '\n');
    rein_str_puts(out, before);
    rein_str_puts(out, text);
}

static void set(rein_str *out, const char *text) {
    rein_str_clear(out);
    rein_str_puts(out, text);
}

static const char *refusal(const episode *e, const rein_page_result *r) {
    if (e->opening) return NULL;
    return e->action.error[0] ? e->action.error : r->refused;
}

static rein_status write_page(episode *e, const rein_page_result *r) {
    struct json_object *page = rein_cdp_object(r->value, "page");
    const char *why = refusal(e, r);
    rein_str_clear(&e->text);
    set(&e->goal, rein_cdp_text(r->value, "goal"));
    set(&e->kinds, rein_cdp_text(page, "kinds"));
    set(&e->error, why ? why : "");
    if (e->opening) put_line(&e->text, "Goal: ", e->goal.data ? e->goal.data : "");
    if (why) put_line(&e->text, "Error: ", why);
    if (r->dialogs[0]) put_line(&e->text, "Dialog: ", r->dialogs);
    put_line(&e->text, "", rein_cdp_text(page, "text"));
    e->invalid = why != NULL;
    REIN_TRY(rein_str_check(&e->goal));
    REIN_TRY(rein_str_check(&e->kinds));
    REIN_TRY(rein_str_check(&e->error));
    return rein_str_check(&e->text);
}

/* The page grades from -1 to 1; what is below 0 is no success and no more than that. */
static void score(episode *e, double raw, bool done, rein_score *out) {
    double success = done && raw > 0 ? raw : 0, invalid = e->invalid ? -world(e)->config.invalid_penalty : 0;
    *out = (rein_score){.total = success + invalid, .n_component = 2, .n_metric = 2};
    out->component[0] = (rein_named){"success", success};
    out->component[1] = (rein_named){"invalid_action", invalid};
    out->metric[0] = (rein_named){"raw_reward", done ? raw : 0};
    out->metric[1] = (rein_named){"steps", (double)e->steps};
    out->format_ok = !e->action.error[0];
    out->success = done && raw > 0;
    out->error = e->action.error[0] ? e->action.error : NULL;
}

static rein_status failed(episode *e, const char *how, rein_observation *out) {
    set(&e->error, how);
    rein_str_clear(&e->text);
    *out = (rein_observation){.text = "", .env_error = true, .error = e->error.data ? e->error.data : how};
    return rein_str_check(&e->error);
}

static bool truth(struct json_object *obj, const char *key) {
    struct json_object *value = NULL;
    return json_object_object_get_ex(obj, key, &value) && json_object_get_boolean(value);
}

static rein_status look(episode *e, const rein_page_result *r, rein_observation *out) {
    if (r->failed) return failed(e, r->failed, out);
    if (!json_object_is_type(r->value, json_type_object) || !rein_cdp_object(r->value, "page"))
        return failed(e, "the page did not begin an episode", out);
    if (e->opening) e->loaded = e->name;
    REIN_TRY(write_page(e, r));
    bool done = truth(r->value, "done");
    *out = (rein_observation){.text = e->text.data, .len = e->text.len, .terminated = done && !e->opening};
    if (done) out->text = "", out->len = 0; /* the page shows nothing but that it is over */
    out->truncated = !out->terminated && e->steps >= world(e)->config.max_steps;
    out->error = e->error.len ? e->error.data : NULL;
    if (!e->opening) score(e, rein_cdp_number(r->value, "raw"), done, &out->score);
    return REIN_OK;
}

static rein_status miniwob_poll(rein_episode *ep, int wait_ms, rein_observation *out, bool *ready) {
    episode *e = (episode *)ep;
    rein_page_result result;
    REIN_TRY(rein_page_poll(e->page, wait_ms, &result, ready));
    return *ready ? look(e, &result, out) : REIN_OK;
}

static int miniwob_descriptors(const rein_episode *ep, struct pollfd *out, int most) {
    return rein_page_descriptors(((const episode *)ep)->page, out, most);
}

/* ---- experts, grammar, description ---- */

static rein_status miniwob_oracle(rein_episode *ep, rein_str *out) {
    episode *e = (episode *)ep;
    rein_page_result r;
    bool ready = false;
    rein_page_begin(e->page);
    rein_page_add_f(e->page, REIN_PAGE_EVAL, "miniwob.oracle('%s')", e->name);
    REIN_TRY(rein_page_start(e->page));
    while (!ready) REIN_TRY(rein_page_poll(e->page, -1, &r, &ready));
    if (json_object_is_type(r.value, json_type_string)) rein_str_puts(out, json_object_get_string(r.value));
    return rein_str_check(out);
}

static rein_status miniwob_grammar(const rein_episode *ep, bool *is_schema, rein_str *out) {
    const episode *e = (const episode *)ep;
    *is_schema = false;
    rein_action_pattern(out, e->kinds.data ? e->kinds.data : "");
    return rein_str_check(out);
}

static rein_status miniwob_describe(const rein_episode *ep, rein_str *out) {
    const episode *e = (const episode *)ep;
    rein_str_puts(out, "{\"task\":");
    rein_json_put_string(out, e->name, strlen(e->name));
    rein_str_printf(out, ",\"seed\":%lld,\"goal\":", (long long)e->seed);
    rein_json_put_string(out, e->goal.data ? e->goal.data : "", e->goal.len);
    rein_str_putc(out, '}');
    return rein_str_check(out);
}

const rein_turns rein_miniwob_turns = {
    .open = miniwob_open,
    .close = miniwob_close,
    .reset = miniwob_reset,
    .step = miniwob_step,
    .poll = miniwob_poll,
    .descriptors = miniwob_descriptors,
    .oracle = miniwob_oracle,
    .grammar = miniwob_grammar,
    .describe = miniwob_describe,
    .role = "user",
};
