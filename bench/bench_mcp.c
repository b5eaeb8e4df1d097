/*
 * Tool calls per second through the MCP client, over stdio: N servers in C, each with one call under way.
 *
 *   bench_mcp [SERVERS [SECONDS]]      default 8 servers, 3 s
 *
 * The servers are this program (rein_mcp_serve with an echo tool). Also: the time until a server's first answer, which
 * is its start, probe and handshake.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/json.h"
#include "mcp/client.h"
#include "mcp/server.h"

enum { SERVERS_MOST = 64 };

static rein_status list(void *user, rein_str *out) {
    (void)user;
    rein_str_puts(out, "[{\"name\":\"echo\",\"inputSchema\":{\"type\":\"object\"}}]");
    return REIN_OK;
}

static rein_status call(void *user, const char *name, struct json_object *args, rein_str *text, bool *is_error) {
    (void)user, (void)name;
    *is_error = false;
    rein_str_puts(text, json_object_to_json_string(args));
    return REIN_OK;
}

typedef struct slot {
    rein_mcp_client *c;
    int64_t id;
} slot;

static rein_status start(slot *s, struct json_object *args) { return rein_mcp_call(s->c, "echo", args, &s->id); }

/* Take what is finished, and start the next in its place. */
static rein_status turn(slot *s, struct json_object *args, int64_t *done) {
    rein_mcp_result r;
    REIN_TRY(rein_mcp_poll(s->c, 0));
    while (rein_mcp_take(s->c, s->id, &r)) {
        if (r.failed || r.is_error) return rein_fail(REIN_ERR_IO, "a call failed: %s", r.text.data);
        rein_mcp_result_deinit(&r);
        (*done)++;
        REIN_TRY(start(s, args));
    }
    return REIN_OK;
}

static rein_status run(slot *s, int n, struct json_object *args, double seconds, int64_t *done) {
    struct pollfd fd[3 * SERVERS_MOST];
    for (double end = rein_clock() + seconds; rein_clock() < end;) {
        int n_fd = 0;
        for (int i = 0; i < n; i++) {
            REIN_TRY(turn(&s[i], args, done));
            n_fd += rein_mcp_descriptors(s[i].c, fd + n_fd, 3 * SERVERS_MOST - n_fd);
        }
        poll(fd, (nfds_t)n_fd, 100);
    }
    return REIN_OK;
}

/* Seconds of this process, which a busy machine does not change much. */
static double processor_time(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static rein_status measure(slot *s, int n, double seconds) {
    static const char text[] = "{\"symbol\":\"AAPL\",\"fields\":[\"price\",\"volume\"]}";
    const char *argv[] = {"/proc/self/exe", "--serve", NULL};
    struct json_object *args;
    int64_t done = 0;
    rein_status status = REIN_OK;
    REIN_TRY(rein_json_parse(&args, "args", text, strlen(text)));
    double begun = rein_clock();
    for (int i = 0; i < n && status == REIN_OK; i++) {
        status = rein_mcp_open(&s[i].c, &(rein_mcp_options){.argv = argv});
        if (status == REIN_OK) status = start(&s[i], args);
    }
    while (status == REIN_OK && done < n)
        for (int i = 0; i < n && status == REIN_OK; i++) status = turn(&s[i], args, &done);
    printf("%d servers: first answers after %.1f ms\n", n, (rein_clock() - begun) * 1e3);
    done = 0;
    begun = rein_clock();
    double used = processor_time();
    if (status == REIN_OK) status = run(s, n, args, seconds, &done);
    printf("%.0f calls/s over %d servers; %.1f us of processor time a call in the client\n",
           (double)done / (rein_clock() - begun), n, (processor_time() - used) * 1e6 / (double)(done ? done : 1));
    json_object_put(args);
    return status;
}

int main(int argc, char **argv) {
    static const rein_mcp_service service = {.name = "echo", .version = "1", .list = list, .call = call};
    slot s[SERVERS_MOST] = {{NULL, 0}};
    if (argc == 2 && strcmp(argv[1], "--serve") == 0) return rein_mcp_serve(&service, 0, 1) != REIN_OK;
    int n = argc > 1 ? atoi(argv[1]) : 8;
    if (n < 1 || n > SERVERS_MOST) {
        fprintf(stderr, "usage: bench_mcp [SERVERS (1 to %d) [SECONDS]]\n", SERVERS_MOST);
        return 2;
    }
    rein_status status = measure(s, n, argc > 2 ? atof(argv[2]) : 3);
    if (status != REIN_OK) fprintf(stderr, "bench_mcp: %s\n", rein_error_message());
    for (int i = 0; i < n; i++)
        if (s[i].c) rein_mcp_end_input(s[i].c);
    for (int i = 0; i < n; i++) rein_mcp_close(s[i].c);
    return status != REIN_OK;
}
