/* Files of JSON lines in a domain's folder: what domains remember. */
#ifndef REIN_ENV_TOOLS_LINES_H
#define REIN_ENV_TOOLS_LINES_H

#include "base/json.h"

/** Append one line {"key": "value", ...} from `n` pairs. */
REIN_NODISCARD rein_status rein_lines_put(int dir, const char *file, const char *const (*pair)[2], int n);
/** One call a line, in order; a file that is missing has none. */
REIN_NODISCARD rein_status rein_lines_each(int dir, const char *file, rein_jsonl_fn fn, void *user);

#endif
