/* Philox against Random123's published answers and, where installed, its header; moments of the draws. */
#include "base_check.h"

#include <math.h>

#include "base/random.h"

#if __has_include(<Random123/philox.h>)
#define HAVE_RANDOM123 1
#include <Random123/philox.h>
#else
#define HAVE_RANDOM123 0
#endif

/* Random123, kat_vectors: philox4x32 10 */
static void test_known_answers(void **state) {
    (void)state;
    static const uint32_t cases[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
         0x24126ea1},
    };
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        uint32_t out[4];
        rein_philox(out, cases[i], cases[i] + 4);
        assert_memory_equal(out, cases[i] + 6, sizeof out);
    }
}

static void test_equals_random123(void **state) {
    (void)state;
#if HAVE_RANDOM123
    uint32_t word[6] = {1, 2, 3, 4, 5, 6};
    for (int i = 0; i < 100000; i++) {
        philox4x32_ctr_t counter = {{word[0], word[1], word[2], word[3]}};
        philox4x32_key_t key = {{word[4], word[5]}};
        philox4x32_ctr_t expected = philox4x32(counter, key);
        uint32_t out[4];
        rein_philox(out, word, word + 4);
        assert_memory_equal(out, expected.v, sizeof out);
        memcpy(word, out, sizeof out);
        word[4] += out[1];
        word[5] ^= out[2];
    }
#else
    print_message("Random123/philox.h is not installed\n");
    skip();
#endif
}

/* The fold of seed and stream into the key is a part of the run format. */
static void test_key_is_fixed(void **state) {
    (void)state;
    const uint64_t seed = 0x0123456789abcdefu;
    uint64_t m = seed;
    m = (m ^ (m >> 30)) * 0xBF58476D1CE4E5B9u;
    m = (m ^ (m >> 27)) * 0x94D049BB133111EBu;
    m ^= m >> 31;
    const uint32_t key[2] = {(uint32_t)m, (uint32_t)(m >> 32) ^ REIN_STREAM_TASK}, counter[4] = {9, 8, 7, 6};
    uint32_t out[4], expected[4];
    rein_random4(out, seed, REIN_STREAM_TASK, 9, 8, 7, 6);
    rein_philox(expected, counter, key);
    assert_memory_equal(out, expected, sizeof out);
}

static void test_keys_differ(void **state) {
    (void)state;
    static const uint64_t seeds[] = {0, 1, 2, 1ull << 32, (1ull << 32) + 1, 1ull << 63, ~0ull, 0xFFFFFFFFull};
    uint64_t seen[64];
    size_t n = 0;
    for (size_t i = 0; i < REIN_COUNT(seeds); i++)
        for (int stream = REIN_STREAM_INIT; stream <= REIN_STREAM_BOOTSTRAP; stream++) {
            uint32_t out[4];
            rein_random4(out, seeds[i], (rein_stream)stream, 0, 0, 0, 0);
            seen[n] = (uint64_t)out[0] << 32 | out[1];
            for (size_t j = 0; j < n; j++) assert_true(seen[j] != seen[n]);
            n++;
        }
}

static void test_moments(void **state) {
    (void)state;
    enum { N = 200000 };
    double sum = 0, squares = 0, normal = 0, normal_squares = 0, fourth = 0;
    for (uint32_t i = 0; i < N; i++) {
        double u = rein_random_uniform(7, REIN_STREAM_DATA, i, 0, 0, 0);
        double z = rein_random_normal(7, REIN_STREAM_DATA, i, 1, 0, 0);
        assert_true(u >= 0 && u < 1 && isfinite(z));
        sum += u;
        squares += u * u;
        normal += z;
        normal_squares += z * z;
        fourth += z * z * z * z;
    }
    /* five standard errors */
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    assert_true(fabs(normal / N) < 5 / sqrt(N));
    assert_true(fabs(normal_squares / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(fourth / N - 3) < 5 * sqrt(96.0 / N));
}

static void test_below(void **state) {
    (void)state;
    int64_t count[7] = {0};
    for (uint32_t i = 0; i < 70000; i++) {
        uint64_t x = rein_random_below(7, 3, REIN_STREAM_SHUFFLE, i, 0, 0, 0);
        assert_true(x < 7);
        count[x]++;
    }
    for (int i = 0; i < 7; i++) assert_in_range(count[i], 10000 - 5 * 93, 10000 + 5 * 93);
    assert_int_equal(rein_random_below(1, 3, REIN_STREAM_SHUFFLE, 0, 0, 0, 0), 0);
    /* the product's high half, carries and all */
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t word[4];
        rein_random4(word, 3, REIN_STREAM_DATA, i, 1, 0, 0);
        uint64_t n = ((uint64_t)word[2] << 32 | word[3]) | 1, draw = (uint64_t)word[0] << 32 | word[1];
        __extension__ typedef unsigned __int128 wide;
        assert_true(rein_random_below(n, 3, REIN_STREAM_DATA, i, 1, 0, 0) == (uint64_t)((wide)draw * n >> 64));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_equals_random123),
        cmocka_unit_test(test_key_is_fixed),  cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_moments),       cmocka_unit_test(test_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
