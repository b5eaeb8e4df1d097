/* The MCP client on stdio, against a server that behaves as told (mcp_stub.h): both eras, and everything that goes
 * wrong. */
#include "testing.h"

#include <math.h>
#include <poll.h>
#include <signal.h>

#include "base/file.h"
#include "base/json.h"
#include "mcp/client.h"
#include "mcp/server.h"
#include "mcp/tools.h"
#include "mcp_stub.h"

static rein_mcp_client *open_stub(const char *features, rein_mcp_options o) {
    const char *argv[] = {"/proc/self/exe", "--stub", features, NULL};
    rein_mcp_client *c;
    o.argv = argv;
    if (o.timeout == 0) o.timeout = 8;
    if (o.backoff == 0) o.backoff = 0.01;
    OK(rein_mcp_open(&c, &o));
    return c;
}

static int64_t start_call(rein_mcp_client *c, const char *name) {
    int64_t id;
    OK(rein_mcp_call(c, name, NULL, &id));
    return id;
}

static rein_mcp_result call(rein_mcp_client *c, const char *name) {
    rein_mcp_result r;
    OK(rein_mcp_wait(c, start_call(c, name), &r));
    return r;
}

/* The call's answer, and whether it is one. */
static void answers(rein_mcp_client *c, const char *name, const char *text, bool is_error) {
    rein_mcp_result r = call(c, name);
    if (r.failed || r.is_error != is_error) fail_msg("%s: %s", name, r.text.data);
    assert_string_equal(r.text.data ? r.text.data : "", text);
    rein_mcp_result_deinit(&r);
}

static void fails(rein_mcp_client *c, const char *name, const char *text) {
    rein_mcp_result r = call(c, name);
    assert_true(r.failed);
    if (!strstr(r.text.data, text)) fail_msg("%s: '%s' is not in '%s'", name, text, r.text.data);
    rein_mcp_result_deinit(&r);
}

/* ---- eras ---- */

static void speaks(const char *features, rein_mcp_options o, const char *version) {
    rein_mcp_client *c = open_stub(features, o);
    assert_string_equal(rein_mcp_version(c), "");
    answers(c, "echo", "{}", false);
    assert_string_equal(rein_mcp_version(c), version);
    answers(c, "fails", "no such file", true);
    rein_mcp_close(c);
}

static void test_eras(void **state) {
    (void)state;
    speaks("legacy", (rein_mcp_options){0}, "2025-11-25");
    speaks("version=2024-11-05", (rein_mcp_options){0}, "2024-11-05");
    speaks("modern", (rein_mcp_options){0}, "2026-07-28");
    speaks("mute", (rein_mcp_options){.probe_timeout = 0.2}, "2025-11-25");
    speaks("modern,late", (rein_mcp_options){.probe_timeout = 0.2}, "2026-07-28");
}

static void test_no_era(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("version=1999-01-01", (rein_mcp_options){0});
    fails(c, "echo", "version '1999-01-01'");
    fails(c, "echo", "version '1999-01-01'");
    rein_mcp_close(c);
    c = open_stub("modern,mute", (rein_mcp_options){.probe_timeout = 0.1});
    fails(c, "echo", "refused the handshake: this server speaks 2026-07-28");
    rein_mcp_close(c);
}

static void test_server_name(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    answers(c, "echo", "{}", false);
    assert_string_equal(rein_mcp_server(c), "stub? 1");
    rein_mcp_close(c);
}

/* ---- tools ---- */

static void list(rein_mcp_client *c, size_t expected) {
    rein_mcp_result r;
    int64_t id;
    rein_str text = {0};
    OK(rein_mcp_list(c, &id));
    OK(rein_mcp_wait(c, id, &r));
    assert_false(r.failed || r.is_error);
    struct json_object *tools = json_object_object_get(r.value, "tools");
    assert_int_equal(json_object_array_length(tools), expected);
    for (size_t i = 0; i < expected; i++) rein_mcp_put_signature(&text, json_object_array_get_idx(tools, i));
    if (expected == 3) assert_string_equal(text.data, "tool0(path, head?)tool1(path, head?)tool2(path, head?)");
    rein_str_deinit(&text);
    rein_mcp_result_deinit(&r);
}

static void test_pages(void **state) {
    static const char *const endless[] = {"legacy,endless", "legacy,same"};
    (void)state;
    for (int modern = 0; modern < 2; modern++) {
        rein_mcp_client *c = open_stub(modern ? "modern,pages" : "pages", (rein_mcp_options){0});
        list(c, 3);
        list(c, 3);
        rein_mcp_close(c);
    }
    for (size_t i = 0; i < REIN_COUNT(endless); i++) {
        rein_mcp_client *c = open_stub(endless[i], (rein_mcp_options){0});
        rein_mcp_result r;
        int64_t id;
        OK(rein_mcp_list(c, &id));
        OK(rein_mcp_wait(c, id, &r));
        assert_true(r.failed);
        assert_string_equal(r.text.data, "the server's list of tools has no end");
        rein_mcp_result_deinit(&r);
        rein_mcp_close(c);
    }
}

static void test_arguments(void **state) {
    static const char text[] = "{\"path\":\"/tmp/\\u00e4\",\"n\":[1,2.50,null,true]}";
    struct json_object *args;
    rein_mcp_result r;
    int64_t id;
    (void)state;
    rein_mcp_client *c = open_stub("modern", (rein_mcp_options){0});
    OK(rein_json_parse(&args, "args", text, strlen(text)));
    OK(rein_mcp_call(c, "echo", args, &id));
    json_object_put(args);
    OK(rein_mcp_wait(c, id, &r));
    assert_string_equal(r.text.data, "{\"path\":\"\\/tmp\\/\xc3\xa4\",\"n\":[1,2.50,null,true]}");
    assert_non_null(r.value);
    rein_mcp_result_deinit(&r);
    rein_mcp_close(c);
}

/* Both forms of a tool's errors are answers. */
static void test_tool_errors(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    answers(c, "fails", "no such file", true);
    answers(c, "refused", "MCP error -32602: unknown tool", true);
    rein_mcp_health h = rein_mcp_get_health(c);
    assert_int_equal(h.answers, 2);
    assert_int_equal(h.tool_errors, 2);
    assert_int_equal(h.failures, 0);
    rein_mcp_close(c);
}

/* Many at once, taken in another order; one that was taken is gone. */
static void test_many(void **state) {
    enum { N = 50 };
    int64_t id[N];
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    for (int i = 0; i < N; i++) {
        struct json_object *args = json_object_new_object();
        json_object_object_add(args, "i", json_object_new_int(i));
        OK(rein_mcp_call(c, "echo", args, &id[i]));
        json_object_put(args);
    }
    for (int i = N - 1; i >= 0; i--) {
        rein_mcp_result r;
        char expected[32];
        snprintf(expected, sizeof expected, "{\"i\":%d}", i);
        OK(rein_mcp_wait(c, id[i], &r));
        assert_string_equal(r.text.data, expected);
        rein_mcp_result_deinit(&r);
        assert_false(rein_mcp_take(c, id[i], &r));
    }
    rein_mcp_close(c);
}

/* One loop of the user's own over two servers. */
static void test_descriptors(void **state) {
    rein_mcp_client *c[2] = {open_stub("legacy", (rein_mcp_options){0}), open_stub("modern", (rein_mcp_options){0})};
    int64_t id[2] = {start_call(c[0], "echo"), start_call(c[1], "echo")};
    int left = 2;
    (void)state;
    while (left > 0) {
        struct pollfd fd[8];
        int n = 0, wait = 1000;
        for (int i = 0; i < 2; i++) {
            rein_mcp_result r;
            OK(rein_mcp_poll(c[i], 0));
            if (rein_mcp_take(c[i], id[i], &r)) {
                assert_string_equal(r.text.data, "{}");
                rein_mcp_result_deinit(&r);
                left--;
            }
            n += rein_mcp_descriptors(c[i], fd + n, 8 - n);
            int due = rein_mcp_wait_ms(c[i]);
            if (due >= 0 && due < wait) wait = due;
        }
        if (left > 0) poll(fd, (nfds_t)n, wait);
    }
    rein_mcp_end_input(c[0]);
    rein_mcp_end_input(c[1]);
    rein_mcp_close(c[0]);
    rein_mcp_close(c[1]);
}

/* A request is on its way as soon as it is made: whoever then waits for descriptors is woken by its answer. */
static void test_sent_at_once(void **state) {
    rein_mcp_result r;
    struct pollfd fd[4];
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    answers(c, "echo", "{}", false);
    int64_t id = start_call(c, "echo");
    assert_true(poll(fd, (nfds_t)rein_mcp_descriptors(c, fd, 4), 5000) > 0);
    OK(rein_mcp_wait(c, id, &r));
    rein_mcp_result_deinit(&r);
    rein_mcp_close(c);
}

/* ---- while a request is under way ---- */

static void test_progress(void **state) {
    (void)state;
    for (int modern = 0; modern < 2; modern++) {
        rein_mcp_client *c = open_stub(modern ? "modern" : "legacy", (rein_mcp_options){0});
        rein_mcp_progress p = {0};
        rein_mcp_result r;
        int64_t id = start_call(c, "progress");
        while (rein_mcp_get_progress(c, id, &p) && p.count < 3) OK(rein_mcp_poll(c, -1));
        assert_true(p.progress == 3 && p.total == 3);
        assert_false(rein_mcp_take(c, id, &r));
        OK(rein_mcp_wait(c, id, &r));
        assert_string_equal(r.text.data, "done");
        rein_mcp_result_deinit(&r);
        rein_mcp_close(c);
    }
}

static void test_cancel(void **state) {
    rein_mcp_result r;
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    rein_mcp_cancel(c, start_call(c, "hang")); /* never sent: there is no session yet */
    answers(c, "cancelled", "0", false);
    int64_t id = start_call(c, "hang");
    rein_mcp_cancel(c, id);
    rein_mcp_cancel(c, id);
    assert_false(rein_mcp_take(c, id, &r));
    answers(c, "cancelled", "1", false);
    assert_int_equal(rein_mcp_get_health(c).failures, 0);
    rein_mcp_close(c);
}

static void test_list_changed(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    assert_false(rein_mcp_tools_changed(c));
    answers(c, "changed", "changed", false);
    assert_true(rein_mcp_tools_changed(c));
    assert_false(rein_mcp_tools_changed(c));
    rein_mcp_close(c);
    c = open_stub("modern,changes", (rein_mcp_options){0}); /* by a subscription, which no deadline ends */
    for (int i = 0; i < 1000 && !rein_mcp_tools_changed(c); i++) {
        OK(rein_mcp_poll(c, 100));
        assert_true(i < 999);
    }
    answers(c, "echo", "{}", false);
    rein_mcp_close(c);
}

/* What is not offered is refused; roots are told if there are any. */
static void test_server_requests(void **state) {
    const char *const roots[] = {"/work/a", "file:///b", NULL}, *const other[] = {"/c", NULL};
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    answers(c, "sampling", "{\"code\":-32601,\"message\":\"Method not found\"}", false);
    answers(c, "roots", "{\"code\":-32601,\"message\":\"Method not found\"}", false);
    assert_int_equal(rein_mcp_get_health(c).refused, 2);
    rein_mcp_close(c);
    c = open_stub("legacy", (rein_mcp_options){.roots = roots});
    answers(c, "roots", "{\"roots\":[{\"uri\":\"file:///work/a\"},{\"uri\":\"file:///b\"}]}", false);
    OK(rein_mcp_set_roots(c, other));
    answers(c, "roots", "{\"roots\":[{\"uri\":\"file:///c\"}]}", false);
    rein_mcp_close(c);
}

/* A form is filled with its defaults, if that was allowed. */
static void test_forms(void **state) {
    static const char content[] = "{\"action\":\"accept\",\"content\":{\"a\":5,\"c\":\"x\"}}";
    char inputs[128];
    (void)state;
    snprintf(inputs, sizeof inputs, "{\"k\":%s}", content);
    for (int accept = 0; accept < 2; accept++) {
        rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){.accept_defaults = accept});
        answers(c, "form", accept ? content : "{\"code\":-32601,\"message\":\"Method not found\"}", false);
        rein_mcp_close(c);
        c = open_stub("modern", (rein_mcp_options){.accept_defaults = accept});
        answers(c, "input", accept ? inputs : "the server asks for input that is not offered here", !accept);
        rein_mcp_close(c);
    }
}

/* ---- what a bad server says ---- */

static void test_banner(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("banner", (rein_mcp_options){0});
    answers(c, "echo", "{}", false);
    assert_true(rein_mcp_get_health(c).noise >= 5);
    rein_mcp_close(c);
    c = open_stub("legacy", (rein_mcp_options){.attempts = 1, .noise_max = 50});
    fails(c, "noise", "too much that is no JSON-RPC");
    answers(c, "echo", "{}", false);
    assert_int_equal(rein_mcp_get_health(c).starts, 2);
    rein_mcp_close(c);
}

static void test_big(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){.attempts = 1});
    rein_mcp_result r = call(c, "big");
    assert_false(r.failed);
    assert_int_equal(r.text.len, 6000000);
    rein_mcp_result_deinit(&r);
    rein_mcp_close(c);
    c = open_stub("legacy", (rein_mcp_options){.attempts = 1, .message_max = 1000000});
    fails(c, "big", "a message of more than 1000000 bytes");
    answers(c, "echo", "{}", false);
    rein_mcp_close(c);
}

static void test_bytes(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    answers(c, "bytes",
            "a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD \xEF\xBF\xBD \xF0\x9F\x92\xA9",
            false);
    rein_mcp_close(c);
}

static void test_deep(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){.timeout = 1.5});
    fails(c, "deep", "no answer within 1.5 s");
    assert_int_equal(rein_mcp_get_health(c).noise, 1);
    answers(c, "echo", "{}", false);
    rein_mcp_close(c);
}

static void test_lies(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    answers(c, "lies", "the truth", false);
    answers(c, "echo", "{}", false);
    assert_int_equal(rein_mcp_get_health(c).strays, 6);
    rein_mcp_close(c);
}

/* ---- failures of the transport ---- */

static void test_hang(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){.timeout = 0.6});
    answers(c, "echo", "{}", false);
    double begun = rein_clock();
    rein_mcp_result r = call(c, "hang");
    assert_true(r.failed && r.attempts == 1); /* what may still be at work is not tried again */
    assert_true(rein_clock() - begun >= 0.6 && rein_clock() - begun < 8);
    rein_mcp_result_deinit(&r);
    answers(c, "cancelled", "1", false);
    assert_int_equal(rein_mcp_get_health(c).timeouts, 1);
    rein_mcp_close(c);
    c = open_stub("mute,late", (rein_mcp_options){.probe_timeout = 10, .start_timeout = 0.2, .attempts = 1});
    fails(c, "echo", "did not finish its handshake in time");
    rein_mcp_close(c);
}

static void test_death(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){.attempts = 2});
    answers(c, "echo", "{}", false);
    int first = rein_mcp_pid(c);
    rein_mcp_result r = call(c, "die");
    assert_true(r.failed && r.attempts == 2);
    assert_string_equal(r.text.data, "the server has gone: exit status 7; it said: out of luck");
    rein_mcp_result_deinit(&r);
    answers(c, "echo", "{}", false);
    assert_true(rein_mcp_pid(c) != first);
    kill(rein_mcp_pid(c), SIGKILL);
    answers(c, "echo", "{}", false);
    assert_int_equal(rein_mcp_get_health(c).starts, 4);
    rein_mcp_close(c);
}

static void counter(const char *path, const char *bytes) { OK(rein_file_write(path, bytes, strlen(bytes))); }

/* A server that fails twice is asked a third time; one that fails three times is not asked a fourth. */
static void test_retry(void **state) {
    static const char *const features[] = {"fail=/tmp/rein-mcp-%d", "start=/tmp/rein-mcp-%d"};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(features); i++) {
        char text[64], path[64];
        snprintf(path, sizeof path, "/tmp/rein-mcp-%d", (int)getpid());
        snprintf(text, sizeof text, features[i], (int)getpid());
        counter(path, "xx");
        rein_mcp_client *c = open_stub(text, (rein_mcp_options){0});
        rein_mcp_result r = call(c, "echo");
        assert_false(r.failed);
        assert_int_equal(r.attempts, 3);
        rein_mcp_result_deinit(&r);
        rein_mcp_health h = rein_mcp_get_health(c);
        assert_int_equal(h.retries, 2);
        assert_int_equal(h.failures, 2);
        assert_int_equal(h.starts, 3);
        rein_mcp_close(c);
        counter(path, "xxx");
        c = open_stub(text, (rein_mcp_options){0});
        fails(c, "echo", i == 0 ? "exit status 3" : "exit status 4");
        answers(c, "echo", "{}", false);
        rein_mcp_close(c);
        remove(path);
    }
}

static void test_circuit(void **state) {
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){.timeout = 0.5, .cooldown = 0.5});
    answers(c, "echo", "{}", false);
    int first = rein_mcp_pid(c);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rein_mcp_get_health(c).circuit, REIN_MCP_CLOSED);
        fails(c, "hang", "no answer within 0.5 s");
    }
    assert_int_equal(rein_mcp_get_health(c).circuit, REIN_MCP_OPEN);
    double begun = rein_clock();
    fails(c, "echo", "the circuit is open");
    assert_true(rein_clock() - begun < 0.4);
    poll(NULL, 0, 520);
    int64_t one = start_call(c, "echo"), two = start_call(c, "echo"); /* half open: one at a time */
    rein_mcp_result r;
    OK(rein_mcp_wait(c, two, &r));
    assert_true(r.failed);
    rein_mcp_result_deinit(&r);
    OK(rein_mcp_wait(c, one, &r));
    assert_false(r.failed);
    rein_mcp_result_deinit(&r);
    assert_true(rein_mcp_pid(c) != first);
    assert_int_equal(rein_mcp_get_health(c).circuit, REIN_MCP_HALF_OPEN);
    answers(c, "echo", "{}", false);
    assert_int_equal(rein_mcp_get_health(c).circuit, REIN_MCP_CLOSED);
    assert_int_equal(rein_mcp_get_health(c).opened, 1);
    rein_mcp_close(c);
}

static void test_not_found(void **state) {
    const char *const argv[] = {"/no/such/server", NULL};
    rein_mcp_client *c;
    (void)state;
    FAILS_WITH(REIN_ERR_IO, rein_mcp_open(&c, &(rein_mcp_options){.argv = argv}));
    assert_string_equal(rein_error_message(), "cannot start '/no/such/server': No such file or directory");
    assert_null(c);
    FAILS_WITH(REIN_ERR_USAGE, rein_mcp_open(&c, &(rein_mcp_options){.url = "ftp://localhost/"}));
}

static void test_health(void **state) {
    rein_str text = {0};
    (void)state;
    rein_mcp_client *c = open_stub("legacy", (rein_mcp_options){0});
    answers(c, "fails", "no such file", true);
    rein_mcp_health h = rein_mcp_get_health(c);
    assert_true(h.seconds > 0 && h.slowest == h.seconds);
    h.seconds = h.slowest = 0.5;
    rein_mcp_put_health(&text, &h);
    assert_string_equal(
        text.data, "{\"circuit\":\"closed\",\"failures_in_a_row\":0,\"requests\":1,\"answers\":1,\"tool_errors\":1,"
                   "\"failures\":0,\"timeouts\":0,\"retries\":0,\"starts\":1,\"opened\":0,\"noise\":0,"
                   "\"strays\":0,\"refused\":0,\"dropped_tools\":0,\"seconds\":0.5,\"slowest\":0.5}");
    rein_str_deinit(&text);
    rein_mcp_close(c);
    rein_mcp_close(NULL);
}

/* A session with a list and a call, in which any allocation may fail. */
static rein_status use_client(const char *features) {
    const char *argv[] = {"/proc/self/exe", "--stub", features, NULL};
    rein_mcp_client *c = NULL;
    rein_mcp_result r[2] = {{.failed = false}};
    int64_t id[2];
    rein_status status;
    REIN_TRY_OUT(status, rein_mcp_open(&c, &(rein_mcp_options){.argv = argv, .attempts = 1}), out);
    REIN_TRY_OUT(status, rein_mcp_list(c, &id[0]), out);
    REIN_TRY_OUT(status, rein_mcp_call(c, "echo", NULL, &id[1]), out);
    for (int i = 0; i < 2; i++) REIN_TRY_OUT(status, rein_mcp_wait(c, id[i], &r[i]), out);
    REIN_TRY_OUT(status, rein_str_check(&r[1].text), out);
    if (strcmp(r[1].text.data, "{}") != 0 || r[0].failed || r[0].is_error) status = REIN_ERR_MISMATCH;
out:
    for (int i = 0; i < 2; i++) rein_mcp_result_deinit(&r[i]);
    rein_mcp_close(c);
    return status;
}

static void test_memory(void **state) {
    static const char *const features[] = {"legacy", "modern,pages"};
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(features); i++) {
        int64_t before = rein_alloc_count(), refused = 0;
        OK(use_client(features[i]));
        int64_t n = rein_alloc_count() - before;
        for (int64_t k = 1; k <= n; k++) {
            rein_alloc_fail_after(k);
            rein_status status = use_client(features[i]);
            rein_alloc_fail_after(0);
            refused += status == REIN_ERR_MEMORY; /* how bytes arrive decides whether there is a k-th */
            if (status != REIN_ERR_MEMORY && status != REIN_OK)
                fail_msg("%s, allocation %d of %d refused: %s", features[i], (int)k, (int)n, rein_error_message());
        }
        assert_true(refused >= n - 5);
    }
}

/* ---- our own server ---- */

static rein_status serve_list(void *user, rein_str *out) {
    (void)user;
    rein_str_puts(out, "[{\"name\":\"echo\",\n\"description\":\"d\",\"inputSchema\":{\"type\":\"object\"}}]");
    return REIN_OK;
}

static rein_status serve_call(void *user, const char *name, struct json_object *args, rein_str *text, bool *is_error) {
    (void)user;
    if (strcmp(name, "broken") == 0) return rein_fail(REIN_ERR_IO, "the disk is \"gone\"");
    *is_error = strcmp(name, "echo") != 0;
    rein_str_puts(text, *is_error ? "unknown tool" : json_object_to_json_string_ext(args, JSON_C_TO_STRING_PLAIN));
    return REIN_OK;
}

static const rein_mcp_service service = {.name = "test", .version = "1", .list = serve_list, .call = serve_call};

static void test_own_server(void **state) {
    const char *argv[] = {"/proc/self/exe", "--serve", NULL};
    rein_mcp_client *c;
    rein_mcp_result r;
    int64_t id;
    (void)state;
    OK(rein_mcp_open(&c, &(rein_mcp_options){.argv = argv}));
    OK(rein_mcp_list(c, &id));
    OK(rein_mcp_wait(c, id, &r));
    assert_string_equal(rein_mcp_version(c), "2026-07-28");
    assert_string_equal(rein_mcp_server(c), "test 1");
    assert_int_equal(json_object_array_length(json_object_object_get(r.value, "tools")), 1);
    rein_mcp_result_deinit(&r);
    answers(c, "echo", "{}", false);
    answers(c, "other", "unknown tool", true);
    answers(c, "broken", "MCP error -32603: the disk is \"gone\"", true);
    rein_mcp_close(c);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--stub") == 0) return stub_main(argv[2]);
    if (argc == 2 && strcmp(argv[1], "--serve") == 0) return rein_mcp_serve(&service, 0, 1) != REIN_OK;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_eras),
                                       cmocka_unit_test(test_no_era),
                                       cmocka_unit_test(test_server_name),
                                       cmocka_unit_test(test_pages),
                                       cmocka_unit_test(test_arguments),
                                       cmocka_unit_test(test_tool_errors),
                                       cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_descriptors),
                                       cmocka_unit_test(test_sent_at_once),
                                       cmocka_unit_test(test_progress),
                                       cmocka_unit_test(test_cancel),
                                       cmocka_unit_test(test_list_changed),
                                       cmocka_unit_test(test_server_requests),
                                       cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_banner),
                                       cmocka_unit_test(test_big),
                                       cmocka_unit_test(test_bytes),
                                       cmocka_unit_test(test_deep),
                                       cmocka_unit_test(test_lies),
                                       cmocka_unit_test(test_hang),
                                       cmocka_unit_test(test_death),
                                       cmocka_unit_test(test_retry),
                                       cmocka_unit_test(test_circuit),
                                       cmocka_unit_test(test_not_found),
                                       cmocka_unit_test(test_health),
                                       cmocka_unit_test(test_memory),
                                       cmocka_unit_test(test_own_server)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
