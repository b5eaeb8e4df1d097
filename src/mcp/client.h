/*
 * An MCP client: tools of a server that is a program on stdio or a streamable HTTP endpoint.
 *
 * Asynchronous: requests are started and have ids; poll moves everything on; a finished request is taken by its id.
 * Many requests can be under way, on many servers, in one thread. The session (start of the program, era of the
 * protocol, handshake) is a matter of the client: requests wait until it stands.
 *
 *   rein_mcp_open(&c, &(rein_mcp_options){.argv = argv});
 *   rein_mcp_call(c, "read_file", args, &id);
 *   rein_mcp_wait(c, id, &result);            or poll and take, beside other work
 *   rein_mcp_result_deinit(&result);
 *   rein_mcp_close(c);
 *
 * Both eras are spoken: 2024-11-05 .. 2025-11-25 (`initialize`, sessions) and 2026-07-28 (`server/discover`,
 * stateless). What a server says is untrusted: limits on length, depth and noise, a deadline on every request, invalid
 * UTF-8 replaced.
 *
 * Two kinds of bad news are kept apart. What a tool says went wrong (isError, or a JSON-RPC error) is an *answer*, for
 * the model to read. A transport that fails (death, refused connection, deadline, nonsense) says nothing about the
 * request: result.failed. Transport failures but time-outs are retried, so a tool may have run more than once: see
 * result.attempts.
 */
#ifndef REIN_MCP_CLIENT_H
#define REIN_MCP_CLIENT_H

#include "base/base.h"
#include "os/child.h"

struct json_object;
struct pollfd;

typedef struct rein_mcp_client rein_mcp_client;

/** Zero is the default of every member but argv or url. Strings are copied. */
typedef struct rein_mcp_options {
    const char *const *argv; /* a program on stdio, NULL-ended; see rein_child_options for the next four */
    const char *const *env;
    const char *folder;
    const rein_child_fd *extra; /* (n_extra) */
    int n_extra;
    const char *url;            /* or an http(s) endpoint */
    const char *const *headers; /* of every HTTP request: "Name: value", NULL-ended; NULL: none */
    double timeout;             /* s of a request from its start, retries included; 0: 10 */
    double start_timeout;       /* s until the session stands; 0: 30 */
    double probe_timeout;       /* s to wait for an answer to server/discover on stdio before `initialize`; 0: 5 */
    int attempts;               /* of a request when the transport fails; 0: 3 */
    double backoff;             /* s before the second attempt, doubled for each further, times 0.5 to 1.5; 0: 0.1 */
    double cooldown;            /* s that an open circuit stays open; 0: 30 */
    uint64_t seed;              /* of that jitter */
    size_t message_max;         /* bytes of one message; 0: 64 MiB */
    int noise_max;              /* lines without JSON-RPC before the server is given up; 0: 100 */
    const char *const *roots;   /* folders that the server may be told of, NULL-ended; NULL: roots are not offered */
    bool accept_defaults;       /* offer elicitation, and answer it with the defaults of its schema */
} rein_mcp_options;

/** Start a session; its handshake goes on in poll. REIN_ERR_IO if the program cannot be started, REIN_ERR_USAGE for a
 * URL that is none. */
REIN_NODISCARD rein_status rein_mcp_open(rein_mcp_client **out, const rein_mcp_options *options);
/** Ends the session orderly (rein_child_close; HTTP: DELETE of the session). NULL is fine. */
void rein_mcp_close(rein_mcp_client *c);
/** Tell that it will be closed: a program's input ends. For many at once, before closing each. */
void rein_mcp_end_input(rein_mcp_client *c);

/* ---- requests ---- */

/** All tools, every page; its result is {"tools":[..]}. Over HTTP, tools with an invalid x-mcp-header are left out. */
REIN_NODISCARD rein_status rein_mcp_list(rein_mcp_client *c, int64_t *id);
/** Call a tool; `args` is an object or NULL, borrowed (a reference is kept: do not change it). */
REIN_NODISCARD rein_status rein_mcp_call(rein_mcp_client *c, const char *name, struct json_object *args, int64_t *id);
/** Give up on a request: the server is told, and there will be no result. */
void rein_mcp_cancel(rein_mcp_client *c, int64_t id);

/** Do what can be done now; if nothing, wait up to wait_ms (-1: until something happens, a deadline at the latest).
 * Errors are those of this machine (memory, poll); a server's failures are results. */
REIN_NODISCARD rein_status rein_mcp_poll(rein_mcp_client *c, int wait_ms);
/** For a loop over many clients: descriptors to wait for (returns how many of `most`), and how long at most, in ms (-1:
 * no limit). */
int rein_mcp_descriptors(const rein_mcp_client *c, struct pollfd *out, int most);
int rein_mcp_wait_ms(const rein_mcp_client *c);

typedef struct rein_mcp_result {
    bool failed;               /* the transport failed: no answer */
    bool is_error;             /* the tool, or the server, says that the request went wrong */
    rein_str text;             /* the parts of "content" that are text, with newlines between; or what went wrong */
    struct json_object *value; /* "result" of the response, or NULL */
    int attempts;              /* how often it was sent, or found no server to send it to */
    double seconds;            /* from its start to its end */
} rein_mcp_result;

/** Is it finished? Then *out is the result, and the id is forgotten. */
bool rein_mcp_take(rein_mcp_client *c, int64_t id, rein_mcp_result *out);
/** Poll until it is finished; there is a deadline on every request. */
REIN_NODISCARD rein_status rein_mcp_wait(rein_mcp_client *c, int64_t id, rein_mcp_result *out);
void rein_mcp_result_deinit(rein_mcp_result *r);

/** How far a request is, as the server says: the last of `count` notifications. */
typedef struct rein_mcp_progress {
    int64_t count;
    double progress, total; /* total: NaN if the server does not say */
} rein_mcp_progress;
bool rein_mcp_get_progress(const rein_mcp_client *c, int64_t id, rein_mcp_progress *out);

/* ---- the server ---- */

/** Other roots than those of the options; tells the server. */
REIN_NODISCARD rein_status rein_mcp_set_roots(rein_mcp_client *c, const char *const *roots);
/** Has the server said that its list of tools changed, since the last call of this function? */
bool rein_mcp_tools_changed(rein_mcp_client *c);
/** "2025-11-25"; "" before the session stands. */
const char *rein_mcp_version(const rein_mcp_client *c);
/** "name version" as the server calls itself; untrusted, without control characters. */
const char *rein_mcp_server(const rein_mcp_client *c);
/** Of the program; 0 for HTTP or when it is not running. */
int rein_mcp_pid(const rein_mcp_client *c);

/** After 5 failures of the transport in a row the circuit opens: requests fail at once, until `cooldown` is over. Then
 * it is half open: one request at a time; after 2 answers it is closed again, after a failure open. */
typedef enum rein_mcp_circuit { REIN_MCP_CLOSED, REIN_MCP_OPEN, REIN_MCP_HALF_OPEN } rein_mcp_circuit;

/** Counts since open. */
typedef struct rein_mcp_health {
    rein_mcp_circuit circuit;
    int in_a_row;     /* failures since the last answer */
    int64_t requests; /* started by the user */
    int64_t answers;  /* errors of tools included */
    int64_t tool_errors;
    int64_t failures; /* of the transport: deaths, lost connections, time-outs, failed starts */
    int64_t timeouts;
    int64_t retries;
    int64_t starts;          /* sessions; above 1: what the server kept in memory was lost */
    int64_t opened;          /* times that the circuit opened */
    int64_t noise;           /* lines and events without a JSON-RPC message */
    int64_t strays;          /* answers to nothing that is under way */
    int64_t refused;         /* requests of the server that were answered with an error */
    int64_t dropped_tools;   /* with an invalid x-mcp-header */
    double seconds, slowest; /* of answered requests: together, the longest */
} rein_mcp_health;
rein_mcp_health rein_mcp_get_health(const rein_mcp_client *c);
/** As a JSON object, appended. */
void rein_mcp_put_health(rein_str *out, const rein_mcp_health *h);

#endif
