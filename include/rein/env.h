/*
 * Environments: worlds that can score what a model says.
 *
 * An environment hands out tasks (pure functions of seed, split and index), states each as text, can say what a teacher
 * would answer, and scores an answer. It sees text, never a model; the token ids of an answer are there only for
 * rewards that are defined by them (lengths, n-grams). The text of a model is untrusted input. All arithmetic is double
 * precision with rein's own elementary functions, so a score has the same bits everywhere. Environments are immutable
 * after create and may be shared between threads.
 *
 * A world in which a task takes several turns also has episodes (rein_env_class.turns): what the model says is an action,
 * the world answers with an observation, until the episode ends. Episodes live in slots, each used by one thread at a time;
 * an episode's observations are a pure function of its task, its seed and its actions, whatever the slot and its past.
 */
#ifndef REIN_ENV_H
#define REIN_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/status.h"

struct rein_option; /* base/option.h: the environment's options */
struct rein_str;    /* base/base.h: growing text */

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rein_split { REIN_SPLIT_TRAIN, REIN_SPLIT_EVAL, REIN_SPLIT_FIXED } rein_split;

enum { REIN_TASK_NUMBERS = 8, REIN_SCORE_PARTS = 16 };

/** One problem. `key` identifies it: equal keys, equal problems; a GRPO group is G answers to one key. */
typedef struct rein_task {
    uint64_t key;
    int64_t index;
    double number[REIN_TASK_NUMBERS]; /* the environment's own, e.g. the initial state */
} rein_task;

typedef struct rein_named {
    const char *name; /* static string */
    double value;
} rein_named;

/** What an answer was worth. total is the sum of the components in their order, exactly. */
typedef struct rein_score {
    double total;
    int n_component, n_metric;
    rein_named component[REIN_SCORE_PARTS]; /* named parts of the reward */
    rein_named metric[REIN_SCORE_PARTS];    /* facts that are no reward: cost, final_error, violations ... */
    /* The reward functions behind the components, if the reward is a weighted sum of such: before weighting, NaN where a
     * function has nothing to say about the task. The components are then weight * value of those that have something to
     * say; n_component is 0 if none has. n_func is 0 for any other reward. */
    int n_func;
    rein_named func[REIN_SCORE_PARTS];
    double weight[REIN_SCORE_PARTS];
    bool format_ok; /* the answer followed the grammar */
    bool success;   /* the environment's own definition, never "parseable" */
    const char *error; /* NULL, or why the answer is malformed (static string) */
} rein_score;

/** An answer to a task. */
typedef struct rein_reply {
    const rein_task *task;
    const char *text; /* (len) without its end token */
    size_t len;
    const int32_t *ids; /* (n_ids) as sampled, end token included; NULL: not sampled */
    int64_t n_ids;
} rein_reply;

typedef struct rein_env rein_env;

/** What the world says after a reset or an action. Texts belong to the episode until its next call. */
typedef struct rein_observation {
    const char *text; /* (len) what the model reads next; untrusted. After a reset: the opening, "" if the prompt says all */
    size_t len;
    bool terminated;  /* the task is over, solved or not */
    bool truncated;   /* a limit of the world (turns, time) ended the episode */
    bool env_error;   /* the world failed, not the model: the episode ends and is no evidence; `error` says why */
    const char *error;/* NULL, or what was wrong with the action or with the world, for people and counts */
    rein_score score; /* what this action earned: an episode's reward is the sum over its actions, component by component;
                         metrics, format_ok and success are those of the last one */
} rein_observation;

/** One slot of a world: an episode at a time. First member of the world's own struct. */
typedef struct rein_episode {
    const rein_env *env;
    int slot;
} rein_episode;

struct pollfd;

/** Episodes. `reset` and `step` start something; `poll` tells when it is done. Errors (status) end the run: they are for
 *  what no retry mends. Whatever the model says, and a world that breaks, are observations. */
typedef struct rein_turns {
    /** Slot numbers count from 0; what a slot holds (a process, a folder, a browser context) is made here. */
    rein_status (*open)(const rein_env *env, int slot, rein_episode **out);
    void (*close)(rein_episode *ep);
    /** Begin an episode. The prompt of the task (messages or prompt) and the opening are what the model sees first. */
    rein_status (*reset)(rein_episode *ep, const rein_task *task, uint64_t seed);
    /** Act: the model's text of one turn, without its end token. Anything goes. */
    rein_status (*step)(rein_episode *ep, const char *action, size_t len);
    /** Is the last reset or step done? Waits up to wait_ms (-1: until it is). *out is set where *ready. */
    rein_status (*poll)(rein_episode *ep, int wait_ms, rein_observation *out, bool *ready);
    /** Optional: descriptors that become readable or writable when poll has something to do; returns how many of `most`. */
    int (*descriptors)(const rein_episode *ep, struct pollfd *out, int most);
    /** Optional: the action that an expert would take now, appended: for SFT data and tests. Nothing: it has none. */
    rein_status (*oracle)(rein_episode *ep, struct rein_str *out);
    /** Optional: the JSON Schema or regular expression that the next action must match, appended, for constrained decoding. */
    rein_status (*grammar)(const rein_episode *ep, bool *is_schema, struct rein_str *out);
    /** Optional: one JSON object with all there is to show about the episode so far, appended. */
    rein_status (*describe)(const rein_episode *ep, struct rein_str *out);
    const char *role; /* whose messages observations are: "tool" or "user" */
} rein_turns;

typedef struct rein_env_class {
    const char *name, *summary;
    const struct rein_option *options; /* table of the configuration struct */
    int64_t n_options;
    size_t config_size;

    rein_status (*create)(rein_env **out, const void *config);
    void (*destroy)(rein_env *env);

    /** Task `index` of a split. TRAIN and EVAL never share a key; FIXED is a published list (REIN_ERR_ARG past its end). */
    rein_status (*task)(const rein_env *env, uint64_t seed, rein_split split, int64_t index, rein_task *out);
    int64_t (*fixed_count)(const rein_env *env);

    /** Optional: how hard a task is, from 0 to 1 within this environment; what curricula go by. */
    rein_status (*difficulty)(const rein_env *env, const rein_task *task, double *out);

    /** Optional: the prompt as a conversation, a JSON array of messages, appended; and what the column "tools" is to a
     *  chat template, a JSON array, appended if there is one. Nothing in `out`: this task's prompt is text. */
    rein_status (*messages)(const rein_env *env, const rein_task *task, struct rein_str *out, struct rein_str *tools);
    /** The prompt as text, appended. */
    rein_status (*prompt)(const rein_env *env, const rein_task *task, struct rein_str *out);
    /** Optional. A teacher's answer (without end-of-sequence), appended. `draw` selects among its variants, e.g. operator skill. */
    rein_status (*demonstrate)(const rein_env *env, uint64_t seed, const rein_task *task, int64_t draw,
                               struct rein_str *out);
    /** Score an answer. Malformed text is a score, not an error. NULL where there are turns. */
    rein_status (*score)(const rein_env *env, const rein_task *task, const char *text, size_t len, rein_score *out);

    /** Optional, used instead of `score` where it is there: score n answers at once, out (n). */
    rein_status (*score_all)(const rein_env *env, const rein_reply *reply, int64_t n, rein_score *out);

    /** Reference policies that stand beside the model, e.g. "lqr", "zero", "teacher"; NULL-ended. */
    const char *const *baselines;
    rein_status (*baseline)(const rein_env *env, uint64_t seed, const rein_task *task, int which, struct rein_str *out);

    /** One JSON object with all there is to plot about an answer (states, controls ...), appended. */
    rein_status (*describe)(const rein_env *env, const rein_task *task, const char *text, size_t len,
                            struct rein_str *out);

    const rein_turns *turns; /* NULL: a task is one question and one answer */
    size_t host_offset; /* of a `const struct rein_reward_host *` in the configuration: who runs reward models; 0: none */
} rein_env_class;

/** First member of every environment's struct. */
struct rein_env {
    const rein_env_class *cls;
};

/** All environments of this build, NULL-ended. */
const rein_env_class *const *rein_env_classes(void);
/** By name, or NULL. */
const rein_env_class *rein_env_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
