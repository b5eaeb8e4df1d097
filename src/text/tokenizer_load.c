/* tokenizer.json to tables, each number and name checked before use; see tokenizer.h. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "text/bytelevel.h"
#include "text/tokenizer_impl.h"

/* Largest id + 1. The biggest vocabularies known have 262 144 entries; ids index an array. */
enum { MAX_IDS = 1 << 22 };

/* ---- parts with a "type" ---- */

static rein_status refuse_type(const char *part, const char *wanted, struct json_object *obj) {
    const char *type;
    REIN_TRY(rein_json_string(&type, NULL, obj, "type"));
    return rein_fail(REIN_ERR_FORMAT, "%s: type '%s' is not supported (%s)", part, type, wanted);
}

static rein_status check_normalizer(struct json_object *root) {
    struct json_object *obj;
    if (!rein_json_has(root, "normalizer")) return REIN_OK;
    REIN_TRY(rein_json_object(&obj, root, "normalizer"));
    REIN_TRY(refuse_type("normalizer", "none is", obj));
    return REIN_OK;
}

static rein_status check_decoder(struct json_object *root) {
    struct json_object *obj;
    const char *type;
    REIN_TRY(rein_json_object(&obj, root, "decoder"));
    REIN_TRY(rein_json_string(&type, NULL, obj, "type"));
    if (strcmp(type, "ByteLevel") == 0) return REIN_OK;
    REIN_TRY(refuse_type("decoder", "ByteLevel is", obj));
    return REIN_OK;
}

/* A member that must be absent, null, false, zero or an empty string. */
static rein_status check_unused(struct json_object *model, const char *key) {
    struct json_object *value;
    if (!rein_json_has(model, key)) return REIN_OK;
    json_object_object_get_ex(model, key, &value);
    enum json_type type = json_object_get_type(value);
    if (type == json_type_string ? json_object_get_string_len(value) == 0
                                 : (type == json_type_boolean || type == json_type_double || type == json_type_int) &&
                                       !json_object_get_boolean(value))
        return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "model.%s = %s is not supported", key, json_object_to_json_string(value));
}

/* Older files name no type: merges tell that it is BPE. `unk_token` has no effect: a byte without a token is an error.
 */
static rein_status check_model(rein_tokenizer *tok, struct json_object *model) {
    static const char *const unused[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"};
    const char *type = "BPE";
    if (rein_json_has(model, "type")) REIN_TRY(rein_json_string(&type, NULL, model, "type"));
    if (strcmp(type, "BPE") != 0) return refuse_type("model", "BPE is", model);
    for (size_t i = 0; i < REIN_COUNT(unused); i++) REIN_TRY(check_unused(model, unused[i]));
    if (rein_json_has(model, "ignore_merges")) REIN_TRY(rein_json_bool(&tok->ignore_merges, model, "ignore_merges"));
    return REIN_OK;
}

/* ---- ids ---- */

/* The bytes that a token's text stands for: tokenizers' ByteLevel decoder takes a text outside the alphabet as it is.
 */
static rein_status token_bytes(rein_tokenizer *tok, rein_token *out, bool *in_alphabet, const char *text, size_t len) {
    rein_str bytes = {0};
    char *copy = NULL;
    rein_status status;
    *in_alphabet = rein_bytelevel_read(&bytes, text, len);
    if (!*in_alphabet) rein_str_append(&bytes, text, len);
    REIN_TRY_OUT(status, rein_str_check(&bytes), out);
    REIN_TRY_OUT(status, rein_arena_strdup(&tok->arena, &copy, bytes.len ? bytes.data : "", bytes.len), out);
    out->bytes = copy;
    out->len = (uint32_t)bytes.len;
out:
    rein_str_deinit(&bytes);
    return status;
}

static rein_status check_id(int64_t id) {
    if (id >= 0 && id < MAX_IDS) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "id %lld is outside 0..%d", (long long)id, MAX_IDS - 1);
}

static rein_status count_ids(rein_tokenizer *tok, struct json_object *vocab, struct json_object *added) {
    int64_t largest = -1;
    json_object_object_foreach(vocab, key, value) {
        if (!json_object_is_type(value, json_type_int))
            return rein_fail(REIN_ERR_FORMAT, "model.vocab['%s']: the id is no integer", key);
        int64_t id = json_object_get_int64(value);
        rein_status status = check_id(id);
        if (status != REIN_OK) return rein_error_prefix(status, "model.vocab['%s']", key);
        if (id > largest) largest = id;
    }
    for (size_t i = 0; i < json_object_array_length(added); i++) {
        int64_t id;
        rein_status status = rein_json_int(&id, json_object_array_get_idx(added, i), "id");
        if (status == REIN_OK) status = check_id(id);
        if (status != REIN_OK) return rein_error_prefix(status, "added_tokens[%zu]", i);
        if (id > largest) largest = id;
    }
    if (largest < 0) return rein_fail(REIN_ERR_FORMAT, "model.vocab is empty");
    tok->n_ids = largest + 1;
    REIN_TRY(rein_alloc(&tok->tokens, tok->n_ids, sizeof *tok->tokens));
    return REIN_OK;
}

static rein_status load_vocab(rein_tokenizer *tok, struct json_object *vocab) {
    json_object_object_foreach(vocab, key, value) {
        int32_t id = (int32_t)json_object_get_int64(value), old;
        size_t len = strlen(key);
        rein_token *token = &tok->tokens[id];
        bool in_alphabet;
        if (token->bytes) return rein_fail(REIN_ERR_FORMAT, "model.vocab['%s']: id %d is given twice", key, id);
        if (len == 0) return rein_fail(REIN_ERR_FORMAT, "model.vocab: id %d is the empty string", id);
        REIN_TRY(token_bytes(tok, token, &in_alphabet, key, len));
        rein_bytemap *map = in_alphabet ? &tok->words : &tok->names;
        REIN_TRY(rein_bytemap_put(map, token->bytes, token->len, id, &old));
        REIN_ASSERT(old < 0); /* JSON keys differ, and so do their bytes */
    }
    for (int b = 0; b < 256; b++) tok->bpe.byte_id[b] = rein_bytemap_get(&tok->words, &(char){(char)b}, 1);
    return REIN_OK;
}

/* ---- merges ---- */

static rein_status find_word(const rein_tokenizer *tok, int32_t *id, rein_str *bytes, const char *text, size_t len) {
    rein_str_clear(bytes);
    *id = rein_bytelevel_read(bytes, text, len) && bytes->len ? rein_bytemap_get(&tok->words, bytes->data, bytes->len)
                                                              : -1;
    REIN_TRY(rein_str_check(bytes));
    if (*id < 0) return rein_fail(REIN_ERR_FORMAT, "'%.*s' is not in the vocabulary", (int)len, text);
    return REIN_OK;
}

/* "left right", or ["left", "right"] in files since 2024. */
static rein_status split_merge(struct json_object *entry, const char *text[2], size_t len[2]) {
    if (json_object_is_type(entry, json_type_string)) {
        text[0] = json_object_get_string(entry);
        size_t all = (size_t)json_object_get_string_len(entry);
        const char *space = memchr(text[0], ' ', all);
        if (!space) return rein_fail(REIN_ERR_FORMAT, "no space in '%s'", text[0]);
        len[0] = (size_t)(space - text[0]);
        text[1] = space + 1;
        len[1] = all - len[0] - 1;
        return REIN_OK;
    }
    if (!json_object_is_type(entry, json_type_array) || json_object_array_length(entry) != 2)
        return rein_fail(REIN_ERR_FORMAT, "neither a string nor a list of two");
    for (size_t i = 0; i < 2; i++) {
        struct json_object *half = json_object_array_get_idx(entry, i);
        if (!json_object_is_type(half, json_type_string)) return rein_fail(REIN_ERR_FORMAT, "not a list of strings");
        text[i] = json_object_get_string(half);
        len[i] = (size_t)json_object_get_string_len(half);
    }
    return REIN_OK;
}

static rein_status load_merge(rein_tokenizer *tok, int32_t rank, struct json_object *entry, rein_str *bytes) {
    rein_merge *merge = &tok->bpe.merges[rank];
    const char *text[2];
    size_t len[2];
    int32_t old;
    REIN_TRY(split_merge(entry, text, len));
    REIN_TRY(find_word(tok, &merge->left, bytes, text[0], len[0]));
    REIN_TRY(find_word(tok, &merge->right, bytes, text[1], len[1]));
    const rein_token *left = &tok->tokens[merge->left], *right = &tok->tokens[merge->right];
    rein_str_clear(bytes);
    rein_str_append(bytes, left->bytes, left->len);
    rein_str_append(bytes, right->bytes, right->len);
    REIN_TRY(rein_str_check(bytes));
    merge->joined = rein_bytemap_get(&tok->words, bytes->data, bytes->len);
    if (merge->joined < 0)
        return rein_fail(REIN_ERR_FORMAT, "'%.*s%.*s' is not in the vocabulary", (int)len[0], text[0], (int)len[1],
                         text[1]);
    REIN_TRY(rein_pairmap_put(&tok->bpe.ranks, merge->left, merge->right, rank, &old));
    if (old >= 0)
        return rein_fail(REIN_ERR_FORMAT, "'%.*s' '%.*s' is already merge %d", (int)len[0], text[0], (int)len[1],
                         text[1], old);
    return REIN_OK;
}

static rein_status load_merges(rein_tokenizer *tok, struct json_object *list) {
    int64_t n = (int64_t)json_object_array_length(list);
    rein_str bytes = {0};
    rein_status status = REIN_OK;
    if (n > MAX_IDS) return rein_fail(REIN_ERR_FORMAT, "model.merges has %lld entries", (long long)n);
    REIN_TRY(rein_alloc(&tok->bpe.merges, n, sizeof *tok->bpe.merges));
    tok->bpe.n_merges = n;
    for (int64_t i = 0; i < n && status == REIN_OK; i++) {
        status = load_merge(tok, (int32_t)i, json_object_array_get_idx(list, (size_t)i), &bytes);
        if (status != REIN_OK) rein_error_prefix(status, "model.merges[%lld]", (long long)i);
    }
    rein_str_deinit(&bytes);
    return status;
}

/* ---- added tokens ---- */

static rein_status read_added(rein_added_token *token, struct json_object *obj) {
    int64_t id;
    size_t len;
    REIN_TRY(rein_json_int(&id, obj, "id"));
    REIN_TRY(rein_json_string(&token->content, &len, obj, "content"));
    REIN_TRY(rein_json_bool(&token->special, obj, "special"));
    REIN_TRY(rein_json_bool(&token->normalized, obj, "normalized"));
    REIN_TRY(rein_json_bool(&token->single_word, obj, "single_word"));
    REIN_TRY(rein_json_bool(&token->lstrip, obj, "lstrip"));
    REIN_TRY(rein_json_bool(&token->rstrip, obj, "rstrip"));
    if (len == 0) return rein_fail(REIN_ERR_FORMAT, "content is empty");
    token->id = (int32_t)id; /* checked by count_ids */
    token->len = (uint32_t)len;
    return REIN_OK;
}

/* The vocabulary and the list must agree: the same text has one id, an id one text. */
static rein_status add_token(rein_tokenizer *tok, rein_added_token *added, rein_str *bytes) {
    rein_token *token = &tok->tokens[added->id];
    char *content;
    bool in_alphabet;
    int32_t old, id = -1;
    rein_str_clear(bytes);
    if (rein_bytelevel_read(bytes, added->content, added->len))
        id = rein_bytemap_get(&tok->words, bytes->data, bytes->len);
    else
        id = rein_bytemap_get(&tok->names, added->content, added->len);
    REIN_TRY(rein_str_check(bytes));
    if (token->added) return rein_fail(REIN_ERR_FORMAT, "id %d is already an added token", added->id);
    if (id >= 0 ? id != added->id : token->bytes != NULL)
        return rein_fail(REIN_ERR_FORMAT, "'%.*s' has id %d, which disagrees with the vocabulary", (int)added->len,
                         added->content, added->id);
    if (!token->bytes) REIN_TRY(token_bytes(tok, token, &in_alphabet, added->content, added->len));
    token->added = true;
    token->special = added->special;
    REIN_TRY(rein_arena_strdup(&tok->arena, &content, added->content, added->len));
    added->content = content;
    REIN_TRY(rein_bytemap_put(&tok->names, content, added->len, added->id, &old));
    return REIN_OK;
}

static int compare_added(const void *a, const void *b) {
    const rein_added_token *x = a, *y = b;
    int first = (unsigned char)x->content[0] - (unsigned char)y->content[0];
    return first ? first : (x->len < y->len) - (x->len > y->len);
}

static void index_added(rein_added_set *set) {
    if (set->n) qsort(set->tokens, (size_t)set->n, sizeof *set->tokens, compare_added);
    for (int64_t b = 0, i = 0; b <= 256; b++) {
        while (i < set->n && (unsigned char)set->tokens[i].content[0] < b) i++;
        set->start[b] = i;
    }
}

static rein_status load_added(rein_tokenizer *tok, struct json_object *list) {
    int64_t n = (int64_t)json_object_array_length(list);
    rein_str bytes = {0};
    rein_status status = REIN_OK;
    bool any_single = false;
    for (int pass = 0; pass < 2; pass++)
        REIN_TRY(rein_alloc(&tok->added[pass].tokens, n, sizeof *tok->added[pass].tokens));
    for (int64_t i = 0; i < n && status == REIN_OK; i++) {
        rein_added_token token = {0};
        status = read_added(&token, json_object_array_get_idx(list, (size_t)i));
        if (status == REIN_OK) status = add_token(tok, &token, &bytes);
        if (status != REIN_OK) rein_error_prefix(status, "added_tokens[%lld]", (long long)i);
        rein_added_set *set = &tok->added[token.normalized];
        set->tokens[set->n++] = token;
        any_single |= token.single_word;
    }
    rein_str_deinit(&bytes);
    if (status != REIN_OK) return status;
    for (int pass = 0; pass < 2; pass++) index_added(&tok->added[pass]);
    /* Rust's \w, which find_matches uses; not Oniguruma's */
    static const char word_char[] = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}]";
    if (any_single) REIN_TRY(rein_regex_compile(&tok->word_char, word_char, sizeof word_char - 1));
    return REIN_OK;
}

/* ---- the document ---- */

static rein_status load_document(rein_tokenizer *tok, struct json_object *root) {
    struct json_object *model, *vocab, *merges, *added, *pre;
    REIN_TRY(rein_json_object(&model, root, "model"));
    REIN_TRY(check_model(tok, model));
    REIN_TRY(check_normalizer(root));
    REIN_TRY(check_decoder(root));
    REIN_TRY(rein_json_object(&pre, root, "pre_tokenizer"));
    REIN_TRY(rein_splitter_parse(&tok->splitter, pre));
    REIN_TRY(rein_json_object(&vocab, model, "vocab"));
    REIN_TRY(rein_json_array(&merges, model, "merges"));
    REIN_TRY(rein_json_array(&added, root, "added_tokens"));
    REIN_TRY(count_ids(tok, vocab, added));
    REIN_TRY(load_vocab(tok, vocab));
    REIN_TRY(load_merges(tok, merges));
    REIN_TRY(load_added(tok, added));
    return REIN_OK;
}

rein_status rein_tokenizer_parse(rein_tokenizer **out, const char *name, const char *json, size_t len) {
    rein_tokenizer *tok = NULL;
    struct json_object *root = NULL;
    rein_status status;
    REIN_TRY_OUT(status, rein_json_parse(&root, name, json, len), out);
    REIN_TRY_OUT(status, rein_alloc(&tok, 1, sizeof *tok), out);
    rein_str_append(&tok->json, json, len);
    REIN_TRY_OUT(status, rein_str_check(&tok->json), out);
    REIN_TRY_OUT(status, load_document(tok, root), prefix);
    *out = tok;
    tok = NULL;
prefix:
    if (status != REIN_OK) rein_error_prefix(status, "%s", name);
out:
    json_object_put(root);
    rein_tokenizer_destroy(tok);
    return status;
}
