/*
 * Datasets: rows as training data and as tasks with rewards, their audit, generated arithmetic; and GRPO on rows, where a
 * missing reward is never a zero.
 */
#include "env/dataset/arithmetic.h"
#include "env/dataset/dataset.h"
#include "env/open.h"
#include "io/audit.h"
#include "io/row.h"
#include "rollout/rollout.h"
#include "train/dataset.h"
#include "train/verify.h"
#include "train_jobs.h"

static workshop shop;

static int set_up(void **state) {
    (void)state;
    workshop_make(&shop);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rein_remove_tree(shop.dir) != REIN_OK;
}

#define FAILS(expr, code, text)                                                                                        \
    do {                                                                                                               \
        FAILS_WITH(code, expr);                                                                                        \
        if (!strstr(rein_error_message(), text)) fail_msg("'%s' in: %s", text, rein_error_message());                  \
    } while (0)

/* A file of the workshop with this text. */
static const char *file(char path[JOB_PATH], const char *name, const char *text) {
    snprintf(path, JOB_PATH, "%s/%s", shop.dir, name);
    write_text(path, text);
    return path;
}

/* ---- training rows ---- */

static rein_status load(rein_dataset *d, const char *text, rein_dataset_options o) {
    char path[JOB_PATH];
    rein_tokenizer *tok = workshop_tokenizer();
    if (o.max_length == 0) o.max_length = 64;
    rein_status status = rein_dataset_load(d, file(path, "load.jsonl", text), tok, &o);
    rein_tokenizer_destroy(tok);
    return status;
}

static int64_t length(const rein_dataset *d, int64_t row) { return d->first[row + 1] - d->first[row]; }

static int64_t losses(const rein_dataset *d, int64_t row) {
    int64_t n = 0;
    for (int64_t i = d->first[row]; i < d->first[row + 1]; i++) n += d->loss[i];
    return n;
}

static void rows_take_loss_where_they_should(void **state) {
    static const char rows[] = "{\"text\":\"0.1,-0.2\"}\n\n{\"prompt\":\"say 5 now: \",\"completion\":\"0.4\"}\n";
    rein_tokenizer *tok = workshop_tokenizer();
    rein_ids said = {0}, asked = {0};
    rein_dataset d;
    (void)state;
    OK(rein_tokenizer_encode(tok, "0.4", 3, &said));
    OK(rein_tokenizer_encode(tok, "say 5 now: ", 11, &asked));
    OK(load(&d, rows, (rein_dataset_options){.completion_only = true}));
    assert_int_equal(d.n_row, 2);
    assert_int_equal(losses(&d, 0), length(&d, 0) - 1); /* nothing predicts a row's first token */
    assert_int_equal(length(&d, 1), asked.n + said.n + 1);
    assert_int_equal(losses(&d, 1), said.n + 1);
    assert_int_equal(d.loss[d.first[1] + asked.n - 1], 0);
    assert_int_equal(d.loss[d.first[1] + asked.n], 1);
    assert_memory_equal(d.ids + d.first[1], asked.data, (size_t)asked.n * 4);
    rein_dataset_deinit(&d);
    OK(load(&d, rows, (rein_dataset_options){0}));
    assert_int_equal(losses(&d, 1), length(&d, 1) - 1);
    rein_dataset_deinit(&d);
    rein_ids_deinit(&said);
    rein_ids_deinit(&asked);
    rein_tokenizer_destroy(tok);
}

static void long_rows_are_cut_dropped_or_refused(void **state) {
    static const char rows[] = "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"hgfe\",\"completion\":\"dcba\"}\n";
    rein_dataset d, whole;
    rein_dataset_options o = {.completion_only = true};
    (void)state;
    OK(load(&whole, rows, o));
    const int64_t n = length(&whole, 1);
    const int32_t *ids = whole.ids + whole.first[1];
    o.max_length = n - 1;
    FAILS(load(&d, rows, o), REIN_ERR_FORMAT, "load.jsonl:2: a row of");
    o.truncation = REIN_TRUNCATION_START;
    OK(load(&d, rows, o));
    assert_true(d.n_row == 2 && d.truncated == 1 && length(&d, 1) == n - 1);
    assert_memory_equal(d.ids + d.first[1], ids, (size_t)(n - 1) * 4);
    rein_dataset_deinit(&d);
    o.truncation = REIN_TRUNCATION_END;
    OK(load(&d, rows, o));
    assert_memory_equal(d.ids + d.first[1], ids + 1, (size_t)(n - 1) * 4);
    rein_dataset_deinit(&d);
    o.truncation = REIN_TRUNCATION_DROP;
    OK(load(&d, rows, o));
    assert_true(d.n_row == 1 && d.dropped == 1 && d.truncated == 0);
    rein_dataset_deinit(&d);
    o = (rein_dataset_options){.completion_only = true, .max_length = 3, .truncation = REIN_TRUNCATION_START};
    OK(load(&d, rows, o)); /* the second row's start is all prompt */
    assert_true(d.n_row == 1 && d.truncated == 1 && d.without_loss == 1);
    rein_dataset_deinit(&d);
    rein_dataset_deinit(&whole);
}

static void bad_rows_are_named(void **state) {
    static const struct {
        const char *row, *message;
    } cases[] = {
        {"[1]", "load.jsonl:2: a row must be an object"},
        {"{\"a\":1}", "load.jsonl:2: a row needs a column"},
        {"{\"text\":1}", "'text' is no text"},
        {"{\"prompt\":\"a\"}", "nothing to learn from"},
        {"{\"prompt\":\"a\",\"completion\":[]}", "both be text or both be lists"},
        {"{\"messages\":[]}", "without messages"},
        {"{\"messages\":[{\"role\":\"usr\",\"content\":\"a\"}]}", "message 0 has the role 'usr'"},
        {"{\"messages\":[{\"content\":\"a\"}]}", "message 0: key 'role' is missing"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":1}]}", "message 0 (user) has no text"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}]}", "both the role 'user'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"system\",\"content\":\"b\"}]}", "only the first"},
        {"{\"prompt\":[{\"role\":\"assistant\",\"content\":\"a\"}]}", "that is the answer"},
        {"{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"}],\"completion\":[{\"role\":\"user\",\"content\":\"a\"}]}",
         "expected assistant"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":\"{}\"}", "'tools' is no array"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", "no chat template"}};
    rein_dataset d;
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        char text[512];
        snprintf(text, sizeof text, "{\"text\":\"a\"}\n%s\n", cases[i].row);
        FAILS(load(&d, text, (rein_dataset_options){0}), REIN_ERR_FORMAT, cases[i].message);
    }
    FAILS(load(&d, "\n", (rein_dataset_options){0}), REIN_ERR_FORMAT, "no rows");
    FAILS(load(&d, "{\"text\":\"a\"}", (rein_dataset_options){.assistant_only = true}), REIN_ERR_FORMAT, "conversations");
}

/* ---- rows as tasks ---- */

static void epochs_are_permutations(void **state) {
    static const int64_t sizes[] = {1, 2, 3, 5, 64, 1000};
    (void)state;
    for (size_t k = 0; k < REIN_COUNT(sizes); k++) {
        const int64_t n = sizes[k];
        bool seen[2][1000] = {{false}};
        int64_t moved = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t a = rein_random_place(i, n, 7, 0), b = rein_random_place(i, n, 7, 1);
            assert_true(a >= 0 && a < n && b >= 0 && b < n && !seen[0][a] && !seen[1][b]);
            seen[0][a] = seen[1][b] = true;
            moved += a != b;
        }
        assert_true(n < 64 || moved > n / 2);
    }
}

static const char sums[] = "{\"prompt\":\"say 1 now: \",\"answer\":1}\n{\"prompt\":\"say 2 now: \",\"answer\":2}\n"
                           "{\"prompt\":\"say 3 now: \",\"answer\":null}\n{\"prompt\":\"say 4 now: \",\"answer\":4}\n";

static rein_env *open_env(const char *name, const char *text, const char *more) {
    char path[JOB_PATH], spec[512];
    rein_env *env;
    snprintf(spec, sizeof spec, "dataset:train=%s,%s", file(path, name, text), more);
    OK(rein_env_open(&env, spec));
    return env;
}

static void rows_are_tasks(void **state) {
    rein_env *env = open_env("sums.jsonl", sums, "reward_funcs=numeric_match");
    const rein_env_class *cls = env->cls;
    rein_task one, two;
    rein_str text = {0}, tools = {0};
    double rows = 0;
    (void)state;
    for (int64_t i = 0; i < 8; i++) {
        OK(cls->task(env, 3, REIN_SPLIT_TRAIN, i, &one));
        OK(cls->task(env, 3, REIN_SPLIT_TRAIN, i, &two));
        assert_memory_equal(&one, &two, sizeof one);
        rows += one.number[0];
    }
    assert_true(rows == 2 * (0 + 1 + 2 + 3)); /* two epochs */
    rein_env_close(env);
    env = open_env("sums.jsonl", sums, "reward_funcs=numeric_match,shuffle_dataset=false");
    OK(cls->task(env, 3, REIN_SPLIT_TRAIN, 5, &one));
    OK(cls->prompt(env, &one, &text));
    OK(cls->messages(env, &one, &tools, &tools));
    assert_string_equal(text.data, "say 2 now: ");
    assert_int_equal(tools.len, 0);
    FAILS(cls->task(env, 3, REIN_SPLIT_EVAL, 0, &one), REIN_ERR_ARG, "eval=FILE");
    rein_env_close(env);
    rein_str_deinit(&text);
}

static void difficulty_is_a_column(void **state) {
    static const char rows[] = "{\"prompt\":\"a\",\"difficulty\":\"easy\"}\n{\"prompt\":\"b\",\"difficulty\":\"hard\"}\n"
                               "{\"prompt\":\"c\",\"difficulty\":0.25}\n{\"prompt\":\"d\",\"difficulty\":\"odd\"}\n";
    static const double want[] = {0, 1, 0.25};
    rein_env *env = open_env("levels.jsonl", rows, "reward_funcs=numeric_match,shuffle_dataset=false");
    rein_task task;
    double got;
    (void)state;
    for (int64_t i = 0; i < 4; i++) {
        OK(env->cls->task(env, 3, REIN_SPLIT_TRAIN, i, &task));
        if (i == 3) FAILS(env->cls->difficulty(env, &task, &got), REIN_ERR_FORMAT, "levels.jsonl:4");
        if (i == 3) break;
        OK(env->cls->difficulty(env, &task, &got));
        assert_true(got == want[i]);
    }
    rein_env_close(env);
}

static void conversations_end_with_the_question(void **state) {
    static const char rows[] =
        "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"q\"},"
        "{\"role\":\"assistant\",\"content\":\"the answer is 4\"}],\"tools\":\"[{\\\"a\\\":1}]\",\"answer\":4}\n";
    rein_env *env = open_env("chat.jsonl", rows, "reward_funcs=numeric_match");
    rein_task task;
    rein_score score;
    rein_str text = {0}, tools = {0};
    (void)state;
    OK(env->cls->task(env, 3, REIN_SPLIT_TRAIN, 0, &task));
    OK(env->cls->messages(env, &task, &text, &tools));
    assert_string_equal(text.data, "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"q\"}]");
    assert_string_equal(tools.data, "[{\"a\":1}]");
    OK(env->cls->score(env, &task, "4", 1, &score));
    assert_true(score.total == 1 && score.success);
    rein_env_close(env);
    rein_str_deinit(&text);
    rein_str_deinit(&tools);
}

static void held_out_prompts_are_not_trained_on(void **state) {
    rein_str rows = {0};
    uint64_t train[400];
    rein_task task;
    rein_env *env;
    char path[JOB_PATH], spec[600];
    (void)state;
    for (int i = 0; i < 400; i++) rein_str_printf(&rows, "{\"prompt\":\"%d\",\"answer\":%d}\n", i % 200, i);
    env = open_env("split.jsonl", rows.data, "reward_funcs=numeric_match,eval_fraction=0.25");
    int64_t n = 400;
    while (env->cls->task(env, 1, REIN_SPLIT_EVAL, 400 - n, &task) == REIN_OK) n--;
    assert_in_range(n, 240, 360);
    for (int64_t i = 0; i < n; i++) {
        OK(env->cls->task(env, 1, REIN_SPLIT_TRAIN, i, &task));
        train[i] = task.key;
    }
    for (int64_t i = 0; i < 400 - n; i++) {
        OK(env->cls->task(env, 1, REIN_SPLIT_EVAL, i, &task));
        for (int64_t k = 0; k < n; k++) assert_true(train[k] != task.key);
    }
    FAILS(env->cls->task(env, 1, REIN_SPLIT_EVAL, 400 - n, &task), REIN_ERR_ARG, "held-out row");
    rein_env_close(env);
    file(path, "leak.jsonl", "{\"prompt\":\"new\",\"answer\":1}\n{\"prompt\":\"7\",\"answer\":1}\n");
    snprintf(spec, sizeof spec, "dataset:train=%s/split.jsonl,eval=%s,reward_funcs=numeric_match", shop.dir, path);
    FAILS(rein_env_open(&env, spec), REIN_ERR_FORMAT, "leak.jsonl:2: this prompt");
    rein_str_deinit(&rows);
}

static void rewards_are_weighted_and_may_be_missing(void **state) {
    rein_env *env = open_env("sums.jsonl", sums,
                             "reward_funcs=(numeric_match,exact_match,think_format_reward),reward_weights=(1,0.25,-3),"
                             "shuffle_dataset=false");
    rein_task task;
    rein_score s;
    (void)state;
    OK(env->cls->task(env, 0, REIN_SPLIT_TRAIN, 0, &task));
    OK(env->cls->score(env, &task, "<think></think>1", 16, &s));
    OK(rein_score_check(&s));
    assert_true(s.n_func == 3 && s.n_component == 3 && s.total == 1 + 0 - 3 && s.success && s.format_ok);
    assert_true(s.func[2].value == 1 && s.component[2].value == -3 && s.weight[1] == 0.25);
    OK(env->cls->task(env, 0, REIN_SPLIT_TRAIN, 2, &task)); /* answer null */
    OK(env->cls->score(env, &task, "1", 1, &s));
    OK(rein_score_check(&s));
    assert_true(isnan(s.func[0].value) && isnan(s.func[1].value) && s.n_component == 1 && s.total == 0);
    assert_true(!s.success && !s.format_ok);
    s.func[0].value = (double)INFINITY;
    FAILS(rein_score_check(&s), REIN_ERR_NUMERIC, "numeric_match");
    rein_env_close(env);
}

/* ---- GRPO on rows ---- */

/* Run GRPO with options "name=value" over the base job's; NULL-ended. */
static rein_status grpo(const char *name, const char *const *extra, int threads) {
    job j = {.shop = &shop, .grpo = true, .name = name};
    rein_options opts;
    rein_train_args args = {0};
    rein_str yaml = {0};
    rein_device *dev;
    rein_train_watch watch = {0};
    job_options(&opts, &args, &j);
    set_pairs(&opts, extra, 3);
    rein_options_write_yaml(&opts, &yaml);
    OK(rein_device_open_cpu(&dev, NULL, threads));
    rein_status status = rein_grpo_run(&args, yaml.data, dev, &watch);
    rein_device_close(dev);
    rein_str_deinit(&yaml);
    rein_options_deinit(&opts);
    return status;
}

/* A metric of the last line of a run. */
static double last_metric(const char *run, const char *name) {
    char path[JOB_PATH];
    rein_str text = {0};
    double value;
    struct json_object *doc;
    snprintf(path, sizeof path, "%s/%s/metrics.jsonl", shop.dir, run);
    OK(rein_file_read(&text, path));
    size_t end = text.len - 1, at = end;
    while (at > 0 && text.data[at - 1] != '\n') at--;
    OK(rein_json_parse(&doc, path, text.data + at, end - at));
    OK(rein_json_double(&value, doc, name));
    json_object_put(doc);
    rein_str_deinit(&text);
    return value;
}

static void grpo_learns_from_rows(void **state) {
    char path[JOB_PATH], data[JOB_PATH + 16], run[JOB_PATH];
    rein_device *dev;
    rein_verified v;
    snprintf(data, sizeof data, "dataset_name=%s", file(path, "sums.jsonl", sums));
    const char *const extra[] = {data, "reward_weights=1,0.5,0.25",
                                 "reward_funcs=numeric_match,repetition_penalty(ngram_size=1),"
                                 "odd=process:awk '{ print NR % 3 ? \"{\\\"reward\\\":\" length($0) % 5 \"}\" : \"{\\\"reward\\\":null}\" }'",
                                 NULL};
    job one = {.shop = &shop, .grpo = true, .name = "rows1"}, two = {.shop = &shop, .grpo = true, .name = "rows2"};
    (void)state;
    OK(grpo("rows1", extra, 1));
    OK(grpo("rows2", extra, 2));
    same_run(&one, &two);
    assert_true(last_metric("rows1", "rewards/odd/missing") == 4);
    assert_true(last_metric("rows1", "rewards/repetition_penalty_reward/missing") == 0);
    assert_true(last_metric("rows1", "rewards/numeric_match/missing") < 12);
    assert_true(last_metric("rows1", "rewards/unscored") == 0);
    OK(rein_device_open_cpu(&dev, NULL, 1));
    job_path(run, &one, "");
    OK(rein_verify(&v, run, 3, dev));
    assert_true(v.equal);
    rein_device_close(dev);
}

/* Rows that no function scores teach nothing: all rewards missing, the weights stay. */
static void unscored_rows_teach_nothing(void **state) {
    char path[JOB_PATH], data[JOB_PATH + 16];
    snprintf(data, sizeof data, "dataset_name=%s", file(path, "null.jsonl", "{\"prompt\":\"say 1 now: \",\"answer\":null}\n"));
    const char *const extra[] = {data, "reward_funcs=numeric_match,exact_match", "max_steps=1", NULL};
    (void)state;
    OK(grpo("null", extra, 1));
    assert_true(last_metric("null", "rewards/unscored") == 12);
    assert_true(last_metric("null", "rewards/numeric_match/missing") == 12);
    assert_true(last_metric("null", "grad_norm") == 0);
}

static void contradictions_are_refused(void **state) {
    char path[JOB_PATH], data[JOB_PATH + 16];
    snprintf(data, sizeof data, "dataset_name=%s", file(path, "sums.jsonl", sums));
    const char *const both[] = {data, "env=control", NULL}, *const none[] = {NULL}, *const no_funcs[] = {data, NULL},
                            *const foreign[] = {"env=control", "reward_funcs=exact_match", NULL},
                            *const chat[] = {data, "reward_funcs=numeric_match", "chat=true", NULL},
                            *const kwargs[] = {data, "reward_funcs=numeric_match", "chat_template_kwargs=[1]", NULL},
                            *const crash[] = {data, "reward_funcs=bad=process:exit 3", NULL};
    (void)state;
    FAILS(grpo("r1", both, 1), REIN_ERR_USAGE, "give one of them");
    FAILS(grpo("r2", none, 1), REIN_ERR_USAGE, "--dataset_name");
    FAILS(grpo("r3", no_funcs, 1), REIN_ERR_USAGE, "reward_funcs is missing");
    FAILS(grpo("r4", foreign, 1), REIN_ERR_USAGE, "belong to dataset_name");
    FAILS(grpo("r5", chat, 1), REIN_ERR_USAGE, "need a chat template");
    FAILS(grpo("r6", kwargs, 1), REIN_ERR_USAGE, "no JSON object");
    FAILS(grpo("r7", crash, 1), REIN_ERR_IO, "exit status 3");
}

/* ---- audit ---- */

static void audit_finds_what_is_wrong(void **state) {
    static const char train[] = "{\"prompt\":\"a\",\"answer\":1}\n{\"prompt\":\"b\",\"answer\":2}\n{\"prompt\":\"a\",\"answer\":1}\n"
                                "{\"prompt\":\"b\",\"answer\":3}\n{\"prompt\":\n"
                                "{\"messages\":[{\"role\":\"usr\",\"content\":\"x\"}]}\n{\"text\":\"abcdefgh\"}\n";
    static const char eval[] = "{\"prompt\":\"c\"}\n{\"prompt\":\"b\"}\n{\"prompt\":\"c\"}\n";
    char one[JOB_PATH], two[JOB_PATH];
    rein_tokenizer *tok = workshop_tokenizer();
    rein_audit_options o = {.tokenizer = tok, .max_length = 3};
    rein_audit r;
    (void)state;
    file(one, "a_train.jsonl", train);
    OK(rein_audit_rows(&r, one, file(two, "a_eval.jsonl", eval), &o));
    assert_true(r.train == 7 && r.eval == 3 && r.labelled == 0);
    for (int i = 0; i < REIN_AUDIT_FACTS; i++)
        if (r.fact[i].n != 1) fail_msg("%s: %lld", rein_audit_name(i), (long long)r.fact[i].n);
    assert_non_null(strstr(r.fact[REIN_AUDIT_BROKEN].first, "a_train.jsonl:5"));
    assert_non_null(strstr(r.fact[REIN_AUDIT_FORMAT].first, "a_train.jsonl:6"));
    assert_non_null(strstr(r.fact[REIN_AUDIT_SHARED].first, "a_eval.jsonl:2: its prompt is line 2"));
    assert_non_null(strstr(r.fact[REIN_AUDIT_REPEATED_TRAIN].first, "a_train.jsonl:3: as line 1"));
    assert_non_null(strstr(r.fact[REIN_AUDIT_CONFLICTING].first, "a_train.jsonl:4: as line 2"));
    rein_tokenizer_destroy(tok);
}

/* ---- generated arithmetic ---- */

/* "What is 3 + 4 * 5?" by another route: products of runs between additions, from right to left. */
static long long independent(const char *text) {
    long long total = 0, product = 1;
    long long x[8];
    char op[8] = {0};
    int n = 0, used;
    text += strlen("What is ");
    while (sscanf(text, "%lld%n", &x[n], &used) == 1) {
        text += used;
        if (*text == ' ') op[n] = text[1];
        text += *text == ' ' ? 3 : 0;
        n++;
    }
    for (int i = n - 1; i >= 0; i--) {
        product *= x[i];
        if (i > 0 && op[i - 1] == '*') continue;
        total += i > 0 && op[i - 1] == '-' ? -product : product;
        product = 1;
    }
    return total;
}

static rein_status check_sum(void *user, int64_t line, struct json_object *row) {
    const char *prompt, *answer;
    (void)line;
    OK(rein_json_string(&prompt, NULL, row, "prompt"));
    OK(rein_json_string(&answer, NULL, row, "answer"));
    if (independent(prompt) != atoll(answer)) fail_msg("%s %s", prompt, answer);
    ++*(int *)user;
    return REIN_OK;
}

static void arithmetic_is_right_and_split(void **state) {
    char train[JOB_PATH], eval[JOB_PATH], again[JOB_PATH];
    rein_arithmetic_config c = {.kind = REIN_ARITHMETIC_EXPRESSION, .terms = 4, .max_value = 30, .operations = "+-*", .suffix = ""};
    rein_str a = {0}, b = {0};
    rein_audit r;
    int n = 0;
    (void)state;
    snprintf(train, sizeof train, "%s/sum_train.jsonl", shop.dir);
    snprintf(eval, sizeof eval, "%s/sum_eval.jsonl", shop.dir);
    snprintf(again, sizeof again, "%s/sum_again.jsonl", shop.dir);
    OK(rein_arithmetic_write(train, &c, 5, REIN_SPLIT_TRAIN, 500));
    OK(rein_arithmetic_write(again, &c, 5, REIN_SPLIT_TRAIN, 500));
    OK(rein_arithmetic_write(eval, &c, 6, REIN_SPLIT_EVAL, 100)); /* another seed: still disjoint */
    OK(rein_jsonl_each(train, check_sum, &n));
    assert_int_equal(n, 500);
    OK(rein_file_read(&a, train));
    OK(rein_file_read(&b, again));
    assert_string_equal(a.data, b.data);
    c.kind = REIN_ARITHMETIC_BOTH;
    c.max_value = 3; /* so easy that most problems come often */
    c.terms = 2;
    FAILS(rein_arithmetic_write(train, &c, 5, REIN_SPLIT_TRAIN, 500), REIN_ERR_IO, "already there");
    FAILS(rein_arithmetic_write(again, &c, 5, REIN_SPLIT_TRAIN, 500000), REIN_ERR_USAGE, "different training problems");
    OK(rein_audit_rows(&r, train, eval, &(rein_audit_options){0}));
    for (int i = 0; i < REIN_AUDIT_FACTS; i++) assert_int_equal(r.fact[i].n, 0);
    rein_str_deinit(&a);
    rein_str_deinit(&b);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--job") == 0) return job_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_take_loss_where_they_should), cmocka_unit_test(long_rows_are_cut_dropped_or_refused),
        cmocka_unit_test(bad_rows_are_named),               cmocka_unit_test(epochs_are_permutations),
        cmocka_unit_test(difficulty_is_a_column),
        cmocka_unit_test(rows_are_tasks),                   cmocka_unit_test(conversations_end_with_the_question),
        cmocka_unit_test(held_out_prompts_are_not_trained_on), cmocka_unit_test(rewards_are_weighted_and_may_be_missing),
        cmocka_unit_test(grpo_learns_from_rows),            cmocka_unit_test(unscored_rows_teach_nothing),
        cmocka_unit_test(contradictions_are_refused),       cmocka_unit_test(audit_finds_what_is_wrong),
        cmocka_unit_test(arithmetic_is_right_and_split)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
