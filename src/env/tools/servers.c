/* Reading users' servers; see servers.h. */
#include "env/tools/servers.h"

#include <string.h>

#include "base/file.h"
#include "base/option.h"
#include "base/yaml.h"
#include "env/tools/domain.h"

static rein_status fail_at(const rein_yaml_node *at, const char *what) {
    return rein_fail(REIN_ERR_USAGE, "%s:%d:%d: %s", at->file, at->line, at->column, what);
}

static rein_status read_text(const char **out, const rein_yaml_node *at) {
    *out = at->text; /* not NULL for a scalar */
    return at->kind == REIN_YAML_SCALAR && !at->null ? REIN_OK : fail_at(at, "expected a text");
}

static rein_status read_flag(bool *out, const rein_yaml_node *at) {
    const char *text = NULL;
    REIN_TRY(read_text(&text, at));
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0 ? REIN_OK : fail_at(at, "expected true or false");
}

/* A sequence of texts behind `first` (NULL: nothing before). */
static rein_status read_list(const char *const **out, int64_t *n, rein_arena *arena, const char *first,
                             const rein_yaml_node *at) {
    const char **list;
    int64_t count = 0;
    if (at && at->kind != REIN_YAML_SEQUENCE) return fail_at(at, "expected a list, as in [a, b]");
    REIN_TRY(rein_arena_alloc(arena, &list, (size_t)((at ? at->n : 0) + 2) * sizeof *list));
    if (first) list[count++] = first;
    for (int64_t i = 0; at && i < at->n; i++) REIN_TRY(read_text(&list[count++], &at->child[i]));
    *out = list;
    *n = count;
    return REIN_OK;
}

static rein_status read_env(const char *const **out, rein_arena *arena, const rein_yaml_node *at) {
    const char **list;
    char *pair;
    if (at && at->kind != REIN_YAML_MAPPING) return fail_at(at, "expected a mapping, as in {NAME: value}");
    REIN_TRY(rein_arena_alloc(arena, &list, (size_t)((at ? at->n : 0) + 1) * sizeof *list));
    for (int64_t i = 0; at && i < at->n; i++) {
        const char *value = NULL;
        REIN_TRY(read_text(&value, &at->child[i]));
        REIN_TRY(rein_path_format(arena, &pair, "%s=%s", at->key[i], value));
        list[i] = pair;
    }
    *out = list;
    return REIN_OK;
}

static rein_status check_keys(const rein_yaml_node *at) {
    static const char *const known[] = {"command", "args", "env", "show", "processes", "respawn", "url"};
    for (int64_t i = 0; i < at->n; i++) {
        bool found = false;
        for (size_t k = 0; k < REIN_COUNT(known); k++) found |= strcmp(known[k], at->key[i]) == 0;
        if (found) continue;
        const char *near = rein_nearest_name(at->key[i], known, REIN_COUNT(known));
        return rein_fail(REIN_ERR_USAGE, "%s:%d:%d: unknown key '%s'%s%s%s", at->file, at->child[i].line,
                         at->child[i].column, at->key[i], near ? "; did you mean '" : "", near ? near : "",
                         near ? "'" : "");
    }
    return REIN_OK;
}

static rein_status check_name(const rein_yaml_node *at, const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (!*name || strspn(name, letters) != strlen(name))
        return fail_at(at, "a server's name is letters, digits, _ and -");
    if (rein_tool_domain_find(name) || strcmp(name, "filter") == 0)
        return fail_at(at, "this name is taken by a built-in server");
    return REIN_OK;
}

static rein_status read_server(rein_tool_server *out, rein_arena *arena, const rein_yaml_node *at, const char *name) {
    const char *command = NULL;
    int64_t n;
    REIN_TRY(check_name(at, name));
    if (at->kind != REIN_YAML_MAPPING) return fail_at(at, "expected a mapping with a key command or url");
    REIN_TRY(check_keys(at));
    const rein_yaml_node *node = rein_yaml_get(at, "command"), *url = rein_yaml_get(at, "url");
    if (!node == !url) return fail_at(at, "a server has either a command or a url");
    out->name = name;
    if (url && at->n > 1) return fail_at(at, "a server at a url has no other keys");
    if (url) return read_text(&out->url, url);
    REIN_TRY(read_text(&command, node));
    REIN_TRY(read_list(&out->argv, &n, arena, command, rein_yaml_get(at, "args")));
    REIN_TRY(read_list(&out->show, &out->n_show, arena, NULL, rein_yaml_get(at, "show")));
    for (int64_t i = 0; i < out->n_show; i++)
        if (out->show[i][0] != '/' || strncmp(out->show[i], "/slot/", 6) == 0)
            return fail_at(at, "show takes absolute paths, none of them below /slot, where the slot's folder is");
    REIN_TRY(read_env(&out->env, arena, rein_yaml_get(at, "env")));
    if ((node = rein_yaml_get(at, "processes"))) REIN_TRY(read_flag(&out->processes, node));
    if ((node = rein_yaml_get(at, "respawn"))) REIN_TRY(read_flag(&out->respawn, node));
    return REIN_OK;
}

rein_status rein_tool_servers_load(rein_tool_server *out, int *n, rein_arena *arena, const char *path) {
    const rein_yaml_node *root;
    REIN_TRY(rein_yaml_load(&root, arena, path));
    if (root->kind != REIN_YAML_MAPPING || root->n == 0)
        return rein_fail(REIN_ERR_USAGE, "%s: expected a mapping of servers, as in \"name: {command: ...}\"", path);
    if (root->n > REIN_TOOL_SERVERS)
        return rein_fail(REIN_ERR_USAGE, "%s: more than %d servers", path, REIN_TOOL_SERVERS);
    for (int64_t i = 0; i < root->n; i++) {
        out[i] = (rein_tool_server){0};
        REIN_TRY(read_server(&out[i], arena, &root->child[i], root->key[i]));
    }
    *n = (int)root->n;
    return REIN_OK;
}
