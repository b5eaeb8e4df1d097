/* Tasks and options of the graph of pages; see graph.h. */
#include "env/graph/graph.h"

#include <string.h>

#include "base/json.h"
#include "base/random.h"

enum { HELD_OUT = 8, TRIES = 2000 };

static const rein_graph_world *self(const rein_env *env) { return (const rein_graph_world *)env; }

/* ---- tasks ---- */

/* One pair in eight is held out, whatever seed asks. */
static rein_split split_of(int32_t start, int32_t goal) {
    static const uint32_t key[2] = {0x7265696e, 0x67726170};
    const uint32_t counter[4] = {(uint32_t)start, (uint32_t)goal, 0, 0};
    uint32_t hash[4];
    rein_philox(hash, counter, key);
    return hash[0] % HELD_OUT == 0 ? REIN_SPLIT_EVAL : REIN_SPLIT_TRAIN;
}

typedef struct scratch {
    int32_t *distance, *queue, *start; /* (n) */
} scratch;

static void scratch_deinit(scratch *s) {
    rein_free(s->distance);
    rein_free(s->queue);
    rein_free(s->start);
}

static rein_status scratch_init(scratch *s, int64_t n) {
    *s = (scratch){NULL, NULL, NULL};
    rein_status status = rein_alloc(&s->distance, n, sizeof *s->distance);
    if (status == REIN_OK) status = rein_alloc(&s->queue, n, sizeof *s->queue);
    if (status == REIN_OK) status = rein_alloc(&s->start, n, sizeof *s->start);
    if (status != REIN_OK) scratch_deinit(s);
    return status;
}

/* Pages from which the goal lies `hops` away, of this split. */
static int64_t starts_of(scratch *s, const rein_graph_world *w, rein_split split, int32_t goal, int64_t hops) {
    int64_t n = 0;
    rein_graph_distances(s->distance, s->queue, &w->graph, goal);
    for (int32_t v = 0; v < w->graph.n; v++)
        if (s->distance[v] == hops && split_of(v, goal) == split) s->start[n++] = v;
    return n;
}

/* All distances are equally likely, as far as the graph has them. */
rein_status rein_graph_task(const rein_graph_world *w, uint64_t seed, rein_split split, int64_t index, rein_task *out) {
    const rein_stream stream = split == REIN_SPLIT_TRAIN ? REIN_STREAM_TASK : REIN_STREAM_EVAL;
    scratch s;
    REIN_TRY(scratch_init(&s, w->graph.n));
    int64_t n = 0;
    for (uint32_t k = 0; k < TRIES && n == 0; k++) {
        const uint32_t a = (uint32_t)index, b = (uint32_t)((uint64_t)index >> 32);
        int32_t goal = (int32_t)rein_random_below((uint64_t)w->graph.n, seed, stream, a, b, k, 0);
        const int64_t span = w->config.max_hops - w->config.min_hops + 1;
        n = starts_of(&s, w, split, goal,
                      w->config.min_hops + (int64_t)rein_random_below((uint64_t)span, seed, stream, a, b, k, 1));
        if (n == 0) continue;
        int32_t start = s.start[rein_random_below((uint64_t)n, seed, stream, a, b, k, 2)];
        *out = (rein_task){.key = (uint64_t)(uint32_t)start << 32 | (uint32_t)goal,
                           .index = index,
                           .number = {start, goal, s.distance[start]}};
    }
    scratch_deinit(&s);
    return n > 0 ? REIN_OK
                 : rein_fail(REIN_ERR_ARG, "environment graph: no goal is found for task %lld", (long long)index);
}

static rein_status graph_task(const rein_env *env, uint64_t seed, rein_split split, int64_t index, rein_task *out) {
    if (split == REIN_SPLIT_FIXED || index < 0)
        return rein_fail(REIN_ERR_ARG, "environment graph has no published list");
    return rein_graph_task(self(env), seed, split, index, out);
}

static int64_t graph_fixed_count(const rein_env *env) {
    (void)env;
    return 0;
}

static rein_status graph_difficulty(const rein_env *env, const rein_task *task, double *out) {
    const rein_graph_config *c = &self(env)->config;
    *out = c->max_hops == c->min_hops
               ? 1
               : (task->number[REIN_GRAPH_HOPS] - (double)c->min_hops) / (double)(c->max_hops - c->min_hops);
    return REIN_OK;
}

/* ---- create ---- */

static void graph_destroy(rein_env *env) {
    rein_graph_world *w = (rein_graph_world *)env;
    if (!w) return;
    rein_graph_deinit(&w->graph);
    rein_free(w);
}

static rein_status graph_open(rein_graph_world *w) {
    const rein_graph_config *c = &w->config;
    rein_task task;
    if (c->min_hops > c->max_hops || c->max_hops > c->max_steps)
        return rein_fail(REIN_ERR_USAGE,
                         "environment graph: min_hops %lld <= max_hops %lld <= max_steps %lld is needed",
                         (long long)c->min_hops, (long long)c->max_hops, (long long)c->max_steps);
    if (c->graph)
        REIN_TRY(rein_graph_load(&w->graph, c->graph));
    else
        REIN_TRY(rein_graph_draw(&w->graph, c->pages, (uint64_t)c->graph_seed));
    REIN_TRY(rein_graph_finish(&w->graph, c->top_k_actions));
    if (rein_graph_task(w, 0, REIN_SPLIT_TRAIN, 0, &task) != REIN_OK ||
        rein_graph_task(w, 0, REIN_SPLIT_EVAL, 0, &task) != REIN_OK)
        return rein_fail(REIN_ERR_USAGE,
                         "environment graph: no two pages lie %lld to %lld links apart through menus of %lld, to "
                         "train on and to evaluate on",
                         (long long)c->min_hops, (long long)c->max_hops, (long long)c->top_k_actions);
    return REIN_OK;
}

static rein_status graph_create(rein_env **out, const void *config) {
    rein_graph_world *w;
    REIN_TRY(rein_alloc(&w, 1, sizeof *w));
    w->env.cls = &rein_graph_class;
    w->config = *(const rein_graph_config *)config;
    rein_status status = graph_open(w);
    if (status != REIN_OK)
        graph_destroy(&w->env);
    else
        *out = &w->env;
    return status;
}

/* ---- prompt ---- */

static const char instructions[] = "You go from page to page by following links. Each message shows the page that you "
                                   "are on and what you can do, numbered. "
                                   "Answer with one number.";

static rein_status graph_prompt(const rein_env *env, const rein_task *task, rein_str *out) {
    (void)env, (void)task;
    rein_str_puts(out, instructions);
    return rein_str_check(out);
}

static rein_status graph_messages(const rein_env *env, const rein_task *task, rein_str *out, rein_str *tools) {
    (void)env, (void)task, (void)tools;
    rein_str_puts(out, "[{\"role\":\"system\",\"content\":");
    rein_json_put_string(out, instructions, strlen(instructions));
    rein_str_puts(out, "}]");
    return rein_str_check(out);
}

#define AT(member) offsetof(rein_graph_config, member)
static const rein_option options[] = {
    {"graph", REIN_OPT_STRING, AT(graph), NULL, 0, 0, NULL, "pages and links (default: drawn from graph_seed)", "FILE"},
    {"pages", REIN_OPT_INT, AT(pages), "400", 10, 1000000, NULL, "of a graph that is drawn", NULL},
    {"graph_seed", REIN_OPT_INT, AT(graph_seed), "1", 0, 1e15, NULL, "of a graph that is drawn", NULL},
    {"top_k_actions", REIN_OPT_INT, AT(top_k_actions), "10", 1, 1000, NULL,
     "links of a page that are shown, the most taken", NULL},
    {"history_window", REIN_OPT_INT, AT(history_window), "2", 0, 100, NULL, "pages before this one that are shown",
     NULL},
    {"max_steps", REIN_OPT_INT, AT(max_steps), "10", 1, 1000, NULL, "actions of an episode", NULL},
    {"min_hops", REIN_OPT_INT, AT(min_hops), "1", 1, 1000, NULL, "from the start to the goal, at least", NULL},
    {"max_hops", REIN_OPT_INT, AT(max_hops), "5", 1, 1000, NULL, "from the start to the goal, at most", NULL},
    {"include_read_and_stop", REIN_OPT_BOOL, AT(include_read_and_stop), "true", 0, 0, NULL,
     "two more actions: stay, and give up", NULL},
    {"step_reward", REIN_OPT_FLOAT, AT(step_reward), "-0.01", -10, 10, NULL, "of every action", NULL},
    {"goal_reward", REIN_OPT_FLOAT, AT(goal_reward), "1", -10, 10, NULL, "at the goal", NULL},
    {"stop_reward", REIN_OPT_FLOAT, AT(stop_reward), "-0.1", -10, 10, NULL, "for giving up", NULL},
    {"stay_reward", REIN_OPT_FLOAT, AT(stay_reward), "-0.05", -10, 10, NULL, "for an action that follows no link",
     NULL},
    {"nearer_reward", REIN_OPT_FLOAT, AT(nearer_reward), "0.05", -10, 10, NULL,
     "for coming nearer to the goal than ever before in the episode", NULL},
    {"invalid_penalty", REIN_OPT_FLOAT, AT(invalid_penalty), "0.05", 0, 10, NULL,
     "taken off for an answer that is no action", NULL},
};
#undef AT

static const char *const baselines[] = {NULL};

const rein_env_class rein_graph_class = {
    .name = "graph",
    .summary = "finding a page by following links, as text",
    .options = options,
    .n_options = (int64_t)REIN_COUNT(options),
    .config_size = sizeof(rein_graph_config),
    .create = graph_create,
    .destroy = graph_destroy,
    .task = graph_task,
    .fixed_count = graph_fixed_count,
    .difficulty = graph_difficulty,
    .messages = graph_messages,
    .prompt = graph_prompt,
    .baselines = baselines,
    .turns = &rein_graph_turns,
};
