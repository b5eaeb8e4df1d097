/* What client and server of MCP are made of: events, headers, signatures, messages, the circuit; and the server's
 * answers. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "mcp/breaker.h"
#include "mcp/protocol.h"
#include "mcp/server.h"
#include "mcp/sse.h"
#include "mcp/tools.h"

static struct json_object *json(const char *text) {
    struct json_object *doc;
    OK(rein_json_parse(&doc, "test", text, strlen(text)));
    return doc;
}

/* ---- server-sent events ---- */

static rein_status gather(void *user, const char *data, size_t len) {
    rein_str_append(user, data, len);
    rein_str_putc(user, '|');
    return REIN_OK;
}

static const char STREAM[] =
    ": hello\r\n\r\nid: 1\nretry: 500\ndata:\n\ndata: one\r\rdata:two\ndata:  three\nevent: x\n\n"
    "id\ndata\ndata\n\nretry: 1x\nid: 7\ndata: {}\r\n\r\ndata: unfinished";

static void check_stream(const rein_sse *s, const rein_str *got) {
    assert_string_equal(got->data, "one|two\n three|\n|{}|");
    assert_string_equal(s->id.data, "7");
    assert_true(s->has_retry);
    assert_int_equal(s->retry, 500);
}

/* However the bytes are cut into pieces. */
static void test_sse(void **state) {
    (void)state;
    for (size_t piece = 1; piece < sizeof STREAM; piece++) {
        rein_sse s = {0};
        rein_str got = {0};
        for (size_t at = 0; at < sizeof STREAM - 1; at += piece) {
            size_t n = sizeof STREAM - 1 - at < piece ? sizeof STREAM - 1 - at : piece;
            OK(rein_sse_feed(&s, STREAM + at, n, 1000, gather, &got));
        }
        check_stream(&s, &got);
        rein_sse_reconnect(&s);
        OK(rein_sse_feed(&s, "data: next\n\n", 12, 1000, gather, &got));
        assert_string_equal(got.data + got.len - 5, "next|");
        rein_sse_deinit(&s);
        rein_str_deinit(&got);
    }
}

static void test_sse_limits(void **state) {
    rein_sse s = {0};
    rein_str got = {0}, id = {0};
    rein_status status = REIN_OK;
    (void)state;
    for (int i = 0; i < 100 && status == REIN_OK; i++)
        status = rein_sse_feed(&s, "data: 0123456789\n", 17, 500, gather, &got);
    assert_int_equal(status, REIN_ERR_FORMAT);
    rein_sse_deinit(&s);
    s = (rein_sse){0};
    rein_str_puts(&id, "id: ");
    for (int i = 0; i < 2000; i++) rein_str_putc(&id, 'x');
    rein_str_puts(&id, "\nretry: 99999999999999999999\n\n");
    OK(rein_sse_feed(&s, id.data, id.len, 5000, gather, &got));
    assert_int_equal(s.id.len, 0);
    assert_int_equal(s.retry, 86400000);
    rein_sse_deinit(&s);
    rein_str_deinit(&id);
    rein_str_deinit(&got);
}

/* ---- tools ---- */

static void signs(const char *tool, const char *expected) {
    struct json_object *doc = json(tool);
    rein_str text = {0};
    rein_mcp_put_signature(&text, doc);
    assert_string_equal(text.data, expected);
    rein_str_deinit(&text);
    json_object_put(doc);
}

static void test_signature(void **state) {
    (void)state;
    signs("{\"name\":\"f\",\"inputSchema\":{\"properties\":{\"b\":{},\"a\":{},\"c\":1},\"required\":[\"c\",5,\"b\"]}}",
          "f(b, a?, c)");
    signs("{\"name\":\"f\"}", "f()");
    signs("{\"inputSchema\":[]}", "?()");
}

static void shows(const char *result, const char *expected) {
    struct json_object *doc = json(result);
    rein_str text = {0};
    rein_mcp_put_content(&text, doc);
    assert_string_equal(text.data ? text.data : "", expected);
    rein_str_deinit(&text);
    json_object_put(doc);
}

static void test_content(void **state) {
    (void)state;
    shows("{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\",\"data\":\"\"},{\"type\":\"resource\","
          "\"resource\":{\"text\":\"b\"}},3]}",
          "a\n[image]\nb\n[?]");
    shows("{\"structuredContent\":{\"a\":[1]}}", "{\"a\":[1]}");
    shows("{\"content\":[],\"structuredContent\":5}", "5");
    shows("{}", "");
    shows("[]", "");
}

static void encodes(const char *text, const char *expected) {
    rein_str out = {0};
    rein_mcp_put_header_value(&out, text, strlen(text));
    assert_string_equal(out.data ? out.data : "", expected);
    rein_str_deinit(&out);
}

/* The specification's own examples. */
static void test_header_value(void **state) {
    (void)state;
    encodes("us-west1", "us-west1");
    encodes("Hello, \xe4\xb8\x96\xe7\x95\x8c", "=?base64?SGVsbG8sIOS4lueVjA==?=");
    encodes(" padded ", "=?base64?IHBhZGRlZCA=?=");
    encodes("line1\nline2", "=?base64?bGluZTEKbGluZTI=?=");
    encodes("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=");
    encodes("", "");
}

static void test_marks(void **state) {
    static const struct {
        const char *properties, *wrong;
    } cases[] = {
        {"\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},\"b\":{\"properties\":{\"c\":{\"type\":\"integer\","
         "\"x-mcp-header\":\"B-1\"}}}",
         NULL},
        {"\"x-mcp-header\":{\"type\":\"string\"}", NULL}, /* a parameter of that name */
        {"\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}", "no header name"},
        {"\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a b\"}", "no header name"},
        {"\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a\\r\\nb\"}", "no header name"},
        {"\"a\":{\"type\":\"string\",\"x-mcp-header\":5}", "no string"},
        {"\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}", "no string, integer or boolean"},
        {"\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},\"b\":{\"type\":\"string\",\"x-mcp-header\":\"a\"}",
         "twice"},
        {"\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}", "no path of properties"},
        {"\"a\":{\"anyOf\":[{\"properties\":{\"b\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}]}", "no path"}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        char text[512];
        snprintf(text, sizeof text, "{\"inputSchema\":{\"properties\":{%s}}}", cases[i].properties);
        struct json_object *tool = json(text);
        const char *wrong = rein_mcp_check_marks(tool);
        if (!wrong != !cases[i].wrong || (wrong && !strstr(wrong, cases[i].wrong))) fail_msg("%s: %s", text, wrong);
        json_object_put(tool);
    }
}

static void test_param_headers(void **state) {
    struct json_object *tool =
        json("{\"inputSchema\":{\"properties\":{\"a\":{\"x-mcp-header\":\"A\"},\"b\":{\"x-mcp-header\":\"B\"},\"n\":{"
             "\"properties\":{\"d\":{\"x-mcp-header\":\"D\"}}},\"e\":{\"x-mcp-header\":\"E\"},\"f\":{\"x-mcp-header\":"
             "\"F\"}}}}");
    struct json_object *args = json("{\"a\":\"\xc3\xa4\",\"b\":null,\"n\":{\"d\":-7},\"e\":false,\"other\":1}");
    rein_str out = {0};
    (void)state;
    rein_mcp_put_param_headers(&out, tool, args);
    rein_mcp_put_param_headers(&out, NULL, args);
    rein_mcp_put_param_headers(&out, tool, NULL);
    assert_string_equal(out.data, "Mcp-Param-A: =?base64?w6Q=?=\nMcp-Param-E: false\nMcp-Param-D: -7\n");
    rein_str_deinit(&out);
    json_object_put(tool);
    json_object_put(args);
}

/* ---- messages ---- */

static void repairs(const char *text, const char *expected) {
    struct json_object *doc;
    rein_str out = {0};
    OK(rein_mcp_parse(&doc, text, strlen(text)));
    rein_mcp_put_json(&out, doc);
    assert_string_equal(out.data, expected);
    rein_str_deinit(&out);
    json_object_put(doc);
}

static void test_parse(void **state) {
    static const char *const bad[] = {"", "3", "{", "null", "{\"a\":1}x", "{\"a\":\xff}", "\xff"};
    struct json_object *doc;
    (void)state;
    repairs("{\"a\":\"b\"}", "{\"a\":\"b\"}");
    repairs("[1,\"\\/\"]", "[1,\"/\"]");
    repairs("{\"\xff\":\"\xc3\"}", "{\"\xEF\xBF\xBD\":\"\xEF\xBF\xBD\"}");
    repairs("[\"\\udc00\\ud800\\ud800\\udc00 \\\\ud800\"]", "[\"\xEF\xBF\xBD\xEF\xBF\xBD\xF0\x90\x80\x80 \\\\ud800\"]");
    for (size_t i = 0; i < REIN_COUNT(bad); i++)
        FAILS_WITH(REIN_ERR_FORMAT, rein_mcp_parse(&doc, bad[i], strlen(bad[i])));
}

/* ---- the circuit ---- */

static void test_breaker(void **state) {
    rein_mcp_breaker b = {.cooldown = 30};
    (void)state;
    for (int i = 1; i < REIN_MCP_OPENS_AFTER; i++) assert_false(rein_mcp_breaker_failure(&b, 100));
    rein_mcp_breaker_answer(&b); /* in a row, or nothing */
    for (int i = 1; i < REIN_MCP_OPENS_AFTER; i++) assert_false(rein_mcp_breaker_failure(&b, 100));
    assert_true(rein_mcp_breaker_allows(&b, 100, true));
    assert_true(rein_mcp_breaker_failure(&b, 100));
    assert_false(rein_mcp_breaker_allows(&b, 129.9, false));
    assert_true(rein_mcp_breaker_allows(&b, 130, false));
    assert_int_equal(b.circuit, REIN_MCP_HALF_OPEN);
    assert_false(rein_mcp_breaker_allows(&b, 130, true));
    rein_mcp_breaker_answer(&b);
    assert_true(rein_mcp_breaker_failure(&b, 140)); /* one is enough now */
    assert_false(rein_mcp_breaker_allows(&b, 169, false));
    assert_true(rein_mcp_breaker_allows(&b, 170, false));
    for (int i = 0; i < REIN_MCP_CLOSES_AFTER; i++) rein_mcp_breaker_answer(&b);
    assert_int_equal(b.circuit, REIN_MCP_CLOSED);
    assert_true(rein_mcp_breaker_allows(&b, 170, true));
    assert_int_equal(b.opened, 2);
}

static void test_backoff(void **state) {
    double first = rein_mcp_backoff(0.1, 1, 7, 0);
    (void)state;
    for (uint32_t draw = 0; draw < 100; draw++) {
        for (int attempt = 1; attempt < 5; attempt++) {
            double wait = rein_mcp_backoff(0.1, attempt, 7, draw), base = 0.1 * (double)(1 << (attempt - 1));
            assert_true(wait >= 0.5 * base && wait < 1.5 * base);
        }
    }
    assert_true(rein_mcp_backoff(0.1, 1, 7, 0) == first);
    assert_true(rein_mcp_backoff(0.1, 1, 7, 1) != first && rein_mcp_backoff(0.1, 1, 8, 0) != first);
    assert_true(rein_mcp_backoff(0.1, 1000000, 7, 0) == 30);
}

/* ---- the server ---- */

static rein_status serve_list(void *user, rein_str *out) {
    (void)user;
    rein_str_puts(out, "[]");
    return REIN_OK;
}

static rein_status serve_call(void *user, const char *name, struct json_object *args, rein_str *text, bool *is_error) {
    (void)user;
    *is_error = false;
    rein_str_printf(text, "%s %d", name, json_object_object_length(args));
    return REIN_OK;
}

/* What the server writes for these bytes, which another process sends. */
static void serves(const char *in, size_t len, rein_str *out) {
    static const rein_mcp_service service = {.name = "t", .version = "1", .list = serve_list, .call = serve_call};
    char path[] = "/tmp/rein-mcp-out-XXXXXX";
    int fd = mkstemp(path), in_fd[2];
    assert_int_equal(pipe(in_fd), 0);
    pid_t writer = fork();
    if (writer == 0) {
        while (len > 0) {
            ssize_t n = write(in_fd[1], in, len);
            if (n <= 0) _exit(1);
            in += n;
            len -= (size_t)n;
        }
        _exit(0);
    }
    close(in_fd[1]);
    OK(rein_mcp_serve(&service, in_fd[0], fd));
    OK(rein_file_read(out, path));
    close(in_fd[0]);
    waitpid(writer, NULL, 0);
    close(fd);
    remove(path);
}

#define END                                                                                                            \
    ",\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/"                                               \
    "serverInfo\":{\"name\":\"t\",\"version\":\"1\"}}}}\n"
#define ERROR(id, code, message)                                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" message "\"}}\n"
#define INIT(version)                                                                                                  \
    "\"protocolVersion\":\"" version                                                                                   \
    "\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"t\",\"version\":\"1\"}}}\n"

static void test_server(void **state) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"\n \t\r\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n{\"id\":3,\"result\":{}}\n", ""},
        {"{\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}\n"
         "{\"id\":\"a\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2026-07-28\"}}\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{" INIT(
             "2025-06-18") "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{" INIT("2025-11-25")},
        {"{\"id\":1,\"method\":\"ping\"}\n", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"},
        {"{\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}\n"
         "{\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"g\"}}\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"f "
         "1\"}],\"isError\":false" END "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[{\"type\":\"text\","
         "\"text\":\"g 0\"}],\"isError\":false" END},
        {"{\"id\":1,\"method\":\"tools/call\",\"params\":{}}\n",
         ERROR("1", "-32602", "params.name: expected the name of a tool")},
        {"{\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"f\",\"arguments\":[]}}\n",
         ERROR("1", "-32602", "params.arguments: expected an object")},
        {"{\"id\":1,\"method\":\"no/such\"}\n", ERROR("1", "-32601", "Method not found")},
        {"{\"id\":null,\"method\":\"ping\"}\n[]\n{}\n",
         ERROR("null", "-32600", "expected one JSON-RPC request or notification a line")
             ERROR("null", "-32600", "expected one JSON-RPC request or notification a line")
                 ERROR("null", "-32600", "expected one JSON-RPC request or notification a line")},
        {"{\"id\":1,\n", ERROR("null", "-32700", "message:1:9: the document ends where a quoted key should be")},
        {"{\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/"
         "protocolVersion\":\"2026-07-28\"}}}\n",
         ERROR("1", "-32602", "_meta has no io.modelcontextprotocol/clientCapabilities")},
        {"{\"id\":1,\"method\":\"server/discover\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/"
         "protocolVersion\":\"1900-01-01\"}}}\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"Unsupported protocol "
         "version\",\"data\":{"
         "\"supported\":[\"2026-07-28\",\"2025-11-25\"],\"requested\":\"1900-01-01\"}}}\n"},
        {"{\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/"
         "protocolVersion\":\"2026-07-28\","
         "\"io.modelcontextprotocol/clientCapabilities\":{}}}}\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[],\"ttlMs\":0,\"cacheScope\":\"private\"" END}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_str out = {0};
        serves(cases[i].in, strlen(cases[i].in), &out);
        assert_string_equal(out.data ? out.data : "", cases[i].out);
        rein_str_deinit(&out);
    }
}

/* A line without end is thrown away up to its end, and the server goes on. */
static void test_server_long_line(void **state) {
    static const char after[] = "\n{\"id\":1,\"method\":\"ping\"}\n";
    enum { LONG = 70 << 20 };
    char *in = malloc(LONG + sizeof after);
    rein_str out = {0};
    (void)state;
    memset(in, 'x', LONG);
    memcpy(in + LONG, after, sizeof after);
    serves(in, LONG + sizeof after - 1, &out);
    assert_string_equal(out.data, ERROR("null", "-32600",
                                        "a line of more than 64 MiB") "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
    rein_str_deinit(&out);
    free(in);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sse),           cmocka_unit_test(test_sse_limits),
                                       cmocka_unit_test(test_signature),     cmocka_unit_test(test_content),
                                       cmocka_unit_test(test_header_value),  cmocka_unit_test(test_marks),
                                       cmocka_unit_test(test_param_headers), cmocka_unit_test(test_parse),
                                       cmocka_unit_test(test_breaker),       cmocka_unit_test(test_backoff),
                                       cmocka_unit_test(test_server),        cmocka_unit_test(test_server_long_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
