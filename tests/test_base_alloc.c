/*
 * Allocation failures: each operation is run with its 1st, 2nd, ... allocation refused.
 */
#include "allocations.h"
#include "base_check.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/option.h"
#include "base/yaml.h"

typedef struct values {
    int64_t seed;
    double beta;
    const char *text, *config;
} values;

static const rein_option rows[] = {
    {.name = "config", .type = REIN_OPT_STRING, .offset = offsetof(values, config), .help = "a file"},
    {.name = "seed", .type = REIN_OPT_INT, .offset = offsetof(values, seed), .def = "1"},
    {.name = "beta", .type = REIN_OPT_FLOAT, .offset = offsetof(values, beta), .def = "0.5"},
    {.name = "text", .type = REIN_OPT_STRING, .offset = offsetof(values, text), .def = "default"},
};

static rein_status write_all_forms(const rein_options *opts) {
    rein_str out = {0};
    rein_options_write_yaml(opts, &out);
    rein_options_write_schema(opts, "title", &out);
    rein_options_write_help(opts, &out);
    rein_status status = rein_str_check(&out);
    rein_str_deinit(&out);
    return status;
}

static rein_status use_options(void *state) {
    values v;
    rein_options opts;
    const char *words[1];
    char path[256];
    int n_words;
    rein_status status;
    snprintf(path, sizeof path, "%s", in_folder(state, "run.yaml"));
    char config[] = "--config", beta[] = "--beta", one[] = "1", word[] = "word";
    char *argv[] = {config, path, beta, one, word};
    REIN_TRY(rein_options_init(&opts, rows, (int64_t)REIN_COUNT(rows), &v));
    REIN_TRY_OUT(status, rein_options_parse_args(&opts, 5, argv, words, 1, &n_words), out);
    if (v.seed != 7 || v.beta != 1 || strcmp(v.text, "from a file") != 0) status = REIN_ERR_MISMATCH;
    if (status == REIN_OK) status = write_all_forms(&opts);
out:
    rein_options_deinit(&opts);
    return status;
}

static void test_options(void **state) {
    put_file(in_folder(state, "run.yaml"), "seed: 7\ntext: from a file\n");
    refuse_each_allocation(use_options, state, 8);
}

static rein_status use_yaml(void *state) {
    rein_arena arena = {0};
    const rein_yaml_node *root;
    rein_status status = rein_yaml_load(&root, &arena, in_folder(state, "deep.yaml"));
    rein_arena_deinit(&arena);
    return status;
}

static void test_yaml(void **state) {
    put_file(in_folder(state, "deep.yaml"), "a: {b: [1, 2, {c: d}], e: ''}\nf: [[[1]]]\n");
    refuse_each_allocation(use_yaml, state, 10);
}

static rein_status take_row(void *user, int64_t line, struct json_object *row) {
    rein_str *out = user;
    const char *text;
    size_t len;
    (void)line;
    REIN_TRY(rein_json_string(&text, &len, row, "x"));
    rein_json_put_string(out, text, len);
    rein_json_put_f64(out, 0.1);
    rein_json_put_f32(out, 2.0f);
    return rein_str_check(out);
}

static rein_status use_json(void *state) {
    rein_str out = {0};
    struct json_object *doc = NULL;
    rein_status status;
    REIN_TRY_OUT(status, rein_json_load(&doc, in_folder(state, "rows.jsonl")), out);
    REIN_TRY_OUT(status, rein_jsonl_each(in_folder(state, "rows.jsonl"), take_row, &out), out);
out:
    json_object_put(doc);
    rein_str_deinit(&out);
    return status;
}

static void test_json(void **state) {
    put_file(in_folder(state, "rows.jsonl"),
             "{\"x\":\"a string longer than the 64 bytes that a rein_str starts with ...\"}\n");
    refuse_each_allocation(use_json, state, 4);
}

static rein_status use_files(void *state) {
    rein_arena arena = {0};
    rein_str text = {0};
    char hex[REIN_SHA256_HEX], **names;
    int64_t n;
    rein_status status;
    REIN_TRY_OUT(status, rein_mkdirs(in_folder(state, "a/b")), out);
    REIN_TRY_OUT(status, rein_file_write(in_folder(state, "a/file"), "x", 1), out);
    REIN_TRY_OUT(status, rein_file_read(&text, in_folder(state, "a/file")), out);
    REIN_TRY_OUT(status, rein_list_dir(&names, &n, &arena, in_folder(state, "a")), out);
    REIN_TRY_OUT(status, rein_sha256_file(hex, in_folder(state, "a/file")), out);
    if (n != 2 || strcmp(text.data, "x") != 0) status = REIN_ERR_MISMATCH;
out:
    rein_arena_deinit(&arena);
    rein_str_deinit(&text);
    return status;
}

static void test_files(void **state) { refuse_each_allocation(use_files, state, 5); }

int main(void) {
#define in_scratch(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {in_scratch(test_options), in_scratch(test_yaml), in_scratch(test_json),
                                       in_scratch(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
