/*
 * What a run logs step by step: metrics, times, events, sampled texts; and how a resumed run forgets the steps after
 * its checkpoint. A line of metrics.jsonl is a pure function of what was logged.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "run/internal.h"

void rein_jsonl_named(rein_str *s, const rein_named *m, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        rein_str_putc(s, ',');
        rein_json_put_string(s, m[i].name, strlen(m[i].name));
        rein_str_putc(s, ':');
        rein_json_put_f64(s, m[i].value);
    }
}

/* {"step":S,...}\n appended to a log, not synced: rein_checkpoint_publish makes the logs durable. */
static rein_status append_line(rein_appender *log, int64_t step, const rein_named *m, int64_t n) {
    rein_str line = {0};
    rein_str_printf(&line, "{\"step\":%lld", (long long)step);
    rein_jsonl_named(&line, m, n);
    rein_str_puts(&line, "}\n");
    rein_status status = rein_str_check(&line);
    if (status == REIN_OK) status = rein_appender_write(log, line.data, line.len, false);
    rein_str_deinit(&line);
    return status;
}

static rein_status insert_metrics(rein_rundir *run, int64_t step, const rein_named *m, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double value = isfinite(m[i].value) ? m[i].value : (double)NAN;
        rein_status status =
            rein_sql_run(run->db, "INSERT INTO metric VALUES(?,?,?,?)", "isid", step, m[i].name, i, value);
        if (status == REIN_ERR_ARG)
            return rein_fail(REIN_ERR_ARG, "metric '%s' of step %lld was logged before", m[i].name, (long long)step);
        REIN_TRY(status);
    }
    return append_line(&run->metrics, step, m, n);
}

rein_status rein_rundir_log(rein_rundir *run, int64_t step, const rein_named *m, int64_t n) {
    int64_t last;
    REIN_TRY(rein_run_writable(run));
    REIN_TRY(rein_sql_int(run->db, &last, "SELECT coalesce(max(step), -1) FROM metric"));
    if (step < 0 || step < last)
        return rein_fail(REIN_ERR_ARG, "metrics of step %lld after those of step %lld; roll back first",
                         (long long)step, (long long)last);
    REIN_TRY(rein_sql_exec(run->db, "BEGIN"));
    return rein_sql_end(run->db, insert_metrics(run, step, m, n));
}

static rein_status insert_times(rein_rundir *run, int64_t step, const rein_named *phase, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        REIN_TRY(rein_sql_run(run->db, "INSERT OR REPLACE INTO timing VALUES(?,?,?)", "isd", step, phase[i].name,
                              phase[i].value));
    return append_line(&run->timing, step, phase, n);
}

rein_status rein_rundir_time(rein_rundir *run, int64_t step, const rein_named *phase, int64_t n) {
    REIN_TRY(rein_run_writable(run));
    REIN_TRY(rein_sql_exec(run->db, "BEGIN"));
    return rein_sql_end(run->db, insert_times(run, step, phase, n));
}

rein_status rein_rundir_event(rein_rundir *run, int64_t step, const char *kind, const char *text) {
    REIN_TRY(rein_run_writable(run));
    return rein_sql_run(run->db, "INSERT INTO event(step, kind, text) VALUES(?,?,?)", "iss", step, kind, text);
}

/* ---- completions ---- */

void rein_completion_write(const rein_completion *c, rein_str *s) {
    rein_str_printf(s, "{\"step\":%lld,\"prompt_id\":%lld,\"sample\":%lld,\"prompt\":", (long long)c->step,
                    (long long)c->prompt, (long long)c->sample);
    rein_json_put_string(s, c->prompt_text, c->prompt_len);
    rein_str_puts(s, ",\"completion\":");
    rein_json_put_string(s, c->text, c->text_len);
    const rein_named value[] = {{"reward", c->reward}, {"advantage", c->advantage}};
    rein_jsonl_named(s, value, 2);
    rein_str_puts(s, ",\"finish_reason\":");
    rein_json_put_string(s, c->finish, strlen(c->finish));
    rein_str_puts(s, ",\"rewards\":{");
    rein_str part = {0};
    rein_jsonl_named(&part, c->part, c->n_part);
    if (part.len) rein_str_append(s, part.data + 1, part.len - 1);
    s->failed = s->failed || part.failed;
    rein_str_deinit(&part);
    rein_str_putc(s, '}');
    if (c->episode) rein_str_puts(s, ",\"episode\":");
    if (c->episode) rein_str_append(s, c->episode, c->episode_len);
    rein_str_puts(s, "}\n");
}

static rein_status append_completion(rein_rundir *run, const rein_completion *c) {
    rein_arena arena = {0};
    rein_str line = {0};
    rein_appender file = {.fd = -1};
    char *path;
    rein_status status;
    rein_completion_write(c, &line);
    REIN_TRY_OUT(status, rein_str_check(&line), out);
    REIN_TRY_OUT(status,
                 rein_path_format(&arena, &path, "%s/completions/step-%06lld.jsonl", run->path, (long long)c->step),
                 out);
    REIN_TRY_OUT(status, rein_appender_open(&file, path, -1), out);
    REIN_TRY_OUT(status, rein_appender_write(&file, line.data, line.len, false), out);
out:
    if (file.fd >= 0) rein_appender_close(&file);
    rein_str_deinit(&line);
    rein_arena_deinit(&arena);
    return status;
}

static rein_status insert_completion(rein_rundir *run, const rein_completion *c) {
    REIN_TRY(rein_sql_run(run->db, "INSERT INTO completion VALUES(?,?,?,?,?,?,?,?,?)", "iiibbddsb", c->step, c->prompt,
                          c->sample, c->prompt_text, c->prompt_len, c->text, c->text_len, c->reward, c->advantage,
                          c->finish, c->episode, c->episode_len));
    for (int64_t i = 0; i < c->n_part; i++)
        REIN_TRY(rein_sql_run(run->db, "INSERT INTO completion_part VALUES(?,?,?,?,?,?)", "iiiisd", c->step, c->prompt,
                              c->sample, i, c->part[i].name, c->part[i].value));
    return append_completion(run, c);
}

rein_status rein_rundir_completion(rein_rundir *run, const rein_completion *c) {
    REIN_TRY(rein_run_writable(run));
    REIN_TRY(rein_sql_exec(run->db, "BEGIN"));
    return rein_sql_end(run->db, insert_completion(run, c));
}

/* ---- rollback ---- */

/* Our own lines begin with {"step":N, so that no JSON parser is needed to find where to cut. */
static bool line_step(const char *line, size_t len, int64_t *step) {
    static const char head[] = "{\"step\":";
    char digits[24] = {0}, *end;
    if (len < sizeof head || memcmp(line, head, sizeof head - 1) != 0) return false;
    size_t room = len - (sizeof head - 1);
    memcpy(digits, line + sizeof head - 1, room < sizeof digits - 1 ? room : sizeof digits - 1);
    *step = strtoll(digits, &end, 10);
    return end > digits && (*end == ',' || *end == '}');
}

rein_status rein_jsonl_prefix(const char *path, int64_t last, int64_t *bytes) {
    rein_map map;
    rein_status status = REIN_OK;
    size_t at = 0;
    REIN_TRY(rein_map_open(&map, path));
    while (at < map.len) {
        const char *line = (const char *)map.data + at, *end = memchr(line, '\n', map.len - at);
        int64_t step;
        if (!end) break; /* torn by a kill */
        if (!line_step(line, (size_t)(end - line), &step)) {
            status = rein_fail(REIN_ERR_FORMAT, "%s: the line at byte %zu does not begin with a step", path, at);
            break;
        }
        if (step > last) break;
        at += (size_t)(end - line) + 1;
    }
    rein_map_close(&map);
    *bytes = (int64_t)at;
    return status;
}

static rein_status cut_log(rein_appender *log, int64_t step) {
    const char *path = log->path;
    int64_t bytes;
    REIN_TRY(rein_jsonl_prefix(path, step, &bytes));
    rein_appender_close(log);
    log->fd = -1;
    return rein_appender_open(log, path, bytes);
}

static rein_status cut_completions(rein_rundir *run, int64_t step) {
    rein_arena arena = {0};
    char *dir, *path, **names;
    int64_t n;
    rein_status status;
    REIN_TRY_OUT(status, rein_path_format(&arena, &dir, "%s/completions", run->path), out);
    REIN_TRY_OUT(status, rein_list_dir(&names, &n, &arena, dir), out);
    for (int64_t i = 0; i < n; i++) {
        if (strncmp(names[i], "step-", 5) != 0 || strtoll(names[i] + 5, NULL, 10) <= step) continue;
        REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/%s", dir, names[i]), out);
        REIN_TRY_OUT(status, rein_remove_tree(path), out);
    }
out:
    rein_arena_deinit(&arena);
    return status;
}

static rein_status cut_rows(rein_rundir *run, int64_t step) {
    static const char *const stepped[] = {"DELETE FROM metric WHERE step > ?",
                                          "DELETE FROM timing WHERE step > ?",
                                          "DELETE FROM event WHERE step > ?",
                                          "DELETE FROM completion WHERE step > ?",
                                          "DELETE FROM completion_part WHERE step > ?",
                                          "DELETE FROM checkpoint WHERE step > ?", /* recorded but never published */
                                          "DELETE FROM eval_value WHERE eval IN (SELECT id FROM eval WHERE step > ?)",
                                          "DELETE FROM eval_case WHERE eval IN (SELECT id FROM eval WHERE step > ?)",
                                          "DELETE FROM eval_policy WHERE eval IN (SELECT id FROM eval WHERE step > ?)",
                                          "DELETE FROM eval WHERE step > ?"};
    for (size_t i = 0; i < REIN_COUNT(stepped); i++) REIN_TRY(rein_sql_run(run->db, stepped[i], "i", step));
    return REIN_OK;
}

rein_status rein_rundir_rollback(rein_rundir *run, int64_t step) {
    int64_t latest, reached;
    REIN_TRY(rein_run_writable(run));
    REIN_TRY(rein_checkpoint_latest(run, &latest));
    if (latest > step)
        return rein_fail(REIN_ERR_USAGE,
                         "run '%s' has checkpoint-%lld; it cannot go back to step %lld: resume from the "
                         "newest, or train in a new output_dir",
                         run->path, (long long)latest, (long long)step);
    REIN_TRY(rein_sql_int(run->db, &reached, "SELECT coalesce(max(step), -1) FROM metric"));
    REIN_TRY(rein_sql_exec(run->db, "BEGIN"));
    REIN_TRY(rein_sql_end(run->db, cut_rows(run, step)));
    REIN_TRY(cut_log(&run->metrics, step));
    REIN_TRY(cut_log(&run->timing, step));
    REIN_TRY(cut_completions(run, step));
    if (reached <= step) return REIN_OK;
    char text[128];
    snprintf(text, sizeof text, "logs of steps %lld to %lld dropped, to be computed again", (long long)step + 1,
             (long long)reached);
    return rein_rundir_event(run, step, "resume", text);
}
