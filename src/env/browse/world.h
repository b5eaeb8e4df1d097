/*
 * What the worlds in a browser share: episodes of actions on pages. A world says where a task begins; its pages (or a
 * script put into them) say how it stands, through window.world:
 *
 *   world.start(argument)   begins the episode
 *   world.state(options)    {done, raw, goal, page}: raw is the reward of a task that is done, from -1 to 1; page from
 * page.js world.oracle()          the action that an expert takes now, or null
 */
#ifndef REIN_ENV_BROWSE_WORLD_H
#define REIN_ENV_BROWSE_WORLD_H

#include "browser/browser.h"
#include "rein/env.h"

/** What an episode may find of the one before it in its slot. */
typedef enum rein_browse_rest {
    REIN_BROWSE_SAME_PAGE, /* the page, as it was left: it begins like new */
    REIN_BROWSE_RELOADED,  /* what a page loaded anew keeps: storage, history */
    REIN_BROWSE_NOTHING
} rein_browse_rest;

/** Where a task begins. */
typedef struct rein_browse_place {
    char url[200];
    char name[100];     /* of the page or site, for people */
    char argument[200]; /* of world.start, JavaScript */
    rein_browse_rest rest;
} rein_browse_place;

/** First member of every world in a browser. */
typedef struct rein_browse_world {
    rein_env env;
    rein_browser *browser;
    const char *script; /* defines window.world on a page that was just loaded; NULL: the pages have it */
    const char *origin; /* "http://site.test/": goto stays below; NULL: a task never leaves its page */
    int64_t max_steps, max_chars;
    double invalid_penalty;
    void (*place)(const rein_env *env, const rein_task *task, rein_browse_place *out);
} rein_browse_world;

extern const rein_turns rein_browse_turns;

/** The prompt of all worlds: how to act. */
rein_status rein_browse_prompt(const rein_env *env, const rein_task *task, struct rein_str *out);
rein_status rein_browse_messages(const rein_env *env, const rein_task *task, struct rein_str *out,
                                 struct rein_str *tools);

/** Seeds of problems by split: evaluation never meets training's, and the published list neither's. */
enum { REIN_BROWSE_TRAIN_SEEDS = 900000, REIN_BROWSE_EVAL_END = 1000000, REIN_BROWSE_FIXED_EACH = 20 };
/** The problem of kind `which` in its `round`; n_train <= REIN_BROWSE_TRAIN_SEEDS different ones to train on. */
int64_t rein_browse_problem(uint64_t seed, rein_split split, int64_t which, int64_t round, int64_t n_train);

#endif
