/* Options: every refusal with its text, precedence of sources, and what is written loads again. */
#include "base_check.h"

#include <math.h>

#include "base/json.h"
#include "base/option.h"
#include "base/yaml.h"

typedef struct values {
    bool bf16;
    int64_t num_generations, seed;
    double learning_rate, beta, cut;
    const char *output_dir, *config, *report_to;
    int lr_scheduler_type;
} values;

#define AT(member) .offset = offsetof(values, member)
static const rein_option rows[] = {
    {.name = "config", .type = REIN_OPT_STRING, AT(config), .metavar = "FILE", .help = "options as YAML"},
    {.name = "bf16", .type = REIN_OPT_BOOL, AT(bf16), .def = "false", .help = "store weights as bfloat16"},
    {.name = "num_generations", .type = REIN_OPT_INT, AT(num_generations), .def = "8", .min = 2, .max = 1024},
    {.name = "seed", .type = REIN_OPT_INT, AT(seed), .def = "42", .help = "of all random numbers"},
    {.name = "learning_rate", .type = REIN_OPT_FLOAT, AT(learning_rate), .def = "1e-6", .max = 10, .help = "step size"},
    {.name = "beta", .type = REIN_OPT_FLOAT, AT(beta), .def = "0.0", .min = 0, .max = INFINITY, .help = "KL weight"},
    {.name = "cut", .type = REIN_OPT_FLOAT, AT(cut), .def = "-.5", .min = -INFINITY, .max = 0, .help = "a cut"},
    {.name = "output_dir", .type = REIN_OPT_STRING, AT(output_dir), .metavar = "DIR", .help = "where it is \"put\""},
    {.name = "report_to", .type = REIN_OPT_STRING, AT(report_to), .def = "none", .help = "who is told"},
    {.name = "lr_scheduler_type",
     .type = REIN_OPT_CHOICE,
     AT(lr_scheduler_type),
     .def = "linear",
     .choices = "linear|cosine|constant_with_warmup",
     .help = "schedule"},
};

enum { MAX_WORDS = 2 };

typedef struct fixture {
    values v;
    rein_options opts;
    const char *words[MAX_WORDS];
    int n_words;
} fixture;

static rein_status parse(fixture *f, int argc, const char *const *argv) {
    assert_ok(rein_options_init(&f->opts, rows, (int64_t)REIN_COUNT(rows), &f->v));
    return rein_options_parse_args(&f->opts, argc, (char **)(uintptr_t)argv, f->words, MAX_WORDS, &f->n_words);
}

#define PARSE(f, ...)                                                                                                  \
    parse((f), (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[]){__VA_ARGS__})

/* The command line must be refused with this message. */
#define REFUSED(message, ...)                                                                                          \
    do {                                                                                                               \
        fixture f_;                                                                                                    \
        assert_fails(REIN_ERR_USAGE, (message), PARSE(&f_, __VA_ARGS__));                                              \
        rein_options_deinit(&f_.opts);                                                                                 \
    } while (0)

static void test_defaults(void **state) {
    (void)state;
    fixture f;
    assert_ok(parse(&f, 0, NULL));
    assert_false(f.v.bf16);
    assert_int_equal(f.v.num_generations, 8);
    assert_true(f.v.learning_rate == 1e-6 && f.v.beta == 0 && f.v.cut == -0.5);
    assert_null(f.v.output_dir);
    assert_string_equal(f.v.report_to, "none");
    assert_int_equal(f.v.lr_scheduler_type, 0);
    for (size_t i = 0; i < REIN_COUNT(rows); i++) assert_false(f.opts.is_set[i]);
    rein_options_deinit(&f.opts);
}

static void test_command_line(void **state) {
    (void)state;
    fixture f;
    assert_ok(PARSE(&f, "model", "--learning_rate", "1e-5", "--cut", "-2", "--bf16", "run", "--seed=-3",
                    "--lr_scheduler_type=cosine", "--output_dir=", "--report_to", "-"));
    assert_true(f.v.learning_rate == 1e-5 && f.v.cut == -2 && f.v.bf16);
    assert_int_equal(f.v.seed, -3);
    assert_int_equal(f.v.lr_scheduler_type, 1);
    assert_string_equal(f.v.output_dir, "");
    assert_string_equal(f.v.report_to, "-");
    assert_int_equal(f.n_words, 2);
    assert_string_equal(f.words[0], "model");
    assert_string_equal(f.words[1], "run");
    assert_true(f.opts.is_set[1] && !f.opts.is_set[2]);
    rein_options_deinit(&f.opts);
    assert_ok(PARSE(&f, "--bf16", "false", "-", "--", "--seed"));
    assert_false(f.v.bf16);
    assert_true(f.opts.is_set[1]);
    assert_int_equal(f.n_words, 2);
    assert_string_equal(f.words[0], "-");
    assert_string_equal(f.words[1], "--seed");
    rein_options_deinit(&f.opts);
    assert_ok(PARSE(&f, "--output_dir=--bf16", "--num_generations", "+1024", "--seed", "-9223372036854775808"));
    assert_string_equal(f.v.output_dir, "--bf16");
    assert_int_equal(f.v.num_generations, 1024);
    assert_true(f.v.seed == INT64_MIN && !f.v.bf16);
    rein_options_deinit(&f.opts);
}

static void test_refused_values(void **state) {
    (void)state;
    REFUSED("learning_rate: -1 is outside 0 .. 10 (command line)", "--learning_rate", "-1");
    REFUSED("num_generations: 1 is outside 2 .. 1024 (command line)", "--num_generations=1");
    REFUSED("beta: -0.1 is below 0 (command line)", "--beta", "-0.1");
    REFUSED("cut: 1e-9 is above 0 (command line)", "--cut", "1e-9");
    REFUSED("num_generations: \"abc\" is not an integer (command line)", "--num_generations", "abc");
    REFUSED("num_generations: \"1e3\" is not an integer (command line)", "--num_generations", "1e3");
    REFUSED("num_generations: \"8 \" is not an integer (command line)", "--num_generations", "8 ");
    REFUSED("num_generations: \"0x10\" is not an integer (command line)", "--num_generations", "0x10");
    REFUSED("num_generations: \"\" is not an integer (command line)", "--num_generations=");
    REFUSED("seed: \"+-1\" is not an integer (command line)", "--seed", "+-1");
    REFUSED("seed: \"9223372036854775808\" does not fit a 64-bit integer (command line)", "--seed",
            "9223372036854775808");
    REFUSED("bf16: \"True\" is not true or false (command line)", "--bf16=True");
    REFUSED("output_dir: \"\xff\" is not valid UTF-8 (command line)", "--output_dir", "\xff");
    static const char *const no_numbers[] = {"nan", "inf", "-inf", "0x1p3", "1e",  "e5",
                                             ".",   "",    " 1",   "1 ",    "1,5", "1d3"};
    for (size_t i = 0; i < REIN_COUNT(no_numbers); i++) {
        char message[80];
        fixture f;
        snprintf(message, sizeof message, "beta: \"%s\" is not a number (command line)", no_numbers[i]);
        assert_fails(REIN_ERR_USAGE, message, PARSE(&f, "--beta", no_numbers[i]));
        rein_options_deinit(&f.opts);
    }
    REFUSED("beta: \"1e999\" does not fit a double (command line)", "--beta", "1e999");
    REFUSED("lr_scheduler_type: \"cosin\" is not one of linear|cosine|constant_with_warmup; did you mean \"cosine\"? "
            "(command line)",
            "--lr_scheduler_type", "cosin");
    REFUSED("lr_scheduler_type: \"\" is not one of linear|cosine|constant_with_warmup (command line)",
            "--lr_scheduler_type=");
    REFUSED("lr_scheduler_type: \"linear|cosine\" is not one of linear|cosine|constant_with_warmup (command line)",
            "--lr_scheduler_type", "linear|cosine");
}

static void test_refused_words(void **state) {
    (void)state;
    REFUSED("unknown option \"learning_rat\", did you mean \"learning_rate\"? (command line)", "--learning_rat", "1");
    REFUSED("unknown option \"learning-rate\", did you mean \"learning_rate\"? (command line)", "--learning-rate=1");
    REFUSED("unknown option \"lr\" (command line)", "--lr", "1");
    REFUSED("unknown option \"\" (command line)", "--=1");
    REFUSED("unknown option \"-x\"; options begin with --", "-x");
    REFUSED("unexpected word \"c\" (command line)", "a", "b", "c");
    REFUSED("seed: given twice (command line)", "--seed", "1", "--seed=1");
    REFUSED("seed: needs a value (command line)", "--seed");
    REFUSED(
        "output_dir: needs a value, found \"--bf16\"; write --output_dir=--bf16 if that is the value (command line)",
        "--output_dir", "--bf16");
    REFUSED("config: given twice (command line)", "--config=/dev/null", "--config=/dev/null");
    fixture f;
    char longest[300];
    memset(longest, '-', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_fails_with(REIN_ERR_USAGE, "unknown option", PARSE(&f, longest));
    rein_options_deinit(&f.opts);
}

static void check_config(void **state, const char *yaml, const char *message) {
    fixture f;
    char option[300], expected[600];
    const char *path = in_folder(state, "run.yaml");
    put_file(path, yaml);
    snprintf(option, sizeof option, "--config=%s", path);
    snprintf(expected, sizeof expected, message, path);
    assert_fails(REIN_ERR_USAGE, expected, PARSE(&f, option));
    rein_options_deinit(&f.opts);
}

static void test_config(void **state) {
    fixture f;
    const char *path = in_folder(state, "run.yaml");
    put_file(path, "learning_rate: 3e-4\nnum_generations: 4\nreport_to: null\noutput_dir: \"a b\"\nbf16: true\n");
    assert_ok(PARSE(&f, "--num_generations", "5", "--config", path, "--bf16=false"));
    assert_true(f.v.learning_rate == 3e-4 && !f.v.bf16);
    assert_int_equal(f.v.num_generations, 5);
    assert_null(f.v.report_to);
    assert_string_equal(f.v.output_dir, "a b");
    assert_string_equal(f.v.config, path);
    assert_true(f.opts.is_set[8]);
    rein_options_deinit(&f.opts);
    put_file(path, "# nothing\n");
    assert_ok(PARSE(&f, "--config", path));
    rein_options_deinit(&f.opts);
    /* a wrong value is an error also where the command line overrides it */
    put_file(path, "num_generations: 1\n");
    assert_fails_with(REIN_ERR_USAGE, "num_generations: 1 is outside 2 .. 1024 (",
                      PARSE(&f, "--num_generations=5", "--config", path));
    rein_options_deinit(&f.opts);
    check_config(state, "beta: 1\nlearning_rates: 1\n",
                 "unknown option \"learning_rates\", did you mean \"learning_rate\"? (%s:2:17)");
    check_config(state, "\nlearning_rate: 20\n", "learning_rate: 20 is outside 0 .. 10 (%s:2:16)");
    check_config(state, "num_generations:\n", "num_generations: needs a value, found null (%s:1:1)");
    check_config(state, "seed: null\n", "seed: needs a value, found null (%s:1:7)");
    check_config(state, "beta: [1]\n", "beta: expected one value, found a sequence (%s:1:7)");
    check_config(state, "beta:\n  a: 1\n", "beta: expected one value, found a mapping (%s:2:3)");
    check_config(state, "- 1\n", "%s:1:1: expected lines of the form \"option: value\"");
    check_config(state, "config: x.yaml\n", "config: a file cannot load another (%s:1:9)");
    check_config(state, "beta: 1\nbeta: 1\n", "%s:2:1: key \"beta\" is written twice");
    REFUSED("cannot open '/nonexistent.yaml': No such file or directory", "--config", "/nonexistent.yaml");
}

static void test_sources(void **state) {
    (void)state;
    fixture f;
    assert_ok(parse(&f, 0, NULL));
    assert_ok(rein_options_set(&f.opts, "seed", "1", 2, "command line"));
    assert_ok(rein_options_set(&f.opts, "seed", "2", 1, "run.yaml:1:1"));
    assert_int_equal(f.v.seed, 1);
    assert_fails(REIN_ERR_USAGE, "seed: given twice (run.yaml:2:1)",
                 rein_options_set(&f.opts, "seed", "2", 1, "run.yaml:2:1"));
    assert_fails(REIN_ERR_USAGE, "unknown option \"sed\", did you mean \"seed\"? (x)",
                 rein_options_set(&f.opts, "sed", "2", 1, "x"));
    rein_options_deinit(&f.opts);
}

static const char written[] = "bf16: true\n"
                              "num_generations: 8\n"
                              "seed: 9223372036854775807\n"
                              "learning_rate: 0.30000000000000004\n"
                              "beta: 0\n"
                              "cut: -0.5\n"
                              "output_dir: \"a: \\\"b\\\" # \\n\\u0001 \xc3\xa9 \x7f\"\n"
                              "report_to: null\n"
                              "lr_scheduler_type: \"constant_with_warmup\"\n";

/* The effective configuration, loaded again, writes the same bytes. */
static void test_written_yaml(void **state) {
    const char *path = in_folder(state, "run.yaml");
    rein_str out = {0};
    put_file(path, written);
    for (int round = 0; round < 2; round++) {
        fixture f;
        assert_ok(PARSE(&f, "--config", path));
        assert_string_equal(f.v.output_dir, "a: \"b\" # \n\x01 \xc3\xa9 \x7f");
        assert_true(f.v.learning_rate == 0.1 + 0.2);
        rein_str_clear(&out);
        rein_options_write_yaml(&f.opts, &out);
        assert_string_equal(out.data, written);
        put_file(path, out.data);
        rein_options_deinit(&f.opts);
    }
    rein_str_deinit(&out);
}

static void test_written_schema(void **state) {
    (void)state;
    fixture f;
    rein_str out = {0};
    struct json_object *doc;
    assert_ok(PARSE(&f, "--output_dir=a\"b"));
    rein_options_write_schema(&f.opts, "rein grpo", &out);
    assert_string_equal(
        out.data,
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"rein grpo\",\"type\":\"object\","
        "\"additionalProperties\":false,\"properties\":{"
        "\"bf16\":{\"type\":\"boolean\",\"default\":false,\"description\":\"store weights as bfloat16\"},"
        "\"num_generations\":{\"type\":\"integer\",\"minimum\":2,\"maximum\":1024,\"default\":8},"
        "\"seed\":{\"type\":\"integer\",\"default\":42,\"description\":\"of all random numbers\"},"
        "\"learning_rate\":{\"type\":\"number\",\"minimum\":0,\"maximum\":10,\"default\":1e-06,\"description\":\"step "
        "size\"},"
        "\"beta\":{\"type\":\"number\",\"minimum\":0,\"default\":0,\"description\":\"KL weight\"},"
        "\"cut\":{\"type\":\"number\",\"maximum\":0,\"default\":-0.5,\"description\":\"a cut\"},"
        "\"output_dir\":{\"type\":[\"string\",\"null\"],\"default\":null,\"description\":\"where it is \\\"put\\\"\"},"
        "\"report_to\":{\"type\":[\"string\",\"null\"],\"default\":\"none\",\"description\":\"who is told\"},"
        "\"lr_scheduler_type\":{\"enum\":[\"linear\",\"cosine\",\"constant_with_warmup\"],\"default\":\"linear\","
        "\"description\":\"schedule\"}}}");
    assert_ok(rein_json_parse(&doc, "schema", out.data, out.len));
    json_object_put(doc);
    rein_options_deinit(&f.opts);
    rein_str_deinit(&out);
}

static void test_help(void **state) {
    (void)state;
    rein_str out = {0};
    const rein_options opts = {.rows = rows, .n_rows = REIN_COUNT(rows)};
    rein_options_write_help(&opts, &out);
    assert_string_equal(out.data, "  --config FILE                     options as YAML (default none)\n"
                                  "  --bf16 [true|false]               store weights as bfloat16 (default false)\n"
                                  "  --num_generations N               (default 8, 2 .. 1024)\n"
                                  "  --seed N                          of all random numbers (default 42)\n"
                                  "  --learning_rate X                 step size (default 1e-6, 0 .. 10)\n"
                                  "  --beta X                          KL weight (default 0.0, at least 0)\n"
                                  "  --cut X                           a cut (default -.5, at most 0)\n"
                                  "  --output_dir DIR                  where it is \"put\" (default none)\n"
                                  "  --report_to TEXT                  who is told (default none)\n"
                                  "  --lr_scheduler_type linear|cosine|constant_with_warmup\n"
                                  "                                    schedule (default linear)\n");
    rein_str_deinit(&out);
}

static void test_nearest_name(void **state) {
    (void)state;
    static const char *const names[] = {"beta", "epsilon", "epsilon_high", "num_generations"};
    const int64_t n = (int64_t)REIN_COUNT(names);
    assert_string_equal(rein_nearest_name("bta", names, n), "beta");
    assert_string_equal(rein_nearest_name("epsilno", names, n), "epsilon");
    assert_string_equal(rein_nearest_name("epsilon_hgih", names, n), "epsilon_high");
    assert_string_equal(rein_nearest_name("num_generation", names, n), "num_generations");
    assert_string_equal(rein_nearest_name("ebta", names, n), "beta"); /* a swap is one edit */
    assert_string_equal(rein_nearest_name("epzilom", names, n), "epsilon");
    assert_null(rein_nearest_name("apzilom", names, n));
    assert_null(rein_nearest_name("gamma", names, n));
    assert_null(rein_nearest_name("", names, n));
    assert_null(rein_nearest_name("beta", names, 0));
}

enum { ONE = 1, TWO = 2 };

static const rein_option_alias aliases[] = {
    {"actor.optim.lr", "learning_rate", NULL, NULL, ONE | TWO},
    {"critic.optim.lr", "learning_rate", NULL, NULL, TWO},
    {"rollout.n", "num_generations", "-1=8|*", NULL, ONE},
    {"algorithm.half", "bf16", "yes=true|no=false", "yes or no", ONE},
    {"total_episodes", NULL, NULL, "count them yourself", ONE},
    {"rollout.seed", "seed", NULL, NULL, ONE},
    {.name = NULL},
};

static rein_status parse_aliased(fixture *f, unsigned use, int argc, const char *const *argv) {
    assert_ok(rein_options_init(&f->opts, rows, (int64_t)REIN_COUNT(rows), &f->v));
    rein_options_accept(&f->opts, aliases, use);
    return rein_options_parse_args(&f->opts, argc, (char **)(uintptr_t)argv, f->words, MAX_WORDS, &f->n_words);
}

#define ALIASED(f, use, ...)                                                                                           \
    parse_aliased((f), (use), (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)),                      \
                  (const char *const[]){__VA_ARGS__})

#define REFUSED_ALIAS(message, use, ...)                                                                               \
    do {                                                                                                               \
        fixture f_;                                                                                                    \
        assert_fails(REIN_ERR_USAGE, (message), ALIASED(&f_, (use), __VA_ARGS__));                                     \
        rein_options_deinit(&f_.opts);                                                                                 \
    } while (0)

static void test_aliases(void **state) {
    fixture f;
    (void)state;
    assert_ok(ALIASED(&f, ONE, "--lr", "0.5", "--rollout.n=-1", "--half", "yes", "--rollout.seed", "3"));
    assert_true(f.v.learning_rate == 0.5 && f.v.num_generations == 8 && f.v.bf16 && f.v.seed == 3);
    rein_options_deinit(&f.opts);
    assert_ok(ALIASED(&f, ONE, "--n", "4", "--actor.optim.lr", "2", "--seed", "5")); /* seed is its own name */
    assert_true(f.v.learning_rate == 2 && f.v.num_generations == 4 && f.v.seed == 5);
    rein_str out = {0};
    rein_options_write_yaml(&f.opts, &out);
    assert_non_null(strstr(out.data, "learning_rate: 2\n"));
    assert_null(strstr(out.data, "lr:"));
    rein_str_deinit(&out);
    rein_options_deinit(&f.opts);
}

static void test_refused_aliases(void **state) {
    (void)state;
    REFUSED_ALIAS("learning_rate: given twice (command line, as actor.optim.lr)", ONE, "--learning_rate", "1", "--lr",
                  "1");
    REFUSED_ALIAS("learning_rate: given twice (command line)", ONE, "--lr", "1", "--learning_rate", "1");
    REFUSED_ALIAS("\"lr\" may be actor.optim.lr or critic.optim.lr: say which (command line)", TWO, "--lr", "1");
    REFUSED_ALIAS("there is no option \"total_episodes\": count them yourself (command line)", ONE, "--total_episodes",
                  "9");
    REFUSED_ALIAS("algorithm.half: there is no \"ye\" here: yes or no (command line)", ONE, "--half", "ye");
    REFUSED_ALIAS("learning_rate: \"x\" is not a number (command line, as actor.optim.lr)", ONE, "--lr", "x");
    REFUSED_ALIAS("unknown option \"total_episodes\" (command line)", TWO, "--total_episodes", "9");
    REFUSED_ALIAS("unknown option \"ptim.lr\" (command line)", ONE, "--ptim.lr", "9");
}

static void test_aliases_in_files(void **state) {
    fixture f;
    const char *path = in_folder(state, "run.yaml");
    put_file(path, "actor.optim.lr: 0.25\nhalf: 'yes'\n");
    assert_ok(ALIASED(&f, ONE, "--config", path, "--half", "no")); /* the command line wins */
    assert_true(f.v.learning_rate == 0.25 && !f.v.bf16);
    rein_options_deinit(&f.opts);
    put_file(path, "lr: 0.25\nlearning_rate: 1\n");
    assert_int_equal(ALIASED(&f, ONE, "--config", path), REIN_ERR_USAGE);
    assert_non_null(strstr(rein_error_message(), "learning_rate: given twice"));
    rein_options_deinit(&f.opts);
    put_file(path, "half: null\n");
    assert_int_equal(ALIASED(&f, ONE, "--config", path), REIN_ERR_USAGE);
    assert_non_null(strstr(rein_error_message(), "algorithm.half: there is no \"null\" here: yes or no"));
    rein_options_deinit(&f.opts);
}

static void test_help_of_aliases(void **state) {
    fixture f;
    rein_str out = {0};
    (void)state;
    assert_ok(parse_aliased(&f, ONE, 0, NULL));
    rein_options_write_help(&f.opts, &out);
    rein_options_deinit(&f.opts);
    assert_string_equal(strstr(out.data, "\nOther"), "\nOther trainers' names, whole or from a dot on:\n"
                                                     "  --actor.optim.lr: learning_rate\n"
                                                     "  --rollout.n: num_generations, -1=8|*\n"
                                                     "  --algorithm.half: bf16, yes=true|no=false; else yes or no\n"
                                                     "  --total_episodes: count them yourself\n"
                                                     "  --rollout.seed: seed\n");
    rein_str_deinit(&out);
}

int main(void) {
#define in_scratch(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_refused_words),
        in_scratch(test_config),
        cmocka_unit_test(test_sources),
        in_scratch(test_written_yaml),
        cmocka_unit_test(test_written_schema),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_nearest_name),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_refused_aliases),
        in_scratch(test_aliases_in_files),
        cmocka_unit_test(test_help_of_aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
