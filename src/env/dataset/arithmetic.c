/* Generated arithmetic problems; see arithmetic.h. */
#include "env/dataset/arithmetic.h"

#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"

enum { MAX_TERMS = 6, HELD_OUT = 8, TRIES = 200, MAX_ROWS = 1 << 24 };

typedef struct problem {
    rein_str text;
    int64_t answer;
} problem;

/* Draws of problem number `at`. */
typedef struct dice {
    uint64_t seed, at;
    uint32_t draw;
} dice;

static int64_t below(dice *d, int64_t n) {
    return (int64_t)rein_random_below((uint64_t)n, d->seed, REIN_STREAM_DATA, (uint32_t)d->at, (uint32_t)(d->at >> 32),
                                      d->draw++, 1);
}

/* ---- expressions ---- */

/* Value with products first; false if it does not fit. */
static bool evaluate(int64_t *out, const int64_t *x, const char *op, int n) {
    int64_t sum = 0, product = x[0];
    bool minus = false;
    for (int i = 1; i <= n; i++) {
        if (i < n && op[i - 1] == '*') {
            if (__builtin_mul_overflow(product, x[i], &product)) return false;
            continue;
        }
        if (minus ? __builtin_sub_overflow(sum, product, &sum) : __builtin_add_overflow(sum, product, &sum)) return false;
        if (i == n) break;
        minus = op[i - 1] == '-';
        product = x[i];
    }
    *out = sum;
    return true;
}

static bool expression(problem *p, const rein_arithmetic_config *c, dice *d) {
    int64_t x[MAX_TERMS] = {0};
    char op[MAX_TERMS];
    const int n = (int)c->terms;
    const int64_t kinds = (int64_t)strlen(c->operations);
    for (int i = 0; i < n; i++) {
        x[i] = below(d, c->max_value + 1);
        op[i] = c->operations[below(d, kinds)];
    }
    rein_str_printf(&p->text, "What is %lld", (long long)x[0]);
    for (int i = 1; i < n; i++) rein_str_printf(&p->text, " %c %lld", op[i - 1], (long long)x[i]);
    rein_str_putc(&p->text, '?');
    return evaluate(&p->answer, x, op, n);
}

/* ---- word problems ---- */

static const char *const people[] = {"Ada", "Ben", "Carla", "David", "Emma", "Farid", "Grace", "Hugo"};
static const char *const things[] = {"apples", "books", "coins", "marbles", "pencils", "stamps", "shells", "cards"};

static bool words(problem *p, const rein_arithmetic_config *c, dice *d) {
    const char *who = people[below(d, (int64_t)REIN_COUNT(people))], *what = things[below(d, (int64_t)REIN_COUNT(things))];
    const int64_t form = below(d, 5), most = c->max_value > 1 ? c->max_value - 1 : 1;
    /* from 2 on: nobody has "1 boxes" */
    int64_t a = 2 + below(d, most), b = 2 + below(d, most), k = 1 + below(d, most);
    rein_str *s = &p->text;
    switch (form) {
    case 0:
        rein_str_printf(s, "%s has %lld %s and buys %lld more.", who, (long long)a, what, (long long)b);
        p->answer = a + b;
        break;
    case 1:
        rein_str_printf(s, "%s has %lld %s and gives away %lld of them.", who, (long long)(a + b), what, (long long)b);
        p->answer = a;
        break;
    case 2:
        rein_str_printf(s, "%s has %lld boxes with %lld %s each.", who, (long long)a, (long long)b, what);
        p->answer = a * b;
        break;
    case 3:
        rein_str_printf(s, "%s has %lld boxes with %lld %s each and finds %lld more.", who, (long long)a, (long long)b,
                        what, (long long)k);
        p->answer = a * b + k;
        break;
    default:
        rein_str_printf(s, "%s shares %lld %s equally among %lld friends and keeps none.", who, (long long)(a * b), what,
                        (long long)b);
        p->answer = a;
        rein_str_printf(s, " How many %s does each friend get?", what);
        return true;
    }
    rein_str_printf(s, " How many %s does %s have now?", what, who);
    return true;
}

/* ---- rows ---- */

/* False if the problem is not to be used (a number that does not fit). */
static bool make(problem *p, const rein_arithmetic_config *c, dice *d) {
    bool in_words = c->kind == REIN_ARITHMETIC_WORDS || (c->kind == REIN_ARITHMETIC_BOTH && below(d, 2) == 1);
    rein_str_clear(&p->text);
    bool usable = in_words ? words(p, c, d) : expression(p, c, d);
    if (c->suffix && *c->suffix) rein_str_printf(&p->text, " %s", c->suffix);
    return usable;
}

static void put_row(rein_str *out, const problem *p, rein_arithmetic_style style) {
    const bool chat = style == REIN_ARITHMETIC_MESSAGES;
    rein_str_puts(out, chat ? "{\"prompt\":[{\"role\":\"user\",\"content\":" : "{\"prompt\":");
    rein_json_put_string(out, p->text.data, p->text.len);
    rein_str_puts(out, chat ? "}]" : "");
    if (style == REIN_ARITHMETIC_COMPLETION) rein_str_printf(out, ",\"completion\":\" %lld\"", (long long)p->answer);
    rein_str_printf(out, ",\"answer\":\"%lld\"}\n", (long long)p->answer);
}

/* Texts seen, by two hashes of 64 bits. */
typedef struct seen {
    uint64_t (*slot)[2]; /* (size); 0, 0: free */
    uint64_t size;
} seen;

/* True if the key is new; it is then entered. */
static bool enter(seen *s, const uint64_t key[2]) {
    for (uint64_t at = key[0] & (s->size - 1);; at = (at + 1) & (s->size - 1)) {
        uint64_t *slot = s->slot[at];
        if (slot[0] == key[0] && slot[1] == key[1]) return false;
        if (slot[0] || slot[1]) continue;
        memcpy(slot, key, sizeof s->slot[0]);
        return true;
    }
}

static uint64_t hex_value(const char *hex) {
    uint64_t value = 0;
    for (int i = 0; i < 16; i++) value = value << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return value;
}

static rein_status generate(rein_str *out, const rein_arithmetic_config *c, uint64_t seed, rein_split split, int64_t n,
                            seen *s) {
    problem p = {0};
    const bool held_out = split == REIN_SPLIT_EVAL;
    int64_t rows = 0;
    uint64_t last = 0; /* draw that found the newest row */
    for (uint64_t at = 0; rows < n && at - last < (uint64_t)(rows + 100) * TRIES; at++) {
        char hex[REIN_XXH_HEX];
        dice d = {.seed = seed, .at = at};
        if (!make(&p, c, &d) || p.text.failed) continue;
        rein_xxh3_hex(hex, p.text.data, p.text.len);
        const uint64_t key[2] = {hex_value(hex), hex_value(hex + 16)};
        if ((key[1] % HELD_OUT == 0) != held_out || !enter(s, key)) continue;
        put_row(out, &p, (rein_arithmetic_style)c->style);
        rows++;
        last = at;
    }
    rein_status status = rein_str_check(&p.text);
    rein_str_deinit(&p.text);
    if (status == REIN_OK && rows < n)
        status = rein_fail(REIN_ERR_USAGE, "only %lld different %s problems were found, wanted %lld: raise max_value or terms",
                           (long long)rows, held_out ? "held-out" : "training", (long long)n);
    return status;
}

static rein_status check(const rein_arithmetic_config *c, int64_t n) {
    if (c->terms < 2 || c->terms > MAX_TERMS || c->max_value < 1 || c->max_value > 1000000)
        return rein_fail(REIN_ERR_USAGE, "terms %lld, max_value %lld: expected 2 to %d and 1 to 1000000",
                         (long long)c->terms, (long long)c->max_value, MAX_TERMS);
    if (!*c->operations || c->operations[strspn(c->operations, "+-*")])
        return rein_fail(REIN_ERR_USAGE, "operations '%s': expected some of + - *", c->operations);
    return n <= MAX_ROWS ? REIN_OK : rein_fail(REIN_ERR_USAGE, "%lld rows: at most %d", (long long)n, MAX_ROWS);
}

static rein_status write_new(const char *path, const rein_str *text) {
    rein_str old = {0};
    rein_status status;
    if (!rein_path_exists(path)) return rein_file_write(path, text->data ? text->data : "", text->len);
    REIN_TRY(rein_file_read(&old, path));
    bool same = old.len == text->len && memcmp(old.data, text->data ? text->data : "", old.len) == 0;
    status = same ? REIN_OK
                  : rein_fail(REIN_ERR_IO, "%s is already there with other rows; choose another name or folder", path);
    rein_str_deinit(&old);
    return status;
}

rein_status rein_arithmetic_write(const char *path, const rein_arithmetic_config *config, uint64_t seed,
                                  rein_split split, int64_t n) {
    rein_str text = {0};
    seen s = {.size = 2};
    rein_status status;
    REIN_TRY(check(config, n));
    while (s.size < 2 * ((uint64_t)n + 1)) s.size *= 2;
    REIN_TRY(rein_alloc(&s.slot, (int64_t)s.size, sizeof *s.slot));
    REIN_TRY_OUT(status, generate(&text, config, seed, split, n, &s), out);
    REIN_TRY_OUT(status, rein_str_check(&text), out);
    REIN_TRY_OUT(status, write_new(path, &text), out);
out:
    rein_free(s.slot);
    rein_str_deinit(&text);
    return status;
}
