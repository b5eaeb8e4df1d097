/* Writing data sets; see dataset.h. The audit is in audit.c. */
#include "env/control/dataset.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

static void put_text(rein_str *out, const char *name, const rein_str *text) {
    rein_str_printf(out, ",\"%s\":", name);
    rein_json_put_string(out, text->data ? text->data : "", text->len);
}

static void put_pair(rein_str *out, const double x[2]) {
    rein_str_putc(out, '[');
    rein_json_put_f64(out, x[0]);
    rein_str_putc(out, ',');
    rein_json_put_f64(out, x[1]);
    rein_str_putc(out, ']');
}

/* The texts of one demonstration. */
typedef struct record {
    rein_str prompt, completion, system, user, reasoning, complete, answer;
} record;

static void record_deinit(record *r) {
    rein_str *all[] = {&r->prompt, &r->completion, &r->system, &r->user, &r->reasoning, &r->complete, &r->answer};
    for (size_t i = 0; i < REIN_COUNT(all); i++) rein_str_deinit(all[i]);
}

static rein_status record_texts(record *r, const rein_control *c, uint64_t seed, const rein_task *task, int64_t draw) {
    const rein_env *env = &c->env;
    const double *x0 = task->number;
    REIN_TRY(env->cls->prompt(env, task, &r->prompt));
    REIN_TRY(env->cls->demonstrate(env, seed, task, draw, &r->completion));
    if (c->config.answer == REIN_STYLE_REASONING) {
        rein_control_system_text(&r->system, c);
        rein_control_user_text(&r->user, c, x0);
        rein_control_reasoning_text(&r->reasoning, c, x0);
        rein_str_puts(&r->complete, "<REASONING>");
    } else {
        rein_control_plain_text(&r->user, x0);
    }
    rein_str_append(&r->complete, r->completion.data, r->completion.len);
    return REIN_OK;
}

static void put_message(rein_str *out, const char *role, const rein_str *text) {
    rein_str_printf(out, "{\"role\":\"%s\"", role);
    put_text(out, "content", text);
    rein_str_putc(out, '}');
}

static void put_label(rein_str *out, const rein_control *c, const double *u, const rein_rollout *r) {
    static const char *const names[] = {"semi", "zoh", "rk4"};
    rein_str_printf(out, ",\"system_type\":\"%s\",\"discretization\":\"%s\",\"dt\":", c->plant.system->name,
                    names[c->plant.how]);
    rein_json_put_f64(out, c->plant.dt);
    rein_str_puts(out, ",\"initial_state\":");
    put_pair(out, r->state[0]);
    rein_str_puts(out, ",\"controls\":[");
    for (int k = 0; k < r->steps; k++) {
        if (k > 0) rein_str_putc(out, ',');
        rein_json_put_f64(out, u[k]);
    }
    rein_str_puts(out, "],\"trajectory\":[");
    for (int k = 0; k <= r->steps; k++) {
        if (k > 0) rein_str_putc(out, ',');
        put_pair(out, r->state[k]);
    }
    rein_str_puts(out, "],\"lqr_cost\":");
    rein_json_put_f64(out, r->cost);
    rein_str_puts(out, ",\"final_error\":");
    rein_json_put_f64(out, r->final_error);
}

static void put_texts(rein_str *out, const record *r) {
    put_text(out, "system_prompt", &r->system);
    put_text(out, "problem", &r->user);
    put_text(out, "reasoning", &r->reasoning);
    put_text(out, "complete_output", &r->complete);
    put_text(out, "answer", &r->answer);
    rein_str_puts(out, ",\"Messages\":[");
    if (r->system.len) {
        put_message(out, "system", &r->system);
        rein_str_putc(out, ',');
    }
    put_message(out, "user", &r->user);
    rein_str_putc(out, ',');
    put_message(out, "assistant", &r->complete);
    rein_str_puts(out, "]}\n");
}

static rein_status put_record(rein_str *out, record *r, const rein_control *c, const rein_task *task) {
    const int steps = (int)c->config.steps;
    double u[REIN_CONTROL_MAX_STEPS];
    rein_rollout rollout;
    rein_answer_error error = rein_answer_parse(u, steps, r->completion.data, r->completion.len);
    REIN_ASSERT(error == REIN_ANSWER_OK);
    rein_rollout_run(&rollout, &c->plant, task->number, u, steps, false);
    for (int k = 0; k < steps; k++) {
        if (k > 0) rein_str_puts(&r->answer, ", ");
        rein_decimal_print(&r->answer, u[k], (int)c->config.decimals);
    }
    rein_str_puts(out, "{\"prompt\":");
    rein_json_put_string(out, r->prompt.data, r->prompt.len);
    put_text(out, "completion", &r->completion);
    put_label(out, c, u, &rollout);
    put_texts(out, r);
    return rein_str_check(out);
}

/* Prompt and completion alone. */
static rein_status put_pair_of_texts(rein_str *out, const rein_env *env, uint64_t seed, const rein_task *task,
                                     int64_t draw) {
    rein_str prompt = {0}, completion = {0};
    rein_status status;
    REIN_TRY_OUT(status, env->cls->prompt(env, task, &prompt), out);
    REIN_TRY_OUT(status, env->cls->demonstrate(env, seed, task, draw, &completion), out);
    rein_str_puts(out, "{\"prompt\":");
    rein_json_put_string(out, prompt.data, prompt.len);
    put_text(out, "completion", &completion);
    rein_str_puts(out, "}\n");
    status = rein_str_check(out);
out:
    rein_str_deinit(&prompt);
    rein_str_deinit(&completion);
    return status;
}

rein_status rein_control_record(rein_str *out, const rein_env *env, uint64_t seed, rein_split split, int64_t index,
                                rein_fields fields) {
    const rein_control *c = (const rein_control *)env;
    record r = {0};
    rein_task task;
    rein_status status;
    REIN_TRY(env->cls->task(env, seed, split, index, &task));
    if (fields == REIN_FIELDS_TEXT) return put_pair_of_texts(out, env, seed, &task, index);
    REIN_TRY_OUT(status, record_texts(&r, c, seed, &task, index), out);
    REIN_TRY_OUT(status, put_record(out, &r, c, &task), out);
out:
    record_deinit(&r);
    return status;
}

/* ---- files ---- */

static rein_status write_rows(const char *path, const rein_env *env, uint64_t seed, rein_split split, int64_t n,
                              rein_fields fields) {
    enum { CHUNK = 1 << 20 };
    rein_appender file;
    rein_str text = {0};
    rein_status status = REIN_OK;
    REIN_TRY(rein_appender_open(&file, path, 0));
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY_OUT(status, rein_control_record(&text, env, seed, split, i, fields), out);
        if (text.len < CHUNK && i + 1 < n) continue;
        REIN_TRY_OUT(status, rein_appender_write(&file, text.data, text.len, i + 1 == n), out);
        rein_str_clear(&text);
    }
out:
    rein_str_deinit(&text);
    rein_appender_close(&file);
    return status;
}

static rein_status publish_new(const char *from, const char *to) {
    char one[REIN_SHA256_HEX], two[REIN_SHA256_HEX];
    if (!rein_path_exists(to)) return rein_publish(from, to);
    REIN_TRY(rein_sha256_file(one, from));
    REIN_TRY(rein_sha256_file(two, to));
    if (strcmp(one, two) != 0)
        return rein_fail(REIN_ERR_IO, "%s is already there with other rows; choose another name or folder", to);
    return rein_remove_tree(from);
}

rein_status rein_control_dataset_write(const char *path, const rein_env *env, uint64_t seed, rein_split split,
                                       int64_t n, rein_fields fields) {
    rein_arena arena = {0};
    char *temporary;
    rein_status status;
    REIN_TRY(rein_path_format(&arena, &temporary, "%s.tmp", path));
    status = write_rows(temporary, env, seed, split, n, fields);
    if (status == REIN_OK) status = publish_new(temporary, path);
    if (status != REIN_OK) (void)remove(temporary); /* the first error is the one to tell */
    rein_arena_deinit(&arena);
    return status;
}
