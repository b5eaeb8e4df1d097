/*
 * Normalizers of tokenizer.json: rewriting a text before it is cut into pieces.
 *
 * Unicode normal forms are those of libutf8proc (Unicode 14 in Debian 12). A zero-initialised normalizer has no steps
 * and leaves the text as it is.
 */
#ifndef REIN_TEXT_NORMALIZE_H
#define REIN_TEXT_NORMALIZE_H

#include <json-c/json.h>

#include "text/regex.h"

typedef enum rein_normal_kind {
    REIN_NORMAL_NFC,
    REIN_NORMAL_NFD,
    REIN_NORMAL_NFKC,
    REIN_NORMAL_NFKD,
    REIN_NORMAL_LOWERCASE,
    REIN_NORMAL_STRIP_ACCENTS,
    REIN_NORMAL_BYTE_LEVEL,
    REIN_NORMAL_PREPEND,
    REIN_NORMAL_STRIP,
    REIN_NORMAL_REPLACE
} rein_normal_kind;

typedef struct rein_normal_step {
    rein_normal_kind kind;
    bool left, right;  /* STRIP */
    rein_regex *regex; /* REPLACE */
    rein_str content;  /* REPLACE: what takes the place of matches; PREPEND */
} rein_normal_step;

enum { REIN_NORMAL_MAX_STEPS = 32 };

/** Constant after parsing: threads may share one. */
typedef struct rein_normalizer {
    rein_normal_step steps[REIN_NORMAL_MAX_STEPS];
    int n_steps;
} rein_normalizer;

/** From the "normalizer" of a tokenizer.json (NULL: JSON null). REIN_ERR_FORMAT names place and type. */
REIN_NODISCARD rein_status rein_normalizer_parse(rein_normalizer *normalizer, struct json_object *obj);
void rein_normalizer_deinit(rein_normalizer *normalizer);

/** One per thread, kept between texts. Zero-initialised is ready. */
typedef struct rein_normal_work {
    rein_str text[2]; /* in turn */
    int32_t *points;
    int64_t cap;
} rein_normal_work;
void rein_normal_work_deinit(rein_normal_work *work);

/** A stretch of text on its way to pieces. */
typedef struct rein_normal_text {
    const char *data;
    size_t len;
    bool at_start; /* its first character comes from the first of the whole text (as tokenizers' alignments say) */
} rein_normal_text;

/** Rewrite *text; the result lives in its own memory or in `work`, until the next call. REIN_ERR_ARG as
 * rein_regex_find. */
REIN_NODISCARD rein_status rein_normalizer_run(const rein_normalizer *normalizer, rein_normal_work *work,
                                               rein_regex_scratch *scratch, rein_normal_text *text);

#endif
