/*
 * Episodes of the tool world: a turn's calls, made in their order, and what the model is told.
 *
 * The text of an observation is the results of the turn's calls, one after the other, an error as "error: ...", each cut to
 * max_observation bytes, and a last line "[turn 2 of 5]".
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/json_check.h"
#include "base/random.h"
#include "env/tools/folder.h"
#include "env/tools/tools.h"
#include "text/repetition.h"

typedef struct episode {
    rein_episode base;
    const rein_tools *world;
    char *folder; /* the slot's */
    int root;     /* its descriptor */
    rein_tool_link *link;
    rein_appender record; /* its fd is -1 if there is none */
    rein_arena names;     /* of the slot: the record's path */

    rein_tools_task task;
    uint64_t seed;
    rein_arena arena;          /* of the episode */
    struct json_object *tools; /* those of the task */
    rein_str log;              /* JSON of the turns so far, for describe */
    const char **done;         /* (n_done) successful calls as texts */
    int64_t n_done, cap_done;
    bool step_done[REIN_TOOLS_MOST]; /* of the expert's */
    rein_tools_ledger ledger;
    uint64_t history; /* of its calls */
    bool over;

    /* The turn in progress: */
    rein_toolcalls calls;
    int64_t at; /* of the next call */
    bool waiting; /* for the link */
    rein_tools_turn turn;
    int injected;
    rein_str plain; /* a result as the model may see it */
    rein_str text;  /* of the observation */
    char error[128];
    rein_observation result;
} episode;

static episode *self(rein_episode *ep) { return (episode *)ep; }
static const episode *self_const(const rein_episode *ep) { return (const episode *)ep; }

/* ---- slots ---- */

static void forget(episode *e) {
    rein_tools_task_deinit(&e->task);
    rein_arena_deinit(&e->arena);
    rein_toolcalls_deinit(&e->calls);
    json_object_put(e->tools);
    rein_free(e->done);
    e->calls = (rein_toolcalls){0};
    e->tools = NULL;
    e->done = NULL;
    e->n_done = e->cap_done = 0;
    rein_str_clear(&e->log);
}

static void tools_close(rein_episode *ep) {
    episode *e = self(ep);
    if (!e) return;
    forget(e);
    rein_tool_link_close(e->link);
    if (e->record.fd >= 0) rein_appender_close(&e->record);
    rein_arena_deinit(&e->names);
    rein_str_deinit(&e->plain);
    if (e->root >= 0) close(e->root);
    if (e->folder && e->folder[0] && rein_remove_tree(e->folder) != REIN_OK)
        rein_log(REIN_LOG_WARN, "%s: %s", e->folder, rein_error_message());
    rein_free(e->folder);
    rein_str_deinit(&e->log);
    rein_str_deinit(&e->text);
    rein_free(e);
}

static rein_status make_folder(episode *e) {
    const char *parent = e->world->config.folder;
    const size_t len = strlen(parent) + sizeof "/rein-tools-XXXXXX";
    REIN_TRY(rein_alloc(&e->folder, (int64_t)len, 1));
    rein_str path = {0};
    rein_str_printf(&path, "%s/rein-tools-XXXXXX", parent);
    rein_status status = rein_str_check(&path);
    if (status == REIN_OK && !mkdtemp(path.data))
        status = rein_fail(REIN_ERR_IO, "cannot make a folder in '%s' (option folder)", parent);
    if (status == REIN_OK) memcpy(e->folder, path.data, len);
    rein_str_deinit(&path);
    REIN_TRY(status);
    return rein_folder_open(&e->root, e->folder);
}

static rein_status open_link(episode *e) {
    const rein_tools_config *c = &e->world->config;
    const unsigned domains = e->world->pool.domains;
    if (e->world->replay.tools) return rein_tool_link_replay(&e->link, &e->world->replay);
    if (c->transport == REIN_TOOLS_DIRECT) return rein_tool_link_direct(&e->link, domains, e->root);
    const rein_tool_mcp_options options = {.domains = domains,
                                           .server = e->world->server,
                                           .n_server = e->world->n_server,
                                           .folder = e->folder,
                                           .server_command = c->server_command,
                                           .sandboxed = c->sandbox == REIN_TOOLS_BWRAP,
                                           .memory = c->server_memory << 20,
                                           .timeout = c->server_timeout,
                                           .seed = (uint64_t)e->base.slot};
    return rein_tool_link_mcp(&e->link, &options, e->root);
}

static rein_status open_slot(episode *e) {
    const char *record = e->world->config.record;
    REIN_TRY(make_folder(e));
    REIN_TRY(open_link(e));
    return record ? rein_tool_record_open(&e->record, &e->names, record, e->base.slot, e->link->tools) : REIN_OK;
}

static rein_status tools_open(const rein_env *env, int slot, rein_episode **out) {
    episode *e;
    REIN_TRY(rein_alloc(&e, 1, sizeof *e));
    e->base = (rein_episode){env, slot};
    e->world = (const rein_tools *)env;
    e->root = e->record.fd = -1;
    rein_status status = open_slot(e);
    if (status == REIN_OK)
        *out = &e->base;
    else
        tools_close(&e->base);
    return status;
}

static rein_status note_tools(rein_tools *w, struct json_object *tools) {
    const size_t n = json_object_array_length(tools);
    REIN_TRY(rein_arena_alloc(&w->arena, &w->tool_name, n * sizeof *w->tool_name));
    REIN_TRY(rein_arena_alloc(&w->arena, &w->tool_text, n * sizeof *w->tool_text));
    for (size_t i = 0; i < n; i++) {
        struct json_object *tool = json_object_array_get_idx(tools, i);
        const char *name, *text = json_object_to_json_string_ext(tool, JSON_C_TO_STRING_PLAIN);
        char *copy;
        REIN_TRY(rein_tool_name(&name, tool));
        REIN_TRY(rein_arena_strdup(&w->arena, &copy, name, strlen(name)));
        w->tool_name[i] = copy;
        REIN_TRY(rein_arena_strdup(&w->arena, &copy, text, strlen(text)));
        w->tool_text[i] = copy;
    }
    w->n_tool = (int64_t)n;
    return REIN_OK;
}

rein_status rein_tools_probe(rein_tools *world) {
    rein_episode *ep;
    REIN_TRY(tools_open(&world->env, 0, &ep));
    rein_status status = note_tools(world, self(ep)->link->tools);
    tools_close(ep);
    return status;
}

/* ---- reset ---- */

static rein_status choose_tools(episode *e) {
    e->tools = json_object_new_array();
    if (!e->tools) return rein_fail(REIN_ERR_MEMORY, "out of memory for tools");
    for (int i = 0; i < e->task.n_tool; i++) {
        struct json_object *tool = rein_tools_named(e->link->tools, e->task.tool[i]);
        if (!tool) return rein_fail(REIN_ERR_USAGE, "the task's tool '%s' is on no server", e->task.tool[i]);
        json_object_array_add(e->tools, json_object_get(tool));
    }
    return REIN_OK;
}

static int count_expected(const rein_tools_task *t) {
    int n = 0;
    for (int i = 0; i < t->n_step; i++) {
        bool first = true;
        for (int k = 0; k < i; k++) first &= strcmp(t->step[k].tool, t->step[i].tool) != 0;
        n += first;
    }
    return n;
}

/* Each server's folder without what was in it; the folders themselves may be mounted in a sandbox. */
static rein_status wipe(const episode *e) {
    rein_arena arena = {0};
    char **names, *path;
    int64_t n;
    rein_status status;
    REIN_TRY_OUT(status, rein_list_dir(&names, &n, &arena, e->folder), out);
    for (int64_t i = 0; i < n; i++) {
        REIN_TRY_OUT(status, rein_path_format(&arena, &path, "%s/%s", e->folder, names[i]), out);
        if (rein_path_is_dir(path)) REIN_TRY_OUT(status, rein_folder_wipe(path), out);
    }
out:
    rein_arena_deinit(&arena);
    return status;
}

/* A world that broke ends the episode: it says nothing about the model. */
static void end_broken(episode *e) {
    e->over = true;
    e->waiting = false;
    e->result = (rein_observation){.text = "", .env_error = true, .error = e->link->broken.data};
}

static rein_status begin(episode *e, const rein_task *task) {
    REIN_TRY(rein_tools_task_make(&e->task, e->world, task));
    if (!e->world->replay.tools) { /* a replay has no world */
        REIN_TRY(wipe(e));
        REIN_TRY(rein_tools_set_up(&e->task, &(rein_tools_slot){e->folder, e->root}));
    }
    REIN_TRY(e->link->cls->reset(e->link, e->task.world));
    REIN_TRY(choose_tools(e));
    e->history = task->key;
    e->ledger.needed = e->task.needed;
    e->ledger.n_expected = count_expected(&e->task);
    return REIN_OK;
}

static rein_status tools_reset(rein_episode *ep, const rein_task *task, uint64_t seed) {
    episode *e = self(ep);
    forget(e);
    rein_str_clear(&e->text);
    e->seed = seed;
    e->ledger = (rein_tools_ledger){0};
    memset(e->step_done, 0, sizeof e->step_done);
    e->turn = (rein_tools_turn){0};
    e->injected = 0;
    e->over = e->waiting = false;
    e->result = (rein_observation){.text = ""};
    rein_status status = begin(e, task);
    if (status == REIN_OK && e->link->broken.len == 0) return REIN_OK;
    if (status != REIN_OK && status != REIN_ERR_IO) return status;
    if (status != REIN_OK) {
        rein_str_clear(&e->link->broken);
        rein_str_puts(&e->link->broken, rein_error_message());
    }
    end_broken(e);
    return rein_str_check(&e->link->broken);
}

/* ---- what the model is told ---- */

/* The longest beginning of at most `most` bytes that cuts no character of valid UTF-8. */
static size_t cut(const char *text, size_t len, size_t most) {
    if (len <= most) return len;
    while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80) most--;
    return most;
}

/* A result as a model may see it: valid UTF-8 without control characters but newline and tab. */
static void make_plain(rein_str *out, const char *text, size_t len) {
    rein_str_clear(out);
    for (size_t i = 0; i < len;) {
        const size_t n = rein_utf8_length(text + i, len - i);
        const unsigned char c = (unsigned char)text[i];
        if (n == 0)
            rein_str_puts(out, "\xEF\xBF\xBD");
        else if (n > 1 || (c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t')
            rein_str_append(out, text + i, n);
        i += n ? n : 1;
    }
}

/* At most max_observation bytes of a result. */
static void put_result(episode *e, const char *text, size_t len) {
    const size_t shown = cut(text, len, (size_t)e->world->config.max_observation);
    rein_str_append(&e->text, text, shown);
    if (shown < len) rein_str_printf(&e->text, "... (%zu more bytes)", len - shown);
    rein_str_putc(&e->text, '\n');
}

static void put_string(rein_str *out, const char *key, const char *text, size_t len) {
    rein_str_printf(out, ",\"%s\":", key);
    rein_json_put_string(out, text, len);
}

static const char *text_of(struct json_object *args) {
    return json_object_to_json_string_ext(args, JSON_C_TO_STRING_PLAIN);
}

/* A line of the record: the call as it was read, and what came of it. */
static void log_call(episode *e, const rein_toolcall *call, const char *kind, const char *text, size_t len) {
    rein_str_printf(&e->log, "%s{\"turn\":%d", e->log.len ? "," : "", e->ledger.turns + 1);
    if (call->name) put_string(&e->log, "name", call->name, strlen(call->name));
    if (call->arguments) rein_str_printf(&e->log, ",\"arguments\":%s", text_of(call->arguments));
    put_string(&e->log, "result", kind, strlen(kind));
    put_string(&e->log, "text", text, len);
    rein_str_putc(&e->log, '}');
}

/* An error for the model, instead of a result. */
static void tell_error(episode *e, const rein_toolcall *call, const char *kind, const char *text, size_t len) {
    rein_str_puts(&e->text, "error: ");
    put_result(e, text, len);
    log_call(e, call, kind, text, len);
    if (!e->error[0]) {
        const size_t n = cut(text, len, sizeof e->error - 1);
        memcpy(e->error, text, n);
        e->error[n] = '\0';
    }
}

/* ---- one call ---- */

static rein_status remember(episode *e, const char *name, const char *args, bool *fresh) {
    char *key;
    REIN_TRY(rein_path_format(&e->arena, &key, "%s %s", name, args));
    *fresh = true;
    for (int64_t i = 0; i < e->n_done; i++) *fresh &= strcmp(e->done[i], key) != 0;
    if (!*fresh) return REIN_OK;
    if (e->n_done == e->cap_done) {
        REIN_TRY(rein_realloc(&e->done, e->cap_done, e->cap_done + 16, sizeof *e->done));
        e->cap_done += 16;
    }
    e->done[e->n_done++] = key;
    return REIN_OK;
}

/* Mark the expert's steps that this call was; true if it is the first success of a tool that the expert uses. */
static rein_status mark_steps(episode *e, const rein_toolcall *call, bool *first) {
    bool used = false, expected = false;
    for (int i = 0; i < e->task.n_step; i++) {
        struct json_object *args;
        if (strcmp(e->task.step[i].tool, call->name) != 0) continue;
        REIN_TRY(rein_json_parse(&args, "step", e->task.step[i].arguments, strlen(e->task.step[i].arguments)));
        const bool same = json_object_equal(args, call->arguments);
        json_object_put(args);
        expected = true;
        e->step_done[i] |= same;
    }
    for (int64_t i = 0; i + 1 < e->n_done; i++) {
        const size_t n = strlen(call->name);
        used |= strncmp(e->done[i], call->name, n) == 0 && e->done[i][n] == ' ';
    }
    *first = expected && !used;
    return REIN_OK;
}

static rein_status tell_success(episode *e, const rein_toolcall *call) {
    const rein_str *text = &e->plain;
    bool fresh = false, first = false;
    put_result(e, text->data ? text->data : "", text->len);
    log_call(e, call, "ok", text->data ? text->data : "", text->len);
    REIN_TRY(remember(e, call->name, text_of(call->arguments), &fresh));
    if (fresh) REIN_TRY(mark_steps(e, call, &first));
    e->turn.fresh += fresh;
    e->turn.expected += first;
    return REIN_OK;
}

static rein_status fail_call(episode *e, const rein_toolcall *call, const char *kind, const char *text) {
    tell_error(e, call, kind, text, strlen(text));
    e->turn.failed++;
    return REIN_OK;
}

/* A failure that was asked for (error_injection): its text, or NULL. */
static const char *injected_error(const episode *e) {
    static const char *const text[] = {"the service is temporarily unavailable", "the request timed out",
                                       "the rate limit is exceeded", "the connection was reset"};
    const int turn = e->ledger.turns + 1;
    const rein_tools_config *c = &e->world->config;
    if (c->error_injection == REIN_FAULTS_TURN7) return turn % 10 == 7 ? text[turn % 4] : NULL;
    if (c->error_injection != REIN_FAULTS_RANDOM) return NULL;
    const double x = rein_random_uniform(e->seed, REIN_STREAM_TASK, (uint32_t)turn, (uint32_t)e->at, 1, 0x66617574);
    return x < c->error_rate ? text[turn % 4] : NULL;
}

/* Is the call one that can be made? Where not, the model is told. */
static rein_status prepare(episode *e, rein_toolcall *call, bool *ok) {
    struct json_object *tool;
    rein_str why = {0};
    *ok = false;
    if (call->error) {
        e->turn.malformed = true;
        return fail_call(e, call, "malformed", call->error);
    }
    if (e->world->config.aliases) call->name = rein_tools_alias(e->link->tools, e->tools, call->name);
    tool = rein_tools_named(e->tools, call->name);
    rein_status status = REIN_OK;
    if (!tool) {
        rein_str_printf(&why, "there is no tool '%.60s'; the tools are:", call->name);
        for (int i = 0; i < e->task.n_tool; i++) rein_str_printf(&why, "%s %s", i ? "," : "", e->task.tool[i]);
    } else {
        if (e->world->config.aliases) rein_tools_alias_arguments(tool, call->arguments);
        status = rein_tool_check(&why, tool, call->arguments);
    }
    if (status == REIN_OK) status = rein_str_check(&why);
    *ok = why.len == 0;
    if (status == REIN_OK && !*ok) {
        e->turn.malformed = true;
        status = fail_call(e, call, tool ? "arguments" : "unknown tool", why.data);
    }
    rein_str_deinit(&why);
    return status;
}

/* Start the next call, or tell why not; *waiting: its result is to come. */
static rein_status start_call(episode *e) {
    rein_toolcall *call = &e->calls.data[e->at];
    bool ok;
    if (e->at >= e->world->config.max_calls) return fail_call(e, call, "too many", "too many calls in one turn");
    REIN_TRY(prepare(e, call, &ok));
    if (!ok) return REIN_OK;
    const char *fault = injected_error(e);
    if (fault) { /* not its fault: neither a call nor a failure in the rewards */
        tell_error(e, call, "injected", fault, strlen(fault));
        e->injected++;
        return REIN_OK;
    }
    e->turn.calls++;
    e->history = e->link->history = rein_tool_history(e->history, call->name, text_of(call->arguments));
    REIN_TRY(e->link->cls->start(e->link, call->name, call->arguments));
    e->waiting = true;
    return REIN_OK;
}

static rein_status record_answer(episode *e, const rein_toolcall *call) {
    const rein_tool_recorded row = {.history = e->history,
                                    .text = e->plain.data ? e->plain.data : "",
                                    .len = e->plain.len,
                                    .is_error = e->link->is_error};
    return rein_tool_record_answer(&e->record, &row, call->name, text_of(call->arguments));
}

static rein_status end_call(episode *e) {
    const rein_toolcall *call = &e->calls.data[e->at];
    const rein_str *text = &e->plain;
    e->waiting = false;
    make_plain(&e->plain, e->link->text.data ? e->link->text.data : "", e->link->text.len);
    REIN_TRY(rein_str_check(&e->plain));
    if (e->record.fd >= 0) REIN_TRY(record_answer(e, call));
    if (!e->link->is_error) return tell_success(e, call);
    tell_error(e, call, "error", text->data ? text->data : "", text->len);
    e->turn.failed++;
    return REIN_OK;
}

/* ---- one turn ---- */

static void add_metrics(episode *e, const bool *met) {
    rein_score *s = &e->result.score;
    int held = 0;
    for (int i = 0; i < e->task.n_check; i++) held += met[i];
    const rein_named metric[] = {{"tools/turns", e->ledger.turns},
                                 {"tools/calls", e->ledger.calls},
                                 {"tools/failed", e->ledger.failed},
                                 {"tools/malformed_turns", e->ledger.malformed},
                                 {"tools/injected_errors", e->injected},
                                 {"tools/checks_met", e->task.n_check ? (double)held / e->task.n_check : 0},
                                 {"tools/level", e->task.level}};
    memcpy(s->metric, metric, sizeof metric);
    s->n_metric = (int)REIN_COUNT(metric);
}

/* What follows the last thought. */
static const char *answer_of(const char *text, size_t len) {
    static const char end[] = "</think>";
    for (size_t at = len; at >= sizeof end - 1; at--)
        if (memcmp(text + at - (sizeof end - 1), end, sizeof end - 1) == 0) return text + at;
    return text;
}

/* Which checks hold now; in a replay there is no end state to look at, but what was seen of it. */
static rein_status judge(episode *e, bool *met, const char *answer, size_t len) {
    const rein_tools_slot slot = {e->folder, e->root};
    char *text;
    REIN_TRY(rein_arena_strdup(&e->arena, &text, answer, len));
    const uint64_t history = rein_tool_history(e->history, "answer", text);
    if (e->world->replay.tools) {
        const rein_tool_recorded *seen = rein_tool_replay_judgement(&e->world->replay, history);
        for (int i = 0; i < e->task.n_check; i++) met[i] = seen && seen->met >> i & 1;
        e->turn.clean = seen && seen->clean;
        if (!seen) rein_str_puts(&e->link->broken, "the record has no end of an episode with these calls and this answer");
        return rein_str_check(&e->link->broken);
    }
    REIN_TRY(rein_tools_judge(met, &e->turn.clean, &e->task, &slot, answer, len));
    if (e->record.fd < 0) return REIN_OK;
    rein_tool_recorded row = {.history = history, .clean = e->turn.clean};
    for (int i = 0; i < e->task.n_check; i++) row.met |= (uint32_t)met[i] << i;
    return rein_tool_record_judgement(&e->record, &row);
}

static rein_status score_turn(episode *e) {
    rein_tools_turn *t = &e->turn;
    bool met[REIN_TOOLS_MOST];
    const char *answer = t->ended ? answer_of(t->text, t->len) : "";
    const size_t len = t->ended ? (size_t)(t->text + t->len - answer) : 0;
    REIN_TRY(judge(e, met, answer, len));
    t->state = t->answer = true;
    for (int i = 0; i < e->task.n_check; i++)
        *(e->task.check[i].kind == REIN_TOOLS_ANSWER ? &t->answer : &t->state) &= met[i];
    rein_tools_reward(&e->result.score, &e->ledger, (rein_tools_version)e->world->config.reward, t);
    add_metrics(e, met);
    return REIN_OK;
}

static rein_status end_turn(episode *e) {
    const int turn = e->ledger.turns + 1;
    e->result = (rein_observation){0};
    e->result.terminated = e->calls.n == 0 || e->turn.repetitive;
    e->result.truncated = !e->result.terminated && turn >= e->task.max_turns;
    e->turn.ended = e->over = e->result.terminated || e->result.truncated;
    if (!e->over) rein_str_printf(&e->text, "[turn %d of %lld]", turn + 1, (long long)e->task.max_turns);
    if (e->turn.repetitive && !e->error[0]) strcpy(e->error, "the text goes round in circles");
    REIN_TRY(score_turn(e));
    if (e->link->broken.len > 0) {
        end_broken(e);
        return REIN_OK;
    }
    REIN_TRY(rein_str_check(&e->text));
    REIN_TRY(rein_str_check(&e->log));
    e->result.text = e->text.data ? e->text.data : "";
    e->result.len = e->text.len;
    e->result.error = e->error[0] ? e->error : NULL;
    e->result.score.error = e->turn.malformed ? "malformed tool call" : NULL;
    return REIN_OK;
}

static rein_status tools_step(rein_episode *ep, const char *action, size_t len) {
    episode *e = self(ep);
    rein_repetition repetition;
    char *text;
    REIN_ASSERT(!e->over);
    rein_toolcalls_deinit(&e->calls);
    e->calls = (rein_toolcalls){0};
    rein_str_clear(&e->text);
    e->error[0] = '\0';
    e->at = 0;
    REIN_TRY(rein_arena_strdup(&e->arena, &text, len ? action : "", len));
    e->turn = (rein_tools_turn){.text = text, .len = len};
    REIN_TRY(rein_toolcalls_read(&e->calls, (rein_toolcall_format)e->world->config.call_format, text, len));
    REIN_TRY(rein_repetition_find(&repetition, text, len));
    e->turn.repetitive = repetition.kind != REIN_REPETITION_NONE;
    if (e->turn.repetitive) e->at = e->calls.n; /* its calls are not made */
    e->result = (rein_observation){0};
    return REIN_OK;
}

/* Make the turn's calls as far as they go without waiting longer than wait_ms for one. */
static rein_status go_on(episode *e, int wait_ms, bool *ready) {
    *ready = true;
    while (e->at < e->calls.n) {
        if (!e->waiting) REIN_TRY(start_call(e));
        if (e->waiting) {
            REIN_TRY(e->link->cls->poll(e->link, wait_ms, ready));
            if (!*ready) return REIN_OK;
            if (e->link->broken.len > 0) {
                end_broken(e);
                return REIN_OK;
            }
            REIN_TRY(end_call(e));
        }
        e->at++;
    }
    return end_turn(e);
}

static rein_status tools_poll(rein_episode *ep, int wait_ms, rein_observation *out, bool *ready) {
    episode *e = self(ep);
    *ready = true;
    /* a reset, and what has ended, have their result already; so has a step that was polled to its end */
    if (e->turn.text) {
        REIN_TRY(go_on(e, wait_ms, ready));
        if (!*ready) return REIN_OK;
        e->turn.text = NULL;
    }
    *out = e->result;
    return REIN_OK;
}

static int tools_descriptors(const rein_episode *ep, struct pollfd *out, int most) {
    const rein_tool_link *link = self_const(ep)->link;
    return link->cls->descriptors(link, out, most);
}

/* ---- expert, grammar, record ---- */

static rein_status tools_oracle(rein_episode *ep, rein_str *out) {
    const episode *e = self(ep);
    struct json_object *args;
    int i = 0;
    if (!e->task.answer) return REIN_OK;
    while (i < e->task.n_step && e->step_done[i]) i++;
    if (i == e->task.n_step) {
        rein_str_puts(out, e->task.answer);
        return rein_str_check(out);
    }
    const rein_tools_step *step = &e->task.step[i];
    REIN_TRY(rein_json_parse(&args, "step", step->arguments, strlen(step->arguments)));
    rein_status status =
        rein_toolcall_write(out, (rein_toolcall_format)e->world->config.call_format, step->tool, args);
    json_object_put(args);
    return status == REIN_OK ? rein_str_check(out) : status;
}

static rein_status tools_grammar(const rein_episode *ep, bool *is_schema, rein_str *out) {
    const episode *e = self_const(ep);
    *is_schema = true;
    return rein_toolcall_grammar(out, (rein_toolcall_format)e->world->config.call_format, e->tools,
                                 (rein_toolcall_turn){.think = true, .answer = true});
}

static const char *transport_name(const episode *e) {
    if (e->world->config.transport == REIN_TOOLS_DIRECT) return "direct";
    return e->world->config.sandbox == REIN_TOOLS_BWRAP ? "mcp, sandboxed" : "mcp, without a sandbox";
}

static rein_status tools_describe(const rein_episode *ep, rein_str *out) {
    const episode *e = self_const(ep);
    rein_str_printf(out, "{\"category\":\"%s\",\"complexity\":\"%s\",\"max_turns\":%lld", e->task.category,
                    rein_tools_levels[e->task.level], (long long)e->task.max_turns);
    put_string(out, "prompt", e->task.prompt, strlen(e->task.prompt));
    rein_str_puts(out, ",\"tools\":[");
    for (int i = 0; i < e->task.n_tool; i++) rein_str_printf(out, "%s\"%s\"", i ? "," : "", e->task.tool[i]);
    rein_str_printf(out, "],\"transport\":\"%s\",\"turns\":%d,\"calls\":[%s]}", transport_name(e), e->ledger.turns, e->log.len ? e->log.data : "");
    return rein_str_check(out);
}

const rein_turns rein_tools_turns_of_class = {
    .open = tools_open,
    .close = tools_close,
    .reset = tools_reset,
    .step = tools_step,
    .poll = tools_poll,
    .descriptors = tools_descriptors,
    .oracle = tools_oracle,
    .grammar = tools_grammar,
    .describe = tools_describe,
    .role = "tool",
};
