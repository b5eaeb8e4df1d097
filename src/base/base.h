/*
 * What every layer uses: assertions, memory, growing byte strings, logging, the clock.
 *
 * Nothing here knows about models or files. Allocation goes through rein_alloc so that the tests can make it fail and
 * count it.
 */
#ifndef REIN_BASE_BASE_H
#define REIN_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/status.h"

/** A programmer error: prints the condition and aborts. The condition must have no side effects. */
#define REIN_ASSERT(cond) ((cond) ? (void)0 : rein_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void rein_assert_failed(const char *cond, const char *file, int line);

#define REIN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- memory ---- */

/** `n` zeroed objects of `size` bytes, aligned to 64 bytes; the product is checked. Free with rein_free. */
REIN_NODISCARD rein_status rein_alloc(void *out_pointer, int64_t n, size_t size);

/** Grow or shrink a block of rein_alloc that holds `old_n` objects; new objects are zero. *pointer may be NULL. */
REIN_NODISCARD rein_status rein_realloc(void *pointer, int64_t old_n, int64_t n, size_t size);

void rein_free(void *block);

/** Test hooks: calls of rein_alloc and rein_realloc so far on this thread; fail the n-th from now (0: never). */
int64_t rein_alloc_count(void);
void rein_alloc_fail_after(int64_t n);

/* ---- arena: many small blocks, released together ---- */

typedef struct rein_arena_block rein_arena_block;
typedef struct rein_arena {
    rein_arena_block *head; /* current block; older ones behind it */
    size_t used;            /* bytes used in `head` */
} rein_arena;

/** Zeroed bytes, 16-byte aligned; valid until rein_arena_deinit. A zero-initialised rein_arena is ready for use. */
REIN_NODISCARD rein_status rein_arena_alloc(rein_arena *arena, void *out_pointer, size_t bytes);
REIN_NODISCARD rein_status rein_arena_strdup(rein_arena *arena, char **out, const char *text, size_t len);
void rein_arena_deinit(rein_arena *arena);

/* ---- growing byte string ---- */

/** Owned bytes, always NUL-terminated once non-NULL. A failed append sets `failed` and later appends do nothing. */
typedef struct rein_str rein_str;
struct rein_str {
    char *data;
    size_t len, cap;
    bool failed;
};

void rein_str_append(rein_str *s, const char *bytes, size_t len);
void rein_str_puts(rein_str *s, const char *text);
void rein_str_putc(rein_str *s, char c);
void rein_str_printf(rein_str *s, const char *fmt, ...) REIN_PRINTF(2, 3);
/** REIN_ERR_MEMORY if any append failed. */
REIN_NODISCARD rein_status rein_str_check(const rein_str *s);
void rein_str_clear(rein_str *s);
void rein_str_deinit(rein_str *s);

/* ---- log ---- */

typedef enum rein_log_level { REIN_LOG_INFO, REIN_LOG_WARN } rein_log_level;
typedef void (*rein_log_sink)(void *user, rein_log_level level, const char *message);

/** Where messages go; NULL (the default) drops them. Set once, before threads start. */
void rein_log_set_sink(rein_log_sink sink, void *user);
void rein_log(rein_log_level level, const char *fmt, ...) REIN_PRINTF(2, 3);

/* ---- clock: for timing tables only, never for state ---- */

/** Monotonic seconds. */
double rein_clock(void);

/** Peak resident set of this process in bytes. */
int64_t rein_peak_rss(void);

#endif
