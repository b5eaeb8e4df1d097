/* Best fit decreasing; see pack.h. */
#include "train/pack.h"

/* Units by the room that they have left: a queue for every room, and a bit where it is not empty. */
typedef struct rooms {
    int64_t max;          /* rooms 0 .. max */
    int64_t *head, *tail; /* (max + 1) unit + 1, 0: none */
    int64_t *next;        /* (n) by unit */
    uint64_t *some;       /* bits */
} rooms;

static void put(rooms *r, int64_t room, int64_t unit) {
    r->next[unit] = 0;
    if (r->head[room])
        r->next[r->tail[room] - 1] = unit + 1;
    else
        r->head[room] = unit + 1;
    r->tail[room] = unit + 1;
    r->some[room / 64] |= 1ULL << (room % 64);
}

static int64_t take(rooms *r, int64_t room) {
    int64_t unit = r->head[room] - 1;
    r->head[room] = r->next[unit];
    if (!r->head[room]) r->some[room / 64] &= ~(1ULL << (room % 64));
    return unit;
}

/* The least room of at least `length` that some unit has, or -1. */
static int64_t least_room(const rooms *r, int64_t length) {
    uint64_t word = r->some[length / 64] >> (length % 64) << (length % 64);
    for (int64_t w = length / 64; w <= r->max / 64; word = w < r->max / 64 ? r->some[w + 1] : 0, w++)
        for (int64_t bit = 0; word && bit < 64; bit++)
            if (word >> bit & 1) return w * 64 + bit;
    return -1;
}

/* Rows by falling length; equal ones by number. */
static rein_status sort_rows(int64_t *sorted, const int64_t *length, int64_t n, int64_t max_length) {
    int64_t *first;
    REIN_TRY(rein_alloc(&first, max_length + 2, sizeof *first));
    for (int64_t i = 0; i < n; i++) first[max_length - length[i] + 1]++;
    for (int64_t k = 1; k <= max_length; k++) first[k] += first[k - 1];
    for (int64_t i = 0; i < n; i++) sorted[first[max_length - length[i]]++] = i;
    rein_free(first);
    return REIN_OK;
}

/* unit (n): the unit of each row. */
static int64_t assign(int64_t *unit, rooms *r, const int64_t *sorted, const int64_t *length, int64_t n) {
    int64_t n_unit = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = sorted[i], room = least_room(r, length[row]);
        unit[row] = room < 0 ? n_unit++ : take(r, room);
        put(r, (room < 0 ? r->max : room) - length[row], unit[row]);
    }
    return n_unit;
}

static rein_status rooms_make(rooms *r, rein_arena *arena, int64_t n, int64_t max_length) {
    size_t each = sizeof(int64_t);
    *r = (rooms){.max = max_length};
    REIN_TRY(rein_arena_alloc(arena, &r->head, (size_t)(max_length + 1) * each));
    REIN_TRY(rein_arena_alloc(arena, &r->tail, (size_t)(max_length + 1) * each));
    REIN_TRY(rein_arena_alloc(arena, &r->next, (size_t)n * each));
    return rein_arena_alloc(arena, &r->some, (size_t)(max_length / 64 + 1) * sizeof *r->some);
}

static rein_status make(rein_pack *out, rein_arena *arena, const int64_t *length, int64_t n, int64_t max_length) {
    int64_t *sorted, *unit;
    rooms r;
    REIN_TRY(rooms_make(&r, arena, n, max_length));
    REIN_TRY(rein_arena_alloc(arena, &sorted, (size_t)n * sizeof *sorted));
    REIN_TRY(rein_arena_alloc(arena, &unit, (size_t)n * sizeof *unit));
    REIN_TRY(sort_rows(sorted, length, n, max_length));
    out->n_unit = assign(unit, &r, sorted, length, n);
    REIN_TRY(rein_alloc(&out->row, n, sizeof *out->row));
    REIN_TRY(rein_alloc(&out->first, out->n_unit + 1, sizeof *out->first));
    for (int64_t i = 0; i < n; i++) out->first[unit[i] + 1]++;
    for (int64_t u = 0; u < out->n_unit; u++) out->first[u + 1] += out->first[u];
    int64_t *at = r.next; /* done with the queues */
    for (int64_t u = 0; u < out->n_unit; u++) at[u] = out->first[u];
    for (int64_t i = 0; i < n; i++) out->row[at[unit[sorted[i]]]++] = sorted[i];
    return REIN_OK;
}

rein_status rein_pack_make(rein_pack *out, const int64_t *length, int64_t n, int64_t max_length) {
    rein_arena arena = {0};
    *out = (rein_pack){0};
    rein_status status = make(out, &arena, length, n, max_length);
    rein_arena_deinit(&arena);
    if (status != REIN_OK) rein_pack_deinit(out);
    return status;
}

void rein_pack_deinit(rein_pack *p) {
    rein_free(p->first);
    rein_free(p->row);
    *p = (rein_pack){0};
}
