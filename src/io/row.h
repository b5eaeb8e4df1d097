/*
 * Rows of a dataset in TRL's formats: language modelling {"text"} or {"messages"}, prompt-only {"prompt"},
 * prompt-completion {"prompt","completion"} (with a "label": unpaired preference), preference {["prompt",]"chosen",
 * "rejected"}; prompts and answers as text or as lists of messages; "tools" beside messages.
 */
#ifndef REIN_IO_ROW_H
#define REIN_IO_ROW_H

#include "base/json.h"
#include "io/jsonl.h"

typedef enum rein_row_kind {
    REIN_ROW_TEXT,       /* {"text"} */
    REIN_ROW_MESSAGES,   /* {"messages"} */
    REIN_ROW_PROMPT,     /* {"prompt"} and whatever columns rewards use */
    REIN_ROW_COMPLETION, /* {"prompt","completion"} */
    REIN_ROW_PREFERENCE  /* {"chosen","rejected"}, text or messages as the prompt, which may be missing */
} rein_row_kind;

/** A row taken apart. Members are borrowed from the row but `tools_parsed`. */
typedef struct rein_row {
    rein_row_kind kind;
    bool chat;                       /* messages, not text */
    struct json_object *text;        /* TEXT */
    struct json_object *messages;    /* MESSAGES */
    struct json_object *prompt, *completion;
    struct json_object *chosen, *rejected;
    struct json_object *label;       /* as it stands in the row, or NULL */
    struct json_object *margin;      /* likewise: by how much the chosen answer is better */
    struct json_object *tools;       /* array, or NULL: none */
    struct json_object *tools_parsed;/* owned, where the column is text; else NULL */
} rein_row;

/**
 * Take a row apart and check it: types of columns, and of every message its role and content.
 *
 * A conversation has roles system (or developer; first only), user, assistant and tool; content is text, or absent beside
 * tool_calls. A prompt may not end with the assistant's turn: that would be the answer. A completion begins with it.
 *
 * @return REIN_ERR_FORMAT naming column, message and what is wrong.
 */
REIN_NODISCARD rein_status rein_row_read(rein_row *out, struct json_object *row);
void rein_row_deinit(rein_row *row);

/** Row i of a file, taken apart, to `use`; what goes wrong, there too, names path:line. */
REIN_NODISCARD rein_status rein_row_use(const rein_jsonl *file, int64_t i,
                                        rein_status (*use)(void *user, const rein_row *row), void *user);

/** `messages` as a new array without the assistant's turns at its end (whose content is the solution). */
REIN_NODISCARD rein_status rein_messages_question(struct json_object **out, struct json_object *messages);

/** A new array: a, then b. */
REIN_NODISCARD rein_status rein_messages_join(struct json_object **out, struct json_object *a, struct json_object *b);

/** 64 bits that stand for what is asked: of the prompt, of messages without the answer, or of the text. */
REIN_NODISCARD rein_status rein_row_key(uint64_t *key, const rein_row *row);

#endif
