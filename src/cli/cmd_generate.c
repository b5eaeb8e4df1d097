/* rein generate: completions of prompts, as JSONL or as text. */
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/model.h"
#include "cli/progress.h"
#include "gen/generate.h"

typedef struct values {
    const char *model, *adapter, *prompt, *input, *stop;
    int64_t max_new_tokens, top_k, seed, max_batch, samples;
    double temperature, top_p, min_p;
    bool ignore_eos;
} values;

static const rein_option options[] = {
    {"model", REIN_OPT_STRING, offsetof(values, model), NULL, 0, 0, NULL, "model directory, checkpoint or run", "DIR"},
    {"adapter", REIN_OPT_STRING, offsetof(values, adapter), NULL, 0, 0, NULL, "adapter to put on the model", "DIR"},
    {"prompt", REIN_OPT_STRING, offsetof(values, prompt), NULL, 0, 0, NULL, "one prompt as text", "TEXT"},
    {"input", REIN_OPT_STRING, offsetof(values, input), NULL, 0, 0, NULL,
     "prompts: JSONL of {\"prompt\":str} or {\"ids\":[..]}", "FILE"},
    {"max_new_tokens", REIN_OPT_INT, offsetof(values, max_new_tokens), "0", 0, 1 << 20, NULL,
     "longest completion; 0: 128, or what the model's positions leave", NULL},
    {"temperature", REIN_OPT_FLOAT, offsetof(values, temperature), "1", 0, 100, NULL, "0 is greedy", NULL},
    {"top_k", REIN_OPT_INT, offsetof(values, top_k), "0", 0, 1 << 24, NULL, "keep the most probable k; 0: all", NULL},
    {"top_p", REIN_OPT_FLOAT, offsetof(values, top_p), "1", 0.000001, 1, NULL, "keep the smallest set with this probability", NULL},
    {"min_p", REIN_OPT_FLOAT, offsetof(values, min_p), "0", 0, 1, NULL, "keep tokens with this share of the best one's", NULL},
    {"seed", REIN_OPT_INT, offsetof(values, seed), "42", 0, 9007199254740992, NULL, "of the draws", NULL},
    {"num_samples", REIN_OPT_INT, offsetof(values, samples), "1", 1, 1 << 20, NULL, "completions of each prompt", NULL},
    {"stop", REIN_OPT_STRING, offsetof(values, stop), NULL, 0, 0, NULL, "end when this text appears", "TEXT"},
    {"ignore_eos", REIN_OPT_BOOL, offsetof(values, ignore_eos), "false", 0, 0, NULL, "go on after an end token", NULL},
    {"max_batch", REIN_OPT_INT, offsetof(values, max_batch), "64", 1, 1 << 16, NULL,
     "sequences decoded together; never changes a result", NULL},
};

typedef struct prompts {
    const rein_tokenizer *tokenizer;
    rein_ids *ids;
    int64_t n;
} prompts;

static rein_status add(prompts *p, rein_ids **out) {
    REIN_TRY(rein_realloc(&p->ids, p->n, p->n + 1, sizeof *p->ids));
    *out = &p->ids[p->n++];
    return REIN_OK;
}

static rein_status add_text(prompts *p, const char *text, size_t len) {
    rein_ids *ids;
    if (!p->tokenizer)
        return rein_fail(REIN_ERR_USAGE, "this model has no tokenizer.json; give prompts as {\"ids\":[..]}");
    REIN_TRY(add(p, &ids));
    return rein_tokenizer_encode(p->tokenizer, text, len, ids);
}

static rein_status add_ids(prompts *p, struct json_object *array) {
    rein_ids *ids;
    REIN_TRY(add(p, &ids));
    return rein_cli_ids(ids, array);
}

static rein_status add_row(void *user, int64_t line, struct json_object *row) {
    prompts *p = user;
    (void)line;
    if (rein_json_has(row, "ids")) {
        struct json_object *array;
        REIN_TRY(rein_json_array(&array, row, "ids"));
        return add_ids(p, array);
    }
    const char *text;
    size_t len;
    REIN_TRY(rein_json_string(&text, &len, row, "prompt"));
    return add_text(p, text, len);
}

static void put_floats(rein_str *s, const float *x, int64_t n) {
    rein_str_putc(s, '[');
    for (int64_t i = 0; i < n; i++) {
        if (i) rein_str_putc(s, ',');
        rein_json_put_f32(s, x[i]);
    }
    rein_str_putc(s, ']');
}

static rein_status print_json(FILE *out, const rein_ids *prompt, const rein_gen_sequence *s, const rein_str *text) {
    rein_str line = {0};
    rein_str_puts(&line, "{\"prompt_ids\":");
    rein_cli_put_ids(&line, prompt->data, prompt->n);
    rein_str_puts(&line, ",\"completion_ids\":");
    rein_cli_put_ids(&line, s->ids, s->n);
    rein_str_puts(&line, ",\"text\":");
    rein_json_put_string(&line, text->data ? text->data : "", text->len);
    rein_str_puts(&line, ",\"logprobs\":");
    put_floats(&line, s->logp, s->n);
    rein_str_printf(&line, ",\"finish_reason\":\"%s\"}\n", rein_finish_name(s->finish));
    rein_status status = rein_str_check(&line);
    if (status == REIN_OK) fwrite(line.data, 1, line.len, out);
    rein_str_deinit(&line);
    return status;
}

static rein_status print_all(const rein_cli *cli, const rein_cli_model *m, const prompts *p, const rein_gen *gen) {
    for (int64_t i = 0; i < gen->n_seq; i++) {
        rein_str text = {0};
        rein_status status = REIN_OK;
        if (m->tokenizer) status = rein_tokenizer_decode(m->tokenizer, gen->seq[i].ids, gen->seq[i].n, true, &text);
        if (status == REIN_OK && (cli->json || !m->tokenizer))
            status = print_json(cli->out, &p->ids[gen->seq[i].prompt], &gen->seq[i], &text);
        else if (status == REIN_OK)
            fprintf(cli->out, "%.*s\n", (int)text.len, text.data ? text.data : "");
        rein_str_deinit(&text);
        REIN_TRY(status);
    }
    return REIN_OK;
}

static void progress(void *user, int64_t done, int64_t all, int64_t tokens) {
    char text[64];
    (void)user;
    (void)all;
    snprintf(text, sizeof text, "%lld tokens", (long long)tokens);
    rein_progress_detail(text);
    if (done == all) rein_progress_step(done, text);
}

/* As asked, or by default 128 or as many as fit behind the longest prompt. */
static int64_t longest(const values *v, const prompts *p, const rein_model *m) {
    enum { DEFAULT = 128 };
    int64_t room = m->n_pos;
    for (int64_t i = 0; i < p->n; i++)
        if (m->n_pos - p->ids[i].n < room) room = m->n_pos - p->ids[i].n;
    if (v->max_new_tokens > 0 || room < 1) return v->max_new_tokens > 0 ? v->max_new_tokens : 1;
    return room < DEFAULT ? room : DEFAULT;
}

static rein_status generate(const rein_cli *cli, const rein_cli_model *m, const prompts *p, const values *v) {
    rein_gen_prompt *list = NULL;
    rein_gen gen = {0};
    const char *stop[] = {v->stop};
    int32_t eos[REIN_MAX_EOS];
    for (int i = 0; i < m->model->cfg.n_eos; i++) eos[i] = (int32_t)m->model->cfg.eos_id[i];
    rein_gen_options o = {.sampling = {v->temperature, v->top_k, v->top_p, v->min_p},
                          .max_new_tokens = longest(v, p, m->model), .max_batch = v->max_batch, .seed = (uint64_t)v->seed,
                          .stream = REIN_STREAM_SAMPLE, .eos = eos, .n_eos = v->ignore_eos ? 0 : m->model->cfg.n_eos,
                          .stop = stop, .n_stop = v->stop ? 1 : 0, .tokenizer = m->tokenizer};
    REIN_TRY(rein_alloc(&list, p->n, sizeof *list));
    for (int64_t i = 0; i < p->n; i++)
        list[i] = (rein_gen_prompt){p->ids[i].data, p->ids[i].n, (uint32_t)i, (uint32_t)v->samples};
    rein_progress_begin("generate", 0, p->n * v->samples);
    rein_status status = rein_generate(&gen, m->model, list, p->n, &o, progress, NULL);
    rein_progress_end();
    if (status == REIN_OK) status = print_all(cli, m, p, &gen);
    rein_gen_deinit(&gen);
    rein_free(list);
    return status;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    (void)words;
    (void)n_words;
    REIN_TRY(rein_cli_require(v->model, "model"));
    if (!v->prompt == !v->input)
        return rein_fail(REIN_ERR_USAGE, "give the prompts by --prompt TEXT or by --input FILE.jsonl, one of the two");
    rein_cli_model m;
    REIN_TRY(rein_cli_model_open_adapted(&m, cli, v->model, v->adapter, false));
    prompts p = {.tokenizer = m.tokenizer};
    rein_status status = v->prompt ? add_text(&p, v->prompt, strlen(v->prompt)) : rein_jsonl_each(v->input, add_row, &p);
    if (status == REIN_OK) status = generate(cli, &m, &p, v);
    for (int64_t i = 0; i < p.n; i++) rein_ids_deinit(&p.ids[i]);
    rein_free(p.ids);
    rein_cli_model_close(&m);
    return status;
}

const rein_command rein_cmd_generate = {"generate", NULL, "completions of prompts", options, REIN_COUNT(options),
                                        sizeof(values), 0, 0, run};
