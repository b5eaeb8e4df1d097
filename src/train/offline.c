/* The loop of trainings on rows of a file; see offline.h. */
#include "train/offline.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "base/sum.h"
#include "env/open.h"
#include "train/policy.h"

/* ---- data ---- */

/* Of a model from scratch: the template that the options name. */
static rein_status make_chat(rein_offline *o) {
    const rein_train_args *a = o->t.args;
    rein_str text = {0};
    rein_status status = rein_scratch_template(&text, a);
    if (status == REIN_OK && text.len > 0)
        status = rein_chat_template_create(&o->chat.format, a->chat_template_path, text.data, text.len, NULL, 0);
    rein_str_deinit(&text);
    return status;
}

static rein_status load_chat(rein_offline *o) {
    const rein_train_args *a = o->t.args;
    const rein_prompt_chat_args args = {.kwargs = a->chat_template_kwargs};
    if (!a->model_name_or_path && !a->chat_template_kwargs) return make_chat(o);
    if (!a->model_name_or_path)
        return rein_fail(REIN_ERR_USAGE,
                         "chat_template_kwargs is given, and is not for a model from scratch");
    return rein_start_chat(&o->chat, a->model_name_or_path, &args);
}

/* Which rows are trained on: all of the first file but a drawn share, or all of it and none of the second. */
static rein_status hold_out(rein_offline *o, int64_t n_first) {
    const rein_train_args *a = o->t.args;
    REIN_TRY(rein_alloc(&o->place, o->data.n_row, sizeof *o->place));
    rein_dataset_order(o->place, o->data.n_row, a->eval_split_ratio > 0, (uint64_t)a->seed, UINT32_MAX);
    if (a->eval_split_ratio > 0) n_first -= (int64_t)(a->eval_split_ratio * (double)n_first);
    if (a->eval_split_ratio > 0 && n_first == o->data.n_row)
        return rein_fail(REIN_ERR_USAGE, "eval_split_ratio %g of %lld rows is no row", a->eval_split_ratio,
                         (long long)o->data.n_row);
    o->n_unit = o->n_train = n_first;
    o->n_held = o->data.n_row - n_first;
    return REIN_OK;
}

rein_status rein_offline_load_rows(rein_offline *o, rein_dataset_options options) {
    const rein_train_args *a = o->t.args;
    const rein_model *m = o->t.model;
    if (a->eval_dataset_name && a->eval_split_ratio > 0)
        return rein_fail(REIN_ERR_USAGE, "eval_dataset_name '%s' and eval_split_ratio %g: give one of them",
                         a->eval_dataset_name, a->eval_split_ratio);
    if (a->eval_steps > 0 && !a->eval_dataset_name && a->eval_split_ratio == 0)
        return rein_fail(REIN_ERR_USAGE, "eval_steps %lld: give eval_dataset_name or eval_split_ratio",
                         (long long)a->eval_steps);
    if (m->cfg.n_eos < 1) return rein_fail(REIN_ERR_FORMAT, "the model's config.json names no eos_token_id");
    REIN_TRY(load_chat(o));
    options.eos = (int32_t)m->cfg.eos_id[0];
    options.max_length = a->max_length < m->n_pos ? a->max_length : m->n_pos;
    options.truncation = (rein_truncation)a->truncation_mode;
    options.chat = o->chat.format;
    options.chat_kwargs = o->chat.kwargs;
    REIN_TRY(rein_dataset_load(&o->data, a->dataset_name, o->t.tokenizer, &options));
    int64_t n_first = o->data.n_row;
    if (a->eval_dataset_name) REIN_TRY(rein_dataset_add(&o->data, a->eval_dataset_name, o->t.tokenizer, &options));
    return hold_out(o, n_first);
}

/* The prompts of tasks 0 .. n - 1 of the split that is trained on. */
static rein_status add_tasks(rein_offline *o, const rein_env *env, int64_t n) {
    rein_str text = {0};
    rein_ids ids = {0};
    rein_status status = REIN_OK;
    for (int64_t i = 0; i < n; i++) {
        rein_task task;
        rein_str_clear(&text);
        ids.n = 0;
        REIN_TRY_OUT(status, env->cls->task(env, (uint64_t)o->t.args->seed, REIN_SPLIT_TRAIN, i, &task), out);
        REIN_TRY_OUT(status, rein_prompt_make(&text, &ids, &o->chat, o->t.tokenizer, env, &task, NULL), out);
        if (ids.n == 0) {
            status =
                rein_fail(REIN_ERR_FORMAT, "task %lld of env '%s' has an empty prompt", (long long)i, o->t.args->env);
            goto out;
        }
        REIN_TRY_OUT(status, rein_dataset_add_prompt(&o->data, ids.data, ids.n), out);
    }
out:
    rein_str_deinit(&text);
    rein_ids_deinit(&ids);
    return status;
}

rein_status rein_offline_load_tasks(rein_offline *o) {
    const rein_train_args *a = o->t.args;
    const int64_t batch = a->per_device_train_batch_size * a->gradient_accumulation_steps;
    rein_env *env;
    if (a->dataset_name || a->eval_dataset_name || a->eval_split_ratio > 0 || a->eval_steps > 0)
        return rein_fail(REIN_ERR_USAGE,
                         "env '%s' has prompts of its own: leave out dataset_name and what is held out of it", a->env);
    if (a->max_steps < 1) return rein_fail(REIN_ERR_USAGE, "env '%s' has no end: give max_steps", a->env);
    REIN_TRY(load_chat(o));
    REIN_TRY(rein_env_open(&env, a->env));
    o->data = (rein_dataset){.width = 1};
    rein_status status = add_tasks(o, env, a->max_steps * batch);
    rein_env_close(env);
    return status == REIN_OK ? hold_out(o, o->data.n_row) : status;
}

int64_t rein_offline_row(const rein_offline *o, int64_t unit) {
    return o->place[unit < o->n_unit ? unit : unit - o->n_unit + o->n_train];
}

rein_status rein_offline_add_sequence(rein_offline *o, int64_t s) {
    const rein_dataset *d = &o->data;
    int64_t at = d->first[s];
    return rein_forest_add(&o->forest, -1, d->ids + at, d->loss + at, d->first[s + 1] - at, NULL);
}

/* What became of the rows: facts of the run, and said aloud where something was left out. */
static rein_status note_rows(rein_offline *o) {
    const rein_dataset *d = &o->data;
    const struct {
        const char *name;
        int64_t value;
    } facts[] = {{"data.rows", d->n_row},
                 {"data.truncated", d->truncated},
                 {"data.dropped", d->dropped},
                 {"data.without_loss", d->without_loss},
                 {"data.held_out", o->n_held}};
    for (size_t i = 0; i < REIN_COUNT(facts); i++) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)facts[i].value);
        REIN_TRY(rein_rundir_note(o->t.run, facts[i].name, text));
    }
    if (d->truncated + d->dropped + d->without_loss > 0)
        rein_log(REIN_LOG_WARN,
                 "%s: %lld rows; %lld were cut to max_length, %lld left out for their length, %lld left out "
                 "because no token of theirs takes loss",
                 o->t.args->dataset_name, (long long)d->n_row, (long long)d->truncated, (long long)d->dropped,
                 (long long)d->without_loss);
    return REIN_OK;
}

static rein_status note_data(rein_offline *o) {
    const rein_train_args *a = o->t.args;
    char hex[REIN_SHA256_HEX];
    REIN_TRY(note_rows(o));
    if (!a->dataset_name) return REIN_OK;
    REIN_TRY(rein_sha256_file(hex, a->dataset_name));
    REIN_TRY(rein_rundir_note(o->t.run, "data.sha256", hex));
    if (!a->eval_dataset_name) return REIN_OK;
    REIN_TRY(rein_sha256_file(hex, a->eval_dataset_name));
    return rein_rundir_note(o->t.run, "eval_data.sha256", hex);
}

/* ---- the batch ---- */

void rein_offline_unit_end(rein_offline *o) { o->last_span[o->n++] = o->forest.n_span; }

int64_t rein_offline_first_span(const rein_offline *o, int64_t i) { return i == 0 ? 0 : o->last_span[i - 1]; }

void rein_offline_put(rein_offline *o, int64_t k, int64_t i, double value, double weight) {
    o->value[k * o->batch + i] = value;
    o->weight[k * o->batch + i] = weight;
}

bool rein_offline_takes(const rein_offline *o, int64_t span, int64_t part) {
    return part < 0 || o->t.leaf.member[span] == part;
}

static void free_arrays(rein_offline *o) {
    rein_leaf_values *v = &o->out;
    rein_offline_gradient *g = &o->grad;
    float *own[] = {v->logp, v->entropy,   v->mean_logp,  v->divergence, v->score,
                    g->logp, g->mean_logp, g->divergence, g->score};
    for (size_t i = 0; i < REIN_COUNT(own); i++) rein_free(own[i]);
    rein_free(v->best);
    *v = (rein_leaf_values){0};
    *g = (rein_offline_gradient){0};
    o->cap_tok = 0;
}

static rein_status reserve_arrays(rein_offline *o) {
    rein_leaf_values *v = &o->out;
    rein_offline_gradient *g = &o->grad;
    const struct {
        float **array;
        unsigned bit;
    } rows[] = {{&v->logp, REIN_READS_LOGP},
                {&g->logp, REIN_READS_LOGP},
                {&v->entropy, REIN_READS_ENTROPY},
                {&v->mean_logp, REIN_READS_MEAN_LOGP},
                {&g->mean_logp, REIN_READS_MEAN_LOGP},
                {&v->divergence, REIN_READS_DIVERGENCE},
                {&g->divergence, REIN_READS_DIVERGENCE},
                {&v->score, REIN_READS_SCORE},
                {&g->score, REIN_READS_SCORE}};
    if (o->forest.n_tok <= o->cap_tok) return REIN_OK;
    int64_t cap = 2 * o->forest.n_tok;
    free_arrays(o);
    for (size_t i = 0; i < REIN_COUNT(rows); i++)
        if (o->reads & rows[i].bit) REIN_TRY(rein_alloc(rows[i].array, cap, sizeof(float)));
    if (o->reads & REIN_READS_BEST) REIN_TRY(rein_alloc(&v->best, cap, sizeof *v->best));
    o->cap_tok = cap;
    return REIN_OK;
}

/* The forest of some units, planned. */
static rein_status lay_batch(rein_offline *o, const int64_t *unit, int64_t n, bool held) {
    const rein_leaf_sampling how = {.temperature = o->temperature};
    rein_forest_clear(&o->forest);
    rein_forest_plan_deinit(&o->plan);
    o->n = 0;
    o->held = held;
    REIN_TRY(o->cls->gather(o, unit, n));
    REIN_ASSERT(o->n == n);
    REIN_TRY(reserve_arrays(o));
    REIN_TRY(rein_forest_plan_make(&o->plan, &o->forest, o->t.args->microbatch_tokens));
    if (o->cls->begin) REIN_TRY(o->cls->begin(o));
    return rein_leaf_begin(&o->t.leaf, &o->forest, &o->plan, &how);
}

static rein_status forward(rein_offline *o, int64_t part) {
    if (o->cls->part) REIN_TRY(o->cls->part(o, part));
    return rein_leaf_forward(&o->t.leaf, part, &o->out);
}

static rein_status backward(rein_offline *o) {
    const rein_offline_gradient *g = &o->grad;
    const rein_leaf_gradient d = {
        .logp = g->logp, .mean_logp = g->mean_logp, .divergence = g->divergence, .score = g->score};
    return rein_leaf_backward(&o->t.leaf, &d, &o->t.grads);
}

/* Units of step `step` (from 0). A last part of an epoch that fills no batch is dropped. */
static rein_status next_batch(rein_offline *o, int64_t step) {
    const rein_train_args *a = o->t.args;
    int64_t per_epoch = o->n_unit / o->batch, epoch = step / per_epoch;
    if (epoch != o->epoch) {
        rein_dataset_order(o->order, o->n_unit, a->shuffle_dataset, (uint64_t)a->seed, (uint32_t)epoch);
        o->epoch = epoch;
    }
    return lay_batch(o, o->order + step % per_epoch * o->batch, o->batch, false);
}

/* NEFTune's noise for the passes of this step. */
static void draw_noise(rein_trainer *t) {
    uint32_t word[4];
    if (t->args->neftune_noise_alpha == 0) return;
    rein_random4(word, (uint64_t)t->args->seed, REIN_STREAM_NOISE, (uint32_t)t->step, 0, 0, 0);
    t->leaf.pass.noise = (rein_noise){(float)t->args->neftune_noise_alpha, (uint64_t)word[0] << 32 | word[1]};
}

/* Values, loss and gradient of the batch. Where a loss needs all values first, several parts run forward twice: the
 * bits of the second time are those of the first. */
static rein_status batch_gradients(rein_offline *o) {
    rein_trainer *t = &o->t;
    bool whole = o->cls->whole, again = whole && o->plan.n_part > 1;
    rein_grads_zero(&t->grads, t->model);
    rein_trainer_dropout(t, t->step, 0);
    draw_noise(t);
    for (int64_t p = 0; p < o->plan.n_part && whole; p++) REIN_TRY(forward(o, p));
    if (whole) {
        REIN_TRY(o->cls->measure(o));
        o->cls->gradient(o, -1);
    }
    if (again)
        REIN_TRY(rein_leaf_begin(&t->leaf, &o->forest, &o->plan, &(rein_leaf_sampling){.temperature = o->temperature}));
    for (int64_t p = 0; p < o->plan.n_part; p++) {
        if (!whole || again) REIN_TRY(forward(o, p));
        if (!whole) o->cls->gradient(o, p);
        REIN_TRY(backward(o));
    }
    t->leaf.pass.dropout = (rein_dropout){0};
    t->leaf.pass.noise = (rein_noise){0};
    rein_grads_finish(&t->grads, t->model);
    return whole ? REIN_OK : o->cls->measure(o);
}

/* ---- metrics ---- */

/* Metric k of n units. */
static double reduce(const rein_offline *o, int64_t k, const double *value, const double *weight, int64_t n) {
    const bool low = o->cls->lowest >> k & 1, high = o->cls->highest >> k & 1;
    double best = value[0];
    if (!low && !high) return rein_pairwise_sum(value, n) / rein_pairwise_sum(weight, n);
    for (int64_t i = 1; i < n; i++)
        if (low ? value[i] < best : value[i] > best) best = value[i];
    return best;
}

static double metric(const rein_offline *o, int64_t k) {
    return reduce(o, k, o->value + k * o->batch, o->weight + k * o->batch, o->n);
}

/* The metrics of all held-out units: of `value` and `weight` (n_metric, n_held). */
static rein_status measure_held(rein_offline *o, double *value, double *weight) {
    int64_t *unit;
    rein_status status = REIN_OK;
    REIN_TRY(rein_alloc(&unit, o->batch, sizeof *unit));
    for (int64_t at = 0; at < o->n_held && status == REIN_OK; at += o->batch) {
        int64_t n = o->n_held - at < o->batch ? o->n_held - at : o->batch;
        for (int64_t i = 0; i < n; i++) unit[i] = o->n_unit + at + i;
        status = lay_batch(o, unit, n, true);
        for (int64_t p = 0; p < o->plan.n_part && status == REIN_OK; p++) status = forward(o, p);
        if (status == REIN_OK) status = o->cls->measure(o);
        for (int64_t k = 0; k < o->n_metric && status == REIN_OK; k++) {
            memcpy(value + k * o->n_held + at, o->value + k * o->batch, (size_t)n * sizeof *value);
            memcpy(weight + k * o->n_held + at, o->weight + k * o->batch, (size_t)n * sizeof *weight);
        }
    }
    rein_free(unit);
    return status;
}

/* eval_NAME of every metric, every eval_steps and at the end. */
static rein_status evaluate(rein_offline *o) {
    const rein_trainer *t = &o->t;
    bool due = rein_trainer_done(t) || (t->args->eval_steps > 0 && t->step % t->args->eval_steps == 0);
    if (o->n_held == 0 || !due) return REIN_OK;
    double *sums;
    REIN_TRY(rein_alloc(&sums, 2 * o->n_metric * o->n_held, sizeof *sums));
    double *weight = sums + o->n_metric * o->n_held;
    rein_status status = measure_held(o, sums, weight);
    for (int64_t k = 0; k < o->n_metric && status == REIN_OK; k++) {
        char name[REIN_METRIC_NAME];
        snprintf(name, sizeof name, "eval_%s", o->cls->metric[k]);
        rein_metric_add(&o->metrics, reduce(o, k, sums + k * o->n_held, weight + k * o->n_held, o->n_held), name);
    }
    rein_free(sums);
    return status;
}

static void collect(rein_offline *o, const rein_update *u) {
    const rein_trainer *t = &o->t;
    rein_metric_list *m = &o->metrics;
    rein_metric_add(m, metric(o, 0), o->cls->metric[0]);
    rein_metric_add(m, u->grad_norm, "grad_norm");
    rein_metric_add(m, u->learning_rate, "learning_rate");
    for (int64_t k = 1; k < o->n_metric; k++) rein_metric_add(m, metric(o, k), o->cls->metric[k]);
    rein_metric_add(m, (double)t->tokens, "num_tokens");
    rein_metric_add(m, (double)t->step / (double)(o->n_unit / o->batch), "epoch");
    rein_metric_add(m, (double)t->skipped, "skipped_updates");
    if (t->before) rein_metric_add(m, u->frac_changed, "frac_params_changed");
}

/* Metrics of the step and of held-out rows: what early stopping and the best checkpoint go by is measured in a replay,
 * too. */
static rein_status observe(rein_offline *o, const rein_update *u) {
    rein_trainer *t = &o->t;
    rein_metric_list *m = &o->metrics;
    m->n = 0;
    collect(o, u);
    int64_t n = m->n;
    REIN_TRY(rein_trainer_observe(t, m->row, n));
    if (!t->run && !t->best.metric) return REIN_OK;
    REIN_TRY(evaluate(o));
    REIN_TRY(rein_trainer_observe(t, m->row + n, m->n - n));
    if (!t->run) return REIN_OK;
    if (t->step % t->args->logging_steps == 0 || rein_trainer_done(t)) n = 0; /* else only what was evaluated */
    return m->n > n ? rein_rundir_log(t->run, t->step, m->row + n, m->n - n) : REIN_OK;
}

static void show_step(const rein_trainer *t, double loss, const rein_update *u) {
    char line[160];
    snprintf(line, sizeof line, "loss %.4f  grad %.3f  lr %.2e", loss, u->grad_norm, u->learning_rate);
    if (t->watch && t->watch->step) t->watch->step(t->watch->user, t->step, line);
}

/* ---- one step ---- */

rein_status rein_offline_gradients(rein_offline *o, double *loss) {
    REIN_TRY(next_batch(o, o->t.step));
    REIN_TRY(batch_gradients(o));
    *loss = metric(o, 0);
    return REIN_OK;
}

static rein_status offline_step(rein_offline *o, rein_commit *commit) {
    rein_trainer *t = &o->t;
    rein_update update;
    double start = rein_clock(), loss;
    REIN_TRY(rein_offline_gradients(o, &loss));
    double trained = rein_clock();
    t->tokens += o->forest.n_tok;
    REIN_TRY(rein_trainer_update(t, &update));
    *commit = (rein_commit){.step = t->step};
    rein_commit_add(commit, "data", o->forest.ids, (size_t)o->forest.n_tok * sizeof(int32_t));
    rein_commit_add(commit, "loss", &loss, sizeof loss);
    rein_trainer_commit(t, commit);
    double updated = rein_clock();
    REIN_TRY(observe(o, &update));
    if (!t->run) return REIN_OK;
    show_step(t, loss, &update);
    rein_named phase[] = {{"train", trained - start}, {"update", updated - trained}, {"eval", rein_clock() - updated}};
    REIN_TRY(rein_rundir_time(t->run, t->step, phase, REIN_COUNT(phase) - (o->n_held > 0 ? 0 : 1)));
    REIN_TRY(rein_commit_append(t->run, commit));
    return rein_trainer_checkpoint(t);
}

/* ---- whole runs ---- */

void rein_offline_close(rein_offline *o) {
    if (o->cls->close) o->cls->close(o);
    rein_prompt_chat_close(&o->chat);
    rein_trainer_deinit(&o->t);
    rein_dataset_deinit(&o->data);
    rein_free(o->place);
    rein_forest_plan_deinit(&o->plan);
    rein_forest_deinit(&o->forest);
    free_arrays(o);
    rein_free(o->order);
    rein_free(o->last_span);
    rein_free(o->value);
    rein_free(o->state);
    rein_free(o);
}

static rein_status start(rein_offline *o, const rein_train_args *a, rein_device *dev, const rein_train_watch *watch) {
    rein_model *model = NULL;
    rein_tokenizer *tok = NULL;
    if (!o->cls->start && !a->model_name_or_path)
        return rein_fail(REIN_ERR_USAGE, "option --model_name_or_path is missing");
    rein_status status = o->cls->start ? o->cls->start(&model, &tok, a, dev) : rein_start_policy(&model, &tok, a, dev);
    if (status == REIN_OK) return rein_trainer_init(&o->t, a, dev, model, tok, watch);
    rein_model_destroy(model);
    rein_tokenizer_destroy(tok);
    return rein_trace_add(status, __FILE__, __LINE__);
}

/* Number of steps, and what a batch needs. */
static rein_status size_run(rein_offline *o) {
    const rein_train_args *a = o->t.args;
    o->batch = a->per_device_train_batch_size * a->gradient_accumulation_steps;
    if (o->n_unit < o->batch)
        return rein_fail(REIN_ERR_USAGE, "%s: %lld rows are less than one batch of %lld", a->dataset_name,
                         (long long)o->n_unit, (long long)o->batch);
    o->t.steps = a->max_steps >= 0 ? a->max_steps : (int64_t)(a->num_train_epochs * (double)(o->n_unit / o->batch));
    if (o->t.steps < 1)
        return rein_fail(REIN_ERR_USAGE, "num_train_epochs %g is less than one step", a->num_train_epochs);
    while (o->cls->metric[o->n_metric]) o->n_metric++;
    REIN_TRY(rein_alloc(&o->order, o->n_unit, sizeof *o->order));
    REIN_TRY(rein_alloc(&o->last_span, o->batch, sizeof *o->last_span));
    REIN_TRY(rein_alloc(&o->value, 2 * o->n_metric * o->batch, sizeof *o->value));
    o->weight = o->value + o->n_metric * o->batch;
    return REIN_OK;
}

rein_status rein_offline_open(rein_offline **out, const rein_offline_class *cls, const rein_train_args *a,
                              rein_device *dev, const rein_train_watch *watch) {
    rein_offline *o;
    rein_status status;
    REIN_TRY(rein_alloc(&o, 1, sizeof *o));
    *o = (rein_offline){.cls = cls, .epoch = -1, .temperature = 1};
    REIN_TRY_OUT(status, rein_alloc(&o->state, 1, cls->state_size), fail);
    if (!a->dataset_name && !a->env) {
        status = rein_fail(REIN_ERR_USAGE, "option --dataset_name is missing");
        goto fail;
    }
    REIN_TRY_OUT(status, start(o, a, dev, watch), fail);
    REIN_TRY_OUT(status, cls->load(o), fail);
    REIN_TRY_OUT(status, size_run(o), fail);
    *out = o;
    return REIN_OK;
fail:
    rein_offline_close(o);
    return status;
}

static rein_status train(rein_offline *o, const char *config_yaml) {
    rein_trainer *t = &o->t;
    rein_commit commit;
    REIN_TRY(rein_trainer_open_run(t, o->cls->name, config_yaml));
    REIN_TRY(note_data(o));
    if (o->cls->note) REIN_TRY(o->cls->note(o));
    if (t->watch && t->watch->begin) t->watch->begin(t->watch->user, o->cls->name, t->step, t->steps);
    while (!rein_trainer_done(t)) REIN_TRY(offline_step(o, &commit));
    return rein_trainer_note(t);
}

rein_status rein_offline_run(const rein_offline_class *cls, const rein_train_args *args, const char *config_yaml,
                             rein_device *dev, const rein_train_watch *watch) {
    rein_offline *o;
    if (!args->output_dir) return rein_fail(REIN_ERR_USAGE, "option --output_dir is missing");
    REIN_TRY(rein_offline_open(&o, cls, args, dev, watch));
    rein_status status = train(o, config_yaml);
    rein_offline_close(o);
    return status;
}

rein_status rein_offline_replay(const rein_offline_class *cls, const rein_train_args *args, rein_device *dev,
                                const char *checkpoint, int64_t step, rein_commit *out, rein_str *journal) {
    rein_offline *o;
    if (journal) rein_str_clear(journal);
    REIN_TRY(rein_offline_open(&o, cls, args, dev, NULL));
    rein_status status = checkpoint ? rein_trainer_restore(&o->t, checkpoint) : REIN_OK;
    while (status == REIN_OK && o->t.step < step) status = offline_step(o, out);
    rein_offline_close(o);
    return status;
}
