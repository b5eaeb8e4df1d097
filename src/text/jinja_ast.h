/*
 * Tokens and the tree of a template; made once by the lexer and the parser, then constant.
 *
 * A node's members by kind are listed with the kinds. Lists of nodes are linked by `next`. Everything lives in the
 * template's arena or points into its source.
 */
#ifndef REIN_TEXT_JINJA_AST_H
#define REIN_TEXT_JINJA_AST_H

#include "text/jinja_value.h"

typedef enum rein_jtoken_type { /* operators of one character are that character */
                                REIN_T_END = 256,
                                REIN_T_DATA,
                                REIN_T_VARIABLE_BEGIN,
                                REIN_T_VARIABLE_END,
                                REIN_T_BLOCK_BEGIN,
                                REIN_T_BLOCK_END,
                                REIN_T_NAME,
                                REIN_T_STRING,
                                REIN_T_INT,
                                REIN_T_FLOAT,
                                REIN_T_POW,
                                REIN_T_FLOORDIV,
                                REIN_T_EQ,
                                REIN_T_NE,
                                REIN_T_GE,
                                REIN_T_LE
} rein_jtoken_type;

typedef struct rein_jtoken {
    int type;
    int line;
    size_t begin, end; /* in the source */
    const char *text;  /* NAME, DATA; STRING with its escapes decoded */
    size_t len;
    int64_t i;
    double f;
} rein_jtoken;

typedef struct rein_jtokens {
    rein_jtoken *data; /* the last one is END */
    int64_t n, cap;
} rein_jtokens;

struct rein_jinja {
    rein_arena arena;
    const char *name, *source; /* newlines are \n, a last one is cut off */
    size_t len;
    struct rein_jnode *body;
};

/** Split the source into tokens. REIN_ERR_FORMAT with name and line. Free tokens->data. */
REIN_NODISCARD rein_status rein_jinja_lex(rein_jtokens *tokens, rein_jinja *t);
/** REIN_ERR_FORMAT "name:line: ...". */
rein_status rein_jinja_fail_at(const rein_jinja *t, int line, const char *fmt, ...) REIN_PRINTF(3, 4);

typedef enum rein_jkind {
    /* expressions */
    REIN_N_CONST,    /* value */
    REIN_N_NAME,     /* text */
    REIN_N_LIST,     /* list: items */
    REIN_N_TUPLE,    /* list: items */
    REIN_N_DICT,     /* list: PAIR */
    REIN_N_PAIR,     /* a: key or target, b: value */
    REIN_N_GETATTR,  /* a.text */
    REIN_N_GETITEM,  /* a[b] */
    REIN_N_SLICE,    /* a:b:c, each may be NULL */
    REIN_N_CALL,     /* a(list) */
    REIN_N_FILTER,   /* a | text(list); a is NULL in filter and set blocks */
    REIN_N_TEST,     /* a is text(list) */
    REIN_N_KEYWORD,  /* text=a, in a list of arguments */
    REIN_N_STAR,     /* *a */
    REIN_N_STARSTAR, /* **a */
    REIN_N_NOT,      /* a */
    REIN_N_NEGATE,   /* a */
    REIN_N_PLUS,     /* a */
    REIN_N_BINARY,   /* a op b */
    REIN_N_AND,      /* a, b */
    REIN_N_OR,       /* a, b */
    REIN_N_CONCAT,   /* list */
    REIN_N_COMPARE,  /* a, list: OPERAND */
    REIN_N_OPERAND,  /* op, a */
    REIN_N_COND,     /* b if a else c; c may be NULL */
    REIN_N_MEMBER,   /* target of an assignment: namespace text, a: NAME of the attribute */
    /* statements */
    REIN_N_DATA,         /* text */
    REIN_N_PRINT,        /* a */
    REIN_N_IF,           /* a: test or NULL, list: body, b: the next IF (elif, else) */
    REIN_N_FOR,          /* a: target, b: sequence, c: test or NULL, list: body, other: else; flags: RECURSIVE */
    REIN_N_SET,          /* a: target, b */
    REIN_N_SET_BLOCK,    /* a: target, b: filters or NULL, list: body */
    REIN_N_WITH,         /* list: PAIR, other: body */
    REIN_N_MACRO,        /* text: name, list: KEYWORD (a may be NULL), other: body; flags */
    REIN_N_CALL_BLOCK,   /* a: CALL, b: MACRO */
    REIN_N_FILTER_BLOCK, /* b: filters, list: body */
    REIN_N_GENERATION,   /* list: body */
    REIN_N_BREAK,
    REIN_N_CONTINUE
} rein_jkind;

enum { /* of FOR; of MACRO: names that its body uses */
       REIN_JF_RECURSIVE = 1,
       REIN_JF_CALLER = 2,
       REIN_JF_VARARGS = 4,
       REIN_JF_KWARGS = 8
};
enum { REIN_OP_IN = 512, REIN_OP_NOT_IN }; /* operators of OPERAND beside token types */

typedef struct rein_jnode rein_jnode;
struct rein_jnode {
    rein_jkind kind;
    int op, flags, line;
    size_t begin, end; /* in the source */
    const char *text;
    size_t len;
    rein_jvalue value;
    rein_jnode *a, *b, *c, *list, *other, *next;
};

/* ---- between jinja_parse.c (statements) and jinja_parse_expr.c ---- */

typedef struct rein_jparser {
    rein_jinja *t;
    const rein_jtoken *at;
    rein_status status; /* of the first error; functions then return NULL */
    int depth, loops;   /* loops: around this place, within its macro or captured block */
    int macro_flags;    /* what the macro at work uses */
} rein_jparser;

/** Sets p->status; NULL. */
rein_jnode *rein_jinja_parse_fail(rein_jparser *p, int line, const char *fmt, ...) REIN_PRINTF(3, 4);
rein_jnode *rein_jinja_node(rein_jparser *p, rein_jkind kind, const rein_jtoken *first);
/** True if the current token is this name (keyword). */
bool rein_jinja_at_name(const rein_jparser *p, const char *name);
/** Take the current token if it has this type, or is this name. */
bool rein_jinja_take(rein_jparser *p, int type);
bool rein_jinja_take_name(rein_jparser *p, const char *name);
/** As rein_jinja_take, else an error. */
bool rein_jinja_expect(rein_jparser *p, int type);
/** False (an error) when blocks or brackets are nested too deeply; pair with --p->depth. */
bool rein_jinja_enter(rein_jparser *p);

rein_jnode *rein_jinja_parse_expression(rein_jparser *p, bool with_condition);
/** Expressions with commas between, up to the end of a tag, ')' or one of two names. */
rein_jnode *rein_jinja_parse_tuple(rein_jparser *p, bool with_condition, bool parentheses, const char *stop);
/** What `set` and `for` assign to. */
rein_jnode *rein_jinja_parse_target(rein_jparser *p, bool with_namespace, const char *stop);
/** `| name(arguments)...` on `a`, which may be NULL; begun: the current token is the name. */
rein_jnode *rein_jinja_parse_filters(rein_jparser *p, rein_jnode *a, bool begun);

#endif
