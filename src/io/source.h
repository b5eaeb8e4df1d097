/*
 * A model on disk, whatever its format: its files as text and its weights as mapped tensors, under Hugging Face's
 * names.
 *
 * A Hugging Face directory is one as it stands. A GGUF file looks like one: config.json, generation_config.json,
 * tokenizer.json, tokenizer_config.json, special_tokens_map.json and chat_template.jinja are made from its metadata
 * (the same file, the same bytes), tensors have their Hugging Face names and row order, and stay in the file's dtype.
 */
#ifndef REIN_IO_SOURCE_H
#define REIN_IO_SOURCE_H

#include "io/hf_config.h"
#include "io/safetensors.h"

typedef struct rein_source rein_source;
struct rein_gguf;

/** Open a model directory or a .gguf file. REIN_ERR_IO, or REIN_ERR_FORMAT naming file and place. */
REIN_NODISCARD rein_status rein_source_open(rein_source **out, const char *path);
void rein_source_close(rein_source *s);

const char *rein_source_path(const rein_source *s);
const rein_model_config *rein_source_config(const rein_source *s);
/** Path and size of the i-th file that holds weights, or NULL past the last. */
const char *rein_source_file(const rein_source *s, int64_t i, int64_t *bytes);
/** The file's metadata and its own names, or NULL if it is no GGUF. */
const struct rein_gguf *rein_source_gguf(const rein_source *s);

/**
 * A text file of the model, e.g. "tokenizer.json".
 *
 * @param[out] text  borrowed, ends with NUL; NULL if the model has no such file.
 */
REIN_NODISCARD rein_status rein_source_text(rein_source *s, const char *file, const char **text, size_t *len);

/** Tensors in bytewise order of names; views may be of a quantised dtype (GGUF). */
int64_t rein_source_count(const rein_source *s);
const rein_tensor_view *rein_source_at(const rein_source *s, int64_t i);
/** By name, or NULL. */
const rein_tensor_view *rein_source_find(const rein_source *s, const char *name);

#endif
