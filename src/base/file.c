/* Files by POSIX calls; see file.h. Every failure names the path and the system's reason. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 65536, TREE_FDS = 16, MODE_FILE = 0666, MODE_DIR = 0777 };
static const size_t read_limit = (size_t)2 << 30;

static rein_status fail_errno(const char *verb, const char *path) {
    return rein_fail(REIN_ERR_IO, "cannot %s '%s': %s", verb, path, strerror(errno));
}

/* ---- whole files ---- */

rein_status rein_file_read(rein_str *out, const char *path) {
    char buffer[READ_BYTES];
    rein_status status = REIN_OK;
    rein_str_clear(out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno("open", path);
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = fail_errno("read", path);
        if (n <= 0) break;
        if (out->len + (size_t)n > read_limit) {
            status = rein_fail(REIN_ERR_IO, "'%s' is larger than 2 GiB, the most that is read at once", path);
            break;
        }
        rein_str_append(out, buffer, (size_t)n);
        REIN_TRY_OUT(status, rein_str_check(out), out);
    }
    rein_str_append(out, "", 0); /* an empty file is "", not NULL */
    if (status == REIN_OK) status = rein_str_check(out);
out:
    close(fd);
    return status;
}

/* All bytes or an errno; a short write is continued, so that the next one says why. */
static bool write_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO;
        if (n <= 0) return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* fsync of the folder that holds `path`: makes a new or renamed entry durable. */
static rein_status sync_parent(const char *path) {
    rein_arena arena = {0};
    rein_status status;
    char *dir;
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + (slash == path) : 1;
    REIN_TRY_OUT(status, rein_arena_strdup(&arena, &dir, slash ? path : ".", len), out);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        status = fail_errno("open folder", dir);
        goto out;
    }
    /* some file systems have nothing to sync in a folder and say EINVAL */
    if (fsync(fd) != 0 && errno != EINVAL) status = fail_errno("sync folder", dir);
    close(fd);
out:
    rein_arena_deinit(&arena);
    return status;
}

static rein_status write_synced(const char *path, const void *bytes, size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, MODE_FILE);
    if (fd < 0) return fail_errno("create", path);
    rein_status status = REIN_OK;
    if (!write_all(fd, bytes, len)) status = fail_errno("write", path);
    if (status == REIN_OK && fsync(fd) != 0) status = fail_errno("sync", path);
    if (close(fd) != 0 && status == REIN_OK) status = fail_errno("close", path);
    return status;
}

rein_status rein_file_write(const char *path, const void *bytes, size_t len) {
    rein_arena arena = {0};
    rein_status status;
    char *temporary;
    REIN_TRY_OUT(status, rein_path_format(&arena, &temporary, "%s.tmp-%ld", path, (long)getpid()), out);
    status = write_synced(temporary, bytes, len);
    if (status == REIN_OK && rename(temporary, path) != 0) status = fail_errno("replace", path);
    if (status != REIN_OK) {
        unlink(temporary);
        goto out;
    }
    REIN_TRY_OUT(status, sync_parent(path), out);
out:
    rein_arena_deinit(&arena);
    return status;
}

/* ---- folders ---- */

rein_status rein_mkdirs(const char *path) {
    rein_arena arena = {0};
    rein_status status;
    char *part;
    size_t len = strlen(path);
    REIN_TRY_OUT(status, rein_arena_strdup(&arena, &part, path, len), out);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        part[i] = '\0';
        if (mkdir(part, MODE_DIR) != 0 && !(errno == EEXIST && rein_path_is_dir(part))) {
            status = fail_errno("create folder", part);
            goto out;
        }
        part[i] = path[i];
    }
out:
    rein_arena_deinit(&arena);
    return status;
}

bool rein_path_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

bool rein_path_is_dir(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

rein_status rein_publish(const char *from, const char *to) {
    if (rename(from, to) != 0)
        return rein_fail(REIN_ERR_IO, "cannot rename '%s' to '%s': %s", from, to, strerror(errno));
    REIN_TRY(sync_parent(to));
    return REIN_OK;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path) == 0 || errno == ENOENT ? REIN_OK : (int)fail_errno("remove", path);
}

rein_status rein_remove_tree(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0) return errno == ENOENT ? REIN_OK : fail_errno("remove", path);
    int result = nftw(path, remove_entry, TREE_FDS, FTW_DEPTH | FTW_PHYS);
    if (result < 0) return fail_errno("remove", path);
    return (rein_status)result;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Appends the entries of `dir` to the growing *names (from rein_alloc). */
static rein_status collect_names(char ***names, int64_t *n, rein_arena *arena, DIR *dir, const char *path) {
    int64_t cap = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) return errno ? fail_errno("list", path) : REIN_OK;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (*n == cap) {
            REIN_TRY(rein_realloc(names, cap, cap ? 2 * cap : 16, sizeof **names));
            cap = cap ? 2 * cap : 16;
        }
        REIN_TRY(rein_arena_strdup(arena, &(*names)[*n], entry->d_name, strlen(entry->d_name)));
        ++*n;
    }
}

rein_status rein_list_dir(char ***names, int64_t *n, rein_arena *arena, const char *path) {
    rein_status status;
    char **found = NULL;
    *n = 0;
    DIR *dir = opendir(path);
    if (!dir) return fail_errno("list", path);
    REIN_TRY_OUT(status, collect_names(&found, n, arena, dir, path), out);
    REIN_TRY_OUT(status, rein_arena_alloc(arena, names, (size_t)(*n + 1) * sizeof **names), out);
    if (*n > 0) {
        qsort(found, (size_t)*n, sizeof *found, compare_names);
        memcpy(*names, found, (size_t)*n * sizeof *found);
    }
out:
    closedir(dir);
    rein_free(found);
    return status;
}

rein_status rein_path_format(rein_arena *arena, char **out, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    REIN_ASSERT(len >= 0);
    rein_status status = rein_arena_alloc(arena, out, (size_t)len + 1);
    if (status == REIN_OK) vsnprintf(*out, (size_t)len + 1, fmt, again);
    va_end(again);
    return status;
}

/* ---- memory map ---- */

rein_status rein_map_open(rein_map *out, const char *path) {
    rein_status status = REIN_OK;
    struct stat info;
    *out = (rein_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno("open", path);
    if (fstat(fd, &info) != 0) {
        status = fail_errno("stat", path);
    } else if (!S_ISREG(info.st_mode)) {
        status = rein_fail(REIN_ERR_IO, "cannot map '%s': not a regular file", path);
    } else if (info.st_size > 0) {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = fail_errno("map", path);
        else
            *out = (rein_map){.data = data, .len = (size_t)info.st_size};
    }
    close(fd);
    return status;
}

void rein_map_close(rein_map *map) {
    if (map->data) munmap((void *)(uintptr_t)map->data, map->len);
    *map = (rein_map){0};
}

/* ---- append-only text ---- */

/* Drop what lies behind `keep` bytes; a shorter file has lost lines that a checkpoint counts on. */
static rein_status keep_prefix(int fd, const char *path, int64_t keep) {
    struct stat info;
    if (fstat(fd, &info) != 0) return fail_errno("stat", path);
    if (info.st_size < keep)
        return rein_fail(REIN_ERR_IO, "'%s' has %lld bytes, but %lld were written before; restore the file", path,
                         (long long)info.st_size, (long long)keep);
    return ftruncate(fd, (off_t)keep) == 0 ? REIN_OK : fail_errno("truncate", path);
}

rein_status rein_appender_open(rein_appender *out, const char *path, int64_t keep_bytes) {
    *out = (rein_appender){.fd = -1, .path = path};
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, MODE_FILE);
    if (fd < 0) return fail_errno("open", path);
    rein_status status = keep_bytes >= 0 ? keep_prefix(fd, path, keep_bytes) : REIN_OK;
    if (status != REIN_OK) {
        close(fd);
        return status;
    }
    out->fd = fd;
    return REIN_OK;
}

rein_status rein_appender_write(rein_appender *a, const char *bytes, size_t len, bool sync) {
    off_t before = lseek(a->fd, 0, SEEK_END);
    if (before < 0) return fail_errno("seek in", a->path);
    if (!write_all(a->fd, bytes, len)) {
        rein_status status = fail_errno("append to", a->path);
        if (ftruncate(a->fd, before) != 0) rein_error_prefix(status, "a partial line remains (%s)", strerror(errno));
        return status;
    }
    if (sync && fsync(a->fd) != 0) return fail_errno("sync", a->path);
    return REIN_OK;
}

void rein_appender_close(rein_appender *a) {
    if (a->fd >= 0) close(a->fd);
    a->fd = -1;
}
