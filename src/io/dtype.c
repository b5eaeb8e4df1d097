/* Element types of stored tensors and their exact conversions; see safetensors.h. */
#include <string.h>

#include "io/internal.h"

static const struct {
    const char *name;
    int64_t size;
} dtypes[] = {
    [REIN_F32] = {"F32", 4},   [REIN_F16] = {"F16", 2}, [REIN_BF16] = {"BF16", 2}, [REIN_F64] = {"F64", 8},
    [REIN_I8] = {"I8", 1},     [REIN_I16] = {"I16", 2}, [REIN_I32] = {"I32", 4},   [REIN_I64] = {"I64", 8},
    [REIN_U8] = {"U8", 1},     [REIN_U16] = {"U16", 2}, [REIN_U32] = {"U32", 4},   [REIN_U64] = {"U64", 8},
    [REIN_BOOL] = {"BOOL", 1},
};

int64_t rein_dtype_size(rein_dtype dtype) { return dtypes[dtype].size; }

const char *rein_dtype_name(rein_dtype dtype) { return dtypes[dtype].name; }

bool rein_dtype_parse(rein_dtype *out, const char *name) {
    for (size_t i = 0; i < REIN_COUNT(dtypes); i++) {
        if (strcmp(name, dtypes[i].name) != 0) continue;
        *out = (rein_dtype)i;
        return true;
    }
    return false;
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

float rein_bf16_to_f32(uint16_t bits) { return float_of((uint32_t)bits << 16); }

uint16_t rein_f32_to_bf16(float x) {
    uint32_t bits = bits_of(x);
    if ((bits & 0x7fffffffU) > 0x7f800000U) return (uint16_t)(bits >> 16 | 0x40U); /* stays NaN: quiet bit set */
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

float rein_f16_to_f32(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000U) << 16, exponent = bits >> 10 & 31U, fraction = bits & 0x3ffU;
    if (exponent == 0) return float_of(sign | bits_of((float)fraction * 0x1p-24F)); /* zero, subnormal */
    if (exponent == 31) return float_of(sign | 0x7f800000U | fraction << 13);
    return float_of(sign | (exponent + 112U) << 23 | fraction << 13);
}

uint16_t rein_f32_to_f16(float x) {
    uint32_t bits = bits_of(x), magnitude = bits & 0x7fffffffU, sign = bits >> 16 & 0x8000U;
    if (magnitude > 0x7f800000U) return (uint16_t)(sign | 0x7e00U | (magnitude >> 13 & 0x3ffU));
    if (magnitude >= 0x47800000U) return (uint16_t)(sign | 0x7c00U); /* 2^16 and more; below, rounding carries */
    if (magnitude < 0x38800000U) {
        /* below 2^-14: adding 0.5, whose last place is 2^-24, makes the FPU round to a multiple of the smallest f16 */
        return (uint16_t)(sign | (bits_of(float_of(magnitude) + 0.5F) - bits_of(0.5F)));
    }
    return (uint16_t)(sign | (magnitude - (112U << 23) + 0xfffU + (magnitude >> 13 & 1U)) >> 13);
}

static rein_status narrow_f64(float *dst, const rein_tensor_view *v) {
    const double *src = v->data;
    for (int64_t i = 0; i < v->n; i++) {
        dst[i] = (float)src[i];
        if ((double)dst[i] != src[i] && src[i] == src[i])
            return rein_fail(REIN_ERR_NUMERIC, "%s: tensor '%s': element %lld is %.17g, which is no f32", v->file,
                             v->name, (long long)i, src[i]);
    }
    return REIN_OK;
}

rein_status rein_tensor_to_f32(float *dst, const rein_tensor_view *v) {
    const uint16_t *half = v->data;
    switch (v->dtype) {
    case REIN_F32:
        if (v->n > 0) memcpy(dst, v->data, (size_t)v->n * sizeof *dst);
        return REIN_OK;
    case REIN_BF16:
        for (int64_t i = 0; i < v->n; i++) dst[i] = rein_bf16_to_f32(half[i]);
        return REIN_OK;
    case REIN_F16:
        for (int64_t i = 0; i < v->n; i++) dst[i] = rein_f16_to_f32(half[i]);
        return REIN_OK;
    case REIN_F64:
        return narrow_f64(dst, v);
    default:
        return rein_fail(REIN_ERR_FORMAT, "%s: tensor '%s' has dtype %s, which holds no weights", v->file, v->name,
                         rein_dtype_name(v->dtype));
    }
}
