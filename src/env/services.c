/* The domains of the tool world as MCP services; see services.h. */
#include "env/services.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "env/tools/domain.h"
#include "env/tools/folder.h"
#include "rein/version.h"

typedef struct service {
    const rein_tool_domain *domain;
    rein_tool_place at;
} service;

static rein_status list(void *user, rein_str *out) {
    const rein_tool_domain *domain = ((service *)user)->domain;
    for (int i = 0; i < domain->n_tool; i++) {
        rein_str_putc(out, i ? ',' : '[');
        rein_tool_write(out, &domain->tool[i]);
    }
    rein_str_putc(out, ']');
    return rein_str_check(out);
}

/* The world may have been reset since the last call: where there is a file "seed", it is the seed. */
static rein_status read_seed(rein_tool_place *at) {
    rein_str text = {0};
    const char *why;
    rein_status status = rein_folder_read(&text, at->dir, REIN_TOOL_SEED_FILE, &why);
    if (status == REIN_OK && !why) at->seed = strtoull(text.data ? text.data : "", NULL, 10);
    rein_str_deinit(&text);
    return status;
}

static rein_status call(void *user, const char *name, struct json_object *args, rein_str *text, bool *is_error) {
    const service *s = user;
    rein_tool_reply reply = {.text = text};
    rein_tool_place at = s->at;
    const rein_tool *tool = NULL;
    for (int i = 0; i < s->domain->n_tool; i++)
        if (strcmp(s->domain->tool[i].name, name) == 0) tool = &s->domain->tool[i];
    if (!tool)
        (void)rein_tool_error(&reply, "unknown tool '%.60s'", name);
    else {
        if (s->domain->is_seeded) REIN_TRY(read_seed(&at));
        REIN_TRY(tool->call(&at, args, &reply));
    }
    *is_error = reply.is_error;
    return rein_str_check(text);
}

static rein_status open_domain(rein_mcp_service *out, const rein_tool_domain *domain, uint64_t seed,
                               const char *folder) {
    service *s;
    int dir;
    if (!folder && !domain->is_seeded)
        return rein_fail(REIN_ERR_USAGE, "service %s works on files: give --folder DIR", domain->name);
    REIN_TRY(rein_folder_open(&dir, folder ? folder : "."));
    rein_status status = rein_alloc(&s, 1, sizeof *s);
    if (status != REIN_OK) {
        close(dir);
        return status;
    }
    *s = (service){domain, {dir, seed}};
    *out = (rein_mcp_service){domain->name, REIN_VERSION, s, list, call};
    return REIN_OK;
}

static void service_close(rein_mcp_service *s) {
    if (s->user) close(((service *)s->user)->at.dir);
    rein_free(s->user);
    s->user = NULL;
}

static rein_status open_market(rein_mcp_service *out, uint64_t seed, const char *folder) {
    return open_domain(out, &rein_domain_market, seed, folder);
}
static rein_status open_chat(rein_mcp_service *out, uint64_t seed, const char *folder) {
    return open_domain(out, &rein_domain_chat, seed, folder);
}
static rein_status open_files(rein_mcp_service *out, uint64_t seed, const char *folder) {
    return open_domain(out, &rein_domain_files, seed, folder);
}
static rein_status open_search(rein_mcp_service *out, uint64_t seed, const char *folder) {
    return open_domain(out, &rein_domain_search, seed, folder);
}
static rein_status open_code(rein_mcp_service *out, uint64_t seed, const char *folder) {
    return open_domain(out, &rein_domain_code, seed, folder);
}

const rein_service *const *rein_services(void) {
    static const rein_service market = {"market", "quotes and facts of generated companies", open_market, service_close};
    static const rein_service chat = {"chat", "channels, kept in messages.jsonl", open_chat, service_close};
    static const rein_service files = {"files", "a folder of files", open_files, service_close};
    static const rein_service search = {"search", "documents about the companies", open_search, service_close};
    static const rein_service code = {"code", "arithmetic, and values in store.jsonl", open_code, service_close};
    static const rein_service *const services[] = {&market, &search, &chat, &files, &code, NULL};
    return services;
}
