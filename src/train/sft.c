/* Supervised fine-tuning; see sft.h. */
#include "train/sft.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sum.h"
#include "train/dataset.h"

typedef struct sft {
    rein_trainer t;
    rein_prompt_chat chat;
    rein_dataset data;
    int64_t *order; /* rows of epoch `epoch` */
    int64_t epoch;
    int64_t batch;  /* rows of an optimiser step */
    rein_forest forest;
    float *logp, *entropy, *dlogp;
    double *row_sum;
    int64_t cap_tok;
} sft;

/* ---- the model that training starts from ---- */

static rein_status fresh_config(rein_model_config *cfg, const rein_train_args *a, const rein_tokenizer *tok) {
    static const char end[] = "<|endoftext|>";
    int32_t eos = rein_tokenizer_id(tok, end, sizeof end - 1);
    if (eos < 0) return rein_fail(REIN_ERR_USAGE, "tokenizer '%s' has no %s to end a text", a->tokenizer, end);
    if (a->hidden_size % a->num_attention_heads != 0)
        return rein_fail(REIN_ERR_USAGE, "hidden_size %lld is no multiple of num_attention_heads %lld",
                         (long long)a->hidden_size, (long long)a->num_attention_heads);
    *cfg = (rein_model_config){.family = a->model_type == 0 ? REIN_FAMILY_LLAMA : REIN_FAMILY_QWEN3,
                               .V = rein_tokenizer_vocab_size(tok), .C = a->hidden_size, .L = a->num_hidden_layers,
                               .H = a->num_attention_heads, .K = a->num_key_value_heads,
                               .D = a->hidden_size / a->num_attention_heads, .F = a->intermediate_size,
                               .max_position_embeddings = a->max_position_embeddings, .rms_norm_eps = 1e-6,
                               .rope_theta = a->rope_theta, .initializer_range = a->initializer_range,
                               .tie_word_embeddings = a->tie_word_embeddings, .qk_norm = a->model_type == 1,
                               .dtype = REIN_F32, .bos_id = -1, .pad_id = -1, .eos_id = {eos}, .n_eos = 1};
    return rein_model_config_check(cfg);
}

static rein_status fresh_model(rein_model **model, rein_tokenizer **tok, const rein_train_args *a, rein_device *dev) {
    rein_model_config cfg;
    REIN_TRY(rein_policy_check(a));
    if (a->use_peft) return rein_fail(REIN_ERR_USAGE, "use_peft needs --model_name_or_path: there is nothing to adapt");
    if (!a->tokenizer)
        return rein_fail(REIN_ERR_USAGE, "give --model_name_or_path, or --tokenizer for a model from scratch");
    REIN_TRY(rein_tokenizer_load(tok, a->tokenizer));
    REIN_TRY(fresh_config(&cfg, a, *tok));
    REIN_TRY(rein_model_create(model, &cfg, dev, a->max_model_length));
    rein_model_init(*model, (uint64_t)a->seed);
    return REIN_OK;
}

/* ---- set-up ---- */

static void sft_deinit(sft *s) {
    rein_prompt_chat_close(&s->chat);
    rein_trainer_deinit(&s->t);
    rein_dataset_deinit(&s->data);
    rein_forest_deinit(&s->forest);
    rein_free(s->order);
    rein_free(s->logp);
    rein_free(s->entropy);
    rein_free(s->dlogp);
    rein_free(s->row_sum);
}

/* A model from scratch has no template. */
static rein_status load_chat(sft *s) {
    const rein_train_args *a = s->t.args;
    const rein_prompt_chat_args args = {.kwargs = a->chat_template_kwargs};
    if (!a->model_name_or_path && !a->chat_template_kwargs) return REIN_OK;
    if (!a->model_name_or_path)
        return rein_fail(REIN_ERR_USAGE, "chat_template_kwargs is given, and a model from scratch has no chat template");
    return rein_start_chat(&s->chat, a->model_name_or_path, &args);
}

static rein_status load_data(sft *s) {
    const rein_train_args *a = s->t.args;
    const rein_model *m = s->t.model;
    REIN_TRY(load_chat(s));
    const rein_dataset_options o = {.eos = (int32_t)m->cfg.eos_id[0],
                                    .max_length = a->max_length < m->n_pos ? a->max_length : m->n_pos,
                                    .truncation = (rein_truncation)a->truncation_mode,
                                    .completion_only = a->completion_only_loss,
                                    .assistant_only = a->assistant_only_loss,
                                    .chat = s->chat.format,
                                    .chat_kwargs = s->chat.kwargs};
    return rein_dataset_load(&s->data, a->dataset_name, s->t.tokenizer, &o);
}

static rein_status sft_init(sft *s, const rein_train_args *a, rein_device *dev, const rein_train_watch *watch) {
    rein_model *model = NULL;
    rein_tokenizer *tok = NULL;
    if (!a->dataset_name) return rein_fail(REIN_ERR_USAGE, "option --dataset_name is missing");
    rein_status status = a->model_name_or_path ? rein_start_policy(&model, &tok, a, dev)
                                               : fresh_model(&model, &tok, a, dev);
    if (status != REIN_OK) {
        rein_model_destroy(model);
        rein_tokenizer_destroy(tok);
        return rein_trace_add(status, __FILE__, __LINE__);
    }
    REIN_TRY(rein_trainer_init(&s->t, a, dev, model, tok, watch));
    if (model->cfg.n_eos < 1) return rein_fail(REIN_ERR_FORMAT, "the model's config.json names no eos_token_id");
    REIN_TRY(load_data(s));
    s->batch = a->per_device_train_batch_size * a->gradient_accumulation_steps;
    s->epoch = -1;
    if (s->data.n_row < s->batch)
        return rein_fail(REIN_ERR_USAGE, "%s: %lld rows are less than one batch of %lld", a->dataset_name,
                         (long long)s->data.n_row, (long long)s->batch);
    s->t.steps = a->max_steps >= 0 ? a->max_steps
                                   : (int64_t)(a->num_train_epochs * (double)(s->data.n_row / s->batch));
    if (s->t.steps < 1) return rein_fail(REIN_ERR_USAGE, "num_train_epochs %g is less than one step", a->num_train_epochs);
    REIN_TRY(rein_alloc(&s->order, s->data.n_row, sizeof *s->order));
    return rein_alloc(&s->row_sum, 2 * s->batch, sizeof *s->row_sum);
}

/* ---- one step ---- */

/* Rows of step `step` (from 0). A last part of an epoch that fills no batch is dropped. */
static rein_status gather(sft *s, int64_t step, int64_t *items) {
    const rein_train_args *a = s->t.args;
    int64_t per_epoch = s->data.n_row / s->batch, epoch = step / per_epoch;
    if (epoch != s->epoch) {
        rein_dataset_order(s->order, s->data.n_row, a->shuffle_dataset, (uint64_t)a->seed, (uint32_t)epoch);
        s->epoch = epoch;
    }
    rein_forest_clear(&s->forest);
    *items = 0;
    for (int64_t i = 0; i < s->batch; i++) {
        int64_t row = s->order[step % per_epoch * s->batch + i], first = s->data.first[row];
        int64_t n = s->data.first[row + 1] - first, span;
        REIN_TRY(rein_forest_add(&s->forest, -1, s->data.ids + first, s->data.loss + first, n, &span));
        for (int64_t k = 0; k < n; k++) *items += s->data.loss[first + k];
    }
    if (s->forest.n_tok <= s->cap_tok) return REIN_OK;
    rein_free(s->logp);
    rein_free(s->entropy);
    rein_free(s->dlogp);
    s->logp = s->entropy = s->dlogp = NULL;
    s->cap_tok = 2 * s->forest.n_tok;
    REIN_TRY(rein_alloc(&s->logp, s->cap_tok, sizeof(float)));
    REIN_TRY(rein_alloc(&s->entropy, s->cap_tok, sizeof(float)));
    return rein_alloc(&s->dlogp, s->cap_tok, sizeof(float));
}

static rein_status gradients(sft *s, int64_t items) {
    rein_trainer *t = &s->t;
    rein_forest_plan plan;
    rein_leaf_sampling how = {.temperature = 1};
    rein_status status;
    for (int64_t i = 0; i < s->forest.n_tok; i++) s->dlogp[i] = -1.0f / (float)items;
    rein_grads_zero(&t->grads, t->model);
    rein_trainer_dropout(t, t->step, 0);
    REIN_TRY(rein_forest_plan_make(&plan, &s->forest, t->args->microbatch_tokens));
    REIN_TRY_OUT(status, rein_leaf_begin(&t->leaf, &s->forest, &plan, &how), out);
    for (int64_t p = 0; p < plan.n_part; p++) {
        REIN_TRY_OUT(status, rein_leaf_forward(&t->leaf, p, &(rein_leaf_values){.logp = s->logp, .entropy = s->entropy}), out);
        REIN_TRY_OUT(status, rein_leaf_backward(&t->leaf, &(rein_leaf_gradient){.logp = s->dlogp}, &t->grads), out);
    }
    rein_grads_finish(&t->grads, t->model);
out:
    rein_forest_plan_deinit(&plan);
    return status;
}

/* Mean over the wanted tokens of -logp and of the entropy: one value a row, then the pairwise tree. */
static void means(sft *s, int64_t items, double *loss, double *entropy) {
    double *ent = s->row_sum + s->batch;
    for (int64_t i = 0; i < s->batch; i++) {
        const rein_span *sp = &s->forest.span[i];
        s->row_sum[i] = ent[i] = 0;
        for (int64_t k = sp->tok; k < sp->tok + sp->n; k++) {
            if (!s->forest.want[k]) continue;
            s->row_sum[i] -= (double)s->logp[k];
            ent[i] += (double)s->entropy[k];
        }
    }
    *loss = rein_pairwise_sum(s->row_sum, s->batch) / (double)items;
    *entropy = rein_pairwise_sum(ent, s->batch) / (double)items;
}

static rein_status log_step(sft *s, double loss, double entropy, const rein_update *u) {
    rein_trainer *t = &s->t;
    double per_epoch = (double)(s->data.n_row / s->batch);
    rein_named row[] = {{"loss", loss}, {"grad_norm", u->grad_norm}, {"learning_rate", u->learning_rate},
                        {"entropy", entropy}, {"num_tokens", (double)t->tokens}, {"epoch", (double)t->step / per_epoch},
                        {"skipped_updates", (double)t->skipped}, {"frac_params_changed", u->frac_changed}};
    int64_t n = (int64_t)REIN_COUNT(row) - (t->before ? 0 : 1);
    char line[160];
    REIN_TRY(rein_trainer_observe(t, row, n));
    snprintf(line, sizeof line, "loss %.4f  grad %.3f  lr %.2e", loss, u->grad_norm, u->learning_rate);
    if (t->watch && t->watch->step) t->watch->step(t->watch->user, t->step, line);
    bool due = t->step % t->args->logging_steps == 0 || rein_trainer_done(t);
    return due && t->run ? rein_rundir_log(t->run, t->step, row, n) : REIN_OK;
}

static rein_status sft_step(sft *s, rein_commit *commit) {
    rein_trainer *t = &s->t;
    rein_update update;
    double start = rein_clock(), loss, entropy;
    int64_t items;
    REIN_TRY(gather(s, t->step, &items));
    REIN_TRY(gradients(s, items));
    means(s, items, &loss, &entropy);
    t->tokens += s->forest.n_tok;
    double trained = rein_clock();
    REIN_TRY(rein_trainer_update(t, &update));
    *commit = (rein_commit){.step = t->step};
    rein_commit_add(commit, "data", s->forest.ids, (size_t)s->forest.n_tok * sizeof(int32_t));
    rein_commit_add(commit, "loss", &loss, sizeof loss);
    rein_trainer_commit(t, commit);
    REIN_TRY(log_step(s, loss, entropy, &update));
    if (!t->run) return REIN_OK;
    rein_named phase[] = {{"train", trained - start}, {"update", rein_clock() - trained}};
    REIN_TRY(rein_rundir_time(t->run, t->step, phase, REIN_COUNT(phase)));
    REIN_TRY(rein_commit_append(t->run, commit));
    return rein_trainer_checkpoint(t);
}

/* ---- whole runs ---- */

/* What became of the rows: facts of the run, and said aloud where something was left out. */
static rein_status note_rows(sft *s) {
    const rein_dataset *d = &s->data;
    const struct {
        const char *name;
        int64_t value;
    } facts[] = {{"data.rows", d->n_row},
                 {"data.truncated", d->truncated},
                 {"data.dropped", d->dropped},
                 {"data.without_loss", d->without_loss}};
    for (size_t i = 0; i < REIN_COUNT(facts); i++) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)facts[i].value);
        REIN_TRY(rein_rundir_note(s->t.run, facts[i].name, text));
    }
    if (d->truncated + d->dropped + d->without_loss > 0)
        rein_log(REIN_LOG_WARN, "%s: %lld rows; %lld were cut to max_length, %lld left out for their length, %lld left out "
                                "because no token of theirs takes loss",
                 s->t.args->dataset_name, (long long)d->n_row, (long long)d->truncated, (long long)d->dropped,
                 (long long)d->without_loss);
    return REIN_OK;
}

static rein_status note_data(sft *s) {
    char hex[REIN_SHA256_HEX];
    REIN_TRY(note_rows(s));
    REIN_TRY(rein_sha256_file(hex, s->t.args->dataset_name));
    return rein_rundir_note(s->t.run, "data.sha256", hex);
}

static rein_status train(sft *s, const char *config_yaml) {
    rein_trainer *t = &s->t;
    rein_commit commit;
    REIN_TRY(rein_trainer_open_run(t, "sft", config_yaml));
    REIN_TRY(note_data(s));
    if (t->watch && t->watch->begin) t->watch->begin(t->watch->user, "sft", t->step, t->steps);
    while (!rein_trainer_done(t)) REIN_TRY(sft_step(s, &commit));
    return rein_trainer_note(t);
}

rein_status rein_sft_run(const rein_train_args *args, const char *config_yaml, rein_device *dev,
                         const rein_train_watch *watch) {
    sft s = {0};
    if (!args->output_dir) return rein_fail(REIN_ERR_USAGE, "option --output_dir is missing");
    rein_status status = sft_init(&s, args, dev, watch);
    if (status == REIN_OK) status = train(&s, config_yaml);
    sft_deinit(&s);
    return status;
}

rein_status rein_sft_replay(const rein_train_args *args, rein_device *dev, const char *checkpoint, int64_t step,
                            rein_commit *out, rein_str *journal) {
    sft s = {0};
    if (journal) rein_str_clear(journal);
    rein_status status = sft_init(&s, args, dev, NULL);
    if (status == REIN_OK && checkpoint) status = rein_trainer_restore(&s.t, checkpoint);
    while (status == REIN_OK && s.t.step < step) status = sft_step(&s, out);
    sft_deinit(&s);
    return status;
}
