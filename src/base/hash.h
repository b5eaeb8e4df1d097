/* Hashes: XXH3-128 for states that must be compared often, SHA-256 for artefacts that people name. Lower-case hex. */
#ifndef REIN_BASE_HASH_H
#define REIN_BASE_HASH_H

#include "base/base.h"

enum { REIN_XXH_HEX = 33, REIN_SHA256_HEX = 65 };

void rein_xxh3_hex(char out[REIN_XXH_HEX], const void *bytes, size_t len);
REIN_NODISCARD rein_status rein_sha256_hex(char out[REIN_SHA256_HEX], const void *bytes, size_t len);
REIN_NODISCARD rein_status rein_sha256_file(char out[REIN_SHA256_HEX], const char *path);

/** Streaming XXH3-128. */
typedef struct rein_xxh rein_xxh;
REIN_NODISCARD rein_status rein_xxh_create(rein_xxh **out);
void rein_xxh_update(rein_xxh *h, const void *bytes, size_t len);
void rein_xxh_hex(const rein_xxh *h, char out[REIN_XXH_HEX]);
void rein_xxh_destroy(rein_xxh *h);

#endif
