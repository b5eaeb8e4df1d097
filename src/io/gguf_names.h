/* Names and row order of tensors: Hugging Face's on one side, GGUF's on the other. */
#ifndef REIN_IO_GGUF_NAMES_H
#define REIN_IO_GGUF_NAMES_H

#include "io/gguf_format.h"
#include "io/hf_config.h"

enum { REIN_TENSOR_NAME_BYTES = 128 };

/**
 * The Hugging Face name of a GGUF tensor, e.g. "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight".
 *
 * @param L  layers of the model; a higher number is no name.
 * @return false if there is none.
 */
bool rein_gguf_name_to_hf(char out[REIN_TENSOR_NAME_BYTES], const char *name, int64_t L);

/** The other way. */
bool rein_gguf_name_from_hf(char out[REIN_TENSOR_NAME_BYTES], const char *name, int64_t L);

/** Heads whose rows GGUF keeps in another order: H for a q_proj, K for a k_proj (Hugging Face name), else 0. */
int64_t rein_gguf_rotary_heads(const char *name, const rein_model_config *config);

/**
 * Rows of a query or key projection in the other order.
 *
 * Hugging Face keeps the halves of a head that rotate together D/2 rows apart; llama.cpp's llama family keeps them as
 * neighbours: row h D + 2 j + s of the file is row h D + s D/2 + j here (convert_hf_to_gguf.py, LlamaModel.permute).
 *
 * @param[out] dst        (heads D) rows, not overlapping src.
 * @param      row_bytes  bytes of a row: whole blocks, so no value changes.
 * @param      to_gguf    direction.
 */
void rein_gguf_permute_rows(void *dst, const void *src, int64_t heads, int64_t D, int64_t row_bytes, bool to_gguf);

#endif
