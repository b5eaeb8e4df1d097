/* JSON: what is refused and where, what json-c then holds, and numbers that read back to the same bits. */
#include "base_check.h"

#include <math.h>

#include "base/json.h"
#include "base/random.h"

typedef struct refusal {
    const char *text, *message;
} refusal;

static const refusal refusals[] = {
    {"", "f:1:1: the document ends where a value should be"},
    {" \n ", "f:2:2: the document ends where a value should be"},
    {"nul", "f:1:1: 'n' where a value should be"},
    {"nullx", "f:1:5: 'x' where the end of the document should be"},
    {"TRUE", "f:1:1: 'T' where a value should be"},
    {"NaN", "f:1:1: 'N' where a value should be"},
    {"[1, Infinity]", "f:1:5: 'I' where a value should be"},
    {"-Infinity", "f:1:2: 'I' where a digit should be"},
    {"[1,]", "f:1:4: ']' where a value should be"},
    {"[1 2]", "f:1:4: '2' where ',' or ']' should be"},
    {"[1}", "f:1:3: '}' where ',' or ']' should be"},
    {"[", "f:1:2: the document ends where a value should be"},
    {"{\"a\":1,}", "f:1:8: '}' where a quoted key should be"},
    {"{\"a\":1", "f:1:7: the document ends where ',' or '}' should be"},
    {"{\"a\" 1}", "f:1:6: '1' where ':' should be"},
    {"{'a':1}", "f:1:2: ''' where a quoted key should be"},
    {"{a:1}", "f:1:2: 'a' where a quoted key should be"},
    {"{1:1}", "f:1:2: '1' where a quoted key should be"},
    {"/*c*/1", "f:1:1: '/' where a value should be"},
    {"1 // c", "f:1:3: '/' where the end of the document should be"},
    {"{}{}", "f:1:3: '{' where the end of the document should be"},
    {"\xef\xbb\xbf{}", "f:1:1: byte 0xef where a value should be"},
    {"01", "f:1:1: a number cannot begin with 0"},
    {"-01", "f:1:1: a number cannot begin with 0"},
    {"+1", "f:1:1: '+' where a value should be"},
    {"-", "f:1:2: the document ends where a digit should be"},
    {".5", "f:1:1: '.' where a value should be"},
    {"1.", "f:1:3: the document ends where a digit should be"},
    {"1e", "f:1:3: the document ends where a digit should be"},
    {"1e+", "f:1:4: the document ends where a digit should be"},
    {"0x10", "f:1:2: 'x' where the end of the document should be"},
    {"1e999", "f:1:1: this number does not fit a double"},
    {"[-1e309]", "f:1:2: this number does not fit a double"},
    {"-9223372036854775809", "f:1:1: this integer is below -2^63"},
    {"\"abc", "f:1:1: the string that begins here has no end"},
    {"\"a\tb\"", "f:1:3: control character 0x09 in a string; escape it"},
    {"\"a\nb\"", "f:1:3: control character 0x0a in a string; escape it"},
    {"\"\\x41\"", "f:1:2: unknown escape in a string"},
    {"\"\\u12\"", "f:1:2: unknown escape in a string"},
    {"\"\\", "f:1:2: unknown escape in a string"},
    {"\"\\ud800\"", "f:1:2: unpaired surrogate \\ud800"},
    {"\"\\ud800\\u0041\"", "f:1:2: unpaired surrogate \\ud800"},
    {"\"\\udc00\"", "f:1:2: unpaired surrogate \\udc00"},
    {"\"\xff\"", "f:1:2: invalid UTF-8 in a string, byte 0xff"},
    {"\"\xc3\xa9\xc3\"", "f:1:3: invalid UTF-8 in a string, byte 0xc3"},
    {"\"\xc0\x80\"", "f:1:2: invalid UTF-8 in a string, byte 0xc0"},
    {"\"\xe0\x80\x80\"", "f:1:2: invalid UTF-8 in a string, byte 0xe0"},
    {"\"\xed\xa0\x80\"", "f:1:2: invalid UTF-8 in a string, byte 0xed"},
    {"\"\xf4\x90\x80\x80\"", "f:1:2: invalid UTF-8 in a string, byte 0xf4"},
    {"\"\xf0\x9f\x98", "f:1:2: invalid UTF-8 in a string, byte 0xf0"},
    {"{\"a\\u0000b\":1}", "f:1:4: a key cannot hold \\u0000"},
    {"{\"a\":{\"b\":1},\n \"c\":[{\"b\":1,\"\\u0062\":2}]}", "f:2:14: key 'b' is written twice"},
    {"{\"\":1,\"\":1}", "f:1:7: key '' is written twice"},
};

static void test_refusals(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(refusals); i++) {
        /* exact size, so that a sanitizer sees a read past the end */
        size_t len = strlen(refusals[i].text);
        char *copy = malloc(len + 1);
        struct json_object *doc;
        assert_non_null(copy);
        memcpy(copy, refusals[i].text, len);
        copy[len] = '"';
        assert_fails(REIN_ERR_FORMAT, refusals[i].message, rein_json_parse(&doc, "f", copy, len));
        assert_null(doc);
        free(copy);
    }
}

static void test_nul_bytes(void **state) {
    (void)state;
    struct json_object *doc;
    assert_fails(REIN_ERR_FORMAT, "f:1:2: byte 0x00 where the end of the document should be",
                 rein_json_parse(&doc, "f", "1\0x", 3));
    assert_fails(REIN_ERR_FORMAT, "f:1:4: byte 0x00 where the end of the document should be",
                 rein_json_parse(&doc, "f", "[1]", 4));
    assert_fails(REIN_ERR_FORMAT, "f:1:3: control character 0x00 in a string; escape it",
                 rein_json_parse(&doc, "f", "\"a\0\"", 4));
}

static void test_accepted(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {" [ 1 , -2.5e3 , true , false , null , \"x\" ] ", "[1,-2.5e3,true,false,null,\"x\"]"},
        {"12", "12"},
        {"-0.0", "-0.0"},
        {"0", "0"},
        {"{}", "{}"},
        {"[]\r\n\t", "[]"},
        {"{\"a\":{\"a\":{\"a\":1}}}", "{\"a\":{\"a\":{\"a\":1}}}"},
        {"\"\\\"\\\\\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"", "\"\\\"\\\\\\b\\f\\n\\r\\t\xc3\xa9\xf0\x9f\x98\x80\""},
        {"\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xf0\x90\x80\x80\"", "\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xf0\x90\x80\x80\""},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"1e308", "1e308"},
    };
    for (size_t i = 0; i < REIN_COUNT(texts); i++) {
        struct json_object *doc;
        assert_ok(rein_json_parse(&doc, "f", texts[i][0], strlen(texts[i][0])));
        assert_string_equal(json_object_to_json_string_ext(doc, JSON_C_TO_STRING_NOSLASHESCAPE), texts[i][1]);
        json_object_put(doc);
    }
    struct json_object *null = (struct json_object *)state;
    assert_ok(rein_json_parse(&null, "f", "null", 4));
    assert_null(null);
}

static void test_nesting(void **state) {
    (void)state;
    enum { DEEP = 1 << 20 };
    char *text = malloc(DEEP);
    struct json_object *doc;
    assert_non_null(text);
    memset(text, '[', DEEP);
    assert_fails(REIN_ERR_FORMAT, "f:1:65: nested deeper than 64 levels", rein_json_parse(&doc, "f", text, DEEP));
    memset(text + 64, ']', 64);
    assert_ok(rein_json_parse(&doc, "f", text, 128));
    json_object_put(doc);
    for (size_t i = 0; i + 5 <= DEEP; i += 5) memcpy(text + i, "{\"a\":", 5);
    assert_fails(REIN_ERR_FORMAT, "f:1:321: nested deeper than 64 levels", rein_json_parse(&doc, "f", text, DEEP));
    free(text);
}

/* Every prefix fails; every changed byte fails or parses, without a fault (this runs under the sanitizers, too). */
static void test_damage(void **state) {
    (void)state;
    static const char text[] =
        "{\"a\": [1, -2.5e-3, true, null], \"b\\u00e9\\ud83d\\ude00\": {\"c\": \"\xc3\xa9\xf0\x9f\x98\x80\"}}";
    const size_t len = sizeof text - 1;
    struct json_object *doc;
    for (size_t n = 0; n < len; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, text, n);
        assert_int_equal(rein_json_parse(&doc, "f", copy, n), REIN_ERR_FORMAT);
        free(copy);
    }
    for (uint32_t i = 0; i < 30000; i++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        for (uint32_t j = 0; j <= i % 3; j++)
            copy[rein_random_below(len, 1, REIN_STREAM_DATA, i, j, 0, 0)] =
                (char)rein_random_below(256, 1, REIN_STREAM_DATA, i, j, 1, 0);
        if (rein_json_parse(&doc, "f", copy, len) == REIN_OK) json_object_put(doc);
    }
}

static void test_typed_access(void **state) {
    (void)state;
    static const char text[] =
        "{\"s\":\"x\",\"z\":\"a\\u0000b\",\"i\":-7,\"d\":0.5,\"b\":true,\"a\":[1],\"o\":{},\"n\":null,"
        "\"big\":9223372036854775808,\"huge\":1000000000000000019884624838656}";
    struct json_object *doc, *value;
    const char *string;
    size_t len;
    int64_t integer;
    double number;
    bool boolean;
    assert_ok(rein_json_parse(&doc, "f", text, sizeof text - 1));
    assert_ok(rein_json_string(&string, NULL, doc, "s"));
    assert_string_equal(string, "x");
    assert_ok(rein_json_string(&string, &len, doc, "z"));
    assert_int_equal(len, 3);
    assert_memory_equal(string, "a\0b", 3);
    assert_fails(REIN_ERR_FORMAT, "key 'z' holds a NUL character", rein_json_string(&string, NULL, doc, "z"));
    assert_ok(rein_json_int(&integer, doc, "i"));
    assert_int_equal(integer, -7);
    assert_ok(rein_json_double(&number, doc, "i"));
    assert_true(number == -7);
    assert_ok(rein_json_double(&number, doc, "d"));
    assert_true(number == 0.5);
    assert_ok(rein_json_double(&number, doc, "big"));
    assert_true(number == 0x1p63);
    assert_ok(rein_json_bool(&boolean, doc, "b"));
    assert_true(boolean);
    assert_ok(rein_json_array(&value, doc, "a"));
    assert_int_equal(json_object_array_length(value), 1);
    assert_ok(rein_json_object(&value, doc, "o"));
    assert_fails(REIN_ERR_FORMAT, "key 'd' is a number with a fraction, expected an integer",
                 rein_json_int(&integer, doc, "d"));
    assert_fails(REIN_ERR_FORMAT, "key 'big' is an integer above 2^63 - 1", rein_json_int(&integer, doc, "big"));
    assert_fails(REIN_ERR_FORMAT, "key 'huge' is an integer above 2^64 - 2; write it with a fraction",
                 rein_json_double(&number, doc, "huge"));
    assert_fails(REIN_ERR_FORMAT, "key 'q' is missing, expected a string", rein_json_string(&string, NULL, doc, "q"));
    assert_fails(REIN_ERR_FORMAT, "key 'n' is null, expected a number", rein_json_double(&number, doc, "n"));
    assert_fails(REIN_ERR_FORMAT, "key 'i' is an integer, expected a boolean", rein_json_bool(&boolean, doc, "i"));
    assert_fails(REIN_ERR_FORMAT, "key 'o' is an object, expected an array", rein_json_array(&value, doc, "o"));
    assert_fails(REIN_ERR_FORMAT, "key 'a' is an array, expected an object", rein_json_object(&value, doc, "a"));
    assert_fails(REIN_ERR_FORMAT, "key 's' is a string, expected an integer", rein_json_int(&integer, doc, "s"));
    assert_ok(rein_json_array(&value, doc, "a"));
    assert_fails(REIN_ERR_FORMAT, "an array where an object with key 'k' is expected",
                 rein_json_int(&integer, value, "k"));
    assert_true(rein_json_has(doc, "s") && !rein_json_has(doc, "n") && !rein_json_has(doc, "q"));
    assert_false(rein_json_has(value, "s"));
    assert_false(rein_json_has(NULL, "s"));
    json_object_put(doc);
}

typedef struct rows {
    int64_t n, last, sum;
} rows;

static rein_status take_row(void *user, int64_t line, struct json_object *row) {
    rows *r = user;
    int64_t x;
    REIN_TRY(rein_json_int(&x, row, "x"));
    r->n++;
    r->last = line;
    r->sum += x;
    return REIN_OK;
}

static void test_jsonl(void **state) {
    const char *path = in_folder(state, "rows.jsonl");
    char message[320];
    rows r = {0};
    put_file(path, "{\"x\":1}\n\n \t\r\n{\"x\":2}\r\n{\"x\":3}");
    assert_ok(rein_jsonl_each(path, take_row, &r));
    assert_int_equal(r.n, 3);
    assert_int_equal(r.sum, 6);
    assert_int_equal(r.last, 5);
    put_file(path, "{\"x\":1}\n{\"x\":}\n");
    snprintf(message, sizeof message, "%s:2:6: '}' where a value should be", path);
    assert_fails(REIN_ERR_FORMAT, message, rein_jsonl_each(path, take_row, &r));
    put_file(path, "\n\n{\"y\":1}\n");
    snprintf(message, sizeof message, "%s:3: key 'x' is missing, expected an integer", path);
    assert_fails(REIN_ERR_FORMAT, message, rein_jsonl_each(path, take_row, &r));
    put_file(path, "");
    r = (rows){0};
    assert_ok(rein_jsonl_each(path, take_row, &r));
    assert_int_equal(r.n, 0);
    assert_fails_with(REIN_ERR_IO, "missing.jsonl': No such file",
                      rein_jsonl_each(in_folder(state, "missing.jsonl"), take_row, &r));
}

static void test_load(void **state) {
    struct json_object *doc;
    const char *path = in_folder(state, "doc.json");
    put_file(path, "{\"a\":\n  tru}");
    assert_fails_with(REIN_ERR_FORMAT, "doc.json:2:3: 't' where a value should be", rein_json_load(&doc, path));
    put_file(path, "{\"a\":\n  true}");
    assert_ok(rein_json_load(&doc, path));
    json_object_put(doc);
}

static void check_f64(double x, const char *expected) {
    rein_str s = {0};
    rein_json_put_f64(&s, x);
    assert_string_equal(s.data, expected);
    rein_str_deinit(&s);
}

static void check_f32(float x, const char *expected) {
    rein_str s = {0};
    rein_json_put_f32(&s, x);
    assert_string_equal(s.data, expected);
    rein_str_deinit(&s);
}

static void test_written_numbers(void **state) {
    (void)state;
    check_f64(0.1, "0.1");
    check_f64(0.1 + 0.2, "0.30000000000000004");
    check_f64(1e-5, "1e-05");
    check_f64(100000, "100000");
    check_f64(1e15, "1000000000000000");
    check_f64(0x1p53, "9007199254740992");
    check_f64(1e22, "1e+22");
    check_f64(-3, "-3");
    check_f64(0, "0");
    check_f64(-0.0, "-0.0");
    check_f64(1.7976931348623157e308, "1.7976931348623157e+308");
    check_f64(NAN, "null");
    check_f64(-INFINITY, "null");
    check_f32(0.1f, "0.1");
    check_f32(16777216, "16777216");
    check_f32(3.4028235e38f, "3.4028235e+38");
    check_f32(-0.0f, "-0.0");
    check_f32(-INFINITY, "null");
}

/* Random bit patterns through our writer and our parser. */
static void test_numbers_read_back(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 40000; i++) {
        uint32_t word[4];
        double x, back;
        float y;
        rein_random4(word, 5, REIN_STREAM_DATA, i, 0, 0, 0);
        memcpy(&x, word, sizeof x);
        memcpy(&y, word + 2, sizeof y);
        if (i % 4 == 0) x = (double)(int32_t)word[0];
        if (!isfinite(x) || !isfinite(y)) continue;
        rein_str s = {0};
        struct json_object *doc;
        rein_str_puts(&s, "{\"x\":");
        rein_json_put_f64(&s, x);
        rein_str_puts(&s, ",\"y\":");
        rein_json_put_f32(&s, y);
        rein_str_puts(&s, "}");
        assert_ok(rein_json_parse(&doc, "f", s.data, s.len));
        assert_ok(rein_json_double(&back, doc, "x"));
        assert_memory_equal(&back, &x, sizeof x);
        assert_ok(rein_json_double(&back, doc, "y"));
        assert_true((float)back == y);
        json_object_put(doc);
        rein_str_deinit(&s);
    }
}

static void test_written_strings(void **state) {
    (void)state;
    rein_str s = {0};
    static const char text[] = "a\"\\/\b\f\n\r\t\x01\0\x7f\xc3\xa9\xf0\x9f\x98\x80\xff\xc3";
    rein_json_put_string(&s, text, sizeof text - 1);
    assert_string_equal(s.data, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u0000\x7f\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd"
                                "\xef\xbf\xbd\"");
    rein_str_clear(&s);
    rein_json_put_string(&s, NULL, 0);
    assert_string_equal(s.data, "\"\"");
    rein_str_deinit(&s);
}

/* Pairs whose code point ends like a surrogate, which json-c alone would lose; and a backslash that only looks like one. */
static void test_escaped_pairs(void **state) {
    (void)state;
    static const char text[] = "{\"a\":\"x\\ud837\\udffay\",\"b\":\"\\\\ud837\\\\udffa\"}";
    struct json_object *doc;
    const char *a, *b;
    assert_ok(rein_json_parse(&doc, "f", text, sizeof text - 1));
    assert_ok(rein_json_string(&a, NULL, doc, "a"));
    assert_ok(rein_json_string(&b, NULL, doc, "b"));
    assert_string_equal(a, "x\xf0\x9d\xbf\xba" "y");
    assert_string_equal(b, "\\ud837\\udffa");
    json_object_put(doc);
}

int main(void) {
#define in_scratch(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_typed_access),
        in_scratch(test_jsonl),
        in_scratch(test_load),
        cmocka_unit_test(test_written_numbers),
        cmocka_unit_test(test_numbers_read_back),
        cmocka_unit_test(test_written_strings),
        cmocka_unit_test(test_escaped_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
