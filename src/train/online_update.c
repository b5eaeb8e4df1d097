/* The updates of a step: passes over its mini-batches, losses and gradients; see online_loop.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/sum.h"
#include "rl/kl.h"
#include "rl/loss_types.h"
#include "train/online_loop.h"

/* One pass over one mini-batch. */
typedef struct pass {
    rein_online *o;
    rein_group_batch *b;
    int64_t k;                                       /* pass over the step's completions */
    int64_t micro;                                   /* completions of a logical micro-batch */
    int64_t generation_tokens, generation_sequences; /* that count, in the step */
    bool exact;                                      /* the weights are the sampler's */
    bool warm_up;                                    /* only the value function is trained */
} pass;

/* ---- loss ---- */

static void count_generation(pass *s) {
    for (int64_t i = 0; i < s->o->N; i++) {
        int64_t n = rein_tokens_count(&s->o->tokens.rows, i);
        s->generation_tokens += n;
        s->generation_sequences += n > 0;
    }
}

/* Divisors of the logical micro-batch that begins at sequence `begin` of the mini-batch. */
static rein_loss_divisors divisors(const pass *s, int64_t begin) {
    const rein_online *o = s->o;
    const rein_train_args *a = o->t.args;
    const rein_group_batch *b = s->b;
    bool top = o->opt.loss.top_entropy_quantile < 1;
    rein_loss_scope scope = {.sequences = s->micro,
                             .generation_tokens = s->generation_tokens,
                             .generation_sequences = s->generation_sequences,
                             .max_completion_length = o->opt.max_completion_length,
                             .gradient_accumulation_steps = a->gradient_accumulation_steps,
                             .steps_per_generation = a->gradient_accumulation_steps * o->M,
                             .processes = 1,
                             .entropy_coef = rein_entropy_control_coef(&o->state.entropy, &o->opt.loss)};
    for (int64_t i = begin; i < begin + s->micro; i++) {
        scope.tokens += rein_loss_count(b->mask + b->first[i], b->n[i]);
        if (top) scope.entropy_tokens += rein_loss_count(b->chosen + b->first[i], b->n[i]);
    }
    if (!top) scope.entropy_tokens = scope.tokens;
    return rein_loss_norm(&o->opt.loss, &scope);
}

/* Sequences [at, stop) as the losses see them. A prompt between two sequences is masked. offset (stop - at + 1). */
static rein_loss_batch view(const pass *s, int64_t *offset, int64_t at, int64_t stop) {
    const rein_group_batch *b = s->b;
    for (int64_t i = at; i < stop; i++) offset[i - at] = b->first[i];
    offset[stop - at] = b->first[stop - 1] + b->n[stop - 1];
    return (rein_loss_batch){.B = stop - at,
                             .offset = offset,
                             .logp = b->logp,
                             .old_logp = b->old_logp,
                             .ref_logp = s->o->ref && !s->o->opt.full_kl ? b->ref_logp : NULL,
                             .entropy = b->entropy,
                             .mask = b->mask,
                             .chosen = rein_loss_selects(&s->o->opt.loss) ? b->chosen : NULL,
                             .advantage = b->advantage};
}

/* The exact KL to the reference as a term of the loss: each token has the weight that its policy loss has. */
static void add_full_kl(pass *s, int64_t i, const rein_loss_divisors *div) {
    const rein_loss_options *opt = &s->o->opt.loss;
    rein_group_batch *b = s->b;
    rein_loss_row *row = &s->o->row[b->begin + i];
    rein_loss_agg agg = rein_loss_agg_of(opt);
    bool mean = agg == REIN_AGG_SEQ_MEAN || agg == REIN_AGG_MICRO_SEQ_MEAN;
    double scale = s->o->opt.beta / (div->policy * (mean && row->tokens > 0 ? (double)row->tokens : 1));
    row->kl = 0;
    for (int64_t t = b->first[i]; t < b->first[i] + b->n[i]; t++) {
        b->ddivergence[t] = b->mask[t] ? (float)scale : 0;
        if (b->mask[t]) row->kl += (double)b->divergence[t];
    }
    row->loss += scale * row->kl;
}

/* Loss of sequences [begin, end), cut where logical micro-batches end. */
static rein_status loss_of(pass *s, int64_t begin, int64_t end) {
    rein_online *o = s->o;
    int64_t *offset;
    REIN_TRY(rein_alloc(&offset, end - begin + 1, sizeof *offset));
    rein_status status = REIN_OK;
    for (int64_t at = begin; at < end && status == REIN_OK;) {
        int64_t first = at / s->micro * s->micro, stop = first + s->micro < end ? first + s->micro : end;
        rein_loss_batch batch = view(s, offset, at, stop);
        rein_loss_divisors div = divisors(s, first);
        status = rein_loss_policy(o->row + s->b->begin + at, s->b->dlogp, s->b->dentropy, &batch, &o->opt.loss, &div);
        for (int64_t i = at; o->opt.full_kl && i < stop; i++) add_full_kl(s, i, &div);
        at = stop;
    }
    rein_free(offset);
    if (status == REIN_OK && o->critic == &o->t) status = rein_online_value_loss(o, s->b, s->micro, begin, end);
    return status;
}

void rein_online_sequences(const rein_group_batch *b, const rein_leaf *leaf, int64_t part, int64_t *begin,
                           int64_t *end) {
    *begin = b->n_seq;
    *end = 0;
    for (int64_t i = 0; i < b->n_seq; i++) {
        if (leaf->member[b->span[i]] != part) continue;
        if (i < *begin) *begin = i;
        *end = i + 1;
    }
}

/* ---- choice of tokens: a forward pass of its own, since it compares those of whole micro-batches ---- */

static rein_status choose(pass *s) {
    rein_online *o = s->o;
    rein_group_batch *b = s->b;
    const rein_leaf_values out = {.logp = b->logp, .entropy = b->entropy};
    int64_t *offset;
    rein_status status = REIN_OK;
    REIN_TRY(rein_leaf_begin(&o->t.leaf, &b->forest, &b->plan, &b->sampling));
    for (int64_t p = 0; p < b->plan.n_part; p++) REIN_TRY(rein_leaf_forward(&o->t.leaf, p, &out));
    REIN_TRY(rein_alloc(&offset, s->micro + 1, sizeof *offset));
    for (int64_t at = 0; at < b->n_seq && status == REIN_OK; at += s->micro) {
        rein_loss_batch batch = view(s, offset, at, at + s->micro);
        rein_loss_draw draw = {(uint64_t)o->t.args->seed, (uint32_t)o->t.step,
                               (uint32_t)((s->k * o->N + b->begin + at) / s->micro)};
        status = rein_loss_select(b->chosen, &batch, &o->opt.loss, &draw);
    }
    rein_free(offset);
    return status;
}

/* ---- one pass ---- */

static rein_status gradients(pass *s) {
    rein_online *o = s->o;
    rein_trainer *t = &o->t;
    rein_group_batch *b = s->b;
    bool shared = o->critic == t, bonus = rein_loss_has_bonus(&o->opt.loss);
    const rein_leaf_values out = {
        .logp = b->logp, .entropy = b->entropy, .divergence = b->divergence, .value = shared ? b->value : NULL};
    rein_leaf_gradient gradient = {.logp = b->dlogp,
                                   .entropy = bonus ? b->dentropy : NULL,
                                   .divergence = b->ddivergence,
                                   .value = shared ? b->dvalue : NULL};
    if (shared && s->warm_up) gradient = (rein_leaf_gradient){.value = b->dvalue};
    t->leaf.value_detach = s->warm_up;
    rein_grads_zero(&t->grads, t->model);
    REIN_TRY(rein_leaf_begin(&t->leaf, &b->forest, &b->plan, &b->sampling));
    rein_leaf_teach(&t->leaf, o->opt.full_kl ? &o->ref_leaf : NULL, 1);
    if (o->opt.full_kl) REIN_TRY(rein_leaf_begin(&o->ref_leaf, &b->forest, &b->plan, &b->sampling));
    for (int64_t p = 0; p < b->plan.n_part; p++) {
        int64_t begin, end;
        if (o->opt.full_kl) REIN_TRY(rein_leaf_forward(&o->ref_leaf, p, &(rein_leaf_values){.logp = NULL}));
        REIN_TRY(rein_leaf_forward(&t->leaf, p, &out));
        if (s->exact) REIN_TRY(rein_group_audit(b, p));
        rein_online_sequences(b, &t->leaf, p, &begin, &end);
        if (begin < end) REIN_TRY(loss_of(s, begin, end));
        REIN_TRY(rein_leaf_backward(&t->leaf, &gradient, &t->grads));
    }
    rein_leaf_teach(&t->leaf, NULL, 0);
    rein_grads_finish(&t->grads, t->model);
    return REIN_OK;
}

/* Mean over the mini-batch's tokens of an estimate of the KL between two of its log-probs. */
static rein_status drift(const pass *s, rein_kl_estimator estimator, const float *p, const float *q, double *out) {
    const rein_group_batch *b = s->b;
    double *sum;
    int64_t n = 0;
    REIN_TRY(rein_alloc(&sum, b->n_seq, sizeof *sum));
    for (int64_t i = 0; i < b->n_seq; i++)
        for (int64_t t = b->first[i]; t < b->first[i] + b->n[i]; t++) {
            if (!b->mask[t]) continue;
            sum[i] += rein_kl_value(estimator, p[t], q[t]);
            n++;
        }
    *out = n > 0 ? rein_pairwise_sum(sum, b->n_seq) / (double)n : 0;
    rein_free(sum);
    return REIN_OK;
}

static rein_status measure(pass *s, rein_loss_metrics *metrics) {
    rein_online *o = s->o;
    const rein_group_batch *b = s->b;
    double *mean = o->report.mean, square;
    rein_value_metrics value = {0};
    rein_loss_finish(metrics, o->row + b->begin, b->n_seq, &o->opt.loss);
    if (o->critic) rein_value_finish(&value, o->value_row + b->begin, b->n_seq);
    if (metrics->nonfinite + value.nonfinite > 0)
        return rein_fail(REIN_ERR_NUMERIC, "step %lld: the loss of %lld tokens is not finite; the update is refused",
                         (long long)o->t.step, (long long)(metrics->nonfinite + value.nonfinite));
    REIN_TRY(drift(s, REIN_KL_K3, b->old_logp, b->logp, &o->report.approx_kl));
    REIN_TRY(drift(s, REIN_KL_K2, b->old_logp, b->logp, &square));
    mean[REIN_MEAN_APPROX_KL] += square;
    mean[REIN_MEAN_CLIP] += metrics->region_mean;
    mean[REIN_MEAN_POLICY] += metrics->loss;
    mean[REIN_MEAN_VALUE] += value.loss;
    mean[REIN_MEAN_VALUE_CLIP] += value.clip_fraction;
    mean[REIN_MEAN_ENTROPY] += metrics->entropy;
    mean[REIN_MEAN_RATIO] += metrics->ratio_mean;
    o->report.passes++;
    return REIN_OK;
}

static rein_status mini_batch(pass *s, rein_loss_metrics *metrics) {
    rein_online *o = s->o;
    int64_t number = s->k * o->M + s->b->begin / o->rows;
    rein_trainer_dropout(&o->t, o->t.step, number);
    s->exact = number == 0 && o->t.leaf.pass.dropout.p == 0;
    if (rein_loss_selects(&o->opt.loss)) REIN_TRY(choose(s));
    rein_status status = gradients(s);
    o->t.leaf.pass.dropout = (rein_dropout){0};
    REIN_TRY(status);
    if (o->critic == &o->own_critic) REIN_TRY(rein_online_critic_gradients(o, s->b, s->micro));
    return measure(s, metrics);
}

/* ---- updates ---- */

/* Update what has gradients. The policy waits while a critic of its own warms up; on its trunk, only the head has any.
 */
static rein_status update(const pass *s, const rein_loss_metrics *metrics, int64_t step) {
    rein_online *o = s->o;
    bool allowed = !(s->warm_up && o->critic == &o->own_critic);
    double kl = metrics->kl;
    if (o->critic == &o->own_critic) {
        o->critic->step = step;
        REIN_TRY(rein_trainer_update(o->critic, &o->report.critic));
    }
    if (!s->warm_up && o->opt.kl_cap.cap > 0) {
        if (!o->opt.full_kl) REIN_TRY(drift(s, REIN_KL_K3, s->b->logp, s->b->ref_logp, &kl));
        REIN_TRY(rein_online_cap(o, kl, &allowed));
    }
    if (!allowed) return REIN_OK;
    o->t.step = step; /* all updates of a step share its place in the schedule */
    REIN_TRY(rein_trainer_update(&o->t, &o->report.update));
    if (!s->warm_up) rein_entropy_control_update(&o->state.entropy, &o->opt.loss, metrics->entropy_top);
    o->report.updates++;
    return REIN_OK;
}

rein_status rein_online_update(rein_online *o) {
    const rein_train_args *a = o->t.args;
    pass s = {
        .o = o, .micro = a->per_device_train_batch_size, .warm_up = o->critic && o->t.step < a->critic_warmup_steps};
    int64_t step = o->t.step;
    double entropy_coef = rein_entropy_control_coef(&o->state.entropy, &o->opt.loss);
    bool stop = false;
    count_generation(&s);
    for (int64_t n = 0; n < a->num_iterations * o->M && !stop; n++) {
        rein_loss_metrics metrics;
        double begun = rein_clock();
        s.k = n / o->M;
        s.b = &o->batch[n % o->M];
        o->t.step = step;
        REIN_TRY(mini_batch(&s, &metrics));
        if (s.k == 0) rein_loss_finish(&o->report.first, o->row, (n + 1) * o->rows, &o->opt.loss);
        double done = rein_clock();
        stop = a->target_kl > 0 && o->report.approx_kl > a->target_kl;
        if (!stop) REIN_TRY(update(&s, &metrics, step));
        o->report.seconds[3] += done - begun;
        o->report.seconds[4] += rein_clock() - done;
    }
    o->report.first.entropy_coef = entropy_coef;
    o->t.step = step + 1;
    for (int64_t m = 0; m < o->M; m++) o->t.tokens += o->batch[m].forest.n_tok;
    return REIN_OK;
}
