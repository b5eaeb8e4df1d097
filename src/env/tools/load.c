/*
 * Users' tasks: a JSONL file, a task a row.
 *
 *   {"prompt": "Add up the numbers in a.txt and write the sum to sum.txt",
 *    "tools": ["read_text_file", "write_file"],
 *    "setup": [{"file": "files/a.txt", "text": "2\n3\n"}, {"message": "general", "text": "hello"},
 *              {"database": "db/shop.db", "sql": "create table t (x); insert into t values (1)"}],
 *    "checks": [{"file": "files/sum.txt", "holds": "5"}, {"answer": true, "holds": "5", "without": "6"},
 *               {"message": "general", "holds": "5"}, {"absent": "files/a.txt"}, {"key": "sum", "holds": "5"},
 *               {"database": "db/shop.db", "query": "select count(*) from t", "holds": "2"}],
 *    "steps": [{"tool": "read_text_file", "arguments": {"path": "a.txt"}}], "answer": "The sum is 5",
 *    "max_turns": 6, "difficulty": "medium", "category": "sums", "strict": true}
 *
 * prompt, tools and checks must be there; steps and answer are what an expert does. Unknown keys are errors.
 */
#include <string.h>

#include "base/json.h"
#include "base/option.h"
#include "env/tools/task.h"

typedef struct loader {
    rein_tools_file *file;
    const char *path;
} loader;

static rein_status check_keys(struct json_object *row, const char *const *known, int64_t n) {
    json_object_object_foreach(row, key, value) {
        bool found = false;
        (void)value;
        for (int64_t i = 0; i < n; i++) found |= strcmp(known[i], key) == 0;
        if (found) continue;
        const char *near = rein_nearest_name(key, known, n);
        return rein_fail(REIN_ERR_FORMAT, "unknown key '%.40s'%s%s%s", key, near ? "; did you mean '" : "",
                         near ? near : "", near ? "'" : "");
    }
    return REIN_OK;
}

/* A text, copied; missing is NULL unless it is needed. */
static rein_status take(const char **out, rein_tools_task *t, struct json_object *row, const char *key, bool needed) {
    const char *text;
    char *copy;
    *out = NULL;
    if (!needed && !rein_json_has(row, key)) return REIN_OK;
    REIN_TRY(rein_json_string(&text, NULL, row, key));
    REIN_TRY(rein_arena_strdup(&t->arena, &copy, text, strlen(text)));
    *out = copy;
    return REIN_OK;
}

/* An array of at most REIN_TOOLS_MOST, NULL if it is missing. */
static rein_status take_array(struct json_object **out, int *n, struct json_object *row, const char *key) {
    *out = NULL;
    *n = 0;
    if (!rein_json_has(row, key)) return REIN_OK;
    REIN_TRY(rein_json_array(out, row, key));
    if (json_object_array_length(*out) > REIN_TOOLS_MOST)
        return rein_fail(REIN_ERR_FORMAT, "more than %d %s", REIN_TOOLS_MOST, key);
    *n = (int)json_object_array_length(*out);
    return REIN_OK;
}

static rein_status read_tools(rein_tools_task *t, struct json_object *row) {
    struct json_object *list;
    REIN_TRY(take_array(&list, &t->n_tool, row, "tools"));
    if (t->n_tool == 0) return rein_fail(REIN_ERR_FORMAT, "key 'tools' is missing: the tools that the model may call");
    for (int i = 0; i < t->n_tool; i++) {
        struct json_object *name = json_object_array_get_idx(list, (size_t)i);
        char *copy;
        if (!json_object_is_type(name, json_type_string))
            return rein_fail(REIN_ERR_FORMAT, "tools are a list of names");
        REIN_TRY(rein_arena_strdup(&t->arena, &copy, json_object_get_string(name), strlen(json_object_get_string(name))));
        t->tool[i] = copy;
    }
    return REIN_OK;
}

static rein_status read_setup(rein_tools_task *t, struct json_object *row) {
    static const char *const keys[] = {"file", "message", "database", "text", "sql"};
    struct json_object *list;
    REIN_TRY(take_array(&list, &t->n_setup, row, "setup"));
    for (int i = 0; i < t->n_setup; i++) {
        struct json_object *item = json_object_array_get_idx(list, (size_t)i);
        rein_tools_setup *s = &t->setup[i];
        REIN_TRY(check_keys(item, keys, REIN_COUNT(keys)));
        s->kind = rein_json_has(item, "database")  ? REIN_TOOLS_PUT_DATABASE
                  : rein_json_has(item, "message") ? REIN_TOOLS_PUT_MESSAGE
                                                   : REIN_TOOLS_PUT_FILE;
        REIN_TRY(take(&s->where, t, item, keys[s->kind], true));
        REIN_TRY(take(&s->text, t, item, s->kind == REIN_TOOLS_PUT_DATABASE ? "sql" : "text", true));
    }
    return REIN_OK;
}

static rein_status read_check(rein_tools_check *c, rein_tools_task *t, struct json_object *item) {
    /* in the order of rein_tools_check_kind */
    static const char *const keys[] = {"answer",   "message", "file",    "absent", "key",
                                       "database", "holds",   "without", "query"};
    int kinds = 0;
    REIN_TRY(check_keys(item, keys, REIN_COUNT(keys)));
    for (int kind = 0; kind < REIN_TOOLS_CHECK_KINDS; kind++)
        if (rein_json_has(item, keys[kind])) {
            c->kind = (rein_tools_check_kind)kind;
            kinds++;
        }
    if (kinds != 1)
        return rein_fail(REIN_ERR_FORMAT, "a check has one of the keys answer, message, file, absent, key and database");
    if (c->kind != REIN_TOOLS_ANSWER) REIN_TRY(take(&c->where, t, item, keys[c->kind], true));
    REIN_TRY(take(&c->text, t, item, "holds", c->kind != REIN_TOOLS_ABSENT));
    REIN_TRY(take(&c->without, t, item, "without", false));
    return take(&c->query, t, item, "query", c->kind == REIN_TOOLS_DATABASE);
}

static rein_status read_checks(rein_tools_task *t, struct json_object *row) {
    struct json_object *list;
    REIN_TRY(take_array(&list, &t->n_check, row, "checks"));
    if (t->n_check == 0)
        return rein_fail(REIN_ERR_FORMAT, "key 'checks' is missing: how to tell that the task is solved");
    for (int i = 0; i < t->n_check; i++)
        REIN_TRY(read_check(&t->check[i], t, json_object_array_get_idx(list, (size_t)i)));
    return REIN_OK;
}

static rein_status read_steps(rein_tools_task *t, struct json_object *row) {
    static const char *const keys[] = {"tool", "arguments"};
    struct json_object *list, *args;
    REIN_TRY(take_array(&list, &t->n_step, row, "steps"));
    for (int i = 0; i < t->n_step; i++) {
        struct json_object *item = json_object_array_get_idx(list, (size_t)i);
        char *copy;
        REIN_TRY(check_keys(item, keys, REIN_COUNT(keys)));
        REIN_TRY(take(&t->step[i].tool, t, item, "tool", true));
        REIN_TRY(rein_json_object(&args, item, "arguments"));
        const char *text = json_object_to_json_string_ext(args, JSON_C_TO_STRING_PLAIN);
        REIN_TRY(rein_arena_strdup(&t->arena, &copy, text, strlen(text)));
        t->step[i].arguments = copy;
    }
    t->needed = t->n_step;
    if (t->n_step > 0 && !t->answer)
        return rein_fail(REIN_ERR_FORMAT, "steps without an answer: what does the expert say at the end");
    return REIN_OK;
}

static rein_status read_level(rein_tools_task *t, struct json_object *row) {
    const char *text;
    t->level = REIN_TOOLS_MEDIUM;
    if (!rein_json_has(row, "difficulty")) return REIN_OK;
    REIN_TRY(rein_json_string(&text, NULL, row, "difficulty"));
    for (int i = 0; i < REIN_TOOLS_LEVELS; i++)
        if (strcmp(rein_tools_levels[i], text) == 0) {
            t->level = (rein_tools_level)i;
            return REIN_OK;
        }
    return rein_fail(REIN_ERR_FORMAT, "difficulty '%.40s' is not easy, medium or hard", text);
}

static rein_status read_task(rein_tools_task *t, struct json_object *row) {
    static const char *const keys[] = {"prompt", "tools",     "setup",      "checks",   "steps",
                                       "answer", "max_turns", "difficulty", "category", "strict"};
    if (!json_object_is_type(row, json_type_object)) return rein_fail(REIN_ERR_FORMAT, "a task is a JSON object");
    REIN_TRY(check_keys(row, keys, REIN_COUNT(keys)));
    REIN_TRY(take(&t->prompt, t, row, "prompt", true));
    REIN_TRY(take(&t->answer, t, row, "answer", false));
    REIN_TRY(take(&t->category, t, row, "category", false));
    if (!t->category) t->category = "own";
    REIN_TRY(read_level(t, row));
    t->max_turns = rein_tools_turns[t->level];
    if (rein_json_has(row, "max_turns")) REIN_TRY(rein_json_int(&t->max_turns, row, "max_turns"));
    if (t->max_turns < 1 || t->max_turns > 1000)
        return rein_fail(REIN_ERR_FORMAT, "max_turns %lld is not from 1 to 1000", (long long)t->max_turns);
    if (rein_json_has(row, "strict")) REIN_TRY(rein_json_bool(&t->strict, row, "strict"));
    REIN_TRY(read_tools(t, row));
    REIN_TRY(read_setup(t, row));
    REIN_TRY(read_checks(t, row));
    return read_steps(t, row);
}

static rein_status load_row(void *user, int64_t line, struct json_object *row) {
    loader *l = user;
    rein_tools_file *f = l->file;
    (void)line;
    if (f->n == f->cap) {
        const int64_t cap = f->cap ? 2 * f->cap : 64;
        REIN_TRY(rein_realloc(&f->task, f->cap, cap, sizeof *f->task));
        f->cap = cap;
    }
    f->task[f->n] = (rein_tools_task){0};
    return read_task(&f->task[f->n++], row);
}

rein_status rein_tools_load(rein_tools_file *out, const char *path) {
    *out = (rein_tools_file){0};
    rein_status status = rein_jsonl_each(path, load_row, &(loader){out, path});
    if (status == REIN_OK && out->n == 0) status = rein_fail(REIN_ERR_FORMAT, "%s has no tasks", path);
    if (status == REIN_ERR_FORMAT) status = REIN_ERR_USAGE; /* what a user wrote */
    if (status != REIN_OK) rein_tools_file_deinit(out);
    return status;
}

void rein_tools_file_deinit(rein_tools_file *file) {
    for (int64_t i = 0; i < file->n; i++) rein_tools_task_deinit(&file->task[i]);
    rein_free(file->task);
    *file = (rein_tools_file){0};
}
