/* Hash tables from byte strings and from pairs of ids to non-negative 32-bit values. Zero-initialised is empty. */
#ifndef REIN_TEXT_MAPS_H
#define REIN_TEXT_MAPS_H

#include "base/base.h"

typedef struct rein_bytemap_slot {
    const char *key; /* borrowed from the caller; NULL: free */
    uint32_t len;
    int32_t value;
} rein_bytemap_slot;

typedef struct rein_bytemap {
    rein_bytemap_slot *slots;
    int64_t cap, n; /* cap is 0 or a power of two */
} rein_bytemap;

/** Value of a key, or -1. */
int32_t rein_bytemap_get(const rein_bytemap *map, const char *key, size_t len);
/** Add a key; a key that is there keeps its value, which is then *old (else -1). `key` must outlive the map. */
REIN_NODISCARD rein_status rein_bytemap_put(rein_bytemap *map, const char *key, size_t len, int32_t value,
                                            int32_t *old);
/** Make room for `n` keys in all. */
REIN_NODISCARD rein_status rein_bytemap_reserve(rein_bytemap *map, int64_t n);
void rein_bytemap_deinit(rein_bytemap *map);

typedef struct rein_pairmap_slot {
    int32_t left, right;
    int32_t value;
    bool used;
} rein_pairmap_slot;

typedef struct rein_pairmap {
    rein_pairmap_slot *slots;
    int64_t cap, n;
} rein_pairmap;

int32_t rein_pairmap_get(const rein_pairmap *map, int32_t left, int32_t right);
REIN_NODISCARD rein_status rein_pairmap_put(rein_pairmap *map, int32_t left, int32_t right, int32_t value,
                                            int32_t *old);
REIN_NODISCARD rein_status rein_pairmap_reserve(rein_pairmap *map, int64_t n);
void rein_pairmap_deinit(rein_pairmap *map);

#endif
