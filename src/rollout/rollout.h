/*
 * Rollouts: tasks of an environment, answered G times each by the model and scored. The only place that sees both an
 * environment (text) and the sampler (token ids). Order is by id (prompt, sample), never by completion time.
 */
#ifndef REIN_ROLLOUT_ROLLOUT_H
#define REIN_ROLLOUT_ROLLOUT_H

#include "gen/generate.h"
#include "rein/env.h"
#include "rollout/episodes.h"
#include "text/tokenizer.h"

typedef struct rein_rollout_setup {
    const rein_model *model;
    const rein_tokenizer *tokenizer;
    const rein_env *env;
    const rein_prompt_chat *chat; /* NULL: prompts are text */
    const rein_slots *slots;      /* of an environment that has turns: as many episodes at once */
    int64_t max_turn_tokens;      /* the same */
    rein_gen_options gen; /* sampling, length, end tokens, seed, stream, step */
    int64_t G;            /* answers a task */
    uint32_t first_id;    /* the sampler's counter of the first task; the others follow */
} rein_rollout_setup;

/** What was asked, said and scored. Answers of task p are sequences [p * G, (p + 1) * G) of gen. */
typedef struct rein_rollouts {
    int64_t P, G;
    rein_task *task;     /* (P) */
    rein_str *prompt;    /* (P) text */
    rein_ids *prompt_ids;/* (P) */
    rein_gen gen;
    rein_str *text;      /* (P * G) the answer without its end token; of an episode, all that was said in it */
    rein_score *score;   /* (P * G) */
    rein_transcript *transcript; /* (P * G) of an environment that has turns, else NULL */
} rein_rollouts;

/** Whether answer i is no evidence: its world failed. Its score is all zero. */
static inline bool rein_rollouts_failed(const rein_rollouts *r, int64_t i) {
    return r->transcript && r->transcript[i].failed;
}

/**
 * Answer `tasks` and score the answers.
 *
 * @return REIN_ERR_MISMATCH if a group's answers were not scored against one task; REIN_ERR_NUMERIC if a score is not
 *         finite or its components do not add up to its total; REIN_ERR_IO if a world fails twice before an episode begins.
 */
REIN_NODISCARD rein_status rein_rollouts_collect(rein_rollouts *out, const rein_rollout_setup *setup, const rein_task *tasks,
                                        int64_t P, rein_gen_progress progress, void *user);
void rein_rollouts_deinit(rein_rollouts *r);

/** Exchange group p of a with group q of b; both of the same group size. Memory of a's samples may then belong to b: both
 *  must live as long as either is read. */
void rein_rollouts_swap(rein_rollouts *a, int64_t p, rein_rollouts *b, int64_t q);

/** A score's components add up to its total exactly, and everything in it is finite (but a missing reward, which is NaN
 *  in `func` and no component). */
REIN_NODISCARD rein_status rein_score_check(const rein_score *s);

/** Text of an answer: its tokens without a final end token. */
REIN_NODISCARD rein_status rein_answer_text(rein_str *out, const rein_tokenizer *tok, const rein_gen_sequence *seq);

/** Everything sampled and scored as bytes, appended: task keys, ids, log-probs, reward components (and, where there are reward functions, their values). The journal's format
 *  (host byte order), and what a step's commit record hashes. */
REIN_NODISCARD rein_status rein_rollouts_write(const rein_rollouts *r, rein_str *out);

#endif
