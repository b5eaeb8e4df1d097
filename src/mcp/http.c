/*
 * The streamable HTTP transport, on libcurl's multi interface: every message of ours is a POST; answers come as JSON or
 * as a stream of events. Before 2026-07-28 there are also sessions (a header), a GET stream for what the server says of
 * itself, and streams that break off and are taken up again with Last-Event-ID after the time that the server asked
 * for.
 */
#include <curl/curl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mcp/protocol.h"
#include "mcp/sse.h"
#include "mcp/transport.h"

enum { SESSION_MAX = 1024, RECONNECTS_MOST = 100, FAILURES_MOST = 3 };

static const double LINGER = 1; /* s that an answered stream has to end by itself, so that its connection is kept */
static const double LISTEN_WAIT = 1; /* s that requests wait for the GET stream to stand */
static const double RETRY = 1;       /* s before a stream is taken up again if the server does not say */

typedef enum purpose { REQUEST, NOTICE, LISTEN } purpose;

typedef struct http_transport http_transport;

/* One message of ours and what comes back for it, over one connection after the other. */
typedef struct exchange {
    http_transport *t;
    struct exchange *next;
    purpose what;
    int64_t id;
    CURL *easy;
    struct curl_slist *headers;
    rein_str version, body, in;
    rein_sse sse;
    bool under_way;    /* in the multi handle */
    bool has_response; /* its headers are there */
    bool is_sse, is_get, too_long;
    bool answered; /* nobody waits for it */
    long http_status;
    double begun, again_at; /* again_at: when to connect again; 0: never */
    double forget_at;       /* answered: when to close it; 0: when it ends */
    int reconnects, failures;
    char error[CURL_ERROR_SIZE];
} exchange;

typedef struct queued {
    rein_mcp_event event;
    rein_str text;
} queued;

struct http_transport {
    rein_mcp_transport base;
    const rein_mcp_options *o;
    CURLM *multi;
    exchange *exchanges;
    char session[SESSION_MAX]; /* "": none */
    bool loopback, lost_session;
    queued *events;
    int64_t n_events, at_event, cap_events;
};

/* ---- events ---- */

static rein_status push_event(http_transport *t, rein_mcp_event_kind kind, const exchange *x, const char *text,
                              size_t len) {
    if (t->n_events == t->cap_events) {
        int64_t cap = t->cap_events ? t->cap_events * 2 : 16;
        REIN_TRY(rein_realloc(&t->events, t->cap_events, cap, sizeof *t->events));
        t->cap_events = cap;
    }
    queued *q = &t->events[t->n_events++];
    q->event = (rein_mcp_event){
        .kind = kind, .id = x && x->what == REQUEST ? x->id : 0, .http_status = x ? (int)x->http_status : 0};
    rein_str_clear(&q->text);
    rein_str_append(&q->text, text, len);
    return rein_str_check(&q->text);
}

static bool http_next(rein_mcp_transport *base, rein_mcp_event *out) {
    http_transport *t = (http_transport *)base;
    if (t->at_event == t->n_events) {
        t->at_event = t->n_events = 0;
        return false;
    }
    queued *q = &t->events[t->at_event++];
    *out = q->event;
    out->text = q->text.data ? q->text.data : "";
    out->len = q->text.len;
    return true;
}

/* ---- what comes back ---- */

static bool begins(const char *text, const char *with) { return text && strncasecmp(text, with, strlen(with)) == 0; }

/* Visible ASCII only, as the specification has it; anything else would end up in our headers. */
static void note_session(http_transport *t, CURL *easy) {
    struct curl_header *h;
    if (curl_easy_header(easy, "Mcp-Session-Id", 0, CURLH_HEADER, -1, &h) != CURLHE_OK) return;
    size_t n = strlen(h->value);
    if (n == 0 || n >= SESSION_MAX) return;
    for (size_t i = 0; i < n; i++)
        if (h->value[i] < 0x21 || h->value[i] > 0x7E) return;
    memcpy(t->session, h->value, n + 1);
}

static void note_response(exchange *x) {
    char *type = NULL;
    if (x->has_response) return;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->http_status);
    curl_easy_getinfo(x->easy, CURLINFO_CONTENT_TYPE, &type);
    if (x->http_status < 200) return;
    x->has_response = true;
    x->is_sse = x->http_status < 300 && begins(type, "text/event-stream");
    if (x->http_status < 300) note_session(x->t, x->easy);
}

static rein_status on_sse(void *user, const char *data, size_t len) {
    exchange *x = user;
    x->failures = 0;
    return push_event(x->t, REIN_MCP_SAID, x, data, len);
}

static size_t on_header(char *bytes, size_t size, size_t n, void *user) {
    exchange *x = user;
    (void)size;
    if (n <= 2 && (n == 0 || bytes[0] == '\r' || bytes[0] == '\n')) note_response(x); /* the empty line behind them */
    return n;
}

/* Fewer bytes than n tell libcurl to break off. */
static size_t on_body(char *bytes, size_t size, size_t n, void *user) {
    exchange *x = user;
    size_t most = x->t->o->message_max;
    (void)size;
    note_response(x);
    if (x->is_sse) {
        rein_status status = rein_sse_feed(&x->sse, bytes, n, most, on_sse, x);
        x->too_long = status == REIN_ERR_FORMAT;
        return status == REIN_OK ? n : 0;
    }
    x->too_long = x->in.len + n > most;
    if (x->too_long) return 0;
    rein_str_append(&x->in, bytes, n);
    return x->in.failed ? 0 : n;
}

/* ---- exchanges ---- */

static void leave_multi(exchange *x) {
    if (x->under_way) curl_multi_remove_handle(x->t->multi, x->easy);
    x->under_way = false;
}

static void destroy_exchange(exchange *x) {
    leave_multi(x);
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->headers);
    rein_str_deinit(&x->version);
    rein_str_deinit(&x->body);
    rein_str_deinit(&x->in);
    rein_sse_deinit(&x->sse);
    rein_free(x);
}

static rein_status add_header(exchange *x, const char *fmt, ...) REIN_PRINTF(2, 3);
static rein_status add_header(exchange *x, const char *fmt, ...) {
    char line[2 * SESSION_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line) return rein_fail(REIN_ERR_ARG, "an HTTP header of %d bytes", n);
    struct curl_slist *list = curl_slist_append(x->headers, line);
    if (!list) return rein_fail(REIN_ERR_MEMORY, "out of memory for HTTP headers");
    x->headers = list;
    return REIN_OK;
}

/* "Name: value\n" lines of any length. */
static rein_status add_lines(exchange *x, const char *lines) {
    rein_str line = {0};
    rein_status status = REIN_OK;
    for (const char *end; lines && *lines && status == REIN_OK; lines = end + (*end != 0)) {
        end = lines + strcspn(lines, "\n");
        rein_str_clear(&line);
        rein_str_append(&line, lines, (size_t)(end - lines));
        if (line.len > 2 && strcmp(line.data + line.len - 2, ": ") == 0) { /* libcurl's way to say an empty value */
            line.len -= 2;
            line.data[line.len] = '\0';
            rein_str_putc(&line, ';');
        }
        struct curl_slist *list = rein_str_check(&line) == REIN_OK ? curl_slist_append(x->headers, line.data) : NULL;
        if (list)
            x->headers = list;
        else
            status = rein_fail(REIN_ERR_MEMORY, "out of memory for HTTP headers");
    }
    rein_str_deinit(&line);
    return status;
}

static rein_status set_headers(exchange *x, const char *lines) {
    const http_transport *t = x->t;
    curl_slist_free_all(x->headers);
    x->headers = NULL;
    REIN_TRY(add_header(x, "Accept: %stext/event-stream", x->is_get ? "" : "application/json, "));
    if (!x->is_get) REIN_TRY(add_header(x, "Content-Type: application/json"));
    REIN_TRY(add_header(x, "Expect:"));
    if (x->version.len) REIN_TRY(add_header(x, "MCP-Protocol-Version: %s", x->version.data));
    if (*t->session) REIN_TRY(add_header(x, "Mcp-Session-Id: %s", t->session));
    if (x->is_get && x->sse.id.len) REIN_TRY(add_header(x, "Last-Event-ID: %s", x->sse.id.data));
    for (const char *const *h = t->o->headers; h && *h; h++) REIN_TRY(add_lines(x, *h));
    REIN_TRY(add_lines(x, lines));
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
    return REIN_OK;
}

static void set_basics(CURL *easy, const http_transport *t, char *error) {
    curl_easy_setopt(easy, CURLOPT_URL, t->o->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    if (t->loopback) curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static rein_status set_up(exchange *x, const char *lines) {
    CURL *easy = x->easy;
    set_basics(easy, x->t, x->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, x);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    if (x->is_get) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, x->body.data);
    }
    return set_headers(x, lines);
}

static rein_status connect_exchange(exchange *x, const char *lines) {
    x->error[0] = '\0';
    x->has_response = x->is_sse = x->too_long = false;
    x->http_status = 0;
    x->again_at = 0;
    x->begun = rein_clock();
    rein_str_clear(&x->in);
    rein_sse_reconnect(&x->sse);
    REIN_TRY(set_up(x, lines));
    CURLMcode code = curl_multi_add_handle(x->t->multi, x->easy);
    if (code != CURLM_OK) return rein_fail(REIN_ERR_IO, "libcurl: %s", curl_multi_strerror(code));
    x->under_way = true;
    return REIN_OK;
}

static rein_status create_exchange(exchange **out, http_transport *t, purpose what, const rein_mcp_outgoing *m) {
    exchange *x;
    REIN_TRY(rein_alloc(&x, 1, sizeof *x));
    x->t = t;
    x->what = what;
    x->id = m->id;
    x->is_get = what == LISTEN;
    x->next = t->exchanges;
    t->exchanges = x; /* from here on it is freed with the others */
    if (m->version) rein_str_puts(&x->version, m->version);
    if (m->len) rein_str_append(&x->body, m->text, m->len);
    REIN_TRY(rein_str_check(&x->version));
    REIN_TRY(rein_str_check(&x->body));
    x->easy = curl_easy_init();
    if (!x->easy) return rein_fail(REIN_ERR_MEMORY, "out of memory for an HTTP request");
    *out = x;
    return REIN_OK;
}

static rein_status http_send(rein_mcp_transport *base, const rein_mcp_outgoing *m) {
    exchange *x;
    REIN_TRY(create_exchange(&x, (http_transport *)base, m->id ? REQUEST : NOTICE, m));
    return connect_exchange(x, m->headers);
}

static rein_status http_listen(rein_mcp_transport *base, const char *version) {
    exchange *x;
    REIN_TRY(create_exchange(&x, (http_transport *)base, LISTEN, &(rein_mcp_outgoing){.version = version}));
    return connect_exchange(x, NULL);
}

static void http_finish(rein_mcp_transport *base, int64_t id, bool give_up) {
    for (exchange *x = ((http_transport *)base)->exchanges; x; x = x->next) {
        if (x->what != REQUEST || x->id != id || x->answered) continue;
        x->answered = true;
        x->forget_at = rein_clock() + (give_up ? 0 : LINGER);
    }
}

/* ---- the end of a connection ---- */

static bool is_good(const exchange *x) { return x->http_status >= 200 && x->http_status < 300; }

/* When to take up the stream again, or 0. */
static double reconnect_time(const exchange *x) {
    bool modern = x->version.len && strcmp(x->version.data, REIN_MCP_MODERN) == 0;
    double wait = x->sse.has_retry ? (double)x->sse.retry / 1000 : RETRY;
    if (x->what == NOTICE || modern || x->reconnects >= RECONNECTS_MOST || x->failures > FAILURES_MOST) return 0;
    if (x->http_status >= 400 && x->http_status < 500) return 0;
    if (x->what == REQUEST && x->sse.id.len == 0) return 0; /* nothing to go on from */
    return rein_clock() + wait;
}

static rein_status end_session(http_transport *t) {
    static const char why[] = "the server has forgotten the session (HTTP status 404)";
    if (t->lost_session) return REIN_OK;
    t->lost_session = true;
    return push_event(t, REIN_MCP_DOWN, NULL, why, sizeof why - 1);
}

/* A whole body is a message if it looks like one; an error page is none. */
static rein_status end_connection(exchange *x, CURLcode code) {
    note_response(x);
    leave_multi(x);
    if (code != CURLE_OK || !is_good(x)) x->failures++;
    if (x->http_status == 404 && *x->t->session && x->what == REQUEST) return end_session(x->t);
    if (x->what == REQUEST && !x->is_sse && code == CURLE_OK && x->in.len > 0 && strchr("{[ \t\r\n", x->in.data[0]))
        REIN_TRY(push_event(x->t, REIN_MCP_SAID, x, x->in.data, x->in.len));
    x->again_at = reconnect_time(x);
    if (x->again_at == 0 && x->what != REQUEST) x->answered = true;
    return REIN_OK;
}

static bool may_help(long http_status) {
    return http_status == 0 || http_status == 408 || http_status == 429 || http_status >= 500 ||
           (http_status >= 200 && http_status < 300);
}

static rein_status push_loss(exchange *x) {
    char why[CURL_ERROR_SIZE + 64];
    if (x->too_long)
        snprintf(why, sizeof why, "the server sent a message of more than %zu bytes", x->t->o->message_max);
    else if (x->error[0])
        snprintf(why, sizeof why, "%s", x->error);
    else if (is_good(x))
        snprintf(why, sizeof why, "the response ended without an answer");
    else
        snprintf(why, sizeof why, "HTTP status %ld", x->http_status);
    x->answered = true;
    return push_event(x->t, may_help(x->http_status) ? REIN_MCP_LOST : REIN_MCP_REFUSED, x, why, strlen(why));
}

/* Exchanges without a connection: connect again when it is time, report what is lost, free what is answered. The events
 * that a connection brought have been looked at before, so that an answered request is known to be. */
static rein_status tidy(http_transport *t) {
    double now = rein_clock();
    for (exchange **at = &t->exchanges, *x; (x = *at);) {
        bool forget = x->answered && (!x->under_way || (x->forget_at > 0 && now >= x->forget_at));
        if (!forget && !x->under_way && x->again_at == 0) REIN_TRY(push_loss(x));
        if (!forget && !x->under_way && x->again_at > 0 && now >= x->again_at) {
            x->is_get = true;
            x->reconnects++;
            REIN_TRY(connect_exchange(x, NULL));
        }
        if (forget) {
            *at = x->next;
            destroy_exchange(x);
        } else {
            at = &x->next;
        }
    }
    return REIN_OK;
}

static rein_status perform(http_transport *t) {
    int n;
    CURLMcode code = curl_multi_perform(t->multi, &n);
    if (code != CURLM_OK) return rein_fail(REIN_ERR_IO, "libcurl: %s", curl_multi_strerror(code));
    for (CURLMsg *m; (m = curl_multi_info_read(t->multi, &n));) {
        exchange *x;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
        REIN_TRY(end_connection(x, result));
    }
    return REIN_OK;
}

static bool listen_settled(const exchange *x, double now) {
    return x->what != LISTEN || !x->under_way || x->has_response || now >= x->begun + LISTEN_WAIT;
}

static int http_wait_ms(const rein_mcp_transport *base) {
    const http_transport *t = (const http_transport *)base;
    double now = rein_clock(), first = -1;
    long curl_ms = -1;
    if (t->n_events > t->at_event) return 0;
    for (const exchange *x = t->exchanges; x; x = x->next) {
        double due = x->under_way ? x->answered && x->forget_at > 0 ? x->forget_at : -1 : x->again_at;
        if (!listen_settled(x, now)) due = x->begun + LISTEN_WAIT;
        if (due >= 0 && (first < 0 || due < first)) first = due;
    }
    curl_multi_timeout(t->multi, &curl_ms);
    int ms = first < 0 ? -1 : first <= now ? 0 : (int)((first - now) * 1000) + 1;
    if (curl_ms >= 0 && (ms < 0 || curl_ms < ms)) ms = curl_ms > INT_MAX ? INT_MAX : (int)curl_ms;
    return ms;
}

static rein_status http_poll(rein_mcp_transport *base, int wait_ms) {
    http_transport *t = (http_transport *)base;
    REIN_TRY(tidy(t));
    REIN_TRY(perform(t));
    int due = http_wait_ms(base);
    if (due >= 0 && (wait_ms < 0 || due < wait_ms)) wait_ms = due;
    if (wait_ms <= 0) return REIN_OK;
    CURLMcode code = curl_multi_poll(t->multi, NULL, 0, wait_ms, NULL);
    if (code != CURLM_OK) return rein_fail(REIN_ERR_IO, "libcurl: %s", curl_multi_strerror(code));
    return perform(t);
}

static int http_descriptors(const rein_mcp_transport *base, struct pollfd *out, int most) {
    fd_set in, ready, bad;
    int last = -1, n = 0;
    FD_ZERO(&in);
    FD_ZERO(&ready);
    FD_ZERO(&bad);
    if (curl_multi_fdset(((const http_transport *)base)->multi, &in, &ready, &bad, &last) != CURLM_OK) return 0;
    for (int fd = 0; fd <= last && n < most; fd++) {
        int events = (FD_ISSET(fd, &in) ? POLLIN : 0) | (FD_ISSET(fd, &ready) ? POLLOUT : 0);
        if (events) out[n++] = (struct pollfd){fd, (short)events, 0};
    }
    return n;
}

static bool http_settled(const rein_mcp_transport *base) {
    double now = rein_clock();
    for (const exchange *x = ((const http_transport *)base)->exchanges; x; x = x->next) {
        if (x->what == NOTICE && x->under_way) return false;
        if (!listen_settled(x, now)) return false;
    }
    return true;
}

/* ---- the session ---- */

static rein_status http_start(rein_mcp_transport *base) {
    (void)base;
    return REIN_OK;
}

static void http_stop(rein_mcp_transport *base) {
    http_transport *t = (http_transport *)base;
    while (t->exchanges) {
        exchange *x = t->exchanges;
        t->exchanges = x->next;
        destroy_exchange(x);
    }
    t->at_event = t->n_events = 0; /* of the session that is over */
    t->session[0] = '\0';
    t->lost_session = false;
}

static size_t ignore(char *bytes, size_t size, size_t n, void *user) {
    (void)bytes, (void)size, (void)user;
    return n;
}

/* Politely: the server may forget the session. It has a second for it. */
static void delete_session(http_transport *t) {
    char line[SESSION_MAX + 32], error[CURL_ERROR_SIZE];
    CURL *easy = *t->session ? curl_easy_init() : NULL;
    if (!easy) return;
    snprintf(line, sizeof line, "Mcp-Session-Id: %s", t->session);
    struct curl_slist *headers = curl_slist_append(NULL, line);
    for (const char *const *h = t->o->headers; headers && h && *h; h++) {
        struct curl_slist *more = curl_slist_append(headers, *h);
        if (more) headers = more;
    }
    set_basics(easy, t, error);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 1000L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    (void)curl_easy_perform(easy);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
}

static void http_end_input(rein_mcp_transport *base) { (void)base; }

static int http_pid(const rein_mcp_transport *base) {
    (void)base;
    return 0;
}

static void http_close(rein_mcp_transport *base) {
    http_transport *t = (http_transport *)base;
    if (t->multi) delete_session(t);
    http_stop(base);
    for (int64_t i = 0; i < t->cap_events; i++) rein_str_deinit(&t->events[i].text);
    rein_free(t->events);
    curl_multi_cleanup(t->multi);
    rein_free(t);
}

static const rein_mcp_transport_class http_class = {.start = http_start,
                                                    .stop = http_stop,
                                                    .send = http_send,
                                                    .poll = http_poll,
                                                    .next = http_next,
                                                    .finish = http_finish,
                                                    .listen = http_listen,
                                                    .settled = http_settled,
                                                    .descriptors = http_descriptors,
                                                    .wait_ms = http_wait_ms,
                                                    .end_input = http_end_input,
                                                    .pid = http_pid,
                                                    .close = http_close,
                                                    .over_http = true};

/* Is it a URL at all, and of this machine? A proxy of the environment has no business there. */
static rein_status check_url(const char *url, bool *loopback) {
    char *host = NULL, *scheme = NULL;
    CURLU *u = curl_url();
    bool good = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    *loopback = good && (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0);
    curl_free(host);
    curl_free(scheme);
    curl_url_cleanup(u);
    return good ? REIN_OK : rein_fail(REIN_ERR_USAGE, "'%s' is no http or https URL", url);
}

rein_status rein_mcp_http_open(rein_mcp_transport **out, const rein_mcp_options *o) {
    http_transport *t;
    bool loopback;
    REIN_TRY(check_url(o->url, &loopback));
    REIN_TRY(rein_alloc(&t, 1, sizeof *t));
    t->base.cls = &http_class;
    t->o = o;
    t->loopback = loopback;
    t->multi = curl_multi_init();
    if (!t->multi) {
        rein_free(t);
        return rein_fail(REIN_ERR_MEMORY, "out of memory for libcurl");
    }
    *out = &t->base;
    return REIN_OK;
}
