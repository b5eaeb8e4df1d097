/*
 * How a call reaches its tool: in this process, or over MCP. One call at a time, in order; the tools of a link and what they
 * answer are the same whichever way.
 */
#ifndef REIN_ENV_TOOLS_LINK_H
#define REIN_ENV_TOOLS_LINK_H

#include "env/tools/servers.h"

struct json_object;
struct pollfd;

typedef struct rein_tool_link rein_tool_link;

typedef struct rein_tool_link_class {
    /** The slot's folder has been wiped and set up for a world. */
    rein_status (*reset)(rein_tool_link *link, uint64_t world);
    rein_status (*start)(rein_tool_link *link, const char *tool, struct json_object *args);
    /** Is the call done? Waits up to wait_ms (-1: until it is). */
    rein_status (*poll)(rein_tool_link *link, int wait_ms, bool *ready);
    int (*descriptors)(const rein_tool_link *link, struct pollfd *out, int most);
    void (*close)(rein_tool_link *link);
} rein_tool_link_class;

/** First member of every link. */
struct rein_tool_link {
    const rein_tool_link_class *cls;
    uint64_t history; /* of the call that is started next (record.h) */
    struct json_object *tools; /* array of {"name","description","inputSchema"}: all there are */
    /* Of the last call: */
    rein_str text;
    bool is_error;  /* a text for the model */
    rein_str broken; /* not empty: the world failed, and why */
};

/** The domains (a set of bits in the order of rein_tool_domains) in this process, with their folders below `root`. */
REIN_NODISCARD rein_status rein_tool_link_direct(rein_tool_link **out, unsigned domains, int root);

typedef struct rein_tool_mcp_options {
    unsigned domains;           /* bits in the order of rein_tool_domains: a server each */
    const rein_tool_server *server; /* (n_server) and those of the user */
    int n_server;
    const char *folder;         /* the slot's; `root` is its descriptor */
    const char *server_command; /* the program that serves with "mcp serve NAME --folder DIR"; NULL: this one */
    bool sandboxed;
    int64_t memory; /* bytes of address space of a server in the sandbox; 0: no limit */
    double timeout; /* s of a call */
    uint64_t seed;  /* of the waiting times between attempts */
} rein_tool_mcp_options;

/** The same over MCP. Waits until all servers stand. */
REIN_NODISCARD rein_status rein_tool_link_mcp(rein_tool_link **out, const rein_tool_mcp_options *options, int root);

/** Answers from a record, which outlives the link. */
struct rein_tool_replay;
REIN_NODISCARD rein_status rein_tool_link_replay(rein_tool_link **out, const struct rein_tool_replay *record);

/** For the links: append the tools of a domain to an array. */
struct rein_tool_domain;
REIN_NODISCARD rein_status rein_tool_link_list(struct json_object *tools, const struct rein_tool_domain *domain);

void rein_tool_link_close(rein_tool_link *link);

#endif
