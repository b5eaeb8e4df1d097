/* Added tokens of a tokenizer.json, and what each token stands for; see tokenizer_impl.h. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "text/bytelevel.h"
#include "text/tokenizer_impl.h"

typedef struct loading {
    rein_tokenizer *tok;
    rein_regex_scratch *scratch;
    rein_normal_work normal;
    rein_str bytes, spare;
} loading;

static rein_status loading_init(loading *l, rein_tokenizer *tok) {
    *l = (loading){.tok = tok};
    REIN_TRY(rein_regex_scratch_create(&l->scratch));
    return REIN_OK;
}

static void loading_deinit(loading *l) {
    rein_regex_scratch_destroy(l->scratch);
    rein_normal_work_deinit(&l->normal);
    rein_str_deinit(&l->bytes);
    rein_str_deinit(&l->spare);
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

/* A token that is looked for in normalized text is looked for in its normalized form, and decoded as that. */
static rein_status normalize_content(loading *l, rein_added_token *added) {
    rein_normal_text text = {added->content, added->len, true};
    char *copy;
    if (added->normalized) REIN_TRY(rein_normalizer_run(&l->tok->normalizer, &l->normal, l->scratch, &text));
    if (text.len == 0) return rein_fail(REIN_ERR_FORMAT, "the normalizer leaves nothing of '%s'", added->content);
    REIN_TRY(rein_arena_strdup(&l->tok->arena, &copy, text.data, text.len));
    added->content = copy;
    added->len = (uint32_t)text.len;
    return REIN_OK;
}

/* The vocabulary and the list must agree: the same text has one id, an id one text. */
static rein_status add_token(loading *l, rein_added_token *added) {
    rein_tokenizer *tok = l->tok;
    rein_token *token = &tok->tokens[added->id];
    const char *content = added->content;
    size_t len = added->len;
    char *name;
    int32_t old;
    rein_str_clear(&l->bytes);
    rein_str_append(&l->bytes, content, len); /* room */
    REIN_TRY(rein_str_check(&l->bytes));
    int32_t id = rein_tokenizer_find(tok, l->bytes.data, content, len);
    if (token->added) return rein_fail(REIN_ERR_FORMAT, "id %d is already an added token", added->id);
    if (id >= 0 ? id != added->id : token->text != NULL)
        return rein_fail(REIN_ERR_FORMAT, "'%.*s' has id %d, which disagrees with the vocabulary", (int)len, content,
                         added->id);
    REIN_TRY(rein_arena_strdup(&tok->arena, &name, content, len));
    REIN_TRY(rein_bytemap_put(&tok->names, name, len, added->id, &old));
    if (old >= 0 && old != added->id)
        return rein_fail(REIN_ERR_FORMAT, "'%.*s' is already added token %d", (int)len, content, old);
    REIN_TRY(normalize_content(l, added));
    token->text = added->content;
    token->text_len = added->len;
    token->bytes = NULL;
    token->added = true;
    token->special = added->special;
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

static rein_status load_list(loading *l, struct json_object *list) {
    rein_tokenizer *tok = l->tok;
    int64_t n = (int64_t)json_object_array_length(list);
    for (int pass = 0; pass < 2; pass++)
        REIN_TRY(rein_alloc(&tok->added[pass].tokens, n, sizeof *tok->added[pass].tokens));
    for (int64_t i = 0; i < n; i++) {
        rein_added_token token = {0};
        rein_status status = read_added(&token, json_object_array_get_idx(list, (size_t)i));
        if (status == REIN_OK) status = add_token(l, &token);
        if (status != REIN_OK) return rein_error_prefix(status, "added_tokens[%lld]", (long long)i);
        rein_added_set *set = &tok->added[token.normalized];
        set->tokens[set->n++] = token;
    }
    return REIN_OK;
}

rein_status rein_tokenizer_load_added(rein_tokenizer *tok, struct json_object *list) {
    loading l;
    rein_status status;
    bool any_single = false;
    REIN_TRY_OUT(status, loading_init(&l, tok), out);
    REIN_TRY_OUT(status, load_list(&l, list), out);
    for (int pass = 0; pass < 2; pass++) {
        index_added(&tok->added[pass]);
        for (int64_t i = 0; i < tok->added[pass].n; i++) any_single |= tok->added[pass].tokens[i].single_word;
    }
    static const char word_char[] = "[" REIN_REGEX_RUST_WORD "]";
    if (any_single) REIN_TRY_OUT(status, rein_regex_compile(&tok->word_char, word_char, sizeof word_char - 1), out);
out:
    loading_deinit(&l);
    return status;
}

/* ---- what tokens stand for ---- */

static rein_status decode_token(loading *l, rein_token *token) {
    rein_tokenizer *tok = l->tok;
    const rein_decoding *d = &tok->decoding;
    char *copy;
    rein_str_clear(&l->bytes);
    rein_str_append(&l->bytes, token->text, token->text_len);
    REIN_TRY(rein_str_check(&l->bytes));
    REIN_TRY(rein_decoding_apply(d, 0, d->n_before, false, l->scratch, &l->bytes, &l->spare));
    token->byte = (int16_t)(d->byte_fallback ? rein_decoding_byte(l->bytes.data, l->bytes.len) : -1);
    if (token->byte >= 0) {
        rein_str_clear(&l->bytes);
        rein_str_putc(&l->bytes, (char)token->byte);
    } else {
        REIN_TRY(rein_decoding_apply(d, d->n_before, d->n_tokens, false, l->scratch, &l->bytes, &l->spare));
    }
    REIN_TRY(rein_str_check(&l->bytes));
    REIN_TRY(rein_arena_strdup(&tok->arena, &copy, l->bytes.len ? l->bytes.data : "", l->bytes.len));
    token->bytes = copy;
    token->len = (uint32_t)l->bytes.len;
    return REIN_OK;
}

rein_status rein_tokenizer_load_bytes(rein_tokenizer *tok) {
    /* the vocabulary's bytes, read for the merges, are those that a ByteLevel decoder gives */
    bool known = tok->bpe.bytes && tok->decoding.bytes;
    loading l;
    rein_status status;
    REIN_TRY_OUT(status, loading_init(&l, tok), out);
    for (int64_t i = 0; i < tok->n_ids; i++) {
        rein_token *token = &tok->tokens[i];
        if (token->text && !(known && token->bytes)) REIN_TRY_OUT(status, decode_token(&l, token), out);
    }
out:
    loading_deinit(&l);
    return status;
}
