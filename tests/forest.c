/* See forest.h. */
#include "forest.h"

#include <string.h>

/* Path of span i from its root, as indices. */
static void node_path(forest *f, const forest_node *nodes, int i) {
    int depth = 1;
    for (int up = nodes[i].parent; up >= 0; up = nodes[up].parent) depth++;
    REIN_ASSERT(depth <= FOREST_DEPTH);
    f->depth[i] = depth;
    for (int at = i, d = depth - 1; d >= 0; d--, at = nodes[at].parent) f->path[i][d] = at;
}

static void add_run(forest *f, const forest_node *nodes, int i, const int *run_of) {
    const rein_seg *own = &f->seg[i][f->depth[i] - 1];
    rein_run *run = &f->run[run_of[i]];
    run->pos = own->pos0 + nodes[i].cached;
    run->n = nodes[i].rows;
    run->seg = f->seg[i];
    run->n_seg = f->depth[i];
    run->context = nodes[i].context;
    run->parent = nodes[i].parent >= 0 ? run_of[nodes[i].parent] : -1;
    run->root = run->parent >= 0 ? f->run[run->parent].root : run_of[i];
    f->run_node[run_of[i]] = i;
}

void forest_init(forest *f, const forest_node *nodes, int n_nodes, const rein_attn *a, int64_t layers) {
    int run_of[FOREST_NODES];
    REIN_ASSERT(n_nodes <= FOREST_NODES);
    memset(f, 0, sizeof *f);
    f->n_nodes = n_nodes;
    for (int i = 0; i < n_nodes; i++) {
        run_of[i] = nodes[i].rows ? (int)f->n_runs++ : -1;
        node_path(f, nodes, i);
        int64_t pos = 0;
        for (int d = 0; d < f->depth[i]; d++) {
            const forest_node *at = &nodes[f->path[i][d]];
            int64_t n = at->cached + at->rows;
            /* one panel more than needed: a capacity is not a length */
            int64_t panels = (pos + n + REIN_LANES - 1) / REIN_LANES - pos / REIN_LANES + 1;
            int64_t stride = a->K * panels * REIN_LANES * a->D * 2;
            f->seg[i][d] = (rein_seg){.layer_stride = stride, .pos0 = pos, .n = n, .panels = panels};
            f->kv_size[i] = stride * layers;
            pos += n;
        }
    }
    for (int i = n_nodes - 1; i >= 0; i--) /* parents first: a run takes its root from its parent */
        if (nodes[i].rows) add_run(f, nodes, i, run_of);
    for (int64_t r = 0; r < f->n_runs; r++) {
        f->run[r].row = f->n_rows;
        f->n_rows += f->run[r].n;
        f->dkv_size[r] = a->K * 2 * (f->run[r].pos + f->run[r].n) * a->D;
    }
}

void forest_bind(forest *f, int node, real *base) {
    for (int i = 0; i < f->n_nodes; i++)
        for (int d = 0; d < f->depth[i]; d++)
            if (f->path[i][d] == node) f->seg[i][d].base = base;
}
