/*
 * Policy losses: value and gradient with respect to each token's log-prob and entropy.
 *
 * Sequences are ragged (flat arrays cut by offsets) and independent of each other: each call fills one row per sequence
 * and the gradients of its tokens. What couples sequences is outside: the divisors, computed before from the logical
 * batch (rein_loss_norm); the tokens that some options choose among those of a whole logical micro-batch
 * (rein_loss_select); the sums over rows, done after by the canonical pairwise tree (rein_loss_finish). Hence any split
 * of a batch over calls gives the same bits. Inside all is f64 in ascending order of the tokens.
 *
 * The loss of a micro-batch is, with m the mask, d = logp - old_logp, r the ratio of the loss type's level and A the
 * advantage,
 *
 *   sum_it m [ f w P(r, A, logp) + beta kl r^bias ] / divisor  -  entropy_coef sum_it m e H / max(sum m e, 1) / steps
 *
 * P is the loss type's own term, f is 0 for what the off-policy mask or a choice of tokens leaves out, w is is_weight,
 * e is 0 below the entropy quantile. docs/algorithms/losses.md has P and the divisor of every type. Adding a type: one
 * function and one row of the table in loss_types.c, and its name here.
 */
#ifndef REIN_RL_LOSS_H
#define REIN_RL_LOSS_H

#include "base/base.h"
#include "rl/kl.h"

/** `loss_type`, in the order of REIN_LOSS_TYPE_CHOICES. */
typedef enum rein_loss_type {
    REIN_LOSS_GRPO,       /* Shao et al. 2024, arXiv:2402.03300 */
    REIN_LOSS_BNPO,       /* token mean of the micro-batch */
    REIN_LOSS_DR_GRPO,    /* Liu et al. 2025, arXiv:2503.20783 */
    REIN_LOSS_DAPO,       /* Yu et al. 2025, arXiv:2503.14476 */
    REIN_LOSS_CISPO,      /* MiniMax 2025, arXiv:2506.13585, as TRL has it: epsilon_high is the cap of the ratio */
    REIN_LOSS_SAPO,       /* Gao et al. 2025, arXiv:2511.20347, as TRL has it */
    REIN_LOSS_LUSPO,      /* Liu et al. 2026, arXiv:2602.05261: sequence level only */
    REIN_LOSS_VESPO,      /* VESPO 2026, arXiv:2602.10693 */
    REIN_LOSS_GSPO,       /* Zheng et al. 2025, arXiv:2507.18071: grpo at sequence level */
    REIN_LOSS_GSPO_TOKEN, /* the same paper's token form; verl's gspo */
    REIN_LOSS_GMPO,       /* Zhao et al. 2025, arXiv:2507.20673: epsilon bounds the log-ratio; verl's geo_mean */
    REIN_LOSS_REINFORCE,  /* Williams 1992: no ratio */
    REIN_LOSS_RLOO,       /* Ahmadian et al. 2024, arXiv:2402.14740: ratio of whole sequences, clipped; TRL's RLOO */
    REIN_LOSS_VANILLA,  /* PPO, Schulman et al. 2017, arXiv:1707.06347, with dual clip, Ye et al. 2020, arXiv:1912.09729
                         */
    REIN_LOSS_GPG,      /* Chu et al. 2025, arXiv:2504.02546 */
    REIN_LOSS_CLIP_COV, /* Cui et al. 2025, arXiv:2505.22617 */
    REIN_LOSS_KL_COV,   /* the same */
    REIN_LOSS_VERL_CISPO, /* cispo with the ratio in [1 - epsilon, 1 + epsilon_high] */
    REIN_LOSS_VERL_SAPO,  /* sapo, the mean over sequences that have a token */
    REIN_LOSS_DPPO_TV,    /* DPPO 2026, arXiv:2602.04879: epsilon bounds the change of the token's probability */
    REIN_LOSS_DPPO_KL,    /* the same: epsilon bounds the binary KL */
    REIN_LOSS_DRO         /* Richemond et al. 2024, arXiv:2405.19107: squared log-ratio as the penalty */
} rein_loss_type;
#define REIN_LOSS_TYPE_CHOICES                                                                                         \
    "grpo|bnpo|dr_grpo|dapo|cispo|sapo|luspo|vespo|gspo|gspo_token|gmpo|reinforce|rloo|vanilla|gpg|clip_cov|kl_cov|"   \
    "verl_cispo|verl_sapo|dppo_tv|dppo_kl|dro"

/** `importance_sampling_level`, in the order of REIN_LEVEL_CHOICES; auto: the loss type's own, or token. */
typedef enum rein_level { REIN_LEVEL_AUTO, REIN_LEVEL_TOKEN, REIN_LEVEL_SEQUENCE } rein_level;
#define REIN_LEVEL_CHOICES "auto|token|sequence"

/**
 * What the sum over tokens is divided by. The first six are `loss_agg_mode`, in the order of REIN_LOSS_AGG_CHOICES, as
 * verl has them: tokens and sequences are those of the batch of one update, fully masked sequences do not count. The
 * others are TRL's, of a micro-batch and then divided by gradient_accumulation_steps; each belongs to its loss types.
 */
typedef enum rein_loss_agg {
    REIN_AGG_AUTO,           /* the loss type's own */
    REIN_AGG_TOKEN_MEAN,     /* tokens (dapo's, too) */
    REIN_AGG_TOKEN_SUM,      /* 1 */
    REIN_AGG_SEQ_SUM,        /* sequences */
    REIN_AGG_SEQ_SUM_NORM,   /* sequences times loss_scale_factor */
    REIN_AGG_SEQ_MEAN,       /* each sequence by its tokens + 1e-8, then by sequences */
    REIN_AGG_MICRO_TOKENS,   /* tokens of the micro-batch */
    REIN_AGG_MICRO_SEQ_SUM,  /* sequences of the micro-batch */
    REIN_AGG_MICRO_SEQ_MEAN, /* each sequence by its tokens, then by sequences of the micro-batch */
    REIN_AGG_MICRO_LENGTH    /* sequences of the micro-batch times max_completion_length */
} rein_loss_agg;
#define REIN_LOSS_AGG_CHOICES "auto|token-mean|token-sum|seq-mean-token-sum|seq-mean-token-sum-norm|seq-mean-token-mean"

typedef struct rein_loss_options {
    rein_loss_type loss_type;
    rein_level importance_sampling_level;
    rein_loss_agg loss_agg_mode;
    double loss_scale_factor;       /* of seq-mean-token-sum-norm; 0: max_completion_length */
    double beta;                    /* weight of the KL term; 0: none, ref_logp is then only read for the metric */
    rein_kl_estimator kl_estimator; /* k3 is TRL's */
    bool use_bias_correction_kl;    /* the KL term is multiplied by the ratio, with gradient through it */
    double epsilon;                 /* the ratio is clipped to [1 - epsilon, 1 + epsilon_high] */
    double epsilon_high;            /* below 0: as epsilon. cispo: the absolute cap of the ratio, must be given */
    double delta;                   /* upper bound of the unclipped ratio (two-sided clipping); 0: none */
    double clip_ratio_c; /* vanilla: bound of the loss at A < 0, in units of -A; dppo: cap of the ratio; > 1 */
    double off_policy_mask_threshold; /* tokens with A < 0 of sequences whose mean of sampling_logp - logp is above it
                                         are left out (DeepSeek-V3.2); 0: none */
    double top_entropy_quantile;      /* share of the tokens, those of highest entropy, that is trained on; 1: all */
    double entropy_coef;              /* weight of the entropy bonus; 0: none. Adaptive: where it begins */
    bool use_adaptive_entropy;        /* see rein_entropy_control */
    double entropy_coef_min, entropy_coef_max, entropy_coef_delta, entropy_target;
    double sapo_temperature_pos, sapo_temperature_neg;
    double vespo_k_pos, vespo_lambda_pos, vespo_k_neg, vespo_lambda_neg;
    double dro_beta;
    double clip_cov_ratio, clip_cov_lb, clip_cov_ub; /* share of the tokens that are left out, among those with a
                                                        covariance of log-prob and advantage in (lb, ub) */
    double kl_cov_ratio, ppo_kl_coef; /* share of the tokens, those of highest covariance, with ppo_kl_coef |d| added */
} rein_loss_options;

/** TRL 1.16's and verl 0.9.1's defaults. */
rein_loss_options rein_loss_options_default(void);
/** REIN_ERR_USAGE, with the option's name and value, if one is out of range or does not fit the loss type. */
REIN_NODISCARD rein_status rein_loss_options_check(const rein_loss_options *opt);

/** B sequences; tokens of sequence i are [offset[i], offset[i+1]) of all arrays. Masked-out tokens are not read. */
typedef struct rein_loss_batch {
    int64_t B;
    const int64_t *offset;      /* (B+1) ascending */
    const float *logp;          /* of the policy that is trained */
    const float *old_logp;      /* of the policy that the ratio is taken to */
    const float *ref_logp;      /* of the reference policy; NULL only if beta is 0 */
    const float *entropy;       /* NULL only if there is no entropy bonus */
    const float *sampling_logp; /* of the engine that sampled, for the off-policy mask; NULL: old_logp */
    const uint8_t *mask;        /* 1: the token counts */
    const uint8_t *chosen;      /* of rein_loss_select; NULL: all, only where rein_loss_selects is false */
    const double *advantage;    /* one a token */
    const double *is_weight;    /* of old to sampling policy: times the policy term (vespo: into its weight); NULL: 1 */
} rein_loss_batch;

/** Number of tokens that count among n. */
int64_t rein_loss_count(const uint8_t *mask, int64_t n);

/* ---- tokens that are chosen in a whole micro-batch ---- */

/** Whether the options choose among the tokens of a whole logical micro-batch (top_entropy_quantile, clip_cov, kl_cov):
 *  its log-probs and entropies must then be known before any loss of it. */
bool rein_loss_selects(const rein_loss_options *opt);

/** Key of clip_cov's random choice. */
typedef struct rein_loss_draw {
    uint64_t seed;
    uint32_t step, micro_batch;
} rein_loss_draw;

/**
 * Choose tokens.
 *
 * top_entropy_quantile q: those whose entropy is at least the (1 - q) quantile (linear interpolation) of all that
 * count. With c = (A - mean A)(logp - mean logp) over the tokens that count, n of them: kl_cov chooses the max(1,
 * floor(n kl_cov_ratio)) largest c, the earlier one of equals; clip_cov leaves out max(1, floor(n clip_cov_ratio)),
 * drawn without replacement from those with c in (lb, ub) that the ratio's clip leaves.
 *
 * @param[out] chosen  parallel to the batch's arrays; 0 where masked. Written in [offset[0], offset[B]).
 * @param      batch   a whole logical micro-batch; its `chosen` is not read.
 * @return REIN_ERR_NUMERIC as rein_loss_policy; REIN_ERR_MEMORY.
 */
REIN_NODISCARD rein_status rein_loss_select(uint8_t *chosen, const rein_loss_batch *batch, const rein_loss_options *opt,
                                            const rein_loss_draw *draw);

/* ---- divisors ---- */

/** Sizes that the divisors are made of. They describe logical batches, whatever the physical split. */
typedef struct rein_loss_scope {
    int64_t sequences;            /* in the micro-batch, fully masked ones included */
    int64_t tokens;               /* that count, in the micro-batch */
    int64_t entropy_tokens;       /* of these, above the entropy quantile; without one the same */
    int64_t generation_tokens;    /* that count, in the generation batch (TRL's num_items_in_batch) */
    int64_t generation_sequences; /* that have one, in the generation batch */
    int64_t max_completion_length;
    int64_t gradient_accumulation_steps, steps_per_generation;
    int64_t processes;   /* whose gradients are averaged, not summed, afterwards: divides the counts of whole batches */
    double entropy_coef; /* in force: of the options, or of rein_entropy_control_coef */
} rein_loss_scope;

typedef struct rein_loss_divisors {
    double policy;        /* of the sum of policy and KL terms */
    double entropy;       /* weight of each entropy in the bonus */
    double micro_batches; /* gradient_accumulation_steps where policy has that factor, else 1 */
} rein_loss_divisors;

/** For the options' aggregation; counts of 0 are taken as 1. */
rein_loss_divisors rein_loss_norm(const rein_loss_options *opt, const rein_loss_scope *scope);

/* ---- loss and gradient ---- */

/** What one sequence adds to loss and metrics. Rows of a batch are kept in order of id. */
typedef struct rein_loss_row {
    double loss;            /* its share of policy and KL terms, divisor applied */
    double bonus;           /* its share of the entropy bonus, to be subtracted */
    int64_t tokens;         /* that count */
    int64_t entropy_tokens; /* of these, above the entropy quantile */
    double kl;              /* sum over tokens of the KL term without beta; 0 without ref_logp */
    double entropy;         /* sum; NaN without entropies */
    double entropy_top;     /* sum over entropy_tokens */
    double ratio;           /* sum of the ratio */
    double deviation;       /* largest |ratio - 1| */
    double log_ratio;       /* sum of d, as the loss type bounds it; kl_cov: of -|d| */
    double low, high; /* number of ratios outside the clip range on the side that matters; sequence level: 0 or 1 */
    double lower;     /* number of second clips (vanilla, dppo); gmpo: log-ratios outside with A < 0 */
    double weight;    /* vespo's phi, mean over tokens; 1 for all others */
    double is_sum, is_min, is_max; /* of is_weight over tokens; 0, NaN, NaN without */
    double gap_sum, gap_max;       /* of |old_logp - sampling_logp|; 0 without */
    int64_t off_policy;            /* tokens that the off-policy mask leaves out */
    int64_t nonfinite;             /* tokens whose loss or gradient is not finite: the update must not be applied */
} rein_loss_row;

/**
 * Loss and gradients of some sequences.
 *
 * @param[out] row       (B) one per sequence.
 * @param[out] dlogp     parallel to the batch's arrays, written in [offset[0], offset[B]): derivative of the loss with
 *                       respect to logp; 0 where masked.
 * @param[out] dentropy  the same for the entropy; may be NULL if div->entropy is 0.
 * @return REIN_ERR_NUMERIC if a log-prob that counts, an entropy, an advantage or a weight is not finite (sequence and
 *         token are named); REIN_ERR_ARG if an array is missing that the options read.
 * @note   opt must have passed rein_loss_options_check. Does not allocate; thread-safe.
 */
REIN_NODISCARD rein_status rein_loss_policy(rein_loss_row *row, float *dlogp, float *dentropy,
                                            const rein_loss_batch *batch, const rein_loss_options *opt,
                                            const rein_loss_divisors *div);

/* ---- metrics ---- */

/** Metrics over the rows of any number of calls. Means over tokens are 0 where no token counts. */
typedef struct rein_loss_metrics {
    double loss, policy_loss; /* with and without the entropy bonus */
    int64_t sequences, tokens, nonfinite;
    double kl, entropy;  /* means over tokens */
    double entropy_top;  /* mean over the tokens above the entropy quantile: what rein_entropy_control is told */
    double entropy_coef; /* set by the caller: of the options, or the controller's */
    double low_mean, high_mean, region_mean; /* over tokens, or over sequences where each has one ratio */
    double low_min, high_max;                /* over sequences; NaN if none has a token */
    double lower_mean;                       /* over tokens */
    double ratio_mean, ratio_max_deviation, log_ratio_mean;
    double weight_mean;             /* over sequences */
    double is_mean, is_min, is_max; /* NaN without is_weight */
    double gap_mean, gap_max;       /* of |old_logp - sampling_logp| over tokens; 0 without sampling_logp */
    double off_policy_fraction;     /* tokens that the off-policy mask leaves out */
} rein_loss_metrics;

/** Reduce rows (n, in order of id) by the canonical pairwise tree. */
void rein_loss_finish(rein_loss_metrics *out, const rein_loss_row *row, int64_t n, const rein_loss_options *opt);

typedef struct rein_loss_metric {
    const char *name; /* TRL's, e.g. "clip_ratio/low_mean", or verl's, e.g. "actor/pg_clipfrac", by the loss type */
    double value;
} rein_loss_metric;
enum { REIN_LOSS_METRICS_MAX = 24 };

/** The metrics that apply to the options, how many is returned. Ours: ratio/mean, ratio/max_deviation,
 *  off_policy_fraction. */
int rein_loss_metrics_list(rein_loss_metric out[REIN_LOSS_METRICS_MAX], const rein_loss_metrics *m,
                           const rein_loss_options *opt);

/* ---- adaptive entropy ---- */

/** Whether there is an entropy bonus: dentropy must then be back-propagated. */
bool rein_loss_has_bonus(const rein_loss_options *opt);

/**
 * TRL's adaptive entropy: the coefficient grows by entropy_coef_delta, up to entropy_coef_max, after an update whose
 * mean entropy was at most entropy_target, and shrinks as much, down to entropy_coef_min, after the others. It is in
 * force only while the last entropy is at most the target, so not in the first update. The state is two doubles, for
 * checkpoints.
 */
typedef struct rein_entropy_control {
    double coef;
    double last_entropy; /* nats; +inf before the first update */
} rein_entropy_control;

void rein_entropy_control_init(rein_entropy_control *c, const rein_loss_options *opt);
/** The coefficient in force for the next update; without use_adaptive_entropy always opt->entropy_coef. */
double rein_entropy_control_coef(const rein_entropy_control *c, const rein_loss_options *opt);
/** After an update; entropy is rein_loss_metrics.entropy_top. Without use_adaptive_entropy nothing happens. */
void rein_entropy_control_update(rein_entropy_control *c, const rein_loss_options *opt, double entropy);

#endif
