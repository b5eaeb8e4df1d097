/* Reference log-softmax and gather: log-probs of chosen tokens, over the vocabulary or a kept set, and the gradient. */
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

void rein_ref_softmax_terms(real *e, const real *row, real temperature, int64_t V) {
    rein_read whole = {.temperature = temperature};
    real m = read_max(&whole, row, V);
    for (int64_t v = 0; v < V; v++) e[v] = real_exp(row[v] / temperature - m);
}
