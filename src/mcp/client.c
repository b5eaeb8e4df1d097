/* The client: requests of the user, and the loop; see client.h. */
#include "mcp/client.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mcp/client_impl.h"

/* ---- the table of requests ---- */

request *rein_mcp_find_wire(rein_mcp_client *c, int64_t wire) {
    for (request *r = c->requests; r; r = r->next)
        if (r->state == REQUEST_SENT && r->wire == wire) return r;
    return NULL;
}

static request *find(const rein_mcp_client *c, int64_t id) {
    for (request *r = c->requests; r; r = r->next)
        if (r->id == id && !r->internal) return r;
    return NULL;
}

void rein_mcp_result_deinit(rein_mcp_result *r) {
    rein_str_deinit(&r->text);
    json_object_put(r->value);
    *r = (rein_mcp_result){0};
}

static void forget(rein_mcp_client *c, request *r) {
    request **at = &c->requests;
    while (*at != r) at = &(*at)->next;
    *at = r->next;
    rein_free(r->name);
    json_object_put(r->args);
    json_object_put(r->tools);
    json_object_put(r->responses);
    json_object_put(r->state_of_server);
    rein_str_deinit(&r->cursor);
    rein_mcp_result_deinit(&r->result);
    rein_free(r);
}

rein_status rein_mcp_add_request(rein_mcp_client *c, request **out, request_kind kind, bool internal) {
    request *r, **at = &c->requests;
    REIN_TRY(rein_alloc(&r, 1, sizeof *r));
    while (*at) at = &(*at)->next;
    *at = r;
    r->id = ++c->next_id;
    r->kind = kind;
    r->internal = internal;
    r->started = rein_clock();
    r->deadline = kind == REQUEST_SUBSCRIBE ? (double)INFINITY : r->started + c->o.start_timeout + c->o.timeout;
    r->progress.total = (double)NAN;
    *out = r;
    return REIN_OK;
}

static void count_end(rein_mcp_client *c, const request *r) {
    const rein_mcp_result *x = &r->result;
    if (r->internal || x->failed) return;
    c->health.answers++;
    if (x->is_error) c->health.tool_errors++;
    c->health.seconds += x->seconds;
    if (x->seconds > c->health.slowest) c->health.slowest = x->seconds;
}

void rein_mcp_end_request(rein_mcp_client *c, request *r, bool failed, bool is_error, const char *text) {
    rein_mcp_result *x = &r->result;
    c->changes++;
    r->state = REQUEST_DONE;
    x->failed = failed;
    x->is_error = is_error;
    x->attempts = r->attempts;
    x->seconds = rein_clock() - r->started;
    rein_str_puts(&x->text, text);
    count_end(c, r);
    if (!r->internal) return;
    /* without a list the calls that wait for it go without headers, and the server will say what it thinks of that */
    if (r->kind == REQUEST_LIST && !c->tools) c->tools = json_object_new_array();
    forget(c, r);
}

/* ---- starting ---- */

/* A user's request, unless the circuit or the session forbid it: then it has failed already. */
static rein_status begin(rein_mcp_client *c, request **out, request_kind kind) {
    bool others = false;
    for (const request *r = c->requests; r; r = r->next) others = others || (!r->internal && r->state != REQUEST_DONE);
    REIN_TRY(rein_mcp_add_request(c, out, kind, false));
    c->health.requests++;
    if (c->phase == PHASE_BROKEN)
        rein_mcp_end_request(c, *out, true, false, c->why.data ? c->why.data : "out of memory");
    else if (!rein_mcp_breaker_allows(&c->breaker, rein_clock(), others))
        rein_mcp_end_request(c, *out, true, false, "too many failures in a row: the circuit is open");
    return REIN_OK;
}

/* A request is sent at once where the session stands, so that whoever waits for descriptors next waits for its answer.
 */
static rein_status dispatch(rein_mcp_client *c, double now);

rein_status rein_mcp_list(rein_mcp_client *c, int64_t *id) {
    request *r;
    REIN_TRY(begin(c, &r, REQUEST_LIST));
    *id = r->id;
    return dispatch(c, rein_clock());
}

rein_status rein_mcp_call(rein_mcp_client *c, const char *name, struct json_object *args, int64_t *id) {
    request *r;
    REIN_ASSERT(!args || json_object_is_type(args, json_type_object));
    REIN_TRY(begin(c, &r, REQUEST_CALL));
    rein_status status = rein_alloc(&r->name, (int64_t)strlen(name) + 1, 1);
    if (status != REIN_OK) {
        forget(c, r);
        return status;
    }
    memcpy(r->name, name, strlen(name));
    r->args = json_object_get(args);
    *id = r->id;
    return dispatch(c, rein_clock());
}

/* The server need not go on with a request. */
static rein_status withdraw(rein_mcp_client *c, const request *r) {
    char params[96];
    if (r->state != REQUEST_SENT || c->phase != PHASE_READY) return REIN_OK;
    c->t->cls->finish(c->t, r->wire, true);
    if (c->modern && c->t->cls->over_http) return REIN_OK; /* the end of its stream says it */
    snprintf(params, sizeof params, "{\"requestId\":%lld,\"reason\":\"no longer waited for\"}", (long long)r->wire);
    return rein_mcp_notify(c, "notifications/cancelled", params);
}

void rein_mcp_cancel(rein_mcp_client *c, int64_t id) {
    request *r = find(c, id);
    if (!r) return;
    (void)(withdraw(c, r) == REIN_OK); /* it is forgotten either way */
    forget(c, r);
}

/* ---- the loop ---- */

/* Calls over HTTP need the tool's definition for their headers (2026-07-28). */
static rein_status need_tools(rein_mcp_client *c, const request *r, bool *wait) {
    request *list;
    *wait = r->kind == REQUEST_CALL && c->modern && c->t->cls->over_http && !c->tools;
    if (!*wait) return REIN_OK;
    for (const request *other = c->requests; other; other = other->next)
        if (other->kind == REQUEST_LIST && other->state != REQUEST_DONE) return REIN_OK;
    return rein_mcp_add_request(c, &list, REQUEST_LIST, true);
}

static rein_status dispatch(rein_mcp_client *c, double now) {
    for (request *r = c->requests; r && c->phase == PHASE_READY && c->t->cls->settled(c->t); r = r->next) {
        bool wait;
        if (r->state != REQUEST_WAITING || now < r->not_before) continue;
        REIN_TRY(need_tools(c, r, &wait));
        if (wait) continue;
        if (r->attempts == 0 && r->kind != REQUEST_SUBSCRIBE) r->deadline = now + c->o.timeout;
        r->attempts++;
        REIN_TRY(rein_mcp_send_request(c, r));
    }
    return REIN_OK;
}

static rein_status expire(rein_mcp_client *c, double now) {
    for (request *r = c->requests, *next; r; r = next) {
        char why[96];
        next = r->next;
        if (r->state == REQUEST_DONE || now < r->deadline) continue;
        REIN_TRY(withdraw(c, r));
        snprintf(why, sizeof why, "no answer within %g s", r->state == REQUEST_SENT ? c->o.timeout : now - r->started);
        c->health.timeouts++;
        rein_mcp_end_request(c, r, true, false, why);
        rein_mcp_count_failure(c);
        next = c->requests; /* the circuit may have opened, and ended others */
    }
    return REIN_OK;
}

static rein_status step(rein_mcp_client *c, int wait_ms) {
    rein_mcp_event e;
    REIN_TRY(rein_mcp_step_session(c));
    REIN_TRY(dispatch(c, rein_clock()));
    REIN_TRY(c->t->cls->poll(c->t, wait_ms));
    while (c->t->cls->next(c->t, &e)) REIN_TRY(rein_mcp_hear(c, &e));
    REIN_TRY(expire(c, rein_clock()));
    return dispatch(c, rein_clock());
}

rein_status rein_mcp_poll(rein_mcp_client *c, int wait_ms) {
    int64_t before = c->changes;
    REIN_TRY(step(c, 0));
    if (c->changes != before || wait_ms == 0) return REIN_OK;
    int due = rein_mcp_wait_ms(c);
    if (due >= 0 && (wait_ms < 0 || due < wait_ms)) wait_ms = due;
    return step(c, wait_ms);
}

int rein_mcp_descriptors(const rein_mcp_client *c, struct pollfd *out, int most) {
    return c->t->cls->descriptors(c->t, out, most);
}

static void sooner(double *first, double due) {
    if (due < *first) *first = due;
}

int rein_mcp_wait_ms(const rein_mcp_client *c) {
    double now = rein_clock(), first = (double)INFINITY;
    int ms = c->t->cls->wait_ms(c->t);
    for (const request *r = c->requests; r; r = r->next) {
        if (r->state == REQUEST_DONE) continue;
        sooner(&first, r->deadline);
        if (r->state == REQUEST_WAITING && c->phase == PHASE_READY && r->not_before > now)
            sooner(&first, r->not_before);
        if (r->state == REQUEST_WAITING && c->phase == PHASE_DOWN) sooner(&first, c->restart_at);
    }
    if (c->phase == PHASE_PROBE) sooner(&first, c->probe_deadline);
    if (c->phase == PHASE_PROBE || c->phase == PHASE_INITIALIZE) sooner(&first, c->phase_deadline);
    double left = first - now;
    int own = !isfinite(first) ? -1 : left <= 0 ? 0 : left > 1e6 ? 1000000000 : (int)(left * 1000) + 1;
    return ms < 0 || (own >= 0 && own < ms) ? own : ms;
}

bool rein_mcp_take(rein_mcp_client *c, int64_t id, rein_mcp_result *out) {
    request *r = find(c, id);
    if (!r || r->state != REQUEST_DONE) return false;
    *out = r->result;
    r->result = (rein_mcp_result){0};
    forget(c, r);
    return true;
}

rein_status rein_mcp_wait(rein_mcp_client *c, int64_t id, rein_mcp_result *out) {
    REIN_ASSERT(find(c, id) != NULL);
    while (!rein_mcp_take(c, id, out)) REIN_TRY(rein_mcp_poll(c, -1));
    return REIN_OK;
}

bool rein_mcp_get_progress(const rein_mcp_client *c, int64_t id, rein_mcp_progress *out) {
    const request *r = find(c, id);
    if (!r) return false;
    *out = r->progress;
    return true;
}

/* ---- the server ---- */

static rein_status copy_list(const char *const **out, rein_arena *arena, const char *const *list) {
    const char **copy;
    size_t n = 0;
    *out = NULL;
    if (!list) return REIN_OK;
    while (list[n]) n++;
    REIN_TRY(rein_arena_alloc(arena, &copy, (n + 1) * sizeof *copy));
    for (size_t i = 0; i < n; i++) REIN_TRY(rein_arena_strdup(arena, (char **)&copy[i], list[i], strlen(list[i])));
    *out = copy;
    return REIN_OK;
}

rein_status rein_mcp_set_roots(rein_mcp_client *c, const char *const *roots) {
    rein_arena arena = {0};
    const char *const *copy;
    REIN_TRY(copy_list(&copy, &arena, roots));
    rein_arena_deinit(&c->roots_arena);
    c->roots_arena = arena;
    c->roots = copy;
    if (c->phase != PHASE_READY || c->modern) return REIN_OK; /* it will be told, or ask */
    return rein_mcp_notify(c, "notifications/roots/list_changed", NULL);
}

bool rein_mcp_tools_changed(rein_mcp_client *c) {
    bool changed = c->tools_changed;
    c->tools_changed = false;
    return changed;
}

const char *rein_mcp_version(const rein_mcp_client *c) { return c->version; }

const char *rein_mcp_server(const rein_mcp_client *c) { return c->server; }

int rein_mcp_pid(const rein_mcp_client *c) { return c->t->cls->pid(c->t); }

rein_mcp_health rein_mcp_get_health(const rein_mcp_client *c) {
    rein_mcp_health h = c->health;
    h.circuit = c->breaker.circuit;
    h.in_a_row = c->breaker.failures;
    h.opened = c->breaker.opened;
    return h;
}

void rein_mcp_put_health(rein_str *out, const rein_mcp_health *h) {
    static const char *const circuits[] = {"closed", "open", "half-open"};
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {{"failures_in_a_row", h->in_a_row},
                  {"requests", h->requests},
                  {"answers", h->answers},
                  {"tool_errors", h->tool_errors},
                  {"failures", h->failures},
                  {"timeouts", h->timeouts},
                  {"retries", h->retries},
                  {"starts", h->starts},
                  {"opened", h->opened},
                  {"noise", h->noise},
                  {"strays", h->strays},
                  {"refused", h->refused},
                  {"dropped_tools", h->dropped_tools}};
    rein_str_printf(out, "{\"circuit\":\"%s\"", circuits[h->circuit]);
    for (size_t i = 0; i < REIN_COUNT(counts); i++)
        rein_str_printf(out, ",\"%s\":%lld", counts[i].name, (long long)counts[i].value);
    rein_str_puts(out, ",\"seconds\":");
    rein_json_put_f64(out, h->seconds);
    rein_str_puts(out, ",\"slowest\":");
    rein_json_put_f64(out, h->slowest);
    rein_str_putc(out, '}');
}

/* ---- opening ---- */

static rein_status copy_text(const char **text, rein_arena *arena) {
    char *copy;
    if (!*text) return REIN_OK;
    REIN_TRY(rein_arena_strdup(arena, &copy, *text, strlen(*text)));
    *text = copy;
    return REIN_OK;
}

static rein_status copy_options(rein_mcp_client *c, const rein_mcp_options *o) {
    rein_child_fd *extra;
    c->o = *o;
    REIN_TRY(copy_list(&c->o.argv, &c->arena, o->argv));
    REIN_TRY(copy_list(&c->o.env, &c->arena, o->env));
    REIN_TRY(copy_list(&c->o.headers, &c->arena, o->headers));
    REIN_TRY(copy_list(&c->roots, &c->roots_arena, o->roots));
    REIN_TRY(copy_text(&c->o.folder, &c->arena));
    REIN_TRY(copy_text(&c->o.url, &c->arena));
    REIN_TRY(rein_arena_alloc(&c->arena, &extra, (size_t)o->n_extra * sizeof *extra + 1));
    if (o->n_extra) memcpy(extra, o->extra, (size_t)o->n_extra * sizeof *extra);
    c->o.extra = extra;
    return REIN_OK;
}

static void set_defaults(rein_mcp_options *o) {
    if (o->timeout <= 0) o->timeout = 10;
    if (o->start_timeout <= 0) o->start_timeout = 30;
    if (o->probe_timeout <= 0) o->probe_timeout = 5;
    if (o->attempts <= 0) o->attempts = 3;
    if (o->backoff <= 0) o->backoff = 0.1;
    if (o->cooldown <= 0) o->cooldown = 30;
    if (o->message_max == 0) o->message_max = 64 << 20;
    if (o->noise_max <= 0) o->noise_max = 100;
}

static rein_status start(rein_mcp_client *c, const rein_mcp_options *o) {
    REIN_ASSERT(!o->argv != !o->url);
    REIN_TRY(copy_options(c, o));
    set_defaults(&c->o);
    c->breaker.cooldown = c->o.cooldown;
    REIN_TRY(c->o.url ? rein_mcp_http_open(&c->t, &c->o) : rein_mcp_stdio_open(&c->t, &c->o));
    REIN_TRY(rein_mcp_step_session(c));
    return c->phase == PHASE_DOWN ? REIN_ERR_IO : REIN_OK; /* not found, not executable: waiting mends nothing */
}

rein_status rein_mcp_open(rein_mcp_client **out, const rein_mcp_options *options) {
    rein_mcp_client *c;
    *out = NULL;
    REIN_TRY(rein_alloc(&c, 1, sizeof *c));
    rein_status status = start(c, options);
    if (status == REIN_OK)
        *out = c;
    else
        rein_mcp_close(c);
    return status;
}

void rein_mcp_end_input(rein_mcp_client *c) { c->t->cls->end_input(c->t); }

void rein_mcp_close(rein_mcp_client *c) {
    if (!c) return;
    while (c->requests) forget(c, c->requests);
    if (c->t) c->t->cls->close(c->t);
    json_object_put(c->tools);
    rein_str_deinit(&c->why);
    rein_arena_deinit(&c->arena);
    rein_arena_deinit(&c->roots_arena);
    rein_free(c);
}
