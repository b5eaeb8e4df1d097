/* JSON Schema to automata, by descent through the schema; see schema.h. */
#include "gen/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/pattern.h"
#include "gen/tag.h"

enum { MAX_DEPTH = 64, MAX_OPTIONS = 64, NO_LIMIT = -1, PATH = 200 };

typedef struct schema {
    rein_nfa *nfa;
    struct json_object *root;
    struct json_object *open[MAX_DEPTH]; /* schemas around the current one, to see a $ref come back */
    int depth;
    char path[PATH]; /* of the current schema, for errors; cut off when long */
} schema;

static rein_status value(schema *s, int32_t from, int32_t to, struct json_object *obj, const char *key);
static rein_status any_value(schema *s, int32_t from, int32_t to, int depth);

static rein_status refuse(const schema *s, const char *what, const char *name) {
    return rein_fail(REIN_ERR_FORMAT, "schema at '%s': %s '%.60s'", s->path[0] ? s->path : "/", what, name);
}

static struct json_object *member(struct json_object *obj, const char *key) {
    return json_object_object_get(obj, key);
}

/* Append to the path; returns its length before, for leave(). */
static size_t enter(schema *s, const char *key) {
    size_t before = strlen(s->path);
    snprintf(s->path + before, sizeof s->path - before, "/%s", key);
    return before;
}

static void leave(schema *s, size_t before) { s->path[before] = '\0'; }

/* ---- pieces of text ---- */

static void literal(schema *s, int32_t from, int32_t to, const char *text) {
    rein_nfa_text(s->nfa, from, to, text, strlen(text));
}

/* A comma or colon, then at most one space. */
static void separator(schema *s, int32_t from, int32_t to, const char *mark) {
    int32_t behind = rein_nfa_state(s->nfa);
    literal(s, from, behind, mark);
    literal(s, behind, to, " ");
    rein_nfa_empty(s->nfa, behind, to);
}

static rein_status pattern(schema *s, int32_t from, int32_t to, const char *text) {
    return rein_pattern_compile(s->nfa, from, to, text, strlen(text), REIN_PATTERN_WHOLE);
}

/* One character of a string, or its escape; no escaped surrogates, which only pairs would make a character. */
static rein_status string_char(schema *s, int32_t from, int32_t to) {
    return pattern(s, from, to, "[^\"\\\\\\x00-\\x1f]|\\\\([\"\\\\/bfnrt]|u([0-9a-cA-CefEF][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{2})");
}

static rein_status limits(schema *s, struct json_object *obj, const char *low, const char *high, int64_t *least,
                          int64_t *most) {
    const char *key[] = {low, high};
    int64_t *out[] = {least, most};
    *least = 0;
    *most = NO_LIMIT;
    for (int i = 0; i < 2; i++) {
        if (!rein_json_has(obj, key[i])) continue;
        if (rein_json_int(out[i], obj, key[i]) != REIN_OK || *out[i] < 0)
            return refuse(s, "not a whole number >= 0:", key[i]);
    }
    return *most != NO_LIMIT && *most < *least ? refuse(s, "less than its counterpart:", high) : REIN_OK;
}

typedef rein_status (*piece)(schema *s, int32_t from, int32_t to, struct json_object *of);

/* `least` to `most` pieces with a separator between them. */
static rein_status repeat(schema *s, int32_t from, int32_t to, int64_t least, int64_t most, bool commas, piece add,
                          struct json_object *of) {
    int32_t in = from, out = from;
    int64_t copies = most != NO_LIMIT ? most : least > 1 ? least : 1;
    if (least == 0) rein_nfa_empty(s->nfa, from, to);
    for (int64_t i = 0; i < copies && !s->nfa->failed; i++) {
        in = rein_nfa_state(s->nfa);
        if (i > 0 && commas)
            separator(s, out, in, ",");
        else
            rein_nfa_empty(s->nfa, out, in);
        out = rein_nfa_state(s->nfa);
        REIN_TRY(add(s, in, out, of));
        if (i + 1 >= least) rein_nfa_empty(s->nfa, out, to);
    }
    if (most == NO_LIMIT && commas) separator(s, out, in, ",");
    if (most == NO_LIMIT && !commas) rein_nfa_empty(s->nfa, out, in);
    return rein_nfa_check(s->nfa);
}

/* ---- scalars ---- */

static rein_status char_piece(schema *s, int32_t from, int32_t to, struct json_object *of) {
    (void)of;
    return string_char(s, from, to);
}

static rein_status string(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    int64_t least, most;
    int32_t begin = rein_nfa_state(s->nfa), end = rein_nfa_state(s->nfa);
    REIN_TRY(limits(s, obj, "minLength", "maxLength", &least, &most));
    literal(s, from, begin, "\"");
    literal(s, end, to, "\"");
    if (!rein_json_has(obj, "pattern")) return repeat(s, begin, end, least, most, false, char_piece, NULL);
    const char *text;
    size_t len;
    if (least > 0 || most != NO_LIMIT) return refuse(s, "cannot be joined with a length; put it into the", "pattern");
    REIN_TRY(rein_json_string(&text, &len, obj, "pattern"));
    rein_status status = rein_pattern_compile(s->nfa, begin, end, text, len, REIN_PATTERN_JSON);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "schema at '%s'", s->path);
}

static rein_status integer(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    (void)obj;
    return pattern(s, from, to, "-?(0|[1-9][0-9]{0,17})");
}

static rein_status number(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    (void)obj;
    return pattern(s, from, to, "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?");
}

static rein_status boolean(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    (void)obj;
    literal(s, from, to, "true");
    literal(s, from, to, "false");
    return REIN_OK;
}

static rein_status null(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    (void)obj;
    literal(s, from, to, "null");
    return REIN_OK;
}

static rein_status constant(schema *s, int32_t from, int32_t to, struct json_object *x) {
    const char *text = x ? json_object_to_json_string_ext(x, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : "null";
    if (!text) return rein_fail(REIN_ERR_MEMORY, "out of memory for a constant of a schema");
    literal(s, from, to, text);
    return REIN_OK;
}

/* ---- arrays ---- */

static rein_status item_piece(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    return value(s, from, to, obj, "items");
}

static rein_status array(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    int64_t least, most;
    int32_t begin = rein_nfa_state(s->nfa), end = rein_nfa_state(s->nfa);
    REIN_TRY(limits(s, obj, "minItems", "maxItems", &least, &most));
    literal(s, from, begin, "[");
    literal(s, end, to, "]");
    return repeat(s, begin, end, least, most, true, item_piece, obj);
}

/* ---- objects ---- */

static bool is_required(struct json_object *required, const char *name) {
    for (size_t i = 0; required && i < json_object_array_length(required); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(required, i)), name) == 0) return true;
    return false;
}

static rein_status check_required(schema *s, struct json_object *required, struct json_object *props) {
    if (!required) return REIN_OK;
    if (!json_object_is_type(required, json_type_array)) return refuse(s, "not an array:", "required");
    for (size_t i = 0; i < json_object_array_length(required); i++) {
        struct json_object *name = json_object_array_get_idx(required, i);
        if (!json_object_is_type(name, json_type_string)) return refuse(s, "not an array of strings:", "required");
        if (!props || !json_object_object_get_ex(props, json_object_get_string(name), NULL))
            return refuse(s, "required, but not among properties:", json_object_get_string(name));
    }
    return REIN_OK;
}

/* Members as two rails through the properties: nothing written yet, or something, which a comma must follow. */
static rein_status members(schema *s, int32_t *nothing, int32_t *some, struct json_object *props,
                           struct json_object *required) {
    if (!props) return REIN_OK;
    size_t path = enter(s, "properties");
    json_object_object_foreach(props, name, unused) {
        int32_t key = rein_nfa_state(s->nfa), colon = rein_nfa_state(s->nfa), begin = rein_nfa_state(s->nfa);
        int32_t next = rein_nfa_state(s->nfa);
        (void)unused;
        struct json_object *text = json_object_new_string(name);
        if (!text) return rein_fail(REIN_ERR_MEMORY, "out of memory for a schema");
        if (*nothing >= 0) rein_nfa_empty(s->nfa, *nothing, key);
        if (*some >= 0) separator(s, *some, key, ",");
        rein_status status = constant(s, key, colon, text);
        json_object_put(text);
        REIN_TRY(status);
        separator(s, colon, begin, ":");
        REIN_TRY(value(s, begin, next, props, name));
        bool needed = is_required(required, name);
        if (!needed && *some >= 0) rein_nfa_empty(s->nfa, *some, next);
        if (needed) *nothing = -1;
        *some = next;
    }
    leave(s, path);
    return rein_nfa_check(s->nfa);
}

static rein_status object(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    struct json_object *props = member(obj, "properties"), *required = member(obj, "required"), *more;
    int32_t nothing = rein_nfa_state(s->nfa), some = -1, end = rein_nfa_state(s->nfa);
    bool open = !props, given = json_object_object_get_ex(obj, "additionalProperties", &more);
    if (props && !json_object_is_type(props, json_type_object)) return refuse(s, "not an object:", "properties");
    REIN_TRY(check_required(s, required, props));
    if (given) open = !json_object_is_type(more, json_type_boolean) || json_object_get_boolean(more);
    literal(s, from, nothing, "{");
    literal(s, end, to, "}");
    REIN_TRY(members(s, &nothing, &some, props, required));
    if (open) {
        int32_t key = rein_nfa_state(s->nfa), colon = rein_nfa_state(s->nfa), begin = rein_nfa_state(s->nfa);
        int32_t last = rein_nfa_state(s->nfa);
        if (some >= 0) rein_nfa_empty(s->nfa, some, last);
        some = last;
        if (nothing >= 0) rein_nfa_empty(s->nfa, nothing, key);
        separator(s, some, key, ",");
        REIN_TRY(rein_schema_other_name(s->nfa, key, colon, props));
        separator(s, colon, begin, ":");
        REIN_TRY(value(s, begin, some, obj, "additionalProperties"));
    }
    if (nothing >= 0) rein_nfa_empty(s->nfa, nothing, end);
    if (some >= 0) rein_nfa_empty(s->nfa, some, end);
    return rein_nfa_check(s->nfa);
}

/* ---- any value, for what has no schema ---- */

static rein_status any_value(schema *s, int32_t from, int32_t to, int depth) {
    static const piece scalar[] = {number, boolean, null};
    int32_t quote = rein_nfa_state(s->nfa), closing = rein_nfa_state(s->nfa);
    for (size_t i = 0; i < REIN_COUNT(scalar); i++) REIN_TRY(scalar[i](s, from, to, NULL));
    literal(s, from, quote, "\"");
    literal(s, closing, to, "\"");
    REIN_TRY(repeat(s, quote, closing, 0, NO_LIMIT, false, char_piece, NULL));
    if (depth == 0) return rein_nfa_check(s->nfa);
    int32_t in = rein_nfa_state(s->nfa), out = rein_nfa_state(s->nfa), first = rein_nfa_state(s->nfa);
    literal(s, from, first, "[");
    rein_nfa_empty(s->nfa, first, in);
    separator(s, out, in, ",");
    REIN_TRY(any_value(s, in, out, depth - 1));
    literal(s, first, to, "]");
    literal(s, out, to, "]");
    int32_t key = rein_nfa_state(s->nfa), colon = rein_nfa_state(s->nfa), begin = rein_nfa_state(s->nfa);
    int32_t end = rein_nfa_state(s->nfa), brace = rein_nfa_state(s->nfa);
    literal(s, from, brace, "{");
    rein_nfa_empty(s->nfa, brace, key);
    separator(s, end, key, ",");
    REIN_TRY(rein_schema_other_name(s->nfa, key, colon, NULL));
    separator(s, colon, begin, ":");
    REIN_TRY(any_value(s, begin, end, depth - 1));
    literal(s, brace, to, "}");
    literal(s, end, to, "}");
    return rein_nfa_check(s->nfa);
}

/* ---- schemas ---- */

static const struct {
    const char *name;
    piece add;
    const char *implied_by[4]; /* keywords that mean this type where none is given */
} types[] = {
    {"object", object, {"properties", "required", "additionalProperties", NULL}},
    {"array", array, {"items", "minItems", "maxItems", NULL}},
    {"string", string, {"pattern", "minLength", "maxLength", NULL}},
    {"integer", integer, {NULL}},
    {"number", number, {NULL}},
    {"boolean", boolean, {NULL}},
    {"null", null, {NULL}},
};

static rein_status check_keywords(const schema *s, struct json_object *obj) {
    static const char *const known[] = {
        "type", "enum", "const", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "pattern",
        "minLength", "maxLength", "anyOf", "oneOf", "$ref", "$defs", "definitions", "title", "description", "default",
        "examples", "$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly"};
    static const char *const alone[] = {"enum", "const", "anyOf", "oneOf", "$ref"};
    const char *one = NULL;
    for (size_t i = 0; i < REIN_COUNT(alone); i++) {
        if (!json_object_object_get_ex(obj, alone[i], NULL)) continue;
        if (one) return refuse(s, "cannot stand together with others of its kind:", alone[i]);
        one = alone[i];
    }
    json_object_object_foreach(obj, key, unused) {
        size_t i = 0;
        (void)unused;
        while (i < REIN_COUNT(known) && strcmp(known[i], key) != 0) i++;
        if (i == REIN_COUNT(known)) return refuse(s, "a keyword that cannot be kept:", key);
        bool constrains = i < 12 && strcmp(key, one ? one : "") != 0;
        bool type_of_constant = one && strcmp(key, "type") == 0 && (strcmp(one, "enum") == 0 || strcmp(one, "const") == 0);
        if (one && constrains && !type_of_constant) return refuse(s, "cannot stand beside enum, const, anyOf, oneOf, $ref:", key);
    }
    return REIN_OK;
}

static rein_status typed(schema *s, int32_t from, int32_t to, struct json_object *obj, const char *name) {
    for (size_t i = 0; i < REIN_COUNT(types); i++)
        if (strcmp(types[i].name, name) == 0) return types[i].add(s, from, to, obj);
    return refuse(s, "no such type:", name);
}

static bool has_type(struct json_object *x, const char *name) {
    static const char *const names[] = {"null", "boolean", "number", "integer", "object", "array", "string"}; /* as json_type */
    const char *own = names[json_object_get_type(x)];
    return strcmp(own, name) == 0 || (strcmp(own, "integer") == 0 && strcmp(name, "number") == 0);
}

static rein_status check_type(const schema *s, struct json_object *x, struct json_object *type) {
    bool fits = !type;
    if (json_object_is_type(type, json_type_string)) fits = has_type(x, json_object_get_string(type));
    for (size_t i = 0; json_object_is_type(type, json_type_array) && i < json_object_array_length(type); i++)
        fits |= has_type(x, json_object_get_string(json_object_array_get_idx(type, i)));
    return fits ? REIN_OK : refuse(s, "a constant is not of the given type:", x ? json_object_to_json_string(x) : "null");
}

static rein_status constants(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    struct json_object *list = member(obj, "enum"), *type = member(obj, "type");
    if (!json_object_object_get_ex(obj, "enum", NULL)) {
        REIN_TRY(check_type(s, member(obj, "const"), type));
        return constant(s, from, to, member(obj, "const"));
    }
    if (!json_object_is_type(list, json_type_array)) return refuse(s, "not an array:", "enum");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        REIN_TRY(check_type(s, json_object_array_get_idx(list, i), type));
        REIN_TRY(constant(s, from, to, json_object_array_get_idx(list, i)));
    }
    return REIN_OK;
}

/* One of a list of schemas; oneOf: no text may fit two of them. */
static rein_status options(schema *s, int32_t from, int32_t to, struct json_object *list, bool apart) {
    int32_t in[MAX_OPTIONS], out[MAX_OPTIONS];
    char number_text[24];
    if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) < 1 ||
        json_object_array_length(list) > MAX_OPTIONS)
        return refuse(s, "not an array of 1 to 64 schemas:", apart ? "oneOf" : "anyOf");
    size_t path = enter(s, apart ? "oneOf" : "anyOf");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        bool both = false;
        in[i] = rein_nfa_state(s->nfa);
        out[i] = rein_nfa_state(s->nfa);
        snprintf(number_text, sizeof number_text, "%zu", i);
        REIN_TRY(value(s, in[i], out[i], list, number_text));
        for (size_t k = 0; apart && k < i && !both; k++)
            REIN_TRY(rein_nfa_overlap(&both, s->nfa, in[k], out[k], in[i], out[i]));
        if (both) return refuse(s, "an alternative of oneOf has texts that an earlier one has too:", number_text);
        rein_nfa_empty(s->nfa, from, in[i]);
        rein_nfa_empty(s->nfa, out[i], to);
    }
    leave(s, path);
    return rein_nfa_check(s->nfa);
}

/* The member that a JSON pointer's next part names. */
static struct json_object *pointed(struct json_object *at, const char *part, size_t len) {
    char name[PATH];
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < sizeof name; i++) {
        bool escaped = part[i] == '~' && i + 1 < len && (part[i + 1] == '0' || part[i + 1] == '1');
        name[n++] = escaped ? (part[++i] == '0' ? '~' : '/') : part[i];
    }
    name[n] = '\0';
    return json_object_is_type(at, json_type_object) ? member(at, name) : NULL;
}

static rein_status reference(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    const char *ref, *at;
    struct json_object *target = s->root;
    int times = 0;
    REIN_TRY(rein_json_string(&ref, NULL, obj, "$ref"));
    if (ref[0] != '#' || (ref[1] != '\0' && ref[1] != '/')) return refuse(s, "only references into this schema (#/...), not", ref);
    for (at = ref + 1; *at == '/' && target;) {
        size_t len = strcspn(at + 1, "/");
        target = pointed(target, at + 1, len);
        at += 1 + len;
    }
    if (!target) return refuse(s, "nothing is at", ref);
    for (int i = 0; i < s->depth; i++) times += s->open[i] == target;
    if (times > REIN_SCHEMA_RECURSION) return REIN_OK; /* no text leads through here */
    struct json_object *holder = json_object_new_object();
    if (!holder || json_object_object_add(holder, "$ref", json_object_get(target)) != 0) {
        json_object_put(holder);
        return rein_fail(REIN_ERR_MEMORY, "out of memory for a schema");
    }
    rein_status status = value(s, from, to, holder, "$ref");
    json_object_put(holder);
    return status;
}

static rein_status of_types(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    struct json_object *type = member(obj, "type");
    if (json_object_is_type(type, json_type_string)) return typed(s, from, to, obj, json_object_get_string(type));
    if (type && !json_object_is_type(type, json_type_array)) return refuse(s, "not a string or an array:", "type");
    for (size_t i = 0; type && i < json_object_array_length(type); i++) {
        struct json_object *name = json_object_array_get_idx(type, i);
        if (!json_object_is_type(name, json_type_string)) return refuse(s, "not an array of strings:", "type");
        REIN_TRY(typed(s, from, to, obj, json_object_get_string(name)));
    }
    if (type) return REIN_OK;
    for (size_t i = 0; i < REIN_COUNT(types); i++)
        for (size_t k = 0; types[i].implied_by[k]; k++)
            if (json_object_object_get_ex(obj, types[i].implied_by[k], NULL)) return types[i].add(s, from, to, obj);
    return any_value(s, from, to, REIN_SCHEMA_FREE_DEPTH);
}

static rein_status of_object(schema *s, int32_t from, int32_t to, struct json_object *obj) {
    REIN_TRY(check_keywords(s, obj));
    if (json_object_object_get_ex(obj, "$ref", NULL)) return reference(s, from, to, obj);
    if (json_object_object_get_ex(obj, "anyOf", NULL)) return options(s, from, to, member(obj, "anyOf"), false);
    if (json_object_object_get_ex(obj, "oneOf", NULL)) return options(s, from, to, member(obj, "oneOf"), true);
    if (json_object_object_get_ex(obj, "enum", NULL) || json_object_object_get_ex(obj, "const", NULL))
        return constants(s, from, to, obj);
    return of_types(s, from, to, obj);
}

/* The schema that is member (or item) `key` of obj; any value if there is none. */
static rein_status value(schema *s, int32_t from, int32_t to, struct json_object *obj, const char *key) {
    struct json_object *own = NULL;
    rein_status status;
    if (json_object_is_type(obj, json_type_array))
        own = json_object_array_get_idx(obj, (size_t)strtoull(key, NULL, 10));
    else if (!json_object_object_get_ex(obj, key, &own))
        return any_value(s, from, to, REIN_SCHEMA_FREE_DEPTH);
    size_t before = enter(s, key);
    if (s->depth == MAX_DEPTH) return refuse(s, "nested too deeply:", key);
    s->open[s->depth++] = own;
    if (json_object_is_type(own, json_type_boolean))
        status = json_object_get_boolean(own) ? any_value(s, from, to, REIN_SCHEMA_FREE_DEPTH) : REIN_OK;
    else if (json_object_is_type(own, json_type_object))
        status = of_object(s, from, to, own);
    else
        status = refuse(s, "not a schema (an object, true or false):", key);
    s->depth--;
    leave(s, before);
    return status == REIN_OK ? rein_nfa_check(s->nfa) : status;
}

rein_status rein_schema_compile(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *document) {
    if (rein_is_structural_tag(document)) return rein_tag_compile(nfa, from, to, document);
    schema s = {.nfa = nfa, .root = document};
    s.open[s.depth++] = document;
    if (json_object_is_type(document, json_type_object)) return of_object(&s, from, to, document);
    if (json_object_is_type(document, json_type_boolean) && json_object_get_boolean(document))
        return any_value(&s, from, to, REIN_SCHEMA_FREE_DEPTH);
    return refuse(&s, "not a schema (an object or true):", "the document");
}
