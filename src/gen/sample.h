/*
 * Choosing one token from a row of logits: temperature, then top-k, top-p, min-p, in transformers' order.
 *
 * The uniform number comes from outside (counter-based), so a choice is a pure function of (row, options, u).
 */
#ifndef REIN_GEN_SAMPLE_H
#define REIN_GEN_SAMPLE_H

#include "base/base.h"
#include "tensor/ops.h"

typedef struct rein_sampling {
    double temperature; /* >= 0; 0 is greedy */
    int64_t top_k;      /* 0: off */
    double top_p;       /* (0, 1]; 1: off */
    double min_p;       /* [0, 1]; 0: off */
} rein_sampling;

/** True if the options cut the vocabulary, so that a kept set exists. */
bool rein_sampling_truncates(const rein_sampling *s);

/** Scratch of one row: probabilities, and the order of candidates where the options truncate. */
typedef struct rein_candidate {
    float e; /* exp(z - max), which has the order of the logits */
    float logit;
    int32_t id;
} rein_candidate;

/**
 * Choose a token.
 *
 * @param logits   (V), finite.
 * @param u        uniform in [0, 1); not used when greedy.
 * @param terms    (V) scratch.
 * @param order    (V) scratch; may be NULL if the options do not truncate.
 * @param kept     (V) receives the kept ids in ascending order when the options truncate.
 * @param n_kept   0 when they do not (or when greedy).
 * @return the id. Greedy: the largest logit, the lowest id among equals.
 * @note  Sums of probabilities are f64, over ids ascending for the draw and over candidates from the largest down for
 *        top-p (ties by id). top-p keeps the smallest set whose probability reaches p; at least one token is kept.
 */
int32_t rein_sample(const rein_ops *ops, const float *logits, int64_t V, const rein_sampling *s, double u, float *terms,
                    rein_candidate *order, int32_t *kept, int64_t *n_kept);

#endif
