/* JSON-RPC messages; see protocol.h. */
#include "mcp/protocol.h"

#include <string.h>

#include "base/json_check.h"

static const char REPLACEMENT[] = "\xEF\xBF\xBD";

bool rein_mcp_is_legacy(const char *version) {
    static const char *const versions[] = {"2024-11-05", "2025-03-26", "2025-06-18", REIN_MCP_LATEST_LEGACY};
    for (size_t i = 0; i < REIN_COUNT(versions); i++)
        if (strcmp(version, versions[i]) == 0) return true;
    return false;
}

/* ---- reading ---- */

/* The code of an escape \uXXXX at `at`, or -1. */
static int escaped_code(const char *at, const char *end) {
    int code = 0;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
    for (int i = 2; i < 6; i++) {
        int c = at[i], lower = c | 0x20;
        if (c >= '0' && c <= '9')
            code = code * 16 + c - '0';
        else if (lower >= 'a' && lower <= 'f')
            code = code * 16 + lower - 'a' + 10;
        else
            return -1;
    }
    return code;
}

static bool in_range(int code, int from, int to) { return code >= from && code <= to; }

/* One escape: copied, or replaced if it is half of a surrogate pair. Returns its bytes. */
static size_t repair_escape(rein_str *out, const char *at, const char *end) {
    int code = escaped_code(at, end);
    size_t n = code >= 0 ? 6 : end - at >= 2 ? 2 : 1;
    bool high = in_range(code, 0xD800, 0xDBFF), low = in_range(code, 0xDC00, 0xDFFF);
    if (high && in_range(escaped_code(at + 6, end), 0xDC00, 0xDFFF))
        n = 12;
    else if (high || low)
        at = "\\ufffd";
    rein_str_append(out, at, n);
    return n;
}

static rein_status repair(rein_str *out, const char *text, size_t len) {
    for (const char *at = text, *end = text + len; at < end;) {
        size_t n = rein_utf8_length(at, (size_t)(end - at));
        if (n == 0) {
            rein_str_append(out, REPLACEMENT, sizeof REPLACEMENT - 1);
            n = 1;
        } else if (*at == '\\') {
            n = repair_escape(out, at, end);
        } else {
            rein_str_append(out, at, n);
        }
        at += n;
    }
    return rein_str_check(out);
}

rein_status rein_mcp_parse(struct json_object **out, const char *text, size_t len) {
    rein_str repaired = {0};
    rein_status status = rein_json_parse(out, "message", text, len);
    if (status == REIN_ERR_FORMAT) { /* the common case pays nothing for the others */
        status = repair(&repaired, text, len);
        bool changed = status == REIN_OK && len > 0 && (repaired.len != len || memcmp(repaired.data, text, len) != 0);
        if (status == REIN_OK)
            status = changed ? rein_json_parse(out, "message", repaired.data, repaired.len) : REIN_ERR_FORMAT;
        rein_str_deinit(&repaired);
    }
    if (status != REIN_OK) return status;
    if (json_object_is_type(*out, json_type_object) || json_object_is_type(*out, json_type_array)) return REIN_OK;
    json_object_put(*out);
    *out = NULL;
    return rein_fail(REIN_ERR_FORMAT, "message: expected a JSON object");
}

struct json_object *rein_mcp_member(struct json_object *obj, const char *key, enum json_type type) {
    struct json_object *value;
    if (!json_object_is_type(obj, json_type_object) || !json_object_object_get_ex(obj, key, &value)) return NULL;
    return json_object_is_type(value, type) ? value : NULL;
}

const char *rein_mcp_string(struct json_object *obj, const char *key) {
    struct json_object *value = rein_mcp_member(obj, key, json_type_string);
    return value ? json_object_get_string(value) : NULL;
}

/* ---- writing ---- */

void rein_mcp_put_json(rein_str *out, struct json_object *value) {
    size_t len;
    const char *text =
        json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    if (text)
        rein_str_append(out, text, len);
    else
        out->failed = true;
}

void rein_mcp_put_text(rein_str *out, const char *text) { rein_json_put_string(out, text, strlen(text)); }

void rein_mcp_put_error(rein_str *out, struct json_object *id, int code, const char *message) {
    rein_str_puts(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    rein_mcp_put_json(out, id);
    rein_str_printf(out, ",\"error\":{\"code\":%d,\"message\":", code);
    rein_mcp_put_text(out, message);
    rein_str_puts(out, "}}");
}
