/* Value loss: verl's values, finite differences, clipping by random search; explained variance; normalised returns. */
#include "golden_json.h"

#include "base/random.h"
#include "rl/value.h"

enum { B = 5, T = 6, N = B * T };

static const int64_t offsets[B + 1] = {0, T, 2 * T, 3 * T, 4 * T, 5 * T};

static void read_rows(double out[N], struct json_object *list) {
    for (int64_t i = 0; i < N; i++) out[i] = golden_number(golden_at(golden_at(list, i / T), i % T));
}

/* Weights of a token under verl's aggregation modes; verl divides by n + 1e-8 where it takes the mean of a sequence. */
static void weights(double out[B], const rein_token_rows *rows, const char *agg) {
    double tokens = 0, sequences = 0;
    for (int64_t i = 0; i < B; i++) {
        tokens += (double)rein_tokens_count(rows, i);
        sequences += rein_tokens_count(rows, i) > 0;
    }
    for (int64_t i = 0; i < B; i++) {
        double n = (double)rein_tokens_count(rows, i);
        if (strcmp(agg, "token-mean") == 0) out[i] = 1 / tokens;
        if (strcmp(agg, "token-sum") == 0) out[i] = 1;
        if (strcmp(agg, "seq-mean-token-sum") == 0) out[i] = 1 / sequences;
        if (strcmp(agg, "seq-mean-token-sum-norm") == 0) out[i] = 1 / (sequences * T);
        if (strcmp(agg, "seq-mean-token-mean") == 0) out[i] = 1 / (sequences * (n + 1e-8));
    }
}

static void check_case(struct json_object *c, const rein_value_batch *shared) {
    rein_value_batch batch = *shared;
    double weight[B], grad[N], want[N];
    rein_value_row row[B];
    rein_value_metrics m;
    weights(weight, &batch.rows, golden_text(c, "agg"));
    batch.weight = weight;
    rein_value_loss(row, grad, &batch, golden_double(c, "cliprange"));
    rein_value_finish(&m, row, B);
    golden_near(m.loss, golden_double(c, "loss"), 1e-9, "loss", golden_text(c, "agg"));
    golden_near(m.clip_fraction, golden_double(c, "clipfrac"), 1e-9, "clipfrac", golden_text(c, "agg"));
    read_rows(want, golden_get(c, "grad"));
    for (int i = 0; i < N; i++) golden_near(grad[i], want[i], 1e-9, "gradient", golden_text(c, "agg"));
}

static void test_verl(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/rlmath/verl_losses.json"), *v = golden_get(document, "value");
    double bits[N], value[N], old[N], ret[N];
    uint8_t mask[N];
    read_rows(bits, golden_get(document, "mask"));
    read_rows(value, golden_get(v, "pred"));
    read_rows(old, golden_get(v, "old"));
    read_rows(ret, golden_get(v, "returns"));
    for (int i = 0; i < N; i++) mask[i] = bits[i] != 0;
    const rein_value_batch batch = {.rows = {B, offsets, mask}, .value = value, .old_value = old, .ret = ret};
    struct json_object *cases = golden_get(v, "cases");
    assert_int_equal(golden_length(cases), 10);
    for (int64_t i = 0; i < 10; i++) check_case(golden_at(cases, i), &batch);
    json_object_put(document);
}

static double draw(uint32_t trial, int64_t index) {
    return rein_random_normal(3, REIN_STREAM_DATA, trial, (uint32_t)index, 0, 0);
}

static double loss_of(const rein_value_batch *batch, double c) {
    rein_value_row row[B];
    rein_value_metrics m;
    double grad[N];
    rein_value_loss(row, grad, batch, c);
    rein_value_finish(&m, row, B);
    return m.loss;
}

/* Clipped >= unclipped; equal without a difference to the old values; the gradient is that of central differences;
 * masked tokens and ones that are bound have none. */
static void test_properties(void **state) {
    (void)state;
    double value[N], old[N], ret[N], weight[B], grad[N];
    uint8_t mask[N];
    rein_value_row row[B];
    for (uint32_t trial = 0; trial < 10000; trial++) {
        for (int i = 0; i < N; i++) {
            value[i] = draw(trial, i);
            old[i] = value[i] + 0.3 * draw(trial, 100 + i);
            ret[i] = draw(trial, 200 + i);
            mask[i] = draw(trial, 300 + i) > -1;
        }
        for (int i = 0; i < B; i++) weight[i] = 0.5 + 0.25 * i;
        rein_value_batch batch = {{B, offsets, mask}, value, old, ret, weight};
        const double clipped = loss_of(&batch, 0.2), plain = loss_of(&batch, 0);
        assert_true(clipped >= plain);
        rein_value_loss(row, grad, &batch, 0.2);
        int64_t at = (int64_t)rein_random_below(N, 3, REIN_STREAM_DATA, trial, 400, 0, 0);
        const double here = value[at], h = 1e-5;
        value[at] = here + h;
        const double up = loss_of(&batch, 0.2);
        value[at] = here - h;
        const double down = loss_of(&batch, 0.2);
        value[at] = here;
        golden_near(grad[at], (up - down) / (2 * h), 2e-5, "gradient", "central difference");
        if (!mask[at]) assert_true(grad[at] == 0);
        batch.old_value = value;
        assert_true(loss_of(&batch, 0.2) == plain);
    }
}

static void test_nonfinite(void **state) {
    (void)state;
    double value[N] = {0}, old[N] = {0}, ret[N] = {[3] = NAN, [7] = INFINITY}, weight[B] = {1, 1, 1, 1, 1}, grad[N];
    uint8_t mask[N] = {1, 1, 1, 1, 0, 0, 1, 0};
    rein_value_row row[B];
    rein_value_metrics m;
    const rein_value_batch batch = {{B, offsets, mask}, value, old, ret, weight};
    rein_value_loss(row, grad, &batch, 0.2);
    rein_value_finish(&m, row, B);
    assert_true(m.nonfinite == 1 && m.tokens == 5); /* the masked one is not read */
}

static void test_explained(void **state) {
    (void)state;
    static const uint8_t mask[] = {1, 1, 0, 1, 1};
    static const int64_t offset[] = {0, 2, 5};
    static const double ret[] = {1, 2, 99, 3, 4}, shifted[] = {6, 7, -99, 8, 9}, flat[] = {5, 5, 5, 5, 5};
    static const double half[] = {1, 2, 0, 2, 3}, worse[] = {-1, -2, 0, -3, -4};
    const rein_token_rows rows = {2, offset, mask};
    assert_true(rein_value_explained(&rows, ret, ret) == 1);
    assert_true(rein_value_explained(&rows, shifted, ret) == 1); /* a constant error is no variance */
    assert_true(rein_value_explained(&rows, flat, ret) == 0);
    golden_near(rein_value_explained(&rows, half, ret), 0.8, 1e-15, "explained", "two of four off by one");
    golden_near(rein_value_explained(&rows, worse, ret), -3, 1e-15, "explained", "sign wrong");
    assert_true(isnan(rein_value_explained(&rows, ret, flat)));
}

/* Batches one after the other give the moments of all together; normalising is undone exactly enough. */
static void test_scale(void **state) {
    (void)state;
    double ret[N];
    uint8_t mask[N];
    for (int i = 0; i < N; i++) {
        ret[i] = 50 + 3 * draw(1, i);
        mask[i] = i % 4 != 1;
    }
    rein_value_scale all = {0}, parts = {0};
    assert_true(rein_value_normalize(&all, 7) == 7 && rein_value_denormalize(&all, 7) == 7);
    rein_value_scale_add(&all, &(rein_token_rows){B, offsets, mask}, ret);
    rein_value_scale_add(&parts, &(rein_token_rows){2, offsets, mask}, ret);
    rein_value_scale_add(&parts, &(rein_token_rows){0, offsets, mask}, ret);
    rein_value_scale_add(&parts, &(rein_token_rows){B - 2, offsets + 2, mask}, ret);
    golden_near(parts.n, all.n, 0, "n", "in parts");
    golden_near(parts.mean, all.mean, 1e-14, "mean", "in parts");
    golden_near(parts.m2, all.m2, 1e-12, "m2", "in parts");
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        if (!mask[i]) continue;
        double z = rein_value_normalize(&all, ret[i]);
        golden_near(rein_value_denormalize(&all, z), ret[i], 1e-14, "value", "and back");
        sum += z;
        squares += z * z;
    }
    assert_true(fabs(sum) < 1e-10 && fabs(squares / all.n - 1) < 1e-12);
    rein_value_scale same = {0};
    for (int i = 0; i < N; i++) ret[i] = 0.1;
    rein_value_scale_add(&same, &(rein_token_rows){B, offsets, mask}, ret);
    assert_true(same.m2 == 0 && rein_value_normalize(&same, 0.1) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verl),      cmocka_unit_test(test_properties), cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_explained), cmocka_unit_test(test_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
