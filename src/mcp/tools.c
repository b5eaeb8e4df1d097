/* Tool definitions and results; see tools.h. */
#include "mcp/tools.h"

#include <string.h>
#include <strings.h>

#include "mcp/protocol.h"

enum { MARK_DEPTH = 16, MARKS_MOST = 64 };

/* ---- what a model is shown ---- */

static bool is_required(struct json_object *schema, const char *name) {
    struct json_object *required = rein_mcp_member(schema, "required", json_type_array);
    for (size_t i = 0; required && i < json_object_array_length(required); i++) {
        struct json_object *entry = json_object_array_get_idx(required, i);
        if (json_object_is_type(entry, json_type_string) && strcmp(json_object_get_string(entry), name) == 0)
            return true;
    }
    return false;
}

void rein_mcp_put_signature(rein_str *out, struct json_object *tool) {
    const char *name = rein_mcp_string(tool, "name");
    struct json_object *schema = rein_mcp_member(tool, "inputSchema", json_type_object);
    struct json_object *properties = rein_mcp_member(schema, "properties", json_type_object);
    bool first = true;
    rein_str_printf(out, "%s(", name ? name : "?");
    if (properties) {
        json_object_object_foreach(properties, key, value) {
            (void)value;
            rein_str_printf(out, "%s%s%s", first ? "" : ", ", key, is_required(schema, key) ? "" : "?");
            first = false;
        }
    }
    rein_str_putc(out, ')');
}

static void put_part(rein_str *out, struct json_object *part) {
    const char *type = rein_mcp_string(part, "type");
    struct json_object *text = rein_mcp_member(part, "text", json_type_string);
    if (!text) text = rein_mcp_member(rein_mcp_member(part, "resource", json_type_object), "text", json_type_string);
    if (text)
        rein_str_append(out, json_object_get_string(text), (size_t)json_object_get_string_len(text));
    else
        rein_str_printf(out, "[%s]", type ? type : "?");
}

void rein_mcp_put_content(rein_str *out, struct json_object *result) {
    struct json_object *content = rein_mcp_member(result, "content", json_type_array), *structured;
    size_t n = content ? json_object_array_length(content) : 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0) rein_str_putc(out, '\n');
        put_part(out, json_object_array_get_idx(content, i));
    }
    if (n == 0 && json_object_is_type(result, json_type_object) &&
        json_object_object_get_ex(result, "structuredContent", &structured))
        rein_mcp_put_json(out, structured);
}

struct json_object *rein_mcp_find_tool(struct json_object *tools, const char *name) {
    size_t n = tools ? json_object_array_length(tools) : 0;
    for (size_t i = 0; i < n; i++) {
        struct json_object *tool = json_object_array_get_idx(tools, i);
        const char *its = rein_mcp_string(tool, "name");
        if (its && strcmp(its, name) == 0) return tool;
    }
    return NULL;
}

/* ---- headers ---- */

/* The marks of a schema in one walk without recursion: a stack of objects still to look at. `path` tells whether only
 * keys of "properties" lead there, the only places where a mark may be. */
typedef struct place {
    struct json_object *node;
    bool path;
} place;

typedef struct marks {
    const char *name[MARKS_MOST];
    int n;
} marks;

/* RFC 9110 token. */
static bool is_token(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return len > 0;
}

static const char *check_mark(marks *m, struct json_object *node, struct json_object *mark, bool path) {
    const char *type = rein_mcp_string(node, "type");
    if (!json_object_is_type(mark, json_type_string)) return "x-mcp-header is no string";
    const char *name = json_object_get_string(mark);
    if (!is_token(name, (size_t)json_object_get_string_len(mark))) return "x-mcp-header is no header name";
    if (!path) return "x-mcp-header at a place that no path of properties leads to";
    if (!type || (strcmp(type, "string") != 0 && strcmp(type, "integer") != 0 && strcmp(type, "boolean") != 0))
        return "x-mcp-header at a parameter that is no string, integer or boolean";
    for (int i = 0; i < m->n; i++)
        if (strcasecmp(m->name[i], name) == 0) return "x-mcp-header names one header twice";
    if (m->n == MARKS_MOST) return "too many x-mcp-header";
    m->name[m->n++] = name;
    return NULL;
}

static rein_status push(place **stack, int64_t *n, int64_t *cap, struct json_object *node, bool path) {
    if (!json_object_is_type(node, json_type_object) && !json_object_is_type(node, json_type_array)) return REIN_OK;
    if (*n == *cap) {
        REIN_TRY(rein_realloc(stack, *cap, *cap ? *cap * 2 : 64, sizeof **stack));
        *cap = *cap ? *cap * 2 : 64;
    }
    (*stack)[(*n)++] = (place){node, path};
    return REIN_OK;
}

/* All that is below one schema; keys of "properties" are names, not keywords. */
static rein_status push_below(place **stack, int64_t *n, int64_t *cap, place at) {
    if (json_object_is_type(at.node, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(at.node); i++)
            REIN_TRY(push(stack, n, cap, json_object_array_get_idx(at.node, i), false));
        return REIN_OK;
    }
    json_object_object_foreach(at.node, key, value) {
        bool named = strcmp(key, "properties") == 0 && json_object_is_type(value, json_type_object);
        if (strcmp(key, "x-mcp-header") == 0) continue;
        if (!named) {
            REIN_TRY(push(stack, n, cap, value, false));
            continue;
        }
        json_object_object_foreach(value, name, property) {
            (void)name;
            REIN_TRY(push(stack, n, cap, property, at.path));
        }
    }
    return REIN_OK;
}

const char *rein_mcp_check_marks(struct json_object *tool) {
    place *stack = NULL;
    int64_t n = 0, cap = 0;
    marks m = {.n = 0};
    const char *wrong = NULL;
    rein_status status = push(&stack, &n, &cap, rein_mcp_member(tool, "inputSchema", json_type_object), true);
    while (status == REIN_OK && n > 0 && !wrong) {
        place at = stack[--n];
        struct json_object *mark;
        if (json_object_is_type(at.node, json_type_object) && json_object_object_get_ex(at.node, "x-mcp-header", &mark))
            wrong = check_mark(&m, at.node, mark, at.path);
        status = push_below(&stack, &n, &cap, at);
    }
    rein_free(stack);
    return status == REIN_OK ? wrong : "out of memory";
}

static void put_base64(rein_str *out, const char *text, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *u = (const unsigned char *)text;
    for (size_t i = 0; i < len; i += 3) {
        unsigned word =
            (unsigned)u[i] << 16 | (i + 1 < len ? (unsigned)u[i + 1] << 8 : 0) | (i + 2 < len ? u[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) rein_str_putc(out, i + k > len ? '=' : digits[word >> (18 - 6 * k) & 63]);
    }
}

void rein_mcp_put_header_value(rein_str *out, const char *text, size_t len) {
    static const char begin[] = "=?base64?", end[] = "?=";
    bool plain = len == 0 || (text[0] != ' ' && text[0] != '\t' && text[len - 1] != ' ' && text[len - 1] != '\t');
    for (size_t i = 0; i < len; i++) plain = plain && ((text[i] >= 0x20 && text[i] < 0x7F) || text[i] == '\t');
    bool looks_encoded = len >= sizeof begin + sizeof end - 2 && memcmp(text, begin, sizeof begin - 1) == 0 &&
                         memcmp(text + len - 2, end, 2) == 0;
    if (plain && !looks_encoded) {
        rein_str_append(out, text, len);
        return;
    }
    rein_str_puts(out, begin);
    put_base64(out, text, len);
    rein_str_puts(out, end);
}

static void put_param_header(rein_str *out, const char *mark, struct json_object *value) {
    rein_str_printf(out, "Mcp-Param-%s: ", mark);
    if (json_object_is_type(value, json_type_string))
        rein_mcp_put_header_value(out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    else
        rein_mcp_put_json(out, value);
    rein_str_putc(out, '\n');
}

/* The schema's properties and the arguments side by side; nested objects wait on a short stack. */
void rein_mcp_put_param_headers(rein_str *out, struct json_object *tool, struct json_object *args) {
    struct json_object *schema[MARK_DEPTH] = {rein_mcp_member(tool, "inputSchema", json_type_object)};
    struct json_object *values[MARK_DEPTH] = {args};
    for (int n = 1; n > 0;) {
        n--;
        struct json_object *properties = rein_mcp_member(schema[n], "properties", json_type_object), *given = values[n];
        if (!properties) continue;
        json_object_object_foreach(properties, key, property) {
            struct json_object *value;
            if (!json_object_is_type(given, json_type_object) || !json_object_object_get_ex(given, key, &value))
                continue;
            const char *mark = rein_mcp_string(property, "x-mcp-header");
            if (mark && value && !json_object_is_type(value, json_type_object) &&
                !json_object_is_type(value, json_type_array))
                put_param_header(out, mark, value);
            if (json_object_is_type(value, json_type_object) && n < MARK_DEPTH) {
                schema[n] = property;
                values[n++] = value;
            }
        }
    }
}
