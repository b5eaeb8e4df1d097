/* Prompts as text and as conversations; see prompt.h. */
#include "rollout/prompt.h"

#include <string.h>

#include "base/json.h"
#include "io/model_text.h"

rein_status rein_prompt_chat_open(rein_prompt_chat *out, const char *path, const rein_prompt_chat_args *args) {
    *out = (rein_prompt_chat){.system_prompt = args->system_prompt, .wrap = args->chat};
    rein_status status = REIN_OK;
    if (args->kwargs) {
        status = rein_json_parse(&out->kwargs, "chat_template_kwargs", args->kwargs, strlen(args->kwargs));
        if (status != REIN_OK || !json_object_is_type(out->kwargs, json_type_object))
            status = rein_fail(REIN_ERR_USAGE, "chat_template_kwargs: '%s' is no JSON object", args->kwargs);
    }
    if (status == REIN_OK) status = rein_model_text_chat(&out->format, path, NULL);
    bool needed = args->chat || args->system_prompt || args->kwargs;
    if (status == REIN_OK && !out->format && needed)
        status = rein_fail(REIN_ERR_USAGE, "chat, system_prompt and chat_template_kwargs need a chat template, and '%s' has "
                                           "no chat_template.jinja and no chat_template in tokenizer_config.json", path);
    if (status != REIN_OK) rein_prompt_chat_close(out);
    return status;
}

void rein_prompt_chat_close(rein_prompt_chat *chat) {
    rein_chat_template_destroy(chat->format);
    json_object_put(chat->kwargs);
    *chat = (rein_prompt_chat){0};
}

/* {"role": role, "content": text} at the end of a JSON array that is being written. */
static void put_message(rein_str *out, const char *role, const char *text, size_t len) {
    rein_str_printf(out, "%s{\"role\":\"%s\",\"content\":", out->len > 1 ? "," : "", role);
    rein_json_put_string(out, text, len);
    rein_str_putc(out, '}');
}

static bool has_system(const char *messages, size_t len) {
    static const char *const first[] = {"system", "developer"};
    struct json_object *doc, *role;
    bool found = false;
    if (rein_json_parse(&doc, "messages", messages, len) != REIN_OK) return false;
    struct json_object *message = json_object_array_get_idx(doc, 0);
    if (json_object_object_get_ex(message, "role", &role) && json_object_is_type(role, json_type_string))
        for (size_t i = 0; i < REIN_COUNT(first); i++) found |= strcmp(json_object_get_string(role), first[i]) == 0;
    json_object_put(doc);
    return found;
}

/* The conversation of a task as JSON; nothing if its prompt is text. */
static rein_status conversation(rein_str *out, rein_str *tools, const rein_prompt_chat *chat, const rein_env *env,
                                const rein_task *task, const rein_str *opening) {
    rein_str own = {0}, plain = {0};
    rein_status status = REIN_OK;
    if (env->cls->messages) REIN_TRY_OUT(status, env->cls->messages(env, task, &own, tools), out);
    if (own.len == 0 && !chat->wrap) goto out;
    rein_str_putc(out, '[');
    if (chat->system_prompt && !(own.len > 0 && has_system(own.data, own.len)))
        put_message(out, "system", chat->system_prompt, strlen(chat->system_prompt));
    if (own.len > 0) {
        if (out->len > 1) rein_str_putc(out, ',');
        rein_str_append(out, own.data + 1, own.len - 1); /* its brackets: ours opens, its closes */
    } else {
        REIN_TRY_OUT(status, env->cls->prompt(env, task, &plain), out);
        put_message(out, "user", plain.data ? plain.data : "", plain.len);
        rein_str_putc(out, ']');
    }
    if (opening && opening->len > 0) {
        out->len--; /* the bracket */
        put_message(out, "user", opening->data, opening->len);
        rein_str_putc(out, ']');
    }
    status = rein_str_check(out);
out:
    rein_str_deinit(&own);
    rein_str_deinit(&plain);
    return status;
}

static rein_status encode(rein_str *text, rein_ids *ids, const rein_prompt_chat *chat, const rein_tokenizer *tok,
                          const rein_str *messages, const rein_str *tools) {
    struct json_object *doc = NULL, *schemas = NULL;
    rein_str mask = {0};
    rein_status status;
    if (!chat->format)
        return rein_fail(REIN_ERR_FORMAT, "the prompt is a conversation, and the model has no chat template "
                                          "(chat_template.jinja, or chat_template in tokenizer_config.json)");
    REIN_TRY_OUT(status, rein_json_parse(&doc, "messages", messages->data, messages->len), out);
    if (tools->len > 0) REIN_TRY_OUT(status, rein_json_parse(&schemas, "tools", tools->data, tools->len), out);
    REIN_TRY_OUT(status, rein_chat_render(text, NULL, chat->format, doc, schemas, true, chat->kwargs), out);
    REIN_TRY_OUT(status, rein_chat_encode(ids, &mask, chat->format, tok, doc, schemas, true, chat->kwargs), out);
out:
    rein_str_deinit(&mask);
    json_object_put(doc);
    json_object_put(schemas);
    return status;
}

rein_status rein_prompt_make(rein_str *text, rein_ids *ids, const rein_prompt_chat *chat, const rein_tokenizer *tok,
                             const rein_env *env, const rein_task *task, const rein_str *opening) {
    rein_str messages = {0}, tools = {0};
    rein_status status;
    REIN_TRY_OUT(status, conversation(&messages, &tools, chat, env, task, opening), out);
    if (messages.len > 0) {
        REIN_TRY_OUT(status, encode(text, ids, chat, tok, &messages, &tools), out);
    } else {
        REIN_TRY_OUT(status, env->cls->prompt(env, task, text), out);
        REIN_TRY_OUT(status, rein_str_check(text), out);
        REIN_TRY_OUT(status, rein_tokenizer_encode(tok, text->data ? text->data : "", text->len, ids), out);
    }
out:
    rein_str_deinit(&messages);
    rein_str_deinit(&tools);
    return status;
}
