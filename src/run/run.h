/*
 * The run directory and its store: everything a run says about itself, and the only source of figures and reports.
 *
 *   RUN/config.yaml     effective configuration, written once; its hash is a fact of the store
 *       run.db          SQLite: metric, event, fact, evaluation, completion; wall-clock only in timing and machine
 *       metrics.jsonl   one line a step, no wall-clock: part of the result, equal bit for bit between equal runs
 *       timing.jsonl    seconds per phase of each step
 *       commits.jsonl   one line a step: hashes of what the step computed (see rein_commit_append)
 *       journal/        rollouts, one file a step     checkpoint-K/   published whole, with manifest.json
 *       completions/    sampled texts, one JSONL file a step
 *
 * A run is append-only: create refuses what exists, one process writes at a time (a lock), readers never block it. The
 * one exception is rein_rundir_rollback, by which a resumed run forgets what it did after its checkpoint, so that
 * metrics.jsonl continues as if there had been no interruption. A step's metrics are logged before its checkpoint is
 * published. Not thread-safe: one thread per handle.
 */
#ifndef REIN_RUN_RUN_H
#define REIN_RUN_RUN_H

#include "base/base.h"
#include "rein/env.h" /* rein_named: a name and a double */

typedef struct rein_rundir rein_rundir;

/* ---- life ---- */

/**
 * A new run at `path`, which must not exist or be an empty folder (parents are made). It appears whole or not at all.
 *
 * @param kind         "sft", "grpo", "ppo", "eval", "pipeline", ... : a word, kept as the fact "kind".
 * @param config_yaml  effective configuration; written as config.yaml, its SHA-256 kept as the fact "config.sha256".
 * @return REIN_ERR_USAGE if something is there already.
 */
REIN_NODISCARD rein_status rein_rundir_create(rein_rundir **out, const char *path, const char *kind,
                                              const char *config_yaml);

/** Open an existing run. With `write`, takes the lock (REIN_ERR_IO if another process has it) and drops torn last
 * lines. Errors: REIN_ERR_USAGE if `path` is no run; REIN_ERR_MISMATCH if config.yaml is not what was recorded. */
REIN_NODISCARD rein_status rein_rundir_open(rein_rundir **out, const char *path, bool write);
void rein_rundir_close(rein_rundir *run);

/** True if `path` looks like a run: config.yaml and run.db are there. */
bool rein_rundir_exists(const char *path);

/** As given to create or open; `kind` as given to create. Valid until close. */
const char *rein_rundir_path(const rein_rundir *run);
const char *rein_rundir_kind(const rein_rundir *run);

/* ---- writing ---- */

/**
 * The metrics of a step: one line of metrics.jsonl, {"step":S,"name":value,...} in the order given, and rows in one
 * transaction. A non-finite value is written as null. A metric may be logged once a step (in one call or several).
 * @return REIN_ERR_ARG for a duplicate or a step before the last one logged.
 */
REIN_NODISCARD rein_status rein_rundir_log(rein_rundir *run, int64_t step, const rein_named *m, int64_t n);

/** Wall-clock of a step, seconds per phase: timing.jsonl and its table. */
REIN_NODISCARD rein_status rein_rundir_time(rein_rundir *run, int64_t step, const rein_named *phase, int64_t n);

/** Something that happened and must be seen: kind is a word ("skip", "warning", "prune", "resume"), text a sentence. */
REIN_NODISCARD rein_status rein_rundir_event(rein_rundir *run, int64_t step, const char *kind, const char *text);

/** A fact of the run that does not depend on the machine ("model.sha256", "tokenizer.sha256", "rein.version"). Setting
 *  the same value again is fine; another value is REIN_ERR_MISMATCH: a resumed run must have what it began with. */
REIN_NODISCARD rein_status rein_rundir_note(rein_rundir *run, const char *key, const char *value);

/** A fact of the machine or of time ("cpu.model", "isa", "threads", "peak_rss_bytes"); the last value wins. */
REIN_NODISCARD rein_status rein_rundir_machine(rein_rundir *run, const char *key, const char *value);

/** Machine facts that can be known here: cpu.model, isa and threads (as given), compiler, peak_rss_bytes so far. */
REIN_NODISCARD rein_status rein_rundir_environment(rein_rundir *run, const char *isa, int threads);

/** One sampled text. Strings may hold any bytes; NULs and invalid UTF-8 become U+FFFD in JSON. */
typedef struct rein_completion {
    int64_t step, prompt, sample; /* ids: unique together */
    const char *prompt_text, *text;
    size_t prompt_len, text_len;
    double reward, advantage;
    const char *finish;     /* "eos", "length", "stop" */
    const char *episode;    /* (episode_len) of several turns: rein_transcript_write's JSON; NULL: one answer */
    size_t episode_len;
    const rein_named *part; /* (n_part) reward components */
    int64_t n_part;
} rein_completion;
/** As a line of JSON, appended. */
void rein_completion_write(const rein_completion *c, rein_str *out);
/** Keep a few a step for people to read: a line of completions/step-SSSSSS.jsonl, and rows. */
REIN_NODISCARD rein_status rein_rundir_completion(rein_rundir *run, const rein_completion *c);

/* ---- evaluations: policies on the same cases ---- */

typedef enum rein_role { REIN_ROLE_MODEL, REIN_ROLE_BASELINE, REIN_ROLE_ORACLE } rein_role;

/** A set of cases. `name` and `step` are unique together in a run; `about` is a line for people ("env=di seed=1 ...").
 *  One that was begun and never ended (a kill) is dropped and begun anew; one that ended is REIN_ERR_USAGE. */
REIN_NODISCARD rein_status rein_rundir_eval_begin(rein_rundir *run, const char *name, int64_t step, const char *about,
                                                  int64_t *eval);

/** A policy of the evaluation, before its cases. `weights_hash` may be NULL (no weights).
 *  REIN_ERR_MISMATCH "same model" if another policy of this evaluation has the same weights. */
REIN_NODISCARD rein_status rein_rundir_eval_policy(rein_rundir *run, int64_t eval, const char *policy, rein_role role,
                                                   const char *weights_hash);

typedef struct rein_eval_case {
    const char *policy;
    int64_t index;  /* of the case, with `sample` unique for a policy */
    int64_t sample; /* 0 if there is one answer a case */
    uint64_t key;   /* rein_task.key: policies are paired by it */
    double reward;  /* finite */
    bool success, format_ok;
    const rein_named *part, *metric; /* (n_part) reward components, (n_metric) facts such as "cost", "final_error" */
    int64_t n_part, n_metric;
    const char *text; /* the answer */
    size_t text_len;
    const char
        *details; /* JSON object of the environment's describe(): {"times":[..],"states":[[..]..],"controls":[..]} */
    size_t details_len; /* 0: none */
} rein_eval_case;
REIN_NODISCARD rein_status rein_rundir_eval_case(rein_rundir *run, int64_t eval, const rein_eval_case *c);

/** All cases are in: from now on readers see the evaluation. */
REIN_NODISCARD rein_status rein_rundir_eval_end(rein_rundir *run, int64_t eval);

/* ---- checkpoints and resume ---- */

/** Forget everything after `step`: lines of metrics.jsonl and timing.jsonl, completions, rows. Journal and commits
 * stay: they are what the replay is checked against. Recorded as an event if there was anything. REIN_ERR_USAGE if a
 * checkpoint after `step` exists: a run is never rewound over a checkpoint. */
REIN_NODISCARD rein_status rein_rundir_rollback(rein_rundir *run, int64_t step);

/** An empty folder to write checkpoint-`step` into; *tmp_dir is valid until publish or close.
 *  REIN_ERR_USAGE if checkpoint-`step` exists. */
REIN_NODISCARD rein_status rein_checkpoint_begin(rein_rundir *run, int64_t step, const char **tmp_dir);

/** Write manifest.json (size and XXH3-128 of every file), make all durable (the logs up to here as well) and rename. */
REIN_NODISCARD rein_status rein_checkpoint_publish(rein_rundir *run, int64_t step);

/** Compare a checkpoint with its manifest. REIN_ERR_MISMATCH names the file that is missing, extra, of another size or
 *  of another hash; REIN_ERR_FORMAT for a manifest that is missing or does not parse. `step` may be NULL. */
REIN_NODISCARD rein_status rein_checkpoint_verify(const char *dir, int64_t *step);

/** The fact that names the checkpoint ("checkpoint-K") that a run stands for; without it that is the newest. */
#define REIN_NOTE_BEST "best_model_checkpoint"

/** Steps of all published checkpoints, ascending; memory in `arena`. */
REIN_NODISCARD rein_status rein_checkpoint_list(const rein_rundir *run, rein_arena *arena, int64_t **steps, int64_t *n);
/** The newest step, or -1. Not verified. */
REIN_NODISCARD rein_status rein_checkpoint_latest(const rein_rundir *run, int64_t *step);
/** "RUN/checkpoint-K" in `arena`. */
REIN_NODISCARD rein_status rein_checkpoint_path(const rein_rundir *run, rein_arena *arena, int64_t step, char **out);
/** Keep the newest `limit` (>= 1) and that of step `best` (-1: none); each removal is an event. */
REIN_NODISCARD rein_status rein_checkpoint_prune(rein_rundir *run, int64_t limit, int64_t best);

/* ---- journal and commit record: what `rein verify` and a replay compare ---- */

/** The rollouts of a step, whole or not at all. A step that is there already must have the same bytes, otherwise
 *  REIN_ERR_MISMATCH: a replay that differs is a failure. */
REIN_NODISCARD rein_status rein_journal_append(rein_rundir *run, int64_t step, const void *bytes, size_t len);
/** Read and check the hash. *found false: no such step. */
REIN_NODISCARD rein_status rein_journal_read(const rein_rundir *run, int64_t step, rein_str *out, bool *found);

enum { REIN_COMMIT_MAX = 16, REIN_COMMIT_HEX = 65 };
/** Named hashes of one step: "rollouts", "rewards", "advantages", "grad", "weights", "optimiser". */
typedef struct rein_commit {
    int64_t step;
    int64_t n;
    struct {
        char name[32];
        char hex[REIN_COMMIT_HEX];
    } hash[REIN_COMMIT_MAX];
} rein_commit;
/** Append a line, durable. If the step is there already, compare instead: REIN_ERR_MISMATCH names the first hash that
 *  differs. */
REIN_NODISCARD rein_status rein_commit_append(rein_rundir *run, const rein_commit *c);
REIN_NODISCARD rein_status rein_commit_read(const rein_rundir *run, int64_t step, rein_commit *out, bool *found);
/** Name of the first hash that differs or is in one only, or NULL if equal. */
const char *rein_commit_difference(const rein_commit *a, const rein_commit *b);

/* ---- reading: all memory in the caller's arena ---- */

typedef struct rein_series {
    const char *name;
    int64_t n;
    int64_t *step; /* (n) ascending */
    double *value; /* (n) NaN where null was logged */
} rein_series;
/** Names in the order of first appearance; one series (n = 0 if there is none). */
REIN_NODISCARD rein_status rein_read_metric_names(const rein_rundir *run, rein_arena *arena, const char ***names,
                                                  int64_t *n);
REIN_NODISCARD rein_status rein_read_series(const rein_rundir *run, rein_arena *arena, const char *name,
                                            rein_series *out);
/** Seconds of each step summed over phases (phase NULL) or of one phase. */
REIN_NODISCARD rein_status rein_read_timing(const rein_rundir *run, rein_arena *arena, const char *phase,
                                            rein_series *out);

typedef struct rein_pair {
    const char *key, *value;
} rein_pair;
REIN_NODISCARD rein_status rein_read_notes(const rein_rundir *run, rein_arena *arena, rein_pair **out, int64_t *n);
REIN_NODISCARD rein_status rein_read_machine(const rein_rundir *run, rein_arena *arena, rein_pair **out, int64_t *n);
/** The value of one fact, or NULL. */
REIN_NODISCARD rein_status rein_read_note(const rein_rundir *run, rein_arena *arena, const char *key,
                                          const char **value);
REIN_NODISCARD rein_status rein_read_config(const rein_rundir *run, rein_str *out);

typedef struct rein_event {
    int64_t step;
    const char *kind, *text;
} rein_event;
REIN_NODISCARD rein_status rein_read_events(const rein_rundir *run, rein_arena *arena, rein_event **out, int64_t *n);

enum { REIN_STEP_FIRST = 0, REIN_STEP_LAST = -1 };
/** At most `limit` completions of a step, or of the first or last one that has any. */
REIN_NODISCARD rein_status rein_read_completions(const rein_rundir *run, rein_arena *arena, int64_t step, int64_t limit,
                                                 rein_completion **out, int64_t *n);

typedef struct rein_eval_policy {
    const char *name, *weights_hash; /* hash NULL: none */
    rein_role role;
    rein_eval_case *cases; /* (n) by index, then sample */
    int64_t n;
} rein_eval_policy;
typedef struct rein_eval {
    int64_t id, step;
    const char *name, *about;
    rein_eval_policy *policies; /* (n_policy) in the order they were declared */
    int64_t n_policy;
} rein_eval;
/** All completed evaluations, in order of id, with all their cases. */
REIN_NODISCARD rein_status rein_read_evals(const rein_rundir *run, rein_arena *arena, rein_eval **out, int64_t *n);

/** Paths of runs below `dir`, itself included, at most `depth` folders deep, sorted. */
REIN_NODISCARD rein_status rein_run_find(const char *dir, int depth, rein_arena *arena, char ***paths, int64_t *n);

#endif
