/*
 * Users' MCP servers: a YAML file, a server a key.
 *
 *   files:                                   the name, and that of its folder in a slot
 *     command: node                          a program on stdio ...
 *     args: [/srv/server/index.js, "{folder}"]    {folder}: the slot's folder of this server (/slot in the sandbox)
 *     env: {LANG: C}
 *     show: [/srv/server]                    what it can read in the sandbox, besides /usr
 *     processes: true                        it may start programs
 *     respawn: true                          it remembers things in memory: start it anew for every episode
 *   web:
 *     url: http://127.0.0.1:3000/mcp         ... or an endpoint, which is not ours to sandbox or to reset
 */
#ifndef REIN_ENV_TOOLS_SERVERS_H
#define REIN_ENV_TOOLS_SERVERS_H

#include "base/base.h"

enum { REIN_TOOL_SERVERS = 16 };

typedef struct rein_tool_server {
    const char *name;
    const char *const *argv; /* NULL-ended; NULL: url */
    const char *url;
    const char *const *env, *const *show; /* NULL-ended */
    int64_t n_show;
    bool processes, respawn;
} rein_tool_server;

/** At most REIN_TOOL_SERVERS; strings in `arena`. Errors are REIN_ERR_USAGE with file:line:column. */
REIN_NODISCARD rein_status rein_tool_servers_load(rein_tool_server *out, int *n, rein_arena *arena, const char *path);

#endif
