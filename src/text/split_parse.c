/* The "pre_tokenizer" of a tokenizer.json into steps; see split.h. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "text/bytelevel.h"
#include "text/split.h"

/* ByteLevel's own regex, from tokenizers' byte_level.rs; GPT-2's pattern. */
static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* Classes of the pre-tokenizers that are written in Rust: its regex crate's \w, char::is_whitespace, is_numeric and
 * is_punctuation, and the marks of ASCII that Unicode calls symbols. */
#define WORDS       "[" REIN_REGEX_RUST_WORD "]+|[^" REIN_REGEX_RUST_WORD "\\s]+"
#define PUNCTUATION "[\\p{P}$+<=>\\^`|~]"

static rein_status add_step(rein_splitter *splitter, rein_split_step step, const char *pattern) {
    if (splitter->n_steps == REIN_SPLIT_MAX_STEPS) {
        rein_regex_destroy(step.regex);
        return rein_fail(REIN_ERR_FORMAT, "more than %d steps", REIN_SPLIT_MAX_STEPS);
    }
    if (pattern) REIN_TRY(rein_regex_compile(&step.regex, pattern, strlen(pattern)));
    splitter->steps[splitter->n_steps++] = step;
    return REIN_OK;
}

static rein_status parse_byte_level(rein_splitter *splitter, struct json_object *obj) {
    bool prefix, use_regex = true; /* older files have no use_regex */
    REIN_TRY(rein_json_bool(&prefix, obj, "add_prefix_space"));
    if (rein_json_has(obj, "use_regex")) REIN_TRY(rein_json_bool(&use_regex, obj, "use_regex"));
    if (prefix) REIN_TRY(add_step(splitter, (rein_split_step){.kind = REIN_SPLIT_PREFIX_SPACE}, NULL));
    if (use_regex) REIN_TRY(add_step(splitter, (rein_split_step){.behavior = REIN_SPLIT_ISOLATED}, gpt2_pattern));
    return add_step(splitter, (rein_split_step){.kind = REIN_SPLIT_BYTE_LEVEL}, NULL);
}

static rein_status parse_digits(rein_splitter *splitter, struct json_object *obj) {
    bool individual;
    REIN_TRY(rein_json_bool(&individual, obj, "individual_digits"));
    rein_split_step step = {.behavior = individual ? REIN_SPLIT_ISOLATED : REIN_SPLIT_CONTIGUOUS};
    return add_step(splitter, step, "\\p{N}");
}

static rein_status parse_behavior(rein_split_behavior *out, struct json_object *obj) {
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const char *name;
    REIN_TRY(rein_json_string(&name, NULL, obj, "behavior"));
    for (size_t i = 0; i < REIN_COUNT(names); i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = (rein_split_behavior)i;
        return REIN_OK;
    }
    return rein_fail(REIN_ERR_FORMAT, "behavior '%s' is not supported", name);
}

static rein_status parse_split(rein_splitter *splitter, struct json_object *obj) {
    rein_split_step step = {0};
    REIN_TRY(parse_behavior(&step.behavior, obj));
    REIN_TRY(rein_json_bool(&step.invert, obj, "invert"));
    REIN_TRY(rein_regex_parse(&step.regex, obj));
    return add_step(splitter, step, NULL);
}

static rein_status parse_punctuation(rein_splitter *splitter, struct json_object *obj) {
    rein_split_step step = {.behavior = REIN_SPLIT_ISOLATED};
    if (rein_json_has(obj, "behavior")) REIN_TRY(parse_behavior(&step.behavior, obj));
    return add_step(splitter, step, PUNCTUATION);
}

static rein_status parse_whitespace(rein_splitter *splitter, struct json_object *obj) {
    (void)obj;
    return add_step(splitter, (rein_split_step){.behavior = REIN_SPLIT_REMOVED, .invert = true}, WORDS);
}

static rein_status parse_whitespace_split(rein_splitter *splitter, struct json_object *obj) {
    (void)obj;
    return add_step(splitter, (rein_split_step){.behavior = REIN_SPLIT_REMOVED}, "\\s");
}

rein_status rein_metaspace_parse(char mark[5], rein_metaspace_prepend *prepend, struct json_object *obj) {
    static const char *const schemes[] = {"always", "first", "never"};
    const char *text, *scheme = "always";
    size_t len, size, i = 0;
    bool add = true;
    REIN_TRY(rein_json_string(&text, &len, obj, "replacement"));
    if (len == 0 || rein_utf8_decode(text, len, &size) <= 0 || size != len)
        return rein_fail(REIN_ERR_FORMAT, "replacement '%s' is not one character", text);
    memcpy(mark, text, size);
    mark[size] = '\0';
    if (rein_json_has(obj, "prepend_scheme")) REIN_TRY(rein_json_string(&scheme, NULL, obj, "prepend_scheme"));
    while (i < REIN_COUNT(schemes) && strcmp(scheme, schemes[i]) != 0) i++;
    if (i == REIN_COUNT(schemes))
        return rein_fail(REIN_ERR_FORMAT, "prepend_scheme '%s' is none of always, first, never", scheme);
    if (rein_json_has(obj, "add_prefix_space"))
        REIN_TRY(rein_json_bool(&add, obj, "add_prefix_space")); /* older files */
    *prepend = add ? (rein_metaspace_prepend)i : REIN_PREPEND_NEVER;
    return REIN_OK;
}

static rein_status parse_metaspace(rein_splitter *splitter, struct json_object *obj) {
    rein_split_step step = {.kind = REIN_SPLIT_METASPACE};
    bool split = true;
    REIN_TRY(rein_metaspace_parse(step.mark, &step.prepend, obj));
    if (rein_json_has(obj, "split")) REIN_TRY(rein_json_bool(&split, obj, "split"));
    REIN_TRY(add_step(splitter, step, NULL));
    if (!split) return REIN_OK;
    char pattern[sizeof step.mark + 1]; /* a character that means something in patterns is ASCII punctuation */
    bool plain = (unsigned char)step.mark[0] >= 0x80 || !ispunct((unsigned char)step.mark[0]);
    snprintf(pattern, sizeof pattern, "%s%s", plain ? "" : "\\", step.mark);
    return add_step(splitter, (rein_split_step){.behavior = REIN_SPLIT_MERGED_WITH_NEXT}, pattern);
}

static rein_status parse_one(rein_splitter *splitter, struct json_object *obj);

/* Sequences may hold Sequences: the depth of a JSON document is limited. */
static rein_status parse_sequence(rein_splitter *splitter, struct json_object *obj) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, "pretokenizers"));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        rein_status status = parse_one(splitter, json_object_array_get_idx(list, i));
        if (status != REIN_OK) return rein_error_prefix(status, "pretokenizers[%zu]", i);
    }
    return REIN_OK;
}

static rein_status parse_one(rein_splitter *splitter, struct json_object *obj) {
    static const struct {
        const char *type;
        rein_status (*parse)(rein_splitter *splitter, struct json_object *obj);
    } known[] = {{"Split", parse_split},
                 {"ByteLevel", parse_byte_level},
                 {"Digits", parse_digits},
                 {"Whitespace", parse_whitespace},
                 {"WhitespaceSplit", parse_whitespace_split},
                 {"Punctuation", parse_punctuation},
                 {"Metaspace", parse_metaspace},
                 {"Sequence", parse_sequence}};
    const char *type;
    REIN_TRY(rein_json_string(&type, NULL, obj, "type"));
    for (size_t i = 0; i < REIN_COUNT(known); i++)
        if (strcmp(type, known[i].type) == 0) return known[i].parse(splitter, obj);
    return rein_fail(REIN_ERR_FORMAT,
                     "type '%s' is not supported (Split, ByteLevel, Digits, Whitespace, WhitespaceSplit, Punctuation, "
                     "Metaspace, Sequence are)",
                     type);
}

rein_status rein_splitter_parse(rein_splitter *splitter, struct json_object *pre_tokenizer) {
    *splitter = (rein_splitter){0};
    if (!pre_tokenizer) return REIN_OK;
    rein_status status = parse_one(splitter, pre_tokenizer);
    if (status == REIN_OK) return REIN_OK;
    rein_splitter_deinit(splitter);
    return rein_error_prefix(status == REIN_ERR_ARG ? REIN_ERR_FORMAT : status, "pre_tokenizer");
}

bool rein_splitter_drop_byte_level(rein_splitter *splitter) {
    int n = splitter->n_steps;
    if (n == 0 || splitter->steps[n - 1].kind != REIN_SPLIT_BYTE_LEVEL) return false;
    splitter->n_steps--;
    return true;
}
