/* The domain chat: channels that can be listed, read and posted to. */
#include "env/tools/chat.h"

#include <string.h>

#include "base/json.h"
#include "env/tools/domain.h"
#include "env/tools/lines.h"

#define FILE_NAME "messages.jsonl"

const char *const rein_channels[REIN_CHANNELS] = {"general", "trading", "research", "alerts",
                                                  "finance", "random",  "planning", "standup"};

rein_status rein_chat_put(int dir, const char *channel, const char *user, const char *text) {
    const char *const pair[][2] = {{"channel", channel}, {"user", user}, {"text", text}};
    return rein_lines_put(dir, FILE_NAME, pair, (int)REIN_COUNT(pair));
}

typedef struct reader {
    rein_chat_fn fn;
    void *user;
} reader;

static rein_status read_line(void *user, int64_t line, struct json_object *row) {
    const reader *r = user;
    const char *channel, *who, *text;
    (void)line;
    REIN_TRY(rein_json_string(&channel, NULL, row, "channel"));
    REIN_TRY(rein_json_string(&who, NULL, row, "user"));
    REIN_TRY(rein_json_string(&text, NULL, row, "text"));
    return r->fn(r->user, channel, who, text);
}

rein_status rein_chat_each(int dir, rein_chat_fn fn, void *user) {
    return rein_lines_each(dir, FILE_NAME, read_line, &(reader){fn, user});
}

/* ---- tools ---- */

/* A channel by its name, with or without '#'; NULL: there is none, and the reply says so. */
static const char *read_channel(struct json_object *args, const char *key, rein_tool_reply *out) {
    const char *name;
    if (!rein_tool_string(&name, args, key, out)) return NULL;
    if (name[0] == '#') name++;
    for (int i = 0; i < REIN_CHANNELS; i++)
        if (strcmp(rein_channels[i], name) == 0) return rein_channels[i];
    (void)rein_tool_error(out, "there is no channel '%.40s'; list_slack_channels lists them", name);
    return NULL;
}

static rein_status list_slack_channels(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    (void)at, (void)args;
    for (int i = 0; i < REIN_CHANNELS; i++) rein_str_printf(out->text, "%s#%s", i ? " " : "", rein_channels[i]);
    return REIN_OK;
}

static rein_status send_slack_message(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *message, *channel = read_channel(args, "channel", out);
    if (!channel || !rein_tool_string(&message, args, "message", out)) return REIN_OK;
    if (!*message) return rein_tool_error(out, "the message is empty");
    REIN_TRY(rein_chat_put(at->dir, channel, REIN_CHAT_AGENT, message));
    rein_str_printf(out->text, "message sent to #%s", channel);
    return REIN_OK;
}

enum { HISTORY_MAX = 20 };

/* The last messages of a channel: a ring of `limit` texts "user: text". */
typedef struct history {
    const char *channel;
    int64_t limit, n;
    rein_str line[HISTORY_MAX];
} history;

static rein_status keep(void *user, const char *channel, const char *who, const char *text) {
    history *h = user;
    if (strcmp(channel, h->channel) != 0) return REIN_OK;
    rein_str *line = &h->line[h->n++ % h->limit];
    rein_str_clear(line);
    rein_str_printf(line, "%s: %s", who, text);
    return rein_str_check(line);
}

static rein_status get_slack_channel_history(const rein_tool_place *at, struct json_object *args,
                                             rein_tool_reply *out) {
    history h = {.limit = 5};
    h.channel = read_channel(args, "channel_id", out);
    if (!h.channel || !rein_tool_integer(&h.limit, args, "limit", 1, HISTORY_MAX, out)) return REIN_OK;
    rein_status status = rein_chat_each(at->dir, keep, &h);
    if (h.n == 0) rein_str_printf(out->text, "#%s has no messages", h.channel);
    for (int64_t i = h.n > h.limit ? h.n - h.limit : 0, first = i; i < h.n; i++)
        rein_str_printf(out->text, "%s%s", i > first ? "\n" : "", h.line[i % h.limit].data);
    for (int i = 0; i < HISTORY_MAX; i++) rein_str_deinit(&h.line[i]);
    return status;
}

#define OBJECT "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":"

static const rein_tool tools[] = {
    {"list_slack_channels", "Names of all channels.", OBJECT "{}}", list_slack_channels},
    {"send_slack_message", "Post a message to a channel.",
     OBJECT "{\"channel\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}},\"required\":[\"channel\",\"message\"]}",
     send_slack_message},
    {"get_slack_channel_history", "Last messages of a channel, latest last.",
     OBJECT "{\"channel_id\":{\"type\":\"string\"},\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":20}},"
            "\"required\":[\"channel_id\"]}",
     get_slack_channel_history},
};

const rein_tool_domain rein_domain_chat = {"chat", "channels that can be listed, read and posted to", tools,
                                           (int)REIN_COUNT(tools), false};
