/*
 * The promises of online runs for what needs more than log-probs: value functions, the entropy bonus, the exact KL.
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

static void entropy_bonus(void **state) {
    (void)state;
    job j = {
        .name = "entropy",
        .extra = {"use_adaptive_entropy=true", "entropy_coef=0.01", "entropy_target=100", "entropy_coef_delta=0.01"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    assert_true(metric(&j, "entropy_coef", 1) == 0); /* not in force before the first entropy is known */
    assert_true(metric(&j, "entropy_coef", 2) == 0.02);
    assert_true(metric(&j, "entropy_coef", 3) == 0.03);
}

static void exact_kl(void **state) {
    (void)state;
    job j = {.name = "full", .extra = {"beta=0.5", "ref_model=init", "kl_estimator=full", "num_iterations=2"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    assert_true(metric(&j, "kl", 1) == 0);
    assert_true(metric(&j, "kl", 2) > 0);
}

/* ---- value functions ---- */

static void ppo_with_a_shared_critic(void **state) {
    (void)state;
    job j = {.name = "ppo_shared",
             .kind = REIN_ONLINE_PPO,
             .extra = {"num_generations=2", "num_mini_batches=2", "num_ppo_epochs=2", "whiten_rewards=true",
                       "normalize_returns=true"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    assert_true(metric(&j, "objective/kl", 1) == 0);
    assert_true(isfinite(metric(&j, "critic/vf_explained_var", 2)));
    assert_true(metric(&j, "loss/value_avg", 1) > 0);
    assert_true(metric(&j, "episode", 5) == 5 * 24);
}

static void ppo_with_a_critic_of_its_own(void **state) {
    (void)state;
    job j = {.name = "ppo_own",
             .kind = REIN_ONLINE_PPO,
             .extra = {"critic=separate", "critic_learning_rate=0.02", "value_head=mlp", "num_ppo_epochs=2",
                       "critic_warmup_steps=1"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    assert_true(metric(&j, "updates", 1) == 0 && metric(&j, "updates", 2) == 2); /* the critic alone, then both */
    assert_true(metric(&j, "approx_kl", 1) == 0 && metric(&j, "approx_kl", 2) > 0);
}

static void the_policy_waits_for_a_shared_critic(void **state) {
    (void)state;
    job j = {.shop = &shop,
             .grpo = true,
             .name = "ppo_wait",
             .kind = REIN_ONLINE_PPO,
             .extra = {"critic_warmup_steps=2", "num_ppo_epochs=2"}};
    OK(job_run(&j));
    assert_true(metric(&j, "approx_kl", 2) == 0); /* the head alone has moved */
    assert_true(metric(&j, "grad_norm", 2) > 0);
    assert_true(metric(&j, "approx_kl", 3) > 0);
}

/* Where answers are cut off; without a discount from one token to the next there is nothing to stand for. */
static void truncated_answers_are_bootstrapped(void **state) {
    (void)state;
    keeps_its_promises(&shop, (job){.name = "ppo_cut",
                                    .kind = REIN_ONLINE_PPO,
                                    .extra = {"bootstrap_truncated=true", "normalize_returns=true", "num_mini_batches=2",
                                              "max_completion_length=3"}});
    const char *names[] = {"cut", "end", "cut0", "end0"};
    job j[4];
    for (int i = 0; i < 4; i++) {
        j[i] = (job){.shop = &shop,
                     .grpo = true,
                     .name = names[i],
                     .kind = REIN_ONLINE_PPO,
                     .extra = {"max_completion_length=3", i < 2 ? "gamma=0.9" : "gamma=0",
                               i % 2 ? "bootstrap_truncated=false" : "bootstrap_truncated=true"}};
        OK(job_run(&j[i]));
    }
    assert_true(metric(&j[0], "completions/clipped_ratio", 1) > 0.5);
    assert_true(metric(&j[0], "grad_norm", 1) != metric(&j[1], "grad_norm", 1));
    same_file(&j[2], &j[3], "commits.jsonl");
}

int main(int argc, char **argv) {
    if (argc > 6 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entropy_bonus),
        cmocka_unit_test(exact_kl),
        cmocka_unit_test(ppo_with_a_shared_critic),
        cmocka_unit_test(ppo_with_a_critic_of_its_own),
        cmocka_unit_test(the_policy_waits_for_a_shared_critic),
        cmocka_unit_test(truncated_answers_are_bootstrapped),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
