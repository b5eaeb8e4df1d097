/*
 * Linear layers: the product and its gradients are one blocked product over the micro-kernel of tile.h.
 *
 * The summed index is cut in chunks (of REIN_CHUNK, or the ranges of a plan); each chunk of each output is one call's
 * chain. Blocking: threads divide the output in rectangles; in a rectangle, blocks of rows of A stay in L2 while strips
 * of REIN_NR columns of B, packed when there are rows enough to pay for it, stay in L1. A weight that is kept in its
 * stored type is unpacked into scratch, a few panels of a chunk at a time, for all rows of the block.
 */
#include "cpu/tuned/tile.h"
#include "cpu/tuned/tuned.h"
#include "cpu/tuned/unpack.h"

enum {
    BLOCK_ROWS = 192,      /* rows of A per block: 192 KB a chunk */
    PACK_B_ROWS = 48,      /* rows from which copying a strip of B pays */
    PACK_A_COLS = 64,      /* columns from which copying a block of A pays, */
    PACK_A_STRIDE = 1024,  /* and distance of its rows, unless they lie side by side, where it always does */
    SHORT_CHUNK = 32,      /* length of a chunk of a plan up to which c is walked along its rows */
    WALK_ROWS = 12,        /* rows up to which B is walked along its rows, */
    WALK_COLS = 1024,      /* so many columns at a time, */
    WALK_DEPTH = 32,       /* so many rows at least, */
    WALK_FLOATS = 1 << 15, /* and more while they are so few floats; */
    FAR_FLOATS = 600000,   /* the next ones are fetched by hand if B is too large for a near cache */
    STREAM_ROWS = 32       /* rows up to which a stored weight is read once, in the order in which it lies */
};

/* c (M, N; ldc) = or += the product of A(m, p) = a[m * sam + p * sap] and B(p, j) = b[j/32 * panel + p * ldb + j%32],
 * or, if `stored`, B(p, j) = w(j, p) (`transposed`) or w(p, j). */
typedef struct gemm {
    const float *a;
    int64_t sam, sap;
    const float *b;
    int64_t ldb, panel;
    int padded; /* B may be read up to a multiple of 32 columns */
    const rein_weight *stored;
    int transposed;
    float *c;
    int64_t ldc;
    const float *bias;
    int64_t M, N, K;
    const rein_plan *plan; /* chunks of p, each added to c; NULL: multiples of REIN_CHUNK, the first one stored */
} gemm;

/* Rows [m0, m1) x columns [n0, n1) of c, and the chunk [p0, p1) of p; buffers of the thread. */
typedef struct part {
    int64_t m0, m1, n0, n1, p0, p1;
    int64_t tiles, height, taller; /* tiles of rows: the first `taller` ones have height + 1 rows */
    tile_mode mode;
    const float *bias;
    float *a; /* A_FLOATS: a block of A, tile after tile */
    float *b; /* B_FLOATS: a strip of B, REIN_CHUNK x REIN_NR */
    float *w; /* W_FLOATS: panels of a stored weight, REIN_CHUNK x REIN_NR1; or chains of a walk */
} part;

/* Columns [begin, end) of B in the part's chunk of p: panels, the first at b; begin is a multiple of 32. */
typedef struct columns {
    int64_t begin, end;
    const float *b;
    int64_t ldb, panel;
    int padded;
} columns;

enum {
    A_FLOATS = BLOCK_ROWS * (REIN_CHUNK + REIN_W),
    B_FLOATS = REIN_CHUNK * REIN_NR,
    W_FLOATS = REIN_CHUNK * REIN_NR1
};
_Static_assert(WALK_ROWS *WALK_COLS <= W_FLOATS, "the chains of a walk fit");

/* First row of tile i of a block, from the block's first. */
REIN_INLINE int64_t tile_row(const part *r, int64_t i) { return i * r->height + min_i64(i, r->taller); }

/* Where the packed tile i lies: k x rows or rows x k, and a vector of slack. */
REIN_INLINE float *packed_tile(const part *r, int64_t i) {
    return r->a + tile_row(r, i) * (r->p1 - r->p0) + i * REIN_W;
}

/* A block of A whose rows lie side by side: tiles of k x rows. A few cache lines of a few p at a time, so that they are
 * used up even where they all fall in one set of the cache. Whole vectors are stored: what is too much falls on the
 * next p of the tile, which is written later, or on the slack. */
static void pack_columns(const gemm *g, const part *r) {
    enum { TILES = 48 / REIN_MR, DEPTH = 8 };
    for (int64_t i0 = 0; i0 < r->tiles; i0 += TILES) {
        for (int64_t p0 = r->p0; p0 < r->p1; p0 += DEPTH) {
            int64_t p1 = min_i64(p0 + DEPTH, r->p1);
            for (int64_t i = i0; i < min_i64(i0 + TILES, r->tiles); i++) {
                int64_t m = tile_row(r, i), rows = tile_row(r, i + 1) - m;
                vmask mask = v_mask(rows);
                float *to = packed_tile(r, i) + (p0 - r->p0) * rows;
                const float *from = g->a + r->m0 + m + p0 * g->sap;
                for (int64_t p = p0; p < p1; p++, to += rows, from += g->sap) v_store(to, v_loadm(mask, from));
            }
        }
    }
}

/* A block of A, the summed index side by side: tiles of rows x k. */
static void pack_rows(const gemm *g, const part *r) {
    size_t size = (size_t)(r->p1 - r->p0) * sizeof(float);
    for (int64_t i = 0; i < r->tiles; i++)
        for (int64_t m = tile_row(r, i); m < tile_row(r, i + 1); m++)
            memcpy(packed_tile(r, i) + (m - tile_row(r, i)) * (r->p1 - r->p0),
                   g->a + (r->m0 + m) * g->sam + r->p0 * g->sap, size);
}

/* A strip of B, k rows of `cols` columns, as k rows of REIN_NR; missing columns are zero. */
static void pack_strip(float *buf, const float *b, int64_t ldb, int64_t k, int64_t cols) {
    vmask m0 = v_mask(cols), m1 = v_mask(cols - REIN_W);
    if (cols >= REIN_NR) {
        for (int64_t p = 0; p < k; p++) {
            v_store(buf + p * REIN_NR, v_load(b + p * ldb));
            v_store(buf + p * REIN_NR + REIN_W, v_load(b + p * ldb + REIN_W));
        }
        return;
    }
    for (int64_t p = 0; p < k; p++) {
        v_store(buf + p * REIN_NR, v_loadm(m0, b + p * ldb));
        v_store(buf + p * REIN_NR + REIN_W, v_loadm(m1, b + p * ldb + REIN_W));
    }
}

/* A few rows by many columns: weights are streamed once. Returns the first column not done. */
static int64_t wide_strips(const gemm *g, const part *r, const columns *c, rein_tile t) {
    int64_t j = c->begin, limit = c->padded ? div_up(c->end, 32) * 32 : c->end, width = tile_width(t.rows);
    t.group = c->panel;
    for (; limit - j >= width; j += width) {
        t.b = c->b + (j - c->begin) / 32 * c->panel;
        t.c = g->c + r->m0 * g->ldc + j;
        t.cols = (int)min_i64(width, c->end - j);
        t.bias = r->bias ? r->bias + j : NULL;
        REIN_ISA(rein_tile_wide)(&t);
    }
    return min_i64(j, c->end);
}

/* Make A of t the i-th tile of rows; returns its first row in c. */
REIN_INLINE int64_t take_rows(const gemm *g, const part *r, rein_tile *t, int64_t i, int packed_a) {
    int64_t m = tile_row(r, i);
    t->rows = (int)(tile_row(r, i + 1) - m);
    t->a = packed_a ? packed_tile(r, i) : g->a + (r->m0 + m) * g->sam + r->p0 * g->sap;
    if (packed_a && g->sap != 1) t->sap = t->rows;
    return r->m0 + m;
}

/* Columns [j, j + t.cols) of all rows of the part. */
static void strip(const gemm *g, const part *r, rein_tile t, int64_t j, int packed_a, int edge) {
    for (int64_t i = 0; i < r->tiles; i++) {
        t.c = g->c + take_rows(g, r, &t, i, packed_a) * g->ldc + j;
        if (edge)
            REIN_ISA(rein_tile_edge)(&t);
        else
            REIN_ISA(rein_tile_full)(&t);
    }
}

/* A short chunk is little arithmetic for each element of c, whose memory is then the limit: c is walked along its rows.
 */
static void short_chunk(const gemm *g, const part *r, rein_tile t, int packed_a) {
    for (int64_t i = 0; i < r->tiles; i++) {
        t.c = g->c + take_rows(g, r, &t, i, packed_a) * g->ldc + r->n0;
        REIN_ISA(rein_tile_run)(&t, r->n1 - r->n0);
    }
}

/* Columns [j, j + n) of few rows, where a row of B is a page away from the next one: some rows of B at a time, along
 * all columns, so that few pages are in use. The chains wait in c, or in r->w if c holds the sum of earlier chunks. */
static void walk_columns(const gemm *g, const part *r, rein_tile t, int64_t j, int64_t n, int packed_a) {
    int64_t k = t.k, depth = max_i64(WALK_DEPTH, WALK_FLOATS / n);
    float *c = g->c + r->m0 * g->ldc + j, *chain = r->mode == TILE_ADD ? r->w : c;
    t.ldc = r->mode == TILE_ADD ? n : g->ldc;
    for (int64_t p = 0; p < k; p += depth) {
        int64_t first = r->p0 + p;
        t.mode = p > 0 ? TILE_CONT : TILE_SET;
        t.k = min_i64(depth, k - p);
        t.b = g->b + j / 32 * g->panel + first * g->ldb;
        for (int64_t i = 0; i < r->tiles; i++) {
            take_rows(g, r, &t, i, packed_a);
            t.a += p * t.sap;
            t.c = chain + tile_row(r, i) * t.ldc;
            t.ahead = i == 0 && g->N * g->K >= FAR_FLOATS && first + depth + t.k <= g->K ? depth * g->ldb : 0;
            REIN_ISA(rein_tile_run)(&t, n);
        }
    }
    if (r->mode == TILE_SET) return;
    for (int64_t i = 0; i < r->m1 - r->m0; i++)
        for (int64_t l = 0; l < n; l++) c[i * g->ldc + l] += chain[i * n + l];
}

static void walk(const gemm *g, const part *r, rein_tile t, int packed_a) {
    for (int64_t j = r->n0; j < r->n1; j += WALK_COLS)
        walk_columns(g, r, t, j, min_i64(WALK_COLS, r->n1 - j), packed_a);
}

/* The columns c of all rows of the part; A is packed or not, t says how. */
static void some_columns(const gemm *g, const part *r, const columns *c, rein_tile t, int pack_a) {
    int64_t rows = r->m1 - r->m0, j = c->begin;
    int pack_b = rows >= PACK_B_ROWS && c->ldb != REIN_NR;
    t.ldb = c->ldb;
    if (rows <= 3) j = wide_strips(g, r, c, t);
    for (; j < c->end; j += REIN_NR) {
        t.b = c->b + (j - c->begin) / 32 * c->panel + j % 32;
        t.ldb = c->ldb;
        t.cols = (int)min_i64(REIN_NR, c->end - j);
        t.bias = r->bias ? r->bias + j : NULL;
        if (pack_b) {
            pack_strip(r->b, t.b, c->ldb, t.k, c->padded ? REIN_NR : t.cols);
            t.b = r->b;
            t.ldb = REIN_NR;
        }
        strip(g, r, t, j, pack_a, t.cols < REIN_NR && !c->padded && !pack_b);
    }
}

/* Columns a call of unpack_columns makes: what the tile of so many rows takes at once. */
static int64_t unpack_width(int64_t rows) { return rows <= 3 ? max_i64(tile_width(rows), REIN_PANEL) : REIN_PANEL; }

/* Columns [begin, end) of a stored weight, at most REIN_NR1, in r->w. */
static columns unpack_columns(const gemm *g, const part *r, int64_t begin, int64_t end) {
    columns c = {begin, end, r->w, REIN_PANEL, (r->p1 - r->p0) * REIN_PANEL, 1};
    for (int64_t j = begin; j < end; j += REIN_PANEL) {
        float *panel = r->w + (j - begin) / REIN_PANEL * c.panel;
        if (g->transposed)
            REIN_ISA(rein_unpack_rows)(panel, g->stored, j, r->p0, r->p1);
        else
            REIN_ISA(rein_unpack_columns)(panel, g->stored, j, r->p0, r->p1);
    }
    return c;
}

/* Copy the block of A if that pays, and tell t; returns whether it did. */
static int pack_block(const gemm *g, const part *r, rein_tile *t) {
    if (r->m1 - r->m0 <= 3 || r->n1 - r->n0 < PACK_A_COLS || (g->sap == 1 && g->sam < PACK_A_STRIDE)) return 0;
    if (g->sap != 1) {
        pack_columns(g, r);
    } else {
        pack_rows(g, r);
        t->sam = t->k;
    }
    return 1;
}

static void block(const gemm *g, const part *r) {
    rein_tile t = {.a = g->a + r->m0 * g->sam + r->p0 * g->sap,
                   .sam = g->sam,
                   .sap = g->sap,
                   .b = g->stored ? NULL : g->b + r->n0 / 32 * g->panel + r->p0 * g->ldb,
                   .ldb = g->ldb,
                   .group = REIN_W,
                   .c = g->c + r->m0 * g->ldc + r->n0,
                   .ldc = g->ldc,
                   .k = r->p1 - r->p0,
                   .rows = (int)min_i64(REIN_MR, r->m1 - r->m0),
                   .mode = r->mode};
    int64_t rows = r->m1 - r->m0;
    if (g->plan && t.k <= REIN_FEW) {
        REIN_ISA(rein_tile_few)(&t, rows, r->n1 - r->n0);
        return;
    }
    int pack_a = pack_block(g, r, &t), by_rows = !g->stored && g->panel == 32; /* B is not in panels */
    if (g->plan && t.k <= SHORT_CHUNK) {
        short_chunk(g, r, t, pack_a);
    } else if (by_rows && rows > 3 && rows <= WALK_ROWS) {
        walk(g, r, t, pack_a);
    } else if (!g->stored) {
        some_columns(g, r, &(columns){r->n0, r->n1, t.b, g->ldb, g->panel, g->padded}, t, pack_a);
    } else {
        int64_t width = unpack_width(rows);
        for (int64_t j = r->n0; j < r->n1; j += width) {
            columns c = unpack_columns(g, r, j, min_i64(r->n1, j + width));
            some_columns(g, r, &c, t, pack_a);
        }
    }
}

/* All chunks of the rectangle r. */
static void rectangle(const gemm *g, part r) {
    int64_t m0 = r.m0, rows = r.m1 - r.m0, blocks = div_up(rows, BLOCK_ROWS);
    int64_t chunks = g->plan ? g->plan->n : div_up(g->K, REIN_CHUNK);
    for (int64_t i = 0; i < chunks; i++) {
        r.p0 = g->plan ? g->plan->range[i][0] : i * REIN_CHUNK;
        r.p1 = g->plan ? g->plan->range[i][1] : min_i64(g->K, r.p0 + REIN_CHUNK);
        r.mode = g->plan || i > 0 ? TILE_ADD : TILE_SET;
        r.bias = i + 1 == chunks ? g->bias : NULL;
        for (int64_t b = 0; b < blocks; b++) {
            r.m0 = m0 + part_begin(rows, b, blocks);
            r.m1 = m0 + part_begin(rows, b + 1, blocks);
            r.tiles = div_up(r.m1 - r.m0, REIN_MR);
            r.height = (r.m1 - r.m0) / r.tiles;
            r.taller = (r.m1 - r.m0) % r.tiles;
            block(g, &r);
        }
    }
}

/* Divide the output among the threads in `down` by threads / down rectangles: even work first, then little traffic. */
static int grid_rows(const gemm *g, int threads) {
    int best = 1;
    int64_t least = INT64_MAX;
    for (int down = 1; down <= threads; down++) {
        if (threads % down) continue;
        int64_t rows = div_up(div_up(g->M, REIN_MR), down) * REIN_MR;
        int64_t cols = div_up(div_up(g->N, 32), threads / down) * 32;
        int64_t cost = rows * cols * 16 + rows + cols;
        if (cost < least) best = down;
        least = min_i64(cost, least);
    }
    return best;
}

/* A rectangle of a weight whose rows are columns of B, read as it lies: all chunks of a few rows, then the next ones.
 */
static void stream(const gemm *g, part r) {
    int64_t end = r.n1, width = unpack_width(r.m1 - r.m0);
    for (; r.n0 < end; r.n0 = r.n1) {
        r.n1 = min_i64(end, r.n0 + width);
        rectangle(g, r);
    }
}

static void run_gemm(rein_device *dev, const gemm *g) {
    int threads = parts_for(dev, 2 * g->M * g->N * g->K);
    int down = grid_rows(g, threads), across = threads / down;
    char *scratch = rein_device_scratch(dev, (A_FLOATS + B_FLOATS + W_FLOATS) * sizeof(float));
    size_t stride = dev->scratch_bytes;
    int64_t tiles = div_up(g->M, REIN_MR), panels = div_up(g->N, 32);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int i = 0; i < threads; i++) {
        part r = {.m0 = part_begin(tiles, i / across, down) * REIN_MR,
                  .m1 = min_i64(g->M, part_begin(tiles, i / across + 1, down) * REIN_MR),
                  .n0 = part_begin(panels, i % across, across) * 32,
                  .n1 = min_i64(g->N, part_begin(panels, i % across + 1, across) * 32)};
        r.b = (float *)(void *)(scratch + (size_t)i * stride);
        r.w = r.b + B_FLOATS;
        r.a = r.w + W_FLOATS;
        if (g->stored && g->transposed && r.m1 - r.m0 <= STREAM_ROWS)
            stream(g, r);
        else
            rectangle(g, r);
    }
}

int64_t REIN_ISA(rein_packed_size)(int64_t N, int64_t K) { return div_up(N, REIN_PANEL) * REIN_PANEL * K; }

static void pack_panel(float *panel, const float *w, int64_t rows, int64_t K) {
    v_transpose(panel, REIN_PANEL, w, K, rows, K);
    for (int64_t k = 0; k < K && rows < REIN_PANEL; k++)
        memset(panel + k * REIN_PANEL + rows, 0, (size_t)(REIN_PANEL - rows) * sizeof(float));
}

void REIN_ISA(rein_pack)(rein_device *dev, float *packed, const float *w, int64_t N, int64_t K) {
    int threads = parts_for(dev, 8 * N * K);
    int64_t panels = div_up(N, REIN_PANEL);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < panels; i++)
        pack_panel(packed + i * REIN_PANEL * K, w + i * REIN_PANEL * K, min_i64(REIN_PANEL, N - i * REIN_PANEL), K);
}

void REIN_ISA(rein_linear)(rein_device *dev, float *y, int64_t ldy, const float *x, int64_t ldx, rein_weight w,
                           const float *bias, int64_t M) {
    gemm g = {.a = x,
              .sam = ldx,
              .sap = 1,
              .b = w.packed,
              .ldb = REIN_PANEL,
              .panel = REIN_PANEL * w.K,
              .padded = 1,
              .stored = w.packed ? NULL : &w,
              .transposed = 1,
              .c = y,
              .ldc = ldy,
              .bias = bias,
              .M = M,
              .N = w.N,
              .K = w.K};
    run_gemm(dev, &g);
}

void REIN_ISA(rein_linear_dx)(rein_device *dev, float *dx, const float *dy, int64_t lddy, rein_weight w, int64_t M) {
    gemm g = {.a = dy,
              .sam = lddy,
              .sap = 1,
              .b = w.rows,
              .ldb = w.K,
              .panel = 32,
              .stored = w.dtype == REIN_F32 ? NULL : &w,
              .c = dx,
              .ldc = w.K,
              .M = M,
              .N = w.K,
              .K = w.N};
    run_gemm(dev, &g);
}

void REIN_ISA(rein_linear_dw)(rein_device *dev, float *dw, const float *dy, int64_t lddy, const float *x, int64_t ldx,
                              const rein_plan *plan, int64_t N, int64_t K) {
    int64_t rows = 0;
    for (int64_t i = 0; i < plan->n; i++) rows += plan->range[i][1] - plan->range[i][0];
    gemm g = {.a = dy,
              .sam = 1,
              .sap = lddy,
              .b = x,
              .ldb = ldx,
              .panel = 32,
              .c = dw,
              .ldc = K,
              .M = N,
              .N = K,
              .K = rows,
              .plan = plan};
    run_gemm(dev, &g);
}

void REIN_ISA(rein_bias_grad)(rein_device *dev, float *db, const float *dy, int64_t lddy, const rein_plan *plan,
                              int64_t N) {
    (void)dev;
    for (int64_t i = 0; i < plan->n; i++) {
        for (int64_t n = 0; n < N; n += REIN_W) {
            vmask m = v_mask(N - n);
            vec c = v_zero();
            for (int64_t t = plan->range[i][0]; t < plan->range[i][1]; t++) c = v_add(c, v_loadm(m, dy + t * lddy + n));
            v_storem(m, db + n, v_add(v_loadm(m, db + n), c));
        }
    }
}
