/* Building nondeterministic automata; see automaton.h. */
#include <stdlib.h>
#include <string.h>

#include "gen/automaton.h"

static bool grow(rein_nfa *nfa, void *array, int64_t n, int64_t *cap, size_t size) {
    if (nfa->failed) return false;
    if (n >= REIN_NFA_MAX) {
        nfa->failed = nfa->large = true;
        return false;
    }
    if (n < *cap) return true;
    int64_t more = *cap ? 2 * *cap : 256;
    nfa->failed = rein_realloc(array, *cap, more, size) != REIN_OK;
    if (!nfa->failed) *cap = more;
    return !nfa->failed;
}

int32_t rein_nfa_state(rein_nfa *nfa) {
    if (!grow(nfa, &nfa->first, nfa->n, &nfa->cap, sizeof *nfa->first)) return 0;
    nfa->first[nfa->n] = -1;
    return (int32_t)nfa->n++;
}

static void add_edge(rein_nfa *nfa, int32_t from, rein_nfa_edge edge) {
    if (!grow(nfa, &nfa->edge, nfa->n_edge, &nfa->cap_edge, sizeof *nfa->edge)) return;
    edge.next = nfa->first[from];
    nfa->first[from] = (int32_t)nfa->n_edge;
    nfa->edge[nfa->n_edge++] = edge;
}

void rein_nfa_empty(rein_nfa *nfa, int32_t from, int32_t to) {
    add_edge(nfa, from, (rein_nfa_edge){.to = to, .empty = true});
}

void rein_nfa_bytes(rein_nfa *nfa, int32_t from, int32_t to, uint8_t lo, uint8_t hi) {
    add_edge(nfa, from, (rein_nfa_edge){.to = to, .lo = lo, .hi = hi});
}

void rein_nfa_text(rein_nfa *nfa, int32_t from, int32_t to, const char *text, size_t len) {
    if (len == 0) rein_nfa_empty(nfa, from, to);
    for (size_t i = 0; i < len && !nfa->failed; i++) {
        int32_t next = i + 1 < len ? rein_nfa_state(nfa) : to;
        rein_nfa_bytes(nfa, from, next, (uint8_t)text[i], (uint8_t)text[i]);
        from = next;
    }
}

rein_status rein_nfa_check(const rein_nfa *nfa) {
    if (nfa->large)
        return rein_fail(REIN_ERR_ARG, "the constraint needs more than %d states; repeat less or nest less deeply",
                         (int)REIN_NFA_MAX);
    return nfa->failed ? rein_fail(REIN_ERR_MEMORY, "out of memory for a constraint") : REIN_OK;
}

void rein_nfa_deinit(rein_nfa *nfa) {
    rein_free(nfa->first);
    rein_free(nfa->edge);
    *nfa = (rein_nfa){0};
}

/* ---- overlap: pairs of states that one text can reach in both ---- */

enum { MAX_PAIRS = 1 << 20, SLOTS = 2 * MAX_PAIRS };

typedef struct pairs {
    int64_t *slot;  /* (SLOTS) pair + 1, 0: free */
    int64_t *queue; /* (MAX_PAIRS) */
    int64_t n;
} pairs;

static void add_pair(pairs *p, int32_t a, int32_t b) {
    int64_t key = ((int64_t)a << 32 | b) + 1;
    uint64_t at = (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 43;
    for (; p->slot[at % SLOTS]; at++)
        if (p->slot[at % SLOTS] == key) return;
    if (p->n >= MAX_PAIRS) return;
    p->slot[at % SLOTS] = key;
    p->queue[p->n++] = key - 1;
}

/* Pairs one edge further; the ends of the two parts are not left. */
static void follow(pairs *p, const rein_nfa *nfa, int32_t a, int32_t a_end, int32_t b, int32_t b_end) {
    int32_t ea = a == a_end ? -1 : nfa->first[a], eb_first = b == b_end ? -1 : nfa->first[b];
    for (int32_t e = ea; e >= 0; e = nfa->edge[e].next)
        if (nfa->edge[e].empty) add_pair(p, nfa->edge[e].to, b);
    for (int32_t e = eb_first; e >= 0; e = nfa->edge[e].next)
        if (nfa->edge[e].empty) add_pair(p, a, nfa->edge[e].to);
    for (; ea >= 0; ea = nfa->edge[ea].next)
        for (int32_t eb = eb_first; eb >= 0; eb = nfa->edge[eb].next) {
            const rein_nfa_edge *x = &nfa->edge[ea], *y = &nfa->edge[eb];
            if (!x->empty && !y->empty && x->lo <= y->hi && y->lo <= x->hi) add_pair(p, x->to, y->to);
        }
}

rein_status rein_nfa_overlap(bool *out, const rein_nfa *nfa, int32_t a, int32_t a_end, int32_t b, int32_t b_end) {
    pairs p = {0};
    rein_status status;
    *out = false;
    REIN_TRY_OUT(status, rein_nfa_check(nfa), out);
    REIN_TRY_OUT(status, rein_alloc(&p.slot, SLOTS, sizeof *p.slot), out);
    REIN_TRY_OUT(status, rein_alloc(&p.queue, MAX_PAIRS, sizeof *p.queue), out);
    add_pair(&p, a, b);
    for (int64_t i = 0; i < p.n && !*out; i++) {
        int32_t x = (int32_t)(p.queue[i] >> 32), y = (int32_t)(p.queue[i] & UINT32_MAX);
        *out = x == a_end && y == b_end;
        follow(&p, nfa, x, a_end, y, b_end);
    }
    if (!*out && p.n == MAX_PAIRS) status = rein_fail(REIN_ERR_ARG, "alternatives are too large to be told apart");
out:
    rein_free(p.slot);
    rein_free(p.queue);
    return status;
}
