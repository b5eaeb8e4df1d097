/*
 * From template text to tokens, by the rules of Jinja's lexer with trim_blocks (a newline behind a block or comment is
 * cut), lstrip_blocks (blanks before a block or comment that begins a line are cut), and without keep_trailing_newline.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/bytelevel.h"
#include "text/jinja_ast.h"

enum { MAX_BRACKETS = REIN_JINJA_PARSE_DEPTH };

typedef struct lexer {
    rein_jinja *t;
    rein_jtokens *out;
    const char *s; /* the source */
    size_t n, pos;
    int line;
    size_t counted; /* newlines before here are in `line` */
    char brackets[MAX_BRACKETS];
    int depth;
} lexer;

static int line_at(lexer *x, size_t at) {
    for (; x->counted < at; x->counted++) x->line += x->s[x->counted] == '\n';
    return x->line;
}

static rein_status add(lexer *x, int type, size_t begin, size_t end, rein_jtoken **token) {
    rein_jtokens *o = x->out;
    if (o->n == o->cap) {
        int64_t cap = o->cap ? 2 * o->cap : 64;
        REIN_TRY(rein_realloc(&o->data, o->cap, cap, sizeof *o->data));
        o->cap = cap;
    }
    rein_jtoken *made = &o->data[o->n++];
    *made = (rein_jtoken){
        .type = type, .line = line_at(x, begin), .begin = begin, .end = end, .text = x->s + begin, .len = end - begin};
    if (token) *token = made;
    return REIN_OK;
}

static size_t skip_space(const lexer *x, size_t at) {
    size_t size;
    while (at < x->n && rein_jinja_space(x->s + at, x->n - at, &size)) at += size;
    return at;
}

static bool starts(const lexer *x, size_t at, const char *text) {
    size_t len = strlen(text);
    return at <= x->n && x->n - at >= len && memcmp(x->s + at, text, len) == 0;
}

static bool is_sign(const lexer *x, size_t at) { return at < x->n && (x->s[at] == '-' || x->s[at] == '+'); }

/* ---- text between tags ---- */

static size_t strip_right(const lexer *x, size_t begin, size_t end) {
    while (end > begin) {
        size_t last = end - 1, size;
        while (last > begin && ((unsigned char)x->s[last] & 0xc0) == 0x80) last--;
        if (!rein_jinja_space(x->s + last, end - last, &size)) break;
        end = last;
    }
    return end;
}

/* Blanks from the beginning of the line up to the tag. */
static size_t strip_line(const lexer *x, size_t begin, size_t end) {
    size_t l = end;
    while (l > begin && x->s[l - 1] != '\n') l--;
    if (l == begin && begin > 0 && x->s[begin - 1] != '\n') return end;
    return skip_space(x, l) >= end ? l : end;
}

static rein_status add_data(lexer *x, size_t begin, size_t end, char sign, bool variable) {
    if (sign == '-')
        end = strip_right(x, begin, end);
    else if (sign != '+' && !variable)
        end = strip_line(x, begin, end);
    return end > begin ? add(x, REIN_T_DATA, begin, end, NULL) : REIN_OK;
}

/* End of a block tag's text at `at`, with what its sign or trim_blocks cuts behind it; 0 if no end is there. */
static size_t block_end(const lexer *x, size_t at, const char *end) {
    bool minus = starts(x, at, "-"), sign = minus || starts(x, at, "+");
    if (!starts(x, at + sign, end)) return 0;
    at += sign + strlen(end);
    if (minus) return skip_space(x, at);
    return at + (!sign && starts(x, at, "\n"));
}

/* ---- strings and numbers ---- */

static bool read_digits(const char *s, size_t n, int base, int32_t *value) {
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        bool letter = (s[i] >= 'a' && s[i] <= 'f') || (s[i] >= 'A' && s[i] <= 'F');
        int digit = letter ? (s[i] | 0x20) - 'a' + 10 : s[i] - '0';
        if (digit < 0 || digit >= base || (!letter && digit > 9) || *value > 0x7ffffff / 2) return false;
        *value = *value * base + digit;
    }
    return true;
}

/* One escape behind a backslash; 0 if it is malformed. Python keeps the backslash of those it does not know. */
static size_t unescape(rein_str *out, const char *s, size_t n) {
    static const char letters[] = "nrtabfv\\'\"", meant[] = "\n\r\t\a\b\f\v\\'\"";
    char utf8[4];
    int32_t c = 0;
    const char *known = memchr(letters, s[0], sizeof letters - 1);
    if (known) {
        rein_str_putc(out, meant[known - letters]);
        return 1;
    }
    if (s[0] == '\n') return 1;
    size_t digits = s[0] == 'x' ? 2 : s[0] == 'u' ? 4 : s[0] == 'U' ? 8 : 0;
    if (digits) {
        size_t len = digits < n && read_digits(s + 1, digits, 16, &c) ? rein_jinja_utf8(utf8, c) : 0;
        rein_str_append(out, utf8, len);
        return len ? digits + 1 : 0;
    }
    if (s[0] >= '0' && s[0] <= '7') {
        size_t len = 1;
        while (len < 3 && len < n && s[len] >= '0' && s[len] <= '7') len++;
        (void)read_digits(s, len, 8, &c);
        rein_str_append(out, utf8, rein_jinja_utf8(utf8, c));
        return len;
    }
    if (s[0] == 'N') return 0; /* names of characters are not known here */
    rein_str_putc(out, '\\');
    rein_str_putc(out, s[0]);
    return 1;
}

static rein_status add_string(lexer *x, size_t begin, size_t end) {
    rein_jtoken *token;
    rein_str text = {0};
    char *copy;
    REIN_TRY(add(x, REIN_T_STRING, begin, end, &token));
    for (size_t i = begin + 1; i < end - 1;) {
        if (x->s[i] != '\\') {
            rein_str_putc(&text, x->s[i++]);
            continue;
        }
        size_t used = unescape(&text, x->s + i + 1, end - 1 - i - 1);
        if (used == 0) {
            rein_str_deinit(&text);
            return rein_jinja_fail_at(x->t, token->line, "the escape '%.6s' cannot be read", x->s + i);
        }
        i += 1 + used;
    }
    rein_status status = rein_str_check(&text);
    if (status == REIN_OK) status = rein_arena_strdup(&x->t->arena, &copy, text.data ? text.data : "", text.len);
    if (status == REIN_OK) token->text = copy, token->len = text.len;
    rein_str_deinit(&text);
    return status;
}

static rein_status lex_string(lexer *x) {
    size_t at = x->pos + 1;
    while (at < x->n && x->s[at] != x->s[x->pos]) at += x->s[at] == '\\' ? 2 : 1;
    if (at >= x->n) return rein_jinja_fail_at(x->t, line_at(x, x->pos), "a string has no end");
    REIN_TRY(add_string(x, x->pos, at + 1));
    x->pos = at + 1;
    return REIN_OK;
}

static bool is_digit(const lexer *x, size_t at, int base) {
    int32_t c;
    return at < x->n && read_digits(x->s + at, 1, base, &c);
}

/* Digits with single underscores between them, from `at`; the end of them. */
static size_t digits_end(const lexer *x, size_t at, int base) {
    while (is_digit(x, at, base) || (at < x->n && x->s[at] == '_' && is_digit(x, at + 1, base))) at++;
    return at;
}

static size_t float_end(const lexer *x, size_t at) {
    if (at > 0 && x->s[at - 1] == '.') return 0;
    size_t whole = digits_end(x, at, 10), end = whole;
    if (starts(x, whole, ".") && is_digit(x, whole + 1, 10)) end = digits_end(x, whole + 1, 10);
    if (starts(x, end, "e") || starts(x, end, "E")) {
        size_t e = end + 1 + (is_sign(x, end + 1) ? 1 : 0);
        if (is_digit(x, e, 10)) end = digits_end(x, e, 10);
    }
    return end > whole ? end : 0;
}

static rein_status lex_number(lexer *x) {
    char text[64];
    size_t begin = x->pos, end = float_end(x, begin), n = 0;
    rein_jtoken *token;
    int base = 10;
    bool whole = end == 0;
    if (whole) {
        char mark = x->s[begin] == '0' && begin + 1 < x->n ? (char)(x->s[begin + 1] | 0x20) : 0;
        base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
        if (base != 10 && !is_digit(x, begin + 2, base)) base = 10;
        end = digits_end(x, base == 10 ? begin : begin + 2, base);
        if (base == 10 && x->s[begin] == '0') /* leading zeros are no part of a number */
            for (end = begin + 1; starts(x, end, "0");) end++;
    }
    for (size_t i = base == 10 ? begin : begin + 2; i < end; i++)
        if (x->s[i] != '_' && n + 1 < sizeof text) text[n++] = x->s[i];
    text[n] = '\0';
    REIN_TRY(add(x, whole ? REIN_T_INT : REIN_T_FLOAT, begin, end, &token));
    errno = 0;
    if (whole)
        token->i = strtoll(text, NULL, base);
    else
        token->f = strtod(text, NULL);
    if (n + 1 == sizeof text || (whole && errno == ERANGE))
        return rein_jinja_fail_at(x->t, token->line, "the number %.40s... needs more than 64 bits", text);
    x->pos = end;
    return REIN_OK;
}

/* ---- inside of tags ---- */

static rein_status name_end(const lexer *x, size_t *end) {
    size_t at = x->pos, size;
    while (at < x->n) {
        char c = x->s[at];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        size = 1;
        if ((unsigned char)c >= 0x80) {
            (void)rein_utf8_decode(x->s + at, x->n - at, &size);
            REIN_TRY(rein_jinja_match("^\\w$", x->s + at, size, &word));
        }
        if (!word) break;
        at += size;
    }
    *end = at;
    return REIN_OK;
}

static rein_status balance(lexer *x, char c) {
    static const char open[] = "([{", close[] = ")]}";
    const char *found = memchr(open, c, 3);
    int line = line_at(x, x->pos);
    if (found) {
        if (x->depth == MAX_BRACKETS)
            return rein_jinja_fail_at(x->t, line, "brackets are nested deeper than %d levels", MAX_BRACKETS);
        x->brackets[x->depth++] = close[found - open];
    } else if (memchr(close, c, 3)) {
        if (x->depth == 0) return rein_jinja_fail_at(x->t, line, "unexpected '%c'", c);
        char expected = x->brackets[--x->depth];
        if (expected != c) return rein_jinja_fail_at(x->t, line, "unexpected '%c', expected '%c'", c, expected);
    }
    return REIN_OK;
}

static rein_status lex_operator(lexer *x) {
    static const struct {
        const char *text;
        int type;
    } twos[] = {{"**", REIN_T_POW}, {"//", REIN_T_FLOORDIV}, {"==", REIN_T_EQ},
                {"!=", REIN_T_NE},  {">=", REIN_T_GE},       {"<=", REIN_T_LE}};
    char c = x->s[x->pos];
    int type = memchr("+-/*%~[](){}><=.:|,;", c, 20) ? c : 0;
    size_t len = 1;
    for (size_t i = 0; i < REIN_COUNT(twos); i++)
        if (starts(x, x->pos, twos[i].text)) type = twos[i].type, len = 2;
    if (!type || !c) {
        size_t size;
        (void)rein_utf8_decode(x->s + x->pos, x->n - x->pos, &size);
        return rein_jinja_fail_at(x->t, line_at(x, x->pos), "unexpected character '%.*s'", (int)size, x->s + x->pos);
    }
    if (len == 1) REIN_TRY(balance(x, c));
    REIN_TRY(add(x, type, x->pos, x->pos + len, NULL));
    x->pos += len;
    return REIN_OK;
}

static rein_status lex_one(lexer *x) {
    size_t end = x->pos;
    char c = x->s[x->pos];
    if (c >= '0' && c <= '9') return lex_number(x);
    if (c == '\'' || c == '"') return lex_string(x);
    REIN_TRY(name_end(x, &end));
    if (end == x->pos) return lex_operator(x);
    REIN_TRY(add(x, REIN_T_NAME, x->pos, end, NULL));
    x->pos = end;
    return REIN_OK;
}

/* Where the tag's end begins at `at`: the position behind it, else 0. */
static size_t tag_end(const lexer *x, size_t at, bool variable) {
    if (!variable) return block_end(x, at, "%}");
    if (starts(x, at, "-}}")) return skip_space(x, at + 3);
    return starts(x, at, "}}") ? at + 2 : 0;
}

static rein_status lex_tag(lexer *x, bool variable) {
    x->depth = 0;
    for (;;) {
        size_t end = x->depth ? 0 : tag_end(x, x->pos, variable);
        if (end) {
            REIN_TRY(add(x, variable ? REIN_T_VARIABLE_END : REIN_T_BLOCK_END, x->pos, end, NULL));
            x->pos = end;
            return REIN_OK;
        }
        size_t next = skip_space(x, x->pos);
        if (next == x->n) { /* the parser says what is missing */
            x->pos = next;
            return REIN_OK;
        }
        if (next == x->pos)
            REIN_TRY(lex_one(x));
        else
            x->pos = next;
    }
}

/* ---- the template ---- */

static rein_status lex_comment(lexer *x, size_t begin) {
    for (size_t at = x->pos; at < x->n; at++) {
        size_t end = block_end(x, at, "#}");
        if (!end) continue;
        x->pos = end;
        return REIN_OK;
    }
    return rein_jinja_fail_at(x->t, line_at(x, begin), "a comment has no end: '#}' is missing");
}

/* "{% raw %}" at `at`: the position behind it, else 0; `word` is raw or endraw. */
static size_t raw_tag(const lexer *x, size_t at, const char *word, bool trim) {
    if (!starts(x, at, "{%")) return 0;
    at = skip_space(x, at + 2 + (is_sign(x, at + 2) ? 1 : 0));
    if (!starts(x, at, word)) return 0;
    at = skip_space(x, at + strlen(word));
    if (trim) return block_end(x, at, "%}");
    if (starts(x, at, "-%}")) return skip_space(x, at + 3);
    return starts(x, at, "%}") ? at + 2 : 0;
}

static rein_status lex_raw(lexer *x) {
    size_t begin = x->pos;
    for (size_t at = begin; at < x->n; at++) {
        size_t end = x->s[at] == '{' ? raw_tag(x, at, "endraw", true) : 0;
        if (!end) continue;
        REIN_TRY(add_data(x, begin, at, is_sign(x, at + 2) ? x->s[at + 2] : 0, false));
        x->pos = end;
        return REIN_OK;
    }
    return rein_jinja_fail_at(x->t, line_at(x, begin), "a raw block has no end: '{%% endraw %%}' is missing");
}

static rein_status lex_from_tag(lexer *x, size_t tag) {
    char sign = is_sign(x, tag + 2) ? x->s[tag + 2] : 0, type = x->s[tag + 1];
    size_t raw = raw_tag(x, tag, "raw", false);
    REIN_TRY(add_data(x, x->pos, tag, sign, type == '{'));
    x->pos = raw ? raw : tag + 2 + (sign ? 1 : 0);
    if (raw) return lex_raw(x);
    if (type == '#') return lex_comment(x, tag);
    REIN_TRY(add(x, type == '{' ? REIN_T_VARIABLE_BEGIN : REIN_T_BLOCK_BEGIN, tag, x->pos, NULL));
    return lex_tag(x, type == '{');
}

rein_status rein_jinja_lex(rein_jtokens *tokens, rein_jinja *t) {
    lexer x = {.t = t, .out = tokens, .s = t->source, .n = t->len, .line = 1};
    while (x.pos < x.n) {
        size_t tag = x.pos;
        while (tag < x.n && !(x.s[tag] == '{' && tag + 1 < x.n && memchr("%{#", x.s[tag + 1], 3))) tag++;
        if (tag < x.n) {
            REIN_TRY(lex_from_tag(&x, tag));
        } else {
            REIN_TRY(add(&x, REIN_T_DATA, x.pos, x.n, NULL));
            x.pos = x.n;
        }
    }
    return add(&x, REIN_T_END, x.n, x.n, NULL);
}
