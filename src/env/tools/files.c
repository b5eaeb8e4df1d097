/* The domain files: a folder of the agent's, with the tool names of MCP's file system server. */
#include <string.h>

#include "base/json.h"
#include "env/tools/domain.h"
#include "env/tools/folder.h"

/* Where why is set, it becomes the reply. */
static rein_status finish(rein_tool_reply *out, const char *path, const char *why) {
    return why ? rein_tool_error(out, "'%.100s': %s", path, why) : REIN_OK;
}

static rein_status read_text_file(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *path, *why;
    if (!rein_tool_string(&path, args, "path", out)) return REIN_OK;
    REIN_TRY(rein_folder_read(out->text, at->dir, path, &why));
    return finish(out, path, why);
}

static rein_status write_file(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *path, *content, *why;
    if (!rein_tool_string(&path, args, "path", out) || !rein_tool_string(&content, args, "content", out))
        return REIN_OK;
    REIN_TRY(rein_folder_write(at->dir, path, content, strlen(content), REIN_FOLDER_REPLACE, &why));
    if (!why) rein_str_printf(out->text, "wrote %zu bytes to %s", strlen(content), path);
    return finish(out, path, why);
}

static rein_status list_directory(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *path, *why;
    if (!rein_tool_string(&path, args, "path", out)) return REIN_OK;
    const size_t before = out->text->len;
    REIN_TRY(rein_folder_list(out->text, at->dir, path, &why));
    if (!why && out->text->len == before) rein_str_puts(out->text, "the folder is empty");
    return finish(out, path, why);
}

static rein_status create_directory(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *path, *why;
    if (!rein_tool_string(&path, args, "path", out)) return REIN_OK;
    REIN_TRY(rein_folder_make(at->dir, path, &why));
    if (!why) rein_str_printf(out->text, "made %s", path);
    return finish(out, path, why);
}

static rein_status move_file(const rein_tool_place *at, struct json_object *args, rein_tool_reply *out) {
    const char *source, *destination, *why;
    if (!rein_tool_string(&source, args, "source", out) || !rein_tool_string(&destination, args, "destination", out))
        return REIN_OK;
    REIN_TRY(rein_folder_move(at->dir, source, destination, &why));
    if (!why) rein_str_printf(out->text, "moved %s to %s", source, destination);
    return finish(out, source, why);
}

#define OBJECT "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":"
#define PATH OBJECT "{\"path\":{\"type\":\"string\"}},\"required\":[\"path\"]}"

static const rein_tool tools[] = {
    {"read_text_file", "Content of a file.", PATH, read_text_file},
    {"write_file", "Write a file, replacing what it holds.",
     OBJECT "{\"path\":{\"type\":\"string\"},\"content\":{\"type\":\"string\"}},\"required\":[\"path\",\"content\"]}",
     write_file},
    {"list_directory", "Names in a folder; the top folder is \".\".", PATH, list_directory},
    {"create_directory", "Make a folder.", PATH, create_directory},
    {"move_file", "Move or rename a file.",
     OBJECT "{\"source\":{\"type\":\"string\"},\"destination\":{\"type\":\"string\"}},"
            "\"required\":[\"source\",\"destination\"]}",
     move_file},
};

const rein_tool_domain rein_domain_files = {"files", "a folder whose files can be read, written, listed and moved", tools,
                                            (int)REIN_COUNT(tools), false};
