/*
 * A conversation with a model: messages, and the ids that the model has seen. Ids are only appended to, so that an
 * answer is what it would be in a rollout; where a template writes earlier turns in another way once they are history,
 * the ids are made anew, and that is said.
 */
#ifndef REIN_CLI_CHAT_SESSION_H
#define REIN_CLI_CHAT_SESSION_H

#include "base/json.h"
#include "cli/model.h"
#include "gen/generate.h"
#include "text/chat.h"

typedef struct rein_chat_session {
    const rein_cli_model *m;
    const rein_chat_template *t;
    const char *system;         /* or NULL */
    struct json_object *kwargs; /* of the template, or NULL */
    struct json_object *messages;
    rein_ids ids;      /* of `text` and the last answer */
    rein_str text;     /* prompt of the last answer, then what the answer says */
    const char *ended; /* (ended_len) text of the token that ended the last answer */
    size_t ended_len;  /* 0: none did */
    uint32_t turn;
} rein_chat_session;

/** Forget the conversation but for the system's message. */
REIN_NODISCARD rein_status rein_chat_session_reset(rein_chat_session *s);
/** Add a user's message and bring the ids up to the assistant's turn. *rewritten: they had to be made anew. On an error
 *  the message is not kept. */
REIN_NODISCARD rein_status rein_chat_session_ask(rein_chat_session *s, const char *text, bool *rewritten);
/** Add the answer: a generated sequence and its text without end token. `end`: ids that may end it. */
REIN_NODISCARD rein_status rein_chat_session_answer(rein_chat_session *s, const rein_gen_sequence *seq,
                                                    const rein_str *text, const rein_ids *end);
/** {"messages":[...]} */
REIN_NODISCARD rein_status rein_chat_session_save(const rein_chat_session *s, const char *path);
REIN_NODISCARD rein_status rein_chat_session_load(rein_chat_session *s, const char *path);
void rein_chat_session_deinit(rein_chat_session *s);

#endif
