/* Writing tool calls, and finding a template's format; see toolcall.h. */
#include <string.h>

#include "text/jinja_value.h"
#include "text/toolcall.h"
#include "text/toolcall_impl.h"

/* ---- writing ---- */

rein_status rein_toolcall_dump(rein_str *out, struct json_object *value) {
    const rein_jdump form = {.item_separator = rein_jinja_string(", ", 2), .key_separator = rein_jinja_string(": ", 2)};
    rein_jbudget budget = {0};
    rein_jvalue v;
    rein_status status = rein_jinja_from_json(&budget, value, &v);
    if (status == REIN_OK) status = rein_jinja_put_json(&budget, out, &v, &form);
    rein_arena_deinit(&budget.arena);
    return status;
}

const char *rein_toolcall_separator(rein_toolcall_format format) {
    return format == REIN_TOOLCALL_LLAMA3 ? "; " : "\n";
}

static rein_status write_plain(rein_str *out, const char *name, struct json_object *arguments) {
    const char *before = "";
    rein_str_printf(out, "%s(", name);
    json_object_object_foreach(arguments, key, value) {
        if (!rein_toolcall_is_name(key))
            return rein_fail(REIN_ERR_ARG, "the format plain cannot write an argument named '%.60s'; use hermes", key);
        rein_str_printf(out, "%s%s=", before, key);
        REIN_TRY(rein_toolcall_dump(out, value));
        before = ", ";
    }
    rein_str_putc(out, ')');
    return REIN_OK;
}

static rein_status write_call(rein_str *out, rein_toolcall_format format, const char *name,
                              struct json_object *arguments) {
    bool hermes = format == REIN_TOOLCALL_HERMES;
    if (!rein_toolcall_is_name(name))
        return rein_fail(REIN_ERR_ARG, "tool name '%.60s': 1 to 128 letters, digits and _ . / - are wanted", name);
    if (!json_object_is_type(arguments, json_type_object))
        return rein_fail(REIN_ERR_ARG, "the arguments of a call of '%s' are no object", name);
    if (format == REIN_TOOLCALL_PLAIN) return write_plain(out, name, arguments);
    rein_str_printf(out, "%s{\"name\": \"%s\", \"%s\": ", hermes ? REIN_TAG_CALL "\n" : "", name,
                    rein_toolcall_key(format));
    REIN_TRY(rein_toolcall_dump(out, arguments));
    rein_str_puts(out, hermes ? "}\n" REIN_TAG_CALL_END : "}");
    return REIN_OK;
}

/* What cannot be read back (nested too deeply, not finite, not UTF-8) is not written. */
static rein_status check_written(rein_toolcall_format format, const char *text, size_t len,
                                 struct json_object *arguments) {
    rein_toolcalls calls = {0};
    rein_status status = rein_toolcalls_read(&calls, format, text, len);
    if (status == REIN_OK &&
        (calls.n != 1 || calls.data[0].error || !json_object_equal(calls.data[0].arguments, arguments)))
        status = rein_fail(REIN_ERR_ARG, "arguments that cannot be written as JSON text: %s",
                           calls.n == 1 && calls.data[0].error ? calls.data[0].error : "they would be read as others");
    rein_toolcalls_deinit(&calls);
    return status;
}

rein_status rein_toolcall_write(rein_str *out, rein_toolcall_format format, const char *name,
                                struct json_object *arguments) {
    size_t before = out->len;
    struct json_object *none = arguments ? NULL : json_object_new_object();
    if (!arguments && !none) return rein_fail(REIN_ERR_MEMORY, "out of memory for a tool call");
    if (!arguments) arguments = none;
    rein_status status = write_call(out, format, name, arguments);
    if (status == REIN_OK) status = rein_str_check(out);
    if (status == REIN_OK) status = check_written(format, out->data + before, out->len - before, arguments);
    json_object_put(none);
    if (status == REIN_ERR_FORMAT) status = REIN_ERR_ARG;
    if (status != REIN_OK && out->data) out->data[out->len = before] = '\0';
    return status;
}

/* ---- a template's format ---- */

/* Arguments as an object, which most templates want, and as text. */
#define PROBE(arguments)                                                                                               \
    "[{\"role\": \"user\", \"content\": \"probe\"}, {\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": "     \
    "[{\"type\": \"function\", \"id\": \"call00001\", \"function\": {\"name\": \"probe_tool\", "                       \
    "\"arguments\": " arguments "}}]}]"
static const char *const probes[] = {PROBE("{\"probe_key\": \"probe value\"}"),
                                     PROBE("\"{\\\"probe_key\\\": \\\"probe value\\\"}\"")};
static const char probe_tools[] = "[{\"type\": \"function\", \"function\": {\"name\": \"probe_tool\", \"description\": "
                                  "\"probe\", \"parameters\": {\"type\": "
                                  "\"object\", \"properties\": {\"probe_key\": {\"type\": \"string\", \"description\": "
                                  "\"probe\"}}, \"required\": [\"probe_key\"]}}}]";

/* The text that the assistant's turn adds to the prompt, up to the call's last bracket or tag; *found: the call is in
 * it. */
static rein_status render_probe(rein_str *turn, bool *found, const rein_chat_template *t, const char *probe) {
    struct json_object *messages = NULL, *tools = NULL, *prompt = NULL;
    rein_str before = {0}, after = {0};
    rein_status status;
    REIN_TRY_OUT(status, rein_json_parse(&messages, "probe", probe, strlen(probe)), out);
    REIN_TRY_OUT(status, rein_json_parse(&prompt, "probe", probe, strlen(probe)), out);
    REIN_TRY_OUT(status, rein_json_parse(&tools, "probe", probe_tools, sizeof probe_tools - 1), out);
    json_object_array_del_idx(prompt, 1, 1);
    REIN_TRY_OUT(status, rein_chat_render(&before, NULL, t, prompt, tools, true, NULL), out);
    REIN_TRY_OUT(status, rein_chat_render(&after, NULL, t, messages, tools, false, NULL), out);
    rein_str_puts(&after, ""); /* a template may render nothing */
    REIN_TRY_OUT(status, rein_str_check(&after), out);
    size_t same = 0, end = after.len;
    while (same < before.len && same < after.len && before.data[same] == after.data[same]) same++;
    const char *eos = rein_chat_template_eos(t), *at = eos && *eos ? strstr(after.data + same, eos) : NULL;
    if (at) end = (size_t)(at - after.data);
    rein_str_append(turn, after.data + same, end - same);
    status = rein_str_check(turn);
    *found = status == REIN_OK && strstr(turn->data, "probe_tool") != NULL;
out:
    json_object_put(messages);
    json_object_put(tools);
    json_object_put(prompt);
    rein_str_deinit(&before);
    rein_str_deinit(&after);
    return status;
}

static rein_status reads_as(bool *yes, rein_toolcall_format format, const rein_str *turn) {
    rein_toolcalls calls = {0};
    rein_status status = rein_toolcalls_read(&calls, format, turn->data, turn->len);
    *yes = status == REIN_OK && calls.n == 1 && !calls.data[0].error && strcmp(calls.data[0].name, "probe_tool") == 0;
    rein_toolcalls_deinit(&calls);
    return status;
}

rein_status rein_toolcall_detect(rein_toolcall_format *out, bool *native, const rein_chat_template *t) {
    rein_str turn = {0};
    bool found = false, yes = false;
    rein_status status = render_probe(&turn, &found, t, probes[0]);
    if (status == REIN_ERR_FORMAT) status = render_probe(&turn, &found, t, probes[1]);
    *out = REIN_TOOLCALL_HERMES;
    *native = false;
    if (status == REIN_ERR_FORMAT) status = REIN_OK; /* refused: calls are no part of this template */
    for (rein_toolcall_format f = REIN_TOOLCALL_HERMES; status == REIN_OK && found && f <= REIN_TOOLCALL_PLAIN && !yes;
         f++) {
        status = reads_as(&yes, f, &turn);
        if (yes) *out = f;
    }
    *native = yes;
    if (status == REIN_OK && found && !yes)
        status = rein_fail(REIN_ERR_FORMAT,
                           "the chat template writes tool calls in a form that is not known: '%.120s'; choose one "
                           "of " REIN_TOOLCALL_FORMATS,
                           turn.data);
    rein_str_deinit(&turn);
    return status;
}
