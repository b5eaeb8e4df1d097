/* Sets of characters; see charset.h. */
#include "gen/charset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SURROGATE = 0xd800, SURROGATE_END = 0xe000 };

static void push(rein_charset *set, int32_t lo, int32_t hi) {
    if (set->failed || lo > hi) return;
    if (set->n == set->cap) {
        int64_t cap = set->cap ? 2 * set->cap : 16;
        set->failed = rein_realloc(&set->range, set->cap, cap, sizeof *set->range) != REIN_OK;
        if (set->failed) return;
        set->cap = cap;
    }
    set->range[set->n][0] = lo;
    set->range[set->n++][1] = hi;
}

void rein_charset_add(rein_charset *set, int32_t lo, int32_t hi) {
    push(set, lo, hi < SURROGATE ? hi : SURROGATE - 1);
    push(set, lo >= SURROGATE_END ? lo : SURROGATE_END, hi);
}

static int by_start(const void *pa, const void *pb) {
    const int32_t *a = pa, *b = pb;
    return a[0] < b[0] ? -1 : a[0] > b[0];
}

void rein_charset_finish(rein_charset *set, bool complement) {
    rein_charset other = {.failed = set->failed};
    int32_t next = 0;
    int64_t n = 0;
    if (set->n) qsort(set->range, (size_t)set->n, sizeof *set->range, by_start);
    for (int64_t i = 0; i < set->n; i++) {
        if (n > 0 && set->range[i][0] <= set->range[n - 1][1] + 1) {
            if (set->range[i][1] > set->range[n - 1][1]) set->range[n - 1][1] = set->range[i][1];
            continue;
        }
        memmove(set->range[n++], set->range[i], sizeof *set->range);
    }
    set->n = n;
    if (!complement) return;
    for (int64_t i = 0; i < n; i++) {
        rein_charset_add(&other, next, set->range[i][0] - 1);
        next = set->range[i][1] + 1;
    }
    rein_charset_add(&other, next, REIN_CHAR_MAX);
    rein_free(set->range);
    *set = other;
}

void rein_charset_deinit(rein_charset *set) {
    rein_free(set->range);
    *set = (rein_charset){0};
}

/* ---- UTF-8 ---- */

static int encode(uint8_t out[4], int32_t c) {
    int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t mark[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = n - 1; i > 0; i--, c >>= 6) out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(mark[n] | c);
    return n;
}

/* Where [lo, hi] must be cut so that the bytes of its characters are a product of byte ranges; hi if nowhere. */
static int32_t cut(int32_t lo, int32_t hi) {
    static const int32_t last[] = {0x7f, 0x7ff, 0xffff};
    for (size_t i = 0; i < REIN_COUNT(last); i++)
        if (lo <= last[i] && hi > last[i]) return last[i];
    for (int i = 1; i <= 3 && hi > 0x7f; i++) {
        int32_t low = (1 << (6 * i)) - 1;
        if ((lo & ~low) == (hi & ~low)) break;
        if (lo & low) return lo | low;
        if ((hi & low) != low) return (hi & ~low) - 1;
    }
    return hi;
}

static void one_range(rein_nfa *nfa, int32_t from, int32_t to, int32_t lo, int32_t hi) {
    while (lo <= hi && !nfa->failed) {
        uint8_t a[4], b[4];
        int32_t end = hi, at = from;
        for (int32_t c = cut(lo, end); c != end; c = cut(lo, end)) end = c;
        int n = encode(a, lo);
        encode(b, end);
        for (int i = 0; i < n; i++) {
            int32_t next = i + 1 < n ? rein_nfa_state(nfa) : to;
            rein_nfa_bytes(nfa, at, next, a[i], b[i]);
            at = next;
        }
        lo = end + 1;
    }
}

void rein_nfa_chars(rein_nfa *nfa, int32_t from, int32_t to, const rein_charset *set) {
    if (set->failed) nfa->failed = true;
    for (int64_t i = 0; i < set->n; i++) one_range(nfa, from, to, set->range[i][0], set->range[i][1]);
}

/* ---- JSON strings ---- */

static void escape(rein_nfa *nfa, int32_t from, int32_t to, int32_t c) {
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *known = c ? strchr(plain, c) : NULL;
    char text[8];
    int len = known ? snprintf(text, sizeof text, "\\%c", letter[known - plain])
                    : snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
    rein_nfa_text(nfa, from, to, text, (size_t)len);
}

void rein_nfa_json_chars(rein_nfa *nfa, int32_t from, int32_t to, const rein_charset *set) {
    static const int32_t plain[][2] = {{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, REIN_CHAR_MAX}};
    if (set->failed) nfa->failed = true;
    for (int64_t i = 0; i < set->n; i++) {
        int32_t lo = set->range[i][0], hi = set->range[i][1];
        for (size_t k = 0; k < REIN_COUNT(plain); k++)
            one_range(nfa, from, to, lo > plain[k][0] ? lo : plain[k][0], hi < plain[k][1] ? hi : plain[k][1]);
        for (int32_t c = lo; c <= hi && c <= '\\'; c++)
            if (c < 0x20 || c == '"' || c == '\\') escape(nfa, from, to, c);
    }
}
