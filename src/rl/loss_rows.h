/* The options of the policy losses as a table: their names, defaults and help. */
#ifndef REIN_RL_LOSS_ROWS_H
#define REIN_RL_LOSS_ROWS_H

#include "base/option.h"
#include "rl/loss.h"

/**
 * The rows that the cases of `rein loss` and the training commands have in common: AT(member) is the offset of a member
 * of rein_loss_options, ROW(...) makes an element of the table of a rein_option.
 */
/* clang-format off */
#define REIN_LOSS_SHARED_ROWS(AT, ROW) \
    ROW("importance_sampling_level", REIN_OPT_CHOICE, AT(importance_sampling_level), "auto", 0, 0, REIN_LEVEL_CHOICES, \
     "level of the policy ratio; auto: the loss type's own, or token", NULL), \
    ROW("loss_agg_mode", REIN_OPT_CHOICE, AT(loss_agg_mode), "auto", 0, 0, REIN_LOSS_AGG_CHOICES, \
     "divisor of the loss, for loss types that do not name it; auto: the loss type's own", NULL), \
    ROW("loss_scale_factor", REIN_OPT_FLOAT, AT(loss_scale_factor), "0", 0, 1e9, NULL, \
     "length that seq-mean-token-sum-norm divides by; 0: max_completion_length", NULL), \
    ROW("use_bias_correction_kl", REIN_OPT_BOOL, AT(use_bias_correction_kl), "true", 0, 0, NULL, \
     "multiply the KL term by the policy ratio", NULL), \
    ROW("epsilon_high", REIN_OPT_FLOAT, AT(epsilon_high), "-1", -1, 100, NULL, \
     "clip range above 1; -1: as epsilon; cispo: cap of the ratio", NULL), \
    ROW("delta", REIN_OPT_FLOAT, AT(delta), "0", 0, 1e9, NULL, \
     "two-sided clipping bound of the ratio; 0: none", NULL), \
    ROW("clip_ratio_c", REIN_OPT_FLOAT, AT(clip_ratio_c), "3", 1, 1e9, NULL, \
     "vanilla: bound of the loss where the advantage is negative; dppo: cap of the ratio", NULL), \
    ROW("off_policy_mask_threshold", REIN_OPT_FLOAT, AT(off_policy_mask_threshold), "0", 0, 1e6, NULL, \
     "leave out sequences with negative advantages this far from the sampler, nats a token; 0: none", NULL), \
    ROW("top_entropy_quantile", REIN_OPT_FLOAT, AT(top_entropy_quantile), "1", 0, 1, NULL, \
     "share of the tokens, those of highest entropy, that is trained on", NULL), \
    ROW("use_adaptive_entropy", REIN_OPT_BOOL, AT(use_adaptive_entropy), "false", 0, 0, NULL, \
     "let entropy_coef follow entropy_target", NULL), \
    ROW("entropy_coef_min", REIN_OPT_FLOAT, AT(entropy_coef_min), "0", 0, 1e6, NULL, \
     "smallest adaptive entropy_coef", NULL), \
    ROW("entropy_coef_max", REIN_OPT_FLOAT, AT(entropy_coef_max), "1", 0, 1e6, NULL, \
     "largest adaptive entropy_coef", NULL), \
    ROW("entropy_coef_delta", REIN_OPT_FLOAT, AT(entropy_coef_delta), "0.005", 0, 1e6, NULL, \
     "step of the adaptive entropy_coef", NULL), \
    ROW("entropy_target", REIN_OPT_FLOAT, AT(entropy_target), "0.2", 0, 1e6, NULL, \
     "mean entropy that the adaptive bonus keeps up, nats a token", NULL), \
    ROW("sapo_temperature_pos", REIN_OPT_FLOAT, AT(sapo_temperature_pos), "1", 1e-9, 1e6, NULL, \
     "sapo: steepness of the gate for positive advantages", NULL), \
    ROW("sapo_temperature_neg", REIN_OPT_FLOAT, AT(sapo_temperature_neg), "1.05", 1e-9, 1e6, NULL, \
     "sapo: the same for the others", NULL), \
    ROW("vespo_k_pos", REIN_OPT_FLOAT, AT(vespo_k_pos), "2", 1e-9, 1e6, NULL, \
     "vespo: power of the ratio for advantages of at least 0", NULL), \
    ROW("vespo_lambda_pos", REIN_OPT_FLOAT, AT(vespo_lambda_pos), "3", 1e-9, 1e6, NULL, \
     "vespo: decay for these", NULL), \
    ROW("vespo_k_neg", REIN_OPT_FLOAT, AT(vespo_k_neg), "3", 1e-9, 1e6, NULL, \
     "vespo: power of the ratio for negative advantages", NULL), \
    ROW("vespo_lambda_neg", REIN_OPT_FLOAT, AT(vespo_lambda_neg), "2", 1e-9, 1e6, NULL, \
     "vespo: decay for these", NULL), \
    ROW("dro_beta", REIN_OPT_FLOAT, AT(dro_beta), "0.1", 0, 1e6, NULL, \
     "dro: weight of the squared log-ratio", NULL), \
    ROW("clip_cov_ratio", REIN_OPT_FLOAT, AT(clip_cov_ratio), "0.0002", 0, 1, NULL, \
     "clip_cov: share of the tokens that is left out", NULL), \
    ROW("clip_cov_lb", REIN_OPT_FLOAT, AT(clip_cov_lb), "1", -1e6, 1e6, NULL, \
     "clip_cov: smallest covariance of these", NULL), \
    ROW("clip_cov_ub", REIN_OPT_FLOAT, AT(clip_cov_ub), "5", -1e6, 1e6, NULL, \
     "clip_cov: largest covariance of these", NULL), \
    ROW("kl_cov_ratio", REIN_OPT_FLOAT, AT(kl_cov_ratio), "0.0002", 0, 1, NULL, \
     "kl_cov: share of the tokens, those of largest covariance, with a penalty", NULL), \
    ROW("ppo_kl_coef", REIN_OPT_FLOAT, AT(ppo_kl_coef), "1", 0, 1e6, NULL, \
     "kl_cov: weight of the penalty", NULL)
/* clang-format on */

/** All rows, for the cases of `rein loss`; offsets are into rein_loss_options. */
enum { REIN_LOSS_ROWS = 31 };
extern const rein_option rein_loss_rows[REIN_LOSS_ROWS];

#endif
