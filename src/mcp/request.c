/* Requests, notifications and answers as messages; see client_impl.h. */
#include <string.h>

#include "mcp/client_impl.h"

void rein_mcp_put_capabilities(rein_str *out, const rein_mcp_client *c) {
    rein_str_putc(out, '{');
    if (c->roots) rein_str_puts(out, "\"roots\":{\"listChanged\":true}");
    if (c->o.accept_defaults)
        rein_str_printf(out, "%s\"elicitation\":{\"form\":{\"applyDefaults\":true}}", c->roots ? "," : "");
    rein_str_putc(out, '}');
}

void rein_mcp_put_roots(rein_str *out, const rein_mcp_client *c) {
    rein_str uri = {0};
    rein_str_puts(out, "{\"roots\":[");
    for (const char *const *r = c->roots; r && *r; r++) {
        rein_str_clear(&uri);
        rein_str_puts(&uri, strncmp(*r, "file://", 7) == 0 ? "" : "file://");
        rein_str_puts(&uri, *r);
        rein_str_puts(out, r == c->roots ? "{\"uri\":" : ",{\"uri\":");
        rein_json_put_string(out, uri.data ? uri.data : "", uri.len);
        rein_str_putc(out, '}');
    }
    rein_str_puts(out, "]}");
    out->failed = out->failed || uri.failed;
    rein_str_deinit(&uri);
}

/* `members` are those of "params" without braces; `progress` asks for notifications about them. */
static void put_request(rein_str *out, const rein_mcp_client *c, int64_t wire, const char *method, const char *members,
                        bool progress) {
    bool modern = c->modern || c->phase == PHASE_PROBE;
    rein_str_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"%s\",\"params\":{%s", (long long)wire, method,
                    members ? members : "");
    if (modern || progress) rein_str_puts(out, members && *members ? ",\"_meta\":{" : "\"_meta\":{");
    if (progress) rein_str_printf(out, "\"progressToken\":%lld%s", (long long)wire, modern ? "," : "}");
    if (modern) {
        rein_str_puts(out, "\"" REIN_MCP_META "protocolVersion\":\"" REIN_MCP_MODERN "\",\"" REIN_MCP_META
                           "clientInfo\":" REIN_MCP_IDENTITY ",\"" REIN_MCP_META "clientCapabilities\":");
        rein_mcp_put_capabilities(out, c);
        rein_str_putc(out, '}');
    }
    rein_str_puts(out, "}}");
}

static void put_standard_headers(rein_str *out, const char *method, const char *name) {
    rein_str_printf(out, "Mcp-Method: %s\n", method);
    if (!name) return;
    rein_str_puts(out, "Mcp-Name: ");
    rein_mcp_put_header_value(out, name, strlen(name));
    rein_str_putc(out, '\n');
}

static rein_status send_message(rein_mcp_client *c, int64_t wire, const rein_str *text, const rein_str *headers) {
    const char *version = c->phase == PHASE_PROBE ? REIN_MCP_MODERN : *c->version ? c->version : NULL;
    if (c->phase == PHASE_DOWN || c->phase == PHASE_BROKEN) return REIN_OK; /* nobody is there */
    REIN_TRY(rein_str_check(text));
    if (headers) REIN_TRY(rein_str_check(headers));
    return c->t->cls->send(c->t, &(rein_mcp_outgoing){.id = wire,
                                                      .text = text->data,
                                                      .len = text->len,
                                                      .version = version,
                                                      .headers = headers ? headers->data : NULL});
}

rein_status rein_mcp_send_text(rein_mcp_client *c, rein_str *text) {
    rein_status status = send_message(c, 0, text, NULL);
    rein_str_deinit(text);
    return status;
}

rein_status rein_mcp_notify(rein_mcp_client *c, const char *method, const char *params) {
    rein_str text = {0};
    rein_str_printf(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\"", method);
    if (params) rein_str_printf(&text, ",\"params\":%s", params);
    rein_str_putc(&text, '}');
    return rein_mcp_send_text(c, &text);
}

rein_status rein_mcp_send_session_request(rein_mcp_client *c, const char *method, const char *params, int64_t *wire) {
    rein_str text = {0}, headers = {0};
    *wire = ++c->next_wire;
    put_request(&text, c, *wire, method, params, false);
    if (c->phase == PHASE_PROBE) put_standard_headers(&headers, method, NULL);
    rein_status status = send_message(c, *wire, &text, &headers);
    rein_str_deinit(&text);
    rein_str_deinit(&headers);
    return status;
}

static void put_call_params(rein_str *out, const request *r) {
    rein_str_puts(out, "\"name\":");
    rein_mcp_put_text(out, r->name);
    rein_str_puts(out, ",\"arguments\":");
    if (r->args)
        rein_mcp_put_json(out, r->args);
    else
        rein_str_puts(out, "{}");
    if (r->responses) {
        rein_str_puts(out, ",\"inputResponses\":");
        rein_mcp_put_json(out, r->responses);
    }
    if (r->state_of_server) {
        rein_str_puts(out, ",\"requestState\":");
        rein_mcp_put_json(out, r->state_of_server);
    }
}

static const char *put_params(rein_str *out, const request *r) {
    switch (r->kind) {
    case REQUEST_LIST:
        if (r->cursor.len > 0) rein_str_printf(out, "\"cursor\":%s", r->cursor.data);
        return "tools/list";
    case REQUEST_CALL:
        put_call_params(out, r);
        return "tools/call";
    case REQUEST_SUBSCRIBE:
        break;
    }
    rein_str_puts(out, "\"notifications\":{\"toolsListChanged\":true}");
    return "subscriptions/listen";
}

rein_status rein_mcp_send_request(rein_mcp_client *c, request *r) {
    rein_str text = {0}, params = {0}, headers = {0};
    const char *method = put_params(&params, r);
    rein_status status = rein_str_check(&params);
    r->wire = ++c->next_wire;
    r->state = REQUEST_SENT;
    put_request(&text, c, r->wire, method, params.data, r->kind == REQUEST_CALL);
    if (c->modern && c->t->cls->over_http) {
        put_standard_headers(&headers, method, r->name);
        if (r->kind == REQUEST_CALL)
            rein_mcp_put_param_headers(&headers, rein_mcp_find_tool(c->tools, r->name), r->args);
    }
    if (status == REIN_OK) status = send_message(c, r->wire, &text, &headers);
    rein_str_deinit(&text);
    rein_str_deinit(&params);
    rein_str_deinit(&headers);
    return status;
}
