/* The grammar of expressions, as Jinja's own parser has it (so that -2 ** 2 is 4); see jinja_ast.h. */
#include <string.h>

#include "text/jinja_ast.h"

static rein_jnode *parse_unary(rein_jparser *p, bool with_filter);

static rein_jnode *parse_one(rein_jparser *p) { return rein_jinja_parse_expression(p, true); }

/* A node over what has been parsed since `first`. */
static rein_jnode *over(rein_jparser *p, rein_jkind kind, const rein_jtoken *first, rein_jnode *a, rein_jnode *b) {
    rein_jnode *n = rein_jinja_node(p, kind, first);
    if (n) n->a = a, n->b = b;
    return n;
}

/* ---- operators, loosest first ---- */

typedef struct level {
    rein_jnode *(*next)(rein_jparser *p);
    const int *ops; /* ends with 0 */
} level;

static rein_jnode *parse_level(rein_jparser *p, const level *l) {
    const rein_jtoken *first = p->at;
    rein_jnode *left = l->next(p);
    for (const int *op = l->ops; left && *op;) {
        if (p->at->type != *op) {
            op++;
            continue;
        }
        p->at++;
        rein_jnode *right = l->next(p);
        if (!right) return NULL;
        left = over(p, REIN_N_BINARY, first, left, right);
        if (left) left->op = *op;
        op = l->ops;
    }
    return left;
}

static rein_jnode *parse_power_operand(rein_jparser *p) { return parse_unary(p, true); }

static rein_jnode *parse_power(rein_jparser *p) {
    static const int ops[] = {REIN_T_POW, 0};
    return parse_level(p, &(level){parse_power_operand, ops});
}

static rein_jnode *parse_product(rein_jparser *p) {
    static const int ops[] = {'*', '/', REIN_T_FLOORDIV, '%', 0};
    return parse_level(p, &(level){parse_power, ops});
}

static rein_jnode *parse_concat(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    rein_jnode *list = parse_product(p), *last = list;
    if (!list || p->at->type != '~') return list;
    while (rein_jinja_take(p, '~')) {
        if (!(last->next = parse_product(p))) return NULL;
        last = last->next;
    }
    rein_jnode *n = rein_jinja_node(p, REIN_N_CONCAT, first);
    if (n) n->list = list;
    return n;
}

static rein_jnode *parse_sum(rein_jparser *p) {
    static const int ops[] = {'+', '-', 0};
    return parse_level(p, &(level){parse_concat, ops});
}

/* The comparison at the current token, taken; 0 if there is none. */
static int take_comparison(rein_jparser *p) {
    static const int ops[] = {REIN_T_EQ, REIN_T_NE, '<', REIN_T_LE, '>', REIN_T_GE};
    for (size_t i = 0; i < REIN_COUNT(ops); i++)
        if (rein_jinja_take(p, ops[i])) return ops[i];
    if (rein_jinja_take_name(p, "in")) return REIN_OP_IN;
    if (!rein_jinja_at_name(p, "not") || p->at[1].type != REIN_T_NAME || p->at[1].len != 2 ||
        memcmp(p->at[1].text, "in", 2) != 0)
        return 0;
    p->at += 2;
    return REIN_OP_NOT_IN;
}

static rein_jnode *parse_comparison(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    rein_jnode *left = parse_sum(p), *list = NULL, **end = &list;
    if (!left) return NULL;
    for (int op; (op = take_comparison(p)) != 0;) {
        const rein_jtoken *begin = p->at;
        rein_jnode *right = parse_sum(p);
        if (!right || !(*end = over(p, REIN_N_OPERAND, begin, right, NULL))) return NULL;
        (*end)->op = op;
        end = &(*end)->next;
    }
    if (!list) return left;
    rein_jnode *n = over(p, REIN_N_COMPARE, first, left, NULL);
    if (n) n->list = list;
    return n;
}

static rein_jnode *parse_not(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    int nots = 0;
    while (rein_jinja_take_name(p, "not")) nots++;
    rein_jnode *n = parse_comparison(p);
    if (nots > 2) nots = nots % 2 ? 1 : 2; /* as many say the same */
    for (; n && nots > 0; nots--) n = over(p, REIN_N_NOT, first, n, NULL);
    return n;
}

static rein_jnode *parse_and(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    rein_jnode *left = parse_not(p);
    while (left && rein_jinja_take_name(p, "and")) {
        rein_jnode *right = parse_not(p);
        left = right ? over(p, REIN_N_AND, first, left, right) : NULL;
    }
    return left;
}

static rein_jnode *parse_or(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    rein_jnode *left = parse_and(p);
    while (left && rein_jinja_take_name(p, "or")) {
        rein_jnode *right = parse_and(p);
        left = right ? over(p, REIN_N_OR, first, left, right) : NULL;
    }
    return left;
}

static rein_jnode *parse_condition(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    rein_jnode *value = parse_or(p);
    while (value && rein_jinja_take_name(p, "if")) {
        rein_jnode *test = parse_or(p), *other = NULL;
        if (!test) return NULL;
        if (rein_jinja_take_name(p, "else") && !(other = parse_one(p))) return NULL;
        if (!(value = over(p, REIN_N_COND, first, test, value))) return NULL;
        value->c = other;
    }
    return value;
}

rein_jnode *rein_jinja_parse_expression(rein_jparser *p, bool with_condition) {
    if (!rein_jinja_enter(p)) return NULL;
    rein_jnode *n = with_condition ? parse_condition(p) : parse_or(p);
    p->depth--;
    return n;
}

/* ---- literals ---- */

static rein_jnode *constant(rein_jparser *p, const rein_jtoken *first, rein_jvalue value) {
    rein_jnode *n = rein_jinja_node(p, REIN_N_CONST, first);
    if (n) n->value = value;
    return n;
}

static rein_jnode *parse_name(rein_jparser *p) {
    static const struct {
        const char *text;
        rein_jtype type;
        int value;
    } words[] = {{"true", REIN_J_BOOL, 1},  {"True", REIN_J_BOOL, 1}, {"false", REIN_J_BOOL, 0},
                 {"False", REIN_J_BOOL, 0}, {"none", REIN_J_NONE, 0}, {"None", REIN_J_NONE, 0}};
    static const struct {
        const char *text;
        int flag;
    } used[] = {{"caller", REIN_JF_CALLER}, {"varargs", REIN_JF_VARARGS}, {"kwargs", REIN_JF_KWARGS}};
    const rein_jtoken *name = p->at;
    for (size_t i = 0; i < REIN_COUNT(words); i++)
        if (rein_jinja_take_name(p, words[i].text))
            return constant(p, name, (rein_jvalue){.type = words[i].type, .u.i = words[i].value});
    for (size_t i = 0; i < REIN_COUNT(used); i++)
        if (rein_jinja_at_name(p, used[i].text)) p->macro_flags |= used[i].flag;
    p->at++;
    rein_jnode *n = rein_jinja_node(p, REIN_N_NAME, name);
    if (n) n->text = name->text, n->len = name->len;
    return n;
}

/* Strings that follow each other are one. */
static rein_jnode *parse_string(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    size_t len = 0;
    char *text;
    for (; p->at->type == REIN_T_STRING; p->at++) len += p->at->len;
    if (p->at == first + 1) return constant(p, first, rein_jinja_string(first->text, first->len));
    if ((p->status = rein_arena_alloc(&p->t->arena, &text, len + 1)) != REIN_OK) return NULL;
    len = 0;
    for (const rein_jtoken *t = first; t < p->at; len += t->len, t++) memcpy(text + len, t->text, t->len);
    return constant(p, first, rein_jinja_string(text, len));
}

/* Items up to `close`, a comma behind the last allowed. */
static rein_jnode *parse_items(rein_jparser *p, rein_jkind kind, int close) {
    const rein_jtoken *first = p->at++;
    rein_jnode *list = NULL, **end = &list;
    while (p->at->type != close) {
        if (list && !rein_jinja_expect(p, ',')) return NULL;
        if (p->at->type == close) break;
        const rein_jtoken *begin = p->at;
        rein_jnode *item = parse_one(p), *value = NULL;
        if (item && kind == REIN_N_DICT) {
            if (!rein_jinja_expect(p, ':') || !(value = parse_one(p))) return NULL;
            item = over(p, REIN_N_PAIR, begin, item, value);
        }
        if (!item) return NULL;
        *end = item;
        end = &item->next;
    }
    p->at++;
    rein_jnode *n = rein_jinja_node(p, kind, first);
    if (n) n->list = list;
    return n;
}

static rein_jnode *parse_primary(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    rein_jnode *n;
    switch (first->type) {
    case REIN_T_NAME:
        return parse_name(p);
    case REIN_T_STRING:
        return parse_string(p);
    case REIN_T_INT:
        p->at++;
        return constant(p, first, rein_jinja_int(first->i));
    case REIN_T_FLOAT:
        p->at++;
        return constant(p, first, rein_jinja_float(first->f));
    case '[':
        return parse_items(p, REIN_N_LIST, ']');
    case '{':
        return parse_items(p, REIN_N_DICT, '}');
    case '(':
        p->at++;
        n = rein_jinja_parse_tuple(p, true, true, NULL);
        return n && rein_jinja_expect(p, ')') ? n : NULL;
    default:
        break;
    }
    if (first->type == REIN_T_END) return rein_jinja_parse_fail(p, first->line, "unexpected end of the template");
    return rein_jinja_parse_fail(p, first->line, "unexpected '%.*s'", (int)(first->end - first->begin),
                                 p->t->source + first->begin);
}

static bool at_tuple_end(const rein_jparser *p, const char *stop) {
    int type = p->at->type;
    return type == REIN_T_VARIABLE_END || type == REIN_T_BLOCK_END || type == ')' ||
           (stop && rein_jinja_at_name(p, stop));
}

typedef struct tuple_form {
    bool target, with_namespace, with_condition, parentheses;
    const char *stop;
} tuple_form;

static rein_jnode *parse_target_part(rein_jparser *p, bool with_namespace) {
    const rein_jtoken *first = p->at;
    rein_jnode *n = parse_primary(p);
    if (!n || n->kind != REIN_N_NAME || !with_namespace || !rein_jinja_take(p, '.')) return n;
    if (p->at->type != REIN_T_NAME) return rein_jinja_parse_fail(p, p->at->line, "expected a name behind '.'");
    p->at++;
    rein_jnode *attribute = rein_jinja_node(p, REIN_N_NAME, p->at - 1);
    rein_jnode *member = attribute ? over(p, REIN_N_MEMBER, first, attribute, NULL) : NULL;
    if (!member) return NULL;
    attribute->text = p->at[-1].text, attribute->len = p->at[-1].len;
    member->text = n->text, member->len = n->len;
    return member;
}

static rein_jnode *parse_tuple_form(rein_jparser *p, const tuple_form *f) {
    const rein_jtoken *first = p->at;
    rein_jnode *list = NULL, **end = &list;
    bool tuple = false;
    for (;;) {
        if (list && !rein_jinja_expect(p, ',')) return NULL;
        if (at_tuple_end(p, f->stop)) break;
        rein_jnode *item =
            f->target ? parse_target_part(p, f->with_namespace) : rein_jinja_parse_expression(p, f->with_condition);
        if (!item) return NULL;
        *end = item;
        end = &item->next;
        if (p->at->type != ',') break;
        tuple = true;
    }
    if (!tuple && list) return list;
    if (!tuple && !f->parentheses) return rein_jinja_parse_fail(p, p->at->line, "expected an expression");
    rein_jnode *n = rein_jinja_node(p, REIN_N_TUPLE, first);
    if (n) n->list = list;
    return n;
}

rein_jnode *rein_jinja_parse_tuple(rein_jparser *p, bool with_condition, bool parentheses, const char *stop) {
    return parse_tuple_form(p,
                            &(tuple_form){.with_condition = with_condition, .parentheses = parentheses, .stop = stop});
}

static bool assignable(const rein_jnode *n) {
    if (n->kind == REIN_N_NAME || n->kind == REIN_N_MEMBER) return true;
    if (n->kind != REIN_N_TUPLE && n->kind != REIN_N_LIST) return false;
    for (const rein_jnode *item = n->list; item; item = item->next)
        if (!assignable(item)) return false; /* as deep as the parser went */
    return true;
}

rein_jnode *rein_jinja_parse_target(rein_jparser *p, bool with_namespace, const char *stop) {
    int line = p->at->line;
    rein_jnode *n = parse_tuple_form(p, &(tuple_form){.target = true, .with_namespace = with_namespace, .stop = stop});
    if (n && !assignable(n))
        return rein_jinja_parse_fail(p, line, "cannot assign to '%.*s'", (int)(n->end - n->begin),
                                     p->t->source + n->begin);
    return n;
}

/* ---- what follows a value: .name [index] (arguments) | filter, is test ---- */

static rein_jnode *parse_argument(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    rein_jkind kind = first->type == '*' ? REIN_N_STAR : REIN_N_STARSTAR;
    if (rein_jinja_take(p, '*') || rein_jinja_take(p, REIN_T_POW)) {
        rein_jnode *a = parse_one(p);
        return a ? over(p, kind, first, a, NULL) : NULL;
    }
    if (first->type != REIN_T_NAME || first[1].type != '=') return parse_one(p);
    p->at += 2;
    rein_jnode *a = parse_one(p), *n = a ? over(p, REIN_N_KEYWORD, first, a, NULL) : NULL;
    if (n) n->text = first->text, n->len = first->len;
    return n;
}

/* Positional ones, then keywords, then *, then **. */
static int rank(const rein_jnode *n) {
    return n->kind == REIN_N_STARSTAR ? 3 : n->kind == REIN_N_STAR ? 2 : n->kind == REIN_N_KEYWORD ? 1 : 0;
}

/* "(arguments)" into n->list; false on an error. */
static bool parse_arguments(rein_jparser *p, rein_jnode *n) {
    rein_jnode **end = &n->list;
    int before = 0, line = p->at->line;
    p->at++;
    while (p->at->type != ')') {
        if (n->list && !rein_jinja_expect(p, ',')) return false;
        if (n->list && p->at->type == ')') break;
        rein_jnode *a = parse_argument(p);
        if (!a) return false;
        int now = rank(a);
        if (now < (before == 2 && now == 1 ? 1 : before) || (now == before && now >= 2))
            return rein_jinja_parse_fail(p, line, "arguments of a call in a wrong order") != NULL;
        before = now > before ? now : before;
        *end = a;
        end = &a->next;
    }
    p->at++;
    n->end = p->at[-1].end;
    return true;
}

static rein_jnode *parse_call(rein_jparser *p, const rein_jtoken *first, rein_jnode *a) {
    rein_jnode *n = over(p, REIN_N_CALL, first, a, NULL);
    return n && parse_arguments(p, n) ? n : NULL;
}

/* One index or slice. */
static rein_jnode *parse_index(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    rein_jnode *part[3] = {NULL, NULL, NULL};
    int colons = 0;
    while (p->at->type != ']' && p->at->type != ',') {
        if (rein_jinja_take(p, ':')) {
            if (++colons > 2) return rein_jinja_parse_fail(p, first->line, "a slice has at most two colons");
            continue;
        }
        if (part[colons]) break; /* no colon between two expressions: the caller sees it */
        if (!(part[colons] = parse_one(p))) return NULL;
        if (p->at->type != ':') break;
    }
    if (colons == 0 && part[0]) return part[0];
    if (colons == 0) return rein_jinja_parse_fail(p, first->line, "expected an index");
    rein_jnode *n = over(p, REIN_N_SLICE, first, part[0], part[1]);
    if (n) n->c = part[2];
    return n;
}

static rein_jnode *parse_subscript(rein_jparser *p, const rein_jtoken *first, rein_jnode *a) {
    p->at++;
    rein_jnode *list = NULL, **end = &list;
    const rein_jtoken *begin = p->at;
    while (p->at->type != ']') {
        if (list && !rein_jinja_expect(p, ',')) return NULL;
        if (!(*end = parse_index(p))) return NULL;
        end = &(*end)->next;
    }
    p->at++;
    if (!list || list->next) {
        rein_jnode *tuple = rein_jinja_node(p, REIN_N_TUPLE, begin);
        if (!tuple) return NULL;
        tuple->list = list;
        list = tuple;
    }
    return over(p, REIN_N_GETITEM, first, a, list);
}

static rein_jnode *parse_attribute(rein_jparser *p, const rein_jtoken *first, rein_jnode *a) {
    p->at++;
    const rein_jtoken *name = p->at;
    if (name->type != REIN_T_NAME && name->type != REIN_T_INT)
        return rein_jinja_parse_fail(p, name->line, "expected a name or a number behind '.'");
    p->at++;
    if (name->type == REIN_T_INT) {
        rein_jnode *index = constant(p, name, rein_jinja_int(name->i));
        return index ? over(p, REIN_N_GETITEM, first, a, index) : NULL;
    }
    rein_jnode *n = over(p, REIN_N_GETATTR, first, a, NULL);
    if (n) n->text = name->text, n->len = name->len;
    return n;
}

static rein_jnode *parse_postfix(rein_jparser *p, const rein_jtoken *first, rein_jnode *n) {
    while (n) {
        if (p->at->type == '.')
            n = parse_attribute(p, first, n);
        else if (p->at->type == '[')
            n = parse_subscript(p, first, n);
        else if (p->at->type == '(')
            n = parse_call(p, first, n);
        else
            break;
    }
    return n;
}

rein_jnode *rein_jinja_parse_filters(rein_jparser *p, rein_jnode *a, bool begun) {
    const rein_jtoken *first = p->at;
    while (begun || p->at->type == '|') {
        if (!begun) p->at++;
        begun = false;
        const rein_jtoken *name = p->at;
        if (!rein_jinja_expect(p, REIN_T_NAME)) return NULL;
        rein_jnode *n = over(p, REIN_N_FILTER, first, a, NULL);
        if (!n) return NULL;
        if (a) n->begin = a->begin;
        n->text = name->text, n->len = name->len;
        if (p->at->type == '(' && !parse_arguments(p, n)) return NULL;
        a = n;
    }
    return a;
}

static rein_jnode *parse_test(rein_jparser *p, const rein_jtoken *first, rein_jnode *a) {
    p->at++;
    bool negated = rein_jinja_take_name(p, "not");
    const rein_jtoken *name = p->at;
    if (!rein_jinja_expect(p, REIN_T_NAME)) return NULL;
    rein_jnode *n = over(p, REIN_N_TEST, first, a, NULL);
    if (!n) return NULL;
    n->text = name->text, n->len = name->len;
    int type = p->at->type;
    bool word = type == REIN_T_NAME && !rein_jinja_at_name(p, "else") && !rein_jinja_at_name(p, "or") &&
                !rein_jinja_at_name(p, "and");
    if (type == '(') {
        if (!parse_arguments(p, n)) return NULL;
    } else if (word || type == REIN_T_STRING || type == REIN_T_INT || type == REIN_T_FLOAT || type == '[' ||
               type == '{') {
        const rein_jtoken *begin = p->at;
        if (rein_jinja_at_name(p, "is")) return rein_jinja_parse_fail(p, p->at->line, "tests with 'is' do not chain");
        if (!(n->list = parse_postfix(p, begin, parse_primary(p)))) return NULL;
        n->end = p->at[-1].end;
    }
    return negated ? over(p, REIN_N_NOT, first, n, NULL) : n;
}

static rein_jnode *parse_unary(rein_jparser *p, bool with_filter) {
    const rein_jtoken *first = p->at;
    rein_jnode *n;
    if (!rein_jinja_enter(p)) return NULL;
    if (first->type == '-' || first->type == '+') {
        p->at++;
        n = parse_unary(p, false);
        if (n) n = over(p, first->type == '-' ? REIN_N_NEGATE : REIN_N_PLUS, first, n, NULL);
    } else {
        n = parse_primary(p);
    }
    p->depth--;
    n = parse_postfix(p, first, n);
    while (n && with_filter) {
        if (p->at->type == '|')
            n = rein_jinja_parse_filters(p, n, false);
        else if (rein_jinja_at_name(p, "is"))
            n = parse_test(p, first, n);
        else if (p->at->type == '(')
            n = parse_call(p, first, n);
        else
            break;
    }
    return n;
}
