/*
 * Data sets of demonstrations as JSONL, and their audit.
 *
 * A row is a prompt-completion pair (TRL's names) and carries what is needed to check it: the start, the controls, the
 * trajectory, the dynamics. Same environment, seed and size: same bytes.
 */
#ifndef REIN_ENV_CONTROL_DATASET_H
#define REIN_ENV_CONTROL_DATASET_H

#include "env/control/control.h"

/** What a row carries: all that an audit needs, or the prompt and the completion only (a tenth of the size). */
typedef enum rein_fields { REIN_FIELDS_FULL, REIN_FIELDS_TEXT } rein_fields;
#define REIN_FIELDS_CHOICES "full|text"

/** Append row `index` of a split, with its newline. */
REIN_NODISCARD rein_status rein_control_record(rein_str *out, const rein_env *env, uint64_t seed, rein_split split,
                                               int64_t index, rein_fields fields);

/** Write rows 0 .. n-1 to `path`. A file that is already there with other bytes is never replaced: REIN_ERR_IO. */
REIN_NODISCARD rein_status rein_control_dataset_write(const char *path, const rein_env *env, uint64_t seed,
                                                      rein_split split, int64_t n, rein_fields fields);

/** What rein_data_audit counts; all but the first three should be 0, and `labels` be the number of control rows. */
typedef struct rein_data_report {
    int64_t train, eval;        /* rows */
    int64_t labels;             /* rows with a label to check */
    int64_t shared_prompts;     /* eval rows whose prompt is in train too */
    int64_t repeated_eval;      /* eval rows whose prompt came before in eval */
    int64_t malformed;          /* completions that the strict parser refuses */
    int64_t wrong_controls;     /* completions that say other numbers than the row's controls */
    int64_t wrong_states;       /* prompts that say another state than initial_state, bit for bit */
    int64_t wrong_trajectories; /* labels that do not replay to the stored trajectory, bit for bit */
} rein_data_report;

/** Audit one data set (`eval` may be NULL) of any rows with a "prompt"; labels are checked where a row has controls. */
REIN_NODISCARD rein_status rein_data_audit(rein_data_report *out, const char *train, const char *eval);
/** Rows that are wrong in some way. */
int64_t rein_data_faults(const rein_data_report *report);

#endif
