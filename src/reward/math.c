/* A small reader of mathematical answers; see math.h. Recursion is bounded by MAX_DEPTH. */
#include "reward/math.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/math64.h"
#include "reward/internal.h"

enum { MAX_DEPTH = 48, MAX_NUMBER = 64, MAX_TEXT = 4096, POINTS = 3, MAX_ITEMS = 64 };

/* ---- finding ---- */

/* The text inside of the brace at text[at - 1], to its partner; NULL if that is missing. */
static rein_math_span inside(const char *text, size_t len, size_t at) {
    int depth = 1;
    for (size_t i = at; i < len; i++) {
        if (text[i] == '\\') {
            i++;
            continue;
        }
        depth += text[i] == '{';
        depth -= text[i] == '}';
        if (depth == 0) return (rein_math_span){text + at, i - at};
    }
    return (rein_math_span){NULL, 0};
}

static bool starts(const char *text, size_t len, size_t at, const char *word) {
    const size_t n = strlen(word);
    return at + n <= len && memcmp(text + at, word, n) == 0;
}

/* The last place of a word, or SIZE_MAX. */
static size_t last_place(const char *text, size_t len, const char *word) {
    for (size_t at = len; at-- > 0;)
        if (starts(text, len, at, word)) return at;
    return SIZE_MAX;
}

static rein_math_span last_boxed(const char *text, size_t len) {
    for (size_t at = len; at-- > 0;) {
        static const char *const words[] = {"\\boxed{", "\\fbox{"};
        for (size_t w = 0; w < REIN_COUNT(words); w++) {
            if (!starts(text, len, at, words[w])) continue;
            rein_math_span s = inside(text, len, at + strlen(words[w]));
            if (s.text) return s;
        }
    }
    return (rein_math_span){NULL, 0};
}

/* The last formula between `open` and `close`. */
static rein_math_span last_between(const char *text, size_t len, const char *open, const char *close) {
    size_t end = last_place(text, len, close);
    if (end == SIZE_MAX) return (rein_math_span){NULL, 0};
    size_t begin = last_place(text, end, open);
    if (begin == SIZE_MAX) return (rein_math_span){NULL, 0};
    begin += strlen(open);
    return (rein_math_span){text + begin, end - begin};
}

rein_math_span rein_math_find(const char *text, size_t len) {
    static const char *const pairs[][2] = {{"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}};
    rein_math_span boxed = last_boxed(text, len), best = {NULL, 0};
    if (boxed.text) return boxed;
    for (size_t i = 0; i < REIN_COUNT(pairs); i++) {
        rein_math_span s = last_between(text, len, pairs[i][0], pairs[i][1]);
        if (s.text && s.len > 0 && (!best.text || s.text > best.text)) best = s;
    }
    return best;
}

/* ---- cleaning: what means nothing goes ---- */

/* Bytes of what is dropped at `at`, or 0. */
static size_t dropped(const char *t, size_t len, size_t at) {
    static const char *const words[] = {"\\left", "\\right", "{,}", "\\,", "\\!", "\\;", "\\:", "\\ ", "\\$", "\\%", "^\\circ",
                                        "^{\\circ}", "\\degree", "\\displaystyle", "\\quad", "$", "%", "~",
                                        "\xc2\xb0", "\xe2\x82\xac"};
    if (isspace((unsigned char)t[at])) return 1;
    for (size_t i = 0; i < REIN_COUNT(words); i++)
        if (starts(t, len, at, words[i])) return strlen(words[i]);
    return 0;
}

/* \text{...} and its like at `at`: the bytes of the whole, its content in *body. */
static size_t worded(rein_math_span *body, const char *t, size_t len, size_t at) {
    static const char *const words[] = {"\\text{", "\\mathrm{", "\\textbf{", "\\mathbf{", "\\mbox{"};
    for (size_t i = 0; i < REIN_COUNT(words); i++) {
        if (!starts(t, len, at, words[i])) continue;
        *body = inside(t, len, at + strlen(words[i]));
        if (body->text) return strlen(words[i]) + body->len + 1;
    }
    return 0;
}

/* `keep_words`: the content of \text{} stays (an answer that is a word), else it goes (a unit). */
static rein_status clean(rein_str *out, rein_math_span s, bool keep_words) {
    for (size_t at = 0, n; at < s.len; at += n) {
        rein_math_span body;
        if ((n = dropped(s.text, s.len, at)) > 0) continue;
        if ((n = worded(&body, s.text, s.len, at)) > 0) {
            for (size_t i = 0; i < body.len && keep_words; i++)
                if (!isspace((unsigned char)body.text[i])) rein_str_putc(out, body.text[i]);
            continue;
        }
        rein_str_putc(out, s.text[at]);
        n = 1;
    }
    while (out->len > 0 && strchr(".,;:", out->data[out->len - 1])) out->data[--out->len] = '\0';
    return rein_str_check(out);
}

/* ---- reading an expression ---- */

typedef struct reader {
    const char *at, *end;
    int point, depth;
    bool failed, letters;
} reader;

static double sum(reader *r);

static double fail(reader *r) {
    r->failed = true;
    return NAN;
}

static bool take(reader *r, const char *word) {
    if (!starts(r->at, (size_t)(r->end - r->at), 0, word)) return false;
    r->at += strlen(word);
    return true;
}

/* Is a comma at `at` the separator of thousands: three digits follow, and no fourth? */
static bool thousands(const char *at, const char *end) {
    if (end - at < 4 || *at != ',') return false;
    for (int i = 1; i < 4; i++)
        if (!isdigit((unsigned char)at[i])) return false;
    return end - at == 4 || !isdigit((unsigned char)at[4]);
}

static double number(reader *r) {
    char text[MAX_NUMBER];
    size_t n = 0;
    bool point = false;
    for (; r->at < r->end; r->at++) {
        if (*r->at == ',' && n > 0 && !point && thousands(r->at, r->end)) continue;
        if (!isdigit((unsigned char)*r->at) && (*r->at != '.' || point)) break;
        point |= *r->at == '.';
        if (n + 1 == sizeof text) return fail(r);
        text[n++] = *r->at;
    }
    text[n] = '\0';
    if (n == 0 || (n == 1 && point)) return fail(r);
    return strtod(text, NULL);
}

/* The value that stands for a letter at the reader's point. */
static double letter(reader *r, char c) {
    r->letters = true;
    double x = 0.6180339887498949 * (double)(unsigned char)c + 0.41421356237309515 * r->point;
    return 0.5 + (x - floor(x));
}

/* "{...}" or one digit or letter, as after \frac, \sqrt and ^. */
static double group(reader *r) {
    if (take(r, "{")) {
        double x = sum(r);
        return take(r, "}") ? x : fail(r);
    }
    if (r->at == r->end) return fail(r);
    const char c = *r->at;
    if (isdigit((unsigned char)c)) {
        r->at++;
        return c - '0';
    }
    if (take(r, "\\pi")) return 3.141592653589793;
    if (!isalpha((unsigned char)c)) return fail(r);
    r->at++;
    return letter(r, c);
}

static double power(double x, double y) {
    if (x >= 0) return rein_pow64(x, y);
    if (y != floor(y) || fabs(y) > 0x1p52) return NAN;
    double p = rein_pow64(-x, y);
    return fmod(y, 2) == 0 ? p : -p;
}

static double root(reader *r) {
    double degree = 2;
    if (take(r, "[")) {
        degree = sum(r);
        if (!take(r, "]") || degree == 0) return fail(r);
    }
    double x = group(r);
    if (degree == 2) return sqrt(x);
    return x < 0 && fmod(degree, 2) != 0 ? -rein_pow64(-x, 1 / degree) : rein_pow64(x, 1 / degree);
}

static double bracket(reader *r, const char *close) {
    double x = sum(r);
    return take(r, close) ? x : fail(r);
}

static double atom(reader *r) {
    if (r->at == r->end) return fail(r);
    if (isdigit((unsigned char)*r->at) || *r->at == '.') return number(r);
    if (take(r, "\\frac") || take(r, "\\dfrac") || take(r, "\\tfrac")) {
        double x = group(r);
        return x / group(r);
    }
    if (take(r, "\\sqrt")) return root(r);
    if (take(r, "\\pi") || take(r, "\xcf\x80")) return 3.141592653589793;
    if (take(r, "(")) return bracket(r, ")");
    if (take(r, "{")) return bracket(r, "}");
    if (!isalpha((unsigned char)*r->at)) return fail(r);
    return letter(r, *r->at++);
}

/* base ^ exponent ^ exponent, from the right; "1e5" and "1e-5" too. */
static double factor(reader *r) {
    if (++r->depth > MAX_DEPTH) return fail(r);
    const char *start = r->at;
    double x = atom(r);
    bool digits = isdigit((unsigned char)*start);
    if (digits && r->end - r->at >= 2 && (*r->at == 'e' || *r->at == 'E')) {
        const char *d = r->at + 1 + (r->at[1] == '-' || r->at[1] == '+');
        if (d < r->end && isdigit((unsigned char)*d)) {
            bool negative = r->at[1] == '-';
            r->at = d;
            double e = number(r);
            x = negative ? x / rein_pow64(10, e) : x * rein_pow64(10, e);
        }
    }
    if (take(r, "^")) {
        bool negative = take(r, "-");
        double y = r->at < r->end && *r->at == '(' ? atom(r) : group(r);
        x = power(x, negative ? -y : y);
    }
    r->depth--;
    return x;
}

/* Signs, then a factor. */
static double signed_factor(reader *r) {
    bool negative = false;
    for (;;) {
        if (take(r, "-") || take(r, "\xe2\x88\x92"))
            negative = !negative;
        else if (!take(r, "+"))
            break;
    }
    double x = factor(r);
    return negative ? -x : x;
}

static bool factor_follows(const reader *r) {
    if (r->at == r->end) return false;
    const char *t = r->at;
    const size_t n = (size_t)(r->end - t);
    return isalnum((unsigned char)*t) || *t == '(' || *t == '{' || starts(t, n, 0, "\\frac") ||
           starts(t, n, 0, "\\dfrac") || starts(t, n, 0, "\\tfrac") || starts(t, n, 0, "\\sqrt") ||
           starts(t, n, 0, "\\pi") || starts(t, n, 0, "\xcf\x80");
}

/* "3\frac{1}{2}" is three and a half: a whole number directly before a fraction of numbers. */
static bool mixed_number(const char *from, const reader *r) {
    for (const char *c = from; c < r->at; c++)
        if (!isdigit((unsigned char)*c)) return false;
    return r->at > from && starts(r->at, (size_t)(r->end - r->at), 0, "\\frac{") && isdigit((unsigned char)r->at[6]);
}

static double product(reader *r) {
    const char *from = r->at;
    double x = signed_factor(r);
    while (!r->failed) {
        if (take(r, "*") || take(r, "\\cdot") || take(r, "\\times") || take(r, "\xc3\x97"))
            x *= signed_factor(r);
        else if (take(r, "/") || take(r, "\\div") || take(r, "\xc3\xb7"))
            x /= signed_factor(r);
        else if (mixed_number(from, r))
            x += factor(r);
        else if (factor_follows(r))
            x *= factor(r);
        else
            break;
    }
    return x;
}

static double sum(reader *r) {
    if (++r->depth > MAX_DEPTH) return fail(r);
    double x = product(r);
    while (!r->failed) {
        if (take(r, "+"))
            x += product(r);
        else if (take(r, "-") || take(r, "\xe2\x88\x92"))
            x -= product(r);
        else
            break;
    }
    r->depth--;
    return x;
}

/* A word ("north") is no product of its letters. */
static bool has_word(const char *text, size_t len) {
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\\') {
            while (i + 1 < len && isalpha((unsigned char)text[i + 1])) i++;
            run = 0;
            continue;
        }
        run = isalpha((unsigned char)text[i]) ? run + 1 : 0;
        if (run == 3) return true;
    }
    return false;
}

/* The whole span as values at the points (one if there are no letters); false if it cannot be read. */
static bool evaluate(double value[POINTS], const char *text, size_t len) {
    if (len == 0 || has_word(text, len)) return false;
    for (int p = 0; p < POINTS; p++) {
        reader r = {.at = text, .end = text + len, .point = p};
        value[p] = sum(&r);
        if (r.failed || r.at != r.end || !isfinite(value[p])) return false;
    }
    return true;
}

/* ---- comparing ---- */

static bool close_to(double a, double b) {
    double scale = fabs(a) > fabs(b) ? fabs(a) : fabs(b), off = fabs(a - b);
    return off <= 5e-7 || off <= 1e-12 * scale;
}

static bool item_equal(rein_math_span a, rein_math_span b) {
    double x[POINTS], y[POINTS];
    if (a.len == b.len && memcmp(a.text, b.text, a.len) == 0) return true;
    if (!evaluate(x, a.text, a.len) || !evaluate(y, b.text, b.len)) return false;
    for (int p = 0; p < POINTS; p++)
        if (!close_to(x[p], y[p])) return false;
    return true;
}

/* Right side of an equation with one "=". */
static rein_math_span right_side(rein_math_span s) {
    const char *eq = memchr(s.text, '=', s.len);
    if (!eq || strchr("<>!", eq > s.text ? eq[-1] : '=')) return s;
    const char *from = eq + 1;
    size_t n = s.len - (size_t)(from - s.text);
    return memchr(from, '=', n) ? s : (rein_math_span){from, n};
}

/* Items between commas that stand in no inner bracket; *n is 0 where there are too many. `open`: the outer bracket. */
static void split(rein_math_span item[MAX_ITEMS], int *n, rein_math_span s, char *open, char *close) {
    *open = *close = '\0';
    bool set = s.len >= 4 && memcmp(s.text, "\\{", 2) == 0 && memcmp(s.text + s.len - 2, "\\}", 2) == 0;
    if (set) {
        s = (rein_math_span){s.text + 2, s.len - 4};
        *open = *close = '{';
    } else if (s.len >= 2 && strchr("([", s.text[0]) && strchr(")]", s.text[s.len - 1]) && memchr(s.text, ',', s.len)) {
        *open = s.text[0];
        *close = s.text[s.len - 1];
        s = (rein_math_span){s.text + 1, s.len - 2};
    }
    int depth = 0;
    size_t from = 0;
    *n = 0;
    for (size_t i = 0; i <= s.len; i++) {
        const char c = i < s.len ? s.text[i] : ',';
        if (strchr("([{", c)) depth++;
        if (strchr(")]}", c)) depth--;
        if (i < s.len && (c != ',' || depth != 0 || (i > 0 && isdigit((unsigned char)s.text[i - 1]) && !*open &&
                                                     thousands(s.text + i, s.text + s.len))))
            continue;
        if (*n == MAX_ITEMS) {
            *n = 0;
            return;
        }
        item[(*n)++] = (rein_math_span){s.text + from, i - from};
        from = i + 1;
    }
}

static bool lists_equal(rein_math_span a, rein_math_span b) {
    rein_math_span x[MAX_ITEMS], y[MAX_ITEMS];
    int n, m;
    char open[2], close[2];
    split(x, &n, a, &open[0], &close[0]);
    split(y, &m, b, &open[1], &close[1]);
    if (n == 0 || n != m || open[0] != open[1] || close[0] != close[1]) return false;
    bool used[MAX_ITEMS] = {false};
    const bool ordered = open[0] != '{';
    for (int i = 0; i < n; i++) {
        int j = ordered ? i : 0;
        while (j < n && (used[j] || !item_equal(x[i], y[j]))) j = ordered ? n : j + 1;
        if (j == n) return false;
        used[j] = true;
    }
    return true;
}

static rein_status equal_cleaned(bool *equal, rein_math_span a, rein_math_span b, bool keep_words) {
    rein_str x = {0}, y = {0};
    rein_status status;
    REIN_TRY_OUT(status, clean(&x, a, keep_words), out);
    REIN_TRY_OUT(status, clean(&y, b, keep_words), out);
    *equal = false;
    if (x.len == 0 || y.len == 0) goto out;
    rein_math_span one = {x.data, x.len}, two = {y.data, y.len};
    *equal = item_equal(one, two) || lists_equal(right_side(one), right_side(two));
out:
    rein_str_deinit(&x);
    rein_str_deinit(&y);
    return status;
}

rein_status rein_math_equal(bool *equal, rein_math_span a, rein_math_span b) {
    *equal = false;
    if (a.len > MAX_TEXT || b.len > MAX_TEXT) return REIN_OK; /* no answer to a question is that long */
    REIN_TRY(equal_cleaned(equal, a, b, false));
    return *equal ? REIN_OK : equal_cleaned(equal, a, b, true);
}

rein_status rein_math_gold(rein_math_span *out, const char *text, size_t len) {
    rein_str cleaned = {0};
    double value[POINTS];
    *out = rein_math_find(text, len);
    size_t mark = last_place(text, len, "####");
    if (!out->text && mark != SIZE_MAX) *out = (rein_math_span){text + mark + 4, len - mark - 4};
    if (out->text) return REIN_OK;
    rein_status status = len > MAX_TEXT ? REIN_OK : clean(&cleaned, (rein_math_span){text, len}, false);
    if (status == REIN_OK && cleaned.len > 0 && evaluate(value, cleaned.data, cleaned.len))
        *out = (rein_math_span){text, len};
    rein_str_deinit(&cleaned);
    REIN_TRY(status);
    if (!out->text) rein_reward_number_span(&out->text, &out->len, text, len);
    return REIN_OK;
}
