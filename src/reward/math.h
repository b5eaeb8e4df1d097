/*
 * Mathematical answers: found in a text, read, compared.
 *
 * What is compared: numbers ("1,234.5", "3e8", "50\%" as 50), fractions and roots (\frac, \dfrac, \sqrt[n]), + - * / ^,
 * \cdot \times \div, brackets, \pi, implicit products ("2\sqrt{3}", "3x"), one-letter variables (two expressions are
 * equal if they agree at fixed points), lists, tuples and intervals element by element, of an equation its right side.
 * Units and words in \text{} are dropped from a number. Values agree when they differ by at most 5e-7, or 1e-12 of the
 * larger one. What cannot be read is equal to the same text only (white space and LaTeX spacing aside). Functions,
 * matrices, sums and the like are not evaluated, and no simplification is tried.
 */
#ifndef REIN_REWARD_MATH_H
#define REIN_REWARD_MATH_H

#include "base/base.h"

typedef struct rein_math_span {
    const char *text; /* NULL: nothing found */
    size_t len;
} rein_math_span;

/** The answer that a text ends with: the last \boxed{...}, else the last formula in $...$, \(...\) or \[...\]. */
rein_math_span rein_math_find(const char *text, size_t len);

/** The reference of a row: as rein_math_find, else what follows the last "####", else the whole text if it can be read as
 *  an expression, else its last number; nothing if there is none. */
REIN_NODISCARD rein_status rein_math_gold(rein_math_span *out, const char *text, size_t len);

REIN_NODISCARD rein_status rein_math_equal(bool *equal, rein_math_span a, rein_math_span b);

#endif
