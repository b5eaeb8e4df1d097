/* Supervised data; see dataset.h. */
#include "train/dataset.h"

#include <string.h>

#include "base/json.h"
#include "base/random.h"

typedef struct loader {
    rein_dataset *data;
    const rein_tokenizer *tok;
    rein_ids ids; /* of the row */
    int32_t eos;
    int64_t max_length;
} loader;

static rein_status append(rein_dataset *d, const rein_ids *ids, int64_t prompt) {
    if (d->n_row + 1 >= d->cap_row) {
        int64_t cap = d->cap_row ? 2 * d->cap_row : 1024;
        REIN_TRY(rein_realloc(&d->first, d->cap_row, cap, sizeof *d->first));
        REIN_TRY(rein_realloc(&d->prompt, d->cap_row, cap, sizeof *d->prompt));
        d->cap_row = cap;
    }
    int64_t at = d->first[d->n_row];
    if (at + ids->n > d->cap_ids) {
        int64_t cap = d->cap_ids ? 2 * d->cap_ids : 65536;
        while (cap < at + ids->n) cap *= 2;
        REIN_TRY(rein_realloc(&d->ids, d->cap_ids, cap, sizeof *d->ids));
        d->cap_ids = cap;
    }
    memcpy(d->ids + at, ids->data, (size_t)ids->n * sizeof *d->ids);
    d->prompt[d->n_row++] = prompt;
    d->first[d->n_row] = at + ids->n;
    return REIN_OK;
}

static rein_status add_text(loader *l, struct json_object *row, const char *key) {
    const char *text;
    size_t len;
    REIN_TRY(rein_json_string(&text, &len, row, key));
    return rein_tokenizer_encode(l->tok, text, len, &l->ids);
}

static rein_status add_row(void *user, int64_t line, struct json_object *row) {
    loader *l = user;
    (void)line;
    l->ids.n = 0;
    int64_t prompt = 0;
    if (rein_json_has(row, "text")) {
        REIN_TRY(add_text(l, row, "text"));
    } else {
        REIN_TRY(add_text(l, row, "prompt"));
        prompt = l->ids.n;
        REIN_TRY(add_text(l, row, "completion"));
    }
    REIN_TRY(rein_ids_push(&l->ids, l->eos));
    if (l->ids.n < 2 || l->ids.n > l->max_length)
        return rein_fail(REIN_ERR_FORMAT, "a row of %lld tokens: expected 2 to %lld (max_length)", (long long)l->ids.n,
                         (long long)l->max_length);
    return append(l->data, &l->ids, prompt);
}

rein_status rein_dataset_load(rein_dataset *out, const char *path, const rein_tokenizer *tok, int32_t eos,
                              int64_t max_length) {
    *out = (rein_dataset){0};
    loader l = {.data = out, .tok = tok, .eos = eos, .max_length = max_length};
    rein_status status = rein_jsonl_each(path, add_row, &l);
    if (status == REIN_OK && out->n_row == 0) status = rein_fail(REIN_ERR_FORMAT, "%s: no rows", path);
    rein_ids_deinit(&l.ids);
    if (status != REIN_OK) rein_dataset_deinit(out);
    return status;
}

void rein_dataset_deinit(rein_dataset *d) {
    rein_free(d->first);
    rein_free(d->prompt);
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
