/*
 * Sampling against transformers' processors (golden/sampling): the kept set exactly, the log-probs over it; and the draw
 * itself against the distribution it should follow.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "gen/sample.h"
#include "golden_json.h"
#include "tensor/device.h"
#include "testing.h"

enum { MAX_V = 1000 };

static const char *const known[] = {"temperature", "top_k", "top_p", "min_p"};

static bool read_options(struct json_object *options, rein_sampling *s) {
    *s = (rein_sampling){.temperature = 1, .top_p = 1};
    json_object_object_foreach(options, key, value) {
        size_t k = 0;
        while (k < REIN_COUNT(known) && strcmp(key, known[k]) != 0) k++;
        double x = golden_number(value);
        switch (k) {
        case 0: s->temperature = x; break;
        case 1: s->top_k = (int64_t)x; break;
        case 2: s->top_p = x; break;
        case 3: s->min_p = x; break;
        default: return false; /* a processor that rein does not have */
        }
    }
    return true;
}

static void check_case(rein_device *dev, struct json_object *c, struct json_object *logits_of, const rein_sampling *s) {
    static float logits[MAX_V], terms[MAX_V];
    static rein_candidate order[MAX_V];
    static int32_t kept[MAX_V];
    char set[16];
    snprintf(set, sizeof set, "%d", (int)golden_double(c, "set"));
    struct json_object *row = golden_at(golden_get(logits_of, set), (int64_t)golden_double(c, "row"));
    struct json_object *want = golden_get(c, "kept"), *logp = golden_get(c, "logp");
    int64_t V = golden_length(row), n;
    for (int64_t v = 0; v < V; v++) logits[v] = (float)golden_number(golden_at(row, v));
    rein_sample(dev->ops, logits, V, s, 0.5, terms, order, kept, &n);
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
        rein_read read = {.target = kept[i], .kept = kept, .n_kept = (int32_t)n, .temperature = (float)s->temperature};
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
    int done = 0, skipped = 0;
    for (int64_t i = 0; i < golden_length(cases); i++) {
        struct json_object *c = golden_at(cases, i);
        rein_sampling s;
        if (read_options(golden_get(c, "options"), &s)) {
            check_case(dev, c, golden_get(doc, "logits"), &s);
            done++;
        } else {
            skipped++;
        }
    }
    print_message("%d cases agree, %d with processors that are not there yet\n", done, skipped);
    assert_true(done >= 100);
    json_object_put(doc);
    rein_device_close(dev);
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
        float terms[V];
        rein_candidate order[V];
        int32_t kept[V];
        int64_t n;
        for (uint32_t i = 0; i < N; i++) {
            double u = rein_random_uniform(9, REIN_STREAM_SAMPLE, (uint32_t)h, i, 0, 0);
            count[rein_sample(dev->ops, logits, V, &how[h], u, terms, order, kept, &n)]++;
        }
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
    float terms[4];
    int32_t kept[4];
    int64_t n;
    rein_sampling greedy = {.top_p = 1}, cold = {.temperature = 0.01, .top_p = 1};
    assert_int_equal(rein_sample(dev->ops, logits, 4, &greedy, 0, terms, NULL, kept, &n), 1); /* lowest id among equals */
    assert_int_equal(n, 0);
    assert_int_equal(rein_sample(dev->ops, logits, 4, &cold, 0.1, terms, NULL, kept, &n), 1);
    assert_int_equal(rein_sample(dev->ops, logits, 4, &cold, 0.9, terms, NULL, kept, &n), 2);
    rein_device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_what_transformers_keeps),
                                       cmocka_unit_test(draws_follow_the_distribution),
                                       cmocka_unit_test(greedy_is_the_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
