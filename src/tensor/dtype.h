/*
 * Element types of stored weights and their exact conversions.
 *
 * A plain type stores one element in `block_bytes`; a quantised type of GGUF stores `block` consecutive elements of a row
 * together (format and names: ggml's ggml-common.h). The value of an element is one fixed f32 expression, so a weight
 * means the same bits wherever it is read: in a kernel, in a conversion, on another machine.
 */
#ifndef REIN_TENSOR_DTYPE_H
#define REIN_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum rein_dtype {
    REIN_F32,
    REIN_F16,
    REIN_BF16,
    REIN_F64,
    REIN_I8,
    REIN_I16,
    REIN_I32,
    REIN_I64,
    REIN_U8,
    REIN_U16,
    REIN_U32,
    REIN_U64,
    REIN_BOOL,
    /* GGUF only */
    REIN_Q4_0,
    REIN_Q4_1,
    REIN_Q5_0,
    REIN_Q5_1,
    REIN_Q8_0,
    REIN_Q4_K,
    REIN_Q5_K,
    REIN_Q6_K,
    REIN_DTYPES
} rein_dtype;

/** "F32", "BF16", "Q4_K" ... */
const char *rein_dtype_name(rein_dtype dtype);
/** The dtype of that name; false if there is none. */
bool rein_dtype_parse(rein_dtype *out, const char *name);

/** Elements of a block: 1, 32 or 256. */
int64_t rein_dtype_block(rein_dtype dtype);
/** Bytes of a block; of one element for plain types. */
int64_t rein_dtype_block_bytes(rein_dtype dtype);
/** Bytes of n consecutive elements, n a multiple of the block. */
int64_t rein_dtype_bytes(rein_dtype dtype, int64_t n);
/** True for types whose elements are weights a kernel can read: F32, F16, BF16 and the quantised ones. */
bool rein_dtype_is_weight(rein_dtype dtype);

/** dst[0 .. n) = elements [first, first + n) of a row that starts at src; any first and n inside the row. */
void rein_dequantize(float *dst, rein_dtype dtype, const void *src, int64_t first, int64_t n);

/** F32, F16, BF16 (to nearest, ties to even) or Q8_0 (as ggml's reference); n a multiple of the block. */
void rein_quantize(void *dst, rein_dtype dtype, const float *src, int64_t n);

/** One element to 16 bits (back: quant.h): round to nearest, ties to even, NaN stays NaN, overflow is infinity. */
uint16_t rein_f32_to_f16(float x);
uint16_t rein_f32_to_bf16(float x);

#endif
