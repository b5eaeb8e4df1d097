/* Temperature, truncation and the draw of one token; see sample.h. */
#include "gen/sample.h"

#include <stdlib.h>

bool rein_sampling_truncates(const rein_sampling *s) {
    return s->temperature > 0 && (s->top_k > 0 || s->top_p < 1 || s->min_p > 0);
}

static int32_t greedy(const float *logits, int64_t V) {
    int64_t best = 0;
    for (int64_t v = 1; v < V; v++)
        if (logits[v] > logits[best]) best = v;
    return (int32_t)best;
}

static int by_size(const void *pa, const void *pb) {
    const rein_candidate *a = pa, *b = pb;
    if (a->logit != b->logit) return a->logit > b->logit ? -1 : 1;
    return a->id < b->id ? -1 : 1;
}

static int by_id(const void *pa, const void *pb) {
    const rein_candidate *a = pa, *b = pb;
    return a->id < b->id ? -1 : 1;
}

/* How many of the n candidates, sorted from the largest down, stay. Each filter sees what the one before left. */
static int64_t cut(const rein_candidate *c, int64_t n, const rein_sampling *s) {
    if (s->top_k > 0 && n > s->top_k) {
        /* equal logits at the border all stay, as a threshold on the logit keeps them */
        int64_t k = s->top_k;
        while (k < n && c[k].logit == c[s->top_k - 1].logit) k++;
        n = k;
    }
    if (s->top_p < 1) {
        double total = 0, sum = 0;
        int64_t k = 0;
        for (int64_t i = 0; i < n; i++) total += (double)c[i].e;
        while (k < n && (k == 0 || sum < s->top_p * total)) sum += (double)c[k++].e;
        n = k;
    }
    if (s->min_p > 0) {
        int64_t k = 1;
        while (k < n && (double)c[k].e >= s->min_p * (double)c[0].e) k++;
        n = k;
    }
    return n;
}

/* The first of n terms whose cumulated sum passes u of the whole; their ids are ids[i], or i itself. */
static int32_t draw(const float *e, const int32_t *ids, int64_t n, double u) {
    double total = 0, sum = 0;
    int64_t last = 0;
    for (int64_t i = 0; i < n; i++) total += (double)e[i];
    for (int64_t i = 0; i < n; i++) {
        if (e[i] > 0) last = i; /* rounding at u near 1 never picks what has no probability */
        sum += (double)e[i];
        if (u * total < sum) {
            last = i;
            break;
        }
    }
    return ids ? ids[last] : (int32_t)last;
}

int32_t rein_sample(const rein_ops *ops, const float *logits, int64_t V, const rein_sampling *s, double u, float *e,
                    rein_candidate *c, int32_t *kept, int64_t *n_kept) {
    *n_kept = 0;
    if (s->temperature <= 0) return greedy(logits, V);
    ops->softmax_terms(e, logits, (float)s->temperature, V);
    if (!rein_sampling_truncates(s)) return draw(e, NULL, V, u);
    for (int64_t v = 0; v < V; v++) c[v] = (rein_candidate){.e = e[v], .logit = logits[v], .id = (int32_t)v};
    qsort(c, (size_t)V, sizeof *c, by_size);
    int64_t n = cut(c, V, s);
    qsort(c, (size_t)n, sizeof *c, by_id);
    for (int64_t i = 0; i < n; i++) {
        kept[i] = c[i].id;
        e[i] = c[i].e;
    }
    *n_kept = n;
    return draw(e, kept, n, u);
}
