/* rein report RUN...: figures and one self-contained page from the run store. */
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "report/report.h"

enum { MAX_RUNS = 64 };

typedef struct report_values {
    const char *out, *format;
    int64_t trajectories, completions;
} report_values;

static const rein_option options[] = {
    {"out", REIN_OPT_STRING, offsetof(report_values, out), NULL, 0, 0, NULL,
     "where report.html and figures/ go; the first RUN if not given", "DIR"},
    {"format", REIN_OPT_STRING, offsetof(report_values, format), "html,svg,png,pdf", 0, 0, NULL,
     "what to write, separated by commas; the data of each figure (CSV) always", NULL},
    {"trajectories", REIN_OPT_INT, offsetof(report_values, trajectories), "2", 1, 4, NULL, "cases drawn per policy",
     NULL},
    {"completions", REIN_OPT_INT, offsetof(report_values, completions), "2", 0, 100, NULL,
     "sampled texts shown of a run's first and of its last logged step", NULL},
};

static rein_status parse_formats(const char *text, rein_report_options *o) {
    static const char *const name[] = {"svg", "png", "pdf", "html"}; /* bits of REIN_IMAGE_*, then the page */
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, ","), k = 0;
        while (k < REIN_COUNT(name) && (strlen(name[k]) != len || strncmp(name[k], at, len) != 0)) k++;
        if (k == REIN_COUNT(name))
            return rein_fail(REIN_ERR_USAGE, "--format: '%.*s' is none of html, svg, png, pdf", (int)len, at);
        if (k == REIN_COUNT(name) - 1)
            o->html = true;
        else
            o->formats |= 1 << k;
        at += len + (at[len] == ',');
    }
    return REIN_OK;
}

static rein_status run_report(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const report_values *v = opts->values;
    rein_report_options o = {
        .out_dir = v->out ? v->out : words[0], .n_trajectory = v->trajectories, .n_completion = v->completions};
    rein_str s = {0};
    REIN_TRY(parse_formats(v->format, &o));
    REIN_TRY(rein_report_write(words, n_words, &o));
    if (cli->json) rein_str_puts(&s, "{\"out\":");
    if (cli->json)
        rein_json_put_string(&s, o.out_dir, strlen(o.out_dir));
    else
        rein_str_printf(&s, "%s/%s", o.out_dir, o.html ? "report.html" : "figures");
    rein_str_puts(&s, cli->json ? "}\n" : "\n");
    rein_status status = rein_str_check(&s);
    if (status == REIN_OK) fwrite(s.data, 1, s.len, cli->out);
    rein_str_deinit(&s);
    return status;
}

const rein_command rein_cmd_report;
const rein_command rein_cmd_report = {.name = "report",
                                      .subject = "RUN...",
                                      .summary = "figures and one self-contained page from the run store",
                                      .options = options,
                                      .n_options = (int64_t)REIN_COUNT(options),
                                      .values_size = sizeof(report_values),
                                      .min_positional = 1,
                                      .max_positional = MAX_RUNS,
                                      .run = run_report};
