/*
 * Finite automata over bytes, for constrained generation.
 *
 * A nondeterministic automaton is built by adding states and edges between two given states; the deterministic one is
 * made from it lazily, state by state and byte by byte, as texts ask for it. States from which no text can be finished
 * are never entered. Builders do not return errors one by one: a failed addition sets `failed`, like rein_str.
 */
#ifndef REIN_GEN_AUTOMATON_H
#define REIN_GEN_AUTOMATON_H

#include "base/base.h"

enum { REIN_NFA_MAX = 1 << 20, REIN_DEAD = -1 };

/** A byte in [lo, hi] leads to state `to`; an empty edge needs no byte. */
typedef struct rein_nfa_edge {
    int32_t to, next; /* next edge of the same state, -1: none */
    uint8_t lo, hi;
    bool empty;
} rein_nfa_edge;

/** Zero-initialised is empty and ready. */
typedef struct rein_nfa {
    int32_t *first;   /* (n) first edge of each state, -1: none */
    rein_nfa_edge *edge;
    int64_t n, n_edge, cap, cap_edge;
    bool failed, large; /* out of memory, or (large) more than REIN_NFA_MAX states or edges */
} rein_nfa;

/** A new state without edges; 0 after a failure. */
int32_t rein_nfa_state(rein_nfa *nfa);
void rein_nfa_empty(rein_nfa *nfa, int32_t from, int32_t to);
void rein_nfa_bytes(rein_nfa *nfa, int32_t from, int32_t to, uint8_t lo, uint8_t hi);
/** The bytes of a text, one after the other; len may be 0. */
void rein_nfa_text(rein_nfa *nfa, int32_t from, int32_t to, const char *text, size_t len);
/** REIN_ERR_MEMORY, or REIN_ERR_ARG if the automaton is too large. */
REIN_NODISCARD rein_status rein_nfa_check(const rein_nfa *nfa);
void rein_nfa_deinit(rein_nfa *nfa);

/** Some text that leads from a to a_end and also from b to b_end exists. REIN_ERR_ARG if that is too much to find out. */
REIN_NODISCARD rein_status rein_nfa_overlap(bool *out, const rein_nfa *nfa, int32_t a, int32_t a_end, int32_t b,
                                            int32_t b_end);

/** Not for two threads at once: stepping builds states. */
typedef struct rein_automaton rein_automaton;

/** Take over *nfa (also on an error); texts lead from `start` to `end`. REIN_ERR_ARG if there is no such text. */
REIN_NODISCARD rein_status rein_automaton_create(rein_automaton **out, rein_nfa *nfa, int32_t start, int32_t end);
void rein_automaton_destroy(rein_automaton *a);

/** The state after one more byte, from *state (0 at first); REIN_DEAD if no text goes on so, and from then on. */
REIN_NODISCARD rein_status rein_automaton_step(rein_automaton *a, int32_t *state, uint8_t byte);

/** True if a text may end here. */
bool rein_automaton_accepts(const rein_automaton *a, int32_t state);

#endif
