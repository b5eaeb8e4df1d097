/* What the server says: answers to our requests, its own requests and notifications; see client_impl.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mcp/client_impl.h"

/* ---- what a server may ask of a client ---- */

/* The defaults of a form's properties. */
static void put_defaults(rein_str *out, struct json_object *params) {
    struct json_object *schema = rein_mcp_member(params, "requestedSchema", json_type_object);
    struct json_object *properties = rein_mcp_member(schema, "properties", json_type_object);
    bool first = true;
    rein_str_puts(out, "{\"action\":\"accept\",\"content\":{");
    if (properties) {
        json_object_object_foreach(properties, key, property) {
            struct json_object *value;
            if (!json_object_is_type(property, json_type_object) ||
                !json_object_object_get_ex(property, "default", &value))
                continue;
            rein_str_puts(out, first ? "" : ",");
            rein_mcp_put_text(out, key);
            rein_str_putc(out, ':');
            rein_mcp_put_json(out, value);
            first = false;
        }
    }
    rein_str_puts(out, "}}");
}

/* The result that the server asks for, appended; false: that is not offered here. */
static bool put_input(rein_str *out, const rein_mcp_client *c, const char *method, struct json_object *params) {
    const char *mode = rein_mcp_string(params, "mode");
    if (strcmp(method, "roots/list") == 0 && c->roots)
        rein_mcp_put_roots(out, c);
    else if (strcmp(method, "elicitation/create") == 0 && c->o.accept_defaults && (!mode || strcmp(mode, "form") == 0))
        put_defaults(out, params);
    else
        return false;
    return true;
}

static rein_status answer_request(rein_mcp_client *c, struct json_object *id, const char *method,
                                  struct json_object *params) {
    rein_str reply = {0};
    rein_str_puts(&reply, "{\"jsonrpc\":\"2.0\",\"id\":");
    rein_mcp_put_json(&reply, id);
    rein_str_puts(&reply, ",\"result\":");
    bool known = strcmp(method, "ping") == 0;
    if (known)
        rein_str_puts(&reply, "{}");
    else
        known = put_input(&reply, c, method, params);
    rein_str_putc(&reply, '}');
    if (!known) {
        c->health.refused++;
        rein_str_clear(&reply);
        rein_mcp_put_error(&reply, id, REIN_RPC_NO_METHOD, "Method not found");
    }
    return rein_mcp_send_text(c, &reply);
}

static void hear_notification(rein_mcp_client *c, const char *method, struct json_object *params) {
    struct json_object *token = rein_mcp_member(params, "progressToken", json_type_int), *value;
    if (strcmp(method, "notifications/tools/list_changed") == 0) {
        c->tools_changed = true;
        json_object_put(c->tools);
        c->tools = NULL;
    }
    if (strcmp(method, "notifications/progress") != 0 || !token) return;
    request *r = rein_mcp_find_wire(c, json_object_get_int64(token));
    if (!r) return;
    r->progress.count++;
    r->progress.progress = json_object_object_get_ex(params, "progress", &value) ? json_object_get_double(value) : NAN;
    r->progress.total = json_object_object_get_ex(params, "total", &value) ? json_object_get_double(value) : NAN;
}

/* ---- answers ---- */

static rein_status add_page(rein_mcp_client *c, request *r, struct json_object *page) {
    for (size_t i = 0; i < json_object_array_length(page); i++) {
        struct json_object *tool = json_object_array_get_idx(page, i);
        const char *wrong = c->t->cls->over_http && c->modern ? rein_mcp_check_marks(tool) : NULL;
        const char *name = rein_mcp_string(tool, "name");
        if (!name || wrong) {
            c->health.dropped_tools++;
            rein_log(REIN_LOG_WARN, "mcp: tool '%.64s' is left out: %s", name ? name : "?", wrong ? wrong : "no name");
            continue;
        }
        if (json_object_array_add(r->tools, json_object_get(tool)) != 0)
            return rein_fail(REIN_ERR_MEMORY, "out of memory for tools");
    }
    return REIN_OK;
}

static rein_status end_list(rein_mcp_client *c, request *r) {
    struct json_object *value = json_object_new_object();
    if (!value) return rein_fail(REIN_ERR_MEMORY, "out of memory for tools");
    json_object_object_add(value, "tools", json_object_get(r->tools));
    if (c->t->cls->over_http && c->modern) {
        json_object_put(c->tools);
        c->tools = json_object_get(r->tools);
    }
    r->result.value = value;
    rein_mcp_end_request(c, r, false, false, "");
    return REIN_OK;
}

static rein_status answer_list(rein_mcp_client *c, request *r, struct json_object *result) {
    struct json_object *page = rein_mcp_member(result, "tools", json_type_array);
    struct json_object *next = rein_mcp_member(result, "nextCursor", json_type_string);
    rein_str cursor = {0};
    if (!page) {
        rein_mcp_end_request(c, r, true, false, "the server answered tools/list without a list");
        return REIN_OK;
    }
    if (!r->tools && !(r->tools = json_object_new_array()))
        return rein_fail(REIN_ERR_MEMORY, "out of memory for tools");
    REIN_TRY(add_page(c, r, page));
    if (!next) return end_list(c, r);
    rein_mcp_put_json(&cursor, next);
    rein_status status = rein_str_check(&cursor);
    bool again =
        status == REIN_OK && r->cursor.len == cursor.len && memcmp(r->cursor.data, cursor.data, cursor.len) == 0;
    rein_str_deinit(&r->cursor);
    r->cursor = cursor;
    if (status != REIN_OK) return status;
    if (!again && ++r->pages < PAGES_MOST) return rein_mcp_send_request(c, r);
    rein_mcp_end_request(c, r, true, false, "the server's list of tools has no end");
    return REIN_OK;
}

/* 2026-07-28: the server wants something first; then the request is made again, with it. */
static rein_status answer_inputs(rein_mcp_client *c, request *r, struct json_object *inputs) {
    rein_str text = {0};
    bool first = true;
    rein_str_putc(&text, '{');
    json_object_object_foreach(inputs, key, input) {
        const char *method = rein_mcp_string(input, "method");
        rein_str_puts(&text, first ? "" : ",");
        rein_mcp_put_text(&text, key);
        rein_str_putc(&text, ':');
        first = false;
        if (method && put_input(&text, c, method, rein_mcp_member(input, "params", json_type_object))) continue;
        c->health.refused++;
        rein_str_deinit(&text);
        rein_mcp_end_request(c, r, false, true, "the server asks for input that is not offered here");
        return REIN_OK;
    }
    rein_str_putc(&text, '}');
    rein_status status = rein_str_check(&text);
    if (status == REIN_OK) status = rein_json_parse(&r->responses, "input", text.data, text.len);
    rein_str_deinit(&text);
    return status;
}

static rein_status input_required(rein_mcp_client *c, request *r, struct json_object *result) {
    struct json_object *inputs = rein_mcp_member(result, "inputRequests", json_type_object), *state = NULL;
    json_object_object_get_ex(result, "requestState", &state);
    json_object_put(r->responses);
    json_object_put(r->state_of_server);
    r->responses = NULL;
    r->state_of_server = json_object_get(state);
    if (++r->rounds > ROUNDS_MOST) {
        rein_mcp_end_request(c, r, false, true, "the server asks for input again and again");
        return REIN_OK;
    }
    if (inputs) REIN_TRY(answer_inputs(c, r, inputs));
    return r->state == REQUEST_SENT ? rein_mcp_send_request(c, r) : REIN_OK;
}

static rein_status answer_call(rein_mcp_client *c, request *r, struct json_object *result) {
    const char *type = rein_mcp_string(result, "resultType");
    struct json_object *is_error = rein_mcp_member(result, "isError", json_type_boolean);
    if (type && strcmp(type, "input_required") == 0) return input_required(c, r, result);
    rein_mcp_put_content(&r->result.text, result);
    r->result.value = json_object_get(result);
    rein_mcp_end_request(c, r, false, is_error && json_object_get_boolean(is_error), "");
    return REIN_OK;
}

static rein_status answer_error(rein_mcp_client *c, request *r, struct json_object *error) {
    struct json_object *code = rein_mcp_member(error, "code", json_type_int);
    const char *message = rein_mcp_string(error, "message");
    int number = code ? json_object_get_int(code) : 0;
    if (number == REIN_RPC_HEADERS && r->kind == REQUEST_CALL && !r->listed_again) { /* our list of tools is old */
        r->listed_again = true;
        r->state = REQUEST_WAITING;
        json_object_put(c->tools);
        c->tools = NULL;
        return REIN_OK;
    }
    rein_str_printf(&r->result.text, "MCP error %d: ", number);
    rein_mcp_end_request(c, r, false, true, message ? message : "?");
    return REIN_OK;
}

static rein_status hear_answer(rein_mcp_client *c, int64_t wire, struct json_object *result,
                               struct json_object *error) {
    bool handshake = c->phase == PHASE_PROBE || c->phase == PHASE_INITIALIZE;
    c->t->cls->finish(c->t, wire, false);
    if (wire == c->discover_wire || wire == c->initialize_wire) {
        if (!handshake) return REIN_OK;
        if (!result) return rein_mcp_handshake_error(c, wire, error, "");
        /* one that answered the probe late is of the newer era nevertheless */
        return wire == c->discover_wire ? rein_mcp_discovered(c, result) : rein_mcp_initialized(c, result);
    }
    request *r = rein_mcp_find_wire(c, wire);
    if (!r) {
        c->health.strays++;
        return REIN_OK;
    }
    rein_mcp_breaker_answer(&c->breaker);
    if (!result) return answer_error(c, r, error);
    if (r->kind == REQUEST_LIST) return answer_list(c, r, result);
    if (r->kind == REQUEST_CALL) return answer_call(c, r, result);
    rein_mcp_end_request(c, r, false, false, "");
    return REIN_OK;
}

/* ---- messages ---- */

static void count_noise(rein_mcp_client *c) {
    c->health.noise++;
    if (++c->session_noise > c->o.noise_max) rein_mcp_fail_session(c, "the server says too much that is no JSON-RPC");
}

static rein_status hear_message(rein_mcp_client *c, int64_t for_wire, struct json_object *m) {
    struct json_object *id = NULL, *result = NULL, *error = rein_mcp_member(m, "error", json_type_object);
    struct json_object *params = rein_mcp_member(m, "params", json_type_object);
    const char *method = rein_mcp_string(m, "method");
    bool has_id = json_object_is_type(m, json_type_object) && json_object_object_get_ex(m, "id", &id);
    bool is_result = json_object_is_type(m, json_type_object) && json_object_object_get_ex(m, "result", &result);
    if (method && has_id && id && !c->modern) return answer_request(c, id, method, params);
    if (method && !has_id) {
        hear_notification(c, method, params);
        return REIN_OK;
    }
    if (method || (!is_result && !error)) {
        count_noise(c);
        return REIN_OK;
    }
    int64_t wire = json_object_is_type(id, json_type_int) ? json_object_get_int64(id) : !id && error ? for_wire : 0;
    if (wire > 0 && (for_wire == 0 || wire == for_wire)) return hear_answer(c, wire, is_result ? result : NULL, error);
    c->health.strays++;
    return REIN_OK;
}

static rein_status hear_text(rein_mcp_client *c, const rein_mcp_event *e) {
    struct json_object *doc;
    rein_status status = rein_mcp_parse(&doc, e->text, e->len);
    if (status == REIN_ERR_FORMAT) {
        count_noise(c);
        return REIN_OK;
    }
    if (status != REIN_OK) return status;
    if (json_object_is_type(doc, json_type_array)) /* a batch, 2025-03-26 */
        for (size_t i = 0; status == REIN_OK && i < json_object_array_length(doc); i++)
            status = hear_message(c, e->id, json_object_array_get_idx(doc, i));
    else
        status = hear_message(c, e->id, doc);
    json_object_put(doc);
    return status;
}

/* There will be no answer to one message. */
static rein_status hear_loss(rein_mcp_client *c, const rein_mcp_event *e) {
    char why[512];
    snprintf(why, sizeof why, "%.*s", (int)(e->len < 400 ? e->len : 400), e->text);
    if (e->id == c->discover_wire || e->id == c->initialize_wire) {
        bool handshake = c->phase == PHASE_PROBE || c->phase == PHASE_INITIALIZE;
        if (!handshake || (e->id == c->discover_wire && c->phase != PHASE_PROBE)) return REIN_OK;
        if (e->http_status > 0 && (e->kind == REIN_MCP_REFUSED || c->phase == PHASE_PROBE))
            return rein_mcp_handshake_error(c, e->id, NULL, why);
        rein_mcp_fail_session(c, why);
        return REIN_OK;
    }
    request *r = rein_mcp_find_wire(c, e->id);
    if (!r) return REIN_OK;
    if (r->kind == REQUEST_SUBSCRIBE)
        rein_mcp_end_request(c, r, true, false, why);
    else if (e->kind == REIN_MCP_LOST)
        rein_mcp_retry_request(c, r, why);
    else
        rein_mcp_end_request(c, r, true, false, why);
    if (e->kind == REIN_MCP_LOST) rein_mcp_count_failure(c);
    return REIN_OK;
}

rein_status rein_mcp_hear(rein_mcp_client *c, const rein_mcp_event *e) {
    c->changes++;
    switch (e->kind) {
    case REIN_MCP_SAID:
        return hear_text(c, e);
    case REIN_MCP_DOWN: {
        char why[512];
        snprintf(why, sizeof why, "%.*s", (int)(e->len < 500 ? e->len : 500), e->text);
        rein_mcp_fail_session(c, why);
        return REIN_OK;
    }
    case REIN_MCP_LOST:
    case REIN_MCP_REFUSED:
        break;
    }
    return hear_loss(c, e);
}
