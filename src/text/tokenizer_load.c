/* tokenizer.json to a tokenizer, each number and name checked before use; see tokenizer.h. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "text/bytelevel.h"
#include "text/tokenizer_impl.h"

/* Largest id + 1. The biggest vocabularies known have 262 144 entries; ids index an array. */
enum { MAX_IDS = 1 << 22 };

rein_status rein_tokenizer_check_id(int64_t id) {
    if (id >= 0 && id < MAX_IDS) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "id %lld is outside 0..%d", (long long)id, MAX_IDS - 1);
}

/* ---- the model's options ---- */

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

static rein_status read_flag(bool *out, struct json_object *model, const char *key) {
    if (!rein_json_has(model, key)) return REIN_OK;
    rein_status status = rein_json_bool(out, model, key);
    return status == REIN_OK ? status : rein_error_prefix(status, "model");
}

/* Older files name no type: merges tell that it is BPE. */
static rein_status read_options(rein_tokenizer *tok, struct json_object *model) {
    static const char *const unused[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix"};
    const char *type = "BPE";
    if (rein_json_has(model, "type")) REIN_TRY(rein_json_string(&type, NULL, model, "type"));
    if (strcmp(type, "BPE") != 0) return rein_fail(REIN_ERR_FORMAT, "model: type '%s' is not supported (BPE is)", type);
    for (size_t i = 0; i < REIN_COUNT(unused); i++) REIN_TRY(check_unused(model, unused[i]));
    REIN_TRY(read_flag(&tok->ignore_merges, model, "ignore_merges"));
    REIN_TRY(read_flag(&tok->bpe.byte_fallback, model, "byte_fallback"));
    REIN_TRY(read_flag(&tok->bpe.fuse_unk, model, "fuse_unk"));
    return REIN_OK;
}

/* An unknown token that the vocabulary lacks is an error for the first text that needs it: many byte-level files name
 * one that they never use. */
static rein_status read_unknown(rein_tokenizer *tok, struct json_object *model) {
    const char *text;
    char *bytes;
    size_t len;
    if (!rein_json_has(model, "unk_token")) return REIN_OK;
    REIN_TRY(rein_json_string(&text, &len, model, "unk_token"));
    REIN_TRY(rein_arena_alloc(&tok->arena, &bytes, len + 1));
    tok->bpe.has_unk = true;
    tok->bpe.unk_id = rein_tokenizer_find(tok, bytes, text, len);
    return REIN_OK;
}

/* ---- the document ---- */

static rein_status count_added(rein_tokenizer *tok, struct json_object *added) {
    for (size_t i = 0; i < json_object_array_length(added); i++) {
        int64_t id;
        rein_status status = rein_json_int(&id, json_object_array_get_idx(added, i), "id");
        if (status == REIN_OK) status = rein_tokenizer_check_id(id);
        if (status != REIN_OK) return rein_error_prefix(status, "added_tokens[%zu]", i);
        if (id >= tok->n_ids) tok->n_ids = id + 1;
    }
    return REIN_OK;
}

/* A part that may be absent or null, which is NULL here. */
static rein_status optional(struct json_object **out, struct json_object *root, const char *key) {
    *out = NULL;
    if (rein_json_has(root, key)) REIN_TRY(rein_json_object(out, root, key));
    return REIN_OK;
}

static rein_status load_parts(rein_tokenizer *tok, struct json_object *root) {
    struct json_object *part;
    REIN_TRY(optional(&part, root, "normalizer"));
    REIN_TRY(rein_normalizer_parse(&tok->normalizer, part));
    REIN_TRY(optional(&part, root, "decoder"));
    REIN_TRY(rein_decoding_parse(&tok->decoding, part));
    REIN_TRY(optional(&part, root, "pre_tokenizer"));
    REIN_TRY(rein_splitter_parse(&tok->splitter, part));
    /* After a last ByteLevel, the alphabet's characters and the bytes are the same; bytes are shorter. A vocabulary
     * with byte fallback speaks of the characters' own bytes. */
    tok->bpe.bytes = !tok->bpe.byte_fallback && rein_splitter_drop_byte_level(&tok->splitter);
    return REIN_OK;
}

static rein_status load_document(rein_tokenizer *tok, struct json_object *root, rein_table vocab, rein_table merges) {
    struct json_object *model, *added, *part;
    REIN_TRY(rein_json_object(&model, root, "model"));
    REIN_TRY(read_options(tok, model));
    REIN_TRY(load_parts(tok, root));
    REIN_TRY(rein_json_object(&part, model, "vocab"));
    REIN_TRY(rein_json_array(&part, model, "merges"));
    if (!vocab.text || !merges.text)
        return rein_fail(REIN_ERR_FORMAT, "model.%s: write the key without escapes", vocab.text ? "merges" : "vocab");
    REIN_TRY(rein_json_array(&added, root, "added_tokens"));
    REIN_TRY(count_added(tok, added));
    REIN_TRY(rein_tokenizer_load_vocab(tok, vocab));
    REIN_TRY(rein_tokenizer_load_merges(tok, merges));
    REIN_TRY(read_unknown(tok, model));
    REIN_TRY(rein_tokenizer_load_added(tok, added));
    REIN_TRY(rein_tokenizer_load_bytes(tok));
    REIN_TRY(optional(&part, root, "post_processor"));
    REIN_TRY(rein_tokenizer_load_frame(tok, part));
    return REIN_OK;
}

static rein_status load_source(rein_tokenizer *tok, const char *name) {
    rein_str rest = {0};
    rein_table vocab, merges;
    struct json_object *root = NULL;
    rein_status status;
    if (tok->json.len == 0) return rein_fail(REIN_ERR_FORMAT, "%s: empty", name);
    if (rein_utf8_valid_length(tok->json.data, tok->json.len) < tok->json.len)
        return rein_fail(REIN_ERR_FORMAT, "%s: not UTF-8", name);
    REIN_TRY_OUT(status, rein_tables_cut(&rest, &vocab, &merges, &tok->json), out);
    REIN_TRY_OUT(status, rein_json_parse(&root, name, rest.data ? rest.data : "", rest.len), out);
    status = load_document(tok, root, vocab, merges);
    if (status != REIN_OK) rein_error_prefix(status, "%s", name);
out:
    json_object_put(root);
    rein_str_deinit(&rest);
    return status;
}

/* A file that is no JSON at all has an error with line and column: that of the whole, not of the part without tables.
 */
static rein_status explain(rein_status status, const char *name, const char *json, size_t len) {
    struct json_object *root = NULL;
    char message[1024];
    if (status != REIN_ERR_FORMAT) return status;
    snprintf(message, sizeof message, "%s", rein_error_message());
    rein_status whole = rein_json_parse(&root, name, json ? json : "", len);
    json_object_put(root);
    return whole == REIN_OK ? rein_fail(REIN_ERR_FORMAT, "%s", message) : whole;
}

/* Takes the bytes of `json` over. */
static rein_status parse_source(rein_tokenizer **out, const char *name, rein_str *json) {
    rein_tokenizer *tok;
    REIN_TRY(rein_alloc(&tok, 1, sizeof *tok));
    tok->json = *json;
    *json = (rein_str){0};
    rein_status status = load_source(tok, name);
    if (status == REIN_OK) {
        *out = tok;
        return REIN_OK;
    }
    status = explain(status, name, tok->json.data, tok->json.len);
    rein_tokenizer_destroy(tok);
    return status;
}

rein_status rein_tokenizer_parse(rein_tokenizer **out, const char *name, const char *json, size_t len) {
    rein_str copy = {0};
    rein_str_append(&copy, json, len);
    rein_status status = rein_str_check(&copy);
    if (status == REIN_OK) status = parse_source(out, name, &copy);
    rein_str_deinit(&copy);
    return status;
}

rein_status rein_tokenizer_load(rein_tokenizer **out, const char *path) {
    rein_str json = {0};
    rein_arena arena = {0};
    rein_status status;
    char *file;
    const char *format = rein_path_is_dir(path) ? "%s/tokenizer.json" : "%s";
    REIN_TRY_OUT(status, rein_path_format(&arena, &file, format, path), out);
    REIN_TRY_OUT(status, rein_file_read(&json, file), out);
    REIN_TRY_OUT(status, parse_source(out, file, &json), out);
out:
    rein_str_deinit(&json);
    rein_arena_deinit(&arena);
    return status;
}
