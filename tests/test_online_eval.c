/*
 * Evaluation during online runs: measured on held-out tasks with the policy of the step, the same after kills and for
 * any split, without any influence on training; what the best checkpoint and early stopping go by.
 */
#include <math.h>

#include "online_jobs.h"
#include "train/policy.h"

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

static bool is_logged(const job *j, const char *name, int64_t step) { return !isnan(metric(j, name, step)); }

static void evaluations_come_in_their_steps(void **state) {
    (void)state;
    job j = {.name = "eval", .extra = {"eval_strategy=steps", "eval_steps=2", "eval_tasks=6", "logging_steps=3"}};
    keeps_its_promises(&shop, j);
    j.shop = &shop;
    for (int64_t step = 1; step <= 5; step++) {
        bool here = step == 2 || step == 4 || step == 5;
        assert_true(is_logged(&j, "eval_reward", step) == here);
        assert_true(is_logged(&j, "reward", step) == (step == 3 || step == 5));
    }
    assert_true(is_logged(&j, "eval_rewards/match/mean", 4));
    assert_true(is_logged(&j, "eval_success_rate", 4));
    assert_true(metric(&j, "eval_completions/max_length", 4) <= 8);
}

static void training_is_the_same_without(void **state) {
    (void)state;
    job with = {.shop = &shop,
                .grpo = true,
                .name = "with",
                .extra = {"eval_strategy=steps", "eval_steps=1", "num_generations_eval=3", "eval_temperature=1"}};
    job without = {.shop = &shop, .grpo = true, .name = "without"};
    OK(job_run(&with));
    OK(job_run(&without));
    same_file(&with, &without, "commits.jsonl");
    same_file(&with, &without, "checkpoint-5/model.safetensors");
}

/* The same tasks, answered by the checkpoint of the step. */
static double reward_of(const job *j, const char *checkpoint, int64_t tasks) {
    char path[JOB_PATH];
    digits_env env = {.env = {&digits_class}};
    rein_device *dev;
    rein_model *model;
    rein_tokenizer *tok;
    rein_task task[8];
    rein_rollouts r;
    int32_t eos = 0;
    double sum = 0;
    job_path(path, j, checkpoint);
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_start_model(&model, &tok, path, dev, &(rein_model_options){.frozen = true}));
    for (int64_t i = 0; i < tasks; i++) OK(digits_task(&env.env, 7, REIN_SPLIT_EVAL, i, &task[i]));
    const rein_rollout_setup setup = {
        .model = model,
        .tokenizer = tok,
        .env = &env.env,
        .G = 1,
        .gen = {.sampling = {.top_p = 1}, .max_new_tokens = 8, .max_batch = 4, .eos = &eos, .n_eos = 1}};
    OK(rein_rollouts_collect(&r, &setup, task, tasks, NULL, NULL));
    for (int64_t i = 0; i < tasks; i++) sum += r.score[i].total;
    rein_rollouts_deinit(&r);
    rein_model_destroy(model);
    rein_tokenizer_destroy(tok);
    rein_device_close(dev);
    return sum / (double)tasks;
}

static void the_policy_of_the_step_answers(void **state) {
    (void)state;
    job j = {.shop = &shop, .grpo = true, .name = "eval"}; /* of the first test */
    assert_true(fabs(metric(&j, "eval_reward", 2) - reward_of(&j, "checkpoint-2", 6)) < 1e-12);
    assert_true(fabs(metric(&j, "eval_reward", 4) - reward_of(&j, "checkpoint-4", 6)) < 1e-12);
    assert_true(metric(&j, "eval_reward", 2) != metric(&j, "eval_reward", 4));
}

static void runs_go_by_it(void **state) {
    (void)state;
    keeps_its_promises(&shop, (job){.name = "best",
                                    .kind = REIN_ONLINE_PPO,
                                    .extra = {"eval_strategy=steps", "eval_steps=1", "eval_tasks=5",
                                              "metric_for_best_model=eval_reward", "early_stopping_patience=5"}});
    job j = {.shop = &shop,
             .grpo = true,
             .name = "stopped",
             .extra = {"eval_strategy=steps", "eval_steps=1", "eval_tasks=5", "metric_for_best_model=eval_reward",
                       "early_stopping_patience=2", "learning_rate=0"}};
    OK(job_run(&j));
    assert_true(metric(&j, "eval_reward", 1) == metric(&j, "eval_reward", 3)); /* the same draws each time */
    assert_false(is_logged(&j, "reward", 4));
}

/* Rows of another file, or a share of the rows. */
static void rows_are_held_out(void **state) {
    static const char *const name[] = {"eval_dataset_name", "eval_split_ratio"};
    char rows[JOB_PATH], held[JOB_PATH];
    (void)state;
    snprintf(rows, sizeof rows, "%s/train.jsonl", shop.dir);
    snprintf(held, sizeof held, "%s/held.jsonl", shop.dir);
    write_text(rows, "{\"prompt\":\"say 1 now: \"}\n{\"prompt\":\"say 2 now: \"}\n{\"prompt\":\"say 3 now: \"}\n"
                     "{\"prompt\":\"say 4 now: \"}\n{\"prompt\":\"say 5 now: \"}\n{\"prompt\":\"say 6 now: \"}\n");
    write_text(held, "{\"prompt\":\"say 7 now: \"}\n{\"prompt\":\"say 8 now: \"}\n");
    for (int i = 0; i < 2; i++) {
        job j = {.shop = &shop,
                 .grpo = true,
                 .name = name[i],
                 .extra = {"eval_strategy=steps", "eval_tasks=1", "max_steps=2",
                           "reward_funcs=soft_overlong(max_completion_len=8,soft_punish_cache=6)"}};
        rein_options opts;
        rein_train_args args = {0};
        rein_device *dev;
        job_options(&opts, &args, &j);
        OK(rein_options_set(&opts, "dataset_name", rows, 2, "test"));
        OK(rein_options_set(&opts, name[i], i == 0 ? held : "0.5", 2, "test"));
        OK(rein_device_open_cpu(&dev, NULL, 1));
        OK(rein_grpo_run(&args, "", dev, &(rein_train_watch){.step = NULL}));
        args.eval_tasks = 100;
        char other[JOB_PATH];
        snprintf(other, sizeof other, "%s/%s_more", shop.dir, name[i]);
        args.output_dir = other;
        FAILS_WITH(REIN_ERR_USAGE, rein_grpo_run(&args, "", dev, &(rein_train_watch){.step = NULL}));
        assert_non_null(strstr(rein_error_message(), "eval_tasks 100: held-out row"));
        rein_device_close(dev);
        rein_options_deinit(&opts);
        assert_false(is_logged(&j, "eval_reward", 1));
        assert_true(is_logged(&j, "eval_rewards/soft_overlong_punishment_reward/mean", 2));
        assert_true(metric(&j, "eval_rewards/unscored", 2) == 0);
    }
}

static void what_nothing_would_read_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *extra[4], *message;
    } cases[] = {
        {{"eval_steps=2"}, "eval_strategy is no"},
        {{"eval_temperature=1"}, "eval_strategy is no"},
        {{"eval_strategy=steps", "eval_split_ratio=0.5"}, "held-out tasks of its own"},
        {{"eval_strategy=steps", "num_generations_eval=2"}, "give eval_temperature"},
        {{"metric_for_best_model=eval_reward"}, "give eval_strategy steps"},
    };
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        job j = {.shop = &shop, .grpo = true, .name = "refused"};
        for (int k = 0; k < 4; k++) j.extra[k] = cases[i].extra[k];
        FAILS_WITH(REIN_ERR_USAGE, job_run(&j));
        if (!strstr(rein_error_message(), cases[i].message))
            fail_msg("'%s' is not in '%s'", cases[i].message, rein_error_message());
    }
}

int main(int argc, char **argv) {
    if (argc > 6 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluations_come_in_their_steps),
        cmocka_unit_test(the_policy_of_the_step_answers),
        cmocka_unit_test(training_is_the_same_without),
        cmocka_unit_test(runs_go_by_it),
        cmocka_unit_test(rows_are_held_out),
        cmocka_unit_test(what_nothing_would_read_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
