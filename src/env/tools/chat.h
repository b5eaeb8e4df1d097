/* Channels and their messages: messages.jsonl in the domain's folder, one {"channel","user","text"} a line. */
#ifndef REIN_ENV_TOOLS_CHAT_H
#define REIN_ENV_TOOLS_CHAT_H

#include "base/base.h"

enum { REIN_CHANNELS = 8 };
extern const char *const rein_channels[REIN_CHANNELS];
/** Who posts what a tool sends. */
#define REIN_CHAT_AGENT "agent"

/** Write a message; the channel's name is without '#'. */
REIN_NODISCARD rein_status rein_chat_put(int dir, const char *channel, const char *user, const char *text);

/** One call a message, in order; the strings are borrowed. */
typedef rein_status (*rein_chat_fn)(void *user, const char *channel, const char *who, const char *text);
REIN_NODISCARD rein_status rein_chat_each(int dir, rein_chat_fn fn, void *user);

#endif
