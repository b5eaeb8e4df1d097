/*
 * Tokenizers: Hugging Face tokenizer.json (BPE, byte-level or of characters with byte fallback) to and from bytes, and
 * training of new ones.
 *
 * Ids equal those of the Python/Rust `tokenizers` package. What a file asks for and this module does not do (dropout,
 * another model) is an error at load, never a near miss. The one difference: a character without any token is an error
 * here, where tokenizers drops it if the file names no unk_token. A file's `truncation` and `padding` are kept for
 * saving and have no effect.
 */
#ifndef REIN_TEXT_TOKENIZER_H
#define REIN_TEXT_TOKENIZER_H

#include "base/base.h"

/** Growing array of token ids. Zero-initialised is empty and ready. */
typedef struct rein_ids {
    int32_t *data;
    int64_t n, cap;
} rein_ids;

REIN_NODISCARD rein_status rein_ids_push(rein_ids *ids, int32_t id);
void rein_ids_deinit(rein_ids *ids);

/** Constant once loaded: threads may share one. */
typedef struct rein_tokenizer rein_tokenizer;

/**
 * Read a tokenizer.
 *
 * @param[out] out   caller owns; untouched on error.
 * @param      path  a tokenizer.json, or a model directory that holds one.
 * @return REIN_ERR_IO; REIN_ERR_FORMAT naming the place in the file (an unsupported part, an id out of range or given
 *         twice, a merge of unknown tokens); REIN_ERR_MEMORY.
 */
REIN_NODISCARD rein_status rein_tokenizer_load(rein_tokenizer **out, const char *path);

/** As rein_tokenizer_load, from `len` bytes of JSON; `name` starts the error messages. */
REIN_NODISCARD rein_status rein_tokenizer_parse(rein_tokenizer **out, const char *name, const char *json, size_t len);

void rein_tokenizer_destroy(rein_tokenizer *tok);

/** Write the tokenizer.json it was made from, byte for byte, atomically. */
REIN_NODISCARD rein_status rein_tokenizer_save(const rein_tokenizer *tok, const char *path);

/**
 * Text to ids, with add_special_tokens=False.
 *
 * Added tokens (special or not) in the text are recognised; no others are put in.
 *
 * @param      text  UTF-8, `len` bytes (less than 2 GiB), NUL bytes allowed.
 * @param[out] out   ids are appended; on an error it is as before.
 * @return REIN_ERR_ARG if the text is not UTF-8 (names the byte offset), or has a byte that no token stands for (names
 *         the byte; only with vocabularies that lack some of the 256 bytes); REIN_ERR_MEMORY.
 */
REIN_NODISCARD rein_status rein_tokenizer_encode(const rein_tokenizer *tok, const char *text, size_t len,
                                                 rein_ids *out);

/** One per thread, for many texts with one tokenizer: remembers the ids of words that it has met. */
typedef struct rein_encoder rein_encoder;

/** Caller owns *out; `tok` must outlive it. */
REIN_NODISCARD rein_status rein_encoder_create(rein_encoder **out, const rein_tokenizer *tok);
void rein_encoder_destroy(rein_encoder *encoder);
/** As rein_tokenizer_encode; add_special: the file's post-processor puts its tokens around. */
REIN_NODISCARD rein_status rein_encoder_encode(rein_encoder *encoder, const char *text, size_t len, bool add_special,
                                               rein_ids *out);

/**
 * Ids to bytes.
 *
 * @param      skip_special  leave out special tokens.
 * @param[out] out           bytes are appended. Of byte-level tokens they may end or begin inside a UTF-8 character;
 *                           tokenizers puts U+FFFD for what is no UTF-8 (so does rein_decoder).
 * @return REIN_ERR_ARG if an id is no token (names index and id; nothing is appended); REIN_ERR_MEMORY.
 */
REIN_NODISCARD rein_status rein_tokenizer_decode(const rein_tokenizer *tok, const int32_t *ids, int64_t n,
                                                 bool skip_special, rein_str *out);

/**
 * Ids to text, one after the other: what has been written never changes, and ends with a whole character.
 *
 * All pieces together are the text of rein_tokenizer_decode, with U+FFFD for what is no UTF-8. Bytes of a character
 * that is not complete wait for the next ids; so does a run of byte-fallback tokens, whose reading depends on its end.
 */
typedef struct rein_decoder rein_decoder;

/** Caller owns *out; `tok` must outlive it. */
REIN_NODISCARD rein_status rein_decoder_create(rein_decoder **out, const rein_tokenizer *tok, bool skip_special);
void rein_decoder_destroy(rein_decoder *decoder);
/** Append what has become certain to `out`. REIN_ERR_ARG if `id` is no token (nothing has changed). */
REIN_NODISCARD rein_status rein_decoder_push(rein_decoder *decoder, int32_t id, rein_str *out);
/** No id follows: append the rest. The decoder is as new. */
REIN_NODISCARD rein_status rein_decoder_finish(rein_decoder *decoder, rein_str *out);

/** Largest id + 1; ids below it may be unused. */
int64_t rein_tokenizer_vocab_size(const rein_tokenizer *tok);

/** Id of an added token's content, else of the vocabulary entry for this text, or of byte-level ones for these bytes;
 * -1 if there is none. */
int32_t rein_tokenizer_id(const rein_tokenizer *tok, const char *token, size_t len);

/** True for an added token marked special; false for any other number. */
bool rein_tokenizer_is_special(const rein_tokenizer *tok, int32_t id);

/** Bytes that one token stands for between others (U+2581 is a space, <0x0A> a line feed); *bytes is borrowed from
 * `tok`. REIN_ERR_ARG if `id` is no token. */
REIN_NODISCARD rein_status rein_tokenizer_token_bytes(const rein_tokenizer *tok, int32_t id, const char **bytes,
                                                      size_t *len);

typedef struct rein_bpe_options {
    int64_t vocab_size;         /* wanted entries, special tokens included; fewer if the texts run out of pairs */
    const char *pattern;        /* split regex (Oniguruma as in tokenizer.json); NULL: ByteLevel's (GPT-2) */
    const char *const *special; /* (n_special) get ids 0, 1, ...; may be NULL */
    int64_t n_special;
    bool full_byte_alphabet; /* false: only bytes that occur; encoding others is then an error */
} rein_bpe_options;

/**
 * Train byte-level BPE as `tokenizers.trainers.BpeTrainer` does: most frequent pair first, ties by smaller pair of ids.
 *
 * @param[out] out    caller owns.
 * @param      texts  (n) UTF-8; lens (n) bytes. No merge crosses from one text, or one split of it, to the next.
 * @return REIN_ERR_ARG if vocab_size is below special tokens + bytes, a special token is empty or given twice, a text
 * is not UTF-8 or the pattern does not compile; REIN_ERR_MEMORY.
 * @note   Depends on the texts' contents only (not on time, threads or addresses).
 */
REIN_NODISCARD rein_status rein_tokenizer_train(rein_tokenizer **out, const rein_bpe_options *options,
                                                const char *const *texts, const size_t *lens, int64_t n);

#endif
