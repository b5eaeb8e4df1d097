/*
 * Constrained generation: which tokens may follow so that the text matches a regular expression or a JSON Schema.
 *
 * A state of the byte automaton decides which tokens are allowed: those whose bytes lead to a state from which a text
 * can still be finished, and end tokens exactly where the text may end. A state's tokens are found once, by one walk
 * over the sorted vocabulary, and kept; equal sets share their memory. They are kept sets, so a trainer repeats them.
 */
#ifndef REIN_GEN_GRAMMAR_H
#define REIN_GEN_GRAMMAR_H

#include "base/json.h"
#include "model/leaf.h"
#include "text/tokenizer.h"

/** What a grammar's masks are made of; `tokenizer` must outlive the grammar. */
typedef struct rein_vocabulary {
    const rein_tokenizer *tokenizer;
    int64_t V;           /* ids that the model's head has */
    const int32_t *end;  /* (n_end) end tokens, allowed where the text may end */
    int64_t n_end;
} rein_vocabulary;

/** Grows as it is used: not for two threads at once. */
typedef struct rein_grammar rein_grammar;

/**
 * Constrain whole completions to a regular expression (syntax: gen/pattern.h), or a JSON Schema (gen/schema.h)
 * or structural tag (gen/tag.h).
 *
 * @param[out] out  caller owns; must outlive what was generated with it, since kept sets point into it.
 * @return REIN_ERR_ARG or REIN_ERR_FORMAT naming the construct that is wrong or not known; REIN_ERR_ARG if no text
 *         matches, or there is no end token.
 */
REIN_NODISCARD rein_status rein_grammar_open_regex(rein_grammar **out, const char *pattern, size_t len,
                                                   const rein_vocabulary *vocabulary);
REIN_NODISCARD rein_status rein_grammar_open_schema(rein_grammar **out, struct json_object *schema,
                                                    const rein_vocabulary *vocabulary);
void rein_grammar_close(rein_grammar *g);

/** Tokens allowed in a state (0 at first), ascending. REIN_ERR_ARG if there is none: the vocabulary lacks the bytes. */
REIN_NODISCARD rein_status rein_grammar_allowed(rein_grammar *g, int32_t state, rein_kept *out);

/** Move *state over a token that was allowed in it. */
REIN_NODISCARD rein_status rein_grammar_advance(rein_grammar *g, int32_t *state, int32_t id);

#endif
