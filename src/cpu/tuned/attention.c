/*
 * Attention over the token forest, forward.
 *
 * Queries that read the same keys (rows of a run, query heads of a kv head, and runs whose paths begin with the same
 * spans) are taken together: a block of them shares each pass over keys and values. Scores of a block are kept by
 * absolute position, so that the 16 partial sums and the chunks of 256 fall as the contract says wherever spans are
 * cut. Under a sliding window, what lies before the first position that any query of the block sees is passed over.
 */
#include "cpu/tuned/attention.h"

enum { MAX_Q = 48 }; /* queries of a block */

/* A block of queries of one kv head, in order of (run, row, head), and its scratch. */
typedef struct block {
    const rein_attn *a;
    int64_t kv, n, heads;             /* n queries: rows x heads */
    int64_t row[MAX_Q], head[MAX_Q];  /* row of the batch, query head */
    int64_t first[MAX_Q], end[MAX_Q]; /* positions read: [first, end) */
    int64_t low;                      /* the smallest first */
    int64_t lds;
    float *q;     /* (n, D) */
    float *s;     /* (n, lds) scores, then exponentials, by absolute position */
    float *o;     /* (n, D) value sums of whole chunks */
    float *chunk; /* (n, D) value sums of the chunk in progress, unless it is the first */
} block;

/* The blocks of one call, dealt to threads in turn. */
typedef struct job {
    float *o, *stat;
    const rein_run *runs;
    int64_t n_runs;
    const float *qkv;
    rein_attn a;
    int64_t cap; /* queries a block */
} job;

/* ---- keys and values into the cache ---- */

void REIN_ISA(rein_kv_store)(rein_device *dev, const rein_run *runs, int64_t n_runs, const float *qkv, rein_attn a) {
    int64_t rows = 0;
    for (int64_t i = 0; i < n_runs; i++) rows += runs[i].n;
    int parts = parts_for(dev, 16 * rows * a.K * a.D);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int part = 0; part < parts; part++) {
        int64_t begin = part_begin(rows, part, parts), end = part_begin(rows, part + 1, parts), at = 0;
        for (int64_t i = 0; i < n_runs; at += runs[i++].n) {
            const rein_seg *own = &runs[i].seg[runs[i].n_seg - 1];
            for (int64_t r = max_i64(0, begin - at); r < min_i64(runs[i].n, end - at); r++) {
                const float *k = qkv + (runs[i].row + r) * a.ld + a.H * a.D, *v = k + a.K * a.D;
                int64_t j = runs[i].pos + r - seg_first(own);
                for (int64_t kv = 0; kv < a.K; kv++) {
                    float *key = seg_keys(own, &a, kv) + j / REIN_LANES * a.D * REIN_LANES + j % REIN_LANES;
                    for (int64_t d = 0; d < a.D; d++) key[d * REIN_LANES] = k[kv * a.D + d];
                    memcpy(seg_values(own, &a, kv) + j * a.D, v + kv * a.D, (size_t)a.D * sizeof(float));
                }
            }
        }
    }
}

/* ---- one block ---- */

/* Scores of queries [q0, q1) with the positions of segment k of the run. */
static void score_seg(block *b, const rein_run *run, int64_t k, int64_t q0, int64_t q1) {
    const rein_seg *s = &run->seg[k];
    int64_t end = seg_end(run, k), skip = max_i64(0, b->low - seg_first(s)) / REIN_LANES * REIN_LANES;
    if (end <= b->low) return;
    int64_t first = seg_first(s) + skip;
    int64_t shared = max_i64(0, s->pos0 - first); /* lanes of the first panel that are the segment before */
    float keep[MAX_Q][REIN_LANES];
    for (int64_t q = q0; q < q1 && shared; q++) memcpy(keep[q], b->s + q * b->lds + first, sizeof keep[q]);
    int64_t tiles = div_up(q1 - q0, REIN_MR);
    for (int64_t i = 0; i < tiles; i++) {
        int64_t q = q0 + part_begin(q1 - q0, i, tiles), rows = q0 + part_begin(q1 - q0, i + 1, tiles) - q;
        rein_tile t = {.a = b->q + q * b->a->D,
                       .sam = b->a->D,
                       .b = seg_keys(s, b->a, b->kv) + skip * b->a->D,
                       .c = b->s + q * b->lds + first,
                       .ldc = b->lds,
                       .rows = (int)rows};
        tile_panels(t, div_up(min_i64(end, b->end[q + rows - 1]) - first, REIN_LANES), b->a->D);
    }
    for (int64_t q = q0; q < q1 && shared; q++)
        memcpy(b->s + q * b->lds + first, keep[q], (size_t)shared * sizeof(float));
}

/* 16 positions: scaled scores and the maximum of those in [from, n). */
REIN_INLINE void scale_step(float *s, vec scale, vec m[REIN_V16], int64_t from, int64_t n) {
    for (int v = 0; v < REIN_V16; v++) {
        vec x = v_mul(v_load(s + v * REIN_W), scale), old = m[v];
        v_store(s + v * REIN_W, x);
        m[v] = v_selectn(n - v * REIN_W, v_max(x, old), old);
        if (from > 0) m[v] = v_selectn(from - v * REIN_W, old, m[v]);
    }
}

REIN_INLINE void exp_step(float *s, vec top, vec z[REIN_V16], int64_t from, int64_t n) {
    for (int v = 0; v < REIN_V16; v++) {
        vec e = v_exp(v_sub(v_load(s + v * REIN_W), top)), old = z[v];
        v_store(s + v * REIN_W, e);
        z[v] = v_selectn(n - v * REIN_W, v_add(old, e), old);
        if (from > 0) z[v] = v_selectn(from - v * REIN_W, old, z[v]);
    }
}

/* Scores to exponentials, in place, in whole groups of 16; returns their sum and the maximum over [first, n). */
static float softmax(float *s, int64_t first, int64_t n, float scale, float *max) {
    vec m[REIN_V16], z[REIN_V16], vs = v_set(scale);
    int64_t begin = first / 16 * 16, cut = first - begin, body = begin + (cut ? 16 : 0), j = body;
    for (int v = 0; v < REIN_V16; v++) m[v] = v_set(-INFINITY), z[v] = v_zero();
    if (cut) scale_step(s + begin, vs, m, cut, n - begin);
    for (; j + 16 <= n; j += 16) scale_step(s + j, vs, m, 0, 16);
    if (j < n) scale_step(s + j, vs, m, 0, n - j);
    *max = v_max16(m) + 0.0f;
    if (cut) exp_step(s + begin, v_set(*max), z, cut, n - begin);
    for (j = body; j + 16 <= n; j += 16) exp_step(s + j, v_set(*max), z, 0, 16);
    if (j < n) exp_step(s + j, v_set(*max), z, 0, n - j);
    return v_tree16(z);
}

/* The chunk that holds position p - 1 is complete for queries [q0, q1): add its sums, or start with them where it is
 * the first that a query sees. Absolute chunk 0 is in b->o. */
static void close_chunk(block *b, int64_t q0, int64_t q1, int64_t p) {
    int64_t begin = (p - 1) / REIN_CHUNK * REIN_CHUNK, D = b->a->D;
    if (begin == 0) return;
    for (int64_t q = q0; q < q1; q++) {
        if (b->end[q] <= begin || b->first[q] >= begin + REIN_CHUNK) continue;
        if (b->first[q] >= begin)
            memcpy(b->o + q * D, b->chunk + q * D, (size_t)D * sizeof(float));
        else
            for (int64_t d = 0; d < D; d++) b->o[q * D + d] += b->chunk[q * D + d];
    }
}

/* How many queries from q on, at most `rows`, see ascending first positions, as a tile wants them. Runs of one block
 * begin anew; where the window cuts nothing off, all do. */
static int64_t ascending(const block *b, int64_t q, int64_t rows, int64_t begin) {
    int64_t n = 1;
    while (n < rows && max_i64(begin, b->first[q + n]) >= max_i64(begin, b->first[q + n - 1])) n++;
    return n;
}

/* Value sums of queries [q0, q1) over positions [begin, end) of one segment, all in one chunk. */
static void mix_piece(block *b, const rein_seg *s, int64_t q0, int64_t q1, int64_t begin, int64_t end) {
    int64_t D = b->a->D, from[REIN_MR], to[REIN_MR], tiles = div_up(q1 - q0, REIN_MR);
    float *sums = begin < REIN_CHUNK ? b->o : b->chunk;
    for (int64_t i = 0, q = q0, rows; q < q1; q += rows) {
        while (q >= q0 + part_begin(q1 - q0, i + 1, tiles)) i++;
        rows = ascending(b, q, q0 + part_begin(q1 - q0, i + 1, tiles) - q, begin);
        for (int64_t r = 0; r < rows; r++) {
            from[r] = min_i64(end - begin, max_i64(0, b->first[q + r] - begin));
            to[r] = max_i64(0, min_i64(end, b->end[q + r]) - begin);
        }
        rein_tile t = {.a = b->s + q * b->lds + begin,
                       .sam = b->lds,
                       .sap = 1,
                       .ldb = D,
                       .group = REIN_W,
                       .b = seg_values(s, b->a, b->kv) + (begin - seg_first(s)) * D,
                       .c = sums + q * D,
                       .ldc = D,
                       .k = end - begin,
                       .rows = (int)rows,
                       .mode = begin % REIN_CHUNK && begin > b->low ? TILE_CONT : TILE_SET,
                       .from = from[rows - 1] > 0 ? from : NULL,
                       .to = to[0] < end - begin ? to : NULL};
        tile_columns(t, D);
    }
}

static void mix_seg(block *b, const rein_run *run, int64_t k, int64_t q0, int64_t q1) {
    const rein_seg *s = &run->seg[k];
    int64_t end = min_i64(seg_end(run, k), b->end[q1 - 1]);
    for (int64_t begin = max_i64(s->pos0, b->low); begin < end;) {
        int64_t stop = min_i64(end, (begin / REIN_CHUNK + 1) * REIN_CHUNK);
        mix_piece(b, s, q0, q1, begin, stop);
        if (stop % REIN_CHUNK == 0 || (stop == end && k + 1 == run->n_seg)) close_chunk(b, q0, q1, stop);
        begin = stop;
    }
}

typedef void (*seg_step)(block *b, const rein_run *run, int64_t k, int64_t q0, int64_t q1);

/* Segments that all runs share once for the whole block, then each run's others for its own queries. */
static void each_seg(block *b, const rein_run *runs, int64_t n_runs, int64_t common, seg_step step) {
    for (int64_t k = 0; k < common; k++) step(b, runs, k, 0, b->n);
    for (int64_t i = 0, q = 0; i < n_runs; i++) {
        int64_t q1 = n_runs > 1 ? q + runs[i].n * b->heads : b->n;
        for (int64_t k = common; k < runs[i].n_seg; k++) step(b, &runs[i], k, q, q1);
        q = q1;
    }
}

/* Queries of rows [r0, r1) of each run (all rows if there are several runs) and heads [h0, h0 + heads). */
static void fill_block(block *b, const job *w, const rein_run *runs, int64_t n_runs, int64_t r0, int64_t r1,
                       int64_t h0) {
    b->n = 0;
    b->low = INT64_MAX;
    for (int64_t i = 0; i < n_runs; i++) {
        for (int64_t r = n_runs > 1 ? 0 : r0; r < (n_runs > 1 ? runs[i].n : r1); r++) {
            for (int64_t h = h0; h < h0 + b->heads; h++) {
                b->row[b->n] = runs[i].row + r;
                b->head[b->n] = h;
                b->first[b->n] = first_seen(b->a, runs[i].pos + r);
                b->end[b->n] = runs[i].pos + r + 1;
                b->low = min_i64(b->low, b->first[b->n]);
                memcpy(b->q + b->n * w->a.D, w->qkv + (runs[i].row + r) * w->a.ld + h * w->a.D,
                       (size_t)w->a.D * sizeof(float));
                b->n++;
            }
        }
    }
}

static void run_block(block *b, const job *w, const rein_run *runs, int64_t n_runs, int64_t common) {
    float z[MAX_Q], m[MAX_Q];
    each_seg(b, runs, n_runs, common, score_seg);
    for (int64_t q = 0; q < b->n; q++) z[q] = softmax(b->s + q * b->lds, b->first[q], b->end[q], w->a.scale, &m[q]);
    each_seg(b, runs, n_runs, common, mix_seg);
    for (int64_t q = 0; q < b->n; q++) {
        int64_t at = b->row[q] * w->a.H + b->head[q];
        for (int64_t d = 0; d < w->a.D; d++) w->o[at * w->a.D + d] = b->o[q * w->a.D + d] / z[q];
        if (!w->stat) continue;
        w->stat[2 * at] = m[q];
        w->stat[2 * at + 1] = 1.0f / z[q];
    }
}

/* ---- dealing blocks to threads ---- */

/* How many runs from `runs` on one block can take whole, and the number of segments they share. */
static int64_t bundle(const rein_run *runs, int64_t n_runs, int64_t max_rows, int64_t *common) {
    int64_t n = 1, rows = runs[0].n;
    *common = runs[0].n_seg;
    for (; n < n_runs && rows + runs[n].n <= max_rows; rows += runs[n++].n) {
        int64_t same = 0, limit = min_i64(*common, runs[n].n_seg - 1);
        limit = n == 1 ? min_i64(limit, runs[0].n_seg - 1) : limit;
        while (same < limit && runs[n].seg[same].base == runs[0].seg[same].base &&
               seg_end(&runs[n], same) == seg_end(&runs[0], same))
            same++;
        if (same == 0) break;
        *common = same;
    }
    return n;
}

/* Every block of the call in a fixed order; this thread takes those whose number is `part` modulo `parts`. */
static void run_part(const job *w, block *b, int64_t part, int64_t parts) {
    int64_t group = w->a.H / w->a.K, common = 0, number = 0;
    int64_t max_rows = max_i64(1, w->cap / group);
    for (int64_t i = 0, n; i < w->n_runs; i += n) {
        n = bundle(w->runs + i, w->n_runs - i, max_rows, &common);
        const rein_run *runs = w->runs + i;
        int64_t pieces = n > 1 ? 1 : div_up(runs->n, max_rows);
        for (int64_t piece = 0; piece < pieces; piece++) {
            for (int64_t h = 0; h < w->a.H; h += b->heads) {
                b->kv = h / group;
                b->heads = min_i64(w->cap, group - h % group);
                if (number++ % parts != part) continue;
                fill_block(b, w, runs, n, part_begin(runs->n, piece, pieces), part_begin(runs->n, piece + 1, pieces),
                           h);
                run_block(b, w, runs, n, common);
            }
        }
    }
}

void REIN_ISA(rein_attention)(rein_device *dev, float *o, float *stat, const rein_run *runs, int64_t n_runs,
                              const float *qkv, rein_attn a) {
    job w = {o, stat, runs, n_runs, qkv, a, 0};
    int64_t lds = score_stride(longest_path(runs, n_runs)), rows = 0;
    for (int64_t i = 0; i < n_runs; i++) rows += runs[i].n;
    int parts = parts_for(dev, 4 * path_products(runs, n_runs, &a));
    w.cap = max_i64(REIN_MR, min_i64(MAX_Q, div_up(rows * a.H, 2 * parts * REIN_MR) * REIN_MR));
    char *scratch = rein_device_scratch(dev, (size_t)(MAX_Q * (lds + 3 * a.D)) * sizeof(float));
    size_t stride = dev->scratch_bytes;
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int part = 0; part < parts; part++) {
        float *at = (float *)(void *)(scratch + (size_t)part * stride);
        block b = {.a = &w.a, .lds = lds, .s = at, .q = at + MAX_Q * lds};
        b.o = b.q + MAX_Q * a.D;
        b.chunk = b.o + MAX_Q * a.D;
        run_part(&w, &b, part, parts);
    }
}
