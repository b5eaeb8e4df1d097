/* Sets of Unicode characters, and automata over the UTF-8 bytes (or the JSON string form) of one of them. */
#ifndef REIN_GEN_CHARSET_H
#define REIN_GEN_CHARSET_H

#include "gen/automaton.h"

/** Characters that UTF-8 can hold; surrogates never belong to a set. Zero-initialised is empty. */
typedef struct rein_charset {
    int32_t (*range)[2]; /* (n) inclusive; ascending, disjoint after rein_charset_finish */
    int64_t n, cap;
    bool failed;
} rein_charset;

enum { REIN_CHAR_MAX = 0x10ffff };

void rein_charset_add(rein_charset *set, int32_t lo, int32_t hi);
/** Put the ranges in order; complement: turn the set into all other characters. */
void rein_charset_finish(rein_charset *set, bool complement);
void rein_charset_deinit(rein_charset *set);

/** One character of the set, which is finished, as UTF-8. */
void rein_nfa_chars(rein_nfa *nfa, int32_t from, int32_t to, const rein_charset *set);

/** The same inside a JSON string: quotes, backslashes and control characters as their usual escape. */
void rein_nfa_json_chars(rein_nfa *nfa, int32_t from, int32_t to, const rein_charset *set);

#endif
