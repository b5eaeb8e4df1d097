/*
 * Generalised advantage estimation over ragged sequences with tokens that do not count.
 */
#ifndef REIN_RL_GAE_H
#define REIN_RL_GAE_H

#include "rl/tokens.h"

typedef struct rein_gae_args {
    rein_token_rows rows;
    const double *reward; /* flat, per token (rein_tokens_reward) */
    const double *value;  /* flat, as when the tokens were sampled; NULL: all 0 (returns of REINFORCE++) */
    const double
        *bootstrap;       /* (B) value after the last token of a truncated sequence, 0 of a terminated one; NULL: 0 */
    const int32_t *turn;  /* flat number of each token's turn; NULL: a step is a token */
    double gamma, lambda; /* both in [0, 1] */
} rein_gae_args;

/**
 * GAE(gamma, lambda), backwards over the counting tokens of each sequence:
 *
 *   delta = r[t] + gamma V[next] - V[t];   A[t] = delta + gamma lambda A[next];   return[t] = A[t] + V[t]
 *
 * `next` is the next counting token (a tool reply in between carries value and accumulator over, undiscounted); after
 * the last one A is 0 and V the bootstrap value. With turns a step is a run of counting tokens of one turn: its reward
 * is their sum, its value that of its first token, and all its tokens share its advantage and return.
 *
 * @param[out] adv  flat; 0 where masked. May alias reward.
 * @param[out] ret  flat returns, the targets of the value function; 0 where masked; may alias value; may be NULL.
 * @return REIN_ERR_USAGE if gamma or lambda is outside [0, 1]; REIN_ERR_NUMERIC if a counting reward or value or a
 *         bootstrap value is not finite (sequence and token are named).
 * @note   Does not allocate. Sequences are independent: any split of a batch gives the same bits.
 * @see    Schulman et al. 2016, arXiv:1506.02438.
 */
REIN_NODISCARD rein_status rein_gae(double *adv, double *ret, const rein_gae_args *args);

#endif
