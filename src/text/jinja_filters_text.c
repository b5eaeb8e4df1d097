/* Filters on texts and numbers; see jinja_eval.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja_strings.h"

/* ---- what string methods do, on the text of any value ---- */

static rein_status f_method(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    (void)a;
    return rein_jinja_method(r, call->entry->with[0], self, call->args, call->n, out);
}

static rein_status f_trim(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                          rein_jvalue *out) {
    (void)call;
    return rein_jinja_method(r, "strip", self, a, 1, out);
}

static rein_status f_center(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    rein_jvalue width = a[0].type == REIN_J_UNSET ? rein_jinja_int(80) : a[0];
    (void)call;
    return rein_jinja_method(r, "center", self, &width, 1, out);
}

static rein_status f_replace(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                             rein_jvalue *out) {
    rein_jvalue args[3] = {{0}, {0}, a[2]};
    (void)call;
    REIN_TRY(rein_jinja_to_string(&r->b, &a[0], &args[0]));
    REIN_TRY(rein_jinja_to_string(&r->b, &a[1], &args[1]));
    return rein_jinja_method(r, "replace", self, args, 3, out);
}

static rein_status f_substitute(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                                rein_jvalue *out) {
    rein_jvalue text;
    rein_str s = {0};
    (void)a;
    REIN_TRY(rein_jinja_to_string(&r->b, self, &text));
    rein_status status =
        rein_jinja_substitute(&r->b, &s, call->entry->with[0], call->entry->with[1], text.u.s, text.len);
    return rein_jinja_finish(&r->b, status, &s, out);
}

static rein_status f_string(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    (void)a, (void)call;
    return rein_jinja_to_string(&r->b, self, out);
}

static rein_status f_format(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    rein_jvalue text, values;
    (void)a;
    REIN_TRY(rein_jinja_to_string(&r->b, self, &text));
    if (call->n && call->keywords)
        return rein_fail(REIN_ERR_FORMAT, "format takes positional or keyword arguments, not both");
    REIN_TRY(call->keywords ? rein_jinja_dict(&r->b, &values, REIN_J_DICT, 0)
                            : rein_jinja_list(&r->b, &values, REIN_J_TUPLE, call->n));
    for (int64_t i = 0; i < call->n; i++) REIN_TRY(rein_jinja_append(&r->b, values.u.list, call->args[i]));
    for (int64_t i = 0; call->keywords && i < call->keywords->n; i++)
        REIN_TRY(rein_jinja_put_member(&r->b, values.u.dict, call->keywords->keys[i], call->keywords->values[i]));
    return rein_jinja_percent(r, &text, &values, out);
}

/* ---- layout ---- */

static rein_status put_indented(rein_jrender *r, const rein_jlist *lines, const rein_jvalue *indent, bool first,
                                bool blank, rein_str *s) {
    if (first) REIN_TRY(rein_jinja_put(&r->b, s, indent->u.s, indent->len));
    for (int64_t i = 0; i < lines->n; i++) {
        const rein_jvalue *line = &lines->items[i];
        if (i) REIN_TRY(rein_jinja_put(&r->b, s, "\n", 1));
        if (i && (blank || line->len)) REIN_TRY(rein_jinja_put(&r->b, s, indent->u.s, indent->len));
        REIN_TRY(rein_jinja_put(&r->b, s, line->u.s, line->len));
    }
    return REIN_OK;
}

static rein_status f_indent(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    rein_jvalue indent = a[0], four = rein_jinja_int(4), blank = rein_jinja_string(" ", 1), text, lines,
                newline = rein_jinja_string("\n", 1);
    rein_str s = {0};
    (void)call;
    if (self->type != REIN_J_STRING) /* Jinja adds "\n" to it */
        return self->type == REIN_J_UNDEFINED ? rein_jinja_fail_undefined(self)
                                              : rein_fail(REIN_ERR_FORMAT, "indent: a string is required, not %s",
                                                          rein_jinja_type_name(self->type));
    if (indent.type != REIN_J_STRING)
        REIN_TRY(rein_jinja_binary(r, '*', &blank, indent.type == REIN_J_UNSET ? &four : &a[0], &indent));
    REIN_TRY(rein_jinja_binary(r, '+', self, &newline, &text));
    REIN_TRY(rein_jinja_split_lines(r, &text, false, &lines));
    rein_status status = put_indented(r, lines.u.list, &indent, rein_jinja_truth(&a[1]), rein_jinja_truth(&a[2]), &s);
    return rein_jinja_finish(&r->b, status, &s, out);
}

static rein_status f_truncate(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                              rein_jvalue *out) {
    int64_t length, leeway, n;
    rein_jvalue end, kept;
    size_t blank;
    (void)call;
    REIN_TRY(rein_jinja_int_arg(&a[0], "length", 255, &length));
    REIN_TRY(rein_jinja_text_arg(&a[2], "end", "...", &end));
    REIN_TRY(rein_jinja_int_arg(&a[3], "leeway", 5, &leeway));
    int64_t cut = length - rein_jinja_count(end.u.s, end.len);
    if (self->type != REIN_J_STRING || cut < 0 || leeway < 0 || length > REIN_JINJA_MAX_BYTES ||
        leeway > REIN_JINJA_MAX_BYTES)
        return rein_fail(REIN_ERR_FORMAT, "truncate: a string, and a length that its end fits into, are required");
    REIN_TRY(rein_jinja_length(self, &n));
    *out = *self;
    if (n <= length + leeway) return rein_jinja_step(&r->b, 1);
    kept = rein_jinja_string(self->u.s, rein_jinja_offset(self->u.s, self->len, cut));
    rein_jvalue space = rein_jinja_string(" ", 1);
    if (!rein_jinja_truth(&a[1])) {
        REIN_TRY(rein_jinja_find_text(r, &kept, &space, true, &blank));
        if (blank <= kept.len) kept.len = blank;
    }
    return rein_jinja_binary(r, '+', &kept, &end, out);
}

/* One line of textwrap.wrap: words and the blanks between them, filled greedily. */
static rein_status wrap_line(rein_jrender *r, const rein_jvalue *line, int64_t width, bool cut, const rein_jvalue *with,
                             bool *begun, rein_str *s) {
    static const char blanks[] = "\t\n\v\f\r ";
    const char *p = line->u.s, *end = p + line->len;
    bool first_line = true;
    while (p < end) {
        const char *from = p, *last = NULL; /* the row is [from, last); blanks at its end are dropped */
        int64_t n = 0;
        if (!first_line)
            while (from < end && memchr(blanks, *from, 6)) from++;
        for (p = from; p < end;) {
            bool blank = memchr(blanks, *p, 6) != NULL;
            const char *q = p;
            while (q < end && (memchr(blanks, *q, 6) != NULL) == blank) q++;
            int64_t size = rein_jinja_count(p, (size_t)(q - p));
            REIN_TRY(rein_jinja_step(&r->b, 1 + size));
            if (n + size > width) {
                if (size > width && cut)
                    q = p + rein_jinja_offset(p, (size_t)(q - p), width > n ? width - n : n ? 0 : 1);
                if (size <= width || (!cut && n) || q == p) break;
            }
            n += rein_jinja_count(p, (size_t)(q - p));
            p = q;
            if (!blank) last = q;
            if (n >= width) break;
        }
        if (!last) continue;
        if (*begun) REIN_TRY(rein_jinja_put(&r->b, s, with->u.s, with->len));
        REIN_TRY(rein_jinja_put(&r->b, s, from, (size_t)(last - from)));
        *begun = true;
        first_line = false;
    }
    return REIN_OK;
}

static rein_status wrap_lines(rein_jrender *r, const rein_jlist *lines, int64_t width, bool cut,
                              const rein_jvalue *with, rein_str *s) {
    for (int64_t i = 0; i < lines->n; i++) {
        bool begun = false;
        if (i) REIN_TRY(rein_jinja_put(&r->b, s, with->u.s, with->len));
        REIN_TRY(wrap_line(r, &lines->items[i], width, cut, with, &begun, s));
    }
    return REIN_OK;
}

static rein_status f_wordwrap(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                              rein_jvalue *out) {
    int64_t width;
    rein_jvalue with, lines;
    rein_str s = {0};
    (void)call;
    REIN_TRY(rein_jinja_int_arg(&a[0], "width", 79, &width));
    REIN_TRY(rein_jinja_text_arg(&a[2], "wrapstring", "\n", &with));
    if (self->type != REIN_J_STRING || width < 1)
        return rein_fail(REIN_ERR_FORMAT, "wordwrap: a string and a width of at least 1 are required");
    bool hyphens = a[3].type == REIN_J_UNSET || rein_jinja_truth(&a[3]);
    if (hyphens && self->len && memchr(self->u.s, '-', self->len))
        return rein_fail(REIN_ERR_FORMAT, "wordwrap at hyphens is not supported; give break_on_hyphens=false");
    REIN_TRY(rein_jinja_split_lines(r, self, false, &lines));
    rein_status status =
        wrap_lines(r, lines.u.list, width, a[1].type == REIN_J_UNSET || rein_jinja_truth(&a[1]), &with, &s);
    return rein_jinja_finish(&r->b, status, &s, out);
}

static rein_status f_wordcount(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                               rein_jvalue *out) {
    rein_jvalue text;
    rein_str s = {0};
    (void)a, (void)call;
    REIN_TRY(rein_jinja_to_string(&r->b, self, &text));
    rein_status status = rein_jinja_substitute(&r->b, &s, "\\W*(\\w+)\\W*|\\W+", "${1:+w:}", text.u.s, text.len);
    REIN_TRY(rein_jinja_finish(&r->b, status, &s, &text));
    *out = rein_jinja_int((int64_t)text.len);
    return REIN_OK;
}

/* ---- escapes ---- */

static rein_status put_escaped(rein_jrender *r, const rein_jvalue *text, rein_str *s) {
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    for (size_t i = 0; i < text->len; i++) {
        const char *found = memchr(from, text->u.s[i], 5);
        REIN_TRY(found ? rein_jinja_puts(&r->b, s, to[found - from]) : rein_jinja_put(&r->b, s, text->u.s + i, 1));
    }
    return REIN_OK;
}

static rein_status f_escape(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    rein_jvalue text;
    rein_str s = {0};
    (void)a, (void)call;
    REIN_TRY(rein_jinja_to_string(&r->b, self, &text));
    rein_status status = put_escaped(r, &text, &s);
    return rein_jinja_finish(&r->b, status, &s, out);
}

/* Without comments and tags, blanks as one; entities beside the five of `escape` are refused. */
static rein_status f_striptags(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                               rein_jvalue *out) {
    static const char *const entities[][2] = {{"&lt;", "<"},   {"&gt;", ">"},    {"&#39;", "'"},
                                              {"&#34;", "\""}, {"&quot;", "\""}, {"&amp;", "&"}};
    rein_jvalue text, words, blank = rein_jinja_string(" ", 1);
    rein_str s = {0};
    bool other;
    (void)a, (void)call;
    REIN_TRY(rein_jinja_to_string(&r->b, self, &text));
    rein_status status = rein_jinja_substitute(&r->b, &s, "<!--.*?-->|<.*?>", "", text.u.s, text.len);
    REIN_TRY(rein_jinja_finish(&r->b, status, &s, &text));
    REIN_TRY(rein_jinja_split(r, &text, NULL, INT64_MAX, false, &words));
    REIN_TRY(rein_jinja_method(r, "join", &blank, &words, 1, &text));
    REIN_TRY(rein_jinja_match("&(?!(lt|gt|amp|quot|#39|#34);)#?\\w+;", text.u.s, text.len, &other));
    if (other) return rein_fail(REIN_ERR_FORMAT, "striptags: only the entities lt, gt, amp, quot, #39, #34 are known");
    for (size_t i = 0; i < REIN_COUNT(entities); i++) {
        rein_jvalue args[2] = {rein_jinja_string(entities[i][0], strlen(entities[i][0])),
                               rein_jinja_string(entities[i][1], 1)};
        REIN_TRY(rein_jinja_method(r, "replace", &text, args, 2, out));
        text = *out;
    }
    return REIN_OK;
}

static rein_status put_quoted(rein_jrender *r, const rein_jvalue *v, bool query, rein_str *s) {
    rein_jvalue text;
    REIN_TRY(rein_jinja_to_string(&r->b, v, &text));
    for (size_t i = 0; i < text.len; i++) {
        char c = text.u.s[i], code[4];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("_.-~", c)) || (c == '/' && !query);
        snprintf(code, sizeof code, "%%%02X", (unsigned char)c);
        REIN_TRY(rein_jinja_puts(&r->b, s, plain ? (char[]){c, 0} : query && c == ' ' ? "+" : code));
    }
    return REIN_OK;
}

static rein_status put_query(rein_jrender *r, const rein_jvalue *v, rein_str *s) {
    rein_jlist *items, *pair;
    rein_jvalue list = *v;
    if (v->type == REIN_J_DICT) REIN_TRY(rein_jinja_members(&r->b, v->u.dict, "items", REIN_J_LIST, &list));
    REIN_TRY(rein_jinja_iterate(&r->b, &list, &items));
    for (int64_t i = 0; i < items->n; i++) {
        REIN_TRY(rein_jinja_iterate(&r->b, &items->items[i], &pair));
        if (pair->n != 2) return rein_fail(REIN_ERR_FORMAT, "urlencode: item %lld is no pair", (long long)i);
        if (i) REIN_TRY(rein_jinja_put(&r->b, s, "&", 1));
        REIN_TRY(put_quoted(r, &pair->items[0], true, s));
        REIN_TRY(rein_jinja_put(&r->b, s, "=", 1));
        REIN_TRY(put_quoted(r, &pair->items[1], true, s));
    }
    return REIN_OK;
}

static rein_status f_urlencode(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                               rein_jvalue *out) {
    rein_str s = {0};
    (void)a, (void)call;
    bool query = rein_jinja_is_sequence(self) || self->type == REIN_J_DICT || self->type == REIN_J_UNDEFINED;
    rein_status status = query ? put_query(r, self, &s) : put_quoted(r, self, false, &s);
    return rein_jinja_finish(&r->b, status, &s, out);
}

/* ---- numbers ---- */

/* The text of a number as Python's int() and float() take it: blanks around it and '_' between digits are left out. */
static bool number_text(const rein_jvalue *v, char text[64]) {
    size_t begin = 0, end = v->len, n = 0, size;
    while (begin < end && rein_jinja_space(v->u.s + begin, end - begin, &size)) begin += size;
    while (end > begin && strchr(" \t\n\v\f\r", v->u.s[end - 1])) end--;
    for (size_t i = begin; i < end; i++) {
        char c = v->u.s[i];
        bool inner = i > begin && i + 1 < end && v->u.s[i - 1] != '_' && v->u.s[i + 1] != '_';
        if (c == '_' && inner) continue;
        if (c == '\0' || n + 1 == 64) return false;
        text[n++] = c;
    }
    text[n] = '\0';
    return n > 0;
}

static bool parse_float(const rein_jvalue *v, double *out) {
    char text[64], *end;
    if (!number_text(v, text)) return false;
    size_t sign = text[0] == '-' || text[0] == '+';
    bool word = strspn(text + sign, "infatyINFATY") == strlen(text + sign);
    if (!word && strspn(text + sign, "0123456789.eE+-") != strlen(text + sign)) return false; /* no hexadecimal */
    *out = strtod(text, &end);
    return *end == '\0';
}

static bool parse_int(const rein_jvalue *v, int64_t base, int64_t *out) {
    char text[64], *end;
    if (!number_text(v, text) || strchr("-+", text[1]) == text + 1) return false;
    long long i = strtoll(text, &end, (int)base);
    bool plain = base != 10 || strspn(text + (text[0] == '-' || text[0] == '+'), "0123456789") ==
                                   strlen(text) - (text[0] == '-' || text[0] == '+');
    *out = i;
    return *end == '\0' && end != text && plain && i != INT64_MAX && i != INT64_MIN;
}

static rein_status f_int(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    int64_t base, i = 0;
    double f = NAN;
    (void)call;
    if (self->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(self);
    REIN_TRY(rein_jinja_int_arg(&a[1], "base", 10, &base));
    if (base < 2 || base > 36)
        return rein_fail(REIN_ERR_FORMAT, "int: the base %lld is not between 2 and 36", (long long)base);
    *out = a[0].type == REIN_J_UNSET ? rein_jinja_int(0) : a[0];
    if (self->type == REIN_J_INT || self->type == REIN_J_BOOL)
        *out = rein_jinja_int(self->u.i);
    else if (self->type == REIN_J_STRING && parse_int(self, base, &i))
        *out = rein_jinja_int(i);
    else if (self->type == REIN_J_FLOAT || (self->type == REIN_J_STRING && parse_float(self, &f))) {
        if (self->type == REIN_J_FLOAT) f = self->u.f;
        if (fabs(f) < 0x1p63)
            *out = rein_jinja_int((int64_t)f);
        else if (isfinite(f))
            return rein_fail(REIN_ERR_FORMAT, "int: %g needs more than 64 bits", f);
    }
    return rein_jinja_step(&r->b, 1);
}

static rein_status f_float(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    double f;
    (void)call;
    if (self->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(self);
    *out = a[0].type == REIN_J_UNSET ? rein_jinja_float(0) : a[0];
    if (rein_jinja_is_number(self))
        *out = rein_jinja_float(rein_jinja_number(self));
    else if (self->type == REIN_J_STRING && parse_float(self, &f))
        *out = rein_jinja_float(f);
    return rein_jinja_step(&r->b, 1);
}

static rein_status f_round(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    int64_t places;
    rein_jvalue method;
    char text[512];
    (void)call;
    REIN_TRY(rein_jinja_int_arg(&a[0], "precision", 0, &places));
    REIN_TRY(rein_jinja_text_arg(&a[1], "method", "common", &method));
    bool common = rein_jinja_is_string(&method, "common"), ceiling = rein_jinja_is_string(&method, "ceil");
    if (!common && !ceiling && !rein_jinja_is_string(&method, "floor"))
        return rein_fail(REIN_ERR_FORMAT, "round: the method must be common, ceil or floor");
    if (self->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(self);
    if (!rein_jinja_is_number(self) || places < 0 || places > 100)
        return rein_fail(REIN_ERR_FORMAT, "round: a number and a precision from 0 to 100 are required");
    if (common && self->type != REIN_J_FLOAT) {
        *out = rein_jinja_int(self->u.i);
        return rein_jinja_step(&r->b, 1);
    }
    double x = rein_jinja_number(self), scale = 1;
    for (int64_t i = 0; i < places; i++) scale *= 10;
    snprintf(text, sizeof text, "%.*f", (int)places, x); /* rounds the exact value, ties to even */
    *out = rein_jinja_float(common ? strtod(text, NULL) : (ceiling ? ceil(x * scale) : floor(x * scale)) / scale);
    return rein_jinja_step(&r->b, 1);
}

static rein_status f_abs(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    (void)r, (void)a, (void)call;
    bool negative = rein_jinja_is_number(self) && (self->type == REIN_J_FLOAT ? signbit(self->u.f) : self->u.i < 0);
    return rein_jinja_negate(self, negative, out);
}

static rein_status f_filesize(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                              rein_jvalue *out) {
    static const char letters[] = "kMGTPEZY";
    char text[64];
    double bytes, base = rein_jinja_truth(&a[0]) ? 1024 : 1000, unit = base;
    rein_str s = {0};
    (void)call;
    if (!rein_jinja_is_number(self) && !(self->type == REIN_J_STRING && parse_float(self, &bytes)))
        return rein_fail(REIN_ERR_FORMAT, "filesizeformat: a number is required");
    if (rein_jinja_is_number(self)) bytes = rein_jinja_number(self);
    size_t i = 0;
    while (i + 2 < sizeof letters && bytes >= unit * base) unit *= base, i++;
    if (bytes == 1)
        snprintf(text, sizeof text, "1 Byte");
    else if (bytes < base)
        snprintf(text, sizeof text, "%.0f Bytes", trunc(bytes));
    else
        snprintf(text, sizeof text, "%.1f %c%sB", bytes / unit, base == 1024 && i == 0 ? 'K' : letters[i],
                 base == 1024 ? "i" : "");
    rein_status status = rein_jinja_puts(&r->b, &s, text);
    return rein_jinja_finish(&r->b, status, &s, out);
}

/* ---- JSON ---- */

static rein_status dump_options(rein_jrender *r, const rein_jvalue *a, rein_jdump *o, rein_jvalue *indent) {
    rein_jvalue blank = rein_jinja_string(" ", 1);
    bool lines = a[1].type != REIN_J_UNSET && a[1].type != REIN_J_NONE;
    *o = (rein_jdump){.ascii = rein_jinja_truth(&a[0]),
                      .sort_keys = rein_jinja_truth(&a[3]),
                      .item_separator = lines ? rein_jinja_string(",", 1) : rein_jinja_string(", ", 2),
                      .key_separator = rein_jinja_string(": ", 2)};
    if (lines) {
        *indent = a[1];
        if (a[1].type != REIN_J_STRING) REIN_TRY(rein_jinja_binary(r, '*', &blank, &a[1], indent));
        if (indent->type != REIN_J_STRING)
            return rein_fail(REIN_ERR_FORMAT, "tojson: indent must be a number or a string");
        o->indent = indent->u.s, o->indent_len = indent->len;
    }
    if (a[2].type == REIN_J_UNSET || a[2].type == REIN_J_NONE) return REIN_OK;
    bool pair = (a[2].type == REIN_J_TUPLE || a[2].type == REIN_J_LIST) && a[2].u.list->n == 2;
    if (!pair || a[2].u.list->items[0].type != REIN_J_STRING || a[2].u.list->items[1].type != REIN_J_STRING)
        return rein_fail(REIN_ERR_FORMAT, "tojson: separators must be two strings");
    o->item_separator = a[2].u.list->items[0];
    o->key_separator = a[2].u.list->items[1];
    return REIN_OK;
}

static rein_status f_tojson(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    rein_jdump o;
    rein_jvalue indent;
    rein_str s = {0};
    (void)call;
    REIN_TRY(dump_options(r, a, &o, &indent));
    rein_status status = rein_jinja_put_json(&r->b, &s, self, &o);
    return rein_jinja_finish(&r->b, status, &s, out);
}

const rein_jentry rein_jinja_filters_text[] = {
    {.name = "upper", .fn = f_method, .params = "", .with = {"upper"}},
    {.name = "lower", .fn = f_method, .params = "", .with = {"lower"}},
    {.name = "capitalize", .fn = f_method, .params = "", .with = {"capitalize"}},
    {.name = "title",
     .fn = f_substitute,
     .params = "",
     .with = {"([^-\\s({\\[<])([^-\\s({\\[<]*)", "\\U$1\\E\\L$2\\E"}},
    {.name = "trim", .fn = f_trim, .params = "chars"},
    {.name = "center", .fn = f_center, .params = "width"},
    {.name = "replace", .fn = f_replace, .params = "old,new,count", .required = 2},
    {.name = "string", .fn = f_string, .params = ""},
    {.name = "safe", .fn = f_string, .params = ""},
    {.name = "format", .fn = f_format, .params = "*"},
    {.name = "indent", .fn = f_indent, .params = "width,first,blank"},
    {.name = "truncate", .fn = f_truncate, .params = "length,killwords,end,leeway"},
    {.name = "wordwrap", .fn = f_wordwrap, .params = "width,break_long_words,wrapstring,break_on_hyphens"},
    {.name = "wordcount", .fn = f_wordcount, .params = ""},
    {.name = "escape", .fn = f_escape, .params = ""},
    {.name = "e", .fn = f_escape, .params = ""},
    {.name = "forceescape", .fn = f_escape, .params = ""},
    {.name = "striptags", .fn = f_striptags, .params = ""},
    {.name = "urlencode", .fn = f_urlencode, .params = ""},
    {.name = "int", .fn = f_int, .params = "default,base"},
    {.name = "float", .fn = f_float, .params = "default"},
    {.name = "round", .fn = f_round, .params = "precision,method"},
    {.name = "abs", .fn = f_abs, .params = ""},
    {.name = "filesizeformat", .fn = f_filesize, .params = "binary"},
    {.name = "tojson", .fn = f_tojson, .params = "ensure_ascii,indent,separators,sort_keys"},
    {.name = NULL}};
