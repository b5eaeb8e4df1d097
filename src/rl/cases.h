/*
 * Loss and advantage cases as JSON objects under TRL's names: what `rein loss` computes and the golden tests compare.
 *
 * A case has "options" and either "rewards_per_func" with "G" (advantages) or "logp", "old_logp" ... (a policy loss).
 * An option or an array that is not implemented is an error, never ignored.
 */
#ifndef REIN_RL_CASES_H
#define REIN_RL_CASES_H

#include "base/json.h"
#include "rl/advantage.h"
#include "rl/loss.h"

/** A case and its results; which half is filled says n_func. */
typedef struct rein_rl_case {
    const char *name;

    /* policy loss: n_func is 0 */
    rein_loss_options options;
    rein_loss_scope scope;
    rein_loss_batch batch;
    float *dlogp; /* as the batch's arrays */
    rein_loss_metrics metrics;

    /* advantages: n_func >= 1 */
    rein_advantage_args args;
    double *advantage;  /* (N) */
    rein_moments *func; /* (n_func) */
    rein_advantage_stats stats;
} rein_rl_case;

/**
 * Read a case and compute it.
 *
 * @param arena  owns the arrays of *out; strings are borrowed from obj.
 * @return REIN_ERR_USAGE for an unknown option, REIN_ERR_FORMAT for arrays that do not fit each other, and what the
 *         loss or the advantages return.
 */
REIN_NODISCARD rein_status rein_rl_case_run(rein_rl_case *out, rein_arena *arena, struct json_object *obj);

/** The case's results as one JSON object: name, loss and dlogp, or advantages; metrics. */
void rein_rl_case_write(const rein_rl_case *c, rein_str *out);

#endif
