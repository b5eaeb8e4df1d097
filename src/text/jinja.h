/*
 * Jinja templates as transformers' apply_chat_template renders them: trim_blocks, lstrip_blocks, loop controls,
 * `generation` blocks, its own tojson, and an immutable sandbox.
 *
 * A template is untrusted input: parsing and rendering are limited in depth, steps and bytes, there are no loaders, no
 * imports and no way to a file, and no value of the caller is changed. Values are JSON's, and what expressions make of
 * them; integers are 64 bits wide, and an overflow is an error. Unlike in Jinja, what would print an address (a lazy
 * sequence, a function) is an error. A text depends on nothing but template and context, except where the template calls
 * strftime_now: give such a template its date in the context (Llama: date_string) where bytes must not change by the day.
 */
#ifndef REIN_TEXT_JINJA_H
#define REIN_TEXT_JINJA_H

#include "base/json.h"

enum {
    REIN_JINJA_PARSE_DEPTH = 200,   /* brackets and blocks inside each other */
    REIN_JINJA_EVAL_DEPTH = 400,    /* nodes below each other, through macro calls */
    REIN_JINJA_MAX_STEPS = 1 << 25, /* nodes visited, items and bytes (by 16) handled in one rendering */
    REIN_JINJA_MAX_BYTES = 1 << 27  /* values and text made in one rendering */
};

/** Growing list of byte ranges [begin, end). Zero-initialised is empty and ready. */
typedef struct rein_range {
    int64_t begin, end;
} rein_range;
typedef struct rein_ranges {
    rein_range *data;
    int64_t n, cap;
} rein_ranges;

REIN_NODISCARD rein_status rein_ranges_push(rein_ranges *ranges, int64_t begin, int64_t end);
void rein_ranges_deinit(rein_ranges *ranges);

/** Constant once parsed: threads may share one. */
typedef struct rein_jinja rein_jinja;

/**
 * Parse a template.
 *
 * @param[out] out   caller owns; untouched on error.
 * @param      name  starts the error messages.
 * @param      text  UTF-8, `len` bytes; copied.
 * @return REIN_ERR_FORMAT with "name:line: what"; REIN_ERR_MEMORY.
 */
REIN_NODISCARD rein_status rein_jinja_parse(rein_jinja **out, const char *name, const char *text, size_t len);
void rein_jinja_destroy(rein_jinja *t);

/**
 * Render.
 *
 * @param[out] out         text is appended; on an error it is as before.
 * @param[out] generation  byte ranges in `out` of the `generation` blocks are appended; may be NULL.
 * @param      context     an object: the variables.
 * @return REIN_ERR_FORMAT with "name:line: what, in 'expression'": an error of the template, raise_exception, a limit.
 *         With `generation`, also a generation block whose text does not go straight to the output (in a macro).
 */
REIN_NODISCARD rein_status rein_jinja_render(rein_str *out, rein_ranges *generation, const rein_jinja *t,
                                             struct json_object *context);

#endif
