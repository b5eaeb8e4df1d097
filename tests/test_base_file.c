/* Files: whole or not at all, also when the disk is full; folders; maps; appended lines. */
#include "base_check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_content(const char *path, const char *expected) {
    rein_str text = {0};
    assert_ok(rein_file_read(&text, path));
    assert_int_equal(text.len, strlen(expected));
    assert_string_equal(text.data, expected);
    rein_str_deinit(&text);
}

static void check_names(const char *path, int64_t n_expected, const char *const *expected) {
    rein_arena arena = {0};
    char **names;
    int64_t n;
    assert_ok(rein_list_dir(&names, &n, &arena, path));
    assert_int_equal(n, n_expected);
    for (int64_t i = 0; i < n; i++) assert_string_equal(names[i], expected[i]);
    rein_arena_deinit(&arena);
}

static void test_read_write(void **state) {
    const char *path = in_folder(state, "file");
    rein_str text = {0};
    put_file(path, "one");
    put_file(path, "two\n");
    check_content(path, "two\n");
    put_file(path, "");
    check_content(path, "");
    check_names(*state, 1, (const char *const[]){"file"}); /* no temporary is left */
    assert_ok(rein_file_read(&text, path));
    assert_non_null(text.data);
    assert_fails_with(REIN_ERR_IO, "No such file", rein_file_read(&text, in_folder(state, "missing")));
    assert_fails_with(REIN_ERR_IO, "Is a directory", rein_file_read(&text, *state));
    assert_fails_with(REIN_ERR_IO, "No such file", rein_file_write(in_folder(state, "no/file"), "x", 1));
    put_file(path, "kept");
    assert_ok(rein_mkdirs(in_folder(state, "folder/below")));
    assert_fails_with(REIN_ERR_IO, "cannot replace", rein_file_write(in_folder(state, "folder"), "x", 1));
    check_names(*state, 2, (const char *const[]){"file", "folder"});
    rein_str_deinit(&text);
}

static void test_folders(void **state) {
    const char *deep = in_folder(state, "a/b//c/");
    assert_ok(rein_mkdirs(deep));
    assert_ok(rein_mkdirs(deep));
    assert_true(rein_path_is_dir(deep) && rein_path_exists(deep));
    put_file(in_folder(state, "a/b/file"), "x");
    assert_fails_with(REIN_ERR_IO, "cannot create folder", rein_mkdirs(in_folder(state, "a/b/file/c")));
    assert_fails_with(REIN_ERR_IO, "file': File exists", rein_mkdirs(in_folder(state, "a/b/file")));
    assert_false(rein_path_is_dir(in_folder(state, "a/b/file")));
    assert_false(rein_path_exists(in_folder(state, "b")));
    put_file(in_folder(state, "a/Z"), "");
    put_file(in_folder(state, "a/\xc3\xa9"), "");
    check_names(in_folder(state, "a"), 3, (const char *const[]){"Z", "b", "\xc3\xa9"});
    assert_ok(rein_publish(in_folder(state, "a"), in_folder(state, "b")));
    assert_false(rein_path_exists(in_folder(state, "a")));
    check_content(in_folder(state, "b/b/file"), "x");
    assert_fails_with(REIN_ERR_IO, "cannot rename", rein_publish(in_folder(state, "a"), in_folder(state, "c")));
}

/* Links are removed, what they point at stays. */
static void test_remove_tree(void **state) {
    assert_ok(rein_mkdirs(in_folder(state, "kept")));
    assert_ok(rein_mkdirs(in_folder(state, "gone/x/y")));
    put_file(in_folder(state, "kept/file"), "safe");
    put_file(in_folder(state, "gone/x/file"), "");
    assert_int_equal(symlink(in_folder(state, "kept"), in_folder(state, "gone/x/link")), 0);
    assert_int_equal(symlink(in_folder(state, "kept"), in_folder(state, "toplink")), 0);
    assert_int_equal(symlink("nowhere", in_folder(state, "gone/broken")), 0);
    assert_ok(rein_remove_tree(in_folder(state, "gone")));
    assert_ok(rein_remove_tree(in_folder(state, "toplink")));
    assert_ok(rein_remove_tree(in_folder(state, "gone")));
    check_names(*state, 1, (const char *const[]){"kept"});
    check_content(in_folder(state, "kept/file"), "safe");
    assert_ok(rein_remove_tree(in_folder(state, "kept/file")));
}

static void test_path_format(void **state) {
    (void)state;
    rein_arena arena = {0};
    char *path;
    assert_ok(rein_path_format(&arena, &path, "%s/checkpoint-%d", "run", 7));
    assert_string_equal(path, "run/checkpoint-7");
    rein_arena_deinit(&arena);
}

static void test_map(void **state) {
    rein_map map;
    put_file(in_folder(state, "file"), "mapped");
    put_file(in_folder(state, "empty"), "");
    assert_ok(rein_map_open(&map, in_folder(state, "file")));
    assert_int_equal(map.len, 6);
    assert_memory_equal(map.data, "mapped", 6);
    rein_map_close(&map);
    assert_ok(rein_map_open(&map, in_folder(state, "empty")));
    assert_true(map.len == 0 && map.data == NULL);
    rein_map_close(&map);
    assert_fails_with(REIN_ERR_IO, "not a regular file", rein_map_open(&map, *state));
    assert_fails_with(REIN_ERR_IO, "No such file", rein_map_open(&map, in_folder(state, "missing")));
}

static void test_appender(void **state) {
    const char *path = in_folder(state, "log");
    rein_appender a;
    assert_ok(rein_appender_open(&a, path, -1));
    assert_ok(rein_appender_write(&a, "one\n", 4, false));
    assert_ok(rein_appender_write(&a, "two\n", 4, true));
    check_content(path, "one\ntwo\n");
    rein_appender_close(&a);
    rein_appender_close(&a);
    assert_ok(rein_appender_open(&a, path, 4));
    assert_ok(rein_appender_write(&a, "three\n", 6, false));
    rein_appender_close(&a);
    check_content(path, "one\nthree\n");
    assert_fails_with(REIN_ERR_IO, "has 10 bytes, but 11 were written before", rein_appender_open(&a, path, 11));
    check_content(path, "one\nthree\n");
    assert_fails_with(REIN_ERR_IO, "cannot open", rein_appender_open(&a, *state, -1));
}

/* A line that only fits in part, and a file that does not: nothing of either may stay. */
static void check_full(void **state, const char *reason) {
    static char big[1 << 20];
    const char *log = in_folder(state, "log"), *file = in_folder(state, "file");
    rein_appender a;
    memset(big, 'x', sizeof big);
    put_file(file, "old");
    assert_ok(rein_appender_open(&a, log, -1));
    assert_ok(rein_appender_write(&a, "line\n", 5, true));
    assert_fails_with(REIN_ERR_IO, reason, rein_appender_write(&a, big, sizeof big, true));
    check_content(log, "line\n");
    assert_fails_with(REIN_ERR_IO, reason, rein_file_write(file, big, sizeof big));
    check_content(file, "old");
    check_names(*state, 2, (const char *const[]){"file", "log"});
    assert_ok(rein_appender_write(&a, "next\n", 5, true));
    rein_appender_close(&a);
    check_content(log, "line\nnext\n");
}

static void test_file_size_limit(void **state) {
    struct rlimit old, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 10000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    check_full(state, "File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
}

static void test_full_disk(void **state) {
    if (mount("tmpfs", *state, "tmpfs", 0, "size=64k") != 0) {
        print_message("cannot mount a small tmpfs: %s\n", strerror(errno));
        skip();
    }
    check_full(state, "No space left on device");
    assert_int_equal(umount(*state), 0);
}

/* A device that is always full, and cannot be truncated. */
static void test_full_device(void **state) {
    (void)state;
    rein_appender a;
    if (access("/dev/full", W_OK) != 0) skip();
    assert_ok(rein_appender_open(&a, "/dev/full", -1));
    assert_fails_with(REIN_ERR_IO, "a partial line remains", rein_appender_write(&a, "x\n", 2, false));
    rein_appender_close(&a);
}

int main(void) {
#define in_scratch(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        in_scratch(test_read_write),      in_scratch(test_folders),   in_scratch(test_remove_tree),
        in_scratch(test_path_format),     in_scratch(test_map),       in_scratch(test_appender),
        in_scratch(test_file_size_limit), in_scratch(test_full_disk), in_scratch(test_full_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
