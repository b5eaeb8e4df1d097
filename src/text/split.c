/* Running a pipeline of pre-tokenizers; see split.h. The behaviours are those of tokenizers' NormalizedString::split.
 */
#include "text/split.h"

#include <string.h>

static rein_status push(rein_pieces *pieces, rein_piece piece) {
    if (pieces->n == pieces->cap) {
        int64_t cap = pieces->cap ? 2 * pieces->cap : 64;
        REIN_TRY(rein_realloc(&pieces->data, pieces->cap, cap, sizeof *pieces->data));
        pieces->cap = cap;
    }
    pieces->data[pieces->n++] = piece;
    return REIN_OK;
}

/* Matches and what is between them, in order. An empty match cuts, unless it directly follows a match. */
static rein_status cut(rein_pieces *cuts, const rein_split_step *step, rein_regex_scratch *scratch, rein_piece piece) {
    size_t done = 0, from = 0;
    bool any = false;
    cuts->n = 0;
    while (from <= piece.len) {
        rein_regex_match m;
        REIN_TRY(rein_regex_find(&m, step->regex, scratch, piece.text, piece.len, from));
        if (!m.found) break;
        from = m.end;
        if (m.begin == m.end) { /* step over one character before the next search */
            do from++;
            while (from < piece.len && ((unsigned char)piece.text[from] & 0xc0) == 0x80);
            if (any && m.end == done) continue;
        }
        if (m.begin > done) REIN_TRY(push(cuts, (rein_piece){piece.text + done, m.begin - done, step->invert}));
        REIN_TRY(push(cuts, (rein_piece){piece.text + m.begin, m.end - m.begin, !step->invert}));
        done = m.end;
        any = true;
    }
    if (done < piece.len) REIN_TRY(push(cuts, (rein_piece){piece.text + done, piece.len - done, step->invert}));
    return REIN_OK;
}

/* Join neighbours in place. Going backwards is the same fold with "previous" meaning the cut after. */
static void join(rein_pieces *cuts, rein_split_behavior behavior) {
    bool backwards = behavior == REIN_SPLIT_MERGED_WITH_NEXT, previous = false;
    int64_t n = cuts->n, kept = 0;
    rein_piece *p = cuts->data;
    for (int64_t k = 0; k < n; k++) {
        rein_piece piece = p[backwards ? n - 1 - k : k];
        bool joins = behavior == REIN_SPLIT_CONTIGUOUS ? piece.match == previous : piece.match && !previous;
        previous = piece.match;
        if (!joins || kept == 0) {
            p[backwards ? n - 1 - kept : kept] = piece;
            kept++;
            continue;
        }
        rein_piece *last = &p[backwards ? n - kept : kept - 1];
        last->len += piece.len;
        if (backwards) last->text = piece.text;
    }
    if (backwards) memmove(p, p + n - kept, (size_t)kept * sizeof *p);
    cuts->n = kept;
}

static rein_status apply_regex(rein_pieces *out, const rein_split_step *step, rein_split_work *work, rein_piece piece) {
    rein_pieces *cuts = &work->cuts;
    REIN_TRY(cut(cuts, step, work->scratch, piece));
    if (cuts->n && step->behavior != REIN_SPLIT_REMOVED && step->behavior != REIN_SPLIT_ISOLATED)
        join(cuts, step->behavior);
    for (int64_t i = 0; i < cuts->n; i++) {
        if (cuts->data[i].len == 0 || (step->behavior == REIN_SPLIT_REMOVED && cuts->data[i].match)) continue;
        REIN_TRY(push(out, cuts->data[i]));
    }
    return REIN_OK;
}

static rein_status prefix_space(rein_pieces *out, rein_arena *arena, rein_piece piece) {
    if (piece.text[0] != ' ') {
        char *text;
        REIN_TRY(rein_arena_alloc(arena, &text, piece.len + 1));
        text[0] = ' ';
        memcpy(text + 1, piece.text, piece.len);
        piece = (rein_piece){.text = text, .len = piece.len + 1};
    }
    REIN_TRY(push(out, piece));
    return REIN_OK;
}

rein_status rein_splitter_run(const rein_splitter *splitter, rein_split_work *work, const char *text, size_t len) {
    work->pieces.n = 0;
    rein_arena_deinit(&work->spaced);
    if (len == 0) return REIN_OK;
    REIN_TRY(push(&work->pieces, (rein_piece){.text = text, .len = len}));
    for (int s = 0; s < splitter->n_steps; s++) {
        const rein_split_step *step = &splitter->steps[s];
        work->next.n = 0;
        for (int64_t i = 0; i < work->pieces.n; i++) {
            rein_piece piece = work->pieces.data[i];
            if (step->regex)
                REIN_TRY(apply_regex(&work->next, step, work, piece));
            else
                REIN_TRY(prefix_space(&work->next, &work->spaced, piece));
        }
        rein_pieces done = work->pieces;
        work->pieces = work->next;
        work->next = done;
    }
    return REIN_OK;
}

rein_status rein_split_work_init(rein_split_work *work) {
    *work = (rein_split_work){0};
    REIN_TRY(rein_regex_scratch_create(&work->scratch));
    return REIN_OK;
}

void rein_split_work_deinit(rein_split_work *work) {
    rein_free(work->pieces.data);
    rein_free(work->next.data);
    rein_free(work->cuts.data);
    rein_arena_deinit(&work->spaced);
    rein_regex_scratch_destroy(work->scratch);
    *work = (rein_split_work){0};
}

void rein_splitter_deinit(rein_splitter *splitter) {
    for (int i = 0; i < splitter->n_steps; i++) rein_regex_destroy(splitter->steps[i].regex);
    *splitter = (rein_splitter){0};
}
