/* Lists on the command line of `rein generate`; see generate_lists.h. */
#include "cli/generate_lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static bool is_list(const char *text) {
    size_t len = strlen(text);
    return len >= 2 && text[0] == '[' && text[len - 1] == ']';
}

static rein_status wrong(const char *option, const char *wanted) {
    return rein_fail(REIN_ERR_USAGE, "--%s: expected %s", option, wanted);
}

static rein_status parse(struct json_object **out, const char *option, const char *text) {
    rein_status status = rein_json_parse(out, option, text, strlen(text));
    return status == REIN_ERR_FORMAT ? rein_error_prefix(REIN_ERR_USAGE, "--%s", option) : status;
}

/* ---- texts ---- */

static rein_status one_text(rein_generate_lists *l, const char *option, struct json_object *item, const char **out) {
    char *copy;
    if (!json_object_is_type(item, json_type_string)) return wrong(option, "a text or a JSON list of texts");
    size_t len = (size_t)json_object_get_string_len(item);
    if (len == 0 || memchr(json_object_get_string(item), '\0', len)) return wrong(option, "texts that are not empty, without NUL");
    REIN_TRY(rein_arena_strdup(&l->arena, &copy, json_object_get_string(item), len));
    *out = copy;
    return REIN_OK;
}

rein_status rein_list_texts(rein_generate_lists *l, const char *option, const char *text, const char *const **out,
                            int64_t *n) {
    struct json_object *list = NULL;
    const char **texts;
    rein_status status = REIN_OK;
    *n = 0;
    if (!text) return REIN_OK;
    if (is_list(text)) REIN_TRY(parse(&list, option, text));
    int64_t count = list ? (int64_t)json_object_array_length(list) : 1;
    REIN_TRY_OUT(status, rein_arena_alloc(&l->arena, &texts, (size_t)(count + 1) * sizeof *texts), out);
    *out = texts;
    for (; *n < count; ++*n) {
        if (list)
            REIN_TRY_OUT(status, one_text(l, option, json_object_array_get_idx(list, (size_t)*n), &texts[*n]), out);
        else
            texts[*n] = text;
    }
out:
    json_object_put(list);
    return status;
}

/* ---- ids ---- */

static rein_status json_ids(rein_generate_lists *l, const char *option, struct json_object *list, const int32_t **out,
                            int64_t *n) {
    int32_t *ids;
    *n = (int64_t)json_object_array_length(list);
    REIN_TRY(rein_arena_alloc(&l->arena, &ids, (size_t)(*n + 1) * sizeof *ids));
    for (int64_t i = 0; i < *n; i++) {
        struct json_object *x = json_object_array_get_idx(list, (size_t)i);
        int64_t id = json_object_is_type(x, json_type_int) ? json_object_get_int64(x) : -1;
        if (id < 0 || id > INT32_MAX) return wrong(option, "token ids");
        ids[i] = (int32_t)id;
    }
    *out = ids;
    return REIN_OK;
}

rein_status rein_list_ids(rein_generate_lists *l, const char *option, const char *text, const int32_t **out, int64_t *n) {
    struct json_object *list = NULL;
    rein_str json = {0};
    rein_status status = REIN_OK;
    *n = 0;
    if (!text) return REIN_OK;
    rein_str_printf(&json, is_list(text) ? "%s" : "[%s]", text);
    REIN_TRY_OUT(status, rein_str_check(&json), out);
    REIN_TRY_OUT(status, parse(&list, option, json.data), out);
    status = json_object_is_type(list, json_type_array) ? json_ids(l, option, list, out, n) : wrong(option, "token ids");
out:
    json_object_put(list);
    rein_str_deinit(&json);
    return status;
}

/* ---- phrases ---- */

static rein_status word(rein_generate_lists *l, const char *option, const char *text, size_t len, rein_phrase *out) {
    rein_ids ids = {0};
    int32_t *own = NULL;
    if (!l->tokenizer) return rein_fail(REIN_ERR_USAGE, "--%s: this model has no tokenizer.json; give ids", option);
    rein_status status = rein_tokenizer_encode(l->tokenizer, text, len, &ids);
    if (status == REIN_OK && ids.n == 0) status = wrong(option, "words that are not empty");
    if (status == REIN_OK) status = rein_arena_alloc(&l->arena, &own, (size_t)ids.n * sizeof *own);
    if (status == REIN_OK) {
        memcpy(own, ids.data, (size_t)ids.n * sizeof *own);
        *out = (rein_phrase){own, ids.n, 0};
    }
    rein_ids_deinit(&ids);
    return status;
}

static rein_status word_of(rein_generate_lists *l, const char *option, struct json_object *item, rein_phrase *out) {
    if (json_object_is_type(item, json_type_string))
        return word(l, option, json_object_get_string(item), (size_t)json_object_get_string_len(item), out);
    if (!json_object_is_type(item, json_type_array)) return wrong(option, "texts or lists of ids");
    return json_ids(l, option, item, &out->ids, &out->n);
}

rein_status rein_list_words(rein_generate_lists *l, const char *option, const char *text, const rein_phrase **out,
                            int64_t *n) {
    struct json_object *list = NULL;
    rein_phrase *words;
    rein_status status = REIN_OK;
    *n = 0;
    if (!text) return REIN_OK;
    if (is_list(text)) REIN_TRY(parse(&list, option, text));
    int64_t count = list ? (int64_t)json_object_array_length(list) : 1;
    REIN_TRY_OUT(status, rein_arena_alloc(&l->arena, &words, (size_t)(count + 1) * sizeof *words), out);
    *out = words;
    for (; *n < count && status == REIN_OK; ++*n)
        status = list ? word_of(l, option, json_object_array_get_idx(list, (size_t)*n), &words[*n])
                      : word(l, option, text, strlen(text), &words[*n]);
out:
    json_object_put(list);
    return status;
}

static bool is_number(struct json_object *x) {
    return json_object_is_type(x, json_type_double) || json_object_is_type(x, json_type_int);
}

static rein_status bias_of_id(rein_generate_lists *l, const char *option, const char *key, struct json_object *bias,
                              rein_phrase *out) {
    int32_t *id;
    char *end;
    long number = strtol(key, &end, 10);
    if (end == key || *end || number < 0 || number > INT32_MAX || !is_number(bias))
        return wrong(option, "{\"token id\": bias, ...}");
    REIN_TRY(rein_arena_alloc(&l->arena, &id, sizeof *id));
    *id = (int32_t)number;
    *out = (rein_phrase){id, 1, json_object_get_double(bias)};
    return REIN_OK;
}

static rein_status bias_of_phrase(rein_generate_lists *l, const char *option, struct json_object *pair, rein_phrase *out) {
    struct json_object *ids = NULL, *bias = NULL;
    if (json_object_is_type(pair, json_type_array) && json_object_array_length(pair) == 2) {
        ids = json_object_array_get_idx(pair, 0);
        bias = json_object_array_get_idx(pair, 1);
    }
    if (!json_object_is_type(ids, json_type_array) || !is_number(bias)) return wrong(option, "[[[id, ...], bias], ...]");
    out->bias = json_object_get_double(bias);
    return json_ids(l, option, ids, &out->ids, &out->n);
}

rein_status rein_list_biases(rein_generate_lists *l, const char *option, const char *text, const rein_phrase **out,
                             int64_t *n) {
    struct json_object *doc;
    rein_phrase *bias;
    rein_status status;
    *n = 0;
    if (!text) return REIN_OK;
    REIN_TRY(parse(&doc, option, text));
    bool list = json_object_is_type(doc, json_type_array), object = json_object_is_type(doc, json_type_object);
    int64_t count = list ? (int64_t)json_object_array_length(doc) : object ? json_object_object_length(doc) : 0;
    REIN_TRY_OUT(status, rein_arena_alloc(&l->arena, &bias, (size_t)(count + 1) * sizeof *bias), out);
    *out = bias;
    if (!list && !object) REIN_TRY_OUT(status, wrong(option, "a JSON object or list"), out);
    for (; list && *n < count; ++*n)
        REIN_TRY_OUT(status, bias_of_phrase(l, option, json_object_array_get_idx(doc, (size_t)*n), &bias[*n]), out);
    if (object) {
        json_object_object_foreach(doc, key, value) {
            REIN_TRY_OUT(status, bias_of_id(l, option, key, value, &bias[*n]), out);
            ++*n;
        }
    }
out:
    json_object_put(doc);
    return status;
}

void rein_generate_lists_deinit(rein_generate_lists *l) { rein_arena_deinit(&l->arena); }
