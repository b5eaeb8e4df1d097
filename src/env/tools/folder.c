/* Paths that stay inside; see folder.h. */
#include "env/tools/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static rein_status broken(const char *what, const char *path) {
    return rein_fail(REIN_ERR_IO, "cannot %s '%s': %s", what, path, strerror(errno));
}

/* What errno means to the model; NULL: the world's trouble, not its own. */
static const char *reason(int error) {
    switch (error) {
    case ENOENT:
        return "no such file or folder";
    case ENOTDIR:
        return "not a folder";
    case EISDIR:
        return "it is a folder";
    case ELOOP:
        return "links are not followed";
    case EEXIST:
        return "it exists already";
    case ENOTEMPTY:
        return "the folder is not empty";
    case EINVAL:
        return "not possible";
    case ENAMETOOLONG:
        return "the name is too long";
    case EACCES:
    case EPERM:
    case ENXIO:
        return "not permitted";
    default:
        return NULL;
    }
}

/* An errno as the model's trouble or the world's. */
static rein_status explain(const char *what, const char *path, const char **why) {
    *why = reason(errno);
    return *why ? REIN_OK : broken(what, path);
}

/* ---- walking ---- */

/* The next component of *path without slashes and ".", copied to name; false: there is none. */
static bool next_name(char name[REIN_FOLDER_PATH], const char **path) {
    for (;;) {
        *path += strspn(*path, "/");
        size_t n = strcspn(*path, "/");
        if (n == 0) return false;
        memcpy(name, *path, n);
        name[n] = '\0';
        *path += n;
        if (strcmp(name, ".") != 0) return true;
    }
}

static const char *relative(const char *path) {
    return strncmp(path, "/slot", 5) == 0 && (path[5] == '/' || path[5] == '\0') ? path + 5 : path;
}

static const char *check_path(const char *path) {
    if (strlen(path) >= REIN_FOLDER_PATH) return "the path is too long";
    if (path[0] == '/' && relative(path) == path) return "paths are relative to the working folder";
    return NULL;
}

/* A component as a folder; *dir is replaced and the old one closed if it is not `keep`. */
static rein_status enter(int *dir, int keep, const char *name, bool make, const char **why) {
    if (make && mkdirat(*dir, name, 0777) < 0 && errno != EEXIST) return explain("make", name, why);
    int next = openat(*dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) return explain("open", name, why);
    if (*dir != keep) close(*dir);
    *dir = next;
    return REIN_OK;
}

/* The folder that holds the last component, which goes to `name` ("." for the root). Close *out if it is not `dir`. */
static rein_status walk(int *out, char name[REIN_FOLDER_PATH], int dir, const char *path, bool make, const char **why) {
    char next[REIN_FOLDER_PATH];
    const char *rest = relative(path);
    rein_status status = REIN_OK;
    int depth = 0;
    *out = dir;
    strcpy(name, ".");
    *why = check_path(path);
    if (*why || !next_name(name, &rest)) return REIN_OK;
    for (;;) {
        if (strcmp(name, "..") == 0) *why = "paths must not contain ..";
        if (++depth > REIN_FOLDER_DEPTH) *why = "too many folders in one another";
        if (*why || !next_name(next, &rest)) break;
        status = enter(out, dir, name, make, why);
        if (status != REIN_OK || *why) break;
        strcpy(name, next);
    }
    if (status == REIN_OK && !*why) return REIN_OK;
    if (*out != dir) close(*out);
    *out = dir;
    return status;
}

/* A regular file; *fd is -1 where *why is set. */
static rein_status open_file(int *fd, int dir, const char *path, int flags, const char **why) {
    char name[REIN_FOLDER_PATH];
    struct stat info;
    int parent;
    *fd = -1;
    REIN_TRY(walk(&parent, name, dir, path, flags & O_CREAT, why));
    if (*why) return REIN_OK;
    *fd = openat(parent, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    rein_status status = *fd < 0 ? explain("open", path, why) : REIN_OK;
    if (parent != dir) close(parent);
    if (*fd < 0) return status;
    if (fstat(*fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        *why = S_ISDIR(info.st_mode) ? "it is a folder" : "not a file";
        close(*fd);
        *fd = -1;
    }
    return REIN_OK;
}

/* ---- files ---- */

rein_status rein_folder_read(rein_str *out, int dir, const char *path, const char **why) {
    char chunk[4096];
    const size_t before = out->len;
    ssize_t n = 0;
    int fd;
    REIN_TRY(open_file(&fd, dir, path, O_RDONLY, why));
    if (*why) return REIN_OK;
    while (out->len - before <= REIN_FOLDER_FILE && (n = read(fd, chunk, sizeof chunk)) > 0)
        rein_str_append(out, chunk, (size_t)n);
    rein_status status = n < 0 ? broken("read", path) : REIN_OK;
    close(fd);
    REIN_TRY(status);
    REIN_TRY(rein_str_check(out));
    if (out->len - before <= REIN_FOLDER_FILE) return REIN_OK;
    *why = "the file is too large";
    out->len = before;
    out->data[before] = '\0';
    return REIN_OK;
}

rein_status rein_folder_write(int dir, const char *path, const char *bytes, size_t len, rein_folder_mode mode,
                              const char **why) {
    rein_status status = REIN_OK;
    int fd;
    if (len > REIN_FOLDER_FILE) {
        *why = "the file is too large";
        return REIN_OK;
    }
    REIN_TRY(open_file(&fd, dir, path, O_WRONLY | O_CREAT | (mode == REIN_FOLDER_APPEND ? O_APPEND : O_TRUNC), why));
    if (*why) return REIN_OK;
    for (size_t done = 0; done < len && status == REIN_OK;) {
        ssize_t n = write(fd, bytes + done, len - done);
        if (n < 0 && errno != EINTR) status = broken("write", path);
        if (n > 0) done += (size_t)n;
    }
    close(fd);
    return status;
}

rein_status rein_folder_check(int dir, const char *path, const char **why) {
    int fd;
    REIN_TRY(open_file(&fd, dir, path, O_RDONLY, why));
    if (fd >= 0) close(fd);
    return REIN_OK;
}

/* ---- folders ---- */

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a + 1, *(char *const *)b + 1); }

/* Names with a first letter for their kind, sorted by name; in `arena`. Takes fd. */
static rein_status read_names(char ***out, int64_t *n, rein_arena *arena, int fd) {
    int64_t cap = 0;
    rein_status status = REIN_OK;
    struct dirent *entry;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        close(fd);
        return broken("read", "folder");
    }
    while (status == REIN_OK && (entry = readdir(stream))) {
        struct stat info;
        char kind = 'F', *name;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode)) kind = 'D';
        if (*n == cap) {
            status = rein_realloc(out, cap, cap ? 2 * cap : 16, sizeof **out);
            cap = cap ? 2 * cap : 16;
        }
        if (status == REIN_OK) status = rein_path_format(arena, &name, "%c%s", kind, entry->d_name);
        if (status == REIN_OK) (*out)[(*n)++] = name;
    }
    closedir(stream);
    if (status == REIN_OK && *n > 0) qsort(*out, (size_t)*n, sizeof **out, by_name);
    return status;
}

rein_status rein_folder_list(rein_str *out, int dir, const char *path, const char **why) {
    char name[REIN_FOLDER_PATH], **names = NULL;
    rein_arena arena = {0};
    int64_t n = 0;
    int parent;
    REIN_TRY(walk(&parent, name, dir, path, false, why));
    if (*why) return REIN_OK;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    rein_status status = fd < 0 ? explain("open", path, why) : REIN_OK;
    if (parent != dir) close(parent);
    if (fd < 0) return status;
    status = read_names(&names, &n, &arena, fd);
    for (int64_t i = 0; i < n; i++)
        rein_str_printf(out, "%s[%s] %s", i ? "\n" : "", names[i][0] == 'D' ? "DIR" : "FILE", names[i] + 1);
    rein_free(names);
    rein_arena_deinit(&arena);
    return status == REIN_OK ? rein_str_check(out) : status;
}

rein_status rein_folder_make(int dir, const char *path, const char **why) {
    char name[REIN_FOLDER_PATH];
    int at;
    REIN_TRY(walk(&at, name, dir, path, true, why));
    if (*why) return REIN_OK;
    rein_status status = mkdirat(at, name, 0777) < 0 ? explain("make", path, why) : REIN_OK;
    if (at != dir) close(at);
    return status;
}

rein_status rein_folder_move(int dir, const char *from, const char *to, const char **why) {
    char old_name[REIN_FOLDER_PATH], new_name[REIN_FOLDER_PATH];
    struct stat info;
    int source, target;
    REIN_TRY(walk(&source, old_name, dir, from, false, why));
    if (*why) return REIN_OK;
    rein_status status = walk(&target, new_name, dir, to, true, why);
    if (status == REIN_OK && !*why) {
        if (fstatat(target, new_name, &info, AT_SYMLINK_NOFOLLOW) == 0)
            *why = "the destination exists already";
        else if (renameat(source, old_name, target, new_name) < 0)
            status = explain("move", from, why);
        if (target != dir) close(target);
    }
    if (source != dir) close(source);
    return status;
}

rein_status rein_folder_delete(int dir, const char *path, const char **why) {
    char name[REIN_FOLDER_PATH];
    int at;
    REIN_TRY(walk(&at, name, dir, path, false, why));
    if (*why) return REIN_OK;
    rein_status status = unlinkat(at, name, 0) < 0 ? explain("delete", path, why) : REIN_OK;
    if (at != dir) close(at);
    return status;
}

/* ---- ours ---- */

rein_status rein_folder_open(int *out, const char *path) {
    *out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *out < 0 ? broken("open", path) : REIN_OK;
}

rein_status rein_folder_wipe(const char *path) {
    rein_arena arena = {0};
    char **names, *entry;
    int64_t n;
    rein_status status;
    REIN_TRY_OUT(status, rein_list_dir(&names, &n, &arena, path), out);
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY_OUT(status, rein_path_format(&arena, &entry, "%s/%s", path, names[i]), out);
        REIN_TRY_OUT(status, rein_remove_tree(entry), out);
    }
out:
    rein_arena_deinit(&arena);
    return status;
}
