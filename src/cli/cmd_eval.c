/* rein eval: models beside the environment's reference policies on the same cases. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/model.h"
#include "cli/progress.h"
#include "rl/stats.h"
#include "train/eval.h"

enum { MAX_MODELS = 16, MAX_TEMPERATURES = 8 };

typedef struct values {
    const char *env, *output_dir, *temperature, *against, *system_prompt, *chat_template_kwargs;
    bool chat;
    int64_t cases, num_samples, max_new_tokens, max_model_length, seed, batch, env_slots, max_turn_length;
    int split;
} values;

static const rein_option options[] = {
    {"env", REIN_OPT_STRING, offsetof(values, env), NULL, 0, 0, NULL, "environment: NAME or NAME:key=value,key=value", "SPEC"},
    {"cases", REIN_OPT_INT, offsetof(values, cases), "200", 1, 1 << 24, NULL, "held-out cases", NULL},
    {"split", REIN_OPT_CHOICE, offsetof(values, split), "eval", 0, 0, "eval|fixed",
     "eval: held-out tasks of the seed; fixed: the environment's published list", NULL},
    {"num_samples", REIN_OPT_INT, offsetof(values, num_samples), "1", 1, 4096, NULL, "answers of a model to each case", NULL},
    {"temperature", REIN_OPT_STRING, offsetof(values, temperature), "0", 0, 0, NULL,
     "of sampling, 0 is greedy; several as 0,1 make one evaluation each", "T,T..."},
    {"max_new_tokens", REIN_OPT_INT, offsetof(values, max_new_tokens), "512", 1, 1 << 20, NULL, "longest answer", NULL},
    {"max_model_length", REIN_OPT_INT, offsetof(values, max_model_length), "0", 0, 4194304, NULL,
     REIN_CLI_MAX_LENGTH_HELP, NULL},
    {"seed", REIN_OPT_INT, offsetof(values, seed), "42", 0, 9007199254740992, NULL, "of cases and draws", NULL},
    {"max_turn_length", REIN_OPT_INT, offsetof(values, max_turn_length), "256", 1, 1 << 20, NULL,
     "where tasks take several turns: tokens of one turn; max_new_tokens is of all, the world's included", NULL},
    {"env_slots", REIN_OPT_INT, offsetof(values, env_slots), "8", 1, 1024, NULL, "the same: episodes at once", NULL},
    {"batch", REIN_OPT_INT, offsetof(values, batch), "256", 1, 1 << 16, NULL,
     "answers decoded together; never changes a result", NULL},
    {"against", REIN_OPT_STRING, offsetof(values, against), NULL, 0, 0, NULL,
     "more models to compare with on the same cases: NAME=PATH,NAME=PATH", "LIST"},
    {"chat", REIN_OPT_BOOL, offsetof(values, chat), "false", 0, 0, NULL,
     "a prompt of text becomes the user's message in the model's chat template", NULL},
    {"system_prompt", REIN_OPT_STRING, offsetof(values, system_prompt), NULL, 0, 0, NULL,
     "first message of conversations that have none", "TEXT"},
    {"chat_template_kwargs", REIN_OPT_STRING, offsetof(values, chat_template_kwargs), NULL, 0, 0, NULL,
     "variables of the chat template, as {\"enable_thinking\": false}", "JSON"},
    {"output_dir", REIN_OPT_STRING, offsetof(values, output_dir), NULL, 0, 0, NULL, "also keep everything as a run", "DIR"},
};

/* ---- arguments ---- */

typedef struct models {
    const char *name[MAX_MODELS], *path[MAX_MODELS];
    int64_t n;
    rein_arena arena;
} models;

/* "NAME=PATH" or a path, whose last part is the name. */
static rein_status add_model(models *m, const char *text, size_t len) {
    char *copy;
    if (m->n == MAX_MODELS) return rein_fail(REIN_ERR_USAGE, "more than %d models", MAX_MODELS);
    REIN_TRY(rein_arena_strdup(&m->arena, &copy, text, len));
    char *eq = strchr(copy, '='), *slash = strrchr(copy, '/');
    if (eq) *eq = '\0';
    m->path[m->n] = eq ? eq + 1 : copy;
    m->name[m->n++] = eq ? copy : slash && slash[1] ? slash + 1 : copy;
    return REIN_OK;
}

static rein_status add_list(models *m, const char *list) {
    while (list && *list) {
        size_t len = strcspn(list, ",");
        REIN_TRY(add_model(m, list, len));
        list += len + (list[len] == ',');
    }
    return REIN_OK;
}

static rein_status parse_temperatures(const char *text, double *out, int *n) {
    *n = 0;
    for (const char *at = text; *at;) {
        char *end;
        double t = strtod(at, &end);
        if (end == at || (*end && *end != ',') || !(t >= 0 && t <= 100))
            return rein_fail(REIN_ERR_USAGE, "temperature: '%s' is no list of numbers from 0 to 100", text);
        if (*n == MAX_TEMPERATURES) return rein_fail(REIN_ERR_USAGE, "temperature: more than %d", MAX_TEMPERATURES);
        out[(*n)++] = t;
        at = *end ? end + 1 : end;
    }
    return *n ? REIN_OK : rein_fail(REIN_ERR_USAGE, "temperature: a number is missing");
}

static void evaluation_name(char out[32], double temperature) {
    if (temperature == 0)
        snprintf(out, 32, "greedy");
    else
        snprintf(out, 32, "T=%g", temperature);
}

/* ---- results ---- */

static void put_named(rein_str *s, const rein_named *list, int n) {
    rein_str_putc(s, '{');
    for (int i = 0; i < n; i++) {
        if (i) rein_str_putc(s, ',');
        rein_json_put_string(s, list[i].name, strlen(list[i].name));
        rein_str_putc(s, ':');
        rein_json_put_f64(s, list[i].value);
    }
    rein_str_putc(s, '}');
}

static void put_summary(rein_str *s, const rein_policy_result *p) {
    rein_policy_summary sum;
    rein_policy_summarize(&sum, p);
    rein_str_puts(s, "{\"policy\":");
    rein_json_put_string(s, p->name, strlen(p->name));
    rein_str_puts(s, ",\"mean_return\":");
    rein_json_put_f64(s, sum.reward);
    rein_str_puts(s, ",\"success_rate\":");
    rein_json_put_f64(s, sum.success_rate);
    rein_str_puts(s, ",\"format_rate\":");
    rein_json_put_f64(s, sum.format_rate);
    rein_str_puts(s, ",\"metrics\":");
    put_named(s, sum.metric, sum.n_metric);
    if (p->weights[0]) rein_str_printf(s, ",\"weights\":\"%s\"", p->weights);
    rein_str_putc(s, '}');
}

static void put_case(rein_str *s, const rein_evaluation *e, const rein_policy_result *p, const rein_answer *a) {
    rein_str_puts(s, "{\"policy\":");
    rein_json_put_string(s, p->name, strlen(p->name));
    rein_str_printf(s, ",\"index\":%lld,\"sample\":%lld,\"key\":\"%016llx\",\"reward\":", (long long)a->index,
                    (long long)a->sample, (unsigned long long)e->task[a->index].key);
    rein_json_put_f64(s, a->score.total);
    rein_str_printf(s, ",\"success\":%s,\"format_ok\":%s,\"components\":", a->score.success ? "true" : "false",
                    a->score.format_ok ? "true" : "false");
    put_named(s, a->score.component, a->score.n_component);
    rein_str_puts(s, ",\"metrics\":");
    put_named(s, a->score.metric, a->score.n_metric);
    rein_str_puts(s, ",\"response\":");
    rein_json_put_string(s, a->text.data ? a->text.data : "", a->text.len);
    rein_str_puts(s, ",\"details\":");
    rein_str_append(s, a->details.data ? a->details.data : "{}", a->details.data ? a->details.len : 2);
    rein_str_putc(s, '}');
}

static void put_json(rein_str *s, const rein_evaluation *e, const char *name) {
    rein_str_printf(s, "{\"evaluation\":\"%s\"", name);
    for (int role = 0; role < 2; role++) { /* models, then reference policies */
        bool first = true;
        rein_str_puts(s, role == 0 ? ",\"summary\":[" : ",\"baselines\":[");
        for (int64_t i = 0; i < e->n_policy; i++) {
            if ((e->policy[i].role == REIN_ROLE_MODEL) != (role == 0)) continue;
            if (!first) rein_str_putc(s, ',');
            put_summary(s, &e->policy[i]);
            first = false;
        }
        rein_str_putc(s, ']');
    }
    rein_str_puts(s, ",\"cases\":[");
    bool first = true;
    for (int64_t i = 0; i < e->n_policy; i++)
        for (int64_t k = 0; k < e->policy[i].n; k++) {
            if (!first) rein_str_putc(s, ',');
            put_case(s, e, &e->policy[i], &e->policy[i].answer[k]);
            first = false;
        }
    rein_str_puts(s, "]}");
}

static void print_table(FILE *out, const rein_evaluation *e, const char *name) {
    fprintf(out, "%s (%lld cases)\n%-16s %10s %9s %9s", name, (long long)e->n_case, "policy", "reward", "success",
            "format");
    rein_policy_summary first;
    rein_policy_summarize(&first, &e->policy[0]);
    for (int k = 0; k < first.n_metric; k++) fprintf(out, " %12.12s", first.metric[k].name);
    fputc('\n', out);
    for (int64_t i = 0; i < e->n_policy; i++) {
        rein_policy_summary s;
        rein_policy_summarize(&s, &e->policy[i]);
        fprintf(out, "%-16s %10.3f %9.3f %9.3f", e->policy[i].name, s.reward, s.success_rate, s.format_rate);
        for (int k = 0; k < s.n_metric; k++) fprintf(out, " %12.4f", s.metric[k].value);
        fputc('\n', out);
    }
}

/* Value of an answer: its reward (metric NULL), or a metric; false if it has none (a malformed answer has no cost). */
static bool value_of(const rein_answer *a, const char *metric, double *out) {
    *out = a->score.total;
    if (!metric) return true;
    for (int i = 0; i < a->score.n_metric; i++)
        if (strcmp(a->score.metric[i].name, metric) == 0) {
            *out = a->score.metric[i].value;
            return true;
        }
    return false;
}

/* Mean over a case's answers; false if none of them has the value. */
static bool case_mean(const rein_policy_result *p, int64_t n_case, int64_t index, const char *metric, double *out) {
    int64_t per = p->n / n_case, n = 0;
    double x, sum = 0;
    for (int64_t k = 0; k < per; k++)
        if (value_of(&p->answer[index * per + k], metric, &x)) {
            sum += x;
            n++;
        }
    *out = n ? sum / (double)n : 0;
    return n > 0;
}

static rein_status print_pair(FILE *out, const rein_evaluation *e, const rein_policy_result *p,
                              const rein_policy_result *q, const char *metric, uint64_t seed) {
    double *a = NULL, *b = NULL;
    int64_t n = 0;
    rein_paired d;
    rein_status status;
    REIN_TRY_OUT(status, rein_alloc(&a, e->n_case, sizeof *a), out);
    REIN_TRY_OUT(status, rein_alloc(&b, e->n_case, sizeof *b), out);
    for (int64_t c = 0; c < e->n_case; c++)
        if (case_mean(p, e->n_case, c, metric, &a[n]) && case_mean(q, e->n_case, c, metric, &b[n])) n++;
    if (n > 1) {
        REIN_TRY_OUT(status, rein_stats_paired(&d, a, b, n, seed), out);
        fprintf(out, "%s - %s: %s %+.3f, 95 %% CI [%+.3f, %+.3f] over %lld cases\n", p->name, q->name,
                metric ? metric : "reward", d.mean, d.bootstrap.low, d.bootstrap.high, (long long)n);
    }
out:
    rein_free(a);
    rein_free(b);
    return status;
}

/* The first model against every other model, paired by case: reward, and the environment's first metric. */
static rein_status print_pairs(FILE *out, const rein_evaluation *e, uint64_t seed) {
    const char *metric = e->policy[0].n && e->policy[0].answer[0].score.n_metric
                             ? e->policy[0].answer[0].score.metric[0].name : NULL;
    int64_t first = 0;
    while (first < e->n_policy && e->policy[first].role != REIN_ROLE_MODEL) first++;
    for (int64_t i = first + 1; i < e->n_policy; i++) {
        REIN_TRY(print_pair(out, e, &e->policy[first], &e->policy[i], NULL, seed));
        if (metric) REIN_TRY(print_pair(out, e, &e->policy[first], &e->policy[i], metric, seed));
    }
    return REIN_OK;
}

/* ---- the command ---- */

static void detail(void *user, const char *text) {
    (void)user;
    rein_progress_detail(text);
}

static rein_status evaluate_at(const rein_cli *cli, rein_eval_args *a, rein_device *dev, rein_rundir *run, bool first) {
    rein_evaluation e;
    rein_str s = {0};
    char name[32], about[256];
    evaluation_name(name, a->temperature);
    snprintf(about, sizeof about, "env=%s cases=%lld samples=%lld seed=%llu", a->env, (long long)a->cases,
             (long long)a->num_samples, (unsigned long long)a->seed);
    REIN_TRY(rein_evaluate(&e, a, dev, detail, NULL));
    rein_progress_end();
    rein_status status = run ? rein_evaluation_store(&e, run, name, about) : REIN_OK;
    if (status == REIN_OK && cli->json) {
        put_json(&s, &e, name);
        status = rein_str_check(&s);
        if (status == REIN_OK) fprintf(cli->out, "%s%s", first ? "" : ",", s.data);
    } else if (status == REIN_OK) {
        print_table(cli->out, &e, name);
        status = print_pairs(cli->out, &e, a->seed);
    }
    rein_str_deinit(&s);
    rein_evaluation_deinit(&e);
    return status;
}

static rein_status evaluate(const rein_cli *cli, const rein_options *opts, const models *m, rein_rundir *run) {
    const values *v = opts->values;
    double temperature[MAX_TEMPERATURES];
    int n;
    rein_device *dev;
    REIN_TRY(parse_temperatures(v->temperature, temperature, &n));
    REIN_TRY(rein_device_open_cpu(&dev, cli->isa, cli->threads));
    rein_status status = REIN_OK;
    if (cli->json && n > 1) fputc('[', cli->out);
    for (int i = 0; i < n && status == REIN_OK; i++) {
        rein_eval_args a = {.env = v->env, .name = m->name, .path = m->path, .n_model = m->n,
                            .split = v->split == 0 ? REIN_SPLIT_EVAL : REIN_SPLIT_FIXED, .cases = v->cases,
                            .num_samples = temperature[i] == 0 ? 1 : v->num_samples,
                            .max_new_tokens = v->max_new_tokens, .batch = v->batch,
                            .env_slots = v->env_slots, .max_turn_tokens = v->max_turn_length,
                            .max_model_length = v->max_model_length, .seed = (uint64_t)v->seed,
                            .temperature = temperature[i],
                            .chat = {v->system_prompt, v->chat_template_kwargs, v->chat}};
        rein_progress_begin("eval", i, n);
        status = evaluate_at(cli, &a, dev, run, i == 0);
    }
    if (cli->json) fputs(n > 1 ? "]\n" : "\n", cli->out);
    if (status == REIN_OK && run) status = rein_rundir_environment(run, dev->ops->name, dev->threads);
    rein_device_close(dev);
    return status;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    models m = {0};
    rein_rundir *dir = NULL;
    rein_str yaml = {0};
    rein_status status = REIN_OK;
    if (!v->env) return rein_fail(REIN_ERR_USAGE, "option --env is missing");
    for (int i = 0; i < n_words; i++) REIN_TRY_OUT(status, add_model(&m, words[i], strlen(words[i])), out);
    REIN_TRY_OUT(status, add_list(&m, v->against), out);
    if (v->output_dir) {
        rein_options_write_yaml(opts, &yaml);
        REIN_TRY_OUT(status, rein_str_check(&yaml), out);
        REIN_TRY_OUT(status, rein_rundir_create(&dir, v->output_dir, "eval", yaml.data), out);
    }
    status = evaluate(cli, opts, &m, dir);
out:
    rein_rundir_close(dir);
    rein_str_deinit(&yaml);
    rein_arena_deinit(&m.arena);
    return status;
}

const rein_command rein_cmd_eval = {"eval", "[NAME=]MODEL...", "models beside reference policies on the same cases", options,
                                    REIN_COUNT(options), sizeof(values), 0, MAX_MODELS, run, NULL, 0};
