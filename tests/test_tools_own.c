/* Users' tasks and servers: what their files may hold, and every mistake in them. */
#include "folder.h"
#include "tools_player.h"

static const char *write_file(const char *name, const char *text) {
    write_bytes(in_folder(name), text, strlen(text));
    return in_folder(name);
}

static rein_status open_with(rein_env **out, const char *option, const char *path, const char *more) {
    char text[512];
    const char *const settings[] = {text, more, NULL};
    snprintf(text, sizeof text, "%s=%s", option, path);
    return open_world(out, settings);
}

static const char good[] =
    "{\"prompt\": \"Count the rows\", \"tools\": [\"list_directory\", \"send_slack_message\"], \"setup\": "
    "[{\"database\": "
    "\"files/s.db\", \"sql\": \"create table t (x); insert into t values (7), (8)\"}, {\"message\": \"general\", "
    "\"text\": \"hello\"}], \"checks\": [{\"database\": \"files/s.db\", \"query\": \"select sum(x) from t\", "
    "\"holds\": "
    "\"15\"}, {\"message\": \"general\", \"holds\": \"2\", \"without\": \"3\"}, {\"absent\": \"files/t.db\"}], "
    "\"steps\": [{\"tool\": \"send_slack_message\", \"arguments\": {\"channel\": \"general\", \"message\": \"2\"}}], "
    "\"answer\": \"Two.\", \"max_turns\": 3, \"difficulty\": \"hard\", \"category\": \"rows\", \"strict\": true}\n";

static void test_tasks(void **state) {
    rein_env *env;
    rein_episode *ep;
    rein_task task;
    played p = {0};
    double difficulty;
    (void)state;
    OK(open_with(&env, "tasks", write_file("good.jsonl", good), NULL));
    OK(cls->task(env, 1, REIN_SPLIT_TRAIN, 5, &task));
    OK(cls->difficulty(env, &task, &difficulty));
    assert_true(difficulty == 1);
    OK(cls->turns->open(env, 0, &ep));
    begin(ep, &p, &task, 1);
    play_oracle(ep, &p);
    assert_true(p.last.score.success);
    begin(ep, &p, &task, 1);
    act(ep, &p, call("send_slack_message", "{\"channel\": \"general\", \"message\": \"2 or 3\"}"));
    act(ep, &p, "Two.");
    assert_false(p.last.score.success);
    begin(ep, &p, &task, 1);
    act(ep, &p, call("send_slack_message", "{\"channel\": \"general\", \"message\": \"2\"}"));
    act(ep, &p, call("send_slack_message", "{\"channel\": \"random\", \"message\": \"2\"}"));
    act(ep, &p, "Two.");
    assert_false(p.last.score.success); /* strict: nobody asked for that */
    begin(ep, &p, &task, 1);
    for (int i = 0; i < 3; i++) act(ep, &p, call("list_directory", "{\"path\": \".\"}"));
    assert_true(p.last.truncated);
    rein_str_deinit(&p.said);
    cls->turns->close(ep);
    cls->destroy(env);
}

static void test_bad_tasks(void **state) {
    static const char *const bad[][2] = {
        {"", "has no tasks"},
        {"[1]", "a task is a JSON object"},
        {"{\"promt\": \"x\"}", "bad.jsonl:1: unknown key 'promt'; did you mean 'prompt'"},
        {"{\"prompt\": \"x\"}", "'tools' is missing"},
        {"{\"prompt\": \"x\", \"tools\": [1]}", "a list of names"},
        {"{\"prompt\": \"x\", \"tools\": [\"get_quote\"]}", "'checks' is missing"},
        {"{\"prompt\": \"x\", \"tools\": [\"get_quote\"], \"checks\": [{\"holds\": \"1\"}]}", "one of the keys answer"},
        {"{\"prompt\": \"x\", \"tools\": [\"get_quote\"], \"checks\": [{\"file\": \"files/a\"}]}",
         "'holds' is missing"},
        {"{\"prompt\": \"x\", \"tools\": [\"get_quot\"], \"checks\": [{\"answer\": true, \"holds\": \"1\"}]}",
         "no server has; did you mean 'get_quote'"},
        {"{\"prompt\": \"x\", \"tools\": [\"get_quote\"], \"checks\": [{\"answer\": true, \"holds\": \"1\"}], "
         "\"max_turns\": 0}",
         "not from 1 to 1000"},
        {"{\"prompt\": \"x\", \"tools\": [\"get_quote\"], \"checks\": [{\"answer\": true, \"holds\": \"1\"}], "
         "\"difficulty\": \"odd\"}",
         "not easy, medium or hard"},
    };
    rein_env *env;
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(bad); i++)
        assert_fails(open_with(&env, "tasks", write_file("bad.jsonl", bad[i][0]), NULL), REIN_ERR_USAGE, bad[i][1]);
    char eval[256];
    snprintf(eval, sizeof eval, "eval_tasks=%s", write_file("eval.jsonl", good));
    assert_fails(open_with(&env, "tasks", write_file("good.jsonl", good), eval), REIN_ERR_USAGE,
                 "too: 'Count the rows'");
}

static void test_bad_servers(void **state) {
    static const char *const bad[][2] = {
        {"a: 1\n", "expected a mapping"},
        {"a: {comand: x}\n", "did you mean 'command'"},
        {"a: {args: [x]}\n", "either a command or a url"},
        {"a: {command: x, url: y}\n", "either a command or a url"},
        {"market: {command: x}\n", "taken"},
        {"a/b: {command: x}\n", "letters, digits"},
        {"a: {command: x, processes: maybe}\n", "true or false"},
        {"a: {command: x, args: y}\n", "expected a list"},
        {"a: {command: x, env: [y]}\n", "expected a mapping"},
        {"a: {command: x, show: [/slot/b]}\n", "none of them below /slot"},
        {"a: {url: x, args: [b]}\n", "no other keys"},
    };
    rein_env *env;
    rein_tool_server server[REIN_TOOL_SERVERS];
    int n;
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(bad); i++) {
        rein_arena arena = {0};
        assert_fails(rein_tool_servers_load(server, &n, &arena, write_file("s.yaml", bad[i][0])), REIN_ERR_USAGE,
                     bad[i][1]);
        rein_arena_deinit(&arena);
    }
    assert_fails(open_with(&env, "servers", in_folder("s.yaml"), NULL), REIN_ERR_USAGE, "servers without tasks");
    char tasks[256];
    snprintf(tasks, sizeof tasks, "tasks=%s", write_file("good.jsonl", good));
    assert_fails(open_with(&env, "servers", in_folder("s.yaml"), tasks), REIN_ERR_USAGE, "transport=mcp");
}

/* A record answers as the tools did: same words, same rewards; what is not in it is an error of the world. */
static void test_replay(void **state) {
    char record[256], replay[256];
    const char *const writing[] = {record, NULL}, *const reading[] = {replay, NULL};
    static played p[12], q;
    rein_episode *ep;
    rein_observation o;
    bool ready;
    (void)state;
    snprintf(record, sizeof record, "record=%s", in_folder("record"));
    snprintf(replay, sizeof replay, "replay=%s", in_folder("record"));
    for (int pass = 0; pass < 2; pass++) {
        rein_env *env = world(pass ? reading : writing);
        OK(cls->turns->open(env, pass, &ep));
        for (int i = 0; i < 12; i++) {
            rein_task task;
            played *to = pass ? &q : &p[i];
            OK(cls->task(env, 5, REIN_SPLIT_TRAIN, i, &task));
            begin(ep, to, &task, 1);
            act(ep, to, call("get_quote", "{}"));
            if (i % 4 == 0)
                act(ep, to, "I do not know.");
            else
                play_oracle(ep, to);
            if (pass) assert_string_equal(q.said.data, p[i].said.data);
            if (pass) assert_true(q.total == p[i].total && q.last.score.success == (i % 4 != 0));
        }
        if (pass) { /* an answer that nobody gave */
            rein_task task;
            OK(cls->task(env, 5, REIN_SPLIT_TRAIN, 0, &task));
            begin(ep, &q, &task, 1);
            OK(cls->turns->step(ep, "Another answer.", 15));
            OK(cls->turns->poll(ep, -1, &o, &ready));
            assert_true(ready && o.env_error && strstr(o.error, "the record has no") != NULL);
        }
        cls->turns->close(ep);
        cls->destroy(env);
    }
    for (int i = 0; i < 12; i++) rein_str_deinit(&p[i].said);
    rein_str_deinit(&q.said);
    rein_env *env;
    assert_fails(open_with(&env, "replay", in_folder("nothing"), NULL), REIN_ERR_USAGE, "replay");
    assert_fails(open_with(&env, "replay", in_folder("record"), record), REIN_ERR_USAGE, "at the same time");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tasks), cmocka_unit_test(test_bad_tasks),
                                       cmocka_unit_test(test_bad_servers), cmocka_unit_test(test_replay)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
