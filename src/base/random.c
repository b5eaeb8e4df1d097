/* Philox4x32-10 and the draws made of it; see random.h. */
#include "base/random.h"

#include <math.h>

#include "base/base.h"
#include "base/math64.h"

static uint32_t mul_high(uint32_t a, uint32_t b, uint32_t *low) {
    uint64_t product = (uint64_t)a * b;
    *low = (uint32_t)product;
    return (uint32_t)(product >> 32);
}

void rein_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint32_t low0, low1;
        uint32_t high0 = mul_high(0xD2511F53u, x0, &low0);
        uint32_t high1 = mul_high(0xCD9E8D57u, x2, &low1);
        x0 = high1 ^ x1 ^ k0;
        x1 = low1;
        x2 = high0 ^ x3 ^ k1;
        x3 = low0;
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection of 64 bits. */
static uint64_t mix_bits(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

void rein_random4(uint32_t out[4], uint64_t seed, rein_stream stream, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    const uint64_t mixed = mix_bits(seed);
    const uint32_t key[2] = {(uint32_t)mixed, (uint32_t)(mixed >> 32) ^ (uint32_t)stream};
    const uint32_t counter[4] = {a, b, c, d};
    rein_philox(out, counter, key);
}

/* The upper 53 of 64 bits, high word first. */
static uint64_t bits53(uint32_t high, uint32_t low) { return ((uint64_t)high << 32 | low) >> 11; }

double rein_random_uniform(uint64_t seed, rein_stream stream, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    uint32_t word[4];
    rein_random4(word, seed, stream, a, b, c, d);
    return (double)bits53(word[0], word[1]) * 0x1p-53;
}

double rein_random_normal(uint64_t seed, rein_stream stream, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    uint32_t word[4];
    rein_random4(word, seed, stream, a, b, c, d);
    const double radius_draw = (double)(bits53(word[0], word[1]) + 1) * 0x1p-53; /* (0, 1]: its log is finite */
    const double turn = (double)bits53(word[2], word[3]) * 0x1p-53;
    const double two_pi = 0x1.921fb54442d18p+2;
    return sqrt(-2.0 * rein_log64(radius_draw)) * rein_cos64(two_pi * turn);
}

uint64_t rein_random_below(uint64_t n, uint64_t seed, rein_stream stream, uint32_t a, uint32_t b, uint32_t c,
                           uint32_t d) {
    REIN_ASSERT(n >= 1);
    uint32_t word[4];
    rein_random4(word, seed, stream, a, b, c, d);
    const uint64_t draw = (uint64_t)word[0] << 32 | word[1];
    /* high 64 bits of draw * n, in 32-bit pieces: unsigned __int128 is no C11 */
    const uint64_t low = (draw & 0xFFFFFFFFu) * (n & 0xFFFFFFFFu);
    const uint64_t cross0 = (draw >> 32) * (n & 0xFFFFFFFFu) + (low >> 32);
    const uint64_t cross1 = (draw & 0xFFFFFFFFu) * (n >> 32) + (cross0 & 0xFFFFFFFFu);
    return (draw >> 32) * (n >> 32) + (cross0 >> 32) + (cross1 >> 32);
}

/* One of four rounds of a Feistel network on numbers of 2 * half bits. */
static uint64_t feistel(uint64_t x, int half, uint64_t seed, uint32_t epoch) {
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t left = x >> half, right = x & mask;
    for (uint32_t round = 0; round < 4; round++) {
        uint32_t word[4];
        rein_random4(word, seed, REIN_STREAM_SHUFFLE, epoch, (uint32_t)right, (uint32_t)(right >> 32), round);
        uint64_t next = left ^ (((uint64_t)word[0] << 32 | word[1]) & mask);
        left = right;
        right = next;
    }
    return left << half | right;
}

int64_t rein_random_place(int64_t i, int64_t n, uint64_t seed, uint32_t epoch) {
    int half = 1;
    while (half < 31 && ((uint64_t)1 << 2 * half) < (uint64_t)n) half++;
    uint64_t x = (uint64_t)i;
    do x = feistel(x, half, seed, epoch); /* a permutation of a larger range: walk until inside */
    while (x >= (uint64_t)n);
    return (int64_t)x;
}
