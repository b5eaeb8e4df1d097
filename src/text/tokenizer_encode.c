/* Text to ids: find added tokens, normalize and cut the rest into pieces, merge each piece; see tokenizer.h. */
#include <string.h>

#include "text/bytelevel.h"
#include "text/tokenizer_impl.h"
#include "text/word_cache.h"

struct rein_encoder {
    const rein_tokenizer *tok;
    rein_normal_work normal;
    rein_split_work split;
    rein_bpe_work bpe;
    rein_word_cache cache;
    rein_ids *out;
    rein_ids text; /* without the post-processor's tokens */
};

/* ---- plain text ---- */

static rein_status encode_piece(rein_encoder *e, rein_piece piece) {
    const rein_tokenizer *tok = e->tok;
    const rein_cached_word *known = rein_word_cache_find(&e->cache, piece.text, piece.len);
    if (known) {
        for (int i = 0; i < known->n_ids; i++) REIN_TRY(rein_ids_push(e->out, known->ids[i]));
        return REIN_OK;
    }
    int64_t before = e->out->n;
    int32_t whole = tok->ignore_merges ? rein_bytemap_get(&tok->words, piece.text, piece.len) : -1;
    if (whole >= 0)
        REIN_TRY(rein_ids_push(e->out, whole));
    else
        REIN_TRY(rein_bpe_encode(&tok->bpe, &e->bpe, piece.text, piece.len, e->out));
    return rein_word_cache_put(&e->cache, piece.text, piece.len, e->out->data + before, e->out->n - before);
}

static rein_status encode_plain(rein_encoder *e, rein_normal_text text) {
    REIN_TRY(rein_splitter_run(&e->tok->splitter, &e->split, text.data, text.len, text.at_start));
    for (int64_t i = 0; i < e->split.pieces.n; i++) REIN_TRY(encode_piece(e, e->split.pieces.data[i]));
    return REIN_OK;
}

/* ---- added tokens ---- */

static rein_status is_word_char(bool *out, rein_encoder *e, const char *text, size_t len) {
    rein_regex_match m;
    REIN_TRY(rein_regex_find(&m, e->tok->word_char, e->split.scratch, text, len, 0));
    *out = m.found;
    return REIN_OK;
}

/* Is [begin, end) of the text delimited by something other than word characters on both sides? */
static rein_status stands_alone(bool *out, rein_encoder *e, const char *text, size_t len, size_t begin, size_t end) {
    bool word_before = false, word_after = false;
    size_t size = 0;
    if (begin > 0) {
        size_t start = rein_utf8_before(text, begin);
        REIN_TRY(is_word_char(&word_before, e, text + start, begin - start));
    }
    if (end < len) {
        rein_utf8_decode(text + end, len - end, &size);
        REIN_TRY(is_word_char(&word_after, e, text + end, size));
    }
    *out = !word_before && !word_after;
    return REIN_OK;
}

static const rein_added_token *added_at(const rein_added_set *set, const char *text, size_t len) {
    unsigned char first = (unsigned char)text[0];
    for (int64_t i = set->start[first]; i < set->start[first + 1]; i++) {
        const rein_added_token *token = &set->tokens[i];
        if (token->len <= len && memcmp(token->content, text, token->len) == 0) return token;
    }
    return NULL;
}

static rein_status encode_pass(rein_encoder *e, int pass, rein_normal_text text);

/* What lies between added tokens of one pass goes to the next pass, and after the last is plain text. */
static rein_status encode_between(rein_encoder *e, int pass, rein_normal_text text, size_t begin, size_t end) {
    rein_normal_text part = {text.data + begin, end - begin, text.at_start && begin == 0};
    if (begin == end) return REIN_OK;
    if (pass == 1) return encode_plain(e, part);
    REIN_TRY(rein_normalizer_run(&e->tok->normalizer, &e->normal, e->split.scratch, &part));
    return encode_pass(e, 1, part);
}

/* As tokenizers' find_matches: leftmost, then longest; one that must stand alone and does not is passed over whole;
 * lstrip and rstrip take in the white space around, but not what an earlier token has taken. */
static rein_status encode_pass(rein_encoder *e, int pass, rein_normal_text text) {
    const rein_added_set *set = &e->tok->added[pass];
    const char *data = text.data;
    size_t done = 0, at = 0, len = text.len;
    while (set->n && at < len) {
        const rein_added_token *token = added_at(set, data + at, len - at);
        if (!token) {
            at++;
            continue;
        }
        size_t begin = at, end = at + token->len;
        bool alone = true;
        at = end;
        if (token->single_word) REIN_TRY(stands_alone(&alone, e, data, len, begin, end));
        if (!alone) continue;
        if (token->lstrip) begin = begin > done ? rein_utf8_skip_space_left(data, begin, done) : done;
        if (token->rstrip) end = rein_utf8_skip_space_right(data, end, len);
        if (begin >= end) continue; /* all of it was taken by the rstrip of the token before */
        if (begin > done) REIN_TRY(encode_between(e, pass, text, done, begin));
        REIN_TRY(rein_ids_push(e->out, token->id));
        done = end;
    }
    return encode_between(e, pass, text, done, len);
}

/* ---- a text ---- */

static rein_status encode_text(rein_encoder *e, const char *text, size_t len, rein_ids *out) {
    if (len >= INT32_MAX) return rein_fail(REIN_ERR_ARG, "a text of %zu bytes: split it below 2 GiB", len);
    size_t valid = rein_utf8_valid_length(text, len);
    if (valid < len)
        return rein_fail(REIN_ERR_ARG, "the text is not UTF-8 at byte %zu (0x%02x)", valid, (unsigned char)text[valid]);
    e->out = out;
    return encode_pass(e, 0, (rein_normal_text){text, len, true});
}

static rein_status encode_framed(rein_encoder *e, const char *text, size_t len, rein_ids *out) {
    const rein_ids *frame = &e->tok->frame;
    e->text.n = 0;
    REIN_TRY(encode_text(e, text, len, &e->text));
    for (int64_t i = 0; i < frame->n; i++) {
        if (frame->data[i] >= 0) REIN_TRY(rein_ids_push(out, frame->data[i]));
        for (int64_t k = 0; frame->data[i] < 0 && k < e->text.n; k++) REIN_TRY(rein_ids_push(out, e->text.data[k]));
    }
    return REIN_OK;
}

rein_status rein_encoder_encode(rein_encoder *encoder, const char *text, size_t len, bool add_special, rein_ids *out) {
    int64_t before = out->n;
    rein_status status = (add_special ? encode_framed : encode_text)(encoder, text, len, out);
    if (status != REIN_OK) out->n = before;
    return status;
}

rein_status rein_encoder_create(rein_encoder **out, const rein_tokenizer *tok) {
    rein_encoder *e;
    REIN_TRY(rein_alloc(&e, 1, sizeof *e));
    e->tok = tok;
    rein_status status = rein_split_work_init(&e->split);
    if (status != REIN_OK) {
        rein_encoder_destroy(e);
        return status;
    }
    *out = e;
    return REIN_OK;
}

void rein_encoder_destroy(rein_encoder *encoder) {
    if (!encoder) return;
    rein_normal_work_deinit(&encoder->normal);
    rein_split_work_deinit(&encoder->split);
    rein_bpe_work_deinit(&encoder->bpe);
    rein_word_cache_deinit(&encoder->cache);
    rein_ids_deinit(&encoder->text);
    rein_free(encoder);
}

rein_status rein_tokenizer_encode(const rein_tokenizer *tok, const char *text, size_t len, rein_ids *out) {
    rein_encoder *e;
    REIN_TRY(rein_encoder_create(&e, tok));
    rein_status status = rein_encoder_encode(e, text, len, false, out);
    rein_encoder_destroy(e);
    return status;
}
