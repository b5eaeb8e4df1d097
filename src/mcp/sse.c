/* Server-sent events; see sse.h. */
#include "mcp/sse.h"

#include <string.h>

enum { ID_MAX = 1024 }; /* bytes; it is sent back in a header */

/* "name: value" or "name:value"; is the line's field `name`? Then its value. */
static bool is_field(const rein_str *line, const char *name, const char **value, size_t *len) {
    size_t n = strlen(name);
    if (line->len < n || memcmp(line->data, name, n) != 0) return false;
    if (line->len > n && line->data[n] != ':') return false;
    size_t from = line->len > n ? n + 1 : n;
    if (from < line->len && line->data[from] == ' ') from++;
    *value = line->data + from;
    *len = line->len - from;
    return true;
}

/* Digits only; anything else leaves what was. Above a day is a day. */
static void read_retry(rein_sse *s, const char *text, size_t len) {
    enum { DAY = 86400000 };
    int64_t ms = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return;
        ms = ms * 10 + (text[i] - '0');
        if (ms > DAY) ms = DAY;
    }
    if (len == 0) return;
    s->retry = ms;
    s->has_retry = true;
}

static rein_status end_event(rein_sse *s, rein_sse_fn fn, void *user) {
    rein_status status = REIN_OK;
    if (s->has_data && s->data.len > 0) status = fn(user, s->data.data, s->data.len);
    rein_str_clear(&s->data);
    s->has_data = false;
    return status;
}

static rein_status end_line(rein_sse *s, rein_sse_fn fn, void *user) {
    const char *value;
    size_t len;
    if (s->line.len == 0) return end_event(s, fn, user);
    if (is_field(&s->line, "data", &value, &len)) {
        if (s->has_data) rein_str_putc(&s->data, '\n');
        rein_str_append(&s->data, value, len);
        s->has_data = true;
    } else if (is_field(&s->line, "id", &value, &len) && len <= ID_MAX && !memchr(value, '\0', len)) {
        rein_str_clear(&s->id);
        rein_str_append(&s->id, value, len);
    } else if (is_field(&s->line, "retry", &value, &len)) {
        read_retry(s, value, len);
    }
    rein_str_clear(&s->line);
    REIN_TRY(rein_str_check(&s->data));
    return rein_str_check(&s->id);
}

/* The bytes up to the next end of a line, and past it. */
static rein_status take_line(rein_sse *s, const char **at, const char *end, rein_sse_fn fn, void *user) {
    const char *stop = *at;
    while (stop < end && *stop != '\n' && *stop != '\r') stop++;
    rein_str_append(&s->line, *at, (size_t)(stop - *at));
    REIN_TRY(rein_str_check(&s->line));
    *at = stop;
    if (stop == end) return REIN_OK;
    s->after_cr = *stop == '\r';
    *at = stop + 1;
    return end_line(s, fn, user);
}

rein_status rein_sse_feed(rein_sse *s, const char *bytes, size_t len, size_t max, rein_sse_fn fn, void *user) {
    for (const char *at = bytes, *end = bytes + len; at < end;) {
        if (s->after_cr && *at == '\n') at++; /* CRLF is one end */
        s->after_cr = false;
        if (at < end) REIN_TRY(take_line(s, &at, end, fn, user));
        if (s->line.len + s->data.len > max) return rein_fail(REIN_ERR_FORMAT, "an event of more than %zu bytes", max);
    }
    return REIN_OK;
}

void rein_sse_reconnect(rein_sse *s) {
    rein_str_clear(&s->line);
    rein_str_clear(&s->data);
    s->has_data = s->after_cr = false;
}

void rein_sse_deinit(rein_sse *s) {
    rein_str_deinit(&s->line);
    rein_str_deinit(&s->data);
    rein_str_deinit(&s->id);
}
