/* Opening an environment from one line of text: "name" or "name:key=value,key=(a,b)" (its own options). A comma inside of
 * brackets or quotes belongs to the value; brackets around a whole value are not a part of it. */
#ifndef REIN_ENV_OPEN_H
#define REIN_ENV_OPEN_H

#include "base/base.h"
#include "rein/env.h"

struct rein_reward_host;

/** Errors are REIN_ERR_USAGE and name the environment, the option and the value. */
REIN_NODISCARD rein_status rein_env_open(rein_env **out, const char *spec);
/** The same; `host` (reward/reward.h) runs the reward models of an environment that has any, and may be NULL. */
REIN_NODISCARD rein_status rein_env_open_host(rein_env **out, const char *spec, const struct rein_reward_host *host);
void rein_env_close(rein_env *env);

#endif
