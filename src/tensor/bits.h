/* A float's bits and back. */
#ifndef REIN_TENSOR_BITS_H
#define REIN_TENSOR_BITS_H

#include <stdint.h>
#include <string.h>

static inline float rein_float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t rein_bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

#endif
