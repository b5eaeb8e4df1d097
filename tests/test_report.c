/* Figures and the report: what is drawn is what is stored, and the same store gives the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "fake_store.h"
#include "report/axis.h"
#include "report/figures.h"
#include "report/html.h"
#include "report/report.h"
#include "report/trajectory.h"
#include "rl/stats.h"

static char root[] = "/tmp/rein-test-report-XXXXXX";
static char pipeline[512], first_out[512], second_out[512];

#define OK(expr)                                                                                                       \
    do {                                                                                                               \
        if ((expr) != REIN_OK) fail_msg("%s: %s", #expr, rein_error_message());                                        \
    } while (0)

static const char *in_dir(const char *dir, const char *name) {
    static char path[1200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void read_file(rein_str *out, const char *dir, const char *name) { OK(rein_file_read(out, in_dir(dir, name))); }

static void write_report(const char *const *paths, int64_t n, const char *out) {
    const rein_report_options o = {.out_dir = out,
                                   .formats = REIN_IMAGE_SVG | REIN_IMAGE_PNG | REIN_IMAGE_PDF,
                                   .html = true,
                                   .n_trajectory = 2,
                                   .n_completion = 2};
    OK(rein_report_write(paths, n, &o));
}

/* ---- ticks ---- */

static void test_ticks(void **state) {
    (void)state;
    rein_ticks t;
    rein_axis axis = {0};
    rein_ticks_make(&t, &axis, -1, 1, 5);
    assert_int_equal(t.n, 5);
    assert_string_equal(t.text[0], "\xe2\x88\x92"
                                   "1.0");
    assert_string_equal(t.text[2], "0.0");
    assert_true(rein_ticks_place(&t, 0) == 0.5);
    rein_ticks_make(&t, &axis, 1e-5, 3e-5, 5);
    assert_int_equal(t.exponent, -5);
    rein_ticks_make(&t, &axis, 7, 7, 5); /* one value */
    assert_true(t.lo < 7 && t.hi > 7 && t.n > 0);
    rein_ticks_make(&t, &axis, INFINITY, -INFINITY, 5); /* no data */
    assert_true(t.lo < t.hi);
    axis.log = true;
    rein_ticks_make(&t, &axis, 1e-6, 1e6, 5);
    assert_true(t.log && t.n >= 3 && t.n <= 8);
    assert_non_null(strstr(t.text[0], "10\xe2\x81\xbb"));
    assert_true(isnan(rein_ticks_place(&t, 0)) && isnan(rein_ticks_place(&t, -1)));
    rein_ticks_make(&t, &axis, 1, 2, 5); /* too narrow for decades */
    assert_false(t.log);
}

/* ---- the store and the dump ---- */

enum { ROOM = 400 };

/* Values of a series in a dump, in order; of one panel, or of any if panel is 0. */
static int64_t dumped(const char *csv, char panel, const char *series, double x[ROOM], double y[ROOM]) {
    int64_t n = 0;
    for (const char *line = csv; (line = strchr(line, '\n')) && *++line;) {
        char name[128], where;
        long long i;
        int used;
        if (sscanf(line, "%c,%*[a-z],\"%127[^\"]\",%lld,%n", &where, name, &i, &used) != 3) continue;
        if (strcmp(name, series) || (panel && where != panel)) continue;
        assert_true(i == n && n < ROOM);
        char *end;
        x[n] = strtod(line + used, &end);
        y[n++] = strtod(end + 1, NULL);
    }
    return n;
}

static void assert_series(const char *csv, const rein_series *s) {
    double x[ROOM], y[ROOM];
    int64_t n = dumped(csv, 0, s->name, x, y);
    assert_int_equal(n, s->n);
    for (int64_t i = 0; i < n; i++) {
        assert_true(x[i] == (double)s->step[i]);
        assert_true(y[i] == s->value[i]); /* every bit */
    }
}

static void test_dump_is_the_store(void **state) {
    (void)state;
    static const struct {
        const char *run, *csv, *metric;
    } cases[] = {{"grpo", "figures/grpo-training.csv", "reward"},
                 {"grpo", "figures/grpo-training.csv", "kl"},
                 {"grpo", "figures/grpo-components.csv", "rewards/control/mean"},
                 {"sft", "figures/sft-training.csv", "loss"},
                 {"sft", "figures/sft-training.csv", "eval_loss"},
                 {"sft", "figures/sft-training.csv", "learning_rate"}};
    rein_arena arena = {0};
    rein_str csv = {0};
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_rundir *run;
        rein_series s;
        OK(rein_rundir_open(&run, in_dir(pipeline, cases[i].run), false));
        OK(rein_read_series(run, &arena, cases[i].metric, &s));
        assert_true(s.n > 5);
        read_file(&csv, first_out, cases[i].csv);
        assert_series(csv.data, &s);
        rein_rundir_close(run);
    }
    rein_str_deinit(&csv);
    rein_arena_deinit(&arena);
}

static void test_trajectory_dump(void **state) {
    (void)state;
    rein_arena arena = {0};
    rein_str csv = {0};
    rein_rundir *run;
    rein_eval *e;
    rein_trajectory t;
    int64_t n;
    bool has;
    double x[ROOM], y[ROOM];
    OK(rein_rundir_open(&run, in_dir(pipeline, "eval"), false));
    OK(rein_read_evals(run, &arena, &e, &n));
    OK(rein_trajectory_read(&t, &e[0].policies[2].cases[1], &arena, &has));
    assert_true(has && t.n == FAKE_T + 1 && t.n_control == FAKE_T && t.state_bound == 1 && t.has_target);
    read_file(&csv, first_out, "figures/eval-final-0-trajectories.csv");
    assert_int_equal(dumped(csv.data, 'c', "grpo, case 1", x, y), t.n);
    assert_memory_equal(x, t.time, sizeof *x * (size_t)t.n);
    assert_memory_equal(y, t.state[1], sizeof *y * (size_t)t.n);
    assert_int_equal(dumped(csv.data, 'd', "grpo, case 1", x, y), t.n_control);
    assert_memory_equal(y, t.control, sizeof *y * (size_t)t.n_control);
    rein_rundir_close(run);
    rein_str_deinit(&csv);
    rein_arena_deinit(&arena);
}

/* ---- bytes ---- */

static void test_same_store_same_bytes(void **state) {
    (void)state;
    rein_arena arena = {0};
    char **names, first[REIN_SHA256_HEX], second[REIN_SHA256_HEX];
    int64_t n;
    OK(rein_list_dir(&names, &n, &arena, in_dir(first_out, "figures")));
    assert_int_equal(n, 7 * 4);
    for (int64_t i = 0; i < n; i++) {
        char name[300];
        snprintf(name, sizeof name, "figures/%s", names[i]);
        OK(rein_sha256_file(first, in_dir(first_out, name)));
        OK(rein_sha256_file(second, in_dir(second_out, name)));
        assert_string_equal(first, second);
    }
    OK(rein_sha256_file(first, in_dir(first_out, "report.html")));
    OK(rein_sha256_file(second, in_dir(second_out, "report.html")));
    assert_string_equal(first, second);
    rein_arena_deinit(&arena);
}

static void test_images_are_images(void **state) {
    (void)state;
    rein_str s = {0};
    read_file(&s, first_out, "figures/grpo-training.png");
    assert_memory_equal(s.data, "\x89PNG", 4);
    read_file(&s, first_out, "figures/grpo-training.pdf");
    assert_memory_equal(s.data, "%PDF-", 5);
    read_file(&s, first_out, "figures/grpo-training.svg");
    assert_non_null(strstr(s.data, "<svg"));
    assert_null(strstr(s.data, "surface1"));
    rein_str_deinit(&s);
}

static int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void test_page_is_self_contained(void **state) {
    (void)state;
    rein_str s = {0};
    char *ids[4000];
    size_t n = 0;
    read_file(&s, first_out, "report.html");
    assert_null(strstr(s.data, "<script"));
    assert_null(strstr(s.data, "src="));
    assert_null(strstr(s.data, "@import"));
    for (const char *at = s.data; (at = strstr(at, "http")); at++)
        assert_true(strncmp(at, "http://www.w3.org/", 18) == 0); /* namespaces are names, nothing is fetched */
    assert_non_null(strstr(s.data, "&lt;b&gt;&amp;&quot;no&quot;"));
    assert_null(strstr(s.data, "<b>&\"no\""));
    assert_non_null(strstr(s.data, "Imaginary CPU &lt;1&gt;"));
    assert_non_null(strstr(s.data, "all 32 groups have equal rewards"));
    assert_non_null(strstr(s.data, "completions/mean_terminated_length has no value at 1 of 150 steps"));
    for (char *at = s.data; (at = strstr(at, " id=\"")); n++) { /* ids of different figures must not meet */
        assert_true(n < REIN_COUNT(ids));
        ids[n] = at += 5;
        at = strchr(at, '"');
        *at++ = '\0';
    }
    assert_true(n > 100);
    qsort(ids, n, sizeof *ids, compare_texts);
    for (size_t i = 1; i < n; i++) assert_string_not_equal(ids[i - 1], ids[i]);
    rein_str_deinit(&s);
}

/* The row of a metric in the table of halves says what the store's series says. */
static void test_trend_is_the_store(void **state) {
    (void)state;
    rein_str page = {0}, row = {0};
    rein_arena arena = {0};
    rein_rundir *run;
    rein_series s;
    OK(rein_rundir_open(&run, in_dir(pipeline, "grpo"), false));
    OK(rein_read_series(run, &arena, "reward", &s));
    const rein_trend t = rein_stats_trend(s.step, s.value, s.n);
    read_file(&page, first_out, "report.html");
    rein_str_printf(&row,
                    "<tr><td>reward</td><td class=\"n\">150</td><td class=\"n\">%.4g</td><td class=\"n\">%.4g</td>"
                    "<td class=\"n\">%.4g</td><td class=\"n\">%.4g</td><td class=\"n\">%.4g</td><td>",
                    t.first, t.second, t.second - t.first, 100 * (t.second - t.first) / t.first, 100 * t.slope);
    assert_non_null(strstr(page.data, row.data));
    assert_non_null(strstr(page.data, "<td>rises</td><td>if the reward does not rise with it: raise beta</td>"));
    rein_rundir_close(run);
    rein_str_deinit(&page);
    rein_str_deinit(&row);
    rein_arena_deinit(&arena);
}

static void test_other_store_other_page(void **state) {
    (void)state;
    rein_str a = {0}, b = {0};
    char dir[600];
    const char *one[] = {dir};
    snprintf(dir, sizeof dir, "%s/one", root);
    OK(fake_grpo(dir));
    write_report(one, 1, dir); /* one run alone, into its own folder */
    read_file(&a, dir, "report.html");
    rein_rundir *run;
    OK(rein_rundir_open(&run, dir, true));
    const rein_named more = {"reward", 1};
    OK(rein_rundir_log(run, FAKE_GRPO_STEPS + 1, &more, 1));
    rein_rundir_close(run);
    write_report(one, 1, dir);
    read_file(&b, dir, "report.html");
    assert_true(a.len != b.len || memcmp(a.data, b.data, a.len) != 0);
    rein_str_deinit(&a);
    rein_str_deinit(&b);
}

static void test_no_run_is_refused(void **state) {
    (void)state;
    const char *paths[] = {root};
    const rein_report_options o = {.out_dir = root};
    char empty[600];
    snprintf(empty, sizeof empty, "%s/empty", root);
    OK(rein_mkdirs(empty));
    paths[0] = empty;
    assert_int_equal(rein_report_write(paths, 1, &o), REIN_ERR_USAGE);
    assert_non_null(strstr(rein_error_message(), "holds no run"));
}

/* ---- estimates ---- */

static void test_summary_by_hand(void **state) {
    (void)state;
    rein_arena arena = {0};
    const rein_named cost[] = {{"cost", 2}, {"cost", 6}, {"cost", 1}, {"cost", 3}};
    rein_eval_case model[] = {
        {.index = 0, .key = 7, .reward = 1, .success = true, .format_ok = true, .metric = cost, .n_metric = 1},
        {.index = 1, .key = 8, .reward = 4, .format_ok = true, .metric = cost + 1, .n_metric = 1},
        {.index = 2, .key = 9, .reward = -10}};
    rein_eval_case oracle[] = {
        {.index = 0, .key = 8, .reward = 5, .success = true, .format_ok = true, .metric = cost + 3, .n_metric = 1},
        {.index = 1, .key = 7, .reward = 2, .success = true, .format_ok = true, .metric = cost + 2, .n_metric = 1}};
    rein_eval_policy policy[] = {{.name = "m", .role = REIN_ROLE_MODEL, .cases = model, .n = 3},
                                 {.name = "o", .role = REIN_ROLE_ORACLE, .cases = oracle, .n = 2}};
    const rein_eval e = {.name = "e", .about = "", .policies = policy, .n_policy = 2};
    rein_policy_summary *s;
    rein_comparison c;
    OK(rein_summarize(&e, &arena, &s));
    assert_true(fabs(s[0].reward.mean + 5.0 / 3) < 1e-12);
    assert_true(s[0].success.mean == 1.0 / 3 && s[0].format.mean == 2.0 / 3);
    assert_true(s[0].cost_ratio.n == 2 && s[0].cost_ratio.mean == 2.0); /* (2 + 6) / (1 + 3): paired by key */
    assert_true(s[0].n_metric == 1 && s[0].metric[0].value.mean == 4 && s[0].metric[0].value.n == 2);
    assert_true(s[1].cost_ratio.mean == 1 && s[1].cost_ratio.lo == 1 && s[1].cost_ratio.hi == 1);
    OK(rein_compare_policies(&policy[0], &policy[1], &arena, &c));
    assert_true(c.reward.n == 2 && c.reward.mean == -1 && c.reward.lo == -1 && c.reward.hi == -1);
    assert_true(c.cost.mean == 2 && c.cost.lo == 1 && c.cost.hi == 3);
    oracle[0].key = oracle[1].key = 1;
    assert_int_equal(rein_compare_policies(&policy[0], &policy[1], &arena, &c), REIN_ERR_USAGE);
    rein_arena_deinit(&arena);
}

static void assert_html(const char *text, size_t len, const char *want) {
    rein_str s = {0};
    rein_html_text(&s, text, len);
    assert_string_equal(s.data, want);
    rein_str_deinit(&s);
}

static void test_html_text(void **state) {
    (void)state;
    assert_html("a<b>&\"\n", 7, "a&lt;b&gt;&amp;&quot;\n");
    assert_html("\xc3\xa9\xe2\x88\x92\xf0\x9f\x98\x80", 9, "\xc3\xa9\xe2\x88\x92\xf0\x9f\x98\x80");
    assert_html("\xff\xc3", 2, "\xef\xbf\xbd\xef\xbf\xbd"); /* stray, truncated */
    assert_html("\xc0\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd"); /* overlong */
    assert_html("\xe0\x81\x81", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_html("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* surrogate */
    assert_html("x\0\x1b", 3, "x\xef\xbf\xbd\xef\xbf\xbd");
    rein_str s = {0};
    rein_html_estimate(&s, (rein_estimate){131.256, 128.91, 133.44, 9});
    assert_string_equal(s.data, "131.3 <span class=\"ci\">[128.9, 133.4]</span>");
    rein_str_deinit(&s);
}

static void test_bad_details(void **state) {
    (void)state;
    static const char *const bad[] = {"{\"times\":[0],\"states\":[[0,0],[1,1]],\"controls\":[]}",
                                      "{\"times\":[0],\"states\":[[0]],\"controls\":[]}",
                                      "{\"times\":[0],\"states\":[[0,\"x\"]],\"controls\":[]}",
                                      "{\"times\":[0],\"states\":[[0,0]],\"controls\":[1,2]}", "{\"times\":"};
    rein_arena arena = {0};
    rein_trajectory t;
    bool has;
    for (size_t i = 0; i < REIN_COUNT(bad); i++) {
        const rein_eval_case c = {.policy = "p", .details = bad[i], .details_len = strlen(bad[i])};
        assert_int_not_equal(rein_trajectory_read(&t, &c, &arena, &has), REIN_OK);
        assert_false(has);
    }
    const rein_eval_case other = {.policy = "p", .details = "{\"page\":1}", .details_len = 10};
    OK(rein_trajectory_read(&t, &other, &arena, &has));
    assert_false(has);
    rein_arena_deinit(&arena);
}

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(root)) return -1;
    snprintf(pipeline, sizeof pipeline, "%s/pipeline", root);
    snprintf(first_out, sizeof first_out, "%s/first", root);
    snprintf(second_out, sizeof second_out, "%s/second", root);
    OK(fake_pipeline(pipeline));
    const char *paths[] = {pipeline};
    write_report(paths, 1, first_out);
    write_report(paths, 1, second_out);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(root) == REIN_OK ? 0 : -1;
}

/* fontconfig keeps its configuration for the life of the process; LeakSanitizer asks here what to leave out. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig"; }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_dump_is_the_store),
        cmocka_unit_test(test_trajectory_dump),
        cmocka_unit_test(test_same_store_same_bytes),
        cmocka_unit_test(test_images_are_images),
        cmocka_unit_test(test_page_is_self_contained),
        cmocka_unit_test(test_trend_is_the_store),
        cmocka_unit_test(test_other_store_other_page),
        cmocka_unit_test(test_no_run_is_refused),
        cmocka_unit_test(test_summary_by_hand),
        cmocka_unit_test(test_html_text),
        cmocka_unit_test(test_bad_details),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
