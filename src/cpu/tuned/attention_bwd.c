/*
 * Attention over the token forest, backward. One task is one tree and kv head: its runs follow one another, because a
 * child adds to its parent's dkv. For each run the keys and values of its path are copied next to each other once; then
 * blocks of rows of one query head are products: P and dS from panels, dq from rows of keys, and dk, dv, whose
 * accumulators are loaded once a block, each a chain over (query head, then row).
 */
#include "base/base.h"
#include "cpu/tuned/attention.h"

enum { ROWS = 48 }; /* rows of a block */

/* Arguments of the call, and one thread's scratch. */
typedef struct bwd {
    rein_attn a;
    float *dqkv;
    const float *d_o, *o, *stat, *qkv;
    const rein_run *runs;
    int64_t lds;
    float *p, *ds;                /* (ROWS, lds) P and dS of a block, by position */
    float *kpanel, *vpanel, *key; /* the path: panels (D, 16) of keys and of values, rows (D) of keys */
    float *turned;                /* (D, 16) a panel, transposed */
    float *dk, *dv;               /* (end, D) the run's own contribution */
} bwd;

/* The rows [r0, r0 + n) of a run, and a query head. */
typedef struct rows {
    const rein_run *run;
    int64_t h, r0, n;
    int64_t t;   /* row of the batch of r0 */
    int64_t pos; /* position of r0 */
} rows;

/* ---- the path ---- */

/* Lanes [from, to) of a panel. */
static void copy_lanes(float *panel, const float *x, int64_t D, int64_t from, int64_t to) {
    if (from == 0 && to == REIN_LANES) {
        memcpy(panel, x, (size_t)(D * REIN_LANES) * sizeof(float));
        return;
    }
    for (int64_t d = 0; d < D; d++)
        for (int64_t j = from; j < to; j++) panel[d * REIN_LANES + j] = x[d * REIN_LANES + j];
}

/* Positions [s->pos0, end) of one segment. */
static void gather_seg(const bwd *b, const rein_seg *s, int64_t end, int64_t kv) {
    int64_t D = b->a.D, first = seg_first(s);
    for (int64_t base = first; base < end; base += REIN_LANES) {
        int64_t from = max_i64(s->pos0 - base, 0), to = min_i64(end - base, REIN_LANES);
        const float *keys = seg_keys(s, &b->a, kv) + (base - first) * D;
        const float *values = seg_values(s, &b->a, kv) + (base - first) * D;
        copy_lanes(b->kpanel + base * D, keys, D, from, to);
        v_transpose(b->turned, D, keys, REIN_LANES, D, REIN_LANES);
        memcpy(b->key + (base + from) * D, b->turned + from * D, (size_t)((to - from) * D) * sizeof(float));
        v_transpose(b->turned, REIN_LANES, values, D, REIN_LANES, D);
        copy_lanes(b->vpanel + base * D, b->turned, D, from, to);
    }
}

/* The path of a run; segments that `before`, the run gathered last, had in the same place are there already. */
static void gather_path(const bwd *b, const rein_run *run, const rein_run *before, int64_t kv) {
    int64_t i = 0;
    while (before && i + 1 < run->n_seg && i + 1 < before->n_seg && run->seg[i].base == before->seg[i].base &&
           seg_end(run, i) == seg_end(before, i))
        i++;
    for (; i < run->n_seg; i++) gather_seg(b, &run->seg[i], seg_end(run, i), kv);
}

/* ---- P and dS of a block of rows ---- */

REIN_INLINE void delta_step(vec p[REIN_V16], const float *d_o, const float *o, int64_t n) {
    for (int v = 0; v < REIN_V16; v++) {
        int64_t at = v * REIN_W;
        p[v] = v_selectn(n - at, v_fma(v_loadn(d_o + at, n - at), v_loadn(o + at, n - at), p[v]), p[v]);
    }
}

static float row_delta(const float *d_o, const float *o, int64_t D) {
    vec p[REIN_V16];
    int64_t d = 0;
    for (int v = 0; v < REIN_V16; v++) p[v] = v_zero();
    for (; d + 16 <= D; d += 16) delta_step(p, d_o + d, o + d, 16);
    if (d < D) delta_step(p, d_o + d, o + d, D - d);
    return v_tree16(p);
}

/* Scores of the block's rows with panels: `x` are the rows, `ld` apart. */
static void block_panels(float *s, const rows *k, const bwd *b, const float *x, int64_t ld, const float *panels) {
    int64_t tiles = div_up(k->n, REIN_MR);
    for (int64_t i = 0; i < tiles; i++) {
        int64_t r = part_begin(k->n, i, tiles), r1 = part_begin(k->n, i + 1, tiles);
        int64_t first = first_seen(&b->a, k->pos + r) / REIN_LANES * REIN_LANES;
        rein_tile t = {.a = x + r * ld,
                       .sam = ld,
                       .b = panels + first * b->a.D,
                       .c = s + r * b->lds + first,
                       .ldc = b->lds,
                       .rows = (int)(r1 - r)};
        tile_panels(t, div_up(k->pos + r1 - first, REIN_LANES), b->a.D);
    }
}

static void block_scores(const bwd *b, const rows *k) {
    const rein_attn *a = &b->a;
    const float *d_o = b->d_o + (k->t * a->H + k->h) * a->D, *o = b->o + (k->t * a->H + k->h) * a->D;
    block_panels(b->p, k, b, b->qkv + k->t * a->ld + k->h * a->D, a->ld, b->kpanel);
    block_panels(b->ds, k, b, d_o, a->H * a->D, b->vpanel);
    for (int64_t r = 0; r < k->n; r++) {
        const float *st = b->stat + ((k->t + r) * a->H + k->h) * 2;
        vec delta = v_set(row_delta(d_o + r * a->H * a->D, o + r * a->H * a->D, a->D));
        vec m = v_set(st[0]), inv = v_set(st[1]), scale = v_set(a->scale);
        float *p = b->p + r * b->lds, *ds = b->ds + r * b->lds;
        for (int64_t j = first_seen(a, k->pos + r) / REIN_W * REIN_W; j <= k->pos + r; j += REIN_W) {
            vec e = v_mul(v_exp(v_sub(v_mul(v_load(p + j), scale), m)), inv);
            v_store(p + j, e);
            v_store(ds + j, v_mul(v_mul(e, v_sub(v_load(ds + j), delta)), scale));
        }
    }
}

/* ---- products ---- */

/* How many of the block's first rows see a position before p. */
static int64_t rows_before(const bwd *b, const rows *k, int64_t p) {
    if (b->a.window <= 0) return p > 0 ? k->n : 0;
    return p > 0 ? max_i64(0, min_i64(k->n, p - k->pos + b->a.window - 1)) : 0;
}

/* What the chunk from `begin` on gives to rows [r, r1), at most REIN_MR, all of which see some of it. */
static void chunk_dq(const bwd *b, const rows *k, int64_t r, int64_t r1, int64_t begin, tile_mode mode) {
    const rein_attn *a = &b->a;
    int64_t len = min_i64(REIN_CHUNK, k->pos + r1 - begin), from[REIN_MR], to[REIN_MR];
    if (r >= r1) return;
    for (int64_t q = r; q < r1; q++) {
        from[q - r] = max_i64(0, first_seen(a, k->pos + q) - begin);
        to[q - r] = min_i64(len, k->pos + q + 1 - begin);
    }
    rein_tile t = {.a = b->ds + r * b->lds + begin,
                   .sam = b->lds,
                   .sap = 1,
                   .b = b->key + begin * a->D,
                   .ldb = a->D,
                   .group = REIN_W,
                   .c = b->dqkv + (k->t + r) * a->ld + k->h * a->D,
                   .ldc = a->ld,
                   .k = len,
                   .rows = (int)(r1 - r),
                   .mode = mode,
                   .from = from[r1 - r - 1] > 0 ? from : NULL,
                   .to = to[0] < len ? to : NULL};
    tile_columns(t, a->D);
}

static void block_dq(const bwd *b, const rows *k) {
    int64_t tiles = div_up(k->n, REIN_MR);
    for (int64_t i = 0; i < tiles; i++) {
        int64_t r0 = part_begin(k->n, i, tiles), r1 = part_begin(k->n, i + 1, tiles);
        int64_t first = first_seen(&b->a, k->pos + r0) / REIN_CHUNK * REIN_CHUNK;
        for (int64_t begin = first; begin < k->pos + r1; begin += REIN_CHUNK) {
            /* rows that do not see the chunk must not add a sum of nothing; those that saw none before start with it */
            int64_t r = max_i64(r0, begin - k->pos), last = min_i64(r1, rows_before(b, k, begin + REIN_CHUNK));
            int64_t fresh = max_i64(r, min_i64(last, rows_before(b, k, begin)));
            chunk_dq(b, k, r, fresh, begin, TILE_ADD);
            chunk_dq(b, k, fresh, last, begin, TILE_SET);
        }
    }
}

/* acc[j][d] = the chain over the block's rows of weight[row][j] * x[row][d], continued; row r reads positions <= pos +
 * r, in its window. */
static void block_accumulate(float *acc, const bwd *b, const rows *k, const float *weight, const float *x,
                             int64_t ldx) {
    int64_t low = first_seen(&b->a, k->pos), n = k->pos + k->n - low, tiles = div_up(n, REIN_MR);
    int64_t from[REIN_MR], to[REIN_MR];
    for (int64_t i = 0; i < tiles; i++) {
        int64_t j = low + part_begin(n, i, tiles), j1 = low + part_begin(n, i + 1, tiles);
        for (int64_t q = j; q < j1; q++) {
            from[q - j] = max_i64(0, q - k->pos);
            to[q - j] = rows_before(b, k, q + 1);
        }
        rein_tile t = {.a = weight + j,
                       .sam = 1,
                       .sap = b->lds,
                       .b = x,
                       .ldb = ldx,
                       .group = REIN_W,
                       .c = acc + j * b->a.D,
                       .ldc = b->a.D,
                       .k = k->n,
                       .rows = (int)(j1 - j),
                       .mode = TILE_CONT,
                       .from = from[j1 - j - 1] > 0 ? from : NULL,
                       .to = to[0] < k->n ? to : NULL};
        tile_columns(t, b->a.D);
    }
}

static void run_own(const bwd *b, const rein_run *run, const rein_run *before, int64_t kv) {
    const rein_attn *a = &b->a;
    int64_t group = a->H / a->K, end = run->pos + run->n;
    gather_path(b, run, before, kv);
    memset(b->dk, 0, (size_t)(end * a->D) * sizeof(float));
    memset(b->dv, 0, (size_t)(end * a->D) * sizeof(float));
    for (int64_t h = kv * group; h < (kv + 1) * group; h++) {
        for (int64_t r0 = 0; r0 < run->n; r0 += ROWS) {
            rows k = {run, h, r0, min_i64(ROWS, run->n - r0), run->row + r0, run->pos + r0};
            block_scores(b, &k);
            block_dq(b, &k);
            block_accumulate(b->dk, b, &k, b->ds, b->qkv + k.t * a->ld + h * a->D, a->ld);
            block_accumulate(b->dv, b, &k, b->p, b->d_o + (k.t * a->H + h) * a->D, a->H * a->D);
        }
    }
}

/* ---- dkv along the tree ---- */

static void add_to(float *y, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

static void run_collect(const bwd *b, const rein_run *run, int64_t kv) {
    const rein_attn *a = &b->a;
    int64_t end = run->pos + run->n;
    float *dk = run->dkv + kv * 2 * end * a->D, *dv = dk + end * a->D;
    add_to(dk, b->dk, end * a->D);
    add_to(dv, b->dv, end * a->D);
    if (run->parent >= 0) {
        const rein_run *parent = &b->runs[run->parent];
        int64_t parent_end = parent->pos + parent->n;
        REIN_ASSERT(run->pos <= parent_end);
        add_to(parent->dkv + kv * 2 * parent_end * a->D, dk, run->pos * a->D);
        add_to(parent->dkv + (kv * 2 + 1) * parent_end * a->D, dv, run->pos * a->D);
    }
    for (int64_t r = 0; r < run->n; r++) {
        float *slot = b->dqkv + (run->row + r) * a->ld + (a->H + kv) * a->D;
        memcpy(slot, dk + (run->pos + r) * a->D, (size_t)a->D * sizeof(float));
        memcpy(slot + a->K * a->D, dv + (run->pos + r) * a->D, (size_t)a->D * sizeof(float));
    }
}

/* Rows of a context run take no gradient: the slots of one kv head and its query heads are zero. */
static void clear_rows(const bwd *b, const rein_run *run, int64_t kv) {
    const rein_attn *a = &b->a;
    int64_t group = a->H / a->K;
    for (int64_t t = run->row; t < run->row + run->n; t++) {
        float *row = b->dqkv + t * a->ld;
        memset(row + kv * group * a->D, 0, (size_t)(group * a->D) * sizeof(float));
        memset(row + (a->H + kv) * a->D, 0, (size_t)a->D * sizeof(float));
        memset(row + (a->H + a->K + kv) * a->D, 0, (size_t)a->D * sizeof(float));
    }
}

/* Every (tree, kv head) whose number is `part` modulo `parts`. */
static void run_part(const bwd *b, int64_t n_runs, int64_t part, int64_t parts) {
    int64_t number = 0;
    for (int64_t i = 0; i < n_runs; i = b->runs[i].root + 1) {
        for (int64_t kv = 0; kv < b->a.K; kv++) {
            if (number++ % parts != part) continue;
            const rein_run *before = NULL;
            for (int64_t r = i; r <= b->runs[i].root; r++) {
                const rein_run *run = &b->runs[r];
                if (run->context) {
                    clear_rows(b, run, kv);
                    continue;
                }
                run_own(b, run, before, kv);
                run_collect(b, run, kv);
                before = run;
            }
        }
    }
}

void REIN_ISA(rein_attention_bwd)(rein_device *dev, float *dqkv, const float *d_o, const float *o, const float *stat,
                                  const rein_run *runs, int64_t n_runs, const float *qkv, rein_attn a) {
    int64_t lds = score_stride(longest_path(runs, n_runs));
    int parts = parts_for(dev, 10 * path_products(runs, n_runs, &a));
    char *scratch = rein_device_scratch(dev, (size_t)(lds * (2 * ROWS + 5 * a.D) + a.D * REIN_LANES) * sizeof(float));
    size_t stride = dev->scratch_bytes;
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int part = 0; part < parts; part++) {
        bwd b = {.a = a, .dqkv = dqkv, .d_o = d_o, .o = o, .stat = stat, .qkv = qkv, .runs = runs, .lds = lds};
        b.p = (float *)(void *)(scratch + (size_t)part * stride);
        b.ds = b.p + ROWS * lds;
        b.kpanel = b.ds + ROWS * lds;
        b.vpanel = b.kpanel + lds * a.D;
        b.key = b.vpanel + lds * a.D;
        b.dk = b.key + lds * a.D;
        b.dv = b.dk + lds * a.D;
        b.turned = b.dv + lds * a.D;
        run_part(&b, n_runs, part, parts);
    }
}
