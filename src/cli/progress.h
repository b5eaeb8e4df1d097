/*
 * Progress on stderr: on a terminal one live line with rate and time left; in a log a line a step.
 */
#ifndef REIN_CLI_PROGRESS_H
#define REIN_CLI_PROGRESS_H

#include "base/base.h"

/** Show `text` as step `done` of `all`. On a terminal the line is redrawn at most ten times a second (but always at the
 *  last step); in a log every call is a line. The rate is measured since the last rein_progress_begin. */
void rein_progress_begin(const char *label, int64_t done, int64_t all);
void rein_progress_step(int64_t done, const char *text);
/** A live detail inside a step (terminal only). */
void rein_progress_detail(const char *text);
/** End the live line, so that other text may follow. Nothing is shown twice. */
void rein_progress_end(void);

#endif
