/*
 * Losses on preferences: an answer against another one, or an answer that is good or bad. Pure functions of log-probs,
 * in f64; what an answer is trained through is the sum of its tokens' log-probs.
 *
 * With s that sum, n the answer's tokens, a = s - s_ref of the chosen and b of the rejected answer, h = a - b, and e the
 * label smoothing:
 *
 *   sigmoid    -(1-e) log sigma(beta h) - e log sigma(-beta h)            Rafailov et al. 2023, arXiv:2305.18290
 *   sigmoid_norm  sigmoid with a/n - b/n' for h and without e             TRL's name; Meng et al. with a reference
 *   hinge      max(0, 1 - beta h)                                         Zhao et al. 2023, SLiC-HF, arXiv:2305.10425
 *   ipo        (a/n - b/n - 1/(2 beta))^2                                 Azar et al. 2023, arXiv:2310.12036
 *   robust     (sigmoid's with -e for e) / (1 - 2e)                       Chowdhury et al. 2024, arXiv:2403.00409
 *   exo_pair   sigma(beta h)(log sigma(beta h) - log(1-e)) + sigma(-beta h)(log sigma(-beta h) - log e)
 *                                                                         Ji et al. 2024, arXiv:2402.00856
 *   bco_pair   -log sigma(beta a) - log sigma(-beta b)                    Jung et al. 2024, arXiv:2404.04656 (no shift)
 *   nca_pair   -log sigma(beta a) - (log sigma(-beta a) + log sigma(-beta b))/2   Chen et al. 2024, arXiv:2402.05369
 *   sppo_hard  (a - 1/(2 beta))^2 + (b + 1/(2 beta))^2                    Wu et al. 2024, arXiv:2405.00675
 *   apo_zero   1 - sigma(beta a) + sigma(beta b)                          D'Oosterlinck et al. 2024, arXiv:2408.06266
 *   apo_down   sigma(beta a) + 1 - sigma(beta h)                          the same
 *   simpo      sigmoid's with beta (s/n - s'/n') - gamma for beta h       Meng et al. 2024, arXiv:2405.14734
 *   orpo       -s/n - beta log sigma(log odds(s/n) - log odds(s'/n')), odds(x) = e^x / (1 - e^x)
 *                                                                         Hong et al. 2024, arXiv:2403.07691
 *   kto        desirable: w_d (1 - sigma(beta (a - z))), undesirable: w_u (1 - sigma(beta (z - a))), z the KL baseline
 *                                                                         Ethayarajh et al. 2024, arXiv:2402.01306
 */
#ifndef REIN_RL_PREFERENCE_H
#define REIN_RL_PREFERENCE_H

#include "rein/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum rein_preference_type {
    REIN_PREFERENCE_SIGMOID,
    REIN_PREFERENCE_SIGMOID_NORM,
    REIN_PREFERENCE_HINGE,
    REIN_PREFERENCE_IPO,
    REIN_PREFERENCE_ROBUST,
    REIN_PREFERENCE_EXO_PAIR,
    REIN_PREFERENCE_BCO_PAIR,
    REIN_PREFERENCE_NCA_PAIR,
    REIN_PREFERENCE_SPPO_HARD,
    REIN_PREFERENCE_APO_ZERO,
    REIN_PREFERENCE_APO_DOWN,
    REIN_PREFERENCE_SIMPO,
    REIN_PREFERENCE_ORPO,
    REIN_PREFERENCE_KTO
} rein_preference_type;
#define REIN_PREFERENCE_CHOICES                                                                                        \
    "sigmoid|sigmoid_norm|hinge|ipo|robust|exo_pair|bco_pair|nca_pair|sppo_hard|apo_zero|apo_down|simpo|orpo|kto"

typedef struct rein_preference_options {
    rein_preference_type loss_type;
    double beta;            /* > 0, inverse of a log-prob */
    double label_smoothing; /* e in [0, 0.5): probability that a preference is the wrong way round */
    double simpo_gamma;     /* >= 0, target margin */
    double desirable_weight, undesirable_weight; /* kto's */
} rein_preference_options;

/** REIN_ERR_USAGE for a beta that is not positive, and for label smoothing out of range, with a loss that has none, or
 *  missing for exo_pair. */
REIN_NODISCARD rein_status rein_preference_check(const rein_preference_options *o);

/** True if the loss compares with a reference policy. */
bool rein_preference_needs_reference(rein_preference_type type);
/** True if it divides log-probs by the number of tokens. */
bool rein_preference_averages(rein_preference_type type);

/** An answer as losses see it. */
typedef struct rein_scored_answer {
    double logp, ref_logp; /* sums over its tokens, nats; ref_logp 0 without a reference */
    int64_t n;             /* tokens, >= 1 */
} rein_scored_answer;

typedef struct rein_preference_loss {
    double loss;
    double d_chosen, d_rejected;           /* of the loss with respect to the sums `logp` */
    double reward_chosen, reward_rejected; /* implicit rewards: beta (s - s_ref); simpo, orpo: beta s/n */
} rein_preference_loss;

/** Loss of one pair; any type but kto. */
void rein_preference_pair(rein_preference_loss *out, const rein_scored_answer *chosen,
                          const rein_scored_answer *rejected, const rein_preference_options *o);

/** kto's loss of one answer: d_chosen and reward_chosen are the answer's, whatever its label. `baseline` is z >= 0 and
 *  takes no gradient. */
void rein_preference_single(rein_preference_loss *out, const rein_scored_answer *answer, bool desirable,
                            double baseline, const rein_preference_options *o);

/** -log sigma(x), and its slope -sigma(-x): the reward model's loss of a margin x (Bradley and Terry 1952). */
double rein_logistic_loss(double x);
double rein_logistic_slope(double x);

#endif
