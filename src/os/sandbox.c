/* Command lines for bubblewrap, and the filter; see sandbox.h. */
#include "os/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "os/child.h"

/* ---- the filter: a program for the kernel's BPF machine, as it is documented in seccomp(2) ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0 /* no filter is known: rein_sandbox_available says so */
#endif

enum { MOST = 128, X32_CALLS = 0x40000000 };

typedef struct filter {
    struct sock_filter code[MOST];
    unsigned short n;
} filter;

static void put(filter *f, int code, uint32_t k, int yes, int no) {
    REIN_ASSERT(f->n < MOST);
    f->code[f->n++] = (struct sock_filter){(uint16_t)code, (uint8_t)yes, (uint8_t)no, k};
}

static void load(filter *f, size_t offset) { put(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }
static void give(filter *f, uint32_t action) { put(f, BPF_RET | BPF_K, action, 0, 0); }
static uint32_t with_errno(int error) { return SECCOMP_RET_ERRNO | (uint32_t)error; }

/* If the loaded word is k: `error`. */
static void refuse(filter *f, uint32_t k, int error) {
    put(f, BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
    give(f, with_errno(error));
}

static const int forbidden[] = {
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_userfaultfd,
    SYS_perf_event_open,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_open_by_handle_at,
    SYS_quotactl,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
};

/* Calls whose first argument decides: a socket of another family than the local one, and new processes, which are
 * clones without CLONE_THREAD; a clone with CLONE_NEWUSER would have capabilities again. */
static void put_conditional(filter *f, bool processes) {
    const size_t argument = offsetof(struct seccomp_data, args); /* its low half: both machines are little-endian */
    put(f, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 4);
    load(f, argument);
    put(f, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 1);
    give(f, SECCOMP_RET_ALLOW);
    give(f, with_errno(EAFNOSUPPORT));
    put(f, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 6);
    load(f, argument);
    put(f, BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 0, 1);
    give(f, with_errno(EPERM));
    put(f, BPF_JMP | BPF_JSET | BPF_K, processes ? 0xFFFFFFFF : CLONE_THREAD, 0, 1);
    give(f, SECCOMP_RET_ALLOW);
    give(f, with_errno(EAGAIN));
}

static void make_filter(filter *f, bool processes) {
    load(f, offsetof(struct seccomp_data, arch));
    put(f, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    give(f, SECCOMP_RET_KILL_PROCESS);
    load(f, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
    put(f, BPF_JMP | BPF_JGE | BPF_K, X32_CALLS, 0, 1);
    give(f, SECCOMP_RET_KILL_PROCESS);
    if (!processes) {
        refuse(f, SYS_fork, EAGAIN);
        refuse(f, SYS_vfork, EAGAIN);
    }
#endif
    for (size_t i = 0; i < REIN_COUNT(forbidden); i++) refuse(f, (uint32_t)forbidden[i], EPERM);
    refuse(f, SYS_clone3, ENOSYS); /* its flags cannot be read from here: C libraries then use clone */
    put_conditional(f, processes);
    give(f, SECCOMP_RET_ALLOW);
}

/* ---- the command line ---- */

typedef struct line {
    rein_sandbox *to;
    int64_t n, cap;
    rein_status status;
} line;

static void word(line *l, const char *text) {
    char *copy = NULL;
    if (l->status != REIN_OK) return;
    REIN_ASSERT(l->n + 1 < l->cap);
    l->status = rein_arena_strdup(&l->to->arena, &copy, text, strlen(text));
    l->to->argv[l->n++] = copy;
}

static void words(line *l, const char *const *list) {
    for (; *list; list++) word(l, *list);
}

static void limit(line *l, const char *name, int64_t value) {
    char *text;
    if (l->status == REIN_OK) l->status = rein_path_format(&l->to->arena, &text, "--%s=%lld", name, (long long)value);
    if (l->status == REIN_OK) word(l, text);
}

static void put_environment(line *l, const char *const *env) {
    for (; env && *env; env++) {
        char *name = NULL;
        const size_t n = strcspn(*env, "=");
        if (l->status == REIN_OK) l->status = rein_arena_strdup(&l->to->arena, &name, *env, n);
        word(l, "--setenv");
        word(l, name ? name : "");
        word(l, (*env)[n] ? *env + n + 1 : "");
    }
}

static void put_line(line *l, const rein_sandbox_options *o) {
    /* the filter is opened anew at each start: a descriptor that is handed down would be at its end the second time */
    words(l, (const char *const[]){"sh", "-c", "exec 9<\"$0\" && exec \"$@\"", o->filter, "prlimit", NULL});
    limit(l, "core", 0);
    limit(l, "nofile", 256);
    limit(l, "fsize", o->file_max ? o->file_max : INT64_C(64) << 20);
    limit(l, "cpu", o->cpu_seconds ? o->cpu_seconds : 3600);
    if (o->memory) limit(l, "as", o->memory);
    words(l, (const char *const[]){"bwrap",
                                   "--ro-bind",
                                   "/usr",
                                   "/usr",
                                   "--symlink",
                                   "usr/lib",
                                   "/lib",
                                   "--symlink",
                                   "usr/lib64",
                                   "/lib64",
                                   "--symlink",
                                   "usr/bin",
                                   "/bin",
                                   "--ro-bind-try",
                                   "/etc/ld.so.cache",
                                   "/etc/ld.so.cache",
                                   "--proc",
                                   "/proc",
                                   "--dev",
                                   "/dev",
                                   "--size",
                                   "67108864",
                                   "--tmpfs",
                                   "/tmp",
                                   NULL});
    for (int i = 0; i < o->n_show; i++)
        words(l, (const char *const[]){"--ro-bind", o->show[i][0], o->show[i][1], NULL});
    if (o->folder) words(l, (const char *const[]){"--bind", o->folder, "/slot", "--chdir", "/slot", NULL});
    words(l, (const char *const[]){"--remount-ro", "/dev", "--remount-ro", "/", NULL});
    words(l, (const char *const[]){"--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--setenv",
                                   "PATH", "/usr/bin:/bin", "--setenv", "HOME", o->folder ? "/slot" : "/tmp", NULL});
    put_environment(l, o->env);
    words(l,
          (const char *const[]){"--cap-drop", "ALL", "--uid", "65534", "--gid", "65534", "--seccomp", "9", "--", NULL});
    words(l, o->argv);
}

static rein_status write_filter(const char *path, bool processes) {
    filter f = {.n = 0};
    make_filter(&f, processes);
    return rein_file_write(path, f.code, f.n * sizeof f.code[0]);
}

rein_status rein_sandbox_wrap(rein_sandbox *out, const rein_sandbox_options *options) {
    line l = {.to = out, .cap = 96 + 3 * options->n_show};
    for (const char *const *w = options->argv; *w; w++) l.cap++;
    for (const char *const *w = options->env; w && *w; w++) l.cap += 3;
    *out = (rein_sandbox){0};
    REIN_TRY(write_filter(options->filter, options->processes));
    rein_status status = rein_arena_alloc(&out->arena, &out->argv, (size_t)l.cap * sizeof *out->argv);
    if (status == REIN_OK) {
        put_line(&l, options);
        status = l.status;
    }
    if (status != REIN_OK) rein_sandbox_deinit(out);
    return status;
}

void rein_sandbox_deinit(rein_sandbox *s) {
    rein_arena_deinit(&s->arena);
    *s = (rein_sandbox){0};
}

/* ---- is there one? ---- */

bool rein_sandbox_available(rein_str *why) {
    static const char *const try[] = {"prlimit",   "--core=0",  "bwrap",         "--ro-bind",     "/usr",
                                      "/usr",      "--symlink", "usr/lib",       "/lib",          "--symlink",
                                      "usr/lib64", "/lib64",    "--unshare-all", "/usr/bin/true", NULL};
    rein_child *child;
    if (!ARCHITECTURE) {
        rein_str_puts(why, "no system-call filter is known for this processor");
        return false;
    }
    if (rein_child_start(&child, &(rein_child_options){.argv = try}) != REIN_OK) {
        rein_str_puts(why, rein_error_message());
        return false;
    }
    const int status = rein_child_wait(child, 10);
    if (status != 0) {
        rein_str_puts(why, "bwrap does not work here: ");
        rein_child_describe(child, why);
    }
    rein_child_close(child);
    return status == 0;
}
