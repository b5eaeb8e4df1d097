/* What a turn with tool calls may be, as a structural tag; see toolcall.h and gen/tag.h. */
#include <string.h>

#include "text/toolcall.h"
#include "text/toolcall_impl.h"

/* ---- schemas ---- */

/* What no automaton keeps; the argument check looks at the first four. */
static const char *const dropped[] = {"minimum",       "maximum",      "exclusiveMinimum", "exclusiveMaximum",
                                      "multipleOf",    "format",       "uniqueItems",      "minProperties",
                                      "maxProperties", "propertyNames"};

static void drop_keywords(struct json_object *schema, int depth);

static void drop_in_each(struct json_object *schemas, int depth) {
    if (json_object_is_type(schemas, json_type_object)) {
        json_object_object_foreach(schemas, name, schema) {
            (void)name;
            drop_keywords(schema, depth);
        }
    }
    for (size_t i = 0; json_object_is_type(schemas, json_type_array) && i < json_object_array_length(schemas); i++)
        drop_keywords(json_object_array_get_idx(schemas, i), depth);
}

static void drop_keywords(struct json_object *schema, int depth) {
    static const char *const of_many[] = {"properties", "$defs", "definitions", "anyOf", "oneOf"};
    static const char *const of_one[] = {"items", "additionalProperties"};
    if (!json_object_is_type(schema, json_type_object) || depth == 0) return;
    for (size_t i = 0; i < REIN_COUNT(dropped); i++) json_object_object_del(schema, dropped[i]);
    for (size_t i = 0; i < REIN_COUNT(of_many); i++)
        drop_in_each(json_object_object_get(schema, of_many[i]), depth - 1);
    for (size_t i = 0; i < REIN_COUNT(of_one); i++) drop_keywords(json_object_object_get(schema, of_one[i]), depth - 1);
}

static rein_status put_member(struct json_object *obj, const char *key, struct json_object *value) {
    if (value && json_object_object_add(obj, key, value) == 0) return REIN_OK;
    json_object_put(value);
    return rein_fail(REIN_ERR_MEMORY, "out of memory for a schema");
}

/* A copy of the tool's schema that automata keep, and that is one of objects. */
static rein_status copy_schema(struct json_object **out, const rein_tool *tool) {
    static const char *const says_what[] = {"type", "$ref", "anyOf", "oneOf", "enum", "const"};
    bool said = false;
    *out = NULL;
    if (!tool->schema) *out = json_object_new_object();
    if (tool->schema && json_object_deep_copy(tool->schema, out, NULL) != 0) *out = NULL;
    if (!*out) return rein_fail(REIN_ERR_MEMORY, "out of memory for a schema");
    drop_keywords(*out, 64);
    for (size_t i = 0; i < REIN_COUNT(says_what); i++) said |= json_object_object_get_ex(*out, says_what[i], NULL);
    rein_status status = said ? REIN_OK : put_member(*out, "type", json_object_new_string("object"));
    if (status == REIN_OK && !tool->schema) status = put_member(*out, "properties", json_object_new_object());
    return status;
}

/* ---- pieces of a structural tag ---- */

static void put_json(rein_str *s, struct json_object *value) {
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (text)
        rein_str_puts(s, text);
    else
        s->failed = true;
}

static void put_text(rein_str *s, const char *key, const char *text) {
    rein_str_printf(s, "\"%s\":", key);
    rein_json_put_string(s, text, strlen(text));
}

static void put_constant(rein_str *s, const char *text) {
    rein_str_puts(s, "{\"type\":\"const_string\",");
    put_text(s, "value", text);
    rein_str_putc(s, '}');
}

static void put_regex(rein_str *s, const char *pattern) {
    rein_str_puts(s, "{\"type\":\"regex\",");
    put_text(s, "pattern", pattern);
    rein_str_putc(s, '}');
}

static void put_schema(rein_str *s, struct json_object *schema) {
    rein_str_puts(s, "{\"type\":\"json_schema\",\"json_schema\":");
    put_json(s, schema);
    rein_str_putc(s, '}');
}

/* "sequence" or "or": what stands between begin and end are its elements, with commas. */
static void begin_list(rein_str *s, const char *type) { rein_str_printf(s, "{\"type\":\"%s\",\"elements\":[", type); }
static void end_list(rein_str *s) { rein_str_puts(s, "]}"); }

/* ---- the arguments of `plain` ---- */

/* `, key=` and a value of the property's schema, with the definitions that it may refer to. */
static rein_status put_argument(rein_str *s, struct json_object *root, const char *key, struct json_object *schema,
                                bool first) {
    static const char *const definitions[] = {"$defs", "definitions"};
    struct json_object *own = NULL, *shared;
    rein_status status = REIN_OK;
    if (json_object_is_type(schema, json_type_object)) {
        if (json_object_deep_copy(schema, &own, NULL) != 0)
            return rein_fail(REIN_ERR_MEMORY, "out of memory for a schema");
        for (size_t i = 0; i < REIN_COUNT(definitions) && status == REIN_OK; i++)
            if (json_object_object_get_ex(root, definitions[i], &shared))
                status = put_member(own, definitions[i], json_object_get(shared));
    }
    rein_str name = {0};
    rein_str_printf(&name, "%s%s=", first ? "" : ", ", key);
    if (status == REIN_OK) status = rein_str_check(&name);
    if (status == REIN_OK) {
        begin_list(s, "sequence");
        put_constant(s, name.data);
        rein_str_putc(s, ',');
        put_schema(s, own ? own : schema);
        end_list(s);
    }
    rein_str_deinit(&name);
    json_object_put(own);
    return status;
}

/* The arguments from `e` on, some being written before: each, or nothing in its place. */
static rein_status put_rest(rein_str *s, struct json_object *root, struct lh_entry *e) {
    begin_list(s, "sequence");
    put_constant(s, "");
    for (; e; e = lh_entry_next(e)) {
        const char *key = lh_entry_k(e);
        bool needed = rein_tool_requires(root, key);
        rein_str_putc(s, ',');
        if (!needed) begin_list(s, "or");
        REIN_TRY(put_argument(s, root, key, (struct json_object *)lh_entry_v(e), false));
        if (needed) continue;
        rein_str_putc(s, ',');
        put_constant(s, "");
        end_list(s);
    }
    end_list(s);
    return rein_str_check(s);
}

/* All arguments: which is the first? */
static rein_status put_arguments(rein_str *s, const rein_tool *tool, struct json_object *root) {
    struct json_object *props = json_object_object_get(root, "properties");
    bool needed = false;
    begin_list(s, "or");
    struct lh_entry *e = json_object_is_type(props, json_type_object) ? json_object_get_object(props)->head : NULL;
    for (; e && !needed; e = lh_entry_next(e)) {
        const char *key = lh_entry_k(e);
        if (!rein_toolcall_is_name(key))
            return rein_fail(REIN_ERR_ARG, "tool '%.60s': the format plain cannot write an argument named '%.60s'",
                             tool->name, key);
        begin_list(s, "sequence");
        REIN_TRY(put_argument(s, root, key, (struct json_object *)lh_entry_v(e), true));
        rein_str_putc(s, ',');
        REIN_TRY(put_rest(s, root, lh_entry_next(e)));
        end_list(s);
        needed = rein_tool_requires(root, key);
        if (!needed) rein_str_putc(s, ',');
    }
    if (!needed) put_constant(s, "");
    end_list(s);
    return rein_str_check(s);
}

/* ---- calls ---- */

static rein_status put_call(rein_str *s, rein_toolcall_format format, const rein_tool *tool,
                            struct json_object *schema) {
    bool plain = format == REIN_TOOLCALL_PLAIN, hermes = format == REIN_TOOLCALL_HERMES;
    rein_str begin = {0};
    if (plain)
        rein_str_printf(&begin, "%s(", tool->name);
    else
        rein_str_printf(&begin, "%s{\"name\": \"%s\", \"%s\": ", hermes ? REIN_TAG_CALL "\n" : "", tool->name,
                        rein_toolcall_key(format));
    rein_status status = rein_str_check(&begin);
    if (status == REIN_OK) {
        rein_str_puts(s, "{\"type\":\"tag\",");
        put_text(s, "begin", begin.data);
        rein_str_puts(s, ",\"content\":");
        if (plain)
            status = put_arguments(s, tool, schema);
        else
            put_schema(s, schema);
        rein_str_putc(s, ',');
        put_text(s, "end", plain ? ")" : hermes ? "}\n" REIN_TAG_CALL_END : "}");
        rein_str_putc(s, '}');
    }
    rein_str_deinit(&begin);
    return status;
}

static rein_status put_tool(rein_str *s, rein_toolcall_format format, struct json_object *tool) {
    rein_tool parts;
    struct json_object *schema = NULL;
    REIN_TRY(rein_tool_parts(&parts, tool));
    if (!rein_toolcall_is_name(parts.name))
        return rein_fail(REIN_ERR_ARG, "tool name '%.60s': 1 to 128 letters, digits and _ . / - are wanted",
                         parts.name);
    rein_status status = copy_schema(&schema, &parts);
    if (status == REIN_OK) status = put_call(s, format, &parts, schema);
    json_object_put(schema);
    return status;
}

static rein_status put_calls(rein_str *s, rein_toolcall_format format, struct json_object *tools, bool one) {
    rein_str_puts(s, "{\"type\":\"tags_with_separator\",\"tags\":[");
    for (size_t i = 0; i < json_object_array_length(tools); i++) {
        if (i) rein_str_putc(s, ',');
        REIN_TRY(put_tool(s, format, json_object_array_get_idx(tools, i)));
    }
    rein_str_puts(s, "],");
    put_text(s, "separator", rein_toolcall_separator(format));
    rein_str_printf(s, ",\"at_least_one\":true,\"stop_after_first\":%s}", one ? "true" : "false");
    return rein_str_check(s);
}

/* ---- turns ---- */

static rein_status put_turn(rein_str *s, rein_toolcall_format format, struct json_object *tools,
                            rein_toolcall_turn turn) {
    static const char *const answer[] = {"[^<]+", "[^{<\\s][^{<]*", "[^(<]+"};
    rein_str_puts(s, "{\"type\":\"structural_tag\",\"format\":");
    begin_list(s, "sequence");
    if (turn.think) put_regex(s, "(<think>[^<]*</think>\\n{0,2})?");
    if (turn.think) rein_str_putc(s, ',');
    begin_list(s, "or");
    begin_list(s, "sequence");
    put_regex(s, format == REIN_TOOLCALL_HERMES ? "[^<]*" : "");
    rein_str_putc(s, ',');
    REIN_TRY(put_calls(s, format, tools, turn.one));
    end_list(s);
    if (turn.answer) rein_str_putc(s, ',');
    if (turn.answer) put_regex(s, answer[format]);
    end_list(s);
    end_list(s);
    rein_str_putc(s, '}');
    return rein_str_check(s);
}

rein_status rein_toolcall_grammar(rein_str *out, rein_toolcall_format format, struct json_object *tools,
                                  rein_toolcall_turn turn) {
    rein_str text = {0};
    if (!json_object_is_type(tools, json_type_array) || json_object_array_length(tools) == 0)
        return rein_fail(REIN_ERR_FORMAT, "tools must be a list with at least one tool");
    rein_status status = put_turn(&text, format, tools, turn);
    if (status == REIN_OK) rein_str_append(out, text.data, text.len);
    if (status == REIN_OK) status = rein_str_check(out);
    rein_str_deinit(&text);
    return status;
}
