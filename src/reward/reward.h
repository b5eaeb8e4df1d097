/*
 * Reward functions on the rows of a dataset: what an answer is worth, as named components with weights.
 *
 * A list of functions is one line of text, in TRL's names where TRL has the function:
 *
 *   accuracy_reward,think_format_reward            two functions
 *   soft_overlong(max_completion_len=256,soft_punish_cache=64)   with parameters; also soft_overlong:key=value;key=value
 *   model:DIR                                      a reward model, where a host is there to run it: rein_rewards_bind
 *   style=process:python3 judge.py --strict        a program of the user's; NAME= in front renames a function
 *
 * A function may have nothing to say about a row: its reward is then missing (NaN here), is left out of the weighted
 * sum and counted, and is never a zero. Functions see the row, the answer's text and its token ids; never a model.
 */
#ifndef REIN_REWARD_REWARD_H
#define REIN_REWARD_REWARD_H

#include <json-c/json.h>

#include "base/base.h"

enum { REIN_REWARD_FUNCS = 16, REIN_REWARD_NAME = 32 };

/** One answer to one row. */
typedef struct rein_reward_answer {
    struct json_object *row; /* all columns; borrowed */
    const char *text;        /* (len) the answer without its end token; need not be UTF-8 */
    size_t len;
    const int32_t *ids;      /* (n_ids) as sampled, end token included; NULL: not sampled, only text */
    int64_t n_ids;
} rein_reward_answer;

/** What a function judges. Of the functions of a list the first that judges correctness decides over `success`. */
typedef enum rein_reward_judges { REIN_JUDGES_OTHER, REIN_JUDGES_FORMAT, REIN_JUDGES_CORRECT } rein_reward_judges;

typedef struct rein_rewards rein_rewards; /* constant once open: threads may share one */

/**
 * Open a list of reward functions.
 *
 * @param[out] out      caller owns.
 * @param      funcs    the list.
 * @param      weights  "1,0.5": one a function; NULL: all 1.
 * @param      timeout  seconds that a program has for one batch.
 * @return REIN_ERR_USAGE naming the function, parameter and value that are wrong.
 */
REIN_NODISCARD rein_status rein_rewards_open(rein_rewards **out, const char *funcs, const char *weights,
                                             double timeout);
void rein_rewards_close(rein_rewards *r);

/** Who runs the models of model:DIR: this folder never sees one. */
typedef struct rein_reward_host {
    rein_status (*open)(void **state, const char *path, void *user);
    rein_status (*score)(double *out, void *state, const rein_reward_answer *answer, int64_t n); /* out (n) */
    void (*close)(void *state);
    void *user;
} rein_reward_host;

/** Open the models of a list; to be called once, before scoring. `host` NULL: REIN_ERR_USAGE if there is one. */
REIN_NODISCARD rein_status rein_rewards_bind(rein_rewards *r, const rein_reward_host *host);

/** Soft punishment of long answers of n tokens: 0 up to most - cache, then down to -1 at `most` and beyond; cache >= 0.
 *  Equation 13 of DAPO, Yu et al. 2025, arXiv:2503.14476. */
double rein_soft_overlong(int64_t n, int64_t most, int64_t cache);

int64_t rein_rewards_count(const rein_rewards *r);
/** Name for metrics, as in TRL: rewards/NAME/mean. Lives as long as `r`. */
const char *rein_rewards_name(const rein_rewards *r, int64_t k);
double rein_rewards_weight(const rein_rewards *r, int64_t k);
rein_reward_judges rein_rewards_judges(const rein_rewards *r, int64_t k);

/**
 * Score answers.
 *
 * @param[out] reward  (n, count) before weighting; NaN: the function has nothing to say about the row.
 * @return REIN_ERR_FORMAT naming function, column and what is wrong with it; REIN_ERR_ARG if a function counts tokens
 *         and there are none; REIN_ERR_IO if a program crashed, was too slow or wrote something else than rewards;
 *         REIN_ERR_NUMERIC for a reward that is not finite.
 */
REIN_NODISCARD rein_status rein_rewards_score(double *reward, const rein_rewards *r, const rein_reward_answer *answer,
                                              int64_t n);

#endif
