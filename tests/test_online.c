/*
 * The promises of online runs, for what the options of grpo, rloo and ppo add to the plain loop: results depend neither
 * on threads, kernels nor splits; a killed and resumed run is the uninterrupted one; a step replays from its
 * checkpoint.
 */
#include <math.h>

#include "online_jobs.h"

static workshop shop;

static int set_up(void **state) {
    (void)state;
    workshop_make(&shop);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(shop.dir) != REIN_OK;
}

static void leave_one_out(void **state) {
    (void)state;
    job j = {.name = "rloo", .kind = REIN_ONLINE_RLOO, .extra = {"num_iterations=2", "normalize_advantages=true"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    assert_true(metric(&j, "kl", 1) == 0); /* the reference is the start */
    assert_true(metric(&j, "kl", 3) != 0);
}

static void mini_batches(void **state) {
    (void)state;
    keeps_its_promises(&shop,
                       (job){.name = "mini", .extra = {"num_mini_batches=2", "num_iterations=2", "target_kl=0.05"}});
}

static void moving_reference(void **state) {
    (void)state;
    job j = {.name = "sync",
             .extra = {"beta=0.1", "ref_model=init", "sync_ref_model=true", "ref_model_sync_steps=2",
                       "ref_model_mixup_alpha=1"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    assert_true(metric(&j, "kl", 2) > 0);
    assert_true(metric(&j, "kl", 3) == 0); /* a copy, made after step 2 */
    assert_true(metric(&j, "kl", 4) > 0);
}

static void steered_kl(void **state) {
    (void)state;
    job j = {.name = "steer",
             .extra = {"beta=0.1", "ref_model=init", "kl_in_reward=true", "kl_ctrl=band", "kl_ctrl_target=1e-6",
                       "kl_estimator=k3"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    assert_true(fabs(metric(&j, "beta", 2) - 0.1 / 1.5) < 1e-12); /* no KL in step 1: the weight sinks */
    assert_true(fabs(metric(&j, "beta", 4) - 0.1 * 1.5) < 1e-12); /* above the band in steps 2 and 3 */
}

static void resampled_groups(void **state) {
    (void)state;
    job j = {.name = "dynamic", .extra = {"dynamic_sampling=true", "max_completion_length=1", "max_resamples=2"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    double dropped = 0;
    for (int64_t step = 1; step <= 5; step++) {
        dropped += metric(&j, "dynamic_sampling/dropped", step);
        assert_true(metric(&j, "dynamic_sampling/unfilled", step) / 3 == metric(&j, "frac_reward_zero_std", step));
    }
    assert_true(dropped > 0);
}

static void schedules(void **state) {
    (void)state;
    job j = {.name = "schedules",
             .extra = {"temperature=linear:1.2:0.8", "max_completion_length=steps:0=4,3=8", "epsilon=cosine:0.3:0.1",
                       "num_iterations=2"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    assert_true(metric(&j, "temperature", 1) == 1.2);
    assert_true(metric(&j, "temperature", 5) < metric(&j, "temperature", 4));
    assert_true(metric(&j, "max_completion_length", 3) == 4 && metric(&j, "max_completion_length", 4) == 8);
    assert_true(metric(&j, "completions/max_length", 3) <= 4);
}

static void penalties(void **state) {
    (void)state;
    keeps_its_promises(&shop,
                       (job){.name = "penalties",
                             .extra = {"missing_eos_penalty=1", "soft_overlong_cache=4", "reward_clip_range=-0.5,0.6",
                                       "advantage_estimator=reinforce_plus_plus", "gamma=0.9"}});
}

static void chosen_tokens(void **state) {
    (void)state;
    keeps_its_promises(&shop, (job){.name = "quantile", .extra = {"top_entropy_quantile=0.4", "num_iterations=2"}});
    keeps_its_promises(
        &shop, (job){.name = "clip_cov",
                     .extra = {"loss_type=clip_cov", "clip_cov_ratio=0.1", "clip_cov_lb=0", "num_iterations=2"}});
}

static void curricula(void **state) {
    (void)state;
    keeps_its_promises(&shop,
                       (job){.name = "ued", .extra = {"curriculum=ued", "curriculum_tasks=6", "curriculum_by=reward"}});
    keeps_its_promises(
        &shop, (job){.name = "mix", .extra = {"curriculum=mix", "curriculum_tasks=9", "curriculum_mix_epochs=2"}});
    job j = {.name = "radius", .extra = {"curriculum=radius", "curriculum_radius=0.3", "curriculum_steps=4"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    assert_true(metric(&j, "curriculum/radius", 1) == 0.3);
    assert_true(metric(&j, "curriculum/radius", 5) == 1);
}

/* ---- refusals ---- */

static void a_cap_refuses_updates(void **state) {
    (void)state;
    job free_run = {.shop = &shop, .grpo = true, .name = "free", .extra = {"beta=1e-9", "ref_model=init"}};
    job j = {.shop = &shop,
             .grpo = true,
             .name = "capped",
             .extra = {"beta=1e-9", "ref_model=init", "kl_cap=1e-12", "max_kl_refusals=3"}};
    OK(job_run(&free_run));
    FAILS_WITH(REIN_ERR_NUMERIC, job_run(&j));
    assert_non_null(strstr(rein_error_message(), "kl_cap"));
    assert_true(metric(&j, "kl_refusals", 1) == 0);
    assert_true(metric(&j, "kl_refusals", 2) == 1 && metric(&j, "updates", 2) == 0);
    assert_true(metric(&j, "kl_refusals", 3) == 2);
    assert_true(isnan(metric(&j, "kl_refusals", 4))); /* the third refusal in a row ended the run */
    assert_true(metric(&j, "reward", 2) == metric(&free_run, "reward", 2)); /* the first update was applied */
}

static void options_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const struct {
        rein_online_kind kind;
        const char *extra[4], *message;
    } cases[] = {
        {REIN_ONLINE_GRPO, {"sapo_temperature_pos=2"}, "loss_type is not sapo"},
        {REIN_ONLINE_GRPO, {"beta=0.1"}, "needs a reference"},
        {REIN_ONLINE_GRPO, {"ref_model=init"}, "nothing would read it"},
        {REIN_ONLINE_GRPO, {"sync_ref_model=true"}, "ref_model init"},
        {REIN_ONLINE_GRPO, {"ref_model_sync_steps=3"}, "sync_ref_model is false"},
        {REIN_ONLINE_GRPO, {"target_kl=0.1"}, "one update"},
        {REIN_ONLINE_GRPO, {"max_resamples=2"}, "dynamic_sampling is false"},
        {REIN_ONLINE_GRPO, {"entropy_target=0.3"}, "use_adaptive_entropy is false"},
        {REIN_ONLINE_GRPO, {"advantage_estimator=gae"}, "rein ppo"},
        {REIN_ONLINE_GRPO, {"advantage_estimator=rloo", "scale_rewards=none"}, "does not divide"},
        {REIN_ONLINE_GRPO, {"gamma=0.9"}, "does not discount"},
        {REIN_ONLINE_GRPO, {"temperature=warm"}, "temperature"},
        {REIN_ONLINE_GRPO, {"reward_clip_range=1,0"}, "LOW < HIGH"},
        {REIN_ONLINE_GRPO, {"loss_type=cispo"}, "epsilon_high"},
        {REIN_ONLINE_GRPO, {"loss_type=reinforce", "epsilon=0.1"}, "no clip range"},
        {REIN_ONLINE_GRPO, {"beta=linear:0.1:0.2", "ref_model=init", "kl_ctrl=adaptive"}, "one number"},
        {REIN_ONLINE_GRPO,
         {"beta=0.1", "ref_model=init", "kl_in_reward=true", "kl_estimator=full"},
         "kl_in_reward false"},
        {REIN_ONLINE_GRPO, {"max_kl_refusals=1"}, "kl_cap"},
        {REIN_ONLINE_RLOO, {"kl_ctrl=adaptive", "kl_ctrl_horizon=10"}, "12 answers already"},
        {REIN_ONLINE_RLOO, {"beta=0", "kl_ctrl=band"}, "no KL term"},
        {REIN_ONLINE_GRPO, {"curriculum=ued", "dynamic_sampling=true"}, "give one of them"},
        {REIN_ONLINE_GRPO, {"curriculum_epsilon=0.2"}, "curriculum is not"},
        {REIN_ONLINE_GRPO, {"curriculum_mix_first=1,2"}, "3 numbers"},
        {REIN_ONLINE_PPO, {"critic_learning_rate=0.1"}, "critic is shared"},
        {REIN_ONLINE_PPO, {"value_head=none"}, "value function"},
    };
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        job j = {.shop = &shop, .grpo = true, .kind = cases[i].kind, .name = "refused"};
        for (int k = 0; k < 4; k++) j.extra[k] = cases[i].extra[k];
        FAILS_WITH(REIN_ERR_USAGE, job_run(&j));
        if (!strstr(rein_error_message(), cases[i].message))
            fail_msg("%s: '%s' is not in '%s'", cases[i].extra[0], cases[i].message, rein_error_message());
    }
}

int main(int argc, char **argv) {
    if (argc > 6 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leave_one_out),
        cmocka_unit_test(mini_batches),
        cmocka_unit_test(moving_reference),
        cmocka_unit_test(steered_kl),
        cmocka_unit_test(resampled_groups),
        cmocka_unit_test(schedules),
        cmocka_unit_test(penalties),
        cmocka_unit_test(chosen_tokens),
        cmocka_unit_test(curricula),
        cmocka_unit_test(a_cap_refuses_updates),
        cmocka_unit_test(options_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
