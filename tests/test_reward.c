/*
 * Reward functions: TRL's values (golden/reward/cases.jsonl, made by TRL's own functions and math_verify), matches, lists
 * of functions with weights, and what is refused.
 */
#include "golden_json.h"

#include <stdio.h>

#include "reward/reward.h"
#include "testing.h"
#include "text/tokenizer.h"

/* The call fails with this code, and the message has this text. */
#define FAILS(expr, code, text)                                                                                        \
    do {                                                                                                               \
        FAILS_WITH(code, expr);                                                                                        \
        if (!strstr(rein_error_message(), text)) fail_msg("'%s' in: %s", text, rein_error_message());                  \
    } while (0)

static rein_rewards *open_list(const char *funcs, const char *weights) {
    rein_rewards *r;
    rein_status status = rein_rewards_open(&r, funcs, weights, 5);
    if (status != REIN_OK) fail_msg("%s: %s", funcs, rein_error_message());
    return r;
}

/* Score of one answer by one function on a row given as JSON. */
static rein_status score(double *out, const char *func, const char *row, const char *text) {
    struct json_object *json;
    rein_rewards *r = open_list(func, NULL);
    OK(rein_json_parse(&json, "row", row, strlen(row)));
    rein_reward_answer a = {.row = json, .text = text, .len = strlen(text)};
    rein_status status = rein_rewards_score(out, r, &a, 1);
    json_object_put(json);
    rein_rewards_close(r);
    return status;
}

static double value(const char *func, const char *row, const char *text) {
    double x;
    rein_status status = score(&x, func, row, text);
    if (status != REIN_OK) fail_msg("%s: %s", func, rein_error_message());
    return x;
}

/* ---- TRL ---- */

typedef struct golden_case {
    const char *func, *text;
    size_t len;
    struct json_object *row;
    rein_ids ids;
    double reward; /* NaN: none */
} golden_case;

static void read_case(golden_case *c, struct json_object *json) {
    struct json_object *x;
    *c = (golden_case){.reward = (double)NAN};
    OK(rein_json_string(&c->func, NULL, json, "func"));
    OK(rein_json_string(&c->text, &c->len, json, "text"));
    OK(rein_json_object(&c->row, json, "row"));
    if (rein_json_has(json, "reward")) OK(rein_json_double(&c->reward, json, "reward"));
    if (rein_json_has(json, "ours")) OK(rein_json_double(&c->reward, json, "ours")); /* read more than TRL, see math.h */
    if (!json_object_object_get_ex(json, "ids", &x)) return;
    for (size_t i = 0; i < json_object_array_length(x); i++)
        OK(rein_ids_push(&c->ids, (int32_t)json_object_get_int(json_object_array_get_idx(x, i))));
}

static rein_status check_case(void *user, int64_t line, struct json_object *json) {
    static const int32_t none[1];
    golden_case c;
    double got;
    read_case(&c, json);
    rein_rewards *r = open_list(c.func, NULL);
    rein_reward_answer a = {.row = c.row, .text = c.text, .len = c.len, .ids = c.ids.n ? c.ids.data : none, .n_ids = c.ids.n};
    OK(rein_rewards_score(&got, r, &a, 1));
    if (isnan(c.reward) ? !isnan(got) : !(fabs(got - c.reward) <= 1e-15))
        fail_msg("line %lld, %s of '%s': %.17g, expected %.17g", (long long)line, c.func, c.text, got, c.reward);
    rein_ids_deinit(&c.ids);
    rein_rewards_close(r);
    ++*(int *)user;
    return REIN_OK;
}

static void test_trl(void **state) {
    int n = 0;
    (void)state;
    OK(rein_jsonl_each("golden/reward/cases.jsonl", check_case, &n));
    assert_int_equal(n, 199);
}

/* ---- matches ---- */

static void test_exact(void **state) {
    (void)state;
    assert_true(value("exact_match", "{\"answer\":\" yes\\n\"}", "yes ") == 1);
    assert_true(value("exact_match", "{\"answer\":\"yes\"}", "Yes") == 0);
    assert_true(value("exact_match(column=k)", "{\"k\":17}", "17") == 1);
    assert_true(isnan(value("exact_match", "{\"answer\":null}", "")));
}

static void test_numeric(void **state) {
    static const struct {
        const char *row, *text;
        double reward;
    } cases[] = {{"{\"answer\":42}", "it is 42.", 1},
                 {"{\"answer\":\"42\"}", "42 or 43", 0},
                 {"{\"answer\":\"#### 1,234\"}", "so 1234 in all", 1},
                 {"{\"answer\":1234.5}", "$1,234.50", 1},
                 {"{\"answer\":-3}", "x = -3", 1},
                 {"{\"answer\":3}", "5-3", 1},
                 {"{\"answer\":-3}", "5 -3", 1},
                 {"{\"answer\":2000}", "2e3", 1},
                 {"{\"answer\":0.5}", ".5", 1},
                 {"{\"answer\":7}", "seven", 0},
                 {"{\"answer\":7}", "", 0},
                 {"{\"answer\":4}", "1, 2, 3,4", 1}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++)
        if (value("numeric_match", cases[i].row, cases[i].text) != cases[i].reward)
            fail_msg("%s, '%s'", cases[i].row, cases[i].text);
    assert_true(isnan(value("numeric_match", "{\"answer\":\"seven\"}", "7")));
    assert_true(value("numeric_match(tolerance=0.01)", "{\"answer\":3.14}", "3.1415") == 1);
    assert_true(value("numeric_match", "{\"answer\":3.14}", "3.1415") == 0);
}

static void test_regex(void **state) {
    (void)state;
    assert_true(value("regex_match(pattern=^<a>.*</a>$)", "{}", "<a>x\ny</a>") == 1);
    assert_true(value("regex_match(pattern=^b)", "{}", "ab") == 0);
    assert_true(value("regex_match(pattern=\"answer: (\\d{1,3})\",column=k)", "{\"k\":\"12\"}", "answer: 3, answer: 12") == 1);
    assert_true(value("regex_match(pattern=\"answer: (\\d+)\",column=k)", "{\"k\":\"12\"}", "answer: 12, answer: 3") == 0);
    assert_true(value("regex_match:column=re", "{\"re\":\"^[a-c]+$\"}", "abcabc") == 1);
    assert_true(value("regex_match:column=re", "{\"re\":\"^[a-c]+$\"}", "abcd") == 0);
    assert_true(value("regex_match(pattern=b)", "{}", "\xff\xfe" "b") == 1); /* not UTF-8 */
    double x;
    FAILS(score(&x, "regex_match:column=re", "{\"re\":\"(\"}", "a"), REIN_ERR_USAGE, "missing");
    assert_true(isnan(value("regex_match(pattern=(a+)+$)", "{}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")));
}

static void test_json(void **state) {
    (void)state;
    assert_true(value("json_match(path=a.b[1])", "{\"answer\":2}", "{\"a\":{\"b\":[1,2.0]}}") == 1);
    assert_true(value("json_match(path=a.b[2])", "{\"answer\":2}", "{\"a\":{\"b\":[1,2]}}") == 0);
    assert_true(value("json_match", "{\"answer\":{\"x\":[1]}}", "here: ```json\n{\"x\":[1]}\n``` done") == 1);
    assert_true(value("json_match(path=n,column=c)", "{\"c\":\"5\"}", "{\"n\":5}") == 1);
    assert_true(value("json_match", "{\"answer\":1}", "{\"n\":") == 0);
}

/* ---- lists ---- */

static void test_list(void **state) {
    (void)state;
    rein_rewards *r = open_list("exact_match , len=soft_overlong:max_completion_len=4;soft_punish_cache=2,n=numeric_match(column=answer)",
                                "1,-0.5,2e1");
    assert_int_equal(rein_rewards_count(r), 3);
    assert_string_equal(rein_rewards_name(r, 0), "exact_match");
    assert_string_equal(rein_rewards_name(r, 1), "len");
    assert_string_equal(rein_rewards_name(r, 2), "n");
    assert_true(rein_rewards_weight(r, 1) == -0.5 && rein_rewards_weight(r, 2) == 20);
    assert_int_equal(rein_rewards_judges(r, 1), REIN_JUDGES_OTHER);
    struct json_object *json;
    OK(rein_json_parse(&json, "row", "{\"answer\":7}", 12));
    const int32_t ids[3] = {1, 2, 3};
    rein_reward_answer a[2] = {{json, "7", 1, ids, 3}, {json, "is 7", 4, ids, 2}};
    double got[6];
    OK(rein_rewards_score(got, r, a, 2));
    const double want[6] = {1, -0.5, 1, 0, 0, 1};
    for (int i = 0; i < 6; i++) assert_true(got[i] == want[i]);
    a[1].ids = NULL;
    FAILS(rein_rewards_score(got, r, a, 2), REIN_ERR_ARG, "len counts tokens");
    json_object_put(json);
    rein_rewards_close(r);
}

static void test_refused(void **state) {
    static const struct {
        const char *funcs, *weights, *message;
    } cases[] = {{"acuracy_reward", NULL, "did you mean 'accuracy_reward'"},
                 {"", NULL, "name is missing"},
                 {"exact_match,", NULL, "name is missing"},
                 {"exact_match,exact_match", NULL, "two reward functions are called 'exact_match'"},
                 {"exact_match(colum=a)", NULL, "did you mean \"column\""},
                 {"exact_match(column)", NULL, "is not key=value"},
                 {"exact_match(column=a", NULL, "write NAME"},
                 {"think_format_reward(a=1)", NULL, "no parameters"},
                 {"repetition_penalty(max_penalty=0.5)", NULL, "max_penalty"},
                 {"cosine_scaled", NULL, "max_len"},
                 {"regex_match", NULL, "pattern"},
                 {"regex_match(pattern=[)", NULL, "missing terminating"},
                 {"process:", NULL, "command is missing"},
                 {"exact_match", "1,2", "reward_weights"},
                 {"exact_match,numeric_match", "1", "reward_weights"},
                 {"exact_match", "nan", "reward_weights"}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_rewards *r;
        FAILS(rein_rewards_open(&r, cases[i].funcs, cases[i].weights, 1), REIN_ERR_USAGE, cases[i].message);
    }
    double x;
    FAILS(score(&x, "numeric_match(column=gold)", "{\"answer\":1,\"b\":2}", "1"), REIN_ERR_FORMAT, "it has answer, b");
}

/* Hostile answers: deep nesting, long runs, unclosed brackets. */
static void test_hostile(void **state) {
    enum { N = 20000 };
    static char text[N + 64];
    static const char *const parts[] = {"(", "{", "\\frac{", "\\sqrt[", "-", "^", "\\boxed{", "$", "9", "1,", "[", "x"};
    (void)state;
    for (size_t p = 0; p < REIN_COUNT(parts); p++) {
        size_t at = (size_t)snprintf(text, sizeof text, "\\boxed{1}\\boxed{");
        while (at + 16 < N / 8) at += (size_t)snprintf(text + at, sizeof text - at, "%s", parts[p]);
        snprintf(text + at, sizeof text - at, "}");
        double x = value("accuracy_reward", "{\"solution\":\"5\"}", text);
        assert_true(x == 0 || x == 1);
        assert_true(value("numeric_match", "{\"answer\":\"0.25\"}", text) == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_trl),     cmocka_unit_test(test_exact),
                                       cmocka_unit_test(test_numeric), cmocka_unit_test(test_regex),
                                       cmocka_unit_test(test_json),    cmocka_unit_test(test_list),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
