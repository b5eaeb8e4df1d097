/* Arithmetic as Python's; see jinja_eval.h. Integers have 64 bits, and what needs more is an error. */
#include <math.h>
#include <string.h>

#include "text/jinja_eval.h"

static rein_status overflow(void) { return rein_fail(REIN_ERR_FORMAT, "an integer needs more than 64 bits"); }

static rein_status fail_types(const char *what, const rein_jvalue *x, const rein_jvalue *y) {
    if (x->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(x);
    if (y->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(y);
    return rein_fail(REIN_ERR_FORMAT, "unsupported operand types for %s: '%s' and '%s'", what,
                     rein_jinja_type_name(x->type), rein_jinja_type_name(y->type));
}

static bool is_int(const rein_jvalue *v) { return v->type == REIN_J_INT || v->type == REIN_J_BOOL; }

/* ---- numbers ---- */

static rein_status power_float(double base, double exponent, rein_jvalue *out) {
    double result = 1;
    if (exponent == 0.5 && base >= 0) {
        result = sqrt(base);
    } else if (exponent == floor(exponent) && fabs(exponent) <= 4096) {
        /* by multiplication: pow() of the C library differs between machines in its last bit */
        for (double e = fabs(exponent), square = base; e >= 1; e = floor(e / 2), square *= square)
            if (fmod(e, 2) != 0) result *= square;
        if (exponent < 0 && result == 0) return rein_fail(REIN_ERR_FORMAT, "0.0 cannot be raised to a negative power");
        if (exponent < 0) result = 1 / result;
    } else {
        return rein_fail(REIN_ERR_FORMAT, "%g ** %g: only whole exponents up to 4096 and 0.5 are supported", base,
                         exponent);
    }
    *out = rein_jinja_float(result);
    return REIN_OK;
}

static rein_status power(const rein_jvalue *x, const rein_jvalue *y, rein_jvalue *out) {
    if (!is_int(x) || !is_int(y) || y->u.i < 0) return power_float(rein_jinja_number(x), rein_jinja_number(y), out);
    int64_t result = 1, square = x->u.i;
    for (int64_t e = y->u.i; e > 0; e /= 2) {
        if (e % 2 && __builtin_mul_overflow(result, square, &result)) return overflow();
        if (e > 1 && __builtin_mul_overflow(square, square, &square)) return overflow();
    }
    *out = rein_jinja_int(result);
    return REIN_OK;
}

/* Quotient and remainder towards minus infinity, as Python's float_divmod. */
static void divide_floats(double a, double b, double *quotient, double *rest) {
    double mod = fmod(a, b), div = (a - mod) / b;
    if (mod != 0) {
        if ((b < 0) != (mod < 0)) mod += b, div -= 1;
    } else {
        mod = copysign(0, b);
    }
    double whole = floor(div);
    if (div - whole > 0.5) whole += 1;
    *quotient = div != 0 ? whole : copysign(0, a / b);
    *rest = mod;
}

static rein_status floor_numbers(const rein_jvalue *x, const rein_jvalue *y, bool want_rest, rein_jvalue *out) {
    double quotient, rest;
    if (rein_jinja_number(y) == 0) return rein_fail(REIN_ERR_FORMAT, "division by zero");
    if (!is_int(x) || !is_int(y)) {
        divide_floats(rein_jinja_number(x), rein_jinja_number(y), &quotient, &rest);
        *out = rein_jinja_float(want_rest ? rest : quotient);
        return REIN_OK;
    }
    int64_t a = x->u.i, b = y->u.i;
    if (b == -1) { /* INT64_MIN / -1 */
        if (!want_rest && __builtin_sub_overflow(0, a, &a)) return overflow();
        *out = rein_jinja_int(want_rest ? 0 : a);
        return REIN_OK;
    }
    int64_t q = a / b, m = a % b;
    if (m != 0 && (m < 0) != (b < 0)) q--, m += b;
    *out = rein_jinja_int(want_rest ? m : q);
    return REIN_OK;
}

static rein_status float_numbers(int op, double a, double b, rein_jvalue *out) {
    if (op == '/' && b == 0) return rein_fail(REIN_ERR_FORMAT, "division by zero");
    *out = rein_jinja_float(op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b);
    return REIN_OK;
}

static rein_status numbers(int op, const rein_jvalue *x, const rein_jvalue *y, rein_jvalue *out) {
    int64_t result;
    if (op == REIN_T_POW) return power(x, y, out);
    if (op == REIN_T_FLOORDIV || op == '%') return floor_numbers(x, y, op == '%', out);
    if (op == '/' || !is_int(x) || !is_int(y))
        return float_numbers(op, rein_jinja_number(x), rein_jinja_number(y), out);
    bool over = op == '+'   ? __builtin_add_overflow(x->u.i, y->u.i, &result)
                : op == '-' ? __builtin_sub_overflow(x->u.i, y->u.i, &result)
                            : __builtin_mul_overflow(x->u.i, y->u.i, &result);
    if (over) return overflow();
    *out = rein_jinja_int(result);
    return REIN_OK;
}

rein_status rein_jinja_negate(const rein_jvalue *x, bool minus, rein_jvalue *out) {
    if (x->type == REIN_J_UNDEFINED) return rein_jinja_fail_undefined(x);
    if (!rein_jinja_is_number(x))
        return rein_fail(REIN_ERR_FORMAT, "bad operand type for a sign: '%s'", rein_jinja_type_name(x->type));
    *out = x->type == REIN_J_FLOAT ? rein_jinja_float(minus ? -x->u.f : x->u.f) : rein_jinja_int(x->u.i);
    if (is_int(x) && minus && __builtin_sub_overflow(0, x->u.i, &out->u.i)) return overflow();
    return REIN_OK;
}

/* ---- texts and lists ---- */

static rein_status join_texts(rein_jrender *r, const rein_jvalue *x, const rein_jvalue *y, rein_jvalue *out) {
    char *text;
    REIN_TRY(rein_jinja_alloc(&r->b, &text, (int64_t)(x->len + y->len) + 1, 1));
    memcpy(text, x->u.s, x->len);
    memcpy(text + x->len, y->u.s, y->len);
    *out = rein_jinja_string(text, x->len + y->len);
    return REIN_OK;
}

static rein_status join_lists(rein_jrender *r, const rein_jvalue *x, const rein_jvalue *y, rein_jvalue *out) {
    REIN_TRY(rein_jinja_list(&r->b, out, x->type, x->u.list->n + y->u.list->n));
    for (int64_t i = 0; i < x->u.list->n; i++) REIN_TRY(rein_jinja_append(&r->b, out->u.list, x->u.list->items[i]));
    for (int64_t i = 0; i < y->u.list->n; i++) REIN_TRY(rein_jinja_append(&r->b, out->u.list, y->u.list->items[i]));
    return REIN_OK;
}

static rein_status repeat(rein_jrender *r, const rein_jvalue *x, int64_t times, rein_jvalue *out) {
    int64_t bytes;
    char *text;
    if (times < 0) times = 0;
    if (x->type != REIN_J_STRING) {
        REIN_TRY(rein_jinja_list(&r->b, out, x->type, 0));
        for (int64_t k = 0; k < times && x->u.list->n; k++)
            for (int64_t i = 0; i < x->u.list->n; i++)
                REIN_TRY(rein_jinja_append(&r->b, out->u.list, x->u.list->items[i]));
        return REIN_OK;
    }
    if (__builtin_mul_overflow(times, (int64_t)x->len, &bytes) || bytes > REIN_JINJA_MAX_BYTES)
        bytes = REIN_JINJA_MAX_BYTES; /* which is refused */
    REIN_TRY(rein_jinja_alloc(&r->b, &text, bytes + 1, 1));
    for (int64_t at = 0; at < bytes; at += (int64_t)x->len) memcpy(text + at, x->u.s, x->len);
    *out = rein_jinja_string(text, (size_t)bytes);
    return REIN_OK;
}

static bool repeats(const rein_jvalue *v) {
    return v->type == REIN_J_STRING || v->type == REIN_J_LIST || v->type == REIN_J_TUPLE;
}

rein_status rein_jinja_binary(rein_jrender *r, int op, const rein_jvalue *x, const rein_jvalue *y, rein_jvalue *out) {
    char one[3] = {(char)op, 0, 0};
    if (rein_jinja_is_number(x) && rein_jinja_is_number(y)) return numbers(op, x, y, out);
    if (op == '%' && x->type == REIN_J_STRING) return rein_jinja_percent(r, x, y, out);
    if (op == '+' && x->type == y->type && x->type == REIN_J_STRING) return join_texts(r, x, y, out);
    if (op == '+' && x->type == y->type && (x->type == REIN_J_LIST || x->type == REIN_J_TUPLE))
        return join_lists(r, x, y, out);
    if (op == '*' && repeats(x) && is_int(y)) return repeat(r, x, y->u.i, out);
    if (op == '*' && repeats(y) && is_int(x)) return repeat(r, y, x->u.i, out);
    return fail_types(op == REIN_T_POW ? "**" : op == REIN_T_FLOORDIV ? "//" : one, x, y);
}
