/*
 * Distillation: gradients by finite differences, the promises of a run, and the aim: the policy's distribution becomes
 * the teacher's.
 */
#include "offline_jobs.h"
#include "train/distill.h"

static workshop shop;
static char teacher[JOB_PATH + 16];

static int set_up(void **state) {
    char path[JOB_PATH];
    rein_device *dev;
    rein_model *m;
    rein_tokenizer *tok;
    (void)state;
    workshop_make(&shop);
    snprintf(path, sizeof path, "%s/model", shop.dir);
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_start_model(&m, &tok, path, dev, NULL));
    rein_model_init(m, 99); /* the same sizes, other weights */
    snprintf(path, sizeof path, "%s/teacher", shop.dir);
    OK(rein_mkdirs(path));
    OK(rein_model_save(m, path));
    snprintf(teacher, sizeof teacher, "teacher_model=%s", path);
    snprintf(path, sizeof path, "%s/teacher/tokenizer.json", shop.dir);
    OK(rein_tokenizer_save(tok, path));
    rows_file(&shop, "few.jsonl",
              "{\"prompt\":\"say 0\",\"completion\":\"4\"}\n{\"prompt\":\"now: \",\"completion\":\"1\"}\n"
              "{\"prompt\":\"0.1\",\"completion\":\"5\"}\n{\"prompt\":\"say 5\",\"completion\":\"7\"}\n");
    rein_model_destroy(m);
    rein_tokenizer_destroy(tok);
    rein_device_close(dev);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(shop.dir) != REIN_OK;
}

static void gradients_are_finite_differences(void **state) {
    static const char *const beta[] = {"beta=0", "beta=0.3", "beta=1"};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(beta); i++) {
        rows_job r = {
            .job = {.shop = &shop, .name = beta[i], .extra = {teacher, beta[i], "lmbda=0", "microbatch_tokens=30"}},
            .kind = "distill",
            .data = "rows.jsonl"};
        assert_true(rows_check_gradient(&r, &rein_distill_class) > 10);
    }
}

static void runs_keep_the_promises(void **state) {
    (void)state;
    rows_promises(
        (rows_job){.job = {.shop = &shop, .name = "mixed", .extra = {teacher, "max_new_tokens=6", "lmbda=0.5"}},
                   .kind = "distill",
                   .data = "rows.jsonl"});
    job j = {.shop = &shop, .name = "mixed"};
    double share = 0;
    for (int64_t step = 1; step <= 6; step++) share += metric(&j, "on_policy", step) / 6;
    assert_true(share > 0 && share < 1);
    rows_promises((rows_job){
        .job = {.shop = &shop, .name = "taught", .extra = {teacher, "max_new_tokens=6", "lmbda=0", "seq_kd=true"}},
        .kind = "distill",
        .data = "rows.jsonl"});
}

/* The policy is its own teacher: nothing is learnt from it, to the last bit. */
static void a_copy_teaches_nothing(void **state) {
    char self[JOB_PATH];
    (void)state;
    snprintf(self, sizeof self, "teacher_model=%s/model", shop.dir);
    rows_job r = {
        .job = {.shop = &shop, .name = "self", .extra = {self, "max_new_tokens=6", "log_params_changed=true"}},
        .kind = "distill",
        .data = "rows.jsonl"};
    OK(rows_run(&r));
    for (int64_t step = 1; step <= 6; step++) {
        assert_true(metric(&r.job, "loss", step) == 0);
        assert_true(metric(&r.job, "frac_params_changed", step) == 0);
    }
}

static void the_policy_becomes_the_teacher(void **state) {
    static const char *const how[][2] = {{"beta=0", "lmbda=0"}, {"beta=0.5", "lmbda=0"}, {"beta=1", "lmbda=1"}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(how); i++) {
        char name[24];
        snprintf(name, sizeof name, "becomes%d", (int)i);
        rows_job r = {.job = {.shop = &shop,
                              .name = name,
                              .extra = {teacher, how[i][0], how[i][1], "max_new_tokens=1", "max_steps=300",
                                        "save_steps=0", "temperature=1"}},
                      .kind = "distill",
                      .data = "few.jsonl"};
        OK(rows_run(&r));
        double first = metric(&r.job, "loss", 1), last = metric(&r.job, "loss", 300);
        if (!(first > 0.1 && last < 1e-3)) fail_msg("%s: divergence %g, then %g", how[i][0], first, last);
    }
}

/* Prompts of an environment, 64 positions hold them. */
static void tasks_of_an_environment_are_prompts(void **state) {
    (void)state;
    rows_job r = {.job = {.shop = &shop, .name = "tasks", .extra = {teacher, NULL, "lmbda=1", "max_new_tokens=4"}},
                  .kind = "distill",
                  .data = NULL};
    char spec[JOB_PATH + 64];
    snprintf(spec, sizeof spec, "env=dataset:train=%s/rows.jsonl,reward_funcs=think_format_reward", shop.dir);
    r.job.extra[1] = spec;
    OK(rows_run(&r));
    rows_verify(&r, 4);
    assert_true(metric(&r.job, "on_policy", 3) == 1 && metric(&r.job, "loss", 6) < metric(&r.job, "loss", 1));
}

static void contradictions_are_refused(void **state) {
    (void)state;
    const struct {
        const char *extra[3], *text;
    } cases[] = {{{NULL}, "teacher_model is missing"},
                 {{teacher, "lmbda=1", "seq_kd=true"}, "lmbda is 1"},
                 {{teacher, "env=control", "lmbda=1"}, "prompts of its own"},
                 {{teacher, "env=control"}, "no answers"},
                 {{teacher, "max_new_tokens=60"}, "exceed 64 positions"}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rows_job r = {.job = {.shop = &shop, .name = "refused"}, .kind = "distill", .data = "rows.jsonl"};
        for (int k = 0; k < 3; k++) r.job.extra[k] = cases[i].extra[k];
        REFUSED(rows_run(&r), cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_finite_differences),
        cmocka_unit_test(runs_keep_the_promises),
        cmocka_unit_test(a_copy_teaches_nothing),
        cmocka_unit_test(the_policy_becomes_the_teacher),
        cmocka_unit_test(tasks_of_an_environment_are_prompts),
        cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
