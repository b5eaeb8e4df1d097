/*
 * Sampling against transformers' processors (golden/sampling): the kept set exactly, the log-probs over it; and the draw
 * itself against the distribution it should follow.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "gen/process.h"
#include "gen/sample.h"
#include "golden_json.h"
#include "tensor/device.h"
#include "testing.h"

enum { MAX_V = 1000, MAX_IDS = 16 };

/* One case of the file. */
typedef struct kase {
    rein_sampling sampling;
    rein_processing processing;
    rein_phrase word[MAX_IDS];
    int32_t word_ids[MAX_IDS][MAX_IDS], suppressed[MAX_IDS], history[MAX_IDS];
} kase;

static int64_t read_ids(int32_t *out, struct json_object *list) {
    int64_t n = golden_length(list);
    assert_in_range(n, 0, MAX_IDS);
    for (int64_t i = 0; i < n; i++) out[i] = (int32_t)golden_number(golden_at(list, i));
    return n;
}

static void read_words(kase *k, struct json_object *list) {
    k->processing.bad_words = k->word;
    k->processing.n_bad_words = golden_length(list);
    for (int64_t i = 0; i < k->processing.n_bad_words; i++)
        k->word[i] = (rein_phrase){k->word_ids[i], read_ids(k->word_ids[i], golden_at(list, i)), 0};
}

static void read_options(struct json_object *options, kase *k) {
    static const struct {
        const char *name;
        size_t at;
        bool whole;
    } number[] = {
        {"temperature", offsetof(kase, sampling.temperature), false},
        {"top_k", offsetof(kase, sampling.top_k), true},
        {"top_p", offsetof(kase, sampling.top_p), false},
        {"min_p", offsetof(kase, sampling.min_p), false},
        {"typical_p", offsetof(kase, sampling.typical_p), false},
        {"epsilon_cutoff", offsetof(kase, sampling.epsilon_cutoff), false},
        {"eta_cutoff", offsetof(kase, sampling.eta_cutoff), false},
        {"repetition_penalty", offsetof(kase, processing.repetition_penalty), false},
        {"no_repeat_ngram_size", offsetof(kase, processing.no_repeat_ngram_size), true},
        {"min_new_tokens", offsetof(kase, processing.min_new_tokens), true},
    };
    *k = (kase){.sampling = {.temperature = 1, .top_p = 1}};
    json_object_object_foreach(options, key, value) {
        size_t i = 0;
        while (i < REIN_COUNT(number) && strcmp(key, number[i].name) != 0) i++;
        if (i < REIN_COUNT(number) && number[i].whole) {
            *(int64_t *)(void *)((char *)k + number[i].at) = (int64_t)golden_number(value);
        } else if (i < REIN_COUNT(number)) {
            *(double *)(void *)((char *)k + number[i].at) = golden_number(value);
        } else if (strcmp(key, "bad_words_ids") == 0) {
            read_words(k, value);
        } else if (strcmp(key, "suppress_tokens") == 0) {
            k->processing.n_suppress = read_ids(k->suppressed, value);
            k->processing.suppress = k->suppressed;
        } else {
            fail_msg("option %s", key);
        }
    }
}

/* Processors, then the choice; the row as processed stays in `logits`, the ids drawn from in `kept`. */
static int64_t keep(rein_device *dev, kase *k, struct json_object *doc, struct json_object *c, float *logits, int64_t V,
                    int32_t *kept) {
    static uint8_t ban[MAX_V];
    static int32_t count[MAX_V], left[MAX_V];
    char set[16];
    snprintf(set, sizeof set, "%d", (int)golden_double(c, "set"));
    int64_t n = read_ids(k->history, golden_at(golden_get(golden_get(doc, "input_ids"), set), (int64_t)golden_double(c, "row")));
    int64_t prompt = (int64_t)golden_double(doc, "prompt_len");
    int32_t eos = (int32_t)golden_double(doc, "eos_token_id");
    rein_edit edit = {.x = logits, .ban = ban, .count = count, .V = V};
    rein_context before = {.prompt = k->history, .n_prompt = prompt, .own = k->history + prompt, .n_own = n - prompt,
                           .end = &eos, .n_end = 1};
    rein_choice_row row = {.logits = logits, .V = V};
    OK(rein_processing_check(&k->processing, V));
    rein_process(&edit, &k->processing, &before);
    for (int32_t v = 0; v < V && edit.banned; v++)
        if (!ban[v]) left[row.allowed.n++] = v;
    if (edit.banned) row.allowed.ids = left;
    rein_sampler w;
    OK(rein_sampler_init(&w, dev->ops, V));
    rein_sample(&w, &row, &k->sampling, 0.5, kept, &n);
    rein_sampler_deinit(&w);
    return n;
}

static void check_case(rein_device *dev, struct json_object *doc, struct json_object *c) {
    static float logits[MAX_V];
    static int32_t kept[MAX_V];
    kase k;
    char set[16];
    snprintf(set, sizeof set, "%d", (int)golden_double(c, "set"));
    struct json_object *row = golden_at(golden_get(golden_get(doc, "logits"), set), (int64_t)golden_double(c, "row"));
    struct json_object *want = golden_get(c, "kept"), *logp = golden_get(c, "logp");
    int64_t V = golden_length(row), n;
    for (int64_t v = 0; v < V; v++) logits[v] = (float)golden_number(golden_at(row, v));
    read_options(golden_get(c, "options"), &k);
    n = keep(dev, &k, doc, c, logits, V, kept);
    if (json_object_is_type(want, json_type_array)) {
        assert_int_equal(n, golden_length(want));
        for (int64_t i = 0; i < n; i++) assert_int_equal(kept[i], (int64_t)golden_number(golden_at(want, i)));
    } else {
        assert_true(n == 0 || n == V);
        for (int64_t i = 0; i < V; i++) kept[i] = (int32_t)i;
        n = V;
    }
    for (int64_t i = 0; i < golden_length(logp); i++) {
        float got, stat[2];
        rein_read read = {.target = kept[i], .kept = kept, .n_kept = (int32_t)n,
                          .temperature = (float)k.sampling.temperature};
        dev->ops->logprob(dev, &got, stat, NULL, logits, &read, 1, V);
        double expected = golden_number(golden_at(logp, i));
        if (!(fabs((double)got - expected) <= 5e-5)) fail_msg("log-prob of id %d: %g, expected %g", kept[i], (double)got, expected);
    }
}

static void keeps_what_transformers_keeps(void **state) {
    (void)state;
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    struct json_object *doc = golden_load("golden/sampling/cases.json"), *cases = golden_get(doc, "cases");
    assert_int_equal(golden_length(cases), 245);
    for (int64_t i = 0; i < golden_length(cases); i++) check_case(dev, doc, golden_at(cases, i));
    json_object_put(doc);
    rein_device_close(dev);
}

/* ---- the processors that transformers lacks or the file has not ---- */

enum { FEW = 8 };

typedef struct few {
    float x[FEW];
    uint8_t ban[FEW];
    int32_t count[FEW];
} few;

static void run_few(few *f, rein_edit *edit, const rein_processing *p, const int32_t *prompt, int64_t n_prompt,
                    const int32_t *own, int64_t n_own) {
    static const int32_t eos[] = {7, 99}; /* 99: an end token that the head does not have */
    *f = (few){.x = {1, 2, -1, 0, 3, -2, 4, 0.5f}};
    *edit = (rein_edit){.x = f->x, .ban = f->ban, .count = f->count, .V = FEW};
    rein_context c = {.prompt = prompt, .n_prompt = n_prompt, .own = own, .n_own = n_own, .end = eos, .n_end = 2};
    OK(rein_processing_check(p, FEW));
    rein_process(edit, p, &c);
    for (int i = 0; i < FEW; i++) assert_int_equal(f->count[i], 0); /* scratch is left clean */
}

static void penalties_count_the_completion(void **state) {
    (void)state;
    static const int32_t prompt[] = {1, 1, 4}, own[] = {2, 4, 2, 2};
    few f;
    rein_edit edit;
    rein_processing p = {.frequency_penalty = 0.5, .presence_penalty = 0.25};
    run_few(&f, &edit, &p, prompt, 3, own, 4);
    assert_false(edit.banned);
    static const float want[FEW] = {1, 2, -1 - 1.5f - 0.25f, 0, 3 - 0.5f - 0.25f, -2, 4, 0.5f};
    for (int i = 0; i < FEW; i++) assert_true(f.x[i] == want[i]);
    assert_string_equal(rein_processing_shifts(&p), "frequency_penalty or presence_penalty");
    rein_processing both = {.repetition_penalty = 2, .presence_penalty = 1}; /* repetition first, over the prompt too */
    run_few(&f, &edit, &both, prompt, 3, own, 4);
    assert_true(f.x[1] == 1 && f.x[2] == -3 && f.x[4] == 0.5f);
}

static void biases_complete_phrases(void **state) {
    (void)state;
    static const int32_t prompt[] = {1, 2}, own[] = {3}, one[] = {6}, two[] = {3, 4}, three[] = {2, 3, 5}, no[] = {1, 3, 0},
                         deep[] = {0, 1, 2, 3, 1};
    rein_phrase bias[] = {{one, 1, -2}, {two, 2, 1.5}, {three, 3, -(double)INFINITY}, {no, 3, 9}, {deep, 5, 9}};
    rein_processing p = {.bias = bias, .n_bias = REIN_COUNT(bias)};
    few f;
    rein_edit edit;
    run_few(&f, &edit, &p, prompt, 2, own, 1);
    assert_true(f.x[6] == 2 && f.x[4] == 4.5f && f.x[0] == 1 && f.x[1] == 2 && f.x[5] == -2);
    assert_true(edit.banned);
    for (int i = 0; i < FEW; i++) assert_int_equal(f.ban[i], i == 5);
    bias[0].bias = (double)INFINITY;
    FAILS_WITH(REIN_ERR_ARG, rein_processing_check(&p, FEW));
    bias[0].bias = 0;
    FAILS_WITH(REIN_ERR_ARG, rein_processing_check(&p, 6)); /* id 6 of 6 */
}

static void ends_wait_for_the_least_length(void **state) {
    (void)state;
    static const int32_t prompt[] = {1, 2}, own[] = {3};
    const struct {
        rein_processing p;
        bool banned;
    } how[] = {{{.min_length = 4}, true}, {{.min_length = 3}, false}, {{.min_new_tokens = 2}, true}, {{.min_new_tokens = 1}, false}};
    for (size_t h = 0; h < REIN_COUNT(how); h++) {
        few f;
        rein_edit edit;
        run_few(&f, &edit, &how[h].p, prompt, 2, own, 1);
        assert_int_equal(edit.banned, how[h].banned);
        for (int i = 0; i < FEW && edit.banned; i++) assert_int_equal(f.ban[i], i == 7);
        assert_null(rein_processing_shifts(&how[h].p));
    }
}

/* ---- order as far as asked ---- */

static int by_value(const void *pa, const void *pb) {
    const rein_ranked *a = pa, *b = pb;
    if (a->x != b->x) return a->x > b->x ? -1 : 1;
    return a->i < b->i ? -1 : 1;
}

static void ranks_equal_a_full_sort(void **state) {
    (void)state;
    enum { N = 20000 };
    float *x;
    rein_ranked *order, *sorted;
    static rein_rank rank;
    OK(rein_alloc(&x, N, sizeof *x));
    OK(rein_alloc(&order, N, sizeof *order));
    OK(rein_alloc(&sorted, N, sizeof *sorted));
    for (uint32_t kind = 0; kind < 4; kind++) {
        for (uint32_t i = 0; i < N; i++) {
            double r = rein_random_normal(3, REIN_STREAM_DATA, kind, i, 0, 0);
            x[i] = kind == 0 ? (float)r : kind == 1 ? (float)((int)r) * 0.5f : kind == 2 ? 1.0f : (float)(r * 1e30);
            if (kind == 1 && i % 3 == 0) x[i] = -0.0f;
            sorted[i] = (rein_ranked){x[i], (int32_t)i};
        }
        qsort(sorted, N, sizeof *sorted, by_value);
        for (int64_t from = 0; from < N; from = from * 3 + 1) { /* any first question */
            rein_rank_begin(&rank, x, N, order);
            for (int64_t k = from; k < N; k++) assert_int_equal(rein_rank_at(&rank, k).i, sorted[k].i);
        }
    }
    rein_free(x);
    rein_free(order);
    rein_free(sorted);
}

/* Chi-square of 40 000 draws over 5 tokens against the exact distribution; 4 degrees of freedom, p > 0.01. */
static void draws_follow_the_distribution(void **state) {
    (void)state;
    enum { V = 5, N = 40000 };
    static const float logits[V] = {0.5f, -1.0f, 2.0f, 0.0f, 1.25f};
    static const rein_sampling how[] = {{.temperature = 1, .top_p = 1}, {.temperature = 0.7, .top_p = 1},
                                        {.temperature = 1.5, .top_k = 3, .top_p = 1}};
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    for (size_t h = 0; h < REIN_COUNT(how); h++) {
        int count[V] = {0};
        double p[V], total = 0, chi = 0;
        rein_sampler w;
        int32_t kept[V];
        int64_t n;
        rein_choice_row row = {.logits = logits, .V = V};
        OK(rein_sampler_init(&w, dev->ops, V));
        for (uint32_t i = 0; i < N; i++) {
            double u = rein_random_uniform(9, REIN_STREAM_SAMPLE, (uint32_t)h, i, 0, 0);
            count[rein_sample(&w, &row, &how[h], u, kept, &n)]++;
        }
        rein_sampler_deinit(&w);
        for (int v = 0; v < V; v++) {
            int larger = 0;
            for (int k = 0; k < V; k++) larger += logits[k] > logits[v];
            p[v] = how[h].top_k && larger >= how[h].top_k ? 0 : exp((double)logits[v] / how[h].temperature);
            total += p[v];
        }
        for (int v = 0; v < V; v++) {
            double expected = N * p[v] / total;
            if (p[v] == 0) assert_int_equal(count[v], 0);
            if (p[v] > 0) chi += (count[v] - expected) * (count[v] - expected) / expected;
        }
        if (!(chi < 13.28)) fail_msg("chi-square %g with options %d", chi, (int)h);
    }
    rein_device_close(dev);
}

static void greedy_is_the_limit(void **state) {
    (void)state;
    static const float logits[4] = {1, 3, 3, -2};
    rein_device *dev;
    OK(rein_device_open_cpu(&dev, NULL, 1));
    rein_sampler w;
    int32_t kept[4], allowed[] = {0, 2, 3};
    int64_t n;
    rein_choice_row row = {.logits = logits, .V = 4}, part = {.logits = logits, .V = 4, .allowed = {allowed, 3}};
    rein_sampling greedy = {.top_p = 1, .top_k = 1}, cold = {.temperature = 0.01, .top_p = 1};
    OK(rein_sampler_init(&w, dev->ops, 4));
    assert_int_equal(rein_sample(&w, &row, &greedy, 0, kept, &n), 1); /* lowest id among equals */
    assert_int_equal(n, 0);
    assert_int_equal(rein_sample(&w, &row, &cold, 0.1, kept, &n), 1);
    assert_int_equal(rein_sample(&w, &row, &cold, 0.9, kept, &n), 2);
    assert_int_equal(rein_sample(&w, &part, &greedy, 0, kept, &n), 2); /* of what is allowed */
    assert_int_equal(n, 3);
    assert_memory_equal(kept, allowed, sizeof allowed);
    rein_sampler_deinit(&w);
    rein_device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_what_transformers_keeps),
                                       cmocka_unit_test(penalties_count_the_completion),
                                       cmocka_unit_test(biases_complete_phrases),
                                       cmocka_unit_test(ends_wait_for_the_least_length),
                                       cmocka_unit_test(ranks_equal_a_full_sort),
                                       cmocka_unit_test(draws_follow_the_distribution),
                                       cmocka_unit_test(greedy_is_the_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
