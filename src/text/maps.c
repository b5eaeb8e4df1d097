/* Hash tables with linear probing, at most half full; see maps.h. */
#include "text/maps.h"

#include <string.h>
#include <xxhash.h>

enum { FIRST_CAP = 64 };

/* ---- byte strings ---- */

/* The key's slot, or the free slot where it would go. */
static rein_bytemap_slot *find_bytes(const rein_bytemap *map, const char *key, size_t len) {
    int64_t mask = map->cap - 1, i = (int64_t)XXH3_64bits(key, len) & mask;
    for (;; i = (i + 1) & mask) {
        rein_bytemap_slot *slot = &map->slots[i];
        if (!slot->key || (slot->len == len && memcmp(slot->key, key, len) == 0)) return slot;
    }
}

int32_t rein_bytemap_get(const rein_bytemap *map, const char *key, size_t len) {
    if (map->n == 0) return -1;
    const rein_bytemap_slot *slot = find_bytes(map, key, len);
    return slot->key ? slot->value : -1;
}

rein_status rein_bytemap_reserve(rein_bytemap *map, int64_t n) {
    rein_bytemap bigger = {.cap = map->cap ? map->cap : FIRST_CAP, .n = map->n};
    while (bigger.cap < 2 * n) bigger.cap *= 2;
    if (bigger.cap == map->cap) return REIN_OK;
    REIN_TRY(rein_alloc(&bigger.slots, bigger.cap, sizeof *bigger.slots));
    for (int64_t i = 0; i < map->cap; i++) {
        const rein_bytemap_slot *slot = &map->slots[i];
        if (slot->key) *find_bytes(&bigger, slot->key, slot->len) = *slot;
    }
    rein_free(map->slots);
    *map = bigger;
    return REIN_OK;
}

rein_status rein_bytemap_put(rein_bytemap *map, const char *key, size_t len, int32_t value, int32_t *old) {
    REIN_TRY(rein_bytemap_reserve(map, map->n + 1));
    rein_bytemap_slot *slot = find_bytes(map, key, len);
    *old = slot->key ? slot->value : -1;
    if (slot->key) return REIN_OK;
    *slot = (rein_bytemap_slot){.key = key, .len = (uint32_t)len, .value = value};
    map->n++;
    return REIN_OK;
}

void rein_bytemap_deinit(rein_bytemap *map) {
    rein_free(map->slots);
    *map = (rein_bytemap){0};
}

/* ---- pairs ---- */

static rein_pairmap_slot *find_pair(const rein_pairmap *map, int32_t left, int32_t right) {
    uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    int64_t mask = map->cap - 1, i = (int64_t)(hash >> 32) & mask;
    for (;; i = (i + 1) & mask) {
        rein_pairmap_slot *slot = &map->slots[i];
        if (!slot->used || (slot->left == left && slot->right == right)) return slot;
    }
}

int32_t rein_pairmap_get(const rein_pairmap *map, int32_t left, int32_t right) {
    if (map->n == 0) return -1;
    const rein_pairmap_slot *slot = find_pair(map, left, right);
    return slot->used ? slot->value : -1;
}

rein_status rein_pairmap_reserve(rein_pairmap *map, int64_t n) {
    rein_pairmap bigger = {.cap = map->cap ? map->cap : FIRST_CAP, .n = map->n};
    while (bigger.cap < 2 * n) bigger.cap *= 2;
    if (bigger.cap == map->cap) return REIN_OK;
    REIN_TRY(rein_alloc(&bigger.slots, bigger.cap, sizeof *bigger.slots));
    for (int64_t i = 0; i < map->cap; i++) {
        const rein_pairmap_slot *slot = &map->slots[i];
        if (slot->used) *find_pair(&bigger, slot->left, slot->right) = *slot;
    }
    rein_free(map->slots);
    *map = bigger;
    return REIN_OK;
}

rein_status rein_pairmap_put(rein_pairmap *map, int32_t left, int32_t right, int32_t value, int32_t *old) {
    REIN_TRY(rein_pairmap_reserve(map, map->n + 1));
    rein_pairmap_slot *slot = find_pair(map, left, right);
    *old = slot->used ? slot->value : -1;
    if (slot->used) return REIN_OK;
    *slot = (rein_pairmap_slot){.left = left, .right = right, .value = value, .used = true};
    map->n++;
    return REIN_OK;
}

void rein_pairmap_deinit(rein_pairmap *map) {
    rein_free(map->slots);
    *map = (rein_pairmap){0};
}
