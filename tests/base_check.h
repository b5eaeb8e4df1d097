/* What the tests of base/ share: cmocka, a check of an error's code and text, and a scratch folder. */
#ifndef REIN_TESTS_BASE_CHECK_H
#define REIN_TESTS_BASE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/file.h"

#define assert_ok(expr)                                                                                                \
    do {                                                                                                               \
        rein_status check_status_ = (expr);                                                                            \
        if (check_status_ != REIN_OK) fail_msg("%s: %s", #expr, rein_error_message());                                 \
    } while (0)

/* The expression must return `code` with exactly this message. */
#define assert_fails(code, message, expr)                                                                              \
    do {                                                                                                               \
        assert_int_equal((expr), (code));                                                                              \
        assert_string_equal(rein_error_message(), (message));                                                          \
    } while (0)

/* As assert_fails, but the message need only contain the text. */
#define assert_fails_with(code, text, expr)                                                                            \
    do {                                                                                                               \
        assert_int_equal((expr), (code));                                                                              \
        if (!strstr(rein_error_message(), (text))) fail_msg("\"%s\" is not in \"%s\"", (text), rein_error_message());  \
    } while (0)

/* cmocka fixtures: *state is the path of an empty folder, removed afterwards. */
static inline int scratch_setup(void **state) {
    static char path[64];
    snprintf(path, sizeof path, "/tmp/rein-test-XXXXXX");
    *state = mkdtemp(path);
    return *state ? 0 : -1;
}

static inline int scratch_teardown(void **state) { return rein_remove_tree(*state) == REIN_OK ? 0 : -1; }

/* "folder/name"; valid until the next call but three. */
static inline const char *in_folder(void **state, const char *name) {
    static char path[4][256];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", (const char *)*state, name);
    return path[next];
}

static inline void put_file(const char *path, const char *text) {
    assert_ok(rein_file_write(path, text, strlen(text)));
}

#endif
