/*
 * Pre-tokenizers: cutting a text into the pieces that merges stay within.
 *
 * A pipeline of tokenizer.json is any number of Split and Digits steps and one ByteLevel at the end. Pieces are slices
 * of the text; only add_prefix_space makes new ones.
 */
#ifndef REIN_TEXT_SPLIT_H
#define REIN_TEXT_SPLIT_H

#include <json-c/json.h>

#include "text/regex.h"

typedef enum rein_split_behavior {
    REIN_SPLIT_REMOVED,
    REIN_SPLIT_ISOLATED,
    REIN_SPLIT_MERGED_WITH_PREVIOUS,
    REIN_SPLIT_MERGED_WITH_NEXT,
    REIN_SPLIT_CONTIGUOUS
} rein_split_behavior;

typedef struct rein_split_step {
    rein_regex *regex;            /* NULL: the step that puts a space before pieces which do not start with one */
    rein_split_behavior behavior; /* what becomes of matches */
    bool invert;                  /* what the regex does not match counts as the match */
} rein_split_step;

enum { REIN_SPLIT_MAX_STEPS = 32 };

/** Constant after parsing: threads may share one. Zero-initialised is empty. */
typedef struct rein_splitter {
    rein_split_step steps[REIN_SPLIT_MAX_STEPS];
    int n_steps;
} rein_splitter;

/** From the "pre_tokenizer" of a tokenizer.json (may be NULL: JSON null). REIN_ERR_FORMAT names place and type. */
REIN_NODISCARD rein_status rein_splitter_parse(rein_splitter *splitter, struct json_object *pre_tokenizer);
void rein_splitter_deinit(rein_splitter *splitter);

typedef struct rein_piece {
    const char *text;
    size_t len;
    bool match; /* internal: was this piece matched by the step at work */
} rein_piece;

typedef struct rein_pieces {
    rein_piece *data;
    int64_t n, cap;
} rein_pieces;

/** One per thread, kept between texts. */
typedef struct rein_split_work {
    rein_pieces pieces; /* result of the last rein_splitter_run; slices of its text or of `spaced` */
    rein_pieces next, cuts;
    rein_arena spaced;
    rein_regex_scratch *scratch;
} rein_split_work;

REIN_NODISCARD rein_status rein_split_work_init(rein_split_work *work);
void rein_split_work_deinit(rein_split_work *work);

/** Cut well-formed UTF-8 into work->pieces, none of them empty. */
REIN_NODISCARD rein_status rein_splitter_run(const rein_splitter *splitter, rein_split_work *work, const char *text,
                                             size_t len);

#endif
