/* Rows of stored weights to f32 and back; see dtype.h. The formulas are in quant.h. */
#include "tensor/quant.h"

#include <math.h>

#include "base/base.h"

static void dequantize_units(float *dst, rein_dtype dtype, const void *src, int64_t first, int64_t n) {
    for (int64_t i = 0; i < n;) {
        float unit[REIN_UNIT];
        int64_t skip = (first + i) % REIN_UNIT, count = REIN_UNIT - skip < n - i ? REIN_UNIT - skip : n - i;
        rein_unit(unit, dtype, src, (first + i) / REIN_UNIT);
        memcpy(dst + i, unit + skip, (size_t)count * sizeof *dst);
        i += count;
    }
}

void rein_dequantize(float *dst, rein_dtype dtype, const void *src, int64_t first, int64_t n) {
    REIN_ASSERT(rein_dtype_is_weight(dtype));
    if (!rein_plain_values(dst, dtype, src, first, n)) dequantize_units(dst, dtype, src, first, n);
}

/* d = largest magnitude / 127; q = x / d to nearest, ties away from zero. A block that is not finite, whose quotients
 * fit no byte, gets zeros there: its scale says what happened. */
static void quantize_q8_0(uint8_t *block, const float *x) {
    float largest = 0;
    for (int i = 0; i < REIN_UNIT; i++)
        if (!(fabsf(x[i]) <= largest) && !isnan(largest)) largest = fabsf(x[i]); /* a NaN is the largest */
    float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
    uint16_t bits = rein_f32_to_f16(d);
    memcpy(block, &bits, sizeof bits);
    for (int i = 0; i < REIN_UNIT; i++) {
        float q = roundf(x[i] * inverse);
        block[2 + i] = (uint8_t)(fabsf(q) <= 127 ? (int8_t)q : 0);
    }
}

void rein_quantize(void *dst, rein_dtype dtype, const float *src, int64_t n) {
    uint16_t *half = dst;
    uint8_t *block = dst;
    switch (dtype) {
    case REIN_F32:
        memcpy(dst, src, (size_t)n * sizeof *src);
        break;
    case REIN_BF16:
        for (int64_t i = 0; i < n; i++) half[i] = rein_f32_to_bf16(src[i]);
        break;
    case REIN_F16:
        for (int64_t i = 0; i < n; i++) half[i] = rein_f32_to_f16(src[i]);
        break;
    case REIN_Q8_0:
        for (int64_t i = 0; i < n; i += REIN_UNIT) quantize_q8_0(block + i / REIN_UNIT * 34, src + i);
        break;
    default:
        REIN_ASSERT(false && "no dtype that is written");
    }
}
