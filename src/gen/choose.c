/* Choosing tokens: processors, the draw, what is recorded of it, and whether a sequence has ended; see engine.h. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "gen/engine.h"

/* ---- scratch ---- */

static rein_status make_edits(engine *e, int64_t threads, int64_t V) {
    REIN_TRY(rein_alloc(&e->edit, threads, sizeof *e->edit));
    REIN_TRY(rein_alloc(&e->allowed, threads * V, sizeof *e->allowed));
    for (int64_t t = 0; t < threads; t++) {
        e->edit[t].V = V;
        REIN_TRY(rein_alloc(&e->edit[t].ban, V, sizeof *e->edit[t].ban));
        REIN_TRY(rein_alloc(&e->edit[t].count, V, sizeof *e->edit[t].count));
    }
    if (rein_processing_shifts(&e->opt->processing))
        REIN_TRY(rein_alloc(&e->processed, e->n_slot * V, sizeof *e->processed));
    return REIN_OK;
}

rein_status rein_choose_init(engine *e) {
    const rein_model *m = e->model;
    int64_t V = m->cfg.V, threads = m->dev->threads;
    bool processes = rein_processing_any(&e->opt->processing);
    REIN_TRY(rein_alloc(&e->value, 3 * e->n_slot, sizeof *e->value));
    REIN_TRY(rein_alloc(&e->sampler, threads, sizeof *e->sampler));
    for (int64_t t = 0; t < threads; t++) REIN_TRY(rein_sampler_init(&e->sampler[t], m->dev->ops, V));
    if (processes) REIN_TRY(make_edits(e, threads, V));
    if (processes || e->opt->grammar || rein_sampling_truncates(&e->opt->sampling))
        REIN_TRY(rein_alloc(&e->kept, e->n_slot * V, sizeof *e->kept));
    REIN_TRY(rein_alloc(&e->n_kept, e->n_slot, sizeof *e->n_kept));
    return rein_alloc(&e->chosen, e->n_slot, sizeof *e->chosen);
}

void rein_choose_deinit(engine *e) {
    for (int64_t t = 0; e->sampler && t < e->model->dev->threads; t++) rein_sampler_deinit(&e->sampler[t]);
    for (int64_t t = 0; e->edit && t < e->model->dev->threads; t++) {
        rein_free(e->edit[t].ban);
        rein_free(e->edit[t].count);
    }
    rein_free(e->sampler);
    rein_free(e->edit);
    rein_free(e->processed);
    rein_free(e->allowed);
    rein_free(e->value);
    rein_free(e->kept);
    rein_free(e->n_kept);
    rein_free(e->chosen);
}

/* ---- one row ---- */

static bool all_finite(const float *x, int64_t n) {
    float worst = 0; /* stays 0: any number times 0 is 0 unless it is not finite */
    for (int64_t i = 0; i < n; i++) worst += x[i] * 0.0f;
    return worst == 0.0f;
}

static rein_gen_sequence *sequence_of(const engine *e, int64_t i) { return &e->gen->seq[e->slot[e->which[i]].seq]; }

/* Apply the processors for sequence i of the batch; row->logits and row->allowed become what is left. */
static void process(engine *e, int64_t i, rein_choice_row *row) {
    const rein_gen_sequence *s = sequence_of(e, i);
    const rein_gen_prompt *p = &e->prompt[s->prompt];
    rein_edit *edit = &e->edit[omp_get_thread_num()];
    int32_t *left = e->allowed + omp_get_thread_num() * row->V;
    rein_context before = {.prompt = p->ids, .n_prompt = p->n, .own = s->ids, .n_own = s->n, .end = e->opt->eos,
                           .n_end = e->opt->n_eos};
    if (e->processed) {
        edit->x = e->processed + i * row->V;
        memcpy(edit->x, row->logits, (size_t)row->V * sizeof *edit->x);
        row->logits = edit->x;
    }
    rein_process(edit, &e->opt->processing, &before);
    if (!edit->banned) return;
    rein_kept from = row->allowed;
    int64_t n = 0, all = from.n ? from.n : row->V;
    for (int64_t k = 0; k < all; k++) {
        int32_t id = from.n ? from.ids[k] : (int32_t)k;
        if (!edit->ban[id]) left[n++] = id;
    }
    row->allowed = (rein_kept){left, n};
}

typedef enum trouble { NONE = 0, NOT_FINITE = 1, NOTHING_LEFT = 2 } trouble;

static trouble choose_one(engine *e, const float *logits, int64_t i) {
    const rein_gen_options *o = e->opt;
    const rein_gen_sequence *s = sequence_of(e, i);
    int64_t V = e->model->cfg.V;
    rein_choice_row row = {.logits = logits + e->read[i].row * V, .V = V, .allowed = e->slot[e->which[i]].may};
    if (!all_finite(row.logits, V)) return NOT_FINITE;
    if (e->edit) {
        process(e, i, &row);
        if (!all_finite(row.logits, V)) return NOT_FINITE;
        if (row.allowed.ids && row.allowed.n == 0) return NOTHING_LEFT;
    }
    double u = rein_random_uniform(o->seed, o->stream, o->step, e->prompt[s->prompt].id, s->sample, (uint32_t)s->n);
    e->chosen[i] = rein_sample(&e->sampler[omp_get_thread_num()], &row, &o->sampling, u,
                               e->kept ? e->kept + i * V : NULL, &e->n_kept[i]);
    return NONE;
}

/* ---- what is recorded ---- */

/* Log-probs (n) of the chosen tokens into e->value; sets: over the kept sets, else over the vocabulary. */
static void log_probs(engine *e, const float *logits, int64_t n, bool own_rows, bool sets) {
    rein_device *dev = e->model->dev;
    double t = e->opt->sampling.temperature;
    int64_t V = e->model->cfg.V;
    for (int64_t i = 0; i < n; i++) {
        rein_read *r = &e->read[i];
        *r = (rein_read){.row = own_rows ? i : r->row, .target = e->chosen[i], .temperature = t > 0 ? (float)t : 1.0f};
        if (!sets) continue;
        r->kept = e->kept + i * V;
        r->n_kept = (int32_t)e->n_kept[i];
    }
    dev->ops->logprob(dev, e->value, e->value + n, NULL, logits, e->read, n, V);
}

/* Store the set; tokens in a row that share one share its memory. */
static rein_status keep_set(engine *e, int64_t i, rein_gen_sequence *s) {
    const int32_t *ids = e->kept + i * e->model->cfg.V;
    size_t bytes = (size_t)e->n_kept[i] * sizeof *ids;
    const rein_kept *may = &e->slot[e->which[i]].may, *before = s->n > 0 ? &s->kept[s->n - 1] : may;
    int32_t *own;
    if (bytes == 0) return REIN_OK;
    if (may->n == e->n_kept[i]) before = may; /* a subset of the same size */
    if (before->n == e->n_kept[i] && memcmp(before->ids, ids, bytes) == 0) {
        s->kept[s->n] = *before;
        return REIN_OK;
    }
    REIN_TRY(rein_arena_alloc(&e->gen->arena, &own, bytes));
    memcpy(own, ids, bytes);
    s->kept[s->n] = (rein_kept){own, e->n_kept[i]};
    return REIN_OK;
}

/* Record the chosen tokens' log-probs, after temperature only and of the distribution sampled from; then the sets. */
static rein_status record(engine *e, const float *logits, int64_t n) {
    log_probs(e, logits, n, false, false);
    for (int64_t i = 0; i < n; i++) {
        rein_gen_sequence *s = sequence_of(e, i);
        s->ids[s->n] = e->chosen[i];
        s->logp_full[s->n] = s->logp[s->n] = e->value[i];
    }
    if (!e->kept) return REIN_OK;
    log_probs(e, e->processed ? e->processed : logits, n, e->processed != NULL, true);
    for (int64_t i = 0; i < n; i++) {
        rein_gen_sequence *s = sequence_of(e, i);
        s->logp[s->n] = e->value[i];
        if (!e->opt->forget_kept) REIN_TRY(keep_set(e, i, s));
        if (e->n_kept[i] > 0 && e->opt->forget_kept && !e->gen->not_for_training)
            e->gen->not_for_training = "their kept sets were not stored";
    }
    return REIN_OK;
}

/* What the grammar allows each of the sequences; not in parallel, since a grammar grows as it is asked. */
static rein_status ask_grammar(engine *e, int64_t n) {
    for (int64_t i = 0; i < n && e->opt->grammar; i++) {
        slot *sl = &e->slot[e->which[i]];
        REIN_TRY(rein_grammar_allowed(e->opt->grammar, sl->state, &sl->may));
    }
    return REIN_OK;
}

rein_status rein_choose(engine *e, const float *logits, int64_t n) {
    int bad = NONE;
    REIN_TRY(ask_grammar(e, n));
#pragma omp parallel for schedule(static) num_threads(e->model->dev->threads) reduction(| : bad)
    for (int64_t i = 0; i < n; i++) bad |= (int)choose_one(e, logits, i);
    if (bad & NOT_FINITE)
        return rein_fail(REIN_ERR_NUMERIC, "a logit is not finite; the model's weights are damaged or diverged");
    if (bad & NOTHING_LEFT)
        return rein_fail(REIN_ERR_ARG, "bans leave no token to choose: weaken bad_words, no_repeat_ngram_size, "
                                       "min_new_tokens or the constraint");
    for (int64_t i = 0; i < n && e->opt->grammar; i++)
        REIN_TRY(rein_grammar_advance(e->opt->grammar, &e->slot[e->which[i]].state, e->chosen[i]));
    return record(e, logits, n);
}

/* ---- ends ---- */

static bool is_one_of(int32_t id, const int32_t *ids, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (ids[i] == id) return true;
    return false;
}

/* Offset of the needle in the text at or behind `from`; the text's length if it is not there. */
static size_t find(const rein_str *text, size_t from, const char *needle) {
    size_t len = strlen(needle);
    for (size_t i = from; i + len <= text->len; i++)
        if (memcmp(text->data + i, needle, len) == 0) return i;
    return text->len;
}

/* Of the stop strings that the newest token has completed, the one that begins first. */
static rein_status find_stop(engine *e, slot *sl, rein_gen_sequence *s) {
    const rein_gen_options *o = e->opt;
    size_t before = sl->tail.len, first;
    REIN_TRY(rein_tokenizer_decode(o->tokenizer, &s->ids[s->n - 1], 1, false, &sl->tail));
    first = sl->tail.len;
    if (s->n < o->processing.min_new_tokens) return REIN_OK;
    for (int64_t i = 0; i < o->n_stop; i++) {
        size_t back = strlen(o->stop[i]) - 1, at = find(&sl->tail, before > back ? before - back : 0, o->stop[i]);
        if (at >= first) continue;
        first = at;
        s->stop = i;
        s->stop_bytes = (int64_t)(sl->tail.len - at);
    }
    return REIN_OK;
}

rein_status rein_choose_ended(engine *e, slot *sl, bool *out) {
    const rein_gen_options *o = e->opt;
    rein_gen_sequence *s = &e->gen->seq[sl->seq];
    int32_t id = s->ids[s->n - 1];
    *out = true;
    s->finish = REIN_FINISH_EOS;
    if (is_one_of(id, o->eos, o->n_eos)) return REIN_OK;
    s->finish = REIN_FINISH_STOP;
    if (is_one_of(id, o->stop_ids, o->n_stop_ids)) return REIN_OK;
    if (o->n_stop > 0) REIN_TRY(find_stop(e, sl, s));
    if (s->stop >= 0) return REIN_OK;
    s->finish = REIN_FINISH_LENGTH;
    *out = s->n == o->max_new_tokens ||
           (o->world && s->n - s->turn[s->n_turn - 1].begin == o->world->max_turn_tokens);
    return REIN_OK;
}

rein_status rein_gen_text(rein_str *out, const rein_gen_sequence *seq, const rein_gen_options *o, bool skip_special,
                          bool with_stop) {
    size_t begin = out->len;
    REIN_TRY(rein_tokenizer_decode(o->tokenizer, seq->ids, seq->n, skip_special, out));
    if (with_stop || seq->stop < 0 || out->len == begin) return rein_str_check(out);
    const char *stop = o->stop[seq->stop];
    size_t from_end = (size_t)seq->stop_bytes, at = out->len - from_end;
    bool there = out->len - begin >= from_end && strncmp(out->data + at, stop, strlen(stop)) == 0;
    if (there) { /* it is not where special tokens were part of it and have been skipped */
        out->len = at;
        out->data[at] = '\0';
    }
    return rein_str_check(out);
}
