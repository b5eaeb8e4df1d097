/* Values: making, asking, comparing; see jinja_value.h. */
#include "text/jinja_value.h"

#include <math.h>
#include <string.h>

enum { NESTING = 200, BYTES_A_STEP = 16 }; /* NESTING: of values inside values */

/* ---- budget ---- */

rein_status rein_jinja_step(rein_jbudget *b, int64_t n) {
    b->steps += n;
    if (b->steps <= REIN_JINJA_MAX_STEPS) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "the template runs for more than %d steps", REIN_JINJA_MAX_STEPS);
}

static rein_status charge(rein_jbudget *b, int64_t bytes) {
    if (bytes > REIN_JINJA_MAX_BYTES - b->bytes)
        return rein_fail(REIN_ERR_FORMAT, "the template makes more than %d bytes of values and text",
                         REIN_JINJA_MAX_BYTES);
    b->bytes += bytes;
    return rein_jinja_step(b, bytes / BYTES_A_STEP);
}

rein_status rein_jinja_alloc(rein_jbudget *b, void *out_pointer, int64_t n, size_t size) {
    int64_t bytes;
    if (__builtin_mul_overflow(n, (int64_t)size, &bytes)) bytes = INT64_MAX;
    REIN_TRY(charge(b, bytes));
    return rein_arena_alloc(&b->arena, out_pointer, (size_t)bytes);
}

rein_status rein_jinja_put(rein_jbudget *b, rein_str *s, const char *text, size_t len) {
    REIN_TRY(charge(b, (int64_t)len));
    rein_str_append(s, text, len);
    return rein_str_check(s);
}

rein_status rein_jinja_puts(rein_jbudget *b, rein_str *s, const char *text) {
    return rein_jinja_put(b, s, text, strlen(text));
}

rein_status rein_jinja_finish(rein_jbudget *b, rein_status status, rein_str *s, rein_jvalue *out) {
    char *copy;
    if (status == REIN_OK) status = rein_str_check(s);
    if (status == REIN_OK) status = rein_arena_strdup(&b->arena, &copy, s->data ? s->data : "", s->len);
    if (status == REIN_OK) *out = rein_jinja_string(copy, s->len);
    rein_str_deinit(s);
    return status;
}

/* ---- making values ---- */

rein_jvalue rein_jinja_none(void) { return (rein_jvalue){.type = REIN_J_NONE}; }
rein_jvalue rein_jinja_bool(bool x) { return (rein_jvalue){.type = REIN_J_BOOL, .u.i = x}; }
rein_jvalue rein_jinja_int(int64_t x) { return (rein_jvalue){.type = REIN_J_INT, .u.i = x}; }
rein_jvalue rein_jinja_float(double x) { return (rein_jvalue){.type = REIN_J_FLOAT, .u.f = x}; }
rein_jvalue rein_jinja_string(const char *s, size_t len) {
    return (rein_jvalue){.type = REIN_J_STRING, .u.s = s, .len = len};
}
rein_jvalue rein_jinja_undefined(const char *name, size_t len, rein_jtype of) {
    return (rein_jvalue){.type = REIN_J_UNDEFINED, .of = of, .u.s = name, .len = len};
}

rein_status rein_jinja_list(rein_jbudget *b, rein_jvalue *out, rein_jtype type, int64_t cap) {
    rein_jlist *list;
    REIN_TRY(rein_jinja_alloc(b, &list, 1, sizeof *list));
    if (cap > 0) REIN_TRY(rein_jinja_alloc(b, &list->items, cap, sizeof *list->items));
    list->cap = cap;
    *out = (rein_jvalue){.type = type, .u.list = list};
    return REIN_OK;
}

static rein_status grow(rein_jbudget *b, rein_jvalue **items, int64_t n, int64_t cap) {
    rein_jvalue *more;
    REIN_TRY(rein_jinja_alloc(b, &more, cap, sizeof *more));
    if (n) memcpy(more, *items, (size_t)n * sizeof *more);
    *items = more;
    return REIN_OK;
}

rein_status rein_jinja_append(rein_jbudget *b, rein_jlist *list, rein_jvalue item) {
    if (list->n == list->cap) {
        int64_t cap = list->cap ? 2 * list->cap : 8;
        REIN_TRY(grow(b, &list->items, list->n, cap));
        list->cap = cap;
    }
    list->items[list->n++] = item;
    return REIN_OK;
}

rein_status rein_jinja_pair(rein_jbudget *b, rein_jvalue *out, rein_jvalue first, rein_jvalue second) {
    REIN_TRY(rein_jinja_list(b, out, REIN_J_TUPLE, 2));
    REIN_TRY(rein_jinja_append(b, out->u.list, first));
    return rein_jinja_append(b, out->u.list, second);
}

rein_status rein_jinja_range(rein_jbudget *b, rein_jvalue *out, int64_t start, int64_t stop, int64_t step) {
    enum { MAX_RANGE = 100000 }; /* jinja2.sandbox */
    int64_t n = 0;
    if (step == 0) return rein_fail(REIN_ERR_FORMAT, "range() arg 3 must not be zero");
    if ((step > 0 && start < stop) || (step < 0 && start > stop)) {
        uint64_t span = step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
        uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step, items = (span - 1) / stride + 1;
        if (items > MAX_RANGE)
            return rein_fail(REIN_ERR_FORMAT, "range too big; the largest in a template has %d items", MAX_RANGE);
        n = (int64_t)items;
    }
    REIN_TRY(rein_jinja_list(b, out, REIN_J_RANGE, n));
    rein_jlist *list = out->u.list;
    list->start = start;
    list->stop = stop;
    list->step = step;
    for (int64_t i = 0; i < n; i++) list->items[i] = rein_jinja_int(start + i * step);
    list->n = n;
    return REIN_OK;
}

rein_status rein_jinja_dict(rein_jbudget *b, rein_jvalue *out, rein_jtype type, int64_t cap) {
    rein_jdict *d;
    REIN_TRY(rein_jinja_alloc(b, &d, 1, sizeof *d));
    if (cap > 0) {
        REIN_TRY(rein_jinja_alloc(b, &d->keys, cap, sizeof *d->keys));
        REIN_TRY(rein_jinja_alloc(b, &d->values, cap, sizeof *d->values));
    }
    d->cap = cap;
    *out = (rein_jvalue){.type = type, .u.dict = d};
    return REIN_OK;
}

static bool can_be_key(const rein_jvalue *v) {
    if (v->type == REIN_J_TUPLE) {
        for (int64_t i = 0; i < v->u.list->n; i++)
            if (v->u.list->items[i].type >= REIN_J_LIST) return false;
        return true;
    }
    return v->type <= REIN_J_STRING;
}

rein_status rein_jinja_find(rein_jbudget *b, const rein_jdict *d, rein_jvalue key, rein_jvalue **out) {
    *out = NULL;
    if (!can_be_key(&key)) return rein_fail(REIN_ERR_FORMAT, "unhashable type: '%s'", rein_jinja_type_name(key.type));
    REIN_TRY(rein_jinja_step(b, 1 + d->n / BYTES_A_STEP));
    for (int64_t i = 0; i < d->n; i++) {
        bool equal;
        if (key.type == REIN_J_STRING && d->keys[i].type == REIN_J_STRING) {
            equal = key.len == d->keys[i].len && memcmp(key.u.s, d->keys[i].u.s, key.len) == 0;
        } else {
            REIN_TRY(rein_jinja_equal(b, &key, &d->keys[i], &equal));
        }
        if (!equal) continue;
        *out = &d->values[i];
        return REIN_OK;
    }
    return REIN_OK;
}

static rein_status add_member(rein_jbudget *b, rein_jdict *d, rein_jvalue key, rein_jvalue value) {
    if (d->n == d->cap) {
        int64_t cap = d->cap ? 2 * d->cap : 4;
        REIN_TRY(grow(b, &d->keys, d->n, cap));
        REIN_TRY(grow(b, &d->values, d->n, cap));
        d->cap = cap;
    }
    d->keys[d->n] = key;
    d->values[d->n++] = value;
    return REIN_OK;
}

rein_status rein_jinja_put_member(rein_jbudget *b, rein_jdict *d, rein_jvalue key, rein_jvalue value) {
    rein_jvalue *found;
    REIN_TRY(rein_jinja_find(b, d, key, &found));
    if (!found) return add_member(b, d, key, value);
    *found = value;
    return REIN_OK;
}

rein_status rein_jinja_members(rein_jbudget *b, const rein_jdict *d, const char *which, rein_jtype type,
                               rein_jvalue *out) {
    REIN_TRY(rein_jinja_list(b, out, type, d->n));
    out->u.list->name = which[0] == 'k' ? "dict_keys" : which[0] == 'v' ? "dict_values" : "dict_items";
    for (int64_t i = 0; i < d->n; i++) {
        rein_jvalue item = which[0] == 'k' ? d->keys[i] : d->values[i];
        if (which[0] == 'i') REIN_TRY(rein_jinja_pair(b, &item, d->keys[i], d->values[i]));
        REIN_TRY(rein_jinja_append(b, out->u.list, item));
    }
    return REIN_OK;
}

/* ---- from JSON ---- */

static rein_status convert(rein_jbudget *b, struct json_object *json, int depth, rein_jvalue *out);

static rein_status convert_object(rein_jbudget *b, struct json_object *json, int depth, rein_jvalue *out) {
    REIN_TRY(rein_jinja_dict(b, out, REIN_J_DICT, json_object_object_length(json)));
    json_object_object_foreach(json, key, member) {
        rein_jvalue value;
        REIN_TRY(convert(b, member, depth + 1, &value));
        REIN_TRY(add_member(b, out->u.dict, rein_jinja_string(key, strlen(key)), value));
    }
    return REIN_OK;
}

static rein_status convert_array(rein_jbudget *b, struct json_object *json, int depth, rein_jvalue *out) {
    size_t n = json_object_array_length(json);
    REIN_TRY(rein_jinja_list(b, out, REIN_J_LIST, (int64_t)n));
    for (size_t i = 0; i < n; i++) {
        rein_jvalue item;
        REIN_TRY(convert(b, json_object_array_get_idx(json, i), depth + 1, &item));
        REIN_TRY(rein_jinja_append(b, out->u.list, item));
    }
    return REIN_OK;
}

/* json-c clamps what is larger to the ends of its range */
static rein_status convert_int(struct json_object *json, rein_jvalue *out) {
    int64_t i = json_object_get_int64(json);
    if (i == INT64_MIN || (i == INT64_MAX && json_object_get_uint64(json) != (uint64_t)INT64_MAX))
        return rein_fail(REIN_ERR_FORMAT, "an integer of the input needs more than 64 bits");
    *out = rein_jinja_int(i);
    return REIN_OK;
}

static rein_status convert(rein_jbudget *b, struct json_object *json, int depth, rein_jvalue *out) {
    REIN_TRY(rein_jinja_step(b, 1));
    if (depth > NESTING) return rein_fail(REIN_ERR_FORMAT, "the input is nested deeper than %d levels", NESTING);
    switch (json_object_get_type(json)) {
    case json_type_null:
        *out = rein_jinja_none();
        return REIN_OK;
    case json_type_boolean:
        *out = rein_jinja_bool(json_object_get_boolean(json));
        return REIN_OK;
    case json_type_double:
        *out = rein_jinja_float(json_object_get_double(json));
        return REIN_OK;
    case json_type_int:
        return convert_int(json, out);
    case json_type_object:
        return convert_object(b, json, depth, out);
    case json_type_array:
        return convert_array(b, json, depth, out);
    case json_type_string:
        break;
    }
    *out = rein_jinja_string(json_object_get_string(json), (size_t)json_object_get_string_len(json));
    return REIN_OK;
}

rein_status rein_jinja_from_json(rein_jbudget *b, struct json_object *json, rein_jvalue *out) {
    return convert(b, json, 0, out);
}

/* ---- asking values ---- */

const char *rein_jinja_type_name(rein_jtype type) {
    static const char *const names[] = {"variable", "Undefined", "NoneType",    "bool",  "int",       "float",
                                        "str",      "list",      "tuple",       "range", "dict view", "generator",
                                        "dict",     "Namespace", "LoopContext", "Macro", "function"};
    return names[type];
}

bool rein_jinja_is_sequence(const rein_jvalue *v) { return v->type >= REIN_J_LIST && v->type <= REIN_J_LAZY; }
bool rein_jinja_is_number(const rein_jvalue *v) { return v->type >= REIN_J_BOOL && v->type <= REIN_J_FLOAT; }
bool rein_jinja_is_string(const rein_jvalue *v, const char *text) {
    return v->type == REIN_J_STRING && v->len == strlen(text) && memcmp(v->u.s, text, v->len) == 0;
}

bool rein_jinja_truth(const rein_jvalue *v) {
    switch (v->type) {
    case REIN_J_UNSET:
    case REIN_J_UNDEFINED:
    case REIN_J_NONE:
        return false;
    case REIN_J_BOOL:
    case REIN_J_INT:
        return v->u.i != 0;
    case REIN_J_FLOAT:
        return v->u.f != 0.0;
    case REIN_J_STRING:
        return v->len > 0;
    case REIN_J_LIST:
    case REIN_J_TUPLE:
    case REIN_J_RANGE:
    case REIN_J_VIEW:
        return v->u.list->n > 0;
    case REIN_J_DICT:
        return v->u.dict->n > 0;
    default:
        return true;
    }
}

double rein_jinja_number(const rein_jvalue *v) { return v->type == REIN_J_FLOAT ? v->u.f : (double)v->u.i; }

static int sign(int64_t a, int64_t b) { return (a > b) - (a < b); }

/* Exact, also where an integer has more bits than a double. NaN is above everything here; equality looks apart. */
static int compare_numbers(const rein_jvalue *x, const rein_jvalue *y) {
    if (x->type != REIN_J_FLOAT && y->type != REIN_J_FLOAT) return sign(x->u.i, y->u.i);
    double a = rein_jinja_number(x), b = rein_jinja_number(y);
    if (a < b) return -1;
    if (a > b || a != b) return 1;
    if (x->type == y->type || fabs(a) >= 0x1p63) return 0;
    return x->type == REIN_J_FLOAT ? sign((int64_t)a, y->u.i) : sign(x->u.i, (int64_t)b);
}

static rein_status equal_at(rein_jbudget *b, const rein_jvalue *x, const rein_jvalue *y, int depth, bool *equal);

static rein_status equal_lists(rein_jbudget *b, const rein_jlist *x, const rein_jlist *y, int depth, bool *equal) {
    *equal = x->n == y->n;
    for (int64_t i = 0; i < x->n && *equal; i++) REIN_TRY(equal_at(b, &x->items[i], &y->items[i], depth + 1, equal));
    return REIN_OK;
}

static rein_status equal_dicts(rein_jbudget *b, const rein_jdict *x, const rein_jdict *y, int depth, bool *equal) {
    *equal = x->n == y->n;
    for (int64_t i = 0; i < x->n && *equal; i++) {
        rein_jvalue *other;
        REIN_TRY(rein_jinja_find(b, y, x->keys[i], &other));
        *equal = other != NULL;
        if (other) REIN_TRY(equal_at(b, &x->values[i], other, depth + 1, equal));
    }
    return REIN_OK;
}

static rein_status equal_at(rein_jbudget *b, const rein_jvalue *x, const rein_jvalue *y, int depth, bool *equal) {
    REIN_TRY(rein_jinja_step(b, 1));
    if (depth > NESTING) return rein_fail(REIN_ERR_FORMAT, "a value is nested deeper than %d levels", NESTING);
    *equal = false;
    if (rein_jinja_is_number(x) && rein_jinja_is_number(y)) {
        *equal = compare_numbers(x, y) == 0;
        return REIN_OK;
    }
    if (x->type != y->type) return REIN_OK;
    switch (x->type) {
    case REIN_J_UNDEFINED:
    case REIN_J_NONE:
        *equal = true;
        return REIN_OK;
    case REIN_J_STRING:
        REIN_TRY(rein_jinja_step(b, (int64_t)(x->len / BYTES_A_STEP)));
        *equal = x->len == y->len && memcmp(x->u.s, y->u.s, x->len) == 0;
        return REIN_OK;
    case REIN_J_LIST:
    case REIN_J_TUPLE:
    case REIN_J_RANGE:
        return equal_lists(b, x->u.list, y->u.list, depth, equal);
    case REIN_J_DICT:
        return equal_dicts(b, x->u.dict, y->u.dict, depth, equal);
    default:
        *equal = x->u.list == y->u.list;
        return REIN_OK;
    }
}

rein_status rein_jinja_equal(rein_jbudget *b, const rein_jvalue *x, const rein_jvalue *y, bool *equal) {
    return equal_at(b, x, y, 0, equal);
}

static int compare_strings(const rein_jvalue *x, const rein_jvalue *y) {
    int order = memcmp(x->u.s, y->u.s, x->len < y->len ? x->len : y->len); /* UTF-8 has the order of code points */
    return order ? order : sign((int64_t)x->len, (int64_t)y->len);
}

static rein_status compare_at(rein_jbudget *b, const rein_jvalue *x, const rein_jvalue *y, int depth, int *order) {
    REIN_TRY(rein_jinja_step(b, 1));
    if (depth > NESTING) return rein_fail(REIN_ERR_FORMAT, "a value is nested deeper than %d levels", NESTING);
    *order = 0;
    if (x->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(x);
    if (y->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(y);
    if (rein_jinja_is_number(x) && rein_jinja_is_number(y)) {
        *order = compare_numbers(x, y);
    } else if (x->type == REIN_J_STRING && y->type == REIN_J_STRING) {
        REIN_TRY(rein_jinja_step(b, (int64_t)(x->len / BYTES_A_STEP)));
        *order = compare_strings(x, y);
    } else if (x->type == y->type && (x->type == REIN_J_LIST || x->type == REIN_J_TUPLE)) {
        const rein_jlist *l = x->u.list, *m = y->u.list;
        for (int64_t i = 0; i < l->n && i < m->n && *order == 0; i++)
            REIN_TRY(compare_at(b, &l->items[i], &m->items[i], depth + 1, order));
        if (*order == 0) *order = sign(l->n, m->n);
    } else {
        return rein_fail(REIN_ERR_FORMAT, "'%s' and '%s' have no order", rein_jinja_type_name(x->type),
                         rein_jinja_type_name(y->type));
    }
    *order = sign(*order, 0);
    return REIN_OK;
}

rein_status rein_jinja_compare(rein_jbudget *b, const rein_jvalue *x, const rein_jvalue *y, int *order) {
    return compare_at(b, x, y, 0, order);
}

rein_status rein_jinja_contains(rein_jbudget *b, const rein_jvalue *x, const rein_jvalue *y, bool *in) {
    rein_jlist *list;
    *in = false;
    if (y->type == REIN_J_STRING) {
        if (x->type != REIN_J_STRING)
            return rein_fail(REIN_ERR_FORMAT, "'in <string>' requires string as left operand, not %s",
                             rein_jinja_type_name(x->type));
        size_t at;
        REIN_TRY(rein_jinja_search(b, y->u.s, y->len, x->u.s, x->len, &at));
        *in = at <= y->len;
        return REIN_OK;
    }
    if (y->type == REIN_J_DICT) {
        rein_jvalue *found;
        REIN_TRY(rein_jinja_find(b, y->u.dict, *x, &found));
        *in = found != NULL;
        return REIN_OK;
    }
    REIN_TRY(rein_jinja_iterate(b, y, &list));
    for (int64_t i = 0; i < list->n && !*in; i++) REIN_TRY(rein_jinja_equal(b, x, &list->items[i], in));
    return REIN_OK;
}

static rein_status characters(rein_jbudget *b, const rein_jvalue *v, rein_jlist **out) {
    rein_jvalue list;
    REIN_TRY(rein_jinja_list(b, &list, REIN_J_LIST, rein_jinja_count(v->u.s, v->len)));
    for (size_t i = 0; i < v->len;) {
        size_t n = 1;
        while (i + n < v->len && ((unsigned char)v->u.s[i + n] & 0xc0) == 0x80) n++;
        REIN_TRY(rein_jinja_append(b, list.u.list, rein_jinja_string(v->u.s + i, n)));
        i += n;
    }
    *out = list.u.list;
    return REIN_OK;
}

rein_status rein_jinja_iterate(rein_jbudget *b, const rein_jvalue *v, rein_jlist **out) {
    rein_jvalue list = {0};
    if (v->type == REIN_J_STRING) return characters(b, v, out);
    if (rein_jinja_is_sequence(v) && !v->u.list->spent) {
        *out = v->u.list;
        v->u.list->spent = v->type == REIN_J_LAZY;
        return REIN_OK;
    }
    if (v->type == REIN_J_DICT) {
        REIN_TRY(rein_jinja_members(b, v->u.dict, "keys", REIN_J_LIST, &list));
    } else if (v->type == REIN_J_UNDEFINED || v->type == REIN_J_LAZY) {
        REIN_TRY(rein_jinja_list(b, &list, REIN_J_LIST, 0));
    } else {
        return rein_fail(REIN_ERR_FORMAT, "'%s' object is not iterable", rein_jinja_type_name(v->type));
    }
    *out = list.u.list;
    return REIN_OK;
}

rein_status rein_jinja_length(const rein_jvalue *v, int64_t *n) {
    *n = 0;
    if (v->type == REIN_J_STRING)
        *n = rein_jinja_count(v->u.s, v->len);
    else if (rein_jinja_is_sequence(v) && v->type != REIN_J_LAZY)
        *n = v->u.list->n;
    else if (v->type == REIN_J_DICT)
        *n = v->u.dict->n;
    else if (v->type != REIN_J_UNDEFINED)
        return rein_fail(REIN_ERR_FORMAT, "object of type '%s' has no len()", rein_jinja_type_name(v->type));
    return REIN_OK;
}

rein_status rein_jinja_fail_undefined(const rein_jvalue *v) {
    int len = v->len > 200 ? 200 : (int)v->len;
    if (v->of == REIN_J_UNSET) return rein_fail(REIN_ERR_FORMAT, "'%.*s' is undefined", len, v->u.s);
    if (v->of == REIN_J_NONE) return rein_fail(REIN_ERR_FORMAT, "'None' has no attribute '%.*s'", len, v->u.s);
    return rein_fail(REIN_ERR_FORMAT, "'%s object' has no attribute '%.*s'", rein_jinja_type_name(v->of), len, v->u.s);
}
