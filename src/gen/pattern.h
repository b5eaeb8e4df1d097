/*
 * Regular expressions to automata: the regular part of ECMAScript's syntax, over Unicode characters.
 *
 *   a . [a-z] [^a-z] \d \D \w \W \s \S \n \r \t \f \v \0 \xHH \uHHHH \u{H...} \(   ( ) (?: ) |   * + ? {m} {m,} {m,n}
 *
 * \d, \w and \s are ASCII; a dot is any character but a newline. Lazy quantifiers mean the same language and are taken.
 * ^ and $ stand only at the ends of the pattern or of one of its outermost alternatives. Back references, look-around
 * and word boundaries are refused.
 */
#ifndef REIN_GEN_PATTERN_H
#define REIN_GEN_PATTERN_H

#include "gen/automaton.h"

typedef enum rein_pattern_form {
    REIN_PATTERN_WHOLE, /* the text is the match; ^ and $ change nothing */
    REIN_PATTERN_JSON   /* the content of a JSON string in which the pattern is found somewhere; ^ and $ pin it */
} rein_pattern_form;

/** Add the pattern's texts between two states. REIN_ERR_ARG names the construct and its offset in bytes. */
REIN_NODISCARD rein_status rein_pattern_compile(rein_nfa *nfa, int32_t from, int32_t to, const char *pattern, size_t len,
                                                rein_pattern_form form);

#endif
