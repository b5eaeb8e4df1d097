/*
 * Tool calls in what a model says: reading, writing and checking them, and the texts that constrained decoding admits.
 *
 * Three formats. `hermes` (Qwen, Hermes): any number of
 *
 *   <tool_call>
 *   {"name": "get_quote", "arguments": {"symbol": "AAPL"}}
 *   </tool_call>
 *
 * with text around. `llama3`: {"name": "get_quote", "parameters": {"symbol": "AAPL"}} is the whole turn, behind
 * <|python_tag|> or not; several calls have "; " between them. `plain`, for tiny models: a line
 * get_quote(symbol="AAPL", days=3) with JSON values; a line that does not begin with a word and a bracket is text.
 *
 * Thoughts, <think>...</think> (the opening tag may be a part of the prompt), are never read for calls.
 *
 * What a model says is untrusted and never an error of the program: each attempt at a call is either a call or a text
 * that tells the model what is wrong, where, and how it should look. Nothing is guessed or mended.
 *
 * A tool is a JSON object: {"name", "description", "inputSchema"} as MCP servers list it, or
 * {"type": "function", "function": {"name", "description", "parameters"}} as chat templates take it.
 */
#ifndef REIN_TEXT_TOOLCALL_H
#define REIN_TEXT_TOOLCALL_H

#include "base/json.h"
#include "text/chat.h"

typedef enum rein_toolcall_format {
    REIN_TOOLCALL_HERMES,
    REIN_TOOLCALL_LLAMA3,
    REIN_TOOLCALL_PLAIN
} rein_toolcall_format;

/** Their names in that order, as the choices of an option. */
#define REIN_TOOLCALL_FORMATS "hermes|llama3|plain"

/* ---- reading and writing ---- */

/** A call, or what was meant to be one. Belongs to the list. */
typedef struct rein_toolcall {
    const char *name;              /* NULL: malformed */
    struct json_object *arguments; /* an object; NULL: malformed */
    const char *error;             /* NULL, or the text for the model; UTF-8, one line, at most 600 bytes */
    size_t begin, end;             /* its bytes in the turn, tags included */
} rein_toolcall;

/** Zero-initialised is empty and ready. */
typedef struct rein_toolcalls {
    rein_toolcall *data;
    int64_t n, cap;
    rein_arena arena; /* names and errors */
} rein_toolcalls;

/**
 * Read a turn, without its end token. Appends the calls in their order.
 *
 * @param[out] out   rein_toolcalls_deinit it also after an error.
 * @param      text  any bytes; NULL if len is 0.
 * @return REIN_ERR_MEMORY and nothing else.
 */
REIN_NODISCARD rein_status rein_toolcalls_read(rein_toolcalls *out, rein_toolcall_format format, const char *text,
                                               size_t len);
void rein_toolcalls_deinit(rein_toolcalls *calls);

/**
 * Append a call, byte for byte as chat templates write it (json.dumps of the arguments). Reading it gives equal name
 * and arguments. Several calls of a turn have rein_toolcall_separator() between them.
 *
 * @param name       1 to 128 letters, digits and _ . / -, the first of them a letter or _.
 * @param arguments  an object, or NULL for none.
 * @return REIN_ERR_ARG if name or arguments cannot be written so that they read back; `out` is then as before.
 */
REIN_NODISCARD rein_status rein_toolcall_write(rein_str *out, rein_toolcall_format format, const char *name,
                                               struct json_object *arguments);
const char *rein_toolcall_separator(rein_toolcall_format format);

/**
 * The format in which a chat template writes calls, found by rendering a conversation that has one.
 *
 * @param[out] native  false: the template writes none (it ignores tool_calls, or refuses them); *out is then hermes, to
 * be written into the text of messages.
 * @return REIN_ERR_FORMAT if it writes them in a form that is not known.
 */
REIN_NODISCARD rein_status rein_toolcall_detect(rein_toolcall_format *out, bool *native, const rein_chat_template *t);

/**
 * The bytes of a turn's well-formed calls that its format prescribes, once there is a call: tags, keys with their
 * quotes, brackets, commas, colons and blanks; what is left are names of tools and values. A trainer may leave tokens
 * out that lie inside of these. A malformed call has none.
 *
 * @param[out] out  byte ranges, ascending and apart, appended.
 */
REIN_NODISCARD rein_status rein_toolcall_forced_ranges(rein_ranges *out, rein_toolcall_format format, const char *text,
                                                       size_t len);

/* ---- tools ---- */

/** Append `get_quote(symbol: string, days?: integer) - Latest price of a share`: arguments in the schema's order, those
 * that are not required with a question mark; the description's first sentence. REIN_ERR_FORMAT: not a tool. */
REIN_NODISCARD rein_status rein_tool_signature(rein_str *out, struct json_object *tool);

/** The tool's name; borrowed. REIN_ERR_FORMAT: not a tool. */
REIN_NODISCARD rein_status rein_tool_name(const char **out, struct json_object *tool);

/**
 * Check a call's arguments against the tool's schema: types, required, enum, const, properties (with none but those,
 * unless additionalProperties allows more), items, lengths and ranges, anyOf, oneOf, local $ref. A number in quotes is
 * a string. Other keywords (pattern, format ...) are the server's to check; a keyword that is not as it should be asks
 * for nothing.
 *
 * @param[out] error  the text for the model, one line, is appended; nothing: the arguments fit.
 * @return REIN_ERR_FORMAT: not a tool; REIN_ERR_MEMORY.
 */
REIN_NODISCARD rein_status rein_tool_check(rein_str *error, struct json_object *tool, struct json_object *arguments);

/* ---- constrained decoding ---- */

typedef struct rein_toolcall_turn {
    bool think;  /* a thought may come first */
    bool answer; /* a turn without a call is allowed */
    bool one;    /* one call at most */
} rein_toolcall_turn;

/**
 * Append what a turn may be, as JSON for rein_grammar_open_schema (a structural tag, gen/tag.h): calls of these tools
 * whose arguments fit their schemas. Every text of it reads without an error (unless a schema leaves keys free: an
 * automaton cannot see that one comes twice). Narrower than the reader: thoughts and the text around calls hold no '<',
 * an answer in `llama3` holds no '{', one in `plain` no '('. The keywords that no automaton keeps (minimum, format ...;
 * listed in toolcall_grammar.c) are left to rein_tool_check.
 *
 * @param tools  array of at least one tool.
 * @return REIN_ERR_FORMAT: not tools; REIN_ERR_ARG: a tool or an argument whose name the format cannot write.
 */
REIN_NODISCARD rein_status rein_toolcall_grammar(rein_str *out, rein_toolcall_format format, struct json_object *tools,
                                                 rein_toolcall_turn turn);

#endif
