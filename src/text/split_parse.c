/* The "pre_tokenizer" of a tokenizer.json into steps; see split.h. */
#include <string.h>

#include "base/json.h"
#include "text/split.h"

/* ByteLevel's own regex, from tokenizers' byte_level.rs; GPT-2's pattern. */
static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static rein_status add_step(rein_splitter *splitter, rein_split_step step, const char *pattern, size_t len) {
    if (splitter->n_steps == REIN_SPLIT_MAX_STEPS)
        return rein_fail(REIN_ERR_FORMAT, "more than %d steps", REIN_SPLIT_MAX_STEPS);
    if (pattern) REIN_TRY(rein_regex_compile(&step.regex, pattern, len));
    splitter->steps[splitter->n_steps++] = step;
    return REIN_OK;
}

static rein_status add_isolated(rein_splitter *splitter, const char *pattern) {
    REIN_TRY(add_step(splitter, (rein_split_step){.behavior = REIN_SPLIT_ISOLATED}, pattern, strlen(pattern)));
    return REIN_OK;
}

static rein_status parse_byte_level(rein_splitter *splitter, struct json_object *obj) {
    bool prefix, use_regex = true; /* older files have no use_regex */
    REIN_TRY(rein_json_bool(&prefix, obj, "add_prefix_space"));
    if (rein_json_has(obj, "use_regex")) REIN_TRY(rein_json_bool(&use_regex, obj, "use_regex"));
    if (prefix) REIN_TRY(add_step(splitter, (rein_split_step){0}, NULL, 0));
    if (use_regex) REIN_TRY(add_isolated(splitter, gpt2_pattern));
    return REIN_OK;
}

static rein_status parse_digits(rein_splitter *splitter, struct json_object *obj) {
    bool individual;
    REIN_TRY(rein_json_bool(&individual, obj, "individual_digits"));
    rein_split_step step = {.behavior = individual ? REIN_SPLIT_ISOLATED : REIN_SPLIT_CONTIGUOUS};
    REIN_TRY(add_step(splitter, step, "\\p{N}", 5));
    return REIN_OK;
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

/* A plain string as a pattern: every punctuation mark escaped. */
static rein_status quote(rein_str *out, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] > ' ' && strchr("\\^$.[]|()?*+{}-", text[i])) rein_str_putc(out, '\\');
        rein_str_putc(out, text[i]);
    }
    REIN_TRY(rein_str_check(out));
    return REIN_OK;
}

static rein_status parse_split(rein_splitter *splitter, struct json_object *obj) {
    struct json_object *pattern;
    const char *text;
    size_t len;
    rein_str quoted = {0};
    rein_split_step step = {0};
    rein_status status;
    REIN_TRY(parse_behavior(&step.behavior, obj));
    REIN_TRY(rein_json_bool(&step.invert, obj, "invert"));
    REIN_TRY(rein_json_object(&pattern, obj, "pattern"));
    if (rein_json_has(pattern, "Regex")) {
        REIN_TRY(rein_json_string(&text, &len, pattern, "Regex"));
        REIN_TRY(add_step(splitter, step, text, len));
        return REIN_OK;
    }
    REIN_TRY(rein_json_string(&text, &len, pattern, "String"));
    if (len == 0) return rein_fail(REIN_ERR_FORMAT, "pattern.String is empty");
    REIN_TRY_OUT(status, quote(&quoted, text, len), out);
    REIN_TRY_OUT(status, add_step(splitter, step, quoted.data, quoted.len), out);
out:
    rein_str_deinit(&quoted);
    return status;
}

/* One step that is no Sequence; *done is set by the ByteLevel, after which nothing may come. */
static rein_status parse_one(rein_splitter *splitter, struct json_object *obj, bool *done) {
    const char *type;
    REIN_TRY(rein_json_string(&type, NULL, obj, "type"));
    if (*done) return rein_fail(REIN_ERR_FORMAT, "'%s' after ByteLevel is not supported", type);
    if (strcmp(type, "Split") == 0) {
        REIN_TRY(parse_split(splitter, obj));
    } else if (strcmp(type, "Digits") == 0) {
        REIN_TRY(parse_digits(splitter, obj));
    } else if (strcmp(type, "ByteLevel") == 0) {
        REIN_TRY(parse_byte_level(splitter, obj));
        *done = true;
    } else {
        return rein_fail(REIN_ERR_FORMAT,
                         "type '%s' is not supported here (ByteLevel, Split, Digits, or one Sequence of them)", type);
    }
    return REIN_OK;
}

static rein_status parse_sequence(rein_splitter *splitter, struct json_object *obj, bool *done) {
    struct json_object *list;
    REIN_TRY(rein_json_array(&list, obj, "pretokenizers"));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        rein_status status = parse_one(splitter, json_object_array_get_idx(list, i), done);
        if (status != REIN_OK) return rein_error_prefix(status, "pretokenizers[%zu]", i);
    }
    return REIN_OK;
}

rein_status rein_splitter_parse(rein_splitter *splitter, struct json_object *pre_tokenizer) {
    const char *type;
    bool done = false;
    rein_status status;
    *splitter = (rein_splitter){0};
    REIN_TRY_OUT(status, rein_json_string(&type, NULL, pre_tokenizer, "type"), fail);
    bool sequence = strcmp(type, "Sequence") == 0;
    REIN_TRY_OUT(status, (sequence ? parse_sequence : parse_one)(splitter, pre_tokenizer, &done), fail);
    if (done) return REIN_OK;
    status = rein_fail(REIN_ERR_FORMAT, "no ByteLevel step: only byte-level tokenizers are supported");
fail:
    rein_splitter_deinit(splitter);
    return rein_error_prefix(status == REIN_ERR_ARG ? REIN_ERR_FORMAT : status, "pre_tokenizer");
}
