/*
 * A state machine over the bytes of a JSON document, without recursion: nesting is a counter and one bit per level.
 * It builds nothing, so that hostile input costs no memory.
 */
#include "base/json_check.h"

#include <json-c/json.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 400 }; /* characters; a double needs at most 309 before its point */

/* What may come next. */
typedef enum expect { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, COMMA_OR_END, DONE } expect;

typedef struct scan {
    const rein_json_text *text;
    size_t at;
    expect next;
    int depth;
    bool is_object[REIN_JSON_DEPTH];
    bool find_twice;
    struct json_object *seen[REIN_JSON_DEPTH]; /* find_twice: keys so far of each open object */
    int64_t n_keys;
} scan;

size_t rein_utf8_length(const char *p, size_t len) {
    const unsigned char *u = (const unsigned char *)p;
    size_t need = u[0] < 0x80 ? 1 : u[0] < 0xC2 ? 0 : u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : u[0] < 0xF5 ? 4 : 0;
    if (need > len) return 0;
    for (size_t i = 1; i < need; i++)
        if ((u[i] & 0xC0) != 0x80) return 0;
    if (need < 3) return need;
    /* overlong forms, surrogates, and what lies above U+10FFFF */
    if ((u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F)) return 0;
    if ((u[0] == 0xF0 && u[1] < 0x90) || (u[0] == 0xF4 && u[1] > 0x8F)) return 0;
    return need;
}

rein_status rein_json_fail_at(const rein_json_text *text, size_t at, const char *fmt, ...) {
    char reason[512];
    int64_t line = text->line, column = 1;
    for (size_t i = 0; i < at && i < text->len; i++) {
        if (text->bytes[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text->bytes[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    return rein_fail(REIN_ERR_FORMAT, "%s:%lld:%lld: %s", text->name, (long long)line, (long long)column, reason);
}

/* The byte at `at`, or -1 at the end. */
static int byte_at(const scan *s, size_t at) { return at < s->text->len ? (unsigned char)s->text->bytes[at] : -1; }

static bool is_digit(int c) { return c >= '0' && c <= '9'; }

static rein_status fail_unexpected(const scan *s, size_t at, const char *wanted) {
    int c = byte_at(s, at);
    if (c < 0) return rein_json_fail_at(s->text, at, "the document ends where %s should be", wanted);
    if (c > 0x20 && c < 0x7F) return rein_json_fail_at(s->text, at, "'%c' where %s should be", c, wanted);
    return rein_json_fail_at(s->text, at, "byte 0x%02x where %s should be", (unsigned)c, wanted);
}

/* ---- tokens ---- */

/* Four hexadecimal digits, or -1. */
static int hex4(const scan *s, size_t at) {
    int value = 0;
    for (size_t i = at; i < at + 4; i++) {
        int c = byte_at(s, i);
        int lower = c | 0x20;
        if (is_digit(c))
            value = value * 16 + c - '0';
        else if (c >= 0 && lower >= 'a' && lower <= 'f')
            value = value * 16 + lower - 'a' + 10;
        else
            return -1;
    }
    return value;
}

/* The backslash is at s->at. */
static rein_status scan_escape(scan *s, bool is_key) {
    int c = byte_at(s, s->at + 1);
    if (c > 0 && strchr("\"\\/bfnrt", c)) {
        s->at += 2;
        return REIN_OK;
    }
    int code = c == 'u' ? hex4(s, s->at + 2) : -1;
    if (code < 0) return rein_json_fail_at(s->text, s->at, "unknown escape in a string");
    if (code == 0 && is_key) return rein_json_fail_at(s->text, s->at, "a key cannot hold \\u0000");
    if (code >= 0xD800 && code < 0xE000) {
        bool paired = code < 0xDC00 && byte_at(s, s->at + 6) == '\\' && byte_at(s, s->at + 7) == 'u';
        int second = paired ? hex4(s, s->at + 8) : -1;
        if (second < 0xDC00 || second > 0xDFFF)
            return rein_json_fail_at(s->text, s->at, "unpaired surrogate \\u%04x", (unsigned)code);
        s->at += 6;
    }
    s->at += 6;
    return REIN_OK;
}

static rein_status scan_string(scan *s, bool is_key) {
    const size_t start = s->at++;
    for (;;) {
        int c = byte_at(s, s->at);
        if (c == '"') break;
        if (c < 0) return rein_json_fail_at(s->text, start, "the string that begins here has no end");
        if (c == '\\') {
            REIN_TRY(scan_escape(s, is_key));
            continue;
        }
        if (c < 0x20)
            return rein_json_fail_at(s->text, s->at, "control character 0x%02x in a string; escape it", (unsigned)c);
        size_t n = rein_utf8_length(s->text->bytes + s->at, s->text->len - s->at);
        if (n == 0) return rein_json_fail_at(s->text, s->at, "invalid UTF-8 in a string, byte 0x%02x", (unsigned)c);
        s->at += n;
    }
    s->at++;
    return REIN_OK;
}

static void skip_digits(scan *s) {
    while (is_digit(byte_at(s, s->at))) s->at++;
}

/* json-c clamps integers: -2^63 is the last one, above 2^64 - 1 the typed access refuses the clamped value. */
static bool below_int64(const char *digits, size_t n) {
    static const char limit[] = "9223372036854775808";
    const size_t n_limit = sizeof limit - 1;
    return n > n_limit || (n == n_limit && memcmp(digits, limit, n) > 0);
}

static bool overflows_double(const char *text, size_t n) {
    char copy[NUMBER_MAX + 1];
    memcpy(copy, text, n);
    copy[n] = '\0';
    return isinf(strtod(copy, NULL));
}

static rein_status scan_number(scan *s) {
    const size_t start = s->at;
    bool negative = byte_at(s, s->at) == '-', integer = true;
    s->at += negative;
    const size_t digits = s->at;
    skip_digits(s);
    if (s->at == digits) return fail_unexpected(s, s->at, "a digit");
    if (byte_at(s, digits) == '0' && s->at > digits + 1)
        return rein_json_fail_at(s->text, start, "a number cannot begin with 0");
    if (negative && below_int64(s->text->bytes + digits, s->at - digits) && byte_at(s, s->at) != '.' &&
        (byte_at(s, s->at) | 0x20) != 'e')
        return rein_json_fail_at(s->text, start, "this integer is below -2^63");
    if (byte_at(s, s->at) == '.') {
        integer = false;
        s->at++;
        if (!is_digit(byte_at(s, s->at))) return fail_unexpected(s, s->at, "a digit");
        skip_digits(s);
    }
    int c = byte_at(s, s->at);
    if (c == 'e' || c == 'E') {
        integer = false;
        c = byte_at(s, ++s->at);
        if (c == '+' || c == '-') s->at++;
        if (!is_digit(byte_at(s, s->at))) return fail_unexpected(s, s->at, "a digit");
        skip_digits(s);
    }
    if (s->at - start > NUMBER_MAX)
        return rein_json_fail_at(s->text, start, "a number of more than %d characters", NUMBER_MAX);
    if (!integer && overflows_double(s->text->bytes + start, s->at - start))
        return rein_json_fail_at(s->text, start, "this number does not fit a double");
    return REIN_OK;
}

static rein_status scan_literal(scan *s) {
    static const char *const literals[] = {"true", "false", "null"};
    for (size_t i = 0; i < REIN_COUNT(literals); i++) {
        size_t n = strlen(literals[i]);
        if (s->text->len - s->at < n || memcmp(s->text->bytes + s->at, literals[i], n) != 0) continue;
        s->at += n;
        return REIN_OK;
    }
    return fail_unexpected(s, s->at, "a value");
}

/* ---- structure ---- */

static expect after_value(const scan *s) { return s->depth > 0 ? COMMA_OR_END : DONE; }

static rein_status open_container(scan *s, bool is_object) {
    if (s->depth == REIN_JSON_DEPTH)
        return rein_json_fail_at(s->text, s->at, "nested deeper than %d levels", REIN_JSON_DEPTH);
    if (s->find_twice && is_object && !(s->seen[s->depth] = json_object_new_object()))
        return rein_fail(REIN_ERR_MEMORY, "%s: out of memory", s->text->name);
    s->is_object[s->depth++] = is_object;
    s->next = is_object ? KEY_OR_END : VALUE_OR_END;
    s->at++;
    return REIN_OK;
}

static rein_status close_container(scan *s) {
    s->depth--;
    json_object_put(s->seen[s->depth]);
    s->seen[s->depth] = NULL;
    s->next = after_value(s);
    s->at++;
    return REIN_OK;
}

/* The quoted key at [start, start + len): refuse it if its object has it already. */
static rein_status check_twice(scan *s, size_t start, size_t len) {
    struct json_object *seen = s->seen[s->depth - 1];
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *key = tokener ? json_tokener_parse_ex(tokener, s->text->bytes + start, (int)len) : NULL;
    rein_status status = REIN_OK;
    if (!key)
        status = rein_fail(REIN_ERR_MEMORY, "%s: out of memory", s->text->name);
    else if (json_object_object_get_ex(seen, json_object_get_string(key), NULL))
        status = rein_json_fail_at(s->text, start, "key '%s' is written twice", json_object_get_string(key));
    else if (json_object_object_add(seen, json_object_get_string(key), NULL) != 0)
        status = rein_fail(REIN_ERR_MEMORY, "%s: out of memory", s->text->name);
    json_object_put(key);
    json_tokener_free(tokener);
    return status;
}

static rein_status scan_key(scan *s) {
    const size_t start = s->at;
    if (byte_at(s, start) != '"') return fail_unexpected(s, start, "a quoted key");
    REIN_TRY(scan_string(s, true));
    if (s->find_twice) REIN_TRY(check_twice(s, start, s->at - start));
    s->n_keys++;
    s->next = COLON;
    return REIN_OK;
}

static rein_status scan_value(scan *s) {
    int c = byte_at(s, s->at);
    if (c == '{' || c == '[') return open_container(s, c == '{');
    if (c == '"')
        REIN_TRY(scan_string(s, false));
    else if (c == '-' || is_digit(c))
        REIN_TRY(scan_number(s));
    else
        REIN_TRY(scan_literal(s));
    s->next = after_value(s);
    return REIN_OK;
}

static rein_status scan_separator(scan *s) {
    bool in_object = s->is_object[s->depth - 1];
    int c = byte_at(s, s->at);
    if (c == (in_object ? '}' : ']')) return close_container(s);
    if (c != ',') return fail_unexpected(s, s->at, in_object ? "',' or '}'" : "',' or ']'");
    s->next = in_object ? KEY : VALUE;
    s->at++;
    return REIN_OK;
}

static void skip_space(scan *s) {
    for (int c = byte_at(s, s->at); c == ' ' || c == '\n' || c == '\t' || c == '\r'; c = byte_at(s, s->at)) s->at++;
}

static rein_status scan_step(scan *s) {
    int c = byte_at(s, s->at);
    switch (s->next) {
    case VALUE_OR_END:
        return c == ']' ? close_container(s) : scan_value(s);
    case KEY_OR_END:
        return c == '}' ? close_container(s) : scan_key(s);
    case KEY:
        return scan_key(s);
    case COMMA_OR_END:
        return scan_separator(s);
    case COLON:
        if (c != ':') return fail_unexpected(s, s->at, "':'");
        s->at++;
        s->next = VALUE;
        return REIN_OK;
    case VALUE:
    case DONE:
        break;
    }
    return scan_value(s);
}

rein_status rein_json_check(const rein_json_text *text, bool find_twice, int64_t *n_keys) {
    scan s = {.text = text, .next = VALUE, .find_twice = find_twice};
    rein_status status = REIN_OK;
    skip_space(&s);
    while (s.next != DONE) {
        REIN_TRY_OUT(status, scan_step(&s), out);
        skip_space(&s);
    }
    if (s.at < text->len) status = fail_unexpected(&s, s.at, "the end of the document");
    *n_keys = s.n_keys;
out:
    for (int i = 0; i < s.depth; i++) json_object_put(s.seen[i]);
    return status;
}
