/* Recomputing steps; see verify.h. */
#include "train/verify.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml.h"
#include "train/kinds.h"

static rein_status read_args(rein_options *opts, rein_train_args *args, const rein_rundir *run,
                             const rein_train_kind *kind) {
    rein_arena arena = {0};
    rein_str yaml = {0};
    const rein_yaml_node *root;
    rein_status status;
    REIN_TRY(rein_options_init_use(opts, rein_train_rows, kind->use, args));
    REIN_TRY_OUT(status, rein_read_config(run, &yaml), out);
    REIN_TRY_OUT(status, rein_yaml_parse(&root, &arena, "config.yaml", yaml.data, yaml.len), out);
    REIN_TRY_OUT(status, rein_options_load_yaml(opts, root), out);
out:
    rein_str_deinit(&yaml);
    rein_arena_deinit(&arena);
    return status;
}

/* Every checkpoint is what its manifest says. *before: the newest one before `step` (0: choose the step), -1 if none. */
static rein_status check_checkpoints(const rein_rundir *run, rein_arena *arena, int64_t *step, int64_t *before) {
    int64_t *steps, n;
    REIN_TRY(rein_checkpoint_list(run, arena, &steps, &n));
    for (int64_t i = 0; i < n; i++) {
        char *dir;
        REIN_TRY(rein_checkpoint_path(run, arena, steps[i], &dir));
        REIN_TRY(rein_checkpoint_verify(dir, NULL));
    }
    if (*step == 0) *step = n >= 2 ? steps[n - 2] + 1 : 1;
    *before = -1;
    for (int64_t i = 0; i < n; i++)
        if (steps[i] < *step) *before = steps[i];
    return REIN_OK;
}

/* The rollouts of every step up to the newest checkpoint are there, and what their own hash says. */
static rein_status check_journal(const rein_rundir *run) {
    rein_str bytes = {0};
    int64_t last;
    bool found;
    rein_status status;
    REIN_TRY(rein_checkpoint_latest(run, &last));
    for (int64_t step = 1; step <= last; step++) {
        REIN_TRY_OUT(status, rein_journal_read(run, step, &bytes, &found), out);
        if (found) continue;
        status = rein_fail(REIN_ERR_MISMATCH, "run '%s': journal/step-%06lld.bin is missing", rein_rundir_path(run),
                           (long long)step);
        goto out;
    }
    status = REIN_OK;
out:
    rein_str_deinit(&bytes);
    return status;
}

static rein_status compare(rein_verified *out, const rein_commit *want, const rein_commit *got) {
    const char *name = rein_commit_difference(want, got);
    out->equal = !name;
    if (!name) return REIN_OK;
    snprintf(out->name, sizeof out->name, "%s", name);
    for (int64_t i = 0; i < want->n; i++)
        if (strcmp(want->hash[i].name, name) == 0) memcpy(out->expected, want->hash[i].hex, REIN_COMMIT_HEX);
    for (int64_t i = 0; i < got->n; i++)
        if (strcmp(got->hash[i].name, name) == 0) memcpy(out->found, got->hash[i].hex, REIN_COMMIT_HEX);
    return rein_fail(REIN_ERR_MISMATCH, "step %lld: %s differs: recorded %s, recomputed %s", (long long)out->step, name,
                     out->expected, out->found);
}

static rein_status replay(rein_commit *got, const rein_rundir *run, const rein_train_args *args,
                          const rein_train_kind *kind, const char *checkpoint, const rein_verified *v, rein_device *dev) {
    if (!kind->samples) return kind->replay(args, dev, checkpoint, v->step, got, NULL);
    rein_str mine = {0}, theirs = {0};
    bool found;
    rein_status status;
    REIN_TRY_OUT(status, rein_journal_read(run, v->step, &theirs, &found), out);
    REIN_TRY_OUT(status, kind->replay(args, dev, checkpoint, v->step, got, &mine), out);
    if (!found)
        status = rein_fail(REIN_ERR_MISMATCH, "step %lld: its journal is missing", (long long)v->step);
    else if (mine.len != theirs.len || memcmp(mine.data, theirs.data, mine.len) != 0)
        status = rein_fail(REIN_ERR_MISMATCH, "step %lld: the journal holds other rollouts than are recomputed",
                           (long long)v->step);
out:
    rein_str_deinit(&mine);
    rein_str_deinit(&theirs);
    return status;
}

rein_status rein_verify(rein_verified *out, const char *path, int64_t step, rein_device *dev) {
    rein_rundir *run;
    rein_arena arena = {0};
    rein_options opts = {0};
    rein_train_args args = {0};
    rein_commit want, got;
    bool found;
    int64_t before = -1;
    char *checkpoint = NULL;
    rein_status status;
    *out = (rein_verified){0};
    REIN_TRY(rein_rundir_open(&run, path, false));
    const rein_train_kind *kind = rein_train_kind_of(rein_rundir_kind(run));
    if (!kind) {
        status = rein_fail(REIN_ERR_USAGE, "'%s' is a run of kind '%s'; verify takes a training run", path,
                           rein_rundir_kind(run));
        goto out;
    }
    REIN_TRY_OUT(status, check_checkpoints(run, &arena, &step, &before), out);
    if (kind->samples) REIN_TRY_OUT(status, check_journal(run), out);
    out->step = step;
    REIN_TRY_OUT(status, rein_commit_read(run, step, &want, &found), out);
    if (!found) {
        status = rein_fail(REIN_ERR_USAGE, "'%s' has no committed step %lld", path, (long long)step);
        goto out;
    }
    REIN_TRY_OUT(status, read_args(&opts, &args, run, kind), out);
    if (before >= 0) REIN_TRY_OUT(status, rein_checkpoint_path(run, &arena, before, &checkpoint), out);
    REIN_TRY_OUT(status, replay(&got, run, &args, kind, checkpoint, out, dev), out);
    status = compare(out, &want, &got);
out:
    rein_options_deinit(&opts);
    rein_arena_deinit(&arena);
    rein_rundir_close(run);
    return status;
}
