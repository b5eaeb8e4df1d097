/* Templates against transformers' own Jinja environment: golden/template/jinja; errors, limits, damaged templates. */
#include "allocations.h"
#include "base_check.h"

#include "base/json.h"
#include "text/jinja.h"

#define GOLDEN "golden/template/jinja"
enum { MORE = 161 };

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
    bool same = status == REIN_OK
                    ? wanted && out.len == wanted_len && (!out.len || memcmp(out.data, wanted, out.len) == 0)
                    : !wanted && status == REIN_ERR_FORMAT;
    if (!same) {
        print_message("%s\n  is     %s\n  wanted %s\n", text,
                      status == REIN_OK ? (out.data ? out.data : "") : rein_error_message(),
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
    assert_int_equal(g.n, 142);
    assert_ok(rein_jsonl_each(GOLDEN "/more.jsonl", check_case, &g)); /* made by the same environment */
    json_object_put(g.context);
    assert_int_equal(g.n, 142 + MORE);
    assert_int_equal(g.differ, 0);
}

/* ---- errors ---- */

static struct json_object *json(const char *text) {
    struct json_object *value;
    assert_ok(rein_json_parse(&value, "test", text, strlen(text)));
    return value;
}

static rein_status render_text(rein_str *out, const char *text) {
    struct json_object *context = json("{\"a\":{\"b\":1},\"l\":[1,2,3],\"big\":18446744073709551615}");
    if (!strstr(text, "big")) json_object_object_del(context, "big");
    rein_status status = render(out, text, strlen(text), context);
    json_object_put(context);
    return status;
}

static void test_errors(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"x\n{{ a.b }}\n\n {{ 1 +\n nope.c }}", "t:5: 'nope' is undefined, in 'nope.c'"},
        {"{% if a.b == 1 %}\n{{ a.b | nofilter }}{% endif %}", "t:2: no filter named 'nofilter', in 'a.b | nofilter'"},
        {"{% macro m(x) %}\n{{ x.y.z }}{% endmacro %}\n\n{{ m(a) }}",
         "t:2: 'dict object' has no attribute 'y', in 'x.y.z'"},
        {"{{ raise_exception('no ' ~ 1) }}", "t:1: the template says: no 1, in 'raise_exception('no ' ~ 1)'"},
        {"{% set a.x = 1 %}", "cannot assign attribute on non-namespace object 'a'"},
        {"{{ l | map('string') }}", "t:1: a generator has no text; write '| list' behind it"},
        {"{{ l.append }}{{ l.append(1) }}", "'list object' has no attribute 'append', in 'l.append(1)'"},
        {"{{ big }}", "t: an integer of the input needs more than 64 bits"},
        {"{{ 9223372036854775807 + 1 }}", "an integer needs more than 64 bits"},
        {"{{ 2 ** 64 }}", "an integer needs more than 64 bits"},
        {"{{ 9223372036854775808 }}", "t:1: the number 9223372036854775808... needs more than 64 bits"},
        {"\n{% for x in l %}", "t:2: 'for' has no end: 'endfor|else' is missing"},
        {"\n\n{{ a", "t:3: unexpected end of the template, expected '}}'"},
        {"{% endfor %}", "t:1: unknown tag 'endfor'"},
        {"{{ a ! b }}", "t:1: unexpected character '!'"},
        {"{{ (a] }}", "t:1: unexpected ']', expected ')'"},
        {"{{ 'a\n\n }}", "t:1: a string has no end"},
        {"a\n{# b", "t:2: a comment has no end"},
        {"{% raw %}", "t:1: a raw block has no end"},
        {"{{ '\\ud800' }}", "t:1: the escape '\\ud800' cannot be read"},
        {"\xff", "t: not UTF-8 at byte 0"},
        {"{% continue %}", "t:1: 'continue' is outside of a loop"},
    };
    rein_str out = {0};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        assert_fails_with(REIN_ERR_FORMAT, cases[i].message, render_text(&out, cases[i].text));
        assert_int_equal(out.len, 0); /* nothing is left of what was rendered before */
    }
    rein_str_deinit(&out);
}

/* ---- limits ---- */

static void assert_refused(const char *text, size_t len, const char *message) {
    struct json_object *context = json("{\"l\":[1,2,3]}");
    rein_str out = {0};
    assert_fails_with(REIN_ERR_FORMAT, message, render(&out, text, len, context));
    rein_str_deinit(&out);
    json_object_put(context);
}

/* `begin` n times, a middle, `end` n times */
static void assert_deep(const char *begin, const char *middle, const char *end, int n, const char *message) {
    rein_str text = {0};
    for (int i = 0; i < n; i++) rein_str_puts(&text, begin);
    rein_str_puts(&text, middle);
    for (int i = 0; i < n; i++) rein_str_puts(&text, end);
    assert_refused(text.data, text.len, message);
    rein_str_deinit(&text);
}

static void test_depth(void **state) {
    (void)state;
    assert_deep("{% if true %}", "x", "{% endif %}", 100000, "nested deeper than 200 levels");
    assert_deep("{{ ", "", "(", 100000, "nested deeper than 200 levels");
    rein_str text = {0};
    rein_str_puts(&text, "{{ ");
    for (int i = 0; i < 100000; i++) rein_str_puts(&text, "-");
    rein_str_puts(&text, "1 }}");
    assert_refused(text.data, text.len, "nested deeper than 200 levels");
    rein_str_clear(&text);
    rein_str_puts(&text, "{{ 0");
    for (int i = 0; i < 100000; i++) rein_str_puts(&text, " + 1");
    rein_str_puts(&text, " }}");
    assert_refused(text.data, text.len, "go deeper than 400 levels");
    rein_str_deinit(&text);
#define REFUSED(text, message) assert_refused(text, sizeof text - 1, message)
    REFUSED("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "go deeper than 400 levels");
    REFUSED("{% for x in l recursive %}{{ loop(l) }}{% endfor %}", "go deeper than 400 levels");
    REFUSED("{% set n = namespace(x=1) %}{% for i in range(1000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
            "nested deeper than 200 levels");
    REFUSED("{% set n = namespace(x=1) %}{% for i in range(1000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x == [n.x] }}"
            "{{ n.x | tojson }}",
            "nested deeper than 200 levels");
}

static void test_size(void **state) {
    (void)state;
    REFUSED("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "bytes of values");
    REFUSED("{% set x = 'a' * 1000000 %}{% for a in range(100000) %}{% if x.count('a') == 0 %}{% endif %}{% endfor %}",
            "for more than 33554432 steps");
    REFUSED("{{ 'x' * 1000000000 }}", "makes more than 134217728 bytes");
    REFUSED("{{ 'x' * 9223372036854775807 }}", "makes more than 134217728 bytes");
    REFUSED("{{ [0] * 1000000000 }}", "makes more than 134217728 bytes");
    REFUSED("{% set n = namespace(s='xx') %}{% for i in range(100) %}{% set n.s = n.s + n.s %}{% endfor %}",
            "bytes of values");
    REFUSED("{{ ('a' * 60000).replace('', 'b' * 60000) }}", "bytes of values");
    REFUSED("{{ 'x'.center(2000000000) }}", "the template");
    REFUSED("{{ '%2000000d' % 1 }}", "a format asks for more than");
    REFUSED("{{ range(1000000) }}", "range too big");
    REFUSED("{% for i in range(100000) %}{{ ('a' * 1000000) ~ 'b' }}{% endfor %}", "the template");
}

/* ---- generation blocks ---- */

static void test_generation(void **state) {
    static const char text[] =
        "\xc3\xa9{% for x in l %}{{ x }}{% generation %}<{{ x }}>{% endgeneration %}{% endfor %}";
    static const char hidden[] = "{% macro m() %}{% generation %}x{% endgeneration %}{% endmacro %}{{ m() }}";
    struct json_object *context = json("{\"l\":[1,22]}");
    rein_ranges ranges = {0};
    rein_str out = {0};
    rein_jinja *t;
    (void)state;
    assert_ok(rein_jinja_parse(&t, "t", text, sizeof text - 1));
    rein_str_puts(&out, "before ");
    assert_ok(rein_jinja_render(&out, &ranges, t, context));
    assert_string_equal(out.data, "before \xc3\xa9"
                                  "1<1>22<22>");
    assert_int_equal(ranges.n, 2);
    assert_int_equal(ranges.data[0].begin, 10);
    assert_int_equal(ranges.data[0].end, 13);
    assert_int_equal(ranges.data[1].begin, 15);
    assert_int_equal(ranges.data[1].end, 19);
    rein_jinja_destroy(t);
    assert_ok(rein_jinja_parse(&t, "t", hidden, sizeof hidden - 1));
    assert_fails_with(REIN_ERR_FORMAT, "has no place in the text", rein_jinja_render(&out, &ranges, t, context));
    assert_int_equal(ranges.n, 2);
    assert_ok(rein_jinja_render(&out, NULL, t, context));
    rein_jinja_destroy(t);
    rein_ranges_deinit(&ranges);
    rein_str_deinit(&out);
    json_object_put(context);
}

/* ---- damage ---- */

static const char sample[] =
    "{%- macro m(x, y='d') -%}{{ x ~ y | upper }}{{ caller() if caller }}{%- endmacro -%}{# c #}{% raw %}{{{% endraw %}"
    "{% for k, v in a.items() if (v is not none) recursive %}{{ loop.index }}{{ k.split(',')[-1][::2] }}{% else %}{% "
    "endfor %}"
    "{% set n = namespace(z=[1, {'q': (2,)}]) %}{% set n.z = n.z + [0x1f, 1e3, -2 ** 2 // 3] %}{{ n.z | "
    "tojson(indent=2) }}"
    "{% call(p) m(1, *[2]) %}{{ p is defined }}{% endcall %}{% with w = 'a\\u00e9' %}{{ w[1:].title() }}{% endwith %}"
    "{% set b %}{{ '%5.2f' % 2.5 }}{% endset %}{% filter trim %} {{ b }} {% endfilter %}{% generation %}g{% "
    "endgeneration %}"
    "{{ l | map('string') | join('-') }}{{ l | sort(reverse=true) | batch(2) | list }}{{ 'é'.upper() }}";

static rein_status render_sample(const char *text, size_t len) {
    struct json_object *context = json("{\"a\":{\"x,y\":1,\"z\":null},\"l\":[3,1,2]}");
    rein_str out = {0};
    rein_status status = render(&out, text, len, context);
    rein_str_deinit(&out);
    json_object_put(context);
    return status;
}

/* Each cut and each changed byte: an error or a text, never a crash. */
static void test_damaged(void **state) {
    char text[sizeof sample];
    (void)state;
    assert_ok(render_sample(sample, sizeof sample - 1));
    for (size_t n = 0; n < sizeof sample - 1; n++) (void)render_sample(sample, n);
    for (size_t i = 0; i < sizeof sample - 1; i++)
        for (int bit = 0; bit < 7; bit++) {
            memcpy(text, sample, sizeof text);
            text[i] = (char)(text[i] ^ 1 << bit);
            rein_status status = render_sample(text, sizeof sample - 1);
            assert_true(status == REIN_OK || status == REIN_ERR_FORMAT);
        }
}

static rein_status render_once(void *context) {
    rein_str out = {0};
    rein_status status = render(&out, sample, sizeof sample - 1, context);
    rein_str_deinit(&out);
    return status;
}

static void test_allocation_failures(void **state) {
    struct json_object *context = json("{\"a\":{\"x,y\":1,\"z\":null},\"l\":[3,1,2]}");
    (void)state;
    refuse_each_allocation(render_once, context, 10);
    json_object_put(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_generation),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
