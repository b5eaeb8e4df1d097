/* Other trainers' names of the online commands' options: every row of the table, and what some of them set. */
#include "base_check.h"

#include "train/args.h"
#include "train/online_options.h"

static const unsigned uses[] = {REIN_USE_GRPO, REIN_USE_RLOO, REIN_USE_PPO};

static void start(rein_options *opts, rein_train_args *args, unsigned use) {
    *args = (rein_train_args){0};
    assert_ok(rein_options_init_use(opts, rein_train_rows, use, args));
    rein_options_accept(opts, rein_train_aliases, use);
}

static rein_status set(rein_options *opts, const char *name, const char *text) {
    return rein_options_set(opts, name, text, 2, "test");
}

static bool is_option(const rein_options *opts, const char *name) {
    for (int64_t i = 0; i < opts->n_rows; i++)
        if (strcmp(opts->rows[i].name, name) == 0) return true;
    return false;
}

/* Every value that is translated is one of the option. */
static void check_values(const rein_option_alias *a, unsigned use) {
    char value[64];
    for (const char *at = a->values; at && strcmp(at, "*") != 0; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        rein_options opts;
        rein_train_args args;
        start(&opts, &args, use);
        snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "="), at);
        assert_ok(set(&opts, a->name, value));
        rein_options_deinit(&opts);
    }
}

static void test_rows(void **state) {
    (void)state;
    for (size_t u = 0; u < REIN_COUNT(uses); u++)
        for (const rein_option_alias *a = rein_train_aliases; a->name; a++) {
            rein_options opts;
            rein_train_args args;
            if (!(a->use & uses[u])) continue;
            start(&opts, &args, uses[u]);
            if (is_option(&opts, a->name)) fail_msg("%s is an option's own name", a->name);
            if (a->option && !is_option(&opts, a->option)) fail_msg("%s: there is no %s", a->name, a->option);
            if (!a->option == !a->say && !a->values) fail_msg("%s: an option or what to write", a->name);
            for (const rein_option_alias *b = a + 1; b->name; b++)
                if ((b->use & uses[u]) && strcmp(a->name, b->name) == 0) fail_msg("%s is there twice", a->name);
            rein_options_deinit(&opts);
            check_values(a, uses[u]);
        }
}

static void test_ppo_of_trl(void **state) {
    rein_options opts;
    rein_train_args args;
    (void)state;
    start(&opts, &args, REIN_USE_PPO);
    assert_ok(set(&opts, "response_length", "53"));
    assert_ok(set(&opts, "num_ppo_epochs", "3"));
    assert_ok(set(&opts, "cliprange", "0.3"));
    assert_ok(set(&opts, "beta", "0.07"));
    assert_string_equal(args.max_completion_length, "53");
    assert_int_equal(args.num_iterations, 3);
    assert_string_equal(args.epsilon, "0.3");
    assert_string_equal(args.beta, "0.07");
    assert_fails(REIN_ERR_USAGE, "kl_coef: given twice (test)", set(&opts, "kl_coef", "1"));
    assert_fails_with(REIN_ERR_USAGE, "so write max_steps = total_episodes / that",
                      set(&opts, "total_episodes", "1000"));
    assert_fails_with(REIN_ERR_USAGE, "leave it out", set(&opts, "stop_token", "eos"));
    assert_fails_with(REIN_ERR_USAGE, "say which", set(&opts, "lr", "1e-5"));
    rein_options_deinit(&opts);
}

static void test_grpo_of_verl(void **state) {
    rein_options opts;
    rein_train_args args;
    (void)state;
    start(&opts, &args, REIN_USE_GRPO);
    static const char *const pairs[][2] = {{"actor_rollout_ref.actor.ppo_epochs", "2"},
                                           {"actor.clip_ratio_low", "0.1"},
                                           {"clip_ratio_high", "0.28"},
                                           {"clip_ratio_c", "4"},
                                           {"entropy_coeff", "0.01"},
                                           {"actor.use_kl_loss", "true"},
                                           {"kl_loss_coef", "0.001"},
                                           {"kl_loss_type", "mse"},
                                           {"rollout.n", "5"},
                                           {"rollout.top_k", "-1"},
                                           {"algorithm.adv_estimator", "rloo"},
                                           {"norm_adv_by_std_in_grpo", "false"},
                                           {"loss_agg_mode", "token-sum"},
                                           {"policy_loss.loss_mode", "geo_mean"},
                                           {"kl_ctrl.type", "adaptive"},
                                           {"lr", "1e-5"}};
    for (size_t i = 0; i < REIN_COUNT(pairs); i++) assert_ok(set(&opts, pairs[i][0], pairs[i][1]));
    assert_int_equal(args.num_iterations, 2);
    assert_string_equal(args.epsilon, "0.1");
    assert_true(args.loss.epsilon_high == 0.28 && args.loss.clip_ratio_c == 4 && args.learning_rate == 1e-5);
    assert_string_equal(args.entropy_coef, "0.01");
    assert_false(args.kl_in_reward);
    assert_string_equal(args.beta, "0.001");
    assert_int_equal(args.kl_estimator, REIN_KL_K2);
    assert_int_equal(args.num_generations, 5);
    assert_int_equal(args.top_k, 0);
    assert_int_equal(args.advantage_estimator, REIN_ADVANTAGE_RLOO);
    assert_int_equal(args.scale_rewards, REIN_SCALE_NONE);
    assert_int_equal(args.loss.loss_agg_mode, REIN_AGG_TOKEN_SUM);
    assert_int_equal(args.loss.loss_type, REIN_LOSS_GMPO);
    assert_int_equal(args.kl_ctrl, REIN_KL_ADAPTIVE);
    assert_fails(REIN_ERR_USAGE, "beta: given twice (test, as algorithm.kl_ctrl.kl_coef)", set(&opts, "kl_coef", "1"));
    assert_fails_with(REIN_ERR_USAGE, "set its weight to 0", set(&opts, "use_kl_loss", "false"));
    assert_fails_with(REIN_ERR_USAGE, "train_batch_size * rollout.n", set(&opts, "train_batch_size", "64"));
    rein_options_deinit(&opts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_ppo_of_trl),
        cmocka_unit_test(test_grpo_of_verl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
