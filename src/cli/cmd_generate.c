/* rein generate: completions of prompts, as JSONL or as text. */
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/generate_lists.h"
#include "cli/model.h"
#include "cli/progress.h"
#include "gen/generate.h"

typedef struct values {
    const char *model, *adapter, *prompt, *input, *stop, *stop_ids, *bad_words, *logit_bias, *suppress, *regex, *json_schema;
    int64_t max_new_tokens, min_new_tokens, min_length, top_k, no_repeat, seed, max_batch, samples, max_length;
    double temperature, top_p, min_p, typical_p, epsilon_cutoff, eta_cutoff, repetition, presence, frequency;
    bool ignore_eos, with_stop;
} values;

static const rein_option options[] = {
    {"model", REIN_OPT_STRING, offsetof(values, model), NULL, 0, 0, NULL, "model directory, GGUF file, checkpoint or run", "MODEL"},
    {"adapter", REIN_OPT_STRING, offsetof(values, adapter), NULL, 0, 0, NULL, "adapter to put on the model", "DIR"},
    {"max_model_length", REIN_OPT_INT, offsetof(values, max_length), "0", 0, 4194304, NULL, REIN_CLI_MAX_LENGTH_HELP, NULL},
    {"prompt", REIN_OPT_STRING, offsetof(values, prompt), NULL, 0, 0, NULL, "one prompt as text", "TEXT"},
    {"input", REIN_OPT_STRING, offsetof(values, input), NULL, 0, 0, NULL,
     "prompts: JSONL of {\"prompt\":str}, {\"messages\":[..],\"tools\":[..]} or {\"ids\":[..]}", "FILE"},
    {"max_new_tokens", REIN_OPT_INT, offsetof(values, max_new_tokens), "0", 0, 1 << 20, NULL,
     "longest completion; 0: 128, or what the model's positions leave", NULL},
    {"temperature", REIN_OPT_FLOAT, offsetof(values, temperature), "1", 0, 100, NULL, "0 is greedy", NULL},
    {"top_k", REIN_OPT_INT, offsetof(values, top_k), "0", 0, 1 << 24, NULL, "keep the most probable k; 0: all", NULL},
    {"top_p", REIN_OPT_FLOAT, offsetof(values, top_p), "1", 0.000001, 1, NULL, "keep the smallest set with this probability", NULL},
    {"min_p", REIN_OPT_FLOAT, offsetof(values, min_p), "0", 0, 1, NULL, "keep tokens with this share of the best one's", NULL},
    {"typical_p", REIN_OPT_FLOAT, offsetof(values, typical_p), "1", 0.000001, 1, NULL,
     "keep the tokens nearest to the expected information, up to this probability", NULL},
    {"epsilon_cutoff", REIN_OPT_FLOAT, offsetof(values, epsilon_cutoff), "0", 0, 0.999999, NULL,
     "keep tokens with this probability", NULL},
    {"eta_cutoff", REIN_OPT_FLOAT, offsetof(values, eta_cutoff), "0", 0, 0.999999, NULL,
     "the same, less where the entropy is high", NULL},
    {"repetition_penalty", REIN_OPT_FLOAT, offsetof(values, repetition), "1", 0.000001, 1e6, NULL,
     "above 1 discourages tokens of prompt and completion", NULL},
    {"presence_penalty", REIN_OPT_FLOAT, offsetof(values, presence), "0", -1e6, 1e6, NULL,
     "taken off the logits of the completion's tokens", NULL},
    {"frequency_penalty", REIN_OPT_FLOAT, offsetof(values, frequency), "0", -1e6, 1e6, NULL,
     "the same, for each time", NULL},
    {"no_repeat_ngram_size", REIN_OPT_INT, offsetof(values, no_repeat), "0", 0, 1 << 20, NULL,
     "no so many tokens in a row twice; 0: off", NULL},
    {"bad_words", REIN_OPT_STRING, offsetof(values, bad_words), NULL, 0, 0, NULL,
     "never written: a text, or a JSON list of texts and of lists of ids", "LIST"},
    {"suppress_tokens", REIN_OPT_STRING, offsetof(values, suppress), NULL, 0, 0, NULL, "ids never chosen", "N,N..."},
    {"logit_bias", REIN_OPT_STRING, offsetof(values, logit_bias), NULL, 0, 0, NULL,
     "added to logits: {\"id\":bias,..} or [[[id,..],bias],..]; -1e39 bans", "JSON"},
    {"min_new_tokens", REIN_OPT_INT, offsetof(values, min_new_tokens), "0", 0, 1 << 20, NULL,
     "no end token or stop string before so many", NULL},
    {"min_length", REIN_OPT_INT, offsetof(values, min_length), "0", 0, 1 << 20, NULL,
     "no end token before prompt and completion have so many", NULL},
    {"regex", REIN_OPT_STRING, offsetof(values, regex), NULL, 0, 0, NULL, "completions match this expression as a whole", "REGEX"},
    {"json_schema", REIN_OPT_STRING, offsetof(values, json_schema), NULL, 0, 0, NULL,
     "completions are JSON that this JSON Schema allows, or the texts of a structural tag", "FILE"},
    {"seed", REIN_OPT_INT, offsetof(values, seed), "42", 0, 9007199254740992, NULL, "of the draws", NULL},
    {"num_samples", REIN_OPT_INT, offsetof(values, samples), "1", 1, 1 << 20, NULL, "completions of each prompt", NULL},
    {"stop", REIN_OPT_STRING, offsetof(values, stop), NULL, 0, 0, NULL,
     "end when this text appears; several as a JSON list", "TEXT"},
    {"include_stop_str_in_output", REIN_OPT_BOOL, offsetof(values, with_stop), "false", 0, 0, NULL,
     "leave the stop string in the text", NULL},
    {"stop_token_ids", REIN_OPT_STRING, offsetof(values, stop_ids), NULL, 0, 0, NULL, "ids that end a completion", "N,N..."},
    {"ignore_eos", REIN_OPT_BOOL, offsetof(values, ignore_eos), "false", 0, 0, NULL, "go on after an end token", NULL},
    {"max_batch", REIN_OPT_INT, offsetof(values, max_batch), "64", 1, 1 << 16, NULL,
     "sequences decoded together; never changes a result", NULL},
};

typedef struct prompts {
    const rein_cli_model *m;
    rein_chat_template *chat; /* NULL until a row needs it */
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
    if (!p->m->tokenizer)
        return rein_fail(REIN_ERR_USAGE, "this model has no tokenizer.json; give prompts as {\"ids\":[..]}");
    REIN_TRY(add(p, &ids));
    return rein_tokenizer_encode(p->m->tokenizer, text, len, ids);
}

static rein_status add_ids(prompts *p, struct json_object *array) {
    rein_ids *ids;
    REIN_TRY(add(p, &ids));
    return rein_cli_ids(ids, array);
}

/* A conversation up to the assistant's turn, as the model's template writes it. */
static rein_status add_messages(prompts *p, struct json_object *row) {
    struct json_object *messages, *tools = json_object_object_get(row, "tools"), *kwargs = json_object_object_get(row, "kwargs");
    rein_str text = {0};
    REIN_TRY(rein_json_array(&messages, row, "messages"));
    if (!p->chat) REIN_TRY(rein_cli_model_chat(&p->chat, p->m));
    rein_status status = rein_chat_render(&text, NULL, p->chat, messages, tools, true, kwargs);
    if (status == REIN_OK) status = add_text(p, text.data ? text.data : "", text.len);
    rein_str_deinit(&text);
    return status;
}

static rein_status add_row(void *user, int64_t line, struct json_object *row) {
    prompts *p = user;
    (void)line;
    if (rein_json_has(row, "ids")) {
        struct json_object *array;
        REIN_TRY(rein_json_array(&array, row, "ids"));
        return add_ids(p, array);
    }
    if (rein_json_has(row, "messages")) return add_messages(p, row);
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

static rein_status print_all(const rein_cli *cli, const rein_cli_model *m, const prompts *p, const rein_gen *gen,
                             const rein_gen_options *o, bool with_stop) {
    for (int64_t i = 0; i < gen->n_seq; i++) {
        rein_str text = {0};
        rein_status status = REIN_OK;
        if (m->tokenizer) status = rein_gen_text(&text, &gen->seq[i], o, true, with_stop);
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

/* The lists among the options. */
static rein_status read_lists(rein_gen_options *o, rein_generate_lists *l, const values *v) {
    rein_processing *p = &o->processing;
    REIN_TRY(rein_list_texts(l, "stop", v->stop, &o->stop, &o->n_stop));
    REIN_TRY(rein_list_ids(l, "stop_token_ids", v->stop_ids, &o->stop_ids, &o->n_stop_ids));
    REIN_TRY(rein_list_words(l, "bad_words", v->bad_words, &p->bad_words, &p->n_bad_words));
    REIN_TRY(rein_list_ids(l, "suppress_tokens", v->suppress, &p->suppress, &p->n_suppress));
    return rein_list_biases(l, "logit_bias", v->logit_bias, &p->bias, &p->n_bias);
}

static rein_status open_grammar(rein_gen_options *o, const rein_cli_model *m, const values *v) {
    rein_vocabulary vocabulary = {.tokenizer = m->tokenizer, .V = m->model->cfg.V, .end = o->eos, .n_end = o->n_eos};
    struct json_object *schema;
    if (v->regex && v->json_schema) return rein_fail(REIN_ERR_USAGE, "give --regex or --json_schema, not both");
    if (v->regex) {
        rein_status status = rein_grammar_open_regex(&o->grammar, v->regex, strlen(v->regex), &vocabulary);
        if (status == REIN_OK) return REIN_OK;
        return rein_error_prefix(status == REIN_ERR_ARG ? REIN_ERR_USAGE : status, "--regex");
    }
    if (!v->json_schema) return REIN_OK;
    REIN_TRY(rein_json_load(&schema, v->json_schema));
    rein_status status = rein_grammar_open_schema(&o->grammar, schema, &vocabulary);
    json_object_put(schema);
    return status == REIN_OK ? REIN_OK : rein_error_prefix(status, "%s", v->json_schema);
}

static rein_status sample_all(const rein_cli *cli, const rein_cli_model *m, const prompts *p, const values *v,
                              const rein_gen_options *o) {
    rein_gen_prompt *list = NULL;
    rein_gen gen = {0};
    REIN_TRY(rein_alloc(&list, p->n, sizeof *list));
    for (int64_t i = 0; i < p->n; i++)
        list[i] = (rein_gen_prompt){p->ids[i].data, p->ids[i].n, (uint32_t)i, (uint32_t)v->samples};
    rein_progress_begin("generate", 0, p->n * v->samples);
    rein_status status = rein_generate(&gen, m->model, list, p->n, o, progress, NULL);
    rein_progress_end();
    if (status == REIN_OK) status = print_all(cli, m, p, &gen, o, v->with_stop);
    rein_gen_deinit(&gen);
    rein_free(list);
    return status;
}

static rein_status generate(const rein_cli *cli, const rein_cli_model *m, const prompts *p, const values *v) {
    rein_generate_lists lists = {.tokenizer = m->tokenizer};
    int32_t eos[REIN_MAX_EOS];
    for (int i = 0; i < m->model->cfg.n_eos; i++) eos[i] = (int32_t)m->model->cfg.eos_id[i];
    rein_gen_options o = {
        .sampling = {.temperature = v->temperature, .top_k = v->top_k, .top_p = v->top_p, .min_p = v->min_p,
                     .typical_p = v->typical_p, .epsilon_cutoff = v->epsilon_cutoff, .eta_cutoff = v->eta_cutoff},
        .processing = {.repetition_penalty = v->repetition, .presence_penalty = v->presence,
                       .frequency_penalty = v->frequency, .no_repeat_ngram_size = v->no_repeat,
                       .min_new_tokens = v->min_new_tokens, .min_length = v->min_length},
        .max_new_tokens = longest(v, p, m->model), .max_batch = v->max_batch, .seed = (uint64_t)v->seed,
        .stream = REIN_STREAM_SAMPLE, .eos = eos, .n_eos = v->ignore_eos ? 0 : m->model->cfg.n_eos,
        .tokenizer = m->tokenizer, .forget_kept = true};
    rein_status status = read_lists(&o, &lists, v);
    if (status == REIN_OK) status = open_grammar(&o, m, v);
    if (status == REIN_OK) status = sample_all(cli, m, p, v, &o);
    rein_grammar_close(o.grammar);
    rein_generate_lists_deinit(&lists);
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
    REIN_TRY(rein_cli_model_open_adapted(&m, cli, v->model, v->adapter, v->max_length, false));
    prompts p = {.m = &m};
    rein_status status = v->prompt ? add_text(&p, v->prompt, strlen(v->prompt)) : rein_jsonl_each(v->input, add_row, &p);
    if (status == REIN_OK) status = generate(cli, &m, &p, v);
    for (int64_t i = 0; i < p.n; i++) rein_ids_deinit(&p.ids[i]);
    rein_free(p.ids);
    rein_chat_template_destroy(p.chat);
    rein_cli_model_close(&m);
    return status;
}

const rein_command rein_cmd_generate = {"generate", NULL, "completions of prompts", options, REIN_COUNT(options),
                                        sizeof(values), 0, 0, run, NULL, 0};
