/* rein verify: recompute a step of a run, or of every training run of a pipeline, and compare it with the record. */
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "train/kinds.h"
#include "train/verify.h"

typedef struct values {
    int64_t step;
} values;

static const rein_option options[] = {
    {"step", REIN_OPT_INT, offsetof(values, step), "0", 0, 2147483647, NULL,
     "the step to recompute; 0: the first one after the last checkpoint but one", "K"},
};

static void put(const rein_cli *cli, const char *path, const rein_verified *v, rein_status status, bool first) {
    if (!cli->json) {
        if (status == REIN_OK) fprintf(cli->out, "%s: step %lld is equal\n", path, (long long)v->step);
        return;
    }
    rein_str s = {0};
    rein_str_printf(&s, "%s{\"run\":", first ? "" : ",");
    rein_json_put_string(&s, path, strlen(path));
    rein_str_printf(&s, ",\"step\":%lld,\"equal\":%s", (long long)v->step, status == REIN_OK ? "true" : "false");
    if (v->name[0])
        rein_str_printf(&s, ",\"name\":\"%s\",\"expected\":\"%s\",\"found\":\"%s\"", v->name, v->expected, v->found);
    if (status != REIN_OK) {
        rein_str_puts(&s, ",\"error\":");
        rein_json_put_string(&s, rein_error_message(), strlen(rein_error_message()));
    }
    rein_str_putc(&s, '}');
    if (!s.failed) fputs(s.data, cli->out);
    rein_str_deinit(&s);
}

/* The training runs at and below `path`. */
static rein_status training_runs(char ***paths, int64_t *n, rein_arena *arena, const char *path) {
    int64_t kept = 0;
    REIN_TRY(rein_run_find(path, 3, arena, paths, n));
    for (int64_t i = 0; i < *n; i++) {
        rein_rundir *run;
        REIN_TRY(rein_rundir_open(&run, (*paths)[i], false));
        bool trains = rein_train_kind_of(rein_rundir_kind(run)) != NULL;
        rein_rundir_close(run);
        if (trains) (*paths)[kept++] = (*paths)[i];
    }
    *n = kept;
    return kept ? REIN_OK : rein_fail(REIN_ERR_USAGE, "'%s' holds no training run", path);
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    rein_device *dev = NULL;
    rein_arena arena = {0};
    char **paths;
    int64_t n;
    rein_status status, worst = REIN_OK;
    (void)n_words;
    REIN_TRY_OUT(status, training_runs(&paths, &n, &arena, words[0]), out);
    REIN_TRY_OUT(status, rein_device_open_cpu(&dev, cli->isa, cli->threads), out);
    if (cli->json) fputs("{\"steps\":[", cli->out);
    for (int64_t i = 0; i < n && worst == REIN_OK; i++) {
        rein_verified done;
        worst = rein_verify(&done, paths[i], v->step, dev);
        put(cli, paths[i], &done, worst, i == 0);
        if (worst != REIN_OK) rein_error_prefix(worst, "%s", paths[i]);
    }
    if (cli->json) fputs("]}\n", cli->out);
    status = worst;
out:
    rein_device_close(dev);
    rein_arena_deinit(&arena);
    return status;
}

const rein_command rein_cmd_verify = {"verify", "RUN", "recompute a step and compare its hashes", options,
                                      REIN_COUNT(options), sizeof(values), 1, 1, run, NULL, 0};
