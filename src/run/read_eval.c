/* Reading evaluations: policies, cases and their named values, in order of id. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/internal.h"

static rein_status count_rows(const rein_rundir *run, const char *sql, int64_t eval, const char *policy, int64_t *n) {
    sqlite3_stmt *stmt;
    bool more;
    REIN_TRY(rein_sql_prepare(run->db, &stmt, sql, "is", eval, policy));
    rein_status status = rein_sql_next(stmt, &more);
    if (status == REIN_OK) *n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return status;
}

static rein_status read_case(sqlite3_stmt *stmt, rein_arena *arena, const char *policy, rein_eval_case *c) {
    c->policy = policy;
    c->index = sqlite3_column_int64(stmt, 0);
    c->sample = sqlite3_column_int64(stmt, 1);
    const char *key = (const char *)sqlite3_column_text(stmt, 2);
    c->key = key ? strtoull(key, NULL, 16) : 0;
    c->reward = sqlite3_column_double(stmt, 3);
    c->success = sqlite3_column_int(stmt, 4) != 0;
    c->format_ok = sqlite3_column_int(stmt, 5) != 0;
    REIN_TRY(rein_sql_text(stmt, 6, arena, &c->text, &c->text_len));
    return rein_sql_text(stmt, 7, arena, &c->details, &c->details_len);
}

static rein_status read_cases(const rein_rundir *run, rein_arena *arena, int64_t eval, rein_eval_policy *p) {
    sqlite3_stmt *stmt;
    bool more;
    int64_t n;
    REIN_TRY(count_rows(run, "SELECT count(*) FROM eval_case WHERE eval = ? AND policy = ?", eval, p->name, &n));
    REIN_TRY(rein_arena_alloc(arena, &p->cases, sizeof *p->cases * (size_t)(n + 1)));
    REIN_TRY(rein_sql_prepare(run->db, &stmt,
                              "SELECT idx, sample, key, reward, success, format_ok, text, details FROM eval_case"
                              " WHERE eval = ? AND policy = ? ORDER BY idx, sample",
                              "is", eval, p->name));
    rein_status status;
    while ((status = rein_sql_next(stmt, &more)) == REIN_OK && more && p->n < n) {
        REIN_TRY_OUT(status, read_case(stmt, arena, p->name, &p->cases[p->n]), out);
        p->n++;
    }
out:
    sqlite3_finalize(stmt);
    return status;
}

/* One value of the current row to its case. Rows and cases have the same order, so `at` only moves forward. */
static rein_status attach(sqlite3_stmt *stmt, rein_arena *arena, rein_eval_policy *p, int64_t *at, rein_named *slot) {
    int64_t index = sqlite3_column_int64(stmt, 0), sample = sqlite3_column_int64(stmt, 1);
    while (*at < p->n && (p->cases[*at].index != index || p->cases[*at].sample != sample)) ++*at;
    if (*at == p->n)
        return rein_fail(REIN_ERR_FORMAT, "a value of policy '%s' belongs to no case (%lld, %lld)", p->name,
                         (long long)index, (long long)sample);
    rein_eval_case *c = &p->cases[*at];
    bool is_metric = sqlite3_column_int(stmt, 2) != 0, null = sqlite3_column_type(stmt, 4) == SQLITE_NULL;
    REIN_TRY(rein_sql_text(stmt, 3, arena, &slot->name, NULL));
    slot->value = null ? (double)NAN : sqlite3_column_double(stmt, 4);
    const rein_named **first = is_metric ? &c->metric : &c->part;
    if (!*first) *first = slot;
    ++*(is_metric ? &c->n_metric : &c->n_part);
    return REIN_OK;
}

static rein_status read_values(const rein_rundir *run, rein_arena *arena, int64_t eval, rein_eval_policy *p) {
    sqlite3_stmt *stmt;
    bool more;
    int64_t n, i = 0, at = 0;
    rein_named *value;
    REIN_TRY(count_rows(run, "SELECT count(*) FROM eval_value WHERE eval = ? AND policy = ?", eval, p->name, &n));
    REIN_TRY(rein_arena_alloc(arena, &value, sizeof *value * (size_t)(n + 1)));
    REIN_TRY(rein_sql_prepare(run->db, &stmt,
                              "SELECT idx, sample, is_metric, name, value FROM eval_value WHERE eval = ? AND policy = ?"
                              " ORDER BY idx, sample, is_metric, ord",
                              "is", eval, p->name));
    rein_status status;
    while ((status = rein_sql_next(stmt, &more)) == REIN_OK && more && i < n)
        REIN_TRY_OUT(status, attach(stmt, arena, p, &at, &value[i++]), out);
out:
    sqlite3_finalize(stmt);
    return status;
}

static rein_status read_policies(const rein_rundir *run, rein_arena *arena, rein_eval *e) {
    sqlite3_stmt *stmt;
    bool more;
    int64_t n;
    REIN_TRY(count_rows(run, "SELECT count(*) FROM eval_policy WHERE eval = ? AND ?2 IS NULL", e->id, NULL, &n));
    REIN_TRY(rein_arena_alloc(arena, &e->policies, sizeof *e->policies * (size_t)(n + 1)));
    REIN_TRY(rein_sql_prepare(run->db, &stmt,
                              "SELECT policy, role, weights FROM eval_policy WHERE eval = ? ORDER BY ord", "i", e->id));
    rein_status status;
    while ((status = rein_sql_next(stmt, &more)) == REIN_OK && more && e->n_policy < n) {
        rein_eval_policy *p = &e->policies[e->n_policy++];
        p->role = (rein_role)sqlite3_column_int(stmt, 1);
        REIN_TRY_OUT(status, rein_sql_text(stmt, 0, arena, &p->name, NULL), out);
        REIN_TRY_OUT(status, rein_sql_text(stmt, 2, arena, &p->weights_hash, NULL), out);
        REIN_TRY_OUT(status, read_cases(run, arena, e->id, p), out);
        REIN_TRY_OUT(status, read_values(run, arena, e->id, p), out);
    }
out:
    sqlite3_finalize(stmt);
    return status;
}

rein_status rein_read_evals(const rein_rundir *run, rein_arena *arena, rein_eval **out, int64_t *n) {
    sqlite3_stmt *stmt;
    bool more;
    int64_t room;
    *n = 0;
    REIN_TRY(rein_sql_int(run->db, &room, "SELECT count(*) FROM eval WHERE complete"));
    REIN_TRY(rein_arena_alloc(arena, out, sizeof **out * (size_t)(room + 1)));
    REIN_TRY(rein_sql_prepare(run->db, &stmt, "SELECT id, name, step, about FROM eval WHERE complete ORDER BY id", ""));
    rein_status status;
    while ((status = rein_sql_next(stmt, &more)) == REIN_OK && more && *n < room) {
        rein_eval *e = &(*out)[(*n)++];
        e->id = sqlite3_column_int64(stmt, 0);
        e->step = sqlite3_column_int64(stmt, 2);
        REIN_TRY_OUT(status, rein_sql_text(stmt, 1, arena, &e->name, NULL), out);
        REIN_TRY_OUT(status, rein_sql_text(stmt, 3, arena, &e->about, NULL), out);
        REIN_TRY_OUT(status, read_policies(run, arena, e), out);
    }
out:
    sqlite3_finalize(stmt);
    return status;
}
