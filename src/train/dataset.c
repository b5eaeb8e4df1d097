/* Supervised data; see dataset.h. */
#include "train/dataset.h"

#include <string.h>

#include "base/random.h"
#include "io/jsonl.h"
#include "io/row.h"

typedef struct loader {
    rein_dataset *data;
    const rein_tokenizer *tok;
    const rein_dataset_options *o;
    rein_ids ids;  /* of the row */
    rein_str loss; /* a byte a token */
} loader;

/* ---- rows to ids ---- */

static rein_status append(rein_dataset *d, const int32_t *ids, const char *loss, int64_t n) {
    if (d->n_row + 1 >= d->cap_row) {
        int64_t cap = d->cap_row ? 2 * d->cap_row : 1024;
        REIN_TRY(rein_realloc(&d->first, d->cap_row, cap, sizeof *d->first));
        d->cap_row = cap;
    }
    int64_t at = d->first[d->n_row];
    if (at + n > d->cap_ids) {
        int64_t cap = d->cap_ids ? 2 * d->cap_ids : 65536;
        while (cap < at + n) cap *= 2;
        REIN_TRY(rein_realloc(&d->ids, d->cap_ids, cap, sizeof *d->ids));
        REIN_TRY(rein_realloc(&d->loss, d->cap_ids, cap, sizeof *d->loss));
        d->cap_ids = cap;
    }
    memcpy(d->ids + at, ids, (size_t)n * sizeof *ids);
    memcpy(d->loss + at, loss, (size_t)n);
    d->loss[at] = 0;
    d->first[++d->n_row] = at + n;
    return REIN_OK;
}

/* Bytes of `loss` up to the number of ids. */
static void mark(loader *l, char value) {
    while ((int64_t)l->loss.len < l->ids.n && !l->loss.failed) rein_str_putc(&l->loss, value);
}

static rein_status add_text(loader *l, struct json_object *text) {
    return rein_tokenizer_encode(l->tok, json_object_get_string(text), (size_t)json_object_get_string_len(text), &l->ids);
}

static rein_status encode_text(loader *l, const rein_row *row) {
    if (l->o->assistant_only)
        return rein_fail(REIN_ERR_FORMAT, "assistant_only_loss needs conversations, and this row is text");
    if (row->kind == REIN_ROW_COMPLETION) {
        REIN_TRY(add_text(l, row->prompt));
        mark(l, !l->o->completion_only);
        REIN_TRY(add_text(l, row->completion));
    } else {
        REIN_TRY(add_text(l, row->text));
    }
    REIN_TRY(rein_ids_push(&l->ids, l->o->eos));
    mark(l, 1);
    return REIN_OK;
}

/* Tokens of a conversational prompt, with the generation prompt behind it: as in a rollout. */
static rein_status prompt_length(int64_t *n, loader *l, const rein_row *row) {
    rein_ids ids = {0};
    rein_str unused = {0};
    rein_status status = rein_chat_encode(&ids, &unused, l->o->chat, l->tok, row->prompt, row->tools, true,
                                          l->o->chat_kwargs);
    *n = ids.n;
    if (status == REIN_OK && (ids.n > l->ids.n || memcmp(ids.data, l->ids.data, (size_t)ids.n * sizeof *ids.data) != 0))
        status = rein_fail(REIN_ERR_FORMAT, "the chat template writes the prompt differently when the answer follows");
    rein_ids_deinit(&ids);
    rein_str_deinit(&unused);
    return status;
}

static rein_status encode_chat(loader *l, const rein_row *row) {
    struct json_object *joined = NULL;
    int64_t prompt = 0;
    rein_status status = REIN_OK;
    if (!l->o->chat)
        return rein_fail(REIN_ERR_FORMAT, "the row is a conversation, and the model has no chat template");
    if (row->kind == REIN_ROW_COMPLETION) REIN_TRY(rein_messages_join(&joined, row->prompt, row->completion));
    REIN_TRY_OUT(status, rein_chat_encode(&l->ids, &l->loss, l->o->chat, l->tok, joined ? joined : row->messages,
                                          row->tools, false, l->o->chat_kwargs), out);
    REIN_TRY_OUT(status, rein_str_check(&l->loss), out);
    if (!l->o->assistant_only) memset(l->loss.data, 1, l->loss.len);
    if (joined && l->o->completion_only) {
        REIN_TRY_OUT(status, prompt_length(&prompt, l, row), out);
        memset(l->loss.data, 0, (size_t)prompt);
    }
out:
    json_object_put(joined);
    return status;
}

static rein_status encode_row(loader *l, const rein_row *row) {
    rein_str_clear(&l->loss);
    l->ids.n = 0;
    if (row->kind == REIN_ROW_PROMPT)
        return rein_fail(REIN_ERR_FORMAT, "a row with a prompt and no completion has nothing to learn from");
    REIN_TRY(row->chat ? encode_chat(l, row) : encode_text(l, row));
    REIN_TRY(rein_str_check(&l->loss));
    REIN_ASSERT((int64_t)l->loss.len == l->ids.n);
    return l->ids.n >= 2 ? REIN_OK : rein_fail(REIN_ERR_FORMAT, "a row of %lld tokens: expected 2 or more",
                                               (long long)l->ids.n);
}

/* The row as it is trained on: cut, left out, or whole. */
static rein_status keep_row(loader *l) {
    const rein_dataset_options *o = l->o;
    int64_t from = 0, n = l->ids.n;
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
    if (!memchr(l->loss.data + from + 1, 1, (size_t)n - 1)) {
        l->data->without_loss++;
        return REIN_OK;
    }
    return append(l->data, l->ids.data + from, l->loss.data + from, n);
}

static rein_status add_row(void *user, const rein_row *row) {
    REIN_TRY(encode_row(user, row));
    return keep_row(user);
}

rein_status rein_dataset_load(rein_dataset *out, const char *path, const rein_tokenizer *tok,
                              const rein_dataset_options *options) {
    *out = (rein_dataset){0};
    loader l = {.data = out, .tok = tok, .o = options};
    rein_jsonl *file = NULL;
    rein_status status = rein_jsonl_open(&file, path);
    for (int64_t i = 0; status == REIN_OK && i < rein_jsonl_count(file); i++) status = rein_row_use(file, i, add_row, &l);
    if (status == REIN_OK && out->n_row == 0)
        status = rein_fail(REIN_ERR_FORMAT, "%s: no row is left: %lld are too long, %lld have no token to learn", path,
                           (long long)out->dropped, (long long)out->without_loss);
    rein_jsonl_close(file);
    rein_ids_deinit(&l.ids);
    rein_str_deinit(&l.loss);
    if (status != REIN_OK) rein_dataset_deinit(out);
    return status;
}

void rein_dataset_deinit(rein_dataset *d) {
    rein_free(d->first);
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
