/*
 * Reference attention over the token forest. A row at position p reads positions 0 .. p of its path, or the last
 * `window` of them, wherever they are stored; sums over positions are ordered by absolute position, so that no bit
 * depends on how the path is cut in spans. A chunk of 256 that lies before the window is no summand.
 */
#include <string.h>

#include "base/base.h"
#include "cpu/ref.h"

/* ---- stored keys and values ---- */

static real *seg_key(const rein_seg *s, const rein_attn *a, int64_t kv, int64_t j) {
    int64_t panel = j / REIN_LANES - s->pos0 / REIN_LANES;
    return s->base + a->layer * s->layer_stride + (kv * s->panels + panel) * a->D * REIN_LANES + j % REIN_LANES;
}

static real *seg_value(const rein_seg *s, const rein_attn *a, int64_t kv, int64_t j) {
    int64_t row = j - s->pos0 / REIN_LANES * REIN_LANES;
    real *values = s->base + a->layer * s->layer_stride + a->K * s->panels * REIN_LANES * a->D;
    return values + (kv * s->panels * REIN_LANES + row) * a->D;
}

/* The segment of the path that holds position j. */
static const rein_seg *run_seg(const rein_run *run, int64_t j) {
    int64_t i = 0;
    while (i + 1 < run->n_seg && j >= run->seg[i + 1].pos0) i++;
    return &run->seg[i];
}

/* The first position that a query at p sees. */
static int64_t first_seen(const rein_attn *a, int64_t p) {
    return a->window > 0 && p >= a->window ? p - a->window + 1 : 0;
}

void rein_ref_kv_store(rein_device *dev, const rein_run *runs, int64_t n_runs, const real *qkv, rein_attn a) {
    (void)dev;
    for (int64_t i = 0; i < n_runs; i++) {
        const rein_seg *own = &runs[i].seg[runs[i].n_seg - 1];
        for (int64_t r = 0; r < runs[i].n; r++) {
            const real *k = qkv + (runs[i].row + r) * a.ld + a.H * a.D;
            const real *v = k + a.K * a.D;
            for (int64_t kv = 0; kv < a.K; kv++) {
                real *key = seg_key(own, &a, kv, runs[i].pos + r);
                for (int64_t d = 0; d < a.D; d++) key[d * REIN_LANES] = k[kv * a.D + d];
                memcpy(seg_value(own, &a, kv, runs[i].pos + r), v + kv * a.D, (size_t)a.D * sizeof(real));
            }
        }
    }
}

/* ---- forward ---- */

/* s[j] for j = 0 (or the window's first) .. p: the scaled product of q with key j. */
static void row_scores(real *s, const real *q, const rein_run *run, const rein_attn *a, int64_t kv, int64_t p) {
    for (int64_t j = first_seen(a, p); j <= p; j++) {
        const real *key = seg_key(run_seg(run, j), a, kv, j);
        real c = 0;
        for (int64_t d = 0; d < a->D; d++) c = real_fma(q[d], key[d * REIN_LANES], c);
        s[j] = c * a->scale;
    }
}

/* out[d] = chunked over j = first .. p of weight[j] * x_j[d], with x the keys or the values. */
static void row_mix(real *out, const real *weight, const rein_run *run, const rein_attn *a, int64_t kv, int64_t p,
                    int keys) {
    int64_t first = first_seen(a, p);
    for (int64_t d = 0; d < a->D; d++) {
        real total = 0;
        for (int64_t j0 = first / REIN_CHUNK * REIN_CHUNK; j0 <= p; j0 += REIN_CHUNK) {
            real c = 0;
            for (int64_t j = j0 < first ? first : j0; j < ref_min(j0 + REIN_CHUNK, p + 1); j++) {
                const rein_seg *s = run_seg(run, j);
                real x = keys ? seg_key(s, a, kv, j)[d * REIN_LANES] : seg_value(s, a, kv, j)[d];
                c = real_fma(weight[j], x, c);
            }
            total = j0 <= first ? c : total + c;
        }
        out[d] = total;
    }
}

static void attention_row(real *o, real *stat, real *s, const real *q, const rein_run *run, const rein_attn *a,
                          int64_t kv, int64_t p) {
    int64_t first = first_seen(a, p);
    row_scores(s, q, run, a, kv, p);
    real m = s[first];
    for (int64_t j = first + 1; j <= p; j++)
        if (s[j] > m) m = s[j];
    m += 0; /* a zero maximum is +0, whichever zero was met first */
    real part[REIN_LANES] = {0};
    for (int64_t j = first; j <= p; j++) {
        s[j] = real_exp(s[j] - m);
        part[j % REIN_LANES] += s[j];
    }
    real z = real_tree16(part);
    row_mix(o, s, run, a, kv, p, 0);
    for (int64_t d = 0; d < a->D; d++) o[d] /= z;
    if (stat) {
        stat[0] = m;
        stat[1] = 1 / z;
    }
}

static int64_t longest_path(const rein_run *runs, int64_t n_runs) {
    int64_t end = 0;
    for (int64_t i = 0; i < n_runs; i++)
        if (runs[i].pos + runs[i].n > end) end = runs[i].pos + runs[i].n;
    return end;
}

void rein_ref_attention(rein_device *dev, real *o, real *stat, const rein_run *runs, int64_t n_runs, const real *qkv,
                        rein_attn a) {
    real *s = (real *)(void *)rein_device_scratch(dev, (size_t)longest_path(runs, n_runs) * sizeof(real));
    for (int64_t i = 0; i < n_runs; i++) {
        for (int64_t r = 0; r < runs[i].n; r++) {
            int64_t t = runs[i].row + r;
            for (int64_t h = 0; h < a.H; h++) {
                real *st = stat ? stat + (t * a.H + h) * 2 : NULL;
                attention_row(o + (t * a.H + h) * a.D, st, s, qkv + t * a.ld + h * a.D, &runs[i], &a, h / (a.H / a.K),
                              runs[i].pos + r);
            }
        }
    }
}

/* ---- backward ---- */

/* Arrays of one backward call, and its scratch: P, dS over positions; dk, dv (end, D) of one run and kv head. */
typedef struct bwd {
    const rein_attn *a;
    real *dqkv;
    const real *d_o, *o, *stat, *qkv;
    real *p, *ds, *dk, *dv;
} bwd;

static real row_delta(const real *d_o, const real *o, int64_t D) {
    real part[REIN_LANES] = {0};
    for (int64_t d = 0; d < D; d++) part[d % REIN_LANES] = real_fma(d_o[d], o[d], part[d % REIN_LANES]);
    return real_tree16(part);
}

/* P and dS of one row and query head over the positions that it sees, then its dq. */
static void row_bwd(const bwd *b, const rein_run *run, int64_t t, int64_t h, int64_t pos) {
    const rein_attn *a = b->a;
    int64_t kv = h / (a->H / a->K);
    const real *d_o = b->d_o + (t * a->H + h) * a->D;
    const real *st = b->stat + (t * a->H + h) * 2;
    real delta = row_delta(d_o, b->o + (t * a->H + h) * a->D, a->D);
    row_scores(b->p, b->qkv + t * a->ld + h * a->D, run, a, kv, pos);
    for (int64_t j = first_seen(a, pos); j <= pos; j++) {
        const real *v = seg_value(run_seg(run, j), a, kv, j);
        real dp = 0;
        for (int64_t d = 0; d < a->D; d++) dp = real_fma(d_o[d], v[d], dp);
        b->p[j] = real_exp(b->p[j] - st[0]) * st[1];
        b->ds[j] = (b->p[j] * (dp - delta)) * a->scale;
    }
    row_mix(b->dqkv + t * a->ld + h * a->D, b->ds, run, a, kv, pos, 1);
}

/* The run's own contribution to dk, dv of one kv head, from zero: over query heads, then rows. */
static void run_own(const bwd *b, const rein_run *run, int64_t kv) {
    const rein_attn *a = b->a;
    int64_t end = run->pos + run->n, group = a->H / a->K;
    memset(b->dk, 0, (size_t)(end * a->D) * sizeof(real));
    memset(b->dv, 0, (size_t)(end * a->D) * sizeof(real));
    for (int64_t h = kv * group; h < (kv + 1) * group; h++) {
        for (int64_t r = 0; r < run->n; r++) {
            int64_t t = run->row + r;
            const real *q = b->qkv + t * a->ld + h * a->D;
            const real *d_o = b->d_o + (t * a->H + h) * a->D;
            row_bwd(b, run, t, h, run->pos + r);
            for (int64_t j = first_seen(a, run->pos + r); j <= run->pos + r; j++) {
                for (int64_t d = 0; d < a->D; d++) {
                    b->dk[j * a->D + d] = real_fma(b->ds[j], q[d], b->dk[j * a->D + d]);
                    b->dv[j * a->D + d] = real_fma(b->p[j], d_o[d], b->dv[j * a->D + d]);
                }
            }
        }
    }
}

static void add_to(real *y, const real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

/* dkv of one run and kv head: add the own part, pass the ancestors' positions on, write the rows' k and v slots. */
static void run_collect(const bwd *b, const rein_run *runs, const rein_run *run, int64_t kv) {
    const rein_attn *a = b->a;
    int64_t end = run->pos + run->n;
    real *dk = run->dkv + kv * 2 * end * a->D;
    real *dv = dk + end * a->D;
    add_to(dk, b->dk, end * a->D);
    add_to(dv, b->dv, end * a->D);
    if (run->parent >= 0) {
        const rein_run *parent = &runs[run->parent];
        int64_t parent_end = parent->pos + parent->n;
        REIN_ASSERT(run->pos <= parent_end);
        add_to(parent->dkv + kv * 2 * parent_end * a->D, dk, run->pos * a->D);
        add_to(parent->dkv + (kv * 2 + 1) * parent_end * a->D, dv, run->pos * a->D);
    }
    for (int64_t r = 0; r < run->n; r++) {
        real *slot = b->dqkv + (run->row + r) * a->ld + (a->H + kv) * a->D;
        memcpy(slot, dk + (run->pos + r) * a->D, (size_t)a->D * sizeof(real));
        memcpy(slot + a->K * a->D, dv + (run->pos + r) * a->D, (size_t)a->D * sizeof(real));
    }
}

void rein_ref_attention_bwd(rein_device *dev, real *dqkv, const real *d_o, const real *o, const real *stat,
                            const rein_run *runs, int64_t n_runs, const real *qkv, rein_attn a) {
    int64_t end = longest_path(runs, n_runs);
    real *p = (real *)(void *)rein_device_scratch(dev, (size_t)(end * (2 + 2 * a.D)) * sizeof(real));
    bwd b = {&a, dqkv, d_o, o, stat, qkv, p, p + end, p + 2 * end, p + (2 + a.D) * end};
    for (int64_t i = 0; i < n_runs; i++) {
        if (runs[i].context) {
            memset(dqkv + runs[i].row * a.ld, 0, (size_t)(runs[i].n * a.ld) * sizeof(real));
            continue;
        }
        for (int64_t kv = 0; kv < a.K; kv++) {
            run_own(&b, &runs[i], kv);
            run_collect(&b, runs, &runs[i], kv);
        }
    }
}
