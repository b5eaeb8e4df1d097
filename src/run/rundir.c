/* Life of a run directory: created whole or not at all, one writer at a time, facts about what it is. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "run/internal.h"

static const char schema[] =
    "CREATE TABLE fact(key TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE machine(key TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE metric(step INTEGER NOT NULL, name TEXT NOT NULL, ord INTEGER NOT NULL, value REAL,"
    " PRIMARY KEY(step, name)) WITHOUT ROWID;"
    "CREATE INDEX metric_name ON metric(name, step);"
    "CREATE TABLE timing(step INTEGER NOT NULL, phase TEXT NOT NULL, seconds REAL, PRIMARY KEY(step, phase))"
    " WITHOUT ROWID;"
    "CREATE TABLE event(id INTEGER PRIMARY KEY, step INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE checkpoint(step INTEGER PRIMARY KEY, files INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " manifest_xxh3 TEXT NOT NULL);"
    "CREATE TABLE completion(step INTEGER, prompt INTEGER, sample INTEGER, prompt_text TEXT, text TEXT, reward REAL,"
    " advantage REAL, finish TEXT, episode TEXT, PRIMARY KEY(step, prompt, sample)) WITHOUT ROWID;"
    "CREATE TABLE completion_part(step INTEGER, prompt INTEGER, sample INTEGER, ord INTEGER, name TEXT, value REAL,"
    " PRIMARY KEY(step, prompt, sample, ord)) WITHOUT ROWID;"
    "CREATE TABLE eval(id INTEGER PRIMARY KEY, name TEXT NOT NULL, step INTEGER NOT NULL, about TEXT NOT NULL,"
    " complete INTEGER NOT NULL, UNIQUE(name, step));"
    "CREATE TABLE eval_policy(eval INTEGER, policy TEXT, ord INTEGER, role INTEGER, weights TEXT,"
    " PRIMARY KEY(eval, policy)) WITHOUT ROWID;"
    "CREATE TABLE eval_case(eval INTEGER, policy TEXT, idx INTEGER, sample INTEGER, key TEXT NOT NULL,"
    " reward REAL NOT NULL, success INTEGER NOT NULL, format_ok INTEGER NOT NULL, text TEXT, details TEXT,"
    " PRIMARY KEY(eval, policy, idx, sample)) WITHOUT ROWID;"
    "CREATE TABLE eval_value(eval INTEGER, policy TEXT, idx INTEGER, sample INTEGER, is_metric INTEGER, ord INTEGER,"
    " name TEXT NOT NULL, value REAL, PRIMARY KEY(eval, policy, idx, sample, is_metric, ord)) WITHOUT ROWID;"
    "PRAGMA user_version=1;";

rein_status rein_run_path(rein_rundir *run, char **out, const char *name) {
    return rein_path_format(&run->arena, out, "%s/%s", run->path, name);
}

rein_status rein_run_writable(const rein_rundir *run) {
    return run->write ? REIN_OK : rein_fail(REIN_ERR_ARG, "run '%s' is open for reading only", run->path);
}

const char *rein_rundir_path(const rein_rundir *run) { return run->path; }
const char *rein_rundir_kind(const rein_rundir *run) { return run->kind; }

/* ---- create ---- */

static rein_status fill_store(const char *path, const char *kind, const char *config_hash) {
    sqlite3 *db;
    char now[32];
    snprintf(now, sizeof now, "%lld", (long long)time(NULL));
    REIN_TRY(rein_sql_open(&db, path, true));
    rein_status status = rein_sql_exec(db, schema);
    const char *fact = "INSERT INTO fact VALUES(?,?)";
    if (status == REIN_OK) status = rein_sql_run(db, fact, "ss", "kind", kind);
    if (status == REIN_OK) status = rein_sql_run(db, fact, "ss", "config.sha256", config_hash);
    if (status == REIN_OK) status = rein_sql_run(db, "INSERT INTO machine VALUES(?,?)", "ss", "created_unix", now);
    rein_sql_close(db);
    return status;
}

static rein_status fill_folder(rein_arena *arena, const char *dir, const char *kind, const char *config) {
    static const char *const folders[] = {"journal", "completions"};
    char *path, hash[REIN_SHA256_HEX];
    for (size_t i = 0; i < REIN_COUNT(folders); i++) {
        REIN_TRY(rein_path_format(arena, &path, "%s/%s", dir, folders[i]));
        REIN_TRY(rein_mkdirs(path));
    }
    REIN_TRY(rein_path_format(arena, &path, "%s/config.yaml", dir));
    REIN_TRY(rein_file_write(path, config, strlen(config)));
    REIN_TRY(rein_sha256_hex(hash, config, strlen(config)));
    REIN_TRY(rein_path_format(arena, &path, "%s/run.db", dir));
    return fill_store(path, kind, hash);
}

/* "a/b" without trailing slashes, so that a temporary beside it is in the same folder. */
static size_t trimmed(const char *path) {
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') len--;
    return len;
}

static rein_status refuse_used(rein_arena *arena, const char *path) {
    char **names;
    int64_t n = 0;
    if (!rein_path_exists(path)) return REIN_OK;
    if (rein_path_is_dir(path)) REIN_TRY(rein_list_dir(&names, &n, arena, path));
    if (n > 0 || !rein_path_is_dir(path))
        return rein_fail(REIN_ERR_USAGE,
                         "'%s' exists and is not empty; a run is never overwritten: resume it or choose "
                         "another output_dir",
                         path);
    return REIN_OK;
}

rein_status rein_rundir_create(rein_rundir **out, const char *path, const char *kind, const char *config_yaml) {
    rein_arena arena = {0};
    char *dir, *tmp = NULL;
    rein_status status;
    REIN_TRY_OUT(status, rein_arena_strdup(&arena, &dir, path, trimmed(path)), out);
    REIN_TRY_OUT(status, refuse_used(&arena, dir), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &tmp, "%s.tmp-%ld", dir, (long)getpid()), out);
    REIN_TRY_OUT(status, rein_remove_tree(tmp), out);
    REIN_TRY_OUT(status, rein_mkdirs(tmp), out);
    REIN_TRY_OUT(status, fill_folder(&arena, tmp, kind, config_yaml), out);
    REIN_TRY_OUT(status, rein_publish(tmp, dir), out);
    REIN_TRY_OUT(status, rein_rundir_open(out, dir, true), out);
out:
    if (status != REIN_OK && tmp) {
        rein_status ignored = rein_remove_tree(tmp); /* the first error is the one to report */
        (void)ignored;
    }
    rein_arena_deinit(&arena);
    return status;
}

/* ---- open ---- */

bool rein_rundir_exists(const char *path) {
    char name[4096];
    if (snprintf(name, sizeof name, "%s/run.db", path) >= (int)sizeof name || !rein_path_exists(name)) return false;
    snprintf(name, sizeof name, "%s/config.yaml", path);
    return rein_path_exists(name);
}

static rein_status take_lock(rein_rundir *run) {
    char *path;
    REIN_TRY(rein_run_path(run, &path, "run.lock"));
    run->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (run->lock_fd < 0) return rein_fail(REIN_ERR_IO, "cannot open '%s'", path);
    if (flock(run->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return rein_fail(REIN_ERR_IO, "another process is writing run '%s'", run->path);
    return REIN_OK;
}

static rein_status open_log(rein_rundir *run, rein_appender *a, const char *name) {
    char *path;
    int64_t whole = 0;
    REIN_TRY(rein_run_path(run, &path, name));
    if (rein_path_exists(path)) REIN_TRY(rein_jsonl_prefix(path, INT64_MAX, &whole));
    return rein_appender_open(a, path, whole);
}

static rein_status check_config(rein_rundir *run) {
    char *path, hash[REIN_SHA256_HEX];
    const char *recorded;
    REIN_TRY(rein_run_path(run, &path, "config.yaml"));
    REIN_TRY(rein_sha256_file(hash, path));
    REIN_TRY(rein_read_note(run, &run->arena, "config.sha256", &recorded));
    if (!recorded || strcmp(recorded, hash) != 0)
        return rein_fail(REIN_ERR_MISMATCH, "'%s' has hash %s, the run recorded %s; restore the file", path, hash,
                         recorded ? recorded : "none");
    return REIN_OK;
}

static rein_status open_all(rein_rundir *run, bool write) {
    char *path;
    const char *kind;
    if (write) REIN_TRY(take_lock(run));
    REIN_TRY(rein_run_path(run, &path, "run.db"));
    REIN_TRY(rein_sql_open(&run->db, path, write));
    REIN_TRY(check_config(run));
    REIN_TRY(rein_read_note(run, &run->arena, "kind", &kind));
    if (!kind) return rein_fail(REIN_ERR_FORMAT, "run store '%s' has no fact 'kind'", path);
    REIN_TRY(rein_arena_strdup(&run->arena, &run->kind, kind, strlen(kind)));
    if (!write) return REIN_OK;
    run->write = true;
    REIN_TRY(open_log(run, &run->metrics, "metrics.jsonl"));
    REIN_TRY(open_log(run, &run->timing, "timing.jsonl"));
    return open_log(run, &run->commits, "commits.jsonl");
}

rein_status rein_rundir_open(rein_rundir **out, const char *path, bool write) {
    rein_rundir *run;
    if (!rein_rundir_exists(path))
        return rein_fail(REIN_ERR_USAGE, "'%s' is not a run: no config.yaml and run.db in it", path);
    REIN_TRY(rein_alloc(&run, 1, sizeof *run));
    run->lock_fd = run->metrics.fd = run->timing.fd = run->commits.fd = -1;
    rein_status status = rein_arena_strdup(&run->arena, &run->path, path, trimmed(path));
    if (status == REIN_OK) status = open_all(run, write);
    if (status != REIN_OK) {
        rein_rundir_close(run);
        return status;
    }
    *out = run;
    return REIN_OK;
}

void rein_rundir_close(rein_rundir *run) {
    if (!run) return;
    rein_appender *log[] = {&run->metrics, &run->timing, &run->commits};
    for (size_t i = 0; i < REIN_COUNT(log); i++)
        if (log[i]->fd >= 0) rein_appender_close(log[i]);
    rein_sql_close(run->db);
    if (run->lock_fd >= 0) close(run->lock_fd);
    rein_arena_deinit(&run->arena);
    rein_free(run);
}

/* ---- facts ---- */

rein_status rein_rundir_note(rein_rundir *run, const char *key, const char *value) {
    rein_arena arena = {0};
    const char *old;
    REIN_TRY(rein_run_writable(run));
    rein_status status = rein_read_note(run, &arena, key, &old);
    if (status == REIN_OK && old && strcmp(old, value) != 0)
        status =
            rein_fail(REIN_ERR_MISMATCH, "run '%s' recorded %s = '%s', now it is '%s'", run->path, key, old, value);
    else if (status == REIN_OK && !old)
        status = rein_sql_run(run->db, "INSERT INTO fact VALUES(?,?)", "ss", key, value);
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_rundir_machine(rein_rundir *run, const char *key, const char *value) {
    REIN_TRY(rein_run_writable(run));
    return rein_sql_run(run->db, "INSERT OR REPLACE INTO machine VALUES(?,?)", "ss", key, value);
}

/* "model name : X" of the first processor; "unknown" where there is no such file or line. */
static void cpu_model(char *out, size_t size) {
    char line[512];
    snprintf(out, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    if (!f) return;
    while (fgets(line, sizeof line, f)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value) continue;
        value += strspn(value, ": \t");
        value[strcspn(value, "\n")] = '\0';
        snprintf(out, size, "%s", value);
        break;
    }
    fclose(f);
}

rein_status rein_rundir_environment(rein_rundir *run, const char *isa, int threads) {
    char model[512], count[32], rss[32];
    cpu_model(model, sizeof model);
    snprintf(count, sizeof count, "%d", threads);
    snprintf(rss, sizeof rss, "%lld", (long long)rein_peak_rss());
    const rein_pair fact[] = {
        {"cpu.model", model}, {"isa", isa}, {"threads", count}, {"compiler", __VERSION__}, {"peak_rss_bytes", rss}};
    for (size_t i = 0; i < REIN_COUNT(fact); i++) REIN_TRY(rein_rundir_machine(run, fact[i].key, fact[i].value));
    return REIN_OK;
}
