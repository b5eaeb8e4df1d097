/*
 * The report of a run, of several, or of a pipeline: figures with their data beside them, and one self-contained page.
 * Everything in it comes from run stores: the same stores give the same bytes.
 */
#ifndef REIN_REPORT_REPORT_H
#define REIN_REPORT_REPORT_H

#include "report/plot.h"

typedef struct rein_report_options {
    const char *out_dir; /* report.html and figures/ go here */
    int formats;         /* REIN_IMAGE_*: files in figures/ beside their CSV; 0: no figure files */
    bool html;
    int64_t n_trajectory; /* cases drawn */
    int64_t n_completion; /* sampled texts shown per run and end */
} rein_report_options;

/**
 * Report on `n` runs. A path that holds runs (a pipeline) stands for itself and the runs directly in it.
 * @return REIN_ERR_USAGE if a path holds no run.
 */
REIN_NODISCARD rein_status rein_report_write(const char *const *paths, int64_t n, const rein_report_options *options);

#endif
