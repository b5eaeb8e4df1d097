/*
 * What is read off a distribution beside the log-prob of a token: its largest id, the mean of log p, divergences from a
 * teacher, and the gradients. Ids go in blocks, gathered or not; the 16 partial sums are kept by id.
 */
#include "cpu/tuned/logprob.h"

REIN_INLINE int64_t id_count(const rein_read *r, int64_t V) { return r->n_kept ? r->n_kept : V; }

/* Threads for work of some operations an id. */
static int parts_of(const rein_device *dev, int64_t operations, const rein_read *reads, int64_t n_reads, int64_t V) {
    int64_t work = 0;
    for (int64_t i = 0; i < n_reads; i++) work += id_count(&reads[i], V);
    return parts_for(dev, operations * work);
}

/* s[id mod 16] = fma(a, b, .) over ids [i, i + n) of a read; i is a multiple of 16. */
REIN_INLINE void add_products(float s[REIN_LANES], const rein_read *r, int64_t i, int64_t n, const float *a,
                              const float *b) {
    if (r->n_kept) {
        for (int64_t k = 0; k < n; k++) {
            float *lane = &s[r->kept[i + k] % REIN_LANES];
            *lane = fmaf(a[k], b[k], *lane);
        }
        return;
    }
    for (int64_t v = 0; v < REIN_LANES; v += REIN_W) {
        vec c = v_load(s + v);
        for (int64_t k = v; k < n; k += REIN_LANES) c = v_selectn(n - k, v_fma(v_load(a + k), v_load(b + k), c), c);
        v_store(s + v, c);
    }
}

static float tree16(const float s[REIN_LANES]) {
    vec p[REIN_V16];
    for (int v = 0; v < REIN_V16; v++) p[v] = v_load(s + v * REIN_W);
    return v_tree16(p);
}

/* ---- largest id, mean ---- */

static int32_t best_of(const rein_read *r, const float *row, int64_t V) {
    int64_t n = id_count(r, V), at = 0;
    rein_read plain = *r;
    plain.temperature = 1;
    float m = r->n_kept ? kept_max(&plain, row) : row_max(row, 1, V);
    if (r->n_kept) {
        while (at < n && row[r->kept[at]] != m) at++;
        return r->kept[at < n ? at : 0];
    }
    while (at < n && row[at] != m) at++;
    return (int32_t)(at < n ? at : 0);
}

void REIN_ISA(rein_logprob_best)(rein_device *dev, int32_t *best, const float *logits, const rein_read *reads,
                                 int64_t n_reads, int64_t V) {
    int parts = parts_of(dev, 2, reads, n_reads, V);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < n_reads; i++) best[i] = best_of(&reads[i], logits + reads[i].row * V, V);
}

static float sum_of(const rein_read *r, const float *row, float max, int64_t V) {
    float s[REIN_LANES] = {0}, z[REIN_ID_BLOCK] = {0}, one[REIN_ID_BLOCK];
    for (int k = 0; k < REIN_ID_BLOCK; k++) one[k] = 1;
    for (int64_t i = 0; i < id_count(r, V); i += REIN_ID_BLOCK) {
        int64_t n = min_i64(REIN_ID_BLOCK, id_count(r, V) - i);
        logits_of(z, r, row, i, n);
        for (int64_t k = 0; k < n; k += REIN_W) v_store(z + k, v_sub(v_load(z + k), v_set(max)));
        add_products(s, r, i, n, z, one); /* a product with 1 is exact: a plain add */
    }
    return tree16(s);
}

void REIN_ISA(rein_logprob_mean)(rein_device *dev, float *mean, const float *stat, const float *logits,
                                 const rein_read *reads, int64_t n_reads, int64_t V) {
    int parts = parts_of(dev, 4, reads, n_reads, V);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < n_reads; i++) {
        float sum = sum_of(&reads[i], logits + reads[i].row * V, stat[2 * i], V);
        mean[i] = sum / (float)id_count(&reads[i], V) - stat[2 * i + 1];
    }
}

/* ---- divergences ---- */

/* z to log p, in place */
REIN_INLINE void to_logp(float *z, const float stat[2], int64_t n) {
    for (int64_t k = 0; k < n; k += REIN_W) v_store(z + k, v_sub(v_sub(v_load(z + k), v_set(stat[0])), v_set(stat[1])));
}

REIN_INLINE vec clamped(vec d) {
    d = v_if_less(d, v_set(-80.0f), v_set(-80.0f), d);
    return v_if_less(v_set(80.0f), d, v_set(80.0f), d);
}

/* The log of the mixture over p; its argument is between (1 - beta) and beta exp(80). */
REIN_INLINE vec mixture(vec d, float beta) { return v_log(v_fma(v_set(beta), v_exp(d), v_set(1 - beta))); }

static void divergence_of(float out[2], const rein_read *r, float beta, const float *row, const float stat[2],
                          const float *teacher_row, const float teacher_stat[2], int64_t V) {
    bool jsd = beta > 0 && beta < 1;
    float sum[REIN_LANES] = {0}, mix[REIN_LANES] = {0};
    float a[REIN_ID_BLOCK] = {0}, b[REIN_ID_BLOCK] = {0}, x[REIN_ID_BLOCK], p[REIN_ID_BLOCK], q[REIN_ID_BLOCK];
    for (int64_t i = 0; i < id_count(r, V); i += REIN_ID_BLOCK) {
        int64_t n = min_i64(REIN_ID_BLOCK, id_count(r, V) - i);
        logits_of(a, r, row, i, n);
        logits_of(b, r, teacher_row, i, n);
        to_logp(a, stat, n);
        to_logp(b, teacher_stat, n);
        for (int64_t k = 0; k < n; k += REIN_W) {
            vec d = v_sub(v_load(b + k), v_load(a + k)), u = v_zero();
            if (jsd) d = clamped(d), u = mixture(d, beta);
            if (beta > 0) v_store(p + k, v_exp(v_load(a + k)));
            if (beta < 1) v_store(q + k, v_exp(v_load(b + k)));
            v_store(x + k, beta < 1 ? v_sub(d, u) : v_sub(v_load(a + k), v_load(b + k)));
            v_store(a + k, u);
        }
        add_products(sum, r, i, n, beta < 1 ? q : p, x);
        if (jsd) add_products(mix, r, i, n, p, a);
    }
    out[1] = tree16(mix);
    out[0] = jsd ? beta * tree16(sum) - (1 - beta) * out[1] : tree16(sum);
}

void REIN_ISA(rein_divergence)(rein_device *dev, float *out, const rein_teaching *t, const float *logits,
                               const float *stat, const rein_read *reads, int64_t n_reads, int64_t V) {
    int parts = parts_of(dev, 60, reads, n_reads, V);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t i = 0; i < n_reads; i++)
        divergence_of(out + 2 * i, &reads[i], t->beta, logits + reads[i].row * V, stat + 2 * i,
                      t->logits + reads[i].row * V, t->stat + 2 * i, V);
}

/* ---- gradients ---- */

/* y of ops.h for log-probs a and b, p = exp(a). */
REIN_INLINE vec divergence_gradient(vec a, vec b, vec p, float beta, const float is[2]) {
    if (beta == 0) return v_sub(p, v_exp(b));
    if (beta == 1) return v_mul(p, v_sub(v_sub(a, b), v_set(is[0])));
    vec u = mixture(clamped(v_sub(b, a)), beta);
    return v_mul(p, v_mul(v_set(1 - beta), v_sub(v_set(is[1]), u)));
}

/* x / temperature of read i for log-probs a and b. */
REIN_INLINE vec gradient(const rein_distribution_gradient *g, int64_t i, vec a, vec b, float share, float temperature) {
    vec p = v_exp(a), x = v_zero();
    if (g->entropy) x = v_fma(v_set(-g->entropy[i]), v_mul(p, v_add(a, v_set(g->entropy_is[i]))), x);
    if (g->mean_logp) x = v_fma(v_set(g->mean_logp[i]), v_sub(v_set(share), p), x);
    if (g->divergence)
        x = v_fma(v_set(g->divergence[i]), divergence_gradient(a, b, p, g->teaching.beta, g->divergence_is + 2 * i), x);
    return over(x, temperature);
}

/* d += the gradients of read i; d, logits and the teacher's are of its row. */
static void add_gradient(float *d, const rein_distribution_gradient *g, int64_t i, const rein_read *r, const float *row,
                         const float stat[2], int64_t V) {
    const rein_teaching *t = &g->teaching;
    float a[REIN_ID_BLOCK] = {0}, b[REIN_ID_BLOCK] = {0}, share = 1 / (float)id_count(r, V);
    for (int64_t at = 0; at < id_count(r, V); at += REIN_ID_BLOCK) {
        int64_t n = min_i64(REIN_ID_BLOCK, id_count(r, V) - at);
        logits_of(a, r, row, at, n);
        to_logp(a, stat, n);
        if (g->divergence) {
            logits_of(b, r, t->logits + r->row * V, at, n);
            to_logp(b, t->stat + 2 * i, n);
        }
        for (int64_t k = 0; k < n; k += REIN_W)
            v_store(a + k, gradient(g, i, v_load(a + k), v_load(b + k), share, r->temperature));
        for (int64_t k = 0; k < n; k++) d[r->n_kept ? r->kept[at + k] : at + k] += a[k];
    }
}

void REIN_ISA(rein_distribution_bwd)(rein_device *dev, float *dlogits, const rein_distribution_gradient *g,
                                     const float *stat, const float *logits, const rein_read *reads, int64_t n_reads,
                                     int64_t rows, int64_t V) {
    int parts = parts_of(dev, 60, reads, n_reads, V);
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int64_t t = 0; t < rows; t++)
        for (int64_t i = first_read(reads, n_reads, t); i < n_reads && reads[i].row == t; i++)
            add_gradient(dlogits + t * V, g, i, &reads[i], logits + t * V, stat + 2 * i, V);
}
