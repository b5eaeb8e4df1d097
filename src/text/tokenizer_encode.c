/* Text to ids: find added tokens, cut the rest into pieces, merge each piece; see tokenizer.h. */
#include <string.h>

#include "text/bytelevel.h"
#include "text/tokenizer_impl.h"

typedef struct encoder {
    const rein_tokenizer *tok;
    rein_split_work split;
    rein_bpe_work bpe;
    rein_ids *out;
} encoder;

/* ---- plain text ---- */

static rein_status encode_plain(encoder *e, const char *text, size_t len) {
    const rein_tokenizer *tok = e->tok;
    REIN_TRY(rein_splitter_run(&tok->splitter, &e->split, text, len));
    for (int64_t i = 0; i < e->split.pieces.n; i++) {
        rein_piece piece = e->split.pieces.data[i];
        int32_t whole = tok->ignore_merges ? rein_bytemap_get(&tok->words, piece.text, piece.len) : -1;
        if (whole >= 0)
            REIN_TRY(rein_ids_push(e->out, whole));
        else
            REIN_TRY(rein_bpe_encode(&tok->bpe, &e->bpe, piece.text, piece.len, e->out));
    }
    return REIN_OK;
}

/* ---- added tokens ---- */

static bool is_white_space(int32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Start of the character that ends at `end` > 0. */
static size_t character_before(const char *text, size_t end) {
    do end--;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80);
    return end;
}

/* Walk over white space: leftwards from `at` down to `limit`, or rightwards up to `limit`. */
static size_t skip_space_left(const char *text, size_t at, size_t limit) {
    size_t size;
    while (at > limit) {
        size_t start = character_before(text, at);
        if (!is_white_space(rein_utf8_decode(text + start, at - start, &size))) break;
        at = start;
    }
    return at;
}

static size_t skip_space_right(const char *text, size_t at, size_t limit) {
    size_t size;
    while (at < limit && is_white_space(rein_utf8_decode(text + at, limit - at, &size))) at += size;
    return at;
}

static rein_status is_word_char(bool *out, encoder *e, const char *text, size_t len) {
    rein_regex_match m;
    REIN_TRY(rein_regex_find(&m, e->tok->word_char, e->split.scratch, text, len, 0));
    *out = m.found;
    return REIN_OK;
}

/* Is [begin, end) of the text delimited by something other than word characters on both sides? */
static rein_status stands_alone(bool *out, encoder *e, const char *text, size_t len, size_t begin, size_t end) {
    bool word_before = false, word_after = false;
    size_t size = 0;
    if (begin > 0) {
        size_t start = character_before(text, begin);
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

static rein_status encode_pass(encoder *e, int pass, const char *text, size_t len);

/* What lies between added tokens of one pass goes to the next pass, and after the last is plain text. */
static rein_status encode_between(encoder *e, int pass, const char *text, size_t len) {
    if (len == 0) return REIN_OK;
    REIN_TRY(pass == 0 ? encode_pass(e, 1, text, len) : encode_plain(e, text, len));
    return REIN_OK;
}

/* As tokenizers' find_matches: leftmost, then longest; one that must stand alone and does not is passed over whole;
 * lstrip and rstrip take in the white space around, but not what an earlier token has taken. */
static rein_status encode_pass(encoder *e, int pass, const char *text, size_t len) {
    const rein_added_set *set = &e->tok->added[pass];
    size_t done = 0, at = 0;
    while (set->n && at < len) {
        const rein_added_token *token = added_at(set, text + at, len - at);
        if (!token) {
            at++;
            continue;
        }
        size_t begin = at, end = at + token->len;
        bool alone = true;
        at = end;
        if (token->single_word) REIN_TRY(stands_alone(&alone, e, text, len, begin, end));
        if (!alone) continue;
        if (token->lstrip) begin = begin > done ? skip_space_left(text, begin, done) : done;
        if (token->rstrip) end = skip_space_right(text, end, len);
        if (begin >= end) continue; /* all of it was taken by the rstrip of the token before */
        if (begin > done) REIN_TRY(encode_between(e, pass, text + done, begin - done));
        REIN_TRY(rein_ids_push(e->out, token->id));
        done = end;
    }
    if (done < len) REIN_TRY(encode_between(e, pass, text + done, len - done));
    return REIN_OK;
}

rein_status rein_tokenizer_encode(const rein_tokenizer *tok, const char *text, size_t len, rein_ids *out) {
    encoder e = {.tok = tok, .out = out};
    int64_t before = out->n;
    rein_status status;
    if (len >= INT32_MAX) return rein_fail(REIN_ERR_ARG, "a text of %zu bytes: split it below 2 GiB", len);
    size_t valid = rein_utf8_valid_length(text, len);
    if (valid < len)
        return rein_fail(REIN_ERR_ARG, "the text is not UTF-8 at byte %zu (0x%02x)", valid, (unsigned char)text[valid]);
    REIN_TRY_OUT(status, rein_split_work_init(&e.split), out);
    REIN_TRY_OUT(status, encode_pass(&e, 0, text, len), out);
out:
    if (status != REIN_OK) out->n = before;
    rein_split_work_deinit(&e.split);
    rein_bpe_work_deinit(&e.bpe);
    return status;
}
