/*
 * Regular expressions of tokenizer.json files (Oniguruma, Unicode) on PCRE2 with its JIT compiler.
 *
 * A pattern is translated construct by construct. Whatever the two engines read differently, or is not known to be read
 * alike, is refused: `\s` is White_Space (PCRE2's own also takes U+180E), `\w`, `\d`, `\b` and script names become
 * explicit classes, `^` and `$` stand at lines; nested classes, back references and inline flags but (?i:...) are
 * errors.
 */
#ifndef REIN_TEXT_REGEX_H
#define REIN_TEXT_REGEX_H

#include "base/base.h"

struct json_object;

/** Members of the class \w of Rust's regex crate, which is not Oniguruma's. */
#define REIN_REGEX_RUST_WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}"

typedef struct rein_regex rein_regex;                 /* constant: threads may share one */
typedef struct rein_regex_scratch rein_regex_scratch; /* one per thread, serves any rein_regex */

/** REIN_ERR_ARG names the construct and its offset. Caller owns *out. */
REIN_NODISCARD rein_status rein_regex_compile(rein_regex **out, const char *pattern, size_t len);
/** From the member "pattern" of `obj`: {"Regex": ...}, or {"String": ...} for a text that stands for itself. */
REIN_NODISCARD rein_status rein_regex_parse(rein_regex **out, struct json_object *obj);
void rein_regex_destroy(rein_regex *regex);

REIN_NODISCARD rein_status rein_regex_scratch_create(rein_regex_scratch **out);
void rein_regex_scratch_destroy(rein_regex_scratch *scratch);

typedef struct rein_regex_match {
    size_t begin, end;
    bool found;
} rein_regex_match;

/**
 * First match that starts at or after `from` (a character's start).
 *
 * @param text  well-formed UTF-8, `len` bytes.
 * @return REIN_ERR_ARG if the engine gives up on this text (its backtracking limit).
 */
REIN_NODISCARD rein_status rein_regex_find(rein_regex_match *out, const rein_regex *regex, rein_regex_scratch *scratch,
                                           const char *text, size_t len, size_t from);

/** A walk over all matches in a text; zero-initialised it is at the start. */
typedef struct rein_regex_walk {
    size_t from, done; /* where to search, and the end of the last match */
    bool any;
} rein_regex_walk;

/** The next match; an empty one counts, unless it directly follows a match. Other parameters as rein_regex_find. */
REIN_NODISCARD rein_status rein_regex_next(rein_regex_match *out, const rein_regex *regex, rein_regex_scratch *scratch,
                                           const char *text, size_t len, rein_regex_walk *walk);

#endif
