/*
 * Supervised data as token ids: rows of a JSONL file in TRL's formats (see io/row.h), tokenised once. Rows are read one
 * after the other; what stays in memory is their ids and which of them take loss.
 */
#ifndef REIN_TRAIN_DATASET_H
#define REIN_TRAIN_DATASET_H

#include "io/row.h"
#include "text/chat.h"
#include "text/tokenizer.h"

/** What becomes of a row of more than max_length tokens; in the order of REIN_TRUNCATION_CHOICES. */
typedef enum rein_truncation {
    REIN_TRUNCATION_ERROR,
    REIN_TRUNCATION_START, /* its start is kept */
    REIN_TRUNCATION_END,   /* its end is kept */
    REIN_TRUNCATION_DROP
} rein_truncation;
#define REIN_TRUNCATION_CHOICES "error|keep_start|keep_end|drop"

/** What the rows are for, and so which columns they need. */
typedef enum rein_dataset_format {
    REIN_DATASET_TEXT,       /* language modelling: text, messages, or prompt and completion */
    REIN_DATASET_PREFERENCE, /* prompt, chosen, rejected: two sequences a row, which share the prompt's tokens */
    REIN_DATASET_RANKED,     /* the same, or chosen and rejected as whole texts without a prompt */
    REIN_DATASET_LABELLED,   /* prompt, completion, label */
    REIN_DATASET_ANSWERED,   /* prompt, completion */
    REIN_DATASET_PROMPT      /* prompt; a completion is left aside */
} rein_dataset_format;

typedef struct rein_dataset_options {
    rein_dataset_format format;
    int32_t eos;        /* ends rows of text; conversations end as their template says */
    int64_t max_length; /* tokens of a row, >= 2 */
    rein_truncation truncation;
    bool completion_only;               /* prompt-completion rows: loss on the completion */
    bool assistant_only;                /* conversations: loss on what the assistant says; rows of text are an error */
    const rein_chat_template *chat;     /* NULL: rows of messages are an error */
    struct json_object *chat_kwargs;    /* or NULL */
    bool wrap; /* rows are joined to one stream, which is cut into rows of max_length (the last may be shorter) */
    bool cut;  /* a longer row becomes several of max_length, whatever `truncation` says */
} rein_dataset_options;

/** Rows of one sequence, or of two: row r's are r * width and the next one. */
typedef struct rein_dataset {
    int64_t n_row, n_seq, width;
    int64_t *first;  /* (n_seq + 1) first token of each sequence in ids */
    int64_t *prompt; /* (n_seq) tokens of its prompt at its start; 0: it has none */
    uint8_t *label;  /* (n_seq) 1: LABELLED rows, a desirable answer */
    double *margin;  /* (n_seq) of the row, in units of the reward; 0 where it has none */
    int32_t *ids;
    uint8_t *loss;  /* beside ids: 1 where a token takes loss; never on a row's first token, which nothing predicts */
    int64_t cap_seq, cap_ids;
    int64_t truncated, dropped; /* rows cut, and rows left out for their length */
    int64_t without_loss;       /* rows left out because no token of them would take loss */
} rein_dataset;

/**
 * Load and tokenise. Prompt and completion (and each turn of a conversation) are tokenised apart, so that a prompt has
 * the same ids as in a rollout.
 *
 * @return REIN_ERR_FORMAT naming file:line for a bad row, a prompt-only row, or a row that is too long where that is an
 *         error; or if no row is left.
 */
REIN_NODISCARD rein_status rein_dataset_load(rein_dataset *out, const char *path, const rein_tokenizer *tok,
                                             const rein_dataset_options *options);
/** The same, behind the rows that are there already: held-out rows of another file. */
REIN_NODISCARD rein_status rein_dataset_add(rein_dataset *d, const char *path, const rein_tokenizer *tok,
                                            const rein_dataset_options *options);
/** A row that is a prompt of n >= 1 tokens alone; *d starts zeroed with width 1. */
REIN_NODISCARD rein_status rein_dataset_add_prompt(rein_dataset *d, const int32_t *ids, int64_t n);
void rein_dataset_deinit(rein_dataset *d);

/** Ids of row->prompt with an answer behind it, as they would be in a row: texts, or (chat) messages. *n_prompt: tokens of
 *  the prompt at the start of `out`, whose content is replaced. */
REIN_NODISCARD rein_status rein_dataset_encode(rein_ids *out, int64_t *n_prompt, const rein_row *row,
                                               struct json_object *answer, const rein_tokenizer *tok,
                                               const rein_dataset_options *options);

/** order (n_row): the rows of one epoch, a Fisher-Yates shuffle drawn from (seed, epoch), or 0, 1, ... */
void rein_dataset_order(int64_t *order, int64_t n_row, bool shuffle, uint64_t seed, uint32_t epoch);

#endif
