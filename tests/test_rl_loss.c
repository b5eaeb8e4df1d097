/* Policy losses: TRL's values and gradients, the quadrants of clipping, k3, and independence of how a batch is split.
 */
#include "golden_json.h"

#include "rl/cases.h"

static void check_gradient(const rein_rl_case *c, const float *gradient, struct json_object *expected, double tolerance,
                           const char *what) {
    for (int64_t i = 0; i < c->batch.B; i++)
        for (int64_t t = c->batch.offset[i]; t < c->batch.offset[i + 1]; t++) {
            double want = golden_number(golden_at(golden_at(expected, i), t - c->batch.offset[i]));
            golden_near(gradient[t], want, tolerance, what, c->name);
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

static void check_case(const rein_rl_case *c, struct json_object *expected) {
    struct json_object *dentropy = golden_get(expected, "dloss_dentropy");
    golden_near(c->metrics.loss, golden_double(expected, "loss"), 1e-6, "loss", c->name);
    check_gradient(c, c->dlogp, golden_get(expected, "dloss_dlogp"), 1e-6, "dlogp");
    assert_true(dentropy ? c->dentropy != NULL : true);
    if (dentropy) check_gradient(c, c->dentropy, dentropy, 1e-6, "dentropy");
    check_metrics(c, golden_get(expected, "metrics"));
    golden_near(c->control.coef, golden_double(expected, "entropy_coef_after"), 1e-12, "entropy_coef", c->name);
    assert_int_equal(c->metrics.nonfinite, 0);
}

static void test_trl_losses(void **state) {
    (void)state;
    struct json_object *document = golden_load("golden/trl/losses.json"), *cases = golden_get(document, "cases");
    assert_int_equal(golden_length(cases), 116);
    for (int64_t i = 0; i < golden_length(cases); i++) {
        struct json_object *obj = golden_at(cases, i);
        rein_arena arena = {0};
        rein_rl_case c;
        rein_status status = rein_rl_case_run(&c, &arena, obj);
        if (strcmp(golden_text(obj, "name"), "luspo token level") == 0) {
            assert_int_equal(status, REIN_ERR_USAGE); /* TRL warns; it is no luspo */
        } else {
            if (status != REIN_OK) fail_msg("%s: %s", golden_text(obj, "name"), rein_error_message());
            check_case(&c, obj);
        }
        rein_arena_deinit(&arena);
    }
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
        check_gradient(&c, c.dlogp, golden_get(expected, "dloss_dlogp"), 3e-7, "dlogp");
        rein_arena_deinit(&arena);
        rein_str_deinit(&text);
        json_object_put(obj);
    }
    json_object_put(document);
}

static const rein_loss_divisors one = {.policy = 1};

/* One sequence of one token with the given ratio (of old probability 1/2) and advantage. */
static rein_loss_row one_token(float *dlogp, float ratio, double advantage, const rein_loss_options *opt) {
    int64_t offset[] = {0, 1};
    float logp = logf(ratio) - 0.7f, old = -0.7f;
    uint8_t mask = 1;
    rein_loss_batch batch = {
        .B = 1, .offset = offset, .logp = &logp, .old_logp = &old, .mask = &mask, .advantage = &advantage};
    rein_loss_row row;
    assert_int_equal(rein_loss_policy(&row, dlogp, NULL, &batch, opt, &one), REIN_OK);
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

/* A batch of many sequences of different length, some masked. */
enum { SEQUENCES = 37, TOKENS = SEQUENCES * 9 };
typedef struct fixture {
    int64_t offset[SEQUENCES + 1];
    float logp[TOKENS], old_logp[TOKENS], ref_logp[TOKENS], entropy[TOKENS], dlogp[TOKENS], dentropy[TOKENS];
    uint8_t mask[TOKENS], chosen[TOKENS];
    double advantage[TOKENS], is_weight[TOKENS];
    rein_loss_row row[SEQUENCES];
} fixture;

static float wave(int64_t i, double scale) { return (float)(scale * sin(1.7 * (double)i + scale)); }

static void fixture_init(fixture *f) {
    f->offset[0] = 0;
    for (int64_t i = 0; i < SEQUENCES; i++) {
        f->offset[i + 1] = f->offset[i] + (i * 7) % 10;
        for (int64_t t = f->offset[i]; t < f->offset[i + 1]; t++) f->advantage[t] = wave(i, 1.3);
    }
    for (int64_t t = 0; t < TOKENS; t++) {
        f->logp[t] = wave(t, 1) - 2;
        f->old_logp[t] = f->logp[t] + wave(t, 0.3);
        f->ref_logp[t] = f->logp[t] + wave(t, 0.2);
        f->entropy[t] = 1 + wave(t, 0.5);
        f->mask[t] = t % 7 != 3;
        f->is_weight[t] = 1 + wave(t, 0.4);
    }
}

static rein_loss_batch fixture_part(const fixture *f, int64_t begin, int64_t end) {
    return (rein_loss_batch){.B = end - begin,
                             .offset = f->offset + begin,
                             .logp = f->logp,
                             .old_logp = f->old_logp,
                             .ref_logp = f->ref_logp,
                             .entropy = f->entropy,
                             .mask = f->mask,
                             .chosen = f->chosen,
                             .advantage = f->advantage,
                             .is_weight = f->is_weight};
}

static rein_loss_metrics run_split(fixture *f, const rein_loss_options *opt, int64_t size) {
    const rein_loss_divisors div = {.policy = 11.5, .entropy = 0.01};
    const rein_loss_draw draw = {7, 3, 0};
    rein_loss_batch all = fixture_part(f, 0, SEQUENCES);
    memset(f->dlogp, 0xff, sizeof f->dlogp);
    memset(f->dentropy, 0xff, sizeof f->dentropy);
    memset(f->chosen, 1, sizeof f->chosen);
    if (rein_loss_selects(opt)) assert_int_equal(rein_loss_select(f->chosen, &all, opt, &draw), REIN_OK);
    for (int64_t i = 0; i < SEQUENCES; i += size) {
        rein_loss_batch part = fixture_part(f, i, i + size < SEQUENCES ? i + size : SEQUENCES);
        assert_int_equal(rein_loss_policy(f->row + i, f->dlogp, f->dentropy, &part, opt, &div), REIN_OK);
    }
    rein_loss_metrics m;
    rein_loss_finish(&m, f->row, SEQUENCES, opt);
    return m;
}

static rein_loss_options options_of(rein_loss_type type) {
    rein_loss_options opt = rein_loss_options_default();
    opt.loss_type = type;
    opt.beta = 0.04;
    opt.epsilon_high = 0.3;
    if (type == REIN_LOSS_LUSPO) opt.importance_sampling_level = REIN_LEVEL_SEQUENCE;
    opt.clip_cov_lb = -5; /* so that tokens are in its band */
    opt.clip_cov_ratio = opt.kl_cov_ratio = 0.2;
    return opt;
}

static void test_split_changes_no_bit(void **state) {
    (void)state;
    static fixture whole, split;
    fixture_init(&whole);
    fixture_init(&split);
    for (int type = REIN_LOSS_GRPO; type <= REIN_LOSS_DRO; type++) {
        rein_loss_options opt = options_of((rein_loss_type)type);
        assert_int_equal(rein_loss_options_check(&opt), REIN_OK);
        rein_loss_metrics a = run_split(&whole, &opt, SEQUENCES);
        for (int64_t size = 1; size < 9; size += 3) {
            rein_loss_metrics b = run_split(&split, &opt, size);
            assert_memory_equal(&a, &b, sizeof a);
            assert_memory_equal(whole.dlogp, split.dlogp, sizeof whole.dlogp);
            assert_memory_equal(whole.dentropy, split.dentropy, sizeof whole.dentropy);
        }
        assert_true(isfinite(a.loss) && a.tokens > 100);
    }
}

static void test_first_iteration(void **state) {
    (void)state;
    static fixture f;
    fixture_init(&f);
    memcpy(f.old_logp, f.logp, sizeof f.logp);
    memcpy(f.ref_logp, f.logp, sizeof f.logp);
    for (int64_t t = 0; t < TOKENS; t++) f.is_weight[t] = 1;
    rein_loss_options opt = rein_loss_options_default();
    opt.beta = 0.04;
    rein_loss_metrics m = run_split(&f, &opt, 4);
    assert_true(m.ratio_mean == 1 && m.ratio_max_deviation == 0 && m.kl == 0 && m.region_mean == 0);
    for (int64_t i = 0; i < SEQUENCES; i++)
        for (int64_t t = f.offset[i]; t < f.offset[i + 1]; t++)
            assert_true(f.dlogp[t] == (f.mask[t] ? (float)(-f.advantage[t] / 11.5) : 0));
}

static void test_refused_arrays(void **state) {
    (void)state;
    static fixture f;
    fixture_init(&f);
    rein_loss_options opt = rein_loss_options_default();
    rein_loss_batch batch = fixture_part(&f, 0, SEQUENCES);
    f.mask[4] = 0;
    f.old_logp[4] = NAN; /* not read */
    batch.chosen = NULL;
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, NULL, &batch, &opt, &one), REIN_OK);
    f.mask[4] = 1;
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, NULL, &batch, &opt, &one), REIN_ERR_NUMERIC);
    assert_string_equal(rein_error_message(), "old log-prob of token 4 of sequence 1 is nan");
    f.mask[4] = 0;
    f.advantage[8] = INFINITY;
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, NULL, &batch, &opt, &one), REIN_ERR_NUMERIC);
    assert_string_equal(rein_error_message(), "advantage of token 1 of sequence 2 is inf");
    f.advantage[8] = 1;
    f.is_weight[8] = NAN;
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, NULL, &batch, &opt, &one), REIN_ERR_NUMERIC);
    const rein_loss_divisors bonus = {.policy = 1, .entropy = 1};
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, NULL, &batch, &opt, &bonus), REIN_ERR_ARG);
    opt.top_entropy_quantile = 0.5;
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, NULL, &batch, &opt, &one), REIN_ERR_ARG);
    opt = rein_loss_options_default();
    opt.beta = 0.1;
    batch.ref_logp = NULL;
    assert_int_equal(rein_loss_policy(f.row, f.dlogp, NULL, &batch, &opt, &one), REIN_ERR_ARG);
}

/* An exploding ratio is counted, not refused: the caller decides. */
static void test_nonfinite_is_counted(void **state) {
    (void)state;
    int64_t offset[] = {0, 2};
    float logp[] = {-1, -1}, old[] = {-1000, -1}, dlogp[2];
    uint8_t mask[] = {1, 1};
    double advantage[] = {-1, -1};
    rein_loss_batch batch = {
        .B = 1, .offset = offset, .logp = logp, .old_logp = old, .mask = mask, .advantage = advantage};
    rein_loss_options opt = rein_loss_options_default();
    rein_loss_row row;
    assert_int_equal(rein_loss_policy(&row, dlogp, NULL, &batch, &opt, &one), REIN_OK);
    assert_int_equal(row.nonfinite, 1);
}

/* Each log-ratio is clipped to +-20 before the sum: 20 - 20 here, not 30 - 25. */
static void test_vespo_weight(void **state) {
    (void)state;
    int64_t offset[] = {0, 2};
    float logp[] = {-1, -30}, old[] = {-31, -5}, dlogp[2];
    uint8_t mask[] = {1, 1};
    double advantage[] = {1, 1};
    rein_loss_batch batch = {
        .B = 1, .offset = offset, .logp = logp, .old_logp = old, .mask = mask, .advantage = advantage};
    rein_loss_options opt = rein_loss_options_default();
    opt.loss_type = REIN_LOSS_VESPO;
    rein_loss_row row;
    assert_int_equal(rein_loss_policy(&row, dlogp, NULL, &batch, &opt, &one), REIN_OK);
    assert_true(row.weight == 1 && row.loss == 31 && dlogp[0] == -1);
}

/* A sequence of two tokens, d of each, one advantage, and importance weights. */
static rein_loss_row two_tokens(float dlogp[2], rein_loss_type type, const float d[2], double a,
                                const double weight[2]) {
    const int64_t offset[] = {0, 2};
    const float logp[] = {-1, -2}, old[] = {-1 - d[0], -2 - d[1]};
    const uint8_t mask[] = {1, 1}, chosen[] = {1, 0};
    const double advantage[] = {a, a};
    rein_loss_batch batch = {.B = 1,
                             .offset = offset,
                             .logp = logp,
                             .old_logp = old,
                             .mask = mask,

                             .advantage = advantage,
                             .is_weight = weight};
    rein_loss_options opt = options_of(type);
    opt.beta = 0;
    opt.epsilon = 0.25;
    opt.epsilon_high = 0.5;
    if (rein_loss_selects(&opt)) batch.chosen = chosen;
    rein_loss_row row;
    assert_int_equal(rein_loss_policy(&row, dlogp, NULL, &batch, &opt, &one), REIN_OK);
    return row;
}

/* What the goldens do not reach. */
static void test_hand_worked(void **state) {
    (void)state;
    float dlogp[2];
    const double none[] = {1, 1}, zero[] = {1, 0};
    /* gmpo, A > 0: d is bounded above only, (0.5 - 0.75) / 2; the weights' geometric mean is sqrt(1e-10) */
    rein_loss_row row = two_tokens(dlogp, REIN_LOSS_GMPO, (const float[]){1, -0.75f}, 2, none);
    golden_near(row.loss, -2 * exp(-0.125), 1e-7, "loss", "gmpo");
    assert_true(dlogp[0] == 0 && row.high == 2 && row.lower == 0);
    golden_near(dlogp[1], -exp(-0.125), 1e-7, "dlogp", "gmpo");
    row = two_tokens(dlogp, REIN_LOSS_GMPO, (const float[]){1, -0.75f}, 2, zero);
    golden_near(row.loss * 1e5, -2 * exp(-0.125), 1e-7, "loss", "gmpo, a weight of 0");
    /* gspo_token: the mean 12 of d is held at 10 */
    row = two_tokens(dlogp, REIN_LOSS_GSPO_TOKEN, (const float[]){12, 12}, -1, none);
    golden_near(row.loss, exp(10), 1e-7, "loss", "gspo_token");
    assert_true(dlogp[0] == 0 && dlogp[1] == 0);
    /* kl_cov: -r A for both tokens, and |d| for the one that is chosen */
    row = two_tokens(dlogp, REIN_LOSS_KL_COV, (const float[]){-0.5f, -0.5f}, 1, none);
    golden_near(row.loss, -2 * exp(-0.5) + 0.5, 1e-7, "loss", "kl_cov");
    golden_near(dlogp[0], -exp(-0.5) - 1, 1e-7, "dlogp", "kl_cov");
    golden_near(dlogp[1], -exp(-0.5), 1e-7, "dlogp", "kl_cov");
    /* clip_cov: the other token has no loss */
    row = two_tokens(dlogp, REIN_LOSS_CLIP_COV, (const float[]){0.25f, 0.25f}, 1, none);
    golden_near(row.loss, -exp(0.25), 1e-7, "loss", "clip_cov");
    assert_true(dlogp[1] == 0 && row.high == 1);
    /* vanilla: at A < 0 the loss ends at clip_ratio_c */
    row = two_tokens(dlogp, REIN_LOSS_VANILLA, (const float[]){2, 0}, -1, none);
    golden_near(row.loss, 3 + 1, 1e-7, "loss", "vanilla");
    assert_true(dlogp[0] == 0 && dlogp[1] == 1 && row.lower == 1);
    /* rloo: the ratio of the whole sequence */
    row = two_tokens(dlogp, REIN_LOSS_RLOO, (const float[]){0.25f, -0.125f}, 1, none);
    golden_near(row.loss, -exp(0.125), 1e-7, "loss", "rloo");
    golden_near(dlogp[0], -exp(0.125), 1e-7, "dlogp", "rloo");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trl_losses),           cmocka_unit_test(test_notes_3_8),
        cmocka_unit_test(test_clip_quadrants),       cmocka_unit_test(test_split_changes_no_bit),
        cmocka_unit_test(test_first_iteration),      cmocka_unit_test(test_refused_arrays),
        cmocka_unit_test(test_nonfinite_is_counted), cmocka_unit_test(test_vespo_weight),
        cmocka_unit_test(test_hand_worked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
