/*
 * What all training loops share: the model with its optimiser state, the update, checkpoints and their resumption.
 *
 * A trainer's state after step K is the weights, the optimiser's state, K itself and, if the run goes by a metric, what
 * best.h keeps; every step is a pure function of that state, the options and the data, so a run resumed from a checkpoint
 * repeats itself bit for bit.
 */
#ifndef REIN_TRAIN_TRAINER_H
#define REIN_TRAIN_TRAINER_H

#include "base/hash.h"
#include "io/model_text.h"
#include "model/leaf.h"
#include "optim/optim.h"
#include "run/run.h"
#include "text/tokenizer.h"
#include "train/args.h"
#include "train/best.h"
#include "train/policy.h"

/** How a loop speaks to whoever shows progress; any member may be NULL. */
typedef struct rein_train_watch {
    void (*begin)(void *user, const char *label, int64_t step, int64_t steps);
    void (*step)(void *user, int64_t step, const char *line);
    void (*detail)(void *user, const char *text);
    void *user;
} rein_train_watch;

/** What a loop keeps in checkpoints beside the trainer's own state: written into, and read from, a checkpoint's folder. */
typedef struct rein_trainer_more {
    rein_status (*save)(void *user, const char *dir);
    rein_status (*load)(void *user, const char *dir);
    void *user;
} rein_trainer_more;

typedef struct rein_trainer {
    const rein_train_args *args;
    const rein_train_watch *watch;
    rein_device *dev;          /* borrowed */
    rein_model *model;
    rein_tokenizer *tokenizer;
    rein_model_texts texts;    /* of the model that was started from: checkpoints have them too */
    rein_optim *optim;
    rein_best best;
    float *before;             /* weights before the update; NULL unless log_params_changed */
    rein_grads grads;
    rein_leaf leaf;
    int64_t step, steps;       /* optimiser steps done, and of the whole run */
    int64_t updates, skipped;  /* applied (the optimiser's own count) and refused updates so far */
    int64_t tokens;            /* trained so far */
    rein_rundir *run;          /* NULL while a step is only checked */
    rein_trainer_more more;    /* zeroed: nothing */
} rein_trainer;

/** Take over `model` and `tokenizer` (both owned from here on, also on failure). REIN_ERR_USAGE for options of the optimiser
 *  or of early stopping that cannot be. */
REIN_NODISCARD rein_status rein_trainer_init(rein_trainer *t, const rein_train_args *args, rein_device *dev,
                                             rein_model *model, rein_tokenizer *tokenizer,
                                             const rein_train_watch *watch);
void rein_trainer_deinit(rein_trainer *t);

typedef struct rein_update {
    double grad_norm, learning_rate;
    double frac_changed; /* share of trained parameters that changed; with log_params_changed only */
    bool skipped;
} rein_update;

/**
 * Clip and apply the gradient in t->grads as step t->step + 1.
 *
 * A norm that is not finite refuses the update: weights and optimiser stay, `skipped` is set and counted, and beyond
 * max_skipped_updates the status is REIN_ERR_NUMERIC.
 */
REIN_NODISCARD rein_status rein_trainer_update(rein_trainer *t, rein_update *out);

/**
 * The metrics of a step, before it is logged, or of an evaluation (names begin with "eval_"): what goes by
 * metric_for_best_model takes its value from them. REIN_ERR_USAGE if they should have it and do not.
 */
REIN_NODISCARD rein_status rein_trainer_observe(rein_trainer *t, const rein_named *metric, int64_t n);

/** True if all steps are done or early stopping ended the run. */
bool rein_trainer_done(const rein_trainer *t);

/** Draw the adapter's dropout anew for the next passes of the leaf, as a function of seed, step and iteration. */
void rein_trainer_dropout(rein_trainer *t, int64_t step, int64_t iteration);

/** Hashes of gradient, weights and optimiser for the commit record. */
void rein_trainer_commit(const rein_trainer *t, rein_commit *c);
void rein_commit_add(rein_commit *c, const char *name, const void *bytes, size_t len);

/** checkpoint-K with model, tokenizer, optimiser and trainer_state.json; if it is time or the end. save_total_limit never
 *  removes the best one. */
REIN_NODISCARD rein_status rein_trainer_checkpoint(rein_trainer *t);
/** Load a verified checkpoint's weights, optimiser and counters. */
REIN_NODISCARD rein_status rein_trainer_restore(rein_trainer *t, const char *dir);

/** The files of a checkpoint, without its manifest, in an existing folder: of a model that is trained beside the run's. */
REIN_NODISCARD rein_status rein_trainer_save(rein_trainer *t, const char *dir);
REIN_NODISCARD rein_status rein_trainer_load(rein_trainer *t, const char *dir);

/** Create the run, or (resume_from_checkpoint) open it, restore its newest checkpoint and roll back to it. */
REIN_NODISCARD rein_status rein_trainer_open_run(rein_trainer *t, const char *kind, const char *config_yaml);

/** Facts that every training run records: model, tokenizer and start hashes, parameters, environment; at its end, with
 *  load_best_model_at_end, best_model_checkpoint: what the run stands for from then on. */
REIN_NODISCARD rein_status rein_trainer_note(rein_trainer *t);

#endif
