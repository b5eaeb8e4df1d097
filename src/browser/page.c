/*
 * Pages: opening one in a context of its own, and running programs of steps. Nothing here waits: an answer or an event
 * moves the page on (rein_page_answered, rein_page_event), until its program is done or has failed.
 */
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "browser/internal.h"
#include "os/child.h"

enum {
    GOTO_MS = 1000, /* of the page's time after a navigation */
    SLICE_MS = 50   /* another thread may have read what we wait for */
};

/* ---- opening and failing ---- */

static void forget_process(rein_page *p) {
    p->stage = STAGE_CLOSED;
    p->context[0] = p->target[0] = p->session[0] = '\0';
    p->await = 0;
    p->waits = 0;
    p->loading = false;
}

/* The context goes with all that is in it; a page that computes without end is stopped first. */
static void dispose(rein_page *p) {
    rein_browser *b = p->b;
    char context[ID_TEXT], session[ID_TEXT];
    memcpy(context, p->context, sizeof context);
    memcpy(session, p->session, sizeof session);
    forget_process(p);
    if (!b->child || p->generation != b->generation || !context[0]) return;
    if (session[0]) rein_command_simple(b, session, "Runtime.terminateExecution", "");
    rein_cdp_put(rein_command(b, "", "Target.disposeBrowserContext"), "browserContextId", context, strlen(context));
    rein_command_send(b);
}

void rein_page_fail(rein_page *p, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->failed, sizeof p->failed, fmt, args);
    va_end(args);
    p->running = false;
    dispose(p);
}

static void copy_id(char *out, const char *id) { snprintf(out, ID_TEXT, "%s", id); }

static void open_context(rein_page *p) {
    p->generation = p->b->generation;
    p->stage = STAGE_CONTEXT;
    p->await = rein_command_simple(p->b, "", "Target.createBrowserContext", "\"disposeOnDetach\":true");
}

static void open_target(rein_page *p) {
    p->stage = STAGE_TARGET;
    rein_str *out = rein_command(p->b, "", "Target.createTarget");
    rein_str_printf(out, "\"url\":\"about:blank\",\"width\":%d,\"height\":%d,", p->b->opt.width, p->b->opt.height);
    rein_cdp_put(out, "browserContextId", p->context, strlen(p->context));
    p->await = rein_command_send(p->b);
}

static void attach(rein_page *p) {
    p->stage = STAGE_ATTACH;
    rein_str *out = rein_command(p->b, "", "Target.attachToTarget");
    rein_cdp_put(out, "targetId", p->target, strlen(p->target));
    rein_str_puts(out, ",\"flatten\":true");
    p->await = rein_command_send(p->b);
}

static void configure(rein_page *p) {
    rein_browser *b = p->b;
    p->stage = STAGE_CONFIGURE;
    rein_command_simple(b, p->session, "Page.enable", "");
    rein_command_simple(b, p->session, "Inspector.enable", "");
    rein_command_simple(b, p->session, "Fetch.enable", "\"patterns\":[{\"urlPattern\":\"*\"}]");
    rein_command_simple(b, p->session, "Emulation.setFocusEmulationEnabled", "\"enabled\":true");
    rein_cdp_put(rein_command(b, p->session, "Page.addScriptToEvaluateOnNewDocument"), "source", rein_page_js,
                 strlen(rein_page_js));
    rein_command_send(b);
    p->await = rein_command_simple(b, p->session, "Emulation.setVirtualTimePolicy",
                                   "\"policy\":\"pause\",\"initialVirtualTime\":1767603600");
}

/* ---- steps ---- */

static const step *current(const rein_page *p) { return &p->steps[p->at]; }
static const char *text_of(const rein_page *p) { return p->text.data + current(p)->text; }

static void evaluate(rein_page *p) {
    rein_str *out = rein_command(p->b, p->session, "Runtime.evaluate");
    rein_cdp_put(out, "expression", text_of(p), current(p)->len);
    rein_str_puts(out, ",\"returnByValue\":true,\"userGesture\":true");
    p->await = rein_command_send(p->b);
}

/* While requests are under way the page's clock stands still, so what it sees does not depend on how fast they are. */
static void grant(rein_page *p, int64_t ms) {
    p->waits |= WAIT_BUDGET;
    rein_str_printf(rein_command(p->b, p->session, "Emulation.setVirtualTimePolicy"),
                    "\"policy\":\"pauseIfNetworkFetchesPending\",\"budget\":%lld", (long long)ms);
    p->await = rein_command_send(p->b);
}

static void navigate(rein_page *p) {
    p->loading = true;
    rein_cdp_put(rein_command(p->b, p->session, "Page.navigate"), "url", text_of(p), current(p)->len);
    p->await = rein_command_send(p->b);
}

static void press_key(rein_page *p) {
    if (!rein_key_send(p->b, p->session, text_of(p), current(p)->len, &p->await))
        rein_page_fail(p, "a key that the keyboard does not have");
}

static void insert(rein_page *p) {
    if (!p->type_next) return;
    rein_cdp_put(rein_command(p->b, p->session, "Input.insertText"), "text", text_of(p), current(p)->len);
    p->await = rein_command_send(p->b);
}

static void begin_step(rein_page *p) {
    p->phase = 0;
    switch (current(p)->verb) {
    case REIN_PAGE_EVAL:
    case REIN_PAGE_CLICK:
    case REIN_PAGE_HOVER:
        evaluate(p);
        break;
    case REIN_PAGE_GOTO:
        navigate(p);
        break;
    case REIN_PAGE_BACK:
        p->await = rein_command_simple(p->b, p->session, "Page.getNavigationHistory", "");
        break;
    case REIN_PAGE_INSERT:
        insert(p);
        break;
    case REIN_PAGE_KEY:
        press_key(p);
        break;
    case REIN_PAGE_ADVANCE:
        grant(p, current(p)->ms);
        break;
    }
}

/* From step to step until one has to wait. */
static void go_on(rein_page *p) {
    while (p->running && !p->await && !p->waits) {
        if (++p->at >= p->n) {
            p->running = false;
            return;
        }
        begin_step(p);
    }
}

static void refuse(rein_page *p, const char *why) {
    rein_str_clear(&p->refused);
    rein_str_puts(&p->refused, why);
    p->waits = 0;
    if (p->at < p->n - 1) p->at = p->n - 2; /* the last one shows what the page is like now */
}

static void mouse(rein_page *p, const char *type, struct json_object *point, int buttons) {
    rein_str *out = rein_command(p->b, p->session, "Input.dispatchMouseEvent");
    rein_str_printf(out, "\"type\":\"%s\",\"x\":%.3f,\"y\":%.3f", type, rein_cdp_number(point, "x"),
                    rein_cdp_number(point, "y"));
    if (buttons) rein_str_puts(out, ",\"button\":\"left\",\"clickCount\":1");
    p->await = rein_command_send(p->b);
}

static void at_point(rein_page *p, struct json_object *point) {
    p->phase = 1;
    if (current(p)->verb == REIN_PAGE_HOVER) {
        mouse(p, "mouseMoved", point, 0);
    } else {
        mouse(p, "mousePressed", point, 1);
        mouse(p, "mouseReleased", point, 1);
    }
}

static void evaluated(rein_page *p, struct json_object *result) {
    struct json_object *thrown = rein_cdp_object(result, "exceptionDetails"), *value = NULL;
    if (thrown) {
        const char *what = rein_cdp_text(rein_cdp_object(thrown, "exception"), "description");
        rein_page_fail(p, "a script failed: %.150s", what);
        return;
    }
    json_object_put(p->value);
    json_object_object_get_ex(rein_cdp_object(result, "result"), "value", &value);
    p->value = json_object_get(value);
    if (!json_object_is_type(value, json_type_object)) return;
    struct json_object *error, *type;
    if (json_object_object_get_ex(value, "error", &error) && json_object_is_type(error, json_type_string))
        refuse(p, json_object_get_string(error));
    else if (current(p)->verb != REIN_PAGE_EVAL)
        at_point(p, value);
    p->type_next = json_object_object_get_ex(value, "type", &type) && json_object_get_boolean(type);
}

static void navigated(rein_page *p, struct json_object *result) {
    bool failed = rein_cdp_text(result, "errorText")[0] != '\0';
    p->phase = 1;
    if (failed || !rein_cdp_text(result, "loaderId")[0])
        p->loading = false; /* none, or another place of the same one */
    if (failed)
        refuse(p, "the page cannot be loaded");
    else
        grant(p, GOTO_MS);
}

/* Whether two addresses are of one document. */
static bool same_document(const char *a, const char *b) {
    size_t n = strcspn(a, "#");
    return n == strcspn(b, "#") && memcmp(a, b, n) == 0;
}

static void go_back(rein_page *p, struct json_object *result) {
    struct json_object *entries = NULL;
    int at = (int)rein_cdp_number(result, "currentIndex");
    json_object_object_get_ex(result, "entries", &entries);
    if (!json_object_is_type(entries, json_type_array) || at < 1 || at >= (int)json_object_array_length(entries)) {
        refuse(p, "there is no page to go back to");
        return;
    }
    struct json_object *to = json_object_array_get_idx(entries, (size_t)at - 1);
    const char *url = rein_cdp_text(to, "url");
    if (strcmp(url, "about:blank") == 0) {
        refuse(p, "there is no page to go back to");
        return;
    }
    p->phase = 1;
    p->loading = !same_document(url, rein_cdp_text(json_object_array_get_idx(entries, (size_t)at), "url"));
    rein_str_printf(rein_command(p->b, p->session, "Page.navigateToHistoryEntry"), "\"entryId\":%d",
                    (int)rein_cdp_number(to, "id"));
    p->await = rein_command_send(p->b);
}

static void step_answered(rein_page *p, const rein_cdp *m) {
    rein_page_verb verb = current(p)->verb;
    if (m->error) {
        rein_page_fail(p, "the browser refused a command: %.150s", m->error);
        return;
    }
    if (p->phase > 0) {
        if (verb == REIN_PAGE_BACK && p->phase++ == 1) grant(p, GOTO_MS);
        return;
    }
    if (verb == REIN_PAGE_EVAL || verb == REIN_PAGE_CLICK || verb == REIN_PAGE_HOVER) evaluated(p, m->body);
    if (verb == REIN_PAGE_GOTO) navigated(p, m->body);
    if (verb == REIN_PAGE_BACK) go_back(p, m->body);
}

static void opened(rein_page *p, const rein_cdp *m) {
    switch (p->stage) {
    case STAGE_CONTEXT:
        copy_id(p->context, rein_cdp_text(m->body, "browserContextId"));
        open_target(p);
        break;
    case STAGE_TARGET:
        copy_id(p->target, rein_cdp_text(m->body, "targetId"));
        attach(p);
        break;
    case STAGE_ATTACH:
        copy_id(p->session, rein_cdp_text(m->body, "sessionId"));
        configure(p);
        break;
    case STAGE_CONFIGURE:
        p->stage = STAGE_READY;
        break;
    case STAGE_CLOSED:
    case STAGE_READY:
        break;
    }
}

void rein_page_answered(rein_page *p, const rein_cdp *m) {
    p->await = 0;
    if (p->stage == STAGE_READY)
        step_answered(p, m);
    else if (m->error)
        rein_page_fail(p, "a page cannot be opened: %.150s", m->error);
    else
        opened(p, m);
    go_on(p);
}

/* ---- events ---- */

static void dialog(rein_page *p, struct json_object *params) {
    const char *text = rein_cdp_text(params, "message");
    if (++p->n_dialogs > DIALOG_LIMIT) {
        rein_page_fail(p, "the page opens dialogs without end");
        return;
    }
    bool leaving = strcmp(rein_cdp_text(params, "type"), "beforeunload") == 0;
    if (!leaving && p->dialogs.len < DIALOGS_MAX) {
        size_t n = strlen(text), most = DIALOGS_MAX - p->dialogs.len;
        if (p->dialogs.len) rein_str_putc(&p->dialogs, '\n');
        rein_str_append(&p->dialogs, text, n < most ? n : most);
    }
    rein_command_simple(p->b, p->session, "Page.handleJavaScriptDialog",
                        leaving ? "\"accept\":true" : "\"accept\":false");
}

static void budget_over(rein_page *p) {
    if (!(p->waits & WAIT_BUDGET)) return;
    p->waits &= ~(unsigned)WAIT_BUDGET;
    if (p->loading) p->waits |= WAIT_LOAD;
    if (p->waits & WAIT_LOAD) grant(p, GOTO_MS);
}

/* The main frame has its target's name. */
static void loading(rein_page *p, struct json_object *params, bool started) {
    if (strcmp(rein_cdp_text(params, "frameId"), p->target) == 0) p->loading = started;
}

void rein_page_event(rein_page *p, const rein_cdp *m) {
    const char *name = m->method;
    if (strcmp(name, "Fetch.requestPaused") == 0)
        rein_page_request(p, m->body);
    else if (strcmp(name, "Page.javascriptDialogOpening") == 0)
        dialog(p, m->body);
    else if (strcmp(name, "Emulation.virtualTimeBudgetExpired") == 0)
        budget_over(p);
    else if (strcmp(name, "Page.frameStartedLoading") == 0)
        loading(p, m->body, true);
    else if (strcmp(name, "Page.frameStoppedLoading") == 0)
        loading(p, m->body, false);
    else if (strcmp(name, "Inspector.targetCrashed") == 0)
        rein_page_fail(p, "the page's process crashed");
    if (!p->loading) p->waits &= ~(unsigned)WAIT_LOAD;
    if (p->stage == STAGE_READY) go_on(p);
}

/* ---- programs ---- */

rein_status rein_page_open(rein_page **out, rein_browser *b) {
    rein_page *p;
    REIN_TRY(rein_alloc(&p, 1, sizeof *p));
    p->b = b;
    pthread_mutex_lock(&b->lock);
    p->next = b->pages;
    b->pages = p;
    pthread_mutex_unlock(&b->lock);
    *out = p;
    return REIN_OK;
}

void rein_page_close(rein_page *p) {
    if (!p) return;
    pthread_mutex_lock(&p->b->lock);
    dispose(p);
    rein_page **at = &p->b->pages;
    while (*at != p) at = &(*at)->next;
    *at = p->next;
    pthread_mutex_unlock(&p->b->lock);
    json_object_put(p->value);
    rein_str_deinit(&p->text);
    rein_str_deinit(&p->refused);
    rein_str_deinit(&p->dialogs);
    rein_free(p);
}

static void forget_result(rein_page *p) {
    json_object_put(p->value);
    p->value = NULL;
    rein_str_clear(&p->refused);
    rein_str_clear(&p->dialogs);
    p->failed[0] = '\0';
    p->n_dialogs = 0;
    p->type_next = false;
}

void rein_page_begin(rein_page *p) {
    REIN_ASSERT(!p->running);
    p->n = 0;
    rein_str_clear(&p->text);
    forget_result(p);
}

static step *add_step(rein_page *p, rein_page_verb verb) {
    REIN_ASSERT(p->n < REIN_PAGE_STEPS);
    step *s = &p->steps[p->n++];
    *s = (step){.verb = verb, .text = p->text.len};
    return s;
}

void rein_page_add(rein_page *p, rein_page_verb verb, const char *text, size_t len) {
    add_step(p, verb)->len = len;
    rein_str_append(&p->text, text, len);
}

void rein_page_add_f(rein_page *p, rein_page_verb verb, const char *fmt, ...) {
    char text[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    REIN_ASSERT(n >= 0 && (size_t)n < sizeof text);
    rein_page_add(p, verb, text, (size_t)n);
}

void rein_page_add_advance(rein_page *p, int64_t ms) { add_step(p, REIN_PAGE_ADVANCE)->ms = ms; }

static rein_status start_locked(rein_page *p) {
    rein_browser *b = p->b;
    rein_browser_pump(b);
    if (!b->child) REIN_TRY(rein_process_start(b));
    p->running = true;
    p->at = -1;
    p->deadline = rein_clock() + b->opt.deadline;
    if (p->stage == STAGE_CLOSED) open_context(p);
    go_on(p);
    return REIN_OK;
}

rein_status rein_page_start(rein_page *p) {
    REIN_TRY(rein_str_check(&p->text));
    pthread_mutex_lock(&p->b->lock);
    forget_result(p);
    rein_status status = start_locked(p);
    pthread_mutex_unlock(&p->b->lock);
    return status;
}

/* A page that cannot even be opened in time: the browser itself hangs. */
static void check_deadline(rein_page *p) {
    if (!p->running || rein_clock() < p->deadline) return;
    bool hangs = p->stage != STAGE_READY;
    rein_page_fail(p, "the page did not finish within %g s", p->b->opt.deadline);
    if (!hangs) return;
    for (rein_page *q = p->b->pages; q; q = q->next)
        if (q->generation == p->b->generation && q != p) rein_page_fail(q, "the browser hung");
    rein_process_stop(p->b, false);
}

static bool look(rein_page *p, struct pollfd *fds, int *n) {
    pthread_mutex_lock(&p->b->lock);
    rein_browser_pump(p->b);
    check_deadline(p);
    bool done = !p->running;
    *n = p->b->child ? rein_child_descriptors(p->b->child, fds, 3) : 0;
    pthread_mutex_unlock(&p->b->lock);
    return done;
}

static rein_status result_of(const rein_page *p, rein_page_result *out) {
    REIN_TRY(rein_str_check(&p->refused));
    REIN_TRY(rein_str_check(&p->dialogs));
    *out = (rein_page_result){.value = p->failed[0] ? NULL : p->value,
                              .refused = p->refused.len ? p->refused.data : NULL,
                              .failed = p->failed[0] ? p->failed : NULL,
                              .dialogs = p->dialogs.len ? p->dialogs.data : ""};
    return REIN_OK;
}

rein_status rein_page_poll(rein_page *p, int wait_ms, rein_page_result *out, bool *ready) {
    struct pollfd fds[3];
    int n;
    const double until = wait_ms < 0 ? (double)INFINITY : rein_clock() + wait_ms * 1e-3;
    *ready = false;
    while (!look(p, fds, &n)) {
        double left = (until - rein_clock()) * 1e3;
        if (left <= 0) return REIN_OK;
        poll(fds, (nfds_t)n, left < SLICE_MS ? (int)left + 1 : SLICE_MS);
    }
    *ready = true;
    return result_of(p, out);
}

bool rein_page_is_fresh(const rein_page *p) {
    pthread_mutex_lock(&p->b->lock);
    rein_browser_pump(p->b);
    bool fresh = p->stage == STAGE_CLOSED;
    pthread_mutex_unlock(&p->b->lock);
    return fresh;
}

void rein_page_renew(rein_page *p) {
    pthread_mutex_lock(&p->b->lock);
    dispose(p);
    pthread_mutex_unlock(&p->b->lock);
}

int rein_page_descriptors(const rein_page *p, struct pollfd *out, int most) {
    pthread_mutex_lock(&p->b->lock);
    int n = p->b->child ? rein_child_descriptors(p->b->child, out, most) : 0;
    pthread_mutex_unlock(&p->b->lock);
    return n;
}
