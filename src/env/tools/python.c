/* Running Python; see python.h. */
#include "env/tools/python.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "os/child.h"
#include "os/sandbox.h"

#define PYTHON "/usr/bin/python3"
/* Processor time, which does not depend on what else runs here; and the time by the clock of one that waits. */
enum { SECONDS = 5, PATIENCE = 20, OUTPUT_MAX = 1 << 16 };

/* What it prints, up to its end; *late: it took too long. */
static rein_status listen(rein_child *child, rein_str *text, bool *late) {
    const double deadline = rein_clock() + PATIENCE;
    const char *line;
    size_t len;
    *late = false;
    for (;;) {
        const double left = deadline - rein_clock();
        REIN_TRY(rein_child_receive(child, left > 0 ? left : 0, &line, &len));
        if (!line) break;
        if (text->len > 0) rein_str_putc(text, '\n');
        rein_str_append(text, line, len);
        if (text->len > OUTPUT_MAX) return rein_str_check(text); /* no need to see its end */
    }
    *late = rein_child_wait(child, deadline > rein_clock() ? deadline - rein_clock() : 0) == REIN_CHILD_RUNNING;
    return rein_str_check(text);
}

/* Ended by SIGXCPU, or by SIGKILL, which the kernel sends at the hard limit; the sandbox says 128 + the signal. */
static bool out_of_time(int status) {
    return status == -SIGXCPU || status == -SIGKILL || status == 128 + SIGXCPU || status == 128 + SIGKILL;
}

static rein_status report(rein_tool_reply *out, rein_child *child, const rein_str *text, bool late) {
    const int status = rein_child_status(child);
    int len;
    const char *words = rein_child_last_words(child, &len);
    if (text->len > OUTPUT_MAX) return rein_tool_error(out, "the program prints more than %d bytes", OUTPUT_MAX);
    if (late || out_of_time(status)) return rein_tool_error(out, "the program ran longer than %d s", SECONDS);
    if (status != 0)
        return rein_tool_error(out, "%.*s", len > 0 ? len : 26, len > 0 ? words : "the program was stopped");
    if (text->len == 0) rein_str_puts(out->text, "the program printed nothing");
    rein_str_append(out->text, text->data ? text->data : "", text->len);
    return REIN_OK;
}

static rein_status run(rein_tool_reply *out, const char *const *argv) {
    rein_child *child;
    rein_str text = {0};
    bool late;
    REIN_TRY(rein_child_start(&child, &(rein_child_options){.argv = argv, .message_max = OUTPUT_MAX}));
    rein_child_close_input(child);
    rein_status status = listen(child, &text, &late);
    if (status == REIN_ERR_FORMAT) { /* a line without end */
        status = rein_tool_error(out, "the program prints more than %d bytes", OUTPUT_MAX);
    } else if (status == REIN_OK) {
        status = report(out, child, &text, late);
    }
    rein_child_kill(child);
    rein_child_close(child);
    rein_str_deinit(&text);
    return status;
}

static rein_status run_sandboxed(rein_tool_reply *out, const char *code) {
    /* the seed of hashes is fixed, so that sets keep their order */
    static const char *const env[] = {"PYTHONHASHSEED=0", NULL};
    const char *const argv[] = {PYTHON, "-s", "-S", "-B", "-c", code, NULL};
    char filter[] = "/tmp/rein-python-XXXXXX";
    rein_sandbox box;
    int fd = mkstemp(filter);
    if (fd < 0) return rein_fail(REIN_ERR_IO, "cannot make a file in /tmp");
    close(fd);
    rein_status status = rein_sandbox_wrap(
        &box,
        &(rein_sandbox_options){
            .argv = argv, .filter = filter, .env = env, .memory = INT64_C(512) << 20, .cpu_seconds = SECONDS});
    if (status == REIN_OK) {
        status = run(out, box.argv);
        rein_sandbox_deinit(&box);
    }
    unlink(filter);
    return status;
}

rein_status rein_python_run(rein_tool_reply *out, const char *code) {
    rein_str why = {0};
    if (!rein_path_exists(PYTHON)) return rein_tool_error(out, "Python is not installed here");
    const bool available = rein_sandbox_available(&why);
    rein_str_deinit(&why);
    if (!available) return rein_tool_error(out, "there is no sandbox here to run a program in");
    return run_sandboxed(out, code);
}
