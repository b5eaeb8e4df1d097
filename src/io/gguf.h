/*
 * GGUF: metadata and tensors in one file that is mapped, never parsed by trust (format: ggml's docs/gguf.md, versions 2
 * and 3, little-endian).
 *
 * A file is "GGUF", version, counts, key-value pairs, tensor descriptions, padding, data. As with safetensors every
 * byte of the data belongs to one tensor or to the padding behind it: holes, overlaps, ranges outside the file, counts
 * that the file is too short for, and duplicate names are REIN_ERR_FORMAT with file and byte offset. Views point into
 * the map. Names and row order are the file's own here; source.h gives Hugging Face's.
 */
#ifndef REIN_IO_GGUF_H
#define REIN_IO_GGUF_H

#include "base/base.h"
#include "io/safetensors.h"

/** Value types, numbered as in the file. */
typedef enum rein_gguf_type {
    REIN_GGUF_U8,
    REIN_GGUF_I8,
    REIN_GGUF_U16,
    REIN_GGUF_I16,
    REIN_GGUF_U32,
    REIN_GGUF_I32,
    REIN_GGUF_F32,
    REIN_GGUF_BOOL,
    REIN_GGUF_STRING,
    REIN_GGUF_ARRAY,
    REIN_GGUF_U64,
    REIN_GGUF_I64,
    REIN_GGUF_F64,
    REIN_GGUF_TYPES
} rein_gguf_type;

/** A value of the metadata; pointers are borrowed from the file. */
typedef struct rein_gguf_value {
    const char *key;
    rein_gguf_type type; /* of the elements if `array` */
    bool array;          /* of n elements; else n == 1 */
    int64_t n;
    int64_t at;                /* byte of the file where the value begins */
    const unsigned char *data; /* n elements as the file has them, not aligned */
} rein_gguf_value;

typedef struct rein_gguf rein_gguf;

/** Map and check a file. REIN_ERR_IO, or REIN_ERR_FORMAT naming file and byte. */
REIN_NODISCARD rein_status rein_gguf_open(rein_gguf **out, const char *path);
void rein_gguf_close(rein_gguf *g);

const char *rein_gguf_path(const rein_gguf *g);
/** Size of the file. */
int64_t rein_gguf_bytes(const rein_gguf *g);

/** Tensors in bytewise order of names. Shapes are row-major as elsewhere in rein: the file's dimensions, reversed. */
int64_t rein_gguf_count(const rein_gguf *g);
const rein_tensor_view *rein_gguf_at(const rein_gguf *g, int64_t i);
/** By name, or NULL. */
const rein_tensor_view *rein_gguf_find(const rein_gguf *g, const char *name);

/** Metadata in bytewise order of keys. */
int64_t rein_gguf_value_count(const rein_gguf *g);
const rein_gguf_value *rein_gguf_value_at(const rein_gguf *g, int64_t i);
/** By key, or NULL. */
const rein_gguf_value *rein_gguf_value_find(const rein_gguf *g, const char *key);

/* A single value by key; missing or of another type: REIN_ERR_FORMAT naming file, key and byte. Integers of every width
 * that fit int64_t, floats of both widths. */
REIN_NODISCARD rein_status rein_gguf_int(int64_t *out, const rein_gguf *g, const char *key);
REIN_NODISCARD rein_status rein_gguf_float(double *out, const rein_gguf *g, const char *key);
REIN_NODISCARD rein_status rein_gguf_bool(bool *out, const rein_gguf *g, const char *key);
/** Borrowed; not NUL-terminated. */
REIN_NODISCARD rein_status rein_gguf_string(const char **out, size_t *len, const rein_gguf *g, const char *key);

/** An array of this type; REIN_ERR_FORMAT if it is missing or another. */
REIN_NODISCARD rein_status rein_gguf_array(const rein_gguf_value **out, const rein_gguf *g, const char *key,
                                           rein_gguf_type type);

/** Element i (< n) of a value of integer (U64 above INT64_MAX: that), F32 or F64 type. */
int64_t rein_gguf_value_int(const rein_gguf_value *v, int64_t i);
double rein_gguf_value_float(const rein_gguf_value *v, int64_t i);

/** The string at *at, which starts as v->data and is moved behind it; for a STRING value or array, n times. */
void rein_gguf_next_string(const char **out, size_t *len, const unsigned char **at);

/** "u32", "string" ... */
const char *rein_gguf_type_name(rein_gguf_type type);

#endif
