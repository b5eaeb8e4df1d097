/* rein mcp list, rein mcp call: a server's tools, and one call. rein mcp serve: a service of this build as a server. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "env/services.h"
#include "mcp/client.h"
#include "mcp/tools.h"

typedef struct values {
    double timeout, start_timeout;
    int64_t attempts;
    const char *header;
    bool accept_defaults;
} values;

static const rein_option options[] = {
    {"timeout", REIN_OPT_FLOAT, offsetof(values, timeout), "10", 0.001, 86400, NULL, "seconds to wait for an answer",
     "S"},
    {"start_timeout", REIN_OPT_FLOAT, offsetof(values, start_timeout), "30", 0.001, 86400, NULL,
     "seconds to wait for the session: start of the server and handshake", "S"},
    {"attempts", REIN_OPT_INT, offsetof(values, attempts), "3", 1, 100, NULL,
     "attempts when the transport fails (a server that dies, a refused connection)", NULL},
    {"header", REIN_OPT_STRING, offsetof(values, header), NULL, 0, 0, NULL,
     "a header of every HTTP request, as in \"Authorization: Bearer ...\"", "TEXT"},
    {"accept_defaults", REIN_OPT_BOOL, offsetof(values, accept_defaults), "false", 0, 0, NULL,
     "offer elicitation, and answer it with the defaults of its form", NULL},
};

/* Of the user's environment a server gets what programs are found by, no more. */
static rein_status put_environment(rein_str text[3], const char *env[4]) {
    static const char *const names[] = {"PATH", "HOME", "LANG"};
    int n = 0;
    for (size_t i = 0; i < REIN_COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (!value) continue;
        rein_str_printf(&text[n], "%s=%s", names[i], value);
        REIN_TRY(rein_str_check(&text[n]));
        env[n] = text[n].data;
        n++;
    }
    env[n] = NULL;
    return REIN_OK;
}

static bool is_url(const char *word) { return strncmp(word, "http://", 7) == 0 || strncmp(word, "https://", 8) == 0; }

/* The server that `where` names: a URL, or a command with its arguments. */
static rein_status open_server(rein_mcp_client **out, const values *v, const char **where, int n) {
    const char *argv[80], *env[4], *headers[] = {v->header, NULL};
    rein_str text[3] = {0};
    bool url = is_url(where[0]);
    if (url && n > 1) return rein_fail(REIN_ERR_USAGE, "'%s' behind the URL: it takes no arguments", where[1]);
    if (!url && v->header) return rein_fail(REIN_ERR_USAGE, "--header is for servers at a URL");
    for (int i = 0; i < n; i++) argv[i] = where[i];
    argv[n] = NULL;
    rein_status status = put_environment(text, env);
    if (status == REIN_OK)
        status = rein_mcp_open(out, &(rein_mcp_options){.argv = url ? NULL : argv,
                                                        .env = env,
                                                        .url = url ? where[0] : NULL,
                                                        .headers = v->header ? headers : NULL,
                                                        .timeout = v->timeout,
                                                        .start_timeout = v->start_timeout,
                                                        .attempts = (int)v->attempts,
                                                        .accept_defaults = v->accept_defaults});
    for (size_t i = 0; i < REIN_COUNT(text); i++) rein_str_deinit(&text[i]);
    return status;
}

static rein_status check_result(const rein_mcp_result *r) {
    if (r->failed) return rein_fail(REIN_ERR_IO, "the server gave no answer: %s", r->text.data ? r->text.data : "");
    return rein_str_check(&r->text);
}

static rein_status write_text(const rein_cli *cli, rein_str *text) {
    rein_status status = rein_str_check(text);
    if (status == REIN_OK) fwrite(text->data, 1, text->len, cli->out);
    rein_str_deinit(text);
    return status;
}

static void put_member(rein_str *out, const char *key, const char *text) {
    rein_str_printf(out, "\"%s\":", key);
    rein_json_put_string(out, text, strlen(text));
    rein_str_putc(out, ',');
}

static void put_health(rein_str *out, const rein_mcp_client *c) {
    rein_mcp_health h = rein_mcp_get_health(c);
    rein_str_puts(out, "\"health\":");
    rein_mcp_put_health(out, &h);
    rein_str_puts(out, "}\n");
}

/* ---- list ---- */

/* One line: the signature, and the first sentence of the description. */
static void put_tool(rein_str *out, struct json_object *tool) {
    struct json_object *description = json_object_object_get(tool, "description");
    const char *text = json_object_is_type(description, json_type_string) ? json_object_get_string(description) : "";
    rein_mcp_put_signature(out, tool);
    if (*text) rein_str_puts(out, "  ");
    const char *stop = strstr(text, ". ");
    size_t len = strcspn(text, "\r\n");
    rein_str_append(out, text, stop && (size_t)(stop - text) < len ? (size_t)(stop - text) : len);
    rein_str_putc(out, '\n');
}

static rein_status print_tools(const rein_cli *cli, const rein_mcp_client *c, struct json_object *value) {
    struct json_object *tools = json_object_object_get(value, "tools");
    rein_str text = {0};
    if (cli->json) {
        rein_str_putc(&text, '{');
        put_member(&text, "server", rein_mcp_server(c));
        put_member(&text, "version", rein_mcp_version(c));
        rein_str_printf(&text, "\"tools\":%s,", json_object_to_json_string_ext(tools, JSON_C_TO_STRING_PLAIN));
        put_health(&text, c);
    } else {
        rein_str_printf(&text, "# %s, protocol %s\n", rein_mcp_server(c), rein_mcp_version(c));
        for (size_t i = 0; i < json_object_array_length(tools); i++)
            put_tool(&text, json_object_array_get_idx(tools, i));
    }
    return write_text(cli, &text);
}

static rein_status run_list(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    rein_mcp_client *c;
    rein_mcp_result r = {0};
    int64_t id;
    rein_status status;
    REIN_TRY(open_server(&c, opts->values, words, n_words));
    REIN_TRY_OUT(status, rein_mcp_list(c, &id), out);
    REIN_TRY_OUT(status, rein_mcp_wait(c, id, &r), out);
    REIN_TRY_OUT(status, check_result(&r), out);
    if (r.is_error)
        status = rein_fail(REIN_ERR_IO, "the server lists no tools: %s", r.text.data);
    else
        status = print_tools(cli, c, r.value);
out:
    rein_mcp_result_deinit(&r);
    rein_mcp_close(c);
    return status;
}

/* ---- call ---- */

static rein_status print_result(const rein_cli *cli, const rein_mcp_client *c, const rein_mcp_result *r) {
    rein_str text = {0};
    const char *said = r->text.data ? r->text.data : "";
    if (cli->json) {
        rein_str_printf(&text, "{\"is_error\":%s,", r->is_error ? "true" : "false");
        rein_str_puts(&text, "\"text\":");
        rein_json_put_string(&text, said, r->text.len);
        rein_str_printf(&text, ",\"result\":%s,\"attempts\":%d,",
                        json_object_to_json_string_ext(r->value, JSON_C_TO_STRING_PLAIN), r->attempts);
        put_health(&text, c);
    } else {
        rein_str_append(&text, said, r->text.len);
        rein_str_putc(&text, '\n');
    }
    return write_text(cli, &text);
}

static rein_status call_tool(const rein_cli *cli, rein_mcp_client *c, const char *name, struct json_object *args) {
    rein_mcp_result r = {0};
    int64_t id;
    rein_status status;
    REIN_TRY_OUT(status, rein_mcp_call(c, name, args, &id), out);
    REIN_TRY_OUT(status, rein_mcp_wait(c, id, &r), out);
    REIN_TRY_OUT(status, check_result(&r), out);
    REIN_TRY_OUT(status, print_result(cli, c, &r), out);
    if (r.is_error) status = rein_fail(REIN_ERR_ARG, "tool '%s' reports an error", name);
out:
    rein_mcp_result_deinit(&r);
    return status;
}

static rein_status run_call(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    struct json_object *args = NULL;
    rein_mcp_client *c;
    if (rein_json_parse(&args, "arguments", words[1], strlen(words[1])) != REIN_OK)
        return rein_error_prefix(REIN_ERR_USAGE, "'%.60s'", words[1]);
    if (!json_object_is_type(args, json_type_object)) {
        json_object_put(args);
        return rein_fail(REIN_ERR_USAGE, "'%.60s': arguments are a JSON object, as in '{\"path\":\"a\"}'", words[1]);
    }
    rein_status status = open_server(&c, opts->values, words + 2, n_words - 2);
    if (status == REIN_OK) {
        status = call_tool(cli, c, words[0], args);
        rein_mcp_close(c);
    }
    json_object_put(args);
    return status;
}

/* ---- serve ---- */

typedef struct serve_values {
    int64_t seed;
    const char *folder;
} serve_values;

static const rein_option serve_options[] = {
    {"seed", REIN_OPT_INT, offsetof(serve_values, seed), "42", 0, 9007199254740992.0, NULL,
     "what the service holds is a function of it", NULL},
    {"folder", REIN_OPT_STRING, offsetof(serve_values, folder), NULL, 0, 0, NULL,
     "the files that the service works on, where it has any", "DIR"},
};

static rein_status unknown_service(const char *name) {
    const char *names[64];
    int64_t n = 0;
    for (const rein_service *const *s = rein_services(); *s && n < 64; s++) names[n++] = (*s)->name;
    const char *near = rein_nearest_name(name, names, n);
    return rein_fail(REIN_ERR_USAGE, "unknown service '%s'%s%s%s", name, near ? "; did you mean '" : "",
                     near ? near : "", near ? "'" : "");
}

static rein_status run_serve(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const serve_values *v = opts->values;
    const rein_service *const *s = rein_services();
    rein_mcp_service service = {0};
    (void)cli, (void)n_words;
    while (*s && strcmp((*s)->name, words[0]) != 0) s++;
    if (!*s) return unknown_service(words[0]);
    REIN_TRY((*s)->open(&service, (uint64_t)v->seed, v->folder));
    rein_status status = rein_mcp_serve(&service, STDIN_FILENO, STDOUT_FILENO);
    (*s)->close(&service);
    return status;
}

const rein_command rein_cmd_mcp_list = {"mcp list",
                                        "-- COMMAND ARGS...|URL",
                                        "tools of an MCP server",
                                        options,
                                        REIN_COUNT(options),
                                        sizeof(values),
                                        1,
                                        64,
                                        run_list,
                                        NULL,
                                        0};
const rein_command rein_cmd_mcp_call = {"mcp call",
                                        "TOOL JSON -- COMMAND ARGS...|URL",
                                        "call a tool of an MCP server",
                                        options,
                                        REIN_COUNT(options),
                                        sizeof(values),
                                        3,
                                        64,
                                        run_call,
                                        NULL,
                                        0};
const rein_command rein_cmd_mcp_serve = {"mcp serve",
                                         "NAME",
                                         "a service of this build as an MCP server on stdio",
                                         serve_options,
                                         REIN_COUNT(serve_options),
                                         sizeof(serve_values),
                                         1,
                                         1,
                                         run_serve,
                                         NULL,
                                         0};
