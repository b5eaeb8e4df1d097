/*
 * Advantages: from the rewards of a generation batch to one number per counting token.
 *
 * Runs once a generation batch, after the rewards and before the loss, in two stages. rein_advantages makes one number
 * per completion of the rewards of its group; rein_advantage_tokens spreads it over the tokens, or, for the estimators
 * that have an advantage per token, discounts, estimates and whitens there. Rows are completions in order of id, the G
 * rows of a prompt are neighbours. All in f64; sums by the canonical pairwise tree.
 */
#ifndef REIN_RL_ADVANTAGE_H
#define REIN_RL_ADVANTAGE_H

#include "rl/stats.h"
#include "rl/tokens.h"

/** `advantage_estimator`, in the order of REIN_ADVANTAGE_CHOICES. r: rewards, m: mean of the group, s: its deviation.
 */
typedef enum rein_advantage_estimator {
    REIN_ADVANTAGE_GRPO,  /* (r - m) / (s + eps), Shao et al. 2024, arXiv:2402.03300 */
    REIN_ADVANTAGE_GDPO,  /* as grpo with normalize_then_sum, Liu et al. 2026, arXiv:2601.05242 */
    REIN_ADVANTAGE_RLOO,  /* r - mean of the others, Ahmadian et al. 2024, arXiv:2402.14740 */
    REIN_ADVANTAGE_MEAN,  /* r - m, Liu et al. 2025 (Dr. GRPO), arXiv:2503.20783 */
    REIN_ADVANTAGE_OPO,   /* r - length-weighted mean, Hao et al. 2025, arXiv:2505.23585 */
    REIN_ADVANTAGE_PASSK, /* best row: (r - second best) / (s + eps); 0 for others, arXiv:2503.19595 */
    REIN_ADVANTAGE_MAXRL, /* (r - m) / m, Tajwar et al. 2026, arXiv:2602.02710 */
    /* from here on different tokens have different numbers, or all tokens are whitened together */
    REIN_ADVANTAGE_RFPP,          /* REINFORCE++: returns of tokens, whitened; Hu 2025, arXiv:2501.03262 */
    REIN_ADVANTAGE_RFPP_BASELINE, /* r - m on every token, whitened over tokens; the same */
    REIN_ADVANTAGE_GAE            /* needs values; Schulman et al. 2016, arXiv:1506.02438 */
} rein_advantage_estimator;
#define REIN_ADVANTAGE_CHOICES                                                                                         \
    "grpo|gdpo|rloo|mean_baseline|opo|grpo_passk|max_rl|reinforce_plus_plus|reinforce_plus_plus_baseline|gae"

/** `scale_rewards`, in the order of REIN_SCALE_REWARDS_CHOICES. */
typedef enum rein_scale_rewards { REIN_SCALE_GROUP, REIN_SCALE_BATCH, REIN_SCALE_NONE } rein_scale_rewards;
#define REIN_SCALE_REWARDS_CHOICES "group|batch|none"

/** `multi_objective_aggregation`, in the order of REIN_AGGREGATION_CHOICES. */
typedef enum rein_aggregation { REIN_SUM_THEN_NORMALIZE, REIN_NORMALIZE_THEN_SUM } rein_aggregation;
#define REIN_AGGREGATION_CHOICES "sum_then_normalize|normalize_then_sum"

/** `advantage_std`: whose standard deviation. Divisor n - ddof of the variance; eps is added to the deviation. */
typedef enum rein_std_preset {
    REIN_STD_TRL,      /* ddof 1, eps 1e-4 */
    REIN_STD_VERL,     /* ddof 1, eps 1e-6; a group of one row has mean 0 and deviation 1 */
    REIN_STD_OPENRLHF, /* ddof 1, eps 1e-9 */
    REIN_STD_ART,      /* ddof 0, eps 1e-6 */
    REIN_STD_MLX       /* ddof 0, eps 1e-4 (mlx-lm-lora) */
} rein_std_preset;
#define REIN_STD_CHOICES "trl|verl|openrlhf|art|mlx"

typedef struct rein_advantage_options {
    rein_advantage_estimator estimator;
    rein_scale_rewards scale;     /* grpo: all; grpo_passk: group or none; the others do not divide */
    rein_aggregation aggregation; /* grpo */
    rein_std_preset std;
    bool normalize_advantages;                /* standardise over the batch afterwards (TRL's RLOO) */
    double reward_clip_low, reward_clip_high; /* weighted sums are clipped to this range; both 0: they are not */
    double kl_coef;                           /* KL in the reward, see rein_advantage_args.kl */
    double gamma, lambda;                     /* reinforce_plus_plus: gamma; gae: both */
    bool whiten_rewards;                      /* gae: divide the token rewards by their deviation over the batch */
    bool whiten_advantages;                   /* gae: standardise the advantages over the tokens of the batch */
} rein_advantage_options;

/** TRL's GRPO; gamma 1, lambda 0.95, whitened advantages as TRL's PPO. */
rein_advantage_options rein_advantage_options_default(void);

/** REIN_ERR_USAGE, with names and values, if an option is out of range, does not go with the estimator, or the
 * estimator cannot work on groups of G rows. */
REIN_NODISCARD rein_status rein_advantage_options_check(const rein_advantage_options *opt, int64_t G);

/** The estimator needs a value function. */
bool rein_advantage_needs_values(rein_advantage_estimator estimator);
/** KL in the reward is charged per token (rein_advantage_tokens) instead of per completion (rein_advantages). */
bool rein_advantage_kl_per_token(rein_advantage_estimator estimator);
/** Rows of a group are compared: a group of equal rewards teaches nothing. */
bool rein_advantage_needs_spread(rein_advantage_estimator estimator);

typedef struct rein_advantage_args {
    const double *reward; /* (N, n_func) */
    const double *weight; /* (n_func), or NULL: all 1 */
    int64_t N, G, n_func; /* N a multiple of G */
    rein_advantage_options options;
    const int64_t *length; /* (N) counting tokens: opo; else it may be NULL */
    const double *kl; /* (N) sum over the counting tokens of the KL estimate: kl_coef times it is taken from the reward,
                         unless that is done per token; NULL only if kl_coef is 0 or the KL is charged per token */
    bool allow_missing; /* NaN means that a function has nothing to say about a row; without it NaN is refused */
} rein_advantage_args;

typedef struct rein_advantage_stats {
    rein_moments reward; /* `reward`, `reward_std`: weighted sums over the batch, before any scaling, ddof 1 */
    double
        frac_reward_zero_std; /* fraction of rows whose group (or, with batch statistics, whose batch) has no spread */
    int64_t unscored;         /* rows without any reward; their advantage is 0 */
} rein_advantage_stats;

/**
 * Advantages per completion.
 *
 *   r = clip(sum_k w_k R_k) - kl_coef kl;  A = what the estimator's row in the table above says
 *
 * With normalize_then_sum z_k = (R_k - mean_g R_k) / (sd_g R_k + eps), r = sum_k w_k z_k, and A = (r - mean) / (sd +
 * eps) over the batch, whatever `scale` is. reinforce_plus_plus and gae: A = r, for rein_advantage_tokens.
 *
 * Missing values are left out; where a statistic does not exist (at most one scored row) A is 0.
 *
 * @param[out] adv    (N) advantages; may not alias reward. Undefined on error.
 * @param[out] stats  may be NULL.
 * @param[out] func   (n_func) moments of each function over the batch (`rewards/{func}/mean`, `/std`); may be NULL.
 * @return REIN_ERR_USAGE as rein_advantage_options_check; REIN_ERR_ARG for bad sizes; REIN_ERR_NUMERIC for an infinite
 *         reward, or NaN where not allowed (row and function are named), and for a negative reward with max_rl.
 * @note   A group of equal rewards gets exact zeros. Does not allocate.
 */
REIN_NODISCARD rein_status rein_advantages(double *adv, rein_advantage_stats *stats, rein_moments *func,
                                           const rein_advantage_args *args);

typedef struct rein_advantage_token_args {
    rein_token_rows rows;    /* of the N completions */
    const double *advantage; /* (N) of rein_advantages */
    const double *early;     /* flat, as in rein_tokens_reward; may be NULL; where the estimator works on token rewards */
    const double *kl;        /* flat KL estimates; read only where the KL is charged per token and kl_coef is not 0 */
    const double *value;     /* flat; gae only */
    const double *bootstrap; /* (N) as in rein_gae; may be NULL; gae only */
    const int32_t *turn;     /* flat, as in rein_gae; may be NULL */
    rein_advantage_options options;
} rein_advantage_token_args;

/**
 * Advantages per token: spread, or estimated by GAE on the token rewards (reinforce_plus_plus: lambda 1 and no values),
 * and whitened over all counting tokens where the estimator says so.
 *
 * @param[out] adv  flat; 0 where masked.
 * @param[out] ret  flat returns for the value loss; written for reinforce_plus_plus and gae only; may be NULL.
 * @return as rein_tokens_reward and rein_gae.
 * @note   rows must be the whole generation batch. Does not allocate.
 */
REIN_NODISCARD rein_status rein_advantage_tokens(double *adv, double *ret, const rein_advantage_token_args *args);

#endif
