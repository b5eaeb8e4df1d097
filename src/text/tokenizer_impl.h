/* Inside of a rein_tokenizer: filled by tokenizer_load.c and its helpers, read by tokenizer*.c. */
#ifndef REIN_TEXT_TOKENIZER_IMPL_H
#define REIN_TEXT_TOKENIZER_IMPL_H

#include "text/bpe.h"
#include "text/decode.h"
#include "text/normalize.h"
#include "text/split.h"
#include "text/tokenizer.h"

typedef struct rein_token {
    const char *text;  /* as written in the file (added tokens: as looked for in text); NULL: no token has this id */
    const char *bytes; /* what it stands for */
    uint32_t text_len, len;
    int16_t byte; /* of a byte-fallback token, else -1 */
    bool added, special;
} rein_token;

typedef struct rein_added_token {
    const char *content; /* as it is looked for in text */
    uint32_t len;
    int32_t id;
    bool special, normalized, single_word, lstrip, rstrip;
} rein_added_token;

/** Added tokens of one pass over a text, by first byte, the longer first (so the first that fits is the longest). */
typedef struct rein_added_set {
    rein_added_token *tokens;
    int64_t n;
    int64_t start[257]; /* tokens[start[b] .. start[b+1]) begin with byte b */
} rein_added_set;

struct rein_tokenizer {
    rein_str json;    /* the source, written back by save; texts of tokens point into it */
    rein_arena arena; /* other texts and bytes of tokens */
    rein_token *tokens;
    int64_t n_ids;
    rein_bytemap names; /* added tokens by content, and vocabulary entries outside the byte-level alphabet */
    rein_bytemap words; /* the other vocabulary entries, by bytes; without bpe.bytes: all entries, by text */
    /* Tokens not `normalized` are found first, over the whole text; the others in what is left between them, after the
     * normalizer. */
    rein_added_set added[2];
    rein_regex *word_char; /* for single_word; NULL if no token asks for it */
    rein_normalizer normalizer;
    rein_splitter splitter;
    rein_bpe bpe;
    bool ignore_merges; /* a piece that is a vocabulary entry is that token, whatever the merges say */
    rein_decoding decoding;
    rein_ids frame; /* what the post-processor makes of a text: ids, and -1 for the text itself */
};

/** A value of the source that is read without json-c, as bytes of tok->json. */
typedef struct rein_table {
    const char *text;
    size_t len;
} rein_table;

/**
 * The source without its two big tables, which json-c would take longest for.
 *
 * @param[out] rest    the document, in which model.vocab is {} and model.merges is [].
 * @param[out] vocab,merges  what stood there; .text is NULL for what is missing or of another type (and left in
 * `rest`).
 */
REIN_NODISCARD rein_status rein_tables_cut(rein_str *rest, rein_table *vocab, rein_table *merges, const rein_str *json);

/** Fill tokens, names, words and the ids of units; `n_ids` must be at least that of the added tokens. */
REIN_NODISCARD rein_status rein_tokenizer_load_vocab(rein_tokenizer *tok, rein_table vocab);
REIN_NODISCARD rein_status rein_tokenizer_load_merges(rein_tokenizer *tok, rein_table merges);
REIN_NODISCARD rein_status rein_tokenizer_load_added(rein_tokenizer *tok, struct json_object *list);
/** What each token stands for. After vocabulary and added tokens. */
REIN_NODISCARD rein_status rein_tokenizer_load_bytes(rein_tokenizer *tok);
/** tok->frame, from the "post_processor" (NULL: JSON null). */
REIN_NODISCARD rein_status rein_tokenizer_load_frame(rein_tokenizer *tok, struct json_object *post_processor);

/** Id of a vocabulary entry as it is written in the file, or -1. `bytes` has room for `len`. */
int32_t rein_tokenizer_find(const rein_tokenizer *tok, char *bytes, const char *text, size_t len);

REIN_NODISCARD rein_status rein_tokenizer_check_id(int64_t id);

#endif
