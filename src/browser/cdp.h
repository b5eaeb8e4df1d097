/* Messages of Chromium's DevTools protocol: reading one, and the text of a command. What is read is untrusted. */
#ifndef REIN_BROWSER_CDP_H
#define REIN_BROWSER_CDP_H

#include <json-c/json.h>

#include "base/base.h"

/** One message. Strings and objects are borrowed from `doc`. */
typedef struct rein_cdp {
    struct json_object *doc;
    int64_t id;               /* of the command that is answered; 0: an event */
    const char *method;       /* of an event, else "" */
    const char *session;      /* "" for the browser itself */
    struct json_object *body; /* an event's params or an answer's result; an object, never NULL */
    const char *error;        /* an answer's error message, or NULL */
} rein_cdp;

/** False if the bytes are no message. True: release with rein_cdp_deinit. */
bool rein_cdp_read(rein_cdp *out, const char *text, size_t len);
void rein_cdp_deinit(rein_cdp *m);

/** Member of an object as text ("" if missing or no text), number (0) or object (NULL). `obj` may be NULL. */
const char *rein_cdp_text(struct json_object *obj, const char *key);
double rein_cdp_number(struct json_object *obj, const char *key);
struct json_object *rein_cdp_object(struct json_object *obj, const char *key);

/** Appends {"id":...,"method":...,"sessionId":...,"params":{ and leaves it open; rein_cdp_end closes it, zero byte
 *  included. session "": the browser itself. */
void rein_cdp_begin(rein_str *out, int64_t id, const char *session, const char *method);
void rein_cdp_end(rein_str *out);
/** Appends "key":"text" with escapes. */
void rein_cdp_put(rein_str *out, const char *key, const char *text, size_t len);

#endif
