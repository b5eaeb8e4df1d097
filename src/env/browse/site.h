/*
 * The environment "site": a small web site with a task, drawn from a seed, in a real browser: a shop to order from,
 * documentation to look something up in, settings to change, an account to make. Unlimited training data without
 * anybody's pages; judged by what the visitor did, not by what he said.
 */
#ifndef REIN_ENV_BROWSE_SITE_H
#define REIN_ENV_BROWSE_SITE_H

#include "base/option.h"
#include "env/browse/world.h"

/** Values of the class's options. */
typedef struct rein_site_config {
    const char *kinds;   /* of tasks, with commas between */
    const char *browser; /* program, NULL: where distributions put it */
    int64_t level;       /* 1..3, 0: all */
    int64_t train_seeds, max_steps, max_chars;
    double invalid_penalty, step_deadline;
} rein_site_config;

extern const rein_env_class rein_site_class;

enum { REIN_SITE_KIND, REIN_SITE_SEED, REIN_SITE_LEVEL }; /* of rein_task.number */

extern const char rein_site_js[];

#endif
