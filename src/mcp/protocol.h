/* JSON-RPC messages of the Model Context Protocol: versions, reading, writing. Shared by client and server. */
#ifndef REIN_MCP_PROTOCOL_H
#define REIN_MCP_PROTOCOL_H

#include "base/json.h"

#define REIN_MCP_MODERN        "2026-07-28" /* stateless: server/discover, _meta in every request */
#define REIN_MCP_LATEST_LEGACY "2025-11-25" /* initialize */
#define REIN_MCP_META          "io.modelcontextprotocol/"

enum {
    REIN_RPC_PARSE = -32700,
    REIN_RPC_INVALID = -32600,
    REIN_RPC_NO_METHOD = -32601,
    REIN_RPC_PARAMS = -32602,
    REIN_RPC_INTERNAL = -32603,
    REIN_RPC_HEADERS = -32020,    /* 2026-07-28: headers and body disagree */
    REIN_RPC_CAPABILITY = -32021, /* 2026-07-28: a capability of the client is missing */
    REIN_RPC_VERSION = -32022     /* 2026-07-28: unsupported version */
};

/** Is it one of the versions that begin with `initialize`? */
bool rein_mcp_is_legacy(const char *version);

/**
 * A message of the other side. Bytes that are no UTF-8, and escaped surrogates without their partner, become U+FFFD;
 * else as rein_json_parse: limits on depth, no duplicate keys.
 *
 * @return REIN_ERR_FORMAT if it is no JSON object or array. Caller owns *out.
 */
REIN_NODISCARD rein_status rein_mcp_parse(struct json_object **out, const char *text, size_t len);

/** A JSON value as text without line breaks, appended. */
void rein_mcp_put_json(rein_str *out, struct json_object *value);
/** "text" as a JSON string, appended. */
void rein_mcp_put_text(rein_str *out, const char *text);
/** {"jsonrpc":"2.0","id":ID,"error":{..}}, appended; `id` NULL is null. */
void rein_mcp_put_error(rein_str *out, struct json_object *id, int code, const char *message);

/** Member of an object if it is there and of that type, else NULL; borrowed. `obj` may be anything. */
struct json_object *rein_mcp_member(struct json_object *obj, const char *key, enum json_type type);
/** A string member, or NULL. */
const char *rein_mcp_string(struct json_object *obj, const char *key);

#endif
