/* Evaluation of expressions, and of a template as a whole; see jinja.h, jinja_eval.h. */
#include "text/jinja_eval.h"

#include <stdio.h>
#include <string.h>

/* ---- scopes ---- */

rein_status rein_jinja_scope(rein_jrender *r, rein_jscope *parent, rein_jscope **out) {
    REIN_TRY(rein_jinja_alloc(&r->b, out, 1, sizeof **out));
    (*out)->parent = parent;
    return REIN_OK;
}

static rein_jvariable *find_in(rein_jscope *s, const char *name, size_t len) {
    for (rein_jvariable *v = s->first; v; v = v->next)
        if (v->len == len && memcmp(v->name, name, len) == 0) return v;
    return NULL;
}

rein_status rein_jinja_define(rein_jrender *r, rein_jscope *s, const char *name, size_t len, rein_jvalue value) {
    rein_jvariable *v = find_in(s, name, len);
    if (!v) {
        REIN_TRY(rein_jinja_alloc(&r->b, &v, 1, sizeof *v));
        *v = (rein_jvariable){.name = name, .len = len, .next = s->first};
        s->first = v;
    }
    v->value = value;
    return REIN_OK;
}

static rein_status eval_name(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jfunction *f;
    for (; s; s = s->parent) {
        const rein_jvariable *v = find_in(s, n->text, n->len);
        if (!v) continue;
        *out = v->value;
        return rein_jinja_step(&r->b, 1);
    }
    const rein_jentry *entry = rein_jinja_entry(rein_jinja_globals, n->text, n->len);
    *out = rein_jinja_undefined(n->text, n->len, REIN_J_UNSET);
    if (!entry) return REIN_OK;
    REIN_TRY(rein_jinja_alloc(&r->b, &f, 1, sizeof *f));
    f->entry = entry;
    *out = (rein_jvalue){.type = REIN_J_FUNCTION, .u.function = f};
    return REIN_OK;
}

/* ---- literals and operators ---- */

static rein_status eval_items(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    REIN_TRY(rein_jinja_list(&r->b, out, n->kind == REIN_N_LIST ? REIN_J_LIST : REIN_J_TUPLE, 0));
    for (const rein_jnode *item = n->list; item; item = item->next) {
        rein_jvalue value;
        REIN_TRY(rein_jinja_eval(r, s, item, &value));
        REIN_TRY(rein_jinja_append(&r->b, out->u.list, value));
    }
    return REIN_OK;
}

static rein_status eval_dict(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    REIN_TRY(rein_jinja_dict(&r->b, out, REIN_J_DICT, 0));
    for (const rein_jnode *pair = n->list; pair; pair = pair->next) {
        rein_jvalue key, value;
        REIN_TRY(rein_jinja_eval(r, s, pair->a, &key));
        REIN_TRY(rein_jinja_eval(r, s, pair->b, &value));
        REIN_TRY(rein_jinja_put_member(&r->b, out->u.dict, key, value));
    }
    return REIN_OK;
}

static rein_status eval_binary(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue x, y;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &x));
    REIN_TRY(rein_jinja_eval(r, s, n->b, &y));
    return rein_jinja_binary(r, n->op, &x, &y, out);
}

static rein_status eval_logic(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    REIN_TRY(rein_jinja_eval(r, s, n->a, out));
    if (rein_jinja_truth(out) == (n->kind == REIN_N_OR)) return REIN_OK;
    return rein_jinja_eval(r, s, n->b, out);
}

static rein_status eval_not(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue x;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &x));
    *out = rein_jinja_bool(!rein_jinja_truth(&x));
    return REIN_OK;
}

static rein_status eval_sign(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue x;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &x));
    return rein_jinja_negate(&x, n->kind == REIN_N_NEGATE, out);
}

static rein_status concat(rein_jrender *r, rein_jscope *s, const rein_jnode *list, rein_str *text) {
    for (; list; list = list->next) {
        rein_jvalue value;
        REIN_TRY(rein_jinja_eval(r, s, list, &value));
        REIN_TRY(rein_jinja_put_str(&r->b, text, &value));
    }
    return REIN_OK;
}

static rein_status eval_concat(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_str text = {0};
    rein_status status = concat(r, s, n->list, &text);
    return rein_jinja_finish(&r->b, status, &text, out);
}

static rein_status compare_one(rein_jrender *r, int op, const rein_jvalue *x, const rein_jvalue *y, bool *yes) {
    int order;
    if (op == REIN_T_EQ || op == REIN_T_NE || op == REIN_OP_IN || op == REIN_OP_NOT_IN) {
        bool in = op == REIN_OP_IN || op == REIN_OP_NOT_IN;
        REIN_TRY(in ? rein_jinja_contains(&r->b, x, y, yes) : rein_jinja_equal(&r->b, x, y, yes));
        if (op == REIN_T_NE || op == REIN_OP_NOT_IN) *yes = !*yes;
        return REIN_OK;
    }
    REIN_TRY(rein_jinja_compare(&r->b, x, y, &order));
    *yes = op == '<' ? order < 0 : op == '>' ? order > 0 : op == REIN_T_LE ? order <= 0 : order >= 0;
    return REIN_OK;
}

static rein_status eval_comparison(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue x, y;
    bool yes = true;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &x));
    for (const rein_jnode *operand = n->list; operand && yes; operand = operand->next, x = y) {
        REIN_TRY(rein_jinja_eval(r, s, operand->a, &y));
        REIN_TRY(compare_one(r, operand->op, &x, &y, &yes));
    }
    *out = rein_jinja_bool(yes);
    return REIN_OK;
}

static rein_status eval_cond(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue test;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &test));
    const rein_jnode *chosen = rein_jinja_truth(&test) ? n->b : n->c;
    if (chosen) return rein_jinja_eval(r, s, chosen, out);
    static const char name[] = "the inline if-expression without else";
    *out = rein_jinja_undefined(name, sizeof name - 1, REIN_J_UNSET);
    return REIN_OK;
}

/* ---- parts, calls ---- */

static rein_status eval_attribute(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue v;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &v));
    return rein_jinja_attribute(r, &v, n->text, n->len, out);
}

static rein_status eval_slice(rein_jrender *r, rein_jscope *s, const rein_jvalue *v, const rein_jnode *n,
                              rein_jvalue *out) {
    const rein_jnode *from[3] = {n->a, n->b, n->c};
    rein_jvalue part[3] = {{0}};
    for (int i = 0; i < 3; i++)
        if (from[i]) REIN_TRY(rein_jinja_eval(r, s, from[i], &part[i]));
    return rein_jinja_slice(r, v, part, out);
}

static rein_status eval_item(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue v, key;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &v));
    if (n->b->kind == REIN_N_SLICE) return eval_slice(r, s, &v, n->b, out);
    REIN_TRY(rein_jinja_eval(r, s, n->b, &key));
    return rein_jinja_item(r, &v, &key, out);
}

static rein_status eval_call(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue f;
    rein_jcall call;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &f));
    REIN_TRY(rein_jinja_arguments(r, s, n->list, &call));
    return rein_jinja_call(r, &f, &call, out);
}

static rein_status eval_filter(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue self;
    rein_jcall call;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &self));
    REIN_TRY(rein_jinja_arguments(r, s, n->list, &call));
    return rein_jinja_filter(r, n->text, n->len, &self, &call, out);
}

static rein_status eval_test(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jvalue self;
    rein_jcall call;
    bool yes;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &self));
    REIN_TRY(rein_jinja_arguments(r, s, n->list, &call));
    REIN_TRY(rein_jinja_test(r, n->text, n->len, &self, &call, &yes));
    *out = rein_jinja_bool(yes);
    return REIN_OK;
}

static rein_status eval_kind(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    switch (n->kind) {
    case REIN_N_CONST:
        *out = n->value;
        return REIN_OK;
    case REIN_N_NAME:
        return eval_name(r, s, n, out);
    case REIN_N_LIST:
    case REIN_N_TUPLE:
        return eval_items(r, s, n, out);
    case REIN_N_DICT:
        return eval_dict(r, s, n, out);
    case REIN_N_GETATTR:
        return eval_attribute(r, s, n, out);
    case REIN_N_GETITEM:
        return eval_item(r, s, n, out);
    case REIN_N_CALL:
        return eval_call(r, s, n, out);
    case REIN_N_FILTER:
        return eval_filter(r, s, n, out);
    case REIN_N_TEST:
        return eval_test(r, s, n, out);
    case REIN_N_NOT:
        return eval_not(r, s, n, out);
    case REIN_N_NEGATE:
    case REIN_N_PLUS:
        return eval_sign(r, s, n, out);
    case REIN_N_BINARY:
        return eval_binary(r, s, n, out);
    case REIN_N_AND:
    case REIN_N_OR:
        return eval_logic(r, s, n, out);
    case REIN_N_CONCAT:
        return eval_concat(r, s, n, out);
    case REIN_N_COMPARE:
        return eval_comparison(r, s, n, out);
    case REIN_N_COND:
        return eval_cond(r, s, n, out);
    default:
        return rein_fail(REIN_ERR_FORMAT, "a slice stands where a value is expected");
    }
}

rein_status rein_jinja_descend(rein_jrender *r) {
    r->depth++;
    REIN_TRY(rein_jinja_step(&r->b, 1));
    if (r->depth <= REIN_JINJA_EVAL_DEPTH) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "expressions, blocks and macro calls go deeper than %d levels",
                     REIN_JINJA_EVAL_DEPTH);
}

rein_status rein_jinja_locate(rein_jrender *r, rein_status status, const rein_jnode *n) {
    enum { SHOWN = 100 };
    char message[1024];
    if (r->located || status != REIN_ERR_FORMAT) return status;
    r->located = true;
    size_t len = n->end - n->begin;
    snprintf(message, sizeof message, "%s", rein_error_message());
    return rein_fail(REIN_ERR_FORMAT, "%s:%d: %s, in '%.*s%s'", r->t->name, n->line, message,
                     (int)(len > SHOWN ? SHOWN : len), r->t->source + n->begin, len > SHOWN ? "..." : "");
}

rein_status rein_jinja_eval(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_status status = rein_jinja_descend(r);
    if (status == REIN_OK) status = eval_kind(r, s, n, out);
    r->depth--;
    return status == REIN_OK ? REIN_OK : rein_jinja_locate(r, status, n);
}

/* ---- ranges ---- */

rein_status rein_ranges_push(rein_ranges *ranges, int64_t begin, int64_t end) {
    if (ranges->n == ranges->cap) {
        int64_t cap = ranges->cap ? 2 * ranges->cap : 8;
        REIN_TRY(rein_realloc(&ranges->data, ranges->cap, cap, sizeof *ranges->data));
        ranges->cap = cap;
    }
    ranges->data[ranges->n++] = (rein_range){begin, end};
    return REIN_OK;
}

void rein_ranges_deinit(rein_ranges *ranges) {
    rein_free(ranges->data);
    *ranges = (rein_ranges){0};
}

/* ---- rendering ---- */

static rein_status define_context(rein_jrender *r, rein_jscope *s, struct json_object *context) {
    json_object_object_foreach(context, key, member) {
        rein_jvalue value;
        REIN_TRY(rein_jinja_from_json(&r->b, member, &value));
        REIN_TRY(rein_jinja_define(r, s, key, strlen(key), value));
    }
    return REIN_OK;
}

static rein_status render(rein_jrender *r, struct json_object *context) {
    rein_jscope *outer, *s;
    REIN_TRY(rein_jinja_scope(r, NULL, &outer));
    REIN_TRY(rein_jinja_scope(r, outer, &s));
    REIN_TRY(define_context(r, outer, context));
    return rein_jinja_exec(r, s, r->t->body);
}

rein_status rein_jinja_render(rein_str *out, rein_ranges *generation, const rein_jinja *t,
                              struct json_object *context) {
    rein_jrender r = {.t = t, .out = out, .root = out, .generation = generation};
    size_t len = out->len;
    int64_t n = generation ? generation->n : 0;
    if (!json_object_is_type(context, json_type_object))
        return rein_fail(REIN_ERR_FORMAT, "%s: the context is no object", t->name);
    rein_status status = render(&r, context);
    rein_arena_deinit(&r.b.arena);
    if (status == REIN_OK) return REIN_OK;
    if (status == REIN_ERR_FORMAT && !r.located) rein_error_prefix(status, "%s", t->name);
    if (out->data) out->data[out->len = len] = '\0';
    if (generation) generation->n = n;
    return status;
}
