/*
 * Files below a folder that a model may name: no path leaves it, whatever it holds.
 *
 * A path is relative, or absolute with /slot as the folder (where the sandbox shows it). Components are opened one by
 * one and no symbolic link is followed, so neither "..", nor a link, nor a rename in between leads out. Only regular
 * files are read or written.
 *
 * *why is the reason for the model (static text), NULL if it was done; a status is for a world that broke.
 */
#ifndef REIN_ENV_TOOLS_FOLDER_H
#define REIN_ENV_TOOLS_FOLDER_H

#include "base/base.h"

enum { REIN_FOLDER_PATH = 512, REIN_FOLDER_DEPTH = 16, REIN_FOLDER_FILE = 1 << 20 };

/** The file's bytes, appended; at most REIN_FOLDER_FILE. */
REIN_NODISCARD rein_status rein_folder_read(rein_str *out, int dir, const char *path, const char **why);
typedef enum rein_folder_mode { REIN_FOLDER_REPLACE, REIN_FOLDER_APPEND } rein_folder_mode;
/** Folders on the way are made. Not for what must survive a power cut. */
REIN_NODISCARD rein_status rein_folder_write(int dir, const char *path, const char *bytes, size_t len,
                                             rein_folder_mode mode, const char **why);
/** One line a name, "[FILE] name" or "[DIR] name", sorted bytewise, appended. */
REIN_NODISCARD rein_status rein_folder_list(rein_str *out, int dir, const char *path, const char **why);
REIN_NODISCARD rein_status rein_folder_make(int dir, const char *path, const char **why);
/** Is it a regular file? */
REIN_NODISCARD rein_status rein_folder_check(int dir, const char *path, const char **why);
/** To a path that must not exist. */
REIN_NODISCARD rein_status rein_folder_move(int dir, const char *from, const char *to, const char **why);
REIN_NODISCARD rein_status rein_folder_delete(int dir, const char *path, const char **why);

/** Open a folder of ours by its path, which is trusted. */
REIN_NODISCARD rein_status rein_folder_open(int *out, const char *path);
/** Remove all that is in a folder (its path is trusted), but not the folder: it may be mounted elsewhere. */
REIN_NODISCARD rein_status rein_folder_wipe(const char *path);

#endif
