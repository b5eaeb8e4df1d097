/* Arithmetic in text: numbers, + - * / % ^, brackets, and abs, sqrt, floor, ceil, round, min, max. No names, no loops. */
#ifndef REIN_ENV_TOOLS_EXPRESSION_H
#define REIN_ENV_TOOLS_EXPRESSION_H

#include "base/base.h"

/** Value of an expression; *why is NULL or what is wrong with it (static text). Never infinite or NaN. */
double rein_expression_value(const char *text, const char **why);

#endif
