/* Memory, arenas, strings, log and clock; see base.h. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { ALIGN = 64, ARENA_ALIGN = 16, ARENA_BLOCK = 65536 };

_Noreturn void rein_assert_failed(const char *cond, const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}

/* ---- memory ---- */

static _Thread_local int64_t alloc_count, alloc_fail;

static bool alloc_refused(void) {
    alloc_count++;
    return alloc_fail > 0 && --alloc_fail == 0;
}

int64_t rein_alloc_count(void) { return alloc_count; }

void rein_alloc_fail_after(int64_t n) { alloc_fail = n; }

static bool block_bytes(int64_t n, size_t size, size_t *bytes) {
    if (n < 0 || __builtin_mul_overflow((size_t)n, size, bytes) || *bytes > SIZE_MAX - ALIGN) return false;
    *bytes = (*bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (*bytes == 0) *bytes = ALIGN;
    return true;
}

rein_status rein_alloc(void *out_pointer, int64_t n, size_t size) {
    size_t bytes;
    void *block = NULL;
    if (!block_bytes(n, size, &bytes) || alloc_refused() || !(block = aligned_alloc(ALIGN, bytes)))
        return rein_fail(REIN_ERR_MEMORY, "cannot allocate %lld x %zu bytes", (long long)n, size);
    memset(block, 0, bytes);
    memcpy(out_pointer, &block, sizeof block);
    return REIN_OK;
}

rein_status rein_realloc(void *pointer, int64_t old_n, int64_t n, size_t size) {
    void *old, *block;
    memcpy(&old, pointer, sizeof old);
    REIN_TRY(rein_alloc(&block, n, size));
    if (old) memcpy(block, old, (size_t)(old_n < n ? old_n : n) * size);
    rein_free(old);
    memcpy(pointer, &block, sizeof block);
    return REIN_OK;
}

void rein_free(void *block) { free(block); }

/* ---- arena ---- */

struct rein_arena_block {
    rein_arena_block *next;
    size_t size;
    _Alignas(ARENA_ALIGN) char bytes[];
};

rein_status rein_arena_alloc(rein_arena *arena, void *out_pointer, size_t bytes) {
    if (bytes > SIZE_MAX / 2) return rein_fail(REIN_ERR_MEMORY, "cannot allocate %zu bytes", bytes);
    bytes = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (!arena->head || arena->head->size - arena->used < bytes) {
        size_t size = bytes > ARENA_BLOCK ? bytes : ARENA_BLOCK;
        rein_arena_block *block;
        REIN_TRY(rein_alloc(&block, (int64_t)(sizeof *block + size), 1));
        block->next = arena->head;
        block->size = size;
        arena->head = block;
        arena->used = 0;
    }
    void *result = arena->head->bytes + arena->used;
    arena->used += bytes;
    memcpy(out_pointer, &result, sizeof result);
    return REIN_OK;
}

rein_status rein_arena_strdup(rein_arena *arena, char **out, const char *text, size_t len) {
    REIN_TRY(rein_arena_alloc(arena, out, len + 1));
    memcpy(*out, text, len);
    return REIN_OK;
}

void rein_arena_deinit(rein_arena *arena) {
    while (arena->head) {
        rein_arena_block *next = arena->head->next;
        rein_free(arena->head);
        arena->head = next;
    }
    arena->used = 0;
}

/* ---- strings ---- */

static bool str_reserve(rein_str *s, size_t extra) {
    if (s->failed) return false;
    size_t need = s->len + extra + 1;
    if (need <= s->cap) return true;
    size_t cap = s->cap ? s->cap : 64;
    while (cap < need) cap *= 2;
    if (rein_realloc(&s->data, (int64_t)s->cap, (int64_t)cap, 1) != REIN_OK) {
        s->failed = true;
        return false;
    }
    s->cap = cap;
    return true;
}

void rein_str_append(rein_str *s, const char *bytes, size_t len) {
    if (!str_reserve(s, len)) return;
    if (len) memcpy(s->data + s->len, bytes, len);
    s->len += len;
    s->data[s->len] = '\0';
}

void rein_str_puts(rein_str *s, const char *text) { rein_str_append(s, text, strlen(text)); }

void rein_str_putc(rein_str *s, char c) { rein_str_append(s, &c, 1); }

void rein_str_printf(rein_str *s, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len >= 0 && str_reserve(s, (size_t)len)) {
        vsnprintf(s->data + s->len, (size_t)len + 1, fmt, again);
        s->len += (size_t)len;
    }
    va_end(again);
}

rein_status rein_str_check(const rein_str *s) {
    return s->failed ? rein_fail(REIN_ERR_MEMORY, "out of memory after %zu bytes of text", s->len) : REIN_OK;
}

void rein_str_clear(rein_str *s) {
    s->len = 0;
    if (s->data) s->data[0] = '\0';
}

void rein_str_deinit(rein_str *s) {
    rein_free(s->data);
    *s = (rein_str){0};
}

/* ---- log ---- */

static struct {
    rein_log_sink sink;
    void *user;
} log_target;

void rein_log_set_sink(rein_log_sink sink, void *user) {
    log_target.sink = sink;
    log_target.user = user;
}

void rein_log(rein_log_level level, const char *fmt, ...) {
    char text[1024];
    if (!log_target.sink) return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    log_target.sink(log_target.user, level, text);
}

/* ---- clock ---- */

double rein_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int64_t rein_peak_rss(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}
