/* The "post_processor" of a tokenizer.json: which tokens stand around a text; see tok->frame. */
#include <string.h>

#include "base/json.h"
#include "text/tokenizer_impl.h"

static rein_status push_id(rein_tokenizer *tok, rein_ids *frame, struct json_object *value) {
    int64_t id = json_object_get_int64(value);
    if (!json_object_is_type(value, json_type_int) || id < 0 || id >= tok->n_ids || !tok->tokens[id].text)
        return rein_fail(REIN_ERR_FORMAT, "%s is no token's id", json_object_to_json_string(value));
    return rein_ids_push(frame, (int32_t)id);
}

static rein_status add_special(rein_tokenizer *tok, rein_ids *frame, struct json_object *obj,
                               struct json_object *piece) {
    struct json_object *known, *token, *ids;
    const char *name;
    REIN_TRY(rein_json_string(&name, NULL, piece, "id"));
    REIN_TRY(rein_json_object(&known, obj, "special_tokens"));
    REIN_TRY(rein_json_object(&token, known, name));
    REIN_TRY(rein_json_array(&ids, token, "ids"));
    for (size_t i = 0; i < json_object_array_length(ids); i++) {
        rein_status status = push_id(tok, frame, json_object_array_get_idx(ids, i));
        if (status != REIN_OK) return rein_error_prefix(status, "special_tokens['%s'].ids[%zu]", name, i);
    }
    return REIN_OK;
}

static rein_status add_piece(rein_tokenizer *tok, rein_ids *frame, struct json_object *obj, struct json_object *entry) {
    struct json_object *piece;
    const char *name;
    if (rein_json_has(entry, "SpecialToken")) {
        REIN_TRY(rein_json_object(&piece, entry, "SpecialToken"));
        return add_special(tok, frame, obj, piece);
    }
    REIN_TRY(rein_json_object(&piece, entry, "Sequence"));
    REIN_TRY(rein_json_string(&name, NULL, piece, "id"));
    if (strcmp(name, "A") != 0) return rein_fail(REIN_ERR_FORMAT, "sequence '%s' in a template of one text", name);
    return rein_ids_push(frame, -1);
}

static rein_status apply_template(rein_tokenizer *tok, rein_ids *frame, struct json_object *obj) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, "single"));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        rein_status status = add_piece(tok, frame, obj, json_object_array_get_idx(list, i));
        if (status != REIN_OK) return rein_error_prefix(status, "single[%zu]", i);
    }
    return REIN_OK;
}

/* "cls" and "sep" are ["<s>", 0]. */
static rein_status push_mark(rein_tokenizer *tok, rein_ids *frame, struct json_object *obj, const char *key) {
    struct json_object *pair;
    REIN_TRY(rein_json_array(&pair, obj, key));
    if (json_object_array_length(pair) != 2) return rein_fail(REIN_ERR_FORMAT, "%s is no list of text and id", key);
    rein_status status = push_id(tok, frame, json_object_array_get_idx(pair, 1));
    return status == REIN_OK ? status : rein_error_prefix(status, "%s", key);
}

static rein_status apply_marks(rein_tokenizer *tok, rein_ids *frame, struct json_object *obj) {
    REIN_TRY(push_mark(tok, frame, obj, "cls"));
    REIN_TRY(rein_ids_push(frame, -1));
    return push_mark(tok, frame, obj, "sep");
}

static rein_status apply_one(rein_tokenizer *tok, struct json_object *obj);

/* Sequences may hold Sequences: the depth of a JSON document is limited. */
static rein_status apply_sequence(rein_tokenizer *tok, struct json_object *obj) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, "processors"));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        rein_status status = apply_one(tok, json_object_array_get_idx(list, i));
        if (status != REIN_OK) return rein_error_prefix(status, "processors[%zu]", i);
    }
    return REIN_OK;
}

/* The second of two templates in tokenizers is filled from the parts of the first as if they were two texts: nobody can
 * mean that. */
static rein_status apply_one(rein_tokenizer *tok, struct json_object *obj) {
    const char *type;
    rein_ids frame = {0};
    rein_status status;
    REIN_TRY(rein_json_string(&type, NULL, obj, "type"));
    if (strcmp(type, "Sequence") == 0) return apply_sequence(tok, obj);
    if (strcmp(type, "ByteLevel") == 0) return REIN_OK; /* it moves offsets only */
    if (tok->frame.n != 1 || tok->frame.data[0] != -1)
        return rein_fail(REIN_ERR_FORMAT, "'%s' after another that adds tokens is not supported", type);
    if (strcmp(type, "TemplateProcessing") == 0)
        status = apply_template(tok, &frame, obj);
    else if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0)
        status = apply_marks(tok, &frame, obj);
    else
        return rein_fail(REIN_ERR_FORMAT,
                         "type '%s' is not supported (TemplateProcessing, ByteLevel, RobertaProcessing, "
                         "BertProcessing, Sequence are)",
                         type);
    if (status != REIN_OK) {
        rein_ids_deinit(&frame);
        return status;
    }
    rein_ids_deinit(&tok->frame);
    tok->frame = frame;
    return REIN_OK;
}

rein_status rein_tokenizer_load_frame(rein_tokenizer *tok, struct json_object *post_processor) {
    REIN_TRY(rein_ids_push(&tok->frame, -1));
    if (!post_processor) return REIN_OK;
    rein_status status = apply_one(tok, post_processor);
    return status == REIN_OK ? status : rein_error_prefix(status, "post_processor");
}
