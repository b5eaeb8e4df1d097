/*
 * Learning: a bandit whose best answer is known. One prompt, answers of one token, reward 1 for one token and 0 for all
 * others: every loss type, RLOO and PPO must come to say it. And where all rewards are equal, nothing may move.
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

/* Right: an answer that begins with '7'. flat: every answer is as good as any. */
typedef struct bandit {
    rein_env env;
    bool flat;
} bandit;

static rein_status bandit_prompt(const rein_env *env, const rein_task *task, rein_str *out) {
    (void)env;
    (void)task;
    rein_str_puts(out, "say 7 now: ");
    return REIN_OK;
}

static rein_status bandit_score(const rein_env *env, const rein_task *task, const char *text, size_t len,
                                rein_score *out) {
    (void)task;
    bool right = len > 0 && text[0] == '7';
    double reward = ((const bandit *)env)->flat ? 0.5 : right;
    *out = (rein_score){
        .total = reward, .n_component = 1, .component = {{"right", reward}}, .format_ok = true, .success = right};
    return REIN_OK;
}

static const rein_env_class bandit_class = {
    .name = "bandit", .task = digits_task, .prompt = bandit_prompt, .score = bandit_score};

static const char *const base[] = {"max_steps=30",
                                   "per_device_train_batch_size=32",
                                   "num_generations=32",
                                   "max_completion_length=1",
                                   "learning_rate=0.01",
                                   "lr_scheduler_type=constant",
                                   "save_steps=0",
                                   "audit_every=0",
                                   "seed=3",
                                   NULL};

/* Run, and give the share of right answers in the last step. */
static double learn_in(const bandit *env, rein_online_kind kind, const char *name, const char *const *extra) {
    char path[JOB_PATH];
    rein_options opts;
    rein_train_args args = {0};
    rein_device *dev;
    job j = {.shop = &shop, .grpo = true, .kind = kind, .name = name};
    OK(rein_options_init_use(&opts, rein_train_rows, rein_online_use(kind), &args));
    job_path(path, &j, "");
    OK(rein_options_set(&opts, "output_dir", path, 2, "test"));
    snprintf(path, sizeof path, "%s/model", shop.dir);
    OK(rein_options_set(&opts, "model_name_or_path", path, 2, "test"));
    set_pairs(&opts, base, 1);
    set_pairs(&opts, extra, 2);
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_online_run_env(kind, &args, "", &env->env, dev, NULL));
    rein_device_close(dev);
    rein_options_deinit(&opts);
    return metric(&j, "success_rate", args.max_steps);
}

static double learn(rein_online_kind kind, const char *name, const char *const *extra, bool flat) {
    return learn_in(&(bandit){{&bandit_class}, flat}, kind, name, extra);
}

static void learns(rein_online_kind kind, const char *name, const char *const *extra) {
    double share = learn(kind, name, extra, false);
    job j = {.shop = &shop, .name = name};
    assert_true(metric(&j, "success_rate", 1) < 0.3); /* it did not know before */
    if (!(share >= 0.9)) fail_msg("%s: %g of the last answers are right", name, share);
}

static void every_loss_type_learns(void **state) {
    (void)state;
    int len;
    for (int i = 0; rein_choice_name(REIN_LOSS_TYPE_CHOICES, i, &len); i++) {
        char name[32], pair[64];
        const char *extra[] = {pair, NULL, NULL};
        snprintf(name, sizeof name, "%.*s", len, rein_choice_name(REIN_LOSS_TYPE_CHOICES, i, &len));
        snprintf(pair, sizeof pair, "loss_type=%s", name);
        if (i == REIN_LOSS_CISPO) extra[1] = "epsilon_high=5";
        if (i == REIN_LOSS_LUSPO) extra[1] = "importance_sampling_level=sequence";
        learns(REIN_ONLINE_GRPO, name, extra);
    }
}

static void rloo_learns(void **state) {
    (void)state;
    learns(REIN_ONLINE_RLOO, "rloo-run", (const char *const[]){"beta=0.001", NULL});
}

static void ppo_learns(void **state) {
    (void)state;
    learns(REIN_ONLINE_PPO, "ppo-shared",
           (const char *const[]){"num_ppo_epochs=2", "kl_coef=0.001", "num_generations=1", NULL});
    learns(REIN_ONLINE_PPO, "ppo-separate",
           (const char *const[]){"num_ppo_epochs=2", "kl_coef=0.001", "num_generations=1", "critic=separate", NULL});
}

static void every_estimator_learns(void **state) {
    (void)state;
    static const char *const estimators[] = {
        "gdpo", "rloo", "mean_baseline", "opo", "max_rl", "reinforce_plus_plus", "reinforce_plus_plus_baseline"};
    for (size_t i = 0; i < REIN_COUNT(estimators); i++) {
        char name[64], pair[80];
        snprintf(name, sizeof name, "by-%s", estimators[i]);
        snprintf(pair, sizeof pair, "advantage_estimator=%s", estimators[i]);
        learns(REIN_ONLINE_GRPO, name, (const char *const[]){pair, NULL});
    }
}

/* Without any reward, the bonus alone spreads the answers out, and a strong KL term keeps the policy where it was. */
static void terms_of_the_loss_pull_their_way(void **state) {
    (void)state;
    job j = {.shop = &shop, .name = "bonus"}, loose = {.shop = &shop, .name = "loose"}, held = {.shop = &shop, .name = "held"};
    learn(REIN_ONLINE_GRPO, "bonus", (const char *const[]){"entropy_coef=0.1", NULL}, true);
    double first = metric(&j, "entropy", 1), last = metric(&j, "entropy", 30);
    if (!(last > first + 0.1)) fail_msg("entropy %g at first, %g at last", first, last);
    const char *weak[] = {"beta=1e-6", "ref_model=init", "kl_estimator=full", NULL};
    const char *strong[] = {"beta=100", "ref_model=init", "kl_estimator=full", NULL};
    learn(REIN_ONLINE_GRPO, "loose", weak, false);
    learn(REIN_ONLINE_GRPO, "held", strong, false);
    assert_true(metric(&loose, "kl", 30) > 1);
    assert_true(metric(&held, "kl", 30) < 0.1);
}

/* ---- a value function that is known ---- */

/* The prompt says what any answer is worth: the value of each position is that number. */
static rein_status fair_score(const rein_env *env, const rein_task *task, const char *text, size_t len,
                              rein_score *out) {
    (void)env;
    (void)text;
    (void)len;
    double reward = task->number[0] / 4 - 1;
    *out = (rein_score){.total = reward, .n_component = 1, .component = {{"fair", reward}}, .format_ok = true};
    return REIN_OK;
}

static const rein_env_class fair_class = {
    .name = "fair", .task = digits_task, .prompt = digits_prompt, .score = fair_score};

static void critics_explain_a_known_value(void **state) {
    (void)state;
    static const char *const critics[] = {"critic=shared", "critic=separate"};
    for (size_t i = 0; i < REIN_COUNT(critics); i++) {
        const char *extra[] = {critics[i],  "kl_coef=0",         "num_ppo_epochs=4",  "max_completion_length=3",
                               "vf_coef=1", "num_generations=1", "cliprange_value=0", "critic_warmup_steps=1000",
                               NULL};
        if (i == 0) extra[7] = "value_head=mlp"; /* the trunk must learn, too */
        double first, last;
        learn_in(&(bandit){{&fair_class}, false}, REIN_ONLINE_PPO, critics[i], extra);
        job j = {.shop = &shop, .name = critics[i]};
        first = metric(&j, "critic/vf_explained_var", 1);
        last = metric(&j, "critic/vf_explained_var", 30);
        if (!(first < 0.5 && last > 0.9)) fail_msg("%s: explained %g at first, %g at last", critics[i], first, last);
    }
}

/* Hash of the weights after a step, as its commit record has it. */
static void weights_after(const char *name, int64_t step, char hex[REIN_COMMIT_HEX]) {
    char path[JOB_PATH];
    rein_rundir *run;
    rein_commit c;
    bool found;
    snprintf(path, sizeof path, "%s/%s", shop.dir, name);
    OK(rein_rundir_open(&run, path, false));
    OK(rein_commit_read(run, step, &c, &found));
    assert_true(found);
    hex[0] = 0;
    for (int64_t i = 0; i < c.n; i++)
        if (strcmp(c.hash[i].name, "weights") == 0) memcpy(hex, c.hash[i].hex, REIN_COMMIT_HEX);
    assert_true(hex[0] != 0);
    rein_rundir_close(run);
}

static void equal_rewards_move_nothing(void **state) {
    (void)state;
    static const struct {
        rein_online_kind kind;
        const char *name, *extra;
    } cases[] = {{REIN_ONLINE_GRPO, "flat-grpo", "max_steps=4"},
                 {REIN_ONLINE_RLOO, "flat-rloo", "beta=0"},
                 {REIN_ONLINE_GRPO, "flat-rfpp", "advantage_estimator=reinforce_plus_plus"}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        char first[REIN_COMMIT_HEX], last[REIN_COMMIT_HEX];
        learn(cases[i].kind, cases[i].name, (const char *const[]){cases[i].extra, NULL}, true);
        weights_after(cases[i].name, 1, first);
        weights_after(cases[i].name, 4, last);
        assert_string_equal(first, last);
        job j = {.shop = &shop, .name = cases[i].name};
        assert_true(metric(&j, "grad_norm", 1) == 0);
        assert_true(metric(&j, "frac_reward_zero_std", 2) == 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_loss_type_learns),
        cmocka_unit_test(rloo_learns),
        cmocka_unit_test(ppo_learns),
        cmocka_unit_test(every_estimator_learns),
        cmocka_unit_test(terms_of_the_loss_pull_their_way),
        cmocka_unit_test(critics_explain_a_known_value),
        cmocka_unit_test(equal_rewards_move_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
