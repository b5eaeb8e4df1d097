/* Requests of a page: every one is answered from memory, or blocked. A page that is not known does not replace the one
 * that asks for it (204, no content), so that a link out of the world does nothing. */
#include <openssl/evp.h>
#include <string.h>

#include "browser/internal.h"

enum { BODY_MAX = 64 << 20 }; /* Chromium takes messages of at most 100 MiB, a third of it is lost to base64 */

static void refuse(rein_page *p, const char *id, bool document) {
    rein_str *out = rein_command(p->b, p->session, document ? "Fetch.fulfillRequest" : "Fetch.failRequest");
    rein_cdp_put(out, "requestId", id, strlen(id));
    rein_str_puts(out, document ? ",\"responseCode\":204" : ",\"errorReason\":\"BlockedByClient\"");
    rein_command_send(p->b);
}

static bool put_base64(rein_str *out, const rein_str *body) {
    unsigned char *text;
    if (rein_alloc(&text, (int64_t)(body->len / 3 + 1) * 4 + 1, 1) != REIN_OK) return false;
    int n = EVP_EncodeBlock(text, (const unsigned char *)(body->data ? body->data : ""), (int)body->len);
    rein_str_append(out, (const char *)text, (size_t)n);
    rein_free(text);
    return true;
}

static bool fulfil(rein_page *p, const char *id, const rein_str *body, const char *type) {
    rein_str *out = rein_command(p->b, p->session, "Fetch.fulfillRequest");
    rein_cdp_put(out, "requestId", id, strlen(id));
    rein_str_printf(out,
                    ",\"responseCode\":200,\"responseHeaders\":[{\"name\":\"Content-Type\",\"value\":\"%s\"},"
                    "{\"name\":\"Cache-Control\",\"value\":\"max-age=86400\"}],\"body\":\"",
                    type);
    if (!put_base64(out, body)) return false;
    rein_str_putc(out, '"');
    rein_command_send(p->b);
    return true;
}

void rein_page_request(rein_page *p, struct json_object *params) {
    const char *id = rein_cdp_text(params, "requestId");
    const char *url = rein_cdp_text(rein_cdp_object(params, "request"), "url"), *type = "text/html";
    rein_str body = {0};
    bool known = p->b->opt.serve(p->b->opt.user, url, &body, &type);
    known = known && body.len <= BODY_MAX && !body.failed && fulfil(p, id, &body, type);
    if (!known) refuse(p, id, strcmp(rein_cdp_text(params, "resourceType"), "Document") == 0);
    rein_str_deinit(&body);
}
