/* What the files of io/ share and nobody else needs. */
#ifndef REIN_IO_INTERNAL_H
#define REIN_IO_INTERNAL_H

#include "base/file.h"
#include "io/hf_config.h"
#include "io/safetensors.h"

/** Elements and bytes of a shape; false if an entry is negative, a product overflows or a block is not whole. */
bool rein_shape_size(int64_t *n, int64_t *bytes, rein_dtype dtype, const int64_t *shape, int n_dim);

/** Append the data of a tensor whose entry has been checked, converted in blocks; nothing for an empty one. */
REIN_NODISCARD rein_status rein_tensor_append(rein_appender *file, const rein_tensor_out *t);

/** REIN_ERR_ARG if shape, dimensions or sources of an entry are wrong; sets the bytes of its data. */
REIN_NODISCARD rein_status rein_tensor_out_check(int64_t *bytes, const rein_tensor_out *t);
/** REIN_ERR_ARG if two entries have one name. */
REIN_NODISCARD rein_status rein_tensor_names_check(const rein_tensor_out *list, int64_t n);

/** "LlamaForCausalLM" ... */
const char *rein_model_architecture(rein_model_family family);

/** As torch_dtype has it: "float32", "bfloat16", "float16"; NULL for another dtype. */
const char *rein_torch_dtype_name(rein_dtype dtype);

#endif
