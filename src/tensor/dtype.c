/* Element types of stored weights: names, sizes and the exact conversions of plain types; see dtype.h. */
#include "tensor/dtype.h"

#include <string.h>

#include "base/base.h"
#include "tensor/quant.h"

static const struct {
    const char *name;
    int64_t block, bytes;
} dtypes[REIN_DTYPES] = {
    [REIN_F32] = {"F32", 1, 4},     [REIN_F16] = {"F16", 1, 2},      [REIN_BF16] = {"BF16", 1, 2},
    [REIN_F64] = {"F64", 1, 8},     [REIN_I8] = {"I8", 1, 1},        [REIN_I16] = {"I16", 1, 2},
    [REIN_I32] = {"I32", 1, 4},     [REIN_I64] = {"I64", 1, 8},      [REIN_U8] = {"U8", 1, 1},
    [REIN_U16] = {"U16", 1, 2},     [REIN_U32] = {"U32", 1, 4},      [REIN_U64] = {"U64", 1, 8},
    [REIN_BOOL] = {"BOOL", 1, 1},   [REIN_Q4_0] = {"Q4_0", 32, 18},  [REIN_Q4_1] = {"Q4_1", 32, 20},
    [REIN_Q5_0] = {"Q5_0", 32, 22}, [REIN_Q5_1] = {"Q5_1", 32, 24},  [REIN_Q8_0] = {"Q8_0", 32, 34},
    [REIN_Q4_K] = {"Q4_K", 256, 144}, [REIN_Q5_K] = {"Q5_K", 256, 176}, [REIN_Q6_K] = {"Q6_K", 256, 210},
};

const char *rein_dtype_name(rein_dtype dtype) { return dtypes[dtype].name; }

bool rein_dtype_parse(rein_dtype *out, const char *name) {
    for (size_t i = 0; i < REIN_COUNT(dtypes); i++) {
        if (strcmp(name, dtypes[i].name) != 0) continue;
        *out = (rein_dtype)i;
        return true;
    }
    return false;
}

int64_t rein_dtype_block(rein_dtype dtype) { return dtypes[dtype].block; }

int64_t rein_dtype_block_bytes(rein_dtype dtype) { return dtypes[dtype].bytes; }

int64_t rein_dtype_bytes(rein_dtype dtype, int64_t n) { return n / dtypes[dtype].block * dtypes[dtype].bytes; }

bool rein_dtype_is_weight(rein_dtype dtype) { return dtype <= REIN_BF16 || dtype >= REIN_Q4_0; }

uint16_t rein_f32_to_bf16(float x) {
    uint32_t bits = rein_bits_of(x);
    if ((bits & 0x7fffffffU) > 0x7f800000U) return (uint16_t)(bits >> 16 | 0x40U); /* stays NaN: quiet bit set */
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

uint16_t rein_f32_to_f16(float x) {
    uint32_t bits = rein_bits_of(x), magnitude = bits & 0x7fffffffU, sign = bits >> 16 & 0x8000U;
    if (magnitude > 0x7f800000U) return (uint16_t)(sign | 0x7e00U | (magnitude >> 13 & 0x3ffU));
    if (magnitude >= 0x47800000U) return (uint16_t)(sign | 0x7c00U); /* 2^16 and more; below, rounding carries */
    if (magnitude < 0x38800000U) {
        /* below 2^-14: adding 0.5, whose last place is 2^-24, makes the FPU round to a multiple of the smallest f16 */
        return (uint16_t)(sign | (rein_bits_of(rein_float_of(magnitude) + 0.5F) - rein_bits_of(0.5F)));
    }
    return (uint16_t)(sign | (magnitude - (112U << 23) + 0xfffU + (magnitude >> 13 & 1U)) >> 13);
}
