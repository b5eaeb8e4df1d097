/* Evaluations in the store: several policies on the same cases, with everything that a comparison or a figure reads. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run/internal.h"

static rein_status drop_eval(sqlite3 *db, int64_t eval) {
    static const char *const drop[] = {"DELETE FROM eval_value WHERE eval = ?", "DELETE FROM eval_case WHERE eval = ?",
                                       "DELETE FROM eval_policy WHERE eval = ?", "DELETE FROM eval WHERE id = ?"};
    for (size_t i = 0; i < REIN_COUNT(drop); i++) REIN_TRY(rein_sql_run(db, drop[i], "i", eval));
    return REIN_OK;
}

static rein_status find_eval(sqlite3 *db, const char *name, int64_t step, int64_t *id, bool *complete) {
    sqlite3_stmt *stmt;
    bool more;
    *id = -1;
    REIN_TRY(
        rein_sql_prepare(db, &stmt, "SELECT id, complete FROM eval WHERE name = ? AND step = ?", "si", name, step));
    rein_status status = rein_sql_next(stmt, &more);
    if (status == REIN_OK && more) {
        *id = sqlite3_column_int64(stmt, 0);
        *complete = sqlite3_column_int(stmt, 1) != 0;
    }
    sqlite3_finalize(stmt);
    return status;
}

rein_status rein_rundir_eval_begin(rein_rundir *run, const char *name, int64_t step, const char *about, int64_t *eval) {
    int64_t old;
    bool complete = false;
    REIN_TRY(rein_run_writable(run));
    REIN_TRY(find_eval(run->db, name, step, &old, &complete));
    if (complete)
        return rein_fail(REIN_ERR_USAGE,
                         "run '%s' has evaluation '%s' of step %lld already; give the new one another name", run->path,
                         name, (long long)step);
    REIN_TRY(rein_sql_exec(run->db, "BEGIN"));
    rein_status status = old >= 0 ? drop_eval(run->db, old) : REIN_OK;
    if (status == REIN_OK)
        status = rein_sql_run(run->db, "INSERT INTO eval(name, step, about, complete) VALUES(?,?,?,0)", "sis", name,
                              step, about);
    if (status == REIN_OK) *eval = sqlite3_last_insert_rowid(run->db);
    return rein_sql_end(run->db, status);
}

static rein_status refuse_same_weights(rein_rundir *run, int64_t eval, const char *policy, const char *hash) {
    sqlite3_stmt *stmt;
    bool more;
    REIN_TRY(rein_sql_prepare(run->db, &stmt, "SELECT policy FROM eval_policy WHERE eval = ? AND weights = ?", "is",
                              eval, hash));
    rein_status status = rein_sql_next(stmt, &more);
    if (status == REIN_OK && more)
        status =
            rein_fail(REIN_ERR_MISMATCH, "same model: policies '%s' and '%s' both have weights %s; nothing to compare",
                      (const char *)sqlite3_column_text(stmt, 0), policy, hash);
    sqlite3_finalize(stmt);
    return status;
}

rein_status rein_rundir_eval_policy(rein_rundir *run, int64_t eval, const char *policy, rein_role role,
                                    const char *weights_hash) {
    REIN_TRY(rein_run_writable(run));
    if (weights_hash) REIN_TRY(refuse_same_weights(run, eval, policy, weights_hash));
    return rein_sql_run(
        run->db, "INSERT INTO eval_policy VALUES(?1,?2,(SELECT count(*) FROM eval_policy WHERE eval = ?1),?3,?4)",
        "isis", eval, policy, (int64_t)role, weights_hash);
}

static rein_status insert_values(rein_rundir *run, int64_t eval, const rein_eval_case *c, bool is_metric) {
    const rein_named *value = is_metric ? c->metric : c->part;
    int64_t n = is_metric ? c->n_metric : c->n_part;
    for (int64_t i = 0; i < n; i++) {
        double x = isfinite(value[i].value) ? value[i].value : (double)NAN;
        REIN_TRY(rein_sql_run(run->db, "INSERT INTO eval_value VALUES(?,?,?,?,?,?,?,?)", "isiiiisd", eval, c->policy,
                              c->index, c->sample, (int64_t)is_metric, i, value[i].name, x));
    }
    return REIN_OK;
}

static rein_status insert_case(rein_rundir *run, int64_t eval, const rein_eval_case *c) {
    char key[17];
    snprintf(key, sizeof key, "%016" PRIx64, c->key);
    REIN_TRY(rein_sql_run(run->db, "INSERT INTO eval_case VALUES(?,?,?,?,?,?,?,?,?,?)", "isiisdiibb", eval, c->policy,
                          c->index, c->sample, key, c->reward, (int64_t)c->success, (int64_t)c->format_ok, c->text,
                          c->text_len, c->details, c->details_len));
    REIN_TRY(insert_values(run, eval, c, false));
    return insert_values(run, eval, c, true);
}

rein_status rein_rundir_eval_case(rein_rundir *run, int64_t eval, const rein_eval_case *c) {
    REIN_TRY(rein_run_writable(run));
    if (!isfinite(c->reward))
        return rein_fail(REIN_ERR_NUMERIC, "policy '%s', case %lld: the reward is not finite", c->policy,
                         (long long)c->index);
    REIN_TRY(rein_sql_exec(run->db, "BEGIN"));
    return rein_sql_end(run->db, insert_case(run, eval, c));
}

rein_status rein_rundir_eval_end(rein_rundir *run, int64_t eval) {
    REIN_TRY(rein_run_writable(run));
    return rein_sql_run(run->db, "UPDATE eval SET complete = 1 WHERE id = ?", "i", eval);
}
