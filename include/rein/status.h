/*
 * Status codes and the error trace: how every part of rein says that something outside its control went wrong.
 *
 * The origin of an error writes `return rein_fail(REIN_ERR_FORMAT, "tensor '%s': ...", name)`; every caller on the way
 * up writes `REIN_TRY(call)`. The message and the frames are kept in a thread-local trace until the next rein_fail.
 */
#ifndef REIN_STATUS_H
#define REIN_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define REIN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define REIN_NODISCARD __attribute__((warn_unused_result))
#else
#define REIN_PRINTF(fmt, args)
#define REIN_NODISCARD
#endif

typedef enum rein_status {
    REIN_OK = 0,
    REIN_ERR_USAGE,    /* a wrong option or command line: exit status 2 */
    REIN_ERR_ARG,      /* an argument outside its documented range */
    REIN_ERR_IO,       /* a file, pipe or device did not do what was asked */
    REIN_ERR_FORMAT,   /* bytes that do not follow their format */
    REIN_ERR_MEMORY,   /* out of memory */
    REIN_ERR_NUMERIC,  /* a non-finite or otherwise unusable number was refused */
    REIN_ERR_MISMATCH  /* a check found a difference: exit status 3 */
} rein_status;

/**
 * Record an error and return its code.
 *
 * @param code  not REIN_OK.
 * @param fmt   lower case: what, which value, what to do next; no full stop.
 * @return `code`. Use the macro rein_fail, which adds the place.
 */
rein_status rein_fail_at(rein_status code, const char *file, int line, const char *fmt, ...) REIN_PRINTF(4, 5);
#define rein_fail(code, ...) rein_fail_at((code), __FILE__, __LINE__, __VA_ARGS__)

/** Add a frame to the current trace; returns `code`. Used by REIN_TRY. */
rein_status rein_trace_add(rein_status code, const char *file, int line);

/** Put "prefix: " before the current message (which file, which line of it); returns `code`. */
rein_status rein_error_prefix(rein_status code, const char *fmt, ...) REIN_PRINTF(2, 3);

/** Message of the last error on this thread; "" if there was none. Valid until the next rein_fail on this thread. */
const char *rein_error_message(void);

/** Frames of the last error, one "file:line" a line, innermost first. Same lifetime as the message. */
const char *rein_error_frames(void);

/** Forward an error to the caller, adding a frame. */
#define REIN_TRY(expr)                                                                                                 \
    do {                                                                                                               \
        rein_status rein_try_status_ = (expr);                                                                         \
        if (rein_try_status_ != REIN_OK) return rein_trace_add(rein_try_status_, __FILE__, __LINE__);                  \
    } while (0)

/** As REIN_TRY, but goes to `label` with the code in `status`. */
#define REIN_TRY_OUT(status, expr, label)                                                                              \
    do {                                                                                                               \
        (status) = (expr);                                                                                             \
        if ((status) != REIN_OK) {                                                                                     \
            rein_trace_add((status), __FILE__, __LINE__);                                                              \
            goto label;                                                                                                \
        }                                                                                                              \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
