/* The control world as an environment: tasks, prompts, labels, answers, rewards, baselines. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/random.h"
#include "env/control/control.h"

static rein_control_config defaults(void) {
    return (rein_control_config){.system = "di",
                                 .dt = 0.1,
                                 .steps = 50,
                                 .reward = REIN_REWARD_V13,
                                 .radius = 0.8,
                                 .decimals = 3,
                                 .teacher_gain_min = 0.02,
                                 .teacher_gain_max = 0.45,
                                 .teacher_damping_min = 0.25,
                                 .teacher_damping_max = 1.2};
}

static rein_env *make(rein_control_config config) {
    rein_env *env;
    if (rein_env_find("control")->create(&env, &config)) fail_msg("%s", rein_error_message());
    return env;
}

static rein_task task_of(const rein_env *env, rein_split split, int64_t index) {
    rein_task task;
    if (env->cls->task(env, 42, split, index, &task)) fail_msg("%s", rein_error_message());
    return task;
}

static rein_score score_text(const rein_env *env, const rein_task *task, const char *text) {
    rein_score score;
    assert_int_equal(env->cls->score(env, task, text, strlen(text), &score), REIN_OK);
    return score;
}

static double part(const rein_score *s, const char *name) {
    for (int i = 0; i < s->n_component; i++)
        if (strcmp(s->component[i].name, name) == 0) return s->component[i].value;
    fail_msg("no component %s", name);
    return 0;
}

static double metric(const rein_score *s, const char *name) {
    for (int i = 0; i < s->n_metric; i++)
        if (strcmp(s->metric[i].name, name) == 0) return s->metric[i].value;
    fail_msg("no metric %s", name);
    return 0;
}

/* ---- rewards ---- */

typedef enum policy { POLICY_LQR, POLICY_ZERO, POLICY_PLUS, POLICY_ALTERNATE } policy;

/* The published goldens use labels of the zero-order hold, open loop in the semi-implicit dynamics, rounded to 3
 * places. */
static void policy_controls(double u[50], policy p, const double x0[2]) {
    const rein_system *s;
    double K[2], x[2] = {x0[0], x0[1]};
    assert_int_equal(rein_system_find(&s, "di"), REIN_OK);
    assert_int_equal(rein_system_lqr(K, NULL, s, 0.1, REIN_DISCRETE_ZOH), REIN_OK);
    for (int k = 0; k < 50; k++) {
        double feedback = fmin(fmax(-K[0] * x[0] - K[1] * x[1], -3), 3);
        rein_system_step(x, s, x, feedback, 0.1, REIN_DISCRETE_ZOH);
        u[k] = p == POLICY_LQR    ? rein_decimal_round(feedback, 3)
               : p == POLICY_ZERO ? 0
               : p == POLICY_PLUS ? 3
               : k % 2 == 0       ? 2
                                  : -2;
    }
}

static rein_score score_policy(int version, int mode, policy p, double x, double v) {
    rein_control_config config = defaults();
    const double x0[2] = {x, v};
    double u[50];
    rein_str text = {0};
    config.reward = version;
    config.reward_mode = mode;
    rein_env *env = make(config);
    rein_task task = rein_control_task_at(x0);
    policy_controls(u, p, x0);
    rein_str_puts(&text, "because</REASONING>");
    rein_answer_print(&text, u, 50, 3, ", ");
    rein_score score = score_text(env, &task, text.data);
    rein_str_deinit(&text);
    env->cls->destroy(env);
    return score;
}

static double control_part(const rein_score *s) {
    return s->total - part(s, "format_exact") - part(s, "format_approx");
}

static void test_reward_goldens(void **state) {
    (void)state;
    static const double want[5][4] = {{12.82507, 2.14300, -109.67223, 2.94300},
                                      {51.25065, -25.57000, -681.72230, -0.57000},
                                      {133.26351, 74.45775, -341.47246, 79.43801},
                                      {153.26351, 94.45775, 49.52754, 99.43801},
                                      {149.04954, 88.48345, 5.65622, 101.72759}};
    for (int version = 0; version <= REIN_REWARD_V20; version++)
        for (int p = 0; p < 4; p++) {
            rein_score compat = score_policy(version, REIN_REWARD_COMPAT, (policy)p, 0.40, -0.20);
            assert_true(fabs(control_part(&compat) - want[version][p]) < 1e-4);
            rein_score fixed = score_policy(version, REIN_REWARD_FIXED, (policy)p, 0.40, -0.20);
            if (p != POLICY_PLUS) assert_true(fixed.total == compat.total);
        }
}

static void test_reward_parts_of_the_first_golden(void **state) {
    (void)state;
    rein_score s = score_policy(REIN_REWARD_V13, REIN_REWARD_COMPAT, POLICY_LQR, 0.50, -0.30);
    assert_true(fabs(control_part(&s) - 150.47966) < 1e-5);
    assert_true(fabs(part(&s, "baseline") - 70) == 0 && fabs(part(&s, "progress") - 29.06966) < 1e-5);
    assert_true(fabs(part(&s, "proximity") - 11.01478) < 1e-5 && fabs(part(&s, "terminal") - 20.86452) < 1e-5);
    assert_true(fabs(part(&s, "effort") - 9.06087) < 1e-5 && fabs(part(&s, "smoothness") - 7.52090) < 1e-5);
    assert_true(fabs(part(&s, "cost") + 2.05108) < 1e-5 && part(&s, "violations") == 0 && part(&s, "validity") == 5);
    assert_true(fabs(metric(&s, "cost") - 27.52005) < 1e-5 && fabs(metric(&s, "final_error") - 0.0180826) < 1e-7);
    assert_true(s.success && s.format_ok && !s.error);
    s = score_policy(REIN_REWARD_V10, REIN_REWARD_COMPAT, POLICY_LQR, 0.50, -0.30);
    assert_true(fabs(control_part(&s) - 12.72480) < 1e-5);
    s = score_policy(REIN_REWARD_V12, REIN_REWARD_COMPAT, POLICY_LQR, 0.50, -0.30);
    assert_true(fabs(control_part(&s) - 130.47966) < 1e-5);
}

static void test_total_is_the_sum_of_the_components(void **state) {
    (void)state;
    for (int version = 0; version <= REIN_REWARD_V20; version++)
        for (int mode = 0; mode < 2; mode++)
            for (int p = 0; p < 4; p++) {
                rein_score s = score_policy(version, mode, (policy)p, 0.37, 0.61);
                double sum = 0;
                for (int i = 0; i < s.n_component; i++) sum += s.component[i].value;
                assert_true(sum == s.total && isfinite(sum));
            }
}

static void test_validity_sees_the_real_states(void **state) {
    (void)state;
    rein_score fixed = score_policy(REIN_REWARD_V13, REIN_REWARD_FIXED, POLICY_PLUS, 0.40, -0.20);
    rein_score compat = score_policy(REIN_REWARD_V13, REIN_REWARD_COMPAT, POLICY_PLUS, 0.40, -0.20);
    assert_true(part(&fixed, "validity") < 0 && part(&compat, "validity") == 5);
    assert_true(metric(&fixed, "violations") == 47 && metric(&compat, "violations") == 47);
    assert_true(metric(&fixed, "final_error") > 30 &&
                metric(&compat, "final_error") > 30); /* metrics are never clamped */
    assert_false(fixed.success || compat.success);
}

static void test_violation_penalty_is_capped(void **state) {
    (void)state;
    const double u[1] = {0};
    double last = 0;
    for (int n = 0; n <= 50; n++) {
        rein_rollout r = {.steps = 1, .state_violations = n};
        rein_reward_parts parts = {0};
        rein_reward_control(&parts, REIN_REWARD_V13, &r, u);
        double penalty = 1;
        for (int i = 0; i < parts.n; i++)
            if (strcmp(parts.part[i].name, "violations") == 0) penalty = parts.part[i].value;
        assert_true(penalty <= last && penalty >= -20);
        if (n == 36) assert_true(penalty == -20);
        last = penalty;
    }
}

/* The worst that v1.3 can see is a raw score of 30: its floor is shown, but never acts. */
static void test_floor_is_a_component(void **state) {
    (void)state;
    const double u[2] = {1000, -1000};
    rein_rollout r = {
        .steps = 2, .state = {{1, 0}, {1000, 0}, {1000, 0}}, .cost = 1e6, .final_error = 1000, .state_violations = 50};
    rein_reward_parts parts = {0};
    rein_reward_control(&parts, REIN_REWARD_V13, &r, u);
    assert_string_equal(parts.part[parts.n - 1].name, "floor");
    assert_true(parts.part[parts.n - 1].value == 0 && rein_reward_total(&parts) == 30);
}

static void test_format_rewards(void **state) {
    (void)state;
    for (int version = 0; version <= REIN_REWARD_V20; version++) {
        rein_control_config config = defaults();
        config.reward = version;
        rein_env *env = make(config);
        rein_task task = task_of(env, REIN_SPLIT_FIXED, 0);
        rein_str text = {0};
        assert_int_equal(env->cls->demonstrate(env, 1, &task, 0, &text), REIN_OK);
        rein_score good = score_text(env, &task, text.data), bad = score_text(env, &task, "no tags at all");
        bool legacy = version == 0;
        assert_true(part(&good, "format_exact") == (legacy ? 3.0 : 1.0));
        assert_true(part(&good, "format_approx") == (legacy ? 1.5 : 0.5));
        assert_true(part(&bad, "format_exact") == 0 && part(&bad, "format_approx") == (legacy ? -3.0 : -1.5));
        assert_true(part(&bad, "malformed") == -10 && bad.n_component == good.n_component);
        for (int i = 0; i < good.n_component; i++) assert_ptr_equal(good.component[i].name, bad.component[i].name);
        rein_str_deinit(&text);
        env->cls->destroy(env);
    }
}

/* ---- the grammar ---- */

typedef struct fixture {
    const char *text, *code;
    double malformed;
} fixture;

static const fixture fixtures[] = {
    {"", "no_tags", -10},
    {"0.1,0.2,0.3", "no_tags", -10},
    {"<controls>0.1,0.2,0.3</controls>", "no_tags", -10},
    {"0.1,0.2,0.3</CONTROLS>", "no_open_tag", -10},
    {"<CONTROLS>0.1,0.2,0.3", "no_close_tag", -10},
    {"</CONTROLS>0.1,0.2,0.3<CONTROLS>", "tag_order", -10},
    {"<CONTROLS><CONTROLS>0.1,0.2,0.3</CONTROLS></CONTROLS>", "nested_tags", -10},
    {"<CONTROLS>0.1,<CONTROLS>0.2,0.3</CONTROLS>", "nested_tags", -10},
    {"<CONTROLS>0.1,0.2,0.3</CONTROLS><CONTROLS>0.1,0.2,0.3</CONTROLS>", "repeated_tags", -10},
    {"<CONTROLS>0.1,0.2,0.3</CONTROLS></CONTROLS>", "repeated_tags", -10},
    {"<CONTROLS></CONTROLS>", "empty_item", -10},
    {"<CONTROLS>0.1,,0.3</CONTROLS>", "empty_item", -10},
    {"<CONTROLS>0.1,0.2,0.3,</CONTROLS>", "empty_item", -10},
    {"<CONTROLS>nan,0.2,0.3</CONTROLS>", "not_finite", -10},
    {"<CONTROLS>0.1,-inf,0.3</CONTROLS>", "not_finite", -10},
    {"<CONTROLS>0.1,Infinity,0.3</CONTROLS>", "not_finite", -10},
    {"<CONTROLS>0x1p3,0.2,0.3</CONTROLS>", "hex", -10},
    {"<CONTROLS>0.1,0.2,-0X10</CONTROLS>", "hex", -10},
    {"<CONTROLS>1e400,0.2,0.3</CONTROLS>", "exponent", -10},
    {"<CONTROLS>0.1,1.5E-3,0.3</CONTROLS>", "exponent", -10},
    {"<CONTROLS>0.1,1234567890123456,0.3</CONTROLS>", "too_large", -10},
    {"<CONTROLS>u=0.1,0.2,0.3</CONTROLS>", "not_a_number", -10},
    {"<CONTROLS>0.1 N,0.2,0.3</CONTROLS>", "not_a_number", -10},
    {"<CONTROLS>0.1;0.2;0.3</CONTROLS>", "not_a_number", -10},
    {"<CONTROLS>[0.1,0.2,0.3]</CONTROLS>", "not_a_number", -10},
    {"<CONTROLS>0.1,0.2.1,0.3</CONTROLS>", "not_a_number", -10},
    {"<CONTROLS>0.1,--0.2,0.3</CONTROLS>", "not_a_number", -10},
    {"<CONTROLS>0.1,- 0.2,0.3</CONTROLS>", "not_a_number", -10},
    {"<CONTROLS>0.1,.,0.3</CONTROLS>", "not_a_number", -10},
    {"<CONTROLS>0.1,1_0,0.3</CONTROLS>", "not_a_number", -10},
    {"<CONTROLS>0.1,0.2</CONTROLS>", "too_few", -5},
    {"<CONTROLS>0.1,0.2,0.3,0.4</CONTROLS>", "too_many", -5},
    {"<CONTROLS>0.1,0.2,0.3</CONTROLS> and more", "layout", 0},
    {"so <CONTROLS>0.1,0.2,0.3</CONTROLS>", "layout", 0},
    {" <CONTROLS> 0.1 ,\n+.2, 3. </CONTROLS>\n", NULL, 0},
};

static void test_malformed_answers_have_their_codes(void **state) {
    (void)state;
    rein_control_config config = defaults();
    config.steps = 3;
    config.answer = REIN_STYLE_PLAIN;
    rein_env *env = make(config);
    rein_task task = task_of(env, REIN_SPLIT_FIXED, 0);
    for (size_t i = 0; i < REIN_COUNT(fixtures); i++) {
        rein_score s = score_text(env, &task, fixtures[i].text);
        if (!fixtures[i].code) {
            assert_null(s.error);
        } else {
            assert_non_null(s.error);
            assert_string_equal(s.error, fixtures[i].code);
        }
        assert_true(part(&s, "malformed") == fixtures[i].malformed && s.format_ok == !fixtures[i].code);
        assert_true(isfinite(s.total) && (s.n_metric > 0) == (fixtures[i].malformed == 0));
    }
    env->cls->destroy(env);
}

/* Random sequences of the grammar's pieces: never a crash, never a total that is not finite. */
static void test_random_texts_are_scored(void **state) {
    (void)state;
    static const char *const pieces[] = {
        "<CONTROLS>", "</CONTROLS>", "</REASONING>", "<REASONING>", "0.5", ",", "-", ".",
        " ",          "9",           "nan",          "\xff\xfe",    "1e9", "<", "x", "+3"};
    rein_control_config config = defaults();
    config.steps = 1;
    for (int version = 0; version <= REIN_REWARD_V20; version++) {
        config.reward = version;
        rein_env *env = make(config);
        rein_task task = task_of(env, REIN_SPLIT_TRAIN, version);
        int scored = 0;
        for (uint32_t i = 0; i < 20000; i++) {
            rein_str text = {0};
            uint64_t n = rein_random_below(12, 1, REIN_STREAM_DATA, i, 0, 0, 1);
            rein_str_puts(&text, i % 2 ? "</REASONING><CONTROLS>" : "");
            for (uint32_t k = 0; k < n; k++)
                rein_str_puts(&text, pieces[rein_random_below(REIN_COUNT(pieces), 1, REIN_STREAM_DATA, i, k, 1, 1)]);
            rein_str_puts(&text, i % 2 ? "</CONTROLS>" : "");
            /* an exact-size copy, so that the sanitizer sees a read past the end */
            char *copy = malloc(text.len + 1);
            memcpy(copy, text.data, text.len);
            copy = realloc(copy, text.len ? text.len : 1);
            rein_score s;
            assert_int_equal(env->cls->score(env, &task, copy, text.len, &s), REIN_OK);
            assert_true(isfinite(s.total) && (!s.success || !s.error || strcmp(s.error, "layout") == 0));
            scored += s.n_metric > 0;
            free(copy);
            rein_str_deinit(&text);
        }
        assert_true(scored > 20);
        env->cls->destroy(env);
    }
}

static void test_counts_of_fifty(void **state) {
    (void)state;
    rein_env *env = make(defaults());
    rein_task task = task_of(env, REIN_SPLIT_FIXED, 0);
    for (int n = 49; n <= 51; n++) {
        rein_str text = {0};
        const double u[51] = {0};
        rein_str_puts(&text, "x</REASONING>");
        rein_answer_print(&text, u, n, 3, ", ");
        rein_score s = score_text(env, &task, text.data);
        const char *want = n == 49 ? "too_few" : n == 51 ? "too_many" : NULL;
        assert_true(want ? s.error && strcmp(s.error, want) == 0 : s.error == NULL);
        rein_str_deinit(&text);
    }
    env->cls->destroy(env);
}

static void test_numbers_read_back(void **state) {
    (void)state;
    for (int64_t i = -3000; i <= 3000; i++) {
        char want[64];
        double u = rein_decimal_round((double)i / 1000 + 0.0001, 3), back[1];
        rein_str text = {0};
        snprintf(want, sizeof want, "<CONTROLS>%.3f</CONTROLS>", u);
        rein_answer_print(&text, &u, 1, 3, ",");
        assert_string_equal(text.data, want);
        assert_int_equal(rein_answer_parse(back, 1, text.data, text.len), REIN_ANSWER_OK);
        assert_true(back[0] == u && u == (double)i / 1000);
        rein_str_deinit(&text);
    }
    double u[1];
    static const char deep[] = "<CONTROLS>-0.0000000000000000000000001234567890123456789</CONTROLS>";
    assert_int_equal(rein_answer_parse(u, 1, deep, sizeof deep - 1), REIN_ANSWER_OK);
    static const char thirds[] = "<CONTROLS>0.333333333333333333333333333333</CONTROLS>";
    assert_int_equal(rein_answer_parse(u, 1, thirds, sizeof thirds - 1), REIN_ANSWER_OK);
    assert_true(fabs(u[0] - 1.0 / 3) < 1e-15);
}

static void test_layouts_of_reasoning(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool exact;
    } cases[] = {{"why</REASONING><CONTROLS>1</CONTROLS>", true},
                 {"<REASONING>why</REASONING>\n<CONTROLS>1</CONTROLS>\n", true},
                 {"why</REASONING>so<CONTROLS>1</CONTROLS>", false},
                 {"why<CONTROLS>1</CONTROLS></REASONING>", false},
                 {"<CONTROLS>1</CONTROLS>", false},
                 {"a</REASONING>b</REASONING><CONTROLS>1</CONTROLS>", false},
                 {"a<REASONING>b</REASONING><CONTROLS>1</CONTROLS>", false},
                 {"a</REASONING><CONTROLS></CONTROLS>", false}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++)
        assert_true(rein_answer_layout(cases[i].text, strlen(cases[i].text), true).exact == cases[i].exact);
}

/* ---- tasks and labels ---- */

static void test_prompt_holds_the_state(void **state) {
    (void)state;
    for (int style = 0; style < 2; style++) {
        rein_control_config config = defaults();
        config.answer = style;
        rein_env *env = make(config);
        for (int64_t i = 0; i < 2000; i++) {
            rein_task task = task_of(env, REIN_SPLIT_TRAIN, i);
            rein_str prompt = {0};
            double found[2];
            assert_int_equal(env->cls->prompt(env, &task, &prompt), REIN_OK);
            assert_true(rein_prompt_state(found, prompt.data, prompt.len));
            assert_memory_equal(found, task.number, sizeof found);
            assert_true(fabs(found[0]) <= 0.8 && fabs(found[1]) <= 0.8);
            if (style == REIN_STYLE_REASONING)
                assert_string_equal(prompt.data + prompt.len - strlen("<REASONING>"), "<REASONING>");
            rein_str_deinit(&prompt);
        }
        env->cls->destroy(env);
    }
}

static void test_plain_prompt_wording(void **state) {
    (void)state;
    rein_control_config config = defaults();
    config.answer = REIN_STYLE_PLAIN;
    config.decimals = 1;
    config.steps = 3;
    rein_env *env = make(config);
    const double x0[2] = {0.5, -0.3};
    rein_task task = rein_control_task_at(x0);
    rein_str text = {0};
    assert_int_equal(env->cls->prompt(env, &task, &text), REIN_OK);
    assert_string_equal(text.data, "position=0.50, velocity=-0.30");
    rein_str_clear(&text);
    assert_int_equal(env->cls->demonstrate(env, 1, &task, 0, &text), REIN_OK);
    assert_string_equal(text.data, "<CONTROLS>-1.0,-0.1,0.2</CONTROLS>");
    rein_str_deinit(&text);
    env->cls->destroy(env);
}

/* Every grid point of the largest radius is either trained on or held out, for any radius and seed. */
static void test_splits_never_share_a_key(void **state) {
    (void)state;
    static uint8_t side[2001][2001]; /* 1: train, 2: held out */
    static const double radii[] = {0.3, 0.8, 1.0};
    for (size_t r = 0; r < REIN_COUNT(radii); r++) {
        rein_control_config config = defaults();
        config.radius = radii[r];
        rein_env *env = make(config);
        const rein_control *c = (const rein_control *)env;
        for (int64_t i = 0; i < c->n_train; i++) side[c->train[i][0] + 1000][c->train[i][1] + 1000] |= 1;
        for (int64_t i = 0; i < c->n_eval; i++) side[c->eval[i][0] + 1000][c->eval[i][1] + 1000] |= 2;
        for (int64_t i = 0; i < env->cls->fixed_count(env); i++) {
            rein_task t = task_of(env, REIN_SPLIT_FIXED, i);
            side[(int32_t)(t.key >> 32) + 1000][(int32_t)(uint32_t)t.key + 1000] |= 2;
        }
        env->cls->destroy(env);
    }
    int held_out = 0;
    for (int i = 0; i < 2001; i++)
        for (int j = 0; j < 2001; j++) {
            assert_true(side[i][j] != 3);
            held_out += side[i][j] == 2;
        }
    assert_in_range(held_out, 201 * 201 / 20, 201 * 201 / 13);
}

static void test_eval_starts_are_distinct(void **state) {
    (void)state;
    rein_env *env = make(defaults());
    uint64_t keys[500];
    for (int64_t i = 0; i < 500; i++) {
        rein_task task = task_of(env, REIN_SPLIT_EVAL, i);
        keys[i] = task.key;
        for (int64_t j = 0; j < i; j++) assert_true(keys[j] != keys[i]);
    }
    rein_task task;
    assert_int_equal(env->cls->task(env, 42, REIN_SPLIT_EVAL, 1 << 20, &task), REIN_ERR_ARG);
    assert_int_equal(env->cls->task(env, 42, REIN_SPLIT_FIXED, 10, &task), REIN_ERR_ARG);
    assert_int_equal(env->cls->task(env, 42, REIN_SPLIT_TRAIN, -1, &task), REIN_ERR_ARG);
    assert_int_equal(env->cls->task(env, 43, REIN_SPLIT_EVAL, 0, &task), REIN_OK);
    assert_true(task.key != keys[0]);
    env->cls->destroy(env);
}

/* The answer's text, parsed and simulated, is the closed loop that made it, bit for bit. */
static void check_label(const rein_env *env, const rein_task *task, int64_t draw) {
    const rein_control *c = (const rein_control *)env;
    double gain[2], u[REIN_CONTROL_MAX_STEPS], x[2] = {task->number[0], task->number[1]};
    rein_str text = {0};
    rein_rollout r;
    assert_int_equal(env->cls->demonstrate(env, 7, task, draw, &text), REIN_OK);
    assert_int_equal(rein_answer_parse(u, 50, text.data, text.len), REIN_ANSWER_OK);
    rein_rollout_run(&r, &c->plant, task->number, u, 50, false);
    rein_control_skill(gain, c, 7, task, draw);
    for (int k = 0; k < 50; k++) {
        double wish = fmin(fmax(-gain[0] * x[0] - gain[1] * x[1], -3), 3);
        double rounded = rein_decimal_round(wish, (int)c->config.decimals);
        assert_true(fabs(u[k]) <= 3 && u[k] == rounded);
        rein_system_step(x, c->plant.system, x, rounded, 0.1, c->plant.how);
        assert_memory_equal(x, r.state[k + 1], sizeof x);
    }
    rein_str_deinit(&text);
}

static void test_labels_replay_exactly(void **state) {
    (void)state;
    for (int teacher = 0; teacher < 2; teacher++)
        for (int64_t decimals = 1; decimals <= 3; decimals += 2) {
            rein_control_config config = defaults();
            config.teacher = teacher;
            config.decimals = decimals;
            rein_env *env = make(config);
            for (int64_t i = 0; i < 300; i++) {
                rein_task task = task_of(env, REIN_SPLIT_TRAIN, i);
                check_label(env, &task, i);
            }
            env->cls->destroy(env);
        }
}

/* ---- baselines ---- */

/* Mean of a metric over the first n starts of a split. */
static double mean_metric(const rein_env *env, int baseline, const char *name, rein_split split, int64_t n,
                          double *success) {
    double sum = 0;
    *success = 0;
    for (int64_t i = 0; i < n; i++) {
        rein_task task = task_of(env, split, i);
        rein_str text = {0};
        assert_int_equal(env->cls->baseline(env, 42, &task, baseline, &text), REIN_OK);
        rein_score s = score_text(env, &task, text.data);
        assert_true(s.format_ok);
        sum += metric(&s, name) / (double)n;
        *success += (double)s.success / (double)n;
        rein_str_deinit(&text);
    }
    return sum;
}

static void test_baselines_of_the_published_cases(void **state) {
    (void)state;
    double success;
    rein_env *env = make(defaults());
    assert_int_equal(env->cls->fixed_count(env), 10);
    assert_true(fabs(mean_metric(env, REIN_BASELINE_LQR, "final_error", REIN_SPLIT_FIXED, 10, &success) - 0.0056) <
                1e-4);
    assert_true(success > 0.999);
    assert_true(fabs(mean_metric(env, REIN_BASELINE_ZERO, "clamped_error", REIN_SPLIT_FIXED, 10, &success) - 1.0870) <
                1e-4);
    assert_true(fabs(mean_metric(env, REIN_BASELINE_ZERO, "final_error", REIN_SPLIT_FIXED, 10, &success) - 2.6542) <
                1e-4);
    assert_true(success == 0);
    env->cls->destroy(env);
    rein_control_config config = defaults();
    config.teacher_model = REIN_BELIEF_ZOH;
    env = make(config);
    assert_true(fabs(mean_metric(env, REIN_BASELINE_LQR, "final_error", REIN_SPLIT_FIXED, 10, &success) - 0.0258) <
                1e-4);
    env->cls->destroy(env);
}

/* The prototype's sluggish operator: success 0.84, error 0.063. */
static void test_operator_is_mediocre(void **state) {
    (void)state;
    double success;
    rein_control_config config = defaults();
    config.teacher = REIN_TEACHER_OPERATOR;
    config.decimals = 1;
    config.answer = REIN_STYLE_PLAIN;
    rein_env *env = make(config);
    double error = mean_metric(env, REIN_BASELINE_TEACHER, "final_error", REIN_SPLIT_EVAL, 400, &success);
    assert_true(error > 0.05 && error < 0.08 && success > 0.78 && success < 0.9);
    env->cls->destroy(env);
}

static void test_description_is_json(void **state) {
    (void)state;
    rein_env *env = make(defaults());
    rein_task task = task_of(env, REIN_SPLIT_FIXED, 3);
    rein_str text = {0}, json = {0};
    struct json_object *doc, *list;
    assert_int_equal(env->cls->baseline(env, 1, &task, REIN_BASELINE_LQR, &text), REIN_OK);
    assert_int_equal(env->cls->describe(env, &task, text.data, text.len, &json), REIN_OK);
    if (rein_json_parse(&doc, "describe", json.data, json.len)) fail_msg("%s", rein_error_message());
    assert_int_equal(rein_json_array(&list, doc, "states"), REIN_OK);
    assert_int_equal(json_object_array_length(list), 51);
    json_object_put(doc);
    rein_str_clear(&json);
    assert_int_equal(env->cls->describe(env, &task, "?", 1, &json), REIN_OK);
    if (rein_json_parse(&doc, "describe", json.data, json.len)) fail_msg("%s", rein_error_message());
    assert_int_equal(rein_json_array(&list, doc, "states"), REIN_OK);
    assert_int_equal(json_object_array_length(list), 1);
    json_object_put(doc);
    rein_str_deinit(&text);
    rein_str_deinit(&json);
    env->cls->destroy(env);
}

static void test_bad_configurations_are_refused(void **state) {
    (void)state;
    rein_env *env;
    rein_control_config config = defaults();
    config.system = "nothing";
    assert_int_equal(rein_control_class.create(&env, &config), REIN_ERR_USAGE);
    config = defaults();
    config.teacher_gain_min = 1;
    assert_int_equal(rein_control_class.create(&env, &config), REIN_ERR_USAGE);
    for (int64_t n = 1; n <= 3; n++) {
        config = defaults();
        rein_alloc_fail_after(n);
        assert_int_equal(rein_control_class.create(&env, &config), REIN_ERR_MEMORY);
        assert_null(env);
    }
    rein_alloc_fail_after(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reward_goldens),
        cmocka_unit_test(test_reward_parts_of_the_first_golden),
        cmocka_unit_test(test_total_is_the_sum_of_the_components),
        cmocka_unit_test(test_validity_sees_the_real_states),
        cmocka_unit_test(test_violation_penalty_is_capped),
        cmocka_unit_test(test_floor_is_a_component),
        cmocka_unit_test(test_format_rewards),
        cmocka_unit_test(test_malformed_answers_have_their_codes),
        cmocka_unit_test(test_random_texts_are_scored),
        cmocka_unit_test(test_counts_of_fifty),
        cmocka_unit_test(test_numbers_read_back),
        cmocka_unit_test(test_layouts_of_reasoning),
        cmocka_unit_test(test_prompt_holds_the_state),
        cmocka_unit_test(test_plain_prompt_wording),
        cmocka_unit_test(test_splits_never_share_a_key),
        cmocka_unit_test(test_eval_starts_are_distinct),
        cmocka_unit_test(test_labels_replay_exactly),
        cmocka_unit_test(test_baselines_of_the_published_cases),
        cmocka_unit_test(test_operator_is_mediocre),
        cmocka_unit_test(test_description_is_json),
        cmocka_unit_test(test_bad_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
