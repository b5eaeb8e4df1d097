/* "%d" % value and "{:d}".format(value), as far as templates go; see jinja_eval.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja_strings.h"

enum { MAX_WIDTH = 1 << 20, MAX_PRECISION = 100, NUMBER_BYTES = 640 };

/* One conversion of either kind. */
typedef struct spec {
    char align, sign, type; /* 0: not given; align < > ^ =, sign + - blank */
    bool alternate, zero, comma;
    rein_jvalue fill;
    int64_t width, precision; /* -1: not given */
} spec;

/* ---- numbers ---- */

static rein_status check_number(const rein_jvalue *v, bool whole, char type) {
    if (v->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(v);
    if (!rein_jinja_is_number(v) || (whole && v->type == REIN_J_FLOAT))
        return rein_fail(REIN_ERR_FORMAT, "format %c: %s is required, not %s", type, whole ? "an integer" : "a number",
                         rein_jinja_type_name(v->type));
    return REIN_OK;
}

/* Digits without sign. */
static void integer_digits(char *text, const spec *f, int64_t i) {
    unsigned long long u = i < 0 ? 0 - (unsigned long long)i : (unsigned long long)i;
    const char *how = f->type == 'x'   ? (f->alternate ? "0x%llx" : "%llx")
                      : f->type == 'X' ? (f->alternate ? "0X%llX" : "%llX")
                      : f->type == 'o' ? (f->alternate ? "0o%llo" : "%llo")
                                       : "%llu";
    snprintf(text, NUMBER_BYTES, how, u);
    if (f->type != 'b') return;
    char bits[66];
    size_t n = sizeof bits - 1;
    bits[n] = '\0';
    do bits[--n] = (char)('0' + u % 2);
    while (u /= 2);
    snprintf(text, NUMBER_BYTES, "%s%s", f->alternate ? "0b" : "", bits + n);
}

static void float_digits(char *text, const spec *f, double x) {
    int precision = f->precision < 0 ? 6 : (int)f->precision;
    x = fabs(x);
    switch (f->type) {
    case 'e':
        snprintf(text, NUMBER_BYTES, "%.*e", precision, x);
        break;
    case 'E':
        snprintf(text, NUMBER_BYTES, "%.*E", precision, x);
        break;
    case 'g':
        snprintf(text, NUMBER_BYTES, f->alternate ? "%#.*g" : "%.*g", precision, x);
        break;
    case 'G':
        snprintf(text, NUMBER_BYTES, f->alternate ? "%#.*G" : "%.*G", precision, x);
        break;
    case '%':
        snprintf(text, NUMBER_BYTES, "%.*f%%", precision, 100 * x);
        break;
    default:
        snprintf(text, NUMBER_BYTES, "%.*f", precision, x);
        break;
    }
}

static void add_commas(char *text) {
    size_t whole = strspn(text, "0123456789"), n = strlen(text);
    for (size_t i = whole > 3 ? (whole - 1) % 3 + 1 : whole; i < whole && n + 1 < NUMBER_BYTES; i += 4, whole++, n++) {
        memmove(text + i + 1, text + i, n + 1 - i);
        text[i] = ',';
    }
}

/* ---- padding ---- */

static rein_status put_padded(rein_jrender *r, rein_str *s, const spec *f, const char *sign, const rein_jvalue *body,
                              char align) {
    int64_t n = rein_jinja_count(body->u.s, body->len) + (int64_t)strlen(sign), extra = f->width > n ? f->width - n : 0;
    rein_jvalue zero = rein_jinja_string("0", 1), blank = rein_jinja_string(" ", 1);
    const rein_jvalue *fill = f->fill.type == REIN_J_STRING ? &f->fill : f->zero ? &zero : &blank;
    if (f->align)
        align = f->align;
    else if (f->zero && align == '>')
        align = '=';
    int64_t left = align == '<' ? 0 : align == '^' ? extra / 2 : extra;
    if (align != '=') REIN_TRY(rein_jinja_fill(r, s, fill, left));
    REIN_TRY(rein_jinja_puts(&r->b, s, sign));
    if (align == '=') REIN_TRY(rein_jinja_fill(r, s, fill, left));
    REIN_TRY(rein_jinja_put(&r->b, s, body->u.s, body->len));
    return rein_jinja_fill(r, s, fill, extra - left);
}

static rein_status put_number(rein_jrender *r, rein_str *s, const spec *f, const rein_jvalue *v, bool whole) {
    char text[NUMBER_BYTES];
    bool negative = whole ? v->u.i < 0 : signbit(rein_jinja_number(v));
    if (whole)
        integer_digits(text, f, v->u.i);
    else
        float_digits(text, f, rein_jinja_number(v));
    if (f->comma) add_commas(text);
    rein_jvalue body = rein_jinja_string(text, strlen(text));
    return put_padded(r, s, f, negative ? "-" : f->sign == '+' ? "+" : f->sign == ' ' ? " " : "", &body, '>');
}

static rein_status put_text(rein_jrender *r, rein_str *s, const spec *f, rein_jvalue text, char align) {
    if (f->precision >= 0) text.len = rein_jinja_offset(text.u.s, text.len, f->precision);
    return put_padded(r, s, f, "", &text, align);
}

static rein_status repr(rein_jrender *r, const rein_jvalue *v, rein_jvalue *out) {
    rein_str s = {0};
    rein_status status = rein_jinja_put_repr(&r->b, &s, v);
    return rein_jinja_finish(&r->b, status, &s, out);
}

/* ---- the % operator ---- */

typedef struct reader {
    const char *at, *end;
} reader;

static char peek(const reader *x) { return x->at < x->end ? *x->at : '\0'; }

/* A number of a specification, or -1 if there is none. */
static rein_status read_count(reader *x, int64_t limit, int64_t *out) {
    *out = -1;
    for (; peek(x) >= '0' && peek(x) <= '9'; x->at++) {
        *out = 10 * (*out < 0 ? 0 : *out) + (peek(x) - '0');
        if (*out > limit)
            return rein_fail(REIN_ERR_FORMAT, "a format asks for more than %lld places", (long long)limit);
    }
    return REIN_OK;
}

typedef struct values {
    const rein_jvalue *all; /* as given */
    int64_t used;
} values;

static rein_status next_value(values *v, rein_jvalue *out) {
    bool tuple = v->all->type == REIN_J_TUPLE;
    int64_t i = v->used++, n = tuple ? v->all->u.list->n : 1;
    if (i >= n) return rein_fail(REIN_ERR_FORMAT, "not enough arguments for format string");
    *out = tuple ? v->all->u.list->items[i] : *v->all;
    return REIN_OK;
}

/* "(name)" behind the %: the member of the mapping. */
static rein_status named_value(rein_jrender *r, reader *x, values *v, rein_jvalue *out) {
    const char *close = memchr(x->at, ')', (size_t)(x->end - x->at));
    rein_jvalue *found = NULL;
    if (!close || v->all->type != REIN_J_DICT) return rein_fail(REIN_ERR_FORMAT, "format requires a mapping");
    REIN_TRY(rein_jinja_find(&r->b, v->all->u.dict, rein_jinja_string(x->at + 1, (size_t)(close - x->at - 1)), &found));
    if (!found) return rein_fail(REIN_ERR_FORMAT, "the format's key %.*s) is missing", (int)(close - x->at), x->at);
    *out = *found;
    x->at = close + 1;
    return REIN_OK;
}

static rein_status read_percent(reader *x, spec *f) {
    static const char flags[] = "-+ #0";
    *f = (spec){.precision = -1};
    for (const char *p; peek(x) && (p = strchr(flags, peek(x))); x->at++) {
        if (*p == '-')
            f->align = '<';
        else if (*p == '#')
            f->alternate = true;
        else if (*p == '0')
            f->zero = true;
        else
            f->sign = f->sign == '+' ? '+' : *p;
    }
    REIN_TRY(read_count(x, MAX_WIDTH, &f->width));
    if (peek(x) == '.') {
        x->at++;
        REIN_TRY(read_count(x, MAX_PRECISION, &f->precision));
        if (f->precision < 0) f->precision = 0;
    }
    f->type = peek(x);
    if (!f->type) return rein_fail(REIN_ERR_FORMAT, "incomplete format");
    x->at++;
    return REIN_OK;
}

static rein_status put_percent(rein_jrender *r, rein_str *s, const spec *f, const rein_jvalue *v) {
    rein_jvalue text = *v, whole = *v;
    if (f->type == 's' || f->type == 'r') {
        REIN_TRY(f->type == 's' ? rein_jinja_to_string(&r->b, v, &text) : repr(r, v, &text));
        return put_text(r, s, f, text, '>');
    }
    if (strchr("diu", f->type)) {
        REIN_TRY(check_number(v, false, f->type));
        if (v->type == REIN_J_FLOAT && !(fabs(v->u.f) < 0x1p63))
            return rein_fail(REIN_ERR_FORMAT, "format %c: %g is no 64-bit integer", f->type, v->u.f);
        if (v->type == REIN_J_FLOAT) whole = rein_jinja_int((int64_t)v->u.f);
        return put_number(r, s, f, &whole, true);
    }
    bool integer = strchr("xXo", f->type) != NULL;
    if (!integer && !strchr("eEfFgG", f->type))
        return rein_fail(REIN_ERR_FORMAT, "unsupported format character '%c'", f->type);
    REIN_TRY(check_number(v, integer, f->type));
    return put_number(r, s, f, v, integer);
}

static rein_status percent(rein_jrender *r, reader x, const rein_jvalue *all, rein_str *s) {
    values v = {.all = all};
    while (x.at < x.end) {
        const char *sign = memchr(x.at, '%', (size_t)(x.end - x.at));
        rein_jvalue value = {0};
        spec f;
        REIN_TRY(rein_jinja_put(&r->b, s, x.at, (size_t)((sign ? sign : x.end) - x.at)));
        x.at = sign ? sign + 1 : x.end;
        if (!sign) break;
        if (peek(&x) == '(') REIN_TRY(named_value(r, &x, &v, &value));
        REIN_TRY(read_percent(&x, &f));
        if (f.type == '%') {
            REIN_TRY(rein_jinja_put(&r->b, s, "%", 1));
            continue;
        }
        if (value.type == REIN_J_UNSET) REIN_TRY(next_value(&v, &value));
        REIN_TRY(put_percent(r, s, &f, &value));
    }
    if (all->type != REIN_J_DICT && v.used < (all->type == REIN_J_TUPLE ? all->u.list->n : 1))
        return rein_fail(REIN_ERR_FORMAT, "not all arguments converted during string formatting");
    return REIN_OK;
}

rein_status rein_jinja_percent(rein_jrender *r, const rein_jvalue *text, const rein_jvalue *all, rein_jvalue *out) {
    rein_str s = {0};
    rein_status status = percent(r, (reader){text->u.s, text->u.s + text->len}, all, &s);
    return rein_jinja_finish(&r->b, status, &s, out);
}

/* ---- str.format ---- */

static bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

/* [[fill]align][sign][#][0][width][,][.precision][type] */
static rein_status read_spec(reader *x, spec *f) {
    *f = (spec){.precision = -1};
    size_t left = (size_t)(x->end - x->at), n = left ? rein_jinja_offset(x->at, left, 1) : 0;
    if (n && n < left && is_align(x->at[n])) {
        f->fill = rein_jinja_string(x->at, n);
        x->at += n;
    }
    if (is_align(peek(x))) f->align = *x->at++;
    if (peek(x) == '+' || peek(x) == '-' || peek(x) == ' ') f->sign = *x->at++;
    if (peek(x) == '#') f->alternate = true, x->at++;
    if (peek(x) == '0') f->zero = true, x->at++;
    REIN_TRY(read_count(x, MAX_WIDTH, &f->width));
    if (peek(x) == ',') f->comma = true, x->at++;
    if (peek(x) == '.') {
        x->at++;
        REIN_TRY(read_count(x, MAX_PRECISION, &f->precision));
    }
    if (peek(x)) f->type = *x->at++;
    if (x->at == x->end && !(f->type && !strchr("bcdeEfFgGosxX%", f->type))) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "invalid format specifier");
}

static rein_status put_formatted(rein_jrender *r, rein_str *s, spec *f, const rein_jvalue *v) {
    rein_jvalue text;
    bool plain = !f->type && f->precision < 0, number = rein_jinja_is_number(v) && v->type != REIN_J_BOOL;
    if (number && v->type == REIN_J_INT && (!f->type || strchr("bdoxX", f->type))) return put_number(r, s, f, v, true);
    if (rein_jinja_is_number(v) && f->type && f->type != 's') {
        bool whole = strchr("bdoxX", f->type) != NULL;
        REIN_TRY(check_number(v, whole, f->type));
        return put_number(r, s, f, v, whole);
    }
    if (number && !plain) return rein_fail(REIN_ERR_FORMAT, "a number needs a format type beside its precision");
    if (!number && f->type && f->type != 's')
        return rein_fail(REIN_ERR_FORMAT, "unknown format code '%c' for an object of type '%s'", f->type,
                         rein_jinja_type_name(v->type));
    REIN_TRY(rein_jinja_to_string(&r->b, v, &text));
    return put_text(r, s, f, text, number ? '>' : '<');
}

/* .name and [key] behind a field's name. */
static rein_status follow(rein_jrender *r, reader *x, rein_jvalue *v) {
    while (peek(x) == '.' || peek(x) == '[') {
        bool item = *x->at++ == '[';
        const char *begin = x->at;
        while (x->at < x->end && *x->at != '.' && *x->at != '[' && *x->at != ']') x->at++;
        rein_jvalue key = rein_jinja_string(begin, (size_t)(x->at - begin)), found;
        reader digits = {begin, x->at};
        int64_t index;
        if (item) REIN_TRY(read_count(&digits, MAX_WIDTH, &index));
        if (item && key.len && digits.at == digits.end) key = rein_jinja_int(index);
        REIN_TRY(item ? rein_jinja_item(r, v, &key, &found) : rein_jinja_attribute(r, v, key.u.s, key.len, &found));
        if (found.type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(&found);
        *v = found;
        if (item && peek(x) != ']') return rein_fail(REIN_ERR_FORMAT, "expected ']' in a format's field");
        if (item) x->at++;
    }
    return REIN_OK;
}

static rein_status field_value(rein_jrender *r, reader *x, const rein_jcall *call, int64_t *automatic, rein_jvalue *v) {
    const char *begin = x->at;
    int64_t index;
    while (x->at < x->end && !strchr(".[!:", *x->at)) x->at++;
    reader digits = {begin, x->at};
    REIN_TRY(read_count(&digits, MAX_WIDTH, &index));
    if (digits.at == x->at) {
        bool counted = index < 0;
        if (counted ? *automatic < 0 : *automatic > 0)
            return rein_fail(REIN_ERR_FORMAT, "format: fields with and without numbers do not mix");
        if (counted)
            index = (*automatic)++;
        else
            *automatic = -1; /* numbers were given */
        if (index >= call->n) return rein_fail(REIN_ERR_FORMAT, "format: argument %lld is missing", (long long)index);
        *v = call->args[index];
    } else {
        rein_jvalue *found = NULL, name = rein_jinja_string(begin, (size_t)(x->at - begin));
        if (call->keywords) REIN_TRY(rein_jinja_find(&r->b, call->keywords, name, &found));
        if (!found) return rein_fail(REIN_ERR_FORMAT, "format: argument '%.*s' is missing", (int)name.len, name.u.s);
        *v = *found;
    }
    return follow(r, x, v);
}

/* "{field!conversion:spec}" without its braces. */
static rein_status put_field(rein_jrender *r, reader x, const rein_jcall *call, int64_t *automatic, rein_str *s) {
    rein_jvalue v;
    spec f;
    REIN_TRY(field_value(r, &x, call, automatic, &v));
    if (peek(&x) == '!') {
        rein_jvalue text;
        char how = x.at + 1 < x.end ? x.at[1] : '\0';
        if (how != 'r' && how != 's') return rein_fail(REIN_ERR_FORMAT, "format: unknown conversion '%c'", how);
        REIN_TRY(how == 'r' ? repr(r, &v, &text) : rein_jinja_to_string(&r->b, &v, &text));
        v = text;
        x.at += 2;
    }
    if (x.at < x.end && *x.at != ':') return rein_fail(REIN_ERR_FORMAT, "format: expected ':' in a field");
    if (x.at < x.end) x.at++;
    REIN_TRY(read_spec(&x, &f));
    return put_formatted(r, s, &f, &v);
}

static rein_status format(rein_jrender *r, reader x, const rein_jcall *call, rein_str *s) {
    int64_t automatic = 0;
    while (x.at < x.end) {
        const char *brace = x.at;
        while (brace < x.end && *brace != '{' && *brace != '}') brace++;
        REIN_TRY(rein_jinja_put(&r->b, s, x.at, (size_t)(brace - x.at)));
        x.at = brace;
        if (brace == x.end) break;
        if (brace + 1 < x.end && brace[1] == *brace) { /* doubled: itself */
            REIN_TRY(rein_jinja_put(&r->b, s, brace, 1));
            x.at += 2;
            continue;
        }
        const char *close = *brace == '{' ? memchr(brace, '}', (size_t)(x.end - brace)) : NULL;
        if (!close) return rein_fail(REIN_ERR_FORMAT, "format: a single '%c'", *brace);
        if (memchr(brace + 1, '{', (size_t)(close - brace - 1)))
            return rein_fail(REIN_ERR_FORMAT, "format: fields inside of fields are not supported");
        REIN_TRY(put_field(r, (reader){brace + 1, close}, call, &automatic, s));
        x.at = close + 1;
    }
    return REIN_OK;
}

rein_status rein_jinja_format(rein_jrender *r, const rein_jvalue *text, const rein_jcall *call, rein_jvalue *out) {
    rein_str s = {0};
    rein_status status = format(r, (reader){text->u.s, text->u.s + text->len}, call, &s);
    return rein_jinja_finish(&r->b, status, &s, out);
}
