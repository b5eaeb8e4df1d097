/* Child processes; see child.h. */
#define _GNU_SOURCE /* close_range, execvpe, vfork */
#include "os/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    INPUT,
    OUTPUT,
    COMPLAINT,
    STREAMS,
    CHUNK = 1 << 16,
    CHUNKS = 64,  /* read in one poll: a child that never stops writing does not keep us */
    FD_MOST = 64, /* descriptors of the child are below, our copies for it above */
    EXTRA_MOST = 16,
    MESSAGE_MAX = 64 << 20,
    COMPLAINT_MAX = 4096,
    WORDS_MAX = 400
};

static const double GRACE = 0.5; /* s, before TERM and again before KILL */

struct rein_child {
    pid_t pid;
    int status; /* as rein_child_status; it stays a zombie until close, so that nobody else gets its group's number */
    int fd[STREAMS]; /* our ends; -1: closed */
    bool input_ends; /* close the input when the queue is empty */
    char delimiter;
    size_t message_max;
    rein_str queue, said, complaint;
    size_t sent;        /* bytes of queue that are written */
    size_t at, scanned; /* said: where the next message begins; no delimiter is in [at, scanned) */
};

/* ---- starting ---- */

typedef struct plan {
    const char *const *argv, *const *env;
    const char *folder;
    int n, from[EXTRA_MOST + STREAMS + 1], to[EXTRA_MOST + STREAMS + 1];
    pid_t parent;
    sigset_t mask;
    int error; /* why it did not become the program */
    bool folder_failed;
} plan;

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* A copy of `fd` for the child's `to`; above all numbers that the child may use, so that no copy overwrites another. */
static rein_status plan_fd(plan *p, int fd, int to) {
    if (to < 0 || to >= FD_MOST) return rein_fail(REIN_ERR_ARG, "descriptor %d of a child: expected 0 to 63", to);
    p->from[p->n] = fcntl(fd, F_DUPFD_CLOEXEC, FD_MOST);
    if (p->from[p->n] < 0) return rein_fail(REIN_ERR_IO, "cannot duplicate descriptor %d: %s", fd, strerror(errno));
    p->to[p->n++] = to;
    return REIN_OK;
}

static rein_status plan_stream(plan *p, int *ours, int to) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return rein_fail(REIN_ERR_IO, "socketpair: %s", strerror(errno));
    *ours = pair[0];
    rein_status status = plan_fd(p, pair[1], to);
    close(pair[1]);
    if (status == REIN_OK && fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
        status = rein_fail(REIN_ERR_IO, "fcntl: %s", strerror(errno));
    return status;
}

static rein_status plan_empty_input(plan *p) {
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0) return rein_fail(REIN_ERR_IO, "/dev/null: %s", strerror(errno));
    rein_status status = plan_fd(p, null, 0);
    close(null);
    return status;
}

static rein_status plan_streams(plan *p, rein_child *c, const rein_child_options *o) {
    int output = o->output_fd ? o->output_fd : 1;
    if (o->n_extra > EXTRA_MOST) return rein_fail(REIN_ERR_ARG, "%d extra descriptors: at most 16", o->n_extra);
    REIN_TRY(plan_stream(p, &c->fd[INPUT], o->input_fd));
    REIN_TRY(plan_stream(p, &c->fd[OUTPUT], output));
    REIN_TRY(plan_stream(p, &c->fd[COMPLAINT], 2));
    int complaint = p->from[p->n - 1];
    if (o->input_fd != 0) REIN_TRY(plan_empty_input(p));
    if (output != 1) REIN_TRY(plan_fd(p, complaint, 1));
    for (int i = 0; i < o->n_extra; i++) REIN_TRY(plan_fd(p, o->extra[i].ours, o->extra[i].theirs));
    return REIN_OK;
}

/* Runs in the child, in our memory: system calls only. Its parent may have died before prctl. */
static _Noreturn void become(plan *p) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != p->parent) _exit(127);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* where a kernel has no such call: our own are close-on-exec anyway */
    for (int i = 0; i < p->n; i++)
        if (dup2(p->from[i], p->to[i]) < 0) goto failed;
    p->folder_failed = p->folder && chdir(p->folder) < 0;
    if (p->folder_failed) goto failed;
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &p->mask, NULL);
    execvpe(p->argv[0], (char *const *)(uintptr_t)p->argv, (char *const *)(uintptr_t)p->env);
failed:
    p->error = errno;
    _exit(127);
}

/* vfork, since copying the page tables of a trainer takes longer than many a program runs. No signal handler may run in
 * the child, as it shares our memory. */
static pid_t start(plan *p) {
    sigset_t all;
    sigfillset(&all);
    p->parent = getpid();
    pthread_sigmask(SIG_SETMASK, &all, &p->mask);
    pid_t pid = vfork();
    if (pid == 0) become(p);
    if (pid < 0) p->error = errno;
    pthread_sigmask(SIG_SETMASK, &p->mask, NULL);
    return pid;
}

static rein_status start_planned(rein_child *c, plan *p) {
    c->pid = start(p);
    if (c->pid > 0 && p->error == 0) return REIN_OK;
    if (c->pid > 0) waitpid(c->pid, NULL, 0);
    c->pid = 0;
    return rein_fail(REIN_ERR_IO, "cannot start '%s'%s%s: %s", p->argv[0], p->folder_failed ? " in " : "",
                     p->folder_failed ? p->folder : "", strerror(p->error));
}

static void release(rein_child *c) {
    for (int i = 0; i < STREAMS; i++) close_fd(&c->fd[i]);
    rein_str_deinit(&c->queue);
    rein_str_deinit(&c->said);
    rein_str_deinit(&c->complaint);
    rein_free(c);
}

rein_status rein_child_start(rein_child **out, const rein_child_options *o) {
    static const char *const bare[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
    rein_child *c;
    *out = NULL;
    REIN_ASSERT(o->argv && o->argv[0]);
    REIN_TRY(rein_alloc(&c, 1, sizeof *c));
    for (int i = 0; i < STREAMS; i++) c->fd[i] = -1;
    c->status = REIN_CHILD_RUNNING;
    c->delimiter = o->nul_ends ? '\0' : '\n';
    c->message_max = o->message_max ? o->message_max : MESSAGE_MAX;
    plan p = {.argv = o->argv,
              .env = o->inherit_env ? (const char *const *)environ
                     : o->env       ? o->env
                                    : bare,
              .folder = o->folder};
    rein_status status = plan_streams(&p, c, o);
    if (status == REIN_OK) status = start_planned(c, &p);
    for (int i = 0; i < p.n; i++) close_fd(&p.from[i]);
    if (status == REIN_OK)
        *out = c;
    else
        release(c);
    return status;
}

/* ---- sending ---- */

/* What cannot be written since nobody reads is dropped. */
static void stop_sending(rein_child *c) {
    close_fd(&c->fd[INPUT]);
    rein_str_clear(&c->queue);
    c->sent = 0;
}

static rein_status send_some(rein_child *c) {
    while (c->fd[INPUT] >= 0 && c->sent < c->queue.len) {
        ssize_t n = send(c->fd[INPUT], c->queue.data + c->sent, c->queue.len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return REIN_OK;
        if (n < 0 && errno != EPIPE && errno != ECONNRESET)
            return rein_fail(REIN_ERR_IO, "writing to a child: %s", strerror(errno));
        if (n < 0) {
            stop_sending(c);
            return REIN_OK;
        }
        c->sent += (size_t)n;
    }
    rein_str_clear(&c->queue);
    c->sent = 0;
    if (c->input_ends) close_fd(&c->fd[INPUT]);
    return REIN_OK;
}

rein_status rein_child_send(rein_child *c, const char *bytes, size_t len) {
    REIN_ASSERT(!c->input_ends);
    if (c->fd[INPUT] < 0) return REIN_OK;
    rein_str_append(&c->queue, bytes, len);
    REIN_TRY(rein_str_check(&c->queue));
    return send_some(c);
}

void rein_child_close_input(rein_child *c) {
    c->input_ends = true;
    if (c->sent == c->queue.len) close_fd(&c->fd[INPUT]);
}

size_t rein_child_unsent(const rein_child *c) { return c->queue.len - c->sent; }

/* ---- hearing ---- */

/* Is a whole message there? Then it ends at *end. */
static bool find_end(rein_child *c, size_t *end) {
    if (c->scanned < c->at) c->scanned = c->at;
    if (c->scanned == c->said.len) return false;
    const char *found = memchr(c->said.data + c->scanned, c->delimiter, c->said.len - c->scanned);
    c->scanned = found ? (size_t)(found - c->said.data) : c->said.len;
    *end = c->scanned;
    return found != NULL;
}

/* Messages that were taken make room; a few bytes are not moved for it. */
static void make_room(rein_child *c) {
    if (c->at == 0 || c->at < c->said.len / 2) return;
    c->said.len -= c->at;
    memmove(c->said.data, c->said.data + c->at, c->said.len + 1); /* with the zero byte behind it */
    c->scanned = c->scanned > c->at ? c->scanned - c->at : 0;
    c->at = 0;
}

/* Read what is there into *to; *any: there was something. The end of the stream closes it. */
static rein_status read_some(rein_child *c, int which, rein_str *to, bool *any) {
    char chunk[CHUNK];
    for (int i = 0; i < CHUNKS && c->fd[which] >= 0; i++) {
        ssize_t n = read(c->fd[which], chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0 && errno != ECONNRESET) return rein_fail(REIN_ERR_IO, "reading from a child: %s", strerror(errno));
        if (n <= 0) {
            close_fd(&c->fd[which]);
            break;
        }
        *any = true;
        if (which == COMPLAINT && to->len + (size_t)n > COMPLAINT_MAX) rein_str_clear(to); /* the end is what counts */
        rein_str_append(to, chunk, (size_t)n);
    }
    return rein_str_check(to);
}

/* Has it exited? It stays a zombie. */
static bool has_exited(rein_child *c) {
    siginfo_t info = {0};
    if (c->status != REIN_CHILD_RUNNING) return true;
    if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) return false;
    c->status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return true;
}

/* Everything that can be done without waiting. */
static rein_status exchange(rein_child *c, bool *any) {
    bool exited = has_exited(c); /* before reading: what it wrote before its end is there now */
    size_t end;
    make_room(c);
    REIN_TRY(send_some(c));
    REIN_TRY(read_some(c, COMPLAINT, &c->complaint, any));
    REIN_TRY(read_some(c, OUTPUT, &c->said, any));
    if (exited && !*any)
        for (int i = 0; i < STREAMS; i++) close_fd(&c->fd[i]); /* its own children may still hold the other ends */
    if (!find_end(c, &end) && c->said.len - c->at > c->message_max)
        return rein_fail(REIN_ERR_FORMAT, "a message of more than %zu bytes", c->message_max);
    return REIN_OK;
}

int rein_child_descriptors(const rein_child *c, struct pollfd *out, int most) {
    int n = 0;
    for (int i = 0; i < STREAMS && n < most; i++) {
        if (c->fd[i] < 0 || (i == INPUT && c->queue.len == c->sent)) continue;
        out[n++] = (struct pollfd){c->fd[i], i == INPUT ? POLLOUT : POLLIN, 0};
    }
    return n;
}

rein_status rein_child_poll(rein_child *c, int wait_ms) {
    struct pollfd fd[STREAMS];
    bool any = false;
    size_t end;
    REIN_TRY(exchange(c, &any));
    if (any || wait_ms == 0 || c->fd[OUTPUT] < 0 || find_end(c, &end)) return REIN_OK;
    int n = rein_child_descriptors(c, fd, STREAMS);
    if (poll(fd, (nfds_t)n, wait_ms) < 0 && errno != EINTR) return rein_fail(REIN_ERR_IO, "poll: %s", strerror(errno));
    return exchange(c, &any);
}

bool rein_child_next(rein_child *c, const char **out, size_t *len) {
    size_t end;
    bool whole = find_end(c, &end);
    if (!whole && (c->fd[OUTPUT] >= 0 || c->at == c->said.len)) return false;
    if (!whole) end = c->said.len;
    *out = c->said.data + c->at;
    *len = end - c->at;
    c->at = whole ? end + 1 : end;
    return true;
}

bool rein_child_ended(const rein_child *c) { return c->fd[OUTPUT] < 0; }

rein_status rein_child_receive(rein_child *c, double seconds, const char **out, size_t *len) {
    double deadline = rein_clock() + seconds, left = seconds;
    *out = NULL;
    *len = 0;
    while (!rein_child_next(c, out, len) && !rein_child_ended(c) && left > 0) {
        REIN_TRY(rein_child_poll(c, left < 1000 ? (int)(left * 1000) + 1 : 1000000));
        left = deadline - rein_clock();
    }
    return REIN_OK;
}

/* ---- its end ---- */

static void forget_said(rein_child *c) {
    rein_str_clear(&c->said);
    c->at = c->scanned = 0;
}

/* Wait for its exit; what it says meanwhile is kept, or thrown away so that it is never stopped by a full pipe. */
static int linger(rein_child *c, double seconds, bool discard) {
    double deadline = rein_clock() + seconds;
    while (!has_exited(c)) {
        struct pollfd fd[STREAMS];
        bool any = false;
        double left = deadline - rein_clock();
        if (left <= 0 || exchange(c, &any) != REIN_OK) break;
        if (discard) forget_said(c);
        int wait_ms = c->fd[OUTPUT] < 0 ? 1 : left < 0.02 ? (int)(left * 1000) + 1 : 20;
        if (!any) poll(fd, (nfds_t)rein_child_descriptors(c, fd, STREAMS), wait_ms);
    }
    bool more = false;
    if (c->status != REIN_CHILD_RUNNING && !discard) (void)(exchange(c, &more) == REIN_OK); /* its last words */
    return c->status;
}

int rein_child_status(const rein_child *c) { return c->status; }

int rein_child_wait(rein_child *c, double seconds) { return linger(c, seconds, false); }

void rein_child_kill(rein_child *c) {
    kill(-c->pid, SIGKILL);
    linger(c, GRACE, false);
}

int rein_child_pid(const rein_child *c) { return c->pid; }

const char *rein_child_last_words(const rein_child *c, int *len) {
    const char *text = c->complaint.data ? c->complaint.data : "";
    size_t end = c->complaint.len;
    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r')) end--;
    size_t begin = end;
    while (begin > 0 && text[begin - 1] != '\n') begin--;
    *len = end - begin > WORDS_MAX ? WORDS_MAX : (int)(end - begin);
    return text + begin;
}

void rein_child_describe(const rein_child *c, rein_str *out) {
    int len;
    const char *words = rein_child_last_words(c, &len);
    if (c->status == REIN_CHILD_RUNNING)
        rein_str_puts(out, c->fd[OUTPUT] < 0 ? "it closed its output" : "it is running");
    else
        rein_str_printf(out, "%s %d", c->status < 0 ? "signal" : "exit status", c->status < 0 ? -c->status : c->status);
    if (len > 0) rein_str_printf(out, "; it said: %.*s", len, words);
}

void rein_child_close(rein_child *c) {
    if (!c) return;
    stop_sending(c);
    if (linger(c, GRACE, true) == REIN_CHILD_RUNNING) {
        kill(-c->pid, SIGTERM);
        linger(c, GRACE, true);
    }
    kill(-c->pid, SIGKILL); /* the group: its own children, too */
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) continue;
    release(c);
}
