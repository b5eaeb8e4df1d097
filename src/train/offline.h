/*
 * The loop of trainings on rows of a file: supervised fine-tuning, preferences, reward models, distillation.
 *
 * A step takes the next units of the epoch's order (a row, a pair of answers, a packed sequence), lays them out as a
 * token forest, runs it forward part by part, asks the kind of training for the gradient of its loss with respect to
 * what the model gave for each token, runs backward, updates, logs and commits. What a step does is a function of the
 * weights, the moments, the options, the data and the step's number, so a resumed run repeats itself bit for bit.
 *
 * Metrics are sums over units divided by sums of weights over units, each by the canonical pairwise tree in the order
 * of the batch: no metric depends on where a batch is cut. Held-out units are measured in the same way and never
 * trained on.
 */
#ifndef REIN_TRAIN_OFFLINE_H
#define REIN_TRAIN_OFFLINE_H

#include "train/dataset.h"
#include "train/metrics.h"
#include "train/trainer.h"

typedef struct rein_offline rein_offline;

enum { REIN_OFFLINE_METRICS = 16 };

/** What a loss reads of a token, as bits of rein_offline.reads. */
enum {
    REIN_READS_LOGP = 1,
    REIN_READS_ENTROPY = 2,
    REIN_READS_MEAN_LOGP = 4,
    REIN_READS_DIVERGENCE = 8,
    REIN_READS_SCORE = 16,
    REIN_READS_BEST = 32
};

/** Gradient of the loss with respect to what was read, (n_tok) each; NULL: it is not read, or (entropy, best) never
 * trained. */
typedef struct rein_offline_gradient {
    float *logp, *mean_logp, *divergence, *score;
} rein_offline_gradient;

/** What a kind of training is. `o` is the loop's state, o->state the kind's own. */
typedef struct rein_offline_class {
    const char *name;          /* of the run's kind */
    const char *const *metric; /* NULL-ended; the first is "loss" */
    unsigned lowest, highest;  /* metrics (bit k: metric k) that are a minimum or a maximum over units, not a mean */
    size_t state_size;
    bool whole; /* the loss of a token needs values of other spans: all parts run forward before any runs back */
    /** The model that training starts from; NULL: rein_start_policy. */
    rein_status (*start)(rein_model **model, rein_tokenizer **tok, const rein_train_args *args, rein_device *dev);
    /** The model is there: check options, set `reads`, read the data with rein_offline_load_rows. */
    rein_status (*load)(rein_offline *o);
    /** Add the n units `unit` (< n_unit: trained on; then held-out ones) to the empty forest, each followed by
     *  rein_offline_unit_end. */
    rein_status (*gather)(rein_offline *o, const int64_t *unit, int64_t n);
    /** The plan is made (may be NULL); before the part's forward pass (may be NULL). */
    rein_status (*begin)(rein_offline *o);
    rein_status (*part)(rein_offline *o, int64_t part);
    /** All values are there: value and weight of every metric of every unit of the batch. */
    rein_status (*measure)(rein_offline *o);
    /** Fill the gradient for the wanted tokens of the part's own spans (-1: of all; then `measure` came before). */
    void (*gradient)(rein_offline *o, int64_t part);
    rein_status (*note)(rein_offline *o); /* further facts of the run; may be NULL */
    void (*close)(rein_offline *o);       /* of whatever is in the state, also after a failure; may be NULL */
} rein_offline_class;

struct rein_offline {
    rein_trainer t;
    const rein_offline_class *cls;
    void *state;
    rein_prompt_chat chat;
    rein_dataset data;
    int64_t *place;         /* (data.n_row) rows to train on, then held-out ones */
    int64_t n_train;        /* the former */
    int64_t n_unit, n_held; /* units to train on: rows, unless load packed them; and rows held out */
    int64_t batch;          /* units of an optimiser step */
    int64_t *order;         /* (n_unit) units of epoch `epoch` */
    int64_t epoch;
    /* the batch */
    int64_t n;          /* units */
    bool held;          /* they are held out */
    int64_t *last_span; /* (n) spans of unit i end here and begin where those of the one before end */
    rein_forest forest;
    rein_forest_plan plan;
    float temperature;    /* of the distributions that are read; 1 unless set by load */
    unsigned reads;       /* bits REIN_READS_ */
    rein_leaf_values out; /* (n_tok) what is read; NULL: it is not */
    rein_offline_gradient grad;
    int64_t cap_tok;
    double *value, *weight; /* (metrics, batch) by unit */
    int64_t n_metric;
    rein_metric_list metrics;
};

/** Read dataset_name and what is held out of it or beside it. Of the options those are taken that a kind decides:
 * format, completion_only, assistant_only, wrap, cut. */
REIN_NODISCARD rein_status rein_offline_load_rows(rein_offline *o, rein_dataset_options options);
/** Instead of rows of a file: prompts of the environment args->env, as many as the run has units, in the order of its
 * tasks. REIN_ERR_USAGE for options of files, or without max_steps. */
REIN_NODISCARD rein_status rein_offline_load_tasks(rein_offline *o);
/** The row that a unit is, where units are rows. */
int64_t rein_offline_row(const rein_offline *o, int64_t unit);
/** Sequence `s` of the data as a span of its own, with its loss mask. */
REIN_NODISCARD rein_status rein_offline_add_sequence(rein_offline *o, int64_t s);
/** The unit's spans are all in the forest. */
void rein_offline_unit_end(rein_offline *o);
/** First span of unit i of the batch. */
int64_t rein_offline_first_span(const rein_offline *o, int64_t i);
/** Metric k of unit i of the batch. */
void rein_offline_put(rein_offline *o, int64_t k, int64_t i, double value, double weight);
/** True if the gradient of span s is wanted now: see rein_offline_class.gradient. */
bool rein_offline_takes(const rein_offline *o, int64_t span, int64_t part);

/** Ready for a first step: model, data, options checked. The caller owns *out; cls, args and dev must outlive it. */
REIN_NODISCARD rein_status rein_offline_open(rein_offline **out, const rein_offline_class *cls,
                                             const rein_train_args *args, rein_device *dev,
                                             const rein_train_watch *watch);
void rein_offline_close(rein_offline *o);
/** Loss of step o->t.step's batch, and its gradient in o->t.grads; nothing is updated. */
REIN_NODISCARD rein_status rein_offline_gradients(rein_offline *o, double *loss);

/** As rein_train_kind.run and .replay of a kind. */
REIN_NODISCARD rein_status rein_offline_run(const rein_offline_class *cls, const rein_train_args *args,
                                            const char *config_yaml, rein_device *dev, const rein_train_watch *watch);
REIN_NODISCARD rein_status rein_offline_replay(const rein_offline_class *cls, const rein_train_args *args,
                                               rein_device *dev, const char *checkpoint, int64_t step, rein_commit *out,
                                               rein_str *journal);

#endif
