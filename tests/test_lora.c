/*
 * Adapters against PEFT's own numbers (golden/peft): logits, merged weights and gradients; and the first promise with an
 * adapter: what the sampler records is, bit for bit, what the trainer computes, on a base that stays in the file's type.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "gen/generate.h"
#include "model/leaf.h"
#include "model/lora.h"
#include "testing.h"

static const char *const adapters[] = {"llama-all",         "llama-dora",     "llama-layers",    "llama-rslora",
                                       "qwen2-attn",        "qwen3-all",      "qwen3-dora-rslora", "qwen3-patterns",
                                       "untied-save-embed", "untied-save-lm_head"};

static char scratch[64];

static int set_up(void **state) {
    (void)state;
    strcpy(scratch, "/tmp/rein-lora-XXXXXX");
    return mkdtemp(scratch) == NULL;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(scratch) != REIN_OK;
}

static rein_status load(rein_model **m, rein_device *dev, const char *base, const char *adapter) {
    char path[256];
    rein_model_options o = {.adapter = adapter};
    snprintf(path, sizeof path, "golden/models/%s", base);
    return rein_model_load(m, path, dev, &o);
}

/* ---- texts ---- */

typedef struct texts {
    rein_forest forest;
    rein_forest_plan plan;
    rein_leaf leaf;
    float *logp, *dlogp;
} texts;

/* B rows of T ids, each a span of its own, every token but the first read. */
static void open_texts(texts *t, const rein_model *m, const int32_t *ids, int64_t B, int64_t T, int64_t microbatch) {
    uint8_t want[64];
    rein_leaf_sampling how = {.temperature = 1};
    *t = (texts){0};
    memset(want, 1, sizeof want);
    want[0] = 0;
    for (int64_t b = 0; b < B; b++) OK(rein_forest_add(&t->forest, -1, ids + b * T, want, T, NULL));
    OK(rein_forest_plan_make(&t->plan, &t->forest, microbatch));
    OK(rein_leaf_init(&t->leaf, m));
    OK(rein_leaf_begin(&t->leaf, &t->forest, &t->plan, &how));
    OK(rein_alloc(&t->logp, B * T, sizeof(float)));
    OK(rein_alloc(&t->dlogp, B * T, sizeof(float)));
    for (int64_t i = 0; i < B * T; i++) t->dlogp[i] = -1.0f / (float)(B * (T - 1));
}

static void close_texts(texts *t) {
    rein_leaf_deinit(&t->leaf);
    rein_forest_plan_deinit(&t->plan);
    rein_forest_deinit(&t->forest);
    rein_free(t->logp);
    rein_free(t->dlogp);
}

static void forward(texts *t, const rein_model *m, rein_grads *g) {
    for (int64_t p = 0; p < t->plan.n_part; p++) {
        OK(rein_leaf_forward(&t->leaf, p, &(rein_leaf_values){.logp = t->logp}));
        if (g) OK(rein_leaf_backward(&t->leaf, &(rein_leaf_gradient){.logp = t->dlogp}, g));
    }
    if (g) rein_grads_finish(g, m);
}

static void fill_ids(int32_t *ids, int64_t n, int64_t V) {
    for (int64_t t = 0; t < n; t++)
        ids[t] = (int32_t)rein_random_below((uint64_t)V, 3, REIN_STREAM_DATA, (uint32_t)t, 0, 0, 0);
}

/* Log-probs of some text, for comparing bytes. */
static void some_logp(const rein_model *m, float out[48]) {
    int32_t ids[48];
    texts t;
    fill_ids(ids, 48, m->cfg.V);
    open_texts(&t, m, ids, 2, 24, 0);
    forward(&t, m, NULL);
    memcpy(out, t.logp, 48 * sizeof *out);
    close_texts(&t);
}

/* ---- golden ---- */

static double worst(const float *a, const float *b, int64_t n) {
    double d = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = fabs((double)a[i] - (double)b[i]);
        if (!(e <= d)) d = e;
    }
    return d;
}

static const rein_tensor_view *golden(const rein_tensors *t, const char *name) {
    const rein_tensor_view *v = rein_tensors_find(t, name);
    if (!v) fail_msg("no golden '%s'", name);
    return v;
}

static double worst_logits(texts *t, const rein_model *m, const rein_tensor_view *want) {
    int64_t V = m->cfg.V, rows = want->n / V;
    double bad = 0;
    for (int64_t row = 0; row < rows; row++) {
        float *logits;
        OK(rein_head_logits(&t->leaf.pass, &row, 1, &logits));
        double d = worst(logits, (const float *)want->data + row * V, V);
        if (!(d <= bad)) bad = d;
    }
    return bad;
}

static void check_gradients(texts *t, const rein_model *m, const rein_tensors *want, const char *name) {
    rein_grads g;
    char key[128];
    OK(rein_grads_init(&g, m));
    forward(t, m, &g);
    for (int64_t i = 0; i < m->n_param; i++) {
        const rein_param *p = &m->param[i];
        snprintf(key, sizeof key, "grad.%s", p->name);
        const rein_tensor_view *v = golden(want, key);
        const float *x = v->data;
        double largest = 0;
        assert_int_equal(v->n, p->rows * p->cols);
        for (int64_t k = 0; k < v->n; k++) largest = fmax(largest, fabs((double)x[k]));
        double d = worst(g.flat + p->offset, x, v->n);
        if (!(d <= 2e-4 * largest)) fail_msg("%s: gradient of %s differs by %g (largest %g)", name, p->name, d, largest);
    }
    rein_grads_deinit(&g);
}

static void check_merged(const rein_model *m, rein_device *dev, const rein_tensors *want, const char *name) {
    const rein_tensor_view *ids = golden(want, "ids");
    char dir[128];
    rein_model *merged;
    texts t;
    snprintf(dir, sizeof dir, "%s/%s", scratch, name);
    OK(rein_mkdirs(dir));
    OK(rein_model_merge(m, dir));
    OK(rein_model_load(&merged, dir, dev, NULL));
    open_texts(&t, merged, ids->data, ids->shape[0], ids->shape[1], 0);
    forward(&t, merged, NULL);
    double theirs = worst_logits(&t, merged, golden(want, "logits_merged"));
    double active = worst_logits(&t, merged, golden(want, "logits"));
    if (!(theirs <= 3e-4 && active <= 3e-4)) fail_msg("%s merged: logits differ by %g and %g", name, theirs, active);
    close_texts(&t);
    rein_model_destroy(merged);
}

static void check_golden(const char *name, const char *isa) {
    char path[256], base[64];
    rein_device *dev;
    rein_model *m;
    rein_tensors *want;
    texts t;
    struct json_object *doc;
    const char *text;
    snprintf(path, sizeof path, "golden/peft/%s/expected.json", name);
    OK(rein_json_load(&doc, path));
    OK(rein_json_string(&text, NULL, doc, "base"));
    snprintf(base, sizeof base, "%s", text + strlen("models/"));
    json_object_put(doc);
    OK(rein_device_open_cpu(&dev, isa, 2));
    snprintf(path, sizeof path, "golden/peft/%s", name);
    OK(load(&m, dev, base, path));
    snprintf(path, sizeof path, "golden/peft/%s/expected.safetensors", name);
    OK(rein_tensors_open(&want, path));
    const rein_tensor_view *ids = golden(want, "ids");
    open_texts(&t, m, ids->data, ids->shape[0], ids->shape[1], 0);
    forward(&t, m, NULL);
    double d = worst_logits(&t, m, golden(want, "logits"));
    if (!(d <= 3e-4)) fail_msg("%s: logits differ by %g", name, d);
    check_gradients(&t, m, want, name);
    if (!isa) check_merged(m, dev, want, name);
    close_texts(&t);
    rein_tensors_close(want);
    rein_model_destroy(m);
    rein_device_close(dev);
}

static void as_peft_has_it(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(adapters); i++) {
        check_golden(adapters[i], NULL);
        check_golden(adapters[i], "ref");
    }
}

/* ---- sampler and trainer ---- */

/* A new adapter with B, magnitudes and biases moved by a step along the gradient of some text, so that they count. */
static rein_model *moved(rein_device *dev, const char *base, bool dora) {
    char path[128];
    rein_lora_config c = rein_lora_config_default();
    rein_model_options o = {.lora = &c, .seed = 5};
    rein_model *m;
    rein_grads g;
    int32_t ids[48];
    texts t;
    c.r = 5;
    c.use_dora = dora;
    c.bias = REIN_LORA_BIAS_ALL;
    snprintf(path, sizeof path, "golden/models/%s", base);
    OK(rein_model_load(&m, path, dev, &o));
    OK(rein_grads_init(&g, m));
    fill_ids(ids, 48, m->cfg.V);
    for (int k = 0; k < 2; k++) { /* the first step moves B, the second one A too */
        open_texts(&t, m, ids, 2, 24, 0);
        rein_grads_zero(&g, m);
        forward(&t, m, &g);
        for (int64_t i = 0; i < m->n_float; i++) m->w[i] -= 0.5f * g.flat[i];
        rein_model_pack(m);
        close_texts(&t);
    }
    rein_grads_deinit(&g);
    return m;
}

static void sampled_is_trained(const rein_model *m) {
    enum { P = 3, NEW = 12 };
    int32_t prompt[P][20];
    rein_gen_prompt list[P];
    rein_gen_options o = {.sampling = {.temperature = 1, .top_p = 1}, .max_new_tokens = NEW, .max_batch = 4, .seed = 5,
                          .stream = REIN_STREAM_SAMPLE};
    rein_gen gen;
    for (uint32_t p = 0; p < P; p++) {
        fill_ids(prompt[p], 20, m->cfg.V);
        list[p] = (rein_gen_prompt){.ids = prompt[p], .n = 3 + 8 * p, .id = p, .samples = 3};
    }
    OK(rein_generate(&gen, m, list, P, &o, NULL, NULL));
    for (int64_t q = 0; q < gen.n_seq; q++) {
        int32_t row[40];
        texts t;
        int64_t n = list[gen.seq[q].prompt].n;
        memcpy(row, list[gen.seq[q].prompt].ids, (size_t)n * sizeof *row);
        memcpy(row + n, gen.seq[q].ids, (size_t)gen.seq[q].n * sizeof *row);
        open_texts(&t, m, row, 1, n + gen.seq[q].n, 0);
        forward(&t, m, NULL);
        assert_memory_equal(gen.seq[q].logp, t.logp + n, (size_t)gen.seq[q].n * sizeof(float));
        close_texts(&t);
    }
    rein_gen_deinit(&gen);
}

static void sampler_is_the_trainer(void **state) {
    (void)state;
    static const char *const bases[] = {"llama-bf16", "qwen2", "qwen3"};
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    for (size_t b = 0; b < REIN_COUNT(bases); b++)
        for (int dora = 0; dora < 2; dora++) {
            rein_model *m = moved(dev, bases[b], dora);
            if (b == 0) {
                assert_int_equal(m->layer[0].qkv.part[0].w.dtype, REIN_BF16);
                assert_null(m->layer[0].qkv.part[0].w.packed);
            }
            sampled_is_trained(m);
            rein_model_destroy(m);
        }
    rein_device_close(dev);
}

/* Frozen, in the file's type, or widened and trainable: the same numbers and the same hash. */
static void frozen_is_the_same_model(void **state) {
    (void)state;
    static const char *const bases[] = {"golden/models/llama-bf16", "golden/models/qwen2", "golden/models/qwen3-untied"};
    rein_model_options frozen = {.frozen = true};
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (size_t b = 0; b < REIN_COUNT(bases); b++) {
        rein_model *full, *still;
        float x[48], y[48];
        char hx[REIN_XXH_HEX], hy[REIN_XXH_HEX];
        OK(rein_model_load(&full, bases[b], dev, NULL));
        OK(rein_model_load(&still, bases[b], dev, &frozen));
        assert_int_equal(still->n_param, 0);
        some_logp(full, x);
        some_logp(still, y);
        assert_memory_equal(x, y, sizeof x);
        rein_model_hash(full, hx);
        rein_model_hash(still, hy);
        assert_string_equal(hx, hy);
        assert_int_equal(rein_model_count(full), rein_model_count(still));
        rein_model_destroy(full);
        rein_model_destroy(still);
    }
    rein_device_close(dev);
}

/* A new adapter changes nothing yet. */
static void a_new_adapter_is_the_base(void **state) {
    (void)state;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (int dora = 0; dora < 2; dora++) {
        rein_lora_config c = rein_lora_config_default();
        rein_model_options o = {.lora = &c, .seed = 9}, frozen = {.frozen = true};
        rein_model *base, *m;
        float x[48], y[48];
        c.use_dora = dora;
        OK(rein_model_load(&base, "golden/models/qwen3", dev, &frozen));
        OK(rein_model_load(&m, "golden/models/qwen3", dev, &o));
        some_logp(base, x);
        some_logp(m, y);
        assert_true(worst(x, y, 48) <= (dora ? 1e-6 : 0));
        rein_model_destroy(base);
        rein_model_destroy(m);
    }
    rein_device_close(dev);
}

/* ---- gradients: any cut, with dropout ---- */

static void gradient_hash(const rein_model *m, int64_t microbatch, float p, char hex[REIN_XXH_HEX]) {
    int32_t ids[160];
    rein_grads g;
    texts t;
    fill_ids(ids, 160, m->cfg.V);
    OK(rein_grads_init(&g, m));
    open_texts(&t, m, ids, 8, 20, microbatch);
    t.leaf.pass.dropout = (rein_dropout){p, 77};
    forward(&t, m, &g);
    rein_params_hash(m, g.flat, hex);
    close_texts(&t);
    rein_grads_deinit(&g);
}

static void no_cut_changes_a_gradient(void **state) {
    (void)state;
    char want[REIN_XXH_HEX], got[REIN_XXH_HEX], dry[REIN_XXH_HEX];
    for (int dora = 0; dora < 2; dora++)
        for (int threads = 1; threads <= 3; threads++) {
            rein_device *dev;
            OK(rein_device_open_cpu(&dev, NULL, threads));
            rein_model *m = moved(dev, "llama-bf16", dora);
            if (threads == 1) gradient_hash(m, 0, 0.3f, want);
            for (int64_t microbatch = 0; microbatch < 90; microbatch += 40) {
                gradient_hash(m, microbatch, 0.3f, got);
                assert_string_equal(want, got);
            }
            gradient_hash(m, 0, 0, dry);
            assert_string_not_equal(want, dry);
            rein_model_destroy(m);
            rein_device_close(dev);
        }
}

/* Along the gradient the loss changes as it says, with dropout too: the mask is the same in both directions. */
static void gradient_matches_differences(void **state) {
    (void)state;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    rein_model *m = moved(dev, "qwen2", false);
    int32_t ids[48];
    rein_grads g;
    texts t;
    double loss[2] = {0, 0}, norm = 0, h = 1e-3; /* the loss is strongly curved here: at 1e-2 its third order shows */
    fill_ids(ids, 48, m->cfg.V);
    OK(rein_grads_init(&g, m));
    open_texts(&t, m, ids, 2, 24, 0);
    t.leaf.pass.dropout = (rein_dropout){0.25f, 99};
    forward(&t, m, &g);
    for (int64_t i = 0; i < m->n_float; i++) norm += (double)g.flat[i] * (double)g.flat[i];
    norm = sqrt(norm);
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < m->n_float; i++)
            m->w[i] += (float)((side ? -2 * h : h) * (double)g.flat[i] / norm);
        rein_model_pack(m);
        forward(&t, m, NULL);
        for (int64_t i = 0; i < 48; i++) loss[side] -= t.forest.want[i] ? (double)t.logp[i] / 46 : 0;
    }
    double slope = (loss[0] - loss[1]) / (2 * h);
    if (!(fabs(slope - norm) <= 0.02 * norm)) fail_msg("slope %g, gradient %g", slope, norm);
    close_texts(&t);
    rein_grads_deinit(&g);
    rein_model_destroy(m);
    rein_device_close(dev);
}

/* ---- files ---- */

static void written_and_read_again(void **state) {
    (void)state;
    rein_device *dev;
    rein_model *again, *direct, *merged;
    char dir[128], hx[REIN_XXH_HEX], hy[REIN_XXH_HEX];
    float x[48], y[48];
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (int dora = 0; dora < 2; dora++) {
        rein_model *m = moved(dev, "qwen2", dora);
        some_logp(m, x);
        snprintf(dir, sizeof dir, "%s/written-%d", scratch, dora);
        OK(rein_mkdirs(dir));
        OK(rein_model_save(m, dir));
        OK(load(&again, dev, "qwen2", dir));
        some_logp(again, y);
        assert_memory_equal(x, y, sizeof x);
        rein_model_hash(m, hx);
        rein_model_hash(again, hy);
        assert_string_equal(hx, hy);
        OK(rein_model_load(&direct, dir, dev, NULL)); /* its base is the recorded one */
        some_logp(direct, y);
        assert_memory_equal(x, y, sizeof x);
        rein_model_destroy(direct);
        rein_model_destroy(again);
        snprintf(dir, sizeof dir, "%s/dense-%d", scratch, dora);
        OK(rein_mkdirs(dir));
        OK(rein_model_merge(m, dir));
        OK(rein_model_load(&merged, dir, dev, NULL));
        some_logp(merged, y);
        if (!(worst(x, y, 48) <= 1e-4)) fail_msg("merged differs by %g", worst(x, y, 48));
        rein_model_destroy(merged);
        rein_model_destroy(m);
    }
    rein_device_close(dev);
}

/* Head and embedding of a tied model, trained apart: two tensors after merging. */
static void a_tied_head_comes_apart(void **state) {
    (void)state;
    rein_device *dev;
    rein_arena arena = {0};
    rein_lora_config c = rein_lora_config_default();
    rein_model_options o = {.lora = &c};
    rein_model *m, *merged;
    char dir[128];
    float x[48], y[48];
    OK(rein_lora_parse_names(&c.modules_to_save, &arena, "lm_head"));
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_model_load(&m, "golden/models/llama-tied", dev, &o));
    for (int64_t i = 0; i < 1000; i++) m->w[m->head.grad + i] += 0.1f;
    rein_model_pack(m);
    some_logp(m, x);
    snprintf(dir, sizeof dir, "%s/apart", scratch);
    OK(rein_mkdirs(dir));
    OK(rein_model_merge(m, dir));
    OK(rein_model_load(&merged, dir, dev, NULL));
    assert_false(merged->cfg.tie_word_embeddings);
    some_logp(merged, y);
    assert_true(worst(x, y, 48) <= 1e-5);
    rein_model_destroy(m);
    rein_model_destroy(merged);
    rein_device_close(dev);
    rein_arena_deinit(&arena);
}

/* ---- errors ---- */

static void refused(rein_status code, rein_device *dev, const char *base, const char *adapter, const char *named) {
    rein_model *m;
    FAILS_WITH(code, load(&m, dev, base, adapter));
    if (!strstr(rein_error_message(), named)) fail_msg("'%s' does not name %s", rein_error_message(), named);
}

static void copy_golden(const char *name, const char *dir, const char *config) {
    char from[160], to[160];
    rein_str s = {0};
    OK(rein_mkdirs(dir));
    snprintf(from, sizeof from, "golden/peft/%s/adapter_model.safetensors", name);
    snprintf(to, sizeof to, "%s/adapter_model.safetensors", dir);
    OK(rein_file_read(&s, from));
    OK(rein_file_write(to, s.data, s.len));
    snprintf(to, sizeof to, "%s/adapter_config.json", dir);
    OK(rein_file_write(to, config, strlen(config)));
    rein_str_deinit(&s);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    rein_device *dev;
    char dir[128];
    OK(rein_device_open_cpu(&dev, NULL, 1));
    refused(REIN_ERR_IO, dev, "qwen3", "golden/peft/nowhere", "golden/peft/nowhere/adapter_config.json");
    refused(REIN_ERR_FORMAT, dev, "smollm-like", "golden/peft/llama-all", "lora_A"); /* other shapes */
    snprintf(dir, sizeof dir, "%s/empty", scratch);
    copy_golden("qwen3-all", dir, "{\"peft_type\":\"LORA\",\"r\":8,\"lora_alpha\":16,\"target_modules\":[\"q_proj\"]}");
    refused(REIN_ERR_FORMAT, dev, "qwen3", dir, "belongs to no part");
    snprintf(dir, sizeof dir, "%s/short", scratch);
    copy_golden("llama-layers", dir, "{\"peft_type\":\"LORA\",\"r\":8,\"lora_alpha\":16,\"target_modules\":[\"q_proj\"]}");
    refused(REIN_ERR_FORMAT, dev, "llama-tied", dir, "layers.1.self_attn.q_proj.lora_A.weight' is missing");
    snprintf(dir, sizeof dir, "%s/head", scratch);
    copy_golden("qwen3-all", dir, "{\"peft_type\":\"LORA\",\"r\":8,\"lora_alpha\":16,\"target_modules\":\".*(q_proj|lm_head)\"}");
    refused(REIN_ERR_FORMAT, dev, "qwen3", dir, "modules_to_save");
    rein_model *m = moved(dev, "llama-tied", false);
    snprintf(dir, sizeof dir, "%s/other", scratch);
    OK(rein_mkdirs(dir));
    OK(rein_model_save(m, dir));
    rein_model_destroy(m);
    OK(rein_model_load(&m, "golden/models/llama-tied", dev, NULL)); /* the same shapes, one other bit */
    m->w[5] += 1;
    char base[128];
    snprintf(base, sizeof base, "%s/base", scratch);
    OK(rein_mkdirs(base));
    OK(rein_model_save(m, base));
    rein_model_destroy(m);
    rein_model_options o = {.adapter = dir};
    FAILS_WITH(REIN_ERR_MISMATCH, rein_model_load(&m, base, dev, &o));
    FAILS_WITH(REIN_ERR_USAGE, rein_model_load(&m, dir, dev, &o));
    rein_device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_peft_has_it),
        cmocka_unit_test(sampler_is_the_trainer),
        cmocka_unit_test(frozen_is_the_same_model),
        cmocka_unit_test(a_new_adapter_is_the_base),
        cmocka_unit_test(no_cut_changes_a_gradient),
        cmocka_unit_test(gradient_matches_differences),
        cmocka_unit_test(written_and_read_again),
        cmocka_unit_test(a_tied_head_comes_apart),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
