/* Where a named model lies; see resolve.h. */
#include "run/resolve.h"

#include "base/file.h"
#include "io/peft.h"
#include "run/run.h"

/* The checkpoint that a run stands for. */
static rein_status checkpoint_of(char **dir, rein_arena *arena, const char *path) {
    rein_rundir *run;
    const char *best = NULL;
    int64_t step;
    REIN_TRY(rein_rundir_open(&run, path, false));
    rein_status status = rein_checkpoint_latest(run, &step);
    if (status == REIN_OK && step < 0)
        status = rein_fail(REIN_ERR_IO, "run '%s' has no checkpoint yet; name a model directory or train first", path);
    if (status == REIN_OK) status = rein_read_note(run, arena, REIN_NOTE_BEST, &best);
    if (status == REIN_OK)
        status = best ? rein_path_format(arena, dir, "%s/%s", path, best) : rein_checkpoint_path(run, arena, step, dir);
    if (status == REIN_OK) status = rein_checkpoint_verify(*dir, NULL);
    rein_rundir_close(run);
    return status;
}

rein_status rein_model_dir_resolve(char **dir, rein_arena *arena, const char *path) {
    char *config;
    REIN_TRY(rein_path_format(arena, &config, "%s/config.json", path));
    bool file = rein_path_exists(path) && !rein_path_is_dir(path); /* GGUF; opening it says if not */
    if (file || rein_path_exists(config) || rein_peft_is_dir(path)) return rein_path_format(arena, dir, "%s", path);
    if (rein_rundir_exists(path)) return checkpoint_of(dir, arena, path);
    return rein_fail(REIN_ERR_IO,
                     "'%s' is no model directory (config.json is missing), no adapter, no GGUF file and no run", path);
}
