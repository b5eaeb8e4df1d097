/* rein merge MODEL ADAPTER OUT: one dense model directory of a base and its adapter. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/model.h"
#include "io/model_text.h"

static rein_status write_model(const rein_cli_model *m, const char *dir) {
    REIN_TRY(rein_mkdirs(dir));
    REIN_TRY(rein_model_merge(m->model, dir));
    return rein_model_texts_copy(dir, rein_source_path(m->model->source));
}

static rein_status print_result(const rein_cli *cli, const char *dir, int64_t parameters) {
    rein_str s = {0};
    if (cli->json) {
        rein_str_puts(&s, "{\"model\":");
        rein_json_put_string(&s, dir, strlen(dir));
        rein_str_printf(&s, ",\"parameters\":%lld}\n", (long long)parameters);
    } else {
        rein_str_printf(&s, "%s  %lld parameters\n", dir, (long long)parameters);
    }
    rein_status status = rein_str_check(&s);
    if (status == REIN_OK) fputs(s.data, cli->out);
    rein_str_deinit(&s);
    return status;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    rein_arena arena = {0};
    rein_cli_model m = {0};
    char *dir;
    rein_status status;
    (void)opts, (void)n_words;
    if (rein_path_exists(words[2])) return rein_fail(REIN_ERR_USAGE, "'%s' is there already; name a new folder", words[2]);
    REIN_TRY_OUT(status, rein_path_format(&arena, &dir, "%s.tmp-%ld", words[2], (long)getpid()), out);
    REIN_TRY_OUT(status, rein_cli_model_open_adapted(&m, cli, words[0], words[1], 0, false), out);
    status = write_model(&m, dir);
    if (status == REIN_OK) status = rein_publish(dir, words[2]);
    if (status != REIN_OK && rein_remove_tree(dir) != REIN_OK) rein_log(REIN_LOG_WARN, "'%s' was left behind", dir);
    if (status == REIN_OK) status = print_result(cli, words[2], rein_model_count(m.model) - rein_model_trained(m.model));
out:
    rein_cli_model_close(&m);
    rein_arena_deinit(&arena);
    return status;
}

const rein_command rein_cmd_merge = {.name = "merge", .subject = "MODEL ADAPTER OUT",
                                     .summary = "write a model with its adapter's part added to the weights (f32)",
                                     .min_positional = 3, .max_positional = 3, .run = run};
