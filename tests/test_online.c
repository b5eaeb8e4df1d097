/*
 * The promises of online runs, for what the options of grpo, rloo and ppo add to the plain loop: results depend neither on
 * threads, kernels nor splits; a killed and resumed run is the uninterrupted one; a step replays from its checkpoint.
 */
#include <math.h>

#include "train_jobs.h"

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

static job named(const job *like, char buf[32], const char *suffix) {
    job j = *like;
    snprintf(buf, 32, "%s_%s", like->name, suffix);
    j.name = buf;
    return j;
}

static void add(job *j, const char *pair) {
    int i = 0;
    while (j->extra[i]) i++;
    assert_true(i < JOB_EXTRA - 1);
    j->extra[i] = pair;
}

static void keeps_its_promises(job j) {
    char split_name[32], killed_name[32];
    j.shop = &shop;
    j.grpo = true;
    double start = rein_clock();
    assert_int_equal(job_wait(job_spawn(&j)), 0);
    double seconds = rein_clock() - start;
    job_replays(&j, 2, 3);
    job_replays(&j, 2, 4);
    job_replays(&j, 0, 1);
    job split = named(&j, split_name, "split"), killed = named(&j, killed_name, "killed");
    split.threads = 2;
    split.isa = "ref";
    add(&split, "microbatch_tokens=20");
    add(&split, "generation_batch=5");
    OK(job_run(&split));
    same_run(&j, &split);
    job_with_kills(killed, seconds, 1, 3);
    same_run(&j, &killed);
}

static void leave_one_out(void **state) {
    (void)state;
    job j = {.name = "rloo", .kind = REIN_ONLINE_RLOO, .extra = {"num_iterations=2", "normalize_advantages=true"}};
    keeps_its_promises(j);
    j.shop = &shop;
    assert_true(metric(&j, "kl", 1) == 0); /* the reference is the start */
    assert_true(metric(&j, "kl", 3) != 0);
}

static void mini_batches(void **state) {
    (void)state;
    keeps_its_promises((job){.name = "mini", .extra = {"num_mini_batches=2", "num_iterations=2", "target_kl=0.05"}});
}

static void moving_reference(void **state) {
    (void)state;
    job j = {.name = "sync",
             .extra = {"beta=0.1", "ref_model=init", "sync_ref_model=true", "ref_model_sync_steps=2",
                       "ref_model_mixup_alpha=1"}};
    keeps_its_promises(j);
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
    keeps_its_promises(j);
    j.shop = &shop;
    assert_true(fabs(metric(&j, "beta", 2) - 0.1 / 1.5) < 1e-12); /* no KL in step 1: the weight sinks */
    assert_true(fabs(metric(&j, "beta", 4) - 0.1 * 1.5) < 1e-12); /* above the band in steps 2 and 3 */
}

static void resampled_groups(void **state) {
    (void)state;
    job j = {.name = "dynamic", .extra = {"dynamic_sampling=true", "max_completion_length=1", "max_resamples=2"}};
    keeps_its_promises(j);
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
    keeps_its_promises(j);
    j.shop = &shop;
    assert_true(metric(&j, "temperature", 1) == 1.2);
    assert_true(metric(&j, "temperature", 5) < metric(&j, "temperature", 4));
    assert_true(metric(&j, "max_completion_length", 3) == 4 && metric(&j, "max_completion_length", 4) == 8);
    assert_true(metric(&j, "completions/max_length", 3) <= 4);
}

static void penalties(void **state) {
    (void)state;
    keeps_its_promises((job){.name = "penalties",
                             .extra = {"missing_eos_penalty=1", "soft_overlong_cache=4", "reward_clip_range=-0.5,0.6",
                                       "advantage_estimator=reinforce_plus_plus", "gamma=0.9"}});
}

static void chosen_tokens(void **state) {
    (void)state;
    keeps_its_promises((job){.name = "quantile", .extra = {"top_entropy_quantile=0.4", "num_iterations=2"}});
    keeps_its_promises((job){.name = "clip_cov", .extra = {"loss_type=clip_cov", "clip_cov_ratio=0.1", "clip_cov_lb=0",
                                                           "num_iterations=2"}});
}

static void curricula(void **state) {
    (void)state;
    keeps_its_promises((job){.name = "ued", .extra = {"curriculum=ued", "curriculum_tasks=6", "curriculum_by=reward"}});
    keeps_its_promises((job){.name = "mix", .extra = {"curriculum=mix", "curriculum_tasks=9", "curriculum_mix_epochs=2"}});
    job j = {.name = "radius", .extra = {"curriculum=radius", "curriculum_radius=0.3", "curriculum_steps=4"}};
    keeps_its_promises(j);
    j.shop = &shop;
    assert_true(metric(&j, "curriculum/radius", 1) == 0.3);
    assert_true(metric(&j, "curriculum/radius", 5) == 1);
}

static void entropy_bonus(void **state) {
    (void)state;
    job j = {.name = "entropy",
             .extra = {"use_adaptive_entropy=true", "entropy_coef=0.01", "entropy_target=100", "entropy_coef_delta=0.01"}};
    keeps_its_promises(j);
    j.shop = &shop;
    assert_true(metric(&j, "entropy_coef", 1) == 0); /* not in force before the first entropy is known */
    assert_true(metric(&j, "entropy_coef", 2) == 0.02);
    assert_true(metric(&j, "entropy_coef", 3) == 0.03);
}

static void exact_kl(void **state) {
    (void)state;
    job j = {.name = "full", .extra = {"beta=0.5", "ref_model=init", "kl_estimator=full", "num_iterations=2"}};
    keeps_its_promises(j);
    j.shop = &shop;
    assert_true(metric(&j, "kl", 1) == 0);
    assert_true(metric(&j, "kl", 2) > 0);
}

/* ---- value functions ---- */

static void ppo_with_a_shared_critic(void **state) {
    (void)state;
    job j = {.name = "ppo_shared", .kind = REIN_ONLINE_PPO,
             .extra = {"num_generations=2", "num_mini_batches=2", "num_ppo_epochs=2", "whiten_rewards=true",
                       "normalize_returns=true"}};
    keeps_its_promises(j);
    j.shop = &shop;
    assert_true(metric(&j, "objective/kl", 1) == 0);
    assert_true(isfinite(metric(&j, "critic/vf_explained_var", 2)));
    assert_true(metric(&j, "loss/value_avg", 1) > 0);
    assert_true(metric(&j, "episode", 5) == 5 * 24);
}

static void ppo_with_a_critic_of_its_own(void **state) {
    (void)state;
    job j = {.name = "ppo_own", .kind = REIN_ONLINE_PPO,
             .extra = {"critic=separate", "critic_learning_rate=0.02", "value_head=mlp", "num_ppo_epochs=2",
                       "critic_warmup_steps=1"}};
    keeps_its_promises(j);
    j.shop = &shop;
    assert_true(metric(&j, "updates", 1) == 0 && metric(&j, "updates", 2) == 2); /* the critic alone, then both */
    assert_true(metric(&j, "approx_kl", 1) == 0 && metric(&j, "approx_kl", 2) > 0);
}

static void the_policy_waits_for_a_shared_critic(void **state) {
    (void)state;
    job j = {.shop = &shop, .grpo = true, .name = "ppo_wait", .kind = REIN_ONLINE_PPO,
             .extra = {"critic_warmup_steps=2", "num_ppo_epochs=2"}};
    OK(job_run(&j));
    assert_true(metric(&j, "approx_kl", 2) == 0); /* the head alone has moved */
    assert_true(metric(&j, "grad_norm", 2) > 0);
    assert_true(metric(&j, "approx_kl", 3) > 0);
}

/* ---- refusals ---- */

static void a_cap_refuses_updates(void **state) {
    (void)state;
    job free_run = {.shop = &shop, .grpo = true, .name = "free", .extra = {"beta=1e-9", "ref_model=init"}};
    job j = {.shop = &shop, .grpo = true, .name = "capped",
             .extra = {"beta=1e-9", "ref_model=init", "kl_cap=1e-12", "max_kl_refusals=3"}};
    OK(job_run(&free_run));
    FAILS_WITH(REIN_ERR_NUMERIC, job_run(&j));
    assert_non_null(strstr(rein_error_message(), "kl_cap"));
    assert_true(metric(&j, "kl_refusals", 1) == 0);
    assert_true(metric(&j, "kl_refusals", 2) == 1 && metric(&j, "updates", 2) == 0);
    assert_true(metric(&j, "kl_refusals", 3) == 2);
    assert_true(isnan(metric(&j, "kl_refusals", 4)));                     /* the third refusal in a row ended the run */
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
        {REIN_ONLINE_GRPO, {"beta=0.1", "ref_model=init", "kl_in_reward=true", "kl_estimator=full"}, "kl_in_reward false"},
        {REIN_ONLINE_GRPO, {"max_kl_refusals=1"}, "kl_cap"},
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
        cmocka_unit_test(entropy_bonus),
        cmocka_unit_test(exact_kl),
        cmocka_unit_test(ppo_with_a_shared_critic),
        cmocka_unit_test(ppo_with_a_critic_of_its_own),
        cmocka_unit_test(the_policy_waits_for_a_shared_critic),
        cmocka_unit_test(a_cap_refuses_updates),
        cmocka_unit_test(options_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
