/* What the parts of the evaluator share: scopes, calls, the tables of filters, tests, methods and functions. */
#ifndef REIN_TEXT_JINJA_EVAL_H
#define REIN_TEXT_JINJA_EVAL_H

#include "text/jinja_ast.h"

typedef struct rein_jscope rein_jscope;
typedef struct rein_jvariable rein_jvariable;
struct rein_jscope {
    rein_jscope *parent;
    rein_jvariable *first;
};
struct rein_jvariable {
    const char *name;
    size_t len;
    rein_jvalue value;
    rein_jvariable *next;
};

typedef enum rein_jflow { REIN_J_GO, REIN_J_BREAK, REIN_J_CONTINUE } rein_jflow;

struct rein_jrender {
    rein_jbudget b;
    const rein_jinja *t;
    rein_str *out;           /* where text goes now */
    const rein_str *root;    /* where the text of the template goes */
    rein_ranges *generation; /* or NULL */
    int depth;
    rein_jflow flow;
    bool located; /* the error has its place already */
};

typedef struct rein_jmacro {
    const rein_jnode *node;
    rein_jscope *scope; /* where it was defined */
} rein_jmacro;

typedef struct rein_jloop {
    const rein_jnode *node;
    rein_jscope *scope; /* around it */
    const rein_jlist *items;
    int64_t at, depth;   /* index of the current item; loops of the same recursion around it */
    rein_jvalue changed; /* last arguments of loop.changed() */
} rein_jloop;

typedef struct rein_jentry rein_jentry;

/** Arguments of a call: positional, and keywords as a dict (NULL: none). */
typedef struct rein_jcall {
    const rein_jvalue *args;
    int64_t n;
    const rein_jdict *keywords;
    const rein_jentry *entry; /* what is called, if it is a native */
} rein_jcall;

enum { REIN_J_MAX_PARAMS = 5 };

/**
 * A filter, test, method or function: `self` is what it is applied to (of a function: UNSET), a[] its parameters in the
 * order of `params` (UNSET: not given), `call` the arguments as they came.
 */
typedef rein_status (*rein_jnative)(rein_jrender *r, const rein_jvalue *self, const rein_jvalue *a,
                                    const rein_jcall *call, rein_jvalue *out);
struct rein_jentry {
    const char *name;
    rein_jnative fn;
    const char *params;  /* "width,first,blank"; "*": fn looks at `call` itself */
    int required;        /* the first so many */
    const char *with[2]; /* what tells entries of one function apart */
};

/** A function as a value: an entry bound to what it was taken from. */
typedef struct rein_jfunction {
    const rein_jentry *entry;
    rein_jvalue self;
} rein_jfunction;

extern const rein_jentry rein_jinja_filters_text[], rein_jinja_filters_items[], rein_jinja_tests[],
    rein_jinja_string_methods[], rein_jinja_list_methods[], rein_jinja_dict_methods[], rein_jinja_loop_methods[],
    rein_jinja_globals[]; /* each ends with a NULL name */

/** The entry of a name, or NULL. */
const rein_jentry *rein_jinja_entry(const rein_jentry *table, const char *name, size_t len);
/** Bind the arguments to the entry's parameters and call it. */
REIN_NODISCARD rein_status rein_jinja_invoke(rein_jrender *r, const rein_jentry *entry, const rein_jvalue *self,
                                             const rein_jcall *call, rein_jvalue *out);
/** A filter or test by name. */
REIN_NODISCARD rein_status rein_jinja_filter(rein_jrender *r, const char *name, size_t len, const rein_jvalue *self,
                                             const rein_jcall *call, rein_jvalue *out);
REIN_NODISCARD rein_status rein_jinja_test(rein_jrender *r, const char *name, size_t len, const rein_jvalue *self,
                                           const rein_jcall *call, bool *yes);

/* ---- jinja_eval.c, jinja_access.c, jinja_ops.c, jinja_call.c, jinja_exec.c ---- */

REIN_NODISCARD rein_status rein_jinja_eval(rein_jrender *r, rein_jscope *s, const rein_jnode *n, rein_jvalue *out);
REIN_NODISCARD rein_status rein_jinja_define(rein_jrender *r, rein_jscope *s, const char *name, size_t len,
                                             rein_jvalue value);
REIN_NODISCARD rein_status rein_jinja_scope(rein_jrender *r, rein_jscope *parent, rein_jscope **out);
/** v.name and v[key]; what is not there is undefined, no error. */
REIN_NODISCARD rein_status rein_jinja_attribute(rein_jrender *r, const rein_jvalue *v, const char *name, size_t len,
                                                rein_jvalue *out);
REIN_NODISCARD rein_status rein_jinja_item(rein_jrender *r, const rein_jvalue *v, const rein_jvalue *key,
                                           rein_jvalue *out);
/** v[start:stop:step]; NONE or UNSET for a part that is not given. */
REIN_NODISCARD rein_status rein_jinja_slice(rein_jrender *r, const rein_jvalue *v, const rein_jvalue part[3],
                                            rein_jvalue *out);
REIN_NODISCARD rein_status rein_jinja_binary(rein_jrender *r, int op, const rein_jvalue *x, const rein_jvalue *y,
                                             rein_jvalue *out);
REIN_NODISCARD rein_status rein_jinja_negate(const rein_jvalue *x, bool minus, rein_jvalue *out);
/** "%s ..." % values (a tuple, a dict or one value); "{} ..." .format(arguments). */
REIN_NODISCARD rein_status rein_jinja_percent(rein_jrender *r, const rein_jvalue *text, const rein_jvalue *values,
                                              rein_jvalue *out);
REIN_NODISCARD rein_status rein_jinja_format(rein_jrender *r, const rein_jvalue *text, const rein_jcall *call,
                                             rein_jvalue *out);
/** The arguments of a CALL, FILTER or TEST node. */
REIN_NODISCARD rein_status rein_jinja_arguments(rein_jrender *r, rein_jscope *s, const rein_jnode *list,
                                                rein_jcall *out);
REIN_NODISCARD rein_status rein_jinja_call(rein_jrender *r, const rein_jvalue *f, const rein_jcall *call,
                                           rein_jvalue *out);
/** Statements; flow is in r->flow. */
REIN_NODISCARD rein_status rein_jinja_exec(rein_jrender *r, rein_jscope *s, const rein_jnode *list);
/** As rein_jinja_exec with the text as a value instead of in the output. */
REIN_NODISCARD rein_status rein_jinja_capture(rein_jrender *r, rein_jscope *s, const rein_jnode *list,
                                              rein_jvalue *out);
/** The items of a loop, rendered; `depth` of the recursion. */
REIN_NODISCARD rein_status rein_jinja_run_loop(rein_jrender *r, rein_jscope *s, const rein_jnode *n,
                                               const rein_jvalue *sequence, int64_t depth);
/** Say where an error is, once: with the innermost expression or statement. */
rein_status rein_jinja_locate(rein_jrender *r, rein_status status, const rein_jnode *n);
/** Go one level down; an error beyond the limit. Pair with --r->depth. */
REIN_NODISCARD rein_status rein_jinja_descend(rein_jrender *r);

/* ---- parameters of natives ---- */

/** An integer parameter (bools count), or the default where it is UNSET or none. */
REIN_NODISCARD rein_status rein_jinja_int_arg(const rein_jvalue *a, const char *name, int64_t def, int64_t *out);
/** A string parameter, or the default where it is UNSET or none. */
REIN_NODISCARD rein_status rein_jinja_text_arg(const rein_jvalue *a, const char *name, const char *def,
                                               rein_jvalue *out);

#endif
