/* What the domain code remembers: store.jsonl in its folder, one {"key","value"} a line, the last one counts. */
#ifndef REIN_ENV_TOOLS_CODE_H
#define REIN_ENV_TOOLS_CODE_H

#include "base/base.h"

/** The value stored under a key, appended; *found. */
REIN_NODISCARD rein_status rein_code_stored(rein_str *out, bool *found, int dir, const char *key);

#endif
