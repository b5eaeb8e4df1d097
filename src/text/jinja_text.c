/* Values as text: str(), repr() and json.dumps() of Python; see jinja_value.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/bytelevel.h"
#include "text/jinja_value.h"

enum { NESTING = 200 };

/* ---- numbers ---- */

void rein_jinja_put_float(rein_str *s, double x) {
    char text[40];
    if (!isfinite(x)) {
        rein_str_puts(s, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        return;
    }
    int precision = 0;
    do snprintf(text, sizeof text, "%.*e", precision, x);
    while (strtod(text, NULL) != x && ++precision < 17);
    int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) { /* as it stands: 1e+16, 1.5e-07 */
        rein_str_puts(s, text);
        return;
    }
    int decimals = precision - exponent;
    rein_str_printf(s, "%.*f", decimals > 1 ? decimals : 1, x);
}

static rein_status put_number(rein_jbudget *b, rein_str *s, const rein_jvalue *v) {
    REIN_TRY(rein_jinja_step(b, 1));
    if (v->type == REIN_J_FLOAT)
        rein_jinja_put_float(s, v->u.f);
    else
        rein_str_printf(s, "%lld", (long long)v->u.i);
    return rein_str_check(s);
}

/* ---- repr ---- */

static rein_status put_repr_at(rein_jbudget *b, rein_str *s, const rein_jvalue *v, int depth);

static rein_status put_escaped_char(rein_jbudget *b, rein_str *s, int32_t c) {
    char text[16];
    const char *name = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
    snprintf(text, sizeof text, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c);
    return rein_jinja_puts(b, s, name ? name : text);
}

static rein_status printable(const char *s, size_t len, int32_t c, bool *yes) {
    bool found = false;
    if (c >= 0x80) REIN_TRY(rein_jinja_match("[\\p{C}\\p{Z}]", s, len, &found));
    *yes = c >= 0x80 ? !found : c >= 0x20 && c != 0x7f;
    return REIN_OK;
}

static rein_status put_string_repr(rein_jbudget *b, rein_str *s, const rein_jvalue *v) {
    bool single = v->len && memchr(v->u.s, '\'', v->len), twice = v->len && memchr(v->u.s, '"', v->len);
    char quote = single && !twice ? '"' : '\'';
    REIN_TRY(rein_jinja_put(b, s, &quote, 1));
    for (size_t i = 0, n; i < v->len; i += n) {
        bool plain = false;
        int32_t c = rein_utf8_decode(v->u.s + i, v->len - i, &n);
        REIN_TRY(printable(v->u.s + i, n, c, &plain));
        if (!plain) {
            REIN_TRY(put_escaped_char(b, s, c));
            continue;
        }
        if (c == '\\' || c == quote) REIN_TRY(rein_jinja_put(b, s, "\\", 1));
        REIN_TRY(rein_jinja_put(b, s, v->u.s + i, n));
    }
    return rein_jinja_put(b, s, &quote, 1);
}

static rein_status put_items(rein_jbudget *b, rein_str *s, const rein_jlist *list, int depth) {
    for (int64_t i = 0; i < list->n; i++) {
        if (i) REIN_TRY(rein_jinja_puts(b, s, ", "));
        REIN_TRY(put_repr_at(b, s, &list->items[i], depth + 1));
    }
    return REIN_OK;
}

static rein_status put_dict(rein_jbudget *b, rein_str *s, const rein_jdict *d, int depth) {
    REIN_TRY(rein_jinja_puts(b, s, "{"));
    for (int64_t i = 0; i < d->n; i++) {
        if (i) REIN_TRY(rein_jinja_puts(b, s, ", "));
        REIN_TRY(put_repr_at(b, s, &d->keys[i], depth + 1));
        REIN_TRY(rein_jinja_puts(b, s, ": "));
        REIN_TRY(put_repr_at(b, s, &d->values[i], depth + 1));
    }
    return rein_jinja_puts(b, s, "}");
}

static rein_status put_range(rein_jbudget *b, rein_str *s, const rein_jlist *list) {
    char text[96];
    int n = snprintf(text, sizeof text, "range(%lld, %lld", (long long)list->start, (long long)list->stop);
    if (list->step != 1) n += snprintf(text + n, sizeof text - (size_t)n, ", %lld", (long long)list->step);
    snprintf(text + n, sizeof text - (size_t)n, ")");
    return rein_jinja_puts(b, s, text);
}

static rein_status put_sequence(rein_jbudget *b, rein_str *s, const rein_jvalue *v, int depth) {
    const rein_jlist *list = v->u.list;
    if (v->type == REIN_J_RANGE) return put_range(b, s, list);
    if (v->type == REIN_J_VIEW) REIN_TRY(rein_jinja_puts(b, s, list->name));
    const char *open = v->type == REIN_J_TUPLE ? "(" : v->type == REIN_J_VIEW ? "([" : "[";
    const char *close = v->type == REIN_J_TUPLE ? (list->n == 1 ? ",)" : ")") : v->type == REIN_J_VIEW ? "])" : "]";
    REIN_TRY(rein_jinja_puts(b, s, open));
    REIN_TRY(put_items(b, s, list, depth));
    return rein_jinja_puts(b, s, close);
}

static rein_status put_repr_at(rein_jbudget *b, rein_str *s, const rein_jvalue *v, int depth) {
    if (depth > NESTING) return rein_fail(REIN_ERR_FORMAT, "a value is nested deeper than %d levels", NESTING);
    switch (v->type) {
    case REIN_J_UNDEFINED:
        return rein_jinja_puts(b, s, "Undefined");
    case REIN_J_NONE:
        return rein_jinja_puts(b, s, "None");
    case REIN_J_BOOL:
        return rein_jinja_puts(b, s, v->u.i ? "True" : "False");
    case REIN_J_INT:
    case REIN_J_FLOAT:
        return put_number(b, s, v);
    case REIN_J_STRING:
        return put_string_repr(b, s, v);
    case REIN_J_LIST:
    case REIN_J_TUPLE:
    case REIN_J_RANGE:
    case REIN_J_VIEW:
        return put_sequence(b, s, v, depth);
    case REIN_J_DICT:
        return put_dict(b, s, v->u.dict, depth);
    case REIN_J_NAMESPACE:
        REIN_TRY(rein_jinja_puts(b, s, "<Namespace "));
        REIN_TRY(put_dict(b, s, v->u.dict, depth));
        return rein_jinja_puts(b, s, ">");
    case REIN_J_LAZY:
        return rein_fail(REIN_ERR_FORMAT, "a generator has no text; write '| list' behind it");
    default:
        return rein_fail(REIN_ERR_FORMAT, "a %s has no text; call it, or take a part of it",
                         rein_jinja_type_name(v->type));
    }
}

rein_status rein_jinja_put_repr(rein_jbudget *b, rein_str *s, const rein_jvalue *v) { return put_repr_at(b, s, v, 0); }

rein_status rein_jinja_put_str(rein_jbudget *b, rein_str *s, const rein_jvalue *v) {
    if (v->type == REIN_J_STRING) return rein_jinja_put(b, s, v->u.s, v->len);
    if (v->type == REIN_J_UNDEFINED) return REIN_OK;
    return put_repr_at(b, s, v, 0);
}

rein_status rein_jinja_to_string(rein_jbudget *b, const rein_jvalue *v, rein_jvalue *out) {
    rein_str s = {0};
    if (v->type == REIN_J_STRING) {
        *out = *v;
        return REIN_OK;
    }
    rein_status status = rein_jinja_put_str(b, &s, v);
    return rein_jinja_finish(b, status, &s, out);
}

/* ---- JSON ---- */

static rein_status put_ascii(rein_jbudget *b, rein_str *s, int32_t c) {
    char text[16];
    if (c >= 0x10000)
        snprintf(text, sizeof text, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (c >> 10)), (unsigned)(0xdc00 + (c & 0x3ff)));
    else
        snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
    return rein_jinja_puts(b, s, text);
}

static rein_status put_json_string(rein_jbudget *b, rein_str *s, const char *text, size_t len, bool ascii) {
    static const char named[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    REIN_TRY(rein_jinja_put(b, s, "\"", 1));
    for (size_t i = 0, n; i < len; i += n) {
        int32_t c = rein_utf8_decode(text + i, len - i, &n);
        const char *found = c < 0x80 ? memchr(named, c, sizeof named - 1) : NULL;
        if (found) {
            char two[2] = {'\\', letter[found - named]};
            REIN_TRY(rein_jinja_put(b, s, two, 2));
        } else if (c < 0x20 || (ascii && c >= 0x7f)) {
            REIN_TRY(put_ascii(b, s, c));
        } else {
            REIN_TRY(rein_jinja_put(b, s, text + i, n));
        }
    }
    return rein_jinja_put(b, s, "\"", 1);
}

typedef struct dump {
    rein_jbudget *b;
    rein_str *s;
    const rein_jdump *o;
} dump;

static rein_status put_value(const dump *d, const rein_jvalue *v, int depth);

static rein_status new_line(const dump *d, int depth) {
    if (!d->o->indent) return REIN_OK;
    REIN_TRY(rein_jinja_put(d->b, d->s, "\n", 1));
    for (int i = 0; i < depth; i++) REIN_TRY(rein_jinja_put(d->b, d->s, d->o->indent, d->o->indent_len));
    return REIN_OK;
}

static rein_status before_item(const dump *d, int64_t i, int depth) {
    if (i) REIN_TRY(rein_jinja_put(d->b, d->s, d->o->item_separator.u.s, d->o->item_separator.len));
    return new_line(d, depth + 1);
}

static rein_status put_json_number(const dump *d, const rein_jvalue *v) {
    if (v->type == REIN_J_FLOAT && !isfinite(v->u.f))
        return rein_jinja_puts(d->b, d->s, isnan(v->u.f) ? "NaN" : v->u.f > 0 ? "Infinity" : "-Infinity");
    return put_number(d->b, d->s, v);
}

static rein_status put_scalar(const dump *d, const rein_jvalue *v) {
    switch (v->type) {
    case REIN_J_NONE:
        return rein_jinja_puts(d->b, d->s, "null");
    case REIN_J_BOOL:
        return rein_jinja_puts(d->b, d->s, v->u.i ? "true" : "false");
    case REIN_J_INT:
    case REIN_J_FLOAT:
        return put_json_number(d, v);
    case REIN_J_STRING:
        return put_json_string(d->b, d->s, v->u.s, v->len, d->o->ascii);
    default:
        return rein_fail(REIN_ERR_FORMAT, "object of type %s is not JSON serializable", rein_jinja_type_name(v->type));
    }
}

static rein_status put_key(const dump *d, const rein_jvalue *key) {
    if (key->type < REIN_J_NONE || key->type > REIN_J_STRING)
        return rein_fail(REIN_ERR_FORMAT, "a key of type %s is not JSON serializable", rein_jinja_type_name(key->type));
    bool string = key->type == REIN_J_STRING;
    if (!string) REIN_TRY(rein_jinja_put(d->b, d->s, "\"", 1));
    REIN_TRY(put_scalar(d, key));
    if (!string) REIN_TRY(rein_jinja_put(d->b, d->s, "\"", 1));
    return rein_jinja_put(d->b, d->s, d->o->key_separator.u.s, d->o->key_separator.len);
}

/* Members by key: insertion into a copy, since objects are small. */
static rein_status sort_members(rein_jbudget *b, const rein_jdict *from, rein_jdict **out) {
    rein_jvalue copy;
    REIN_TRY(rein_jinja_dict(b, &copy, REIN_J_DICT, from->n));
    rein_jdict *to = copy.u.dict;
    for (int64_t i = 0; i < from->n; i++) {
        int64_t k = to->n++;
        for (; k > 0; k--) {
            int order;
            REIN_TRY(rein_jinja_compare(b, &from->keys[i], &to->keys[k - 1], &order));
            if (order >= 0) break;
            to->keys[k] = to->keys[k - 1];
            to->values[k] = to->values[k - 1];
        }
        to->keys[k] = from->keys[i];
        to->values[k] = from->values[i];
    }
    *out = to;
    return REIN_OK;
}

static rein_status put_object(const dump *d, const rein_jdict *members, int depth) {
    rein_jdict *sorted = NULL;
    if (members->n == 0) return rein_jinja_puts(d->b, d->s, "{}");
    if (d->o->sort_keys) REIN_TRY(sort_members(d->b, members, &sorted));
    if (sorted) members = sorted;
    REIN_TRY(rein_jinja_puts(d->b, d->s, "{"));
    for (int64_t i = 0; i < members->n; i++) {
        REIN_TRY(before_item(d, i, depth));
        REIN_TRY(put_key(d, &members->keys[i]));
        REIN_TRY(put_value(d, &members->values[i], depth + 1));
    }
    REIN_TRY(new_line(d, depth));
    return rein_jinja_puts(d->b, d->s, "}");
}

static rein_status put_array(const dump *d, const rein_jlist *list, int depth) {
    if (list->n == 0) return rein_jinja_puts(d->b, d->s, "[]");
    REIN_TRY(rein_jinja_puts(d->b, d->s, "["));
    for (int64_t i = 0; i < list->n; i++) {
        REIN_TRY(before_item(d, i, depth));
        REIN_TRY(put_value(d, &list->items[i], depth + 1));
    }
    REIN_TRY(new_line(d, depth));
    return rein_jinja_puts(d->b, d->s, "]");
}

static rein_status put_value(const dump *d, const rein_jvalue *v, int depth) {
    REIN_TRY(rein_jinja_step(d->b, 1));
    if (depth > NESTING) return rein_fail(REIN_ERR_FORMAT, "a value is nested deeper than %d levels", NESTING);
    if (v->type == REIN_J_DICT) return put_object(d, v->u.dict, depth);
    if (v->type == REIN_J_LIST || v->type == REIN_J_TUPLE) return put_array(d, v->u.list, depth);
    return put_scalar(d, v);
}

rein_status rein_jinja_put_json(rein_jbudget *b, rein_str *s, const rein_jvalue *v, const rein_jdump *o) {
    return put_value(&(dump){b, s, o}, v, 0);
}
