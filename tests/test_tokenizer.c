/* Tokenizers against tokenizers (Rust): golden/tokenizer; and files, patterns and texts that must be refused. */
#include "allocations.h"
#include "base_check.h"

#include "base/json.h"
#include "text/bytelevel.h"
#include "text/regex.h"
#include "text/tokenizer.h"

#define TINY "golden/tokenizer/tiny"

/* ---- golden cases ---- */

typedef struct golden {
    const rein_tokenizer *tok;
    int64_t n;
} golden;

static void check_ids(const rein_ids *ids, struct json_object *wanted, const char *text) {
    assert_true(json_object_is_type(wanted, json_type_array));
    bool same = ids->n == (int64_t)json_object_array_length(wanted);
    for (int64_t i = 0; same && i < ids->n; i++)
        same = json_object_get_int64(json_object_array_get_idx(wanted, (size_t)i)) == ids->data[i];
    if (!same) fail_msg("ids of '%s' differ from %s", text, json_object_to_json_string(wanted));
}

static rein_status check_case(void *user, int64_t line, struct json_object *row) {
    golden *g = user;
    const char *text, *decoded;
    size_t len, decoded_len;
    rein_ids ids = {0};
    rein_str back = {0};
    (void)line;
    REIN_TRY(rein_json_string(&text, &len, row, "text"));
    assert_ok(rein_tokenizer_encode(g->tok, text, len, &ids));
    check_ids(&ids, json_object_object_get(row, "ids"), text);
    if (rein_json_has(row, "decoded")) {
        REIN_TRY(rein_json_string(&decoded, &decoded_len, row, "decoded"));
        assert_ok(rein_tokenizer_decode(g->tok, ids.data, ids.n, false, &back));
        assert_int_equal(back.len, decoded_len);
        if (back.len) assert_memory_equal(back.data, decoded, back.len);
    }
    g->n++;
    rein_ids_deinit(&ids);
    rein_str_deinit(&back);
    return REIN_OK;
}

static void test_golden_tiny(void **state) {
    rein_tokenizer *tok;
    (void)state;
    assert_ok(rein_tokenizer_load(&tok, TINY)); /* a folder */
    golden g = {.tok = tok};
    assert_ok(rein_jsonl_each(TINY "/cases.jsonl", check_case, &g));
    assert_int_equal(g.n, 312);
    rein_tokenizer_destroy(tok);
}

/* One row: a pre-tokenizer, further added tokens and ignore_merges put into the tiny tokenizer. */
static rein_status check_pipeline(void *user, int64_t line, struct json_object *row) {
    struct json_object *root, *added, *model;
    rein_tokenizer *tok;
    assert_ok(rein_json_load(&root, TINY "/tokenizer.json"));
    json_object_object_add(root, "pre_tokenizer", json_object_get(json_object_object_get(row, "pre_tokenizer")));
    REIN_TRY(rein_json_object(&model, root, "model"));
    json_object_object_add(model, "ignore_merges", json_object_get(json_object_object_get(row, "ignore_merges")));
    REIN_TRY(rein_json_array(&added, root, "added_tokens"));
    struct json_object *more = json_object_object_get(row, "added_tokens");
    for (size_t i = 0; i < json_object_array_length(more); i++)
        json_object_array_add(added, json_object_get(json_object_array_get_idx(more, i)));
    const char *json = json_object_to_json_string(root);
    assert_ok(rein_tokenizer_parse(&tok, "pipeline", json, strlen(json)));
    golden g = {.tok = tok};
    struct json_object *cases = json_object_object_get(row, "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++)
        REIN_TRY(check_case(&g, line, json_object_array_get_idx(cases, i)));
    *(int64_t *)user += g.n;
    rein_tokenizer_destroy(tok);
    json_object_put(root);
    return REIN_OK;
}

static void test_golden_pipelines(void **state) {
    int64_t n = 0;
    (void)state;
    assert_ok(rein_jsonl_each("golden/tokenizer/pipelines.jsonl", check_pipeline, &n));
    assert_int_equal(n, 390);
}

/* ---- training ---- */

enum { MAX_TEXTS = 128, MAX_SPECIAL = 4 };

static int64_t strings(const char **texts, size_t *lens, int64_t max, struct json_object *list) {
    int64_t n = (int64_t)json_object_array_length(list);
    assert_true(n <= max);
    for (int64_t i = 0; i < n; i++) {
        struct json_object *text = json_object_array_get_idx(list, (size_t)i);
        texts[i] = json_object_get_string(text);
        lens[i] = (size_t)json_object_get_string_len(text);
    }
    return n;
}

typedef struct training {
    const char *path; /* to write to */
    int64_t n;
} training;

static rein_status check_training(void *user, int64_t line, struct json_object *row) {
    training *t = user;
    const char *texts[MAX_TEXTS], *special[MAX_SPECIAL];
    size_t lens[MAX_TEXTS], special_lens[MAX_SPECIAL];
    struct json_object *found;
    rein_tokenizer *tok;
    rein_bpe_options o = {.special = special};
    (void)line;
    int64_t n = strings(texts, lens, MAX_TEXTS, json_object_object_get(row, "texts"));
    o.n_special = strings(special, special_lens, MAX_SPECIAL, json_object_object_get(row, "special"));
    REIN_TRY(rein_json_int(&o.vocab_size, row, "vocab_size"));
    REIN_TRY(rein_json_bool(&o.full_byte_alphabet, row, "full_byte_alphabet"));
    if (rein_json_has(row, "pattern")) REIN_TRY(rein_json_string(&o.pattern, NULL, row, "pattern"));
    assert_ok(rein_tokenizer_train(&tok, &o, texts, lens, n));
    assert_ok(rein_tokenizer_save(tok, t->path));
    assert_ok(rein_json_load(&found, t->path));
    assert_true(json_object_equal(found, json_object_object_get(row, "expected")));
    assert_int_equal(rein_tokenizer_vocab_size(tok), o.vocab_size);
    t->n++;
    rein_tokenizer_destroy(tok);
    json_object_put(found);
    return REIN_OK;
}

static void test_golden_training(void **state) {
    training t = {.path = in_folder(state, "trained.json")};
    assert_ok(rein_jsonl_each("golden/tokenizer/train.jsonl", check_training, &t));
    assert_int_equal(t.n, 3);
}

static rein_status train(rein_tokenizer **tok, const rein_bpe_options *options, const char *text) {
    return rein_tokenizer_train(tok, options, &text, &(size_t){strlen(text)}, 1);
}

static void test_missing_byte(void **state) {
    rein_tokenizer *tok;
    rein_ids ids = {0};
    rein_bpe_options o = {.vocab_size = 300};
    (void)state;
    assert_ok(train(&tok, &o, "abc abc"));
    assert_ok(rein_tokenizer_encode(tok, "cab", 3, &ids));
    int64_t n = ids.n;
    assert_fails_with(REIN_ERR_ARG, "byte 0x7a ('z')", rein_tokenizer_encode(tok, "abc z", 5, &ids));
    assert_int_equal(ids.n, n);
    rein_ids_deinit(&ids);
    rein_tokenizer_destroy(tok);
    o.full_byte_alphabet = true;
    assert_ok(train(&tok, &o, "abc abc"));
    assert_ok(rein_tokenizer_encode(tok, "abcz\xc3\xa9", 6, &ids));
    rein_ids_deinit(&ids);
    rein_tokenizer_destroy(tok);
}

static void test_training_refusals(void **state) {
    rein_tokenizer *tok;
    rein_bpe_options o = {
        .vocab_size = 256, .special = (const char *const[]){"<s>", "<s>"}, .full_byte_alphabet = true};
    (void)state;
    o.n_special = 1;
    assert_fails_with(REIN_ERR_ARG, "vocab_size 256 is below the 257", train(&tok, &o, "a"));
    o.n_special = 2;
    assert_fails_with(REIN_ERR_ARG, "'<s>' is given twice", train(&tok, &o, "a"));
    o = (rein_bpe_options){.vocab_size = 300, .pattern = "a\\1"};
    assert_fails_with(REIN_ERR_ARG, "escape is not supported", train(&tok, &o, "a"));
    o.pattern = NULL;
    assert_fails_with(REIN_ERR_ARG, "not UTF-8 at byte 2", train(&tok, &o, "ab\xff"));
}

/* ---- files ---- */

/* A small valid file; a test replaces one part of it. */
#define HEAD "{\"version\":\"1.0\",\"added_tokens\":["
#define END_TOKEN                                                                                                      \
    "{\"id\":4,\"content\":\"<e>\",\"special\":true,\"normalized\":false,\"single_word\":false,\"lstrip\":false,"      \
    "\"rstrip\":false}"
#define PRE        "],\"normalizer\":null,\"pre_tokenizer\":"
#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}"
#define DECODER    ",\"decoder\":{\"type\":\"ByteLevel\"},"
#define MODEL      "\"model\":{\"type\":\"BPE\",\"vocab\":"
#define VOCAB      "{\"a\":0,\"b\":1,\"\u0120\":2,\"ab\":3}"
#define MERGES     ",\"merges\":"
static const char small_file[] = HEAD END_TOKEN PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[\"a b\"]}}";

static void test_bad_files(void **state) {
    static const struct {
        const char *json, *message;
    } cases[] = {
        {HEAD PRE BYTE_LEVEL DECODER MODEL "{}" MERGES "[]}}", "model.vocab is empty"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL "{\"a\":0,\"b\":0}" MERGES "[]}}", "id 0 is given twice"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL "{\"a\":-1}" MERGES "[]}}", "id -1 is outside"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL "{\"a\":4194304}" MERGES "[]}}", "model.vocab['a']: id 4194304 is outside"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL "{\"a\":1.5}" MERGES "[]}}", "no integer"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[\"a b\",\"a c\"]}}", "merges[1]: 'c' is not in the"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[\"b a\"]}}", "'ba' is not in the vocabulary"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[\"ab\"]}}", "no space in 'ab'"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[[\"a\"]]}}", "neither a string nor a list of two"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[\"a b\",[\"a\",\"b\"]]}}", "already merge 0"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[],\"dropout\":0.1}}", "model.dropout = 0.1 is not"},
        {HEAD PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[],\"byte_fallback\":1}}", "model: key 'byte_fallback'"},
        {HEAD PRE BYTE_LEVEL DECODER "\"model\":{\"type\":\"Unigram\"}}", "model: type 'Unigram' is not supported"},
        {HEAD PRE BYTE_LEVEL ",\"decoder\":{\"type\":\"WordPiece\"}," MODEL VOCAB MERGES "[]}}", "type 'WordPiece'"},
        {HEAD PRE "{\"type\":\"Other\"}" DECODER MODEL VOCAB MERGES "[]}}", "pre_tokenizer: type 'Other'"},
        {HEAD PRE "{\"type\":\"Sequence\",\"pretokenizers\":[" BYTE_LEVEL ",{}]}" DECODER MODEL VOCAB MERGES "[]}}",
         "pre_tokenizer: pretokenizers[1]: key 'type'"},
        {HEAD "],\"normalizer\":{\"type\":\"Other\"},\"pre_tokenizer\":" BYTE_LEVEL DECODER MODEL VOCAB MERGES "[]}}",
         "normalizer: type 'Other' is not supported"},
        {HEAD END_TOKEN "," END_TOKEN PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[]}}", "added_tokens[1]: id 4 is"},
        {HEAD END_TOKEN PRE BYTE_LEVEL DECODER MODEL "{\"a\":4}" MERGES "[]}}", "disagrees with the vocabulary"},
        {HEAD END_TOKEN PRE BYTE_LEVEL DECODER MODEL "{\"<e>\":1}" MERGES "[]}}", "disagrees with the vocabulary"},
        {HEAD "{\"id\":9}" PRE BYTE_LEVEL DECODER MODEL VOCAB MERGES "[]}}", "added_tokens[0]: key 'content'"},
        {"[]", "bad.json"},
        {"{\"model\":", "bad.json"},
    };
    rein_tokenizer *tok;
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_status status = rein_tokenizer_parse(&tok, "bad.json", cases[i].json, strlen(cases[i].json));
        assert_fails_with(REIN_ERR_FORMAT, cases[i].message, status);
    }
    assert_fails_with(REIN_ERR_IO, "golden/none", rein_tokenizer_load(&tok, "golden/none"));
}

/* Each cut of a valid file must be refused and each flipped byte survived. */
static void test_damaged_files(void **state) {
    char json[sizeof small_file];
    size_t len = sizeof small_file - 1;
    rein_tokenizer *tok = NULL;
    (void)state;
    for (size_t n = 0; n < len; n++)
        assert_int_equal(rein_tokenizer_parse(&tok, "cut", small_file, n), REIN_ERR_FORMAT);
    for (size_t i = 0; i < len; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(json, small_file, sizeof json);
            json[i] = (char)(json[i] ^ 1 << bit);
            if (rein_tokenizer_parse(&tok, "flipped", json, len) == REIN_OK) rein_tokenizer_destroy(tok);
        }
}

static rein_status load_and_use(void *user) {
    rein_tokenizer *tok = NULL;
    rein_ids ids = {0};
    rein_str text = {0};
    rein_status status;
    (void)user;
    REIN_TRY_OUT(status, rein_tokenizer_parse(&tok, "small", small_file, sizeof small_file - 1), out);
    REIN_TRY_OUT(status, rein_tokenizer_encode(tok, "ab a<e> b", 9, &ids), out);
    REIN_TRY_OUT(status, rein_tokenizer_decode(tok, ids.data, ids.n, false, &text), out);
    assert_string_equal(text.data, "ab a<e> b");
    rein_tokenizer_destroy(tok);
    tok = NULL;
    REIN_TRY_OUT(status, train(&tok, &(rein_bpe_options){.vocab_size = 20}, "abcabc aab aab"), out);
out:
    rein_tokenizer_destroy(tok);
    rein_ids_deinit(&ids);
    rein_str_deinit(&text);
    return status;
}

static void test_allocation_failures(void **state) {
    (void)state;
    refuse_each_allocation(load_and_use, NULL, 10);
}

/* ---- patterns ---- */

static void test_patterns(void **state) {
    static const char *const refused[] = {
        "[\\b]",   "\\G",   "(?m)a",     "[[:alpha:]]", "[a&&b]",  "[]a]",    "\\W[\\W]", "a{,3}",     "a{2}+",
        "a{2,3}?", "(?i)a", "(*ACCEPT)", "(a)\\1",      "\\h",     "\\x85a",  "\\p{L",    "\\p{Nope}", "(",
        "[a",      "a\\",   "{",         "\\u12",       "\\Qa\\E", "(?<n>a)", "\xff",     ""};
    rein_regex *regex;
    rein_regex_scratch *scratch;
    rein_regex_match m;
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(refused); i++) {
        if (rein_regex_compile(&regex, refused[i], strlen(refused[i])) != REIN_ERR_ARG)
            fail_msg("pattern '%s' was taken", refused[i]);
    }
    assert_fails_with(REIN_ERR_ARG, "'\\W' at offset 3", rein_regex_compile(&regex, "\\W[\\W]", 6));
    assert_ok(rein_regex_scratch_create(&scratch));
    assert_ok(rein_regex_compile(&regex, "\\s", 2));
    assert_ok(rein_regex_find(&m, regex, scratch, "\xe1\xa0\x8e\xe2\x80\xa8", 6, 0)); /* U+180E, U+2028 */
    assert_true(m.found && m.begin == 3 && m.end == 6);
    rein_regex_destroy(regex);
    assert_ok(rein_regex_compile(&regex, "(a+)+(?=b)", 10)); /* exponential on this text */
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac";
    assert_fails_with(REIN_ERR_ARG, "match limit", rein_regex_find(&m, regex, scratch, text, sizeof text - 1, 0));
    rein_regex_destroy(regex);
    rein_regex_scratch_destroy(scratch);
}

/* ---- tokens and texts ---- */

static void test_lookup(void **state) {
    rein_tokenizer *tok;
    rein_str text = {0}, saved = {0}, source = {0};
    const char *bytes;
    size_t len;
    const char *copy = in_folder(state, "saved.json");
    assert_ok(rein_tokenizer_load(&tok, TINY "/tokenizer.json"));
    assert_int_equal(rein_tokenizer_vocab_size(tok), 604);
    assert_int_equal(rein_tokenizer_id(tok, "<|im_start|>", 12), 1);
    assert_int_equal(rein_tokenizer_id(tok, "<CONTROLS>", 10), 602);
    assert_int_equal(rein_tokenizer_id(tok, " ", 1), 223);
    assert_int_equal(rein_tokenizer_id(tok, "no such token", 13), -1);
    assert_true(rein_tokenizer_is_special(tok, 2));
    assert_false(rein_tokenizer_is_special(tok, 602));
    assert_false(rein_tokenizer_is_special(tok, -1));
    assert_false(rein_tokenizer_is_special(tok, 604));
    assert_ok(rein_tokenizer_token_bytes(tok, 223, &bytes, &len));
    assert_true(len == 1 && bytes[0] == ' ');
    assert_fails_with(REIN_ERR_ARG, "id 604", rein_tokenizer_token_bytes(tok, 604, &bytes, &len));
    assert_ok(rein_tokenizer_decode(tok, (int32_t[]){1, 67, 602}, 3, true, &text));
    assert_string_equal(text.data, "a<CONTROLS>");
    assert_fails_with(REIN_ERR_ARG, "ids[1] = -5", rein_tokenizer_decode(tok, (int32_t[]){67, -5}, 2, false, &text));
    assert_string_equal(text.data, "a<CONTROLS>");
    assert_ok(rein_tokenizer_save(tok, copy));
    assert_ok(rein_file_read(&saved, copy));
    assert_ok(rein_file_read(&source, TINY "/tokenizer.json"));
    assert_true(saved.len == source.len && memcmp(saved.data, source.data, saved.len) == 0);
    rein_str_deinit(&text);
    rein_str_deinit(&saved);
    rein_str_deinit(&source);
    rein_tokenizer_destroy(tok);
}

static void test_not_utf8(void **state) {
    static const char *const bad[] = {"ab\x80",     "ab\xc0\x80", "ab\xed\xa0\x80", "ab\xf4\x90\x80\x80",
                                      "ab\xe2\x82", "ab\xff"};
    rein_tokenizer *tok;
    rein_ids ids = {0};
    (void)state;
    assert_ok(rein_tokenizer_load(&tok, TINY));
    for (size_t i = 0; i < REIN_COUNT(bad); i++)
        assert_fails_with(REIN_ERR_ARG, "not UTF-8 at byte 2",
                          rein_tokenizer_encode(tok, bad[i], strlen(bad[i]), &ids));
    assert_int_equal(ids.n, 0);
    assert_int_equal(rein_utf8_valid_length("0123456789\xf0\x9f\x98\x80z", 15), 15);
    rein_tokenizer_destroy(tok);
}

static void test_alphabet(void **state) {
    bool seen[512] = {false};
    (void)state;
    for (int b = 0; b < 256; b++) {
        int32_t c = rein_bytelevel_char((unsigned char)b);
        assert_true(c > ' ' && c < 512 && !seen[c]);
        seen[c] = true;
        assert_int_equal(rein_bytelevel_byte(c), b);
    }
    for (int32_t c = -1; c < 600; c++)
        if (c < 0 || c >= 512 || !seen[c]) assert_int_equal(rein_bytelevel_byte(c), -1);
    assert_int_equal(rein_bytelevel_char(' '), 0x120);
    assert_int_equal(rein_bytelevel_char('\n'), 0x10a);
}

/* Long pieces cost n log n, and threads that share a tokenizer agree. */
static void test_long_text_in_threads(void **state) {
    enum { N = 200000, THREADS = 4 };
    static char text[N];
    rein_tokenizer *tok;
    int64_t found[THREADS], bytes[THREADS];
    (void)state;
    assert_ok(rein_tokenizer_load(&tok, TINY));
    for (int64_t i = 0; i < N; i++) text[i] = "abcdefghij"[(uint64_t)i * 0x9e3779b97f4a7c15u >> 40 & 7];
#pragma omp parallel for num_threads(THREADS)
    for (int t = 0; t < THREADS; t++) {
        rein_ids ids = {0};
        rein_str back = {0};
        bool ok = rein_tokenizer_encode(tok, text, N, &ids) == REIN_OK &&
                  rein_tokenizer_decode(tok, ids.data, ids.n, false, &back) == REIN_OK &&
                  memcmp(back.data, text, N) == 0;
        found[t] = ok ? ids.n : -1;
        bytes[t] = (int64_t)back.len;
        rein_ids_deinit(&ids);
        rein_str_deinit(&back);
    }
    for (int t = 0; t < THREADS; t++) {
        assert_int_equal(bytes[t], N);
        assert_true(found[t] > 0 && found[t] == found[0]);
    }
    rein_tokenizer_destroy(tok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_tiny),
        cmocka_unit_test(test_golden_pipelines),
        cmocka_unit_test(test_golden_training),
        cmocka_unit_test(test_missing_byte),
        cmocka_unit_test(test_training_refusals),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_alphabet),
        cmocka_unit_test(test_long_text_in_threads),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
