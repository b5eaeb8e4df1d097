/* Reading a run's store: the only source of reports, figures and `rein runs`. All memory is the caller's arena. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/internal.h"

/* Rows are counted first (`count`), so that each answer is one block. */
static rein_status begin_rows(const rein_rundir *run, const char *table_and_where, const char *columns, int64_t *n,
                              sqlite3_stmt **stmt) {
    rein_str sql = {0};
    rein_str_printf(&sql, "SELECT count(*) FROM (SELECT 1 FROM %s)", table_and_where);
    rein_status status = rein_str_check(&sql);
    if (status == REIN_OK) status = rein_sql_int(run->db, n, sql.data);
    rein_str_clear(&sql);
    rein_str_printf(&sql, "SELECT %s FROM %s", columns, table_and_where);
    if (status == REIN_OK) status = rein_str_check(&sql);
    if (status == REIN_OK) status = rein_sql_prepare(run->db, stmt, sql.data, "");
    rein_str_deinit(&sql);
    return status;
}

static rein_status read_pairs(const rein_rundir *run, rein_arena *arena, const char *table, rein_pair **out,
                              int64_t *n) {
    sqlite3_stmt *stmt;
    bool more = true;
    int64_t i = 0;
    REIN_TRY(begin_rows(run, table, "key, value", n, &stmt));
    rein_status status = rein_arena_alloc(arena, out, sizeof **out * (size_t)(*n + 1));
    while (status == REIN_OK && i < *n) {
        REIN_TRY_OUT(status, rein_sql_next(stmt, &more), out);
        if (!more) break;
        REIN_TRY_OUT(status, rein_sql_text(stmt, 0, arena, &(*out)[i].key, NULL), out);
        REIN_TRY_OUT(status, rein_sql_text(stmt, 1, arena, &(*out)[i].value, NULL), out);
        i++;
    }
out:
    *n = i;
    sqlite3_finalize(stmt);
    return status;
}

rein_status rein_read_notes(const rein_rundir *run, rein_arena *arena, rein_pair **out, int64_t *n) {
    return read_pairs(run, arena, "fact ORDER BY key", out, n);
}

rein_status rein_read_machine(const rein_rundir *run, rein_arena *arena, rein_pair **out, int64_t *n) {
    return read_pairs(run, arena, "machine ORDER BY key", out, n);
}

rein_status rein_read_note(const rein_rundir *run, rein_arena *arena, const char *key, const char **value) {
    sqlite3_stmt *stmt;
    bool more;
    *value = NULL;
    REIN_TRY(rein_sql_prepare(run->db, &stmt, "SELECT value FROM fact WHERE key = ?", "s", key));
    rein_status status = rein_sql_next(stmt, &more);
    if (status == REIN_OK && more) status = rein_sql_text(stmt, 0, arena, value, NULL);
    sqlite3_finalize(stmt);
    return status;
}

rein_status rein_read_config(const rein_rundir *run, rein_str *out) {
    rein_arena arena = {0};
    char *path;
    rein_status status = rein_path_format(&arena, &path, "%s/config.yaml", run->path);
    if (status == REIN_OK) status = rein_file_read(out, path);
    rein_arena_deinit(&arena);
    return status;
}

/* ---- series ---- */

rein_status rein_read_metric_names(const rein_rundir *run, rein_arena *arena, const char ***names, int64_t *n) {
    sqlite3_stmt *stmt;
    bool more = true;
    int64_t i = 0;
    REIN_TRY(begin_rows(run, "metric GROUP BY name ORDER BY min(step), ord, name", "name, min(step), ord", n, &stmt));
    rein_status status = rein_arena_alloc(arena, names, sizeof **names * (size_t)(*n + 1));
    while (status == REIN_OK && i < *n) {
        REIN_TRY_OUT(status, rein_sql_next(stmt, &more), out);
        if (!more) break;
        REIN_TRY_OUT(status, rein_sql_text(stmt, 0, arena, &(*names)[i++], NULL), out);
    }
out:
    *n = i;
    sqlite3_finalize(stmt);
    return status;
}

/* Both statements have one parameter, the name; count gives the number of rows of query (step, value). */
static rein_status read_series(const rein_rundir *run, rein_arena *arena, const char *count, const char *query,
                               const char *name, rein_series *out) {
    sqlite3_stmt *stmt;
    bool more;
    *out = (rein_series){.name = name};
    REIN_TRY(rein_sql_prepare(run->db, &stmt, count, "s", name));
    rein_status status = rein_sql_next(stmt, &more);
    int64_t room = status == REIN_OK ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    REIN_TRY(status);
    REIN_TRY(rein_arena_alloc(arena, &out->step, sizeof *out->step * (size_t)(room + 1)));
    REIN_TRY(rein_arena_alloc(arena, &out->value, sizeof *out->value * (size_t)(room + 1)));
    REIN_TRY(rein_sql_prepare(run->db, &stmt, query, "s", name));
    while ((status = rein_sql_next(stmt, &more)) == REIN_OK && more && out->n < room) {
        out->step[out->n] = sqlite3_column_int64(stmt, 0);
        bool null = sqlite3_column_type(stmt, 1) == SQLITE_NULL;
        out->value[out->n++] = null ? (double)NAN : sqlite3_column_double(stmt, 1);
    }
    sqlite3_finalize(stmt);
    return status;
}

rein_status rein_read_series(const rein_rundir *run, rein_arena *arena, const char *name, rein_series *out) {
    return read_series(run, arena, "SELECT count(*) FROM metric WHERE name = ?",
                       "SELECT step, value FROM metric WHERE name = ? ORDER BY step", name, out);
}

rein_status rein_read_timing(const rein_rundir *run, rein_arena *arena, const char *phase, rein_series *out) {
    return read_series(
        run, arena, "SELECT count(DISTINCT step) FROM timing WHERE phase = ?1 OR ?1 IS NULL",
        "SELECT step, sum(seconds) FROM timing WHERE phase = ?1 OR ?1 IS NULL GROUP BY step ORDER BY step", phase, out);
}

/* ---- events, completions ---- */

rein_status rein_read_events(const rein_rundir *run, rein_arena *arena, rein_event **out, int64_t *n) {
    sqlite3_stmt *stmt;
    bool more = true;
    int64_t i = 0;
    REIN_TRY(begin_rows(run, "event ORDER BY id", "step, kind, text", n, &stmt));
    rein_status status = rein_arena_alloc(arena, out, sizeof **out * (size_t)(*n + 1));
    while (status == REIN_OK && i < *n) {
        REIN_TRY_OUT(status, rein_sql_next(stmt, &more), out);
        if (!more) break;
        (*out)[i].step = sqlite3_column_int64(stmt, 0);
        REIN_TRY_OUT(status, rein_sql_text(stmt, 1, arena, &(*out)[i].kind, NULL), out);
        REIN_TRY_OUT(status, rein_sql_text(stmt, 2, arena, &(*out)[i].text, NULL), out);
        i++;
    }
out:
    *n = i;
    sqlite3_finalize(stmt);
    return status;
}

static rein_status read_parts(const rein_rundir *run, rein_arena *arena, rein_completion *c) {
    sqlite3_stmt *stmt;
    bool more;
    rein_named *part;
    static const char query[] = "SELECT name, value, count(*) OVER () FROM completion_part"
                                " WHERE step = ? AND prompt = ? AND sample = ? ORDER BY ord";
    REIN_TRY(rein_sql_prepare(run->db, &stmt, query, "iii", c->step, c->prompt, c->sample));
    rein_status status = rein_sql_next(stmt, &more);
    if (status == REIN_OK && more) {
        status = rein_arena_alloc(arena, &part, sizeof *part * (size_t)sqlite3_column_int64(stmt, 2));
        c->part = part;
    }
    while (status == REIN_OK && more) {
        REIN_TRY_OUT(status, rein_sql_text(stmt, 0, arena, &part[c->n_part].name, NULL), out);
        part[c->n_part++].value = sqlite3_column_double(stmt, 1);
        status = rein_sql_next(stmt, &more);
    }
out:
    sqlite3_finalize(stmt);
    return status;
}

static rein_status read_completion(const rein_rundir *run, sqlite3_stmt *stmt, rein_arena *arena, rein_completion *c) {
    c->step = sqlite3_column_int64(stmt, 0);
    c->prompt = sqlite3_column_int64(stmt, 1);
    c->sample = sqlite3_column_int64(stmt, 2);
    REIN_TRY(rein_sql_text(stmt, 3, arena, &c->prompt_text, &c->prompt_len));
    REIN_TRY(rein_sql_text(stmt, 4, arena, &c->text, &c->text_len));
    c->reward = sqlite3_column_double(stmt, 5);
    c->advantage = sqlite3_column_double(stmt, 6);
    REIN_TRY(rein_sql_text(stmt, 7, arena, &c->finish, NULL));
    if (sqlite3_column_type(stmt, 8) != SQLITE_NULL)
        REIN_TRY(rein_sql_text(stmt, 8, arena, &c->episode, &c->episode_len));
    return read_parts(run, arena, c);
}

rein_status rein_read_completions(const rein_rundir *run, rein_arena *arena, int64_t step, int64_t limit,
                                  rein_completion **out, int64_t *n) {
    static const char query[] = "SELECT * FROM completion WHERE step = (SELECT CASE ?1 WHEN -1 THEN max(step)"
                                " WHEN 0 THEN min(step) ELSE ?1 END FROM completion) ORDER BY prompt, sample LIMIT ?2";
    sqlite3_stmt *stmt;
    bool more;
    *n = 0;
    REIN_TRY(rein_arena_alloc(arena, out, sizeof **out * (size_t)(limit + 1)));
    REIN_TRY(rein_sql_prepare(run->db, &stmt, query, "ii", step, limit));
    rein_status status;
    while ((status = rein_sql_next(stmt, &more)) == REIN_OK && more) {
        REIN_TRY_OUT(status, read_completion(run, stmt, arena, &(*out)[*n]), out);
        ++*n;
    }
out:
    sqlite3_finalize(stmt);
    return status;
}

/* ---- which runs there are ---- */

typedef struct found_list {
    char **path;
    int *depth;
    int64_t n;
} found_list;

static rein_status push(found_list *list, char *path, int depth) {
    REIN_TRY(rein_realloc(&list->path, list->n, list->n + 1, sizeof *list->path));
    REIN_TRY(rein_realloc(&list->depth, list->n, list->n + 1, sizeof *list->depth));
    list->path[list->n] = path;
    list->depth[list->n++] = depth;
    return REIN_OK;
}

/* Sub-folders of queue[at], but for the folders that a run itself makes. */
static rein_status push_children(found_list *queue, int64_t at, rein_arena *arena) {
    char **names, *path;
    int64_t n;
    REIN_TRY(rein_list_dir(&names, &n, arena, queue->path[at]));
    for (int64_t i = 0; i < n; i++) {
        if (strncmp(names[i], "checkpoint-", 11) == 0 || strstr(names[i], ".tmp-") || names[i][0] == '.') continue;
        REIN_TRY(rein_path_format(arena, &path, "%s/%s", queue->path[at], names[i]));
        if (rein_path_is_dir(path)) REIN_TRY(push(queue, path, queue->depth[at] + 1));
    }
    return REIN_OK;
}

static int compare_paths(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

rein_status rein_run_find(const char *dir, int depth, rein_arena *arena, char ***paths, int64_t *n) {
    found_list queue = {0};
    char *top;
    rein_status status;
    *n = 0;
    if (!rein_path_is_dir(dir)) return rein_fail(REIN_ERR_USAGE, "'%s' is not a folder", dir);
    REIN_TRY_OUT(status, rein_arena_strdup(arena, &top, dir, strlen(dir)), out);
    REIN_TRY_OUT(status, push(&queue, top, 0), out);
    for (int64_t i = 0; i < queue.n; i++)
        if (queue.depth[i] < depth) REIN_TRY_OUT(status, push_children(&queue, i, arena), out);
    REIN_TRY_OUT(status, rein_arena_alloc(arena, paths, sizeof **paths * (size_t)queue.n), out);
    for (int64_t i = 0; i < queue.n; i++)
        if (rein_rundir_exists(queue.path[i])) (*paths)[(*n)++] = queue.path[i];
    qsort(*paths, (size_t)*n, sizeof **paths, compare_paths);
out:
    rein_free(queue.path);
    rein_free(queue.depth);
    return status;
}
