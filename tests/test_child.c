/* Child processes: messages both ways, what a child inherits, how it ends, and that it never outlives us. */
#include "testing.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/child.h"

/* A shell command with further options. */
static rein_child *start(const char *command, rein_child_options options) {
    const char *argv[] = {"sh", "-c", command, NULL};
    rein_child *c;
    options.argv = argv;
    OK(rein_child_start(&c, &options));
    return c;
}

static void hears(rein_child *c, const char *expected) {
    const char *text;
    size_t len;
    OK(rein_child_receive(c, 10, &text, &len));
    if (!expected) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(text, expected, len);
}

static void says(rein_child *c, const char *text) { OK(rein_child_send(c, text, strlen(text))); }

static void test_messages(void **state) {
    (void)state;
    rein_child *c = start("while read l; do echo \"<$l>\"; done; printf rest", (rein_child_options){0});
    says(c, "one\ntw");
    hears(c, "<one>");
    says(c, "o\n\n");
    hears(c, "<two>");
    hears(c, "<>");
    rein_child_close_input(c);
    hears(c, "rest");
    hears(c, NULL);
    assert_true(rein_child_ended(c));
    assert_int_equal(rein_child_wait(c, 10), 0);
    rein_child_close(c);
}

/* More than any buffer of the system holds, in both directions at once, and a message ended by a zero byte. */
static void test_large(void **state) {
    enum { SIZE = 3000000 };
    char *sent = malloc(SIZE);
    const char *text;
    size_t len;
    (void)state;
    rein_child *c = start("cat", (rein_child_options){.nul_ends = true});
    memset(sent, 'x', SIZE);
    sent[SIZE - 1] = '\0';
    sent[5] = '\n';
    OK(rein_child_send(c, sent, SIZE));
    assert_true(rein_child_unsent(c) > 0);
    OK(rein_child_receive(c, 10, &text, &len));
    assert_int_equal(len, SIZE - 1);
    assert_memory_equal(text, sent, SIZE - 1);
    assert_int_equal(rein_child_unsent(c), 0);
    rein_child_close(c);
    free(sent);
}

static void test_limit(void **state) {
    const char *text;
    size_t len;
    (void)state;
    rein_child *c = start("yes | tr -d '\\n'", (rein_child_options){.message_max = 100000});
    FAILS_WITH(REIN_ERR_FORMAT, rein_child_receive(c, 10, &text, &len));
    assert_string_equal(rein_error_message(), "a message of more than 100000 bytes");
    double begun = rein_clock();
    rein_child_close(c);
    assert_true(rein_clock() - begun < 5);
}

/* Descriptors 3 and 4, as browsers want them; standard input is empty and standard output is a complaint. */
static void test_descriptors(void **state) {
    int len, extra = open("/dev/zero", O_RDONLY);
    struct pollfd fd[3];
    (void)state;
    rein_child *c =
        start("cat; echo aside; head -c 2 <&7 | od -An -tx1 >&4; read l <&3; echo $l >&4",
              (rein_child_options){.input_fd = 3, .output_fd = 4, .n_extra = 1, .extra = &(rein_child_fd){extra, 7}});
    hears(c, " 00 00");
    assert_int_equal(rein_child_descriptors(c, fd, 3), 2);
    says(c, "hello\n");
    hears(c, "hello");
    assert_int_equal(rein_child_wait(c, 10), 0);
    assert_memory_equal(rein_child_last_words(c, &len), "aside", 5);
    rein_child_close(c);
    close(extra);
}

/* No environment, no descriptors, another folder, SIGPIPE as usual although we ignore it. */
static void test_inherits_nothing(void **state) {
    const char *const env[] = {"A=1", NULL};
    int leak = open("/dev/null", O_RDONLY);
    char command[128];
    (void)state;
    assert_true(leak >= 3);
    signal(SIGPIPE, SIG_IGN);
    setenv("SECRET", "1", 1);
    snprintf(command, sizeof command, "echo $A$SECRET; pwd; ( : <&%d ) 2>/dev/null || echo closed; kill -13 $$", leak);
    rein_child *c = start(command, (rein_child_options){.env = env, .folder = "/usr"});
    hears(c, "1");
    hears(c, "/usr");
    hears(c, "closed");
    assert_int_equal(rein_child_wait(c, 10), -SIGPIPE);
    rein_child_close(c);
    close(leak);
    c = start("echo $PATH$SECRET$HOME", (rein_child_options){0});
    hears(c, "/usr/local/bin:/usr/bin:/bin");
    rein_child_close(c);
    c = start("echo $SECRET", (rein_child_options){.inherit_env = true});
    hears(c, "1");
    rein_child_close(c);
}

static void test_refused(void **state) {
    const char *const missing[] = {"rein-no-such-program", NULL}, *const folder[] = {"/", NULL},
                      *const ls[] = {"ls", NULL};
    rein_child *c;
    (void)state;
    FAILS_WITH(REIN_ERR_IO, rein_child_start(&c, &(rein_child_options){.argv = missing}));
    assert_string_equal(rein_error_message(), "cannot start 'rein-no-such-program': No such file or directory");
    assert_null(c);
    FAILS_WITH(REIN_ERR_IO, rein_child_start(&c, &(rein_child_options){.argv = folder}));
    FAILS_WITH(REIN_ERR_IO, rein_child_start(&c, &(rein_child_options){.argv = ls, .folder = "/no/such"}));
    assert_string_equal(rein_error_message(), "cannot start 'ls' in /no/such: No such file or directory");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void describes(const char *command, int status, const char *expected) {
    rein_str text = {0};
    rein_child *c = start(command, (rein_child_options){0});
    assert_int_equal(rein_child_wait(c, 10), status);
    rein_child_describe(c, &text);
    assert_string_equal(text.data, expected);
    rein_str_deinit(&text);
    rein_child_close(c);
}

static void test_describe(void **state) {
    (void)state;
    describes("exit 3", 3, "exit status 3");
    describes("echo first >&2; echo no such thing >&2; exit 255", 255, "exit status 255; it said: no such thing");
    describes("yes long | head -c 100000 >&2; kill -9 $$", -9, "signal 9; it said: long");
    describes("echo message; exit 0", 0, "exit status 0");
}

/* Writing to a child that has gone is no signal and no error. */
static void test_gone(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    rein_child *c = start("exec <&-; echo ready; sleep 60", (rein_child_options){0});
    hears(c, "ready");
    for (int i = 0; i < 3; i++) says(c, "hello\n");
    assert_int_equal(rein_child_status(c), REIN_CHILD_RUNNING);
    rein_child_kill(c);
    assert_int_equal(rein_child_wait(c, 10), -SIGKILL);
    says(c, "hello\n");
    rein_child_close(c);
}

/* A dead process that nobody waits for does not run. */
static bool runs(int pid) {
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) return false;
    if (fscanf(f, "%*d %*s %c", &state) != 1) state = 'Z';
    fclose(f);
    return state != 'Z';
}

static void gone_soon(int pid) {
    for (int i = 0; i < 500 && runs(pid); i++) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_false(runs(pid));
}

static int number(rein_child *c) {
    const char *text;
    size_t len;
    OK(rein_child_receive(c, 10, &text, &len));
    assert_non_null(text);
    return atoi(text);
}

/* Close: at the end of its input, else at TERM, else by KILL; and with it the children that it has. */
static void test_close(void **state) {
    static const struct {
        const char *command;
        double least, most;
    } cases[] = {{"echo 1; cat", 0, 0.4},
                 {"echo 1; exec sleep 60", 0.45, 0.9},
                 {"trap '' TERM; echo 1; sleep 60 & while :; do sleep 0.05; done", 0.95, 4}};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(cases); i++) {
        rein_child *c = start(cases[i].command, (rein_child_options){0});
        hears(c, "1");
        double begun = rein_clock();
        rein_child_close(c);
        double took = rein_clock() - begun;
        if (took < cases[i].least || took > cases[i].most + 3) fail_msg("%s: %g s", cases[i].command, took);
    }
    rein_child *c = start("sleep 61 & echo $!", (rein_child_options){0});
    int grandchild = number(c);
    rein_child_close(c);
    gone_soon(grandchild);
    rein_child_close(NULL);
}

/* Whoever holds a child dies without a word (kill -9): so does the child. */
static void test_parent_dies(void **state) {
    int pipe_fd[2], pid;
    (void)state;
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t holder = fork();
    if (holder == 0) {
        rein_child *c = start("exec sleep 60", (rein_child_options){0});
        pid = rein_child_pid(c);
        if (write(pipe_fd[1], &pid, sizeof pid) != sizeof pid) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(pipe_fd[0], &pid, sizeof pid), sizeof pid);
    assert_true(runs(pid));
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    gone_soon(pid);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages),
                                       cmocka_unit_test(test_large),
                                       cmocka_unit_test(test_limit),
                                       cmocka_unit_test(test_descriptors),
                                       cmocka_unit_test(test_inherits_nothing),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_describe),
                                       cmocka_unit_test(test_gone),
                                       cmocka_unit_test(test_close),
                                       cmocka_unit_test(test_parent_dies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
