/* Lists of numbers and small matrices from the command line: "1,2,3", "[[1,0],[0,1]]" or a JSON file of either. */
#ifndef REIN_CLI_NUMBERS_H
#define REIN_CLI_NUMBERS_H

#include "base/base.h"

/** Comma-separated finite numbers. `option` names the place in errors (REIN_ERR_USAGE). 1 <= *n <= max. */
REIN_NODISCARD rein_status rein_numbers_parse(double *out, int max, int *n, const char *option, const char *text);

/** The text itself, or the whole file if it names one (a list or JSON never does). */
REIN_NODISCARD rein_status rein_numbers_load(double *out, int max, int *n, const char *option, const char *text);

/** A matrix: JSON rows, a file of JSON rows, or a list, which is a diagonal. At most max x max. */
REIN_NODISCARD rein_status rein_matrix_load(double *out, int max, int *rows, int *cols, const char *option,
                                            const char *text);

/** JSON: "[1,2]" and "[[1,2],[3,4]]". */
void rein_numbers_put(rein_str *out, const double *x, int n);
void rein_matrix_put(rein_str *out, const double *x, int rows, int cols);

#endif
