/* Runs with each optimiser, and runs that go by a metric: killed and resumed, on any number of threads, the same bits.
 */
#include "gen/generate.h"
#include "run/resolve.h"
#include "train/verify.h"
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

static void same_files(const job *a, const job *b, const char *const *file) {
    same_file(a, b, "metrics.jsonl");
    same_file(a, b, "commits.jsonl");
    for (; *file; file++) same_file(a, b, *file);
}

static bool is_there(const job *j, const char *file) {
    char path[JOB_PATH];
    job_path(path, j, file);
    return rein_path_exists(path);
}

/* ---- each optimiser ---- */

static const struct {
    const char *option[3];
    double loss; /* that the last of 40 steps must be below; the first is above 2 */
} runs[] = {
    {{"optim=adamw_8bit"}, 1.0},
    {{"optim=sgd", "momentum=0.9", "learning_rate=0.05"}, 1.6},
    {{"optim=lion", "adam_beta2=0.99", "learning_rate=0.003"}, 1.0},
    {{"optim=muon"}, 1.0},
    {{"optim=adamw", "bf16_stochastic_round=true"}, 1.0},
};

static void each_optimiser_learns(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(runs); i++) {
        char name[24];
        snprintf(name, sizeof name, "learns%d", (int)i);
        job j = {.shop = &shop, .name = name, .extra = {"max_steps=40", "save_steps=0"}};
        for (int k = 0; k < 3; k++) j.extra[2 + k] = runs[i].option[k];
        OK(job_run(&j));
        double loss = metric(&j, "loss", 40);
        if (!(metric(&j, "loss", 1) > 2 && loss < runs[i].loss)) fail_msg("%s: loss %g", runs[i].option[0], loss);
    }
}

static void each_resumes_to_the_same(void **state) {
    (void)state;
    static const char *const files[] = {"checkpoint-6/model.safetensors", "checkpoint-6/trainer_state.json", NULL};
    for (size_t i = 0; i < REIN_COUNT(runs); i++) {
        char name[2][24];
        snprintf(name[0], sizeof name[0], "whole%d", (int)i);
        snprintf(name[1], sizeof name[1], "killed%d", (int)i);
        job whole = {.shop = &shop, .name = name[0]}, killed = {.shop = &shop, .name = name[1], .threads = 2};
        for (int k = 0; k < 3; k++) whole.extra[k] = killed.extra[k] = runs[i].option[k];
        OK(job_run(&whole));
        killed.die_at = 4;
        assert_int_equal(job_wait(job_spawn(&killed)), -1);
        killed.die_at = 0;
        killed.resume = true;
        OK(job_run(&killed));
        same_files(&whole, &killed, files);
        if (is_there(&whole, "checkpoint-6/optimizer_m.safetensors"))
            same_file(&whole, &killed, "checkpoint-6/optimizer_m.safetensors");
    }
}

static void verify_recomputes_a_step(void **state) {
    (void)state;
    char path[JOB_PATH];
    job j = {.shop = &shop,
             .name = "verified",
             .extra = {"optim=muon", "lr_scheduler_type=reduce_lr_on_plateau", "metric_for_best_model=loss",
                       "lr_scheduler_kwargs={\"patience\":0,"
                       "\"threshold\":1}",
                       "save_steps=3"}};
    rein_device *dev;
    rein_verified v;
    OK(job_run(&j));
    assert_true(metric(&j, "learning_rate", 6) < 1e-4); /* only what halves the loss would be an improvement */
    OK(rein_device_open_cpu(&dev, NULL, 1));
    job_path(path, &j, "");
    for (int64_t step = 1; step <= 6; step++) OK(rein_verify(&v, path, step, dev));
    rein_device_close(dev);
}

/* A rate of 5e-7, as policies are trained with: no update is lost in the weights' rounding. */
static void tiny_rates_change_the_weights(void **state) {
    (void)state;
    job j = {.shop = &shop, .name = "tiny", .extra = {"learning_rate=5e-7", "log_params_changed=true", "max_steps=2"}};
    OK(job_run(&j));
    double share = metric(&j, "frac_params_changed", 1);
    if (!(share > 0.99)) fail_msg("%g of the parameters changed", share);
}

/* ---- the metric that a run is judged by ---- */

/* With a rate of zero nothing improves, whatever the metric's last bits do. */
static const char *const stops[] = {"learning_rate=0",
                                    "metric_for_best_model=loss",
                                    "early_stopping_patience=3",
                                    "early_stopping_threshold=10",
                                    "max_steps=50",
                                    "save_steps=2",
                                    NULL};

static job stopping(const char *name) {
    job j = {.shop = &shop, .name = name};
    for (int i = 0; stops[i]; i++) j.extra[i] = stops[i];
    return j;
}

static void patience_ends_a_run(void **state) {
    (void)state;
    static const char *const files[] = {"checkpoint-4/model.safetensors", "checkpoint-4/trainer_state.json", NULL};
    job whole = stopping("stopped"), killed = stopping("stopped-killed");
    OK(job_run(&whole));
    assert_true(is_there(&whole, "checkpoint-4") && !is_there(&whole, "checkpoint-6"));
    killed.die_at = 3;
    assert_int_equal(job_wait(job_spawn(&killed)), -1);
    killed.die_at = 0;
    killed.resume = true;
    OK(job_run(&killed));
    same_files(&whole, &killed, files);
    OK(job_run(&killed)); /* it has ended: nothing more is done */
    same_files(&whole, &killed, files);
}

/* A policy's reward as the metric; what it decided is a part of the checkpoint. */
static void a_policy_goes_by_its_reward(void **state) {
    (void)state;
    static const char *const files[] = {"checkpoint-4/model.safetensors", "checkpoint-4/trainer_state.json", NULL};
    job whole = {.shop = &shop,
                 .grpo = true,
                 .name = "policy",
                 .extra = {"optim=lion", "metric_for_best_model=reward", "early_stopping_patience=3",
                           "early_stopping_threshold=1000", "lr_scheduler_type=reduce_lr_on_plateau",
                           "lr_scheduler_kwargs={\"patience\":0,\"threshold\":1000}", "save_steps=1"}};
    job killed = whole;
    killed.name = "policy-killed";
    OK(job_run(&whole));
    assert_true(is_there(&whole, "checkpoint-4") && !is_there(&whole, "checkpoint-5"));
    assert_true(metric(&whole, "learning_rate", 4) < 2e-4 && metric(&whole, "learning_rate", 2) == 0.01);
    killed.die_at = 3;
    assert_int_equal(job_wait(job_spawn(&killed)), -1);
    killed.die_at = 0;
    killed.resume = true;
    OK(job_run(&killed));
    same_files(&whole, &killed, files);
}

static void the_best_checkpoint_stays(void **state) {
    (void)state;
    /* The rate grows until the loss does: the best checkpoint is an early one. */
    job j = {.shop = &shop,
             .name = "best",
             .extra = {"optim=sgd", "learning_rate=3", "max_grad_norm=0", "lr_scheduler_type=constant_with_warmup",
                       "warmup_steps=12", "max_steps=12", "save_steps=1", "save_total_limit=2",
                       "metric_for_best_model=loss", "load_best_model_at_end=true"}};
    char path[JOB_PATH], name[40], want[JOB_PATH], *dir;
    rein_arena arena = {0};
    OK(job_run(&j));
    int64_t best = 1;
    for (int64_t k = 2; k <= 12; k++)
        if (metric(&j, "loss", k) < metric(&j, "loss", best)) best = k;
    assert_true(best > 1 && best < 10);
    for (int64_t k = 1; k <= 12; k++) {
        snprintf(name, sizeof name, "checkpoint-%d", (int)k);
        assert_int_equal(is_there(&j, name), k == best || k > 10);
    }
    job_path(path, &j, "");
    snprintf(name, sizeof name, "checkpoint-%d", (int)best);
    job_path(want, &j, name);
    OK(rein_model_dir_resolve(&dir, &arena, path));
    assert_string_equal(dir, want);
    rein_arena_deinit(&arena);
}

static void fails(const char *name, const char *const *option, const char *says) {
    job j = {.shop = &shop, .name = name};
    for (int i = 0; option[i]; i++) j.extra[i] = option[i];
    FAILS_WITH(REIN_ERR_USAGE, job_run(&j));
    if (!strstr(rein_error_message(), says)) fail_msg("\"%s\" is not in \"%s\"", says, rein_error_message());
}

static void wrong_options(void **state) {
    (void)state;
    static const char *const plateau[] = {"lr_scheduler_type=reduce_lr_on_plateau", NULL};
    static const char *const warm[] = {"lr_scheduler_type=reduce_lr_on_plateau", "metric_for_best_model=loss",
                                       "warmup_steps=2", NULL};
    static const char *const kwargs[] = {"lr_scheduler_kwargs={\"power\":2}", NULL};
    static const char *const nesterov[] = {"optim=sgd", "nesterov=true", NULL};
    static const char *const momentum[] = {"momentum=0.9", NULL};
    static const char *const unknown[] = {"metric_for_best_model=gradnorm", NULL};
    static const char *const never[] = {"metric_for_best_model=eval_loss", NULL};
    fails("wrong1", plateau, "metric_for_best_model");
    fails("wrong2", warm, "warm-up");
    fails("wrong3", kwargs, "power");
    fails("wrong4", nesterov, "momentum");
    fails("wrong5", unknown, "did you mean 'grad_norm'");
    fails("wrong6", never, "never measured");
    fails("wrong7", momentum, "only optim sgd");
}

int main(int argc, char **argv) {
    if (argc > 6 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_optimiser_learns),
        cmocka_unit_test(each_resumes_to_the_same),
        cmocka_unit_test(verify_recomputes_a_step),
        cmocka_unit_test(tiny_rates_change_the_weights),
        cmocka_unit_test(patience_ends_a_run),
        cmocka_unit_test(the_best_checkpoint_stays),
        cmocka_unit_test(wrong_options),
        cmocka_unit_test(a_policy_goes_by_its_reward),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
