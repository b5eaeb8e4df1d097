/* What a chat template holds; of chat.c and chat_load.c only. */
#ifndef REIN_TEXT_CHAT_IMPL_H
#define REIN_TEXT_CHAT_IMPL_H

#include "text/chat.h"
#include "text/jinja_value.h"

struct rein_chat_template {
    rein_jinja *jinja, *tool_use; /* tool_use: for conversations with tools, or NULL */
    struct json_object *tokens;   /* {"bos_token": str, ...} */
    const char *eos;              /* its eos_token, or NULL */
};

#endif
