/*
 * Pre-tokenizers: cutting a text into the pieces that merges stay within.
 *
 * A pipeline of tokenizer.json is a list of steps: most cut at the matches of a pattern (Split, Digits, Whitespace,
 * Punctuation ...), some rewrite each piece (ByteLevel, Metaspace). Pieces are slices of the text, but for rewritten
 * ones.
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

typedef enum rein_split_kind {
    REIN_SPLIT_CUT,          /* at the matches of `regex` */
    REIN_SPLIT_PREFIX_SPACE, /* a space before pieces that do not start with one */
    REIN_SPLIT_METASPACE,    /* `mark` for each space, and before pieces that do not start with it */
    REIN_SPLIT_BYTE_LEVEL    /* the byte-level alphabet for the bytes */
} rein_split_kind;

typedef enum rein_metaspace_prepend {
    REIN_PREPEND_ALWAYS,
    REIN_PREPEND_FIRST,
    REIN_PREPEND_NEVER
} rein_metaspace_prepend;

/** Members "replacement", "prepend_scheme" and "add_prefix_space" of a Metaspace (pre-tokenizer or decoder). */
REIN_NODISCARD rein_status rein_metaspace_parse(char mark[5], rein_metaspace_prepend *prepend, struct json_object *obj);

typedef struct rein_split_step {
    rein_split_kind kind;
    rein_regex *regex;
    rein_split_behavior behavior; /* what becomes of matches */
    bool invert;                  /* what the regex does not match counts as the match */
    char mark[5];                 /* one character, UTF-8 */
    rein_metaspace_prepend prepend;
} rein_split_step;

enum { REIN_SPLIT_MAX_STEPS = 32 };

/** Constant after parsing: threads may share one. Zero-initialised is empty. */
typedef struct rein_splitter {
    rein_split_step steps[REIN_SPLIT_MAX_STEPS];
    int n_steps;
} rein_splitter;

/** From the "pre_tokenizer" of a tokenizer.json (may be NULL: JSON null). REIN_ERR_FORMAT names place and type. */
REIN_NODISCARD rein_status rein_splitter_parse(rein_splitter *splitter, struct json_object *pre_tokenizer);
/** Take the last step away if it is the byte-level alphabet, as a caller that works on bytes needs none; was it? */
bool rein_splitter_drop_byte_level(rein_splitter *splitter);
void rein_splitter_deinit(rein_splitter *splitter);

typedef struct rein_piece {
    const char *text;
    size_t len;
    bool match;    /* internal: was this piece matched by the step at work */
    bool at_start; /* begins where the whole text begins */
} rein_piece;

typedef struct rein_pieces {
    rein_piece *data;
    int64_t n, cap;
} rein_pieces;

/** One per thread, kept between texts. */
typedef struct rein_split_work {
    rein_pieces pieces; /* result of the last rein_splitter_run; slices of its text or of `rewritten` */
    rein_pieces next, cuts;
    rein_arena rewritten;
    rein_regex_scratch *scratch;
} rein_split_work;

REIN_NODISCARD rein_status rein_split_work_init(rein_split_work *work);
void rein_split_work_deinit(rein_split_work *work);

/** Cut well-formed UTF-8 into work->pieces, none of them empty. `at_start`: no text stands before it. */
REIN_NODISCARD rein_status rein_splitter_run(const rein_splitter *splitter, rein_split_work *work, const char *text,
                                             size_t len, bool at_start);

#endif
