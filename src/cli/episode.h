/* One kept answer of a run, as a conversation: who said what, what of it was trained on, and what it earned. */
#ifndef REIN_CLI_EPISODE_H
#define REIN_CLI_EPISODE_H

#include "run/run.h"

/** Answer `which` (from 1) of a step (or REIN_STEP_LAST), appended. REIN_ERR_USAGE if so many were not kept. */
REIN_NODISCARD rein_status rein_cli_episode(rein_str *out, rein_arena *arena, const rein_rundir *run, int64_t step,
                                            int64_t which, bool json);

#endif
