/* rein chat: a conversation, one message a line; answers appear as they are sampled. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/chat_session.h"
#include "cli/commands.h"

typedef struct values {
    const char *model, *system, *kwargs;
    int64_t max_new_tokens, top_k, seed, max_length;
    double temperature, top_p, min_p, repetition;
} values;

static const rein_option options[] = {
    {"model", REIN_OPT_STRING, offsetof(values, model), NULL, 0, 0, NULL, "model directory, GGUF file, checkpoint or run", "MODEL"},
    {"max_model_length", REIN_OPT_INT, offsetof(values, max_length), "0", 0, 4194304, NULL, REIN_CLI_MAX_LENGTH_HELP, NULL},
    {"system", REIN_OPT_STRING, offsetof(values, system), NULL, 0, 0, NULL, "the system's message", "TEXT"},
    {"kwargs", REIN_OPT_STRING, offsetof(values, kwargs), NULL, 0, 0, NULL,
     "further variables of the chat template, e.g. {\"enable_thinking\":false}", "JSON"},
    {"max_new_tokens", REIN_OPT_INT, offsetof(values, max_new_tokens), "512", 1, 1 << 20, NULL, "longest answer", NULL},
    {"temperature", REIN_OPT_FLOAT, offsetof(values, temperature), "1", 0, 100, NULL, "0 is greedy", NULL},
    {"top_k", REIN_OPT_INT, offsetof(values, top_k), "0", 0, 1 << 24, NULL, "keep the most probable k; 0: all", NULL},
    {"top_p", REIN_OPT_FLOAT, offsetof(values, top_p), "1", 0.000001, 1, NULL,
     "keep the smallest set with this probability", NULL},
    {"min_p", REIN_OPT_FLOAT, offsetof(values, min_p), "0", 0, 1, NULL, "keep tokens with this share of the best one's",
     NULL},
    {"repetition_penalty", REIN_OPT_FLOAT, offsetof(values, repetition), "1", 0.000001, 1e6, NULL,
     "above 1 discourages tokens of the conversation", NULL},
    {"seed", REIN_OPT_INT, offsetof(values, seed), "42", 0, 9007199254740992, NULL, "of the draws", NULL},
};

static const char help[] = "/reset        forget the conversation\n"
                           "/save FILE    write it as JSON\n"
                           "/load FILE    go on with a saved one\n"
                           "/exit         leave (so does the end of the input)\n"
                           "//...         a message that begins with a slash\n"
                           "Ctrl-C stops an answer\n";

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

typedef struct chat {
    const rein_cli *cli;
    const values *v;
    rein_chat_session s;
    rein_ids end;     /* ids that end an answer */
    rein_ids no_text; /* ids of the model that the tokenizer does not have: they are never chosen */
    rein_decoder *decoder;
    rein_str piece, answer;
    rein_status status; /* of the listener */
    bool terminal, done;
} chat;

/* ---- one answer ---- */

static bool is_end(const chat *c, int32_t id) {
    for (int64_t i = 0; i < c->end.n; i++)
        if (c->end.data[i] == id) return true;
    return false;
}

/* Show what has become certain, and keep it. */
static void show_piece(chat *c) {
    rein_str_append(&c->answer, c->piece.data ? c->piece.data : "", c->piece.len);
    if (!c->cli->json && c->piece.len) {
        fwrite(c->piece.data, 1, c->piece.len, c->cli->out);
        fflush(c->cli->out);
    }
    rein_str_clear(&c->piece);
}

static bool on_token(void *user, int64_t seq, int32_t id) {
    chat *c = user;
    (void)seq;
    if (!is_end(c, id) && c->status == REIN_OK) c->status = rein_decoder_push(c->decoder, id, &c->piece);
    show_piece(c);
    return interrupted || c->status != REIN_OK;
}

static rein_status print_json(const chat *c, const rein_ids *prompt, const rein_gen_sequence *seq) {
    rein_str line = {0};
    rein_str_puts(&line, "{\"prompt_ids\":");
    rein_cli_put_ids(&line, prompt->data, prompt->n);
    rein_str_puts(&line, ",\"completion_ids\":");
    rein_cli_put_ids(&line, seq->ids, seq->n);
    rein_str_puts(&line, ",\"text\":");
    rein_json_put_string(&line, c->answer.data ? c->answer.data : "", c->answer.len);
    rein_str_puts(&line, ",\"logprobs\":[");
    for (int64_t i = 0; i < seq->n; i++) {
        if (i) rein_str_putc(&line, ',');
        rein_json_put_f32(&line, seq->logp[i]);
    }
    rein_str_printf(&line, "],\"finish_reason\":\"%s\"}\n", rein_finish_name(seq->finish));
    rein_status status = rein_str_check(&line);
    if (status == REIN_OK) fwrite(line.data, 1, line.len, c->cli->out);
    rein_str_deinit(&line);
    return status;
}

static rein_status keep_answer(chat *c, const rein_gen_sequence *seq) {
    REIN_TRY(c->status);
    REIN_TRY(rein_decoder_finish(c->decoder, &c->piece));
    show_piece(c);
    REIN_TRY(rein_str_check(&c->answer));
    if (c->cli->json)
        REIN_TRY(print_json(c, &c->s.ids, seq));
    else
        fputc('\n', c->cli->out);
    fflush(c->cli->out);
    return rein_chat_session_answer(&c->s, seq, &c->answer, &c->end);
}

static rein_status answer(chat *c) {
    const values *v = c->v;
    rein_gen gen = {0};
    int64_t room = c->s.m->model->n_pos - c->s.ids.n;
    if (room < 1)
        return rein_fail(REIN_ERR_ARG, "the conversation has %lld tokens, and the model %lld positions; /reset it",
                         (long long)c->s.ids.n, (long long)c->s.m->model->n_pos);
    rein_gen_prompt prompt = {c->s.ids.data, c->s.ids.n, c->s.turn, 1};
    rein_gen_options o = {
        .sampling = {.temperature = v->temperature, .top_k = v->top_k, .top_p = v->top_p, .min_p = v->min_p},
        .processing = {.repetition_penalty = v->repetition, .suppress = c->no_text.data, .n_suppress = c->no_text.n},
        .max_new_tokens = v->max_new_tokens < room ? v->max_new_tokens : room,
        .max_batch = 1,
        .seed = (uint64_t)v->seed,
        .stream = REIN_STREAM_SAMPLE,
        .eos = c->end.data,
        .n_eos = c->end.n,
        .tokenizer = c->s.m->tokenizer,
        .forget_kept = true,
        .on_token = on_token,
        .on_token_user = c};
    interrupted = 0;
    c->status = REIN_OK;
    rein_str_clear(&c->answer);
    rein_status status = rein_generate(&gen, c->s.m->model, &prompt, 1, &o, NULL, NULL);
    if (status == REIN_OK) status = keep_answer(c, &gen.seq[0]);
    rein_gen_deinit(&gen);
    return status;
}

static rein_status say(chat *c, const char *text) {
    bool rewritten = false;
    REIN_TRY(rein_chat_session_ask(&c->s, text, &rewritten));
    if (rewritten)
        fprintf(stderr,
                "rein: earlier turns look otherwise in the template now: the ids of the conversation are made anew\n");
    return answer(c);
}

/* ---- lines ---- */

static rein_status command(chat *c, const char *line) {
    size_t word = strcspn(line, " \t");
    const char *argument = line + word + strspn(line + word, " \t");
    bool file = strncmp(line, "/save", word) == 0 || strncmp(line, "/load", word) == 0;
    if (word == 5 && file && !*argument) return rein_fail(REIN_ERR_ARG, "%.5s needs a file", line);
    if (word == 5 && file)
        return line[1] == 's' ? rein_chat_session_save(&c->s, argument) : rein_chat_session_load(&c->s, argument);
    if (strcmp(line, "/reset") == 0) return rein_chat_session_reset(&c->s);
    if (strcmp(line, "/exit") == 0)
        c->done = true;
    else if (strcmp(line, "/help") == 0)
        fputs(help, stderr);
    else
        return rein_fail(REIN_ERR_ARG, "unknown command '%.*s'; /help lists them", (int)word, line);
    return REIN_OK;
}

/* A line of input without its end; false at the end of the input. Ctrl-C at the prompt drops the line. */
static bool read_line(chat *c, char **line, size_t *cap) {
    for (;;) {
        if (c->terminal) fputs("> ", stderr);
        interrupted = 0;
        errno = 0;
        ssize_t n = getline(line, cap, stdin);
        if (n >= 0) {
            while (n > 0 && ((*line)[n - 1] == '\n' || (*line)[n - 1] == '\r')) (*line)[--n] = '\0';
            return true;
        }
        if (errno != EINTR) return false;
        clearerr(stdin);
        fputc('\n', stderr);
    }
}

/* A terminal's user may try again; a script's mistake ends the command. */
static rein_status converse(chat *c) {
    char *line = NULL;
    size_t cap = 0;
    rein_status status = REIN_OK;
    while (!c->done && status == REIN_OK && read_line(c, &line, &cap)) {
        const char *text = line;
        if (!*text) continue;
        bool slash = text[0] == '/' && text[1] != '/';
        status = slash ? command(c, text) : say(c, text + (text[0] == '/'));
        if (status == REIN_OK || !c->terminal) continue;
        fprintf(stderr, "rein: %s\n", rein_error_message());
        status = REIN_OK;
    }
    free(line);
    return status;
}

/* ---- the command ---- */

static rein_status add_end(chat *c, const rein_chat_template *t) {
    const rein_model *model = c->s.m->model;
    const char *eos = rein_chat_template_eos(t);
    int32_t id = eos ? rein_tokenizer_id(c->s.m->tokenizer, eos, strlen(eos)) : -1;
    for (int i = 0; i < model->cfg.n_eos; i++) REIN_TRY(rein_ids_push(&c->end, (int32_t)model->cfg.eos_id[i]));
    return id >= 0 && id < model->cfg.V && !is_end(c, id) ? rein_ids_push(&c->end, id) : REIN_OK;
}

/* Models often have more rows than their tokenizer has tokens. */
static rein_status add_no_text(chat *c) {
    const char *bytes;
    size_t len;
    for (int64_t id = 0; id < c->s.m->model->cfg.V; id++)
        if (!is_end(c, (int32_t)id) &&
            rein_tokenizer_token_bytes(c->s.m->tokenizer, (int32_t)id, &bytes, &len) != REIN_OK)
            REIN_TRY(rein_ids_push(&c->no_text, (int32_t)id));
    return REIN_OK;
}

static rein_status prepare(chat *c, const rein_chat_template *t) {
    struct sigaction action = {.sa_handler = on_interrupt}; /* without SA_RESTART: reading a line is interrupted */
    if (c->v->kwargs) REIN_TRY(rein_json_parse(&c->s.kwargs, "--kwargs", c->v->kwargs, strlen(c->v->kwargs)));
    REIN_TRY(add_end(c, t));
    REIN_TRY(add_no_text(c));
    REIN_TRY(rein_decoder_create(&c->decoder, c->s.m->tokenizer, true));
    REIN_TRY(rein_chat_session_reset(&c->s));
    if (sigaction(SIGINT, &action, NULL) != 0) return rein_fail(REIN_ERR_IO, "cannot listen to Ctrl-C");
    if (c->terminal) fputs("/help lists the commands\n", stderr);
    return REIN_OK;
}

static rein_status chat_with(const rein_cli *cli, const values *v, const rein_cli_model *m) {
    rein_chat_template *t;
    if (!m->tokenizer) return rein_fail(REIN_ERR_USAGE, "this model has no tokenizer.json; chat needs one");
    REIN_TRY(rein_cli_model_chat(&t, m));
    chat c = {.cli = cli, .v = v, .terminal = isatty(STDIN_FILENO), .s = {.m = m, .t = t, .system = v->system}};
    rein_status status = prepare(&c, t);
    if (status == REIN_OK) status = converse(&c);
    signal(SIGINT, SIG_DFL);
    rein_chat_session_deinit(&c.s);
    rein_decoder_destroy(c.decoder);
    rein_ids_deinit(&c.end);
    rein_ids_deinit(&c.no_text);
    rein_str_deinit(&c.piece);
    rein_str_deinit(&c.answer);
    rein_chat_template_destroy(t);
    return status;
}

static rein_status run(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const values *v = opts->values;
    rein_cli_model m;
    (void)words, (void)n_words;
    REIN_TRY(rein_cli_require(v->model, "model"));
    REIN_TRY(rein_cli_model_open(&m, cli, v->model, v->max_length));
    rein_status status = chat_with(cli, v, &m);
    rein_cli_model_close(&m);
    return status;
}

const rein_command rein_cmd_chat = {
    "chat", NULL, "a conversation with a model", options, REIN_COUNT(options), sizeof(values), 0, 0, run, NULL, 0};
