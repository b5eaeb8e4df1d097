/* Methods of strings, lists, dicts and `loop`; indices count characters, as in Python. See jinja_eval.h. */
#include <string.h>

#include "text/jinja_eval.h"
#include "text/jinja_strings.h"

/* ---- case and classes ---- */

/* Characters whose other case is several, or depends on what is around. */
static const char special_upper[] = "[\\x{df}\\x{149}\\x{1f0}\\x{390}\\x{3b0}\\x{587}\\x{1e96}-\\x{1e9a}\\x{1f50}"
                                    "-\\x{1ffc}\\x{fb00}-\\x{fb17}]",
                  special_lower[] = "[\\x{130}\\x{3a3}]";

static rein_status recase(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                          rein_jvalue *out) {
    rein_str s = {0};
    bool upper = false, lower = false;
    (void)a;
    const char *const *with = call->entry->with;
    if (strstr(with[1], "\\U")) REIN_TRY(rein_jinja_match(special_upper, self->u.s, self->len, &upper));
    if (strstr(with[1], "\\L")) REIN_TRY(rein_jinja_match(special_lower, self->u.s, self->len, &lower));
    if (upper || lower)
        return rein_fail(REIN_ERR_FORMAT, "%s: the %s-case form of a character in this text is not supported",
                         call->entry->name, upper ? "upper" : "lower");
    rein_status status = rein_jinja_substitute(&r->b, &s, with[0], with[1], self->u.s, self->len);
    return rein_jinja_finish(&r->b, status, &s, out);
}

static rein_status matches(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    bool found;
    (void)a;
    REIN_TRY(rein_jinja_step(&r->b, 1 + (int64_t)self->len));
    REIN_TRY(rein_jinja_match(call->entry->with[0], self->u.s, self->len, &found));
    *out = rein_jinja_bool(found);
    return REIN_OK;
}

static rein_status is_space(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    size_t i = 0, n;
    (void)a, (void)call;
    while (i < self->len && rein_jinja_space(self->u.s + i, self->len - i, &n)) i += n;
    *out = rein_jinja_bool(self->len > 0 && i == self->len);
    return rein_jinja_step(&r->b, (int64_t)self->len);
}

/* ---- cutting ---- */

static rein_status strip(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    rein_jvalue chars = {0};
    char side = call->entry->with[0][0];
    if (a[0].type != REIN_J_UNSET && a[0].type != REIN_J_NONE)
        REIN_TRY(rein_jinja_text_arg(&a[0], "chars", "", &chars));
    return rein_jinja_strip(r, self, chars.type == REIN_J_UNSET ? NULL : &chars, side != 'r', side != 'l', out);
}

static rein_status remove_end(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                              rein_jvalue *out) {
    rein_jvalue part;
    bool front = call->entry->with[0][0] == 'p';
    REIN_TRY(rein_jinja_text_arg(&a[0], "prefix or suffix", "", &part));
    *out = *self;
    if (part.len > self->len || memcmp(self->u.s + (front ? 0 : self->len - part.len), part.u.s, part.len) != 0)
        return REIN_OK;
    *out = rein_jinja_string(self->u.s + (front ? part.len : 0), self->len - part.len);
    return rein_jinja_step(&r->b, 1);
}

static rein_status split(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    rein_jvalue sep;
    int64_t most;
    bool right = call->entry->with[0][0] == 'r', blank = a[0].type == REIN_J_UNSET || a[0].type == REIN_J_NONE;
    REIN_TRY(rein_jinja_text_arg(&a[0], "sep", "", &sep));
    REIN_TRY(rein_jinja_int_arg(&a[1], "maxsplit", -1, &most));
    if (!blank && sep.len == 0) return rein_fail(REIN_ERR_FORMAT, "empty separator");
    if (most < 0) most = INT64_MAX;
    return rein_jinja_split(r, self, blank ? NULL : &sep, most, right, out);
}

static rein_status split_lines(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                               rein_jvalue *out) {
    (void)call;
    return rein_jinja_split_lines(r, self, rein_jinja_truth(&a[0]), out);
}

static rein_status partition(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                             rein_jvalue *out) {
    rein_jvalue sep, none = rein_jinja_string("", 0);
    size_t at;
    bool right = call->entry->with[0][0] == 'r';
    REIN_TRY(rein_jinja_text_arg(&a[0], "sep", "", &sep));
    if (sep.len == 0) return rein_fail(REIN_ERR_FORMAT, "empty separator");
    REIN_TRY(rein_jinja_find_text(r, self, &sep, right, &at));
    bool found = at <= self->len;
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_TUPLE, 3));
    REIN_TRY(rein_jinja_append(&r->b, out->u.list, found ? rein_jinja_string(self->u.s, at) : right ? none : *self));
    REIN_TRY(rein_jinja_append(&r->b, out->u.list, found ? sep : none));
    rein_jvalue rest = found   ? rein_jinja_string(self->u.s + at + sep.len, self->len - at - sep.len)
                       : right ? *self
                               : none;
    return rein_jinja_append(&r->b, out->u.list, rest);
}

/* ---- searching ---- */

/* The part of self between the arguments start and end; *first is the character it begins with. */
static rein_status window(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *start, const rein_jvalue *end,
                          rein_jvalue *part, int64_t *first) {
    rein_jvalue bounds[3] = {*start, *end, {0}};
    *part = *self;
    *first = 0;
    if (start->type == REIN_J_UNSET && end->type == REIN_J_UNSET) return REIN_OK;
    REIN_TRY(rein_jinja_slice(r, self, bounds, part));
    *first = rein_jinja_count(self->u.s, (size_t)(part->u.s - self->u.s));
    return REIN_OK;
}

/* find, rfind, index, rindex */
static rein_status find(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                        rein_jvalue *out) {
    rein_jvalue sub, part;
    int64_t first;
    size_t at;
    const char *name = call->entry->name;
    bool right = name[0] == 'r', must = strstr(name, "index") != NULL;
    REIN_TRY(rein_jinja_text_arg(&a[0], "sub", "", &sub));
    REIN_TRY(window(r, self, &a[1], &a[2], &part, &first));
    REIN_TRY(rein_jinja_find_text(r, &part, &sub, right, &at));
    if (at > part.len && must) return rein_fail(REIN_ERR_FORMAT, "substring not found");
    *out = rein_jinja_int(at > part.len ? -1 : first + rein_jinja_count(part.u.s, at));
    return REIN_OK;
}

static rein_status count(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    rein_jvalue sub, part;
    int64_t first, n = 0;
    (void)call;
    REIN_TRY(rein_jinja_text_arg(&a[0], "sub", "", &sub));
    REIN_TRY(window(r, self, &a[1], &a[2], &part, &first));
    *out = rein_jinja_int(rein_jinja_count(part.u.s, part.len) + 1);
    if (sub.len == 0) return REIN_OK;
    for (size_t at = 0, found;; at += found + sub.len, n++) {
        REIN_TRY(rein_jinja_search(&r->b, part.u.s + at, part.len - at, sub.u.s, sub.len, &found));
        if (found > part.len - at) break;
    }
    *out = rein_jinja_int(n);
    return REIN_OK;
}

static bool ends_with(const rein_jvalue *text, const rein_jvalue *part, bool front) {
    return part->len <= text->len && memcmp(text->u.s + (front ? 0 : text->len - part->len), part->u.s, part->len) == 0;
}

/* startswith, endswith: of a string, or of any in a tuple */
static rein_status has_end(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    bool front = call->entry->name[0] == 's', yes = false, tuple = a[0].type == REIN_J_TUPLE;
    int64_t first, n = tuple ? a[0].u.list->n : 1;
    rein_jvalue part;
    REIN_TRY(window(r, self, &a[1], &a[2], &part, &first));
    for (int64_t i = 0; i < n; i++) {
        const rein_jvalue *wanted = tuple ? &a[0].u.list->items[i] : &a[0];
        if (wanted->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(wanted);
        if (wanted->type != REIN_J_STRING)
            return rein_fail(REIN_ERR_FORMAT, "%s: expected str or a tuple of str, not %s", call->entry->name,
                             rein_jinja_type_name(wanted->type));
        yes = yes || ends_with(&part, wanted, front);
    }
    *out = rein_jinja_bool(yes);
    return rein_jinja_step(&r->b, n);
}

/* ---- making ---- */

static rein_status replace(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    rein_jvalue old, new;
    int64_t most;
    (void)call;
    REIN_TRY(rein_jinja_text_arg(&a[0], "old", "", &old));
    REIN_TRY(rein_jinja_text_arg(&a[1], "new", "", &new));
    REIN_TRY(rein_jinja_int_arg(&a[2], "count", -1, &most));
    return rein_jinja_replace(r, self, &old, &new, most < 0 ? INT64_MAX : most, out);
}

static rein_status join_items(rein_jrender *r, const rein_jvalue *self, const rein_jlist *items, rein_str *s) {
    for (int64_t i = 0; i < items->n; i++) {
        if (items->items[i].type != REIN_J_STRING)
            return rein_fail(REIN_ERR_FORMAT, "join: item %lld is %s, expected str", (long long)i,
                             rein_jinja_type_name(items->items[i].type));
        if (i) REIN_TRY(rein_jinja_put(&r->b, s, self->u.s, self->len));
        REIN_TRY(rein_jinja_put_str(&r->b, s, &items->items[i]));
    }
    return REIN_OK;
}

static rein_status join(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                        rein_jvalue *out) {
    rein_jlist *items;
    rein_str s = {0};
    (void)call;
    REIN_TRY(rein_jinja_iterate(&r->b, &a[0], &items));
    rein_status status = join_items(r, self, items, &s);
    return rein_jinja_finish(&r->b, status, &s, out);
}

/* center, ljust, rjust, zfill */
static rein_status pad(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                       rein_jvalue *out) {
    char how = call->entry->name[0];
    int64_t width, n = rein_jinja_count(self->u.s, self->len);
    rein_jvalue fill;
    rein_str s = {0};
    REIN_TRY(rein_jinja_int_arg(&a[0], "width", 0, &width));
    REIN_TRY(rein_jinja_text_arg(&a[1], "fillchar", how == 'z' ? "0" : " ", &fill));
    if (rein_jinja_count(fill.u.s, fill.len) != 1)
        return rein_fail(REIN_ERR_FORMAT, "the fill character must be exactly one character long");
    int64_t extra = width > n ? width - n : 0, left = how == 'c'   ? extra / 2 + (extra & width & 1)
                                                      : how == 'l' ? 0
                                                                   : extra;
    bool sign = how == 'z' && self->len && (self->u.s[0] == '-' || self->u.s[0] == '+');
    rein_status status = rein_jinja_put(&r->b, &s, self->u.s, sign);
    if (status == REIN_OK) status = rein_jinja_fill(r, &s, &fill, left);
    if (status == REIN_OK) status = rein_jinja_put(&r->b, &s, self->u.s + sign, self->len - sign);
    if (status == REIN_OK) status = rein_jinja_fill(r, &s, &fill, extra - left);
    return rein_jinja_finish(&r->b, status, &s, out);
}

static rein_status format(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                          rein_jvalue *out) {
    (void)a;
    return rein_jinja_format(r, self, call, out);
}

const rein_jentry rein_jinja_string_methods[] = {
    {.name = "upper", .fn = recase, .params = "", .with = {".+", "\\U$0"}},
    {.name = "lower", .fn = recase, .params = "", .with = {".+", "\\L$0"}},
    {.name = "title", .fn = recase, .params = "", .with = {"(\\p{L})(\\p{L}*)", "\\U$1\\E\\L$2\\E"}},
    {.name = "capitalize", .fn = recase, .params = "", .with = {"\\A(.)(.*)", "\\U$1\\E\\L$2\\E"}},
    {.name = "swapcase", .fn = recase, .params = "", .with = {"(\\p{Ll}+)|(\\p{Lu}+)", "\\U$1\\E\\L$2\\E"}},
    {.name = "isdigit",
     .fn = matches,
     .params = "",
     .with = {"\\A[\\p{Nd}\\x{b2}\\x{b3}\\x{b9}\\x{2070}\\x{2074}-\\x{2079}\\x{2080}-\\x{2089}]+\\z"}},
    {.name = "isdecimal", .fn = matches, .params = "", .with = {"\\A\\p{Nd}+\\z"}},
    {.name = "isnumeric", .fn = matches, .params = "", .with = {"\\A\\p{N}+\\z"}},
    {.name = "isalpha", .fn = matches, .params = "", .with = {"\\A\\p{L}+\\z"}},
    {.name = "isalnum", .fn = matches, .params = "", .with = {"\\A[\\p{L}\\p{N}]+\\z"}},
    {.name = "isupper", .fn = matches, .params = "", .with = {"\\A(?=.*\\p{Lu})[^\\p{Ll}\\p{Lt}]+\\z"}},
    {.name = "islower", .fn = matches, .params = "", .with = {"\\A(?=.*\\p{Ll})[^\\p{Lu}\\p{Lt}]+\\z"}},
    {.name = "isspace", .fn = is_space, .params = ""},
    {.name = "strip", .fn = strip, .params = "chars", .with = {"both"}},
    {.name = "lstrip", .fn = strip, .params = "chars", .with = {"left"}},
    {.name = "rstrip", .fn = strip, .params = "chars", .with = {"right"}},
    {.name = "removeprefix", .fn = remove_end, .params = "prefix", .required = 1, .with = {"prefix"}},
    {.name = "removesuffix", .fn = remove_end, .params = "suffix", .required = 1, .with = {"suffix"}},
    {.name = "split", .fn = split, .params = "sep,maxsplit", .with = {"left"}},
    {.name = "rsplit", .fn = split, .params = "sep,maxsplit", .with = {"right"}},
    {.name = "splitlines", .fn = split_lines, .params = "keepends"},
    {.name = "partition", .fn = partition, .params = "sep", .required = 1, .with = {"left"}},
    {.name = "rpartition", .fn = partition, .params = "sep", .required = 1, .with = {"right"}},
    {.name = "find", .fn = find, .params = "sub,start,end", .required = 1},
    {.name = "rfind", .fn = find, .params = "sub,start,end", .required = 1},
    {.name = "index", .fn = find, .params = "sub,start,end", .required = 1},
    {.name = "rindex", .fn = find, .params = "sub,start,end", .required = 1},
    {.name = "count", .fn = count, .params = "sub,start,end", .required = 1},
    {.name = "startswith", .fn = has_end, .params = "prefix,start,end", .required = 1},
    {.name = "endswith", .fn = has_end, .params = "suffix,start,end", .required = 1},
    {.name = "replace", .fn = replace, .params = "old,new,count", .required = 2},
    {.name = "join", .fn = join, .params = "iterable", .required = 1},
    {.name = "center", .fn = pad, .params = "width,fillchar", .required = 1},
    {.name = "ljust", .fn = pad, .params = "width,fillchar", .required = 1},
    {.name = "rjust", .fn = pad, .params = "width,fillchar", .required = 1},
    {.name = "zfill", .fn = pad, .params = "width", .required = 1},
    {.name = "format", .fn = format, .params = "*"},
    {.name = NULL}};

/* ---- lists and tuples ---- */

/* count, index */
static rein_status list_find(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                             rein_jvalue *out) {
    int64_t n = 0;
    for (int64_t i = 0; i < self->u.list->n; i++) {
        bool equal;
        REIN_TRY(rein_jinja_equal(&r->b, &self->u.list->items[i], &a[0], &equal));
        n += equal;
        *out = rein_jinja_int(i);
        if (equal && call->entry->name[0] == 'i') return REIN_OK;
    }
    if (call->entry->name[0] == 'i') return rein_fail(REIN_ERR_FORMAT, "index: the value is not in the list");
    *out = rein_jinja_int(n);
    return REIN_OK;
}

static rein_status copy(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                        rein_jvalue *out) {
    (void)a, (void)call;
    *out = *self; /* values never change, so that a copy cannot be told from it */
    return rein_jinja_step(&r->b, 1);
}

const rein_jentry rein_jinja_list_methods[] = {{.name = "count", .fn = list_find, .params = "value", .required = 1},
                                               {.name = "index", .fn = list_find, .params = "value", .required = 1},
                                               {.name = "copy", .fn = copy, .params = ""},
                                               {.name = NULL}};

/* ---- dicts ---- */

static rein_status get(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                       rein_jvalue *out) {
    rein_jvalue *found;
    (void)call;
    REIN_TRY(rein_jinja_find(&r->b, self->u.dict, a[0], &found));
    *out = found ? *found : a[1].type == REIN_J_UNSET ? rein_jinja_none() : a[1];
    return REIN_OK;
}

static rein_status members(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    (void)a;
    return rein_jinja_members(&r->b, self->u.dict, call->entry->name, REIN_J_VIEW, out);
}

const rein_jentry rein_jinja_dict_methods[] = {{.name = "get", .fn = get, .params = "key,default", .required = 1},
                                               {.name = "items", .fn = members, .params = ""},
                                               {.name = "keys", .fn = members, .params = ""},
                                               {.name = "values", .fn = members, .params = ""},
                                               {.name = "copy", .fn = copy, .params = ""},
                                               {.name = NULL}};

/* ---- loop ---- */

static rein_status cycle(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    (void)a;
    if (call->n < 1) return rein_fail(REIN_ERR_FORMAT, "no items for cycling given");
    *out = call->args[self->u.loop->at % call->n];
    return rein_jinja_step(&r->b, 1);
}

static rein_status changed(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    rein_jvalue now;
    bool equal = false;
    rein_jloop *loop = self->u.loop;
    (void)a;
    REIN_TRY(rein_jinja_list(&r->b, &now, REIN_J_TUPLE, call->n));
    for (int64_t i = 0; i < call->n; i++) REIN_TRY(rein_jinja_append(&r->b, now.u.list, call->args[i]));
    if (loop->changed.type != REIN_J_UNSET) REIN_TRY(rein_jinja_equal(&r->b, &loop->changed, &now, &equal));
    loop->changed = now;
    *out = rein_jinja_bool(!equal);
    return REIN_OK;
}

const rein_jentry rein_jinja_loop_methods[] = {
    {.name = "cycle", .fn = cycle, .params = "*"}, {.name = "changed", .fn = changed, .params = "*"}, {.name = NULL}};
