/*
 * A reward function that is a program of the user's, in any language: process:COMMAND.
 *
 * The command runs in /bin/sh, anew for every batch, so that nothing is carried from step to step and a resumed run sees
 * what the first one saw. It reads one JSON object a line, {"prompt","completion","completion_ids", and the row's other
 * columns}, in order; after the last one its input ends. It writes one line {"reward": number or null} for each and exits
 * with 0. A conversational row has messages as its prompt and [{"role":"assistant","content":...}] as its completion, as
 * in TRL. Crash, deadline, a bad line, a wrong count and a number that is not finite are errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "reward/internal.h"

extern char **environ;

enum { INPUT, OUTPUT, COMPLAINT, PIPES, CHUNK = 1 << 16, COMPLAINT_MAX = 4096, OUTPUT_MAX = 1 << 28 };

typedef struct child {
    pid_t pid;
    int fd[PIPES]; /* our ends; -1: closed */
    double deadline;
    rein_str said, complaint;
} child;

/* ---- what it is told ---- */

static void put_completion(rein_str *out, const rein_reward_answer *a, bool chat) {
    rein_str_puts(out, chat ? "[{\"role\":\"assistant\",\"content\":" : "");
    rein_json_put_string(out, a->text, a->len);
    rein_str_puts(out, chat ? "}]" : "");
}

static rein_status put_member(rein_str *out, const char *key, struct json_object *value) {
    size_t len;
    rein_json_put_string(out, key, strlen(key));
    rein_str_putc(out, ':');
    const char *text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &len);
    if (!text) return rein_fail(REIN_ERR_MEMORY, "out of memory for column '%s'", key);
    rein_str_append(out, text, len);
    return REIN_OK;
}

static rein_status put_line(rein_str *out, const rein_reward_answer *a) {
    struct json_object *prompt = NULL;
    json_object_object_get_ex(a->row, "prompt", &prompt);
    rein_str_putc(out, '{');
    json_object_object_foreach(a->row, key, value) {
        if (strcmp(key, "completion") == 0 || strcmp(key, "completion_ids") == 0) continue; /* the answer's own */
        REIN_TRY(put_member(out, key, value));
        rein_str_putc(out, ',');
    }
    rein_str_puts(out, "\"completion\":");
    put_completion(out, a, json_object_is_type(prompt, json_type_array));
    for (int64_t i = 0; a->ids && i < a->n_ids; i++)
        rein_str_printf(out, "%s%d", i ? "," : ",\"completion_ids\":[", a->ids[i]);
    rein_str_puts(out, !a->ids ? "}\n" : a->n_ids > 0 ? "]}\n" : ",\"completion_ids\":[]}\n");
    return rein_str_check(out);
}

/* ---- the program ---- */

static rein_status fail_errno(const rein_reward_func *f, const char *what) {
    return rein_fail(REIN_ERR_IO, "program '%s': %s: %s", f->argument, what, strerror(errno));
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* Sockets, not pipes: a write to a program that has gone is then an error instead of a signal. */
static rein_status make_pipes(int ours[PIPES], int theirs[PIPES], const rein_reward_func *f) {
    for (int i = 0; i < PIPES; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) return fail_errno(f, "socketpair");
        ours[i] = pair[0];
        theirs[i] = pair[1];
        if (fcntl(pair[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(pair[1], F_SETFD, FD_CLOEXEC) < 0 ||
            fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
            return fail_errno(f, "fcntl");
    }
    return REIN_OK;
}

/* A process group of its own, so that a deadline ends the shell and all that it started. */
static rein_status spawn(child *c, const rein_reward_func *f, const int theirs[PIPES]) {
    char *argv[] = {"sh", "-c", f->argument, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    for (int i = 0; i < PIPES; i++) posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    errno = posix_spawn(&c->pid, "/bin/sh", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (errno == 0) return REIN_OK;
    c->pid = 0;
    return fail_errno(f, "cannot start /bin/sh");
}

static rein_status start(child *c, const rein_reward_func *f) {
    int theirs[PIPES] = {-1, -1, -1};
    rein_status status = make_pipes(c->fd, theirs, f);
    if (status == REIN_OK) status = spawn(c, f, theirs);
    for (int i = 0; i < PIPES; i++) close_fd(&theirs[i]);
    c->deadline = rein_clock() + f->timeout;
    return status;
}

/* ---- talking ---- */

static rein_status send_some(child *c, const rein_reward_func *f, const rein_str *input, size_t *sent) {
    ssize_t n = send(c->fd[INPUT], input->data + *sent, input->len - *sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return REIN_OK;
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) { /* it does not listen: its answers will tell */
        close_fd(&c->fd[INPUT]);
        return REIN_OK;
    }
    if (n < 0) return fail_errno(f, "write");
    *sent += (size_t)n;
    if (*sent == input->len) close_fd(&c->fd[INPUT]);
    return REIN_OK;
}

static rein_status receive(child *c, const rein_reward_func *f, int which, rein_str *out) {
    char chunk[CHUNK];
    ssize_t n = read(c->fd[which], chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return REIN_OK;
    if (n < 0 && errno != ECONNRESET) return fail_errno(f, "read");
    if (n <= 0) {
        close_fd(&c->fd[which]);
        return REIN_OK;
    }
    if (which == COMPLAINT && out->len + (size_t)n > COMPLAINT_MAX) rein_str_clear(out); /* the end is what counts */
    rein_str_append(out, chunk, (size_t)n);
    if (out->len > OUTPUT_MAX) return rein_fail(REIN_ERR_IO, "program '%s' writes without end", f->argument);
    return rein_str_check(out);
}

static rein_status too_slow(const rein_reward_func *f) {
    return rein_fail(REIN_ERR_IO, "program '%s' did not finish a batch within %g s (reward_timeout)", f->argument,
                     f->timeout);
}

static rein_status talk(child *c, const rein_reward_func *f, const rein_str *input) {
    size_t sent = 0;
    while (c->fd[OUTPUT] >= 0 || c->fd[COMPLAINT] >= 0) {
        struct pollfd poll_fd[PIPES] = {{c->fd[INPUT], POLLOUT, 0}, {c->fd[OUTPUT], POLLIN, 0},
                                        {c->fd[COMPLAINT], POLLIN, 0}};
        double left = c->deadline - rein_clock();
        if (left <= 0) return too_slow(f);
        int ready = poll(poll_fd, PIPES, left < 1000 ? (int)(left * 1000) + 1 : 1000000);
        if (ready < 0 && errno != EINTR) return fail_errno(f, "poll");
        if (ready <= 0) continue;
        if (c->fd[INPUT] >= 0 && poll_fd[INPUT].revents) REIN_TRY(send_some(c, f, input, &sent));
        if (poll_fd[OUTPUT].revents) REIN_TRY(receive(c, f, OUTPUT, &c->said));
        if (poll_fd[COMPLAINT].revents) REIN_TRY(receive(c, f, COMPLAINT, &c->complaint));
    }
    return REIN_OK;
}

/* Wait until it has exited, at most to the deadline: it may have closed its outputs and go on. */
static rein_status wait_for(child *c, const rein_reward_func *f, int *how) {
    for (;;) {
        pid_t pid = waitpid(c->pid, how, WNOHANG);
        if (pid == c->pid) break;
        if (pid < 0 && errno != EINTR) return fail_errno(f, "waitpid");
        if (rein_clock() > c->deadline) return too_slow(f);
        poll(NULL, 0, 1);
    }
    c->pid = 0;
    return REIN_OK;
}

/* The last line that the program wrote to its standard error, without its newline. */
static const char *last_words(const child *c, int *len) {
    const char *text = c->complaint.data ? c->complaint.data : "";
    size_t end = c->complaint.len;
    while (end > 0 && text[end - 1] == '\n') end--;
    size_t begin = end;
    while (begin > 0 && text[begin - 1] != '\n') begin--;
    *len = end - begin > 400 ? 400 : (int)(end - begin);
    return text + begin;
}

static rein_status check_exit(const child *c, const rein_reward_func *f, int how) {
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0) return REIN_OK;
    int len;
    const char *words = last_words(c, &len);
    return rein_fail(REIN_ERR_IO, "program '%s' ended with %s %d; it said: %.*s", f->argument,
                     WIFEXITED(how) ? "exit status" : "signal", WIFEXITED(how) ? WEXITSTATUS(how) : WTERMSIG(how), len,
                     words);
}

static void stop(child *c) {
    for (int i = 0; i < PIPES; i++) close_fd(&c->fd[i]);
    if (c->pid > 0) {
        kill(-c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) continue;
    }
    rein_str_deinit(&c->said);
    rein_str_deinit(&c->complaint);
}

/* ---- what it says ---- */

static rein_status read_reward(double *out, const char *text, size_t len, const char *name) {
    struct json_object *doc, *value;
    REIN_TRY(rein_json_parse(&doc, name, text, len));
    rein_status status = REIN_OK;
    if (!json_object_is_type(doc, json_type_object) || !json_object_object_get_ex(doc, "reward", &value))
        status = rein_fail(REIN_ERR_FORMAT, "%s: expected {\"reward\": number or null}", name);
    else if (!value)
        *out = (double)NAN;
    else
        status = rein_json_double(out, doc, "reward");
    json_object_put(doc);
    return status;
}

static rein_status read_rewards(double *out, const rein_reward_func *f, const rein_str *said, int64_t n) {
    const char *at = said->data ? said->data : "", *end = at + said->len;
    char name[64];
    int64_t line = 0;
    for (const char *next; at < end; at = next) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        next = newline ? newline + 1 : end;
        if (line == n)
            return rein_fail(REIN_ERR_FORMAT, "program '%s' wrote more than the %lld lines that it was asked for",
                             f->argument, (long long)n);
        snprintf(name, sizeof name, "its line %lld", (long long)line + 1);
        rein_status status = read_reward(&out[line++], at, (size_t)((newline ? newline : end) - at), name);
        if (status != REIN_OK) return rein_error_prefix(status, "program '%s'", f->argument);
    }
    if (line < n)
        return rein_fail(REIN_ERR_FORMAT, "program '%s' wrote %lld lines for %lld answers", f->argument,
                         (long long)line, (long long)n);
    return REIN_OK;
}

static rein_status process_batch(double *out, const rein_reward_func *f, const rein_reward_answer *a, int64_t n) {
    child c = {.fd = {-1, -1, -1}};
    rein_str input = {0};
    rein_status status = REIN_OK;
    int how = 0;
    for (int64_t i = 0; i < n; i++) REIN_TRY_OUT(status, put_line(&input, &a[i]), out);
    if (n == 0) goto out;
    REIN_TRY_OUT(status, start(&c, f), out);
    REIN_TRY_OUT(status, talk(&c, f, &input), out);
    REIN_TRY_OUT(status, wait_for(&c, f, &how), out);
    REIN_TRY_OUT(status, check_exit(&c, f, how), out);
    REIN_TRY_OUT(status, read_rewards(out, f, &c.said, n), out);
out:
    stop(&c);
    rein_str_deinit(&input);
    return status;
}

static rein_status process_open(rein_reward_func *f) {
    if (f->argument[strspn(f->argument, " \t")]) return REIN_OK;
    return rein_fail(REIN_ERR_USAGE, "reward function %s: a command is missing, as in process:python3 reward.py",
                     f->name);
}

const rein_reward_class rein_reward_process = {
    .names = "process", .judges = REIN_JUDGES_CORRECT, .open = process_open, .batch = process_batch};
