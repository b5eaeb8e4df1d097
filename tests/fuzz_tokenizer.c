/*
 * libFuzzer: the input up to a NUL byte is a tokenizer.json, the rest (or a fixed text) is encoded with it. What
 * encodes must decode.
 */
#include <string.h>

#include "text/bytelevel.h"
#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decoding id by id writes whole characters only. */
static void use_decoder(const rein_tokenizer *tok, const rein_ids *ids) {
    rein_decoder *dec;
    rein_str text = {0};
    if (rein_decoder_create(&dec, tok, false) != REIN_OK) return;
    for (int64_t i = 0; i < ids->n; i++) {
        REIN_ASSERT(rein_decoder_push(dec, ids->data[i], &text) == REIN_OK);
        REIN_ASSERT(text.len == 0 || rein_utf8_valid_length(text.data, text.len) == text.len);
    }
    REIN_ASSERT(rein_decoder_finish(dec, &text) == REIN_OK);
    rein_decoder_destroy(dec);
    rein_str_deinit(&text);
}

static void use(const rein_tokenizer *tok, const char *text, size_t len) {
    rein_encoder *encoder;
    rein_ids ids = {0};
    rein_str back = {0};
    REIN_ASSERT(rein_encoder_create(&encoder, tok) == REIN_OK);
    if (rein_encoder_encode(encoder, text, len, true, &ids) == REIN_OK) {
        REIN_ASSERT(rein_tokenizer_decode(tok, ids.data, ids.n, false, &back) == REIN_OK);
        use_decoder(tok, &ids);
    }
    rein_encoder_destroy(encoder);
    rein_ids_deinit(&ids);
    rein_str_deinit(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char fixed[] = "The cat's 3 hats, \xe6\x97\xa5\xe6\x9c\xac  \n<e> ab";
    const char *json = (const char *)data, *nul = size ? memchr(json, '\0', size) : NULL;
    size_t len = nul ? (size_t)(nul - json) : size;
    rein_tokenizer *tok;
    if (rein_tokenizer_parse(&tok, "fuzz", size ? json : "", len) != REIN_OK) return 0;
    if (nul)
        use(tok, nul + 1, size - len - 1);
    else
        use(tok, fixed, sizeof fixed - 1);
    rein_tokenizer_destroy(tok);
    return 0;
}
