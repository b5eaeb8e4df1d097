/* The token forest, its post-order, its weight-gradient chunks and its micro-batches; see forest.h. */
#include "model/forest.h"

#include <string.h>

static rein_status grow(rein_forest *f, int64_t tokens) {
    if (f->n_span == f->cap_span) {
        int64_t cap = f->cap_span ? 2 * f->cap_span : 64;
        REIN_TRY(rein_realloc(&f->span, f->cap_span, cap, sizeof *f->span));
        f->cap_span = cap;
    }
    if (f->n_tok + tokens > f->cap_tok) {
        int64_t cap = f->cap_tok ? 2 * f->cap_tok : 1024;
        while (cap < f->n_tok + tokens) cap *= 2;
        REIN_TRY(rein_realloc(&f->ids, f->cap_tok, cap, sizeof *f->ids));
        REIN_TRY(rein_realloc(&f->want, f->cap_tok, cap, sizeof *f->want));
        f->cap_tok = cap;
    }
    return REIN_OK;
}

rein_status rein_forest_add(rein_forest *f, int64_t parent, const int32_t *ids, const uint8_t *want, int64_t n,
                            int64_t *out) {
    if (n < 1 || parent < -1 || parent >= f->n_span)
        return rein_fail(REIN_ERR_ARG, "a span of %lld tokens under span %lld: needs a token and an existing parent",
                         (long long)n, (long long)parent);
    REIN_TRY(grow(f, n));
    rein_span *s = &f->span[f->n_span];
    *s = (rein_span){.parent = parent, .tok = f->n_tok, .n = n};
    if (parent >= 0) s->pos = f->span[parent].pos + f->span[parent].n;
    memcpy(f->ids + f->n_tok, ids, (size_t)n * sizeof *ids);
    if (want)
        memcpy(f->want + f->n_tok, want, (size_t)n);
    else
        memset(f->want + f->n_tok, 0, (size_t)n);
    if (out) *out = f->n_span;
    f->n_span++;
    f->n_tok += n;
    return REIN_OK;
}

void rein_forest_clear(rein_forest *f) { f->n_span = f->n_tok = 0; }

void rein_forest_deinit(rein_forest *f) {
    rein_free(f->span);
    rein_free(f->ids);
    rein_free(f->want);
    *f = (rein_forest){0};
}

/* ---- the plan ---- */

/* Children lists as first/next links, then an iterative walk: children by id, then their parent. */
static rein_status post_order(rein_forest_plan *plan, const rein_forest *f) {
    int64_t n = f->n_span, *first, *next, count = 0, root = -1;
    REIN_TRY(rein_arena_alloc(&plan->arena, &plan->post, (size_t)n * sizeof *plan->post));
    REIN_TRY(rein_arena_alloc(&plan->arena, &first, (size_t)n * sizeof *first));
    REIN_TRY(rein_arena_alloc(&plan->arena, &next, (size_t)n * sizeof *next));
    for (int64_t i = 0; i < n; i++) first[i] = -1;
    for (int64_t s = n - 1; s >= 0; s--) {
        int64_t *head = f->span[s].parent < 0 ? &root : &first[f->span[s].parent];
        next[s] = *head;
        *head = s;
    }
    bool down = true; /* coming from above or from the side: visit the children first */
    for (int64_t s = root; s >= 0;) {
        if (down && first[s] >= 0) {
            s = first[s];
            continue;
        }
        plan->post[count++] = s;
        down = next[s] >= 0;
        s = down ? next[s] : f->span[s].parent;
    }
    REIN_ASSERT(count == n);
    plan->first_child = first;
    plan->next_child = next;
    return REIN_OK;
}

static rein_status make_chunks(rein_forest_plan *plan, const rein_forest *f) {
    int64_t most = 0;
    for (int64_t i = 0; i < f->n_span; i++) most += (f->span[i].n + REIN_CHUNK - 1) / REIN_CHUNK;
    REIN_TRY(rein_arena_alloc(&plan->arena, &plan->n_toks, (size_t)most * sizeof(int64_t)));
    REIN_TRY(rein_arena_alloc(&plan->arena, &plan->chunk_span, (size_t)(most + 1) * sizeof(int64_t)));
    int64_t open = -2; /* parent of the chunk that may still take siblings; -2: none */
    int64_t c = -1;
    for (int64_t i = 0; i < f->n_span; i++) {
        const rein_span *s = &f->span[plan->post[i]];
        if (s->n > REIN_CHUNK) {
            for (int64_t t = 0; t < s->n; t += REIN_CHUNK) {
                c++;
                plan->n_toks[c] = s->n - t < REIN_CHUNK ? s->n - t : REIN_CHUNK;
                plan->chunk_span[c] = i;
            }
            open = -2;
        } else if (open == s->parent && plan->n_toks[c] + s->n <= REIN_CHUNK) {
            plan->n_toks[c] += s->n;
        } else {
            c++;
            plan->n_toks[c] = s->n;
            plan->chunk_span[c] = i;
            open = s->parent;
        }
    }
    plan->n_chunk = c + 1;
    plan->chunk_span[plan->n_chunk] = f->n_span;
    return REIN_OK;
}

/* Spans post[a .. b) take gradient; their ancestors beyond b come along as context. Entries stay in post-order. */
static rein_status make_part(rein_forest_plan *plan, const rein_forest *f, int64_t *rank, int64_t a, int64_t b,
                             rein_part *part) {
    int64_t n = 0, *mark;
    REIN_TRY(rein_arena_alloc(&plan->arena, &mark, (size_t)f->n_span * sizeof *mark));
    int64_t last = b;
    for (int64_t i = a; i < b; i++) {
        for (int64_t s = plan->post[i]; s >= 0 && !mark[s]; s = f->span[s].parent) {
            mark[s] = 1;
            n++;
            if (rank[s] >= last) last = rank[s] + 1;
        }
    }
    REIN_TRY(rein_arena_alloc(&plan->arena, &part->entry, (size_t)n * sizeof *part->entry));
    REIN_TRY(rein_arena_alloc(&plan->arena, &part->context, (size_t)n * sizeof *part->context));
    for (int64_t i = a; i < last; i++) {
        int64_t s = plan->post[i];
        if (!mark[s]) continue;
        part->entry[part->n_entry] = s;
        part->context[part->n_entry++] = i >= b;
        part->tokens += f->span[s].n;
    }
    return REIN_OK;
}

static rein_status make_parts(rein_forest_plan *plan, const rein_forest *f, int64_t budget) {
    int64_t *rank;
    REIN_TRY(rein_arena_alloc(&plan->arena, &rank, (size_t)f->n_span * sizeof *rank));
    REIN_TRY(rein_arena_alloc(&plan->arena, &plan->part, (size_t)plan->n_chunk * sizeof *plan->part));
    for (int64_t i = 0; i < f->n_span; i++) rank[plan->post[i]] = i;
    for (int64_t c = 0; c < plan->n_chunk;) {
        int64_t begin = c, tokens = plan->n_toks[c++];
        while (c < plan->n_chunk && (plan->chunk_span[c] == plan->chunk_span[c - 1] || budget == 0 ||
                                     tokens + plan->n_toks[c] <= budget))
            tokens += plan->n_toks[c++];
        rein_part *part = &plan->part[plan->n_part++];
        part->begin = begin;
        part->end = c;
        REIN_TRY(make_part(plan, f, rank, plan->chunk_span[begin], plan->chunk_span[c], part));
    }
    return REIN_OK;
}

rein_status rein_forest_plan_make(rein_forest_plan *out, const rein_forest *f, int64_t microbatch_tokens) {
    *out = (rein_forest_plan){0};
    rein_status status;
    REIN_TRY_OUT(status, post_order(out, f), fail);
    REIN_TRY_OUT(status, make_chunks(out, f), fail);
    REIN_TRY_OUT(status, make_parts(out, f, microbatch_tokens), fail);
    return REIN_OK;
fail:
    rein_forest_plan_deinit(out);
    return status;
}

void rein_forest_plan_deinit(rein_forest_plan *plan) {
    rein_arena_deinit(&plan->arena);
    *plan = (rein_forest_plan){0};
}
