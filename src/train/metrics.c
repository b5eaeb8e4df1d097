/* Metrics of a step; see metrics.h. */
#include "train/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "rl/stats.h"

void rein_metric_add(rein_metric_list *m, double value, const char *name) {
    REIN_ASSERT(m->n < REIN_METRICS_MAX);
    snprintf(m->name[m->n], REIN_METRIC_NAME, "%s", name);
    m->row[m->n] = (rein_named){m->name[m->n], value};
    m->n++;
}

static double value_named(const rein_named *list, int64_t n, const char *name) {
    for (int64_t i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0) return list[i].value;
    return 0;
}

double rein_metric_value(const rein_metric_list *m, const char *name) { return value_named(m->row, m->n, name); }

void rein_metrics_completions(rein_metric_list *m, const rein_rollouts *r) {
    const rein_gen *gen = &r->gen;
    double sum = 0, ended = 0, N = (double)gen->n_seq;
    int64_t shortest = INT64_MAX, longest = 0, n_ended = 0, format = 0, success = 0;
    for (int64_t i = 0; i < gen->n_seq; i++) {
        int64_t n = rein_gen_chosen(&gen->seq[i]);
        sum += (double)n;
        if (n < shortest) shortest = n;
        if (n > longest) longest = n;
        if (gen->seq[i].finish != REIN_FINISH_LENGTH) {
            ended += (double)n;
            n_ended++;
        }
        format += r->score[i].format_ok;
        success += r->score[i].success;
    }
    rein_metric_add(m, sum / N, "completions/mean_length");
    rein_metric_add(m, (double)shortest, "completions/min_length");
    rein_metric_add(m, (double)longest, "completions/max_length");
    rein_metric_add(m, 1 - (double)n_ended / N, "completions/clipped_ratio");
    rein_metric_add(m, n_ended ? ended / (double)n_ended : (double)NAN, "completions/mean_terminated_length");
    rein_metric_add(m, (double)format / N, "format_rate");
    rein_metric_add(m, (double)success / N, "success_rate");
}

void rein_metrics_episodes(rein_metric_list *m, const rein_rollouts *r) {
    double turns = 0, errors = 0, truncated = 0, failed = 0, world = 0, N = (double)r->gen.n_seq;
    if (!r->transcript) return;
    for (int64_t i = 0; i < r->gen.n_seq; i++) {
        const rein_transcript *t = &r->transcript[i];
        turns += (double)t->n;
        truncated += t->truncated;
        failed += t->failed;
        world += (double)(r->gen.seq[i].n - rein_gen_chosen(&r->gen.seq[i]));
        for (int64_t k = 0; k < t->n; k++) errors += t->turn[k].error.len > 0;
    }
    rein_metric_add(m, turns / N, "episodes/mean_turns");
    rein_metric_add(m, turns > 0 ? errors / turns : 0, "episodes/action_error_rate");
    rein_metric_add(m, truncated / N, "episodes/truncated_ratio");
    rein_metric_add(m, failed, "episodes/failed");
    rein_metric_add(m, world / N, "episodes/mean_observation_tokens");
}

/* What the metrics rewards/... are of: the reward functions where there are such, else the components. */
static const rein_named *parts_of(const rein_score *s, int *n) {
    *n = s->n_func > 0 ? s->n_func : s->n_component;
    return s->n_func > 0 ? s->func : s->component;
}

/* Names of the parts of all answers, in order of first appearance. */
static int list_parts(const char **seen, int most, const rein_rollouts *r) {
    int n = 0, parts;
    for (int64_t i = 0; i < r->gen.n_seq; i++) {
        const rein_named *part = parts_of(&r->score[i], &parts);
        for (int k = 0; k < parts; k++) {
            int j = 0;
            while (j < n && strcmp(seen[j], part[k].name) != 0) j++;
            if (j == n && n < most) seen[n++] = part[k].name;
        }
    }
    return n;
}

rein_status rein_metrics_components(rein_metric_list *m, const rein_rollouts *r) {
    const char *seen[2 * REIN_SCORE_PARTS];
    char name[REIN_METRIC_NAME];
    int64_t N = r->gen.n_seq;
    double *x;
    int n = list_parts(seen, (int)REIN_COUNT(seen), r);
    REIN_TRY(rein_alloc(&x, N, sizeof *x));
    for (int j = 0; j < n; j++) {
        for (int64_t i = 0; i < N; i++) {
            int parts;
            const rein_named *part = parts_of(&r->score[i], &parts);
            x[i] = value_named(part, parts, seen[j]);
        }
        rein_moments moments = rein_stats_moments(x, N, 1);
        snprintf(name, sizeof name, "rewards/%s/mean", seen[j]);
        rein_metric_add(m, moments.mean, name);
        snprintf(name, sizeof name, "rewards/%s/std", seen[j]);
        rein_metric_add(m, moments.sd, name);
        if (r->score[0].n_func == 0) continue;
        snprintf(name, sizeof name, "rewards/%s/missing", seen[j]);
        rein_metric_add(m, (double)(N - moments.n), name);
    }
    rein_free(x);
    return REIN_OK;
}
