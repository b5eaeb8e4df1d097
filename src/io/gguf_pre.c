/*
 * The table of pre-tokenizers; see gguf_pre.h. Names are llama.cpp's (src/llama-vocab.cpp), regular expressions those
 * of the models' own tokenizer.json, which llama.cpp quotes beside its rewritten ones.
 */
#include "io/gguf_pre.h"

#include <string.h>

#define BYTE_LEVEL(regex)                                                                                              \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":" regex "}"
#define SPLIT(regex)                                                                                                   \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex                    \
    "\"},\"behavior\":\"Isolated\",\"invert\":false}," BYTE_LEVEL("false") "]}"

/* Regular expressions inside JSON inside C: four backslashes are one. */
#define LLAMA3                                                                                                         \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| "                             \
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define QWEN2                                                                                                          \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| "                                  \
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define TEKKEN                                                                                                         \
    "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]*[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{"  \
    "M}]+|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]+[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\" \
    "\\p{M}]*|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

static const rein_gguf_pre table[] = {
    {"gpt-2|phi-2|olmo|mpt", "null", BYTE_LEVEL("true"), false, false},
    {"smollm|starcoder|refact", "null",
     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true}," BYTE_LEVEL(
         "true") "]}",
     false, false},
    {"llama-bpe|llama3|llama-v3", "null", SPLIT(LLAMA3), true, true},
    {"smaug-bpe|dbrx", "null", SPLIT(LLAMA3), false, false},
    {"qwen2|deepseek-r1-qwen", "{\"type\":\"NFC\"}", SPLIT(QWEN2), false, false},
    {"tekken", "null", SPLIT(TEKKEN), true, true},
};

const rein_gguf_pre *rein_gguf_pre_find(const char *name, size_t len) {
    for (size_t i = 0; i < REIN_COUNT(table); i++) {
        for (const char *p = table[i].names; p;) {
            const char *bar = strchr(p, '|');
            size_t n = bar ? (size_t)(bar - p) : strlen(p);
            if (n == len && memcmp(p, name, n) == 0) return &table[i];
            p = bar ? bar + 1 : NULL;
        }
    }
    return NULL;
}

/* ---- comparing what two pre-tokenizers do ---- */

/* Members that change how text is cut; a pattern is compared as it is written. */
static void put_step(rein_str *out, struct json_object *step) {
    static const char *const members[] = {"add_prefix_space", "behavior", "individual_digits",
                                          "invert",           "pattern",  "use_regex"};
    const char *type = NULL;
    if (json_object_is_type(step, json_type_object))
        type = json_object_get_string(json_object_object_get(step, "type"));
    rein_str_printf(out, "%s(", type ? type : "?");
    for (size_t i = 0; type && i < REIN_COUNT(members); i++) {
        struct json_object *value = NULL;
        if (json_object_object_get_ex(step, members[i], &value))
            rein_str_printf(out, "%s=%s;", members[i], json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        else if (strcmp(type, "ByteLevel") == 0 && strcmp(members[i], "use_regex") == 0)
            rein_str_puts(out, "use_regex=true;"); /* older files have no such member */
    }
    rein_str_putc(out, ')');
}

/* A Sequence of one step and that step cut alike. */
static rein_status describe(rein_str *out, struct json_object *pre) {
    struct json_object *list;
    rein_str_clear(out);
    if (json_object_is_type(pre, json_type_object) && json_object_object_get_ex(pre, "pretokenizers", &list) &&
        json_object_is_type(list, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(list); i++) put_step(out, json_object_array_get_idx(list, i));
    } else {
        put_step(out, pre);
    }
    return rein_str_check(out);
}

rein_status rein_gguf_pre_match(const rein_gguf_pre **out, struct json_object *pre_tokenizer, bool ignore_merges) {
    rein_str wanted = {0}, found = {0};
    struct json_object *entry = NULL;
    rein_status status;
    *out = NULL;
    REIN_TRY_OUT(status, describe(&wanted, pre_tokenizer), out);
    for (size_t i = 0; i < REIN_COUNT(table) && !*out; i++) {
        REIN_TRY_OUT(status,
                     rein_json_parse(&entry, table[i].names, table[i].pre_tokenizer, strlen(table[i].pre_tokenizer)),
                     out);
        status = describe(&found, entry);
        json_object_put(entry);
        if (status != REIN_OK) goto out;
        if (table[i].ignore_merges == ignore_merges && strcmp(wanted.data, found.data) == 0) *out = &table[i];
    }
out:
    rein_str_deinit(&wanted);
    rein_str_deinit(&found);
    return status;
}
