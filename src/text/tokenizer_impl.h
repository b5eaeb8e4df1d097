/* Inside of a rein_tokenizer: filled by tokenizer_load.c, read by tokenizer.c and tokenizer_encode.c. */
#ifndef REIN_TEXT_TOKENIZER_IMPL_H
#define REIN_TEXT_TOKENIZER_IMPL_H

#include "text/bpe.h"
#include "text/split.h"
#include "text/tokenizer.h"

typedef struct rein_token {
    const char *bytes; /* what it stands for; NULL: no token has this id */
    uint32_t len;
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
    rein_str json;    /* the source, written back by save */
    rein_arena arena; /* bytes and names of tokens */
    rein_token *tokens;
    int64_t n_ids;
    rein_bytemap names; /* added tokens by content, and vocabulary entries outside the byte-level alphabet */
    rein_bytemap words; /* the other vocabulary entries, by bytes */
    /* Tokens not `normalized` are found first, over the whole text; the others in what is left between them. */
    rein_added_set added[2];
    rein_regex *word_char; /* for single_word; NULL if no token asks for it */
    rein_splitter splitter;
    rein_bpe bpe;
    bool ignore_merges; /* a piece that is a vocabulary entry is that token, whatever the merges say */
};

#endif
