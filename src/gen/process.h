/*
 * Logits processors, which act on a row before temperature and truncation: penalties, biases and bans.
 *
 * Each is a pure function of (row of logits, preceding ids, length of the prompt, options), applied in transformers'
 * order. Bans do not touch logits: they shrink the set that is drawn from, which a trainer can repeat exactly. Processors
 * that change logits cannot be trained through; rein_processing_shifts names them.
 */
#ifndef REIN_GEN_PROCESS_H
#define REIN_GEN_PROCESS_H

#include "base/base.h"

/** Ids in a row: what follows ids[0 .. n-2] is discouraged from being, or encouraged to be, ids[n-1]. */
typedef struct rein_phrase {
    const int32_t *ids; /* (n) n >= 1 */
    int64_t n;
    double bias;        /* added to the logit of the last id; -inf bans it. Not read of bad words */
} rein_phrase;

/** Zero-initialised: nothing is done. */
typedef struct rein_processing {
    const rein_phrase *bias;      /* (n_bias) */
    int64_t n_bias;
    double repetition_penalty;    /* > 0; 0 or 1: off. Of ids in prompt or completion: positive logits are divided by it,
                                     negative ones multiplied (Keskar et al. 2019, arXiv:1909.05858) */
    double frequency_penalty;     /* taken off an id's logit for each time that the completion has it */
    double presence_penalty;      /* taken off once if the completion has the id */
    int64_t no_repeat_ngram_size; /* no n ids in a row twice, prompt included; 0: off */
    const rein_phrase *bad_words; /* (n_bad_words) never completed; an end token alone is no bad word */
    int64_t n_bad_words;
    int64_t min_length;           /* no end token before prompt and completion have so many ids */
    int64_t min_new_tokens;       /* nor before the completion has */
    const int32_t *suppress;      /* (n_suppress) never chosen */
    int64_t n_suppress;
} rein_processing;

/** What precedes the row's token. */
typedef struct rein_context {
    const int32_t *prompt; /* (n_prompt) */
    int64_t n_prompt;
    const int32_t *own;    /* (n_own) the completion so far */
    int64_t n_own;
    const int32_t *end;    /* (n_end) end tokens */
    int64_t n_end;
} rein_context;

/** Scratch of one thread, and what was done to a row. */
typedef struct rein_edit {
    float *x;       /* (V) the row, changed in place */
    uint8_t *ban;   /* (V) 1: never chosen */
    int32_t *count; /* (V) all zero between rows */
    int64_t V;
    bool banned;    /* ban is set, at least one id is banned */
} rein_edit;

/** Check the numbers: ids inside the vocabulary, finite penalties. REIN_ERR_ARG names option and value. */
REIN_NODISCARD rein_status rein_processing_check(const rein_processing *p, int64_t V);

/** True if some processor is on. */
bool rein_processing_any(const rein_processing *p);

/** Name of the first processor that changes logits, NULL if there is none. */
const char *rein_processing_shifts(const rein_processing *p);

/** Apply all processors to edit->x; edit->ban is written only if edit->banned becomes true. */
void rein_process(rein_edit *edit, const rein_processing *p, const rein_context *c);

#endif
