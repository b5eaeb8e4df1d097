/* The error trace: one per thread, the only mutable state of the library besides the log sink. */
#include "rein/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX = 2048, FRAMES_MAX = 1024 };

static _Thread_local struct {
    char message[MESSAGE_MAX];
    char frames[FRAMES_MAX];
} trace;

rein_status rein_fail_at(rein_status code, const char *file, int line, const char *fmt, ...) {
    char text[MESSAGE_MAX]; /* an argument may point into the current message */
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(trace.message, text, sizeof text);
    trace.frames[0] = '\0';
    return rein_trace_add(code, file, line);
}

rein_status rein_trace_add(rein_status code, const char *file, int line) {
    size_t used = strlen(trace.frames);
    snprintf(trace.frames + used, sizeof trace.frames - used, "%s:%d\n", file, line);
    return code;
}

rein_status rein_error_prefix(rein_status code, const char *fmt, ...) {
    char old[MESSAGE_MAX];
    memcpy(old, trace.message, sizeof old);
    va_list args;
    va_start(args, fmt);
    vsnprintf(trace.message, sizeof trace.message, fmt, args);
    va_end(args);
    size_t used = strlen(trace.message), room = sizeof trace.message - used;
    size_t len = strlen(old);
    if (room > 3) {
        memcpy(trace.message + used, ": ", 3);
        if (len > room - 3) len = room - 3;
        memcpy(trace.message + used + 2, old, len);
        trace.message[used + 2 + len] = '\0';
    }
    return code;
}

const char *rein_error_message(void) { return trace.message; }

const char *rein_error_frames(void) { return trace.frames; }
