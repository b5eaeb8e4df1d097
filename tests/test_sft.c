/*
 * The promises of an SFT run: it can learn its rows by heart, and its result depends on nothing but model, data,
 * options and seed; a killed and resumed run is the uninterrupted one.
 */
#include "gen/generate.h"
#include "train_jobs.h"

static workshop shop;
static job base;
static double base_seconds;

static int set_up(void **state) {
    (void)state;
    workshop_make(&shop);
    base = (job){.shop = &shop, .name = "base"};
    double start = rein_clock();
    assert_int_equal(job_wait(job_spawn(&base)), 0);
    base_seconds = rein_clock() - start;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(shop.dir) != REIN_OK;
}

static void equals(job j) {
    j.shop = &shop;
    OK(job_run(&j));
    same_run(&base, &j);
}

static void nothing_else_counts(void **state) {
    (void)state;
    equals((job){.name = "threads2", .threads = 2});
    equals((job){.name = "threads4", .threads = 4});
    equals((job){.name = "whole", .extra = {"microbatch_tokens=0"}});
    equals((job){.name = "split", .extra = {"microbatch_tokens=30"}}); /* a row or two a part */
    equals((job){.name = "least", .extra = {"microbatch_tokens=1"}});
    for (const char *const *isa = rein_cpu_isas(); *isa; isa++) equals((job){.name = *isa, .isa = *isa});
}

static void logical_batches_share_one_mean(void **state) {
    (void)state;
    equals((job){.name = "accumulated", .extra = {"per_device_train_batch_size=1", "gradient_accumulation_steps=8"}});
}

static void a_killed_run_resumes_to_the_same(void **state) {
    (void)state;
    job one = {.shop = &shop, .name = "kill1", .extra = {"save_steps=1"}};
    job two = {.shop = &shop, .name = "kill2"};
    job_with_kills(one, base_seconds, 3, 5);
    same_run(&base, &one);
    job_with_kills(two, base_seconds, 1, 6);
    same_run(&base, &two);
}

static void a_replayed_step_must_be_the_recorded_one(void **state) {
    (void)state;
    job j = {.shop = &shop, .name = "again"};
    OK(job_run(&j));
    remove_job_file(&j, "checkpoint-6");
    j.resume = true;
    OK(job_run(&j));
    same_run(&base, &j);
    remove_job_file(&j, "checkpoint-6");
    flip_near_end(&j, "commits.jsonl", 5);
    FAILS_WITH(REIN_ERR_MISMATCH, job_run(&j));
    assert_non_null(strstr(rein_error_message(), "step 6"));
}

/* ---- by heart ---- */

static void says_the_completion(const rein_model *m, const rein_tokenizer *tok, int row) {
    rein_ids ids = {0};
    rein_str text = {0};
    rein_gen gen;
    int32_t eos = 0;
    OK(rein_tokenizer_encode(tok, row_prompt[row], strlen(row_prompt[row]), &ids));
    rein_gen_prompt prompt = {.ids = ids.data, .n = ids.n, .samples = 1};
    rein_gen_options o = {.sampling = {.top_p = 1},
                          .max_new_tokens = 24,
                          .max_batch = 1,
                          .stream = REIN_STREAM_EVAL,
                          .eos = &eos,
                          .n_eos = 1};
    OK(rein_generate(&gen, m, &prompt, 1, &o, NULL, NULL));
    assert_int_equal(gen.seq[0].finish, REIN_FINISH_EOS);
    OK(rein_tokenizer_decode(tok, gen.seq[0].ids, gen.seq[0].n - 1, false, &text));
    rein_str_putc(&text, '\0');
    assert_string_equal(text.data, row_completion[row]);
    rein_gen_deinit(&gen);
    rein_str_deinit(&text);
    rein_ids_deinit(&ids);
}

static void eight_rows_by_heart(void **state) {
    (void)state;
    char path[JOB_PATH];
    rein_device *dev;
    rein_model *m;
    rein_tokenizer *tok;
    job j = {.shop = &shop, .name = "heart", .extra = {"max_steps=150", "lr_scheduler_type=constant", "save_steps=0"}};
    OK(job_run(&j));
    assert_true(metric(&j, "loss", 1) > 2);
    if (!(metric(&j, "loss", 150) < 0.05)) fail_msg("loss %g after 150 steps", metric(&j, "loss", 150));
    assert_true(metric(&j, "mean_token_accuracy", 1) < 0.5 && metric(&j, "mean_token_accuracy", 150) > 0.99);
    OK(rein_device_open_cpu(&dev, NULL, 1));
    job_path(path, &j, "checkpoint-150");
    OK(rein_start_model(&m, &tok, path, dev, NULL));
    for (int row = 0; row < 8; row++) says_the_completion(m, tok, row);
    rein_model_destroy(m);
    rein_tokenizer_destroy(tok);
    rein_device_close(dev);
}

int main(int argc, char **argv) {
    if (argc > 6 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_else_counts),
        cmocka_unit_test(logical_batches_share_one_mean),
        cmocka_unit_test(a_killed_run_resumes_to_the_same),
        cmocka_unit_test(a_replayed_step_must_be_the_recorded_one),
        cmocka_unit_test(eight_rows_by_heart),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
