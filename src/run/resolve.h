/* From what a user names (model directory, GGUF file, checkpoint, run) to what rein_source_open takes. */
#ifndef REIN_RUN_RESOLVE_H
#define REIN_RUN_RESOLVE_H

#include "base/base.h"

/** A run stands for its newest checkpoint, or for the one that it notes as its best (REIN_NOTE_BEST). REIN_ERR_IO if there is no model; never another model than the one named. */
REIN_NODISCARD rein_status rein_model_dir_resolve(char **dir, rein_arena *arena, const char *path);

#endif
