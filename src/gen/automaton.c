/* The deterministic automaton, made as it is asked for; see automaton.h. */
#include "gen/automaton.h"

#include <stdlib.h>
#include <string.h>

enum { UNKNOWN = -2, MAX_STATES = 1 << 17, BYTES = 256 };

/* A state is the set of nondeterministic states that a text can have led to: those with byte edges, and the end. */
typedef struct dfa_state {
    int32_t *set; /* (n) ascending, in the arena */
    int64_t n;
    int32_t *next; /* (256) in the arena */
} dfa_state;

struct rein_automaton {
    rein_nfa nfa;
    int32_t end;
    bool *live;      /* (nfa.n) the end can be reached */
    int64_t *mark;   /* (nfa.n) last round that met the state */
    int64_t round;
    int32_t *stack, *set; /* (nfa.n) */
    int64_t n_set;
    dfa_state *state;
    int64_t n, cap;
    int32_t *slot;   /* (2 * MAX_STATES) state + 1 by hash of its set, 0: free */
    rein_arena arena;
};

/* ---- which states can still reach the end ---- */

static rein_status find_live(rein_automaton *a) {
    rein_nfa *nfa = &a->nfa;
    int32_t *head, *link, *from; /* edges by the state they lead to */
    rein_arena scratch = {0};
    rein_status status;
    int64_t n_stack = 0;
    REIN_TRY_OUT(status, rein_arena_alloc(&scratch, &head, (size_t)nfa->n * sizeof *head), out);
    REIN_TRY_OUT(status, rein_arena_alloc(&scratch, &link, (size_t)(nfa->n_edge + 1) * sizeof *link), out);
    REIN_TRY_OUT(status, rein_arena_alloc(&scratch, &from, (size_t)(nfa->n_edge + 1) * sizeof *from), out);
    for (int64_t s = 0; s < nfa->n; s++) head[s] = -1;
    for (int64_t s = 0; s < nfa->n; s++)
        for (int32_t e = nfa->first[s]; e >= 0; e = nfa->edge[e].next) {
            from[e] = (int32_t)s;
            link[e] = head[nfa->edge[e].to];
            head[nfa->edge[e].to] = e;
        }
    a->live[a->end] = true;
    a->stack[n_stack++] = a->end;
    while (n_stack > 0) { /* each state is pushed once, so the stack holds at most all of them */
        int32_t s = a->stack[--n_stack];
        for (int32_t e = head[s]; e >= 0; e = link[e]) {
            if (a->live[from[e]]) continue;
            a->live[from[e]] = true;
            a->stack[n_stack++] = from[e];
        }
    }
out:
    rein_arena_deinit(&scratch);
    return status;
}

/* ---- sets of states ---- */

/* Add a state and all that empty edges lead to, unless this round has met it. */
static void add_closure(rein_automaton *a, int32_t s) {
    const rein_nfa *nfa = &a->nfa;
    int64_t n_stack = 0;
    if (!a->live[s] || a->mark[s] == a->round) return;
    a->mark[s] = a->round;
    a->stack[n_stack++] = s;
    while (n_stack > 0) {
        bool counts;
        s = a->stack[--n_stack];
        counts = s == a->end;
        for (int32_t e = nfa->first[s]; e >= 0; e = nfa->edge[e].next) {
            int32_t to = nfa->edge[e].to;
            if (!nfa->edge[e].empty) {
                counts = true;
            } else if (a->live[to] && a->mark[to] != a->round) {
                a->mark[to] = a->round;
                a->stack[n_stack++] = to;
            }
        }
        if (counts) a->set[a->n_set++] = s;
    }
}

static int by_number(const void *pa, const void *pb) {
    const int32_t *a = pa, *b = pb;
    return *a < *b ? -1 : *a > *b;
}

static uint64_t hash_set(const int32_t *set, int64_t n) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (int64_t i = 0; i < n; i++) h = (h ^ (uint32_t)set[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static rein_status new_state(rein_automaton *a, int32_t *out) {
    if (a->n == MAX_STATES)
        return rein_fail(REIN_ERR_ARG, "the constraint needs more than %d states; make it simpler", (int)MAX_STATES);
    if (a->n == a->cap) {
        int64_t cap = a->cap ? 2 * a->cap : 64;
        REIN_TRY(rein_realloc(&a->state, a->cap, cap, sizeof *a->state));
        a->cap = cap;
    }
    dfa_state *s = &a->state[a->n];
    s->n = a->n_set;
    REIN_TRY(rein_arena_alloc(&a->arena, &s->set, (size_t)a->n_set * sizeof *s->set));
    REIN_TRY(rein_arena_alloc(&a->arena, &s->next, BYTES * sizeof *s->next));
    memcpy(s->set, a->set, (size_t)a->n_set * sizeof *s->set);
    for (int b = 0; b < BYTES; b++) s->next[b] = UNKNOWN;
    *out = (int32_t)a->n++;
    return REIN_OK;
}

/* The state of the set in a->set, made if it is new. */
static rein_status intern(rein_automaton *a, int32_t *out) {
    if (a->n_set == 0) {
        *out = REIN_DEAD;
        return REIN_OK;
    }
    qsort(a->set, (size_t)a->n_set, sizeof *a->set, by_number);
    uint64_t at = hash_set(a->set, a->n_set);
    for (;; at++) {
        int32_t *slot = &a->slot[at % (2 * MAX_STATES)];
        if (*slot == 0) {
            REIN_TRY(new_state(a, out));
            *slot = *out + 1;
            return REIN_OK;
        }
        const dfa_state *s = &a->state[*slot - 1];
        if (s->n == a->n_set && memcmp(s->set, a->set, (size_t)s->n * sizeof *s->set) == 0) {
            *out = *slot - 1;
            return REIN_OK;
        }
    }
}

/* Where `byte` leads, and the neighbouring bytes that no edge tells from it. */
static rein_status find_next(rein_automaton *a, int32_t state, uint8_t byte) {
    const dfa_state *s = &a->state[state];
    int32_t to;
    int lo = 0, hi = BYTES - 1;
    a->round++;
    a->n_set = 0;
    for (int64_t i = 0; i < s->n; i++)
        for (int32_t e = a->nfa.first[s->set[i]]; e >= 0; e = a->nfa.edge[e].next) {
            const rein_nfa_edge *edge = &a->nfa.edge[e];
            if (edge->empty) continue;
            if (byte < edge->lo) {
                if (hi >= edge->lo) hi = edge->lo - 1;
            } else if (byte > edge->hi) {
                if (lo <= edge->hi) lo = edge->hi + 1;
            } else {
                if (lo < edge->lo) lo = edge->lo;
                if (hi > edge->hi) hi = edge->hi;
                add_closure(a, edge->to);
            }
        }
    REIN_TRY(intern(a, &to));
    for (int b = lo; b <= hi; b++) a->state[state].next[b] = to;
    return REIN_OK;
}

rein_status rein_automaton_step(rein_automaton *a, int32_t *state, uint8_t byte) {
    if (*state == REIN_DEAD) return REIN_OK;
    if (a->state[*state].next[byte] == UNKNOWN) REIN_TRY(find_next(a, *state, byte));
    *state = a->state[*state].next[byte];
    return REIN_OK;
}

bool rein_automaton_accepts(const rein_automaton *a, int32_t state) {
    if (state == REIN_DEAD) return false;
    const dfa_state *s = &a->state[state];
    return bsearch(&a->end, s->set, (size_t)s->n, sizeof *s->set, by_number) != NULL;
}

/* ---- whole automata ---- */

static rein_status make(rein_automaton *a, int32_t start) {
    int32_t first;
    int64_t n = a->nfa.n;
    REIN_TRY(rein_nfa_check(&a->nfa));
    REIN_TRY(rein_alloc(&a->live, n, sizeof *a->live));
    REIN_TRY(rein_alloc(&a->mark, n, sizeof *a->mark));
    REIN_TRY(rein_alloc(&a->stack, n, sizeof *a->stack));
    REIN_TRY(rein_alloc(&a->set, n, sizeof *a->set));
    REIN_TRY(rein_alloc(&a->slot, 2 * MAX_STATES, sizeof *a->slot));
    REIN_TRY(find_live(a));
    a->round = 1;
    add_closure(a, start);
    if (a->n_set == 0) return rein_fail(REIN_ERR_ARG, "the constraint allows no text at all");
    return intern(a, &first);
}

rein_status rein_automaton_create(rein_automaton **out, rein_nfa *nfa, int32_t start, int32_t end) {
    rein_automaton *a;
    rein_status status = rein_alloc(&a, 1, sizeof *a);
    if (status != REIN_OK) {
        rein_nfa_deinit(nfa);
        return status;
    }
    a->nfa = *nfa;
    a->end = end;
    *nfa = (rein_nfa){0};
    REIN_TRY_OUT(status, make(a, start), fail);
    *out = a;
    return REIN_OK;
fail:
    rein_automaton_destroy(a);
    return status;
}

void rein_automaton_destroy(rein_automaton *a) {
    if (!a) return;
    rein_nfa_deinit(&a->nfa);
    rein_free(a->live);
    rein_free(a->mark);
    rein_free(a->stack);
    rein_free(a->set);
    rein_free(a->state);
    rein_free(a->slot);
    rein_arena_deinit(&a->arena);
    rein_free(a);
}
