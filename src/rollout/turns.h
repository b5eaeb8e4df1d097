/*
 * What stands between two turns of the model: the end of its turn, the world's message, and the beginning of its next turn,
 * as the model's chat template writes them. A conversation is never rendered again: the pieces are found once, and what
 * they make is appended by id. So the template must be append-only, which is checked.
 */
#ifndef REIN_ROLLOUT_TURNS_H
#define REIN_ROLLOUT_TURNS_H

#include "rollout/prompt.h"

/** Zero-initialised is empty. */
typedef struct rein_turn_format {
    int32_t end;            /* the token that ends a turn of the model */
    rein_str before, after; /* the world's message, without that token */
    rein_str special;       /* texts of the tokenizer's special tokens, NUL-ended, one after the other */
} rein_turn_format;

/**
 * Find the pieces by rendering conversations of which all but the pieces is known.
 *
 * @param role  whose messages the world's are ("tool", "user").
 * @return REIN_ERR_FORMAT if the model has no chat template, or one that refuses the role, changes what was said before, or
 *         ends no turn with a special token.
 */
REIN_NODISCARD rein_status rein_turn_format_init(rein_turn_format *out, const rein_prompt_chat *chat,
                                                 const rein_tokenizer *tok, const char *role);
void rein_turn_format_deinit(rein_turn_format *f);

/**
 * Ids of a world's message, appended.
 *
 * @param ended  the model ended its turn itself; else its end token is put in.
 * @note  Text that reads like a special token is broken up by a space (only the template writes such), and what is no UTF-8
 *        becomes U+FFFD.
 */
REIN_NODISCARD rein_status rein_turn_format_encode(const rein_turn_format *f, const rein_tokenizer *tok, bool ended,
                                                   const char *text, size_t len, rein_ids *out);

#endif
