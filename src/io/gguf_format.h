/* What reading and writing of GGUF share: numbers of the format and of its tables. */
#ifndef REIN_IO_GGUF_FORMAT_H
#define REIN_IO_GGUF_FORMAT_H

#include "io/gguf.h"

enum {
    REIN_GGUF_DIMS = 4,
    REIN_GGUF_NAME_BYTES = 63, /* of a tensor's name: ggml's GGML_MAX_NAME without the NUL */
    REIN_GGUF_ALIGNMENT = 32   /* unless general.alignment says otherwise */
};

/** Token kinds of tokenizer.ggml.token_type. */
enum { REIN_GGUF_NORMAL = 1, REIN_GGUF_UNKNOWN, REIN_GGUF_CONTROL, REIN_GGUF_USER, REIN_GGUF_UNUSED, REIN_GGUF_BYTE };

/** Unsigned number of 1 to 8 bytes. */
static inline uint64_t rein_gguf_little_endian(const unsigned char *bytes, int n) {
    uint64_t value = 0;
    for (int i = n - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

/** Fewest bytes of a value: exact for numbers and booleans, 8 for a string's length. */
int64_t rein_gguf_type_bytes(rein_gguf_type type);

/** Element type by its number in the file and back; false for those that rein does not have. */
bool rein_gguf_dtype(rein_dtype *out, uint32_t number);
bool rein_gguf_dtype_number(uint32_t *out, rein_dtype dtype);

#endif
