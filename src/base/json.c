/* JSON: checked by json_check.c, built by json-c's tokener in strict mode, written by ourselves; see json.h. */
#include "base/json.h"

#include <json-c/json_visit.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_check.h"

/* ---- parsing ---- */

static int count_members(struct json_object *node, int flags, struct json_object *parent, const char *key,
                         size_t *index, void *user) {
    (void)parent, (void)key, (void)index;
    if (!(flags & JSON_C_VISIT_SECOND) && json_object_is_type(node, json_type_object))
        *(int64_t *)user += json_object_object_length(node);
    return JSON_C_VISIT_RETURN_CONTINUE;
}

static rein_status build_tree(struct json_object **out, const rein_json_text *text) {
    /* json-c counts levels of its own; the limit is the check's */
    struct json_tokener *tokener = json_tokener_new_ex(REIN_JSON_DEPTH + 8);
    if (!tokener) return rein_fail(REIN_ERR_MEMORY, "%s: out of memory", text->name);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    *out = json_tokener_parse_ex(tokener, text->bytes, (int)text->len);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) { /* a number at the end of the text waits for one more byte */
        *out = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
    }
    rein_status status = REIN_OK;
    if (error != json_tokener_success)
        status = rein_json_fail_at(text, json_tokener_get_parse_end(tokener), "%s", json_tokener_error_desc(error));
    json_tokener_free(tokener);
    return status;
}

static unsigned hex4(const char *digits) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)digits[i];
        value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

/* Is there an escaped surrogate pair at `at`? The check has seen that a high surrogate is followed by a low one. */
static bool is_pair(const char *at, const char *end) {
    return end - at >= 12 && at[0] == '\\' && at[1] == 'u' && (at[2] | 0x20) == 'd' && strchr("89abAB", at[3]);
}

/* Escaped surrogate pairs as UTF-8: json-c 0.16 turns those whose second plane bits look like a surrogate into U+FFFD. */
static void decode_pairs(rein_str *out, const char *at, size_t len) {
    for (const char *end = at + len, *stop; at < end; at = stop) {
        stop = memchr(at, '\\', (size_t)(end - at));
        if (!stop) stop = end;
        rein_str_append(out, at, (size_t)(stop - at));
        if (stop == end) continue;
        if (!is_pair(stop, end)) {
            rein_str_append(out, stop, 2); /* the check has seen what follows a backslash */
            stop += 2;
            continue;
        }
        unsigned c = 0x10000 + ((hex4(stop + 2) - 0xd800) << 10) + (hex4(stop + 8) - 0xdc00);
        char utf8[4] = {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)), (char)(0x80 | (c >> 6 & 63)),
                        (char)(0x80 | (c & 63))};
        rein_str_append(out, utf8, sizeof utf8);
        stop += 12;
    }
}

static bool has_pairs(const rein_json_text *text) {
    for (const char *at = text->bytes, *end = at + text->len; at < end; at++) {
        at = memchr(at, '\\', (size_t)(end - at));
        if (!at) return false;
        if (is_pair(at, end)) return true;
    }
    return false;
}

static rein_status build_decoded(struct json_object **out, const rein_json_text *text) {
    rein_str plain = {0};
    if (!has_pairs(text)) return build_tree(out, text);
    decode_pairs(&plain, text->bytes, text->len);
    rein_json_text decoded = *text;
    decoded.bytes = plain.data;
    decoded.len = plain.len;
    rein_status status = rein_str_check(&plain);
    if (status == REIN_OK) status = build_tree(out, &decoded);
    rein_str_deinit(&plain);
    return status;
}

static rein_status parse_text(struct json_object **out, const rein_json_text *text) {
    int64_t n_keys, n_members = 0;
    *out = NULL;
    if (text->len >= INT_MAX) return rein_fail(REIN_ERR_FORMAT, "%s: longer than 2 GiB", text->name);
    REIN_TRY(rein_json_check(text, false, &n_keys));
    REIN_TRY(build_decoded(out, text));
    /* of two equal keys json-c keeps one, so that fewer members than keys means a duplicate; then look where it is */
    if (*out) json_c_visit(*out, 0, count_members, &n_members);
    if (n_members == n_keys) return REIN_OK;
    json_object_put(*out);
    *out = NULL;
    REIN_TRY(rein_json_check(text, true, &n_keys));
    return rein_fail(REIN_ERR_FORMAT, "%s: a key is written twice in one object", text->name);
}

rein_status rein_json_parse(struct json_object **out, const char *name, const char *text, size_t len) {
    REIN_TRY(parse_text(out, &(rein_json_text){.name = name, .bytes = text, .len = len, .line = 1}));
    return REIN_OK;
}

rein_status rein_json_parse_line(struct json_object **out, const char *name, int64_t line, const char *text,
                                 size_t len) {
    REIN_TRY(parse_text(out, &(rein_json_text){.name = name, .bytes = text, .len = len, .line = line}));
    return REIN_OK;
}

rein_status rein_json_load(struct json_object **out, const char *path) {
    rein_str text = {0};
    rein_status status;
    *out = NULL;
    REIN_TRY_OUT(status, rein_file_read(&text, path), out);
    REIN_TRY_OUT(status, rein_json_parse(out, path, text.data, text.len), out);
out:
    rein_str_deinit(&text);
    return status;
}

static rein_status parse_row(const rein_json_text *text, rein_jsonl_fn fn, void *user) {
    struct json_object *row;
    if (text->len == strspn(text->bytes, " \t\r\n")) return REIN_OK;
    REIN_TRY(parse_text(&row, text));
    rein_status status = fn(user, text->line, row);
    json_object_put(row);
    if (status != REIN_OK) rein_error_prefix(status, "%s:%lld", text->name, (long long)text->line);
    return status;
}

rein_status rein_jsonl_each(const char *path, rein_jsonl_fn fn, void *user) {
    rein_str file = {0};
    rein_status status;
    REIN_TRY_OUT(status, rein_file_read(&file, path), out);
    rein_json_text row = {.name = path, .bytes = file.data, .line = 1};
    for (char *end = file.data + file.len, *next; row.bytes < end; row.bytes = next, row.line++) {
        char *newline = memchr(row.bytes, '\n', (size_t)(end - row.bytes));
        next = newline ? newline + 1 : end;
        row.len = (size_t)((newline ? newline : end) - row.bytes);
        if (newline) *newline = '\0';
        REIN_TRY_OUT(status, parse_row(&row, fn, user), out);
    }
out:
    rein_str_deinit(&file);
    return status;
}

/* ---- typed access ---- */

static const char *type_name(struct json_object *value) {
    switch (json_object_get_type(value)) {
    case json_type_null:
        return "null";
    case json_type_boolean:
        return "a boolean";
    case json_type_double:
        return "a number with a fraction";
    case json_type_int:
        return "an integer";
    case json_type_object:
        return "an object";
    case json_type_array:
        return "an array";
    case json_type_string:
        return "a string";
    }
    return "unknown";
}

static rein_status fail_type(const char *key, struct json_object *value, const char *wanted) {
    return rein_fail(REIN_ERR_FORMAT, "key '%s' is %s, expected %s", key, type_name(value), wanted);
}

static rein_status member(struct json_object **out, struct json_object *obj, const char *key, const char *wanted) {
    if (!json_object_is_type(obj, json_type_object))
        return rein_fail(REIN_ERR_FORMAT, "%s where an object with key '%s' is expected", type_name(obj), key);
    if (!json_object_object_get_ex(obj, key, out))
        return rein_fail(REIN_ERR_FORMAT, "key '%s' is missing, expected %s", key, wanted);
    return REIN_OK;
}

rein_status rein_json_string(const char **out, size_t *len, struct json_object *obj, const char *key) {
    struct json_object *value;
    REIN_TRY(member(&value, obj, key, "a string"));
    if (!json_object_is_type(value, json_type_string)) return fail_type(key, value, "a string");
    const char *text = json_object_get_string(value);
    size_t n = (size_t)json_object_get_string_len(value);
    if (!len && strlen(text) != n) return rein_fail(REIN_ERR_FORMAT, "key '%s' holds a NUL character", key);
    if (len) *len = n;
    *out = text;
    return REIN_OK;
}

rein_status rein_json_int(int64_t *out, struct json_object *obj, const char *key) {
    struct json_object *value;
    REIN_TRY(member(&value, obj, key, "an integer"));
    if (!json_object_is_type(value, json_type_int)) return fail_type(key, value, "an integer");
    /* INT64_MAX may stand for a larger one that json-c clamped */
    int64_t result = json_object_get_int64(value);
    if (result == INT64_MAX && json_object_get_uint64(value) != (uint64_t)INT64_MAX)
        return rein_fail(REIN_ERR_FORMAT, "key '%s' is an integer above 2^63 - 1", key);
    *out = result;
    return REIN_OK;
}

rein_status rein_json_double(double *out, struct json_object *obj, const char *key) {
    struct json_object *value;
    REIN_TRY(member(&value, obj, key, "a number"));
    bool integer = json_object_is_type(value, json_type_int);
    if (!integer && !json_object_is_type(value, json_type_double)) return fail_type(key, value, "a number");
    if (integer && json_object_get_uint64(value) == UINT64_MAX)
        return rein_fail(REIN_ERR_FORMAT, "key '%s' is an integer above 2^64 - 2; write it with a fraction", key);
    *out = json_object_get_double(value);
    return REIN_OK;
}

rein_status rein_json_bool(bool *out, struct json_object *obj, const char *key) {
    struct json_object *value;
    REIN_TRY(member(&value, obj, key, "a boolean"));
    if (!json_object_is_type(value, json_type_boolean)) return fail_type(key, value, "a boolean");
    *out = json_object_get_boolean(value);
    return REIN_OK;
}

rein_status rein_json_array(struct json_object **out, struct json_object *obj, const char *key) {
    struct json_object *value;
    REIN_TRY(member(&value, obj, key, "an array"));
    if (!json_object_is_type(value, json_type_array)) return fail_type(key, value, "an array");
    *out = value;
    return REIN_OK;
}

rein_status rein_json_object(struct json_object **out, struct json_object *obj, const char *key) {
    struct json_object *value;
    REIN_TRY(member(&value, obj, key, "an object"));
    if (!json_object_is_type(value, json_type_object)) return fail_type(key, value, "an object");
    *out = value;
    return REIN_OK;
}

bool rein_json_has(struct json_object *obj, const char *key) {
    struct json_object *value;
    return json_object_is_type(obj, json_type_object) && json_object_object_get_ex(obj, key, &value) && value;
}

/* ---- writing ---- */

/* True if x was written as an integer: exact, and without an exponent. */
static bool put_integer(rein_str *s, double x, double limit) {
    if (!(fabs(x) <= limit) || x != floor(x)) return false;
    /* "-0" would be read as the integer 0 */
    rein_str_printf(s, x == 0.0 && signbit(x) ? "%.1f" : "%.0f", x);
    return true;
}

void rein_json_put_f64(rein_str *s, double x) {
    char text[40];
    if (!isfinite(x)) {
        rein_str_puts(s, "null");
        return;
    }
    if (put_integer(s, x, 0x1p53)) return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    rein_str_puts(s, text);
}

void rein_json_put_f32(rein_str *s, float x) {
    char text[40];
    if (!isfinite(x)) {
        rein_str_puts(s, "null");
        return;
    }
    if (put_integer(s, (double)x, 0x1p24)) return;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)x);
        if (strtof(text, NULL) == x) break;
    }
    rein_str_puts(s, text);
}

static void put_escaped(rein_str *s, char c) {
    static const char named[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *found = memchr(named, c, sizeof named - 1);
    if (found) {
        rein_str_putc(s, '\\');
        rein_str_putc(s, letter[found - named]);
    } else {
        rein_str_printf(s, "\\u%04x", (unsigned)c);
    }
}

void rein_json_put_string(rein_str *s, const char *text, size_t len) {
    rein_str_putc(s, '"');
    for (size_t i = 0; i < len;) {
        size_t n = rein_utf8_length(text + i, len - i);
        if (n == 0)
            rein_str_puts(s, "\xEF\xBF\xBD");
        else if (n == 1 && ((unsigned char)text[i] < 0x20 || text[i] == '"' || text[i] == '\\'))
            put_escaped(s, text[i]);
        else
            rein_str_append(s, text + i, n);
        i += n ? n : 1;
    }
    rein_str_putc(s, '"');
}
