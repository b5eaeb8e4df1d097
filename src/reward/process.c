/*
 * A reward function that is a program of the user's, in any language: process:COMMAND.
 *
 * The command runs in /bin/sh, anew for every batch, so that nothing is carried from step to step and a resumed run
 * sees what the first one saw. It reads one JSON object a line, {"prompt","completion","completion_ids", and the row's
 * other columns}, in order; after the last one its input ends. It writes one line {"reward": number or null} for each
 * and exits with 0. A conversational row has messages as its prompt and [{"role":"assistant","content":...}] as its
 * completion, as in TRL. Crash, deadline, a bad line, a wrong count and a number that is not finite are errors.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "os/child.h"
#include "reward/internal.h"

enum { OUTPUT_MAX = 1 << 28 };

/* ---- what it is told ---- */

static void put_completion(rein_str *out, const rein_reward_answer *a, bool chat) {
    rein_str_puts(out, chat ? "[{\"role\":\"assistant\",\"content\":" : "");
    rein_json_put_string(out, a->text, a->len);
    rein_str_puts(out, chat ? "}]" : "");
}

static rein_status put_member(rein_str *out, const char *key, struct json_object *value) {
    size_t len;
    rein_json_put_string(out, key, strlen(key));
    rein_str_putc(out, ':');
    const char *text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &len);
    if (!text) return rein_fail(REIN_ERR_MEMORY, "out of memory for column '%s'", key);
    rein_str_append(out, text, len);
    return REIN_OK;
}

static rein_status put_line(rein_str *out, const rein_reward_answer *a) {
    struct json_object *prompt = NULL;
    json_object_object_get_ex(a->row, "prompt", &prompt);
    rein_str_putc(out, '{');
    json_object_object_foreach(a->row, key, value) {
        if (strcmp(key, "completion") == 0 || strcmp(key, "completion_ids") == 0) continue; /* the answer's own */
        REIN_TRY(put_member(out, key, value));
        rein_str_putc(out, ',');
    }
    rein_str_puts(out, "\"completion\":");
    put_completion(out, a, json_object_is_type(prompt, json_type_array));
    for (int64_t i = 0; a->ids && i < a->n_ids; i++)
        rein_str_printf(out, "%s%d", i ? "," : ",\"completion_ids\":[", a->ids[i]);
    rein_str_puts(out, !a->ids ? "}\n" : a->n_ids > 0 ? "]}\n" : ",\"completion_ids\":[]}\n");
    return rein_str_check(out);
}

/* ---- the program ---- */

static rein_status too_slow(const rein_reward_func *f) {
    return rein_fail(REIN_ERR_IO, "program '%s' did not finish a batch within %g s (reward_timeout)", f->argument,
                     f->timeout);
}

static rein_status start(rein_child **c, const rein_reward_func *f, const rein_str *input) {
    const char *argv[] = {"/bin/sh", "-c", f->argument, NULL};
    REIN_TRY(rein_child_start(c, &(rein_child_options){.argv = argv, .inherit_env = true, .message_max = OUTPUT_MAX}));
    REIN_TRY(rein_child_send(*c, input->data, input->len));
    rein_child_close_input(*c);
    return REIN_OK;
}

/* All that it writes until its end. */
static rein_status hear(rein_str *said, rein_child *c, const rein_reward_func *f, double deadline) {
    const char *line;
    size_t len;
    do {
        double left = deadline - rein_clock();
        if (left <= 0) return too_slow(f);
        REIN_TRY(rein_child_poll(c, left < 1000 ? (int)(left * 1000) + 1 : 1000000));
        while (rein_child_next(c, &line, &len)) {
            rein_str_append(said, line, len);
            rein_str_putc(said, '\n');
        }
        if (said->len > OUTPUT_MAX) return rein_fail(REIN_ERR_IO, "program '%s' writes without end", f->argument);
    } while (!rein_child_ended(c));
    return rein_str_check(said);
}

/* It may have closed its outputs and go on. */
static rein_status check_exit(rein_child *c, const rein_reward_func *f, double deadline) {
    int how = rein_child_wait(c, deadline - rein_clock()), len;
    if (how == 0) return REIN_OK;
    if (how == REIN_CHILD_RUNNING) return too_slow(f);
    const char *words = rein_child_last_words(c, &len);
    return rein_fail(REIN_ERR_IO, "program '%s' ended with %s %d; it said: %.*s", f->argument,
                     how > 0 ? "exit status" : "signal", how > 0 ? how : -how, len, words);
}

/* ---- what it says ---- */

static rein_status read_reward(double *out, const char *text, size_t len, const char *name) {
    struct json_object *doc, *value;
    REIN_TRY(rein_json_parse(&doc, name, text, len));
    rein_status status = REIN_OK;
    if (!json_object_is_type(doc, json_type_object) || !json_object_object_get_ex(doc, "reward", &value))
        status = rein_fail(REIN_ERR_FORMAT, "%s: expected {\"reward\": number or null}", name);
    else if (!value)
        *out = (double)NAN;
    else
        status = rein_json_double(out, doc, "reward");
    json_object_put(doc);
    return status;
}

static rein_status read_rewards(double *out, const rein_reward_func *f, const rein_str *said, int64_t n) {
    const char *at = said->data ? said->data : "", *end = at + said->len;
    char name[64];
    int64_t line = 0;
    for (const char *next; at < end; at = next) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        next = newline ? newline + 1 : end;
        if (line == n)
            return rein_fail(REIN_ERR_FORMAT, "program '%s' wrote more than the %lld lines that it was asked for",
                             f->argument, (long long)n);
        snprintf(name, sizeof name, "its line %lld", (long long)line + 1);
        rein_status status = read_reward(&out[line++], at, (size_t)((newline ? newline : end) - at), name);
        if (status != REIN_OK) return rein_error_prefix(status, "program '%s'", f->argument);
    }
    if (line < n)
        return rein_fail(REIN_ERR_FORMAT, "program '%s' wrote %lld lines for %lld answers", f->argument,
                         (long long)line, (long long)n);
    return REIN_OK;
}

static rein_status process_batch(double *out, const rein_reward_func *f, const rein_reward_answer *a, int64_t n) {
    rein_child *c = NULL;
    rein_str input = {0}, said = {0};
    rein_status status = REIN_OK;
    double deadline = rein_clock() + f->timeout;
    for (int64_t i = 0; i < n; i++) REIN_TRY_OUT(status, put_line(&input, &a[i]), out);
    if (n == 0) goto out;
    REIN_TRY_OUT(status, start(&c, f, &input), out);
    REIN_TRY_OUT(status, hear(&said, c, f, deadline), out);
    REIN_TRY_OUT(status, check_exit(c, f, deadline), out);
    REIN_TRY_OUT(status, read_rewards(out, f, &said, n), out);
out:
    if (c && status != REIN_OK) rein_child_kill(c);
    rein_child_close(c);
    rein_str_deinit(&input);
    rein_str_deinit(&said);
    return status;
}

static rein_status process_open(rein_reward_func *f) {
    if (f->argument[strspn(f->argument, " \t")]) return REIN_OK;
    return rein_fail(REIN_ERR_USAGE, "reward function %s: a command is missing, as in process:python3 reward.py",
                     f->name);
}

const rein_reward_class rein_reward_process = {
    .names = "process", .judges = REIN_JUDGES_CORRECT, .open = process_open, .batch = process_batch};
