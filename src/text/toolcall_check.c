/* Arguments of a call against the tool's schema; see toolcall.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/bytelevel.h"
#include "text/toolcall.h"
#include "text/toolcall_impl.h"

enum { STEPS = 100000, DEPTH = 64, SHOWN = 40, PATH = 160 };

typedef struct checker {
    struct json_object *root;
    rein_str *error; /* NULL while alternatives are tried */
    int64_t steps;   /* left: a schema of references to itself must not take for ever */
    int depth;
    char path[PATH]; /* of the value at hand: "entities[0].name"; "" is all arguments */
} checker;

static bool fits(checker *c, struct json_object *value, struct json_object *schema);

static struct json_object *member(struct json_object *obj, const char *key) {
    struct json_object *value = NULL;
    return json_object_is_type(obj, json_type_object) && json_object_object_get_ex(obj, key, &value) ? value : NULL;
}

/* ---- what is wrong ---- */

/* "'path' is VALUE; " and what is wanted; false. */
static bool refuse(checker *c, struct json_object *value, const char *fmt, ...) REIN_PRINTF(3, 4);
static bool refuse(checker *c, struct json_object *value, const char *fmt, ...) {
    char wanted[400];
    va_list args;
    if (!c->error) return false;
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    size_t len = strlen(text), n = 0, size;
    while (n < len && (rein_utf8_decode(text + n, len - n, &size), n + size <= SHOWN)) n += size;
    va_start(args, fmt);
    vsnprintf(wanted, sizeof wanted, fmt, args);
    va_end(args);
    rein_str_printf(c->error, "argument '%s' is %.*s%s; it must be %s", c->path, (int)n, text, n < len ? "..." : "",
                    wanted);
    return false;
}

/* A key that should or should not be in an object; false. */
static bool refuse_key(checker *c, const char *what, const char *key, struct json_object *schema) {
    struct json_object *props = member(schema, "properties");
    const char *before = "; known are: ";
    if (!c->error) return false;
    rein_str_printf(c->error, "%s argument '%s%s%.80s'", what, c->path, c->path[0] ? "." : "", key);
    if (!json_object_is_type(props, json_type_object)) return false;
    json_object_object_foreach(props, name, unused) {
        (void)unused;
        rein_str_printf(c->error, "%s%s", before, name);
        before = ", ";
    }
    return false;
}

static size_t enter(checker *c, const char *fmt, ...) REIN_PRINTF(2, 3);
static size_t enter(checker *c, const char *fmt, ...) {
    size_t before = strlen(c->path);
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->path + before, sizeof c->path - before, fmt, args);
    va_end(args);
    return before;
}

/* ---- types ---- */

static bool has_type(struct json_object *value, const char *type) {
    static const char *const names[] = {"null",   "boolean", "number", "integer",
                                        "object", "array",   "string"}; /* as json_type */
    const char *own = names[json_object_get_type(value)];
    return strcmp(own, type) == 0 || (strcmp(own, "integer") == 0 && strcmp(type, "number") == 0);
}

static bool check_type(checker *c, struct json_object *value, struct json_object *type) {
    char list[100] = "";
    if (json_object_is_type(type, json_type_string)) {
        const char *name = json_object_get_string(type);
        bool text = json_object_is_type(value, json_type_string);
        bool unquoted =
            text && (strcmp(name, "integer") == 0 || strcmp(name, "number") == 0 || strcmp(name, "boolean") == 0);
        if (has_type(value, name)) return true;
        return refuse(c, value, "of type %.40s%s", name, unquoted ? ", without quotes" : "");
    }
    if (!json_object_is_type(type, json_type_array)) return true;
    for (size_t i = 0, n = 0; i < json_object_array_length(type); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(type, i));
        if (!name || has_type(value, name)) return true;
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%.12s", i ? " or " : "", name);
        if (n >= sizeof list) break;
    }
    return refuse(c, value, "of type %s", list);
}

static bool check_constant(checker *c, struct json_object *value, struct json_object *schema) {
    struct json_object *list = member(schema, "enum"), *constant = NULL;
    char text[300] = "";
    if (json_object_object_get_ex(schema, "const", &constant) && !json_object_equal(value, constant))
        return refuse(c, value, "%.200s", json_object_to_json_string(constant));
    if (!json_object_is_type(list, json_type_array)) return true;
    for (size_t i = 0, n = 0; i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        if (json_object_equal(value, one)) return true;
        if (n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%.60s", i ? ", " : "", json_object_to_json_string(one));
    }
    return refuse(c, value, "one of %s", text);
}

/* ---- sizes ---- */

/* The schema's limit `key` as a number. */
static bool limit(double *out, struct json_object *schema, const char *key) {
    struct json_object *x = member(schema, key);
    if (!json_object_is_type(x, json_type_int) && !json_object_is_type(x, json_type_double)) return false;
    *out = json_object_get_double(x);
    return true;
}

static bool check_range(checker *c, struct json_object *value, double x, struct json_object *schema, const char *low,
                        const char *high, const char *unit) {
    double bound;
    if (limit(&bound, schema, low) && x < bound) return refuse(c, value, "at least %.17g%s", bound, unit);
    if (limit(&bound, schema, high) && x > bound) return refuse(c, value, "at most %.17g%s", bound, unit);
    return true;
}

static bool check_number(checker *c, struct json_object *value, struct json_object *schema) {
    double x = json_object_get_double(value), bound;
    if (limit(&bound, schema, "exclusiveMinimum") && x <= bound) return refuse(c, value, "more than %.17g", bound);
    if (limit(&bound, schema, "exclusiveMaximum") && x >= bound) return refuse(c, value, "less than %.17g", bound);
    return check_range(c, value, x, schema, "minimum", "maximum", "");
}

static bool check_string(checker *c, struct json_object *value, struct json_object *schema) {
    const char *text = json_object_get_string(value);
    size_t len = (size_t)json_object_get_string_len(value), size;
    int64_t n = 0;
    for (size_t at = 0; at < len; at += size, n++) rein_utf8_decode(text + at, len - at, &size);
    return check_range(c, value, (double)n, schema, "minLength", "maxLength", " characters long");
}

/* ---- arrays and objects ---- */

static bool check_array(checker *c, struct json_object *value, struct json_object *schema) {
    struct json_object *items = member(schema, "items");
    size_t n = json_object_array_length(value);
    if (!check_range(c, value, (double)n, schema, "minItems", "maxItems", " items long")) return false;
    for (size_t i = 0; items && i < n; i++) {
        size_t before = enter(c, "[%zu]", i);
        if (!fits(c, json_object_array_get_idx(value, i), items)) return false;
        c->path[before] = '\0';
    }
    return true;
}

/* The schema of what is not among the properties: *closed if nothing may be. */
static struct json_object *other_members(struct json_object *schema, bool *closed) {
    struct json_object *more = NULL;
    bool given = json_object_object_get_ex(schema, "additionalProperties", &more);
    *closed = given ? json_object_is_type(more, json_type_boolean) && !json_object_get_boolean(more)
                    : member(schema, "properties") != NULL;
    return json_object_is_type(more, json_type_object) ? more : NULL;
}

static bool check_object(checker *c, struct json_object *value, struct json_object *schema) {
    struct json_object *props = member(schema, "properties"), *required = member(schema, "required"), *own;
    bool closed;
    struct json_object *more = other_members(schema, &closed);
    json_object_object_foreach(value, name, x) {
        bool known = json_object_is_type(props, json_type_object) && json_object_object_get_ex(props, name, &own);
        (void)x;
        if (!known && closed) return refuse_key(c, "unknown", name, schema);
    }
    for (size_t i = 0; json_object_is_type(required, json_type_array) && i < json_object_array_length(required); i++) {
        const char *needed = json_object_get_string(json_object_array_get_idx(required, i));
        if (needed && !json_object_object_get_ex(value, needed, NULL)) return refuse_key(c, "missing", needed, schema);
    }
    json_object_object_foreach(value, key, item) {
        bool known = json_object_is_type(props, json_type_object) && json_object_object_get_ex(props, key, &own);
        size_t before = enter(c, "%s%.80s", c->path[0] ? "." : "", key);
        if ((known || more) && !fits(c, item, known ? own : more)) return false;
        c->path[before] = '\0';
    }
    return true;
}

/* ---- schemas ---- */

/* One of the alternatives must fit; for oneOf, too, more than one is no trouble to a tool. */
static bool check_options(checker *c, struct json_object *value, struct json_object *list) {
    rein_str *error = c->error;
    bool found = !json_object_is_type(list, json_type_array);
    size_t path = strlen(c->path);
    c->error = NULL;
    for (size_t i = 0; !found && i < json_object_array_length(list); i++) {
        found = fits(c, value, json_object_array_get_idx(list, i));
        c->path[path] = '\0';
    }
    c->error = error;
    return found ||
           refuse(c, value, "one of the forms %.300s", json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
}

static bool fits_schema(checker *c, struct json_object *value, struct json_object *schema) {
    if (!check_type(c, value, member(schema, "type")) || !check_constant(c, value, schema)) return false;
    if (!check_options(c, value, member(schema, "anyOf")) || !check_options(c, value, member(schema, "oneOf")))
        return false;
    switch (json_object_get_type(value)) {
    case json_type_int:
    case json_type_double:
        return check_number(c, value, schema);
    case json_type_string:
        return check_string(c, value, schema);
    case json_type_array:
        return check_array(c, value, schema);
    case json_type_object:
        return check_object(c, value, schema);
    default:
        return true;
    }
}

static bool fits(checker *c, struct json_object *value, struct json_object *schema) {
    if (c->depth >= DEPTH || c->steps-- <= 0) return true;
    c->depth++;
    schema = rein_tool_refer(c->root, schema);
    if (schema && json_object_object_get_ex(schema, "$ref", NULL)) { /* a reference to a reference */
        bool same = fits(c, value, schema);
        c->depth--;
        return same;
    }
    bool ok = !json_object_is_type(schema, json_type_object) || fits_schema(c, value, schema);
    c->depth--;
    return ok;
}

rein_status rein_tool_check(rein_str *error, struct json_object *tool, struct json_object *arguments) {
    rein_tool parts;
    REIN_TRY(rein_tool_parts(&parts, tool));
    checker c = {.root = parts.schema, .error = error, .steps = STEPS};
    size_t before = error->len;
    if (!parts.schema && json_object_object_length(arguments) > 0)
        rein_str_printf(error, "%s takes no arguments", parts.name);
    else if (parts.schema)
        (void)fits(&c, arguments, parts.schema);
    REIN_TRY(rein_str_check(error));
    if (error->len > before) rein_toolcall_clean(error->data + before);
    return REIN_OK;
}
