/* The stdio transport: one child process a session, one message a line. */
#include <poll.h>
#include <string.h>

#include "mcp/transport.h"

typedef struct stdio_transport {
    rein_mcp_transport base;
    const rein_mcp_options *o;
    rein_child *child; /* NULL: no session */
    rein_str why;      /* what the last session ended with */
    bool down;         /* the session is over, and next() has not said so */
} stdio_transport;

static rein_status stdio_start(rein_mcp_transport *base) {
    stdio_transport *t = (stdio_transport *)base;
    const rein_mcp_options *o = t->o;
    t->down = false;
    return rein_child_start(&t->child, &(rein_child_options){.argv = o->argv,
                                                             .env = o->env,
                                                             .folder = o->folder,
                                                             .extra = o->extra,
                                                             .n_extra = o->n_extra,
                                                             .message_max = o->message_max});
}

static void stdio_stop(rein_mcp_transport *base) {
    stdio_transport *t = (stdio_transport *)base;
    if (t->child) rein_child_kill(t->child);
    rein_child_close(t->child);
    t->child = NULL;
}

static rein_status stdio_send(rein_mcp_transport *base, const rein_mcp_outgoing *m) {
    stdio_transport *t = (stdio_transport *)base;
    REIN_TRY(rein_child_send(t->child, m->text, m->len));
    return rein_child_send(t->child, "\n", 1);
}

static rein_status stdio_poll(rein_mcp_transport *base, int wait_ms) {
    stdio_transport *t = (stdio_transport *)base;
    if (!t->child || t->down) {
        if (wait_ms > 0) poll(NULL, 0, wait_ms);
        return REIN_OK;
    }
    rein_status status = rein_child_poll(t->child, wait_ms);
    bool too_long = status == REIN_ERR_FORMAT;
    if (status != REIN_OK && !too_long) return status;
    if (!too_long && !rein_child_ended(t->child)) return REIN_OK;
    t->down = true;
    rein_str_clear(&t->why);
    if (too_long)
        rein_str_printf(&t->why, "the server sent %s", rein_error_message());
    else
        rein_str_puts(&t->why, "the server has gone: ");
    if (!too_long) {
        rein_child_wait(t->child, 0.1);
        rein_child_describe(t->child, &t->why);
    }
    return rein_str_check(&t->why);
}

static bool stdio_next(rein_mcp_transport *base, rein_mcp_event *out) {
    stdio_transport *t = (stdio_transport *)base;
    *out = (rein_mcp_event){.kind = REIN_MCP_SAID};
    if (t->child && rein_child_next(t->child, &out->text, &out->len)) return true;
    if (!t->down) return false;
    t->down = false;
    *out = (rein_mcp_event){.kind = REIN_MCP_DOWN, .text = t->why.data, .len = t->why.len};
    return true;
}

static void stdio_finish(rein_mcp_transport *base, int64_t id, bool give_up) { (void)base, (void)id, (void)give_up; }

static rein_status stdio_listen(rein_mcp_transport *base, const char *version) {
    (void)base, (void)version;
    return REIN_OK;
}

static bool stdio_settled(const rein_mcp_transport *base) {
    (void)base;
    return true;
}

static int stdio_descriptors(const rein_mcp_transport *base, struct pollfd *out, int most) {
    const stdio_transport *t = (const stdio_transport *)base;
    return t->child ? rein_child_descriptors(t->child, out, most) : 0;
}

static int stdio_wait_ms(const rein_mcp_transport *base) { return ((const stdio_transport *)base)->down ? 0 : -1; }

static void stdio_end_input(rein_mcp_transport *base) {
    stdio_transport *t = (stdio_transport *)base;
    if (t->child) rein_child_close_input(t->child);
}

static int stdio_pid(const rein_mcp_transport *base) {
    const stdio_transport *t = (const stdio_transport *)base;
    return t->child ? rein_child_pid(t->child) : 0;
}

static void stdio_close(rein_mcp_transport *base) {
    stdio_transport *t = (stdio_transport *)base;
    rein_child_close(t->child);
    rein_str_deinit(&t->why);
    rein_free(t);
}

static const rein_mcp_transport_class stdio_class = {.start = stdio_start,
                                                     .stop = stdio_stop,
                                                     .send = stdio_send,
                                                     .poll = stdio_poll,
                                                     .next = stdio_next,
                                                     .finish = stdio_finish,
                                                     .listen = stdio_listen,
                                                     .settled = stdio_settled,
                                                     .descriptors = stdio_descriptors,
                                                     .wait_ms = stdio_wait_ms,
                                                     .end_input = stdio_end_input,
                                                     .pid = stdio_pid,
                                                     .close = stdio_close};

rein_status rein_mcp_stdio_open(rein_mcp_transport **out, const rein_mcp_options *o) {
    stdio_transport *t;
    REIN_TRY(rein_alloc(&t, 1, sizeof *t));
    t->base.cls = &stdio_class;
    t->o = o;
    *out = &t->base;
    return REIN_OK;
}
