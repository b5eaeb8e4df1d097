/* rein template: conversations, or any templates, as text. */
#include <string.h>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/model.h"
#include "io/model_text.h"
#include "run/resolve.h"
#include "text/chat.h"

typedef struct values {
    const char *model, *template, *input;
} values;

static const rein_option options[] = {
    {"model", REIN_OPT_STRING, offsetof(values, model), NULL, 0, 0, NULL,
     "model (directory, GGUF file, checkpoint or run) that has a chat template", "MODEL"},
    {"template", REIN_OPT_STRING, offsetof(values, template), NULL, 0, 0, NULL,
     "a chat template as text, instead of --model; special tokens are given as kwargs then", "FILE"},
    {"input", REIN_OPT_STRING, offsetof(values, input), NULL, 0, 0, NULL,
     "JSON lines: {\"messages\",\"tools\",\"add_generation_prompt\",\"kwargs\"}, or {\"template\",\"context\"}",
     "FILE"},
};

typedef struct work {
    FILE *out;
    const rein_chat_template *chat; /* or NULL */
} work;

static rein_status render_chat(rein_str *out, const work *w, struct json_object *row) {
    bool prompt = false;
    struct json_object *tools = json_object_object_get(row, "tools"), *kwargs = json_object_object_get(row, "kwargs");
    if (rein_json_has(row, "add_generation_prompt")) REIN_TRY(rein_json_bool(&prompt, row, "add_generation_prompt"));
    return rein_chat_render(out, NULL, w->chat, json_object_object_get(row, "messages"), tools, prompt, kwargs);
}

static rein_status render_template(rein_str *out, struct json_object *row) {
    const char *text;
    size_t len;
    struct json_object *context;
    rein_jinja *t;
    REIN_TRY(rein_json_string(&text, &len, row, "template"));
    REIN_TRY(rein_json_object(&context, row, "context"));
    REIN_TRY(rein_jinja_parse(&t, "template", text, len));
    rein_status status = rein_jinja_render(out, NULL, t, context);
    rein_jinja_destroy(t);
    return status;
}

/* An error of the template or of its input is this row's result; any other ends the command. */
static rein_status write_row(void *user, int64_t line, struct json_object *row) {
    const work *w = user;
    rein_str text = {0}, result = {0};
    bool own = rein_json_has(row, "template");
    if (!own && !w->chat)
        return rein_fail(REIN_ERR_USAGE, "line %lld has messages; give --model DIR or --template FILE",
                         (long long)line);
    rein_status status = own ? render_template(&text, row) : render_chat(&text, w, row);
    if (status == REIN_OK || status == REIN_ERR_FORMAT) {
        const char *shown = status == REIN_OK ? (text.data ? text.data : "") : rein_error_message();
        rein_str_puts(&result, status == REIN_OK ? "{\"text\":" : "{\"error\":");
        rein_json_put_string(&result, shown, status == REIN_OK ? text.len : strlen(shown));
        rein_str_puts(&result, "}\n");
        status = rein_str_check(&result);
        if (status == REIN_OK) fwrite(result.data, 1, result.len, w->out);
    }
    rein_str_deinit(&text);
    rein_str_deinit(&result);
    return status;
}

static rein_status open_template(rein_chat_template **out, const values *v) {
    rein_arena arena = {0};
    rein_str text = {0};
    char *dir;
    rein_status status = REIN_OK;
    if (v->model) {
        status = rein_model_dir_resolve(&dir, &arena, v->model);
        if (status == REIN_OK) status = rein_model_text_need_chat(out, dir, NULL);
    } else if (v->template) {
        status = rein_file_read(&text, v->template);
        if (status == REIN_OK)
            status = rein_chat_template_create(out, v->template, text.data ? text.data : "", text.len, NULL, 0);
    }
    rein_str_deinit(&text);
    rein_arena_deinit(&arena);
    return status;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    rein_chat_template *chat = NULL;
    (void)words, (void)n_words;
    if (v->model && v->template) return rein_fail(REIN_ERR_USAGE, "give --model or --template, not both");
    REIN_TRY(rein_cli_require(v->input, "input"));
    REIN_TRY(open_template(&chat, v));
    rein_status status = rein_jsonl_each(v->input, write_row, &(work){cli->out, chat});
    rein_chat_template_destroy(chat);
    return status;
}

const rein_command rein_cmd_template = {
    "template", NULL, "render chat templates", options, REIN_COUNT(options), sizeof(values), 0, 0, run, NULL, 0};
