/* GGUF files: what the writer writes the reader reads, and every damaged file is refused without harm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocations.h"
#include "base/base.h"
#include "base/file.h"
#include "folder.h"
#include "io/gguf.h"
#include "io/gguf_write.h"
#include "tensor/bits.h"
#include "testing.h"

static void assert_refused(const char *bytes, size_t len, const char *part) {
    rein_gguf *g;
    const char *path = in_folder("damaged.gguf");
    write_bytes(path, bytes, len);
    FAILS_WITH(REIN_ERR_FORMAT, rein_gguf_open(&g, path));
    assert_null(g);
    if (!strstr(rein_error_message(), part)) fail_msg("message '%s' lacks '%s'", rein_error_message(), part);
    assert_non_null(strstr(rein_error_message(), "damaged.gguf"));
}

static const float numbers[64] = {1, -2, 0.5F, 3};

/* Two tensors, each kind of value. */
static void write_sample(const char *path) {
    rein_gguf_meta m = {0};
    const rein_tensor_out list[] = {
        {.name = "b", .dtype = REIN_F32, .n_dim = 1, .shape = {3}, .f32 = numbers},
        {.name = "a", .dtype = REIN_Q8_0, .n_dim = 2, .shape = {2, 32}, .f32 = numbers},
    };
    rein_gguf_put_u32(&m, "number", 7);
    rein_gguf_put_f32(&m, "real", 0.5F);
    rein_gguf_put_f64(&m, "double", 0.1);
    rein_gguf_put_bool(&m, "flag", true);
    rein_gguf_put_string(&m, "text", "a\0b", 3);
    rein_gguf_put_array(&m, "words", REIN_GGUF_STRING, 2);
    rein_gguf_add_string(&m, "", 0);
    rein_gguf_add_string(&m, "two", 3);
    rein_gguf_put_array(&m, "kinds", REIN_GGUF_I32, 2);
    rein_gguf_add_i32(&m, -1);
    rein_gguf_add_i32(&m, 5);
    rein_gguf_put_array(&m, "scores", REIN_GGUF_F32, 1);
    rein_gguf_add_i32(&m, (int32_t)rein_bits_of(-2.5F));
    OK(rein_gguf_write(path, &m, list, REIN_COUNT(list)));
    rein_gguf_meta_deinit(&m);
}

static void check_values(const rein_gguf *g) {
    const rein_gguf_value *v;
    const char *text;
    size_t len;
    int64_t i;
    double x;
    bool flag;
    assert_int_equal(rein_gguf_value_count(g), 8);
    OK(rein_gguf_int(&i, g, "number"));
    assert_int_equal(i, 7);
    OK(rein_gguf_float(&x, g, "real"));
    assert_true(x == 0.5);
    OK(rein_gguf_float(&x, g, "double"));
    assert_true(x == 0.1);
    OK(rein_gguf_bool(&flag, g, "flag"));
    assert_true(flag);
    OK(rein_gguf_string(&text, &len, g, "text"));
    assert_int_equal(len, 3);
    assert_memory_equal(text, "a\0b", 3);
    OK(rein_gguf_array(&v, g, "words", REIN_GGUF_STRING));
    assert_int_equal(v->n, 2);
    const unsigned char *at = v->data;
    rein_gguf_next_string(&text, &len, &at);
    assert_int_equal(len, 0);
    rein_gguf_next_string(&text, &len, &at);
    assert_memory_equal(text, "two", 3);
    OK(rein_gguf_array(&v, g, "kinds", REIN_GGUF_I32));
    assert_int_equal(rein_gguf_value_int(v, 0), -1);
    assert_int_equal(rein_gguf_value_int(v, 1), 5);
    OK(rein_gguf_array(&v, g, "scores", REIN_GGUF_F32));
    assert_true(rein_gguf_value_float(v, 0) == -2.5);
    FAILS_WITH(REIN_ERR_FORMAT, rein_gguf_int(&i, g, "real"));
    assert_non_null(strstr(rein_error_message(), "key 'real' at byte"));
    FAILS_WITH(REIN_ERR_FORMAT, rein_gguf_int(&i, g, "absent"));
    FAILS_WITH(REIN_ERR_FORMAT, rein_gguf_array(&v, g, "number", REIN_GGUF_U32));
    FAILS_WITH(REIN_ERR_FORMAT, rein_gguf_string(&text, &len, g, "words"));
}

static void test_write_and_read(void **state) {
    (void)state;
    const char *path = in_folder("sample.gguf");
    rein_gguf *g;
    float values[64];
    write_sample(path);
    OK(rein_gguf_open(&g, path));
    check_values(g);
    assert_int_equal(rein_gguf_count(g), 2);
    const rein_tensor_view *a = rein_gguf_find(g, "a"), *b = rein_gguf_find(g, "b");
    assert_ptr_equal(a, rein_gguf_at(g, 0));
    assert_int_equal(a->dtype, REIN_Q8_0);
    assert_int_equal(a->shape[0], 2);
    assert_int_equal(a->shape[1], 32);
    assert_int_equal((uintptr_t)b->data % 32, 0);
    OK(rein_tensor_to_f32(values, b));
    assert_memory_equal(values, numbers, 3 * sizeof *values);
    OK(rein_tensor_to_f32(values, a));
    for (int i = 0; i < 64; i++) assert_true(values[i] - numbers[i] < 0.02F && numbers[i] - values[i] < 0.02F);
    assert_null(rein_gguf_find(g, "c"));
    rein_gguf_close(g);
}

static void test_write_refuses(void **state) {
    (void)state;
    rein_gguf_meta m = {0};
    const rein_tensor_out half[] = {{.name = "a", .dtype = REIN_Q8_0, .n_dim = 2, .shape = {2, 16}, .f32 = numbers}};
    const rein_tensor_out twice[] = {{.name = "a", .dtype = REIN_F32, .n_dim = 1, .shape = {3}, .f32 = numbers},
                                     {.name = "a", .dtype = REIN_F32, .n_dim = 1, .shape = {3}, .f32 = numbers}};
    FAILS_WITH(REIN_ERR_ARG, rein_gguf_write(in_folder("no.gguf"), &m, half, 1));
    FAILS_WITH(REIN_ERR_ARG, rein_gguf_write(in_folder("no.gguf"), &m, twice, 2));
    assert_false(rein_path_exists(in_folder("no.gguf")));
}

/* Every shorter file, down to none: only padding behind the last tensor may be missing. */
static void test_truncated(void **state) {
    (void)state;
    rein_str file = {0};
    write_sample(in_folder("sample.gguf"));
    OK(rein_file_read(&file, in_folder("sample.gguf")));
    size_t last = file.len - 96 + 2 * 34; /* two blocks of Q8_0, padded to 96 bytes */
    for (size_t len = 0; len < last; len++) assert_refused(file.data, len, "byte");
    rein_str_deinit(&file);
}

/* Any one bit flipped: refused, or read as a file whose parts all lie inside it. Behind the header nothing is checked.
 */
static void test_flipped_bits(void **state) {
    (void)state;
    rein_str file = {0};
    int64_t refused = 0, read = 0;
    write_sample(in_folder("sample.gguf"));
    OK(rein_file_read(&file, in_folder("sample.gguf")));
    size_t header = file.len - 32 - 96;
    for (size_t bit = 0; bit < 8 * header; bit++) {
        rein_gguf *g;
        file.data[bit / 8] ^= (char)(1 << bit % 8);
        write_bytes(in_folder("flipped.gguf"), file.data, file.len);
        file.data[bit / 8] ^= (char)(1 << bit % 8);
        if (rein_gguf_open(&g, in_folder("flipped.gguf")) != REIN_OK) {
            refused++;
            continue;
        }
        read++;
        for (int64_t i = 0; i < rein_gguf_count(g); i++) {
            const rein_tensor_view *v = rein_gguf_at(g, i);
            const unsigned char *bytes = v->data;
            int sum = 0;
            for (int64_t k = 0; k < rein_dtype_bytes(v->dtype, v->n); k++) sum += bytes[k];
            assert_true(sum >= 0);
        }
        rein_gguf_close(g);
    }
    assert_true(refused > 1000 && read > 500); /* names, texts and numbers may be anything */
    rein_str_deinit(&file);
}

/* ---- single faults ---- */

/* Offset of the bytes in the file; they are there once. */
static size_t place_of(const rein_str *file, const char *bytes, size_t len) {
    for (size_t i = 0; i + len <= file->len; i++)
        if (memcmp(file->data + i, bytes, len) == 0) return i;
    fail_msg("'%s' is not in the file", bytes);
    return 0;
}

static void patch(rein_str *file, size_t at, uint64_t value, int bytes, const char *part) {
    char old[8];
    memcpy(old, file->data + at, (size_t)bytes);
    for (int i = 0; i < bytes; i++) file->data[at + (size_t)i] = (char)(unsigned char)(value >> 8 * i);
    assert_refused(file->data, file->len, part);
    memcpy(file->data + at, old, (size_t)bytes);
}

static void test_faults(void **state) {
    (void)state;
    rein_str file = {0};
    write_sample(in_folder("sample.gguf"));
    OK(rein_file_read(&file, in_folder("sample.gguf")));
    patch(&file, 0, 'X', 1, "byte 0: this is no GGUF file");
    patch(&file, 4, 1, 4, "byte 4: GGUF version 1 is not supported");
    patch(&file, 4, 0x03000000, 4, "big-endian");
    patch(&file, 8, UINT64_MAX, 8, "byte 8: the number of tensors is 18446744073709551615, more than");
    patch(&file, 16, UINT64_MAX / 2, 8, "byte 16: the number of metadata keys");
    patch(&file, 24, 1 << 20, 8, "byte 24: a key is 1048576, more than");
    patch(&file, 24, 0, 8, "byte 24: a key of 0 bytes");
    size_t number = place_of(&file, "number", 6);
    patch(&file, number + 6, 99, 4, "type 99 of a value is unknown");
    size_t flag = place_of(&file, "flag", 4);
    patch(&file, flag + 8, 2, 1, "2 is no boolean");
    size_t words = place_of(&file, "words", 5);
    patch(&file, words + 9, REIN_GGUF_ARRAY, 4, "arrays of arrays");
    patch(&file, words + 13, UINT64_MAX, 8, "the length of an array is");
    patch(&file, words + 21, UINT64_MAX - 7, 8, "the length of a string is");
    size_t b = place_of(&file, "\1\0\0\0\0\0\0\0b", 9) + 9;
    patch(&file, b, 5, 4, "tensor 'b': byte");
    patch(&file, b, 0, 4, "0 dimensions, expected 1 to 4");
    patch(&file, b + 4, 0, 8, "dimension 0 is 0");
    patch(&file, b + 4, INT64_MAX, 8, "the size of its shape overflows");
    patch(&file, b + 4, 100, 8, "end outside the file");
    patch(&file, b + 4, 9, 8, "begins at byte");
    patch(&file, b + 12, 10, 4, "element type 10 is not supported");
    patch(&file, b + 12, 8, 4, "are no whole blocks of 32 (Q8_0)");
    patch(&file, b + 16, 4, 8, "no multiple of the alignment 32");
    patch(&file, b + 16, 1 << 30, 8, "outside the file");
    size_t a = place_of(&file, "\1\0\0\0\0\0\0\0a", 9) + 8;
    patch(&file, a, 'b', 1, "tensor 'b' is given twice");
    patch(&file, a + 25, 0, 8, "begins at byte");
    size_t real = place_of(&file, "real", 4);
    memcpy(file.data + real, "flag", 4);
    assert_refused(file.data, file.len, "key 'flag' is given twice");
    memcpy(file.data + real, "real", 4);
    for (int i = 0; i < 32; i++) rein_str_putc(&file, '\0');
    assert_refused(file.data, file.len, "at the end belong to no tensor");
    rein_str_deinit(&file);
}

/* An allocation that fails at any point is an error and leaks nothing. */
static rein_status open_sample(void *user) {
    rein_gguf *g = NULL;
    (void)user;
    rein_status status = rein_gguf_open(&g, in_folder("sample.gguf"));
    rein_gguf_close(g);
    return status;
}

static void test_no_memory(void **state) {
    (void)state;
    write_sample(in_folder("sample.gguf"));
    refuse_each_allocation(open_sample, NULL, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read), cmocka_unit_test(test_write_refuses), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped_bits),   cmocka_unit_test(test_faults),        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
