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

static rein_status ask(rein_rollouts *r, const rein_rollout_setup *s, const rein_task *tasks, rein_gen_prompt *prompts) {
    static const rein_prompt_chat text_only = {0};
    for (int64_t p = 0; p < r->P; p++) {
        r->task[p] = tasks[p];
        rein_status status = rein_prompt_make(&r->prompt[p], &r->prompt_ids[p], s->chat ? s->chat : &text_only,
                                              s->tokenizer, s->env, &tasks[p]);
        if (status != REIN_OK) return rein_error_prefix(status, "task %lld", (long long)tasks[p].index);
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

/* `reply` (n_seq) borrows from the rollouts. */
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

rein_status rein_rollouts_collect(rein_rollouts *r, const rein_rollout_setup *s, const rein_task *tasks, int64_t P,
                         rein_gen_progress progress, void *user) {
    *r = (rein_rollouts){.P = P, .G = s->G};
    rein_gen_prompt *prompts = NULL;
    rein_reply *reply = NULL;
    rein_status status;
    REIN_TRY_OUT(status, rein_alloc(&r->task, P, sizeof *r->task), fail);
    REIN_TRY_OUT(status, rein_alloc(&r->prompt, P, sizeof *r->prompt), fail);
    REIN_TRY_OUT(status, rein_alloc(&r->prompt_ids, P, sizeof *r->prompt_ids), fail);
    REIN_TRY_OUT(status, rein_alloc(&r->text, P * s->G, sizeof *r->text), fail);
    REIN_TRY_OUT(status, rein_alloc(&r->score, P * s->G, sizeof *r->score), fail);
    REIN_TRY_OUT(status, rein_alloc(&prompts, P, sizeof *prompts), fail);
    REIN_TRY_OUT(status, rein_alloc(&reply, P * s->G, sizeof *reply), fail);
    REIN_TRY_OUT(status, ask(r, s, tasks, prompts), fail);
    REIN_TRY_OUT(status, rein_generate(&r->gen, s->model, prompts, P, &s->gen, progress, user), fail);
    REIN_TRY_OUT(status, judge(r, s, reply), fail);
    rein_free(prompts);
    rein_free(reply);
    return REIN_OK;
fail:
    rein_free(prompts);
    rein_free(reply);
    rein_rollouts_deinit(r);
    return status;
}

void rein_rollouts_deinit(rein_rollouts *r) {
    for (int64_t p = 0; p < r->P; p++) {
        if (r->prompt) rein_str_deinit(&r->prompt[p]);
        if (r->prompt_ids) rein_ids_deinit(&r->prompt_ids[p]);
    }
    for (int64_t i = 0; r->text && i < r->P * r->G; i++) rein_str_deinit(&r->text[i]);
    rein_free(r->task);
    rein_free(r->prompt);
    rein_free(r->prompt_ids);
    rein_free(r->text);
    rein_free(r->score);
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
    swap_bytes(&a->gen.seq[i], &b->gen.seq[j], G * sizeof *a->gen.seq);
    for (int64_t g = 0; g < a->G; g++) {
        a->gen.seq[i + g].prompt = p;
        b->gen.seq[j + g].prompt = q;
    }
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
    }
    return rein_str_check(out);
}
