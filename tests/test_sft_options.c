/*
 * Options of supervised fine-tuning: losses as TRL computes them, packing, held-out rows, noise on embeddings; and the
 * gradients of the losses through a whole model, by finite differences.
 */
#include "base/math64.h"
#include "golden_json.h"
#include "io/safetensors.h"
#include "offline_jobs.h"
#include "train/dataset.h"
#include "train/pack.h"

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

/* ---- losses ---- */

/* The rows of a golden case in place of what was read from the file. */
static void take_rows(rein_offline *o, struct json_object *micros) {
    rein_dataset *d = &o->data;
    int64_t row = 0;
    for (int64_t m = 0; m < golden_length(micros); m++) {
        struct json_object *c = golden_at(micros, m), *ids = golden_get(c, "input_ids");
        for (int64_t b = 0; b < golden_length(ids); b++, row++) {
            int64_t at = d->first[row], n = 0;
            struct json_object *mask = golden_at(golden_get(c, "attention_mask"), b),
                               *label = golden_at(golden_get(c, "labels"), b);
            for (int64_t t = 0; t < golden_length(mask); t++) n += json_object_get_int64(golden_at(mask, t));
            for (int64_t t = 0; t < n; t++) {
                d->ids[at + t] = json_object_get_int(golden_at(golden_at(ids, b), t));
                d->loss[at + t] = json_object_get_int(golden_at(label, t)) != -100;
            }
            d->first[row + 1] = at + n;
        }
    }
    assert_int_equal(row, 4);
}

static void compare_gradient(const rein_offline *o, const char *file) {
    char path[128];
    rein_tensors *grads;
    snprintf(path, sizeof path, "golden/trl/%s", file);
    OK(rein_tensors_open(&grads, path));
    for (int64_t i = 0; i < o->t.model->n_param; i++) {
        const rein_param *p = &o->t.model->param[i];
        double largest = 0, worst = 0;
        const rein_tensor_view *view = rein_tensors_find(grads, p->name);
        assert_non_null(view);
        const float *want = view->data;
        for (int64_t k = 0; k < p->rows * p->cols; k++) {
            largest = fmax(largest, fabs((double)want[k]));
            worst = fmax(worst, fabs((double)want[k] - (double)o->t.grads.flat[p->offset + k]));
        }
        if (!(worst <= 1e-4 * largest)) fail_msg("%s: %s differs by %g (largest %g)", file, p->name, worst, largest);
    }
    rein_tensors_close(grads);
}

/* A model directory of the golden files, with the workshop's tokenizer. */
static void copy_golden_model(const char *dir) {
    static const char *const file[][2] = {{"golden/models/llama-tied/config.json", "config.json"},
                                          {"golden/models/llama-tied/model.safetensors", "model.safetensors"},
                                          {NULL, "tokenizer.json"}};
    OK(rein_mkdirs(dir));
    for (size_t i = 0; i < REIN_COUNT(file); i++) {
        char from[JOB_PATH], to[JOB_PATH + 32];
        rein_str bytes = {0};
        snprintf(from, sizeof from, "%s/model/tokenizer.json", shop.dir);
        snprintf(to, sizeof to, "%s/%s", dir, file[i][1]);
        OK(rein_file_read(&bytes, file[i][0] ? file[i][0] : from));
        OK(rein_file_write(to, bytes.data, bytes.len));
        rein_str_deinit(&bytes);
    }
}

/* Loss, metrics and gradients of SFTTrainer on a model of transformers: two micro-batches under one num_items_in_batch.
 */
static void losses_are_as_in_trl(void **state) {
    struct json_object *doc = golden_load("golden/trl/sft.json"), *cases = golden_get(doc, "cases");
    rein_str rows = {0};
    (void)state;
    for (int i = 0; i < 4; i++) rein_str_printf(&rows, "{\"text\":\"%s\"}\n", "abcdefgh0123456789");
    rows_file(&shop, "golden.jsonl", rows.data);
    for (int64_t i = 0; i < golden_length(cases); i++) {
        struct json_object *c = golden_at(cases, i), *micros = golden_get(c, "micro_batches");
        const char *name = golden_text(c, "loss_type");
        char type[32], model[JOB_PATH];
        rein_train_args args = {0};
        rein_options opts;
        rein_device *dev;
        rein_offline *o;
        double loss, entropy = 0;
        snprintf(type, sizeof type, "loss_type=%s", name);
        rows_job r = {.job = {.shop = &shop, .name = name, .extra = {type, "shuffle_dataset=false"}},
                      .kind = "sft",
                      .data = "golden.jsonl",
                      .model = "llama"};
        snprintf(model, sizeof model, "%s/llama", shop.dir);
        copy_golden_model(model);
        rows_options(&opts, &args, &r);
        OK(rein_device_open_cpu(&dev, NULL, 1));
        OK(rein_offline_open(&o, &rein_sft_class, &args, dev, NULL));
        take_rows(o, micros);
        OK(rein_offline_gradients(o, &loss));
        golden_near(loss, golden_double(c, "total_loss"), 1e-5, "loss", name);
        for (int64_t u = 0; u < 4; u++) entropy += o->value[1 * o->batch + u] / 30;
        const double want[] = {golden_double(golden_get(golden_at(micros, 0), "metrics"), "entropy"),
                               golden_double(golden_get(golden_at(micros, 1), "metrics"), "entropy")};
        golden_near(entropy, (want[0] * 16 + want[1] * 14) / 30, 1e-5, "entropy", name);
        assert_int_equal(o->forest.n_tok, 47);
        compare_gradient(o, golden_text(c, "grads"));
        rein_offline_close(o);
        rein_device_close(dev);
        rein_options_deinit(&opts);
    }
    rein_str_deinit(&rows);
    json_object_put(doc);
}

static void gradients_are_finite_differences(void **state) {
    static const char *const extra[] = {"loss_type=nll",
                                        "label_smoothing_factor=0.2"}; /* dft's weight takes no gradient */
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(extra); i++) {
        rows_job r = {.job = {.shop = &shop, .name = extra[i], .extra = {extra[i], "microbatch_tokens=30"}},
                      .kind = "sft",
                      .data = "rows.jsonl"};
        assert_true(rows_check_gradient(&r, &rein_sft_class) > 10);
    }
}

/* ---- packing ---- */

/* The placement of TRL's pack_dataset(strategy "bfd", seq_length 10), rows by number. */
static void best_fit_decreasing(void **state) {
    static const int64_t length[] = {3, 7, 2, 10, 5, 5, 1, 4, 6}, unit[] = {3, 1, 0, 8, 7, 4, 5, 2, 6};
    static const int64_t first[] = {0, 1, 3, 5, 7, 9};
    rein_pack p;
    (void)state;
    OK(rein_pack_make(&p, length, REIN_COUNT(length), 10));
    assert_int_equal(p.n_unit, 5);
    assert_memory_equal(p.first, first, sizeof first);
    assert_memory_equal(p.row, unit, sizeof unit);
    rein_pack_deinit(&p);
}

static void every_row_is_in_one_unit(void **state) {
    enum { N = 500, MAX = 97 };
    (void)state;
    for (uint32_t seed = 0; seed < 20; seed++) {
        int64_t length[N], sum = 0;
        bool seen[N] = {false};
        rein_pack p;
        for (uint32_t i = 0; i < N; i++)
            sum += length[i] = 1 + (int64_t)rein_random_below(MAX, seed, REIN_STREAM_DATA, i, 0, 0, 0);
        OK(rein_pack_make(&p, length, N, MAX));
        assert_int_equal(p.first[p.n_unit], N);
        assert_true(p.n_unit >= sum / MAX && p.n_unit < sum / MAX + N / 8);
        for (int64_t u = 0; u < p.n_unit; u++) {
            int64_t tokens = 0;
            for (int64_t i = p.first[u]; i < p.first[u + 1]; i++) {
                assert_false(seen[p.row[i]]);
                seen[p.row[i]] = true;
                tokens += length[p.row[i]];
            }
            assert_in_range(tokens, 1, MAX);
        }
        rein_pack_deinit(&p);
    }
}

static void streams_are_cut_whole(void **state) {
    rein_dataset apart, wrapped, cut;
    rein_tokenizer *tok = workshop_tokenizer();
    rein_dataset_options o = {.max_length = 64, .completion_only = true};
    char path[JOB_PATH];
    (void)state;
    snprintf(path, sizeof path, "%s/rows.jsonl", shop.dir);
    OK(rein_dataset_load(&apart, path, tok, &o));
    const int64_t all = apart.first[apart.n_row];
    o.wrap = true;
    o.max_length = 10;
    OK(rein_dataset_load(&wrapped, path, tok, &o));
    assert_int_equal(wrapped.first[wrapped.n_row], all);
    assert_int_equal(wrapped.n_row, (all + 9) / 10);
    assert_memory_equal(wrapped.ids, apart.ids, (size_t)all * sizeof *apart.ids);
    for (int64_t r = 0; r < wrapped.n_row; r++) assert_int_equal(wrapped.loss[wrapped.first[r]], 0);
    o = (rein_dataset_options){.max_length = 10, .cut = true};
    OK(rein_dataset_load(&cut, path, tok, &o));
    assert_int_equal(cut.first[cut.n_row] + cut.without_loss,
                     all); /* a piece of one token, which nothing predicts, is left out */
    for (int64_t r = 0; r < cut.n_row; r++) assert_in_range(cut.first[r + 1] - cut.first[r], 1, 10);
    rein_dataset_deinit(&apart);
    rein_dataset_deinit(&wrapped);
    rein_dataset_deinit(&cut);
    rein_tokenizer_destroy(tok);
}

/* Packed rows do not see each other: a batch of all units has the loss, entropy and gradient of all rows apart. */
static void packing_changes_no_value(void **state) {
    rein_dataset d;
    rein_pack p;
    rein_tokenizer *tok = workshop_tokenizer();
    rein_dataset_options o = {.max_length = 32, .completion_only = true};
    char path[JOB_PATH], units[64];
    int64_t length[8];
    (void)state;
    snprintf(path, sizeof path, "%s/rows.jsonl", shop.dir);
    OK(rein_dataset_load(&d, path, tok, &o));
    for (int64_t i = 0; i < 8; i++) length[i] = d.first[i + 1] - d.first[i];
    OK(rein_pack_make(&p, length, 8, 32));
    assert_in_range(p.n_unit, 2, 7);
    snprintf(units, sizeof units, "per_device_train_batch_size=%d", (int)p.n_unit);
    rows_job apart = {
        .job = {.shop = &shop,
                .name = "apart",
                .extra = {"per_device_train_batch_size=8", "max_steps=1", "gradient_accumulation_steps=1"}},
        .kind = "sft",
        .data = "rows.jsonl"};
    rows_job packed = apart;
    packed.job.name = "packed";
    packed.job.extra[0] = units;
    packed.job.extra[3] = "packing=true";
    packed.job.extra[4] = "max_length=32";
    OK(rows_run(&apart));
    OK(rows_run(&packed));
    static const char *const same[] = {"loss", "entropy", "grad_norm", "num_tokens"};
    for (size_t i = 0; i < REIN_COUNT(same); i++) /* in another order, so not the same bits */
        golden_near(metric(&packed.job, same[i], 1), metric(&apart.job, same[i], 1), 1e-6, same[i], "packed");
    rein_pack_deinit(&p);
    rein_dataset_deinit(&d);
    rein_tokenizer_destroy(tok);
}

static void packed_runs_keep_the_promises(void **state) {
    static const char *const strategy[] = {"packing_strategy=bfd_split", "packing_strategy=wrapped"};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(strategy); i++)
        rows_promises(
            (rows_job){.job = {.shop = &shop,
                               .name = strategy[i],
                               .extra = {"packing=true", strategy[i], "max_length=24", "neftune_noise_alpha=5"}},
                       .kind = "sft",
                       .data = "rows.jsonl"});
}

/* ---- held-out rows ---- */

/* Measured rows are not trained on: the run is the one on the other rows alone; and the measure is the loss on them. */
static void held_out_rows_are_measured_only(void **state) {
    rein_str train = {0}, held = {0};
    (void)state;
    for (int i = 0; i < 8; i++)
        rein_str_printf(i < 6 ? &train : &held, "{\"prompt\":\"%s\",\"completion\":\"%s\"}\n", row_prompt[i],
                        row_completion[i]);
    rows_file(&shop, "train.jsonl", train.data);
    rows_file(&shop, "held.jsonl", held.data);
    char name[JOB_PATH];
    snprintf(name, sizeof name, "eval_dataset_name=%s/held.jsonl", shop.dir);
    rows_job plain = {.job = {.shop = &shop, .name = "plain"}, .kind = "sft", .data = "train.jsonl"};
    rows_job eval = {.job = {.shop = &shop, .name = "eval", .extra = {name, "eval_steps=2", "neftune_noise_alpha=0"}},
                     .kind = "sft",
                     .data = "train.jsonl"};
    OK(rows_run(&plain));
    OK(rows_run(&eval));
    same_file(&plain.job, &eval.job, "commits.jsonl");
    assert_true(isnan(metric(&eval.job, "eval_loss", 1)));
    for (int64_t step = 2; step <= 6; step += 2) assert_true(metric(&eval.job, "eval_loss", step) > 0);
    assert_true(metric(&eval.job, "eval_entropy", 6) > 0);
    rows_job split = {.job = {.shop = &shop, .name = "split", .extra = {"eval_split_ratio=0.25"}},
                      .kind = "sft",
                      .data = "rows.jsonl"};
    OK(rows_run(&split));
    assert_true(isnan(metric(&split.job, "eval_loss", 5)) && metric(&split.job, "eval_loss", 6) > 0);
    assert_true(metric(&split.job, "epoch", 6) == 6); /* 6 of 8 rows: one batch of 4 an epoch */
    rein_str_deinit(&train);
    rein_str_deinit(&held);
}

/* What the last step measured is what a run from its checkpoint finds as its loss on these rows. */
static void the_measure_is_the_loss(void **state) {
    (void)state;
    rows_job r = {.job = {.shop = &shop,
                          .name = "measured",
                          .extra = {"max_steps=1", "learning_rate=0", "gradient_accumulation_steps=1"}},
                  .kind = "sft",
                  .data = "held.jsonl",
                  .model = "eval/checkpoint-6"};
    job eval = {.shop = &shop, .name = "eval"};
    OK(rows_run(&r));
    golden_near(metric(&r.job, "loss", 1), metric(&eval, "eval_loss", 6), 1e-12, "loss", "held-out rows");
}

/* A measure that does not move ends the run, and the replay of its last step knows it. */
static void held_out_rows_stop_a_run(void **state) {
    (void)state;
    rows_job r = {.job = {.shop = &shop,
                          .name = "stopped",
                          .extra = {"eval_split_ratio=0.25", "eval_steps=1", "learning_rate=0", "save_steps=1",
                                    "metric_for_best_model=eval_loss", "early_stopping_patience=2"}},
                  .kind = "sft",
                  .data = "rows.jsonl"};
    OK(rows_run(&r));
    assert_true(metric(&r.job, "eval_loss", 3) == metric(&r.job, "eval_loss", 1));
    assert_true(isnan(metric(&r.job, "loss", 4)));
    rows_verify(&r, 3);
}

/* ---- noise ---- */

static void noise_is_in_training_only(void **state) {
    (void)state;
    rows_job plain = {.job = {.shop = &shop, .name = "quiet", .extra = {"eval_split_ratio=0.25", "learning_rate=0"}},
                      .kind = "sft",
                      .data = "rows.jsonl"};
    rows_job noisy = plain, more = plain;
    noisy.job.name = "noisy";
    noisy.job.extra[2] = "neftune_noise_alpha=5";
    more.job.name = "noisier";
    more.job.extra[2] = "neftune_noise_alpha=50";
    OK(rows_run(&plain));
    OK(rows_run(&noisy));
    OK(rows_run(&more));
    double quiet = metric(&plain.job, "loss", 1), a = metric(&noisy.job, "loss", 1), b = metric(&more.job, "loss", 1);
    assert_true(a != quiet && fabs(b - quiet) > fabs(a - quiet));
    assert_true(metric(&noisy.job, "loss", 2) != a); /* drawn anew each step */
    assert_true(metric(&plain.job, "eval_loss", 6) == metric(&noisy.job, "eval_loss", 6));
}

/* ---- refusals ---- */

static void contradictions_are_refused(void **state) {
    (void)state;
    const struct {
        const char *extra[2], *text;
    } cases[] = {{{"packing_strategy=wrapped"}, "packing is false"},
                 {{"loss_type=dft", "label_smoothing_factor=0.1"}, "no label smoothing"},
                 {{"eval_split_ratio=0.2", "eval_dataset_name=x"}, "give one of them"},
                 {{"eval_steps=3"}, "eval_dataset_name"},
                 {{"eval_split_ratio=0.01"}, "is no row"}};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rows_job r = {.job = {.shop = &shop, .name = "refused"}, .kind = "sft", .data = "rows.jsonl"};
        for (int k = 0; k < 2; k++) r.job.extra[k] = cases[i].extra[k];
        REFUSED(rows_run(&r), cases[i].text);
    }
    rows_job r = {.job = {.shop = &shop,
                          .name = "refused",
                          .extra = {"packing=true", "packing_strategy=wrapped", "truncation_mode=drop"}},
                  .kind = "sft",
                  .data = "rows.jsonl"};
    REFUSED(rows_run(&r), "cuts rows itself");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_as_in_trl),          cmocka_unit_test(gradients_are_finite_differences),
        cmocka_unit_test(best_fit_decreasing),           cmocka_unit_test(every_row_is_in_one_unit),
        cmocka_unit_test(streams_are_cut_whole),         cmocka_unit_test(packing_changes_no_value),
        cmocka_unit_test(packed_runs_keep_the_promises), cmocka_unit_test(held_out_rows_are_measured_only),
        cmocka_unit_test(the_measure_is_the_loss),       cmocka_unit_test(held_out_rows_stop_a_run),
        cmocka_unit_test(noise_is_in_training_only),     cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
