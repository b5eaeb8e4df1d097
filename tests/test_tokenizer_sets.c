/* Every component of tokenizer.json against tokenizers (Rust): golden/tokenizer/sets.jsonl; and decoding id by id. */
#include "allocations.h"
#include "base_check.h"

#include "base/json.h"
#include "text/bytelevel.h"
#include "text/tokenizer.h"

enum { BASES = 3, N_SETS = 50 };

typedef struct sets {
    struct json_object *base[BASES];
    int64_t n_sets, n_cases, n_decodes;
} sets;

static void check_ids(const rein_ids *ids, struct json_object *wanted, const char *set, const char *text) {
    bool same = ids->n == (int64_t)json_object_array_length(wanted);
    for (int64_t i = 0; same && i < ids->n; i++)
        same = json_object_get_int64(json_object_array_get_idx(wanted, (size_t)i)) == ids->data[i];
    if (!same) fail_msg("%s: ids of '%s' differ from %s", set, text, json_object_to_json_string(wanted));
}

static void check_text(const rein_str *text, struct json_object *row, const char *set, const char *how) {
    const char *wanted;
    size_t len;
    assert_ok(rein_json_string(&wanted, &len, row, "decoded"));
    if (text->len != len || (len && memcmp(text->data, wanted, len) != 0))
        fail_msg("%s, %s: '%s' instead of '%s'", set, how, text->len ? text->data : "", wanted);
}

/* What is written must be whole characters at all times, and in the end the same as by one call. */
static void check_decoding(const rein_tokenizer *tok, struct json_object *row, const char *set) {
    struct json_object *list = json_object_object_get(row, "ids");
    rein_ids ids = {0};
    rein_str once = {0}, lossy = {0}, pieces = {0};
    rein_decoder *dec;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        assert_ok(rein_ids_push(&ids, json_object_get_int(json_object_array_get_idx(list, i))));
    assert_ok(rein_tokenizer_decode(tok, ids.data, ids.n, false, &once));
    if (once.len) rein_utf8_append_lossy(&lossy, once.data, once.len, true);
    check_text(&lossy, row, set, "at once");
    assert_ok(rein_decoder_create(&dec, tok, false));
    for (int round = 0; round < 2; round++) { /* the second shows that finish() starts anew */
        rein_str_clear(&pieces);
        for (int64_t i = 0; i < ids.n; i++) {
            assert_ok(rein_decoder_push(dec, ids.data[i], &pieces));
            if (pieces.len) assert_int_equal(rein_utf8_valid_length(pieces.data, pieces.len), pieces.len);
        }
        assert_ok(rein_decoder_finish(dec, &pieces));
        check_text(&pieces, row, set, "id by id");
    }
    rein_decoder_destroy(dec);
    rein_ids_deinit(&ids);
    rein_str_deinit(&once);
    rein_str_deinit(&lossy);
    rein_str_deinit(&pieces);
}

static void check_case(const rein_tokenizer *tok, rein_encoder *encoder, struct json_object *row, const char *set) {
    struct json_object *wanted = json_object_object_get(row, "ids"), *special = wanted;
    const char *text;
    size_t len;
    rein_ids ids = {0};
    if (rein_json_has(row, "ids_with_special")) special = json_object_object_get(row, "ids_with_special");
    assert_ok(rein_json_string(&text, &len, row, "text"));
    assert_ok(rein_tokenizer_encode(tok, text, len, &ids));
    check_ids(&ids, wanted, set, text);
    for (int round = 0; round < 2; round++) { /* the second finds words of the first */
        ids.n = 0;
        assert_ok(rein_encoder_encode(encoder, text, len, round, &ids));
        check_ids(&ids, round ? special : wanted, set, text);
    }
    rein_ids_deinit(&ids);
    check_decoding(tok, row, set);
}

static void check_set(sets *s, const char *name, struct json_object *row) {
    struct json_object *file, *model, *cases, *decodes;
    struct json_object *base = s->base[json_object_get_int(json_object_object_get(row, "of"))];
    rein_tokenizer *tok;
    rein_encoder *encoder;
    assert_ok(rein_json_object(&file, row, "file"));
    assert_ok(rein_json_object(&model, file, "model"));
    json_object_object_add(model, "vocab", json_object_get(json_object_object_get(base, "vocab")));
    json_object_object_add(model, "merges", json_object_get(json_object_object_get(base, "merges")));
    const char *json = json_object_to_json_string(file);
    assert_ok(rein_tokenizer_parse(&tok, name, json, strlen(json)));
    assert_ok(rein_encoder_create(&encoder, tok));
    assert_ok(rein_json_array(&cases, row, "cases"));
    for (size_t i = 0; i < json_object_array_length(cases); i++)
        check_case(tok, encoder, json_object_array_get_idx(cases, i), name);
    assert_ok(rein_json_array(&decodes, row, "decodes"));
    for (size_t i = 0; i < json_object_array_length(decodes); i++)
        check_decoding(tok, json_object_array_get_idx(decodes, i), name);
    s->n_sets++;
    s->n_cases += (int64_t)json_object_array_length(cases);
    s->n_decodes += (int64_t)json_object_array_length(decodes);
    rein_encoder_destroy(encoder);
    rein_tokenizer_destroy(tok);
}

static rein_status check_row(void *user, int64_t line, struct json_object *row) {
    sets *s = user;
    const char *name;
    (void)line;
    if (rein_json_has(row, "base")) {
        int64_t k;
        REIN_TRY(rein_json_int(&k, row, "base"));
        assert_in_range(k, 0, BASES - 1);
        s->base[k] = json_object_get(row);
        return REIN_OK;
    }
    REIN_TRY(rein_json_string(&name, NULL, row, "set"));
    check_set(s, name, row);
    return REIN_OK;
}

static void test_golden_sets(void **state) {
    sets s = {0};
    (void)state;
    assert_ok(rein_jsonl_each("golden/tokenizer/sets.jsonl", check_row, &s));
    assert_int_equal(s.n_sets, N_SETS);
    assert_int_equal(s.n_cases, 14 * N_SETS);
    assert_true(s.n_decodes > 9 * N_SETS);
    for (int i = 0; i < BASES; i++) json_object_put(s.base[i]);
}

/* ---- small files, whose ids one can count ---- */

#define HEAD  "{\"added_tokens\":[],\"normalizer\":null,\"pre_tokenizer\":null,"
#define MODEL ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{"
static const char fallback_file[] =
    HEAD "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u2581\"},"
         "\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \","
         "\"start\":1,\"stop\":0}]}" MODEL
         "\"<0xE2>\":0,\"<0x82>\":1,\"<0xAC>\":2,\"\u2581a\":3,\"\\u2581\":4,\"a\":5},\"merges\":[\"\u2581 a\"]}}";

static void push_expect(rein_decoder *dec, int32_t id, const char *wanted) {
    rein_str out = {0};
    if (id >= 0)
        assert_ok(rein_decoder_push(dec, id, &out));
    else
        assert_ok(rein_decoder_finish(dec, &out));
    assert_string_equal(out.data ? out.data : "", wanted);
    rein_str_deinit(&out);
}

static void test_decoder_waits(void **state) {
    rein_tokenizer *tok;
    rein_decoder *dec;
    rein_ids ids = {0};
    rein_str out = {0};
    const char *bytes;
    size_t len;
    (void)state;
    assert_ok(rein_tokenizer_parse(&tok, "fallback", fallback_file, sizeof fallback_file - 1));
    assert_ok(rein_decoder_create(&dec, tok, false));
    push_expect(dec, 3, "a"); /* the text's first space is stripped, and no other */
    push_expect(dec, 3, " a");
    push_expect(dec, 0, "");
    push_expect(dec, 1, "");
    push_expect(dec, 2, "");
    push_expect(dec, 5, "\u20aca"); /* the run E2 82 AC is whole once another token comes */
    push_expect(dec, 1, "");
    push_expect(dec, -1, "\ufffd");
    push_expect(dec, 4, "");
    push_expect(dec, 3, " a");
    assert_fails_with(REIN_ERR_ARG, "id 6 is no token", rein_decoder_push(dec, 6, &out));
    push_expect(dec, -1, "");
    assert_ok(rein_tokenizer_encode(tok, "\u20aca", 4, &ids)); /* U+20AC is no entry: its bytes */
    assert_int_equal(ids.n, 4);
    for (int i = 0; i < 3; i++) assert_int_equal(ids.data[i], i);
    assert_fails_with(REIN_ERR_ARG, "'b' has no token", rein_tokenizer_encode(tok, "ab", 2, &ids));
    assert_ok(rein_tokenizer_token_bytes(tok, 3, &bytes, &len));
    assert_true(len == 2 && memcmp(bytes, " a", 2) == 0);
    assert_ok(rein_tokenizer_token_bytes(tok, 1, &bytes, &len));
    assert_true(len == 1 && bytes[0] == '\x82');
    assert_int_equal(rein_tokenizer_id(tok, "\u2581a", 4), 3);
    rein_ids_deinit(&ids);
    rein_decoder_destroy(dec);
    rein_tokenizer_destroy(tok);
}

/* Half characters of byte-level tokens wait; what cannot become one does not. */
static void test_decoder_bytes(void **state) {
    static const char file[] =
        "{\"added_tokens\":[],\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"decoder\":{"
        "\"type\":"
        "\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":0,\"\u00e2\":1,\"\u0124\":2,\"\u00ac\":3},\"merges\":[]}}";
    rein_tokenizer *tok;
    rein_decoder *dec;
    (void)state;
    assert_ok(rein_tokenizer_parse(&tok, "bytes", file, sizeof file - 1));
    assert_ok(rein_decoder_create(&dec, tok, true));
    push_expect(dec, 1, "");
    push_expect(dec, 2, "");
    push_expect(dec, 3, "\u20ac");
    push_expect(dec, 1, "");
    push_expect(dec, 2, "");
    push_expect(dec, 0,
                "\ufffd"
                "a"); /* one for the stretch E2 82 */
    push_expect(dec, 2, "\ufffd");
    push_expect(dec, 1, "");
    push_expect(dec, -1, "\ufffd");
    rein_decoder_destroy(dec);
    rein_tokenizer_destroy(tok);
}

static void test_refused_parts(void **state) {
    static const struct {
        const char *parts, *message;
    } cases[] = {
        {"\"normalizer\":{\"type\":\"Precompiled\"}", "normalizer: type 'Precompiled' is not supported"},
        {"\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\"}]}",
         "normalizer: normalizers[0]: key 'prepend'"},
        {"\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"\"}", "normalizer: pattern"},
        {"\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}", "pre_tokenizer: type 'UnicodeScripts'"},
        {"\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}", "replacement 'ab' is not one"},
        {"\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}",
         "'last' is none"},
        {"\"decoder\":{\"type\":\"CTC\"}", "decoder: type 'CTC' is not supported"},
        {"\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"ByteFallback\"}]}",
         "decoders[1]: ByteFallback after"},
        {"\"decoder\":{\"type\":\"Strip\",\"content\":\" \",\"start\":-1,\"stop\":0}", "start or stop is negative"},
        {"\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"BertProcessing\",\"cls\":[\"a\",0],"
         "\"sep\":[\"a\",0]},{\"type\":\"TemplateProcessing\",\"single\":[]}]}",
         "processors[1]: 'TemplateProcessing' after another"},
        {"\"post_processor\":{\"type\":\"Other\"}", "post_processor: type 'Other'"},
        {"\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",0],\"sep\":[\"z\",7]}", "sep: 7 is no token"},
        {"\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}],"
         "\"special_tokens\":{}}",
         "single[0]: sequence 'B'"},
        {"\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"q\"}}],"
         "\"special_tokens\":{}}",
         "single[0]: key 'q'"},
    };
    rein_tokenizer *tok;
    rein_str json = {0};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_str_clear(&json);
        rein_str_printf(&json, "{\"added_tokens\":[],%s,\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}",
                        cases[i].parts);
        assert_fails_with(REIN_ERR_FORMAT, cases[i].message, rein_tokenizer_parse(&tok, "bad", json.data, json.len));
    }
    rein_str_deinit(&json);
}

/* Each flipped bit of a file with many parts is survived. */
static void test_damaged_parts(void **state) {
    char json[sizeof fallback_file];
    rein_tokenizer *tok = NULL;
    rein_ids ids = {0};
    rein_str text = {0};
    (void)state;
    for (size_t i = 0; i < sizeof json - 1; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(json, fallback_file, sizeof json);
            json[i] = (char)(json[i] ^ 1 << bit);
            if (rein_tokenizer_parse(&tok, "flipped", json, sizeof json - 1) != REIN_OK) continue;
            ids.n = 0;
            if (rein_tokenizer_encode(tok,
                                      "a \u20ac\u2581"
                                      "a",
                                      8, &ids) == REIN_OK)
                assert_ok(rein_tokenizer_decode(tok, ids.data, ids.n, false, &text));
            rein_tokenizer_destroy(tok);
        }
    rein_ids_deinit(&ids);
    rein_str_deinit(&text);
}

static rein_status load_and_use(void *user) {
    rein_tokenizer *tok = NULL;
    rein_encoder *encoder = NULL;
    rein_ids ids = {0};
    rein_str text = {0};
    rein_status status;
    (void)user;
    REIN_TRY_OUT(status, rein_tokenizer_parse(&tok, "fallback", fallback_file, sizeof fallback_file - 1), out);
    REIN_TRY_OUT(status, rein_encoder_create(&encoder, tok), out);
    REIN_TRY_OUT(status, rein_encoder_encode(encoder, "\u2581aa\u20ac", 8, true, &ids), out);
    REIN_TRY_OUT(status, rein_tokenizer_decode(tok, ids.data, ids.n, true, &text), out);
    assert_string_equal(text.data, "aa\u20ac");
out:
    rein_encoder_destroy(encoder);
    rein_tokenizer_destroy(tok);
    rein_ids_deinit(&ids);
    rein_str_deinit(&text);
    return status;
}

static void test_allocation_failures(void **state) {
    (void)state;
    refuse_each_allocation(load_and_use, NULL, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_sets),   cmocka_unit_test(test_decoder_waits),
        cmocka_unit_test(test_decoder_bytes), cmocka_unit_test(test_refused_parts),
        cmocka_unit_test(test_damaged_parts), cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
