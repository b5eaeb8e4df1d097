/* The loss types of TRL's GRPO family, one row each: what a token contributes and what the sum is divided by. */
#ifndef REIN_RL_LOSS_TYPES_H
#define REIN_RL_LOSS_TYPES_H

#include "rl/loss.h"

/** What a token's loss is a function of. */
typedef struct rein_loss_token {
    double logp, ratio, advantage;
    double weight; /* of the sequence, see rein_loss_class.weight */
} rein_loss_token;

/** Value and partial derivatives of a token's loss, and whether the ratio is outside its range on the side that
 * matters. */
typedef struct rein_loss_term {
    double value;
    double dratio, dlogp; /* with respect to ratio and logp as independent variables */
    bool low, high;
} rein_loss_term;

/** The sum over a micro-batch is divided by... */
typedef enum rein_loss_divisor {
    REIN_PER_SEQUENCE_MEAN, /* each sequence by its tokens, then by sequences */
    REIN_PER_SEQUENCE,      /* sequences */
    REIN_PER_TOKEN,         /* tokens of the micro-batch */
    REIN_PER_LENGTH,        /* sequences times max_completion_length */
    REIN_PER_GENERATION     /* tokens of the generation batch, corrected for its number of micro-batches */
} rein_loss_divisor;

typedef struct rein_loss_class {
    void (*term)(rein_loss_term *out, const rein_loss_options *opt, const rein_loss_token *token);
    /** Weight of a whole sequence from sum over its tokens of logp - old_logp clipped to +-20; NULL: 1. No gradient. */
    double (*weight)(const rein_loss_options *opt, double log_ratio_sum, double advantage);
    rein_loss_divisor divisor;
    bool clips;         /* has the clip_ratio metrics */
    bool sequence_only; /* defined at importance_sampling_level sequence only */
} rein_loss_class;

const rein_loss_class *rein_loss_class_of(rein_loss_type type);

/** Upper end of the clip range above 1 with its default resolved. */
double rein_loss_epsilon_high(const rein_loss_options *opt);

#endif
