/*
 * An MCP server on two descriptors, one JSON object a line: what `rein mcp serve` runs, and what a tool server written
 * in C is made of.
 *
 * It speaks both eras of the protocol at the same time: `initialize` (2024-11-05 .. 2025-11-25) and the stateless
 * requests with `_meta` (2026-07-28, `server/discover`). Requests are answered one after the other, in their order.
 * Blank lines are skipped; lines that are no JSON, and batches, get the error that JSON-RPC has for them; nothing that
 * a client sends ends the server but the end of its input.
 */
#ifndef REIN_MCP_SERVER_H
#define REIN_MCP_SERVER_H

#include "base/base.h"

struct json_object;

/** What is served. Callbacks append to their rein_str; a status that is no REIN_OK is reported to the client as an
 * internal error with the message of the trace, and the server goes on. */
typedef struct rein_mcp_service {
    const char *name, *version;
    void *user;
    /** A JSON array of {"name","description","inputSchema"}. */
    rein_status (*list)(void *user, rein_str *out);
    /** Call a tool: `args` is an object (empty if the client gave none), borrowed. The text of the result, and whether
     * it is an error for the model to read (an unknown tool is one, too). */
    rein_status (*call)(void *user, const char *name, struct json_object *args, rein_str *text, bool *is_error);
} rein_mcp_service;

/** Serve until `in` ends. REIN_ERR_IO if `out` cannot be written to. */
REIN_NODISCARD rein_status rein_mcp_serve(const rein_mcp_service *service, int in, int out);

#endif
