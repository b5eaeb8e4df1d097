/*
 * Stored weights against values made by an independent implementation: golden/quant/gguf.json holds random blocks of
 * each quantised type and the f32 bits that the Python package gguf (gguf.quants) makes of them, and rows that it
 * quantised.
 */
#include <stdio.h>

#include "golden_json.h"
#include "tensor/dtype.h"
#include "tensor/quant.h"

enum { MAX_BYTES = 1024, MAX_VALUES = 512 };

static int64_t read_hex(uint8_t *out, const char *hex) {
    int64_t n = (int64_t)strlen(hex) / 2;
    assert_true(n <= MAX_BYTES);
    for (int64_t i = 0; i < n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return n;
}

static int64_t read_bits(float *out, struct json_object *list) {
    int64_t n = golden_length(list);
    assert_true(n <= MAX_VALUES);
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)json_object_get_int64(golden_at(list, i));
        memcpy(&out[i], &bits, sizeof bits);
    }
    return n;
}

static void check_dequantize(rein_dtype dtype, struct json_object *golden) {
    uint8_t bytes[MAX_BYTES];
    float want[MAX_VALUES], got[MAX_VALUES];
    int64_t size = read_hex(bytes, golden_text(golden, "bytes")), n = read_bits(want, golden_get(golden, "values"));
    assert_int_equal(size, rein_dtype_bytes(dtype, n));
    rein_dequantize(got, dtype, bytes, 0, n);
    assert_memory_equal(got, want, (size_t)n * sizeof *got);
    for (int64_t first = 0; first < n; first += 37) { /* any part of a row */
        int64_t count = n - first < 71 ? n - first : 71;
        rein_dequantize(got, dtype, bytes, first, count);
        assert_memory_equal(got, want + first, (size_t)count * sizeof *got);
    }
}

static void test_dequantize(void **state) {
    (void)state;
    struct json_object *golden = golden_load("golden/quant/gguf.json");
    for (int dtype = REIN_Q4_0; dtype < REIN_DTYPES; dtype++)
        check_dequantize((rein_dtype)dtype,
                         golden_get(golden_get(golden, "dequantize"), rein_dtype_name((rein_dtype)dtype)));
    json_object_put(golden);
}

static void check_quantize(rein_dtype dtype, struct json_object *golden) {
    uint8_t want[MAX_BYTES], got[MAX_BYTES];
    float values[MAX_VALUES];
    int64_t size = read_hex(want, golden_text(golden, "bytes")), n = read_bits(values, golden_get(golden, "values"));
    assert_int_equal(size, rein_dtype_bytes(dtype, n));
    rein_quantize(got, dtype, values, n);
    assert_memory_equal(got, want, (size_t)size);
}

static void test_quantize(void **state) {
    (void)state;
    static const rein_dtype written[] = {REIN_Q8_0, REIN_F16, REIN_BF16};
    struct json_object *golden = golden_load("golden/quant/gguf.json");
    for (int i = 0; i < 3; i++)
        check_quantize(written[i], golden_get(golden_get(golden, "quantize"), rein_dtype_name(written[i])));
    json_object_put(golden);
}

/* Blocks that no quotient fits: the scale tells, and no conversion is undefined. */
static void test_quantize_not_finite(void **state) {
    (void)state;
    float x[32] = {0}, y[32];
    uint8_t block[34];
    x[5] = INFINITY;
    x[6] = 1;
    rein_quantize(block, REIN_Q8_0, x, 32);
    rein_dequantize(y, REIN_Q8_0, block, 0, 32);
    assert_true(isnan(y[5]) && isnan(y[6]));
    x[5] = NAN;
    rein_quantize(block, REIN_Q8_0, x, 32);
    rein_dequantize(y, REIN_Q8_0, block, 0, 32);
    assert_true(isnan(y[5]) && isnan(y[6]));
    x[5] = 0x1p-149F, x[6] = 0; /* 1 / d overflows */
    rein_quantize(block, REIN_Q8_0, x, 32);
    rein_dequantize(y, REIN_Q8_0, block, 0, 32);
    assert_true(y[5] == 0);
}

/* The formula without branches against the definition of the format, on all halves. */
static void test_f16_values(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits < 1U << 15; bits++) {
        int exponent = (int)(bits >> 10);
        double want = exponent ? ldexp(1024.0 + (bits & 1023), exponent - 25) : ldexp((double)(bits & 1023), -24);
        float got = rein_f16_value((uint16_t)bits), minus = rein_f16_value((uint16_t)(bits | 0x8000));
        if (exponent == 31 && (bits & 1023)) {
            assert_true(isnan(got) && isnan(minus) && signbit(minus));
            continue;
        }
        assert_true((double)got == (exponent == 31 ? INFINITY : want));
        assert_true(minus == -got && signbit(minus));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dequantize),
        cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_quantize_not_finite),
        cmocka_unit_test(test_f16_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
