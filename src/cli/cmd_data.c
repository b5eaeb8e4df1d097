/* rein data gen, audit and show: data sets of demonstrations, their checks, a readable sample. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/control_cli.h"
#include "env/control/dataset.h"

/* ---- gen ---- */

typedef struct gen_values {
    rein_control_config config;
    const char *env, *out, *name;
    int64_t train, eval, seed;
    int fields;
} gen_values;

static const rein_option gen_rows[] = {
    REIN_CONTROL_OPTIONS,
    {"env", REIN_OPT_STRING, offsetof(gen_values, env), "control", 0, 0, NULL, "environment", "NAME"},
    {"train", REIN_OPT_INT, offsetof(gen_values, train), "500", 0, 1e9, NULL, "rows to train on", NULL},
    {"eval", REIN_OPT_INT, offsetof(gen_values, eval), "100", 0, 1e9, NULL, "held-out rows, all different", NULL},
    {"seed", REIN_OPT_INT, offsetof(gen_values, seed), "42", 0, 9e15, NULL, "of starts and demonstrations", NULL},
    {"fields", REIN_OPT_CHOICE, offsetof(gen_values, fields), "full", 0, 0, REIN_FIELDS_CHOICES,
     "full: with controls and trajectory, for data audit; text: prompt and completion only", NULL},
    {"out", REIN_OPT_STRING, offsetof(gen_values, out), "datasets", 0, 0, NULL, "folder to write to", "DIR"},
    {"name", REIN_OPT_STRING, offsetof(gen_values, name), NULL, 0, 0, NULL,
     "NAME_train.jsonl and NAME_eval.jsonl; default: the system's name", "NAME"},
};

static rein_status gen_split(rein_str *report, const rein_cli *cli, const rein_env *env, const gen_values *v,
                             rein_split split) {
    const bool train = split == REIN_SPLIT_TRAIN;
    const char *title = train ? "train" : "eval",
               *name = v->name ? v->name : ((const rein_control *)env)->config.system;
    const int64_t n = train ? v->train : v->eval;
    char hash[REIN_SHA256_HEX], *path;
    rein_arena arena = {0};
    rein_status status;
    REIN_TRY(rein_path_format(&arena, &path, "%s/%s_%s.jsonl", v->out, name, title));
    REIN_TRY_OUT(status, rein_control_dataset_write(path, env, (uint64_t)v->seed, split, n, (rein_fields)v->fields), out);
    REIN_TRY_OUT(status, rein_sha256_file(hash, path), out);
    if (cli->json) {
        rein_str_printf(report, "%s\"%s\":{\"path\":", train ? "" : ",", title);
        rein_json_put_string(report, path, strlen(path));
        rein_str_printf(report, ",\"rows\":%lld,\"sha256\":\"%s\"}", (long long)n, hash);
    } else {
        rein_str_printf(report, "%s  %lld rows  sha256 %s\n", path, (long long)n, hash);
    }
out:
    rein_arena_deinit(&arena);
    return status;
}

static rein_status gen(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const gen_values *v = opts->values;
    rein_str report = {0};
    rein_env *env;
    (void)words, (void)n_words;
    REIN_TRY(rein_control_named(v->env));
    REIN_TRY(rein_control_class.create(&env, &v->config));
    rein_task last; /* the held-out rows run out first: say so before anything is written */
    rein_status status =
        v->eval > 0 ? env->cls->task(env, (uint64_t)v->seed, REIN_SPLIT_EVAL, v->eval - 1, &last) : REIN_OK;
    if (status == REIN_OK) status = rein_mkdirs(v->out);
    rein_str_puts(&report, cli->json ? "{" : "");
    if (status == REIN_OK) status = gen_split(&report, cli, env, v, REIN_SPLIT_TRAIN);
    if (status == REIN_OK) status = gen_split(&report, cli, env, v, REIN_SPLIT_EVAL);
    rein_str_puts(&report, cli->json ? "}\n" : "");
    env->cls->destroy(env);
    if (status == REIN_OK) return rein_cli_flush(cli, &report);
    rein_str_deinit(&report);
    return status;
}

const rein_command rein_cmd_data_gen = {
    .name = "data gen",
    .summary = "write a data set of demonstrations",
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

static void put_audit(rein_str *out, const rein_data_report *r, bool json) {
    const struct {
        const char *name, *meaning;
        int64_t value;
    } facts[] = {{"train", "rows to train on", r->train},
                 {"eval", "held-out rows", r->eval},
                 {"labels", "labels checked", r->labels},
                 {"shared_prompts", "held-out prompts that train has too", r->shared_prompts},
                 {"repeated_eval", "held-out prompts that occur again", r->repeated_eval},
                 {"malformed", "completions that the parser refuses", r->malformed},
                 {"wrong_controls", "completions with other numbers than their row", r->wrong_controls},
                 {"wrong_states", "prompts with another state than their row", r->wrong_states},
                 {"wrong_trajectories", "labels that do not replay", r->wrong_trajectories}};
    for (size_t i = 0; i < REIN_COUNT(facts); i++)
        if (json)
            rein_str_printf(out, "%s\"%s\":%lld", i ? "," : "{", facts[i].name, (long long)facts[i].value);
        else
            rein_str_printf(out, "%10lld  %s\n", (long long)facts[i].value, facts[i].meaning);
    if (json) rein_str_puts(out, "}\n");
}

static rein_status audit(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const char *files[2] = {words[0], n_words > 1 ? words[1] : NULL};
    rein_data_report report;
    rein_str text = {0};
    rein_arena arena = {0};
    rein_status status = REIN_OK;
    (void)opts;
    if (n_words == 1 && rein_path_is_dir(words[0])) status = find_pair(files, &arena, words[0]);
    if (status == REIN_OK) status = rein_data_audit(&report, files[0], files[1]);
    rein_arena_deinit(&arena);
    if (status != REIN_OK) return status;
    put_audit(&text, &report, cli->json);
    REIN_TRY(rein_cli_flush(cli, &text));
    int64_t faults = rein_data_faults(&report);
    return faults ? rein_fail(REIN_ERR_MISMATCH, "%lld faults in the data set", (long long)faults) : REIN_OK;
}

const rein_command rein_cmd_data_audit = {
    .name = "data audit",
    .subject = "DIR or TRAIN.jsonl [EVAL.jsonl]",
    .summary = "leakage between train and evaluation, and every label replayed",
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
