/* rein_expf and rein_logf: within 2 ulp of the true value over a dense sample of all floats, and special values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "tensor/bits.h"
#include "tensor/mathf.h"

static const float exp_low = -0x1.5d589ep+6f, exp_high = 0x1.62e42ep+6f;

/* Distance in units of the last place that a float has at the true value. */
static double ulps(float got, double want) {
    int e;
    frexp(want, &e);
    return fabs((double)got - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}

static void check_exp(float x, double *worst) {
    float y = rein_expf(x);
    if (x < exp_low) {
        assert_int_equal(rein_bits_of(y), 0);
    } else if (x > exp_high) {
        assert_true(y == INFINITY);
    } else {
        double d = ulps(y, exp((double)x));
        *worst = d > *worst ? d : *worst;
    }
}

static void check_log(float x, double *worst) {
    float y = rein_logf(x);
    if (x < 0) {
        assert_true(isnan(y));
    } else if (x == 0) {
        assert_true(y == -INFINITY);
    } else if (isinf(x)) {
        assert_true(y == INFINITY);
    } else {
        double d = ulps(y, log((double)x));
        *worst = d > *worst ? d : *worst;
    }
}

static void test_all_floats(void **state) {
    (void)state;
    const uint32_t stride = 199; /* prime: every exponent and all low bits occur */
    double worst_exp = 0, worst_log = 0;
    for (uint64_t u = 0; u <= UINT32_MAX; u += stride) {
        float x = rein_float_of((uint32_t)u);
        if (isnan(x)) continue;
        check_exp(x, &worst_exp);
        check_log(x, &worst_log);
    }
    print_message("worst: exp %.3f ulp, log %.3f ulp\n", worst_exp, worst_log);
    assert_true(worst_exp < 2 && worst_log < 2);
}

/* All floats near the places where the sequences change. */
static void test_edges(void **state) {
    (void)state;
    const float edge[] = {exp_low,   exp_high,         0.0f,           -0.0f,          1.0f,          -1.0f,
                          0x1p-126f, 0x1.fffffep+127f, 0x1.6a09e6p-1f, 0x1.6a09e6p+0f, 0x1.62e43p-2f, -0x1.62e43p-2f};
    double worst_exp = 0, worst_log = 0;
    for (size_t i = 0; i < sizeof edge / sizeof *edge; i++) {
        for (uint32_t step = 0; step <= 2000; step++) {
            float x = rein_float_of(rein_bits_of(edge[i]) + step - 1000);
            if (isnan(x)) continue;
            check_exp(x, &worst_exp);
            check_log(x, &worst_log);
        }
    }
    assert_true(worst_exp < 2 && worst_log < 2);
}

static void test_special(void **state) {
    (void)state;
    assert_true(rein_expf(0.0f) == 1 && rein_expf(-0.0f) == 1);
    assert_true(rein_expf(INFINITY) == INFINITY);
    assert_int_equal(rein_bits_of(rein_expf(-INFINITY)), 0);
    assert_int_equal(rein_bits_of(rein_expf(rein_float_of(0xffc12345))), 0xffc12345); /* a NaN is returned as it is */
    assert_true(rein_expf(exp_low) >= 0x1p-126f && rein_expf(nextafterf(exp_low, -100)) == 0);
    assert_true(isfinite(rein_expf(exp_high)) && rein_expf(nextafterf(exp_high, 100)) == INFINITY);
    assert_int_equal(rein_bits_of(rein_logf(1.0f)), 0);
    assert_true(rein_logf(0.0f) == -INFINITY && rein_logf(-0.0f) == -INFINITY);
    assert_true(isnan(rein_logf(-0x1p-149f)) && isnan(rein_logf(-INFINITY)) && isnan(rein_logf(NAN)));
    assert_true(fabsf(rein_logf(0x1p-149f) + 103.27893f) < 1e-5f); /* the smallest subnormal */
}

/* The bits themselves, so that a change of the sequences is seen. */
static void test_pinned(void **state) {
    (void)state;
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a over the results */
    for (int i = -4000; i <= 4000; i++) {
        hash = (hash ^ rein_bits_of(rein_expf((float)i * 0.021f))) * 0x100000001b3u;
        hash = (hash ^ rein_bits_of(rein_logf((float)(i + 4001) * 0.37f))) * 0x100000001b3u;
    }
    assert_int_equal(hash, 0x70c8d9957b080fb4u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_floats),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
