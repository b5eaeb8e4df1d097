/* Execution of statements; see jinja_eval.h. */
#include <string.h>

#include "text/jinja_eval.h"

/* ---- assignment ---- */

static rein_status assign(rein_jrender *r, rein_jscope *s, const rein_jnode *target, rein_jvalue value);

static rein_status assign_items(rein_jrender *r, rein_jscope *s, const rein_jnode *target, const rein_jvalue *value) {
    rein_jlist *items;
    int64_t n = 0;
    for (const rein_jnode *t = target->list; t; t = t->next) n++;
    REIN_TRY(rein_jinja_iterate(&r->b, value, &items));
    if (items->n != n)
        return rein_fail(REIN_ERR_FORMAT, "%lld values for %lld names", (long long)items->n, (long long)n);
    n = 0;
    for (const rein_jnode *t = target->list; t; t = t->next) REIN_TRY(assign(r, s, t, items->items[n++]));
    return REIN_OK;
}

static rein_status assign_member(rein_jrender *r, rein_jscope *s, const rein_jnode *target, rein_jvalue value) {
    rein_jnode name = *target;
    rein_jvalue object;
    name.kind = REIN_N_NAME;
    REIN_TRY(rein_jinja_eval(r, s, &name, &object));
    if (object.type != REIN_J_NAMESPACE)
        return rein_fail(REIN_ERR_FORMAT, "cannot assign attribute on non-namespace object '%.*s'", (int)target->len,
                         target->text);
    if (target->a->text[0] == '_')
        return rein_fail(REIN_ERR_FORMAT, "a namespace takes no attribute that begins with '_'");
    return rein_jinja_put_member(&r->b, object.u.dict, rein_jinja_string(target->a->text, target->a->len), value);
}

static rein_status assign(rein_jrender *r, rein_jscope *s, const rein_jnode *target, rein_jvalue value) {
    if (target->kind == REIN_N_NAME) return rein_jinja_define(r, s, target->text, target->len, value);
    if (target->kind == REIN_N_MEMBER) return assign_member(r, s, target, value);
    return assign_items(r, s, target, &value); /* as deep as the parser went */
}

/* ---- statements ---- */

rein_status rein_jinja_capture(rein_jrender *r, rein_jscope *s, const rein_jnode *list, rein_jvalue *out) {
    rein_str text = {0}, *outer = r->out;
    r->out = &text;
    rein_status status = rein_jinja_exec(r, s, list);
    r->out = outer;
    return rein_jinja_finish(&r->b, status, &text, out);
}

/* The filters of a block, innermost first, on its text. */
static rein_status apply_filters(rein_jrender *r, rein_jscope *s, const rein_jnode *filter, rein_jvalue *value) {
    rein_jcall call;
    rein_jvalue result;
    if (!filter) return REIN_OK;
    REIN_TRY(rein_jinja_descend(r));
    REIN_TRY(apply_filters(r, s, filter->a, value));
    r->depth--;
    REIN_TRY(rein_jinja_arguments(r, s, filter->list, &call));
    REIN_TRY(rein_jinja_filter(r, filter->text, filter->len, value, &call, &result));
    *value = result;
    return REIN_OK;
}

static rein_status capture_filtered(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jscope *inner;
    REIN_TRY(rein_jinja_scope(r, s, &inner));
    REIN_TRY(rein_jinja_capture(r, inner, n->list, out));
    return apply_filters(r, s, n->b, out);
}

static rein_status exec_print(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    rein_jvalue value;
    REIN_TRY(rein_jinja_eval(r, s, n->a, &value));
    return rein_jinja_put_str(&r->b, r->out, &value);
}

static rein_status exec_if(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    for (; n; n = n->b) {
        rein_jvalue test = rein_jinja_bool(true);
        if (n->a) REIN_TRY(rein_jinja_eval(r, s, n->a, &test));
        if (rein_jinja_truth(&test)) return rein_jinja_exec(r, s, n->list);
    }
    return REIN_OK;
}

static rein_status exec_set(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    rein_jvalue value;
    if (n->kind == REIN_N_SET)
        REIN_TRY(rein_jinja_eval(r, s, n->b, &value));
    else
        REIN_TRY(capture_filtered(r, s, n, &value));
    return assign(r, s, n->a, value);
}

static rein_status exec_filter_block(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    rein_jvalue text;
    REIN_TRY(capture_filtered(r, s, n, &text));
    return rein_jinja_put_str(&r->b, r->out, &text);
}

static rein_status exec_with(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    rein_jscope *inner;
    REIN_TRY(rein_jinja_scope(r, s, &inner));
    for (const rein_jnode *pair = n->list; pair; pair = pair->next) {
        rein_jvalue value;
        REIN_TRY(rein_jinja_eval(r, s, pair->b, &value));
        REIN_TRY(assign(r, inner, pair->a, value));
    }
    return rein_jinja_exec(r, inner, n->other);
}

static rein_status make_macro(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out) {
    rein_jmacro *macro;
    REIN_TRY(rein_jinja_alloc(&r->b, &macro, 1, sizeof *macro));
    *macro = (rein_jmacro){.node = n, .scope = s};
    *out = (rein_jvalue){.type = REIN_J_MACRO, .u.macro = macro};
    return REIN_OK;
}

static rein_status exec_macro(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    rein_jvalue macro;
    REIN_TRY(make_macro(r, s, n, &macro));
    return rein_jinja_define(r, s, n->text, n->len, macro);
}

static rein_status exec_call_block(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    rein_jvalue f, caller, keywords, text;
    rein_jcall call;
    REIN_TRY(rein_jinja_eval(r, s, n->a->a, &f));
    REIN_TRY(rein_jinja_arguments(r, s, n->a->list, &call));
    REIN_TRY(make_macro(r, s, n->b, &caller));
    REIN_TRY(rein_jinja_dict(&r->b, &keywords, REIN_J_DICT, 0));
    for (int64_t i = 0; call.keywords && i < call.keywords->n; i++)
        REIN_TRY(rein_jinja_put_member(&r->b, keywords.u.dict, call.keywords->keys[i], call.keywords->values[i]));
    REIN_TRY(rein_jinja_put_member(&r->b, keywords.u.dict, rein_jinja_string("caller", 6), caller));
    call.keywords = keywords.u.dict;
    REIN_TRY(rein_jinja_call(r, &f, &call, &text));
    return rein_jinja_put_str(&r->b, r->out, &text);
}

static rein_status exec_generation(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    rein_jscope *inner;
    if (r->generation && r->out != r->root)
        return rein_fail(REIN_ERR_FORMAT,
                         "a generation block inside a macro or a captured block has no place in the text");
    int64_t begin = (int64_t)r->out->len;
    REIN_TRY(rein_jinja_scope(r, s, &inner));
    REIN_TRY(rein_jinja_exec(r, inner, n->list));
    return r->generation ? rein_ranges_push(r->generation, begin, (int64_t)r->out->len) : REIN_OK;
}

/* ---- loops ---- */

/* The items that the loop's test lets through. */
static rein_status select_items(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jlist *all,
                                rein_jlist **out) {
    rein_jvalue chosen;
    *out = all;
    if (!n->c) return REIN_OK;
    REIN_TRY(rein_jinja_list(&r->b, &chosen, REIN_J_LIST, 0));
    for (int64_t i = 0; i < all->n; i++) {
        rein_jscope *inner;
        rein_jvalue test;
        REIN_TRY(rein_jinja_scope(r, s, &inner));
        REIN_TRY(assign(r, inner, n->a, all->items[i]));
        REIN_TRY(rein_jinja_eval(r, inner, n->c, &test));
        if (rein_jinja_truth(&test)) REIN_TRY(rein_jinja_append(&r->b, chosen.u.list, all->items[i]));
    }
    *out = chosen.u.list;
    return REIN_OK;
}

static rein_status run_items(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jloop *loop) {
    rein_jvalue value = {.type = REIN_J_LOOP, .u.loop = loop};
    for (; loop->at < loop->items->n && r->flow != REIN_J_BREAK; loop->at++) {
        rein_jscope *inner;
        r->flow = REIN_J_GO;
        REIN_TRY(rein_jinja_scope(r, s, &inner));
        REIN_TRY(rein_jinja_define(r, inner, "loop", 4, value));
        REIN_TRY(assign(r, inner, n->a, loop->items->items[loop->at]));
        REIN_TRY(rein_jinja_exec(r, inner, n->list));
    }
    r->flow = REIN_J_GO;
    return REIN_OK;
}

rein_status rein_jinja_run_loop(rein_jrender *r, rein_jscope *s, const rein_jnode *n, const rein_jvalue *sequence,
                                int64_t depth) {
    rein_jlist *all, *items;
    rein_jscope *inner;
    rein_jloop *loop;
    REIN_TRY(rein_jinja_iterate(&r->b, sequence, &all));
    REIN_TRY(select_items(r, s, n, all, &items));
    if (items->n == 0) {
        REIN_TRY(rein_jinja_scope(r, s, &inner));
        return rein_jinja_exec(r, inner, n->other);
    }
    REIN_TRY(rein_jinja_alloc(&r->b, &loop, 1, sizeof *loop));
    *loop = (rein_jloop){.node = n, .scope = s, .items = items, .depth = depth};
    return run_items(r, s, n, loop);
}

static rein_status exec_for(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    rein_jvalue sequence;
    REIN_TRY(rein_jinja_eval(r, s, n->b, &sequence));
    return rein_jinja_run_loop(r, s, n, &sequence, 0);
}

/* ---- bodies ---- */

static rein_status exec_one(rein_jrender *r, rein_jscope *s, const rein_jnode *n) {
    switch (n->kind) {
    case REIN_N_DATA:
        return rein_jinja_put(&r->b, r->out, n->text, n->len);
    case REIN_N_PRINT:
        return exec_print(r, s, n);
    case REIN_N_IF:
        return exec_if(r, s, n);
    case REIN_N_FOR:
        return exec_for(r, s, n);
    case REIN_N_SET:
    case REIN_N_SET_BLOCK:
        return exec_set(r, s, n);
    case REIN_N_WITH:
        return exec_with(r, s, n);
    case REIN_N_MACRO:
        return exec_macro(r, s, n);
    case REIN_N_CALL_BLOCK:
        return exec_call_block(r, s, n);
    case REIN_N_FILTER_BLOCK:
        return exec_filter_block(r, s, n);
    case REIN_N_GENERATION:
        return exec_generation(r, s, n);
    case REIN_N_BREAK:
        r->flow = REIN_J_BREAK;
        return REIN_OK;
    default:
        r->flow = REIN_J_CONTINUE;
        return REIN_OK;
    }
}

rein_status rein_jinja_exec(rein_jrender *r, rein_jscope *s, const rein_jnode *list) {
    for (const rein_jnode *n = list; n && r->flow == REIN_J_GO; n = n->next) {
        rein_status status = rein_jinja_descend(r);
        if (status == REIN_OK) status = exec_one(r, s, n);
        r->depth--;
        if (status != REIN_OK) return rein_jinja_locate(r, status, n);
    }
    return REIN_OK;
}
