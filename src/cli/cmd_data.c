/* rein data gen, audit and show: data sets of demonstrations, their checks, a readable sample. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/control_cli.h"
#include "cli/model.h"
#include "env/control/dataset.h"
#include "env/dataset/arithmetic.h"
#include "env/open.h"
#include "io/audit.h"
#include "rollout/demonstrate.h"

/* ---- gen ---- */

typedef struct gen_values {
    rein_control_config config;
    const char *env, *out, *name;
    int64_t train, eval, seed;
    int fields;
    rein_arithmetic_config arithmetic;
} gen_values;

static const rein_option gen_rows[] = {
    REIN_CONTROL_OPTIONS,
    {"env", REIN_OPT_STRING, offsetof(gen_values, env), "control", 0, 0, NULL,
     "what to generate: control (demonstrations), arithmetic (prompts with answers), or an environment of several turns, "
     "NAME:key=value (conversations of its expert)", "NAME"},
    {"train", REIN_OPT_INT, offsetof(gen_values, train), "500", 0, 1e9, NULL, "rows to train on", NULL},
    {"eval", REIN_OPT_INT, offsetof(gen_values, eval), "100", 0, 1e9, NULL, "held-out rows, all different", NULL},
    {"seed", REIN_OPT_INT, offsetof(gen_values, seed), "42", 0, 9e15, NULL, "of starts and demonstrations", NULL},
    {"fields", REIN_OPT_CHOICE, offsetof(gen_values, fields), "full", 0, 0, REIN_FIELDS_CHOICES,
     "full: with controls and trajectory, for data audit; text: prompt and completion only", NULL},
    {"out", REIN_OPT_STRING, offsetof(gen_values, out), "datasets", 0, 0, NULL, "folder to write to", "DIR"},
    {"name", REIN_OPT_STRING, offsetof(gen_values, name), NULL, 0, 0, NULL,
     "NAME_train.jsonl and NAME_eval.jsonl; default: the system's name, or arithmetic", "NAME"},
    {"kind", REIN_OPT_CHOICE, offsetof(gen_values, arithmetic.kind), "both", 0, 0, REIN_ARITHMETIC_KINDS,
     "arithmetic: which problems", NULL},
    {"style", REIN_OPT_CHOICE, offsetof(gen_values, arithmetic.style), "prompt", 0, 0, REIN_ARITHMETIC_STYLES,
     "arithmetic: prompt as text, as a conversation, or with a completion", NULL},
    {"terms", REIN_OPT_INT, offsetof(gen_values, arithmetic.terms), "2", 2, 6, NULL,
     "arithmetic: numbers of an expression", NULL},
    {"max_value", REIN_OPT_INT, offsetof(gen_values, arithmetic.max_value), "20", 1, 1000000, NULL,
     "arithmetic: largest number of a problem", NULL},
    {"operations", REIN_OPT_STRING, offsetof(gen_values, arithmetic.operations), "+-*", 0, 0, NULL,
     "arithmetic: of expressions", "SIGNS"},
    {"suffix", REIN_OPT_STRING, offsetof(gen_values, arithmetic.suffix), "", 0, 0, NULL,
     "arithmetic: text behind each question", "TEXT"},
};

/* `env`: the control world or one of several turns, or NULL for arithmetic. */
static rein_status gen_split(rein_str *report, const rein_cli *cli, const rein_env *env, const gen_values *v,
                             rein_split split) {
    const bool train = split == REIN_SPLIT_TRAIN;
    const char *title = train ? "train" : "eval", *name = v->name;
    const int64_t n = train ? v->train : v->eval;
    char hash[REIN_SHA256_HEX], *path;
    rein_arena arena = {0};
    rein_status status;
    const bool control = env && env->cls == &rein_control_class;
    if (!name) name = control ? ((const rein_control *)env)->config.system : env ? env->cls->name : "arithmetic";
    REIN_TRY(rein_path_format(&arena, &path, "%s/%s_%s.jsonl", v->out, name, title));
    if (control)
        status = rein_control_dataset_write(path, env, (uint64_t)v->seed, split, n, (rein_fields)v->fields);
    else if (env)
        status = rein_demonstrations_write(path, env, (uint64_t)v->seed, split, n);
    else
        status = rein_arithmetic_write(path, &v->arithmetic, (uint64_t)v->seed, split, n);
    if (status == REIN_OK) status = rein_sha256_file(hash, path);
    if (status == REIN_OK && cli->json) {
        rein_str_printf(report, "%s\"%s\":{\"path\":", train ? "" : ",", title);
        rein_json_put_string(report, path, strlen(path));
        rein_str_printf(report, ",\"rows\":%lld,\"sha256\":\"%s\"}", (long long)n, hash);
    } else if (status == REIN_OK) {
        rein_str_printf(report, "%s  %lld rows  sha256 %s\n", path, (long long)n, hash);
    }
    rein_arena_deinit(&arena);
    return status;
}

static rein_status gen_both(const rein_cli *cli, const rein_env *env, const gen_values *v) {
    rein_str report = {0};
    rein_status status = rein_mkdirs(v->out);
    rein_str_puts(&report, cli->json ? "{" : "");
    if (status == REIN_OK) status = gen_split(&report, cli, env, v, REIN_SPLIT_TRAIN);
    if (status == REIN_OK) status = gen_split(&report, cli, env, v, REIN_SPLIT_EVAL);
    rein_str_puts(&report, cli->json ? "}\n" : "");
    if (status == REIN_OK) return rein_cli_flush(cli, &report);
    rein_str_deinit(&report);
    return status;
}

/* --env as it stands, or the control world with the command's own options. */
static rein_status open_world(rein_env **env, const gen_values *v) {
    size_t name = strcspn(v->env, ":");
    if (name == strlen("control") && strncmp(v->env, "control", name) == 0) {
        REIN_TRY(rein_control_named(v->env));
        return rein_control_class.create(env, &v->config);
    }
    REIN_TRY(rein_env_open(env, v->env));
    if ((*env)->cls->turns) return REIN_OK;
    rein_env_close(*env);
    return rein_fail(REIN_ERR_USAGE, "env '%s': data gen takes control, arithmetic, or an environment of several turns",
                     v->env);
}

static rein_status gen(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const gen_values *v = opts->values;
    rein_env *env;
    (void)words, (void)n_words;
    if (strcmp(v->env, "arithmetic") == 0) return gen_both(cli, NULL, v);
    REIN_TRY(open_world(&env, v));
    rein_task last; /* the held-out rows run out first: say so before anything is written */
    rein_status status =
        v->eval > 0 ? env->cls->task(env, (uint64_t)v->seed, REIN_SPLIT_EVAL, v->eval - 1, &last) : REIN_OK;
    if (status == REIN_OK) status = gen_both(cli, env, v);
    env->cls->destroy(env);
    return status;
}

const rein_command rein_cmd_data_gen = {
    .name = "data gen",
    .summary = "write a data set: demonstrations, or problems with answers",
    .options = gen_rows,
    .n_options = (int64_t)REIN_COUNT(gen_rows),
    .values_size = sizeof(gen_values),
    .run = gen,
};

/* ---- audit ---- */

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The only NAME_train.jsonl of a folder and its NAME_eval.jsonl, in `arena`. */
static rein_status find_pair(const char *out[2], rein_arena *arena, const char *folder) {
    static const char end[] = "_train.jsonl";
    char **names, *path = NULL;
    int64_t n;
    REIN_TRY(rein_list_dir(&names, &n, arena, folder));
    for (int64_t i = 0; i < n; i++) {
        if (!ends_with(names[i], end)) continue;
        if (path) return rein_fail(REIN_ERR_USAGE, "%s holds several data sets; name the two files", folder);
        int stem = (int)(strlen(names[i]) - (sizeof end - 1));
        REIN_TRY(rein_path_format(arena, &path, "%s/%s", folder, names[i]));
        out[0] = path;
        REIN_TRY(rein_path_format(arena, &path, "%s/%.*s_eval.jsonl", folder, stem, names[i]));
        out[1] = path;
    }
    return path ? REIN_OK : rein_fail(REIN_ERR_USAGE, "%s holds no NAME_train.jsonl", folder);
}

typedef struct audit_values {
    const char *tokenizer;
    int64_t max_length;
} audit_values;

static const rein_option audit_rows[] = {
    {"tokenizer", REIN_OPT_STRING, offsetof(audit_values, tokenizer), NULL, 0, 0, NULL,
     "count tokens with it: a model (its chat template is used) or a tokenizer.json", "PATH"},
    {"max_length", REIN_OPT_INT, offsetof(audit_values, max_length), "1024", 2, 1048576, NULL,
     "with a tokenizer: tokens of a row", NULL},
};

static void put_count(rein_str *out, bool json, const char *name, const char *meaning, int64_t value) {
    if (json)
        rein_str_printf(out, "%s\"%s\":%lld", out->len > 1 ? "," : "", name, (long long)value);
    else
        rein_str_printf(out, "%10lld  %s\n", (long long)value, meaning);
}

/* Facts of all rows, and of the labels where rows have such; returns the number of faults. */
static int64_t put_audit(rein_str *out, const rein_audit *r, const rein_data_report *labels, bool json) {
    const struct {
        const char *name, *meaning;
        int64_t value;
    } facts[] = {{"malformed", "completions that the parser refuses", labels->malformed},
                 {"wrong_controls", "completions with other numbers than their row", labels->wrong_controls},
                 {"wrong_states", "prompts with another state than their row", labels->wrong_states},
                 {"wrong_trajectories", "labels that do not replay", labels->wrong_trajectories}};
    int64_t faults = 0;
    rein_str_puts(out, json ? "{" : "");
    put_count(out, json, "train", "rows to train on", r->train);
    put_count(out, json, "eval", "held-out rows", r->eval);
    put_count(out, json, "labels", "labels checked", labels->labels);
    for (int i = 0; i < REIN_AUDIT_FACTS; i++) {
        const rein_audit_fact *f = &r->fact[i];
        put_count(out, json, rein_audit_name(i), rein_audit_meaning(i), f->n);
        if (!json && f->n > 0) rein_str_printf(out, "            first: %s\n", f->first);
        faults += f->n;
    }
    for (size_t i = 0; i < REIN_COUNT(facts) && r->labelled > 0; i++)
        put_count(out, json, facts[i].name, facts[i].meaning, facts[i].value);
    /* shared and repeated prompts are counted above, of all rows */
    faults += rein_data_faults(labels) - labels->shared_prompts - labels->repeated_eval;
    if (!json) return faults;
    rein_str_puts(out, ",\"first\":{");
    for (int i = 0, n = 0; i < REIN_AUDIT_FACTS; i++) {
        if (r->fact[i].n == 0) continue;
        rein_str_printf(out, "%s\"%s\":", n++ ? "," : "", rein_audit_name(i));
        rein_json_put_string(out, r->fact[i].first, strlen(r->fact[i].first));
    }
    rein_str_puts(out, "}}\n");
    return faults;
}

/* The tokenizer that counts tokens, and the chat template of a model that has one. */
static rein_status load_counter(rein_tokenizer **tok, rein_chat_template **chat, const char *path) {
    if (!path) return REIN_OK;
    return ends_with(path, ".json") ? rein_tokenizer_load(tok, path) : rein_cli_tokenizer_open(tok, chat, path);
}

static rein_status audit_files(rein_audit *out, rein_data_report *labels, const char *const files[2],
                               const audit_values *v) {
    rein_tokenizer *tok = NULL;
    rein_chat_template *chat = NULL;
    rein_status status = load_counter(&tok, &chat, v->tokenizer);
    const rein_audit_options o = {tok, chat, v->max_length};
    *labels = (rein_data_report){0};
    if (status == REIN_OK) status = rein_audit_rows(out, files[0], files[1], &o);
    bool readable = status == REIN_OK && out->fact[REIN_AUDIT_BROKEN].n + out->fact[REIN_AUDIT_FORMAT].n == 0;
    if (readable && out->labelled > 0) status = rein_data_audit(labels, files[0], files[1]);
    rein_chat_template_destroy(chat);
    rein_tokenizer_destroy(tok);
    return status;
}

static rein_status audit(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const char *files[2] = {words[0], n_words > 1 ? words[1] : NULL};
    rein_audit report;
    rein_data_report labels;
    rein_str text = {0};
    rein_arena arena = {0};
    rein_status status = REIN_OK;
    if (n_words == 1 && rein_path_is_dir(words[0])) status = find_pair(files, &arena, words[0]);
    if (status == REIN_OK) status = audit_files(&report, &labels, files, opts->values);
    rein_arena_deinit(&arena);
    if (status != REIN_OK) return status;
    int64_t faults = put_audit(&text, &report, &labels, cli->json);
    REIN_TRY(rein_cli_flush(cli, &text));
    return faults ? rein_fail(REIN_ERR_MISMATCH, "%lld faults in the data set", (long long)faults) : REIN_OK;
}

const rein_command rein_cmd_data_audit = {
    .name = "data audit",
    .subject = "DIR or TRAIN.jsonl [EVAL.jsonl]",
    .summary = "leakage between train and evaluation, repeated, wrong and over-long rows; every label replayed",
    .options = audit_rows,
    .n_options = (int64_t)REIN_COUNT(audit_rows),
    .values_size = sizeof(audit_values),
    .min_positional = 1,
    .max_positional = 2,
    .run = audit,
};

/* ---- show ---- */

typedef struct show_values {
    int64_t row, rows;
} show_values;

static const rein_option show_rows[] = {
    {"row", REIN_OPT_INT, offsetof(show_values, row), "1", 1, 9e15, NULL, "first row to show, from 1", NULL},
    {"rows", REIN_OPT_INT, offsetof(show_values, rows), "1", 1, 9e15, NULL, "how many", NULL},
};

typedef struct viewer {
    const rein_cli *cli;
    const show_values *v;
    int64_t seen;
} viewer;

static void put_member(rein_str *out, const char *key, struct json_object *value) {
    size_t len;
    if (json_object_is_type(value, json_type_string)) {
        rein_str_printf(out, "%s:\n  ", key);
        rein_str_append(out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    } else {
        const char *text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &len);
        rein_str_printf(out, "%s: ", key);
        if (text) rein_str_append(out, text, len);
    }
    rein_str_putc(out, '\n');
}

static rein_status show_row(void *user, int64_t line, struct json_object *row) {
    viewer *w = user;
    rein_str text = {0};
    w->seen++;
    if (w->seen < w->v->row || w->seen - w->v->row >= w->v->rows) return REIN_OK;
    if (w->cli->json) {
        size_t len;
        const char *plain = json_object_to_json_string_length(row, JSON_C_TO_STRING_PLAIN, &len);
        if (plain) rein_str_append(&text, plain, len);
        rein_str_putc(&text, '\n');
    } else {
        rein_str_printf(&text, "---- row %lld (line %lld) ----\n", (long long)w->seen, (long long)line);
        json_object_object_foreach(row, key, value) put_member(&text, key, value);
    }
    return rein_cli_flush(w->cli, &text);
}

static rein_status show(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    viewer w = {cli, opts->values, 0};
    (void)n_words;
    REIN_TRY(rein_jsonl_each(words[0], show_row, &w));
    if (w.seen < w.v->row)
        return rein_fail(REIN_ERR_USAGE, "%s has %lld rows, not %lld", words[0], (long long)w.seen,
                         (long long)w.v->row);
    return REIN_OK;
}

const rein_command rein_cmd_data_show = {
    .name = "data show",
    .subject = "FILE.jsonl",
    .summary = "a readable sample of a data set",
    .options = show_rows,
    .n_options = (int64_t)REIN_COUNT(show_rows),
    .values_size = sizeof(show_values),
    .min_positional = 1,
    .max_positional = 1,
    .run = show,
};
