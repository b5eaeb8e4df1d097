/* Reading and running recipes; see recipe.h. */
#include "cli/recipe.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "run/run.h"

enum { MAX_STAGES = 64, MAX_ARGS = 32 };

typedef struct stage {
    const char *name;  /* "sft", or "seed-1/sft" */
    const char *plain; /* "sft": what overrides and the recipe call it */
    const rein_command *command;
    rein_options opts;
    void *values;
    const char *word[MAX_ARGS];
    int n_word;
} stage;

typedef struct recipe {
    rein_arena arena;
    const rein_yaml_node *vars, *base_vars; /* own ones, and those of the included recipe */
    const char *const *set;                 /* (n_set) from the command line */
    int n_set;
    const char *loop, *value;               /* variable and value of foreach; NULL: none */
    const char *name, *dir, *run;           /* run: what {run} stands for */
    stage stage[MAX_STAGES];
    int n_stage;
} recipe;

/* ---- reading ---- */

rein_status rein_recipe_bad(const rein_yaml_node *n, const char *what) {
    return rein_fail(REIN_ERR_USAGE, "%s:%d:%d: %s", n->file, n->line, n->column, what);
}

rein_status rein_recipe_keys(const rein_yaml_node *map, const char *const *keys, int64_t n) {
    for (int64_t i = 0; i < map->n; i++) {
        int64_t k = 0;
        while (k < n && strcmp(map->key[i], keys[k]) != 0) k++;
        if (k < n) continue;
        const rein_yaml_node *c = &map->child[i];
        const char *near = rein_nearest_name(map->key[i], keys, n);
        return rein_fail(REIN_ERR_USAGE, "%s:%d:%d: unknown key '%s'%s%s", c->file, c->line, c->column, map->key[i],
                         near ? "; did you mean " : "", near ? near : "");
    }
    return REIN_OK;
}

rein_status rein_recipe_beside(rein_arena *arena, char **out, const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    return rein_path_format(arena, out, "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name);
}

static bool is_word(const char *word, const char *name, size_t len) {
    return word && strlen(word) == len && memcmp(word, name, len) == 0;
}

static const char *variable(const recipe *r, const char *name, size_t len) {
    const rein_yaml_node *const maps[] = {r->vars, r->base_vars};
    if (is_word("run", name, len)) return r->run;
    for (int i = 0; i < r->n_set; i++)
        if (strncmp(r->set[i], name, len) == 0 && r->set[i][len] == '=') return r->set[i] + len + 1;
    if (is_word(r->loop, name, len)) return r->value;
    for (size_t k = 0; k < REIN_COUNT(maps); k++)
        for (int64_t i = 0; maps[k] && i < maps[k]->n; i++)
            if (is_word(maps[k]->key[i], name, len)) return maps[k]->child[i].text;
    return NULL;
}

/* Replace {name} in a value. Braces that hold no lower-case name (as in a regular expression) stay. */
static rein_status substitute(recipe *r, const rein_yaml_node *n, char **out) {
    rein_str s = {0};
    rein_status status = REIN_OK;
    for (const char *at = n->text; *at && status == REIN_OK;) {
        size_t len = *at == '{' ? strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;
        if (len == 0 || at[len + 1] != '}') {
            rein_str_putc(&s, *at++);
            continue;
        }
        const char *value = variable(r, at + 1, len);
        if (!value)
            status = rein_fail(REIN_ERR_USAGE, "%s:%d:%d: '{%.*s}' is no variable of this recipe", n->file, n->line,
                               n->column, (int)len, at + 1);
        else
            rein_str_puts(&s, value);
        at += len + 2;
    }
    if (status == REIN_OK) status = rein_str_check(&s);
    if (status == REIN_OK) status = rein_arena_strdup(&r->arena, out, s.data ? s.data : "", s.len);
    rein_str_deinit(&s);
    return status;
}

static const rein_command *command_named(const char *name) {
    for (const rein_command *const *c = rein_commands; *c; c++)
        if (strcmp((*c)->name, name) == 0 && (*c)->run != rein_cmd_run.run && (*c)->run != rein_cmd_sweep.run) return *c;
    return NULL;
}

static rein_status read_options(recipe *r, stage *s, const rein_yaml_node *map) {
    for (int64_t i = 0; map && i < map->n; i++) {
        const rein_yaml_node *n = &map->child[i];
        char where[256], *text;
        if (n->kind != REIN_YAML_SCALAR) return rein_recipe_bad(n, "an option's value is one scalar");
        if (n->null) continue;
        REIN_TRY(substitute(r, n, &text));
        snprintf(where, sizeof where, "%s:%d:%d", n->file, n->line, n->column);
        REIN_TRY(rein_options_set(&s->opts, map->key[i], text, 1, where));
    }
    return REIN_OK;
}

static rein_status read_words(recipe *r, stage *s, const rein_yaml_node *list) {
    for (int64_t i = 0; list && i < list->n; i++) {
        char *text;
        if (list->kind != REIN_YAML_SEQUENCE || list->child[i].kind != REIN_YAML_SCALAR)
            return rein_recipe_bad(list, "args is a list of words");
        if (s->n_word == MAX_ARGS || s->n_word == s->command->max_positional) return rein_recipe_bad(&list->child[i], "too many args");
        REIN_TRY(substitute(r, &list->child[i], &text));
        s->word[s->n_word++] = text;
    }
    return REIN_OK;
}

static rein_status read_stage(recipe *r, const rein_yaml_node *n) {
    static const char *const keys[] = {"name", "run", "args", "options"};
    if (n->kind != REIN_YAML_MAPPING) return rein_recipe_bad(n, "a stage is a mapping of name, run, args, options");
    REIN_TRY(rein_recipe_keys(n, keys, REIN_COUNT(keys)));
    const rein_yaml_node *name = rein_yaml_get(n, "name"), *run = rein_yaml_get(n, "run");
    if (!name || !run || !name->text || !run->text) return rein_recipe_bad(n, "a stage needs name and run");
    if (r->n_stage == MAX_STAGES) return rein_recipe_bad(n, "too many stages");
    char *full;
    REIN_TRY(r->loop ? rein_path_format(&r->arena, &full, "%s-%s/%s", r->loop, r->value, name->text)
                     : rein_path_format(&r->arena, &full, "%s", name->text));
    for (int i = 0; i < r->n_stage; i++)
        if (strcmp(r->stage[i].name, full) == 0) return rein_recipe_bad(name, "two stages have this name");
    stage *s = &r->stage[r->n_stage++];
    s->name = full;
    s->plain = name->text;
    s->command = command_named(run->text);
    if (!s->command) return rein_recipe_bad(run, "no such command");
    if (s->command->values_size) REIN_TRY(rein_alloc(&s->values, 1, s->command->values_size));
    REIN_TRY(rein_command_options(&s->opts, s->command, s->values));
    REIN_TRY(read_options(r, s, rein_yaml_get(n, "options")));
    return read_words(r, s, rein_yaml_get(n, "args"));
}

/* "stage.option=value": in every repetition of the stage, or in one if its full name is given. */
static rein_status override(recipe *r, const char *word, size_t dot, size_t eq) {
    bool found = false;
    for (int i = 0; i < r->n_stage; i++) {
        stage *s = &r->stage[i];
        if (!is_word(s->name, word, dot) && !is_word(s->plain, word, dot)) continue;
        char *option;
        REIN_TRY(rein_arena_strdup(&r->arena, &option, word + dot + 1, eq - dot - 1));
        REIN_TRY(rein_options_set(&s->opts, option, word + eq + 1, 2, "command line"));
        found = true;
    }
    return found ? REIN_OK : rein_fail(REIN_ERR_USAGE, "'%s': the recipe has no stage '%.*s'", word, (int)dot, word);
}

static bool has_variable(const rein_yaml_node *map, const char *name, size_t len) {
    for (int64_t i = 0; map && i < map->n; i++)
        if (is_word(map->key[i], name, len)) return true;
    return false;
}

/* Stages have their options set; variables were read with the stages, and only have to be there. */
static rein_status apply_words(recipe *r) {
    for (int i = 0; i < r->n_set; i++) {
        const char *word = r->set[i];
        size_t eq = strcspn(word, "="), dot = strcspn(word, ".");
        if (!word[eq] || eq == 0)
            return rein_fail(REIN_ERR_USAGE, "'%s': expected STAGE.OPTION=VALUE or VARIABLE=VALUE", word);
        if (dot < eq)
            REIN_TRY(override(r, word, dot, eq));
        else if (is_word(r->loop, word, eq))
            return rein_fail(REIN_ERR_USAGE, "'%s': the recipe's foreach gives '%.*s' its values", word, (int)eq, word);
        else if (!has_variable(r->vars, word, eq) && !has_variable(r->base_vars, word, eq))
            return rein_fail(REIN_ERR_USAGE, "'%s': the recipe has no variable '%.*s'", word, (int)eq, word);
    }
    return REIN_OK;
}

static rein_status load_mapping(recipe *r, const rein_yaml_node **root, const char *path) {
    static const char *const keys[] = {"name", "vars", "stages", "include", "foreach"};
    REIN_TRY(rein_yaml_load(root, &r->arena, path));
    if ((*root)->kind != REIN_YAML_MAPPING) return rein_recipe_bad(*root, "a recipe is a mapping of name, vars, stages");
    return rein_recipe_keys(*root, keys, REIN_COUNT(keys));
}

/* The stages of `root`, or of the recipe that it includes. */
static rein_status find_stages(recipe *r, const rein_yaml_node *root, const char *path, const rein_yaml_node **stages) {
    const rein_yaml_node *include = rein_yaml_get(root, "include");
    *stages = rein_yaml_get(root, "stages");
    r->vars = rein_yaml_get(root, "vars");
    if (include && *stages) return rein_recipe_bad(include, "give stages or include, one of the two");
    if (include) {
        char *other;
        if (!include->text) return rein_recipe_bad(include, "include is a file's name");
        REIN_TRY(rein_recipe_beside(&r->arena, &other, path, include->text));
        REIN_TRY(load_mapping(r, &root, other));
        *stages = rein_yaml_get(root, "stages");
        r->base_vars = rein_yaml_get(root, "vars");
    }
    if (!*stages || (*stages)->kind != REIN_YAML_SEQUENCE) return rein_recipe_bad(root, "stages is missing or no list");
    return REIN_OK;
}

static rein_status read_all_stages(recipe *r, const rein_yaml_node *stages) {
    for (int64_t i = 0; i < stages->n; i++) REIN_TRY(read_stage(r, &stages->child[i]));
    return REIN_OK;
}

static rein_status read_loop(recipe *r, const rein_yaml_node *loop, const rein_yaml_node *stages) {
    if (loop->kind != REIN_YAML_MAPPING || loop->n != 1 || loop->child[0].kind != REIN_YAML_SEQUENCE)
        return rein_recipe_bad(loop, "foreach is one name with a list of values");
    const rein_yaml_node *list = &loop->child[0];
    for (int64_t i = 0; i < list->n; i++) {
        char *run;
        if (!list->child[i].text) return rein_recipe_bad(&list->child[i], "a value of foreach is one scalar");
        r->loop = loop->key[0];
        r->value = list->child[i].text;
        REIN_TRY(rein_path_format(&r->arena, &run, "%s/%s-%s", r->dir, r->loop, r->value));
        r->run = run;
        REIN_TRY(read_all_stages(r, stages));
    }
    return REIN_OK;
}

static rein_status read_recipe(recipe *r, const rein_recipe_args *a) {
    const rein_yaml_node *root, *stages;
    r->set = a->set;
    r->n_set = a->n_set;
    REIN_TRY(load_mapping(r, &root, a->path));
    REIN_TRY(find_stages(r, root, a->path, &stages));
    const rein_yaml_node *name = rein_yaml_get(root, "name"), *loop = rein_yaml_get(root, "foreach");
    if (!name || !name->text) return rein_recipe_bad(root, "name is missing");
    r->name = a->name ? a->name : name->text;
    char *dir;
    REIN_TRY(a->dir ? rein_path_format(&r->arena, &dir, "%s", a->dir)
                    : rein_path_format(&r->arena, &dir, "runs/%s", r->name));
    r->dir = r->run = dir;
    REIN_TRY(loop ? read_loop(r, loop, stages) : read_all_stages(r, stages));
    return apply_words(r);
}

static void recipe_deinit(recipe *r) {
    for (int i = 0; i < r->n_stage; i++) {
        rein_options_deinit(&r->stage[i].opts);
        rein_free(r->stage[i].values);
    }
    rein_arena_deinit(&r->arena);
}

/* ---- running ---- */

/* Every stage with its effective options, as a recipe again. */
static rein_status effective(const recipe *r, rein_str *out) {
    rein_str_printf(out, "name: %s\nstages:\n", r->name);
    for (int i = 0; i < r->n_stage; i++) {
        const stage *s = &r->stage[i];
        rein_str lines = {0};
        rein_str_printf(out, "  - name: %s\n    run: %s\n    options:\n", s->name, s->command->name);
        rein_options_write_yaml(&s->opts, &lines);
        for (const char *at = lines.data; at && *at;) {
            size_t len = strcspn(at, "\n");
            rein_str_printf(out, "      %.*s\n", (int)len, at);
            at += len + (at[len] == '\n');
        }
        rein_status status = rein_str_check(&lines);
        rein_str_deinit(&lines);
        REIN_TRY(status);
    }
    return rein_str_check(out);
}

static rein_status open_run(const recipe *r, rein_rundir **out) {
    rein_str yaml = {0}, old = {0};
    rein_status status;
    REIN_TRY_OUT(status, effective(r, &yaml), out);
    if (!rein_rundir_exists(r->dir)) {
        status = rein_rundir_create(out, r->dir, "pipeline", yaml.data);
        goto out;
    }
    REIN_TRY_OUT(status, rein_rundir_open(out, r->dir, true), out);
    REIN_TRY_OUT(status, rein_read_config(*out, &old), out);
    if (old.len != yaml.len || memcmp(old.data, yaml.data, old.len) != 0)
        status = rein_fail(REIN_ERR_USAGE, "'%s' holds a run of another configuration; give another --output_dir", r->dir);
out:
    rein_str_deinit(&yaml);
    rein_str_deinit(&old);
    return status;
}

/* The string option `name` of a stage, or NULL. */
static const char *string_option(const stage *s, const char *name) {
    for (int64_t i = 0; i < s->opts.n_rows; i++)
        if (strcmp(s->opts.rows[i].name, name) == 0 && s->opts.rows[i].type == REIN_OPT_STRING)
            return *(const char *const *)(const void *)((const char *)s->values + s->opts.rows[i].offset);
    return NULL;
}

/* An interrupted stage left a run behind: training resumes it, anything else is put aside and done anew. */
static rein_status take_up(recipe *r, stage *s) {
    const char *dir = string_option(s, "output_dir");
    if (!dir || !rein_rundir_exists(dir)) return REIN_OK;
    for (int64_t i = 0; i < s->opts.n_rows; i++)
        if (strcmp(s->opts.rows[i].name, "resume_from_checkpoint") == 0)
            return rein_options_set(&s->opts, "resume_from_checkpoint", "true", 3, "resume");
    char *aside;
    int n = 1;
    do REIN_TRY(rein_path_format(&r->arena, &aside, "%s.unfinished-%d", dir, n++));
    while (rein_path_exists(aside));
    return rein_publish(dir, aside);
}

static rein_status run_stage(const rein_cli *cli, recipe *r, stage *s, rein_rundir *run, int64_t index) {
    char key[96];
    const char *done;
    double start = rein_clock();
    snprintf(key, sizeof key, "stage.%s", s->name);
    rein_arena scratch = {0};
    rein_status status = rein_read_note(run, &scratch, key, &done);
    bool skip = status == REIN_OK && done;
    rein_arena_deinit(&scratch);
    REIN_TRY(status);
    if (skip) {
        rein_log(REIN_LOG_INFO, "stage %s is done", s->name);
        return REIN_OK;
    }
    rein_log(REIN_LOG_INFO, "stage %s: %s", s->name, s->command->name);
    REIN_TRY(take_up(r, s));
    status = s->command->run(cli, &s->opts, s->word, s->n_word);
    rein_progress_end();
    fflush(cli->out);
    if (status != REIN_OK) return rein_error_prefix(status, "stage %s", s->name);
    rein_named phase = {s->name, rein_clock() - start};
    REIN_TRY(rein_rundir_time(run, index, &phase, 1));
    return rein_rundir_note(run, key, "done");
}

rein_status rein_recipe_run(const rein_cli *cli, const rein_recipe_args *args) {
    recipe *r;
    rein_rundir *dir = NULL;
    rein_status status;
    REIN_TRY(rein_alloc(&r, 1, sizeof *r));
    REIN_TRY_OUT(status, read_recipe(r, args), out);
    REIN_TRY_OUT(status, open_run(r, &dir), out);
    for (int i = 0; i < r->n_stage; i++) REIN_TRY_OUT(status, run_stage(cli, r, &r->stage[i], dir, i + 1), out);
    REIN_TRY_OUT(status, rein_rundir_environment(dir, cli->isa ? cli->isa : "auto", cli->threads), out);
out:
    rein_rundir_close(dir);
    recipe_deinit(r);
    rein_free(r);
    return status;
}
