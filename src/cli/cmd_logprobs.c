/* rein logprobs and rein grad: a model's own numbers for given texts, for comparing with another program. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/model.h"
#include "model/leaf.h"

typedef struct values {
    const char *model, *adapter, *input, *out;
    int64_t top, max_length;
    double temperature;
} values;

static const rein_option logprobs_options[] = {
    {"model", REIN_OPT_STRING, offsetof(values, model), NULL, 0, 0, NULL, "model directory, GGUF file, checkpoint or run", "MODEL"},
    {"adapter", REIN_OPT_STRING, offsetof(values, adapter), NULL, 0, 0, NULL, "adapter to put on the model", "DIR"},
    {"max_model_length", REIN_OPT_INT, offsetof(values, max_length), "0", 0, 4194304, NULL, REIN_CLI_MAX_LENGTH_HELP, NULL},
    {"input", REIN_OPT_STRING, offsetof(values, input), NULL, 0, 0, NULL,
     "JSONL of {\"ids\":[..]} or {\"text\":str}, at least two tokens each", "FILE"},
    {"top", REIN_OPT_INT, offsetof(values, top), "0", 0, 1 << 16, NULL, "also the K most probable tokens of each place", "K"},
    {"temperature", REIN_OPT_FLOAT, offsetof(values, temperature), "1", 0.000001, 100, NULL, "divides the logits", NULL},
};

static const rein_option grad_options[] = {
    {"model", REIN_OPT_STRING, offsetof(values, model), NULL, 0, 0, NULL, "model directory, GGUF file, checkpoint or run", "MODEL"},
    {"adapter", REIN_OPT_STRING, offsetof(values, adapter), NULL, 0, 0, NULL, "adapter to put on the model", "DIR"},
    {"max_model_length", REIN_OPT_INT, offsetof(values, max_length), "0", 0, 4194304, NULL, REIN_CLI_MAX_LENGTH_HELP, NULL},
    {"input", REIN_OPT_STRING, offsetof(values, input), NULL, 0, 0, NULL,
     "JSONL of {\"ids\":[..]} or {\"text\":str}, at least two tokens each", "FILE"},
    {"out", REIN_OPT_STRING, offsetof(values, out), NULL, 0, 0, NULL, "write the gradients, named as in the model's or the adapter's file",
     "FILE.safetensors"},
};

/* Each text is a span of its own; every token but its first is read. */
typedef struct texts {
    rein_cli_model m;
    rein_forest forest;
    rein_forest_plan plan;
    rein_leaf leaf;
    float *logp, *aux; /* (n_tok) */
} texts;

static rein_status add_row(void *user, int64_t line, struct json_object *row) {
    texts *t = user;
    rein_ids ids = {0};
    uint8_t *want = NULL;
    rein_status status;
    (void)line;
    REIN_TRY_OUT(status, rein_cli_row_ids(&ids, t->m.tokenizer, row), out);
    if (ids.n < 2 || ids.n > t->m.model->n_pos) {
        status = rein_fail(REIN_ERR_FORMAT, "%lld tokens: expected 2 to %lld", (long long)ids.n,
                           (long long)t->m.model->n_pos);
        goto out;
    }
    for (int64_t i = 0; i < ids.n; i++)
        if (ids.data[i] < 0 || ids.data[i] >= t->m.model->cfg.V) {
            status = rein_fail(REIN_ERR_FORMAT, "id %d at %lld is outside the vocabulary of %lld", ids.data[i],
                               (long long)i, (long long)t->m.model->cfg.V);
            goto out;
        }
    REIN_TRY_OUT(status, rein_alloc(&want, ids.n, 1), out);
    memset(want + 1, 1, (size_t)ids.n - 1);
    REIN_TRY_OUT(status, rein_forest_add(&t->forest, -1, ids.data, want, ids.n, NULL), out);
out:
    rein_free(want);
    rein_ids_deinit(&ids);
    return status;
}

static rein_status open_texts(texts *t, const rein_cli *cli, const values *v, float temperature, bool trained) {
    REIN_TRY(rein_cli_require(v->model, "model"));
    REIN_TRY(rein_cli_require(v->input, "input"));
    REIN_TRY(rein_cli_model_open_adapted(&t->m, cli, v->model, v->adapter, v->max_length, trained));
    REIN_TRY(rein_jsonl_each(v->input, add_row, t));
    if (t->forest.n_span == 0) return rein_fail(REIN_ERR_FORMAT, "%s: no rows", v->input);
    REIN_TRY(rein_alloc(&t->logp, t->forest.n_tok, sizeof *t->logp));
    REIN_TRY(rein_alloc(&t->aux, t->forest.n_tok, sizeof *t->aux));
    REIN_TRY(rein_forest_plan_make(&t->plan, &t->forest, 4096));
    REIN_TRY(rein_leaf_init(&t->leaf, t->m.model));
    rein_leaf_sampling how = {.temperature = temperature};
    return rein_leaf_begin(&t->leaf, &t->forest, &t->plan, &how);
}

static void close_texts(texts *t) {
    rein_leaf_deinit(&t->leaf);
    rein_forest_plan_deinit(&t->plan);
    rein_forest_deinit(&t->forest);
    rein_free(t->logp);
    rein_free(t->aux);
    rein_cli_model_close(&t->m);
}

/* ---- logprobs ---- */

/* The K largest log-probs at the row before each token, largest first, ties by id. */
static rein_status put_top(texts *t, rein_str *line, int64_t row, int64_t K, float temperature) {
    int64_t V = t->m.model->cfg.V;
    float *logits, stat[2], logp;
    rein_device *dev = t->m.dev;
    REIN_TRY(rein_head_logits(&t->leaf.pass, &row, 1, &logits));
    rein_str_putc(line, '[');
    for (int64_t k = 0; k < K && k < V; k++) {
        int64_t best = -1;
        for (int64_t v = 0; v < V; v++)
            if (!isnan(logits[v]) && (best < 0 || logits[v] > logits[best])) best = v;
        rein_read read = {.target = (int32_t)best, .temperature = temperature};
        if (k == 0) dev->ops->logprob(dev, &logp, stat, NULL, logits, &read, 1, V);
        rein_str_printf(line, "%s[%lld,", k ? "," : "", (long long)best);
        rein_json_put_f32(line, (logits[best] / temperature - stat[0]) - stat[1]);
        rein_str_putc(line, ']');
        logits[best] = NAN; /* taken */
    }
    rein_str_putc(line, ']');
    return REIN_OK;
}

static rein_status put_span(texts *t, rein_str *line, int64_t row, const rein_span *s, const values *v) {
    double sum = 0;
    rein_str_puts(line, "{\"ids\":");
    rein_cli_put_ids(line, t->forest.ids + s->tok, s->n);
    rein_str_puts(line, ",\"logprobs\":[null");
    for (int64_t i = 1; i < s->n; i++) {
        rein_str_putc(line, ',');
        rein_json_put_f32(line, t->logp[s->tok + i]);
        sum += (double)t->logp[s->tok + i];
    }
    rein_str_puts(line, "],\"sum\":");
    rein_json_put_f64(line, sum);
    if (v->top > 0) {
        rein_str_puts(line, ",\"top\":[null");
        for (int64_t i = 1; i < s->n; i++) {
            rein_str_putc(line, ',');
            REIN_TRY(put_top(t, line, row + i - 1, v->top, (float)v->temperature));
        }
        rein_str_putc(line, ']');
    }
    rein_str_puts(line, "}\n");
    return rein_str_check(line);
}

static rein_status print_logprobs(const rein_cli *cli, texts *t, const values *v) {
    rein_str line = {0};
    rein_status status = REIN_OK;
    for (int64_t p = 0; p < t->plan.n_part && status == REIN_OK; p++) {
        status = rein_leaf_forward(&t->leaf, p, &(rein_leaf_values){.logp = t->logp});
        for (int64_t i = 0; i < t->plan.part[p].n_entry && status == REIN_OK; i++) {
            rein_str_clear(&line);
            status = put_span(t, &line, t->leaf.batch.runs[i].row, &t->forest.span[t->plan.part[p].entry[i]], v);
            if (status == REIN_OK) fwrite(line.data, 1, line.len, cli->out);
        }
    }
    rein_str_deinit(&line);
    return status;
}

static rein_status run_logprobs(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    texts t = {0};
    (void)words;
    (void)n_words;
    rein_status status = open_texts(&t, cli, v, (float)v->temperature, false);
    if (status == REIN_OK) status = print_logprobs(cli, &t, v);
    close_texts(&t);
    return status;
}

/* ---- grad ---- */

static rein_status gradients(texts *t, rein_grads *g, double *loss, double *norm) {
    const rein_model *m = t->m.model;
    int64_t reads = t->forest.n_tok - t->forest.n_span;
    for (int64_t i = 0; i < t->forest.n_tok; i++) t->aux[i] = -1.0f / (float)reads;
    *loss = *norm = 0;
    for (int64_t p = 0; p < t->plan.n_part; p++) {
        REIN_TRY(rein_leaf_forward(&t->leaf, p, &(rein_leaf_values){.logp = t->logp}));
        REIN_TRY(rein_leaf_backward(&t->leaf, &(rein_leaf_gradient){.logp = t->aux}, g));
    }
    rein_grads_finish(g, m);
    for (int64_t i = 0; i < t->forest.n_tok; i++)
        if (t->forest.want[i]) *loss -= (double)t->logp[i] / (double)reads;
    REIN_TRY(rein_params_sumsq(m, g->flat, norm));
    *norm = sqrt(*norm);
    return REIN_OK;
}

static rein_status run_grad(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    texts t = {0};
    rein_grads g = {0};
    double loss = 0, norm = 0;
    (void)words;
    (void)n_words;
    rein_status status = open_texts(&t, cli, v, 1, true);
    if (status == REIN_OK) status = rein_grads_init(&g, t.m.model);
    if (status == REIN_OK) status = gradients(&t, &g, &loss, &norm);
    if (status == REIN_OK && v->out) status = rein_params_write(t.m.model, g.flat, v->out);
    if (status == REIN_OK) fprintf(cli->out, "{\"loss\":%.17g,\"grad_norm\":%.17g}\n", loss, norm);
    rein_grads_deinit(&g);
    close_texts(&t);
    return status;
}

const rein_command rein_cmd_logprobs = {"logprobs", NULL, "teacher-forced log-probs of texts", logprobs_options,
                                        REIN_COUNT(logprobs_options), sizeof(values), 0, 0, run_logprobs, NULL, 0};
const rein_command rein_cmd_grad = {"grad", NULL, "loss and gradients of the mean NLL of texts", grad_options,
                                    REIN_COUNT(grad_options), sizeof(values), 0, 0, run_grad, NULL, 0};
