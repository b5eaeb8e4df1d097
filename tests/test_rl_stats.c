/* The canonical pairwise sum, moments, bootstrap, paired difference, Wilson interval. */
#include "golden_json.h"

#include "base/sum.h"
#include "rl/stats.h"

static double noise(int64_t i) { return sin(12.9898 * (double)i) * 1e3; }

/* Neighbours level by level, as the definition says it. */
static double tree_by_levels(const double *x, int64_t n) {
    double level[200];
    memcpy(level, x, sizeof *x * (size_t)n);
    for (; n > 1; n = (n + 1) / 2)
        for (int64_t i = 0; i < n; i += 2) level[i / 2] = i + 1 < n ? level[i] + level[i + 1] : level[i];
    return n == 1 ? level[0] : 0;
}

static void test_pairwise(void **state) {
    (void)state;
    double x[200];
    int differs = 0;
    for (int64_t i = 0; i < 200; i++) x[i] = noise(i);
    for (int64_t n = 0; n <= 200; n++) {
        double sum = rein_pairwise_sum(x, n), plain = 0;
        assert_true(sum == tree_by_levels(x, n));
        for (int64_t i = 0; i < n; i++) plain += x[i];
        differs += plain != sum;
    }
    assert_true(differs > 50); /* the comparison can tell orders apart */
    /* aligned subtrees can be summed elsewhere */
    assert_true(rein_pairwise_sum(x, 128) == rein_pairwise_sum(x, 64) + rein_pairwise_sum(x + 64, 64));
    assert_true(signbit(rein_pairwise_sum((const double[]){-0.0}, 1)));
}

static void test_moments(void **state) {
    (void)state;
    const double x[] = {2, 99, NAN, 99, 4, 99, 9, 99};
    rein_moments m = rein_stats_moments(x, 4, 2);
    assert_int_equal(m.n, 3);
    golden_near(m.mean, 5, 1e-15, "mean", "with a hole");
    golden_near(m.sd, sqrt(13), 1e-15, "sd", "with a hole");
    golden_near(rein_stats_error(m), sqrt(13.0 / 3), 1e-15, "se", "with a hole");
    m = rein_stats_moments(x, 1, 1);
    assert_true(m.mean == 2 && isnan(m.sd));
    m = rein_stats_moments(x + 2, 1, 1);
    assert_true(m.n == 0 && isnan(m.mean));
    const double large[] = {1e9 + 1, 1e9 + 2, 1e9 + 3};
    assert_true(rein_stats_moments(large, 3, 1).sd == 1);
}

static void test_bootstrap(void **state) {
    (void)state;
    double x[100];
    for (int i = 0; i < 100; i++) x[i] = i;
    rein_interval a, b, c;
    assert_int_equal(rein_stats_bootstrap(&a, x, 100, 1), REIN_OK);
    assert_int_equal(rein_stats_bootstrap(&b, x, 100, 1), REIN_OK);
    assert_int_equal(rein_stats_bootstrap(&c, x, 100, 2), REIN_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(memcmp(&a, &c, sizeof a) != 0);
    /* the standard error of the resampled mean is sd(ddof 0) / sqrt(n) = 2.887; Monte-Carlo error about 0.1 */
    golden_near(a.low, 49.5 - 1.96 * 2.8866, 0.004, "low", "bootstrap");
    golden_near(a.high, 49.5 + 1.96 * 2.8866, 0.004, "high", "bootstrap");
    x[7] = NAN;
    assert_int_equal(rein_stats_bootstrap(&a, x, 100, 1), REIN_ERR_NUMERIC);
    assert_int_equal(rein_stats_bootstrap(&a, x, 0, 1), REIN_ERR_ARG);
    rein_alloc_fail_after(1);
    assert_int_equal(rein_stats_bootstrap(&a, x, 5, 1), REIN_ERR_MEMORY);
    rein_alloc_fail_after(2);
    rein_paired p;
    assert_int_equal(rein_stats_paired(&p, x, x + 10, 5, 1), REIN_ERR_MEMORY);
    rein_alloc_fail_after(0);
}

/* The paired interval must not see what both policies share. */
static void test_paired(void **state) {
    (void)state;
    double a[50], b[50];
    for (int i = 0; i < 50; i++) {
        b[i] = noise(i);
        a[i] = b[i] + (i % 2 ? 1.25 : 0.75);
    }
    rein_paired p;
    assert_int_equal(rein_stats_paired(&p, a, b, 50, 3), REIN_OK);
    golden_near(p.mean, 1, 1e-12, "mean", "paired");
    golden_near(p.sd, 0.25 * sqrt(50.0 / 49), 1e-9, "sd", "paired");
    golden_near(p.normal.low, 1 - 1.959964 * p.se, 1e-6, "normal", "paired");
    assert_true(p.bootstrap.low > 0.9 && p.bootstrap.low < p.mean && p.bootstrap.high < 1.1);
    assert_int_equal(rein_stats_paired(&p, a, a, 50, 3), REIN_OK);
    assert_true(p.mean == 0 && p.bootstrap.low == 0 && p.bootstrap.high == 0 && p.normal.high == 0);
}

static void test_wilson(void **state) {
    (void)state;
    rein_interval w;
    assert_int_equal(rein_stats_wilson(&w, 8, 10),
                     REIN_OK); /* statsmodels proportion_confint(8, 10, method="wilson") */
    golden_near(w.low, 0.4901624715, 1e-9, "low", "8 of 10");
    golden_near(w.high, 0.9433178485, 1e-9, "high", "8 of 10");
    assert_int_equal(rein_stats_wilson(&w, 0, 20), REIN_OK);
    assert_true(w.low == 0);
    golden_near(w.high, 0.1611251581, 1e-9, "high", "0 of 20");
    assert_int_equal(rein_stats_wilson(&w, 20, 20), REIN_OK);
    assert_true(w.high == 1);
    assert_int_equal(rein_stats_wilson(&w, 3, 2), REIN_ERR_ARG);
}

static void test_trend(void **state) {
    (void)state;
    static const int64_t step[] = {1, 2, 3, 4, 5, 6, 7};
    static const double x[] = {1, 2, 3, 4, 5, 9}, line[] = {7, 5, 3, 1, -1, -3, -5}, hole[] = {1, NAN, 3, NAN, 5};
    rein_trend t = rein_stats_trend(step, x, 6);
    assert_true(t.n == 6 && t.first == 2 && t.second == 6);
    golden_near(t.slope, 25 / 17.5, 1e-15, "slope", "1 2 3 4 5 9");
    t = rein_stats_trend(step, line, 7); /* the middle one belongs to the second half */
    assert_true(t.first == 5 && t.second == -2);
    golden_near(t.slope, -2, 1e-15, "slope", "a line");
    t = rein_stats_trend(step, hole, 5);
    assert_true(t.n == 3 && t.first == 1 && t.second == 4);
    golden_near(t.slope, 1, 1e-15, "slope", "a line with holes");
    t = rein_stats_trend(step, hole, 2);
    assert_true(t.n == 1 && isnan(t.first) && isnan(t.second) && isnan(t.slope));
    assert_true(isnan(rein_stats_trend((const int64_t[]){3, 3}, line, 2).slope));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairwise), cmocka_unit_test(test_moments), cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_paired),   cmocka_unit_test(test_wilson),  cmocka_unit_test(test_trend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
