/*
 * The environment "graph": finding a page by following links, as text. The world is a graph of pages with the links
 * that people took, from a file of one's own or drawn from a seed; a page is shown as a menu, and the answer is a
 * number of it.
 *
 * A task is a start and a goal that can be reached from it through the menus, in min_hops to max_hops steps; start and
 * goal are different pages, and a pair that is trained on is never evaluated on.
 */
#ifndef REIN_ENV_GRAPH_GRAPH_H
#define REIN_ENV_GRAPH_GRAPH_H

#include "base/option.h"
#include "rein/env.h"

/** Values of the class's options. */
typedef struct rein_graph_config {
    const char *graph; /* file; NULL: drawn from graph_seed, with `pages` pages */
    int64_t pages, graph_seed;
    int64_t top_k_actions, history_window, max_steps, min_hops, max_hops;
    bool include_read_and_stop;
    double step_reward, goal_reward, stop_reward, stay_reward, nearer_reward, invalid_penalty;
} rein_graph_config;

extern const rein_env_class rein_graph_class;

/* ---- inside ---- */

typedef struct rein_graph_edge {
    int32_t from, to;
    int64_t count;    /* how often it was taken */
    const char *type; /* "internal_navigate" ... */
} rein_graph_edge;

typedef struct rein_graph_node {
    const char *url, *title, *type;
    int64_t first, n; /* its edges, most taken first */
} rein_graph_node;

/** Pages and links. Zero-initialised is empty; strings are in the arena. */
typedef struct rein_graph {
    rein_arena arena;
    rein_graph_node *node; /* (n) */
    rein_graph_edge *edge; /* (n_edge) by page, then (-count, type, address) */
    int64_t n, n_edge, cap_edge;
    int64_t *back_first; /* (n + 1) where the pages are that lead to a page */
    int32_t *back;       /* through their menus of top_k */
} rein_graph;

/** {"nodes":{url:{"title","page_type"}},"edges":{url:[{"type","target","count"}]}}. Addresses are made canonical; links
 * to pages that are not there are left out, counted and said. */
REIN_NODISCARD rein_status rein_graph_load(rein_graph *g, const char *path);
/** Sites of forty pages with sections, links among them, and some to others' front pages. */
REIN_NODISCARD rein_status rein_graph_draw(rein_graph *g, int64_t pages, uint64_t seed);
REIN_NODISCARD rein_status rein_graph_add_edge(rein_graph *g, int32_t from, int32_t to, const char *type,
                                               int64_t count);
/** After the last edge: order them, and find who leads where through menus of top_k. */
REIN_NODISCARD rein_status rein_graph_finish(rein_graph *g, int64_t top_k);
void rein_graph_deinit(rein_graph *g);

/** Steps from every page to `goal` through the menus, distance (n); -1: it cannot be reached. queue (n) is scratch. */
void rein_graph_distances(int32_t *distance, int32_t *queue, const rein_graph *g, int32_t goal);

/** An address without surrounding space and fragment, its scheme and host in lower case; in `arena`. */
REIN_NODISCARD rein_status rein_graph_canonical(char **out, rein_arena *arena, const char *url, size_t len);

typedef struct rein_graph_world {
    rein_env env;
    rein_graph_config config;
    rein_graph graph;
} rein_graph_world;

enum { REIN_GRAPH_START, REIN_GRAPH_GOAL, REIN_GRAPH_HOPS }; /* of rein_task.number */

/** The task that is drawn for (seed, split, index); REIN_ERR_ARG if the graph has none. */
REIN_NODISCARD rein_status rein_graph_task(const rein_graph_world *w, uint64_t seed, rein_split split, int64_t index,
                                           rein_task *out);

extern const rein_turns rein_graph_turns;

#endif
