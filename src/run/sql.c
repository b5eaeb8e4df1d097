/* SQLite with rein's errors and typed binding: the store is only touched through these. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#if defined(__linux__)
#include <sys/vfs.h>
#endif

#include "run/internal.h"

enum { BUSY_MS = 10000 };

static rein_status sql_fail(sqlite3 *db, const char *what) {
    int code = sqlite3_extended_errcode(db);
    rein_status status = (code & 0xff) == SQLITE_CONSTRAINT ? REIN_ERR_ARG : REIN_ERR_IO;
    const char *name = sqlite3_db_filename(db, "main");
    return rein_fail(status, "run store '%s': %s (%s)", name ? name : "", sqlite3_errmsg(db), what);
}

/* WAL keeps its index in shared memory, which network file systems do not have. */
static bool is_network_fs(const char *path) {
#if defined(__linux__)
    static const long magic[] = {
        0x6969,     0x0BD00BD0, 0x47504653, 0x517B,     0xFF534D42, 0xFE534D42,
        0x00C36400, 0x19830326, 0x65735546, 0x01021997, 0x5346414F}; /* nfs lustre gpfs smb cifs smb2 ceph
                                                                          beegfs fuse 9p afs */
    struct statfs fs;
    if (statfs(path, &fs) != 0) return true;
    for (size_t i = 0; i < REIN_COUNT(magic); i++)
        if ((unsigned)fs.f_type == (unsigned)magic[i]) return true;
    return false;
#else
    (void)path;
    return true;
#endif
}

rein_status rein_sql_open(sqlite3 **out, const char *path, bool write) {
    int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    sqlite3 *db = NULL;
    rein_status status = REIN_OK;
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
        status =
            rein_fail(REIN_ERR_IO, "cannot open run store '%s': %s", path, db ? sqlite3_errmsg(db) : "out of memory");
        goto out;
    }
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    if (write) {
        const char *mode = is_network_fs(path) ? "PRAGMA journal_mode=DELETE" : "PRAGMA journal_mode=WAL";
        REIN_TRY_OUT(status, rein_sql_exec(db, mode), out);
        REIN_TRY_OUT(status, rein_sql_exec(db, "PRAGMA synchronous=NORMAL"), out);
    }
    *out = db;
    db = NULL;
out:
    sqlite3_close(db);
    return status;
}

void rein_sql_close(sqlite3 *db) {
    if (!db) return;
    /* A closed store is one plain file, readable from read-only places too. Fails harmlessly while readers are there.
     */
    if (!sqlite3_db_readonly(db, "main")) {
        sqlite3_busy_timeout(db, 0);
        sqlite3_exec(db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    }
    sqlite3_close(db);
}

rein_status rein_sql_exec(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? REIN_OK : sql_fail(db, sql);
}

static int bind_one(sqlite3_stmt *stmt, int at, char type, va_list *args) {
    if (type == 'i') return sqlite3_bind_int64(stmt, at, va_arg(*args, int64_t));
    if (type == 'd') return sqlite3_bind_double(stmt, at, va_arg(*args, double));
    const char *text = va_arg(*args, const char *);
    if (type == 's') return sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
    size_t len = va_arg(*args, size_t);
    return sqlite3_bind_text64(stmt, at, text ? text : "", len, SQLITE_STATIC, SQLITE_UTF8);
}

static rein_status prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql, const char *types, va_list *args) {
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) return sql_fail(db, sql);
    for (int i = 0; types[i]; i++)
        if (bind_one(stmt, i + 1, types[i], args) != SQLITE_OK) {
            rein_status status = sql_fail(db, sql);
            sqlite3_finalize(stmt);
            return status;
        }
    *out = stmt;
    return REIN_OK;
}

rein_status rein_sql_prepare(sqlite3 *db, sqlite3_stmt **out, const char *sql, const char *types, ...) {
    va_list args;
    va_start(args, types);
    rein_status status = prepare(db, out, sql, types, &args);
    va_end(args);
    return status;
}

rein_status rein_sql_run(sqlite3 *db, const char *sql, const char *types, ...) {
    va_list args;
    sqlite3_stmt *stmt;
    va_start(args, types);
    rein_status status = prepare(db, &stmt, sql, types, &args);
    va_end(args);
    if (status != REIN_OK) return status;
    bool more = true;
    while (status == REIN_OK && more) status = rein_sql_next(stmt, &more);
    sqlite3_finalize(stmt);
    return status;
}

rein_status rein_sql_next(sqlite3_stmt *stmt, bool *more) {
    int code = sqlite3_step(stmt);
    *more = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? REIN_OK : sql_fail(sqlite3_db_handle(stmt), sqlite3_sql(stmt));
}

rein_status rein_sql_int(sqlite3 *db, int64_t *out, const char *sql) {
    sqlite3_stmt *stmt;
    bool more;
    REIN_TRY(rein_sql_prepare(db, &stmt, sql, ""));
    rein_status status = rein_sql_next(stmt, &more);
    *out = status == REIN_OK && more ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return status;
}

rein_status rein_sql_text(sqlite3_stmt *stmt, int column, rein_arena *arena, const char **out, size_t *len) {
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    size_t bytes = (size_t)sqlite3_column_bytes(stmt, column);
    char *copy = NULL;
    if (text) REIN_TRY(rein_arena_strdup(arena, &copy, text, bytes));
    *out = copy;
    if (len) *len = text ? bytes : 0;
    return REIN_OK;
}

rein_status rein_sql_end(sqlite3 *db, rein_status status) {
    if (status == REIN_OK) status = rein_sql_exec(db, "COMMIT");
    if (status != REIN_OK) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}
