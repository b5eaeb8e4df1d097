/* Actions as a model writes them: what is read, what is refused and how, and that constrained decoding admits only the
 * former. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "env/browse/action.h"
#include "gen/automaton.h"
#include "gen/pattern.h"
#include "testing.h"

static void read_into(rein_action *a, const char *text) { OK(rein_action_read(a, text, strlen(text))); }

static void assert_read(const char *text, rein_action_verb verb, int64_t ref, const char *first) {
    rein_action a;
    read_into(&a, text);
    if (a.error[0]) fail_msg("%s: %s", text, a.error);
    assert_int_equal(a.verb, verb);
    assert_int_equal(a.ref, ref);
    assert_int_equal(a.n_text > 0, first != NULL);
    if (first) {
        assert_int_equal(a.texts[0].len, strlen(first));
        if (a.texts[0].len) assert_memory_equal(a.texts[0].data, first, strlen(first));
    }
    rein_action_deinit(&a);
}

static void actions_are_read(void **state) {
    (void)state;
    assert_read("click('3')", REIN_ACTION_CLICK, 3, NULL);
    assert_read("  click( \"12\" )\n", REIN_ACTION_CLICK, 12, NULL);
    assert_read("click(7)", REIN_ACTION_CLICK, 7, NULL);
    assert_read("hover('1')", REIN_ACTION_HOVER, 1, NULL);
    assert_read("fill('2', 'a \\'b\\' \\\\ \\n\"')", REIN_ACTION_FILL, 2, "a 'b' \\ \n\"");
    assert_read("fill('2', \"it's\")", REIN_ACTION_FILL, 2, "it's");
    assert_read("fill('2', '')", REIN_ACTION_FILL, 2, "");
    assert_read("select_option('4', 'blue')", REIN_ACTION_SELECT, 4, "blue");
    assert_read("select_option('4', ['blue', 'red'])", REIN_ACTION_SELECT, 4, "blue");
    assert_read("press('2', 'Control+a')", REIN_ACTION_PRESS, 2, "Control+a");
    assert_read("scroll(0, -200)", REIN_ACTION_SCROLL, 0, NULL);
    assert_read("goto('http://site.test/')", REIN_ACTION_GOTO, 0, "http://site.test/");
    assert_read("go_back()", REIN_ACTION_BACK, 0, NULL);
    assert_read("noop()", REIN_ACTION_NOOP, 0, NULL);
    assert_read("send_msg_to_user('done')", REIN_ACTION_SEND, 0, "done");
}

static void lists_and_numbers_are_read(void **state) {
    (void)state;
    rein_action a;
    read_into(&a, "select_option('4', ['blue', \"red\"])");
    assert_int_equal(a.n_text, 2);
    assert_string_equal(a.texts[1].data, "red");
    rein_action_deinit(&a);
    read_into(&a, "scroll( -5 ,200)");
    assert_int_equal(a.by[0], -5);
    assert_int_equal(a.by[1], 200);
    rein_action_deinit(&a);
}

static void mistakes_are_explained(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "that is no action; write one, as in click('3') or fill('3', 'text')"},
        {"I will click('3')", "that is no action; write one, as in click('3') or fill('3', 'text')"},
        {"Click('3')", "that is no action; write one, as in click('3') or fill('3', 'text')"},
        {"tap('3')", "that is no action; write one, as in click('3') or fill('3', 'text')"},
        {"click", "click is written click('3')"},
        {"click()", "the element's number is missing, as in click('3')"},
        {"click('a3')", "the element's number is missing, as in click('3')"},
        {"click('3a')", "an element is named by its number, as in click('3')"},
        {"click('0')", "elements count from 1"},
        {"click('-1')", "the element's number is missing, as in click('3')"},
        {"click('999999999999999999999')", "a number is larger than 100000"},
        {"click('3'", "click is written click('3')"},
        {"click('3', 'left')", "click is written click('3')"},
        {"click('3')\nclick('4')", "write one action and nothing after it"},
        {"click('3').", "write one action and nothing after it"},
        {"fill('3')", "fill is written fill('3', 'text')"},
        {"fill('3', text)", "a text in quotes is missing"},
        {"fill('3', 'text)", "the text has no closing quote"},
        {"fill('3', 'te\nxt')", "a text ends on its line; a new line is written \\n"},
        {"fill('3', '\\x')", "a backslash in a text is followed by one of n r t \\ ' \""},
        {"fill('3', '\\", "the text has no closing quote"},
        {"select_option('3', ['a', 'b'", "a list of texts ends with ]"},
        {"select_option('3', ['1','2','3','4','5','6','7','8','9'])", "more than 8 texts"},
        {"scroll('0', 200)", "a whole number is missing"},
        {"scroll(0)", "scroll is written scroll(0, 200)"},
        {"noop(1)", "noop is written noop()"},
    };
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_action a;
        read_into(&a, cases[i][0]);
        if (strcmp(a.error, cases[i][1]) != 0) fail_msg("%s: '%s' instead of '%s'", cases[i][0], a.error, cases[i][1]);
        rein_action_deinit(&a);
    }
    char large[5000];
    rein_action a;
    memset(large, ' ', sizeof large);
    OK(rein_action_read(&a, large, sizeof large));
    assert_string_equal(a.error, "an action is at most 4000 bytes long");
    rein_action_deinit(&a);
}

/* Any bytes are read without harm: single changes of good actions, zero bytes among them. */
static void any_bytes_are_read(void **state) {
    (void)state;
    static const char *const good[] = {"click('3')", "fill('2', 'a \\' b')", "select_option('4', ['a', 'b'])",
                                       "scroll(0, 9)"};
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t r[4];
        char text[64];
        rein_random4(r, 1, REIN_STREAM_DATA, i, 0, 0, 0);
        size_t n = strlen(good[i % 4]), at = r[0] % n;
        memcpy(text, good[i % 4], n);
        if (r[1] % 3 == 0)
            text[at] = (char)(r[2] & 255);
        else if (r[1] % 3 == 1)
            n = at;
        else
            memmove(text + at, text + at + 1, --n - at);
        rein_action a;
        OK(rein_action_read(&a, text, n));
        rein_action_deinit(&a);
    }
}

/* ---- constrained decoding ---- */

static rein_automaton *automaton_of(const char *kinds) {
    rein_nfa nfa = {0};
    rein_automaton *a;
    rein_str pattern = {0};
    rein_action_pattern(&pattern, kinds);
    int32_t from = rein_nfa_state(&nfa), to = rein_nfa_state(&nfa);
    OK(rein_pattern_compile(&nfa, from, to, pattern.data, pattern.len, REIN_PATTERN_WHOLE));
    OK(rein_automaton_create(&a, &nfa, from, to));
    rein_str_deinit(&pattern);
    return a;
}

static bool admits(rein_automaton *a, const char *text) {
    int32_t state = 0;
    for (; *text && state != REIN_DEAD; text++) OK(rein_automaton_step(a, &state, (uint8_t)*text));
    return state != REIN_DEAD && rein_automaton_accepts(a, state);
}

static void pattern_names_what_is_there(void **state) {
    (void)state;
    rein_automaton *a = automaton_of("ctsc");
    static const char *const yes[] = {"click('1')",
                                      "click('4')",
                                      "fill('2', 'x')",
                                      "fill('2', 'it\\'s \\\\ \xc3\xbc')",
                                      "noop()",
                                      "select_option('3', 'blue')",
                                      "press('2', 'Enter')"};
    static const char *const no[] = {
        "click('5')",       "fill('1', 'x')",      "fill('2', 'it's')", "select_option('2', 'x')",
        "click('')",        "press('1', 'Enter')", "click('1') ",       "",
        "fill('2', 'a\nb')"};
    for (size_t i = 0; i < REIN_COUNT(yes); i++) {
        rein_action read;
        if (!admits(a, yes[i])) fail_msg("not admitted: %s", yes[i]);
        read_into(&read, yes[i]);
        assert_string_equal(read.error, "");
        rein_action_deinit(&read);
    }
    for (size_t i = 0; i < REIN_COUNT(no); i++)
        if (admits(a, no[i])) fail_msg("admitted: %s", no[i]);
    rein_automaton_destroy(a);
    a = automaton_of("");
    assert_true(admits(a, "noop()"));
    assert_false(admits(a, "click('1')"));
    rein_automaton_destroy(a);
}

/* Texts drawn from the automaton: each is an action without an error. */
static void admitted_texts_are_actions(void **state) {
    (void)state;
    rein_automaton *a = automaton_of("cctsst");
    for (uint32_t i = 0; i < 2000; i++) {
        char text[200];
        size_t n = 0;
        int32_t at = 0;
        while (n < sizeof text - 1 && !(rein_automaton_accepts(a, at) && n > 0)) {
            uint32_t r[4];
            rein_random4(r, 2, REIN_STREAM_DATA, i, (uint32_t)n, 0, 0);
            uint8_t byte = (uint8_t)(r[0] % 4 ? 32 + r[1] % 95 : r[1] % 256);
            for (int k = 0;; k++, byte++) { /* the next byte that leads on */
                int32_t next = at;
                OK(rein_automaton_step(a, &next, byte));
                if (next == REIN_DEAD) continue;
                at = next;
                break;
            }
            text[n++] = (char)byte;
        }
        if (!rein_automaton_accepts(a, at)) continue; /* a long text that has not ended */
        rein_action read;
        OK(rein_action_read(&read, text, n));
        if (read.error[0]) fail_msg("%.*s: %s", (int)n, text, read.error);
        rein_action_deinit(&read);
    }
    rein_automaton_destroy(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_are_read),
        cmocka_unit_test(lists_and_numbers_are_read),
        cmocka_unit_test(mistakes_are_explained),
        cmocka_unit_test(any_bytes_are_read),
        cmocka_unit_test(pattern_names_what_is_there),
        cmocka_unit_test(admitted_texts_are_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
