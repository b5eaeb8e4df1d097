/*
 * Choosing one token from a row of logits: temperature, then top-k, top-p, min-p, typical-p, epsilon and eta cut-offs, in
 * transformers' order; each sees what the one before left.
 *
 * The uniform number comes from outside (counter-based), so a choice is a pure function of (row, options, u).
 */
#ifndef REIN_GEN_SAMPLE_H
#define REIN_GEN_SAMPLE_H

#include "base/base.h"
#include "gen/rank.h"
#include "model/leaf.h"

typedef struct rein_sampling {
    double temperature;    /* >= 0; 0 is greedy: nothing below counts */
    int64_t top_k;         /* 0: off */
    double top_p;          /* (0, 1]; 1: off */
    double min_p;          /* [0, 1]; 0: off */
    double typical_p;      /* (0, 1]; 0 or 1: off (Meister et al. 2023, arXiv:2202.00666) */
    double epsilon_cutoff; /* [0, 1); 0: off (Hewitt et al. 2022, arXiv:2210.15191, as is eta) */
    double eta_cutoff;     /* [0, 1); 0: off */
} rein_sampling;

/** True if the options cut the vocabulary, so that a kept set exists. */
bool rein_sampling_truncates(const rein_sampling *s);

/** What a token may be chosen from. */
typedef struct rein_choice_row {
    const float *logits; /* (V), finite where allowed */
    int64_t V;
    rein_kept allowed;   /* the only ids that count; n 0: all */
} rein_choice_row;

/** Scratch of one thread. */
typedef struct rein_sampler {
    const rein_ops *ops;
    float *x, *e, *key; /* (V) logits of the candidates, exp(z - max), ranks of typical-p */
    int32_t *id;        /* (V) ascending */
    int64_t n;
    rein_ranked *order; /* (V) */
    rein_rank rank;
} rein_sampler;

REIN_NODISCARD rein_status rein_sampler_init(rein_sampler *w, const rein_ops *ops, int64_t V);
void rein_sampler_deinit(rein_sampler *w);

/**
 * Choose a token.
 *
 * @param u        uniform in [0, 1); not used when greedy.
 * @param kept     (V) receives the ids drawn from, ascending, if the row or the options leave some out; may be NULL if
 *                 they cannot.
 * @param n_kept   0: the whole vocabulary.
 * @return the id. Greedy: the largest allowed logit, the lowest id among equals.
 * @note  Sums of probabilities are f64: over ids ascending for the draw and for totals, from the largest down for
 *        top-p (ties by id), which keeps the smallest set whose probability reaches p. top-k keeps all equals of its
 *        last one. At least one token is kept.
 */
int32_t rein_sample(rein_sampler *w, const rein_choice_row *row, const rein_sampling *s, double u, int32_t *kept,
                    int64_t *n_kept);

#endif
