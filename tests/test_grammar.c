/*
 * Constrained generation: patterns against PCRE2 over all short texts, JSON Schemas against what validates, and masks of
 * tokens against stepping every token by itself.
 */
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/json.h"
#include "base/random.h"
#include "gen/automaton.h"
#include "gen/grammar.h"
#include "gen/pattern.h"
#include "gen/schema.h"
#include "testing.h"

/* ---- automata ---- */

static rein_status open_pattern(rein_automaton **out, const char *pattern, size_t len, rein_pattern_form form) {
    rein_nfa nfa = {0};
    int32_t from = rein_nfa_state(&nfa), to = rein_nfa_state(&nfa);
    rein_status status = rein_pattern_compile(&nfa, from, to, pattern, len, form);
    if (status != REIN_OK) {
        rein_nfa_deinit(&nfa);
        return status;
    }
    return rein_automaton_create(out, &nfa, from, to);
}

static rein_status open_schema(rein_automaton **out, const char *text) {
    rein_nfa nfa = {0};
    struct json_object *schema;
    OK(rein_json_parse(&schema, "schema", text, strlen(text)));
    int32_t from = rein_nfa_state(&nfa), to = rein_nfa_state(&nfa);
    rein_status status = rein_schema_compile(&nfa, from, to, schema);
    json_object_put(schema);
    if (status != REIN_OK) {
        rein_nfa_deinit(&nfa);
        return status;
    }
    return rein_automaton_create(out, &nfa, from, to);
}

static bool matches(rein_automaton *a, const char *text, size_t len) {
    int32_t state = 0;
    for (size_t i = 0; i < len; i++) OK(rein_automaton_step(a, &state, (uint8_t)text[i]));
    return rein_automaton_accepts(a, state);
}

static const char *const patterns[] = {
    "a",          "ab|c",         "(a|b)*c",      "a*b+c?",       "(ab){2}",    "a{0}b",      "(a|bc){1,2}", "a{2,}b{0,1}",
    "[ab]c|[^ab]", "[a-b]{3}",    "(?:a?b){2,3}", "((a*)b)*",     "a.c",        "\\x61\\u0062", "(a|)(b|)c*", "[^c]*?b",
    "(a{1,2}){2}", "\\w\\d?|\\W", "^a(b|c)$",     "(a|ab)(c|bcd)*", "",           "()|a",       "[\\]b-]+",    "(a*){2,}b"};

/* Every text of up to 5 of these characters, one of them of two bytes. */
static const char *const letters[] = {"a", "b", "c", "1", "-", "\xc3\xa9"};

static void patterns_equal_pcre2(void **state) {
    (void)state;
    for (size_t p = 0; p < REIN_COUNT(patterns); p++) {
        rein_automaton *a;
        int code, matched = 0;
        size_t at;
        OK(open_pattern(&a, patterns[p], strlen(patterns[p]), REIN_PATTERN_WHOLE));
        pcre2_code *re = pcre2_compile((PCRE2_SPTR)patterns[p], PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_ALT_BSUX | PCRE2_EXTRA_ALT_BSUX,
                                       &code, &at, NULL);
        assert_non_null(re);
        pcre2_match_data *md = pcre2_match_data_create(1, NULL);
        for (int len = 0, count = 1; len <= 5; len++, count *= (int)REIN_COUNT(letters))
            for (int k = 0; k < count; k++) {
                char text[16] = "";
                for (int i = 0, rest = k; i < len; i++, rest /= (int)REIN_COUNT(letters))
                    strcat(text, letters[rest % (int)REIN_COUNT(letters)]);
                size_t n = strlen(text);
                bool want = pcre2_match(re, (PCRE2_SPTR)text, n, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED, md, NULL) >= 0;
                if (matches(a, text, n) != want) fail_msg("pattern %s, text '%s': expected %d", patterns[p], text, want);
                matched += want;
            }
        assert_true(matched > 0);
        pcre2_match_data_free(md);
        pcre2_code_free(re);
        rein_automaton_destroy(a);
    }
}

static void classes_are_characters(void **state) {
    (void)state;
    rein_automaton *a;
    const char *pattern = "[\xc2\xa2-\xf0\x9f\x98\x80]"; /* U+A2 to U+1F600: every length, around the surrogates */
    OK(open_pattern(&a, pattern, strlen(pattern), REIN_PATTERN_WHOLE));
    for (int32_t c = 0; c <= 0x10ffff; c += c > 0x2000 && c < 0x10f000 && (c & 0xff) > 2 && (c & 0xff) < 0xfd ? 0xfd - (c & 0xff) : 1) {
        char text[4];
        size_t n = 0;
        if (c >= 0xd800 && c < 0xe000) continue;
        if (c < 0x80) text[n++] = (char)c;
        else if (c < 0x800) text[n++] = (char)(0xc0 | c >> 6);
        else if (c < 0x10000) text[n++] = (char)(0xe0 | c >> 12);
        else text[n++] = (char)(0xf0 | c >> 18);
        if (c >= 0x10000) text[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        if (c >= 0x800) text[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        if (c >= 0x80) text[n++] = (char)(0x80 | (c & 0x3f));
        if (matches(a, text, n) != (c >= 0xa2 && c <= 0x1f600)) fail_msg("U+%04X", (unsigned)c);
    }
    assert_false(matches(a, "\xed\xa0\x80", 3)); /* a surrogate */
    rein_automaton_destroy(a);
}

static void bad_patterns_are_named(void **state) {
    (void)state;
    static const char *const bad[] = {"(",      ")",       "[a",     "*a",     "a{2,1}", "a{",      "\\b",         "(?=a)",      "\\1",
                                      "a^b",    "(a$)",    "[b-a]",  "[]",     "\\xg0",  "\\u{110000}", "[[:alpha:]]", "\\ud800",
                                      "\xff",   "a{9999999999}", "(a{1000}){5000}", "\\",  "[\\d-z]"};
    rein_automaton *a;
    for (size_t i = 0; i < REIN_COUNT(bad); i++)
        if (open_pattern(&a, bad[i], strlen(bad[i]), REIN_PATTERN_WHOLE) != REIN_ERR_ARG) fail_msg("taken: %s", bad[i]);
    FAILS_WITH(REIN_ERR_ARG, open_pattern(&a, "[^\\s\\S]", 8, REIN_PATTERN_WHOLE)); /* no text at all */
    assert_non_null(strstr(rein_error_message(), "no text"));
}

/* ---- JSON Schema ---- */

typedef struct schema_case {
    const char *schema;
    const char *yes[6], *no[6];
} schema_case;

static const schema_case schemas[] = {
    {"{\"type\":\"integer\"}", {"0", "-12", "900"}, {"", "01", "1.0", "+1", "\"1\"", "- 1"}},
    {"{\"type\":\"number\"}", {"0.5", "-1e9", "2E-07", "3"}, {".5", "1.", "1e", "NaN"}},
    {"{\"type\":[\"boolean\",\"null\"]}", {"true", "false", "null"}, {"0", "truefalse", "True"}},
    {"{\"type\":\"string\"}", {"\"\"", "\"a\\n\\u00e9\xc3\xa9\"", "\"\\\"\""}, {"\"a", "\"\\x\"", "\"\n\"", "\"\\ud800\"", "\"\xff\"", "a"}},
    {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}", {"\"ab\"", "\"\xc3\xa9\xc3\xa9\xc3\xa9\"", "\"\\n\\n\""}, {"\"a\"", "\"abcd\"", "\"\xc3\xa9\""}},
    {"{\"type\":\"string\",\"pattern\":\"^[a-c]+$\"}", {"\"abc\""}, {"\"\"", "\"abcd\"", "\"xabc\""}},
    {"{\"pattern\":\"b|^\\\"x\"}", {"\"abc\"", "\"b\"", "\"\\\"xy\""}, {"\"ac\"", "\"a\\\"x\"", "\"\"x\""}},
    {"{\"enum\":[1,\"a\\\"b\",null,[1,2],{\"k\":true}]}", {"1", "\"a\\\"b\"", "null", "[1,2]", "{\"k\":true}"}, {"2", "\"a\"", "[1]"}},
    {"{\"const\":\"x/y\",\"type\":\"string\"}", {"\"x/y\""}, {"\"x\""}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"boolean\"},\"c\":{\"const\":0}},\"required\":[\"b\"]}",
     {"{\"b\":true}", "{\"a\": 1, \"b\":true}", "{\"b\":false,\"c\":0}", "{\"a\":1,\"b\":true,\"c\":0}"},
     {"{}", "{\"a\":1}", "{\"b\":true,}", "{,\"b\":true}", "{\"b\":true,\"d\":1}", "{\"b\":true,\"b\":true}"}},
    {"{\"properties\":{\"ab\":{\"const\":1},\"ac\":{\"const\":2}},\"additionalProperties\":{\"type\":\"null\"}}",
     {"{}", "{\"ab\":1,\"ac\":2,\"x\":null}", "{\"a\":null,\"abc\":null,\"\":null}", "{\"ad\":null}"},
     {"{\"ab\":null}", "{\"x\":1}", "{\"ac\":1}", "{\"a\\u0062\":null}", "{\"ab\":1,\"ab\":null}"}},
    {"{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}", {"{}"}, {"{\"a\":1}"}},
    {"{\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":3}", {"[1]", "[1, 2,3]"}, {"[]", "[1,2,3,4]", "[1,]", "[\"1\"]"}},
    {"{\"type\":\"array\",\"items\":{\"const\":0}}", {"[]", "[0,0,0,0]"}, {"[0 0]", "[,0]"}},
    {"{\"type\":\"array\",\"maxItems\":0}", {"[]"}, {"[1]"}},
    {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"maxLength\":1}]}", {"1", "\"a\""}, {"\"ab\"", "1.5"}},
    {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}", {"1", "null"}, {"nul"}},
    {"{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{\"const\":7}}}", {"7"}, {"8"}},
    {"{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},\"next\":{\"$ref\":\"#\"}},\"required\":[\"v\"]}",
     {"{\"v\":1}", "{\"v\":1,\"next\":{\"v\":2,\"next\":{\"v\":3}}}"}, {"{\"next\":{\"v\":1}}", "{\"v\":1,\"next\":{}}"}},
    {"{}", {"1", "\"s\"", "{\"a\":[1,{\"b\":null}]}", "[]", "{}", "[[[[1]]]]"}, {"", "{1:2}", "[[[[[1]]]]]"}},
    {"true", {"[true, {\"x\": \"y\"}]"}, {"tru"}},
};

static void schemas_allow_what_validates(void **state) {
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(schemas); i++) {
        rein_automaton *a;
        OK(open_schema(&a, schemas[i].schema));
        for (size_t k = 0; k < 6 && schemas[i].yes[k]; k++)
            if (!matches(a, schemas[i].yes[k], strlen(schemas[i].yes[k]))) fail_msg("%s refuses %s", schemas[i].schema, schemas[i].yes[k]);
        for (size_t k = 0; k < 6 && schemas[i].no[k]; k++)
            if (matches(a, schemas[i].no[k], strlen(schemas[i].no[k]))) fail_msg("%s takes %s", schemas[i].schema, schemas[i].no[k]);
        rein_automaton_destroy(a);
    }
}

static void bad_schemas_are_named(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"{\"type\":\"strin\"}", "strin"},
        {"{\"type\":\"integer\",\"minimum\":3}", "minimum"},
        {"{\"properties\":{\"a\":{\"format\":\"date\"}}}", "/properties/a"},
        {"{\"properties\":{\"a\":{}},\"required\":[\"b\"]}", "'b'"},
        {"{\"$ref\":\"#/$defs/x\"}", "#/$defs/x"},
        {"{\"$ref\":\"http://x\"}", "http://x"},
        {"{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"integer\"}]}", "'1'"},
        {"{\"enum\":[1,\"a\"],\"type\":\"integer\"}", "type"},
        {"{\"anyOf\":[{}],\"type\":\"object\"}", "'type'"},
        {"{\"minItems\":3,\"maxItems\":2}", "maxItems"},
        {"{\"type\":\"string\",\"pattern\":\"(\"}", "offset 0"},
        {"{\"type\":\"string\",\"minLength\":-1}", "minLength"},
        {"[]", "not a schema"},
        {"{\"items\":3}", "/items"}};
    for (size_t i = 0; i < REIN_COUNT(bad); i++) {
        rein_automaton *a;
        if (open_schema(&a, bad[i][0]) == REIN_OK) fail_msg("taken: %s", bad[i][0]);
        if (!strstr(rein_error_message(), bad[i][1])) fail_msg("%s: %s", bad[i][0], rein_error_message());
    }
    rein_automaton *a;
    FAILS_WITH(REIN_ERR_ARG, open_schema(&a, "{\"type\":\"string\",\"minLength\":1000000}")); /* too large */
    FAILS_WITH(REIN_ERR_ARG, open_schema(&a, "{\"items\":{\"$ref\":\"#\"},\"minItems\":1}")); /* never ends */
}

/* ---- masks ---- */

static rein_tokenizer *vocabulary(void) {
    rein_tokenizer *tok;
    static const char *const special[] = {"<pad>", "<end>"},
                      *const texts[] = {"{\"name\": \"abc\", \"age\": 12, \"ok\": true, \"list\": [1, 2, 3], \"x\": null}",
                                        "{\"name\": \"b\xc3\xa9\xe2\x82\xac\", \"age\": 345}, {\"name\": \"aabb\"}, abc abc 12 12"};
    size_t lens[] = {strlen(texts[0]), strlen(texts[1])};
    rein_bpe_options o = {.vocab_size = 320, .special = special, .n_special = 2, .full_byte_alphabet = true};
    OK(rein_tokenizer_train(&tok, &o, texts, lens, 2));
    return tok;
}

/* In every state of random walks: the mask is what stepping each token by itself gives; what is finished matches. */
static void walk(rein_grammar *g, rein_automaton *a, const rein_tokenizer *tok, uint32_t salt) {
    int64_t V = rein_tokenizer_vocab_size(tok);
    for (uint32_t round = 0; round < 40; round++) {
        int32_t state = 0, plain = 0;
        rein_str text = {0};
        for (uint32_t t = 0; t < 200; t++) {
            rein_kept may;
            OK(rein_grammar_allowed(g, state, &may));
            int64_t at = 0;
            for (int32_t id = 0; id < V; id++) {
                const char *bytes;
                size_t len;
                OK(rein_tokenizer_token_bytes(tok, id, &bytes, &len));
                int32_t next = plain;
                for (size_t i = 0; i < len; i++) OK(rein_automaton_step(a, &next, (uint8_t)bytes[i]));
                bool want = id == 1 ? rein_automaton_accepts(a, plain) : id != 0 && next != REIN_DEAD;
                bool got = at < may.n && may.ids[at] == id;
                if (want != got) fail_msg("token %d after '%s': %d", (int)id, text.data ? text.data : "", got);
                at += got;
            }
            assert_int_equal(at, may.n);
            int32_t id = may.ids[rein_random_below((uint64_t)may.n, salt, REIN_STREAM_DATA, round, t, 0, 0)];
            OK(rein_grammar_advance(g, &state, id));
            if (id == 1) {
                assert_true(matches(a, text.data ? text.data : "", text.len));
                break;
            }
            size_t before = text.len;
            OK(rein_tokenizer_decode(tok, &id, 1, false, &text));
            for (size_t i = before; i < text.len; i++) OK(rein_automaton_step(a, &plain, (uint8_t)text.data[i]));
        }
        rein_str_deinit(&text);
    }
}

static void masks_are_what_each_token_does(void **state) {
    (void)state;
    static const char *const regex[] = {"[a-c]{1,12}", "(abc|12)*", "\xc3\xa9+|\xe2\x82\xac.{0,3}"};
    rein_tokenizer *tok = vocabulary();
    int32_t end = 1;
    rein_vocabulary v = {.tokenizer = tok, .V = rein_tokenizer_vocab_size(tok), .end = &end, .n_end = 1};
    rein_grammar *g;
    rein_automaton *a;
    for (uint32_t i = 0; i < REIN_COUNT(regex); i++) {
        OK(rein_grammar_open_regex(&g, regex[i], strlen(regex[i]), &v));
        OK(open_pattern(&a, regex[i], strlen(regex[i]), REIN_PATTERN_WHOLE));
        walk(g, a, tok, i);
        rein_grammar_close(g);
        rein_automaton_destroy(a);
    }
    for (uint32_t i = 9; i < 12; i++) {
        struct json_object *schema;
        OK(rein_json_parse(&schema, "schema", schemas[i].schema, strlen(schemas[i].schema)));
        OK(rein_grammar_open_schema(&g, schema, &v));
        OK(open_schema(&a, schemas[i].schema));
        walk(g, a, tok, i);
        rein_grammar_close(g);
        rein_automaton_destroy(a);
        json_object_put(schema);
    }
    v.n_end = 0;
    FAILS_WITH(REIN_ERR_ARG, rein_grammar_open_regex(&g, "a", 1, &v));
    rein_tokenizer_destroy(tok);
}

/* A vocabulary without the bytes that a constraint needs. */
static void a_state_without_tokens_is_an_error(void **state) {
    (void)state;
    rein_tokenizer *tok;
    const char *text = "abab", *special = "<end>";
    size_t len = 4;
    int32_t end = 0;
    rein_kept may;
    rein_grammar *g;
    rein_bpe_options o = {.vocab_size = 4, .special = &special, .n_special = 1};
    OK(rein_tokenizer_train(&tok, &o, &text, &len, 1));
    rein_vocabulary v = {.tokenizer = tok, .V = rein_tokenizer_vocab_size(tok), .end = &end, .n_end = 1};
    OK(rein_grammar_open_regex(&g, "ax", 2, &v));
    int32_t at = 0, a = rein_tokenizer_id(tok, "a", 1);
    OK(rein_grammar_allowed(g, at, &may));
    assert_int_equal(may.n, 1);
    assert_int_equal(may.ids[0], a);
    OK(rein_grammar_advance(g, &at, a));
    FAILS_WITH(REIN_ERR_ARG, rein_grammar_allowed(g, at, &may));
    assert_non_null(strstr(rein_error_message(), "no token"));
    rein_grammar_close(g);
    rein_tokenizer_destroy(tok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_equal_pcre2),         cmocka_unit_test(classes_are_characters),
        cmocka_unit_test(bad_patterns_are_named),       cmocka_unit_test(schemas_allow_what_validates),
        cmocka_unit_test(bad_schemas_are_named),        cmocka_unit_test(masks_are_what_each_token_does),
        cmocka_unit_test(a_state_without_tokens_is_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
