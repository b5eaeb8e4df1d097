/* Supervised losses over log-probs: negative log-likelihood, and DFT, which weights each token by its probability. */
#ifndef REIN_RL_SFT_H
#define REIN_RL_SFT_H

#include "rl/loss.h"

/** `loss_type` of SFT, in the order of REIN_SFT_LOSS_CHOICES. */
typedef enum rein_sft_loss_type { REIN_SFT_NLL, REIN_SFT_DFT } rein_sft_loss_type;
#define REIN_SFT_LOSS_CHOICES "nll|dft"

/**
 * Loss and gradient of some sequences: -sum m logp / num_items, with the weight exp(logp) held constant for dft
 * (Wu et al. 2025, arXiv:2508.05629).
 *
 * @param[out] loss       (B) share of each sequence; reduce with rein_pairwise_sum.
 * @param[out] dlogp      (offset[B] - offset[0]) derivative with respect to logp, 0 where masked.
 * @param      batch      offset, logp, mask and B are read.
 * @param      num_items  tokens that count in the whole accumulated batch, >= 1.
 * @return REIN_ERR_ARG if num_items < 1; REIN_ERR_NUMERIC if a log-prob that counts is not finite.
 */
REIN_NODISCARD rein_status rein_sft_loss(double *loss, float *dlogp, const rein_loss_batch *batch,
                                         rein_sft_loss_type type, int64_t num_items);

#endif
