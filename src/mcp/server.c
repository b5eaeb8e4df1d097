/* An MCP server; see server.h. */
#include "mcp/server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mcp/protocol.h"

enum { CHUNK = 1 << 16, LINE_MAX_BYTES = 64 << 20 };

typedef struct server {
    const rein_mcp_service *s;
    int out;
    rein_str reply;
} server;

/* ---- replies ---- */

static void begin_result(server *v, struct json_object *id) {
    rein_str_puts(&v->reply, "{\"jsonrpc\":\"2.0\",\"id\":");
    rein_mcp_put_json(&v->reply, id);
    rein_str_puts(&v->reply, ",\"result\":{");
}

static void put_identity(server *v) {
    rein_str_puts(&v->reply, "{\"name\":");
    rein_mcp_put_text(&v->reply, v->s->name);
    rein_str_puts(&v->reply, ",\"version\":");
    rein_mcp_put_text(&v->reply, v->s->version);
    rein_str_putc(&v->reply, '}');
}

/* What 2026-07-28 wants in every result; older clients skip it. */
static void end_result(server *v) {
    rein_str_puts(&v->reply, ",\"resultType\":\"complete\",\"_meta\":{\"" REIN_MCP_META "serverInfo\":");
    put_identity(v);
    rein_str_puts(&v->reply, "}}}");
}

static void put_failure(server *v, struct json_object *id) {
    rein_mcp_put_error(&v->reply, id, REIN_RPC_INTERNAL, rein_error_message());
}

/* ---- methods ---- */

static void initialize(server *v, struct json_object *id, struct json_object *params) {
    const char *asked = rein_mcp_string(params, "protocolVersion");
    begin_result(v, id);
    rein_str_puts(&v->reply, "\"protocolVersion\":");
    rein_mcp_put_text(&v->reply, asked && rein_mcp_is_legacy(asked) ? asked : REIN_MCP_LATEST_LEGACY);
    rein_str_puts(&v->reply, ",\"capabilities\":{\"tools\":{}},\"serverInfo\":");
    put_identity(v);
    rein_str_puts(&v->reply, "}}");
}

static void ping(server *v, struct json_object *id, struct json_object *params) {
    (void)params;
    begin_result(v, id);
    rein_str_puts(&v->reply, "}}");
}

static void discover(server *v, struct json_object *id, struct json_object *params) {
    (void)params;
    begin_result(v, id);
    rein_str_puts(&v->reply,
                  "\"supportedVersions\":[\"" REIN_MCP_MODERN "\"],\"capabilities\":{\"tools\":{}},\"ttlMs\":0,"
                  "\"cacheScope\":\"private\"");
    end_result(v);
}

static void list_tools(server *v, struct json_object *id, struct json_object *params) {
    rein_str tools = {0};
    (void)params;
    rein_status status = v->s->list(v->s->user, &tools);
    if (status == REIN_OK) status = rein_str_check(&tools);
    if (status == REIN_OK) {
        begin_result(v, id);
        rein_str_puts(&v->reply, "\"tools\":");
        rein_str_append(&v->reply, tools.data, tools.len);
        rein_str_puts(&v->reply, ",\"ttlMs\":0,\"cacheScope\":\"private\"");
        end_result(v);
    } else {
        put_failure(v, id);
    }
    rein_str_deinit(&tools);
}

static void put_call(server *v, struct json_object *id, const char *name, struct json_object *args) {
    rein_str text = {0};
    bool is_error = false;
    rein_status status = v->s->call(v->s->user, name, args, &text, &is_error);
    if (status == REIN_OK) status = rein_str_check(&text);
    if (status == REIN_OK) {
        begin_result(v, id);
        rein_str_puts(&v->reply, "\"content\":[{\"type\":\"text\",\"text\":");
        rein_json_put_string(&v->reply, text.data ? text.data : "", text.len);
        rein_str_printf(&v->reply, "}],\"isError\":%s", is_error ? "true" : "false");
        end_result(v);
    } else {
        put_failure(v, id);
    }
    rein_str_deinit(&text);
}

static void call_tool(server *v, struct json_object *id, struct json_object *params) {
    const char *name = rein_mcp_string(params, "name");
    struct json_object *args = NULL, *none = NULL;
    if (params) json_object_object_get_ex(params, "arguments", &args);
    if (!name) {
        rein_mcp_put_error(&v->reply, id, REIN_RPC_PARAMS, "params.name: expected the name of a tool");
    } else if (args && !json_object_is_type(args, json_type_object)) {
        rein_mcp_put_error(&v->reply, id, REIN_RPC_PARAMS, "params.arguments: expected an object");
    } else if (!args && !(none = json_object_new_object())) {
        rein_mcp_put_error(&v->reply, id, REIN_RPC_INTERNAL, "out of memory");
    } else {
        put_call(v, id, name, args ? args : none);
    }
    json_object_put(none);
}

/* ---- requests ---- */

/* A request of 2026-07-28 says its version; true if it can be answered, else the error is written. */
static bool check_meta(server *v, struct json_object *id, struct json_object *params) {
    struct json_object *meta = rein_mcp_member(params, "_meta", json_type_object);
    const char *version = rein_mcp_string(meta, REIN_MCP_META "protocolVersion");
    if (!version) return true;
    if (strcmp(version, REIN_MCP_MODERN) != 0) {
        rein_str_puts(&v->reply, "{\"jsonrpc\":\"2.0\",\"id\":");
        rein_mcp_put_json(&v->reply, id);
        rein_str_printf(&v->reply,
                        ",\"error\":{\"code\":%d,\"message\":\"Unsupported protocol version\",\"data\":{"
                        "\"supported\":[\"" REIN_MCP_MODERN "\",\"" REIN_MCP_LATEST_LEGACY "\"],\"requested\":",
                        REIN_RPC_VERSION);
        rein_mcp_put_text(&v->reply, version);
        rein_str_puts(&v->reply, "}}}");
        return false;
    }
    if (rein_mcp_member(meta, REIN_MCP_META "clientCapabilities", json_type_object)) return true;
    rein_mcp_put_error(&v->reply, id, REIN_RPC_PARAMS, "_meta has no " REIN_MCP_META "clientCapabilities");
    return false;
}

static void answer_request(server *v, struct json_object *id, const char *method, struct json_object *params) {
    static const struct {
        const char *name;
        void (*run)(server *v, struct json_object *id, struct json_object *params);
    } methods[] = {{"initialize", initialize},
                   {"ping", ping},
                   {"server/discover", discover},
                   {"tools/list", list_tools},
                   {"tools/call", call_tool}};
    if (!check_meta(v, id, params)) return;
    for (size_t i = 0; i < REIN_COUNT(methods); i++) {
        if (strcmp(methods[i].name, method) != 0) continue;
        methods[i].run(v, id, params);
        return;
    }
    rein_mcp_put_error(&v->reply, id, REIN_RPC_NO_METHOD, "Method not found");
}

/* Nothing is written for notifications, and for answers to what was never asked. */
static void answer(server *v, struct json_object *message) {
    struct json_object *id = NULL, *params = rein_mcp_member(message, "params", json_type_object);
    const char *method = rein_mcp_string(message, "method");
    bool has_id = json_object_is_type(message, json_type_object) && json_object_object_get_ex(message, "id", &id);
    bool good_id = json_object_is_type(id, json_type_string) || json_object_is_type(id, json_type_int);
    if (method && has_id && good_id)
        answer_request(v, id, method, params);
    else if (method ? has_id : !has_id)
        rein_mcp_put_error(&v->reply, NULL, REIN_RPC_INVALID, "expected one JSON-RPC request or notification a line");
}

static rein_status write_reply(server *v) {
    REIN_TRY(rein_str_check(&v->reply));
    if (v->reply.len == 0) return REIN_OK;
    for (size_t i = 0; i < v->reply.len; i++)
        if (v->reply.data[i] == '\n') v->reply.data[i] = ' '; /* between the tokens of a service's own JSON */
    rein_str_putc(&v->reply, '\n');
    REIN_TRY(rein_str_check(&v->reply));
    for (size_t at = 0; at < v->reply.len;) {
        ssize_t n = write(v->out, v->reply.data + at, v->reply.len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return rein_fail(REIN_ERR_IO, "writing to the client: %s", strerror(errno));
        at += (size_t)n;
    }
    rein_str_clear(&v->reply);
    return REIN_OK;
}

static rein_status answer_line(server *v, const char *line, size_t len) {
    struct json_object *message;
    if (strspn(line, " \t\r") >= len) return REIN_OK; /* blank; the byte behind the line is a newline */
    rein_status status = rein_mcp_parse(&message, line, len);
    if (status == REIN_OK) {
        answer(v, message);
        json_object_put(message);
    } else if (status == REIN_ERR_FORMAT) {
        rein_mcp_put_error(&v->reply, NULL, REIN_RPC_PARSE, rein_error_message());
    } else {
        return status;
    }
    return write_reply(v);
}

/* Answer the whole lines of the buffer and drop them. */
static rein_status answer_lines(server *v, rein_str *buffer) {
    size_t at = 0;
    rein_status status = REIN_OK;
    for (const char *end;
         status == REIN_OK && at < buffer->len && (end = memchr(buffer->data + at, '\n', buffer->len - at));) {
        status = answer_line(v, buffer->data + at, (size_t)(end - buffer->data) - at);
        at = (size_t)(end - buffer->data) + 1;
    }
    if (at > 0) {
        buffer->len -= at;
        memmove(buffer->data, buffer->data + at, buffer->len + 1);
    }
    return status;
}

/* *ended: the input has ended. *whole: a line has. A line that is too long is thrown away, up to its end. */
static rein_status read_some(server *v, int in, rein_str *buffer, bool *too_long, bool *whole, bool *ended) {
    char chunk[CHUNK];
    ssize_t n = read(in, chunk, sizeof chunk);
    *whole = false;
    if (n < 0 && errno == EINTR) return REIN_OK;
    if (n < 0 && errno != ECONNRESET) return rein_fail(REIN_ERR_IO, "reading from the client: %s", strerror(errno));
    *ended = n <= 0;
    if (*ended) return REIN_OK;
    const char *from = chunk, *newline = memchr(chunk, '\n', (size_t)n);
    if (*too_long && !newline) return REIN_OK;
    if (*too_long) from = newline + 1;
    *too_long = false;
    *whole = newline != NULL;
    rein_str_append(buffer, from, (size_t)(chunk + n - from));
    REIN_TRY(rein_str_check(buffer));
    if (newline || buffer->len <= LINE_MAX_BYTES) return REIN_OK;
    *too_long = true;
    rein_str_clear(buffer);
    rein_mcp_put_error(&v->reply, NULL, REIN_RPC_INVALID, "a line of more than 64 MiB");
    return write_reply(v);
}

rein_status rein_mcp_serve(const rein_mcp_service *service, int in, int out) {
    server v = {.s = service, .out = out};
    rein_str buffer = {0};
    rein_status status = REIN_OK;
    for (bool ended = false, too_long = false, whole; status == REIN_OK && !ended;) {
        status = read_some(&v, in, &buffer, &too_long, &whole, &ended);
        if (status == REIN_OK && whole) status = answer_lines(&v, &buffer);
    }
    rein_str_deinit(&buffer);
    rein_str_deinit(&v.reply);
    return status;
}
