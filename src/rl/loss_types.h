/* The loss types, one row each: what a token contributes, which ratio it has, what the sum is divided by. */
#ifndef REIN_RL_LOSS_TYPES_H
#define REIN_RL_LOSS_TYPES_H

#include "rl/loss.h"

/** What a token's loss is a function of. */
typedef struct rein_loss_token {
    double logp, old_logp, advantage;
    double ratio;
    double phi; /* of the sequence, see rein_loss_class.phi */
    bool chosen;
} rein_loss_token;

/** Value and partial derivatives of a token's loss, and what its metrics count. */
typedef struct rein_loss_term {
    double value;
    double dratio, dlogp; /* with respect to ratio and logp as independent variables */
    bool low, high, lower;
} rein_loss_term;

/** The ratio is exp of... (d = logp - old_logp, of the tokens that count) */
typedef enum rein_loss_ratio {
    REIN_RATIO_LEVEL,    /* by importance_sampling_level: TOKEN or MEAN */
    REIN_RATIO_TOKEN,    /* d */
    REIN_RATIO_MEAN,     /* the sequence's mean d */
    REIN_RATIO_MEAN_OWN, /* the same value, at most 10, but the gradient as if it were the token's own d */
    REIN_RATIO_SUM,      /* the sequence's sum of d */
    REIN_RATIO_GEOMETRIC /* the sequence's mean of d as bounded; the weight is_weight is averaged likewise */
} rein_loss_ratio;

/** Metrics of a loss type besides those of all. */
enum {
    REIN_METRIC_CLIP = 1,     /* clip_ratio/... */
    REIN_METRIC_CISPO = 2,    /* cispo_clip_ratio */
    REIN_METRIC_PHI = 4,      /* vespo/phi_seq_mean */
    REIN_METRIC_CLIPFRAC = 8, /* actor/pg_clipfrac */
    REIN_METRIC_LOWER = 16,   /* actor/pg_clipfrac_lower */
    REIN_METRIC_PPO_KL = 32   /* actor/ppo_kl */
};

typedef struct rein_loss_class {
    const char *name;
    void (*term)(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *token);
    rein_loss_ratio ratio;
    rein_loss_agg agg;
    unsigned metrics; /* REIN_METRIC_ flags */
    /** d within its bounds, *held if a bound holds (it has no gradient then); NULL: d itself. */
    double (*bound)(const rein_loss_options *opt, double d, double advantage, bool *held);
    /** Weight from the sum over a sequence's tokens of d clipped to +-20 and of log is_weight; NULL: 1. No gradient. */
    double (*phi)(const rein_loss_options *opt, double log_ratio_sum, double advantage);
    bool own_agg;       /* loss_agg_mode does not apply: the name says the divisor, or the definition needs it */
    bool sequence_only; /* importance_sampling_level sequence must be given */
    bool two_sided;     /* reads delta */
    bool adds_chosen;   /* chosen tokens have a term more; else the others have none */
} rein_loss_class;

const rein_loss_class *rein_loss_class_of(rein_loss_type type);

/** Upper end of the clip range above 1 with its default resolved. */
double rein_loss_epsilon_high(const rein_loss_options *opt);
/** The loss type's ratio with the level resolved: never REIN_RATIO_LEVEL. */
rein_loss_ratio rein_loss_ratio_of(const rein_loss_options *opt);
/** Whether a sequence has one ratio, and its clip counts as one. */
bool rein_loss_ratio_shared(const rein_loss_options *opt);
/** The aggregation with auto resolved: never REIN_AGG_AUTO. */
rein_loss_agg rein_loss_agg_of(const rein_loss_options *opt);

/** Whether PPO's clip holds a token of this ratio and advantage: it has no gradient then. */
bool rein_loss_clipped(const rein_loss_options *opt, double ratio, double advantage);

#endif
