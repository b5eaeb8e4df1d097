/*
 * The transformer against transformers' own numbers (golden/models, golden/families): logits, log-probs, greedy
 * continuations and the gradient of every parameter, for every family, with every kind of kernels that this machine has.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "gen/generate.h"
#include "io/safetensors.h"
#include "model/leaf.h"
#include "testing.h"

static const char *const models[] = {
    "models/llama-tied",       "models/llama3-rope",      "models/qwen2",          "models/qwen3",
    "models/qwen3-untied",     "models/llama-bf16",       "models/smollm-like",    "families/llama1",
    "families/llama-linear",   "families/llama-yarn",     "families/llama-dynamic", "families/mistral",
    "families/mistral-full",   "families/qwen2-window",   "families/qwen3-window", "families/qwen3-yarn",
    "families/smollm3",        "families/smollm3-window"};

enum { LONGEST = 40 }; /* tokens of the longest row or continuation, for which `dynamic` makes its frequencies */

typedef struct fixture {
    rein_device *dev;
    rein_model *model;
    rein_tensors *want;
    rein_forest forest;
    rein_forest_plan plan;
    rein_leaf leaf;
    int64_t B, T;
    const int32_t *ids;
} fixture;

static const float *golden(const fixture *f, const char *name, int64_t *n) {
    const rein_tensor_view *v = rein_tensors_find(f->want, name);
    assert_non_null(v);
    if (n) *n = v->n;
    return v->data;
}

static void open_fixture(fixture *f, const char *name, const char *isa) {
    char path[256];
    *f = (fixture){0};
    OK(rein_device_open_cpu(&f->dev, isa, 2));
    snprintf(path, sizeof path, "golden/%s", name);
    OK(rein_model_load(&f->model, path, f->dev, &(rein_model_options){.max_pos = LONGEST}));
    snprintf(path, sizeof path, "golden/%s/expected.safetensors", name);
    OK(rein_tensors_open(&f->want, path));
    const rein_tensor_view *v = rein_tensors_find(f->want, "ids");
    assert_non_null(v);
    f->B = v->shape[0];
    f->T = v->shape[1];
    f->ids = v->data;
    uint8_t want[64];
    memset(want, 1, sizeof want);
    want[0] = 0;
    for (int64_t b = 0; b < f->B; b++) OK(rein_forest_add(&f->forest, -1, f->ids + b * f->T, want, f->T, NULL));
    OK(rein_forest_plan_make(&f->plan, &f->forest, 0));
    OK(rein_leaf_init(&f->leaf, f->model));
    rein_leaf_sampling sampling = {.temperature = 1};
    OK(rein_leaf_begin(&f->leaf, &f->forest, &f->plan, &sampling));
}

static void close_fixture(fixture *f) {
    rein_leaf_deinit(&f->leaf);
    rein_forest_plan_deinit(&f->plan);
    rein_forest_deinit(&f->forest);
    rein_tensors_close(f->want);
    rein_model_destroy(f->model);
    rein_device_close(f->dev);
}

static double worst(const float *a, const float *b, int64_t n) {
    double d = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = fabs((double)a[i] - (double)b[i]);
        if (!(e <= d)) d = e;
    }
    return d;
}

static void check_logits(fixture *f, const char *name) {
    int64_t n, V = f->model->cfg.V;
    const float *want = golden(f, "logits", &n);
    double bad = 0;
    for (int64_t row = 0; row < f->B * f->T; row++) {
        float *logits;
        OK(rein_head_logits(&f->leaf.pass, &row, 1, &logits));
        double d = worst(logits, want + row * V, V);
        if (!(d <= bad)) bad = d;
    }
    if (!(bad <= 2e-4)) fail_msg("%s: logits differ by %g", name, bad);
}

static void check_gradients(fixture *f, const char *name, const float *logp) {
    rein_grads g;
    OK(rein_grads_init(&g, f->model));
    float dlogp[256];
    double sum = 0;
    int64_t n_read = f->B * (f->T - 1);
    for (int64_t t = 0; t < f->forest.n_tok; t++) dlogp[t] = -1.0f / (float)n_read;
    for (int64_t t = 0; t < f->forest.n_tok; t++) sum -= f->forest.want[t] ? (double)logp[t] : 0;
    OK(rein_leaf_backward(&f->leaf, &(rein_leaf_gradient){.logp = dlogp}, &g));
    rein_grads_finish(&g, f->model);
    for (int64_t i = 0; i < f->model->n_param; i++) {
        const rein_param *p = &f->model->param[i];
        char key[128];
        int64_t n;
        snprintf(key, sizeof key, "grad.%s", p->name);
        const float *want = golden(f, key, &n);
        assert_int_equal(n, p->rows * p->cols);
        double largest = 0;
        for (int64_t k = 0; k < n; k++) largest = fmax(largest, fabs((double)want[k]));
        double d = worst(g.flat + p->offset, want, n);
        if (!(d <= 1e-4 * largest)) fail_msg("%s: gradient of %s differs by %g (largest %g)", name, p->name, d, largest);
    }
    rein_grads_deinit(&g);
}

static void check_greedy(fixture *f, const char *name) {
    int64_t n;
    const int32_t *want = (const int32_t *)(const void *)golden(f, "greedy", &n);
    int64_t len = n / f->B, given = 10;
    rein_gen_options o = {.sampling = {.top_p = 1}, .max_new_tokens = len - given, .max_batch = 8};
    rein_gen_prompt prompts[8];
    for (int64_t b = 0; b < f->B; b++)
        prompts[b] = (rein_gen_prompt){.ids = f->ids + b * f->T, .n = given, .id = (uint32_t)b, .samples = 1};
    rein_gen gen;
    OK(rein_generate(&gen, f->model, prompts, f->B, &o, NULL, NULL));
    for (int64_t b = 0; b < f->B; b++)
        for (int64_t t = 0; t < len - given; t++)
            if (gen.seq[b].ids[t] != want[b * len + given + t])
                fail_msg("%s: greedy token %d of row %d is %d, expected %d", name, (int)t, (int)b, gen.seq[b].ids[t],
                         want[b * len + given + t]);
    rein_gen_deinit(&gen);
}

static void agrees_with_transformers(void **state) {
    (void)state;
    for (const char *const *isa = rein_cpu_isas(); *isa; isa++)
        for (size_t i = 0; i < REIN_COUNT(models); i++) {
            fixture f;
            float logp[256];
            open_fixture(&f, models[i], *isa);
            OK(rein_leaf_forward(&f.leaf, 0, &(rein_leaf_values){.logp = logp}));
            check_logits(&f, models[i]);
            const float *want = golden(&f, "logp", NULL);
            for (int64_t b = 0; b < f.B; b++) {
                double d = worst(logp + b * f.T + 1, want + b * (f.T - 1), f.T - 1);
                if (!(d <= 2e-4)) fail_msg("%s: log-probs differ by %g", models[i], d);
            }
            check_gradients(&f, models[i], logp);
            check_greedy(&f, models[i]);
            close_fixture(&f);
        }
}

/* Save and load again: the same bytes of weights and the same configuration. */
static void survives_a_round_trip(void **state) {
    (void)state;
    char dir[] = "/tmp/rein-model-XXXXXX";
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < REIN_COUNT(models); i++) {
        char path[128], first[REIN_XXH_HEX], second[REIN_XXH_HEX];
        fixture f;
        rein_model *again;
        open_fixture(&f, models[i], "ref");
        OK(rein_model_save(f.model, dir));
        OK(rein_model_load(&again, dir, f.dev, &(rein_model_options){.max_pos = LONGEST}));
        rein_model_hash(f.model, first);
        rein_model_hash(again, second);
        assert_string_equal(first, second);
        assert_memory_equal(f.model->cfg.window, again->cfg.window, sizeof again->cfg.window);
        assert_memory_equal(f.model->cfg.no_rope, again->cfg.no_rope, sizeof again->cfg.no_rope);
        assert_memory_equal(f.model->rope, again->rope, (size_t)(LONGEST * again->cfg.D) * sizeof(float));
        rein_model_destroy(again);
        close_fixture(&f);
        snprintf(path, sizeof path, "%s/model.safetensors", dir);
        assert_true(rein_path_exists(path));
    }
    OK(rein_remove_tree(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_transformers),
                                       cmocka_unit_test(survives_a_round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
