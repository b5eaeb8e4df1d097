/* Aliases of tools and arguments, as tables. An existing tool or argument is never renamed. */
#include <string.h>

#include "base/json.h"
#include "env/tools/tools.h"

typedef struct alias {
    const char *from, *to;
} alias;

static const alias names[] = {
    {"tavily_filter", "tavily_search"},     {"tavily_find", "tavily_search"}, {"send_message", "send_slack_message"},
    {"slack_send", "send_slack_message"},
};
static const alias arguments[] = {
    {"python_code", "code"}, {"script", "code"},   {"python", "code"},   {"search_query", "query"}, {"q", "query"},
    {"search", "query"},     {"ticker", "symbol"}, {"stock", "symbol"},  {"symbol", "ticker"},      {"stock", "ticker"},
    {"msg", "message"},      {"text", "message"},
};

struct json_object *rein_tools_named(struct json_object *tools, const char *name) {
    const size_t n = json_object_array_length(tools);
    for (size_t i = 0; i < n; i++) {
        struct json_object *tool = json_object_array_get_idx(tools, i), *own;
        if (json_object_object_get_ex(tool, "name", &own) && strcmp(json_object_get_string(own), name) == 0) return tool;
    }
    return NULL;
}

const char *rein_tools_alias(struct json_object *all, struct json_object *tools, const char *name) {
    if (rein_tools_named(all, name)) return name;
    for (size_t i = 0; i < REIN_COUNT(names); i++)
        if (strcmp(names[i].from, name) == 0 && rein_tools_named(tools, names[i].to)) return names[i].to;
    return name;
}

static bool has(struct json_object *object, const char *key) { return json_object_object_get_ex(object, key, NULL); }

int rein_tools_alias_arguments(struct json_object *tool, struct json_object *args) {
    struct json_object *schema, *properties, *value;
    int renamed = 0;
    if (!json_object_object_get_ex(tool, "inputSchema", &schema) ||
        !json_object_object_get_ex(schema, "properties", &properties))
        return 0;
    for (size_t i = 0; i < REIN_COUNT(arguments); i++) {
        const alias *a = &arguments[i];
        if (has(properties, a->from) || !has(properties, a->to) || has(args, a->to)) continue;
        if (!json_object_object_get_ex(args, a->from, &value)) continue;
        json_object_object_add(args, a->to, json_object_get(value));
        json_object_object_del(args, a->from);
        renamed++;
    }
    return renamed;
}
