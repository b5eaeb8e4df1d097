/*
 * Elementary functions as fixed sequences of fma and basic operations; see math64.h.
 *
 * The polynomials are Taylor series (their coefficients can be read), long enough that the cut-off term is below 2^-57
 * of the result. Where a result would lose bits, the value is carried as an unevaluated sum of two doubles.
 */
#include "base/math64.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* High + low, |low| at most half an ulp of high, unless said otherwise. */
typedef struct pair {
    double high, low;
} pair;

static const double ln2_high = 0x1.62e42fefa38p-1; /* 42 bits, so that k * ln2_high is exact for |k| < 2^11 */
static const double ln2_low = 0x1.ef35793c7673p-45;
static const double to_integer = 0x1.8p52; /* adding and subtracting it rounds |x| < 2^51 to the nearest integer */

/* a + b exactly (Knuth). */
static pair add_exact(double a, double b) {
    double sum = a + b, part = sum - a;
    return (pair){sum, (a - (sum - part)) + (b - part)};
}

static pair multiply_exact(double a, double b) {
    double product = a * b;
    return (pair){product, fma(a, b, -product)};
}

static double power_of_two(int k) { /* -1022 <= k <= 1023 */
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* c[0] + c[1] x + ... + c[n-1] x^(n-1) */
static double polynomial(double x, const double *c, int n) {
    double sum = c[n - 1];
    for (int i = n - 2; i >= 0; i--) sum = fma(sum, x, c[i]);
    return sum;
}

/* ---- exp ---- */

/* x.high + x.low = k ln 2 + r, |r| <= ln(2) / 2; returns e^r - 1 with a relative error below 2^-54. |x| < 1000. */
static pair expm1_reduced(pair x, int *k) {
    static const double c[] = {1.0 / 2,         1.0 / 6,          1.0 / 24,         1.0 / 120,     1.0 / 720,
                               1.0 / 5040,      1.0 / 40320,      1.0 / 362880,     1.0 / 3628800, 1.0 / 39916800,
                               1.0 / 479001600, 1.0 / 6227020800, 1.0 / 87178291200};
    const double inverse_ln2 = 0x1.71547652b82fep+0;
    double turns = fma(x.high, inverse_ln2, to_integer) - to_integer;
    pair r = add_exact(fma(-turns, ln2_high, x.high), fma(-turns, ln2_low, x.low));
    double tail = r.low + r.high * r.high * polynomial(r.high, c, (int)(sizeof c / sizeof *c));
    *k = (int)turns;
    return add_exact(r.high, tail);
}

static double exp_pair(pair x) {
    if (x.high > 710.0) return INFINITY;
    if (x.high < -746.0) return 0.0;
    int k;
    pair m = expm1_reduced(x, &k);
    pair one = add_exact(1.0, m.high);
    double e = one.high + (one.low + m.low);
    int half = k / 2; /* two factors: 2^k itself may not be a normal number; only the last product rounds */
    return e * power_of_two(half) * power_of_two(k - half);
}

double rein_exp64(double x) { return isnan(x) ? x : exp_pair((pair){x, 0.0}); }

double rein_tanh64(double x) {
    double size = fabs(x);
    if (isnan(x)) return x;
    if (size > 20.0) return copysign(1.0, x);
    /* tanh x = m / (m + 2), m = e^2x - 1 */
    int k;
    pair m = expm1_reduced((pair){2.0 * size, 0.0}, &k);
    if (k > 0) {
        double scale = power_of_two(k);
        pair less = add_exact(scale * m.high, scale - 1.0);
        m = add_exact(less.high, less.low + scale * m.low);
    }
    pair divisor = add_exact(2.0, m.high);
    divisor.low += m.low;
    double quotient = m.high / divisor.high;
    double rest = fma(-quotient, divisor.high, m.high) + (m.low - quotient * divisor.low);
    return copysign(quotient + rest / divisor.high, x);
}

/* ---- log ---- */

/* x = 2^k m with sqrt(1/2) <= m < sqrt(2), roughly; x positive and finite. */
static double split_exponent(double x, int *k) {
    uint64_t bits;
    *k = 0;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        *k = -54;
    }
    memcpy(&bits, &x, sizeof bits);
    const uint64_t root_half = 0x3FE6A09E667F3BCDu;
    int exponent = (int)((int64_t)(bits - root_half) >> 52);
    bits -= (uint64_t)(int64_t)exponent << 52;
    *k += exponent;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Natural logarithm of a positive finite x, relative error below 2^-63. */
static pair log_pair(double x) {
    /* log m = 2 s (1 + z/3 + z^2/5 + z^3/7 + ...), s = (m - 1) / (m + 1), z = s^2 <= 0.0295 */
    static const double c[] = {1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13,
                               1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};
    const pair third = {1.0 / 3, 0x1.5555555555555p-56};
    int k;
    double m = split_exponent(x, &k), less = m - 1.0;
    pair more = add_exact(m, 1.0), s, z, v, w;
    s.high = less / more.high;
    s.low = (fma(-s.high, more.high, less) - s.high * more.low) / more.high;
    z = multiply_exact(s.high, s.high);
    z.low = fma(2.0 * s.high, s.low, z.low);
    w = multiply_exact(z.high, polynomial(z.high, c, (int)(sizeof c / sizeof *c)));
    v = add_exact(third.high, w.high);
    v.low += third.low + w.low;
    w = multiply_exact(z.high, v.high); /* w = z v, the series without its leading 1 */
    w.low += fma(z.high, v.low, z.low * v.high);
    pair tail = multiply_exact(s.high, w.high);
    tail.low += fma(s.high, w.low, s.low * w.high);
    pair half = add_exact(s.high, tail.high);
    half.low += tail.low + s.low;
    pair sum = add_exact((double)k * ln2_high, 2.0 * half.high);
    sum.low += fma((double)k, ln2_low, 2.0 * half.low);
    return add_exact(sum.high, sum.low);
}

double rein_log64(double x) {
    if (x > 0.0 && x <= DBL_MAX) return log_pair(x).high;
    if (x == 0.0) return -INFINITY;
    return x > 0.0 || isnan(x) ? x : NAN;
}

double rein_pow64(double x, double y) {
    if (y == 0.0 || x == 1.0) return 1.0;
    if (!(x >= 0.0) || isnan(y)) return NAN;
    if (x == 0.0 || x > DBL_MAX) return (x == 0.0) == (y > 0.0) ? 0.0 : INFINITY;
    pair log_x = log_pair(x);
    double estimate = y * log_x.high;
    if (!(fabs(estimate) < 800.0)) return estimate > 0.0 ? INFINITY : 0.0;
    pair product = multiply_exact(y, log_x.high);
    product.low = fma(y, log_x.low, product.low);
    return exp_pair(product);
}

/* ---- sin and cos ---- */

/* x = quadrant * pi/2 + r, |r| <= pi/4; |x| <= 2^20. The first step is exact, the others leave an error below 2^-130.
 */
static pair reduce_quarter(double x, int *quadrant) {
    const double part1 = 0x1.921fb54442d18p+0, part2 = 0x1.1a62633145c07p-54, part3 = -0x1.f1976b7ed8fbcp-110;
    const double inverse = 0x1.45f306dc9c883p-1; /* 2 / pi */
    double turns = fma(x, inverse, to_integer) - to_integer;
    pair step = multiply_exact(turns, part2);
    pair r = add_exact(fma(-turns, part1, x), -step.high);
    r.low -= fma(turns, part3, step.low);
    *quadrant = (int)((int64_t)turns & 3);
    return add_exact(r.high, r.low);
}

static double sin_reduced(pair r) {
    static const double c[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
                               -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
    double z = r.high * r.high;
    double cube = r.high * z * polynomial(z, c, (int)(sizeof c / sizeof *c));
    return r.high + fma(r.low, fma(-0.5, z, 1.0), cube);
}

static double cos_reduced(pair r) {
    static const double c[] = {1.0 / 24,        -1.0 / 720,         1.0 / 40320,          -1.0 / 3628800,
                               1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000, -1.0 / 6402373705728000};
    double z = r.high * r.high;
    pair head = add_exact(1.0, -0.5 * z);
    return head.high + (head.low + fma(z * z, polynomial(z, c, (int)(sizeof c / sizeof *c)), -r.high * r.low));
}

/* sin(x + shift * pi/2) */
static double sin_shifted(double x, int shift) {
    if (!(fabs(x) <= 0x1p20)) return NAN;
    int quadrant;
    pair r = reduce_quarter(x, &quadrant);
    quadrant += shift;
    double value = quadrant & 1 ? cos_reduced(r) : sin_reduced(r);
    return quadrant & 2 ? -value : value;
}

double rein_sin64(double x) { return x == 0.0 ? x : sin_shifted(x, 0); }

double rein_cos64(double x) { return sin_shifted(x, 1); }
