/*
 * Episodes on web pages: reset, actions, observations. Nothing blocks but poll and the expert, who is asked between two
 * actions. What a page says comes from one evaluation after each action, world.state (world.h).
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/random.h"
#include "browser/cdp.h"
#include "env/browse/action.h"
#include "env/browse/steps.h"
#include "env/browse/world.h"

typedef struct episode {
    rein_episode base;
    rein_page *page;
    rein_browse_place place;
    bool begun; /* the page that is loaded has begun an episode of place.name */
    int64_t steps;
    bool opening, invalid;
    rein_action action;
    rein_str text, goal, kinds, error;
} episode;

static const rein_browse_world *world(const episode *e) { return (const rein_browse_world *)e->base.env; }

/* ---- open ---- */

static void browse_close(rein_episode *ep) {
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

static rein_status browse_open(const rein_env *env, int slot, rein_episode **out) {
    episode *e;
    REIN_TRY(rein_alloc(&e, 1, sizeof *e));
    e->base = (rein_episode){env, slot};
    rein_status status = rein_page_open(&e->page, world(e)->browser);
    if (status != REIN_OK)
        browse_close(&e->base);
    else
        *out = &e->base;
    return status;
}

/* ---- reset and step ---- */

static void add_look(episode *e) {
    rein_page_add_f(e->page, REIN_PAGE_EVAL, "world.state({chars: %lld})", (long long)world(e)->max_chars);
}

/* Whether the page that is there can begin the episode, or what has to go before. */
static bool has_page(episode *e, const rein_browse_place *to) {
    if (to->rest == REIN_BROWSE_NOTHING) rein_page_renew(e->page);
    bool same = e->begun && to->rest == REIN_BROWSE_SAME_PAGE && strcmp(e->place.name, to->name) == 0;
    return same && !rein_page_is_fresh(e->page);
}

/* The task is all there is to an episode: its seed draws nothing else. */
static rein_status browse_reset(rein_episode *ep, const rein_task *task, uint64_t seed) {
    (void)seed;
    episode *e = (episode *)ep;
    const char *script = world(e)->script;
    rein_browse_place to = {.rest = REIN_BROWSE_NOTHING};
    world(e)->place(ep->env, task, &to);
    bool load = !has_page(e, &to);
    e->place = to;
    e->begun = false;
    e->steps = 0;
    e->opening = true;
    rein_page_begin(e->page);
    if (load) rein_page_add(e->page, REIN_PAGE_GOTO, to.url, strlen(to.url));
    if (load && script) rein_page_add(e->page, REIN_PAGE_EVAL, script, strlen(script));
    rein_page_add_f(e->page, REIN_PAGE_EVAL, "world.start(%s)", to.argument);
    rein_page_add_advance(e->page, REIN_ACTION_MS);
    add_look(e);
    return rein_page_start(e->page);
}

static const char *text_of(const rein_action *a) { return a->texts[0].data ? a->texts[0].data : ""; }

/* Leaving the task's pages would be leaving the task. */
static void check_allowed(const rein_browse_world *w, rein_action *a) {
    if (a->error[0]) return;
    if (!w->origin && (a->verb == REIN_ACTION_GOTO || a->verb == REIN_ACTION_BACK))
        snprintf(a->error, sizeof a->error, "there is only this page");
    else if (a->verb == REIN_ACTION_GOTO && strncmp(text_of(a), w->origin, strlen(w->origin)) != 0)
        snprintf(a->error, sizeof a->error, "an address begins with %s", w->origin);
    else if (a->verb == REIN_ACTION_PRESS && !rein_key_known(text_of(a), a->texts[0].len))
        snprintf(a->error, sizeof a->error, "there is no such key; keys are named Enter, Tab, ArrowDown, Control+a, x");
}

static rein_status browse_step(rein_episode *ep, const char *action, size_t len) {
    episode *e = (episode *)ep;
    if (e->steps >= world(e)->max_steps) return rein_fail(REIN_ERR_ARG, "the episode is over");
    rein_action_deinit(&e->action);
    REIN_TRY(rein_action_read(&e->action, action, len));
    check_allowed(world(e), &e->action);
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
    double success = done && raw > 0 ? raw : 0, invalid = e->invalid ? -world(e)->invalid_penalty : 0;
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
    e->begun = true;
    REIN_TRY(write_page(e, r));
    bool done = truth(r->value, "done");
    *out = (rein_observation){.text = e->text.data, .len = e->text.len, .terminated = done && !e->opening};
    if (done) out->text = "", out->len = 0; /* the page shows nothing but that it is over */
    out->truncated = !out->terminated && e->steps >= world(e)->max_steps;
    out->error = e->error.len ? e->error.data : NULL;
    if (!e->opening) score(e, rein_cdp_number(r->value, "raw"), done, &out->score);
    return REIN_OK;
}

static rein_status browse_poll(rein_episode *ep, int wait_ms, rein_observation *out, bool *ready) {
    episode *e = (episode *)ep;
    rein_page_result result;
    REIN_TRY(rein_page_poll(e->page, wait_ms, &result, ready));
    return *ready ? look(e, &result, out) : REIN_OK;
}

static int browse_descriptors(const rein_episode *ep, struct pollfd *out, int most) {
    return rein_page_descriptors(((const episode *)ep)->page, out, most);
}

/* ---- experts, grammar, description ---- */

static rein_status browse_oracle(rein_episode *ep, rein_str *out) {
    episode *e = (episode *)ep;
    rein_page_result r;
    bool ready = false;
    rein_page_begin(e->page);
    rein_page_add(e->page, REIN_PAGE_EVAL, "world.oracle()", 14);
    REIN_TRY(rein_page_start(e->page));
    while (!ready) REIN_TRY(rein_page_poll(e->page, -1, &r, &ready));
    if (json_object_is_type(r.value, json_type_string)) rein_str_puts(out, json_object_get_string(r.value));
    return rein_str_check(out);
}

static rein_status browse_grammar(const rein_episode *ep, bool *is_schema, rein_str *out) {
    const episode *e = (const episode *)ep;
    *is_schema = false;
    rein_action_pattern(out, e->kinds.data ? e->kinds.data : "");
    return rein_str_check(out);
}

static rein_status browse_describe(const rein_episode *ep, rein_str *out) {
    const episode *e = (const episode *)ep;
    rein_str_puts(out, "{\"task\":");
    rein_json_put_string(out, e->place.name, strlen(e->place.name));
    rein_str_puts(out, ",\"start\":");
    rein_json_put_string(out, e->place.argument, strlen(e->place.argument));
    rein_str_puts(out, ",\"goal\":");
    rein_json_put_string(out, e->goal.data ? e->goal.data : "", e->goal.len);
    rein_str_putc(out, '}');
    return rein_str_check(out);
}

const rein_turns rein_browse_turns = {
    .open = browse_open,
    .close = browse_close,
    .reset = browse_reset,
    .step = browse_step,
    .poll = browse_poll,
    .descriptors = browse_descriptors,
    .oracle = browse_oracle,
    .grammar = browse_grammar,
    .describe = browse_describe,
    .role = "user",
};

/* ---- prompts and problems ---- */

static const char instructions[] = "You act on web pages. Each message shows the page; elements have numbers in "
                                   "brackets. Answer with exactly one action:\n"
                                   "click('1')\n"
                                   "fill('2', 'text')\n"
                                   "select_option('3', 'option')\n"
                                   "press('2', 'Enter')\n"
                                   "hover('1')\n"
                                   "scroll(0, 200)\n"
                                   "noop()";
static const char more_instructions[] = "\ngo_back()\ngoto('";

static void put_instructions(const rein_env *env, rein_str *out) {
    const char *origin = ((const rein_browse_world *)env)->origin;
    rein_str_puts(out, instructions);
    if (!origin) return;
    rein_str_puts(out, more_instructions);
    rein_str_puts(out, origin);
    rein_str_puts(out, "')");
}

rein_status rein_browse_prompt(const rein_env *env, const rein_task *task, rein_str *out) {
    (void)task;
    put_instructions(env, out);
    return rein_str_check(out);
}

rein_status rein_browse_messages(const rein_env *env, const rein_task *task, rein_str *out, rein_str *tools) {
    rein_str text = {0};
    (void)task, (void)tools;
    put_instructions(env, &text);
    rein_str_puts(out, "[{\"role\":\"system\",\"content\":");
    rein_json_put_string(out, text.data ? text.data : "", text.len);
    rein_str_puts(out, "}]");
    out->failed |= text.failed;
    rein_str_deinit(&text);
    return rein_str_check(out);
}

int64_t rein_browse_problem(uint64_t seed, rein_split split, int64_t which, int64_t round, int64_t n_train) {
    const uint32_t a = (uint32_t)which, b = (uint32_t)round;
    const uint64_t held_out = REIN_BROWSE_EVAL_END - REIN_BROWSE_TRAIN_SEEDS;
    if (split == REIN_SPLIT_TRAIN)
        return (int64_t)rein_random_below((uint64_t)n_train, seed, REIN_STREAM_TASK, a, b, 0, 0);
    if (split == REIN_SPLIT_FIXED) return REIN_BROWSE_EVAL_END + round;
    return REIN_BROWSE_TRAIN_SEEDS + (int64_t)rein_random_below(held_out, seed, REIN_STREAM_EVAL, a, b, 0, 0);
}
