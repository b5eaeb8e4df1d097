/*
 * Inside the client: its parts are client.c (requests of the user and the loop), session.c (start, era, handshake,
 * failures of the transport), request.c (requests as messages) and answer.c (what the server says).
 */
#ifndef REIN_MCP_CLIENT_IMPL_H
#define REIN_MCP_CLIENT_IMPL_H

#include "mcp/breaker.h"
#include "mcp/protocol.h"
#include "mcp/tools.h"
#include "mcp/transport.h"
#include "rein/version.h"

#define REIN_MCP_IDENTITY "{\"name\":\"rein\",\"version\":\"" REIN_VERSION "\"}"

enum { PAGES_MOST = 1000, ROUNDS_MOST = 8, SERVER_NAME_MAX = 128, VERSION_MAX = 16 };

typedef enum request_kind { REQUEST_LIST, REQUEST_CALL, REQUEST_SUBSCRIBE } request_kind;
typedef enum request_state { REQUEST_WAITING, REQUEST_SENT, REQUEST_DONE } request_state;

/* Of the user, or the client's own (internal): subscriptions, and the list of tools that headers are made from. */
typedef struct request {
    struct request *next;
    int64_t id, wire; /* the user's number; that of the last message, 0: none yet */
    request_kind kind;
    request_state state;
    bool internal;
    bool listed_again; /* the list of tools was asked for because of a header error */
    char *name;        /* CALL: the tool */
    struct json_object *args;
    struct json_object *tools; /* LIST: those of the pages so far */
    rein_str cursor;           /* LIST: of the next page, a JSON string; empty: the first */
    struct json_object *responses,
        *state_of_server; /* CALL, 2026-07-28: what is sent after "input_required"; or NULL */
    int pages, rounds;
    double started, deadline, not_before;
    int attempts;
    rein_mcp_progress progress;
    rein_mcp_result result;
} request;

/* BROKEN: no session can stand, and another attempt would not help. */
typedef enum phase { PHASE_DOWN, PHASE_PROBE, PHASE_INITIALIZE, PHASE_READY, PHASE_BROKEN } phase;

struct rein_mcp_client {
    rein_arena arena; /* strings of the options */
    rein_mcp_options o;
    const char *const *roots; /* NULL: none are offered */
    rein_arena roots_arena;
    rein_mcp_transport *t;
    phase phase;
    rein_str why; /* why the last session ended, or none can stand */
    double phase_deadline, probe_deadline, restart_at;
    int64_t discover_wire, initialize_wire, next_wire, next_id;
    bool modern;
    char version[VERSION_MAX], server[SERVER_NAME_MAX];
    bool offers_changes; /* the server tells when its list of tools changes */
    bool tools_changed;
    struct json_object *tools; /* HTTP, 2026-07-28: known definitions, for headers; NULL: not asked for */
    request *requests;         /* by ascending id */
    rein_mcp_breaker breaker;
    rein_mcp_health health;
    int session_noise, session_failures;
    int64_t changes; /* events heard and requests ended: has a poll done anything? */
    uint32_t draws;  /* of jitter */
};

/* client.c */
request *rein_mcp_find_wire(rein_mcp_client *c, int64_t wire);
rein_status rein_mcp_add_request(rein_mcp_client *c, request **out, request_kind kind, bool internal);
/** The request is over; an internal one is forgotten. `text` is appended to the result's. */
void rein_mcp_end_request(rein_mcp_client *c, request *r, bool failed, bool is_error, const char *text);

/* session.c */
rein_status rein_mcp_step_session(rein_mcp_client *c);
/** The transport failed: the session is over, requests under way get another attempt or fail. */
void rein_mcp_fail_session(rein_mcp_client *c, const char *why);
/** No session can stand. */
void rein_mcp_break_session(rein_mcp_client *c, const char *why);
rein_status rein_mcp_initialize(rein_mcp_client *c);
/** The session stands. */
rein_status rein_mcp_discovered(rein_mcp_client *c, struct json_object *result);
rein_status rein_mcp_initialized(rein_mcp_client *c, struct json_object *result);
/** The probe, or the handshake, got an error, or none (`error` NULL, `why` tells). */
rein_status rein_mcp_handshake_error(rein_mcp_client *c, int64_t wire, struct json_object *error, const char *why);
/** One request found no transport: again later, or it fails. */
void rein_mcp_retry_request(rein_mcp_client *c, request *r, const char *why);
/** A failure for the circuit; if it opens, what waits fails. */
void rein_mcp_count_failure(rein_mcp_client *c);

/* request.c */
rein_status rein_mcp_send_request(rein_mcp_client *c, request *r);
/** `params` is JSON text, or NULL. */
rein_status rein_mcp_send_session_request(rein_mcp_client *c, const char *method, const char *params, int64_t *wire);
rein_status rein_mcp_notify(rein_mcp_client *c, const char *method, const char *params);
rein_status rein_mcp_send_text(rein_mcp_client *c, rein_str *text);
void rein_mcp_put_capabilities(rein_str *out, const rein_mcp_client *c);
void rein_mcp_put_roots(rein_str *out, const rein_mcp_client *c);

/* answer.c */
rein_status rein_mcp_hear(rein_mcp_client *c, const rein_mcp_event *e);

#endif
