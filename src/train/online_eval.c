/* Held-out tasks measured during a run (eval_strategy); see online_loop.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "rl/stats.h"
#include "train/online_loop.h"

static bool wanted(const rein_online *o) { return o->t.args->eval_strategy == REIN_EVAL_STEPS; }

static rein_status fail_tasks(int64_t n) {
    char why[256];
    snprintf(why, sizeof why, "%s", rein_error_message());
    return rein_fail(REIN_ERR_USAGE, "eval_tasks %lld: %s", (long long)n, why);
}

rein_status rein_online_eval_init(rein_online *o) {
    const rein_train_args *a = o->t.args;
    rein_status status = REIN_OK;
    if (!wanted(o)) return REIN_OK;
    REIN_TRY(rein_alloc(&o->eval_task, a->eval_tasks, sizeof *o->eval_task));
    for (int64_t i = 0; i < a->eval_tasks && status == REIN_OK; i++)
        status = o->env->cls->task(o->env, (uint64_t)a->seed, REIN_SPLIT_EVAL, i, &o->eval_task[i]);
    return status == REIN_ERR_ARG ? fail_tasks(a->eval_tasks) : status;
}

static void show(void *user, int64_t done, int64_t all, int64_t tokens) {
    const rein_train_watch *w = user;
    char text[96];
    snprintf(text, sizeof text, "eval %lld/%lld, %lld tokens", (long long)done, (long long)all, (long long)tokens);
    if (w && w->detail) w->detail(w->user, text);
}

/* The draws are the same at every step: what differs between two evaluations is the policy. */
static rein_status answer(rein_rollouts *out, rein_online *o) {
    const rein_train_args *a = o->t.args;
    const bool greedy = a->eval_temperature == 0;
    const rein_sampling drawn = {
        .temperature = a->eval_temperature, .top_k = a->top_k, .top_p = a->top_p, .min_p = a->min_p};
    rein_rollout_setup setup = {.model = o->t.model,
                                .tokenizer = o->t.tokenizer,
                                .env = o->env,
                                .chat = &o->chat,
                                .slots = &o->slots,
                                .max_turn_tokens = a->max_turn_length,
                                .G = a->num_generations_eval,
                                .gen = {.sampling = greedy ? (rein_sampling){.top_p = 1} : drawn,
                                        .max_new_tokens = o->opt.max_completion_length,
                                        .max_batch = a->generation_batch,
                                        .seed = (uint64_t)a->seed,
                                        .stream = REIN_STREAM_EVAL,
                                        .eos = o->eos,
                                        .n_eos = o->t.model->cfg.n_eos}};
    return rein_rollouts_collect(out, &setup, o->eval_task, a->eval_tasks, show, (void *)(uintptr_t)o->t.watch);
}

/* reward and reward_std over the answers that something has scored, and the metrics of rollouts. */
static rein_status measure(rein_metric_list *m, const rein_rollouts *r) {
    const int64_t n = r->gen.n_seq;
    double *total;
    REIN_TRY(rein_alloc(&total, n, sizeof *total));
    for (int64_t i = 0; i < n; i++) {
        const rein_score *s = &r->score[i];
        bool scored = !rein_rollouts_failed(r, i) && (s->n_func == 0 || s->n_component > 0);
        total[i] = scored ? s->total : (double)NAN;
    }
    const rein_moments reward = rein_stats_moments(total, n, 1);
    rein_free(total);
    rein_metric_add(m, reward.mean, "reward");
    rein_metric_add(m, reward.sd, "reward_std");
    if (r->score[0].n_func > 0) rein_metric_add(m, (double)(n - reward.n), "rewards/unscored");
    rein_metrics_completions(m, r);
    rein_metrics_episodes(m, r);
    return rein_metrics_components(m, r);
}

static rein_status evaluate(rein_online *o) {
    rein_rollouts r;
    rein_metric_list *m;
    rein_status status;
    REIN_TRY(answer(&r, o));
    REIN_TRY_OUT(status, rein_alloc(&m, 1, sizeof *m), out);
    status = measure(m, &r);
    for (int64_t i = 0; i < m->n && status == REIN_OK; i++) {
        char name[REIN_METRIC_NAME + 5];
        snprintf(name, sizeof name, "eval_%s", m->row[i].name);
        rein_metric_add(&o->metrics, m->row[i].value, name);
    }
    rein_free(m);
out:
    rein_rollouts_deinit(&r);
    return status;
}

rein_status rein_online_evaluate(rein_online *o) {
    const rein_trainer *t = &o->t;
    bool due = rein_trainer_done(t) || (t->args->eval_steps > 0 && t->step % t->args->eval_steps == 0);
    o->n_step_metrics = o->metrics.n;
    if (!wanted(o) || !due || (!t->run && !t->best.metric)) return REIN_OK;
    REIN_TRY(evaluate(o));
    return rein_trainer_observe(&o->t, o->metrics.row + o->n_step_metrics, o->metrics.n - o->n_step_metrics);
}
