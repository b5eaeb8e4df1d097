/* Marks and legends of a panel. */
#include <math.h>
#include <string.h>

#include "report/draw.h"

typedef struct view {
    cairo_t *c;
    rein_box box;
    const rein_ticks *x, *y;
} view;

static const double line_width = 1.1, marker_size = 4.5;

static double px(const view *v, double x) { return v->box.x + rein_ticks_place(v->x, x) * v->box.w; }
static double py(const view *v, double y) { return v->box.y + (1 - rein_ticks_place(v->y, y)) * v->box.h; }
/* Regions, bands and bars end at the edges of the panel; what a log axis cannot show is below its lower edge. */
static double py_clamped(const view *v, double y) {
    double at = py(v, y), bottom = v->box.y + v->box.h;
    return isnan(at) ? bottom : fmin(fmax(at, v->box.y), bottom);
}

static double px_clamped(const view *v, double x) { return fmin(fmax(px(v, x), v->box.x), v->box.x + v->box.w); }

static void style(const view *v, const rein_mark *m) {
    static const double dash[] = {4, 2.2};
    rein_draw_colour(v->c, m->colour, m->faint ? 0.25 : 1);
    cairo_set_line_width(v->c, m->size > 0 ? m->size : line_width);
    cairo_set_dash(v->c, dash, m->dashed ? 2 : 0, 0);
    cairo_set_line_join(v->c, CAIRO_LINE_JOIN_ROUND);
}

static void draw_line(const view *v, const rein_mark *m) {
    bool open = false;
    for (int64_t i = 0; i < m->n; i++) {
        double x = px(v, m->x[i]), y = py(v, m->y[i]);
        bool shown = isfinite(x) && isfinite(y);
        if (shown && open) cairo_line_to(v->c, x, y);
        if (shown && !open) cairo_move_to(v->c, x, y);
        open = shown;
    }
    cairo_stroke(v->c);
}

static void draw_step(const view *v, const rein_mark *m) {
    bool open = false;
    for (int64_t i = 0; i < m->n; i++) {
        double hold = i + 1 < m->n ? m->x[i + 1] - m->x[i] : i > 0 ? m->x[i] - m->x[i - 1] : 0;
        double x = px(v, m->x[i]), end = px(v, m->x[i] + hold), y = py(v, m->y[i]);
        bool shown = isfinite(x) && isfinite(y);
        if (shown && open) cairo_line_to(v->c, x, y);
        if (shown && !open) cairo_move_to(v->c, x, y);
        if (shown) cairo_line_to(v->c, end, y);
        open = shown;
    }
    cairo_stroke(v->c);
}

static bool band_at(const view *v, const rein_mark *m, int64_t i) {
    return isfinite(px(v, m->x[i])) && isfinite(m->lo[i]) && isfinite(m->hi[i]);
}

/* A band is filled piece by piece between gaps. On a log axis what lies below zero is cut at the lower edge. */
static void draw_band(const view *v, const rein_mark *m) {
    rein_draw_colour(v->c, m->colour, 0.2);
    for (int64_t first = 0, last; first < m->n; first = last + 1) {
        last = first;
        if (!band_at(v, m, first)) continue;
        while (last + 1 < m->n && band_at(v, m, last + 1)) last++;
        for (int64_t i = first; i <= last; i++) cairo_line_to(v->c, px(v, m->x[i]), py_clamped(v, m->hi[i]));
        for (int64_t i = last; i >= first; i--) {
            cairo_line_to(v->c, px(v, m->x[i]), py_clamped(v, m->lo[i]));
        }
        cairo_close_path(v->c);
    }
    cairo_fill(v->c);
}

static void star_path(cairo_t *c, double x, double y, double r) {
    for (int k = 0; k < 10; k++) {
        double angle = k * 0.62831853071795865 - 1.5707963267948966, radius = k % 2 ? 0.4 * r : r;
        cairo_line_to(c, x + radius * cos(angle), y + radius * sin(angle));
    }
    cairo_close_path(c);
}

static void draw_marker(const view *v, const rein_mark *m, double x, double y) {
    double r = 0.5 * (m->size > 0 ? m->size : marker_size);
    cairo_t *c = v->c;
    cairo_new_path(c);
    if (m->shape == REIN_DOT || m->shape == REIN_CIRCLE) cairo_arc(c, x, y, r, 0, 6.283185307179586);
    if (m->shape == REIN_SQUARE) cairo_rectangle(c, x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
    if (m->shape == REIN_STAR) star_path(c, x, y, 1.3 * r);
    if (m->shape == REIN_CROSS) {
        cairo_move_to(c, x - r, y - r);
        cairo_line_to(c, x + r, y + r);
        cairo_move_to(c, x - r, y + r);
        cairo_line_to(c, x + r, y - r);
    }
    bool hollow = m->shape == REIN_CIRCLE || m->shape == REIN_SQUARE;
    double alpha = m->faint ? 0.25 : 1;
    if (hollow) {
        cairo_set_source_rgb(c, 1, 1, 1);
        cairo_fill_preserve(c);
    }
    rein_draw_colour(c, m->colour, alpha);
    cairo_set_line_width(c, 1);
    if (hollow || m->shape == REIN_CROSS)
        cairo_stroke(c);
    else
        cairo_fill(c);
}

static void whisker(cairo_t *c, bool across, double x0, double y0, double x1, double y1) {
    const double cap_x = across ? 0 : 3, cap_y = across ? 3 : 0;
    cairo_move_to(c, x0, y0);
    cairo_line_to(c, x1, y1);
    cairo_move_to(c, x0 - cap_x, y0 - cap_y);
    cairo_line_to(c, x0 + cap_x, y0 + cap_y);
    cairo_move_to(c, x1 - cap_x, y1 - cap_y);
    cairo_line_to(c, x1 + cap_x, y1 + cap_y);
}

static void draw_whiskers(const view *v, const rein_mark *m, rein_colour colour) {
    rein_draw_colour(v->c, colour, 1);
    cairo_set_line_width(v->c, 1);
    cairo_set_dash(v->c, NULL, 0, 0);
    for (int64_t i = 0; i < m->n; i++) {
        double x = px(v, m->x[i]), y = py(v, m->y[i]);
        if (!isfinite(x) || !isfinite(y) || !isfinite(m->lo[i]) || !isfinite(m->hi[i])) continue;
        if (m->across)
            whisker(v->c, true, px_clamped(v, m->lo[i]), y, px_clamped(v, m->hi[i]), y);
        else
            whisker(v->c, false, x, py_clamped(v, m->lo[i]), x, py_clamped(v, m->hi[i]));
    }
    cairo_stroke(v->c);
}

static void draw_points(const view *v, const rein_mark *m) {
    if (m->lo && m->hi) draw_whiskers(v, m, m->colour);
    cairo_set_dash(v->c, NULL, 0, 0);
    for (int64_t i = 0; i < m->n; i++) {
        double x = px(v, m->x[i]), y = py(v, m->y[i]);
        if (isfinite(x) && isfinite(y)) draw_marker(v, m, x, y);
    }
}

static void draw_bars(const view *v, const rein_mark *m) {
    double base = py_clamped(v, 0), half = 0.5 * (m->size > 0 ? m->size : 0.6);
    for (int64_t i = 0; i < m->n; i++) {
        double left = px(v, m->x[i] - half), right = px(v, m->x[i] + half), top = py_clamped(v, m->y[i]);
        if (isfinite(left) && isfinite(top))
            cairo_rectangle(v->c, left, fmin(top, base), right - left, fabs(base - top));
    }
    rein_draw_colour(v->c, m->colour, m->faint ? 0.25 : 0.75);
    cairo_fill(v->c);
    if (m->lo && m->hi) draw_whiskers(v, m, REIN_INK);
}

static void draw_rules(const view *v, const rein_mark *m) {
    for (int64_t i = 0; i < m->n; i++) {
        bool across = m->kind == REIN_MARK_HLINE;
        double at = across ? py(v, m->y[i]) : px(v, m->x[i]);
        if (!isfinite(at)) continue;
        cairo_move_to(v->c, across ? v->box.x : at, across ? at : v->box.y);
        cairo_line_to(v->c, across ? v->box.x + v->box.w : at, across ? at : v->box.y + v->box.h);
    }
    cairo_stroke(v->c);
}

static void draw_regions(const view *v, const rein_mark *m) {
    for (int64_t i = 0; i < m->n; i++) {
        if (m->kind == REIN_MARK_HREGION) {
            double top = py_clamped(v, m->hi[i]), bottom = py_clamped(v, m->lo[i]);
            cairo_rectangle(v->c, v->box.x, top, v->box.w, bottom - top);
        } else {
            double left = px_clamped(v, m->lo[i]), right = px_clamped(v, m->hi[i]);
            cairo_rectangle(v->c, left, v->box.y, right - left, v->box.h);
        }
    }
    rein_draw_colour(v->c, m->colour, 0.15);
    cairo_fill(v->c);
}

static void draw_mark(const view *v, const rein_mark *m) {
    style(v, m);
    switch (m->kind) {
    case REIN_MARK_LINE:
        draw_line(v, m);
        break;
    case REIN_MARK_STEP:
        draw_step(v, m);
        break;
    case REIN_MARK_BAND:
        draw_band(v, m);
        break;
    case REIN_MARK_POINTS:
        draw_points(v, m);
        break;
    case REIN_MARK_BARS:
        draw_bars(v, m);
        break;
    case REIN_MARK_HLINE:
    case REIN_MARK_VLINE:
        draw_rules(v, m);
        break;
    case REIN_MARK_HREGION:
    case REIN_MARK_VREGION:
        draw_regions(v, m);
        break;
    }
}

void rein_draw_marks(cairo_t *c, const rein_panel *p, rein_box box, const rein_ticks *x, const rein_ticks *y) {
    view v = {c, box, x, y};
    const double overlap = 3; /* a marker on the edge is drawn whole */
    cairo_save(c);
    cairo_rectangle(c, box.x - overlap, box.y - overlap, box.w + 2 * overlap, box.h + 2 * overlap);
    cairo_clip(c);
    for (int64_t i = 0; i < p->n_mark; i++) draw_mark(&v, &p->mark[i]);
    cairo_restore(c);
}

/* ---- legend ---- */

static const double row_height = 9.5, swatch = 16, legend_pad = 3.5;

static bool inside(rein_box b, double x, double y) {
    return x >= b.x - 2 && x <= b.x + b.w + 2 && y >= b.y - 2 && y <= b.y + b.h + 2;
}

/* Points of a curve, and points between them, that lie under the legend. */
static int64_t covered_points(const view *v, const rein_mark *m, const double *ys, rein_box legend) {
    int64_t count = 0;
    for (int64_t i = 0; i < m->n; i++) {
        double x = px(v, m->x[i]), y = py(v, ys[i]);
        count += inside(legend, x, y);
        if (i + 1 == m->n || m->kind == REIN_MARK_POINTS) continue;
        double dx = px(v, m->x[i + 1]) - x, dy = py(v, ys[i + 1]) - y;
        for (int s = 1; s < 4; s++) count += inside(legend, x + 0.25 * s * dx, y + 0.25 * s * dy);
    }
    return count;
}

/* Horizontal lines, and edges of regions, that the legend would interrupt: each weighs as a few points. */
static int64_t covered_lines(const view *v, const rein_mark *m, const double *ys, rein_box legend) {
    int64_t count = 0;
    for (int64_t i = 0; i < m->n; i++) count += inside(legend, legend.x, py(v, ys[i])) ? 4 : 0;
    return count;
}

static int64_t covered(const view *v, const rein_panel *p, rein_box legend) {
    int64_t count = 0;
    for (int64_t k = 0; k < p->n_mark; k++) {
        const rein_mark *m = &p->mark[k];
        bool upright = !m->across && m->kind != REIN_MARK_VREGION; /* lo and hi are in y */
        const double *ys[] = {m->y, upright ? m->lo : NULL, upright ? m->hi : NULL};
        for (size_t a = 0; a < REIN_COUNT(ys); a++)
            if (ys[a]) count += m->x ? covered_points(v, m, ys[a], legend) : covered_lines(v, m, ys[a], legend);
    }
    return count;
}

/* The place of a 5 x 7 grid that covers least; corners first, so that they win ties. */
static rein_box best_place(const view *v, const rein_panel *p, double w, double h) {
    static const double column[] = {1, 0, 0.5, 0.75, 0.25}, row[] = {0, 1, 0.5, 0.17, 0.83, 0.33, 0.67};
    const double left = v->box.x + 4, top = v->box.y + 1, room_x = v->box.w - w - 7, room_y = v->box.h - h - 4;
    rein_box best = {left + room_x, top, w, h};
    int64_t fewest = INT64_MAX;
    for (size_t k = 0; k < REIN_COUNT(column) * REIN_COUNT(row); k++) {
        rein_box at = {left + column[k / REIN_COUNT(row)] * room_x, top + row[k % REIN_COUNT(row)] * room_y, w, h};
        int64_t count = covered(v, p, at);
        if (count >= fewest) continue;
        fewest = count;
        best = at;
    }
    return best;
}

static void draw_swatch(const view *v, const rein_mark *m, double x, double y) {
    style(v, m);
    if (m->kind == REIN_MARK_POINTS) {
        cairo_set_dash(v->c, NULL, 0, 0);
        draw_marker(v, m, x + 0.5 * swatch, y);
        return;
    }
    if (m->kind == REIN_MARK_BAND || m->kind == REIN_MARK_BARS || m->kind == REIN_MARK_HREGION) {
        cairo_rectangle(v->c, x, y - 3, swatch, 6);
        rein_draw_colour(v->c, m->colour, m->kind == REIN_MARK_BARS ? 0.75 : 0.2);
        cairo_fill(v->c);
        return;
    }
    cairo_move_to(v->c, x, y);
    cairo_line_to(v->c, x + swatch, y);
    cairo_stroke(v->c);
}

void rein_draw_legend(cairo_t *c, const rein_panel *p, rein_box box, const rein_ticks *x, const rein_ticks *y) {
    view v = {c, box, x, y};
    double width = 0;
    int rows = 0;
    for (int64_t i = 0; i < p->n_mark; i++) {
        if (!p->mark[i].label) continue;
        width = fmax(width, rein_draw_text_width(c, REIN_FONT_TICK, p->mark[i].label));
        rows++;
    }
    if (!rows) return;
    rein_box at = best_place(&v, p, width + swatch + 4 + 2 * legend_pad, rows * row_height + legend_pad);
    cairo_rectangle(c, at.x, at.y, at.w, at.h);
    cairo_set_source_rgba(c, 1, 1, 1, 0.8);
    cairo_fill(c);
    double line = at.y + 0.5 * legend_pad + 0.5 * row_height;
    for (int64_t i = 0; i < p->n_mark; i++) {
        if (!p->mark[i].label) continue;
        draw_swatch(&v, &p->mark[i], at.x + legend_pad, line);
        rein_draw_colour(c, REIN_INK, 1);
        rein_draw_text(c, at.x + legend_pad + swatch + 4, line + 2.5, 0, REIN_FONT_TICK, false, p->mark[i].label);
        line += row_height;
    }
}
