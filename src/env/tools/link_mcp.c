/*
 * Calls over MCP: one server a domain and slot, `rein mcp serve NAME`, and the user's. Servers are started once a slot;
 * what they remember are files in the slot's folder, so that a wipe of the folder resets them. Those that remember
 * things in memory are started anew (respawn).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "env/tools/domain.h"
#include "env/tools/folder.h"
#include "env/tools/link.h"
#include "mcp/client.h"
#include "os/sandbox.h"

enum { MOST = 8 + REIN_TOOL_SERVERS };

typedef struct server {
    const char *name;
    bool is_seeded;
    const rein_tool_server *own; /* a user's, or NULL */
    rein_mcp_client *client;
    struct json_object *tools; /* as it lists them */
} server;

typedef struct mcp_link {
    rein_tool_link link;
    rein_arena arena;
    server server[MOST];
    int n;
    int root;
    rein_tool_mcp_options options; /* what they point to lives as long as the environment and the slot */
    server *busy;                  /* of the call under way */
    int64_t id;
} mcp_link;

static mcp_link *self(rein_tool_link *link) { return (mcp_link *)link; }

/* ---- start ---- */

static rein_status make_folder(mcp_link *m, const char *name) {
    if (mkdirat(m->root, name, 0777) == 0 || errno == EEXIST) return REIN_OK;
    return rein_fail(REIN_ERR_IO, "cannot make the folder '%s' of a slot: %s", name, strerror(errno));
}

/* The program that serves: this one (or another build of rein), seen in the sandbox at /srv/rein. */
static rein_status program_path(char **out, rein_arena *arena, const char *given) {
    char path[4096];
    if (given) return rein_arena_strdup(arena, out, given, strlen(given));
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n <= 0 || n == sizeof path)
        return rein_fail(REIN_ERR_IO, "cannot find this program's file; give server_command");
    return rein_arena_strdup(arena, out, path, (size_t)n);
}

static rein_status start_sandboxed(server *s, const rein_tool_mcp_options *o, const char *program, const char *folder,
                                   const char *filter) {
    const char *const argv[] = {"/srv/rein", "mcp", "serve", s->name, "--folder", "/slot", NULL};
    const char *const show[][2] = {{program, "/srv/rein"}};
    rein_sandbox box;
    REIN_TRY(rein_sandbox_wrap(
        &box, &(rein_sandbox_options){
                  .argv = argv, .filter = filter, .folder = folder, .show = show, .n_show = 1, .memory = o->memory}));
    rein_status status =
        rein_mcp_open(&s->client, &(rein_mcp_options){.argv = box.argv, .timeout = o->timeout, .seed = o->seed});
    rein_sandbox_deinit(&box);
    return status;
}

/* A server that runs programs for the model makes a sandbox for each, which it could not do inside of another. */
static bool starts_programs(const rein_tool_domain *domain) {
    bool any = false;
    for (int i = 0; i < domain->n_tool; i++) any |= domain->tool[i].by_machine;
    return any;
}

static rein_status start_domain(mcp_link *m, const rein_tool_domain *domain, const rein_tool_mcp_options *o) {
    server *s = &m->server[m->n];
    char *program, *folder, *filter;
    s->name = domain->name;
    s->is_seeded = domain->is_seeded;
    REIN_TRY(make_folder(m, s->name));
    REIN_TRY(program_path(&program, &m->arena, o->server_command));
    REIN_TRY(rein_path_format(&m->arena, &folder, "%s/%s", o->folder, s->name));
    REIN_TRY(rein_path_format(&m->arena, &filter, "%s/filter", o->folder));
    m->n++;
    if (o->sandboxed && !starts_programs(domain)) return start_sandboxed(s, o, program, folder, filter);
    const char *const argv[] = {program, "mcp", "serve", s->name, "--folder", folder, NULL};
    return rein_mcp_open(&s->client, &(rein_mcp_options){.argv = argv, .timeout = o->timeout, .seed = o->seed});
}

/* A text with {folder} filled in. */
static rein_status fill(const char **out, rein_arena *arena, const char *text, const char *folder) {
    static const char place[] = "{folder}";
    const char *at = strstr(text, place);
    char *copy;
    REIN_TRY(at ? rein_path_format(arena, &copy, "%.*s%s%s", (int)(at - text), text, folder, at + sizeof place - 1)
                : rein_arena_strdup(arena, &copy, text, strlen(text)));
    *out = copy;
    return REIN_OK;
}

static rein_status fill_list(const char *const **out, rein_arena *arena, const char *const *list, const char *folder) {
    const char **copy;
    size_t n = 0;
    while (list[n]) n++;
    REIN_TRY(rein_arena_alloc(arena, &copy, (n + 1) * sizeof *copy));
    for (size_t i = 0; i < n; i++) REIN_TRY(fill(&copy[i], arena, list[i], folder));
    *out = copy;
    return REIN_OK;
}

static rein_status wrap_own(rein_sandbox *box, const rein_tool_server *own, const char *const *argv,
                            const char *const *env, const char *folder, rein_arena *arena, const char *filter) {
    const char *(*show)[2];
    REIN_TRY(rein_arena_alloc(arena, &show, (size_t)(own->n_show + 1) * sizeof *show));
    for (int64_t i = 0; i < own->n_show; i++) show[i][0] = show[i][1] = own->show[i];
    return rein_sandbox_wrap(box, &(rein_sandbox_options){.argv = argv,
                                                          .filter = filter,
                                                          .folder = folder,
                                                          .env = env,
                                                          .show = (const char *const(*)[2])show,
                                                          .n_show = (int)own->n_show,
                                                          .processes = own->processes});
}

/* Start (again) a program of the user's. Its strings last as long as this call. */
static rein_status start_program(server *s, const rein_tool_mcp_options *o) {
    rein_arena arena = {0};
    rein_sandbox box = {0};
    const char *const *argv, *const *env;
    char *folder, *filter;
    rein_status status;
    REIN_TRY_OUT(status, rein_path_format(&arena, &folder, "%s/%s", o->folder, s->name), out);
    REIN_TRY_OUT(status, rein_path_format(&arena, &filter, "%s/filter-%s", o->folder, s->name), out);
    const char *seen = o->sandboxed ? "/slot" : folder;
    REIN_TRY_OUT(status, fill_list(&argv, &arena, s->own->argv, seen), out);
    REIN_TRY_OUT(status, fill_list(&env, &arena, s->own->env, seen), out);
    if (o->sandboxed) REIN_TRY_OUT(status, wrap_own(&box, s->own, argv, env, folder, &arena, filter), out);
    REIN_TRY_OUT(status,
                 rein_mcp_open(&s->client, &(rein_mcp_options){.argv = o->sandboxed ? box.argv : argv,
                                                               .env = o->sandboxed || !env[0] ? NULL : env,
                                                               .folder = o->sandboxed ? NULL : folder,
                                                               .timeout = o->timeout,
                                                               .seed = o->seed}),
                 out);
out:
    rein_sandbox_deinit(&box);
    rein_arena_deinit(&arena);
    return status;
}

static rein_status start_own(mcp_link *m, const rein_tool_server *own, const rein_tool_mcp_options *o) {
    server *s = &m->server[m->n++];
    s->name = own->name;
    s->own = own;
    REIN_TRY(make_folder(m, s->name));
    if (own->argv) return start_program(s, o);
    return rein_mcp_open(&s->client, &(rein_mcp_options){.url = own->url, .timeout = o->timeout, .seed = o->seed});
}

/* ---- what there is ---- */

static bool has_tool(struct json_object *tools, struct json_object *name) {
    for (size_t i = 0; i < json_object_array_length(tools); i++) {
        struct json_object *own;
        if (json_object_object_get_ex(json_object_array_get_idx(tools, i), "name", &own) &&
            json_object_equal(own, name))
            return true;
    }
    return false;
}

static rein_status take_tools(mcp_link *m, server *s, struct json_object *list) {
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *tool = json_object_array_get_idx(list, i), *name;
        if (!json_object_object_get_ex(tool, "name", &name) || !json_object_is_type(name, json_type_string))
            return rein_fail(REIN_ERR_FORMAT, "server '%s' lists a tool without a name", s->name);
        if (has_tool(m->link.tools, name))
            return rein_fail(REIN_ERR_USAGE, "server '%s': another server has a tool '%s' already", s->name,
                             json_object_get_string(name));
        json_object_array_add(m->link.tools, json_object_get(tool));
    }
    s->tools = json_object_get(list);
    return REIN_OK;
}

static rein_status list_tools(mcp_link *m, server *s) {
    rein_mcp_result r = {0};
    struct json_object *list = NULL;
    int64_t id;
    REIN_TRY(rein_mcp_list(s->client, &id));
    rein_status status = rein_mcp_wait(s->client, id, &r);
    if (status == REIN_OK && (r.failed || r.is_error))
        status = rein_fail(REIN_ERR_IO, "server '%s' lists no tools: %s", s->name, r.text.data ? r.text.data : "");
    if (status == REIN_OK && json_object_object_get_ex(r.value, "tools", &list)) status = take_tools(m, s, list);
    rein_mcp_result_deinit(&r);
    return status;
}

/* ---- calls ---- */

static rein_status mcp_reset(rein_tool_link *link, uint64_t world) {
    mcp_link *m = self(link);
    rein_str text = {0}, path = {0};
    const char *why = NULL;
    rein_status status = REIN_OK;
    rein_str_clear(&link->broken);
    rein_str_printf(&text, "%llu\n", (unsigned long long)world);
    for (int i = 0; i < m->n && status == REIN_OK; i++) {
        if (!m->server[i].is_seeded) continue;
        rein_str_clear(&path);
        rein_str_printf(&path, "%s/" REIN_TOOL_SEED_FILE, m->server[i].name);
        status = rein_str_check(&path);
        if (status == REIN_OK)
            status = rein_folder_write(m->root, path.data, text.data, text.len, REIN_FOLDER_REPLACE, &why);
        if (status == REIN_OK && why) status = rein_fail(REIN_ERR_IO, "cannot write '%s': %s", path.data, why);
    }
    if (m->busy) rein_mcp_cancel(m->busy->client, m->id); /* of an episode that was given up */
    m->busy = NULL;
    for (int i = 0; i < m->n && status == REIN_OK; i++) {
        server *s = &m->server[i];
        if (!s->own || !s->own->respawn) continue;
        rein_mcp_close(s->client);
        s->client = NULL;
        status = start_program(s, &m->options);
    }
    rein_str_deinit(&text);
    rein_str_deinit(&path);
    return status;
}

static server *find(mcp_link *m, const char *tool) {
    struct json_object *name = json_object_new_string(tool);
    server *found = NULL;
    for (int i = 0; i < m->n && name; i++)
        if (has_tool(m->server[i].tools, name)) found = &m->server[i];
    json_object_put(name);
    return found;
}

static rein_status mcp_start(rein_tool_link *link, const char *tool, struct json_object *args) {
    mcp_link *m = self(link);
    server *s = find(m, tool);
    rein_str_clear(&link->text);
    rein_str_clear(&link->broken);
    link->is_error = false;
    if (!s) return rein_fail(REIN_ERR_MEMORY, "out of memory for a call");
    REIN_TRY(rein_mcp_call(s->client, tool, args, &m->id));
    m->busy = s;
    return REIN_OK;
}

static rein_status mcp_poll(rein_tool_link *link, int wait_ms, bool *ready) {
    mcp_link *m = self(link);
    rein_mcp_result r;
    *ready = false;
    for (;;) {
        if (rein_mcp_take(m->busy->client, m->id, &r)) break;
        REIN_TRY(rein_mcp_poll(m->busy->client, wait_ms));
        if (rein_mcp_take(m->busy->client, m->id, &r)) break;
        if (wait_ms >= 0) return REIN_OK;
    }
    *ready = true;
    if (r.failed)
        rein_str_printf(&link->broken, "server '%s': %s", m->busy->name, r.text.data ? r.text.data : "no answer");
    else
        rein_str_append(&link->text, r.text.data ? r.text.data : "", r.text.len);
    link->is_error = r.is_error;
    m->busy = NULL;
    rein_mcp_result_deinit(&r);
    REIN_TRY(rein_str_check(&link->broken));
    return rein_str_check(&link->text);
}

static int mcp_descriptors(const rein_tool_link *link, struct pollfd *out, int most) {
    const mcp_link *m = (const mcp_link *)link;
    return m->busy ? rein_mcp_descriptors(m->busy->client, out, most) : 0;
}

static void mcp_close(rein_tool_link *link) {
    mcp_link *m = self(link);
    for (int i = 0; i < m->n; i++)
        if (m->server[i].client) rein_mcp_end_input(m->server[i].client);
    for (int i = 0; i < m->n; i++) {
        rein_mcp_close(m->server[i].client);
        json_object_put(m->server[i].tools);
    }
    rein_arena_deinit(&m->arena);
}

static const rein_tool_link_class mcp_class = {mcp_reset, mcp_start, mcp_poll, mcp_descriptors, mcp_close};

static rein_status open_servers(mcp_link *m, const rein_tool_mcp_options *o) {
    const rein_tool_domain *const *all = rein_tool_domains();
    m->link.tools = json_object_new_array();
    if (!m->link.tools) return rein_fail(REIN_ERR_MEMORY, "out of memory for the list of tools");
    for (int i = 0; all[i]; i++)
        if (o->domains >> i & 1) REIN_TRY(start_domain(m, all[i], o));
    for (int i = 0; i < o->n_server; i++) REIN_TRY(start_own(m, &o->server[i], o));
    for (int i = 0; i < m->n; i++) REIN_TRY(list_tools(m, &m->server[i]));
    return REIN_OK;
}

rein_status rein_tool_link_mcp(rein_tool_link **out, const rein_tool_mcp_options *options, int root) {
    mcp_link *m;
    REIN_TRY(rein_alloc(&m, 1, sizeof *m));
    m->link.cls = &mcp_class;
    m->root = root;
    m->options = *options;
    rein_status status = open_servers(m, options);
    if (status == REIN_OK)
        *out = &m->link;
    else
        rein_tool_link_close(&m->link);
    return status;
}
