/* Parsing and printing of answers; see answer.h for the grammar. */
#include "env/control/answer.h"

#include <math.h>
#include <string.h>

/* A piece of the text. */
typedef struct span {
    const char *at;
    size_t len;
} span;

static const char open_tag[] = "<CONTROLS>", close_tag[] = "</CONTROLS>";
static const char open_reasoning[] = "<REASONING>", close_reasoning[] = "</REASONING>";

/* Powers of ten that doubles hold exactly. */
static const double ten_to[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { MAX_DIGITS = 15, MAX_PLACES = 22 };

const char *rein_answer_error_name(rein_answer_error error) {
    static const char *const names[] = {NULL,          "no_tags",       "no_open_tag",  "no_close_tag", "tag_order",
                                        "nested_tags", "repeated_tags", "empty_item",   "not_finite",   "hex",
                                        "exponent",    "too_large",     "not_a_number", "too_few",      "too_many"};
    return names[error];
}

/* ---- search ---- */

static const char *find(span text, const char *needle) {
    size_t n = strlen(needle);
    for (size_t i = 0; i + n <= text.len; i++)
        if (text.at[i] == needle[0] && memcmp(text.at + i, needle, n) == 0) return text.at + i;
    return NULL;
}

static span after(span text, const char *place) { return (span){place, text.len - (size_t)(place - text.at)}; }

static int count(span text, const char *needle) {
    int n = 0;
    for (const char *hit; (hit = find(text, needle)); n++) text = after(text, hit + strlen(needle));
    return n;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static span trim(span s) {
    while (s.len && is_space(s.at[0])) s.at++, s.len--;
    while (s.len && is_space(s.at[s.len - 1])) s.len--;
    return s;
}

/* ---- numbers ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool starts_with(span s, const char *lower) {
    size_t n = strlen(lower);
    if (s.len < n) return false;
    for (size_t i = 0; i < n; i++)
        if ((s.at[i] | 0x20) != lower[i]) return false;
    return true;
}

/* What an item that is no decimal tried to be. `s` is without sign. */
static rein_answer_error classify(span s) {
    if (starts_with(s, "nan") || starts_with(s, "inf")) return REIN_ANSWER_NOT_FINITE;
    if (s.len > 1 && s.at[0] == '0' && (s.at[1] | 0x20) == 'x') return REIN_ANSWER_HEX;
    size_t i = 0;
    while (i < s.len && (is_digit(s.at[i]) || s.at[i] == '.')) i++;
    if (i > 0 && i + 1 < s.len && (s.at[i] | 0x20) == 'e') return REIN_ANSWER_EXPONENT;
    return REIN_ANSWER_NOT_A_NUMBER;
}

/* A decimal as mantissa / 10^places, both exact, so that the quotient is the nearest double. */
static rein_answer_error parse_decimal(double *out, span s) {
    bool negative = s.len && s.at[0] == '-', point = false;
    if (s.len && (s.at[0] == '-' || s.at[0] == '+')) s.at++, s.len--;
    int64_t mantissa = 0;
    int digits = 0, significant = 0, places = 0;
    bool too_large = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(c)) return classify(s);
        digits = 1;
        if (point && (significant == MAX_DIGITS || places == MAX_PLACES)) continue;
        too_large |= significant == MAX_DIGITS;
        if (too_large) continue;
        mantissa = 10 * mantissa + (c - '0');
        significant += mantissa > 0;
        places += point;
    }
    if (digits == 0) return REIN_ANSWER_NOT_A_NUMBER;
    if (too_large) return REIN_ANSWER_TOO_LARGE;
    double value = (double)mantissa / ten_to[places];
    *out = negative ? -value : value;
    return REIN_ANSWER_OK;
}

/* ---- answers ---- */

static rein_answer_error find_list(span *list, span text) {
    const char *open = find(text, open_tag), *close = find(text, close_tag);
    if (!open && !close) return REIN_ANSWER_NO_TAGS;
    if (!open) return REIN_ANSWER_NO_OPEN_TAG;
    if (!close) return REIN_ANSWER_NO_CLOSE_TAG;
    if (close < open) return REIN_ANSWER_TAG_ORDER;
    *list = (span){open + sizeof open_tag - 1, (size_t)(close - open) - (sizeof open_tag - 1)};
    if (find(*list, open_tag)) return REIN_ANSWER_NESTED_TAGS;
    span rest = after(text, close + sizeof close_tag - 1);
    return find(rest, open_tag) || find(rest, close_tag) ? REIN_ANSWER_REPEATED_TAGS : REIN_ANSWER_OK;
}

rein_answer_error rein_answer_parse(double *u, int n, const char *text, size_t len) {
    span list, rest;
    rein_answer_error error = find_list(&list, (span){text, len});
    if (error) return error;
    int found = 0;
    for (bool more = true; more; found++) {
        const char *comma = find(list, ",");
        rest = comma ? after(list, comma + 1) : (span){NULL, 0};
        span item = trim((span){list.at, comma ? (size_t)(comma - list.at) : list.len});
        double value = 0;
        if (item.len == 0) return REIN_ANSWER_EMPTY_ITEM;
        if ((error = parse_decimal(&value, item))) return error;
        if (found < n) u[found] = value;
        more = comma != NULL;
        list = rest;
    }
    return found < n ? REIN_ANSWER_TOO_FEW : found > n ? REIN_ANSWER_TOO_MANY : REIN_ANSWER_OK;
}

/* What stands before <CONTROLS>. */
static bool head_is_exact(span head, bool reasoning) {
    const char *end = find(head, close_reasoning);
    if (!reasoning) return trim(head).len == 0;
    if (!end || trim(after(head, end + sizeof close_reasoning - 1)).len > 0) return false;
    head.len = (size_t)(end - head.at);
    int opened = count(head, open_reasoning);
    return opened == 0 || (opened == 1 && find(head, open_reasoning) == trim(head).at);
}

rein_layout rein_answer_layout(const char *text, size_t len, bool reasoning) {
    span all = {text, len}, list;
    rein_layout layout = {
        .close_reasoning = count(all, close_reasoning) == (reasoning ? 1 : 0),
        .open = count(all, open_tag) == 1,
        .close = count(all, close_tag) == 1,
    };
    if (find_list(&list, all) == REIN_ANSWER_OK && list.len > 0) {
        span head = {text, (size_t)(list.at - text) - (sizeof open_tag - 1)};
        span tail = after(all, list.at + list.len + sizeof close_tag - 1);
        layout.exact = trim(tail).len == 0 && head_is_exact(head, reasoning);
    }
    return layout;
}

/* ---- printing ---- */

static int64_t scaled(double u, int decimals) {
    REIN_ASSERT(fabs(u) < 1e6 && decimals >= 0 && decimals <= 9);
    int64_t units = (int64_t)(fabs(u) * ten_to[decimals] + 0.5);
    return u < 0 ? -units : units;
}

double rein_decimal_round(double u, int decimals) { return (double)scaled(u, decimals) / ten_to[decimals]; }

void rein_decimal_print(rein_str *out, double u, int decimals) {
    int64_t units = scaled(u, decimals), one = (int64_t)ten_to[decimals];
    int64_t size = units < 0 ? -units : units;
    rein_str_printf(out, "%s%lld", units < 0 ? "-" : "", (long long)(size / one));
    if (decimals > 0) rein_str_printf(out, ".%0*lld", decimals, (long long)(size % one));
}

void rein_answer_print(rein_str *out, const double *u, int n, int decimals, const char *separator) {
    rein_str_puts(out, open_tag);
    for (int k = 0; k < n; k++) {
        if (k > 0) rein_str_puts(out, separator);
        rein_decimal_print(out, u[k], decimals);
    }
    rein_str_puts(out, close_tag);
}

/* ---- the prompt's state ---- */

static bool number_after(double *out, span text, const char *name, span *rest) {
    const char *hit = find(text, name);
    if (!hit) return false;
    span number = after(text, hit + strlen(name));
    size_t n = 0;
    while (n < number.len && (is_digit(number.at[n]) || number.at[n] == '-' || number.at[n] == '.')) n++;
    *rest = after(number, number.at + n);
    return parse_decimal(out, (span){number.at, n}) == REIN_ANSWER_OK;
}

bool rein_prompt_state(double state[2], const char *text, size_t len) {
    span rest = {text, len};
    return number_after(&state[0], rest, "position=", &rest) && number_after(&state[1], rest, ", velocity=", &rest);
}
