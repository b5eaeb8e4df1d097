/* Temperature, truncation and the draw of one token; see sample.h. */
#include "gen/sample.h"

#include <math.h>
#include <string.h>

#include "base/math64.h"

/* ---- scratch ---- */

rein_status rein_sampler_init(rein_sampler *w, const rein_ops *ops, int64_t V) {
    rein_status status;
    *w = (rein_sampler){.ops = ops};
    REIN_TRY_OUT(status, rein_alloc(&w->x, V, sizeof *w->x), fail);
    REIN_TRY_OUT(status, rein_alloc(&w->e, V, sizeof *w->e), fail);
    REIN_TRY_OUT(status, rein_alloc(&w->key, V, sizeof *w->key), fail);
    REIN_TRY_OUT(status, rein_alloc(&w->id, V, sizeof *w->id), fail);
    REIN_TRY_OUT(status, rein_alloc(&w->order, V, sizeof *w->order), fail);
    return REIN_OK;
fail:
    rein_sampler_deinit(w);
    return status;
}

void rein_sampler_deinit(rein_sampler *w) {
    rein_free(w->x);
    rein_free(w->e);
    rein_free(w->key);
    rein_free(w->id);
    rein_free(w->order);
    *w = (rein_sampler){0};
}

/* ---- the cuts: each removes candidates and keeps the rest in order of id ---- */

/* Keep the candidates that come before `last` in the order of x, and itself. */
static void keep_until(rein_sampler *w, const float *x, rein_ranked last) {
    int64_t n = 0;
    for (int64_t i = 0; i < w->n; i++) {
        if (x[i] < last.x || (x[i] == last.x && i > last.i)) continue;
        w->x[n] = w->x[i]; /* x may be w->x: what is overwritten has been looked at */
        w->e[n] = w->e[i];
        w->id[n++] = w->id[i];
    }
    w->n = n;
}

static double total(const rein_sampler *w) {
    double sum = 0;
    for (int64_t i = 0; i < w->n; i++) sum += (double)w->e[i];
    return sum;
}

static float largest(const float *x, int64_t n) {
    float m = x[0];
    for (int64_t i = 1; i < n; i++)
        if (x[i] > m) m = x[i];
    return m;
}

static void cut_top_k(rein_sampler *w, const rein_sampling *s) {
    if (s->top_k <= 0 || w->n <= s->top_k) return;
    rein_rank_begin(&w->rank, w->x, w->n, w->order);
    rein_ranked last = rein_rank_at(&w->rank, s->top_k - 1);
    last.i = INT32_MAX; /* equal logits at the border all stay, as a threshold on the logit keeps them */
    keep_until(w, w->x, last);
}

static void cut_top_p(rein_sampler *w, const rein_sampling *s) {
    if (s->top_p >= 1) return;
    double wanted = s->top_p * total(w), sum = 0;
    rein_ranked last = {0};
    rein_rank_begin(&w->rank, w->x, w->n, w->order);
    for (int64_t k = 0; k < w->n && (k == 0 || sum < wanted); k++) {
        last = rein_rank_at(&w->rank, k);
        sum += (double)w->e[last.i];
    }
    keep_until(w, w->x, last);
}

/* Keep what has at least this term, and the largest logit always. */
static void keep_terms(rein_sampler *w, double least) {
    float top = largest(w->x, w->n);
    int64_t n = 0;
    for (int64_t i = 0; i < w->n; i++) {
        if ((double)w->e[i] < least && w->x[i] < top) continue;
        w->x[n] = w->x[i];
        w->e[n] = w->e[i];
        w->id[n++] = w->id[i];
    }
    w->n = n;
}

static void cut_min_p(rein_sampler *w, const rein_sampling *s) {
    if (s->min_p > 0) keep_terms(w, s->min_p * (double)largest(w->e, w->n));
}

/* log p of candidate i, where log_sum is the logarithm of all terms' sum. Terms that underflow have log-probs too. */
static double log_prob(const rein_sampler *w, const rein_sampling *s, int64_t i, double top, double log_sum) {
    return ((double)w->x[i] - top) / s->temperature - log_sum;
}

/* The entropy of the candidates' distribution in nats; *log_sum is with respect to the largest logit, *top. */
static double entropy(const rein_sampler *w, const rein_sampling *s, double *top, double *log_sum) {
    double sum = 0, h = 0;
    *top = (double)largest(w->x, w->n);
    for (int64_t i = 0; i < w->n; i++) sum += rein_exp64(log_prob(w, s, i, *top, 0));
    *log_sum = rein_log64(sum);
    for (int64_t i = 0; i < w->n; i++) {
        double l = log_prob(w, s, i, *top, *log_sum);
        h -= rein_exp64(l) * l;
    }
    return h;
}

/* The smallest set, by distance of the information from the entropy, whose probability reaches typical_p. */
static void cut_typical(rein_sampler *w, const rein_sampling *s) {
    if (s->typical_p <= 0 || s->typical_p >= 1) return;
    double top, log_sum, h = entropy(w, s, &top, &log_sum), wanted = s->typical_p * total(w), sum = 0;
    rein_ranked last = {0};
    for (int64_t i = 0; i < w->n; i++) w->key[i] = -(float)fabs(log_prob(w, s, i, top, log_sum) + h);
    rein_rank_begin(&w->rank, w->key, w->n, w->order);
    for (int64_t k = 0; k < w->n && (k == 0 || sum < wanted); k++) {
        last = rein_rank_at(&w->rank, k);
        sum += (double)w->e[last.i];
    }
    last.i = INT32_MAX;
    keep_until(w, w->key, last);
}

static void cut_epsilon(rein_sampler *w, const rein_sampling *s) {
    if (s->epsilon_cutoff > 0) keep_terms(w, s->epsilon_cutoff * total(w));
}

static void cut_eta(rein_sampler *w, const rein_sampling *s) {
    if (s->eta_cutoff <= 0) return;
    double top, log_sum, h = entropy(w, s, &top, &log_sum), eta = sqrt(s->eta_cutoff) * rein_exp64(-h);
    keep_terms(w, (eta < s->eta_cutoff ? eta : s->eta_cutoff) * total(w));
}

static void (*const cuts[])(rein_sampler *, const rein_sampling *) = {cut_top_k,   cut_top_p,   cut_min_p,
                                                                      cut_typical, cut_epsilon, cut_eta};

bool rein_sampling_truncates(const rein_sampling *s) {
    return s->temperature > 0 && (s->top_k > 0 || s->top_p < 1 || s->min_p > 0 || s->epsilon_cutoff > 0 ||
                                  s->eta_cutoff > 0 || (s->typical_p > 0 && s->typical_p < 1));
}

/* ---- the choice ---- */

static int64_t greedy(const float *x, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

/* The first of n terms whose cumulated sum passes u of the whole. */
static int64_t draw(const float *e, int64_t n, double u) {
    double all = 0, sum = 0;
    int64_t last = 0;
    for (int64_t i = 0; i < n; i++) all += (double)e[i];
    for (int64_t i = 0; i < n; i++) {
        if (e[i] > 0) last = i; /* rounding at u near 1 never picks what has no probability */
        sum += (double)e[i];
        if (u * all < sum) return i;
    }
    return last;
}

static void gather(rein_sampler *w, const rein_choice_row *row) {
    const rein_kept *a = &row->allowed;
    w->n = a->n ? a->n : row->V;
    for (int64_t i = 0; i < w->n; i++) {
        w->id[i] = a->n ? a->ids[i] : (int32_t)i;
        w->x[i] = row->logits[w->id[i]];
    }
}

int32_t rein_sample(rein_sampler *w, const rein_choice_row *row, const rein_sampling *s, double u, int32_t *kept,
                    int64_t *n_kept) {
    bool whole = row->allowed.n == 0 && !rein_sampling_truncates(s);
    *n_kept = 0;
    if (whole && s->temperature <= 0) return (int32_t)greedy(row->logits, row->V);
    if (whole) {
        w->ops->softmax_terms(w->e, row->logits, (float)s->temperature, row->V);
        return (int32_t)draw(w->e, row->V, u);
    }
    gather(w, row);
    int64_t choice;
    if (s->temperature > 0) {
        w->ops->softmax_terms(w->e, w->x, (float)s->temperature, w->n);
        for (size_t k = 0; k < REIN_COUNT(cuts); k++) cuts[k](w, s);
        choice = draw(w->e, w->n, u);
    } else {
        choice = greedy(w->x, w->n);
    }
    *n_kept = w->n;
    memcpy(kept, w->id, (size_t)w->n * sizeof *kept);
    return w->id[choice];
}
