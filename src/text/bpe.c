/* Byte-pair merging with a heap of candidate pairs over a linked list of symbols; see bpe.h. */
#include "text/bpe.h"

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

static void merge_all(const rein_bpe *bpe, rein_bpe_work *work, int32_t n) {
    rein_bpe_symbol *symbols = work->symbols;
    work->n_heap = 0;
    for (int32_t i = 0; i + 1 < n; i++) offer(bpe, work, i);
    while (work->n_heap) {
        rein_bpe_candidate top = heap_pop(work);
        if (rank_at(bpe, symbols, top.at) != top.rank) continue;
        rein_bpe_symbol *left = &symbols[top.at], *right = &symbols[left->next];
        left->id = bpe->merges[top.rank].joined;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0) symbols[left->next].previous = top.at;
        offer(bpe, work, left->previous);
        offer(bpe, work, top.at);
    }
}

rein_status rein_bpe_encode(const rein_bpe *bpe, rein_bpe_work *work, const char *bytes, size_t len, rein_ids *out) {
    REIN_ASSERT(len < INT32_MAX);
    int32_t n = (int32_t)len;
    REIN_TRY(reserve(work, n));
    for (int32_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (bpe->byte_id[byte] < 0)
            return rein_fail(
                REIN_ERR_ARG,
                "byte 0x%02x ('%c') has no token: the vocabulary was made without it; train with all bytes", byte,
                byte > ' ' && byte < 0x7f ? byte : '?');
        work->symbols[i] = (rein_bpe_symbol){bpe->byte_id[byte], i - 1, i + 1 < n ? i + 1 : -1};
    }
    merge_all(bpe, work, n);
    for (int32_t i = 0; i >= 0 && n; i = work->symbols[i].next) REIN_TRY(rein_ids_push(out, work->symbols[i].id));
    return REIN_OK;
}

void rein_bpe_work_deinit(rein_bpe_work *work) {
    rein_free(work->symbols);
    rein_free(work->heap);
    *work = (rein_bpe_work){0};
}
