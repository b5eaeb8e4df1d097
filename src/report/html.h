/* Writing HTML: escaped text, numbers as a reader wants them, tables. Texts of models are untrusted. */
#ifndef REIN_REPORT_HTML_H
#define REIN_REPORT_HTML_H

#include "report/summary.h"

/** Escaped; control characters but newline and tab, and invalid UTF-8, become U+FFFD. */
void rein_html_text(rein_str *s, const char *text, size_t len);
void rein_html_puts(rein_str *s, const char *text);

/** "12.3 [11.9, 12.8]" with as many decimals as the interval supports; a dash if n is 0. */
void rein_html_estimate(rein_str *s, rein_estimate e);

/** <td> with text, an integer, an estimate. */
void rein_html_cell(rein_str *s, const char *text);
void rein_html_cell_int(rein_str *s, int64_t n);
void rein_html_cell_estimate(rein_str *s, rein_estimate e);

/** Opens a table with a header row; names are NULL-ended. Close with "</tbody></table>". */
void rein_html_table(rein_str *s, const char *const *heads);

/** Start of the document up to <body>: style sheet for screen and print. */
void rein_html_head(rein_str *s, const char *title);

#endif
