/*
 * Metrics of a step under TRL's names, gathered before they are logged in one line.
 */
#ifndef REIN_TRAIN_METRICS_H
#define REIN_TRAIN_METRICS_H

#include "rollout/rollout.h"

enum { REIN_METRICS_MAX = 320, REIN_METRIC_NAME = 64 };

/** Rows in the order they were added; `name` holds composed names such as rewards/lqr/mean. */
typedef struct rein_metric_list {
    rein_named row[REIN_METRICS_MAX];
    char name[REIN_METRICS_MAX][REIN_METRIC_NAME];
    int64_t n;
} rein_metric_list;

/** Asserts that there is room. */
void rein_metric_add(rein_metric_list *m, double value, const char *name);
/** Value by name; 0 if it was not added. */
double rein_metric_value(const rein_metric_list *m, const char *name);

/** completions/...: lengths and the share cut off (mean_terminated_length is NaN if none ended); format and success. */
void rein_metrics_completions(rein_metric_list *m, const rein_rollouts *r);
/** Of episodes of several turns: turns, actions that the world could not read, and ends; nothing for others. */
void rein_metrics_episodes(rein_metric_list *m, const rein_rollouts *r);

/** rewards/NAME/mean and /std (ddof 1) of each component, 0 where an answer has none; in order of first appearance. Where
 *  the reward is a weighted sum of reward functions: of each function before weighting, over the answers that it had
 *  something to say about, and in /missing the number of the others. */
REIN_NODISCARD rein_status rein_metrics_components(rein_metric_list *m, const rein_rollouts *r);

#endif
