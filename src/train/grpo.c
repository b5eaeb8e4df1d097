/* Group-relative policy optimisation; see grpo.h. */
#include "train/grpo.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "env/dataset/dataset.h"
#include "env/open.h"
#include "rl/advantage.h"
#include "rl/loss.h"
#include "train/group.h"
#include "train/metrics.h"

typedef struct grpo {
    rein_trainer t;
    const rein_env *env;
    rein_prompt_chat chat;
    rein_model *ref; /* NULL: beta is 0 */
    rein_leaf ref_leaf;
    rein_loss_options loss;
    int64_t P;       /* prompts of a step */
    int32_t eos[REIN_MAX_EOS];
    rein_rollouts rollouts;
    rein_group_batch batch;
    double *advantage;  /* (P * G) */
    uint8_t *mask;      /* (n_tok) of the current batch, in its arena */
    rein_loss_row *row; /* (P * G) */
    rein_loss_metrics first; /* of the first iteration */
    rein_update update;
    rein_metric_list metrics;
    double seconds[4];  /* rollout, score and advantages, train, update */
} grpo;

/* ---- set-up ---- */

static void grpo_deinit(grpo *g) {
    rein_leaf_deinit(&g->ref_leaf);
    rein_model_destroy(g->ref);
    rein_group_batch_deinit(&g->batch);
    rein_rollouts_deinit(&g->rollouts);
    rein_prompt_chat_close(&g->chat);
    rein_free(g->advantage);
    rein_free(g->row);
    rein_trainer_deinit(&g->t);
}

static rein_status check_args(const rein_train_args *a) {
    int64_t rows = a->per_device_train_batch_size * a->gradient_accumulation_steps;
    if (!a->model_name_or_path) return rein_fail(REIN_ERR_USAGE, "option --model_name_or_path is missing");
    if (a->max_steps < 1) return rein_fail(REIN_ERR_USAGE, "max_steps %lld: give the number of steps", (long long)a->max_steps);
    if (rows % a->num_generations != 0)
        return rein_fail(REIN_ERR_USAGE,
                         "per_device_train_batch_size * gradient_accumulation_steps = %lld is no multiple of "
                         "num_generations %lld",
                         (long long)rows, (long long)a->num_generations);
    if (a->beta > 0 && !a->ref_model)
        return rein_fail(REIN_ERR_USAGE, "beta %g needs a reference: --ref_model init, base or a model directory", a->beta);
    if (a->beta == 0 && a->ref_model)
        return rein_fail(REIN_ERR_USAGE, "ref_model '%s' is given but beta is 0, so nothing would read it", a->ref_model);
    return REIN_OK;
}

static rein_loss_options loss_options(const rein_train_args *a) {
    rein_loss_options o = rein_loss_options_default();
    o.loss_type = (rein_loss_type)a->loss_type;
    o.importance_sampling_level = (rein_level)a->importance_sampling_level;
    o.beta = a->beta;
    o.epsilon = a->epsilon;
    o.epsilon_high = a->epsilon_high;
    o.delta = a->delta;
    o.use_bias_correction_kl = a->use_bias_correction_kl;
    return o;
}

static rein_status load_reference(grpo *g) {
    const rein_train_args *a = g->t.args;
    if (a->beta == 0) return REIN_OK;
    REIN_TRY(rein_start_reference(&g->ref, a, g->t.dev));
    if (g->ref->cfg.V != g->t.model->cfg.V)
        return rein_fail(REIN_ERR_USAGE, "reference '%s' has a vocabulary of %lld, the policy %lld", a->ref_model,
                         (long long)g->ref->cfg.V, (long long)g->t.model->cfg.V);
    return rein_leaf_init(&g->ref_leaf, g->ref);
}

static rein_status load_chat(grpo *g) {
    const rein_train_args *a = g->t.args;
    const rein_prompt_chat_args args = {a->system_prompt, a->chat_template_kwargs, a->chat};
    return rein_start_chat(&g->chat, a->model_name_or_path, &args);
}

static rein_status grpo_init(grpo *g, const rein_train_args *a, const rein_env *env, rein_device *dev,
                             const rein_train_watch *watch) {
    rein_model *model = NULL;
    rein_tokenizer *tok = NULL;
    REIN_TRY(check_args(a));
    g->loss = loss_options(a);
    rein_status status = rein_loss_options_check(&g->loss);
    if (status != REIN_OK) return rein_fail(REIN_ERR_USAGE, "%s", rein_error_message());
    status = rein_start_policy(&model, &tok, a, dev);
    if (status != REIN_OK) {
        rein_model_destroy(model);
        rein_tokenizer_destroy(tok);
        return rein_trace_add(status, __FILE__, __LINE__);
    }
    REIN_TRY(rein_trainer_init(&g->t, a, dev, model, tok, watch));
    g->env = env;
    g->t.steps = a->max_steps;
    g->P = a->per_device_train_batch_size * a->gradient_accumulation_steps / a->num_generations;
    for (int i = 0; i < model->cfg.n_eos; i++) g->eos[i] = (int32_t)model->cfg.eos_id[i];
    REIN_TRY(rein_alloc(&g->advantage, g->P * a->num_generations, sizeof *g->advantage));
    REIN_TRY(rein_alloc(&g->row, g->P * a->num_generations, sizeof *g->row));
    REIN_TRY(load_chat(g));
    return load_reference(g);
}

/* ---- rollouts and advantages ---- */

static void show_rollout(void *user, int64_t done, int64_t all, int64_t tokens) {
    const rein_train_watch *w = user;
    char text[96];
    snprintf(text, sizeof text, "rollout %lld/%lld, %lld tokens", (long long)done, (long long)all, (long long)tokens);
    if (w && w->detail) w->detail(w->user, text);
}

static rein_status sample(grpo *g) {
    const rein_train_args *a = g->t.args;
    rein_rollout_setup setup = {
        .model = g->t.model, .tokenizer = g->t.tokenizer, .env = g->env, .chat = &g->chat, .G = a->num_generations,
        .gen = {.sampling = {.temperature = a->temperature, .top_k = a->top_k, .top_p = a->top_p, .min_p = a->min_p},
                .max_new_tokens = a->max_completion_length,
                .max_batch = a->generation_batch, .seed = (uint64_t)a->seed, .stream = REIN_STREAM_SAMPLE,
                .step = (uint32_t)g->t.step, .eos = g->eos, .n_eos = g->t.model->cfg.n_eos}};
    rein_task *tasks;
    rein_status status = REIN_OK;
    REIN_TRY(rein_alloc(&tasks, g->P, sizeof *tasks));
    for (int64_t p = 0; p < g->P && status == REIN_OK; p++)
        status = g->env->cls->task(g->env, (uint64_t)a->seed, REIN_SPLIT_TRAIN, g->t.step * g->P + p, &tasks[p]);
    rein_rollouts_deinit(&g->rollouts);
    if (status == REIN_OK)
        status = rein_rollouts_collect(&g->rollouts, &setup, tasks, g->P, show_rollout, (void *)(uintptr_t)g->t.watch);
    rein_free(tasks);
    return status;
}

/* Rewards as advantages read them: (N, *n_func) by reward function, or the totals where there are none. */
static void fill_rewards(double *reward, double *weight, int64_t n_func, const rein_rollouts *r) {
    for (int64_t i = 0; i < r->gen.n_seq; i++) {
        const rein_score *s = &r->score[i];
        for (int64_t k = 0; k < n_func; k++) {
            reward[i * n_func + k] = s->n_func > 0 ? s->func[k].value : s->total;
            weight[k] = s->n_func > 0 ? s->weight[k] : 1;
        }
    }
}

static rein_status advantages(grpo *g, rein_advantage_stats *stats) {
    const rein_train_args *a = g->t.args;
    const rein_score *score = g->rollouts.score;
    int64_t N = g->P * a->num_generations, n_func = score[0].n_func > 0 ? score[0].n_func : 1;
    double *reward, weight[REIN_SCORE_PARTS];
    for (int64_t i = 0; i < N; i++)
        if (score[i].n_func != score[0].n_func)
            return rein_fail(REIN_ERR_MISMATCH, "answer %lld has %d reward functions, answer 0 has %d", (long long)i,
                             score[i].n_func, score[0].n_func);
    REIN_TRY(rein_alloc(&reward, N * n_func, sizeof *reward));
    fill_rewards(reward, weight, n_func, &g->rollouts);
    rein_advantage_args args = {.reward = reward, .weight = weight, .N = N, .G = a->num_generations, .n_func = n_func,
                                .scale = (rein_scale_rewards)a->scale_rewards,
                                .aggregation = (rein_aggregation)a->multi_objective_aggregation,
                                .allow_missing = score[0].n_func > 0};
    rein_status status = rein_advantages(g->advantage, stats, NULL, &args);
    rein_free(reward);
    return status;
}

static rein_status make_batch(grpo *g) {
    const rein_train_args *a = g->t.args;
    rein_group_batch *b = &g->batch;
    rein_group_batch_deinit(b);
    REIN_TRY(rein_group_batch_make(b, &g->rollouts, (float)a->temperature, a->microbatch_tokens));
    REIN_TRY(rein_arena_alloc(&b->arena, &g->mask, (size_t)b->forest.n_tok));
    memcpy(g->mask, b->forest.want, (size_t)b->forest.n_tok);
    for (int64_t i = 0; i < b->n_seq; i++)
        if (a->mask_truncated_completions && g->rollouts.gen.seq[i].finish == REIN_FINISH_LENGTH)
            memset(g->mask + b->first[i], 0, (size_t)b->n[i]);
    return REIN_OK;
}

/* ---- loss and gradient ---- */

/* Logical micro-batches are runs of per_device_train_batch_size sequences; `begin` is the first of one. */
static double divisor(const grpo *g, int64_t begin) {
    const rein_train_args *a = g->t.args;
    const rein_group_batch *b = &g->batch;
    rein_loss_scope scope = {.sequences = a->per_device_train_batch_size,
                             .max_completion_length = a->max_completion_length,
                             .gradient_accumulation_steps = a->gradient_accumulation_steps,
                             .steps_per_generation = a->gradient_accumulation_steps};
    for (int64_t i = 0; i < b->n_seq; i++) {
        int64_t n = rein_loss_count(g->mask + b->first[i], b->n[i]);
        scope.generation_tokens += n;
        if (i >= begin && i < begin + a->per_device_train_batch_size) scope.tokens += n;
    }
    return rein_loss_norm(&g->loss, &scope);
}

/* Loss of sequences [begin, end), cut where logical micro-batches end. */
static rein_status loss_of(grpo *g, int64_t begin, int64_t end) {
    rein_group_batch *b = &g->batch;
    int64_t size = g->t.args->per_device_train_batch_size;
    int64_t *offset;
    REIN_TRY(rein_alloc(&offset, end - begin + 1, sizeof *offset));
    rein_status status = REIN_OK;
    for (int64_t at = begin; at < end && status == REIN_OK;) {
        int64_t micro = at / size * size, stop = micro + size < end ? micro + size : end;
        for (int64_t i = at; i < stop; i++) offset[i - at] = b->first[i]; /* a prompt in between is masked */
        offset[stop - at] = b->first[stop - 1] + b->n[stop - 1];
        rein_loss_batch batch = {.B = stop - at, .offset = offset, .logp = b->logp, .old_logp = b->old_logp,
                                 .ref_logp = g->ref ? b->ref_logp : NULL, .entropy = b->entropy, .mask = g->mask,
                                 .advantage = g->advantage + at};
        status = rein_loss_policy(g->row + at, b->dlogp + b->first[at], &batch, &g->loss, divisor(g, micro));
        at = stop;
    }
    rein_free(offset);
    return status;
}

/* Sequences whose spans take gradient in a part: they are consecutive. */
static void sequences_of(const grpo *g, int64_t part, int64_t *begin, int64_t *end) {
    const rein_group_batch *b = &g->batch;
    *begin = b->n_seq;
    *end = 0;
    for (int64_t i = 0; i < b->n_seq; i++) {
        if (g->t.leaf.member[b->span[i]] != part) continue;
        if (i < *begin) *begin = i;
        *end = i + 1;
    }
}

static rein_status reference_logp(grpo *g) {
    rein_group_batch *b = &g->batch;
    if (!g->ref) return REIN_OK;
    REIN_TRY(rein_leaf_begin(&g->ref_leaf, &b->forest, &b->plan, &b->sampling));
    for (int64_t p = 0; p < b->plan.n_part; p++) REIN_TRY(rein_leaf_forward(&g->ref_leaf, p, &(rein_leaf_values){.logp = b->ref_logp}));
    return REIN_OK;
}

static rein_status iteration(grpo *g, int64_t k) {
    rein_trainer *t = &g->t;
    rein_group_batch *b = &g->batch;
    rein_loss_metrics metrics;
    rein_grads_zero(&t->grads, t->model);
    rein_trainer_dropout(t, t->step, k);
    bool exact = t->leaf.pass.dropout.p == 0;
    REIN_TRY(rein_leaf_begin(&t->leaf, &b->forest, &b->plan, &b->sampling));
    for (int64_t p = 0; p < b->plan.n_part; p++) {
        int64_t begin, end;
        REIN_TRY(rein_leaf_forward(&t->leaf, p, &(rein_leaf_values){.logp = b->logp, .entropy = b->entropy}));
        if (k == 0 && exact) REIN_TRY(rein_group_audit(b, p));
        sequences_of(g, p, &begin, &end);
        if (begin < end) REIN_TRY(loss_of(g, begin, end));
        REIN_TRY(rein_leaf_backward(&t->leaf, &(rein_leaf_gradient){.logp = b->dlogp}, &t->grads));
    }
    t->leaf.pass.dropout = (rein_dropout){0};
    rein_grads_finish(&t->grads, t->model);
    rein_loss_finish(&metrics, g->row, b->n_seq, &g->loss);
    if (k == 0) g->first = metrics;
    if (metrics.nonfinite > 0)
        return rein_fail(REIN_ERR_NUMERIC, "step %lld: the loss of %lld tokens is not finite; the update is refused",
                         (long long)t->step, (long long)metrics.nonfinite);
    return REIN_OK;
}

/* One sequence again, alone and without a shared prefix: the same bits. */
static rein_status audit_alone(grpo *g) {
    const rein_train_args *a = g->t.args;
    const rein_group_batch *b = &g->batch;
    if (a->audit_every == 0 || g->t.step % a->audit_every != 0) return REIN_OK;
    int64_t i = (int64_t)rein_random_below((uint64_t)b->n_seq, (uint64_t)a->seed, REIN_STREAM_SHUFFLE, UINT32_MAX,
                                           (uint32_t)g->t.step, 0, 0);
    rein_rollouts one = {.P = 1, .G = 1, .prompt_ids = &g->rollouts.prompt_ids[g->rollouts.gen.seq[i].prompt]};
    rein_gen_sequence seq = g->rollouts.gen.seq[i];
    seq.prompt = 0;
    one.gen = (rein_gen){.seq = &seq, .n_seq = 1};
    rein_group_batch alone;
    rein_status status;
    REIN_TRY(rein_group_batch_make(&alone, &one, (float)a->temperature, 0));
    REIN_TRY_OUT(status, rein_leaf_begin(&g->t.leaf, &alone.forest, &alone.plan, &alone.sampling), out);
    REIN_TRY_OUT(status, rein_leaf_forward(&g->t.leaf, 0, &(rein_leaf_values){.logp = alone.logp}), out);
    REIN_TRY_OUT(status, rein_group_audit(&alone, 0), out);
out:
    rein_group_batch_deinit(&alone);
    return status;
}

/* ---- metrics ---- */

static rein_status collect_metrics(grpo *g, const rein_advantage_stats *stats) {
    rein_metric_list *m = &g->metrics;
    rein_loss_metric loss[REIN_LOSS_METRICS_MAX];
    int n = rein_loss_metrics_list(loss, &g->first, &g->loss);
    m->n = 0;
    rein_metric_add(m, g->first.loss, "loss");
    rein_metric_add(m, g->update.grad_norm, "grad_norm");
    rein_metric_add(m, g->update.learning_rate, "learning_rate");
    rein_metric_add(m, stats->reward.mean, "reward");
    rein_metric_add(m, stats->reward.sd, "reward_std");
    rein_metric_add(m, stats->frac_reward_zero_std, "frac_reward_zero_std");
    for (int i = 0; i < n; i++)
        if (strcmp(loss[i].name, "loss") != 0) rein_metric_add(m, loss[i].value, loss[i].name);
    if (g->rollouts.score[0].n_func > 0) rein_metric_add(m, (double)stats->unscored, "rewards/unscored");
    rein_metrics_completions(m, &g->rollouts);
    REIN_TRY(rein_metrics_components(m, &g->rollouts));
    rein_metric_add(m, (double)g->t.tokens, "num_tokens");
    rein_metric_add(m, (double)g->t.skipped, "skipped_updates");
    if (g->t.before) rein_metric_add(m, g->update.frac_changed, "frac_params_changed");
    return REIN_OK;
}

/* ---- one step ---- */

/* The first answer to each of the first prompts. */
static rein_status keep_completions(grpo *g) {
    const rein_rollouts *r = &g->rollouts;
    for (int64_t p = 0; p < g->t.args->num_completions_to_print && p < r->P; p++) {
        int64_t i = p * r->G;
        const rein_gen_sequence *s = &r->gen.seq[i];
        rein_completion c = {.step = g->t.step, .prompt = p, .sample = s->sample, .prompt_text = r->prompt[p].data,
                             .prompt_len = r->prompt[p].len, .text = r->text[i].data ? r->text[i].data : "",
                             .text_len = r->text[i].len, .reward = r->score[i].total, .advantage = g->advantage[i],
                             .finish = rein_finish_name(s->finish), .part = r->score[i].component,
                             .n_part = r->score[i].n_component};
        REIN_TRY(rein_rundir_completion(g->t.run, &c));
    }
    return REIN_OK;
}

static rein_status store_step(grpo *g, const rein_advantage_stats *stats, const rein_commit *commit,
                              const rein_str *journal) {
    rein_trainer *t = &g->t;
    char line[160];
    static const char *const phases[] = {"rollout", "advantages", "train", "update"};
    rein_named phase[REIN_COUNT(phases)];
    for (size_t i = 0; i < REIN_COUNT(phases); i++) phase[i] = (rein_named){phases[i], g->seconds[i]};
    if (t->step % t->args->logging_steps == 0 || rein_trainer_done(t))
        REIN_TRY(rein_rundir_log(t->run, t->step, g->metrics.row, g->metrics.n));
    REIN_TRY(keep_completions(g));
    REIN_TRY(rein_rundir_time(t->run, t->step, phase, REIN_COUNT(phase)));
    REIN_TRY(rein_journal_append(t->run, t->step, journal->data, journal->len));
    REIN_TRY(rein_commit_append(t->run, commit));
    snprintf(line, sizeof line, "reward %.2f  success %.2f  format %.2f  grad %.3f  lr %.2e", stats->reward.mean,
             rein_metric_value(&g->metrics, "success_rate"),
             rein_metric_value(&g->metrics, "format_rate"), g->update.grad_norm,
             g->update.learning_rate);
    if (t->watch && t->watch->step) t->watch->step(t->watch->user, t->step, line);
    return rein_trainer_checkpoint(t);
}

static rein_status train_step(grpo *g, rein_commit *commit) {
    rein_trainer *t = &g->t;
    double start = rein_clock();
    int64_t step = t->step;
    REIN_TRY(make_batch(g));
    REIN_TRY(reference_logp(g));
    REIN_TRY(audit_alone(g));
    g->seconds[2] = g->seconds[3] = 0;
    for (int64_t k = 0; k < t->args->num_iterations; k++) {
        double begun = k == 0 ? start : rein_clock();
        REIN_TRY(iteration(g, k));
        double done = rein_clock();
        t->step = step; /* all updates of a step share its place in the schedule */
        REIN_TRY(rein_trainer_update(t, &g->update));
        g->seconds[2] += done - begun;
        g->seconds[3] += rein_clock() - done;
    }
    t->tokens += g->batch.forest.n_tok;
    rein_trainer_commit(t, commit);
    return REIN_OK;
}

static rein_status grpo_step(grpo *g, rein_commit *commit, rein_str *journal) {
    rein_trainer *t = &g->t;
    rein_advantage_stats stats;
    double start = rein_clock();
    REIN_TRY(sample(g));
    double sampled = rein_clock();
    REIN_TRY(advantages(g, &stats));
    rein_str_clear(journal);
    REIN_TRY(rein_rollouts_write(&g->rollouts, journal));
    g->seconds[0] = sampled - start;
    g->seconds[1] = rein_clock() - sampled;
    *commit = (rein_commit){.step = t->step + 1};
    rein_commit_add(commit, "rollouts", journal->data, journal->len);
    rein_commit_add(commit, "advantages", g->advantage, (size_t)g->rollouts.gen.n_seq * sizeof *g->advantage);
    REIN_TRY(train_step(g, commit));
    REIN_TRY(collect_metrics(g, &stats));
    REIN_TRY(rein_trainer_observe(t, g->metrics.row, g->metrics.n));
    return t->run ? store_step(g, &stats, commit, journal) : REIN_OK;
}

/* ---- whole runs ---- */

static rein_status note_reference(grpo *g) {
    char hex[REIN_XXH_HEX];
    rein_model_hash(g->t.model, hex);
    if (g->t.step == 0) REIN_TRY(rein_rundir_note(g->t.run, "model.start", hex));
    if (!g->ref) return rein_rundir_note(g->t.run, "reference", "none");
    REIN_TRY(rein_rundir_note(g->t.run, "reference", g->t.args->ref_model));
    rein_model_hash(g->ref, hex);
    return rein_rundir_note(g->t.run, "reference.hash", hex);
}

static rein_status note_data(grpo *g) {
    char hex[REIN_SHA256_HEX];
    if (!g->t.args->dataset_name) return REIN_OK;
    REIN_TRY(rein_sha256_file(hex, g->t.args->dataset_name));
    return rein_rundir_note(g->t.run, "data.sha256", hex);
}

static rein_status train(grpo *g, const char *config_yaml) {
    rein_trainer *t = &g->t;
    rein_commit commit;
    rein_str journal = {0};
    rein_status status;
    REIN_TRY(rein_trainer_open_run(t, "grpo", config_yaml));
    REIN_TRY(note_reference(g));
    REIN_TRY(note_data(g));
    if (t->watch && t->watch->begin) t->watch->begin(t->watch->user, "grpo", t->step, t->steps);
    while (!rein_trainer_done(t)) REIN_TRY_OUT(status, grpo_step(g, &commit, &journal), out);
    status = rein_trainer_note(t);
out:
    rein_str_deinit(&journal);
    return status;
}

rein_status rein_grpo_run_env(const rein_train_args *args, const char *config_yaml, const rein_env *env,
                              rein_device *dev, const rein_train_watch *watch) {
    grpo *g;
    if (!args->output_dir) return rein_fail(REIN_ERR_USAGE, "option --output_dir is missing");
    REIN_TRY(rein_alloc(&g, 1, sizeof *g));
    rein_status status = grpo_init(g, args, env, dev, watch);
    if (status == REIN_OK) status = train(g, config_yaml);
    grpo_deinit(g);
    rein_free(g);
    return status;
}

/* The environment of a run: --env, or the rows of --dataset_name. */
static rein_status open_env(rein_env **env, const rein_train_args *a) {
    if (a->env && a->dataset_name)
        return rein_fail(REIN_ERR_USAGE, "env '%s' and dataset_name '%s': give one of them", a->env, a->dataset_name);
    if (a->env && (a->reward_funcs || a->reward_weights))
        return rein_fail(REIN_ERR_USAGE, "reward_funcs and reward_weights belong to dataset_name; env '%s' has its own rewards",
                         a->env);
    if (a->env) return rein_env_open(env, a->env);
    if (!a->dataset_name) return rein_fail(REIN_ERR_USAGE, "give --env, or --dataset_name with --reward_funcs");
    rein_dataset_config config = {.train = a->dataset_name, .reward_funcs = a->reward_funcs,
                                  .reward_weights = a->reward_weights, .reward_timeout = a->reward_timeout,
                                  .shuffle_dataset = a->shuffle_dataset};
    return rein_dataset_class.create(env, &config);
}

rein_status rein_grpo_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                          const rein_train_watch *watch) {
    rein_env *env;
    REIN_TRY(open_env(&env, args));
    rein_status status = rein_grpo_run_env(args, config_yaml, env, dev, watch);
    rein_env_close(env);
    return status;
}

rein_status rein_grpo_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint, int64_t step,
                             rein_commit *out, rein_str *journal) {
    rein_env *env;
    grpo *g;
    rein_str own = {0};
    REIN_TRY(open_env(&env, args));
    rein_status status = rein_alloc(&g, 1, sizeof *g);
    if (status == REIN_OK) {
        status = grpo_init(g, args, env, dev, NULL);
        if (status == REIN_OK && checkpoint) status = rein_trainer_restore(&g->t, checkpoint);
        while (status == REIN_OK && g->t.step < step) status = grpo_step(g, out, journal ? journal : &own);
        grpo_deinit(g);
        rein_free(g);
    }
    rein_str_deinit(&own);
    rein_env_close(env);
    return status;
}
