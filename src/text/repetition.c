/* Repetition in a text: words as numbers, then their triples in order; see repetition.h. */
#include "text/repetition.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_CHARS = 100, LEAST_WORDS = 20, PHRASE_TIMES = 4, MANY_WORDS = 50, LEAST_PERCENT = 30 };

typedef struct word {
    const char *text;
    size_t len;
    int64_t place; /* among the words */
    int64_t id;    /* equal for equal words */
} word;

typedef struct triple {
    int64_t id[3], place;
} triple;

static bool is_blank(char c) { return memchr(" \t\n\v\f\r", c, 6) != NULL; }

static int by_text(const void *pa, const void *pb) {
    const word *a = pa, *b = pb;
    int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    if (c != 0) return c;
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_place(const void *pa, const void *pb) {
    const word *a = pa, *b = pb;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_ids(const void *pa, const void *pb) {
    const triple *a = pa, *b = pb;
    for (int i = 0; i < 3; i++)
        if (a->id[i] != b->id[i]) return a->id[i] < b->id[i] ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Words of the text; out NULL: only count them. */
static int64_t split(word *out, const char *text, size_t len) {
    int64_t n = 0;
    for (size_t i = 0, begin; i < len;) {
        while (i < len && is_blank(text[i])) i++;
        for (begin = i; i < len && !is_blank(text[i]);) i++;
        if (i == begin) break;
        if (out) out[n] = (word){.text = text + begin, .len = i - begin, .place = n};
        n++;
    }
    return n;
}

/* Characters: bytes that continue none. */
static int64_t count_chars(const char *text, size_t len) {
    int64_t n = 0;
    for (size_t i = 0; i < len; i++) n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* Number the words by their text; returns how many there are. */
static int64_t number_words(word *w, int64_t n) {
    int64_t ids = 0;
    qsort(w, (size_t)n, sizeof *w, by_text);
    for (int64_t i = 0; i < n; i++) {
        bool same = i > 0 && w[i].len == w[i - 1].len && memcmp(w[i].text, w[i - 1].text, w[i].len) == 0;
        ids += !same;
        w[i].id = ids;
    }
    qsort(w, (size_t)n, sizeof *w, by_place);
    return ids;
}

/* The most frequent three words; of several the first in the text. */
static rein_status find_phrase(rein_repetition *out, const word *w, const char *text) {
    int64_t n = out->words - 2, first = 0;
    triple *t;
    if (n < 1) return REIN_OK;
    REIN_TRY(rein_alloc(&t, n, sizeof *t));
    for (int64_t i = 0; i < n; i++) t[i] = (triple){{w[i].id, w[i + 1].id, w[i + 2].id}, i};
    qsort(t, (size_t)n, sizeof *t, by_ids);
    for (int64_t i = 0, begin = 0, at; i < n; i++) {
        if (i > 0 && memcmp(t[i].id, t[i - 1].id, sizeof t[i].id) != 0) begin = i;
        at = t[begin].place;
        if (i + 1 - begin > out->times || (i + 1 - begin == out->times && at < first)) {
            out->times = i + 1 - begin;
            first = at;
        }
    }
    rein_free(t);
    out->begin = (size_t)(w[first].text - text);
    out->end = (size_t)(w[first + 2].text - text) + w[first + 2].len;
    return REIN_OK;
}

rein_status rein_repetition_find(rein_repetition *out, const char *text, size_t len) {
    word *w;
    *out = (rein_repetition){0};
    if (count_chars(text, len) < LEAST_CHARS) return REIN_OK;
    int64_t n = split(NULL, text, len);
    REIN_TRY(rein_alloc(&w, n, sizeof *w));
    out->words = split(w, text, len);
    out->different = number_words(w, n);
    rein_status status = find_phrase(out, w, text);
    rein_free(w);
    if (n >= LEAST_WORDS && out->times >= PHRASE_TIMES)
        out->kind = REIN_REPETITION_PHRASE;
    else if (n > MANY_WORDS && 100 * out->different < LEAST_PERCENT * n)
        out->kind = REIN_REPETITION_WORDS;
    return status;
}
