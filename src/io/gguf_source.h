/* A GGUF file as rein_source shows it: Hugging Face's files, names and row order; see source.h. */
#ifndef REIN_IO_GGUF_SOURCE_H
#define REIN_IO_GGUF_SOURCE_H

#include "io/gguf.h"
#include "io/hf_config.h"

typedef struct rein_gguf_source rein_gguf_source;

/** One of Hugging Face's text files (source.h), made from the metadata and appended. *found: the file has what it takes. */
REIN_NODISCARD rein_status rein_gguf_text(rein_str *out, bool *found, const rein_gguf *g, const char *file);

/** Open and check a file: every tensor must have a Hugging Face name and a dtype of weights. */
REIN_NODISCARD rein_status rein_gguf_source_open(rein_gguf_source **out, const char *path);
void rein_gguf_source_close(rein_gguf_source *s);

const rein_gguf *rein_gguf_source_file(const rein_gguf_source *s);
const rein_model_config *rein_gguf_source_config(const rein_gguf_source *s);
/** As rein_source_text: made at the first call, then kept. */
REIN_NODISCARD rein_status rein_gguf_source_text(rein_gguf_source *s, const char *file, const char **text, size_t *len);

int64_t rein_gguf_source_count(const rein_gguf_source *s);
const rein_tensor_view *rein_gguf_source_at(const rein_gguf_source *s, int64_t i);
const rein_tensor_view *rein_gguf_source_find(const rein_gguf_source *s, const char *name);

#endif
