/*
 * Curricula: which of n known tasks the slots of a training step get.
 *
 * A choice is a pure function of (options, seed, step, what was recorded before), so that a resumed run chooses as an
 * uninterrupted one. The record is what a checkpoint keeps: each task's last successes and the last steps' means.
 * "Success" is a number from 0 to 1 that the caller makes of a task's group: its mean success, or its mean reward
 * where rewards lie in that range.
 */
#ifndef REIN_RL_CURRICULUM_H
#define REIN_RL_CURRICULUM_H

#include "base/json.h"

/** `curriculum`, in the order of REIN_CURRICULUM_CHOICES. */
typedef enum rein_curriculum_kind {
    REIN_CURRICULUM_NONE,     /* tasks in their order, again and again */
    REIN_CURRICULUM_SHUFFLED, /* every epoch in an order of its own */
    REIN_CURRICULUM_RANDOM,   /* uniformly; with a success band only tasks inside it */
    REIN_CURRICULUM_MIX,      /* easy, medium and hard ones in shares that move with the epoch */
    REIN_CURRICULUM_PROGRESS, /* where success changes most: Matiisen et al. 2017, arXiv:1707.00183 */
    REIN_CURRICULUM_UED       /* whose difficulty is nearest to a little more than the policy can do */
} rein_curriculum_kind;
#define REIN_CURRICULUM_CHOICES "none|shuffled|random|mix|progress|ued"

enum { REIN_LEVELS = 3 }; /* easy, medium, hard */

typedef struct rein_curriculum_options {
    rein_curriculum_kind kind;
    double epsilon;     /* random, progress, ued: share of slots that get any task, uniformly */
    double temperature; /* progress, ued: 0 takes the best tasks, above 0 draws from softmax(score / temperature) */
    double band_low, band_high; /* random, progress, ued: tasks whose mean success lies outside are left out, */
    int64_t band_visits;        /* once they were tried this often (epsilon brings them back); 0: no band */
    double mix_first[REIN_LEVELS], mix_last[REIN_LEVELS]; /* mix: shares at epoch 0 and from mix_epochs on */
    int64_t mix_epochs;
    double ued_margin; /* ued: target = min(1, success of the last 10 steps + margin) */
} rein_curriculum_options;

/** none; epsilon 0.1, temperature 0.1, no band 0.1 to 0.9, mix .3/.5/.2 to .1/.4/.5 over 10 epochs, margin 0.1. */
rein_curriculum_options rein_curriculum_options_default(void);
/** REIN_ERR_USAGE, with the option's name and value, if one is out of range or does not go with the kind. */
REIN_NODISCARD rein_status rein_curriculum_options_check(const rein_curriculum_options *opt);

enum { REIN_CURRICULUM_WINDOW = 10 }; /* successes of a task, and step means, that are remembered */

/** The last values of something, a ring: value[count % WINDOW] is written next. */
typedef struct rein_curriculum_record {
    int64_t count; /* all so far */
    double value[REIN_CURRICULUM_WINDOW];
} rein_curriculum_record;

typedef struct rein_curriculum {
    int64_t n;
    const uint8_t *level;          /* (n) 0 easy, 1 medium, 2 hard; borrowed; NULL: not known */
    rein_curriculum_record *task;  /* (n) */
    rein_curriculum_record recent; /* mean success of the last steps */
    double *key;                   /* (n) scratch of a choice */
    bool *taken;                   /* (n) scratch of a choice */
} rein_curriculum;

/**
 * An empty record of n tasks.
 *
 * @param level  (n) outlives *c; may be NULL unless the kind is mix.
 * @return REIN_ERR_ARG if n < 1, or a level is missing or above 2; REIN_ERR_MEMORY.
 */
REIN_NODISCARD rein_status rein_curriculum_init(rein_curriculum *c, int64_t n, const uint8_t *level,
                                                const rein_curriculum_options *opt);
void rein_curriculum_deinit(rein_curriculum *c);

/**
 * Tasks of a step.
 *
 * none and shuffled: the step's slots continue the epoch, one epoch after the other. Others: each slot gets, with
 * probability epsilon, any task, else the one with the highest score + noise among those inside the band, or, with mix,
 * of the level that the slot drew; where none is left, any task. Within a step no task comes twice while there are
 * others.
 *
 *   progress   score = |mean of the newer half - mean of the older half| of the task's last 10 successes;
 *              a task tried less than twice comes before all others
 *   ued        score = -|difficulty - target|, difficulty = max(0, 1 - mean of the last 10), 0.5 if never tried
 *
 * The noise is Gumbel's (so that the choice is a draw from a softmax) times the temperature; random and mix draw
 * uniformly. Equal scores: the lower number. Draws: REIN_STREAM_CURRICULUM, counter = step, slot or task, kind of draw.
 *
 * @param[out] task  (n_slot) numbers from 0 to n - 1.
 * @note Uses the scratch of *c; does not allocate. O(n_slot n).
 */
void rein_curriculum_choose(int64_t *task, int64_t n_slot, rein_curriculum *c, const rein_curriculum_options *opt,
                            uint64_t seed, int64_t step);

/**
 * Record a step's results, in the order of its slots.
 *
 * @param success  (n_slot) of each slot's task; NaN: not known (a failed environment), not recorded.
 * @return REIN_ERR_NUMERIC if one is infinite; nothing is recorded then.
 */
REIN_NODISCARD rein_status rein_curriculum_add(rein_curriculum *c, const int64_t *task, const double *success,
                                               int64_t n_slot);

/** Fraction of the full radius from which starts are drawn at a step: `first` at step 0, linearly 1 at step `steps` and
 *  from then on; 1 if steps is 0. */
double rein_curriculum_radius(double first, int64_t steps, int64_t step);

/** The record as one JSON object, only tasks that were tried: {"n":..,"recent":[count,values...],"tasks":
 *  [[number,count,values...],...]}, values oldest first. */
void rein_curriculum_write(const rein_curriculum *c, rein_str *out);
/** Fill a curriculum of init from what rein_curriculum_write wrote. REIN_ERR_FORMAT for anything else, and
 *  REIN_ERR_MISMATCH if it is of another number of tasks. */
REIN_NODISCARD rein_status rein_curriculum_read(rein_curriculum *c, struct json_object *obj);

typedef struct rein_curriculum_metric {
    const char *name; /* "curriculum/visited" ... */
    double value;     /* NaN: not known yet */
} rein_curriculum_metric;
enum { REIN_CURRICULUM_METRICS_MAX = 8 };

/** What to log at a step for the kind: curriculum/visited (share of tasks tried), success (mean of the last steps),
 *  eligible (share of tasks inside the band), easy, medium, hard (shares of the mix), target, progress (mean score of
 *  tasks tried twice). Returns how many. */
int rein_curriculum_metrics(rein_curriculum_metric out[REIN_CURRICULUM_METRICS_MAX], const rein_curriculum *c,
                            const rein_curriculum_options *opt, int64_t n_slot, int64_t step);

#endif
