/*
 * metrics.jsonl against docs/metrics.md: runs of every command, under options that add metrics, write only names that
 * are on the page and only numbers or null; and every name of the page is written by one of them.
 */
#include "base/json.h"
#include "guess_world.h"
#include "io/jsonl.h"
#include "offline_jobs.h"

enum { MAX_NAMES = 256 };

/* ---- the page ---- */

typedef struct page {
    rein_str text;
    const char *name[MAX_NAMES]; /* not NUL-terminated */
    size_t len[MAX_NAMES];
    bool seen[MAX_NAMES];
    int n;
} page;

/* The names in the first cell of a table's row. */
static void read_row(page *p, const char *row, const char *end) {
    const char *cell_end = memchr(row + 1, '|', (size_t)(end - row - 1));
    for (const char *at = row; cell_end && at < cell_end;) {
        const char *begin = memchr(at, '`', (size_t)(cell_end - at));
        const char *close = begin ? memchr(begin + 1, '`', (size_t)(cell_end - begin - 1)) : NULL;
        if (!close) return;
        assert_true(p->n < MAX_NAMES);
        p->name[p->n] = begin + 1;
        p->len[p->n++] = (size_t)(close - begin - 1);
        at = close + 1;
    }
}

static void read_page(page *p, const char *path) {
    OK(rein_file_read(&p->text, path));
    for (const char *line = p->text.data; *line;) {
        const char *end = strchr(line, '\n');
        if (*line == '|') read_row(p, line, end);
        line = end + 1;
    }
    assert_true(p->n > 50);
}

/* A name with one part NAME, which is any without a slash. */
static bool matches(const char *pattern, size_t len, const char *key) {
    const char *hole = strstr(pattern, "NAME");
    if (!hole || hole >= pattern + len) return strlen(key) == len && strncmp(pattern, key, len) == 0;
    size_t before = (size_t)(hole - pattern), after = len - before - 4, n = strlen(key);
    if (n <= before + after || strncmp(pattern, key, before) != 0) return false;
    return strncmp(hole + 4, key + n - after, after) == 0 && !memchr(key + before, '/', n - before - after);
}

static bool is_documented(page *p, const char *key) {
    bool found = false;
    for (int i = 0; i < p->n; i++)
        if (matches(p->name[i], p->len[i], key)) p->seen[i] = found = true;
    return found;
}

/* ---- a run's lines ---- */

typedef struct lines {
    page *page;
    const char *run;
    int64_t step, n;
} lines;

static void check_value(const lines *l, const char *key, struct json_object *value) {
    bool number = json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int);
    if (value && !(number && isfinite(json_object_get_double(value))))
        fail_msg("%s: %s is %s", l->run, key, json_object_to_json_string(value));
}

static rein_status check_line(void *user, int64_t line, struct json_object *row) {
    lines *l = user;
    int64_t step;
    (void)line;
    OK(rein_json_int(&step, row, "step"));
    assert_true(step > l->step);
    json_object_object_foreach(row, key, value) {
        if (strcmp(key, "step") == 0) continue;
        check_value(l, key, value);
        if (!is_documented(l->page, strncmp(key, "eval_", 5) == 0 ? key + 5 : key))
            fail_msg("%s: the metric '%s' is not in docs/metrics.md", l->run, key);
    }
    l->step = step;
    l->n++;
    return REIN_OK;
}

static void check_run(page *p, const job *j) {
    char path[JOB_PATH];
    lines l = {.page = p, .run = j->name};
    job_path(path, j, "metrics.jsonl");
    OK(rein_jsonl_each(path, check_line, &l));
    assert_true(l.n > 0);
}

/* ---- the runs ---- */

static const rows_job row_runs[] = {
    {.job = {.name = "sft", .extra = {"eval_split_ratio=0.3", "log_params_changed=true"}},
     .kind = "sft",
     .data = "rows.jsonl"},
    {.job = {.name = "dpo"}, .kind = "dpo", .data = "pairs.jsonl"},
    {.job = {.name = "kto", .extra = {"loss_type=kto"}}, .kind = "dpo", .data = "singles.jsonl"},
    {.job = {.name = "reward"}, .kind = "reward", .data = "pairs.jsonl"},
    {.job = {.name = "distill", .extra = {"lmbda=1", "max_new_tokens=4"}}, .kind = "distill", .data = "rows.jsonl"},
    {.job = {.name = "functions",
             .extra = {"reward_funcs=soft_overlong(max_completion_len=8,soft_punish_cache=6)",
                       "max_completion_length=4", "num_generations=2", "eval_strategy=steps", "eval_split_ratio=0.4",
                       "eval_tasks=1"}},
     .kind = "grpo",
     .data = "rows.jsonl"},
};

static const job online_runs[] = {
    {.name = "grpo",
     .extra = {"dynamic_sampling=true", "eval_strategy=steps", "eval_tasks=2", "beta=0.1", "ref_model=init", "kl_cap=9",
               "num_iterations=2", "temperature=linear:1:0.9", "entropy_coef=0.1", "off_policy_mask_threshold=1"}},
    {.name = "schedules",
     .extra = {"curriculum=radius", "epsilon=linear:0.3:0.2", "max_completion_length=steps:0=4,1=5", "beta=0.1",
               "ref_model=init", "kl_ctrl=band", "kl_in_reward=true", "log_params_changed=true"}},
    {.name = "cispo", .extra = {"loss_type=cispo", "epsilon_high=5", "curriculum=mix", "curriculum_tasks=9"}},
    {.name = "vespo", .extra = {"loss_type=vespo", "curriculum=progress", "curriculum_tasks=9"}},
    {.name = "verl",
     .extra = {"loss_type=vanilla", "curriculum=ued", "curriculum_tasks=9", "curriculum_band_visits=1"}},
    {.name = "rloo", .kind = REIN_ONLINE_RLOO},
    {.name = "ppo", .kind = REIN_ONLINE_PPO, .extra = {"critic=separate"}},
};

static void write_data(const workshop *shop) {
    char path[JOB_PATH];
    rein_str pairs = {0}, singles = {0};
    for (int i = 0; i < 8; i++) {
        rein_str_printf(&pairs, "{\"prompt\":\"%s\",\"chosen\":\"%s\",\"rejected\":\"abc\"}\n", row_prompt[i],
                        row_completion[i]);
        rein_str_printf(&singles, "{\"prompt\":\"%s\",\"completion\":\"%s\",\"label\":%s}\n", row_prompt[i],
                        row_completion[i], i % 2 ? "true" : "false");
    }
    snprintf(path, sizeof path, "%s/pairs.jsonl", shop->dir);
    write_text(path, pairs.data);
    snprintf(path, sizeof path, "%s/singles.jsonl", shop->dir);
    write_text(path, singles.data);
    rein_str_deinit(&pairs);
    rein_str_deinit(&singles);
}

static void run_rows(page *p, const workshop *shop, const rows_job *like) {
    char teacher[JOB_PATH + 16];
    rows_job r = *like;
    int n = 0;
    while (r.job.extra[n]) n++;
    r.job.shop = shop;
    r.job.extra[n++] = "max_steps=2";
    snprintf(teacher, sizeof teacher, "teacher_model=%s/model", shop->dir);
    if (strcmp(r.kind, "distill") == 0) r.job.extra[n] = teacher;
    OK(rows_run(&r));
    check_run(p, &r.job);
}

static void run_online(page *p, const workshop *shop, const job *like) {
    job j = *like;
    int n = 0;
    while (j.extra[n]) n++;
    j.shop = shop;
    j.grpo = true;
    j.extra[n] = "max_steps=2";
    OK(job_run(&j));
    check_run(p, &j);
}

static void run_episodes(page *p) {
    workshop shop;
    guess_workshop_make(&shop);
    job_world = &world.env;
    run_online(p, &shop, &(job){.name = "episodes", .extra = {EPISODES, "eval_strategy=steps", "eval_tasks=2"}});
    OK(rein_remove_tree(shop.dir));
}

static void every_metric_is_on_the_page(void **state) {
    static page p;
    workshop shop;
    (void)state;
    read_page(&p, "../docs/metrics.md");
    workshop_make(&shop);
    write_data(&shop);
    for (size_t i = 0; i < REIN_COUNT(row_runs); i++) run_rows(&p, &shop, &row_runs[i]);
    for (size_t i = 0; i < REIN_COUNT(online_runs); i++) run_online(&p, &shop, &online_runs[i]);
    run_episodes(&p);
    for (int i = 0; i < p.n; i++)
        if (!p.seen[i]) fail_msg("docs/metrics.md: no run has written '%.*s'", (int)p.len[i], p.name[i]);
    rein_str_deinit(&p.text);
    OK(rein_remove_tree(shop.dir));
}

static void names_match(void **state) {
    static const struct {
        const char *pattern, *key;
        bool yes;
    } cases[] = {{"rewards/NAME/mean", "rewards/lqr/mean", true},
                 {"rewards/NAME/mean", "rewards//mean", false},
                 {"rewards/NAME/mean", "rewards/a/b/mean", false},
                 {"rewards/NAME/mean", "rewards/lqr/std", false},
                 {"loss", "loss", true},
                 {"loss", "losses", false},
                 {"kl", "k", false},
                 {"rewards/NAME/mean", "rewards/mean", false}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++)
        if (matches(cases[i].pattern, strlen(cases[i].pattern), cases[i].key) != cases[i].yes)
            fail_msg("%s, %s", cases[i].pattern, cases[i].key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_match),
        cmocka_unit_test(every_metric_is_on_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
