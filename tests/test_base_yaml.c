/* YAML: what the tree holds, with places, and what is refused. */
#include "base_check.h"

#include "base/random.h"
#include "base/yaml.h"

static const char document[] = "# comment\n"
                               "a: 1\n"
                               "rate: 1e-5\n"
                               "nothing:\n"
                               "tilde: ~\n"
                               "quoted: \"null\"\n"
                               "empty: ''\n"
                               "list: [1, 'two']\n"
                               "stage:\n"
                               "  deep:\n"
                               "    - x\n"
                               "    - {y: 2}\n"
                               "text: |\n"
                               "  one\n"
                               "  two\n"
                               "control: \"\\u0001\xc2\xa0\"\n";

static void check_scalar(const rein_yaml_node *map, const char *key, const char *text, bool null) {
    const rein_yaml_node *node = rein_yaml_get(map, key);
    assert_non_null(node);
    assert_int_equal(node->kind, REIN_YAML_SCALAR);
    assert_string_equal(node->text, text);
    assert_int_equal(node->null, null);
}

static void check_place(const rein_yaml_node *node, int line, int column) {
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
    assert_string_equal(node->file, "f.yaml");
}

static void test_tree(void **state) {
    (void)state;
    rein_arena arena = {0};
    const rein_yaml_node *root;
    assert_ok(rein_yaml_parse(&root, &arena, "f.yaml", document, sizeof document - 1));
    assert_int_equal(root->kind, REIN_YAML_MAPPING);
    assert_int_equal(root->n, 10);
    check_place(root, 2, 1);
    check_scalar(root, "a", "1", false);
    check_scalar(root, "rate", "1e-5", false);
    check_scalar(root, "nothing", "", true);
    check_scalar(root, "tilde", "~", true);
    check_scalar(root, "quoted", "null", false);
    check_scalar(root, "empty", "", false);
    check_scalar(root, "text", "one\ntwo\n", false);
    check_scalar(root, "control", "\x01\xc2\xa0", false);
    check_place(rein_yaml_get(root, "rate"), 3, 7);
    check_place(rein_yaml_get(root, "nothing"), 4, 1); /* nothing there: the place of its key */
    const rein_yaml_node *list = rein_yaml_get(root, "list");
    assert_int_equal(list->kind, REIN_YAML_SEQUENCE);
    assert_int_equal(list->n, 2);
    assert_string_equal(list->child[1].text, "two");
    check_place(&list->child[1], 8, 11);
    const rein_yaml_node *deep = rein_yaml_get(rein_yaml_get(root, "stage"), "deep");
    assert_int_equal(deep->n, 2);
    check_scalar(&deep->child[1], "y", "2", false);
    assert_null(rein_yaml_get(root, "none"));
    assert_null(rein_yaml_get(list, "none"));
    rein_arena_deinit(&arena);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"a: 1\na: 2\n", "f.yaml:2:1: key \"a\" is written twice"},
        {"a: 1\n\"a\": 2\n", "f.yaml:2:1: key \"a\" is written twice"},
        {"a: *x\n", "f.yaml:1:5: an alias (*) is not allowed in a configuration"},
        {"a: &x 1\n", "f.yaml:1:7: an anchor (&) is not allowed in a configuration"},
        {"a: !!str 1\n", "f.yaml:1:10: a tag (!) is not allowed in a configuration"},
        {"a: !!map {}\n", "f.yaml:1:10: a tag (!) is not allowed in a configuration"},
        {"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document (---)"},
        {"a: \"x\\0y\"\n", "f.yaml:1:4: a NUL character in a value"},
        {"? [1]\n: 2\n", "f.yaml:1:3: a key must be a single value"},
        {": 1\n", "f.yaml:1:1: a key is missing"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "f.yaml:1:17: nested deeper than 16 levels"},
        {"a: [1,", "f.yaml:2:1: did not find expected node content"},
        {"a: b: c\n", "f.yaml:1:5: invalid nested block mapping on the same line"},
        {"a: 'x\n", "f.yaml:1:5: single-quoted scalar without closing quote"},
        {"a: 1\nb: \xc3\xa9\xff\n", "f.yaml:2:5: byte 0xff is no text"},
    };
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_arena arena = {0};
        const rein_yaml_node *root;
        assert_fails(REIN_ERR_USAGE, cases[i][1],
                     rein_yaml_parse(&root, &arena, "f.yaml", cases[i][0], strlen(cases[i][0])));
        rein_arena_deinit(&arena);
    }
}

static void test_empty_and_deep(void **state) {
    (void)state;
    static const char *const empty[] = {"", "\n", "# only a comment\n", "---\n", "null\n"};
    rein_arena arena = {0};
    const rein_yaml_node *root;
    for (size_t i = 0; i < REIN_COUNT(empty); i++) {
        assert_ok(rein_yaml_parse(&root, &arena, "f.yaml", empty[i], strlen(empty[i])));
        assert_true(root->kind == REIN_YAML_SCALAR && root->null);
    }
    assert_ok(rein_yaml_parse(&root, &arena, "f.yaml", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", 33));
    assert_fails(REIN_ERR_USAGE, "f.yaml:1:2: byte 0x00 is no text",
                 rein_yaml_parse(&root, &arena, "f.yaml", "a\0: 1", 5));
    rein_arena_deinit(&arena);
}

/* Changed bytes: refused or read, without a fault or a leak. */
static void test_damage(void **state) {
    (void)state;
    static const char bytes[] = "\n\t :-[]{}\"'|>#&*!%@?,~a0\\\0\xc3";
    for (uint32_t i = 0; i < 20000; i++) {
        char copy[sizeof document];
        rein_arena arena = {0};
        const rein_yaml_node *root;
        memcpy(copy, document, sizeof document);
        for (uint32_t j = 0; j <= i % 4; j++)
            copy[rein_random_below(sizeof document - 1, 2, REIN_STREAM_DATA, i, j, 0, 0)] =
                bytes[rein_random_below(sizeof bytes - 1, 2, REIN_STREAM_DATA, i, j, 1, 0)];
        rein_status status = rein_yaml_parse(&root, &arena, "f.yaml", copy, sizeof document - 1);
        assert_true(status == REIN_OK || status == REIN_ERR_USAGE);
        rein_arena_deinit(&arena);
    }
}

static void test_load(void **state) {
    rein_arena arena = {0};
    const rein_yaml_node *root;
    const char *path = in_folder(state, "f.yaml");
    assert_fails_with(REIN_ERR_USAGE, "f.yaml': No such file", rein_yaml_load(&root, &arena, path));
    put_file(path, document);
    assert_ok(rein_yaml_load(&root, &arena, path));
    assert_string_equal(root->file, path);
    check_scalar(root, "a", "1", false);
    char *big = malloc((1 << 20) + 2);
    memset(big, '#', (1 << 20) + 1);
    assert_fails_with(REIN_ERR_USAGE, "more than 1 MiB is no configuration",
                      rein_yaml_parse(&root, &arena, "f.yaml", big, (1 << 20) + 1));
    free(big);
    rein_arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_empty_and_deep),
        cmocka_unit_test(test_damage),
        cmocka_unit_test_setup_teardown(test_load, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
