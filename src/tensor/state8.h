/*
 * Stochastic rounding: of optimiser state to 8 bits, and of weights to bf16.
 *
 * 8-bit state is a small float relative to the scale of its block of 256 elements.
 *
 * A code is an exponent e and three bits f: (1 + f / 8) * 2^(e - 15) for signed state (a sign, then 4 bits of
 * exponent), (1 + f / 8) * 2^(e - 31) for positive state (5 bits of exponent); code 0 is zero. The largest value
 * is 1.875, and a block's scale is its largest magnitude over 1.875, so that all codes are used.
 *
 * Rounding is stochastic, with a random number that is a pure function of (seed, step, tensor, element): a moment that
 * changes by less than half a code in a step, as v does with beta2 = 0.999, still moves as it should on average.
 * Positive state is never rounded to zero: a step is divided by its root.
 */
#ifndef REIN_TENSOR_STATE8_H
#define REIN_TENSOR_STATE8_H

#include "tensor/bits.h"

enum {
    REIN_STATE8_BLOCK = 256,
    REIN_STATE8_SIGNED = (127 - 15) << 23, /* bits of the power of two that the exponent 0 stands for */
    REIN_STATE8_POSITIVE = (127 - 31) << 23,
    REIN_STATE8_SHIFT = 20 /* from the bits of a code to those of a float */
};

/** Magnitude of a code without its sign. */
static inline float rein_state8_value(uint32_t code, uint32_t base) {
    return code > 0 ? rein_float_of(base + (code << REIN_STATE8_SHIFT)) : 0.0f;
}

/** Code of x >= 0, at most `top`; random < 2^20 decides between the two neighbours, so that the mean is x. */
static inline uint32_t rein_state8_round(float x, uint32_t base, uint32_t top, uint32_t random) {
    uint32_t bits = rein_bits_of(x), least = base + (1u << REIN_STATE8_SHIFT); /* of numbers >= 0 are in their order */
    uint32_t small = rein_bits_of((float)(int32_t)random * 0x1p-20f * rein_float_of(least)) < bits;
    uint32_t code = (bits - base + random) >> REIN_STATE8_SHIFT;
    code = code < top ? code : top;
    uint32_t low = 0u - (bits < least);
    return (low & small) | (~low & code); /* not ?:, which compiles to branches */
}

static inline uint8_t rein_state8_signed(float x, uint32_t random) {
    uint32_t sign = rein_bits_of(x) >> 31;
    float magnitude = rein_float_of(rein_bits_of(x) & 0x7fffffffu);
    return (uint8_t)(sign << 7 | rein_state8_round(magnitude, REIN_STATE8_SIGNED, 127, random));
}

static inline uint8_t rein_state8_positive(float x, uint32_t random) {
    uint32_t code = rein_state8_round(x, REIN_STATE8_POSITIVE, 255, random);
    return (uint8_t)(code + ((code == 0) & (rein_bits_of(x) > 0)));
}

static inline float rein_state8_of_signed(uint8_t code) {
    float magnitude = rein_state8_value(code & 127u, REIN_STATE8_SIGNED);
    return rein_float_of(rein_bits_of(magnitude) | (uint32_t)(code >> 7) << 31);
}

static inline float rein_state8_of_positive(uint8_t code) { return rein_state8_value(code, REIN_STATE8_POSITIVE); }

/** x as a bf16 number: random < 2^16 decides between the two neighbours, so that the mean is x. */
static inline float rein_bf16_of(float x, uint32_t random) {
    const uint32_t infinite = 0x7f800000u, kept = 0xffff0000u;
    uint32_t bits = rein_bits_of(x), up = (bits + random) & kept;
    uint32_t rounded = (up & infinite) == infinite ? bits & kept : up;
    return (bits & infinite) == infinite ? x : rein_float_of(rounded);
}

#endif
