/*
 * Small token forests for the tests of attention: runs and segments from a table of spans. Built with the number type
 * of the reference (cpu/ref.h), in float and in double.
 */
#ifndef REIN_TESTS_FOREST_H
#define REIN_TESTS_FOREST_H

#include "cpu/ref.h"

enum { FOREST_NODES = 8, FOREST_DEPTH = 4 };

/** One span; a table of them is in post-order, so a parent's index is larger than its children's. */
typedef struct forest_node {
    int parent;  /* -1: a root */
    int cached;  /* positions stored before the batch */
    int rows;    /* positions that are rows of the batch, after the cached ones; 0: not in the batch */
    int context; /* 1: rows without gradient */
} forest_node;

typedef struct forest {
    int n_nodes;
    int64_t n_runs, n_rows;
    int64_t kv_size[FOREST_NODES];  /* reals of a span's stored keys and values, all layers */
    int64_t dkv_size[FOREST_NODES]; /* reals of a run's dkv; by run */
    int run_node[FOREST_NODES];     /* span of each run */
    int depth[FOREST_NODES];
    int path[FOREST_NODES][FOREST_DEPTH];
    rein_seg seg[FOREST_NODES][FOREST_DEPTH]; /* by span; run[.].seg points into it */
    rein_run run[FOREST_NODES];
} forest;

/** Lay out a forest for `layers` layers of a.K heads of a.D; bases and dkv are NULL until they are bound. */
void forest_init(forest *f, const forest_node *nodes, int n_nodes, const rein_attn *a, int64_t layers);

/** Give span `node` its storage of kv_size[node] reals. */
void forest_bind(forest *f, int node, real *base);

#endif
