/* From tasks to scored answers; see rollout.h. */
#include "rollout/rollout.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

rein_status rein_score_check(const rein_score *s) {
    double sum = 0;
    for (int i = 0; i < s->n_func; i++)
        if (isinf(s->func[i].value))
            return rein_fail(REIN_ERR_NUMERIC, "reward function '%s' gave %g; the update is refused", s->func[i].name,
                             s->func[i].value);
    for (int i = 0; i < s->n_component; i++) {
        if (!isfinite(s->component[i].value))
            return rein_fail(REIN_ERR_NUMERIC, "reward component '%s' is %g; the update is refused",
                             s->component[i].name, s->component[i].value);
        sum += s->component[i].value;
    }
    if (!isfinite(s->total)) return rein_fail(REIN_ERR_NUMERIC, "a reward is %g; the update is refused", s->total);
    if (sum != s->total)
        return rein_fail(REIN_ERR_NUMERIC, "reward components add up to %.17g but the total is %.17g", sum, s->total);
    return REIN_OK;
}

rein_status rein_answer_text(rein_str *out, const rein_tokenizer *tok, const rein_gen_sequence *seq) {
    int64_t n = seq->finish == REIN_FINISH_EOS ? seq->n - 1 : seq->n;
    return rein_tokenizer_decode(tok, seq->ids, n, false, out);
}

/* What the world of each task says first; every episode of the task must open with it. */
static rein_status open_tasks(rein_rollouts *r, const rein_rollout_setup *s) {
    for (int64_t p = 0; p < r->P; p++) {
        rein_transcript *first = &r->transcript[p * r->G];
        REIN_TRY(rein_episode_open(s->slots->episode[0], &r->task[p], first));
        if (first->failed)
            return rein_fail(REIN_ERR_IO, "task %lld: the world failed twice before its episode began",
                             (long long)r->task[p].index);
        for (int64_t g = 1; g < r->G; g++) {
            rein_str_append(&first[g].opening, first->opening.data, first->opening.len);
            REIN_TRY(rein_str_check(&first[g].opening));
        }
    }
    return REIN_OK;
}

static rein_status ask(rein_rollouts *r, const rein_rollout_setup *s, rein_gen_prompt *prompts) {
    static const rein_prompt_chat text_only = {0};
    for (int64_t p = 0; p < r->P; p++) {
        const rein_str *opening = r->transcript ? &r->transcript[p * r->G].opening : NULL;
        rein_status status = rein_prompt_make(&r->prompt[p], &r->prompt_ids[p], s->chat ? s->chat : &text_only,
                                              s->tokenizer, s->env, &r->task[p], opening);
        if (status != REIN_OK) return rein_error_prefix(status, "task %lld", (long long)r->task[p].index);
        prompts[p] = (rein_gen_prompt){.ids = r->prompt_ids[p].data, .n = r->prompt_ids[p].n, .id = s->first_id + (uint32_t)p,
                                       .samples = (uint32_t)r->G};
    }
    return REIN_OK;
}

static rein_status check_scores(const rein_rollouts *r) {
    for (int64_t i = 0; i < r->gen.n_seq; i++) {
        rein_status status = rein_score_check(&r->score[i]);
        if (status != REIN_OK)
            return rein_error_prefix(status, "task %lld, answer %lld", (long long)r->task[i / r->G].index,
                                     (long long)(i % r->G));
    }
    return REIN_OK;
}

/* One answer a task: score it. `reply` (n_seq) borrows from the rollouts. */
static rein_status judge(rein_rollouts *r, const rein_rollout_setup *s, rein_reply *reply) {
    const rein_env_class *cls = s->env->cls;
    for (int64_t i = 0; i < r->gen.n_seq; i++) {
        const rein_gen_sequence *seq = &r->gen.seq[i];
        if (seq->prompt != i / r->G)
            return rein_fail(REIN_ERR_MISMATCH, "answer %lld belongs to task %lld, expected %lld", (long long)i,
                             (long long)seq->prompt, (long long)(i / r->G));
        REIN_TRY(rein_answer_text(&r->text[i], s->tokenizer, seq));
        REIN_TRY(rein_str_check(&r->text[i]));
        reply[i] = (rein_reply){.task = &r->task[seq->prompt], .text = r->text[i].data ? r->text[i].data : "",
                                .len = r->text[i].len, .ids = seq->ids, .n_ids = seq->n};
        if (!cls->score_all) REIN_TRY(cls->score(s->env, reply[i].task, reply[i].text, reply[i].len, &r->score[i]));
    }
    if (cls->score_all) REIN_TRY(cls->score_all(s->env, reply, r->gen.n_seq, r->score));
    return check_scores(r);
}

static rein_status answer(rein_rollouts *r, const rein_rollout_setup *s, const rein_gen_prompt *prompts,
                          rein_gen_progress progress, void *user) {
    rein_reply *reply;
    REIN_TRY(rein_generate(&r->gen, s->model, prompts, r->P, &s->gen, progress, user));
    REIN_TRY(rein_alloc(&reply, r->gen.n_seq, sizeof *reply));
    rein_status status = judge(r, s, reply);
    rein_free(reply);
    return status;
}

/* ---- several turns ---- */

/* What the episodes were worth; what was not brought to an end ran out of tokens. */
static rein_status take_transcripts(rein_rollouts *r, const rein_rollout_setup *s) {
    for (int64_t i = 0; i < r->gen.n_seq; i++) {
        rein_transcript *t = &r->transcript[i];
        if (!t->terminated && !t->truncated && !t->failed) t->truncated = true;
        if (!t->failed) r->score[i] = t->score;
        REIN_TRY(rein_answer_text(&r->text[i], s->tokenizer, &r->gen.seq[i]));
        REIN_TRY(rein_str_check(&r->text[i]));
    }
    return check_scores(r);
}

static rein_status talk(rein_rollouts *r, const rein_rollout_setup *s, const rein_gen_prompt *prompts,
                        rein_gen_progress progress, void *user) {
    rein_turn_format format;
    rein_stage stage = {.slots = s->slots, .tokenizer = s->tokenizer, .format = &format, .gen = &r->gen,
                        .task = r->task, .G = r->G, .transcript = r->transcript};
    rein_gen_options gen = s->gen;
    REIN_TRY(rein_turn_format_init(&format, s->chat, s->tokenizer, s->env->cls->turns->role));
    rein_status status = rein_stage_init(&stage, s->max_turn_tokens);
    gen.world = &stage.world;
    if (gen.max_batch > s->slots->n) gen.max_batch = s->slots->n;
    if (status == REIN_OK) status = rein_generate(&r->gen, s->model, prompts, r->P, &gen, progress, user);
    if (status == REIN_OK) status = take_transcripts(r, s);
    rein_stage_deinit(&stage);
    rein_turn_format_deinit(&format);
    return status;
}

rein_status rein_rollouts_collect(rein_rollouts *r, const rein_rollout_setup *s, const rein_task *tasks, int64_t P,
                         rein_gen_progress progress, void *user) {
    const bool turns = s->env->cls->turns != NULL;
    *r = (rein_rollouts){.P = P, .G = s->G};
    rein_gen_prompt *prompts = NULL;
    rein_status status;
    REIN_TRY_OUT(status, rein_alloc(&r->task, P, sizeof *r->task), fail);
    REIN_TRY_OUT(status, rein_alloc(&r->prompt, P, sizeof *r->prompt), fail);
    REIN_TRY_OUT(status, rein_alloc(&r->prompt_ids, P, sizeof *r->prompt_ids), fail);
    REIN_TRY_OUT(status, rein_alloc(&r->text, P * s->G, sizeof *r->text), fail);
    REIN_TRY_OUT(status, rein_alloc(&r->score, P * s->G, sizeof *r->score), fail);
    if (turns) REIN_TRY_OUT(status, rein_alloc(&r->transcript, P * s->G, sizeof *r->transcript), fail);
    REIN_TRY_OUT(status, rein_alloc(&prompts, P, sizeof *prompts), fail);
    memcpy(r->task, tasks, (size_t)P * sizeof *tasks);
    if (turns) REIN_TRY_OUT(status, open_tasks(r, s), fail);
    REIN_TRY_OUT(status, ask(r, s, prompts), fail);
    REIN_TRY_OUT(status, (turns ? talk : answer)(r, s, prompts, progress, user), fail);
    rein_free(prompts);
    return REIN_OK;
fail:
    rein_free(prompts);
    rein_rollouts_deinit(r);
    return status;
}

void rein_rollouts_deinit(rein_rollouts *r) {
    for (int64_t p = 0; p < r->P; p++) {
        if (r->prompt) rein_str_deinit(&r->prompt[p]);
        if (r->prompt_ids) rein_ids_deinit(&r->prompt_ids[p]);
    }
    for (int64_t i = 0; r->text && i < r->P * r->G; i++) rein_str_deinit(&r->text[i]);
    for (int64_t i = 0; r->transcript && i < r->P * r->G; i++) rein_transcript_deinit(&r->transcript[i]);
    rein_free(r->task);
    rein_free(r->prompt);
    rein_free(r->prompt_ids);
    rein_free(r->text);
    rein_free(r->score);
    rein_free(r->transcript);
    rein_gen_deinit(&r->gen);
    *r = (rein_rollouts){0};
}

static void swap_bytes(void *a, void *b, size_t n) {
    unsigned char *x = a, *y = b;
    for (size_t i = 0; i < n; i++) {
        unsigned char t = x[i];
        x[i] = y[i];
        y[i] = t;
    }
}

void rein_rollouts_swap(rein_rollouts *a, int64_t p, rein_rollouts *b, int64_t q) {
    REIN_ASSERT(a->G == b->G);
    size_t G = (size_t)a->G;
    int64_t i = p * a->G, j = q * b->G;
    swap_bytes(&a->task[p], &b->task[q], sizeof *a->task);
    swap_bytes(&a->prompt[p], &b->prompt[q], sizeof *a->prompt);
    swap_bytes(&a->prompt_ids[p], &b->prompt_ids[q], sizeof *a->prompt_ids);
    swap_bytes(&a->text[i], &b->text[j], G * sizeof *a->text);
    swap_bytes(&a->score[i], &b->score[j], G * sizeof *a->score);
    if (a->transcript) swap_bytes(&a->transcript[i], &b->transcript[j], G * sizeof *a->transcript);
    swap_bytes(&a->gen.seq[i], &b->gen.seq[j], G * sizeof *a->gen.seq);
    for (int64_t g = 0; g < a->G; g++) {
        a->gen.seq[i + g].prompt = p;
        b->gen.seq[j + g].prompt = q;
    }
}

/* Where the turns of an episode lie, what each earned, and how it ended. */
static void write_turns(const rein_rollouts *r, int64_t i, rein_str *out) {
    const rein_transcript *t = &r->transcript[i];
    const rein_gen_sequence *seq = &r->gen.seq[i];
    int64_t head[] = {t->terminated, t->truncated, t->failed, seq->n_turn, t->n};
    rein_str_append(out, (const char *)head, sizeof head);
    for (int64_t k = 0; k < seq->n_turn; k++) {
        int64_t turn[] = {seq->turn[k].begin, seq->turn[k].end, seq->turn[k].finish};
        rein_str_append(out, (const char *)turn, sizeof turn);
    }
    for (int64_t k = 0; k < t->n; k++) rein_str_append(out, (const char *)&t->turn[k].reward, sizeof(double));
}

rein_status rein_rollouts_write(const rein_rollouts *r, rein_str *out) {
    for (int64_t i = 0; i < r->gen.n_seq; i++) {
        const rein_gen_sequence *seq = &r->gen.seq[i];
        const rein_ids *ids = &r->prompt_ids[seq->prompt];
        const rein_score *sc = &r->score[i];
        int64_t head[] = {(int64_t)r->task[seq->prompt].key, seq->prompt, seq->sample, ids->n, seq->n, seq->finish,
                          sc->n_component};
        rein_str_append(out, (const char *)head, sizeof head);
        rein_str_append(out, (const char *)ids->data, (size_t)ids->n * sizeof *ids->data);
        rein_str_append(out, (const char *)seq->ids, (size_t)seq->n * sizeof *seq->ids);
        rein_str_append(out, (const char *)seq->logp, (size_t)seq->n * sizeof *seq->logp);
        rein_str_append(out, (const char *)seq->logp_full, (size_t)seq->n * sizeof *seq->logp_full);
        for (int k = 0; k < sc->n_component; k++)
            rein_str_append(out, (const char *)&sc->component[k].value, sizeof(double));
        for (int k = 0; k < sc->n_func; k++) rein_str_append(out, (const char *)&sc->func[k].value, sizeof(double));
        if (r->transcript) write_turns(r, i, out);
    }
    return rein_str_check(out);
}
