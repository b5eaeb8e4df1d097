/* Logits processors as one table; see process.h. */
#include "gen/process.h"

#include <math.h>
#include <string.h>

/* ---- the preceding ids ---- */

static int64_t length(const rein_context *c) { return c->n_prompt + c->n_own; }

static int32_t id_at(const rein_context *c, int64_t i) { return i < c->n_prompt ? c->prompt[i] : c->own[i - c->n_prompt]; }

/* Do the preceding ids end with the phrase's ids but the last? */
static bool about_to_complete(const rein_context *c, const rein_phrase *p) {
    int64_t n = p->n - 1, from = length(c) - n;
    for (int64_t i = 0; i < n; i++)
        if (from < 0 || id_at(c, from + i) != p->ids[i]) return false;
    return true;
}

static bool is_end(const rein_context *c, int32_t id) {
    for (int64_t i = 0; i < c->n_end; i++)
        if (c->end[i] == id) return true;
    return false;
}

static void ban(rein_edit *e, int32_t id) {
    if (id < 0 || id >= e->V) return; /* an end token that the head does not have is never chosen */
    if (!e->banned) memset(e->ban, 0, (size_t)e->V);
    e->banned = true;
    e->ban[id] = 1;
}

/* ---- processors ---- */

static bool bias_on(const rein_processing *p) { return p->n_bias > 0; }

static void add_bias(rein_edit *e, const rein_processing *p, const rein_context *c) {
    for (int64_t i = 0; i < p->n_bias; i++) {
        const rein_phrase *b = &p->bias[i];
        int32_t last = b->ids[b->n - 1];
        if (!about_to_complete(c, b)) continue;
        if (isinf((float)b->bias))
            ban(e, last);
        else
            e->x[last] += (float)b->bias;
    }
}

static bool repetition_on(const rein_processing *p) { return p->repetition_penalty > 0 && p->repetition_penalty != 1; }

static void repetition(rein_edit *e, const rein_processing *p, const rein_context *c) {
    float penalty = (float)p->repetition_penalty;
    for (int64_t i = 0; i < length(c); i++) {
        int32_t id = id_at(c, i);
        if (e->count[id]++ > 0) continue;
        e->x[id] = e->x[id] < 0 ? e->x[id] * penalty : e->x[id] / penalty;
    }
    for (int64_t i = 0; i < length(c); i++) e->count[id_at(c, i)] = 0;
}

static bool counting_on(const rein_processing *p) { return p->frequency_penalty != 0 || p->presence_penalty != 0; }

static void counting(rein_edit *e, const rein_processing *p, const rein_context *c) {
    for (int64_t i = 0; i < c->n_own; i++) e->count[c->own[i]]++;
    for (int64_t i = 0; i < c->n_own; i++) {
        int32_t id = c->own[i];
        if (e->count[id] == 0) continue; /* done at its first place */
        e->x[id] -= (float)p->frequency_penalty * (float)e->count[id];
        e->x[id] -= (float)p->presence_penalty;
        e->count[id] = 0;
    }
}

static bool ngram_on(const rein_processing *p) { return p->no_repeat_ngram_size > 0; }

/* Every earlier window that begins with the newest n - 1 ids bans its last id. */
static void ngram(rein_edit *e, const rein_processing *p, const rein_context *c) {
    int64_t n = p->no_repeat_ngram_size, tail = length(c) - (n - 1);
    for (int64_t at = 0; at + n <= length(c); at++) {
        int64_t same = 0;
        while (same < n - 1 && id_at(c, at + same) == id_at(c, tail + same)) same++;
        if (same == n - 1) ban(e, id_at(c, at + same));
    }
}

static bool bad_words_on(const rein_processing *p) { return p->n_bad_words > 0; }

static void bad_words(rein_edit *e, const rein_processing *p, const rein_context *c) {
    for (int64_t i = 0; i < p->n_bad_words; i++) {
        const rein_phrase *w = &p->bad_words[i];
        if (w->n == 1 && is_end(c, w->ids[0])) continue;
        if (about_to_complete(c, w)) ban(e, w->ids[w->n - 1]);
    }
}

static bool least_on(const rein_processing *p) { return p->min_length > 0 || p->min_new_tokens > 0; }

static void least(rein_edit *e, const rein_processing *p, const rein_context *c) {
    if (length(c) >= p->min_length && c->n_own >= p->min_new_tokens) return;
    for (int64_t i = 0; i < c->n_end; i++) ban(e, c->end[i]);
}

static bool suppress_on(const rein_processing *p) { return p->n_suppress > 0; }

static void suppress(rein_edit *e, const rein_processing *p, const rein_context *c) {
    (void)c;
    for (int64_t i = 0; i < p->n_suppress; i++) ban(e, p->suppress[i]);
}

static const struct {
    const char *name;
    bool shifts; /* changes logits; the others only ban */
    bool (*on)(const rein_processing *);
    void (*apply)(rein_edit *, const rein_processing *, const rein_context *);
} processors[] = {
    {"logit_bias", true, bias_on, add_bias},
    {"repetition_penalty", true, repetition_on, repetition},
    {"frequency_penalty or presence_penalty", true, counting_on, counting},
    {"no_repeat_ngram_size", false, ngram_on, ngram},
    {"bad_words", false, bad_words_on, bad_words},
    {"min_length or min_new_tokens", false, least_on, least},
    {"suppress_tokens", false, suppress_on, suppress},
};

void rein_process(rein_edit *e, const rein_processing *p, const rein_context *c) {
    e->banned = false;
    for (size_t k = 0; k < REIN_COUNT(processors); k++)
        if (processors[k].on(p)) processors[k].apply(e, p, c);
}

bool rein_processing_any(const rein_processing *p) {
    for (size_t k = 0; k < REIN_COUNT(processors); k++)
        if (processors[k].on(p)) return true;
    return false;
}

const char *rein_processing_shifts(const rein_processing *p) {
    for (size_t k = 0; k < REIN_COUNT(processors); k++)
        if (processors[k].shifts && processors[k].on(p)) return processors[k].name;
    return NULL;
}

/* ---- checks ---- */

static rein_status check_id(const char *option, int32_t id, int64_t V) {
    if (id >= 0 && id < V) return REIN_OK;
    return rein_fail(REIN_ERR_ARG, "%s: id %d is outside the vocabulary of %lld", option, id, (long long)V);
}

static rein_status check_phrases(const char *option, const rein_phrase *p, int64_t n, int64_t V) {
    for (int64_t i = 0; i < n; i++) {
        if (p[i].n < 1) return rein_fail(REIN_ERR_ARG, "%s: entry %lld has no ids", option, (long long)i);
        if (isnan(p[i].bias) || (p[i].bias > 0 && isinf((float)p[i].bias)))
            return rein_fail(REIN_ERR_ARG, "%s: a bias of %g; give a finite one, or -inf to ban", option, p[i].bias);
        for (int64_t k = 0; k < p[i].n; k++) REIN_TRY(check_id(option, p[i].ids[k], V));
    }
    return REIN_OK;
}

rein_status rein_processing_check(const rein_processing *p, int64_t V) {
    const struct {
        const char *name;
        double value;
    } number[] = {{"repetition_penalty", p->repetition_penalty},
                  {"frequency_penalty", p->frequency_penalty},
                  {"presence_penalty", p->presence_penalty}};
    for (size_t k = 0; k < REIN_COUNT(number); k++)
        if (!isfinite(number[k].value))
            return rein_fail(REIN_ERR_ARG, "%s %g: must be finite", number[k].name, number[k].value);
    if (p->repetition_penalty < 0)
        return rein_fail(REIN_ERR_ARG, "repetition_penalty %g: must be positive, 1 is none", p->repetition_penalty);
    REIN_TRY(check_phrases("logit_bias", p->bias, p->n_bias, V));
    REIN_TRY(check_phrases("bad_words", p->bad_words, p->n_bad_words, V));
    for (int64_t i = 0; i < p->n_suppress; i++) REIN_TRY(check_id("suppress_tokens", p->suppress[i], V));
    return REIN_OK;
}
