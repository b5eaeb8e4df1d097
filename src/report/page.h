/* Sections of report.html. Shared by report.c (which runs, where to) and page.c (what is said about them). */
#ifndef REIN_REPORT_PAGE_H
#define REIN_REPORT_PAGE_H

#include "report/report.h"
#include "run/run.h"

typedef struct rein_source {
    rein_rundir *run;
    const char *name; /* unique in the report, fit for a file name */
    rein_eval *evals; /* (n_eval) */
    int64_t n_eval;
} rein_source;

typedef struct rein_page {
    rein_str html;
    rein_arena arena;
    const rein_report_options *options;
    const char *figure_dir;
    rein_source *source; /* (n) */
    int64_t n;
    int64_t n_figure, n_table; /* numbered so far */
} rein_page;

/** The whole document into page->html; figure files are written on the way. */
REIN_NODISCARD rein_status rein_page_write(rein_page *page, const char *title);

#endif
