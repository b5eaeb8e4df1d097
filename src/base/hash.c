/* XXH3-128 by libxxhash and SHA-256 by libcrypto, as lower-case hex; see hash.h. */
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { SHA256_BYTES = 32, READ_BYTES = 65536 };

static void hex_encode(char *out, const unsigned char *bytes, size_t n) {
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digit[bytes[i] >> 4];
        out[2 * i + 1] = digit[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

/* ---- XXH3-128: rein_xxh is libxxhash's own state under our name ---- */

/* The canonical form is big-endian, the same on every machine. */
static void xxh_hex_encode(char out[REIN_XXH_HEX], XXH128_hash_t hash) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    hex_encode(out, canonical.digest, sizeof canonical.digest);
}

void rein_xxh3_hex(char out[REIN_XXH_HEX], const void *bytes, size_t len) {
    xxh_hex_encode(out, XXH3_128bits(bytes, len));
}

rein_status rein_xxh_create(rein_xxh **out) {
    XXH3_state_t *state = XXH3_createState();
    if (!state) return rein_fail(REIN_ERR_MEMORY, "cannot allocate a hash state");
    XXH3_128bits_reset(state);
    *out = (rein_xxh *)state;
    return REIN_OK;
}

void rein_xxh_update(rein_xxh *h, const void *bytes, size_t len) {
    if (len > 0) XXH3_128bits_update((XXH3_state_t *)h, bytes, len);
}

void rein_xxh_hex(const rein_xxh *h, char out[REIN_XXH_HEX]) {
    xxh_hex_encode(out, XXH3_128bits_digest((const XXH3_state_t *)h));
}

void rein_xxh_destroy(rein_xxh *h) { XXH3_freeState((XXH3_state_t *)h); }

/* ---- SHA-256 ---- */

rein_status rein_sha256_hex(char out[REIN_SHA256_HEX], const void *bytes, size_t len) {
    unsigned char digest[SHA256_BYTES];
    if (!EVP_Digest(len ? bytes : "", len, digest, NULL, EVP_sha256(), NULL))
        return rein_fail(REIN_ERR_MEMORY, "libcrypto refused to compute a SHA-256");
    hex_encode(out, digest, sizeof digest);
    return REIN_OK;
}

static rein_status sha256_stream(EVP_MD_CTX *context, int fd, const char *path) {
    char buffer[READ_BYTES];
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return rein_fail(REIN_ERR_IO, "cannot read '%s': %s", path, strerror(errno));
        if (n == 0) return REIN_OK;
        if (!EVP_DigestUpdate(context, buffer, (size_t)n))
            return rein_fail(REIN_ERR_MEMORY, "libcrypto refused to compute a SHA-256");
    }
}

rein_status rein_sha256_file(char out[REIN_SHA256_HEX], const char *path) {
    unsigned char digest[SHA256_BYTES];
    rein_status status = REIN_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return rein_fail(REIN_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL)) {
        status = rein_fail(REIN_ERR_MEMORY, "libcrypto refused to start a SHA-256");
        goto out;
    }
    REIN_TRY_OUT(status, sha256_stream(context, fd, path), out);
    if (!EVP_DigestFinal_ex(context, digest, NULL)) {
        status = rein_fail(REIN_ERR_MEMORY, "libcrypto refused to finish a SHA-256");
        goto out;
    }
    hex_encode(out, digest, sizeof digest);
out:
    EVP_MD_CTX_free(context);
    close(fd);
    return status;
}
