/*
 * The first promise: the log-prob recorded when a token is sampled is, bit for bit, the one that the trainer computes,
 * whatever shared the batch; and no gradient bit depends on how the forest is cut, on threads or on the kernels.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/generate.h"
#include "model/leaf.h"
#include "tiny_model.h"
#include "train/group.h"

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
    int64_t *tok_of; /* tok_of[sequence]: its first token */
    rein_kept *kept;
} scored;

static void build(scored *out, const sampled *s, bool shared, int64_t microbatch) {
    *out = (scored){0};
    uint8_t want[MAX_PROMPT + NEW];
    OK(rein_alloc(&out->tok_of, s->gen.n_seq, sizeof *out->tok_of));
    OK(rein_alloc(&out->kept, 100000, sizeof *out->kept));
    memset(want, 1, sizeof want);
    int64_t root = -1;
    for (int64_t q = 0; q < s->gen.n_seq; q++) {
        const rein_gen_sequence *seq = &s->gen.seq[q];
        const rein_gen_prompt *p = &s->prompt[seq->prompt];
        if (!shared || seq->sample == 0) OK(rein_forest_add(&out->forest, -1, p->ids, NULL, p->n, &root));
        out->tok_of[q] = out->forest.n_tok;
        OK(rein_forest_add(&out->forest, root, seq->ids, want, seq->n, NULL));
        memcpy(out->kept + out->tok_of[q], seq->kept, (size_t)seq->n * sizeof *seq->kept);
    }
    OK(rein_forest_plan_make(&out->plan, &out->forest, microbatch));
}

static void drop(scored *s) {
    rein_forest_plan_deinit(&s->plan);
    rein_forest_deinit(&s->forest);
    rein_free(s->tok_of);
    rein_free(s->kept);
}

static void compare_all(const sampled *s, const rein_model *m, double temperature, bool shared, int64_t microbatch) {
    scored f;
    rein_leaf leaf;
    build(&f, s, shared, microbatch);
    rein_leaf_sampling how = {.temperature = (float)temperature, .kept = f.kept};
    float *logp;
    OK(rein_alloc(&logp, f.forest.n_tok, sizeof *logp));
    OK(rein_leaf_init(&leaf, m));
    OK(rein_leaf_begin(&leaf, &f.forest, &f.plan, &how));
    for (int64_t p = 0; p < f.plan.n_part; p++) OK(rein_leaf_forward(&leaf, p, &(rein_leaf_values){.logp = logp}));
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
    OK(rein_leaf_forward(&leaf, 0, &(rein_leaf_values){.logp = logp}));
    OK(rein_leaf_backward(&leaf, &(rein_leaf_gradient){.logp = dlogp}, &g));
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

/* Constrained and banned tokens shrink the set that is drawn from; the trainer draws from the same. */
static void constrained_sampler_is_the_trainer(void **state) {
    (void)state;
    static const int64_t batch[] = {1, 64};
    static const char *const special[] = {"<pad>", "<end>"}, *const regex = "\\{\"(a|bc){2,6}\": [0-9]{1,4}\\}",
                      *const text = "{\"abc\": 0123456789} {\"bc\": 10}";
    size_t len = strlen(text);
    int32_t end = 1, banned[] = {5};
    rein_phrase bad = {banned, 1, 0};
    rein_device *dev;
    rein_tokenizer *tok;
    rein_bpe_options bpe = {.vocab_size = 40, .special = special, .n_special = 2};
    OK(rein_device_open_cpu(&dev, NULL, 2));
    OK(rein_tokenizer_train(&tok, &bpe, &text, &len, 1));
    rein_model *m = tiny_model(dev, 3);
    rein_vocabulary v = {.tokenizer = tok, .V = m->cfg.V, .end = &end, .n_end = 1};
    sampled *s;
    OK(rein_alloc(&s, 1, sizeof *s));
    for (size_t b = 0; b < 2 * REIN_COUNT(batch); b++) {
        bool cut = b >= REIN_COUNT(batch);
        int64_t whole = 0;
        rein_grammar *g;
        OK(rein_grammar_open_regex(&g, regex, strlen(regex), &v));
        rein_gen_options o = {.sampling = {.temperature = 1.3, .top_p = cut ? 0.8 : 1}, .max_new_tokens = NEW, .seed = 5,
                              .max_batch = batch[b % REIN_COUNT(batch)], .stream = REIN_STREAM_SAMPLE, .eos = &end,
                              .n_eos = 1, .tokenizer = tok, .grammar = g,
                              .processing = {.min_new_tokens = 4, .bad_words = &bad, .n_bad_words = cut}};
        sample(s, m, &o);
        assert_null(s->gen.not_for_training);
        for (int64_t q = 0; q < s->gen.n_seq; q++) {
            const rein_gen_sequence *seq = &s->gen.seq[q];
            for (int64_t t = 0; t < seq->n; t++) {
                assert_in_range(seq->kept[t].n, 1, 40);
                assert_true(seq->logp[t] >= seq->logp_full[t]); /* fewer tokens share the probability */
            }
            if (seq->finish != REIN_FINISH_EOS) continue;
            rein_str out = {0};
            int number, used = 0;
            OK(rein_gen_text(&out, seq, &o, true, false));
            char *close = strchr(out.data, '\"') + 1;
            close += strspn(close, "abc");
            if (sscanf(close, "\": %d}%n", &number, &used) != 1 || close[used]) fail_msg("'%s'", out.data);
            rein_str_deinit(&out);
            whole++;
        }
        assert_true(whole > s->gen.n_seq / 2);
        compare_all(s, m, 1.3, true, 0);
        compare_all(s, m, 1.3, false, 300);
        rein_gen_deinit(&s->gen);
        rein_grammar_close(g);
    }
    rein_free(s);
    rein_tokenizer_destroy(tok);
    rein_model_destroy(m);
    rein_device_close(dev);
}

/* Penalties change logits: recorded are the log-probs of what was sampled from, and training is told to refuse. */
static void penalties_are_not_for_training(void **state) {
    (void)state;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m = tiny_model(dev, 3);
    sampled *s;
    OK(rein_alloc(&s, 1, sizeof *s));
    rein_gen_options o = {.sampling = {.temperature = 1, .top_p = 1}, .processing = {.presence_penalty = 1e6}, .max_batch = 9,
                          .max_new_tokens = NEW, .seed = 5, .stream = REIN_STREAM_SAMPLE};
    sample(s, m, &o);
    assert_string_equal(s->gen.not_for_training, "frequency_penalty or presence_penalty");
    for (int64_t q = 0; q < s->gen.n_seq; q++) {
        const rein_gen_sequence *seq = &s->gen.seq[q];
        bool seen[67] = {false};
        assert_true(seq->logp[0] == seq->logp_full[0]); /* nothing to penalise yet */
        for (int64_t t = 0; t < seq->n; t++) {
            assert_false(seen[seq->ids[t]]);
            seen[seq->ids[t]] = true;
            if (t > 0) assert_true(seq->logp[t] > seq->logp_full[t]);
        }
    }
    rein_rollouts r = {.P = PROMPTS, .G = GROUP, .gen = s->gen};
    rein_group_batch b;
    FAILS_WITH(REIN_ERR_ARG, rein_group_batch_make(&b, &r, 0, r.gen.n_seq, 1, 0));
    assert_non_null(strstr(rein_error_message(), "presence_penalty"));
    rein_gen_deinit(&s->gen);
    o.processing = (rein_processing){0};
    o.sampling.top_k = 5;
    o.forget_kept = true;
    sample(s, m, &o);
    r.gen = s->gen;
    FAILS_WITH(REIN_ERR_ARG, rein_group_batch_make(&b, &r, 0, r.gen.n_seq, 1, 0));
    rein_gen_deinit(&s->gen);
    rein_free(s);
    rein_model_destroy(m);
    rein_device_close(dev);
}

/* ---- every token is told, and the listener may end a sequence ---- */

typedef struct listener {
    int32_t heard[PROMPTS * GROUP][NEW];
    int64_t n[PROMPTS * GROUP];
} listener;

static bool hear(void *user, int64_t seq, int32_t id) {
    listener *l = user;
    l->heard[seq][l->n[seq]++] = id;
    return seq % 2 == 1 && l->n[seq] == 3;
}

static void listeners_hear_every_token(void **state) {
    (void)state;
    static listener l;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 2));
    rein_model *m = tiny_model(dev, 3);
    sampled *s;
    OK(rein_alloc(&s, 1, sizeof *s));
    rein_gen_options o = {.sampling = {.temperature = 1, .top_p = 1}, .max_batch = 9, .max_new_tokens = 6, .seed = 5,
                          .stream = REIN_STREAM_SAMPLE, .on_token = hear, .on_token_user = &l};
    sample(s, m, &o);
    for (int64_t q = 0; q < s->gen.n_seq; q++) {
        assert_int_equal(s->gen.seq[q].n, q % 2 ? 3 : 6);
        assert_int_equal(l.n[q], s->gen.seq[q].n);
        assert_memory_equal(l.heard[q], s->gen.seq[q].ids, (size_t)l.n[q] * sizeof(int32_t));
        assert_int_equal(s->gen.seq[q].finish, q % 2 ? REIN_FINISH_STOP : REIN_FINISH_LENGTH);
    }
    rein_gen_deinit(&s->gen);
    rein_free(s);
    rein_model_destroy(m);
    rein_device_close(dev);
}

/* A text that is forced, cut by stop strings, of which the first in the text counts, and by stop ids. */
static void stops_cut_the_text(void **state) {
    (void)state;
    static const char *const special[] = {"<pad>", "<end>"}, *const text = "abcd", *const one[] = {"x", "cda"},
                      *const two[] = {"da", "bc"};
    const struct {
        const char *const *stop;
        int64_t n_stop, least;
        const char *without, *with;
    } how[] = {{one, 2, 0, "ab", "abcda"}, {two, 2, 0, "a", "abc"}, {two, 2, 4, "abc", "abcda"}, {NULL, 0, 0, "abcdabcd", "abcdabcd"}};
    size_t len = strlen(text);
    int32_t end = 1;
    rein_device *dev;
    rein_tokenizer *tok;
    rein_bpe_options bpe = {.vocab_size = 6, .special = special, .n_special = 2};
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_tokenizer_train(&tok, &bpe, &text, &len, 1));
    rein_model *m = tiny_model(dev, 3);
    rein_vocabulary v = {.tokenizer = tok, .V = m->cfg.V, .end = &end, .n_end = 1};
    sampled *s;
    rein_grammar *g;
    OK(rein_alloc(&s, 1, sizeof *s));
    OK(rein_grammar_open_regex(&g, "(abcd){2}", 9, &v));
    rein_gen_options o = {.sampling = {.temperature = 1, .top_p = 1}, .max_batch = 64, .max_new_tokens = NEW, .eos = &end,
                          .n_eos = 1, .stream = REIN_STREAM_SAMPLE, .tokenizer = tok, .grammar = g};
    for (size_t h = 0; h < REIN_COUNT(how); h++) {
        o.stop = how[h].stop;
        o.n_stop = how[h].n_stop;
        o.processing.min_new_tokens = how[h].least;
        sample(s, m, &o);
        for (int64_t q = 0; q < s->gen.n_seq; q++) {
            rein_str out = {0};
            OK(rein_gen_text(&out, &s->gen.seq[q], &o, true, false));
            assert_string_equal(out.data, how[h].without);
            rein_str_clear(&out);
            OK(rein_gen_text(&out, &s->gen.seq[q], &o, true, true));
            assert_string_equal(out.data, how[h].with);
            assert_int_equal(s->gen.seq[q].finish, how[h].stop ? REIN_FINISH_STOP : REIN_FINISH_EOS);
            rein_str_deinit(&out);
        }
        rein_gen_deinit(&s->gen);
    }
    int32_t c = rein_tokenizer_id(tok, "c", 1);
    o.stop_ids = &c;
    o.n_stop_ids = 1;
    sample(s, m, &o);
    for (int64_t q = 0; q < s->gen.n_seq; q++) {
        assert_int_equal(s->gen.seq[q].n, 3);
        assert_int_equal(s->gen.seq[q].finish, REIN_FINISH_STOP);
    }
    rein_gen_deinit(&s->gen);
    rein_grammar_close(g);
    rein_free(s);
    rein_tokenizer_destroy(tok);
    rein_model_destroy(m);
    rein_device_close(dev);
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
        OK(rein_leaf_forward(&leaf, p, &(rein_leaf_values){.logp = logp}));
        OK(rein_leaf_backward(&leaf, &(rein_leaf_gradient){.logp = dlogp}, g));
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
    OK(rein_leaf_forward(&leaf, 0, &(rein_leaf_values){.logp = logp}));
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
        cmocka_unit_test(constrained_sampler_is_the_trainer), cmocka_unit_test(penalties_are_not_for_training),
        cmocka_unit_test(listeners_hear_every_token), cmocka_unit_test(stops_cut_the_text),
        cmocka_unit_test(gradient_bits_do_not_depend_on_the_way),
        cmocka_unit_test(sharing_changes_no_bit), cmocka_unit_test(continuations_sum_to_one),
        cmocka_unit_test(gradient_matches_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
