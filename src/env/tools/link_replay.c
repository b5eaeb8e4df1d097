/* Calls answered from a record; see link.h and record.h. */
#include "base/json.h"
#include "env/tools/link.h"
#include "env/tools/record.h"

typedef struct replay_link {
    rein_tool_link link;
    const rein_tool_replay *record;
} replay_link;

static rein_status replay_reset(rein_tool_link *link, uint64_t world) {
    (void)world;
    rein_str_clear(&link->broken);
    return REIN_OK;
}

static rein_status replay_start(rein_tool_link *link, const char *tool, struct json_object *args) {
    const rein_tool_recorded *row = rein_tool_replay_answer(((replay_link *)link)->record, link->history);
    (void)args;
    rein_str_clear(&link->text);
    rein_str_clear(&link->broken);
    link->is_error = row && row->is_error;
    if (row)
        rein_str_append(&link->text, row->text, row->len);
    else
        rein_str_printf(&link->broken, "the record has no answer to this call of '%s' after these calls", tool);
    REIN_TRY(rein_str_check(&link->broken));
    return rein_str_check(&link->text);
}

static rein_status replay_poll(rein_tool_link *link, int wait_ms, bool *ready) {
    (void)link, (void)wait_ms;
    *ready = true;
    return REIN_OK;
}

static int replay_descriptors(const rein_tool_link *link, struct pollfd *out, int most) {
    (void)link, (void)out, (void)most;
    return 0;
}

static void replay_close(rein_tool_link *link) { (void)link; }

static const rein_tool_link_class replay_class = {replay_reset, replay_start, replay_poll, replay_descriptors,
                                                  replay_close};

/* A copy: the list of a link is changed by nobody else, and its references are counted by one thread. */
static rein_status copy_tools(struct json_object **out, struct json_object *tools) {
    *out = NULL;
    if (json_object_deep_copy(tools, out, NULL) == 0) return REIN_OK;
    return rein_fail(REIN_ERR_MEMORY, "out of memory for the list of tools");
}

rein_status rein_tool_link_replay(rein_tool_link **out, const struct rein_tool_replay *record) {
    replay_link *r;
    REIN_TRY(rein_alloc(&r, 1, sizeof *r));
    r->link.cls = &replay_class;
    r->record = record;
    rein_status status = copy_tools(&r->link.tools, record->tools);
    if (status == REIN_OK)
        *out = &r->link;
    else
        rein_tool_link_close(&r->link);
    return status;
}
