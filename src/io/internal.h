/* What the files of io/ share and nobody else needs. */
#ifndef REIN_IO_INTERNAL_H
#define REIN_IO_INTERNAL_H

#include "io/hf_config.h"
#include "io/safetensors.h"

/** Elements and bytes of a shape; false if an entry is negative, a product overflows or a block is not whole. */
bool rein_shape_size(int64_t *n, int64_t *bytes, rein_dtype dtype, const int64_t *shape, int n_dim);

/** "LlamaForCausalLM" ... */
const char *rein_model_architecture(rein_model_family family);

/** As torch_dtype has it: "float32", "bfloat16", "float16"; NULL for another dtype. */
const char *rein_torch_dtype_name(rein_dtype dtype);

#endif
