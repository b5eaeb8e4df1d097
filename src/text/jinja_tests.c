/* Tests: `value is name(argument)`; see jinja_eval.h. */
#include <string.h>

#include "text/jinja_strings.h"

/* A test that asks for the type only. with[0] is what it asks. */
static rein_status is_type(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    const char *name = call->entry->name;
    rein_jtype t = self->type;
    bool yes = false, sequence = t >= REIN_J_LIST && t <= REIN_J_RANGE, truth = t == REIN_J_BOOL && self->u.i;
    (void)a;
    if (strcmp(name, "defined") == 0)
        yes = t != REIN_J_UNDEFINED;
    else if (strcmp(name, "undefined") == 0)
        yes = t == REIN_J_UNDEFINED;
    else if (strcmp(name, "none") == 0)
        yes = t == REIN_J_NONE;
    else if (strcmp(name, "boolean") == 0)
        yes = t == REIN_J_BOOL;
    else if (strcmp(name, "true") == 0)
        yes = truth;
    else if (strcmp(name, "false") == 0)
        yes = t == REIN_J_BOOL && !truth;
    else if (strcmp(name, "integer") == 0)
        yes = t == REIN_J_INT;
    else if (strcmp(name, "float") == 0)
        yes = t == REIN_J_FLOAT;
    else if (strcmp(name, "number") == 0)
        yes = rein_jinja_is_number(self);
    else if (strcmp(name, "string") == 0)
        yes = t == REIN_J_STRING;
    else if (strcmp(name, "mapping") == 0)
        yes = t == REIN_J_DICT;
    else if (strcmp(name, "sequence") == 0)
        yes = sequence || t == REIN_J_STRING || t == REIN_J_DICT || t == REIN_J_UNDEFINED;
    else if (strcmp(name, "iterable") == 0)
        yes = rein_jinja_is_sequence(self) || t == REIN_J_STRING || t == REIN_J_DICT || t == REIN_J_UNDEFINED ||
              t == REIN_J_LOOP;
    else if (strcmp(name, "callable") == 0)
        yes = t == REIN_J_FUNCTION || t == REIN_J_MACRO || t == REIN_J_LOOP || t == REIN_J_UNDEFINED;
    *out = rein_jinja_bool(yes);
    return rein_jinja_step(&r->b, 1);
}

static rein_status is_equal(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    bool equal;
    REIN_TRY(rein_jinja_equal(&r->b, self, &a[0], &equal));
    *out = rein_jinja_bool(equal == (call->entry->with[0][0] == '='));
    return REIN_OK;
}

static rein_status is_ordered(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                              rein_jvalue *out) {
    int order;
    const char *op = call->entry->with[0];
    REIN_TRY(rein_jinja_compare(&r->b, self, &a[0], &order));
    *out = rein_jinja_bool((op[0] == '<' ? order < 0 : order > 0) || (op[1] == '=' && order == 0));
    return REIN_OK;
}

static rein_status is_in(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                         rein_jvalue *out) {
    bool in;
    (void)call;
    REIN_TRY(rein_jinja_contains(&r->b, self, &a[0], &in));
    *out = rein_jinja_bool(in);
    return REIN_OK;
}

static rein_status is_same(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    bool same = self->type == a[0].type;
    (void)call;
    if (same && self->type >= REIN_J_LIST)
        same = self->u.list == a[0].u.list;
    else if (same)
        REIN_TRY(rein_jinja_equal(&r->b, self, &a[0], &same));
    *out = rein_jinja_bool(same);
    return REIN_OK;
}

/* odd, even, divisibleby */
static rein_status divides(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    bool given = a[0].type != REIN_J_UNSET;
    rein_jvalue by = given ? a[0] : rein_jinja_int(2), rest;
    if (self->type == REIN_J_STRING)
        return rein_fail(REIN_ERR_FORMAT, "%s: a number is required, not str", call->entry->name);
    REIN_TRY(rein_jinja_binary(r, '%', self, &by, &rest));
    *out = rein_jinja_bool((rein_jinja_number(&rest) == 0) == (call->entry->name[0] != 'o'));
    return REIN_OK;
}

static rein_status is_case(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    (void)a;
    return rein_jinja_method(r, call->entry->with[0], self, NULL, 0, out);
}

/* filter, test: is there one of this name? */
static rein_status is_known(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    bool yes = false;
    (void)a;
    if (self->type == REIN_J_STRING && call->entry->name[0] == 't')
        yes = rein_jinja_entry(rein_jinja_tests, self->u.s, self->len) != NULL;
    else if (self->type == REIN_J_STRING)
        yes = rein_jinja_entry(rein_jinja_filters_text, self->u.s, self->len) ||
              rein_jinja_entry(rein_jinja_filters_items, self->u.s, self->len);
    *out = rein_jinja_bool(yes);
    return rein_jinja_step(&r->b, 1);
}

const rein_jentry rein_jinja_tests[] = {
    {.name = "defined", .fn = is_type, .params = ""},
    {.name = "undefined", .fn = is_type, .params = ""},
    {.name = "none", .fn = is_type, .params = ""},
    {.name = "boolean", .fn = is_type, .params = ""},
    {.name = "true", .fn = is_type, .params = ""},
    {.name = "false", .fn = is_type, .params = ""},
    {.name = "integer", .fn = is_type, .params = ""},
    {.name = "float", .fn = is_type, .params = ""},
    {.name = "number", .fn = is_type, .params = ""},
    {.name = "string", .fn = is_type, .params = ""},
    {.name = "mapping", .fn = is_type, .params = ""},
    {.name = "sequence", .fn = is_type, .params = ""},
    {.name = "iterable", .fn = is_type, .params = ""},
    {.name = "callable", .fn = is_type, .params = ""},
    {.name = "eq", .fn = is_equal, .params = "b", .required = 1, .with = {"="}},
    {.name = "==", .fn = is_equal, .params = "b", .required = 1, .with = {"="}},
    {.name = "equalto", .fn = is_equal, .params = "b", .required = 1, .with = {"="}},
    {.name = "ne", .fn = is_equal, .params = "b", .required = 1, .with = {"!"}},
    {.name = "!=", .fn = is_equal, .params = "b", .required = 1, .with = {"!"}},
    {.name = "lt", .fn = is_ordered, .params = "b", .required = 1, .with = {"<"}},
    {.name = "<", .fn = is_ordered, .params = "b", .required = 1, .with = {"<"}},
    {.name = "lessthan", .fn = is_ordered, .params = "b", .required = 1, .with = {"<"}},
    {.name = "le", .fn = is_ordered, .params = "b", .required = 1, .with = {"<="}},
    {.name = "<=", .fn = is_ordered, .params = "b", .required = 1, .with = {"<="}},
    {.name = "gt", .fn = is_ordered, .params = "b", .required = 1, .with = {">"}},
    {.name = ">", .fn = is_ordered, .params = "b", .required = 1, .with = {">"}},
    {.name = "greaterthan", .fn = is_ordered, .params = "b", .required = 1, .with = {">"}},
    {.name = "ge", .fn = is_ordered, .params = "b", .required = 1, .with = {">="}},
    {.name = ">=", .fn = is_ordered, .params = "b", .required = 1, .with = {">="}},
    {.name = "in", .fn = is_in, .params = "seq", .required = 1},
    {.name = "sameas", .fn = is_same, .params = "other", .required = 1},
    {.name = "odd", .fn = divides, .params = ""},
    {.name = "even", .fn = divides, .params = ""},
    {.name = "divisibleby", .fn = divides, .params = "num", .required = 1},
    {.name = "lower", .fn = is_case, .params = "", .with = {"islower"}},
    {.name = "upper", .fn = is_case, .params = "", .with = {"isupper"}},
    {.name = "filter", .fn = is_known, .params = ""},
    {.name = "test", .fn = is_known, .params = ""},
    {.name = NULL}};
