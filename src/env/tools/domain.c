/* What the domains share; see domain.h. */
#include "env/tools/domain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static const rein_tool_domain *const domains[] = {&rein_domain_market, &rein_domain_search, &rein_domain_chat,
                                                 &rein_domain_files, &rein_domain_code, NULL};

const rein_tool_domain *const *rein_tool_domains(void) { return domains; }

const rein_tool_domain *rein_tool_domain_find(const char *name) {
    for (const rein_tool_domain *const *d = domains; *d; d++)
        if (strcmp((*d)->name, name) == 0) return *d;
    return NULL;
}

const rein_tool *rein_tool_find(const char *name, const rein_tool_domain **domain) {
    for (const rein_tool_domain *const *d = domains; *d; d++)
        for (int i = 0; i < (*d)->n_tool; i++)
            if (strcmp((*d)->tool[i].name, name) == 0) {
                if (domain) *domain = *d;
                return &(*d)->tool[i];
            }
    return NULL;
}

void rein_tool_write(rein_str *out, const rein_tool *tool) {
    rein_str_puts(out, "{\"name\":");
    rein_json_put_string(out, tool->name, strlen(tool->name));
    rein_str_puts(out, ",\"description\":");
    rein_json_put_string(out, tool->description, strlen(tool->description));
    rein_str_puts(out, ",\"inputSchema\":");
    rein_str_puts(out, tool->schema);
    rein_str_putc(out, '}');
}

rein_status rein_tool_error(rein_tool_reply *out, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    rein_str_puts(out->text, text);
    out->is_error = true;
    return REIN_OK;
}

bool rein_tool_string(const char **out, struct json_object *args, const char *key, rein_tool_reply *reply) {
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(args, key, &value)) {
        (void)rein_tool_error(reply, "argument '%s' is missing", key);
        return false;
    }
    *out = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
    if (*out && strlen(*out) == (size_t)json_object_get_string_len(value)) return true;
    (void)rein_tool_error(reply, "argument '%s' must be a string without NUL characters", key);
    return false;
}

bool rein_tool_integer(int64_t *out, struct json_object *args, const char *key, int64_t min, int64_t max,
                       rein_tool_reply *reply) {
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(args, key, &value)) return true;
    if (json_object_is_type(value, json_type_int)) {
        int64_t number = json_object_get_int64(value);
        *out = number;
        if (number >= min && number <= max) return true;
    }
    (void)rein_tool_error(reply, "argument '%s' must be an integer from %lld to %lld", key, (long long)min,
                          (long long)max);
    return false;
}
