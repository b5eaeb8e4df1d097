/* Every op table this machine can run equals the reference bit for bit, over the list of op_cases.h and 1, 2, 4
 * threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "op_cases.h"

enum { MAX_DEVICES = 16, MAX_SHOWN = 20 };

typedef struct suite {
    rein_device *ref;
    rein_device *other[MAX_DEVICES];
    int n_other;
    int64_t n_cases, n_differ;
} suite;

static rein_device *open_device(const char *isa, int threads) {
    rein_device *dev = NULL;
    assert_int_equal(rein_device_open_cpu(&dev, isa, threads), REIN_OK);
    return dev;
}

static void show(const op_case *c, const rein_device *dev, const op_buffer *want, const op_buffer *got) {
    int64_t i = 0;
    while (i < want->n && memcmp(&want->block[i], &got->block[i], sizeof(float)) == 0) i++;
    print_error("%s(", c->op);
    for (int k = 0; k < OP_PARAMS; k++) print_error("%s%lld", k ? "," : "", (long long)c->p[k]);
    print_error(") %s, %d threads: %s[%lld of %lld] is %a, want %a\n", dev->ops->name, dev->threads, want->name,
                (long long)(i - want->lead), (long long)(want->n - want->lead), (double)got->block[i],
                (double)want->block[i]);
}

static void compare(suite *s, const op_case *c, const op_run *want, const op_run *got) {
    assert_int_equal(want->n_buffers, got->n_buffers);
    for (int b = 0; b < want->n_buffers; b++) {
        const op_buffer *x = &want->buffer[b], *y = &got->buffer[b];
        assert_int_equal(x->n, y->n);
        if (memcmp(x->block, y->block, (size_t)x->n * sizeof(float)) == 0) continue;
        if (s->n_differ++ < MAX_SHOWN) show(c, got->dev, x, y);
    }
}

static void visit_case(void *user, const op_case *c) {
    suite *s = user;
    op_run want, got;
    op_case_run(&want, s->ref, c);
    for (int i = 0; i < s->n_other; i++) {
        op_case_run(&got, s->other[i], c);
        compare(s, c, &want, &got);
        op_run_free(&got);
    }
    op_run_free(&want);
    s->n_cases++;
}

static void run_group(void **state, void (*cases)(op_visit visit, void *user)) {
    suite *s = *state;
    s->n_cases = s->n_differ = 0;
    cases(visit_case, s);
    print_message("%lld cases, %d devices, %lld buffers differ\n", (long long)s->n_cases, s->n_other,
                  (long long)s->n_differ);
    assert_int_equal(s->n_differ, 0);
}

static void test_linear(void **state) { run_group(state, op_cases_linear); }
static void test_stored(void **state) { run_group(state, op_cases_stored); }
static void test_adapter(void **state) { run_group(state, op_cases_adapter); }
static void test_rows(void **state) { run_group(state, op_cases_rows); }
static void test_attention(void **state) { run_group(state, op_cases_attention); }
static void test_logprob(void **state) { run_group(state, op_cases_logprob); }
static void test_optim(void **state) { run_group(state, op_cases_optim); }

/* ---- the comparison itself: it must see one changed bit, and one store outside an output ---- */

static void nudged_add(rein_device *dev, float *y, const float *a, const float *b, int64_t n) {
    (void)dev;
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
    uint32_t u;
    memcpy(&u, &y[n - 1], sizeof u);
    u ^= 1;
    memcpy(&y[n - 1], &u, sizeof u);
}

static void stray_add(rein_device *dev, float *y, const float *a, const float *b, int64_t n) {
    (void)dev;
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
    y[n] = 0;
}

static void keep_add(void *user, const op_case *c) {
    if (strcmp(c->op, "add") == 0 && c->p[0] > 1000) *(op_case *)user = *c;
}

static void count_differences(void **state,
                              void (*add)(rein_device *, float *, const float *, const float *, int64_t)) {
    suite *s = *state;
    op_case c = {0};
    op_cases_rows(keep_add, &c);
    rein_device *dev = open_device("ref", 1);
    rein_ops ops = *dev->ops;
    ops.add = add;
    dev->ops = &ops;
    op_run want, got;
    op_case_run(&want, s->ref, &c);
    op_case_run(&got, dev, &c);
    int64_t differ = 0;
    for (int b = 0; b < want.n_buffers; b++)
        differ += memcmp(want.buffer[b].block, got.buffer[b].block, (size_t)want.buffer[b].n * sizeof(float)) != 0;
    op_run_free(&want);
    op_run_free(&got);
    rein_device_close(dev);
    assert_int_equal(differ, 1);
}

static void test_sees_one_bit(void **state) { count_differences(state, nudged_add); }
static void test_sees_stray_store(void **state) { count_differences(state, stray_add); }

/* ---- devices ---- */

static void test_unknown_isa(void **state) {
    (void)state;
    rein_device *dev = NULL;
    assert_int_equal(rein_device_open_cpu(&dev, "sse9", 1), REIN_ERR_USAGE);
    assert_int_equal(rein_device_open_cpu(&dev, NULL, -1), REIN_ERR_USAGE);
    assert_null(dev);
    assert_int_equal(rein_device_open_cpu(&dev, NULL, 0), REIN_OK);
    assert_string_equal(dev->ops->name, rein_cpu_isas()[0]);
    assert_true(dev->threads >= 1);
    rein_device_close(dev);
}

/* The AVX-512 source through SIMDe, on a machine that can fuse a multiply-add. */
static void open_emulated(suite *s) {
#ifdef REIN_TEST_SIMDE
    extern const rein_ops rein_ops_avx512_simde;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        rein_device *dev = open_device("generic", 2);
        dev->ops = &rein_ops_avx512_simde;
        s->other[s->n_other++] = dev;
        return;
    }
#endif
    (void)s;
    print_message("skipped: avx512 by simde\n");
}

static int setup(void **state) {
    static suite s;
    static const char *const all[] = {"avx512", "avx2", "generic"};
    static const int threads[] = {1, 2, 4};
    s.ref = open_device("ref", 1);
    for (size_t i = 0; i < REIN_COUNT(all); i++) {
        const char *const *have = rein_cpu_isas();
        while (*have && strcmp(*have, all[i]) != 0) have++;
        if (!*have) print_message("skipped: %s, not in this build or not on this machine\n", all[i]);
        for (size_t t = 0; *have && t < REIN_COUNT(threads); t++) s.other[s.n_other++] = open_device(*have, threads[t]);
    }
    open_emulated(&s);
    *state = &s;
    return 0;
}

static int teardown(void **state) {
    suite *s = *state;
    rein_device_close(s->ref);
    for (int i = 0; i < s->n_other; i++) rein_device_close(s->other[i]);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_stored),
        cmocka_unit_test(test_adapter),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_logprob),
        cmocka_unit_test(test_optim),
        cmocka_unit_test(test_sees_one_bit),
        cmocka_unit_test(test_sees_stray_store),
        cmocka_unit_test(test_unknown_isa),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
