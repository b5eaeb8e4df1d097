/*
 * Reward models: gradients by finite differences, the promises of a run, learning which answer is better, and their use
 * as a reward function, which scores as training does.
 */
#include "base/math64.h"
#include "env/dataset/dataset.h"
#include "golden_json.h"
#include "offline_jobs.h"
#include "train/eval.h"
#include "train/reward_model.h"

static workshop shop;

static int set_up(void **state) {
    rein_str pairs = {0}, margins = {0}, texts = {0};
    (void)state;
    workshop_make(&shop);
    for (int i = 0; i < 8; i++) {
        rein_str_printf(&pairs, "{\"prompt\":\"%s\",\"chosen\":\"%s\",\"rejected\":\"abc%d\"}\n", row_prompt[i],
                        row_completion[i], i);
        rein_str_printf(&margins, "{\"prompt\":\"%s\",\"chosen\":\"%s\",\"rejected\":\"abc%d\",\"margin\":%d}\n",
                        row_prompt[i], row_completion[i], i, i % 3);
        rein_str_printf(&texts, "{\"chosen\":\"%s%s\",\"rejected\":\"abc%d\"}\n", row_prompt[i], row_completion[i], i);
    }
    rows_file(&shop, "pairs.jsonl", pairs.data);
    rows_file(&shop, "margins.jsonl", margins.data);
    rows_file(&shop, "texts.jsonl", texts.data);
    rein_str_deinit(&pairs);
    rein_str_deinit(&margins);
    rein_str_deinit(&texts);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(shop.dir) != REIN_OK;
}

static void runs_keep_the_promises(void **state) {
    (void)state;
    rows_promises((rows_job){.job = {.shop = &shop, .name = "reward", .extra = {"center_rewards_coefficient=0.01"}},
                             .kind = "reward",
                             .data = "margins.jsonl"});
    rows_promises((rows_job){.job = {.shop = &shop, .name = "texts"}, .kind = "reward", .data = "texts.jsonl"});
}

/* From a trained head, since a new one gives zeros. */
static void gradients_are_finite_differences(void **state) {
    (void)state;
    rows_job r = {
        .job = {.shop = &shop, .name = "fd", .extra = {"center_rewards_coefficient=0.1", "microbatch_tokens=30"}},
        .kind = "reward",
        .data = "margins.jsonl",
        .model = "reward/checkpoint-6"};
    assert_true(rows_check_gradient(&r, &rein_reward_model_class) > 10);
}

static void it_learns_which_is_better(void **state) {
    (void)state;
    rows_job r = {
        .job = {.shop = &shop,
                .name = "learns",
                .extra = {"max_steps=40", "save_steps=0", "lr_scheduler_type=constant", "learning_rate=0.003"}},
        .kind = "reward",
        .data = "pairs.jsonl"};
    OK(rows_run(&r));
    assert_true(metric(&r.job, "accuracy", 40) == 1);
    if (!(metric(&r.job, "loss", 40) < 0.1)) fail_msg("loss %g", metric(&r.job, "loss", 40));
    assert_true(metric(&r.job, "min_reward", 40) < metric(&r.job, "mean_reward", 40));
    assert_true(metric(&r.job, "max_reward", 40) > metric(&r.job, "mean_reward", 40));
}

/* The rewards of all pairs through model:DIR have the margin that a run from the same weights measures. */
static void the_function_scores_as_training_does(void **state) {
    char funcs[JOB_PATH], path[JOB_PATH];
    rein_device *dev;
    rein_rewards *rewards;
    struct json_object *row[8];
    rein_reward_answer answer[16];
    char text[16][32];
    double score[16], margin = 0;
    (void)state;
    rows_job r = {.job = {.shop = &shop,
                          .name = "measure",
                          .extra = {"max_steps=1", "learning_rate=0", "per_device_train_batch_size=8",
                                    "gradient_accumulation_steps=1"}},
                  .kind = "reward",
                  .data = "pairs.jsonl",
                  .model = "learns/checkpoint-40"};
    OK(rows_run(&r));
    snprintf(funcs, sizeof funcs, "model:%s/learns", shop.dir);
    OK(rein_rewards_open(&rewards, funcs, NULL, 1));
    REFUSED(rein_rewards_bind(rewards, NULL), "run reward models");
    OK(rein_device_open_cpu(&dev, NULL, 1));
    const rein_reward_host host = rein_reward_model_host(dev);
    OK(rein_rewards_bind(rewards, &host));
    for (int i = 0; i < 8; i++) {
        row[i] = json_object_new_object();
        json_object_object_add(row[i], "prompt", json_object_new_string(row_prompt[i]));
        snprintf(text[2 * i], sizeof text[0], "%s", row_completion[i]);
        snprintf(text[2 * i + 1], sizeof text[0], "abc%d", i);
        for (int k = 0; k < 2; k++)
            answer[2 * i + k] =
                (rein_reward_answer){.row = row[i], .text = text[2 * i + k], .len = strlen(text[2 * i + k])};
    }
    OK(rein_rewards_score(score, rewards, answer, 16));
    for (int i = 0; i < 8; i++) margin += (score[2 * i] - score[2 * i + 1]) / 8;
    golden_near(margin, metric(&r.job, "margin", 1), 1e-12, "margin", "model:");
    double alone;
    OK(rein_rewards_score(&alone, rewards, answer + 3, 1));
    assert_true(alone == score[3]); /* to the bit, whatever shares the batch */
    for (int i = 0; i < 8; i++) json_object_put(row[i]);
    rein_rewards_close(rewards);
    snprintf(path, sizeof path, "model:%s/model", shop.dir);
    OK(rein_rewards_open(&rewards, path, NULL, 1));
    REFUSED(rein_rewards_bind(rewards, &host), "is no reward model");
    rein_rewards_close(rewards);
    rein_device_close(dev);
}

/* rein eval scores answers as the function does, to the bit. */
static void evaluations_have_it(void **state) {
    char spec[4 * JOB_PATH], path[JOB_PATH], rows[JOB_PATH];
    const char *name = "policy", *model = path;
    rein_evaluation e;
    rein_rewards *rewards;
    rein_device *dev;
    (void)state;
    snprintf(path, sizeof path, "%s/model", shop.dir);
    snprintf(rows, sizeof rows, "%s/asked.jsonl", shop.dir);
    snprintf(spec, sizeof spec, "dataset:train=%s/rows.jsonl,eval=%s,reward_funcs=model:%s/learns", shop.dir, rows,
             shop.dir);
    write_text(rows, "{\"prompt\":\"say 8 now: \"}\n{\"prompt\":\"say 9 now: \"}\n");
    const rein_eval_args args = {.env = spec,
                                 .name = &name,
                                 .path = &model,
                                 .n_model = 1,
                                 .split = REIN_SPLIT_EVAL,
                                 .cases = 2,
                                 .num_samples = 2,
                                 .max_new_tokens = 6,
                                 .batch = 4,
                                 .temperature = 1};
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_evaluate(&e, &args, dev, NULL, NULL));
    snprintf(spec, sizeof spec, "model:%s/learns", shop.dir);
    OK(rein_rewards_open(&rewards, spec, NULL, 1));
    const rein_reward_host host = rein_reward_model_host(dev);
    OK(rein_rewards_bind(rewards, &host));
    const rein_policy_result *p = &e.policy[e.n_policy - 1];
    assert_int_equal(p->n, 4);
    for (int64_t k = 0; k < p->n; k++) {
        struct json_object *row = json_object_new_object();
        double alone;
        json_object_object_add(row, "prompt", json_object_new_string(k < 2 ? "say 8 now: " : "say 9 now: "));
        const char *text = p->answer[k].text.data ? p->answer[k].text.data : "";
        OK(rein_rewards_score(&alone, rewards,
                              &(rein_reward_answer){.row = row, .text = text, .len = p->answer[k].text.len}, 1));
        assert_true(alone == p->answer[k].score.total);
        json_object_put(row);
    }
    assert_true(p->answer[0].score.total != p->answer[2].score.total);
    rein_rewards_close(rewards);
    rein_evaluation_deinit(&e);
    rein_device_close(dev);
}

/* GRPO on the reward model's word: what it says rises; steps replay. */
static void grpo_follows_it(void **state) {
    char funcs[JOB_PATH + 32];
    double first = 0, last = 0;
    (void)state;
    snprintf(funcs, sizeof funcs, "reward_funcs=model:%s/learns", shop.dir);
    rows_job r = {
        .job = {.shop = &shop,
                .name = "grpo",
                .extra = {funcs, "num_generations=8", "per_device_train_batch_size=16", "gradient_accumulation_steps=1",
                          "max_completion_length=6", "max_steps=30", "learning_rate=0.01"}},
        .kind = "grpo",
        .data = "pairs.jsonl"};
    OK(rows_run(&r));
    for (int64_t step = 1; step <= 5; step++) {
        first += metric(&r.job, "rewards/model/mean", step) / 5;
        last += metric(&r.job, "rewards/model/mean", 31 - step) / 5;
    }
    if (!(last > first + 0.2)) fail_msg("reward %g, then %g", first, last);
    rows_verify(&r, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_keep_the_promises),    cmocka_unit_test(gradients_are_finite_differences),
        cmocka_unit_test(it_learns_which_is_better), cmocka_unit_test(the_function_scores_as_training_does),
        cmocka_unit_test(evaluations_have_it),       cmocka_unit_test(grpo_follows_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
