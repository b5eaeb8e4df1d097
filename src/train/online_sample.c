/* The answers of a step: tasks, rollouts, dynamic sampling, mini-batches; see online_loop.h. */
#include <stdio.h>
#include <string.h>

#include "train/online_loop.h"

static void show_rollout(void *user, int64_t done, int64_t all, int64_t tokens) {
    const rein_train_watch *w = user;
    char text[96];
    snprintf(text, sizeof text, "rollout %lld/%lld, %lld tokens", (long long)done, (long long)all, (long long)tokens);
    if (w && w->detail) w->detail(w->user, text);
}

/* Answers to the next `n` tasks. Prompts count from `first_id`, so that the rounds of a step draw apart. */
static rein_status collect(rein_online *o, rein_rollouts *out, int64_t n, int64_t first_id) {
    const rein_train_args *a = o->t.args;
    rein_rollout_setup setup = {
        .model = o->t.model,
        .tokenizer = o->t.tokenizer,
        .env = o->env,
        .chat = &o->chat,
        .slots = &o->slots,
        .max_turn_tokens = a->max_turn_length,
        .G = o->G,
        .first_id = (uint32_t)first_id,
        .gen = {
            .sampling = {.temperature = o->opt.temperature, .top_k = a->top_k, .top_p = a->top_p, .min_p = a->min_p},
            .max_new_tokens = o->opt.max_completion_length,
            .max_batch = a->generation_batch,
            .seed = (uint64_t)a->seed,
            .stream = REIN_STREAM_SAMPLE,
            .step = (uint32_t)o->t.step,
            .eos = o->eos,
            .n_eos = o->t.model->cfg.n_eos}};
    rein_task *tasks;
    rein_status status;
    REIN_TRY(rein_alloc(&tasks, n, sizeof *tasks));
    status = rein_online_draw(o, tasks, n);
    if (status == REIN_OK)
        status = rein_rollouts_collect(out, &setup, tasks, n, show_rollout, (void *)(uintptr_t)o->t.watch);
    rein_free(tasks);
    return status;
}

/* ---- dynamic sampling: Yu et al. 2025 (DAPO), arXiv:2503.14476, section 3.2 ---- */

static bool has_spread(const rein_rollouts *r, int64_t p) {
    for (int64_t i = p * r->G + 1; i < (p + 1) * r->G; i++)
        if (r->score[i].total != r->score[p * r->G].total) return true;
    return false;
}

/* One round: as many further tasks as there are groups without spread; those that have one take their places. */
static rein_status refill(rein_online *o, int64_t round, int64_t missing) {
    rein_rollouts *more = &o->spare[round];
    REIN_TRY(collect(o, more, missing, (round + 1) * o->P));
    int64_t p = 0;
    for (int64_t q = 0; q < missing; q++) {
        if (!has_spread(more, q)) continue;
        while (has_spread(&o->rollouts, p)) p++;
        rein_rollouts_swap(&o->rollouts, p, more, q);
    }
    o->report.dropped += missing;
    return REIN_OK;
}

static int64_t count_equal(const rein_rollouts *r) {
    int64_t n = 0;
    for (int64_t p = 0; p < r->P; p++) n += !has_spread(r, p);
    return n;
}

static rein_status refill_all(rein_online *o) {
    int64_t missing = count_equal(&o->rollouts);
    for (int64_t round = 0; round < o->t.args->max_resamples && missing > 0; round++) {
        REIN_TRY(refill(o, round, missing));
        missing = count_equal(&o->rollouts);
    }
    o->report.unfilled = missing;
    return REIN_OK;
}

/* ---- batches and tokens ---- */

/* The value behind its last token is read where a completion was cut off. */
static void want_ends(const rein_online *o, rein_group_batch *b) {
    for (int64_t i = 0; i < b->n_seq; i++)
        if (rein_online_truncated(o, b->begin + i)) b->forest.want[b->first[i] + b->n[i] - 1] |= REIN_WANT_SCORE;
}

/* Whether nothing is learned from a completion. */
static bool left_out(const rein_online *o, int64_t i) {
    bool truncated = o->rollouts.gen.seq[i].finish == REIN_FINISH_LENGTH;
    return rein_rollouts_failed(&o->rollouts, i) || (o->t.args->mask_truncated_completions && truncated);
}

static rein_status make_batches(rein_online *o) {
    const rein_train_args *a = o->t.args;
    for (int64_t m = 0; m < o->M; m++) {
        rein_group_batch *b = &o->batch[m];
        rein_group_batch_deinit(b);
        REIN_TRY(rein_group_batch_make(b, &o->rollouts, m * o->rows, (m + 1) * o->rows, (float)o->opt.temperature,
                                       a->microbatch_tokens));
        REIN_TRY(rein_group_batch_more(b, o->opt.full_kl, o->critic != NULL));
        if (a->bootstrap_truncated) want_ends(o, b);
        for (int64_t i = 0; i < b->n_seq; i++)
            if (left_out(o, b->begin + i)) memset(b->mask + b->first[i], 0, (size_t)b->n[i]);
    }
    return REIN_OK;
}

/* Which turn a token belongs to, and what each turn but the last one earned. */
static rein_status mark_turns(rein_online *o, int64_t n) {
    rein_online_tokens *k = &o->tokens;
    REIN_TRY(rein_arena_alloc(&k->arena, &k->early, (size_t)(n + 1) * sizeof *k->early));
    REIN_TRY(rein_arena_alloc(&k->arena, &k->turn, (size_t)(n + 1) * sizeof *k->turn));
    for (int64_t i = 0; i < o->N; i++) {
        const rein_gen_sequence *s = &o->rollouts.gen.seq[i];
        const rein_transcript *t = &o->rollouts.transcript[i];
        int64_t at = k->rows.offset[i];
        for (int64_t j = 0; j < s->n_turn; j++) {
            for (int64_t q = s->turn[j].begin; q < s->turn[j].end; q++) k->turn[at + q] = (int32_t)j;
            if (j + 1 < s->n_turn && j < t->n && !t->failed) k->early[at + s->turn[j].end - 1] = t->turn[j].reward;
        }
    }
    return REIN_OK;
}

static rein_status make_tokens(rein_online *o) {
    rein_online_tokens *k = &o->tokens;
    int64_t *offset, n = 0;
    uint8_t *mask;
    rein_arena_deinit(&k->arena);
    *k = (rein_online_tokens){0};
    REIN_TRY(rein_arena_alloc(&k->arena, &offset, (size_t)(o->N + 1) * sizeof *offset));
    for (int64_t i = 0; i < o->N; i++) offset[i + 1] = offset[i] + o->rollouts.gen.seq[i].n;
    n = offset[o->N];
    REIN_TRY(rein_arena_alloc(&k->arena, &mask, (size_t)n + 1));
    double **array[] = {&k->kl, &k->advantage, &k->ret, &k->value};
    for (size_t j = 0; j < REIN_COUNT(array); j++)
        REIN_TRY(rein_arena_alloc(&k->arena, array[j], (size_t)(n + 1) * sizeof(double)));
    for (int64_t m = 0; m < o->M; m++) {
        const rein_group_batch *b = &o->batch[m];
        for (int64_t i = 0; i < b->n_seq; i++)
            memcpy(mask + offset[b->begin + i], b->mask + b->first[i], (size_t)b->n[i]);
    }
    k->rows = (rein_token_rows){o->N, offset, mask};
    if (o->t.args->bootstrap_truncated)
        REIN_TRY(rein_arena_alloc(&k->arena, &k->bootstrap, (size_t)o->N * sizeof *k->bootstrap));
    return o->rollouts.transcript ? mark_turns(o, n) : REIN_OK;
}

void rein_online_gather(double *out, const rein_online *o, rein_online_member member) {
    for (int64_t m = 0; m < o->M; m++) {
        const rein_group_batch *b = &o->batch[m];
        for (int64_t i = 0; i < b->n_seq; i++)
            for (int64_t t = 0; t < b->n[i]; t++)
                out[o->tokens.rows.offset[b->begin + i] + t] = (double)member(b)[b->first[i] + t];
    }
}

void rein_online_scatter(const rein_online *o, const double *x, rein_online_target member) {
    for (int64_t m = 0; m < o->M; m++) {
        const rein_group_batch *b = &o->batch[m];
        for (int64_t i = 0; i < b->n_seq; i++)
            memcpy(member(b) + b->first[i], x + o->tokens.rows.offset[b->begin + i], (size_t)b->n[i] * sizeof *x);
    }
}

rein_status rein_online_sample(rein_online *o) {
    const rein_train_args *a = o->t.args;
    for (int64_t k = 0; o->spare && k < a->max_resamples; k++) rein_rollouts_deinit(&o->spare[k]);
    rein_rollouts_deinit(&o->rollouts);
    REIN_TRY(collect(o, &o->rollouts, o->P, 0));
    if (a->dynamic_sampling) REIN_TRY(refill_all(o));
    REIN_TRY(rein_online_pool_record(o));
    REIN_TRY(make_batches(o));
    return make_tokens(o);
}
