/*
 * What the parts of the online training loop (online*.c) share: its state, and the stages of a step in their order.
 *
 * Tokens are indexed in two ways: within a mini-batch's forest (rein_group_batch), where the model and the losses work,
 * and compactly over all completions of the step (rein_online.rows), where credit is assigned.
 */
#ifndef REIN_TRAIN_ONLINE_LOOP_H
#define REIN_TRAIN_ONLINE_LOOP_H

#include "rl/advantage.h"
#include "rl/loss.h"
#include "rl/value.h"
#include "train/group.h"
#include "train/metrics.h"
#include "train/online.h"
#include "train/online_options.h"

/** Completion tokens of a step in order of id. */
typedef struct rein_online_tokens {
    rein_token_rows rows;                 /* of the N completions */
    double *kl, *advantage, *ret, *value; /* flat */
    double *early;                        /* flat: rewards of turns but the last, at their last tokens; NULL: no turns */
    int32_t *turn;                        /* flat: number of each token's turn; NULL: no turns */
    double *bootstrap; /* (N) value behind the last token of a truncated completion, else 0; NULL: not bootstrapped */
    rein_arena arena;
} rein_online_tokens;

/** What a step carries to the next one beside the trainer's own state; part of checkpoints. */
typedef struct rein_online_state {
    int64_t drawn; /* tasks so far */
    double beta;   /* weight of the KL in force, if kl_ctrl steers it */
    rein_kl_cap_state kl_cap;
    rein_entropy_control entropy;
    rein_value_scale returns; /* with normalize_returns */
} rein_online_state;

/** The tasks that a curriculum chooses from, and what became of them. */
typedef struct rein_online_pool {
    rein_curriculum record;
    uint8_t *level;  /* (curriculum_tasks) mix only */
    int64_t *chosen; /* (P) of the step */
    double *success; /* (P) */
} rein_online_pool;

/** Means over the updates of a step, as TRL's PPO logs them. */
typedef enum rein_online_mean {
    REIN_MEAN_APPROX_KL, /* half the mean square of the log-ratio */
    REIN_MEAN_CLIP,      /* share of tokens whose clipped loss holds */
    REIN_MEAN_POLICY,    /* loss without the value's */
    REIN_MEAN_VALUE,
    REIN_MEAN_VALUE_CLIP,
    REIN_MEAN_ENTROPY,
    REIN_MEAN_RATIO,
    REIN_MEAN_COUNT
} rein_online_mean;

/** What the updates of a step were, for metrics. */
typedef struct rein_online_report {
    rein_advantage_stats reward;
    rein_loss_metrics first; /* of the first pass over the step's completions */
    rein_update update;      /* the last one */
    rein_update critic;      /* the same of a critic of its own */
    double kl_sum;           /* as kl, but a sum over each completion, mean over completions */
    double kl;               /* mean over tokens of the estimator between sampling policy and reference */
    double approx_kl;        /* of the sampling policy to the policy before the last update, k3, mean over tokens */
    double radius;           /* see rein_online_radius */
    double explained;        /* variance of the returns that the values explain; NaN without any */
    double mean[REIN_MEAN_COUNT];
    int64_t updates, passes; /* applied, and computed */
    int64_t dropped, unfilled;
    double seconds[6]; /* rollout, reference, advantages, train, update, eval */
} rein_online_report;

typedef struct rein_online {
    rein_trainer t;
    rein_online_kind kind;
    const rein_env *env;
    rein_slots slots; /* of an environment that has turns */
    rein_prompt_chat chat;
    rein_trainer *critic; /* what has the value function: t itself, own_critic, or NULL */
    rein_trainer own_critic;
    rein_train_args policy_args, critic_args, ref_args; /* args, with what differs for each model */
    rein_model *ref;                                    /* NULL: none */
    rein_leaf ref_leaf;
    rein_online_options opt; /* with what is scheduled as the current step has it */
    rein_online_state state;
    rein_online_pool pool; /* zeroed without a curriculum that chooses */
    int64_t P, G, N;       /* prompts of a step, completions of a prompt, of a step */
    int64_t M, rows;       /* mini-batches of a step, completions of each */
    int32_t eos[REIN_MAX_EOS];
    rein_rollouts rollouts;
    rein_rollouts *spare;    /* (max_resamples) rounds of dynamic sampling; groups of them may be among the rollouts */
    rein_group_batch *batch; /* (M) */
    double *advantage;       /* (N) per completion; of estimators that work on tokens, the rewards */
    rein_online_tokens tokens;
    rein_loss_row *row;        /* (N) of the pass over the step's completions that runs */
    rein_value_row *value_row; /* (N) the same; NULL without a critic */
    rein_online_report report;
    rein_metric_list metrics;
    int64_t n_step_metrics; /* of the step itself; those of an evaluation follow */
    rein_task *eval_task;   /* (eval_tasks) held out; NULL without eval_strategy */
} rein_online;

/** Load policy, reference and chat template; o is zeroed. Pair with rein_online_deinit, also after a failure. */
REIN_NODISCARD rein_status rein_online_init(rein_online *o, rein_online_kind kind, const rein_train_args *args,
                                            const rein_env *env, rein_device *dev, const rein_train_watch *watch);
void rein_online_deinit(rein_online *o);

/* ---- the stages of a step, in their order ---- */

/** Draw the step's tasks, answer and score them; make the mini-batches and the tokens. */
REIN_NODISCARD rein_status rein_online_sample(rein_online *o);

/** What the frozen models say about the answers, and the audit of one of them. */
REIN_NODISCARD rein_status rein_online_judge(rein_online *o);

/** Whether tokens of one completion may have different advantages. */
bool rein_online_per_token(const rein_online *o);
/** Rewards to advantages of every completion and token. */
REIN_NODISCARD rein_status rein_online_credit(rein_online *o);

/** All updates of the step. */
REIN_NODISCARD rein_status rein_online_update(rein_online *o);

/** Gather the step's metrics in o->metrics. */
REIN_NODISCARD rein_status rein_online_measure(rein_online *o);
/** The first answers, as they are kept for reading. */
REIN_NODISCARD rein_status rein_online_keep_completions(rein_online *o);

/* ---- held-out tasks ---- */

/** The tasks of eval_strategy; an error if the environment has not as many. */
REIN_NODISCARD rein_status rein_online_eval_init(rein_online *o);
/** After rein_online_measure: if the step says so, answer the held-out tasks with the policy as it is now and add their
 * metrics as eval_NAME. In a replay only where the run goes by one of them. */
REIN_NODISCARD rein_status rein_online_evaluate(rein_online *o);

/* ---- value function ---- */

/** Values of the answers before the first update, in units of the reward. */
REIN_NODISCARD rein_status rein_online_values(rein_online *o);
/** Whether a limit, not the policy or the world, ended completion i. */
bool rein_online_truncated(const rein_online *o, int64_t i);
/** After credit: targets of the value loss, and how much the values explain of them. */
void rein_online_targets(rein_online *o);
/** Loss of the values of sequences [begin, end) of a mini-batch, and its gradient in b->dvalue; `micro` completions are
 * a logical micro-batch. */
REIN_NODISCARD rein_status rein_online_value_loss(rein_online *o, rein_group_batch *b, int64_t micro, int64_t begin,
                                                  int64_t end);
/** Gradients of a critic of its own over a mini-batch. */
REIN_NODISCARD rein_status rein_online_critic_gradients(rein_online *o, rein_group_batch *b, int64_t micro);

/** Sequences of a mini-batch whose spans take gradient in a part of the leaf: they are consecutive; begin >= end if
 * none. */
void rein_online_sequences(const rein_group_batch *b, const rein_leaf *leaf, int64_t part, int64_t *begin,
                           int64_t *end);

/* ---- curriculum ---- */

REIN_NODISCARD rein_status rein_online_pool_init(rein_online *o);
void rein_online_pool_deinit(rein_online *o);
/** The next n tasks. */
REIN_NODISCARD rein_status rein_online_draw(rein_online *o, rein_task *tasks, int64_t n);
/** Record how the step's tasks went. */
REIN_NODISCARD rein_status rein_online_pool_record(rein_online *o);
/** curriculum radius: the largest difficulty of the step. */
double rein_online_radius(const rein_online *o);

/* ---- reference policy ---- */

/** The weight of the KL as the controller has it, for this step; and the controller's answer to the step. */
void rein_online_set_beta(rein_online *o);
void rein_online_steer_beta(rein_online *o);
/** Whether an update with this KL to the reference may be applied. REIN_ERR_NUMERIC after max_kl_refusals in a row. */
REIN_NODISCARD rein_status rein_online_cap(rein_online *o, double kl, bool *allowed);
/** Move the reference towards the policy, if the step says so. */
REIN_NODISCARD rein_status rein_online_sync(rein_online *o);

/* ---- state ---- */

/** Make checkpoints keep o->state, the moved reference and a critic of its own. */
void rein_online_keep_state(rein_online *o);
/** Hashes of what the step left. */
REIN_NODISCARD rein_status rein_online_commit(const rein_online *o, rein_commit *c);

/* ---- tokens ---- */

/** From an array (n_tok) of each mini-batch's forest to one over the step's tokens. */
typedef const float *(*rein_online_member)(const rein_group_batch *b);
void rein_online_gather(double *out, const rein_online *o, rein_online_member member);
/** The other way: to the member (n_tok) of each mini-batch. */
typedef double *(*rein_online_target)(const rein_group_batch *b);
void rein_online_scatter(const rein_online *o, const double *x, rein_online_target member);

#endif
