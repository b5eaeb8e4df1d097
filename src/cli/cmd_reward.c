/* rein reward: score given completions, each against its own task. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "cli/control_cli.h"

typedef struct values {
    rein_control_config env;
    const char *input;
} values;

static const rein_option rows[] = {
    REIN_CONTROL_OPTIONS,
    {"version", REIN_OPT_CHOICE, REIN_CONTROL_OFFSET(reward), "v1.3", 0, 0, REIN_REWARD_VERSIONS,
     "the same as --reward", NULL},
    {"input", REIN_OPT_STRING, offsetof(values, input), NULL, 0, 0, NULL,
     "JSONL of {\"task\": [x, v] or a prompt, \"completion\"}", "FILE"},
};

typedef struct scorer {
    const rein_cli *cli;
    const rein_env *env;
} scorer;

/* A start: [x, v], {"state" or "initial_state": [x, v]}, or a prompt that names it. */
static rein_status read_task(rein_task *out, struct json_object *row) {
    struct json_object *value, *inner;
    double state[2];
    if (!json_object_object_get_ex(row, "task", &value)) return rein_fail(REIN_ERR_FORMAT, "no key 'task'");
    if (json_object_is_type(value, json_type_string)) {
        if (!rein_prompt_state(state, json_object_get_string(value), (size_t)json_object_get_string_len(value)))
            return rein_fail(REIN_ERR_FORMAT, "the task's text has no 'position=X, velocity=V'");
        *out = rein_control_task_at(state);
        return REIN_OK;
    }
    if (json_object_is_type(value, json_type_object) && (json_object_object_get_ex(value, "state", &inner) ||
                                                         json_object_object_get_ex(value, "initial_state", &inner)))
        value = inner;
    if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) != 2)
        return rein_fail(REIN_ERR_FORMAT, "task must be [position, velocity], {\"state\": [..]} or a prompt's text");
    for (size_t i = 0; i < 2; i++) {
        struct json_object *x = json_object_array_get_idx(value, i);
        if (!json_object_is_type(x, json_type_double) && !json_object_is_type(x, json_type_int))
            return rein_fail(REIN_ERR_FORMAT, "task: item %zu is not a number", i);
        state[i] = json_object_get_double(x);
        if (!(fabs(state[i]) <= 1e6)) return rein_fail(REIN_ERR_FORMAT, "task: %g is not a start", state[i]);
    }
    *out = rein_control_task_at(state);
    return REIN_OK;
}

static void put_named(rein_str *out, const char *title, const rein_named *list, int n) {
    rein_str_printf(out, ",\"%s\":{", title);
    for (int i = 0; i < n; i++) {
        rein_str_printf(out, "%s\"%s\":", i ? "," : "", list[i].name);
        rein_json_put_f64(out, list[i].value);
    }
    rein_str_putc(out, '}');
}

static rein_status score_row(void *user, int64_t line, struct json_object *row) {
    const scorer *s = user;
    (void)line;
    const char *completion;
    size_t len;
    rein_task task;
    rein_score score;
    rein_str text = {0};
    REIN_TRY(read_task(&task, row));
    REIN_TRY(rein_json_string(&completion, &len, row, "completion"));
    REIN_TRY(s->env->cls->score(s->env, &task, completion, len, &score));
    rein_str_puts(&text, "{\"total\":");
    rein_json_put_f64(&text, score.total);
    put_named(&text, "components", score.component, score.n_component);
    put_named(&text, "metrics", score.metric, score.n_metric);
    rein_str_printf(&text, ",\"format_ok\":%s,\"success\":%s,\"error\":", score.format_ok ? "true" : "false",
                    score.success ? "true" : "false");
    if (score.error)
        rein_json_put_string(&text, score.error, strlen(score.error));
    else
        rein_str_puts(&text, "null");
    rein_str_puts(&text, "}\n");
    return rein_cli_flush(s->cli, &text);
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    rein_env *env;
    (void)n_words;
    REIN_TRY(rein_control_named(words[0]));
    if (!v->input) return rein_fail(REIN_ERR_USAGE, "--input FILE.jsonl is needed: rows of {\"task\",\"completion\"}");
    REIN_TRY(rein_control_class.create(&env, &v->env));
    rein_status status = rein_jsonl_each(v->input, score_row, &(scorer){cli, env});
    env->cls->destroy(env);
    return status;
}

const rein_command rein_cmd_reward = {
    .name = "reward",
    .subject = "NAME",
    .summary = "score given completions, every component by name",
    .options = rows,
    .n_options = (int64_t)REIN_COUNT(rows),
    .values_size = sizeof(values),
    .min_positional = 1,
    .max_positional = 1,
    .run = run,
};
