/* The audit of a dataset; see audit.h. */
#include "io/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "io/jsonl.h"
#include "io/row.h"

enum { PROMPT, WHOLE, KEYS };

/* A row that was read: hashes of what it asks and of all of it, and of its answer. */
typedef struct entry {
    uint64_t key[KEYS], answer;
    int64_t line;
    bool labelled;
} entry;

/* Rows of one file, in order; for each kind of key a table of the first row that has it. */
typedef struct side {
    entry *row; /* (n) */
    int64_t n;
    int64_t *table[KEYS]; /* (mask + 1) row + 1, 0: free */
    uint64_t mask;
} side;

typedef struct auditor {
    rein_audit *out;
    const rein_audit_options *o;
    const char *path;
} auditor;

static void note(auditor *a, int fact, int64_t line, const char *why) {
    rein_audit_fact *f = &a->out->fact[fact];
    if (f->n++ > 0) return;
    if (fact == REIN_AUDIT_BROKEN) /* the message names the place */
        snprintf(f->first, sizeof f->first, "%s", why);
    else
        snprintf(f->first, sizeof f->first, "%s:%lld: %s", a->path, (long long)line, why);
}

/* ---- one row ---- */

static rein_status hash_json(uint64_t *out, struct json_object *value) {
    char hex[REIN_XXH_HEX];
    size_t len;
    const char *text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &len);
    if (!text) return rein_fail(REIN_ERR_MEMORY, "out of memory for a row");
    rein_xxh3_hex(hex, text, len);
    hex[16] = '\0';
    *out = strtoull(hex, NULL, 16);
    return REIN_OK;
}

static rein_status hash_answer(uint64_t *out, struct json_object *json) {
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(json, "solution", &value)) json_object_object_get_ex(json, "answer", &value);
    *out = 0;
    return value ? hash_json(out, value) : REIN_OK;
}

/* Text of one column or of the contents of messages, as tokens. */
static rein_status count_value(int64_t *n, const rein_tokenizer *tok, struct json_object *value) {
    struct json_object *content;
    rein_ids ids = {0};
    rein_status status = REIN_OK;
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value) && status == REIN_OK; i++)
            if (json_object_object_get_ex(json_object_array_get_idx(value, i), "content", &content) && content)
                status = count_value(n, tok, content); /* a text: one level deep */
        return status;
    }
    if (!json_object_is_type(value, json_type_string)) return REIN_OK;
    status = rein_tokenizer_encode(tok, json_object_get_string(value), (size_t)json_object_get_string_len(value), &ids);
    *n += ids.n;
    rein_ids_deinit(&ids);
    return status;
}

static rein_status count_chat(int64_t *n, const rein_audit_options *o, const rein_row *row) {
    struct json_object *all = NULL, *said = row->kind == REIN_ROW_MESSAGES ? row->messages : row->prompt;
    rein_ids ids = {0};
    rein_str mask = {0};
    if (row->completion) {
        REIN_TRY(rein_messages_join(&all, row->prompt, row->completion));
        said = all;
    }
    rein_status status = rein_chat_encode(&ids, &mask, o->chat, o->tokenizer, said, row->tools,
                                          row->kind == REIN_ROW_PROMPT, NULL);
    *n = ids.n;
    rein_ids_deinit(&ids);
    rein_str_deinit(&mask);
    json_object_put(all);
    return status;
}

static rein_status count_tokens(int64_t *n, const rein_audit_options *o, const rein_row *row) {
    struct json_object *const parts[] = {row->text, row->messages, row->prompt, row->completion, row->chosen, row->rejected};
    *n = 0;
    if (row->chat && o->chat && row->kind != REIN_ROW_PREFERENCE) return count_chat(n, o, row);
    for (size_t i = 0; i < REIN_COUNT(parts); i++)
        if (parts[i]) REIN_TRY(count_value(n, o->tokenizer, parts[i]));
    return REIN_OK;
}

static rein_status check_length(auditor *a, const rein_row *row, int64_t line) {
    int64_t n;
    char why[64];
    if (!a->o->tokenizer) return REIN_OK;
    rein_status status = count_tokens(&n, a->o, row);
    if (status == REIN_ERR_FORMAT || status == REIN_ERR_ARG) { /* the template or the tokenizer refuses it */
        note(a, REIN_AUDIT_FORMAT, line, rein_error_message());
        return REIN_OK;
    }
    snprintf(why, sizeof why, "%lld tokens", (long long)n);
    if (status == REIN_OK && n > a->o->max_length) note(a, REIN_AUDIT_TOO_LONG, line, why);
    return status;
}

static rein_status read_row(auditor *a, side *s, struct json_object *json, int64_t line) {
    rein_row row;
    entry *e = &s->row[s->n];
    rein_status status = rein_row_read(&row, json);
    if (status == REIN_ERR_FORMAT) {
        note(a, REIN_AUDIT_FORMAT, line, rein_error_message());
        return REIN_OK;
    }
    REIN_TRY(status);
    e->line = line;
    REIN_TRY_OUT(status, rein_row_key(&e->key[PROMPT], &row), out);
    REIN_TRY_OUT(status, hash_answer(&e->answer, json), out);
    REIN_TRY_OUT(status, hash_json(&e->key[WHOLE], json), out);
    REIN_TRY_OUT(status, check_length(a, &row, line), out);
    e->labelled = rein_json_has(json, "controls");
    a->out->labelled += e->labelled;
    s->n++;
out:
    rein_row_deinit(&row);
    return status;
}

/* ---- a file ---- */

/* The table's place of a key: its first row, or where that would stand. */
static int64_t *find(const side *s, int kind, uint64_t key) {
    int64_t *table = s->table[kind];
    uint64_t at = key & s->mask;
    while (table[at] && s->row[table[at] - 1].key[kind] != key) at = (at + 1) & s->mask;
    return &table[at];
}

/* The first row of the side with row i's key, which may be row i itself. */
static const entry *first_with(side *s, int kind, int64_t i) {
    int64_t *place = find(s, kind, s->row[i].key[kind]);
    if (*place == 0) *place = i + 1;
    return &s->row[*place - 1];
}

/* Rows against earlier ones of their own file. */
static void compare_inside(auditor *a, side *s, bool train) {
    for (int64_t i = 0; i < s->n; i++) {
        const entry *e = &s->row[i], *asked = first_with(s, PROMPT, i), *same = first_with(s, WHOLE, i);
        char why[64];
        snprintf(why, sizeof why, "as line %lld", (long long)(same != e ? same : asked)->line);
        if (!train && asked != e) note(a, REIN_AUDIT_REPEATED_EVAL, e->line, why);
        if (train && same != e && !e->labelled) note(a, REIN_AUDIT_REPEATED_TRAIN, e->line, why);
        snprintf(why, sizeof why, "as line %lld", (long long)asked->line);
        if (e->answer != asked->answer) note(a, REIN_AUDIT_CONFLICTING, e->line, why);
    }
}

static rein_status read_side(auditor *a, side *s, const char *path, bool train) {
    rein_jsonl *file;
    uint64_t size = 2;
    rein_status status;
    a->path = path;
    REIN_TRY(rein_jsonl_open(&file, path));
    const int64_t n = rein_jsonl_count(file);
    while (size < 2 * (uint64_t)n) size *= 2;
    s->mask = size - 1;
    REIN_TRY_OUT(status, rein_alloc(&s->row, n, sizeof *s->row), out);
    for (int k = 0; k < KEYS; k++) REIN_TRY_OUT(status, rein_alloc(&s->table[k], (int64_t)size, sizeof **s->table), out);
    for (int64_t i = 0; i < n; i++) {
        struct json_object *json;
        int64_t line = rein_jsonl_line(file, i);
        if (rein_jsonl_row(&json, file, i) != REIN_OK) {
            note(a, REIN_AUDIT_BROKEN, line, rein_error_message());
            continue;
        }
        status = read_row(a, s, json, line);
        json_object_put(json);
        REIN_TRY_OUT(status, status, out);
    }
    compare_inside(a, s, train);
    *(train ? &a->out->train : &a->out->eval) = n;
    status = REIN_OK;
out:
    rein_jsonl_close(file);
    return status;
}

static void compare_sides(auditor *a, const side *train, const side *eval) {
    char why[64];
    for (int64_t i = 0; i < eval->n; i++) {
        const int64_t *place = find(train, PROMPT, eval->row[i].key[PROMPT]);
        if (*place == 0) continue;
        snprintf(why, sizeof why, "its prompt is line %lld of train", (long long)train->row[*place - 1].line);
        note(a, REIN_AUDIT_SHARED, eval->row[i].line, why);
    }
}

static void side_deinit(side *s) {
    rein_free(s->row);
    for (int k = 0; k < KEYS; k++) rein_free(s->table[k]);
}

rein_status rein_audit_rows(rein_audit *out, const char *train, const char *eval, const rein_audit_options *options) {
    side one = {0}, two = {0};
    *out = (rein_audit){0};
    auditor a = {.out = out, .o = options};
    rein_status status;
    REIN_TRY_OUT(status, read_side(&a, &one, train, true), out);
    if (eval) {
        REIN_TRY_OUT(status, read_side(&a, &two, eval, false), out);
        compare_sides(&a, &one, &two);
    }
out:
    side_deinit(&one);
    side_deinit(&two);
    return status;
}

const char *rein_audit_name(int fact) {
    static const char *const names[REIN_AUDIT_FACTS] = {"broken",         "bad_format",    "shared_prompts",
                                                        "repeated_train", "repeated_eval", "conflicting",
                                                        "too_long"};
    return names[fact];
}

const char *rein_audit_meaning(int fact) {
    static const char *const meanings[REIN_AUDIT_FACTS] = {
        "lines that are no JSON object",
        "rows with wrong columns, roles or contents",
        "held-out prompts that train has too",
        "training rows that are there twice",
        "held-out prompts that occur again",
        "rows with an earlier row's prompt and another answer",
        "rows of more tokens than max_length"};
    return meanings[fact];
}
