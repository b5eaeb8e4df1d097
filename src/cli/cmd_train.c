/* rein sft, dpo, reward train, distill, grpo, rloo, ppo: one training run, with progress on stderr and a line of results on stdout. */
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "run/run.h"
#include "tensor/device.h"
#include "train/kinds.h"

static void begin(void *user, const char *label, int64_t step, int64_t steps) {
    (void)user;
    rein_progress_begin(label, step, steps);
}

static void step(void *user, int64_t done, const char *line) {
    (void)user;
    rein_progress_step(done, line);
}

static void detail(void *user, const char *text) {
    (void)user;
    rein_progress_detail(text);
}

static const rein_train_watch on_stderr = {begin, step, detail, NULL};

/* What a finished run is: its newest checkpoint and the hash of its weights. */
static rein_status print_result(const rein_cli *cli, const rein_train_args *args) {
    rein_rundir *run;
    int64_t last;
    rein_commit commit;
    bool found;
    REIN_TRY(rein_rundir_open(&run, args->output_dir, false));
    rein_status status = rein_checkpoint_latest(run, &last);
    if (status == REIN_OK) status = rein_commit_read(run, last, &commit, &found);
    rein_rundir_close(run);
    REIN_TRY(status);
    const char *weights = "";
    for (int64_t i = 0; found && i < commit.n; i++)
        if (strcmp(commit.hash[i].name, "weights") == 0) weights = commit.hash[i].hex;
    rein_str s = {0};
    rein_str_puts(&s, "{\"run\":");
    rein_json_put_string(&s, args->output_dir, strlen(args->output_dir));
    rein_str_printf(&s, ",\"checkpoint\":\"checkpoint-%lld\",\"weights\":\"%s\"}\n", (long long)last, weights);
    status = rein_str_check(&s);
    if (status == REIN_OK && cli->json) fputs(s.data, cli->out);
    if (status == REIN_OK && !cli->json)
        fprintf(cli->out, "%s/checkpoint-%lld  weights %s\n", args->output_dir, (long long)last, weights);
    rein_str_deinit(&s);
    return status;
}

static rein_status run_training(const rein_cli *cli, const rein_options *opts, const char *kind) {
    const rein_train_args *args = opts->values;
    rein_device *dev = NULL;
    rein_str yaml = {0};
    rein_status status;
    rein_options_write_yaml(opts, &yaml);
    REIN_TRY_OUT(status, rein_str_check(&yaml), out);
    REIN_TRY_OUT(status, rein_device_open_cpu(&dev, cli->isa, cli->threads), out);
    REIN_TRY_OUT(status, rein_train_kind_of(kind)->run(args, yaml.data, dev, &on_stderr), out);
    rein_progress_end();
    REIN_TRY_OUT(status, print_result(cli, args), out);
out:
    rein_str_deinit(&yaml);
    rein_device_close(dev);
    return status;
}

static rein_status run_sft(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)words;
    (void)n_words;
    return run_training(cli, opts, "sft");
}

static rein_status run_dpo(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)words;
    (void)n_words;
    return run_training(cli, opts, "dpo");
}

static rein_status run_reward(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)words;
    (void)n_words;
    return run_training(cli, opts, "reward");
}

static rein_status run_distill(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)words;
    (void)n_words;
    return run_training(cli, opts, "distill");
}

static rein_status run_grpo(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)words;
    (void)n_words;
    return run_training(cli, opts, "grpo");
}

static rein_status run_rloo(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)words;
    (void)n_words;
    return run_training(cli, opts, "rloo");
}

static rein_status run_ppo(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)words;
    (void)n_words;
    return run_training(cli, opts, "ppo");
}

#define TRAINING(title, text, function, bit)                                                                           \
    {.name = title, .summary = text, .values_size = sizeof(rein_train_args), .run = function,                          \
     .shared = rein_train_rows, .use = bit}

const rein_command rein_cmd_sft = TRAINING("sft", "supervised fine-tuning", run_sft, REIN_USE_SFT);
const rein_command rein_cmd_dpo =
    TRAINING("dpo", "preference optimisation: DPO, IPO, SimPO, ORPO, KTO and others", run_dpo, REIN_USE_DPO);
const rein_command rein_cmd_reward_train =
    TRAINING("reward train", "a reward model from pairs of answers", run_reward, REIN_USE_REWARD);
const rein_command rein_cmd_distill =
    TRAINING("distill", "learn a teacher's distribution, on given or on sampled answers", run_distill, REIN_USE_DISTILL);
const rein_command rein_cmd_grpo =
    TRAINING("grpo", "group-relative policy optimisation in an environment", run_grpo, REIN_USE_GRPO);
const rein_command rein_cmd_rloo =
    TRAINING("rloo", "REINFORCE leave-one-out in an environment", run_rloo, REIN_USE_RLOO);
const rein_command rein_cmd_ppo =
    TRAINING("ppo", "proximal policy optimisation with a value function in an environment", run_ppo, REIN_USE_PPO);
