/* See chat_session.h. */
#include "cli/chat_session.h"

#include <string.h>

#include "base/file.h"

static rein_status out_of_memory(void) { return rein_fail(REIN_ERR_MEMORY, "cannot keep the conversation"); }

static rein_status add_message(rein_chat_session *s, const char *role, const char *content, size_t len) {
    struct json_object *message = json_object_new_object();
    if (!message) return out_of_memory();
    int failed = json_object_object_add(message, "role", json_object_new_string(role));
    failed |= json_object_object_add(message, "content", json_object_new_string_len(content, (int)len));
    if (!failed && json_object_array_add(s->messages, message) == 0) return REIN_OK;
    json_object_put(message);
    return out_of_memory();
}

static void forget_ids(rein_chat_session *s) {
    s->ids.n = 0;
    rein_str_clear(&s->text);
    s->ended_len = 0;
}

rein_status rein_chat_session_reset(rein_chat_session *s) {
    json_object_put(s->messages);
    forget_ids(s);
    s->messages = json_object_new_array();
    if (!s->messages) return out_of_memory();
    return s->system ? add_message(s, "system", s->system, strlen(s->system)) : REIN_OK;
}

/* What `prompt` has behind the text that is in the ids already; NULL if it does not begin with that. */
static const char *continuation(const rein_chat_session *s, const rein_str *prompt) {
    size_t known = s->text.len, end = s->ended_len;
    if (known == 0 || prompt->len < known || memcmp(prompt->data, s->text.data, known) != 0) return NULL;
    if (prompt->len < known + end || (end && memcmp(prompt->data + known, s->ended, end) != 0)) return NULL;
    return prompt->data + known + end;
}

static rein_status extend(rein_chat_session *s, bool *rewritten) {
    rein_str prompt = {0};
    rein_status status = rein_chat_render(&prompt, NULL, s->t, s->messages, NULL, true, s->kwargs);
    const char *more = status == REIN_OK ? continuation(s, &prompt) : NULL;
    *rewritten = status == REIN_OK && !more && s->text.len > 0;
    if (!more) {
        s->ids.n = 0;
        more = prompt.data ? prompt.data : "";
    }
    if (status == REIN_OK)
        status = rein_tokenizer_encode(s->m->tokenizer, more, prompt.len - (size_t)(more - prompt.data), &s->ids);
    if (status != REIN_OK) {
        forget_ids(s);
        rein_str_deinit(&prompt);
        return status;
    }
    rein_str_deinit(&s->text);
    s->text = prompt;
    s->ended_len = 0;
    return REIN_OK;
}

rein_status rein_chat_session_ask(rein_chat_session *s, const char *text, bool *rewritten) {
    size_t n = json_object_array_length(s->messages);
    REIN_TRY(add_message(s, "user", text, strlen(text)));
    rein_status status = extend(s, rewritten);
    if (status != REIN_OK) json_object_array_del_idx(s->messages, n, 1);
    return status;
}

rein_status rein_chat_session_answer(rein_chat_session *s, const rein_gen_sequence *seq, const rein_str *text,
                                     const rein_ids *end) {
    for (int64_t i = 0; i < seq->n; i++) REIN_TRY(rein_ids_push(&s->ids, seq->ids[i]));
    rein_str_append(&s->text, text->data ? text->data : "", text->len);
    REIN_TRY(rein_str_check(&s->text));
    for (int64_t i = 0; i < end->n && seq->n; i++)
        if (seq->ids[seq->n - 1] == end->data[i] &&
            rein_tokenizer_token_bytes(s->m->tokenizer, end->data[i], &s->ended, &s->ended_len) != REIN_OK)
            s->ended_len = 0; /* an end without text is part of no prompt: the next one is made anew */
    s->turn++;
    return add_message(s, "assistant", text->data ? text->data : "", text->len);
}

rein_status rein_chat_session_save(const rein_chat_session *s, const char *path) {
    const char *list =
        json_object_to_json_string_ext(s->messages, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    rein_str text = {0};
    rein_str_puts(&text, "{\"messages\":");
    rein_str_puts(&text, list ? list : "[]");
    rein_str_puts(&text, "}\n");
    rein_status status = rein_str_check(&text);
    if (status == REIN_OK) status = rein_file_write(path, text.data, text.len);
    rein_str_deinit(&text);
    return status;
}

rein_status rein_chat_session_load(rein_chat_session *s, const char *path) {
    struct json_object *file, *messages = NULL;
    REIN_TRY(rein_json_load(&file, path));
    rein_status status = rein_json_array(&messages, file, "messages");
    for (size_t i = 0; status == REIN_OK && i < json_object_array_length(messages); i++)
        if (!json_object_is_type(json_object_array_get_idx(messages, i), json_type_object))
            status = rein_fail(REIN_ERR_FORMAT, "%s: messages[%zu] is no object", path, i);
    if (status == REIN_OK) {
        json_object_put(s->messages);
        s->messages = json_object_get(messages);
        forget_ids(s);
    }
    json_object_put(file);
    return status;
}

void rein_chat_session_deinit(rein_chat_session *s) {
    json_object_put(s->messages);
    json_object_put(s->kwargs);
    rein_ids_deinit(&s->ids);
    rein_str_deinit(&s->text);
}
