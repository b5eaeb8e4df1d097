/* A model written anew: as a Hugging Face directory or as a GGUF file, whatever it was read from. */
#ifndef REIN_IO_EXPORT_H
#define REIN_IO_EXPORT_H

#include "io/model_card.h"
#include "io/source.h"

typedef struct rein_export_options {
    bool keep_dtype;   /* each tensor keeps its own; a dtype that the format lacks (F64; in a directory quantised ones)
                          becomes F32, which holds all its values (F64: or is an error) */
    rein_dtype dtype;  /* else: F32, F16, BF16; of matrices in GGUF also Q8_0 */
    int64_t max_bytes; /* largest shard of a directory; 0: one file */
    const rein_card_figure *figures; /* (n_figures) measured, for the model card of a directory */
    int64_t n_figures;
} rein_export_options;

/**
 * Write a model directory: weights, config.json, generation_config.json, the tokenizer's files, chat_template.jinja and
 * a model card README.md with hashes. It appears complete or not at all.
 *
 * @param dir  must not exist.
 * @return REIN_ERR_IO if it exists; REIN_ERR_ARG, REIN_ERR_FORMAT, REIN_ERR_NUMERIC.
 */
REIN_NODISCARD rein_status rein_export_hf(const char *dir, rein_source *s, const rein_export_options *options);

/**
 * Write one GGUF file (version 3) with the metadata that llama.cpp needs; vectors are F32 as it wants them, and the
 * rows of q and k are permuted for the families where it expects that. Beside llama.cpp's tables the file holds
 * tokenizer.json itself, so that it comes back byte for byte.
 *
 * @param path  must not exist.
 * @return as above; REIN_ERR_FORMAT also for a tokenizer that GGUF has no name for.
 */
REIN_NODISCARD rein_status rein_export_gguf(const char *path, rein_source *s, const rein_export_options *options);

#endif
