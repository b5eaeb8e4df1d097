/*
 * The token forest: the one structure that sampling and training share.
 *
 * A span is a run of tokens with at most one parent span; a token attends to all tokens of its ancestors and to its own
 * span up to itself. A GRPO group is a tree: the prompt is the root, the completions are its children. An SFT row is a
 * tree of one span. A span's first token is predicted at its parent's last token.
 *
 * Every token has an index: tokens of span s are [span[s].tok, span[s].tok + span[s].n). Per-token arrays (log-probs,
 * weights, their gradients) use it. The plan orders spans in post-order (children by id, then their parent) and cuts the
 * weight-gradient sums into chunks; parts of it (micro-batches) run one after the other without changing a bit.
 */
#ifndef REIN_MODEL_FOREST_H
#define REIN_MODEL_FOREST_H

#include "base/base.h"
#include "tensor/ops.h"

typedef struct rein_span {
    int64_t parent; /* id of the parent span, < own id; -1: a root */
    int64_t tok, n; /* tokens [tok, tok + n), n >= 1 */
    int64_t pos;    /* absolute position of the first token: the end of the parent */
} rein_span;

/** Bits of what a leaf reads of a token. */
typedef enum rein_want {
    REIN_WANT_TOKEN = 1, /* what predicts it: its log-prob and the like (it counts in the loss) */
    REIN_WANT_SCORE = 2, /* the value head at its own position */
} rein_want;

typedef struct rein_forest {
    rein_span *span;
    int64_t n_span, cap_span;
    int32_t *ids;  /* (n_tok) */
    uint8_t *want; /* (n_tok) what is read of each token: bits of rein_want */
    int64_t n_tok, cap_tok;
} rein_forest;

/** Append a span of n >= 1 tokens (copied); want may be NULL (none). *out receives its id unless NULL. */
REIN_NODISCARD rein_status rein_forest_add(rein_forest *f, int64_t parent, const int32_t *ids, const uint8_t *want,
                                           int64_t n, int64_t *out);
void rein_forest_clear(rein_forest *f);
void rein_forest_deinit(rein_forest *f);

/** One micro-batch: consecutive spans of the post-order that take gradient, with the ancestors that they need. */
typedef struct rein_part {
    int64_t begin, end; /* chunks [begin, end) of the plan */
    int64_t n_entry;
    int64_t *entry;     /* (n_entry) span ids in post-order, context ancestors included */
    bool *context;      /* (n_entry) ancestor that only lends keys and values here; a later part has it as a member */
    int64_t tokens;     /* rows of the part */
} rein_part;

typedef struct rein_forest_plan {
    int64_t *post;      /* (n_span) span ids in post-order */
    int64_t *first_child, *next_child; /* (n_span) children by id, -1 ends */
    int64_t *n_toks;    /* (n_chunk) tokens of each chunk, consecutive in post-order */
    int64_t *chunk_span;/* (n_chunk + 1) index in post of the chunk's first span; pieces of one span share it */
    int64_t n_chunk;
    rein_part *part;
    int64_t n_part;
    rein_arena arena;
} rein_forest_plan;

/**
 * Plan a forest.
 *
 * @param microbatch_tokens  aim for at most this many rows a part (0: all in one). A chunk is never split over parts.
 * @note  Chunks (DESIGN section 2): whole consecutive siblings of up to 256 tokens in all, or a piece of one span cut at
 *        multiples of 256; never a parent with its child. They do not depend on microbatch_tokens.
 */
REIN_NODISCARD rein_status rein_forest_plan_make(rein_forest_plan *out, const rein_forest *f, int64_t microbatch_tokens);
void rein_forest_plan_deinit(rein_forest_plan *plan);

#endif
