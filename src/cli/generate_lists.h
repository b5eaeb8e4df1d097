/* Lists on the command line of `rein generate`: stop strings, bad words, biases and ids, as JSON or plain text. */
#ifndef REIN_CLI_GENERATE_LISTS_H
#define REIN_CLI_GENERATE_LISTS_H

#include "gen/process.h"
#include "text/tokenizer.h"

/** Owns what the lists point to; zero-initialised is ready. */
typedef struct rein_generate_lists {
    rein_arena arena;
    const rein_tokenizer *tokenizer; /* or NULL: words must be ids */
} rein_generate_lists;

/* Each takes the option's text (NULL: an empty list) and reports REIN_ERR_USAGE with its name. */

/** A text, or ["text", ...] (what begins with [ and ends with ] is a list). */
REIN_NODISCARD rein_status rein_list_texts(rein_generate_lists *l, const char *option, const char *text,
                                           const char *const **out, int64_t *n);
/** 1,2,3 or [1,2,3]. */
REIN_NODISCARD rein_status rein_list_ids(rein_generate_lists *l, const char *option, const char *text,
                                         const int32_t **out, int64_t *n);
/** A text, or a list of texts and of lists of ids. Texts become the ids that the tokenizer gives them. */
REIN_NODISCARD rein_status rein_list_words(rein_generate_lists *l, const char *option, const char *text,
                                           const rein_phrase **out, int64_t *n);
/** {"id": bias, ...}, or [[[id, ...], bias], ...] for phrases. */
REIN_NODISCARD rein_status rein_list_biases(rein_generate_lists *l, const char *option, const char *text,
                                            const rein_phrase **out, int64_t *n);

void rein_generate_lists_deinit(rein_generate_lists *l);

#endif
