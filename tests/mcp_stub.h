/*
 * An MCP server on stdio that behaves as told: the test runs itself again with "--stub FEATURES". Beside good manners
 * it has every bad one: silence, noise, lies, death.
 *
 * Features are words with commas between:
 *   modern        2026-07-28; else initialize is wanted, and server/discover is an unknown method
 *   mute          server/discover gets no answer
 *   late          ... it gets one, when initialize comes; with "modern"
 *   banner        plain text before and between messages
 *   version=V     what initialize answers
 *   pages         tools/list in pages; endless: every page names the next
 *   fail=FILE     dies at a call, as often as FILE has bytes (one is taken away each time)
 *   start=FILE    dies at its start, likewise
 *   lost          no answer to any call
 */
#ifndef REIN_TESTS_MCP_STUB_H
#define REIN_TESTS_MCP_STUB_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct stub {
    const char *features;
    int cancelled;   /* notifications about that */
    int asked;       /* requests to the client so far */
    char asking[64]; /* id of the call that waits for the client's answer */
} stub;

static inline bool stub_has(const stub *s, const char *feature) { return strstr(s->features, feature) != NULL; }

static inline const char *stub_value(const stub *s, const char *feature, char out[256]) {
    const char *at = strstr(s->features, feature);
    if (!at) return NULL;
    snprintf(out, 256, "%.*s", (int)strcspn(at + strlen(feature), ","), at + strlen(feature));
    return out;
}

/* Is there a byte left in the file? Takes it. */
static inline bool stub_take_byte(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) return false;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    fclose(f);
    return n > 0 && truncate(path, n - 1) == 0;
}

static inline void stub_text(const char *id, const char *text, bool is_error) {
    struct json_object *quoted = json_object_new_string(text);
    printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":%s}],\"isError\":%s,"
           "\"resultType\":\"complete\"}}\n",
           id, json_object_to_json_string(quoted), is_error ? "true" : "false");
    json_object_put(quoted);
}

static inline void stub_error(const char *id, int code, const char *message) {
    printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":\"%s\"}}\n", id, code, message);
}

static inline void stub_big(const char *id, size_t n) {
    char *text = malloc(n + 1);
    memset(text, 'x', n);
    text[n] = '\0';
    stub_text(id, text, false);
    free(text);
}

static inline void stub_deep(const char *id) {
    printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":", id);
    for (int i = 0; i < 1000000; i++) putchar('[');
    for (int i = 0; i < 1000000; i++) putchar(']');
    puts("}");
}

static inline void stub_progress(const char *id, struct json_object *params) {
    struct json_object *token = json_object_object_get(json_object_object_get(params, "_meta"), "progressToken");
    for (int i = 1; i <= 3; i++)
        printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
               "progress\",\"params\":{\"progressToken\":%s,\"progress\":%d,"
               "\"total\":3}}\n",
               json_object_to_json_string(token), i);
    fflush(stdout);
    usleep(100000);
    stub_text(id, "done", false);
}

/* A request to the client; its answer is then the text of the call's. */
static inline void stub_ask(stub *s, const char *id, const char *method) {
    snprintf(s->asking, sizeof s->asking, "%s", id);
    printf("{\"jsonrpc\":\"2.0\",\"id\":\"ask-%d\",\"method\":\"%s\",\"params\":{}}\n", ++s->asked, method);
}

static inline void stub_lies(const char *id) {
    puts("{\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"for nobody\"}]}}");
    printf(
        "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"a text id\"}]}}\n",
        id);
    puts("{\"jsonrpc\":\"2.0\",\"id\":-1,\"error\":{\"code\":1,\"message\":\"for nobody\"}}");
    puts("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"for nobody\"}}");
    puts("{\"id\":[1],\"result\":3}");
    stub_text(id, "the truth", false);
    stub_text(id, "the truth again", false);
}

static inline void stub_call(stub *s, const char *id, struct json_object *params) {
    const char *name = json_object_get_string(json_object_object_get(params, "name"));
    struct json_object *args = json_object_object_get(params, "arguments");
    char path[256], text[64];
    if (stub_value(s, "fail=", path) && stub_take_byte(path)) exit(3);
    if (stub_has(s, "lost")) return;
    if (strcmp(name, "echo") == 0)
        stub_text(id, json_object_to_json_string_ext(args, JSON_C_TO_STRING_PLAIN), false);
    else if (strcmp(name, "big") == 0)
        stub_big(id, 6000000);
    else if (strcmp(name, "hang") == 0)
        return;
    else if (strcmp(name, "die") == 0)
        fputs("out of luck\n", stderr), exit(7);
    else if (strcmp(name, "fails") == 0)
        stub_text(id, "no such file", true);
    else if (strcmp(name, "refused") == 0)
        stub_error(id, -32602, "unknown tool");
    else if (strcmp(name, "deep") == 0)
        stub_deep(id);
    else if (strcmp(name, "progress") == 0)
        stub_progress(id, params);
    else if (strcmp(name, "roots") == 0)
        stub_ask(s, id, "roots/list");
    else if (strcmp(name, "sampling") == 0)
        stub_ask(s, id, "sampling/createMessage");
    else if (strcmp(name, "lies") == 0)
        stub_lies(id);
    else if (strcmp(name, "pid") == 0)
        snprintf(text, sizeof text, "%d", (int)getpid()), stub_text(id, text, false);
    else if (strcmp(name, "cancelled") == 0)
        snprintf(text, sizeof text, "%d", s->cancelled), stub_text(id, text, false);
    else if (strcmp(name, "bytes") == 0)
        printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"a\xff\xc3("
               "\xed\xa0\x80z"
               "\\ud83d \\udca9 \\ud83d\\udca9\"}]}}\n",
               id);
    else if (strcmp(name, "noise") == 0)
        for (int i = 0; i < 1000; i++) puts("what a day");
    else if (strcmp(name, "changed") == 0) {
        puts("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
        stub_text(id, "changed", false);
    } else
        stub_text(id, "unknown tool", true);
}

static inline void stub_list(const stub *s, const char *id, struct json_object *params) {
    const char *cursor = json_object_get_string(json_object_object_get(params, "cursor"));
    int page = cursor ? atoi(cursor) : 0;
    printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":[{\"name\":\"tool%d\",\"inputSchema\":{\"type\":"
           "\"object\","
           "\"properties\":{\"path\":{\"type\":\"string\"},\"head\":{\"type\":\"number\"}},\"required\":[\"path\"]}}]",
           id, page);
    if ((stub_has(s, "pages") && page < 2) || stub_has(s, "endless")) printf(",\"nextCursor\":\"%d\"", page + 1);
    if (stub_has(s, "same")) fputs(",\"nextCursor\":\"again\"", stdout);
    puts("}}");
}

static inline void stub_discover(const char *id) {
    printf(
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
        "\"capabilities\":{\"tools\":{}},\"_meta\":{\"io.modelcontextprotocol/"
        "serverInfo\":{\"name\":\"stub\",\"version\":"
        "\"1\"}}}}\n",
        id);
}

static inline void stub_initialize(const stub *s, const char *id) {
    char version[256] = "2025-11-25";
    stub_value(s, "version=", version);
    if (stub_has(s, "late"))
        printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"supportedVersions\":[\"2026-07-28\"],"
               "\"capabilities\":{}}}\n");
    if (stub_has(s, "modern"))
        stub_error(id, -32601, "this server speaks 2026-07-28");
    else
        printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"%s\",\"capabilities\":{\"tools\":{}},"
               "\"serverInfo\":{\"name\":\"stub\\n\",\"version\":\"1\"}}}\n",
               id, version);
}

/* A modern request says its version and capabilities; a legacy one does not. */
static inline bool stub_era_is_right(const stub *s, struct json_object *params) {
    struct json_object *meta = json_object_object_get(params, "_meta"), *version;
    bool modern = json_object_object_get_ex(meta, "io.modelcontextprotocol/protocolVersion", &version);
    if (modern != stub_has(s, "modern")) return false;
    return !modern || json_object_object_get_ex(meta, "io.modelcontextprotocol/clientCapabilities", &version);
}

static inline void stub_line(stub *s, struct json_object *m) {
    const char *method = json_object_get_string(json_object_object_get(m, "method"));
    struct json_object *params = json_object_object_get(m, "params"), *value;
    char id[64];
    snprintf(id, sizeof id, "%s", json_object_to_json_string(json_object_object_get(m, "id")));
    if (!method && *s->asking) {
        value = json_object_object_get(m, json_object_object_get_ex(m, "result", NULL) ? "result" : "error");
        stub_text(s->asking,
                  json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                  false);
        s->asking[0] = '\0';
    } else if (!method) {
        return;
    } else if (strcmp(method, "server/discover") == 0) {
        if (stub_has(s, "mute") || stub_has(s, "late")) return;
        if (stub_has(s, "modern"))
            stub_discover(id);
        else
            stub_error(id, -32601, "Method not found");
    } else if (strcmp(method, "initialize") == 0) {
        stub_initialize(s, id);
    } else if (strcmp(method, "notifications/cancelled") == 0) {
        s->cancelled++;
    } else if (strcmp(method, "tools/list") == 0) {
        if (stub_era_is_right(s, params))
            stub_list(s, id, params);
        else
            stub_error(id, -32602, "wrong era");
    } else if (strcmp(method, "tools/call") == 0) {
        if (stub_era_is_right(s, params) || !stub_has(s, "modern"))
            stub_call(s, id, params);
        else
            stub_error(id, -32602, "wrong era");
    }
}

/* Serve; returns the exit status. */
static inline int stub_main(const char *features) {
    stub s = {.features = features};
    char *line = NULL, path[256];
    size_t cap = 0;
    if (stub_value(&s, "start=", path) && stub_take_byte(path)) return 4;
    if (stub_has(&s, "banner")) puts("Server 1.0 listening...\n\n[info] ready {");
    fflush(stdout);
    while (getline(&line, &cap, stdin) > 0) {
        struct json_object *m = json_tokener_parse(line);
        if (stub_has(&s, "banner")) puts("[debug] a line came");
        if (m) stub_line(&s, m);
        json_object_put(m);
        fflush(stdout);
    }
    free(line);
    return 0;
}

#endif
