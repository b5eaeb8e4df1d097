/* Runs of the online trainers, and their replay; see online.h. */
#include "train/online.h"

#include <stdio.h>

#include "env/dataset/dataset.h"
#include "env/open.h"
#include "train/online_loop.h"
#include "train/reward_model.h"

/* ---- one step ---- */

static rein_status store_step(rein_online *o, const rein_commit *commit, const rein_str *journal) {
    rein_trainer *t = &o->t;
    char line[160];
    static const char *const phases[] = {"rollout", "reference", "advantages", "train", "update", "eval"};
    rein_named phase[REIN_COUNT(phases)];
    for (size_t i = 0; i < REIN_COUNT(phases); i++) phase[i] = (rein_named){phases[i], o->report.seconds[i]};
    int64_t first = t->step % t->args->logging_steps == 0 || rein_trainer_done(t) ? 0 : o->n_step_metrics;
    if (first < o->metrics.n) REIN_TRY(rein_rundir_log(t->run, t->step, o->metrics.row + first, o->metrics.n - first));
    REIN_TRY(rein_online_keep_completions(o));
    REIN_TRY(rein_rundir_time(t->run, t->step, phase, REIN_COUNT(phase) - (o->eval_task ? 0 : 1)));
    REIN_TRY(rein_journal_append(t->run, t->step, journal->data, journal->len));
    REIN_TRY(rein_commit_append(t->run, commit));
    snprintf(line, sizeof line, "reward %.2f  success %.2f  format %.2f  grad %.3f  lr %.2e",
             o->report.reward.reward.mean, rein_metric_value(&o->metrics, "success_rate"),
             rein_metric_value(&o->metrics, "format_rate"), o->report.update.grad_norm, o->report.update.learning_rate);
    if (t->watch && t->watch->step) t->watch->step(t->watch->user, t->step, line);
    return rein_trainer_checkpoint(t);
}

static void begin_step(rein_online *o) {
    rein_online_options_at(&o->opt, o->t.args, o->t.step, o->t.steps);
    rein_online_set_beta(o);
    if (!rein_online_counts_tasks(o->t.args)) o->state.drawn = o->t.step * o->P;
    o->report = (rein_online_report){.radius = rein_online_radius(o)};
}

static rein_status timed(rein_online *o, rein_status (*stage)(rein_online *o), int phase) {
    double start = rein_clock();
    REIN_TRY(stage(o));
    o->report.seconds[phase] = rein_clock() - start;
    return REIN_OK;
}

static rein_status online_step(rein_online *o, rein_commit *commit, rein_str *journal) {
    begin_step(o);
    REIN_TRY(timed(o, rein_online_sample, 0));
    REIN_TRY(timed(o, rein_online_judge, 1));
    REIN_TRY(timed(o, rein_online_credit, 2));
    rein_str_clear(journal);
    REIN_TRY(rein_rollouts_write(&o->rollouts, journal));
    *commit = (rein_commit){.step = o->t.step + 1};
    rein_commit_add(commit, "rollouts", journal->data, journal->len);
    rein_commit_add(commit, "advantages", o->advantage, (size_t)o->N * sizeof *o->advantage);
    if (rein_online_per_token(o))
        rein_commit_add(commit, "token_advantages", o->tokens.advantage,
                        (size_t)o->tokens.rows.offset[o->N] * sizeof *o->tokens.advantage);
    REIN_TRY(rein_online_update(o));
    rein_online_steer_beta(o);
    REIN_TRY(rein_online_sync(o));
    REIN_TRY(rein_online_measure(o));
    REIN_TRY(rein_trainer_observe(&o->t, o->metrics.row, o->metrics.n));
    REIN_TRY(timed(o, rein_online_evaluate, 5));
    REIN_TRY(rein_online_commit(o, commit));
    return o->t.run ? store_step(o, commit, journal) : REIN_OK;
}

/* ---- whole runs ---- */

static rein_status note_reference(rein_online *o) {
    char hex[REIN_XXH_HEX];
    rein_model_hash(o->t.model, hex);
    if (o->t.step == 0) REIN_TRY(rein_rundir_note(o->t.run, "model.start", hex));
    if (!o->ref) return rein_rundir_note(o->t.run, "reference", "none");
    if (o->t.args->sync_ref_model && o->t.step > 0) return REIN_OK; /* it has moved since */
    REIN_TRY(rein_rundir_note(o->t.run, "reference", o->t.args->ref_model));
    rein_model_hash(o->ref, hex);
    return rein_rundir_note(o->t.run, "reference.hash", hex);
}

static rein_status note_data(rein_online *o) {
    char hex[REIN_SHA256_HEX];
    if (!o->t.args->dataset_name) return REIN_OK;
    REIN_TRY(rein_sha256_file(hex, o->t.args->dataset_name));
    return rein_rundir_note(o->t.run, "data.sha256", hex);
}

static rein_status train(rein_online *o, const char *config_yaml) {
    rein_trainer *t = &o->t;
    const char *name = rein_online_name(o->kind);
    rein_commit commit;
    rein_str journal = {0};
    rein_status status;
    REIN_TRY(rein_trainer_open_run(t, name, config_yaml));
    REIN_TRY(note_reference(o));
    REIN_TRY(note_data(o));
    if (t->watch && t->watch->begin) t->watch->begin(t->watch->user, name, t->step, t->steps);
    while (!rein_trainer_done(t)) REIN_TRY_OUT(status, online_step(o, &commit, &journal), out);
    status = rein_trainer_note(t);
out:
    rein_str_deinit(&journal);
    return status;
}

rein_status rein_online_run_env(rein_online_kind kind, const rein_train_args *args, const char *config_yaml,
                                const rein_env *env, rein_device *dev, const rein_train_watch *watch) {
    rein_online *o;
    if (!args->output_dir) return rein_fail(REIN_ERR_USAGE, "option --output_dir is missing");
    REIN_TRY(rein_alloc(&o, 1, sizeof *o));
    rein_status status = rein_online_init(o, kind, args, env, dev, watch);
    if (status == REIN_OK) status = train(o, config_yaml);
    rein_online_deinit(o);
    rein_free(o);
    return status;
}

rein_status rein_online_replay_env(rein_online_kind kind, const rein_train_args *args, const rein_env *env,
                                   rein_device *dev, const char *checkpoint, int64_t step, rein_commit *out,
                                   rein_str *journal) {
    rein_online *o;
    rein_str own = {0};
    REIN_TRY(rein_alloc(&o, 1, sizeof *o));
    rein_status status = rein_online_init(o, kind, args, env, dev, NULL);
    if (status == REIN_OK && checkpoint) status = rein_trainer_restore(&o->t, checkpoint);
    while (status == REIN_OK && o->t.step < step) status = online_step(o, out, journal ? journal : &own);
    rein_online_deinit(o);
    rein_free(o);
    rein_str_deinit(&own);
    return status;
}

/* ---- the commands ---- */

/* The environment of a run: --env, or the rows of --dataset_name. */
static rein_status open_env(rein_env **env, const rein_train_args *a, rein_device *dev) {
    if (a->env && a->dataset_name)
        return rein_fail(REIN_ERR_USAGE, "env '%s' and dataset_name '%s': give one of them", a->env, a->dataset_name);
    if (a->env && (a->reward_funcs || a->reward_weights))
        return rein_fail(REIN_ERR_USAGE,
                         "reward_funcs and reward_weights belong to dataset_name; env '%s' has its own rewards",
                         a->env);
    const rein_reward_host host = rein_reward_model_host(dev);
    if (a->env) return rein_env_open_host(env, a->env, &host);
    if (!a->dataset_name) return rein_fail(REIN_ERR_USAGE, "give --env, or --dataset_name with --reward_funcs");
    rein_dataset_config config = {.train = a->dataset_name,
                                  .eval = a->eval_dataset_name,
                                  .eval_fraction = a->eval_split_ratio,
                                  .host = &host,
                                  .reward_funcs = a->reward_funcs,
                                  .reward_weights = a->reward_weights,
                                  .reward_timeout = a->reward_timeout,
                                  .shuffle_dataset = a->shuffle_dataset};
    return rein_dataset_class.create(env, &config);
}

static rein_status run(rein_online_kind kind, const rein_train_args *args, const char *config_yaml, rein_device *dev,
                       const rein_train_watch *watch) {
    rein_env *env;
    REIN_TRY(open_env(&env, args, dev));
    rein_status status = rein_online_run_env(kind, args, config_yaml, env, dev, watch);
    rein_env_close(env);
    return status;
}

static rein_status replay(rein_online_kind kind, const rein_train_args *args, rein_device *dev, const char *checkpoint,
                          int64_t step, rein_commit *out, rein_str *journal) {
    rein_env *env;
    REIN_TRY(open_env(&env, args, dev));
    rein_status status = rein_online_replay_env(kind, args, env, dev, checkpoint, step, out, journal);
    rein_env_close(env);
    return status;
}

rein_status rein_grpo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                          const rein_train_watch *watch) {
    return run(REIN_ONLINE_GRPO, args, config_yaml, dev, watch);
}

rein_status rein_grpo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint, int64_t step,
                             rein_commit *out, rein_str *journal) {
    return replay(REIN_ONLINE_GRPO, args, dev, checkpoint, step, out, journal);
}

rein_status rein_rloo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                          const rein_train_watch *watch) {
    return run(REIN_ONLINE_RLOO, args, config_yaml, dev, watch);
}

rein_status rein_rloo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint, int64_t step,
                             rein_commit *out, rein_str *journal) {
    return replay(REIN_ONLINE_RLOO, args, dev, checkpoint, step, out, journal);
}

rein_status rein_ppo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                         const rein_train_watch *watch) {
    return run(REIN_ONLINE_PPO, args, config_yaml, dev, watch);
}

rein_status rein_ppo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint, int64_t step,
                            rein_commit *out, rein_str *journal) {
    return replay(REIN_ONLINE_PPO, args, dev, checkpoint, step, out, journal);
}
