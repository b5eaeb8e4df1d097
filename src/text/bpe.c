/* Byte-pair merging with a heap of candidate pairs over a linked list of symbols; see bpe.h. */
#include "text/bpe.h"

#include "text/bytelevel.h"

struct rein_bpe_symbol {
    int32_t id, previous, next; /* id -1: joined to its left neighbour; previous, next -1: the ends */
};

/* Stale once the symbols at `at` are no longer the pair of this rank: looked up again when it is taken. */
struct rein_bpe_candidate {
    int32_t rank, at;
};

static bool before(rein_bpe_candidate a, rein_bpe_candidate b) {
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void heap_push(rein_bpe_work *work, rein_bpe_candidate c) {
    rein_bpe_candidate *heap = work->heap;
    int64_t i = work->n_heap++;
    for (int64_t up; i > 0 && before(c, heap[up = (i - 1) / 2]); i = up) heap[i] = heap[up];
    heap[i] = c;
}

static rein_bpe_candidate heap_pop(rein_bpe_work *work) {
    rein_bpe_candidate *heap = work->heap, top = heap[0], last = heap[--work->n_heap];
    int64_t i = 0, child;
    while ((child = 2 * i + 1) < work->n_heap) {
        if (child + 1 < work->n_heap && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], last)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static int32_t rank_at(const rein_bpe *bpe, const rein_bpe_symbol *symbols, int32_t at) {
    if (at < 0 || symbols[at].id < 0 || symbols[at].next < 0) return -1;
    return rein_pairmap_get(&bpe->ranks, symbols[at].id, symbols[symbols[at].next].id);
}

static void offer(const rein_bpe *bpe, rein_bpe_work *work, int32_t at) {
    int32_t rank = rank_at(bpe, work->symbols, at);
    if (rank >= 0) heap_push(work, (rein_bpe_candidate){.rank = rank, .at = at});
}

/* A piece of n symbols has at most n-1 candidates at first and two more for each of at most n-1 merges. */
static rein_status reserve(rein_bpe_work *work, int64_t n) {
    if (n <= work->cap) return REIN_OK;
    int64_t cap = n < 64 ? 64 : 2 * n;
    REIN_TRY(rein_realloc(&work->symbols, 0, cap, sizeof *work->symbols));
    REIN_TRY(rein_realloc(&work->heap, 0, 3 * cap, sizeof *work->heap));
    work->cap = cap;
    return REIN_OK;
}

/* As in tokenizers, a candidate is stale if its pair no longer gives the token that it gave when it was queued. */
static bool is_stale(const rein_bpe *bpe, const rein_bpe_symbol *symbols, rein_bpe_candidate c) {
    int32_t rank = rank_at(bpe, symbols, c.at);
    return rank < 0 || bpe->merges[rank].joined != bpe->merges[c.rank].joined;
}

static void merge_all(const rein_bpe *bpe, rein_bpe_work *work, int32_t n) {
    rein_bpe_symbol *symbols = work->symbols;
    work->n_heap = 0;
    for (int32_t i = 0; i + 1 < n; i++) offer(bpe, work, i);
    while (work->n_heap) {
        rein_bpe_candidate top = heap_pop(work);
        if (is_stale(bpe, symbols, top)) continue;
        rein_bpe_symbol *left = &symbols[top.at], *right = &symbols[left->next];
        left->id = bpe->merges[top.rank].joined;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0) symbols[left->next].previous = top.at;
        offer(bpe, work, left->previous);
        offer(bpe, work, top.at);
    }
}

/* ---- units ---- */

static int32_t unit_at(const rein_bpe *bpe, const char *text, size_t len, size_t *size) {
    *size = 1;
    if (bpe->bytes) return bpe->unit_id[(unsigned char)*text];
    int32_t c = rein_utf8_decode(text, len, size);
    return c < REIN_BPE_UNITS ? bpe->unit_id[c] : rein_bytemap_get(bpe->words, text, *size);
}

static bool falls_back(const rein_bpe *bpe, const char *unit, size_t size) {
    if (!bpe->byte_fallback) return false;
    for (size_t i = 0; i < size; i++)
        if (bpe->byte_id[(unsigned char)unit[i]] < 0) return false;
    return true;
}

static rein_status refuse_unit(const rein_bpe *bpe, const char *unit, size_t size) {
    unsigned char byte = (unsigned char)unit[0];
    if (bpe->has_unk)
        return rein_fail(REIN_ERR_ARG, "'%.*s' has no token, and model.unk_token is not in the vocabulary", (int)size,
                         unit);
    if (!bpe->bytes)
        return rein_fail(REIN_ERR_ARG, "'%.*s' has no token, and the model has no unk_token", (int)size, unit);
    return rein_fail(REIN_ERR_ARG,
                     "byte 0x%02x ('%c') has no token: the vocabulary was made without it; train with all bytes", byte,
                     byte > ' ' && byte < 0x7f ? byte : '?');
}

static void push_unit(rein_bpe_work *work, int32_t *n, int32_t id) {
    work->symbols[*n] = (rein_bpe_symbol){id, *n - 1, *n + 1};
    ++*n;
}

/* The order of tokenizers' merge_word, in which an unknown token waits for the next known unit, but not for the bytes
 * of one that fell back. */
static rein_status cut_units(const rein_bpe *bpe, rein_bpe_work *work, const char *text, size_t len, int32_t *n) {
    bool unknown = false;
    *n = 0;
    for (size_t i = 0, size; i < len; i += size) {
        int32_t id = unit_at(bpe, text + i, len - i, &size);
        if (id >= 0) {
            if (unknown) push_unit(work, n, bpe->unk_id);
            unknown = false;
            push_unit(work, n, id);
        } else if (falls_back(bpe, text + i, size)) {
            for (size_t k = 0; k < size; k++) push_unit(work, n, bpe->byte_id[(unsigned char)text[i + k]]);
        } else {
            if (!bpe->has_unk || bpe->unk_id < 0) return refuse_unit(bpe, text + i, size);
            if (unknown && !bpe->fuse_unk) push_unit(work, n, bpe->unk_id);
            unknown = true;
        }
    }
    if (unknown) push_unit(work, n, bpe->unk_id);
    if (*n) work->symbols[*n - 1].next = -1;
    return REIN_OK;
}

rein_status rein_bpe_encode(const rein_bpe *bpe, rein_bpe_work *work, const char *text, size_t len, rein_ids *out) {
    int32_t n;
    REIN_ASSERT(len < INT32_MAX);
    REIN_TRY(reserve(work, (int64_t)len));
    REIN_TRY(cut_units(bpe, work, text, len, &n));
    merge_all(bpe, work, n);
    for (int32_t i = 0; i >= 0 && n; i = work->symbols[i].next) REIN_TRY(rein_ids_push(out, work->symbols[i].id));
    return REIN_OK;
}

void rein_bpe_work_deinit(rein_bpe_work *work) {
    rein_free(work->symbols);
    rein_free(work->heap);
    *work = (rein_bpe_work){0};
}
