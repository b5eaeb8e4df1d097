/* Words and their ids; see word_cache.h. */
#include "text/word_cache.h"

#include <string.h>
#include <xxhash.h>

/* A short text needs little; the largest, 4 MiB, holds most words of a language. */
enum { FIRST_SLOTS = 64, GROWTH = 4, MAX_SLOTS = 65536 };

static rein_cached_word *slot_of(const rein_word_cache *cache, const char *text, size_t len) {
    return &cache->slots[(int64_t)XXH3_64bits(text, len) & (cache->n_slots - 1)];
}

const rein_cached_word *rein_word_cache_find(const rein_word_cache *cache, const char *text, size_t len) {
    if (cache->n_slots == 0 || len > REIN_CACHED_BYTES) return NULL;
    const rein_cached_word *word = slot_of(cache, text, len);
    return word->len == len && memcmp(word->text, text, len) == 0 ? word : NULL;
}

static rein_status grow(rein_word_cache *cache) {
    rein_word_cache bigger = {.n_slots = cache->n_slots ? GROWTH * cache->n_slots : FIRST_SLOTS};
    REIN_TRY(rein_alloc(&bigger.slots, bigger.n_slots, sizeof *bigger.slots));
    for (int64_t i = 0; i < cache->n_slots; i++) {
        const rein_cached_word *word = &cache->slots[i];
        if (word->len) *slot_of(&bigger, word->text, word->len) = *word;
    }
    rein_free(cache->slots);
    *cache = bigger;
    return REIN_OK;
}

rein_status rein_word_cache_put(rein_word_cache *cache, const char *text, size_t len, const int32_t *ids,
                                int64_t n_ids) {
    if (len == 0 || len > REIN_CACHED_BYTES || n_ids > REIN_CACHED_IDS) return REIN_OK;
    if (cache->misses++ >= cache->n_slots && cache->n_slots < MAX_SLOTS) REIN_TRY(grow(cache));
    rein_cached_word *word = slot_of(cache, text, len);
    word->len = (uint8_t)len;
    word->n_ids = (uint8_t)n_ids;
    memcpy(word->text, text, len);
    if (n_ids) memcpy(word->ids, ids, (size_t)n_ids * sizeof *ids);
    return REIN_OK;
}

void rein_word_cache_deinit(rein_word_cache *cache) {
    rein_free(cache->slots);
    *cache = (rein_word_cache){0};
}
