/* The forest of a step's groups; see group.h. */
#include "train/group.h"

#include <math.h>
#include <string.h>

/* Bits of rein_want of a sequence: what the model chose is read, what a world said is not. `want` has room for it. */
static void mark_turns(uint8_t *want, const rein_gen_sequence *s) {
    memset(want, 0, (size_t)s->n);
    for (int64_t k = 0; k < s->n_turn; k++)
        memset(want + s->turn[k].begin, REIN_WANT_TOKEN, (size_t)(s->turn[k].end - s->turn[k].begin));
}

static rein_status add_spans(rein_group_batch *b, const rein_rollouts *r, uint8_t *want) {
    int64_t root = -1;
    for (int64_t i = 0; i < b->n_seq; i++) {
        const rein_gen_sequence *s = &r->gen.seq[b->begin + i];
        const rein_ids *prompt = &r->prompt_ids[s->prompt];
        if (i % r->G == 0) REIN_TRY(rein_forest_add(&b->forest, -1, prompt->data, NULL, prompt->n, &root));
        mark_turns(want, s);
        REIN_TRY(rein_forest_add(&b->forest, root, s->ids, want, s->n, &b->span[i]));
        b->first[i] = b->forest.span[b->span[i]].tok;
        b->n[i] = s->n;
    }
    return REIN_OK;
}

static rein_status fill_tokens(rein_group_batch *b, const rein_rollouts *r) {
    size_t T = (size_t)b->forest.n_tok;
    float **array[] = {&b->old_logp, &b->logp, &b->entropy, &b->ref_logp, &b->dlogp, &b->dentropy};
    for (size_t k = 0; k < REIN_COUNT(array); k++) REIN_TRY(rein_arena_alloc(&b->arena, array[k], T * sizeof(float)));
    REIN_TRY(rein_arena_alloc(&b->arena, &b->advantage, T * sizeof *b->advantage));
    REIN_TRY(rein_arena_alloc(&b->arena, &b->kept, T * sizeof *b->kept));
    REIN_TRY(rein_arena_alloc(&b->arena, &b->mask, T));
    REIN_TRY(rein_arena_alloc(&b->arena, &b->chosen, T));
    memcpy(b->mask, b->forest.want, T);
    for (size_t k = 0; k < T; k++) b->old_logp[k] = NAN;
    for (int64_t i = 0; i < b->n_seq; i++) {
        const rein_gen_sequence *s = &r->gen.seq[b->begin + i];
        memcpy(b->old_logp + b->first[i], s->logp, (size_t)s->n * sizeof(float));
        memcpy(b->kept + b->first[i], s->kept, (size_t)s->n * sizeof *s->kept);
    }
    return REIN_OK;
}

static rein_status fill(rein_group_batch *b, const rein_rollouts *r) {
    int64_t longest = 1;
    uint8_t *want;
    for (int64_t i = 0; i < b->n_seq; i++)
        if (r->gen.seq[b->begin + i].n > longest) longest = r->gen.seq[b->begin + i].n;
    REIN_TRY(rein_arena_alloc(&b->arena, &want, (size_t)longest));
    REIN_TRY(rein_arena_alloc(&b->arena, &b->span, (size_t)b->n_seq * sizeof *b->span));
    REIN_TRY(rein_arena_alloc(&b->arena, &b->first, (size_t)b->n_seq * sizeof *b->first));
    REIN_TRY(rein_arena_alloc(&b->arena, &b->n, (size_t)b->n_seq * sizeof *b->n));
    REIN_TRY(add_spans(b, r, want));
    return fill_tokens(b, r);
}

rein_status rein_group_batch_make(rein_group_batch *b, const rein_rollouts *r, int64_t begin, int64_t end,
                                  float temperature, int64_t microbatch_tokens) {
    *b = (rein_group_batch){.begin = begin, .n_seq = end - begin};
    if (r->gen.not_for_training)
        return rein_fail(REIN_ERR_ARG, "these samples cannot be trained on: %s", r->gen.not_for_training);
    rein_status status;
    REIN_TRY_OUT(status, fill(b, r), fail);
    b->sampling = (rein_leaf_sampling){.temperature = temperature, .kept = b->kept};
    REIN_TRY_OUT(status, rein_forest_plan_make(&b->plan, &b->forest, microbatch_tokens), fail);
    return REIN_OK;
fail:
    rein_group_batch_deinit(b);
    return status;
}

rein_status rein_group_batch_more(rein_group_batch *b, bool divergence, bool value) {
    size_t T = (size_t)b->forest.n_tok;
    float **exact[] = {&b->divergence, &b->ddivergence}, **own[] = {&b->value, &b->dvalue, &b->score};
    double **wide[] = {&b->old_value, &b->ret, &b->now, &b->slope};
    for (size_t k = 0; divergence && k < REIN_COUNT(exact); k++)
        REIN_TRY(rein_arena_alloc(&b->arena, exact[k], T * sizeof(float)));
    for (size_t k = 0; value && k < REIN_COUNT(own); k++)
        REIN_TRY(rein_arena_alloc(&b->arena, own[k], T * sizeof(float)));
    for (size_t k = 0; value && k < REIN_COUNT(wide); k++)
        REIN_TRY(rein_arena_alloc(&b->arena, wide[k], T * sizeof(double)));
    return REIN_OK;
}

void rein_group_batch_deinit(rein_group_batch *b) {
    rein_forest_plan_deinit(&b->plan);
    rein_forest_deinit(&b->forest);
    rein_arena_deinit(&b->arena);
    *b = (rein_group_batch){0};
}

rein_status rein_group_audit(const rein_group_batch *b, int64_t part) {
    const rein_part *p = &b->plan.part[part];
    for (int64_t i = 0; i < p->n_entry; i++) {
        const rein_span *s = &b->forest.span[p->entry[i]];
        for (int64_t t = s->tok; t < s->tok + s->n && !p->context[i]; t++) {
            if (!(b->forest.want[t] & REIN_WANT_TOKEN)) continue;
            if (memcmp(&b->logp[t], &b->old_logp[t], sizeof(float)) != 0)
                return rein_fail(REIN_ERR_MISMATCH,
                                 "log-prob of token %lld of span %lld: sampled %.9g, trained %.9g; the sampler and the "
                                 "trainer are no longer one engine",
                                 (long long)(t - s->tok), (long long)p->entry[i], (double)b->old_logp[t],
                                 (double)b->logp[t]);
        }
    }
    return REIN_OK;
}
