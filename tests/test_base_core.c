/* Memory, arenas, strings, the error trace, the log. */
#include "base_check.h"

static void test_alloc(void **state) {
    (void)state;
    int64_t *block, count = rein_alloc_count();
    assert_ok(rein_alloc(&block, 3, sizeof *block));
    assert_int_equal((uintptr_t)block % 64, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(block[i], 0);
        block[i] = i + 1;
    }
    assert_ok(rein_realloc(&block, 3, 100, sizeof *block));
    for (int i = 0; i < 100; i++) assert_int_equal(block[i], i < 3 ? i + 1 : 0);
    assert_ok(rein_realloc(&block, 100, 2, sizeof *block));
    assert_int_equal(block[1], 2);
    assert_int_equal(rein_alloc_count(), count + 3);
    int64_t *kept = block;
    rein_alloc_fail_after(1);
    assert_int_equal(rein_realloc(&block, 2, 100, sizeof *block), REIN_ERR_MEMORY);
    assert_ptr_equal(block, kept);
    rein_free(block);
    assert_int_equal(rein_alloc(&block, INT64_MAX, 16), REIN_ERR_MEMORY);
    assert_int_equal(rein_alloc(&block, -1, 1), REIN_ERR_MEMORY);
    assert_ok(rein_alloc(&block, 0, 8));
    rein_free(block);
    rein_free(NULL);
}

static void test_arena(void **state) {
    (void)state;
    rein_arena arena = {0};
    char *text, *big, *last = NULL;
    for (int i = 0; i < 10000; i++) {
        assert_ok(rein_arena_strdup(&arena, &text, "0123456789abcdef", (size_t)(i % 17)));
        assert_int_equal((uintptr_t)text % 16, 0);
        assert_int_equal(strlen(text), i % 17);
        assert_ptr_not_equal(text, last);
        last = text;
    }
    assert_ok(rein_arena_alloc(&arena, &big, 1 << 20));
    for (int i = 0; i < 1 << 20; i += 4096) assert_int_equal(big[i], 0);
    big[(1 << 20) - 1] = 'x';
    assert_int_equal(rein_arena_alloc(&arena, &big, SIZE_MAX), REIN_ERR_MEMORY);
    rein_arena_deinit(&arena);
    rein_arena_deinit(&arena);
}

static void test_str(void **state) {
    (void)state;
    rein_str s = {0};
    rein_str_puts(&s, "");
    assert_string_equal(s.data, "");
    for (int i = 0; i < 100; i++) rein_str_printf(&s, "%d,", i);
    rein_str_putc(&s, '\0');
    rein_str_append(&s, "\0x", 2);
    assert_int_equal(s.len, 290 + 3);
    assert_int_equal(s.data[s.len], '\0');
    assert_memory_equal(s.data, "0,1,2,", 6);
    assert_ok(rein_str_check(&s));
    rein_str_clear(&s);
    assert_int_equal(s.len, 0);
    rein_alloc_fail_after(1);
    for (int i = 0; i < 1000; i++) rein_str_putc(&s, 'x');
    assert_int_equal(rein_str_check(&s), REIN_ERR_MEMORY);
    rein_str_deinit(&s);
}

static rein_status origin(void) { return rein_fail(REIN_ERR_FORMAT, "tensor '%s': wrong", "w"); }
static rein_status forward(void) {
    REIN_TRY(origin());
    return REIN_OK;
}

static void test_trace(void **state) {
    (void)state;
    assert_int_equal(forward(), REIN_ERR_FORMAT);
    assert_string_equal(rein_error_message(), "tensor 'w': wrong");
    int lines = 0;
    for (const char *at = rein_error_frames(); (at = strchr(at, '\n')); at++) lines++;
    assert_int_equal(lines, 2);
    assert_int_equal(rein_error_prefix(REIN_ERR_FORMAT, "%s", "file"), REIN_ERR_FORMAT);
    assert_string_equal(rein_error_message(), "file: tensor 'w': wrong");
    /* an argument may be the message itself; longer than the buffer is cut, not a fault */
    rein_fail(REIN_ERR_IO, "again: %s", rein_error_message());
    assert_string_equal(rein_error_message(), "again: file: tensor 'w': wrong");
    for (int i = 0; i < 400; i++) rein_error_prefix(REIN_ERR_IO, "prefix %d", i);
    assert_true(strncmp(rein_error_message(), "prefix 399: prefix 398: ", 24) == 0);
    for (int i = 0; i < 400; i++) rein_trace_add(REIN_ERR_IO, "some/file.c", i);
}

static void take_log(void *user, rein_log_level level, const char *message) {
    assert_int_equal(level, REIN_LOG_WARN);
    rein_str_puts(user, message);
}

static void test_log(void **state) {
    (void)state;
    rein_str s = {0};
    rein_log(REIN_LOG_WARN, "dropped");
    rein_log_set_sink(take_log, &s);
    rein_log(REIN_LOG_WARN, "kept %d", 1);
    rein_log_set_sink(NULL, NULL);
    rein_log(REIN_LOG_WARN, "dropped");
    assert_string_equal(s.data, "kept 1");
    rein_str_deinit(&s);
    double start = rein_clock();
    assert_true(rein_clock() >= start && rein_peak_rss() > 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_alloc), cmocka_unit_test(test_arena),
                                       cmocka_unit_test(test_str), cmocka_unit_test(test_trace),
                                       cmocka_unit_test(test_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
