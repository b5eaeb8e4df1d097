/* Templates against transformers' own Jinja environment: golden/template/jinja; errors, limits, damaged templates. */
#include "base_check.h"

#include "base/json.h"
#include "text/jinja.h"

#define GOLDEN "golden/template/jinja"

static rein_status render(rein_str *out, const char *text, size_t len, struct json_object *context) {
    rein_jinja *t;
    REIN_TRY(rein_jinja_parse(&t, "t", text, len));
    rein_status status = rein_jinja_render(out, NULL, t, context);
    rein_jinja_destroy(t);
    return status;
}

typedef struct golden {
    struct json_object *context;
    int64_t n, differ;
} golden;

static rein_status check_case(void *user, int64_t line, struct json_object *row) {
    golden *g = user;
    const char *text, *wanted = NULL;
    size_t len, wanted_len = 0;
    rein_str out = {0};
    (void)line;
    REIN_TRY(rein_json_string(&text, &len, row, "template"));
    if (rein_json_has(row, "text")) REIN_TRY(rein_json_string(&wanted, &wanted_len, row, "text"));
    rein_status status = render(&out, text, len, g->context);
    bool same = status == REIN_OK ? wanted && out.len == wanted_len && (!out.len || memcmp(out.data, wanted, out.len) == 0)
                                  : !wanted && status == REIN_ERR_FORMAT;
    if (!same) {
        print_message("%s\n  is     %s\n  wanted %s\n", text, status == REIN_OK ? (out.data ? out.data : "") : rein_error_message(),
                      wanted ? wanted : "(an error)");
        g->differ++;
    }
    g->n++;
    rein_str_deinit(&out);
    return REIN_OK;
}

static void test_golden(void **state) {
    golden g = {0};
    (void)state;
    assert_ok(rein_json_load(&g.context, GOLDEN "/context.json"));
    assert_ok(rein_jsonl_each(GOLDEN "/cases.jsonl", check_case, &g));
    json_object_put(g.context);
    assert_int_equal(g.n, 142);
    assert_int_equal(g.differ, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
