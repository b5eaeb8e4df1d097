/* Options of the policy losses and their rules, tokens chosen in a micro-batch, adaptive entropy. */
#include "golden_json.h"

#include "base/random.h"
#include "rl/loss.h"
#include "rl/loss_rows.h"

/* ---- options ---- */

/* The table's defaults are those of rein_loss_options_default: every byte that a row names. */
static void test_defaults(void **state) {
    (void)state;
    rein_loss_options from_rows, expected = rein_loss_options_default();
    rein_options opts;
    assert_int_equal(rein_options_init(&opts, rein_loss_rows, REIN_LOSS_ROWS, &from_rows), REIN_OK);
    for (size_t i = 0; i < REIN_LOSS_ROWS; i++) {
        const rein_option *row = &rein_loss_rows[i];
        size_t size = row->type == REIN_OPT_BOOL ? sizeof(bool) : row->type == REIN_OPT_CHOICE ? sizeof(int) : 8;
        if (memcmp((char *)&from_rows + row->offset, (char *)&expected + row->offset, size) != 0)
            fail_msg("default of %s", row->name);
    }
    rein_options_deinit(&opts);
    assert_int_equal(rein_loss_options_check(&expected), REIN_OK);
}

/* Options as "name=value ..." must be refused by the check itself, whatever ranges the rows have, with a message that
 * holds the text. */
static void check_refused(const char *text, const char *message) {
    char copy[160], *rest = copy;
    rein_loss_options o;
    rein_options opts;
    rein_option rows[REIN_LOSS_ROWS];
    memcpy(rows, rein_loss_rows, sizeof rows);
    for (int i = 0; i < REIN_LOSS_ROWS; i++) rows[i].min = rows[i].max = 0;
    assert_true(strlen(text) < sizeof copy);
    memcpy(copy, text, strlen(text) + 1);
    assert_int_equal(rein_options_init(&opts, rows, REIN_LOSS_ROWS, &o), REIN_OK);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        *value = 0;
        assert_int_equal(rein_options_set(&opts, word, value + 1, 1, "test"), REIN_OK);
    }
    rein_options_deinit(&opts);
    if (rein_loss_options_check(&o) != REIN_ERR_USAGE) fail_msg("not refused: %s", text);
    if (!strstr(rein_error_message(), message)) fail_msg("%s: %s", text, rein_error_message());
}

static void test_refused_options(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"beta=-0.1", "beta is -0.1: it must be at least 0"},
        {"epsilon=1.5", "epsilon is 1.5"},
        {"delta=-1", "delta is -1"},
        {"clip_ratio_c=1", "clip_ratio_c is 1: it must be above 1"},
        {"top_entropy_quantile=0", "top_entropy_quantile is 0"},
        {"top_entropy_quantile=1.01", "top_entropy_quantile is 1.01"},
        {"off_policy_mask_threshold=-1", "off_policy_mask_threshold is -1"},
        {"entropy_coef=-0.1", "entropy_coef is -0.1"},
        {"use_adaptive_entropy=true entropy_coef=2", "entropy_coef 2 is outside"},
        {"sapo_temperature_pos=0", "sapo_temperature_pos is 0"},
        {"vespo_k_neg=-1", "vespo_k_neg is -1"},
        {"dro_beta=0", "dro_beta is 0"},
        {"clip_cov_lb=5", "clip_cov_ub is 5: it must be above 5"},
        {"loss_type=cispo", "cispo needs epsilon_high"},
        {"loss_type=luspo", "luspo needs importance_sampling_level sequence"},
        {"loss_type=luspo importance_sampling_level=token", "luspo needs importance_sampling_level sequence"},
        {"loss_type=gspo importance_sampling_level=token", "token does not fit loss_type gspo"},
        {"loss_type=rloo importance_sampling_level=token", "token does not fit loss_type rloo"},
        {"loss_type=vanilla importance_sampling_level=sequence", "sequence does not fit loss_type vanilla"},
        {"loss_type=dapo loss_agg_mode=token-sum", "loss_agg_mode is given, but loss_type dapo has its own"},
        {"loss_type=verl_sapo loss_agg_mode=token-mean", "loss_agg_mode is given"},
        {"loss_type=vanilla loss_scale_factor=8", "loss_scale_factor 8 is given"},
        {"loss_type=vanilla delta=2", "delta 2 is given, but loss_type vanilla"},
        {"loss_type=clip_cov top_entropy_quantile=0.5", "clip_cov chooses its tokens itself"},
        {"loss_type=gmpo top_entropy_quantile=0.5", "gmpo is of whole sequences"},
    };
    for (size_t i = 0; i < REIN_COUNT(rows); i++) check_refused(rows[i][0], rows[i][1]);
    rein_loss_options o = rein_loss_options_default();
    o.epsilon_high = INFINITY;
    assert_int_equal(rein_loss_options_check(&o), REIN_ERR_USAGE);
    o = rein_loss_options_default();
    o.beta = NAN;
    assert_int_equal(rein_loss_options_check(&o), REIN_ERR_USAGE);
}

/* ---- choice of tokens ---- */

enum { N = 40 };
typedef struct fixture {
    int64_t offset[3];
    float logp[N], old_logp[N], entropy[N];
    double advantage[N];
    uint8_t mask[N], chosen[N];
    rein_loss_options opt;
} fixture;

/* Two sequences of n tokens in all. */
static void fixture_init(fixture *f, rein_loss_type type, int n) {
    *f = (fixture){.offset = {0, n / 2, n}, .opt = rein_loss_options_default()};
    f->opt.loss_type = type;
    memset(f->mask, 1, sizeof f->mask);
}

static rein_status choose(fixture *f, uint64_t seed, uint32_t step) {
    rein_loss_batch batch = {.B = 2,
                             .offset = f->offset,
                             .logp = f->logp,
                             .old_logp = f->old_logp,
                             .entropy = f->entropy,
                             .mask = f->mask,
                             .advantage = f->advantage};
    const rein_loss_draw draw = {seed, step, 0};
    memset(f->chosen, 7, sizeof f->chosen);
    return rein_loss_select(f->chosen, &batch, &f->opt, &draw);
}

static double uniform(uint32_t trial, int t, uint32_t what) {
    return rein_random_uniform(9, REIN_STREAM_TASK, trial, (uint32_t)t, what, 0);
}

/* Of n different entropies the quantile k/10 from above keeps those whose rank from below is >= (10 - k)(n - 1) / 10.
 */
static void test_entropy_quantile(void **state) {
    (void)state;
    static fixture f;
    for (uint32_t trial = 0; trial < 10000; trial++) {
        int n = 2 + (int)(trial % (N - 1)), k = 1 + (int)(trial % 9), count = 0;
        fixture_init(&f, REIN_LOSS_GRPO, n);
        f.opt.top_entropy_quantile = k / 10.0;
        for (int t = 0; t < n; t++) {
            f.entropy[t] = (float)uniform(trial, t, 0);
            f.mask[t] = uniform(trial, t, 1) < 0.9;
            count += f.mask[t];
        }
        assert_int_equal(choose(&f, 0, 0), REIN_OK);
        for (int t = 0; t < n; t++) {
            int below = 0;
            for (int u = 0; u < n; u++) below += f.mask[u] && f.entropy[u] < f.entropy[t];
            assert_int_equal(f.chosen[t], f.mask[t] && below * 10 >= (10 - k) * (count - 1));
        }
        assert_int_equal(f.chosen[n < N ? n : 0] == 7, n < N); /* nothing beyond is written */
    }
}

static void test_equal_entropies(void **state) {
    (void)state;
    static fixture f;
    fixture_init(&f, REIN_LOSS_GRPO, 10);
    f.opt.top_entropy_quantile = 0.2;
    assert_int_equal(choose(&f, 0, 0), REIN_OK);
    assert_int_equal(rein_loss_count(f.chosen, 10), 10);
    memset(f.mask, 0, sizeof f.mask);
    assert_int_equal(choose(&f, 0, 0), REIN_OK);
    assert_int_equal(rein_loss_count(f.chosen, 10), 0);
    f.mask[3] = 1;
    f.entropy[3] = NAN;
    assert_int_equal(choose(&f, 0, 0), REIN_ERR_NUMERIC);
}

/* A = 1 2 3 | 4 5 with mean 3, logp = -5 -1 -4 | -3 -2 with mean -3: c = 4 -2 0 0 2; the last token is masked. */
static void covariance_case(fixture *f, rein_loss_type type) {
    static const float logp[] = {-5, -1, -4, -3, -2, -9};
    fixture_init(f, type, 6);
    for (int t = 0; t < 6; t++) {
        f->logp[t] = f->old_logp[t] = logp[t];
        f->advantage[t] = t + 1;
    }
    f->mask[5] = 0;
}

static void test_kl_cov(void **state) {
    (void)state;
    static const uint8_t largest[] = {1, 0, 0, 0, 0, 0}, two[] = {1, 0, 0, 0, 1, 0}, three[] = {1, 0, 1, 0, 1, 0};
    static fixture f;
    covariance_case(&f, REIN_LOSS_KL_COV);
    assert_int_equal(choose(&f, 0, 0), REIN_OK); /* at least one */
    assert_memory_equal(f.chosen, largest, sizeof largest);
    f.opt.kl_cov_ratio = 0.4;
    assert_int_equal(choose(&f, 0, 0), REIN_OK);
    assert_memory_equal(f.chosen, two, sizeof two);
    f.opt.kl_cov_ratio = 0.6; /* of the two zeros the earlier */
    assert_int_equal(choose(&f, 0, 0), REIN_OK);
    assert_memory_equal(f.chosen, three, sizeof three);
}

/* Left out: never more than the share, only from the band, never what the ratio's clip holds; all of these alike. */
static void test_clip_cov(void **state) {
    (void)state;
    static fixture f;
    int left_out[6] = {0}, differs = 0;
    covariance_case(&f, REIN_LOSS_CLIP_COV);
    f.opt.clip_cov_lb = -1;
    f.opt.clip_cov_ub = 3; /* tokens 2, 3, 4 */
    f.opt.clip_cov_ratio = 0.2;
    for (uint32_t step = 0; step < 3000; step++) {
        assert_int_equal(choose(&f, 1, step), REIN_OK);
        assert_int_equal(rein_loss_count(f.chosen, 6), 4);
        for (int t = 0; t < 5; t++) left_out[t] += !f.chosen[t];
        uint8_t first[N];
        memcpy(first, f.chosen, sizeof first);
        assert_int_equal(choose(&f, 2, step), REIN_OK);
        differs += memcmp(first, f.chosen, sizeof first) != 0;
    }
    assert_true(left_out[0] == 0 && left_out[1] == 0 && differs > 1000);
    for (int t = 2; t < 5; t++) assert_true(left_out[t] > 900 && left_out[t] < 1100); /* 1000 +- 4 sd */
    f.old_logp[2] = f.logp[2] - 1; /* A > 0 and the ratio above: it is clipped already */
    f.opt.clip_cov_ratio = 1;
    assert_int_equal(choose(&f, 1, 0), REIN_OK);
    assert_true(f.chosen[2] == 1 && f.chosen[3] == 0 && f.chosen[4] == 0);
}

/* ---- adaptive entropy ---- */

static void test_adaptive_entropy(void **state) {
    (void)state;
    static const struct {
        double entropy, coef_after, in_force_after;
    } steps[] = {{2.0, 0.005, 0},     {0.9, 0.010, 0.010}, {1.0, 0.015, 0.015}, {0.5, 0.018, 0.018},
                 {0.5, 0.018, 0.018}, {1.1, 0.013, 0},     {3.0, 0.008, 0},     {3.0, 0.003, 0},
                 {3.0, 0.002, 0},     {3.0, 0.002, 0},     {0.1, 0.007, 0.007}};
    rein_loss_options o = rein_loss_options_default();
    rein_entropy_control c;
    o.entropy_coef = 0.01;
    rein_entropy_control_init(&c, &o);
    rein_entropy_control_update(&c, &o, 5);
    assert_true(rein_entropy_control_coef(&c, &o) == 0.01); /* not adaptive: always in force */
    o.use_adaptive_entropy = true;
    o.entropy_target = 1;
    o.entropy_coef_min = 0.002;
    o.entropy_coef_max = 0.018;
    rein_entropy_control_init(&c, &o);
    assert_true(rein_entropy_control_coef(&c, &o) == 0); /* nothing is known yet */
    for (size_t i = 0; i < REIN_COUNT(steps); i++) {
        rein_entropy_control_update(&c, &o, steps[i].entropy);
        golden_near(c.coef, steps[i].coef_after, 1e-15, "coef", "adaptive entropy");
        golden_near(rein_entropy_control_coef(&c, &o), steps[i].in_force_after, 1e-15, "in force", "adaptive entropy");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),         cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_entropy_quantile), cmocka_unit_test(test_equal_entropies),
        cmocka_unit_test(test_kl_cov),           cmocka_unit_test(test_clip_cov),
        cmocka_unit_test(test_adaptive_entropy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
