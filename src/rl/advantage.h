/*
 * Advantages of group-relative policy optimisation, with TRL's options and metrics.
 *
 * Runs once a generation batch, after the rewards and before the loss. Rows are completions in order of id, the G rows
 * of a prompt are neighbours. All in f64; sums by the canonical pairwise tree.
 */
#ifndef REIN_RL_ADVANTAGE_H
#define REIN_RL_ADVANTAGE_H

#include "rl/stats.h"

/** `scale_rewards`, in the order of REIN_SCALE_REWARDS_CHOICES. */
typedef enum rein_scale_rewards { REIN_SCALE_GROUP, REIN_SCALE_BATCH, REIN_SCALE_NONE } rein_scale_rewards;
#define REIN_SCALE_REWARDS_CHOICES "group|batch|none"

/** `multi_objective_aggregation`, in the order of REIN_AGGREGATION_CHOICES. */
typedef enum rein_aggregation { REIN_SUM_THEN_NORMALIZE, REIN_NORMALIZE_THEN_SUM } rein_aggregation;
#define REIN_AGGREGATION_CHOICES "sum_then_normalize|normalize_then_sum"

typedef struct rein_advantage_args {
    const double *reward; /* (N, n_func) */
    const double *weight; /* (n_func), or NULL: all 1 */
    int64_t N, G, n_func; /* N a multiple of G, G >= 2 */
    rein_scale_rewards scale;
    rein_aggregation aggregation;
    bool allow_missing; /* NaN means that a function has nothing to say about a row; without it NaN is refused */
} rein_advantage_args;

typedef struct rein_advantage_stats {
    rein_moments reward; /* `reward`, `reward_std`: weighted sums over the batch, before any scaling, ddof 1 */
    double
        frac_reward_zero_std; /* fraction of rows whose group (or, with batch statistics, whose batch) has no spread */
    int64_t unscored;         /* rows without any reward; their advantage is 0 */
} rein_advantage_stats;

/**
 * Group-relative advantages (GRPO), and GDPO for normalize_then_sum.
 *
 *   sum_then_normalize   r = sum_k w_k R_k;  A = (r - mean_g) / (sd + 1e-4), sd over the group or the batch, or no
 * division normalize_then_sum   z_k = (R_k - mean_g R_k) / (sd_g R_k + 1e-4);  r = sum_k w_k z_k; A = (r - mean) / (sd
 * + 1e-4) over the batch, whatever `scale` is
 *
 * sd has ddof 1; missing values are left out; where there is no sd (at most one scored row) A is 0.
 *
 * @param[out] adv    (N) advantages; may not alias reward. Undefined on error.
 * @param[out] stats  may be NULL.
 * @param[out] func   (n_func) moments of each function over the batch (`rewards/{func}/mean`, `/std`); may be NULL.
 * @return REIN_ERR_ARG for bad sizes; REIN_ERR_NUMERIC for an infinite reward, or NaN where not allowed (row and
 *         function are named).
 * @note   A group of equal rewards gets exact zeros. Does not allocate.
 * @see    Shao et al. 2024, arXiv:2402.03300, section 4.1.2; Liu et al. 2025 (Dr. GRPO), arXiv:2503.20783.
 */
REIN_NODISCARD rein_status rein_advantages(double *adv, rein_advantage_stats *stats, rein_moments *func,
                                           const rein_advantage_args *args);

#endif
