/* The detector of repetition: texts on both sides of each of its limits, and any bytes. */
#include <stdio.h>
#include <string.h>

#include "allocations.h"
#include "base/base.h"
#include "testing.h"
#include "text/repetition.h"

static rein_repetition find(const char *text, size_t len) {
    rein_repetition r;
    OK(rein_repetition_find(&r, text, len));
    return r;
}

/* `distinct` words w0000, w0001 ..., then `phrase` so many times. */
static rein_str make(int distinct, const char *phrase, int times) {
    rein_str s = {0};
    for (int i = 0; i < distinct; i++) rein_str_printf(&s, "w%04d ", i);
    for (int i = 0; i < times; i++) rein_str_printf(&s, "%s ", phrase);
    return s;
}

static void three_words_four_times(void **state) {
    (void)state;
    rein_str four = make(20, "I must call", 4), three = make(20, "I must call", 3), none = make(100, "", 0);
    rein_repetition r = find(four.data, four.len);
    assert_int_equal(r.kind, REIN_REPETITION_PHRASE);
    assert_int_equal(r.times, 4);
    assert_int_equal(r.words, 32);
    assert_int_equal(r.different, 23);
    assert_int_equal(r.end - r.begin, strlen("I must call"));
    assert_memory_equal(four.data + r.begin, "I must call", r.end - r.begin);
    assert_int_equal(find(three.data, three.len).kind, REIN_REPETITION_NONE);
    assert_int_equal(find(three.data, three.len).times, 3);
    r = find(none.data, none.len);
    assert_int_equal(r.kind, REIN_REPETITION_NONE);
    assert_int_equal(r.different, 100);
    rein_str_deinit(&four);
    rein_str_deinit(&three);
    rein_str_deinit(&none);
}

/* Short texts may repeat themselves: fewer than 100 characters, or fewer than 20 words. */
static void short_texts_may(void **state) {
    (void)state;
    rein_str few = make(0, "incomprehensibilities notwithstanding counterrevolutionaries", 6),
             letters = make(0, "a b c", 16), more = make(0, "a b c", 17);
    assert_true(few.len > 100);
    assert_int_equal(find(few.data, few.len).kind, REIN_REPETITION_NONE); /* 18 words */
    assert_int_equal(find(few.data, few.len).times, 6);
    assert_int_equal(find(letters.data, letters.len).kind, REIN_REPETITION_NONE); /* 96 characters */
    assert_int_equal(find(letters.data, letters.len).words, 0);
    assert_int_equal(find(more.data, more.len).kind, REIN_REPETITION_PHRASE);
    rein_str accents = {0}; /* 96 characters of 2 bytes are not 100 */
    for (int i = 0; i < 48; i++) rein_str_puts(&accents, "\xc3\xa9 ");
    assert_int_equal(find(accents.data, accents.len).kind, REIN_REPETITION_NONE);
    rein_str_puts(&accents, "\xc3\xa9 \xc3\xa9 ");
    assert_int_equal(find(accents.data, accents.len).kind, REIN_REPETITION_PHRASE);
    rein_str_deinit(&few);
    rein_str_deinit(&letters);
    rein_str_deinit(&more);
    rein_str_deinit(&accents);
}

/* Few different words in an order in which no three of them come four times: a de Bruijn-like walk over 15 words. */
static rein_str shuffled(int words, int different) {
    rein_str s = {0};
    for (int i = 0, at = 0; i < words; i++) {
        at = (at + 1 + i / different) % different;
        rein_str_printf(&s, "w%02d\n", at);
    }
    return s;
}

static void few_different_words(void **state) {
    (void)state;
    rein_str few = shuffled(54, 16), enough = shuffled(53, 16), short_one = shuffled(50, 14);
    rein_repetition r = find(few.data, few.len);
    assert_true(r.times < 4);
    assert_int_equal(r.different, 16);
    assert_int_equal(r.kind, REIN_REPETITION_WORDS);                                  /* 16 of 54: 29.6 % */
    assert_int_equal(find(enough.data, enough.len).kind, REIN_REPETITION_NONE);       /* 16 of 53: 30.2 % */
    assert_int_equal(find(short_one.data, short_one.len).kind, REIN_REPETITION_NONE); /* 28 %, but 50 words */
    rein_str_deinit(&few);
    rein_str_deinit(&enough);
    rein_str_deinit(&short_one);
}

static void any_bytes(void **state) {
    (void)state;
    char bytes[600];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 37 % 256);
    for (size_t len = 0; len <= sizeof bytes; len++) find(bytes, len);
    memset(bytes, ' ', sizeof bytes);
    assert_int_equal(find(bytes, sizeof bytes).words, 0);
    memset(bytes, 'a', sizeof bytes);
    rein_repetition r = find(bytes, sizeof bytes);
    assert_int_equal(r.words, 1);
    assert_int_equal(r.end, 0);
    assert_int_equal(find(NULL, 0).kind, REIN_REPETITION_NONE);
}

static rein_status use(void *user) {
    rein_repetition r;
    return rein_repetition_find(&r, ((rein_str *)user)->data, ((rein_str *)user)->len);
}

static void refused_memory_is_an_error(void **state) {
    (void)state;
    rein_str text = make(30, "a b c", 4);
    refuse_each_allocation(use, &text, 2);
    rein_str_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(three_words_four_times), cmocka_unit_test(short_texts_may),
                                       cmocka_unit_test(few_different_words), cmocka_unit_test(any_bytes),
                                       cmocka_unit_test(refused_memory_is_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
