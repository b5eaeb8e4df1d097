/* Reading tool calls; see toolcall.h. One walk over the turn; what is malformed ends where the next call may begin. */
#include "text/toolcall.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/bytelevel.h"
#include "text/toolcall_impl.h"

enum { QUOTE = 24, PROBLEM = 400, NAME_MAX_BYTES = 128 };

typedef struct reader {
    rein_toolcalls *out;
    rein_toolcall_format format;
    int64_t first; /* of this turn's calls in the list */
    const char *text;
    size_t len, at;
} reader;

static const char *const example[] = {REIN_TAG_CALL
                                      "{\"name\": \"TOOL\", \"arguments\": {\"KEY\": VALUE}}" REIN_TAG_CALL_END,
                                      "{\"name\": \"TOOL\", \"parameters\": {\"KEY\": VALUE}} and nothing else",
                                      "TOOL(KEY=VALUE, KEY=\"TEXT\") on a line of its own"};

/* ---- text ---- */

static bool starts(const reader *r, size_t at, const char *word) {
    size_t n = strlen(word);
    return r->len - at >= n && memcmp(r->text + at, word, n) == 0;
}

/* Where a word stands next, or `len`. */
static size_t find(const reader *r, size_t from, const char *word) {
    for (const char *at; from < r->len; from = (size_t)(at - r->text) + 1) {
        at = memchr(r->text + from, word[0], r->len - from);
        if (!at) break;
        if (starts(r, (size_t)(at - r->text), word)) return (size_t)(at - r->text);
    }
    return r->len;
}

static size_t skip(const reader *r, size_t at, const char *blanks) {
    while (at < r->len && r->text[at] && strchr(blanks, r->text[at])) at++;
    return at;
}

static size_t skip_blanks(const reader *r, size_t at) { return skip(r, at, " \t\r\n"); }

static int shown(const reader *r, size_t at) { return (int)(r->len - at < QUOTE ? r->len - at : QUOTE); }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

size_t rein_toolcall_word(const char *text, size_t len) {
    size_t n = 0;
    if (len == 0 || !is_letter(text[0])) return 0;
    while (n < len && (is_letter(text[n]) || (text[n] >= '0' && text[n] <= '9') || (text[n] && strchr("./-", text[n]))))
        n++;
    return n;
}

bool rein_toolcall_is_name(const char *text) {
    size_t len = strlen(text);
    return len > 0 && len <= NAME_MAX_BYTES && rein_toolcall_word(text, len) == len;
}

const char *rein_toolcall_key(rein_toolcall_format format) {
    return format == REIN_TOOLCALL_LLAMA3 ? "parameters" : "arguments";
}

size_t rein_toolcall_extent(const char *text, size_t len, size_t at, size_t *stop) {
    int64_t depth = 0;
    bool quoted = false;
    for (; at < len; at++) {
        char c = text[at];
        if (quoted ? (unsigned char)c < 0x20 : c == '<') break;
        if (quoted && c == '\\' && at + 1 < len) {
            at++;
            continue;
        }
        if (c == '"') quoted = !quoted;
        if (!quoted) depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (!quoted && depth <= 0) return at + 1;
    }
    if (stop) *stop = at < len ? at : len;
    return 0;
}

/* ---- the list ---- */

static rein_status push(reader *r, rein_toolcall call) {
    rein_toolcalls *list = r->out;
    if (list->n == list->cap) {
        int64_t cap = list->cap ? 2 * list->cap : 4;
        REIN_TRY(rein_realloc(&list->data, list->cap, cap, sizeof *list->data));
        list->cap = cap;
    }
    list->data[list->n++] = call;
    return REIN_OK;
}

static void drop(rein_toolcalls *list, int64_t n) {
    while (list->n > n) json_object_put(list->data[--list->n].arguments);
}

void rein_toolcalls_deinit(rein_toolcalls *calls) {
    drop(calls, 0);
    rein_free(calls->data);
    rein_arena_deinit(&calls->arena);
    *calls = (rein_toolcalls){0};
}

void rein_toolcall_clean(char *text) {
    for (size_t n, len = strlen(text); len > 0; text += n, len -= n) {
        int32_t c = rein_utf8_decode(text, len, &n);
        if (c < 0) memset(text, '?', n);
        if ((c >= 0 && c < 0x20) || c == 0x7f) *text = ' ';
    }
}

/* A malformed call: what is wrong; how it should look is added. */
static rein_status refuse(reader *r, size_t begin, size_t end, const char *fmt, ...) REIN_PRINTF(4, 5);
static rein_status refuse(reader *r, size_t begin, size_t end, const char *fmt, ...) {
    char problem[PROBLEM], text[PROBLEM + 200];
    rein_toolcall call = {.begin = begin, .end = end};
    va_list args;
    char *own;
    va_start(args, fmt);
    vsnprintf(problem, sizeof problem, fmt, args);
    va_end(args);
    rein_toolcall_clean(problem);
    snprintf(text, sizeof text, "%s; write %s", problem, example[r->format]);
    REIN_TRY(rein_arena_strdup(&r->out->arena, &own, text, strlen(text)));
    call.error = own;
    return push(r, call);
}

/* What stands at `at`, up to a tag or `end`, where something else should. */
static rein_status refuse_place(reader *r, size_t begin, size_t end, size_t at, const char *wanted) {
    size_t to = at;
    while (to < end && to - at < QUOTE && r->text[to] != '\n' && (to == at || r->text[to] != '<')) to++;
    if (to == at) return refuse(r, begin, end, "nothing where %s should be", wanted);
    return refuse(r, begin, end, "'%.*s' where %s should be", (int)(to - at), r->text + at, wanted);
}

/* A well-formed call; takes over the arguments, also on an error. */
static rein_status accept(reader *r, size_t begin, size_t end, const char *name, size_t len,
                          struct json_object *arguments) {
    char *own;
    rein_status status = rein_arena_strdup(&r->out->arena, &own, name, len);
    if (status == REIN_OK)
        status = push(r, (rein_toolcall){.name = own, .arguments = arguments, .begin = begin, .end = end});
    if (status != REIN_OK) json_object_put(arguments);
    return status;
}

/* ---- calls as JSON objects ---- */

/* The first member that has no place in a call, or NULL. Llama writes "type": "function", too. */
static const char *stranger(const reader *r, struct json_object *call) {
    json_object_object_foreach(call, key, value) {
        if (strcmp(key, "name") == 0 || strcmp(key, rein_toolcall_key(r->format)) == 0) continue;
        if (r->format == REIN_TOOLCALL_LLAMA3 && strcmp(key, "type") == 0 &&
            json_object_is_type(value, json_type_string) && strcmp(json_object_get_string(value), "function") == 0)
            continue;
        return key;
    }
    return NULL;
}

static rein_status take_object(reader *r, size_t begin, size_t end, struct json_object *call) {
    const char *key = rein_toolcall_key(r->format), *other;
    struct json_object *name, *arguments;
    if (!json_object_is_type(call, json_type_object))
        return refuse(r, begin, end, "a call is a JSON object, one for each call");
    if ((other = stranger(r, call)))
        return refuse(r, begin, end, "a call has \"name\" and \"%s\", not \"%.40s\"", key, other);
    if (!json_object_object_get_ex(call, "name", &name)) return refuse(r, begin, end, "\"name\" is missing");
    if (!json_object_is_type(name, json_type_string) || json_object_get_string_len(name) == 0)
        return refuse(r, begin, end, "\"name\" is not the name of a tool in quotes");
    if (strlen(json_object_get_string(name)) != (size_t)json_object_get_string_len(name))
        return refuse(r, begin, end, "\"name\" holds the character \\u0000");
    if (!json_object_object_get_ex(call, key, &arguments))
        return refuse(r, begin, end, "\"%s\" is missing; it is {} for a call without any", key);
    if (json_object_is_type(arguments, json_type_string))
        return refuse(r, begin, end, "\"%s\" is a JSON object in quotes; leave the quotes out", key);
    if (!json_object_is_type(arguments, json_type_object))
        return refuse(r, begin, end, "\"%s\" is not a JSON object", key);
    return accept(r, begin, end, json_object_get_string(name), (size_t)json_object_get_string_len(name),
                  json_object_get(arguments));
}

/* The last error of rein_json_parse of a document "JSON": its "JSON:2:7: reason" in words. */
static void json_problem(char *out, size_t size) {
    long long line, column;
    int used = 0;
    const char *message = rein_error_message();
    if (sscanf(message, "JSON:%lld:%lld: %n", &line, &column, &used) == 2 && used > 0)
        snprintf(out, size, "JSON, line %lld, column %lld: %s", line, column, message + used);
    else
        snprintf(out, size, "%s", message);
}

/* JSON text: an object, or, with *object NULL, a refusal that was pushed. */
static rein_status parse(reader *r, size_t begin, size_t end, size_t from, size_t to, struct json_object **object) {
    rein_status status = rein_json_parse(object, "JSON", r->text + from, to - from);
    if (status == REIN_OK || status == REIN_ERR_MEMORY) return status;
    char problem[PROBLEM];
    *object = NULL;
    json_problem(problem, sizeof problem);
    return refuse(r, begin, end, "%s", problem);
}

static rein_status read_object(reader *r, size_t begin, size_t end, size_t from, size_t to) {
    struct json_object *call;
    int64_t n = r->out->n;
    REIN_TRY(parse(r, begin, end, from, to, &call));
    if (r->out->n > n) return REIN_OK;
    rein_status status = take_object(r, begin, end, call);
    json_object_put(call);
    return status;
}

/* ---- thoughts ---- */

/* Go behind the thought that begins here. */
static rein_status skip_thought(reader *r) {
    size_t begin = r->at, end = find(r, begin, REIN_TAG_THINK_END);
    r->at = end == r->len ? end : end + strlen(REIN_TAG_THINK_END);
    return end < r->len ? REIN_OK
                        : refuse(r, begin, end, "the thought has no end: " REIN_TAG_THINK_END " comes before the call");
}

/* Behind a </think> without beginning: all until here was a thought, which began in the prompt. */
static void end_thought(reader *r) {
    r->at += strlen(REIN_TAG_THINK_END);
    drop(r->out, r->first);
}

/* ---- hermes ---- */

/* What is left of a malformed call that begins at `begin`: through its closing tag, or up to the next call. */
static size_t remainder_end(const reader *r, size_t from) {
    for (; from < r->len; from++) {
        from = find(r, from, "<");
        if (from < r->len && starts(r, from, REIN_TAG_CALL_END)) return from + strlen(REIN_TAG_CALL_END);
        if (from < r->len && starts(r, from, REIN_TAG_CALL)) return from;
    }
    return r->len;
}

static rein_status read_tagged(reader *r) {
    size_t begin = r->at, from = skip_blanks(r, begin + strlen(REIN_TAG_CALL)), stop = from;
    size_t to = from < r->len && r->text[from] == '{' ? rein_toolcall_extent(r->text, r->len, from, &stop) : 0;
    size_t tag = skip_blanks(r, to ? to : stop);
    if (to && starts(r, tag, REIN_TAG_CALL_END)) {
        r->at = tag + strlen(REIN_TAG_CALL_END);
        return read_object(r, begin, r->at, from, to);
    }
    size_t end = r->at = remainder_end(r, tag);
    if (to && (tag == r->len || starts(r, tag, REIN_TAG_CALL)))
        return refuse(r, begin, end, REIN_TAG_CALL_END " is missing behind the JSON object");
    if (to) return refuse_place(r, begin, end, tag, REIN_TAG_CALL_END);
    if (from == r->len || r->text[from] == '<') return refuse(r, begin, end, "no JSON object behind " REIN_TAG_CALL);
    if (r->text[from] == '[') return refuse(r, begin, end, "a list; each call stands in tags of its own");
    if (r->text[from] != '{') return refuse_place(r, begin, end, from, "a JSON object");
    return read_object(r, begin, end, from, stop);
}

static rein_status read_hermes(reader *r) {
    for (r->at = find(r, 0, "<"); r->at < r->len; r->at = find(r, r->at, "<")) {
        if (starts(r, r->at, REIN_TAG_THINK)) {
            REIN_TRY(skip_thought(r));
        } else if (starts(r, r->at, REIN_TAG_THINK_END)) {
            end_thought(r);
        } else if (starts(r, r->at, REIN_TAG_CALL)) {
            REIN_TRY(read_tagged(r));
        } else if (starts(r, r->at, REIN_TAG_CALL_END)) {
            size_t begin = r->at;
            r->at += strlen(REIN_TAG_CALL_END);
            REIN_TRY(refuse(r, begin, r->at, REIN_TAG_CALL_END " without " REIN_TAG_CALL " before it"));
        } else {
            r->at++;
        }
    }
    return REIN_OK;
}

/* ---- llama3 ---- */

static bool is_llama_call(const reader *r, size_t at) { return starts(r, at, "{") || starts(r, at, REIN_TAG_PYTHON); }

/* Go where the turn proper begins: behind thoughts. */
static rein_status skip_thoughts(reader *r) {
    for (r->at = skip_blanks(r, 0); r->at < r->len && !is_llama_call(r, r->at); r->at = skip_blanks(r, r->at)) {
        if (!starts(r, r->at, REIN_TAG_THINK)) {
            size_t end = find(r, r->at, REIN_TAG_THINK_END);
            if (end == r->len) break;
            r->at = end + strlen(REIN_TAG_THINK_END);
        } else {
            REIN_TRY(skip_thought(r));
        }
    }
    return REIN_OK;
}

/* An answer may be JSON, too: one object without a call's members. */
static rein_status is_answer(const reader *r, size_t from, size_t to, bool *answer) {
    struct json_object *object;
    *answer = false;
    if (to == 0 || skip_blanks(r, to) < r->len) return REIN_OK;
    rein_status status = rein_json_parse(&object, "JSON", r->text + from, to - from);
    if (status != REIN_OK) return status == REIN_ERR_MEMORY ? status : REIN_OK;
    *answer =
        !json_object_object_get_ex(object, "name", NULL) && !json_object_object_get_ex(object, "parameters", NULL);
    json_object_put(object);
    return REIN_OK;
}

/* One object after the other, from `from`; `begin` is where the call begins, maybe with a tag. */
static rein_status read_objects(reader *r, size_t begin, size_t from) {
    for (size_t to, next;; begin = from = next) {
        if (from == r->len || r->text[from] != '{') return refuse_place(r, begin, r->len, from, "a JSON object");
        to = rein_toolcall_extent(r->text, r->len, from, NULL);
        if (to == 0) return read_object(r, begin, r->len, from, r->len);
        next = skip_blanks(r, to);
        if (next < r->len && r->text[next] != ';')
            return refuse(r, begin, r->len, "'%.*s' behind the call", shown(r, next), r->text + next);
        REIN_TRY(read_object(r, begin, to, from, to));
        if (next == r->len) return REIN_OK;
        next = skip_blanks(r, next + 1);
        if (next == r->len) return refuse_place(r, to, r->len, next, "a JSON object");
    }
}

static rein_status read_llama3(reader *r) {
    bool answer;
    REIN_TRY(skip_thoughts(r));
    size_t begin = r->at, tag = strlen(REIN_TAG_PYTHON);
    if (begin == r->len) return REIN_OK;
    if (starts(r, begin, REIN_TAG_PYTHON)) return read_objects(r, begin, skip_blanks(r, begin + tag));
    if (r->text[begin] != '{') {
        size_t call = find(r, begin, "{\"name\":");
        return call == r->len
                   ? REIN_OK
                   : refuse(r, call, r->len, "text before the call: '%.*s'", shown(r, begin), r->text + begin);
    }
    REIN_TRY(is_answer(r, begin, rein_toolcall_extent(r->text, r->len, begin, NULL), &answer));
    return answer ? REIN_OK : read_objects(r, begin, begin);
}

/* ---- plain ---- */

/* The line at hand: [begin, end); `at` moves through it. */
typedef struct line {
    size_t begin, end, at;
    int64_t n; /* calls before it: one more means that it was refused */
    struct json_object *arguments;
} line;

static bool refused(const reader *r, const line *l) { return r->out->n > l->n; }

static char at_line(const reader *r, const line *l) { return l->at < l->end ? r->text[l->at] : '\n'; }

static bool is_one_of(char c, const char *set) { return c && strchr(set, c); }

static void skip_spaces(const reader *r, line *l) {
    while (is_one_of(at_line(r, l), " \t\r")) l->at++;
}

static int shown_line(const line *l) { return (int)(l->end - l->at < QUOTE ? l->end - l->at : QUOTE); }

static rein_status add_argument(reader *r, line *l, const char *key, size_t to) {
    bool bracketed = is_one_of(at_line(r, l), "\"{[");
    struct json_object *value;
    rein_status status = rein_json_parse(&value, "JSON", r->text + l->at, to - l->at);
    if (status == REIN_ERR_MEMORY) return status;
    char problem[PROBLEM];
    if (status != REIN_OK) json_problem(problem, sizeof problem);
    if (status != REIN_OK && bracketed) return refuse(r, l->begin, l->end, "the value of '%.40s': %s", key, problem);
    if (status != REIN_OK)
        return refuse(r, l->begin, l->end,
                      "'%.*s' is no value for '%.40s': a number, true, false, null, or text in double quotes",
                      shown_line(l), r->text + l->at, key);
    if (json_object_object_add(l->arguments, key, value) != 0) {
        json_object_put(value);
        return rein_fail(REIN_ERR_MEMORY, "out of memory for a tool call");
    }
    l->at = to;
    return REIN_OK;
}

static rein_status read_value(reader *r, line *l, const char *key) {
    size_t to = l->at;
    if (json_object_object_get_ex(l->arguments, key, NULL))
        return refuse(r, l->begin, l->end, "'%.40s' is given twice", key);
    if (is_one_of(at_line(r, l), "\"{["))
        to = rein_toolcall_extent(r->text, l->end, l->at, NULL);
    else
        while (to < l->end && !is_one_of(r->text[to], ",) \t\r")) to++;
    if (to == 0) return refuse(r, l->begin, l->end, "the value of '%.40s' has no end", key);
    if (to == l->at) return refuse(r, l->begin, l->end, "'%.40s' has no value", key);
    return add_argument(r, l, key, to);
}

/* KEY=VALUE */
static rein_status read_argument(reader *r, line *l) {
    size_t len = rein_toolcall_word(r->text + l->at, l->end - l->at);
    char *key;
    if (len == 0) return refuse_place(r, l->begin, l->end, l->at, "the name of an argument");
    REIN_TRY(rein_arena_strdup(&r->out->arena, &key, r->text + l->at, len));
    l->at += len;
    skip_spaces(r, l);
    if (at_line(r, l) != '=')
        return refuse(r, l->begin, l->end, "'%.40s' without a name: an argument is KEY=VALUE", key);
    l->at++;
    skip_spaces(r, l);
    return read_value(r, l, key);
}

/* What stands in the brackets, and the closing one. */
static rein_status read_arguments(reader *r, line *l) {
    skip_spaces(r, l);
    for (bool first = true; !first || at_line(r, l) != ')'; first = false) {
        REIN_TRY(read_argument(r, l));
        if (refused(r, l)) return REIN_OK;
        skip_spaces(r, l);
        if (at_line(r, l) == ')') break;
        if (at_line(r, l) != ',') return refuse_place(r, l->begin, l->end, l->at, "',' or ')'");
        l->at++;
        skip_spaces(r, l);
    }
    l->at++;
    skip_spaces(r, l);
    return l->at < l->end ? refuse_place(r, l->begin, l->end, l->at, "the end of the line") : REIN_OK;
}

/* The line that begins with `word` bytes of a name and a bracket. */
static rein_status read_line(reader *r, size_t word) {
    line l = {.begin = r->at, .end = find(r, r->at, "\n"), .at = r->at + word + 1, .n = r->out->n};
    l.arguments = json_object_new_object();
    if (!l.arguments) return rein_fail(REIN_ERR_MEMORY, "out of memory for a tool call");
    rein_status status = read_arguments(r, &l);
    r->at = l.end < r->len ? l.end + 1 : l.end;
    if (status == REIN_OK && !refused(r, &l)) return accept(r, l.begin, l.at, r->text + l.begin, word, l.arguments);
    json_object_put(l.arguments);
    return status;
}

/* Go behind a line of text, or behind a thought in it. */
static rein_status skip_text(reader *r) {
    for (; r->at < r->len && r->text[r->at] != '\n'; r->at++) {
        if (starts(r, r->at, REIN_TAG_THINK)) return skip_thought(r);
        if (starts(r, r->at, REIN_TAG_THINK_END)) {
            end_thought(r);
            return REIN_OK;
        }
    }
    r->at += r->at < r->len;
    return REIN_OK;
}

static rein_status read_plain(reader *r) {
    while (r->at < r->len) {
        r->at = skip(r, r->at, " \t\r");
        size_t word = rein_toolcall_word(r->text + r->at, r->len - r->at);
        if (word && r->at + word < r->len && r->text[r->at + word] == '(')
            REIN_TRY(read_line(r, word));
        else
            REIN_TRY(skip_text(r));
    }
    return REIN_OK;
}

rein_status rein_toolcalls_read(rein_toolcalls *out, rein_toolcall_format format, const char *text, size_t len) {
    static rein_status (*const read[])(reader * r) = {read_hermes, read_llama3, read_plain};
    reader r = {.out = out, .format = format, .first = out->n, .text = len ? text : "", .len = len};
    REIN_TRY(read[format](&r));
    return REIN_OK;
}
