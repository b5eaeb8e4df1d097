/* See jinja_strings.h. */
#include "text/jinja_strings.h"

#include <string.h>

#include "text/bytelevel.h"

static size_t char_size(const char *s, size_t len) {
    size_t n = 1;
    while (n < len && ((unsigned char)s[n] & 0xc0) == 0x80) n++;
    return n;
}

static size_t last_char(const char *s, size_t len) {
    size_t at = len - 1;
    while (at > 0 && ((unsigned char)s[at] & 0xc0) == 0x80) at--;
    return at;
}

static bool among(const char *c, size_t n, const rein_jvalue *chars) {
    size_t size;
    if (!chars) return rein_jinja_space(c, n, &size);
    for (size_t i = 0; i < chars->len; i += size) {
        size = char_size(chars->u.s + i, chars->len - i);
        if (size == n && memcmp(chars->u.s + i, c, n) == 0) return true;
    }
    return false;
}

rein_status rein_jinja_strip(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *chars, bool left, bool right,
                             rein_jvalue *out) {
    const char *s = self->u.s;
    size_t begin = 0, end = self->len;
    int64_t cost = 1 + (chars ? (int64_t)chars->len / 16 : 0);
    while (left && begin < end) {
        size_t n = char_size(s + begin, end - begin);
        REIN_TRY(rein_jinja_step(&r->b, cost));
        if (!among(s + begin, n, chars)) break;
        begin += n;
    }
    while (right && end > begin) {
        size_t at = begin + last_char(s + begin, end - begin);
        REIN_TRY(rein_jinja_step(&r->b, cost));
        if (!among(s + at, end - at, chars)) break;
        end = at;
    }
    *out = rein_jinja_string(s + begin, end - begin);
    return REIN_OK;
}

rein_status rein_jinja_find_text(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *sub, bool last,
                                 size_t *at) {
    if (!last) return rein_jinja_search(&r->b, self->u.s, self->len, sub->u.s, sub->len, at);
    *at = self->len + 1;
    for (size_t i = self->len + 1; i-- > 0;) {
        if (i % 16 == 0) REIN_TRY(rein_jinja_step(&r->b, 1));
        if (sub->len > self->len - i || (sub->len && self->u.s[i] != sub->u.s[0])) continue;
        REIN_TRY(rein_jinja_step(&r->b, (int64_t)(sub->len / 64)));
        if (memcmp(self->u.s + i, sub->u.s, sub->len) != 0) continue;
        *at = i;
        return REIN_OK;
    }
    return REIN_OK;
}

static rein_status add_part(rein_jrender *r, rein_jvalue *list, const char *s, size_t len) {
    REIN_TRY(rein_jinja_step(&r->b, 1));
    return rein_jinja_append(&r->b, list->u.list, rein_jinja_string(s, len));
}

static rein_status split_at(rein_jrender *r, rein_jvalue rest, const rein_jvalue *sep, int64_t most, bool right,
                            rein_jvalue *out) {
    for (; most > 0; most--) {
        size_t at;
        REIN_TRY(rein_jinja_find_text(r, &rest, sep, right, &at));
        if (at > rest.len) break;
        size_t after = at + sep->len;
        REIN_TRY(right ? add_part(r, out, rest.u.s + after, rest.len - after) : add_part(r, out, rest.u.s, at));
        rest = right ? rein_jinja_string(rest.u.s, at) : rein_jinja_string(rest.u.s + after, rest.len - after);
    }
    return add_part(r, out, rest.u.s, rest.len);
}

/* Bytes of the word at the end of the text that `rest` has when its space there is cut. */
static size_t word_at(const rein_jvalue *rest, bool right) {
    size_t n = 0, size;
    while (n < rest->len) {
        size_t at = right ? last_char(rest->u.s, rest->len - n) : n, end = right ? rest->len - n : rest->len;
        if (rein_jinja_space(rest->u.s + at, end - at, &size)) break;
        n += right ? end - at : char_size(rest->u.s + at, end - at);
    }
    return n;
}

static rein_status split_blank(rein_jrender *r, rein_jvalue rest, int64_t most, bool right, rein_jvalue *out) {
    for (;; most--) {
        REIN_TRY(rein_jinja_strip(r, &rest, NULL, !right, right, &rest));
        if (rest.len == 0) return REIN_OK;
        if (most <= 0) break;
        size_t n = word_at(&rest, right);
        REIN_TRY(rein_jinja_step(&r->b, (int64_t)n));
        REIN_TRY(add_part(r, out, right ? rest.u.s + rest.len - n : rest.u.s, n));
        rest = right ? rein_jinja_string(rest.u.s, rest.len - n) : rein_jinja_string(rest.u.s + n, rest.len - n);
    }
    return add_part(r, out, rest.u.s, rest.len);
}

rein_status rein_jinja_split(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *sep, int64_t most, bool right,
                             rein_jvalue *out) {
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LIST, 0));
    REIN_TRY(sep ? split_at(r, *self, sep, most, right, out) : split_blank(r, *self, most, right, out));
    rein_jlist *list = out->u.list;
    for (int64_t i = 0; right && i < list->n / 2; i++) { /* found from the right */
        rein_jvalue item = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = item;
    }
    return REIN_OK;
}

static bool ends_line(int32_t c) {
    return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

rein_status rein_jinja_split_lines(rein_jrender *r, const rein_jvalue *self, bool keep_ends, rein_jvalue *out) {
    size_t begin = 0, n;
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LIST, 0));
    REIN_TRY(rein_jinja_step(&r->b, (int64_t)(self->len / 4)));
    for (size_t i = 0; i < self->len; i += n) {
        int32_t c = rein_utf8_decode(self->u.s + i, self->len - i, &n);
        if (!ends_line(c)) continue;
        if (c == '\r' && i + 1 < self->len && self->u.s[i + 1] == '\n') n = 2;
        REIN_TRY(add_part(r, out, self->u.s + begin, (keep_ends ? i + n : i) - begin));
        begin = i + n;
    }
    return begin < self->len ? add_part(r, out, self->u.s + begin, self->len - begin) : REIN_OK;
}

rein_status rein_jinja_fill(rein_jrender *r, rein_str *s, const rein_jvalue *fill, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY(rein_jinja_step(&r->b, 1));
        REIN_TRY(rein_jinja_put(&r->b, s, fill->u.s, fill->len));
    }
    return REIN_OK;
}

static rein_status put_replaced(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *old,
                                const rein_jvalue *with, int64_t most, rein_str *s) {
    size_t at = 0, found;
    for (; most > 0; most--) {
        REIN_TRY(rein_jinja_search(&r->b, self->u.s + at, self->len - at, old->u.s, old->len, &found));
        if (found > self->len - at) break;
        REIN_TRY(rein_jinja_step(&r->b, 1));
        REIN_TRY(rein_jinja_put(&r->b, s, self->u.s + at, found));
        REIN_TRY(rein_jinja_put(&r->b, s, with->u.s, with->len));
        at += found + old->len;
        if (old->len == 0) { /* between characters, too */
            if (at == self->len) return REIN_OK;
            size_t n = char_size(self->u.s + at, self->len - at);
            REIN_TRY(rein_jinja_put(&r->b, s, self->u.s + at, n));
            at += n;
        }
    }
    return rein_jinja_put(&r->b, s, self->u.s + at, self->len - at);
}

rein_status rein_jinja_replace(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *old,
                               const rein_jvalue *with, int64_t most, rein_jvalue *out) {
    rein_str s = {0};
    rein_status status = put_replaced(r, self, old, with, most, &s);
    return rein_jinja_finish(&r->b, status, &s, out);
}

rein_status rein_jinja_method(rein_jrender *r, const char *name, const rein_jvalue *self, const rein_jvalue *args,
                              int64_t n, rein_jvalue *out) {
    rein_jvalue text;
    REIN_TRY(rein_jinja_to_string(&r->b, self, &text));
    return rein_jinja_invoke(r, rein_jinja_entry(rein_jinja_string_methods, name, strlen(name)), &text,
                             &(rein_jcall){.args = args, .n = n}, out);
}
