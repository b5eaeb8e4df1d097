/* Chat templates: rendering and ids of conversations; see chat.h. Loading is in chat_load.c. */
#include <string.h>

#include "text/bytelevel.h"
#include "text/chat_impl.h"

const char rein_chatml[] = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
                           "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/* ---- messages as transformers hands them on ---- */

static struct json_object *member(struct json_object *message, const char *key) {
    struct json_object *value;
    return json_object_object_get_ex(message, key, &value) ? value : NULL;
}

static rein_status put(struct json_object *object, const char *key, struct json_object *value) {
    if (json_object_object_add(object, key, value) == 0) return REIN_OK;
    json_object_put(value);
    return rein_fail(REIN_ERR_MEMORY, "cannot add '%s' to an object", key);
}

static rein_status new_object(struct json_object **out) {
    *out = json_object_new_object();
    return *out ? REIN_OK : rein_fail(REIN_ERR_MEMORY, "cannot make an object");
}

static rein_status new_array(struct json_object **out) {
    *out = json_object_new_array();
    return *out ? REIN_OK : rein_fail(REIN_ERR_MEMORY, "cannot make an array");
}

static rein_status push(struct json_object *array, struct json_object *value) {
    if (json_object_array_add(array, value) == 0) return REIN_OK;
    json_object_put(value);
    return rein_fail(REIN_ERR_MEMORY, "cannot add to an array");
}

static rein_status copy_members(struct json_object *to, struct json_object *from) {
    json_object_object_foreach(from, key, value) {
        if (value) REIN_TRY(put(to, key, json_object_get(value)));
    }
    return REIN_OK;
}

/* {"thinking": reasoning, **message, "reasoning_content": reasoning}, without the members that are null */
static rein_status clean_message(struct json_object **out, struct json_object *message) {
    static const char *const fields[] = {"reasoning_content", "thinking", "reasoning"};
    struct json_object *reasoning = NULL;
    for (size_t i = 0; i < REIN_COUNT(fields) && !reasoning; i++) reasoning = member(message, fields[i]);
    REIN_TRY(new_object(out));
    if (reasoning) REIN_TRY(put(*out, "thinking", json_object_get(reasoning)));
    REIN_TRY(copy_members(*out, message));
    return reasoning ? put(*out, "reasoning_content", json_object_get(reasoning)) : REIN_OK;
}

static rein_status clean_messages(struct json_object **out, struct json_object *messages) {
    if (!json_object_is_type(messages, json_type_array) || json_object_array_length(messages) == 0)
        return rein_fail(REIN_ERR_FORMAT, "messages must be a list with at least one message");
    REIN_TRY(new_array(out));
    for (size_t i = 0; i < json_object_array_length(messages); i++) {
        struct json_object *message = json_object_array_get_idx(messages, i), *copy = NULL;
        if (!json_object_is_type(message, json_type_object))
            return rein_fail(REIN_ERR_FORMAT, "messages[%zu] is no object", i);
        rein_status status = clean_message(&copy, message);
        if (status == REIN_OK) status = push(*out, json_object_get(copy));
        json_object_put(copy);
        REIN_TRY(status);
    }
    return REIN_OK;
}

static rein_status check_tools(struct json_object *tools) {
    if (!tools) return REIN_OK;
    if (!json_object_is_type(tools, json_type_array))
        return rein_fail(REIN_ERR_FORMAT, "tools must be a list of objects");
    for (size_t i = 0; i < json_object_array_length(tools); i++)
        if (!json_object_is_type(json_object_array_get_idx(tools, i), json_type_object))
            return rein_fail(REIN_ERR_FORMAT, "tools[%zu] is no object", i);
    return REIN_OK;
}

/* ---- rendering ---- */

/* What a conversation is rendered with, beside its messages. */
typedef struct setting {
    const rein_chat_template *t;
    struct json_object *tools, *kwargs;
} setting;

static rein_status fill_context(struct json_object *context, const setting *s, struct json_object *messages,
                                bool add_generation_prompt) {
    static const char *const taken[] = {"messages", "tools", "add_generation_prompt"};
    REIN_TRY(put(context, "documents", NULL));
    REIN_TRY(copy_members(context, s->t->tokens));
    if (s->kwargs) {
        if (!json_object_is_type(s->kwargs, json_type_object))
            return rein_fail(REIN_ERR_FORMAT, "kwargs must be an object");
        json_object_object_foreach(s->kwargs, key, value) REIN_TRY(put(context, key, json_object_get(value)));
        for (size_t i = 0; i < REIN_COUNT(taken); i++)
            if (json_object_object_get_ex(s->kwargs, taken[i], NULL))
                return rein_fail(REIN_ERR_FORMAT, "kwargs cannot hold '%s'", taken[i]);
    }
    REIN_TRY(put(context, "messages", json_object_get(messages)));
    REIN_TRY(put(context, "tools", json_object_get(s->tools)));
    return put(context, "add_generation_prompt", json_object_new_boolean(add_generation_prompt));
}

static rein_status render(rein_str *out, rein_ranges *generation, const setting *s, struct json_object *messages,
                          bool add_generation_prompt) {
    struct json_object *context;
    REIN_TRY(new_object(&context));
    rein_status status = fill_context(context, s, messages, add_generation_prompt);
    const rein_jinja *jinja = s->tools && s->t->tool_use ? s->t->tool_use : s->t->jinja;
    if (status == REIN_OK) status = rein_jinja_render(out, generation, jinja, context);
    json_object_put(context);
    return status;
}

rein_status rein_chat_render(rein_str *out, rein_ranges *generation, const rein_chat_template *t,
                             struct json_object *messages, struct json_object *tools, bool add_generation_prompt,
                             struct json_object *kwargs) {
    struct json_object *clean = NULL;
    REIN_TRY(check_tools(tools));
    rein_status status = clean_messages(&clean, messages);
    if (status == REIN_OK) status = render(out, generation, &(setting){t, tools, kwargs}, clean, add_generation_prompt);
    json_object_put(clean);
    return status;
}

/* ---- ids ---- */

typedef struct encoder {
    setting s;
    const rein_tokenizer *tok;
    struct json_object *messages; /* cleaned */
    rein_ids *ids;
    rein_str *mask;
    rein_str text; /* rendered so far */
    size_t done;   /* bytes of it that have ids */
} encoder;

static bool is_assistant(struct json_object *message) {
    struct json_object *role = member(message, "role");
    return json_object_is_type(role, json_type_string) && strcmp(json_object_get_string(role), "assistant") == 0;
}

/* Render the first n messages; what was rendered before must be its beginning. */
static rein_status extend(encoder *e, size_t n, bool add_generation_prompt) {
    struct json_object *first;
    rein_str text = {0};
    REIN_TRY(new_array(&first));
    rein_status status = REIN_OK;
    for (size_t i = 0; i < n && status == REIN_OK; i++)
        status = push(first, json_object_get(json_object_array_get_idx(e->messages, i)));
    if (status == REIN_OK) status = render(&text, NULL, &e->s, first, add_generation_prompt);
    json_object_put(first);
    size_t same = 0;
    while (same < e->text.len && same < text.len && e->text.data[same] == text.data[same]) same++;
    if (status == REIN_OK && same < e->text.len)
        status = rein_fail(
            REIN_ERR_FORMAT,
            "messages[%zu]: with it the template changes the text before it from byte %zu on ('%.40s' becomes "
            "'%.40s'), so that a rollout would have had other tokens; train on shorter conversations, or "
            "with a template that only appends",
            n ? n - 1 : 0, same, e->text.data + same, text.data ? text.data + same : "");
    if (status != REIN_OK) {
        rein_str_deinit(&text);
        return status;
    }
    rein_str_deinit(&e->text);
    e->text = text;
    return REIN_OK;
}

static rein_status mark(encoder *e, int64_t from, char value) {
    for (int64_t i = from; i < e->ids->n; i++) rein_str_putc(e->mask, value);
    return rein_str_check(e->mask);
}

/* Ids of the text that has none yet. */
static rein_status encode_rest(encoder *e, char value) {
    int64_t from = e->ids->n;
    if (e->done == e->text.len) return REIN_OK;
    REIN_TRY(rein_tokenizer_encode(e->tok, e->text.data + e->done, e->text.len - e->done, e->ids));
    e->done = e->text.len;
    return mark(e, from, value);
}

/* The blanks that a template writes behind the end token of a turn, as a number of tokens, and of bytes in *bytes. */
static rein_status tail_tokens(const encoder *e, int64_t from, int64_t *n, size_t *bytes) {
    int32_t eos = e->s.t->eos ? rein_tokenizer_id(e->tok, e->s.t->eos, strlen(e->s.t->eos)) : -1;
    *n = 0;
    *bytes = 0;
    size_t tail = 0, len, size;
    for (int64_t i = e->ids->n; i-- > from;) {
        const char *text;
        if (e->ids->data[i] == eos || rein_tokenizer_is_special(e->tok, e->ids->data[i])) {
            *n = e->ids->n - 1 - i;
            *bytes = tail;
            return REIN_OK;
        }
        REIN_TRY(rein_tokenizer_token_bytes(e->tok, e->ids->data[i], &text, &len));
        for (size_t at = 0; at < len; at += size)
            if (!rein_jinja_space(text + at, len - at, &size)) return REIN_OK;
        tail += len;
    }
    return REIN_OK;
}

/* What the assistant says, up to its end token. */
static rein_status encode_turn(encoder *e) {
    int64_t from = e->ids->n, n;
    size_t bytes;
    if (e->done == e->text.len) return REIN_OK;
    REIN_TRY(rein_tokenizer_encode(e->tok, e->text.data + e->done, e->text.len - e->done, e->ids));
    REIN_TRY(tail_tokens(e, from, &n, &bytes));
    e->ids->n -= n;
    e->done = e->text.len - bytes;
    return mark(e, from, 1);
}

static rein_status encode_all(encoder *e, bool add_generation_prompt) {
    size_t n = json_object_array_length(e->messages);
    for (size_t i = 0; i < n; i++) {
        if (!is_assistant(json_object_array_get_idx(e->messages, i))) continue;
        if (i == 0) return rein_fail(REIN_ERR_FORMAT, "messages[0] is the assistant's: there is no prompt before it");
        REIN_TRY(extend(e, i, true));
        REIN_TRY(encode_rest(e, 0));
        REIN_TRY(extend(e, i + 1, false));
        REIN_TRY(encode_turn(e));
    }
    REIN_TRY(extend(e, n, add_generation_prompt));
    return encode_rest(e, 0);
}

rein_status rein_chat_encode(rein_ids *ids, rein_str *mask, const rein_chat_template *t, const rein_tokenizer *tok,
                             struct json_object *messages, struct json_object *tools, bool add_generation_prompt,
                             struct json_object *kwargs) {
    encoder e = {.s = {t, tools, kwargs}, .tok = tok, .ids = ids, .mask = mask};
    int64_t n = ids->n;
    size_t len = mask->len;
    REIN_TRY(check_tools(tools));
    rein_status status = clean_messages(&e.messages, messages);
    if (status == REIN_OK) status = encode_all(&e, add_generation_prompt);
    json_object_put(e.messages);
    rein_str_deinit(&e.text);
    if (status == REIN_OK) return REIN_OK;
    ids->n = n;
    if (mask->data) mask->data[mask->len = len] = '\0';
    return status;
}
