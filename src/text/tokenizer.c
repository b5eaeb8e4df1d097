/* Tokenizers: what needs only the loaded tables; see tokenizer.h. */
#include "text/tokenizer.h"

#include <string.h>

#include "base/file.h"
#include "text/tokenizer_impl.h"

rein_status rein_ids_push(rein_ids *ids, int32_t id) {
    if (ids->n == ids->cap) {
        int64_t cap = ids->cap ? 2 * ids->cap : 64;
        REIN_TRY(rein_realloc(&ids->data, ids->cap, cap, sizeof *ids->data));
        ids->cap = cap;
    }
    ids->data[ids->n++] = id;
    return REIN_OK;
}

void rein_ids_deinit(rein_ids *ids) {
    rein_free(ids->data);
    *ids = (rein_ids){0};
}

void rein_tokenizer_destroy(rein_tokenizer *tok) {
    if (!tok) return;
    rein_str_deinit(&tok->json);
    rein_arena_deinit(&tok->arena);
    rein_free(tok->tokens);
    rein_bytemap_deinit(&tok->names);
    rein_bytemap_deinit(&tok->words);
    rein_free(tok->added[0].tokens);
    rein_free(tok->added[1].tokens);
    rein_regex_destroy(tok->word_char);
    rein_normalizer_deinit(&tok->normalizer);
    rein_splitter_deinit(&tok->splitter);
    rein_decoding_deinit(&tok->decoding);
    rein_ids_deinit(&tok->frame);
    rein_free(tok->bpe.merges);
    rein_pairmap_deinit(&tok->bpe.ranks);
    rein_free(tok);
}

rein_status rein_tokenizer_save(const rein_tokenizer *tok, const char *path) {
    REIN_TRY(rein_file_write(path, tok->json.data, tok->json.len));
    return REIN_OK;
}

int64_t rein_tokenizer_vocab_size(const rein_tokenizer *tok) { return tok->n_ids; }

int32_t rein_tokenizer_id(const rein_tokenizer *tok, const char *token, size_t len) {
    int32_t id = rein_bytemap_get(&tok->names, token, len);
    return id >= 0 ? id : rein_bytemap_get(&tok->words, token, len);
}

static const rein_token *token_at(const rein_tokenizer *tok, int32_t id) {
    return id >= 0 && id < tok->n_ids && tok->tokens[id].text ? &tok->tokens[id] : NULL;
}

bool rein_tokenizer_is_special(const rein_tokenizer *tok, int32_t id) {
    const rein_token *token = token_at(tok, id);
    return token && token->special;
}

rein_status rein_tokenizer_token_bytes(const rein_tokenizer *tok, int32_t id, const char **bytes, size_t *len) {
    const rein_token *token = token_at(tok, id);
    if (!token) return rein_fail(REIN_ERR_ARG, "id %d is no token of a vocabulary of %lld", id, (long long)tok->n_ids);
    *bytes = token->bytes;
    *len = token->len;
    return REIN_OK;
}
