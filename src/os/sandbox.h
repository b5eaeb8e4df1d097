/*
 * A sandbox around a program: bubblewrap (namespaces), resource limits, and a system-call filter.
 *
 * Inside there is no network, no file but /usr (read only), the paths that are named, one folder at /slot that it may
 * write to, and a private /tmp; it sees no other process, has no capabilities and no environment variable but those
 * that are given. The filter refuses new processes (unless asked for), sockets but local ones, and the calls that
 * programs need to leave a sandbox, not to do their work: ptrace, mounts, namespaces, kernel modules, bpf, keys,
 * io_uring.
 *
 * What is left to a hostile program: time (limit cpu_seconds), memory (limit memory), and the space in its folder,
 * where a file is at most file_max bytes.
 */
#ifndef REIN_OS_SANDBOX_H
#define REIN_OS_SANDBOX_H

#include "base/base.h"

/** Zero is the default of every member but argv and filter. Strings are borrowed until rein_sandbox_wrap returns. */
typedef struct rein_sandbox_options {
    const char *const *argv;      /* the program, as inside; NULL-ended */
    const char *filter;           /* where to write the system-call filter: a file of ours, outside of `folder` */
    const char *folder;           /* at /slot, writable; NULL: /slot is not there */
    const char *const (*show)[2]; /* (n_show) paths outside and inside, read only */
    int n_show;
    const char *const *env; /* "NAME=value", NULL-ended, beside PATH and HOME; or NULL */
    int64_t memory;         /* bytes of address space of a process; 0: no limit */
    int64_t cpu_seconds;    /* of a process; 0: 3600 */
    int64_t file_max;       /* bytes of a file; 0: 64 MiB */
    bool processes;         /* it may start programs */
} rein_sandbox_options;

/** The command line, for rein_child_options.argv. Zero-initialised: none. */
typedef struct rein_sandbox {
    const char **argv; /* NULL-ended */
    rein_arena arena;
} rein_sandbox;

/** Can this machine do it (bwrap and prlimit installed, user namespaces allowed)? If not, *why is what to say. */
bool rein_sandbox_available(rein_str *why);

/** REIN_ERR_IO if the filter cannot be written. Whether the sandbox works is another question: rein_sandbox_available.
 */
REIN_NODISCARD rein_status rein_sandbox_wrap(rein_sandbox *out, const rein_sandbox_options *options);
void rein_sandbox_deinit(rein_sandbox *s);

#endif
