/* rein tokenize, rein detokenize, rein tokenizer train: text to ids, back, and new vocabularies. */
#include <json-c/json.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/model.h"
#include "text/tokenizer.h"

/* ---- tokenize and detokenize ---- */

typedef struct convert_values {
    const char *model, *tokenizer, *input;
    bool add_special;
} convert_values;

static const rein_option convert_options[] = {
    {.name = "model",
     .type = REIN_OPT_STRING,
     .offset = offsetof(convert_values, model),
     .metavar = "MODEL",
     .help = "model (directory, GGUF file, checkpoint or run) that has a tokenizer"},
    {.name = "tokenizer",
     .type = REIN_OPT_STRING,
     .offset = offsetof(convert_values, tokenizer),
     .metavar = "FILE",
     .help = "a tokenizer.json, instead of --model"},
    {.name = "input",
     .type = REIN_OPT_STRING,
     .offset = offsetof(convert_values, input),
     .metavar = "FILE",
     .help = "JSON lines: {\"text\"} to tokenize, {\"ids\"} to detokenize"},
    /* the last is one of `tokenize` only */
    {.name = "add_special_tokens",
     .type = REIN_OPT_BOOL,
     .offset = offsetof(convert_values, add_special),
     .def = "false",
     .help = "put in the tokens that the file's post-processor adds, such as one that begins a text"},
};

typedef struct conversion {
    FILE *out;
    rein_tokenizer *tok;
    rein_encoder *encoder;
    rein_decoder *decoder;
    bool add_special;
    rein_ids ids; /* of the row at work */
    rein_str text, line;
} conversion;

static rein_status write_line(conversion *c) {
    rein_str_puts(&c->line, "}\n");
    REIN_TRY(rein_str_check(&c->line));
    if (fwrite(c->line.data, 1, c->line.len, c->out) != c->line.len)
        return rein_fail(REIN_ERR_IO, "cannot write the result");
    return REIN_OK;
}

static rein_status tokenize_row(void *user, int64_t line, struct json_object *row) {
    conversion *c = user;
    const char *text;
    size_t len;
    (void)line;
    c->ids.n = 0;
    REIN_TRY(rein_json_string(&text, &len, row, "text"));
    REIN_TRY(rein_encoder_encode(c->encoder, text, len, c->add_special, &c->ids));
    rein_str_clear(&c->line);
    rein_str_puts(&c->line, "{\"ids\":[");
    for (int64_t i = 0; i < c->ids.n; i++) rein_str_printf(&c->line, i ? ",%d" : "%d", c->ids.data[i]);
    rein_str_putc(&c->line, ']');
    REIN_TRY(write_line(c));
    return REIN_OK;
}

static rein_status read_ids(rein_ids *ids, struct json_object *row) {
    struct json_object *list;
    ids->n = 0;
    REIN_TRY(rein_json_array(&list, row, "ids"));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *value = json_object_array_get_idx(list, i);
        int64_t id = json_object_get_int64(value);
        if (!json_object_is_type(value, json_type_int) || id < 0 || id > INT32_MAX)
            return rein_fail(REIN_ERR_FORMAT, "ids[%zu] = %s is no token id", i, json_object_to_json_string(value));
        REIN_TRY(rein_ids_push(ids, (int32_t)id));
    }
    return REIN_OK;
}

static rein_status detokenize_row(void *user, int64_t line, struct json_object *row) {
    conversion *c = user;
    (void)line;
    REIN_TRY(read_ids(&c->ids, row));
    rein_str_clear(&c->text);
    for (int64_t i = 0; i < c->ids.n; i++) {
        rein_status status = rein_decoder_push(c->decoder, c->ids.data[i], &c->text);
        if (status != REIN_OK) return rein_error_prefix(status, "ids[%lld]", (long long)i);
    }
    REIN_TRY(rein_decoder_finish(c->decoder, &c->text));
    rein_str_clear(&c->line);
    rein_str_puts(&c->line, "{\"text\":");
    rein_json_put_string(&c->line, c->text.len ? c->text.data : "", c->text.len);
    REIN_TRY(write_line(c));
    return REIN_OK;
}

static rein_status convert(const rein_cli *cli, const rein_options *opts, rein_jsonl_fn each) {
    const convert_values *v = opts->values;
    conversion c = {.out = cli->out, .add_special = v->add_special};
    rein_status status;
    if (!v->model == !v->tokenizer) return rein_fail(REIN_ERR_USAGE, "give either --model MODEL or --tokenizer FILE");
    if (!v->input) return rein_fail(REIN_ERR_USAGE, "give --input FILE.jsonl");
    status = v->model ? rein_cli_tokenizer_open(&c.tok, NULL, v->model) : rein_tokenizer_load(&c.tok, v->tokenizer);
    if (status != REIN_OK) goto out;
    REIN_TRY_OUT(status, rein_encoder_create(&c.encoder, c.tok), out);
    REIN_TRY_OUT(status, rein_decoder_create(&c.decoder, c.tok, false), out);
    REIN_TRY_OUT(status, rein_jsonl_each(v->input, each, &c), out);
out:
    rein_encoder_destroy(c.encoder);
    rein_decoder_destroy(c.decoder);
    rein_tokenizer_destroy(c.tok);
    rein_ids_deinit(&c.ids);
    rein_str_deinit(&c.text);
    rein_str_deinit(&c.line);
    return status;
}

static rein_status run_tokenize(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)words, (void)n_words;
    return convert(cli, opts, tokenize_row);
}

static rein_status run_detokenize(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    (void)words, (void)n_words;
    return convert(cli, opts, detokenize_row);
}

const rein_command rein_cmd_tokenize = {
    .name = "tokenize",
    .summary = "text to token ids",
    .options = convert_options,
    .n_options = REIN_COUNT(convert_options),
    .values_size = sizeof(convert_values),
    .run = run_tokenize,
};

const rein_command rein_cmd_detokenize = {
    .name = "detokenize",
    .summary = "token ids to text",
    .options = convert_options,
    .n_options = REIN_COUNT(convert_options) - 1,
    .values_size = sizeof(convert_values),
    .run = run_detokenize,
};

/* ---- tokenizer train ---- */

typedef struct train_values {
    const char *input, *pattern, *special, *out;
    int64_t vocab_size;
    int byte_alphabet; /* 0: full */
} train_values;

static const rein_option train_options[] = {
    {.name = "input",
     .type = REIN_OPT_STRING,
     .offset = offsetof(train_values, input),
     .metavar = "FILE",
     .help = "*.jsonl: lines {\"text\"}, {\"prompt\",\"completion\"} or {\"messages\"}; any other name: plain text, line by line"},
    {.name = "vocab_size",
     .type = REIN_OPT_INT,
     .offset = offsetof(train_values, vocab_size),
     .def = "32768",
     .min = 2,
     .max = 1 << 22,
     .help = "entries, bytes and special tokens included"},
    {.name = "byte_alphabet",
     .type = REIN_OPT_CHOICE,
     .offset = offsetof(train_values, byte_alphabet),
     .def = "full",
     .choices = "full|seen",
     .help = "full: all 256 bytes, so that any text has ids; seen: those of the input, and others are an error"},
    {.name = "pattern",
     .type = REIN_OPT_STRING,
     .offset = offsetof(train_values, pattern),
     .metavar = "REGEX",
     .help = "what a piece of text is, as in a Split pre-tokenizer; default GPT-2's"},
    {.name = "special",
     .type = REIN_OPT_STRING,
     .offset = offsetof(train_values, special),
     .metavar = "A,B,...",
     .help = "special tokens, which get the ids 0, 1, ..."},
    {.name = "out",
     .type = REIN_OPT_STRING,
     .offset = offsetof(train_values, out),
     .metavar = "FILE",
     .help = "tokenizer.json to write"},
};

/* Growing lists of strings; `arena` owns the bytes. */
typedef struct string_list {
    rein_arena arena;
    const char **texts;
    size_t *lens;
    int64_t n, cap;
} string_list;

static rein_status list_add(string_list *list, const char *text, size_t len) {
    char *copy;
    if (list->n == list->cap) {
        int64_t cap = list->cap ? 2 * list->cap : 64;
        REIN_TRY(rein_realloc(&list->texts, list->cap, cap, sizeof *list->texts));
        REIN_TRY(rein_realloc(&list->lens, list->cap, cap, sizeof *list->lens));
        list->cap = cap;
    }
    REIN_TRY(rein_arena_strdup(&list->arena, &copy, text, len));
    list->texts[list->n] = copy;
    list->lens[list->n++] = len;
    return REIN_OK;
}

static void list_deinit(string_list *list) {
    rein_arena_deinit(&list->arena);
    rein_free(list->texts);
    rein_free(list->lens);
}

/* The parts between separators; keep_separator leaves it at the end of its part. */
static rein_status list_split(string_list *list, const char *text, size_t len, char separator, bool keep_separator) {
    for (const char *end = text + len; text < end;) {
        const char *stop = memchr(text, separator, (size_t)(end - text)), *next = stop ? stop + 1 : end;
        const char *last = stop && !keep_separator ? stop : next;
        REIN_TRY(list_add(list, text, (size_t)(last - text)));
        text = next;
    }
    return REIN_OK;
}

/* What a chat template writes of them: roles, line feeds, contents. */
static rein_status add_messages(string_list *list, struct json_object *messages) {
    for (size_t i = 0; i < json_object_array_length(messages); i++) {
        static const char *const part[] = {"role", "content"};
        struct json_object *message = json_object_array_get_idx(messages, i);
        for (size_t k = 0; k < REIN_COUNT(part); k++) {
            const char *text;
            size_t len;
            REIN_TRY(rein_json_string(&text, &len, message, part[k]));
            REIN_TRY(list_add(list, text, len));
            REIN_TRY(list_add(list, "\n", 1));
        }
    }
    return REIN_OK;
}

static rein_status add_row(void *user, int64_t line, struct json_object *row) {
    static const char *const pair[] = {"prompt", "completion"};
    const char *text;
    size_t len;
    struct json_object *messages;
    (void)line;
    if (json_object_object_get_ex(row, "messages", &messages) && json_object_is_type(messages, json_type_array))
        return add_messages(user, messages);
    if (!rein_json_has(row, "prompt")) {
        REIN_TRY(rein_json_string(&text, &len, row, "text"));
        return list_add(user, text, len);
    }
    for (size_t i = 0; i < REIN_COUNT(pair); i++) {
        REIN_TRY(rein_json_string(&text, &len, row, pair[i]));
        REIN_TRY(list_add(user, text, len));
    }
    return REIN_OK;
}

static rein_status read_texts(string_list *texts, const char *path) {
    size_t n = strlen(path);
    if (n > 6 && strcmp(path + n - 6, ".jsonl") == 0) {
        REIN_TRY(rein_jsonl_each(path, add_row, texts));
        return REIN_OK;
    }
    rein_str file = {0};
    rein_status status;
    REIN_TRY_OUT(status, rein_file_read(&file, path), out);
    REIN_TRY_OUT(status, list_split(texts, file.data, file.len, '\n', true), out);
out:
    rein_str_deinit(&file);
    return status;
}

static void print_trained(const rein_cli *cli, const rein_tokenizer *tok, const train_values *v) {
    long long n = (long long)rein_tokenizer_vocab_size(tok);
    if (cli->json)
        fprintf(cli->out, "{\"vocab_size\":%lld}\n", n);
    else
        fprintf(cli->out, "%s: %lld entries\n", v->out, n);
}

static rein_status run_train(const rein_cli *cli, const rein_options *opts, const char **words, int n_words) {
    const train_values *v = opts->values;
    string_list texts = {0}, special = {0};
    rein_tokenizer *tok = NULL;
    rein_status status;
    (void)words, (void)n_words;
    if (!v->input || !v->out) return rein_fail(REIN_ERR_USAGE, "give --input FILE and --out tokenizer.json");
    REIN_TRY_OUT(status, read_texts(&texts, v->input), out);
    if (v->special) REIN_TRY_OUT(status, list_split(&special, v->special, strlen(v->special), ',', false), out);
    rein_bpe_options bpe = {.vocab_size = v->vocab_size,
                            .pattern = v->pattern,
                            .special = special.texts,
                            .n_special = special.n,
                            .full_byte_alphabet = v->byte_alphabet == 0};
    REIN_TRY_OUT(status, rein_tokenizer_train(&tok, &bpe, texts.texts, texts.lens, texts.n), out);
    REIN_TRY_OUT(status, rein_tokenizer_save(tok, v->out), out);
    print_trained(cli, tok, v);
out:
    rein_tokenizer_destroy(tok);
    list_deinit(&texts);
    list_deinit(&special);
    return status;
}

const rein_command rein_cmd_tokenizer_train = {
    .name = "tokenizer train",
    .summary = "train a byte-level BPE tokenizer on text",
    .options = train_options,
    .n_options = REIN_COUNT(train_options),
    .values_size = sizeof(train_values),
    .run = run_train,
};
