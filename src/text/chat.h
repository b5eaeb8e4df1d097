/*
 * Chat templates: conversations to text, and to token ids as a rollout would have produced them.
 *
 * Messages, tools and kwargs are JSON, in the form that transformers' apply_chat_template takes; they are not changed.
 * Text equals that of apply_chat_template(tokenize=False).
 */
#ifndef REIN_TEXT_CHAT_H
#define REIN_TEXT_CHAT_H

#include "text/jinja.h"
#include "text/tokenizer.h"

/** A template (or several named ones) and the strings of the special tokens. Constant: threads may share one. */
typedef struct rein_chat_template rein_chat_template;

/**
 * Make a chat template of text.
 *
 * @param[out] out               caller owns; untouched on error.
 * @param      name              starts the error messages.
 * @param      template_text     the template; NULL: it is the "chat_template" of tokenizer_config, a string or a list
 * of named ones ({"name","template"}: "default", and "tool_use" where tools are given).
 * @param      tokenizer_config  JSON text of tokenizer_config.json for bos_token, eos_token ... (strings, or objects
 *                               with "content"); may be NULL if template_text is not.
 * @return REIN_ERR_FORMAT naming place and reason; REIN_ERR_MEMORY.
 */
REIN_NODISCARD rein_status rein_chat_template_create(rein_chat_template **out, const char *name,
                                                     const char *template_text, size_t len,
                                                     const char *tokenizer_config, size_t config_len);

void rein_chat_template_destroy(rein_chat_template *t);
/** Its eos_token, which ends the assistant's turns in most templates; borrowed, NULL if it has none. */
const char *rein_chat_template_eos(const rein_chat_template *t);

/** ChatML: <|im_start|>role, a line feed, the content and <|im_end|> for each message. */
extern const char rein_chatml[];

/**
 * Render a conversation.
 *
 * As transformers does: keys of messages that are null are left out; reasoning_content, thinking or reasoning is copied
 * to reasoning_content and (if absent) thinking; kwargs override special tokens.
 *
 * @param[out] out         text is appended; on an error it is as before.
 * @param[out] generation  byte ranges in `out` of the template's generation blocks are appended; may be NULL.
 * @param      messages    array of objects, at least one.
 * @param      tools       array of objects, or NULL.
 * @param      kwargs      object of further variables (enable_thinking ...), or NULL.
 * @return REIN_ERR_FORMAT: the template refuses the messages (says line and expression), or they have another form.
 */
REIN_NODISCARD rein_status rein_chat_render(rein_str *out, rein_ranges *generation, const rein_chat_template *t,
                                            struct json_object *messages, struct json_object *tools,
                                            bool add_generation_prompt, struct json_object *kwargs);

/**
 * Ids of a conversation as a rollout would have produced them, and which of them the assistant said.
 *
 * Rendered turn by turn: up to and including the generation prompt of an assistant's turn, then with the turn; each
 * must be a prefix of the next (append-only). Each piece between is tokenised apart, so a prompt has the ids that it
 * has in a rollout, and the mask comes from ids, never from searching text. The piece of an assistant's turn ends with
 * the last special token in what the turn adds (its end token); what the template writes behind that belongs to the
 * next prompt.
 *
 * @param[out] ids   appended.
 * @param[out] mask  appended: a byte a token, 1 for what the assistant says (content and end token), else 0.
 * @return REIN_ERR_FORMAT naming the message before which the text changed (such a template rewrites history), and as
 *         rein_chat_render and rein_tokenizer_encode. On an error both outputs are as before.
 */
REIN_NODISCARD rein_status rein_chat_encode(rein_ids *ids, rein_str *mask, const rein_chat_template *t,
                                            const rein_tokenizer *tok, struct json_object *messages,
                                            struct json_object *tools, bool add_generation_prompt,
                                            struct json_object *kwargs);

#endif
