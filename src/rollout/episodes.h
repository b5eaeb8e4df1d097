/*
 * Episodes of several turns: the slots of a world, kept for a whole run, and what was said in each episode.
 *
 * A world that fails (rein_observation.env_error) is tried once more: a new episode, the same actions, and what it then says
 * must be what it said before. Failing again, the episode is over and no evidence: `failed`.
 */
#ifndef REIN_ROLLOUT_EPISODES_H
#define REIN_ROLLOUT_EPISODES_H

#include "base/base.h"
#include "gen/generate.h"
#include "rein/env.h"
#include "rollout/turns.h"

/** Slots of a world. Zero-initialised: none. */
typedef struct rein_slots {
    const rein_env *env;
    rein_episode **episode; /* (n) */
    int64_t n;
} rein_slots;

/** Open `n` slots; the environment must have turns. */
REIN_NODISCARD rein_status rein_slots_open(rein_slots *out, const rein_env *env, int64_t n);
void rein_slots_close(rein_slots *slots);

/** One exchange. */
typedef struct rein_exchange {
    rein_str action, observation;
    double reward;
    rein_str error; /* what was wrong with the action; empty: nothing */
} rein_exchange;

/** An episode as it went. */
typedef struct rein_transcript {
    rein_str opening;
    rein_exchange *turn; /* (n) */
    int64_t n, cap;
    rein_score score; /* sum of the turns' */
    bool terminated, truncated, failed;
    rein_str details; /* the world's own description, JSON, or empty */
} rein_transcript;

void rein_transcript_deinit(rein_transcript *t);
/** As a JSON object, appended: {"opening","turns":[{"action","observation","reward","error"}],"terminated","truncated",
 *  "failed","world"}. */
REIN_NODISCARD rein_status rein_transcript_write(const rein_transcript *t, rein_str *out);

/** Begin an episode of a task in a slot and hear its opening; *t is replaced. A world that fails twice: t->failed. */
REIN_NODISCARD rein_status rein_episode_open(rein_episode *ep, const rein_task *task, rein_transcript *t);

/** Acts for a whole episode: append the next action. */
typedef rein_status (*rein_policy)(void *user, rein_episode *ep, const rein_transcript *so_far, rein_str *action);
/** A whole episode with a policy that needs no tokens (an expert, a constant one). */
REIN_NODISCARD rein_status rein_episode_play(rein_episode *ep, const rein_task *task, rein_policy policy, void *user,
                                             rein_transcript *t);
/** The environment's expert as a policy; `user` is not read. */
REIN_NODISCARD rein_status rein_policy_oracle(void *user, rein_episode *ep, const rein_transcript *so_far,
                                              rein_str *action);

/* ---- with a model ---- */

typedef struct rein_seat rein_seat;

/** The world of one rein_generate: sequence i answers task[i / G] and is told in transcript[i]. */
typedef struct rein_stage {
    const rein_slots *slots;
    const rein_tokenizer *tokenizer;
    const rein_turn_format *format;
    const rein_gen *gen;
    const rein_task *task;
    int64_t G;
    rein_transcript *transcript; /* (P * G), with the openings that the prompts were made of */
    rein_seat *seat;             /* (slots->n) */
    rein_ids ids;                /* of the last answer */
    rein_gen_world world;
} rein_stage;

/** s's first members are set; makes s->world. */
REIN_NODISCARD rein_status rein_stage_init(rein_stage *s, int64_t max_turn_tokens);
void rein_stage_deinit(rein_stage *s);

#endif
