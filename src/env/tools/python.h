/*
 * A Python program of the model's, in a sandbox of its own: no network, no files but its own, limits on time and
 * memory.
 *
 * Where there is no sandbox it is not run: the tool says so.
 */
#ifndef REIN_ENV_TOOLS_PYTHON_H
#define REIN_ENV_TOOLS_PYTHON_H

#include "env/tools/domain.h"

/** Run `code`; the reply is what it printed, or the last line of what it complained of. */
REIN_NODISCARD rein_status rein_python_run(rein_tool_reply *out, const char *code);

#endif
