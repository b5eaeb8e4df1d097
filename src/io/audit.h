/*
 * What is wrong with a dataset: rows that cannot be used, rows that are there twice, and prompts that stand on both sides
 * of a split.
 */
#ifndef REIN_IO_AUDIT_H
#define REIN_IO_AUDIT_H

#include "text/chat.h"
#include "text/tokenizer.h"

/** How often, and the first time: "FILE:LINE: what". */
typedef struct rein_audit_fact {
    int64_t n;
    char first[240];
} rein_audit_fact;

enum {
    REIN_AUDIT_BROKEN,         /* lines that are no JSON object */
    REIN_AUDIT_FORMAT,         /* rows in none of TRL's formats: columns, roles, contents */
    REIN_AUDIT_SHARED,         /* held-out rows whose prompt is in train */
    REIN_AUDIT_REPEATED_TRAIN, /* training rows equal to an earlier one (rows with "controls" aside: drawn with replacement) */
    REIN_AUDIT_REPEATED_EVAL,  /* held-out rows whose prompt came before */
    REIN_AUDIT_CONFLICTING,    /* rows with an earlier row's prompt and another answer or solution */
    REIN_AUDIT_TOO_LONG,       /* rows of more than max_length tokens */
    REIN_AUDIT_FACTS
};

typedef struct rein_audit {
    int64_t train, eval; /* rows */
    int64_t labelled;    /* rows with a column "controls" */
    rein_audit_fact fact[REIN_AUDIT_FACTS];
} rein_audit;

typedef struct rein_audit_options {
    const rein_tokenizer *tokenizer; /* NULL: lengths are not looked at */
    const rein_chat_template *chat;  /* NULL: of a conversation, only the contents count */
    int64_t max_length;
} rein_audit_options;

/** Audit one file, or a pair (eval NULL: none). Faults are counted, no errors; REIN_ERR_IO if a file cannot be read. */
REIN_NODISCARD rein_status rein_audit_rows(rein_audit *out, const char *train, const char *eval,
                                           const rein_audit_options *options);

/** Name of a fact in JSON, and what it says to people. */
const char *rein_audit_name(int fact);
const char *rein_audit_meaning(int fact);

#endif
