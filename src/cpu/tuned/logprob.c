/*
 * Log-softmax and gather, and its gradient. A read over the whole vocabulary runs on vectors along the row; one over a
 * kept set gathers its logits block by block and keeps the 16 partial sums by id.
 */
#include "cpu/tuned/logprob.h"
#include "tensor/mathf.h"

/* ---- sums: S and the dot product of e and z - m, as 16 partial sums each ---- */

typedef struct partials {
    vec s[REIN_V16], dot[REIN_V16];
} partials;

REIN_INLINE void sums_step(partials *p, const float *x, float temperature, vec top, int64_t n) {
    for (int v = 0; v < REIN_V16; v++) {
        int64_t at = v * REIN_W;
        vec z = v_sub(over(v_loadn(x + at, n - at), temperature), top), e = v_exp(z);
        p->s[v] = v_selectn(n - at, v_add(p->s[v], e), p->s[v]);
        p->dot[v] = v_selectn(n - at, v_fma(e, z, p->dot[v]), p->dot[v]);
    }
}

static void sums_all(float sums[2], const float *row, float temperature, float max, int64_t V) {
    partials p;
    int64_t i = 0;
    for (int v = 0; v < REIN_V16; v++) p.s[v] = v_zero(), p.dot[v] = v_zero();
    for (; i + 16 <= V; i += 16) sums_step(&p, row + i, temperature, v_set(max), 16);
    if (i < V) sums_step(&p, row + i, temperature, v_set(max), V - i);
    sums[0] = v_tree16(p.s);
    sums[1] = v_tree16(p.dot);
}

static void sums_kept(float sums[2], const rein_read *r, const float *row, float max) {
    float s[REIN_LANES] = {0}, dot[REIN_LANES] = {0}, z[REIN_ID_BLOCK] = {0}, e[REIN_ID_BLOCK];
    for (int64_t i = 0; i < r->n_kept; i += REIN_ID_BLOCK) {
        int64_t n = min_i64(REIN_ID_BLOCK, r->n_kept - i);
        logits_of(z, r, row, i, n);
        for (int64_t k = 0; k < n; k += REIN_W) {
            vec x = v_sub(v_load(z + k), v_set(max));
            v_store(z + k, x);
            v_store(e + k, v_exp(x));
        }
        for (int64_t k = 0; k < n; k++) {
            int64_t lane = r->kept[i + k] % REIN_LANES;
            s[lane] += e[k];
            dot[lane] = fmaf(e[k], z[k], dot[lane]);
        }
    }
    vec sv[REIN_V16], dv[REIN_V16];
    for (int v = 0; v < REIN_V16; v++) sv[v] = v_load(s + v * REIN_W), dv[v] = v_load(dot + v * REIN_W);
    sums[0] = v_tree16(sv);
    sums[1] = v_tree16(dv);
}

void REIN_ISA(rein_logprob)(rein_device *dev, float *logp, float *stat, float *entropy, const float *logits,
                            const rein_read *reads, int64_t n_reads, int64_t V) {
    int64_t work = 0;
    for (int64_t i = 0; i < n_reads; i++) work += reads[i].n_kept ? 4 * reads[i].n_kept : V;
    int parts = parts_for(dev, 24 * work);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < n_reads; i++) {
        const rein_read *r = &reads[i];
        const float *row = logits + r->row * V;
        float m = (r->n_kept ? kept_max(r, row) : row_max(row, r->temperature, V)) + 0.0f, sums[2];
        if (r->n_kept)
            sums_kept(sums, r, row, m);
        else
            sums_all(sums, row, r->temperature, m, V);
        float l = rein_logf(sums[0]);
        logp[i] = (row[r->target] / r->temperature - m) - l;
        stat[2 * i] = m;
        stat[2 * i + 1] = l;
        if (entropy) entropy[i] = l - sums[1] / sums[0];
    }
}

/* ---- gradient ---- */

/* (g * (hit - p)) / temperature for values z of logits / temperature */
REIN_INLINE vec gradient(vec z, const float stat[2], float g, float temperature, vec hit) {
    vec p = v_exp(v_sub(v_sub(z, v_set(stat[0])), v_set(stat[1])));
    return over(v_mul(v_set(g), v_sub(hit, p)), temperature);
}

REIN_INLINE void bwd_step(float *d, const float *row, const rein_read *r, const float stat[2], float g, int first,
                          int64_t n) {
    vec x = gradient(over(v_loadn(row, n), r->temperature), stat, g, r->temperature, v_zero());
    v_storen(d, n, v_add(first ? v_zero() : v_loadn(d, n), x));
}

/* d (+)= the gradient of a read over the whole vocabulary; `first`: d holds nothing yet. */
static void bwd_all(float *d, const rein_read *r, const float *row, const float stat[2], float g, int64_t V,
                    int first) {
    float before = first ? 0.0f : d[r->target];
    int64_t i = 0;
    for (; i + REIN_W <= V; i += REIN_W) bwd_step(d + i, row + i, r, stat, g, first, REIN_W);
    if (i < V) bwd_step(d + i, row + i, r, stat, g, first, V - i);
    float p = rein_expf((row[r->target] / r->temperature - stat[0]) - stat[1]);
    d[r->target] = before + (g * (1.0f - p)) / r->temperature;
}

static void bwd_kept(float *d, const rein_read *r, const float *row, const float stat[2], float g) {
    float z[REIN_ID_BLOCK] = {0}, hit[REIN_ID_BLOCK] = {0};
    for (int64_t i = 0; i < r->n_kept; i += REIN_ID_BLOCK) {
        int64_t n = min_i64(REIN_ID_BLOCK, r->n_kept - i);
        logits_of(z, r, row, i, n);
        for (int64_t k = 0; k < n; k++) hit[k] = r->kept[i + k] == r->target ? 1.0f : 0.0f;
        for (int64_t k = 0; k < n; k += REIN_W)
            v_store(z + k, gradient(v_load(z + k), stat, g, r->temperature, v_load(hit + k)));
        for (int64_t k = 0; k < n; k++) d[r->kept[i + k]] += z[k];
    }
}

void REIN_ISA(rein_logprob_bwd)(rein_device *dev, float *dlogits, const float *dlogp, const float *stat,
                                const float *logits, const rein_read *reads, int64_t n_reads, int64_t rows, int64_t V) {
    int parts = parts_for(dev, 24 * n_reads * V);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < rows; t++) {
        float *d = dlogits + t * V;
        int64_t begin = first_read(reads, n_reads, t), i = begin;
        if (i == n_reads || reads[i].row != t || reads[i].n_kept) memset(d, 0, (size_t)V * sizeof(float));
        for (; i < n_reads && reads[i].row == t; i++) {
            const rein_read *r = &reads[i];
            const float *row = logits + t * V;
            if (r->n_kept)
                bwd_kept(d, r, row, stat + 2 * i, dlogp[i]);
            else
                bwd_all(d, r, row, stat + 2 * i, dlogp[i], V, i == begin);
        }
    }
}

void REIN_ISA(rein_softmax_terms)(float *e, const float *row, float temperature, int64_t V) {
    vec m = v_set(row_max(row, temperature, V) + 0.0f);
    for (int64_t i = 0; i < V; i += REIN_W) {
        vmask k = v_mask(V - i);
        v_storem(k, e + i, v_exp(v_sub(over(v_loadm(k, row + i), temperature), m)));
    }
}
