/* The token tables of a GGUF file, checked once; see gguf_tokenizer.h. */
#include <string.h>

#include "base/json_check.h"
#include "io/gguf_tokenizer.h"

enum { MAX_TOKENS = 1 << 22, MAX_TOKEN_BYTES = 4096 };

static rein_status optional_array(const rein_gguf_value **out, const rein_gguf *g, const char *key, int64_t n,
                                  rein_gguf_type type, rein_gguf_type other) {
    const rein_gguf_value *v = rein_gguf_value_find(g, key);
    *out = NULL;
    if (!v) return REIN_OK;
    REIN_TRY(rein_gguf_array(&v, g, key, v->type == other ? other : type));
    if (n >= 0 && v->n != n)
        return rein_fail(REIN_ERR_FORMAT, "%s: key '%s' at byte %lld has %lld entries for %lld tokens",
                         rein_gguf_path(g), key, (long long)v->at, (long long)v->n, (long long)n);
    *out = v;
    return REIN_OK;
}

static bool is_utf8(const char *text, size_t len) {
    for (size_t i = 0, n; i < len; i += n)
        if ((n = rein_utf8_length(text + i, len - i)) == 0) return false;
    return true;
}

static rein_status read_texts(rein_gguf_vocab *v) {
    const unsigned char *at = v->tokens->data;
    REIN_TRY(rein_alloc(&v->text, v->n, sizeof *v->text));
    REIN_TRY(rein_alloc(&v->len, v->n, sizeof *v->len));
    for (int64_t i = 0; i < v->n; i++) {
        size_t len;
        rein_gguf_next_string(&v->text[i], &len, &at);
        if (len > MAX_TOKEN_BYTES || !is_utf8(v->text[i], len))
            return rein_fail(REIN_ERR_FORMAT,
                             "%s: tokenizer.ggml.tokens[%lld]: %zu bytes, expected UTF-8 of at most %d",
                             rein_gguf_path(v->g), (long long)i, len, MAX_TOKEN_BYTES);
        v->len[i] = (uint32_t)len;
    }
    return REIN_OK;
}

rein_status rein_gguf_vocab_init(rein_gguf_vocab *v, const rein_gguf *g) {
    rein_status status;
    *v = (rein_gguf_vocab){.g = g};
    REIN_TRY(rein_gguf_array(&v->tokens, g, "tokenizer.ggml.tokens", REIN_GGUF_STRING));
    v->n = v->tokens->n;
    if (v->n < 1 || v->n > MAX_TOKENS)
        return rein_fail(REIN_ERR_FORMAT, "%s: %lld tokens, expected 1 to %d", rein_gguf_path(g), (long long)v->n,
                         MAX_TOKENS);
    REIN_TRY(optional_array(&v->types, g, "tokenizer.ggml.token_type", v->n, REIN_GGUF_I32, REIN_GGUF_U32));
    REIN_TRY(optional_array(&v->scores, g, "tokenizer.ggml.scores", v->n, REIN_GGUF_F32, REIN_GGUF_F32));
    REIN_TRY(optional_array(&v->merges, g, "tokenizer.ggml.merges", -1, REIN_GGUF_STRING, REIN_GGUF_STRING));
    REIN_TRY_OUT(status, read_texts(v), fail);
    return REIN_OK;
fail:
    rein_gguf_vocab_deinit(v);
    return status;
}

void rein_gguf_vocab_deinit(rein_gguf_vocab *v) {
    rein_free(v->text);
    rein_free(v->len);
    v->text = NULL;
    v->len = NULL;
}

int64_t rein_gguf_vocab_kind(const rein_gguf_vocab *v, int64_t id) {
    return v->types ? rein_gguf_value_int(v->types, id) : REIN_GGUF_NORMAL;
}
