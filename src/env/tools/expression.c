/* Expressions by two stacks, of values and of what waits for its second operand; see expression.h. */
#include "env/tools/expression.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/math64.h"

enum { DEPTH = 64 };

typedef struct operation {
    const char *name;
    int rank;     /* of an infix operator; higher binds tighter; 0: a function or a bracket */
    bool right;   /* associates to the right */
    int operands; /* of a function: 1 or 2 */
} operation;

enum { ADD, SUBTRACT, MULTIPLY, DIVIDE, REMAINDER, POWER, NEGATE, ABS, SQRT, FLOOR, CEIL, ROUND, MIN, MAX, OPEN };
static const operation table[] = {
    {"+", 1, false, 2},   {"-", 1, false, 2},    {"*", 2, false, 2},     {"/", 2, false, 2},    {"%", 2, false, 2},
    {"^", 4, true, 2},    {"-", 3, true, 1},     {"abs", 0, false, 1},   {"sqrt", 0, false, 1}, {"floor", 0, false, 1},
    {"ceil", 0, false, 1}, {"round", 0, false, 2}, {"min", 0, false, 2}, {"max", 0, false, 2},  {"(", 0, false, 0},
};

typedef struct machine {
    double value[DEPTH];
    int waiting[DEPTH], commas[DEPTH]; /* commas: seen in a bracket */
    int n_value, n_waiting;
    const char *why;
} machine;

static double power(double x, double y) {
    if (x >= 0) return rein_pow64(x, y);
    if (y != floor(y) || fabs(y) > 1e6) return (double)NAN;
    return fmod(y, 2) == 0 ? rein_pow64(-x, y) : -rein_pow64(-x, y);
}

static double round_to(double x, double digits) {
    double scale = 1;
    for (int i = 0; i < (int)fmin(fmax(digits, 0), 15); i++) scale *= 10;
    return (x < 0 ? ceil(x * scale - 0.5) : floor(x * scale + 0.5)) / scale;
}

static double compute(int op, double a, double b) {
    switch (op) {
    case ADD: return a + b;
    case SUBTRACT: return a - b;
    case MULTIPLY: return a * b;
    case DIVIDE: return a / b;
    case REMAINDER: return fmod(a, b);
    case POWER: return power(a, b);
    case NEGATE: return -a;
    case ABS: return fabs(a);
    case SQRT: return sqrt(a);
    case FLOOR: return floor(a);
    case CEIL: return ceil(a);
    case ROUND: return round_to(a, b);
    case MIN: return a < b ? a : b;
    default: return a > b ? a : b;
    }
}

static void apply(machine *m, int op) {
    const int n = table[op].operands;
    if (m->n_value < n) {
        m->why = "an operand is missing";
        return;
    }
    const double b = n == 2 ? m->value[--m->n_value] : 0, a = m->value[--m->n_value];
    m->value[m->n_value++] = compute(op, a, b);
    if (!isfinite(m->value[m->n_value - 1])) m->why = "the result is no number (division by zero, overflow or a root of a negative number)";
}

static void push(machine *m, int op) {
    if (m->n_waiting == DEPTH) {
        m->why = "too many brackets";
        return;
    }
    m->commas[m->n_waiting] = 0;
    m->waiting[m->n_waiting++] = op;
}

/* Apply what waits and binds at least as tightly as an infix operator that comes now. */
static void apply_tighter(machine *m, int op) {
    while (m->n_waiting > 0 && !m->why) {
        const operation *top = &table[m->waiting[m->n_waiting - 1]];
        if (top->rank == 0 || top->rank < table[op].rank || (top->rank == table[op].rank && table[op].right)) return;
        apply(m, m->waiting[--m->n_waiting]);
    }
}

/* Apply all up to the innermost bracket; false: there is none. */
static bool apply_to_bracket(machine *m) {
    while (m->n_waiting > 0 && m->waiting[m->n_waiting - 1] != OPEN && !m->why) apply(m, m->waiting[--m->n_waiting]);
    return m->n_waiting > 0;
}

static void close_bracket(machine *m) {
    if (!apply_to_bracket(m)) {
        m->why = m->why ? m->why : "a bracket is closed that was not opened";
        return;
    }
    const int commas = m->commas[--m->n_waiting];
    const int function = m->n_waiting > 0 ? m->waiting[m->n_waiting - 1] : OPEN;
    const bool is_call = function >= ABS && function < OPEN;
    if (is_call && function == ROUND && commas == 0 && m->n_value < DEPTH) m->value[m->n_value++] = 0;
    else if (commas != (is_call ? table[function].operands - 1 : 0)) m->why = "a wrong number of arguments";
    if (is_call && !m->why) apply(m, m->waiting[--m->n_waiting]);
}

static void comma(machine *m) {
    if (apply_to_bracket(m)) m->commas[m->n_waiting - 1]++;
    else if (!m->why) m->why = "a comma outside of brackets";
}

static const char *read_number(machine *m, const char *at) {
    char *end;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        m->why = "numbers are decimal";
        return at;
    }
    const double x = strtod(at, &end);
    if (m->n_value == DEPTH || !isfinite(x)) m->why = "too many or too large numbers";
    else m->value[m->n_value++] = x;
    return end;
}

static const char *read_function(machine *m, const char *at) {
    for (int op = ABS; op < OPEN; op++) {
        const size_t n = strlen(table[op].name);
        if (strncmp(at, table[op].name, n) != 0 || isalnum((unsigned char)at[n])) continue;
        at += n + strspn(at + n, " ");
        push(m, op);
        if (*at == '(') return at;
    }
    if (!m->why) m->why = "only numbers, + - * / % ^, brackets, and abs, sqrt, floor, ceil, round, min, max followed by a bracket";
    return at;
}

/* Where an operand is expected. */
static const char *read_operand(machine *m, const char *at, bool *wants_operand) {
    if (isdigit((unsigned char)*at) || *at == '.') {
        *wants_operand = false;
        return read_number(m, at);
    }
    if (*at == '-' || *at == '(') {
        push(m, *at == '-' ? NEGATE : OPEN);
        return at + 1;
    }
    if (*at == '+') return at + 1;
    return read_function(m, at);
}

/* Where an operator is expected. */
static const char *read_operator(machine *m, const char *at, bool *wants_operand) {
    static const char letters[] = "+-*/%^";
    const char *found = strchr(letters, *at);
    if (*at == ')') {
        close_bracket(m);
    } else if (*at == ',') {
        comma(m);
        *wants_operand = true;
    } else if (found) {
        int op = (int)(found - letters);
        if (at[0] == '*' && at[1] == '*') op = POWER, at++;
        apply_tighter(m, op);
        push(m, op);
        *wants_operand = true;
    } else {
        m->why = "an operator is missing";
    }
    return at + 1;
}

double rein_expression_value(const char *text, const char **why) {
    machine m = {.n_value = 0};
    bool wants_operand = true;
    for (const char *at = text; !m.why;) {
        at += strspn(at, " \t\n\r");
        if (!*at) break;
        at = wants_operand ? read_operand(&m, at, &wants_operand) : read_operator(&m, at, &wants_operand);
    }
    if (!m.why && wants_operand) m.why = "the expression is not complete";
    if (!m.why && apply_to_bracket(&m)) m.why = "a bracket is not closed";
    if (!m.why && m.n_value != 1) m.why = "the expression is not complete";
    *why = m.why;
    return m.why ? 0 : m.value[0];
}
