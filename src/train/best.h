/*
 * The metric that a run is judged by (`metric_for_best_model`): early stopping, the best checkpoint, and the learning
 * rate of reduce_lr_on_plateau. A pure state machine over the metric's values, a part of a checkpoint's
 * trainer_state.json.
 */
#ifndef REIN_TRAIN_BEST_H
#define REIN_TRAIN_BEST_H

#include <json-c/json.h>

#include "optim/plateau.h"
#include "train/args.h"

/** `greater_is_better`, in the order of REIN_GREATER_CHOICES. */
typedef enum rein_greater { REIN_GREATER_AUTO, REIN_GREATER_TRUE, REIN_GREATER_FALSE } rein_greater;
#define REIN_GREATER_CHOICES "auto|true|false"

typedef struct rein_best {
    const char *metric; /* NULL: none, and nothing below is used */
    bool greater;
    int64_t patience; /* values without improvement after which the run ends; 0: never */
    double threshold; /* of an improvement that counts for it */
    /* state */
    double last, best; /* values; NaN before the first */
    int64_t best_step, waited, observed;
    bool stopped;
    int64_t checkpoint; /* the best one that was written, -1: none */
    double checkpoint_value;
    rein_plateau plateau;
} rein_best;

/** From the options: auto is greater, unless the metric's name ends with "loss", as transformers has it. REIN_ERR_USAGE
 * for an option that needs the metric without one. */
REIN_NODISCARD rein_status rein_best_init(rein_best *b, const rein_train_args *args);

/** Take the value of step `step`. One that is not finite is no improvement. An improvement by more than the threshold
 * ends the waiting; the best value is kept whatever the threshold, as transformers does. */
void rein_best_observe(rein_best *b, int64_t step, double value);

/** A checkpoint of step `step` is about to be written: true if it is the best so far by the last value. */
bool rein_best_checkpoint(rein_best *b, int64_t step);

/** Members of trainer_state.json, each with a comma in front; and back. Nothing without a metric. */
void rein_best_write(const rein_best *b, rein_str *out);
REIN_NODISCARD rein_status rein_best_read(rein_best *b, struct json_object *state);

#endif
