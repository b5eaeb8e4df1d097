/*
 * Training runs of adapters: their result depends on model, options and seed alone, a killed and resumed run is the
 * uninterrupted one, the reference is the one that was named, and an option that nothing would read is refused.
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

static job lora_job(bool grpo, const char *name) {
    return (job){.shop = &shop, .grpo = grpo, .name = name,
                 .extra = {"use_peft=true", "lora_r=4", "max_steps=5", "save_steps=2"}};
}

static void add_extra(job *j, const char *pair) {
    int i = 0;
    while (j->extra[i]) i++;
    assert_true(i < JOB_EXTRA - 1);
    j->extra[i] = pair;
}

static void same_adapter_run(const job *a, const job *b) {
    same_file(a, b, "metrics.jsonl");
    same_file(a, b, "commits.jsonl");
    same_file(a, b, "checkpoint-5/adapter_model.safetensors");
    same_file(a, b, "checkpoint-5/adapter_config.json");
    same_file(a, b, "checkpoint-5/optimizer_m.safetensors");
}

static void check_exact(bool grpo, const char *kind) {
    char name[4][32];
    static const char *const what[] = {"base", "cut", "resumed", "dora"};
    for (int i = 0; i < 4; i++) snprintf(name[i], sizeof name[i], "%s-%s", kind, what[i]);
    job base = lora_job(grpo, name[0]), cut = lora_job(grpo, name[1]), killed = lora_job(grpo, name[2]);
    OK(job_run(&base));
    add_extra(&cut, "microbatch_tokens=20");
    cut.threads = 3;
    cut.isa = "ref";
    OK(job_run(&cut));
    same_adapter_run(&base, &cut);
    killed.die_at = 4;
    assert_int_equal(job_wait(job_spawn(&killed)), -1);
    killed.die_at = 0;
    killed.resume = true;
    OK(job_run(&killed));
    same_adapter_run(&base, &killed);
    for (int64_t step = 1; step <= 5; step++) assert_true(metric(&base, "grad_norm", step) > 0);
    job dora = lora_job(grpo, name[3]);
    add_extra(&dora, "use_dora=true");
    add_extra(&dora, "use_rslora=true");
    OK(job_run(&dora));
    assert_true(metric(&dora, "loss", 5) != metric(&base, "loss", 5));
}

static void sft_is_exact(void **state) {
    (void)state;
    check_exact(false, "sft");
}

static void grpo_is_exact(void **state) {
    (void)state;
    job j = {.shop = &shop, .name = "grpo-base", .grpo = true};
    check_exact(true, "grpo");
    for (int64_t step = 1; step <= 5; step++) {
        assert_true(metric(&j, "ratio/mean", step) == 1);
        assert_true(metric(&j, "ratio/max_deviation", step) == 0);
    }
}

/* ---- options that count ---- */

static void dropout_counts_and_is_recorded(void **state) {
    (void)state;
    job j = lora_job(true, "dropout"), cut = lora_job(true, "dropout-cut");
    char path[JOB_PATH];
    rein_rundir *run;
    rein_arena arena = {0};
    const char *note;
    add_extra(&j, "lora_dropout=0.2");
    add_extra(&cut, "lora_dropout=0.2");
    add_extra(&cut, "microbatch_tokens=20");
    OK(job_run(&j));
    OK(job_run(&cut));
    same_adapter_run(&j, &cut);
    assert_true(metric(&j, "ratio/max_deviation", 3) > 0);
    job_path(path, &j, "");
    OK(rein_rundir_open(&run, path, false));
    OK(rein_read_note(run, &arena, "adapter.dropout", &note));
    assert_non_null(note);
    assert_non_null(strstr(note, "not 1"));
    rein_arena_deinit(&arena);
    rein_rundir_close(run);
}

static void the_reference_is_named(void **state) {
    (void)state;
    char adapter[JOB_PATH + 16], first[JOB_PATH];
    job init = lora_job(true, "ref-init"), base = lora_job(true, "ref-base"), on = lora_job(true, "ref-on"),
        on_base = lora_job(true, "ref-on-base");
    add_extra(&init, "beta=0.04");
    add_extra(&init, "ref_model=init");
    OK(job_run(&init));
    assert_true(metric(&init, "kl", 1) == 0);
    assert_true(metric(&init, "kl", 3) > 0);
    add_extra(&base, "beta=0.04");
    add_extra(&base, "ref_model=base");
    OK(job_run(&base));
    assert_true(metric(&base, "kl", 1) == 0); /* a new adapter is the base */
    job_path(first, &init, "checkpoint-5");
    snprintf(adapter, sizeof adapter, "adapter=%s", first);
    job *const later[] = {&on, &on_base};
    for (int i = 0; i < 2; i++) {
        later[i]->extra[1] = adapter; /* its rank is the adapter's own */
        add_extra(later[i], "beta=0.04");
        add_extra(later[i], i == 0 ? "ref_model=init" : "ref_model=base");
        OK(job_run(later[i]));
    }
    assert_true(metric(&on, "kl", 1) == 0);
    assert_true(metric(&on_base, "kl", 1) > 0);
}

static void changed_parameters_are_counted(void **state) {
    (void)state;
    job j = lora_job(false, "changed"), full = {.shop = &shop, .name = "changed-full", .extra = {"log_params_changed=true"}};
    add_extra(&j, "log_params_changed=true");
    OK(job_run(&j));
    OK(job_run(&full));
    double first = metric(&j, "frac_params_changed", 1); /* B is zero, so A has no gradient yet */
    assert_true(first > 0.2 && first < 0.8);
    assert_true(metric(&j, "frac_params_changed", 3) > 0.99);
    assert_true(metric(&full, "frac_params_changed", 3) > 0.5);
}

static void refused(job j, const char *pair, const char *named) {
    j.name = "refused";
    if (pair) add_extra(&j, pair);
    FAILS_WITH(REIN_ERR_USAGE, job_run(&j));
    if (!strstr(rein_error_message(), named)) fail_msg("'%s' does not name %s", rein_error_message(), named);
}

static void what_nothing_reads_is_refused(void **state) {
    (void)state;
    char adapter[JOB_PATH + 24], path[JOB_PATH];
    job full = {.shop = &shop}, made = lora_job(false, "made"), on = lora_job(false, "on");
    refused(full, "lora_r=8", "lora_r");
    refused(full, "use_dora=true", "use_dora");
    refused(full, "lora_dropout=0.1", "lora_dropout");
    refused(full, "adapter=x", "use_peft is false");
    OK(job_run(&made));
    job_path(path, &made, "checkpoint-5");
    snprintf(adapter, sizeof adapter, "adapter=%s", path);
    refused(on, adapter, "lora_r"); /* the adapter has its own */
    rein_train_args args = {.model_name_or_path = path, .lora_target_modules = "all-linear", .lora_r = 16, .lora_alpha = 32};
    rein_model *model;
    rein_tokenizer *tok;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    FAILS_WITH(REIN_ERR_USAGE, rein_start_policy(&model, &tok, &args, dev));
    assert_non_null(strstr(rein_error_message(), "give use_peft"));
    rein_device_close(dev);
    snprintf(adapter, sizeof adapter, "adapter=%s/model", shop.dir);
    on.extra[1] = adapter;
    refused(on, NULL, "no adapter");
}

int main(int argc, char **argv) {
    if (argc > 6 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sft_is_exact),
        cmocka_unit_test(grpo_is_exact),
        cmocka_unit_test(dropout_counts_and_is_recorded),
        cmocka_unit_test(the_reference_is_named),
        cmocka_unit_test(changed_parameters_are_counted),
        cmocka_unit_test(what_nothing_reads_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
