/* The tool world as an environment: options, tasks and prompts; see tools.h. */
#include "env/tools/tools.h"

#include <string.h>

#include "base/json.h"
#include "base/option.h"
#include "base/random.h"
#include "env/tools/domain.h"
#include "os/sandbox.h"

static const rein_tools *self(const rein_env *env) { return (const rein_tools *)env; }

/* ---- lists of names ---- */

/* The names of "a,b , c" in `arena`, NULL-ended; NULL for no text. */
static rein_status split(const char *const **out, rein_arena *arena, const char *text) {
    const char **list;
    char *copy;
    int64_t n = 1, at = 0;
    *out = NULL;
    if (!text) return REIN_OK;
    for (const char *c = text; *c; c++) n += *c == ',';
    REIN_TRY(rein_arena_alloc(arena, &list, (size_t)(n + 1) * sizeof *list));
    REIN_TRY(rein_arena_strdup(arena, &copy, text, strlen(text)));
    for (char *next; copy; copy = next) {
        next = strchr(copy, ',');
        if (next) *next++ = '\0';
        copy += strspn(copy, " ");
        copy[strcspn(copy, " ")] = '\0';
        if (*copy) list[at++] = copy;
    }
    *out = list;
    return REIN_OK;
}

static rein_status unknown(const char *option, const char *name, const char *const *names, int64_t n) {
    const char *near = rein_nearest_name(name, names, n);
    return rein_fail(REIN_ERR_USAGE, "environment tools: %s: there is no '%s'%s%s%s", option, name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
}

/* The bits of names in a list of known ones. */
static rein_status read_set(uint64_t *out, const char *option, const char *text, const char *const *names, int64_t n) {
    const char *const *list;
    rein_arena arena = {0};
    rein_status status = split(&list, &arena, text);
    *out = 0;
    for (; status == REIN_OK && list && *list; list++) {
        int64_t i = 0;
        while (i < n && strcmp(names[i], *list) != 0) i++;
        if (i == n)
            status = unknown(option, *list, names, n);
        else
            *out |= UINT64_C(1) << i;
    }
    rein_arena_deinit(&arena);
    return status;
}

/* ---- create ---- */

static rein_status read_domains(rein_tools *w) {
    const char *names[64];
    const rein_tool_domain *const *all = rein_tool_domains();
    int64_t n = 0;
    uint64_t set;
    for (; all[n]; n++) names[n] = all[n]->name;
    REIN_TRY(read_set(&set, "domains", w->config.domains, names, n));
    w->pool.domains = (unsigned)set;
    return set || w->config.servers ? REIN_OK : rein_fail(REIN_ERR_USAGE, "environment tools: domains names none");
}

static rein_status read_categories(rein_tools *w) {
    const char *names[64];
    const int n = rein_tools_category_count();
    for (int i = 0; i < n; i++) names[i] = rein_tools_category_name(i);
    REIN_TRY(read_set(&w->pool.categories, "categories", w->config.categories, names, n));
    if (!w->config.categories) w->pool.categories = ~UINT64_C(0);
    return read_set(&w->pool.heldout_categories, "heldout_categories", w->config.heldout_categories, names, n);
}

static rein_status read_heldout_tools(rein_tools *w) {
    REIN_TRY(split(&w->pool.heldout_tools, &w->arena, w->config.heldout_tools));
    for (const char *const *name = w->pool.heldout_tools; name && *name; name++)
        if (!rein_tool_find(*name, NULL))
            return rein_fail(REIN_ERR_USAGE, "environment tools: heldout_tools: there is no tool '%s'", *name);
    return REIN_OK;
}

/* A string of the configuration, which may not outlive the caller. */
static rein_status keep(rein_tools *w, const char **text) {
    char *copy = NULL;
    if (*text) REIN_TRY(rein_arena_strdup(&w->arena, &copy, *text, strlen(*text)));
    *text = copy;
    return REIN_OK;
}

/* Servers run in a sandbox unless the user says otherwise, never because there is none. */
static rein_status check_sandbox(const rein_tools_config *c) {
    rein_str why = {0};
    rein_status status = REIN_OK;
    if (c->transport == REIN_TOOLS_MCP && !c->replay && c->sandbox == REIN_TOOLS_BWRAP && !rein_sandbox_available(&why))
        status = rein_fail(REIN_ERR_USAGE,
                           "environment tools: no sandbox for its servers: %s; install bubblewrap, or say "
                           "sandbox=none to run them without",
                           why.data ? why.data : "out of memory");
    rein_str_deinit(&why);
    return status;
}

/* ---- users' servers and tasks ---- */

static rein_status open_replay(rein_tools *w) {
    rein_status status = rein_tool_replay_open(&w->replay, w->config.replay);
    if (status == REIN_OK) return REIN_OK;
    return rein_error_prefix(REIN_ERR_USAGE, "environment tools: replay");
}

static bool has_tool(const rein_tools *w, const char *name) {
    for (int64_t i = 0; i < w->n_tool; i++)
        if (strcmp(w->tool_name[i], name) == 0) return true;
    return false;
}

static rein_status check_tools(const rein_tools *w, const rein_tools_task *t) {
    for (int i = 0; i < t->n_tool; i++) {
        if (has_tool(w, t->tool[i])) continue;
        const char *near = rein_nearest_name(t->tool[i], w->tool_name, w->n_tool);
        return rein_fail(REIN_ERR_USAGE, "the task '%.60s' names a tool '%s' that no server has%s%s%s", t->prompt,
                         t->tool[i], near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
    }
    return REIN_OK;
}

/* What a task asks, as its key: what the model sees at the beginning. */
static uint64_t key_of(const rein_tools_task *t) {
    uint64_t key = 0xcbf29ce484222325; /* FNV-1a */
    for (int i = -1; i < t->n_setup; i++)
        for (const char *c = i < 0 ? t->prompt : t->setup[i].text; *c; c++)
            key = (key ^ (unsigned char)*c) * 0x100000001b3;
    return key;
}

static rein_status check_leak(const rein_tools *w) {
    const rein_tools_file *train = &w->own[REIN_SPLIT_TRAIN], *eval = &w->own[REIN_SPLIT_EVAL];
    rein_status status = REIN_OK;
    uint64_t *seen;
    REIN_TRY(rein_alloc(&seen, train->n, sizeof *seen));
    for (int64_t i = 0; i < train->n; i++) seen[i] = key_of(&train->task[i]);
    for (int64_t i = 0; i < eval->n && status == REIN_OK; i++) {
        const uint64_t key = key_of(&eval->task[i]);
        for (int64_t k = 0; k < train->n && status == REIN_OK; k++)
            if (seen[k] == key)
                status = rein_fail(REIN_ERR_USAGE, "task %lld of %s is task %lld of %s, too: '%.60s'", (long long)i + 1,
                                   w->config.eval_tasks, (long long)k + 1, w->config.tasks, eval->task[i].prompt);
    }
    rein_free(seen);
    return status;
}

static rein_status set_up_own(rein_tools *w) {
    REIN_TRY(rein_tools_load(&w->own[REIN_SPLIT_TRAIN], w->config.tasks));
    if (w->config.eval_tasks) REIN_TRY(rein_tools_load(&w->own[REIN_SPLIT_EVAL], w->config.eval_tasks));
    REIN_TRY(rein_tools_probe(w));
    for (size_t i = 0; i < REIN_COUNT(w->own); i++)
        for (int64_t k = 0; k < w->own[i].n; k++) REIN_TRY(check_tools(w, &w->own[i].task[k]));
    return check_leak(w);
}

static rein_status read_servers(rein_tools *w) {
    const rein_tools_config *c = &w->config;
    if (c->eval_tasks && !c->tasks) return rein_fail(REIN_ERR_USAGE, "environment tools: eval_tasks without tasks");
    if (!c->servers) return REIN_OK;
    if (!c->tasks)
        return rein_fail(REIN_ERR_USAGE,
                         "environment tools: servers without tasks: generated tasks use built-in ones only");
    if (c->transport != REIN_TOOLS_MCP)
        return rein_fail(REIN_ERR_USAGE, "environment tools: servers are for transport=mcp");
    return rein_tool_servers_load(w->server, &w->n_server, &w->arena, c->servers);
}

static rein_status set_up(rein_tools *w) {
    rein_tools_config *c = &w->config;
    w->pool.tools_per_task = (int)c->tools_per_task;
    w->pool.eval_heldout = c->eval_heldout;
    if (!rein_option_numbers(w->pool.mix, REIN_TOOLS_LEVELS, c->mix))
        return rein_fail(REIN_ERR_USAGE, "environment tools: mix is '%s', not three numbers (easy,medium,hard)",
                         c->mix);
    double total = 0;
    for (int i = 0; i < REIN_TOOLS_LEVELS; i++) {
        total += w->pool.mix[i];
        if (w->pool.mix[i] < 0)
            return rein_fail(REIN_ERR_USAGE, "environment tools: mix '%s' has a negative share", c->mix);
    }
    if (total <= 0) return rein_fail(REIN_ERR_USAGE, "environment tools: mix '%s' is all 0", c->mix);
    REIN_TRY(read_domains(w));
    REIN_TRY(read_servers(w));
    REIN_TRY(read_categories(w));
    REIN_TRY(read_heldout_tools(w));
    REIN_TRY(keep(w, &c->folder));
    REIN_TRY(keep(w, &c->server_command));
    REIN_TRY(keep(w, &c->record));
    if (c->record && c->replay)
        return rein_fail(REIN_ERR_USAGE, "environment tools: record and replay at the same time");
    if (c->replay) REIN_TRY(open_replay(w));
    REIN_TRY(check_sandbox(c));
    return c->tasks ? set_up_own(w) : rein_tools_pool_check(&w->pool);
}

static void tools_destroy(rein_env *env) {
    rein_tools *w = (rein_tools *)env;
    if (!w) return;
    for (size_t i = 0; i < REIN_COUNT(w->own); i++) rein_tools_file_deinit(&w->own[i]);
    rein_tool_replay_close(&w->replay);
    rein_arena_deinit(&w->arena);
    rein_free(w);
}

static rein_status tools_create(rein_env **out, const void *config) {
    rein_tools *w;
    REIN_TRY(rein_alloc(&w, 1, sizeof *w));
    w->env.cls = &rein_tools_class;
    memcpy(&w->config, config, sizeof w->config);
    rein_status status = set_up(w);
    if (status == REIN_OK)
        *out = &w->env;
    else
        tools_destroy(&w->env);
    return status;
}

/* ---- tasks ---- */

/* number[2]: 1 + the split whose file has the task as its row number[0]. */
static rein_status own_task(const rein_tools *w, uint64_t seed, rein_split which, int64_t index, rein_task *out) {
    const rein_tools_file *file = &w->own[which];
    int64_t at = index;
    if (which == REIN_SPLIT_EVAL && index >= file->n)
        return rein_fail(REIN_ERR_ARG, "held-out task %lld of %lld: ask for fewer cases, or give eval_tasks=FILE",
                         (long long)index, (long long)file->n);
    if (which == REIN_SPLIT_TRAIN) {
        at = index % file->n;
        if (w->config.shuffle_tasks) at = rein_random_place(at, file->n, seed, (uint32_t)(index / file->n));
    }
    const rein_tools_task *t = &file->task[at];
    *out = (rein_task){.key = key_of(t), .index = index, .number = {(double)at, t->level, 1 + (int)which}};
    return REIN_OK;
}

static rein_status tools_task(const rein_env *env, uint64_t seed, rein_split which, int64_t index, rein_task *out) {
    if (which == REIN_SPLIT_FIXED || index < 0)
        return rein_fail(REIN_ERR_ARG, "environment tools has no published list of tasks");
    if (self(env)->own[REIN_SPLIT_TRAIN].n > 0) return own_task(self(env), seed, which, index, out);
    rein_tools_draw(out, &self(env)->pool, seed, which, index);
    return REIN_OK;
}

static int64_t tools_fixed_count(const rein_env *env) {
    (void)env;
    return 0;
}

static rein_status tools_difficulty(const rein_env *env, const rein_task *task, double *out) {
    (void)env;
    *out = task->number[1] / (REIN_TOOLS_LEVELS - 1);
    return REIN_OK;
}

rein_status rein_tools_task_make(rein_tools_task *out, const rein_tools *world, const rein_task *task) {
    if (task->number[2] == 0) return rein_tools_generate(out, &world->pool, task);
    *out = world->own[(int)task->number[2] - 1].task[(int64_t)task->number[0]];
    out->arena = (rein_arena){0}; /* the environment's strings */
    out->world = task->key;
    return REIN_OK;
}

/* A tool as JSON, appended. */
static void put_tool(rein_str *out, const rein_tools *w, const char *name) {
    for (int64_t i = 0; i < w->n_tool; i++)
        if (strcmp(w->tool_name[i], name) == 0) {
            rein_str_puts(out, w->tool_text[i]);
            return;
        }
    rein_tool_write(out, rein_tool_find(name, NULL));
}

/* ---- prompts ---- */

static rein_status put_example(rein_str *out, const rein_tools *w) {
    static const char text[] = "{\"argument\": \"value\"}";
    struct json_object *args;
    REIN_TRY(rein_json_parse(&args, "example", text, sizeof text - 1));
    rein_status status = rein_toolcall_write(out, (rein_toolcall_format)w->config.call_format, "tool", args);
    json_object_put(args);
    return status;
}

rein_status rein_tools_system_text(rein_str *out, const rein_tools *world, struct json_object *tools) {
    const size_t n = json_object_array_length(tools);
    rein_str_puts(out, "Solve the task with the tools. When it is done, answer without calling a tool.");
    if (world->config.tools_format == REIN_TOOLS_NATIVE) return rein_str_check(out);
    rein_str_puts(out, " A call is written as\n");
    REIN_TRY(put_example(out, world));
    rein_str_puts(out, "\nTools:");
    for (size_t i = 0; i < n; i++) {
        rein_str_putc(out, '\n');
        REIN_TRY(rein_tool_signature(out, json_object_array_get_idx(tools, i)));
    }
    return rein_str_check(out);
}

/* {"type":"function","function":{"name","description","parameters"}}: what chat templates take. */
static void put_native(rein_str *out, struct json_object *tool) {
    struct json_object *name = NULL, *description = NULL, *schema = NULL;
    json_object_object_get_ex(tool, "name", &name);
    json_object_object_get_ex(tool, "description", &description);
    json_object_object_get_ex(tool, "inputSchema", &schema);
    rein_str_puts(out, "{\"type\": \"function\", \"function\": {\"name\": ");
    rein_str_puts(out, json_object_to_json_string_ext(name, JSON_C_TO_STRING_PLAIN));
    rein_str_puts(out, ", \"description\": ");
    rein_str_puts(out, description ? json_object_to_json_string_ext(description, JSON_C_TO_STRING_PLAIN) : "\"\"");
    rein_str_puts(out, ", \"parameters\": ");
    rein_str_puts(out,
                  schema ? json_object_to_json_string_ext(schema, JSON_C_TO_STRING_PLAIN) : "{\"type\": \"object\"}");
    rein_str_puts(out, "}}");
}

/* The tools of a task, in its order, as an array of new objects. */
static rein_status task_tools(struct json_object **out, const rein_tools *w, const rein_tools_task *t) {
    rein_str text = {0};
    rein_str_putc(&text, '[');
    for (int i = 0; i < t->n_tool; i++) {
        if (i > 0) rein_str_putc(&text, ',');
        put_tool(&text, w, t->tool[i]);
    }
    rein_str_putc(&text, ']');
    rein_status status = rein_str_check(&text);
    if (status == REIN_OK) status = rein_json_parse(out, "tools", text.data, text.len);
    rein_str_deinit(&text);
    return status;
}

typedef struct question {
    rein_tools_task task;
    struct json_object *tools;
    rein_str system;
} question;

static rein_status question_open(question *q, const rein_tools *w, const rein_task *task) {
    *q = (question){0};
    REIN_TRY(rein_tools_task_make(&q->task, w, task));
    REIN_TRY(task_tools(&q->tools, w, &q->task));
    return rein_tools_system_text(&q->system, w, q->tools);
}

static void question_close(question *q) {
    rein_tools_task_deinit(&q->task);
    json_object_put(q->tools);
    rein_str_deinit(&q->system);
}

static rein_status tools_messages(const rein_env *env, const rein_task *task, rein_str *out, rein_str *tools) {
    question q;
    rein_status status = question_open(&q, self(env), task);
    if (status == REIN_OK) {
        rein_str_puts(out, "[{\"role\":\"system\",\"content\":");
        rein_json_put_string(out, q.system.data, q.system.len);
        rein_str_puts(out, "},{\"role\":\"user\",\"content\":");
        rein_json_put_string(out, q.task.prompt, strlen(q.task.prompt));
        rein_str_puts(out, "}]");
        for (size_t i = 0; self(env)->config.tools_format == REIN_TOOLS_NATIVE && i < (size_t)q.task.n_tool; i++) {
            rein_str_putc(tools, i ? ',' : '[');
            put_native(tools, json_object_array_get_idx(q.tools, i));
        }
        if (tools->len > 0) rein_str_putc(tools, ']');
        status = rein_str_check(out);
        if (status == REIN_OK) status = rein_str_check(tools);
    }
    question_close(&q);
    return status;
}

static rein_status tools_prompt(const rein_env *env, const rein_task *task, rein_str *out) {
    question q;
    rein_status status = question_open(&q, self(env), task);
    if (status == REIN_OK) {
        rein_str_append(out, q.system.data, q.system.len);
        rein_str_printf(out, "\n\nTask: %s\n", q.task.prompt);
        status = rein_str_check(out);
    }
    question_close(&q);
    return status;
}

/* ---- the class ---- */

static const rein_option options[] = {
    {"domains", REIN_OPT_STRING, offsetof(rein_tools_config, domains), "market,search,chat,files,code", 0, 0, NULL,
     "built-in servers, as (market,chat,files); () for none", "LIST"},
    {"mix", REIN_OPT_STRING, offsetof(rein_tools_config, mix), "0.3,0.5,0.2", 0, 0, NULL,
     "shares of easy, medium and hard tasks (2, 3, 4 calls; 5, 8, 10 turns), as (0.3,0.5,0.2)", "LIST"},
    {"tools_per_task", REIN_OPT_INT, offsetof(rein_tools_config, tools_per_task), "5", 3, 6, NULL,
     "tools that a task shows, those that it needs and others; never fewer than it needs", NULL},
    {"categories", REIN_OPT_STRING, offsetof(rein_tools_config, categories), NULL, 0, 0, NULL,
     "kinds of tasks; default: all that the domains allow", "LIST"},
    {"heldout_categories", REIN_OPT_STRING, offsetof(rein_tools_config, heldout_categories), NULL, 0, 0, NULL,
     "kinds of tasks that are in evaluation only", "LIST"},
    {"heldout_tools", REIN_OPT_STRING, offsetof(rein_tools_config, heldout_tools), NULL, 0, 0, NULL,
     "tools that are in evaluation only", "LIST"},
    {"eval_heldout", REIN_OPT_BOOL, offsetof(rein_tools_config, eval_heldout), "false", 0, 0, NULL,
     "evaluate on held-out categories and tools only", NULL},
    {"call_format", REIN_OPT_CHOICE, offsetof(rein_tools_config, call_format), "hermes", 0, 0, REIN_TOOLCALL_FORMATS,
     "how a call is written: <tool_call> with JSON, JSON alone, or name(key=value)", NULL},
    {"tools_format", REIN_OPT_CHOICE, offsetof(rein_tools_config, tools_format), "signatures", 0, 0,
     "signatures|native", "tools as one line each in the system's message, or as the chat template writes them", NULL},
    {"aliases", REIN_OPT_BOOL, offsetof(rein_tools_config, aliases), "true", 0, 0, NULL,
     "accept other common names of tools and arguments", NULL},
    {"max_observation", REIN_OPT_INT, offsetof(rein_tools_config, max_observation), "1000", 16, 1 << 20, NULL,
     "bytes of a call's result that the model sees", NULL},
    {"max_calls", REIN_OPT_INT, offsetof(rein_tools_config, max_calls), "8", 1, 64, NULL,
     "calls in one turn; further ones are errors", NULL},
    {"reward", REIN_OPT_CHOICE, offsetof(rein_tools_config, reward), "v2", 0, 0, REIN_TOOLS_VERSIONS, "reward version",
     NULL},
    {"error_injection", REIN_OPT_CHOICE, offsetof(rein_tools_config, error_injection), "none", 0, 0,
     "none|turn7|random", "calls that fail on purpose: none, those of turns 7, 17 ..., or a share error_rate", NULL},
    {"error_rate", REIN_OPT_FLOAT, offsetof(rein_tools_config, error_rate), "0.1", 0, 1, NULL,
     "share of calls that fail with error_injection=random", NULL},
    {"transport", REIN_OPT_CHOICE, offsetof(rein_tools_config, transport), "direct", 0, 0, "direct|mcp",
     "call the built-in servers in this process, or as MCP servers of their own", NULL},
    {"sandbox", REIN_OPT_CHOICE, offsetof(rein_tools_config, sandbox), "bwrap", 0, 0, "bwrap|none",
     "around MCP servers: bubblewrap, or nothing", NULL},
    {"server_command", REIN_OPT_STRING, offsetof(rein_tools_config, server_command), NULL, 0, 0, NULL,
     "program that serves with mcp serve NAME; default: this one", "FILE"},
    {"server_memory", REIN_OPT_INT, offsetof(rein_tools_config, server_memory), "1024", 0, 1 << 20, NULL,
     "MiB of address space of a built-in server in the sandbox; 0: no limit", NULL},
    {"server_timeout", REIN_OPT_FLOAT, offsetof(rein_tools_config, server_timeout), "10", 0.01, 3600, NULL,
     "seconds of a call", NULL},
    {"servers", REIN_OPT_STRING, offsetof(rein_tools_config, servers), NULL, 0, 0, NULL,
     "MCP servers of your own, beside the domains (YAML)", "FILE"},
    {"tasks", REIN_OPT_STRING, offsetof(rein_tools_config, tasks), NULL, 0, 0, NULL,
     "tasks of your own instead of generated ones (JSONL)", "FILE"},
    {"eval_tasks", REIN_OPT_STRING, offsetof(rein_tools_config, eval_tasks), NULL, 0, 0, NULL,
     "tasks of your own to evaluate on", "FILE"},
    {"shuffle_tasks", REIN_OPT_BOOL, offsetof(rein_tools_config, shuffle_tasks), "true", 0, 0, NULL,
     "tasks of your own in another order in each epoch", NULL},
    {"record", REIN_OPT_STRING, offsetof(rein_tools_config, record), NULL, 0, 0, NULL,
     "write all calls and their answers to files in this folder", "DIR"},
    {"replay", REIN_OPT_STRING, offsetof(rein_tools_config, replay), NULL, 0, 0, NULL,
     "answer calls from a record, without servers", "DIR"},
    {"folder", REIN_OPT_STRING, offsetof(rein_tools_config, folder), "/tmp", 0, 0, NULL,
     "where the slots' temporary folders are made", "DIR"},
};

static const char *const baselines[] = {NULL};

const rein_env_class rein_tools_class = {
    .name = "tools",
    .summary = "tasks over several turns that are solved by calling tools",
    .options = options,
    .n_options = (int64_t)REIN_COUNT(options),
    .config_size = sizeof(rein_tools_config),
    .create = tools_create,
    .destroy = tools_destroy,
    .task = tools_task,
    .fixed_count = tools_fixed_count,
    .difficulty = tools_difficulty,
    .messages = tools_messages,
    .prompt = tools_prompt,
    .baselines = baselines,
    .turns = &rein_tools_turns_of_class,
};
