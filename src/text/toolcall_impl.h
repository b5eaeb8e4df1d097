/* What the parts of toolcall.h share; of toolcall*.c only. */
#ifndef REIN_TEXT_TOOLCALL_IMPL_H
#define REIN_TEXT_TOOLCALL_IMPL_H

#include "text/toolcall.h"

/* Tags of the formats and of thoughts. */
#define REIN_TAG_CALL      "<tool_call>"
#define REIN_TAG_CALL_END  "</tool_call>"
#define REIN_TAG_PYTHON    "<|python_tag|>"
#define REIN_TAG_THINK     "<think>"
#define REIN_TAG_THINK_END "</think>"

/** A tool taken apart; borrowed. schema is NULL where the tool takes no arguments. */
typedef struct rein_tool {
    const char *name, *description; /* description: "" if there is none */
    struct json_object *schema;
} rein_tool;

/** REIN_ERR_FORMAT: neither form of toolcall.h. */
REIN_NODISCARD rein_status rein_tool_parts(rein_tool *out, struct json_object *tool);

/** The schema that a schema with a local $ref stands for (NULL: nothing is there); any other schema itself. */
struct json_object *rein_tool_refer(struct json_object *root, struct json_object *schema);

/** Is the key in the schema's `required`? */
bool rein_tool_requires(struct json_object *schema, const char *key);

/** Bytes at `text` that can be a name: letters, digits and _ . / -, the first a letter or _; 0: none. */
size_t rein_toolcall_word(const char *text, size_t len);

/** True if the whole text is a name of at most 128 bytes. */
bool rein_toolcall_is_name(const char *text);

/** Quoted bytes of a model made fit to be shown: one line of UTF-8. */
void rein_toolcall_clean(char *text);

/** What holds the arguments in `hermes` and `llama3`. */
const char *rein_toolcall_key(rein_toolcall_format format);

/**
 * Where the JSON object, list or string that begins at `at` ends, by counting brackets outside of strings.
 *
 * @param[out] stop  where the search ended without one: at a '<' outside of strings (no JSON, but a tag), at a control
 *                   character in one, at the end; may be NULL.
 * @return 0: it has no end.
 */
size_t rein_toolcall_extent(const char *text, size_t len, size_t at, size_t *stop);

/** A JSON value as json.dumps writes it, appended. REIN_ERR_FORMAT if it holds what JSON cannot. */
REIN_NODISCARD rein_status rein_toolcall_dump(rein_str *out, struct json_object *value);

#endif
