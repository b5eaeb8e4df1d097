/*
 * rein reward lint: what every component of a reward does over random and over optimal answers.
 *
 * A component that never changes is invisible to a group-relative method; a floor that is never reached is dead. Both
 * are warnings, and differences with --strict.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/random.h"
#include "cli/control_cli.h"

typedef struct values {
    rein_control_config env;
    int64_t rollouts, seed;
    bool strict;
} values;

static const rein_option rows[] = {
    REIN_CONTROL_OPTIONS,
    {"version", REIN_OPT_CHOICE, REIN_CONTROL_OFFSET(reward), "v1.3", 0, 0, REIN_REWARD_VERSIONS,
     "the same as --reward", NULL},
    {"rollouts", REIN_OPT_INT, offsetof(values, rollouts), "10000", 2, 1e7, NULL, "random answers, and as many of LQR",
     NULL},
    {"seed", REIN_OPT_INT, offsetof(values, seed), "1", 0, 9e15, NULL, "of starts and random answers", NULL},
    {"strict", REIN_OPT_BOOL, offsetof(values, strict), "false", 0, 0, NULL,
     "a warning is a difference (exit status 3)", NULL},
};

/* Range and moments of one component. */
typedef struct range {
    const char *name;
    int64_t n;
    double min, max, sum, square;
} range;

static bool is_floor(const range *r) { return strcmp(r->name, "floor") == 0; }

typedef struct sweep {
    int64_t n, floored; /* answers; those that the floor lifted */
    int n_range;
    range of[REIN_SCORE_PARTS];
} sweep;

/* What an answer does is judged over answers that can be simulated; how it is written, over all. */
static void sweep_add(sweep *s, const rein_score *score, bool simulated) {
    if (s->n++ == 0) {
        s->n_range = score->n_component;
        for (int i = 0; i < s->n_range; i++) s->of[i] = (range){score->component[i].name, 0, INFINITY, -INFINITY, 0, 0};
    }
    for (int i = 0; i < (simulated ? s->n_range : REIN_REWARD_FORM_PARTS); i++) {
        double x = score->component[i].value;
        range *r = &s->of[i];
        r->n++;
        r->min = fmin(r->min, x);
        r->max = fmax(r->max, x);
        r->sum += x;
        r->square += x * x;
        s->floored += is_floor(r) && x > 0;
    }
}

static double mean(const sweep *s, int i) { return s->of[i].sum / (double)s->of[i].n; }

static double deviation(const sweep *s, int i) {
    double variance = s->of[i].square / (double)s->of[i].n - mean(s, i) * mean(s, i);
    return sqrt(fmax(variance, 0));
}

static double noise(uint64_t seed, int64_t i, int k) {
    return rein_random_uniform(seed, REIN_STREAM_DATA, (uint32_t)i, (uint32_t)k, 0, 0);
}

/* Controls uniform in up to 1.2 times the bound (one answer in three small, one held over five steps); one answer in
 * twenty is cut short. */
static void random_answer(rein_str *out, const rein_control *c, uint64_t seed, int64_t i) {
    double u[REIN_CONTROL_MAX_STEPS];
    const int steps = (int)c->config.steps, hold = i % 3 == 1 ? 5 : 1;
    const double reach = (i % 3 == 0 ? 0.1 : 1.2) * c->plant.system->control_bound;
    for (int k = 0; k < steps; k++) u[k] = reach * (2 * noise(seed, i, k / hold) - 1);
    if (c->config.answer == REIN_STYLE_REASONING) rein_str_puts(out, "</REASONING>");
    rein_answer_print(out, u, steps, 3, ",");
    if (i % 20 == 19) out->len /= 2;
}

static rein_status run_sweep(sweep *out, const rein_env *env, const values *v, bool random) {
    const uint64_t seed = (uint64_t)v->seed;
    rein_str text = {0};
    rein_status status = REIN_OK;
    for (int64_t i = 0; i < v->rollouts; i++) {
        rein_task task;
        rein_score score;
        rein_str_clear(&text);
        REIN_TRY_OUT(status, env->cls->task(env, seed, REIN_SPLIT_TRAIN, i, &task), out);
        if (random)
            random_answer(&text, (const rein_control *)env, seed, i);
        else
            REIN_TRY_OUT(status, env->cls->baseline(env, seed, &task, REIN_BASELINE_LQR, &text), out);
        REIN_TRY_OUT(status, rein_str_check(&text), out);
        REIN_TRY_OUT(status, env->cls->score(env, &task, text.data, text.len, &score), out);
        sweep_add(out, &score, score.n_metric > 0);
    }
out:
    rein_str_deinit(&text);
    return status;
}

/* ---- findings ---- */

enum { WARN_MAX = 160 };

/* "constant" over both sweeps, or a floor that none of the random answers reaches; false if all is well. */
static bool finding(char text[WARN_MAX], const sweep *random, const sweep *oracle, int i) {
    const char *name = random->of[i].name;
    if (is_floor(&random->of[i]) && random->floored == 0) {
        snprintf(text, WARN_MAX, "floor: 0 of %lld random answers reach it", (long long)random->n);
        return true;
    }
    double min = fmin(random->of[i].min, oracle->of[i].min), max = fmax(random->of[i].max, oracle->of[i].max);
    if (min != max) return false;
    snprintf(text, WARN_MAX, "%s: constant at %g, no group can learn from it", name, min);
    return true;
}

static void put_range(rein_str *out, const char *title, const sweep *s, int i) {
    const double list[4] = {s->of[i].min, s->of[i].max, mean(s, i), deviation(s, i)};
    static const char *const names[4] = {"min", "max", "mean", "std"};
    rein_str_printf(out, ",\"%s\":{", title);
    for (int k = 0; k < 4; k++) {
        rein_str_printf(out, "%s\"%s\":", k ? "," : "", names[k]);
        rein_json_put_f64(out, list[k]);
    }
    rein_str_putc(out, '}');
}

static void put_json(rein_str *out, const sweep *random, const sweep *oracle) {
    char text[WARN_MAX];
    const char *comma = "";
    rein_str_printf(out, "{\"rollouts\":%lld,\"floor_share\":", (long long)random->n);
    rein_json_put_f64(out, (double)random->floored / (double)random->n);
    rein_str_puts(out, ",\"components\":[");
    for (int i = 0; i < random->n_range; i++) {
        rein_str_printf(out, "%s{\"name\":\"%s\"", i ? "," : "", random->of[i].name);
        put_range(out, "random", random, i);
        put_range(out, "oracle", oracle, i);
        rein_str_putc(out, '}');
    }
    rein_str_puts(out, "],\"warnings\":[");
    for (int i = 0; i < random->n_range; i++)
        if (finding(text, random, oracle, i)) {
            rein_str_puts(out, comma);
            rein_json_put_string(out, text, strlen(text));
            comma = ",";
        }
    rein_str_puts(out, "]}\n");
}

static void put_table(rein_str *out, const sweep *random, const sweep *oracle) {
    char text[WARN_MAX];
    rein_str_printf(out, "%-14s %11s %11s %11s %11s | %11s %11s\n", "component", "random min", "max", "mean", "std",
                    "oracle min", "max");
    for (int i = 0; i < random->n_range; i++)
        rein_str_printf(out, "%-14s %11.4f %11.4f %11.4f %11.4f | %11.4f %11.4f\n", random->of[i].name,
                        random->of[i].min, random->of[i].max, mean(random, i), deviation(random, i), oracle->of[i].min,
                        oracle->of[i].max);
    if (is_floor(&random->of[random->n_range - 1]))
        rein_str_printf(out, "floor reached by %.2f %% of the random answers\n",
                        100 * (double)random->floored / (double)random->n);
    for (int i = 0; i < random->n_range; i++)
        if (finding(text, random, oracle, i)) rein_str_printf(out, "warning: %s\n", text);
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    char text[WARN_MAX];
    sweep random = {0}, oracle = {0};
    rein_str result = {0};
    rein_env *env;
    (void)n_words;
    REIN_TRY(rein_control_named(words[0]));
    REIN_TRY(rein_control_class.create(&env, &v->env));
    rein_status status = run_sweep(&random, env, v, true);
    if (status == REIN_OK) status = run_sweep(&oracle, env, v, false);
    env->cls->destroy(env);
    if (status != REIN_OK) return status;
    (cli->json ? put_json : put_table)(&result, &random, &oracle);
    REIN_TRY(rein_cli_flush(cli, &result));
    for (int i = 0; v->strict && i < random.n_range; i++)
        if (finding(text, &random, &oracle, i)) return rein_fail(REIN_ERR_MISMATCH, "%s", text);
    return REIN_OK;
}

const rein_command rein_cmd_reward_lint = {
    .name = "reward lint",
    .subject = "NAME",
    .summary = "range of every reward component over random and optimal answers",
    .options = rows,
    .n_options = (int64_t)REIN_COUNT(rows),
    .values_size = sizeof(values),
    .min_positional = 1,
    .max_positional = 1,
    .run = run,
};
