/* Drawing of one panel, shared by plot.c (layout, surfaces) and marks.c. Lengths are points (1/72 inch), y downwards.
 */
#ifndef REIN_REPORT_DRAW_H
#define REIN_REPORT_DRAW_H

#include <cairo.h>

#include "report/axis.h"

enum { REIN_FONT_TICK = 7, REIN_FONT_LABEL = 8 };

typedef struct rein_box {
    double x, y, w, h; /* top left corner and size */
} rein_box;

void rein_draw_colour(cairo_t *c, rein_colour colour, double alpha);
double rein_draw_text_width(cairo_t *c, double size, const char *text);
/** align: 0 left, 0.5 centre, 1 right of (x, y), which is on the base line. */
void rein_draw_text(cairo_t *c, double x, double y, double align, double size, bool bold, const char *text);

/** All marks of a panel, clipped to its box (markers may overlap the edge). */
void rein_draw_marks(cairo_t *c, const rein_panel *p, rein_box box, const rein_ticks *x, const rein_ticks *y);
/** The legend, at the place where it covers the fewest data; nothing if no mark has a label. */
void rein_draw_legend(cairo_t *c, const rein_panel *p, rein_box box, const rein_ticks *x, const rein_ticks *y);

#endif
