/* Batched generation over the token forest; see generate.h. */
#include "gen/generate.h"

#include <math.h>
#include <string.h>

#include "gen/engine.h"

enum { PREFILL_ROWS = 4096 };

const char *rein_finish_name(rein_finish f) {
    return f == REIN_FINISH_EOS ? "eos" : f == REIN_FINISH_STOP ? "stop" : "length";
}

int64_t rein_gen_chosen(const rein_gen_sequence *seq) {
    int64_t n = 0;
    for (int64_t k = 0; k < seq->n_turn; k++) n += seq->turn[k].end - seq->turn[k].begin;
    return n;
}

/* ---- set-up ---- */

static rein_status check(const rein_model *m, const rein_gen_prompt *p, int64_t n, const rein_gen_options *o) {
    if (o->world && o->world->max_turn_tokens < 1)
        return rein_fail(REIN_ERR_ARG, "max_turn_tokens %lld: must be at least 1", (long long)o->world->max_turn_tokens);
    if (o->max_new_tokens < 1) return rein_fail(REIN_ERR_ARG, "max_new_tokens %lld: must be at least 1", (long long)o->max_new_tokens);
    if (o->n_stop > 0 && !o->tokenizer)
        return rein_fail(REIN_ERR_ARG, "stop strings need a tokenizer; this model has none");
    for (int64_t i = 0; i < o->n_stop; i++)
        if (!o->stop[i][0]) return rein_fail(REIN_ERR_ARG, "stop string %lld is empty", (long long)i);
    REIN_TRY(rein_processing_check(&o->processing, m->cfg.V));
    for (int64_t i = 0; i < n; i++) {
        if (p[i].n < 1 || p[i].samples < 1) return rein_fail(REIN_ERR_ARG, "prompt %lld is empty", (long long)i);
        if (p[i].n + o->max_new_tokens > m->n_pos)
            return rein_fail(REIN_ERR_ARG, "prompt %lld: %lld tokens and %lld new ones exceed the model's %lld positions",
                             (long long)i, (long long)p[i].n, (long long)o->max_new_tokens, (long long)m->n_pos);
        for (int64_t t = 0; t < p[i].n; t++)
            if (p[i].ids[t] < 0 || p[i].ids[t] >= m->cfg.V)
                return rein_fail(REIN_ERR_ARG, "prompt %lld: id %d at %lld is outside the vocabulary of %lld",
                                 (long long)i, p[i].ids[t], (long long)t, (long long)m->cfg.V);
    }
    return REIN_OK;
}

static rein_status make_sequences(engine *e, int64_t n_prompts) {
    rein_gen *g = e->gen;
    int64_t most = e->opt->max_new_tokens, n = 0;
    for (int64_t i = 0; i < n_prompts; i++) n += e->prompt[i].samples;
    REIN_TRY(rein_arena_alloc(&g->arena, &g->seq, (size_t)n * sizeof *g->seq));
    for (int64_t i = 0; i < n_prompts; i++)
        for (uint32_t k = 0; k < e->prompt[i].samples; k++) {
            rein_gen_sequence *s = &g->seq[g->n_seq++];
            *s = (rein_gen_sequence){.prompt = i, .sample = k, .stop = -1};
            REIN_TRY(rein_arena_alloc(&g->arena, &s->ids, (size_t)most * sizeof *s->ids));
            REIN_TRY(rein_arena_alloc(&g->arena, &s->logp, (size_t)most * sizeof *s->logp));
            REIN_TRY(rein_arena_alloc(&g->arena, &s->logp_full, (size_t)most * sizeof *s->logp));
            REIN_TRY(rein_arena_alloc(&g->arena, &s->kept, (size_t)most * sizeof *s->kept));
            for (int64_t t = 0; t < most; t++) s->logp[t] = s->logp_full[t] = NAN;
        }
    return REIN_OK;
}

static rein_status make_slots(engine *e, int64_t n_prompts) {
    const rein_model *m = e->model;
    int64_t panels = 1;
    e->n_slot = e->gen->n_seq < e->opt->max_batch ? e->gen->n_seq : e->opt->max_batch;
    for (int64_t i = 0; i < n_prompts; i++) {
        int64_t need = rein_seg_panels(e->prompt[i].n, e->opt->max_new_tokens);
        if (need > panels) panels = need;
    }
    REIN_TRY(rein_alloc(&e->ps, n_prompts, sizeof *e->ps));
    REIN_TRY(rein_alloc(&e->slot, e->n_slot, sizeof *e->slot));
    for (int64_t i = 0; i < e->n_slot; i++) {
        e->slot[i].seq = -1;
        REIN_TRY(rein_alloc(&e->slot[i].kv, rein_seg_floats(m, panels), sizeof(float)));
    }
    REIN_TRY(rein_alloc(&e->row, e->n_slot, sizeof *e->row));
    REIN_TRY(rein_alloc(&e->which, e->n_slot, sizeof *e->which));
    REIN_TRY(rein_alloc(&e->read, e->n_slot, sizeof *e->read));
    REIN_TRY(rein_choose_init(e));
    for (int64_t i = 0; i < n_prompts; i++) e->ps[i].alive = e->prompt[i].samples;
    return rein_pass_init(&e->pass, m, false);
}

static void engine_deinit(engine *e, int64_t n_prompts) {
    for (int64_t i = 0; e->ps && i < n_prompts; i++) {
        rein_free(e->ps[i].kv);
        rein_free(e->ps[i].logits);
    }
    for (int64_t i = 0; e->slot && i < e->n_slot; i++) {
        rein_free(e->slot[i].kv);
        rein_str_deinit(&e->slot[i].tail);
    }
    rein_free(e->ps);
    rein_free(e->slot);
    rein_free(e->row);
    rein_free(e->which);
    rein_free(e->read);
    rein_choose_deinit(e);
    rein_pass_deinit(&e->pass);
    rein_batch_deinit(&e->batch);
}

/* ---- prefill: prompts not yet computed, each once for all its sequences ---- */

static rein_status add_prompt_rows(engine *e, int64_t p) {
    const rein_model *m = e->model;
    const rein_gen_prompt *pr = &e->prompt[p];
    prompt_state *ps = &e->ps[p];
    rein_batch *b = &e->batch;
    int64_t panels = rein_seg_panels(0, pr->n);
    REIN_TRY(rein_alloc(&ps->kv, rein_seg_floats(m, panels), sizeof(float)));
    REIN_TRY(rein_alloc(&ps->logits, m->cfg.V, sizeof(float)));
    ps->seg = (rein_seg){.base = ps->kv, .layer_stride = rein_seg_floats(m, panels) / m->cfg.L, .n = pr->n, .panels = panels};
    REIN_TRY(rein_batch_reserve(b, b->T + pr->n, b->n_runs + 1));
    b->runs[b->n_runs++] = (rein_run){.row = b->T, .n = pr->n, .seg = &ps->seg, .n_seg = 1, .parent = -1};
    for (int64_t t = 0; t < pr->n; t++) {
        b->ids[b->T] = pr->ids[t];
        b->pos[b->T++] = t;
    }
    return REIN_OK;
}

static rein_status read_prompt_logits(engine *e, int64_t first) {
    int64_t p = first;
    for (int64_t i = 0; i < e->batch.n_runs; i++) {
        const rein_run *r = &e->batch.runs[i];
        int64_t row = r->row + r->n - 1;
        float *logits;
        while (r->seg != &e->ps[p].seg) p++;
        REIN_TRY(rein_head_logits(&e->pass, &row, 1, &logits));
        memcpy(e->ps[p].logits, logits, (size_t)e->model->cfg.V * sizeof(float));
    }
    return REIN_OK;
}

/* Compute prompts [first, last], as many at a time as fit. */
static rein_status prefill(engine *e, int64_t first, int64_t last) {
    for (int64_t p = first; p <= last;) {
        int64_t begin = p;
        e->batch.T = e->batch.n_runs = 0;
        for (; p <= last && (e->batch.n_runs == 0 || e->batch.T + e->prompt[p].n <= PREFILL_ROWS); p++)
            if (!e->ps[p].kv) REIN_TRY(add_prompt_rows(e, p));
        if (e->batch.n_runs == 0) continue;
        REIN_TRY(rein_pass_forward(&e->pass, &e->batch));
        REIN_TRY(read_prompt_logits(e, begin));
        e->gen->prefill_rows += e->batch.T;
    }
    return REIN_OK;
}

/* ---- turns ---- */

static rein_status begin_turn(engine *e, rein_gen_sequence *s) {
    if (s->n_turn == s->cap_turn) {
        int64_t cap = s->cap_turn ? 2 * s->cap_turn : 1;
        rein_gen_turn *turn;
        REIN_TRY(rein_arena_alloc(&e->gen->arena, &turn, (size_t)cap * sizeof *turn));
        if (s->n_turn > 0) memcpy(turn, s->turn, (size_t)s->n_turn * sizeof *turn);
        s->turn = turn;
        s->cap_turn = cap;
    }
    s->turn[s->n_turn++] = (rein_gen_turn){.begin = s->n, .end = s->n};
    s->stop = -1;
    s->stop_bytes = 0;
    return REIN_OK;
}

static void release(engine *e, slot *sl) {
    prompt_state *ps = &e->ps[e->gen->seq[sl->seq].prompt];
    sl->seq = -1;
    sl->waiting = false;
    e->done++;
    if (--ps->alive > 0) return;
    rein_free(ps->kv);
    rein_free(ps->logits);
    ps->kv = ps->logits = NULL;
}

/* What the world says goes behind the sequence, and the model's next turn begins. */
static rein_status append_reply(engine *e, slot *sl, const rein_gen_reply *r) {
    rein_gen_sequence *s = &e->gen->seq[sl->seq];
    if (s->n + r->n >= e->opt->max_new_tokens) {
        s->finish = REIN_FINISH_LENGTH;
        release(e, sl);
        return REIN_OK;
    }
    memcpy(s->ids + s->n, r->ids, (size_t)r->n * sizeof *r->ids);
    s->n += r->n;
    sl->state = 0;
    rein_str_clear(&sl->tail);
    return begin_turn(e, s);
}

/* Ask the world for its answer to the sequence's last turn. */
static rein_status ask(engine *e, slot *sl, bool wait) {
    const rein_gen_world *w = e->opt->world;
    rein_gen_reply reply = {0};
    REIN_TRY(w->reply(w->user, sl->seq, sl - e->slot, wait, &reply));
    sl->waiting = reply.answer == REIN_ANSWER_WAIT;
    if (reply.answer == REIN_ANSWER_END) release(e, sl);
    return reply.answer == REIN_ANSWER_GO ? append_reply(e, sl, &reply) : REIN_OK;
}

static rein_status end_turn(engine *e, slot *sl) {
    rein_gen_sequence *s = &e->gen->seq[sl->seq];
    s->turn[s->n_turn - 1].end = s->n;
    s->turn[s->n_turn - 1].finish = s->finish;
    if (e->opt->world) return ask(e, sl, false);
    release(e, sl);
    return REIN_OK;
}

/* Hear those that have an answer; if there is nothing else to do, wait for the first. */
static rein_status hear(engine *e) {
    int64_t running = 0;
    slot *first = NULL;
    for (int64_t i = 0; i < e->n_slot; i++) {
        slot *sl = &e->slot[i];
        if (sl->seq >= 0 && sl->waiting) REIN_TRY(ask(e, sl, false));
        if (sl->seq < 0) continue;
        running += !sl->waiting;
        if (sl->waiting && !first) first = sl;
    }
    return first && running == 0 ? ask(e, first, true) : REIN_OK;
}

/* ---- one token for each of some sequences ---- */

/* Sample, record, and end the turns that are over. */
static rein_status advance(engine *e, const float *logits, int64_t n) {
    REIN_TRY(rein_choose(e, logits, n));
    for (int64_t i = 0; i < n; i++) {
        slot *sl = &e->slot[e->which[i]];
        rein_gen_sequence *s = &e->gen->seq[sl->seq];
        bool end;
        s->n++;
        e->tokens++;
        REIN_TRY(rein_choose_ended(e, sl, &end));
        if (e->opt->on_token && e->opt->on_token(e->opt->on_token_user, sl->seq, s->ids[s->n - 1]) && !end) {
            s->finish = REIN_FINISH_STOP;
            end = true;
        }
        if (end) REIN_TRY(end_turn(e, sl));
    }
    return REIN_OK;
}

/* ---- the loop ---- */

static rein_status start(engine *e, slot *sl) {
    const rein_model *m = e->model;
    int64_t p = e->gen->seq[sl->seq].prompt, pos = e->prompt[p].n;
    int64_t panels = rein_seg_panels(pos, e->opt->max_new_tokens);
    memset(sl->kv, 0, (size_t)rein_seg_floats(m, panels) * sizeof(float));
    sl->path[0] = e->ps[p].seg;
    sl->path[1] = (rein_seg){.base = sl->kv, .layer_stride = rein_seg_floats(m, panels) / m->cfg.L, .pos0 = pos,
                             .panels = panels};
    sl->fed = 0;
    sl->state = 0;
    rein_str_clear(&sl->tail);
    REIN_TRY(begin_turn(e, &e->gen->seq[sl->seq]));
    if (!e->opt->world) return REIN_OK;
    return e->opt->world->begin(e->opt->world->user, sl->seq, sl - e->slot);
}

/* Fill free slots; every newcomer's first token comes from its prompt's last row. */
static rein_status join(engine *e) {
    int64_t first = e->next, n = 0;
    for (int64_t i = 0; i < e->n_slot && e->next < e->gen->n_seq; i++)
        if (e->slot[i].seq < 0) {
            e->slot[i].seq = e->next++;
            e->which[n++] = i;
        }
    if (n == 0) return REIN_OK;
    REIN_TRY(prefill(e, e->gen->seq[first].prompt, e->gen->seq[e->next - 1].prompt));
    int64_t joined = n;
    int64_t *newcomer = e->row; /* free until the next decode */
    memcpy(newcomer, e->which, (size_t)joined * sizeof *newcomer);
    for (int64_t k = 0; k < joined; k++) REIN_TRY(start(e, &e->slot[newcomer[k]]));
    for (int64_t k = 0; k < joined;) { /* newcomers of one prompt share its row */
        int64_t p = e->gen->seq[e->slot[newcomer[k]].seq].prompt, group = 0;
        for (; k < joined && e->gen->seq[e->slot[newcomer[k]].seq].prompt == p; k++) {
            e->which[group] = newcomer[k];
            e->read[group++].row = 0;
        }
        const float *logits = e->ps[p].logits;
        REIN_TRY(advance(e, logits, group));
    }
    return REIN_OK;
}

/* The rows of a sequence that its segment has not yet: its newest token, and what a world has said before it. */
static rein_status add_new_rows(engine *e, slot *sl) {
    rein_batch *b = &e->batch;
    const rein_gen_sequence *s = &e->gen->seq[sl->seq];
    int64_t n = s->n - sl->fed, pos = sl->path[1].pos0 + sl->fed;
    REIN_TRY(rein_batch_reserve(b, b->T + n, e->n_slot));
    sl->path[1].n = s->n;
    b->runs[b->n_runs++] = (rein_run){.row = b->T, .n = n, .pos = pos, .seg = sl->path, .n_seg = 2, .parent = -1};
    for (int64_t t = 0; t < n; t++) {
        b->ids[b->T] = s->ids[sl->fed + t];
        b->pos[b->T++] = pos + t;
    }
    sl->fed = s->n;
    return REIN_OK;
}

/* One token for every sequence in the batch whose turn it is. */
static rein_status decode(engine *e) {
    rein_batch *b = &e->batch;
    b->T = b->n_runs = 0;
    for (int64_t i = 0; i < e->n_slot; i++) {
        slot *sl = &e->slot[i];
        if (sl->seq < 0 || sl->waiting) continue;
        e->which[b->n_runs] = i;
        REIN_TRY(add_new_rows(e, sl));
    }
    if (b->T == 0) return REIN_OK;
    REIN_TRY(rein_pass_forward(&e->pass, b));
    e->gen->decode_rows += b->T;
    int64_t n = b->n_runs, *slots = e->which;
    for (int64_t at = 0; at < n; at += e->pass.block_rows) {
        int64_t rows = n - at < e->pass.block_rows ? n - at : e->pass.block_rows;
        float *logits;
        for (int64_t i = 0; i < rows; i++) {
            const rein_run *r = &b->runs[at + i];
            e->row[i] = r->row + r->n - 1;
            e->read[i].row = i;
        }
        REIN_TRY(rein_head_logits(&e->pass, e->row, rows, &logits));
        e->which = slots + at;
        rein_status status = advance(e, logits, rows);
        e->which = slots;
        REIN_TRY(status);
    }
    return REIN_OK;
}

rein_status rein_generate(rein_gen *out, const rein_model *model, const rein_gen_prompt *prompts, int64_t n_prompts,
                          const rein_gen_options *options, rein_gen_progress progress, void *user) {
    engine e = {.gen = out, .model = model, .prompt = prompts, .opt = options};
    rein_status status;
    *out = (rein_gen){.not_for_training = rein_processing_shifts(&options->processing)};
    REIN_TRY(check(model, prompts, n_prompts, options));
    REIN_TRY_OUT(status, make_sequences(&e, n_prompts), fail);
    REIN_TRY_OUT(status, make_slots(&e, n_prompts), fail);
    while (e.done < out->n_seq) {
        REIN_TRY_OUT(status, join(&e), fail);
        if (options->world) REIN_TRY_OUT(status, hear(&e), fail);
        REIN_TRY_OUT(status, decode(&e), fail);
        if (progress) progress(user, e.done, out->n_seq, e.tokens);
    }
    engine_deinit(&e, n_prompts);
    return REIN_OK;
fail:
    engine_deinit(&e, n_prompts);
    rein_gen_deinit(out);
    return status;
}

void rein_gen_deinit(rein_gen *gen) {
    rein_arena_deinit(&gen->arena);
    *gen = (rein_gen){0};
}
