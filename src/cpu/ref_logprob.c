/* Reference log-softmax and gather: log-probs of chosen tokens, over the vocabulary or a kept set, what else is read off
 * their distributions, and the gradients. */
#include <stdbool.h>
#include <string.h>

#include "cpu/ref.h"

static int64_t read_count(const rein_read *r, int64_t V) { return r->n_kept ? r->n_kept : V; }

static int64_t read_id(const rein_read *r, int64_t i) { return r->n_kept ? r->kept[i] : i; }

/* The maximum is +0 when it is a zero of either sign, so that it does not depend on which of them was met first. */
static real read_max(const rein_read *r, const real *row, int64_t V) {
    real m = -(real)INFINITY;
    for (int64_t i = 0; i < read_count(r, V); i++) {
        real z = row[read_id(r, i)] / r->temperature;
        if (z > m) m = z;
    }
    return m + 0;
}

void rein_ref_logprob(rein_device *dev, real *logp, real *stat, real *entropy, const real *logits,
                      const rein_read *reads, int64_t n_reads, int64_t V) {
    (void)dev;
    for (int64_t i = 0; i < n_reads; i++) {
        const rein_read *r = &reads[i];
        const real *row = logits + r->row * V;
        real m = read_max(r, row, V);
        real sum[REIN_LANES] = {0}, dot[REIN_LANES] = {0};
        for (int64_t j = 0; j < read_count(r, V); j++) {
            int64_t v = read_id(r, j);
            real z = row[v] / r->temperature - m;
            real e = real_exp(z);
            sum[v % REIN_LANES] += e;
            dot[v % REIN_LANES] = real_fma(e, z, dot[v % REIN_LANES]);
        }
        real s = real_tree16(sum);
        real l = real_log(s);
        logp[i] = (row[r->target] / r->temperature - m) - l;
        stat[2 * i] = m;
        stat[2 * i + 1] = l;
        if (entropy) entropy[i] = l - real_tree16(dot) / s;
    }
}

void rein_ref_logprob_bwd(rein_device *dev, real *dlogits, const real *dlogp, const real *stat, const real *logits,
                          const rein_read *reads, int64_t n_reads, int64_t rows, int64_t V) {
    (void)dev;
    memset(dlogits, 0, (size_t)(rows * V) * sizeof(real));
    for (int64_t i = 0; i < n_reads; i++) {
        const rein_read *r = &reads[i];
        const real *row = logits + r->row * V;
        real m = stat[2 * i], l = stat[2 * i + 1];
        for (int64_t j = 0; j < read_count(r, V); j++) {
            int64_t v = read_id(r, j);
            real p = real_exp((row[v] / r->temperature - m) - l);
            real hit = v == r->target ? 1 : 0;
            dlogits[r->row * V + v] += (dlogp[i] * (hit - p)) / r->temperature;
        }
    }
}

void rein_ref_logprob_best(rein_device *dev, int32_t *best, const real *logits, const rein_read *reads, int64_t n_reads,
                           int64_t V) {
    (void)dev;
    for (int64_t i = 0; i < n_reads; i++) {
        const rein_read *r = &reads[i];
        const real *row = logits + r->row * V;
        rein_read plain = *r;
        plain.temperature = 1;
        real m = read_max(&plain, row, V);
        int64_t at = 0;
        while (at < read_count(r, V) && row[read_id(r, at)] != m) at++;
        best[i] = (int32_t)read_id(r, at < read_count(r, V) ? at : 0); /* no largest one among NaNs */
    }
}

void rein_ref_logprob_mean(rein_device *dev, real *mean, const real *stat, const real *logits, const rein_read *reads,
                           int64_t n_reads, int64_t V) {
    (void)dev;
    for (int64_t i = 0; i < n_reads; i++) {
        const rein_read *r = &reads[i];
        real sum[REIN_LANES] = {0};
        for (int64_t j = 0; j < read_count(r, V); j++) {
            int64_t v = read_id(r, j);
            sum[v % REIN_LANES] += logits[r->row * V + v] / r->temperature - stat[2 * i];
        }
        mean[i] = real_tree16(sum) / (real)read_count(r, V) - stat[2 * i + 1];
    }
}

/* ---- divergences ---- */

/* log p of id v of read i, of the logits and their stat */
static real log_p(const rein_read *r, int64_t i, const real *logits, const real *stat, int64_t v, int64_t V) {
    return (logits[r->row * V + v] / r->temperature - stat[2 * i]) - stat[2 * i + 1];
}

static real clamped(real d) { return d < -80 ? -80 : d > 80 ? 80 : d; }

/* The log of the mixture over p, d the log of q over p. */
static real mixture(real d, real beta) { return real_log(real_fma(beta, real_exp(d), 1 - beta)); }

void rein_ref_divergence(rein_device *dev, real *out, const rein_teaching *t, const real *logits, const real *stat,
                         const rein_read *reads, int64_t n_reads, int64_t V) {
    (void)dev;
    for (int64_t i = 0; i < n_reads; i++) {
        const rein_read *r = &reads[i];
        real sum[REIN_LANES] = {0}, mix[REIN_LANES] = {0};
        bool jsd = t->beta > 0 && t->beta < 1;
        for (int64_t j = 0; j < read_count(r, V); j++) {
            int64_t v = read_id(r, j), lane = v % REIN_LANES;
            real a = log_p(r, i, logits, stat, v, V), b = log_p(r, i, t->logits, t->stat, v, V);
            real d = jsd ? clamped(b - a) : b - a, u = jsd ? mixture(d, t->beta) : 0;
            if (t->beta < 1)
                sum[lane] = real_fma(real_exp(b), d - u, sum[lane]);
            else
                sum[lane] = real_fma(real_exp(a), -d, sum[lane]);
            if (jsd) mix[lane] = real_fma(real_exp(a), u, mix[lane]);
        }
        real D = real_tree16(sum), U = real_tree16(mix);
        out[2 * i] = jsd ? t->beta * D - (1 - t->beta) * U : D;
        out[2 * i + 1] = U;
    }
}

/* Gradient of read i's divergence with respect to its logit of id v over the temperature. */
static real divergence_gradient(const rein_distribution_gradient *g, const rein_read *r, int64_t i, real a, int64_t v,
                                int64_t V) {
    const rein_teaching *t = &g->teaching;
    real b = log_p(r, i, t->logits, t->stat, v, V), p = real_exp(a), D = g->divergence_is[2 * i];
    if (t->beta == 0) return p - real_exp(b);
    if (t->beta == 1) return p * ((a - b) - D);
    return p * ((1 - t->beta) * (g->divergence_is[2 * i + 1] - mixture(clamped(b - a), t->beta)));
}

void rein_ref_distribution_bwd(rein_device *dev, real *dlogits, const rein_distribution_gradient *g, const real *stat,
                               const real *logits, const rein_read *reads, int64_t n_reads, int64_t rows, int64_t V) {
    (void)dev;
    (void)rows;
    for (int64_t i = 0; i < n_reads; i++) {
        const rein_read *r = &reads[i];
        for (int64_t j = 0; j < read_count(r, V); j++) {
            int64_t v = read_id(r, j);
            real a = log_p(r, i, logits, stat, v, V), p = real_exp(a), x = 0;
            if (g->entropy) x = real_fma(-g->entropy[i], p * (a + g->entropy_is[i]), x);
            if (g->mean_logp) x = real_fma(g->mean_logp[i], 1 / (real)read_count(r, V) - p, x);
            if (g->divergence) x = real_fma(g->divergence[i], divergence_gradient(g, r, i, a, v, V), x);
            dlogits[r->row * V + v] += x / r->temperature;
        }
    }
}

void rein_ref_softmax_terms(real *e, const real *row, real temperature, int64_t V) {
    rein_read whole = {.temperature = temperature};
    real m = read_max(&whole, row, V);
    for (int64_t v = 0; v < V; v++) e[v] = real_exp(row[v] / temperature - m);
}
