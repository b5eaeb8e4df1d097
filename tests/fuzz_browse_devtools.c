/*
 * libFuzzer: the first two bytes choose how far a page is and what it is doing; the rest is what the browser says,
 * message by message, with zero bytes between. No browser runs: commands go nowhere.
 */
#include <string.h>

#include "browser/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool serve(void *user, const char *url, rein_str *body, const char **type) {
    (void)user;
    *type = "text/html";
    rein_str_puts(body, url);
    return url[0] != '\0';
}

static void make_busy(rein_page *p, uint8_t how_far, uint8_t what) {
    rein_page_begin(p);
    rein_page_add(p, (rein_page_verb)(what % 8), "Enter", 5);
    rein_page_add(p, REIN_PAGE_EVAL, "1", 1);
    p->stage = (stage)(how_far % 6);
    p->running = true;
    p->at = p->stage == STAGE_READY ? 0 : -1;
    p->await = 1;
    p->phase = what / 8 % 3;
    p->waits = what / 64 % 4;
    memcpy(p->session, "S", 2);
    memcpy(p->target, "T", 2);
    memcpy(p->context, "C", 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rein_browser *b;
    rein_page *p;
    if (size < 2) return 0;
    REIN_ASSERT(rein_browser_open(&b, &(rein_browser_options){.path = "/bin/true", .serve = serve, .deadline = 1}) ==
                REIN_OK);
    REIN_ASSERT(rein_page_open(&p, b) == REIN_OK);
    make_busy(p, data[0], data[1]);
    for (size_t at = 2; at < size;) {
        const uint8_t *end = memchr(data + at, 0, size - at);
        size_t len = end ? (size_t)(end - data) - at : size - at;
        rein_browser_hear(b, (const char *)data + at, len);
        at += len + 1;
    }
    p->running = false;
    rein_page_close(p);
    rein_browser_close(b);
    return 0;
}
