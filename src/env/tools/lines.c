/* Files of JSON lines; see lines.h. */
#include "env/tools/lines.h"

#include <string.h>

#include "env/tools/folder.h"

rein_status rein_lines_put(int dir, const char *file, const char *const (*pair)[2], int n) {
    rein_str line = {0};
    const char *why;
    for (int i = 0; i < n; i++) {
        rein_str_puts(&line, i ? "," : "{");
        rein_json_put_string(&line, pair[i][0], strlen(pair[i][0]));
        rein_str_putc(&line, ':');
        rein_json_put_string(&line, pair[i][1], strlen(pair[i][1]));
    }
    rein_str_puts(&line, "}\n");
    rein_status status = rein_str_check(&line);
    if (status == REIN_OK) status = rein_folder_write(dir, file, line.data, line.len, REIN_FOLDER_APPEND, &why);
    if (status == REIN_OK && why) status = rein_fail(REIN_ERR_IO, "cannot write '%s': %s", file, why);
    rein_str_deinit(&line);
    return status;
}

static rein_status each(const rein_str *text, const char *file, rein_jsonl_fn fn, void *user) {
    int64_t line = 1;
    for (size_t at = 0, end; at < text->len; at = end + 1, line++) {
        struct json_object *row;
        const char *newline = memchr(text->data + at, '\n', text->len - at);
        end = newline ? (size_t)(newline - text->data) : text->len;
        REIN_TRY(rein_json_parse_line(&row, file, line, text->data + at, end - at));
        rein_status status = fn(user, line, row);
        json_object_put(row);
        REIN_TRY(status);
    }
    return REIN_OK;
}

rein_status rein_lines_each(int dir, const char *file, rein_jsonl_fn fn, void *user) {
    rein_str text = {0};
    const char *why;
    rein_status status = rein_folder_read(&text, dir, file, &why);
    if (status == REIN_OK && !why) status = each(&text, file, fn, user);
    rein_str_deinit(&text);
    return status;
}
