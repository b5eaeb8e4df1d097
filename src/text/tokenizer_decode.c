/* Ids to text, all at once or one after the other; see tokenizer.h. */
#include <string.h>

#include "text/bytelevel.h"
#include "text/tokenizer_impl.h"

struct rein_decoder {
    const rein_tokenizer *tok;
    bool skip_special;
    bool raw;         /* bytes of byte-level tokens as they are */
    bool hold;        /* the steps on the whole need its end */
    int64_t n_tokens; /* pushed, without what was skipped */
    int64_t n_pieces; /* tokens and joined runs that have been written */
    int64_t to_strip; /* characters that a Strip on the whole may still take from its beginning */
    rein_str wait;    /* byte-level: an unfinished character; byte fallback: the run so far */
    rein_str whole;   /* if `hold` */
    rein_str piece, spare;
    rein_regex_scratch *scratch;
};

/* The steps on the whole are one Strip that leaves the end alone (or none): text can be written as it comes. */
static const rein_decode_step *leading_strip(const rein_decoding *d) {
    const rein_decode_step *step = &d->steps[d->n_tokens];
    return d->n_steps == d->n_tokens + 1 && step->kind == REIN_DECODE_STRIP && step->stop == 0 ? step : NULL;
}

static void restart(rein_decoder *dec) {
    const rein_decode_step *strip = leading_strip(&dec->tok->decoding);
    dec->n_tokens = dec->n_pieces = 0;
    dec->to_strip = strip ? strip->start : 0;
    rein_str_clear(&dec->wait);
    rein_str_clear(&dec->whole);
}

rein_status rein_decoder_create(rein_decoder **out, const rein_tokenizer *tok, bool skip_special) {
    const rein_decoding *d = &tok->decoding;
    rein_decoder *dec;
    REIN_TRY(rein_alloc(&dec, 1, sizeof *dec));
    dec->tok = tok;
    dec->skip_special = skip_special;
    dec->hold = d->n_steps > d->n_tokens && !leading_strip(d);
    restart(dec);
    rein_status status = rein_regex_scratch_create(&dec->scratch);
    if (status != REIN_OK) {
        rein_decoder_destroy(dec);
        return status;
    }
    *out = dec;
    return REIN_OK;
}

void rein_decoder_destroy(rein_decoder *decoder) {
    if (!decoder) return;
    rein_str_deinit(&decoder->wait);
    rein_str_deinit(&decoder->whole);
    rein_str_deinit(&decoder->piece);
    rein_str_deinit(&decoder->spare);
    rein_regex_scratch_destroy(decoder->scratch);
    rein_free(decoder);
}

/* A piece of the text, in its order. */
static rein_status write_piece(rein_decoder *dec, const char *bytes, size_t len, rein_str *out) {
    const rein_decoding *d = &dec->tok->decoding;
    dec->n_pieces++;
    while (dec->to_strip && len) {
        const rein_str *mark = &d->steps[d->n_tokens].content;
        bool same = len >= mark->len && memcmp(bytes, mark->data, mark->len) == 0;
        dec->to_strip = same ? dec->to_strip - 1 : 0;
        if (same) bytes += mark->len, len -= mark->len;
    }
    rein_str *to = dec->hold ? &dec->whole : out;
    rein_str_append(to, bytes, len);
    return rein_str_check(to);
}

/* What `bytes` become by the steps [from, n_tokens). */
static rein_status write_through(rein_decoder *dec, int from, const char *bytes, size_t len, rein_str *out) {
    const rein_decoding *d = &dec->tok->decoding;
    rein_str_clear(&dec->piece);
    rein_str_append(&dec->piece, bytes, len);
    REIN_TRY(rein_str_check(&dec->piece));
    REIN_TRY(rein_decoding_apply(d, from, d->n_tokens, dec->n_pieces == 0, dec->scratch, &dec->piece, &dec->spare));
    return write_piece(dec, dec->piece.len ? dec->piece.data : "", dec->piece.len, out);
}

/* A run of byte tokens is a text if it is UTF-8, and otherwise as many U+FFFD as it has bytes: tokenizers' rule. */
static rein_status end_run(rein_decoder *dec, rein_str *out) {
    const rein_decoding *d = &dec->tok->decoding;
    size_t len = dec->wait.len;
    if (d->bytes || len == 0) return REIN_OK;
    if (rein_utf8_valid_length(dec->wait.data, len) == len) {
        REIN_TRY(write_through(dec, d->n_before, dec->wait.data, len, out));
    } else {
        for (size_t i = 0; i < len; i++) REIN_TRY(write_through(dec, d->n_before, "\xef\xbf\xbd", 3, out));
    }
    rein_str_clear(&dec->wait);
    return REIN_OK;
}

static rein_status push_bytes(rein_decoder *dec, const rein_token *token, rein_str *out) {
    if (dec->raw) return write_piece(dec, token->bytes, token->len, out);
    rein_str_append(&dec->wait, token->bytes, token->len);
    REIN_TRY(rein_str_check(&dec->wait));
    size_t used = rein_utf8_append_lossy(out, dec->wait.data, dec->wait.len, false);
    memmove(dec->wait.data, dec->wait.data + used, dec->wait.len - used);
    dec->wait.len -= used;
    return rein_str_check(out);
}

static rein_status push_token(rein_decoder *dec, const rein_token *token, rein_str *out) {
    const rein_decoding *d = &dec->tok->decoding;
    bool first = dec->n_tokens++ == 0;
    if (d->bytes) return push_bytes(dec, token, out);
    if (token->byte >= 0) {
        rein_str_putc(&dec->wait, (char)token->byte);
        return rein_str_check(&dec->wait);
    }
    REIN_TRY(end_run(dec, out));
    if (d->spaces && !first) REIN_TRY(write_piece(dec, " ", 1, out));
    if (first && d->n_tokens) return write_through(dec, 0, token->text, token->text_len, out);
    return write_piece(dec, token->bytes, token->len, out);
}

static bool is_token(const rein_tokenizer *tok, int32_t id) {
    return id >= 0 && id < tok->n_ids && tok->tokens[id].text;
}

rein_status rein_decoder_push(rein_decoder *decoder, int32_t id, rein_str *out) {
    if (!is_token(decoder->tok, id))
        return rein_fail(REIN_ERR_ARG, "id %d is no token of a vocabulary of %lld", id, (long long)decoder->tok->n_ids);
    const rein_token *token = &decoder->tok->tokens[id];
    return decoder->skip_special && token->special ? REIN_OK : push_token(decoder, token, out);
}

rein_status rein_decoder_finish(rein_decoder *dec, rein_str *out) {
    const rein_decoding *d = &dec->tok->decoding;
    REIN_TRY(end_run(dec, out));
    if (dec->wait.len) rein_utf8_append_lossy(out, dec->wait.data, dec->wait.len, true);
    if (dec->hold) {
        REIN_TRY(rein_decoding_apply(d, d->n_tokens, d->n_steps, true, dec->scratch, &dec->whole, &dec->spare));
        rein_str_append(out, dec->whole.data, dec->whole.len);
    }
    restart(dec);
    return rein_str_check(out);
}

rein_status rein_tokenizer_decode(const rein_tokenizer *tok, const int32_t *ids, int64_t n, bool skip_special,
                                  rein_str *out) {
    rein_decoder *dec = NULL;
    size_t before = out->len;
    rein_status status = REIN_OK;
    for (int64_t i = 0; i < n; i++)
        if (!is_token(tok, ids[i]))
            return rein_fail(REIN_ERR_ARG, "ids[%lld] = %d is no token of a vocabulary of %lld", (long long)i, ids[i],
                             (long long)tok->n_ids);
    REIN_TRY(rein_decoder_create(&dec, tok, skip_special));
    dec->raw = tok->decoding.bytes;
    for (int64_t i = 0; i < n && status == REIN_OK; i++) status = rein_decoder_push(dec, ids[i], out);
    if (status == REIN_OK) status = rein_decoder_finish(dec, out);
    rein_decoder_destroy(dec);
    if (status != REIN_OK && out->data) out->data[out->len = before] = '\0';
    return status;
}
