/*
 * The value function: its loss, how much it explains, and running statistics that normalise its targets.
 *
 * As with the policy loss, sequences are independent: a call fills one row per sequence and the gradient of its tokens;
 * what couples them is the weight of a token, made before from the logical batch, and the sums over rows afterwards.
 */
#ifndef REIN_RL_VALUE_H
#define REIN_RL_VALUE_H

#include "rl/tokens.h"

typedef struct rein_value_batch {
    rein_token_rows rows;
    const double *value;     /* flat, of the function that is trained */
    const double *old_value; /* flat, as when the tokens were sampled; read only with a clip range */
    const double *ret;       /* flat, the targets (rein_gae) */
    const double *weight;    /* (B) of a token of each sequence: 1 / tokens of the batch for their mean */
} rein_value_batch;

/** What one sequence adds. Rows of a batch are kept in order of id. */
typedef struct rein_value_row {
    double loss;             /* weights applied */
    int64_t tokens, clipped; /* that count; whose clipped error was the larger one */
    int64_t nonfinite;       /* tokens without a finite gradient: the update must not be applied */
} rein_value_row;

/**
 * Squared error, with clipping as in PPO:
 *
 *   l[t] = 1/2 max((v - R)^2, (clip(v, old - c, old + c) - R)^2);   loss = sum_i weight_i sum_t l[t]
 *
 * @param[out] row     (B).
 * @param[out] dvalue  flat: derivative of the loss with respect to value; 0 where masked or where the clipped error is
 *                     the larger one.
 * @param      cliprange_value  c, in units of the value; 0: no clipping.
 * @note Does not allocate; any split over calls gives the same bits.
 * @see  Schulman et al. 2017 (PPO), arXiv:1707.06347, whose code clips the value; TRL's and verl's PPO.
 */
void rein_value_loss(rein_value_row *row, double *dvalue, const rein_value_batch *batch, double cliprange_value);

/** Metrics over rows of any number of calls. */
typedef struct rein_value_metrics {
    double loss, clip_fraction; /* clip_fraction of the counting tokens; 0 if there is none */
    int64_t tokens, nonfinite;
} rein_value_metrics;

/** Reduce rows (n, in order of id) by the canonical pairwise tree. */
void rein_value_finish(rein_value_metrics *out, const rein_value_row *row, int64_t n);

/** 1 - Var(R - V) / Var(R) over the counting tokens: 1 perfect, 0 no better than a constant, no lower bound; NaN where
 *  the returns have no spread. */
double rein_value_explained(const rein_token_rows *rows, const double *value, const double *ret);

/* ---- normalised returns ---- */

/** Running mean and variance of returns; part of a checkpoint; starts zeroed. */
typedef struct rein_value_scale {
    double n, mean, m2; /* returns so far, their mean, the sum of their squared deviations */
} rein_value_scale;

/** Take in the counting returns of a batch (Chan, Golub, LeVeque 1979: exact for any number of batches). */
void rein_value_scale_add(rein_value_scale *s, const rein_token_rows *rows, const double *ret);
/** (x - mean) / deviation, ddof 0, with variances below 1e-8 taken as 1; x itself before the first return. */
double rein_value_normalize(const rein_value_scale *s, double x);
/** The inverse. */
double rein_value_denormalize(const rein_value_scale *s, double x);

#endif
