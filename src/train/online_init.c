/* Loading what an online run needs; see online_loop.h. */
#include <string.h>

#include "train/online_loop.h"

void rein_online_deinit(rein_online *o) {
    rein_leaf_deinit(&o->ref_leaf);
    rein_model_destroy(o->ref);
    for (int64_t m = 0; o->batch && m < o->M; m++) rein_group_batch_deinit(&o->batch[m]);
    rein_free(o->batch);
    rein_rollouts_deinit(&o->rollouts);
    for (int64_t k = 0; o->spare && k < o->t.args->max_resamples; k++) rein_rollouts_deinit(&o->spare[k]);
    rein_free(o->spare);
    rein_prompt_chat_close(&o->chat);
    rein_arena_deinit(&o->tokens.arena);
    rein_free(o->advantage);
    rein_free(o->row);
    rein_trainer_deinit(&o->t);
}

static rein_status load_reference(rein_online *o) {
    const rein_train_args *a = o->t.args;
    if (!o->opt.needs_ref) return REIN_OK;
    REIN_TRY(rein_start_reference(&o->ref, a, o->t.dev));
    if (o->ref->cfg.V != o->t.model->cfg.V)
        return rein_fail(REIN_ERR_USAGE, "reference '%s' has a vocabulary of %lld, the policy %lld", a->ref_model,
                         (long long)o->ref->cfg.V, (long long)o->t.model->cfg.V);
    return rein_leaf_init(&o->ref_leaf, o->ref);
}

static rein_status load_chat(rein_online *o) {
    const rein_train_args *a = o->t.args;
    const rein_prompt_chat_args args = {a->system_prompt, a->chat_template_kwargs, a->chat};
    return rein_start_chat(&o->chat, a->model_name_or_path, &args);
}

static void set_sizes(rein_online *o) {
    const rein_train_args *a = o->t.args;
    o->t.steps = a->max_steps;
    o->M = a->num_mini_batches;
    o->rows = a->per_device_train_batch_size * a->gradient_accumulation_steps;
    o->N = o->rows * o->M;
    o->G = a->num_generations;
    o->P = o->N / o->G;
    for (int i = 0; i < o->t.model->cfg.n_eos; i++) o->eos[i] = (int32_t)o->t.model->cfg.eos_id[i];
}

rein_status rein_online_init(rein_online *o, rein_online_kind kind, const rein_train_args *a, const rein_env *env,
                             rein_device *dev, const rein_train_watch *watch) {
    rein_model *model = NULL;
    rein_tokenizer *tok = NULL;
    o->kind = kind;
    o->env = env;
    REIN_TRY(rein_online_options_init(&o->opt, kind, a));
    rein_status status = rein_start_policy(&model, &tok, a, dev);
    if (status != REIN_OK) {
        rein_model_destroy(model);
        rein_tokenizer_destroy(tok);
        return rein_trace_add(status, __FILE__, __LINE__);
    }
    REIN_TRY(rein_trainer_init(&o->t, a, dev, model, tok, watch));
    set_sizes(o);
    REIN_TRY(rein_alloc(&o->batch, o->M, sizeof *o->batch));
    REIN_TRY(rein_alloc(&o->advantage, o->N, sizeof *o->advantage));
    REIN_TRY(rein_alloc(&o->row, o->N, sizeof *o->row));
    if (a->dynamic_sampling) REIN_TRY(rein_alloc(&o->spare, a->max_resamples, sizeof *o->spare));
    rein_entropy_control_init(&o->state.entropy, &o->opt.loss);
    o->state.beta = o->opt.beta;
    REIN_TRY(load_chat(o));
    return load_reference(o);
}
