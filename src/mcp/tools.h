/* Tool definitions and results, as JSON: what a model is shown of them, and the HTTP headers that they ask for. */
#ifndef REIN_MCP_TOOLS_H
#define REIN_MCP_TOOLS_H

#include "base/base.h"

struct json_object;

/** "read_file(path, head?, tail?)": the parameters in the schema's order, a ? behind those that may be left out. */
void rein_mcp_put_signature(rein_str *out, struct json_object *tool);

/** The parts of a result's "content" that are text, with newlines between, appended; "[image]" and so on for others. If
 *  there is no content: structuredContent as JSON. */
void rein_mcp_put_content(rein_str *out, struct json_object *result);

/** The tool of that name in an array of definitions, or NULL; borrowed. */
struct json_object *rein_mcp_find_tool(struct json_object *tools, const char *name);

/* Parameters marked with x-mcp-header are mirrored into HTTP headers (2026-07-28, "Custom Headers from Tool
 * Parameters"). */

/** NULL if all marks of the definition are valid, else what is wrong (static string). */
const char *rein_mcp_check_marks(struct json_object *tool);
/** The headers of a call, as "Mcp-Param-NAME: value\n" lines, appended. */
void rein_mcp_put_param_headers(rein_str *out, struct json_object *tool, struct json_object *args);
/** A header's value: as it is, or =?base64?..?= where it is no plain ASCII text. */
void rein_mcp_put_header_value(rein_str *out, const char *text, size_t len);

#endif
