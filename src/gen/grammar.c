/* Masks of tokens for states of an automaton; see grammar.h. */
#include "gen/grammar.h"

#include <stdlib.h>
#include <string.h>

#include "gen/automaton.h"
#include "gen/pattern.h"
#include "gen/schema.h"

typedef struct token {
    const char *bytes;
    size_t len;
    size_t shared; /* bytes in common with the token before it in the list */
    int32_t id;
} token;

struct rein_grammar {
    rein_vocabulary vocab;
    int32_t *end;
    rein_automaton *automaton;
    token *list; /* (n) in order of their bytes: a walk over it is a walk over the vocabulary's trie */
    int64_t n;
    int32_t *path;   /* (longest + 1) states along the bytes of the token at hand */
    uint8_t *chosen; /* (V) */
    rein_kept *mask; /* (n_mask) by state; ids NULL: not yet known */
    int64_t n_mask;
    rein_kept *set;  /* (n_set) the different ones */
    int64_t n_set;
    rein_arena arena;
};

/* ---- the vocabulary in order of bytes ---- */

static int by_bytes(const void *pa, const void *pb) {
    const token *a = pa, *b = pb;
    int c = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
    if (c != 0) return c;
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static bool is_end(const rein_grammar *g, int32_t id) {
    for (int64_t i = 0; i < g->vocab.n_end; i++)
        if (g->end[i] == id) return true;
    return false;
}

/* Every token that stands for text: no special ones, no end tokens, none without bytes, no ids that nothing uses. */
static rein_status list_tokens(rein_grammar *g) {
    const rein_tokenizer *tok = g->vocab.tokenizer;
    int64_t n = rein_tokenizer_vocab_size(tok) < g->vocab.V ? rein_tokenizer_vocab_size(tok) : g->vocab.V;
    size_t longest = 0;
    REIN_TRY(rein_alloc(&g->list, n, sizeof *g->list));
    for (int32_t id = 0; id < n; id++) {
        token t = {.id = id};
        if (rein_tokenizer_is_special(tok, id) || is_end(g, id)) continue;
        if (rein_tokenizer_token_bytes(tok, id, &t.bytes, &t.len) != REIN_OK || t.len == 0) continue;
        if (t.len > longest) longest = t.len;
        g->list[g->n++] = t;
    }
    if (g->n) qsort(g->list, (size_t)g->n, sizeof *g->list, by_bytes);
    for (int64_t i = 1; i < g->n; i++) {
        const token *a = &g->list[i - 1];
        token *b = &g->list[i];
        while (b->shared < a->len && b->shared < b->len && a->bytes[b->shared] == b->bytes[b->shared]) b->shared++;
    }
    return rein_alloc(&g->path, (int64_t)longest + 1, sizeof *g->path);
}

/* ---- masks ---- */

/* Mark the tokens that lead from `state` to a living one. */
static rein_status walk(rein_grammar *g, int32_t state) {
    size_t known = 0; /* path[0 .. known] holds the states along the bytes of the token at hand */
    bool dead = false; /* byte `known` of that token leads nowhere */
    g->path[0] = state;
    for (int64_t i = 0; i < g->n; i++) {
        const token *t = &g->list[i];
        if (dead && t->shared > known) continue; /* the same dead byte */
        if (t->shared < known) known = t->shared;
        for (dead = false; known < t->len && !dead; known += !dead) {
            int32_t next = g->path[known];
            REIN_TRY(rein_automaton_step(g->automaton, &next, (uint8_t)t->bytes[known]));
            dead = next == REIN_DEAD;
            if (!dead) g->path[known + 1] = next;
        }
        if (!dead) g->chosen[t->id] = 1;
    }
    return REIN_OK;
}

/* The marked tokens as a set, the same memory for equal ones. */
static rein_status intern(rein_grammar *g, rein_kept *out) {
    int32_t *ids;
    int64_t n = 0;
    for (int64_t v = 0; v < g->vocab.V; v++) n += g->chosen[v];
    REIN_TRY(rein_alloc(&ids, n, sizeof *ids));
    n = 0;
    for (int64_t v = 0; v < g->vocab.V; v++)
        if (g->chosen[v]) ids[n++] = (int32_t)v;
    rein_status status = REIN_OK;
    *out = (rein_kept){0};
    for (int64_t i = 0; i < g->n_set && !out->ids; i++)
        if (g->set[i].n == n && memcmp(g->set[i].ids, ids, (size_t)n * sizeof *ids) == 0) *out = g->set[i];
    if (!out->ids) {
        int32_t *own;
        REIN_TRY_OUT(status, rein_arena_alloc(&g->arena, &own, (size_t)n * sizeof *own), out);
        REIN_TRY_OUT(status, rein_realloc(&g->set, g->n_set, g->n_set + 1, sizeof *g->set), out);
        memcpy(own, ids, (size_t)n * sizeof *own);
        g->set[g->n_set++] = *out = (rein_kept){own, n};
    }
out:
    rein_free(ids);
    return status;
}

rein_status rein_grammar_allowed(rein_grammar *g, int32_t state, rein_kept *out) {
    if (state >= g->n_mask) {
        int64_t n = state < 32 ? 64 : 2 * (int64_t)state;
        REIN_TRY(rein_realloc(&g->mask, g->n_mask, n, sizeof *g->mask));
        g->n_mask = n;
    }
    if (!g->mask[state].ids) {
        memset(g->chosen, 0, (size_t)g->vocab.V);
        REIN_TRY(walk(g, state));
        for (int64_t i = 0; i < g->vocab.n_end && rein_automaton_accepts(g->automaton, state); i++)
            g->chosen[g->end[i]] = 1;
        if (!memchr(g->chosen, 1, (size_t)g->vocab.V))
            return rein_fail(REIN_ERR_ARG, "the constraint can go on, but no token of the vocabulary does");
        REIN_TRY(intern(g, &g->mask[state]));
    }
    *out = g->mask[state];
    return REIN_OK;
}

rein_status rein_grammar_advance(rein_grammar *g, int32_t *state, int32_t id) {
    const char *bytes;
    size_t len;
    if (is_end(g, id)) return REIN_OK;
    REIN_TRY(rein_tokenizer_token_bytes(g->vocab.tokenizer, id, &bytes, &len));
    for (size_t i = 0; i < len; i++) REIN_TRY(rein_automaton_step(g->automaton, state, (uint8_t)bytes[i]));
    REIN_ASSERT(*state != REIN_DEAD);
    return REIN_OK;
}

/* ---- whole grammars ---- */

static rein_status fill(rein_grammar *g, const rein_vocabulary *v) {
    if (!v->tokenizer) return rein_fail(REIN_ERR_ARG, "a constraint needs a tokenizer; this model has none");
    g->vocab = *v;
    g->vocab.n_end = 0;
    REIN_TRY(rein_alloc(&g->end, v->n_end, sizeof *g->end));
    for (int64_t i = 0; i < v->n_end; i++)
        if (v->end[i] >= 0 && v->end[i] < v->V) g->end[g->vocab.n_end++] = v->end[i];
    if (g->vocab.n_end == 0)
        return rein_fail(REIN_ERR_ARG, "a constraint needs an end token, to end with; there is none or it is ignored");
    REIN_TRY(rein_alloc(&g->chosen, v->V, sizeof *g->chosen));
    return list_tokens(g);
}

/* Takes over the automaton's parts, whatever `status` their making had. */
static rein_status finish(rein_grammar **out, rein_nfa *nfa, int32_t start, int32_t end, const rein_vocabulary *v,
                          rein_status status) {
    rein_grammar *g = NULL;
    rein_automaton *a = NULL;
    if (status != REIN_OK) {
        rein_nfa_deinit(nfa);
        return status;
    }
    REIN_TRY(rein_automaton_create(&a, nfa, start, end));
    REIN_TRY_OUT(status, rein_alloc(&g, 1, sizeof *g), fail);
    g->automaton = a;
    a = NULL;
    REIN_TRY_OUT(status, fill(g, v), fail);
    *out = g;
    return REIN_OK;
fail:
    rein_automaton_destroy(a);
    rein_grammar_close(g);
    return status;
}

rein_status rein_grammar_open_regex(rein_grammar **out, const char *pattern, size_t len, const rein_vocabulary *v) {
    rein_nfa nfa = {0};
    int32_t start = rein_nfa_state(&nfa), end = rein_nfa_state(&nfa);
    rein_status status = rein_nfa_check(&nfa);
    if (status == REIN_OK) status = rein_pattern_compile(&nfa, start, end, pattern, len, REIN_PATTERN_WHOLE);
    return finish(out, &nfa, start, end, v, status);
}

rein_status rein_grammar_open_schema(rein_grammar **out, struct json_object *schema, const rein_vocabulary *v) {
    rein_nfa nfa = {0};
    int32_t start = rein_nfa_state(&nfa), end = rein_nfa_state(&nfa);
    rein_status status = rein_nfa_check(&nfa);
    if (status == REIN_OK) status = rein_schema_compile(&nfa, start, end, schema);
    return finish(out, &nfa, start, end, v, status);
}

void rein_grammar_close(rein_grammar *g) {
    if (!g) return;
    rein_automaton_destroy(g->automaton);
    rein_free(g->end);
    rein_free(g->list);
    rein_free(g->path);
    rein_free(g->chosen);
    rein_free(g->mask);
    rein_free(g->set);
    rein_arena_deinit(&g->arena);
    rein_free(g);
}
