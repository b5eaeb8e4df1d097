/* Chat templates from the files of a model; see chat.h. */
#include <string.h>

#include "text/chat_impl.h"

static const char *const token_names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                          "pad_token", "cls_token", "mask_token"};

/* A special token: a string, or an object with "content"; null is none. */
static rein_status add_token(rein_chat_template *t, struct json_object *config, const char *name) {
    struct json_object *value;
    if (!rein_json_has(config, name)) return REIN_OK;
    value = json_object_object_get(config, name);
    if (json_object_is_type(value, json_type_object)) value = json_object_object_get(value, "content");
    if (!json_object_is_type(value, json_type_string))
        return rein_fail(REIN_ERR_FORMAT, "key '%s' is neither a string nor an object with 'content'", name);
    if (json_object_object_add(t->tokens, name, json_object_get(value)) != 0)
        return rein_fail(REIN_ERR_MEMORY, "cannot keep '%s'", name);
    if (strcmp(name, "eos_token") == 0) t->eos = json_object_get_string(value);
    return REIN_OK;
}

static rein_status parse_one(rein_jinja **out, const char *name, struct json_object *text) {
    return rein_jinja_parse(out, name, json_object_get_string(text), (size_t)json_object_get_string_len(text));
}

/* [{"name": "default", "template": "..."}, ...] */
static rein_status add_named(rein_chat_template *t, const char *name, struct json_object *list) {
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *row = json_object_array_get_idx(list, i);
        const char *which, *text;
        size_t len;
        REIN_TRY(rein_json_string(&which, NULL, row, "name"));
        REIN_TRY(rein_json_string(&text, &len, row, "template"));
        rein_jinja **slot = strcmp(which, "default") == 0    ? &t->jinja
                            : strcmp(which, "tool_use") == 0 ? &t->tool_use
                                                             : NULL;
        if (slot && *slot) return rein_fail(REIN_ERR_FORMAT, "%s: two chat templates are named '%s'", name, which);
        if (slot) REIN_TRY(rein_jinja_parse(slot, name, text, len));
    }
    return t->jinja ? REIN_OK : rein_fail(REIN_ERR_FORMAT, "%s: no chat template is named 'default'", name);
}

static rein_status add_from_config(rein_chat_template *t, const char *name, struct json_object *config) {
    struct json_object *value = json_object_object_get(config, "chat_template");
    if (json_object_is_type(value, json_type_string)) return parse_one(&t->jinja, name, value);
    if (json_object_is_type(value, json_type_array)) return add_named(t, name, value);
    return rein_fail(REIN_ERR_FORMAT, "%s: 'chat_template' is %s", name,
                     value ? "neither a string nor a list of named ones" : "missing");
}

static rein_status fill(rein_chat_template *t, const char *name, const char *text, size_t len,
                        struct json_object *config) {
    t->tokens = json_object_new_object();
    if (!t->tokens) return rein_fail(REIN_ERR_MEMORY, "cannot make an object");
    for (size_t i = 0; config && i < REIN_COUNT(token_names); i++) REIN_TRY(add_token(t, config, token_names[i]));
    return text ? rein_jinja_parse(&t->jinja, name, text, len) : add_from_config(t, name, config);
}

rein_status rein_chat_template_create(rein_chat_template **out, const char *name, const char *template_text, size_t len,
                                      const char *tokenizer_config, size_t config_len) {
    struct json_object *config = NULL;
    rein_chat_template *t;
    REIN_ASSERT(template_text || tokenizer_config);
    if (tokenizer_config) REIN_TRY(rein_json_parse(&config, name, tokenizer_config, config_len));
    rein_status status = rein_alloc(&t, 1, sizeof *t);
    if (status == REIN_OK) {
        status = fill(t, name, template_text, len, config);
        if (status == REIN_OK)
            *out = t;
        else
            rein_chat_template_destroy(t);
    }
    json_object_put(config);
    return status;
}

const char *rein_chat_template_eos(const rein_chat_template *t) { return t->eos; }

void rein_chat_template_destroy(rein_chat_template *t) {
    if (!t) return;
    rein_jinja_destroy(t->jinja);
    rein_jinja_destroy(t->tool_use);
    json_object_put(t->tokens);
    rein_free(t);
}
