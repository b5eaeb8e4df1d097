/*
 * The promises of a GRPO run: its result depends on nothing but model, options and seed (not on threads, kernels,
 * micro-batches or batching of the sampler); a killed and resumed run is the uninterrupted one; a bad reward changes no
 * weight.
 */
#include <math.h>

#include "rollout/rollout.h"
#include "train_jobs.h"

static workshop shop;
static job base;
static double base_seconds;

static int set_up(void **state) {
    (void)state;
    workshop_make(&shop);
    base = (job){.shop = &shop, .grpo = true, .name = "base"};
    double start = rein_clock();
    assert_int_equal(job_wait(job_spawn(&base)), 0);
    base_seconds = rein_clock() - start;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(shop.dir) != REIN_OK;
}

/* A job is run and must equal `like`. */
static void equals(const job *like, job j) {
    j.shop = &shop;
    j.grpo = true;
    OK(job_run(&j));
    same_run(like, &j);
}

static void it_learns_at_all(void **state) {
    (void)state;
    for (int64_t step = 1; step <= 5; step++) {
        assert_true(metric(&base, "grad_norm", step) > 0);
        assert_true(metric(&base, "reward_std", step) > 0);
        assert_true(metric(&base, "ratio/mean", step) == 1);
        assert_true(metric(&base, "ratio/max_deviation", step) == 0);
    }
}

static void threads_change_nothing(void **state) {
    (void)state;
    equals(&base, (job){.name = "threads1", .threads = 1});
    equals(&base, (job){.name = "threads2", .threads = 2});
    equals(&base, (job){.name = "threads4", .threads = 4});
}

static void microbatches_change_nothing(void **state) {
    (void)state;
    equals(&base, (job){.name = "whole", .extra = {"microbatch_tokens=0"}});
    equals(&base, (job){.name = "split", .extra = {"microbatch_tokens=20"}}); /* two completions a part */
    equals(&base, (job){.name = "group", .extra = {"microbatch_tokens=48"}}); /* one group of four a part */
    equals(&base, (job){.name = "least", .extra = {"microbatch_tokens=1"}});
}

static void kernels_change_nothing(void **state) {
    (void)state;
    for (const char *const *isa = rein_cpu_isas(); *isa; isa++) equals(&base, (job){.name = *isa, .isa = *isa});
}

static void sampler_batches_change_nothing(void **state) {
    (void)state;
    equals(&base, (job){.name = "batch3", .extra = {"generation_batch=3"}});
    equals(&base, (job){.name = "batch64", .extra = {"generation_batch=64"}});
}

static void two_iterations(void **state) {
    (void)state;
    job two = {.shop = &shop, .grpo = true, .name = "two", .extra = {"num_iterations=2"}};
    OK(job_run(&two));
    equals(&two, (job){.name = "two_split",
                       .threads = 2,
                       .isa = "ref",
                       .extra = {"num_iterations=2", "microbatch_tokens=20", "generation_batch=5"}});
    assert_true(metric(&two, "reward", 1) == metric(&base, "reward", 1)); /* sampled before any update */
    assert_true(metric(&two, "loss", 2) != metric(&base, "loss", 2));     /* the second update counted */
    assert_true(metric(&two, "ratio/max_deviation", 2) == 0);
}

static void reference_is_the_start(void **state) {
    (void)state;
    job kl = {.shop = &shop, .grpo = true, .name = "kl", .extra = {"beta=0.04", "ref_model=init"}};
    OK(job_run(&kl));
    assert_true(metric(&kl, "kl", 1) == 0);
    assert_true(metric(&kl, "kl", 2) > 0);
    assert_true(metric(&kl, "ratio/mean", 1) == 1);
    assert_true(metric(&kl, "ratio/max_deviation", 1) == 0);
    equals(&kl,
           (job){.name = "kl_split", .threads = 2, .extra = {"beta=0.04", "ref_model=init", "microbatch_tokens=20"}});
}

static void truncated_sampling(void **state) {
    (void)state;
    job cut = {.shop = &shop, .grpo = true, .name = "cut", .extra = {"top_k=9", "top_p=0.8", "temperature=0.7"}};
    OK(job_run(&cut));
    equals(&cut, (job){.name = "cut_split",
                       .threads = 2,
                       .isa = "ref",
                       .extra = {"top_k=9", "top_p=0.8", "temperature=0.7", "microbatch_tokens=20"}});
}

/* ---- killed and resumed ---- */

static void a_killed_run_resumes_to_the_same(void **state) {
    (void)state;
    static const struct {
        const char *name, *save;
        uint32_t kills;
    } cases[] = {{"kill1", "save_steps=1", 3}, {"kill2", "save_steps=1", 2}, {"kill3", "save_steps=2", 1}};
    for (uint32_t i = 0; i < REIN_COUNT(cases); i++) {
        job j = {.shop = &shop, .grpo = true, .name = cases[i].name, .extra = {cases[i].save}};
        job_with_kills(j, base_seconds, cases[i].kills, i);
        same_run(&base, &j);
    }
}

static void a_replayed_step_must_be_the_recorded_one(void **state) {
    (void)state;
    static const struct {
        const char *name, *file; /* NULL: nothing is changed */
        size_t from_end;
    } cases[] = {
        {"again", NULL, 0}, {"other_commit", "commits.jsonl", 5}, {"other_journal", "journal/step-000005.bin", 3}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        job j = {.shop = &shop, .grpo = true, .name = cases[i].name};
        OK(job_run(&j));
        remove_job_file(&j, "checkpoint-5");
        if (cases[i].file) flip_near_end(&j, cases[i].file, cases[i].from_end);
        j.resume = true;
        FAILS_WITH(cases[i].file ? REIN_ERR_MISMATCH : REIN_OK, job_run(&j));
        if (!cases[i].file) same_run(&base, &j);
    }
}

/* ---- bad rewards ---- */

/* Task 10 is the second of step 4 (three prompts a step); checkpoint-3 stays the newest, and whole. */
static void refused_reward(const char *name, fault what, const char *message) {
    char path[JOB_PATH];
    int64_t step = 0;
    job j = {.shop = &shop, .grpo = true, .name = name, .extra = {"save_steps=1"}, .fault = what, .fault_index = 10};
    FAILS_WITH(REIN_ERR_NUMERIC, job_run(&j));
    assert_non_null(strstr(rein_error_message(), message));
    assert_non_null(strstr(rein_error_message(), "task 10"));
    job_path(path, &j, "checkpoint-3");
    OK(rein_checkpoint_verify(path, &step));
    assert_int_equal(step, 3);
    job_path(path, &j, "checkpoint-4");
    assert_false(rein_path_exists(path));
    assert_true(isnan(metric(&j, "reward", 4)));
    j.fault = FAULT_NONE; /* the environment is mended: the run goes on as if nothing had happened */
    j.resume = true;
    OK(job_run(&j));
    same_run(&base, &j);
}

static void a_bad_reward_changes_no_weight(void **state) {
    (void)state;
    refused_reward("nan", FAULT_NAN, "nan");
    refused_reward("sum", FAULT_SUM, "add up");
}

/* ---- prompts and their rewards ---- */

/* Greedy answers depend on the prompt alone, so permuted tasks must have permuted rewards. */
static void rewards_follow_their_prompts(void **state) {
    (void)state;
    enum { P = 5 };
    digits_env env = {.env = {&digits_class}};
    rein_device *dev;
    rein_model *model;
    rein_tokenizer *tok;
    rein_task task[P], turned[P];
    rein_rollouts a, b;
    char path[JOB_PATH];
    OK(rein_device_open_cpu(&dev, NULL, 1));
    job_path(path, &base, "checkpoint-5");
    OK(rein_start_model(&model, &tok, path, dev, NULL));
    int32_t eos = 0;
    rein_rollout_setup setup = {
        .model = model,
        .tokenizer = tok,
        .env = &env.env,
        .G = 2,
        .gen = {.sampling = {.top_p = 1}, .max_new_tokens = 8, .max_batch = 3, .eos = &eos, .n_eos = 1}};
    for (int p = 0; p < P; p++) OK(digits_task(&env.env, 0, REIN_SPLIT_TRAIN, p, &task[p]));
    for (int p = 0; p < P; p++) turned[p] = task[(p + 2) % P];
    OK(rein_rollouts_collect(&a, &setup, task, P, NULL, NULL));
    OK(rein_rollouts_collect(&b, &setup, turned, P, NULL, NULL));
    bool differ = false;
    for (int64_t i = 0; i < 2 * P; i++) {
        int64_t of = (i + 4) % (2 * P);
        assert_true(b.score[i].total == a.score[of].total);
        assert_memory_equal(b.text[i].data, a.text[of].data, a.text[of].len);
        differ = differ || a.score[i].total != a.score[0].total;
    }
    assert_true(differ);
    rein_rollouts_deinit(&a);
    rein_rollouts_deinit(&b);
    rein_model_destroy(model);
    rein_tokenizer_destroy(tok);
    rein_device_close(dev);
}

int main(int argc, char **argv) {
    if (argc > 6 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_at_all),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(microbatches_change_nothing),
        cmocka_unit_test(kernels_change_nothing),
        cmocka_unit_test(sampler_batches_change_nothing),
        cmocka_unit_test(two_iterations),
        cmocka_unit_test(reference_is_the_start),
        cmocka_unit_test(truncated_sampling),
        cmocka_unit_test(a_killed_run_resumes_to_the_same),
        cmocka_unit_test(a_replayed_step_must_be_the_recorded_one),
        cmocka_unit_test(a_bad_reward_changes_no_weight),
        cmocka_unit_test(rewards_follow_their_prompts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
