/* TRL's dataset formats; see row.h. */
#include "io/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* ---- messages ---- */

static bool is_role(const char *role, const char *name) { return strcmp(role, name) == 0; }

static rein_status check_role(const char *role, size_t i) {
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    bool known = false;
    for (size_t k = 0; k < REIN_COUNT(roles); k++) known |= is_role(role, roles[k]);
    if (!known)
        return rein_fail(REIN_ERR_FORMAT, "message %zu has the role '%s', expected system, user, assistant or tool", i,
                         role);
    if (i > 0 && (is_role(role, "system") || is_role(role, "developer")))
        return rein_fail(REIN_ERR_FORMAT, "message %zu has the role '%s', which only the first may have", i, role);
    return REIN_OK;
}

/* `before`: the role of the message before, or NULL. */
static rein_status check_message(const char **role, struct json_object *message, size_t i, const char *before) {
    struct json_object *content;
    if (!json_object_is_type(message, json_type_object))
        return rein_fail(REIN_ERR_FORMAT, "message %zu is no object with role and content", i);
    rein_status status = rein_json_string(role, NULL, message, "role");
    if (status != REIN_OK) return rein_error_prefix(status, "message %zu", i);
    REIN_TRY(check_role(*role, i));
    if (before && is_role(*role, before) && !is_role(*role, "tool"))
        return rein_fail(REIN_ERR_FORMAT, "messages %zu and %zu have both the role '%s'", i - 1, i, *role);
    bool calls = is_role(*role, "assistant") && rein_json_has(message, "tool_calls");
    if (json_object_object_get_ex(message, "content", &content) &&
        (json_object_is_type(content, json_type_string) || (!content && calls)))
        return REIN_OK;
    if (calls && !content) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "message %zu (%s) has no text as its content", i, *role);
}

static rein_status check_messages(struct json_object *messages, const char **first, const char **last) {
    size_t n = json_object_array_length(messages);
    if (n == 0) return rein_fail(REIN_ERR_FORMAT, "a conversation without messages");
    *last = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *role;
        REIN_TRY(check_message(&role, json_object_array_get_idx(messages, i), i, *last));
        if (i == 0) *first = role;
        *last = role;
    }
    return REIN_OK;
}

static bool is_text(struct json_object *x) { return json_object_is_type(x, json_type_string); }
static bool is_list(struct json_object *x) { return json_object_is_type(x, json_type_array); }

/* ---- rows ---- */

static rein_status read_tools(rein_row *out, struct json_object *row) {
    struct json_object *value;
    if (!json_object_object_get_ex(row, "tools", &value) || !value) return REIN_OK;
    if (is_text(value)) {
        size_t len = (size_t)json_object_get_string_len(value);
        REIN_TRY(rein_json_parse(&out->tools_parsed, "column tools", json_object_get_string(value), len));
        value = out->tools_parsed;
    }
    if (!is_list(value)) return rein_fail(REIN_ERR_FORMAT, "column 'tools' is no array of JSON schemas");
    if (json_object_array_length(value) > 0) out->tools = value;
    return REIN_OK;
}

/* Messages that answer a prompt. */
static rein_status check_answer(struct json_object *messages, const char *column) {
    const char *first, *last;
    rein_status status = check_messages(messages, &first, &last);
    if (status != REIN_OK) return rein_error_prefix(status, "column '%s'", column);
    if (!is_role(first, "assistant"))
        return rein_fail(REIN_ERR_FORMAT, "column '%s' begins with the role '%s', expected assistant", column, first);
    return REIN_OK;
}

static rein_status check_prompt(struct json_object *messages) {
    const char *first, *last;
    rein_status status = check_messages(messages, &first, &last);
    if (status != REIN_OK) return rein_error_prefix(status, "column 'prompt'");
    if (is_role(last, "assistant"))
        return rein_fail(REIN_ERR_FORMAT, "column 'prompt' ends with the assistant's turn: that is the answer");
    if (is_role(last, "system") || is_role(last, "developer"))
        return rein_fail(REIN_ERR_FORMAT, "column 'prompt' has only the role '%s'", last);
    return REIN_OK;
}

static rein_status read_conversation(rein_row *out) {
    const char *first, *last;
    if (out->kind == REIN_ROW_MESSAGES) return check_messages(out->messages, &first, &last);
    if (!out->prompt) {
        REIN_TRY(check_messages(out->chosen, &first, &last));
        return check_messages(out->rejected, &first, &last);
    }
    REIN_TRY(check_prompt(out->prompt));
    if (out->completion) return check_answer(out->completion, "completion");
    if (out->kind != REIN_ROW_PREFERENCE) return REIN_OK;
    REIN_TRY(check_answer(out->chosen, "chosen"));
    return check_answer(out->rejected, "rejected");
}

/* Two answers in the prompt's form make a preference; columns of these names in another form are just columns. */
static bool read_preference(rein_row *out, struct json_object *row) {
    struct json_object *chosen, *rejected;
    json_object_object_get_ex(row, "chosen", &chosen);
    json_object_object_get_ex(row, "rejected", &rejected);
    bool text = is_text(chosen) && is_text(rejected), list = is_list(chosen) && is_list(rejected);
    if (out->prompt ? !(is_text(out->prompt) ? text : list) : !(text || list)) return false;
    if (!out->prompt && (out->text || out->messages)) return false;
    out->kind = REIN_ROW_PREFERENCE;
    out->chat = list;
    out->chosen = chosen;
    out->rejected = rejected;
    return true;
}

static rein_status read_columns(rein_row *out, struct json_object *row) {
    json_object_object_get_ex(row, "text", &out->text);
    json_object_object_get_ex(row, "messages", &out->messages);
    json_object_object_get_ex(row, "prompt", &out->prompt);
    json_object_object_get_ex(row, "completion", &out->completion);
    json_object_object_get_ex(row, "label", &out->label);
    json_object_object_get_ex(row, "margin", &out->margin);
    if (!out->completion && read_preference(out, row)) return REIN_OK;
    if (out->prompt) {
        out->kind = out->completion ? REIN_ROW_COMPLETION : REIN_ROW_PROMPT;
        out->chat = is_list(out->prompt);
        bool pair = !out->completion || (out->chat ? is_list(out->completion) : is_text(out->completion));
        if ((out->chat || is_text(out->prompt)) && pair) return REIN_OK;
        return rein_fail(REIN_ERR_FORMAT, "columns 'prompt' and 'completion' must both be text or both be lists of messages");
    }
    if (out->messages) {
        out->kind = REIN_ROW_MESSAGES;
        out->chat = true;
        return is_list(out->messages) ? REIN_OK : rein_fail(REIN_ERR_FORMAT, "column 'messages' is no list");
    }
    if (!out->text)
        return rein_fail(REIN_ERR_FORMAT, "a row needs a column text, messages, prompt, prompt and completion, "
                                          "or chosen and rejected");
    return is_text(out->text) ? REIN_OK : rein_fail(REIN_ERR_FORMAT, "column 'text' is no text");
}

rein_status rein_row_read(rein_row *out, struct json_object *row) {
    *out = (rein_row){.kind = REIN_ROW_TEXT};
    REIN_TRY(read_columns(out, row));
    if (!out->chat) return REIN_OK;
    REIN_TRY(read_conversation(out));
    rein_status status = read_tools(out, row);
    if (status != REIN_OK) rein_row_deinit(out);
    return status;
}

void rein_row_deinit(rein_row *row) {
    json_object_put(row->tools_parsed);
    row->tools = row->tools_parsed = NULL;
}

rein_status rein_row_use(const rein_jsonl *file, int64_t i, rein_status (*use)(void *user, const rein_row *row),
                         void *user) {
    struct json_object *json;
    rein_row row;
    REIN_TRY(rein_jsonl_row(&json, file, i));
    rein_status status = rein_row_read(&row, json);
    if (status == REIN_OK) {
        status = use(user, &row);
        rein_row_deinit(&row);
    }
    json_object_put(json);
    if (status == REIN_OK) return REIN_OK;
    return rein_error_prefix(status, "%s:%lld", rein_jsonl_path(file), (long long)rein_jsonl_line(file, i));
}

/* ---- lists of messages ---- */

static rein_status append_range(struct json_object *out, struct json_object *from, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (json_object_array_add(out, json_object_get(json_object_array_get_idx(from, i))) < 0)
            return rein_fail(REIN_ERR_MEMORY, "out of memory for messages");
    return REIN_OK;
}

static rein_status new_list(struct json_object **out) {
    *out = json_object_new_array();
    return *out ? REIN_OK : rein_fail(REIN_ERR_MEMORY, "out of memory for messages");
}

rein_status rein_messages_question(struct json_object **out, struct json_object *messages) {
    size_t n = json_object_array_length(messages);
    const char *role = "";
    while (n > 0) {
        REIN_TRY(rein_json_string(&role, NULL, json_object_array_get_idx(messages, n - 1), "role"));
        if (!is_role(role, "assistant")) break;
        n--;
    }
    if (n == 0 || is_role(role, "system") || is_role(role, "developer"))
        return rein_fail(REIN_ERR_FORMAT, "column 'messages' has nothing that the assistant could answer");
    REIN_TRY(new_list(out));
    rein_status status = append_range(*out, messages, n);
    if (status != REIN_OK) json_object_put(*out);
    return status;
}

rein_status rein_messages_join(struct json_object **out, struct json_object *a, struct json_object *b) {
    REIN_TRY(new_list(out));
    rein_status status = append_range(*out, a, json_object_array_length(a));
    if (status == REIN_OK) status = append_range(*out, b, json_object_array_length(b));
    if (status != REIN_OK) json_object_put(*out);
    return status;
}

/* ---- keys ---- */

static rein_status hash_value(uint64_t *key, struct json_object *value) {
    char hex[REIN_XXH_HEX];
    size_t len;
    const char *text = is_text(value) ? json_object_get_string(value)
                                      : json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &len);
    if (!text) return rein_fail(REIN_ERR_MEMORY, "out of memory for a row's key");
    if (is_text(value)) len = (size_t)json_object_get_string_len(value);
    rein_xxh3_hex(hex, text, len);
    hex[16] = '\0';
    *key = strtoull(hex, NULL, 16);
    return REIN_OK;
}

rein_status rein_row_key(uint64_t *key, const rein_row *row) {
    if (row->kind == REIN_ROW_PREFERENCE && !row->prompt) return hash_value(key, row->chosen);
    if (row->kind != REIN_ROW_MESSAGES) return hash_value(key, row->kind == REIN_ROW_TEXT ? row->text : row->prompt);
    struct json_object *question;
    if (rein_messages_question(&question, row->messages) != REIN_OK) return hash_value(key, row->messages);
    rein_status status = hash_value(key, question);
    json_object_put(question);
    return status;
}
