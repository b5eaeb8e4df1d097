/*
 * The browser world's speed: start of the browser, episodes of one action (reset, read, click, read the reward), and
 * what a slot costs in memory.   usage: bench_browse [HTML]     default: miniwob-html
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "env/browse/miniwob.h"
#include "env/open.h"

enum { EPISODES = 200, SLOTS_MAX = 8 };

#define OK(expr)                                                                                                       \
    do {                                                                                                               \
        if ((expr) != REIN_OK) {                                                                                       \
            fprintf(stderr, "%s\n", rein_error_message());                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static rein_observation wait_for(rein_episode *ep) {
    rein_observation o = {0};
    bool ready = false;
    while (!ready) OK(ep->env->cls->turns->poll(ep, -1, &o, &ready));
    return o;
}

/* The sum that awk prints of a file in /proc of every process of a group. */
static double group_sum(int group, const char *file, const char *awk) {
    char command[300];
    double sum = 0;
    snprintf(
        command, sizeof command,
        "for p in $(ps -eo pid=,pgid= | awk '$2 == %d { print $1 }'); do cat /proc/$p/%s 2>/dev/null; done | awk '%s'",
        group, file, awk);
    FILE *pipe = popen(command, "r");
    if (pipe && fscanf(pipe, "%lf", &sum) != 1) sum = 0;
    if (pipe) pclose(pipe);
    return sum;
}

/* MiB; shared pages are counted once. */
static double group_memory(int group) {
    return group_sum(group, "smaps_rollup", "/^Pss:/ { s += $2 } END { print s / 1024 }");
}

/* Seconds of processor time, of the browser's processes and of this one. */
static double group_cpu(int group) {
    double ticks = group_sum(group, "stat", "{ sub(/.*\\) /, \"\"); s += $12 + $13 } END { print s + 0 }");
    return ticks / (double)sysconf(_SC_CLK_TCK) + (double)clock() / CLOCKS_PER_SEC;
}

static int run(rein_env *env, rein_episode **ep, int slots, double *seconds) {
    int solved = 0;
    const double start = rein_clock();
    for (int i = 0; i < EPISODES; i += slots) {
        rein_task task[SLOTS_MAX];
        for (int s = 0; s < slots; s++) {
            OK(env->cls->task(env, 1, REIN_SPLIT_TRAIN, i + s, &task[s]));
            OK(env->cls->turns->reset(ep[s], &task[s], 0));
        }
        for (int s = 0; s < slots; s++) {
            wait_for(ep[s]);
            OK(env->cls->turns->step(ep[s], "click('1')", 10));
        }
        for (int s = 0; s < slots; s++) solved += wait_for(ep[s]).score.success;
    }
    *seconds = rein_clock() - start;
    return solved;
}

int main(int argc, char **argv) {
    char spec[600];
    rein_env *env;
    rein_episode *ep[SLOTS_MAX];
    double seconds;
    snprintf(spec, sizeof spec, "miniwob:tasks=click-test,html=%.500s", argc > 1 ? argv[1] : "miniwob-html");
    OK(rein_env_open(&env, spec));
    printf("slots  first episodes    episodes/s  CPU ms/episode  solved  memory\n");
    for (int slots = 1, open = 0; slots <= SLOTS_MAX; slots *= 2) {
        double before = rein_clock();
        for (; open < slots; open++) OK(env->cls->turns->open(env, open, &ep[open]));
        rein_task task;
        OK(env->cls->task(env, 1, REIN_SPLIT_TRAIN, 0, &task));
        for (int s = 0; s < slots; s++) OK(env->cls->turns->reset(ep[s], &task, 0));
        for (int s = 0; s < slots; s++) wait_for(ep[s]);
        double opened = rein_clock() - before;
        int group = rein_browser_pid(((rein_browse_world *)env)->browser);
        double cpu = group_cpu(group);
        int solved = run(env, ep, slots, &seconds);
        printf("%5d  %10.3f s  %12.1f  %14.1f  %6d  %3.0f MiB\n", slots, opened, EPISODES / seconds,
               (group_cpu(group) - cpu) * 1e3 / EPISODES, solved, group_memory(group));
    }
    for (int s = 0; s < SLOTS_MAX; s++) env->cls->turns->close(ep[s]);
    rein_env_close(env);
    return 0;
}
