/* What a step says about itself; see online_loop.h. */
#include <string.h>

#include "base/sum.h"
#include "train/online_loop.h"

static void add_loss(rein_online *o) {
    rein_loss_metric loss[REIN_LOSS_METRICS_MAX];
    int n = rein_loss_metrics_list(loss, &o->report.first, &o->opt.loss);
    for (int i = 0; i < n; i++)
        if (strcmp(loss[i].name, "loss") != 0) rein_metric_add(&o->metrics, loss[i].value, loss[i].name);
}

/* What is logged only where an option asks for it. */
static void add_optional(rein_online *o) {
    const rein_train_args *a = o->t.args;
    const rein_online_report *r = &o->report;
    const struct {
        const char *name;
        double value;
        bool on;
    } rows[] = {
        {"kl", r->kl, o->ref && a->kl_in_reward && o->kind != REIN_ONLINE_PPO},
        {"beta", o->opt.beta, a->kl_ctrl != REIN_KL_FIXED || !rein_value_is_constant(&o->opt.schedule[REIN_AT_BETA])},
        {"temperature", o->opt.temperature, !rein_value_is_constant(&o->opt.schedule[REIN_AT_TEMPERATURE])},
        {"epsilon", o->opt.loss.epsilon, !rein_value_is_constant(&o->opt.schedule[REIN_AT_EPSILON])},
        {"max_completion_length", (double)o->opt.max_completion_length,
         !rein_value_is_constant(&o->opt.schedule[REIN_AT_LENGTH])},
        {"kl", r->first.kl, o->opt.full_kl},
        {"kl_refusals", (double)o->state.kl_cap.refused, a->kl_cap > 0},
        {"updates", (double)r->updates, a->num_iterations * o->M > 1 || a->kl_cap > 0},
        {"approx_kl", r->approx_kl, a->num_iterations * o->M > 1},
        {"curriculum/radius", r->radius, a->curriculum == REIN_ONLINE_RADIUS},
        {"dynamic_sampling/dropped", (double)r->dropped, a->dynamic_sampling},
        {"dynamic_sampling/unfilled", (double)r->unfilled, a->dynamic_sampling},
    };
    for (size_t i = 0; i < REIN_COUNT(rows); i++)
        if (rows[i].on) rein_metric_add(&o->metrics, rows[i].value, rows[i].name);
    if (!rein_online_has_pool(a)) return;
    rein_curriculum_metric metric[REIN_CURRICULUM_METRICS_MAX];
    int n = rein_curriculum_metrics(metric, &o->pool.record, &o->opt.curriculum, o->P, o->t.step - 1);
    for (int i = 0; i < n; i++) rein_metric_add(&o->metrics, metric[i].value, metric[i].name);
}

/* TRL's names for PPO. Sums over a completion's tokens, then means over completions; means over the updates of the
 * step. */
static rein_status add_ppo(rein_online *o) {
    const rein_online_report *r = &o->report;
    double n = r->passes > 0 ? (double)r->passes : 1, *minus_logp, charged = o->opt.credit.kl_coef * r->kl_sum;
    int64_t ended = 0;
    REIN_TRY(rein_alloc(&minus_logp, o->N, sizeof *minus_logp));
    for (int64_t i = 0; i < o->N; i++) {
        const rein_gen_sequence *s = &o->rollouts.gen.seq[i];
        ended += s->finish == REIN_FINISH_EOS;
        for (int64_t k = 0; k < s->n_turn; k++)
            for (int64_t t = s->turn[k].begin; t < s->turn[k].end; t++) minus_logp[i] -= (double)s->logp[t];
    }
    const struct {
        const char *name;
        double value;
    } list[] = {
        {"objective/kl", r->kl_sum},
        {"objective/entropy", rein_pairwise_sum(minus_logp, o->N) / (double)o->N},
        {"objective/non_score_reward", 0 - charged},
        {"objective/rlhf_reward", r->reward.reward.mean - charged},
        {"objective/scores", r->reward.reward.mean},
        {"policy/approxkl_avg", r->mean[REIN_MEAN_APPROX_KL] / n},
        {"policy/clipfrac_avg", r->mean[REIN_MEAN_CLIP] / n},
        {"policy/entropy_avg", r->mean[REIN_MEAN_ENTROPY] / n},
        {"loss/policy_avg", r->mean[REIN_MEAN_POLICY] / n},
        {"loss/value_avg", r->mean[REIN_MEAN_VALUE] / n},
        {"val/clipfrac_avg", r->mean[REIN_MEAN_VALUE_CLIP] / n},
        {"val/ratio", r->mean[REIN_MEAN_RATIO] / n},
        {"val/num_eos_tokens", (double)ended},
        {"critic/vf_explained_var", r->explained},
        {"critic/grad_norm", r->critic.grad_norm},
        {"episode", (double)(o->t.step * o->N)},
    };
    bool own = o->critic == &o->own_critic;
    for (size_t i = 0; i < REIN_COUNT(list); i++)
        if (own || strcmp(list[i].name, "critic/grad_norm") != 0)
            rein_metric_add(&o->metrics, list[i].value, list[i].name);
    rein_free(minus_logp);
    return REIN_OK;
}

rein_status rein_online_measure(rein_online *o) {
    rein_metric_list *m = &o->metrics;
    const rein_online_report *r = &o->report;
    m->n = 0;
    rein_metric_add(m, r->first.loss, "loss");
    rein_metric_add(m, r->update.grad_norm, "grad_norm");
    rein_metric_add(m, r->update.learning_rate, "learning_rate");
    rein_metric_add(m, r->reward.reward.mean, "reward");
    rein_metric_add(m, r->reward.reward.sd, "reward_std");
    rein_metric_add(m, r->reward.frac_reward_zero_std, "frac_reward_zero_std");
    add_loss(o);
    add_optional(o);
    if (o->kind == REIN_ONLINE_PPO) REIN_TRY(add_ppo(o));
    if (o->rollouts.score[0].n_func > 0) rein_metric_add(m, (double)r->reward.unscored, "rewards/unscored");
    rein_metrics_completions(m, &o->rollouts);
    rein_metrics_episodes(m, &o->rollouts);
    REIN_TRY(rein_metrics_components(m, &o->rollouts));
    rein_metric_add(m, (double)o->t.tokens, "num_tokens");
    rein_metric_add(m, (double)o->t.skipped, "skipped_updates");
    if (o->t.before) rein_metric_add(m, r->update.frac_changed, "frac_params_changed");
    return REIN_OK;
}

/* Of estimators that give each token its own, the mean. */
static double advantage_of(const rein_online *o, int64_t i) {
    const rein_token_rows *rows = &o->tokens.rows;
    int64_t n = rein_tokens_count(rows, i);
    double sum = 0;
    if (!rein_online_per_token(o)) return o->advantage[i];
    for (int64_t t = rows->offset[i]; t < rows->offset[i + 1]; t++) sum += o->tokens.advantage[t];
    return n > 0 ? sum / (double)n : 0;
}

static rein_status keep_completion(rein_online *o, rein_completion *c, const rein_transcript *t) {
    rein_str episode = {0};
    rein_status status = t ? rein_transcript_write(t, &episode) : REIN_OK;
    c->episode = episode.data;
    c->episode_len = episode.len;
    if (status == REIN_OK) status = rein_rundir_completion(o->t.run, c);
    rein_str_deinit(&episode);
    return status;
}

rein_status rein_online_keep_completions(rein_online *o) {
    const rein_rollouts *r = &o->rollouts;
    for (int64_t p = 0; p < o->t.args->num_completions_to_print && p < r->P; p++) {
        int64_t i = p * r->G;
        const rein_gen_sequence *s = &r->gen.seq[i];
        rein_completion c = {.step = o->t.step,
                             .prompt = p,
                             .sample = s->sample,
                             .prompt_text = r->prompt[p].data,
                             .prompt_len = r->prompt[p].len,
                             .text = r->text[i].data ? r->text[i].data : "",
                             .text_len = r->text[i].len,
                             .reward = r->score[i].total,
                             .advantage = advantage_of(o, i),
                             .finish = rein_finish_name(s->finish),
                             .part = r->score[i].component,
                             .n_part = r->score[i].n_component};
        REIN_TRY(keep_completion(o, &c, r->transcript ? &r->transcript[i] : NULL));
    }
    return REIN_OK;
}
