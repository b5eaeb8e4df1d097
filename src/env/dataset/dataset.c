/* Rows as tasks; see dataset.h. */
#include "env/dataset/dataset.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "io/jsonl.h"
#include "io/row.h"
#include "reward/reward.h"

_Static_assert((int)REIN_REWARD_FUNCS <= (int)REIN_SCORE_PARTS, "a score has room for all functions");

/* Rows of one split. */
typedef struct split {
    const rein_jsonl *file;
    int64_t *row;  /* (n) */
    uint64_t *key; /* (n) */
    int64_t n;
} split;

typedef struct dataset {
    rein_env env;
    rein_jsonl *train, *eval; /* eval NULL: none */
    rein_rewards *rewards;
    split part[2]; /* by REIN_SPLIT_TRAIN and REIN_SPLIT_EVAL */
    bool shuffle;
} dataset;

static const dataset *self(const rein_env *env) { return (const dataset *)env; }

/* ---- opening ---- */

static rein_status add_row(split *s, int64_t cap, int64_t row, uint64_t key) {
    if (!s->row) {
        REIN_TRY(rein_alloc(&s->row, cap, sizeof *s->row));
        REIN_TRY(rein_alloc(&s->key, cap, sizeof *s->key));
    }
    s->row[s->n] = row;
    s->key[s->n++] = key;
    return REIN_OK;
}

/* What is asked, as text or messages; a text-only row asks nothing. */
static rein_status check_asks(const rein_row *row) {
    struct json_object *question;
    if (row->kind == REIN_ROW_TEXT)
        return rein_fail(REIN_ERR_FORMAT, "a row of {\"text\"} has no prompt; GRPO needs a column prompt or messages");
    if (row->kind == REIN_ROW_PREFERENCE && !row->prompt)
        return rein_fail(REIN_ERR_FORMAT, "a row of chosen and rejected has no prompt; GRPO needs a column prompt or messages");
    if (row->kind != REIN_ROW_MESSAGES) return REIN_OK;
    REIN_TRY(rein_messages_question(&question, row->messages));
    json_object_put(question);
    return REIN_OK;
}

static rein_status read_key(void *key, const rein_row *row) {
    REIN_TRY(check_asks(row));
    return rein_row_key(key, row);
}

/* Rows of a file to the splits: a prompt whose hash lies below `fraction` of all hashes is held out. */
static rein_status add_file(dataset *d, const rein_jsonl *file, rein_split which, double fraction) {
    const int64_t n = rein_jsonl_count(file);
    d->part[which].file = file;
    if (fraction > 0) d->part[REIN_SPLIT_EVAL].file = file;
    for (int64_t i = 0; i < n; i++) {
        uint64_t key;
        REIN_TRY(rein_row_use(file, i, read_key, &key));
        bool held_out = (double)(key >> 11) * 0x1p-53 < fraction;
        REIN_TRY(add_row(&d->part[held_out ? REIN_SPLIT_EVAL : which], n, i, key));
    }
    return REIN_OK;
}

/* No held-out prompt is in the training rows. */
static rein_status check_leak(const dataset *d) {
    const split *train = &d->part[REIN_SPLIT_TRAIN], *eval = &d->part[REIN_SPLIT_EVAL];
    int64_t size = 2, leaks = 0, first = 0;
    uint64_t *table;
    while (size < 2 * (train->n + 1)) size *= 2;
    REIN_TRY(rein_alloc(&table, size, sizeof *table));
    const uint64_t mask = (uint64_t)size - 1;
    for (int64_t i = 0; i < train->n; i++) {
        uint64_t at = train->key[i] & mask;
        while (table[at] && table[at] != train->key[i]) at = (at + 1) & mask;
        table[at] = train->key[i];
    }
    for (int64_t i = eval->n - 1; i >= 0; i--) {
        uint64_t at = eval->key[i] & mask;
        while (table[at] && table[at] != eval->key[i]) at = (at + 1) & mask;
        if (!table[at]) continue;
        leaks++;
        first = i;
    }
    rein_free(table);
    if (leaks == 0) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT,
                     "%s:%lld: this prompt and %lld others to evaluate on are in %s too; rein data audit counts them",
                     rein_jsonl_path(eval->file), (long long)rein_jsonl_line(eval->file, eval->row[first]),
                     (long long)leaks - 1, rein_jsonl_path(train->file));
}

static rein_status check_config(const rein_dataset_config *c) {
    if (!c->train) return rein_fail(REIN_ERR_USAGE, "environment dataset: train=FILE.jsonl is missing");
    if (!c->reward_funcs)
        return rein_fail(REIN_ERR_USAGE, "reward_funcs is missing: name reward functions, as in numeric_match");
    if (c->eval && c->eval_fraction > 0)
        return rein_fail(REIN_ERR_USAGE, "environment dataset: give eval or eval_fraction, not both");
    return REIN_OK;
}

static void dataset_destroy(rein_env *env) {
    dataset *d = (dataset *)env;
    if (!d) return;
    for (size_t i = 0; i < REIN_COUNT(d->part); i++) {
        rein_free(d->part[i].row);
        rein_free(d->part[i].key);
    }
    rein_rewards_close(d->rewards);
    rein_jsonl_close(d->train);
    rein_jsonl_close(d->eval);
    rein_free(d);
}

static rein_status dataset_open(dataset *d, const rein_dataset_config *c) {
    REIN_TRY(check_config(c));
    REIN_TRY(rein_rewards_open(&d->rewards, c->reward_funcs, c->reward_weights, c->reward_timeout));
    REIN_TRY(rein_rewards_bind(d->rewards, c->host));
    REIN_TRY(rein_jsonl_open(&d->train, c->train));
    REIN_TRY(add_file(d, d->train, REIN_SPLIT_TRAIN, c->eval_fraction));
    if (c->eval) {
        REIN_TRY(rein_jsonl_open(&d->eval, c->eval));
        REIN_TRY(add_file(d, d->eval, REIN_SPLIT_EVAL, 0));
    }
    if (d->part[REIN_SPLIT_TRAIN].n == 0)
        return rein_fail(REIN_ERR_USAGE, "%s: eval_fraction %g leaves no row to train on", c->train, c->eval_fraction);
    return check_leak(d);
}

static rein_status dataset_create(rein_env **out, const void *config) {
    const rein_dataset_config *c = config;
    dataset *d;
    REIN_TRY(rein_alloc(&d, 1, sizeof *d));
    d->env.cls = &rein_dataset_class;
    d->shuffle = c->shuffle_dataset;
    rein_status status = dataset_open(d, c);
    if (status != REIN_OK)
        dataset_destroy(&d->env);
    else
        *out = &d->env;
    return status;
}

/* ---- tasks ---- */

static int64_t dataset_fixed_count(const rein_env *env) {
    (void)env;
    return 0;
}

/* number[0]: the row of the file; number[1]: the split. */
static rein_status dataset_task(const rein_env *env, uint64_t seed, rein_split which, int64_t index, rein_task *out) {
    const dataset *d = self(env);
    if (which == REIN_SPLIT_FIXED) return rein_fail(REIN_ERR_ARG, "environment dataset has no published list");
    const split *s = &d->part[which];
    int64_t at = index;
    if (index < 0 || (which == REIN_SPLIT_EVAL && index >= s->n))
        return rein_fail(REIN_ERR_ARG, "held-out row %lld of %lld: ask for fewer cases, or give eval=FILE or eval_fraction",
                         (long long)index, (long long)s->n);
    if (which == REIN_SPLIT_TRAIN) {
        at = index % s->n;
        if (d->shuffle) at = rein_random_place(at, s->n, seed, (uint32_t)(index / s->n));
    }
    *out = (rein_task){.key = s->key[at], .index = index, .number = {(double)s->row[at], (double)which}};
    return REIN_OK;
}

static rein_status use_row(const rein_env *env, const rein_task *task, rein_status (*use)(void *, const rein_row *),
                           void *user) {
    const split *s = &self(env)->part[(int)task->number[1]];
    return rein_row_use(s->file, (int64_t)task->number[0], use, user);
}

/* Column "difficulty": a number from 0 to 1, or easy, medium, hard. */
static rein_status dataset_difficulty(const rein_env *env, const rein_task *task, double *out) {
    static const char *const words[] = {"easy", "medium", "hard"};
    const rein_jsonl *file = self(env)->part[(int)task->number[1]].file;
    int64_t i = (int64_t)task->number[0];
    struct json_object *row, *x;
    REIN_TRY(rein_jsonl_row(&row, file, i));
    *out = -1;
    if (json_object_object_get_ex(row, "difficulty", &x)) {
        if (json_object_is_type(x, json_type_int) || json_object_is_type(x, json_type_double))
            *out = json_object_get_double(x);
        for (size_t k = 0; json_object_is_type(x, json_type_string) && k < REIN_COUNT(words); k++)
            if (strcmp(json_object_get_string(x), words[k]) == 0) *out = (double)k / 2;
    }
    json_object_put(row);
    if (*out >= 0 && *out <= 1) return REIN_OK;
    return rein_fail(REIN_ERR_FORMAT, "%s:%lld: column \"difficulty\" is no number from 0 to 1 and not easy, medium or hard",
                     rein_jsonl_path(file), (long long)rein_jsonl_line(file, i));
}

static rein_status put_json(rein_str *out, struct json_object *value) {
    size_t len;
    const char *text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &len);
    if (!text) return rein_fail(REIN_ERR_MEMORY, "out of memory for a row");
    rein_str_append(out, text, len);
    return rein_str_check(out);
}

static rein_status put_question(rein_str *out, const rein_row *row) {
    struct json_object *question;
    if (row->kind != REIN_ROW_MESSAGES) return put_json(out, row->prompt);
    REIN_TRY(rein_messages_question(&question, row->messages));
    rein_status status = put_json(out, question);
    json_object_put(question);
    return status;
}

typedef struct chat_text {
    rein_str *messages, *tools;
} chat_text;

static rein_status put_chat(void *user, const rein_row *row) {
    const chat_text *out = user;
    if (row->chat) REIN_TRY(put_question(out->messages, row));
    return row->tools ? put_json(out->tools, row->tools) : REIN_OK;
}

static rein_status dataset_messages(const rein_env *env, const rein_task *task, rein_str *out, rein_str *tools) {
    return use_row(env, task, put_chat, &(chat_text){out, tools});
}

/* A conversation as text is its JSON. */
static rein_status put_prompt(void *out, const rein_row *row) {
    if (row->chat) return put_question(out, row);
    rein_str_append(out, json_object_get_string(row->prompt), (size_t)json_object_get_string_len(row->prompt));
    return rein_str_check(out);
}

static rein_status dataset_prompt(const rein_env *env, const rein_task *task, rein_str *out) {
    return use_row(env, task, put_prompt, out);
}

/* ---- scoring ---- */

static bool judged(const rein_rewards *r, const double *reward, rein_reward_judges what, bool unjudged) {
    for (int64_t k = 0; k < rein_rewards_count(r); k++)
        if (rein_rewards_judges(r, k) == what) return reward[k] >= 1;
    return unjudged;
}

static void compose(rein_score *out, const rein_rewards *r, const double *reward) {
    *out = (rein_score){.n_func = (int)rein_rewards_count(r),
                        .format_ok = judged(r, reward, REIN_JUDGES_FORMAT, true),
                        .success = judged(r, reward, REIN_JUDGES_CORRECT, false)};
    for (int k = 0; k < out->n_func; k++) {
        const char *name = rein_rewards_name(r, k);
        out->func[k] = (rein_named){name, reward[k]};
        out->weight[k] = rein_rewards_weight(r, k);
        if (isnan(reward[k])) continue; /* missing, not zero */
        double part = reward[k] * out->weight[k];
        out->component[out->n_component++] = (rein_named){name, part};
        out->total += part;
    }
}

static rein_status score_rows(const dataset *d, rein_reward_answer *answer, int64_t n, rein_score *out) {
    const int64_t K = rein_rewards_count(d->rewards);
    double *reward;
    REIN_TRY(rein_alloc(&reward, n * K, sizeof *reward));
    rein_status status = rein_rewards_score(reward, d->rewards, answer, n);
    for (int64_t i = 0; i < n && status == REIN_OK; i++) compose(&out[i], d->rewards, reward + i * K);
    rein_free(reward);
    return status;
}

static rein_status dataset_score_all(const rein_env *env, const rein_reply *reply, int64_t n, rein_score *out) {
    const dataset *d = self(env);
    rein_reward_answer *answer;
    rein_status status = REIN_OK;
    REIN_TRY(rein_alloc(&answer, n, sizeof *answer));
    for (int64_t i = 0; i < n && status == REIN_OK; i++) {
        const rein_reply *r = &reply[i];
        answer[i] = (rein_reward_answer){.text = r->text, .len = r->len, .ids = r->ids, .n_ids = r->n_ids};
        if (i > 0 && r->task == reply[i - 1].task)
            answer[i].row = json_object_get(answer[i - 1].row); /* a group's answers share their row */
        else
            status = rein_jsonl_row(&answer[i].row, d->part[(int)r->task->number[1]].file, (int64_t)r->task->number[0]);
    }
    if (status == REIN_OK) status = score_rows(d, answer, n, out);
    for (int64_t i = 0; i < n; i++) json_object_put(answer[i].row);
    rein_free(answer);
    return status;
}

static rein_status dataset_score(const rein_env *env, const rein_task *task, const char *text, size_t len,
                                 rein_score *out) {
    rein_reply reply = {.task = task, .text = text, .len = len};
    return dataset_score_all(env, &reply, 1, out);
}

/* ---- for people ---- */

static rein_status dataset_describe(const rein_env *env, const rein_task *task, const char *text, size_t len,
                                    rein_str *out) {
    const split *s = &self(env)->part[(int)task->number[1]];
    struct json_object *json;
    (void)text, (void)len;
    REIN_TRY(rein_jsonl_row(&json, s->file, (int64_t)task->number[0]));
    rein_str_printf(out, "{\"line\":%lld,\"row\":",
                    (long long)rein_jsonl_line(s->file, (int64_t)task->number[0]));
    rein_status status = put_json(out, json);
    rein_str_putc(out, '}');
    json_object_put(json);
    return status == REIN_OK ? rein_str_check(out) : status;
}

static const rein_option options[] = {
    {"train", REIN_OPT_STRING, offsetof(rein_dataset_config, train), NULL, 0, 0, NULL, "rows to train on", "FILE"},
    {"eval", REIN_OPT_STRING, offsetof(rein_dataset_config, eval), NULL, 0, 0, NULL, "held-out rows", "FILE"},
    {"eval_fraction", REIN_OPT_FLOAT, offsetof(rein_dataset_config, eval_fraction), "0", 0, 1, NULL,
     "share of the prompts of train to hold out, by their hash", NULL},
    {"reward_funcs", REIN_OPT_STRING, offsetof(rein_dataset_config, reward_funcs), NULL, 0, 0, NULL,
     "reward functions: NAME, NAME(key=value), process:COMMAND; several as (a,b)", "LIST"},
    {"reward_weights", REIN_OPT_STRING, offsetof(rein_dataset_config, reward_weights), NULL, 0, 0, NULL,
     "a weight a function, as (1,0.5); default: all 1", "LIST"},
    {"reward_timeout", REIN_OPT_FLOAT, offsetof(rein_dataset_config, reward_timeout), "60", 0.01, 86400, NULL,
     "seconds that a program has to score a batch", NULL},
    {"shuffle_dataset", REIN_OPT_BOOL, offsetof(rein_dataset_config, shuffle_dataset), "true", 0, 0, NULL,
     "another order in each epoch", NULL},
};

static const char *const baselines[] = {NULL};

const rein_env_class rein_dataset_class = {
    .name = "dataset",
    .summary = "rows of a JSONL file, scored by reward functions",
    .options = options,
    .n_options = (int64_t)REIN_COUNT(options),
    .config_size = sizeof(rein_dataset_config),
    .create = dataset_create,
    .destroy = dataset_destroy,
    .task = dataset_task,
    .fixed_count = dataset_fixed_count,
    .difficulty = dataset_difficulty,
    .messages = dataset_messages,
    .prompt = dataset_prompt,
    .score = dataset_score,
    .score_all = dataset_score_all,
    .baselines = baselines,
    .describe = dataset_describe,
    .host_offset = offsetof(rein_dataset_config, host),
};
