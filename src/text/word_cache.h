/*
 * The ids of words met before: a table with one place for each hash, which the newest word takes.
 *
 * Texts repeat few words most of the time, and to merge a word costs many times more than to look it up. Only short
 * words with few ids are kept. Zero-initialised is empty; what it holds never changes a result.
 */
#ifndef REIN_TEXT_WORD_CACHE_H
#define REIN_TEXT_WORD_CACHE_H

#include "base/base.h"

enum { REIN_CACHED_BYTES = 30, REIN_CACHED_IDS = 8 };

/** One cache line; len 0: free. */
typedef struct rein_cached_word {
    uint8_t len, n_ids;
    char text[REIN_CACHED_BYTES];
    int32_t ids[REIN_CACHED_IDS];
} rein_cached_word;

typedef struct rein_word_cache {
    rein_cached_word *slots;
    int64_t n_slots; /* 0 or a power of two */
    int64_t misses;  /* since it last grew */
} rein_word_cache;

/** The word's place if it is there, else NULL. */
const rein_cached_word *rein_word_cache_find(const rein_word_cache *cache, const char *text, size_t len);

/** Remember a word, if it is short enough. */
REIN_NODISCARD rein_status rein_word_cache_put(rein_word_cache *cache, const char *text, size_t len, const int32_t *ids,
                                               int64_t n_ids);
void rein_word_cache_deinit(rein_word_cache *cache);

#endif
