/*
 * Merges of a SentencePiece BPE vocabulary, which has scores in their stead; see gguf_tokenizer.h.
 *
 * As transformers' generate_merges: each way to cut a piece into two pieces is a merge, ranked by the piece's score,
 * then by the lengths of its left and right half (in characters), all falling; ties keep the order of ids.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/json_check.h"
#include "io/gguf_tokenizer.h"
#include "text/maps.h"

enum { MAX_PIECE = 256 }; /* bytes; a longer one would cost its length squared */

typedef struct merge {
    double score;
    int32_t whole, left, right;
    int32_t left_chars, right_chars;
} merge;

typedef struct merges {
    merge *list;
    int64_t n, cap;
    rein_bytemap ids;
} merges;

static int compare_ids(int32_t a, int32_t b) { return (a > b) - (a < b); }

static int by_rank(const void *a, const void *b) {
    const merge *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->left_chars != y->left_chars) return compare_ids(y->left_chars, x->left_chars);
    if (x->right_chars != y->right_chars) return compare_ids(y->right_chars, x->right_chars);
    if (x->whole != y->whole) return compare_ids(x->whole, y->whole);
    return x->left != y->left ? compare_ids(x->left, y->left) : compare_ids(x->right, y->right);
}

static rein_status push(merges *m, merge item) {
    if (m->n == m->cap) {
        int64_t cap = m->cap ? 2 * m->cap : 1024;
        REIN_TRY(rein_realloc(&m->list, m->cap, cap, sizeof *m->list));
        m->cap = cap;
    }
    m->list[m->n++] = item;
    return REIN_OK;
}

static int32_t count_chars(const char *text, size_t len) {
    int32_t n = 0;
    for (size_t i = 0; i < len; n++) i += rein_utf8_length(text + i, len - i);
    return n;
}

/* Every cut of one piece whose halves are pieces. */
static rein_status cut_piece(merges *m, const rein_gguf_vocab *v, int64_t id) {
    const char *text = v->text[id];
    size_t len = v->len[id];
    if (len > MAX_PIECE)
        return rein_fail(REIN_ERR_FORMAT, "%s: tokenizer.ggml.tokens[%lld]: %zu bytes, at most %d are supported",
                         rein_gguf_path(v->g), (long long)id, len, MAX_PIECE);
    for (size_t cut = 0; cut < len;) {
        cut += rein_utf8_length(text + cut, len - cut);
        if (cut >= len) break;
        int32_t left = rein_bytemap_get(&m->ids, text, cut), right = rein_bytemap_get(&m->ids, text + cut, len - cut);
        if (left < 0 || right < 0) continue;
        merge item = {rein_gguf_value_float(v->scores, id), (int32_t)id, left, right, count_chars(text, cut),
                      count_chars(text + cut, len - cut)};
        REIN_TRY(push(m, item));
    }
    return REIN_OK;
}

static rein_status collect(merges *m, const rein_gguf_vocab *v) {
    int32_t old;
    for (int64_t id = 0; id < v->n; id++) {
        if (v->len[id] == 0) continue;
        REIN_TRY(rein_bytemap_put(&m->ids, v->text[id], v->len[id], (int32_t)id, &old));
        double score = rein_gguf_value_float(v->scores, id);
        if (!(score >= -1e30 && score <= 1e30))
            return rein_fail(REIN_ERR_FORMAT, "%s: tokenizer.ggml.scores[%lld] is %g", rein_gguf_path(v->g),
                             (long long)id, score);
        if (old >= 0)
            return rein_fail(REIN_ERR_FORMAT, "%s: tokens %d and %lld are the same text", rein_gguf_path(v->g), old,
                             (long long)id);
    }
    for (int64_t id = 0; id < v->n; id++) REIN_TRY(cut_piece(m, v, id));
    if (m->n > 0) qsort(m->list, (size_t)m->n, sizeof *m->list, by_rank);
    return REIN_OK;
}

rein_status rein_gguf_spm_merges(rein_str *out, const rein_gguf_vocab *v) {
    merges m = {0};
    if (!v->scores)
        return rein_fail(REIN_ERR_FORMAT, "%s: key 'tokenizer.ggml.scores' is missing", rein_gguf_path(v->g));
    rein_status status = collect(&m, v);
    rein_str_puts(out, "\"merges\":[");
    for (int64_t i = 0; i < m.n && status == REIN_OK; i++) {
        rein_str_puts(out, i ? ",\n[" : "\n[");
        rein_json_put_string(out, v->text[m.list[i].left], v->len[m.list[i].left]);
        rein_str_putc(out, ',');
        rein_json_put_string(out, v->text[m.list[i].right], v->len[m.list[i].right]);
        rein_str_putc(out, ']');
    }
    rein_str_putc(out, ']');
    rein_free(m.list);
    rein_bytemap_deinit(&m.ids);
    return status == REIN_OK ? rein_str_check(out) : status;
}
