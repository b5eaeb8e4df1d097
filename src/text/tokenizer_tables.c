/*
 * The two big tables of a tokenizer.json, model.vocab and model.merges, read straight from its bytes.
 *
 * For a tree of a hundred thousand nodes json-c takes several times longer than the tables take to fill. What is not
 * strict JSON is refused here as there; rein_tokenizer_parse has seen that the source is UTF-8.
 */
#include <string.h>

#include "text/bytelevel.h"
#include "text/tokenizer_impl.h"

/* ---- cutting them out ---- */

/* From behind the opening quotation mark to behind the closing one. */
static const char *skip_string(const char *at, const char *end) {
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at)), *back = quote;
        if (!quote) break;
        while (back > at && back[-1] == '\\') back--;
        if ((quote - back) % 2 == 0) return quote + 1;
        at = quote + 1;
    }
    return end;
}

/* From an opening bracket to behind the one that closes it. */
static const char *skip_value(const char *at, const char *end) {
    int64_t depth = 0;
    while (at < end) {
        char c = *at++;
        if (c == '"') at = skip_string(at, end);
        if (c == '{' || c == '[') depth++;
        if ((c == '}' || c == ']') && --depth == 0) break;
    }
    return at;
}

static const char *skip_blanks(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
    return at;
}

static bool is_key(rein_table key, const char *name) {
    return key.len == strlen(name) && memcmp(key.text, name, key.len) == 0;
}

rein_status rein_tables_cut(rein_str *rest, rein_table *vocab, rein_table *merges, const rein_str *json) {
    const char *at = json->data, *end = json->data + json->len, *copied = at;
    rein_table key = {.text = at};
    int64_t depth = 0;
    bool in_model = false;
    *vocab = *merges = (rein_table){0};
    while (at < end) {
        char c = *at++;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (c == ',' && depth == 1) in_model = false;
        if (c == '"') {
            key.text = at;
            at = skip_string(at, end);
            key.len = (size_t)(at - key.text) - (at > key.text);
        }
        if (c != ':') continue;
        if (depth == 1) in_model = is_key(key, "model");
        bool is_vocab = is_key(key, "vocab");
        if (depth != 2 || !in_model || (!is_vocab && !is_key(key, "merges"))) continue;
        rein_table *table = is_vocab ? vocab : merges;
        const char *value = skip_blanks(at, end);
        if (table->text || value == end || *value != (is_vocab ? '{' : '[')) continue;
        at = skip_value(value, end);
        *table = (rein_table){value, (size_t)(at - value)};
        rein_str_append(rest, copied, (size_t)(value - copied));
        rein_str_puts(rest, is_vocab ? "{}" : "[]");
        copied = at;
    }
    rein_str_append(rest, copied, (size_t)(end - copied));
    REIN_TRY(rein_str_check(rest));
    return REIN_OK;
}

/* ---- reading JSON ---- */

typedef struct reader {
    const char *at, *end;
    rein_arena *arena; /* of texts with escapes; others are slices of the source */
} reader;

static rein_status malformed(const char *what) { return rein_fail(REIN_ERR_FORMAT, "expected %s", what); }

/* Past white space, is it this character? Then it is taken. */
static bool take(reader *r, char c) {
    r->at = skip_blanks(r->at, r->end);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static int32_t hex4(const char *at, const char *end) {
    int32_t value = 0;
    if (end - at < 4) return -1;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)at[i], letter = c | 0x20;
        if (c - '0' > 9 && letter - 'a' > 5) return -1;
        value = value * 16 + (int32_t)(c <= '9' ? c - '0' : letter - 'a' + 10);
    }
    return value;
}

/* \uHHHH or a pair of them, at `at` (the 'u'), into 1..4 bytes; NULL if it is none. */
static const char *unicode_escape(char **out, const char *at, const char *end) {
    int32_t c = hex4(at + 1, end), low;
    at += 5;
    if (c < 0 || (c >= 0xdc00 && c <= 0xdfff)) return NULL;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return NULL;
        low = hex4(at + 2, end);
        if (low < 0xdc00 || low > 0xdfff) return NULL;
        c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
        at += 6;
    }
    *out += rein_utf8_encode(*out, c);
    return at;
}

/* The text between quotation marks, some of it escaped, into `out`; its end, or NULL if it is malformed. */
static char *unescape(char *out, const char *at, const char *end) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    while (at < end) {
        if (*at != '\\') {
            if ((unsigned char)*at < 0x20) return NULL;
            *out++ = *at++;
            continue;
        }
        const char *letter = ++at < end && *at ? strchr(letters, *at) : NULL;
        if (letter) {
            *out++ = meanings[letter - letters];
            at++;
            continue;
        }
        if (at == end || *at != 'u' || !(at = unicode_escape(&out, at, end))) return NULL;
    }
    return out;
}

static rein_status read_string(reader *r, const char **text, size_t *len) {
    bool plain = true;
    if (!take(r, '"')) return malformed("a string");
    const char *begin = r->at, *end = skip_string(begin, r->end);
    if (end == begin || end[-1] != '"') return malformed("the end of a string");
    r->at = end--;
    for (const char *c = begin; c < end; c++) plain &= *c != '\\' && (unsigned char)*c >= 0x20;
    *text = begin;
    *len = (size_t)(end - begin);
    if (plain) return REIN_OK;
    char *copy, *stop;
    REIN_TRY(rein_arena_alloc(r->arena, &copy, *len + 1));
    stop = unescape(copy, begin, end);
    if (!stop) return malformed("a string without control characters and with known escapes");
    *text = copy;
    *len = (size_t)(stop - copy);
    return REIN_OK;
}

/* ---- vocabulary ---- */

typedef struct entry {
    const char *text;
    uint32_t len;
    int32_t id;
} entry;

typedef struct entries {
    entry *data;
    int64_t n, cap;
    size_t bytes; /* of all texts */
} entries;

static rein_status read_id(reader *r, const char *text, size_t len, int32_t *id) {
    int64_t value = 0;
    r->at = skip_blanks(r->at, r->end);
    const char *first = r->at + (r->at < r->end && *r->at == '-'), *at = first;
    for (; at < r->end && *at >= '0' && *at <= '9' && value < INT32_MAX; at++) value = 10 * value + (*at - '0');
    bool leading_zero = at - first > 1 && *first == '0';
    if (at == first || leading_zero || (at < r->end && *at && strchr(".eE", *at)))
        return rein_fail(REIN_ERR_FORMAT, "model.vocab['%.*s']: the id is no integer", (int)len, text);
    rein_status status = rein_tokenizer_check_id(first > r->at ? -value : value);
    if (status != REIN_OK) return rein_error_prefix(status, "model.vocab['%.*s']", (int)len, text);
    r->at = at;
    *id = (int32_t)value;
    return REIN_OK;
}

static rein_status read_entry(reader *r, entries *all) {
    const char *text;
    size_t len;
    int32_t id = -1;
    REIN_TRY(read_string(r, &text, &len));
    if (!take(r, ':')) return malformed("':' in model.vocab");
    REIN_TRY(read_id(r, text, len, &id));
    if (len == 0) return rein_fail(REIN_ERR_FORMAT, "model.vocab: id %d is the empty string", id);
    if (all->n == all->cap) {
        int64_t cap = all->cap ? 2 * all->cap : 1024;
        REIN_TRY(rein_realloc(&all->data, all->cap, cap, sizeof *all->data));
        all->cap = cap;
    }
    all->data[all->n++] = (entry){.text = text, .len = (uint32_t)len, .id = id};
    all->bytes += len;
    return REIN_OK;
}

static rein_status read_entries(reader *r, entries *all) {
    r->at++; /* rein_tables_cut has seen the bracket */
    if (take(r, '}')) return REIN_OK;
    do REIN_TRY(read_entry(r, all));
    while (take(r, ','));
    if (!take(r, '}')) return malformed("',' or '}' in model.vocab");
    return REIN_OK;
}

/* `*bytes` is where bytes of the next token go. */
static rein_status add_entry(rein_tokenizer *tok, const entry *e, char **bytes) {
    rein_token *token = &tok->tokens[e->id];
    int32_t old;
    int64_t n = tok->bpe.bytes ? rein_bytelevel_bytes(*bytes, e->text, e->len) : -1;
    if (token->text)
        return rein_fail(REIN_ERR_FORMAT, "model.vocab['%.*s']: id %d is given twice", (int)e->len, e->text, e->id);
    *token = (rein_token){.text = e->text, .text_len = e->len, .byte = -1};
    if (n >= 0) {
        token->bytes = *bytes;
        token->len = (uint32_t)n;
        *bytes += n;
        REIN_TRY(rein_bytemap_put(&tok->words, token->bytes, token->len, e->id, &old));
    } else {
        REIN_TRY(rein_bytemap_put(tok->bpe.bytes ? &tok->names : &tok->words, e->text, e->len, e->id, &old));
    }
    if (old >= 0) return rein_fail(REIN_ERR_FORMAT, "model.vocab['%.*s'] is given twice", (int)e->len, e->text);
    return REIN_OK;
}

static void index_units(rein_tokenizer *tok) {
    rein_bpe *bpe = &tok->bpe;
    char text[8];
    bpe->words = &tok->words;
    for (int32_t c = 0; c < REIN_BPE_UNITS; c++) {
        size_t size = 1;
        text[0] = (char)c;
        if (!bpe->bytes) size = rein_utf8_encode(text, c);
        bpe->unit_id[c] = bpe->bytes && c > 255 ? -1 : rein_bytemap_get(&tok->words, text, size);
    }
    for (int b = 0; b < 256; b++) {
        const char *digits = "0123456789ABCDEF";
        memcpy(text, "<0x00>", 6);
        text[3] = digits[b >> 4];
        text[4] = digits[b & 15];
        bpe->byte_id[b] = rein_bytemap_get(&tok->words, text, 6);
    }
}

static rein_status fill_vocab(rein_tokenizer *tok, const entries *all) {
    char *bytes;
    for (int64_t i = 0; i < all->n; i++)
        if (all->data[i].id >= tok->n_ids) tok->n_ids = (int64_t)all->data[i].id + 1;
    if (tok->n_ids == 0) return rein_fail(REIN_ERR_FORMAT, "model.vocab is empty");
    REIN_TRY(rein_alloc(&tok->tokens, tok->n_ids, sizeof *tok->tokens));
    REIN_TRY(rein_bytemap_reserve(&tok->words, all->n));
    REIN_TRY(rein_arena_alloc(&tok->arena, &bytes, all->bytes + 1));
    for (int64_t i = 0; i < all->n; i++) REIN_TRY(add_entry(tok, &all->data[i], &bytes));
    index_units(tok);
    return REIN_OK;
}

rein_status rein_tokenizer_load_vocab(rein_tokenizer *tok, rein_table vocab) {
    reader r = {vocab.text, vocab.text + vocab.len, &tok->arena};
    entries all = {0};
    rein_status status = read_entries(&r, &all);
    if (status == REIN_OK) status = fill_vocab(tok, &all);
    rein_free(all.data);
    return status;
}

int32_t rein_tokenizer_find(const rein_tokenizer *tok, char *bytes, const char *text, size_t len) {
    int64_t n = tok->bpe.bytes ? rein_bytelevel_bytes(bytes, text, len) : -1;
    if (n >= 0) return rein_bytemap_get(&tok->words, bytes, (size_t)n);
    return rein_bytemap_get(tok->bpe.bytes ? &tok->names : &tok->words, text, len);
}

/* ---- merges ---- */

/* "left right", or ["left", "right"] in files since 2024. */
static rein_status read_merge(reader *r, const char *text[2], size_t len[2]) {
    if (take(r, '[')) {
        rein_status status = read_string(r, &text[0], &len[0]);
        bool comma = status == REIN_OK && take(r, ',');
        if (comma) status = read_string(r, &text[1], &len[1]);
        if (status == REIN_ERR_MEMORY) return status;
        if (status != REIN_OK || !comma || !take(r, ']'))
            return rein_fail(REIN_ERR_FORMAT, "neither a string nor a list of two strings");
        return REIN_OK;
    }
    r->at = skip_blanks(r->at, r->end);
    if (r->at < r->end && *r->at != '"')
        return rein_fail(REIN_ERR_FORMAT, "neither a string nor a list of two strings");
    size_t all;
    REIN_TRY(read_string(r, &text[0], &all));
    const char *space = memchr(text[0], ' ', all);
    if (!space) return rein_fail(REIN_ERR_FORMAT, "no space in '%.*s'", (int)all, text[0]);
    len[0] = (size_t)(space - text[0]);
    text[1] = space + 1;
    len[1] = all - len[0] - 1;
    return REIN_OK;
}

typedef struct merging {
    rein_tokenizer *tok;
    int64_t cap;              /* of tok->bpe.merges */
    rein_str joined, scratch; /* scratch: room for bytes */
} merging;

static rein_status find_half(merging *m, int32_t *id, const char *text, size_t len) {
    *id = rein_tokenizer_find(m->tok, m->scratch.data, text, len);
    if (*id < 0) return rein_fail(REIN_ERR_FORMAT, "'%.*s' is not in the vocabulary", (int)len, text);
    return REIN_OK;
}

/* A trained vocabulary lists the tokens that merges make in the order of the merges, so that the next id is a good
 * guess and saves a third of the lookups. */
static rein_status find_joined(merging *m, int32_t *id) {
    const rein_bpe *bpe = &m->tok->bpe;
    int32_t guess = bpe->n_merges ? bpe->merges[bpe->n_merges - 1].joined + 1 : 0;
    const rein_token *token = guess < m->tok->n_ids ? &m->tok->tokens[guess] : NULL;
    *id = guess;
    if (token && token->text && token->text_len == m->joined.len &&
        memcmp(token->text, m->joined.data, m->joined.len) == 0)
        return REIN_OK;
    return find_half(m, id, m->joined.data, m->joined.len);
}

static rein_status add_merge(merging *m, const char *const text[2], const size_t len[2]) {
    rein_bpe *bpe = &m->tok->bpe;
    rein_merge merge;
    int32_t old;
    rein_str_clear(&m->joined);
    rein_str_append(&m->joined, text[0], len[0]);
    rein_str_append(&m->joined, text[1], len[1]);
    if (m->scratch.cap < m->joined.len) rein_str_append(&m->scratch, m->joined.data, m->joined.len); /* room */
    REIN_TRY(rein_str_check(&m->joined));
    REIN_TRY(rein_str_check(&m->scratch));
    REIN_TRY(find_half(m, &merge.left, text[0], len[0]));
    REIN_TRY(find_half(m, &merge.right, text[1], len[1]));
    REIN_TRY(find_joined(m, &merge.joined));
    if (bpe->n_merges == m->cap) {
        int64_t cap = m->cap ? 2 * m->cap : 1024;
        REIN_TRY(rein_realloc(&bpe->merges, m->cap, cap, sizeof *bpe->merges));
        m->cap = cap;
    }
    REIN_TRY(rein_pairmap_put(&bpe->ranks, merge.left, merge.right, (int32_t)bpe->n_merges, &old));
    if (old >= 0)
        return rein_fail(REIN_ERR_FORMAT, "'%.*s' '%.*s' is already merge %d", (int)len[0], text[0], (int)len[1],
                         text[1], old);
    bpe->merges[bpe->n_merges++] = merge;
    return REIN_OK;
}

static rein_status read_merges(merging *m, reader *r) {
    const char *text[2];
    size_t len[2];
    r->at++; /* rein_tables_cut has seen the bracket */
    if (take(r, ']')) return REIN_OK;
    do {
        if (m->tok->bpe.n_merges == INT32_MAX) return rein_fail(REIN_ERR_FORMAT, "more than %d merges", INT32_MAX);
        rein_status status = read_merge(r, text, len);
        if (status == REIN_OK) status = add_merge(m, text, len);
        if (status != REIN_OK) return rein_error_prefix(status, "model.merges[%lld]", (long long)m->tok->bpe.n_merges);
    } while (take(r, ','));
    if (!take(r, ']')) return malformed("',' or ']' in model.merges");
    return REIN_OK;
}

rein_status rein_tokenizer_load_merges(rein_tokenizer *tok, rein_table merges) {
    reader r = {merges.text, merges.text + merges.len, &tok->arena};
    merging m = {.tok = tok};
    rein_str_puts(&m.scratch, "x"); /* never NULL */
    rein_status status = read_merges(&m, &r);
    rein_str_deinit(&m.joined);
    rein_str_deinit(&m.scratch);
    return status;
}
