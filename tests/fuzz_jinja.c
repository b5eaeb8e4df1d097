/*
 * libFuzzer: the input up to a NUL byte is a template, the rest (or a fixed conversation) is its context. What renders
 * renders again to the same text (unless it asks the clock), and its `generation` blocks lie inside the text, in order.
 */
#include <string.h>

#include "text/jinja.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fixed[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\" H\\u00e9 <b> \"},"
    "{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1.5}}}]}],"
    "\"tools\":null,\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_generation_prompt\":true,\"n\":7,\"s\":\"a b\"}";

static bool has(const char *text, size_t len, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(text + i, word, n) == 0) return true;
    return false;
}

static void check_ranges(const rein_ranges *r, size_t len) {
    for (int64_t i = 0; i < r->n; i++) {
        REIN_ASSERT(0 <= r->data[i].begin && r->data[i].begin <= r->data[i].end && r->data[i].end <= (int64_t)len);
        REIN_ASSERT(i == 0 || r->data[i - 1].end <= r->data[i].begin);
    }
}

static void use(const rein_jinja *t, struct json_object *context, bool clock) {
    rein_str first = {0}, second = {0};
    rein_ranges ranges = {0};
    if (rein_jinja_render(&first, &ranges, t, context) == REIN_OK) {
        check_ranges(&ranges, first.len);
        REIN_ASSERT(rein_jinja_render(&second, NULL, t, context) == REIN_OK);
        REIN_ASSERT(clock || first.len == second.len);
        REIN_ASSERT(clock || !first.len || memcmp(first.data, second.data, first.len) == 0);
    }
    rein_ranges_deinit(&ranges);
    rein_str_deinit(&first);
    rein_str_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = size ? (const char *)data : "", *nul = size ? memchr(text, '\0', size) : NULL;
    size_t len = nul ? (size_t)(nul - text) : size;
    struct json_object *context;
    rein_jinja *t;
    rein_status status = nul ? rein_json_parse(&context, "fuzz", nul + 1, size - len - 1)
                             : rein_json_parse(&context, "fuzz", fixed, sizeof fixed - 1);
    if (status != REIN_OK) return 0;
    if (json_object_is_type(context, json_type_object) && rein_jinja_parse(&t, "fuzz", text, len) == REIN_OK) {
        use(t, context, has(text, len, "strftime"));
        rein_jinja_destroy(t);
    }
    json_object_put(context);
    return 0;
}
