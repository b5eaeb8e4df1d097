/* Calls in this process; see link.h. */
#include "env/tools/link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "env/tools/domain.h"

enum { MOST = 8 };

typedef struct direct {
    rein_tool_link link;
    const rein_tool_domain *domain[MOST];
    int dir[MOST], n;
    uint64_t world;
} direct;

static direct *self(rein_tool_link *link) { return (direct *)link; }

static rein_status direct_reset(rein_tool_link *link, uint64_t world) {
    self(link)->world = world;
    return REIN_OK;
}

static const rein_tool *find(const direct *d, const char *name, int *dir) {
    for (int i = 0; i < d->n; i++)
        for (int k = 0; k < d->domain[i]->n_tool; k++)
            if (strcmp(d->domain[i]->tool[k].name, name) == 0) {
                *dir = d->dir[i];
                return &d->domain[i]->tool[k];
            }
    return NULL;
}

static rein_status direct_start(rein_tool_link *link, const char *name, struct json_object *args) {
    rein_tool_reply reply = {.text = &link->text};
    rein_tool_place at = {.seed = self(link)->world};
    const rein_tool *tool = find(self(link), name, &at.dir);
    rein_str_clear(&link->text);
    rein_str_clear(&link->broken);
    link->is_error = false;
    REIN_ASSERT(tool); /* what is not in the list of tools is not called */
    rein_status status = tool->call(&at, args, &reply);
    link->is_error = reply.is_error;
    if (status == REIN_ERR_MEMORY) return status;
    if (status != REIN_OK) rein_str_puts(&link->broken, rein_error_message());
    REIN_TRY(rein_str_check(&link->broken));
    return rein_str_check(&link->text);
}

static rein_status direct_poll(rein_tool_link *link, int wait_ms, bool *ready) {
    (void)link, (void)wait_ms;
    *ready = true;
    return REIN_OK;
}

static int direct_descriptors(const rein_tool_link *link, struct pollfd *out, int most) {
    (void)link, (void)out, (void)most;
    return 0;
}

static void direct_close(rein_tool_link *link) {
    for (int i = 0; i < self(link)->n; i++) close(self(link)->dir[i]);
}

static const rein_tool_link_class direct_class = {direct_reset, direct_start, direct_poll, direct_descriptors,
                                                  direct_close};

rein_status rein_tool_link_list(struct json_object *tools, const rein_tool_domain *domain) {
    rein_str text = {0};
    struct json_object *tool;
    rein_status status = REIN_OK;
    for (int i = 0; i < domain->n_tool && status == REIN_OK; i++) {
        rein_str_clear(&text);
        rein_tool_write(&text, &domain->tool[i]);
        status = rein_str_check(&text);
        if (status == REIN_OK) status = rein_json_parse(&tool, domain->tool[i].name, text.data, text.len);
        if (status == REIN_OK) json_object_array_add(tools, tool);
    }
    rein_str_deinit(&text);
    return status;
}

static rein_status add_domain(direct *d, const rein_tool_domain *domain, int root) {
    if (mkdirat(root, domain->name, 0777) < 0 && errno != EEXIST)
        return rein_fail(REIN_ERR_IO, "cannot make the folder '%s' of a slot: %s", domain->name, strerror(errno));
    int dir = openat(root, domain->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return rein_fail(REIN_ERR_IO, "cannot open the folder '%s': %s", domain->name, strerror(errno));
    d->domain[d->n] = domain;
    d->dir[d->n++] = dir;
    return rein_tool_link_list(d->link.tools, domain);
}

rein_status rein_tool_link_direct(rein_tool_link **out, unsigned domains, int root) {
    const rein_tool_domain *const *all = rein_tool_domains();
    rein_status status = REIN_OK;
    direct *d;
    REIN_TRY(rein_alloc(&d, 1, sizeof *d));
    d->link.cls = &direct_class;
    d->link.tools = json_object_new_array();
    if (!d->link.tools) status = rein_fail(REIN_ERR_MEMORY, "out of memory for the list of tools");
    for (int i = 0; all[i] && status == REIN_OK; i++)
        if (domains >> i & 1) status = add_domain(d, all[i], root);
    if (status == REIN_OK)
        *out = &d->link;
    else
        rein_tool_link_close(&d->link);
    return status;
}

void rein_tool_link_close(rein_tool_link *link) {
    if (!link) return;
    link->cls->close(link);
    json_object_put(link->tools);
    rein_str_deinit(&link->text);
    rein_str_deinit(&link->broken);
    rein_free(link);
}
