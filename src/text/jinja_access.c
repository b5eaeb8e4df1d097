/*
 * Attributes, items and slices. As in Jinja, v.name looks for a method first and for a member then, v[key] the other
 * way round, and what is not there is undefined. Methods that would change a value are not there (immutable sandbox).
 */
#include <string.h>

#include "text/jinja_eval.h"

static bool is(const char *name, size_t len, const char *text) {
    return len == strlen(text) && memcmp(name, text, len) == 0;
}

/* ---- attributes ---- */

static rein_status bind_method(rein_jrender *r, const rein_jentry *table, const rein_jvalue *self, const char *name,
                               size_t len, rein_jvalue *out) {
    rein_jfunction *f;
    const rein_jentry *entry = rein_jinja_entry(table, name, len);
    *out = rein_jinja_undefined(name, len, self->type);
    if (!entry) return REIN_OK;
    REIN_TRY(rein_jinja_alloc(&r->b, &f, 1, sizeof *f));
    *f = (rein_jfunction){.entry = entry, .self = *self};
    *out = (rein_jvalue){.type = REIN_J_FUNCTION, .u.function = f};
    return REIN_OK;
}

static rein_jvalue neighbour(const rein_jloop *loop, int64_t at, const char *name, size_t len) {
    if (at >= 0 && at < loop->items->n) return loop->items->items[at];
    return rein_jinja_undefined(name, len, REIN_J_LOOP);
}

static rein_status loop_attribute(rein_jrender *r, const rein_jvalue *v, const char *name, size_t len,
                                  rein_jvalue *out) {
    const rein_jloop *loop = v->u.loop;
    int64_t at = loop->at, n = loop->items->n;
    if (is(name, len, "index"))
        *out = rein_jinja_int(at + 1);
    else if (is(name, len, "index0"))
        *out = rein_jinja_int(at);
    else if (is(name, len, "first"))
        *out = rein_jinja_bool(at == 0);
    else if (is(name, len, "last"))
        *out = rein_jinja_bool(at == n - 1);
    else if (is(name, len, "length"))
        *out = rein_jinja_int(n);
    else if (is(name, len, "revindex"))
        *out = rein_jinja_int(n - at);
    else if (is(name, len, "revindex0"))
        *out = rein_jinja_int(n - at - 1);
    else if (is(name, len, "depth"))
        *out = rein_jinja_int(loop->depth + 1);
    else if (is(name, len, "depth0"))
        *out = rein_jinja_int(loop->depth);
    else if (is(name, len, "previtem"))
        *out = neighbour(loop, at - 1, name, len);
    else if (is(name, len, "nextitem"))
        *out = neighbour(loop, at + 1, name, len);
    else
        return bind_method(r, rein_jinja_loop_methods, v, name, len, out);
    return REIN_OK;
}

/* What an object has beside its members. */
static rein_status own_attribute(rein_jrender *r, const rein_jvalue *v, const char *name, size_t len,
                                 rein_jvalue *out) {
    *out = rein_jinja_undefined(name, len, v->type);
    switch (v->type) {
    case REIN_J_UNDEFINED:
        return rein_jinja_fail_undefined(v);
    case REIN_J_STRING:
        return bind_method(r, rein_jinja_string_methods, v, name, len, out);
    case REIN_J_DICT:
        return bind_method(r, rein_jinja_dict_methods, v, name, len, out);
    case REIN_J_LOOP:
        return loop_attribute(r, v, name, len, out);
    case REIN_J_TUPLE:
        if (v->u.list->name && is(name, len, "grouper"))
            *out = v->u.list->items[0];
        else if (v->u.list->name && is(name, len, "list"))
            *out = v->u.list->items[1];
        else
            return bind_method(r, rein_jinja_list_methods, v, name, len, out);
        return REIN_OK;
    case REIN_J_LIST:
        return bind_method(r, rein_jinja_list_methods, v, name, len, out);
    default:
        return REIN_OK;
    }
}

/* Names that Python's dict has and the sandbox hides; a member of this name is reached by v['name']. */
static bool hidden(const char *name, size_t len) {
    static const char *const names[] = {"pop", "popitem", "setdefault", "update", "clear", "fromkeys"};
    for (size_t i = 0; i < REIN_COUNT(names); i++)
        if (is(name, len, names[i])) return true;
    return len > 4 && memcmp(name, "__", 2) == 0 && memcmp(name + len - 2, "__", 2) == 0;
}

rein_status rein_jinja_attribute(rein_jrender *r, const rein_jvalue *v, const char *name, size_t len,
                                 rein_jvalue *out) {
    rein_jvalue *member = NULL;
    if (v->type == REIN_J_NAMESPACE || v->type == REIN_J_DICT) {
        bool dict = v->type == REIN_J_DICT, method = dict && rein_jinja_entry(rein_jinja_dict_methods, name, len);
        if (!method && !(dict && hidden(name, len)))
            REIN_TRY(rein_jinja_find(&r->b, v->u.dict, rein_jinja_string(name, len), &member));
    }
    if (!member) return own_attribute(r, v, name, len, out);
    *out = *member;
    return REIN_OK;
}

/* ---- items ---- */

static rein_status missing(rein_jrender *r, const rein_jvalue *v, const rein_jvalue *key, rein_jvalue *out) {
    rein_jvalue name;
    static const char other[] = "(item)";
    if (key->type == REIN_J_STRING) return own_attribute(r, v, key->u.s, key->len, out);
    if (v->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(v);
    name = rein_jinja_string(other, sizeof other - 1);
    if (key->type == REIN_J_INT) REIN_TRY(rein_jinja_to_string(&r->b, key, &name));
    *out = rein_jinja_undefined(name.u.s, name.len, v->type);
    return REIN_OK;
}

static rein_status character(rein_jrender *r, const rein_jvalue *v, const rein_jvalue *key, rein_jvalue *out) {
    int64_t n = rein_jinja_count(v->u.s, v->len), i = key->u.i < 0 ? key->u.i + n : key->u.i;
    REIN_TRY(rein_jinja_step(&r->b, 1 + (int64_t)(v->len / 64)));
    if (i < 0 || i >= n) return missing(r, v, key, out);
    size_t begin = rein_jinja_offset(v->u.s, v->len, i);
    *out = rein_jinja_string(v->u.s + begin, rein_jinja_offset(v->u.s + begin, v->len - begin, 1));
    return REIN_OK;
}

rein_status rein_jinja_item(rein_jrender *r, const rein_jvalue *v, const rein_jvalue *key, rein_jvalue *out) {
    bool integer = key->type == REIN_J_INT || key->type == REIN_J_BOOL;
    if (v->type == REIN_J_DICT && key->type <= REIN_J_TUPLE && key->type != REIN_J_LIST) {
        rein_jvalue *member;
        REIN_TRY(rein_jinja_find(&r->b, v->u.dict, *key, &member));
        if (member) {
            *out = *member;
            return REIN_OK;
        }
    } else if (v->type == REIN_J_NAMESPACE && key->type == REIN_J_STRING) {
        return rein_jinja_attribute(r, v, key->u.s, key->len, out);
    } else if (v->type == REIN_J_STRING && integer) {
        return character(r, v, key, out);
    } else if (v->type >= REIN_J_LIST && v->type <= REIN_J_RANGE && integer) {
        int64_t n = v->u.list->n, i = key->u.i < 0 ? key->u.i + n : key->u.i;
        if (i >= 0 && i < n) {
            *out = v->u.list->items[i];
            return REIN_OK;
        }
    }
    return missing(r, v, key, out);
}

/* ---- slices ---- */

/* One bound of Python's slice.indices. */
static rein_status bound(const rein_jvalue *part, int64_t n, bool down, int64_t def, int64_t *out) {
    *out = def;
    if (part->type == REIN_J_UNSET || part->type == REIN_J_NONE) return REIN_OK;
    if (part->type != REIN_J_INT && part->type != REIN_J_BOOL)
        return rein_fail(REIN_ERR_FORMAT, "slice indices must be integers, not '%s'", rein_jinja_type_name(part->type));
    int64_t i = part->u.i, low = down ? -1 : 0, high = down ? n - 1 : n;
    if (i < 0) i = i < -n ? -1 : i + n;
    *out = i < low ? low : i > high ? high : i;
    return REIN_OK;
}

static rein_status slice_text(rein_jrender *r, const rein_jvalue *v, int64_t start, int64_t n, int64_t step,
                              rein_jvalue *out) {
    rein_jlist *all;
    rein_str text = {0};
    rein_status status = REIN_OK;
    if (step == 1) {
        size_t begin = rein_jinja_offset(v->u.s, v->len, start);
        *out = rein_jinja_string(v->u.s + begin, rein_jinja_offset(v->u.s + begin, v->len - begin, n));
        return rein_jinja_step(&r->b, 1 + (int64_t)(v->len / 64));
    }
    REIN_TRY(rein_jinja_iterate(&r->b, v, &all));
    for (int64_t i = 0; i < n && status == REIN_OK; i++)
        status = rein_jinja_put_str(&r->b, &text, &all->items[start + i * step]);
    return rein_jinja_finish(&r->b, status, &text, out);
}

rein_status rein_jinja_slice(rein_jrender *r, const rein_jvalue *v, const rein_jvalue part[3], rein_jvalue *out) {
    int64_t length = 0, start, stop, step = 1;
    bool text = v->type == REIN_J_STRING;
    if (!text && (v->type < REIN_J_LIST || v->type > REIN_J_RANGE)) return missing(r, v, &(rein_jvalue){0}, out);
    REIN_TRY(rein_jinja_length(v, &length));
    REIN_TRY(rein_jinja_int_arg(&part[2], "step", 1, &step));
    if (step == 0) return rein_fail(REIN_ERR_FORMAT, "slice step cannot be zero");
    if (step > length) step = length + 1; /* the same items, and no overflow */
    if (step < -length) step = -length - 1;
    REIN_TRY(bound(&part[0], length, step < 0, step < 0 ? length - 1 : 0, &start));
    REIN_TRY(bound(&part[1], length, step < 0, step < 0 ? -1 : length, &stop));
    int64_t span = step > 0 ? stop - start : start - stop, stride = step > 0 ? step : -step;
    int64_t n = span > 0 ? (span - 1) / stride + 1 : 0;
    if (text) return slice_text(r, v, start, n, step, out);
    REIN_TRY(rein_jinja_list(&r->b, out, v->type == REIN_J_RANGE ? REIN_J_LIST : v->type, n));
    for (int64_t i = 0; i < n; i++) REIN_TRY(rein_jinja_append(&r->b, out->u.list, v->u.list->items[start + i * step]));
    return REIN_OK;
}
