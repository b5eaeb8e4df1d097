/* Layout of figures, their axes, and the three surfaces they are drawn on. */
#include "report/plot.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "report/draw.h"

enum { MAX_COLUMNS = 4 };
static const double mm = 72 / 25.4, png_dpi = 300;

void rein_draw_colour(cairo_t *c, rein_colour colour, double alpha) {
    static const double rgb[REIN_COLOURS][3] = {
        [REIN_BLUE] = {0, 0.447, 0.698},       [REIN_VERMILION] = {0.835, 0.369, 0}, [REIN_GREEN] = {0, 0.620, 0.451},
        [REIN_PURPLE] = {0.800, 0.475, 0.655}, [REIN_ORANGE] = {0.902, 0.624, 0},    [REIN_SKY] = {0.337, 0.706, 0.914},
        [REIN_INK] = {0.12, 0.12, 0.12},       [REIN_GREY] = {0.55, 0.55, 0.55}};
    cairo_set_source_rgba(c, rgb[colour][0], rgb[colour][1], rgb[colour][2], alpha);
}

static void set_font(cairo_t *c, double size, bool bold) {
    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c, size);
}

double rein_draw_text_width(cairo_t *c, double size, const char *text) {
    cairo_text_extents_t e;
    set_font(c, size, false);
    cairo_text_extents(c, text, &e);
    return e.x_advance;
}

void rein_draw_text(cairo_t *c, double x, double y, double align, double size, bool bold, const char *text) {
    cairo_text_extents_t e;
    set_font(c, size, bold);
    cairo_text_extents(c, text, &e);
    cairo_move_to(c, x - align * e.x_advance, y);
    cairo_show_text(c, text);
    cairo_new_path(c);
}

/* ---- ranges ---- */

static void widen(const double *v, int64_t n, double margin, bool log, double range[2]) {
    for (int64_t i = 0; v && i < n; i++) {
        if (!isfinite(v[i]) || (log && v[i] <= 0)) continue;
        range[0] = fmin(range[0], v[i] - margin);
        range[1] = fmax(range[1], v[i] + margin);
    }
}

static void make_ticks(const rein_panel *p, rein_box box, rein_ticks *x, rein_ticks *y) {
    double xs[2] = {INFINITY, -INFINITY}, ys[2] = {INFINITY, -INFINITY};
    for (int64_t k = 0; k < p->n_mark; k++) {
        const rein_mark *m = &p->mark[k];
        widen(m->x, m->n, m->kind == REIN_MARK_BARS ? 0.5 * m->size : 0, p->x.log, xs);
        widen(m->y, m->n, 0, p->y.log, ys);
        bool along_x = m->across || m->kind == REIN_MARK_VREGION;
        widen(m->lo, m->n, 0, along_x ? p->x.log : p->y.log, along_x ? xs : ys);
        widen(m->hi, m->n, 0, along_x ? p->x.log : p->y.log, along_x ? xs : ys);
    }
    rein_ticks_make(x, &p->x, xs[0], xs[1], box.w > 110 ? 5 : 3);
    rein_ticks_make(y, &p->y, ys[0], ys[1], box.h > 80 ? 5 : 3);
}

/* ---- one panel ---- */

static void axis_label(char *out, size_t size, const rein_axis *axis, const rein_ticks *t) {
    char power[32];
    if (t->exponent == 0) {
        snprintf(out, size, "%s", axis->label);
        return;
    }
    rein_superscript(power, sizeof power, t->exponent);
    snprintf(out, size, "%s (%s)", axis->label, power);
}

static void draw_grid(cairo_t *c, rein_box b, const rein_ticks *y) {
    rein_draw_colour(c, REIN_GREY, 0.22);
    cairo_set_line_width(c, 0.5);
    cairo_set_dash(c, NULL, 0, 0);
    for (int i = 0; i < y->n; i++) {
        double at = b.y + (1 - (y->at[i] - y->lo) / (y->hi - y->lo)) * b.h;
        cairo_move_to(c, b.x, at);
        cairo_line_to(c, b.x + b.w, at);
    }
    cairo_stroke(c);
}

static void draw_x_axis(cairo_t *c, rein_box b, const rein_axis *axis, const rein_ticks *t) {
    char label[128];
    double base = b.y + b.h;
    for (int i = 0; i < t->n_minor; i++) {
        double at = b.x + (t->minor[i] - t->lo) / (t->hi - t->lo) * b.w;
        cairo_move_to(c, at, base);
        cairo_line_to(c, at, base + 1.5);
    }
    for (int i = 0; i < t->n; i++) {
        double at = b.x + (t->at[i] - t->lo) / (t->hi - t->lo) * b.w;
        cairo_move_to(c, at, base);
        cairo_line_to(c, at, base + 3);
    }
    cairo_move_to(c, b.x, base);
    cairo_line_to(c, b.x + b.w, base);
    cairo_stroke(c);
    for (int i = 0; i < t->n; i++)
        rein_draw_text(c, b.x + (t->at[i] - t->lo) / (t->hi - t->lo) * b.w, base + 10.5, 0.5, REIN_FONT_TICK, false,
                       t->text[i]);
    axis_label(label, sizeof label, axis, t);
    rein_draw_text(c, b.x + 0.5 * b.w, base + 21.5, 0.5, REIN_FONT_LABEL, false, label);
}

static double widest(cairo_t *c, const rein_ticks *t) {
    double w = 0;
    for (int i = 0; i < t->n; i++) w = fmax(w, rein_draw_text_width(c, REIN_FONT_TICK, t->text[i]));
    return w;
}

static void draw_y_axis(cairo_t *c, rein_box b, const rein_axis *axis, const rein_ticks *t) {
    char label[128];
    for (int i = 0; i < t->n_minor; i++) {
        double at = b.y + (1 - (t->minor[i] - t->lo) / (t->hi - t->lo)) * b.h;
        cairo_move_to(c, b.x, at);
        cairo_line_to(c, b.x - 1.5, at);
    }
    for (int i = 0; i < t->n; i++) {
        double at = b.y + (1 - (t->at[i] - t->lo) / (t->hi - t->lo)) * b.h;
        cairo_move_to(c, b.x, at);
        cairo_line_to(c, b.x - 3, at);
    }
    cairo_move_to(c, b.x, b.y);
    cairo_line_to(c, b.x, b.y + b.h);
    cairo_stroke(c);
    for (int i = 0; i < t->n && !axis->bare; i++)
        rein_draw_text(c, b.x - 5, b.y + (1 - (t->at[i] - t->lo) / (t->hi - t->lo)) * b.h + 2.5, 1, REIN_FONT_TICK,
                       false, t->text[i]);
    if (!axis->label) return;
    axis_label(label, sizeof label, axis, t);
    cairo_save(c);
    cairo_translate(c, b.x - widest(c, t) - 10, b.y + 0.5 * b.h);
    cairo_rotate(c, -1.5707963267948966);
    rein_draw_text(c, 0, 0, 0.5, REIN_FONT_LABEL, false, label);
    cairo_restore(c);
}

static const double margin_top = 15, margin_bottom = 27, margin_right = 7;

static void draw_panel(cairo_t *c, const rein_panel *p, rein_box box, const char *tag, double cell_x) {
    rein_ticks x, y;
    make_ticks(p, box, &x, &y);
    draw_grid(c, box, &y);
    rein_draw_marks(c, p, box, &x, &y);
    rein_draw_legend(c, p, box, &x, &y);
    rein_draw_colour(c, REIN_INK, 1);
    cairo_set_line_width(c, 0.7);
    cairo_set_dash(c, NULL, 0, 0);
    draw_x_axis(c, box, &p->x, &x);
    draw_y_axis(c, box, &p->y, &y);
    rein_draw_text(c, cell_x + 1, box.y - 5, 0, REIN_FONT_LABEL, true, tag);
    if (p->title) rein_draw_text(c, box.x + 0.5 * box.w, box.y - 5, 0.5, REIN_FONT_LABEL, false, p->title);
}

/* ---- the figure ---- */

/* Left margin of a column: room for its widest tick labels, so that the axes of a column line up. */
static double left_margin(cairo_t *c, const rein_figure *f, int64_t column, double cell_h) {
    double margin = 0;
    rein_box box = {0, 0, 200, cell_h - margin_top - margin_bottom};
    for (int64_t i = column; i < f->n_panel; i += f->columns) {
        rein_ticks x, y;
        make_ticks(&f->panel[i], box, &x, &y);
        margin = fmax(margin, (f->panel[i].y.bare ? 6 : widest(c, &y) + 8) + (f->panel[i].y.label ? 13 : 2));
    }
    return margin;
}

static void paint_background(cairo_t *c) {
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE); /* the same layout on every surface */
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(c, options);
    cairo_font_options_destroy(options);
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
}

/* All plot areas are equally wide: what the left margins leave is shared. */
static void draw_figure(cairo_t *c, const rein_figure *f) {
    double cell_h = f->height_mm * mm / (double)f->rows, left[MAX_COLUMNS], free_width = f->width_mm * mm, x = 0;
    for (int64_t k = 0; k < f->columns; k++) {
        left[k] = left_margin(c, f, k, cell_h);
        free_width -= left[k] + margin_right;
    }
    double width = free_width / (double)f->columns;
    for (int64_t i = 0; i < f->n_panel; i++) {
        char tag[8] = "";
        int64_t row = i / f->columns, column = i % f->columns;
        if (column == 0) x = 0;
        rein_box box = {x + left[column], (double)row * cell_h + margin_top, width,
                        cell_h - margin_top - margin_bottom};
        if (f->n_panel > 1) snprintf(tag, sizeof tag, "(%c)", (char)('a' + i % 26));
        draw_panel(c, &f->panel[i], box, tag, x);
        x += left[column] + width + margin_right;
    }
}

static cairo_status_t write_bytes(void *out, const unsigned char *bytes, unsigned n) {
    rein_str_append(out, (const char *)bytes, n);
    return CAIRO_STATUS_SUCCESS;
}

/* The number in surfaceN counts all surfaces of the process; a figure's bytes must not depend on that. */
static void fix_surface_ids(rein_str *svg) {
    static const char id[] = "surface";
    size_t kept = 0;
    for (size_t i = 0; i < svg->len; i++) {
        svg->data[kept++] = svg->data[i];
        if (kept < sizeof id - 1 || memcmp(svg->data + kept - (sizeof id - 1), id, sizeof id - 1) != 0) continue;
        while (i + 1 < svg->len && svg->data[i + 1] >= '0' && svg->data[i + 1] <= '9') i++;
    }
    svg->len = kept;
    svg->data[kept] = '\0';
}

static cairo_surface_t *make_surface(const rein_figure *f, rein_image format, rein_str *out) {
    double w = f->width_mm * mm, h = f->height_mm * mm, scale = png_dpi / 72;
    if (format == REIN_SVG) return cairo_svg_surface_create_for_stream(write_bytes, out, w, h);
    if (format == REIN_PNG)
        return cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(w * scale), (int)ceil(h * scale));
    cairo_surface_t *pdf = cairo_pdf_surface_create_for_stream(write_bytes, out, w, h);
    cairo_pdf_surface_set_metadata(pdf, CAIRO_PDF_METADATA_CREATE_DATE,
                                   "2000-01-01T00:00:00Z"); /* no wall-clock in results */
    cairo_pdf_surface_set_metadata(pdf, CAIRO_PDF_METADATA_TITLE, f->name);
    return pdf;
}

rein_status rein_figure_draw(const rein_figure *f, rein_image format, rein_str *out) {
    rein_str_clear(out);
    REIN_ASSERT(f->n_panel <= f->rows * f->columns && f->columns <= MAX_COLUMNS);
    cairo_surface_t *surface = make_surface(f, format, out);
    cairo_t *c = cairo_create(surface);
    if (format == REIN_PNG) cairo_scale(c, png_dpi / 72, png_dpi / 72);
    paint_background(c);
    draw_figure(c, f);
    cairo_status_t status = cairo_status(c);
    cairo_destroy(c);
    if (format == REIN_PNG && status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_write_to_png_stream(surface, write_bytes, out);
    cairo_surface_finish(surface);
    if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (status != CAIRO_STATUS_SUCCESS)
        return rein_fail(REIN_ERR_IO, "cannot draw figure '%s': %s", f->name, cairo_status_to_string(status));
    REIN_TRY(rein_str_check(out));
    if (format == REIN_SVG) fix_surface_ids(out);
    return REIN_OK;
}

void rein_svg_inline(rein_str *out, const char *svg, size_t len, const char *prefix) {
    static const char *const before[] = {"id=\"", "href=\"#", "url(#"};
    size_t i = 0;
    while (i + 4 <= len && memcmp(svg + i, "<svg", 4) != 0) i++;
    for (; i < len; i++) {
        rein_str_putc(out, svg[i]);
        for (size_t k = 0; k < REIN_COUNT(before); k++) {
            size_t n = strlen(before[k]);
            if (i + 1 >= n && memcmp(svg + i + 1 - n, before[k], n) == 0) rein_str_puts(out, prefix);
        }
    }
}

/* ---- dump and files ---- */

static void put_cell(rein_str *out, const double *v, int64_t i) {
    rein_str_putc(out, ',');
    if (!v || isnan(v[i])) return;
    if (isinf(v[i]))
        rein_str_puts(out, v[i] > 0 ? "inf" : "-inf");
    else
        rein_json_put_f64(out, v[i]);
}

static void put_field(rein_str *out, const char *text) {
    rein_str_putc(out, '"');
    for (; *text; text++) {
        if (*text == '"') rein_str_putc(out, '"');
        rein_str_putc(out, *text);
    }
    rein_str_putc(out, '"');
}

void rein_figure_dump(const rein_figure *f, rein_str *out) {
    static const char *const kind[] = {"line",  "step",  "band",    "points", "bars",
                                       "hline", "vline", "hregion", "vregion"};
    rein_str_puts(out, "panel,kind,series,i,x,y,lo,hi\n");
    for (int64_t p = 0; p < f->n_panel; p++)
        for (int64_t k = 0; k < f->panel[p].n_mark; k++) {
            const rein_mark *m = &f->panel[p].mark[k];
            const char *series = m->series ? m->series : m->label ? m->label : "";
            for (int64_t i = 0; i < m->n; i++) {
                rein_str_printf(out, "%c,%s,", (char)('a' + p % 26), kind[m->kind]);
                put_field(out, series);
                rein_str_printf(out, ",%lld", (long long)i);
                put_cell(out, m->x, i);
                put_cell(out, m->y, i);
                put_cell(out, m->lo, i);
                put_cell(out, m->hi, i);
                rein_str_putc(out, '\n');
            }
        }
}

static rein_status write_one(rein_arena *arena, const rein_str *bytes, const char *dir, const char *name,
                             const char *ext) {
    char *path;
    REIN_TRY(rein_str_check(bytes));
    REIN_TRY(rein_path_format(arena, &path, "%s/%s.%s", dir, name, ext));
    return rein_file_write(path, bytes->data, bytes->len);
}

rein_status rein_figure_write(const rein_figure *f, const char *dir, int formats) {
    static const char *const ext[] = {[REIN_SVG] = "svg", [REIN_PNG] = "png", [REIN_PDF] = "pdf"};
    rein_arena arena = {0};
    rein_str bytes = {0};
    rein_status status;
    REIN_TRY_OUT(status, rein_mkdirs(dir), out);
    rein_figure_dump(f, &bytes);
    REIN_TRY_OUT(status, write_one(&arena, &bytes, dir, f->name, "csv"), out);
    for (int k = 0; k < (int)REIN_COUNT(ext); k++) {
        if (!(formats & 1 << k)) continue;
        REIN_TRY_OUT(status, rein_figure_draw(f, (rein_image)k, &bytes), out);
        REIN_TRY_OUT(status, write_one(&arena, &bytes, dir, f->name, ext[k]), out);
    }
out:
    rein_str_deinit(&bytes);
    rein_arena_deinit(&arena);
    return status;
}
