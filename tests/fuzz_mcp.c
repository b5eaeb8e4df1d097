/*
 * libFuzzer: what the other side of MCP says. The first byte chooses: 's' bytes of an event stream, cut into pieces by
 * the second byte; 'c' lines of a client, for our server; anything else lines of a server, as tool definitions and
 * results.
 */
#include <string.h>
#include <unistd.h>

#include "mcp/protocol.h"
#include "mcp/server.h"
#include "mcp/sse.h"
#include "mcp/tools.h"

enum { MOST = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rein_status use_message(void *user, const char *text, size_t len) {
    struct json_object *doc, *args = NULL;
    rein_str out = {0};
    (void)user;
    if (rein_mcp_parse(&doc, text, len) != REIN_OK) return REIN_OK;
    rein_mcp_put_signature(&out, doc);
    rein_mcp_put_content(&out, doc);
    rein_mcp_put_header_value(&out, text, len);
    if (json_object_is_type(doc, json_type_object)) json_object_object_get_ex(doc, "arguments", &args);
    if (!rein_mcp_check_marks(doc)) {
        rein_str headers = {0};
        rein_mcp_put_param_headers(&headers, doc, args);
        for (size_t i = 0; i < headers.len; i++)
            REIN_ASSERT((unsigned char)headers.data[i] < 0x7F && headers.data[i] != '\r');
        rein_str_deinit(&headers);
    }
    rein_str_clear(&out);
    rein_mcp_put_json(&out, doc);
    json_object_put(doc);
    REIN_ASSERT(rein_mcp_parse(&doc, out.data, out.len) == REIN_OK); /* what we write can be read */
    json_object_put(doc);
    rein_str_deinit(&out);
    return REIN_OK;
}

static void use_stream(const char *text, size_t len, size_t piece) {
    rein_sse s = {0};
    rein_status status = REIN_OK;
    for (size_t at = 0; at < len && status == REIN_OK; at += piece)
        status = rein_sse_feed(&s, text + at, len - at < piece ? len - at : piece, MOST, use_message, NULL);
    rein_sse_deinit(&s);
}

static rein_status list(void *user, rein_str *out) {
    (void)user;
    rein_str_puts(out, "[]");
    return REIN_OK;
}

static rein_status call(void *user, const char *name, struct json_object *args, rein_str *text, bool *is_error) {
    (void)user;
    *is_error = strlen(name) > 3;
    rein_mcp_put_json(text, args);
    return REIN_OK;
}

/* Every line of the server's answers is JSON. */
static void use_server(const char *text, size_t len) {
    static const rein_mcp_service service = {.name = "fuzz", .version = "1", .list = list, .call = call};
    char answer[MOST];
    int in[2], out[2];
    if (len > MOST / 64 || pipe(in) != 0) return;
    REIN_ASSERT(pipe(out) == 0);
    REIN_ASSERT(write(in[1], text, len) == (ssize_t)len);
    close(in[1]);
    bool served = len < 512 && rein_mcp_serve(&service, in[0], out[1]) == REIN_OK; /* its answers fit the pipe */
    close(out[1]);
    ssize_t n = served ? read(out[0], answer, sizeof answer) : 0;
    for (const char *at = answer, *end; at < answer + n; at = end + 1) {
        struct json_object *doc;
        end = memchr(at, '\n', (size_t)(answer + n - at));
        REIN_ASSERT(end && rein_mcp_parse(&doc, at, (size_t)(end - at)) == REIN_OK);
        json_object_put(doc);
    }
    close(in[0]);
    close(out[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    if (size < 2) return 0;
    if (text[0] == 's')
        use_stream(text + 2, size - 2, data[1] ? data[1] : 1);
    else if (text[0] == 'c')
        use_server(text + 1, size - 1);
    else
        use_message(NULL, text, size);
    return 0;
}
