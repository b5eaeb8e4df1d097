/*
 * A trajectory of a second-order system as an environment describes it in a case's details:
 *
 *   {"times":[T+1],"states":[[position,velocity] x T+1],"controls":[T] or [[u] x T],
 *    optional "state_names":[2 strings],"state_bound":b,"control_bound":b,"target":[2]}
 */
#ifndef REIN_REPORT_TRAJECTORY_H
#define REIN_REPORT_TRAJECTORY_H

#include "run/run.h"

typedef struct rein_trajectory {
    int64_t n, n_control;
    double *time, *state[2]; /* (n) */
    double *control;         /* (n_control); control[i] is held from time[i] */
    const char *state_name[2];
    double state_bound, control_bound; /* NaN: not given */
    bool has_target;
    double target[2];
} rein_trajectory;

/** Memory in `arena`. *has is false if the case has no details, or details of another kind. Malformed ones are
 *  REIN_ERR_FORMAT. */
REIN_NODISCARD rein_status rein_trajectory_read(rein_trajectory *t, const rein_eval_case *c, rein_arena *arena,
                                                bool *has);

#endif
