/* The live line; see progress.h. The command line is one process with one terminal, so its state is static. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    char label[64], text[256];
    int64_t first, done, all;
    double start, drawn;
    bool terminal, open;
} line;

static void clock_text(char out[32], double seconds) {
    long s = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
}

void rein_progress_begin(const char *label, int64_t done, int64_t all) {
    rein_progress_end();
    snprintf(line.label, sizeof line.label, "%s", label);
    line.text[0] = '\0';
    line.first = line.done = done;
    line.all = all;
    line.start = rein_clock();
    line.drawn = 0;
    line.terminal = isatty(STDERR_FILENO);
}

static void draw(const char *detail) {
    double now = rein_clock(), used = now - line.start;
    double rate = used > 0 ? (double)(line.done - line.first) / used : 0;
    char left[32] = "-:--";
    if (rate > 0) clock_text(left, (double)(line.all - line.done) / rate);
    fprintf(stderr, "%s%s %lld/%lld %s%s%s  %.2f/s  left %s%s", line.terminal ? "\r" : "", line.label,
            (long long)line.done, (long long)line.all, line.text, *detail ? "  " : "", detail, rate, left,
            line.terminal ? "\033[K" : "\n");
    fflush(stderr);
    line.open = line.terminal;
    line.drawn = now;
}

void rein_progress_step(int64_t done, const char *text) {
    line.done = done;
    snprintf(line.text, sizeof line.text, "%s", text);
    if (!line.terminal || done >= line.all || rein_clock() - line.drawn > 0.1) draw("");
}

void rein_progress_detail(const char *text) {
    if (line.terminal && rein_clock() - line.drawn > 0.1) draw(text);
}

void rein_progress_end(void) {
    if (line.open) fputc('\n', stderr);
    line.open = false;
}
