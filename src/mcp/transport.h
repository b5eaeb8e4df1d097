/*
 * How messages travel: stdio.c and http.c behind one table. Used by the client only.
 *
 * A transport knows sessions (start, stop, start again), messages and which request an answer is expected for; what
 * messages mean is the client's.
 */
#ifndef REIN_MCP_TRANSPORT_H
#define REIN_MCP_TRANSPORT_H

#include "mcp/client.h"

typedef struct rein_mcp_transport rein_mcp_transport;

/** A message of ours. */
typedef struct rein_mcp_outgoing {
    int64_t id;       /* of a request; 0: a notification or an answer */
    const char *text; /* (len) JSON */
    size_t len;
    const char *version; /* HTTP: MCP-Protocol-Version; NULL: none yet */
    const char *headers; /* HTTP: further "Name: value\n" lines; NULL: none */
} rein_mcp_outgoing;

typedef enum rein_mcp_event_kind {
    REIN_MCP_SAID,    /* a message; `text` is JSON, perhaps */
    REIN_MCP_LOST,    /* there will be no answer to request `id`; `text` says why; another attempt may help */
    REIN_MCP_REFUSED, /* as LOST, but another attempt would not help */
    REIN_MCP_DOWN     /* the session is over, with all that was under way; `text` says why */
} rein_mcp_event_kind;

typedef struct rein_mcp_event {
    rein_mcp_event_kind kind;
    int64_t id;       /* HTTP: the request that the message came for; 0: unknown */
    int http_status;  /* of LOST and REFUSED: 0 if there was no HTTP response */
    const char *text; /* (len) borrowed until the next event or poll */
    size_t len;
} rein_mcp_event;

typedef struct rein_mcp_transport_class {
    /** A new session, after open or stop. REIN_ERR_IO: it cannot be started now. */
    rein_status (*start)(rein_mcp_transport *t);
    /** End the session at once. */
    void (*stop)(rein_mcp_transport *t);
    rein_status (*send)(rein_mcp_transport *t, const rein_mcp_outgoing *m);
    rein_status (*poll)(rein_mcp_transport *t, int wait_ms);
    bool (*next)(rein_mcp_transport *t, rein_mcp_event *out);
    /** Request `id` is answered, or (`give_up`) no longer waited for: its stream is closed where there is one. */
    void (*finish)(rein_mcp_transport *t, int64_t id, bool give_up);
    /** Hear what the server says of itself (HTTP before 2026-07-28: a GET stream). */
    rein_status (*listen)(rein_mcp_transport *t, const char *version);
    /** Have notifications, answers and `listen` reached the server? What is sent later is then also read later. */
    bool (*settled)(const rein_mcp_transport *t);
    int (*descriptors)(const rein_mcp_transport *t, struct pollfd *out, int most);
    int (*wait_ms)(const rein_mcp_transport *t); /* until something is due by time; -1: nothing is */
    void (*end_input)(rein_mcp_transport *t);
    int (*pid)(const rein_mcp_transport *t);
    void (*close)(rein_mcp_transport *t);
    bool over_http;
} rein_mcp_transport_class;

struct rein_mcp_transport {
    const rein_mcp_transport_class *cls;
};

/** Both borrow the options. */
REIN_NODISCARD rein_status rein_mcp_stdio_open(rein_mcp_transport **out, const rein_mcp_options *o);
REIN_NODISCARD rein_status rein_mcp_http_open(rein_mcp_transport **out, const rein_mcp_options *o);

#endif
