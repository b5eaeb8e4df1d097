/*
 * The client under test of MCP's conformance suite (tools/check-mcp): it lists the tools of the server at the URL that
 * is its last argument, and calls them, through the library alone.
 *
 * Which calls: those of "toolCalls" in MCP_CONFORMANCE_CONTEXT, [{"name","arguments"}], if the scenario gives any; else
 * every tool, all at the same time, with arguments made from its schema. Errors of tools are results; exit status 1 if
 * there is no answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "mcp/client.h"

enum { CALLS_MOST = 64 };

/* A value of the schema's type; what is optional is left out. */
static struct json_object *make_value(struct json_object *schema) {
    struct json_object *type = json_object_object_get(schema, "type"),
                       *choices = json_object_object_get(schema, "enum");
    const char *name = type ? json_object_get_string(type) : "string";
    if (choices) return json_object_get(json_object_array_get_idx(choices, 0));
    if (strcmp(name, "integer") == 0 || strcmp(name, "number") == 0) return json_object_new_int(5);
    if (strcmp(name, "boolean") == 0) return json_object_new_boolean(1);
    if (strcmp(name, "array") == 0) return json_object_new_array();
    if (strcmp(name, "object") == 0) return json_object_new_object();
    return json_object_new_string("text");
}

/* What is called "schema" wants another tool's, as it was received: it is compared with what was sent. */
static struct json_object *other_schema(struct json_object *tool, struct json_object *tools) {
    for (size_t i = 0; i < json_object_array_length(tools); i++) {
        struct json_object *other = json_object_array_get_idx(tools, i);
        if (other != tool) return json_object_get(json_object_object_get(other, "inputSchema"));
    }
    return json_object_new_object();
}

static struct json_object *make_args(struct json_object *tool, struct json_object *tools) {
    struct json_object *args = json_object_new_object(), *schema = json_object_object_get(tool, "inputSchema");
    struct json_object *required = json_object_object_get(schema, "required");
    struct json_object *properties = json_object_object_get(schema, "properties");
    for (size_t i = 0; required && i < json_object_array_length(required); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(required, i));
        json_object_object_add(args, name,
                               strcmp(name, "schema") == 0 ? other_schema(tool, tools)
                                                           : make_value(json_object_object_get(properties, name)));
    }
    return args;
}

/* The calls to make: [{"name","arguments"}]; the caller owns it. */
static rein_status choose_calls(struct json_object **out, struct json_object *tools) {
    const char *text = getenv("MCP_CONFORMANCE_CONTEXT");
    struct json_object *context = NULL, *calls;
    if (text) REIN_TRY(rein_json_parse(&context, "MCP_CONFORMANCE_CONTEXT", text, strlen(text)));
    bool given = context && json_object_object_get_ex(context, "toolCalls", &calls);
    *out = given ? json_object_get(calls) : json_object_new_array();
    for (size_t i = 0; !given && i < json_object_array_length(tools); i++) {
        struct json_object *tool = json_object_array_get_idx(tools, i), *call = json_object_new_object();
        json_object_object_add(call, "name", json_object_get(json_object_object_get(tool, "name")));
        json_object_object_add(call, "arguments", make_args(tool, tools));
        json_object_array_add(*out, call);
    }
    json_object_put(context);
    return REIN_OK;
}

static rein_status finish(rein_mcp_client *c, int64_t id, const char *what) {
    rein_mcp_result r;
    REIN_TRY(rein_mcp_wait(c, id, &r));
    printf("%s: %s%s\n", what, r.failed ? "no answer: " : r.is_error ? "error: " : "", r.text.data ? r.text.data : "");
    rein_status status = r.failed ? rein_fail(REIN_ERR_IO, "%s: no answer", what) : REIN_OK;
    rein_mcp_result_deinit(&r);
    return status;
}

static rein_status make_calls(rein_mcp_client *c, struct json_object *calls) {
    int64_t id[CALLS_MOST];
    size_t n = json_object_array_length(calls);
    if (n > CALLS_MOST) return rein_fail(REIN_ERR_ARG, "%zu calls: at most %d", n, CALLS_MOST);
    for (size_t i = 0; i < n; i++) {
        struct json_object *call = json_object_array_get_idx(calls, i);
        const char *name;
        REIN_TRY(rein_json_string(&name, NULL, call, "name"));
        REIN_TRY(rein_mcp_call(c, name, json_object_object_get(call, "arguments"), &id[i]));
    }
    for (size_t i = 0; i < n; i++)
        REIN_TRY(finish(c, id[i],
                        json_object_get_string(json_object_object_get(json_object_array_get_idx(calls, i), "name"))));
    return REIN_OK;
}

static rein_status talk(rein_mcp_client *c) {
    struct json_object *calls = NULL;
    rein_mcp_result r = {0};
    int64_t id;
    rein_status status;
    REIN_TRY_OUT(status, rein_mcp_list(c, &id), out);
    REIN_TRY_OUT(status, rein_mcp_wait(c, id, &r), out);
    printf("protocol %s\n", rein_mcp_version(c));
    if (r.is_error || r.failed) { /* a server without tools is one, too */
        printf("tools/list: %s\n", r.text.data ? r.text.data : "");
        status = r.failed ? rein_fail(REIN_ERR_IO, "%s", r.text.data) : REIN_OK;
        goto out;
    }
    REIN_TRY_OUT(status, choose_calls(&calls, json_object_object_get(r.value, "tools")), out);
    status = make_calls(c, calls);
out:
    json_object_put(calls);
    rein_mcp_result_deinit(&r);
    return status;
}

int main(int argc, char **argv) {
    rein_mcp_client *c;
    if (argc < 2) return 2;
    rein_status status = rein_mcp_open(&c, &(rein_mcp_options){.url = argv[argc - 1], .accept_defaults = true});
    if (status == REIN_OK) status = talk(c);
    if (status != REIN_OK) fprintf(stderr, "%s\n", rein_error_message());
    rein_mcp_close(c);
    return status != REIN_OK;
}
