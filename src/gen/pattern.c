/* Regular expressions, by recursive descent that adds to an automaton as it reads; see pattern.h. */
#include "gen/pattern.h"

#include <string.h>

#include "gen/charset.h"
#include "text/bytelevel.h"

enum { MAX_DEPTH = 64, MAX_REPEAT = 1 << 20, NO_LIMIT = -1 };

typedef struct parser {
    rein_nfa *nfa;
    const char *text;
    size_t len, at;
    rein_pattern_form form;
    int depth;
} parser;

static rein_status refuse(const parser *p, size_t at, const char *what) {
    return rein_fail(REIN_ERR_ARG, "pattern, offset %zu ('%.*s'): %s", at, (int)(p->len - at < 12 ? p->len - at : 12),
                     p->text + at, what);
}

static bool peek(const parser *p, char c) { return p->at < p->len && p->text[p->at] == c; }

static bool take(parser *p, char c) {
    bool found = peek(p, c);
    p->at += found;
    return found;
}

static void add_chars(parser *p, int32_t from, int32_t to, const rein_charset *set) {
    if (p->form == REIN_PATTERN_JSON)
        rein_nfa_json_chars(p->nfa, from, to, set);
    else
        rein_nfa_chars(p->nfa, from, to, set);
}

/* ---- one character or class ---- */

static int hex_value(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static rein_status hex_digits(parser *p, int n, int32_t *out) {
    *out = 0;
    for (int i = 0; i < n; i++, p->at++) {
        int digit = p->at < p->len ? hex_value(p->text[p->at]) : -1;
        if (digit < 0) return refuse(p, p->at, "a hexadecimal digit should be here");
        *out = *out << 4 | digit;
    }
    return REIN_OK;
}

static rein_status unicode_escape(parser *p, int32_t *out) {
    size_t begin = p->at;
    if (take(p, '{')) {
        int32_t digit;
        for (*out = 0; !take(p, '}');) {
            REIN_TRY(hex_digits(p, 1, &digit));
            *out = *out << 4 | digit;
            if (*out > REIN_CHAR_MAX) return refuse(p, begin, "no such character");
        }
        return REIN_OK;
    }
    REIN_TRY(hex_digits(p, 4, out));
    if (*out < 0xd800 || *out > 0xdbff || !(peek(p, '\\') && p->at + 1 < p->len && p->text[p->at + 1] == 'u'))
        return REIN_OK;
    int32_t low;
    p->at += 2;
    REIN_TRY(hex_digits(p, 4, &low));
    if (low < 0xdc00 || low > 0xdfff) return refuse(p, begin, "half of a surrogate pair");
    *out = 0x10000 + ((*out - 0xd800) << 10 | (low - 0xdc00));
    return REIN_OK;
}

/* \d and the like; false if the letter is none of them. */
static bool class_escape(rein_charset *set, char letter) {
    rein_charset own = {0};
    switch (letter | 0x20) {
    case 'd': rein_charset_add(&own, '0', '9'); break;
    case 'w':
        rein_charset_add(&own, '0', '9');
        rein_charset_add(&own, 'A', 'Z');
        rein_charset_add(&own, '_', '_');
        rein_charset_add(&own, 'a', 'z');
        break;
    case 's':
        rein_charset_add(&own, '\t', '\r');
        rein_charset_add(&own, ' ', ' ');
        break;
    default: return false;
    }
    rein_charset_finish(&own, !(letter & 0x20));
    for (int64_t i = 0; i < own.n; i++) rein_charset_add(set, own.range[i][0], own.range[i][1]);
    set->failed |= own.failed;
    rein_charset_deinit(&own);
    return true;
}

/* Behind a backslash: a class is added to the set (*c = -1), or one character is read. */
static rein_status escape(parser *p, rein_charset *set, int32_t *c) {
    static const char letters[] = "nrtfv0", means[] = "\n\r\t\f\v";
    size_t begin = p->at - 1;
    *c = -1;
    if (p->at == p->len) return refuse(p, begin, "nothing behind the backslash");
    char letter = p->text[p->at++];
    if (strchr("dDwWsS", letter) && letter && class_escape(set, letter)) return REIN_OK;
    const char *known = letter ? strchr(letters, letter) : NULL;
    if (known) {
        *c = letter == '0' ? 0 : means[known - letters];
    } else if (letter == 'x') {
        REIN_TRY(hex_digits(p, 2, c));
    } else if (letter == 'u') {
        REIN_TRY(unicode_escape(p, c));
    } else if (letter > 0x20 && letter < 0x7f && !(letter >= '0' && letter <= '9') &&
               !((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z')) {
        *c = letter;
    } else {
        return refuse(p, begin, "this escape is not known here; back references and boundaries are not regular");
    }
    if (*c >= 0xd800 && *c < 0xe000) return refuse(p, begin, "half of a surrogate pair");
    return REIN_OK;
}

static rein_status literal(parser *p, int32_t *c) {
    size_t size;
    *c = rein_utf8_decode(p->text + p->at, p->len - p->at, &size);
    if (*c < 0) return refuse(p, p->at, "this is not UTF-8");
    p->at += size;
    return REIN_OK;
}

static rein_status class_item(parser *p, rein_charset *set, int32_t *c) {
    if (peek(p, '[') && p->at + 1 < p->len && strchr(":.=", p->text[p->at + 1]))
        return refuse(p, p->at, "POSIX classes are not known here");
    return take(p, '\\') ? escape(p, set, c) : literal(p, c);
}

/* Behind the opening bracket. */
static rein_status read_class(parser *p, rein_charset *set) {
    size_t begin = p->at - 1;
    bool complement = take(p, '^');
    if (peek(p, ']')) return refuse(p, begin, "an empty class; write \\] for the bracket");
    while (!take(p, ']')) {
        int32_t lo, hi;
        size_t item = p->at;
        if (p->at == p->len) return refuse(p, begin, "the class has no end");
        REIN_TRY(class_item(p, set, &lo));
        bool range = peek(p, '-') && p->at + 1 < p->len && p->text[p->at + 1] != ']';
        hi = lo;
        if (range) {
            p->at++;
            REIN_TRY(class_item(p, set, &hi));
            if (lo < 0 || hi < lo) return refuse(p, item, "a range of this class is out of order");
        }
        if (lo >= 0) rein_charset_add(set, lo, hi);
    }
    rein_charset_finish(set, complement);
    return REIN_OK;
}

static rein_status read_set(parser *p, rein_charset *set) {
    int32_t c;
    if (take(p, '[')) return read_class(p, set);
    if (take(p, '.')) {
        rein_charset_add(set, '\n', '\n');
        rein_charset_finish(set, true);
        return REIN_OK;
    }
    REIN_TRY(take(p, '\\') ? escape(p, set, &c) : literal(p, &c));
    if (c >= 0) rein_charset_add(set, c, c);
    rein_charset_finish(set, false);
    return REIN_OK;
}

/* ---- structure ---- */

static rein_status alternatives(parser *p, int32_t from, int32_t to);

static rein_status atom(parser *p, int32_t from, int32_t to) {
    size_t begin = p->at;
    if (take(p, '(')) {
        if (take(p, '?') && !take(p, ':')) return refuse(p, begin, "only groups ( ) and (?: ) are known here");
        if (++p->depth > MAX_DEPTH) return refuse(p, begin, "groups are nested too deeply");
        REIN_TRY(alternatives(p, from, to));
        p->depth--;
        return take(p, ')') ? REIN_OK : refuse(p, begin, "the group has no end");
    }
    if (strchr("*+?{", p->text[p->at]) && p->text[p->at])
        return refuse(p, begin, "nothing to repeat; write a backslash for the character itself");
    if (peek(p, '^') || peek(p, '$')) return refuse(p, begin, "^ and $ stand only at the ends of the pattern");
    rein_charset set = {0};
    rein_status status = read_set(p, &set);
    if (status == REIN_OK) add_chars(p, from, to, &set);
    rein_charset_deinit(&set);
    return status;
}

static rein_status count(parser *p, int64_t *out) {
    size_t begin = p->at;
    for (*out = 0; p->at < p->len && p->text[p->at] >= '0' && p->text[p->at] <= '9'; p->at++) {
        *out = 10 * *out + (p->text[p->at] - '0');
        if (*out > MAX_REPEAT) return refuse(p, begin, "too many repetitions");
    }
    return p->at > begin ? REIN_OK : refuse(p, begin, "a number should be here");
}

static rein_status quantifier(parser *p, int64_t *least, int64_t *most) {
    size_t begin = p->at;
    *least = *most = 1;
    if (take(p, '*')) {
        *least = 0;
        *most = NO_LIMIT;
    } else if (take(p, '+')) {
        *most = NO_LIMIT;
    } else if (take(p, '?')) {
        *least = 0;
    } else if (take(p, '{')) {
        REIN_TRY(count(p, least));
        *most = *least;
        if (take(p, ',')) *most = NO_LIMIT;
        if (*most == NO_LIMIT && !peek(p, '}')) REIN_TRY(count(p, most));
        if (!take(p, '}')) return refuse(p, begin, "the repetition has no end");
        if (*most != NO_LIMIT && *most < *least) return refuse(p, begin, "the repetition is out of order");
    } else {
        return REIN_OK;
    }
    take(p, '?'); /* lazy: the same texts */
    return REIN_OK;
}

/* An atom with its quantifier: the first copy is read before the quantifier is known, the others are read again. */
static rein_status item(parser *p, int32_t from, int32_t to) {
    size_t begin = p->at;
    int64_t least, most;
    int32_t in = rein_nfa_state(p->nfa), out = rein_nfa_state(p->nfa);
    REIN_TRY(atom(p, in, out));
    REIN_TRY(quantifier(p, &least, &most));
    size_t end = p->at;
    if (least == 0) rein_nfa_empty(p->nfa, from, to);
    if (most == 0) return REIN_OK;
    rein_nfa_empty(p->nfa, from, in);
    int64_t copies = most != NO_LIMIT ? most : least > 1 ? least : 1;
    for (int64_t i = 1; i < copies && !p->nfa->failed; i++) {
        if (i >= least) rein_nfa_empty(p->nfa, out, to);
        in = out;
        out = rein_nfa_state(p->nfa);
        int32_t inner = rein_nfa_state(p->nfa);
        rein_nfa_empty(p->nfa, in, inner);
        in = inner;
        p->at = begin;
        REIN_TRY(atom(p, in, out));
    }
    p->at = end;
    rein_nfa_empty(p->nfa, out, to);
    if (most == NO_LIMIT) rein_nfa_empty(p->nfa, out, in);
    return REIN_OK;
}

/* Any text inside a JSON string, before or behind an unpinned pattern. */
static int32_t anything(parser *p, int32_t from) {
    int32_t loop = rein_nfa_state(p->nfa);
    rein_charset all = {0};
    rein_charset_add(&all, 0, REIN_CHAR_MAX);
    rein_charset_finish(&all, false);
    rein_nfa_empty(p->nfa, from, loop);
    add_chars(p, loop, loop, &all);
    rein_charset_deinit(&all);
    return loop;
}

static rein_status sequence(parser *p, int32_t from, int32_t to) {
    bool outermost = p->depth == 0, found = outermost && p->form == REIN_PATTERN_JSON, pinned = outermost && take(p, '^');
    if (found && !pinned) from = anything(p, from);
    pinned = false;
    while (p->at < p->len && !peek(p, '|') && !peek(p, ')')) {
        pinned = outermost && peek(p, '$') && (p->at + 1 == p->len || p->text[p->at + 1] == '|');
        if (pinned) break;
        int32_t next = rein_nfa_state(p->nfa);
        REIN_TRY(item(p, from, next));
        from = next;
        if (p->nfa->failed) break;
    }
    p->at += pinned;
    if (found && !pinned) from = anything(p, from);
    rein_nfa_empty(p->nfa, from, to);
    return rein_nfa_check(p->nfa);
}

static rein_status alternatives(parser *p, int32_t from, int32_t to) {
    do {
        int32_t in = rein_nfa_state(p->nfa);
        rein_nfa_empty(p->nfa, from, in);
        REIN_TRY(sequence(p, in, to));
    } while (take(p, '|'));
    return REIN_OK;
}

rein_status rein_pattern_compile(rein_nfa *nfa, int32_t from, int32_t to, const char *pattern, size_t len,
                                 rein_pattern_form form) {
    parser p = {.nfa = nfa, .text = pattern, .len = len, .form = form};
    REIN_TRY(alternatives(&p, from, to));
    return p.at == len ? REIN_OK : refuse(&p, p.at, "this bracket closes nothing");
}
