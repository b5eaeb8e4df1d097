/*
 * Server-sent events: a parser that is fed bytes as they come.
 *
 * Lines end with LF, CR or CRLF; fields are data (joined with newlines), id, retry; comments and other fields are
 * skipped; an empty line ends an event. Events without data are none, but their id and retry count. See
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation.
 */
#ifndef REIN_MCP_SSE_H
#define REIN_MCP_SSE_H

#include "base/base.h"

/** Zero is a parser at the beginning of a stream. */
typedef struct rein_sse {
    rein_str line, data;
    rein_str id;   /* of the last event; empty: none */
    int64_t retry; /* ms to wait before connecting again, if has_retry */
    bool has_retry, has_data, after_cr;
} rein_sse;

/** `data` (len) of one event, borrowed. */
typedef rein_status (*rein_sse_fn)(void *user, const char *data, size_t len);

/** Feed bytes; `fn` is called for each event that they complete. REIN_ERR_FORMAT if an event is longer than `max`. */
REIN_NODISCARD rein_status rein_sse_feed(rein_sse *s, const char *bytes, size_t len, size_t max, rein_sse_fn fn,
                                         void *user);
/** A new connection of the same stream: what is unfinished is dropped, id and retry stay. */
void rein_sse_reconnect(rein_sse *s);
void rein_sse_deinit(rein_sse *s);

#endif
