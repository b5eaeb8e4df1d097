/* Advantages: TRL's and verl's values, known answers, properties and refusals. */
#include "golden_json.h"

#include <stdio.h>

#include "base/random.h"
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

/* ---- estimators against verl's values ---- */

enum { ROWS = 12, LENGTH = 6, TOKENS = ROWS * LENGTH };

typedef struct verl_case {
    int64_t G, N, length[ROWS], offset[ROWS + 1];
    double score[ROWS];
    uint8_t mask[TOKENS];
} verl_case;

static void read_verl(verl_case *v, struct json_object *obj) {
    struct json_object *scores = golden_get(obj, "scores"), *mask = golden_get(obj, "mask");
    *v = (verl_case){.G = (int64_t)golden_double(obj, "G"), .N = golden_length(scores)};
    assert_true(v->N <= ROWS);
    for (int64_t i = 0; i < v->N; i++) {
        v->score[i] = golden_number(golden_at(scores, i));
        v->offset[i + 1] = v->offset[i] + LENGTH;
        for (int64_t t = 0; t < LENGTH; t++) {
            v->mask[v->offset[i] + t] = golden_number(golden_at(golden_at(mask, i), t)) != 0;
            v->length[i] += v->mask[v->offset[i] + t];
        }
    }
}

static rein_advantage_options of(rein_advantage_estimator estimator) {
    rein_advantage_options o = rein_advantage_options_default();
    o.estimator = estimator;
    return o;
}

static void compute(double adv[ROWS], const verl_case *v, rein_advantage_options o) {
    rein_advantage_args args = {
        .reward = v->score, .N = v->N, .G = v->G, .n_func = 1, .options = o, .length = v->length};
    if (rein_advantages(adv, NULL, NULL, &args) != REIN_OK) fail_msg("%s", rein_error_message());
}

static void check_rows(const verl_case *v, struct json_object *obj, const char *key, rein_advantage_options o) {
    double adv[ROWS];
    compute(adv, v, o);
    for (int64_t i = 0; i < v->N; i++)
        golden_near(adv[i], golden_number(golden_at(golden_get(obj, key), i)), 1e-12, key, "verl");
}

/* Whitened: verl divides by n + 1e-8. */
static void check_tokens(const verl_case *v, struct json_object *obj, const char *key, rein_advantage_options o) {
    double adv[ROWS], token[TOKENS];
    compute(adv, v, o);
    rein_advantage_token_args args = {.rows = {v->N, v->offset, v->mask}, .advantage = adv, .options = o};
    assert_int_equal(rein_advantage_tokens(token, NULL, &args), REIN_OK);
    for (int64_t i = 0; i < v->N; i++)
        for (int64_t t = 0; t < LENGTH; t++)
            golden_near(token[i * LENGTH + t], golden_number(golden_at(golden_at(golden_get(obj, key), i), t)), 5e-9,
                        key, "verl");
}

static void test_verl(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/rlmath/advantages.json"), *cases = golden_get(document, "cases");
    assert_int_equal(golden_length(cases), 3);
    for (int64_t i = 0; i < 3; i++) {
        struct json_object *obj = golden_at(cases, i);
        rein_advantage_options grpo = of(REIN_ADVANTAGE_GRPO), rfpp = of(REIN_ADVANTAGE_RFPP);
        verl_case v;
        read_verl(&v, obj);
        grpo.std = REIN_STD_VERL;
        check_rows(&v, obj, "grpo", grpo);
        grpo.scale = REIN_SCALE_NONE;
        check_rows(&v, obj, "grpo_no_std", grpo);
        check_rows(&v, obj, "grpo_no_std", of(REIN_ADVANTAGE_MEAN));
        check_rows(&v, obj, "rloo", of(REIN_ADVANTAGE_RLOO));
        check_rows(&v, obj, "opo", of(REIN_ADVANTAGE_OPO));
        check_tokens(&v, obj, "reinforce_pp_baseline_tokens", of(REIN_ADVANTAGE_RFPP_BASELINE));
        rfpp.gamma = 0.99;
        check_tokens(&v, obj, "reinforce_pp_gamma_0.99_tokens", rfpp);
    }
    json_object_put(document);
}

/* ---- estimators by hand ---- */

/* Advantages of rewards 1 2 3 6 (mean 3, squares 14, ddof 1: sd sqrt(14 / 3), ddof 0: sqrt(14 / 4)), lengths 1 1 2 4.
 */
static void by_hand(rein_advantage_options o, const double want[4], const char *what) {
    static const double reward[] = {1, 2, 3, 6};
    static const int64_t length[] = {1, 1, 2, 4};
    double adv[4];
    rein_advantage_args args = {.reward = reward, .N = 4, .G = 4, .n_func = 1, .options = o, .length = length};
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_OK);
    for (int i = 0; i < 4; i++) golden_near(adv[i], want[i], 1e-15, what, "1 2 3 6");
}

static void test_by_hand(void **state) {
    (void)state;
    static const double eps[] = {1e-4, 1e-6, 1e-9, 1e-6, 1e-4};
    rein_advantage_options o = of(REIN_ADVANTAGE_GRPO);
    for (int std = REIN_STD_TRL; std <= REIN_STD_MLX; std++) {
        double s = sqrt(14.0 / (std <= REIN_STD_OPENRLHF ? 3 : 4)) + eps[std];
        o.std = (rein_std_preset)std;
        by_hand(o, (double[]){-2 / s, -1 / s, 0, 3 / s}, "grpo");
    }
    by_hand(of(REIN_ADVANTAGE_RLOO), (double[]){1 - 11.0 / 3, 2 - 10.0 / 3, 0, 6 - 2}, "rloo");
    by_hand(of(REIN_ADVANTAGE_MEAN), (double[]){-2, -1, 0, 3}, "mean");
    by_hand(of(REIN_ADVANTAGE_OPO), (double[]){1 - 33.0 / 8, 2 - 33.0 / 8, 3 - 33.0 / 8, 6 - 33.0 / 8}, "opo");
    by_hand(of(REIN_ADVANTAGE_PASSK), (double[]){0, 0, 0, 3 / (sqrt(14.0 / 3) + 1e-4)}, "passk");
    by_hand(of(REIN_ADVANTAGE_MAXRL), (double[]){-2.0 / 3, -1.0 / 3, 0, 1}, "max_rl");
    by_hand(of(REIN_ADVANTAGE_RFPP), (double[]){1, 2, 3, 6}, "reinforce_plus_plus");
    o = of(REIN_ADVANTAGE_PASSK), o.scale = REIN_SCALE_NONE;
    by_hand(o, (double[]){0, 0, 0, 3}, "passk without std");
    o = of(REIN_ADVANTAGE_RLOO), o.reward_clip_low = 2, o.reward_clip_high = 4;
    by_hand(o, (double[]){2 - 3, 2 - 3, 3 - 8.0 / 3, 4 - 7.0 / 3}, "rloo of 2 2 3 4");
    o = of(REIN_ADVANTAGE_MEAN), o.normalize_advantages = true;
    double s = sqrt(14.0 / 3) + 1e-4;
    by_hand(o, (double[]){-2 / s, -1 / s, 0, 3 / s}, "mean, normalised");
}

/* KL in the reward: per completion, and per token where the estimator works there. */
static void test_kl_in_reward(void **state) {
    (void)state;
    static const double reward[] = {4, 6}, kl[] = {2, 8}, token_kl[] = {1, 1, 7, 8};
    static const int64_t offset[] = {0, 3, 4};
    static const uint8_t mask[] = {1, 1, 0, 1};
    double adv[2], token[4], ret[4];
    rein_advantage_options o = of(REIN_ADVANTAGE_RLOO);
    o.kl_coef = 0.5;
    rein_advantage_args args = {.reward = reward, .N = 2, .G = 2, .n_func = 1, .options = o, .kl = kl};
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_OK);
    assert_true(adv[0] == 1 && adv[1] == -1); /* 4 - 1 against 6 - 4 */
    args.kl = NULL;
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_ERR_ARG);
    args.options.estimator = o.estimator = REIN_ADVANTAGE_GAE;
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_OK);
    assert_true(adv[0] == 4 && adv[1] == 6);
    o.whiten_advantages = false;
    o.lambda = 1;
    rein_advantage_token_args t = {.rows = {2, offset, mask}, .advantage = adv, .kl = token_kl, .options = o};
    assert_int_equal(rein_advantage_tokens(token, ret, &t), REIN_ERR_ARG); /* no values */
    t.value = (const double[]){1, 2, NAN, 3};
    assert_int_equal(rein_advantage_tokens(token, ret, &t), REIN_OK);
    static const double want[] = {3 - 1, 3.5 - 2, 0, 2 - 3}, want_ret[] = {3, 3.5, 0, 2};
    assert_memory_equal(token, want, sizeof want);
    assert_memory_equal(ret, want_ret, sizeof want_ret);
    t.options.whiten_rewards = true; /* -.5 3.5 2, the mean 5 / 3 is kept */
    assert_int_equal(rein_advantage_tokens(token, ret, &t), REIN_OK);
    double sd = sqrt((169 + 121 + 4) / 36.0 / 2 + 1e-8);
    golden_near(ret[0], (-13 / 6.0 + 11 / 6.0) / sd + 10.0 / 3, 1e-14, "return", "whitened rewards");
    golden_near(ret[3], (1 / 3.0) / sd + 5.0 / 3, 1e-14, "return", "whitened rewards");
}

/* ---- properties of the estimators by random search ---- */

static double draw(uint32_t trial, uint32_t index) {
    return rein_random_normal(19, REIN_STREAM_DATA, trial, index, 0, 0);
}

enum { GROUP = 4, BATCH = 8 };

static void run(double adv[BATCH], rein_advantage_estimator e, const double reward[BATCH],
                const int64_t length[BATCH]) {
    rein_advantage_args args = {
        .reward = reward, .N = BATCH, .G = GROUP, .n_func = 1, .options = of(e), .length = length};
    if (rein_advantages(adv, NULL, NULL, &args) != REIN_OK) fail_msg("%s", rein_error_message());
}

static void check_estimator(rein_advantage_estimator e, uint32_t trial) {
    double reward[BATCH], shifted[BATCH], equal[BATCH], adv[BATCH], moved[BATCH];
    int64_t length[BATCH];
    const bool ratio = e == REIN_ADVANTAGE_MAXRL;
    for (uint32_t i = 0; i < BATCH; i++) {
        reward[i] = fabs(draw(trial, i));
        shifted[i] = ratio ? 5 * reward[i] : reward[i] + 5;
        equal[i] = reward[i / GROUP];
        length[i] = 1 + (int64_t)rein_random_below(9, 19, REIN_STREAM_DATA, trial, 100 + i, 0, 0);
    }
    run(adv, e, reward, length);
    run(moved, e, shifted, length);
    for (int g = 0; g < BATCH; g += GROUP) {
        double sum = 0, weighted = 0;
        int positive = 0;
        for (int i = g; i < g + GROUP; i++) {
            golden_near(moved[i], adv[i], 1e-12, "advantage", "shifted, or max_rl scaled");
            sum += adv[i];
            weighted += adv[i] * (double)length[i];
            positive += adv[i] > 0;
        }
        if (e == REIN_ADVANTAGE_OPO) sum = weighted;
        if (e == REIN_ADVANTAGE_PASSK)
            assert_true(positive == 1 && sum > 0);
        else if (e != REIN_ADVANTAGE_GDPO) /* gdpo is standardised over the batch: the sum below is its */
            assert_true(fabs(sum) < 1e-11);
    }
    if (e == REIN_ADVANTAGE_GDPO) golden_near(rein_stats_moments(adv, BATCH, 1).mean, 0, 1e-12, "mean", "gdpo");
    run(adv, e, equal, length);
    for (int i = 0; i < BATCH; i++) assert_true(adv[i] == 0);
}

static void test_estimators(void **state) {
    (void)state;
    for (uint32_t trial = 0; trial < 10000; trial++)
        for (int e = REIN_ADVANTAGE_GRPO; e <= REIN_ADVANTAGE_RFPP_BASELINE; e++)
            if (rein_advantage_needs_spread((rein_advantage_estimator)e))
                check_estimator((rein_advantage_estimator)e, trial);
}

/* A row that nobody scored changes nothing for the others, and learns nothing. */
static void test_missing(void **state) {
    (void)state;
    for (int e = REIN_ADVANTAGE_GRPO; e <= REIN_ADVANTAGE_RFPP_BASELINE; e++) {
        static const double with[] = {1, NAN, 2, 5}, without[] = {1, 2, 5}, lonely[] = {NAN, 3, NAN, NAN};
        static const int64_t length[] = {2, 1, 1}, length_with[] = {2, 9, 1, 1};
        double a[4], b[3];
        rein_advantage_args args = {.reward = with,
                                    .N = 4,
                                    .G = 4,
                                    .n_func = 1,
                                    .length = length_with,
                                    .options = of((rein_advantage_estimator)e),
                                    .allow_missing = true};
        rein_advantage_args full = {.reward = without,
                                    .N = 3,
                                    .G = 3,
                                    .n_func = 1,
                                    .length = length,
                                    .options = of((rein_advantage_estimator)e)};
        assert_int_equal(rein_advantages(a, NULL, NULL, &args), REIN_OK);
        assert_int_equal(rein_advantages(b, NULL, NULL, &full), REIN_OK);
        assert_true(a[1] == 0);
        golden_near(a[0], b[0], 1e-14, "advantage", "first of three");
        golden_near(a[2], b[1], 1e-14, "advantage", "second of three");
        golden_near(a[3], b[2], 1e-14, "advantage", "third of three");
        args.reward = lonely;
        assert_int_equal(rein_advantages(a, NULL, NULL, &args), REIN_OK);
        assert_true(a[0] == 0 && (a[1] == 0 || e == REIN_ADVANTAGE_RFPP));
    }
}

static void not_allowed(rein_advantage_options o, int64_t G, const char *message) {
    assert_int_equal(rein_advantage_options_check(&o, G), REIN_ERR_USAGE);
    if (!strstr(rein_error_message(), message)) fail_msg("'%s' lacks '%s'", rein_error_message(), message);
}

static void test_option_refusals(void **state) {
    (void)state;
    rein_advantage_options o;
    for (int e = REIN_ADVANTAGE_GRPO; e <= REIN_ADVANTAGE_GAE; e++) {
        o = of((rein_advantage_estimator)e);
        assert_int_equal(rein_advantage_options_check(&o, 2), REIN_OK);
        if (rein_advantage_needs_spread(o.estimator)) not_allowed(o, 1, "num_generations must be 2 or more");
        if (!rein_advantage_needs_spread(o.estimator)) assert_int_equal(rein_advantage_options_check(&o, 1), REIN_OK);
        o.scale = REIN_SCALE_BATCH;
        if (e > REIN_ADVANTAGE_GDPO) not_allowed(o, 2, "scale_rewards batch goes with grpo only");
        o = of((rein_advantage_estimator)e), o.aggregation = REIN_NORMALIZE_THEN_SUM;
        if (e > REIN_ADVANTAGE_GDPO) not_allowed(o, 2, "normalize_then_sum goes with grpo only");
    }
    o = of(REIN_ADVANTAGE_GDPO), o.kl_coef = 0.1, not_allowed(o, 2, "advantage_estimator gdpo");
    o = of(REIN_ADVANTAGE_GDPO), o.reward_clip_high = 1, not_allowed(o, 2, "no reward_clip_range");
    o = of(REIN_ADVANTAGE_MAXRL), o.kl_coef = 0.1, not_allowed(o, 2, "max_rl");
    o = of(REIN_ADVANTAGE_RFPP), o.normalize_advantages = true, not_allowed(o, 2, "whitened over tokens");
    o = of(REIN_ADVANTAGE_RFPP), o.gamma = 1.5, not_allowed(o, 2, "gamma is 1.5");
    o = of(REIN_ADVANTAGE_GRPO), o.kl_coef = -1, not_allowed(o, 2, "kl_coef is -1");
    o = of(REIN_ADVANTAGE_GRPO), o.reward_clip_low = 1, not_allowed(o, 2, "from 1 to 0");
    static const double negative[] = {1, -1}, one[] = {3};
    double adv[2];
    rein_advantage_args args = {.reward = negative, .N = 2, .G = 2, .n_func = 1, .options = of(REIN_ADVANTAGE_MAXRL)};
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_ERR_NUMERIC);
    args.options = of(REIN_ADVANTAGE_OPO);
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_ERR_ARG);
    args = (rein_advantage_args){.reward = one, .N = 1, .G = 1, .n_func = 1, .options = of(REIN_ADVANTAGE_GRPO)};
    args.options.std = REIN_STD_VERL; /* mean 0, deviation 1 */
    assert_int_equal(rein_advantages(adv, NULL, NULL, &args), REIN_OK);
    golden_near(adv[0], 3 / (1 + 1e-6), 1e-15, "advantage", "group of one");
}

/* ---- cases as `rein loss` takes them ---- */

static rein_status run_case(rein_str *out, const char *text) {
    struct json_object *obj;
    rein_arena arena = {0};
    rein_rl_case c;
    assert_int_equal(rein_json_parse(&obj, "case", text, strlen(text)), REIN_OK);
    rein_status status = rein_rl_case_run(&c, &arena, obj);
    rein_str_clear(out);
    if (status == REIN_OK) rein_rl_case_write(&c, out);
    json_object_put(obj);
    rein_arena_deinit(&arena);
    return status;
}

static void test_cases(void **state) {
    (void)state;
    rein_str out = {0};
    assert_int_equal(
        run_case(&out, "{\"name\":\"gae\",\"options\":{\"advantage_estimator\":\"gae\",\"lam\":0.5,\"kl_coef\":0.5,"
                       "\"whiten_advantages\":false,\"reward_clip_range\":[-3,3]},\"rewards_per_func\":[[9],[1]],"
                       "\"G\":1,\"completion_mask\":[[1,0,1],[1]],\"kl\":[[2,9,0],[0]],\"values\":[[1,9,2],[4]],"
                       "\"bootstrap_values\":[4,0]}"),
        REIN_OK);
    assert_non_null(strstr(out.data, "\"advantages\":[3,1],\"token_advantages\":[[2.5,0,5],[-3]],"
                                     "\"returns\":[[3.5,0,7],[1]],"));
    assert_int_equal(run_case(&out, "{\"name\":\"turns\",\"options\":{\"advantage_estimator\":\"gae\",\"lam\":1,"
                                    "\"whiten_advantages\":false},\"rewards_per_func\":[[9]],\"G\":1,"
                                    "\"completion_mask\":[[1,1,1]],\"turns\":[[1,1,2]],\"values\":[[1,5,2]]}"),
                     REIN_OK);
    assert_non_null(strstr(out.data, "\"token_advantages\":[[8,8,7]],\"returns\":[[9,9,9]]"));
    assert_int_equal(run_case(&out, "{\"name\":\"x\",\"options\":{\"advantage_estimator\":\"gae\"},\"G\":1,"
                                    "\"rewards_per_func\":[[9]]}"),
                     REIN_ERR_FORMAT);
    assert_int_equal(run_case(&out, "{\"name\":\"x\",\"options\":{\"advantage_estimator\":\"opo\"},\"G\":2,"
                                    "\"rewards_per_func\":[[9],[1]]}"),
                     REIN_ERR_FORMAT);
    assert_int_equal(run_case(&out, "{\"name\":\"x\",\"options\":{\"reward_clip_range\":[1]},\"G\":2,"
                                    "\"rewards_per_func\":[[9],[1]]}"),
                     REIN_ERR_FORMAT);
    assert_int_equal(run_case(&out, "{\"name\":\"x\",\"options\":{\"advantage_std\":\"numpy\"},\"G\":2,"
                                    "\"rewards_per_func\":[[9],[1]]}"),
                     REIN_ERR_USAGE);
    rein_str_deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trl),        cmocka_unit_test(test_known_answers),   cmocka_unit_test(test_equal_rewards),
        cmocka_unit_test(test_properties), cmocka_unit_test(test_refusals),        cmocka_unit_test(test_verl),
        cmocka_unit_test(test_by_hand),    cmocka_unit_test(test_kl_in_reward),    cmocka_unit_test(test_estimators),
        cmocka_unit_test(test_missing),    cmocka_unit_test(test_option_refusals), cmocka_unit_test(test_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
