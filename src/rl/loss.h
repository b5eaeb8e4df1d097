/*
 * Policy losses of TRL's GRPO family: value and gradient with respect to each token's log-prob.
 *
 * Sequences are ragged (flat arrays cut by offsets) and independent of each other: each call fills one row per sequence
 * and the gradient of its tokens. Everything that couples sequences is outside: the divisor, computed before from the
 * logical batch (rein_loss_norm), and the sums over rows, done after by the canonical pairwise tree (rein_loss_finish).
 * Hence any split of a batch over calls gives the same bits. Inside all is f64 in ascending order of the tokens.
 */
#ifndef REIN_RL_LOSS_H
#define REIN_RL_LOSS_H

#include "base/base.h"

/** `loss_type`, in the order of REIN_LOSS_TYPE_CHOICES. */
typedef enum rein_loss_type {
    REIN_LOSS_GRPO,    /* Shao et al. 2024, arXiv:2402.03300 */
    REIN_LOSS_BNPO,    /* token mean of the micro-batch */
    REIN_LOSS_DR_GRPO, /* Liu et al. 2025, arXiv:2503.20783 */
    REIN_LOSS_DAPO,    /* Yu et al. 2025, arXiv:2503.14476 */
    REIN_LOSS_CISPO,   /* MiniMax 2025, arXiv:2506.13585 */
    REIN_LOSS_SAPO,    /* Gao et al. 2025, arXiv:2511.20347 */
    REIN_LOSS_LUSPO,   /* Liu et al. 2026, arXiv:2602.05261: sequence level only */
    REIN_LOSS_VESPO    /* VESPO 2026, arXiv:2602.10693 */
} rein_loss_type;
#define REIN_LOSS_TYPE_CHOICES "grpo|bnpo|dr_grpo|dapo|cispo|sapo|luspo|vespo"

/** `importance_sampling_level`, in the order of REIN_LEVEL_CHOICES. */
typedef enum rein_level { REIN_LEVEL_TOKEN, REIN_LEVEL_SEQUENCE } rein_level;
#define REIN_LEVEL_CHOICES "token|sequence"

typedef struct rein_loss_options {
    rein_loss_type loss_type;
    rein_level importance_sampling_level;
    double beta;                 /* weight of the KL term; 0: none, ref_logp is then only read for the metric */
    double epsilon;              /* the ratio is clipped to [1 - epsilon, 1 + epsilon_high] */
    double epsilon_high;         /* below 0: as epsilon. cispo: the absolute cap of the ratio, must be given */
    double delta;                /* upper bound of the unclipped ratio (two-sided clipping); 0: none */
    bool use_bias_correction_kl; /* the KL term is multiplied by the ratio, with gradient through it */
    double sapo_temperature_pos, sapo_temperature_neg;
    double vespo_k_pos, vespo_lambda_pos, vespo_k_neg, vespo_lambda_neg;
} rein_loss_options;

/** TRL 1.16's defaults. */
rein_loss_options rein_loss_options_default(void);
/** REIN_ERR_ARG, with the option's name and value, if one is out of range or does not fit the loss type. */
REIN_NODISCARD rein_status rein_loss_options_check(const rein_loss_options *opt);

/** B sequences; tokens of sequence i are [offset[i], offset[i+1]) of the flat arrays. Masked-out tokens are not read.
 */
typedef struct rein_loss_batch {
    int64_t B;
    const int64_t *offset;   /* (B+1) ascending */
    const float *logp;       /* of the policy that is trained */
    const float *old_logp;   /* of the policy that sampled */
    const float *ref_logp;   /* of the reference policy; NULL only if beta is 0 */
    const float *entropy;    /* for the metric; may be NULL */
    const uint8_t *mask;     /* 1: the token counts */
    const double *advantage; /* (B) */
} rein_loss_batch;

/** What one sequence adds to loss and metrics. Rows of a batch are kept in order of id. */
typedef struct rein_loss_row {
    double loss;       /* its share of the loss, divisor applied */
    int64_t tokens;    /* tokens that count */
    double kl;         /* sum over these of k3, times the ratio if bias-corrected; 0 without ref_logp */
    double entropy;    /* sum; NaN without entropies */
    double ratio;      /* sum of the ratio */
    double deviation;  /* largest |ratio - 1| */
    double low, high;  /* number of ratios outside the clip range on the side that matters; sequence level: 0 or 1 */
    double weight;     /* vespo's phi; 1 for all others */
    int64_t nonfinite; /* tokens whose loss or gradient is not finite: the update must not be applied */
} rein_loss_row;

/** Sizes that the normalisers are made of. They describe logical batches, whatever the physical split. */
typedef struct rein_loss_scope {
    int64_t sequences;         /* in the micro-batch, fully masked ones included */
    int64_t tokens;            /* that count, in the micro-batch */
    int64_t generation_tokens; /* that count, in the generation batch (TRL's num_items_in_batch) */
    int64_t max_completion_length;
    int64_t gradient_accumulation_steps, steps_per_generation;
} rein_loss_scope;

/** Number of tokens that count among n. */
int64_t rein_loss_count(const uint8_t *mask, int64_t n);

/** What the sum over the sequences of a micro-batch is divided by, for the loss type; >= 1 token is assumed. */
double rein_loss_norm(const rein_loss_options *opt, const rein_loss_scope *scope);

/**
 * Loss and gradient of some sequences.
 *
 * With d = logp - old_logp, w = d (token level) or its mean over the sequence's counting tokens (sequence level) and
 * the ratio exp(w), a token's loss is the loss type's own plus beta * k3(logp, ref_logp) [* ratio].
 *
 * @param[out] row      (B) one per sequence.
 * @param[out] dlogp    (offset[B] - offset[0]) from the first token of the batch: derivative of the summed loss with
 *                      respect to logp; 0 where masked.
 * @param      divisor  of rein_loss_norm.
 * @return REIN_ERR_NUMERIC if a log-prob that counts, an entropy that counts or an advantage is not finite (sequence
 * and token are named); REIN_ERR_ARG if ref_logp is missing.
 * @note   opt must have passed rein_loss_options_check. Does not allocate; thread-safe.
 */
REIN_NODISCARD rein_status rein_loss_policy(rein_loss_row *row, float *dlogp, const rein_loss_batch *batch,
                                            const rein_loss_options *opt, double divisor);

/** Schulman's k3 estimator exp(x) - x - 1 of KL(policy || reference), x = ref_logp - logp: >= 0, and 0 for equal ones.
 */
double rein_loss_k3(double logp, double ref_logp);

/** Metrics over the rows of any number of calls. Means over tokens are 0 where no token counts. */
typedef struct rein_loss_metrics {
    double loss;
    int64_t sequences, tokens, nonfinite;
    double kl, entropy; /* means over tokens */
    double low_mean, low_min, high_mean, high_max,
        region_mean; /* over tokens, or over sequences at sequence level;
                        min and max over sequences, NaN if none has a token */
    double ratio_mean, ratio_max_deviation;
    double weight_mean; /* over sequences */
} rein_loss_metrics;

/** Reduce rows (n, in order of id) by the canonical pairwise tree. */
void rein_loss_finish(rein_loss_metrics *out, const rein_loss_row *row, int64_t n, const rein_loss_options *opt);

typedef struct rein_loss_metric {
    const char *name; /* TRL's, e.g. "clip_ratio/low_mean" */
    double value;
} rein_loss_metric;
enum { REIN_LOSS_METRICS_MAX = 12 };

/** The metrics that apply to the options, under TRL's names (ours: ratio/mean, ratio/max_deviation); returns how many.
 */
int rein_loss_metrics_list(rein_loss_metric out[REIN_LOSS_METRICS_MAX], const rein_loss_metrics *m,
                           const rein_loss_options *opt);

#endif
