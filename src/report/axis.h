/* Ranges, ticks and their text: arithmetic of axes without any drawing. */
#ifndef REIN_REPORT_AXIS_H
#define REIN_REPORT_AXIS_H

#include "report/plot.h"

enum { REIN_TICKS_MAX = 16, REIN_TICK_TEXT = 32 };

typedef struct rein_ticks {
    double lo, hi; /* range of the axis, lo < hi; of log10 if log */
    bool log;      /* asked for, and the data span enough */
    int n, n_minor;
    double at[REIN_TICKS_MAX]; /* in the same units as lo, hi */
    double minor[10 * REIN_TICKS_MAX];
    char text[REIN_TICKS_MAX][REIN_TICK_TEXT];
    int exponent; /* labels are to be multiplied by 10^exponent; 0 mostly */
} rein_ticks;

/** Range of an axis over the data [lo, hi] and about `want` nice ticks in it. */
void rein_ticks_make(rein_ticks *t, const rein_axis *axis, double lo, double hi, int want);

/** 10^n in UTF-8 superscripts. */
void rein_superscript(char *out, size_t size, int n);

/** Position of a value in [0, 1]; NaN if it cannot be shown (NaN, or <= 0 on a log axis). */
double rein_ticks_place(const rein_ticks *t, double value);

#endif
