/* Tools: their parts, and their one-line signatures; see toolcall.h. */
#include <json-c/json_pointer.h>
#include <string.h>

#include "text/bytelevel.h"
#include "text/toolcall.h"
#include "text/toolcall_impl.h"

enum { SENTENCE = 120, CONSTANTS = 60, DEPTH = 4 };

static struct json_object *member(struct json_object *obj, const char *key) {
    struct json_object *value = NULL;
    return json_object_is_type(obj, json_type_object) && json_object_object_get_ex(obj, key, &value) ? value : NULL;
}

/* ---- parts ---- */

rein_status rein_tool_parts(rein_tool *out, struct json_object *tool) {
    struct json_object *function = member(tool, "function"), *description;
    if (function) tool = function;
    *out = (rein_tool){.description = ""};
    rein_status status = rein_json_string(&out->name, NULL, tool, "name");
    if (status != REIN_OK) return rein_error_prefix(status, "not a tool");
    if (out->name[0] == '\0') return rein_fail(REIN_ERR_FORMAT, "not a tool: its name is empty");
    description = member(tool, "description");
    if (json_object_is_type(description, json_type_string)) out->description = json_object_get_string(description);
    out->schema = member(tool, function ? "parameters" : "inputSchema");
    if (!out->schema) out->schema = member(tool, function ? "inputSchema" : "parameters");
    if (out->schema && !json_object_is_type(out->schema, json_type_object))
        return rein_fail(REIN_ERR_FORMAT, "tool '%.60s': its schema is no object", out->name);
    return REIN_OK;
}

rein_status rein_tool_name(const char **out, struct json_object *tool) {
    rein_tool parts;
    REIN_TRY(rein_tool_parts(&parts, tool));
    *out = parts.name;
    return REIN_OK;
}

struct json_object *rein_tool_refer(struct json_object *root, struct json_object *schema) {
    struct json_object *ref = member(schema, "$ref"), *target = NULL;
    const char *at = json_object_is_type(ref, json_type_string) ? json_object_get_string(ref) : NULL;
    if (!at) return schema;
    if (at[0] != '#' || json_pointer_get(root, at + 1, &target) != 0) return NULL;
    return target;
}

bool rein_tool_requires(struct json_object *schema, const char *key) {
    struct json_object *required = member(schema, "required");
    for (size_t i = 0; json_object_is_type(required, json_type_array) && i < json_object_array_length(required); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(required, i));
        if (name && strcmp(name, key) == 0) return true;
    }
    return false;
}

/* ---- types as text ---- */

typedef struct signature {
    rein_str *out;
    struct json_object *root;
} signature;

static void put_type(const signature *s, struct json_object *schema, int depth);

/* `symbol: string, days?: integer` */
static void put_members(const signature *s, struct json_object *schema, int depth) {
    struct json_object *props = member(schema, "properties");
    const char *before = "";
    if (!json_object_is_type(props, json_type_object)) return;
    json_object_object_foreach(props, key, value) {
        rein_str_printf(s->out, "%s%s%s: ", before, key, rein_tool_requires(schema, key) ? "" : "?");
        put_type(s, value, depth);
        before = ", ";
    }
}

/* The constants of an enum, if they are short. */
static bool put_constants(const signature *s, struct json_object *list) {
    size_t before = s->out->len;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        if (i) rein_str_putc(s->out, '|');
        rein_str_puts(
            s->out, json_object_to_json_string_ext(json_object_array_get_idx(list, i), JSON_C_TO_STRING_NOSLASHESCAPE));
    }
    if (s->out->len - before <= CONSTANTS) return true;
    s->out->data[s->out->len = before] = '\0';
    return false;
}

static void put_options(const signature *s, struct json_object *list, int depth) {
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *option = json_object_array_get_idx(list, i);
        if (i) rein_str_putc(s->out, '|');
        if (json_object_is_type(option, json_type_string))
            rein_str_puts(s->out, json_object_get_string(option));
        else
            put_type(s, option, depth);
    }
}

static void put_named(const signature *s, struct json_object *schema, const char *type, int depth) {
    bool object = strcmp(type, "object") == 0 && member(schema, "properties") && depth < DEPTH;
    bool array = strcmp(type, "array") == 0 && member(schema, "items") && depth < DEPTH;
    if (object) {
        rein_str_putc(s->out, '{');
        put_members(s, schema, depth);
        rein_str_putc(s->out, '}');
    } else if (array) {
        size_t before = s->out->len;
        put_type(s, member(schema, "items"), depth);
        bool many = !s->out->failed && strchr(s->out->data + before, '|') && s->out->data[before] != '{';
        rein_str_puts(s->out, many ? " list" : "[]");
    } else {
        rein_str_puts(s->out, type);
    }
}

static void put_type(const signature *s, struct json_object *schema, int depth) {
    schema = rein_tool_refer(s->root, schema);
    struct json_object *list = member(schema, "enum"), *type = member(schema, "type"),
                       *options = member(schema, "anyOf");
    if (!options) options = member(schema, "oneOf");
    if (json_object_is_type(type, json_type_array)) options = type;
    if (json_object_is_type(list, json_type_array) && json_object_array_length(list) > 0 && put_constants(s, list))
        return;
    if (json_object_is_type(options, json_type_array) && depth < DEPTH)
        put_options(s, options, depth + 1);
    else
        put_named(s, schema, json_object_is_type(type, json_type_string) ? json_object_get_string(type) : "any",
                  depth + 1);
}

/* ---- signatures ---- */

/* Up to the first full stop before a blank, or the end of the line; cut at SENTENCE bytes, between characters. */
static size_t sentence_length(const char *text) {
    size_t n = 0, size;
    while (text[n] && text[n] != '\n' &&
           !(text[n] == '.' && (text[n + 1] == ' ' || text[n + 1] == '\n' || !text[n + 1])))
        n++;
    if (n <= SENTENCE) return n;
    for (n = 0;; n += size) {
        rein_utf8_decode(text + n, strlen(text + n), &size);
        if (n + size > SENTENCE) return n;
    }
}

rein_status rein_tool_signature(rein_str *out, struct json_object *tool) {
    rein_tool parts;
    size_t before = out->len;
    REIN_TRY(rein_tool_parts(&parts, tool));
    const char *sentence = parts.description + strspn(parts.description, " \t\r\n");
    rein_str_printf(out, "%s(", parts.name);
    put_members(&(signature){out, parts.schema}, rein_tool_refer(parts.schema, parts.schema), 0);
    rein_str_putc(out, ')');
    if (*sentence) rein_str_puts(out, " - ");
    rein_str_append(out, sentence, sentence_length(sentence));
    REIN_TRY(rein_str_check(out));
    rein_toolcall_clean(out->data + before); /* a server's names and words */
    return REIN_OK;
}
