/* Records of the traffic with tools; see record.h. */
#include "env/tools/record.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

uint64_t rein_tool_history(uint64_t before, const char *tool, const char *arguments) {
    uint64_t hash = before ^ 0xcbf29ce484222325; /* FNV-1a */
    for (int part = 0; part < 2; part++) {
        for (const char *c = part ? arguments : tool; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
        hash = (hash ^ 0xFF) * 0x100000001b3; /* no character of UTF-8: the end of a part */
    }
    return hash;
}

rein_status rein_tool_record_open(rein_appender *out, rein_arena *arena, const char *folder, int slot,
                                  struct json_object *tools) {
    char *path;
    const char *text = json_object_to_json_string_ext(tools, JSON_C_TO_STRING_PLAIN);
    if (!text) return rein_fail(REIN_ERR_MEMORY, "out of memory for the list of tools");
    REIN_TRY(rein_mkdirs(folder));
    REIN_TRY(rein_path_format(arena, &path, "%s/tools.json", folder));
    REIN_TRY(rein_file_write(path, text, strlen(text)));
    REIN_TRY(rein_path_format(arena, &path, "%s/slot-%d.jsonl", folder, slot));
    return rein_appender_open(out, path, -1);
}

static rein_status put_line(rein_appender *to, rein_str *line) {
    rein_status status = rein_str_check(line);
    if (status == REIN_OK) status = rein_appender_write(to, line->data, line->len, false);
    rein_str_deinit(line);
    return status;
}

static void put_string(rein_str *out, const char *key, const char *text, size_t len) {
    rein_str_printf(out, ",\"%s\":", key);
    rein_json_put_string(out, text, len);
}

rein_status rein_tool_record_answer(rein_appender *to, const rein_tool_recorded *row, const char *tool,
                                    const char *arguments) {
    rein_str line = {0};
    rein_str_printf(&line, "{\"history\":\"%016llx\"", (unsigned long long)row->history);
    put_string(&line, "tool", tool, strlen(tool));
    rein_str_printf(&line, ",\"arguments\":%s", arguments);
    put_string(&line, "text", row->text, row->len);
    rein_str_printf(&line, ",\"is_error\":%s}\n", row->is_error ? "true" : "false");
    return put_line(to, &line);
}

rein_status rein_tool_record_judgement(rein_appender *to, const rein_tool_recorded *row) {
    rein_str line = {0};
    rein_str_printf(&line, "{\"history\":\"%016llx\",\"met\":%u,\"clean\":%s}\n", (unsigned long long)row->history,
                    (unsigned)row->met, row->clean ? "true" : "false");
    return put_line(to, &line);
}

/* ---- reading ---- */

static rein_status read_row(void *user, int64_t line, struct json_object *row) {
    rein_tool_replay *r = user;
    const char *history, *text;
    char *copy, *end;
    int64_t met;
    (void)line;
    if (r->n == r->cap) {
        const int64_t cap = r->cap ? 2 * r->cap : 256;
        REIN_TRY(rein_realloc(&r->row, r->cap, cap, sizeof *r->row));
        r->cap = cap;
    }
    rein_tool_recorded *to = &r->row[r->n];
    *to = (rein_tool_recorded){.order = r->n};
    REIN_TRY(rein_json_string(&history, NULL, row, "history"));
    to->history = strtoull(history, &end, 16);
    if (*end || end - history != 16) return rein_fail(REIN_ERR_FORMAT, "history '%.40s' is no hash", history);
    if (rein_json_has(row, "met")) {
        REIN_TRY(rein_json_int(&met, row, "met"));
        to->met = (uint32_t)met;
        REIN_TRY(rein_json_bool(&to->clean, row, "clean"));
    } else {
        REIN_TRY(rein_json_string(&text, &to->len, row, "text"));
        REIN_TRY(rein_arena_strdup(&r->arena, &copy, text, to->len));
        to->text = copy;
        REIN_TRY(rein_json_bool(&to->is_error, row, "is_error"));
    }
    r->n++;
    return REIN_OK;
}

/* By history, answers before judgements, then as read. */
static int compare(const void *a, const void *b) {
    const rein_tool_recorded *x = a, *y = b;
    if (x->history != y->history) return x->history < y->history ? -1 : 1;
    if (!x->text != !y->text) return !x->text - !y->text;
    return (x->order > y->order) - (x->order < y->order);
}

static rein_status read_folder(rein_tool_replay *r, const char *folder) {
    char **names, *path;
    int64_t n;
    REIN_TRY(rein_path_format(&r->arena, &path, "%s/tools.json", folder));
    REIN_TRY(rein_json_load(&r->tools, path));
    if (!json_object_is_type(r->tools, json_type_array)) return rein_fail(REIN_ERR_FORMAT, "%s is no list", path);
    REIN_TRY(rein_list_dir(&names, &n, &r->arena, folder));
    for (int64_t i = 0; i < n; i++) {
        if (strncmp(names[i], "slot-", 5) != 0) continue;
        REIN_TRY(rein_path_format(&r->arena, &path, "%s/%s", folder, names[i]));
        REIN_TRY(rein_jsonl_each(path, read_row, r));
    }
    if (r->n > 0) qsort(r->row, (size_t)r->n, sizeof *r->row, compare);
    return REIN_OK;
}

rein_status rein_tool_replay_open(rein_tool_replay *out, const char *folder) {
    *out = (rein_tool_replay){0};
    rein_status status = read_folder(out, folder);
    if (status != REIN_OK) rein_tool_replay_close(out);
    return status;
}

void rein_tool_replay_close(rein_tool_replay *replay) {
    json_object_put(replay->tools);
    rein_free(replay->row);
    rein_arena_deinit(&replay->arena);
    *replay = (rein_tool_replay){0};
}

/* The first row of a history that is an answer, or a judgement. */
static const rein_tool_recorded *find(const rein_tool_replay *r, uint64_t history, bool answer) {
    int64_t low = 0, high = r->n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (r->row[middle].history < history) low = middle + 1;
        else high = middle;
    }
    for (; low < r->n && r->row[low].history == history; low++)
        if ((r->row[low].text != NULL) == answer) return &r->row[low];
    return NULL;
}

const rein_tool_recorded *rein_tool_replay_answer(const rein_tool_replay *replay, uint64_t history) {
    return find(replay, history, true);
}

const rein_tool_recorded *rein_tool_replay_judgement(const rein_tool_replay *replay, uint64_t history) {
    return find(replay, history, false);
}
