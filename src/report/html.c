/* Pieces of HTML; see html.h. */
#include "report/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd";

/* Bytes of the UTF-8 character at `text`, 0 if it is none (overlong, surrogate, truncated, stray). */
static size_t utf8_length(const unsigned char *t, size_t len) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = t[0] < 0x80 ? 1 : t[0] >= 0xf0 && t[0] < 0xf8 ? 4 : t[0] >= 0xe0 ? 3 : t[0] >= 0xc2 ? 2 : 0;
    if (n == 0 || n > len || t[0] >= 0xf8) return 0;
    if (n == 1) return 1;
    uint32_t code = t[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((t[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (t[i] & 0x3fu);
    }
    return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

void rein_html_text(rein_str *s, const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = utf8_length((const unsigned char *)text + i, len - i);
        if (n == 0 || (c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
            rein_str_puts(s, replacement);
        else if (c == '&')
            rein_str_puts(s, "&amp;");
        else if (c == '<')
            rein_str_puts(s, "&lt;");
        else if (c == '>')
            rein_str_puts(s, "&gt;");
        else if (c == '"')
            rein_str_puts(s, "&quot;");
        else
            rein_str_append(s, text + i, n);
        i += n ? n : 1;
    }
}

void rein_html_puts(rein_str *s, const char *text) { rein_html_text(s, text, strlen(text)); }

static void put_number(rein_str *s, double x, int decimals) {
    if (fabs(x) < 0.5 * pow(10, -decimals)) x = 0; /* no "-0.0" */
    if (fabs(x) >= 1e9)
        rein_str_printf(s, "%.4g", x);
    else
        rein_str_printf(s, "%s%.*f", x < 0 ? "\xe2\x88\x92" : "", decimals, fabs(x));
}

/* Two significant digits of half the interval, at most 6 decimals; four significant digits if it has no width. */
static int decimals_for(rein_estimate e) {
    double half = 0.5 * (e.hi - e.lo), scale = half > 0 ? half : fabs(e.mean) > 0 ? fabs(e.mean) / 100 : 0.01;
    int decimals = 1 - (int)floor(log10(scale));
    return decimals < 0 ? 0 : decimals > 6 ? 6 : decimals;
}

void rein_html_estimate(rein_str *s, rein_estimate e) {
    if (e.n == 0) {
        rein_str_puts(s, "\xe2\x80\x93");
        return;
    }
    int decimals = decimals_for(e);
    put_number(s, e.mean, decimals);
    rein_str_puts(s, " <span class=\"ci\">[");
    put_number(s, e.lo, decimals);
    rein_str_puts(s, ", ");
    put_number(s, e.hi, decimals);
    rein_str_puts(s, "]</span>");
}

void rein_html_cell(rein_str *s, const char *text) {
    rein_str_puts(s, "<td>");
    rein_html_puts(s, text);
    rein_str_puts(s, "</td>");
}

void rein_html_cell_int(rein_str *s, int64_t n) { rein_str_printf(s, "<td class=\"n\">%lld</td>", (long long)n); }

void rein_html_cell_estimate(rein_str *s, rein_estimate e) {
    rein_str_puts(s, "<td class=\"n\">");
    rein_html_estimate(s, e);
    rein_str_puts(s, "</td>");
}

void rein_html_table(rein_str *s, const char *const *heads) {
    rein_str_puts(s, "<table><thead><tr>");
    for (; *heads; heads++) {
        rein_str_puts(s, "<th>");
        rein_html_puts(s, *heads);
        rein_str_puts(s, "</th>");
    }
    rein_str_puts(s, "</tr></thead><tbody>\n");
}

static const char style[] =
    "body{font:15px/1.5 \"Source Serif 4\",Georgia,\"DejaVu Serif\",serif;color:#1f1f1f;max-width:60rem;margin:2rem "
    "auto;"
    "padding:0 1.2rem}\n"
    "h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.25rem;margin-top:2.2rem;border-bottom:1px solid #bbb}"
    "h3{font-size:1.05rem;margin-bottom:.3rem}\n"
    ".sub,.ci,figcaption,caption{color:#555}.ci{font-size:.86em;white-space:nowrap}\n"
    "table{border-collapse:collapse;margin:.8rem 0;font-size:.9rem;border-top:1.5px solid #333;border-bottom:1.5px "
    "solid #333;"
    "display:block;overflow-x:auto;width:max-content;max-width:100%}\n"
    "caption{text-align:left;font-size:.88rem}\n"
    "th{text-align:left;border-bottom:1px solid #333;padding:.25rem .7rem;font-weight:600;vertical-align:bottom}"
    "td{padding:.2rem .7rem;vertical-align:top}td.n{font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "figure{margin:1.2rem 0}figure svg{max-width:100%;height:auto}figcaption{font-size:.88rem}\n"
    "pre{background:#f6f6f4;padding:.6rem .8rem;font:12px/1.45 \"DejaVu Sans Mono\",monospace;white-space:pre-wrap;"
    "overflow-wrap:anywhere;margin:.4rem 0}pre.config{columns:2}\n"
    "code{font:.85em \"DejaVu Sans Mono\",monospace;overflow-wrap:anywhere}\n"
    "@media print{@page{size:A4;margin:18mm}body{max-width:none;margin:0;padding:0;font-size:10pt}"
    "figure,tr,pre.text{break-inside:avoid}h2,h3{break-after:avoid}table{display:table;width:auto}"
    "pre{background:none;border:1px solid #ccc}}\n";

void rein_html_head(rein_str *s, const char *title) {
    rein_str_puts(s, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    rein_html_puts(s, title);
    rein_str_puts(s, "</title>\n<style>\n");
    rein_str_puts(s, style);
    rein_str_puts(s, "</style></head>\n<body>\n");
}
