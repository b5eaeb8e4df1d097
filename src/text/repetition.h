/*
 * Text that goes round in circles: the sign of a policy that has broken down, worth a penalty rather than more tokens.
 *
 * A text of at least 100 characters and 20 words repeats itself if three words in a row occur four times (overlapping
 * occurrences count), or if it has more than 50 words and fewer than 30 % of them are different. Words are what blanks
 * separate, compared byte for byte.
 */
#ifndef REIN_TEXT_REPETITION_H
#define REIN_TEXT_REPETITION_H

#include "base/base.h"

typedef enum rein_repetition_kind {
    REIN_REPETITION_NONE,
    REIN_REPETITION_PHRASE, /* three words, four times */
    REIN_REPETITION_WORDS   /* few different words */
} rein_repetition_kind;

typedef struct rein_repetition {
    rein_repetition_kind kind;
    int64_t words, different; /* of the text; 0 where it is shorter than 100 characters */
    int64_t times;            /* of the most frequent three words */
    size_t begin, end;        /* bytes of their first occurrence; 0, 0: fewer than three words */
} rein_repetition;

/** Any bytes. REIN_ERR_MEMORY. */
REIN_NODISCARD rein_status rein_repetition_find(rein_repetition *out, const char *text, size_t len);

#endif
