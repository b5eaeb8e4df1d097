/*
 * Decoders of tokenizer.json: from tokens' texts back to text.
 *
 * A chain of decoders has up to four parts: steps on each token, ByteFallback (which joins runs of tokens
 * <0x00>..<0xFF> to text), steps on each token or joined run, and, after Fuse, steps on the text as a whole. The first
 * part is worked out when a file is loaded.
 */
#ifndef REIN_TEXT_DECODE_H
#define REIN_TEXT_DECODE_H

#include <json-c/json.h>

#include "text/regex.h"

typedef enum rein_decode_kind {
    REIN_DECODE_BYTE_LEVEL,
    REIN_DECODE_REPLACE,
    REIN_DECODE_STRIP,
    REIN_DECODE_METASPACE
} rein_decode_kind;

typedef struct rein_decode_step {
    rein_decode_kind kind;
    rein_regex *regex;   /* REPLACE: what is replaced */
    rein_str content;    /* REPLACE: by what; STRIP, METASPACE: one character */
    int64_t start, stop; /* STRIP: at most so many at either end */
    bool drop_first;     /* METASPACE: the first token's marks become nothing instead of spaces */
} rein_decode_step;

enum { REIN_DECODE_MAX_STEPS = 32 };

/** Constant after parsing: threads may share one. */
typedef struct rein_decoding {
    rein_decode_step steps[REIN_DECODE_MAX_STEPS];
    int n_steps;
    int n_before, n_tokens; /* steps before ByteFallback, and before Fuse; the others are on the whole */
    bool byte_fallback, fuse;
    bool bytes;  /* tokens stand for bytes, not for characters: the one step is ByteLevel */
    bool spaces; /* there is no decoder: a space between tokens */
} rein_decoding;

/** From the "decoder" of a tokenizer.json (NULL: JSON null). REIN_ERR_FORMAT names place and type. */
REIN_NODISCARD rein_status rein_decoding_parse(rein_decoding *decoding, struct json_object *obj);
void rein_decoding_deinit(rein_decoding *decoding);

/** Apply steps [from, to) to one text in *text (`spare` is at work). `first`: no token stands before it. */
REIN_NODISCARD rein_status rein_decoding_apply(const rein_decoding *decoding, int from, int to, bool first,
                                               rein_regex_scratch *scratch, rein_str *text, rein_str *spare);

/** The byte that a token's text <0x00>..<0xFF> names, or -1. */
int rein_decoding_byte(const char *text, size_t len);

#endif
