/*
 * The first promise: the log-prob recorded when a token is sampled is, bit for bit, the one that the trainer computes,
 * whatever shared the batch; and no gradient bit depends on how the forest is cut, on threads or on the kernels.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gen/generate.h"
#include "model/leaf.h"
#include "tiny_model.h"

enum { PROMPTS = 8, GROUP = 8, NEW = 20, MAX_PROMPT = 300 };

static void fill_ids(int32_t *ids, int64_t n, uint32_t salt, int64_t V) {
    for (int64_t t = 0; t < n; t++)
        ids[t] = (int32_t)rein_random_below((uint64_t)V, 7, REIN_STREAM_DATA, salt, (uint32_t)t, 0, 0);
}

/* ---- sampler == trainer ---- */

typedef struct sampled {
    int32_t ids[PROMPTS][MAX_PROMPT];
    rein_gen_prompt prompt[PROMPTS];
    rein_gen gen;
} sampled;

static void sample(sampled *s, const rein_model *m, const rein_gen_options *o) {
    static const int64_t len[PROMPTS] = {1, 17, 255, 257, 2, 16, 15, 33};
    for (uint32_t p = 0; p < PROMPTS; p++) {
        fill_ids(s->ids[p], len[p], p, m->cfg.V);
        s->prompt[p] = (rein_gen_prompt){.ids = s->ids[p], .n = len[p], .id = p, .samples = GROUP};
    }
    OK(rein_generate(&s->gen, m, s->prompt, PROMPTS, o, NULL, NULL));
}

/* The forest of the sampled groups, with the kept sets by token; shared: one tree a group, else every completion alone. */
typedef struct scored {
    rein_forest forest;
    rein_forest_plan plan;
    int64_t *kept_first, *tok_of; /* tok_of[sequence]: its first token */
    int32_t *kept;
} scored;

static void build(scored *out, const sampled *s, bool shared, int64_t microbatch) {
    *out = (scored){0};
    uint8_t want[MAX_PROMPT + NEW];
    int64_t n_kept = 0;
    OK(rein_alloc(&out->tok_of, s->gen.n_seq, sizeof *out->tok_of));
    for (int64_t q = 0; q < s->gen.n_seq; q++) n_kept += s->gen.seq[q].kept_first[s->gen.seq[q].n];
    OK(rein_alloc(&out->kept, n_kept + 1, sizeof *out->kept));
    OK(rein_alloc(&out->kept_first, 100000, sizeof *out->kept_first));
    int64_t root = -1, at = 0, filled = 0;
    for (int64_t q = 0; q < s->gen.n_seq; q++) {
        const rein_gen_sequence *seq = &s->gen.seq[q];
        const rein_gen_prompt *p = &s->prompt[seq->prompt];
        if (!shared || seq->sample == 0) OK(rein_forest_add(&out->forest, -1, p->ids, NULL, p->n, &root));
        memset(want, 1, sizeof want);
        out->tok_of[q] = out->forest.n_tok;
        OK(rein_forest_add(&out->forest, root, seq->ids, want, seq->n, NULL));
        for (; filled < out->tok_of[q]; filled++) out->kept_first[filled] = at;
        for (int64_t t = 0; t < seq->n; t++) {
            out->kept_first[filled++] = at;
            int64_t n = seq->kept_first[t + 1] - seq->kept_first[t];
            if (n) memcpy(out->kept + at, s->gen.kept_of[q] + seq->kept_first[t], (size_t)n * sizeof *out->kept);
            at += n;
        }
    }
    out->kept_first[filled] = at;
    OK(rein_forest_plan_make(&out->plan, &out->forest, microbatch));
}

static void drop(scored *s) {
    rein_forest_plan_deinit(&s->plan);
    rein_forest_deinit(&s->forest);
    rein_free(s->tok_of);
    rein_free(s->kept);
    rein_free(s->kept_first);
}

static void compare_all(const sampled *s, const rein_model *m, double temperature, bool shared, int64_t microbatch) {
    scored f;
    rein_leaf leaf;
    build(&f, s, shared, microbatch);
    rein_leaf_sampling how = {.temperature = (float)temperature, .kept_first = f.kept_first, .kept = f.kept};
    float *logp;
    OK(rein_alloc(&logp, f.forest.n_tok, sizeof *logp));
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_begin(&leaf, &f.forest, &f.plan, &how));
    for (int64_t p = 0; p < f.plan.n_part; p++) OK(rein_leaf_forward(&leaf, p, logp, NULL));
    for (int64_t q = 0; q < s->gen.n_seq; q++)
        for (int64_t t = 0; t < s->gen.seq[q].n; t++) {
            float a = s->gen.seq[q].logp[t], b = logp[f.tok_of[q] + t];
            if (memcmp(&a, &b, sizeof a) != 0)
                fail_msg("sequence %d token %d: sampled %.9g, trained %.9g", (int)q, (int)t, (double)a, (double)b);
        }
    rein_leaf_deinit(&leaf);
    rein_free(logp);
    drop(&f);
}

/* A step of plain gradient ascent on what was sampled, so that later rounds see moved weights. */
static void nudge(rein_model *m, const sampled *s) {
    scored f;
    rein_leaf leaf;
    rein_grads g;
    float *logp, *dlogp;
    build(&f, s, true, 0);
    rein_leaf_sampling how = {.temperature = 1};
    OK(rein_alloc(&logp, f.forest.n_tok, sizeof *logp));
    OK(rein_alloc(&dlogp, f.forest.n_tok, sizeof *dlogp));
    OK(rein_grads_init(&g, m));
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_begin(&leaf, &f.forest, &f.plan, &how));
    for (int64_t t = 0; t < f.forest.n_tok; t++) dlogp[t] = 1e-3f;
    OK(rein_leaf_forward(&leaf, 0, logp, NULL));
    OK(rein_leaf_backward(&leaf, dlogp, &g));
    rein_grads_finish(&g, m);
    for (int64_t i = 0; i < m->n_float; i++) m->w[i] += 0.01f * g.flat[i];
    rein_model_pack(m);
    rein_leaf_deinit(&leaf);
    rein_grads_deinit(&g);
    rein_free(logp);
    rein_free(dlogp);
    drop(&f);
}

static void check_sampler(const rein_model_config *cfg, int rounds) {
    static const int64_t batch[] = {1, 5, 64};
    static const rein_sampling how[] = {{.temperature = 1, .top_p = 1},
                                        {.temperature = 0.7, .top_k = 9, .top_p = 0.9, .min_p = 0.02}};
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m;
    OK(rein_model_create(&m, cfg, dev, 0));
    rein_model_init(m, 3);
    sampled *s;
    OK(rein_alloc(&s, 1, sizeof *s));
    for (int round = 0; round < rounds; round++) {
        for (size_t h = 0; h < REIN_COUNT(how); h++) {
            int32_t first[PROMPTS * GROUP][NEW];
            for (size_t b = 0; b < REIN_COUNT(batch); b++) {
                rein_gen_options o = {.sampling = how[h], .max_new_tokens = NEW, .max_batch = batch[b], .seed = 5,
                                      .stream = REIN_STREAM_SAMPLE, .step = (uint32_t)round};
                sample(s, m, &o);
                int64_t prompt_tokens = 0;
                for (int p = 0; p < PROMPTS; p++) prompt_tokens += s->prompt[p].n;
                assert_int_equal(s->gen.prefill_rows, prompt_tokens); /* once a prompt, not once a sample */
                for (int64_t q = 0; q < s->gen.n_seq; q++) {
                    if (b == 0) memcpy(first[q], s->gen.seq[q].ids, sizeof first[q]);
                    assert_memory_equal(first[q], s->gen.seq[q].ids, sizeof first[q]);
                }
                compare_all(s, m, how[h].temperature, true, 0);
                if (b == 0) compare_all(s, m, how[h].temperature, false, 0);
                if (b == 0) compare_all(s, m, how[h].temperature, true, 300);
                rein_gen_deinit(&s->gen);
            }
        }
        for (int k = 0; k < 10 && round + 1 < rounds; k++) {
            rein_gen_options o = {.sampling = how[0], .max_new_tokens = 4, .max_batch = 64, .step = 100 + (uint32_t)k};
            sample(s, m, &o);
            nudge(m, s);
            rein_gen_deinit(&s->gen);
        }
    }
    rein_free(s);
    rein_model_destroy(m);
    rein_device_close(dev);
}

static void sampler_is_the_trainer(void **state) {
    (void)state;
    rein_model_config cfg = tiny_config(true);
    check_sampler(&cfg, 2);
}

/* Windows that end inside the completions, inside the prompt, and a layer without rotary embedding. */
static void sampler_is_the_trainer_windowed(void **state) {
    (void)state;
    static const int32_t window[] = {20, 256};
    for (size_t w = 0; w < REIN_COUNT(window); w++) {
        rein_model_config cfg = tiny_windowed_config(window[w]);
        check_sampler(&cfg, 1);
    }
}

/* ---- gradients: any cut, any threads, any kernels ---- */

/* Trees that cross every boundary: shared prefixes of 1, 17, 255, 257, 513 tokens, siblings of many sizes, a deep one. */
static void crossing_forest(rein_forest *f, int64_t V) {
    static const int64_t root_len[] = {1, 17, 255, 257, 513};
    static const int64_t kid_len[] = {1, 15, 16, 17, 100, 255, 256, 257};
    int32_t ids[600];
    uint8_t want[600];
    memset(want, 1, sizeof want);
    *f = (rein_forest){0};
    uint32_t salt = 0;
    for (size_t r = 0; r < REIN_COUNT(root_len); r++) {
        int64_t root, kid = -1;
        fill_ids(ids, root_len[r], salt++, V);
        OK(rein_forest_add(f, -1, ids, NULL, root_len[r], &root));
        for (size_t k = r; k < REIN_COUNT(kid_len); k += 2) {
            fill_ids(ids, kid_len[k], salt++, V);
            OK(rein_forest_add(f, root, ids, want, kid_len[k], &kid));
        }
        for (int k = 0; k < 3 && r < 2; k++) { /* grandchildren below the last child */
            fill_ids(ids, 9 + k, salt++, V);
            OK(rein_forest_add(f, kid, ids, want, 9 + k, NULL));
        }
    }
}

static void gradient(const rein_model *m, const rein_forest *f, int64_t microbatch, rein_grads *g, float *logp) {
    rein_forest_plan plan;
    rein_leaf leaf;
    float *dlogp;
    rein_leaf_sampling how = {.temperature = 0.9f};
    OK(rein_alloc(&dlogp, f->n_tok, sizeof *dlogp));
    for (int64_t t = 0; t < f->n_tok; t++) dlogp[t] = (float)(t % 13 - 6) * 0.01f;
    OK(rein_forest_plan_make(&plan, f, microbatch));
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_begin(&leaf, f, &plan, &how));
    rein_grads_zero(g, m);
    for (int64_t p = 0; p < plan.n_part; p++) {
        OK(rein_leaf_forward(&leaf, p, logp, NULL));
        OK(rein_leaf_backward(&leaf, dlogp, g));
    }
    rein_grads_finish(g, m);
    rein_leaf_deinit(&leaf);
    rein_forest_plan_deinit(&plan);
    rein_free(dlogp);
}

static void check_ways(const rein_model_config *cfg) {
    rein_forest f;
    char want[REIN_XXH_HEX] = "", got[REIN_XXH_HEX], want_logp[REIN_XXH_HEX] = "", got_logp[REIN_XXH_HEX];
    static const int64_t microbatch[] = {0, 1, 300, 700, 2000};
    for (const char *const *isa = rein_cpu_isas(); *isa; isa++)
        for (int threads = 1; threads <= 4; threads *= 2) {
            bool slow = strcmp(*isa, "ref") == 0 || strcmp(*isa, "generic") == 0; /* fma without hardware */
            if (threads != 2 && slow) continue;
            rein_device *dev;
            OK(rein_device_open_cpu(&dev, *isa, threads));
            rein_model *m;
            OK(rein_model_create(&m, cfg, dev, 0));
            rein_model_init(m, 3);
            rein_grads g;
            OK(rein_grads_init(&g, m));
            crossing_forest(&f, m->cfg.V);
            float *logp;
            OK(rein_alloc(&logp, f.n_tok, sizeof *logp));
            for (size_t b = 0; b < REIN_COUNT(microbatch); b++) {
                if (b != 2 && slow) continue;
                gradient(m, &f, microbatch[b], &g, logp);
                rein_params_hash(m, g.flat, got);
                rein_xxh3_hex(got_logp, logp, (size_t)f.n_tok * sizeof *logp);
                if (!want[0]) {
                    memcpy(want, got, sizeof want);
                    memcpy(want_logp, got_logp, sizeof want);
                }
                if (strcmp(want_logp, got_logp) != 0)
                    fail_msg("log-probs differ: %s, %d threads, microbatch_tokens %d", *isa, threads, (int)microbatch[b]);
                if (strcmp(want, got) != 0)
                    fail_msg("gradients differ: %s, %d threads, microbatch_tokens %d", *isa, threads, (int)microbatch[b]);
            }
            rein_free(logp);
            rein_forest_deinit(&f);
            rein_grads_deinit(&g);
            rein_model_destroy(m);
            rein_device_close(dev);
        }
}

static void gradient_bits_do_not_depend_on_the_way(void **state) {
    (void)state;
    rein_model_config cfg = tiny_config(true), windowed = tiny_windowed_config(300);
    check_ways(&cfg);
    check_ways(&windowed);
}

/* Every token of a tree alone in its own row of ancestors: the log-probs of a shared prefix are those without sharing. */
static void sharing_changes_no_bit(void **state) {
    (void)state;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m = tiny_model(dev, 3);
    rein_forest tree, flat = {0};
    crossing_forest(&tree, m->cfg.V);
    int64_t *first;
    int32_t ids[1200];
    uint8_t want[1200] = {0};
    OK(rein_alloc(&first, tree.n_span, sizeof *first));
    for (int64_t s = 0; s < tree.n_span; s++) { /* the whole path as one span */
        const rein_span *sp = &tree.span[s];
        for (int64_t a = s; a >= 0; a = tree.span[a].parent)
            memcpy(ids + tree.span[a].pos, tree.ids + tree.span[a].tok, (size_t)tree.span[a].n * sizeof *ids);
        memset(want, 0, sizeof want);
        memset(want + sp->pos, sp->parent >= 0, (size_t)sp->n);
        first[s] = flat.n_tok + sp->pos;
        OK(rein_forest_add(&flat, -1, ids, want, sp->pos + sp->n, NULL));
    }
    float *a, *b;
    rein_grads g;
    OK(rein_grads_init(&g, m));
    OK(rein_alloc(&a, tree.n_tok, sizeof *a));
    OK(rein_alloc(&b, flat.n_tok, sizeof *b));
    gradient(m, &tree, 500, &g, a);
    gradient(m, &flat, 0, &g, b);
    for (int64_t s = 0; s < tree.n_span; s++)
        if (tree.span[s].parent >= 0)
            assert_memory_equal(a + tree.span[s].tok, b + first[s], (size_t)tree.span[s].n * sizeof *a);
    rein_grads_deinit(&g);
    rein_free(a);
    rein_free(b);
    rein_free(first);
    rein_forest_deinit(&tree);
    rein_forest_deinit(&flat);
    rein_model_destroy(m);
    rein_device_close(dev);
}

/* ---- probabilities ---- */

/* The sum over all length-3 continuations of a 5-token vocabulary is 1: no position is off by one. */
static void continuations_sum_to_one(void **state) {
    (void)state;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    rein_model_config cfg = tiny_config(true);
    cfg.V = 5;
    rein_model *m;
    OK(rein_model_create(&m, &cfg, dev, 0));
    rein_model_init(m, 11);
    rein_forest f = {0};
    int32_t prompt[] = {3, 0, 4, 1}, kid[3];
    uint8_t want[] = {1, 1, 1};
    int64_t root;
    OK(rein_forest_add(&f, -1, prompt, NULL, 4, &root));
    for (int i = 0; i < 125; i++) {
        kid[0] = i / 25;
        kid[1] = i / 5 % 5;
        kid[2] = i % 5;
        OK(rein_forest_add(&f, root, kid, want, 3, NULL));
    }
    float logp[4 + 375];
    rein_grads g;
    OK(rein_grads_init(&g, m));
    rein_forest_plan plan;
    rein_leaf leaf;
    rein_leaf_sampling how = {.temperature = 1};
    OK(rein_forest_plan_make(&plan, &f, 0));
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_begin(&leaf, &f, &plan, &how));
    OK(rein_leaf_forward(&leaf, 0, logp, NULL));
    double sum = 0;
    for (int i = 0; i < 125; i++) {
        const float *l = logp + f.span[1 + i].tok;
        sum += exp((double)l[0] + (double)l[1] + (double)l[2]);
    }
    assert_true(fabs(sum - 1) < 1e-5);
    rein_leaf_deinit(&leaf);
    rein_forest_plan_deinit(&plan);
    rein_grads_deinit(&g);
    rein_forest_deinit(&f);
    rein_model_destroy(m);
    rein_device_close(dev);
}

/* Along the gradient, the loss changes as the gradient says: central differences of the whole model. */
static void gradient_matches_differences(void **state) {
    (void)state;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m = tiny_model(dev, 4);
    rein_forest f;
    crossing_forest(&f, m->cfg.V);
    float *logp, *keep;
    rein_grads g;
    OK(rein_alloc(&logp, f.n_tok, sizeof *logp));
    OK(rein_alloc(&keep, m->n_float, sizeof *keep));
    memcpy(keep, m->w, (size_t)m->n_float * sizeof *keep);
    OK(rein_grads_init(&g, m));
    gradient(m, &f, 0, &g, logp);
    double norm = 0, loss[2] = {0, 0};
    float *dir;
    OK(rein_alloc(&dir, m->n_float, sizeof *dir));
    memcpy(dir, g.flat, (size_t)m->n_float * sizeof *dir);
    for (int64_t i = 0; i < m->n_float; i++) norm += (double)dir[i] * (double)dir[i];
    norm = sqrt(norm);
    double h = 1e-3;
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < m->n_float; i++)
            m->w[i] = (float)((double)keep[i] + (side ? h : -h) * (double)dir[i] / norm);
        rein_model_pack(m);
        gradient(m, &f, 0, &g, logp);
        for (int64_t t = 0; t < f.n_tok; t++)
            if (f.want[t]) loss[side] += (double)((float)(t % 13 - 6) * 0.01f) * (double)logp[t];
    }
    double slope = (loss[1] - loss[0]) / (2 * h);
    if (!(fabs(slope - norm) <= 1e-3 * norm)) fail_msg("slope %.9g, gradient norm %.9g", slope, norm);
    rein_free(logp);
    rein_free(keep);
    rein_free(dir);
    rein_grads_deinit(&g);
    rein_forest_deinit(&f);
    rein_model_destroy(m);
    rein_device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampler_is_the_trainer), cmocka_unit_test(sampler_is_the_trainer_windowed),
        cmocka_unit_test(gradient_bits_do_not_depend_on_the_way),
        cmocka_unit_test(sharing_changes_no_bit), cmocka_unit_test(continuations_sum_to_one),
        cmocka_unit_test(gradient_matches_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
