/*
 * Episodes on a graph of pages. An answer is exactly one number of the menu; anything else leaves everything as it is
 * and is explained. The goal is reached by moving to it.
 */
#include <string.h>

#include "base/json.h"
#include "env/graph/graph.h"

typedef struct episode {
    rein_episode base;
    int32_t at, goal;
    int32_t *distance, *queue; /* (n) to the goal; scratch */
    int32_t *path;             /* (max_steps + 1) pages that were visited, from the start */
    int64_t n_path, steps;
    int32_t nearest; /* distance to the goal, the least in this episode */
    bool ended;
    rein_str text;
    rein_observation said;
} episode;

static const rein_graph_world *world(const episode *e) { return (const rein_graph_world *)e->base.env; }
static const rein_graph_node *node(const episode *e, int32_t i) { return &world(e)->graph.node[i]; }

static int64_t n_links(const episode *e) {
    int64_t n = node(e, e->at)->n, k = world(e)->config.top_k_actions;
    return n < k ? n : k;
}

static int64_t n_actions(const episode *e) { return n_links(e) + (world(e)->config.include_read_and_stop ? 2 : 0); }
static const rein_graph_edge *link_at(const episode *e, int64_t i) {
    return &world(e)->graph.edge[node(e, e->at)->first + i];
}

static void graph_close(rein_episode *ep) {
    episode *e = (episode *)ep;
    if (!e) return;
    rein_free(e->distance);
    rein_free(e->queue);
    rein_free(e->path);
    rein_str_deinit(&e->text);
    rein_free(e);
}

static rein_status graph_open(const rein_env *env, int slot, rein_episode **out) {
    episode *e;
    REIN_TRY(rein_alloc(&e, 1, sizeof *e));
    e->base = (rein_episode){env, slot};
    const int64_t n = world(e)->graph.n;
    rein_status status = rein_alloc(&e->distance, n, sizeof *e->distance);
    if (status == REIN_OK) status = rein_alloc(&e->queue, n, sizeof *e->queue);
    if (status == REIN_OK) status = rein_alloc(&e->path, world(e)->config.max_steps + 1, sizeof *e->path);
    if (status != REIN_OK)
        graph_close(&e->base);
    else
        *out = &e->base;
    return status;
}

/* ---- what is seen ---- */

static void put_history(episode *e) {
    int64_t from = e->n_path - 1 - world(e)->config.history_window;
    if (e->n_path < 2 || world(e)->config.history_window == 0) return;
    rein_str_puts(&e->text, "HISTORY: ");
    for (int64_t i = from > 0 ? from : 0; i < e->n_path - 1; i++)
        rein_str_printf(&e->text, "%s > ", node(e, e->path[i])->title);
    rein_str_puts(&e->text, "here\n");
}

static void put_page(episode *e) {
    const rein_graph_node *here = node(e, e->at);
    int64_t n = n_links(e);
    rein_str_printf(&e->text, "PAGE: %s [%s]\n", here->title, here->type);
    put_history(e);
    rein_str_puts(&e->text, "ACTIONS:");
    for (int64_t i = 0; i < n; i++)
        rein_str_printf(&e->text, "\n[%lld] %s -> %s (obs=%lld)", (long long)i + 1, link_at(e, i)->type,
                        node(e, link_at(e, i)->to)->title, (long long)link_at(e, i)->count);
    if (world(e)->config.include_read_and_stop)
        rein_str_printf(&e->text, "\n[%lld] READ_PAGE (stay)\n[%lld] STOP", (long long)n + 1, (long long)n + 2);
}

static rein_status say(episode *e, const char *error) {
    rein_str_clear(&e->text);
    if (e->steps == 0) rein_str_printf(&e->text, "GOAL: Reach: %s\n", node(e, e->goal)->title);
    if (error) rein_str_printf(&e->text, "Error: %s\n", error);
    put_page(e);
    e->said.text = e->text.data;
    e->said.len = e->text.len;
    e->said.error = error;
    return rein_str_check(&e->text);
}

/* ---- reset and step ---- */

static rein_status graph_reset(rein_episode *ep, const rein_task *task, uint64_t seed) {
    (void)seed;
    episode *e = (episode *)ep;
    e->at = (int32_t)task->number[REIN_GRAPH_START];
    e->goal = (int32_t)task->number[REIN_GRAPH_GOAL];
    rein_graph_distances(e->distance, e->queue, &world(e)->graph, e->goal);
    e->nearest = e->distance[e->at];
    e->path[0] = e->at;
    e->n_path = 1;
    e->steps = 0;
    e->ended = false;
    e->said = (rein_observation){.text = ""};
    return say(e, NULL);
}

/* The number that the answer is; 0: it is none of the menu. */
static int64_t read_choice(const episode *e, const char *text, size_t len) {
    int64_t value = 0;
    while (len > 0 && memchr(" \t\r\n", text[len - 1], 4)) len--;
    while (len > 0 && memchr(" \t\r\n", text[0], 4)) text++, len--;
    if (len == 0 || len > 6 || text[0] == '0') return 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return 0;
        value = value * 10 + (text[i] - '0');
    }
    return value <= n_actions(e) ? value : 0;
}

static void earn(rein_score *score, const char *name, double value) {
    score->component[score->n_component++] = (rein_named){name, value};
    score->total += value;
}

static bool move(episode *e, int64_t choice) {
    if (choice < 1 || choice > n_links(e)) return false;
    e->at = link_at(e, choice - 1)->to;
    e->path[e->n_path++] = e->at;
    return true;
}

static rein_status graph_step(rein_episode *ep, const char *action, size_t len) {
    episode *e = (episode *)ep;
    const rein_graph_config *c = &world(e)->config;
    if (e->ended) return rein_fail(REIN_ERR_ARG, "the episode is over");
    const int64_t choice = read_choice(e, action, len);
    const bool stop = c->include_read_and_stop && choice == n_actions(e), moved = move(e, choice);
    const bool arrived = moved && e->at == e->goal,
               nearer = moved && e->distance[e->at] >= 0 && e->distance[e->at] < e->nearest;
    if (nearer) e->nearest = e->distance[e->at];
    e->steps++;
    e->said = (rein_observation){.terminated = arrived || stop};
    e->said.truncated = !e->said.terminated && e->steps >= c->max_steps;
    e->ended = e->said.terminated || e->said.truncated;
    rein_score *s = &e->said.score;
    earn(s, "step", c->step_reward);
    earn(s, "goal", arrived ? c->goal_reward : 0);
    earn(s, "stop", stop ? c->stop_reward : 0);
    earn(s, "stay", choice > 0 && !moved ? c->stay_reward : 0);
    earn(s, "nearer", nearer ? c->nearer_reward : 0);
    earn(s, "invalid_action", choice > 0 ? 0 : -c->invalid_penalty);
    s->metric[s->n_metric++] = (rein_named){"steps", (double)e->steps};
    s->metric[s->n_metric++] = (rein_named){"distance_left", e->distance[e->at]};
    s->format_ok = choice > 0;
    s->success = arrived;
    REIN_TRY(say(e, choice > 0 ? NULL : "answer with one of the numbers in brackets"));
    s->error = e->said.error;
    return REIN_OK;
}

static rein_status graph_poll(rein_episode *ep, int wait_ms, rein_observation *out, bool *ready) {
    (void)wait_ms;
    *out = ((episode *)ep)->said;
    *ready = true;
    return REIN_OK;
}

/* ---- expert, grammar, description ---- */

static rein_status graph_oracle(rein_episode *ep, rein_str *out) {
    const episode *e = (const episode *)ep;
    for (int64_t i = 0; i < n_links(e); i++) {
        int32_t left = e->distance[link_at(e, i)->to];
        if (left < 0 || left >= e->distance[e->at]) continue;
        rein_str_printf(out, "%lld", (long long)i + 1);
        break;
    }
    return rein_str_check(out);
}

static rein_status graph_grammar(const rein_episode *ep, bool *is_schema, rein_str *out) {
    const episode *e = (const episode *)ep;
    *is_schema = false;
    for (int64_t i = 1; i <= n_actions(e); i++) rein_str_printf(out, "%s%lld", i > 1 ? "|" : "", (long long)i);
    return rein_str_check(out);
}

static rein_status graph_describe(const rein_episode *ep, rein_str *out) {
    const episode *e = (const episode *)ep;
    rein_str_puts(out, "{\"goal\":");
    rein_json_put_string(out, node(e, e->goal)->url, strlen(node(e, e->goal)->url));
    rein_str_puts(out, ",\"path\":[");
    for (int64_t i = 0; i < e->n_path; i++) {
        if (i) rein_str_putc(out, ',');
        rein_json_put_string(out, node(e, e->path[i])->url, strlen(node(e, e->path[i])->url));
    }
    rein_str_printf(out, "],\"shortest\":%d}", e->distance[e->path[0]]);
    return rein_str_check(out);
}

const rein_turns rein_graph_turns = {
    .open = graph_open,
    .close = graph_close,
    .reset = graph_reset,
    .step = graph_step,
    .poll = graph_poll,
    .oracle = graph_oracle,
    .grammar = graph_grammar,
    .describe = graph_describe,
    .role = "user",
};
