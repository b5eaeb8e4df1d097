/* tokenizer.json and the chat template as GGUF metadata; see gguf_export.h. Byte-level BPE ("gpt2") only. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "io/gguf_export.h"
#include "io/gguf_pre.h"
#include "io/gguf_tokenizer.h"

/* ---- tokens by id ---- */

typedef struct token {
    const char *text; /* borrowed from the document; NULL: none has this id */
    size_t len;
    int32_t kind;
} token;

static rein_status set_token(token *tokens, int64_t V, int64_t id, token t) {
    if (id < 0 || id >= V)
        return rein_fail(REIN_ERR_FORMAT, "token '%s' has id %lld, but the model has %lld embeddings", t.text,
                         (long long)id, (long long)V);
    tokens[id] = t;
    return REIN_OK;
}

static rein_status read_vocab(token *tokens, int64_t V, struct json_object *model) {
    struct json_object *vocab;
    REIN_TRY(rein_json_object(&vocab, model, "vocab"));
    struct json_object_iter it;
    json_object_object_foreachC(vocab, it) {
        int64_t id;
        REIN_TRY(rein_json_int(&id, vocab, it.key));
        REIN_TRY(set_token(tokens, V, id, (token){it.key, strlen(it.key), REIN_GGUF_NORMAL}));
    }
    return REIN_OK;
}

static rein_status read_added(token *tokens, int64_t V, struct json_object *root) {
    struct json_object *list;
    if (!rein_json_has(root, "added_tokens")) return REIN_OK;
    REIN_TRY(rein_json_array(&list, root, "added_tokens"));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        token t = {0};
        bool special = false;
        int64_t id;
        REIN_TRY(rein_json_int(&id, entry, "id"));
        REIN_TRY(rein_json_string(&t.text, &t.len, entry, "content"));
        if (rein_json_has(entry, "special")) REIN_TRY(rein_json_bool(&special, entry, "special"));
        t.kind = special ? REIN_GGUF_CONTROL : REIN_GGUF_USER;
        REIN_TRY(set_token(tokens, V, id, t));
    }
    return REIN_OK;
}

/* Rows of the embedding without a token are named as llama.cpp's converter does. */
static void put_tokens(rein_gguf_meta *m, const token *tokens, int64_t V) {
    char name[32];
    rein_gguf_put_array(m, "tokenizer.ggml.tokens", REIN_GGUF_STRING, V);
    for (int64_t i = 0; i < V; i++) {
        snprintf(name, sizeof name, "[PAD%lld]", (long long)i);
        if (tokens[i].text)
            rein_gguf_add_string(m, tokens[i].text, tokens[i].len);
        else
            rein_gguf_add_string(m, name, strlen(name));
    }
    rein_gguf_put_array(m, "tokenizer.ggml.token_type", REIN_GGUF_I32, V);
    for (int64_t i = 0; i < V; i++) rein_gguf_add_i32(m, tokens[i].text ? tokens[i].kind : REIN_GGUF_UNUSED);
}

/* "unk_token" of tokenizer_config.json: its text, or an object with "content". Ids of other roles are in config.json.
 */
static rein_status put_unknown(rein_gguf_meta *m, const token *tokens, int64_t V, rein_source *s) {
    struct json_object *config, *value;
    const char *text;
    size_t len;
    REIN_TRY(rein_source_text(s, "tokenizer_config.json", &text, &len));
    if (!text) return REIN_OK;
    REIN_TRY(rein_json_parse(&config, "tokenizer_config.json", text, len));
    if (json_object_object_get_ex(config, "unk_token", &value)) {
        if (json_object_is_type(value, json_type_object)) value = json_object_object_get(value, "content");
        text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
        for (int64_t i = 0; text && i < V; i++)
            if (tokens[i].text && strcmp(tokens[i].text, text) == 0) {
                rein_gguf_put_u32(m, "tokenizer.ggml.unknown_token_id", (uint32_t)i);
                break;
            }
    }
    json_object_put(config);
    return REIN_OK;
}

/* ---- merges ---- */

static rein_status add_merge(rein_gguf_meta *m, struct json_object *entry) {
    rein_str pair = {0};
    rein_status status = REIN_OK;
    if (json_object_is_type(entry, json_type_string)) {
        rein_gguf_add_string(m, json_object_get_string(entry), (size_t)json_object_get_string_len(entry));
        return REIN_OK;
    }
    bool two = json_object_is_type(entry, json_type_array) && json_object_array_length(entry) == 2;
    for (size_t i = 0; two && i < 2; i++) {
        struct json_object *half = json_object_array_get_idx(entry, i);
        two = json_object_is_type(half, json_type_string) && !strchr(json_object_get_string(half), ' ');
        if (i > 0) rein_str_putc(&pair, ' ');
        if (two) rein_str_puts(&pair, json_object_get_string(half));
    }
    if (!two)
        status = rein_fail(REIN_ERR_FORMAT, "merge %s is no pair of tokens without spaces",
                           json_object_to_json_string(entry));
    else if ((status = rein_str_check(&pair)) == REIN_OK)
        rein_gguf_add_string(m, pair.data, pair.len);
    rein_str_deinit(&pair);
    return status;
}

static rein_status put_merges(rein_gguf_meta *m, struct json_object *model) {
    struct json_object *merges;
    REIN_TRY(rein_json_array(&merges, model, "merges"));
    size_t n = json_object_array_length(merges);
    rein_gguf_put_array(m, "tokenizer.ggml.merges", REIN_GGUF_STRING, (int64_t)n);
    for (size_t i = 0; i < n; i++) REIN_TRY(add_merge(m, json_object_array_get_idx(merges, i)));
    return REIN_OK;
}

/* ---- what is around a text ---- */

static bool is_special(struct json_object *piece) {
    return json_object_is_type(piece, json_type_object) && json_object_object_get_ex(piece, "SpecialToken", NULL);
}

/* From a TemplateProcessing, alone or in a Sequence: does a special token come first, or last? */
static void read_template(bool *first, bool *last, struct json_object *post) {
    struct json_object *list;
    if (!json_object_is_type(post, json_type_object)) return;
    if (json_object_object_get_ex(post, "processors", &list) && json_object_is_type(list, json_type_array))
        for (size_t i = 0; i < json_object_array_length(list); i++) {
            struct json_object *part = json_object_array_get_idx(list, i);
            if (!json_object_object_get_ex(part, "processors", NULL)) read_template(first, last, part);
        }
    if (!json_object_object_get_ex(post, "single", &list) || !json_object_is_type(list, json_type_array)) return;
    size_t n = json_object_array_length(list);
    *first = n > 0 && is_special(json_object_array_get_idx(list, 0));
    *last = n > 0 && is_special(json_object_array_get_idx(list, n - 1));
}

/* ---- the tokenizer ---- */

static rein_status check_byte_level(const rein_gguf_pre **pre, struct json_object *root, struct json_object *model) {
    bool ignore_merges = false, fallback = false;
    struct json_object *normalizer = NULL;
    json_object_object_get_ex(root, "normalizer", &normalizer);
    if (rein_json_has(model, "ignore_merges")) REIN_TRY(rein_json_bool(&ignore_merges, model, "ignore_merges"));
    if (rein_json_has(model, "byte_fallback")) REIN_TRY(rein_json_bool(&fallback, model, "byte_fallback"));
    REIN_TRY(rein_gguf_pre_match(pre, json_object_object_get(root, "pre_tokenizer"), ignore_merges));
    const char *kind = normalizer ? json_object_get_string(json_object_object_get(normalizer, "type")) : "NFC";
    if (*pre && !fallback && kind && strcmp(kind, "NFC") == 0) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT,
                     "llama.cpp has no name for this normalizer and pre_tokenizer (or for ignore_merges %s with them); "
                     "remove tokenizer.json to write the weights alone",
                     ignore_merges ? "true" : "false");
}

static rein_status put_tokenizer(rein_gguf_meta *m, rein_source *s, token *tokens, int64_t V,
                                 struct json_object *root) {
    const rein_gguf_pre *pre;
    struct json_object *model;
    bool bos = false, eos = false;
    REIN_TRY(rein_json_object(&model, root, "model"));
    REIN_TRY(check_byte_level(&pre, root, model));
    REIN_TRY(read_vocab(tokens, V, model));
    REIN_TRY(read_added(tokens, V, root));
    const char *bar = strchr(pre->names, '|');
    rein_gguf_put_string(m, "tokenizer.ggml.model", "gpt2", 4);
    rein_gguf_put_string(m, "tokenizer.ggml.pre", pre->names, bar ? (size_t)(bar - pre->names) : strlen(pre->names));
    put_tokens(m, tokens, V);
    REIN_TRY(put_merges(m, model));
    REIN_TRY(put_unknown(m, tokens, V, s));
    read_template(&bos, &eos, json_object_object_get(root, "post_processor"));
    rein_gguf_put_bool(m, "tokenizer.ggml.add_bos_token", bos);
    rein_gguf_put_bool(m, "tokenizer.ggml.add_eos_token", eos);
    return REIN_OK;
}

static rein_status parse_and_put(rein_gguf_meta *m, rein_source *s, const char *text, size_t len) {
    int64_t V = rein_source_config(s)->V;
    struct json_object *root;
    token *tokens = NULL;
    rein_status status;
    REIN_TRY(rein_json_parse(&root, "tokenizer.json", text, len));
    if (!json_object_is_type(root, json_type_object))
        status = rein_fail(REIN_ERR_FORMAT, "expected an object");
    else
        status = rein_alloc(&tokens, V, sizeof *tokens);
    if (status == REIN_OK) status = put_tokenizer(m, s, tokens, V, root);
    rein_free(tokens);
    json_object_put(root);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "tokenizer.json");
}

/* ---- the chat template ---- */

/* A file of its own, or a member of tokenizer_config.json, as older models have it. */
static rein_status put_chat_template(rein_gguf_meta *m, rein_source *s) {
    static const char key[] = "tokenizer.chat_template";
    struct json_object *config;
    const char *text;
    size_t len;
    REIN_TRY(rein_source_text(s, "chat_template.jinja", &text, &len));
    if (text) {
        rein_gguf_put_string(m, key, text, len);
        return REIN_OK;
    }
    REIN_TRY(rein_source_text(s, "tokenizer_config.json", &text, &len));
    if (!text) return REIN_OK;
    REIN_TRY(rein_json_parse(&config, "tokenizer_config.json", text, len));
    struct json_object *value;
    if (json_object_object_get_ex(config, "chat_template", &value) && json_object_is_type(value, json_type_string))
        rein_gguf_put_string(m, key, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    json_object_put(config);
    return REIN_OK;
}

rein_status rein_gguf_export_tokenizer(rein_gguf_meta *m, rein_source *s) {
    const char *text;
    size_t len;
    REIN_TRY(rein_source_text(s, "tokenizer.json", &text, &len));
    if (!text) {
        rein_gguf_put_string(m, "tokenizer.ggml.model", "none", 4);
        return REIN_OK;
    }
    REIN_TRY(parse_and_put(m, s, text, len));
    rein_gguf_put_string(m, REIN_GGUF_KEY_HF_TOKENIZER, text, len);
    return put_chat_template(m, s);
}
