/* Oniguruma patterns on PCRE2; see regex.h. */
#include "text/regex.h"

#include <ctype.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/json.h"
#include "text/bytelevel.h"

/* Oniguruma's \w; among numbers that are no digits only Latin-1's superscripts and fractions are in it */
#define WORD_SET "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\xb2\\xb3\\xb9\\xbc-\\xbe"

/* ---- translation ---- */

typedef struct translation {
    const char *text; /* the pattern */
    size_t len, at;
    rein_str out;
} translation;

static char peek(const translation *t, size_t ahead) { return t->at + ahead < t->len ? t->text[t->at + ahead] : '\0'; }

static rein_status refuse(const translation *t, size_t size, const char *why) {
    size_t left = t->len - t->at;
    return rein_fail(REIN_ERR_ARG, "'%.*s' at offset %zu of the pattern: %s", (int)(size < left ? size : left),
                     t->text + t->at, t->at, why);
}

static void copy(translation *t, size_t size) {
    rein_str_append(&t->out, t->text + t->at, size);
    t->at += size;
}

/* \p{L}, \p{^Lu}, \P{N}: general categories are the same, and so is Alphabetic. \p{Han} is the script (PCRE2's default
 * is its extension). */
static rein_status property(translation *t) {
    const char *name = t->text + t->at + 3, *end = memchr(t->text + t->at, '}', t->len - t->at);
    if (peek(t, 2) != '{' || !end) return refuse(t, 3, "a property is written \\p{Name}");
    rein_str_append(&t->out, t->text + t->at, 3);
    if (name < end && *name == '^') rein_str_putc(&t->out, *name++);
    for (const char *c = name; c < end; c++)
        if (!isalpha((unsigned char)*c) && *c != '_') return refuse(t, 3, "unknown form of a property name");
    size_t size = (size_t)(end - name);
    bool alphabetic = size == 10 && memcmp(name, "Alphabetic", size) == 0;
    if (size > 2 && !alphabetic) rein_str_puts(&t->out, "sc:");
    rein_str_append(&t->out, name, (size_t)(end + 1 - name));
    t->at = (size_t)(end + 1 - t->text);
    return REIN_OK;
}

/* \uHHHH, \xHH below 0x80 (above, Oniguruma means a byte), \x{H...} */
static rein_status code_point(translation *t) {
    size_t digits = peek(t, 1) == 'u' ? 4 : peek(t, 2) == '{' ? 0 : 2;
    const char *first = t->text + t->at + 2 + (digits == 0), *last = first;
    while (last < t->text + t->len && isxdigit((unsigned char)*last) && (!digits || last < first + digits)) last++;
    size_t n = (size_t)(last - first);
    if (n == 0 || (digits && n != digits) || (!digits && (n > 6 || last == t->text + t->len || *last != '}')))
        return refuse(t, 3, "malformed code point");
    if (digits == 2 && *first >= '8') return refuse(t, 4, "write \\x{...} for characters from U+0080 on");
    rein_str_printf(&t->out, "\\x{%.*s}", (int)n, first);
    t->at = (size_t)(last - t->text) + (digits == 0);
    return REIN_OK;
}

/* PCRE2's \b means its own \w. \A, \z and \Z are the same. */
static const char *assertion(char letter) {
    switch (letter) {
    case 'b':
        return "(?:(?<=[" WORD_SET "])(?![" WORD_SET "])|(?<![" WORD_SET "])(?=[" WORD_SET "]))";
    case 'B':
        return "(?:(?<=[" WORD_SET "])(?=[" WORD_SET "])|(?<![" WORD_SET "])(?![" WORD_SET "]))";
    case 'A':
        return "\\A";
    case 'z':
        return "\\z";
    case 'Z':
        return "\\Z";
    default:
        return NULL;
    }
}

static rein_status escape(translation *t, bool in_class) {
    const char *replacement = in_class ? NULL : assertion(peek(t, 1));
    switch (peek(t, 1)) {
    case 'p':
    case 'P':
        return property(t);
    case 'x':
    case 'u':
        return code_point(t);
    case 's':
        replacement = "\\p{White_Space}";
        break;
    case 'S':
        replacement = "\\P{White_Space}";
        break;
    case 'd':
        replacement = "\\p{Nd}";
        break;
    case 'D':
        replacement = "\\P{Nd}";
        break;
    case 'w':
        replacement = in_class ? WORD_SET : "[" WORD_SET "]";
        break;
    case 'W':
        replacement = in_class ? NULL : "[^" WORD_SET "]";
        break;
    default:
        if (replacement || (!ispunct((unsigned char)peek(t, 1)) && !strchr(" nrtf", peek(t, 1)))) break;
        if (t->at + 1 == t->len) break;
        copy(t, 2);
        return REIN_OK;
    }
    if (!replacement) return refuse(t, 2, "this escape is not supported here");
    rein_str_puts(&t->out, replacement);
    t->at += 2;
    return REIN_OK;
}

static rein_status class(translation *t) {
    copy(t, 1);
    if (peek(t, 0) == '^') copy(t, 1);
    if (peek(t, 0) == ']') return refuse(t, 1, "write \\] inside a class");
    while (t->at < t->len && peek(t, 0) != ']') {
        if (peek(t, 0) == '[')
            return refuse(t, 1, "a class inside a class is not supported; write \\[ for the character");
        if (peek(t, 0) == '&' && peek(t, 1) == '&') return refuse(t, 2, "intersection of classes is not supported");
        if (peek(t, 0) == '\\')
            REIN_TRY(escape(t, true));
        else
            copy(t, 1);
    }
    if (t->at == t->len) return refuse(t, 0, "class without end");
    copy(t, 1);
    return REIN_OK;
}

static rein_status group(translation *t) {
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:"};
    if (peek(t, 1) == '*') return refuse(t, 2, "nothing to repeat");
    if (peek(t, 1) != '?') {
        copy(t, 1);
        return REIN_OK;
    }
    for (size_t i = 0; i < REIN_COUNT(known); i++) {
        size_t size = strlen(known[i]);
        if (t->len - t->at < size || memcmp(t->text + t->at, known[i], size) != 0) continue;
        copy(t, size);
        return REIN_OK;
    }
    return refuse(t, 3, "this group is not supported");
}

/* {n}, {n,}, {n,m}. What follows must be no quantifier: Oniguruma reads {n,m}+ and {n}? as nested ones. */
static rein_status repeat(translation *t) {
    size_t i = 1;
    while (isdigit((unsigned char)peek(t, i))) i++;
    size_t digits = i - 1;
    if (peek(t, i) == ',') i++;
    while (isdigit((unsigned char)peek(t, i))) i++;
    if (digits == 0 || peek(t, i) != '}') return refuse(t, i + 1, "write {n}, {n,} or {n,m}, or \\{ for the character");
    i++;
    if (peek(t, i) && strchr("+?*{", peek(t, i))) return refuse(t, i + 1, "a quantifier after {...} is not supported");
    copy(t, i);
    return REIN_OK;
}

static rein_status translate(translation *t) {
    while (t->at < t->len) {
        switch (peek(t, 0)) {
        case '\\':
            REIN_TRY(escape(t, false));
            break;
        case '[':
            REIN_TRY(class(t));
            break;
        case '(':
            REIN_TRY(group(t));
            break;
        case '{':
            REIN_TRY(repeat(t));
            break;
        case '^':
        case '$': /* of lines, as always in Oniguruma */
            rein_str_printf(&t->out, "(?m:%c)", peek(t, 0));
            t->at++;
            break;
        default:
            copy(t, 1);
        }
    }
    REIN_TRY(rein_str_check(&t->out));
    return REIN_OK;
}

/* ---- compiling and matching ---- */

struct rein_regex {
    pcre2_code *code;
    bool jit;
};

struct rein_regex_scratch {
    pcre2_match_data *data;
};

static rein_status compile(pcre2_code **out, const rein_str *pattern) {
    int error;
    size_t offset;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) return rein_fail(REIN_ERR_MEMORY, "out of memory");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    *out = pcre2_compile((PCRE2_SPTR)(pattern->len ? pattern->data : ""), pattern->len, PCRE2_UTF | PCRE2_UCP, &error,
                         &offset, context);
    pcre2_compile_context_free(context);
    if (!*out) {
        char message[256];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        return rein_fail(REIN_ERR_ARG, "pattern '%s': %s at offset %zu", pattern->data, message, offset);
    }
    return REIN_OK;
}

rein_status rein_regex_compile(rein_regex **out, const char *pattern, size_t len) {
    translation t = {.text = pattern, .len = len};
    rein_regex *regex = NULL;
    rein_status status;
    if (len == 0) return rein_fail(REIN_ERR_ARG, "empty pattern");
    if (memchr(pattern, '\0', len) || rein_utf8_valid_length(pattern, len) != len)
        return rein_fail(REIN_ERR_ARG, "the pattern is not UTF-8 text");
    REIN_TRY_OUT(status, translate(&t), out);
    REIN_TRY_OUT(status, rein_alloc(&regex, 1, sizeof *regex), out);
    REIN_TRY_OUT(status, compile(&regex->code, &t.out), out);
    regex->jit = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
    *out = regex;
    regex = NULL;
out:
    rein_regex_destroy(regex);
    rein_str_deinit(&t.out);
    return status;
}

void rein_regex_destroy(rein_regex *regex) {
    if (!regex) return;
    pcre2_code_free(regex->code);
    rein_free(regex);
}

rein_status rein_regex_scratch_create(rein_regex_scratch **out) {
    rein_regex_scratch *scratch;
    REIN_TRY(rein_alloc(&scratch, 1, sizeof *scratch));
    scratch->data = pcre2_match_data_create(1, NULL);
    if (!scratch->data) {
        rein_free(scratch);
        return rein_fail(REIN_ERR_MEMORY, "out of memory");
    }
    *out = scratch;
    return REIN_OK;
}

void rein_regex_scratch_destroy(rein_regex_scratch *scratch) {
    if (!scratch) return;
    pcre2_match_data_free(scratch->data);
    rein_free(scratch);
}

rein_status rein_regex_find(rein_regex_match *out, const rein_regex *regex, rein_regex_scratch *scratch,
                            const char *text, size_t len, size_t from) {
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    int n = PCRE2_ERROR_JIT_STACKLIMIT;
    if (regex->jit) n = pcre2_jit_match(regex->code, subject, len, from, PCRE2_NO_UTF_CHECK, scratch->data, NULL);
    /* the JIT's stack is small and fixed; the interpreter backtracks on the heap, and serves machines without JIT */
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(regex->code, subject, len, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch->data, NULL);
    if (n < 0 && n != PCRE2_ERROR_NOMATCH) {
        char message[256];
        pcre2_get_error_message(n, (PCRE2_UCHAR *)message, sizeof message);
        return rein_fail(REIN_ERR_ARG, "splitting a text of %zu bytes at byte %zu: %s", len, from, message);
    }
    const size_t *ovector = pcre2_get_ovector_pointer(scratch->data);
    *out = (rein_regex_match){.found = n >= 0};
    if (n >= 0) out->begin = ovector[0], out->end = ovector[1];
    return REIN_OK;
}

rein_status rein_regex_next(rein_regex_match *out, const rein_regex *regex, rein_regex_scratch *scratch,
                            const char *text, size_t len, rein_regex_walk *walk) {
    while (walk->from <= len) {
        REIN_TRY(rein_regex_find(out, regex, scratch, text, len, walk->from));
        if (!out->found) return REIN_OK;
        bool again = out->begin == out->end && walk->any && out->end == walk->done;
        walk->from = out->end;
        if (out->begin == out->end) { /* step over one character before the next search */
            do walk->from++;
            while (walk->from < len && ((unsigned char)text[walk->from] & 0xc0) == 0x80);
        }
        walk->done = out->end;
        walk->any = true;
        if (!again) return REIN_OK;
    }
    out->found = false;
    return REIN_OK;
}

/* ---- from a tokenizer.json ---- */

/* A plain string as a pattern: every punctuation mark escaped. */
static rein_status quote(rein_str *out, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] > ' ' && strchr("\\^$.[]|()?*+{}-", text[i])) rein_str_putc(out, '\\');
        rein_str_putc(out, text[i]);
    }
    REIN_TRY(rein_str_check(out));
    return REIN_OK;
}

rein_status rein_regex_parse(rein_regex **out, struct json_object *obj) {
    struct json_object *pattern;
    const char *text;
    size_t len;
    rein_str quoted = {0};
    rein_status status;
    REIN_TRY(rein_json_object(&pattern, obj, "pattern"));
    if (rein_json_has(pattern, "Regex")) {
        REIN_TRY(rein_json_string(&text, &len, pattern, "Regex"));
        return rein_regex_compile(out, text, len);
    }
    REIN_TRY(rein_json_string(&text, &len, pattern, "String"));
    if (len == 0) return rein_fail(REIN_ERR_FORMAT, "pattern.String is empty");
    REIN_TRY_OUT(status, quote(&quoted, text, len), out);
    REIN_TRY_OUT(status, rein_regex_compile(out, quoted.data, quoted.len), out);
out:
    rein_str_deinit(&quoted);
    return status;
}
