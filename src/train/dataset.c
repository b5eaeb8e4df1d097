/* Supervised data; see dataset.h. */
#include "train/dataset.h"

#include <string.h>

#include "base/random.h"
#include "io/jsonl.h"

typedef struct loader {
    rein_dataset *data;
    const rein_tokenizer *tok;
    const rein_dataset_options *o;
    rein_ids ids;   /* of the sequence */
    rein_str loss;  /* a byte a token */
    int64_t prompt; /* tokens of the prompt */
} loader;

/* ---- sequences ---- */

static rein_status reserve(rein_dataset *d, int64_t tokens) {
    if (d->n_seq + 1 >= d->cap_seq) {
        int64_t cap = d->cap_seq ? 2 * d->cap_seq : 1024;
        REIN_TRY(rein_realloc(&d->first, d->cap_seq, cap, sizeof *d->first));
        REIN_TRY(rein_realloc(&d->prompt, d->cap_seq, cap, sizeof *d->prompt));
        REIN_TRY(rein_realloc(&d->label, d->cap_seq, cap, sizeof *d->label));
        REIN_TRY(rein_realloc(&d->margin, d->cap_seq, cap, sizeof *d->margin));
        d->cap_seq = cap;
    }
    int64_t need = d->first[d->n_seq] + tokens;
    if (need <= d->cap_ids) return REIN_OK;
    int64_t cap = d->cap_ids ? 2 * d->cap_ids : 65536;
    while (cap < need) cap *= 2;
    REIN_TRY(rein_realloc(&d->ids, d->cap_ids, cap, sizeof *d->ids));
    REIN_TRY(rein_realloc(&d->loss, d->cap_ids, cap, sizeof *d->loss));
    d->cap_ids = cap;
    return REIN_OK;
}

/* Tokens [from, from + n) of the loader's sequence as a sequence of its own. */
static rein_status append(loader *l, int64_t from, int64_t n) {
    rein_dataset *d = l->data;
    REIN_TRY(reserve(d, n));
    int64_t at = d->first[d->n_seq];
    memcpy(d->ids + at, l->ids.data + from, (size_t)n * sizeof *d->ids);
    memcpy(d->loss + at, l->loss.data + from, (size_t)n);
    if (!l->o->wrap) d->loss[at] = 0;
    d->prompt[d->n_seq] = l->prompt < n ? l->prompt : n;
    d->label[d->n_seq] = 0;
    d->margin[d->n_seq] = 0;
    d->first[++d->n_seq] = at + n;
    return REIN_OK;
}

rein_status rein_dataset_add_prompt(rein_dataset *d, const int32_t *ids, int64_t n) {
    REIN_TRY(reserve(d, n));
    int64_t at = d->first[d->n_seq];
    memcpy(d->ids + at, ids, (size_t)n * sizeof *ids);
    memset(d->loss + at, 0, (size_t)n);
    d->prompt[d->n_seq] = n;
    d->label[d->n_seq] = 0;
    d->margin[d->n_seq] = 0;
    d->first[++d->n_seq] = at + n;
    d->n_row = d->n_seq;
    return REIN_OK;
}

/* ---- rows to ids ---- */

/* Bytes of `loss` up to the number of ids. */
static void mark(loader *l, char value) {
    while ((int64_t)l->loss.len < l->ids.n && !l->loss.failed) rein_str_putc(&l->loss, value);
}

static rein_status add_text(loader *l, struct json_object *text) {
    return rein_tokenizer_encode(l->tok, json_object_get_string(text), (size_t)json_object_get_string_len(text), &l->ids);
}

/* `prompt` or `answer` may be NULL. */
static rein_status encode_text(loader *l, struct json_object *prompt, struct json_object *answer) {
    if (l->o->assistant_only)
        return rein_fail(REIN_ERR_FORMAT, "assistant_only_loss needs conversations, and this row is text");
    if (prompt) {
        REIN_TRY(add_text(l, prompt));
        mark(l, !l->o->completion_only);
        l->prompt = l->ids.n;
    }
    if (!answer) return REIN_OK;
    REIN_TRY(add_text(l, answer));
    REIN_TRY(rein_ids_push(&l->ids, l->o->eos));
    mark(l, 1);
    return REIN_OK;
}

/* Tokens of a conversational prompt, with the generation prompt behind it: as in a rollout. */
static rein_status encode_prompt(loader *l, struct json_object *prompt, struct json_object *tools) {
    rein_ids ids = {0};
    rein_str unused = {0};
    rein_status status = rein_chat_encode(&ids, &unused, l->o->chat, l->tok, prompt, tools, true, l->o->chat_kwargs);
    if (status == REIN_OK && l->ids.n == 0) { /* nothing but the prompt is wanted */
        rein_ids_deinit(&l->ids);
        l->ids = ids;
        ids = (rein_ids){0};
        mark(l, 0);
    } else if (status == REIN_OK &&
               (ids.n > l->ids.n || memcmp(ids.data, l->ids.data, (size_t)ids.n * sizeof *ids.data) != 0)) {
        status = rein_fail(REIN_ERR_FORMAT, "the chat template writes the prompt differently when the answer follows");
    }
    l->prompt = ids.data ? ids.n : l->ids.n;
    rein_ids_deinit(&ids);
    rein_str_deinit(&unused);
    return status;
}

/* `answer` alone is a whole conversation. */
static rein_status encode_chat(loader *l, struct json_object *prompt, struct json_object *answer,
                               struct json_object *tools) {
    struct json_object *joined = NULL;
    rein_status status = REIN_OK;
    if (!l->o->chat)
        return rein_fail(REIN_ERR_FORMAT, "the row is a conversation, and the model has no chat template");
    if (!answer) return encode_prompt(l, prompt, tools);
    if (prompt) REIN_TRY(rein_messages_join(&joined, prompt, answer));
    REIN_TRY_OUT(status, rein_chat_encode(&l->ids, &l->loss, l->o->chat, l->tok, joined ? joined : answer, tools, false,
                                          l->o->chat_kwargs), out);
    REIN_TRY_OUT(status, rein_str_check(&l->loss), out);
    if (!l->o->assistant_only) memset(l->loss.data, 1, l->loss.len);
    if (prompt) REIN_TRY_OUT(status, encode_prompt(l, prompt, tools), out);
    if (prompt && l->o->completion_only) memset(l->loss.data, 0, (size_t)l->prompt);
out:
    json_object_put(joined);
    return status;
}

static rein_status encode(loader *l, const rein_row *row, struct json_object *prompt, struct json_object *answer) {
    rein_str_clear(&l->loss);
    l->ids.n = l->prompt = 0;
    REIN_TRY(row->chat ? encode_chat(l, prompt, answer, row->tools) : encode_text(l, prompt, answer));
    REIN_TRY(rein_str_check(&l->loss));
    REIN_ASSERT((int64_t)l->loss.len == l->ids.n);
    int64_t least = answer ? 2 : 1;
    return l->ids.n >= least ? REIN_OK : rein_fail(REIN_ERR_FORMAT, "a row of %lld tokens: expected %lld or more",
                                                   (long long)l->ids.n, (long long)least);
}

rein_status rein_dataset_encode(rein_ids *out, int64_t *n_prompt, const rein_row *row, struct json_object *answer,
                                const rein_tokenizer *tok, const rein_dataset_options *options) {
    loader l = {.tok = tok, .o = options, .ids = *out};
    rein_status status = encode(&l, row, row->prompt, answer);
    *out = l.ids;
    *n_prompt = l.prompt;
    rein_str_deinit(&l.loss);
    return status;
}

/* ---- lengths ---- */

static bool has_loss(const loader *l, int64_t from, int64_t n) {
    return memchr(l->loss.data + from + 1, 1, (size_t)n - 1) != NULL;
}

/* A long row as several. */
static rein_status keep_pieces(loader *l) {
    for (int64_t at = 0; at < l->ids.n; at += l->o->max_length) {
        int64_t n = l->ids.n - at < l->o->max_length ? l->ids.n - at : l->o->max_length;
        if (has_loss(l, at, n))
            REIN_TRY(append(l, at, n));
        else
            l->data->without_loss++;
    }
    return REIN_OK;
}

/* The sequence as it is trained on: cut, left out, or whole. */
static rein_status keep(loader *l) {
    const rein_dataset_options *o = l->o;
    int64_t from = 0, n = l->ids.n;
    if (o->wrap) return append(l, 0, n);
    if (o->cut) return keep_pieces(l);
    if (n > o->max_length) {
        if (o->truncation == REIN_TRUNCATION_ERROR)
            return rein_fail(REIN_ERR_FORMAT, "a row of %lld tokens: expected 2 to %lld (max_length, truncation_mode)",
                             (long long)n, (long long)o->max_length);
        if (o->truncation == REIN_TRUNCATION_DROP) {
            l->data->dropped++;
            return REIN_OK;
        }
        l->data->truncated++;
        if (o->truncation == REIN_TRUNCATION_END) from = n - o->max_length;
        n = o->max_length;
    }
    bool wants = o->format != REIN_DATASET_PROMPT && o->format != REIN_DATASET_RANKED;
    if (wants && !has_loss(l, from, n)) {
        l->data->without_loss++;
        return REIN_OK;
    }
    return append(l, from, n);
}

/* ---- rows ---- */

static rein_status add_pair(loader *l, const rein_row *row) {
    rein_dataset *d = l->data;
    int64_t begin = d->n_seq;
    double margin = 0;
    if (row->kind != REIN_ROW_PREFERENCE)
        return rein_fail(REIN_ERR_FORMAT, "the row has no columns chosen and rejected in the form of its prompt");
    if (!row->prompt && l->o->format == REIN_DATASET_PREFERENCE)
        return rein_fail(REIN_ERR_FORMAT, "the row has chosen and rejected, and no column prompt");
    if (row->margin) {
        if (!json_object_is_type(row->margin, json_type_double) && !json_object_is_type(row->margin, json_type_int))
            return rein_fail(REIN_ERR_FORMAT, "column 'margin' is no number");
        margin = json_object_get_double(row->margin);
    }
    REIN_TRY(encode(l, row, row->prompt, row->chosen));
    REIN_TRY(keep(l));
    REIN_TRY(encode(l, row, row->prompt, row->rejected));
    if (d->n_seq > begin) REIN_TRY(keep(l));
    if (d->n_seq < begin + 2) d->n_seq = begin; /* one is left out: so is the other */
    for (int64_t i = begin; i < d->n_seq; i++) d->margin[i] = margin;
    return REIN_OK;
}

static rein_status add_labelled(loader *l, const rein_row *row) {
    int64_t begin = l->data->n_seq;
    if (!json_object_is_type(row->label, json_type_boolean))
        return rein_fail(REIN_ERR_FORMAT, "column 'label' is not true or false");
    REIN_TRY(encode(l, row, row->prompt, row->completion));
    REIN_TRY(keep(l));
    if (l->data->n_seq > begin) l->data->label[begin] = (uint8_t)json_object_get_boolean(row->label);
    return REIN_OK;
}

static rein_status add_row(void *user, const rein_row *row) {
    loader *l = user;
    rein_dataset_format format = l->o->format;
    bool completion = row->kind == REIN_ROW_COMPLETION;
    if (format == REIN_DATASET_PREFERENCE || format == REIN_DATASET_RANKED) return add_pair(l, row);
    if (format == REIN_DATASET_PROMPT && row->prompt) {
        REIN_TRY(encode(l, row, row->prompt, NULL));
        return keep(l);
    }
    if (format != REIN_DATASET_TEXT && !completion)
        return rein_fail(REIN_ERR_FORMAT, "the row has no columns prompt%s",
                         format == REIN_DATASET_PROMPT ? "" : " and completion");
    if (format == REIN_DATASET_LABELLED) return add_labelled(l, row);
    if (!completion && row->prompt)
        return rein_fail(REIN_ERR_FORMAT, "a row with a prompt and no completion has nothing to learn from");
    struct json_object *answer = completion ? row->completion : row->chat ? row->messages : row->text;
    if (!answer) return rein_fail(REIN_ERR_FORMAT, "a row of chosen and rejected: this training takes one text a row");
    REIN_TRY(encode(l, row, row->prompt, answer));
    return keep(l);
}

/* The stream of sequences `from` on, cut anew. */
static rein_status cut_stream(rein_dataset *d, int64_t from, int64_t max_length) {
    int64_t at = d->first[from], end = d->first[d->n_seq];
    d->n_seq = from;
    for (; at < end; at += max_length) {
        REIN_TRY(reserve(d, 0));
        d->loss[at] = 0;
        d->prompt[d->n_seq] = d->label[d->n_seq] = 0;
        d->margin[d->n_seq] = 0;
        d->first[++d->n_seq] = at + max_length < end ? at + max_length : end;
    }
    return REIN_OK;
}

static rein_status load_rows(loader *l, const char *path) {
    rein_dataset *d = l->data;
    rein_jsonl *file = NULL;
    int64_t from = d->n_seq;
    REIN_TRY(reserve(d, 0));
    rein_status status = rein_jsonl_open(&file, path);
    for (int64_t i = 0; status == REIN_OK && i < rein_jsonl_count(file); i++) status = rein_row_use(file, i, add_row, l);
    if (status == REIN_OK && l->o->wrap) status = cut_stream(d, from, l->o->max_length);
    d->n_row = d->n_seq / d->width;
    if (status == REIN_OK && d->n_seq == from)
        status = rein_fail(REIN_ERR_FORMAT, "%s: no row is left: %lld are too long, %lld have no token to learn", path,
                           (long long)d->dropped, (long long)d->without_loss);
    rein_jsonl_close(file);
    return status;
}

rein_status rein_dataset_add(rein_dataset *d, const char *path, const rein_tokenizer *tok,
                             const rein_dataset_options *options) {
    loader l = {.data = d, .tok = tok, .o = options};
    rein_status status = load_rows(&l, path);
    rein_ids_deinit(&l.ids);
    rein_str_deinit(&l.loss);
    if (status != REIN_OK) rein_dataset_deinit(d);
    return status;
}

rein_status rein_dataset_load(rein_dataset *out, const char *path, const rein_tokenizer *tok,
                              const rein_dataset_options *options) {
    bool pairs = options->format == REIN_DATASET_PREFERENCE || options->format == REIN_DATASET_RANKED;
    *out = (rein_dataset){.width = pairs ? 2 : 1};
    return rein_dataset_add(out, path, tok, options);
}

void rein_dataset_deinit(rein_dataset *d) {
    rein_free(d->first);
    rein_free(d->prompt);
    rein_free(d->label);
    rein_free(d->margin);
    rein_free(d->loss);
    rein_free(d->ids);
    *d = (rein_dataset){0};
}

void rein_dataset_order(int64_t *order, int64_t n_row, bool shuffle, uint64_t seed, uint32_t epoch) {
    for (int64_t i = 0; i < n_row; i++) order[i] = i;
    for (int64_t i = n_row - 1; i > 0 && shuffle; i--) {
        int64_t j = (int64_t)rein_random_below((uint64_t)(i + 1), seed, REIN_STREAM_SHUFFLE, epoch, (uint32_t)i,
                                               (uint32_t)(i >> 32), 0);
        int64_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}
