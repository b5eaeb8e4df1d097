/* Graphs of pages: from a file, or drawn; see graph.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/random.h"
#include "env/graph/graph.h"

enum { SITE = 40, SECTIONS = 6, EDGES_MAX = 100000000 };

/* ---- building ---- */

rein_status rein_graph_add_edge(rein_graph *g, int32_t from, int32_t to, const char *type, int64_t count) {
    if (g->n_edge == g->cap_edge) {
        int64_t cap = g->cap_edge ? 2 * g->cap_edge : 256;
        REIN_TRY(rein_realloc(&g->edge, g->cap_edge, cap, sizeof *g->edge));
        g->cap_edge = cap;
    }
    g->edge[g->n_edge++] = (rein_graph_edge){.from = from, .to = to, .count = count, .type = type};
    return REIN_OK;
}

static int by_page(const void *one, const void *two) {
    const rein_graph_edge *a = one, *b = two;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    int type = strcmp(a->type, b->type);
    return type ? type : (a->to > b->to) - (a->to < b->to);
}

static int64_t menu_length(const rein_graph_node *node, int64_t top_k) { return node->n < top_k ? node->n : top_k; }

rein_status rein_graph_finish(rein_graph *g, int64_t top_k) {
    if (g->n_edge > 0) qsort(g->edge, (size_t)g->n_edge, sizeof *g->edge, by_page);
    for (int64_t i = 0; i < g->n_edge; i++) {
        rein_graph_node *node = &g->node[g->edge[i].from];
        if (node->n++ == 0) node->first = i;
    }
    REIN_TRY(rein_alloc(&g->back_first, g->n + 1, sizeof *g->back_first));
    REIN_TRY(rein_alloc(&g->back, g->n_edge, sizeof *g->back));
    for (int64_t v = 0; v < g->n; v++)
        for (int64_t k = 0; k < menu_length(&g->node[v], top_k); k++)
            g->back_first[g->edge[g->node[v].first + k].to + 1]++;
    for (int64_t v = 0; v < g->n; v++) g->back_first[v + 1] += g->back_first[v];
    int64_t *at;
    REIN_TRY(rein_alloc(&at, g->n, sizeof *at));
    memcpy(at, g->back_first, (size_t)g->n * sizeof *at);
    for (int64_t v = 0; v < g->n; v++)
        for (int64_t k = 0; k < menu_length(&g->node[v], top_k); k++)
            g->back[at[g->edge[g->node[v].first + k].to]++] = (int32_t)v;
    rein_free(at);
    return REIN_OK;
}

void rein_graph_deinit(rein_graph *g) {
    rein_free(g->node);
    rein_free(g->edge);
    rein_free(g->back_first);
    rein_free(g->back);
    rein_arena_deinit(&g->arena);
}

void rein_graph_distances(int32_t *distance, int32_t *queue, const rein_graph *g, int32_t goal) {
    int64_t head = 0, tail = 0;
    for (int64_t v = 0; v < g->n; v++) distance[v] = -1;
    distance[goal] = 0;
    queue[tail++] = goal;
    while (head < tail) {
        int32_t v = queue[head++];
        for (int64_t i = g->back_first[v]; i < g->back_first[v + 1]; i++) {
            int32_t u = g->back[i];
            if (distance[u] >= 0) continue;
            distance[u] = distance[v] + 1;
            queue[tail++] = u;
        }
    }
}

/* ---- from a file ---- */

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

rein_status rein_graph_canonical(char **out, rein_arena *arena, const char *url, size_t len) {
    while (len > 0 && is_space(url[0])) url++, len--;
    const char *fragment = memchr(url, '#', len);
    if (fragment) len = (size_t)(fragment - url);
    while (len > 0 && is_space(url[len - 1])) len--;
    REIN_TRY(rein_arena_strdup(arena, out, url, len));
    char *host = strstr(*out, "://");
    size_t end = host ? (size_t)(host + 3 - *out) + strcspn(host + 3, "/?") : 0;
    for (size_t i = 0; i < end; i++)
        if ((*out)[i] >= 'A' && (*out)[i] <= 'Z') (*out)[i] = (char)((*out)[i] - 'A' + 'a');
    return REIN_OK;
}

static int by_url(const void *one, const void *two) {
    const rein_graph_node *a = one, *b = two;
    return strcmp(a->url, b->url);
}

static int32_t find_node(const rein_graph *g, const char *url) {
    const rein_graph_node key = {.url = url}, *found;
    found = bsearch(&key, g->node, (size_t)g->n, sizeof *g->node, by_url);
    return found ? (int32_t)(found - g->node) : -1;
}

static rein_status copy_text(rein_graph *g, const char **out, struct json_object *obj, const char *key,
                             const char *otherwise) {
    struct json_object *value = NULL;
    const char *text = otherwise;
    if (json_object_object_get_ex(obj, key, &value) && json_object_is_type(value, json_type_string))
        text = json_object_get_string(value);
    return rein_arena_strdup(&g->arena, (char **)out, text, strlen(text));
}

/* Pages in order of their address; one address twice is one page, the first. */
static rein_status load_nodes(rein_graph *g, struct json_object *nodes, const char *path) {
    REIN_TRY(rein_alloc(&g->node, json_object_object_length(nodes), sizeof *g->node));
    json_object_object_foreach(nodes, url, info) {
        rein_graph_node *node = &g->node[g->n];
        if (!json_object_is_type(info, json_type_object))
            return rein_fail(REIN_ERR_FORMAT, "%s: node '%.100s' is no object", path, url);
        REIN_TRY(rein_graph_canonical((char **)&node->url, &g->arena, url, strlen(url)));
        REIN_TRY(copy_text(g, &node->title, info, "title", node->url));
        REIN_TRY(copy_text(g, &node->type, info, "page_type", "page"));
        g->n++;
    }
    qsort(g->node, (size_t)g->n, sizeof *g->node, by_url);
    int64_t kept = 0;
    for (int64_t i = 0; i < g->n; i++)
        if (kept == 0 || strcmp(g->node[kept - 1].url, g->node[i].url) != 0) g->node[kept++] = g->node[i];
    g->n = kept;
    return g->n > 0 ? REIN_OK : rein_fail(REIN_ERR_FORMAT, "%s: no nodes", path);
}

static rein_status load_edge(rein_graph *g, int32_t from, struct json_object *edge, const char *path, int64_t *lost) {
    const char *target, *type;
    int64_t count = 1;
    size_t len;
    char *url;
    if (!json_object_is_type(edge, json_type_object))
        return rein_fail(REIN_ERR_FORMAT, "%s: an edge is no object", path);
    REIN_TRY(rein_json_string(&target, &len, edge, "target"));
    if (rein_json_has(edge, "count")) REIN_TRY(rein_json_int(&count, edge, "count"));
    REIN_TRY(copy_text(g, &type, edge, "type", "link"));
    REIN_TRY(rein_graph_canonical(&url, &g->arena, target, len));
    int32_t to = find_node(g, url);
    if (to < 0 || to == from) {
        ++*lost;
        return REIN_OK;
    }
    return rein_graph_add_edge(g, from, to, type, count);
}

static rein_status load_edges(rein_graph *g, struct json_object *edges, const char *path) {
    int64_t lost = 0;
    json_object_object_foreach(edges, url, list) {
        char *from_url;
        REIN_TRY(rein_graph_canonical(&from_url, &g->arena, url, strlen(url)));
        int32_t from = find_node(g, from_url);
        if (!json_object_is_type(list, json_type_array))
            return rein_fail(REIN_ERR_FORMAT, "%s: the edges of '%.100s' are no list", path, url);
        int64_t n = (int64_t)json_object_array_length(list);
        if (from < 0) lost += n;
        for (int64_t i = 0; from >= 0 && i < n; i++)
            REIN_TRY(load_edge(g, from, json_object_array_get_idx(list, (size_t)i), path, &lost));
    }
    if (lost > 0)
        rein_log(REIN_LOG_WARN, "%s: %lld links lead to themselves or to pages that are not there, and are left out",
                 path, (long long)lost);
    return REIN_OK;
}

rein_status rein_graph_load(rein_graph *g, const char *path) {
    struct json_object *doc, *nodes, *edges;
    REIN_TRY(rein_json_load(&doc, path));
    rein_status status = REIN_OK;
    if (!json_object_is_type(doc, json_type_object))
        status = rein_fail(REIN_ERR_FORMAT, "%s: expected {\"nodes\":{...},\"edges\":{...}}", path);
    if (status == REIN_OK) status = rein_json_object(&nodes, doc, "nodes");
    if (status == REIN_OK) status = rein_json_object(&edges, doc, "edges");
    if (status == REIN_OK) status = load_nodes(g, nodes, path);
    if (status == REIN_OK) status = load_edges(g, edges, path);
    json_object_put(doc);
    return status;
}

/* ---- drawn ---- */

static const char *const sites[] = {"Atlas",  "Beacon",  "Comet",   "Delta", "Ember",  "Falcon", "Glacier", "Harbor",
                                    "Indigo", "Juniper", "Kestrel", "Lumen", "Meadow", "Nimbus", "Orchid",  "Pepper"};
static const char *const sections[] = {"Docs", "Billing", "Team", "Projects", "Security", "Support"};
static const char *const subjects[] = {"overview", "invoices",        "members", "roles",   "tokens",
                                       "limits",   "backups",         "alerts",  "history", "export",
                                       "domains",  "billing address", "plans",   "webhooks"};

static uint64_t draw(uint64_t seed, int64_t page, uint32_t what, uint64_t n) {
    return rein_random_below(n, seed, REIN_STREAM_DATA, (uint32_t)page, what, 0, 0);
}

/* Of a site's pages the first is its front, then its sections, then what belongs to them. */
static rein_status name_page(rein_graph *g, int64_t i, uint64_t seed) {
    const int64_t site = i / SITE, at = i % SITE;
    const char *name = sites[site % (int64_t)REIN_COUNT(sites)];
    const char *section = at ? sections[(at - 1) % SECTIONS] : "", *subject = "";
    char title[100], url[100];
    int64_t group = site / (int64_t)REIN_COUNT(sites) + 1;
    if (at > SECTIONS) /* different ones within a section */
        subject = subjects[((at - 1 - SECTIONS) / SECTIONS + (int64_t)draw(seed, site, 9, 8)) %
                           (int64_t)REIN_COUNT(subjects)];
    snprintf(title, sizeof title, "%s %lld%s%s%s%s", name, (long long)group, at ? " " : "", section,
             at > SECTIONS ? ": " : "", at > SECTIONS ? subject : "");
    snprintf(url, sizeof url, "http://site%lld.test/%s%s%lld", (long long)site, section, at ? "/" : "", (long long)at);
    rein_graph_node *node = &g->node[i];
    node->type = at == 0 ? "front" : at <= SECTIONS ? "section" : "page";
    REIN_TRY(rein_arena_strdup(&g->arena, (char **)&node->title, title, strlen(title)));
    return rein_arena_strdup(&g->arena, (char **)&node->url, url, strlen(url));
}

static rein_status link_page(rein_graph *g, int64_t i, uint64_t seed) {
    const int64_t front = i / SITE * SITE, at = i % SITE, fronts = (g->n + SITE - 1) / SITE;
    const int64_t up = at == 0 ? -1 : at <= SECTIONS ? front : front + 1 + (at - 1) % SECTIONS;
    if (up >= 0) {
        REIN_TRY(
            rein_graph_add_edge(g, (int32_t)up, (int32_t)i, "internal_navigate", 1 + (int64_t)draw(seed, i, 0, 50)));
        REIN_TRY(rein_graph_add_edge(g, (int32_t)i, (int32_t)up, "go_up", 1 + (int64_t)draw(seed, i, 1, 20)));
    }
    for (uint32_t k = 0; k < 2; k++) { /* elsewhere on the site, and to other sites' fronts */
        int64_t size = g->n - front < SITE ? g->n - front : SITE;
        int64_t other = front + (int64_t)draw(seed, i, 2 + k, (uint64_t)size);
        int64_t away = (int64_t)draw(seed, i, 4 + k, (uint64_t)fronts) * SITE;
        if (other != i && other != up)
            REIN_TRY(rein_graph_add_edge(g, (int32_t)i, (int32_t)other, "related", 1 + (int64_t)draw(seed, i, 6, 30)));
        if (away != front && (at == 0 || draw(seed, i, 7, 8) == 0))
            REIN_TRY(
                rein_graph_add_edge(g, (int32_t)i, (int32_t)away, "external_link", 1 + (int64_t)draw(seed, i, 8, 10)));
    }
    return REIN_OK;
}

rein_status rein_graph_draw(rein_graph *g, int64_t pages, uint64_t seed) {
    REIN_TRY(rein_alloc(&g->node, pages, sizeof *g->node));
    g->n = pages;
    for (int64_t i = 0; i < pages; i++) REIN_TRY(name_page(g, i, seed));
    for (int64_t i = 0; i < pages; i++) REIN_TRY(link_page(g, i, seed));
    return REIN_OK;
}
