/*
 * The tool world: resets and tool calls a second over 8 slots, in this process and over MCP.
 *
 *   bench_tools REIN [SECONDS]      REIN: the program that serves (build/release/rein)
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "env/open.h"

enum { SLOTS = 8 };

static void must(rein_status status) {
    if (status == REIN_OK) return;
    fprintf(stderr, "bench_tools: %s\n", rein_error_message());
    exit(1);
}

static const char action[] =
    "<tool_call>\n{\"name\": \"get_quote\", \"arguments\": {\"symbol\": \"ALVR\"}}\n</tool_call>\n"
    "<tool_call>\n{\"name\": \"get_quote\", \"arguments\": {\"symbol\": \"DRVO\"}}\n</tool_call>\n"
    "<tool_call>\n{\"name\": \"send_slack_message\", \"arguments\": {\"channel\": \"general\", \"message\": \"x\"}}\n</tool_call>\n";
enum { CALLS = 3 };

/* Wait until a slot has something to do. */
static void wait_for_any(const rein_env *env, rein_episode *const *ep) {
    struct pollfd fd[SLOTS * 8];
    int n = 0;
    for (int i = 0; i < SLOTS; i++) n += env->cls->turns->descriptors(ep[i], fd + n, 8);
    if (n > 0) poll(fd, (nfds_t)n, 10);
}

static void finish_all(const rein_env *env, rein_episode *const *ep) {
    bool done[SLOTS] = {false};
    for (int left = SLOTS; left > 0;) {
        for (int i = 0; i < SLOTS; i++) {
            rein_observation o;
            if (done[i]) continue;
            must(env->cls->turns->poll(ep[i], 0, &o, &done[i]));
            left -= done[i];
        }
        if (left > 0) wait_for_any(env, ep);
    }
}

static void measure(const char *spec, double seconds) {
    rein_env *env;
    rein_episode *ep[SLOTS];
    rein_task task = {0};
    double reset = 0, step = 0, began = rein_clock();
    int64_t resets = 0, calls = 0;
    must(rein_env_open(&env, spec));
    for (int i = 0; i < SLOTS; i++) must(env->cls->turns->open(env, i, &ep[i]));
    const double opened = rein_clock() - began;
    must(env->cls->task(env, 1, REIN_SPLIT_TRAIN, 0, &task)); /* its tools are those of the action */
    for (began = rein_clock(); rein_clock() - began < seconds;) {
        double at = rein_clock();
        for (int i = 0; i < SLOTS; i++) must(env->cls->turns->reset(ep[i], &task, 1));
        finish_all(env, ep);
        resets += SLOTS;
        reset += rein_clock() - at;
        at = rein_clock();
        for (int turn = 0; turn < 3; turn++) {
            for (int i = 0; i < SLOTS; i++) must(env->cls->turns->step(ep[i], action, sizeof action - 1));
            finish_all(env, ep);
            calls += SLOTS * CALLS;
        }
        step += rein_clock() - at;
    }
    printf("%-60.60s  open %6.0f ms  reset %6.3f ms  %8.0f calls/s\n", spec, 1e3 * opened, 1e3 * reset / (double)resets,
           (double)calls / step);
    for (int i = 0; i < SLOTS; i++) env->cls->turns->close(ep[i]);
    rein_env_close(env);
}

int main(int argc, char **argv) {
    const double seconds = argc > 2 ? atof(argv[2]) : 2;
    char spec[2][4352];
    if (argc < 2) {
        fprintf(stderr, "usage: bench_tools REIN [SECONDS]\n");
        return 2;
    }
    snprintf(spec[0], sizeof spec[0], "tools:categories=quote_post,mix=(1,0,0),transport=mcp,sandbox=none,server_command=%s", argv[1]);
    snprintf(spec[1], sizeof spec[1], "tools:categories=quote_post,mix=(1,0,0),transport=mcp,server_command=%s", argv[1]);
    measure("tools:categories=quote_post,mix=(1,0,0)", seconds);
    measure(spec[0], seconds);
    measure(spec[1], seconds);
    return 0;
}
