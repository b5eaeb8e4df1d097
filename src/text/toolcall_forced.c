/* Which bytes of a turn its format prescribes; see toolcall.h. */
#include <string.h>

#include "text/toolcall.h"
#include "text/toolcall_impl.h"

/* Ranges that touch are one. */
static rein_status mark(rein_ranges *out, int64_t first, size_t begin, size_t end) {
    if (begin == end) return REIN_OK;
    if (out->n > first && out->data[out->n - 1].end == (int64_t)begin) {
        out->data[out->n - 1].end = (int64_t)end;
        return REIN_OK;
    }
    return rein_ranges_push(out, (int64_t)begin, (int64_t)end);
}

/* The byte that follows blanks from `at` on, before `end`; 0: none. */
static char behind_blanks(const char *text, size_t at, size_t end) {
    while (at < end && memchr(" \t\r\n", text[at], 4)) at++;
    return at < end ? text[at] : '\0';
}

/* The next piece of a well-formed call ends there: a quoted text, a mark or blank, or a word. A key is what a colon
 * follows, or, in `plain`, an equals sign. */
static size_t next_piece(const char *text, size_t at, size_t end, bool *forced) {
    static const char marks[] = "{}[]():,=; \t\r\n";
    *forced = memchr(marks, text[at], sizeof marks - 1) != NULL;
    if (*forced) return at + 1;
    size_t to = at;
    if (text[at] == '"')
        to = rein_toolcall_extent(text, end, at, NULL);
    else
        while (to < end && !memchr(marks, text[to], sizeof marks - 1)) to++;
    REIN_ASSERT(to > at);
    char next = behind_blanks(text, to, end);
    *forced = next == ':' || next == '=';
    return to;
}

/* A call's tags stand before its first and behind its last bracket, in `plain` its name does. */
static rein_status mark_call(rein_ranges *out, int64_t first, bool plain, const char *text, const rein_toolcall *call) {
    size_t at = call->begin, end = call->end, to;
    bool forced;
    if (plain) {
        at += strlen(call->name);
    } else {
        while (text[at] != '{') at++;
        REIN_TRY(mark(out, first, call->begin, at));
        while (text[end - 1] != '}') end--;
    }
    for (; at < end; at = to) {
        to = next_piece(text, at, end, &forced);
        if (forced) REIN_TRY(mark(out, first, at, to));
    }
    return mark(out, first, end, call->end);
}

rein_status rein_toolcall_forced_ranges(rein_ranges *out, rein_toolcall_format format, const char *text, size_t len) {
    rein_toolcalls calls = {0};
    int64_t first = out->n;
    rein_status status = rein_toolcalls_read(&calls, format, text, len);
    for (int64_t i = 0; i < calls.n && status == REIN_OK; i++)
        if (!calls.data[i].error) status = mark_call(out, first, format == REIN_TOOLCALL_PLAIN, text, &calls.data[i]);
    rein_toolcalls_deinit(&calls);
    return status;
}
