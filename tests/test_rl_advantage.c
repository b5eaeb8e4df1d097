/* Advantages: TRL's values, known answers, properties and refusals. */
#include "golden_json.h"

#include <stdio.h>

#include "rl/cases.h"

static double metric_of(const rein_rl_case *c, const char *name) {
    if (strcmp(name, "reward") == 0) return c->stats.reward.mean;
    if (strcmp(name, "reward_std") == 0) return c->stats.reward.sd;
    if (strcmp(name, "frac_reward_zero_std") == 0) return c->stats.frac_reward_zero_std;
    int k = -1, end = 0;
    if (sscanf(name, "rewards/r%d/mean%n", &k, &end) == 1 && end > 0) return c->func[k].mean;
    assert_int_equal(sscanf(name, "rewards/r%d/std", &k), 1);
    return c->func[k].sd;
}

static void check_case(struct json_object *obj) {
    rein_arena arena = {0};
    rein_rl_case c;
    if (rein_rl_case_run(&c, &arena, obj) != REIN_OK) fail_msg("%s", rein_error_message());
    bool cancels = strstr(c.name, "tiny spread") || strstr(c.name, "large offset"); /* in TRL's float32 */
    struct json_object *advantages = golden_get(obj, "advantages"), *metrics = golden_get(obj, "metrics");
    assert_int_equal(c.args.N, golden_length(advantages));
    for (int64_t i = 0; i < c.args.N; i++)
        golden_near(c.advantage[i], golden_number(golden_at(advantages, i)), cancels ? 2e-2 : 1e-5, "advantage",
                    c.name);
    json_object_object_foreach(metrics, name, value) {
        golden_near(metric_of(&c, name), golden_number(value), cancels ? 1e-3 : 2e-6, name, c.name);
    }
    rein_arena_deinit(&arena);
}

static void test_trl(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/trl/advantages.json"), *cases = golden_get(document, "cases");
    assert_int_equal(golden_length(cases), 47);
    for (int64_t i = 0; i < 47; i++) check_case(golden_at(cases, i));
    json_object_put(document);
}

static rein_advantage_args group_of(const double *reward, int64_t N, int64_t G) {
    return (rein_advantage_args){.reward = reward, .N = N, .G = G, .n_func = 1};
}

static void test_known_answers(void **state) {
    (void)state;
    const double reward[] = {1, 2, 3, 4};
    double adv[4], sd = sqrt(5.0 / 3);
    rein_advantage_stats stats;
    rein_advantage_args args = group_of(reward, 4, 4);
    assert_int_equal(rein_advantages(adv, &stats, NULL, &args), REIN_OK);
    for (int i = 0; i < 4; i++) golden_near(adv[i], (i - 1.5) / (sd + 1e-4), 1e-15, "advantage", "1 2 3 4");
    golden_near(stats.reward.mean, 2.5, 1e-15, "mean", "1 2 3 4");
    golden_near(stats.reward.sd, sd, 1e-15, "sd", "1 2 3 4");
    assert_true(stats.frac_reward_zero_std == 0 && stats.unscored == 0);
    args.options.scale = REIN_SCALE_NONE;
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_OK);
    for (int i = 0; i < 4; i++) assert_true(adv[i] == i - 1.5);
}

/* Equal rewards that have no exact mean in binary must still give exact zeros. */
static void test_equal_rewards(void **state) {
    (void)state;
    const double reward[] = {0.1, 0.1, 0.1, 1e8 / 3, 1e8 / 3, 1e8 / 3};
    double adv[6];
    rein_advantage_stats stats;
    rein_advantage_args args = group_of(reward, 6, 3);
    assert_int_equal(rein_advantages(adv, &stats, NULL, &args), REIN_OK);
    for (int i = 0; i < 6; i++) assert_true(adv[i] == 0);
    assert_true(stats.frac_reward_zero_std == 1);
}

/* Sum over a group is 0, a shift changes nothing, a higher reward has a higher advantage, groups do not mix. */
static void test_properties(void **state) {
    (void)state;
    double reward[24], shifted[24], adv[24], adv_shifted[24];
    for (int i = 0; i < 24; i++) {
        reward[i] = sin(3.1 * i) * (1 + i / 8);
        shifted[i] = reward[i] + (i < 8 ? 16 : 0);
    }
    rein_advantage_args args = group_of(reward, 24, 8), moved = group_of(shifted, 24, 8);
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_OK);
    assert_int_equal(rein_advantages(adv_shifted, NULL, NULL, &moved), REIN_OK);
    for (int g = 0; g < 3; g++) {
        double sum = 0;
        for (int i = 8 * g; i < 8 * g + 8; i++) {
            sum += adv[i];
            for (int j = 8 * g; j < 8 * g + 8; j++) assert_int_equal(reward[i] > reward[j], adv[i] > adv[j]);
            golden_near(adv_shifted[i], adv[i], 1e-13, "advantage", "shifted group");
        }
        assert_true(fabs(sum) < 1e-13);
    }
    assert_memory_equal(adv + 8, adv_shifted + 8, 16 * sizeof *adv);
}

static void test_refusals(void **state) {
    (void)state;
    double reward[] = {1, 2, NAN, 4}, adv[4];
    rein_advantage_args args = group_of(reward, 4, 4);
    rein_advantage_stats stats;
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_ERR_NUMERIC);
    assert_string_equal(rein_error_message(), "reward function 0 gave nan for completion 2");
    args.allow_missing = true;
    assert_int_equal(rein_advantages(adv, &stats, NULL, &args), REIN_OK);
    assert_true(adv[2] == 0 && stats.unscored == 1);
    reward[2] = INFINITY;
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_ERR_NUMERIC);
    args.G = 1;
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_ERR_USAGE);
    args.G = 3;
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_ERR_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trl),        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_equal_rewards),
        cmocka_unit_test(test_properties), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
