/*
 * The value of a stored element, one f32 expression per type: what rein_dequantize and every kernel's unpacking share.
 *
 * The quantised types are those of GGUF (formats: ggml's ggml-common.h). Whatever the size of its block, a type is read
 * in units of 32 consecutive elements of a row, which need only the block that they lie in. The functions are plain C
 * without branches in their loops: a file that is built for an instruction set gets them in its vectors, and since each
 * lane does the same IEEE operations, with the same bits.
 */
#ifndef REIN_TENSOR_QUANT_H
#define REIN_TENSOR_QUANT_H

#include <stdint.h>
#include <string.h>

#include "tensor/bits.h"
#include "tensor/dtype.h"

enum { REIN_UNIT = 32 };

static inline float rein_bf16_value(uint16_t bits) { return rein_float_of((uint32_t)bits << 16); }

/** Exponent and fraction move to their places, and a product by 2^112 mends the bias, of subnormals too; the exponent
 * of infinity and NaN, then 143, becomes 255. Without a branch, so that a loop over it has vectors. */
static inline float rein_f16_value(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000U) << 16, low = (uint32_t)(bits & 0x7fffU) << 13, magnitude;
    float product = rein_float_of(low) * 0x1p112F;
    memcpy(&magnitude, &product, sizeof magnitude);
    return rein_float_of(sign | magnitude | (low < 0x0f800000U ? 0 : 0x38000000U));
}

/** The f16 at p, at any address. */
static inline float rein_f16_at(const uint8_t *p) {
    uint16_t bits;
    memcpy(&bits, p, sizeof bits);
    return rein_f16_value(bits);
}

/** Elements [first, first + n) of a plain type's row; false, and nothing is done, for a quantised one. */
static inline bool rein_plain_values(float *restrict dst, rein_dtype dtype, const void *src, int64_t first, int64_t n) {
    const uint16_t *half = src;
    switch (dtype) {
    case REIN_F32:
        memcpy(dst, (const float *)src + first, (size_t)n * sizeof *dst);
        return true;
    case REIN_BF16:
        for (int64_t i = 0; i < n; i++) dst[i] = rein_bf16_value(half[first + i]);
        return true;
    case REIN_F16:
        for (int64_t i = 0; i < n; i++) dst[i] = rein_f16_value(half[first + i]);
        return true;
    default: return false;
    }
}

/* ---- blocks of 32 ---- */

/** {f16 d; nibbles[16]}: (q - 8) d; low nibbles are the first half. */
static inline void rein_unit_q4_0(float *restrict dst, const uint8_t *restrict block) {
    const uint8_t *q = block + 2;
    float d = rein_f16_at(block);
    for (int i = 0; i < 16; i++) dst[i] = (float)((q[i] & 15) - 8) * d;
    for (int i = 0; i < 16; i++) dst[16 + i] = (float)((q[i] >> 4) - 8) * d;
}

/** {f16 d, m; nibbles[16]}: q d + m. */
static inline void rein_unit_q4_1(float *restrict dst, const uint8_t *restrict block) {
    const uint8_t *q = block + 4;
    float d = rein_f16_at(block), m = rein_f16_at(block + 2);
    for (int i = 0; i < 16; i++) dst[i] = (float)(q[i] & 15) * d + m;
    for (int i = 0; i < 16; i++) dst[16 + i] = (float)(q[i] >> 4) * d + m;
}

/** q[i] = the nibbles of 16 bytes, with bit i of the 32 in `high` as fifth. */
static inline void rein_five_bits(int32_t q[REIN_UNIT], const uint8_t *high, const uint8_t *nibbles) {
    uint32_t h = (uint32_t)high[0] | (uint32_t)high[1] << 8 | (uint32_t)high[2] << 16 | (uint32_t)high[3] << 24;
    for (uint32_t i = 0; i < 16; i++) q[i] = (int32_t)((nibbles[i] & 15U) | (h >> i & 1U) << 4);
    for (uint32_t i = 0; i < 16; i++) q[16 + i] = (int32_t)((uint32_t)(nibbles[i] >> 4) | (h >> (16 + i) & 1U) << 4);
}

/** {f16 d; high bits[4]; nibbles[16]}: (q - 16) d. */
static inline void rein_unit_q5_0(float *restrict dst, const uint8_t *restrict block) {
    int32_t q[REIN_UNIT];
    float d = rein_f16_at(block);
    rein_five_bits(q, block + 2, block + 6);
    for (int i = 0; i < REIN_UNIT; i++) dst[i] = (float)(q[i] - 16) * d;
}

/** {f16 d, m; high bits[4]; nibbles[16]}: q d + m. */
static inline void rein_unit_q5_1(float *restrict dst, const uint8_t *restrict block) {
    int32_t q[REIN_UNIT];
    float d = rein_f16_at(block), m = rein_f16_at(block + 2);
    rein_five_bits(q, block + 4, block + 8);
    for (int i = 0; i < REIN_UNIT; i++) dst[i] = (float)q[i] * d + m;
}

/** {f16 d; int8 q[32]}: q d. */
static inline void rein_unit_q8_0(float *restrict dst, const uint8_t *restrict block) {
    float d = rein_f16_at(block);
    for (int i = 0; i < REIN_UNIT; i++) dst[i] = (float)(int8_t)block[2 + i] * d;
}

/* ---- blocks of 256: eight units, u = 0 .. 7 ---- */

/** Scale and minimum of unit u: six bits each in 12 bytes; the upper two bits of units 4 .. 7 are on top of 0 .. 3. */
static inline void rein_k_scale(float *scale, float *min, const uint8_t *block, int u) {
    const uint8_t *s = block + 4;
    int sc = u < 4 ? s[u] & 63 : (s[u + 4] & 15) | s[u - 4] >> 6 << 4;
    int m = u < 4 ? s[u + 4] & 63 : s[u + 4] >> 4 | s[u] >> 6 << 4;
    *scale = rein_f16_at(block) * (float)sc;
    *min = rein_f16_at(block + 2) * (float)m;
}

/** {f16 d, dmin; scales[12]; nibbles[128]}: (d scale) q - dmin min; two units share 32 bytes of nibbles. */
static inline void rein_unit_q4_k(float *restrict dst, const uint8_t *restrict block, int u) {
    const uint8_t *q = block + 16 + u / 2 * 32;
    float d, m;
    int shift = u % 2 * 4;
    rein_k_scale(&d, &m, block, u);
    for (int i = 0; i < REIN_UNIT; i++) dst[i] = d * (float)(q[i] >> shift & 15) - m;
}

/** {f16 d, dmin; scales[12]; high bits[32]; nibbles[128]}: the same; bit u of high byte i is the fifth of element i. */
static inline void rein_unit_q5_k(float *restrict dst, const uint8_t *restrict block, int u) {
    const uint8_t *high = block + 16, *q = block + 48 + u / 2 * 32;
    float d, m;
    int shift = u % 2 * 4;
    rein_k_scale(&d, &m, block, u);
    for (int i = 0; i < REIN_UNIT; i++) dst[i] = d * (float)((q[i] >> shift & 15) | (high[i] >> u & 1) << 4) - m;
}

/** {nibbles[128]; two high bits[64]; int8 scales[16]; f16 d}: (d scale) (q - 32), a scale for 16 elements. Each half of
 *  the block has 64 bytes of nibbles (low ones first) and 32 bytes of high bits for its four units. */
static inline void rein_unit_q6_k(float *restrict dst, const uint8_t *restrict block, int u) {
    const uint8_t *low = block + u / 4 * 64 + u % 2 * 32, *high = block + 128 + u / 4 * 32;
    int low_shift = u % 4 / 2 * 4, high_shift = u % 4 * 2;
    float d = rein_f16_at(block + 208);
    for (int half = 0; half < REIN_UNIT; half += 16) {
        float scale = d * (float)(int8_t)block[192 + 2 * u + half / 16];
        for (int i = half; i < half + 16; i++)
            dst[i] = scale * (float)(((low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4) - 32);
    }
}

/** dst[0 .. 32) = the elements of unit `unit` of the row at src, of a quantised type. */
static inline void rein_unit(float *dst, rein_dtype dtype, const void *src, int64_t unit) {
    const uint8_t *row = src;
    switch (dtype) {
    case REIN_Q4_0:
        rein_unit_q4_0(dst, row + unit * 18);
        break;
    case REIN_Q4_1:
        rein_unit_q4_1(dst, row + unit * 20);
        break;
    case REIN_Q5_0:
        rein_unit_q5_0(dst, row + unit * 22);
        break;
    case REIN_Q5_1:
        rein_unit_q5_1(dst, row + unit * 24);
        break;
    case REIN_Q8_0:
        rein_unit_q8_0(dst, row + unit * 34);
        break;
    case REIN_Q4_K:
        rein_unit_q4_k(dst, row + unit / 8 * 144, (int)(unit % 8));
        break;
    case REIN_Q5_K:
        rein_unit_q5_k(dst, row + unit / 8 * 176, (int)(unit % 8));
        break;
    case REIN_Q6_K:
        rein_unit_q6_k(dst, row + unit / 8 * 210, (int)(unit % 8));
        break;
    default:
        break; /* plain types have no units */
    }
}

#endif
