/* GAE, token rewards and whitening: independent values, known answers, properties by random search, refusals. */
#include "golden_json.h"

#include "base/random.h"
#include "rl/gae.h"

enum { MAX_B = 8, MAX_TOKENS = 256 };

/* A ragged batch in flat arrays. */
typedef struct batch {
    rein_token_rows rows;
    int64_t offset[MAX_B + 1];
    uint8_t mask[MAX_TOKENS];
    double reward[MAX_TOKENS], value[MAX_TOKENS], adv[MAX_TOKENS], ret[MAX_TOKENS];
} batch;

static void read_rows(double *out, struct json_object *list) {
    for (int64_t i = 0; i < golden_length(list); i++)
        for (int64_t t = 0; t < golden_length(golden_at(list, i)); t++)
            *out++ = golden_number(golden_at(golden_at(list, i), t));
}

static void read_shape(batch *b, struct json_object *list, struct json_object *mask) {
    double bits[MAX_TOKENS];
    b->rows = (rein_token_rows){golden_length(list), b->offset, b->mask};
    for (int64_t i = 0; i < b->rows.B; i++) b->offset[i + 1] = b->offset[i] + golden_length(golden_at(list, i));
    assert_true(b->rows.B <= MAX_B && b->offset[b->rows.B] <= MAX_TOKENS);
    if (mask) read_rows(bits, mask);
    for (int64_t t = 0; t < b->offset[b->rows.B]; t++) b->mask[t] = !mask || bits[t] != 0;
}

/* Whitened values differ by a few 1e-9: the reference divides by n + 1e-8, we by n (so equal values give zeros).
 */
static void compare(const batch *b, const double *x, struct json_object *expected, const char *what) {
    const double tolerance = what[0] == 'w' ? 5e-9 : 1e-12;
    double want[MAX_TOKENS];
    read_rows(want, expected);
    for (int64_t t = 0; t < b->offset[b->rows.B]; t++)
        golden_near(x[t], b->mask[t] ? want[t] : 0, tolerance, what, "gae.json");
}

static void check_gae(struct json_object *c, bool masked) {
    batch b = {0};
    read_shape(&b, golden_get(c, "rewards"), masked ? golden_get(c, "mask") : NULL);
    read_rows(b.reward, golden_get(c, "rewards"));
    read_rows(b.value, golden_get(c, "values"));
    rein_gae_args args = {.rows = b.rows,
                          .reward = b.reward,
                          .value = b.value,
                          .gamma = golden_double(c, "gamma"),
                          .lambda = golden_double(c, "lambda")};
    assert_int_equal(rein_gae(b.adv, b.ret, &args), REIN_OK);
    compare(&b, b.adv, golden_get(c, "advantages"), "advantage");
    compare(&b, b.ret, golden_get(c, "returns"), "return");
    if (!masked) return;
    rein_tokens_whiten(b.adv, &b.rows, true);
    compare(&b, b.adv, golden_get(c, "advantages_whitened"), "whitened advantage");
}

static void test_golden(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/rlmath/gae.json");
    struct json_object *masked = golden_get(document, "gae"), *plain = golden_get(document, "gae_plain");
    assert_int_equal(golden_length(masked), 16);
    assert_int_equal(golden_length(plain), 2);
    for (int64_t i = 0; i < 16; i++) check_gae(golden_at(masked, i), true);
    for (int64_t i = 0; i < 2; i++) check_gae(golden_at(plain, i), false);
    json_object_put(document);
}

static void test_golden_whiten(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/rlmath/gae.json"), *list = golden_get(document, "whiten");
    assert_int_equal(golden_length(list), 3);
    for (int64_t i = 0; i < 3; i++) {
        struct json_object *c = golden_at(list, i);
        batch b = {0};
        read_shape(&b, golden_get(c, "x"), golden_get(c, "mask"));
        read_rows(b.adv, golden_get(c, "x"));
        read_rows(b.ret, golden_get(c, "x"));
        rein_tokens_whiten(b.adv, &b.rows, true);
        rein_tokens_whiten(b.ret, &b.rows, false);
        compare(&b, b.adv, golden_get(c, "whitened"), "whitened");
        compare(&b, b.ret, golden_get(c, "whitened_mean_kept"), "whitened, mean kept");
    }
    json_object_put(document);
}

/* Five steps by hand, gamma .5, lambda .5: delta = r + V'/2 - V, A = delta + A'/4. */
static void test_by_hand(void **state) {
    (void)state;
    static const uint8_t mask[] = {1, 1, 0, 1, 1, 1};
    static const int64_t offset[] = {0, 6};
    static const double value[] = {1, 2, 77, 3, 4, 2}, want[] = {0.125, 0.5, 0, 0, 2, 8}, bootstrap[] = {4};
    static const double want_ret[] = {1.125, 2.5, 0, 3, 6, 10};
    double reward[] = {0, 1, 99, 0.5, 3, 8}, ret[6];
    rein_gae_args args = {.rows = {1, offset, mask},
                          .reward = reward,
                          .value = value,
                          .bootstrap = bootstrap,
                          .gamma = 0.5,
                          .lambda = 0.5};
    assert_int_equal(rein_gae(reward, ret, &args), REIN_OK); /* in place */
    for (int t = 0; t < 6; t++) {
        golden_near(reward[t], want[t], 1e-15, "advantage", "by hand");
        golden_near(ret[t], want_ret[t], 1e-15, "return", "by hand");
    }
}

/* Two turns: rewards 1 and 5, values 2 and 3 (of their first tokens), gamma 1, lambda .5. */
static void test_turns(void **state) {
    (void)state;
    static const uint8_t mask[] = {0, 1, 1, 0, 0, 1, 1, 1};
    static const int32_t turn[] = {0, 1, 1, 1, 2, 2, 2, 2};
    static const int64_t offset[] = {0, 8};
    static const double reward[] = {9, 0.25, 0.75, 9, 9, 2, 0, 3}, value[] = {9, 2, 8, 9, 9, 3, 8, 8};
    static const double want[] = {0, 3, 3, 0, 0, 2, 2, 2}, want_ret[] = {0, 5, 5, 0, 0, 5, 5, 5};
    double adv[8], ret[8];
    rein_gae_args args = {
        .rows = {1, offset, mask}, .reward = reward, .value = value, .turn = turn, .gamma = 1, .lambda = 0.5};
    assert_int_equal(rein_gae(adv, ret, &args), REIN_OK);
    assert_memory_equal(adv, want, sizeof want);
    assert_memory_equal(ret, want_ret, sizeof want_ret);
}

static double draw(uint32_t trial, uint32_t index) {
    return rein_random_normal(7, REIN_STREAM_DATA, trial, index, 0, 0);
}

/* Up to four rows of up to six tokens. */
static void random_batch(batch *b, uint32_t trial) {
    b->rows = (rein_token_rows){1 + trial % 4, b->offset, b->mask};
    b->offset[0] = 0;
    for (int64_t i = 0; i < b->rows.B; i++)
        b->offset[i + 1] = b->offset[i] + (int64_t)rein_random_below(7, 8, REIN_STREAM_DATA, trial, (uint32_t)i, 0, 0);
    for (int64_t t = 0; t < b->offset[b->rows.B]; t++) {
        b->mask[t] = draw(trial, 100 + (uint32_t)t) > -0.5;
        b->reward[t] = draw(trial, 200 + (uint32_t)t);
        b->value[t] = draw(trial, 300 + (uint32_t)t);
    }
}

/* lambda = 1: discounted Monte-Carlo return - V; lambda = 0: the one-step error. Removing masked tokens changes no bit.
 */
static void check_limits(const batch *b, double gamma) {
    batch one = *b, zero = *b;
    rein_gae_args args = {.rows = b->rows, .reward = b->reward, .value = b->value, .gamma = gamma, .lambda = 1};
    assert_int_equal(rein_gae(one.adv, one.ret, &args), REIN_OK);
    args.lambda = 0;
    assert_int_equal(rein_gae(zero.adv, NULL, &args), REIN_OK);
    for (int64_t i = 0; i < b->rows.B; i++) {
        double mc = 0, next = 0;
        for (int64_t t = b->offset[i + 1] - 1; t >= b->offset[i]; t--) {
            if (!b->mask[t]) {
                assert_true(one.adv[t] == 0 && one.ret[t] == 0);
                continue;
            }
            mc = b->reward[t] + gamma * mc;
            golden_near(one.adv[t], mc - b->value[t], 1e-13, "advantage", "lambda 1");
            golden_near(one.ret[t], mc, 1e-13, "return", "lambda 1");
            golden_near(zero.adv[t], b->reward[t] + gamma * next - b->value[t], 1e-13, "advantage", "lambda 0");
            next = b->value[t];
        }
    }
}

/* The counting tokens alone, without those in between. */
static void squeeze(batch *out, const batch *b) {
    int64_t n = 0;
    for (int64_t i = 0; i < b->rows.B; i++) {
        for (int64_t t = b->offset[i]; t < b->offset[i + 1]; t++) {
            if (!b->mask[t]) continue;
            out->mask[n] = 1;
            out->reward[n] = b->reward[t];
            out->value[n++] = b->value[t];
        }
        out->offset[i + 1] = n;
    }
    out->rows = (rein_token_rows){b->rows.B, out->offset, out->mask};
}

static void check_layout(batch *b) {
    batch s = {0};
    squeeze(&s, b);
    rein_gae_args args = {.rows = b->rows, .reward = b->reward, .value = b->value, .gamma = 0.9, .lambda = 0.8};
    rein_gae_args dense = {.rows = s.rows, .reward = s.reward, .value = s.value, .gamma = 0.9, .lambda = 0.8};
    assert_int_equal(rein_gae(b->adv, b->ret, &args), REIN_OK);
    assert_int_equal(rein_gae(s.adv, s.ret, &dense), REIN_OK);
    rein_tokens_whiten(b->adv, &b->rows, true);
    rein_tokens_whiten(s.adv, &s.rows, true);
    for (int64_t t = 0, n = 0; t < b->offset[b->rows.B]; t++) {
        if (!b->mask[t]) continue;
        assert_true(b->adv[t] == s.adv[n] && b->ret[t] == s.ret[n]);
        n++;
    }
}

static void test_properties(void **state) {
    (void)state;
    for (uint32_t trial = 0; trial < 10000; trial++) {
        batch b = {0};
        random_batch(&b, trial);
        check_limits(&b, 0.25 * (trial % 5));
        check_layout(&b);
    }
}

/* Whitened tokens have mean 0 and (with two or more) deviation 1; a shift changes nothing; equal values are zeros. */
static void test_whiten_properties(void **state) {
    (void)state;
    for (uint32_t trial = 0; trial < 10000; trial++) {
        batch b = {0};
        random_batch(&b, trial);
        double sum = 0, squares = 0;
        int64_t n = 0, all = b.offset[b.rows.B];
        for (int64_t t = 0; t < all; t++) {
            b.adv[t] = b.reward[t];
            b.ret[t] = b.reward[t] + 5;
            b.value[t] = 0.1 * trial;
        }
        rein_tokens_whiten(b.adv, &b.rows, true);
        rein_tokens_whiten(b.ret, &b.rows, true);
        rein_tokens_whiten(b.value, &b.rows, true);
        for (int64_t t = 0; t < all; t++) {
            assert_true(b.value[t] == 0);
            sum += b.adv[t];
            squares += b.adv[t] * b.adv[t];
            n += b.mask[t];
        }
        for (int64_t t = 0; t < all && n > 2; t++) golden_near(b.ret[t], b.adv[t], 1e-9, "value", "shifted");
        assert_true(fabs(sum) < 1e-9);
        if (n > 4) assert_true(fabs(squares / (double)(n - 1) - 1) < 1e-4);
    }
}

static void test_token_rewards(void **state) {
    (void)state;
    static const uint8_t mask[] = {1, 1, 0, 0, 0, 0, 1};
    static const int64_t offset[] = {0, 4, 6, 7};
    static const double score[] = {2, 3, 4}, want[] = {-0.5, 2.25, 0, 0, 0, 0, 4};
    double kl[] = {1, -0.5, 9, 9, 9, NAN, 0}, reward[7];
    const rein_token_rows rows = {3, offset, mask};
    assert_int_equal(rein_tokens_count(&rows, 0), 2);
    assert_int_equal(rein_tokens_reward(reward, &rows, score, NULL, kl, 0.5), REIN_OK);
    assert_memory_equal(reward, want, sizeof want);
    assert_int_equal(rein_tokens_reward(kl, &rows, score, NULL, kl, 0.5), REIN_OK); /* in place */
    assert_memory_equal(kl, want, sizeof want);
    assert_int_equal(rein_tokens_reward(reward, &rows, score, NULL, NULL, 0), REIN_OK);
    assert_true(reward[0] == 0 && reward[1] == 2 && reward[6] == 4);
    const double early[] = {0.5, 0, NAN, 0, 0, 0, 0}; /* a turn ended at token 0 */
    assert_int_equal(rein_tokens_reward(reward, &rows, score, early, NULL, 0), REIN_OK);
    assert_true(reward[0] == 0.5 && reward[1] == 1.5 && reward[2] == 0 && reward[6] == 4);
}

static void test_refusals(void **state) {
    (void)state;
    static const uint8_t mask[] = {0, 1, 1};
    static const int64_t offset[] = {0, 3};
    const double score[] = {INFINITY}, bootstrap[] = {NAN};
    double reward[] = {0, 0, NAN}, value[] = {NAN, 0, 0}, adv[3];
    rein_gae_args args = {.rows = {1, offset, mask}, .reward = reward, .value = value, .gamma = 1, .lambda = 1};
    assert_int_equal(rein_gae(adv, NULL, &args), REIN_ERR_NUMERIC);
    assert_string_equal(rein_error_message(), "sequence 0 has reward nan and value 0 at token 2");
    reward[2] = 0;
    assert_int_equal(rein_gae(adv, NULL, &args), REIN_OK); /* a masked value is not read */
    args.bootstrap = bootstrap;
    assert_int_equal(rein_gae(adv, NULL, &args), REIN_ERR_NUMERIC);
    args.gamma = 1.01;
    assert_int_equal(rein_gae(adv, NULL, &args), REIN_ERR_USAGE);
    assert_int_equal(rein_tokens_reward(adv, &args.rows, score, NULL, NULL, 0), REIN_ERR_NUMERIC);
    assert_int_equal(rein_tokens_reward(adv, &args.rows, reward, NULL, (const double[]){0, NAN, 0}, 1), REIN_ERR_NUMERIC);
    assert_string_equal(rein_error_message(), "kl of sequence 0 is nan at token 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),        cmocka_unit_test(test_golden_whiten),
        cmocka_unit_test(test_by_hand),       cmocka_unit_test(test_turns),
        cmocka_unit_test(test_properties),    cmocka_unit_test(test_whiten_properties),
        cmocka_unit_test(test_token_rewards), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
