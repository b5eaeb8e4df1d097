/* Evaluation of models beside reference policies; see eval.h. */
#include "train/eval.h"

#include <stdio.h>
#include <string.h>

#include "env/open.h"
#include "rollout/rollout.h"
#include "train/reward_model.h"
#include "train/trainer.h"

static rein_status list_tasks(rein_evaluation *e, const rein_env *env, const rein_eval_args *a) {
    int64_t n = a->cases;
    if (a->split == REIN_SPLIT_FIXED && env->cls->fixed_count(env) < n) n = env->cls->fixed_count(env);
    REIN_TRY(rein_alloc(&e->task, n, sizeof *e->task));
    e->n_case = n;
    for (int64_t i = 0; i < n; i++) REIN_TRY(env->cls->task(env, a->seed, a->split, i, &e->task[i]));
    return REIN_OK;
}

static rein_status add_policy(rein_evaluation *e, const char *name, rein_role role, int64_t answers,
                              rein_policy_result **out) {
    REIN_TRY(rein_realloc(&e->policy, e->n_policy, e->n_policy + 1, sizeof *e->policy));
    rein_policy_result *p = &e->policy[e->n_policy++];
    snprintf(p->name, sizeof p->name, "%s", name);
    p->role = role;
    REIN_TRY(rein_alloc(&p->answer, answers, sizeof *p->answer));
    p->n = answers;
    *out = p;
    return REIN_OK;
}

static rein_status describe(const rein_env *env, const rein_task *task, rein_answer *a) {
    const char *text = a->text.data ? a->text.data : "";
    REIN_TRY(env->cls->describe(env, task, text, a->text.len, &a->details));
    return rein_str_check(&a->details);
}

/* The answer that an episode is: what was said in it as its details. */
static rein_status take_episode(rein_answer *a, const rein_task *task, const rein_transcript *t) {
    if (t->failed)
        return rein_fail(REIN_ERR_IO, "task %lld: the world failed twice, and the evaluation cannot tell what an answer is worth",
                         (long long)task->index);
    a->score = t->score;
    REIN_TRY(rein_transcript_write(t, &a->details));
    return rein_score_check(&a->score);
}

/* A reference policy answers one task. */
static rein_status answer_once(rein_answer *a, const rein_env *env, const rein_task *task, int which, uint64_t seed) {
    REIN_TRY(env->cls->baseline(env, seed, task, which, &a->text));
    REIN_TRY(rein_str_check(&a->text));
    REIN_TRY(env->cls->score(env, task, a->text.data, a->text.len, &a->score));
    REIN_TRY(rein_score_check(&a->score));
    return describe(env, task, a);
}

static rein_status run_baseline(rein_evaluation *e, const rein_env *env, int which, uint64_t seed) {
    rein_policy_result *p;
    /* the first reference policy of an environment is its oracle */
    REIN_TRY(add_policy(e, env->cls->baselines[which], which == 0 ? REIN_ROLE_ORACLE : REIN_ROLE_BASELINE, e->n_case, &p));
    for (int64_t i = 0; i < e->n_case; i++) {
        p->answer[i].index = i;
        REIN_TRY(answer_once(&p->answer[i], env, &e->task[i], which, seed));
    }
    return REIN_OK;
}

static rein_status say_nothing(void *user, rein_episode *ep, const rein_transcript *so_far, rein_str *action) {
    (void)user, (void)ep, (void)so_far, (void)action;
    return REIN_OK;
}

/* A policy that needs no model plays an episode of every task. */
static rein_status run_player(rein_evaluation *e, const char *name, rein_role role, rein_policy policy) {
    rein_policy_result *p;
    rein_transcript t = {0};
    rein_status status = add_policy(e, name, role, e->n_case, &p);
    for (int64_t i = 0; i < e->n_case && status == REIN_OK; i++) {
        p->answer[i].index = i;
        status = rein_episode_play(e->slots.episode[0], &e->task[i], policy, NULL, &t);
        if (status == REIN_OK) status = take_episode(&p->answer[i], &e->task[i], &t);
    }
    rein_transcript_deinit(&t);
    return status;
}

/* Of a world of several turns: its expert, and who does nothing. */
static rein_status run_players(rein_evaluation *e, const rein_env *env, const rein_eval_args *a) {
    if (!env->cls->turns) return REIN_OK;
    REIN_TRY(rein_slots_open(&e->slots, env, a->env_slots));
    if (env->cls->turns->oracle) REIN_TRY(run_player(e, "oracle", REIN_ROLE_ORACLE, rein_policy_oracle));
    return run_player(e, "noop", REIN_ROLE_BASELINE, say_nothing);
}

static rein_status same_model(const rein_evaluation *e, const rein_policy_result *p) {
    for (int64_t i = 0; i < e->n_policy; i++)
        if (&e->policy[i] != p && strcmp(e->policy[i].weights, p->weights) == 0)
            return rein_fail(REIN_ERR_MISMATCH, "policies '%s' and '%s' are the same model: equal weights %s",
                             e->policy[i].name, p->name, p->weights);
    return REIN_OK;
}

typedef struct shown {
    void (*detail)(void *user, const char *text);
    void *user;
    const char *name;
} shown;

static void show(void *user, int64_t done, int64_t all, int64_t tokens) {
    shown *s = user;
    char text[128];
    snprintf(text, sizeof text, "%s: %lld/%lld answers, %lld tokens", s->name, (long long)done, (long long)all,
             (long long)tokens);
    if (s->detail) s->detail(s->user, text);
}

static rein_status answer_all(rein_evaluation *e, rein_policy_result *p, const rein_rollout_setup *setup, shown *s) {
    rein_rollouts r;
    REIN_TRY(rein_rollouts_collect(&r, setup, e->task, e->n_case, show, s));
    rein_status status = REIN_OK;
    for (int64_t i = 0; i < r.gen.n_seq && status == REIN_OK; i++) {
        rein_answer *a = &p->answer[i];
        a->index = i / r.G;
        a->sample = i % r.G;
        a->score = r.score[i];
        a->text = r.text[i];
        r.text[i] = (rein_str){0};
        status = r.transcript ? take_episode(a, &e->task[a->index], &r.transcript[i])
                              : describe(setup->env, &e->task[a->index], a);
    }
    rein_rollouts_deinit(&r);
    return status;
}

static rein_status run_model(rein_evaluation *e, const rein_env *env, const rein_eval_args *a, int64_t which,
                             rein_device *dev, shown *s) {
    rein_model *model = NULL;
    rein_tokenizer *tok = NULL;
    rein_policy_result *p;
    rein_prompt_chat chat = {0};
    int32_t eos[REIN_MAX_EOS];
    rein_model_options frozen = {.frozen = true, .max_pos = a->max_model_length};
    rein_status status;
    REIN_TRY_OUT(status, rein_start_model(&model, &tok, a->path[which], dev, &frozen), out);
    REIN_TRY_OUT(status, rein_start_chat(&chat, a->path[which], &a->chat), out);
    REIN_TRY_OUT(status, add_policy(e, a->name[which], REIN_ROLE_MODEL, e->n_case * a->num_samples, &p), out);
    rein_model_hash(model, p->weights);
    REIN_TRY_OUT(status, same_model(e, p), out);
    for (int i = 0; i < model->cfg.n_eos; i++) eos[i] = (int32_t)model->cfg.eos_id[i];
    rein_rollout_setup setup = {.model = model, .tokenizer = tok, .env = env, .chat = &chat, .G = a->num_samples,
                                .slots = &e->slots, .max_turn_tokens = a->max_turn_tokens,
                                .gen = {.sampling = {.temperature = a->temperature, .top_p = 1},
                                        .max_new_tokens = a->max_new_tokens, .max_batch = a->batch, .seed = a->seed,
                                        .stream = REIN_STREAM_EVAL, .eos = eos, .n_eos = model->cfg.n_eos}};
    s->name = a->name[which];
    status = answer_all(e, p, &setup, s);
out:
    rein_prompt_chat_close(&chat);
    rein_model_destroy(model);
    rein_tokenizer_destroy(tok);
    return status;
}

rein_status rein_evaluate(rein_evaluation *out, const rein_eval_args *args, rein_device *dev,
                          void (*detail)(void *user, const char *text), void *user) {
    rein_status status;
    shown s = {.detail = detail, .user = user};
    *out = (rein_evaluation){0};
    const rein_reward_host host = rein_reward_model_host(dev);
    REIN_TRY_OUT(status, rein_env_open_host(&out->env, args->env, &host), out);
    const rein_env *env = out->env;
    REIN_TRY_OUT(status, list_tasks(out, env, args), out);
    REIN_TRY_OUT(status, run_players(out, env, args), out);
    for (int i = 0; env->cls->baselines[i]; i++) REIN_TRY_OUT(status, run_baseline(out, env, i, args->seed), out);
    for (int64_t i = 0; i < args->n_model; i++) REIN_TRY_OUT(status, run_model(out, env, args, i, dev, &s), out);
out:
    if (status != REIN_OK) rein_evaluation_deinit(out);
    return status;
}

void rein_evaluation_deinit(rein_evaluation *e) {
    for (int64_t i = 0; i < e->n_policy; i++) {
        for (int64_t k = 0; e->policy[i].answer && k < e->policy[i].n; k++) {
            rein_str_deinit(&e->policy[i].answer[k].text);
            rein_str_deinit(&e->policy[i].answer[k].details);
        }
        rein_free(e->policy[i].answer);
    }
    rein_free(e->policy);
    rein_free(e->task);
    rein_slots_close(&e->slots);
    rein_env_close(e->env);
    *e = (rein_evaluation){0};
}

static rein_status store_policy(const rein_evaluation *e, const rein_policy_result *p, rein_rundir *run, int64_t eval) {
    REIN_TRY(rein_rundir_eval_policy(run, eval, p->name, p->role, p->weights[0] ? p->weights : NULL));
    for (int64_t k = 0; k < p->n; k++) {
        const rein_answer *a = &p->answer[k];
        rein_eval_case c = {.policy = p->name, .index = a->index, .sample = a->sample, .key = e->task[a->index].key,
                            .reward = a->score.total, .success = a->score.success, .format_ok = a->score.format_ok,
                            .part = a->score.component, .n_part = a->score.n_component, .metric = a->score.metric,
                            .n_metric = a->score.n_metric, .text = a->text.data ? a->text.data : "",
                            .text_len = a->text.len, .details = a->details.data, .details_len = a->details.len};
        REIN_TRY(rein_rundir_eval_case(run, eval, &c));
    }
    return REIN_OK;
}

rein_status rein_evaluation_store(const rein_evaluation *e, rein_rundir *run, const char *name, const char *about) {
    int64_t eval;
    REIN_TRY(rein_rundir_eval_begin(run, name, 0, about, &eval));
    for (int64_t i = 0; i < e->n_policy; i++) REIN_TRY(store_policy(e, &e->policy[i], run, eval));
    return rein_rundir_eval_end(run, eval);
}

static void add_metric(rein_policy_summary *s, const rein_named *m) {
    int i = 0;
    while (i < s->n_metric && strcmp(s->metric[i].name, m->name) != 0) i++;
    if (i == REIN_SCORE_PARTS) return;
    if (i == s->n_metric) s->metric[s->n_metric++] = (rein_named){m->name, 0};
    s->metric[i].value += m->value;
}

void rein_policy_summarize(rein_policy_summary *out, const rein_policy_result *p) {
    *out = (rein_policy_summary){0};
    int64_t well = 0;
    for (int64_t k = 0; k < p->n; k++) {
        const rein_score *s = &p->answer[k].score;
        out->reward += s->total / (double)p->n;
        out->success_rate += (double)s->success / (double)p->n;
        out->format_rate += (double)s->format_ok / (double)p->n;
        for (int i = 0; i < s->n_metric && s->format_ok; i++) add_metric(out, &s->metric[i]);
        well += s->format_ok;
    }
    for (int i = 0; i < out->n_metric && well > 0; i++) out->metric[i].value /= (double)well;
}
