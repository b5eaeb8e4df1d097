/*
 * Numbers per token of a batch: what rewards become before advantage estimation, and masked whitening.
 *
 * A batch is ragged: sequence i has the tokens [offset[i], offset[i+1]) of flat arrays, and only those whose mask is 1
 * count: tokens that the policy chose. Prompts, tool replies and padding are 0; they are neither read nor part of any
 * sum, so that the numbers depend on the counting tokens and their order alone, never on what lies between them.
 */
#ifndef REIN_RL_TOKENS_H
#define REIN_RL_TOKENS_H

#include "base/base.h"

typedef struct rein_token_rows {
    int64_t B;
    const int64_t *offset; /* (B+1) ascending */
    const uint8_t *mask;   /* 1: the token counts */
} rein_token_rows;

/** Counting tokens of sequence i. */
int64_t rein_tokens_count(const rein_token_rows *rows, int64_t i);
/** Sum of x (flat) over the counting tokens of sequence i, in their order. */
double rein_tokens_sum(const rein_token_rows *rows, int64_t i, const double *x);

/**
 * Rewards per token: the sequence's score on its last counting token, but what was earned earlier, and KL in the reward.
 *
 *   r[t] = early[t] + (score_i - sum_i early) [t is the last counting token of i] - kl_coef kl[t]
 *
 * @param[out] reward   flat; 0 where masked. May alias kl.
 * @param      score    (B); a sequence without counting tokens leaves no trace.
 * @param      early    flat: parts of the score that stand at counting tokens of their own (turns); NULL: none.
 * @param      kl       flat estimates of the KL to the reference policy, nats (rl/kl.h); NULL: none.
 * @return REIN_ERR_NUMERIC if a score, an early part or a counting KL is not finite (sequence and token are named).
 * @see    Ouyang et al. 2022 (InstructGPT), arXiv:2203.02155, section 3.5.
 */
REIN_NODISCARD rein_status rein_tokens_reward(double *reward, const rein_token_rows *rows, const double *score,
                                              const double *early, const double *kl, double kl_coef);

/** Every counting token of sequence i gets value[i], the others 0. */
void rein_tokens_spread(double *out, const rein_token_rows *rows, const double *value);

/**
 * Standardise the counting tokens of the whole batch in place: (x - mean) / sqrt(var + 1e-8), unbiased variance, 0 with
 * fewer than two tokens; without `shift_mean` the mean is added again. Masked tokens become 0.
 *
 * @note Equal values give exact zeros (or, without shift, their value). The batch must be all of the logical batch.
 */
void rein_tokens_whiten(double *x, const rein_token_rows *rows, bool shift_mean);

#endif
