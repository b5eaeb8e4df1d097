/*
 * The journal (rollouts of every step) and the commit record (hashes of every step): what lets a step be recomputed and
 * compared. Both are write-once: writing a step again compares instead, so that a replay after a resume proves itself.
 *
 * Journal file: 8 bytes "REINJNL1", payload length (64-bit little endian), XXH3-128 of the payload as 32 hex digits,
 * payload.
 */
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "run/internal.h"

enum { MAGIC = 8, HEADER = MAGIC + 8 + REIN_XXH_HEX - 1 };
static const char magic[MAGIC + 1] = "REINJNL1";

static rein_status journal_path(const rein_rundir *run, rein_arena *arena, int64_t step, char **out) {
    return rein_path_format(arena, out, "%s/journal/step-%06lld.bin", run->path, (long long)step);
}

/* Checks the header and the hash; *payload points behind the header. */
static rein_status check_journal(const char *path, const unsigned char *data, size_t len, const char **payload,
                                 size_t *n) {
    uint64_t size = 0;
    char hash[REIN_XXH_HEX];
    if (len < HEADER || memcmp(data, magic, MAGIC) != 0)
        return rein_fail(REIN_ERR_FORMAT, "'%s' is no journal file", path);
    for (int i = 0; i < 8; i++) size |= (uint64_t)data[MAGIC + i] << (8 * i);
    if (size != len - HEADER)
        return rein_fail(REIN_ERR_FORMAT, "'%s' is truncated: %zu of %llu bytes", path, len - HEADER,
                         (unsigned long long)size);
    rein_xxh3_hex(hash, data + HEADER, len - HEADER);
    if (memcmp(hash, data + MAGIC + 8, REIN_XXH_HEX - 1) != 0)
        return rein_fail(REIN_ERR_MISMATCH, "'%s' is damaged: its hash is %s", path, hash);
    *payload = (const char *)data + HEADER;
    *n = len - HEADER;
    return REIN_OK;
}

rein_status rein_journal_read(const rein_rundir *run, int64_t step, rein_str *out, bool *found) {
    rein_arena arena = {0};
    char *path;
    rein_map map = {0};
    const char *payload = NULL;
    size_t n = 0;
    rein_status status;
    rein_str_clear(out);
    *found = false;
    REIN_TRY_OUT(status, journal_path(run, &arena, step, &path), out);
    if (!rein_path_exists(path)) goto out;
    REIN_TRY_OUT(status, rein_map_open(&map, path), out);
    REIN_TRY_OUT(status, check_journal(path, map.data, map.len, &payload, &n), out);
    rein_str_append(out, payload, n);
    REIN_TRY_OUT(status, rein_str_check(out), out);
    *found = true;
out:
    rein_map_close(&map);
    rein_arena_deinit(&arena);
    return status;
}

static rein_status write_journal(rein_rundir *run, int64_t step, const void *bytes, size_t len) {
    rein_arena arena = {0};
    rein_str file = {0};
    char *path, hash[REIN_XXH_HEX];
    rein_status status;
    rein_str_append(&file, magic, MAGIC);
    for (int i = 0; i < 8; i++) rein_str_putc(&file, (char)((uint64_t)len >> (8 * i)));
    rein_xxh3_hex(hash, bytes, len);
    rein_str_puts(&file, hash);
    rein_str_append(&file, bytes, len);
    REIN_TRY_OUT(status, rein_str_check(&file), out);
    REIN_TRY_OUT(status, journal_path(run, &arena, step, &path), out);
    REIN_TRY_OUT(status, rein_file_write(path, file.data, file.len), out);
out:
    rein_str_deinit(&file);
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_journal_append(rein_rundir *run, int64_t step, const void *bytes, size_t len) {
    rein_str old = {0};
    bool found;
    REIN_TRY(rein_run_writable(run));
    rein_status status = rein_journal_read(run, step, &old, &found);
    if (status == REIN_OK && !found)
        status = write_journal(run, step, bytes, len);
    else if (status == REIN_OK && (old.len != len || (len && memcmp(old.data, bytes, len) != 0)))
        status = rein_fail(REIN_ERR_MISMATCH, "step %lld of run '%s' gave other rollouts than its journal has",
                           (long long)step, run->path);
    rein_str_deinit(&old);
    return status;
}

/* ---- commits ---- */

typedef struct commit_search {
    int64_t step;
    rein_commit *out;
    bool found;
} commit_search;

static rein_status read_hash(rein_commit *c, const char *name, struct json_object *value) {
    const char *hex = json_object_get_string(value);
    if (!json_object_is_type(value, json_type_string) || c->n == REIN_COMMIT_MAX ||
        strlen(name) >= sizeof c->hash[0].name || strlen(hex) >= REIN_COMMIT_HEX)
        return rein_fail(REIN_ERR_FORMAT, "commit of step %lld: '%s' is no hash", (long long)c->step, name);
    memcpy(c->hash[c->n].name, name, strlen(name) + 1);
    memcpy(c->hash[c->n].hex, hex, strlen(hex) + 1);
    c->n++;
    return REIN_OK;
}

static rein_status match_commit(void *user, int64_t line, struct json_object *row) {
    commit_search *search = user;
    int64_t step;
    (void)line;
    REIN_TRY(rein_json_int(&step, row, "step"));
    if (step != search->step) return REIN_OK;
    *search->out = (rein_commit){.step = step};
    search->found = true;
    json_object_object_foreach(row, name, value) {
        if (strcmp(name, "step") != 0) REIN_TRY(read_hash(search->out, name, value));
    }
    return REIN_OK;
}

rein_status rein_commit_read(const rein_rundir *run, int64_t step, rein_commit *out, bool *found) {
    rein_arena arena = {0};
    char *path;
    commit_search search = {.step = step, .out = out};
    rein_status status = rein_path_format(&arena, &path, "%s/commits.jsonl", run->path);
    if (status == REIN_OK && rein_path_exists(path)) status = rein_jsonl_each(path, match_commit, &search);
    *found = search.found;
    rein_arena_deinit(&arena);
    return status;
}

const char *rein_commit_difference(const rein_commit *a, const rein_commit *b) {
    for (int64_t i = 0; i < a->n || i < b->n; i++) {
        if (i >= a->n) return b->hash[i].name;
        if (i >= b->n || strcmp(a->hash[i].name, b->hash[i].name) != 0 || strcmp(a->hash[i].hex, b->hash[i].hex) != 0)
            return a->hash[i].name;
    }
    return NULL;
}

static rein_status append_commit(rein_rundir *run, const rein_commit *c) {
    rein_str line = {0};
    rein_str_printf(&line, "{\"step\":%lld", (long long)c->step);
    for (int64_t i = 0; i < c->n; i++) {
        rein_str_putc(&line, ',');
        rein_json_put_string(&line, c->hash[i].name, strlen(c->hash[i].name));
        rein_str_putc(&line, ':');
        rein_json_put_string(&line, c->hash[i].hex, strlen(c->hash[i].hex));
    }
    rein_str_puts(&line, "}\n");
    rein_status status = rein_str_check(&line);
    if (status == REIN_OK) status = rein_appender_write(&run->commits, line.data, line.len, true);
    rein_str_deinit(&line);
    return status;
}

rein_status rein_commit_append(rein_rundir *run, const rein_commit *c) {
    rein_commit old;
    bool found;
    REIN_TRY(rein_run_writable(run));
    REIN_TRY(rein_commit_read(run, c->step, &old, &found));
    if (!found) return append_commit(run, c);
    const char *name = rein_commit_difference(&old, c);
    if (name)
        return rein_fail(REIN_ERR_MISMATCH, "step %lld of run '%s' was committed with another hash of '%s'",
                         (long long)c->step, run->path, name);
    return REIN_OK;
}
