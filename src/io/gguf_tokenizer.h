/*
 * From tokenizer.ggml.* to the files of a Hugging Face tokenizer. A file that carries tokenizer.huggingface.json gives
 * that, byte for byte; else one is made that `tokenizers` and rein read to the same ids as llama.cpp's own tables.
 */
#ifndef REIN_IO_GGUF_TOKENIZER_H
#define REIN_IO_GGUF_TOKENIZER_H

#include "io/gguf_format.h"

#define REIN_GGUF_KEY_HF_TOKENIZER "tokenizer.huggingface.json"

/** The tables of a tokenizer; borrowed from the file. */
typedef struct rein_gguf_vocab {
    const rein_gguf *g;
    const rein_gguf_value *tokens, *types, *scores, *merges; /* NULL if the file lacks them; tokens never */
    const char **text;                                       /* (n) of tokens, UTF-8, without NUL at the end; owned */
    uint32_t *len;                                           /* (n) bytes; owned */
    int64_t n;
} rein_gguf_vocab;

/** REIN_ERR_FORMAT: lengths that disagree, texts that are not UTF-8, too many or too long tokens. */
REIN_NODISCARD rein_status rein_gguf_vocab_init(rein_gguf_vocab *v, const rein_gguf *g);
void rein_gguf_vocab_deinit(rein_gguf_vocab *v);
/** Kind of a token: REIN_GGUF_NORMAL ... */
int64_t rein_gguf_vocab_kind(const rein_gguf_vocab *v, int64_t id);

/** False if the file has no tokenizer (model "none" or no key). */
bool rein_gguf_has_tokenizer(const rein_gguf *g);

/** tokenizer.json; appended. REIN_ERR_FORMAT names key and value that rein does not have. */
REIN_NODISCARD rein_status rein_gguf_tokenizer_text(rein_str *out, const rein_gguf *g);
/** tokenizer_config.json, special_tokens_map.json; appended. */
REIN_NODISCARD rein_status rein_gguf_tokenizer_config_text(rein_str *out, const rein_gguf *g);
REIN_NODISCARD rein_status rein_gguf_special_tokens_text(rein_str *out, const rein_gguf *g);

/** "merges" of a SentencePiece vocabulary, made of its scores: a JSON array; appended. */
REIN_NODISCARD rein_status rein_gguf_spm_merges(rein_str *out, const rein_gguf_vocab *v);

#endif
