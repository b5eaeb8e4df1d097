/*
 * Loss and advantage cases as JSON objects under TRL's names: what `rein loss` computes and the golden tests compare.
 *
 * A case has "name", "options" and one of these:
 *
 * - Advantages: "rewards_per_func" (rows, one number a function; null: it said nothing) and "G". Options are those of
 *   rl/advantage_rows.h, "reward_weights" and "reward_clip_range" [low, high]. With rows of one number a token,
 *   "completion_mask" and if given "tool_mask", advantages per token follow; opo, reinforce_plus_plus and gae need
 *   them. Further rows: "kl" (estimates of the KL to the reference; kl_coef needs them), "values" (gae needs them),
 *   "turns" (numbers; a step of gae is then a turn); "bootstrap_values": one a sequence, 0 where it ended by itself.
 * - A policy loss. Rows of one number a token: "logp", "completion_mask"; if given "tool_mask" (they are multiplied),
 *   "old_logp" (else on-policy), "ref_logp", "entropy", "sampling_logp". "advantages" and "importance_sampling_ratio":
 * one number a token, or one a sequence (the latter as rows of one number). Counts, which else are those of the arrays:
 *   "num_items_in_batch" (tokens of the generation batch), "num_sequences_in_batch", "max_completion_length",
 *   "gradient_accumulation_steps", "steps_per_generation", "num_processes" (whose gradients are averaged).
 *   "last_world_entropy": what adaptive entropy has seen last. Options are those of rl/loss_rows.h. A case is one
 *   micro-batch: its "policy_loss" is, as TRL logs it, not divided by gradient_accumulation_steps; "dlogp" and
 * "dentropy" are. clip_cov draws with seed, step and micro-batch 0.
 *
 * An option that is not known is an error, never ignored.
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
    rein_entropy_control control; /* after the update */
    float *dlogp, *dentropy;      /* as the batch's arrays; dentropy is NULL without an entropy bonus */
    rein_loss_metrics metrics;

    /* advantages: n_func >= 1 */
    rein_advantage_args args;
    double *advantage;  /* (N) */
    rein_moments *func; /* (n_func) */
    rein_advantage_stats stats;
    rein_token_rows tokens;            /* mask is NULL if there are none */
    double *token_advantage, *returns; /* flat; returns is NULL unless the estimator has them */
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
