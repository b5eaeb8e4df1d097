/* Metadata of a GGUF file to write. */
#ifndef REIN_IO_GGUF_EXPORT_H
#define REIN_IO_GGUF_EXPORT_H

#include "io/gguf_config.h"
#include "io/gguf_write.h"
#include "io/source.h"

/** The tokenizer's tables and the chat template; "none" if the model has no tokenizer. */
REIN_NODISCARD rein_status rein_gguf_export_tokenizer(rein_gguf_meta *m, rein_source *s);

#endif
