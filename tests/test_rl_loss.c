/* Policy losses: TRL's values and gradients, the quadrants of clipping, k3, and independence of how a batch is split.
 */
#include "golden_json.h"

#include "rl/cases.h"

/* What TRL computes with options or arrays that we refuse. */
static bool is_skipped(struct json_object *c) {
    static const char *const options[] = {"top_entropy_quantile", "entropy_coef", "use_adaptive_entropy",
                                          "off_policy_mask_threshold"};
    for (size_t i = 0; i < REIN_COUNT(options); i++)
        if (json_object_object_get_ex(golden_get(c, "options"), options[i], NULL)) return true;
    return rein_json_has(c, "importance_sampling_ratio") || strcmp(golden_text(c, "name"), "luspo token level") == 0;
}

static void check_dlogp(const rein_rl_case *c, struct json_object *expected, double tolerance) {
    for (int64_t i = 0; i < c->batch.B; i++)
        for (int64_t t = c->batch.offset[i]; t < c->batch.offset[i + 1]; t++) {
            double want = golden_number(golden_at(golden_at(expected, i), t - c->batch.offset[i]));
            golden_near(c->dlogp[t], want, tolerance, "dlogp", c->name);
        }
}

static void check_metrics(const rein_rl_case *c, struct json_object *expected) {
    rein_loss_metric metric[REIN_LOSS_METRICS_MAX];
    int n = rein_loss_metrics_list(metric, &c->metrics, &c->options);
    int64_t found = 0;
    for (int i = 0; i < n; i++) {
        if (!json_object_object_get_ex(expected, metric[i].name, NULL)) continue;
        golden_near(metric[i].value, golden_double(expected, metric[i].name), 1e-6, metric[i].name, c->name);
        found++;
    }
    assert_int_equal(found, json_object_object_length(expected)); /* every metric of TRL's is there */
}

static void test_trl_losses(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/trl/losses.json"), *cases = golden_get(document, "cases");
    int compared = 0, skipped = 0;
    for (int64_t i = 0; i < golden_length(cases); i++) {
        struct json_object *obj = golden_at(cases, i);
        rein_arena arena = {0};
        rein_rl_case c;
        rein_status status = rein_rl_case_run(&c, &arena, obj);
        if (is_skipped(obj)) {
            assert_true(status == REIN_ERR_USAGE || status == REIN_ERR_ARG); /* refused, not computed differently */
            skipped++;
        } else {
            if (status != REIN_OK) fail_msg("%s: %s", golden_text(obj, "name"), rein_error_message());
            golden_near(c.metrics.loss, golden_double(obj, "loss"), 1e-6, "loss", c.name);
            check_dlogp(&c, golden_get(obj, "dloss_dlogp"), 1e-6);
            check_metrics(&c, golden_get(obj, "metrics"));
            assert_int_equal(c.metrics.nonfinite, 0);
            compared++;
        }
        rein_arena_deinit(&arena);
    }
    print_message("losses.json: %d compared, %d skipped (entropy terms, off-policy mask, sampler ratio, token luspo)\n",
                  compared, skipped);
    assert_int_equal(compared, 85);
    assert_int_equal(skipped, 31);
    json_object_put(document);
}

/* The inputs of section 3.8 of the RL notes: decimals, so float32 rounding shows at 1e-7. */
static const char inputs_3_8[] =
    "\"completion_mask\":[[1,1,1,0],[1,1,1,1],[1,1,0,0],[1,1,1,1]],"
    "\"logp\":[[-1,-0.5,-2,0],[-0.3,-1.2,-0.7,-0.1],[-2.5,-0.4,0,0],[-0.9,-0.6,-1.1,-0.2]],"
    "\"old_logp\":[[-1.3,-0.45,-2.1,0],[-0.25,-1.6,-0.72,-0.15],[-2,-0.55,0,0],[-0.95,-0.2,-1.15,-0.22]],"
    "\"ref_logp\":[[-1.1,-0.6,-1.8,0],[-0.35,-1.1,-0.9,-0.05],[-2.3,-0.5,0,0],[-1,-0.5,-1,-0.3]],"
    "\"advantages\":[0.707006795,-0.707006795,0.706707007,-0.706707007],\"max_completion_length\":8";

static void test_notes_3_8(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/trl/rlmath-3.8.json"), *cases = golden_get(document, "cases");
    assert_int_equal(golden_length(cases), 13);
    for (int64_t i = 0; i < golden_length(cases); i++) {
        struct json_object *expected = golden_at(cases, i), *obj;
        rein_str text = {0};
        rein_arena arena = {0};
        rein_rl_case c;
        rein_str_printf(&text, "{\"name\":\"%s\",\"options\":%s,%s}", golden_text(expected, "case"),
                        json_object_to_json_string(golden_get(expected, "options")), inputs_3_8);
        assert_int_equal(rein_json_parse(&obj, "case", text.data, text.len), REIN_OK);
        if (rein_rl_case_run(&c, &arena, obj) != REIN_OK) fail_msg("%s", rein_error_message());
        golden_near(c.metrics.loss, golden_double(expected, "loss"), 3e-7, "loss", c.name);
        check_dlogp(&c, golden_get(expected, "dloss_dlogp"), 3e-7);
        rein_arena_deinit(&arena);
        rein_str_deinit(&text);
        json_object_put(obj);
    }
    json_object_put(document);
}

/* One sequence of one token with the given ratio (of old probability 1/2) and advantage. */
static rein_loss_row one_token(float *dlogp, float ratio, double advantage, const rein_loss_options *opt) {
    int64_t offset[] = {0, 1};
    float logp = logf(ratio) - 0.7f, old = -0.7f;
    uint8_t mask = 1;
    rein_loss_batch batch = {1, offset, &logp, &old, NULL, NULL, &mask, &advantage};
    rein_loss_row row;
    assert_int_equal(rein_loss_policy(&row, dlogp, &batch, opt, 1), REIN_OK);
    return row;
}

/* PPO (Schulman et al. 2017, figure 1): the gradient vanishes only where the ratio has already moved the right way. */
static void test_clip_quadrants(void **state) {
    (void)state;
    rein_loss_options opt = rein_loss_options_default();
    const struct {
        float ratio;
        double advantage, loss, dlogp, low, high;
    } rows[] = {
        {1.5f, 1, -1.2, 0, 0, 1}, {0.5f, 1, -0.5, -0.5, 0, 0}, {1.5f, -1, 1.5, 1.5, 0, 0}, {0.5f, -1, 0.8, 0, 1, 0}};
    for (size_t i = 0; i < REIN_COUNT(rows); i++) {
        float dlogp;
        rein_loss_row row = one_token(&dlogp, rows[i].ratio, rows[i].advantage, &opt);
        golden_near(row.loss, rows[i].loss, 1e-6, "loss", "quadrant");
        golden_near(dlogp, rows[i].dlogp, 1e-6, "dlogp", "quadrant");
        assert_true(row.low == rows[i].low && row.high == rows[i].high);
    }
    float dlogp;
    opt.delta = 1.3; /* two-sided clipping bounds the third quadrant */
    golden_near(one_token(&dlogp, 1.5f, -1, &opt).loss, 1.3, 1e-6, "loss", "delta");
    assert_true(dlogp == 0);
}

static void test_k3(void **state) {
    (void)state;
    for (int i = -4000; i <= 4000; i++) {
        double x = i * 1e-3, k3 = rein_loss_k3(-5, -5 + x);
        assert_true(i == 0 ? k3 == 0 : k3 > 0);
        golden_near(k3, expm1(x) - x, 1e-15, "k3", "against libm");
    }
    assert_true(rein_loss_k3(-1, -1 - 1e-12) > 0); /* where exp(x) - x - 1 in doubles is 0 or negative */
}

/* A batch of many sequences of different length, some masked. */
enum { SEQUENCES = 37, TOKENS = SEQUENCES * 9 };
typedef struct fixture {
    int64_t offset[SEQUENCES + 1];
    float logp[TOKENS], old_logp[TOKENS], ref_logp[TOKENS], entropy[TOKENS], dlogp[TOKENS];
    uint8_t mask[TOKENS];
    double advantage[SEQUENCES];
    rein_loss_row row[SEQUENCES];
} fixture;

static float wave(int64_t i, double scale) { return (float)(scale * sin(1.7 * (double)i + scale)); }

static void fixture_init(fixture *f) {
    f->offset[0] = 0;
    for (int64_t i = 0; i < SEQUENCES; i++) {
        f->offset[i + 1] = f->offset[i] + (i * 7) % 10;
        f->advantage[i] = wave(i, 1.3);
    }
    for (int64_t t = 0; t < TOKENS; t++) {
        f->logp[t] = wave(t, 1) - 2;
        f->old_logp[t] = f->logp[t] + wave(t, 0.3);
        f->ref_logp[t] = f->logp[t] + wave(t, 0.2);
        f->entropy[t] = 1 + wave(t, 0.5);
        f->mask[t] = t % 7 != 3;
    }
}

static rein_loss_batch fixture_part(const fixture *f, int64_t begin, int64_t end) {
    return (rein_loss_batch){end - begin, f->offset + begin, f->logp, f->old_logp,
                             f->ref_logp, f->entropy,        f->mask, f->advantage + begin};
}

static rein_loss_metrics run_split(fixture *f, const rein_loss_options *opt, int64_t size) {
    memset(f->dlogp, 0xff, sizeof f->dlogp);
    for (int64_t i = 0; i < SEQUENCES; i += size) {
        rein_loss_batch part = fixture_part(f, i, i + size < SEQUENCES ? i + size : SEQUENCES);
        assert_int_equal(rein_loss_policy(f->row + i, f->dlogp + f->offset[i], &part, opt, 11.5), REIN_OK);
    }
    rein_loss_metrics m;
    rein_loss_finish(&m, f->row, SEQUENCES, opt);
    return m;
}

static void test_split_changes_no_bit(void **state) {
    (void)state;
    static fixture whole, split;
    fixture_init(&whole);
    fixture_init(&split);
    for (int type = REIN_LOSS_GRPO; type <= REIN_LOSS_VESPO; type++) {
        rein_loss_options opt = rein_loss_options_default();
        opt.loss_type = (rein_loss_type)type;
        opt.beta = 0.04;
        opt.epsilon_high = 0.3;
        opt.importance_sampling_level = type == REIN_LOSS_LUSPO ? REIN_LEVEL_SEQUENCE : REIN_LEVEL_TOKEN;
        rein_loss_metrics a = run_split(&whole, &opt, SEQUENCES);
        for (int64_t size = 1; size < 9; size += 3) {
            rein_loss_metrics b = run_split(&split, &opt, size);
            assert_memory_equal(&a, &b, sizeof a);
            assert_memory_equal(whole.dlogp, split.dlogp, sizeof whole.dlogp);
        }
        assert_true(isfinite(a.loss) && a.tokens > 100);
    }
}

/* Gradients of every type against central differences of the loss itself, at both levels. */
static void test_finite_differences(void **state) {
    (void)state;
    static fixture f;
    for (int type = REIN_LOSS_GRPO; type <= REIN_LOSS_LUSPO; type++) {
        if (type == REIN_LOSS_CISPO) continue; /* its gradient is by design not the loss's */
        rein_loss_options opt = rein_loss_options_default();
        opt.loss_type = (rein_loss_type)type;
        opt.beta = 0.1;
        opt.importance_sampling_level = REIN_LEVEL_SEQUENCE;
        fixture_init(&f);
        run_split(&f, &opt, SEQUENCES);
        for (int64_t t = f.offset[3]; t < f.offset[4]; t++) {
            float gradient = f.dlogp[t], at = f.logp[t];
            f.logp[t] = at + 0x1p-9f;
            double up = run_split(&f, &opt, SEQUENCES).loss;
            f.logp[t] = at - 0x1p-9f;
            double down = run_split(&f, &opt, SEQUENCES).loss;
            f.logp[t] = at;
            run_split(&f, &opt, SEQUENCES);
            golden_near(gradient, (up - down) * 0x1p8, 1e-6, "gradient", "finite differences");
        }
    }
}

static void test_first_iteration(void **state) {
    (void)state;
    static fixture f;
    fixture_init(&f);
    memcpy(f.old_logp, f.logp, sizeof f.logp);
    memcpy(f.ref_logp, f.logp, sizeof f.logp);
    rein_loss_options opt = rein_loss_options_default();
    opt.beta = 0.04;
    rein_loss_metrics m = run_split(&f, &opt, 4);
    assert_true(m.ratio_mean == 1 && m.ratio_max_deviation == 0 && m.kl == 0 && m.region_mean == 0);
    for (int64_t i = 0; i < SEQUENCES; i++)
        for (int64_t t = f.offset[i]; t < f.offset[i + 1]; t++)
            assert_true(f.dlogp[t] == (f.mask[t] ? (float)(-f.advantage[i] / 11.5) : 0));
}

static void test_refusals(void **state) {
    (void)state;
    static fixture f;
    fixture_init(&f);
    rein_loss_options opt = rein_loss_options_default();
    rein_loss_batch batch = fixture_part(&f, 0, SEQUENCES);
    f.mask[4] = 0;
    f.old_logp[4] = NAN; /* not read */
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, &batch, &opt, 1), REIN_OK);
    f.mask[4] = 1;
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, &batch, &opt, 1), REIN_ERR_NUMERIC);
    assert_string_equal(rein_error_message(), "old log-prob of token 4 of sequence 1 is nan");
    f.mask[4] = 0;
    f.advantage[2] = INFINITY;
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, &batch, &opt, 1), REIN_ERR_NUMERIC);
    opt.beta = 0.1;
    batch.ref_logp = NULL;
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, &batch, &opt, 1), REIN_ERR_ARG);

    opt.beta = -0.1;
    assert_int_equal(rein_loss_options_check(&opt), REIN_ERR_ARG);
    opt = rein_loss_options_default();
    assert_int_equal(rein_loss_options_check(&opt), REIN_OK);
    opt.loss_type = REIN_LOSS_CISPO;
    assert_int_equal(rein_loss_options_check(&opt), REIN_ERR_ARG);
    opt.loss_type = REIN_LOSS_LUSPO;
    assert_int_equal(rein_loss_options_check(&opt), REIN_ERR_ARG);
}

/* An exploding ratio is counted, not refused: the caller decides. */
static void test_nonfinite_is_counted(void **state) {
    (void)state;
    int64_t offset[] = {0, 2};
    float logp[] = {-1, -1}, old[] = {-1000, -1}, dlogp[2];
    uint8_t mask[] = {1, 1};
    double advantage = -1;
    rein_loss_batch batch = {1, offset, logp, old, NULL, NULL, mask, &advantage};
    rein_loss_options opt = rein_loss_options_default();
    rein_loss_row row;
    assert_int_equal(rein_loss_policy(&row, dlogp, &batch, &opt, 1), REIN_OK);
    assert_int_equal(row.nonfinite, 1);
}

/* Each log-ratio is clipped to +-20 before the sum: 20 - 20 here, not 30 - 25. */
static void test_vespo_weight(void **state) {
    (void)state;
    int64_t offset[] = {0, 2};
    float logp[] = {-1, -30}, old[] = {-31, -5}, dlogp[2];
    uint8_t mask[] = {1, 1};
    double advantage = 1;
    rein_loss_batch batch = {1, offset, logp, old, NULL, NULL, mask, &advantage};
    rein_loss_options opt = rein_loss_options_default();
    opt.loss_type = REIN_LOSS_VESPO;
    rein_loss_row row;
    assert_int_equal(rein_loss_policy(&row, dlogp, &batch, &opt, 1), REIN_OK);
    assert_true(row.weight == 1 && row.loss == 31 && dlogp[0] == -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trl_losses),           cmocka_unit_test(test_notes_3_8),
        cmocka_unit_test(test_clip_quadrants),       cmocka_unit_test(test_k3),
        cmocka_unit_test(test_split_changes_no_bit), cmocka_unit_test(test_finite_differences),
        cmocka_unit_test(test_first_iteration),      cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nonfinite_is_counted),
        cmocka_unit_test(test_vespo_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
