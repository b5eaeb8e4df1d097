/* The tool world: its tasks, experts, checks, rewards and episodes, played by policies that need no model. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/json.h"
#include "env/tools/domain.h"
#include "env/tools/expression.h"
#include "env/tools/folder.h"
#include "env/tools/tools.h"
#include "folder.h"
#include "os/sandbox.h"
#include "tools_player.h"

/* ---- tasks ---- */

enum { MANY = 500 };

static void test_audit(void **state) {
    static const char *const constant[] = {
        "",
        "Done.",
        "I give up.",
        "<tool_call>\n{\"name\": \"get_quote\", \"arguments\": {\"symbol\": \"ALVR\"}}\n</tool_call>",
        "<tool_call>\n{\"name\": \"send_slack_message\", \"arguments\": {\"channel\": \"general\", \"message\": "
        "\"1\"}}\n</tool_call>",
        "<tool_call>\n{\"name\": \"write_file\", \"arguments\": {\"path\": \"notes.txt\", \"content\": "
        "\"1\"}}\n</tool_call>"};
    rein_env *env = world(NULL);
    rein_episode *ep;
    played p = {0};
    int level[REIN_TOOLS_LEVELS] = {0};
    bool seen[64] = {false};
    rein_str last_call = {0}; /* of the expert in the task before */
    (void)state;
    OK(cls->turns->open(env, 0, &ep));
    for (int i = 0; i < MANY; i++) {
        rein_task task;
        OK(cls->task(env, 7, i % 2 ? REIN_SPLIT_EVAL : REIN_SPLIT_TRAIN, i, &task));
        level[(int)task.number[1]]++;
        seen[(int)task.number[0]] = true;
        if (i > 0) {
            begin(ep, &p, &task, 1);
            play_constant(ep, &p, last_call.data);
            if (p.last.score.success) fail_msg("task %d is solved by: %s", i, last_call.data);
        }
        begin(ep, &p, &task, 1);
        while (!ended(&p)) {
            rein_str action = {0};
            OK(cls->turns->oracle(ep, &action));
            act(ep, &p, action.data);
            if (!ended(&p)) {
                rein_str_clear(&last_call);
                rein_str_append(&last_call, action.data, action.len);
            }
            rein_str_deinit(&action);
        }
        if (!p.last.score.success || !p.last.score.format_ok || p.total != 1.1)
            fail_msg("task %d: the oracle got %g: %s", i, p.total, p.said.data);
        assert_true(p.turns >= 3 + (int)task.number[1] && p.turns <= rein_tools_turns[(int)task.number[1]]);
        for (size_t k = 0; k < REIN_COUNT(constant); k++) {
            begin(ep, &p, &task, 1);
            play_constant(ep, &p, constant[k]);
            if (p.last.score.success || p.total > 0) fail_msg("task %d is solved by: %s", i, constant[k]);
        }
    }
    for (int i = 0; i < REIN_TOOLS_LEVELS; i++) assert_true(level[i] > MANY / 8);
    for (int i = 0; i < rein_tools_category_count(); i++) assert_true(seen[i]);
    rein_str_deinit(&last_call);
    rein_str_deinit(&p.said);
    cls->turns->close(ep);
    cls->destroy(env);
}

/* What a model sees at the beginning of a task: its prompt, and the files and messages that are there. */
static void question_of(rein_str *out, const rein_env *env, const rein_task *task) {
    rein_tools_task t;
    OK(rein_tools_task_make(&t, (const rein_tools *)env, task));
    rein_str_puts(out, t.prompt);
    for (int i = 0; i < t.n_setup; i++) rein_str_printf(out, "|%s", t.setup[i].text);
    rein_tools_task_deinit(&t);
}

static void test_no_leak(void **state) {
    enum { N = 500 };
    static rein_str question[2][N];
    rein_env *env = world(NULL);
    (void)state;
    for (int split = 0; split < 2; split++)
        for (int i = 0; i < N; i++) {
            rein_task task;
            OK(cls->task(env, 3, split ? REIN_SPLIT_EVAL : REIN_SPLIT_TRAIN, i, &task));
            assert_int_equal(task.key & 1, split);
            question_of(&question[split][i], env, &task);
        }
    int same = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            assert_string_not_equal(question[0][i].data, question[1][k].data);
            same += i < k && strcmp(question[0][i].data, question[0][k].data) == 0;
        }
    assert_true(same > 0); /* the set of questions is small enough for the check to mean something */
    for (int i = 0; i < 2 * N; i++) rein_str_deinit(&question[i / N][i % N]);
    cls->destroy(env);
}

/* No figure that a check wants is in what the model is told at the beginning. */
static void test_no_solution_in_prompt(void **state) {
    rein_env *env = world(NULL);
    (void)state;
    for (int i = 0; i < MANY; i++) {
        rein_task task;
        rein_tools_task t;
        rein_str prompt = {0};
        bool hidden = false;
        OK(cls->task(env, 5, REIN_SPLIT_TRAIN, i, &task));
        OK(cls->prompt(env, &task, &prompt));
        OK(rein_tools_task_make(&t, (const rein_tools *)env, &task));
        for (int k = 0; k < t.n_check; k++)
            hidden |= t.check[k].text && !rein_tools_holds(prompt.data, prompt.len, t.check[k].text);
        if (!hidden) fail_msg("task %d tells all: %s", i, prompt.data);
        assert_true(t.n_tool >= 3 && t.n_tool <= 6);
        rein_tools_task_deinit(&t);
        rein_str_deinit(&prompt);
    }
    cls->destroy(env);
}

static void test_held_out(void **state) {
    static const char *const settings[] = {"heldout_categories=close_post,report", "heldout_tools=get_company_profile",
                                           "eval_heldout=true", NULL};
    rein_env *env = world(settings), *bad;
    (void)state;
    for (int i = 0; i < 300; i++) {
        rein_task task;
        rein_tools_task t;
        OK(cls->task(env, 1, REIN_SPLIT_TRAIN, i, &task));
        OK(rein_tools_task_make(&t, (const rein_tools *)env, &task));
        assert_string_not_equal(t.category, "close_post");
        assert_string_not_equal(t.category, "report");
        for (int k = 0; k < t.n_tool; k++) assert_string_not_equal(t.tool[k], "get_company_profile");
        rein_tools_task_deinit(&t);
        OK(cls->task(env, 1, REIN_SPLIT_EVAL, i, &task));
        OK(rein_tools_task_make(&t, (const rein_tools *)env, &task));
        bool uses = strcmp(t.category, "close_post") == 0 || strcmp(t.category, "report") == 0;
        for (int k = 0; k < t.n_step; k++) uses |= strcmp(t.step[k].tool, "get_company_profile") == 0;
        assert_true(uses);
        rein_tools_task_deinit(&t);
    }
    cls->destroy(env);
    static const char *const wrong[][2] = {{"domains=market,chta", "did you mean 'chat'"},
                                           {"categories=quote_pst", "did you mean 'quote_post'"},
                                           {"mix=1,2", "three numbers"},
                                           {"mix=0,0,0", "all 0"},
                                           {"domains=market", "no category"},
                                           {"heldout_tools=get_qote", "no tool 'get_qote'"},
                                           {"eval_heldout=true", "nothing to evaluate"},
                                           {"mix=1,-1,1", "negative"}};
    for (size_t i = 0; i < REIN_COUNT(wrong); i++) {
        const char *const one[] = {wrong[i][0], NULL};
        assert_int_equal(open_world(&bad, one), REIN_ERR_USAGE);
        if (!strstr(rein_error_message(), wrong[i][1])) fail_msg("%s: %s", wrong[i][0], rein_error_message());
    }
}

/* ---- episodes ---- */

static void test_turns(void **state) {
    rein_env *env = world(NULL);
    rein_episode *ep;
    played p = {0};
    (void)state;
    OK(cls->turns->open(env, 0, &ep));
    rein_task task = task_of(env, "quote_post");
    begin(ep, &p, &task, 1);
    act(ep, &p, "<tool_call>\n{\"name\": \"get_quote\", \"arguments\": {\"symbol\": ALVR}}\n</tool_call>");
    assert_true(strncmp(p.last_text, "error: ", 7) == 0);
    assert_true(strstr(p.last_text, "[turn 2 of 5]") != NULL);
    assert_true(p.error[0] && p.last.score.error);
    assert_false(p.last.score.format_ok);
    act(ep, &p, call("get_qoute", "{}"));
    assert_true(strstr(p.last_text, "there is no tool 'get_qoute'; the tools are:") != NULL);
    act(ep, &p, call("get_quote", "{\"symbol\": 5}"));
    assert_true(strstr(p.last_text, "symbol") != NULL);
    act(ep, &p, call("get_quote", "{\"symbol\": \"NONE\"}"));
    assert_true(strstr(p.last_text, "error: unknown symbol 'NONE'") != NULL);
    assert_false(ended(&p));
    act(ep, &p, call("get_quote", "{\"symbol\": \"ALVR\"}"));
    assert_true(p.last.truncated && !p.last.terminated);
    assert_true(component(&p, "format") == 3 * -0.05);
    assert_true(strstr(p.last_text, "ALVR price: ") == p.last_text);
    /* several calls in a turn, in their order */
    begin(ep, &p, &task, 1);
    char two[4096];
    snprintf(two, sizeof two, "%s\n%s\n%s", call("get_quote", "{\"symbol\": \"ALVR\"}"),
             call("send_slack_message", "{\"channel\": \"#general\", \"message\": \"x\"}"), call("nothing", "{}"));
    act(ep, &p, two);
    const char *first = strstr(p.last_text, "ALVR price"), *second = strstr(p.last_text, "message sent to #general"),
               *third = strstr(p.last_text, "error: there is no tool 'nothing'");
    assert_true(first && second > first && third > second);
    act(ep, &p, "That is all.");
    assert_true(p.last.terminated && !p.last.score.success);
    /* text that goes round in circles */
    begin(ep, &p, &task, 1);
    char circles[1200] = "";
    for (int i = 0; i < 40; i++) strcat(circles, "and then we see again ");
    act(ep, &p, circles);
    assert_true(p.last.terminated && component(&p, "repetition") == -0.2);
    assert_string_equal(p.error, "the text goes round in circles");
    rein_str_deinit(&p.said);
    cls->turns->close(ep);
    cls->destroy(env);
}

static void test_aliases(void **state) {
    static const char *const off[] = {"aliases=false", NULL};
    rein_env *env = world(NULL), *strict = world(off);
    rein_episode *ep;
    played p = {0};
    (void)state;
    rein_task task = task_of(env, "quote_post");
    OK(cls->turns->open(env, 0, &ep));
    begin(ep, &p, &task, 1);
    act(ep, &p, call("get_quote", "{\"ticker\": \"ALVR\"}"));
    assert_true(strstr(p.last_text, "ALVR price: ") == p.last_text);
    act(ep, &p, call("slack_send", "{\"channel\": \"general\", \"msg\": \"hi\"}"));
    assert_true(strstr(p.last_text, "message sent to #general") == p.last_text);
    cls->turns->close(ep);
    OK(cls->turns->open(strict, 0, &ep));
    begin(ep, &p, &task, 1);
    act(ep, &p, call("get_quote", "{\"ticker\": \"ALVR\"}"));
    assert_true(strstr(p.last_text, "error: ") == p.last_text);
    rein_str_deinit(&p.said);
    cls->turns->close(ep);
    cls->destroy(env);
    cls->destroy(strict);
    /* an existing tool or argument is never renamed */
    struct json_object *tools =
        json_tokener_parse("[{\"name\":\"send_message\"},{\"name\":\"send_slack_message\"},"
                           "{\"name\":\"t\",\"inputSchema\":{\"properties\":{\"ticker\":{},\"symbol\":{}}}}]");
    struct json_object *args = json_tokener_parse("{\"ticker\":\"A\"}");
    assert_string_equal(rein_tools_alias(tools, tools, "send_message"), "send_message");
    assert_string_equal(rein_tools_alias(tools, tools, "slack_send"), "send_slack_message");
    assert_string_equal(rein_tools_alias(tools, tools, "other"), "other");
    assert_int_equal(rein_tools_alias_arguments(rein_tools_named(tools, "t"), args), 0);
    json_object_put(args);
    json_object_put(tools);
}

static void test_injected(void **state) {
    static const char *const often[] = {"error_injection=random", "error_rate=0.3", "mix=0,1,0", NULL};
    static const char *const seventh[] = {"error_injection=turn7", "mix=0,0,1", NULL};
    rein_env *env = world(often);
    rein_episode *ep;
    played p = {0}, again = {0};
    int injected = 0;
    (void)state;
    OK(cls->turns->open(env, 0, &ep));
    for (int i = 0; i < 50; i++) {
        rein_task task;
        OK(cls->task(env, 2, REIN_SPLIT_TRAIN, i, &task));
        begin(ep, &p, &task, (uint64_t)i);
        play_oracle(ep, &p);
        injected += p.turns > 4;
        if (p.turns < 8 && p.total != 1.1) fail_msg("recovery is not rewarded: %g: %s", p.total, p.said.data);
        begin(ep, &again, &task, (uint64_t)i);
        play_oracle(ep, &again);
        assert_string_equal(p.said.data, again.said.data);
    }
    assert_true(injected > 20);
    cls->turns->close(ep);
    cls->destroy(env);
    env = world(seventh);
    OK(cls->turns->open(env, 0, &ep));
    rein_task task;
    OK(cls->task(env, 2, REIN_SPLIT_TRAIN, 0, &task));
    begin(ep, &p, &task, 1);
    for (int turn = 1; turn <= 8; turn++) {
        const rein_tools_task *t = NULL;
        (void)t;
        rein_str action = {0};
        OK(cls->turns->oracle(ep, &action)); /* stays the same call while it fails */
        act(ep, &p, turn < 7 ? call("none", "{}") : action.data);
        assert_int_equal(strstr(p.last_text, "error: the connection was reset") != NULL, turn == 7);
        rein_str_deinit(&action);
    }
    rein_str_deinit(&p.said);
    rein_str_deinit(&again.said);
    cls->turns->close(ep);
    cls->destroy(env);
}

/* The same in every slot, whatever it held before; another seed of the world, another price. */
static void test_same_in_all_slots(void **state) {
    enum { SLOTS = 8, TASKS = 24 };
    rein_env *env = world(NULL);
    rein_episode *ep[SLOTS];
    static played p[TASKS], q;
    (void)state;
    for (int i = 0; i < SLOTS; i++) OK(cls->turns->open(env, i, &ep[i]));
    for (int i = 0; i < TASKS; i++) {
        rein_task task;
        OK(cls->task(env, 4, REIN_SPLIT_TRAIN, i, &task));
        begin(ep[i % SLOTS], &p[i], &task, 9);
        play_oracle(ep[i % SLOTS], &p[i]);
    }
    for (int i = TASKS - 1; i >= 0; i--) {
        rein_task task;
        OK(cls->task(env, 4, REIN_SPLIT_TRAIN, i, &task));
        begin(ep[0], &q, &task, 9);
        play_oracle(ep[0], &q);
        assert_string_equal(q.said.data, p[i].said.data);
        rein_str_deinit(&p[i].said);
    }
    rein_str_deinit(&q.said);
    for (int i = 0; i < SLOTS; i++) cls->turns->close(ep[i]);
    cls->destroy(env);
}

/* ---- rewards ---- */

/* The expert with an idle turn before turn `when`: what it adds never raises the sum. */
static double with_idle(const rein_env *env, rein_episode *ep, const rein_task *task, int when, const char *idle) {
    played p = {0};
    begin(ep, &p, task, 1);
    for (int turn = 0; !ended(&p); turn++) {
        rein_str action = {0};
        if (turn == when) act(ep, &p, idle);
        if (ended(&p)) break;
        OK(cls->turns->oracle(ep, &action));
        act(ep, &p, action.data);
        rein_str_deinit(&action);
    }
    (void)env;
    double total = p.total;
    rein_str_deinit(&p.said);
    return total;
}

static void test_idle_turns(void **state) {
    static const char *const v1[] = {"reward=v1", NULL}, *const v2[] = {"reward=v2", NULL};
    static const char think[] =
        "<think>\nThe task requires a tool, because the user wants it.\nFirst this, then that.\n"
        "If it fails, retry or take an alternative.\n</think>\n";
    char thoughtful[1024], broken[1024];
    (void)state;
    for (int version = 0; version < 2; version++) {
        rein_env *env = world(version ? v1 : v2);
        rein_episode *ep;
        OK(cls->turns->open(env, 0, &ep));
        for (int i = 0; i < 60; i++) {
            rein_task task;
            OK(cls->task(env, 6, REIN_SPLIT_TRAIN, i, &task));
            double plain = with_idle(env, ep, &task, -1, NULL);
            for (int when = 0; when < 5; when++) {
                played p = {0};
                rein_str repeated = {0};
                begin(ep, &p, &task, 1);
                OK(cls->turns->oracle(ep, &repeated)); /* the first call, made again later */
                snprintf(thoughtful, sizeof thoughtful, "%s%s", think, repeated.data);
                snprintf(broken, sizeof broken, "%s<tool_call>\nx\n</tool_call>", think);
                const char *const idle[] = {call("nothing", "{}"), "<tool_call>\nx\n</tool_call>", broken,
                                            repeated.data, thoughtful};
                for (size_t k = 0; k < REIN_COUNT(idle); k++) {
                    if (k >= 3 && when == 0) continue; /* then it is no repetition */
                    double with = with_idle(env, ep, &task, when, idle[k]);
                    if (k == 3 && when == 1 && version == 0) assert_true(with < plain); /* a needless call costs */
                    if (with > plain + 1e-12)
                        fail_msg("version %d task %d: an idle turn at %d raises %.17g to %.17g: %s", version, i, when,
                                 plain, with, idle[k]);
                }
                rein_str_deinit(&repeated);
                rein_str_deinit(&p.said);
            }
        }
        cls->turns->close(ep);
        cls->destroy(env);
    }
}

/* v1's parts, by hand. */
static void test_v1(void **state) {
    rein_tools_ledger l = {.needed = 2, .n_expected = 2};
    rein_score s = {0};
    static const char think[] = "<think>I need to use it first, if\n\n</think>";
    rein_tools_turn t = {.text = think, .len = sizeof think - 1, .calls = 1, .fresh = 1, .expected = 1, .clean = true};
    (void)state;
    rein_tools_reward(&s, &l, REIN_TOOLS_V1, &t);
    assert_int_equal(s.n_component, 7);
    double progress = 0.3 * 0.5 + 0.3 + 0.2 / 3;
    assert_true(fabs(s.total - (0.15 * 1 + 0.05 * progress)) < 1e-12);
    t.expected = 1, t.ended = true, t.state = true, t.answer = true;
    s = (rein_score){0};
    rein_tools_reward(&s, &l, REIN_TOOLS_V1, &t);
    double after = 0.05 * (0.6 + 0.2 * 2 / 3);
    assert_true(fabs(s.total - (0.4 + 0.15 + 0.1 + after - 0.05 * progress + 0.1 + 0.05)) < 1e-12);
    double level = 0;
    for (int i = 0; i < REIN_TOOLS_V1_PARTS; i++) level += l.part[i];
    assert_true(level > 0.95 && level <= 1);
    assert_true(s.success);
}

static void test_holds(void **state) {
    (void)state;
    assert_true(rein_tools_holds("ALVR: 213.88.", 13, "213.88"));
    assert_true(rein_tools_holds("$213.88, ok", 11, "213.88"));
    assert_false(rein_tools_holds("1213.88", 7, "213.88"));
    assert_false(rein_tools_holds("213.881", 7, "213.88"));
    assert_false(rein_tools_holds("-1.25", 5, "1.25"));
    assert_true(rein_tools_holds("is -1.25%", 9, "-1.25"));
    assert_false(rein_tools_holds("3.1.25", 6, "1.25"));
    assert_false(rein_tools_holds("ALVRX", 5, "ALVR"));
    assert_false(rein_tools_holds("", 0, "A"));
}

/* ---- domains ---- */

static void test_expressions(void **state) {
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1 + 2 * 3", 7},
                {"(1 + 2) * 3", 9},
                {"2 ^ 3 ^ 2", 512},
                {"-2 ^ 2", -4},
                {"2 ** 3", 8},
                {"10 - 3 - 2", 5},
                {"7 % 4", 3},
                {"round(2.345, 2)", 2.35},
                {"round(2.5)", 3},
                {"max(1, min(5, 3))", 3},
                {"sqrt(2 + 2) / -4", -0.5},
                {"--3", 3},
                {"abs(-1.5e2)", 150},
                {"+4", 4},
                {"2 * -3", -6}};
    static const char *const bad[] = {"",
                                      "1 +",
                                      "1 2",
                                      "(1",
                                      "1)",
                                      "1 / 0",
                                      "sqrt(-1)",
                                      "min(1)",
                                      "abs(1,2)",
                                      "x + 1",
                                      "1 + , 2",
                                      "1, 2",
                                      "__import__('os')",
                                      "0x10",
                                      "1e999",
                                      "abs 1",
                                      "()"};
    const char *why;
    char deep[300];
    (void)state;
    for (size_t i = 0; i < REIN_COUNT(good); i++) {
        double x = rein_expression_value(good[i].text, &why);
        if (why || fabs(x - good[i].value) > 1e-12) fail_msg("%s is %g (%s)", good[i].text, x, why ? why : "");
    }
    for (size_t i = 0; i < REIN_COUNT(bad); i++) {
        rein_expression_value(bad[i], &why);
        if (!why) fail_msg("'%s' has a value", bad[i]);
    }
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    rein_expression_value(deep, &why);
    assert_string_equal(why, "too many brackets");
    for (size_t i = 0; i + 2 < sizeof deep; i += 2) memcpy(deep + i, "1-", 2);
    rein_expression_value(deep, &why);
    assert_non_null(why); /* ends with an operator, and does not crash */
}

/* A tool's answer in a world of its own folder. */
static const char *ask(const rein_tool_place *at, const char *name, const char *args, bool *is_error) {
    static char text[4][2048];
    static int next;
    rein_str out = {0};
    rein_tool_reply reply = {.text = &out};
    struct json_object *object = json_tokener_parse(args);
    assert_non_null(object);
    OK(rein_tool_find(name, NULL)->call(at, object, &reply));
    *is_error = reply.is_error;
    next = (next + 1) % 4;
    snprintf(text[next], sizeof text[next], "%s", out.data ? out.data : "");
    json_object_put(object);
    rein_str_deinit(&out);
    return text[next];
}

static void test_domains(void **state) {
    rein_tool_place at = {.seed = 3};
    bool bad;
    (void)state;
    OK(rein_folder_open(&at.dir, folder));
    /* files: nothing outside of the folder */
    assert_string_equal(ask(&at, "write_file", "{\"path\":\"a/b.txt\",\"content\":\"hello\"}", &bad),
                        "wrote 5 bytes to a/b.txt");
    assert_string_equal(ask(&at, "read_text_file", "{\"path\":\"/slot/a/./b.txt\"}", &bad), "hello");
    assert_string_equal(ask(&at, "list_directory", "{\"path\":\".\"}", &bad), "[DIR] a");
    static const char *const outside[] = {"../x",          "a/../../x", "/etc/passwd", "link",
                                          "folder/passwd", "a/b.txt/c", "fifo",        "a"};
    assert_int_equal(symlink("/etc/passwd", in_folder("link")), 0);
    assert_int_equal(symlink("/etc", in_folder("folder")), 0);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    for (size_t i = 0; i < REIN_COUNT(outside); i++) {
        char args[128];
        snprintf(args, sizeof args, "{\"path\":\"%s\",\"content\":\"x\"}", outside[i]);
        const char *said = ask(&at, "read_text_file", args, &bad);
        if (!bad) fail_msg("read %s: %s", outside[i], said);
        said = ask(&at, "write_file", args, &bad);
        if (!bad) fail_msg("wrote %s: %s", outside[i], said);
    }
    ask(&at, "move_file", "{\"source\":\"a/b.txt\",\"destination\":\"../b.txt\"}", &bad);
    assert_true(bad);
    ask(&at, "move_file", "{\"source\":\"a/b.txt\",\"destination\":\"fifo\"}", &bad);
    assert_true(bad);
    assert_string_equal(ask(&at, "move_file", "{\"source\":\"a/b.txt\",\"destination\":\"c/d.txt\"}", &bad),
                        "moved a/b.txt to c/d.txt");
    /* chat */
    ask(&at, "send_slack_message", "{\"channel\":\"nowhere\",\"message\":\"x\"}", &bad);
    assert_true(bad);
    for (int i = 0; i < 7; i++) {
        char args[128];
        snprintf(args, sizeof args, "{\"channel\":\"#random\",\"message\":\"m%d\"}", i);
        ask(&at, "send_slack_message", args, &bad);
        assert_false(bad);
    }
    assert_string_equal(ask(&at, "get_slack_channel_history", "{\"channel_id\":\"random\",\"limit\":2}", &bad),
                        "agent: m5\nagent: m6");
    ask(&at, "get_slack_channel_history", "{\"channel_id\":\"random\",\"limit\":2.5}", &bad);
    assert_true(bad);
    /* market and search: the same figures, another world another figure */
    char quote[64];
    snprintf(quote, sizeof quote, "%s", ask(&at, "get_quote", "{\"symbol\":\"ALVR\"}", &bad));
    assert_string_equal(quote, ask(&at, "get_quote", "{\"symbol\":\"alvr\"}", &bad));
    assert_non_null(strstr(ask(&at, "search_ticker", "{\"query\":\"rail\"}", &bad), "FNWK: Fenwick Rail"));
    assert_non_null(strstr(ask(&at, "tavily_qna_search", "{\"query\":\"When was Fenwick Rail founded?\"}", &bad),
                           "Fenwick Rail (FNWK) was founded in "));
    ask(&at, "tavily_search", "{\"query\":\"zzz qqq\"}", &bad);
    assert_true(bad);
    const char *gainers = ask(&at, "get_market_gainers", "{}", &bad);
    double first, second, third;
    assert_int_equal(sscanf(gainers, "%*4s %lf%%\n%*4s %lf%%\n%*4s %lf%%", &first, &second, &third), 3);
    assert_true(first >= second && second >= third && third > 0);
    assert_non_null(
        strstr(ask(&at, "get_aggs", "{\"ticker\":\"ALVR\",\"days\":3}", &bad), "ALVR closes, latest first: "));
    assert_false(bad);
    assert_non_null(strchr(ask(&at, "get_stock_news", "{\"symbol\":\"ALVR\"}", &bad), '\n'));
    assert_non_null(strchr(ask(&at, "get_market_losers", "{}", &bad), '-'));
    /* code */
    assert_string_equal(ask(&at, "calculate", "{\"expression\":\"213.88 - 199.99\"}", &bad), "13.89");
    ask(&at, "get_execution_context", "{\"context_key\":\"k\"}", &bad);
    assert_true(bad);
    ask(&at, "store_execution_result", "{\"context_key\":\"k\",\"data\":\"1\"}", &bad);
    ask(&at, "store_execution_result", "{\"context_key\":\"k\",\"data\":\"two\"}", &bad);
    assert_string_equal(ask(&at, "get_execution_context", "{\"context_key\":\"k\"}", &bad), "two");
    at.seed = 4;
    assert_string_not_equal(quote, ask(&at, "get_quote", "{\"symbol\":\"ALVR\"}", &bad));
    close(at.dir);
}

/* A program of the model's: arithmetic works; no end, no files, no network, no memory without end, no other programs.
 */
static void test_python(void **state) {
    static const char *const bad[][2] = {
        {"{\"code\":\"while True: pass\"}", "longer than"},
        {"{\"code\":\"print(open('/etc/passwd').read())\"}", "No such file"},
        {"{\"code\":\"import socket; socket.socket()\"}", "Address family not supported"},
        {"{\"code\":\"x = bytearray(1 << 30)\"}", "MemoryError"},
        {"{\"code\":\"import os\\nwhile True: os.fork()\"}", "unavailable"},
        {"{\"code\":\"while True: print('a' * 1000)\"}", "more than"},
        {"{\"code\":\"1 +\"}", "SyntaxError"},
        {"{\"code\":\"open('/x', 'w')\"}", "Read-only file system"},
    };
    rein_tool_place at = {.dir = -1};
    rein_str why = {0};
    bool is_error;
    (void)state;
    if (!rein_sandbox_available(&why) || !rein_path_exists("/usr/bin/python3")) {
        printf("Python in a sandbox is not tested: %s\n", why.data ? why.data : "it is not installed");
        rein_str_deinit(&why);
        skip();
    }
    assert_string_equal(
        ask(&at, "execute_python", "{\"code\":\"print(2**70)\\nprint({'b', 'a'} == {'a', 'b'})\"}", &is_error),
        "1180591620717411303424\nTrue");
    assert_false(is_error);
    for (size_t i = 0; i < REIN_COUNT(bad); i++) {
        const char *said = ask(&at, "execute_python", bad[i][0], &is_error);
        if (!is_error || !strstr(said, bad[i][1])) fail_msg("%s says: %s", bad[i][0], said);
    }
}

/* ---- prompts, grammar, record ---- */

static void test_texts(void **state) {
    static const char *const native[] = {"tools_format=native", NULL}, *const plain[] = {"call_format=plain", NULL};
    rein_env *env = world(NULL), *tiny = world(plain), *templated = world(native);
    rein_str text = {0}, tools = {0}, grammar = {0};
    rein_episode *ep;
    played p = {0};
    bool is_schema;
    (void)state;
    rein_task task = task_of(env, "quote_post");
    OK(cls->messages(env, &task, &text, &tools));
    assert_true(strstr(text.data, "get_quote(symbol: string)") != NULL && tools.len == 0);
    rein_str_clear(&text);
    OK(cls->messages(templated, &task, &text, &tools));
    assert_true(strstr(text.data, "get_quote") == NULL && strstr(tools.data, "\"parameters\": {") != NULL);
    struct json_object *list = json_tokener_parse(tools.data);
    assert_int_equal(json_object_array_length(list), 5);
    json_object_put(list);
    rein_str_clear(&text);
    OK(cls->prompt(tiny, &task, &text));
    assert_true(strstr(text.data, "tool(argument=\"value\")") != NULL);
    OK(cls->turns->open(tiny, 0, &ep));
    begin(ep, &p, &task, 1);
    play_oracle(ep, &p);
    assert_true(p.last.score.success);
    OK(cls->turns->grammar(ep, &is_schema, &grammar));
    assert_true(is_schema && grammar.len > 0);
    rein_str_clear(&text);
    OK(cls->turns->describe(ep, &text));
    struct json_object *record;
    OK(rein_json_parse(&record, "record", text.data, text.len));
    struct json_object *calls;
    OK(rein_json_array(&calls, record, "calls"));
    assert_int_equal(json_object_array_length(calls), 2);
    json_object_put(record);
    cls->turns->close(ep);
    rein_str_deinit(&p.said);
    rein_str_deinit(&text);
    rein_str_deinit(&tools);
    rein_str_deinit(&grammar);
    cls->destroy(env);
    cls->destroy(tiny);
    cls->destroy(templated);
}

/* A result longer than max_observation is cut between characters, and says so. */
static void test_long_results(void **state) {
    static const char *const settings[] = {"max_observation=20", "categories=relay,lookup_post,archive", NULL};
    rein_env *env = world(settings);
    rein_episode *ep;
    played p = {0};
    (void)state;
    rein_task task = task_of(env, "archive");
    OK(cls->turns->open(env, 0, &ep));
    begin(ep, &p, &task, 1);
    rein_str action = {0};
    OK(cls->turns->oracle(ep, &action)); /* read the file */
    act(ep, &p, action.data);
    assert_true(strstr(p.last_text, "more bytes)") != NULL);
    rein_str_deinit(&action);
    rein_str_deinit(&p.said);
    cls->turns->close(ep);
    cls->destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_no_leak),
        cmocka_unit_test(test_no_solution_in_prompt),
        cmocka_unit_test(test_held_out),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_injected),
        cmocka_unit_test(test_same_in_all_slots),
        cmocka_unit_test(test_idle_turns),
        cmocka_unit_test(test_v1),
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_python),
        cmocka_unit_test(test_long_results),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
