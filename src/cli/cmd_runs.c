/* rein runs list|show|compare: what the run stores hold. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/episode.h"
#include "report/summary.h"
#include "run/run.h"

enum { LIST_DEPTH = 4 };

static void put_text(rein_str *s, const char *text) { rein_json_put_string(s, text, strlen(text)); }

static void put_key(rein_str *s, const char *key) {
    char last = s->len ? s->data[s->len - 1] : '{';
    if (last != '{' && last != '[') rein_str_putc(s, ',');
    put_text(s, key);
    rein_str_putc(s, ':');
}

static rein_status print(const rein_cli *cli, rein_str *s, rein_status status) {
    if (status == REIN_OK) status = rein_str_check(s);
    if (status == REIN_OK) fwrite(s->data, 1, s->len, cli->out);
    rein_str_deinit(s);
    return status;
}

/* ---- list ---- */

static rein_status last_step(const rein_rundir *run, rein_arena *arena, int64_t *step) {
    const char **names;
    int64_t n;
    rein_series series;
    *step = 0;
    REIN_TRY(rein_read_metric_names(run, arena, &names, &n));
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY(rein_read_series(run, arena, names[i], &series));
        if (series.n > 0 && series.step[series.n - 1] > *step) *step = series.step[series.n - 1];
    }
    return REIN_OK;
}

static rein_status list_one(rein_str *s, rein_arena *arena, const char *path, bool json) {
    rein_rundir *run;
    int64_t step = 0, checkpoint = -1;
    REIN_TRY(rein_rundir_open(&run, path, false));
    rein_status status = last_step(run, arena, &step);
    if (status == REIN_OK) status = rein_checkpoint_latest(run, &checkpoint);
    if (json) {
        rein_str_puts(s, "{\"path\":");
        put_text(s, path);
        put_key(s, "kind");
        put_text(s, rein_rundir_kind(run));
        rein_str_printf(s, ",\"step\":%lld,\"checkpoint\":", (long long)step);
        if (checkpoint >= 0)
            rein_str_printf(s, "%lld}\n", (long long)checkpoint);
        else
            rein_str_puts(s, "null}\n");
    } else {
        rein_str_printf(s, "%-10s step %-7lld %s", rein_rundir_kind(run), (long long)step, path);
        if (checkpoint >= 0) rein_str_printf(s, "  (checkpoint-%lld)", (long long)checkpoint);
        rein_str_putc(s, '\n');
    }
    rein_rundir_close(run);
    return status;
}

static rein_status list_runs(rein_str *s, rein_arena *arena, const char *dir, bool json) {
    char **paths;
    int64_t n;
    REIN_TRY(rein_run_find(dir, LIST_DEPTH, arena, &paths, &n));
    for (int64_t i = 0; i < n; i++) REIN_TRY(list_one(s, arena, paths[i], json));
    return REIN_OK;
}

/* ---- show ---- */

static void json_pairs(rein_str *s, const char *key, const rein_pair *pair, int64_t n) {
    put_key(s, key);
    rein_str_putc(s, '{');
    for (int64_t i = 0; i < n; i++) {
        put_key(s, pair[i].key);
        put_text(s, pair[i].value);
    }
    rein_str_putc(s, '}');
}

static void json_series(rein_str *s, const rein_series *series) {
    put_key(s, series->name);
    rein_str_puts(s, "{\"step\":[");
    for (int64_t i = 0; i < series->n; i++) rein_str_printf(s, "%s%lld", i ? "," : "", (long long)series->step[i]);
    rein_str_puts(s, "],\"value\":[");
    for (int64_t i = 0; i < series->n; i++) {
        if (i) rein_str_putc(s, ',');
        rein_json_put_f64(s, series->value[i]);
    }
    rein_str_puts(s, "]}");
}

static rein_status json_metrics(rein_str *s, rein_arena *arena, const rein_rundir *run) {
    const char **names;
    int64_t n;
    rein_series series;
    REIN_TRY(rein_read_metric_names(run, arena, &names, &n));
    put_key(s, "metrics");
    rein_str_putc(s, '{');
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY(rein_read_series(run, arena, names[i], &series));
        json_series(s, &series);
    }
    rein_str_putc(s, '}');
    REIN_TRY(rein_read_timing(run, arena, NULL, &series));
    series.name = "timing";
    json_series(s, &series);
    return REIN_OK;
}

static rein_status json_events(rein_str *s, rein_arena *arena, const rein_rundir *run) {
    rein_event *event;
    int64_t n;
    REIN_TRY(rein_read_events(run, arena, &event, &n));
    put_key(s, "events");
    rein_str_putc(s, '[');
    for (int64_t i = 0; i < n; i++) {
        rein_str_printf(s, "%s{\"step\":%lld", i ? "," : "", (long long)event[i].step);
        put_key(s, "kind");
        put_text(s, event[i].kind);
        put_key(s, "text");
        put_text(s, event[i].text);
        rein_str_putc(s, '}');
    }
    rein_str_putc(s, ']');
    return REIN_OK;
}

static void json_estimate(rein_str *s, const char *key, rein_estimate e) {
    const double value[] = {e.mean, e.lo, e.hi};
    static const char *const name[] = {"mean", "low", "high"};
    put_key(s, key);
    rein_str_putc(s, '{');
    for (size_t i = 0; i < REIN_COUNT(value); i++) {
        put_key(s, name[i]);
        rein_json_put_f64(s, value[i]);
    }
    rein_str_printf(s, ",\"n\":%lld}", (long long)e.n);
}

static void json_policy(rein_str *s, const rein_policy_summary *p) {
    rein_str_puts(s, "{\"policy\":");
    put_text(s, p->policy->name);
    put_key(s, "weights");
    if (p->policy->weights_hash)
        put_text(s, p->policy->weights_hash);
    else
        rein_str_puts(s, "null");
    json_estimate(s, "reward", p->reward);
    json_estimate(s, "success", p->success);
    json_estimate(s, "format", p->format);
    if (p->cost_ratio.n > 0) json_estimate(s, "cost_ratio", p->cost_ratio);
    for (int64_t i = 0; i < p->n_metric; i++) json_estimate(s, p->metric[i].name, p->metric[i].value);
    rein_str_putc(s, '}');
}

static rein_status json_evals(rein_str *s, rein_arena *arena, const rein_rundir *run) {
    rein_eval *e;
    int64_t n;
    REIN_TRY(rein_read_evals(run, arena, &e, &n));
    put_key(s, "evaluations");
    rein_str_putc(s, '[');
    for (int64_t i = 0; i < n; i++) {
        rein_policy_summary *sum;
        REIN_TRY(rein_summarize(&e[i], arena, &sum));
        rein_str_puts(s, i ? ",{\"name\":" : "{\"name\":");
        put_text(s, e[i].name);
        rein_str_printf(s, ",\"step\":%lld,\"about\":", (long long)e[i].step);
        put_text(s, e[i].about);
        rein_str_puts(s, ",\"policies\":[");
        for (int64_t k = 0; k < e[i].n_policy; k++) {
            if (k) rein_str_putc(s, ',');
            json_policy(s, &sum[k]);
        }
        rein_str_puts(s, "]}");
    }
    rein_str_putc(s, ']');
    return REIN_OK;
}

static rein_status show_json(rein_str *s, rein_arena *arena, const rein_rundir *run) {
    rein_pair *pair;
    int64_t n, *steps;
    rein_str config = {0};
    REIN_TRY(rein_read_config(run, &config));
    rein_str_puts(s, "{\"path\":");
    put_text(s, rein_rundir_path(run));
    put_key(s, "kind");
    put_text(s, rein_rundir_kind(run));
    put_key(s, "config");
    rein_json_put_string(s, config.data ? config.data : "", config.len);
    rein_str_deinit(&config);
    REIN_TRY(rein_read_notes(run, arena, &pair, &n));
    json_pairs(s, "facts", pair, n);
    REIN_TRY(rein_read_machine(run, arena, &pair, &n));
    json_pairs(s, "machine", pair, n);
    REIN_TRY(json_metrics(s, arena, run));
    REIN_TRY(json_events(s, arena, run));
    REIN_TRY(json_evals(s, arena, run));
    REIN_TRY(rein_checkpoint_list(run, arena, &steps, &n));
    rein_str_puts(s, ",\"checkpoints\":[");
    for (int64_t i = 0; i < n; i++) rein_str_printf(s, "%s%lld", i ? "," : "", (long long)steps[i]);
    rein_str_puts(s, "]}\n");
    return REIN_OK;
}

static void text_estimate(rein_str *s, const char *name, rein_estimate e) {
    if (e.n > 0) rein_str_printf(s, "  %s %.4g [%.4g, %.4g]", name, e.mean, e.lo, e.hi);
}

static rein_status show_evals(rein_str *s, rein_arena *arena, const rein_rundir *run) {
    rein_eval *e;
    int64_t n;
    REIN_TRY(rein_read_evals(run, arena, &e, &n));
    for (int64_t i = 0; i < n; i++) {
        rein_policy_summary *sum;
        REIN_TRY(rein_summarize(&e[i], arena, &sum));
        rein_str_printf(s, "evaluation %s, step %lld (%s)\n", e[i].name, (long long)e[i].step, e[i].about);
        for (int64_t k = 0; k < e[i].n_policy; k++) {
            rein_str_printf(s, "  %-16s n %lld", e[i].policies[k].name, (long long)e[i].policies[k].n);
            text_estimate(s, "reward", sum[k].reward);
            text_estimate(s, "success", sum[k].success);
            text_estimate(s, "cost/oracle", sum[k].cost_ratio);
            rein_str_putc(s, '\n');
        }
    }
    return REIN_OK;
}

/* First and last value of every metric, the facts, the events, the evaluations. */
static rein_status show_text(rein_str *s, rein_arena *arena, const rein_rundir *run) {
    const char **names;
    rein_pair *pair;
    rein_event *event;
    int64_t n;
    rein_str_printf(s, "%s: %s\n", rein_rundir_path(run), rein_rundir_kind(run));
    REIN_TRY(rein_read_notes(run, arena, &pair, &n));
    for (int64_t i = 0; i < n; i++) rein_str_printf(s, "  %s: %s\n", pair[i].key, pair[i].value);
    REIN_TRY(rein_read_machine(run, arena, &pair, &n));
    for (int64_t i = 0; i < n; i++) rein_str_printf(s, "  %s: %s\n", pair[i].key, pair[i].value);
    REIN_TRY(rein_read_metric_names(run, arena, &names, &n));
    if (n > 0) rein_str_printf(s, "%-36s %8s %12s %12s\n", "metric", "steps", "first", "last");
    for (int64_t i = 0; i < n; i++) {
        rein_series m;
        REIN_TRY(rein_read_series(run, arena, names[i], &m));
        rein_str_printf(s, "%-36s %8lld %12.6g %12.6g\n", names[i], (long long)m.n, m.value[0], m.value[m.n - 1]);
    }
    REIN_TRY(rein_read_events(run, arena, &event, &n));
    for (int64_t i = 0; i < n; i++)
        rein_str_printf(s, "step %lld: %s: %s\n", (long long)event[i].step, event[i].kind, event[i].text);
    return show_evals(s, arena, run);
}

typedef struct runs_values {
    int64_t episode, step;
} runs_values;

static const rein_option runs_options[] = {
    {"episode", REIN_OPT_INT, offsetof(runs_values, episode), "0", 0, 1e6, NULL,
     "show: this one of the answers that were kept of a step, as a conversation with rewards; from 1", NULL},
    {"step", REIN_OPT_INT, offsetof(runs_values, step), "-1", -1, 1e15, NULL,
     "with episode: of this step; -1: the last one", NULL},
};

static rein_status show_run(rein_str *s, rein_arena *arena, const char *path, const runs_values *v, bool json) {
    rein_rundir *run;
    REIN_TRY(rein_rundir_open(&run, path, false));
    rein_status status = v->episode > 0 ? rein_cli_episode(s, arena, run, v->step, v->episode, json)
                         : json         ? show_json(s, arena, run) : show_text(s, arena, run);
    rein_rundir_close(run);
    return status;
}

/* ---- compare ---- */

static void put_comparison(rein_str *s, const rein_comparison *c, bool json) {
    if (json) {
        rein_str_puts(s, "{\"a\":");
        put_text(s, c->a->name);
        put_key(s, "b");
        put_text(s, c->b->name);
        json_estimate(s, "reward", c->reward);
        json_estimate(s, "success", c->success);
        json_estimate(s, "cost", c->cost);
        rein_str_puts(s, "}\n");
        return;
    }
    rein_str_printf(s, "%s - %s, %lld pairs:", c->a->name, c->b->name, (long long)c->reward.n);
    text_estimate(s, "reward", c->reward);
    text_estimate(s, "success", c->success);
    text_estimate(s, "cost", c->cost);
    rein_str_putc(s, '\n');
}

/* Every model of one evaluation against every model of the other, on the cases that both have. */
static rein_status compare_evals(rein_str *s, rein_arena *arena, const rein_eval *a, const rein_eval *b, bool json) {
    for (int64_t i = 0; i < a->n_policy; i++)
        for (int64_t k = 0; k < b->n_policy; k++) {
            const rein_eval_policy *p = &a->policies[i], *q = &b->policies[k];
            rein_comparison c;
            if (p->role != REIN_ROLE_MODEL || q->role != REIN_ROLE_MODEL) continue;
            if (p->weights_hash && q->weights_hash && strcmp(p->weights_hash, q->weights_hash) == 0)
                return rein_fail(REIN_ERR_MISMATCH,
                                 "same model: '%s' and '%s' both have weights %s; nothing to compare", p->name, q->name,
                                 p->weights_hash);
            REIN_TRY(rein_compare_policies(p, q, arena, &c));
            put_comparison(s, &c, json);
        }
    return REIN_OK;
}

static rein_status last_eval(rein_eval **out, rein_arena *arena, const rein_rundir *run) {
    int64_t n;
    REIN_TRY(rein_read_evals(run, arena, out, &n));
    if (n == 0) return rein_fail(REIN_ERR_USAGE, "run '%s' has no evaluation to compare", rein_rundir_path(run));
    *out += n - 1;
    return REIN_OK;
}

static rein_status compare_runs(rein_str *s, rein_arena *arena, const char *path_a, const char *path_b, bool json) {
    rein_rundir *a = NULL, *b = NULL;
    rein_eval *eval_a, *eval_b;
    rein_status status;
    REIN_TRY_OUT(status, rein_rundir_open(&a, path_a, false), out);
    REIN_TRY_OUT(status, rein_rundir_open(&b, path_b, false), out);
    REIN_TRY_OUT(status, last_eval(&eval_a, arena, a), out);
    REIN_TRY_OUT(status, last_eval(&eval_b, arena, b), out);
    REIN_TRY_OUT(status, compare_evals(s, arena, eval_a, eval_b, json), out);
out:
    rein_rundir_close(a);
    rein_rundir_close(b);
    return status;
}

/* All pairs of models inside the last evaluation of one run. */
static rein_status compare_inside(rein_str *s, rein_arena *arena, const char *path, bool json) {
    rein_rundir *run;
    rein_eval *eval;
    rein_comparison *c;
    int64_t n = 0;
    REIN_TRY(rein_rundir_open(&run, path, false));
    rein_status status = last_eval(&eval, arena, run);
    if (status == REIN_OK) status = rein_compare_models(eval, arena, &c, &n);
    for (int64_t i = 0; i < n; i++) put_comparison(s, &c[i], json);
    rein_rundir_close(run);
    return status;
}

static rein_status dispatch(rein_str *s, rein_arena *arena, const char **words, int n, const runs_values *v, bool json) {
    const char *verb = n > 0 ? words[0] : "list";
    if (strcmp(verb, "list") == 0 && n <= 2) return list_runs(s, arena, n > 1 ? words[1] : ".", json);
    if (strcmp(verb, "show") == 0 && n == 2) return show_run(s, arena, words[1], v, json);
    if (strcmp(verb, "compare") == 0 && n == 2) return compare_inside(s, arena, words[1], json);
    if (strcmp(verb, "compare") == 0 && n == 3) return compare_runs(s, arena, words[1], words[2], json);
    return rein_fail(REIN_ERR_USAGE, "runs %s: expected list [DIR], show RUN or compare RUN [RUN]", verb);
}

static rein_status run_runs(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    rein_str s = {0};
    rein_arena arena = {0};
    rein_status status = dispatch(&s, &arena, words, n_words, opts->values, cli->json);
    status = print(cli, &s, status);
    rein_arena_deinit(&arena);
    return status;
}

const rein_command rein_cmd_runs = {.name = "runs",
                                    .subject = "list [DIR] | show RUN | compare RUN [RUN]",
                                    .summary = "what the run stores hold; comparisons are paired by case",
                                    .options = runs_options,
                                    .n_options = (int64_t)REIN_COUNT(runs_options),
                                    .values_size = sizeof(runs_values),
                                    .min_positional = 0,
                                    .max_positional = 3,
                                    .run = run_runs};
