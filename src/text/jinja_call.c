/* Calls: arguments, macros, built-in functions; see jinja_eval.h. */
#include <string.h>
#include <time.h>

#include "text/jinja_eval.h"

/* ---- arguments ---- */

static rein_status add_keyword(rein_jrender *r, rein_jvalue *keywords, rein_jvalue name, rein_jvalue value) {
    rein_jvalue *found;
    if (name.type != REIN_J_STRING) return rein_fail(REIN_ERR_FORMAT, "keywords must be strings");
    REIN_TRY(rein_jinja_find(&r->b, keywords->u.dict, name, &found));
    if (found) return rein_fail(REIN_ERR_FORMAT, "the keyword argument '%.*s' is given twice", (int)name.len, name.u.s);
    return rein_jinja_put_member(&r->b, keywords->u.dict, name, value);
}

static rein_status add_argument(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *args,
                                rein_jvalue *keywords) {
    rein_jvalue value;
    bool plain = n->kind != REIN_N_KEYWORD && n->kind != REIN_N_STAR && n->kind != REIN_N_STARSTAR;
    REIN_TRY(rein_jinja_eval(r, s, plain ? n : n->a, &value));
    if (plain) return rein_jinja_append(&r->b, args->u.list, value);
    if (n->kind == REIN_N_KEYWORD) return add_keyword(r, keywords, rein_jinja_string(n->text, n->len), value);
    if (n->kind == REIN_N_STAR) {
        rein_jlist *items;
        REIN_TRY(rein_jinja_iterate(&r->b, &value, &items));
        for (int64_t i = 0; i < items->n; i++) REIN_TRY(rein_jinja_append(&r->b, args->u.list, items->items[i]));
        return REIN_OK;
    }
    if (value.type != REIN_J_DICT) return rein_fail(REIN_ERR_FORMAT, "what follows ** must be a mapping");
    for (int64_t i = 0; i < value.u.dict->n; i++)
        REIN_TRY(add_keyword(r, keywords, value.u.dict->keys[i], value.u.dict->values[i]));
    return REIN_OK;
}

rein_status rein_jinja_arguments(rein_jrender *r, rein_jscope *s, const rein_jnode *list, rein_jcall *out) {
    rein_jvalue args, keywords;
    *out = (rein_jcall){0};
    if (!list) return REIN_OK;
    REIN_TRY(rein_jinja_list(&r->b, &args, REIN_J_TUPLE, 0));
    REIN_TRY(rein_jinja_dict(&r->b, &keywords, REIN_J_DICT, 0));
    for (; list; list = list->next) REIN_TRY(add_argument(r, s, list, &args, &keywords));
    *out = (rein_jcall){args.u.list->items, args.u.list->n, keywords.u.dict->n ? keywords.u.dict : NULL, NULL};
    return REIN_OK;
}

rein_status rein_jinja_int_arg(const rein_jvalue *a, const char *name, int64_t def, int64_t *out) {
    *out = def;
    if (a->type == REIN_J_UNSET || a->type == REIN_J_NONE) return REIN_OK;
    if (a->type != REIN_J_INT && a->type != REIN_J_BOOL)
        return rein_fail(REIN_ERR_FORMAT, "'%s' must be an integer, not '%s'", name, rein_jinja_type_name(a->type));
    *out = a->u.i;
    return REIN_OK;
}

rein_status rein_jinja_text_arg(const rein_jvalue *a, const char *name, const char *def, rein_jvalue *out) {
    *out = rein_jinja_string(def, strlen(def));
    if (a->type == REIN_J_UNSET || a->type == REIN_J_NONE) return REIN_OK;
    if (a->type != REIN_J_STRING)
        return rein_fail(REIN_ERR_FORMAT, "'%s' must be a string, not '%s'", name, rein_jinja_type_name(a->type));
    *out = *a;
    return REIN_OK;
}

/* ---- natives ---- */

const rein_jentry *rein_jinja_entry(const rein_jentry *table, const char *name, size_t len) {
    for (; table->name; table++)
        if (strlen(table->name) == len && memcmp(table->name, name, len) == 0) return table;
    return NULL;
}

/* Index of a parameter in "width,first,blank", or -1. */
static int parameter(const char *params, const rein_jvalue *name) {
    for (int i = 0; *params; i++) {
        size_t len = strcspn(params, ",");
        if (len == name->len && memcmp(params, name->u.s, len) == 0) return i;
        params += len + (params[len] == ',');
    }
    return -1;
}

static int count_parameters(const char *params) {
    int n = *params ? 1 : 0;
    for (; *params; params++) n += *params == ',';
    return n;
}

rein_status rein_jinja_invoke(rein_jrender *r, const rein_jentry *entry, const rein_jvalue *self,
                              const rein_jcall *call, rein_jvalue *out) {
    rein_jvalue a[REIN_J_MAX_PARAMS] = {{0}};
    rein_jcall bound = *call;
    bound.entry = entry;
    call = &bound;
    REIN_TRY(rein_jinja_step(&r->b, 1));
    if (entry->params[0] == '*') return entry->fn(r, self, a, call, out);
    int n = count_parameters(entry->params);
    if (call->n > n)
        return rein_fail(REIN_ERR_FORMAT, "%s takes at most %d arguments, %lld are given", entry->name, n,
                         (long long)call->n);
    for (int64_t i = 0; i < call->n; i++) a[i] = call->args[i];
    for (int64_t i = 0; call->keywords && i < call->keywords->n; i++) {
        const rein_jvalue *name = &call->keywords->keys[i];
        int at = parameter(entry->params, name);
        if (at < 0 || a[at].type != REIN_J_UNSET)
            return rein_fail(REIN_ERR_FORMAT, "%s: the argument '%.*s' is %s", entry->name, (int)name->len, name->u.s,
                             at < 0 ? "unknown" : "given twice");
        a[at] = call->keywords->values[i];
    }
    for (int i = 0; i < entry->required; i++)
        if (a[i].type == REIN_J_UNSET)
            return rein_fail(REIN_ERR_FORMAT, "%s: argument %d of (%s) is missing", entry->name, i + 1, entry->params);
    return entry->fn(r, self, a, call, out);
}

rein_status rein_jinja_filter(rein_jrender *r, const char *name, size_t len, const rein_jvalue *self,
                              const rein_jcall *call, rein_jvalue *out) {
    const rein_jentry *entry = rein_jinja_entry(rein_jinja_filters_text, name, len);
    if (!entry) entry = rein_jinja_entry(rein_jinja_filters_items, name, len);
    if (!entry) return rein_fail(REIN_ERR_FORMAT, "no filter named '%.*s'", (int)len, name);
    return rein_jinja_invoke(r, entry, self, call, out);
}

rein_status rein_jinja_test(rein_jrender *r, const char *name, size_t len, const rein_jvalue *self,
                            const rein_jcall *call, bool *yes) {
    rein_jvalue result;
    const rein_jentry *entry = rein_jinja_entry(rein_jinja_tests, name, len);
    if (!entry) return rein_fail(REIN_ERR_FORMAT, "no test named '%.*s'", (int)len, name);
    REIN_TRY(rein_jinja_invoke(r, entry, self, call, &result));
    *yes = rein_jinja_truth(&result);
    return REIN_OK;
}

/* ---- macros ---- */

static rein_status define_text(rein_jrender *r, rein_jscope *s, const char *name, rein_jvalue value) {
    return rein_jinja_define(r, s, name, strlen(name), value);
}

/* The parameter `n` of a macro: by place, by name, by default. */
static rein_status bind_parameter(rein_jrender *r, rein_jscope *s, const rein_jnode *n, int64_t i,
                                  const rein_jcall *call) {
    rein_jvalue value = rein_jinja_undefined(n->text, n->len, REIN_J_UNSET), *named = NULL;
    if (call->keywords) REIN_TRY(rein_jinja_find(&r->b, call->keywords, rein_jinja_string(n->text, n->len), &named));
    if (named && i < call->n)
        return rein_fail(REIN_ERR_FORMAT, "the argument '%.*s' is given twice", (int)n->len, n->text);
    if (named)
        value = *named;
    else if (i < call->n)
        value = call->args[i];
    else if (n->a)
        REIN_TRY(rein_jinja_eval(r, s, n->a, &value));
    return rein_jinja_define(r, s, n->text, n->len, value);
}

static bool has_parameter(const rein_jnode *macro, const rein_jvalue *name) {
    for (const rein_jnode *n = macro->list; n; n = n->next)
        if (n->len == name->len && memcmp(n->text, name->u.s, n->len) == 0) return true;
    return false;
}

/* Keywords that no parameter takes: caller and kwargs, if the body uses them. */
static rein_status bind_rest(rein_jrender *r, rein_jscope *s, const rein_jnode *macro, const rein_jcall *call) {
    rein_jvalue rest, caller = rein_jinja_undefined("caller", 6, REIN_J_UNSET);
    REIN_TRY(rein_jinja_dict(&r->b, &rest, REIN_J_DICT, 0));
    for (int64_t i = 0; call->keywords && i < call->keywords->n; i++) {
        const rein_jvalue *name = &call->keywords->keys[i];
        if (has_parameter(macro, name)) continue;
        if (rein_jinja_is_string(name, "caller") && macro->flags & REIN_JF_CALLER)
            caller = call->keywords->values[i];
        else if (macro->flags & REIN_JF_KWARGS)
            REIN_TRY(rein_jinja_put_member(&r->b, rest.u.dict, *name, call->keywords->values[i]));
        else
            return rein_fail(REIN_ERR_FORMAT, "macro '%.*s' takes no keyword argument '%.*s'", (int)macro->len,
                             macro->text, (int)name->len, name->u.s);
    }
    if (macro->flags & REIN_JF_KWARGS) REIN_TRY(define_text(r, s, "kwargs", rest));
    if (macro->flags & REIN_JF_CALLER && !has_parameter(macro, &(rein_jvalue){.u.s = "caller", .len = 6}))
        REIN_TRY(define_text(r, s, "caller", caller));
    return REIN_OK;
}

static rein_status call_macro(rein_jrender *r, const rein_jmacro *macro, const rein_jcall *call, rein_jvalue *out) {
    rein_jscope *s;
    rein_jvalue rest;
    int64_t i = 0;
    REIN_TRY(rein_jinja_scope(r, macro->scope, &s));
    for (const rein_jnode *n = macro->node->list; n; n = n->next) REIN_TRY(bind_parameter(r, s, n, i++, call));
    if (call->n > i && !(macro->node->flags & REIN_JF_VARARGS))
        return rein_fail(REIN_ERR_FORMAT, "macro '%.*s' takes not more than %lld arguments", (int)macro->node->len,
                         macro->node->text, (long long)i);
    REIN_TRY(rein_jinja_list(&r->b, &rest, REIN_J_TUPLE, 0));
    for (; i < call->n; i++) REIN_TRY(rein_jinja_append(&r->b, rest.u.list, call->args[i]));
    if (macro->node->flags & REIN_JF_VARARGS) REIN_TRY(define_text(r, s, "varargs", rest));
    REIN_TRY(bind_rest(r, s, macro->node, call));
    return rein_jinja_capture(r, s, macro->node->other, out);
}

/* loop(items) in a recursive loop: the loop over other items, as text. */
static rein_status call_loop(rein_jrender *r, const rein_jloop *loop, const rein_jcall *call, rein_jvalue *out) {
    rein_str text = {0}, *outer = r->out;
    if (!(loop->node->flags & REIN_JF_RECURSIVE))
        return rein_fail(REIN_ERR_FORMAT, "the loop is not recursive; write 'recursive' at its end");
    if (call->n != 1 || call->keywords) return rein_fail(REIN_ERR_FORMAT, "loop() takes one argument");
    r->out = &text;
    rein_status status = rein_jinja_run_loop(r, loop->scope, loop->node, &call->args[0], loop->depth + 1);
    r->out = outer;
    return rein_jinja_finish(&r->b, status, &text, out);
}

rein_status rein_jinja_call(rein_jrender *r, const rein_jvalue *f, const rein_jcall *call, rein_jvalue *out) {
    switch (f->type) {
    case REIN_J_FUNCTION:
        return rein_jinja_invoke(r, f->u.function->entry, &f->u.function->self, call, out);
    case REIN_J_MACRO:
        return call_macro(r, f->u.macro, call, out);
    case REIN_J_LOOP:
        return call_loop(r, f->u.loop, call, out);
    case REIN_J_UNDEFINED:
        return rein_jinja_fail_undefined(f);
    default:
        return rein_fail(REIN_ERR_FORMAT, "'%s' object is not callable", rein_jinja_type_name(f->type));
    }
}

/* ---- global functions ---- */

static rein_status fn_range(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    int64_t start, stop, step;
    (void)self;
    REIN_TRY(rein_jinja_int_arg(&a[0], "start", 0, &start));
    REIN_TRY(rein_jinja_int_arg(&a[1], "stop", 0, &stop));
    REIN_TRY(rein_jinja_int_arg(&a[2], "step", 1, &step));
    return call->n == 1 ? rein_jinja_range(&r->b, out, 0, start, 1) : rein_jinja_range(&r->b, out, start, stop, step);
}

/* Members of a mapping, or of pairs. */
static rein_status add_members(rein_jrender *r, rein_jdict *d, const rein_jvalue *from) {
    rein_jlist *items, *pair;
    rein_jvalue list;
    if (from->type == REIN_J_DICT) {
        REIN_TRY(rein_jinja_members(&r->b, from->u.dict, "items", REIN_J_LIST, &list));
        from = &list;
    }
    REIN_TRY(rein_jinja_iterate(&r->b, from, &items));
    for (int64_t i = 0; i < items->n; i++) {
        REIN_TRY(rein_jinja_iterate(&r->b, &items->items[i], &pair));
        if (pair->n != 2) return rein_fail(REIN_ERR_FORMAT, "a dict is made of pairs; item %lld is none", (long long)i);
        REIN_TRY(rein_jinja_put_member(&r->b, d, pair->items[0], pair->items[1]));
    }
    return REIN_OK;
}

static rein_status make_dict(rein_jrender *r, rein_jtype type, const rein_jcall *call, rein_jvalue *out) {
    REIN_TRY(rein_jinja_dict(&r->b, out, type, 0));
    if (call->n > 1) return rein_fail(REIN_ERR_FORMAT, "dict() and namespace() take at most one positional argument");
    if (call->n == 1) REIN_TRY(add_members(r, out->u.dict, &call->args[0]));
    for (int64_t i = 0; call->keywords && i < call->keywords->n; i++)
        REIN_TRY(rein_jinja_put_member(&r->b, out->u.dict, call->keywords->keys[i], call->keywords->values[i]));
    return REIN_OK;
}

static rein_status fn_dict(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                           rein_jvalue *out) {
    (void)self, (void)a;
    return make_dict(r, REIN_J_DICT, call, out);
}

static rein_status fn_namespace(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                                rein_jvalue *out) {
    (void)self, (void)a;
    REIN_TRY(make_dict(r, REIN_J_NAMESPACE, call, out));
    for (int64_t i = 0; i < out->u.dict->n; i++) {
        const rein_jvalue *key = &out->u.dict->keys[i];
        if (key->type == REIN_J_STRING && key->len && key->u.s[0] == '_')
            return rein_fail(REIN_ERR_FORMAT, "a namespace takes no attribute that begins with '_'");
    }
    return REIN_OK;
}

static rein_status fn_raise(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                            rein_jvalue *out) {
    (void)self, (void)call;
    REIN_TRY(rein_jinja_to_string(&r->b, &a[0], out));
    return rein_fail(REIN_ERR_FORMAT, "the template says: %.*s", out->len > 500 ? 500 : (int)out->len, out->u.s);
}

/* The one thing in a text that depends on the day. Templates that use it take a date from kwargs, too. */
static rein_status fn_strftime(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a, const rein_jcall *call,
                               rein_jvalue *out) {
    char text[512], *format;
    struct tm parts;
    time_t now = time(NULL);
    rein_jvalue wanted;
    rein_str s = {0};
    (void)self, (void)call;
    REIN_TRY(rein_jinja_text_arg(&a[0], "format", "", &wanted));
    REIN_TRY(rein_arena_strdup(&r->b.arena, &format, wanted.u.s, wanted.len));
    if (!localtime_r(&now, &parts)) return rein_fail(REIN_ERR_FORMAT, "the time cannot be told");
    size_t n = strftime(text, sizeof text, format, &parts);
    if (n == 0 && wanted.len) return rein_fail(REIN_ERR_FORMAT, "strftime_now('%.100s') has no text", format);
    rein_status status = rein_jinja_put(&r->b, &s, text, n);
    return rein_jinja_finish(&r->b, status, &s, out);
}

const rein_jentry rein_jinja_globals[] = {
    {.name = "range", .fn = fn_range, .params = "start,stop,step", .required = 1},
    {.name = "dict", .fn = fn_dict, .params = "*"},
    {.name = "namespace", .fn = fn_namespace, .params = "*"},
    {.name = "raise_exception", .fn = fn_raise, .params = "message", .required = 1},
    {.name = "strftime_now", .fn = fn_strftime, .params = "format", .required = 1},
    {.name = NULL}};
