/*
 * rein sweep SWEEP.yaml: one recipe under several settings, each with several seeds, and a table of what they reached.
 *
 *   name: rates
 *   include: control-quick.yaml          # the recipe, beside this file
 *   seeds: [1, 2, 3]                     # values of its variable `seed`
 *   grid:                                # every combination of: STAGE.OPTION or a variable of the recipe
 *     grpo.learning_rate: [1e-4, 3e-4]
 *
 * or, instead of grid, points that are drawn (as a function of `seed` alone): uniformly from [low, high], or [low,
 * high, log]
 *
 *   random: {points: 8, seed: 0, grpo.learning_rate: [1e-5, 1e-3, log], grpo.beta: [0, 0.1]}
 *
 * A point and seed is a pipeline in FOLDER/point-K/seed-S; the same command again goes on where it stopped. Values in
 * the table are means over the seeds of the means over the cases of an evaluation, beside them the standard deviation
 * (ddof 1) over the seeds.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/math64.h"
#include "base/random.h"
#include "base/yaml.h"
#include "cli/commands.h"
#include "cli/recipe.h"
#include "report/summary.h"
#include "rl/stats.h"

enum { MAX_SETTINGS = 16, MAX_SEEDS = 64, MAX_POINTS = 4096 };

typedef struct values {
    const char *output_dir;
    int64_t point;
} values;

static const rein_option options[] = {
    {"output_dir", REIN_OPT_STRING, offsetof(values, output_dir), NULL, 0, 0, NULL,
     "folder of all points (default: runs/NAME)", "DIR"},
    {"point", REIN_OPT_INT, offsetof(values, point), "0", 0, MAX_POINTS, NULL,
     "run only this one, as a task of a cluster's job array; 0: all that are missing", NULL},
};

typedef struct setting {
    const char *name;
    const rein_yaml_node *value; /* grid: the list; random: low, high[, log] */
} setting;

typedef struct sweep {
    rein_arena arena;
    const char *dir;
    char *recipe;
    setting setting[MAX_SETTINGS];
    int n_setting;
    const char *seed[MAX_SEEDS];
    int n_seed;
    bool random;
    int64_t n_point;
    uint64_t draw_seed;
} sweep;

/* ---- reading ---- */

static rein_status read_number(double *out, const rein_yaml_node *n) {
    return n->text && rein_option_numbers(out, 1, n->text) ? REIN_OK : rein_recipe_bad(n, "expected a number");
}

static rein_status read_count(int64_t *out, const rein_yaml_node *n, int64_t low, int64_t high) {
    double x;
    REIN_TRY(read_number(&x, n));
    if (!(x >= (double)low && x <= (double)high) || x != floor(x))
        return rein_recipe_bad(n, "expected a whole number in range");
    *out = (int64_t)x;
    return REIN_OK;
}

static rein_status check_range(const rein_yaml_node *n) {
    double low, high;
    if (n->n < 2 || n->n > 3) return rein_recipe_bad(n, "expected [low, high] or [low, high, log]");
    REIN_TRY(read_number(&low, &n->child[0]));
    REIN_TRY(read_number(&high, &n->child[1]));
    bool log = n->n == 3;
    if (log && (!n->child[2].text || strcmp(n->child[2].text, "log") != 0))
        return rein_recipe_bad(&n->child[2], "expected log, or nothing");
    if (!(low < high) || (log && low <= 0)) return rein_recipe_bad(n, "low must be below high, and above 0 for log");
    return REIN_OK;
}

static rein_status add_setting(sweep *s, const char *name, const rein_yaml_node *value) {
    if (s->n_setting == MAX_SETTINGS) return rein_recipe_bad(value, "too many settings");
    if (value->kind != REIN_YAML_SEQUENCE || value->n < 1) return rein_recipe_bad(value, "expected a list of values");
    for (int64_t i = 0; i < value->n; i++)
        if (!value->child[i].text) return rein_recipe_bad(&value->child[i], "a value is one scalar");
    if (s->random) REIN_TRY(check_range(value));
    s->setting[s->n_setting++] = (setting){name, value};
    return REIN_OK;
}

static rein_status read_grid(sweep *s, const rein_yaml_node *grid) {
    s->n_point = 1;
    for (int64_t i = 0; i < grid->n; i++) {
        REIN_TRY(add_setting(s, grid->key[i], &grid->child[i]));
        s->n_point *= grid->child[i].n;
        if (s->n_point > MAX_POINTS) return rein_recipe_bad(grid, "too many points");
    }
    return REIN_OK;
}

static rein_status read_random(sweep *s, const rein_yaml_node *random) {
    int64_t seed = 0;
    s->random = true;
    for (int64_t i = 0; i < random->n; i++) {
        const rein_yaml_node *n = &random->child[i];
        if (strcmp(random->key[i], "points") == 0)
            REIN_TRY(read_count(&s->n_point, n, 1, MAX_POINTS));
        else if (strcmp(random->key[i], "seed") == 0)
            REIN_TRY(read_count(&seed, n, 0, 1LL << 53));
        else
            REIN_TRY(add_setting(s, random->key[i], n));
    }
    s->draw_seed = (uint64_t)seed;
    return s->n_point > 0 ? REIN_OK : rein_recipe_bad(random, "points, their number, is missing");
}

static rein_status read_seeds(sweep *s, const rein_yaml_node *seeds) {
    if (seeds->kind != REIN_YAML_SEQUENCE || seeds->n < 1 || seeds->n > MAX_SEEDS)
        return rein_recipe_bad(seeds, "seeds is a list of 1 to 64 numbers");
    for (int64_t i = 0; i < seeds->n; i++) {
        int64_t seed;
        REIN_TRY(read_count(&seed, &seeds->child[i], 0, 1LL << 53));
        s->seed[s->n_seed++] = seeds->child[i].text;
    }
    return REIN_OK;
}

static rein_status read_sweep(sweep *s, const char *path, const char *dir) {
    static const char *const keys[] = {"name", "include", "seeds", "grid", "random"};
    const rein_yaml_node *root;
    REIN_TRY(rein_yaml_load(&root, &s->arena, path));
    if (root->kind != REIN_YAML_MAPPING)
        return rein_recipe_bad(root, "a sweep is a mapping of name, include, seeds, grid");
    REIN_TRY(rein_recipe_keys(root, keys, REIN_COUNT(keys)));
    const rein_yaml_node *name = rein_yaml_get(root, "name"), *include = rein_yaml_get(root, "include");
    const rein_yaml_node *seeds = rein_yaml_get(root, "seeds"), *grid = rein_yaml_get(root, "grid");
    const rein_yaml_node *random = rein_yaml_get(root, "random");
    if (!name || !name->text || !include || !include->text || !seeds)
        return rein_recipe_bad(root, "a sweep needs name, include and seeds");
    if (grid && random) return rein_recipe_bad(random, "give grid or random, one of the two");
    REIN_TRY(rein_recipe_beside(&s->arena, &s->recipe, path, include->text));
    char *folder;
    REIN_TRY(dir ? rein_path_format(&s->arena, &folder, "%s", dir)
                 : rein_path_format(&s->arena, &folder, "runs/%s", name->text));
    s->dir = folder;
    s->n_point = 1;
    if (grid) REIN_TRY(read_grid(s, grid));
    if (random) REIN_TRY(read_random(s, random));
    return read_seeds(s, seeds);
}

/* ---- points ---- */

/* The value of setting k at a point, counted from 0; the last setting of a grid moves fastest. */
static rein_status value_at(sweep *s, int64_t point, int k, const char **out) {
    const rein_yaml_node *list = s->setting[k].value;
    if (!s->random) {
        for (int j = s->n_setting - 1; j > k; j--) point /= s->setting[j].value->n;
        *out = list->child[point % list->n].text;
        return REIN_OK;
    }
    double low, high;
    char *text;
    REIN_TRY(read_number(&low, &list->child[0]));
    REIN_TRY(read_number(&high, &list->child[1]));
    double u = rein_random_uniform(s->draw_seed, REIN_STREAM_SWEEP, (uint32_t)point, (uint32_t)k, 0, 0);
    double x =
        list->n == 3 ? rein_exp64(rein_log64(low) + u * (rein_log64(high) - rein_log64(low))) : low + u * (high - low);
    REIN_TRY(rein_path_format(&s->arena, &text, "%.6g", x));
    *out = text;
    return REIN_OK;
}

static rein_status point_dir(sweep *s, int64_t point, int seed, char **out) {
    return rein_path_format(&s->arena, out, "%s/point-%lld/seed-%s", s->dir, (long long)point + 1, s->seed[seed]);
}

static rein_status run_point(const rein_cli *cli, sweep *s, int64_t point, int seed) {
    const char *set[MAX_SETTINGS + 1], *value;
    char *word, *dir;
    for (int k = 0; k < s->n_setting; k++) {
        REIN_TRY(value_at(s, point, k, &value));
        REIN_TRY(rein_path_format(&s->arena, &word, "%s=%s", s->setting[k].name, value));
        set[k] = word;
    }
    REIN_TRY(rein_path_format(&s->arena, &word, "seed=%s", s->seed[seed]));
    set[s->n_setting] = word;
    REIN_TRY(point_dir(s, point, seed, &dir));
    rein_log(REIN_LOG_INFO, "point %lld of %lld, seed %s", (long long)point + 1, (long long)s->n_point, s->seed[seed]);
    return rein_recipe_run(cli,
                           &(rein_recipe_args){.path = s->recipe, .dir = dir, .set = set, .n_set = s->n_setting + 1});
}

/* ---- the table ---- */

/* A policy of an evaluation: what each seed reached. */
typedef struct line {
    const char *eval, *policy;
    double reward[MAX_SEEDS], success[MAX_SEEDS], format[MAX_SEEDS]; /* (n) */
    int64_t n;
} line;

enum { MAX_LINES = 256 };
typedef struct table {
    line *line; /* (MAX_LINES) */
    int n;
} table;

static rein_status add_result(table *t, const char *eval, const rein_policy_summary *p) {
    int i = 0;
    while (i < t->n && (strcmp(t->line[i].eval, eval) != 0 || strcmp(t->line[i].policy, p->policy->name) != 0)) i++;
    if (i == MAX_LINES) return rein_fail(REIN_ERR_USAGE, "more than %d policies and evaluations", MAX_LINES);
    if (i == t->n) t->line[t->n++] = (line){.eval = eval, .policy = p->policy->name};
    line *l = &t->line[i];
    l->reward[l->n] = p->reward.mean;
    l->success[l->n] = p->success.mean;
    l->format[l->n++] = p->format.mean;
    return REIN_OK;
}

/* All evaluations in the pipeline of one seed. */
static rein_status read_results(sweep *s, table *t, const char *dir) {
    char **paths;
    int64_t n_run;
    REIN_TRY(rein_run_find(dir, 3, &s->arena, &paths, &n_run));
    for (int64_t i = 0; i < n_run; i++) {
        rein_rundir *run;
        rein_eval *eval;
        int64_t n_eval;
        rein_policy_summary *p;
        REIN_TRY(rein_rundir_open(&run, paths[i], false));
        rein_status status = rein_read_evals(run, &s->arena, &eval, &n_eval);
        rein_rundir_close(run);
        REIN_TRY(status);
        for (int64_t e = 0; e < n_eval; e++) {
            REIN_TRY(rein_summarize(&eval[e], &s->arena, &p));
            for (int64_t k = 0; k < eval[e].n_policy; k++) REIN_TRY(add_result(t, eval[e].name, &p[k]));
        }
    }
    return REIN_OK;
}

static void put_moments(rein_str *out, const char *name, const double *x, int64_t n, bool json) {
    rein_moments m = rein_stats_moments(x, n, 1);
    if (!json && n < 2)
        rein_str_printf(out, "  %s %8.3f         ", name, m.mean);
    else if (!json)
        rein_str_printf(out, "  %s %8.3f +- %.3f", name, m.mean, m.sd);
    else if (n < 2)
        rein_str_printf(out, ",\"%s\":{\"mean\":%.17g,\"sd\":null}", name, m.mean);
    else
        rein_str_printf(out, ",\"%s\":{\"mean\":%.17g,\"sd\":%.17g}", name, m.mean, m.sd);
}

static void put_line(rein_str *out, const line *l, bool json) {
    if (json) {
        rein_str_puts(out, "{\"evaluation\":");
        rein_json_put_string(out, l->eval, strlen(l->eval));
        rein_str_puts(out, ",\"policy\":");
        rein_json_put_string(out, l->policy, strlen(l->policy));
        rein_str_printf(out, ",\"n\":%lld", (long long)l->n);
    } else {
        rein_str_printf(out, "  %-12s %-16s %2lld", l->eval, l->policy, (long long)l->n);
    }
    put_moments(out, "reward", l->reward, l->n, json);
    put_moments(out, "success", l->success, l->n, json);
    put_moments(out, "format", l->format, l->n, json);
    rein_str_puts(out, json ? "}" : "\n");
}

static rein_status put_settings(rein_str *out, sweep *s, int64_t point, bool json) {
    const char *value;
    rein_str_printf(out, json ? "{\"point\":%lld,\"settings\":{" : "point %lld:", (long long)point + 1);
    for (int k = 0; k < s->n_setting; k++) {
        REIN_TRY(value_at(s, point, k, &value));
        if (!json) {
            rein_str_printf(out, " %s=%s", s->setting[k].name, value);
            continue;
        }
        if (k) rein_str_putc(out, ',');
        rein_json_put_string(out, s->setting[k].name, strlen(s->setting[k].name));
        rein_str_putc(out, ':');
        rein_json_put_string(out, value, strlen(value));
    }
    rein_str_puts(out, json ? "},\"policies\":[" : "\n");
    return REIN_OK;
}

/* One point: what is there of its seeds. */
static rein_status put_point(rein_str *out, sweep *s, table *t, int64_t point, bool json) {
    t->n = 0;
    for (int k = 0; k < s->n_seed; k++) {
        char *dir;
        REIN_TRY(point_dir(s, point, k, &dir));
        if (rein_rundir_exists(dir)) REIN_TRY(read_results(s, t, dir));
    }
    if (json && point) rein_str_putc(out, ',');
    REIN_TRY(put_settings(out, s, point, json));
    for (int i = 0; i < t->n; i++) {
        if (json && i) rein_str_putc(out, ',');
        put_line(out, &t->line[i], json);
    }
    if (json) rein_str_puts(out, "]}");
    return REIN_OK;
}

static rein_status print_table(const rein_cli *cli, sweep *s) {
    rein_str out = {0};
    table t = {0};
    rein_status status;
    REIN_TRY_OUT(status, rein_alloc(&t.line, MAX_LINES, sizeof *t.line), out);
    if (cli->json) rein_str_puts(&out, "{\"points\":[");
    for (int64_t i = 0; i < s->n_point; i++) REIN_TRY_OUT(status, put_point(&out, s, &t, i, cli->json), out);
    if (cli->json) rein_str_puts(&out, "]}\n");
    REIN_TRY_OUT(status, rein_str_check(&out), out);
    fwrite(out.data, 1, out.len, cli->out);
out:
    rein_free(t.line);
    rein_str_deinit(&out);
    return status;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    rein_cli quiet = *cli; /* what the stages print is in their runs; here it would stand before the table */
    sweep *s;
    rein_status status;
    (void)n_words;
    REIN_TRY(rein_alloc(&s, 1, sizeof *s));
    REIN_TRY_OUT(status, read_sweep(s, words[0], v->output_dir), out);
    if (v->point > s->n_point) {
        status =
            rein_fail(REIN_ERR_USAGE, "point %lld: the sweep has %lld", (long long)v->point, (long long)s->n_point);
        goto out;
    }
    quiet.out = stderr;
    for (int64_t i = 0; i < s->n_point; i++)
        for (int k = 0; k < s->n_seed && (v->point == 0 || v->point == i + 1); k++)
            REIN_TRY_OUT(status, run_point(&quiet, s, i, k), out);
    REIN_TRY_OUT(status, print_table(cli, s), out);
out:
    rein_arena_deinit(&s->arena);
    rein_free(s);
    return status;
}

const rein_command rein_cmd_sweep = {"sweep",
                                     "SWEEP.yaml",
                                     "a recipe under several settings and seeds; mean and deviation",
                                     options,
                                     REIN_COUNT(options),
                                     sizeof(values),
                                     1,
                                     1,
                                     run,
                                     NULL,
                                     0};
