/*
 * Figures as data: a figure is panels, a panel is two axes and marks, a mark is arrays. One drawing code (cairo) makes
 * SVG, PNG and PDF from it, and the same arrays are dumped as CSV, so that what is drawn is what is dumped.
 *
 * Equal data give equal bytes on one machine (fonts and cairo are the system's). Nothing here knows about runs.
 */
#ifndef REIN_REPORT_PLOT_H
#define REIN_REPORT_PLOT_H

#include "base/base.h"

/** Colour-blind-safe (Okabe and Ito 2008), then ink and grey. */
typedef enum rein_colour {
    REIN_BLUE,
    REIN_VERMILION,
    REIN_GREEN,
    REIN_PURPLE,
    REIN_ORANGE,
    REIN_SKY,
    REIN_INK,
    REIN_GREY,
    REIN_COLOURS
} rein_colour;
enum { REIN_COLOUR_CYCLE = 6 }; /* series take colours 0 .. 5 in turn */

typedef enum rein_mark_kind {
    REIN_MARK_LINE,    /* x, y: a gap where either is NaN */
    REIN_MARK_STEP,    /* x, y: y[i] holds from x[i] to x[i + 1] (the last for as long as the one before) */
    REIN_MARK_BAND,    /* x, lo, hi */
    REIN_MARK_POINTS,  /* x, y; whiskers lo..hi if given */
    REIN_MARK_BARS,    /* x (centres), y (heights from 0), width `size` in x units; whiskers lo..hi if given */
    REIN_MARK_HLINE,   /* y: across the panel */
    REIN_MARK_VLINE,   /* x: across the panel */
    REIN_MARK_HREGION, /* lo..hi in y, shaded across the panel; +-INFINITY reaches the edge */
    REIN_MARK_VREGION  /* the same in x */
} rein_mark_kind;

typedef enum rein_shape { REIN_DOT, REIN_CIRCLE, REIN_SQUARE, REIN_STAR, REIN_CROSS } rein_shape;

typedef struct rein_mark {
    rein_mark_kind kind;
    const char *label;  /* in the legend; NULL: none */
    const char *series; /* name in the dump; NULL: the label */
    rein_colour colour;
    bool dashed, faint; /* faint: a quarter of the opacity */
    bool across;        /* POINTS: lo and hi are whiskers along x */
    rein_shape shape;
    double size; /* line width or marker diameter in points, bar width in x units; 0: the default */
    int64_t n;
    const double *x, *y, *lo, *hi; /* (n), borrowed; NULL where the kind does not use them */
} rein_mark;

typedef struct rein_axis {
    const char *label;
    bool log;   /* base 10; values <= 0 are left out */
    bool fixed; /* use lo and hi as they are; otherwise from the data */
    bool zero;  /* the range must include 0 */
    double lo, hi;
    const char *const *category; /* (n_category) names at 0, 1, ...; NULL: numbers */
    int64_t n_category;
    bool bare; /* ticks without text: the panel to the left has it */
} rein_axis;

typedef struct rein_panel {
    const char *title; /* NULL: none */
    rein_axis x, y;
    const rein_mark *mark; /* (n_mark), drawn in this order */
    int64_t n_mark;
} rein_panel;

typedef struct rein_figure {
    const char *name;    /* file name without extension */
    const char *caption; /* for the report */
    double width_mm, height_mm;
    int64_t rows, columns;
    const rein_panel *panel; /* (n_panel) row by row; labelled (a), (b), ... if more than one */
    int64_t n_panel;
} rein_figure;

typedef enum rein_image { REIN_SVG, REIN_PNG, REIN_PDF } rein_image;

/** Draw into memory. PNG at 300 dpi. REIN_ERR_IO if cairo fails. */
REIN_NODISCARD rein_status rein_figure_draw(const rein_figure *f, rein_image format, rein_str *out);

/** Make an SVG fit to stand in an HTML page beside others: no XML header, every id begins with `prefix`. */
void rein_svg_inline(rein_str *out, const char *svg, size_t len, const char *prefix);

/** Everything that is drawn, as CSV: panel,kind,series,i,x,y,lo,hi with numbers that read back exactly. */
void rein_figure_dump(const rein_figure *f, rein_str *out);

enum { REIN_IMAGE_SVG = 1, REIN_IMAGE_PNG = 2, REIN_IMAGE_PDF = 4 };
/** DIR/NAME.csv and DIR/NAME.{svg,png,pdf} as `formats` says, each atomically. */
REIN_NODISCARD rein_status rein_figure_write(const rein_figure *f, const char *dir, int formats);

#endif
