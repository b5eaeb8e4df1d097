/* `rein loss CASES.json`: policy losses and advantages of given arrays, for comparing with another trainer. What a case
 * may hold is in rl/cases.h; its losses' options are the table of rl/loss_rows.c. */
#include "cli/cli.h"
#include "rl/cases.h"

static rein_status print_case(const rein_cli *cli, struct json_object *obj) {
    rein_arena arena = {0};
    rein_str line = {0};
    rein_rl_case c;
    rein_status status;
    REIN_TRY_OUT(status, rein_rl_case_run(&c, &arena, obj), out);
    rein_rl_case_write(&c, &line);
    rein_str_putc(&line, '\n');
    REIN_TRY_OUT(status, rein_str_check(&line), out);
    if (fwrite(line.data, 1, line.len, cli->out) != line.len)
        status = rein_fail(REIN_ERR_IO, "results: cannot write them");
out:
    rein_str_deinit(&line);
    rein_arena_deinit(&arena);
    return status;
}

/* A case that cannot be computed is named on stderr and fails the command, after the others are done. */
static rein_status run_cases(const rein_cli *cli, struct json_object *document) {
    struct json_object *cases;
    REIN_TRY(rein_json_array(&cases, document, "cases"));
    size_t n = json_object_array_length(cases), failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (print_case(cli, json_object_array_get_idx(cases, i)) == REIN_OK) continue;
        fprintf(stderr, "case %zu: %s\n", i, rein_error_message());
        failed++;
    }
    if (failed > 0) return rein_fail(REIN_ERR_ARG, "%zu of %zu cases were not computed", failed, n);
    return REIN_OK;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)opts;
    (void)n_words;
    struct json_object *document;
    REIN_TRY(rein_json_load(&document, words[0]));
    rein_status status = run_cases(cli, document);
    json_object_put(document);
    REIN_TRY(status);
    return REIN_OK;
}

const rein_command rein_cmd_loss = {
    .name = "loss",
    .subject = "CASES.json",
    .summary = "policy losses and advantages on given arrays, for comparing with another trainer",
    .min_positional = 1,
    .max_positional = 1,
    .run = run,
};
