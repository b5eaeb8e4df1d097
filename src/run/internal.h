/* What the files of run/ share: the handle, and SQLite with rein's errors. Not seen outside run/. */
#ifndef REIN_RUN_INTERNAL_H
#define REIN_RUN_INTERNAL_H

#include <sqlite3.h>

#include "base/file.h"
#include "run/run.h"

struct rein_rundir {
    rein_arena arena; /* paths */
    char *path, *kind;
    sqlite3 *db;
    bool write;
    int lock_fd;                            /* held while writing; -1 otherwise */
    rein_appender metrics, timing, commits; /* open while writing; fd -1 otherwise */
    char *checkpoint_tmp;                   /* between rein_checkpoint_begin and publish */
    int64_t checkpoint_step;
};

/** "RUN/..." in run->arena. */
rein_status rein_run_path(rein_rundir *run, char **out, const char *name);
/** REIN_ERR_ARG unless the run was opened for writing. */
rein_status rein_run_writable(const rein_rundir *run);

/* ---- SQL ---- */

rein_status rein_sql_open(sqlite3 **out, const char *path, bool write);
void rein_sql_close(sqlite3 *db);
rein_status rein_sql_exec(sqlite3 *db, const char *sql);

/** Prepare and bind. `types` has one letter a parameter: i int64_t, d double (NaN becomes NULL), s const char * (NULL
 *  becomes NULL), b const char * and size_t. The caller finalises. Texts must outlive the statement. */
rein_status rein_sql_prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql, const char *types, ...);
/** Prepare, bind, run to the end, finalise: for statements without rows. */
rein_status rein_sql_run(sqlite3 *db, const char *sql, const char *types, ...);
/** Next row: *more is false at the end. */
rein_status rein_sql_next(sqlite3_stmt *stmt, bool *more);
/** One integer of the first row of a query without parameters (0 if NULL). */
rein_status rein_sql_int(sqlite3 *db, int64_t *out, const char *sql);
/** Text of a column in `arena`; *out is NULL for NULL. `len` may be NULL. */
rein_status rein_sql_text(sqlite3_stmt *stmt, int column, rein_arena *arena, const char **out, size_t *len);
/** End a transaction: COMMIT if status is REIN_OK, else ROLLBACK; returns the first error. */
rein_status rein_sql_end(sqlite3 *db, rein_status status);

/* ---- JSON lines ---- */

/** Bytes of the prefix of a JSONL file whose lines are whole and whose "step" is at most `last`. */
rein_status rein_jsonl_prefix(const char *path, int64_t last, int64_t *bytes);
/** ,"name":value ... */
void rein_jsonl_named(rein_str *s, const rein_named *m, int64_t n);

#endif
