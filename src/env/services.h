/* Services of this build that `rein mcp serve NAME` offers as MCP servers. */
#ifndef REIN_ENV_SERVICES_H
#define REIN_ENV_SERVICES_H

#include "mcp/server.h"

typedef struct rein_service {
    const char *name, *summary;
    /** Fill *out; what it holds is a pure function of the seed, and of the files in `folder` (NULL: it has none). */
    rein_status (*open)(rein_mcp_service *out, uint64_t seed, const char *folder);
    void (*close)(rein_mcp_service *s);
} rein_service;

/** NULL-ended. */
const rein_service *const *rein_services(void);

#endif
