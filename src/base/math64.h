/*
 * Elementary functions in double precision with fixed bits on every machine: rewards, schedules, rotary tables and
 * advantages use these, never libm's, whose last bit depends on the C library and the CPU.
 *
 * Each is a fixed sequence of fma and basic operations; error below 2 ulp. sqrt is IEEE and may be used directly.
 */
#ifndef REIN_BASE_MATH64_H
#define REIN_BASE_MATH64_H

/** Overflow gives +inf, underflow subnormals and then +0; NaN stays NaN. */
double rein_exp64(double x);
/** Of 0 it is -inf, of a negative number NaN. */
double rein_log64(double x);
double rein_tanh64(double x);
/** NaN where |x| > 2^20: a larger argument is a mistake of the caller, not an angle. */
double rein_sin64(double x);
double rein_cos64(double x);
/** x^y for x >= 0; NaN for a negative x. x^0 = 1^y = 1, also for NaN. */
double rein_pow64(double x, double y);

#endif
