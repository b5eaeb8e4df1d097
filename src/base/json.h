/*
 * JSON on top of json-c: strict parsing with a place in every error, typed access, and numbers that read back exactly.
 *
 * Documents are plain `struct json_object *`; free with json_object_put. Untrusted input: depth is limited to 64,
 * NaN, Infinity, comments, trailing commas and bytes after the document are refused; duplicate keys, invalid UTF-8,
 * unpaired surrogates and numbers that fit no double are refused. The document `null` is a NULL pointer, as in json-c.
 * Text and numbers are in the C locale.
 */
#ifndef REIN_BASE_JSON_H
#define REIN_BASE_JSON_H

#include <json-c/json.h>

#include "base/base.h"

/** Parse `len` bytes. `name` (a file's name) starts the message; errors carry line:column. Caller owns *out. */
REIN_NODISCARD rein_status rein_json_parse(struct json_object **out, const char *name, const char *text, size_t len);
/** As rein_json_parse, of bytes that begin at line `line` of the file `name`. */
REIN_NODISCARD rein_status rein_json_parse_line(struct json_object **out, const char *name, int64_t line,
                                                const char *text, size_t len);
REIN_NODISCARD rein_status rein_json_load(struct json_object **out, const char *path);

/** One call per line of a JSONL file: `row` is borrowed, `line` counts from 1. Blank lines are skipped. */
typedef rein_status (*rein_jsonl_fn)(void *user, int64_t line, struct json_object *row);
REIN_NODISCARD rein_status rein_jsonl_each(const char *path, rein_jsonl_fn fn, void *user);

/* Typed members of an object. A missing key or another type is REIN_ERR_FORMAT that names key, type found and wanted.
 * Strings are borrowed from the document; `len` may be NULL only where no NUL byte can do harm (a NUL is then refused).
 */
REIN_NODISCARD rein_status rein_json_string(const char **out, size_t *len, struct json_object *obj, const char *key);
REIN_NODISCARD rein_status rein_json_int(int64_t *out, struct json_object *obj, const char *key);
REIN_NODISCARD rein_status rein_json_double(double *out, struct json_object *obj, const char *key); /* int accepted */
REIN_NODISCARD rein_status rein_json_bool(bool *out, struct json_object *obj, const char *key);
REIN_NODISCARD rein_status rein_json_array(struct json_object **out, struct json_object *obj, const char *key);
REIN_NODISCARD rein_status rein_json_object(struct json_object **out, struct json_object *obj, const char *key);

/** True if the key is there and not null. */
bool rein_json_has(struct json_object *obj, const char *key);

/* Writing: text straight into a rein_str, so that the bytes are ours. %.9g for f32, %.17g for f64 with the shortest
 * form that reads back equal preferred; NaN and infinities are written as null. */
void rein_json_put_f64(rein_str *s, double x);
void rein_json_put_f32(rein_str *s, float x);
/** Quoted and escaped; invalid UTF-8 bytes become U+FFFD. */
void rein_json_put_string(rein_str *s, const char *text, size_t len);

#endif
