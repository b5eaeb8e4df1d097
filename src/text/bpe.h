/*
 * Byte-pair merging of one piece of text.
 *
 * Of all pairs that a merge names, the one of lowest rank is joined first, the leftmost of equals; until none is left.
 */
#ifndef REIN_TEXT_BPE_H
#define REIN_TEXT_BPE_H

#include "text/maps.h"
#include "text/tokenizer.h"

typedef struct rein_merge {
    int32_t left, right, joined;
} rein_merge;

typedef struct rein_bpe {
    int32_t byte_id[256]; /* -1: no token for this byte */
    rein_merge *merges;   /* (n_merges) by rank */
    rein_pairmap ranks;   /* (left, right) -> rank */
    int64_t n_merges;
} rein_bpe;

typedef struct rein_bpe_symbol rein_bpe_symbol;
typedef struct rein_bpe_candidate rein_bpe_candidate;

/** One per thread, kept between pieces. Zero-initialised is ready. */
typedef struct rein_bpe_work {
    rein_bpe_symbol *symbols;
    rein_bpe_candidate *heap;
    int64_t cap, n_heap; /* heap has room for 3 cap */
} rein_bpe_work;

/** Append the ids of `len` bytes (less than 2^31). REIN_ERR_ARG names a byte without a token. */
REIN_NODISCARD rein_status rein_bpe_encode(const rein_bpe *bpe, rein_bpe_work *work, const char *bytes, size_t len,
                                           rein_ids *out);
void rein_bpe_work_deinit(rein_bpe_work *work);

#endif
