/*
 * From a task to the token ids of its prompt: as text, or as a conversation through the model's chat template.
 */
#ifndef REIN_ROLLOUT_PROMPT_H
#define REIN_ROLLOUT_PROMPT_H

#include "rein/env.h"
#include "text/chat.h"
#include "text/tokenizer.h"

/** How prompts become conversations. Zero-initialised: text stays text, a conversation is an error. */
typedef struct rein_prompt_chat {
    rein_chat_template *format; /* NULL: the model has none */
    struct json_object *kwargs; /* further variables of the template, or NULL */
    const char *system_prompt;  /* first message of conversations that have none; NULL: none */
    bool wrap;                  /* a prompt of text is the user's message */
} rein_prompt_chat;

typedef struct rein_prompt_chat_args {
    const char *system_prompt, *kwargs; /* JSON object as text; NULL: none */
    bool chat;
} rein_prompt_chat_args;

/**
 * Load what a model needs for conversations.
 *
 * @param path  the model, as io/model_text.h opens it; one without a template is no error unless the arguments ask for one.
 * @return REIN_ERR_USAGE for kwargs that are no JSON object, or arguments that no template would read.
 */
REIN_NODISCARD rein_status rein_prompt_chat_open(rein_prompt_chat *out, const char *path,
                                                 const rein_prompt_chat_args *args);
void rein_prompt_chat_close(rein_prompt_chat *chat);

/**
 * The prompt of a task: its text as the model sees it, and its ids, both appended.
 *
 * A conversation is rendered with the generation prompt of the assistant's turn behind it.
 *
 * @param opening  what an episode's world says first, a user's message behind the others; NULL or empty: nothing.
 *
 * @return REIN_ERR_FORMAT if it is a conversation and the model has no chat template.
 */
REIN_NODISCARD rein_status rein_prompt_make(rein_str *text, rein_ids *ids, const rein_prompt_chat *chat,
                                            const rein_tokenizer *tok, const rein_env *env, const rein_task *task,
                                            const rein_str *opening);

#endif
