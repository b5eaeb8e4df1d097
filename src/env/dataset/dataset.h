/*
 * The environment "dataset": a task is a row of a JSONL file, its reward the weighted sum of reward functions that see
 * the answer and the row's columns.
 *
 * Rows are prompts as text or conversations (TRL's prompt-only and prompt-completion formats, and messages, whose last
 * assistant turns are then the solution and are cut off). Training goes through the rows in epochs, each in an order of
 * its own that is a pure function of the seed. Held-out rows come from another file, or are those rows whose prompt's
 * hash falls below eval_fraction: the same prompt is never in both.
 */
#ifndef REIN_ENV_DATASET_DATASET_H
#define REIN_ENV_DATASET_DATASET_H

#include "base/option.h"
#include "rein/env.h"

/** Values of the class's options. */
typedef struct rein_dataset_config {
    const char *train, *eval;                  /* files; eval NULL: none but eval_fraction's */
    const char *reward_funcs, *reward_weights; /* see reward/reward.h */
    double eval_fraction;                      /* of the prompts of `train` */
    double reward_timeout;                     /* seconds a program has for a batch */
    bool shuffle_dataset;
    const struct rein_reward_host *host; /* no option: who runs reward models; NULL: nobody */
} rein_dataset_config;

extern const rein_env_class rein_dataset_class;

#endif
