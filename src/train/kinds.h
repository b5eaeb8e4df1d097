/*
 * The kinds of training runs, one row each: what a command, a resumed run and `rein verify` know of a training loop.
 */
#ifndef REIN_TRAIN_KINDS_H
#define REIN_TRAIN_KINDS_H

#include "train/trainer.h"

typedef struct rein_train_kind {
    const char *name; /* the command's and, in its records, the run's */
    unsigned use;     /* its bit in the option table */
    bool samples;     /* its steps have rollouts in the journal */
    /** Run to the end, or resume; `config_yaml` is stored. The run's newest checkpoint is the result. */
    rein_status (*run)(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                       const rein_train_watch *watch);
    /** Redo the steps after `checkpoint` (NULL: from the start) up to `step` in memory; *out is that step's commit record
     *  and `journal`, unless NULL, its rollouts as bytes. */
    rein_status (*replay)(const rein_train_args *args, rein_device *dev, const char *checkpoint, int64_t step,
                          rein_commit *out, rein_str *journal);
} rein_train_kind;

/** The kind of that name, or NULL. */
const rein_train_kind *rein_train_kind_of(const char *name);

#endif
