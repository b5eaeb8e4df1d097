/*
 * Writing GGUF version 3: key-value pairs in the order in which they are put, tensors in the list's order, data aligned
 * to 32 bytes. Same calls, same bytes.
 */
#ifndef REIN_IO_GGUF_WRITE_H
#define REIN_IO_GGUF_WRITE_H

#include "io/gguf.h"

/** Metadata that grows. Zero-initialised is empty; a failed append shows in rein_gguf_write. */
typedef struct rein_gguf_meta {
    rein_str bytes;
    uint64_t n;
} rein_gguf_meta;

void rein_gguf_meta_deinit(rein_gguf_meta *m);

void rein_gguf_put_u32(rein_gguf_meta *m, const char *key, uint32_t value);
void rein_gguf_put_f32(rein_gguf_meta *m, const char *key, float value);
void rein_gguf_put_f64(rein_gguf_meta *m, const char *key, double value);
void rein_gguf_put_bool(rein_gguf_meta *m, const char *key, bool value);
void rein_gguf_put_string(rein_gguf_meta *m, const char *key, const char *text, size_t len);

/** Start an array; exactly n elements must follow, with the functions below. */
void rein_gguf_put_array(rein_gguf_meta *m, const char *key, rein_gguf_type type, int64_t n);
void rein_gguf_add_i32(rein_gguf_meta *m, int32_t value);
void rein_gguf_add_string(rein_gguf_meta *m, const char *text, size_t len);

/**
 * Write a file; it appears complete or not at all.
 *
 * @param list  (n) tensors with GGUF's names; of 1 to 4 dimensions, rows of whole blocks.
 * @return REIN_ERR_ARG (bad list), REIN_ERR_IO.
 */
REIN_NODISCARD rein_status rein_gguf_write(const char *path, const rein_gguf_meta *m, const rein_tensor_out *list,
                                           int64_t n);

#endif
