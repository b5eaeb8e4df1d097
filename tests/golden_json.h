/* Reading golden JSON files in tests: numbers with "nan" strings, and comparison that names the place. */
#ifndef REIN_TESTS_GOLDEN_JSON_H
#define REIN_TESTS_GOLDEN_JSON_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static inline struct json_object *golden_load(const char *path) {
    struct json_object *document;
    if (rein_json_load(&document, path) != REIN_OK) fail_msg("%s", rein_error_message());
    return document;
}

/* Member `key`; the test fails if it is missing. */
static inline struct json_object *golden_get(struct json_object *obj, const char *key) {
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(obj, key, &value)) fail_msg("golden: no '%s'", key);
    return value;
}

static inline struct json_object *golden_at(struct json_object *list, int64_t i) {
    return json_object_array_get_idx(list, (size_t)i);
}

static inline int64_t golden_length(struct json_object *list) { return (int64_t)json_object_array_length(list); }

/* The strings "nan", "inf" are numbers, null is NaN. */
static inline double golden_number(struct json_object *value) {
    if (!value) return NAN;
    if (!json_object_is_type(value, json_type_string)) return json_object_get_double(value);
    return strcmp(json_object_get_string(value), "nan") == 0 ? NAN : INFINITY;
}

static inline double golden_double(struct json_object *obj, const char *key) {
    return golden_number(golden_get(obj, key));
}

static inline const char *golden_text(struct json_object *obj, const char *key) {
    return json_object_get_string(golden_get(obj, key));
}

/* |a - b| <= tolerance (1 + |b|), or both NaN. */
static inline void golden_near(double a, double b, double tolerance, const char *what, const char *where) {
    if (isnan(a) && isnan(b)) return;
    if (!(fabs(a - b) <= tolerance * (1 + fabs(b)))) fail_msg("%s: %s is %.12g, expected %.12g", where, what, a, b);
}

#endif
