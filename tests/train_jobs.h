/*
 * Small training runs for tests: a workshop folder with a tiny model, its tokenizer and data; jobs that train in it, in
 * this process or in a child that can be killed; and the comparison of two finished runs, byte by byte.
 */
#ifndef REIN_TRAIN_JOBS_H
#define REIN_TRAIN_JOBS_H

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/option.h"
#include "base/random.h"
#include "testing.h"
#include "train/online.h"
#include "train/online_options.h"
#include "train/sft.h"

enum { JOB_EXTRA = 12, JOB_PATH = 160 };

/* ---- an environment with a dense reward, and faults to order ---- */

typedef enum fault { FAULT_NONE, FAULT_NAN, FAULT_SUM } fault;

typedef struct digits_env {
    rein_env env;
    fault fault;
    int64_t fault_index; /* task from which on answers are scored badly */
} digits_env;

static inline rein_status digits_task(const rein_env *env, uint64_t seed, rein_split split, int64_t index,
                                      rein_task *out) {
    (void)env;
    (void)seed;
    *out = (rein_task){.key = (uint64_t)index * 4 + (uint64_t)split, .index = index, .number = {(double)(index % 10)}};
    return REIN_OK;
}

static inline rein_status digits_prompt(const rein_env *env, const rein_task *task, rein_str *out) {
    (void)env;
    rein_str_printf(out, "say %d now: ", (int)task->number[0]);
    return REIN_OK;
}

static inline rein_status digits_score(const rein_env *env, const rein_task *task, const char *text, size_t len,
                                       rein_score *out) {
    const digits_env *e = (const digits_env *)env;
    int match = 0;
    for (size_t i = 0; i < len; i++) match += text[i] == '0' + (int)task->number[0] || text[i] == ',';
    double a = 0.25 * match, b = -0.01 * ((double)len + task->number[0]);
    *out = (rein_score){.total = a + b,
                        .n_component = 2,
                        .component = {{"match", a}, {"length", b}},
                        .format_ok = true,
                        .success = match > 0};
    if (e->fault == FAULT_NONE || task->index < e->fault_index) return REIN_OK;
    out->total = e->fault == FAULT_NAN ? (double)NAN : out->total + 0.5;
    return REIN_OK;
}

static inline rein_status digits_difficulty(const rein_env *env, const rein_task *task, double *out) {
    (void)env;
    *out = task->number[0] / 9;
    return REIN_OK;
}

static const rein_env_class digits_class = {
    .name = "digits", .task = digits_task, .difficulty = digits_difficulty, .prompt = digits_prompt, .score = digits_score};

/* The world of online runs in this process, as a test's own; NULL: the digits. */
static const rein_env *job_world;

/* ---- the workshop ---- */

typedef struct workshop {
    char dir[64];
} workshop;

static const char *const row_prompt[8] = {"say 0 now: ", "say 1 now: ", "say 2 now: ", "say 3 now: ",
                                          "say 4 now: ", "say 5 now: ", "say 6 now: ", "say 7 now: "};
static const char *const row_completion[8] = {"0.1,-0.2,3", "1.5,7",      "-2.2,-2.1", "3.9,0.0,0.4,1",
                                              "4",          "-5.5,5,5.1", "6.6,0.1",   "7.0,-7.1,7.2"};

static inline void write_text(const char *path, const char *text) { OK(rein_file_write(path, text, strlen(text))); }

static inline rein_tokenizer *workshop_tokenizer(void) {
    static const char *const special[] = {"<|endoftext|>"};
    static const char *const text[] = {"say 0123456789 now: 0.1,-0.2,-0.3", "say 5 now: 0.4,-0.5", "0.6,0.7,-0.8",
                                       "say 9 now: 1.0,1.0,0.0", "abcdefgh"};
    size_t len[REIN_COUNT(text)];
    rein_tokenizer *tok;
    rein_bpe_options o = {.vocab_size = 48, .special = special, .n_special = 1};
    for (size_t i = 0; i < REIN_COUNT(text); i++) len[i] = strlen(text[i]);
    OK(rein_tokenizer_train(&tok, &o, text, len, REIN_COUNT(text)));
    return tok;
}

static inline void workshop_make(workshop *w) {
    char path[JOB_PATH];
    rein_device *dev;
    rein_model *m;
    rein_str rows = {0};
    strcpy(w->dir, "/tmp/rein-train-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    rein_tokenizer *tok = workshop_tokenizer();
    rein_model_config cfg = {.family = REIN_FAMILY_QWEN3,
                             .V = rein_tokenizer_vocab_size(tok),
                             .C = 24,
                             .L = 2,
                             .H = 2,
                             .K = 1,
                             .D = 12,
                             .F = 40,
                             .max_position_embeddings = 64,
                             .rms_norm_eps = 1e-6,
                             .rope_theta = 10000,
                             .initializer_range = 0.2,
                             .tie_word_embeddings = true,
                             .qk_norm = true,
                             .bos_id = -1,
                             .pad_id = -1,
                             .eos_id = {0},
                             .n_eos = 1};
    OK(rein_device_open_cpu(&dev, NULL, 1));
    OK(rein_model_create(&m, &cfg, dev, 0));
    rein_model_init(m, 11);
    snprintf(path, sizeof path, "%s/model", w->dir);
    OK(rein_mkdirs(path));
    OK(rein_model_save(m, path));
    snprintf(path, sizeof path, "%s/model/tokenizer.json", w->dir);
    OK(rein_tokenizer_save(tok, path));
    for (int i = 0; i < 8; i++)
        rein_str_printf(&rows, "{\"prompt\":\"%s\",\"completion\":\"%s\"}\n", row_prompt[i], row_completion[i]);
    snprintf(path, sizeof path, "%s/rows.jsonl", w->dir);
    write_text(path, rows.data);
    rein_str_deinit(&rows);
    rein_model_destroy(m);
    rein_tokenizer_destroy(tok);
    rein_device_close(dev);
}

/* ---- jobs ---- */

typedef struct job {
    const workshop *shop;
    bool grpo;                    /* an online run, else sft */
    rein_online_kind kind;        /* of an online run */
    const char *name;             /* output_dir is a folder of this name in the workshop */
    const char *extra[JOB_EXTRA]; /* name=value, over the base options; NULL-ended */
    const char *isa;              /* NULL: the best */
    int threads;                  /* 0: 1 */
    bool resume;
    int64_t die_at; /* SIGKILL itself in this step, after its commit and before its checkpoint; 0: no */
    fault fault;
    int64_t fault_index;
} job;

static const char *const grpo_base[] = {"max_steps=5",
                                        "per_device_train_batch_size=4",
                                        "gradient_accumulation_steps=3",
                                        "num_generations=4",
                                        "max_completion_length=8",
                                        "learning_rate=0.01",
                                        "save_steps=2",
                                        "seed=7",
                                        "generation_batch=64",
                                        NULL};
static const char *const sft_base[] = {"max_steps=6",
                                       "per_device_train_batch_size=4",
                                       "gradient_accumulation_steps=2",
                                       "learning_rate=0.01",
                                       "save_steps=2",
                                       "seed=7",
                                       NULL};

static inline void set_pairs(rein_options *opts, const char *const *pair, int source) {
    char name[64];
    for (; *pair; pair++) {
        const char *eq = strchr(*pair, '=');
        snprintf(name, sizeof name, "%.*s", (int)(eq - *pair), *pair);
        OK(rein_options_set(opts, name, eq + 1, source, "test"));
    }
}

static inline void job_path(char out[JOB_PATH], const job *j, const char *file) {
    snprintf(out, JOB_PATH, "%s/%s%s%s", j->shop->dir, j->name, *file ? "/" : "", file);
}

static inline void job_options(rein_options *opts, rein_train_args *args, const job *j) {
    char path[JOB_PATH];
    OK(rein_options_init_use(opts, rein_train_rows, j->grpo ? rein_online_use(j->kind) : REIN_USE_SFT, args));
    job_path(path, j, "");
    OK(rein_options_set(opts, "output_dir", path, 2, "test"));
    snprintf(path, sizeof path, "%s/model", j->shop->dir);
    OK(rein_options_set(opts, "model_name_or_path", path, 2, "test"));
    snprintf(path, sizeof path, "%s/rows.jsonl", j->shop->dir);
    if (!j->grpo) OK(rein_options_set(opts, "dataset_name", path, 2, "test"));
    if (j->resume) OK(rein_options_set(opts, "resume_from_checkpoint", "true", 2, "test"));
    set_pairs(opts, j->grpo ? grpo_base : sft_base, 1);
    set_pairs(opts, j->extra, 2);
}

static inline void die_in_step(void *user, int64_t step, const char *line) {
    (void)line;
    if (step == *(const int64_t *)user) raise(SIGKILL);
}

static inline rein_status job_run(const job *j) {
    int64_t die_at = j->die_at;
    rein_train_watch watch = {.step = die_in_step, .user = &die_at};
    rein_options opts;
    rein_train_args args = {0};
    rein_str yaml = {0};
    rein_device *dev;
    digits_env env = {.env = {&digits_class}, .fault = j->fault, .fault_index = j->fault_index};
    job_options(&opts, &args, j);
    rein_options_write_yaml(&opts, &yaml);
    OK(rein_device_open_cpu(&dev, j->isa, j->threads ? j->threads : 1));
    rein_status status = j->grpo ? rein_online_run_env(j->kind, &args, yaml.data, job_world ? job_world : &env.env, dev, &watch)
                                 : rein_sft_run(&args, yaml.data, dev, &watch);
    rein_device_close(dev);
    rein_str_deinit(&yaml);
    rein_options_deinit(&opts);
    return status;
}

/* ---- children ---- */

/* Words of a child: --job WORKSHOP sft|grpo|rloo|ppo NAME RESUME DIE_AT EXTRA... */
static inline int job_child(int argc, char **argv) {
    workshop shop;
    snprintf(shop.dir, sizeof shop.dir, "%s", argv[2]);
    job j = {.shop = &shop,
             .grpo = strcmp(argv[3], "sft") != 0,
             .name = argv[4],
             .resume = argv[5][0] == '1',
             .die_at = atoi(argv[6])};
    while (j.grpo && strcmp(rein_online_name(j.kind), argv[3]) != 0) j.kind++;
    for (int i = 7; i < argc && i - 7 < JOB_EXTRA - 1; i++) j.extra[i - 7] = argv[i];
    if (job_run(&j) == REIN_OK) return 0;
    fprintf(stderr, "%s\n%s", rein_error_message(), rein_error_frames());
    return 1;
}

extern char **environ;

static inline pid_t job_spawn(const job *j) {
    enum { FIXED = 7 };
    char word[FIXED][JOB_PATH], die[24];
    char *argv[FIXED + 1 + JOB_EXTRA] = {0};
    const char *fixed[FIXED] = {"test", "--job", j->shop->dir, j->grpo ? rein_online_name(j->kind) : "sft", j->name, j->resume ? "1" : "0",
                                die};
    pid_t pid;
    snprintf(die, sizeof die, "%d", (int)j->die_at);
    for (int i = 0; i < FIXED; i++) {
        snprintf(word[i], sizeof word[i], "%s", fixed[i]);
        argv[i] = word[i];
    }
    for (int i = 0; j->extra[i]; i++) argv[FIXED + i] = (char *)(uintptr_t)j->extra[i];
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    return pid;
}

/* Exit status, or -1 if a signal ended it. */
static inline int job_wait(pid_t pid) {
    int how;
    while (waitpid(pid, &how, 0) < 0) assert_int_equal(errno, EINTR);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

static inline void nap(double seconds) { usleep((useconds_t)(seconds * 1e6)); }

/* Run the job in children that are killed, then to its end: the first one by itself in a random step, `kills` more at a
 * random moment of the time that a whole run takes. */
static inline void job_with_kills(job j, double duration, uint32_t kills, uint64_t seed) {
    j.die_at = 1 + (int64_t)rein_random_below(4, seed, REIN_STREAM_DATA, 0, 0, 0, 0);
    assert_int_equal(job_wait(job_spawn(&j)), -1);
    j.die_at = 0;
    j.resume = true;
    for (uint32_t k = 1; k <= kills; k++) {
        pid_t pid = job_spawn(&j);
        nap(duration * rein_random_uniform(seed, REIN_STREAM_DATA, k, 0, 0, 0));
        kill(pid, SIGKILL);
        assert_true(job_wait(pid) <= 0); /* killed, or done already */
    }
    assert_int_equal(job_wait(job_spawn(&j)), 0);
}

/* ---- comparison ---- */

static inline void read_job_file(rein_str *out, const job *j, const char *file) {
    char path[JOB_PATH];
    job_path(path, j, file);
    OK(rein_file_read(out, path));
}

static inline void same_file(const job *a, const job *b, const char *file) {
    rein_str x = {0}, y = {0};
    read_job_file(&x, a, file);
    read_job_file(&y, b, file);
    assert_true(x.len > 0);
    if (x.len != y.len || memcmp(x.data, y.data, x.len) != 0)
        fail_msg("%s of runs '%s' and '%s' differs", file, a->name, b->name);
    rein_str_deinit(&x);
    rein_str_deinit(&y);
}

/* Metrics, commit records (rollouts, advantages, gradients, weights, moments of every step) and the last checkpoint. */
static inline void same_run(const job *a, const job *b) {
    static const char *const file[] = {"model.safetensors", "optimizer_m.safetensors", "optimizer_v.safetensors"};
    char name[64];
    same_file(a, b, "metrics.jsonl");
    same_file(a, b, "commits.jsonl");
    for (size_t i = 0; i < REIN_COUNT(file); i++) {
        snprintf(name, sizeof name, "checkpoint-%d/%s", a->grpo ? 5 : 6, file[i]);
        same_file(a, b, name);
    }
}

/* The metric at a step (from 1). */
static inline double metric(const job *j, const char *name, int64_t step) {
    char path[JOB_PATH];
    rein_rundir *run;
    rein_arena arena = {0};
    rein_series s;
    double value = (double)NAN;
    job_path(path, j, "");
    OK(rein_rundir_open(&run, path, false));
    OK(rein_read_series(run, &arena, name, &s));
    for (int64_t i = 0; i < s.n; i++)
        if (s.step[i] == step) value = s.value[i];
    rein_arena_deinit(&arena);
    rein_rundir_close(run);
    return value;
}

/* Step `step` of an online run, recomputed from checkpoint-`from` (0: the start), must have the hashes that it recorded. */
static inline void job_replays(const job *j, int64_t from, int64_t step) {
    char path[JOB_PATH];
    rein_options opts;
    rein_train_args args = {0};
    rein_device *dev;
    rein_rundir *run;
    rein_commit want, got;
    rein_str journal = {0}, recorded = {0};
    bool found;
    digits_env env = {.env = {&digits_class}};
    job_options(&opts, &args, j);
    OK(rein_device_open_cpu(&dev, j->isa, 1));
    snprintf(path, sizeof path, "%s/%s/checkpoint-%d", j->shop->dir, j->name, (int)from);
    OK(rein_online_replay_env(j->kind, &args, job_world ? job_world : &env.env, dev, from ? path : NULL, step, &got, &journal));
    job_path(path, j, "");
    OK(rein_rundir_open(&run, path, false));
    OK(rein_commit_read(run, step, &want, &found));
    assert_true(found);
    const char *different = rein_commit_difference(&want, &got);
    if (different) fail_msg("step %d of '%s': %s differs when recomputed", (int)step, j->name, different);
    OK(rein_journal_read(run, step, &recorded, &found));
    assert_true(found && recorded.len == journal.len && memcmp(recorded.data, journal.data, journal.len) == 0);
    rein_rundir_close(run);
    rein_str_deinit(&journal);
    rein_str_deinit(&recorded);
    rein_options_deinit(&opts);
    rein_device_close(dev);
}

/* One bit of a file, counted from its end. */
static inline void flip_near_end(const job *j, const char *file, size_t from_end) {
    char path[JOB_PATH];
    rein_str s = {0};
    job_path(path, j, file);
    OK(rein_file_read(&s, path));
    assert_true(s.len > from_end);
    s.data[s.len - from_end] ^= 1;
    OK(rein_file_write(path, s.data, s.len));
    rein_str_deinit(&s);
}

static inline void remove_job_file(const job *j, const char *file) {
    char path[JOB_PATH];
    job_path(path, j, file);
    assert_true(rein_path_exists(path));
    OK(rein_remove_tree(path));
}

#endif
