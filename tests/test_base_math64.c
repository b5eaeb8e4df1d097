/* Elementary functions against libm's long double, their special values, and their bits against stored hashes. */
#include "base_check.h"

#include <float.h>
#include <math.h>

#include "base/hash.h"
#include "base/math64.h"
#include "base/random.h"

enum { SAMPLES = 60000 };

static double draw(uint32_t i, uint32_t which) { return rein_random_uniform(1, REIN_STREAM_DATA, i, which, 0, 0); }

/* An argument: uniform in [low, high), or, in `scaled` ranges, of any size down to 2^-scaled of it. */
typedef struct range {
    double low, high;
    int scaled;
} range;

static double argument(const range *r, uint32_t i) {
    double x = r->low + (r->high - r->low) * draw(i, 0);
    return r->scaled ? ldexp(x, -(int)(r->scaled * draw(i, 1))) : x;
}

static double ulps(double got, long double expected) {
    int exponent;
    frexpl(expected, &exponent);
    if (exponent < DBL_MIN_EXP) exponent = DBL_MIN_EXP;
    return (double)(fabsl((long double)got - expected) / ldexpl(1, exponent - DBL_MANT_DIG));
}

typedef struct function {
    const char *name;
    double (*ours)(double);
    long double (*oracle)(long double);
    range ranges[3];
    const char *hash; /* XXH3-128 of the results, all ranges */
} function;

static const function functions[] = {
    {"exp", rein_exp64, expl, {{-745, 709.7, 0}, {-0.5, 0.5, 0}, {-1, 1, 60}}, "82b1161819ca8b887f787370687a8ae4"},
    {"log", rein_log64, logl, {{0, DBL_MAX, 2090}, {0.5, 2, 0}, {0, 2, 4}}, "f0e3a72d87e2f4150a2357f32a3a2ed8"},
    {"tanh", rein_tanh64, tanhl, {{-20, 20, 0}, {-2, 2, 0}, {-1, 1, 1060}}, "678b05dece81ecdddefc30d1cf6d3772"},
    {"sin", rein_sin64, sinl, {{-10, 10, 0}, {-0x1p20, 0x1p20, 0}, {-1, 1, 1060}}, "b3d7ed16135ee4b2d5469b54c08fd61d"},
    {"cos", rein_cos64, cosl, {{-10, 10, 0}, {-0x1p20, 0x1p20, 0}, {-1, 1, 60}}, "8962d2cc364d953a553dc51d28441d82"},
};

static void test_accuracy(void **state) {
    (void)state;
    if (LDBL_MANT_DIG < 64) {
        print_message("long double is no wider than double here\n");
        skip();
    }
    for (size_t f = 0; f < REIN_COUNT(functions); f++) {
        double worst = 0, at = 0;
        for (uint32_t i = 0; i < 3 * SAMPLES; i++) {
            double x = argument(&functions[f].ranges[i % 3], i);
            double error = ulps(functions[f].ours(x), functions[f].oracle((long double)x));
            if (!(error <= worst)) {
                worst = error;
                at = x;
            }
        }
        if (!(worst < 1.0)) fail_msg("%s: %.3f ulp at %a", functions[f].name, worst, at);
    }
}

/* Near multiples of pi/2 nearly all bits of the argument cancel. */
static void test_near_zeros(void **state) {
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    for (int k = 1; k <= 667543; k += 1 + k % 7) {
        double x = k * 0x1.921fb54442d18p+0;
        assert_true(ulps(rein_sin64(x), sinl((long double)x)) < 1.0);
        assert_true(ulps(rein_cos64(x), cosl((long double)x)) < 1.0);
    }
}

/* x^y near all of its range, and for x near 1, where the logarithm is small and y large */
static void pow_arguments(double *x, double *y, uint32_t i) {
    *x = i % 2 ? ldexp(1 + draw(i, 0), (int)(600 * draw(i, 1)) - 300) : 1 + 0.2 * (draw(i, 0) - 0.5);
    *y = i % 3 ? (draw(i, 2) - 0.5) * 1480 / (fabs(rein_log64(*x)) + 1e-3) : 10 * (draw(i, 2) - 0.5);
}

static void test_pow(void **state) {
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    for (uint32_t i = 0; i < 2 * SAMPLES; i++) {
        double x, y;
        pow_arguments(&x, &y, i);
        long double expected = powl((long double)x, (long double)y);
        double got = rein_pow64(x, y);
        if (isinf((double)expected) ? got != INFINITY : !(ulps(got, expected) < 1.0))
            fail_msg("pow(%a, %a) = %a, expected %La", x, y, got, expected);
    }
    for (int i = -1000; i <= 1000; i++) assert_true(rein_pow64(2, i) == ldexp(1, i));
    assert_true(rein_pow64(0, 2) == 0 && rein_pow64(0, -1) == INFINITY && rein_pow64(0, 0) == 1);
    assert_true(rein_pow64(INFINITY, -2) == 0 && rein_pow64(INFINITY, 0.5) == INFINITY && rein_pow64(1, NAN) == 1);
    assert_true(rein_pow64(2, INFINITY) == INFINITY && rein_pow64(2, -INFINITY) == 0 && rein_pow64(0.5, INFINITY) == 0);
    assert_true(rein_pow64(1.5, 1e300) == INFINITY && rein_pow64(1.5, -1e300) == 0);
    assert_true(isnan(rein_pow64(-1, 2)) && isnan(rein_pow64(NAN, 1)) && isnan(rein_pow64(2, NAN)));
}

static void test_special_values(void **state) {
    (void)state;
    assert_true(rein_exp64(0) == 1 && rein_exp64(710) == INFINITY && rein_exp64(-746) == 0);
    assert_true(rein_exp64(-INFINITY) == 0 && rein_exp64(INFINITY) == INFINITY && isnan(rein_exp64(NAN)));
    assert_true(rein_exp64(-744.5) == 0x1p-1074 && rein_exp64(DBL_MAX) == INFINITY && rein_exp64(-DBL_MAX) == 0);
    assert_true(rein_log64(1) == 0 && rein_log64(0) == -INFINITY && rein_log64(INFINITY) == INFINITY);
    assert_true(isnan(rein_log64(-1)) && isnan(rein_log64(NAN)) && isnan(rein_log64(-INFINITY)));
    assert_true(rein_tanh64(INFINITY) == 1 && rein_tanh64(-30) == -1 && isnan(rein_tanh64(NAN)));
    assert_true(rein_tanh64(-0.0) == 0 && signbit(rein_tanh64(-0.0)) && rein_tanh64(5e-324) == 5e-324);
    assert_true(signbit(rein_sin64(-0.0)) && rein_cos64(-0.0) == 1 && rein_sin64(5e-324) == 5e-324);
    assert_true(isnan(rein_sin64(0x1.0000000000001p20)) && isnan(rein_cos64(INFINITY)) && isnan(rein_sin64(NAN)));
}

static void check_hash(const char *name, const char *expected, rein_xxh *h) {
    char hex[REIN_XXH_HEX];
    rein_xxh_hex(h, hex);
    rein_xxh_destroy(h);
    if (strcmp(hex, expected) != 0) fail_msg("%s: hash %s, expected %s", name, hex, expected);
}

/* The same bits for every optimisation level and instruction set: the hashes were made with gcc 12 -O2 without FMA. */
static void test_bits(void **state) {
    (void)state;
    rein_xxh *h;
    for (size_t f = 0; f < REIN_COUNT(functions); f++) {
        assert_ok(rein_xxh_create(&h));
        for (uint32_t i = 0; i < 3 * SAMPLES; i++) {
            double y = functions[f].ours(argument(&functions[f].ranges[i % 3], i));
            rein_xxh_update(h, &y, sizeof y);
        }
        check_hash(functions[f].name, functions[f].hash, h);
    }
    assert_ok(rein_xxh_create(&h));
    for (uint32_t i = 0; i < SAMPLES; i++) {
        double x, y;
        pow_arguments(&x, &y, i);
        y = rein_pow64(x, y);
        rein_xxh_update(h, &y, sizeof y);
    }
    check_hash("pow", "4f45344284898aab81a7ab091ea1a983", h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),       cmocka_unit_test(test_near_zeros), cmocka_unit_test(test_pow),
        cmocka_unit_test(test_special_values), cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
