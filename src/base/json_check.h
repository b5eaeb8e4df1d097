/* The grammar of JSON, checked before json-c builds the tree; used by json.c only. */
#ifndef REIN_BASE_JSON_CHECK_H
#define REIN_BASE_JSON_CHECK_H

#include "base/base.h"

enum { REIN_JSON_DEPTH = 64 };

typedef struct rein_json_text {
    const char *name, *bytes; /* what the document is called in messages */
    size_t len;
    int64_t line; /* of the first byte, from 1 */
} rein_json_text;

/**
 * Check a document against RFC 8259 and the limits of json.h. json-c's strict mode accepts more than that: NaN, single
 * quotes, raw control characters, "-01", bytes after a NUL, overlong UTF-8; it clamps integers and cuts keys at \u0000.
 *
 * @param[out] n_keys     members of all objects together, duplicates counted.
 * @param      find_twice look for a key that is written twice in one object, too (slow: decodes every key).
 * @return REIN_ERR_FORMAT with "name:line:column: reason"; columns count characters.
 */
REIN_NODISCARD rein_status rein_json_check(const rein_json_text *text, bool find_twice, int64_t *n_keys);

/** REIN_ERR_FORMAT with the place of byte `at` before the message. */
rein_status rein_json_fail_at(const rein_json_text *text, size_t at, const char *fmt, ...) REIN_PRINTF(3, 4);

/** Bytes (1..4) of the UTF-8 character that begins at `p`, or 0 if the `len` >= 1 bytes there do not begin with one. */
size_t rein_utf8_length(const char *p, size_t len);

#endif
