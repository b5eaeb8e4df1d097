/* How figures are put together in an arena. */
#include "report/figures.h"

rein_status rein_figure_begin(rein_figure *f, rein_arena *arena, const char *name, int64_t rows, int64_t columns) {
    rein_panel *panel;
    *f = (rein_figure){
        .name = name, .caption = "", .width_mm = 174, .height_mm = 46 * (double)rows, .rows = rows, .columns = columns};
    REIN_TRY(rein_arena_alloc(arena, &panel, sizeof *panel * (size_t)(rows * columns)));
    for (int64_t i = 0; i < rows * columns; i++) {
        rein_mark *mark;
        REIN_TRY(rein_arena_alloc(arena, &mark, sizeof *mark * REIN_PANEL_MARKS));
        panel[i].mark = mark;
    }
    f->panel = panel;
    return REIN_OK;
}

rein_panel *rein_figure_add(rein_figure *f) {
    REIN_ASSERT(f->n_panel < f->rows * f->columns);
    return (rein_panel *)&f->panel[f->n_panel++]; /* made writable by rein_figure_begin */
}

rein_mark *rein_panel_add(rein_panel *p, rein_mark mark) {
    REIN_ASSERT(p->n_mark < REIN_PANEL_MARKS);
    rein_mark *slot = (rein_mark *)&p->mark[p->n_mark++];
    *slot = mark;
    return slot;
}

rein_colour rein_policy_colour(const rein_eval *e, int64_t policy) {
    int models = 0;
    for (int64_t i = 0; i < policy; i++) models += e->policies[i].role == REIN_ROLE_MODEL;
    switch (e->policies[policy].role) {
    case REIN_ROLE_MODEL:
        return (rein_colour)(models % REIN_COLOUR_CYCLE);
    case REIN_ROLE_ORACLE:
        return REIN_INK;
    default:
        return REIN_GREY;
    }
}
