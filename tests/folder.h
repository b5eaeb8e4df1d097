/* A temporary folder of a test program: make_folder and remove_folder are its group's set-up and tear-down. */
#ifndef REIN_TEST_FOLDER_H
#define REIN_TEST_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "testing.h"

static char folder[] = "/tmp/rein-test-XXXXXX";

static inline int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state) {
    (void)state;
    return rein_remove_tree(folder) == REIN_OK ? 0 : -1;
}

/* A path below the folder; valid until the next call but five. */
static inline const char *in_folder(const char *name) {
    static char path[6][256];
    static int next;
    next = (next + 1) % 6;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

/* Without the fsync of rein_file_write, which a thousand damaged files would wait for. */
static inline void write_bytes(const char *path, const char *bytes, size_t len) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* The call failed in this way, and its message has this part. */
static inline void assert_fails(rein_status found, rein_status code, const char *part) {
    if (found != code) fail_msg("status %d instead of %d (expected: %s)", found, code, part);
    if (!strstr(rein_error_message(), part)) fail_msg("message '%s' lacks '%s'", rein_error_message(), part);
}

#endif
