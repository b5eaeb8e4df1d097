/*
 * Child processes that talk in messages: tool servers, browsers, reward programs.
 *
 * A child is one program in a process group of its own, with non-blocking sockets (so that writing to one that has gone
 * is an error code, never SIGPIPE) for what we send, for what it says, and for its complaints (standard error). Nothing
 * blocks but the calls that have a time in their arguments; one thread can hold any number of children and wait for all
 * of them with poll(2) over rein_child_descriptors.
 *
 *   rein_child_start(&c, &(rein_child_options){.argv = argv});
 *   rein_child_send(c, "{...}\n", n);                                      queued; written as the child reads
 *   while (!rein_child_next(c, &message, &len) && !rein_child_ended(c)) rein_child_poll(c, 100);
 *   rein_child_close(c);                                                   end of input, 500 ms, TERM, 500 ms, KILL
 *
 * No child outlives us: the kernel kills it when the *thread* that started it ends (PR_SET_PDEATHSIG, Linux), so start
 * children on a thread that stays; its own children see the end of their input. A child inherits no descriptor but
 * those that are named here, and no environment variable but those that are given. What it says is untrusted: bytes
 * with a length, and a limit on the length.
 */
#ifndef REIN_OS_CHILD_H
#define REIN_OS_CHILD_H

#include "base/base.h"

struct pollfd;

typedef struct rein_child rein_child;

/** A descriptor of ours that the child gets under another number (3..63); ours stays open and ours. */
typedef struct rein_child_fd {
    int ours, theirs;
} rein_child_fd;

/** Zero is the default of every member but argv. Nothing is kept after rein_child_start. */
typedef struct rein_child_options {
    const char *const *argv; /* NULL-ended; argv[0] without a slash is searched in this process's PATH */
    const char *const *env;  /* "NAME=value", NULL-ended, all that it gets; NULL: PATH=/usr/local/bin:/usr/bin:/bin */
    bool inherit_env;        /* instead of env: the environment of this process */
    const char *folder;      /* working folder; NULL: ours */
    /* Where the child reads what we send and writes what we read: 0 and 1 (a 0 for output_fd means 1), or 3 and 4 for a
     * browser's --remote-debugging-pipe. With others its standard input is empty and its standard output goes where its
     * complaints go. */
    int input_fd, output_fd;
    const rein_child_fd *extra; /* (n_extra) */
    int n_extra;
    bool nul_ends;      /* messages end with a zero byte, not with a newline */
    size_t message_max; /* bytes of one message; 0: 64 MiB */
} rein_child_options;

/** REIN_ERR_IO with the reason if the program cannot be started (not found, not executable, no such folder). */
REIN_NODISCARD rein_status rein_child_start(rein_child **out, const rein_child_options *options);

/** Queue bytes (with their delimiter, the caller's) and write what can be written now. To a child that no longer reads:
 *  dropped, REIN_OK; rein_child_ended or a deadline will tell. */
REIN_NODISCARD rein_status rein_child_send(rein_child *c, const char *bytes, size_t len);
/** End of its input, as soon as everything queued is written. */
void rein_child_close_input(rein_child *c);
/** Bytes that are queued and not yet written. */
size_t rein_child_unsent(const rein_child *c);

/** Write and read what is possible now; if nothing is, wait up to wait_ms (-1: without limit) for something.
 *  REIN_ERR_FORMAT if a message is longer than message_max: close the child then. */
REIN_NODISCARD rein_status rein_child_poll(rein_child *c, int wait_ms);
/** The next whole message without its delimiter, borrowed until the next poll or close; false: none is there. What a
 * child leaves unfinished when it ends is its last message. */
bool rein_child_next(rein_child *c, const char **out, size_t *len);
/** Poll until a message is there (*out, borrowed), the child has ended, or `seconds` are over (*out is NULL for both).
 */
REIN_NODISCARD rein_status rein_child_receive(rein_child *c, double seconds, const char **out, size_t *len);

/** It closed its output or exited: after the messages that are still there, none will follow. */
bool rein_child_ended(const rein_child *c);
/** Descriptors to wait for before the next rein_child_poll; returns how many of `most` (3 are enough). */
int rein_child_descriptors(const rein_child *c, struct pollfd *out, int most);

enum { REIN_CHILD_RUNNING = -1000 };
/** Exit status 0..255, minus the signal that ended it, or REIN_CHILD_RUNNING. */
int rein_child_status(const rein_child *c);
/** Wait until it has exited, at most `seconds`; returns rein_child_status. */
int rein_child_wait(rein_child *c, double seconds);
/** End it and its group now (KILL), and wait for that. */
void rein_child_kill(rein_child *c);
int rein_child_pid(const rein_child *c);
/** The last line that it wrote to standard error, without the newline, at most 400 bytes; "" if none. Borrowed until
 * the next poll or close; untrusted. */
const char *rein_child_last_words(const rein_child *c, int *len);
/** How it is, for messages: "exit status 3; it said: no such file", appended. */
void rein_child_describe(const rein_child *c, rein_str *out);

/** Orderly: end of input, 500 ms, TERM, 500 ms, KILL, the last two to the group; then free. NULL is fine. Before
 * closing many, end the input of all of them, so that they stop at the same time. */
void rein_child_close(rein_child *c);

#endif
