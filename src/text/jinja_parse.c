/* The grammar of statements and the life of a template; see jinja.h, jinja_ast.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/bytelevel.h"
#include "text/jinja_ast.h"

/* ---- what both parts of the parser use ---- */

static rein_status fail_text(const rein_jinja *t, int line, const char *fmt, va_list args) {
    char text[512];
    vsnprintf(text, sizeof text, fmt, args);
    return rein_fail(REIN_ERR_FORMAT, "%s:%d: %s", t->name, line, text);
}

rein_status rein_jinja_fail_at(const rein_jinja *t, int line, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    rein_status status = fail_text(t, line, fmt, args);
    va_end(args);
    return status;
}

rein_jnode *rein_jinja_parse_fail(rein_jparser *p, int line, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    p->status = fail_text(p->t, line, fmt, args);
    va_end(args);
    return NULL;
}

rein_jnode *rein_jinja_node(rein_jparser *p, rein_jkind kind, const rein_jtoken *first) {
    rein_jnode *n;
    if ((p->status = rein_arena_alloc(&p->t->arena, &n, sizeof *n)) != REIN_OK) return NULL;
    n->kind = kind;
    n->line = first->line;
    n->begin = first->begin;
    n->end = p->at > first ? p->at[-1].end : first->end;
    return n;
}

bool rein_jinja_at_name(const rein_jparser *p, const char *name) {
    return p->at->type == REIN_T_NAME && p->at->len == strlen(name) && memcmp(p->at->text, name, p->at->len) == 0;
}

bool rein_jinja_take(rein_jparser *p, int type) {
    if (p->at->type != type) return false;
    p->at++;
    return true;
}

bool rein_jinja_take_name(rein_jparser *p, const char *name) {
    if (!rein_jinja_at_name(p, name)) return false;
    p->at++;
    return true;
}

static const char *describe(int type, char one[2]) {
    if (type < 256) {
        one[0] = (char)type;
        one[1] = '\0';
        return one;
    }
    if (type == REIN_T_VARIABLE_END) return "}}";
    if (type == REIN_T_BLOCK_END) return "%}";
    return type == REIN_T_NAME ? "a name" : "something else";
}

bool rein_jinja_expect(rein_jparser *p, int type) {
    char one[2];
    const rein_jtoken *t = p->at;
    if (rein_jinja_take(p, type)) return true;
    int len = t->end - t->begin > 40 ? 40 : (int)(t->end - t->begin);
    if (t->type == REIN_T_END)
        rein_jinja_parse_fail(p, t->line, "unexpected end of the template, expected '%s'", describe(type, one));
    else
        rein_jinja_parse_fail(p, t->line, "expected '%s', got '%.*s'", describe(type, one), len,
                              p->t->source + t->begin);
    return false;
}

bool rein_jinja_enter(rein_jparser *p) {
    if (++p->depth <= REIN_JINJA_PARSE_DEPTH) return true;
    rein_jinja_parse_fail(p, p->at->line, "blocks and brackets are nested deeper than %d levels",
                          REIN_JINJA_PARSE_DEPTH);
    return false;
}

/* ---- bodies ---- */

static rein_jnode *parse_statement(rein_jparser *p);

/* The name behind the current block begin is one of `stops` ("endfor|else"). */
static bool at_stop(const rein_jparser *p, const char *stops) {
    const rein_jtoken *name = p->at + 1;
    if (!stops || p->at->type != REIN_T_BLOCK_BEGIN || name->type != REIN_T_NAME) return false;
    for (const char *s = stops, *bar; *s; s = *bar ? bar + 1 : bar) {
        bar = s + strcspn(s, "|");
        if ((size_t)(bar - s) == name->len && memcmp(s, name->text, name->len) == 0) return true;
    }
    return false;
}

static rein_jnode *parse_data(rein_jparser *p) {
    const rein_jtoken *data = p->at++;
    rein_jnode *n = rein_jinja_node(p, REIN_N_DATA, data);
    if (n) n->text = data->text, n->len = data->len;
    return n;
}

static rein_jnode *parse_print(rein_jparser *p) {
    const rein_jtoken *first = p->at++;
    rein_jnode *value = rein_jinja_parse_tuple(p, true, false, NULL);
    if (!value || !rein_jinja_expect(p, REIN_T_VARIABLE_END)) return NULL;
    rein_jnode *n = rein_jinja_node(p, REIN_N_PRINT, first);
    if (n) n->a = value;
    return n;
}

static rein_jnode *parse_block(rein_jparser *p) {
    p->at++;
    rein_jnode *n = parse_statement(p);
    return n && rein_jinja_expect(p, REIN_T_BLOCK_END) ? n : NULL;
}

/* Up to a tag of `stops`, whose name is then the current token; *ok is false on an error. NULL stops: to the end. */
static rein_jnode *parse_until(rein_jparser *p, const char *stops, bool *ok) {
    rein_jnode *list = NULL, **end = &list;
    *ok = false;
    while (p->at->type != REIN_T_END && !at_stop(p, stops)) {
        *end = p->at->type == REIN_T_DATA             ? parse_data(p)
               : p->at->type == REIN_T_VARIABLE_BEGIN ? parse_print(p)
                                                      : parse_block(p);
        if (!*end) return NULL;
        while (*end) end = &(*end)->next;
    }
    if (stops && p->at->type == REIN_T_END) return NULL;
    if (stops) p->at++;
    *ok = true;
    return list;
}

/* "%} body {% stop": the current token is then the stop's name. `first` names the block in errors. */
static rein_jnode *parse_body(rein_jparser *p, const rein_jtoken *first, const char *stops, bool *ok) {
    *ok = false;
    rein_jinja_take(p, ':');
    if (!rein_jinja_expect(p, REIN_T_BLOCK_END)) return NULL;
    if (!rein_jinja_enter(p)) return NULL;
    rein_jnode *body = parse_until(p, stops, ok);
    p->depth--;
    if (!*ok && p->status == REIN_OK)
        return rein_jinja_parse_fail(p, first->line, "'%.*s' has no end: '%s' is missing", (int)first->len, first->text,
                                     stops);
    return body;
}

/* As parse_body, for what is rendered apart: a loop around it cannot be left from inside. Takes the stop. */
static rein_jnode *parse_captured(rein_jparser *p, const rein_jtoken *first, const char *stop, bool *ok) {
    int loops = p->loops;
    p->loops = 0;
    rein_jnode *body = parse_body(p, first, stop, ok);
    p->loops = loops;
    if (*ok) p->at++;
    return body;
}

/* ---- statements; the current token is the tag's name ---- */

static rein_jnode *parse_set(rein_jparser *p) {
    const rein_jtoken *first = p->at++;
    bool ok;
    rein_jnode *target = rein_jinja_parse_target(p, true, NULL), *n;
    if (!target) return NULL;
    if (rein_jinja_take(p, '=')) {
        rein_jnode *value = rein_jinja_parse_tuple(p, true, false, NULL);
        if (!value || !(n = rein_jinja_node(p, REIN_N_SET, first))) return NULL;
        n->a = target, n->b = value;
        return n;
    }
    rein_jnode *filters = rein_jinja_parse_filters(p, NULL, false);
    if (p->status != REIN_OK || !(n = rein_jinja_node(p, REIN_N_SET_BLOCK, first))) return NULL;
    n->a = target, n->b = filters;
    n->list = parse_captured(p, first, "endset", &ok);
    return ok ? n : NULL;
}

static rein_jnode *parse_if(rein_jparser *p) {
    const rein_jtoken *first = p->at;
    rein_jnode *top = NULL, **end = &top;
    for (bool more = true, ok; more;) {
        bool last = rein_jinja_at_name(p, "else");
        const rein_jtoken *word = p->at++;
        rein_jnode *test = NULL, *n;
        if (!last && !(test = rein_jinja_parse_tuple(p, false, false, NULL))) return NULL;
        if (!(n = rein_jinja_node(p, REIN_N_IF, word))) return NULL;
        n->a = test;
        n->list = parse_body(p, first, test ? "elif|else|endif" : "endif", &ok);
        if (!ok) return NULL;
        *end = n;
        end = &n->b;
        more = !rein_jinja_at_name(p, "endif");
    }
    p->at++;
    return top;
}

static rein_jnode *parse_for(rein_jparser *p) {
    const rein_jtoken *first = p->at++;
    bool ok;
    rein_jnode *target = rein_jinja_parse_target(p, false, "in"), *sequence, *test = NULL, *n;
    if (!target) return NULL;
    if (!rein_jinja_take_name(p, "in")) return rein_jinja_parse_fail(p, p->at->line, "expected 'in' in 'for'");
    if (!(sequence = rein_jinja_parse_tuple(p, false, false, "recursive"))) return NULL;
    if (rein_jinja_take_name(p, "if") && !(test = rein_jinja_parse_expression(p, true))) return NULL;
    bool recursive = rein_jinja_take_name(p, "recursive");
    if (!(n = rein_jinja_node(p, REIN_N_FOR, first))) return NULL;
    n->a = target, n->b = sequence, n->c = test;
    n->flags = recursive ? REIN_JF_RECURSIVE : 0;
    p->loops++;
    n->list = parse_body(p, first, "endfor|else", &ok);
    p->loops--;
    if (ok && rein_jinja_take_name(p, "else")) n->other = parse_body(p, first, "endfor", &ok);
    if (!ok) return NULL;
    p->at++;
    return n;
}

static rein_jnode *parse_with(rein_jparser *p) {
    const rein_jtoken *first = p->at++;
    rein_jnode *n = rein_jinja_node(p, REIN_N_WITH, first), **end = n ? &n->list : NULL;
    bool ok;
    while (n && p->at->type != REIN_T_BLOCK_END) {
        const rein_jtoken *begin = p->at;
        if (n->list && !rein_jinja_expect(p, ',')) return NULL;
        rein_jnode *target = rein_jinja_parse_target(p, false, NULL);
        if (!target || !rein_jinja_expect(p, '=')) return NULL;
        rein_jnode *value = rein_jinja_parse_expression(p, true);
        if (!value || !(*end = rein_jinja_node(p, REIN_N_PAIR, begin))) return NULL;
        (*end)->a = target, (*end)->b = value;
        end = &(*end)->next;
    }
    if (!n) return NULL;
    n->other = parse_body(p, first, "endwith", &ok);
    if (!ok) return NULL;
    p->at++;
    return n;
}

/* "(name, name=default ...)" into n->list; false on an error. */
static bool parse_parameters(rein_jparser *p, rein_jnode *n) {
    rein_jnode **end = &n->list;
    bool defaults = false;
    if (!rein_jinja_expect(p, '(')) return false;
    while (p->at->type != ')') {
        if (n->list && !rein_jinja_expect(p, ',')) return false;
        const rein_jtoken *name = p->at;
        if (!rein_jinja_expect(p, REIN_T_NAME) || !(*end = rein_jinja_node(p, REIN_N_KEYWORD, name))) return false;
        (*end)->text = name->text, (*end)->len = name->len;
        if (rein_jinja_take(p, '=')) {
            if (!((*end)->a = rein_jinja_parse_expression(p, true))) return false;
            defaults = true;
        } else if (defaults) {
            return rein_jinja_parse_fail(p, name->line, "a parameter without a default follows one with a default") !=
                   NULL;
        }
        end = &(*end)->next;
    }
    p->at++;
    return true;
}

/* The body of a macro or call block, with the special names that it uses. */
static bool parse_macro_body(rein_jparser *p, rein_jnode *n, const rein_jtoken *first, const char *stop) {
    int outer = p->macro_flags;
    bool ok;
    p->macro_flags = 0;
    n->other = parse_captured(p, first, stop, &ok);
    n->flags = p->macro_flags;
    p->macro_flags |= outer;
    return ok;
}

static rein_jnode *parse_macro(rein_jparser *p) {
    const rein_jtoken *first = p->at++, *name = p->at;
    rein_jnode *n;
    if (!rein_jinja_expect(p, REIN_T_NAME) || !(n = rein_jinja_node(p, REIN_N_MACRO, first))) return NULL;
    n->text = name->text, n->len = name->len;
    return parse_parameters(p, n) && parse_macro_body(p, n, first, "endmacro") ? n : NULL;
}

static rein_jnode *parse_call_block(rein_jparser *p) {
    const rein_jtoken *first = p->at++;
    rein_jnode *n = rein_jinja_node(p, REIN_N_CALL_BLOCK, first), *macro = rein_jinja_node(p, REIN_N_MACRO, first);
    if (!n || !macro) return NULL;
    macro->text = "caller", macro->len = 6;
    if (p->at->type == '(' && !parse_parameters(p, macro)) return NULL;
    if (!(n->a = rein_jinja_parse_expression(p, true))) return NULL;
    if (n->a->kind != REIN_N_CALL) return rein_jinja_parse_fail(p, first->line, "'call' needs a call");
    n->b = macro;
    return parse_macro_body(p, macro, first, "endcall") ? n : NULL;
}

static rein_jnode *parse_filter_block(rein_jparser *p) {
    const rein_jtoken *first = p->at++;
    bool ok;
    rein_jnode *n = rein_jinja_node(p, REIN_N_FILTER_BLOCK, first);
    if (!n || !(n->b = rein_jinja_parse_filters(p, NULL, true))) return NULL;
    n->list = parse_captured(p, first, "endfilter", &ok);
    return ok ? n : NULL;
}

static rein_jnode *parse_generation(rein_jparser *p) {
    const rein_jtoken *first = p->at++;
    bool ok;
    rein_jnode *n = rein_jinja_node(p, REIN_N_GENERATION, first);
    if (!n) return NULL;
    n->list = parse_captured(p, first, "endgeneration", &ok);
    return ok ? n : NULL;
}

static rein_jnode *parse_loop_control(rein_jparser *p) {
    const rein_jtoken *word = p->at++;
    if (p->loops == 0)
        return rein_jinja_parse_fail(p, word->line, "'%.*s' is outside of a loop", (int)word->len, word->text);
    return rein_jinja_node(p, word->text[0] == 'b' ? REIN_N_BREAK : REIN_N_CONTINUE, word);
}

/* {% print a, b %}: a list of PRINT nodes. */
static rein_jnode *parse_print_tag(rein_jparser *p) {
    rein_jnode *list = NULL, **end = &list;
    const rein_jtoken *first = p->at++;
    do {
        rein_jnode *value = rein_jinja_parse_expression(p, true);
        if (!value || !(*end = rein_jinja_node(p, REIN_N_PRINT, first))) return NULL;
        (*end)->a = value;
        end = &(*end)->next;
    } while (rein_jinja_take(p, ','));
    return list;
}

static rein_jnode *parse_statement(rein_jparser *p) {
    static const struct {
        const char *name;
        rein_jnode *(*parse)(rein_jparser *p);
    } tags[] = {{"if", parse_if},
                {"for", parse_for},
                {"set", parse_set},
                {"macro", parse_macro},
                {"call", parse_call_block},
                {"filter", parse_filter_block},
                {"with", parse_with},
                {"generation", parse_generation},
                {"break", parse_loop_control},
                {"print", parse_print_tag},
                {"continue", parse_loop_control}};
    const rein_jtoken *t = p->at;
    for (size_t i = 0; i < REIN_COUNT(tags); i++)
        if (rein_jinja_at_name(p, tags[i].name)) return tags[i].parse(p);
    return rein_jinja_parse_fail(p, t->line, "unknown tag '%.*s'", t->type == REIN_T_NAME ? (int)t->len : 0, t->text);
}

/* ---- templates ---- */

/* Newlines of all kinds become \n and the last one is cut, as Jinja does before anything else. */
static rein_status copy_source(rein_jinja *t, const char *text, size_t len) {
    char *copy;
    size_t n = 0;
    REIN_TRY(rein_arena_alloc(&t->arena, &copy, len + 1));
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && i > 0 && text[i - 1] == '\r') continue;
        copy[n++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (n && copy[n - 1] == '\n') n--;
    copy[n] = '\0';
    t->source = copy;
    t->len = n;
    return REIN_OK;
}

static rein_status parse_source(rein_jinja *t) {
    rein_jtokens tokens = {0};
    bool ok;
    rein_jparser p = {.t = t};
    rein_status status = rein_jinja_lex(&tokens, t);
    if (status == REIN_OK) {
        p.at = tokens.data;
        t->body = parse_until(&p, NULL, &ok);
        status = p.status;
    }
    rein_free(tokens.data);
    return status;
}

rein_status rein_jinja_parse(rein_jinja **out, const char *name, const char *text, size_t len) {
    rein_jinja *t;
    char *copy;
    size_t valid = rein_utf8_valid_length(text, len);
    if (valid < len) return rein_fail(REIN_ERR_FORMAT, "%s: not UTF-8 at byte %zu", name, valid);
    REIN_TRY(rein_alloc(&t, 1, sizeof *t));
    rein_status status = rein_arena_strdup(&t->arena, &copy, name, strlen(name));
    t->name = copy;
    if (status == REIN_OK) status = copy_source(t, text, len);
    if (status == REIN_OK) status = parse_source(t);
    if (status == REIN_OK)
        *out = t;
    else
        rein_jinja_destroy(t);
    return status;
}

void rein_jinja_destroy(rein_jinja *t) {
    if (!t) return;
    rein_arena_deinit(&t->arena);
    rein_free(t);
}
