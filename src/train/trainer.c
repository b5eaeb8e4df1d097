/* Update, checkpoint and resume; see trainer.h. */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "optim/clip.h"
#include "optim/schedule.h"
#include "model/lora.h"
#include "model/rope.h"
#include "rein/version.h"
#include "run/resolve.h"
#include "train/policy.h"

/* A model from scratch has the template that the options name, and its tokenizer. */
static rein_status make_texts(rein_trainer *t) {
    rein_str text = {0};
    rein_status status = rein_scratch_template(&text, t->args);
    if (status == REIN_OK && text.len > 0)
        status = rein_model_texts_put(&t->texts, "chat_template.jinja", text.data, text.len);
    rein_str_deinit(&text);
    return status;
}

static rein_status read_texts(rein_trainer *t) {
    rein_arena arena = {0};
    char *dir;
    if (!t->args->model_name_or_path) return make_texts(t);
    rein_status status = rein_model_dir_resolve(&dir, &arena, t->args->model_name_or_path);
    if (status == REIN_OK) status = rein_model_texts_read(&t->texts, dir, NULL);
    rein_arena_deinit(&arena);
    return status;
}

static rein_optim_options optim_options(const rein_train_args *a) {
    return (rein_optim_options){.optim = (rein_optim_type)a->optim,
                                .adam_beta1 = a->adam_beta1,
                                .adam_beta2 = a->adam_beta2,
                                .adam_epsilon = a->adam_epsilon,
                                .weight_decay = a->weight_decay,
                                .momentum = a->momentum,
                                .nesterov = a->nesterov,
                                .muon_momentum = a->muon_momentum,
                                .ns_steps = a->ns_steps,
                                .bf16_stochastic_round = a->bf16_stochastic_round,
                                .seed = (uint64_t)a->seed};
}

static rein_status start_optim(rein_trainer *t) {
    rein_optim_options o = optim_options(t->args);
    REIN_TRY(rein_best_init(&t->best, t->args));
    if (rein_optim_check(&o) != REIN_OK) return rein_fail(REIN_ERR_USAGE, "%s", rein_error_message());
    return rein_optim_create(&t->optim, t->dev, t->model->param, t->model->n_param, &o);
}

rein_status rein_trainer_init(rein_trainer *t, const rein_train_args *args, rein_device *dev, rein_model *model,
                              rein_tokenizer *tokenizer, const rein_train_watch *watch) {
    *t = (rein_trainer){.args = args, .dev = dev, .model = model, .tokenizer = tokenizer, .watch = watch};
    rein_status status;
    REIN_TRY_OUT(status, start_optim(t), fail);
    if (args->log_params_changed) REIN_TRY_OUT(status, rein_alloc(&t->before, model->n_float, sizeof(float)), fail);
    REIN_TRY_OUT(status, rein_grads_init(&t->grads, model), fail);
    REIN_TRY_OUT(status, rein_leaf_init(&t->leaf, model), fail);
    REIN_TRY_OUT(status, read_texts(t), fail);
    return REIN_OK;
fail:
    rein_trainer_deinit(t);
    return status;
}

void rein_trainer_deinit(rein_trainer *t) {
    rein_rundir_close(t->run);
    rein_leaf_deinit(&t->leaf);
    rein_grads_deinit(&t->grads);
    rein_optim_destroy(t->optim);
    rein_free(t->before);
    rein_model_destroy(t->model);
    rein_tokenizer_destroy(t->tokenizer);
    rein_model_texts_deinit(&t->texts);
    *t = (rein_trainer){0};
}

/* ---- the update ---- */

static rein_status schedule(rein_schedule *s, rein_plateau_options *plateau, const rein_trainer *t) {
    const rein_train_args *a = t->args;
    *s = rein_schedule_default((rein_schedule_type)a->lr_scheduler_type, a->learning_rate, t->steps);
    s->warmup_steps = a->warmup_steps > 0 ? a->warmup_steps : rein_schedule_fraction(a->warmup_ratio, t->steps);
    if (s->type == REIN_SCHEDULE_WARMUP_STABLE_DECAY) s->decay_steps = rein_schedule_fraction(a->lr_decay_ratio, t->steps);
    s->decay_shape = REIN_SHAPE_LINEAR;
    *plateau = rein_plateau_default();
    return a->lr_scheduler_kwargs ? rein_schedule_kwargs(s, plateau, a->lr_scheduler_kwargs) : REIN_OK;
}

/* Of the next update. */
static rein_status learning_rate(double *out, const rein_trainer *t) {
    rein_schedule s;
    rein_plateau_options plateau;
    REIN_TRY(schedule(&s, &plateau, t));
    *out = s.type == REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU ? t->best.plateau.rate : rein_schedule_rate(&s, t->step);
    return REIN_OK;
}

static rein_status refuse(rein_trainer *t, double norm) {
    char text[160];
    t->skipped++;
    snprintf(text, sizeof text, "step %lld: gradient norm is %g; the update is refused, the weights stay",
             (long long)t->step, norm);
    if (t->run) REIN_TRY(rein_rundir_event(t->run, t->step, "skip", text));
    if (t->skipped > t->args->max_skipped_updates)
        return rein_fail(REIN_ERR_NUMERIC, "%s (refused so far: %lld, max_skipped_updates: %lld)", text,
                         (long long)t->skipped, (long long)t->args->max_skipped_updates);
    return REIN_OK;
}

static void apply(rein_trainer *t, double rate, float scale) {
    t->updates++;
    rein_optim_step(t->optim, t->model->w, t->grads.flat,
                    (rein_optim_step_args){.step = t->updates, .learning_rate = rate, .grad_scale = scale});
    rein_model_pack(t->model);
}

/* Share of the trained parameters whose bits differ from before the update; padding is zero in both. */
static double changed(const rein_trainer *t) {
    const rein_model *m = t->model;
    return (double)m->dev->ops->count_diff(m->dev, t->before, m->w, m->n_float) / (double)rein_model_trained(m);
}

rein_status rein_trainer_update(rein_trainer *t, rein_update *out) {
    double sumsq, rate = 0;
    REIN_TRY(learning_rate(&rate, t));
    REIN_TRY(rein_params_sumsq(t->model, t->grads.flat, &sumsq));
    rein_clip clip = rein_clip_gradient(sumsq, t->args->max_grad_norm);
    *out = (rein_update){.grad_norm = clip.norm, .learning_rate = rate, .skipped = !clip.finite};
    t->step++;
    if (t->before) memcpy(t->before, t->model->w, (size_t)t->model->n_float * sizeof(float));
    if (clip.finite)
        apply(t, rate, clip.scale);
    else
        REIN_TRY(refuse(t, clip.norm));
    out->frac_changed = t->before ? changed(t) : 0;
    return REIN_OK;
}

void rein_trainer_dropout(rein_trainer *t, int64_t step, int64_t iteration) {
    uint32_t word[4];
    if (!t->model->lora) return;
    rein_random4(word, (uint64_t)t->args->seed, REIN_STREAM_DROPOUT, (uint32_t)step, (uint32_t)iteration, 0, 0);
    t->leaf.pass.dropout = (rein_dropout){(float)t->model->lora->config.dropout, (uint64_t)word[0] << 32 | word[1]};
}

/* ---- the metric that the run is judged by ---- */

static rein_status event(rein_trainer *t, const char *kind, const char *text) {
    return t->run ? rein_rundir_event(t->run, t->step, kind, text) : REIN_OK;
}

static rein_status take(rein_trainer *t, double value) {
    rein_best *b = &t->best;
    rein_schedule s;
    rein_plateau_options plateau;
    char text[160];
    rein_best_observe(b, t->step, value);
    REIN_TRY(schedule(&s, &plateau, t));
    if (s.type == REIN_SCHEDULE_REDUCE_LR_ON_PLATEAU && rein_plateau_observe(&b->plateau, &plateau, b->greater, b->last)) {
        snprintf(text, sizeof text, "%s stays: the learning rate is %g from here on", b->metric, b->plateau.rate);
        REIN_TRY(event(t, "plateau", text));
    }
    if (!b->stopped) return REIN_OK;
    snprintf(text, sizeof text, "%s did not improve for %lld values (best %g in step %lld): the run ends in step %lld of %lld",
             b->metric, (long long)b->waited, b->best, (long long)b->best_step, (long long)t->step, (long long)t->steps);
    return event(t, "early_stop", text);
}

static rein_status no_such_metric(const rein_best *b, const rein_named *metric, int64_t n) {
    const char **names;
    REIN_TRY(rein_alloc(&names, n, sizeof *names));
    for (int64_t i = 0; i < n; i++) names[i] = metric[i].name;
    const char *near = rein_nearest_name(b->metric, names, n);
    rein_status status = rein_fail(REIN_ERR_USAGE, "metric_for_best_model '%s' is not among this run's metrics%s%s%s", b->metric,
                                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    rein_free(names);
    return status;
}

static bool of_evaluation(const char *name) { return strncmp(name, "eval_", 5) == 0; }

rein_status rein_trainer_observe(rein_trainer *t, const rein_named *metric, int64_t n) {
    const rein_best *b = &t->best;
    if (!b->metric || n == 0 || of_evaluation(metric[0].name) != of_evaluation(b->metric)) return REIN_OK;
    for (int64_t i = 0; i < n; i++)
        if (strcmp(metric[i].name, b->metric) == 0) return take(t, metric[i].value);
    return b->observed > 0 ? REIN_OK : no_such_metric(b, metric, n); /* later on a step may lack it */
}

bool rein_trainer_done(const rein_trainer *t) { return t->step >= t->steps || t->best.stopped; }

/* ---- checkpoints ---- */

static rein_status write_state(const rein_trainer *t, const char *path) {
    rein_str s = {0};
    rein_str_printf(&s, "{\"global_step\":%lld,\"max_steps\":%lld,\"updates\":%lld,\"skipped_updates\":%lld,\"num_tokens\":%lld",
                    (long long)t->step, (long long)t->steps, (long long)t->updates, (long long)t->skipped,
                    (long long)t->tokens);
    rein_best_write(&t->best, &s);
    rein_str_puts(&s, "}\n");
    rein_status status = rein_str_check(&s);
    if (status == REIN_OK) status = rein_file_write(path, s.data, s.len);
    rein_str_deinit(&s);
    return status;
}

static rein_status write_checkpoint(rein_trainer *t, const char *dir, rein_arena *arena) {
    char *path;
    REIN_TRY(rein_model_save(t->model, dir));
    REIN_TRY(rein_optim_write(t->optim, dir));
    REIN_TRY(rein_model_texts_write(&t->texts, dir));
    if (!t->args->model_name_or_path) { /* from scratch */
        REIN_TRY(rein_path_format(arena, &path, "%s/tokenizer.json", dir));
        REIN_TRY(rein_tokenizer_save(t->tokenizer, path));
    }
    REIN_TRY(rein_path_format(arena, &path, "%s/trainer_state.json", dir));
    REIN_TRY(write_state(t, path));
    return t->more.save ? t->more.save(t->more.user, dir) : REIN_OK;
}

rein_status rein_trainer_save(rein_trainer *t, const char *dir) {
    rein_arena arena = {0};
    rein_status status = write_checkpoint(t, dir, &arena);
    rein_arena_deinit(&arena);
    return status;
}

static rein_status note_best(rein_trainer *t) {
    char text[160];
    if (!rein_best_checkpoint(&t->best, t->step)) return REIN_OK;
    snprintf(text, sizeof text, "checkpoint-%lld is the best so far: %s is %g", (long long)t->step, t->best.metric, t->best.last);
    return event(t, "best", text);
}

rein_status rein_trainer_checkpoint(rein_trainer *t) {
    const rein_train_args *a = t->args;
    bool due = rein_trainer_done(t) || (a->save_steps > 0 && t->step % a->save_steps == 0);
    if (!due) return REIN_OK;
    REIN_TRY(note_best(t));
    rein_arena arena = {0};
    const char *dir;
    rein_status status;
    REIN_TRY_OUT(status, rein_checkpoint_begin(t->run, t->step, &dir), out);
    REIN_TRY_OUT(status, write_checkpoint(t, dir, &arena), out);
    REIN_TRY_OUT(status, rein_checkpoint_publish(t->run, t->step), out);
    if (a->save_total_limit > 0) REIN_TRY_OUT(status, rein_checkpoint_prune(t->run, a->save_total_limit, t->best.checkpoint), out);
out:
    rein_arena_deinit(&arena);
    return status;
}

static rein_status read_state(rein_trainer *t, const char *path) {
    struct json_object *doc;
    rein_status status;
    REIN_TRY(rein_json_load(&doc, path));
    REIN_TRY_OUT(status, rein_json_int(&t->step, doc, "global_step"), out);
    REIN_TRY_OUT(status, rein_json_int(&t->updates, doc, "updates"), out);
    REIN_TRY_OUT(status, rein_json_int(&t->skipped, doc, "skipped_updates"), out);
    REIN_TRY_OUT(status, rein_json_int(&t->tokens, doc, "num_tokens"), out);
    REIN_TRY_OUT(status, rein_best_read(&t->best, doc), out);
out:
    json_object_put(doc);
    return status;
}

rein_status rein_trainer_load(rein_trainer *t, const char *dir) {
    rein_arena arena = {0};
    char *path;
    rein_status status;
    REIN_TRY_OUT(status, rein_model_restore(t->model, dir), out);
    REIN_TRY_OUT(status, rein_optim_read(t->optim, dir), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/trainer_state.json", dir), out);
    REIN_TRY_OUT(status, read_state(t, path), out);
    if (t->more.load) REIN_TRY_OUT(status, t->more.load(t->more.user, dir), out);
out:
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_trainer_restore(rein_trainer *t, const char *dir) {
    REIN_TRY(rein_checkpoint_verify(dir, NULL));
    return rein_trainer_load(t, dir);
}

/* ---- the run ---- */

/* The next line of a configuration that a resumed run must share, or NULL; *at moves on. */
static const char *next_line(const char **at, size_t *len) {
    static const char *const own[] = {"resume_from_checkpoint:", "output_dir:"}; /* a run may have been moved */
    while (**at) {
        const char *line = *at;
        bool shared = true;
        *len = strcspn(line, "\n");
        *at += *len + (line[*len] == '\n');
        for (size_t i = 0; i < REIN_COUNT(own); i++) shared &= strncmp(line, own[i], strlen(own[i])) != 0;
        if (shared) return line;
    }
    return NULL;
}

/* A run goes on with the options that it began with: other ones would make its config.yaml a lie. */
static rein_status same_config(const rein_rundir *run, const char *config_yaml) {
    rein_str old = {0};
    rein_status status = rein_read_config(run, &old);
    const char *mine = config_yaml, *theirs = old.data ? old.data : "";
    while (status == REIN_OK) {
        size_t n = 0, m = 0;
        const char *a = next_line(&theirs, &n), *b = next_line(&mine, &m);
        if (!a && !b) break;
        if (!a || !b || n != m || memcmp(a, b, n) != 0)
            status = rein_fail(REIN_ERR_USAGE, "'%s' was begun with '%.*s', now it is '%.*s'; start another run",
                               rein_rundir_path(run), (int)n, a ? a : "", (int)m, b ? b : "");
    }
    rein_str_deinit(&old);
    return status;
}

static rein_status resume(rein_trainer *t, const char *kind, const char *config_yaml) {
    const char *path = t->args->output_dir;
    rein_arena arena = {0};
    char *dir;
    int64_t step;
    rein_status status;
    REIN_TRY_OUT(status, rein_rundir_open(&t->run, path, true), out);
    if (strcmp(rein_rundir_kind(t->run), kind) != 0) {
        status = rein_fail(REIN_ERR_USAGE, "'%s' is a run of kind '%s', not '%s'", path, rein_rundir_kind(t->run), kind);
        goto out;
    }
    REIN_TRY_OUT(status, same_config(t->run, config_yaml), out);
    REIN_TRY_OUT(status, rein_checkpoint_latest(t->run, &step), out);
    if (step >= 0) {
        REIN_TRY_OUT(status, rein_checkpoint_path(t->run, &arena, step, &dir), out);
        REIN_TRY_OUT(status, rein_trainer_restore(t, dir), out);
    }
    REIN_TRY_OUT(status, rein_rundir_rollback(t->run, step < 0 ? 0 : step), out);
out:
    rein_arena_deinit(&arena);
    return status;
}

rein_status rein_trainer_open_run(rein_trainer *t, const char *kind, const char *config_yaml) {
    const char *path = t->args->output_dir;
    rein_schedule s;
    rein_plateau_options plateau;
    REIN_TRY(schedule(&s, &plateau, t));
    if (rein_schedule_check(&s) != REIN_OK) return rein_fail(REIN_ERR_USAGE, "%s", rein_error_message());
    bool old = t->args->resume_from_checkpoint && rein_rundir_exists(path);
    REIN_TRY(old ? resume(t, kind, config_yaml) : rein_rundir_create(&t->run, path, kind, config_yaml));
    return rein_trainer_note(t);
}

static rein_status note_adapter(rein_trainer *t) {
    const rein_lora *lo = t->model->lora;
    char text[96];
    snprintf(text, sizeof text, "%lld", (long long)rein_model_trained(t->model));
    REIN_TRY(rein_rundir_note(t->run, "adapter.parameters", text));
    REIN_TRY(rein_rundir_note(t->run, "base", rein_source_path(t->model->source)));
    REIN_TRY(rein_rundir_note(t->run, "base.hash", lo->base_hash));
    if (lo->config.dropout == 0) return REIN_OK;
    snprintf(text, sizeof text, "%g; sampling runs without it, so that the first policy ratios are not 1", lo->config.dropout);
    return rein_rundir_note(t->run, "adapter.dropout", text);
}

static rein_status note_end(rein_trainer *t) {
    const rein_best *b = &t->best;
    char text[40];
    if (!b->metric || !rein_trainer_done(t)) return REIN_OK;
    if (b->observed == 0)
        return rein_fail(REIN_ERR_USAGE, "metric_for_best_model '%s' was never measured in this run", b->metric);
    if (!t->args->load_best_model_at_end || b->checkpoint < 0) return REIN_OK;
    snprintf(text, sizeof text, "checkpoint-%lld", (long long)b->checkpoint);
    return rein_rundir_note(t->run, REIN_NOTE_BEST, text);
}

rein_status rein_trainer_note(rein_trainer *t) {
    char text[64];
    snprintf(text, sizeof text, "%lld", (long long)rein_model_count(t->model));
    REIN_TRY(rein_rundir_note(t->run, "rein.version", REIN_VERSION));
    REIN_TRY(rein_rundir_note(t->run, "model.parameters", text));
    snprintf(text, sizeof text, "%lld", (long long)t->model->n_pos);
    REIN_TRY(rein_rundir_note(t->run, "model.positions", text));
    snprintf(text, sizeof text, "%.17g", rein_rope_base(&t->model->cfg, t->model->n_pos));
    REIN_TRY(rein_rundir_note(t->run, "model.rope_base", text));
    if (t->model->lora) REIN_TRY(note_adapter(t));
    REIN_TRY(note_end(t));
    return rein_rundir_environment(t->run, t->dev->ops->name, t->dev->threads);
}

/* ---- hashes ---- */

void rein_commit_add(rein_commit *c, const char *name, const void *bytes, size_t len) {
    REIN_ASSERT(c->n < REIN_COMMIT_MAX);
    snprintf(c->hash[c->n].name, sizeof c->hash[c->n].name, "%s", name);
    rein_xxh3_hex(c->hash[c->n++].hex, bytes, len);
}

static void add_hash(rein_commit *c, const char *name, const char hex[REIN_XXH_HEX]) {
    REIN_ASSERT(c->n < REIN_COMMIT_MAX);
    snprintf(c->hash[c->n].name, sizeof c->hash[c->n].name, "%s", name);
    snprintf(c->hash[c->n++].hex, REIN_XXH_HEX, "%s", hex);
}

static void add_params(rein_commit *c, const char *name, const rein_model *model, const float *flat) {
    char hex[REIN_XXH_HEX];
    rein_params_hash(model, flat, hex);
    add_hash(c, name, hex);
}

void rein_trainer_commit(const rein_trainer *t, rein_commit *c) {
    add_params(c, "grad", t->model, t->grads.flat);
    add_params(c, "weights", t->model, t->model->w);
    static const char *const array[REIN_OPTIM_ARRAYS] = {"optimiser_m", "optimiser_v"};
    for (int i = 0; i < REIN_OPTIM_ARRAYS; i++) {
        char hex[REIN_XXH_HEX];
        if (rein_optim_hash(t->optim, i, hex)) add_hash(c, array[i], hex);
    }
}
