/* What a program in the sandbox cannot do. Skipped, with a notice, where bubblewrap does not work. */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "os/child.h"
#include "os/sandbox.h"

static bool available;

/* Run a shell command in the sandbox; its output and exit status. */
static int run(char out[4096], const char *command, rein_sandbox_options o) {
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    rein_sandbox box;
    rein_child *child;
    const char *text;
    size_t len, at = 0;
    if (!available) skip();
    o.argv = argv;
    o.filter = in_folder("filter");
    o.folder = in_folder("work");
    OK(rein_sandbox_wrap(&box, &o));
    OK(rein_child_start(&child, &(rein_child_options){.argv = box.argv}));
    for (;;) {
        OK(rein_child_receive(child, 20, &text, &len));
        if (!text) break;
        at += (size_t)snprintf(out + at, 4096 - at, "%.*s\n", (int)len, text);
    }
    int status = rein_child_wait(child, 20), n;
    const char *words = rein_child_last_words(child, &n);
    snprintf(out + at, 4096 - at, "%.*s", n, words);
    rein_child_close(child);
    rein_sandbox_deinit(&box);
    return status;
}

static const rein_sandbox_options shell = {.processes = true};

static void test_works(void **state) {
    char out[4096];
    (void)state;
    int status = run(out, "echo hello > note && cat note && pwd && id -u && env", shell);
    if (status) fail_msg("%s", out);
    assert_true(strstr(out, "hello\n/slot\n65534\n") == out);
    assert_true(strstr(out, "PATH=/usr/bin:/bin") && strstr(out, "HOME=/slot"));
    assert_true(rein_path_exists(in_folder("work/note")));
    assert_null(strstr(out, "USER"));
}

static void test_files(void **state) {
    char out[4096], command[512];
    (void)state;
    assert_int_not_equal(run(out, "cat /etc/passwd", shell), 0);
    assert_int_not_equal(run(out, "ls /root || ls /home", shell), 0);
    assert_int_not_equal(run(out, "echo x > /usr/bin/x", shell), 0);
    assert_int_not_equal(run(out, "echo x > /x", shell), 0);
    assert_int_not_equal(run(out, "echo x > /dev/x", shell), 0);
    if (available) write_bytes(in_folder("secret"), "secret", 6);
    snprintf(command, sizeof command, "ln -s %s link && cat link", in_folder("secret"));
    assert_int_not_equal(run(out, command, shell), 0); /* the link is there, what it points to is not */
    assert_null(strstr(out, "secret\n"));
    assert_int_not_equal(run(out, "cat ../secret", shell), 0);
}

static void test_network(void **state) {
    char out[4096];
    (void)state;
    assert_int_equal(run(out, "ls /sys/class/net 2>/dev/null; grep -c : /proc/net/dev", shell), 0);
    assert_string_equal(out, "1\n"); /* the loopback device alone */
    if (access("/usr/bin/perl", X_OK) != 0) return;
    assert_int_equal(run(out, "perl -MSocket -e 'socket(S, AF_INET, SOCK_STREAM, 0) or die $!'", shell), 97);
    assert_true(strstr(out, "Address family not supported") != NULL);
    assert_int_equal(run(out, "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) or die $!'", shell), 0);
}

static void test_processes(void **state) {
    char out[4096];
    (void)state;
    /* without leave to start programs, not even one more process */
    assert_int_not_equal(run(out, "sleep 0 & sleep 0 & echo started", (rein_sandbox_options){0}), 0);
    assert_null(strstr(out, "started"));
    /* ours is not there to be signalled */
    char command[64];
    snprintf(command, sizeof command, "kill -0 %d", (int)getpid());
    assert_int_not_equal(run(out, command, shell), 0);
    assert_int_equal(run(out, "ls /proc | grep -c '^[0-9]'", shell), 0);
    assert_true(atoi(out) <= 4);
}

static void test_limits(void **state) {
    char out[4096];
    (void)state;
    rein_sandbox_options o = shell;
    o.file_max = 1 << 20;
    assert_int_not_equal(run(out, "head -c 4000000 /dev/zero > big", o), 0);
    o.file_max = 1 << 30;
    assert_int_not_equal(run(out, "head -c 100000000 /dev/zero > /tmp/big", o), 0);
    o = (rein_sandbox_options){.cpu_seconds = 1};
    assert_int_not_equal(run(out, "while :; do :; done", o), 0);
    o = (rein_sandbox_options){.memory = 256 << 20, .processes = true};
    assert_int_not_equal(run(out, "x=$(head -c 600000000 /dev/zero | tr '\\0' a)", o), 0);
}

/* Started twice from one command line, the filter holds both times. */
static void test_again(void **state) {
    const char *const argv[] = {"/bin/sh", "-c", "unshare -U true", NULL};
    rein_sandbox box;
    (void)state;
    if (!available) skip();
    OK(rein_sandbox_wrap(&box,
                         &(rein_sandbox_options){.argv = argv, .filter = in_folder("filter"), .processes = true}));
    for (int i = 0; i < 2; i++) {
        rein_child *child;
        int n;
        OK(rein_child_start(&child, &(rein_child_options){.argv = box.argv}));
        assert_true(rein_child_wait(child, 20) > 0);
        assert_true(strstr(rein_child_last_words(child, &n), "not permitted") != NULL);
        rein_child_close(child);
    }
    rein_sandbox_deinit(&box);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_works),   cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_network), cmocka_unit_test(test_processes),
                                       cmocka_unit_test(test_limits),  cmocka_unit_test(test_again)};
    rein_str why = {0};
    available = rein_sandbox_available(&why);
    if (!available) printf("the sandbox is not tested: %s\n", why.data ? why.data : "");
    rein_str_deinit(&why);
    if (make_folder(NULL) != 0) return 1;
    if (rein_mkdirs(in_folder("work")) != REIN_OK) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return remove_folder(NULL) != 0 || failed;
}
