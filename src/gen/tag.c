/* Structural tags to automata, by descent; see tag.h. */
#include "gen/tag.h"

#include <string.h>

#include "gen/pattern.h"
#include "gen/schema.h"

enum { MAX_DEPTH = 64 };

static rein_status format(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth);

static rein_status constant(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, const char *key) {
    const char *text;
    size_t len;
    REIN_TRY(rein_json_string(&text, &len, obj, key));
    rein_nfa_text(nfa, from, to, text, len);
    return REIN_OK;
}

static rein_status const_string(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth) {
    (void)depth;
    return constant(nfa, from, to, obj, "value");
}

static rein_status regex(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth) {
    const char *pattern;
    size_t len;
    (void)depth;
    REIN_TRY(rein_json_string(&pattern, &len, obj, "pattern"));
    return rein_pattern_compile(nfa, from, to, pattern, len, REIN_PATTERN_WHOLE);
}

static rein_status json_schema(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth) {
    struct json_object *schema = json_object_object_get(obj, "json_schema");
    (void)depth;
    if (rein_is_structural_tag(schema))
        return rein_fail(REIN_ERR_FORMAT, "structural tag: one inside of a json_schema");
    return rein_schema_compile(nfa, from, to, schema);
}

static rein_status sequence(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, "elements"));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        int32_t next = rein_nfa_state(nfa);
        REIN_TRY(format(nfa, from, next, json_object_array_get_idx(list, i), depth));
        from = next;
    }
    rein_nfa_empty(nfa, from, to);
    return REIN_OK;
}

static rein_status either(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *list, int depth) {
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        int32_t begin = rein_nfa_state(nfa), end = rein_nfa_state(nfa); /* a loop in one must not reach the others */
        rein_nfa_empty(nfa, from, begin);
        rein_nfa_empty(nfa, end, to);
        REIN_TRY(format(nfa, begin, end, json_object_array_get_idx(list, i), depth));
    }
    return REIN_OK;
}

static rein_status or_elements(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, "elements"));
    return either(nfa, from, to, list, depth);
}

static rein_status tag(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth) {
    int32_t begin = rein_nfa_state(nfa), end = rein_nfa_state(nfa);
    REIN_TRY(constant(nfa, from, begin, obj, "begin"));
    REIN_TRY(format(nfa, begin, end, json_object_object_get(obj, "content"), depth));
    return constant(nfa, end, to, obj, "end");
}

static rein_status tags(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth) {
    struct json_object *list;
    bool at_least_one, stop_after_first;
    int32_t begin = rein_nfa_state(nfa), end = rein_nfa_state(nfa);
    REIN_TRY(rein_json_array(&list, obj, "tags"));
    REIN_TRY(rein_json_bool(&at_least_one, obj, "at_least_one"));
    REIN_TRY(rein_json_bool(&stop_after_first, obj, "stop_after_first"));
    rein_nfa_empty(nfa, from, begin);
    rein_nfa_empty(nfa, end, to);
    REIN_TRY(either(nfa, begin, end, list, depth));
    if (!stop_after_first) REIN_TRY(constant(nfa, end, begin, obj, "separator"));
    if (!at_least_one) rein_nfa_empty(nfa, from, to);
    return REIN_OK;
}

static rein_status format(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth) {
    static const struct {
        const char *name;
        rein_status (*add)(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *obj, int depth);
    } known[] = {{"const_string", const_string}, {"regex", regex},    {"json_schema", json_schema},
                 {"sequence", sequence},         {"or", or_elements}, {"tag", tag},
                 {"tags_with_separator", tags}};
    const char *type;
    REIN_TRY(rein_nfa_check(nfa));
    if (depth == MAX_DEPTH)
        return rein_fail(REIN_ERR_FORMAT, "structural tag: nested deeper than %d levels", MAX_DEPTH);
    rein_status status = rein_json_string(&type, NULL, obj, "type");
    if (status != REIN_OK) return rein_error_prefix(status, "structural tag: a format");
    for (size_t i = 0; i < REIN_COUNT(known); i++) {
        if (strcmp(known[i].name, type) != 0) continue;
        status = known[i].add(nfa, from, to, obj, depth + 1);
        return status == REIN_OK ? rein_nfa_check(nfa) : status;
    }
    return rein_fail(REIN_ERR_FORMAT,
                     "structural tag: no format '%.60s'; const_string, regex, json_schema, sequence, or, tag and "
                     "tags_with_separator are known",
                     type);
}

bool rein_is_structural_tag(struct json_object *document) {
    struct json_object *type =
        json_object_is_type(document, json_type_object) ? json_object_object_get(document, "type") : NULL;
    return json_object_is_type(type, json_type_string) && strcmp(json_object_get_string(type), "structural_tag") == 0;
}

rein_status rein_tag_compile(rein_nfa *nfa, int32_t from, int32_t to, struct json_object *document) {
    return format(nfa, from, to, json_object_object_get(document, "format"), 0);
}
