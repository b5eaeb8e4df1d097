/* Filters on sequences and mappings; see jinja_eval.h. Those that are generators in Jinja give LAZY sequences. */
#include <string.h>

#include "text/jinja_strings.h"

/* ---- attributes by path: "a.b", 0 ---- */

static rein_status part_key(const char *s, size_t len, rein_jvalue *key) {
    int64_t i = 0;
    bool digits = len > 0 && len < 18;
    for (size_t k = 0; k < len && digits; k++) {
        digits = s[k] >= '0' && s[k] <= '9';
        i = 10 * i + (s[k] - '0');
    }
    *key = digits ? rein_jinja_int(i) : rein_jinja_string(s, len);
    return REIN_OK;
}

static rein_status take_part(rein_jrender *r, const rein_jvalue *key, const rein_jvalue *def, rein_jvalue *v) {
    rein_jvalue found;
    REIN_TRY(rein_jinja_item(r, v, key, &found));
    bool replaced = found.type == REIN_J_UNDEFINED && def && def->type != REIN_J_UNSET && def->type != REIN_J_NONE;
    *v = replaced ? *def : found;
    return REIN_OK;
}

/* The part of `item` that `path` names (UNSET or none: the item); strings in lower case if `fold`. */
static rein_status by_path(rein_jrender *r, const rein_jvalue *item, const rein_jvalue *path, const rein_jvalue *def,
                           bool fold, rein_jvalue *out) {
    rein_jvalue key;
    *out = *item;
    if (path->type == REIN_J_STRING) {
        for (size_t at = 0; at <= path->len;) {
            const char *s = path->u.s + at, *dot = memchr(s, '.', path->len - at);
            size_t len = dot ? (size_t)(dot - s) : path->len - at;
            REIN_TRY(part_key(s, len, &key));
            REIN_TRY(take_part(r, &key, def, out));
            at += len + 1;
        }
    } else if (path->type != REIN_J_UNSET && path->type != REIN_J_NONE) {
        REIN_TRY(take_part(r, path, def, out));
    }
    if (fold && out->type == REIN_J_STRING) {
        rein_jvalue text = *out;
        REIN_TRY(rein_jinja_method(r, "lower", &text, NULL, 0, out));
    }
    return rein_jinja_step(&r->b, 1);
}

/* ---- sorting: stable, as Python's ---- */

typedef struct keyed {
    rein_jvalue key, value;
} keyed;

static rein_status merge(rein_jrender *r, const keyed *from, keyed *to, int64_t left, int64_t middle, int64_t end,
                         bool reverse) {
    int64_t i = left, k = middle;
    for (int64_t n = left; n < end; n++) {
        int order = 0;
        if (i < middle && k < end) REIN_TRY(rein_jinja_compare(&r->b, &from[i].key, &from[k].key, &order));
        bool first = i < middle && (k >= end || (reverse ? order >= 0 : order <= 0));
        to[n] = first ? from[i++] : from[k++];
    }
    return rein_jinja_step(&r->b, end - left);
}

static rein_status sort(rein_jrender *r, keyed **items, int64_t n, bool reverse) {
    keyed *from = *items, *to;
    REIN_TRY(rein_jinja_alloc(&r->b, &to, n, sizeof *to));
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t left = 0; left < n; left += 2 * width) {
            int64_t middle = left + width < n ? left + width : n, end = left + 2 * width < n ? left + 2 * width : n;
            REIN_TRY(merge(r, from, to, left, middle, end, reverse));
        }
        keyed *other = from;
        from = to;
        to = other;
    }
    *items = from;
    return REIN_OK;
}

/* One key of several paths ("age,name") is a list of their keys. */
static rein_status sort_key(rein_jrender *r, const rein_jvalue *item, const rein_jvalue *path, bool fold,
                            rein_jvalue *out) {
    if (path->type != REIN_J_STRING || !memchr(path->u.s, ',', path->len)) return by_path(r, item, path, NULL, fold, out);
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LIST, 0));
    for (size_t at = 0; at <= path->len;) {
        const char *s = path->u.s + at, *comma = memchr(s, ',', path->len - at);
        size_t len = comma ? (size_t)(comma - s) : path->len - at;
        rein_jvalue one = rein_jinja_string(s, len), key;
        REIN_TRY(by_path(r, item, &one, NULL, fold, &key));
        REIN_TRY(rein_jinja_append(&r->b, out->u.list, key));
        at += len + 1;
    }
    return REIN_OK;
}

static rein_status keyed_items(rein_jrender *r, const rein_jvalue *v, const rein_jvalue *path, const rein_jvalue *def,
                               bool fold, keyed **out, int64_t *n) {
    rein_jlist *items;
    REIN_TRY(rein_jinja_iterate(&r->b, v, &items));
    *n = items->n;
    REIN_TRY(rein_jinja_alloc(&r->b, out, items->n, sizeof **out));
    for (int64_t i = 0; i < items->n; i++) {
        (*out)[i].value = items->items[i];
        REIN_TRY(def ? by_path(r, &items->items[i], path, def, fold, &(*out)[i].key)
                     : sort_key(r, &items->items[i], path, fold, &(*out)[i].key));
    }
    return REIN_OK;
}

static rein_status values_of(rein_jrender *r, const keyed *items, int64_t n, rein_jvalue *out) {
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LIST, n));
    for (int64_t i = 0; i < n; i++) REIN_TRY(rein_jinja_append(&r->b, out->u.list, items[i].value));
    return REIN_OK;
}

static rein_status f_sort(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                          rein_jvalue *out) {
    keyed *items;
    int64_t n;
    (void)call;
    REIN_TRY(keyed_items(r, self, &a[2], NULL, !rein_jinja_truth(&a[1]), &items, &n));
    REIN_TRY(sort(r, &items, n, rein_jinja_truth(&a[0])));
    return values_of(r, items, n, out);
}

static rein_status f_dictsort(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                              rein_jvalue *out) {
    keyed *items;
    int64_t n;
    rein_jvalue by, pairs, path;
    (void)call;
    REIN_TRY(rein_jinja_text_arg(&a[1], "by", "key", &by));
    if (self->type != REIN_J_DICT) return rein_fail(REIN_ERR_FORMAT, "dictsort: a mapping is required");
    if (!rein_jinja_is_string(&by, "key") && !rein_jinja_is_string(&by, "value"))
        return rein_fail(REIN_ERR_FORMAT, "dictsort: sort by 'key' or 'value'");
    path = rein_jinja_int(rein_jinja_is_string(&by, "value"));
    REIN_TRY(rein_jinja_members(&r->b, self->u.dict, "items", REIN_J_LIST, &pairs));
    REIN_TRY(keyed_items(r, &pairs, &path, NULL, !rein_jinja_truth(&a[0]), &items, &n));
    REIN_TRY(sort(r, &items, n, rein_jinja_truth(&a[2])));
    return values_of(r, items, n, out);
}

static rein_status f_unique(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    keyed *items;
    rein_jvalue seen;
    int64_t n;
    (void)call;
    REIN_TRY(keyed_items(r, self, &a[1], &(rein_jvalue){0}, !rein_jinja_truth(&a[0]), &items, &n));
    REIN_TRY(rein_jinja_list(&r->b, &seen, REIN_J_LIST, 0));
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LAZY, 0));
    for (int64_t i = 0; i < n; i++) {
        bool in;
        REIN_TRY(rein_jinja_contains(&r->b, &items[i].key, &seen, &in));
        if (in) continue;
        REIN_TRY(rein_jinja_append(&r->b, seen.u.list, items[i].key));
        REIN_TRY(rein_jinja_append(&r->b, out->u.list, items[i].value));
    }
    return REIN_OK;
}

/* min, max: the first of equals */
static rein_status f_extreme(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                             rein_jvalue *out) {
    keyed *items;
    int64_t n, best = 0;
    REIN_TRY(keyed_items(r, self, &a[1], &(rein_jvalue){0}, !rein_jinja_truth(&a[0]), &items, &n));
    *out = rein_jinja_undefined("item", 4, REIN_J_LIST);
    for (int64_t i = 1; i < n; i++) {
        int order;
        REIN_TRY(rein_jinja_compare(&r->b, &items[i].key, &items[best].key, &order));
        if (call->entry->name[1] == 'i' ? order < 0 : order > 0) best = i;
    }
    if (n) *out = items[best].value;
    return REIN_OK;
}

/* Grouped by a path: pairs of the key and the list of its items, in the order of keys. */
static rein_status f_groupby(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                             rein_jvalue *out) {
    keyed *items;
    int64_t n;
    rein_jvalue group = {0};
    (void)call;
    REIN_TRY(keyed_items(r, self, &a[0], &a[1], !rein_jinja_truth(&a[2]), &items, &n));
    REIN_TRY(sort(r, &items, n, false));
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LIST, 0));
    for (int64_t i = 0; i < n; i++) {
        bool same = false;
        if (i) REIN_TRY(rein_jinja_equal(&r->b, &items[i].key, &items[i - 1].key, &same));
        if (!same) {
            rein_jvalue key, pair;
            REIN_TRY(by_path(r, &items[i].value, &a[0], &a[1], false, &key));
            REIN_TRY(rein_jinja_list(&r->b, &group, REIN_J_LIST, 0));
            REIN_TRY(rein_jinja_pair(&r->b, &pair, key, group));
            pair.u.list->name = "group";
            REIN_TRY(rein_jinja_append(&r->b, out->u.list, pair));
        }
        REIN_TRY(rein_jinja_append(&r->b, group.u.list, items[i].value));
    }
    return REIN_OK;
}

/* ---- map, select, reject ---- */

static rein_status need_string(const rein_jvalue *v, const char *what) {
    if (v->type == REIN_J_STRING) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "the name of a %s must be a string, not %s", what, rein_jinja_type_name(v->type));
}

static rein_status map_attribute(rein_jrender *r, const rein_jlist *items, const rein_jcall *call, rein_jvalue *out) {
    rein_jvalue *path, *def;
    REIN_TRY(rein_jinja_find(&r->b, call->keywords, rein_jinja_string("attribute", 9), &path));
    REIN_TRY(rein_jinja_find(&r->b, call->keywords, rein_jinja_string("default", 7), &def));
    if (call->n || !path || call->keywords->n != 1 + (def != NULL))
        return rein_fail(REIN_ERR_FORMAT, "map takes the name of a filter, or attribute= and default=");
    for (int64_t i = 0; i < items->n; i++) {
        rein_jvalue value;
        REIN_TRY(by_path(r, &items->items[i], path, def, false, &value));
        REIN_TRY(rein_jinja_append(&r->b, out->u.list, value));
    }
    return REIN_OK;
}

static rein_status f_map(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    rein_jlist *items;
    (void)a;
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LAZY, 0));
    if (!rein_jinja_truth(self)) return REIN_OK;
    REIN_TRY(rein_jinja_iterate(&r->b, self, &items));
    if (call->n == 0 && call->keywords) return map_attribute(r, items, call, out);
    if (call->n == 0) return rein_fail(REIN_ERR_FORMAT, "map requires the name of a filter");
    REIN_TRY(need_string(&call->args[0], "filter"));
    rein_jcall rest = {call->args + 1, call->n - 1, call->keywords, NULL};
    for (int64_t i = 0; i < items->n; i++) {
        rein_jvalue value;
        REIN_TRY(rein_jinja_descend(r)); /* map('map', ...) */
        REIN_TRY(rein_jinja_filter(r, call->args[0].u.s, call->args[0].len, &items->items[i], &rest, &value));
        r->depth--;
        REIN_TRY(rein_jinja_append(&r->b, out->u.list, value));
    }
    return REIN_OK;
}

/* select, reject, selectattr, rejectattr */
static rein_status f_select(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    rein_jlist *items;
    bool keep = call->entry->with[0][0] == 's', by_attribute = call->entry->with[1] != NULL;
    int64_t skip = by_attribute ? 1 : 0;
    (void)a;
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LAZY, 0));
    if (!rein_jinja_truth(self)) return REIN_OK;
    REIN_TRY(rein_jinja_iterate(&r->b, self, &items));
    if (call->n < skip) return rein_fail(REIN_ERR_FORMAT, "%s requires the name of an attribute", call->entry->name);
    bool test = call->n > skip;
    if (test) REIN_TRY(need_string(&call->args[skip], "test"));
    int64_t used = skip + test; /* without any, args may be NULL */
    rein_jcall rest = {used ? call->args + used : call->args, call->n - used, call->keywords, NULL};
    for (int64_t i = 0; i < items->n; i++) {
        rein_jvalue value = items->items[i];
        if (by_attribute) REIN_TRY(by_path(r, &items->items[i], &call->args[0], NULL, false, &value));
        bool yes = rein_jinja_truth(&value);
        if (test) REIN_TRY(rein_jinja_test(r, call->args[skip].u.s, call->args[skip].len, &value, &rest, &yes));
        if (yes == keep) REIN_TRY(rein_jinja_append(&r->b, out->u.list, items->items[i]));
    }
    return REIN_OK;
}

/* ---- parts and sums ---- */

static rein_status f_length(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    int64_t n;
    (void)a, (void)call;
    REIN_TRY(rein_jinja_length(self, &n));
    *out = rein_jinja_int(n);
    return rein_jinja_step(&r->b, 1 + (int64_t)(self->len / 16));
}

/* first, last */
static rein_status f_end(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    rein_jlist *items;
    bool first = call->entry->name[0] == 'f';
    (void)a;
    if (!first && self->type == REIN_J_LAZY)
        return rein_fail(REIN_ERR_FORMAT, "a generator has no last item; write '| list' before");
    REIN_TRY(rein_jinja_iterate(&r->b, self, &items));
    *out = items->n ? items->items[first ? 0 : items->n - 1] : rein_jinja_undefined("item", 4, REIN_J_LIST);
    return REIN_OK;
}

static rein_status f_list(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                          rein_jvalue *out) {
    rein_jlist *items;
    (void)a, (void)call;
    REIN_TRY(rein_jinja_iterate(&r->b, self, &items));
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LIST, items->n));
    for (int64_t i = 0; i < items->n; i++) REIN_TRY(rein_jinja_append(&r->b, out->u.list, items->items[i]));
    return REIN_OK;
}

static rein_status f_reverse(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                             rein_jvalue *out) {
    rein_jlist *items;
    rein_jvalue back[3] = {{0}, {0}, rein_jinja_int(-1)};
    (void)a, (void)call;
    if (self->type == REIN_J_STRING) return rein_jinja_slice(r, self, back, out);
    REIN_TRY(rein_jinja_iterate(&r->b, self, &items));
    REIN_TRY(rein_jinja_list(&r->b, out, self->type == REIN_J_LAZY ? REIN_J_LIST : REIN_J_LAZY, items->n));
    for (int64_t i = items->n; i-- > 0;) REIN_TRY(rein_jinja_append(&r->b, out->u.list, items->items[i]));
    return REIN_OK;
}

static rein_status put_joined(rein_jrender *r, const rein_jlist *items, const rein_jvalue *d, const rein_jvalue *path,
                              rein_str *s) {
    for (int64_t i = 0; i < items->n; i++) {
        rein_jvalue part;
        if (i) REIN_TRY(rein_jinja_put(&r->b, s, d->u.s, d->len));
        REIN_TRY(by_path(r, &items->items[i], path, NULL, false, &part));
        REIN_TRY(rein_jinja_put_str(&r->b, s, &part));
    }
    return REIN_OK;
}

static rein_status f_join(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                          rein_jvalue *out) {
    rein_jlist *items;
    rein_jvalue d = rein_jinja_string("", 0);
    rein_str s = {0};
    (void)call;
    if (a[0].type != REIN_J_UNSET) REIN_TRY(rein_jinja_to_string(&r->b, &a[0], &d));
    REIN_TRY(rein_jinja_iterate(&r->b, self, &items));
    rein_status status = put_joined(r, items, &d, &a[1], &s);
    return rein_jinja_finish(&r->b, status, &s, out);
}

static rein_status f_sum(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    rein_jlist *items;
    (void)call;
    REIN_TRY(rein_jinja_iterate(&r->b, self, &items));
    *out = a[1].type == REIN_J_UNSET ? rein_jinja_int(0) : a[1];
    for (int64_t i = 0; i < items->n; i++) {
        rein_jvalue part, total = *out;
        REIN_TRY(by_path(r, &items->items[i], &a[0], NULL, false, &part));
        REIN_TRY(rein_jinja_binary(r, '+', &total, &part, out));
    }
    return REIN_OK;
}

/* ---- rows and columns ---- */

static rein_status add_row(rein_jrender *r, rein_jvalue *rows, const rein_jlist *items, int64_t begin, int64_t end,
                           int64_t fill, const rein_jvalue *with) {
    rein_jvalue row;
    REIN_TRY(rein_jinja_list(&r->b, &row, REIN_J_LIST, 0));
    for (int64_t i = begin; i < end; i++) REIN_TRY(rein_jinja_append(&r->b, row.u.list, items->items[i]));
    for (; fill > 0 && with->type != REIN_J_UNSET && with->type != REIN_J_NONE; fill--) {
        REIN_TRY(rein_jinja_step(&r->b, 1));
        REIN_TRY(rein_jinja_append(&r->b, row.u.list, *with));
    }
    return rein_jinja_append(&r->b, rows->u.list, row);
}

/* batch: rows of n items; slice: n lists */
static rein_status f_rows(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                          rein_jvalue *out) {
    rein_jlist *items;
    int64_t n, at = 0;
    REIN_TRY(rein_jinja_int_arg(&a[0], "count", 0, &n));
    REIN_TRY(rein_jinja_iterate(&r->b, self, &items));
    REIN_TRY(rein_jinja_list(&r->b, out, REIN_J_LAZY, 0));
    if (n < 1 || n > REIN_JINJA_MAX_STEPS)
        return rein_fail(REIN_ERR_FORMAT, "%s: the count %lld is out of range", call->entry->name, (long long)n);
    if (call->entry->name[0] == 'b') {
        for (; at < items->n; at += n) {
            int64_t end = items->n - at < n ? items->n : at + n;
            REIN_TRY(add_row(r, out, items, at, end, n - (end - at), &a[1]));
        }
        return REIN_OK;
    }
    for (int64_t k = 0; k < n; k++) {
        int64_t size = items->n / n + (k < items->n % n);
        REIN_TRY(add_row(r, out, items, at, at + size, k >= items->n % n, &a[1]));
        at += size;
    }
    return REIN_OK;
}

static rein_status f_items(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    (void)a, (void)call;
    if (self->type == REIN_J_UNDEFINED) return rein_jinja_list(&r->b, out, REIN_J_LAZY, 0);
    if (self->type != REIN_J_DICT) return rein_fail(REIN_ERR_FORMAT, "can only get item pairs from a mapping");
    return rein_jinja_members(&r->b, self->u.dict, "items", REIN_J_LAZY, out);
}

static rein_status f_default(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                             rein_jvalue *out) {
    bool replace = self->type == REIN_J_UNDEFINED || (rein_jinja_truth(&a[1]) && !rein_jinja_truth(self));
    (void)call;
    *out = !replace ? *self : a[0].type == REIN_J_UNSET ? rein_jinja_string("", 0) : a[0];
    return rein_jinja_step(&r->b, 1);
}

static rein_status f_attr(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                          rein_jvalue *out) {
    (void)call;
    REIN_TRY(need_string(&a[0], "attribute"));
    bool member = self->type == REIN_J_DICT && !rein_jinja_entry(rein_jinja_dict_methods, a[0].u.s, a[0].len);
    *out = rein_jinja_undefined(a[0].u.s, a[0].len, self->type);
    return member ? REIN_OK : rein_jinja_attribute(r, self, a[0].u.s, a[0].len, out);
}

const rein_jentry rein_jinja_filters_items[] = {
    {.name = "sort", .fn = f_sort, .params = "reverse,case_sensitive,attribute"},
    {.name = "dictsort", .fn = f_dictsort, .params = "case_sensitive,by,reverse"},
    {.name = "unique", .fn = f_unique, .params = "case_sensitive,attribute"},
    {.name = "min", .fn = f_extreme, .params = "case_sensitive,attribute"},
    {.name = "max", .fn = f_extreme, .params = "case_sensitive,attribute"},
    {.name = "groupby", .fn = f_groupby, .params = "attribute,default,case_sensitive", .required = 1},
    {.name = "map", .fn = f_map, .params = "*"},
    {.name = "select", .fn = f_select, .params = "*", .with = {"select"}},
    {.name = "reject", .fn = f_select, .params = "*", .with = {"reject"}},
    {.name = "selectattr", .fn = f_select, .params = "*", .with = {"select", "attribute"}},
    {.name = "rejectattr", .fn = f_select, .params = "*", .with = {"reject", "attribute"}},
    {.name = "length", .fn = f_length, .params = ""},
    {.name = "count", .fn = f_length, .params = ""},
    {.name = "first", .fn = f_end, .params = ""},
    {.name = "last", .fn = f_end, .params = ""},
    {.name = "list", .fn = f_list, .params = ""},
    {.name = "reverse", .fn = f_reverse, .params = ""},
    {.name = "join", .fn = f_join, .params = "d,attribute"},
    {.name = "sum", .fn = f_sum, .params = "attribute,start"},
    {.name = "batch", .fn = f_rows, .params = "linecount,fill_with", .required = 1},
    {.name = "slice", .fn = f_rows, .params = "slices,fill_with", .required = 1},
    {.name = "items", .fn = f_items, .params = ""},
    {.name = "default", .fn = f_default, .params = "default_value,boolean"},
    {.name = "d", .fn = f_default, .params = "default_value,boolean"},
    {.name = "attr", .fn = f_attr, .params = "name", .required = 1},
    {.name = NULL}};
