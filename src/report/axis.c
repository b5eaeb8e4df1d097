/* Nice ticks: steps of 1, 2, 2.5 or 5 times a power of ten; decades on a log axis. */
#include "report/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char minus[] = "\xe2\x88\x92";

/* printf writes an ASCII hyphen; a figure wants the minus sign. */
static void put_number(char *out, double x, int decimals) {
    char digits[REIN_TICK_TEXT];
    if (fabs(x) < 0.5 * pow(10, -decimals)) x = 0; /* no "-0" */
    snprintf(digits, sizeof digits - 3, "%.*f", decimals, fabs(x));
    snprintf(out, REIN_TICK_TEXT, "%s%.28s", x < 0 ? minus : "", digits);
}

void rein_superscript(char *out, size_t size, int n) {
    static const char *const digit[] = {"\xe2\x81\xb0", "\xc2\xb9",     "\xc2\xb2",     "\xc2\xb3",     "\xe2\x81\xb4",
                                        "\xe2\x81\xb5", "\xe2\x81\xb6", "\xe2\x81\xb7", "\xe2\x81\xb8", "\xe2\x81\xb9"};
    char plain[16];
    snprintf(plain, sizeof plain, "%d", n);
    size_t used = (size_t)snprintf(out, size, "10");
    for (const char *c = plain; *c && used < size; c++)
        used += (size_t)snprintf(out + used, size - used, "%s", *c == '-' ? "\xe2\x81\xbb" : digit[*c - '0']);
}

static double nice_step(double span, int want) {
    static const double nice[] = {1, 2, 2.5, 5, 10};
    double raw = span / want, base = pow(10, floor(log10(raw)));
    for (size_t i = 0; i < REIN_COUNT(nice); i++)
        if (nice[i] * base >= raw * 0.999) return nice[i] * base;
    return 10 * base;
}

static int decimals_of(double step) {
    int d = 0;
    while (d < 6 && fabs(step * pow(10, d) - round(step * pow(10, d))) > 1e-6) d++;
    return d;
}

static void linear_ticks(rein_ticks *t, int want) {
    double step = nice_step(t->hi - t->lo, want), biggest = fmax(fabs(t->lo), fabs(t->hi));
    if (biggest >= 1e5 || biggest < 1e-2) t->exponent = (int)floor(log10(biggest));
    double unit = pow(10, t->exponent);
    int decimals = decimals_of(step / unit);
    for (double k = ceil(t->lo / step - 1e-9); k * step <= t->hi + 1e-9 * step && t->n < REIN_TICKS_MAX; k++) {
        t->at[t->n] = k * step;
        put_number(t->text[t->n++], k * step / unit, decimals);
    }
}

static void add_tick(rein_ticks *t, double at, int mantissa, int e, bool plain) {
    if (t->n == REIN_TICKS_MAX) return;
    t->at[t->n] = at;
    if (plain)
        put_number(t->text[t->n], mantissa * pow(10, e), e < 0 ? -e : 0);
    else
        rein_superscript(t->text[t->n], REIN_TICK_TEXT, e);
    t->n++;
}

/* Decades; 2 and 5 as well where few decades are shown. Plain numbers near 1, powers of ten otherwise. */
static void log_ticks(rein_ticks *t, int want) {
    int first = (int)ceil(t->lo - 1e-9), last = (int)floor(t->hi + 1e-9), every = (last - first) / (want + 1) + 1;
    bool plain = t->lo > -3.5 && t->hi < 4, few = plain && t->hi - t->lo < (want > 3 ? 2 : 1.5);
    for (int e = first - 1; e <= last; e++) {
        for (int m = 1; m < 10; m++) {
            double at = e + log10(m);
            if (at < t->lo - 1e-9 || at > t->hi + 1e-9) continue;
            if (m == 1 ? (e - first) % every == 0 : few && (m == 2 || m == 5))
                add_tick(t, at, m, e, plain);
            else if (t->n_minor < (int)REIN_COUNT(t->minor))
                t->minor[t->n_minor++] = at;
        }
    }
}

static void category_ticks(rein_ticks *t, const rein_axis *axis) {
    for (int64_t i = 0; i < axis->n_category && t->n < REIN_TICKS_MAX; i++) {
        t->at[t->n] = (double)i;
        snprintf(t->text[t->n++], REIN_TICK_TEXT, "%s", axis->category[i]);
    }
}

void rein_ticks_make(rein_ticks *t, const rein_axis *axis, double lo, double hi, int want) {
    const double worth_log = 8; /* a narrower range has too few decades to read a log axis by */
    *t = (rein_ticks){.log = axis->log && hi > worth_log * lo};
    if (axis->fixed) {
        lo = axis->lo;
        hi = axis->hi;
    }
    if (axis->zero && !t->log) {
        lo = fmin(lo, 0);
        hi = fmax(hi, 0);
    }
    if (!(lo <= hi)) lo = t->log ? 0.1 : 0, hi = 1; /* no data */
    if (t->log) lo = log10(lo), hi = log10(hi);
    if (axis->category) lo = -0.5, hi = (double)axis->n_category - 0.5;
    double span = hi - lo, pad = axis->fixed || axis->category ? 0 : 0.05 * span;
    if (!(span > 1e-12 * fmax(fabs(lo), fabs(hi)))) pad = lo != 0 && !t->log ? 0.1 * fabs(lo) : 0.5;
    t->lo = axis->zero && lo == 0 ? 0 : lo - pad;
    t->hi = axis->zero && hi == 0 ? 0 : hi + pad;
    if (!(t->lo < t->hi)) t->hi = t->lo + 1;
    if (axis->category)
        category_ticks(t, axis);
    else if (t->log)
        log_ticks(t, want);
    else
        linear_ticks(t, want);
}

double rein_ticks_place(const rein_ticks *t, double value) {
    if (t->log) value = value > 0 ? log10(value) : (double)NAN;
    return (value - t->lo) / (t->hi - t->lo);
}
