/* Reward functions that match an answer with a column: as text, as a number, by a regular expression, inside of JSON. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <math.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "reward/internal.h"

#define COLUMN_OPTION(type, def, help)                                                                                 \
    {"column", REIN_OPT_STRING, offsetof(type, column), def, 0, 0, NULL, help, "NAME"}

/* ---- exact_match: the whole answer is the column, white space at the ends aside ---- */

typedef struct exact_config {
    const char *column;
} exact_config;

static const rein_option exact_options[] = {COLUMN_OPTION(exact_config, "answer", "column of the right answer")};

static rein_status exact_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    const exact_config *c = f->config;
    const char *want, *text = a->text;
    size_t n, len = a->len;
    bool missing;
    REIN_TRY(rein_reward_column(&want, &n, &missing, a->row, c->column));
    rein_reward_trim(&want, &n);
    rein_reward_trim(&text, &len);
    *out = missing ? (double)NAN : len == n && memcmp(text, want, n) == 0;
    return REIN_OK;
}

const rein_reward_class rein_reward_exact = {
    .names = "exact_match",
    .judges = REIN_JUDGES_CORRECT,
    .options = exact_options,
    .n_options = (int64_t)REIN_COUNT(exact_options),
    .config_size = sizeof(exact_config),
    .score = exact_score,
};

/* ---- numeric_match: the last number of the answer is the last number of the column ---- */

enum { NUMBER_LENGTH = 64 };

typedef struct numeric_config {
    const char *column;
    double tolerance;
} numeric_config;

static const rein_option numeric_options[] = {
    COLUMN_OPTION(numeric_config, "answer", "column of the right number"),
    {"tolerance", REIN_OPT_FLOAT, offsetof(numeric_config, tolerance), "0", 0, 1e300, NULL,
     "largest difference that still counts as equal", NULL},
};

static bool digit_at(const char *text, size_t len, size_t at) {
    return at < len && isdigit((unsigned char)text[at]);
}

/* Bytes of the number that begins at `at` (a digit, or a point before one). */
static size_t number_length(const char *text, size_t len, size_t at) {
    size_t i = at;
    while (digit_at(text, len, i)) {
        i++;
        bool group = i < len && text[i] == ',' && digit_at(text, len, i + 1) && digit_at(text, len, i + 2) &&
                     digit_at(text, len, i + 3) && !digit_at(text, len, i + 4);
        i += group;
    }
    if (i < len && text[i] == '.' && digit_at(text, len, i + 1)) {
        i++;
        while (digit_at(text, len, i)) i++;
    }
    if (i < len && (text[i] == 'e' || text[i] == 'E')) {
        size_t d = i + 1;
        d += d < len && (text[d] == '-' || text[d] == '+');
        if (digit_at(text, len, d)) {
            i = d;
            while (digit_at(text, len, i)) i++;
        }
    }
    return i - at;
}

bool rein_reward_number_span(const char **number, size_t *n, const char *text, size_t len) {
    *number = NULL;
    for (size_t i = 0; i < len;) {
        if (!digit_at(text, len, i) && !(text[i] == '.' && digit_at(text, len, i + 1))) {
            i++;
            continue;
        }
        size_t length = number_length(text, len, i);
        /* a minus behind a digit, a letter or a bracket subtracts */
        bool minus = i > 0 && text[i - 1] == '-' &&
                     !(i > 1 && (isalnum((unsigned char)text[i - 2]) || strchr(")]}", text[i - 2])));
        *number = text + i - minus;
        *n = length + minus;
        i += length;
    }
    return *number;
}

bool rein_reward_last_number(double *out, const char *text, size_t len) {
    char copy[NUMBER_LENGTH];
    const char *number;
    size_t n = 0, k = 0;
    if (!rein_reward_number_span(&number, &n, text, len)) return false;
    for (size_t i = 0; i < n; i++) {
        if (number[i] == ',') continue;
        if (k + 1 == sizeof copy) return false; /* no number that anyone means has that many digits */
        copy[k++] = number[i];
    }
    copy[k] = '\0';
    *out = strtod(copy, NULL);
    return isfinite(*out);
}

static rein_status numeric_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    const numeric_config *c = f->config;
    const char *want;
    size_t n;
    bool missing;
    double right, said;
    REIN_TRY(rein_reward_column(&want, &n, &missing, a->row, c->column));
    *out = (double)NAN;
    if (missing || !rein_reward_last_number(&right, want, n)) return REIN_OK;
    *out = rein_reward_last_number(&said, a->text, a->len) && fabs(said - right) <= c->tolerance;
    return REIN_OK;
}

const rein_reward_class rein_reward_numeric = {
    .names = "numeric_match",
    .judges = REIN_JUDGES_CORRECT,
    .options = numeric_options,
    .n_options = (int64_t)REIN_COUNT(numeric_options),
    .config_size = sizeof(numeric_config),
    .score = numeric_score,
};

/* ---- regex_match: a Perl-compatible expression (PCRE2, UTF-8, dot matches newline) ---- */

enum { MATCH_LIMIT = 1000000 };

typedef struct regex_config {
    const char *pattern, *column;
} regex_config;

static const rein_option regex_options[] = {
    {"pattern", REIN_OPT_STRING, offsetof(regex_config, pattern), NULL, 0, 0, NULL,
     "expression that must be found; unset: the column holds it", NULL},
    COLUMN_OPTION(regex_config, NULL,
                  "with a pattern: the last match's first group (or the whole match) must be this column's text"),
};

static rein_status compile(pcre2_code **out, const char *pattern, size_t len) {
    int code;
    PCRE2_SIZE at;
    PCRE2_UCHAR message[128];
    *out = pcre2_compile((PCRE2_SPTR)pattern, len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOTALL, &code, &at, NULL);
    if (*out) return REIN_OK;
    pcre2_get_error_message(code, message, sizeof message);
    return rein_fail(REIN_ERR_USAGE, "pattern '%.*s', byte %zu: %s", (int)len, pattern, (size_t)at,
                     (const char *)message);
}

static rein_status regex_open(rein_reward_func *f) {
    const regex_config *c = f->config;
    if (!c->pattern && !c->column)
        return rein_fail(REIN_ERR_USAGE, "reward function %s: give pattern=EXPRESSION or column=NAME", f->name);
    pcre2_code *code;
    if (!c->pattern) return REIN_OK;
    REIN_TRY(compile(&code, c->pattern, strlen(c->pattern)));
    f->state = code;
    return REIN_OK;
}

static void regex_close(rein_reward_func *f) { pcre2_code_free(f->state); }

/* Last match: its first group, or the whole. *begin == PCRE2_UNSET if there is none. *gave_up: the engine's limit. */
static rein_status last_match(size_t *begin, size_t *end, bool *gave_up, const pcre2_code *code,
                              const rein_reward_answer *a) {
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    rein_status status = data && limits ? REIN_OK : rein_fail(REIN_ERR_MEMORY, "out of memory for a regular expression");
    if (limits) pcre2_set_match_limit(limits, MATCH_LIMIT);
    *begin = *end = PCRE2_UNSET;
    for (size_t from = 0; status == REIN_OK && from <= a->len;) {
        int n = pcre2_match(code, (PCRE2_SPTR)a->text, a->len, from, 0, data, limits);
        if (n == PCRE2_ERROR_NOMATCH) break;
        *gave_up = n < 0;
        if (n < 0) break;
        const PCRE2_SIZE *place = pcre2_get_ovector_pointer(data);
        const int group = n > 1 && place[2] != PCRE2_UNSET;
        *begin = place[2 * group];
        *end = place[2 * group + 1];
        from = place[1] > from ? place[1] : from + 1;
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    return status;
}

static rein_status regex_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    const regex_config *c = f->config;
    const char *column = NULL;
    size_t n = 0, begin, end;
    bool missing = false, gave_up = false;
    pcre2_code *own = NULL;
    if (c->column) REIN_TRY(rein_reward_column(&column, &n, &missing, a->row, c->column));
    *out = (double)NAN;
    if (missing) return REIN_OK;
    if (!f->state) REIN_TRY(compile(&own, column, n));
    rein_status status = last_match(&begin, &end, &gave_up, f->state ? f->state : own, a);
    pcre2_code_free(own);
    if (gave_up) return status; /* no reward: it is counted as missing, and one answer cannot end a run */
    *out = begin != PCRE2_UNSET;
    if (f->state && column && *out != 0) {
        const char *said = a->text + begin;
        size_t len = end - begin;
        rein_reward_trim(&said, &len);
        rein_reward_trim(&column, &n);
        *out = len == n && memcmp(said, column, n) == 0;
    }
    return status;
}

const rein_reward_class rein_reward_regex = {
    .names = "regex_match",
    .judges = REIN_JUDGES_CORRECT,
    .options = regex_options,
    .n_options = (int64_t)REIN_COUNT(regex_options),
    .config_size = sizeof(regex_config),
    .open = regex_open,
    .close = regex_close,
    .score = regex_score,
};

/* ---- json_match: a value inside of the JSON that the answer is ---- */

typedef struct json_config {
    const char *path, *column;
} json_config;

static const rein_option json_options[] = {
    {"path", REIN_OPT_STRING, offsetof(json_config, path), "", 0, 0, NULL,
     "place of the value, as a.b[0].c; empty: the whole document", NULL},
    COLUMN_OPTION(json_config, "answer", "column of the right value"),
};

/* The document: what stands between ``` fences, or all of it. */
static void json_text(const char **text, size_t *len) {
    rein_reward_trim(text, len);
    for (size_t i = 0; i + 3 <= *len; i++) {
        if (memcmp(*text + i, "```", 3) != 0) continue;
        size_t from = i + 3;
        while (from < *len && (*text)[from] != '\n') from++;
        for (size_t end = from; end + 3 <= *len; end++) {
            if (memcmp(*text + end, "```", 3) != 0) continue;
            *text += from;
            *len = end - from;
            return;
        }
        return;
    }
}

/* Walk a.b[0].c; NULL (with *found false) if a part is not there. */
static struct json_object *walk(struct json_object *at, const char *path, bool *found) {
    char key[128];
    *found = true;
    while (*path && *found) {
        if (*path == '[') {
            char *end;
            unsigned long i = strtoul(path + 1, &end, 10);
            *found = *end == ']' && json_object_is_type(at, json_type_array) && i < json_object_array_length(at);
            if (*found) at = json_object_array_get_idx(at, i);
            path = *found ? end + 1 : path;
        } else {
            path += *path == '.';
            size_t n = strcspn(path, ".[");
            *found = n > 0 && n < sizeof key;
            if (!*found) break;
            memcpy(key, path, n);
            key[n] = '\0';
            *found = json_object_is_type(at, json_type_object) && json_object_object_get_ex(at, key, &at);
            path += n;
        }
    }
    return *found ? at : NULL;
}

static bool is_number(struct json_object *x) {
    return json_object_is_type(x, json_type_int) || json_object_is_type(x, json_type_double);
}

/* Equal values; a column of text also matches a value whose JSON is that text. */
static bool same_value(struct json_object *said, struct json_object *want) {
    if (is_number(said) && is_number(want)) return !(json_object_get_double(said) != json_object_get_double(want));
    if (json_object_equal(said, want)) return true;
    if (!said || !json_object_is_type(want, json_type_string) || json_object_is_type(said, json_type_string)) return false;
    const char *text = json_object_to_json_string_ext(said, JSON_C_TO_STRING_PLAIN);
    return text && strcmp(text, json_object_get_string(want)) == 0;
}

static rein_status json_score(double *out, const rein_reward_func *f, const rein_reward_answer *a) {
    const json_config *c = f->config;
    const char *unused, *text = a->text;
    size_t n, len = a->len;
    bool missing, found;
    struct json_object *want, *doc;
    REIN_TRY(rein_reward_column(&unused, &n, &missing, a->row, c->column));
    *out = (double)NAN;
    if (missing) return REIN_OK;
    *out = 0;
    json_object_object_get_ex(a->row, c->column, &want);
    json_text(&text, &len);
    if (rein_json_parse(&doc, "answer", text, len) != REIN_OK) return REIN_OK; /* a wrong answer, no error */
    struct json_object *said = walk(doc, c->path, &found);
    *out = found && same_value(said, want);
    json_object_put(doc);
    return REIN_OK;
}

const rein_reward_class rein_reward_json = {
    .names = "json_match",
    .judges = REIN_JUDGES_CORRECT,
    .options = json_options,
    .n_options = (int64_t)REIN_COUNT(json_options),
    .config_size = sizeof(json_config),
    .score = json_score,
};
