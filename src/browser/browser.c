/* The browser's commands and messages; see browser.h. */
#include "browser/browser.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "browser/internal.h"
#include "os/child.h"

/* ---- commands ---- */

rein_str *rein_command(rein_browser *b, const char *session, const char *method) {
    rein_str_clear(&b->out);
    rein_cdp_begin(&b->out, ++b->last_id, session, method);
    return &b->out;
}

/* Out of memory, or a child that no longer listens: the page's deadline tells. */
int64_t rein_command_send(rein_browser *b) {
    rein_cdp_end(&b->out);
    if (b->child && rein_str_check(&b->out) == REIN_OK && rein_child_send(b->child, b->out.data, b->out.len) != REIN_OK)
        rein_log(REIN_LOG_WARN, "browser: %s", rein_error_message());
    if (b->out.failed) rein_str_deinit(&b->out);
    return b->last_id;
}

int64_t rein_command_simple(rein_browser *b, const char *session, const char *method, const char *params) {
    rein_str_puts(rein_command(b, session, method), params);
    return rein_command_send(b);
}

/* ---- messages ---- */

static rein_page *page_awaiting(const rein_browser *b, int64_t id) {
    for (rein_page *p = b->pages; p; p = p->next)
        if (p->await == id) return p;
    return NULL;
}

static rein_page *page_of_session(const rein_browser *b, const char *session) {
    for (rein_page *p = b->pages; p; p = p->next)
        if (p->session[0] && strcmp(p->session, session) == 0) return p;
    return NULL;
}

/* A window that a page opened: closed before it can do anything. */
static void target_created(rein_browser *b, struct json_object *params) {
    struct json_object *info = rein_cdp_object(params, "targetInfo");
    const char *target = rein_cdp_text(info, "targetId"), *context = rein_cdp_text(info, "browserContextId");
    for (rein_page *p = b->pages; p; p = p->next) {
        if (!p->context[0] || strcmp(p->context, context) != 0) continue;
        if (p->stage == STAGE_TARGET || strcmp(p->target, target) == 0) return; /* its own */
        rein_cdp_put(rein_command(b, "", "Target.closeTarget"), "targetId", target, strlen(target));
        rein_command_send(b);
        return;
    }
}

static void target_crashed(rein_browser *b, struct json_object *params) {
    const char *target = rein_cdp_text(params, "targetId");
    for (rein_page *p = b->pages; p; p = p->next)
        if (p->target[0] && strcmp(p->target, target) == 0) rein_page_fail(p, "the page's process crashed");
}

static void detached(rein_browser *b, struct json_object *params) {
    rein_page *p = page_of_session(b, rein_cdp_text(params, "sessionId"));
    if (p) rein_page_fail(p, "the page was closed");
}

static void browser_event(rein_browser *b, const rein_cdp *m) {
    if (strcmp(m->method, "Target.targetCreated") == 0) target_created(b, m->body);
    if (strcmp(m->method, "Target.targetCrashed") == 0) target_crashed(b, m->body);
    if (strcmp(m->method, "Target.detachedFromTarget") == 0) detached(b, m->body);
}

void rein_browser_hear(rein_browser *b, const char *text, size_t len) {
    rein_cdp m;
    if (!rein_cdp_read(&m, text, len)) {
        rein_log(REIN_LOG_WARN, "browser: a message of %zu bytes was not understood: %s", len, rein_error_message());
        return;
    }
    rein_page *p = m.id ? page_awaiting(b, m.id) : m.session[0] ? page_of_session(b, m.session) : NULL;
    if (m.id && p)
        rein_page_answered(p, &m);
    else if (!m.id && p)
        rein_page_event(p, &m);
    else if (!m.id && !m.session[0])
        browser_event(b, &m);
    rein_cdp_deinit(&m);
}

static void browser_died(rein_browser *b) {
    rein_str how = {0};
    rein_child_describe(b->child, &how);
    for (rein_page *p = b->pages; p; p = p->next)
        if (p->generation == b->generation) rein_page_fail(p, "the browser ended: %s", how.data ? how.data : "");
    rein_str_deinit(&how);
    rein_process_stop(b, false);
}

void rein_browser_pump(rein_browser *b) {
    const char *text;
    size_t len;
    if (!b->child) return;
    bool broken = rein_child_poll(b->child, 0) != REIN_OK;
    while (!broken && rein_child_next(b->child, &text, &len)) rein_browser_hear(b, text, len);
    if (broken || rein_child_ended(b->child)) browser_died(b);
}

/* ---- the browser ---- */

rein_status rein_browser_open(rein_browser **out, const rein_browser_options *options) {
    rein_browser *b;
    REIN_TRY(rein_alloc(&b, 1, sizeof *b));
    b->opt = *options;
    rein_status status = rein_browser_find(&b->path, options->path);
    if (status != REIN_OK) {
        rein_free(b);
        return status;
    }
    pthread_mutex_init(&b->lock, NULL);
    *out = b;
    return REIN_OK;
}

void rein_browser_close(rein_browser *b) {
    if (!b) return;
    REIN_ASSERT(!b->pages);
    rein_process_stop(b, true);
    pthread_mutex_destroy(&b->lock);
    rein_str_deinit(&b->out);
    rein_free(b->path);
    rein_free(b);
}

const char *rein_browser_path(const rein_browser *b) { return b->path; }

int rein_browser_pid(rein_browser *b) {
    pthread_mutex_lock(&b->lock);
    int pid = b->child ? rein_child_pid(b->child) : 0;
    pthread_mutex_unlock(&b->lock);
    return pid;
}
