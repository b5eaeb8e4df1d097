/*
 * Values of the template language, and the budget of one rendering that all of them are made from.
 *
 * A value is small and copied; what it points to lives in the rendering's arena (or in the caller's JSON and the parsed
 * template, which outlive it). Dicts keep insertion order. Lists and dicts are never changed once a template sees them.
 */
#ifndef REIN_TEXT_JINJA_VALUE_H
#define REIN_TEXT_JINJA_VALUE_H

#include "text/jinja.h"

typedef enum rein_jtype {
    REIN_J_UNSET, /* no value: a parameter that was not given */
    REIN_J_UNDEFINED,
    REIN_J_NONE,
    REIN_J_BOOL,
    REIN_J_INT,
    REIN_J_FLOAT,
    REIN_J_STRING,
    REIN_J_LIST,
    REIN_J_TUPLE,
    REIN_J_RANGE,
    REIN_J_VIEW, /* keys(), values(), items() of a dict */
    REIN_J_LAZY, /* what Python makes as a generator: can be walked through once */
    REIN_J_DICT,
    REIN_J_NAMESPACE,
    REIN_J_LOOP,
    REIN_J_MACRO,
    REIN_J_FUNCTION
} rein_jtype;

typedef struct rein_jvalue rein_jvalue;
typedef struct rein_jlist rein_jlist;
typedef struct rein_jdict rein_jdict;
struct rein_jloop;
struct rein_jmacro;
struct rein_jfunction;

struct rein_jvalue {
    rein_jtype type;
    rein_jtype of; /* UNDEFINED: what it was looked up in; UNSET: a variable */
    union {
        int64_t i; /* INT, BOOL */
        double f;
        const char *s; /* STRING; UNDEFINED: the name */
        rein_jlist *list;
        rein_jdict *dict; /* DICT, NAMESPACE */
        struct rein_jloop *loop;
        struct rein_jmacro *macro;
        const struct rein_jfunction *function;
    } u;
    size_t len; /* bytes of s */
};

struct rein_jlist {
    rein_jvalue *items;
    int64_t n, cap;
    bool spent;                /* LAZY: walked through */
    int64_t start, stop, step; /* RANGE */
    const char *name;          /* VIEW: "dict_items"; TUPLE: "group" if its two items are also .grouper and .list */
};

struct rein_jdict {
    rein_jvalue *keys, *values;
    int64_t n, cap;
};

/** One rendering: arena and what is left of the limits. */
typedef struct rein_jrender rein_jrender;
typedef struct rein_jbudget {
    rein_arena arena;
    int64_t steps, bytes; /* used */
} rein_jbudget;

/* ---- budget: REIN_ERR_FORMAT when a limit is reached ---- */

REIN_NODISCARD rein_status rein_jinja_step(rein_jbudget *b, int64_t n);
REIN_NODISCARD rein_status rein_jinja_alloc(rein_jbudget *b, void *out_pointer, int64_t n, size_t size);
/** Append to a text under construction. */
REIN_NODISCARD rein_status rein_jinja_put(rein_jbudget *b, rein_str *s, const char *text, size_t len);
REIN_NODISCARD rein_status rein_jinja_puts(rein_jbudget *b, rein_str *s, const char *text);
/** Make the text a string in the arena and free it; forwards `status` if that is an error. */
REIN_NODISCARD rein_status rein_jinja_finish(rein_jbudget *b, rein_status status, rein_str *s, rein_jvalue *out);

/* ---- making values ---- */

rein_jvalue rein_jinja_none(void);
rein_jvalue rein_jinja_bool(bool x);
rein_jvalue rein_jinja_int(int64_t x);
rein_jvalue rein_jinja_float(double x);
rein_jvalue rein_jinja_string(const char *s, size_t len); /* borrowed */
/** `name` looked up in a value of type `of` (UNSET: a variable); borrowed. */
rein_jvalue rein_jinja_undefined(const char *name, size_t len, rein_jtype of);
/** An empty list, tuple, view or lazy sequence with room for `cap` items. */
REIN_NODISCARD rein_status rein_jinja_list(rein_jbudget *b, rein_jvalue *out, rein_jtype type, int64_t cap);
REIN_NODISCARD rein_status rein_jinja_append(rein_jbudget *b, rein_jlist *list, rein_jvalue item);
/** Two items as a tuple. */
REIN_NODISCARD rein_status rein_jinja_pair(rein_jbudget *b, rein_jvalue *out, rein_jvalue first, rein_jvalue second);
REIN_NODISCARD rein_status rein_jinja_range(rein_jbudget *b, rein_jvalue *out, int64_t start, int64_t stop,
                                            int64_t step);
REIN_NODISCARD rein_status rein_jinja_dict(rein_jbudget *b, rein_jvalue *out, rein_jtype type, int64_t cap);
/** Add a member, or replace its value. REIN_ERR_FORMAT if the key cannot be one (a list, a dict). */
REIN_NODISCARD rein_status rein_jinja_put_member(rein_jbudget *b, rein_jdict *d, rein_jvalue key, rein_jvalue value);
/** The value of a key, or NULL. */
REIN_NODISCARD rein_status rein_jinja_find(rein_jbudget *b, const rein_jdict *d, rein_jvalue key, rein_jvalue **out);
/** "keys", "values" or "items" of a dict, as a VIEW or a LAZY sequence. */
REIN_NODISCARD rein_status rein_jinja_members(rein_jbudget *b, const rein_jdict *d, const char *which, rein_jtype type,
                                              rein_jvalue *out);
/** JSON to a value; strings are borrowed from it. Integers beyond 64 bits are refused. */
REIN_NODISCARD rein_status rein_jinja_from_json(rein_jbudget *b, struct json_object *json, rein_jvalue *out);

/* ---- asking values ---- */

/** Python's name of the type: "str", "list", "dict", "NoneType". */
const char *rein_jinja_type_name(rein_jtype type);
bool rein_jinja_is_sequence(const rein_jvalue *v); /* holds u.list */
bool rein_jinja_is_number(const rein_jvalue *v);   /* INT, FLOAT, BOOL */
bool rein_jinja_is_string(const rein_jvalue *v, const char *text);
bool rein_jinja_truth(const rein_jvalue *v);
double rein_jinja_number(const rein_jvalue *v); /* of a number */
REIN_NODISCARD rein_status rein_jinja_equal(rein_jbudget *b, const rein_jvalue *x, const rein_jvalue *y, bool *equal);
/** -1, 0, 1. REIN_ERR_FORMAT if the types have no order. */
REIN_NODISCARD rein_status rein_jinja_compare(rein_jbudget *b, const rein_jvalue *x, const rein_jvalue *y, int *order);
/** x in y. */
REIN_NODISCARD rein_status rein_jinja_contains(rein_jbudget *b, const rein_jvalue *x, const rein_jvalue *y, bool *in);
/** The items of anything that can be walked through, as a list that must not be changed; a LAZY sequence is spent. */
REIN_NODISCARD rein_status rein_jinja_iterate(rein_jbudget *b, const rein_jvalue *v, rein_jlist **out);
/** Items or characters. */
REIN_NODISCARD rein_status rein_jinja_length(const rein_jvalue *v, int64_t *n);
/** REIN_ERR_FORMAT "'x' is undefined" and the like. */
rein_status rein_jinja_fail_undefined(const rein_jvalue *v);

/* ---- text (jinja_text.c) ---- */

/** Python's str() and repr(), appended. REIN_ERR_FORMAT for what prints an address. */
REIN_NODISCARD rein_status rein_jinja_put_str(rein_jbudget *b, rein_str *s, const rein_jvalue *v);
REIN_NODISCARD rein_status rein_jinja_put_repr(rein_jbudget *b, rein_str *s, const rein_jvalue *v);
/** str() as a value. */
REIN_NODISCARD rein_status rein_jinja_to_string(rein_jbudget *b, const rein_jvalue *v, rein_jvalue *out);
/** The shortest text that reads back to the same number, as Python writes it. */
void rein_jinja_put_float(rein_str *s, double x);

typedef struct rein_jdump {
    bool ascii, sort_keys;
    const char *indent; /* NULL: on one line */
    size_t indent_len;
    rein_jvalue item_separator, key_separator;
} rein_jdump;
/** json.dumps. */
REIN_NODISCARD rein_status rein_jinja_put_json(rein_jbudget *b, rein_str *s, const rein_jvalue *v, const rein_jdump *o);

/* ---- characters (jinja_unicode.c) ---- */

int64_t rein_jinja_count(const char *s, size_t len);
/** Byte offset of character `i`, or `len` if there are fewer. */
size_t rein_jinja_offset(const char *s, size_t len, int64_t i);
/** Python's str.isspace of one character; *size is its bytes. */
bool rein_jinja_space(const char *s, size_t len, size_t *size);
/** True if the regular expression (PCRE2, Unicode properties) matches anywhere in the text. */
REIN_NODISCARD rein_status rein_jinja_match(const char *pattern, const char *s, size_t len, bool *found);
/** Replace what matches; replacement with $0, \U, \L, \E. Caller owns *out (append). */
REIN_NODISCARD rein_status rein_jinja_substitute(rein_jbudget *b, rein_str *out, const char *pattern,
                                                 const char *replacement, const char *s, size_t len);
/** First place of `part` in `s`; len + 1 if it is nowhere. */
REIN_NODISCARD rein_status rein_jinja_search(rein_jbudget *b, const char *s, size_t len, const char *part,
                                             size_t part_len, size_t *at);
/** A character as UTF-8; 0 bytes for surrogates and beyond. */
size_t rein_jinja_utf8(char out[4], int32_t c);

#endif
