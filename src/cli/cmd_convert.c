/* rein convert IN OUT: a model (Hugging Face directory, GGUF file, checkpoint, run) as another directory or GGUF file.
 */
#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"
#include "io/export.h"
#include "report/summary.h"
#include "run/resolve.h"
#include "run/run.h"

enum { FORMAT_AUTO, FORMAT_HF, FORMAT_GGUF };
enum { DTYPE_KEEP, DTYPE_F32, DTYPE_BF16, DTYPE_F16, DTYPE_Q8_0 };

typedef struct values {
    int format, dtype;
    const char *max_shard_size;
} values;

static const rein_option options[] = {
    {.name = "format",
     .type = REIN_OPT_CHOICE,
     .offset = offsetof(values, format),
     .def = "auto",
     .choices = "auto|hf|gguf",
     .help = "a directory or a GGUF file; auto: gguf if OUT ends with .gguf"},
    {.name = "dtype",
     .type = REIN_OPT_CHOICE,
     .offset = offsetof(values, dtype),
     .def = "keep",
     .choices = "keep|f32|bf16|f16|q8_0",
     .help = "element type of the weights; keep: as they are (quantised ones become f32 in a directory)"},
    {.name = "max_shard_size",
     .type = REIN_OPT_STRING,
     .offset = offsetof(values, max_shard_size),
     .metavar = "SIZE",
     .help = "largest file of a directory, e.g. 5GB, 500MB, 200KB, or bytes; default: one file"},
};

/* ---- options ---- */

/* Decimal units, as transformers reads them. */
static rein_status parse_size(int64_t *out, const char *text) {
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1}, {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}};
    int64_t n = 0;
    const char *p = text;
    while (isdigit((unsigned char)*p) && n < INT64_C(1000000000000)) n = 10 * n + (*p++ - '0');
    for (size_t i = 0; p > text && n > 0 && i < REIN_COUNT(units); i++) {
        if (strcmp(p, units[i].unit) != 0 || __builtin_mul_overflow(n, units[i].factor, out)) continue;
        return REIN_OK;
    }
    return rein_fail(REIN_ERR_USAGE,
                     "--max_shard_size '%s' is no size; expected e.g. 5GB, 500MB, 200KB or a number of bytes", text);
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static rein_status read_options(rein_export_options *out, bool *gguf, const values *v, const char *path) {
    static const rein_dtype dtypes[] = {
        [DTYPE_F32] = REIN_F32, [DTYPE_BF16] = REIN_BF16, [DTYPE_F16] = REIN_F16, [DTYPE_Q8_0] = REIN_Q8_0};
    *gguf = v->format == FORMAT_GGUF || (v->format == FORMAT_AUTO && ends_with(path, ".gguf"));
    *out = (rein_export_options){.keep_dtype = v->dtype == DTYPE_KEEP, .dtype = dtypes[v->dtype]};
    if (!*gguf && v->dtype == DTYPE_Q8_0)
        return rein_fail(REIN_ERR_USAGE, "--dtype q8_0 needs --format gguf: a Hugging Face directory cannot hold it");
    if (*gguf && v->max_shard_size)
        return rein_fail(REIN_ERR_USAGE, "--max_shard_size needs --format hf: a GGUF file is one file");
    return v->max_shard_size ? parse_size(&out->max_bytes, v->max_shard_size) : REIN_OK;
}

/* ---- figures of a run ---- */

static rein_status add_figure(rein_export_options *o, rein_arena *arena, const rein_eval *e, const char *policy,
                              const char *what, const rein_estimate *x, rein_card_figure *list) {
    char *name;
    if (x->n == 0) return REIN_OK;
    REIN_TRY(rein_path_format(arena, &name, "%s, step %lld, %s: %s", e->name, (long long)e->step, policy, what));
    list[o->n_figures++] = (rein_card_figure){name, x->mean, x->lo, x->hi, x->n};
    return REIN_OK;
}

static rein_status add_evaluation(rein_export_options *o, rein_arena *arena, const rein_eval *e,
                                  rein_card_figure *list) {
    rein_policy_summary *summary;
    REIN_TRY(rein_summarize(e, arena, &summary));
    for (int64_t p = 0; p < e->n_policy; p++) {
        const char *policy = e->policies[p].name;
        REIN_TRY(add_figure(o, arena, e, policy, "reward", &summary[p].reward, list));
        REIN_TRY(add_figure(o, arena, e, policy, "success rate", &summary[p].success, list));
    }
    return REIN_OK;
}

/* If the model is a run, what it measured goes to the card. */
static rein_status read_figures(rein_export_options *o, rein_arena *arena, const char *path) {
    rein_rundir *run;
    rein_eval *evals;
    rein_card_figure *list;
    int64_t n, n_policy = 0;
    rein_status status;
    if (!rein_rundir_exists(path)) return REIN_OK;
    REIN_TRY(rein_rundir_open(&run, path, false));
    REIN_TRY_OUT(status, rein_read_evals(run, arena, &evals, &n), out);
    for (int64_t i = 0; i < n; i++) n_policy += evals[i].n_policy;
    REIN_TRY_OUT(status, rein_arena_alloc(arena, &list, sizeof *list * (size_t)(2 * n_policy + 1)), out);
    for (int64_t i = 0; i < n; i++) REIN_TRY_OUT(status, add_evaluation(o, arena, &evals[i], list), out);
    o->figures = list;
out:
    rein_rundir_close(run);
    return status;
}

/* ---- the command ---- */

static rein_status print_result(const rein_cli *cli, const rein_source *s, const char *path, bool gguf) {
    rein_str line = {0};
    if (!cli->json) {
        rein_str_printf(&line, "%s: %lld tensors of %s as %s\n", path, (long long)rein_source_count(s),
                        rein_source_path(s), gguf ? "GGUF" : "a Hugging Face directory");
    } else {
        rein_str_puts(&line, "{\"in\":");
        rein_json_put_string(&line, rein_source_path(s), strlen(rein_source_path(s)));
        rein_str_puts(&line, ",\"out\":");
        rein_json_put_string(&line, path, strlen(path));
        rein_str_printf(&line, ",\"format\":\"%s\",\"tensors\":%lld}\n", gguf ? "gguf" : "hf",
                        (long long)rein_source_count(s));
    }
    rein_status status = rein_str_check(&line);
    if (status == REIN_OK && fwrite(line.data, 1, line.len, cli->out) != line.len)
        status = rein_fail(REIN_ERR_IO, "cannot write the result");
    rein_str_deinit(&line);
    return status;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    rein_export_options o;
    rein_source *s = NULL;
    rein_arena arena = {0};
    char *path;
    bool gguf;
    rein_status status;
    (void)n_words;
    REIN_TRY_OUT(status, read_options(&o, &gguf, opts->values, words[1]), out);
    REIN_TRY_OUT(status, rein_model_dir_resolve(&path, &arena, words[0]), out);
    REIN_TRY_OUT(status, rein_source_open(&s, path), out);
    REIN_TRY_OUT(status, read_figures(&o, &arena, words[0]), out);
    REIN_TRY_OUT(status, (gguf ? rein_export_gguf : rein_export_hf)(words[1], s, &o), out);
    status = print_result(cli, s, words[1], gguf);
out:
    rein_source_close(s);
    rein_arena_deinit(&arena);
    return status;
}

const rein_command rein_cmd_convert = {
    .name = "convert",
    .subject = "IN OUT",
    .summary =
        "a model directory, GGUF file, checkpoint or run as a new directory or GGUF file; nothing is overwritten",
    .options = options,
    .n_options = REIN_COUNT(options),
    .values_size = sizeof(values),
    .min_positional = 2,
    .max_positional = 2,
    .run = run,
};
