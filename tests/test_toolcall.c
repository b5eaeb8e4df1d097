/*
 * Tool calls: readings against golden/toolcall.jsonl, random calls that must read back equal, mutations that must not
 * crash, formats of chat templates, signatures, argument checks, forced bytes, and the texts that grammars admit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "base/file.h"
#include "base/option.h"
#include "base/random.h"
#include "gen/automaton.h"
#include "gen/grammar.h"
#include "gen/schema.h"
#include "golden_json.h"
#include "testing.h"
#include "text/bpe.h"
#include "text/bytelevel.h"
#include "text/toolcall.h"

enum { N_FORMAT = 3, SEED = 6 };

static rein_toolcall_format format_of(const char *name) {
    int len;
    for (int f = 0; f < N_FORMAT; f++) {
        const char *own = rein_choice_name(REIN_TOOLCALL_FORMATS, f, &len);
        if (strlen(name) == (size_t)len && memcmp(name, own, (size_t)len) == 0) return (rein_toolcall_format)f;
    }
    fail_msg("no format %s", name);
    return REIN_TOOLCALL_HERMES;
}

static struct json_object *parse(const char *text) {
    struct json_object *value;
    OK(rein_json_parse(&value, "test", text, strlen(text)));
    return value;
}

/* ---- reading ---- */

/* What holds of any reading: calls and errors exclude each other, ranges lie in the text, in order. */
static void check_shape(const rein_toolcalls *calls, size_t len) {
    for (int64_t i = 0; i < calls->n; i++) {
        const rein_toolcall *c = &calls->data[i];
        assert_true((c->error != NULL) == (c->name == NULL) && (c->error != NULL) == (c->arguments == NULL));
        assert_true(c->begin < c->end && c->end <= len);
        assert_true(i == 0 || calls->data[i - 1].end <= c->begin);
        if (!c->error) continue;
        assert_true(strlen(c->error) <= 600 && !strpbrk(c->error, "\r\n\t"));
        assert_int_equal(rein_utf8_valid_length(c->error, strlen(c->error)), strlen(c->error));
    }
}

static void check_row(struct json_object *row) {
    struct json_object *text = golden_get(row, "text"), *want = golden_get(row, "calls");
    rein_toolcalls calls = {0};
    size_t len = (size_t)json_object_get_string_len(text);
    OK(rein_toolcalls_read(&calls, format_of(golden_text(row, "format")), json_object_get_string(text), len));
    check_shape(&calls, len);
    if (calls.n != golden_length(want))
        fail_msg("%lld calls in %s", (long long)calls.n, json_object_to_json_string(row));
    for (int64_t i = 0; i < calls.n; i++) {
        struct json_object *error = json_object_object_get(golden_at(want, i), "error");
        if ((error != NULL) != (calls.data[i].error != NULL))
            fail_msg("call %lld is '%s' in %s", (long long)i, calls.data[i].error, json_object_to_json_string(row));
        if (error) {
            assert_string_equal(calls.data[i].error, json_object_get_string(error));
            continue;
        }
        assert_string_equal(calls.data[i].name, golden_text(golden_at(want, i), "name"));
        assert_true(json_object_equal(calls.data[i].arguments, golden_get(golden_at(want, i), "arguments")));
    }
    rein_toolcalls_deinit(&calls);
}

static rein_status each_row(void *user, int64_t line, struct json_object *row) {
    (void)line;
    check_row(row);
    ++*(int *)user;
    return REIN_OK;
}

static void fixtures_read_as_written(void **state) {
    (void)state;
    int rows = 0;
    OK(rein_jsonl_each("golden/toolcall.jsonl", each_row, &rows));
    assert_true(rows >= 55);
}

/* ---- random calls ---- */

typedef struct dice {
    uint32_t row, draw;
} dice;

static int64_t roll(dice *d, int64_t n) {
    return (int64_t)rein_random_below((uint64_t)n, SEED, REIN_STREAM_DATA, d->row, d->draw++, 0, 0);
}

/* Pieces that would confuse a reader which does not know where strings end. */
static const char *const pieces[] = {"a",
                                     " ",
                                     "\"",
                                     "\\",
                                     "{",
                                     "}",
                                     "[",
                                     "]",
                                     ",",
                                     ")",
                                     "(",
                                     "=",
                                     "\n",
                                     "</think>",
                                     "<think>",
                                     "<tool_call>",
                                     "</tool_call>",
                                     "<|python_tag|>",
                                     "\x01",
                                     "\xc3\xa9",
                                     "\xf0\x9f\x98\x80",
                                     "; ",
                                     "name",
                                     ":",
                                     "f(x=1)",
                                     "\xe2\x80\xa8"};

static void random_text(dice *d, rein_str *out) {
    rein_str_clear(out);
    rein_str_puts(out, "");
    for (int64_t n = roll(d, 8); n > 0; n--) rein_str_puts(out, pieces[roll(d, (int64_t)REIN_COUNT(pieces))]);
}

static struct json_object *random_value(dice *d, int depth);

static struct json_object *random_object(dice *d, int depth, bool words) {
    struct json_object *obj = json_object_new_object();
    rein_str key = {0};
    for (int64_t n = roll(d, 4); n > 0; n--) {
        random_text(d, &key);
        if (words || key.len == 0) {
            rein_str_clear(&key);
            rein_str_printf(&key, "key_%lld.x", (long long)roll(d, 9));
        }
        json_object_object_add(obj, key.data, random_value(d, depth + 1));
    }
    rein_str_deinit(&key);
    return obj;
}

static struct json_object *random_value(dice *d, int depth) {
    rein_str text = {0};
    struct json_object *value;
    switch (roll(d, depth < 3 ? 8 : 6)) {
    case 0:
        return NULL;
    case 1:
        return json_object_new_boolean((int)roll(d, 2));
    case 2:
        return json_object_new_int64(roll(d, INT64_MAX) * (roll(d, 2) ? 1 : -1));
    case 3:
        return json_object_new_double((double)(roll(d, 2001) - 1000) * (roll(d, 2) ? 1.0 : 1e-300 / 7));
    case 6:
        value = json_object_new_array();
        for (int64_t n = roll(d, 4); n > 0; n--) json_object_array_add(value, random_value(d, depth + 1));
        return value;
    case 7:
        return random_object(d, depth, false);
    default:
        random_text(d, &text);
        value = json_object_new_string_len(text.data, (int)text.len);
        rein_str_deinit(&text);
        return value;
    }
}

static const char *const tool_names[] = {"f", "get_quote", "_x", "fs/read-file.v2"};

static void random_call(dice *d, rein_toolcall_format format, const char **name, struct json_object **arguments) {
    *name = tool_names[roll(d, (int64_t)REIN_COUNT(tool_names))];
    *arguments = random_object(d, 0, format == REIN_TOOLCALL_PLAIN);
}

static void written_calls_read_back(void **state) {
    (void)state;
    rein_str text = {0};
    for (uint32_t row = 0; row < 10000; row++) {
        dice d = {.row = row};
        rein_toolcall_format format = (rein_toolcall_format)(row % N_FORMAT);
        const char *name[3];
        struct json_object *arguments[3];
        rein_toolcalls calls = {0};
        int64_t n = 1 + roll(&d, 3);
        rein_str_clear(&text);
        for (int64_t i = 0; i < n; i++) {
            random_call(&d, format, &name[i], &arguments[i]);
            if (i) rein_str_puts(&text, rein_toolcall_separator(format));
            OK(rein_toolcall_write(&text, format, name[i], arguments[i]));
        }
        OK(rein_toolcalls_read(&calls, format, text.data, text.len));
        check_shape(&calls, text.len);
        assert_int_equal(calls.n, n);
        for (int64_t i = 0; i < n; i++) {
            if (calls.data[i].error) fail_msg("%s\n%s", calls.data[i].error, text.data);
            assert_string_equal(calls.data[i].name, name[i]);
            if (!json_object_equal(calls.data[i].arguments, arguments[i])) fail_msg("other arguments: %s", text.data);
            json_object_put(arguments[i]);
        }
        rein_toolcalls_deinit(&calls);
    }
    rein_str_deinit(&text);
}

/* ---- forced bytes ---- */

static void check_ranges(const rein_ranges *r, size_t len) {
    for (int64_t i = 0; i < r->n; i++) {
        assert_true(0 <= r->data[i].begin && r->data[i].begin < r->data[i].end && r->data[i].end <= (int64_t)len);
        assert_true(i == 0 || r->data[i - 1].end < r->data[i].begin);
    }
}

static void mutate(dice *d, rein_str *text) {
    static const char special[] = "{}[]\"'\\,:=()<>/;\n\x00\xff t";
    for (int64_t n = 1 + roll(d, 4); n > 0 && text->len > 0; n--) {
        size_t at = (size_t)roll(d, (int64_t)text->len);
        char byte = roll(d, 2) ? special[roll(d, sizeof special - 1)] : (char)roll(d, 256);
        switch (roll(d, 3)) {
        case 0:
            text->data[at] = byte;
            break;
        case 1:
            memmove(text->data + at, text->data + at + 1, text->len - at);
            text->len--;
            break;
        default:
            text->len = at;
            text->data[at] = '\0';
        }
    }
}

static void mutations_are_survived(void **state) {
    (void)state;
    rein_str text = {0};
    int64_t errors = 0, fine = 0;
    for (uint32_t row = 0; row < 10000; row++) {
        dice d = {.row = row, .draw = 1000};
        rein_toolcall_format format = (rein_toolcall_format)(row % N_FORMAT);
        const char *name;
        struct json_object *arguments;
        rein_toolcalls calls = {0};
        rein_ranges ranges = {0};
        rein_str_clear(&text);
        for (int i = 0; i < 2; i++) {
            random_call(&d, format, &name, &arguments);
            if (i) rein_str_puts(&text, rein_toolcall_separator(format));
            OK(rein_toolcall_write(&text, format, name, arguments));
            json_object_put(arguments);
        }
        mutate(&d, &text);
        char *exact = malloc(text.len + !text.len); /* so that a sanitizer sees a byte read too far */
        memcpy(exact, text.data, text.len);
        OK(rein_toolcalls_read(&calls, format, exact, text.len));
        check_shape(&calls, text.len);
        OK(rein_toolcall_forced_ranges(&ranges, format, exact, text.len));
        check_ranges(&ranges, text.len);
        for (int64_t i = 0; i < calls.n; i++) *(calls.data[i].error ? &errors : &fine) += 1;
        rein_ranges_deinit(&ranges);
        rein_toolcalls_deinit(&calls);
        free(exact);
    }
    rein_str_deinit(&text);
    assert_true(errors > 3000 && fine > 3000);
}

static const struct {
    rein_toolcall_format format;
    const char *text, *mask; /* '#' forced, '.' chosen */
} forced[] = {
    {REIN_TOOLCALL_HERMES,
     "Hm <tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"b:{\", \"c\": [1, true]}}\n</tool_call> x",
     "...#####################...#####################.....########.##....################.."},
    {REIN_TOOLCALL_LLAMA3, "{\"name\": \"f\", \"parameters\": {}}", "#########...###################"},
    {REIN_TOOLCALL_LLAMA3, "The answer is {}.", "................."},
    {REIN_TOOLCALL_PLAIN, "text\n f(a=\"x=1\", b = -2.5,c={\"k\": null})", ".......###.....######....#########....##"},
    {REIN_TOOLCALL_PLAIN, "f(a=1", "....."},
};

static void forced_bytes_are_marks_and_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(forced); i++) {
        rein_ranges ranges = {0};
        char mask[200] = "";
        size_t len = strlen(forced[i].text);
        memset(mask, '.', len);
        OK(rein_toolcall_forced_ranges(&ranges, forced[i].format, forced[i].text, len));
        check_ranges(&ranges, len);
        for (int64_t k = 0; k < ranges.n; k++)
            memset(mask + ranges.data[k].begin, '#', (size_t)(ranges.data[k].end - ranges.data[k].begin));
        if (strcmp(mask, forced[i].mask) != 0) fail_msg("\n%s\n%s\n%s expected", forced[i].text, mask, forced[i].mask);
        rein_ranges_deinit(&ranges);
    }
}

/* ---- writing ---- */

static void what_would_not_read_back_is_refused(void **state) {
    (void)state;
    rein_str text = {0};
    struct json_object *deep = json_object_new_object(), *nan = json_object_new_object(),
                       *list = json_object_new_array();
    struct json_object *odd = json_object_new_object(), *value = json_object_new_int(1);
    for (int i = 0; i < 70; i++) {
        struct json_object *outer = json_object_new_object();
        json_object_object_add(outer, "x", value);
        value = outer;
    }
    json_object_object_add(deep, "x", value);
    json_object_object_add(nan, "x", json_object_new_double(NAN));
    json_object_object_add(odd, "two words", json_object_new_int(1));
    rein_str_puts(&text, "before");
    for (int f = 0; f < N_FORMAT; f++) {
        rein_toolcall_format format = (rein_toolcall_format)f;
        FAILS_WITH(REIN_ERR_ARG, rein_toolcall_write(&text, format, "f", deep));
        FAILS_WITH(REIN_ERR_ARG, rein_toolcall_write(&text, format, "f", nan));
        FAILS_WITH(REIN_ERR_ARG, rein_toolcall_write(&text, format, "f", list));
        FAILS_WITH(REIN_ERR_ARG, rein_toolcall_write(&text, format, "two words", NULL));
        FAILS_WITH(REIN_ERR_ARG, rein_toolcall_write(&text, format, "", NULL));
    }
    FAILS_WITH(REIN_ERR_ARG, rein_toolcall_write(&text, REIN_TOOLCALL_PLAIN, "f", odd));
    assert_string_equal(text.data, "before");
    OK(rein_toolcall_write(&text, REIN_TOOLCALL_HERMES, "f", odd));
    assert_string_equal(text.data,
                        "before<tool_call>\n{\"name\": \"f\", \"arguments\": {\"two words\": 1}}\n</tool_call>");
    rein_str_clear(&text);
    OK(rein_toolcall_write(&text, REIN_TOOLCALL_PLAIN, "f", NULL));
    assert_string_equal(text.data, "f()");
    rein_str_deinit(&text);
    json_object_put(deep);
    json_object_put(nan);
    json_object_put(list);
    json_object_put(odd);
}

/* ---- templates ---- */

static rein_chat_template *make_template(const char *text, size_t len, const char *eos) {
    rein_chat_template *t;
    char config[100];
    snprintf(config, sizeof config, "{\"bos_token\":\"<s>\",\"eos_token\":\"%s\"}", eos);
    OK(rein_chat_template_create(&t, "t", text, len, config, strlen(config)));
    return t;
}

static rein_status detect(const char *text, size_t len, const char *eos, rein_toolcall_format *format, bool *native) {
    rein_chat_template *t = make_template(text, len, eos);
    rein_status status = rein_toolcall_detect(format, native, t);
    rein_chat_template_destroy(t);
    return status;
}

/* Llama 3.1's way of writing turns and calls, in our words. */
#define LLAMA                                                                                                          \
    "<s>{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' }}{% if m.tool_calls %}"  \
    "{% set c = m.tool_calls[0].function %}{{ '{\"name\": \"' + c.name + '\", \"parameters\": ' + c.arguments | "      \
    "tojson + '}' }}"                                                                                                  \
    "{% else %}{{ m.content }}{% endif %}<|eot_id|>{% endfor %}"                                                       \
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
#define OTHER                                                                                                          \
    "{% for m in messages %}{% if m.tool_calls %}[TOOL_CALLS]{{ m.tool_calls | tojson }}{% else %}{{ m.content }}{% "  \
    "endif %}</s>{% endfor %}"
#define TEXTUAL                                                                                                        \
    "{% for m in messages %}{% if m.tool_calls %}{{ '[CALL]probe_tool' + m.tool_calls[0].function.arguments }}{% "     \
    "endif %}{% endfor %}"
#define REFUSING "{% for m in messages %}{% if m.tool_calls %}{{ raise_exception('no tools') }}{% endif %}{% endfor %}"

static void templates_say_their_format(void **state) {
    (void)state;
    static const struct {
        const char *file;
        bool native;
    } golden[] = {{"golden/template/templates/qwen2.5.jinja", true},
                  {"golden/template/templates/qwen3.jinja", true},
                  {"golden/template/templates/smollm2.jinja", false}};
    rein_toolcall_format format;
    bool native;
    for (size_t i = 0; i < REIN_COUNT(golden); i++) {
        rein_str text = {0};
        OK(rein_file_read(&text, golden[i].file));
        OK(detect(text.data, text.len, "<|im_end|>", &format, &native));
        assert_int_equal(format, REIN_TOOLCALL_HERMES);
        assert_int_equal(native, golden[i].native);
        rein_str_deinit(&text);
    }
    OK(detect(LLAMA, strlen(LLAMA), "<|eot_id|>", &format, &native));
    assert_true(native && format == REIN_TOOLCALL_LLAMA3);
    OK(detect(REFUSING, strlen(REFUSING), "</s>", &format, &native));
    assert_true(!native && format == REIN_TOOLCALL_HERMES);
    OK(detect("", 0, "</s>", &format, &native));
    assert_false(native);
    FAILS_WITH(REIN_ERR_FORMAT, detect(OTHER, strlen(OTHER), "</s>", &format, &native));
    assert_non_null(strstr(rein_error_message(), "[TOOL_CALLS]"));
    FAILS_WITH(REIN_ERR_FORMAT, detect(TEXTUAL, strlen(TEXTUAL), "</s>", &format, &native));
    assert_non_null(strstr(rein_error_message(), "[CALL]"));
}

/* What is written is what the template renders, byte for byte. */
static void calls_are_written_as_templates_do(void **state) {
    (void)state;
    rein_str text = {0}, turn = {0}, call = {0};
    struct json_object *messages =
        parse("[{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": "
              "[{\"function\": {\"name\": "
              "\"f\", \"arguments\": {\"a\": [1, 2.0, \"\\u00e9<\\n\"], \"b\": {\"c\": null}}}}]}]");
    struct json_object *arguments = parse("{\"a\": [1, 2.0, \"\\u00e9<\\n\"], \"b\": {\"c\": null}}");
    OK(rein_file_read(&text, "golden/template/templates/qwen2.5.jinja"));
    rein_chat_template *t = make_template(text.data, text.len, "<|im_end|>");
    OK(rein_chat_render(&turn, NULL, t, messages, NULL, false, NULL));
    OK(rein_toolcall_write(&call, REIN_TOOLCALL_HERMES, "f", arguments));
    assert_non_null(strstr(turn.data, call.data));
    rein_chat_template_destroy(t);
    json_object_put(messages);
    json_object_put(arguments);
    rein_str_deinit(&text);
    rein_str_deinit(&turn);
    rein_str_deinit(&call);
}

/* ---- tools ---- */

static const struct {
    const char *tool, *signature;
} signatures[] = {
    {"{\"name\":\"get_quote\",\"description\":\"Latest price of a share. In "
     "dollars.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
     "\"symbol\":{\"type\":\"string\"},\"days\":{\"type\":\"integer\"}},\"required\":[\"symbol\"]}}",
     "get_quote(symbol: string, days?: integer) - Latest price of a share"},
    {"{\"type\":\"function\",\"function\":{\"name\":\"now\",\"description\":\"\\nThe time\\nas "
     "text.\",\"parameters\":{\"type\":\"object\","
     "\"properties\":{}}}}",
     "now() - The time"},
    {"{\"name\":\"bare\"}", "bare()"},
    {"{\"name\":\"odd\",\"description\":\"a\\tb\\u0007\",\"inputSchema\":{\"properties\":{\"x\\ny\":{}}}}",
     "odd(x y?: any) - a b "},
    {"{\"name\":\"add\",\"inputSchema\":{\"type\":\"object\",\"required\":[\"items\"],\"properties\":{\"items\":{"
     "\"type\":\"array\",\"items\":{"
     "\"$ref\":\"#/$defs/"
     "entity\"}},\"side\":{\"enum\":[\"buy\",\"sell\",3]},\"x\":{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]"
     "},"
     "\"y\":{\"type\":[\"string\",\"null\"]},\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"z\":{}},"
     "\"$defs\":{\"entity\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"notes\":{\"type\":"
     "\"array\",\"items\":{\"type\":"
     "\"string\"}}},\"required\":[\"name\"]}}}}",
     "add(items: {name: string, notes?: string[]}[], side?: \"buy\"|\"sell\"|3, x?: integer|null, y?: string|null, "
     "tags?: string[], z?: any)"},
};

static void signatures_are_one_line(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(signatures); i++) {
        rein_str line = {0};
        struct json_object *tool = parse(signatures[i].tool);
        OK(rein_tool_signature(&line, tool));
        assert_string_equal(line.data, signatures[i].signature);
        rein_str_deinit(&line);
        json_object_put(tool);
    }
    rein_str line = {0};
    struct json_object *none = parse("{\"title\":\"x\"}");
    FAILS_WITH(REIN_ERR_FORMAT, rein_tool_signature(&line, none));
    json_object_put(none);
    rein_str_deinit(&line);
}

/* Tools with all that a schema may ask for. */
#define TRADE                                                                                                          \
    "{\"name\":\"trade\",\"description\":\"Buy or sell.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"       \
    "\"symbol\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":5},\"side\":{\"enum\":[\"buy\",\"sell\"]},"         \
    "\"n\":{\"type\":\"integer\",\"minimum\":1,\"exclusiveMaximum\":1000},\"limit\":{\"type\":[\"number\",\"null\"]}," \
    "\"legs\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/leg\"},\"maxItems\":2},"                               \
    "\"note\":{\"anyOf\":[{\"type\":\"boolean\"},{\"type\":\"string\",\"maxLength\":3}]}},"                            \
    "\"required\":[\"symbol\",\"n\"],"                                                                                 \
    "\"$defs\":{\"leg\":{\"type\":\"object\",\"properties\":{\"to\":{\"type\":\"string\"},\"at\":{\"type\":"           \
    "\"number\"}},\"required\":[\"to\"]}}}}"
#define LIST "{\"name\":\"list_channels\"}"
#define SEND                                                                                                           \
    "{\"type\":\"function\",\"function\":{\"name\":\"send\",\"parameters\":{\"type\":\"object\",\"properties\":{"      \
    "\"channel\":{\"const\":\"general\"},\"text\":{\"type\":\"string\"}},\"required\":[\"text\"],"                     \
    "\"additionalProperties\":false}}}"
#define LOOSE                                                                                                          \
    "{\"name\":\"loose\",\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"integer\"}},\"additionalProperties\":{"    \
    "\"type\":\"null\"}}}"

static const struct {
    const char *tool, *arguments, *error; /* NULL: they fit */
} checks[] = {
    {TRADE, "{\"symbol\":\"AAPL\",\"n\":3}", NULL},
    {TRADE,
     "{\"n\":3,\"symbol\":\"AAPL\",\"limit\":null,\"legs\":[{\"to\":\"x\",\"at\":1}],\"note\":\"abc\",\"side\":"
     "\"buy\"}",
     NULL},
    {TRADE, "{\"n\":3}", "missing argument 'symbol'; known are: symbol, side, n, limit, legs, note"},
    {TRADE, "{\"symbol\":\"A\",\"n\":\"3\"}", "argument 'n' is \"3\"; it must be of type integer, without quotes"},
    {TRADE, "{\"symbol\":\"A\",\"n\":3.0}", "argument 'n' is 3.0; it must be of type integer"},
    {TRADE, "{\"symbol\":7,\"n\":3}", "argument 'symbol' is 7; it must be of type string"},
    {TRADE, "{\"symbol\":\"A\",\"n\":3,\"limit\":\"x\"}",
     "argument 'limit' is \"x\"; it must be of type number or null"},
    {TRADE, "{\"symbol\":\"A\",\"n\":3,\"side\":\"hold\"}",
     "argument 'side' is \"hold\"; it must be one of \"buy\", \"sell\""},
    {TRADE, "{\"symbol\":\"A\",\"n\":0}", "argument 'n' is 0; it must be at least 1"},
    {TRADE, "{\"symbol\":\"A\",\"n\":1000}", "argument 'n' is 1000; it must be less than 1000"},
    {TRADE, "{\"symbol\":\"\",\"n\":1}", "argument 'symbol' is \"\"; it must be at least 1 characters long"},
    {TRADE, "{\"symbol\":\"AAAAAA\",\"n\":1}", "argument 'symbol' is \"AAAAAA\"; it must be at most 5 characters long"},
    {TRADE, "{\"ticker\":\"A\",\"n\":1}", "unknown argument 'ticker'; known are: symbol, side, n, limit, legs, note"},
    {TRADE, "{\"symbol\":\"A\",\"n\":1,\"legs\":[{\"to\":\"x\"},{\"at\":1}]}",
     "missing argument 'legs[1].to'; known are: to, at"},
    {TRADE, "{\"symbol\":\"A\",\"n\":1,\"legs\":[{\"to\":\"x\",\"at\":\"1\"}]}",
     "argument 'legs[0].at' is \"1\"; it must be of type number, without quotes"},
    {TRADE, "{\"symbol\":\"A\",\"n\":1,\"legs\":[1,2,3]}",
     "argument 'legs' is [1,2,3]; it must be at most 2 items long"},
    {TRADE, "{\"symbol\":\"A\",\"n\":1,\"note\":\"long\"}",
     "argument 'note' is \"long\"; it must be one of the forms "
     "[{\"type\":\"boolean\"},{\"type\":\"string\",\"maxLength\":3}]"},
    {LIST, "{}", NULL},
    {LIST, "{\"x\":1}", "list_channels takes no arguments"},
    {SEND, "{\"text\":\"x\",\"channel\":\"general\"}", NULL},
    {SEND, "{\"text\":\"x\",\"channel\":\"Jos\xc3\xa9\"}",
     "argument 'channel' is \"Jos\xc3\xa9\"; it must be \"general\""},
    {SEND, "{\"text\":\"x\",\"a\\nb\":0}", "unknown argument 'a b'; known are: channel, text"},
    {LOOSE, "{\"a\":1,\"b\":null}", NULL},
    {LOOSE, "{\"b\":1}", "argument 'b' is 1; it must be of type null"},
    {"{\"name\":\"f\",\"inputSchema\":{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}}", "{}",
     NULL}, /* ends, at least */
};

static void arguments_are_checked(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(checks); i++) {
        struct json_object *tool = parse(checks[i].tool), *arguments = parse(checks[i].arguments);
        rein_str error = {0};
        rein_str_puts(&error, "");
        OK(rein_tool_check(&error, tool, arguments));
        assert_string_equal(error.data, checks[i].error ? checks[i].error : "");
        rein_str_deinit(&error);
        json_object_put(tool);
        json_object_put(arguments);
    }
}

/* ---- constrained decoding ---- */

static struct json_object *all_tools(void) { return parse("[" TRADE "," LIST "," SEND "," LOOSE "]"); }

static rein_automaton *open_grammar(rein_toolcall_format format, struct json_object *tools, rein_toolcall_turn turn) {
    rein_str text = {0};
    rein_nfa nfa = {0};
    rein_automaton *a;
    OK(rein_toolcall_grammar(&text, format, tools, turn));
    struct json_object *schema = parse(text.data);
    int32_t from = rein_nfa_state(&nfa), to = rein_nfa_state(&nfa);
    OK(rein_schema_compile(&nfa, from, to, schema));
    OK(rein_automaton_create(&a, &nfa, from, to));
    json_object_put(schema);
    rein_str_deinit(&text);
    return a;
}

static bool admits(rein_automaton *a, const char *text) {
    int32_t state = 0;
    for (; *text; text++) OK(rein_automaton_step(a, &state, (uint8_t)*text));
    return rein_automaton_accepts(a, state);
}

/* A text of the automaton: random bytes, after some time those that close things. */
static void sample(dice *d, rein_automaton *a, rein_str *out) {
    static const char closing[] = "\"})]<>/,: =";
    int32_t state = 0;
    rein_str_clear(out);
    rein_str_puts(out, "");
    while (!rein_automaton_accepts(a, state) || (out->len < 400 && roll(d, 40) > 0)) {
        uint8_t alive[256];
        int n = 0, chosen = -1, closers = 0;
        for (int b = 0; b < 256; b++) {
            int32_t next = state;
            OK(rein_automaton_step(a, &next, (uint8_t)b));
            if (next != REIN_DEAD) alive[n++] = (uint8_t)b;
        }
        if (n == 0) break;
        for (const char *c = closing; *c && out->len > 100; c++)
            if (memchr(alive, *c, (size_t)n) && roll(d, ++closers) == 0) chosen = *c;
        if (chosen < 0 || roll(d, 8) == 0) chosen = alive[roll(d, n)];
        OK(rein_automaton_step(a, &state, (uint8_t)chosen));
        rein_str_putc(out, (char)chosen);
        assert_true(out->len < 20000);
    }
    assert_true(rein_automaton_accepts(a, state));
}

static struct json_object *find_tool(struct json_object *tools, const char *name) {
    for (size_t i = 0; i < json_object_array_length(tools); i++) {
        const char *own;
        OK(rein_tool_name(&own, json_object_array_get_idx(tools, i)));
        if (strcmp(own, name) == 0) return json_object_array_get_idx(tools, i);
    }
    fail_msg("a call of '%s', which is no tool", name);
    return NULL;
}

/* Every call reads, and its arguments fit but for what no automaton keeps: limits of numbers, and in an object whose
 * keys are free that they differ. */
static int64_t check_sampled(rein_toolcall_format format, struct json_object *tools, const rein_str *text) {
    rein_toolcalls calls = {0};
    OK(rein_toolcalls_read(&calls, format, text->data, text->len));
    int64_t n = calls.n;
    for (int64_t i = 0; i < n; i++) {
        rein_str error = {0};
        if (calls.data[i].error && strstr(calls.data[i].error, "is written twice")) continue;
        if (calls.data[i].error) fail_msg("%s\n%s", calls.data[i].error, text->data);
        rein_str_puts(&error, "");
        OK(rein_tool_check(&error, find_tool(tools, calls.data[i].name), calls.data[i].arguments));
        if (error.len && !strstr(error.data, "at least 1") && !strstr(error.data, "less than 1000"))
            fail_msg("%s\n%s", error.data, text->data);
        rein_str_deinit(&error);
    }
    rein_toolcalls_deinit(&calls);
    return n;
}

static void what_grammars_admit_reads(void **state) {
    (void)state;
    struct json_object *tools = all_tools();
    rein_str text = {0};
    for (int f = 0; f < N_FORMAT; f++) {
        for (int kind = 0; kind < 8; kind++) {
            rein_toolcall_turn turn = {.think = kind & 1, .answer = kind & 2, .one = kind & 4};
            rein_automaton *a = open_grammar((rein_toolcall_format)f, tools, turn);
            int64_t most = 0, none = 0;
            for (uint32_t k = 0; k < 60; k++) {
                dice d = {.row = 100000 + k, .draw = (uint32_t)(100000 * (8 * f + kind))};
                sample(&d, a, &text);
                int64_t n = check_sampled((rein_toolcall_format)f, tools, &text);
                if (!turn.answer && n == 0) fail_msg("no call: %s", text.data);
                if (turn.one) assert_true(n <= 1);
                none += n == 0;
                most = n > most ? n : most;
            }
            assert_true(turn.answer || most >= (turn.one ? 1 : 2));
            assert_true(!turn.answer || none > 0);
            rein_automaton_destroy(a);
        }
    }
    rein_str_deinit(&text);
    json_object_put(tools);
}

/* ---- membership ---- */

static const struct {
    const char *name, *arguments;
    bool yes;
} members[] = {
    {"trade", "{\"symbol\":\"AAPL\",\"n\":3}", true},
    {"trade", "{\"symbol\":\"AAPL\",\"side\":\"sell\",\"n\":3,\"legs\":[{\"to\":\"x\",\"at\":1.5}],\"note\":true}",
     true},
    {"trade", "{\"symbol\":\"AAPL\"}", false},
    {"trade", "{\"symbol\":\"AAPL\",\"n\":\"3\"}", false},
    {"trade", "{\"symbol\":\"AAPL\",\"n\":3,\"legs\":[{\"at\":1.5}]}", false},
    {"trade", "{\"symbol\":\"AAPLAAPL\",\"n\":3}", false},
    {"list_channels", "{}", true},
    {"list_channels", "{\"x\":1}", false},
    {"send", "{\"text\":\"</tool_call> \\\"(\"}", true},
    {"send", "{\"channel\":\"general\",\"text\":\"\"}", true},
    {"send", "{\"channel\":\"other\",\"text\":\"\"}", false},
    {"loose", "{}", true},
    {"loose", "{\"a\":1}", true},
    {"other", "{}", false},
};

static void written_calls_are_admitted(void **state) {
    (void)state;
    struct json_object *tools = all_tools();
    rein_str text = {0};
    for (int f = 0; f < N_FORMAT; f++) {
        rein_toolcall_format format = (rein_toolcall_format)f;
        rein_automaton *a = open_grammar(format, tools, (rein_toolcall_turn){0});
        rein_automaton *any = open_grammar(format, tools, (rein_toolcall_turn){.think = true, .answer = true});
        for (size_t i = 0; i < REIN_COUNT(members); i++) {
            struct json_object *arguments = parse(members[i].arguments);
            rein_str_clear(&text);
            OK(rein_toolcall_write(&text, format, members[i].name, arguments));
            if (admits(a, text.data) != members[i].yes) fail_msg("%s: %d expected", text.data, members[i].yes);
            json_object_put(arguments);
        }
        assert_false(admits(a, "The answer is 4."));
        assert_false(admits(a, ""));
        assert_true(admits(any, "The answer is 4."));
        assert_true(admits(any, "<think>\nHm.\n</think>\n\nThe answer is 4."));
        rein_automaton_destroy(a);
        rein_automaton_destroy(any);
    }
    rein_str_deinit(&text);
    json_object_put(tools);
}

/* The same through tokens, as a sampler uses it: any allowed ids until the end token. */
static void sampled_tokens_read(void **state) {
    (void)state;
    static const char *const special[] = {"<end>"};
    const char *text =
        "{\"name\": \"list_channels\", \"parameters\": {}}; {\"name\": \"send\", \"parameters\": {\"text\": \"";
    size_t len = strlen(text);
    const int32_t end = 0;
    rein_bpe_options o = {.vocab_size = 300, .special = special, .n_special = 1, .full_byte_alphabet = true};
    rein_tokenizer *tok;
    rein_grammar *g;
    rein_str tag = {0}, turn = {0};
    struct json_object *tools = all_tools(), *schema;
    int64_t calls = 0;
    OK(rein_tokenizer_train(&tok, &o, &text, &len, 1));
    OK(rein_toolcall_grammar(&tag, REIN_TOOLCALL_LLAMA3, tools, (rein_toolcall_turn){0}));
    schema = parse(tag.data);
    OK(rein_grammar_open_schema(
        &g, schema,
        &(rein_vocabulary){.tokenizer = tok, .V = rein_tokenizer_vocab_size(tok), .end = &end, .n_end = 1}));
    for (uint32_t k = 0; k < 20; k++) {
        dice d = {.row = 200000 + k};
        int32_t at = 0, id = -1;
        rein_str_clear(&turn);
        while (id != end) {
            rein_kept may;
            OK(rein_grammar_allowed(g, at, &may));
            id = may.ids[roll(&d, may.n)];
            OK(rein_grammar_advance(g, &at, id));
            if (id != end) OK(rein_tokenizer_decode(tok, &id, 1, false, &turn));
        }
        calls += check_sampled(REIN_TOOLCALL_LLAMA3, tools, &turn);
    }
    assert_true(calls >= 20);
    rein_grammar_close(g);
    rein_tokenizer_destroy(tok);
    json_object_put(schema);
    json_object_put(tools);
    rein_str_deinit(&tag);
    rein_str_deinit(&turn);
}

static void bad_tools_are_named(void **state) {
    (void)state;
    rein_str text = {0};
    struct json_object *none = parse("[]"), *no_name = parse("[{\"title\":1}]"),
                       *bad_name = parse("[{\"name\":\"a b\"}]");
    struct json_object *bad_key = parse("[{\"name\":\"f\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"two "
                                        "words\":{\"type\":\"string\"}}}}]");
    rein_toolcall_turn turn = {0};
    FAILS_WITH(REIN_ERR_FORMAT, rein_toolcall_grammar(&text, REIN_TOOLCALL_HERMES, none, turn));
    FAILS_WITH(REIN_ERR_FORMAT, rein_toolcall_grammar(&text, REIN_TOOLCALL_HERMES, no_name, turn));
    FAILS_WITH(REIN_ERR_ARG, rein_toolcall_grammar(&text, REIN_TOOLCALL_HERMES, bad_name, turn));
    FAILS_WITH(REIN_ERR_ARG, rein_toolcall_grammar(&text, REIN_TOOLCALL_PLAIN, bad_key, turn));
    assert_non_null(strstr(rein_error_message(), "two words"));
    assert_int_equal(text.len, 0);
    OK(rein_toolcall_grammar(&text, REIN_TOOLCALL_HERMES, bad_key, turn));
    rein_str_deinit(&text);
    json_object_put(none);
    json_object_put(no_name);
    json_object_put(bad_name);
    json_object_put(bad_key);
}

static const char *const bad_tags[] = {
    "{\"type\":\"structural_tag\"}",
    "{\"type\":\"structural_tag\",\"format\":{\"type\":\"any_text\"}}",
    "{\"type\":\"structural_tag\",\"format\":{\"type\":\"const_string\"}}",
    "{\"type\":\"structural_tag\",\"format\":{\"type\":\"sequence\",\"elements\":{}}}",
    "{\"type\":\"structural_tag\",\"format\":{\"type\":\"tag\",\"begin\":\"a\",\"end\":\"b\"}}",
    "{\"type\":\"structural_tag\",\"format\":{\"type\":\"tags_with_separator\",\"tags\":[],\"separator\":\"\"}}",
    "{\"type\":\"structural_tag\",\"format\":{\"type\":\"json_schema\",\"json_schema\":{\"type\":\"structural_tag\"}}}",
    "{\"type\":\"structural_tag\",\"format\":{\"type\":\"json_schema\",\"json_schema\":{\"minimum\":3}}}",
};

static void bad_structural_tags_are_named(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(bad_tags); i++) {
        rein_nfa nfa = {0};
        struct json_object *tag = parse(bad_tags[i]);
        int32_t from = rein_nfa_state(&nfa), to = rein_nfa_state(&nfa);
        if (rein_schema_compile(&nfa, from, to, tag) != REIN_ERR_FORMAT) fail_msg("taken: %s", bad_tags[i]);
        rein_nfa_deinit(&nfa);
        json_object_put(tag);
    }
}

/* ---- memory ---- */

static rein_status use_reader(void *user) {
    static const char text[] =
        "<think>x</think><tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call><tool_call>{</tool_call>";
    rein_toolcalls calls = {0};
    rein_ranges ranges = {0};
    (void)user;
    rein_status status = rein_toolcalls_read(&calls, REIN_TOOLCALL_HERMES, text, sizeof text - 1);
    if (status == REIN_OK) status = rein_toolcall_forced_ranges(&ranges, REIN_TOOLCALL_HERMES, text, sizeof text - 1);
    rein_toolcalls_deinit(&calls);
    rein_ranges_deinit(&ranges);
    return status;
}

static rein_status use_tools(void *user) {
    rein_str text = {0};
    struct json_object *tools = user, *arguments = parse("{\"symbol\":\"A\",\"n\":\"3\"}");
    rein_status status = rein_tool_signature(&text, json_object_array_get_idx(tools, 0));
    if (status == REIN_OK) status = rein_tool_check(&text, json_object_array_get_idx(tools, 0), arguments);
    if (status == REIN_OK) status = rein_toolcall_write(&text, REIN_TOOLCALL_PLAIN, "f", arguments);
    if (status == REIN_OK)
        status = rein_toolcall_grammar(&text, REIN_TOOLCALL_PLAIN, tools, (rein_toolcall_turn){.answer = true});
    rein_str_deinit(&text);
    json_object_put(arguments);
    return status;
}

static void refused_memory_is_an_error(void **state) {
    (void)state;
    struct json_object *tools = all_tools();
    refuse_each_allocation(use_reader, NULL, 4);
    refuse_each_allocation(use_tools, tools, 8);
    json_object_put(tools);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_read_as_written),
        cmocka_unit_test(written_calls_read_back),
        cmocka_unit_test(mutations_are_survived),
        cmocka_unit_test(forced_bytes_are_marks_and_keys),
        cmocka_unit_test(what_would_not_read_back_is_refused),
        cmocka_unit_test(templates_say_their_format),
        cmocka_unit_test(calls_are_written_as_templates_do),
        cmocka_unit_test(signatures_are_one_line),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(what_grammars_admit_reads),
        cmocka_unit_test(written_calls_are_admitted),
        cmocka_unit_test(sampled_tokens_read),
        cmocka_unit_test(bad_tools_are_named),
        cmocka_unit_test(bad_structural_tags_are_named),
        cmocka_unit_test(refused_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
