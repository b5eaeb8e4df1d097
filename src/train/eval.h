/*
 * Evaluation: models and the environment's reference policies on the same cases.
 *
 * Cases are the held-out tasks 0 .. n-1 of a seed (or the environment's published list); a model answers each of them
 * num_samples times at one temperature, a reference policy once. Policies are paired by case.
 */
#ifndef REIN_TRAIN_EVAL_H
#define REIN_TRAIN_EVAL_H

#include "base/hash.h"
#include "rein/env.h"
#include "rollout/episodes.h"
#include "run/run.h"
#include "tensor/device.h"

typedef struct rein_eval_args {
    const char *env;            /* environment spec, see env/open.h */
    const char *const *name;    /* (n_model) policies' names */
    const char *const *path;    /* (n_model) directories, checkpoints or runs */
    int64_t n_model;
    rein_split split;           /* REIN_SPLIT_EVAL or REIN_SPLIT_FIXED */
    int64_t cases, num_samples, max_new_tokens, batch;
    int64_t env_slots, max_turn_tokens; /* where tasks take several turns: episodes at once, tokens of a turn */
    int64_t max_model_length;   /* rein_model_options.max_pos of every model */
    uint64_t seed;
    double temperature;         /* 0: greedy */
    rein_prompt_chat_args chat; /* prompts as conversations, see rollout/prompt.h */
} rein_eval_args;

/** One answer. */
typedef struct rein_answer {
    int64_t index, sample;
    rein_score score;
    rein_str text, details;
} rein_answer;

typedef struct rein_policy_result {
    char name[64];
    rein_role role;
    char weights[REIN_XXH_HEX]; /* "" for a reference policy */
    int64_t n;                  /* answers: cases * samples */
    rein_answer *answer;
} rein_policy_result;

typedef struct rein_evaluation {
    rein_env *env; /* names of rewards and metrics live in it */
    rein_slots slots; /* of an environment that has turns */
    int64_t n_case, n_policy;
    rein_task *task; /* (n_case) */
    rein_policy_result *policy;
} rein_evaluation;

/** REIN_ERR_MISMATCH "same model" if two models have the same weights. `detail` shows progress and may be NULL. */
REIN_NODISCARD rein_status rein_evaluate(rein_evaluation *out, const rein_eval_args *args, rein_device *dev,
                                         void (*detail)(void *user, const char *text), void *user);
void rein_evaluation_deinit(rein_evaluation *e);

/** Store everything as one evaluation `name` of a run. */
REIN_NODISCARD rein_status rein_evaluation_store(const rein_evaluation *e, rein_rundir *run, const char *name,
                                                 const char *about);

/** Means over the answers of a policy. */
typedef struct rein_policy_summary {
    double reward, success_rate, format_rate;
    rein_named metric[REIN_SCORE_PARTS]; /* means of the environment's metrics over well-formed answers */
    int n_metric;
} rein_policy_summary;
void rein_policy_summarize(rein_policy_summary *out, const rein_policy_result *p);

#endif
