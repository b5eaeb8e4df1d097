/* The MCP client over streamable HTTP, against a server on a loopback socket that behaves as told: one connection a
 * request. */
#include "testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/json.h"
#include "mcp/client.h"

/* ---- the server ---- */

typedef struct server {
    const char *kind;
    int sessions, calls, refused; /* so far */
    bool resumed;
} server;

typedef struct query {
    char head[8192], *body;
    char id[32], method[64];
    struct json_object *doc;
} query;

/* The value of a header, or "". */
static const char *header(const query *q, const char *name, char out[256]) {
    out[0] = '\0';
    for (const char *at = strstr(q->head, "\r\n"); at && at[2]; at = strstr(at + 2, "\r\n"))
        if (strncasecmp(at + 2, name, strlen(name)) == 0 && at[2 + strlen(name)] == ':') {
            at += 3 + strlen(name);
            at += strspn(at, " ");
            snprintf(out, 256, "%.*s", (int)strcspn(at, "\r"), at);
            break;
        }
    return out;
}

static bool has_header(const query *q, const char *name, const char *value) {
    char got[256];
    return strcmp(header(q, name, got), value) == 0;
}

static bool read_query(int fd, query *q) {
    static char bytes[1 << 16];
    size_t n = 0, length = 0;
    char *end = NULL, value[256];
    *q = (query){.body = bytes};
    while (!end || n < (size_t)(end + 4 - bytes) + length) {
        ssize_t got = read(fd, bytes + n, sizeof bytes - 1 - n);
        if (got <= 0) return false;
        n += (size_t)got;
        bytes[n] = '\0';
        if (end || !(end = strstr(bytes, "\r\n\r\n"))) continue;
        snprintf(q->head, sizeof q->head, "%.*s", (int)(end + 2 - bytes), bytes);
        length = (size_t)atoi(header(q, "Content-Length", value));
    }
    q->body = end + 4;
    q->doc = length ? json_tokener_parse(q->body) : NULL;
    if (!q->doc) return true;
    snprintf(q->id, sizeof q->id, "%s", json_object_to_json_string(json_object_object_get(q->doc, "id")));
    const char *method = json_object_get_string(json_object_object_get(q->doc, "method"));
    snprintf(q->method, sizeof q->method, "%s", method ? method : "");
    return true;
}

static void put(int fd, const char *text) {
    size_t n = strlen(text);
    while (n > 0) {
        ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
        if (sent <= 0) return;
        text += sent;
        n -= (size_t)sent;
    }
}

static void reply(int fd, const char *status, const char *headers, const char *body) {
    char head[512];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", status,
             strlen(body), headers);
    put(fd, head);
    put(fd, body);
}

#define JSON "Content-Type: application/json\r\n"
#define SSE  "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n"

static void reply_result(int fd, const query *q, const char *headers, const char *result) {
    char body[4096];
    snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}", q->id, result);
    reply(fd, "200 OK", headers, body);
}

static void reply_error(int fd, const query *q, const char *status, int code) {
    char body[256];
    snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":\"no\"}}", q->id,
             code);
    reply(fd, status, JSON, body);
}

#define TEXT(text) "{\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}"

/* An answer in pieces, with a notification before it. */
static void reply_stream(int fd, const query *q) {
    char event[512];
    put(fd, SSE ": hello\r\n\r\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\nda");
    usleep(20000);
    snprintf(event, sizeof event, "ta: {\"jsonrpc\":\"2.0\",\"id\":%s,\ndata: \"result\":" TEXT("streamed") "}\n\n",
             q->id);
    put(fd, event);
}

/* The stream breaks off before its answer, which a GET brings. */
static void reply_later(server *s, int fd, const query *q) {
    static char id[32];
    char event[512];
    if (*q->method) {
        snprintf(id, sizeof id, "%s", q->id);
        put(fd, SSE "id: e1\nretry: 50\ndata:\n\n");
    } else if (has_header(q, "Last-Event-ID", "e1") && !s->resumed) {
        s->resumed = true;
        put(fd, SSE "id: e2\ndata:\n\n"); /* once more */
    } else if (has_header(q, "Last-Event-ID", "e2")) {
        snprintf(event, sizeof event, SSE "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":" TEXT("resumed") "}\n\n",
                 id);
        put(fd, event);
    } else {
        reply(fd, "405 Method Not Allowed", "", "");
    }
}

static void reply_endlessly(int fd) {
    static char much[1 << 16];
    memset(much, 'x', sizeof much);
    put(fd, SSE "data: ");
    while (send(fd, much, sizeof much, MSG_NOSIGNAL) > 0) continue;
}

static void legacy_call(server *s, int fd, const query *q) {
    s->calls++;
    if (strcmp(s->kind, "stream") == 0)
        reply_stream(fd, q);
    else if (strcmp(s->kind, "later") == 0)
        reply_later(s, fd, q);
    else if (strcmp(s->kind, "busy") == 0 && s->calls < 3)
        reply(fd, "503 Service Unavailable", "", "<html>busy</html>");
    else if (strcmp(s->kind, "broken") == 0 && s->calls < 3)
        return; /* closes */
    else if (strcmp(s->kind, "forbidden") == 0)
        reply(fd, "403 Forbidden", "", "no");
    else if (strcmp(s->kind, "empty") == 0)
        reply(fd, "200 OK", JSON, "");
    else if (strcmp(s->kind, "forgetful") == 0 && s->sessions == 1)
        reply(fd, "404 Not Found", "", "");
    else if (strcmp(s->kind, "endless") == 0)
        reply_endlessly(fd);
    else
        reply_result(fd, q, JSON, TEXT("done"));
}

static void legacy(server *s, int fd, const query *q) {
    char session[128];
    snprintf(session, sizeof session, JSON "Mcp-Session-Id: session-%d\r\n", s->sessions + 1);
    if (strcmp(q->method, "server/discover") == 0) {
        reply(fd, "400 Bad Request", JSON,
              "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"not initialized\"},\"id\":null}");
        return;
    }
    if (strcmp(q->method, "initialize") == 0) {
        s->sessions++;
        reply_result(fd, q, session,
                     "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"serverInfo\":{\"name\":\"h\"}}");
        return;
    }
    snprintf(session, sizeof session, "session-%d", s->sessions);
    if (!has_header(q, "Mcp-Session-Id", session) || !has_header(q, "MCP-Protocol-Version", "2025-06-18") ||
        !has_header(q, "X-Own", "yes")) {
        s->refused++;
        reply(fd, "400 Bad Request", "", "");
    } else if (strcmp(q->method, "tools/call") == 0) {
        legacy_call(s, fd, q);
    } else if (strncmp(q->head, "GET", 3) == 0 && strcmp(s->kind, "later") == 0) {
        reply_later(s, fd, q);
    } else if (strncmp(q->head, "GET", 3) == 0) {
        reply(fd, "405 Method Not Allowed", "", "");
    } else {
        reply(fd, "202 Accepted", "", "");
    }
}

static void modern(server *s, int fd, const query *q) {
    struct json_object *params = json_object_object_get(q->doc, "params");
    if (!has_header(q, "MCP-Protocol-Version", "2026-07-28") || !has_header(q, "Mcp-Method", q->method) ||
        !json_object_object_get(params, "_meta")) {
        reply_error(fd, q, "400 Bad Request", -32020);
    } else if (strcmp(q->method, "server/discover") == 0) {
        reply_result(fd, q, JSON, "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}");
    } else if (strcmp(q->method, "tools/list") == 0) { /* another header from the second list on */
        reply_result(fd, q, JSON,
                     s->sessions++
                         ? "{\"tools\":[{\"name\":\"f\",\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"string\","
                           "\"x-mcp-header\":\"A\"}}}}]}"
                         : "{\"tools\":[{\"name\":\"f\",\"inputSchema\":{}},{\"name\":\"bad\",\"inputSchema\":{"
                           "\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}}}}]}");
    } else if (has_header(q, "Mcp-Name", "f") && has_header(q, "Mcp-Param-A", "value")) {
        reply_result(fd, q, JSON, TEXT("with headers"));
    } else {
        reply_error(fd, q, "400 Bad Request", -32020);
    }
}

static void serve(const char *kind, int listener) {
    server s = {.kind = kind};
    for (;;) {
        query q;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) _exit(1);
        if (read_query(fd, &q)) strcmp(kind, "modern") == 0 ? modern(&s, fd, &q) : legacy(&s, fd, &q);
        json_object_put(q.doc);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
}

static pid_t start_server(const char *kind, char url[64]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    snprintf(url, 64, "http://127.0.0.1:%d/mcp", ntohs(address.sin_port));
    pid_t pid = fork();
    if (pid == 0) alarm(60), serve(kind, listener); /* a failed check does not stop it */
    close(listener);
    return pid;
}

static void stop_server(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- the tests ---- */

static const char *const own_headers[] = {"X-Own: yes", NULL};

static rein_mcp_client *open_url(const char *url) {
    rein_mcp_client *c;
    OK(rein_mcp_open(&c,
                     &(rein_mcp_options){
                         .url = url, .headers = own_headers, .backoff = 0.01, .timeout = 8, .message_max = 1 << 20}));
    return c;
}

static rein_mcp_result call(rein_mcp_client *c) {
    struct json_object *args = json_object_new_object();
    rein_mcp_result r;
    int64_t id;
    json_object_object_add(args, "a", json_object_new_string("value"));
    OK(rein_mcp_call(c, "f", args, &id));
    json_object_put(args);
    OK(rein_mcp_wait(c, id, &r));
    return r;
}

/* A call of a server of that kind: what it says, after how many attempts; NULL: it fails with `why`. */
static void check(const char *kind, const char *text, int attempts, const char *why) {
    char url[64];
    pid_t pid = start_server(kind, url);
    rein_mcp_client *c = open_url(url);
    rein_mcp_result r = call(c);
    if (r.failed != !text || r.is_error) fail_msg("%s: %s", kind, r.text.data);
    if (text) assert_string_equal(r.text.data, text);
    if (why && !strstr(r.text.data, why)) fail_msg("%s: '%s' is not in '%s'", kind, why, r.text.data);
    assert_int_equal(r.attempts, attempts);
    rein_mcp_result_deinit(&r);
    rein_mcp_close(c);
    stop_server(pid);
}

static void test_answers(void **state) {
    (void)state;
    check("plain", "done", 1, NULL);
    check("stream", "streamed", 1, NULL);
    check("later", "resumed", 1, NULL);
}

static void test_failures(void **state) {
    (void)state;
    check("busy", "done", 3, NULL);
    check("broken", "done", 3, NULL);
    check("forgetful", "done", 2, NULL);
    check("forbidden", NULL, 1, "HTTP status 403");
    check("empty", NULL, 3, "ended without an answer");
    check("endless", NULL, 3, "a message of more than 1048576 bytes");
}

/* The list tells which headers a call needs; when the server says that they are wrong, it is asked again. */
static void test_modern(void **state) {
    char url[64];
    (void)state;
    pid_t pid = start_server("modern", url);
    rein_mcp_client *c = open_url(url);
    rein_mcp_result r = call(c);
    if (r.failed || r.is_error) fail_msg("%s", r.text.data);
    assert_string_equal(r.text.data, "with headers");
    assert_string_equal(rein_mcp_version(c), "2026-07-28");
    assert_int_equal(rein_mcp_get_health(c).dropped_tools, 1);
    rein_mcp_result_deinit(&r);
    rein_mcp_close(c);
    stop_server(pid);
}

static void test_nobody(void **state) {
    char url[64];
    (void)state;
    stop_server(start_server("plain", url));
    rein_mcp_client *c = open_url(url);
    rein_mcp_result r = call(c);
    assert_true(r.failed && r.attempts == 3);
    rein_mcp_result_deinit(&r);
    for (int i = 0; i < 2; i++) {
        r = call(c);
        assert_true(r.failed);
        if (i == 1) assert_non_null(strstr(r.text.data, "the circuit is open"));
        rein_mcp_result_deinit(&r);
    }
    rein_mcp_close(c);
}

static rein_status use_client(const char *url) {
    rein_mcp_client *c = NULL;
    rein_mcp_result r = {.failed = false};
    int64_t id;
    rein_status status;
    REIN_TRY_OUT(
        status,
        rein_mcp_open(&c, &(rein_mcp_options){.url = url, .headers = own_headers, .attempts = 1, .backoff = 0.01}),
        out);
    REIN_TRY_OUT(status, rein_mcp_call(c, "f", NULL, &id), out);
    REIN_TRY_OUT(status, rein_mcp_wait(c, id, &r), out);
    REIN_TRY_OUT(status, rein_str_check(&r.text), out);
    if (!r.failed && strcmp(r.text.data, "streamed") != 0) status = REIN_ERR_MISMATCH;
out:
    rein_mcp_result_deinit(&r);
    rein_mcp_close(c);
    return status;
}

/* Any allocation may fail: that is said, or (in what libcurl calls) a lost connection. */
static void test_memory(void **state) {
    char url[64];
    (void)state;
    pid_t pid = start_server("stream", url);
    int64_t before = rein_alloc_count();
    OK(use_client(url));
    int64_t n = rein_alloc_count() - before, refused = 0;
    for (int64_t k = 1; k <= n; k++) {
        rein_alloc_fail_after(k);
        rein_status status = use_client(url);
        rein_alloc_fail_after(0);
        refused += status == REIN_ERR_MEMORY;
        if (status != REIN_ERR_MEMORY && status != REIN_OK)
            fail_msg("allocation %d of %d refused: %s", (int)k, (int)n, rein_error_message());
    }
    assert_true(refused > n / 2);
    stop_server(pid);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_modern), cmocka_unit_test(test_nobody),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
