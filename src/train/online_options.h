/*
 * What the options of rein grpo, rloo and ppo mean together: checked, and as a step has them.
 */
#ifndef REIN_TRAIN_ONLINE_OPTIONS_H
#define REIN_TRAIN_ONLINE_OPTIONS_H

#include "optim/value_schedule.h"
#include "rl/advantage.h"
#include "rl/curriculum.h"
#include "rl/kl_control.h"
#include "rl/loss.h"
#include "train/args.h"
#include "train/online.h"

/** Options whose value is a schedule. */
typedef enum rein_online_scheduled {
    REIN_AT_TEMPERATURE,
    REIN_AT_LENGTH, /* max_completion_length */
    REIN_AT_BETA,
    REIN_AT_EPSILON,
    REIN_AT_ENTROPY_COEF,
    REIN_AT_COUNT
} rein_online_scheduled;

typedef struct rein_online_options {
    /* as rein_online_options_at set them */
    double temperature, beta;
    int64_t max_completion_length;
    rein_loss_options loss;        /* beta: 0 where the KL is not a term of the loss' own */
    rein_advantage_options credit; /* kl_coef: 0 where the KL is not in the reward */
    /* of the run */
    rein_value_schedule schedule[REIN_AT_COUNT];
    rein_curriculum_options curriculum;
    rein_kl_control_options kl_control;
    rein_kl_cap_options kl_cap;
    rein_kl_estimator kl_estimator;
    bool full_kl; /* the loss has the exact KL over the vocabulary */
    bool needs_ref;
} rein_online_options;

/** Values of `curriculum` behind those of rl/curriculum.h. */
enum { REIN_ONLINE_RADIUS = REIN_CURRICULUM_UED + 1 };

/** The curriculum chooses from a pool of tasks. */
bool rein_online_has_pool(const rein_train_args *args);
/** How many tasks were drawn before a step does not follow from its number. */
bool rein_online_counts_tasks(const rein_train_args *args);

/** The command's bit in the option table, and its name. */
unsigned rein_online_use(rein_online_kind kind);
const char *rein_online_name(rein_online_kind kind);

/** Read and check. REIN_ERR_USAGE, with the rule, for values that do not go together and for options that nothing
 * reads. */
REIN_NODISCARD rein_status rein_online_options_init(rein_online_options *o, rein_online_kind kind,
                                                    const rein_train_args *args);

/** Set what is scheduled to its value in step `step` (from 0) of `steps`. */
void rein_online_options_at(rein_online_options *o, const rein_train_args *args, int64_t step, int64_t steps);

#endif
