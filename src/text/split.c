/* Running a pipeline of pre-tokenizers; see split.h. The behaviours are those of tokenizers' NormalizedString::split.
 */
#include "text/split.h"

#include <string.h>

#include "text/bytelevel.h"

static rein_status push(rein_pieces *pieces, rein_piece piece) {
    if (pieces->n == pieces->cap) {
        int64_t cap = pieces->cap ? 2 * pieces->cap : 64;
        REIN_TRY(rein_realloc(&pieces->data, pieces->cap, cap, sizeof *pieces->data));
        pieces->cap = cap;
    }
    pieces->data[pieces->n++] = piece;
    return REIN_OK;
}

/* Matches and what is between them, in order. */
static rein_status cut(rein_pieces *cuts, const rein_split_step *step, rein_regex_scratch *scratch, rein_piece piece) {
    size_t done = 0;
    rein_regex_walk walk = {0};
    rein_regex_match m;
    cuts->n = 0;
    for (;;) {
        REIN_TRY(rein_regex_next(&m, step->regex, scratch, piece.text, piece.len, &walk));
        size_t end = m.found ? m.begin : piece.len;
        if (end > done) REIN_TRY(push(cuts, (rein_piece){piece.text + done, end - done, step->invert, false}));
        if (!m.found) break;
        REIN_TRY(push(cuts, (rein_piece){piece.text + m.begin, m.end - m.begin, !step->invert, false}));
        done = m.end;
    }
    if (cuts->n) cuts->data[0].at_start = piece.at_start;
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
        last->at_start |= piece.at_start;
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

static bool starts_with(rein_piece piece, const char *mark, size_t size) {
    return piece.len >= size && memcmp(piece.text, mark, size) == 0;
}

static rein_status prefix_space(rein_pieces *out, rein_arena *arena, rein_piece piece) {
    if (piece.text[0] != ' ') {
        char *text;
        REIN_TRY(rein_arena_alloc(arena, &text, piece.len + 1));
        text[0] = ' ';
        memcpy(text + 1, piece.text, piece.len);
        piece.text = text;
        piece.len++;
    }
    REIN_TRY(push(out, piece));
    return REIN_OK;
}

static rein_status metaspace(rein_pieces *out, const rein_split_step *step, rein_arena *arena, rein_piece piece) {
    size_t size = strlen(step->mark), n = 0;
    char *text;
    bool wanted = step->prepend == REIN_PREPEND_ALWAYS || (step->prepend == REIN_PREPEND_FIRST && piece.at_start);
    bool prepend = wanted && piece.text[0] != ' ' && !starts_with(piece, step->mark, size);
    REIN_TRY(rein_arena_alloc(arena, &text, size * (piece.len + 1)));
    if (prepend) memcpy(text, step->mark, n = size);
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.text[i] == ' ') {
            memcpy(text + n, step->mark, size);
            n += size;
        } else {
            text[n++] = piece.text[i];
        }
    }
    piece.text = text;
    piece.len = n;
    REIN_TRY(push(out, piece));
    return REIN_OK;
}

static rein_status byte_level(rein_pieces *out, rein_arena *arena, rein_piece piece) {
    rein_str text = {0};
    char *copy;
    rein_bytelevel_write(&text, piece.text, piece.len);
    rein_status status = rein_str_check(&text);
    if (status == REIN_OK) status = rein_arena_strdup(arena, &copy, text.data, text.len);
    if (status == REIN_OK) {
        piece.text = copy;
        piece.len = text.len;
        status = push(out, piece);
    }
    rein_str_deinit(&text);
    return status;
}

static rein_status apply(rein_pieces *out, const rein_split_step *step, rein_split_work *work, rein_piece piece) {
    switch (step->kind) {
    case REIN_SPLIT_PREFIX_SPACE:
        return prefix_space(out, &work->rewritten, piece);
    case REIN_SPLIT_METASPACE:
        return metaspace(out, step, &work->rewritten, piece);
    case REIN_SPLIT_BYTE_LEVEL:
        return byte_level(out, &work->rewritten, piece);
    default:
        return apply_regex(out, step, work, piece);
    }
}

rein_status rein_splitter_run(const rein_splitter *splitter, rein_split_work *work, const char *text, size_t len,
                              bool at_start) {
    work->pieces.n = 0;
    rein_arena_deinit(&work->rewritten);
    if (len == 0) return REIN_OK;
    REIN_TRY(push(&work->pieces, (rein_piece){.text = text, .len = len, .at_start = at_start}));
    for (int s = 0; s < splitter->n_steps; s++) {
        work->next.n = 0;
        for (int64_t i = 0; i < work->pieces.n; i++)
            REIN_TRY(apply(&work->next, &splitter->steps[s], work, work->pieces.data[i]));
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
    rein_arena_deinit(&work->rewritten);
    rein_regex_scratch_destroy(work->scratch);
    *work = (rein_split_work){0};
}

void rein_splitter_deinit(rein_splitter *splitter) {
    for (int i = 0; i < splitter->n_steps; i++) rein_regex_destroy(splitter->steps[i].regex);
    *splitter = (rein_splitter){0};
}
