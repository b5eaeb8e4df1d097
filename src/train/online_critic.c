/* The value function of PPO: on the policy's trunk, or a model of its own; see online_loop.h. */
#include "train/online_loop.h"

static const float *value_of(const rein_group_batch *b) { return b->value; }
static double *old_value_of(const rein_group_batch *b) { return b->old_value; }
static double *return_of(const rein_group_batch *b) { return b->ret; }

static int64_t n_token(const rein_online *o) { return o->tokens.rows.offset[o->N]; }

bool rein_online_truncated(const rein_online *o, int64_t i) {
    const rein_rollouts *r = &o->rollouts;
    return r->gen.seq[i].n > 0 &&
           (r->transcript ? r->transcript[i].truncated : r->gen.seq[i].finish == REIN_FINISH_LENGTH);
}

/* bootstrap_truncated: what the value function expects to come behind the last token, in units of the reward. */
static void gather_bootstrap(rein_online *o) {
    for (int64_t m = 0; o->tokens.bootstrap && m < o->M; m++) {
        const rein_group_batch *b = &o->batch[m];
        for (int64_t i = 0; i < b->n_seq; i++) {
            double value = (double)b->score[b->first[i] + b->n[i] - 1];
            if (o->t.args->normalize_returns) value = rein_value_denormalize(&o->state.returns, value);
            o->tokens.bootstrap[b->begin + i] = rein_online_truncated(o, b->begin + i) ? value : 0;
        }
    }
}

rein_status rein_online_values(rein_online *o) {
    rein_leaf *leaf = &o->critic->leaf;
    for (int64_t m = 0; m < o->M; m++) {
        rein_group_batch *b = &o->batch[m];
        const rein_leaf_values out = {.value = b->value, .score = o->tokens.bootstrap ? b->score : NULL};
        REIN_TRY(rein_leaf_begin(leaf, &b->forest, &b->plan, &b->sampling));
        for (int64_t p = 0; p < b->plan.n_part; p++) REIN_TRY(rein_leaf_forward(leaf, p, &out));
    }
    rein_online_gather(o->tokens.value, o, value_of);
    gather_bootstrap(o);
    rein_online_scatter(o, o->tokens.value, old_value_of);
    for (int64_t t = 0; o->t.args->normalize_returns && t < n_token(o); t++)
        o->tokens.value[t] = rein_value_denormalize(&o->state.returns, o->tokens.value[t]);
    return REIN_OK;
}

void rein_online_targets(rein_online *o) {
    rein_online_tokens *k = &o->tokens;
    o->report.explained = rein_value_explained(&k->rows, k->value, k->ret);
    if (o->t.args->normalize_returns) {
        rein_value_scale_add(&o->state.returns, &k->rows, k->ret);
        for (int64_t t = 0; t < n_token(o); t++) k->ret[t] = rein_value_normalize(&o->state.returns, k->ret[t]);
    }
    rein_online_scatter(o, k->ret, return_of);
}

/* A token's weight in the mean over its logical micro-batch, which begins at sequence `first`. */
static double weight(const rein_online *o, const rein_group_batch *b, int64_t micro, int64_t first) {
    int64_t n = 0;
    for (int64_t i = first; i < first + micro; i++) n += rein_loss_count(b->mask + b->first[i], b->n[i]);
    return 1 / ((double)(n > 0 ? n : 1) * (double)o->t.args->gradient_accumulation_steps);
}

rein_status rein_online_value_loss(rein_online *o, rein_group_batch *b, int64_t micro, int64_t begin, int64_t end) {
    int64_t *offset = NULL, from = b->first[begin], to = b->first[end - 1] + b->n[end - 1];
    double *weights = NULL;
    rein_status status;
    REIN_TRY_OUT(status, rein_alloc(&offset, end - begin + 1, sizeof *offset), out);
    REIN_TRY_OUT(status, rein_alloc(&weights, end - begin, sizeof *weights), out);
    for (int64_t i = begin; i < end; i++) {
        offset[i - begin] = b->first[i];
        weights[i - begin] = weight(o, b, micro, i / micro * micro);
    }
    offset[end - begin] = to;
    for (int64_t t = from; t < to; t++) b->now[t] = (double)b->value[t];
    const rein_value_batch batch = {.rows = {end - begin, offset, b->mask},
                                    .value = b->now,
                                    .old_value = b->old_value,
                                    .ret = b->ret,
                                    .weight = weights};
    rein_value_loss(o->value_row + b->begin + begin, b->slope, &batch, o->t.args->cliprange_value);
    for (int64_t t = from; t < to; t++) b->dvalue[t] = (float)(o->t.args->vf_coef * b->slope[t]);
out:
    rein_free(offset);
    rein_free(weights);
    return status;
}

rein_status rein_online_critic_gradients(rein_online *o, rein_group_batch *b, int64_t micro) {
    rein_trainer *c = o->critic;
    const rein_leaf_values out = {.value = b->value};
    const rein_leaf_gradient gradient = {.value = b->dvalue};
    rein_grads_zero(&c->grads, c->model);
    REIN_TRY(rein_leaf_begin(&c->leaf, &b->forest, &b->plan, &b->sampling));
    for (int64_t p = 0; p < b->plan.n_part; p++) {
        int64_t begin, end;
        REIN_TRY(rein_leaf_forward(&c->leaf, p, &out));
        rein_online_sequences(b, &c->leaf, p, &begin, &end);
        if (begin < end) REIN_TRY(rein_online_value_loss(o, b, micro, begin, end));
        REIN_TRY(rein_leaf_backward(&c->leaf, &gradient, &c->grads));
    }
    rein_grads_finish(&c->grads, c->model);
    return REIN_OK;
}
