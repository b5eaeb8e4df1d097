/*
 * Domains: the built-in tools, grouped as servers are. Each is deterministic: what it answers is a pure function of the
 * world's seed, the files in its folder and the arguments.
 *
 * All that a domain remembers are files in its folder (messages.jsonl, store.jsonl, the agent's own files), so a reset is a
 * wipe of that folder, the checks of a task read the real end state from it, and it makes no difference whether a domain
 * is called in this process or is a server of its own (`rein mcp serve NAME`, with the folder as its working folder).
 *
 * Arguments come from a model and are untrusted. What is wrong with them is text for the model (is_error); a status is for
 * a world that broke: a disk that is full, no memory.
 */
#ifndef REIN_ENV_TOOLS_DOMAIN_H
#define REIN_ENV_TOOLS_DOMAIN_H

#include "base/base.h"

struct json_object;

/** Where a domain lives. */
typedef struct rein_tool_place {
    int dir;       /* descriptor of its folder */
    uint64_t seed; /* of the generated world */
} rein_tool_place;

/** What a call says. */
typedef struct rein_tool_reply {
    rein_str *text; /* appended */
    bool is_error;
} rein_tool_reply;

typedef struct rein_tool {
    const char *name, *description;
    const char *schema; /* JSON Schema of the arguments */
    rein_status (*call)(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out);
} rein_tool;

typedef struct rein_tool_domain {
    const char *name, *summary;
    const rein_tool *tool; /* (n_tool) */
    int n_tool;
    bool is_seeded; /* it has a generated world: a server of its own looks for the seed in its folder */
} rein_tool_domain;

/** The seed as a decimal number, in the folder of a domain that is_seeded. */
#define REIN_TOOL_SEED_FILE "seed"

extern const rein_tool_domain rein_domain_market, rein_domain_search, rein_domain_chat, rein_domain_files,
    rein_domain_code;

/** All of this build, NULL-ended. Names of tools are unique over all domains. */
const rein_tool_domain *const *rein_tool_domains(void);
/** By name, or NULL. */
const rein_tool_domain *rein_tool_domain_find(const char *name);
/** The tool of that name and its domain, or NULL. */
const rein_tool *rein_tool_find(const char *name, const rein_tool_domain **domain);

/** {"name","description","inputSchema"} of a tool, appended: how MCP lists it. */
void rein_tool_write(rein_str *out, const rein_tool *tool);

/* ---- for the domains ---- */

/** Fail a call with a text for the model; always REIN_OK. */
rein_status rein_tool_error(rein_tool_reply *out, const char *fmt, ...) REIN_PRINTF(2, 3);
/** A string argument, borrowed; false: it is missing or no string, and the reply says so. */
bool rein_tool_string(const char **out, struct json_object *args, const char *key, rein_tool_reply *reply);
/** An optional integer from min to max; false: it is something else, and the reply says so. */
bool rein_tool_integer(int64_t *out, struct json_object *args, const char *key, int64_t min, int64_t max,
                       rein_tool_reply *reply);

#endif
