/*
 * Supervised data as token ids: rows of a JSONL file ({"prompt","completion"} or {"text"}), tokenised once.
 */
#ifndef REIN_TRAIN_DATASET_H
#define REIN_TRAIN_DATASET_H

#include "text/tokenizer.h"

typedef struct rein_dataset {
    int64_t n_row;
    int64_t *first;  /* (n_row + 1) first token of each row in ids */
    int64_t *prompt; /* (n_row) tokens of the prompt, which take no loss when only completions do */
    int32_t *ids;
    int64_t cap_row, cap_ids;
} rein_dataset;

/**
 * Load and tokenise. Prompt and completion are tokenised apart, so that a prompt has the same ids as in a rollout; each
 * row ends with `eos`.
 *
 * @return REIN_ERR_FORMAT naming file:line for a bad row, or one longer than max_length tokens.
 */
REIN_NODISCARD rein_status rein_dataset_load(rein_dataset *out, const char *path, const rein_tokenizer *tok, int32_t eos,
                                             int64_t max_length);
void rein_dataset_deinit(rein_dataset *d);

/** order (n_row): the rows of one epoch, a Fisher-Yates shuffle drawn from (seed, epoch), or 0, 1, ... */
void rein_dataset_order(int64_t *order, int64_t n_row, bool shuffle, uint64_t seed, uint32_t epoch);

#endif
