/*
 * Checkpoints: a folder that appears whole or not at all, with a manifest by which damage is found before it is used.
 *
 * publish: every file is synced, manifest.json is written, the logs are made durable, then one rename. A checkpoint
 * that is visible is therefore complete, and metrics.jsonl reaches at least to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "run/internal.h"

static const char format_name[] = "rein-checkpoint-1";

typedef struct file_entry {
    const char *name; /* relative, with / */
    int64_t size;
    char hash[REIN_XXH_HEX];
} file_entry;

typedef struct file_list {
    rein_arena arena;
    file_entry *file;  /* (n) */
    const char **todo; /* folders, relative, not yet listed; todo[next..n_todo) */
    int64_t n, n_todo, next;
} file_list;

static void list_deinit(file_list *l) {
    rein_free(l->file);
    rein_free(l->todo);
    rein_arena_deinit(&l->arena);
}

static rein_status add_name(file_list *l, const char *dir, const char *name) {
    char *path;
    REIN_TRY(rein_path_format(&l->arena, &path, "%s/%s", dir, name));
    if (rein_path_is_dir(path)) {
        REIN_TRY(rein_realloc(&l->todo, l->n_todo, l->n_todo + 1, sizeof *l->todo));
        l->todo[l->n_todo++] = name;
        return REIN_OK;
    }
    REIN_TRY(rein_realloc(&l->file, l->n, l->n + 1, sizeof *l->file));
    l->file[l->n++].name = name;
    return REIN_OK;
}

/* All files below dir but the top manifest.json, breadth first, each folder sorted. */
static rein_status list_files(file_list *l, const char *dir) {
    REIN_TRY(rein_realloc(&l->todo, 0, 1, sizeof *l->todo));
    l->todo[l->n_todo++] = "";
    while (l->next < l->n_todo) {
        const char *sub = l->todo[l->next++];
        char *path, **names, *name;
        int64_t n;
        REIN_TRY(rein_path_format(&l->arena, &path, "%s/%s", dir, sub));
        REIN_TRY(rein_list_dir(&names, &n, &l->arena, path));
        for (int64_t i = 0; i < n; i++) {
            if (!*sub && strcmp(names[i], "manifest.json") == 0) continue;
            REIN_TRY(rein_path_format(&l->arena, &name, "%s%s%s", sub, *sub ? "/" : "", names[i]));
            REIN_TRY(add_name(l, dir, name));
        }
    }
    return REIN_OK;
}

static rein_status hash_file(file_list *l, const char *dir, const char *name, int64_t *size, char hash[REIN_XXH_HEX]) {
    char *path;
    rein_map map;
    REIN_TRY(rein_path_format(&l->arena, &path, "%s/%s", dir, name));
    REIN_TRY(rein_map_open(&map, path));
    *size = (int64_t)map.len;
    rein_xxh3_hex(hash, map.data, map.len);
    rein_map_close(&map);
    return REIN_OK;
}

static rein_status sync_path(const char *path, int flags) {
    int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
    if (fd < 0) return rein_fail(REIN_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    int failed = fsync(fd);
    close(fd);
    return failed ? rein_fail(REIN_ERR_IO, "cannot sync '%s': %s", path, strerror(errno)) : REIN_OK;
}

static rein_status sync_files(file_list *l, const char *dir) {
    char *path;
    for (int64_t i = 0; i < l->n; i++) {
        REIN_TRY(rein_path_format(&l->arena, &path, "%s/%s", dir, l->file[i].name));
        REIN_TRY(sync_path(path, 0));
    }
    for (int64_t i = l->n_todo; i-- > 0;) {
        REIN_TRY(rein_path_format(&l->arena, &path, "%s/%s", dir, l->todo[i]));
        REIN_TRY(sync_path(path, O_DIRECTORY));
    }
    return REIN_OK;
}

static rein_status write_manifest(file_list *l, const char *dir, int64_t step, char hash[REIN_XXH_HEX],
                                  int64_t *bytes) {
    rein_str s = {0};
    char *path;
    rein_status status;
    *bytes = 0;
    rein_str_printf(&s, "{\"format\":\"%s\",\"step\":%lld,\"files\":[", format_name, (long long)step);
    for (int64_t i = 0; i < l->n; i++) {
        file_entry *f = &l->file[i];
        REIN_TRY_OUT(status, hash_file(l, dir, f->name, &f->size, f->hash), out);
        rein_str_puts(&s, i ? ",\n{\"name\":" : "\n{\"name\":");
        rein_json_put_string(&s, f->name, strlen(f->name));
        rein_str_printf(&s, ",\"size\":%lld,\"xxh3\":\"%s\"}", (long long)f->size, f->hash);
        *bytes += f->size;
    }
    rein_str_puts(&s, "\n]}\n");
    REIN_TRY_OUT(status, rein_str_check(&s), out);
    rein_xxh3_hex(hash, s.data, s.len);
    REIN_TRY_OUT(status, rein_path_format(&l->arena, &path, "%s/manifest.json", dir), out);
    REIN_TRY_OUT(status, rein_file_write(path, s.data, s.len), out);
out:
    rein_str_deinit(&s);
    return status;
}

/* The row is committed with a full sync, which carries all earlier rows to the disk. */
static rein_status sync_logs(rein_rundir *run, int64_t step, int64_t files, int64_t bytes, const char *hash) {
    REIN_TRY(sync_path(run->metrics.path, 0));
    REIN_TRY(sync_path(run->timing.path, 0));
    REIN_TRY(rein_sql_exec(run->db, "PRAGMA synchronous=FULL"));
    REIN_TRY(
        rein_sql_run(run->db, "INSERT OR REPLACE INTO checkpoint VALUES(?,?,?,?)", "iiis", step, files, bytes, hash));
    return rein_sql_exec(run->db, "PRAGMA synchronous=NORMAL");
}

rein_status rein_checkpoint_path(const rein_rundir *run, rein_arena *arena, int64_t step, char **out) {
    return rein_path_format(arena, out, "%s/checkpoint-%lld", run->path, (long long)step);
}

rein_status rein_checkpoint_begin(rein_rundir *run, int64_t step, const char **tmp_dir) {
    char *path;
    REIN_TRY(rein_run_writable(run));
    REIN_TRY(rein_checkpoint_path(run, &run->arena, step, &path));
    if (rein_path_exists(path))
        return rein_fail(REIN_ERR_USAGE, "'%s' exists; checkpoints are never overwritten", path);
    REIN_TRY(rein_path_format(&run->arena, &run->checkpoint_tmp, "%s.tmp-%ld", path, (long)getpid()));
    REIN_TRY(rein_remove_tree(run->checkpoint_tmp));
    REIN_TRY(rein_mkdirs(run->checkpoint_tmp));
    run->checkpoint_step = step;
    *tmp_dir = run->checkpoint_tmp;
    return REIN_OK;
}

rein_status rein_checkpoint_publish(rein_rundir *run, int64_t step) {
    file_list list = {0};
    char *path, hash[REIN_XXH_HEX];
    int64_t bytes;
    rein_status status;
    const char *tmp = run->checkpoint_tmp;
    if (!tmp || run->checkpoint_step != step)
        return rein_fail(REIN_ERR_ARG, "checkpoint-%lld was not begun", (long long)step);
    REIN_TRY_OUT(status, rein_checkpoint_path(run, &list.arena, step, &path), out);
    REIN_TRY_OUT(status, list_files(&list, tmp), out);
    REIN_TRY_OUT(status, write_manifest(&list, tmp, step, hash, &bytes), out);
    REIN_TRY_OUT(status, sync_files(&list, tmp), out);
    REIN_TRY_OUT(status, sync_logs(run, step, list.n, bytes, hash), out);
    REIN_TRY_OUT(status, rein_publish(tmp, path), out);
    run->checkpoint_tmp = NULL;
out:
    list_deinit(&list);
    return status;
}

/* ---- verify ---- */

static rein_status verify_entry(file_list *l, const char *dir, struct json_object *entry, bool *listed) {
    const char *name, *want;
    int64_t want_size, size;
    char hash[REIN_XXH_HEX];
    REIN_TRY(rein_json_string(&name, NULL, entry, "name"));
    REIN_TRY(rein_json_string(&want, NULL, entry, "xxh3"));
    REIN_TRY(rein_json_int(&want_size, entry, "size"));
    int64_t at = 0;
    while (at < l->n && strcmp(l->file[at].name, name) != 0) at++;
    if (at == l->n) return rein_fail(REIN_ERR_MISMATCH, "checkpoint '%s': file '%s' is missing", dir, name);
    listed[at] = true;
    REIN_TRY(hash_file(l, dir, name, &size, hash));
    if (size != want_size)
        return rein_fail(REIN_ERR_MISMATCH, "checkpoint '%s': file '%s' has %lld bytes, its manifest says %lld", dir,
                         name, (long long)size, (long long)want_size);
    if (strcmp(hash, want) != 0)
        return rein_fail(REIN_ERR_MISMATCH, "checkpoint '%s': file '%s' has hash %s, its manifest says %s", dir, name,
                         hash, want);
    return REIN_OK;
}

static rein_status verify_entries(file_list *l, const char *dir, struct json_object *files) {
    bool *listed;
    size_t n = json_object_array_length(files);
    REIN_TRY(rein_arena_alloc(&l->arena, &listed, (size_t)l->n + 1));
    for (size_t i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(files, i);
        if (!json_object_is_type(entry, json_type_object))
            return rein_fail(REIN_ERR_FORMAT, "checkpoint '%s': entry %zu of its manifest is no object", dir, i);
        REIN_TRY(verify_entry(l, dir, entry, listed));
    }
    for (int64_t i = 0; i < l->n; i++)
        if (!listed[i])
            return rein_fail(REIN_ERR_MISMATCH, "checkpoint '%s': file '%s' is not in its manifest", dir,
                             l->file[i].name);
    return REIN_OK;
}

rein_status rein_checkpoint_verify(const char *dir, int64_t *step) {
    file_list list = {0};
    struct json_object *doc = NULL, *files;
    const char *format;
    char *path;
    int64_t found;
    rein_status status;
    REIN_TRY_OUT(status, rein_path_format(&list.arena, &path, "%s/manifest.json", dir), out);
    if (!rein_path_exists(path)) {
        status = rein_fail(REIN_ERR_FORMAT, "'%s' is no checkpoint: it has no manifest.json", dir);
        goto out;
    }
    REIN_TRY_OUT(status, rein_json_load(&doc, path), out);
    REIN_TRY_OUT(status, rein_json_string(&format, NULL, doc, "format"), out);
    REIN_TRY_OUT(status, rein_json_int(&found, doc, "step"), out);
    REIN_TRY_OUT(status, rein_json_array(&files, doc, "files"), out);
    if (strcmp(format, format_name) != 0) {
        status = rein_fail(REIN_ERR_FORMAT, "'%s' has format '%s', expected '%s'", path, format, format_name);
        goto out;
    }
    REIN_TRY_OUT(status, list_files(&list, dir), out);
    REIN_TRY_OUT(status, verify_entries(&list, dir, files), out);
    if (step) *step = found;
out:
    json_object_put(doc);
    list_deinit(&list);
    return status;
}

/* ---- which there are ---- */

static int compare_steps(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

rein_status rein_checkpoint_list(const rein_rundir *run, rein_arena *arena, int64_t **steps, int64_t *n) {
    static const char prefix[] = "checkpoint-";
    char **names;
    int64_t n_name, count = 0;
    REIN_TRY(rein_list_dir(&names, &n_name, arena, run->path));
    REIN_TRY(rein_arena_alloc(arena, steps, sizeof **steps * (size_t)(n_name + 1)));
    for (int64_t i = 0; i < n_name; i++) {
        const char *digits = names[i] + sizeof prefix - 1;
        if (strncmp(names[i], prefix, sizeof prefix - 1) != 0 || !*digits || digits[strspn(digits, "0123456789")])
            continue;
        (*steps)[count++] = strtoll(digits, NULL, 10);
    }
    qsort(*steps, (size_t)count, sizeof **steps, compare_steps);
    *n = count;
    return REIN_OK;
}

rein_status rein_checkpoint_latest(const rein_rundir *run, int64_t *step) {
    rein_arena arena = {0};
    int64_t *steps, n;
    rein_status status = rein_checkpoint_list(run, &arena, &steps, &n);
    if (status == REIN_OK) *step = n > 0 ? steps[n - 1] : -1;
    rein_arena_deinit(&arena);
    return status;
}

static rein_status prune_one(rein_rundir *run, rein_arena *arena, int64_t step, int64_t newest) {
    char *path, *gone, text[96];
    snprintf(text, sizeof text, "checkpoint-%lld removed by save_total_limit", (long long)step);
    REIN_TRY(rein_rundir_event(run, newest, "prune", text));
    REIN_TRY(rein_checkpoint_path(run, arena, step, &path));
    REIN_TRY(rein_path_format(arena, &gone, "%s.tmp-pruned", path)); /* half a checkpoint must never bear its name */
    REIN_TRY(rein_publish(path, gone));
    return rein_remove_tree(gone);
}

rein_status rein_checkpoint_prune(rein_rundir *run, int64_t limit, int64_t best) {
    rein_arena arena = {0};
    int64_t *steps, n;
    REIN_TRY(rein_run_writable(run));
    if (limit < 1) return rein_fail(REIN_ERR_ARG, "save_total_limit is %lld, at least 1 is needed", (long long)limit);
    rein_status status = rein_checkpoint_list(run, &arena, &steps, &n);
    for (int64_t i = 0; status == REIN_OK && i + limit < n; i++)
        if (steps[i] != best) status = prune_one(run, &arena, steps[i], steps[n - 1]);
    rein_arena_deinit(&arena);
    return status;
}
