/* Safetensors and config.json: models written by transformers, every refusal of a damaged file, exact conversions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "allocations.h"
#include "folder.h"
#include "io/hf_config.h"
#include "io/safetensors.h"
#include "tensor/quant.h"

/* ---- models written by transformers ---- */

static const struct {
    const char *dir;
    int64_t tensors, parameters;
    rein_dtype dtype;
    double first, sum; /* of model.norm.weight: first element, sum in f64; computed with numpy */
} models[] = {
    {"llama-bf16", 20, 43720, REIN_BF16, 0x1.fp-1, 0x1.29dcp+5},
    {"llama-tied", 20, 55536, REIN_F32, 0x1.4d6598p+0, 0x1.6e79d128p+5},
    {"llama3-rope", 21, 47776, REIN_F32, 0x1.c2c116p-1, 0x1.051c332p+5},
    {"qwen2", 26, 51856, REIN_F32, 0x1.ec9160p-1, 0x1.7656db78p+5},
    {"qwen3", 35, 47168, REIN_F32, 0x1.c32e92p-1, 0x1.04d7628p+5},
    {"qwen3-untied", 25, 43264, REIN_F32, 0x1.433e84p+0, 0x1.eadc632p+4},
    {"smollm-like", 29, 43884, REIN_F32, 0x1.0e88a0p+0, 0x1.177de2d8p+5},
};

static void golden_path(char *out, size_t size, const char *dir) { snprintf(out, size, "golden/models/%s", dir); }

static void test_golden_models(void **state) {
    (void)state;
    for (size_t m = 0; m < REIN_COUNT(models); m++) {
        char path[128];
        rein_tensors *t;
        golden_path(path, sizeof path, models[m].dir);
        OK(rein_tensors_open(&t, path));
        assert_int_equal(rein_tensors_count(t), models[m].tensors);
        int64_t parameters = 0;
        for (int64_t i = 0; i < rein_tensors_count(t); i++) {
            const rein_tensor_view *v = rein_tensors_at(t, i);
            parameters += v->n;
            assert_int_equal(v->dtype, models[m].dtype);
            assert_ptr_equal(rein_tensors_find(t, v->name), v);
            if (i > 0) assert_true(strcmp(rein_tensors_at(t, i - 1)->name, v->name) < 0);
        }
        assert_int_equal(parameters, models[m].parameters);
        int64_t bytes = 0, files = 0;
        while (rein_tensors_file(t, files, &bytes)) files++;
        assert_int_equal(files, strcmp(models[m].dir, "qwen2") == 0 ? 4 : 1);
        assert_true(bytes > 8);
        assert_string_equal(rein_tensors_metadata(t, "format"), "pt");
        assert_null(rein_tensors_metadata(t, "other"));
        assert_null(rein_tensors_find(t, "model.norm.bias"));

        const rein_tensor_view *norm = rein_tensors_find(t, "model.norm.weight");
        float value[64];
        double sum = 0;
        assert_non_null(norm);
        assert_true(norm->n <= 64);
        OK(rein_tensor_to_f32(value, norm));
        for (int64_t i = 0; i < norm->n; i++) sum += (double)value[i];
        assert_true((double)value[0] == models[m].first);
        assert_true(sum == models[m].sum);
        rein_tensors_close(t);
    }
}

/* Widening and writing again gives the bytes that the reference implementation wrote (which sorts by name). */
static void test_rewrite_is_identical(void **state) {
    (void)state;
    for (size_t m = 0; m < REIN_COUNT(models); m++) {
        char path[128], file[160];
        rein_tensors *t;
        if (strcmp(models[m].dir, "qwen2") == 0) continue; /* sharded */
        golden_path(path, sizeof path, models[m].dir);
        OK(rein_tensors_open(&t, path));
        int64_t n = rein_tensors_count(t);
        rein_tensor_out list[64] = {0};
        for (int64_t i = 0; i < n; i++) {
            const rein_tensor_view *v = rein_tensors_at(t, i);
            float *data;
            OK(rein_alloc(&data, v->n, sizeof *data));
            OK(rein_tensor_to_f32(data, v));
            list[i] = (rein_tensor_out){.name = v->name, .dtype = v->dtype, .n_dim = v->n_dim, .f32 = data};
            memcpy(list[i].shape, v->shape, sizeof v->shape);
        }
        const char *copy = in_folder("copy.safetensors");
        OK(rein_tensors_write(copy, list, n, NULL));
        rein_str expected = {0}, found = {0};
        snprintf(file, sizeof file, "%s/model.safetensors", path);
        OK(rein_file_read(&expected, file));
        OK(rein_file_read(&found, copy));
        assert_int_equal(found.len, expected.len);
        assert_memory_equal(found.data, expected.data, expected.len);
        for (int64_t i = 0; i < n; i++) rein_free((void *)(uintptr_t)list[i].f32);
        rein_str_deinit(&expected);
        rein_str_deinit(&found);
        rein_tensors_close(t);
    }
}

static void test_require(void **state) {
    (void)state;
    rein_tensors *t;
    const rein_tensor_view *v;
    const int64_t shape[] = {384, 48}, other[] = {384, 40};
    OK(rein_tensors_open(&t, "golden/models/llama-tied"));
    OK(rein_tensors_require(&v, t, "model.embed_tokens.weight", shape, 2));
    assert_int_equal(v->n, 384 * 48);
    assert_fails(rein_tensors_require(&v, t, "model.embed_tokens.weight", other, 2), REIN_ERR_FORMAT,
                 "expected shape (384, 40), found (384, 48)");
    assert_fails(rein_tensors_require(&v, t, "model.embed_tokens.weight", shape, 1), REIN_ERR_FORMAT,
                 "expected shape (384)");
    assert_fails(rein_tensors_require(&v, t, "lm_head.weight", shape, 2), REIN_ERR_FORMAT,
                 "'lm_head.weight' is missing");
    rein_tensors_close(t);
}

/* ---- damaged files ---- */

static void write_safetensors(const char *path, uint64_t length, const char *header, size_t data_bytes) {
    rein_str s = {0};
    for (int i = 0; i < 8; i++) rein_str_putc(&s, (char)(unsigned char)(length >> 8 * i));
    rein_str_puts(&s, header);
    for (size_t i = 0; i < data_bytes; i++) rein_str_putc(&s, (char)(i % 7));
    write_bytes(path, s.data, s.len);
    rein_str_deinit(&s);
}

#define ENTRY(dtype, shape, range) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" range "}"

static void test_damaged_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *message; /* NULL: accepted */
    } cases[] = {
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") "}  ", 8, NULL},
        {"{}      ", 0, NULL},
        {"{\"a\":" ENTRY("U8", "[]", "[0,1]") ",\"b\":" ENTRY("U8", "[0]", "[1,1]") "}", 1, NULL},
        {"{\"a\":" ENTRY("U8", "[1]", "[0,1]") ",\"b\":" ENTRY("U8", "[0]", "[0,0]") "}", 1, NULL},
        {"[]      ", 0, "the header is no JSON object"},
        {"{\"a\":1}", 0, "tensor 'a': expected an object"},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") "", 8, "header at byte 8"},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") ",\"a\":" ENTRY("F32", "[2]", "[8,16]") "}", 16, "a"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "exactly the keys"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"offsets\":[0,8]}}", 8, "data_offsets"},
        {"{\"a\":" ENTRY("F8_E5M2", "[2]", "[0,2]") "}", 2, "dtype 'F8_E5M2' is not supported"},
        {"{\"a\":" ENTRY("F32", "[2.0]", "[0,8]") "}", 8, "'shape' has the entry 2.0"},
        {"{\"a\":" ENTRY("F32", "[-2]", "[0,8]") "}", 8, "'shape' has the entry -2"},
        {"{\"a\":" ENTRY("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8, "'shape' has 9 entries"},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8,8]") "}", 8, "'data_offsets' has 3 entries"},
        {"{\"a\":" ENTRY("F32", "[2]", "[8]") "}", 8, "data_offsets has 1 entries"},
        {"{\"a\":" ENTRY("F32", "[3]", "[0,12]") "}", 8, "data_offsets [0, 12] do not lie in the 8 bytes"},
        {"{\"a\":" ENTRY("F32", "[2]", "[8,0]") "}", 8, "data_offsets [8, 0] do not lie"},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,9223372036854775807]") "}", 8, "do not lie"},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,18446744073709551624]") "}", 8, ""},
        {"{\"a\":" ENTRY("F32", "[3]", "[0,8]") "}", 8, "8 bytes, but dtype F32 and shape need 12"},
        {"{\"a\":" ENTRY("F32", "[4294967296,4294967296,4]", "[0,8]") "}", 8, "overflows"},
        {"{\"a\":" ENTRY("F64", "[1152921504606846977]", "[0,8]") "}", 8, "overflows"},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") ",\"b\":" ENTRY("F32", "[2]", "[4,12]") "}", 12, "inside tensor 'a'"},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") ",\"b\":" ENTRY("F32", "[2]", "[0,8]") "}", 8, "inside tensor"},
        {"{\"a\":" ENTRY("F32", "[1]", "[0,4]") ",\"b\":" ENTRY("F32", "[1]", "[8,12]") "}", 12,
         "before tensor 'b' belong to no tensor"},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") "}", 12, "after the last tensor 'a' belong to no tensor"},
        {"{\"a\":" ENTRY("U8", "[1]", "[0,1]") ",\"b\":" ENTRY("F32", "[1]", "[1,5]") "}", 5,
         "is not aligned to its 4-byte elements"},
        {"{\"__metadata__\":[],\"a\":" ENTRY("F32", "[2]", "[0,8]") "}", 8, "__metadata__ is no object"},
        {"{\"__metadata__\":{\"x\":1},\"a\":" ENTRY("F32", "[2]", "[0,8]") "}", 8, "__metadata__"},
    };
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        const char *path = in_folder("case.safetensors");
        char padded[512]; /* to a multiple of 8, so that only what is meant to be unaligned is */
        snprintf(padded, sizeof padded, "%s%*s", cases[i].header, (int)(8 - strlen(cases[i].header) % 8) % 8, "");
        rein_tensors *t;
        write_safetensors(path, strlen(padded), padded, cases[i].data);
        rein_status status = rein_tensors_open(&t, path);
        if (!cases[i].message) {
            OK(status);
            rein_tensors_close(t);
            continue;
        }
        assert_fails(status, REIN_ERR_FORMAT, cases[i].message);
        assert_fails(status, REIN_ERR_FORMAT, path);
        assert_null(t);
    }
}

static void test_truncated(void **state) {
    (void)state;
    rein_str whole = {0};
    rein_tensors *t;
    OK(rein_file_read(&whole, "golden/models/qwen2/model-00001-of-00004.safetensors"));
    const char *path = in_folder("cut.safetensors");
    for (size_t len = 0; len < whole.len; len += len < 200 ? 1 : 997) {
        write_bytes(path, whole.data, len);
        assert_fails(rein_tensors_open(&t, path), REIN_ERR_FORMAT, path);
    }
    rein_str_deinit(&whole);
    static const uint64_t lengths[] = {9, 100000001, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    for (size_t i = 0; i < REIN_COUNT(lengths); i++) {
        write_safetensors(path, lengths[i], "{}      ", 0);
        assert_fails(rein_tensors_open(&t, path), REIN_ERR_FORMAT, "header length");
    }
    assert_fails(rein_tensors_open(&t, in_folder("absent.safetensors")), REIN_ERR_IO, "absent.safetensors");
    assert_fails(rein_tensors_open(&t, folder), REIN_ERR_IO, "model.safetensors");
}

/* One bit of the header changed: refused or still consistent, never a view outside the file. */
static void test_flipped_bits(void **state) {
    (void)state;
    rein_str whole = {0};
    OK(rein_file_read(&whole, "golden/models/qwen2/model-00004-of-00004.safetensors"));
    const char *path = in_folder("flip.safetensors");
    for (uint32_t i = 0; i < 600; i++) {
        uint64_t bit = rein_random_below(8 * 512, 5, REIN_STREAM_DATA, i, 0, 0, 0);
        whole.data[bit / 8] = (char)(whole.data[bit / 8] ^ 1 << bit % 8);
        write_bytes(path, whole.data, whole.len);
        rein_tensors *t;
        if (rein_tensors_open(&t, path) == REIN_OK) {
            int64_t bytes = 0;
            for (int64_t k = 0; k < rein_tensors_count(t); k++)
                bytes += rein_tensors_at(t, k)->n * rein_dtype_block_bytes(rein_tensors_at(t, k)->dtype);
            assert_true(bytes < (int64_t)whole.len);
            rein_tensors_close(t);
        }
        whole.data[bit / 8] = (char)(whole.data[bit / 8] ^ 1 << bit % 8);
    }
    rein_str_deinit(&whole);
}

/* ---- conversions ---- */

/* Nearest of the finite 16-bit values, ties to even, by search: independent of the bit tricks. */
static uint16_t nearest(float x, float (*widen)(uint16_t), uint16_t infinity) {
    uint16_t lo = 0, hi = infinity;
    float a = fabsf(x);
    while (hi - lo > 1) {
        uint16_t middle = (uint16_t)((lo + hi) / 2);
        if (widen(middle) <= a)
            lo = middle;
        else
            hi = middle;
    }
    /* beyond the largest finite value the next step of the same size counts as infinity */
    double below = (double)widen(lo);
    double above = hi == infinity ? 2 * below - (double)widen((uint16_t)(lo - 1)) : (double)widen(hi);
    double down = (double)a - below, up = above - (double)a;
    uint16_t magnitude = isinf(a) ? infinity : down < up ? lo : up < down ? hi : lo % 2 ? hi : lo;
    return (uint16_t)(magnitude | (signbit(x) ? 0x8000 : 0));
}

static void test_half_precision(void **state) {
    (void)state;
    assert_true(rein_f16_value(0x3555) == 0x1.554p-2F);
    assert_true(rein_f16_value(0x0001) == 0x1p-24F);
    assert_true(rein_f16_value(0xfbff) == -65504.0F);
    assert_true(rein_bf16_value(0x3eab) == 0x1.56p-2F);
    for (uint32_t bits = 0; bits < 65536; bits++) {
        float half = rein_f16_value((uint16_t)bits), brain = rein_bf16_value((uint16_t)bits);
        if (isnan(half))
            assert_true(isnan(rein_f16_value(rein_f32_to_f16(half))));
        else
            assert_int_equal(rein_f32_to_f16(half), bits);
        if (isnan(brain))
            assert_true(isnan(rein_bf16_value(rein_f32_to_bf16(brain))));
        else
            assert_int_equal(rein_f32_to_bf16(brain), bits);
    }
    const uint32_t low_nan = 0xff800001U; /* its payload is in the bits that are cut */
    float nan_value;
    memcpy(&nan_value, &low_nan, sizeof nan_value);
    assert_true(isnan(rein_bf16_value(rein_f32_to_bf16(nan_value))));
    assert_true(isnan(rein_f16_value(rein_f32_to_f16(nan_value))));
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t draw[4];
        float x;
        rein_random4(draw, 3, REIN_STREAM_DATA, i, 0, 0, 0);
        if (i % 2) draw[0] = (draw[0] & 0x8fffffffU) | 0x30000000U; /* where f16 lives */
        if (i % 3 == 0) draw[0] &= ~0xfffU;                         /* many ties */
        if (i % 3 == 1) draw[0] &= ~0x7fffU;
        memcpy(&x, &draw[0], sizeof x);
        if (isnan(x)) continue;
        assert_int_equal(rein_f32_to_f16(x), nearest(x, rein_f16_value, 0x7c00));
        assert_int_equal(rein_f32_to_bf16(x), nearest(x, rein_bf16_value, 0x7f80));
    }
}

/* ---- round trips ---- */

static void test_every_dtype(void **state) {
    (void)state;
    static const rein_dtype order[] = {REIN_F64,  REIN_I64, REIN_U64, REIN_F32, REIN_I32, REIN_U32, REIN_F16,
                                       REIN_BF16, REIN_I16, REIN_U16, REIN_I8,  REIN_U8,  REIN_BOOL};
    unsigned char raw[6 * 8];
    rein_tensor_out list[REIN_COUNT(order) + 2] = {0};
    for (size_t i = 0; i < sizeof raw; i++) raw[i] = (unsigned char)(37 * i + 1);
    for (size_t i = 0; i < REIN_COUNT(order); i++)
        list[i] = (rein_tensor_out){
            .name = rein_dtype_name(order[i]), .dtype = order[i], .n_dim = 2, .shape = {2, 3}, .raw = raw};
    list[REIN_COUNT(order)] = (rein_tensor_out){.name = "scalar \"\xc3\xa9\"", .dtype = REIN_U8, .raw = raw};
    list[REIN_COUNT(order) + 1] = (rein_tensor_out){.name = "empty", .dtype = REIN_U8, .n_dim = 3, .shape = {2, 0, 3}};
    static const char *const pairs[] = {"format", "pt", "step", "12", NULL};
    const char *path = in_folder("all.safetensors");
    OK(rein_tensors_write(path, list, (int64_t)REIN_COUNT(list), pairs));
    rein_tensors *t;
    OK(rein_tensors_open(&t, path));
    assert_int_equal(rein_tensors_count(t), REIN_COUNT(list));
    assert_string_equal(rein_tensors_metadata(t, "step"), "12");
    for (size_t i = 0; i < REIN_COUNT(list); i++) {
        const rein_tensor_view *v = rein_tensors_find(t, list[i].name);
        assert_non_null(v);
        assert_int_equal(v->dtype, list[i].dtype);
        assert_int_equal(v->n_dim, list[i].n_dim);
        assert_memory_equal(v->shape, list[i].shape, sizeof v->shape);
        assert_memory_equal(v->data, raw, (size_t)(v->n * rein_dtype_block_bytes(v->dtype)));
    }
    float value[6];
    assert_fails(rein_tensor_to_f32(value, rein_tensors_find(t, "I32")), REIN_ERR_FORMAT, "I32");
    rein_tensors_close(t);
}

static void test_f64(void **state) {
    (void)state;
    double good[] = {0x1p-149, -1.5, INFINITY, NAN}, bad[] = {1, 0.1};
    float value[4];
    rein_tensor_view v = {.name = "w", .dtype = REIN_F64, .data = good, .n = 4, .file = "f"};
    OK(rein_tensor_to_f32(value, &v));
    assert_true(value[0] == 0x1p-149F && value[1] == -1.5F && isinf(value[2]) && isnan(value[3]));
    v = (rein_tensor_view){.name = "w", .dtype = REIN_F64, .data = bad, .n = 2, .file = "f"};
    assert_fails(rein_tensor_to_f32(value, &v), REIN_ERR_NUMERIC, "element 1 is 0.1");
}

static void test_write_refuses(void **state) {
    (void)state;
    const float data[4] = {1, 2, 3, 4};
    const struct {
        rein_tensor_out list[2];
        const char *message;
    } cases[] = {
        {{{"a", REIN_F32, 1, {4}, data, NULL, NULL}, {"a", REIN_F32, 1, {4}, data, NULL, NULL}}, "'a' is given twice"},
        {{{"a", REIN_F32, 1, {4}, data, NULL, NULL}, {"__metadata__", REIN_F32, 1, {4}, data, NULL, NULL}}, "no name"},
        {{{"a", REIN_F32, 1, {4}, data, NULL, NULL}, {"b", REIN_I32, 1, {4}, data, NULL, NULL}}, "cannot be stored as I32"},
        {{{"a", REIN_F32, 1, {4}, data, NULL, NULL}, {"b", REIN_F32, 1, {4}, NULL, NULL, NULL}}, "exactly one"},
        {{{"a", REIN_F32, 1, {4}, data, NULL, NULL}, {"b", REIN_F32, 1, {4}, data, data, NULL}}, "exactly one"},
        {{{"a", REIN_F32, 1, {4}, data, NULL, NULL}, {"b", REIN_F32, 1, {-4}, data, NULL, NULL}}, "negative"},
        {{{"a", REIN_F32, 1, {4}, data, NULL, NULL}, {"b", REIN_F32, 9, {4}, data, NULL, NULL}}, "9 dimensions"},
        {{{"a", REIN_U8, 1, {3}, NULL, data, NULL}, {"b", REIN_F32, 1, {4}, data, NULL, NULL}}, "list wide dtypes first"},
    };
    const char *path = in_folder("kept.safetensors");
    OK(rein_tensors_write(path, cases[0].list, 1, NULL));
    for (size_t i = 0; i < REIN_COUNT(cases); i++)
        assert_fails(rein_tensors_write(path, cases[i].list, 2, NULL), REIN_ERR_ARG, cases[i].message);
    rein_tensors *t; /* the old file is untouched and no temporary is left */
    OK(rein_tensors_open(&t, path));
    rein_tensors_close(t);
    assert_fails(rein_tensors_write(in_folder("absent/x"), cases[0].list, 1, NULL), REIN_ERR_IO, "absent");
    OK(rein_mkdirs(in_folder("folder.safetensors")));
    assert_fails(rein_tensors_write(in_folder("folder.safetensors"), cases[0].list, 1, NULL), REIN_ERR_IO,
                 "cannot rename");
    rein_arena arena = {0};
    char **names;
    int64_t n;
    OK(rein_list_dir(&names, &n, &arena, folder));
    for (int64_t i = 0; i < n; i++) assert_null(strstr(names[i], ".tmp-"));
    rein_arena_deinit(&arena);
}

/* ---- shards ---- */

static void put(const char *dir, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    OK(rein_file_write(path, text, strlen(text)));
}

static void test_shards(void **state) {
    (void)state;
    const float data[6] = {1, 2, 3, 4, 5, 6};
    const rein_tensor_out list[] = {{"a", REIN_F32, 1, {2}, data, NULL, NULL},
                                    {"b", REIN_F32, 2, {2, 3}, data, NULL, NULL},
                                    {"c", REIN_BF16, 1, {4}, data, NULL, NULL},
                                    {"d", REIN_F32, 1, {1}, data + 4, NULL, NULL}};
    const char *dir = in_folder("sharded");
    OK(rein_mkdirs(dir));
    OK(rein_tensors_write_model(dir, list, 4, 16));
    rein_tensors *t;
    OK(rein_tensors_open(&t, dir));
    assert_int_equal(rein_tensors_count(t), 4);
    float value[6];
    for (int64_t i = 0; i < 4; i++) {
        const rein_tensor_view *v = rein_tensors_at(t, i);
        assert_string_equal(v->name, list[i].name);
        OK(rein_tensor_to_f32(value, v));
        assert_memory_equal(value, list[i].f32, (size_t)v->n * sizeof *value);
    }
    /* a: 8 bytes, b: 24 (a shard of its own), c and d: 8 + 4 */
    assert_non_null(strstr(rein_tensors_find(t, "b")->file, "model-00002-of-00003.safetensors"));
    assert_string_equal(rein_tensors_find(t, "c")->file, rein_tensors_find(t, "d")->file);
    rein_tensors_close(t);

    const char *index = "model.safetensors.index.json";
    put(dir, index,
        "{\"weight_map\":{\"a\":\"model-00001-of-00003.safetensors\",\"b\":\"model-00001-of-00003.safetensors\"}}");
    assert_fails(rein_tensors_open(&t, dir), REIN_ERR_FORMAT, "tensor 'b' is said to be in");
    put(dir, index, "{\"weight_map\":{\"c\":\"model-00003-of-00003.safetensors\"}}");
    assert_fails(rein_tensors_open(&t, dir), REIN_ERR_FORMAT, "tensor 'd' of");
    put(dir, index, "{\"weight_map\":{\"c\":\"../sharded/model-00003-of-00003.safetensors\"}}");
    assert_fails(rein_tensors_open(&t, dir), REIN_ERR_FORMAT, "expected a file of the same folder");
    put(dir, index, "{\"weight_map\":{\"c\":\"sub/model-00003-of-00003.safetensors\"}}");
    assert_fails(rein_tensors_open(&t, dir), REIN_ERR_FORMAT, "expected a file of the same folder");
    put(dir, index, "{\"weight_map\":{\"c\":3}}");
    assert_fails(rein_tensors_open(&t, dir), REIN_ERR_FORMAT, index);
    put(dir, index, "{\"weight_map\":{\"c\":\"model-00009-of-00003.safetensors\"}}");
    assert_fails(rein_tensors_open(&t, dir), REIN_ERR_IO, "model-00009-of-00003.safetensors");
    put(dir, index, "[]");
    assert_fails(rein_tensors_open(&t, dir), REIN_ERR_FORMAT, "expected an object");

    const char *whole = in_folder("whole");
    OK(rein_mkdirs(whole));
    OK(rein_tensors_write_model(whole, list, 4, 0));
    OK(rein_tensors_open(&t, whole));
    assert_int_equal(rein_tensors_count(t), 4);
    rein_tensors_close(t);
}

static void test_name_in_two_shards(void **state) {
    (void)state;
    const float data[2] = {1, 2};
    const rein_tensor_out list[] = {{"a", REIN_F32, 1, {2}, data, NULL, NULL}, {"b", REIN_F32, 1, {2}, data, NULL, NULL}};
    const char *dir = in_folder("twice");
    char path[320];
    rein_tensors *t;
    OK(rein_mkdirs(dir));
    snprintf(path, sizeof path, "%s/x.safetensors", dir);
    OK(rein_tensors_write(path, list, 2, NULL));
    snprintf(path, sizeof path, "%s/y.safetensors", dir);
    OK(rein_tensors_write(path, list + 1, 1, NULL));
    put(dir, "model.safetensors.index.json", "{\"weight_map\":{\"a\":\"x.safetensors\",\"b\":\"y.safetensors\"}}");
    assert_fails(rein_tensors_open(&t, dir), REIN_ERR_FORMAT, "tensor 'b' is in both");
}

/* ---- config.json ---- */

static void test_golden_configs(void **state) {
    (void)state;
    static const struct {
        const char *dir;
        rein_model_config c;
    } cases[] = {
        {"llama-bf16",
         {.V = 384,
          .C = 40,
          .L = 2,
          .H = 5,
          .K = 5,
          .D = 8,
          .F = 64,
          .rms_norm_eps = 1e-5,
          .rope_theta = 1e4,
          .tie_word_embeddings = true,
          .dtype = REIN_BF16}},
        {"llama-tied",
         {.V = 384,
          .C = 48,
          .L = 2,
          .H = 4,
          .K = 2,
          .D = 12,
          .F = 80,
          .rms_norm_eps = 1e-5,
          .rope_theta = 1e4,
          .tie_word_embeddings = true}},
        {"llama3-rope",
         {.V = 384,
          .C = 32,
          .L = 2,
          .H = 4,
          .K = 2,
          .D = 16,
          .F = 56,
          .rms_norm_eps = 1e-5,
          .rope_theta = 5e5,
          .rope_scaling = REIN_ROPE_LLAMA3,
          .rope_factor = 8,
          .rope_low_freq_factor = 1,
          .rope_high_freq_factor = 4,
          .rope_original_max_position = 32}},
        {"qwen2",
         {.family = REIN_FAMILY_QWEN2,
          .V = 384,
          .C = 48,
          .L = 2,
          .H = 6,
          .K = 2,
          .D = 8,
          .F = 72,
          .rms_norm_eps = 1e-6,
          .rope_theta = 1e6,
          .tie_word_embeddings = true,
          .qkv_bias = true}},
        {"qwen3",
         {.family = REIN_FAMILY_QWEN3,
          .V = 384,
          .C = 32,
          .L = 3,
          .H = 4,
          .K = 2,
          .D = 16,
          .F = 56,
          .rms_norm_eps = 1e-6,
          .rope_theta = 1e6,
          .tie_word_embeddings = true,
          .qk_norm = true}},
        {"qwen3-untied",
         {.family = REIN_FAMILY_QWEN3,
          .V = 384,
          .C = 32,
          .L = 2,
          .H = 2,
          .K = 1,
          .D = 24,
          .F = 48,
          .rms_norm_eps = 1e-6,
          .rope_theta = 1e6,
          .qk_norm = true}},
        {"smollm-like",
         {.V = 384,
          .C = 36,
          .L = 3,
          .H = 3,
          .K = 1,
          .D = 12,
          .F = 60,
          .rms_norm_eps = 1e-5,
          .rope_theta = 1e5,
          .tie_word_embeddings = true}},
    };
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        char path[128];
        rein_model_config c, again, expected = cases[i].c;
        golden_path(path, sizeof path, cases[i].dir);
        OK(rein_model_config_load(&c, path));
        expected.max_position_embeddings = 512;
        expected.initializer_range = 0.25;
        expected.bos_id = expected.n_eos = 1;
        expected.eos_id[0] = 2;
        rein_str found = {0}, wanted = {0}, twice = {0};
        OK(rein_model_config_write(&found, &c)); /* every field is in the text, but qk_norm and qkv_bias */
        OK(rein_model_config_write(&wanted, &expected));
        assert_string_equal(found.data, wanted.data);
        assert_int_equal(c.qk_norm, expected.qk_norm);
        assert_int_equal(c.qkv_bias, expected.qkv_bias);
        OK(rein_model_config_parse(&again, "again", found.data, found.len));
        OK(rein_model_config_write(&twice, &again));
        assert_string_equal(found.data, twice.data);
        rein_str_deinit(&found);
        rein_str_deinit(&wanted);
        rein_str_deinit(&twice);
    }
}

/* The smallest accepted configuration with `extra` members behind it. */
static rein_status parse_with(rein_model_config *c, const char *family, const char *extra) {
    char text[1024];
    snprintf(text, sizeof text,
             "{\"model_type\":\"%s\",\"vocab_size\":100,\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_"
             "heads\":4,"
             "\"intermediate_size\":96,\"max_position_embeddings\":128%s}",
             family, extra);
    return rein_model_config_parse(c, "config.json", text, strlen(text));
}

static void test_config_defaults(void **state) {
    (void)state;
    rein_model_config c;
    OK(parse_with(&c, "llama", ""));
    assert_int_equal(c.K, 4);
    assert_int_equal(c.D, 16);
    assert_true(c.rms_norm_eps == 1e-6 && c.rope_theta == 10000 && c.initializer_range == 0.02);
    assert_int_equal(c.bos_id, -1);
    assert_int_equal(c.n_eos, 0);
    assert_false(c.tie_word_embeddings || c.qkv_bias || c.o_bias || c.qk_norm);
    OK(parse_with(&c, "qwen3", ",\"num_key_value_heads\":null"));
    assert_int_equal(c.D, 128);
    OK(parse_with(&c, "llama",
                         ",\"attention_bias\":true,\"eos_token_id\":[3,5],\"pad_token_id\":-1,\"head_dim\":null"));
    assert_true(c.qkv_bias && c.o_bias);
    assert_int_equal(c.n_eos, 2);
    assert_int_equal(c.eos_id[1], 5);
    OK(
        parse_with(&c, "qwen2", ",\"num_key_value_heads\":2,\"sliding_window\":4096,\"use_sliding_window\":false,\"attention_bias\":false"));
    assert_true(c.qkv_bias && !c.o_bias);
    OK(parse_with(&c, "llama", ",\"rope_scaling\":{\"type\":\"default\"},\"rope_theta\":500.5"));
    assert_true(c.rope_theta == 500.5);
    OK(parse_with(&c, "smollm3", ",\"no_rope_layer_interval\":2"));
    assert_true(c.rope_theta == 2e6 && c.tie_word_embeddings && c.K == 4);
    assert_true(!c.no_rope[0] && c.no_rope[1] && c.window[1] == 0);
    OK(parse_with(&c, "mistral", ",\"num_key_value_heads\":2"));
    assert_true(c.window[0] == 4096 && c.window[1] == 4096);
    OK(parse_with(&c, "mistral", ",\"num_key_value_heads\":2,\"sliding_window\":null"));
    assert_true(c.window[0] == 0 && c.window[1] == 0);
    OK(parse_with(&c, "qwen2", ",\"num_key_value_heads\":2,\"use_sliding_window\":true,\"max_window_layers\":1"));
    assert_true(c.window[0] == 0 && c.window[1] == 4096);
    OK(parse_with(&c, "llama", ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":null,\"beta_slow\":null},"
                                      "\"original_max_position_embeddings\":32"));
    assert_true(c.rope_factor == 4 && c.rope_beta_fast == 32 && c.rope_beta_slow == 1 && c.rope_truncate);
    assert_int_equal(c.rope_original_max_position, 32);
}

static void test_config_refuses(void **state) {
    (void)state;
    static const struct {
        const char *family, *extra, *message;
    } cases[] = {
        {"gpt2", "", "'model_type' is \"gpt2\""},
        {"llama", ",\"architectures\":[\"LlamaForSequenceClassification\"]", "LlamaForSequenceClassification"},
        {"llama", ",\"hidden_act\":\"gelu\"", "'hidden_act' is \"gelu\""},
        {"llama", ",\"mlp_bias\":true", "'mlp_bias' is true"},
        {"llama", ",\"attention_dropout\":0.1", "'attention_dropout' is 0.1"},
        {"llama", ",\"pretraining_tp\":2", "'pretraining_tp' is 2"},
        {"llama", ",\"partial_rotary_factor\":0.5", "'partial_rotary_factor' is 0.5"},
        {"llama", ",\"quantization_config\":{\"bits\":4}", "'quantization_config'"},
        {"qwen2", ",\"num_key_value_heads\":2,\"use_sliding_window\":true,\"sliding_window\":0", "'sliding_window' is 0"},
        {"qwen3", ",\"num_key_value_heads\":2,\"layer_types\":[\"full_attention\",\"sliding_attention\"]",
         "there is no sliding window"},
        {"qwen3", ",\"num_key_value_heads\":2,\"layer_types\":[\"full_attention\"]", "'layer_types'"},
        {"qwen3", ",\"num_key_value_heads\":2,\"layer_types\":[\"full_attention\",\"linear_attention\"]",
         "'layer_types'"},
        {"llama", ",\"use_sliding_window\":true", "'use_sliding_window' is true"},
        {"llama", ",\"sliding_window\":8", "'sliding_window' is 8"},
        {"llama", ",\"no_rope_layers\":[1,0]", "'no_rope_layers'"},
        {"mistral", ",\"num_key_value_heads\":2,\"layer_types\":[\"full_attention\",\"sliding_attention\"]",
         "others of 4096"},
        {"smollm3", ",\"no_rope_layers\":[1]", "'no_rope_layers' is [1]"},
        {"smollm3", ",\"no_rope_layers\":[1,2]", "'no_rope_layers' is [1,2]"},
        {"smollm3", ",\"no_rope_layer_interval\":0", "'no_rope_layer_interval' is 0"},
        {"qwen2", "", "no multiple of 'num_key_value_heads' 32"},
        {"llama", ",\"rope_scaling\":{\"rope_type\":\"longrope\",\"factor\":4.0}", "'rope_type' is \"longrope\""},
        {"llama", ",\"rope_scaling\":{\"rope_type\":\"yarn\"}", "factor"},
        {"llama", ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":0.5}", "'factor' is 0.5"},
        {"llama", ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4,\"attention_factor\":0}", "'attention_factor' is 0"},
        {"llama", ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4,\"beta_fast\":1,\"beta_slow\":2}", "'beta_fast' 1"},
        {"llama", ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0,\"mscale\":1}",
         "'mscale' is not supported with 'rope_type' \"linear\""},
        {"llama", ",\"rope_scaling\":{\"type\":\"dynamic\"}", "factor"},
        {"llama", ",\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2},\"head_dim\":2", "'head_dim' is 2"},
        {"llama", ",\"original_max_position_embeddings\":9,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2,"
                  "\"original_max_position_embeddings\":8}", "but 9 outside"},
        {"llama", ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0}", "low_freq_factor"},
        {"llama", ",\"rope_scaling\":{\"rope_type\":\"default\",\"beta_fast\":32}", "'beta_fast' is not supported"},
        {"llama", ",\"rope_parameters\":{\"full_attention\":{\"rope_theta\":1e4}}",
         "'full_attention' is not supported"},
        {"llama", ",\"rope_parameters\":{\"rope_theta\":1e4},\"rope_scaling\":{\"type\":\"default\"}",
         "'rope_scaling'"},
        {"llama", ",\"rope_parameters\":{\"rope_theta\":1e4},\"rope_theta\":2e4", "'rope_theta' is 20000, but 10000"},
        {"llama", ",\"rope_theta\":0", "'rope_theta' is 0"},
        {"llama", ",\"torch_dtype\":\"float8\"", "'torch_dtype' is \"float8\""},
        {"llama", ",\"num_key_value_heads\":3", "no multiple of 'num_key_value_heads' 3"},
        {"llama", ",\"head_dim\":15", "'head_dim' is 15"},
        {"llama", ",\"head_dim\":0", "'head_dim' is 0"},
        {"llama", ",\"rms_norm_eps\":-1", "'rms_norm_eps' is -1"},
        {"llama", ",\"tie_word_embeddings\":1", "tie_word_embeddings"},
        {"llama", ",\"eos_token_id\":100", "'eos_token_id' is 100"},
        {"llama", ",\"eos_token_id\":[1,\"2\"]", "'eos_token_id'"},
        {"llama", ",\"bos_token_id\":-2", "'bos_token_id' is -2"},
        {"llama", ",\"vocab_size\":7", "vocab_size"}, /* twice */
    };
    rein_model_config c;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_status status = parse_with(&c, cases[i].family, cases[i].extra);
        assert_fails(status, REIN_ERR_FORMAT, cases[i].message);
        assert_fails(status, REIN_ERR_FORMAT, "config.json");
    }
    static const char missing[] = "{\"model_type\":\"llama\"}";
    assert_fails(rein_model_config_parse(&c, "config.json", missing, sizeof missing - 1), REIN_ERR_FORMAT,
                 "vocab_size");
    assert_fails(rein_model_config_parse(&c, "config.json", "3", 1), REIN_ERR_FORMAT, "expected an object");
    OK(parse_with(&c, "llama", ""));
    c.qk_norm = true;
    assert_fails(rein_model_config_check(&c), REIN_ERR_ARG, "qk_norm 1");
    c.qk_norm = false;
    c.window[1] = 4;
    assert_fails(rein_model_config_check(&c), REIN_ERR_ARG, "family llama has no sliding window");
    c.window[1] = 0;
    c.no_rope[0] = true;
    assert_fails(rein_model_config_check(&c), REIN_ERR_ARG, "no layers without rotary embedding, but layer 0");
    c.no_rope[0] = false;
    c.L = REIN_MAX_LAYERS + 1;
    assert_fails(rein_model_config_check(&c), REIN_ERR_ARG, "'num_hidden_layers' is 257, expected 1 to 256");
    c.L = 2;
    c.family = (rein_model_family)99;
    assert_fails(rein_model_config_check(&c), REIN_ERR_ARG, "family 99");
    c.family = REIN_FAMILY_LLAMA;
    c.dtype = REIN_I8;
    assert_fails(rein_model_config_check(&c), REIN_ERR_ARG, "dtype I8");
}

static void test_generation_config(void **state) {
    (void)state;
    rein_model_config c, again;
    const char *dir = in_folder("config");
    OK(rein_mkdirs(dir));
    OK(rein_model_config_load(&c, "golden/models/llama3-rope"));
    c.eos_id[c.n_eos++] = 7;
    c.pad_id = -1;
    OK(rein_model_config_save(&c, dir));
    OK(rein_model_config_load(&again, dir));
    assert_int_equal(again.n_eos, 2);
    assert_int_equal(again.eos_id[1], 7);
    assert_int_equal(again.pad_id, -1);
    put(dir, "generation_config.json", "{\"eos_token_id\":[9,2,4]}");
    OK(rein_model_config_load(&again, dir));
    assert_int_equal(again.n_eos, 3);
    assert_int_equal(again.eos_id[0], 9);
    put(dir, "generation_config.json", "{\"eos_token_id\":384}");
    assert_fails(rein_model_config_load(&again, dir), REIN_ERR_FORMAT, "generation_config.json: 'eos_token_id' is 384");
    assert_fails(rein_model_config_load(&again, folder), REIN_ERR_IO, "config.json");
}

/* ---- out of memory at every allocation ---- */

static rein_status read_and_write(void *user) {
    rein_tensors *t;
    rein_model_config c;
    (void)user;
    REIN_TRY(rein_model_config_load(&c, "golden/models/qwen2"));
    REIN_TRY(rein_model_config_save(&c, folder));
    REIN_TRY(rein_tensors_open(&t, "golden/models/qwen2"));
    const rein_tensor_view *v = rein_tensors_at(t, 0);
    rein_tensor_out list[2] = {{.name = "a", .dtype = v->dtype, .n_dim = 1, .shape = {v->n}, .raw = v->data},
                               {.name = "b", .dtype = v->dtype, .n_dim = 1, .shape = {v->n}, .raw = v->data}};
    rein_status status = rein_tensors_write_model(folder, list, 2, 1);
    rein_tensors_close(t);
    return status;
}

static void test_out_of_memory(void **state) {
    (void)state;
    refuse_each_allocation(read_and_write, NULL, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_models),
        cmocka_unit_test(test_rewrite_is_identical),
        cmocka_unit_test(test_require),
        cmocka_unit_test(test_damaged_headers),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_half_precision),
        cmocka_unit_test(test_every_dtype),
        cmocka_unit_test(test_f64),
        cmocka_unit_test(test_write_refuses),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_name_in_two_shards),
        cmocka_unit_test(test_golden_configs),
        cmocka_unit_test(test_config_defaults),
        cmocka_unit_test(test_config_refuses),
        cmocka_unit_test(test_generation_config),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
