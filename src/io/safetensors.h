/*
 * Safetensors: named tensors in a file that is mapped, never parsed by trust (format: huggingface/safetensors).
 *
 * A file is an 8-byte little-endian header length, a JSON header {name: {dtype, shape, data_offsets}} and the data.
 * Every byte of the data belongs to exactly one tensor: holes, overlaps, ranges outside the file, sizes that disagree
 * with dtype and shape, and duplicate names are REIN_ERR_FORMAT with file, tensor and byte offset. Weights stay where
 * the file has them; views point into the map.
 */
#ifndef REIN_IO_SAFETENSORS_H
#define REIN_IO_SAFETENSORS_H

#include "base/base.h"
#include "tensor/dtype.h"

enum { REIN_TENSOR_DIMS = 8 };

/** A tensor of an open file; all pointers are borrowed from it. */
typedef struct rein_tensor_view {
    const char *name;
    rein_dtype dtype;
    int n_dim;
    int64_t shape[REIN_TENSOR_DIMS];
    const void *data; /* n elements, row-major, little-endian; aligned to the element only, e.g. 4 bytes for F32 */
    int64_t n;        /* product of shape; 1 for a scalar */
    const char *file; /* path of the file that holds it */
} rein_tensor_view;

typedef struct rein_tensors rein_tensors;

/**
 * Map a file, or all files of a model directory: model.safetensors, else those of model.safetensors.index.json.
 *
 * @param path  a file, or a directory. Of a directory with an index, every name of the weight map must be in the shard
 *              that the map says, and every tensor of a shard must be in the map.
 * @return REIN_ERR_IO, or REIN_ERR_FORMAT naming file, tensor and byte offset.
 */
REIN_NODISCARD rein_status rein_tensors_open(rein_tensors **out, const char *path);
void rein_tensors_close(rein_tensors *t);

int64_t rein_tensors_count(const rein_tensors *t);
/** The i-th tensor in bytewise order of names. */
const rein_tensor_view *rein_tensors_at(const rein_tensors *t, int64_t i);
/** By name, or NULL. */
const rein_tensor_view *rein_tensors_find(const rein_tensors *t, const char *name);
/** Value of a `__metadata__` key (of the first file that has it), or NULL. */
const char *rein_tensors_metadata(const rein_tensors *t, const char *key);

/** Path and size of the i-th mapped file, or NULL past the last. */
const char *rein_tensors_file(const rein_tensors *t, int64_t i, int64_t *bytes);

/** REIN_ERR_FORMAT unless `v` is there (not NULL) with exactly this shape; `path` is where it was looked for. */
REIN_NODISCARD rein_status rein_tensor_require(const rein_tensor_view *v, const char *path, const char *name,
                                               const int64_t *shape, int n_dim);

/** The tensor, REIN_ERR_FORMAT unless it is there with exactly this shape. */
REIN_NODISCARD rein_status rein_tensors_require(const rein_tensor_view **out, const rein_tensors *t, const char *name,
                                                const int64_t *shape, int n_dim);

/** Widen to (v->n) floats. F32, F16, BF16 and the quantised types are exact; F64 must be representable as f32 or is
 *  REIN_ERR_NUMERIC. Other dtypes are REIN_ERR_FORMAT. */
REIN_NODISCARD rein_status rein_tensor_to_f32(float *dst, const rein_tensor_view *v);
/** As above for elements [first, first + n) in row-major order. */
REIN_NODISCARD rein_status rein_tensor_read_f32(float *dst, const rein_tensor_view *v, int64_t first, int64_t n);

/** A tensor to write. Exactly one of `f32`, `raw` and `view` is set (all may be NULL if a shape entry is 0). */
typedef struct rein_tensor_out {
    const char *name; /* UTF-8, unique */
    rein_dtype dtype; /* in the file; if data are converted: F32, F16, BF16 (in GGUF also Q8_0) */
    int n_dim;
    int64_t shape[REIN_TENSOR_DIMS];
    const float *f32;             /* converted to dtype */
    const void *raw;              /* bytes in dtype already */
    const rein_tensor_view *view; /* of another file, of this shape; converted unless it has dtype */
} rein_tensor_out;

/**
 * Write a file; same list, same bytes. It appears complete or not at all.
 *
 * @param list            (n) tensors, stored in this order. Elements wider than their predecessors are aligned only if
 *                        the list goes from wide to narrow dtypes; files of one dtype always are.
 * @param metadata_pairs  key, value, key, value, ..., NULL; or NULL for {"format":"pt"}.
 * @return REIN_ERR_ARG (bad list), REIN_ERR_IO.
 */
REIN_NODISCARD rein_status rein_tensors_write(const char *path, const rein_tensor_out *list, int64_t n,
                                              const char *const *metadata_pairs);

/**
 * Write model.safetensors into an existing directory, or, if the data exceed max_bytes, shards
 * model-00001-of-0000N.safetensors with model.safetensors.index.json (written last).
 *
 * @param max_bytes  largest data size of a shard; 0: one file. A tensor larger than that gets a shard of its own.
 */
REIN_NODISCARD rein_status rein_tensors_write_model(const char *dir, const rein_tensor_out *list, int64_t n,
                                                    int64_t max_bytes);

#endif
