/*
 * Byte-pair merging of one piece of text.
 *
 * A piece is first cut into units, bytes or characters, and each unit is looked up: its token, else the tokens of its
 * bytes (<0x00>..<0xFF>), else the unknown token. Then, of all pairs that a merge names, the one of lowest rank is
 * joined first, the leftmost of equals; until none is left.
 */
#ifndef REIN_TEXT_BPE_H
#define REIN_TEXT_BPE_H

#include "text/maps.h"
#include "text/tokenizer.h"

typedef struct rein_merge {
    int32_t left, right, joined;
} rein_merge;

enum { REIN_BPE_UNITS = 0x2600 }; /* characters below it are found in a table; U+2581 of sentencepiece is one */

typedef struct rein_bpe {
    bool bytes;                      /* units are bytes; otherwise characters */
    int32_t unit_id[REIN_BPE_UNITS]; /* by byte or character; -1: no token */
    const rein_bytemap *words;       /* the other characters, as UTF-8 */
    bool byte_fallback;
    int32_t byte_id[256]; /* of byte_fallback; -1: no token */
    bool has_unk, fuse_unk;
    int32_t unk_id;     /* -1: the file names an unknown token that its vocabulary lacks */
    rein_merge *merges; /* (n_merges) by rank */
    rein_pairmap ranks; /* (left, right) -> rank */
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

/** Append the ids of `len` bytes (less than 2^31) of UTF-8. REIN_ERR_ARG names a unit without a token. */
REIN_NODISCARD rein_status rein_bpe_encode(const rein_bpe *bpe, rein_bpe_work *work, const char *text, size_t len,
                                           rein_ids *out);
void rein_bpe_work_deinit(rein_bpe_work *work);

#endif
