/*
 * What is read off the model beside log-probs: entropy, mean log-prob, divergences, largest ids, values and scores.
 * Their definitions, their gradients through the whole model, bits that depend on nothing but the inputs, and the value
 * head's files.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "model/leaf.h"
#include "model/lora.h"
#include "model/value.h"
#include "tiny_model.h"

static char base[64], scratch[64];

/* ---- models: a tiny one in `base`, loaded with what a test asks for ---- */

static int set_up(void **state) {
    (void)state;
    rein_device *dev;
    strcpy(base, "/tmp/rein-head-XXXXXX");
    strcpy(scratch, "/tmp/rein-head-XXXXXX");
    if (!mkdtemp(base) || !mkdtemp(scratch) || rein_device_open_cpu(&dev, NULL, 1) != REIN_OK) return 1;
    rein_model *m = tiny_model(dev, 3);
    OK(rein_model_save(m, base));
    rein_model_destroy(m);
    rein_device_close(dev);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(base) != REIN_OK || rein_remove_tree(scratch) != REIN_OK;
}

static rein_model *load(rein_device *dev, rein_value_kind kind) {
    rein_model *m;
    OK(rein_model_load(&m, base, dev, &(rein_model_options){.value_head = kind, .seed = 5}));
    return m;
}

/* ---- a forest and all that is read of it ---- */

enum { LOGP, ENTROPY, MEAN, DIVERGENCE, VALUE, SCORE, OUTPUTS };

typedef struct fixture {
    rein_forest forest;
    rein_kept *kept;
    int32_t *ids;  /* of the kept sets */
    float *weight; /* (OUTPUTS, n_tok) gradients of the loss */
    float *out;    /* (OUTPUTS, n_tok) */
    int32_t *best;
    float temperature;
} fixture;

static void add_span(rein_forest *f, int64_t parent, int64_t n, uint32_t salt, int64_t V, int64_t *out) {
    int32_t ids[300];
    uint8_t want[300];
    for (int64_t t = 0; t < n; t++) {
        ids[t] = (int32_t)rein_random_below((uint64_t)V, 7, REIN_STREAM_DATA, salt, (uint32_t)t, 0, 0);
        want[t] = parent >= 0 && t % 7 != 3 ? REIN_WANT_TOKEN : 0;
        if (t == n - 1 || t % 5 == 1) want[t] |= REIN_WANT_SCORE;
    }
    OK(rein_forest_add(f, parent, ids, want, n, out));
}

/* Some tokens are drawn from a kept set: theirs and every fourth id. */
static void keep_some(fixture *x, int64_t V) {
    rein_forest *f = &x->forest;
    int64_t n = 0;
    OK(rein_alloc(&x->kept, f->n_tok, sizeof *x->kept));
    OK(rein_alloc(&x->ids, f->n_tok * V, sizeof *x->ids));
    for (int64_t t = 0; t < f->n_tok; t++) {
        if (t % 3) continue;
        x->kept[t].ids = x->ids + n;
        for (int32_t v = 0; v < V; v++)
            if (v % 4 == 2 || v == f->ids[t]) x->ids[n++] = v, x->kept[t].n++;
    }
}

static void open_fixture(fixture *x, bool large) {
    static const int64_t root_len[] = {257, 2, 17}, kid_len[] = {1, 16, 100, 40};
    const int64_t V = tiny_config(true).V;
    uint32_t salt = 0;
    *x = (fixture){.temperature = 0.9f};
    for (size_t r = large ? 0 : 1; r < (large ? 2 : REIN_COUNT(root_len)); r++) {
        int64_t root, kid = -1;
        add_span(&x->forest, -1, root_len[r], salt++, V, &root);
        for (size_t k = 0; k < (large ? REIN_COUNT(kid_len) : 2); k++)
            add_span(&x->forest, root, kid_len[k], salt++, V, &kid);
        for (int k = 0; k < 2; k++) add_span(&x->forest, kid, 9 + k, salt++, V, NULL);
    }
    keep_some(x, V);
    OK(rein_alloc(&x->weight, OUTPUTS * x->forest.n_tok, sizeof *x->weight));
    OK(rein_alloc(&x->out, OUTPUTS * x->forest.n_tok, sizeof *x->out));
    OK(rein_alloc(&x->best, x->forest.n_tok, sizeof *x->best));
    for (int64_t i = 0; i < OUTPUTS * x->forest.n_tok; i++) x->weight[i] = (float)(i % 13 - 5) * 0.1f;
}

static void close_fixture(fixture *x) {
    rein_forest_deinit(&x->forest);
    rein_free(x->kept);
    rein_free(x->ids);
    rein_free(x->weight);
    rein_free(x->out);
    rein_free(x->best);
}

static float *of(const fixture *x, float *array, int output, unsigned which) {
    return which & 1u << output ? array + output * x->forest.n_tok : NULL;
}

/* Outputs `which` (bits) and, unless g is NULL, the gradient of their weighted sum. */
static void compute(fixture *x, const rein_model *m, const rein_model *teacher, float beta, unsigned which,
                    int64_t microbatch, bool detach, rein_grads *g) {
    rein_forest_plan plan;
    rein_leaf leaf, taught;
    rein_leaf_sampling how = {.temperature = x->temperature, .kept = x->kept};
    memset(x->out, 0, (size_t)(OUTPUTS * x->forest.n_tok) * sizeof *x->out);
    memset(x->best, 0, (size_t)x->forest.n_tok * sizeof *x->best);
    OK(rein_forest_plan_make(&plan, &x->forest, microbatch));
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_init(&taught, teacher ? teacher : m));
    OK(rein_leaf_begin(&leaf, &x->forest, &plan, &how));
    OK(rein_leaf_begin(&taught, &x->forest, &plan, &how));
    if (teacher) rein_leaf_teach(&leaf, &taught, beta);
    leaf.value_detach = detach;
    rein_leaf_values v = {of(x, x->out, LOGP, which),       of(x, x->out, ENTROPY, which), of(x, x->out, MEAN, which),
                          of(x, x->out, DIVERGENCE, which), of(x, x->out, VALUE, which),   of(x, x->out, SCORE, which),
                          which & 1 ? x->best : NULL};
    rein_leaf_gradient d = {of(x, x->weight, LOGP, which),  of(x, x->weight, ENTROPY, which),
                            of(x, x->weight, MEAN, which),  of(x, x->weight, DIVERGENCE, which),
                            of(x, x->weight, VALUE, which), of(x, x->weight, SCORE, which)};
    if (g) rein_grads_zero(g, m);
    for (int64_t p = 0; p < plan.n_part; p++) {
        if (teacher) OK(rein_leaf_forward(&taught, p, &(rein_leaf_values){0}));
        OK(rein_leaf_forward(&leaf, p, &v));
        if (g) OK(rein_leaf_backward(&leaf, &d, g));
    }
    assert_null(taught.pass.dlogits);
    if (!(which & 15)) assert_null(leaf.pass.logits); /* nobody asked for a distribution */
    if (g) rein_grads_finish(g, m);
    rein_leaf_deinit(&leaf);
    rein_leaf_deinit(&taught);
    rein_forest_plan_deinit(&plan);
}

/* ---- bits ---- */

enum { ALL = (1 << OUTPUTS) - 1, MORE = ALL & ~1 };

static void check_ways(rein_value_kind kind, float beta) {
    static const int64_t microbatch[] = {0, 1, 300};
    char want[3][REIN_XXH_HEX] = {""}, got[3][REIN_XXH_HEX];
    fixture x;
    open_fixture(&x, true);
    for (const char *const *isa = rein_cpu_isas(); *isa; isa++)
        for (int threads = 1; threads <= 3; threads += 2) {
            bool slow = strcmp(*isa, "ref") == 0 || strcmp(*isa, "generic") == 0;
            if (slow && threads > 1) continue;
            rein_device *dev;
            rein_grads g;
            OK(rein_device_open_cpu(&dev, *isa, threads));
            rein_model *m = load(dev, kind), *teacher = tiny_model(dev, 1);
            OK(rein_grads_init(&g, m));
            for (size_t b = 0; b < REIN_COUNT(microbatch); b++) {
                if (slow && b != 2) continue;
                compute(&x, m, teacher, beta, ALL, microbatch[b], false, &g);
                rein_xxh3_hex(got[0], x.out, (size_t)(OUTPUTS * x.forest.n_tok) * sizeof *x.out);
                rein_xxh3_hex(got[1], x.best, (size_t)x.forest.n_tok * sizeof *x.best);
                rein_params_hash(m, g.flat, got[2]);
                if (!want[0][0]) memcpy(want, got, sizeof want);
                for (int i = 0; i < 3; i++)
                    if (strcmp(want[i], got[i]) != 0)
                        fail_msg("%d differs: %s, %d threads, microbatch_tokens %d", i, *isa, threads,
                                 (int)microbatch[b]);
            }
            rein_grads_deinit(&g);
            rein_model_destroy(m);
            rein_model_destroy(teacher);
            rein_device_close(dev);
        }
    close_fixture(&x);
}

static void bits_do_not_depend_on_the_way(void **state) {
    (void)state;
    check_ways(REIN_VALUE_MLP, 0.3f);
    check_ways(REIN_VALUE_LINEAR, 1);
}

/* Every span alone after its ancestors gives the bits that it gives in the tree. */
static void sharing_changes_no_bit(void **state) {
    (void)state;
    rein_device *dev;
    fixture tree, flat;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m = load(dev, REIN_VALUE_MLP), *teacher = tiny_model(dev, 1);
    open_fixture(&tree, true);
    compute(&tree, m, teacher, 0.5f, ALL, 300, false, NULL);
    open_fixture(&flat, true);
    rein_forest_clear(&flat.forest);
    rein_free(flat.out);
    rein_free(flat.kept);
    OK(rein_alloc(&flat.kept, 8000, sizeof *flat.kept));
    int64_t first[64];
    for (int64_t s = 0; s < tree.forest.n_span; s++) {
        const rein_span *sp = &tree.forest.span[s];
        int32_t ids[800];
        uint8_t want[800] = {0};
        for (int64_t a = s; a >= 0; a = tree.forest.span[a].parent)
            memcpy(ids + tree.forest.span[a].pos, tree.forest.ids + tree.forest.span[a].tok,
                   (size_t)tree.forest.span[a].n * sizeof *ids);
        memcpy(want + sp->pos, tree.forest.want + sp->tok, (size_t)sp->n);
        first[s] = flat.forest.n_tok + sp->pos;
        memcpy(flat.kept + first[s], tree.kept + sp->tok, (size_t)sp->n * sizeof *flat.kept);
        OK(rein_forest_add(&flat.forest, -1, ids, want, sp->pos + sp->n, NULL));
    }
    assert_true(flat.forest.n_tok < 8000);
    OK(rein_alloc(&flat.out, OUTPUTS * flat.forest.n_tok, sizeof *flat.out));
    rein_free(flat.best);
    OK(rein_alloc(&flat.best, flat.forest.n_tok, sizeof *flat.best));
    rein_free(flat.weight);
    OK(rein_alloc(&flat.weight, OUTPUTS * flat.forest.n_tok, sizeof *flat.weight));
    compute(&flat, m, teacher, 0.5f, ALL, 0, false, NULL);
    for (int64_t s = 0; s < tree.forest.n_span; s++)
        for (int o = 0; o < OUTPUTS; o++)
            assert_memory_equal(tree.out + o * tree.forest.n_tok + tree.forest.span[s].tok,
                                flat.out + o * flat.forest.n_tok + first[s],
                                (size_t)tree.forest.span[s].n * sizeof(float));
    close_fixture(&tree);
    close_fixture(&flat);
    rein_model_destroy(m);
    rein_model_destroy(teacher);
    rein_device_close(dev);
}

/* ---- definitions ---- */

/* From the logits of the row that predicts the token: span 1 of the small forest, whose tokens follow each other. */
static void agrees_with_definitions(void **state) {
    (void)state;
    rein_device *dev;
    fixture x;
    rein_forest_plan plan;
    rein_leaf leaf;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m = load(dev, REIN_VALUE_NONE);
    open_fixture(&x, false);
    compute(&x, m, NULL, 0, 7, 0, false, NULL);
    OK(rein_forest_plan_make(&plan, &x.forest, 0));
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_begin(&leaf, &x.forest, &plan, &(rein_leaf_sampling){.temperature = 1}));
    OK(rein_leaf_forward(&leaf, 0, &(rein_leaf_values){0}));
    const rein_part *part = &plan.part[0];
    for (int64_t e = 0; e < part->n_entry; e++) {
        const rein_span *s = &x.forest.span[part->entry[e]];
        for (int64_t t = 1; t < s->n; t++) {
            int64_t tok = s->tok + t, row = leaf.batch.runs[e].row + t - 1, n = 0, best = -1;
            float *z;
            double sum = 0, entropy = 0, mean = 0;
            if (!(x.forest.want[tok] & REIN_WANT_TOKEN)) continue;
            OK(rein_head_logits(&leaf.pass, &row, 1, &z));
            for (int64_t v = 0; v < m->cfg.V; v++) {
                if (x.kept[tok].n && v % 4 != 2 && v != x.forest.ids[tok]) continue;
                sum += exp((double)z[v] / (double)x.temperature);
                mean += (double)z[v] / (double)x.temperature;
                if (best < 0 || z[v] > z[best]) best = v;
                n++;
            }
            for (int64_t v = 0; v < m->cfg.V; v++) {
                if (x.kept[tok].n && v % 4 != 2 && v != x.forest.ids[tok]) continue;
                double logp = (double)z[v] / (double)x.temperature - log(sum);
                entropy -= exp(logp) * logp;
            }
            assert_int_equal(x.best[tok], best);
            assert_true(fabs((double)x.out[ENTROPY * x.forest.n_tok + tok] - entropy) < 1e-5);
            assert_true(fabs((double)x.out[MEAN * x.forest.n_tok + tok] - (mean / (double)n - log(sum))) < 1e-5);
        }
    }
    rein_leaf_deinit(&leaf);
    rein_forest_plan_deinit(&plan);
    close_fixture(&x);
    rein_model_destroy(m);
    rein_device_close(dev);
}

static int64_t count_nonzero(const float *x, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += x[i] != 0;
    return count;
}

/* From a teacher with the same weights: exactly nothing, and nothing to learn. */
static void equal_teachers_are_at_zero(void **state) {
    (void)state;
    static const float beta[] = {0, 0.1f, 0.5f, 1};
    rein_device *dev;
    rein_grads g;
    fixture x;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m = load(dev, REIN_VALUE_NONE), *same = load(dev, REIN_VALUE_NONE), *other = tiny_model(dev, 1);
    OK(rein_grads_init(&g, m));
    open_fixture(&x, false);
    for (size_t b = 0; b < REIN_COUNT(beta); b++) {
        const float *d = x.out + DIVERGENCE * x.forest.n_tok;
        compute(&x, m, same, beta[b], 1 << DIVERGENCE, 0, false, &g);
        assert_int_equal(count_nonzero(d, x.forest.n_tok), 0);
        assert_int_equal(count_nonzero(g.flat, g.n_float), 0);
        compute(&x, m, other, beta[b], 1 << DIVERGENCE, 0, false, &g);
        assert_true(count_nonzero(g.flat, g.n_float) > 0);
        for (int64_t t = 0; t < x.forest.n_tok; t++)
            if (x.forest.want[t] & REIN_WANT_TOKEN) assert_true(d[t] > 0 || x.kept[t].n == 1);
    }
    close_fixture(&x);
    rein_grads_deinit(&g);
    rein_model_destroy(m);
    rein_model_destroy(same);
    rein_model_destroy(other);
    rein_device_close(dev);
}

/* ---- gradients through the whole model ---- */

static double loss_of(const fixture *x) {
    double sum = 0;
    for (int o = 0; o < OUTPUTS; o++)
        for (int64_t t = 0; t < x->forest.n_tok; t++) {
            int64_t i = o * x->forest.n_tok + t;
            sum += (double)x->weight[i] * (double)x->out[i]; /* 0 where it is not wanted */
        }
    return sum;
}

/* Along the gradient the loss changes as the gradient says. */
static void check_differences(rein_value_kind kind, int output, float beta) {
    const double h = 1e-3;
    rein_device *dev;
    rein_grads g;
    fixture x;
    float *keep;
    double norm = 0, loss[2];
    unsigned which = 1u << output;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    rein_model *m = load(dev, kind), *teacher = output == DIVERGENCE ? tiny_model(dev, 1) : NULL;
    OK(rein_grads_init(&g, m));
    open_fixture(&x, false);
    compute(&x, m, teacher, beta, which, 30, false, &g);
    OK(rein_alloc(&keep, m->n_float, sizeof *keep));
    memcpy(keep, m->w, (size_t)m->n_float * sizeof *keep);
    for (int64_t i = 0; i < m->n_float; i++) norm += (double)g.flat[i] * (double)g.flat[i];
    norm = sqrt(norm);
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < m->n_float; i++)
            m->w[i] = (float)((double)keep[i] + (side ? h : -h) * (double)g.flat[i] / norm);
        rein_model_pack(m);
        compute(&x, m, teacher, beta, which, 0, false, NULL);
        loss[side] = loss_of(&x);
    }
    double slope = (loss[1] - loss[0]) / (2 * h);
    if (!(norm > 0.01 && fabs(slope - norm) <= 1e-3 * norm))
        fail_msg("output %d, beta %g: slope %.9g, gradient norm %.9g", output, (double)beta, slope, norm);
    rein_free(keep);
    close_fixture(&x);
    rein_grads_deinit(&g);
    rein_model_destroy(m);
    rein_model_destroy(teacher);
    rein_device_close(dev);
}

static void gradients_match_differences(void **state) {
    (void)state;
    check_differences(REIN_VALUE_NONE, ENTROPY, 0);
    check_differences(REIN_VALUE_NONE, MEAN, 0);
    check_differences(REIN_VALUE_NONE, DIVERGENCE, 0);
    check_differences(REIN_VALUE_NONE, DIVERGENCE, 0.4f);
    check_differences(REIN_VALUE_NONE, DIVERGENCE, 1);
    check_differences(REIN_VALUE_LINEAR, VALUE, 0);
    check_differences(REIN_VALUE_MLP, VALUE, 0);
    check_differences(REIN_VALUE_LINEAR, SCORE, 0);
    check_differences(REIN_VALUE_MLP, SCORE, 0);
}

/* The gradients of outputs asked for together are the sum of those asked for apart. */
static void gradients_add_up(void **state) {
    (void)state;
    rein_device *dev;
    rein_grads all, one;
    fixture x;
    double *sum;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m = load(dev, REIN_VALUE_MLP), *teacher = tiny_model(dev, 1);
    OK(rein_grads_init(&all, m));
    OK(rein_grads_init(&one, m));
    OK(rein_alloc(&sum, m->n_float, sizeof *sum));
    open_fixture(&x, false);
    compute(&x, m, teacher, 0.5f, ALL, 0, false, &all);
    for (int o = 0; o < OUTPUTS; o++) {
        compute(&x, m, teacher, 0.5f, 1u << o, 0, false, &one);
        for (int64_t i = 0; i < m->n_float; i++) sum[i] += (double)one.flat[i];
    }
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < m->n_float; i++) {
        difference += pow((double)all.flat[i] - sum[i], 2);
        norm += sum[i] * sum[i];
    }
    assert_true(sqrt(difference) < 1e-5 * sqrt(norm));
    rein_free(sum);
    close_fixture(&x);
    rein_grads_deinit(&all);
    rein_grads_deinit(&one);
    rein_model_destroy(m);
    rein_model_destroy(teacher);
    rein_device_close(dev);
}

/* ---- what a value head trains ---- */

/* Detached, or on a frozen network, the head alone is trained, and with the same gradient; with an adapter, both. */
static void the_trunk_takes_part_when_asked(void **state) {
    (void)state;
    rein_device *dev;
    rein_grads g, h;
    fixture x;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m = load(dev, REIN_VALUE_MLP), *frozen, *adapted;
    int64_t trunk = m->param[m->value->first].offset, head = m->n_float - trunk;
    open_fixture(&x, false);
    OK(rein_grads_init(&g, m));
    compute(&x, m, NULL, 0, 1u << VALUE | 1u << SCORE, 0, false, &g);
    assert_true(count_nonzero(g.flat, trunk) > 0);
    rein_grads_deinit(&g);
    OK(rein_grads_init(&g, m));
    compute(&x, m, NULL, 0, 1u << VALUE | 1u << SCORE, 300, true, &g);
    assert_int_equal(count_nonzero(g.flat, trunk), 0);
    assert_true(count_nonzero(g.flat + trunk, head) > 0);

    OK(rein_model_load(&frozen, base, dev,
                       &(rein_model_options){.frozen = true, .value_head = REIN_VALUE_MLP, .seed = 5}));
    assert_int_equal(frozen->n_float, head);
    OK(rein_grads_init(&h, frozen));
    compute(&x, frozen, NULL, 0, 1u << VALUE | 1u << SCORE, 0, false, &h);
    assert_memory_equal(h.flat, g.flat + trunk, (size_t)head * sizeof(float));
    rein_grads_deinit(&h);
    rein_grads_deinit(&g);

    rein_lora_config c = rein_lora_config_default();
    OK(rein_model_load(&adapted, base, dev,
                       &(rein_model_options){.lora = &c, .value_head = REIN_VALUE_MLP, .seed = 5}));
    OK(rein_grads_init(&g, adapted));
    compute(&x, adapted, NULL, 0, 1u << VALUE, 0, false, &g);
    assert_true(count_nonzero(g.flat, adapted->param[adapted->value->first].offset) > 0);
    assert_memory_equal(adapted->w + adapted->param[adapted->value->first].offset, m->w + trunk,
                        (size_t)head * sizeof(float));
    rein_grads_deinit(&g);
    close_fixture(&x);
    rein_model_destroy(m);
    rein_model_destroy(frozen);
    rein_model_destroy(adapted);
    rein_device_close(dev);
}

/* ---- files ---- */

static void move(rein_model *m) {
    for (int64_t i = 0; i < m->n_float; i++) m->w[i] += (float)(i % 17) * 0.01f;
    rein_model_pack(m);
}

static char *folder(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    OK(rein_mkdirs(path));
    return path;
}

/* Saved in `dir`, read by loading `path` with o, and into a model that o gives from the base. */
static void check_round_trip(rein_device *dev, const char *dir, const char *path, const rein_model_options *o,
                             const rein_model_options *fresh) {
    char want[REIN_XXH_HEX], got[REIN_XXH_HEX];
    rein_model *m, *again;
    OK(rein_model_load(&m, base, dev, fresh));
    move(m);
    rein_model_hash(m, want);
    OK(rein_model_save(m, dir));
    OK(rein_model_load(&again, path, dev, o));
    rein_model_hash(again, got);
    assert_string_equal(want, got);
    rein_model_destroy(again);
    OK(rein_model_load(&again, base, dev, fresh));
    rein_model_hash(again, got);
    assert_string_not_equal(want, got);
    OK(rein_model_restore(again, dir));
    rein_model_hash(again, got);
    assert_string_equal(want, got);
    assert_int_equal(rein_model_count(again), rein_model_count(m));
    rein_model_destroy(again);
    rein_model_destroy(m);
}

static void survives_a_round_trip(void **state) {
    (void)state;
    static const rein_value_kind kind[] = {REIN_VALUE_LINEAR, REIN_VALUE_MLP};
    rein_device *dev;
    rein_model *m;
    rein_lora_config c = rein_lora_config_default();
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (size_t k = 0; k < REIN_COUNT(kind); k++) {
        rein_model_options o = {.value_head = kind[k], .seed = 5}, plain = {0};
        char *dir = folder(k ? "mlp" : "linear");
        check_round_trip(dev, dir, dir, &o, &o);
        OK(rein_model_load(&m, dir, dev, &plain)); /* the directory is a model as any other */
        assert_null(m->value);
        rein_model_destroy(m);
        o.frozen = true;
        check_round_trip(dev, dir, dir, &o, &o);
        o.lora = &c;
        dir = folder(k ? "mlp adapter" : "linear adapter");
        check_round_trip(dev, dir, dir, &(rein_model_options){.value_head = kind[k]}, &o);
        check_round_trip(dev, dir, base, &(rein_model_options){.value_head = kind[k], .adapter = dir}, &o);
    }
    FAILS_WITH(REIN_ERR_FORMAT,
               rein_model_load(&m, folder("mlp"), dev, &(rein_model_options){.value_head = REIN_VALUE_LINEAR}));
    assert_non_null(strstr(rein_error_message(), "value_head.up"));
    FAILS_WITH(REIN_ERR_FORMAT,
               rein_model_load(&m, folder("linear"), dev, &(rein_model_options){.value_head = REIN_VALUE_MLP}));
    rein_device_close(dev);
}

/* A new head is a function of the seed, has small values, and the network's hash does not know of it. */
static void new_heads_are_functions_of_the_seed(void **state) {
    (void)state;
    char hex[4][REIN_XXH_HEX], network[2][REIN_XXH_HEX];
    rein_device *dev;
    fixture x;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (int i = 0; i < 4; i++) {
        rein_model *m;
        rein_model_options o = {.value_head = i < 3 ? REIN_VALUE_MLP : REIN_VALUE_NONE, .seed = i == 1 ? 6 : 5};
        OK(rein_model_load(&m, base, dev, &o));
        rein_model_hash(m, hex[i]);
        if (i != 1) rein_model_base_hash(m, network[i == 3]);
        if (i == 0) {
            open_fixture(&x, false);
            compute(&x, m, NULL, 0, 1u << VALUE, 0, false, NULL);
            assert_true(count_nonzero(x.out, OUTPUTS * x.forest.n_tok) > 20);
            for (int64_t t = 0; t < OUTPUTS * x.forest.n_tok; t++) assert_true(fabsf(x.out[t]) < 0.7f);
            close_fixture(&x);
        }
        rein_model_destroy(m);
    }
    assert_string_equal(hex[0], hex[2]);
    assert_string_not_equal(hex[0], hex[1]);
    assert_string_not_equal(hex[0], hex[3]);
    assert_string_equal(network[0], network[1]);
    assert_string_equal(network[1], hex[3]);
    rein_device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bits_do_not_depend_on_the_way),
                                       cmocka_unit_test(sharing_changes_no_bit),
                                       cmocka_unit_test(agrees_with_definitions),
                                       cmocka_unit_test(equal_teachers_are_at_zero),
                                       cmocka_unit_test(gradients_match_differences),
                                       cmocka_unit_test(gradients_add_up),
                                       cmocka_unit_test(the_trunk_takes_part_when_asked),
                                       cmocka_unit_test(survives_a_round_trip),
                                       cmocka_unit_test(new_heads_are_functions_of_the_seed)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
