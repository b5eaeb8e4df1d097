/* A session: start of the server, its era, the handshake, and what happens when the transport fails; see client_impl.h.
 */
#include <stdio.h>
#include <string.h>

#include "mcp/client_impl.h"

/* ---- failures ---- */

static void fail_waiting(rein_mcp_client *c, const char *why) {
    for (request *r = c->requests, *next; r; r = next) {
        next = r->next;
        if (r->state != REQUEST_DONE) rein_mcp_end_request(c, r, true, false, why);
    }
}

void rein_mcp_count_failure(rein_mcp_client *c) {
    c->health.failures++;
    if (!rein_mcp_breaker_failure(&c->breaker, rein_clock())) return;
    /* whatever hangs there is not asked again: a half open circuit begins with a new session */
    if (c->phase != PHASE_DOWN && c->phase != PHASE_BROKEN) {
        c->t->cls->stop(c->t);
        c->phase = PHASE_DOWN;
        c->restart_at = 0;
    }
    fail_waiting(c, "too many failures in a row: the circuit is open");
}

/* Subscriptions and the like are the next session's. */
static void drop_internal(rein_mcp_client *c) {
    for (request *r = c->requests, *next; r; r = next) {
        next = r->next;
        if (r->internal) rein_mcp_end_request(c, r, true, false, "");
    }
}

void rein_mcp_retry_request(rein_mcp_client *c, request *r, const char *why) {
    if (r->state == REQUEST_WAITING) r->attempts++; /* it found no session */
    r->state = REQUEST_WAITING;
    if (r->attempts >= c->o.attempts) {
        rein_mcp_end_request(c, r, true, false, why);
        return;
    }
    c->health.retries++;
    r->not_before = rein_clock() + rein_mcp_backoff(c->o.backoff, r->attempts, c->o.seed, c->draws++);
}

void rein_mcp_fail_session(rein_mcp_client *c, const char *why) {
    rein_str copy = {0};
    rein_str_puts(&copy, why);
    why = copy.data ? copy.data : "out of memory";
    c->t->cls->stop(c->t);
    c->phase = PHASE_DOWN;
    c->version[0] = '\0';
    c->session_failures++;
    c->restart_at = rein_clock() + rein_mcp_backoff(c->o.backoff, c->session_failures, c->o.seed, c->draws++);
    drop_internal(c);
    for (request *r = c->requests, *next; r; r = next) {
        next = r->next;
        if (r->state == REQUEST_DONE) continue;
        rein_mcp_retry_request(c, r, why);
    }
    rein_mcp_count_failure(c);
    rein_str_deinit(&copy);
}

void rein_mcp_break_session(rein_mcp_client *c, const char *why) {
    rein_str_clear(&c->why);
    rein_str_puts(&c->why, why);
    c->t->cls->stop(c->t);
    c->phase = PHASE_BROKEN;
    fail_waiting(c, c->why.data ? c->why.data : "out of memory");
}

/* ---- handshake ---- */

rein_status rein_mcp_initialize(rein_mcp_client *c) {
    rein_str params = {0};
    c->phase = PHASE_INITIALIZE;
    c->modern = false;
    rein_str_puts(&params, "\"protocolVersion\":\"" REIN_MCP_LATEST_LEGACY "\",\"capabilities\":");
    rein_mcp_put_capabilities(&params, c);
    rein_str_puts(&params, ",\"clientInfo\":" REIN_MCP_IDENTITY);
    rein_status status = rein_str_check(&params);
    if (status == REIN_OK) status = rein_mcp_send_session_request(c, "initialize", params.data, &c->initialize_wire);
    rein_str_deinit(&params);
    return status;
}

/* Untrusted words that end up in messages and logs. */
static void note_server(rein_mcp_client *c, struct json_object *info) {
    const char *name = rein_mcp_string(info, "name"), *version = rein_mcp_string(info, "version");
    snprintf(c->server, sizeof c->server, "%s %s", name ? name : "?", version ? version : "?");
    for (char *p = c->server; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F) *p = '?';
}

static rein_status stand(rein_mcp_client *c, const char *version, struct json_object *capabilities) {
    struct json_object *tools = rein_mcp_member(capabilities, "tools", json_type_object);
    struct json_object *changes = rein_mcp_member(tools, "listChanged", json_type_boolean);
    snprintf(c->version, sizeof c->version, "%s", version);
    c->phase = PHASE_READY;
    c->offers_changes = changes && json_object_get_boolean(changes);
    c->session_failures = 0;
    return REIN_OK;
}

rein_status rein_mcp_discovered(rein_mcp_client *c, struct json_object *result) {
    struct json_object *versions = rein_mcp_member(result, "supportedVersions", json_type_array);
    struct json_object *meta = rein_mcp_member(result, "_meta", json_type_object);
    bool ours = false, legacy = false;
    for (size_t i = 0; versions && i < json_object_array_length(versions); i++) {
        const char *version = json_object_get_string(json_object_array_get_idx(versions, i));
        ours = ours || (version && strcmp(version, REIN_MCP_MODERN) == 0);
        legacy = legacy || (version && rein_mcp_is_legacy(version));
    }
    if (!versions || (!ours && legacy)) return rein_mcp_initialize(c); /* no DiscoverResult: it answers anything */
    if (!ours) {
        rein_mcp_break_session(c, "the server supports no version of the protocol that is known here");
        return REIN_OK;
    }
    c->modern = true;
    note_server(c, rein_mcp_member(meta, REIN_MCP_META "serverInfo", json_type_object));
    REIN_TRY(stand(c, REIN_MCP_MODERN, rein_mcp_member(result, "capabilities", json_type_object)));
    if (!c->offers_changes) return REIN_OK;
    request *r;
    return rein_mcp_add_request(c, &r, REQUEST_SUBSCRIBE, true);
}

rein_status rein_mcp_initialized(rein_mcp_client *c, struct json_object *result) {
    const char *version = rein_mcp_string(result, "protocolVersion");
    if (!version || !rein_mcp_is_legacy(version)) {
        char why[128];
        snprintf(why, sizeof why, "the server speaks version '%.32s' of the protocol, which is not known here",
                 version ? version : "?");
        rein_mcp_break_session(c, why);
        return REIN_OK;
    }
    note_server(c, rein_mcp_member(result, "serverInfo", json_type_object));
    REIN_TRY(stand(c, version, rein_mcp_member(result, "capabilities", json_type_object)));
    REIN_TRY(rein_mcp_notify(c, "notifications/initialized", NULL));
    return c->t->cls->listen(c->t, c->version);
}

/* The versions of an error -32022 are those that can be spoken. */
static rein_status unsupported(rein_mcp_client *c, struct json_object *error) {
    struct json_object *data = rein_mcp_member(error, "data", json_type_object), *result = json_object_new_object();
    struct json_object *supported = rein_mcp_member(data, "supported", json_type_array);
    if (!result) return rein_fail(REIN_ERR_MEMORY, "out of memory for a message");
    if (supported) json_object_object_add(result, "supportedVersions", json_object_get(supported));
    rein_status status = rein_mcp_discovered(c, result);
    json_object_put(result);
    return status;
}

rein_status rein_mcp_handshake_error(rein_mcp_client *c, int64_t wire, struct json_object *error, const char *why) {
    char text[512];
    const char *message = rein_mcp_string(error, "message");
    struct json_object *code = rein_mcp_member(error, "code", json_type_int);
    if (wire == c->discover_wire) { /* any other error: it does not know the method, so it is of the older era */
        if (c->phase != PHASE_PROBE) return REIN_OK;
        return code && json_object_get_int(code) == REIN_RPC_VERSION ? unsupported(c, error) : rein_mcp_initialize(c);
    }
    snprintf(text, sizeof text, "the server refused the handshake: %s", message ? message : why);
    rein_mcp_break_session(c, text);
    return REIN_OK;
}

/* ---- time ---- */

static rein_status start_session(rein_mcp_client *c, double now) {
    c->health.starts++;
    c->session_noise = 0;
    c->modern = false;
    c->version[0] = '\0';
    json_object_put(c->tools);
    c->tools = NULL;
    rein_status status = c->t->cls->start(c->t);
    if (status == REIN_ERR_IO) {
        rein_mcp_fail_session(c, rein_error_message());
        return REIN_OK;
    }
    if (status != REIN_OK) return status;
    c->phase = PHASE_PROBE;
    c->phase_deadline = now + c->o.start_timeout;
    c->probe_deadline = now + c->o.probe_timeout;
    return rein_mcp_send_session_request(c, "server/discover", NULL, &c->discover_wire);
}

static bool is_wanted(const rein_mcp_client *c) {
    for (const request *r = c->requests; r; r = r->next)
        if (r->state == REQUEST_WAITING) return true;
    return c->health.starts == 0;
}

rein_status rein_mcp_step_session(rein_mcp_client *c) {
    double now = rein_clock();
    if (c->phase == PHASE_DOWN && now >= c->restart_at && is_wanted(c)) return start_session(c, now);
    if (c->phase != PHASE_PROBE && c->phase != PHASE_INITIALIZE) return REIN_OK;
    if (now >= c->phase_deadline)
        rein_mcp_fail_session(c, "the server did not finish its handshake in time");
    else if (c->phase == PHASE_PROBE && now >= c->probe_deadline)
        return rein_mcp_initialize(c);
    return REIN_OK;
}
