/* The tool world over MCP: this program is its own server, `test_tools_mcp mcp serve NAME --folder DIR`. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/services.h"
#include "folder.h"
#include "os/sandbox.h"
#include "tools_player.h"

#if defined(__SANITIZE_ADDRESS__)
#define MEMORY "server_memory=0" /* the sanitizer reserves address space without end */
#else
#define MEMORY "server_memory=1024"
#endif

static bool sandboxed;

static int serve(char **argv) {
    for (const rein_service *const *s = rein_services(); *s; s++) {
        rein_mcp_service service;
        if (strcmp((*s)->name, argv[3]) != 0) continue;
        if ((*s)->open(&service, 0, argv[5]) != REIN_OK) return 1;
        rein_status status = rein_mcp_serve(&service, STDIN_FILENO, STDOUT_FILENO);
        (*s)->close(&service);
        return status != REIN_OK;
    }
    return 1;
}

/* The same tasks by both transports: the same words. */
static void compare(const char *sandbox) {
    const char *const over_mcp[] = {"transport=mcp", sandbox, MEMORY, NULL};
    rein_env *direct = world(NULL), *mcp = world(over_mcp);
    rein_episode *ep[2];
    played p = {0}, q = {0};
    OK(cls->turns->open(direct, 0, &ep[0]));
    OK(cls->turns->open(mcp, 0, &ep[1]));
    for (int i = 0; i < 20; i++) {
        rein_task task;
        OK(cls->task(direct, 8, REIN_SPLIT_TRAIN, i, &task));
        begin(ep[0], &p, &task, 1);
        begin(ep[1], &q, &task, 1);
        if (i % 3 == 0) {
            act(ep[0], &p, call("get_quote", "{\"symbol\": \"NONE\"}"));
            act(ep[1], &q, call("get_quote", "{\"symbol\": \"NONE\"}"));
        }
        play_oracle(ep[0], &p);
        play_oracle(ep[1], &q);
        assert_string_equal(p.said.data, q.said.data);
        assert_true(p.total == q.total && (q.last.score.success || i % 3 == 0));
    }
    for (int i = 0; i < 2; i++) cls->turns->close(ep[i]);
    rein_str_deinit(&p.said);
    rein_str_deinit(&q.said);
    cls->destroy(direct);
    cls->destroy(mcp);
}

static void test_same_words(void **state) {
    (void)state;
    compare("sandbox=none");
}

static void test_sandboxed(void **state) {
    (void)state;
    if (!sandboxed) skip();
    compare("sandbox=bwrap");
}

/* A server that cannot be started, or does not answer, is an error of the world. */
static void test_broken(void **state) {
    static const char *const missing[] = {"transport=mcp", "sandbox=none", "server_command=/nonexistent/rein", NULL};
    static const char *const silent[] = {"transport=mcp", "sandbox=none", "server_command=/bin/true", NULL};
    rein_episode *ep;
    rein_env *env = world(missing);
    (void)state;
    assert_int_equal(cls->turns->open(env, 0, &ep), REIN_ERR_IO);
    cls->destroy(env);
    env = world(silent);
    assert_int_equal(cls->turns->open(env, 0, &ep), REIN_ERR_IO);
    assert_true(strstr(rein_error_message(), "server 'market'") != NULL);
    cls->destroy(env);
}

/* Kill the children of this process, which are its servers. */
static void kill_servers(void) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    for (char *at = text, *end;; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at) break;
        kill((pid_t)pid, SIGKILL);
    }
}

/* A server that dies and does not come back is no evidence about the model; when it is back, so is the world. */
static void test_dying(void **state) {
    char script[64], dead[64], option[96], text[8192], self[1024];
    const char *const settings[] = {"transport=mcp", "sandbox=none", option, NULL};
    rein_episode *ep;
    rein_observation o;
    rein_task task;
    played p = {0};
    bool ready;
    (void)state;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    snprintf(script, sizeof script, "%s", in_folder("server"));
    snprintf(dead, sizeof dead, "%s", in_folder("dead"));
    snprintf(option, sizeof option, "server_command=%s", script);
    snprintf(text, sizeof text, "#!/bin/sh\n[ -e %s ] && exit 1\nexec %s \"$@\"\n", dead, self);
    write_bytes(script, text, strlen(text));
    assert_int_equal(chmod(script, 0755), 0);
    rein_env *env = world(settings);
    OK(cls->turns->open(env, 0, &ep));
    task = task_of(env, "quote_post");
    begin(ep, &p, &task, 1);
    write_bytes(dead, "", 0);
    kill_servers();
    const char *action = call("get_quote", "{\"symbol\": \"ALVR\"}");
    OK(cls->turns->step(ep, action, strlen(action)));
    OK(cls->turns->poll(ep, -1, &o, &ready));
    assert_true(ready && o.env_error && !o.terminated && o.score.n_component == 0);
    assert_true(strstr(o.error, "server 'market'") != NULL);
    assert_int_equal(remove(dead), 0);
    begin(ep, &p, &task, 1);
    play_oracle(ep, &p);
    assert_true(p.last.score.success);
    rein_str_deinit(&p.said);
    cls->turns->close(ep);
    cls->destroy(env);
}

/* A user's servers and tasks: one of ours under another name. */
static void play_own(const char *sandbox, const char *respawn) {
    char text[8192], self[1024], servers[128], tasks[128];
    const char *const settings[] = {"transport=mcp", sandbox, "domains=", servers, tasks, "shuffle_tasks=false", NULL};
    rein_episode *ep;
    rein_task task;
    played p = {0};
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    snprintf(text, sizeof text,
             "notes:\n  command: %s\n  args: [mcp, serve, files, --folder, \"{folder}\"]\n  show: [%s]\n  respawn: %s\n",
             self, self, respawn);
    write_bytes(in_folder("servers.yaml"), text, strlen(text));
    static const char rows[] =
        "{\"prompt\": \"Copy a.txt to b.txt\", \"tools\": [\"read_text_file\", \"write_file\"], \"setup\": "
        "[{\"file\": \"notes/a.txt\", \"text\": \"apple\"}], \"checks\": [{\"file\": \"notes/b.txt\", \"holds\": "
        "\"apple\"}], \"steps\": [{\"tool\": \"read_text_file\", \"arguments\": {\"path\": \"a.txt\"}}, {\"tool\": "
        "\"write_file\", \"arguments\": {\"path\": \"b.txt\", \"content\": \"apple\"}}], \"answer\": \"Done.\", "
        "\"difficulty\": \"easy\"}\n"
        "{\"prompt\": \"What is in the folder?\", \"tools\": [\"list_directory\"], \"setup\": [{\"file\": "
        "\"notes/pear.txt\", \"text\": \"\"}], \"checks\": [{\"answer\": true, \"holds\": \"pear.txt\"}], \"steps\": "
        "[{\"tool\": \"list_directory\", \"arguments\": {\"path\": \".\"}}], \"answer\": \"It has pear.txt.\"}\n";
    write_bytes(in_folder("tasks.jsonl"), rows, sizeof rows - 1);
    snprintf(servers, sizeof servers, "servers=%s", in_folder("servers.yaml"));
    snprintf(tasks, sizeof tasks, "tasks=%s", in_folder("tasks.jsonl"));
    rein_env *env = world(settings);
    rein_str prompt = {0};
    OK(cls->turns->open(env, 0, &ep));
    for (int i = 0; i < 4; i++) {
        OK(cls->task(env, 1, REIN_SPLIT_TRAIN, i, &task));
        begin(ep, &p, &task, 1);
        play_oracle(ep, &p);
        if (!p.last.score.success) fail_msg("%s", p.said.data);
        if (i % 2) assert_non_null(strstr(p.said.data, ">[FILE] pear.txt\n[turn 2 of 8]|")); /* nothing of the task before */
    }
    OK(cls->prompt(env, &task, &prompt));
    assert_non_null(strstr(prompt.data, "list_directory(path: string)"));
    assert_int_equal(cls->task(env, 1, REIN_SPLIT_EVAL, 0, &task), REIN_ERR_ARG);
    rein_str_deinit(&prompt);
    rein_str_deinit(&p.said);
    cls->turns->close(ep);
    cls->destroy(env);
}

static void test_own_servers(void **state) {
    (void)state;
    play_own("sandbox=none", "false");
    play_own("sandbox=none", "true");
    if (sandboxed) play_own("sandbox=bwrap", "false");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_words), cmocka_unit_test(test_sandboxed),
                                       cmocka_unit_test(test_broken), cmocka_unit_test(test_dying),
                                       cmocka_unit_test(test_own_servers)};
    rein_str why = {0};
    if (argc == 6 && strcmp(argv[1], "mcp") == 0) return serve(argv);
    sandboxed = rein_sandbox_available(&why);
    if (!sandboxed) printf("servers in a sandbox are not tested: %s\n", why.data ? why.data : "");
    rein_str_deinit(&why);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
