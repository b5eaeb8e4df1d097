/*
 * Files: whole reads, atomic replacement, directories, memory maps. Errors are REIN_ERR_IO with path and reason.
 *
 * A file appears complete or not at all: rein_file_write writes PATH.tmp-PID in the same folder, fsyncs, renames and
 * fsyncs the folder; on any failure the temporary is removed and the old file is untouched.
 */
#ifndef REIN_BASE_FILE_H
#define REIN_BASE_FILE_H

#include "base/base.h"

/** Whole file into a rein_str (cleared first). At most 2 GiB. */
REIN_NODISCARD rein_status rein_file_read(rein_str *out, const char *path);
REIN_NODISCARD rein_status rein_file_write(const char *path, const void *bytes, size_t len);

/** Create a folder and its parents; existing ones are fine. */
REIN_NODISCARD rein_status rein_mkdirs(const char *path);
bool rein_path_exists(const char *path);
bool rein_path_is_dir(const char *path);
/** rename(2) plus fsync of the target's folder: how a finished temporary folder becomes visible. */
REIN_NODISCARD rein_status rein_publish(const char *from, const char *to);
/** Remove a file or a folder with all below it; missing is fine. Never follows links. */
REIN_NODISCARD rein_status rein_remove_tree(const char *path);
/** Names in a folder, sorted bytewise, without . and ..; strings in `arena`. */
REIN_NODISCARD rein_status rein_list_dir(char ***names, int64_t *n, rein_arena *arena, const char *path);
/** "a/b" in `arena`-owned memory, printf style. */
REIN_NODISCARD rein_status rein_path_format(rein_arena *arena, char **out, const char *fmt, ...) REIN_PRINTF(3, 4);

/** Read-only map of a whole file. An empty file maps to data == NULL, len 0. */
typedef struct rein_map {
    const unsigned char *data;
    size_t len;
} rein_map;
REIN_NODISCARD rein_status rein_map_open(rein_map *out, const char *path);
void rein_map_close(rein_map *map);

/* Append-only text file (metrics.jsonl, journals): whole lines, flushed by each call; fsync when asked. */
typedef struct rein_appender {
    int fd;
    const char *path; /* borrowed */
} rein_appender;
/** Opens for append; truncates to `keep_bytes` first if keep_bytes >= 0 (resume drops lines after the checkpoint). */
REIN_NODISCARD rein_status rein_appender_open(rein_appender *out, const char *path, int64_t keep_bytes);
/** A failed write (a full disk) leaves none of its bytes behind: the file ends with the last whole line before it. */
REIN_NODISCARD rein_status rein_appender_write(rein_appender *a, const char *bytes, size_t len, bool sync);
void rein_appender_close(rein_appender *a);

#endif
