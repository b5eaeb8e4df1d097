/* Policy losses and KL estimators against verl's own functions (golden/rlmath). */
#include "golden_json.h"

#include "rl/cases.h"
#include "rl/kl.h"

/* verl's name of a loss and ours; whether its aggregation is its own. */
static const struct {
    const char *mode, *loss_type;
    bool own_agg;
} types[] = {{"vanilla", "vanilla", false},   {"gspo", "gspo_token", false}, {"cispo", "verl_cispo", false},
             {"gpg", "gpg", false},           {"dro", "dro", false},         {"dppo_tv", "dppo_tv", false},
             {"dppo_kl", "dppo_kl", false},   {"sapo", "verl_sapo", true},   {"geo_mean", "gmpo", true},
             {"clip_cov", "clip_cov", false}, {"kl_cov", "kl_cov", false}};

/* Options whose names differ. */
static const struct {
    const char *verl, *ours;
} names[] = {
    {"clip_ratio_low", "epsilon"},        {"clip_ratio_high", "epsilon_high"}, {"clip_ratio_c", "clip_ratio_c"},
    {"tau_pos", "sapo_temperature_pos"},  {"tau_neg", "sapo_temperature_neg"}, {"dro_beta", "dro_beta"},
    {"clip_cov_ratio", "clip_cov_ratio"}, {"clip_cov_lb", "clip_cov_lb"},      {"clip_cov_ub", "clip_cov_ub"},
    {"kl_cov_ratio", "kl_cov_ratio"},     {"ppo_kl_coef", "ppo_kl_coef"}};

static void put(struct json_object *obj, const char *key, struct json_object *value) {
    json_object_object_add(obj, key, json_object_get(value));
}

static struct json_object *case_options(struct json_object *golden) {
    struct json_object *out = json_object_new_object(), *given = golden_get(golden, "options"), *value;
    const char *mode = golden_text(golden, "loss_mode");
    for (size_t i = 0; i < REIN_COUNT(types); i++)
        if (strcmp(types[i].mode, mode) == 0) {
            json_object_object_add(out, "loss_type", json_object_new_string(types[i].loss_type));
            if (!types[i].own_agg) put(out, "loss_agg_mode", golden_get(golden, "agg"));
        }
    assert_int_equal(json_object_object_length(out) > 0, 1); /* no mode is unknown */
    if (json_object_object_get_ex(given, "clip_ratio", &value)) put(out, "epsilon", value);
    for (size_t i = 0; i < REIN_COUNT(names); i++)
        if (json_object_object_get_ex(given, names[i].verl, &value)) put(out, names[i].ours, value);
    return out;
}

/* verl's numbers of the global batch. */
static void put_info(struct json_object *out, struct json_object *options, struct json_object *given) {
    static const char *const from[] = {"dp_size", "batch_num_tokens", "global_batch_size"};
    static const char *const to[] = {"num_processes", "num_items_in_batch", "num_sequences_in_batch"};
    struct json_object *info, *value;
    if (!json_object_object_get_ex(given, "info", &info)) return;
    for (size_t i = 0; i < REIN_COUNT(from); i++)
        if (json_object_object_get_ex(info, from[i], &value)) put(out, to[i], value);
    if (json_object_object_get_ex(info, "loss_scale_factor", &value)) put(options, "loss_scale_factor", value);
}

static struct json_object *make_case(struct json_object *document, struct json_object *golden) {
    struct json_object *out = json_object_new_object(), *options = case_options(golden);
    put(out, "name", golden_get(golden, "loss_mode"));
    put(out, "logp", golden_get(document, "logp"));
    put(out, "old_logp", golden_get(document, "old_logp"));
    put(out, "completion_mask", golden_get(document, "mask"));
    put(out, "advantages", golden_get(golden_get(document, "advantages"), golden_text(golden, "advantages")));
    if (json_object_get_boolean(golden_get(golden, "is_weights")))
        put(out, "importance_sampling_ratio", golden_get(document, "is_weights"));
    put_info(out, options, golden_get(golden, "options"));
    json_object_object_add(out, "options", options);
    return out;
}

/* Gradients leave as f32: they must be the nearest one, or its neighbour where verl's own value lies between two. */
static void check_gradient(const rein_rl_case *c, struct json_object *expected) {
    for (int64_t i = 0; i < c->batch.B; i++)
        for (int64_t t = c->batch.offset[i]; t < c->batch.offset[i + 1]; t++) {
            double want = golden_number(golden_at(golden_at(expected, i), t - c->batch.offset[i]));
            if (!(fabs((double)c->dlogp[t] - want) <= 6.1e-8 * fabs(want)))
                fail_msg("%s: dlogp %lld is %.9g, expected %.12g", c->name, (long long)t, (double)c->dlogp[t], want);
        }
}

static void check_metrics(const rein_rl_case *c, struct json_object *expected) {
    rein_loss_metric metric[REIN_LOSS_METRICS_MAX];
    int n = rein_loss_metrics_list(metric, &c->metrics, &c->options), found = 0;
    for (int i = 0; i < n; i++) {
        if (!json_object_object_get_ex(expected, metric[i].name, NULL)) continue;
        golden_near(metric[i].value, golden_double(expected, metric[i].name), 1e-9, metric[i].name, c->name);
        found++;
    }
    assert_int_equal(found, json_object_object_length(expected));
}

static void check_policy(const char *path, int64_t n) {
    struct json_object *document = golden_load(path), *cases = golden_get(document, "policy");
    assert_int_equal(golden_length(cases), n);
    for (int64_t i = 0; i < golden_length(cases); i++) {
        struct json_object *golden = golden_at(cases, i), *obj = make_case(document, golden);
        rein_arena arena = {0};
        rein_rl_case c;
        if (rein_rl_case_run(&c, &arena, obj) != REIN_OK) fail_msg("case %d: %s", (int)i, rein_error_message());
        golden_near(c.metrics.loss, golden_double(golden, "loss"), 1e-9, "loss", c.name);
        check_gradient(&c, golden_get(golden, "dloss_dlogp"));
        check_metrics(&c, golden_get(golden, "metrics"));
        rein_arena_deinit(&arena);
        json_object_put(obj);
    }
    json_object_put(document);
}

static void test_policy(void **state) {
    (void)state;
    check_policy("golden/rlmath/verl_losses.json", 47);
}

/* Clip-Cov and KL-Cov: tools/goldens/verl_cov.py. Of the former, where all of its band is left out. */
static void test_covariance(void **state) {
    (void)state;
    check_policy("golden/rlmath/verl_cov.json", 60);
}

static void check_estimator(rein_kl_estimator e, struct json_object *document, struct json_object *expected) {
    struct json_object *logp = golden_get(document, "logp"), *ref = golden_get(document, "ref_logp");
    for (int64_t i = 0; i < golden_length(logp); i++) {
        double x = golden_number(golden_at(logp, i)), y = golden_number(golden_at(ref, i));
        golden_near(rein_kl_value(e, x, y), golden_number(golden_at(golden_get(expected, "value"), i)), 1e-12, "value",
                    "kl");
        golden_near(rein_kl_slope(e, x, y), golden_number(golden_at(golden_get(expected, "grad"), i)), 1e-12, "slope",
                    "kl");
    }
}

/* verl's k3 is clamped: ours under its other name. */
static void test_kl(void **state) {
    (void)state;
    static const struct {
        const char *verl;
        rein_kl_estimator e;
    } map[] = {{"k1", REIN_KL_K1},      {"k2", REIN_KL_K2},       {"abs", REIN_KL_ABS},
               {"k3", REIN_KL_LOW_VAR}, {"k1+", REIN_KL_K1_PLUS}, {"k3+", REIN_KL_LOW_VAR_PLUS}};
    struct json_object *document = golden_load("golden/rlmath/kl.json"), *list = golden_get(document, "verl");
    assert_int_equal(golden_length(list), REIN_COUNT(map));
    for (int64_t i = 0; i < golden_length(list); i++)
        for (size_t k = 0; k < REIN_COUNT(map); k++)
            if (strcmp(map[k].verl, golden_text(golden_at(list, i), "estimator")) == 0)
                check_estimator(map[k].e, document, golden_at(list, i));
    check_estimator(REIN_KL_K3, document, golden_get(document, "unclamped_k3"));
    json_object_put(document);
}

/* Near equality the plain formula cancels; the series must meet libm's expm1. */
static void test_k3_near_zero(void **state) {
    (void)state;
    for (int i = -4000; i <= 4000; i++) {
        double x = i * 1e-3, k3 = rein_kl_value(REIN_KL_K3, -5, -5 + x);
        assert_true(i == 0 ? k3 == 0 : k3 > 0);
        golden_near(k3, expm1(x) - x, 1e-15, "k3", "against libm");
    }
    assert_true(rein_kl_value(REIN_KL_K3, -1, -1 - 1e-12) > 0); /* where exp(x) - x - 1 in doubles is 0 or negative */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_covariance),
        cmocka_unit_test(test_kl),
        cmocka_unit_test(test_k3_near_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
