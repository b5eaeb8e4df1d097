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
    rein_slots_close(&o->slots);
    rein_prompt_chat_close(&o->chat);
    rein_arena_deinit(&o->tokens.arena);
    rein_free(o->advantage);
    rein_free(o->eval_task);
    rein_online_pool_deinit(o);
    rein_free(o->row);
    rein_free(o->value_row);
    rein_trainer_deinit(&o->own_critic);
    rein_trainer_deinit(&o->t);
}

/* A reference that moves is as the policy's start, with weights of its own. */
static rein_status start_moving(rein_model **ref, const rein_train_args *a, rein_device *dev) {
    rein_tokenizer *tok = NULL;
    rein_status status = rein_start_policy(ref, &tok, a, dev);
    rein_tokenizer_destroy(tok);
    return status;
}

static rein_status load_reference(rein_online *o) {
    const rein_train_args *a = &o->ref_args;
    if (!o->opt.needs_ref) return REIN_OK;
    REIN_TRY(a->sync_ref_model ? start_moving(&o->ref, a, o->t.dev) : rein_start_reference(&o->ref, a, o->t.dev));
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

/* A trainer of its own model. It writes to no run. */
static rein_status start_trainer(rein_trainer *t, const rein_train_args *a, rein_device *dev,
                                 const rein_train_watch *watch) {
    rein_model *model = NULL;
    rein_tokenizer *tok = NULL;
    rein_status status = rein_start_policy(&model, &tok, a, dev);
    if (status == REIN_OK) return rein_trainer_init(t, a, dev, model, tok, watch);
    rein_model_destroy(model);
    rein_tokenizer_destroy(tok);
    return rein_trace_add(status, __FILE__, __LINE__);
}

static rein_status load_critic(rein_online *o) {
    const rein_train_args *a = o->t.args;
    if (o->kind != REIN_ONLINE_PPO) return REIN_OK;
    REIN_TRY(rein_alloc(&o->value_row, o->N, sizeof *o->value_row));
    o->critic = a->critic == REIN_CRITIC_SHARED ? &o->t : &o->own_critic;
    if (o->critic == &o->t) return REIN_OK;
    REIN_TRY(start_trainer(&o->own_critic, &o->critic_args, o->t.dev, NULL));
    o->own_critic.steps = o->t.steps;
    if (o->own_critic.model->cfg.V != o->t.model->cfg.V)
        return rein_fail(REIN_ERR_USAGE, "critic '%s' has a vocabulary of %lld, the policy %lld",
                         o->critic_args.model_name_or_path, (long long)o->own_critic.model->cfg.V,
                         (long long)o->t.model->cfg.V);
    return REIN_OK;
}

/* The same options for each model, but for what makes it what it is. */
static void set_args(rein_online *o, rein_online_kind kind, const rein_train_args *a) {
    bool separate = kind == REIN_ONLINE_PPO && a->critic == REIN_CRITIC_SEPARATE;
    o->policy_args = o->critic_args = o->ref_args = *a;
    if (separate) o->policy_args.value_head = REIN_VALUE_NONE;
    o->ref_args.value_head = REIN_VALUE_NONE;
    if (a->critic_model) o->critic_args.model_name_or_path = a->critic_model;
    if (a->critic_learning_rate > 0) o->critic_args.learning_rate = a->critic_learning_rate;
}

rein_status rein_online_init(rein_online *o, rein_online_kind kind, const rein_train_args *a, const rein_env *env,
                             rein_device *dev, const rein_train_watch *watch) {
    o->kind = kind;
    o->env = env;
    if (a->turn_credit && !env->cls->turns)
        return rein_fail(REIN_ERR_USAGE, "turn_credit is given, and environment '%s' has no turns", env->cls->name);
    REIN_TRY(rein_online_options_init(&o->opt, kind, a));
    set_args(o, kind, a);
    REIN_TRY(start_trainer(&o->t, &o->policy_args, dev, watch));
    set_sizes(o);
    REIN_TRY(rein_alloc(&o->batch, o->M, sizeof *o->batch));
    REIN_TRY(rein_alloc(&o->advantage, o->N, sizeof *o->advantage));
    REIN_TRY(rein_alloc(&o->row, o->N, sizeof *o->row));
    if (a->dynamic_sampling) REIN_TRY(rein_alloc(&o->spare, a->max_resamples, sizeof *o->spare));
    rein_entropy_control_init(&o->state.entropy, &o->opt.loss);
    o->state.beta = o->opt.beta;
    REIN_TRY(load_critic(o));
    REIN_TRY(rein_online_pool_init(o));
    REIN_TRY(rein_online_eval_init(o));
    rein_online_keep_state(o);
    REIN_TRY(load_chat(o));
    REIN_TRY(load_reference(o));
    return env->cls->turns ? rein_slots_open(&o->slots, env, a->env_slots) : REIN_OK;
}
