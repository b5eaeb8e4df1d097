/* Opening an environment from one line of text: "name" or "name:key=value,key=value" (its own options). */
#ifndef REIN_ENV_OPEN_H
#define REIN_ENV_OPEN_H

#include "base/base.h"
#include "rein/env.h"

/** Errors are REIN_ERR_USAGE and name the environment, the option and the value. */
REIN_NODISCARD rein_status rein_env_open(rein_env **out, const char *spec);
void rein_env_close(rein_env *env);

#endif
